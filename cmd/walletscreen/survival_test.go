package main_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
	"walletscreen/screen/store"
	"walletscreen/screen/store/storetest"
)

var (
	roundsFlag = flag.Int("rounds", 6, "faults of TestSurvival on a Redis that keeps all; a tenth of that on each of the others")
	seedFlag   = flag.Uint64("seed", 0, "seed of the faults of TestSurvival; 0 takes one from the clock")
)

// TestSurvival kills, stops, empties and cuts off everything there is, one after the
// other, while loaders publish and callers ask. Every answer must be that of the one
// snapshot that it names, and every server must come back to what is newest.
func TestSurvival(t *testing.T) {
	t.Parallel()
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	builtPlain.program(t)
	program(t)
	few := max(1, *roundsFlag/10)
	for i, test := range []struct {
		name   string
		rounds int
		open   func(t *testing.T) installation
	}{
		{"fsync always", *roundsFlag, func(t *testing.T) installation {
			return single(t, false, "--appendonly", "yes", "--appendfsync", "always")
		}},
		{"fsync every second", few, func(t *testing.T) installation {
			return single(t, true, "--appendonly", "yes", "--appendfsync", "everysec")
		}},
		{"saved now and then", few, func(t *testing.T) installation { return single(t, true, "--save", "1 1") }},
		{"sentinel", few, func(t *testing.T) installation {
			certs := storetest.NewCertificates(t)
			f := storetest.Sentinel(t, certs)
			return fleet(t, certs, "sentinel", "/"+storetest.MasterName, f.Addrs(), f.Master, f.AwaitWhole)
		}},
		{"cluster", few, func(t *testing.T) installation {
			certs := storetest.NewCertificates(t)
			c := storetest.Cluster(t, certs)
			return fleet(t, certs, "cluster", "", c.Addrs(), func() *storetest.Server { return c.Master(ownKey("head")) }, c.AwaitWhole)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			survive(t, test.open(t), rand.New(rand.NewPCG(seed, uint64(i))), test.rounds)
		})
	}
}

// ownKey is a key of the namespace that is used when none is named.
func ownKey(name string) string { return "walletscreen:{default}:" + name }

// An installation is a Redis, of one server or more, and what can happen there.
type installation struct {
	url    string
	master func() *storetest.Server // nil while there is none
	// whole waits until all servers of it are there; nil if there is one.
	whole func()
	// admin connects as an administrator, anew: a driver takes a while to notice that
	// a master is another one.
	admin func() redis.UniversalClient
	// forgets says that a Redis that is killed may have lost what it accepted.
	forgets bool
	// cutters stand before the Redis, one for each server and one for loaders; none
	// where clients are told addresses by Redis itself.
	cutters []*cutter
	faults  []fault
}

// A fault is something that goes wrong. It returns when it was over, or what it was
// more precisely.
type fault struct {
	name string
	do   func(*survival) time.Time
}

func single(t *testing.T, forgets bool, args ...string) installation {
	server := storetest.Redis(t, args...)
	in := installation{
		url: "redis://" + server.Addr, master: func() *storetest.Server { return server }, forgets: forgets,
		admin: func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: server.Addr}) },
	}
	for range 3 {
		in.cutters = append(in.cutters, newCutter(t, server.Addr))
	}
	in.faults = []fault{
		{"loader killed", (*survival).killLoader},
		{"loader stopped for longer than its claim", (*survival).stopLoader},
		{"server killed", (*survival).killServer},
		{"server killed while Redis is down", (*survival).killServerAndRedis},
		{"Redis killed", (*survival).killRedis},
		{"Redis killed while a loader works", (*survival).killRedisUnderLoader},
		{"Redis stopped", (*survival).stopRedis},
		{"Redis flushed", (*survival).flush},
		{"connection cut half-way through a reply", (*survival).cut},
		{"piece spoiled and a server killed", (*survival).spoil},
	}
	if forgets {
		in.faults = in.faults[4:6]
	}
	return in
}

