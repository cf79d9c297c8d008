package loader

import (
	"errors"
	"fmt"
	"strings"

	"walletscreen/screen"
	"walletscreen/screen/phrase"
)

// limits are what a publication of a list must keep to. A breach does not lose
// anything: the publication is held until an operator releases it.
type limits struct {
	// minRecords and maxRecords bound the entries of a document, minRows and maxRows
	// the address rows in it. 0 bounds nothing.
	minRecords, maxRecords int
	minRows, maxRows       int
	// mayBeEmpty says that the list is known to have no addresses.
	mayBeEmpty bool
	// shrink is the largest share of its rows that a list may lose in one
	// publication.
	shrink float64
	// growth is the largest share by which a list may grow in one publication, if
	// that is more than growthRows rows. 0 bounds nothing.
	growth     float64
	growthRows int
	// canaries are rows that have stood on the list for years: if one goes, a part of
	// the document may be missing.
	canaries []canary
}

type canary struct{ uid, text string }

// A breach is one limit that a publication does not keep to.
type breach struct {
	why string
	// removal says that rows are missing. The publisher's word that they were
	// removed settles it.
	removal bool
}

// breaches returns which limits the publication does not keep to, given what
// merging it into before changed.
func (d *Document) breaches(before *screen.Snapshot, c *screen.Changes) []breach {
	if c.Unchanged {
		return nil
	}
	var found []breach
	report := func(removal bool, format string, args ...any) {
		found = append(found, breach{fmt.Sprintf(format, args...), removal})
	}
	l, pub := &d.limits, d.Publication
	// East of Greenwich it may be tomorrow already.
	if on := pub.PublishedOn; on > screen.DateOf(d.read.AddDate(0, 0, 1)) {
		report(false, "it is of %s, in the future, and until then no other would be taken", on)
	}
	if pub.Incomplete != "" {
		report(false, "something is missing in it: %s", pub.Incomplete)
	}
	printed := 0
	for i := range pub.Parties {
		printed += len(pub.Parties[i].Addresses)
	}
	outside := func(what string, n, low, high int) {
		if low > 0 && n < low {
			report(false, "%s, fewer than the %d that the list has at least", phrase.Count(n, what), low)
		}
		if high > 0 && n > high {
			report(false, "%s, more than the %d that the list can be expected to have", phrase.Count(n, what), high)
		}
	}
	outside("entry", pub.Records, l.minRecords, l.maxRecords)
	outside("row", printed, l.minRows, l.maxRows)
	if less := len(c.Delisted); c.Rows > 0 && float64(less) > l.shrink*float64(c.Rows) {
		report(true, "%d of %s %s gone, more than %.0f %%", less, phrase.Count(c.Rows, "row"), phrase.Are(less), 100*l.shrink)
	}
	if more := len(c.Listed); !c.First && l.growth > 0 && more > l.growthRows && float64(more) > l.growth*float64(c.Rows) {
		report(false, "%s %s new, where %d stood: more than %.0f %%", phrase.Count(more, "row"), phrase.Are(more), c.Rows, 100*l.growth)
	}
	has, gone := rows(pub), map[row]bool{}
	for _, change := range c.Delisted {
		if key := (row{change.UID, change.Text}); !has[key] {
			gone[key] = true
		}
	}
	// Of two documents of one date only their order at one address says which is newer.
	if was := before.List(d.List.ID); was != nil && d.elsewhere && was.Current().PublishedOn == pub.PublishedOn && len(gone) > 0 {
		report(true, "it lacks %s of the publication of the same date that came from another of the publisher's addresses: it may be the older one", phrase.Count(len(gone), "row"))
	}
	for _, canary := range l.canaries {
		if key := row(canary); gone[key] || c.First && !has[key] {
			report(!c.First, "a row that has stood there for years is not there, of party %s", canary.uid)
		}
	}
	return found
}

// A heldError says that a guard stopped a publication, or that an operator took it
// back.
type heldError struct {
	list screen.ListID
	held screen.Held
	back string // what held.Why begins with if an operator took it back
}

func (e *heldError) Error() string {
	if e.held.RolledBack != 0 {
		return fmt.Sprintf("list %s: publication of %s (%.12s): %s: release it if it is right after all", e.list, e.held.PublishedOn, e.held.Digest, e.held.Why)
	}
	return fmt.Sprintf("list %s: %s: release it if that is true", e.list, e.held.Why)
}

// hold makes one error of what stopped a publication.
func (d *Document) hold(c *screen.Changes, breaches []breach) *heldError {
	var why []string
	for _, b := range breaches {
		why = append(why, b.why)
	}
	return &heldError{list: d.List.ID, held: screen.Held{
		Since: d.read, PublishedOn: d.Publication.PublishedOn, Digest: d.Publication.Digest, Source: d.source,
		Why: strings.Join(why, "; "), Listed: len(c.Listed), Delisted: len(c.Delisted), Amended: len(c.Amended),
	}}
}

func isHeld(err error) bool {
	var held *heldError
	return errors.As(err, &held)
}
