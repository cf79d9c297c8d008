package screen

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"walletscreen/screen/absent"
)

// handmade is a snapshot that uses every record and every field.
func handmade(t testing.TB, shuffle func(n int, swap func(i, j int))) *Snapshot {
	t.Helper()
	lazarus := PublishedParty{
		UID: "22985",
		Facts: Facts{
			Name: "Lazarus Group", Type: PartyEntity, Programs: []string{"DPRK3", "CYBER2"}, URL: "https://example.org/22985",
			Aliases: []Alias{{Name: "Hidden Cobra", Type: "a.k.a."}, {Name: "Ο Λάζαρος", Type: "a.k.a.", Weak: true}, {Name: "Guardians", Type: "f.k.a."}},
			Entries: []EntryEvent{{On: 20190913, LegalBasis: "Executive Order 13722"}, {LegalBasis: "undated"}},
		},
		Addresses: []PublishedAddress{
			{Text: "0x098B716B8Aaf21512996dC57EB0615e2383E2f96", Symbol: "ETH", SourceIDs: []string{"2", "10"}, Reliability: "Confirmed"},
			{Text: "0x098B716B8Aaf21512996dC57EB0615e2383E2f96", Symbol: "ETH", SourceIDs: []string{"7"}, Comment: "seen twice"},
			{Text: " unreadable\twith\\every\nescape\r", Symbol: "XMR"},
			{Text: "rPooledAccount", Symbol: "XRP", Tag: "1234"},
		},
	}
	person := party("9", row("1BoatSLRHtKNngkdXEeobR76b53LETtpyT"))
	person.Facts.Type = PartyIndividual
	renamed := person
	renamed.Facts.Name, renamed.Facts.Programs = "Renamed", []string{"CYBER2"}
	internal := party("a", PublishedAddress{Text: "0x00000000000000000000000000000000000000aa", ListedOn: 20230201, DelistedOn: 20230301})

	type step struct {
		list List
		pub  *Publication
	}
	// Publications of one list keep their order; the lists arrive in any.
	perList := [][]step{
		{
			{sdn, publication(sdn, 20240101, "sdn 1", lazarus, person)},
			{sdn, publication(sdn, 20240102, "sdn 2", lazarus)},
			{sdn, publication(sdn, 20240102, "sdn 3", renamed, lazarus)},
		},
		{{own, publication(own, 20230101, "own 1", internal)}},
		{{advisory, publication(advisory, 20220101, "fbi 1", party("x", row("1BoatSLRHtKNngkdXEeobR76b53LETtpyT")))}},
	}
	shuffle(len(perList), func(i, j int) { perList[i], perList[j] = perList[j], perList[i] })
	s := Empty()
	for _, steps := range perList {
		for _, step := range steps {
			pub := *step.pub
			pub.Parties = slices.Clone(pub.Parties)
			shuffle(len(pub.Parties), func(i, j int) { pub.Parties[i], pub.Parties[j] = pub.Parties[j], pub.Parties[i] })
			for i := range pub.Parties {
				p := &pub.Parties[i]
				p.Addresses, p.Facts.Aliases, p.Facts.Entries = slices.Clone(p.Addresses), slices.Clone(p.Facts.Aliases), slices.Clone(p.Facts.Entries)
				shuffle(len(p.Addresses), func(i, j int) { p.Addresses[i], p.Addresses[j] = p.Addresses[j], p.Addresses[i] })
				shuffle(len(p.Facts.Aliases), func(i, j int) { p.Facts.Aliases[i], p.Facts.Aliases[j] = p.Facts.Aliases[j], p.Facts.Aliases[i] })
				shuffle(len(p.Facts.Entries), func(i, j int) { p.Facts.Entries[i], p.Facts.Entries[j] = p.Facts.Entries[j], p.Facts.Entries[i] })
			}
			s = merged(t, s, step.list, &pub)
		}
	}
	return s
}

func inOrder(int, func(i, j int)) {}

func TestEncodingGolden(t *testing.T) {
	s := handmade(t, inOrder)
	if diff := cmp.Diff(string(golden(t, "testdata/snapshot.golden", s.Encoding())), string(s.Encoding())); diff != "" {
		t.Errorf("canonical encoding (-want +got):\n%s", diff)
	}
	if got := Digest(sha256.Sum256(s.Encoding())); got != s.Digest() {
		t.Errorf("digest %s, want %s, that of the encoding", s.Digest(), got)
	}
}