func fleet(t *testing.T, certs *storetest.Certificates, kind, path string, addrs []string, master func() *storetest.Server, whole func()) installation {
	authority, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(certs.ClientCert, certs.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	secure := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}}
	in := installation{
		url:    "rediss+" + kind + "://" + strings.Join(addrs, ",") + path + "?tls_ca=" + certs.CA + "&tls_cert=" + certs.ClientCert + "&tls_key=" + certs.ClientKey,
		master: master, whole: whole,
		faults: []fault{
			{"master killed", (*survival).killMaster},
			{"master stopped", (*survival).stopMaster},
			{"master and a server killed", (*survival).killMasterAndServer},
			{"master killed while a loader works", (*survival).killMasterUnderLoader},
		},
	}
	in.admin = func() redis.UniversalClient {
		if kind == "sentinel" {
			return redis.NewFailoverClient(&redis.FailoverOptions{MasterName: storetest.MasterName, SentinelAddrs: addrs, TLSConfig: secure})
		}
		return redis.NewClusterClient(&redis.ClusterOptions{Addrs: addrs, TLSConfig: secure})
	}
	return in
}

// A survival is one installation with loaders, servers and callers.
type survival struct {
	installation
	t      *testing.T
	ctx    context.Context
	random *rand.Rand // of the test's own goroutine
	ledger *ledger
	feeds  []*feed
	slots  []*slot
	dead   []*storetest.Server // former masters, that come back as replicas

	working sync.WaitGroup
	still   sync.RWMutex // locked while no loader is to run

	took map[string][]time.Duration // until all is well again, by fault
	cuts int

	mu       sync.Mutex
	reported int
	refused  int // calls to servers that had nothing to answer from yet, or were killed
	proofs   int
	acks     []acknowledgement
}

// An acknowledgement is a loader's word that a list is in a snapshot.
type acknowledgement struct {
	began    time.Time // of the loader
	sequence uint64
	digest   string
	list     int
	edition  edition
}

func survive(t *testing.T, in installation, random *rand.Rand, rounds int) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &survival{installation: in, t: t, ctx: ctx, random: random, ledger: newLedger(), took: map[string][]time.Duration{}}
	if s.whole != nil {
		// A fleet replaces its master whenever that is slow to answer, and what was not
		// copied by then is lost.
		s.ledger.lost = time.Now().Add(24 * time.Hour)
	}
	t.Cleanup(func() {
		cancel()
		s.working.Wait()
	})
	for list := range ownLists {
		f := &feed{s: s, list: list, dir: t.TempDir(), url: s.through(len(s.cutters) - 1), pace: 250 * time.Millisecond, begun: make(chan struct{})}
		s.feeds = append(s.feeds, f)
		s.working.Go(f.work)
	}
	eventually(t, "the first editions are published", func() bool { return s.feeds[0].acknowledgedUpTo() > 0 && s.feeds[1].acknowledgedUpTo() > 0 })
	for i, cached := range []bool{true, false, true}[:max(2, len(s.cutters))] {
		args := []string{"--redis", s.through(i % max(1, len(s.cutters)-1)), "--require-list", string(ownLists[0]), "--require-list", string(ownLists[1])}
		if cached {
			args = append(args, "--cache-dir", t.TempDir())
		}
		sl := &slot{s: s, args: args, cached: cached}
		sl.start()
		s.slots = append(s.slots, sl)
		for range 2 {
			caller := rand.New(rand.NewPCG(random.Uint64(), random.Uint64()))
			s.working.Go(func() { sl.ask(caller) })
		}
	}
	s.working.Go(s.witness)
	s.awaitWell("", time.Now())

	began := time.Now()
	var bag []fault
	for round := range rounds {
		if len(bag) == 0 {
			bag = slices.Clone(s.faults)
			random.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		next := bag[0]
		bag = bag[1:]
		over := next.do(s)
		s.awaitWell(next.name, over)
		for _, dead := range s.dead {
			dead.Restart()
		}
		if len(s.dead) > 0 {
			s.whole()
		}
		s.dead = nil
		s.audit()
		if t.Failed() {
			t.Fatalf("round %d: %s", round, next.name)
		}
		if (round+1)%25 == 0 {
			t.Logf("%d rounds of %d, %v", round+1, rounds, time.Since(began).Round(time.Second))
		}
	}
	if rounds >= 100 {
		// What takes the half minute of a claim.
		for range 4 {
			s.awaitWell("loader killed, its claim left to end", s.killLoaderOnly())
		}
	}
	cancel()
	s.working.Wait()
	s.report(rounds, time.Since(began))
}

