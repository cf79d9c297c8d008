package screen

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"walletscreen/screen/pace"
)

// The canonical encoding of a snapshot is a text that a person can read, that
// diff and grep work on, and whose `sha256sum` is the digest. It is a sequence
// of lines that end in "\n", of fields separated by "\t". In a field, "\\",
// "\t", "\n" and "\r" stand for backslash, tab, line feed and carriage return.
//
//	walletscreen-snapshot 1
//	list         id kind authority name url
//	publication  published_on sha256 records rows
//	party        uid
//	facts        since type name url
//	program      name
//	alias        strong|weak type name
//	entry        date legal_basis
//	kind         kind
//	added        date
//	address      listed delisted text symbol tag listed_on delisted_on reliability comment [source_id ...]
//	end          lists parties listings
//
// A list is followed by its publications, oldest first, then its parties by
// UID; a party by the versions of its facts, each with its programs (publisher's
// order), aliases and entries (sorted), then by its addresses. Before an address
// stand its kind, if that is not its list's, and the day on which its publisher
// says that it was added, if that is known. since, listed and
// delisted are ordinals of the list's publications; "-" is no publication.
// Dates are ISO 8601 or empty.
//
// Decode accepts exactly what encodeBlocks writes: one content, one text.
const encodingHeader = "walletscreen-snapshot 1\n"

// encodeBlocks returns the encoding, and where each party stands in it.
func (s *Snapshot) encodeBlocks() ([]byte, []block) {
	e := encoder{buf: make([]byte, 0, 4096+110*len(s.listings)+200*len(s.parties))}
	blocks := make([]block, 0, len(s.parties))
	e.buf = append(e.buf, encodingHeader...)
	party, listing := 0, 0
	for li := range s.lists {
		e.list(&s.lists[li])
		for ; party < len(s.parties) && s.parties[party].List == li; party++ {
			first := listing
			for listing < len(s.listings) && s.listings[listing].Party == party {
				listing++
			}
			begin := len(e.buf)
			e.party(&s.parties[party], s.listings[first:listing])
			blocks = append(blocks, block{begin, len(e.buf)})
		}
	}
	e.line("end", strconv.Itoa(len(s.lists)), strconv.Itoa(len(s.parties)), strconv.Itoa(len(s.listings)))
	return e.buf, blocks
}

// String returns the ordinal as it stands in the encoding, "-" for none.
func (n Ordinal) String() string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatUint(uint64(n), 10)
}

func aliasStrength(weak bool) string {
	if weak {
		return "weak"
	}
	return "strong"
}

// A block is the part of an encoding that is about one party.
type block struct{ begin, end int }

type encoder struct{ buf []byte }

// list writes a list with its publications.
func (e *encoder) list(l *ListState) {
	e.line("list", string(l.ID), l.Kind.String(), l.Authority, l.Name, l.URL)
	for i := range l.Publications {
		p := &l.Publications[i]
		e.line("publication", p.PublishedOn.String(), p.Digest.String(), strconv.Itoa(p.Records), strconv.Itoa(p.Rows))
	}
}

// party writes a party with its listings.
func (e *encoder) party(p *Party, listings []Listing) {
	e.line("party", p.UID)
	for i := range p.Versions {
		v := &p.Versions[i]
		e.line("facts", v.Since.String(), v.Type.String(), v.Name, v.URL)
		for _, program := range v.Programs {
			e.line("program", program)
		}
		for _, a := range v.Aliases {
			e.line("alias", aliasStrength(a.Weak), a.Type, a.Name)
		}
		for _, event := range v.Entries {
			e.line("entry", event.On.String(), event.LegalBasis)
		}
	}
	for i := range listings {
		l := &listings[i]
		if l.Kind != KindUnspecified {
			e.line("kind", l.Kind.String())
		}
		if l.AddedOn != 0 {
			e.line("added", l.AddedOn.String())
		}
		e.fields("address", l.Listed.String(), l.Delisted.String(), l.Text, l.Symbol, l.Tag,
			l.ListedOn.String(), l.DelistedOn.String(), l.Reliability, l.Comment)
		for _, id := range l.SourceIDs {
			e.field(id)
		}
		e.end()
	}
}

