// Package loader imports publications: it fetches a publisher's document, parses
// it, guards against what looks like an accident, merges it into the newest
// snapshot and publishes the result.
//
// An import changes all that a publication changes, or nothing. A list that fails
// or is slow does not stop another.
package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"walletscreen/loader/fetch"
	"walletscreen/loader/ofac"
	"walletscreen/screen"
	"walletscreen/screen/phrase"
)

// A Store is where snapshots are published.
type Store interface {
	// Current returns the snapshot that is served, an empty one when none is, and
	// when its lists were last compared with their publishers.
	Current(ctx context.Context) (*screen.Snapshot, map[screen.ListID]screen.Verification, error)
	// Publish makes next current if previous still is, and returns it under its
	// sequence number; screen.ErrConflict if it is not.
	Publish(ctx context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error)
	// TakenBack returns the publications that next has and an operator took back by a
	// rollback to what previous has. Publish refuses them unless the operator
	// releases them, which Options.Release says.
	TakenBack(ctx context.Context, previous, next *screen.Snapshot) ([]screen.TakenBack, error)
	// Verify records when lists of s were last compared, and what is held of them.
	Verify(ctx context.Context, s *screen.Snapshot, verified map[screen.ListID]screen.Verification) error
	// Claim reserves a name among all loaders of this store for the given time, or
	// until release is called, and keeps it reserved meanwhile. ok is false if
	// another has it.
	Claim(ctx context.Context, name string) (release func(), ok bool, err error)
}

// Options of a run.
type Options struct {
	// Sources are what to import. Several of one list are imported in order of
	// their publications' dates, those of one date in the order given.
	Sources []Source
	// Every is the time from the end of one import of a list to the next, 0 when there
	// is but one. A publisher is not asked more often than that, nor than its list's
	// Poll.
	Every time.Duration
	// DryRun says what would change and changes nothing.
	DryRun bool
	// Release lets through what a guard would hold, or an operator took back, in the
	// first import.
	Release bool
	// Backfill puts publications that are older than the newest into the history of
	// their list, and those of its date unless they come from the publisher. What is
	// listed now does not change.
	Backfill bool
	// Reconcile are second documents of a list's publication, in another format. A
	// publication that does not have the same parties and addresses in both is held.
	Reconcile []Source
	// Deltas are a publisher's files of what its publications changed.
	Deltas []Source
	// Fetch fetches documents; nil means a usable one.
	Fetch *fetch.Fetcher
	// Timeout bounds the import of one list; 0 means 20 minutes.
	Timeout time.Duration
	// Waiting, if set, is told once in an import that it has waited for a second for
	// another loader of the store, which imports the list or died while it did. Lists
	// may tell it at the same time.
	Waiting func(screen.ListID)
	// Version is that of this program. A publication that another version read is
	// read whole once more, as this one may read more out of it. "" does not.
	Version string
}

// Outcome is how the import of one list ended.
type Outcome string

const (
	Published Outcome = "published" // a new snapshot holds it
	Unchanged Outcome = "unchanged" // the snapshot holds it already
	NotDue    Outcome = "not-due"   // it was compared with its publisher lately
	Held      Outcome = "held"      // a guard stopped it, or an operator took it back; an operator may release it
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
	// the one that was current. Nil if the store could not be asked.
	Snapshot *screen.Snapshot
	// Changes are what each publication changed, in the order they were merged.
	Changes []*screen.Changes
	// Source is where the newest publication was read.
	Source string
	// PassedOver is why publishers' locations before Source were not taken; nil if
	// the first was.
	PassedOver error
	// Held is what a guard stopped, or an operator took back; nil if nothing. Its Since
	// is zero in a dry run if the hold is not recorded.
	Held *screen.Held
	// Released says why what would have been held went through, "" if nothing
	// was to be released.
	Released string
	// Unexpected counts what the documents hold that this program has no rule for.
	Unexpected map[string]int
	// Size is how many bytes came, and Took how long it took.
	Size int64
	Took time.Duration
}

