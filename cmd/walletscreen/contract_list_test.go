package main_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"walletscreen/loader/builtin"
	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
	"walletscreen/screen/wire"
)

// listClauses hold ListService with all its messages, and the reasons of errors.
var listClauses = slices.Concat(snapshotClauses, listStatusClauses, heldClauses, historyClauses, watchClauses, changeClauses, exportClauses, reasonClauses)

// A premises is a Redis of its own, and the files that are loaded into it.
type premises struct {
	t      testing.TB
	redis  *storetest.Server
	url    string
	dir    string
	always []string // flags of every load
}

func newPremises(t testing.TB, always ...string) *premises {
	t.Helper()
	r := storetest.Redis(t)
	return &premises{t: t, redis: r, url: "redis://" + r.Addr, dir: t.TempDir(), always: always}
}

// write writes a file, and returns where it is.
func (p *premises) write(name, text string) string {
	p.t.Helper()
	name = filepath.Join(p.dir, name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return name
}

// load loads a publication with the program, which must end with that exit code.
func (p *premises) load(code int, source string, args ...string) {
	p.t.Helper()
	out := runProgram(p.t, "", slices.Concat([]string{"load", "--redis", p.url, "--source", source}, p.always, args)...)
	if out.code != code {
		p.t.Fatalf("loading %s: %+v, want exit code %d", source, out, code)
	}
}

// own writes an operator's own list, a row a text in the columns of ownHeader that are
// named, and returns the source that it is with its date.
func (p *premises) own(list, date string, rows ...string) string {
	p.t.Helper()
	return list + "@" + date + "=" + p.write(list+"-"+date+".csv", ownHeader+strings.Join(rows, "\n")+"\n")
}

// row is a row of an own list: what comes after a comma may be left out.
func row(cells ...string) string {
	return strings.Join(append(cells, make([]string, strings.Count(ownHeader, ",")+1-len(cells))...), ",")
}

// serve serves what was loaded.
func (p *premises) serve(t testing.TB, args ...string) *answering {
	t.Helper()
	return standUp(t, serve(t, append([]string{"--redis", p.url}, args...)...))
}

// atSnapshot waits until a snapshot is served.
func (s *answering) atSnapshot(t testing.TB, sequence uint64) *pb.GetSnapshotResponse {
	t.Helper()
	var res *pb.GetSnapshotResponse
	eventually(t, fmt.Sprintf("snapshot %d is served", sequence), func() (ok bool) {
		var err error
		res, err = s.GetSnapshot(t.Context())
		return err == nil && res.GetSnapshot().GetSequence() == sequence
	})
	return res
}

// A chronicle is a signed installation with a past. Its snapshots:
//
//	1  house of 2026-01-05
//	2  house of 2026-02-05; taken out of Redis, as a retired one is
//	3  us-ofac-sdn of 2025-02-07, the invented parties of loader/ofac/testdata
//	4  texts of 2026-02-07, rows that are no address as they stand among them
//	5  extra of 2026-02-08, more rows than fit into a message
//	6  the content of 4 again, by a rollback
//
// Then a publication of house is held, and the first one of eu-fsf.
type chronicle struct {
	*premises
	// plain serves with a limit on age of an hour and without keys; stale verifies,
	// and every list is too old for it.
	plain, stale *answering
	// mistrusting is given a key that signed nothing; empty serves a namespace in
	// which nothing is.
	mistrusting, empty *answering

	key        ed25519.PublicKey
	keyID      string
	published  string // URL of texts
	again      string // the file that house was found unchanged in last
	heldText   string // what is held of house, decompressed
	heldFile   string
	rolledBack [2]time.Time // extra was taken back between these
	compared   [2]time.Time // house was compared last between these
	stopped    [2]time.Time // house was first held between these
	began      [2]time.Time // plain began to serve between these

	// taken are the changes that the rollback made. They are many.
	taken func() *toldChanges
}

// chronicleSnapshot is the number of the snapshot that a chronicle serves.
const chronicleSnapshot = 6

// Rows of a chronicle's lists that have one listing or more.
var (
	repeatedText = accountText(1) // three rows of house, of two parties, and one of texts
	goneText     = accountText(2) // delisted by the second publication of house
	renamedText  = accountText(3) // of a party that the second publication names otherwise
	distantText  = accountText(4) // counts from 2099-01-01 on
	newText      = accountText(5) // from the second publication on

	misprintText = "0x" + strings.Repeat("a", 39)
	hashText     = strings.Repeat("ab", 32)
	strangeText  = "2mns5dqu5R52Bgqk5Tm3bUppbck96Ky7jut" // of a network that nobody here knows
	severalText  = accountText(6) + " " + accountText(7)
)

// manyRowsOfExtra are the small rows of extra.
const manyRowsOfExtra = 2300

func newChronicle(t testing.TB) *chronicle {
	t.Helper()
	p := newPremises(t)
	x := &chronicle{premises: p}
	signing, other := filepath.Join(p.dir, "signing.key"), filepath.Join(p.dir, "other.key")
	for _, file := range []string{signing, other} {
		if out := runProgram(t, "", "key", "generate", "--out", file); out.code != 0 {
			t.Fatalf("%+v", out)
		}
	}
	text, err := os.ReadFile(signing + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(block.Bytes)
	x.key, x.keyID = public.(ed25519.PublicKey), hex.EncodeToString(sum[:])[:16]
	p.always = []string{"--namespace", "chronicle", "--signing-key", signing}

	p.load(0, p.own("house", "2026-01-05",
		row(repeatedText, "ETH", "Mallory", "m-1"), row(repeatedText, "USDT", "Mallory", "m-1"), row(repeatedText, "ETH", "Trudy", "m-2"),
		row(goneText, "ETH", "Old Name", "m-3"), row(renamedText, "ETH", "Old Name", "m-3")))
	second := p.own("house", "2026-02-05",
		row(repeatedText, "ETH", "Mallory", "m-1"), row(repeatedText, "USDT", "Mallory", "m-1"), row(repeatedText, "ETH", "Trudy", "m-2"),
		row(renamedText, "ETH", "New Name", "m-3"), row(distantText, "ETH", "Late", "m-4", "", "", "", "2099-01-01"), row(newText, "ETH", "New", "m-5"))
	p.load(0, second)
	p.load(0, "us-ofac-sdn=../../loader/ofac/testdata/advanced.xml", "--release")
	p.own("texts", "2026-02-07",
		row(repeatedText, "", "Texts", "t-1"), row(misprintText, "", "Texts", "t-1"), row(hashText, "", "Texts", "t-1"), row(strangeText, "", "Texts", "t-1"), row(severalText, "", "Texts", "t-1"))
	files := httptest.NewServer(http.FileServer(http.Dir(p.dir)))
	defer files.Close()
	x.published = files.URL + "/texts-2026-02-07.csv"
	p.load(0, "texts@2026-02-07="+x.published)
	p.load(0, p.own("extra", "2026-02-08", extraRows()...))
	x.rolledBack[0] = time.Now()
	if out := runProgram(t, "", "snapshot", "rollback", "4", "--redis", p.url, "--namespace", "chronicle", "--signing-key", signing); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	x.rolledBack[1] = time.Now()
	x.again = p.write("house again.csv", mustRead(t, strings.TrimPrefix(second, "house@2026-02-05=")))
	x.compared[0] = time.Now()
	p.load(4, "house@2026-02-05="+x.again)
	x.compared[1] = time.Now()

	x.heldText = ownHeader + row(repeatedText, "ETH", "Mallory the Second", "m-1") + "\n" + row(repeatedText, "USDT", "Mallory the Second", "m-1", "", "", "", "", "2099-01-01") + "\n" + row(accountText(9), "ETH", "Nine", "m-9") + "\n"
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err = z.Write([]byte(x.heldText))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	x.heldFile = p.write("held.csv.gz", zipped.String())
	x.stopped[0] = time.Now()
	p.load(3, "house@2026-03-05="+x.heldFile)
	x.stopped[1] = time.Now()
	p.load(3, "eu-fsf=../../loader/eu/testdata/list.xml")
	// Held again is held since the first time.
	p.load(3, "house@2026-03-05="+x.heldFile)
	p.redis.MustDo("HDEL", "walletscreen:{chronicle}:snapshots", "2")

	x.began[0] = time.Now()
	x.plain = p.serve(t, "--namespace", "chronicle", "--max-list-age", "1h")
	x.began[1] = time.Now()
	x.stale = p.serve(t, "--namespace", "chronicle", "--max-list-age", "1ms", "--verify-key", signing+".pub")
	x.mistrusting = p.serve(t, "--namespace", "chronicle", "--verify-key", other+".pub")
	x.empty = p.serve(t, "--namespace", "empty")
	x.taken = sync.OnceValue(func() *toldChanges {
		return x.plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: 5}).next()
	})
	return x
}

// since are the changes since a snapshot.
func (x *chronicle) since(t testing.TB, from uint64) *toldChanges {
	t.Helper()
	if from == 5 {
		return x.taken()
	}
	return x.plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: from}).next()
}

func mustRead(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// extraRows are many small rows, then some of 12 KiB, of a party that much is said of,
// then one of more than 1 MiB.
func extraRows() []string {
	var rows []string
	for i := range manyRowsOfExtra {
		rows = append(rows, row(accountText(1000+i), "ETH", "Many", "e-1"))
	}
	for i := range 200 {
		rows = append(rows, bulky(accountText(10_000+i)))
	}
	for i := range 280 {
		rows = append(rows, row(accountText(20_000), "ETH", "One", "e-3", "", fmt.Sprintf("%04d", i)+strings.Repeat("p", 4000)))
	}
	return rows
}

// bulky is a row of 12 KiB, once its party is told.
func bulky(text string) string {
	const most = 4000
	return row(text, "ETH", strings.Repeat("n", most), "e-2", "", strings.Repeat("p", most), "", "", "", "", strings.Repeat("u", most))
}

// snapshot is what GetSnapshot says.
func (s *answering) snapshot(t testing.TB) *pb.GetSnapshotResponse {
	t.Helper()
	res, err := s.GetSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// terminate tells a server to stop, as an operator does, and does not wait for it.
func (s *answering) terminate(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// list is what GetSnapshot says of a list, nil if it is not in the snapshot.
func (s *answering) list(t testing.TB, id string) *pb.ListStatus {
	t.Helper()
	for _, l := range s.snapshot(t).GetLists() {
		if l.GetListId() == id {
			return l
		}
	}
	return nil
}

// equal compares what is told with what is right.
func equal[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// between checks an instant.
func between(t testing.TB, what string, at time.Time, bounds [2]time.Time) {
	t.Helper()
	if at.Before(bounds[0]) || at.After(bounds[1]) {
		t.Errorf("%s is %s, want between %s and %s", what, at, bounds[0], bounds[1])
	}
}

func digestOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// knownList is what `walletscreen lists --known` says of a list.
type knownList struct {
	List, Kind, Authority, Name, URL, Why string
	loadable                              bool
}

func knownLists(t testing.TB) map[string]knownList {
	t.Helper()
	out := runProgram(t, "", "lists", "--known", "--format", "json")
	var known struct {
		Lists      []knownList
		NotCovered []knownList `json:"not_covered"`
	}
	if err := json.Unmarshal([]byte(out.stdout), &known); err != nil || len(known.Lists) < 5 || len(known.NotCovered) < 3 {
		t.Fatalf("%v: %+v", err, out)
	}
	all := map[string]knownList{}
	for _, l := range known.Lists {
		l.loadable = true
		all[l.List] = l
	}
	for _, l := range known.NotCovered {
		all[l.List] = l
	}
	return all
}

// refusedAlike asks for everything that needs a snapshot, and wants the same refusal.
func refusedAlike(t testing.TB, s *answering, code codes.Code, reason string, retry bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := s.GetSnapshot(ctx)
	wantRefused(t, err, code, reason, retry)
	_, err = s.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: repeatedText})
	wantRefused(t, err, code, reason, retry)
	_, err = s.ExportSnapshot(ctx, 0, io.Discard)
	wantRefused(t, err, code, reason, retry)
	for _, from := range []uint64{0, 1, math.MaxUint64} {
		wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: from}).end(), code, reason, retry)
	}
	_, err = s.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}})
	wantRefused(t, err, code, reason, retry)
}

// withUnknown adds fields to a message as they would stand on the wire.
func withUnknown[M proto.Message](m M, fields []byte) M {
	m.ProtoReflect().SetUnknown(fields)
	return m
}

// newerFields are fields that this version of the contract does not have, of each form.
func newerFields() []byte {
	b := protowire.AppendTag(nil, 1000, protowire.VarintType)
	b = protowire.AppendVarint(b, math.MaxUint64)
	b = protowire.AppendTag(b, 1001, protowire.BytesType)
	b = protowire.AppendBytes(b, []byte("\xff\x00"))
	b = protowire.AppendTag(b, 1002, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, 7)
	b = protowire.AppendTag(b, 1003, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, 7)
}

