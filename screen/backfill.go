package screen

import (
	"errors"
	"fmt"
	"slices"
)

// Backfill returns the snapshot that holds, besides what s holds, one more
// publication of a list that arrived late: the complete state of that list on a
// date in its history. It takes its place by that date, before every publication
// of a later one and after those of the same; but the newest stays the newest.
// The ordinals of those behind it move up by one. A row that it prints and those
// around it do not has one more interval; one that they print and it does not was
// gone in between and has two.
//
// The result is what Merge of all publications in the order of their dates gives,
// as far as s still says what each of them printed. It does not say
//
//   - how the remarks on a row (Comment, Reliability, SourceIDs, DelistedOn) read
//     in each publication: every publication counts as printing the last ones of
//     the interval it lies in;
//   - what a publication said of a party in other letter case or order than the
//     one before, or left out and so kept from it: it counts as having said just
//     what was known.
//
// Which rows are listed now never changes. What is said of them now changes no
// more than in wording, and where the newest publications say nothing.
//
// The changes tell in what the publication differs from the one that is now
// before it. A publication that s already holds, in whatever place, returns s
// itself with Changes.Unchanged. One that is later than the newest, or of a list
// that s does not hold, is an error: Merge is for them. s is not changed.
func (s *Snapshot) Backfill(list List, pub *Publication) (*Snapshot, *Changes, error) {
	next, changes, err := s.backfill(list, pub)
	if err != nil {
		return nil, nil, fmt.Errorf("backfilling publication of %s: %w", list.ID, err)
	}
	return next, changes, nil
}

func (s *Snapshot) backfill(list List, pub *Publication) (*Snapshot, *Changes, error) {
	if err := validate(list, pub); err != nil {
		return nil, nil, err
	}
	li, known := s.listIndex(list.ID)
	if !known {
		return nil, nil, errors.New("the snapshot holds no publication of the list that it could come before")
	}
	state := &s.lists[li]
	if err := sameKind(state, list); err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(state.Publications, func(p PublicationRecord) bool { return p.Digest == pub.Digest }) {
		return s, &Changes{List: list.ID, Unchanged: true}, nil
	}
	if newest := state.Current().PublishedOn; pub.PublishedOn > newest {
		return nil, nil, fmt.Errorf("it is of %s, later than the newest of %s", pub.PublishedOn, newest)
	}
	place := slices.IndexFunc(state.Publications, func(p PublicationRecord) bool { return p.PublishedOn > pub.PublishedOn })
	if place < 0 {
		place = len(state.Publications) - 1
	}

	m := newMerge(s.before(li, Ordinal(place+1)), li)
	changes := m.add(pub)
	for n := place + 1; n <= len(state.Publications); n++ {
		m.add(s.printed(li, Ordinal(n)))
		m.next.lists[li].Current().Rows = state.At(Ordinal(n)).Rows
	}
	m.takeDates(s, Ordinal(place+1))
	m.next.seal()
	return m.next, changes, nil
}

// before returns the content of s without the publications of a list from the
// n-th on. It is not sealed.
func (s *Snapshot) before(list int, n Ordinal) *Snapshot {
	earlier := &Snapshot{lists: slices.Clone(s.lists)}
	state := &earlier.lists[list]
	state.Publications = slices.Clone(state.Publications[:n-1])
	party := -1
	for i := range s.listings {
		l := s.listings[i]
		inList := s.parties[l.Party].List == list
		if inList && l.Listed >= n {
			continue
		}
		if l.Party != party {
			party = l.Party
			p := s.parties[party]
			if inList {
				p.Versions = p.Versions[:p.versionOf(n-1)+1]
			}
			earlier.parties = append(earlier.parties, p)
		}
		l.Party = len(earlier.parties) - 1
		if inList && l.Delisted >= n {
			l.Delisted = 0
		}
		earlier.listings = append(earlier.listings, l)
	}
	return earlier
}

// printed returns the n-th publication of a list as far as the snapshot says
// what it printed.
func (s *Snapshot) printed(list int, n Ordinal) *Publication {
	state := &s.lists[list]
	record := state.At(n)
	pub := &Publication{List: state.ID, PublishedOn: record.PublishedOn, Digest: record.Digest, Records: record.Records}
	party := -1
	for i := range s.listings {
		l := &s.listings[i]
		p := &s.parties[l.Party]
		if p.List != list || n < l.Listed || l.Delisted != 0 && l.Delisted <= n {
			continue
		}
		if l.Party != party {
			party = l.Party
			pub.Parties = append(pub.Parties, PublishedParty{UID: p.UID, Facts: p.Versions[p.versionOf(n)].Facts})
		}
		printed := &pub.Parties[len(pub.Parties)-1]
		printed.Addresses = append(printed.Addresses, l.PublishedAddress)
	}
	return pub
}

// versionOf returns the index of the version that held in the n-th publication.
func (p *Party) versionOf(n Ordinal) int {
	for i := len(p.Versions) - 1; i > 0; i-- {
		if p.Versions[i].Since <= n {
			return i
		}
	}
	return 0
}