// through is the URL of the Redis through a cutter, or straight.
func (s *survival) through(cutter int) string {
	if len(s.cutters) == 0 {
		return s.url
	}
	return "redis://" + s.cutters[cutter].addr
}

// fail reports the first few of what is wrong.
func (s *survival) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reported++; s.reported <= 20 {
		s.t.Errorf(format, args...)
	}
}

// moment waits for a random time, or until something ends.
func (s *survival) moment(most time.Duration, end <-chan struct{}) {
	select {
	case <-time.After(time.Duration(s.random.Int64N(int64(most) + 1))):
	case <-end:
	}
}

// awaitWell waits until every server is ready and serves an edition of each list that
// was written after a fault was over.
func (s *survival) awaitWell(fault string, over time.Time) {
	s.t.Helper()
	var want editions
	for i, f := range s.feeds {
		want[i] = f.writtenUpTo() + 1
		if !f.claimsStay.Load() {
			// A Redis that lost the last it was told has claims that were given back.
			s.working.Go(f.endClaim)
		}
	}
	var lacking string
	well := func() bool {
		for i, sl := range s.slots {
			l := sl.life.Load()
			if e := l.servedLast(); !e.atLeast(want) {
				lacking = fmt.Sprintf("server %d serves editions %d, want %d", i, e, want)
				return false
			}
			ctx, cancel := context.WithTimeout(s.ctx, patience)
			ready, err := l.client.Ready(ctx)
			cancel()
			if !ready {
				lacking = fmt.Sprintf("server %d is ready: %t, %v", i, ready, err)
				return false
			}
		}
		return true
	}
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(3 * patience); !well(); <-tick.C {
		if time.Now().After(limit) {
			s.t.Fatalf("after %q: %s; the loaders: %s", fault, lacking, s.failures())
		}
	}
	if fault != "" {
		s.took[fault] = append(s.took[fault], time.Since(over))
	}
}

// failures tells what loaders failed with.
func (s *survival) failures() string {
	var all []string
	for _, f := range s.feeds {
		f.mu.Lock()
		all = append(all, fmt.Sprintf("%s: %d published, failed with %v", ownLists[f.list], f.published, f.failed))
		f.mu.Unlock()
	}
	return strings.Join(all, "; ")
}

// witness follows Redis, as a server does, and compares the content of every
// snapshot with the model.
func (s *survival) witness() {
	r, err := store.NewReader(store.Options{URL: s.url})
	if err != nil {
		s.fail("%v", err)
		return
	}
	defer r.Close()
	r.Poll = 100 * time.Millisecond
	var last *store.State
	var had editions
	_ = r.Follow(s.ctx, nil, func(state *store.State) {
		e, err := s.ledger.prove(state.Snapshot)
		if err != nil {
			s.fail("what is in Redis: %v", err)
		}
		if last != nil && !e.atLeast(had) && !s.ledger.lostSince(last.Snapshot.CreatedAt) {
			s.fail("%s has editions %d, and %s before it had %d", state.Snapshot, e, last.Snapshot, had)
		}
		last, had = state, e
		s.mu.Lock()
		s.proofs++
		s.mu.Unlock()
	}, func(error) {})
}

// audit compares what loaders said to have published with what Redis keeps.
func (s *survival) audit() {
	s.t.Helper()
	r, err := store.NewReader(store.Options{URL: s.url})
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	s.mu.Lock()
	acks := s.acks
	s.acks = nil
	s.mu.Unlock()
	// On a busy machine a sentinel may not answer in time, or no master be agreed upon.
	// Asking more often would only keep sentinels busy.
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	kept, err := r.Kept(s.ctx)
	for limit := time.Now().Add(3 * patience); err != nil; kept, err = r.Kept(s.ctx) {
		if time.Now().After(limit) {
			s.t.Fatalf("what Redis keeps: %v", err)
		}
		<-tick.C
	}
	digests := map[uint64]string{}
	for _, k := range kept {
		digests[k.Sequence] = k.Digest
	}
	for _, a := range acks {
		if s.ledger.lostSince(a.began) || a.sequence < kept[0].Sequence {
			continue
		}
		if digests[a.sequence] != a.digest {
			s.fail("a loader published %d (%.12s), edition %d of %s; Redis has %.12q under that number",
				a.sequence, a.digest, a.edition, ownLists[a.list], digests[a.sequence])
		}
	}
}