var snapshotClauses = []clause{
	{
		element: "ListService", says: []string{"ListService tells what is loaded, what changed, and what was listed when."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			if n := len(s.snapshot(t).GetLists()); n != 3 {
				t.Errorf("%d lists, want 3", n)
			}
			if n := len(s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1}).next().changes); n == 0 {
				t.Error("no changes since the first snapshot")
			}
			if n := len(s.history(t, &pb.GetAddressHistoryRequest{Address: goneText}).GetMatches()); n != 1 {
				t.Errorf("%d listings, want 1", n)
			}
		},
	},
	{
		element: "ListService.GetSnapshot", says: []string{"GetSnapshot describes the snapshot that is served now: where each list comes from, how old it is and what it counts."},
		holds: func(t *testing.T, w *world) {
			res := w.chronicle().plain.snapshot(t)
			equal(t, "the number", chronicleSnapshot, res.GetSnapshot().GetSequence())
			for _, l := range res.GetLists() {
				if l.GetSource() == "" || l.GetAge().AsDuration() <= 0 || l.GetRows() == 0 || l.GetRecords() == 0 || l.GetPublication() == nil {
					t.Errorf("%v", l)
				}
			}
		},
	},
	{
		element: "ListService.GetSnapshot", says: []string{"UNAVAILABLE with NOT_READY before the first snapshot is loaded."},
		holds: func(t *testing.T, w *world) {
			refusedAlike(t, w.chronicle().empty, codes.Unavailable, "NOT_READY", true)
		},
	},
	{
		element: "GetSnapshotRequest", says: []string{"GetSnapshotRequest asks for what is served now."},
		holds: func(t *testing.T, w *world) {
			for _, fields := range [][]byte{nil, newerFields()} {
				res, err := w.chronicle().plain.lists.GetSnapshot(t.Context(), withUnknown(&pb.GetSnapshotRequest{}, fields))
				if err != nil || res.GetSnapshot().GetSequence() != chronicleSnapshot {
					t.Errorf("%x: %v, %v", fields, res, err)
				}
			}
		},
	},
	{
		element: "GetSnapshotResponse", says: []string{"GetSnapshotResponse describes the snapshot that is served."},
		holds: func(t *testing.T, w *world) {
			// One after the other: each is described as it comes.
			p := newPremises(t)
			p.load(0, p.own("alpha", "2026-01-01", row(accountText(1))))
			s := p.serve(t)
			first := s.atSnapshot(t, 1)
			before := time.Now()
			p.load(0, p.own("beta", "2026-01-02", row(accountText(2)), row(accountText(3))))
			second := s.atSnapshot(t, 2)
			if len(first.GetLists()) != 1 || len(second.GetLists()) != 2 || second.GetLists()[1].GetRows() != 2 || first.GetSnapshot().GetDigest() == second.GetSnapshot().GetDigest() {
				t.Errorf("first %v, then %v", first, second)
			}
			between(t, "loaded_at", second.GetLoadedAt().AsTime(), [2]time.Time{before, time.Now()})
			if !second.GetLoadedAt().AsTime().After(first.GetLoadedAt().AsTime()) {
				t.Errorf("loaded at %v, and the one before at %v", second.GetLoadedAt(), first.GetLoadedAt())
			}
		},
	},
	{
		element: "GetSnapshotResponse.snapshot", says: []string{"snapshot names it."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.chronicle().plain, w.chronicle().stale, w.builtin(), w.loaded()} {
				equal(t, "what an answer names", s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}}).GetSnapshot(), s.snapshot(t).GetSnapshot())
			}
		},
	},
	{
		element: "GetSnapshotResponse.signature", says: []string{"signature is the loader's Ed25519 signature (RFC 8032, 64 bytes) over signed_statement; empty when the installation signs nothing."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			res := x.plain.snapshot(t)
			if len(res.GetSignature()) != 64 || !ed25519.Verify(x.key, res.GetSignedStatement(), res.GetSignature()) {
				t.Errorf("signature %x over %q does not verify", res.GetSignature(), res.GetSignedStatement())
			}
			for _, s := range []*answering{w.builtin(), w.loaded()} {
				if res := s.snapshot(t); len(res.GetSignature()) > 0 {
					t.Errorf("signed without a key: %v", res)
				}
			}
		},
	},
	{
		element: "GetSnapshotResponse.signature", says: []string{"A server that is given keys serves nothing that they did not sign; one without passes on what it was given."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			refusedAlike(t, x.mistrusting, codes.Unavailable, "NOT_READY", true)
			verified, passed := x.stale.snapshot(t), x.plain.snapshot(t)
			equal(t, "the signature", verified.GetSignature(), passed.GetSignature())
			equal(t, "the statement", string(verified.GetSignedStatement()), string(passed.GetSignedStatement()))

			// One that nobody made.
			p := newPremises(t, "--signing-key", filepath.Join(x.dir, "signing.key"))
			p.load(0, p.own("house", "2026-01-05", row(repeatedText)))
			const head = "walletscreen:{default}:head"
			signature := p.redis.MustDo("HGET", head, "signature").(string)
			forged := strings.Repeat("A", len(signature)-2) + "=="
			p.redis.MustDo("HSET", head, "signature", forged)
			if got := p.serve(t).snapshot(t); len(got.GetSignature()) != 64 || ed25519.Verify(x.key, got.GetSignedStatement(), got.GetSignature()) {
				t.Errorf("without keys: %x", got.GetSignature())
			}
			refusedAlike(t, p.serve(t, "--verify-key", filepath.Join(x.dir, "signing.key.pub")), codes.Unavailable, "NOT_READY", true)
		},
	},
	{
		element: "GetSnapshotResponse.signature", says: []string{"A client with the public key can verify for itself."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			res := x.plain.snapshot(t)
			changed := bytes.Replace(res.GetSignedStatement(), []byte("sequence 6"), []byte("sequence 7"), 1)
			other, _, err := ed25519.GenerateKey(nil)
			if err != nil || ed25519.Verify(x.key, changed, res.GetSignature()) || ed25519.Verify(other, res.GetSignedStatement(), res.GetSignature()) || !ed25519.Verify(x.key, res.GetSignedStatement(), res.GetSignature()) {
				t.Errorf("%v: the signature is not of the statement and the key alone", err)
			}
			// By the program, which compares the content, too.
			out := runProgram(t, "", "snapshot", "export", "--from-server", "--server", x.plain.addr, "--namespace", "chronicle", "--verify-key", filepath.Join(x.dir, "signing.key.pub"), "--out", filepath.Join(t.TempDir(), "six.txt"))
			if out.code != 0 || !strings.Contains(out.stdout, "signed by key "+x.keyID+", verified") {
				t.Errorf("%+v", out)
			}
		},
	},
	{
		element: "GetSnapshotResponse.signature_key_id", says: []string{"signature_key_id names the key of the signature: the first 16 hex digits of the SHA-256 of its SubjectPublicKeyInfo (RFC 8410) in DER."},
		holds: func(t *testing.T, w *world) {
			equal(t, "the key", w.chronicle().keyID, w.chronicle().plain.snapshot(t).GetSignatureKeyId())
			equal(t, "the key of what is not signed", "", w.builtin().snapshot(t).GetSignatureKeyId())
		},
	},
	{
		element: "GetSnapshotResponse.lists", says: []string{"lists are the lists in the snapshot, in order of their ids."},
		holds: func(t *testing.T, w *world) {
			for s, want := range map[*answering][]string{
				w.chronicle().plain: {"house", "texts", "us-ofac-sdn"}, w.builtin(): {"us-ofac-sdn"}, w.loaded(): {"desk", "house", "us-ofac-sdn"},
			} {
				var got []string
				for _, l := range s.snapshot(t).GetLists() {
					got = append(got, l.GetListId())
				}
				equal(t, "lists", want, got)
			}
		},
	},
	{
		element: "GetSnapshotResponse.loaded_at", says: []string{"loaded_at is when this server began to serve the snapshot."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			at := x.plain.snapshot(t).GetLoadedAt()
			between(t, "loaded_at", at.AsTime(), x.began)
			equal(t, "loaded_at, asked again", at, x.plain.snapshot(t).GetLoadedAt())
			if other := x.stale.snapshot(t).GetLoadedAt(); !other.AsTime().After(x.began[1]) {
				t.Errorf("another server began at %v", other)
			}
		},
	},
	{
		element: "GetSnapshotResponse.notices", says: []string{"notices are those that answers from this snapshot carry."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			for s, want := range map[*answering][]string{
				x.plain:     {"PUBLICATION_HELD eu-fsf", "PUBLICATION_HELD extra", "PUBLICATION_HELD house"},
				x.stale:     {"LIST_STALE house", "LIST_STALE texts", "LIST_STALE us-ofac-sdn", "PUBLICATION_HELD eu-fsf", "PUBLICATION_HELD extra", "PUBLICATION_HELD house"},
				w.builtin(): {"BUILTIN_LISTS us-ofac-sdn"},
			} {
				equal(t, "notices", want, noticesOf(s.snapshot(t).GetNotices()))
				equal(t, "notices of an answer", want, noticesOf(s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}}).GetNotices()))
			}
		},
	},
	{
		element: "GetSnapshotResponse.server_version", says: []string{"server_version is the version of the server's program."},
		holds: func(t *testing.T, w *world) {
			equal(t, "the version", strings.TrimSpace(runProgram(t, "", "--version").stdout), w.chronicle().plain.snapshot(t).GetServerVersion())
		},
	},
	{
		element: "GetSnapshotResponse.held_first", says: []string{"held_first are lists that are not in the snapshot because the first publication of them that the loader read is held, in order of their ids."},
		holds: func(t *testing.T, w *world) {
			var ids []string
			for _, l := range w.chronicle().plain.snapshot(t).GetHeldFirst() {
				ids = append(ids, l.GetListId())
			}
			equal(t, "held_first", []string{"eu-fsf", "extra"}, ids)
			if held := w.builtin().snapshot(t).GetHeldFirst(); len(held) > 0 {
				t.Errorf("%v", held)
			}
		},
	},
	{
		element: "GetSnapshotResponse.held_first", says: []string{"Nothing of them is served."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			// One that loader/eu/testdata lists.
			const listed = "0x2ae2f0decb81fc1ec7b1dcbc19912b19605e312b"
			if r := s.one(t, listed, nil); r.GetVerdict() != pb.Verdict_VERDICT_NOT_LISTED {
				t.Errorf("%v", r)
			}
			if r := s.one(t, listed, &pb.ScreenAddressesRequest{ListIds: []string{"eu-fsf"}}); r.GetVerdict() != pb.Verdict_VERDICT_CANNOT_SCREEN || r.GetReason() != pb.Reason_REASON_NOT_LOADED {
				t.Errorf("asked for the list: %v", r)
			}
			if s.list(t, "eu-fsf") != nil {
				t.Error("the list is in the snapshot")
			}
		},
	},
	{
		element: "GetSnapshotResponse.not_covered", says: []string{"not_covered are lists that may carry addresses and that are not in the snapshot: no answer says anything about them."},
		holds: func(t *testing.T, w *world) {
			known := knownLists(t)
			for _, s := range []*answering{w.chronicle().plain, w.builtin()} {
				want := maps.Clone(known)
				for _, l := range s.snapshot(t).GetLists() {
					delete(want, l.GetListId())
				}
				var got []string
				for _, l := range s.snapshot(t).GetNotCovered() {
					got = append(got, l.GetListId())
					if r := s.one(t, unlistedAddress, &pb.ScreenAddressesRequest{ListIds: []string{l.GetListId()}}); r.GetVerdict() != pb.Verdict_VERDICT_CANNOT_SCREEN || r.GetReason() != pb.Reason_REASON_NOT_LOADED {
						t.Errorf("%s: %v", l.GetListId(), r)
					}
				}
				equal(t, "not_covered", slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(got)))
			}
		},
	},
	{
		element: "GetSnapshotResponse.not_covered", says: []string{"Some cannot be loaded as their publishers offer them, some could be and nobody did; why says which."},
		holds: func(t *testing.T, w *world) {
			known := knownLists(t)
			for _, l := range w.builtin().snapshot(t).GetNotCovered() {
				why := "cannot be read by machine: "
				if known[l.GetListId()].loadable {
					why = "can be loaded, and is not"
				}
				if !strings.HasPrefix(l.GetWhy(), why) {
					t.Errorf("%s: %q, want %q", l.GetListId(), l.GetWhy(), why)
				}
			}
		},
	},
	{
		element: "GetSnapshotResponse.not_covered", says: []string{"Others may exist that nobody here knows of."},
		meaning: "nobody can be asked for what nobody knows of",
	},
	{
		element: "GetSnapshotResponse.signed_statement", says: []string{
			"signed_statement is what signature is over, a text: lines of a name, a space and a value, in this order, each ended by a line feed.",
			"walletscreen snapshot statement 1 namespace NAMESPACE sequence SEQUENCE digest DIGEST created_at TIME",
			"The first line is the same in all.",
			"NAMESPACE names the installation.",
			"SEQUENCE, DIGEST and TIME (RFC 3339, UTC, as many digits of a second as needed) are those of snapshot: a client must compare them.",
			`A snapshot that a rollback published has two lines more, "rollback_of" and "rollback_to", with the numbers of the one taken back and of the one whose content it has.`,
		},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			statement := func(ref *pb.SnapshotRef) string {
				return fmt.Sprintf("walletscreen snapshot statement 1\nnamespace chronicle\nsequence %d\ndigest %s\ncreated_at %s\n",
					ref.GetSequence(), ref.GetDigest(), ref.GetCreatedAt().AsTime().UTC().Format(time.RFC3339Nano))
			}
			res := x.plain.snapshot(t)
			equal(t, "after a rollback", statement(res.GetSnapshot())+"rollback_of 5\nrollback_to 4\n", string(res.GetSignedStatement()))
			for _, sequence := range []uint64{1, 3, 4, 5} {
				head, _ := x.plain.exported(t, sequence)
				equal(t, "statement", statement(head.GetSnapshot()), string(head.GetSignedStatement()))
				equal(t, "number", sequence, head.GetSnapshot().GetSequence())
			}
		},
	},
	{
		element: "GetSnapshotResponse.signed_statement", says: []string{"Empty when signature is."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.builtin(), w.loaded(), w.chronicle().plain} {
				if res := s.snapshot(t); (len(res.GetSignature()) == 0) != (len(res.GetSignedStatement()) == 0) {
					t.Errorf("signature %x, statement %q", res.GetSignature(), res.GetSignedStatement())
				}
			}
		},
	},
}

// noticesOf are notices in few words.
func noticesOf(notices []*pb.Notice) []string {
	var out []string
	for _, n := range notices {
		out = append(out, strings.TrimPrefix(n.GetCode().String(), "NOTICE_CODE_")+" "+n.GetListId())
	}
	return out
}

// statusClause holds a field of ListStatus against what is known of three lists of a
// chronicle, and the builtin one.
func statusClause[T any](field, says string, get func(*pb.ListStatus) T, house, texts, sdn T, frozen func(*screen.Snapshot) T) clause {
	return clause{element: "ListStatus." + field, says: []string{says}, holds: func(t *testing.T, w *world) {
		s := w.chronicle().plain
		equal(t, "of house", house, get(s.list(t, "house")))
		equal(t, "of texts", texts, get(s.list(t, "texts")))
		equal(t, "of us-ofac-sdn", sdn, get(s.list(t, "us-ofac-sdn")))
		snapshot, err := builtin.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "of the builtin list", frozen(snapshot), get(w.builtin().list(t, "us-ofac-sdn")))
	}}
}

func always[T any](value T) func(*screen.Snapshot) T {
	return func(*screen.Snapshot) T { return value }
}

// countedFrozen counts listings of the builtin list.
func countedFrozen(is func(l *screen.Listing, newest screen.Ordinal) bool) func(*screen.Snapshot) uint64 {
	return func(s *screen.Snapshot) (n uint64) {
		for i := range s.Listings() {
			if is(&s.Listings()[i], screen.Ordinal(len(s.List("us-ofac-sdn").Publications))) {
				n++
			}
		}
		return n
	}
}

// distinct counts what the current listings of the builtin list differ in.
func distinct(s *screen.Snapshot, of func(*screen.Listing) string) uint64 {
	seen := map[string]bool{}
	for i := range s.Listings() {
		if l := &s.Listings()[i]; l.Delisted == 0 {
			seen[of(l)] = true
		}
	}
	return uint64(len(seen))
}

const sdnName, sdnPage = "Specially Designated Nationals and Blocked Persons List", "https://sanctionslist.ofac.treas.gov/Home/SdnList"

