package screen

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"

	"walletscreen/screen/address"
	"walletscreen/screen/pace"
)

// An Index answers whether addresses are listed in one snapshot. It is immutable
// and safe for use by many goroutines.
//
// It holds every listing, past and present, under its account keys, under the
// key and script hashes that relate accounts, and under its published text, so
// that what nobody can read still matches itself.
type Index struct {
	snapshot *Snapshot

	// All of these are in the order of the listings. There are millions of them in
	// large lists: indices instead of pointers keep the garbage collector out.
	texts    []publishedText
	readings []listedReading
	hashes   []listedHash
	tags     map[uint32]string // of the few readings that are one tag of a pooled account

	// Texts that are looked up are those of the listings, in their order, and then
	// those that they normalize to, where that is another.
	normalized []normalizedText

	byText    table // of texts
	byAccount table // of readings
	byHash    table // of hashes

	counts []ListCounts // by index of the list
}

// A publishedText is what was read in the text of the listing of the same index.
type publishedText struct {
	readings uint32 // the first of its readings; they end where those of the next begin
	unread   bool   // the text as it stands is no address
}

// A listedReading is one reading of a listing.
type listedReading struct {
	ledgers address.Ledgers
	listing uint32
	hashes  uint32 // the first of its hashes; they end where those of the next begin
	key     address.Key
	testnet bool
}

// A listedHash is one hash under which a reading meets related accounts.
type listedHash struct {
	hash    address.Hash
	reading uint32
}

