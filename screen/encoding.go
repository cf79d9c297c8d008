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
// Decode accepts exactly what encode writes: one content, one text.
const encodingHeader = "walletscreen-snapshot 1\n"

func (s *Snapshot) encode() []byte {
	e := encoder{buf: make([]byte, 0, 4096+110*len(s.listings)+200*len(s.parties))}
	e.buf = append(e.buf, encodingHeader...)
	party, listing := 0, 0
	for li := range s.lists {
		list := &s.lists[li]
		e.line("list", string(list.ID), list.Kind.String(), list.Authority, list.Name, list.URL)
		for i := range list.Publications {
			p := &list.Publications[i]
			e.line("publication", p.PublishedOn.String(), p.Digest.String(), strconv.Itoa(p.Records), strconv.Itoa(p.Rows))
		}
		for ; party < len(s.parties) && s.parties[party].List == li; party++ {
			p := &s.parties[party]
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
			for ; listing < len(s.listings) && s.listings[listing].Party == party; listing++ {
				l := &s.listings[listing]
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
	}
	e.line("end", strconv.Itoa(len(s.lists)), strconv.Itoa(len(s.parties)), strconv.Itoa(len(s.listings)))
	return e.buf
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

type encoder struct{ buf []byte }

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

func (e *encoder) field(f string) {
	e.buf = append(e.buf, '\t')
	if !strings.ContainsAny(f, "\\\t\n\r") {
		e.buf = append(e.buf, f...)
		return
	}
	for i := range len(f) {
		switch f[i] {
		case '\\':
			e.buf = append(e.buf, `\\`...)
		case '\t':
			e.buf = append(e.buf, `\t`...)
		case '\n':
			e.buf = append(e.buf, `\n`...)
		case '\r':
			e.buf = append(e.buf, `\r`...)
		default:
			e.buf = append(e.buf, f[i])
		}
	}
}

// Decode reads a canonical encoding. The snapshot keeps data, which must not be
// changed afterwards. Anything that is not exactly the encoding of a snapshot is
// an error that names the line.
func Decode(data []byte) (*Snapshot, error) {
	d := decoder{rest: data}
	s, err := d.snapshot()
	if err != nil {
		return nil, fmt.Errorf("decoding snapshot: line %d: %w", d.lineno, err)
	}
	// The last word on "exactly": whatever a field could be written as, only one
	// way of writing it has this digest.
	s.encoding = s.encode()
	if !bytes.Equal(s.encoding, data) {
		return nil, errors.New("decoding snapshot: not in canonical form")
	}
	s.encoding = data
	s.digest = sha256.Sum256(data)
	return s, nil
}

type decoder struct {
	rest   []byte
	lineno int
	fields []string
	ahead  ahead
}

// ahead is what the lines before an address say of it.
type ahead struct {
	kind  Kind
	added Date
}

// next reads one line into d.fields; the record's name is d.fields[0].
func (d *decoder) next() error {
	d.lineno++
	i := bytes.IndexByte(d.rest, '\n')
	if i < 0 {
		return fmt.Errorf("%w: no line end", io.ErrUnexpectedEOF)
	}
	line := unsafe.String(unsafe.SliceData(d.rest), i)
	d.rest = d.rest[i+1:]
	if !utf8.ValidString(line) {
		return errors.New("not valid UTF-8")
	}
	d.fields = d.fields[:0]
	for more := true; more; {
		var f string
		f, line, more = strings.Cut(line, "\t")
		if strings.IndexByte(f, '\\') >= 0 {
			var err error
			if f, err = unescape(f); err != nil {
				return err
			}
		}
		d.fields = append(d.fields, f)
	}
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
	if !bytes.HasPrefix(d.rest, []byte(encodingHeader)) {
		d.lineno = 1
		return nil, fmt.Errorf("does not begin with %q", strings.TrimSpace(encodingHeader))
	}
	d.rest, d.lineno = d.rest[len(encodingHeader):], 1
	s := new(Snapshot)
	for {
		if err := d.next(); err != nil {
			return nil, err
		}
		name := d.fields[0]
		if d.ahead != (ahead{}) && name != "kind" && name != "added" && name != "address" {
			return nil, fmt.Errorf("%s record out of place", name)
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
	if len(d.rest) > 0 {
		return nil, fmt.Errorf("%d bytes after the end", len(d.rest))
	}
	return s, s.complete()
}

// fieldCounts is how many fields each record has, its name among them; address
// may have more.
var fieldCounts = map[string]int{"list": 6, "publication": 5, "party": 2, "facts": 5, "program": 2, "alias": 4, "entry": 3, "kind": 2, "added": 2, "address": 10}

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
	want := fieldCounts[name]
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
		l, err := decodeListing(f, list)
		if err != nil {
			return err
		}
		l.Kind, l.AddedOn = d.ahead.kind, d.ahead.added
		d.ahead = ahead{}
		if l.AddedOn != 0 && !list.canHaveAdded(&l, l.AddedOn) {
			return fmt.Errorf("address listed by publication %s cannot have been added on %s", l.Listed, l.AddedOn)
		}
		l.Party = len(s.parties) - 1
		if n := len(s.listings); n > 0 {
			before := &s.listings[n-1]
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

func decodeListing(f []string, list *ListState) (l Listing, err error) {
	if l.Listed, err = decodeOrdinal(f[0], list); err != nil {
		return l, err
	}
	if l.Delisted, err = decodeOrdinal(f[1], list); err != nil {
		return l, err
	}
	if l.Listed == 0 || l.Delisted != 0 && l.Delisted <= l.Listed {
		return l, fmt.Errorf("address listed by publication %s, delisted by %s", f[0], f[1])
	}
	if f[2] == "" {
		return l, errors.New("address without text")
	}
	l.Text, l.Symbol, l.Tag = f[2], f[3], f[4]
	if l.ListedOn, err = decodeDate(f[5]); err != nil {
		return l, err
	}
	if l.DelistedOn, err = decodeDate(f[6]); err != nil {
		return l, err
	}
	if err := l.check(); err != nil {
		return l, err
	}
	l.Reliability, l.Comment = f[7], f[8]
	before := ""
	for _, id := range f[9:] {
		if id <= before {
			return l, errors.New("publisher's ids out of order or repeated")
		}
		before = id
		l.SourceIDs = append(l.SourceIDs, id)
	}
	return l, nil
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
func (s *Snapshot) complete() error {
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
	m, err := w.Write(s.encoding)
	return int64(n + m), err
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

// ErrDigest says that a snapshot's bytes do not have the digest they should.
var ErrDigest = errors.New("snapshot does not have the digest it should")

// DecodeVerified is Decode of data whose digest is known beforehand. The digest
// is checked first; a difference is ErrDigest.
func DecodeVerified(data []byte, want Digest) (*Snapshot, error) {
	if got := Digest(sha256.Sum256(data)); got != want {
		return nil, fmt.Errorf("%w: %s, want %s (%d bytes)", ErrDigest, got, want, len(data))
	}
	return Decode(data)
}
