package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/store"
)

func TestWriteLists(t *testing.T) {
	at := time.Date(2025, 11, 5, 12, 0, 0, 0, time.UTC)
	held := &pb.HeldPublication{
		Since: timestamppb.New(at), PublishedOn: "2025-11-05", Sha256: strings.Repeat("ab", 32), Source: "https://example.org/new",
		Why: "6 of 10 rows are gone\x1b[2J" + strings.Repeat(", and more", 20), Listed: 1, Delisted: 6, Amended: 2,
	}
	first := &pb.HeldPublication{Since: timestamppb.New(at), Sha256: strings.Repeat("cd", 32), Source: "own.csv", Why: "no rows"}
	var got strings.Builder
	writeLists(&got, &pb.GetSnapshotResponse{
		Snapshot: &pb.SnapshotRef{Sequence: 7, Digest: "ef", CreatedAt: timestamppb.New(at)},
		Lists: []*pb.ListStatus{
			{
				ListId: "us-ofac-sdn", Kind: pb.ListKind_LIST_KIND_DESIGNATION, Publication: &pb.PublicationRef{PublishedOn: "2025-11-04"},
				FirstPublication: &pb.PublicationRef{PublishedOn: "2025-10-30"}, VerifiedAt: timestamppb.New(at), Age: durationpb.New(time.Hour), Held: held,
			},
			{ListId: "x", Kind: pb.ListKind_LIST_KIND_INTERNAL, Publication: &pb.PublicationRef{PublishedOn: "2025-11-04"}, FirstPublication: &pb.PublicationRef{PublishedOn: "2025-11-04"}},
		},
		HeldFirst:  []*pb.HeldList{{ListId: "own", Held: first}},
		NotCovered: []*pb.UncoveredList{{ListId: "kr-list", Authority: "Seoul", Name: "A list", Why: "published as pictures", Url: "https://example.org/kr"}},
		Notices:    []*pb.Notice{{Message: "something"}},
	})
	want := `snapshot 7, digest ef, published 2025-11-05T12:00:00Z

LIST         KIND         PUBLISHED   VERIFIED              AGE  PARTIES  ADDRESSES  UNREADABLE  DELISTED  HISTORY FROM  LAST CHANGE  SOURCE
us-ofac-sdn  designation  2025-11-04  2025-11-05T12:00:00Z  1h   0        0          0           0         2025-10-30    +0 -0
x            internal     2025-11-04  never                 0s   0        0          0           0         2025-11-04    +0 -0

us-ofac-sdn HELD since 2025-11-05T12:00:00Z: 6 of 10 rows are gone` + "\uFFFD" + `[2J` + strings.Repeat(", and more", 20) + `
  publication of 2025-11-05 (abababababab)
  would list 1 row, delist 6 and amend 2; read from https://example.org/new

own HELD since 2025-11-05T12:00:00Z: no rows
  publication (cdcdcdcdcdcd), the first of the list: nothing of it is served
  would list 0 rows, delist 0 and amend 0; read from own.csv

NOT COVERED: lists that are not loaded; nothing is said about the addresses on them
kr-list  Seoul: A list
    published as pictures
    https://example.org/kr

NOTE: something
`
	if got.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &got, want)
	}
}

// No line of prose is wider than a screen, whatever the words are.
func TestWrapped(t *testing.T) {
	for _, words := range []string{"", "word", strings.Repeat("some words ", 50), strings.Repeat("\u00e9", 119) + " next", strings.Repeat("x", 300) + " next"} {
		got := wrapped("id  ", "    ", words)
		if strings.Join(strings.Fields(got), " ") != strings.TrimSpace("id "+strings.Join(strings.Fields(words), " ")) {
			t.Errorf("%q: words are not the same: %q", words, got)
		}
		for i, line := range strings.Split(got, "\n") {
			if i > 0 && !strings.HasPrefix(line, "    ") || len([]rune(line)) > maxLine && strings.Contains(strings.TrimSpace(strings.TrimPrefix(line, "id  ")), " ") {
				t.Errorf("%q: line %q", words, line)
			}
		}
	}
	var known strings.Builder
	writeKnown(&known)
	for line := range strings.Lines(known.String()) {
		if n := len([]rune(line)); n > 300 {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

func TestBuiltinLists(t *testing.T) {
	list := func(id screen.ListID) screen.List {
		return screen.List{ID: id, Kind: screen.KindInternal, Authority: "we", Name: string(id)}
	}
	merge := func(s *screen.Snapshot, id screen.ListID, document byte) *screen.Snapshot {
		t.Helper()
		next, _, err := s.Merge(list(id), &screen.Publication{List: id, PublishedOn: screen.Date(20251100 + int(document)), Digest: screen.Digest{document}})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	frozen := merge(merge(screen.Empty(), "a", 1), "b", 1)
	now := time.Now()
	for _, test := range []struct {
		name   string
		frozen *screen.Snapshot
		state  store.State
		want   string
	}{
		{"as frozen", frozen, store.State{Snapshot: frozen}, "a b"},
		{"another list beside them", frozen, store.State{Snapshot: merge(frozen, "c", 1)}, "a b"},
		{"one newly published", frozen, store.State{Snapshot: merge(frozen, "b", 2)}, "a"},
		{"one compared", frozen, store.State{Snapshot: frozen, Verified: store.Verified{"a": {At: now}}}, "b"},
		{"one held", frozen, store.State{Snapshot: frozen, Verified: store.Verified{"a": {Held: &screen.Held{Since: now}}}}, "a b"},
		{"one gone", frozen, store.State{Snapshot: merge(screen.Empty(), "b", 1)}, "b"},
		{"the same lists, from elsewhere", nil, store.State{Snapshot: frozen}, ""},
	} {
		builtin := builtinLists(test.frozen, &test.state)
		var got []string
		for _, id := range []screen.ListID{"a", "b", "c"} {
			if builtin[id] {
				got = append(got, string(id))
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
