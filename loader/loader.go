// Package loader imports publications: it reads a publisher's document, parses
// it, guards against what looks like an accident, merges it into the newest
// snapshot and publishes the result.
//
// An import changes all that a publication changes, or nothing.
package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"walletscreen/screen"
)

// A Store is where snapshots are published.
type Store interface {
	// Current returns the snapshot that is served, an empty one when none is, and
	// what is known of its lists.
	Current(ctx context.Context) (*screen.Snapshot, map[screen.ListID]screen.Verification, error)
	// Publish makes next current if previous still is, and returns it under its
	// sequence number; screen.ErrConflict if it is not.
	Publish(ctx context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error)
	// Verify records that lists of s had not changed.
	Verify(ctx context.Context, s *screen.Snapshot, verified map[screen.ListID]screen.Verification) error
}

// Options of a run.
type Options struct {
	// Sources are what to import. Several of one list are imported in order of
	// their publications' dates, those of one date in the order given.
	Sources []Source
	// DryRun says what would change and changes nothing.
	DryRun bool
	// Release lets through what a guard would hold.
	Release bool
	// UserAgent is sent to publishers.
	UserAgent string
}

// Outcome is how the import of one list ended.
type Outcome string

const (
	Published Outcome = "published" // a new snapshot holds it
	Unchanged Outcome = "unchanged" // the snapshot holds it already
	Held      Outcome = "held"      // a guard stopped it; an operator may release it
	Failed    Outcome = "failed"    // it could not be read, or not be published
	Differs   Outcome = "differs"   // a dry run found something to publish
)

// A Report tells how the import of one list went.
type Report struct {
	List    screen.ListID
	Outcome Outcome
	// Err is why the list was Held or Failed. Beside Published it is what went
	// wrong afterwards, when old snapshots were retired.
	Err error
	// Snapshot is the snapshot that holds the list after the run: the new one, or
	// the one that was current.
	Snapshot *screen.Snapshot
	// Changes are what each publication changed, in the order they were merged.
	Changes []*screen.Changes
}

// maxConflicts is how often a run begins anew because another loader published
// meanwhile.
const maxConflicts = 10

// Run imports every source, list by list, and reports on each list in order of
// the sources. A list that fails does not stop the others. The error is for what
// concerns them all.
func Run(ctx context.Context, store Store, o Options) ([]Report, error) {
	var order []screen.ListID
	sources := map[screen.ListID][]Source{}
	for _, src := range o.Sources {
		if sources[src.List] == nil {
			order = append(order, src.List)
		}
		sources[src.List] = append(sources[src.List], src)
	}
	if len(order) == 0 {
		return nil, errors.New("nothing to load")
	}
	var reports []Report
	for _, id := range order {
		reports = append(reports, importList(ctx, store, id, sources[id], o))
	}
	return reports, nil
}

func importList(ctx context.Context, store Store, id screen.ListID, sources []Source, o Options) Report {
	report := Report{List: id}
	documents, err := readAll(ctx, sources, o.UserAgent)
	if err == nil {
		for range maxConflicts {
			if err = report.publish(ctx, store, documents, o); !errors.Is(err, screen.ErrConflict) {
				break
			}
		}
	}
	report.Err = err
	var held *heldError
	switch {
	case errors.As(err, &held):
		report.Outcome = Held
	case err != nil && report.Outcome != Published:
		report.Outcome = Failed
	}
	return report
}

// readAll reads the publications of one list, oldest first.
func readAll(ctx context.Context, sources []Source, userAgent string) ([]*Document, error) {
	var all []*Document
	for _, src := range sources {
		doc, err := Read(ctx, src, userAgent)
		if err != nil {
			return nil, err
		}
		all = append(all, doc)
	}
	slices.SortStableFunc(all, func(a, b *Document) int {
		return cmp.Compare(a.Publication.PublishedOn, b.Publication.PublishedOn)
	})
	return all, nil
}

// publish merges publications into the current snapshot and publishes the
// result, once.
func (r *Report) publish(ctx context.Context, store Store, documents []*Document, o Options) error {
	current, _, err := store.Current(ctx)
	if err != nil {
		return fmt.Errorf("reading the current snapshot: %w", err)
	}
	r.Snapshot, r.Changes = current, nil
	next := current
	verified := map[screen.ListID]screen.Verification{}
	for _, doc := range documents {
		merged, changes, err := next.Merge(doc.List, doc.Publication)
		if err != nil {
			return err
		}
		r.Changes = append(r.Changes, changes)
		if err := guard(doc, changes); err != nil && !o.Release {
			return err
		}
		next = merged
		verified[doc.List.ID] = doc.Verified
	}
	switch {
	case next == current:
		r.Outcome = Unchanged
		if o.DryRun {
			return nil
		}
		for _, doc := range documents {
			doc.compared(current, verified)
		}
		if err := store.Verify(ctx, current, verified); err != nil {
			r.Outcome = Failed
			return fmt.Errorf("recording that nothing changed: %w", err)
		}
	case o.DryRun:
		r.Outcome = Differs
	default:
		published, err := store.Publish(ctx, current, next, verified)
		if published != nil {
			r.Snapshot, r.Outcome = published, Published
		}
		if err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	return nil
}

// compared takes back that an unchanged file was compared with its publisher
// now: who reads the same file again and again learns nothing of the publisher.
// A file that was written since the snapshot was published counts from then on.
func (d *Document) compared(current *screen.Snapshot, verified map[screen.ListID]screen.Verification) {
	switch {
	case d.written.IsZero():
	case d.written.After(current.CreatedAt):
		v := d.Verified
		if d.written.Before(v.At) {
			v.At = d.written
		}
		verified[d.List.ID] = v
	default:
		delete(verified, d.List.ID)
	}
}

// heldError says that a guard stopped a publication.
type heldError struct{ why string }

func (e *heldError) Error() string { return e.why }

// guard stops a publication that lost more of its list than ever happened in
// earnest, and one of a date to come: every later one would count as older.
func guard(doc *Document, c *screen.Changes) error {
	if c.Unchanged {
		return nil
	}
	// East of Greenwich it may be tomorrow already.
	if on := doc.Publication.PublishedOn; on > screen.DateOf(doc.Verified.At.AddDate(0, 0, 1)) {
		return &heldError{fmt.Sprintf("list %s: the publication is of %s, in the future, and until then no other would be taken: release it if that is true",
			doc.List.ID, on)}
	}
	if gone := len(c.Delisted); c.Rows > 0 && float64(gone) > doc.shrink*float64(c.Rows) {
		return &heldError{fmt.Sprintf("list %s: %d of %d rows are gone, more than %.0f %%: release it if that is true",
			doc.List.ID, gone, c.Rows, 100*doc.shrink)}
	}
	return nil
}