// maxConflicts is how often an import begins anew because another loader published
// meanwhile.
const maxConflicts = 20

// defaultTimeout bounds the import of one list: the slowest download seen of a
// publisher (12 KB/s for the 8 MB archive) with room.
const defaultTimeout = 20 * time.Minute

// run is one run.
type run struct {
	Options
	store Store
	// deltas read the delta files that an operator gave for a list, once.
	deltas map[screen.ListID]func() ([]*ofac.Delta, error)

	// publishing is held while a list is merged and published: lists of one process
	// would only be in each other's way.
	publishing *sync.Mutex
}

// Run imports every source, the lists side by side, and reports on each list in
// order of the sources. A list that fails does not stop the others. The error is
// for what concerns them all.
func Run(ctx context.Context, store Store, o Options) ([]Report, error) {
	order, sources, err := o.lists()
	if err != nil {
		return nil, err
	}
	r := newRun(ctx, store, o, new(sync.Mutex))
	reports := make([]Report, len(order))
	var group sync.WaitGroup
	for i, id := range order {
		group.Go(func() { reports[i] = r.list(ctx, id, sources[id]) })
	}
	group.Wait()
	return reports, nil
}

// Stay imports every source, and again Options.Every after each import has ended,
// until ctx ends. Each list goes its own way: one whose publisher is slow or silent
// delays no other. reported is called after each import, never by two goroutines at
// a time; not after one that failed because ctx ended. What an operator releases is
// the first import of each list; the next is judged anew. The error is for what
// concerns them all.
func Stay(ctx context.Context, store Store, o Options, reported func(*Report)) error {
	order, sources, err := o.lists()
	if err != nil {
		return err
	}
	var publishing, reporting sync.Mutex
	var group sync.WaitGroup
	for _, id := range order {
		group.Go(func() {
			o := o
			for {
				report := newRun(ctx, store, o, &publishing).list(ctx, id, sources[id])
				if ctx.Err() == nil || report.Outcome != Failed {
					reporting.Lock()
					reported(&report)
					reporting.Unlock()
				}
				o.Release = false
				select {
				case <-ctx.Done():
					return
				case <-time.After(o.Every):
				}
			}
		})
	}
	group.Wait()
	return nil
}

func newRun(ctx context.Context, store Store, o Options, publishing *sync.Mutex) *run {
	r := &run{Options: o, store: store, deltas: map[screen.ListID]func() ([]*ofac.Delta, error){}, publishing: publishing}
	for _, src := range o.Deltas {
		r.deltas[src.List] = sync.OnceValues(func() ([]*ofac.Delta, error) {
			ctx, cancel := context.WithTimeout(ctx, cmp.Or(r.Timeout, defaultTimeout))
			defer cancel()
			return r.readDeltas(ctx, src.List)
		})
	}
	return r
}

// Validate says what is asked for that cannot be, before anything is read. Run and
// Stay do so, too.
func (o *Options) Validate() error {
	order, sources := byList(o.Sources)
	if len(order) == 0 {
		return errors.New("nothing to load")
	}
	stdin := 0
	for _, all := range [][]Source{o.Sources, o.Reconcile, o.Deltas} {
		for _, src := range all {
			if sources[src.List] == nil {
				return fmt.Errorf("list %s is not among those to load", src.List)
			}
			for _, location := range src.Documents {
				if location == "-" {
					stdin++
				}
			}
		}
	}
	if stdin > 1 || stdin == 1 && o.Every > 0 {
		return errors.New("standard input can be read once only")
	}
	for _, src := range o.Deltas {
		if list, err := Lookup(src.List); err != nil || list.archive == nil {
			return cmp.Or(err, fmt.Errorf("list %s: nothing is known of files that say what its publications changed", src.List))
		}
	}
	return nil
}

// lists returns the lists in order of their sources, and the sources of each. It
// completes the options.
func (o *Options) lists() (order []screen.ListID, sources map[screen.ListID][]Source, err error) {
	if o.Fetch == nil {
		o.Fetch = new(fetch.Fetcher)
	}
	order, sources = byList(o.Sources)
	return order, sources, o.Validate()
}

