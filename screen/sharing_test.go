package screen

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// encode returns the encoding, made anew.
func (s *Snapshot) encode() []byte {
	encoding, _ := s.encodeBlocks()
	return encoding
}

// wantSameDecoding has data decoded with and without the help of have.
func wantSameDecoding(t interface{ Fatalf(string, ...any) }, have *Snapshot, data []byte) *Snapshot {
	if _, err := DecodeAfter(have, slices.Clone(data), Digest{1}); !errors.Is(err, ErrDigest) {
		t.Fatalf("decoding what has another digest: %v", err)
	}
	alone, aloneErr := Decode(slices.Clone(data))
	after, afterErr := DecodeAfter(have, slices.Clone(data), sha256.Sum256(data))
	if fmt.Sprint(aloneErr) != fmt.Sprint(afterErr) {
		t.Fatalf("decoding alone: %v, with another snapshot: %v", aloneErr, afterErr)
	}
	if aloneErr != nil {
		return nil
	}
	if diff := cmp.Diff(alone, after, sameContent); diff != "" {
		t.Fatalf("decoded with another snapshot (-alone +after):\n%s", diff)
	}
	if string(after.encode()) != string(data) {
		t.Fatalf("decoded with another snapshot, it encodes otherwise")
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(have.encoding)))
	for _, text := range textsOf(after) {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(text))); len(text) > 0 && at >= from && at < from+uintptr(len(have.encoding)) {
			t.Fatalf("%q lies in the encoding of the other snapshot", text)
		}
	}
	return after
}

// textsOf returns every text that a snapshot refers to.
func textsOf(s *Snapshot) (all []string) {
	for _, l := range s.lists {
		all = append(all, string(l.ID), l.Authority, l.Name, l.URL)
	}
	for _, p := range s.parties {
		all = append(all, p.UID)
		for _, v := range p.Versions {
			all = append(append(all, v.Name, v.URL), v.Programs...)
			for _, a := range v.Aliases {
				all = append(all, a.Name, a.Type)
			}
			for _, e := range v.Entries {
				all = append(all, e.LegalBasis)
			}
		}
	}
	for _, l := range s.listings {
		all = append(append(all, l.Text, l.Symbol, l.Tag, l.Reliability, l.Comment), l.SourceIDs...)
	}
	return all
}

// growing draws a history of lists, publications and dates, and returns the
// snapshots that it went through.
func growing(t *rapid.T) []*Snapshot {
	s := Empty()
	all := []*Snapshot{s}
	some := func(label string, texts ...string) string { return rapid.SampledFrom(texts).Draw(t, label) }
	for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
		list := rapid.SampledFrom([]List{sdn, own, advisory}).Draw(t, "list")
		var parties []PublishedParty
		for _, uid := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "10", "2", "\\", "ä", "x\ty"}), 0, 5, rapid.ID).Draw(t, "parties") {
			p := PublishedParty{UID: uid, Facts: Facts{Name: some("name", "A", "B", "C\nD"), Programs: []string{some("program", "P", "Q\\")}}}
			if rapid.Bool().Draw(t, "more facts") {
				p.Facts.Aliases = []Alias{{Name: some("alias", "X", "Y"), Type: "a.k.a."}, {Name: "Z", Weak: true}}
				p.Facts.Entries = []EntryEvent{{On: 20200101, LegalBasis: some("basis", "Order", "Law")}}
				p.Facts.URL, p.Facts.Type = "https://example.org", PartyEntity
			}
			for range rapid.IntRange(1, 3).Draw(t, "rows") {
				a := PublishedAddress{Text: some("text", "a", "b", "c\td", evm, " "+evm, evmLower, "first "+evm+", then "+tronText, tronText, "rDsbeomae4FXwgQTJp9Rs64Qg9vDiTCdBv", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"), Symbol: some("symbol", "", "ETH"), Tag: some("tag", "", "7")}
				if rapid.Bool().Draw(t, "remarks") {
					a.SourceIDs, a.Comment, a.Reliability = []string{"1", some("id", "2", "3\\")}, "remark", "Confirmed"
				}
				a.Kind = rapid.SampledFrom([]Kind{0, KindAdvisory, KindDesignation}).Draw(t, "kind")
				p.Addresses = append(p.Addresses, a)
			}
			parties = append(parties, p)
		}
		on := Date(20240100 + rapid.IntRange(1, 28).Draw(t, "day"))
		pub := publication(list, on, fmt.Sprint(step), parties...)
		next, _, err := s.Merge(list, pub)
		if err != nil {
			next, _, err = s.Backfill(list, pub)
		}
		if err != nil {
			t.Fatal(err)
		}
		s = next
		all = append(all, s)
		if n := len(s.listings); n > 0 && rapid.Bool().Draw(t, "dates") {
			l := &s.listings[rapid.IntRange(0, n-1).Draw(t, "dated")]
			from, _ := s.Interval(l)
			if next, _, err := s.DateRows(s.ListOf(l).ID, []RowDate{{UID: s.PartyOf(l).UID, Text: l.Text, Symbol: l.Symbol, Tag: l.Tag, AddedOn: from}}); err == nil {
				s = next
				all = append(all, s)
			}
		}
	}
	return all
}