func TestDigestWhateverTheOrder(t *testing.T) {
	want := handmade(t, inOrder)
	for seed := range uint64(50) {
		got := handmade(t, rand.New(rand.NewPCG(seed, 0)).Shuffle)
		if !got.Equal(want) {
			t.Fatalf("seed %d: another digest (-want +got):\n%s", seed, cmp.Diff(string(want.Encoding()), string(got.Encoding())))
		}
	}
}

var sameContent = cmp.Options{
	cmp.AllowUnexported(Snapshot{}, block{}),
	cmpopts.IgnoreFields(Snapshot{}, "Sequence", "CreatedAt"),
	cmpopts.EquateEmpty(),
}

func TestDecodeReadsWhatEncodeWrites(t *testing.T) {
	for name, want := range map[string]*Snapshot{"empty": Empty(), "handmade": handmade(t, inOrder)} {
		got, err := Decode(slices.Clone(want.Encoding()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got, sameContent); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		if !bytes.Equal(got.encode(), want.Encoding()) {
			t.Errorf("%s: encodes otherwise after decoding", name)
		}
	}
}

func TestDecodeOneByteChanged(t *testing.T) {
	if raceEnabled {
		t.Skip("not run with -race: many snapshots, and one goroutine")
	}
	valid := handmade(t, inOrder).Encoding()
	want := Digest(sha256.Sum256(valid))
	for i := range valid {
		for _, c := range []byte{0, '\t', '\n', '\r', ' ', '-', '0', '1', '9', 'a', '\\', 'n', 0x7f, 0x80, 0xff, valid[i] ^ 1, valid[i] ^ 0x20} {
			if c == valid[i] {
				continue
			}
			data := slices.Clone(valid)
			data[i] = c
			s, err := Decode(data)
			if err != nil {
				continue
			}
			if s.Digest() == want || !bytes.Equal(s.encode(), data) {
				t.Errorf("byte %d %q as %q decodes, to digest %s", i, valid[i], c, s.Digest())
			}
		}
	}
}

func TestDecodeTruncated(t *testing.T) {
	valid := handmade(t, inOrder).Encoding()
	for n := range valid {
		if _, err := Decode(valid[:n:n]); err == nil {
			t.Errorf("the first %d of %d bytes decode", n, len(valid))
		}
	}
	_, err := Decode(valid[:len(valid)-1])
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("without the last line end: %v, want an unexpected end", err)
	}
}

// small is the encoding that the cases of TestDecodeStrict change.
const small = `walletscreen-snapshot 1
list	a	designation	A	List A	https://example.org/a
publication	2024-01-01	1111111111111111111111111111111111111111111111111111111111111111	2	3
publication	2024-01-02	2222222222222222222222222222222222222222222222222222222222222222	2	3
party	1
facts	1	entity	Name	
program	P2
program	P1
alias	strong	a.k.a.	One
alias	strong	a.k.a.	Two
alias	weak	a.k.a.	One
entry	2020-01-01	Order 1
entry	2020-01-02	Order 2
facts	2		Other name	
address	1	2	x	XBT		2024-01-01	2024-05-01			i1	i2
address	2	-	x	XBT		2024-01-02				
address	1	-	y	XBT					
party	2
facts	2		Name	
address	2	-	x	XBT					
list	b	internal			
publication	2024-01-01	3333333333333333333333333333333333333333333333333333333333333333	0	0
end	2	2	4
`

