package screen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"walletscreen/screen/address"
)

// An Index answers whether addresses are listed in one snapshot. It is immutable
// and safe for use by many goroutines.
//
// It holds every listing, past and present, under its account keys, under the
// key and script hashes that relate accounts, and under its published text, so
// that what nobody can read still matches itself.
type Index struct {
	snapshot *Snapshot
	postings []posting

	accounts map[address.Key]uint32
	hashes   map[address.Hash]uint32
	texts    map[string]uint32
	tags     map[uint32]string // of the few postings that are one tag of a pooled account

	counts []ListCounts // by index of the list
}

// A posting is one listing under one key of one of the three look-ups, linked to
// the next under the same key. Indices instead of pointers keep the garbage
// collector out of large lists.
type posting struct {
	listing uint32
	next    uint32 // index in postings, 0 for none
	key     address.Key
	ledgers address.Ledgers
	testnet bool
}

// ListCounts counts what a snapshot holds of one list now.
type ListCounts struct {
	Parties   int // parties with a current listing
	Rows      int // current listings
	Addresses int // distinct texts among them
	Unparsed  int // distinct texts among them that are no address as they stand
	Delisted  int // listings that have ended
	Added     int // rows that the newest publication listed
	Removed   int // rows that it delisted
}

// NewIndex builds the index of a snapshot. It reads every published text with
// the same function that reads queries.
func NewIndex(s *Snapshot) *Index {
	x := &Index{
		snapshot: s,
		postings: make([]posting, 1, 1+4*len(s.listings)),
		accounts: make(map[address.Key]uint32, len(s.listings)),
		hashes:   make(map[address.Hash]uint32, 2*len(s.listings)),
		texts:    make(map[string]uint32, len(s.listings)),
		tags:     map[uint32]string{},
		counts:   make([]ListCounts, len(s.lists)),
	}
	var parsed address.Parsed
	unread := make([]bool, len(s.listings))
	for i := range s.listings {
		l := &s.listings[i]
		// White space does not make a text too long to be read.
		address.Parse(strings.TrimSpace(l.Text), &parsed)
		unread[i] = parsed.Reason != address.ReasonNone
		add(x, x.texts, l.Text, posting{listing: uint32(i)})
		// A query is normalized before it is looked up as text. If nothing is left of
		// what was published, it must not match whatever nothing is left of.
		if parsed.Text != l.Text && parsed.Text != "" {
			add(x, x.texts, parsed.Text, posting{listing: uint32(i)})
		}
		x.addReadings(i, parsed.Readings(), "")
		if unread[i] {
			// A row may hold an address beside other words, or several of them. None
			// that is printed may be lost.
			for _, found := range address.ScanCell(l.Text).Found {
				x.addReadings(i, found.Readings, found.Tag)
			}
		}
	}
	x.count(unread)
	return x
}

// addReadings adds a listing under the readings of its text, or of an address in
// its text with the tag printed beside it.
func (x *Index) addReadings(listing int, readings []address.Reading, tag string) {
	var hashes [address.MaxHashes]address.Hash
	for i := range readings {
		r := &readings[i]
		p := posting{listing: uint32(listing), key: r.Key, ledgers: r.Ledgers, testnet: r.Testnet}
		if tag := cmp.Or(x.snapshot.listings[listing].Tag, tag, r.Tag); tag != "" {
			x.tags[uint32(len(x.postings))] = tag
		}
		add(x, x.accounts, r.Key, p)
		for _, h := range r.AppendHashes(hashes[:0]) {
			add(x, x.hashes, h, p)
		}
	}
}

// add puts a posting in front of those already under its key.
func add[K comparable](x *Index, m map[K]uint32, key K, p posting) {
	p.next = m[key]
	m[key] = uint32(len(x.postings))
	x.postings = append(x.postings, p)
}

// count counts the listings; unread tells of which no reading was found.
func (x *Index) count(unread []bool) {
	texts := map[string]bool{}
	lastList, lastParty := -1, -1
	for i := range x.snapshot.listings {
		l := &x.snapshot.listings[i]
		li := x.snapshot.parties[l.Party].List
		if li != lastList {
			clear(texts)
			lastList = li
		}
		c, newest := &x.counts[li], Ordinal(len(x.snapshot.lists[li].Publications))
		if l.Listed == newest {
			c.Added++
		}
		if l.Delisted != 0 {
			c.Delisted++
			if l.Delisted == newest {
				c.Removed++
			}
			continue
		}
		c.Rows++
		if l.Party != lastParty {
			c.Parties++
			lastParty = l.Party
		}
		if !texts[l.Text] {
			texts[l.Text] = true
			c.Addresses++
			if unread[i] {
				c.Unparsed++
			}
		}
	}
}

// Snapshot returns the snapshot that the index was built from.
func (x *Index) Snapshot() *Snapshot { return x.snapshot }