var listStatusClauses = []clause{
	{
		element: "ListStatus", says: []string{"ListStatus describes one list in a snapshot."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.chronicle().plain, w.builtin(), w.loaded()} {
				seen := map[string]bool{}
				for _, l := range s.snapshot(t).GetLists() {
					if seen[l.GetListId()] || l.GetListId() == "" {
						t.Errorf("list %q, of %v", l.GetListId(), seen)
					}
					seen[l.GetListId()] = true
				}
			}
		},
	},
	statusClause("list_id", `list_id is the list ("us-ofac-sdn").`, (*pb.ListStatus).GetListId, "house", "texts", "us-ofac-sdn", always("us-ofac-sdn")),
	statusClause("kind", "kind is what being on it means.", (*pb.ListStatus).GetKind,
		pb.ListKind_LIST_KIND_INTERNAL, pb.ListKind_LIST_KIND_INTERNAL, pb.ListKind_LIST_KIND_DESIGNATION, always(pb.ListKind_LIST_KIND_DESIGNATION)),
	statusClause("authority", `authority publishes it ("OFAC").`, (*pb.ListStatus).GetAuthority, "operator", "operator", "OFAC", always("OFAC")),
	statusClause("name", "name is its name.", (*pb.ListStatus).GetName, "house", "texts", sdnName, always(sdnName)),
	statusClause("url", "url is the publisher's page about it.", (*pb.ListStatus).GetUrl, "", "", sdnPage, always(sdnPage)),
	{
		element: "ListStatus.publication", says: []string{"publication is the publication that is loaded."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			equal(t, "of house", &pb.PublicationRef{PublishedOn: "2026-02-05", Sha256: digestOf(mustRead(t, x.again))}, x.plain.list(t, "house").GetPublication())
			equal(t, "of texts", &pb.PublicationRef{PublishedOn: "2026-02-07", Sha256: digestOf(mustRead(t, filepath.Join(x.dir, "texts-2026-02-07.csv")))}, x.plain.list(t, "texts").GetPublication())
			equal(t, "of us-ofac-sdn", &pb.PublicationRef{PublishedOn: "2025-02-07", Sha256: digestOf(mustRead(t, "../../loader/ofac/testdata/advanced.xml"))}, x.plain.list(t, "us-ofac-sdn").GetPublication())
			// Each match of the newest rows names it.
			equal(t, "of a listing", x.plain.list(t, "house").GetPublication(), x.plain.listingOf(t, newText).GetListed())
		},
	},
	{
		element: "ListStatus.source", says: []string{"source is where the loader last read that publication: a URL or a file name."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			equal(t, "of house, found unchanged in another file", filepath.Base(x.again), x.plain.list(t, "house").GetSource())
			equal(t, "of texts", x.published, x.plain.list(t, "texts").GetSource())
		},
	},
	{
		element: "ListStatus.source", says: []string{`"" for builtin lists.`},
		holds: func(t *testing.T, w *world) {
			equal(t, "source", "", w.builtin().list(t, "us-ofac-sdn").GetSource())
		},
	},
	{
		element: "ListStatus.verified_at", says: []string{"verified_at is when the loader last compared the list with its publisher."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			// The publication that is held was not loaded, so it compared nothing.
			between(t, "verified_at", x.plain.list(t, "house").GetVerifiedAt().AsTime(), x.compared)
		},
	},
	{
		element: "ListStatus.verified_at", says: []string{"Unset when that never happened, as for builtin lists."},
		holds: func(t *testing.T, w *world) {
			if at := w.builtin().list(t, "us-ofac-sdn").GetVerifiedAt(); at != nil {
				t.Errorf("%v", at)
			}
		},
	},
	{
		element: "ListStatus.age", says: []string{"age is the time since verified_at, or since the end of the publication's day in UTC when verified_at is unset."},
		holds: func(t *testing.T, w *world) {
			before := time.Now()
			house, builtin := w.chronicle().plain.list(t, "house"), w.builtin().list(t, "us-ofac-sdn")
			after := time.Now()
			day, err := time.Parse(time.DateOnly, builtin.GetPublication().GetPublishedOn())
			if err != nil {
				t.Fatal(err)
			}
			for _, of := range []struct {
				list  *pb.ListStatus
				since time.Time
			}{{house, house.GetVerifiedAt().AsTime()}, {builtin, day.AddDate(0, 0, 1)}} {
				between(t, "age, counted from "+of.since.String()+",", of.since.Add(of.list.GetAge().AsDuration()), [2]time.Time{before, after})
			}
		},
	},
	{
		element: "ListStatus.max_age", says: []string{"max_age is the server's limit on age; unset when none is enforced."},
		holds: func(t *testing.T, w *world) {
			equal(t, "by --max-list-age", durationpb.New(time.Hour), w.chronicle().plain.list(t, "house").GetMaxAge())
			equal(t, "by --max-list-age", durationpb.New(time.Millisecond), w.chronicle().stale.list(t, "house").GetMaxAge())
			equal(t, "without it", durationpb.New(26*time.Hour), w.loaded().list(t, "house").GetMaxAge())
			equal(t, "of the builtin list", nil, w.builtin().list(t, "us-ofac-sdn").GetMaxAge())
		},
	},
	{
		element: "ListStatus.stale", says: []string{"stale is set when age is over max_age."},
		holds: func(t *testing.T, w *world) {
			for s, want := range map[*answering]bool{w.chronicle().plain: false, w.chronicle().stale: true, w.builtin(): false} {
				for _, l := range s.snapshot(t).GetLists() {
					if over := l.GetMaxAge() != nil && l.GetAge().AsDuration() > l.GetMaxAge().AsDuration(); l.GetStale() != want || over != want {
						t.Errorf("%v, want stale: %t", l, want)
					}
				}
			}
		},
	},
	// Of five entries of us-ofac-sdn one has no address. A row that it prints twice is one.
	statusClause("records", "records counts the entries of the publication, with and without addresses.", (*pb.ListStatus).GetRecords, 6, 5, 5, func(s *screen.Snapshot) uint64 {
		return uint64(s.List("us-ofac-sdn").Current().Records)
	}),
	statusClause("parties", "parties counts the parties with a current listing.", (*pb.ListStatus).GetParties, 5, 1, 4, func(s *screen.Snapshot) uint64 {
		return distinct(s, func(l *screen.Listing) string { return s.PartyOf(l).UID })
	}),
	statusClause("rows", "rows counts the current address rows, repeats under other symbols and parties included.", (*pb.ListStatus).GetRows, 6, 5, 7, func(s *screen.Snapshot) uint64 {
		return distinct(s, func(l *screen.Listing) string { return s.PartyOf(l).UID + " " + l.Symbol + " " + l.Text + " " + l.Tag })
	}),
	statusClause("addresses", "addresses counts the distinct address texts among them.", (*pb.ListStatus).GetAddresses, 4, 5, 4, func(s *screen.Snapshot) uint64 {
		return distinct(s, func(l *screen.Listing) string { return l.Text })
	}),
	statusClause("unparsed", "unparsed counts the distinct address texts that are no address as they stand: misprints, hashes, networks that this server does not know, several addresses in one row.",
		(*pb.ListStatus).GetUnparsed, 0, 4, 1, always[uint64](2)),
	{
		element: "ListStatus.unparsed", says: []string{"They match their own text and what can be read in them."},
		holds: func(t *testing.T, w *world) {
			for text, row := range map[string]string{
				misprintText: misprintText, hashText: hashText, strangeText: strangeText, severalText: severalText, accountText(6): severalText, accountText(7): severalText,
			} {
				r := w.chronicle().plain.one(t, text, nil)
				if !slices.ContainsFunc(r.GetMatches(), func(m *pb.Match) bool {
					return m.GetListing().GetAddress() == row && m.GetListing().GetListId() == "texts" && (text != row || m.GetBasis() == pb.Basis_BASIS_EXACT_TEXT)
				}) {
					t.Errorf("%s: %v, want a match of the row %q", text, r, row)
				}
			}
		},
	},
	statusClause("delisted", "delisted counts the listings that have ended.", (*pb.ListStatus).GetDelisted, 1, 0, 0, countedFrozen(func(l *screen.Listing, _ screen.Ordinal) bool { return l.Delisted != 0 })),
	statusClause("publications", "publications counts the publications in the history of the list.", (*pb.ListStatus).GetPublications, 2, 1, 1, func(s *screen.Snapshot) uint64 {
		return uint64(len(s.List("us-ofac-sdn").Publications))
	}),
	statusClause("added_rows", "added_rows counts the rows that the loaded publication listed first.", (*pb.ListStatus).GetAddedRows, 2, 5, 7, countedFrozen(func(l *screen.Listing, newest screen.Ordinal) bool { return l.Listed == newest })),
	statusClause("removed_rows", "removed_rows counts the rows that it delisted.", (*pb.ListStatus).GetRemovedRows, 1, 0, 0, countedFrozen(func(l *screen.Listing, newest screen.Ordinal) bool { return l.Delisted == newest })),
	{
		element: "ListStatus.first_publication", says: []string{"first_publication is the oldest of them: questions about earlier dates cannot be answered, unless the list is of LIST_KIND_INTERNAL."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			first := mustRead(t, filepath.Join(x.dir, "house-2026-01-05.csv"))
			equal(t, "of house", &pb.PublicationRef{PublishedOn: "2026-01-05", Sha256: digestOf(first)}, x.plain.list(t, "house").GetFirstPublication())
			equal(t, "of us-ofac-sdn, which has one", x.plain.list(t, "us-ofac-sdn").GetPublication(), x.plain.list(t, "us-ofac-sdn").GetFirstPublication())
			for _, s := range []*answering{x.plain, w.builtin()} {
				day, err := time.Parse(time.DateOnly, s.list(t, "us-ofac-sdn").GetFirstPublication().GetPublishedOn())
				if err != nil {
					t.Fatal(err)
				}
				for date, want := range map[time.Time]pb.Reason{day: 0, day.AddDate(0, 0, -1): pb.Reason_REASON_BEFORE_HISTORY} {
					req := &pb.ScreenAddressesRequest{ListIds: []string{"us-ofac-sdn"}, AsOf: date.Format(time.DateOnly)}
					if r := s.one(t, unlistedAddress, req); r.GetReason() != want {
						t.Errorf("as of %s: %v, want %s", date.Format(time.DateOnly), r, want)
					}
				}
			}
			// Before an operator's own list there was nothing on it.
			if r := x.plain.one(t, repeatedText, &pb.ScreenAddressesRequest{ListIds: []string{"house"}, AsOf: "2026-01-04"}); r.GetVerdict() != pb.Verdict_VERDICT_NOT_LISTED {
				t.Errorf("of house, as of the day before: %v", r)
			}
		},
	},
	{
		element: "ListStatus.held", says: []string{"held is another publication that the publisher offers and that a guard stopped, or one that an operator took back; unset when there is none."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			if held := s.list(t, "house").GetHeld(); held == nil || held.GetSha256() == s.list(t, "house").GetPublication().GetSha256() {
				t.Errorf("of house: %v", held)
			}
			for _, l := range []*pb.ListStatus{s.list(t, "texts"), w.builtin().list(t, "us-ofac-sdn"), w.loaded().list(t, "house")} {
				if l.GetHeld() != nil {
					t.Errorf("of %s: %v", l.GetListId(), l.GetHeld())
				}
			}
		},
	},
}

// heldClause holds a field of HeldPublication against what is held of house.
func heldClause(field, says string, holds func(t *testing.T, x *chronicle, held *pb.HeldPublication)) clause {
	return clause{element: "HeldPublication." + field, says: []string{says}, holds: func(t *testing.T, w *world) {
		x := w.chronicle()
		for _, s := range []*answering{x.plain, x.stale} {
			holds(t, x, s.list(t, "house").GetHeld())
		}
	}}
}

// firstHeld is what is held of a list that is not in the snapshot.
func (s *answering) firstHeld(t testing.TB, id string) *pb.HeldPublication {
	t.Helper()
	for _, l := range s.snapshot(t).GetHeldFirst() {
		if l.GetListId() == id {
			return l.GetHeld()
		}
	}
	t.Fatalf("nothing of %s is held", id)
	return nil
}

// uncoveredClause holds a field of UncoveredList against what the program says of the
// lists that it knows.
func uncoveredClause(field, says string, get func(*pb.UncoveredList) string, want func(knownList) string) clause {
	return clause{element: "UncoveredList." + field, says: []string{says}, holds: func(t *testing.T, w *world) {
		known := knownLists(t)
		lists := w.chronicle().plain.snapshot(t).GetNotCovered()
		if len(lists) < 10 {
			t.Errorf("%d lists", len(lists))
		}
		for _, l := range lists {
			if want := want(known[l.GetListId()]); get(l) == "" || !strings.Contains(get(l), want) {
				t.Errorf("%v, want %q", l, want)
			}
		}
	}}
}

var heldClauses = []clause{
	{
		element: "HeldPublication", says: []string{
			"HeldPublication is a publication that a guard stopped, because what it changes looks like an accident, or that an operator took back by a rollback.",
			"It is not served until an operator releases it or the publisher offers another.",
		},
		holds: func(t *testing.T, w *world) {
			p := newPremises(t)
			whole := []string{row(accountText(1)), row(accountText(2)), row(accountText(3)), row(accountText(4))}
			p.load(0, p.own("house", "2026-01-01", whole...))
			s := p.serve(t)
			isHeld := func(date string) func() bool {
				return func() bool { return s.list(t, "house").GetHeld().GetPublishedOn() == date }
			}
			lists := func(text string, want pb.Verdict) {
				t.Helper()
				if r := s.one(t, text, nil); r.GetVerdict() != want {
					t.Errorf("%s: %v, want %s", text, r, want)
				}
			}
			// Most of the list is gone, and there is a new row.
			torn := p.own("house", "2026-01-02", row(accountText(1)), row(accountText(5)))
			p.load(3, torn)
			eventually(t, "it is held", isHeld("2026-01-02"))
			equal(t, "the snapshot", 1, s.snapshot(t).GetSnapshot().GetSequence())
			lists(accountText(4), pb.Verdict_VERDICT_LISTED)
			lists(accountText(5), pb.Verdict_VERDICT_NOT_LISTED)
			// The publisher offers another.
			p.load(0, p.own("house", "2026-01-03", append(whole, row(accountText(6)))...))
			s.atSnapshot(t, 2)
			eventually(t, "nothing is held", isHeld(""))
			lists(accountText(6), pb.Verdict_VERDICT_LISTED)
			// An operator releases it.
			torn = p.own("house", "2026-01-04", row(accountText(1)), row(accountText(5)))
			p.load(3, torn)
			eventually(t, "it is held", isHeld("2026-01-04"))
			lists(accountText(4), pb.Verdict_VERDICT_LISTED)
			p.load(0, torn, "--release")
			s.atSnapshot(t, 3)
			eventually(t, "nothing is held", isHeld(""))
			lists(accountText(4), pb.Verdict_VERDICT_NOT_LISTED)
			lists(accountText(5), pb.Verdict_VERDICT_LISTED)
			// An operator takes it back.
			if out := runProgram(t, "", "snapshot", "rollback", "2", "--redis", p.url); out.code != 0 {
				t.Fatalf("%+v", out)
			}
			s.atSnapshot(t, 4)
			eventually(t, "it is held", isHeld("2026-01-04"))
			lists(accountText(4), pb.Verdict_VERDICT_LISTED)
			p.load(3, torn)
			equal(t, "the snapshot", 4, s.snapshot(t).GetSnapshot().GetSequence())
		},
	},
	heldClause("since", "since is when a guard first stopped it, or when it was taken back.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		between(t, "since", held.GetSince().AsTime(), x.stopped)
		between(t, "since, of one that was taken back,", x.plain.firstHeld(t, "extra").GetSince().AsTime(), x.rolledBack)
	}),
	heldClause("published_on", "published_on is the publisher's date.", func(t *testing.T, _ *chronicle, held *pb.HeldPublication) {
		equal(t, "published_on", "2026-03-05", held.GetPublishedOn())
	}),
	heldClause("sha256", "sha256 is the digest of the document, decompressed.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		equal(t, "sha256", digestOf(x.heldText), held.GetSha256())
		equal(t, "sha256 of the first of eu-fsf", digestOf(mustRead(t, "../../loader/eu/testdata/list.xml")), x.plain.firstHeld(t, "eu-fsf").GetSha256())
	}),
	heldClause("source", "source is where the loader read it: a URL or a file name.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		equal(t, "source", filepath.Base(x.heldFile), held.GetSource())
	}),
	heldClause("source", `Of one that was taken back it is the snapshot that it was in ("snapshot 5").`, func(t *testing.T, x *chronicle, _ *pb.HeldPublication) {
		equal(t, "source", "snapshot 5", x.plain.firstHeld(t, "extra").GetSource())
	}),
	heldClause("why", "why says what the guard found, or that it was taken back, for people, in English; its wording may change.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		if !strings.Contains(held.GetWhy(), "4 of 6 rows are gone") || !strings.Contains(x.plain.firstHeld(t, "eu-fsf").GetWhy(), "fewer than") || !strings.Contains(x.plain.firstHeld(t, "extra").GetWhy(), "back") {
			t.Errorf("%q, of eu-fsf %q, of extra %q", held.GetWhy(), x.plain.firstHeld(t, "eu-fsf").GetWhy(), x.plain.firstHeld(t, "extra").GetWhy())
		}
	}),
	heldClause("listed", "listed counts the address rows that it would list.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		equal(t, "listed", 1, held.GetListed())
		if x.plain.firstHeld(t, "eu-fsf").GetListed() == 0 {
			t.Error("the first publication of eu-fsf would list nothing")
		}
	}),
	heldClause("delisted", "delisted counts the address rows that it would delist.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		equal(t, "delisted", 4, held.GetDelisted())
		equal(t, "delisted by the first of eu-fsf", 0, x.plain.firstHeld(t, "eu-fsf").GetDelisted())
	}),
	heldClause("amended", "amended counts the address rows of which it would say something else, and the parties, each once however many rows it has.", func(t *testing.T, x *chronicle, held *pb.HeldPublication) {
		equal(t, "amended", 2, held.GetAmended())
		equal(t, "amended by the first of eu-fsf", 0, x.plain.firstHeld(t, "eu-fsf").GetAmended())
	}),
	{
		element: "HeldList", says: []string{"HeldList is a list whose first publication is held."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for _, l := range s.snapshot(t).GetHeldFirst() {
				if s.list(t, l.GetListId()) != nil || l.GetHeld() == nil {
					t.Errorf("%v", l)
				}
			}
			// A list of which a later one is held is not among them.
			if slices.ContainsFunc(s.snapshot(t).GetHeldFirst(), func(l *pb.HeldList) bool { return l.GetListId() == "house" }) {
				t.Error("house is, though it is served")
			}
		},
	},
	{
		element: "HeldList.list_id", says: []string{"list_id is the list."},
		holds: func(t *testing.T, w *world) {
			for _, list := range []string{"eu-fsf", "extra"} {
				r := w.chronicle().plain.one(t, unlistedAddress, &pb.ScreenAddressesRequest{ListIds: []string{list}})
				if w.chronicle().plain.firstHeld(t, list) == nil || r.GetReason() != pb.Reason_REASON_NOT_LOADED {
					t.Errorf("asked for %s: %v", list, r)
				}
			}
		},
	},
	{
		element: "HeldList.held", says: []string{"held is that publication."},
		holds: func(t *testing.T, w *world) {
			held := w.chronicle().plain.firstHeld(t, "eu-fsf")
			equal(t, "its date", "2026-09-22", held.GetPublishedOn())
			equal(t, "its source", "list.xml", held.GetSource())
			// One that was taken back with the rollback.
			equal(t, "that of extra", digestOf(mustRead(t, filepath.Join(w.chronicle().dir, "extra-2026-02-08.csv"))), w.chronicle().plain.firstHeld(t, "extra").GetSha256())
		},
	},
	{
		element: "UncoveredList", says: []string{"UncoveredList is a list that this program knows of and that is not loaded."},
		holds: func(t *testing.T, w *world) {
			known := knownLists(t)
			s := w.chronicle().plain
			for _, l := range s.snapshot(t).GetNotCovered() {
				if _, ok := known[l.GetListId()]; !ok || s.list(t, l.GetListId()) != nil {
					t.Errorf("%v", l)
				}
			}
		},
	},
	uncoveredClause("list_id", "list_id is the id that the list has, or would have.", (*pb.UncoveredList).GetListId, func(l knownList) string { return l.List }),
	uncoveredClause("authority", "authority publishes it.", (*pb.UncoveredList).GetAuthority, func(l knownList) string { return l.Authority }),
	uncoveredClause("name", "name is its name.", (*pb.UncoveredList).GetName, func(l knownList) string { return l.Name }),
	uncoveredClause("why", "why says why it is not loaded, for people, in English.", (*pb.UncoveredList).GetWhy, func(l knownList) string { return l.Why }),
	uncoveredClause("url", "url is the publisher's page about it.", (*pb.UncoveredList).GetUrl, func(l knownList) string { return l.URL }),
}

