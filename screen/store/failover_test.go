package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
)

// A fleet is several servers that replace each other.
type fleet struct {
	Options
	master func() *storetest.Server // nil while there is none
	whole  func()                   // waits until all are there
	nodes  []*storetest.Server
}

func sentinels(t testing.TB, certs *storetest.Certificates, args ...string) (fleet, *storetest.Sentinels) {
	t.Helper()
	s := storetest.Sentinel(t, certs, args...)
	return fleet{
		tlsOptions("redis+sentinel://"+strings.Join(s.Addrs(), ",")+"/"+storetest.MasterName, certs), s.Master, s.AwaitWhole, s.Nodes,
	}, s
}

func clusterOf(t testing.TB, certs *storetest.Certificates, args ...string) fleet {
	t.Helper()
	c := storetest.Cluster(t, certs, args...)
	return fleet{
		tlsOptions("redis+cluster://"+strings.Join(c.Addrs(), ","), certs),
		func() *storetest.Server { return c.Master(keys{"walletscreen:{default}:"}.head()) }, c.AwaitWhole, c.Nodes,
	}
}

// tlsOptions makes a URL one for TLS, unless there are no certificates.
func tlsOptions(url string, certs *storetest.Certificates) Options {
	if certs == nil {
		return Options{URL: url}
	}
	return with(strings.Replace(url, "redis+", "rediss+", 1), "tls_ca="+certs.CA, "tls_cert="+certs.ClientCert, "tls_key="+certs.ClientKey)
}

// A press publishes one snapshot after another for as long as a test runs.
type press struct {
	t testing.TB

	mu       sync.Mutex
	tried    map[screen.Digest]bool // every content that Publish was given
	done     int                    // publishes that succeeded
	last     *screen.Snapshot       // of the last one
	refusals map[string]int         // errors, by what they are about
	lost     int                    // snapshots that were published and are gone
}