func (e *encoder) line(record string, fields ...string) {
	e.fields(record, fields...)
	e.end()
}

func (e *encoder) fields(record string, fields ...string) {
	e.buf = append(e.buf, record...)
	for _, f := range fields {
		e.field(f)
	}
}

func (e *encoder) end() { e.buf = append(e.buf, '\n') }

// escapes are the characters that do not stand for themselves in a field.
var escapes = [256]byte{'\\': '\\', '\t': 't', '\n': 'n', '\r': 'r'}

func (e *encoder) field(f string) {
	e.buf = append(e.buf, '\t')
	plain := 0 // where begins what was not written yet
	for i := range len(f) {
		if c := escapes[f[i]]; c != 0 {
			e.buf = append(append(e.buf, f[plain:i]...), '\\', c)
			plain = i + 1
		}
	}
	e.buf = append(e.buf, f[plain:]...)
}

// Decode reads a canonical encoding. The snapshot keeps data, which must not be
// changed afterwards. Anything that is not exactly the encoding of a snapshot is
// an error that names the line.
func Decode(data []byte) (*Snapshot, error) { return decode(nil, data, digestOf(data)) }

// decode reads an encoding that has the given digest, taking what it can from have.
func decode(have *Snapshot, data []byte, digest Digest) (*Snapshot, error) {
	d := decoder{data: data, have: have}
	s, err := d.snapshot()
	if err != nil {
		return nil, fmt.Errorf("decoding snapshot: line %d: %w", 1+bytes.Count(data[:d.at], []byte("\n")), err)
	}
	s.encoding, s.blocks, s.digest = data, d.blocks, digest
	return s, nil
}

type decoder struct {
	data   []byte
	at     int // where in data the line begins that is being read
	rest   int // where the next one begins
	fields []string
	ahead  ahead
	pace   pace.Pace

	// What has been read of data since begin is not known to be canonical yet: the
	// list that was read last, or, from its "party" on, the party with the listings
	// from first on.
	begin   int
	inParty bool
	first   int
	again   encoder
	blocks  []block // of the parties that were read

	have   *Snapshot // nil for none
	shared sharing

	ids      shelf[string]
	versions shelf[FactsVersion]
	aliases  shelf[Alias]
	entries  shelf[EntryEvent]
}

// ahead is what the lines before an address say of it.
type ahead struct {
	kind  Kind
	added Date
}

// A shelf gives out small slices of larger ones: a million of them on their own
// would keep the garbage collector busy.
type shelf[T any] struct{ room []T }

// take returns a slice of n zero elements, nil for none.
func (s *shelf[T]) take(n int) []T {
	if n == 0 {
		return nil
	}
	if n > len(s.room) {
		s.room = make([]T, max(n, 512))
	}
	taken := s.room[:n:n]
	s.room = s.room[n:]
	return taken
}

// next reads one line into d.fields; the record's name is d.fields[0].
func (d *decoder) next() error {
	d.at = d.rest
	i := bytes.IndexByte(d.data[d.at:], '\n')
	if i < 0 {
		return fmt.Errorf("%w: no line end", io.ErrUnexpectedEOF)
	}
	line := unsafe.String(unsafe.SliceData(d.data[d.at:]), i)
	d.rest += i + 1
	if !utf8.ValidString(line) {
		return errors.New("not valid UTF-8")
	}
	escaped := strings.IndexByte(line, '\\') >= 0
	d.fields = d.fields[:0]
	for more := true; more; {
		var f string
		f, line, more = strings.Cut(line, "\t")
		if escaped && strings.IndexByte(f, '\\') >= 0 {
			var err error
			if f, err = unescape(f); err != nil {
				return err
			}
		}
		if f == "" {
			// Even an empty part of data would keep all of it, and be looked at whenever
			// the garbage collector marks.
			f = ""
		}
		d.fields = append(d.fields, f)
	}
	return nil
}