// Whatever snapshot one has, an earlier, a later or an unrelated one, merged or
// decoded: what is decoded with its help is what is decoded without.
func TestDecodeAfterIsDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := growing(t), growing(t)
		all := append(one, other[len(other)-1])
		have := rapid.SampledFrom(all).Draw(t, "have")
		if rapid.Bool().Draw(t, "decoded") {
			have = wantSameDecoding(t, Empty(), have.Encoding())
		}
		for _, next := range all {
			after := wantSameDecoding(t, have, next.Encoding())
			// And so on, from what was taken over.
			wantSameDecoding(t, after, one[len(one)-1].Encoding())
		}
	})
}

// Whatever byte is changed, it is found as it is without another snapshot.
func TestDecodeAfterOneByteChanged(t *testing.T) {
	if raceEnabled {
		t.Skip("not run with -race: many snapshots, and one goroutine")
	}
	have := handmade(t, inOrder)
	valid := have.Encoding()
	for i := range valid {
		for _, c := range []byte{'\t', '\n', '1', valid[i] ^ 1} {
			data := slices.Clone(valid)
			data[i] = c
			wantSameDecoding(t, have, data)
		}
	}
	for n := 0; n < len(valid); n += 5 {
		wantSameDecoding(t, have, valid[:n])
	}
}

// What is taken over keeps nothing else in memory of where it came from.
func TestDecodeAfterKeepsNothing(t *testing.T) {
	one := handmade(t, inOrder).Encoding()
	data := slices.Clone(one)
	have, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	encoding := weak.Make(&data[0])
	next, err := DecodeAfter(have, slices.Clone(one), have.Digest())
	if err != nil {
		t.Fatal(err)
	}
	have, data = nil, nil
	runtime.GC()
	if encoding.Value() != nil {
		t.Error("the encoding of the snapshot before is still in memory")
	}
	if !slices.Equal(next.Encoding(), one) {
		t.Error("the snapshot is another")
	}
}