// A normalizedText is what the text of a listing normalizes to.
type normalizedText struct {
	text    string
	listing uint32
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
func NewIndex(s *Snapshot) *Index { return (&Index{snapshot: Empty()}).Next(s) }

// Next builds the index of another snapshot: what NewIndex returns, sooner where
// the two have rows in common, whose texts are not read again.
func (x *Index) Next(s *Snapshot) *Index {
	n := len(s.listings)
	next := &Index{
		snapshot: s,
		texts:    make([]publishedText, 0, n),
		readings: make([]listedReading, 0, max(n, len(x.readings))+n/64),
		hashes:   make([]listedHash, 0, max(n, len(x.hashes))+n/64),
		tags:     map[uint32]string{},
		counts:   make([]ListCounts, len(s.lists)),
	}
	var parsed address.Parsed
	var pace pace.Pace
	same := x.alignment(s)
	normalized := x.normalized
	for i := range s.listings {
		pace.Step()
		was, ok := same.next(i)
		if !ok {
			next.read(i, &parsed)
			continue
		}
		for len(normalized) > 0 && normalized[0].listing < uint32(was) {
			normalized = normalized[1:]
		}
		if len(normalized) > 0 && normalized[0].listing == uint32(was) {
			next.normalized = append(next.normalized, normalizedText{normalized[0].text, uint32(i)})
		}
		next.takeOver(i, x, was)
	}
	next.fillTables(&pace)
	next.count(&pace)
	return next
}

// An alignment finds the rows of two snapshots that read alike, going through both
// in their order.
type alignment struct {
	was, is  *Snapshot
	at       int // a listing of was
	list, in int // a list of is, and its index in was; -1 for none
}

func (x *Index) alignment(s *Snapshot) *alignment {
	return &alignment{was: x.snapshot, is: s, list: -1}
}

// next returns the listing of the earlier snapshot that has the party, the text and
// the tag of the i-th of the later one, if there is one.
func (a *alignment) next(i int) (was int, ok bool) {
	l := &a.is.listings[i]
	party := &a.is.parties[l.Party]
	if party.List != a.list {
		a.list, a.in = party.List, -1
		if li, ok := a.was.listIndex(a.is.lists[a.list].ID); ok {
			a.in = li
		}
	}
	if a.in < 0 {
		return 0, false
	}
	for ; a.at < len(a.was.listings); a.at++ {
		o := &a.was.listings[a.at]
		p := &a.was.parties[o.Party]
		order := cmp.Compare(p.List, a.in)
		if order == 0 {
			order = strings.Compare(p.UID, party.UID)
		}
		if order == 0 {
			order = strings.Compare(o.Text, l.Text)
		}
		if order == 0 && o.Tag == l.Tag {
			return a.at, true
		}
		if order == 0 {
			order = cmp.Or(strings.Compare(o.Symbol, l.Symbol), strings.Compare(o.Tag, l.Tag))
		}
		if order > 0 {
			break
		}
	}
	return 0, false
}

// takeOver adds the i-th listing, which reads like one of an earlier index.
func (x *Index) takeOver(i int, from *Index, was int) {
	t := from.texts[was]
	x.texts = append(x.texts, publishedText{uint32(len(x.readings)), t.unread})
	end := len(from.readings)
	if was+1 < len(from.texts) {
		end = int(from.texts[was+1].readings)
	}
	for at := int(t.readings); at < end; at++ {
		r := from.readings[at]
		hashes := from.hashesOf(at)
		r.listing, r.hashes = uint32(i), uint32(len(x.hashes))
		if tag, ok := from.tags[uint32(at)]; ok {
			x.tags[uint32(len(x.readings))] = tag
		}
		for _, h := range hashes {
			x.hashes = append(x.hashes, listedHash{h.hash, uint32(len(x.readings))})
		}
		x.readings = append(x.readings, r)
	}
}

// hashesOf returns the hashes of a reading.
func (x *Index) hashesOf(reading int) []listedHash {
	end := len(x.hashes)
	if reading+1 < len(x.readings) {
		end = int(x.readings[reading+1].hashes)
	}
	return x.hashes[x.readings[reading].hashes:end]
}

// read reads the text of the i-th listing and adds it.
func (x *Index) read(i int, parsed *address.Parsed) {
	l := &x.snapshot.listings[i]
	// White space does not make a text too long to be read.
	address.Parse(strings.TrimSpace(l.Text), parsed)
	unread := parsed.Reason != address.ReasonNone
	x.texts = append(x.texts, publishedText{uint32(len(x.readings)), unread})
	// A query is normalized before it is looked up as text. If nothing is left of
	// what was published, it must not match whatever nothing is left of.
	if parsed.Text != l.Text && parsed.Text != "" {
		x.normalized = append(x.normalized, normalizedText{strings.Clone(parsed.Text), uint32(i)})
	}
	x.addReadings(i, parsed.Readings(), "")
	if unread {
		// A row may hold an address beside other words, or several of them. None
		// that is printed may be lost.
		for _, found := range address.ScanCell(l.Text).Found {
			x.addReadings(i, found.Readings, found.Tag)
		}
	}
}

// addReadings adds a listing under the readings of its text, or of an address in
// its text with the tag printed beside it.
func (x *Index) addReadings(listing int, readings []address.Reading, tag string) {
	var hashes [address.MaxHashes]address.Hash
	for i := range readings {
		r := &readings[i]
		if tag := cmp.Or(x.snapshot.listings[listing].Tag, tag, r.Tag); tag != "" {
			x.tags[uint32(len(x.readings))] = strings.Clone(tag)
		}
		first := uint32(len(x.hashes))
		for _, h := range r.AppendHashes(hashes[:0]) {
			x.hashes = append(x.hashes, listedHash{h, uint32(len(x.readings))})
		}
		x.readings = append(x.readings, listedReading{key: r.Key, ledgers: r.Ledgers, testnet: r.Testnet, listing: uint32(listing), hashes: first})
	}
}

// seed makes what publishers write and what queries ask fall in no order that
// anybody could foresee.
var seed = maphash.MakeSeed()

// fillTables makes everything be found.
func (x *Index) fillTables(pace *pace.Pace) {
	x.byText = newTable(len(x.texts) + len(x.normalized))
	for i := range len(x.texts) + len(x.normalized) {
		pace.Step()
		text := x.text(uint32(i))
		x.byText.add(uint32(i), maphash.String(seed, text), func(other uint32) bool { return x.text(other) == text })
	}
	x.byAccount = newTable(len(x.readings))
	for i := range x.readings {
		pace.Step()
		key := &x.readings[i].key
		x.byAccount.add(uint32(i), maphash.Bytes(seed, key[:]), func(other uint32) bool { return x.readings[other].key == *key })
	}
	x.byHash = newTable(len(x.hashes))
	for i := range x.hashes {
		pace.Step()
		hash := &x.hashes[i].hash
		x.byHash.add(uint32(i), maphash.Bytes(seed, hash[:]), func(other uint32) bool { return x.hashes[other].hash == *hash })
	}
}

// text returns one of the texts that are looked up.
func (x *Index) text(i uint32) string {
	if int(i) < len(x.texts) {
		return x.snapshot.listings[i].Text
	}
	return x.normalized[int(i)-len(x.texts)].text
}

// listingOf returns the listing of one of the texts that are looked up.
func (x *Index) listingOf(text uint32) uint32 {
	if int(text) < len(x.texts) {
		return text
	}
	return x.normalized[int(text)-len(x.texts)].listing
}

// count counts the listings.
func (x *Index) count(pace *pace.Pace) {
	lastParty := -1
	for i := range x.snapshot.listings {
		pace.Step()
		l := &x.snapshot.listings[i]
		li := x.snapshot.parties[l.Party].List
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
	}
	// Rows of one text are found one after the other, the last first, so those of
	// one list come together.
	for _, slot := range x.byText.slots {
		pace.Step()
		last := -1
		for at := uint32(slot); at != 0; at = x.byText.next[at-1] {
			if int(at-1) >= len(x.texts) {
				continue // another text normalizes to this one
			}
			l := &x.snapshot.listings[at-1]
			if li := x.snapshot.parties[l.Party].List; l.Delisted == 0 && li != last {
				last = li
				x.counts[li].Addresses++
				if x.texts[at-1].unread {
					x.counts[li].Unparsed++
				}
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
	x := s.x
	for at := x.byText.find(maphash.String(seed, text), func(i uint32) bool { return x.text(i) == text }); at != 0; at = x.byText.next[at-1] {
		listing := x.listingOf(at - 1)
		l := &x.snapshot.listings[listing]
		basis := BasisExactText
		switch {
		// What was published is the account with its tag; the text alone is not.
		case l.Tag != "":
			basis = BasisSameAccountOtherTag
		case l.Text != asked:
			basis = BasisSameAccount
		}
		s.match(listing, 0, basis, res)
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
	x := s.x
	var hashes [address.MaxHashes]address.Hash
	for _, h := range r.AppendHashes(hashes[:0]) {
		for at := x.byHash.find(maphash.Bytes(seed, h[:]), func(i uint32) bool { return x.hashes[i].hash == h }); at != 0; at = x.byHash.next[at-1] {
			if p := &x.readings[x.hashes[at-1].reading]; p.key != r.Key {
				s.match(p.listing, p.ledgers, relation(p, r), res)
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
	x := s.x
	for at := x.byAccount.find(maphash.Bytes(seed, r.Key[:]), func(i uint32) bool { return x.readings[i].key == r.Key }); at != 0; at = x.byAccount.next[at-1] {
		p := &x.readings[at-1]
		switch {
		case sameNetwork(p, r):
			basis := BasisSameAccount
			// A listing without a tag is of the whole account.
			if tag, ok := x.tags[at-1]; ok && !sameTag(tag, r.Tag) {
				basis = BasisSameAccountOtherTag
			}
			s.match(p.listing, p.ledgers, basis, res)
		default:
			s.match(p.listing, p.ledgers, relation(p, r), res)
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
func relation(p *listedReading, r *address.Reading) Basis {
	if isScript(address.Kind(p.key[0])) && isScript(r.Kind()) {
		return BasisSameScriptOtherLedger
	}
	return BasisSameKey
}

func isScript(k address.Kind) bool { return k == address.KindP2SH || k == address.KindWSH }

// sameNetwork reports whether a listed reading and a queried one with the same
// key can be one account: on a ledger of both, and not one on a test network and
// the other not.
func sameNetwork(p *listedReading, r *address.Reading) bool {
	return p.ledgers&r.Ledgers&^address.LedgerUnknown != 0 && p.testnet == r.Testnet
}

// match adds a listing if it counts for the query. ledgers are those on which it
// was read, none for its text alone.
func (s *Screener) match(listing uint32, ledgers address.Ledgers, basis Basis, res *Result) {
	l := &s.x.snapshot.listings[listing]
	if !s.asked[s.x.snapshot.parties[l.Party].List] || !s.counts(l) {
		return
	}
	if s.q.Network != 0 && ledgers != 0 && ledgers&s.q.Network == 0 {
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
