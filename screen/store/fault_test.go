package store

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
)

// wantStagedToExpire fails unless all that is there besides permanent, which a
// publisher that died left behind, expires.
func wantStagedToExpire(t testing.TB, p place, permanent map[string]string) {
	t.Helper()
	wantEqual(t, "left behind for good", p.permanent(t), permanent)
	for _, key := range p.names(t) {
		if ttl := p.admin.TTL(t.Context(), key).Val(); ttl > staging {
			t.Errorf("%s expires after %v", key, ttl)
		}
	}
}

// TestPublisherDies ends a publisher after each of its commands. Readers find the
// old snapshot or the new one, and what no snapshot names expires.
func TestPublisherDies(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	var committed int
	for last := 1; ; last++ {
		p.admin.FlushAll(t.Context())
		p.admin.ScriptFlush(t.Context())
		old := mustPublish(t, newPublisher(t, p.Options), 1, tron)
		p.admin.ScriptFlush(t.Context()) // so that scripts are sent, too
		before := p.dump(t)
		next := merge(t, old, sdn, 2, tron, evm, opaque)

		var x *storetest.Proxy
		var o Options
		var died atomic.Bool
		x, o = newProxy(t, p, nil, func(n int, _ []string) bool {
			if n == last {
				died.Store(true)
				go x.Drop(true)
			}
			return n >= last
		})
		publisher := newPublisher(t, o)
		publisher.Keep = 1
		published, err := publisher.Publish(t.Context(), old, next, Verified{sdn.ID: {At: old.CreatedAt}})
		if !died.Load() {
			if err != nil {
				t.Fatalf("nothing was cut: %v", err)
			}
			if committed == 0 || last < 10 {
				t.Errorf("%d commands, of which %d after the commit", last-1, committed)
			}
			return
		}
		if err == nil {
			t.Fatalf("published without an answer to command %d", last)
		}
		state, loadErr := newReader(t, p.Options).Load(t.Context())
		if loadErr != nil {
			t.Fatalf("after command %d: %v", last, loadErr)
		}
		wholeContent(t, state.Snapshot)
		if state.Snapshot.Sequence == old.Sequence {
			if published != nil {
				t.Errorf("after command %d %s was called published: %v", last, published, err)
			}
			wantSame(t, state.Snapshot, old)
			wantStagedToExpire(t, p, before)
		} else {
			committed++
			if !state.Snapshot.Equal(next) || state.Snapshot.Sequence != old.Sequence+1 || len(state.Verified) != 1 {
				t.Errorf("after command %d there is %s, verified %v", last, state.Snapshot, state.Verified)
			}
			wantStagedToExpire(t, p, p.dump(t))
		}
		// The next publisher is not hindered.
		mustLoad(t, p.Options, mustPublish(t, newPublisher(t, p.Options), 3, evm))
	}
}

// TestAnswerLost cuts the connection when the commit was done, and no other.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	var cuts atomic.Int32
	_, o := newProxy(t, p, nil, func(_ int, args []string) bool {
		lost := strings.HasPrefix(strings.ToLower(args[0]), "eval") && args[3] == p.key("head") && len(args) > 8 && p.admin.Exists(t.Context(), p.key("head")).Val() == 1
		if lost {
			cuts.Add(1)
		}
		return lost
	})
	publisher := newPublisher(t, o)
	s := screen.Empty()
	for day := range 3 {
		published, err := publisher.Publish(t.Context(), s, merge(t, s, sdn, day+1, tron, evm), nil)
		if err != nil {
			t.Fatalf("publish %d, which was done: %v", day+1, err)
		}
		s = mustLoad(t, p.Options, published).Snapshot
	}
	if n := cuts.Load(); n < 3 {
		t.Errorf("%d answers were lost", n)
	}
	// When another was faster the lost answer was a conflict.
	next := merge(t, s, sdn, 9, opaque)
	other := mustPublish(t, newPublisher(t, p.Options), 5, evm)
	if _, err := publisher.Publish(t.Context(), s, next, nil); err == nil {
		t.Error("published over another snapshot")
	}
	mustLoad(t, p.Options, other)
}