// What stands in both word for word is taken over, and nothing else.
func TestDecodeAfterTakesOver(t *testing.T) {
	var parties []PublishedParty
	for i := range 10 {
		parties = append(parties, party(fmt.Sprint(i), rows(fmt.Sprint("text ", i))...))
	}
	before := merged(t, Empty(), sdn, publication(sdn, 20240101, "before", parties...))
	before = merged(t, before, own, publication(own, 20240101, "own", party("x", row("a"))))
	parties[4].Addresses = rows("text 4", "text 44")
	parties = slices.Delete(parties, 7, 8)
	after := merged(t, before, sdn, publication(sdn, 20240102, "after", parties...))

	// Marks in the snapshot that one has show what came from there.
	have := *before
	have.listings = slices.Clone(before.listings)
	for i := range have.listings {
		have.listings[i].Comment = "taken over"
	}
	got, err := DecodeAfter(&have, slices.Clone(after.Encoding()), after.Digest())
	if err != nil {
		t.Fatal(err)
	}
	var decoded []string
	for i := range got.listings {
		if l := &got.listings[i]; l.Comment == "" {
			decoded = append(decoded, l.Text)
		}
	}
	if want := []string{"text 4", "text 44", "text 7"}; !slices.Equal(decoded, want) {
		t.Errorf("decoded %q, want %q, and all others taken over", decoded, want)
	}

	// Of a list of another kind, or with other publications, nothing is.
	for name, change := range map[string]func(*ListState){
		"another kind":        func(l *ListState) { l.Kind = KindAdvisory },
		"another publication": func(l *ListState) { l.Publications[0].PublishedOn-- },
		"one more":            func(l *ListState) { l.Publications = append(l.Publications, l.Publications[0], l.Publications[0]) },
	} {
		other := have
		other.lists = slices.Clone(have.lists)
		for i := range other.lists {
			other.lists[i].Publications = slices.Clone(other.lists[i].Publications)
			change(&other.lists[i])
		}
		got, err := DecodeAfter(&other, slices.Clone(after.Encoding()), after.Digest())
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(got.listings, func(l Listing) bool { return l.Comment != "" }) {
			t.Errorf("%s: something was taken over", name)
		}
	}
}

// Whatever index one has, what is built with its help is what is built without.
func TestNextIsNewIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := growing(t), growing(t)
		all := append(one, other[len(other)-1])
		x := NewIndex(rapid.SampledFrom(all).Draw(t, "have"))
		for _, s := range append(all, one[0], one[len(one)-1]) {
			x = x.Next(s)
			if want := NewIndex(s); !reflect.DeepEqual(x, want) {
				t.Fatalf("the index of\n%s\nis %+v, built anew %+v", s.Encoding(), x, want)
			}
		}
	})
}

// Texts that have not changed are not read again, and nothing else is taken over.
func TestNextTakesOver(t *testing.T) {
	before := merged(t, Empty(), sdn, publication(sdn, 20240101, "before", party("1", rows("a", "b", "d")...), party("2", rows("a")...)))
	after := merged(t, before, sdn, publication(sdn, 20240102, "after", party("1", rows("a", "b", "c", "d")...), party("3", rows("a")...)))
	x := NewIndex(before)
	marked := *x
	marked.texts = slices.Clone(x.texts)
	for i := range marked.texts {
		marked.texts[i].unread = false // they are unread
	}
	var read []string
	next := marked.Next(after)
	for i, text := range next.texts {
		if text.unread {
			read = append(read, after.PartyOf(&after.listings[i]).UID+" "+after.listings[i].Text)
		}
	}
	if want := []string{"1 c", "3 a"}; !slices.Equal(read, want) {
		t.Errorf("read %q, want %q", read, want)
	}
}

// FuzzDecodeAfter decodes one text with the help of another.
func FuzzDecodeAfter(f *testing.F) {
	valid := handmade(f, inOrder).Encoding()
	f.Add(valid, valid)
	f.Add(valid, []byte(strings.Replace(string(valid), "Lazarus", "LAZARUS", 1)))
	f.Add(Empty().Encoding(), valid)
	f.Add(valid, Empty().Encoding())
	f.Add(valid, partial(f).Encoding())
	f.Fuzz(func(t *testing.T, before, data []byte) {
		if len(before)+len(data) > 64<<10 {
			return // longer than what one run should take
		}
		if have, err := Decode(before); err == nil {
			wantSameDecoding(t, have, data)
		}
	})
}