func (s *survival) report(rounds int, took time.Duration) {
	t, l := s.t, s.ledger
	for _, name := range slices.Sorted(maps.Keys(s.took)) {
		times := slices.Sorted(slices.Values(s.took[name]))
		at := func(share float64) time.Duration {
			return times[int(share*float64(len(times)-1))].Round(time.Millisecond)
		}
		t.Logf("%-58s %3d times, all well again after p50 %6v, p99 %6v, max %6v", name, len(times), at(0.5), at(0.99), at(1))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	proven := 0
	for _, e := range l.snapshots {
		if e.proven {
			proven++
		}
	}
	t.Logf("%d rounds in %v: %d answers with %d results checked, %d wrong, %d torn; %d calls refused by servers without a snapshot or killed", rounds, took.Round(time.Second), l.answers, l.verdicts, l.wrong, l.torn, s.refused)
	t.Logf("%d snapshots served or followed, the content of %d compared; %s; %d replies cut", len(l.snapshots), proven, s.failures(), s.cuts)
	if l.wrong > 0 || l.torn > 0 {
		t.Errorf("%d wrong verdicts, %d torn reads", l.wrong, l.torn)
	}
	if l.answers < 10*rounds || proven < rounds {
		t.Errorf("only %d answers and %d snapshots in %d rounds", l.answers, proven, rounds)
	}
}

// A feed publishes one edition of a list after the other, each with a loader of its own.
type feed struct {
	s    *survival
	list int
	dir  string
	url  string
	pace time.Duration // from one loader to the next, or as long as it takes
	// claimsStay says that claims are left to end by themselves.
	claimsStay atomic.Bool

	mu           sync.Mutex
	host         int // which of the machines that have a cache the next loader is on
	run          *loading
	begun        chan struct{} // closed when the next loader begins
	written      edition
	acknowledged edition
	usual        time.Duration // that a loader takes
	published    int
	failed       map[string]int
}

// A loading is one run of a loader.
type loading struct {
	cmd       *exec.Cmd
	began     time.Time
	out, errs bytes.Buffer
	done      chan struct{}
	left      chan struct{} // closed when the feed is not to wait for it
}

func (f *feed) file() string { return filepath.Join(f.dir, "own.csv") }

func (f *feed) work() {
	tick := time.NewTicker(f.pace)
	defer tick.Stop()
	for f.s.ctx.Err() == nil {
		f.s.still.RLock()
		run, err := f.begin()
		if err == nil {
			select {
			case <-run.done:
				f.ended(run)
			case <-run.left:
			}
		} else if f.s.ctx.Err() == nil {
			f.s.fail("%v", err)
		}
		f.s.still.RUnlock()
		select {
		case <-tick.C:
		case <-f.s.ctx.Done():
		}
	}
}

// begin writes the next edition, as operators do, and starts a loader.
func (f *feed) begin() (*loading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written++
	text := f.s.ledger.wrote(f.list, f.written)
	if err := os.WriteFile(f.file()+".new", text, 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(f.file()+".new", f.file()); err != nil {
		return nil, err
	}
	cache := filepath.Join(f.dir, fmt.Sprint(f.host))
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	run := &loading{done: make(chan struct{}), left: make(chan struct{}), began: time.Now()}
	run.cmd = exec.CommandContext(f.s.ctx, filepath.Join(builtPlain.dir, "walletscreen"), "load", "--redis", f.url,
		"--source", string(ownLists[f.list])+"="+f.file(), "--cache-dir", cache, "--format", "json")
	run.cmd.Stdout, run.cmd.Stderr = &run.out, &run.errs
	if err := run.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = run.cmd.Wait() // how it ended is asked for in ended
		close(run.done)
	}()
	f.run = run
	close(f.begun)
	f.begun = make(chan struct{})
	return run, nil
}

// ended notes what a loader said.
func (f *feed) ended(run *loading) {
	state := run.cmd.ProcessState
	if !f.claimsStay.Load() {
		f.s.working.Go(f.endClaim) // one that published may have been unable to give it back
	}
	if state.Sys().(syscall.WaitStatus).Signaled() {
		return
	}
	var said struct {
		Lists []struct {
			Outcome, Error string
			Snapshot       struct {
				Sequence uint64
				Digest   string
			}
			Publication struct{ SHA256 string }
		}
	}
	if err := json.Unmarshal(run.out.Bytes(), &said); err != nil || len(said.Lists) != 1 {
		f.s.fail("a loader ended with code %d and said %q, %q", state.ExitCode(), run.out.String(), run.errs.String())
		return
	}
	list := said.Lists[0]
	f.mu.Lock()
	defer f.mu.Unlock()
	switch list.Outcome {
	case "published", "unchanged":
	case "failed":
		if f.failed == nil {
			f.failed = map[string]int{}
		}
		why := list.Error
		if i := strings.LastIndex(why, ": "); i > 0 {
			why = why[i+2:]
		}
		f.failed[why]++
		return
	default:
		f.s.fail("a loader ended with %q: %s", list.Outcome, list.Error)
		return
	}
	f.s.ledger.mu.Lock()
	e := f.s.ledger.byFile[f.list][list.Publication.SHA256]
	f.s.ledger.mu.Unlock()
	if e == 0 {
		f.s.fail("a loader published a file %.12s that was never written", list.Publication.SHA256)
		return
	}
	if list.Outcome == "published" {
		f.published++
		f.usual = time.Since(run.began)
	}
	f.acknowledged = max(f.acknowledged, e)
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.acks = append(f.s.acks, acknowledgement{run.began, list.Snapshot.Sequence, list.Snapshot.Digest, f.list, e})
}

// endClaim does what time does to the claim of a loader that was killed, or whose
// Redis was gone when it wanted to give the claim back: it ends it.
func (f *feed) endClaim() {
	for f.s.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(f.s.ctx, time.Second)
		admin := f.s.admin()
		err := admin.Del(ctx, ownKey("claim:"+string(ownLists[f.list]))).Err()
		admin.Close()
		cancel()
		if err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-f.s.ctx.Done():
		}
	}
}