// history is every listing of an address. The request may hold what is no UTF-8.
func (s *answering) history(t testing.TB, req *pb.GetAddressHistoryRequest) *pb.GetAddressHistoryResponse {
	t.Helper()
	res, err := s.askHistory(t, req)
	if err != nil {
		t.Fatalf("%v: %v", req, err)
	}
	return res
}

func (s *answering) askHistory(t testing.TB, req *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error) {
	return s.lists.GetAddressHistory(t.Context(), req, grpc.ForceCodecV2(wire.Codec{}))
}

// listingOf is the one listing of an address.
func (s *answering) listingOf(t testing.TB, address string) *pb.Listing {
	t.Helper()
	res := s.history(t, &pb.GetAddressHistoryRequest{Address: address})
	if len(res.GetMatches()) != 1 {
		t.Fatalf("%s: %v, want one listing", address, res)
	}
	return res.GetMatches()[0].GetListing()
}

// told are the listings of a history in few words.
func told(res *pb.GetAddressHistoryResponse) []string {
	var out []string
	for _, m := range res.GetMatches() {
		l := m.GetListing()
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", l.GetListedOn(), l.GetListId(), l.GetPartyName(), l.GetSymbol(), l.GetDelistedOn())))
	}
	return out
}

// repeatedTold is the history of repeatedText: what counts from one day on comes in the
// order in which answers have it.
var repeatedTold = []string{"2026-01-05 house Mallory ETH", "2026-01-05 house Mallory USDT", "2026-01-05 house Trudy ETH", "2026-02-07 texts Texts"}

// oddListIDs tries values of list_ids; ask returns the error of asking for these.
func oddListIDs(t *testing.T, ask func(ids []string) error) {
	t.Helper()
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("list-%d", i)
	}
	for _, ids := range [][]string{nil, {"house"}, {"house", "house", "house"}, {"a"}, {"-"}, {"0"}, {strings.Repeat("z", 64)}, {"no-such-list"}, hundred} {
		if err := ask(ids); err != nil {
			t.Errorf("%.40q: %v", ids, err)
		}
	}
	for _, ids := range [][]string{
		{""}, {"house", ""}, {"House"}, {"HOUSE"}, {"ho use"}, {" house"}, {"house\x00"}, {"\x00"}, {"ho_use"}, {"ho/use"}, {"höuse"}, {"名"}, {strings.Repeat("z", 65)}, {"house", "Desk"},
		append(slices.Clone(hundred), "house"), slices.Repeat([]string{"house"}, 101), {strings.Repeat("z", 1<<20)},
	} {
		wantRefused(t, ask(ids), codes.InvalidArgument, "INVALID_LIST_ID", false)
	}
}

// oddNetworks tries values of network.
func oddNetworks(t *testing.T, ask func(network string) error) {
	t.Helper()
	for _, network := range []string{"", "eip155:1", "eip155:999999", "tron:0x2b6653dc", "bip122:000000000019d6689c085ae165831e93", "abc:1", "abcdefgh:x", "a-1:A_b-9", "abc:" + strings.Repeat("x", 32)} {
		if err := ask(network); err != nil {
			t.Errorf("%q: %v", network, err)
		}
	}
	for _, network := range []string{
		"ethereum", ":", "eip155:", ":1", "ab:1", "abcdefghi:1", "EIP155:1", "eip155:1 ", " eip155:1", "eip155:1\x00", "eip 155:1", "éip155:1", "eip155:é", "eip155:1:2", "eip155:1/2",
		"abc:" + strings.Repeat("x", 33), strings.Repeat("x", 1<<20),
	} {
		wantRefused(t, ask(network), codes.InvalidArgument, "INVALID_NETWORK", false)
	}
}

var historyClauses = []clause{
	{
		element: "ListService.GetAddressHistory", says: []string{"GetAddressHistory returns every listing of one address, past and present, on every list, with the publications that listed and delisted it."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			equal(t, "present, on two lists", repeatedTold, told(x.plain.history(t, &pb.GetAddressHistoryRequest{Address: repeatedText})))
			equal(t, "past", []string{"2026-01-05 house Old Name ETH 2026-02-05"}, told(x.plain.history(t, &pb.GetAddressHistoryRequest{Address: goneText})))
			listing := x.plain.listingOf(t, goneText)
			equal(t, "listed by", x.plain.list(t, "house").GetFirstPublication(), listing.GetListed())
			equal(t, "delisted by", x.plain.list(t, "house").GetPublication(), listing.GetDelisted())
			// In the builtin list, which has the history of a real one.
			equal(t, "of Tornado Cash", "2025-03-21", w.builtin().listingOf(t, "0x12D66f87A04A9E220743712cE6d9bB1B5616B8Fc").GetDelisted().GetPublishedOn())
		},
	},
	{
		element: "ListService.GetAddressHistory", says: []string{"An address that cannot be read is answered with the reason, not with an error."},
		holds: func(t *testing.T, w *world) { oddHistories(t, w.chronicle().plain) },
	},
	{
		element: "ListService.GetAddressHistory", says: []string{"INVALID_ARGUMENT: INVALID_NETWORK, INVALID_LIST_ID."},
		holds: func(t *testing.T, w *world) {
			for _, address := range []string{repeatedText, ""} {
				_, err := w.chronicle().plain.askHistory(t, &pb.GetAddressHistoryRequest{Address: address, Network: "ethereum"})
				wantRefused(t, err, codes.InvalidArgument, "INVALID_NETWORK", false)
				_, err = w.chronicle().plain.askHistory(t, &pb.GetAddressHistoryRequest{Address: address, ListIds: []string{"SDN"}})
				wantRefused(t, err, codes.InvalidArgument, "INVALID_LIST_ID", false)
			}
		},
	},
	{
		element: "ListService.GetAddressHistory", says: []string{"UNAVAILABLE: NOT_READY."},
		holds: func(t *testing.T, w *world) {
			_, err := w.chronicle().empty.askHistory(t, &pb.GetAddressHistoryRequest{Address: repeatedText})
			wantRefused(t, err, codes.Unavailable, "NOT_READY", true)
		},
	},
	{
		element: "GetAddressHistoryRequest", says: []string{"GetAddressHistoryRequest asks for every listing of one address."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			req := &pb.GetAddressHistoryRequest{Address: repeatedText}
			equal(t, "with fields of a newer contract", repeatedTold, told(s.history(t, withUnknown(proto.CloneOf(req), newerFields()))))
			// Of a field that is there twice the last counts.
			again := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), goneText)
			equal(t, "with an address twice", []string{"2026-01-05 house Old Name ETH 2026-02-05"}, told(s.history(t, withUnknown(proto.CloneOf(req), again))))
			// One of another type is none that is known.
			other := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7)
			equal(t, "with a number for an address", repeatedTold, told(s.history(t, withUnknown(proto.CloneOf(req), other))))
		},
	},
	{
		element: "GetAddressHistoryRequest.address", says: []string{"address is the text to look up, as in ScreenAddressesRequest.addresses.", "One that is not valid UTF-8 is answered, too."},
		holds: func(t *testing.T, w *world) { oddHistories(t, w.chronicle().plain) },
	},
	{
		element: "GetAddressHistoryRequest.list_ids", says: []string{"list_ids are the lists to look in, as in ScreenAddressesRequest.list_ids."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			oddListIDs(t, func(ids []string) error {
				_, err := s.askHistory(t, &pb.GetAddressHistoryRequest{Address: repeatedText, ListIds: ids})
				return err
			})
			for _, test := range []struct {
				ids  []string
				want []string
			}{
				{nil, repeatedTold}, {[]string{"house"}, repeatedTold[:3]}, {[]string{"house", "house"}, repeatedTold[:3]}, {[]string{"texts"}, repeatedTold[3:]},
				{[]string{"us-ofac-sdn"}, nil}, {[]string{"no-such-list"}, nil}, {[]string{"no-such-list", "texts"}, repeatedTold[3:]},
			} {
				equal(t, fmt.Sprintf("of %q", test.ids), test.want, told(s.history(t, &pb.GetAddressHistoryRequest{Address: repeatedText, ListIds: test.ids})))
			}
			// A text that is no UTF-8 is no id, and gRPC itself refuses it.
			bad := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "\xff")
			if res, err := s.askHistory(t, withUnknown(&pb.GetAddressHistoryRequest{Address: repeatedText}, bad)); err == nil {
				t.Errorf("not UTF-8: %v", res)
			}
		},
	},
	{
		element: "GetAddressHistoryRequest.network", says: []string{"network is a hint, as in ScreenAddressesRequest.network."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			oddNetworks(t, func(network string) error {
				_, err := s.askHistory(t, &pb.GetAddressHistoryRequest{Address: repeatedText, Network: network})
				return err
			})
			for network, want := range map[string][]pb.Warning{
				"": nil, "eip155:1": nil, "unknown:1": nil, "tron:0x2b6653dc": {pb.Warning_WARNING_NETWORK_MISMATCH},
				"bip122:000000000019d6689c085ae165831e93": {pb.Warning_WARNING_NETWORK_MISMATCH},
			} {
				res := s.history(t, &pb.GetAddressHistoryRequest{Address: repeatedText, Network: network})
				equal(t, "matches on "+network, repeatedTold, told(res))
				equal(t, "warnings on "+network, want, res.GetWarnings())
				equal(t, "warnings of an answer on "+network, want, s.one(t, repeatedText, &pb.ScreenAddressesRequest{Network: network}).GetWarnings())
			}
		},
	},
	{
		element: "GetAddressHistoryResponse", says: []string{"GetAddressHistoryResponse holds every listing of one address."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			equal(t, "of one that was never listed", nil, told(s.history(t, &pb.GetAddressHistoryRequest{Address: unlistedAddress})))
			equal(t, "however it is written", repeatedTold, told(s.history(t, &pb.GetAddressHistoryRequest{Address: "ethereum:" + strings.ToUpper(repeatedText[2:])})))
			// On the lists of loaded: back again under a new listing.
			var got []string
			for _, m := range w.loaded().history(t, &pb.GetAddressHistoryRequest{Address: returningAddress}).GetMatches() {
				got = append(got, m.GetListing().GetListedOn()+" to "+m.GetListing().GetDelistedOn())
			}
			equal(t, "one that came back", []string{houseDays[0] + " to " + houseDays[1], houseDays[2] + " to "}, got)
		},
	},
	{
		element: "GetAddressHistoryResponse.matches", says: []string{
			"matches are the listings, past, present and to come, by the day from which they count, oldest first.",
			"Each is as it stands now, one that has ended as it last stood.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			equal(t, "to come", []string{"2099-01-01 house Late ETH"}, told(s.history(t, &pb.GetAddressHistoryRequest{Address: distantText})))
			equal(t, "as it stands now", []string{"2026-01-05 house New Name ETH"}, told(s.history(t, &pb.GetAddressHistoryRequest{Address: renamedText})))
			equal(t, "as it last stood", []string{"2026-01-05 house Old Name ETH 2026-02-05"}, told(s.history(t, &pb.GetAddressHistoryRequest{Address: goneText})))
			for _, text := range []string{standingAddress, returningAddress, boundedAddress, comingAddress, "0x000000000000000000000000000000000000dEaD"} {
				days := []string{}
				for _, m := range w.loaded().history(t, &pb.GetAddressHistoryRequest{Address: text}).GetMatches() {
					days = append(days, m.GetListing().GetListedOn())
				}
				if len(days) == 0 || !slices.IsSorted(days) {
					t.Errorf("%s: from %q", text, days)
				}
			}
		},
	},
	{
		element: "GetAddressHistoryResponse.reason", says: []string{
			"reason says why the history may not be complete: why the text cannot be read, or what stands against the lists (REASON_STALE, REASON_NOT_LOADED).",
			"Unspecified when nothing does, also when there are no matches.",
		},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			for _, test := range []struct {
				s    *answering
				req  *pb.GetAddressHistoryRequest
				want pb.Reason
			}{
				{x.plain, &pb.GetAddressHistoryRequest{Address: repeatedText}, 0}, {x.plain, &pb.GetAddressHistoryRequest{Address: goneText}, 0},
				{x.plain, &pb.GetAddressHistoryRequest{Address: unlistedAddress}, 0}, {w.builtin(), &pb.GetAddressHistoryRequest{Address: unlistedAddress}, 0},
				{x.plain, &pb.GetAddressHistoryRequest{Address: "nobody.eth"}, pb.Reason_REASON_NAME_NEEDS_RESOLUTION},
				{x.plain, &pb.GetAddressHistoryRequest{Address: misprintText}, pb.Reason_REASON_MALFORMED},
				{x.stale, &pb.GetAddressHistoryRequest{Address: repeatedText}, pb.Reason_REASON_STALE}, {x.stale, &pb.GetAddressHistoryRequest{Address: unlistedAddress}, pb.Reason_REASON_STALE},
				{x.plain, &pb.GetAddressHistoryRequest{Address: repeatedText, ListIds: []string{"house", "eu-fsf"}}, pb.Reason_REASON_NOT_LOADED},
				{x.plain, &pb.GetAddressHistoryRequest{Address: unlistedAddress, ListIds: []string{"no-such-list"}}, pb.Reason_REASON_NOT_LOADED},
			} {
				if got := test.s.history(t, test.req).GetReason(); got != test.want {
					t.Errorf("%v: %s, want %s", test.req, got, test.want)
				}
			}
		},
	},
	{
		element: "GetAddressHistoryResponse.warnings", says: []string{"warnings are remarks on how the text had to be read."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for text, want := range map[string][]pb.Warning{
				repeatedText: nil, "\u200b " + repeatedText + "\n": {pb.Warning_WARNING_NORMALIZED}, "ethereum:" + repeatedText: {pb.Warning_WARNING_URI},
				"0x098b716B8Aaf21512996dC57EB0615e2383E2f96": {pb.Warning_WARNING_CHECKSUM_CASE}, "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn": {pb.Warning_WARNING_TESTNET},
			} {
				equal(t, text, want, s.history(t, &pb.GetAddressHistoryRequest{Address: text}).GetWarnings())
			}
		},
	},
	{
		element: "GetAddressHistoryResponse.snapshot", says: []string{"snapshot names the snapshot that the answer comes from."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.chronicle().plain, w.builtin()} {
				equal(t, "snapshot", s.snapshot(t).GetSnapshot(), s.history(t, &pb.GetAddressHistoryRequest{Address: goneText}).GetSnapshot())
			}
		},
	},
	{
		element: "GetAddressHistoryResponse.notices", says: []string{"notices are what a reader of the answer must know."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			of := func(s *answering, ids ...string) []string {
				return noticesOf(s.history(t, &pb.GetAddressHistoryRequest{Address: goneText, ListIds: ids}).GetNotices())
			}
			equal(t, "of all lists", []string{"PUBLICATION_HELD eu-fsf", "PUBLICATION_HELD extra", "PUBLICATION_HELD house"}, of(x.plain))
			equal(t, "of one list", []string{"PUBLICATION_HELD house"}, of(x.plain, "house"))
			equal(t, "of one of which nothing is to be known", nil, of(x.plain, "texts"))
			equal(t, "of one that is not loaded", []string{"LIST_NOT_LOADED no-such-list"}, of(x.plain, "no-such-list"))
			equal(t, "of a stale one", []string{"LIST_STALE texts"}, of(x.stale, "texts"))
			equal(t, "of the builtin one", []string{"BUILTIN_LISTS us-ofac-sdn"}, of(w.builtin()))
		},
	},
	{
		element: "GetAddressHistoryResponse.lists", says: []string{"lists are the lists that were consulted."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			for s, stale := range map[*answering]bool{x.plain: false, x.stale: true} {
				for _, ids := range [][]string{{"house", "texts", "us-ofac-sdn"}, {"texts"}} {
					req := &pb.GetAddressHistoryRequest{Address: goneText, ListIds: ids}
					if len(ids) == 3 {
						req.ListIds = nil
					}
					var got []string
					for _, l := range s.history(t, req).GetLists() {
						got = append(got, l.GetListId())
						is := s.list(t, l.GetListId())
						if l.GetPublishedOn() != is.GetPublication().GetPublishedOn() || !proto.Equal(l.GetVerifiedAt(), is.GetVerifiedAt()) || l.GetStale() != stale {
							t.Errorf("%v, want it as in %v", l, is)
						}
					}
					equal(t, "lists", ids, got)
				}
			}
		},
	},
}

