package screen

import (
	"cmp"
	"fmt"
	"slices"
)

// Diff returns what differs between s and next, list by list in ascending order of
// their ids: rows that are current in next and not in s are listed, the other way
// round delisted. A row that is current in both, or in neither, and of which
// something else is said, its past included, is amended; so is a party. A list of
// which only publications differ has a Changes without rows; a list that does not
// differ has none.
//
// Unlike Merge's, these are no step of history: next may be older than s, or hold
// fewer lists.
func (s *Snapshot) Diff(next *Snapshot) []*Changes {
	var all []*Changes
	old, new := s.walk(), next.walk()
	for old.list < len(s.lists) || new.list < len(next.lists) {
		var before, after *ListState
		if old.list < len(s.lists) {
			before = &s.lists[old.list]
		}
		if new.list < len(next.lists) {
			after = &next.lists[new.list]
		}
		switch {
		case before != nil && after != nil && before.ID < after.ID, after == nil:
			after = nil
		case before == nil || after.ID < before.ID:
			before = nil
		}
		d := difference{old: old, new: new, before: before, after: after}
		if changes := d.of(); changes != nil {
			all = append(all, changes)
		}
		if before != nil {
			old.list++
		}
		if after != nil {
			new.list++
		}
	}
	return all
}

// A walk goes through the parties and listings of a snapshot in their order.
type walk struct {
	s                    *Snapshot
	list, party, listing int
}

func (s *Snapshot) walk() *walk { return &walk{s: s} }

// at returns the party that is next of the list, nil after its last.
func (w *walk) at() *Party {
	if w.party < len(w.s.parties) && w.s.parties[w.party].List == w.list {
		return &w.s.parties[w.party]
	}
	return nil
}

// rows passes over the party that is next and returns its listings.
func (w *walk) rows() []Listing {
	begin := w.listing
	for w.listing < len(w.s.listings) && w.s.listings[w.listing].Party == w.party {
		w.listing++
	}
	w.party++
	return w.s.listings[begin:w.listing]
}

// A difference compares one list of two snapshots; before or after is nil where
// it is missing.
type difference struct {
	old, new      *walk
	before, after *ListState
	changes       Changes
}

func (d *difference) of() *Changes {
	list := cmp.Or(d.after, d.before)
	d.changes.List, d.changes.First = list.ID, d.before == nil
	for {
		var was, is *Party
		if d.before != nil {
			was = d.old.at()
		}
		if d.after != nil {
			is = d.new.at()
		}
		if was == nil && is == nil {
			break
		}
		switch {
		case was != nil && is != nil && was.UID < is.UID, is == nil:
			is = nil
		case was == nil || is.UID < was.UID:
			was = nil
		}
		d.party(was, is)
	}
	c := &d.changes
	for _, changes := range [][]Change{c.Listed, c.Delisted, c.Amended} {
		slices.SortStableFunc(changes, compareChanges)
	}
	c.tellKinds(list.Kind)
	same := d.before != nil && d.after != nil && d.before.List == d.after.List && slices.Equal(d.before.Publications, d.after.Publications)
	if same && len(c.Listed)+len(c.Delisted)+len(c.Amended) == 0 {
		return nil
	}
	return c
}

