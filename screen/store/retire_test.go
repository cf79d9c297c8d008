package store

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
)

// wantKept fails unless what the head, the pins and the manifests name is there
// whole. With nothing else, neither is anything that nobody names and that does
// not expire.
func wantKept(t testing.TB, p place, when string, nothingElse bool) {
	t.Helper()
	ctx := t.Context()
	reader := newReader(t, p.Options)
	kept, err := reader.Kept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	pinned := p.admin.HGetAll(ctx, p.key("pins")).Val()
	named := map[string]bool{}
	for _, k := range kept {
		s, _, err := newReader(t, p.Options).Snapshot(ctx, k.Sequence)
		if err != nil {
			t.Fatalf("%s: snapshot %d is kept: %v", when, k.Sequence, err)
		}
		wholeContent(t, s)
		named[p.key("content:"+s.Digest().String())] = true
		for _, piece := range cut(s.Encoding()) {
			named[p.key("piece:"+piece.digest.String())] = true
		}
		for _, name := range k.Pins {
			delete(pinned, name)
		}
	}
	if len(pinned) > 0 {
		t.Fatalf("%s: what %v pin is gone", when, pinned)
	}
	if state, err := reader.Load(ctx); err != nil || state.Snapshot.Sequence != kept[len(kept)-1].Sequence {
		t.Fatalf("%s: %v, %v; want the last that is kept", when, state, err)
	}
	if !nothingElse {
		return
	}
	for _, key := range p.names(t) {
		content := strings.HasPrefix(key, p.key("piece:")) || strings.HasPrefix(key, p.key("content:"))
		if content && !named[key] && p.admin.PTTL(ctx, key).Val() < 0 {
			t.Fatalf("%s: %s is left for good", when, key)
		}
	}
	if retired := p.admin.SMembers(ctx, p.key("retired")).Val(); len(retired) > 0 {
		t.Fatalf("%s: %q are still to be dropped", when, retired)
	}
}

// TestRetireDies ends a publisher after each command with which it drops old
// snapshots, some pieces at a time. Another publishes after that, or just before a
// command, so that the rest of them come too late: something new, what is being
// dropped, or what is pinned.
func TestRetireDies(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	const rows = 200
	contents := []*screen.Snapshot{numbered(t, rows)}
	for day := 2; day < 5; day++ {
		contents = append(contents, oneRowMore(t, contents[len(contents)-1], rows, day))
	}
	// One that shares nothing with the others, and is the newest that is dropped.
	contents[2] = numbered(t, 2*rows)
	fresh := oneRowMore(t, contents[3], rows, 9)
	for _, next := range []struct {
		name    string
		content *screen.Snapshot
	}{{"new content", fresh}, {"what is dropped", contents[2]}, {"what is pinned", contents[0]}} {
		for _, dies := range []bool{true, false} {
			commands := 0
			for last := 1; ; last++ {
				when := fmt.Sprintf("%s, dead %t, command %d", next.name, dies, last)
				p.admin.FlushAll(t.Context())
				other := newPublisher(t, p.Options)
				publish := func(s *screen.Snapshot) error {
					_, err := other.Publish(t.Context(), newest(t, other), s, nil)
					return err
				}
				for i, s := range contents {
					if err := publish(s); err != nil {
						t.Fatal(err)
					}
					if i == 0 {
						if err := other.Pin(t.Context(), 1, "audit"); err != nil {
							t.Fatal(err)
						}
					}
				}
				other.Keep = 1
				var reached atomic.Bool
				// What a proxy does is in the goroutine of a connection.
				failed := make(chan error, 1)
				before := func(n int, _ []string) {
					if n == last && !dies {
						reached.Store(true)
						failed <- publish(next.content)
					}
				}
				var x interface{ Drop(bool) }
				cut := func(n int, _ []string) bool {
					if n == last && dies {
						reached.Store(true)
						x.Drop(true)
					}
					return n >= last && dies
				}
				proxy, o := newProxy(t, p, before, cut)
				x = proxy
				retiring := newPublisher(t, o)
				retiring.Keep, retiring.dropAtOnce = 1, 3
				err := retiring.retire(t.Context())
				retiring.Close()
				if !reached.Load() {
					commands = last - 1
					break
				}
				if dies {
					if err == nil {
						t.Fatalf("%s: it is done", when)
					}
					wantKept(t, p, when, false)
					err = publish(next.content)
				} else if err == nil {
					err = <-failed
				}
				if err != nil {
					t.Fatalf("%s: %v", when, err)
				}
				wantKept(t, p, when, dies)
				// At the latest the next publisher leaves nothing.
				if err := publish(fresh); err != nil {
					t.Fatal(err)
				}
				wantKept(t, p, when, true)
				other.Close()
			}
			if commands < 6 {
				t.Errorf("%s, dead %t: only %d commands", next.name, dies, commands)
			}
		}
	}
}