// canonical refuses what was read since the last call, up to the line that is being
// read, unless it is exactly what encodeBlocks writes: whatever a field could be written
// as, only one way of writing it has this digest.
func (d *decoder) canonical(s *Snapshot) error {
	if d.begin == d.at {
		return nil
	}
	d.again.buf = d.again.buf[:0]
	if d.inParty {
		d.again.party(&s.parties[len(s.parties)-1], s.listings[d.first:])
		d.blocks = append(d.blocks, block{d.begin, d.at})
	} else {
		d.again.list(&s.lists[len(s.lists)-1])
	}
	if !bytes.Equal(d.again.buf, d.data[d.begin:d.at]) {
		d.at = d.begin
		return errors.New("not in canonical form, it or a line that belongs to it")
	}
	d.begin = d.at
	return nil
}

func unescape(f string) (string, error) {
	out := make([]byte, 0, len(f))
	for i := 0; i < len(f); i++ {
		c := f[i]
		if c == '\\' {
			i++
			if i == len(f) {
				return "", errors.New("backslash at the end of a field")
			}
			switch f[i] {
			case '\\':
				c = '\\'
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			default:
				return "", fmt.Errorf("unknown escape \\%c", f[i])
			}
		}
		out = append(out, c)
	}
	return string(out), nil
}

func (d *decoder) snapshot() (*Snapshot, error) {
	if !bytes.HasPrefix(d.data, []byte(encodingHeader)) {
		return nil, fmt.Errorf("does not begin with %q", strings.TrimSpace(encodingHeader))
	}
	d.rest, d.begin = len(encodingHeader), len(encodingHeader)
	s := d.room()
	for {
		d.pace.Step()
		if err := d.next(); err != nil {
			return nil, err
		}
		name := d.fields[0]
		if d.ahead != (ahead{}) && name != "kind" && name != "added" && name != "address" {
			return nil, fmt.Errorf("%s record out of place", name)
		}
		if name == "list" || name == "party" || name == "end" {
			if err := d.canonical(s); err != nil {
				return nil, err
			}
			if name == "party" && d.share(s) {
				continue
			}
			d.inParty, d.first = name == "party", len(s.listings)
		}
		if name == "end" {
			break
		}
		if err := d.record(s); err != nil {
			return nil, err
		}
	}
	want := []string{"end", strconv.Itoa(len(s.lists)), strconv.Itoa(len(s.parties)), strconv.Itoa(len(s.listings))}
	if !slices.Equal(d.fields, want) {
		return nil, fmt.Errorf("counts %q, want %q", d.fields[1:], want[1:])
	}
	if n := len(d.data) - d.rest; n > 0 {
		return nil, fmt.Errorf("%d bytes after the end", n)
	}
	return s, s.complete(&d.pace)
}

// room returns a snapshot with room for as much as the last line says, and no more
// than the data can hold.
func (d *decoder) room() *Snapshot {
	const shortestParty, shortestListing = len("party\t\n"), len("address\t1\t-\tx\t\t\t\t\t\t\n")
	end := d.data[bytes.LastIndexByte(d.data[:len(d.data)-1], '\n')+1:]
	var lists, parties, listings int
	if n, _ := fmt.Sscanf(string(end[:min(len(end), 100)]), "end\t%d\t%d\t%d\n", &lists, &parties, &listings); n < 3 {
		return new(Snapshot)
	}
	parties = min(max(parties, 0), len(d.data)/shortestParty)
	listings = min(max(listings, 0), len(d.data)/shortestListing)
	d.blocks = make([]block, 0, parties)
	return &Snapshot{parties: make([]Party, 0, parties), listings: make([]Listing, 0, listings)}
}