// party compares a party that stands in both snapshots, or in one, the other nil.
func (d *difference) party(was, is *Party) {
	var old, new []Listing
	if was != nil {
		old = d.old.rows()
	}
	if is != nil {
		new = d.new.rows()
	}
	if was != nil && is != nil {
		a, b := &was.Versions[len(was.Versions)-1].Facts, &is.Versions[len(is.Versions)-1].Facts
		what := factsDiffer(a, b)
		if what == "" && !slices.EqualFunc(was.Versions, is.Versions, d.sameVersion) {
			what = "what was said before"
		}
		if what != "" {
			d.changes.Amended = append(d.changes.Amended, Change{UID: is.UID, Party: b.Name, What: what})
		}
	}
	before, after := 0, 0
	for len(old) > 0 || len(new) > 0 {
		// Intervals of one row stand beside each other.
		var x, y []Listing
		switch {
		case len(new) == 0 || len(old) > 0 && compareRows(&old[0], &new[0]) < 0:
			x, old = firstRow(old)
		case len(old) == 0 || compareRows(&old[0], &new[0]) > 0:
			y, new = firstRow(new)
		default:
			x, old = firstRow(old)
			y, new = firstRow(new)
		}
		wasCurrent, isCurrent := current(x), current(y)
		if wasCurrent {
			before++
		}
		if isCurrent {
			after++
		}
		switch {
		case !wasCurrent && isCurrent:
			d.changes.Listed = append(d.changes.Listed, d.change(is, &y[0], d.after, ""))
		case wasCurrent && !isCurrent:
			// The party may be unknown to the new snapshot.
			d.changes.Delisted = append(d.changes.Delisted, d.change(cmp.Or(is, was), &x[0], d.before, ""))
		default:
			if what := d.rowDiffers(x, y); what != "" {
				row, list := y, d.after
				if len(row) == 0 {
					row, list = x, d.before
				}
				d.changes.Amended = append(d.changes.Amended, d.change(cmp.Or(is, was), &row[0], list, what))
			}
		}
	}
	d.changes.Rows += before
	switch {
	case before > 0:
		d.changes.Parties++
		if after == 0 {
			d.changes.PartiesDelisted++
		}
	case after > 0:
		d.changes.PartiesListed++
	}
}

func compareRows(a, b *Listing) int {
	return compareKeys(keyOf(0, &a.PublishedAddress), keyOf(0, &b.PublishedAddress))
}

// firstRow returns the intervals of the first row, and the other rows.
func firstRow(rows []Listing) (first, others []Listing) {
	n := 1
	for n < len(rows) && compareRows(&rows[0], &rows[n]) == 0 {
		n++
	}
	return rows[:n], rows[n:]
}

// current reports whether a row of the given intervals is listed.
func current(intervals []Listing) bool {
	return len(intervals) > 0 && intervals[len(intervals)-1].Delisted == 0
}

// rowDiffers says in what a row differs that is current in both snapshots or in
// neither, "" if in nothing.
func (d *difference) rowDiffers(x, y []Listing) string {
	if current(x) && current(y) {
		old, new := &x[len(x)-1], &y[len(y)-1]
		switch {
		case old.DelistedOn != new.DelistedOn:
			return fmt.Sprintf("printed end %q, was %q", new.DelistedOn, old.DelistedOn)
		case old.Comment != new.Comment:
			return "comment"
		case old.Reliability != new.Reliability:
			return fmt.Sprintf("reliability %q, was %q", new.Reliability, old.Reliability)
		case !slices.Equal(old.SourceIDs, new.SourceIDs):
			return "publisher's ids"
		}
	}
	if !slices.EqualFunc(x, y, d.sameInterval) {
		return "when it was listed"
	}
	return ""
}

// sameInterval compares by the publications themselves: with another history the
// same one has another ordinal.
func (d *difference) sameInterval(x, y Listing) bool {
	return x.AddedOn == y.AddedOn && x.DelistedOn == y.DelistedOn && x.Comment == y.Comment && x.Reliability == y.Reliability &&
		slices.Equal(x.SourceIDs, y.SourceIDs) && d.samePublication(x.Listed, y.Listed) && d.samePublication(x.Delisted, y.Delisted)
}

func (d *difference) samePublication(x, y Ordinal) bool {
	a, b := d.before.At(x), d.after.At(y)
	return a == nil && b == nil || a != nil && b != nil && a.Digest == b.Digest
}

func (d *difference) sameVersion(x, y FactsVersion) bool {
	return d.samePublication(x.Since, y.Since) && factsDiffer(&x.Facts, &y.Facts) == "" && slices.Equal(x.Programs, y.Programs)
}

func (d *difference) change(p *Party, l *Listing, list *ListState, what string) Change {
	c := Change{UID: p.UID, Party: p.Versions[len(p.Versions)-1].Name, Text: l.Text, Symbol: l.Symbol, Tag: l.Tag, Kind: l.Kind, What: what}
	if c.Kind == KindUnspecified {
		c.Kind = list.Kind
	}
	return c
}
