package screen

import (
	"iter"
	"slices"
)

// A RowChange is a row that is current in one of two snapshots or in both, and of
// which they say different things. Both listings are the newest interval of the
// row. One that is current has no Delisted.
type RowChange struct {
	// Before is the listing in the first snapshot, nil if it is not current there.
	Before *Listing
	// After is the listing in the second. If it is not current there it is the one
	// that ended, nil if that snapshot does not know the row at all.
	After *Listing
}

// Rows yields what differs in the current rows of s and next, in canonical order.
// Whoever takes every Before out of the current rows of s and puts every After in
// that is current has those of next. A row differs if anything differs that can be
// said of it: its own fields, its interval, the publications that began and ended
// it, its party, its list.
//
// Like Diff it compares contents: next may be older than s, or hold fewer lists.
// Unlike Diff it does not tell of rows that have ended in both.
func (s *Snapshot) Rows(next *Snapshot) iter.Seq[RowChange] {
	return func(yield func(RowChange) bool) {
		old, new := s.walk(), next.walk()
		for old.list < len(s.lists) || new.list < len(next.lists) {
			before, after := pair(old.list, s.lists, new.list, next.lists, func(a, b *ListState) bool { return a.ID < b.ID })
			if !rowsOfList(old, new, before, after, yield) {
				return
			}
			if before != nil {
				old.list++
			}
			if after != nil {
				new.list++
			}
		}
	}
}

// pair returns the lower of two items that come next, both if neither is.
func pair[T any](i int, x []T, j int, y []T, less func(a, b *T) bool) (a, b *T) {
	if i < len(x) {
		a = &x[i]
	}
	if j < len(y) {
		b = &y[j]
	}
	switch {
	case a == nil || b == nil:
	case less(a, b):
		b = nil
	case less(b, a):
		a = nil
	}
	return a, b
}

// rowsOfList compares a list that stands in both snapshots, or in one, the other nil.
func rowsOfList(old, new *walk, before, after *ListState, yield func(RowChange) bool) bool {
	for {
		var was, is *Party
		if before != nil {
			was = old.at()
		}
		if after != nil {
			is = new.at()
		}
		switch {
		case was == nil && is == nil:
			return true
		case was == nil || is == nil:
		case was.UID < is.UID:
			is = nil
		case is.UID < was.UID:
			was = nil
		}
		if !rowsOfParty(old, new, before, after, was, is, yield) {
			return false
		}
	}
}

func rowsOfParty(old, new *walk, before, after *ListState, was, is *Party, yield func(RowChange) bool) bool {
	var x, y []Listing
	if was != nil {
		x = old.rows()
	}
	if is != nil {
		y = new.rows()
	}
	// What holds for all rows of the party is compared once.
	same := was != nil && is != nil && before.List == after.List && sameFacts(&was.Versions[len(was.Versions)-1].Facts, &is.Versions[len(is.Versions)-1].Facts)
	for len(x) > 0 || len(y) > 0 {
		a, b := pair(0, x, 0, y, func(a, b *Listing) bool { return compareRows(a, b) < 0 })
		var rowBefore, rowAfter []Listing
		if a != nil {
			rowBefore, x = firstRow(x)
		}
		if b != nil {
			rowAfter, y = firstRow(y)
		}
		wasCurrent, isCurrent := current(rowBefore), current(rowAfter)
		if !wasCurrent && !isCurrent {
			continue
		}
		var c RowChange
		if wasCurrent {
			c.Before = &rowBefore[len(rowBefore)-1]
		}
		if len(rowAfter) > 0 {
			c.After = &rowAfter[len(rowAfter)-1]
		}
		if wasCurrent && isCurrent && same && old.s.sameListing(c.Before, new.s, c.After) {
			continue
		}
		if !yield(c) {
			return false
		}
	}
	return true
}

// sameListing reports whether two current listings of one row are the same but for
// their party and list.
func (s *Snapshot) sameListing(l *Listing, other *Snapshot, m *Listing) bool {
	if l.DelistedOn != m.DelistedOn || l.Comment != m.Comment || l.Reliability != m.Reliability || l.AddedOn != m.AddedOn ||
		l.ListedBefore() != m.ListedBefore() || !slices.Equal(l.SourceIDs, m.SourceIDs) {
		return false
	}
	a, b := s.ListOf(l).At(l.Listed), other.ListOf(m).At(m.Listed)
	if a.Digest != b.Digest || a.PublishedOn != b.PublishedOn {
		return false
	}
	// Another row, of another kind, may have ended where this one began.
	fromA, untilA := s.Interval(l)
	fromB, untilB := other.Interval(m)
	return fromA == fromB && untilA == untilB
}

func sameFacts(a, b *Facts) bool {
	return factsDiffer(a, b) == "" && slices.Equal(a.Programs, b.Programs)
}