// fieldCount is how many fields a record has, its name among them, 0 for none that
// there is; address may have more.
func fieldCount(name string) int {
	switch name {
	case "party", "program", "kind", "added":
		return 2
	case "entry":
		return 3
	case "alias":
		return 4
	case "publication", "facts":
		return 5
	case "list":
		return 6
	case "address":
		return 10
	}
	return 0
}

// record adds one line to s.
func (d *decoder) record(s *Snapshot) error {
	var (
		list  *ListState
		party *Party
		facts *Facts
	)
	if n := len(s.lists); n > 0 {
		list = &s.lists[n-1]
	}
	if n := len(s.parties); n > 0 && s.parties[n-1].List == len(s.lists)-1 {
		party = &s.parties[n-1]
		if n := len(party.Versions); n > 0 {
			facts = &party.Versions[n-1].Facts
		}
	}
	name := d.fields[0]
	want := fieldCount(name)
	switch {
	case want == 0:
		return fmt.Errorf("unknown record %q", name)
	case len(d.fields) < want || len(d.fields) > want && name != "address":
		return fmt.Errorf("%s record with %d fields, want %d", name, len(d.fields)-1, want-1)
	case name == "publication" && (list == nil || party != nil),
		name == "party" && (list == nil || len(list.Publications) == 0),
		name == "facts" && (party == nil || len(s.listings) > 0 && s.listings[len(s.listings)-1].Party == len(s.parties)-1),
		(name == "program" || name == "alias" || name == "entry" || name == "kind" || name == "added" || name == "address") && facts == nil:
		return fmt.Errorf("%s record out of place", name)
	}
	f := d.fields[1:]
	switch name {
	case "list":
		kind, err := ParseKind(f[1])
		if err != nil {
			return err
		}
		l := ListState{List: List{ID: ListID(f[0]), Kind: kind, Authority: f[2], Name: f[3], URL: f[4]}}
		if list != nil && list.ID >= l.ID {
			return fmt.Errorf("list %q after %q", l.ID, list.ID)
		}
		if err := l.ID.Validate(); err != nil {
			return err
		}
		s.lists = append(s.lists, l)
	case "publication":
		p, err := decodePublication(f)
		if err != nil {
			return err
		}
		if n := len(list.Publications); n > 0 && list.Publications[n-1].PublishedOn > p.PublishedOn {
			return fmt.Errorf("publication of %s after one of %s", p.PublishedOn, list.Publications[n-1].PublishedOn)
		}
		list.Publications = append(list.Publications, p)
	case "party":
		p := Party{List: len(s.lists) - 1, UID: f[0]}
		if party != nil && compareParties(party, &p) >= 0 {
			return fmt.Errorf("party %q after %q", p.UID, party.UID)
		}
		s.parties = append(s.parties, p)
	case "facts":
		since, err := decodeOrdinal(f[0], list)
		if err != nil || since == 0 {
			return errors.Join(err, fmt.Errorf("facts of party %q since publication %q", party.UID, f[0]))
		}
		if n := len(party.Versions); n > 0 && party.Versions[n-1].Since >= since {
			return fmt.Errorf("facts of party %q since %d after %d", party.UID, since, party.Versions[n-1].Since)
		}
		kind, err := ParsePartyType(f[1])
		if err != nil {
			return err
		}
		party.Versions = append(party.Versions, FactsVersion{Since: since, Facts: Facts{Type: kind, Name: f[2], URL: f[3]}})
	case "program":
		facts.Programs = append(facts.Programs, f[0])
	case "alias":
		if f[0] != "strong" && f[0] != "weak" {
			return fmt.Errorf("alias strength %q", f[0])
		}
		a := Alias{Weak: f[0] == "weak", Type: f[1], Name: f[2]}
		if n := len(facts.Aliases); n > 0 && compareAliases(facts.Aliases[n-1], a) >= 0 {
			return errors.New("alias out of order or repeated")
		}
		facts.Aliases = append(facts.Aliases, a)
	case "entry":
		on, err := decodeDate(f[0])
		if err != nil {
			return err
		}
		e := EntryEvent{On: on, LegalBasis: f[1]}
		if n := len(facts.Entries); n > 0 && compareEntries(facts.Entries[n-1], e) >= 0 {
			return errors.New("entry out of order or repeated")
		}
		facts.Entries = append(facts.Entries, e)
	case "kind":
		kind, err := ParseKind(f[0])
		if err != nil {
			return err
		}
		if kind == list.Kind {
			return fmt.Errorf("address of kind %s, which is the list's", kind)
		}
		d.ahead.kind = kind
	case "added":
		on, err := ParseDate(f[0])
		if err != nil {
			return err
		}
		d.ahead.added = on
	case "address":
		l := Listing{Party: len(s.parties) - 1}
		if err := d.listing(&l, f, list); err != nil {
			return err
		}
		l.Kind, l.AddedOn = d.ahead.kind, d.ahead.added
		d.ahead = ahead{}
		if l.AddedOn != 0 && !list.canHaveAdded(&l, l.AddedOn) {
			return fmt.Errorf("address listed by publication %s cannot have been added on %s", l.Listed, l.AddedOn)
		}
		if len(s.listings) > d.first {
			before := &s.listings[len(s.listings)-1]
			if compareListings(before, &l) >= 0 {
				return errors.New("address out of order or repeated")
			}
			// Two open intervals of one row would leave one that no publication ends.
			if sameRow(before, &l) && (before.Delisted == 0 || before.Delisted >= l.Listed) {
				return fmt.Errorf("address listed by publication %s before it was delisted", l.Listed)
			}
		}
		s.listings = append(s.listings, l)
	}
	return nil
}