// TestRedisDies kills redis-server after each command of a publish, with and
// without a file that outlives it.
func TestRedisDies(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"kept":   {"--appendonly", "yes", "--appendfsync", "always"},
		"memory": nil,
	} {
		t.Run(name, func(t *testing.T) {
			p, server := startRedis(t, args...)
			f := follow(t, p.Options, nil, 100*time.Millisecond)
			seen := map[screen.Digest]bool{}
			publish := func(day int) *screen.Snapshot {
				t.Helper()
				s := mustPublish(t, newPublisher(t, p.Options), day, tron)
				for seen[s.Digest()] = true; !f.wantState().Snapshot.Equal(s); {
				}
				return s
			}
			// Without a file the scripts are gone too and one more command is sent.
			for last := 1; ; last++ {
				old := newest(t, newPublisher(t, p.Options))
				if old.Sequence == 0 {
					old = publish(1)
				}
				day := int(old.List(sdn.ID).Current().PublishedOn) - 20250100
				if day > 20 {
					p.admin.FlushAll(t.Context())
					day, old = 1, publish(1)
				}
				died := dieAt(t, p, server, last, old, merge(t, old, sdn, day+1, tron, evm), seen)
				state, err := newReader(t, p.Options).Load(t.Context())
				switch {
				case err == nil && !seen[state.Snapshot.Digest()]:
					t.Errorf("after command %d readers see %s", last, state.Snapshot)
				case err == nil:
					wholeContent(t, state.Snapshot)
				case errors.Is(err, ErrNoSnapshot) && args == nil:
				default:
					t.Errorf("after command %d: %v", last, err)
				}
				if !died {
					return
				}
				fresh := newPublisher(t, p.Options)
				mustLoad(t, p.Options, mustPublishSeen(t, fresh, day+2, seen))
				for done := false; !done; {
					s := f.wantState().Snapshot
					if !seen[s.Digest()] {
						t.Fatalf("a reader saw %s", s)
					}
					done = s.Equal(newest(t, fresh))
				}
			}
		})
	}
}

func mustPublishSeen(t testing.TB, p *Publisher, day int, seen map[screen.Digest]bool) *screen.Snapshot {
	t.Helper()
	s := mustPublish(t, p, day, tron)
	seen[s.Digest()] = true
	return s
}

// dieAt publishes next, kills Redis when the last-th command was done, starts it
// again and reports whether there were that many commands.
func dieAt(t testing.TB, p place, server *storetest.Server, last int, old, next *screen.Snapshot, seen map[screen.Digest]bool) bool {
	t.Helper()
	seen[old.Digest()], seen[next.Digest()] = true, true
	reached, killed := make(chan bool), make(chan bool)
	_, o := newProxy(t, p, nil, func(n int, _ []string) bool {
		if n == last {
			close(reached)
			<-killed
		}
		return n >= last
	})
	done := make(chan error, 1)
	publisher := newPublisher(t, o)
	go func() {
		_, err := publisher.Publish(t.Context(), old, next, nil)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("nobody died: %v", err)
		}
		return false
	case <-reached:
		server.Kill()
		close(killed)
		if err := <-done; err == nil {
			t.Errorf("published into a Redis that died after command %d", last)
		}
		server.Restart()
		return true
	}
}