// oddHistories asks for texts of every kind: each is answered, with the reason for
// which it cannot be read, as it would be screened.
func oddHistories(t *testing.T, s *answering) {
	t.Helper()
	for text, want := range map[string]pb.Reason{
		"": pb.Reason_REASON_EMPTY, " \t\n": pb.Reason_REASON_EMPTY, "\u200b": pb.Reason_REASON_EMPTY,
		strings.Repeat("a", 511): pb.Reason_REASON_TOO_LONG, strings.Repeat("a", 512): pb.Reason_REASON_TOO_LONG, strings.Repeat("a", 513): pb.Reason_REASON_TOO_LONG,
		strings.Repeat(" ", 470) + repeatedText: 0, strings.Repeat(" ", 471) + repeatedText: pb.Reason_REASON_TOO_LONG, strings.Repeat("a", 1<<20): pb.Reason_REASON_TOO_LONG,
		"\xff": pb.Reason_REASON_INVALID_TEXT, repeatedText + "\xc3": pb.Reason_REASON_INVALID_TEXT, "\xed\xa0\x80": pb.Reason_REASON_INVALID_TEXT,
		"ж": pb.Reason_REASON_NON_ASCII, "-1": pb.Reason_REASON_UNRECOGNIZED, "nobody.eth": pb.Reason_REASON_NAME_NEEDS_RESOLUTION,
		repeatedText: 0, " " + repeatedText: 0, repeatedText + "0": pb.Reason_REASON_MALFORMED,
	} {
		res, err := s.askHistory(t, &pb.GetAddressHistoryRequest{Address: text})
		if err != nil || res.GetReason() != want {
			t.Errorf("%.30q (%d bytes): %v, %v, want %s", text, len(text), res, err, want)
		}
		answer, err := s.screening.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{text}}, grpc.ForceCodecV2(wire.Codec{}))
		if err != nil || answer.GetResults()[0].GetReason() != want {
			t.Errorf("%.30q (%d bytes), screened: %v, %v, want %s", text, len(text), answer, err, want)
		}
	}
	// No NUL is a part of an address.
	for _, text := range []string{"\x00", repeatedText + "\x00", "\x00" + repeatedText, repeatedText[:20] + "\x00" + repeatedText[20:]} {
		res, err := s.askHistory(t, &pb.GetAddressHistoryRequest{Address: text})
		if err != nil || res.GetReason() == 0 && len(res.GetMatches()) == 0 {
			t.Errorf("%q: %v, %v", text, res, err)
		}
	}
}

// A follower reads a stream of WatchChanges.
type follower struct {
	t      testing.TB
	stream grpc.ServerStreamingClient[pb.WatchChangesResponse]
	err    error // of beginning
	cancel context.CancelFunc
	last   uint64 // the snapshot that was told last
}

// follow begins to follow the changes.
func (s *answering) follow(t testing.TB, req *pb.WatchChangesRequest) *follower {
	return s.followFor(t, patience, req)
}

func (s *answering) followFor(t testing.TB, atMost time.Duration, req *pb.WatchChangesRequest) *follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	t.Cleanup(cancel)
	stream, err := s.WatchChanges(ctx, req)
	return &follower{t: t, stream: stream, err: err, cancel: cancel}
}

// toldChanges are all changes of one snapshot, and the sizes of the messages.
type toldChanges struct {
	ref     *pb.SnapshotRef
	changes []*pb.ListingChange
	counts  []int // of changes in each message
	bytes   []int
}

// read reads all changes of the next snapshot, and checks what holds for each message.
func (f *follower) read() (*toldChanges, error) {
	if f.err != nil {
		return nil, f.err
	}
	all := new(toldChanges)
	for {
		res, err := f.stream.Recv()
		if err != nil {
			return nil, err
		}
		if all.ref != nil && !proto.Equal(all.ref, res.GetSnapshot()) {
			f.t.Errorf("a message of snapshot %v within those of %v", res.GetSnapshot(), all.ref)
		}
		all.ref = res.GetSnapshot()
		all.changes = append(all.changes, res.GetChanges()...)
		all.counts, all.bytes = append(all.counts, len(res.GetChanges())), append(all.bytes, proto.Size(res))
		if res.GetLast() {
			break
		}
		if len(res.GetChanges()) == 0 {
			f.t.Errorf("a message without changes that is not the last of %v", all.ref)
		}
	}
	if all.ref.GetSequence() <= f.last || all.ref.GetDigest() == "" || all.ref.GetCreatedAt() == nil {
		f.t.Errorf("snapshot %v after %d", all.ref, f.last)
	}
	f.last = all.ref.GetSequence()
	return all, nil
}

func (f *follower) next() *toldChanges {
	f.t.Helper()
	all, err := f.read()
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

// end reads on to the error that the stream ends with.
func (f *follower) end() error {
	f.t.Helper()
	defer f.cancel()
	for {
		if _, err := f.read(); err != nil {
			return err
		}
	}
}

// signs are changes in few words, sorted, after their snapshot: + listed, - delisted, ~ amended.
func (c *toldChanges) signs() []string {
	out := []string{fmt.Sprint(c.ref.GetSequence())}
	for _, change := range c.changes {
		sign := map[pb.ListingChangeType]string{
			pb.ListingChangeType_LISTING_CHANGE_TYPE_LISTED: "+", pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED: "-", pb.ListingChangeType_LISTING_CHANGE_TYPE_AMENDED: "~",
		}[change.GetType()]
		if sign == "" {
			sign = "?"
		}
		l := change.GetListing()
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", sign, l.GetListId(), l.GetAddress(), l.GetSymbol())))
	}
	slices.Sort(out[1:])
	return out
}

// listingText is a listing as a key.
func listingText(t testing.TB, l *pb.Listing) string {
	t.Helper()
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// current are the current listings of a snapshot, by another way than their changes:
// every text of it, as the export has it, is screened against it. Rows that print days
// of their own must not be among them.
func (s *answering) current(t testing.TB, sequence uint64, lists ...string) map[string]int {
	t.Helper()
	_, content := s.exported(t, sequence)
	snapshot, err := screen.DecodeVerified(content, sha256.Sum256(content))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for i := range snapshot.Listings() {
		texts[snapshot.Listings()[i].Text] = true
	}
	listings := map[string]int{}
	if len(texts) == 0 {
		return listings
	}
	req := &pb.ScreenAddressesRequest{Addresses: slices.Sorted(maps.Keys(texts)), Snapshot: sequence, ListIds: lists}
	for i, r := range s.screen(t, req).GetResults() {
		for _, m := range r.GetMatches() {
			if m.GetListing().GetAddress() == req.Addresses[i] {
				listings[listingText(t, m.GetListing())]++
			}
		}
	}
	return listings
}

// apply does with changes what the contract says.
func (c *toldChanges) apply(t testing.TB, listings map[string]int) {
	t.Helper()
	for _, change := range c.changes {
		if change.GetPrevious() != nil {
			listings[listingText(t, change.GetPrevious())]--
		}
		if change.GetType() != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED {
			listings[listingText(t, change.GetListing())]++
		}
	}
	maps.DeleteFunc(listings, func(_ string, n int) bool { return n == 0 })
}

// A live installation has servers and followers while snapshots come.
type live struct {
	*premises
	s *answering
}

func newLive(t testing.TB) *live {
	t.Helper()
	p := newPremises(t)
	p.load(0, p.own("alpha", "2026-01-01", row(accountText(1), "ETH"), row(accountText(2), "ETH"), row(accountText(3), "ETH", "Three", "3")))
	x := &live{premises: p, s: p.serve(t)}
	x.s.atSnapshot(t, 1)
	return x
}

// followed loads one snapshot after the other while it is followed.
func followed(t *testing.T, _ *world) {
	x := newLive(t)
	all := x.s.follow(t, &pb.WatchChangesRequest{})
	beta := x.s.follow(t, &pb.WatchChangesRequest{ListIds: []string{"beta"}})
	equal(t, "at once", []string{"1"}, all.next().signs())
	equal(t, "of a list that is not loaded, at once", []string{"1"}, beta.next().signs())
	held, heldBeta := x.s.current(t, 1), map[string]int{}
	wants := func(sequence uint64, want, wantBeta []string) {
		t.Helper()
		changes, changesBeta := all.next(), beta.next()
		number := []string{fmt.Sprint(sequence)}
		equal(t, "changes", append(number, want...), changes.signs())
		equal(t, "changes of beta", append(number, wantBeta...), changesBeta.signs())
		changes.apply(t, held)
		changesBeta.apply(t, heldBeta)
		equal(t, "the current listings", x.s.current(t, sequence), held)
		equal(t, "the current listings of beta", x.s.current(t, sequence, "beta"), heldBeta)
		equal(t, "the snapshot", x.s.snapshot(t).GetSnapshot(), changes.ref)
	}
	// Listed, delisted, amended.
	x.load(0, x.own("alpha", "2026-01-02", row(accountText(1), "ETH"), row(accountText(3), "ETH", "Third", "3"), row(accountText(4), "ETH")))
	wants(2, []string{"+ alpha " + accountText(4) + " ETH", "- alpha " + accountText(2) + " ETH", "~ alpha " + accountText(3) + " ETH"}, nil)

	// News of how fresh a list is are no snapshot, and nothing is sent.
	before := x.s.list(t, "alpha").GetVerifiedAt().AsTime()
	x.load(4, "alpha@2026-01-02="+filepath.Join(x.dir, "alpha-2026-01-02.csv"))
	eventually(t, "it is compared again", func() bool { return x.s.list(t, "alpha").GetVerifiedAt().AsTime().After(before) })

	// A list that was not loaded.
	x.load(0, x.own("beta", "2026-01-03", row(accountText(5), "ETH")))
	five := []string{"+ beta " + accountText(5) + " ETH"}
	wants(3, five, five)

	// A rollback takes it away, and gives back what was delisted.
	if out := runProgram(t, "", "snapshot", "rollback", "1", "--redis", x.url); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	gone := []string{"- beta " + accountText(5) + " ETH"}
	wants(4, []string{"+ alpha " + accountText(2) + " ETH", "- alpha " + accountText(4) + " ETH", gone[0], "~ alpha " + accountText(3) + " ETH"}, gone)
}

// lostData kills the Redis of a server that has followers, starts it again without what
// it held, and stops the server.
func lostData(t *testing.T, _ *world) {
	p := newPremises(t)
	p.load(0, p.own("house", "2026-01-01", row(accountText(1))))
	p.load(0, p.own("house", "2026-01-02", row(accountText(1)), row(accountText(2))))
	s := p.serve(t)
	was := s.atSnapshot(t, 2).GetSnapshot()
	f := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2, FromDigest: was.GetDigest()})
	equal(t, "at once", []string{"2"}, f.next().signs())

	// Where the first snapshot is kept cannot be reached.
	p.redis.Kill()
	unreadable := func(err error) {
		t.Helper()
		info := wantRefused(t, err, codes.Unavailable, "SNAPSHOT_UNREADABLE", true)
		equal(t, "metadata", map[string]string{"snapshot": "1"}, info.GetMetadata())
	}
	unreadable(s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1}).end())
	_, err := s.ExportSnapshot(t.Context(), 1, io.Discard)
	unreadable(err)
	_, err = s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{accountText(1)}, Snapshot: 1})
	unreadable(err)
	equal(t, "the one that is served", []string{"2"}, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2}).next().signs())

	// All of it is lost, and somebody begins anew.
	p.redis.Restart()
	p.load(0, p.own("house", "2026-01-03", row(accountText(3))))
	tooOld := func(err error) {
		t.Helper()
		info := wantRefused(t, err, codes.OutOfRange, "SNAPSHOT_TOO_OLD", false)
		equal(t, "metadata", map[string]string{"oldest": "1"}, info.GetMetadata())
	}
	tooOld(f.end())
	// Another snapshot has the number.
	s.atSnapshot(t, 1)
	tooOld(s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1, FromDigest: was.GetDigest()}).end())
	// What to do then: the whole state, and on from there.
	head, content := s.exported(t, 0)
	equal(t, "the digest of the whole state", head.GetSnapshot().GetDigest(), digestOf(string(content)))
	again := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: head.GetSnapshot().GetSequence(), FromDigest: head.GetSnapshot().GetDigest()})
	equal(t, "on from there", []string{"1"}, again.next().signs())
	p.load(0, p.own("house", "2026-01-04", row(accountText(3)), row(accountText(4))))
	equal(t, "the next", []string{"2", "+ house " + accountText(4)}, again.next().signs())
	// Its number again, as long as nobody says which digest it had.
	equal(t, "without a digest", []string{"2"}, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2}).next().signs())
	tooOld2 := wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2, FromDigest: was.GetDigest()}).end(), codes.OutOfRange, "SNAPSHOT_TOO_OLD", false)
	equal(t, "metadata", map[string]string{"oldest": "2"}, tooOld2.GetMetadata())

	// The server goes away.
	s.terminate(t)
	wantRefused(t, again.end(), codes.Unavailable, "SERVER_STOPPING", true)
	<-s.done
	s.stop(t)
	if strings.Contains(s.logged(), "panic") {
		t.Errorf("%s", s.logged())
	}
}

// tooMuch has changes that take more than 64 MiB, told and to catch up with.
func tooMuch(t *testing.T, _ *world) {
	x := newPremises(t)
	x.load(0, x.own("alpha", "2026-01-01", row(accountText(1))))
	// With the race detector it takes seconds.
	s := standUp(t, serveBuilt(t, builtPlain.program(t), "", "--redis", x.url))
	f := s.follow(t, &pb.WatchChangesRequest{})
	f.next()
	rows := make([]string, 5800) // of 12,000 bytes and what each row has of its own
	for i := range rows {
		rows[i] = row(accountText(1_000_000+i), "ETH", "", "e-2")
	}
	rows[0] = bulky(accountText(1_000_000))
	x.load(0, x.own("bulky", "2026-01-02", rows...))
	for _, f := range []*follower{f, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1})} {
		info := wantRefused(t, f.end(), codes.OutOfRange, "SNAPSHOT_TOO_OLD", false)
		equal(t, "metadata", map[string]string{"oldest": "2"}, info.GetMetadata())
	}
	equal(t, "from there", []string{"2"}, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2}).next().signs())
}