func (f *feed) writtenUpTo() edition {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.written
}

func (f *feed) acknowledgedUpTo() edition {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.acknowledged
}

// next waits for a loader to begin, and for a random moment of its work.
func (f *feed) next() *loading {
	f.mu.Lock()
	begun, usual := f.begun, f.usual
	f.mu.Unlock()
	<-begun
	f.mu.Lock()
	run := f.run
	f.mu.Unlock()
	f.s.moment(usual*5/4, run.done)
	return run
}

// A slot is a server that is started again when it was killed.
type slot struct {
	s      *survival
	args   []string
	cached bool
	life   atomic.Pointer[life]
}

// A life is one process of a server.
type life struct {
	serving *serving
	client  *client.Client
	dying   atomic.Bool

	mu       sync.Mutex
	answered bool
	last     editions
}

func (l *life) servedLast() editions {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

func (l *life) hasAnswered() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answered
}

func (sl *slot) start() {
	sl.s.t.Helper()
	l := &life{serving: serve(sl.s.t, sl.args...)}
	l.client = dial(sl.s.t, l.serving.addr)
	sl.life.Store(l)
}

func (sl *slot) kill() {
	l := sl.life.Load()
	l.dying.Store(true)
	l.serving.kill()
	l.client.Close()
}

// ask asks the server again and again.
func (sl *slot) ask(random *rand.Rand) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var of *life
	var before *pb.ScreenAddressesResponse
	for sl.s.ctx.Err() == nil {
		if l := sl.life.Load(); l != of {
			of, before = l, nil
		}
		asked := question(random)
		req := &pb.ScreenAddressesRequest{}
		for _, p := range asked {
			req.Addresses = append(req.Addresses, p.text)
		}
		// Who is served once is served always.
		mayRefuse := !of.hasAnswered()
		ctx, cancel := context.WithTimeout(sl.s.ctx, patience)
		res, err := of.client.ScreenAddresses(ctx, req)
		cancel()
		switch {
		case err != nil && sl.s.ctx.Err() != nil:
		case err != nil:
			if code := status.Code(err); !of.dying.Load() && !(mayRefuse && code == codes.Unavailable) {
				sl.s.fail("a call failed: %v", err)
			}
			sl.s.mu.Lock()
			sl.s.refused++
			sl.s.mu.Unlock()
		default:
			e, err := sl.s.ledger.check(asked, res, before)
			if err != nil {
				sl.s.fail("%v", err)
			}
			before = res
			of.mu.Lock()
			of.answered, of.last = true, e
			of.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-sl.s.ctx.Done():
		}
	}
}