func run(t testing.TB, o Options) *press {
	t.Helper()
	p := &press{t: t, tried: map[screen.Digest]bool{}, refusals: map[string]int{}}
	publisher := newPublisher(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			p.publish(ctx, publisher, i)
			<-tick.C
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return p
}

func (p *press) publish(ctx context.Context, publisher *Publisher, i int) {
	failed := func(what string, err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if ctx.Err() == nil {
			p.refusals[what]++
			if p.refusals[what] == 1 {
				p.t.Logf("the first failure of %s: %v", what, err)
			}
		}
	}
	bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	now, _, err := publisher.Current(bounded)
	if err != nil {
		failed("Current", err)
		return
	}
	next := merge(p.t, screen.Empty(), sdn, 1+i%28, tron, fmt.Sprint(opaque, i))
	p.mu.Lock()
	if p.last != nil && now.Sequence < p.last.Sequence {
		p.lost++
	}
	p.tried[next.Digest()] = true
	p.mu.Unlock()
	published, err := publisher.Publish(bounded, now, next, Verified{sdn.ID: {At: at2025, Source: "a file"}})
	if err != nil {
		failed("Publish", err)
		if errors.Is(err, screen.ErrConflict) {
			// Nobody else publishes, so it can only be that the master changed.
			if is, _, err := publisher.Current(bounded); err == nil && is.Digest() == next.Digest() {
				p.t.Errorf("%s was published, and Publish called it a conflict", is)
			}
		}
		if published == nil {
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.last = published
}

// count returns how many publishes succeeded, and the snapshot of the last one.
func (p *press) count() (int, *screen.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done, p.last
}

// wantMore waits until as many more publishes succeeded, and returns the last.
func (p *press) wantMore(n int) *screen.Snapshot {
	p.t.Helper()
	begin, _ := p.count()
	eventually(p.t, "publishes", func() bool { now, _ := p.count(); return now >= begin+n })
	_, last := p.count()
	return last
}

// An observer follows, and looks at every snapshot that it gets.
type observer struct {
	t     testing.TB
	press *press

	mu   sync.Mutex
	seen int
	last *screen.Snapshot
	olds int // times that an older head was refused
}

func observe(t testing.TB, o Options, press *press) *observer {
	t.Helper()
	w := &observer{t: t, press: press}
	r := newReader(t, o)
	r.Poll = 100 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		_ = r.Follow(ctx, nil, w.changed, func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if errors.Is(err, ErrOlder) {
				w.olds++
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

func (w *observer) changed(s *State) {
	wholeContent(w.t, s.Snapshot)
	w.press.mu.Lock()
	known := w.press.tried[s.Snapshot.Digest()]
	w.press.mu.Unlock()
	if !known {
		w.t.Errorf("%s was read and never published", s.Snapshot)
	}
	if v := s.Verified[sdn.ID]; v.Source != "a file" {
		w.t.Errorf("%s is read with the verification %v", s.Snapshot, v)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil && s.Snapshot.Sequence <= w.last.Sequence && !s.Snapshot.CreatedAt.After(w.last.CreatedAt) {
		w.t.Errorf("%s of %v was read after %s of %v", s.Snapshot, s.Snapshot.CreatedAt, w.last, w.last.CreatedAt)
	}
	w.seen++
	w.last = s.Snapshot
}

// want waits until the observer has that snapshot or a later one.
func (w *observer) want(s *screen.Snapshot) {
	w.t.Helper()
	eventually(w.t, "a reader that has "+s.String(), func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.last != nil && !w.last.CreatedAt.Before(s.CreatedAt)
	})
}

// failover kills masters (SIGKILL) while snapshots are published and read.
func failover(t *testing.T, f fleet, rounds int) {
	p := run(t, f.Options)
	observers := []*observer{observe(t, f.Options, p), observe(t, f.Options, p)}
	for round := range rounds {
		s := p.wantMore(5)
		for _, o := range observers {
			o.want(s)
		}
		victim := f.master()
		begin := time.Now()
		victim.Kill()
		eventually(t, "another master", func() bool { m := f.master(); return m != nil && m != victim })
		elected := time.Since(begin)
		s = p.wantMore(1)
		published := time.Since(begin)
		for _, o := range observers {
			o.want(s)
		}
		t.Logf("round %d: another master after %v, a snapshot published after %v, read after %v",
			round, elected.Round(time.Millisecond), published.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
		victim.Restart()
		f.whole()
	}
	s := p.wantMore(5)
	for _, o := range observers {
		o.want(s)
		o.mu.Lock()
		t.Logf("a reader got %d snapshots, refused an older head %d times", o.seen, o.olds)
		o.mu.Unlock()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	t.Logf("%d published, %d published and lost, failures %v", p.done, p.lost, p.refusals)
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	f, _ := sentinels(t, storetest.NewCertificates(t))
	failover(t, f, 2)
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	failover(t, clusterOf(t, storetest.NewCertificates(t)), 2)
}

// TestSentinelConnectionsAreKept shows that a connection is used again, by TLS as well.
func TestSentinelConnectionsAreKept(t *testing.T) {
	t.Parallel()
	f, _ := sentinels(t, storetest.NewCertificates(t))
	publisher := newPublisher(t, f.Options)
	mustPublish(t, publisher, 1, tron)
	for i := range 5 {
		before := publisher.c.PoolStats().Misses
		mustPublish(t, publisher, 2+i, evm)
		if more := publisher.c.PoolStats().Misses - before; more > 0 {
			t.Errorf("a publish made %d connections", more)
		}
	}
}

// TestSentinelsThatHang pauses (SIGSTOP) a sentinel, then the master: nobody is told
// anything by a connection that ends.
func TestSentinelsThatHang(t *testing.T) {
	t.Parallel()
	f, s := sentinels(t, nil)
	publisher := newPublisher(t, f.Options)
	follower := follow(t, f.Options, nil, 100*time.Millisecond)
	first := mustPublish(t, publisher, 1, tron)
	wantSame(t, follower.wantState().Snapshot, first)

	s.Watchers[1].Pause()
	begin := time.Now()
	mustLoad(t, f.Options, first)
	if took := time.Since(begin); took > findTimeout {
		t.Errorf("with one of three sentinels hanging the master was found after %v", took)
	}
	s.Watchers[1].Resume()

	master := f.master()
	master.Pause()
	begin = time.Now()
	eventually(t, "another master", func() bool { m := f.master(); return m != nil && m != master })
	elected := time.Since(begin)
	eventually(t, "a publisher that finds it", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := publisher.Current(ctx)
		return err == nil
	})
	second := mustPublish(t, publisher, 2, evm)
	wantSame(t, follower.wantState().Snapshot, second)
	t.Logf("another master after %v, a snapshot read after %v", elected, time.Since(begin))
	// The subscription did not stay with the server that hangs.
	changed := keys{"walletscreen:{default}:"}.changed()
	eventually(t, "subscription at the new master", func() bool {
		m := f.master()
		if m == nil {
			return false
		}
		answer, err := m.Do("PUBSUB", "NUMSUB", changed)
		return err == nil && fmt.Sprint(answer) == fmt.Sprintf("[%s 1]", changed)
	})
	master.Resume()
	f.whole()
	wantSame(t, mustLoad(t, f.Options, second).Snapshot, second)
	follower.wantNothing()
}

// TestPublishedAndLost has a master die before its replicas got what it accepted.
func TestPublishedAndLost(t *testing.T) {
	t.Parallel()
	f, s := sentinels(t, nil)
	for _, watcher := range s.Watchers {
		// No failover but the one that is asked for below.
		watcher.MustDo("SENTINEL", "SET", storetest.MasterName, "down-after-milliseconds", "60000")
	}
	publisher := newPublisher(t, f.Options)
	follower := follow(t, f.Options, nil, 50*time.Millisecond)
	first := mustPublish(t, publisher, 1, tron)
	wantSame(t, follower.wantState().Snapshot, first)
	master := f.master()
	// WAIT would say what replicas have of the writes of its own connection.
	for _, node := range f.nodes {
		eventually(t, "every replica has it", func() bool {
			return node.MustDo("EXISTS", keys{"walletscreen:{default}:"}.head()) == int64(1)
		})
	}
	var replicas []*storetest.Server
	for _, node := range f.nodes {
		if node != master {
			node.Pause()
			replicas = append(replicas, node)
		}
	}
	// What a connection holds would still arrive.
	master.MustDo("CLIENT", "KILL", "TYPE", "replica")
	lost := mustPublish(t, publisher, 2, evm)
	wantSame(t, follower.wantState().Snapshot, lost)
	master.Kill()
	for _, replica := range replicas {
		replica.Resume()
	}
	eventually(t, "another master", func() bool {
		_, _ = s.Watchers[0].Do("SENTINEL", "FAILOVER", storetest.MasterName) // refused until it knows that a replica is back
		m := f.master()
		return m != nil && m != master
	})
	// The reader goes on with what it has, and says so; the next load ends it.
	follower.wantFailure(ErrOlder)
	follower.wantNothing()
	eventually(t, "a publisher that finds the new master", func() bool {
		_, _, err := publisher.Current(t.Context())
		return err == nil // sentinels tell each other of a new master within moments
	})
	wantSame(t, newest(t, publisher), first)
	again := mustPublish(t, publisher, 2, evm)
	wantSame(t, follower.wantState().Snapshot, again)
	follower.wantRecovery()
	if again.Sequence != lost.Sequence {
		t.Errorf("published %s after %s", again, lost)
	}
}
