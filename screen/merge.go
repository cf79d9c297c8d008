package screen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrSuperseded says that a publication is older than the one that a snapshot
// already holds of its list. Backfill takes one that the snapshot does not hold.
var ErrSuperseded = errors.New("publication is superseded")

// ErrConflict says that a snapshot cannot be published because another was since
// its predecessor was read. Merge into the new one and publish again.
var ErrConflict = errors.New("another snapshot was published meanwhile")

// Changes are what one publication changed in a snapshot.
type Changes struct {
	List      ListID
	Unchanged bool // the very publication that the snapshot already held: nothing at all changed
	First     bool // the first publication of the list
	Reread    bool // the very publication that the snapshot already held, of which more or something else was read
	Rows      int  // current rows before the merge
	Parties   int  // parties with a current row before the merge

	PartiesListed   int // parties without a current row before that have one now
	PartiesDelisted int // parties with a current row before that have none now

	Listed, Delisted []Change // rows that came and went, in canonical order; one that turned from a kind to another did both
	Amended          []Change // rows or parties of which something else is said now; likewise
}

// A Change is one row, or for an amended party the party alone.
type Change struct {
	UID, Party        string // of the party, the name as published last
	Text, Symbol, Tag string // empty for an amended party
	Kind              Kind   // what being listed by the row means; 0 for an amended party

	// What says to people what changed, for an amendment and for a row that turned
	// from one kind to another, and what a row is whose kind is not its list's.
	What string
}

// Merge returns the snapshot that holds, besides what s holds, one more
// publication of a list: the complete state of that list on its date. Rows that
// the publication no longer prints are delisted by it, rows that are new are
// listed by it, and a row that went away and comes back begins a second
// interval. Rows are the same when party, text, symbol, tag, kind and printed
// start are; repeats within the publication are one row.
//
// What the publication cannot say (Entries, SourceIDs and the like left empty)
// keeps what was known before, and names that differ only in the case of letters
// stay as they were first published, so that a list may be fed from several
// formats.
//
// A publication that s already holds as the newest of its list, and that says
// nothing else than s does, returns s itself with Changes.Unchanged. If it says
// something else it was read by a program that reads more of the same document, or
// less: the snapshot is then what it were if it had been read so at once, but that the
// publication keeps its date. Rows that are read only now are listed by it, those
// that are not any more and had come with it never were, and others are delisted by
// it; Changes.Reread says so, and the changes are those from s. What earlier
// publications print stays as it was read. Remarks on a row that the new reading does
// not have stay, as with another publication.
//
// A publication that is older, by its date or because it was merged and followed by
// another, is ErrSuperseded; an operator's own list may return to an earlier content.
// s is not changed.
func (s *Snapshot) Merge(list List, pub *Publication) (*Snapshot, *Changes, error) {
	if err := validate(list, pub); err != nil {
		return nil, nil, fmt.Errorf("merging publication of %s: %w", list.ID, err)
	}
	next := &Snapshot{lists: slices.Clone(s.lists), parties: slices.Clone(s.parties), listings: slices.Clone(s.listings)}
	li, known := s.listIndex(list.ID)
	if known {
		state := &s.lists[li]
		if err := sameKind(state, list); err != nil {
			return nil, nil, fmt.Errorf("merging publication of %s: %w", list.ID, err)
		}
		if state.Current().Digest == pub.Digest {
			next, changes := s.reread(li, list, pub)
			return next, changes, nil
		}
		if err := superseded(state, pub); err != nil {
			return nil, nil, fmt.Errorf("merging publication of %s: %w", list.ID, err)
		}
	} else {
		li = len(next.lists)
		next.lists = append(next.lists, ListState{})
	}
	next.lists[li] = ListState{List: list, Publications: slices.Clone(next.lists[li].Publications)}
	changes := newMerge(next, li).add(pub)
	next.seal()
	return next, changes, nil
}