var watchClauses = []clause{
	{
		element: "ListService.WatchChanges", says: []string{
			"WatchChanges sends what was listed, delisted and amended since a snapshot, then stays open and sends changes as new snapshots are served.",
			"Changes of one snapshot come together, snapshots in ascending order of sequence; each message names the snapshot to resume from.",
			"After that every new snapshot is told, with one message without changes if it changed nothing in the lists followed.",
			"Nothing is sent between snapshots.",
			"Who holds the current listings of from_snapshot, takes each previous out and puts each listing in but those of LISTING_CHANGE_TYPE_DELISTED, holds the current listings of snapshot.",
			"This is so after a rollback, too: it is a new snapshot with an older content.",
		},
		holds: followed,
	},
	{
		element: "ListService.WatchChanges", says: []string{
			"The first messages, at once, lead from from_snapshot to the snapshot that is served: the changes between these two, so that a listing that came and went meanwhile is not among them (GetAddressHistory has it).",
			"When both are the same, or from_snapshot is 0, it is one message without changes.",
			"Changes are those of current listings.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.loaded()
			// leavingAddress went with the second publication of house, and returningAddress
			// came back with the third.
			for from, wants := range map[uint64]map[string]string{
				1: {leavingAddress: "-", returningAddress: "~", arrivingAddress: "+", deskAddress: "+", standingAddress: "+~"},
				3: {leavingAddress: "", returningAddress: "+", arrivingAddress: "+", deskAddress: "+", standingAddress: "+~"},
				4: {leavingAddress: "", returningAddress: "+", arrivingAddress: "+", deskAddress: "", standingAddress: "~"},
			} {
				changes := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: from}).next()
				got := map[string]string{}
				for text := range wants {
					got[text] = ""
				}
				for _, line := range changes.signs()[1:] {
					if words := strings.Fields(line); wants[words[2]] != "" || got[words[2]] != "" {
						got[words[2]] += words[0]
					}
				}
				equal(t, fmt.Sprintf("from %d", from), wants, got)
				equal(t, "the snapshot", lastSnapshot, changes.ref.GetSequence())
			}
			for _, from := range []uint64{0, lastSnapshot} {
				changes := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: from}).next()
				equal(t, fmt.Sprintf("from %d", from), []string{fmt.Sprint(lastSnapshot)}, changes.signs())
				equal(t, "messages", []int{0}, changes.counts)
			}
			// In a chronicle extra came and went between 4 and 6.
			x := w.chronicle().plain
			equal(t, "what came and went", []string{"6"}, x.follow(t, &pb.WatchChangesRequest{FromSnapshot: 4}).next().signs())
			// So did goneText in loaded's time; it is in its history.
			equal(t, "its history", 1, len(s.history(t, &pb.GetAddressHistoryRequest{Address: leavingAddress}).GetMatches()))
		},
	},
	{
		element: "ListService.WatchChanges", says: []string{
			"Fails with OUT_OF_RANGE and SNAPSHOT_TOO_OLD when the server does not hold from_snapshot any more, holds another under its number (from_digest), when the changes would take over 64 MiB, or when the numbers of snapshots begin anew, as after the loss of all data: then fetch the whole state with ExportSnapshot and watch from there.",
		},
		holds: func(t *testing.T, w *world) {
			info := wantRefused(t, w.chronicle().plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2}).end(), codes.OutOfRange, "SNAPSHOT_TOO_OLD", false)
			equal(t, "metadata", map[string]string{"oldest": "3"}, info.GetMetadata())
			tooMuch(t, w)
		},
	},
	{
		element: "ListService.WatchChanges", says: []string{
			"UNAVAILABLE with SNAPSHOT_UNREADABLE when from_snapshot cannot be read now.",
			"A server that is going away ends the stream with UNAVAILABLE and SERVER_STOPPING; connections end now and then, too: resume.",
		},
		holds: lostData,
	},
	{
		element: "ListService.WatchChanges", says: []string{
			"A from_snapshot that the server has not reached is waited for as a min_snapshot is, then FAILED_PRECONDITION with SNAPSHOT_NOT_REACHED: another server may be ahead of this one.",
		},
		holds: func(t *testing.T, w *world) {
			x := newLive(t)
			f := x.s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2})
			x.load(0, x.own("beta", "2026-01-03", row(accountText(5), "ETH")))
			// Loading may take longer than the server waits; then the answer is the other one.
			if changes, err := f.read(); err == nil {
				equal(t, "waited for", []string{"2"}, changes.signs())
			} else {
				wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_REACHED", true)
			}
			begin := time.Now()
			notReached(t, x.s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 3}).end(), "2", "from_snapshot", "3")
			if took := time.Since(begin); took < 1900*time.Millisecond {
				t.Errorf("waited %s, want two seconds", took)
			}
			// Never to the deadline of the call, if the machine is not too busy.
			err := status.Error(codes.DeadlineExceeded, "")
			for try := 0; try < 10 && status.Code(err) == codes.DeadlineExceeded; try++ {
				err = x.s.followFor(t, time.Second, &pb.WatchChangesRequest{FromSnapshot: math.MaxUint64}).end()
			}
			notReached(t, err, "2", "from_snapshot", fmt.Sprint(uint64(math.MaxUint64)))
		},
	},
	{
		element: "ListService.WatchChanges", says: []string{
			"A client that does not take a message for 30 seconds, or is more than 16 snapshots behind, is cut off with RESOURCE_EXHAUSTED and SLOW_CONSUMER and may resume.",
		},
		elsewhere: "screen/server.TestSlowWatcher",
	},
	{
		element: "ListService.WatchChanges", says: []string{"INVALID_ARGUMENT: INVALID_LIST_ID, INVALID_SNAPSHOT (from_digest)."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			wantRefused(t, s.follow(t, &pb.WatchChangesRequest{ListIds: []string{"SDN"}}).end(), codes.InvalidArgument, "INVALID_LIST_ID", false)
			wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1, FromDigest: "1"}).end(), codes.InvalidArgument, "INVALID_SNAPSHOT", false)
		},
	},
	{
		element: "WatchChangesRequest", says: []string{"WatchChangesRequest says from where to follow the changes."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for from, want := range map[uint64]int{0: 0, 1: 4 + 5 + 7, 3: 5, 4: 0, 6: 0} {
				changes := s.follow(t, withUnknown(&pb.WatchChangesRequest{FromSnapshot: from}, newerFields())).next()
				equal(t, fmt.Sprintf("changes from %d", from), want, len(changes.changes))
			}
		},
	},
	{
		element: "WatchChangesRequest.from_snapshot", says: []string{
			"from_snapshot is the sequence number of the last snapshot that the client knows; changes after it are sent.",
			"0 means from the one served now: only new changes.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for _, from := range []uint64{1, 3, 4, 5, 6} {
				listings := s.current(t, from)
				changes := *w.chronicle().since(t, from)
				// One that counts from a day to come is a current listing, and no answer has it.
				changes.changes = slices.DeleteFunc(slices.Clone(changes.changes), func(c *pb.ListingChange) bool { return c.GetListing().GetAddress() == distantText })
				changes.apply(t, listings)
				equal(t, fmt.Sprintf("from %d", from), s.current(t, chronicleSnapshot), listings)
			}
			equal(t, "from 0", []string{"6"}, s.follow(t, &pb.WatchChangesRequest{}).next().signs())
			// Twice: the last counts. Of another type: it is not the field.
			from := func(n uint64) []byte {
				return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), n)
			}
			equal(t, "twice", []string{"6"}, s.follow(t, withUnknown(&pb.WatchChangesRequest{FromSnapshot: 1}, from(6))).next().signs())
			text := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "1")
			equal(t, "a text", []string{"6"}, s.follow(t, withUnknown(&pb.WatchChangesRequest{}, text)).next().signs())
			// A negative number is a large one.
			waiting := map[uint64]*follower{}
			for _, n := range []uint64{7, math.MaxInt64, 1 << 63, math.MaxUint64} {
				waiting[n] = s.follow(t, withUnknown(&pb.WatchChangesRequest{}, from(n)))
			}
			for n, f := range waiting {
				notReached(t, f.end(), "6", "from_snapshot", fmt.Sprint(n))
			}
		},
	},
	{
		element: "WatchChangesRequest.list_ids", says: []string{
			"list_ids are the lists to follow, as in ScreenAddressesRequest.list_ids; none means all.",
			"One that is not loaded has no changes until it is.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			oddListIDs(t, func(ids []string) error {
				_, err := s.follow(t, &pb.WatchChangesRequest{ListIds: ids}).read()
				return err
			})
			counts := func(ids ...string) map[string]int {
				lists := map[string]int{}
				for _, c := range s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1, ListIds: ids}).next().changes {
					lists[c.GetListing().GetListId()]++
				}
				return lists
			}
			all := counts()
			equal(t, "of all", map[string]int{"house": 4, "texts": 5, "us-ofac-sdn": 7}, all)
			equal(t, "of one, twice", map[string]int{"texts": 5}, counts("texts", "texts"))
			equal(t, "of two", map[string]int{"texts": 5, "us-ofac-sdn": 7}, counts("us-ofac-sdn", "texts"))
			equal(t, "of one that is not loaded, and one that is", map[string]int{"house": 4}, counts("house", "eu-fsf"))
			equal(t, "of one that is not loaded", map[string]int{}, counts("eu-fsf"))
			bad := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), "\xff")
			if err := s.follow(t, withUnknown(&pb.WatchChangesRequest{}, bad)).end(); err == nil || status.Code(err) == codes.DeadlineExceeded {
				t.Errorf("not UTF-8: %v", err)
			}
		},
	},
	{
		element: "WatchChangesRequest.from_digest", says: []string{
			"from_digest is the digest of from_snapshot, as its SnapshotRef said.",
			"With it the server can tell that another snapshot has the number now, which happens when an installation lost all its data.",
			`"" checks nothing.`,
			"A text that is no digest, or one without from_snapshot, is INVALID_ARGUMENT with INVALID_SNAPSHOT.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			digests := map[uint64]string{}
			for _, n := range []uint64{1, 3, 4, 5, 6} {
				head, _ := s.exported(t, n)
				digests[n] = head.GetSnapshot().GetDigest()
			}
			for from, digest := range digests {
				with := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: from, FromDigest: digest}).next()
				equal(t, "with the digest", w.chronicle().since(t, from).signs(), with.signs())
				other := digests[3]
				if from == 3 {
					other = digests[1]
				}
				info := wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: from, FromDigest: other}).end(), codes.OutOfRange, "SNAPSHOT_TOO_OLD", false)
				equal(t, "metadata", map[uint64]string{1: "3", 3: "4", 4: "5", 5: "6", 6: "6"}[from], info.GetMetadata()["oldest"])
			}
			six := digests[6]
			for _, digest := range []string{
				"x", strings.ToUpper(six), six[:63], six + "0", " " + six, six + "\n", six[:63] + "g", six[:63] + "\x00", six[:62] + "é", strings.Repeat("é", 32), strings.Repeat("0", 63), "0x" + six, strings.Repeat("a", 1<<20),
			} {
				wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 6, FromDigest: digest}).end(), codes.InvalidArgument, "INVALID_SNAPSHOT", false)
			}
			wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromDigest: six}).end(), codes.InvalidArgument, "INVALID_SNAPSHOT", false)
		},
	},
	{
		element: "WatchChangesResponse", says: []string{"WatchChangesResponse holds changes that one snapshot made."},
		holds: func(t *testing.T, w *world) {
			changes := w.chronicle().plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: 3, ListIds: []string{"texts"}}).next()
			var want []string
			for _, text := range []string{repeatedText, misprintText, hashText, strangeText, severalText} {
				want = append(want, "+ texts "+text)
			}
			equal(t, "changes", slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(changes.signs()[1:])))
		},
	},
	{
		element: "WatchChangesResponse.snapshot", says: []string{
			"snapshot is the snapshot that made them.",
			"Resume from its sequence number and digest when last is set; before, resume from the one before it: a part of the changes says nothing of the others.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for _, from := range []uint64{0, 1, 5} { // read checks that all messages name the same one
				changes := w.chronicle().since(t, from)
				equal(t, "snapshot", s.snapshot(t).GetSnapshot(), changes.ref)
				resumed := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: changes.ref.GetSequence(), FromDigest: changes.ref.GetDigest()}).next()
				equal(t, "resumed", []string{"6"}, resumed.signs())
			}
			// Cut off before the last message, and resumed: all of them again.
			cut := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 5})
			if res, err := cut.stream.Recv(); err != nil || res.GetLast() {
				t.Errorf("%v: the first message of many is the last", err)
			}
			cut.cancel()
			equal(t, "resumed", manyRowsOfExtra+201, len(s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 5}).next().changes))
		},
	},
	{
		element: "WatchChangesResponse.changes", says: []string{
			"changes are the changes, at most 1,000 in a message and no more than 1 MiB unless one change alone is larger; none when the client is told only that a snapshot changed nothing in its lists.",
			"Lists come in order of their ids.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			changes := w.chronicle().since(t, 5)
			equal(t, "changes", manyRowsOfExtra+201, len(changes.changes))
			equal(t, "the first messages", []int{1000, 1000}, changes.counts[:min(2, len(changes.counts))])
			large := 0
			for i, n := range changes.counts {
				if n > 1000 || n == 0 {
					t.Errorf("message %d has %d changes", i, n)
				}
				if changes.bytes[i] > 1<<20 {
					large++
					equal(t, "changes in a message of more than 1 MiB", 1, n)
				}
			}
			equal(t, "messages of more than 1 MiB", 1, large)
			// Of 300 small ones and 200 of more than 24 KiB, for it is there twice.
			if n := len(changes.counts); n < 7 || n > 9 {
				t.Errorf("%d messages, of %d bytes", n, changes.bytes)
			}
			ids := []string{}
			for _, c := range s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1, ListIds: []string{"us-ofac-sdn", "texts", "house"}}).next().changes {
				if id := c.GetListing().GetListId(); len(ids) == 0 || ids[len(ids)-1] != id {
					ids = append(ids, id)
				}
			}
			equal(t, "lists in turn", []string{"house", "texts", "us-ofac-sdn"}, ids)
			equal(t, "none", []int{0}, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 4}).next().counts)
		},
	},
	{
		element: "WatchChangesResponse.last", says: []string{"last is set on the last message for this snapshot."},
		holds: func(t *testing.T, w *world) {
			for _, from := range []uint64{0, 1, 5} {
				f := w.chronicle().plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: from})
				messages := len(f.next().counts)
				if (messages > 1) != (from != 0) {
					t.Errorf("from %d: %d messages", from, messages)
				}
				// Nothing follows it.
				f.cancel()
				if res, err := f.stream.Recv(); err == nil {
					t.Errorf("from %d: %v after the last", from, res)
				}
			}
		},
	},
}

// notReached wants a refusal that tells what is served and what was asked for.
func notReached(t testing.TB, err error, served, field, asked string) {
	t.Helper()
	info := wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_REACHED", true)
	equal(t, "metadata", map[string]string{"sequence": served, field: asked}, info.GetMetadata())
}