func decodePublication(f []string) (p PublicationRecord, err error) {
	if p.PublishedOn, err = ParseDate(f[0]); err != nil {
		return p, err
	}
	if p.Digest, err = ParseDigest(f[1]); err != nil {
		return p, err
	}
	if p.Digest.IsZero() {
		return p, errors.New("publication without a digest")
	}
	if p.Records, err = strconv.Atoi(f[2]); err != nil || p.Records < 0 {
		return p, fmt.Errorf("record count %q", f[2])
	}
	if p.Rows, err = strconv.Atoi(f[3]); err != nil || p.Rows < 0 {
		return p, fmt.Errorf("row count %q", f[3])
	}
	return p, nil
}

// listing reads the fields of an address.
func (d *decoder) listing(l *Listing, f []string, list *ListState) (err error) {
	if l.Listed, err = decodeOrdinal(f[0], list); err != nil {
		return err
	}
	if l.Delisted, err = decodeOrdinal(f[1], list); err != nil {
		return err
	}
	if l.Listed == 0 || l.Delisted != 0 && l.Delisted <= l.Listed {
		return fmt.Errorf("address listed by publication %s, delisted by %s", f[0], f[1])
	}
	if f[2] == "" {
		return errors.New("address without text")
	}
	l.Text, l.Symbol, l.Tag = f[2], f[3], f[4]
	if l.ListedOn, err = decodeDate(f[5]); err != nil {
		return err
	}
	if l.DelistedOn, err = decodeDate(f[6]); err != nil {
		return err
	}
	if err := l.check(); err != nil {
		return err
	}
	l.Reliability, l.Comment = f[7], f[8]
	before := ""
	l.SourceIDs = d.ids.take(len(f) - 9)
	for i, id := range f[9:] {
		if id <= before {
			return errors.New("publisher's ids out of order or repeated")
		}
		before = id
		l.SourceIDs[i] = id
	}
	return nil
}

func decodeDate(s string) (Date, error) {
	if s == "" {
		return 0, nil
	}
	return ParseDate(s)
}

func decodeOrdinal(s string, list *ListState) (Ordinal, error) {
	if s == "-" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 0 || n > uint64(len(list.Publications)) {
		return 0, fmt.Errorf("list %q has no publication %q", list.ID, s)
	}
	return Ordinal(n), nil
}