// reread merges the publication that is the newest of a list already.
func (s *Snapshot) reread(li int, list List, pub *Publication) (*Snapshot, *Changes) {
	unchanged := &Changes{List: list.ID, Unchanged: true}
	was := s.lists[li].Current()
	again := *pub
	// A document that does not say its date is of the day on which it was loaded.
	again.PublishedOn = was.PublishedOn
	// What it says is compared with what is known now: the way there may have been
	// another, through formats that say more or less.
	onto := &Snapshot{lists: slices.Clone(s.lists), parties: slices.Clone(s.parties), listings: slices.Clone(s.listings)}
	onto.lists[li].Publications = slices.Clone(onto.lists[li].Publications)
	c := newMerge(onto, li).add(&again)
	same := len(c.Listed)+len(c.Delisted)+len(c.Amended) == 0
	if is := onto.lists[li].Current(); same && is.Records == was.Records && is.Rows == was.Rows {
		return s, unchanged
	}
	n := Ordinal(len(s.lists[li].Publications))
	m := newMerge(s.before(li, n), li)
	m.next.lists[li].List = list
	m.add(&again)
	m.keepDates(s, n)
	m.next.seal()
	if m.next.Equal(s) {
		return s, unchanged
	}
	changes := &Changes{List: list.ID}
	for _, of := range s.Diff(m.next) {
		if of.List == list.ID {
			changes = of
		}
	}
	changes.Reread = true
	return m.next, changes
}

// validate refuses what no snapshot can hold: what is accepted here, Decode reads
// back.
func validate(list List, pub *Publication) error {
	if err := list.ID.Validate(); err != nil {
		return err
	}
	if list.Kind == KindUnspecified {
		return errors.New("list without a kind")
	}
	if _, err := ParseKind(list.Kind.String()); err != nil {
		return err
	}
	switch {
	case pub.List != list.ID:
		return fmt.Errorf("it is one of %q", string(pub.List))
	case pub.PublishedOn == 0:
		return errors.New("publication without a date")
	case pub.Digest.IsZero():
		return errors.New("publication without a digest")
	case pub.Records < 0:
		return fmt.Errorf("publication of %d records", pub.Records)
	}
	if err := cmp.Or(checkText(list.Authority, list.Name, list.URL), checkDate(pub.PublishedOn)); err != nil {
		return err
	}
	seen := make(map[string]bool, len(pub.Parties))
	for i := range pub.Parties {
		p := &pub.Parties[i]
		if seen[p.UID] {
			return fmt.Errorf("party %q twice", p.UID)
		}
		seen[p.UID] = true
		if len(p.Addresses) == 0 {
			return fmt.Errorf("party %q without addresses", p.UID)
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("party %q: %w", p.UID, err)
		}
	}
	return nil
}

func (p *PublishedParty) check() error {
	f := &p.Facts
	_, err := ParsePartyType(f.Type.String())
	err = cmp.Or(err, checkText(p.UID, f.Name, f.URL), checkText(f.Programs...))
	for _, a := range f.Aliases {
		err = cmp.Or(err, checkText(a.Name, a.Type))
	}
	for _, e := range f.Entries {
		err = cmp.Or(err, checkDate(e.On), checkText(e.LegalBasis))
	}
	for i := range p.Addresses {
		a := &p.Addresses[i]
		if a.Text == "" {
			return errors.New("address without text")
		}
		err = cmp.Or(err, checkText(a.Text, a.Symbol, a.Tag, a.Reliability, a.Comment), checkText(a.SourceIDs...),
			checkDate(a.ListedOn), checkDate(a.DelistedOn), a.check())
	}
	return err
}

func checkText(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("not valid UTF-8: %q", text)
		}
	}
	return nil
}

func checkDate(d Date) error {
	if d == 0 {
		return nil
	}
	if _, err := ParseDate(d.String()); err != nil {
		return fmt.Errorf("no such date: %s", d)
	}
	return nil
}

func sameKind(state *ListState, list List) error {
	if state.Kind != list.Kind {
		return fmt.Errorf("kind %s, the snapshot has it as %s", list.Kind, state.Kind)
	}
	return nil
}

func superseded(state *ListState, pub *Publication) error {
	current := state.Current()
	if pub.PublishedOn < current.PublishedOn {
		return fmt.Errorf("%w: it is of %s, the snapshot has one of %s", ErrSuperseded, pub.PublishedOn, current.PublishedOn)
	}
	if state.Kind == KindInternal {
		return nil
	}
	for i := range state.Publications {
		if p := &state.Publications[i]; p.Digest == pub.Digest {
			return fmt.Errorf("%w: the publication of %s with digest %.12s was followed by another of %s",
				ErrSuperseded, p.PublishedOn, p.Digest, current.PublishedOn)
		}
	}
	return nil
}