// byList groups sources by list, and returns the lists in the order of the sources.
func byList(sources []Source) (order []screen.ListID, grouped map[screen.ListID][]Source) {
	grouped = map[screen.ListID][]Source{}
	for _, src := range sources {
		if grouped[src.List] == nil {
			order = append(order, src.List)
		}
		grouped[src.List] = append(grouped[src.List], src)
	}
	return order, grouped
}

// list imports one list.
func (r *run) list(ctx context.Context, id screen.ListID, sources []Source) Report {
	began := time.Now()
	timeout := cmp.Or(r.Timeout, defaultTimeout)
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	report := Report{List: id}
	err := r.load(bounded, &report, sources)
	if errors.Is(err, context.DeadlineExceeded) && bounded.Err() != nil && ctx.Err() == nil {
		// What was being done just then says little.
		err = fmt.Errorf("list %s: not done after %s: %w", id, timeout, err)
	}
	report.Err, report.Took = err, time.Since(began)
	var held *heldError
	switch {
	case errors.As(err, &held):
		report.Outcome, report.Held, report.Released = Held, &held.held, ""
	case err != nil && report.Outcome != Published:
		report.Outcome = Failed
	}
	return report
}

func (r *run) load(ctx context.Context, report *Report, sources []Source) (err error) {
	// A defect in the reading of one list must not end the others, nor a server.
	defer func() {
		if p := recover(); p != nil {
			// What a panic says may quote the document.
			err = fmt.Errorf("list %s: a defect of this program, %T: %s", report.List, p, debug.Stack())
		}
	}()
	list, err := Lookup(report.List)
	if err != nil {
		return err
	}
	var before time.Time
	if !r.DryRun {
		var release func()
		if release, before, err = r.claim(ctx, report.List); err != nil {
			return err
		}
		defer release()
	}
	current, verified, err := r.store.Current(ctx)
	if err != nil {
		return fmt.Errorf("reading the current snapshot: %w", err)
	}
	report.Snapshot = current
	known := verified[list.ID]
	if r.compared(&list, sources, known, before) {
		report.Outcome = NotDue
		return nil
	}
	documents, err := r.read(ctx, &list, sources, current, known)
	for _, d := range documents {
		report.PassedOver = errors.Join(report.PassedOver, d.passedOver)
	}
	if errors.Is(err, errNotModified) {
		return r.notModified(ctx, report, current, known)
	}
	if err != nil {
		return err
	}
	for _, d := range documents {
		report.Source = d.source
		report.Size += d.size
		for what, n := range d.Publication.Unexpected {
			if report.Unexpected == nil {
				report.Unexpected = map[string]int{}
			}
			report.Unexpected[what] += n
		}
	}
	// What has to be asked of the publisher is asked now: from here on the other
	// lists wait.
	if read := r.deltas[list.ID]; read != nil {
		_, _ = read() // whether that went well shows when it is needed
	}
	if _, _, err := r.mergeAll(ctx, report, current, documents); err != nil && !isHeld(err) {
		return err
	}
	r.publishing.Lock()
	defer r.publishing.Unlock()
	for range maxConflicts {
		if err = r.publish(ctx, report, current, documents); !errors.Is(err, screen.ErrConflict) {
			break
		}
	}
	return err
}

// claim waits until no other loader of this store imports the list. If it had to
// wait, before is when the list had been compared with its publisher until then.
func (r *run) claim(ctx context.Context, id screen.ListID) (release func(), before time.Time, err error) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for waits := 0; ; waits++ {
		release, ok, err := r.store.Claim(ctx, string(id))
		if ok {
			return release, before, nil
		}
		if err != nil {
			return nil, before, fmt.Errorf("asking whether another loader imports list %s: %w", id, err)
		}
		if waits == 0 {
			_, verified, err := r.store.Current(ctx)
			if err != nil {
				return nil, before, fmt.Errorf("reading the current snapshot: %w", err)
			}
			// The list may never have been compared, and that is a time, too.
			if before = verified[id].At; before.IsZero() {
				before = time.Unix(0, 0)
			}
		}
		if waits == 4 && r.Waiting != nil {
			r.Waiting(id)
		}
		select {
		case <-ctx.Done():
			return nil, before, fmt.Errorf("list %s: another loader imports it: %w", id, ctx.Err())
		case <-tick.C:
		}
	}
}