// complete checks what no single line can tell.
func (s *Snapshot) complete(pace *pace.Pace) error {
	for i := range s.lists {
		if len(s.lists[i].Publications) == 0 {
			return fmt.Errorf("list %q without a publication", s.lists[i].ID)
		}
	}
	next := 0
	for i := range s.parties {
		p := &s.parties[i]
		if len(p.Versions) == 0 || next == len(s.listings) || s.listings[next].Party != i {
			return fmt.Errorf("party %q without facts or addresses", p.UID)
		}
		for next < len(s.listings) && s.listings[next].Party == i {
			pace.Step()
			if l := &s.listings[next]; l.Listed < p.Versions[0].Since {
				return fmt.Errorf("party %q listed by publication %s, its facts since %s", p.UID, l.Listed, p.Versions[0].Since)
			}
			next++
		}
	}
	return nil
}

// A snapshot file is one line that names the snapshot, then its canonical
// encoding: `tail -n +2 FILE | sha256sum` gives the digest.
const fileHeader = "walletscreen-file 1"

// WriteTo writes the snapshot as a file.
func (s *Snapshot) WriteTo(w io.Writer) (int64, error) {
	head := fmt.Sprintf("%s\t%d\t%s\t%s\n", fileHeader, s.Sequence, s.CreatedAt.Format(time.RFC3339Nano), s.digest)
	n, err := io.WriteString(w, head)
	if err != nil {
		return int64(n), err
	}
	written := int64(n)
	for part := range slices.Chunk(s.encoding, 1<<20) {
		n, err := w.Write(part)
		if written += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

// ReadFile reads what WriteTo wrote, the whole of data, and verifies the digest.
// The snapshot keeps data.
func ReadFile(data []byte) (*Snapshot, error) {
	line, encoding, ok := bytes.Cut(data, []byte("\n"))
	f := strings.Split(string(line), "\t")
	if !ok || f[0] != fileHeader || len(f) != 4 {
		return nil, fmt.Errorf("reading snapshot file: does not begin with a line %q", fileHeader)
	}
	sequence, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("reading snapshot file: sequence %q", f[1])
	}
	createdAt, err := time.Parse(time.RFC3339Nano, f[2])
	if err != nil {
		return nil, fmt.Errorf("reading snapshot file: time of creation %q", f[2])
	}
	want, err := ParseDigest(f[3])
	if err != nil {
		return nil, fmt.Errorf("reading snapshot file: %w", err)
	}
	s, err := DecodeVerified(encoding, want)
	if err != nil {
		return nil, fmt.Errorf("reading snapshot file: %w", err)
	}
	return s.Named(sequence, createdAt), nil
}

// digestOf returns the SHA-256 of an encoding. It hashes parts: the scheduler cannot
// interrupt a hash, nor can a garbage collector that has to stop the world.
func digestOf(encoding []byte) (d Digest) {
	h := sha256.New()
	var pace pace.Pace
	for part := range slices.Chunk(encoding, 64<<10) {
		pace.Look()
		h.Write(part)
	}
	h.Sum(d[:0])
	return d
}

// ErrDigest says that a snapshot's bytes do not have the digest they should.
var ErrDigest = errors.New("snapshot does not have the digest it should")

// DecodeVerified is Decode of data whose digest is known beforehand. The digest
// is checked first; a difference is ErrDigest.
func DecodeVerified(data []byte, want Digest) (*Snapshot, error) {
	return DecodeAfter(nil, data, want)
}

// DecodeAfter is DecodeVerified for whoever has a snapshot already, nil for none:
// parties that stand in both word for word are taken from there and not decoded
// again. The result is the same, and keeps no part of have's encoding.
func DecodeAfter(have *Snapshot, data []byte, want Digest) (*Snapshot, error) {
	if got := digestOf(data); got != want {
		return nil, fmt.Errorf("%w: %s, want %s (%d bytes)", ErrDigest, got, want, len(data))
	}
	return decode(have, data, want)
}
