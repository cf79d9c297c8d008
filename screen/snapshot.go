package screen

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A Snapshot is the immutable set of all listings of all lists, past and
// present. It is made by Merge or Decode, never changed afterwards, and safe for
// use by many goroutines.
//
// Its content has one canonical encoding (see Encoding) and so one digest:
// equal content has an equal digest, in whatever order rows and lists arrived.
// The sequence number and the time of creation name the snapshot within one
// installation; they are not content.
type Snapshot struct {
	Sequence  uint64    // from 1, in one installation; 0 before it is published
	CreatedAt time.Time // when it was published

	lists    []ListState // ascending by ID
	parties  []Party     // ascending by list, then UID
	listings []Listing   // ascending by party, then address, symbol, tag, printed start, kind, start

	encoding []byte
	blocks   []block // where each party stands in it
	digest   Digest
}

// ListState is one list in a snapshot with every publication that was merged.
type ListState struct {
	List
	Publications []PublicationRecord // oldest first, at least one; Ordinal n is at n-1
}

// Current returns the newest publication.
func (l *ListState) Current() *PublicationRecord { return &l.Publications[len(l.Publications)-1] }

// An Ordinal numbers the publications of one list from 1, in the order they
// were merged. 0 means none.
type Ordinal uint32

// At returns the publication with the given ordinal, nil for 0.
func (l *ListState) At(n Ordinal) *PublicationRecord {
	if n == 0 {
		return nil
	}
	return &l.Publications[n-1]
}

// PublicationRecord is what a snapshot keeps of a publication.
type PublicationRecord struct {
	PublishedOn Date
	Digest      Digest
	Records     int // entries in the document, with and without addresses
	Rows        int // address rows in it, repeats included
}

// A Party is a listed party with the facts that its publications gave, version
// by version.
type Party struct {
	List     int // index in Snapshot.Lists
	UID      string
	Versions []FactsVersion // ascending by Since, at least one
}

// FactsVersion is what was published of a party from one publication on.
type FactsVersion struct {
	Since Ordinal
	Facts
}

// A Listing is one address entry of one party on one list, with its interval.
type Listing struct {
	Party    int     // index in Snapshot.Parties
	Listed   Ordinal // first publication that carries it
	Delisted Ordinal // first publication that no longer does; 0 while listed
	AddedOn  Date    // when its publisher's own record of changes says that it was added; 0 when that is not known
	PublishedAddress
}

// Lists returns the lists in ascending order of their ids. Not to be changed.
func (s *Snapshot) Lists() []ListState { return s.lists }

// Parties returns the parties in canonical order. Not to be changed.
func (s *Snapshot) Parties() []Party { return s.parties }

// Listings returns all listings in canonical order. Not to be changed.
func (s *Snapshot) Listings() []Listing { return s.listings }

// List returns the state of a list, nil when the snapshot does not hold it.
func (s *Snapshot) List(id ListID) *ListState {
	if i, ok := s.listIndex(id); ok {
		return &s.lists[i]
	}
	return nil
}

func (s *Snapshot) listIndex(id ListID) (int, bool) {
	return slices.BinarySearchFunc(s.lists, id, func(l ListState, id ListID) int { return cmp.Compare(l.ID, id) })
}

// Digest returns the SHA-256 of the canonical encoding.
func (s *Snapshot) Digest() Digest { return s.digest }

// Encoding returns the canonical encoding of the content. Not to be changed.
func (s *Snapshot) Encoding() []byte { return s.encoding }

// Named returns the same content under the given sequence number and time.
func (s *Snapshot) Named(sequence uint64, createdAt time.Time) *Snapshot {
	named := *s
	named.Sequence, named.CreatedAt = sequence, createdAt.UTC().Truncate(time.Millisecond)
	return &named
}

// ListOf returns the list that a listing stands on.
func (s *Snapshot) ListOf(l *Listing) *ListState { return &s.lists[s.parties[l.Party].List] }

// KindOf returns what a listing means in law: the row's own kind, or else that
// of its list.
func (s *Snapshot) KindOf(l *Listing) Kind {
	if l.Kind != KindUnspecified {
		return l.Kind
	}
	return s.ListOf(l).Kind
}

// PartyOf returns the party of a listing.
func (s *Snapshot) PartyOf(l *Listing) *Party { return &s.parties[l.Party] }

// Interval returns the days on which a listing counts: from the first to the
// day before until. until is 0 while no end is known. The dates that a list
// prints for the row itself come before those of its publications, and so does
// the day on which the publisher's own record of changes says that it was added.
// A row that turned from another kind counts from the publication that says so.
func (s *Snapshot) Interval(l *Listing) (from, until Date) {
	list := s.ListOf(l)
	from = list.At(l.Listed).PublishedOn
	switch {
	case l.ListedOn != 0:
		from = l.ListedOn
		if p := list.At(s.otherKindUntil(l)); p != nil {
			from = max(from, p.PublishedOn)
		}
	case l.AddedOn != 0:
		from = l.AddedOn
	}
	until = l.DelistedOn
	if p := list.At(l.Delisted); p != nil && (until == 0 || p.PublishedOn < until) {
		until = p.PublishedOn
	}
	return from, until
}