// compared reports whether the publisher need not be asked: another loader did so
// while this one waited for it, since before, or it is not time yet.
func (r *run) compared(list *Registered, sources []Source, known screen.Verification, before time.Time) bool {
	own := slices.ContainsFunc(sources, func(s Source) bool { return len(s.Documents) > 0 })
	if own || r.DryRun || r.whole(list.ID) || known.Held != nil {
		return false
	}
	// It was never compared, or with a file, or by a clock that was ahead.
	if len(known.Fetched) == 0 || known.At.After(now()) {
		return false
	}
	if !before.IsZero() && known.At.After(before) {
		return true
	}
	// Runs are never quite as far apart as they are meant to be.
	return r.Every > 0 && time.Since(known.At) < max(r.Every, list.Poll)*9/10
}

// whole reports whether something is to be done with the list even if its publisher
// has nothing new. A loader that stays dates rows when there is.
func (r *run) whole(id screen.ListID) bool {
	return r.Release || r.Backfill || r.Every == 0 && r.deltas[id] != nil
}

// notModified records that the publisher has nothing newer.
func (r *run) notModified(ctx context.Context, report *Report, current *screen.Snapshot, known screen.Verification) error {
	report.Outcome, report.Source = Unchanged, known.Source
	known.At, known.Held = now(), nil
	if r.DryRun {
		return nil
	}
	err := r.store.Verify(ctx, current, map[screen.ListID]screen.Verification{report.List: known})
	if errors.Is(err, screen.ErrConflict) {
		// Another list was published meanwhile; is this one still what it was?
		var next *screen.Snapshot
		if next, _, err = r.store.Current(ctx); err == nil {
			if !sameNewest(current, next, report.List) {
				return errOvertaken
			}
			return r.notModified(ctx, report, next, known)
		}
	}
	if err != nil {
		return fmt.Errorf("recording that nothing changed: %w", err)
	}
	report.Snapshot = current
	return nil
}

// errOvertaken says that it is not known any more which publication is newer.
var errOvertaken = errors.New("another loader published the list meanwhile")

// sameNewest reports whether two snapshots have the same publication of a list as
// its newest, or both none.
func sameNewest(a, b *screen.Snapshot, id screen.ListID) bool {
	var newest [2]screen.Digest
	for i, s := range []*screen.Snapshot{a, b} {
		if list := s.List(id); list != nil {
			newest[i] = list.Current().Digest
		}
	}
	return newest[0] == newest[1]
}

// read reads the publications of one list, oldest first. Beside errNotModified is a
// document that says where nothing is newer.
func (r *run) read(ctx context.Context, list *Registered, sources []Source, current *screen.Snapshot, known screen.Verification) ([]*Document, error) {
	served := known.Source
	// Two versions on one store must not take turns.
	newer := ""
	if olderVersion(r.Version, known.ReadBy) {
		newer = known.ReadBy
	}
	if was := current.List(list.ID); len(sources) > 1 || r.whole(list.ID) || was == nil || r.Version != known.ReadBy && newer == "" ||
		len(known.Fetched) != 1 || known.Fetched[0].Digest != was.Current().Digest {
		known = screen.Verification{} // read it whole
	}
	var all []*Document
	for _, src := range sources {
		var accept func(*Document) (bool, error)
		if len(src.Documents) == 0 {
			// Of the publisher's locations one may be behind another.
			accept = func(d *Document) (bool, error) {
				d.newer = newer
				_, changes, err := d.mergeInto(current)
				return err == nil && !changes.Unchanged, err
			}
		}
		d, err := list.read(ctx, src, r.Fetch, known, accept)
		if errors.Is(err, errNotModified) {
			return []*Document{d}, err
		}
		if err != nil {
			return nil, err
		}
		if r.Backfill && !d.dated {
			return nil, fmt.Errorf("list %s: %s: it does not say its date, and the history needs one: LIST@DATE=LOCATION", list.ID, d.source)
		}
		d.newer, d.readBy = newer, r.Version
		d.given = len(src.Documents) > 0
		d.elsewhere = d.passedOver != nil && d.source != served
		all = append(all, d)
	}
	slices.SortStableFunc(all, func(a, b *Document) int {
		return cmp.Compare(a.Publication.PublishedOn, b.Publication.PublishedOn)
	})
	return all, nil
}

