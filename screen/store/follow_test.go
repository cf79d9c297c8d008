package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"walletscreen/screen"
)

// A follower is a running Reader.Follow.
type follower struct {
	t      testing.TB
	states chan *State
	failed chan error
	cancel context.CancelFunc
	ended  chan error
}

// follow begins to follow with an interval of an hour, or the given one: what a
// follower finds before that it was told.
func follow(t testing.TB, o Options, have *State, poll ...time.Duration) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, states: make(chan *State, 100), failed: make(chan error, 1000), cancel: cancel, ended: make(chan error, 1)}
	r := newReader(t, o)
	r.Poll = time.Hour
	if len(poll) > 0 {
		r.Poll = poll[0]
	}
	var running sync.WaitGroup
	running.Go(func() {
		f.ended <- r.Follow(ctx, have, func(s *State) { f.states <- s }, func(err error) {
			select {
			case f.failed <- err:
			default: // a poll of a few milliseconds fails often
			}
		})
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return f
}

// wantState returns the next state that is reported.
func (f *follower) wantState() *State {
	f.t.Helper()
	select {
	case s := <-f.states:
		wholeContent(f.t, s.Snapshot)
		return s
	case <-time.After(limit):
		for {
			select {
			case err := <-f.failed:
				f.t.Logf("reported: %v", err)
				continue
			default:
			}
			break
		}
		f.t.Fatal("the reader reported no new state")
	}
	return nil
}

// wantFailure waits until the given failure is reported, any if nil.
func (f *follower) wantFailure(want error) error {
	f.t.Helper()
	for deadline := time.After(limit); ; {
		select {
		case err := <-f.failed:
			if err != nil && (want == nil || errors.Is(err, want)) {
				return err
			}
		case <-deadline:
			f.t.Fatalf("the reader reported no failure %v", want)
		}
	}
}

// wantRecovery waits until it is reported that a failure is over.
func (f *follower) wantRecovery() {
	f.t.Helper()
	for deadline := time.After(limit); ; {
		select {
		case err := <-f.failed:
			if err == nil {
				return
			}
		case <-deadline:
			f.t.Fatal("the reader did not report that the failure is over")
		}
	}
}

// wantNothing fails if a state was reported that the test has not seen.
func (f *follower) wantNothing() {
	f.t.Helper()
	select {
	case s := <-f.states:
		f.t.Errorf("the reader reported %s, verified %v", s.Snapshot, s.Verified)
	default:
	}
}

// subscribed waits until Redis has the given number of subscribers.
func (p place) subscribed(t testing.TB, n int64) {
	t.Helper()
	eventually(t, "subscription", func() bool {
		return p.admin.PubSubNumSub(t.Context(), p.key("changed")).Val()[p.key("changed")] == n
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(limit); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

func testFollow(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron)
	f := follow(t, p.Options, nil)
	state := f.wantState()
	wantSame(t, state.Snapshot, first)
	p.subscribed(t, 1)

	begin := time.Now()
	second := mustPublish(t, publisher, 2, evm)
	wantSame(t, f.wantState().Snapshot, second)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("a reader that is told took %v", took)
	}

	at := time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)
	if err := publisher.Verify(t.Context(), second, Verified{sdn.ID: {At: at, Source: "a file"}}); err != nil {
		t.Fatal(err)
	}
	verified := f.wantState()
	wantSame(t, verified.Snapshot, second)
	if v := verified.Verified[sdn.ID]; !v.At.Equal(at) || v.Source != "a file" {
		t.Errorf("verified: %v", verified.Verified)
	}

	// One that has it all begins with the first change.
	late := follow(t, p.Options, verified, 2*time.Millisecond)
	p.subscribed(t, 2)
	third := mustPublish(t, publisher, 3, tron)
	wantSame(t, late.wantState().Snapshot, third)
	wantSame(t, f.wantState().Snapshot, third)

	f.cancel()
	select {
	case err := <-f.ended:
		if err != context.Canceled {
			t.Errorf("Follow returned %v", err)
		}
	case <-time.After(limit):
		t.Fatal("Follow goes on after its context ended")
	}
	f.wantNothing()
	late.wantNothing()
}

func testFlush(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron)
	f := follow(t, p.Options, nil, 5*time.Millisecond)
	wantSame(t, f.wantState().Snapshot, first)
	if err := p.admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	f.wantFailure(ErrNoSnapshot)
	f.wantNothing()
	if s := newest(t, publisher); s.Sequence != 0 {
		t.Errorf("after a flush there is %s", s)
	}
	_, err := publisher.Publish(t.Context(), first, merge(t, first, sdn, 2, evm), nil)
	if !errors.Is(err, screen.ErrConflict) {
		t.Errorf("publishing after what was flushed: %v", err)
	}
	f.wantNothing()
	// The very same content, number and all, is another snapshot.
	again := mustPublish(t, publisher, 1, tron)
	wantSame(t, f.wantState().Snapshot, again)
}