// otherKindUntil returns the publication that ended the row of the listing under
// another kind last, before this listing began or as it did; 0 if there is none.
func (s *Snapshot) otherKindUntil(l *Listing) Ordinal {
	earliest := Listing{Party: l.Party, PublishedAddress: PublishedAddress{Text: l.Text, Symbol: l.Symbol, Tag: l.Tag, ListedOn: l.ListedOn}}
	i, _ := slices.BinarySearchFunc(s.listings, &earliest, func(a Listing, b *Listing) int { return compareListings(&a, b) })
	last := Ordinal(0)
	for ; i < len(s.listings) && sameButKind(&s.listings[i], l); i++ {
		if o := &s.listings[i]; o.Kind != l.Kind && o.Delisted <= l.Listed {
			last = max(last, o.Delisted)
		}
	}
	return last
}

// FactsAt returns what was known of the listing's party on the given date, or
// now for date 0; for a listing that has ended never later than its end.
func (s *Snapshot) FactsAt(l *Listing, on Date) *FactsVersion {
	party, list := s.PartyOf(l), s.ListOf(l)
	for i := len(party.Versions) - 1; i > 0; i-- {
		v := &party.Versions[i]
		if (l.Delisted == 0 || v.Since < l.Delisted) && (on == 0 || list.At(v.Since).PublishedOn <= on) {
			return v
		}
	}
	return &party.Versions[0]
}

// seal brings the content into canonical order and computes encoding and
// digest. Listings refer to parties and parties to lists by index, so the order
// is settled from the outside in.
func (s *Snapshot) seal() {
	sortBy(s.lists, func(a, b *ListState) int { return cmp.Compare(a.ID, b.ID) }, func(moved []int) {
		for i := range s.parties {
			s.parties[i].List = moved[s.parties[i].List]
		}
	})
	sortBy(s.parties, compareParties, func(moved []int) {
		for i := range s.listings {
			s.listings[i].Party = moved[s.listings[i].Party]
		}
	})
	slices.SortFunc(s.listings, func(a, b Listing) int { return compareListings(&a, &b) })
	s.encoding, s.blocks = s.encodeBlocks()
	s.digest = digestOf(s.encoding)
}

func compareParties(a, b *Party) int {
	return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.UID, b.UID))
}

func compareListings(a, b *Listing) int {
	return cmp.Or(
		cmp.Compare(a.Party, b.Party),
		cmp.Compare(a.Text, b.Text),
		cmp.Compare(a.Symbol, b.Symbol),
		cmp.Compare(a.Tag, b.Tag),
		cmp.Compare(a.ListedOn, b.ListedOn),
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Listed, b.Listed),
	)
}

// sameRow reports whether two listings are intervals of one row.
func sameRow(a, b *Listing) bool {
	return keyOf(a.Party, &a.PublishedAddress) == keyOf(b.Party, &b.PublishedAddress)
}

// sameButKind reports whether two listings are of one row, be it under two kinds.
func sameButKind(a, b *Listing) bool {
	x, y := keyOf(a.Party, &a.PublishedAddress), keyOf(b.Party, &b.PublishedAddress)
	x.kind, y.kind = 0, 0
	return x == y
}

// Strong aliases come before weak ones.
func compareAliases(a, b Alias) int {
	return cmp.Or(
		cmp.Compare(aliasStrength(a.Weak), aliasStrength(b.Weak)),
		cmp.Compare(a.Type, b.Type),
		cmp.Compare(a.Name, b.Name),
	)
}

func compareEntries(a, b EntryEvent) int {
	return cmp.Or(cmp.Compare(a.On, b.On), cmp.Compare(a.LegalBasis, b.LegalBasis))
}

// sortBy sorts items and reports where each old index went.
func sortBy[T any](items []T, compare func(a, b *T) int, report func(moved []int)) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	if slices.IsSortedFunc(order, func(a, b int) int { return compare(&items[a], &items[b]) }) {
		return
	}
	slices.SortFunc(order, func(a, b int) int { return compare(&items[a], &items[b]) })
	sorted, moved := make([]T, len(items)), make([]int, len(items))
	for to, from := range order {
		sorted[to], moved[from] = items[from], to
	}
	copy(items, sorted)
	report(moved)
}

// Empty returns a snapshot without lists. Nothing can be screened against it.
func Empty() *Snapshot {
	s := new(Snapshot)
	s.seal()
	return s
}

// Equal reports whether two snapshots have the same content.
func (s *Snapshot) Equal(other *Snapshot) bool {
	return s.digest == other.digest && bytes.Equal(s.encoding, other.encoding)
}

// String names the snapshot for people.
func (s *Snapshot) String() string {
	return fmt.Sprintf("snapshot %d (%.12s)", s.Sequence, s.digest)
}
