package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"walletscreen/loader/document"
	"walletscreen/loader/fetch"
	"walletscreen/loader/ofac"
	"walletscreen/screen"
	"walletscreen/screen/phrase"
)

// An archive is where a publisher keeps what each of its publications changed.
type archive struct {
	// history lists the publications of a year, and one is what a publication
	// changed, by its number.
	history, one string
	// since is the first year of the archive.
	since int
}

// ofacArchive is OFAC's: delta files from 2023 on.
var ofacArchive = &archive{
	history: "https://sanctionslistservice.ofac.treas.gov/changes/history/%d",
	one:     "https://sanctionslistservice.ofac.treas.gov/changes/%d",
	since:   2023,
}

// between reads what the publications from one day to another changed, both days
// included, the oldest first; the oldest of the archive for day 0.
func (a *archive) between(ctx context.Context, f *fetch.Fetcher, from, to screen.Date) ([]*ofac.Delta, error) {
	first := a.since
	if from != 0 {
		first = max(first, from.Time().Year())
	}
	var deltas []*ofac.Delta
	for year := first; year <= to.Time().Year(); year++ {
		var past []ofac.PastPublication
		err := readDocument(ctx, f, fmt.Sprintf(a.history, year), document.JSON, func(d *document.Document) (err error) {
			past, err = ofac.ParseHistory(d)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range past {
			if p.On < from || p.On > to {
				continue
			}
			delta, err := readDelta(ctx, f, fmt.Sprintf(a.one, p.ID))
			if err != nil {
				return nil, err
			}
			deltas = append(deltas, delta)
		}
	}
	sortDeltas(deltas)
	return deltas, nil
}

// sortDeltas puts what was published first first.
func sortDeltas(deltas []*ofac.Delta) {
	slices.SortStableFunc(deltas, func(a, b *ofac.Delta) int { return a.PublishedAt.Compare(b.PublishedAt) })
}

func readDelta(ctx context.Context, f *fetch.Fetcher, location string) (delta *ofac.Delta, err error) {
	err = readDocument(ctx, f, location, document.XML, func(d *document.Document) (err error) {
		delta, err = ofac.ParseDelta(d)
		return err
	})
	return delta, err
}

// readDocument fetches a document and has it read to its end.
func readDocument(ctx context.Context, f *fetch.Fetcher, location string, form document.Form, read func(*document.Document) error) error {
	file, err := f.Get(ctx, location, fetch.Validators{})
	if err != nil {
		return err
	}
	defer file.Close()
	d, err := document.Open(file.Name, file.Reader, form)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := read(d); err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}
	_, err = d.Digest()
	return err
}

// readDeltas reads the files that an operator names of what a list's publications
// changed; its publisher's archive if one of the sources names none.
func (r *run) readDeltas(ctx context.Context, id screen.ListID) ([]*ofac.Delta, error) {
	var all []*ofac.Delta
	for _, src := range r.Deltas {
		if src.List != id {
			continue
		}
		list, err := Lookup(id) // it has an archive: see Options.Validate
		if err != nil {
			return nil, err
		}
		if len(src.Documents) == 0 {
			past, err := list.archive.between(ctx, r.Fetch, 0, screen.DateOf(now()))
			if err != nil {
				return nil, err
			}
			all = append(all, past...)
		}
		for _, location := range src.Documents {
			delta, err := readDelta(ctx, r.Fetch, location)
			if err != nil {
				return nil, err
			}
			all = append(all, delta)
		}
	}
	sortDeltas(all)
	return all, nil
}

// patienceForDeltas bounds the wait for what only saves an operator a decision.
const patienceForDeltas = 3 * time.Minute

// removed returns the publisher's word, for people, that every row that a
// publication no longer has was removed; an error if that word is not to be had.
// before is the snapshot that the publication was merged into.
func (r *run) removed(ctx context.Context, before *screen.Snapshot, d *Document, changes *screen.Changes) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patienceForDeltas)
	defer cancel()
	var from screen.Date
	to := d.Publication.PublishedOn
	for _, p := range before.List(d.List.ID).Publications {
		if p.PublishedOn <= to {
			from = max(from, p.PublishedOn) // a publication may go into the history
		}
	}
	var deltas []*ofac.Delta
	var err error
	switch read := r.deltas[d.List.ID]; {
	case read != nil:
		deltas, err = read()
	case d.archive != nil:
		deltas, err = d.archive.between(ctx, r.Fetch, from, to)
	default:
		return "", errors.New("no delta file says what was removed")
	}
	if err != nil {
		return "", fmt.Errorf("what its publisher says was removed is not to be had: %w", err)
	}
	var days []string
	named := 0
	for _, change := range changes.Delisted {
		day := "" // on which it was removed, and not added again
		for _, delta := range deltas {
			if delta.On() < from || delta.On() > to {
				continue
			}
			if delta.Removed(change.UID, change.Text) {
				day = delta.On().String()
			} else if _, added := delta.AddedOn(change.UID, change.Text); added {
				day = ""
			}
		}
		if day == "" {
			continue
		}
		named++
		if !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	if missing := len(changes.Delisted) - named; missing > 0 {
		return "", fmt.Errorf("%d of them are not named by the publisher's delta files from %s to %s", missing, from, to)
	}
	return fmt.Sprintf("by the publisher, whose delta files of %v name all %s", days, phrase.Count(named, "row")), nil
}

// date gives the rows of a list the day on which its publisher says that they were
// added, where a delta file says so. A file that cannot be read dates nothing, and
// stops nothing: what is listed comes first.
func (r *run) date(id screen.ListID, s *screen.Snapshot) (*screen.Snapshot, *screen.Changes, error) {
	read := r.deltas[id]
	if read == nil {
		return s, nil, nil
	}
	deltas, err := read()
	if err != nil {
		return s, nil, err
	}
	var dates []screen.RowDate
	for i := range s.Listings() {
		l := &s.Listings()[i]
		if s.ListOf(l).ID != id {
			continue
		}
		uid := s.PartyOf(l).UID
		for _, delta := range deltas {
			if on, ok := delta.AddedOn(uid, l.Text); ok {
				dates = append(dates, screen.RowDate{UID: uid, Text: l.Text, Symbol: l.Symbol, Tag: l.Tag, AddedOn: on})
			}
		}
	}
	next, amended, err := s.DateRows(id, dates)
	if err != nil {
		return s, nil, err
	}
	return next, &screen.Changes{List: id, Amended: amended}, nil
}
