package screen

import (
	"errors"
	"fmt"
	"slices"
)

// A RowDate is one row of a list with a day on which the publisher's own record
// of changes (OFAC's delta files) says that it was added.
type RowDate struct {
	UID               string // of the party
	Text, Symbol, Tag string // as published
	AddedOn           Date
}

// DateRows returns the snapshot in which the rows of a list count from the days
// on which their publisher says that they were added. Publications alone cannot
// tell: a row in the first one that was loaded may have been listed long before,
// and a row that is new may have been so in one that was missed.
//
// A listing takes the last day that is not later than the publication it begins
// with, unless the publication before that one, which does not print the row, is
// later still. It keeps the day that it has if that is later than all of them:
// several calls come to the same as one with the dates of all. Rows whose start
// the list itself prints keep that, and dates of other rows are passed over.
//
// The changes, in canonical order, are the listings that took a day; without any,
// the snapshot is s itself. Merge leaves the days as they are. Backfill takes
// away those that the publication it adds disproves; the dates may be given again
// then, since an earlier one may be true of what is left. A list that s does not
// hold is an error, and so is a RowDate without a date of the calendar. s is not
// changed.
func (s *Snapshot) DateRows(id ListID, dates []RowDate) (*Snapshot, []Change, error) {
	li, known := s.listIndex(id)
	if !known {
		return nil, nil, fmt.Errorf("dating rows of %s: the snapshot does not hold the list", id)
	}
	added := make(map[RowDate][]Date, len(dates)) // by the row, AddedOn left out
	for _, d := range dates {
		err := checkDate(d.AddedOn)
		if d.AddedOn == 0 {
			err = errors.New("no date")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("dating rows of %s: party %q: %w", id, d.UID, err)
		}
		row := d
		row.AddedOn = 0
		added[row] = append(added[row], d.AddedOn)
	}
	state := &s.lists[li]
	next := &Snapshot{lists: s.lists, parties: s.parties, listings: slices.Clone(s.listings)}
	m := merge{next: next, list: li}
	var changes []Change
	for i := range next.listings {
		l := &next.listings[i]
		p := &next.parties[l.Party]
		if p.List != li {
			continue
		}
		last := l.AddedOn
		for _, on := range added[RowDate{UID: p.UID, Text: l.Text, Symbol: l.Symbol, Tag: l.Tag}] {
			if on <= state.At(l.Listed).PublishedOn {
				last = max(last, on)
			}
		}
		if last == l.AddedOn || !state.canHaveAdded(l, last) {
			continue
		}
		changes = append(changes, m.change(l.Party, &l.PublishedAddress, fmt.Sprintf("added on %q, was %q", last, l.AddedOn)))
		l.AddedOn = last
	}
	if changes == nil {
		return s, nil, nil
	}
	slices.SortStableFunc(changes, compareChanges)
	next.seal()
	return next, changes, nil
}

// canHaveAdded reports whether a listing can have been added on the given day: by
// the publication that it begins with, and not before the one that still did not
// print it. They may be of one date.
func (l *ListState) canHaveAdded(row *Listing, on Date) bool {
	if row.ListedOn != 0 || on > l.At(row.Listed).PublishedOn {
		return false
	}
	before := l.At(row.Listed - 1)
	return before == nil || before.PublishedOn <= on
}

// ListedBefore reports whether the listing may have begun before the day from
// which it counts: it stands in the first publication of its list, and neither
// the list nor its publisher's record of changes says since when.
func (l *Listing) ListedBefore() bool { return l.Listed == 1 && l.ListedOn == 0 && l.AddedOn == 0 }

// keepDates takes over from s, which has the same publications, the days on which
// rows were added that came with the n-th publication of the list.
func (m *merge) keepDates(s *Snapshot, n Ordinal) {
	for i := range s.listings {
		from := &s.listings[i]
		p := &s.parties[from.Party]
		if from.AddedOn == 0 || from.Listed != n || p.List != m.list {
			continue
		}
		// A party that has no rows any more has none under any number.
		party, ok := m.parties[p.UID]
		if at, listed := m.current[keyOf(party, &from.PublishedAddress)]; ok && listed && m.next.listings[at].Listed == n {
			m.next.listings[at].AddedOn = from.AddedOn
		}
	}
}

// takeDates takes over from the listings of a list in s the days on which they
// were added, as far as they can be true in next, where every publication from
// the n-th on is one later than in s.
func (m *merge) takeDates(s *Snapshot, n Ordinal) {
	var intervals map[rowKey][]int
	for i := range s.listings {
		from := &s.listings[i]
		if from.AddedOn == 0 || s.parties[from.Party].List != m.list {
			continue
		}
		if intervals == nil {
			intervals = map[rowKey][]int{}
			for j := range m.next.listings {
				l := &m.next.listings[j]
				key := keyOf(l.Party, &l.PublishedAddress)
				intervals[key] = append(intervals[key], j)
			}
		}
		listed := from.Listed
		if listed >= n {
			listed++
		}
		party := m.parties[s.parties[from.Party].UID]
		for _, j := range intervals[keyOf(party, &from.PublishedAddress)] {
			l := &m.next.listings[j]
			if l.Listed <= listed && (l.Delisted == 0 || listed < l.Delisted) && m.next.lists[m.list].canHaveAdded(l, from.AddedOn) {
				l.AddedOn = from.AddedOn
			}
		}
	}
}