// Counts returns the counts of a list, zeros for one that the snapshot does not hold.
func (x *Index) Counts(id ListID) ListCounts {
	if i, ok := x.snapshot.listIndex(id); ok {
		return x.counts[i]
	}
	return ListCounts{}
}

// A Query says what to screen against. The zero Query with Today set asks every
// list about now.
type Query struct {
	// Lists are the lists to look in; none means all that are loaded.
	Lists []ListID
	// AsOf asks what was listed on that day; 0 asks about now.
	AsOf Date
	// Ever asks for every listing, past, present and to come, instead of those that
	// count on a day. Verdicts then mean nothing, and Reason stands beside any.
	Ever bool
	// Today is the current date in UTC. It decides whether rows with a printed
	// interval count now.
	Today Date
	// Network is the ledgers of the network that the caller means to transact on.
	// It annotates and resolves what is ambiguous; it never hides a match.
	Network address.Ledgers
	// Stale reports whether a list is too old to say NotListed by; nil means that
	// none is.
	Stale func(ListID) bool
}

// A Screener screens addresses for one query. It is for one goroutine.
type Screener struct {
	x      *Index
	q      Query
	asked  []bool // by index of the list
	reason Reason // why no answer can be NotListed, whatever the text
	parsed address.Parsed
}

// Screener prepares the index for a query.
func (x *Index) Screener(q Query) *Screener {
	s := &Screener{x: x, q: q, asked: make([]bool, len(x.snapshot.lists))}
	if len(q.Lists) == 0 {
		for i := range s.asked {
			s.asked[i] = true
		}
		if len(s.asked) == 0 {
			s.reason = ReasonNotLoaded
		}
	}
	for _, id := range q.Lists {
		if i, ok := x.snapshot.listIndex(id); ok {
			s.asked[i] = true
		} else {
			s.reason = ReasonNotLoaded
		}
	}
	for i, asked := range s.asked {
		if !asked || s.reason != address.ReasonNone {
			continue
		}
		list := &x.snapshot.lists[i]
		switch {
		case q.AsOf != 0 && list.Kind != KindInternal && q.AsOf < list.Publications[0].PublishedOn:
			// An operator's own list says itself from when a row counts, and before
			// it existed nothing was on it.
			s.reason = ReasonBeforeHistory
		case q.Stale != nil && q.Stale(list.ID):
			s.reason = ReasonStale
		}
	}
	return s
}

// Consulted returns the lists that the query asks for and the snapshot holds.
func (s *Screener) Consulted() []*ListState {
	var lists []*ListState
	for i, asked := range s.asked {
		if asked {
			lists = append(lists, &s.x.snapshot.lists[i])
		}
	}
	return lists
}

// Screen answers for one text. It allocates nothing unless something matches.
func (s *Screener) Screen(text string, res *Result) {
	address.Parse(text, &s.parsed)
	p := &s.parsed
	*res = Result{Matches: res.Matches[:0], Warnings: Warnings(p.Warnings)}
	if len(text) <= address.MaxTextBytes {
		s.lookupText(text, text, res)
		if p.Text != text && p.Text != "" {
			s.lookupText(p.Text, text, res)
		}
	}
	readings := p.Readings()
	onNetwork := s.q.Network == 0 || len(readings) == 0
	for i := range readings {
		onNetwork = s.lookup(&readings[i], res) || onNetwork
	}
	if !onNetwork {
		res.Warnings |= WarnNetworkMismatch
	}
	s.decide(readings, res)
}

// lookupText looks up what was published as the given text, or normalizes to it,
// for the query asked.
func (s *Screener) lookupText(text, asked string, res *Result) {
	for at := s.x.texts[text]; at != 0; at = s.x.postings[at].next {
		p := &s.x.postings[at]
		l := &s.x.snapshot.listings[p.listing]
		basis := BasisExactText
		switch {
		// What was published is the account with its tag; the text alone is not.
		case l.Tag != "":
			basis = BasisSameAccountOtherTag
		case l.Text != asked:
			basis = BasisSameAccount
		}
		s.match(p, basis, res)
	}
}

// lookup looks one reading up as an account, then by its key and script hashes.
// It reports whether the reading is one of the network that the query names.
func (s *Screener) lookup(r *address.Reading, res *Result) (onNetwork bool) {
	onNetwork = r.Ledgers&s.q.Network != 0
	if tron := onTron(r); s.q.Network == address.LedgerTron && tron.Ledgers != 0 {
		// 0x and 20 bytes is how contracts on Tron write its accounts.
		s.lookupAccount(&tron, res)
		onNetwork = true
	}
	s.lookupAccount(r, res)
	var hashes [address.MaxHashes]address.Hash
	for _, h := range r.AppendHashes(hashes[:0]) {
		for at := s.x.hashes[h]; at != 0; at = s.x.postings[at].next {
			if p := &s.x.postings[at]; p.key != r.Key {
				s.match(p, relation(p, r), res)
			}
		}
	}
	return onNetwork
}