// changeOf is the one change of a listing from a snapshot of a chronicle on.
func changeOf(t testing.TB, w *world, from uint64, list, text, symbol string) *pb.ListingChange {
	t.Helper()
	var found []*pb.ListingChange
	for _, c := range w.chronicle().since(t, from).changes {
		if c.GetListing().GetListId() == list && c.GetListing().GetAddress() == text && c.GetListing().GetSymbol() == symbol {
			found = append(found, c)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d changes of %s %s since %d, want one", len(found), text, symbol, from)
	}
	return found[0]
}

var changeClauses = []clause{
	{
		element: "ListingChange", says: []string{"ListingChange is one change of one listing."},
		holds: func(t *testing.T, w *world) {
			for _, c := range w.chronicle().plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1}).next().changes {
				was, is := c.GetPrevious(), c.GetListing()
				if is == nil || was != nil && (was.GetListId() != is.GetListId() || was.GetPartyUid() != is.GetPartyUid() || was.GetAddress() != is.GetAddress() || was.GetSymbol() != is.GetSymbol()) {
					t.Errorf("%v", c)
				}
			}
		},
	},
	{
		element: "ListingChange.type", says: []string{"type says what happened."},
		holds: func(t *testing.T, w *world) {
			equal(t, "of house", []string{"6", "+ house " + distantText + " ETH", "+ house " + newText + " ETH", "- house " + goneText + " ETH", "~ house " + renamedText + " ETH"},
				w.chronicle().plain.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1, ListIds: []string{"house"}}).next().signs())
		},
	},
	{
		element: "ListingChange.listing", says: []string{
			"listing is the listing after the change: one that was delisted, with its end.",
			"A rollback and a list that is not loaded any more take listings away that the snapshot does not know at all; then it is as it was before, without an end.",
		},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			gone := changeOf(t, w, 1, "house", goneText, "ETH")
			equal(t, "the end", x.plain.list(t, "house").GetPublication(), gone.GetListing().GetDelisted())
			equal(t, "the end", "2026-02-05", gone.GetListing().GetDelistedOn())
			equal(t, "after the change", "New Name", changeOf(t, w, 1, "house", renamedText, "ETH").GetListing().GetPartyName())
			// As GetAddressHistory has it.
			equal(t, "the listing", x.plain.listingOf(t, goneText), gone.GetListing())

			taken := changeOf(t, w, 5, "extra", accountText(1000), "ETH")
			equal(t, "what a rollback took away", taken.GetPrevious(), taken.GetListing())
			if l := taken.GetListing(); l.GetDelisted() != nil || l.GetDelistedOn() != "" || l.GetPartyName() != "Many" || taken.GetType() != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED {
				t.Errorf("%v", taken)
			}
		},
	},
	{
		element: "ListingChange.previous", says: []string{"previous is the listing before the change, when it was amended or delisted."},
		holds: func(t *testing.T, w *world) {
			equal(t, "before it was amended", "Old Name", changeOf(t, w, 1, "house", renamedText, "ETH").GetPrevious().GetPartyName())
			gone := changeOf(t, w, 1, "house", goneText, "ETH").GetPrevious()
			if gone == nil || gone.GetDelisted() != nil || gone.GetDelistedOn() != "" {
				t.Errorf("before it was delisted: %v", gone)
			}
			if c := changeOf(t, w, 1, "house", newText, "ETH"); c.GetPrevious() != nil {
				t.Errorf("before it was listed: %v", c)
			}
		},
	},
	{
		element: "ListingChangeType", says: []string{"ListingChangeType says what happened to a listing."},
		meaning: "the heading of its values",
	},
	{
		element: "ListingChangeType.LISTING_CHANGE_TYPE_UNSPECIFIED", says: []string{"LISTING_CHANGE_TYPE_UNSPECIFIED is never sent."},
		holds: func(t *testing.T, w *world) {
			var all []*pb.ListingChange
			for _, from := range []uint64{0, 1, 3, 4, 5} {
				all = append(all, w.chronicle().since(t, from).changes...)
				all = append(all, w.loaded().follow(t, &pb.WatchChangesRequest{FromSnapshot: from}).next().changes...)
			}
			types := map[pb.ListingChangeType]bool{}
			for _, c := range all {
				types[c.GetType()] = true
			}
			equal(t, "types", map[pb.ListingChangeType]bool{1: true, 2: true, 3: true}, types)
		},
	},
	{
		element: "ListingChangeType.LISTING_CHANGE_TYPE_LISTED", says: []string{"LISTING_CHANGE_TYPE_LISTED: it appeared in a publication, or came back."},
		holds: func(t *testing.T, w *world) {
			for from, texts := range map[uint64][]string{3: {arrivingAddress, returningAddress}, 1: {arrivingAddress}} {
				signs := w.loaded().follow(t, &pb.WatchChangesRequest{FromSnapshot: from, ListIds: []string{"house"}}).next().signs()
				for _, text := range texts {
					if !slices.Contains(signs, "+ house "+text+" ETH") {
						t.Errorf("from %d: %q, want %s listed", from, signs, text)
					}
				}
			}
		},
	},
	{
		element: "ListingChangeType.LISTING_CHANGE_TYPE_DELISTED", says: []string{"LISTING_CHANGE_TYPE_DELISTED: it disappeared."},
		holds: func(t *testing.T, w *world) {
			equal(t, "out of a publication", pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED, changeOf(t, w, 1, "house", goneText, "ETH").GetType())
			equal(t, "with its list", pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED, changeOf(t, w, 5, "extra", accountText(1001), "ETH").GetType())
		},
	},
	{
		element: "ListingChangeType.LISTING_CHANGE_TYPE_AMENDED", says: []string{"LISTING_CHANGE_TYPE_AMENDED: what is said of it, its party or its list changed."},
		holds: func(t *testing.T, w *world) {
			equal(t, "its party", pb.ListingChangeType_LISTING_CHANGE_TYPE_AMENDED, changeOf(t, w, 1, "house", renamedText, "ETH").GetType())
			// What is said of the row itself: the day on which it ends.
			x := newLive(t)
			x.load(0, x.own("alpha", "2026-01-02", row(accountText(1), "ETH"), row(accountText(2), "ETH", "", "", "", "", "", "", "2099-01-01"), row(accountText(3), "ETH", "Three", "3")))
			x.s.atSnapshot(t, 2)
			equal(t, "the row", []string{"2", "~ alpha " + accountText(2) + " ETH"}, x.s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 1}).next().signs())
		},
	},
}

// exported reads an export to its end, and checks what holds for each message.
func (s *answering) exported(t testing.TB, sequence uint64) (*pb.ExportSnapshotResponse, []byte) {
	t.Helper()
	head, content, _, err := s.export(t, &pb.ExportSnapshotRequest{Snapshot: sequence})
	if err != nil {
		t.Fatalf("exporting snapshot %d: %v", sequence, err)
	}
	return head, content
}

func (s *answering) export(t testing.TB, req *pb.ExportSnapshotRequest) (head *pb.ExportSnapshotResponse, content []byte, sizes []int, err error) {
	t.Helper()
	stream, err := s.lists.ExportSnapshot(t.Context(), req)
	if err != nil {
		return nil, nil, nil, err
	}
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return head, content, sizes, nil
		}
		if err != nil {
			return nil, nil, nil, err
		}
		if len(sizes) == 0 {
			head = res
		} else if res.GetSnapshot() != nil || res.GetSignature() != nil || res.GetSignatureKeyId() != "" || res.GetSignedStatement() != nil {
			t.Errorf("message %d names the snapshot again", len(sizes))
		}
		content, sizes = append(content, res.GetData()...), append(sizes, len(res.GetData()))
	}
}

var exportClauses = []clause{
	{
		element: "ListService.ExportSnapshot", says: []string{"ExportSnapshot streams the snapshot in its canonical encoding, the bytes whose SHA-256 is the digest that answers name."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.chronicle().plain, w.builtin(), w.loaded()} {
				ref := s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}}).GetSnapshot()
				head, content := s.exported(t, 0)
				equal(t, "the snapshot", ref, head.GetSnapshot())
				equal(t, "its digest", ref.GetDigest(), digestOf(string(content)))
				// Canonical: what is read and written again is the same.
				snapshot, err := screen.DecodeVerified(content, sha256.Sum256(content))
				if err != nil || !bytes.Equal(snapshot.Encoding(), content) {
					t.Errorf("%v: it is not what it is written as", err)
				}
			}
		},
	},
	{
		element: "ListService.ExportSnapshot", says: []string{"A client that does not take a message for 30 seconds is cut off with RESOURCE_EXHAUSTED and SLOW_CONSUMER."},
		elsewhere: "screen/server.TestExportToASlowConsumer",
	},
	{
		element: "ListService.ExportSnapshot", says: []string{"FAILED_PRECONDITION with SNAPSHOT_NOT_HELD, UNAVAILABLE with NOT_READY and SNAPSHOT_UNREADABLE are as for ScreenAddresses."},
		holds: func(t *testing.T, w *world) {
			// SNAPSHOT_UNREADABLE is compared by lostData.
			x := w.chronicle()
			for _, test := range []struct {
				s    *answering
				code codes.Code
				want string
			}{{x.plain, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD"}, {x.empty, codes.Unavailable, "NOT_READY"}} {
				_, _, _, err := test.s.export(t, &pb.ExportSnapshotRequest{Snapshot: 2})
				_, other := test.s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, Snapshot: 2})
				wantRefused(t, err, test.code, test.want, retryOf(other) > 0)
				equal(t, "as for ScreenAddresses", status.Convert(other).Proto(), status.Convert(err).Proto())
			}
		},
	},
	{
		element: "ExportSnapshotRequest", says: []string{"ExportSnapshotRequest asks for a snapshot's canonical encoding."},
		holds: func(t *testing.T, w *world) {
			head, content, _, err := w.chronicle().plain.export(t, withUnknown(&pb.ExportSnapshotRequest{Snapshot: 3}, newerFields()))
			if err != nil || head.GetSnapshot().GetSequence() != 3 || head.GetSnapshot().GetDigest() != digestOf(string(content)) {
				t.Errorf("%v, %v", head.GetSnapshot(), err)
			}
		},
	},
	{
		element: "ExportSnapshotRequest.snapshot", says: []string{
			"snapshot is the sequence number; 0 means the one served now.",
			"One that is yet to come is waited for as in ScreenAddressesRequest.snapshot.",
			"FAILED_PRECONDITION with SNAPSHOT_NOT_HELD when the server does not hold it.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			for _, test := range []struct{ asked, want uint64 }{{0, 6}, {1, 1}, {3, 3}, {4, 4}, {5, 5}, {6, 6}} {
				head, content := s.exported(t, test.asked)
				equal(t, "number", test.want, head.GetSnapshot().GetSequence())
				equal(t, "digest", head.GetSnapshot().GetDigest(), digestOf(string(content)))
			}
			number := func(n uint64) []byte {
				return protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), n)
			}
			waiting := map[uint64]grpc.ServerStreamingClient[pb.ExportSnapshotResponse]{}
			for _, n := range []uint64{2, 7, math.MaxInt64, 1 << 63, math.MaxUint64} {
				stream, err := s.lists.ExportSnapshot(t.Context(), withUnknown(&pb.ExportSnapshotRequest{}, number(n)))
				if err != nil {
					t.Fatal(err)
				}
				waiting[n] = stream
			}
			for n, stream := range waiting {
				_, err := stream.Recv()
				info := wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false)
				equal(t, "metadata", map[string]string{"sequence": "6", "snapshot": fmt.Sprint(n)}, info.GetMetadata())
			}
			// Waited for, as another call is that is made with it.
			x := newLive(t)
			begin := time.Now()
			waited := make(chan error, 2)
			go func() { _, _, _, err := x.s.export(t, &pb.ExportSnapshotRequest{Snapshot: 2}); waited <- err }()
			x.load(0, x.own("beta", "2026-01-03", row(accountText(5), "ETH")))
			if err := <-waited; err != nil && time.Since(begin) < 2*time.Second {
				t.Errorf("%v after %s", err, time.Since(begin))
			}
			x.s.atSnapshot(t, 2)
			begin = time.Now()
			_, _, _, err := x.s.export(t, &pb.ExportSnapshotRequest{Snapshot: 3})
			wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false)
			if took := time.Since(begin); took < 1900*time.Millisecond {
				t.Errorf("waited %s, want two seconds", took)
			}
		},
	},
	{
		element: "ExportSnapshotResponse", says: []string{"ExportSnapshotResponse is one piece of a snapshot's canonical encoding."},
		holds: func(t *testing.T, w *world) {
			_, content, sizes, err := w.chronicle().plain.export(t, &pb.ExportSnapshotRequest{Snapshot: 5})
			if err != nil || len(sizes) < 2 || len(content) <= 1<<20 {
				t.Errorf("%d bytes in pieces of %d, %v", len(content), sizes, err)
			}
		},
	},
	{
		element: "ExportSnapshotResponse.snapshot", says: []string{"snapshot names the snapshot; set in the first message only."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			head, _ := s.exported(t, 0)
			equal(t, "the one that is served", s.snapshot(t).GetSnapshot(), head.GetSnapshot())
			head, _ = s.exported(t, 5) // which checks the other messages
			equal(t, "another", s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, Snapshot: 5}).GetSnapshot(), head.GetSnapshot())
		},
	},
	{
		element: "ExportSnapshotResponse.signature", says: []string{"signature is the loader's signature over signed_statement, as in GetSnapshotResponse; first message only."},
		holds: func(t *testing.T, w *world) {
			x := w.chronicle()
			for _, n := range []uint64{0, 1, 3, 4, 5} {
				head, _ := x.plain.exported(t, n)
				if !ed25519.Verify(x.key, head.GetSignedStatement(), head.GetSignature()) {
					t.Errorf("snapshot %d: the signature does not verify", n)
				}
			}
			head, _ := x.plain.exported(t, 0)
			equal(t, "as in GetSnapshotResponse", x.plain.snapshot(t).GetSignature(), head.GetSignature())
			head, _ = w.builtin().exported(t, 0)
			equal(t, "of what is not signed", 0, len(head.GetSignature()))
		},
	},
	{
		element: "ExportSnapshotResponse.signature_key_id", says: []string{"signature_key_id names the key of the signature; first message only."},
		holds: func(t *testing.T, w *world) {
			for _, n := range []uint64{0, 5} {
				head, _ := w.chronicle().plain.exported(t, n)
				equal(t, "the key", w.chronicle().keyID, head.GetSignatureKeyId())
			}
		},
	},
	{
		element: "ExportSnapshotResponse.data", says: []string{"data is the next piece, at most 1 MiB, never empty."},
		holds: func(t *testing.T, w *world) {
			for _, n := range []uint64{0, 1, 5} {
				_, _, sizes, err := w.chronicle().plain.export(t, &pb.ExportSnapshotRequest{Snapshot: n})
				if err != nil || len(sizes) == 0 || slices.Min(sizes) == 0 || slices.Max(sizes) > 1<<20 {
					t.Errorf("snapshot %d: pieces of %d, %v", n, sizes, err)
				}
			}
		},
	},
	{
		element: "ExportSnapshotResponse.signed_statement", says: []string{"signed_statement is what is signed; first message only."},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			head, _ := s.exported(t, 0)
			equal(t, "as in GetSnapshotResponse", string(s.snapshot(t).GetSignedStatement()), string(head.GetSignedStatement()))
			head, _ = s.exported(t, 5)
			if !strings.Contains(string(head.GetSignedStatement()), "\nsequence 5\ndigest "+head.GetSnapshot().GetDigest()+"\n") {
				t.Errorf("%q", head.GetSignedStatement())
			}
		},
	},
}

// reasonClause holds reasons of errors of requests that are wrong in themselves.
func reasonClause(value, says string, wrong ...*pb.ScreenAddressesRequest) clause {
	return clause{element: "ErrorReason.ERROR_REASON_" + value, says: []string{says}, holds: func(t *testing.T, w *world) {
		for _, req := range wrong {
			if value != "NO_ADDRESSES" {
				req.Addresses = []string{repeatedText}
			}
			_, err := w.builtin().ScreenAddresses(t.Context(), req)
			info := wantRefused(t, err, codes.InvalidArgument, value, false)
			equal(t, "metadata", 0, len(info.GetMetadata()))
		}
	}}
}