// A merge adds publications to one list of a snapshot in the making, each the
// newest.
type merge struct {
	next    *Snapshot
	list    int
	parties map[string]int // all of the list, by UID
	current map[rowKey]int // the current listings

	// Of the publication that is being added.
	ordinal Ordinal
	changes *Changes
}

// rowKey is what makes two rows of a list the same.
type rowKey struct {
	party             int
	text, symbol, tag string
	listedOn          Date
	kind              Kind
}

func newMerge(next *Snapshot, list int) *merge {
	m := &merge{next: next, list: list, parties: map[string]int{}, current: map[rowKey]int{}}
	for i := range next.parties {
		if next.parties[i].List == list {
			m.parties[next.parties[i].UID] = i
		}
	}
	for i := range next.listings {
		l := &next.listings[i]
		if l.Delisted == 0 && next.parties[l.Party].List == list {
			m.current[keyOf(l.Party, &l.PublishedAddress)] = i
		}
	}
	return m
}

// add adds a publication and returns what it changed.
func (m *merge) add(pub *Publication) *Changes {
	state := &m.next.lists[m.list]
	state.Publications = append(state.Publications, PublicationRecord{PublishedOn: pub.PublishedOn, Digest: pub.Digest, Records: pub.Records})
	m.ordinal = Ordinal(len(state.Publications))
	m.changes = &Changes{List: state.ID, First: m.ordinal == 1}

	before := map[int]bool{}
	for key := range m.current {
		before[key.party] = true
	}
	m.changes.Rows, m.changes.Parties = len(m.current), len(before)
	seen := make(map[rowKey]bool, len(m.current))
	for i := range pub.Parties {
		published := &pub.Parties[i]
		party, ok := m.parties[published.UID]
		if ok {
			m.amendParty(party, published)
		} else {
			party = len(m.next.parties)
			m.parties[published.UID] = party
			m.next.parties = append(m.next.parties, Party{
				List: m.list, UID: published.UID,
				Versions: []FactsVersion{{Since: m.ordinal, Facts: canonicalFacts(published.Facts)}},
			})
		}
		if !before[party] {
			m.changes.PartiesListed++
		}
		for _, a := range joinRepeats(m.ownKinds(published.Addresses)) {
			state.Current().Rows += a.repeats
			key := keyOf(party, &a.PublishedAddress)
			seen[key] = true
			if at, ok := m.current[key]; ok {
				m.amendRow(at, &a.PublishedAddress)
				continue
			}
			m.current[key] = len(m.next.listings)
			m.next.listings = append(m.next.listings, Listing{Party: party, Listed: m.ordinal, PublishedAddress: a.PublishedAddress})
			m.changes.Listed = append(m.changes.Listed, m.change(party, &a.PublishedAddress, ""))
		}
	}
	var gone []rowKey
	for key := range m.current {
		if !seen[key] {
			gone = append(gone, key)
		}
	}
	slices.SortFunc(gone, compareKeys)
	for _, key := range gone {
		l := &m.next.listings[m.current[key]]
		l.Delisted = m.ordinal
		delete(m.current, key)
		m.changes.Delisted = append(m.changes.Delisted, m.change(l.Party, &l.PublishedAddress, ""))
	}
	// Every party of a publication has a row in it.
	m.changes.PartiesDelisted = len(before) + m.changes.PartiesListed - len(pub.Parties)
	for _, changes := range [][]Change{m.changes.Listed, m.changes.Delisted, m.changes.Amended} {
		slices.SortStableFunc(changes, compareChanges)
	}
	m.changes.tellKinds(state.Kind)
	return m.changes
}

// ownKinds returns rows whose kind is that of their list without one: to say it
// is to say nothing.
func (m *merge) ownKinds(addresses []PublishedAddress) []PublishedAddress {
	kind := m.next.lists[m.list].Kind
	if !slices.ContainsFunc(addresses, func(a PublishedAddress) bool { return a.Kind == kind }) {
		return addresses
	}
	addresses = slices.Clone(addresses)
	for i := range addresses {
		if addresses[i].Kind == kind {
			addresses[i].Kind = KindUnspecified
		}
	}
	return addresses
}