// mergeAll merges publications into a snapshot, if no guard stops one, and returns
// the result with what the documents prove of it. With the error of a guard it returns
// the result up to what the guard stopped.
func (r *run) mergeAll(ctx context.Context, report *Report, s *screen.Snapshot, documents []*Document) (*screen.Snapshot, map[screen.ListID]screen.Verification, error) {
	report.Changes = nil
	verified := map[screen.ListID]screen.Verification{}
	began := s
	for _, d := range documents {
		merged, changes, err := r.merge(began, s, d)
		if err != nil {
			return nil, nil, err
		}
		report.Changes = append(report.Changes, changes)
		if err := r.guard(ctx, report, s, d, changes); err != nil {
			return merged, nil, err
		}
		if newest := merged.List(d.List.ID).Current(); newest.Digest == d.Publication.Digest {
			v := d.verification()
			if changes.Unchanged {
				v.ReadBy = cmp.Or(d.newer, v.ReadBy)
			}
			verified[d.List.ID] = v
		}
		s = merged
	}
	return s, verified, nil
}

// publish merges publications into the current snapshot and publishes the
// result, once. before was current when they were asked for.
func (r *run) publish(ctx context.Context, report *Report, before *screen.Snapshot, documents []*Document) error {
	current, known, err := r.store.Current(ctx)
	if err != nil {
		return fmt.Errorf("reading the current snapshot: %w", err)
	}
	report.Snapshot = current
	if !sameNewest(before, current, report.List) {
		return errOvertaken
	}
	next, verified, err := r.mergeAll(ctx, report, current, documents)
	if err == nil || isHeld(err) {
		err = r.takenBack(ctx, report, current, next, documents, err)
	}
	if err != nil {
		return r.hold(ctx, current, known[report.List], err)
	}
	next, dated, undated := r.date(report.List, next)
	if dated != nil {
		report.Changes = append(report.Changes, dated)
	}
	unchanged := next.Equal(current)
	for _, d := range documents {
		if unchanged || d.again(current) {
			d.compared(known[d.List.ID], verified)
		}
	}
	switch {
	case unchanged:
		report.Outcome = Unchanged
		if r.DryRun {
			return nil
		}
		if err := r.store.Verify(ctx, current, verified); err != nil {
			return fmt.Errorf("recording that nothing changed: %w", err)
		}
	case r.DryRun:
		report.Outcome = Differs
	default:
		published, err := r.store.Publish(ctx, current, next, verified)
		if published != nil {
			report.Snapshot, report.Outcome = published, Published
		}
		if err != nil {
			return fmt.Errorf("publishing: %w", err)
		}
	}
	if undated != nil {
		return fmt.Errorf("dating rows by delta files: %w", undated)
	}
	return nil
}

