package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
)

// limit is how long anything that must happen may take on a machine under load.
const limit = 20 * time.Second

// tron is an address that OFAC listed, and tronKey its canonical key.
const (
	tron    = "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"
	tronKey = "tron:00be5e0c85be35948d97ad37f62d108243f89ae0"
	evm     = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"
	evmKey  = "evm:098b716b8aaf21512996dc57eb0615e2383e2f96"
	opaque  = "no encoding that anybody reads"
)

var sdn = screen.List{
	ID: "us-ofac-sdn", Kind: screen.KindDesignation, Authority: "OFAC",
	Name: "Specially Designated Nationals and Blocked Persons List", URL: "https://sanctionslist.ofac.treas.gov/",
}

// merge returns the snapshot with one more publication of the list, of the given
// day of January 2025, in which one party has the given addresses.
func merge(t testing.TB, s *screen.Snapshot, list screen.List, day int, texts ...string) *screen.Snapshot {
	t.Helper()
	pub := &screen.Publication{
		List: list.ID, PublishedOn: screen.Date(20250100 + day), Records: len(texts),
		Digest: sha256.Sum256(fmt.Append(nil, list.ID, day, texts)),
	}
	if len(texts) > 0 {
		party := screen.PublishedParty{UID: "22985", Facts: screen.Facts{Name: "Bank & Söhne", Type: screen.PartyEntity, Programs: []string{"DPRK4"}}}
		for _, text := range texts {
			party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: text, Symbol: "USDT"})
		}
		pub.Parties = append(pub.Parties, party)
	}
	next, _, err := s.Merge(list, pub)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func newPublisher(t testing.TB, o Options) *Publisher {
	t.Helper()
	p, err := NewPublisher(o)
	if err != nil {
		t.Fatal(err)
	}
	p.Builder = "test"
	t.Cleanup(func() { p.Close() })
	return p
}