// anySlot and anyFeed draw one.
func (s *survival) anySlot() *slot { return s.slots[s.random.IntN(len(s.slots))] }
func (s *survival) anyFeed() *feed { return s.feeds[s.random.IntN(len(s.feeds))] }

// command sends one command to the master, until it is carried out.
func (s *survival) command(args ...string) (answer any) {
	s.t.Helper()
	eventually(s.t, args[0], func() bool {
		m := s.master()
		if m == nil {
			return false
		}
		var err error
		answer, err = m.Do(args...)
		return err == nil
	})
	return answer
}

func (s *survival) killLoader() time.Time {
	run := s.anyFeed().next()
	_ = run.cmd.Process.Kill() // it may have ended
	<-run.done
	return time.Now()
}

// killLoaderOnly kills a loader in the middle of its work and leaves its claim.
func (s *survival) killLoaderOnly() time.Time {
	for {
		f := s.anyFeed()
		f.claimsStay.Store(true)
		run := f.next()
		_ = run.cmd.Process.Kill() // it may have ended
		<-run.done
		if claimed, _ := s.command("EXISTS", ownKey("claim:"+string(ownLists[f.list]))).(int64); claimed == 1 {
			return time.Now()
		}
		f.claimsStay.Store(false)
	}
}

func (s *survival) stopLoader() time.Time {
	f := s.anyFeed()
	run := f.next()
	if err := run.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return time.Now() // it has ended
	}
	// Its claim ends, and another loader takes over.
	f.s.working.Go(f.endClaim)
	f.mu.Lock()
	f.host = 1 - f.host
	f.mu.Unlock()
	close(run.left)
	after := f.writtenUpTo()
	eventually(s.t, "another loader publishes", func() bool { return f.acknowledgedUpTo() > after })
	_ = run.cmd.Process.Signal(syscall.SIGCONT)
	over := time.Now()
	select {
	case <-run.done:
		f.ended(run)
	case <-time.After(patience):
		s.fail("a loader that was stopped does not end")
		_ = run.cmd.Process.Kill()
		<-run.done
	}
	return over
}

func (s *survival) killServer() time.Time {
	sl := s.anySlot()
	sl.kill()
	over := time.Now()
	sl.start()
	return over
}

// killServerAndRedis starts a server while Redis is down: from its cache, it serves.
func (s *survival) killServerAndRedis() time.Time {
	m, sl := s.master(), s.anySlot()
	m.Kill()
	sl.kill()
	sl.start()
	l := sl.life.Load()
	if sl.cached {
		eventually(s.t, "a server with a cache answers while Redis is down", l.hasAnswered)
	}
	if ready, err := l.client.Ready(s.ctx); err != nil || ready != sl.cached {
		s.fail("ready %t, %v without Redis; a server with a cache: %t", ready, err, sl.cached)
	}
	m.Restart()
	return time.Now()
}

func (s *survival) killRedis() time.Time {
	m := s.master()
	kill := func() {
		m.Kill()
		s.moment(300*time.Millisecond, nil)
		m.Restart()
	}
	if s.forgets {
		s.ledger.losing(kill)
	} else {
		kill()
	}
	return time.Now()
}

func (s *survival) killRedisUnderLoader() time.Time {
	s.anyFeed().next()
	return s.killRedis()
}

func (s *survival) stopRedis() time.Time {
	m := s.master()
	m.Pause()
	s.moment(1500*time.Millisecond, nil)
	m.Resume()
	return time.Now()
}

func (s *survival) flush() time.Time {
	s.ledger.losing(func() { s.command("FLUSHALL") })
	return time.Now()
}

func (s *survival) cut() time.Time {
	c := s.cutters[s.random.IntN(len(s.cutters))]
	select {
	case <-c.cutAfter(1 + s.random.IntN(1<<s.random.IntN(16))):
		s.cuts++
	case <-time.After(patience):
		s.fail("no reply came through the connection that was to be cut")
	}
	return time.Now()
}