// TestRetireAcrossAGap publishes a snapshot with a number far beyond those that Redis
// keeps, as after a backup was put back: as many as ever can be rolled back to.
func TestRetireAcrossAGap(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	publisher.Keep = 3
	wantNumbers := func(want ...uint64) {
		t.Helper()
		kept, err := newReader(t, p.Options).Kept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var numbers []uint64
		for _, k := range kept {
			numbers = append(numbers, k.Sequence)
		}
		if !slices.Equal(numbers, want) {
			t.Errorf("kept %d, want %d", numbers, want)
		}
		wantKept(t, p, fmt.Sprint(want), true)
	}
	var last *screen.Snapshot
	for day := 1; day < 5; day++ {
		last = mustPublish(t, publisher, day, fmt.Sprint(opaque, day))
	}
	wantNumbers(2, 3, 4)
	if err := publisher.Pin(t.Context(), 2, "audit"); err != nil {
		t.Fatal(err)
	}
	lost := merge(t, last, sdn, 5, evm).Named(50, last.CreatedAt.Add(time.Millisecond))
	if _, err := publisher.Restore(t.Context(), last, lost, nil); err != nil {
		t.Fatal(err)
	}
	wantNumbers(2, 3, 4, 51)
	mustPublish(t, publisher, 6, tron)
	wantNumbers(2, 4, 51, 52)
	// Numbers beyond the head, of which nobody knows whose they are, are in nobody's way.
	p.admin.HSet(t.Context(), p.key("snapshots"), "90", "{}", "91", "{}", "92", "{}")
	mustPublish(t, publisher, 7, opaque)
	p.admin.HDel(t.Context(), p.key("snapshots"), "90", "91", "92")
	wantNumbers(2, 51, 52, 53)
}

var blockingRows = flag.Int("blocking", 5_000, "listings in the snapshots with which it is measured how long publishing keeps others waiting")

// TestBlocking measures how long Redis keeps others waiting while snapshots are
// committed, retired and dropped: most of all the scripts, as nobody else is served
// while they run.
func TestBlocking(t *testing.T) {
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	publisher.Keep = 1
	base := numbered(t, *blockingRows)
	other, _, err := screen.Empty().Merge(sdn, &screen.Publication{List: sdn.ID, PublishedOn: 20250101, Digest: screen.Digest{99}, Parties: []screen.PublishedParty{numberedParty(1<<30, 1<<30+*blockingRows)}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := publisher.Publish(t.Context(), screen.Empty(), base, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan []time.Duration)
	u, _ := redis.ParseURL(p.URL)
	pings := redis.NewClient(u)
	defer pings.Close()
	go func() {
		var waits []time.Duration
		for ctx.Err() == nil {
			begin := time.Now()
			if pings.Ping(ctx).Err() == nil {
				waits = append(waits, time.Since(begin))
			}
		}
		done <- waits
	}()
	// One row more, and then all of it another, which retires a whole content.
	for _, content := range []*screen.Snapshot{oneRowMore(t, s, *blockingRows, 2), other} {
		if s, err = publisher.Publish(t.Context(), s, content, nil); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	waits := <-done
	slices.Sort(waits)
	worst := waits[len(waits)-1]
	slow := p.admin.SlowLogGet(t.Context(), -1).Val()
	t.Logf("%d listings, %d PINGs: median %s, p99 %s, p99.9 %s, longest %s; %d commands of 10 ms or more", *blockingRows, len(waits),
		waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)*999/1000], worst, len(slow))
	longest := map[string]time.Duration{} // by command
	for _, entry := range slow {
		longest[entry.Args[0]] = max(longest[entry.Args[0]], entry.Duration)
	}
	t.Logf("the longest of them: %v", longest)
	if worst > 5*time.Second {
		t.Errorf("nobody was served for %s", worst)
	}
}