// onTron returns the Tron reading of an EVM reading's bytes, and no reading for
// any other kind.
func onTron(r *address.Reading) address.Reading {
	if r.Kind() != address.KindEVM {
		return address.Reading{}
	}
	tron := address.Reading{Key: r.Key, Ledgers: address.LedgerTron, Testnet: r.Testnet}
	tron.Key[0] = byte(address.KindTron)
	return tron
}

func (s *Screener) lookupAccount(r *address.Reading, res *Result) {
	for at := s.x.accounts[r.Key]; at != 0; at = s.x.postings[at].next {
		p := &s.x.postings[at]
		switch {
		case sameNetwork(p, r):
			basis := BasisSameAccount
			// A listing without a tag is of the whole account.
			if tag, ok := s.x.tags[at]; ok && !sameTag(tag, r.Tag) {
				basis = BasisSameAccountOtherTag
			}
			s.match(p, basis, res)
		default:
			s.match(p, relation(p, r), res)
		}
	}
}

// sameTag reports whether two tags are one: the same text, or the same number.
func sameTag(a, b string) bool {
	if a == b {
		return true
	}
	x, err := strconv.ParseUint(a, 10, 64)
	if err != nil {
		return false
	}
	y, err := strconv.ParseUint(b, 10, 64)
	return err == nil && x == y
}

// relation is the basis for two readings that share a hash and are not one
// account: between two scripts the script, between anything else the key.
func relation(p *posting, r *address.Reading) Basis {
	if isScript(address.Kind(p.key[0])) && isScript(r.Kind()) {
		return BasisSameScriptOtherLedger
	}
	return BasisSameKey
}

func isScript(k address.Kind) bool { return k == address.KindP2SH || k == address.KindWSH }

// sameNetwork reports whether a listed reading and a queried one with the same
// key can be one account: on a ledger of both, and not one on a test network and
// the other not.
func sameNetwork(p *posting, r *address.Reading) bool {
	return p.ledgers&r.Ledgers&^address.LedgerUnknown != 0 && p.testnet == r.Testnet
}

// match adds the posting's listing if it counts for the query.
func (s *Screener) match(p *posting, basis Basis, res *Result) {
	l := &s.x.snapshot.listings[p.listing]
	if !s.asked[s.x.snapshot.parties[l.Party].List] || !s.counts(l) {
		return
	}
	if s.q.Network != 0 && p.ledgers != 0 && p.ledgers&s.q.Network == 0 {
		res.Warnings |= WarnNetworkMismatch
	}
	for i := range res.Matches {
		if res.Matches[i].Listing == l {
			res.Matches[i].Basis = min(res.Matches[i].Basis, basis)
			return
		}
	}
	res.Matches = append(res.Matches, Match{basis, l})
}

// counts reports whether a listing is in force at the time asked about.
func (s *Screener) counts(l *Listing) bool {
	if s.q.Ever {
		return true
	}
	if s.q.AsOf != 0 {
		from, until := s.x.snapshot.Interval(l)
		return from <= s.q.AsOf && (until == 0 || s.q.AsOf < until)
	}
	// The date of a publication is its publisher's and may be a day ahead of UTC:
	// what is listed now is what the newest one prints. Only dates that a list
	// prints for the row are compared with the clock.
	return l.Delisted == 0 && l.ListedOn <= s.q.Today && (l.DelistedOn == 0 || s.q.Today < l.DelistedOn)
}

// decide gives the strongest verdict that applies.
func (s *Screener) decide(readings []address.Reading, res *Result) {
	reason := s.parsed.Reason
	switch {
	case reason == address.ReasonNone && len(readings) == 0:
		reason = address.ReasonUnrecognized
	case reason == address.ReasonAmbiguous32Byte && s.q.Network == address.LedgerNEAR &&
		slices.ContainsFunc(readings, func(r address.Reading) bool { return r.Kind() == address.KindNEAR && r.Ledgers&address.LedgerNEAR != 0 }):
		// The network that the caller names makes it the id of an account.
		reason = address.ReasonNone
	}
	if reason == address.ReasonNone {
		reason = s.reason
	}
	res.Verdict = VerdictNotListed
	if reason != address.ReasonNone {
		res.Verdict = VerdictCannotScreen
	}
	for _, m := range res.Matches {
		res.Verdict = min(res.Verdict, s.verdict(m))
	}
	if res.Verdict != VerdictListed || s.q.Ever {
		res.Reason = reason
	}
	if len(res.Matches) > 1 {
		slices.SortFunc(res.Matches, func(a, b Match) int {
			return cmp.Or(
				cmp.Compare(s.verdict(a), s.verdict(b)),
				cmp.Compare(a.Basis, b.Basis),
				compareListings(a.Listing, b.Listing),
			)
		})
	}
}

// verdict is the verdict that one match alone gives.
func (s *Screener) verdict(m Match) Verdict {
	switch {
	case m.Basis > BasisSameAccount:
		return VerdictRelated
	case s.x.snapshot.KindOf(m.Listing).Binding():
		return VerdictListed
	default:
		return VerdictAdvisory
	}
}