// TestRefusals has Redis refuse to write.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, want string
		begin      func(t *testing.T, p place)
		end        func(t *testing.T, p place)
	}{
		{
			"out of memory", "OOM",
			func(t *testing.T, p place) { set(t, p, "maxmemory", "1") },
			func(t *testing.T, p place) { set(t, p, "maxmemory", "0") },
		},
		{
			"read-only replica", "READONLY",
			func(t *testing.T, p place) {
				host, port, err := net.SplitHostPort(p.admin.Options().Addr)
				if err != nil {
					t.Fatal(err)
				}
				// Of itself, which it never reaches, so that it keeps what it has.
				if err := p.admin.ReplicaOf(t.Context(), host, port).Err(); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, p place) { p.admin.ReplicaOf(t.Context(), "NO", "ONE") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := startRedis(t, "--maxmemory-policy", "noeviction")
			publisher := newPublisher(t, p.Options)
			old := mustPublish(t, publisher, 1, tron)
			next := merge(t, old, sdn, 2, evm).Named(2, old.CreatedAt)
			ready := staged(t, publisher, old, next, Verified{sdn.ID: {At: time.Now()}})
			before := p.permanent(t)
			test.begin(t, p)
			wantRefused := func(what string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err := publisher.Publish(t.Context(), old, next, nil)
			wantRefused("publishing", err)
			mustLoad(t, p.Options, old) // readers need no memory and no master
			wantRefused("verifying", publisher.Verify(t.Context(), old, Verified{sdn.ID: {At: time.Now()}}))
			// Redis fills up between staging and commit: all or nothing.
			if err := publisher.commit(t.Context(), ready); err == nil {
				t.Log("the commit was done")
				mustLoad(t, p.Options, ready.next)
			} else {
				wantRefused("committing", err)
				wantEqual(t, test.name, p.permanent(t), before)
				mustLoad(t, p.Options, old)
			}
			test.end(t, p)
			mustLoad(t, p.Options, mustPublish(t, publisher, 3, opaque))
		})
	}
}

func set(t *testing.T, p place, name, value string) {
	t.Helper()
	if err := p.admin.ConfigSet(t.Context(), name, value).Err(); err != nil {
		t.Fatal(err)
	}
}

// TestDeadlines has Redis hang. Calls end with their context.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	p, server := startRedis(t)
	publisher, reader := newPublisher(t, p.Options), newReader(t, p.Options)
	old := mustPublish(t, publisher, 1, tron)
	next := merge(t, old, sdn, 2, evm)
	for _, connected := range []bool{true, false} {
		server.Pause()
		if !connected {
			publisher, reader = newPublisher(t, p.Options), newReader(t, p.Options)
		}
		for name, call := range map[string]func(context.Context) error{
			"Load":    func(ctx context.Context) error { _, err := reader.Load(ctx); return err },
			"Current": func(ctx context.Context) error { _, _, err := publisher.Current(ctx); return err },
			"Publish": func(ctx context.Context) error { _, err := publisher.Publish(ctx, old, next, nil); return err },
			"Verify": func(ctx context.Context) error {
				return publisher.Verify(ctx, old, Verified{sdn.ID: {At: time.Now()}})
			},
			"Claim": func(ctx context.Context) error { _, _, err := publisher.Claim(ctx, "x", time.Minute); return err },
		} {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			err := call(ctx)
			cancel()
			// The margin is for the machine; the driver's own limits are seconds.
			if took := time.Since(begin); err == nil || took > time.Second {
				t.Errorf("%s, connected before: %v: %v after %v", name, connected, err, took)
			}
		}
		server.Resume()
	}
	mustLoad(t, p.Options, old)

	// Redis hangs when it has the commit: Publish asks for a few seconds more.
	_, o := newProxy(t, p, func(_ int, args []string) {
		if strings.HasPrefix(strings.ToLower(args[0]), "eval") {
			server.Pause()
		}
	}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begin := time.Now()
	_, err := newPublisher(t, o).Publish(ctx, old, next, nil)
	if took := time.Since(begin); err == nil || took > 5*time.Second {
		t.Errorf("Publish: %v after %v", err, took)
	}
	server.Resume()
	state, err := newReader(t, p.Options).Load(t.Context())
	if err != nil || !state.Snapshot.Equal(old) && !state.Snapshot.Equal(next) {
		t.Errorf("%v, %v", state, err)
	}
}