// spoil changes the number of an edition in what Redis holds, so that it could still
// be read, has a server that holds nothing read that, and mends it.
func (s *survival) spoil() time.Time {
	s.still.Lock()
	defer s.still.Unlock()
	digest, _ := s.command("HGET", ownKey("head"), "digest").(string)
	list, _ := s.command("GET", ownKey("content:"+digest)).(string)
	key, piece := "", ""
	for line := range strings.Lines(list) {
		sum, _, _ := strings.Cut(line, " ")
		// The last number is the newest.
		if text, _ := s.command("GET", ownKey("piece:"+sum)).(string); strings.Contains(text, "EDITION-") {
			key, piece = ownKey("piece:"+sum), text
		}
	}
	if key == "" {
		s.t.Fatalf("no piece of the snapshot %.12q has an edition", digest)
	}
	spoiled := []byte(piece)
	at := strings.LastIndex(piece, "EDITION-") + len("EDITION-")
	spoiled[at] = '1' + (spoiled[at]-'0')%9
	s.command("SET", key, string(spoiled), "XX", "KEEPTTL")
	sl := s.slots[slices.IndexFunc(s.slots, func(sl *slot) bool { return !sl.cached })]
	sl.kill()
	sl.start()
	l := sl.life.Load()
	eventually(s.t, "a server says that "+key+" is spoiled", func() bool {
		return strings.Contains(l.serving.logged(), key+": it does not have that digest") || s.t.Failed()
	})
	if ready, err := l.client.Ready(s.ctx); err != nil || ready {
		s.fail("ready %t, %v with a snapshot that is spoiled", ready, err)
	}
	s.command("SET", key, piece, "XX", "KEEPTTL")
	return time.Now()
}

// killMaster kills the master of a fleet and waits for the next.
func (s *survival) killMaster() time.Time {
	began, m := time.Now(), s.anyMaster()
	m.Kill()
	s.dead = append(s.dead, m)
	s.awaitAnother(m)
	return began
}

// stopMaster stops the master until there is another, and lets it go on.
func (s *survival) stopMaster() time.Time {
	began, m := time.Now(), s.anyMaster()
	m.Pause()
	s.awaitAnother(m)
	m.Resume()
	s.whole()
	return began
}

func (s *survival) awaitAnother(m *storetest.Server) {
	s.t.Helper()
	eventually(s.t, "another master", func() bool { is := s.master(); return is != nil && is != m })
}

func (s *survival) killMasterAndServer() time.Time {
	s.anySlot().kill()
	began := s.killMaster()
	for _, sl := range s.slots {
		if sl.life.Load().dying.Load() {
			sl.start()
		}
	}
	return began
}

func (s *survival) killMasterUnderLoader() time.Time {
	s.anyFeed().next()
	return s.killMaster()
}

// anyMaster waits for a master.
func (s *survival) anyMaster() (m *storetest.Server) {
	eventually(s.t, "a master", func() bool { m = s.master(); return m != nil })
	return m
}

// A cutter passes on what it is sent, and cuts a connection after so many bytes of
// replies: half-way through one, mostly.
type cutter struct {
	addr, target string

	mu    sync.Mutex
	after int           // bytes until the cut, -1 for none
	done  chan struct{} // closed with the cut
}

func newCutter(t *testing.T, target string) *cutter {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: listener.Addr().String(), target: target, after: -1}
	var passing sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	pair := func(a, b net.Conn, is bool) {
		mu.Lock()
		defer mu.Unlock()
		open[a], open[b] = is, is
	}
	passing.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				in.Close()
				continue
			}
			pair(in, out, true)
			both := func() { in.Close(); out.Close() }
			passing.Go(func() { defer both(); _, _ = out.(*net.TCPConn).ReadFrom(in) })
			passing.Go(func() { defer both(); defer pair(in, out, false); c.replies(in, out) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		for conn := range open {
			conn.Close()
		}
		mu.Unlock()
		passing.Wait()
	})
	return c
}

func (c *cutter) replies(to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		c.mu.Lock()
		cut := c.after >= 0 && n > c.after
		switch {
		case cut:
			n, c.after = c.after, -1
			close(c.done)
		case c.after >= 0:
			c.after -= n
		}
		c.mu.Unlock()
		if _, err := to.Write(buffer[:n]); err != nil || cut {
			return
		}
	}
}

// cutAfter arms the cutter; the channel is closed when it has cut.
func (c *cutter) cutAfter(bytes int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after, c.done = bytes, make(chan struct{})
	return c.done
}