var reasonClauses = []clause{
	{
		element: "ErrorReason", says: []string{"ErrorReason names every reason that a google.rpc.ErrorInfo of this package carries, without the prefix ERROR_REASON_."},
		elsewhere: "screen/server.TestEnums",
	},
	{
		element: "ErrorReason", says: []string{`Its domain is "walletscreen".`},
		holds: func(t *testing.T, w *world) {
			_, err := w.builtin().ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{})
			equal(t, "domain", "walletscreen", infoOf(err).GetDomain())
			_, err = w.guarded().as("stranger").GetSnapshot(t.Context())
			equal(t, "domain, before a call is made", "walletscreen", infoOf(err).GetDomain())
			equal(t, "domain, in a stream", "walletscreen", infoOf(w.builtin().follow(t, &pb.WatchChangesRequest{ListIds: []string{""}}).end()).GetDomain())
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_UNSPECIFIED", says: []string{"ERROR_REASON_UNSPECIFIED is never sent."},
		elsewhere: "screen/server.TestEnums",
	},
	reasonClause("NO_ADDRESSES", "ERROR_REASON_NO_ADDRESSES: the request holds no address.", &pb.ScreenAddressesRequest{}, &pb.ScreenAddressesRequest{Addresses: []string{}, Network: "x"}),
	{
		element: "ErrorReason.ERROR_REASON_TOO_MANY_ADDRESSES", says: []string{"ERROR_REASON_TOO_MANY_ADDRESSES: more than 10,000.", `Metadata: "addresses", "limit".`},
		holds: func(t *testing.T, w *world) {
			for _, n := range []int{10_001, 12_345} {
				_, err := w.builtin().ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: make([]string, n)})
				info := wantRefused(t, err, codes.InvalidArgument, "TOO_MANY_ADDRESSES", false)
				equal(t, "metadata", map[string]string{"addresses": fmt.Sprint(n), "limit": "10000"}, info.GetMetadata())
			}
			w.builtin().screen(t, &pb.ScreenAddressesRequest{Addresses: make([]string, 10_000)})
		},
	},
	reasonClause("INVALID_NETWORK", "ERROR_REASON_INVALID_NETWORK: network is not of the form of CAIP-2.", &pb.ScreenAddressesRequest{Network: "ethereum"}, &pb.ScreenAddressesRequest{Network: "eip155:"}),
	reasonClause("INVALID_LIST_ID", "ERROR_REASON_INVALID_LIST_ID: no list can have this id, or too many ids.",
		&pb.ScreenAddressesRequest{ListIds: []string{"SDN"}}, &pb.ScreenAddressesRequest{ListIds: slices.Repeat([]string{"us-ofac-sdn"}, 101)}),
	reasonClause("INVALID_AS_OF", "ERROR_REASON_INVALID_AS_OF: not a date, or in the future.",
		&pb.ScreenAddressesRequest{AsOf: "2026-02-29"}, &pb.ScreenAddressesRequest{AsOf: "9999-12-31"}, &pb.ScreenAddressesRequest{AsOf: "today"}),
	reasonClause("INVALID_MAX_LIST_AGE", "ERROR_REASON_INVALID_MAX_LIST_AGE: zero, negative or out of range.",
		&pb.ScreenAddressesRequest{MaxListAge: &durationpb.Duration{}}, &pb.ScreenAddressesRequest{MaxListAge: durationpb.New(-1)}, &pb.ScreenAddressesRequest{MaxListAge: &durationpb.Duration{Seconds: math.MaxInt64}}),
	{
		element: "ErrorReason.ERROR_REASON_INVALID_SNAPSHOT", says: []string{"ERROR_REASON_INVALID_SNAPSHOT: snapshot and min_snapshot contradict each other, or from_digest is not the digest of a from_snapshot."},
		holds: func(t *testing.T, w *world) {
			for _, req := range []*pb.ScreenAddressesRequest{{Snapshot: 1, MinSnapshot: 2}, {Snapshot: 1, MinSnapshot: math.MaxUint64}} {
				req.Addresses = []string{repeatedText}
				_, err := w.chronicle().plain.ScreenAddresses(t.Context(), req)
				wantRefused(t, err, codes.InvalidArgument, "INVALID_SNAPSHOT", false)
			}
			for _, req := range []*pb.WatchChangesRequest{{FromSnapshot: 1, FromDigest: "x"}, {FromDigest: strings.Repeat("0", 64)}} {
				wantRefused(t, w.chronicle().plain.follow(t, req).end(), codes.InvalidArgument, "INVALID_SNAPSHOT", false)
			}
		},
	},
	reasonClause("INVALID_REQUEST_ID", "ERROR_REASON_INVALID_REQUEST_ID: too long or not printable ASCII.",
		&pb.ScreenAddressesRequest{RequestId: strings.Repeat("a", 129)}, &pb.ScreenAddressesRequest{RequestId: "\x7f"}, &pb.ScreenAddressesRequest{RequestId: "é"}),
	{
		element: "ErrorReason.ERROR_REASON_SNAPSHOT_NOT_REACHED", says: []string{
			"ERROR_REASON_SNAPSHOT_NOT_REACHED: the server has not reached min_snapshot, or from_snapshot.",
			`Metadata: "sequence" (what is served), and "min_snapshot" or "from_snapshot".`,
			"Try again.",
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			f := s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 7})
			_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, MinSnapshot: 8})
			notReached(t, err, "6", "min_snapshot", "8")
			notReached(t, f.end(), "6", "from_snapshot", "7")
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_SNAPSHOT_NOT_HELD", says: []string{
			"ERROR_REASON_SNAPSHOT_NOT_HELD: the server does not hold the snapshot asked for, or answers wrongly from it when it checks itself, and so does not answer.", `Metadata: "sequence" (what is served), "snapshot".`,
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, Snapshot: 2})
			equal(t, "metadata", map[string]string{"sequence": "6", "snapshot": "2"}, wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false).GetMetadata())
			_, _, _, err = s.export(t, &pb.ExportSnapshotRequest{Snapshot: 2})
			equal(t, "metadata", map[string]string{"sequence": "6", "snapshot": "2"}, wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false).GetMetadata())
			// The second snapshot lists what the operator knows is not listed.
			p := newPremises(t)
			p.load(0, p.own("house", "2026-01-01", row(standingAddress)))
			checking := p.serve(t, "--canary-unlisted", unlistedAddress)
			p.load(0, p.own("house", "2026-01-02", row(standingAddress), row(unlistedAddress)))
			eventually(t, "the server refused it", func() bool { return strings.Contains(checking.logged(), "CANARIES FAIL") })
			p.load(0, p.own("house", "2026-01-03", row(standingAddress), row(leavingAddress)))
			checking.atSnapshot(t, 3)
			for _, asked := range []uint64{1, 2} {
				_, err := checking.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{standingAddress}, Snapshot: asked})
				if asked == 1 && err == nil {
					continue
				}
				equal(t, "metadata", map[string]string{"sequence": "3", "snapshot": "2"}, wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false).GetMetadata())
			}
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_SNAPSHOT_TOO_OLD", says: []string{
			"ERROR_REASON_SNAPSHOT_TOO_OLD: the history does not reach back that far.", `Metadata: "oldest", the lowest sequence number after it that can be asked for.`,
		},
		holds: func(t *testing.T, w *world) {
			s := w.chronicle().plain
			oldest := wantRefused(t, s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 2}).end(), codes.OutOfRange, "SNAPSHOT_TOO_OLD", false).GetMetadata()
			equal(t, "metadata", map[string]string{"oldest": "3"}, oldest)
			equal(t, "asked for", "6", s.follow(t, &pb.WatchChangesRequest{FromSnapshot: 3}).next().signs()[0])
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_RECEIPTS_NOT_CONFIGURED", says: []string{"ERROR_REASON_RECEIPTS_NOT_CONFIGURED: the server has no key to sign with."},
		holds: func(t *testing.T, w *world) {
			_, err := w.builtin().ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, Receipt: true})
			wantRefused(t, err, codes.FailedPrecondition, "RECEIPTS_NOT_CONFIGURED", false)
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_NOT_READY", says: []string{"ERROR_REASON_NOT_READY: no snapshot is loaded yet.", "Try again."},
		holds: func(t *testing.T, w *world) {
			refusedAlike(t, w.chronicle().empty, codes.Unavailable, "NOT_READY", true)
			p := newPremises(t)
			s := p.serve(t)
			_, err := s.GetSnapshot(t.Context())
			wantRefused(t, err, codes.Unavailable, "NOT_READY", true)
			p.load(0, p.own("house", "2026-01-01", row(repeatedText)))
			s.atSnapshot(t, 1) // it was worth trying again
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_SLOW_CONSUMER", says: []string{"ERROR_REASON_SLOW_CONSUMER: the client reads too slowly; resume."},
		elsewhere: "screen/server.TestSlowWatcher",
	},
	{
		element: "ErrorReason.ERROR_REASON_QUOTA_EXCEEDED", says: []string{
			"ERROR_REASON_QUOTA_EXCEEDED: over the caller's quota of addresses.",
			`Metadata: "addresses", "addresses_per_second", "burst".`,
			"Try again after the delay of the RetryInfo.",
			"Without one the request is larger than the burst and will never be answered: send smaller ones.",
		},
		holds: func(t *testing.T, w *world) {
			brisk := w.guarded().as("brisk")
			ask := func(n int) error {
				_, err := brisk.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{repeatedText}, n)})
				return err
			}
			metadata := func(n int) map[string]string {
				return map[string]string{"addresses": fmt.Sprint(n), "addresses_per_second": "2.5", "burst": "3"}
			}
			for _, n := range []int{4, 10_000} {
				equal(t, "metadata", metadata(n), wantRefused(t, ask(n), codes.ResourceExhausted, "QUOTA_EXCEEDED", false).GetMetadata())
			}
			err := ask(3)
			if err != nil {
				t.Errorf("the burst: %v", err)
			}
			for err == nil { // a slow machine may have another burst meanwhile
				err = ask(3)
			}
			equal(t, "metadata", metadata(3), wantRefused(t, err, codes.ResourceExhausted, "QUOTA_EXCEEDED", true).GetMetadata())
			if after := retryOf(err); after > 1200*time.Millisecond {
				t.Errorf("try again after %s, want no more than 3 of 2.5 addresses a second take", after)
			}
			<-time.After(retryOf(err))
			if err := ask(3); err != nil {
				t.Errorf("after the delay: %v", err)
			}
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_UNAUTHENTICATED", says: []string{"ERROR_REASON_UNAUTHENTICATED: no valid credentials."},
		holds: func(t *testing.T, w *world) {
			for _, name := range []string{"", "stranger"} {
				refusedAlike(t, w.guarded().as(name), codes.Unauthenticated, "UNAUTHENTICATED", false)
			}
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_PERMISSION_DENIED", says: []string{"ERROR_REASON_PERMISSION_DENIED: the caller may not call this method."},
		holds: func(t *testing.T, w *world) {
			denied := func(name string, calls ...func(s *answering) error) {
				t.Helper()
				for _, call := range calls {
					wantRefused(t, call(w.guarded().as(name)), codes.PermissionDenied, "PERMISSION_DENIED", false)
				}
			}
			screens := func(s *answering) error {
				_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}})
				return err
			}
			streams := func(s *answering) error {
				stream, err := s.ScreenAddressStream(t.Context())
				if err == nil {
					_, err = stream.Recv()
				}
				return err
			}
			describes := func(s *answering) error { _, err := s.GetSnapshot(t.Context()); return err }
			tells := func(s *answering) error {
				_, err := s.askHistory(t, &pb.GetAddressHistoryRequest{Address: repeatedText})
				return err
			}
			watches := func(s *answering) error { return s.follow(t, &pb.WatchChangesRequest{}).end() }
			exports := func(s *answering) error { _, _, _, err := s.export(t, &pb.ExportSnapshotRequest{}); return err }
			denied("screener", describes, tells, watches, exports)
			denied("reader", screens, streams, exports)
			denied("exporter", screens, streams, describes, tells, watches)
			// Those who may.
			w.guarded().as("reader").follow(t, &pb.WatchChangesRequest{}).next()
			w.guarded().as("reader").snapshot(t)
			w.guarded().as("exporter").exported(t, 0)
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_INTERNAL", says: []string{"ERROR_REASON_INTERNAL: a defect of the server.", "Nothing is known about the addresses."},
		elsewhere: "screen/server.TestPanic",
	},
	{
		element: "ErrorReason.ERROR_REASON_NOT_OFFERED", says: []string{"ERROR_REASON_NOT_OFFERED is not sent any more: the server offers every method."},
		holds: func(t *testing.T, w *world) {
			services := pb.File_walletscreen_v1_walletscreen_proto.Services()
			methods := 0
			for i := range services.Len() {
				for j := range services.Get(i).Methods().Len() {
					m := services.Get(i).Methods().Get(j)
					methods++
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					stream, err := w.builtin().conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, fmt.Sprintf("/%s/%s", services.Get(i).FullName(), m.Name()))
					if err == nil {
						// An empty message is one of each kind.
						err = errors.Join(stream.SendMsg(&pb.GetSnapshotRequest{}), stream.CloseSend())
					}
					if err == nil {
						err = stream.RecvMsg(&pb.Alias{}) // of which all is unknown, or is not
					}
					cancel()
					if code := status.Code(err); code == codes.Unimplemented || infoOf(err).GetReason() == "NOT_OFFERED" {
						t.Errorf("%s: %v", m.FullName(), err)
					}
				}
			}
			equal(t, "methods", 6, methods)
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_SNAPSHOT_UNREADABLE", says: []string{
			"ERROR_REASON_SNAPSHOT_UNREADABLE: the snapshot asked for is not in memory, and where it is kept cannot be reached or read now.", `Metadata: "snapshot".`, "Try again.",
		},
		holds: func(t *testing.T, _ *world) {
			p := newPremises(t)
			p.load(0, p.own("house", "2026-01-01", row(repeatedText)))
			p.load(0, p.own("house", "2026-01-02", row(repeatedText), row(goneText)))
			s := p.serve(t)
			// It cannot be read: Redis answers, and not with what was asked for.
			const kept = "walletscreen:{default}:snapshots"
			manifests := p.redis.MustDo("DUMP", kept).(string)
			p.redis.MustDo("DEL", kept)
			p.redis.MustDo("SET", kept, "x")
			_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{repeatedText}, Snapshot: 1})
			info := wantRefused(t, err, codes.Unavailable, "SNAPSHOT_UNREADABLE", true)
			equal(t, "metadata", map[string]string{"snapshot": "1"}, info.GetMetadata())
			p.redis.MustDo("RESTORE", kept, "0", manifests, "REPLACE")
			if r := s.one(t, goneText, &pb.ScreenAddressesRequest{Snapshot: 1}); r.GetVerdict() != pb.Verdict_VERDICT_NOT_LISTED {
				t.Errorf("tried again: %v", r)
			}
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_SERVER_STOPPING", says: []string{
			"ERROR_REASON_SERVER_STOPPING: the server is going away, and ends its streams.", "Go on at another one, or here when it is back.",
		},
		holds: func(t *testing.T, w *world) {
			s := standUp(t, serve(t))
			stream, err := s.ScreenAddressStream(t.Context())
			if err == nil {
				err = stream.Send(&pb.ScreenAddressesRequest{Addresses: []string{listedAddress}})
			}
			if err == nil {
				_, err = stream.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			f := s.follow(t, &pb.WatchChangesRequest{})
			f.next()
			s.terminate(t)
			_, err = stream.Recv()
			wantRefused(t, err, codes.Unavailable, "SERVER_STOPPING", true)
			wantRefused(t, f.end(), codes.Unavailable, "SERVER_STOPPING", true)
			<-s.done
			s.stop(t)
			// Another goes on.
			w.builtin().follow(t, &pb.WatchChangesRequest{}).next()
		},
	},
	{
		element: "ErrorReason.ERROR_REASON_OVERLOADED", says: []string{
			"ERROR_REASON_OVERLOADED: the server has as many calls in progress, or holds as much for clients, as it may.", "Another server may have room.", "Try again.",
		},
		holds: func(t *testing.T, w *world) {
			s := standUp(t, serve(t, "--max-calls", "1"))
			f := s.follow(t, &pb.WatchChangesRequest{})
			f.next()
			_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{listedAddress}})
			wantRefused(t, err, codes.Unavailable, "OVERLOADED", true)
			_, err = s.GetSnapshot(t.Context())
			wantRefused(t, err, codes.Unavailable, "OVERLOADED", true)
			// Another has room, and so has this one when the call has ended.
			if r := w.builtin().one(t, listedAddress, nil); r.GetVerdict() != pb.Verdict_VERDICT_LISTED {
				t.Errorf("%v", r)
			}
			f.cancel()
			eventually(t, "there is room", func() bool {
				_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{listedAddress}})
				return err == nil
			})
		},
	},
}