// TestFollowWhereMessagesAreLost has the head change while nobody can be told.
func TestFollowWhereMessagesAreLost(t *testing.T) {
	t.Parallel()
	for name, poll := range map[string]time.Duration{
		"found by polling":               20 * time.Millisecond,
		"found on subscribing once more": time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := startRedis(t)
			publisher := newPublisher(t, p.Options)
			x, o := newProxy(t, p, nil, nil)
			first := mustPublish(t, publisher, 1, tron)
			f := follow(t, o, nil, poll)
			wantSame(t, f.wantState().Snapshot, first)
			p.subscribed(t, 1)
			x.Drop(true)
			p.subscribed(t, 0)
			second := mustPublish(t, publisher, 2, evm)
			f.wantNothing()
			x.Drop(false)
			wantSame(t, f.wantState().Snapshot, second)
		})
	}
	t.Run("connection killed by Redis", func(t *testing.T) {
		p, _ := startRedis(t)
		publisher := newPublisher(t, p.Options)
		mustPublish(t, publisher, 1, tron)
		f := follow(t, p.Options, nil)
		f.wantState()
		for day := range 5 {
			p.subscribed(t, 1)
			if err := p.admin.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
				t.Fatal(err)
			}
			published := mustPublish(t, publisher, 2+day, evm)
			wantSame(t, f.wantState().Snapshot, published)
		}
	})
}

// TestFollowBeforeSubscribed publishes when the reader has looked and is not yet
// subscribed: nobody tells it, and it must not take an hour.
func TestFollowBeforeSubscribed(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	mustPublish(t, publisher, 1, tron)
	looked := make(chan bool)
	_, o := newProxy(t, p, func(_ int, args []string) {
		if args[0] == "subscribe" {
			<-looked
		}
	}, nil)
	f := follow(t, o, nil)
	f.wantState()
	second := mustPublish(t, publisher, 2, evm)
	close(looked)
	wantSame(t, f.wantState().Snapshot, second)
}

// TestStateIsOfOneMoment has a publisher change everything between any two
// commands of a reader. What the reader reports must be one of the two states:
// an old list with a new verification would look unverified.
func TestStateIsOfOneMoment(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	for name, keep := range map[string]int{"old content is kept": 2, "old content is gone": 1} {
		t.Run(name, func(t *testing.T) {
			for cut := 1; changeDuringLoad(t, p, keep, cut); cut++ {
				if cut > 50 {
					t.Fatal("a load does not end")
				}
			}
		})
	}
}

// changeDuringLoad publishes before the given command of a reader reaches Redis
// and reports whether there were that many.
func changeDuringLoad(t *testing.T, p place, keep, command int) bool {
	t.Helper()
	p.admin.FlushAll(t.Context())
	verified := Verified{sdn.ID: {At: time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)}}
	publisher := newPublisher(t, p.Options)
	publisher.Keep = keep
	first, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), verified)
	if err != nil {
		t.Fatal(err)
	}
	var changed atomic.Bool
	_, o := newProxy(t, p, func(n int, _ []string) {
		if n != command {
			return
		}
		changed.Store(true)
		if _, err := publisher.Publish(t.Context(), first, merge(t, first, sdn, 2, evm), verified); err != nil {
			t.Error(err)
		}
	}, nil)
	state, err := newReader(t, o).Load(t.Context())
	if err != nil {
		t.Fatalf("before command %d: %v", command, err)
	}
	wholeContent(t, state.Snapshot)
	if len(state.Verified) != 1 {
		t.Errorf("before command %d: %s has verifications %v", command, state.Snapshot, state.Verified)
	}
	// A loader that reads meanwhile does not fail either.
	if s := newest(t, newPublisher(t, o)); s.Sequence == 0 {
		t.Error("no snapshot")
	}
	return changed.Load()
}

func TestFollowThroughRestart(t *testing.T) {
	t.Parallel()
	p, server := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron)
	f := follow(t, p.Options, nil)
	wantSame(t, f.wantState().Snapshot, first)
	polling := follow(t, p.Options, nil, 5*time.Millisecond)
	wantSame(t, polling.wantState().Snapshot, first)
	server.Kill()
	polling.wantFailure(nil)
	server.Restart()
	polling.wantRecovery()
	second := mustPublish(t, publisher, 2, evm)
	wantSame(t, f.wantState().Snapshot, second)
	wantSame(t, polling.wantState().Snapshot, second)
	f.wantNothing()
	polling.wantNothing()
}

func TestFollowThroughPause(t *testing.T) {
	t.Parallel()
	p, server := startRedis(t)
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron)
	f := follow(t, p.Options, nil, 50*time.Millisecond)
	wantSame(t, f.wantState().Snapshot, first)
	server.Pause()
	f.wantFailure(nil) // when its patience of seconds is over
	server.Resume()
	second := mustPublish(t, publisher, 2, evm)
	wantSame(t, f.wantState().Snapshot, second)

	server.Pause()
	f.cancel()
	select {
	case <-f.ended:
	case <-time.After(limit):
		t.Error("Follow does not end while Redis hangs")
	}
	f.wantNothing()
}

// TestFollowWithoutRedis begins while there is none.
func TestFollowWithoutRedis(t *testing.T) {
	t.Parallel()
	p, server := startRedis(t)
	server.Kill()
	f := follow(t, p.Options, nil, 5*time.Millisecond)
	f.wantFailure(nil)
	server.Restart()
	f.wantFailure(ErrNoSnapshot)
	published := mustPublish(t, newPublisher(t, p.Options), 1, tron)
	wantSame(t, f.wantState().Snapshot, published)
}