// takenBack stops publications that an operator took back, unless that is released.
// stopped is the error of the guard that stopped one already, nil if none did: of that
// one both reasons are told.
func (r *run) takenBack(ctx context.Context, report *Report, current, next *screen.Snapshot, documents []*Document, stopped error) error {
	all, err := r.store.TakenBack(ctx, current, next)
	if err != nil {
		return errors.Join(stopped, fmt.Errorf("asking what was taken back: %w", err))
	}
	var guarded *heldError
	errors.As(stopped, &guarded)
	for _, back := range all {
		n := slices.IndexFunc(documents, func(d *Document) bool { return d.Publication.Digest == back.Publication.Digest })
		if n < 0 {
			continue // none that this import brings
		}
		why := fmt.Sprintf("an operator rolled snapshot %d back, by snapshot %d", back.Snapshot, back.Snapshot+1)
		if r.Release {
			report.Released = strings.TrimPrefix(report.Released+"; by the operator: "+why, "; ")
			continue
		}
		switch {
		case guarded == nil:
			held := documents[n].hold(report.Changes[n], []breach{{why: why}})
			held.held.RolledBack, held.back = back.Snapshot, why
			return held
		case guarded.held.Digest == back.Publication.Digest:
			held := *guarded // the judgement serves the next try, too
			held.held.RolledBack, held.held.Why, held.back = back.Snapshot, why+"; "+guarded.held.Why, why
			return &held
		}
	}
	return stopped
}

// merge merges a publication into a snapshot; one that is older than the newest
// before the run goes into the history if that is asked for. Of two of one date
// that which an operator gives is the older one, for what is listed now stays.
func (r *run) merge(before, s *screen.Snapshot, d *Document) (*screen.Snapshot, *screen.Changes, error) {
	if list := before.List(d.List.ID); r.Backfill && list != nil {
		newest := list.Current().PublishedOn
		if d.Publication.PublishedOn < newest || d.given && d.Publication.PublishedOn == newest {
			return s.Backfill(d.List, d.Publication)
		}
	}
	merged, changes, err := d.mergeInto(s)
	if errors.Is(err, screen.ErrSuperseded) && !r.Backfill {
		err = fmt.Errorf("%s: %w (--backfill puts it into the history)", d.source, err)
	}
	return merged, changes, err
}

// mergeInto merges a publication into a snapshot. What a newer version of this
// program read of the very document stays.
func (d *Document) mergeInto(s *screen.Snapshot) (*screen.Snapshot, *screen.Changes, error) {
	if d.newer != "" && d.again(s) {
		return s, &screen.Changes{List: d.List.ID, Unchanged: true}, nil
	}
	return s.Merge(d.List, d.Publication)
}

// again reports whether the publication is the newest of its list in s already.
func (d *Document) again(s *screen.Snapshot) bool {
	list := s.List(d.List.ID)
	return list != nil && list.Current().Digest == d.Publication.Digest
}

// guard stops a publication that breaches the limits of its list, unless that is
// released: by the operator, or by the publisher's own word that what is missing
// was removed. It judges a publication once: what the list held before is the same
// at each try to publish.
func (r *run) guard(ctx context.Context, report *Report, before *screen.Snapshot, d *Document, changes *screen.Changes) error {
	if changes.Unchanged {
		return nil
	}
	if d.judged == nil {
		d.judged = r.judge(ctx, before, d, changes)
	}
	report.Released = cmp.Or(d.judged.released, report.Released)
	if d.judged.held != nil {
		return d.judged.held
	}
	return nil
}

// A judgement is what the guard makes of a publication.
type judgement struct {
	held     *heldError // nil if it may pass
	released string     // why it may, "" if there was nothing to release
}

func (r *run) judge(ctx context.Context, before *screen.Snapshot, d *Document, changes *screen.Changes) *judgement {
	breaches := d.breaches(before, changes)
	for _, second := range r.Reconcile {
		if second.List == d.List.ID {
			if why := r.reconcile(ctx, d, second); why != "" {
				breaches = append(breaches, breach{why: why})
			}
		}
	}
	if len(breaches) == 0 {
		return &judgement{}
	}
	held := d.hold(changes, breaches)
	if r.Release {
		return &judgement{released: "by the operator: " + held.held.Why}
	}
	// Not every publisher tells what it removed.
	list, err := Lookup(d.List.ID)
	if err == nil && list.archive != nil && !slices.ContainsFunc(breaches, func(b breach) bool { return !b.removal }) {
		word, err := r.removed(ctx, before, d, changes)
		if err == nil {
			return &judgement{released: word + ": " + held.held.Why}
		}
		held.held.Why += "; " + err.Error()
	}
	return &judgement{held: held}
}