func newReader(t testing.TB, o Options) *Reader {
	t.Helper()
	r, err := NewReader(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func newest(t testing.TB, p *Publisher) *screen.Snapshot {
	t.Helper()
	s, _, err := p.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustPublish merges a publication into what is current and publishes it.
func mustPublish(t testing.TB, p *Publisher, day int, texts ...string) *screen.Snapshot {
	t.Helper()
	previous := newest(t, p)
	published, err := p.Publish(t.Context(), previous, merge(t, previous, sdn, day, texts...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return published
}

// staged stages a successor of a snapshot, and does not commit it.
func staged(t testing.TB, p *Publisher, previous, next *screen.Snapshot, verified Verified) *commit {
	t.Helper()
	c, err := p.succession(t.Context(), previous, next, verified)
	if err == nil {
		err = p.stage(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustLoad loads what a new Reader sees, and fails unless it is want.
func mustLoad(t testing.TB, o Options, want *screen.Snapshot) *State {
	t.Helper()
	state, err := newReader(t, o).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, state.Snapshot, want)
	return state
}

// wantSame fails unless two snapshots have the same name and content.
func wantSame(t testing.TB, got, want *screen.Snapshot) {
	t.Helper()
	if got.Sequence != want.Sequence || !got.CreatedAt.Equal(want.CreatedAt) || !got.Equal(want) {
		t.Errorf("got %s of %v, want %s of %v", got, got.CreatedAt, want, want.CreatedAt)
	}
}

// wholeContent fails unless a snapshot is one, digest and all.
func wholeContent(t testing.TB, s *screen.Snapshot) {
	t.Helper()
	if _, err := screen.DecodeVerified(s.Encoding(), s.Digest()); err != nil {
		t.Errorf("%s: %v", s, err)
	}
}

// A place is a Redis to test with: options for the code and a client for the test.
type place struct {
	Options
	admin *redis.Client
}

func (p place) key(name string) string { return "walletscreen:{" + p.Namespace + "}:" + name }

// startRedis starts a redis-server.
func startRedis(t testing.TB, args ...string) (place, *storetest.Server) {
	server := storetest.Redis(t, args...)
	return at(t, "redis://"+server.Addr), server
}

func at(t testing.TB, address string) place {
	t.Helper()
	opt, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	admin := redis.NewClient(opt)
	t.Cleanup(func() { admin.Close() })
	return place{Options{URL: address, Namespace: "default"}, admin}
}

// newProxy puts a proxy before a Redis and returns options that go through it.
func newProxy(t testing.TB, p place, before func(n int, args []string), cut func(n int, args []string) bool) (*storetest.Proxy, Options) {
	t.Helper()
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	x := storetest.NewProxy(t, u.Host, before, cut)
	o := p.Options
	u.Host = x.Addr
	o.URL = u.String()
	return x, o
}

// dump returns everything that stands under the namespace: a line for each string
// and each field of a hash.
func (p place) dump(t testing.TB) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, key := range p.names(t) {
		switch kind := p.admin.Type(t.Context(), key).Val(); kind {
		case "string":
			found[key] = p.admin.Get(t.Context(), key).Val()
		case "hash":
			for field, value := range p.admin.HGetAll(t.Context(), key).Val() {
				found[key+" "+field] = value
			}
		case "stream":
			for _, entry := range p.admin.XRange(t.Context(), key, "-", "+").Val() {
				found[fmt.Sprint(key, " ", entry.Values["sequence"])] = fmt.Sprint(entry.Values)
			}
		default: // what a test put there
			found[key] = kind
		}
	}
	return found
}

// permanent is dump without what expires.
func (p place) permanent(t testing.TB) map[string]string {
	t.Helper()
	found := p.dump(t)
	for _, key := range p.names(t) {
		if p.admin.PTTL(t.Context(), key).Val() > 0 {
			maps.DeleteFunc(found, func(name, _ string) bool { return name == key || strings.HasPrefix(name, key+" ") })
		}
	}
	return found
}

func (p place) names(t testing.TB) []string {
	t.Helper()
	names, err := p.admin.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(names))
}

// count says how many pieces of content there are.
func (p place) pieces(t testing.TB) int {
	t.Helper()
	return len(slices.DeleteFunc(p.names(t), func(k string) bool { return !strings.HasPrefix(k, p.key("piece:")) }))
}

func wantEqual(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for name, value := range got {
		if was, ok := want[name]; !ok {
			t.Errorf("%s: %s is new", what, name)
		} else if was != value {
			t.Errorf("%s: %s is %.200q, was %.200q", what, name, value, was)
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s: %s is gone", what, name)
		}
	}
}

// TestConformance shows that the embedded default keeps the same promises as a
// real server.
func TestConformance(t *testing.T) {
	const password = "secret/word:@%"
	t.Run("redis-server", func(t *testing.T) {
		conformance(t, func(t *testing.T) place {
			p, _ := startRedis(t, "--requirepass", password)
			return at(t, "redis://"+url.UserPassword("", password).String()+"@"+strings.TrimPrefix(p.URL, "redis://"))
		})
	})
	t.Run("cluster of one", func(t *testing.T) {
		p := clusterOfOne(t) // which takes two seconds until it answers
		conformance(t, func(t *testing.T) place {
			p.admin.FlushAll(t.Context())
			p.admin.ScriptFlush(t.Context())
			return p
		})
	})
	t.Run("miniredis", func(t *testing.T) {
		conformance(t, func(t *testing.T) place {
			server := miniredis.RunT(t)
			server.RequireAuth(password)
			return at(t, "redis://"+url.UserPassword("", password).String()+"@"+server.Addr())
		})
	})
}

func conformance(t *testing.T, open func(*testing.T) place) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, place)
	}{
		{"round trip", testRoundTrip},
		{"several pieces", testSeveralPieces},
		{"conflict", testConflict},
		{"race", testRace},
		{"same content", testSameContent},
		{"verify", testVerify},
		{"held", testHeld},
		{"held before the first snapshot", testHeldFirst},
		{"claim", testClaim},
		{"retire", testRetire},
		{"pins", testPins},
		{"rollback", testRollback},
		{"restore", testRestore},
		{"signed", testSigned},
		{"taken back", testTakenBack},
		{"went back", testWentBack},
		{"repair", testRepair},
		{"bounded memory", testBoundedMemory},
		{"namespaces", testNamespaces},
		{"listings", testListings},
		{"follow", testFollow},
		{"flush", testFlush},
		{"garbage", testGarbage},
		{"retire garbage", testRetireGarbage},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, p place) {
	publisher, reader := newPublisher(t, p.Options), newReader(t, p.Options)
	if _, err := reader.Load(t.Context()); err != ErrNoSnapshot {
		t.Errorf("loading from an empty Redis: %v", err)
	}
	first := newest(t, publisher)
	if first.Sequence != 0 || len(first.Lists()) != 0 {
		t.Errorf("an empty Redis holds %s", first)
	}
	for i, texts := range [][]string{{tron}, {tron, evm}, {evm, opaque}, {}} {
		before := time.Now()
		at := time.Date(2025, 2, 1, 12, 0, i, 0, time.FixedZone("", 3600))
		previous := newest(t, publisher)
		next := merge(t, previous, sdn, i+1, texts...)
		published, err := publisher.Publish(t.Context(), previous, next, Verified{sdn.ID: {At: at, Source: "https://example.com/?a=1&b=2"}})
		if err != nil {
			t.Fatal(err)
		}
		if published.Sequence != uint64(i+1) || !published.Equal(next) || next.Sequence != 0 {
			t.Errorf("publication %d became %s, was %s", i+1, published, next)
		}
		if published.CreatedAt.Before(before.Truncate(time.Millisecond)) || published.CreatedAt.After(time.Now()) {
			t.Errorf("published between %v and now: %v", before, published.CreatedAt)
		}
		wantSame(t, newest(t, publisher), published)
		state := mustLoad(t, p.Options, published)
		wholeContent(t, state.Snapshot)
		if v := state.Verified[sdn.ID]; len(state.Verified) != 1 || !v.At.Equal(at) || v.Source != "https://example.com/?a=1&b=2" {
			t.Errorf("verified: %v", state.Verified)
		}
	}
	for _, key := range p.names(t) {
		if ttl := p.admin.TTL(t.Context(), key).Val(); ttl != -1 {
			t.Errorf("%s expires after %v", key, ttl)
		}
	}
}

// large returns a snapshot of 2500 listings whose encoding has 10 MB.
func large(t testing.TB) *screen.Snapshot {
	t.Helper()
	party := screen.PublishedParty{UID: "1"}
	for i := range 2500 {
		comment := fmt.Sprintf("%6d%s", i, strings.Repeat("x", 4000))
		party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: fmt.Sprint(opaque, i), Comment: comment})
	}
	s, _, err := screen.Empty().Merge(sdn, &screen.Publication{
		List: sdn.ID, PublishedOn: 20250101, Digest: screen.Digest{1}, Parties: []screen.PublishedParty{party},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testSeveralPieces(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	published, err := publisher.Publish(t.Context(), screen.Empty(), large(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, p.Options, published)
	if n, want := p.pieces(t), len(cut(published.Encoding())); n != want || n < 100 {
		t.Errorf("%d pieces, want %d", n, want)
	}
	if n := p.admin.HLen(t.Context(), p.key("listings")).Val(); n != int64(len(published.Listings())) {
		t.Errorf("%d listings for people, want %d", n, len(published.Listings()))
	}
}

func testConflict(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	old := mustPublish(t, publisher, 1, tron)
	now := mustPublish(t, publisher, 2, tron, evm)
	before := p.dump(t)
	for name, previous := range map[string]*screen.Snapshot{
		"an older one":                         old,
		"none":                                 screen.Empty(),
		"one to come":                          now.Named(3, now.CreatedAt),
		"other content of the same number":     old.Named(2, now.CreatedAt),
		"the same content of another sequence": now.Named(1, now.CreatedAt),
	} {
		_, err := publisher.Publish(t.Context(), previous, merge(t, now, sdn, 3, opaque), Verified{sdn.ID: {At: time.Now()}})
		if !errors.Is(err, screen.ErrConflict) {
			t.Errorf("publishing after %s: %v", name, err)
		}
		wantEqual(t, name, p.permanent(t), before)
	}
	mustLoad(t, p.Options, now)
	// Content of a snapshot that is kept, staged again, must not expire.
	if _, err := publisher.Publish(t.Context(), old, now, nil); !errors.Is(err, screen.ErrConflict) {
		t.Error(err)
	}
	wantEqual(t, "publishing what is current", p.permanent(t), before)
}

func testRace(t *testing.T, p place) {
	const rounds, rivals = 28, 3
	publishers := make([]*Publisher, rivals)
	for i := range publishers {
		publishers[i] = newPublisher(t, p.Options)
		publishers[i].Keep = 2
	}
	type outcome struct {
		s   *screen.Snapshot
		err error
	}
	last := screen.Empty()
	for round := range rounds {
		start, outcomes := make(chan bool), make(chan outcome)
		for i, publisher := range publishers {
			next := merge(t, last, sdn, 1+round, fmt.Sprintf("%s %d %d", opaque, round, i), tron)
			go func() {
				<-start
				s, err := publisher.Publish(t.Context(), last, next, nil)
				outcomes <- outcome{s, err}
			}()
		}
		close(start)
		var won *screen.Snapshot
		for range publishers {
			switch o := <-outcomes; {
			case o.err == nil && won == nil:
				won = o.s
			case !errors.Is(o.err, screen.ErrConflict):
				t.Fatalf("round %d: %v, %v beside %v", round, o.s, o.err, won)
			}
		}
		if won == nil || won.Sequence != last.Sequence+1 {
			t.Fatalf("round %d after %s was won by %v", round, last, won)
		}
		last = mustLoad(t, p.Options, won).Snapshot
		wholeContent(t, last)
	}
	// No update was lost: the history of the list has one publication a round.
	if n := len(last.List(sdn.ID).Publications); n != rounds {
		t.Errorf("%d publications after %d rounds", n, rounds)
	}
}

// testSameContent has two loaders publish the very same content at one time.
func testSameContent(t *testing.T, p place) {
	a, b := newPublisher(t, p.Options), newPublisher(t, p.Options)
	next := merge(t, screen.Empty(), sdn, 1, tron, evm)
	errs := make(chan error)
	for _, publisher := range []*Publisher{a, b} {
		go func() {
			_, err := publisher.Publish(t.Context(), screen.Empty(), next, nil)
			errs <- err
		}()
	}
	var lost error
	for range 2 {
		lost = errors.Join(lost, <-errs)
	}
	// In the same millisecond both published the same snapshot.
	if lost != nil && !errors.Is(lost, screen.ErrConflict) {
		t.Error(lost)
	}
	mustLoad(t, p.Options, newest(t, a))
	if n := p.admin.HLen(t.Context(), p.key("listings")).Val(); n != 2 {
		t.Errorf("%d accounts for people, want 2", n)
	}

	// What a publisher left an hour ago, all but expired, serves the next one.
	again := merge(t, next, sdn, 2, evm)
	now := newest(t, a)
	staged(t, a, now, again, nil)
	piece := p.key("piece:" + again.Digest().String())
	p.admin.Expire(t.Context(), piece, time.Minute)
	staged(t, b, now, again, nil)
	if ttl := p.admin.TTL(t.Context(), piece).Val(); ttl <= time.Minute {
		t.Errorf("a piece that was staged again expires after %v", ttl)
	}
}

func testVerify(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	at := time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)
	if err := publisher.Verify(t.Context(), screen.Empty(), nil); err != nil {
		t.Errorf("verifying nothing: %v", err)
	}
	s := mustPublish(t, publisher, 1, tron)
	if v := mustLoad(t, p.Options, s).Verified; len(v) != 0 {
		t.Errorf("nothing was verified: %v", v)
	}
	if err := publisher.Verify(t.Context(), s, Verified{sdn.ID: {At: at, Source: "a file"}}); err != nil {
		t.Fatal(err)
	}
	if v := mustLoad(t, p.Options, s).Verified; len(v) != 1 || !sameVerification(v[sdn.ID], screen.Verification{At: at, Source: "a file"}) {
		t.Errorf("verified: %v", v)
	}
	err := publisher.Verify(t.Context(), s, Verified{"another": {At: at}})
	if err == nil || !strings.Contains(err.Error(), `"another"`) {
		t.Errorf("verifying a list that is not there: %v", err)
	}

	// A loader that is late must not overwrite what is known of a newer publication.
	other := newPublisher(t, p.Options)
	next, err := other.Publish(t.Context(), s, merge(t, s, sdn, 2, evm), Verified{sdn.ID: {At: at, Source: "newer"}})
	if err != nil {
		t.Fatal(err)
	}
	before := p.dump(t)
	if err := publisher.Verify(t.Context(), s, Verified{sdn.ID: {At: at}}); !errors.Is(err, screen.ErrConflict) {
		t.Errorf("verifying what is not current: %v", err)
	}
	wantEqual(t, "late verification", p.dump(t), before)

	// And what is known of an older one says nothing.
	if _, err = other.Publish(t.Context(), next, merge(t, next, sdn, 3, tron), nil); err != nil {
		t.Fatal(err)
	}
	if v := mustLoad(t, p.Options, newest(t, other)).Verified; len(v) != 0 {
		t.Errorf("a publication that nobody verified: %v", v)
	}
}

func testRetire(t *testing.T, p place) {
	for _, key := range []string{"walletscreen:{default}:else", "walletscreen:{other}:head", "walletscreen:{default}2:piece:x", "else"} {
		p.admin.Set(t.Context(), key, "not ours", 0)
	}
	publisher := newPublisher(t, p.Options)
	publisher.Keep = 3
	var published []*screen.Snapshot
	digests := map[screen.Digest][]uint64{}
	note := func(s *screen.Snapshot) {
		published = append(published, s)
		digests[s.Digest()] = append(digests[s.Digest()], s.Sequence)
	}
	for i := range 4 {
		note(mustPublish(t, publisher, i+1, tron))
	}
	republish := func(s *screen.Snapshot) {
		t.Helper()
		again, err := publisher.Publish(t.Context(), newest(t, publisher), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		note(again)
	}
	republish(published[3]) // one content under two numbers
	check := func() {
		t.Helper()
		last := published[len(published)-1]
		mustLoad(t, p.Options, last)
		var sequences []string
		contents := map[string]bool{}
		for i := max(1, int(last.Sequence)-2); i <= int(last.Sequence); i++ {
			sequences = append(sequences, strconv.Itoa(i))
			contents[p.key("piece:"+published[i-1].Digest().String())] = true
		}
		if got := slices.Sorted(slices.Values(p.admin.HKeys(t.Context(), p.key("snapshots")).Val())); !slices.Equal(got, sequences) {
			t.Errorf("after %s snapshots %v are kept, want %v", last, got, sequences)
		}
		for _, key := range p.names(t) {
			if strings.HasPrefix(key, p.key("piece:")) && !contents[key] {
				t.Errorf("after %s there is %s", last, key)
			}
			delete(contents, key)
		}
		if len(contents) > 0 {
			t.Errorf("after %s there is no %v", last, slices.Collect(maps.Keys(contents)))
		}
	}
	check()
	for i := range 4 { // the shared content goes with the last that names it
		note(mustPublish(t, publisher, i+5, evm))
		check()
	}
	publisher.Keep = 1
	note(mustPublish(t, publisher, 9, evm, tron))
	if n := p.pieces(t); n != 1 {
		t.Errorf("%d pieces with one snapshot kept", n)
	}
	mustLoad(t, p.Options, published[len(published)-1])
	publisher.Keep = -5 // nonsense does not cost the head either
	mustLoad(t, p.Options, mustPublish(t, publisher, 10, evm))
	for _, key := range []string{"walletscreen:{default}:else", "walletscreen:{other}:head", "walletscreen:{default}2:piece:x", "else"} {
		if v := p.admin.Get(t.Context(), key).Val(); v != "not ours" {
			t.Errorf("%s is %q", key, v)
		}
	}
}

func testBoundedMemory(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	s := screen.Empty()
	for i := range 100 {
		// Nothing but the number of publications changes: the size is that of the history.
		next := merge(t, screen.Empty(), sdn, 1+i%28, fmt.Sprint(opaque, i))
		published, err := publisher.Publish(t.Context(), s, next, nil)
		if err != nil {
			t.Fatal(err)
		}
		s = published
		// head, snapshots, listings, changes, and 30 contents of one piece.
		if n := len(p.names(t)); n > 64 {
			t.Fatalf("%d keys after %d publishes", n, i+1)
		}
	}
	if n := p.admin.HLen(t.Context(), p.key("snapshots")).Val(); n != 30 {
		t.Errorf("%d snapshots, want 30", n)
	}
}

func testNamespaces(t *testing.T, p place) {
	other := p.Options
	other.Namespace = "Other_1.a-b"
	mine := mustPublish(t, newPublisher(t, p.Options), 1, tron)
	if _, err := newReader(t, other).Load(t.Context()); err != ErrNoSnapshot {
		t.Errorf("another namespace: %v", err)
	}
	before := p.dump(t)
	theirs := mustPublish(t, newPublisher(t, other), 1, evm)
	after := p.dump(t)
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasPrefix(name, "walletscreen:{Other_1.a-b}:") })
	wantEqual(t, "publishing in another namespace", after, before)
	mustLoad(t, other, theirs)
	unnamed := p.Options
	unnamed.Namespace = ""
	mustLoad(t, unnamed, mine)
}