// tellKinds says of the rows that came and went of which kind they are, where
// that is not the kind of the list, and from or to which kind they turned.
func (c *Changes) tellKinds(list Kind) {
	mixed := func(r Change) bool { return r.Kind != list }
	if !slices.ContainsFunc(c.Listed, mixed) && !slices.ContainsFunc(c.Delisted, mixed) {
		return
	}
	row := func(r *Change) Change { return Change{UID: r.UID, Text: r.Text, Symbol: r.Symbol, Tag: r.Tag} }
	tell := func(changes, others []Change, format string) {
		kinds := make(map[Change]Kind, len(others))
		for i := range others {
			kinds[row(&others[i])] = others[i].Kind
		}
		for i := range changes {
			r := &changes[i]
			if kind, ok := kinds[row(r)]; ok && kind != r.Kind {
				r.What = fmt.Sprintf(format, r.Kind, kind)
			} else if r.Kind != list {
				r.What = "kind " + r.Kind.String()
			}
		}
	}
	tell(c.Listed, c.Delisted, "kind %s, was %s")
	tell(c.Delisted, c.Listed, "kind %s, now %s")
}

func keyOf(party int, a *PublishedAddress) rowKey {
	return rowKey{party, a.Text, a.Symbol, a.Tag, a.ListedOn, a.Kind}
}

func compareChanges(a, b Change) int {
	return cmp.Or(cmp.Compare(a.UID, b.UID), cmp.Compare(a.Text, b.Text), cmp.Compare(a.Symbol, b.Symbol),
		cmp.Compare(a.Tag, b.Tag), cmp.Compare(a.Kind, b.Kind))
}

func compareKeys(a, b rowKey) int {
	return cmp.Or(cmp.Compare(a.party, b.party), cmp.Compare(a.text, b.text), cmp.Compare(a.symbol, b.symbol),
		cmp.Compare(a.tag, b.tag), cmp.Compare(a.listedOn, b.listedOn), cmp.Compare(a.kind, b.kind))
}

func (m *merge) change(party int, a *PublishedAddress, what string) Change {
	p := &m.next.parties[party]
	c := Change{UID: p.UID, Party: p.Versions[len(p.Versions)-1].Name, What: what}
	if a != nil {
		c.Text, c.Symbol, c.Tag = a.Text, a.Symbol, a.Tag
		if c.Kind = a.Kind; c.Kind == KindUnspecified {
			c.Kind = m.next.lists[m.list].Kind
		}
	}
	return c
}

// joinedRow is a row with its repeats in one publication folded into it.
type joinedRow struct {
	PublishedAddress
	repeats                 int
	comments, reliabilities []string
}

// joinRepeats makes one row of those that a party's entry prints twice, keeping
// the ids of all and, where they differ in remarks, every remark.
func joinRepeats(addresses []PublishedAddress) []joinedRow {
	at := make(map[rowKey]int, len(addresses))
	rows := make([]joinedRow, 0, len(addresses))
	for _, a := range addresses {
		key := keyOf(0, &a)
		i, ok := at[key]
		if !ok {
			i = len(rows)
			at[key] = i
			rows = append(rows, joinedRow{PublishedAddress: a})
			rows[i].SourceIDs = nil
		}
		row := &rows[i]
		row.repeats++
		row.SourceIDs = append(row.SourceIDs, a.SourceIDs...)
		row.comments = append(row.comments, a.Comment)
		row.reliabilities = append(row.reliabilities, a.Reliability)
		// Two rows that end on different days: the account is listed until the
		// later end, and without an end if one of them has none.
		if a.DelistedOn == 0 || row.DelistedOn == 0 {
			row.DelistedOn = 0
		} else {
			row.DelistedOn = max(row.DelistedOn, a.DelistedOn)
		}
	}
	for i := range rows {
		row := &rows[i]
		row.SourceIDs = sortedSet(row.SourceIDs)
		row.Comment = strings.Join(sortedSet(row.comments), "; ")
		row.Reliability = strings.Join(sortedSet(row.reliabilities), "; ")
	}
	return rows
}

// sortedSet sorts texts, without repeats and empty ones; nil when none is left.
func sortedSet(texts []string) []string {
	slices.Sort(texts)
	texts = slices.Compact(texts)
	if len(texts) > 0 && texts[0] == "" {
		texts = texts[1:]
	}
	if len(texts) == 0 {
		return nil
	}
	return texts
}