// hold records that a publication is held. What the list was compared with does
// not change, so it goes stale if nobody decides.
func (r *run) hold(ctx context.Context, current *screen.Snapshot, known screen.Verification, err error) error {
	var held *heldError
	if !errors.As(err, &held) {
		return err
	}
	switch was := known.Held; {
	case was != nil && was.Digest == held.held.Digest:
		held.held.Since = was.Since
		if was.RolledBack != 0 && held.held.RolledBack == was.RolledBack {
			// What is recorded begins with what it was rolled back to.
			back, _, _ := strings.Cut(was.Why, "; ")
			held.held.Why = back + strings.TrimPrefix(held.held.Why, held.back)
		}
	case r.DryRun:
		held.held.Since = time.Time{} // it is not held yet
	}
	if r.DryRun {
		return err
	}
	known.Held = &held.held
	if recordErr := r.store.Verify(ctx, current, map[screen.ListID]screen.Verification{held.list: known}); recordErr != nil {
		return fmt.Errorf("%w (and it could not be recorded for the servers: %w)", err, recordErr)
	}
	return err
}

// reconcile reads a second document of the same publication and says in what it
// differs, "" if in nothing.
func (r *run) reconcile(ctx context.Context, d *Document, second Source) string {
	other, err := Read(ctx, second, r.Fetch)
	if err != nil {
		return fmt.Sprintf("it cannot be reconciled: %v", err)
	}
	if a, b := d.Publication.PublishedOn, other.Publication.PublishedOn; a != b {
		return fmt.Sprintf("it cannot be reconciled: it is of %s, %s of %s", a, other.source, b)
	}
	if other.Publication.Digest == d.Publication.Digest {
		return fmt.Sprintf("it cannot be reconciled with %s: it is the same document", other.source)
	}
	mine, theirs := rows(d.Publication), rows(other.Publication)
	var only []string
	add := func(from string, a, b map[row]bool) {
		n, example := 0, ""
		for _, k := range sortedRows(a) {
			if !b[k] {
				if n++; n == 1 {
					example = k.uid
				}
			}
		}
		if n > 0 {
			only = append(only, fmt.Sprintf("%s %s in %s alone, the first of party %s", phrase.Count(n, "row"), phrase.Are(n), from, example))
		}
	}
	add(d.source, mine, theirs)
	add(other.source, theirs, mine)
	return strings.Join(only, ", ")
}

// A row is an address of a party, whatever its symbol: formats differ in those.
type row struct{ uid, text string }

func rows(pub *screen.Publication) map[row]bool {
	set := map[row]bool{}
	for i := range pub.Parties {
		for j := range pub.Parties[i].Addresses {
			set[row{pub.Parties[i].UID, pub.Parties[i].Addresses[j].Text}] = true
		}
	}
	return set
}

func sortedRows(set map[row]bool) []row {
	all := make([]row, 0, len(set))
	for k := range set {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b row) int { return cmp.Or(cmp.Compare(a.uid, b.uid), cmp.Compare(a.text, b.text)) })
	return all
}

// compared takes back that an unchanged file was compared with its publisher
// now: who reads the same file again and again learns nothing of the publisher.
// A file that was written since counts from then on.
func (d *Document) compared(known screen.Verification, verified map[screen.ListID]screen.Verification) {
	v, ok := verified[d.List.ID]
	switch {
	case !ok || d.written.IsZero():
	case d.written.After(known.At) && !d.written.After(d.read):
		v.At = d.written
		verified[d.List.ID] = v
	case known.Held != nil || known.ReadBy != v.ReadBy:
		// It is the publication that is served: nothing is held any more.
		known.Held, known.ReadBy = nil, v.ReadBy
		verified[d.List.ID] = known
	default:
		delete(verified, d.List.ID)
	}
}