func TestDecodeStrict(t *testing.T) {
	// The fields of address: listed delisted text symbol tag listed_on delisted_on reliability comment ids.
	valid := strings.Replace(small, "2024-01-02\t\t\t\t\n", "2024-01-02\t\t\t\n", 1)
	if _, err := Decode([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"another header", "snapshot 1\n", "snapshot 2\n", `line 1: does not begin with "walletscreen-snapshot 1"`},
		{"nothing", valid, "", "line 1: does not begin"},
		{"CRLF", "\n", "\r\n", "line 1: does not begin"},
		{"a carriage return in a field", "List A", "List A\r", "not in canonical form"},
		{"a carriage return at the end of a line", "alias\tweak\ta.k.a.\tOne", "alias\tweak\ta.k.a.\tOne\r", "not in canonical form"},
		{"bytes after the end", "end\t2\t2\t4\n", "end\t2\t2\t4\nx", "line 23: 1 bytes after the end"},
		{"a second end", "end\t2\t2\t4\n", "end\t2\t2\t4\nend\t2\t2\t4\n", "10 bytes after the end"},
		{"no end", "end\t2\t2\t4\n", "", "no line end"},
		{"wrong count of lists", "end\t2\t2\t4", "end\t1\t2\t4", "line 23: counts"},
		{"wrong count of parties", "end\t2\t2\t4", "end\t2\t3\t4", "counts"},
		{"wrong count of listings", "end\t2\t2\t4", "end\t2\t2\t5", "counts"},
		{"padded count", "end\t2\t2\t4", "end\t02\t2\t4", "counts"},
		{"a count too many", "end\t2\t2\t4", "end\t2\t2\t4\t0", "counts"},
		{"unknown record", "party\t2\n", "person\t2\n", `line 18: unknown record "person"`},
		{"empty line", "party\t2\n", "\nparty\t2\n", "unknown record"},
		{"a field too many", "party\t2\n", "party\t2\t\n", "party record with 2 fields, want 1"},
		{"a field too few", "Name\t\nprogram", "Name\nprogram", "facts record with 3 fields, want 4"},
		{"an address with a field too few", "2\t-\tx\tXBT\t\t\t\t\t\nlist", "2\t-\tx\tXBT\t\t\t\t\nlist", "address record with 8 fields, want 9"},
		{"unknown kind", "designation", "designations", "unknown list kind"},
		{"no kind", "a\tdesignation", "a\t", "unknown list kind"},
		{"invalid list id", "list\ta\t", "list\tA\t", "only lower-case letters"},
		{"lists out of order", "list\ta\t", "list\tc\t", `list "b" after "c"`},
		{"one list twice", "list\tb\t", "list\ta\t", `list "a" after "a"`},
		{"list without a publication", "publication\t2024-01-01\t3333333333333333333333333333333333333333333333333333333333333333\t0\t0\n", "", `list "b" without a publication`},
		{"no publication before the party", "publication\t2024-01-01\t1111111111111111111111111111111111111111111111111111111111111111\t2\t3\npublication\t2024-01-02\t2222222222222222222222222222222222222222222222222222222222222222\t2\t3\n", "", "party record out of place"},
		{"publication after the parties", "list\tb", "publication\t2024-01-03\t4444444444444444444444444444444444444444444444444444444444444444\t2\t3\nlist\tb", "publication record out of place"},
		{"publications against the order of time", "publication\t2024-01-02", "publication\t2023-01-02", "publication of 2023-01-02 after one of 2024-01-01"},
		{"no such date", "publication\t2024-01-02", "publication\t2024-02-30", "2024-02-30"},
		{"no date", "publication\t2024-01-02", "publication\t", "not of the form"},
		{"another form of date", "publication\t2024-01-02", "publication\t2024-1-2", "not of the form"},
		{"digest in capitals", "\t1111111111111111111111111111111111111111111111111111111111111111", "\tA111111111111111111111111111111111111111111111111111111111111111", "digest"},
		{"short digest", "\t1111111111111111111111111111111111111111111111111111111111111111", "\t111111111111111111111111111111111111111111111111111111111111111", "digest"},
		{"zero digest", "\t1111111111111111111111111111111111111111111111111111111111111111", "\t0000000000000000000000000000000000000000000000000000000000000000", "publication without a digest"},
		{"negative count", "\t2\t3\nparty", "\t-2\t3\nparty", `record count "-2"`},
		{"signed count", "\t2\t3\nparty", "\t+2\t3\nparty", "not in canonical form"},
		{"negative rows", "\t2\t3\nparty", "\t2\t-3\nparty", `row count "-3"`},
		{"count over all bounds", "\t2\t3\nparty", "\t2\t99999999999999999999\nparty", "row count"},
		{"one party twice", "party\t2\n", "party\t1\n", `party "1" after "1"`},
		{"parties out of order", "party\t2\n", "party\t0\n", `party "0" after "1"`},
		{"party without facts", "facts\t2\t\tName\t\n", "", "address record out of place"},
		{"party without addresses", "address\t2\t-\tx\tXBT\t\t\t\t\t\nlist", "list", "counts"},
		{"party without addresses, counted so", "address\t2\t-\tx\tXBT\t\t\t\t\t\nlist\tb\tinternal\t\t\t\npublication\t2024-01-01\t3333333333333333333333333333333333333333333333333333333333333333\t0\t0\nend\t2\t2\t4", "end\t1\t2\t3", `party "2" without facts or addresses`},
		{"party listed before its facts", "address\t2\t-\tx\tXBT\t\t\t\t\t\nlist", "address\t1\t-\tx\tXBT\t\t\t\t\t\nlist", `party "2" listed by publication 1, its facts since 2`},
		{"facts since no publication", "facts\t1", "facts\t-", "facts of party"},
		{"facts since a publication to come", "facts\t2\t\tOther", "facts\t3\t\tOther", `no publication "3"`},
		{"facts since publication 0", "facts\t1", "facts\t0", `no publication "0"`},
		{"padded ordinal", "facts\t1", "facts\t01", "not in canonical form"},
		{"facts against the order of time", "facts\t1", "facts\t2", "since 2 after 2"},
		{"unknown type of party", "facts\t1\tentity", "facts\t1\tcompany", "unknown party type"},
		{"facts after an address", "party\t2\n", "facts\t2\t\tName\t\nparty\t2\n", "facts record out of place"},
		{"alias neither strong nor weak", "alias\tweak", "alias\tbad", "alias strength"},
		{"aliases out of order", "alias\tstrong\ta.k.a.\tOne", "alias\tstrong\ta.k.a.\tZero", "alias out of order or repeated"},
		{"alias repeated", "alias\tstrong\ta.k.a.\tTwo", "alias\tstrong\ta.k.a.\tOne", "alias out of order or repeated"},
		{"alias before the programs", "program\tP2\n", "alias\tstrong\t\t\nprogram\tP2\n", "not in canonical form"},
		{"entries out of order", "entry\t2020-01-01", "entry\t2021-01-01", "entry out of order or repeated"},
		{"entry repeated", "entry\t2020-01-02\tOrder 2", "entry\t2020-01-01\tOrder 1", "entry out of order or repeated"},
		{"entry of no such day", "entry\t2020-01-01", "entry\t2020-01-32", "2020-01-32"},
		{"address listed by nothing", "address\t1\t2\t", "address\t-\t2\t", "listed by publication -"},
		{"address delisted before it was listed", "address\t2\t-\tx\tXBT\t\t2024-01-02", "address\t2\t1\tx\tXBT\t\t2024-01-02", "listed by publication 2, delisted by 1"},
		{"address delisted as it was listed", "address\t1\t2\t", "address\t2\t2\t", "listed by publication 2, delisted by 2"},
		{"address without text", "address\t1\t-\ty", "address\t1\t-\t", "address without text"},
		{"addresses out of order", "address\t1\t-\ty", "address\t1\t-\ta", "address out of order or repeated"},
		{"address repeated", "address\t1\t-\ty\tXBT\t\t\t", "address\t2\t-\tx\tXBT\t\t2024-01-02\t", "address out of order or repeated"},
		{"interval in an open one", "address\t1\t2\tx\tXBT\t\t2024-01-01\t2024-05-01\t\t\ti1\ti2", "address\t1\t-\tx\tXBT\t\t2024-01-02\t\t\t", "address listed by publication 2 before it was delisted"},
		{"interval that touches the one before", "address\t1\t2\tx\tXBT\t\t2024-01-01\t2024-05-01\t\t\ti1\ti2", "address\t1\t2\tx\tXBT\t\t2024-01-02\t\t\t", "address listed by publication 2 before it was delisted"},
		{"printed end before the start", "2024-01-01\t2024-05-01", "2024-01-01\t2023-05-01", "printed end 2023-05-01 before the start 2024-01-01"},
		{"source ids out of order", "\ti1\ti2", "\ti2\ti1", "publisher's ids out of order or repeated"},
		{"source id repeated", "\ti1\ti2", "\ti1\ti1", "publisher's ids out of order or repeated"},
		{"empty source id", "\ti1\ti2", "\t\ti2", "publisher's ids out of order or repeated"},
		{"unknown escape", "List A", `List \A`, `unknown escape \A`},
		{"backslash at the end of a field", "List A", `List \`, "backslash at the end of a field"},
		{"not UTF-8", "List A", "List \xff", "line 2: not valid UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := 1
			if test.name == "CRLF" {
				n = -1
			}
			data := strings.Replace(valid, test.old, test.new, n)
			if data == valid {
				t.Fatal("the case changes nothing")
			}
			_, err := Decode([]byte(data))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestSnapshotFile(t *testing.T) {
	created := time.Date(2025, 11, 4, 12, 30, 0, 123_456_789, time.FixedZone("", 3600))
	want := handmade(t, inOrder).Named(42, created)
	var file bytes.Buffer
	n, err := want.WriteTo(&file)
	if err != nil || n != int64(file.Len()) {
		t.Fatalf("WriteTo: %d bytes of %d, %v", n, file.Len(), err)
	}
	head, _, _ := strings.Cut(file.String(), "\n")
	if want := "walletscreen-file 1\t42\t2025-11-04T11:30:00.123Z\t" + want.Digest().String(); head != want {
		t.Errorf("first line %q, want %q", head, want)
	}
	got, err := ReadFile(bytes.Clone(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Sequence != 42 || !got.CreatedAt.Equal(want.CreatedAt) || !got.Equal(want) {
		t.Errorf("read back %v of %v, want %v of %v", got, got.CreatedAt, want, want.CreatedAt)
	}

	t.Run("sha256sum", func(t *testing.T) {
		tail := exec.Command("sh", "-c", "tail -n +2 | sha256sum")
		tail.Stdin = bytes.NewReader(file.Bytes())
		out, err := tail.Output()
		if err != nil {
			absent.Skip(t, "tail or sha256sum is absent: that they give the digest of a snapshot file is not run")
		}
		if got := strings.Fields(string(out))[0]; got != want.Digest().String() {
			t.Errorf("tail -n +2 | sha256sum gives %s, want %s", got, want.Digest())
		}
	})

	for name, change := range map[string]func(string) string{
		"nothing":             func(string) string { return "" },
		"an encoding alone":   func(s string) string { return s[strings.IndexByte(s, '\n')+1:] },
		"a field too many":    func(s string) string { return strings.Replace(s, "\n", "\tx\n", 1) },
		"no sequence":         func(s string) string { return strings.Replace(s, "\t42\t", "\t\t", 1) },
		"a negative sequence": func(s string) string { return strings.Replace(s, "\t42\t", "\t-42\t", 1) },
		"no time":             func(s string) string { return strings.Replace(s, "2025-11-04T", "2025-11-04 ", 1) },
		"CRLF":                func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"the last byte lost":  func(s string) string { return s[:len(s)-1] },
		"a byte more":         func(s string) string { return s + "\n" },
		"a changed address":   func(s string) string { return strings.Replace(s, "0x098B", "0x198B", 1) },
	} {
		if _, err := ReadFile([]byte(change(file.String()))); err == nil {
			t.Errorf("%s: read without an error", name)
		}
	}
	_, err = ReadFile([]byte(strings.Replace(file.String(), "0x098B", "0x198B", 1)))
	if !errors.Is(err, ErrDigest) {
		t.Errorf("a changed address: %v, want ErrDigest", err)
	}
}

func TestWriteToFails(t *testing.T) {
	s := handmade(t, inOrder)
	for _, limit := range []int{0, 10, 200} {
		n, err := s.WriteTo(&fullDisk{limit})
		if !errors.Is(err, errFull) || n != int64(limit) {
			t.Errorf("with room for %d bytes: %d bytes, %v", limit, n, err)
		}
	}
}

var errFull = errors.New("no room")

// fullDisk takes so many bytes and no more.
type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(d.room, len(p))
	d.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(Empty().Encoding())
	f.Add([]byte(small))
	f.Add(handmade(f, inOrder).Encoding())
	f.Add(partial(f).Encoding())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 64<<10 {
			return // longer than what one run should take
		}
		s, err := Decode(data)
		if err != nil {
			if s != nil {
				t.Error("a snapshot beside an error")
			}
			return
		}
		if again := s.encode(); !bytes.Equal(again, data) {
			t.Errorf("encodes again as %q", again)
		}
		// What decodes can be screened against, be merged into and be dated.
		screener := NewIndex(s).Screener(Query{Today: 20250101, AsOf: 20230101})
		var dates []RowDate
		for i := range s.Listings() {
			l := &s.Listings()[i]
			screener.Screen(l.Text, new(Result))
			from, _ := s.Interval(l)
			dates = append(dates, RowDate{UID: s.PartyOf(l).UID, Text: l.Text, Symbol: l.Symbol, Tag: l.Tag, AddedOn: from})
		}
		for _, list := range s.Lists() {
			decodes := func(next *Snapshot, err error) {
				if err != nil {
					return
				}
				again, err := Decode(next.Encoding())
				if err != nil {
					t.Fatalf("after a change: %v", err)
				}
				if diff := cmp.Diff(next, again, sameContent); diff != "" {
					t.Errorf("after a change, decoded (-want +got):\n%s", diff)
				}
			}
			next, _, err := s.Merge(list.List, &Publication{List: list.ID, PublishedOn: 99991231, Digest: Digest{1}})
			decodes(next, err)
			for _, on := range []Date{10000101, list.Current().PublishedOn} {
				next, _, err = s.Backfill(list.List, &Publication{List: list.ID, PublishedOn: on, Digest: Digest{1}})
				decodes(next, err)
			}
			next, _, err = s.DateRows(list.ID, dates)
			decodes(next, err)
		}
	})
}

func ExampleDate() {
	d, err := NewDate(2025, 11, 4)
	fmt.Println(d, err)
	_, err = NewDate(2025, 2, 29)
	fmt.Println(err)
	// Output:
	// 2025-11-04 <nil>
	// no such date: year 2025, month 2, day 29
}