// amendParty adds a version of the party's facts if the publication says
// anything new.
func (m *merge) amendParty(party int, published *PublishedParty) {
	p := &m.next.parties[party]
	old := &p.Versions[len(p.Versions)-1].Facts
	facts := canonicalFacts(published.Facts)
	if len(facts.Entries) == 0 {
		facts.Entries = old.Entries
	}
	// One format of a list prints names in capitals, another does not.
	if strings.EqualFold(old.Name, facts.Name) {
		facts.Name = old.Name
	}
	if !slices.Equal(old.Aliases, facts.Aliases) && slices.EqualFunc(sortedAliases(old.Aliases), sortedAliases(facts.Aliases), sameAlias) {
		facts.Aliases = old.Aliases
	}
	what := factsDiffer(old, &facts)
	if what == "" {
		return
	}
	p.Versions = append(slices.Clone(p.Versions), FactsVersion{Since: m.ordinal, Facts: facts})
	m.changes.Amended = append(m.changes.Amended, m.change(party, nil, what))
}

// sameAlias reports whether two aliases differ at most in the case of letters.
func sameAlias(a, b Alias) bool {
	return a.Weak == b.Weak && a.Type == b.Type && strings.EqualFold(a.Name, b.Name)
}

// sortedAliases sorts aliases without regard to the case of letters.
func sortedAliases(aliases []Alias) []Alias {
	return slices.SortedFunc(slices.Values(aliases), func(a, b Alias) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.Type, b.Type), cmp.Compare(aliasStrength(a.Weak), aliasStrength(b.Weak)))
	})
}

// factsDiffer says in what two versions of a party's facts differ, "" if in
// nothing. The order of programs is the publisher's and means nothing.
func factsDiffer(old, new *Facts) string {
	switch {
	case old.Name != new.Name:
		return fmt.Sprintf("name %q, was %q", new.Name, old.Name)
	case !slices.Equal(slices.Sorted(slices.Values(old.Programs)), slices.Sorted(slices.Values(new.Programs))):
		return fmt.Sprintf("programs %q, were %q", new.Programs, old.Programs)
	case old.Type != new.Type:
		return fmt.Sprintf("type %q, was %q", new.Type, old.Type)
	case !slices.Equal(old.Aliases, new.Aliases):
		return "aliases"
	case !slices.Equal(old.Entries, new.Entries):
		return "entries"
	case old.URL != new.URL:
		return fmt.Sprintf("page %q, was %q", new.URL, old.URL)
	}
	return ""
}

// canonicalFacts sorts what has no order of its own.
func canonicalFacts(f Facts) Facts {
	f.Programs = slices.Clone(f.Programs)
	f.Aliases = slices.Clone(f.Aliases)
	slices.SortFunc(f.Aliases, compareAliases)
	f.Aliases = slices.Compact(f.Aliases)
	f.Entries = slices.Clone(f.Entries)
	slices.SortFunc(f.Entries, compareEntries)
	f.Entries = slices.Compact(f.Entries)
	return f
}

// amendRow takes over what the publication says of a row that stays listed.
func (m *merge) amendRow(at int, a *PublishedAddress) {
	l := &m.next.listings[at]
	old := l.PublishedAddress
	l.Comment = cmp.Or(a.Comment, old.Comment)
	l.Reliability = cmp.Or(a.Reliability, old.Reliability)
	if len(a.SourceIDs) > 0 {
		l.SourceIDs = a.SourceIDs
	}
	l.DelistedOn = a.DelistedOn
	var what string
	switch {
	case l.DelistedOn != old.DelistedOn:
		what = fmt.Sprintf("printed end %q, was %q", l.DelistedOn, old.DelistedOn)
	case l.Comment != old.Comment:
		what = "comment"
	case l.Reliability != old.Reliability:
		what = fmt.Sprintf("reliability %q, was %q", l.Reliability, old.Reliability)
	case !slices.Equal(l.SourceIDs, old.SourceIDs):
		what = "publisher's ids"
	default:
		return
	}
	m.changes.Amended = append(m.changes.Amended, m.change(l.Party, a, what))
}
