package store

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"walletscreen/screen"
)

// numbered returns a snapshot of n listings, a hundred to a party.
func numbered(t testing.TB, n int) *screen.Snapshot {
	t.Helper()
	pub := &screen.Publication{List: sdn.ID, PublishedOn: 20250101, Digest: screen.Digest{1}}
	for i := 0; i < n; i += 100 {
		pub.Parties = append(pub.Parties, numberedParty(i, min(i+100, n)))
	}
	s, _, err := screen.Empty().Merge(sdn, pub)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func numberedParty(from, to int) screen.PublishedParty {
	party := screen.PublishedParty{UID: fmt.Sprintf("%08d", from), Facts: screen.Facts{Name: fmt.Sprint("Party ", from)}}
	for i := from; i < to; i++ {
		party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: fmt.Sprintf("0x%040x", i), Symbol: "ETH"})
	}
	return party
}

// oneRowMore returns the snapshot with another publication, in which one party in
// the middle has one more row.
func oneRowMore(t testing.TB, s *screen.Snapshot, n, day int) *screen.Snapshot {
	t.Helper()
	pub := &screen.Publication{List: sdn.ID, PublishedOn: screen.Date(20250100 + day), Digest: screen.Digest{byte(day)}}
	for i := 0; i < n; i += 100 {
		party := numberedParty(i, min(i+100, n))
		if i == n/200*100 {
			for k := range day {
				party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: fmt.Sprintf("0x%040x", 1<<40+k), Symbol: "ETH"})
			}
		}
		pub.Parties = append(pub.Parties, party)
	}
	next, _, err := s.Merge(sdn, pub)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestCut(t *testing.T) {
	contents := map[string][]byte{
		"one byte":        []byte("x"),
		"no line":         bytes.Repeat([]byte("x"), 100_000),
		"empty lines":     bytes.Repeat([]byte("\n"), 100_000),
		"long lines":      bytes.Repeat(append(bytes.Repeat([]byte("y"), 50_000), '\n'), 9),
		"snapshot":        numbered(t, 5000).Encoding(),
		"no end of line":  []byte(strings.Repeat("a line\n", 9000) + "the end"),
		"larger snapshot": numbered(t, 100_000).Encoding(),
	}
	for name, content := range contents {
		mean := meanOf(len(content))
		pieces := cut(content)
		size := 0
		for i, p := range pieces {
			size += p.size
			if p.size > 4*mean || i < len(pieces)-1 && p.size < mean/4 {
				t.Errorf("%s: piece %d has %d bytes, mean %d", name, i, p.size, mean)
			}
		}
		list := encodePieces(pieces)
		again, err := decodePieces(list, len(pieces), len(content))
		if size != len(content) || err != nil || !slices.Equal(again, pieces) {
			t.Errorf("%s: %d pieces of %d bytes, want %d; %v", name, len(pieces), size, len(content), err)
		}
		t.Logf("%s: %d bytes, mean size %d, %d pieces, list of %d bytes", name, len(content), mean, len(pieces), len(list))
	}
	// The rule is part of the schema: what it gives must not change.
	if n := len(cut(contents["snapshot"])); n != 127 {
		t.Errorf("the snapshot has %d pieces, want 127: the rule is not that of this schema", n)
	}
	for size, want := range map[int]int{0: 4 << 10, 300_000: 4 << 10, 4 << 20: 16 << 10, 70 << 20: 64 << 10, maxContent - 1: 256 << 10} {
		if got := meanOf(size); got != want {
			t.Errorf("mean size of pieces of %d bytes: %d, want %d", size, got, want)
		}
	}
}

// FuzzPieces reads lists of pieces.
func FuzzPieces(f *testing.F) {
	whole := encodePieces(cut([]byte("walletscreen-snapshot 1\n")))
	f.Add(whole)
	f.Add(append(whole, whole...))
	f.Add(bytes.Replace(whole, []byte(" 24"), []byte(" 024"), 1))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, list []byte) {
		pieces, err := decodePieces(list, -1, -1)
		if err != nil {
			return
		}
		sum := 0
		for _, p := range pieces {
			sum += p.size
		}
		again, err := decodePieces(encodePieces(pieces), len(pieces), sum)
		if err != nil || !slices.Equal(again, pieces) {
			t.Errorf("%v became %v, %v", pieces, again, err)
		}
	})
}

// traffic returns how many bytes and commands Redis has taken and given.
func (p place) traffic(t testing.TB) (in, out, commands int) {
	t.Helper()
	info, err := p.admin.Info(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) int {
		_, rest, _ := strings.Cut(info, name+":")
		n, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return number("total_net_input_bytes"), number("total_net_output_bytes"), number("total_commands_processed")
}

// TestSmallChanges: a change of one row is a small transfer, for a reader that has
// the snapshot before, and so is what a publisher writes.
func TestSmallChanges(t *testing.T) {
	t.Parallel()
	const n = 5000
	p, _ := startRedis(t)
	publisher, reader := newPublisher(t, p.Options), newReader(t, p.Options)
	s, err := publisher.Publish(t.Context(), screen.Empty(), numbered(t, n), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, before, commands := p.traffic(t)
	state, err := reader.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, after, more := p.traffic(t)
	whole := after - before
	t.Logf("whole load: %d bytes of %d, %d commands", whole, len(s.Encoding()), more-commands)
	for day := 2; day < 6; day++ {
		next := oneRowMore(t, s, n, day)
		in, _, commands := p.traffic(t)
		if s, err = publisher.Publish(t.Context(), s, next, nil); err != nil {
			t.Fatal(err)
		}
		written, before, more := p.traffic(t)
		if state, err = reader.refresh(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		_, after, last := p.traffic(t)
		t.Logf("one row: %d bytes written with %d commands, %d read with %d", written-in, more-commands, after-before, last-more)
		wantSame(t, state.Snapshot, s)
		if read := after - before; read > whole/8 {
			t.Errorf("a change of one row took %d bytes, the whole %d", read, whole)
		}
		if wrote := written - in; wrote > whole/4 {
			t.Errorf("a change of one row wrote %d bytes, the whole has %d", wrote, whole)
		}
		mustLoad(t, p.Options, s) // whole
	}
}

// testRollback goes back, is told about it, and goes on.
func testRollback(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	publisher.Keep = 2
	came := Verified{sdn.ID: {At: at2025, Source: "a file"}}
	good, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), came)
	if err != nil {
		t.Fatal(err)
	}
	bad := mustPublish(t, publisher, 2, evm, opaque)
	reader := newReader(t, p.Options)
	if _, err := publisher.Rollback(t.Context(), 7); err == nil {
		t.Error("rolled back to a snapshot that there is not")
	}
	if _, err := publisher.Rollback(t.Context(), 2); err == nil {
		t.Error("rolled back to what is current")
	}
	back, err := publisher.Rollback(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if back.Sequence != 3 || !back.Equal(good) {
		t.Errorf("rolled back to %s, want 3 with the content of %s", back, good)
	}
	state := mustLoad(t, p.Options, back)
	v := state.Verified[sdn.ID]
	if v.Held == nil || v.Held.Digest != bad.List(sdn.ID).Current().Digest || v.Held.Listed != 2 || v.Held.Delisted != 1 || !v.At.Equal(at2025) {
		t.Errorf("after a rollback the list is %+v, held %+v", v, v.Held)
	}
	if got := p.admin.HGet(t.Context(), p.key("listings"), tronKey).Val(); !strings.HasSuffix(got, `"listed":"2025-01-01"}]`) {
		t.Errorf("for people there is %q", got)
	}
	if n := p.admin.HLen(t.Context(), p.key("listings")).Val(); n != 1 {
		t.Errorf("%d accounts for people, want 1", n)
	}
	entries := p.admin.XRevRangeN(t.Context(), p.key("changes"), "+", "-", 1).Val()
	if len(entries) != 1 || entries[0].Values["changes"] != `{"rollback_of":2,"rollback_to":1,"lists":[{"id":"us-ofac-sdn","listed":1,"delisted":2,"amended":0}]}` {
		t.Errorf("the stream says %v", entries)
	}
	kept, err := reader.Kept(t.Context())
	if err != nil || len(kept) != 2 || kept[1].RollbackOf != 2 || kept[1].RollbackTo != 1 || !kept[1].Current {
		t.Errorf("kept: %+v, %v", kept, err)
	}

	// The next load finds the same publication, and does not get through.
	again := merge(t, back, sdn, 2, evm, opaque)
	before := p.dump(t)
	if _, err := publisher.Publish(t.Context(), back, again, nil); err == nil || !strings.Contains(err.Error(), "us-ofac-sdn") || !strings.Contains(err.Error(), "snapshot 2") {
		t.Errorf("what was rolled back was published: %v", err)
	}
	wantEqual(t, "refused publish", p.dump(t), before)
	// Another list is not in its way.
	other := sdn
	other.ID = "other"
	last, err := publisher.Publish(t.Context(), back, merge(t, back, other, 1, evm), nil)
	if err != nil {
		t.Fatal(err)
	}
	publisher.Release = func(id screen.ListID) bool { return id == other.ID }
	if _, err := publisher.Publish(t.Context(), last, merge(t, last, sdn, 2, evm, opaque), came); !errors.Is(err, ErrRolledBack) {
		t.Errorf("with another list released: %v", err)
	}
	publisher.Release = func(id screen.ListID) bool { return id == sdn.ID }
	released, err := publisher.Publish(t.Context(), last, merge(t, last, sdn, 2, evm, opaque), came)
	if err != nil {
		t.Fatal(err)
	}
	if n := p.admin.Exists(t.Context(), p.key("rolled_back")).Val(); n != 0 {
		t.Error("what was released is still rolled back")
	}
	if v := mustLoad(t, p.Options, released).Verified[sdn.ID]; v.Held != nil {
		t.Errorf("what was released is still held: %+v", v.Held)
	}

	// The snapshot that is taken back may be damaged.
	p.admin.HSet(t.Context(), p.key("snapshots"), released.Sequence, "{")
	fresh := newPublisher(t, p.Options)
	if _, _, err := fresh.Current(t.Context()); err == nil {
		t.Error("a damaged snapshot was read")
	}
	repaired, err := fresh.Rollback(t.Context(), last.Sequence)
	if err != nil || !repaired.Equal(last) {
		t.Fatalf("%v, %v", repaired, err)
	}
	mustLoad(t, p.Options, repaired)
}

// testPins keeps a snapshot for as long as it is pinned.
func testPins(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	publisher.Keep = 1
	first := mustPublish(t, publisher, 1, tron)
	if err := publisher.Pin(t.Context(), 1, "audit"); err != nil {
		t.Fatal(err)
	}
	for day := 2; day < 5; day++ {
		mustPublish(t, publisher, day, fmt.Sprint(opaque, day))
	}
	s, _, err := newReader(t, p.Options).Snapshot(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, s, first)
	if n := p.pieces(t); n != 2 {
		t.Errorf("%d pieces, want those of the head and of the pin", n)
	}
	for _, bad := range []string{"", "a b", "ä"} {
		if err := publisher.Pin(t.Context(), 1, bad); err == nil {
			t.Errorf("pinned as %q", bad)
		}
	}
	if err := publisher.Pin(t.Context(), 2, "audit"); err == nil || !strings.Contains(err.Error(), ErrNotKept.Error()) {
		t.Errorf("pinned what is not kept: %v", err)
	}
	for _, want := range []bool{true, false} {
		if was, err := publisher.Unpin(t.Context(), "audit"); err != nil || was != want {
			t.Errorf("unpinned: %v, %v", was, err)
		}
	}
	last := mustPublish(t, publisher, 5, evm)
	if _, _, err := newReader(t, p.Options).Snapshot(t.Context(), 1); err == nil {
		t.Error("what is pinned no more is kept")
	}
	if n := p.pieces(t); n != 1 {
		t.Errorf("%d pieces, want those of the head", n)
	}
	mustLoad(t, p.Options, last)
}

// testRestore begins again after a flush with what was kept elsewhere.
func testRestore(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	mustPublish(t, publisher, 1, tron)
	last := mustPublish(t, publisher, 2, evm)
	verified := Verified{sdn.ID: {At: at2025, Source: "a file"}}
	if _, err := publisher.Restore(t.Context(), screen.Empty(), last, verified); !errors.Is(err, screen.ErrConflict) {
		t.Error("restored over a snapshot that is there")
	}
	p.admin.FlushAll(t.Context())
	restored, err := publisher.Restore(t.Context(), screen.Empty(), last, verified)
	if err != nil {
		t.Fatal(err)
	}
	if restored.Sequence != 3 || !restored.Equal(last) {
		t.Errorf("restored %s of %s", restored, last)
	}
	wantVerified(t, mustLoad(t, p.Options, restored).Verified, verified)
	// The head alone is gone: numbers do not go back either.
	p.admin.Del(t.Context(), p.key("head"))
	if restored, err = publisher.Restore(t.Context(), screen.Empty(), last, nil); err != nil || restored.Sequence != 4 {
		t.Errorf("restored %v, %v", restored, err)
	}
	mustLoad(t, p.Options, mustPublish(t, publisher, 3, opaque))
}

// testWentBack has Redis hold what was current before. Readers that know more take
// what was lost when it is published again, or what is there when it is.
func testWentBack(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	older := mustPublish(t, publisher, 1, tron)
	// What is told of the older one is not told of the other.
	heldThen := Verified{sdn.ID: {At: at2025, Held: heldBack}}
	if err := publisher.Verify(t.Context(), older, heldThen); err != nil {
		t.Fatal(err)
	}
	head := p.admin.HGetAll(t.Context(), p.key("head")).Val()
	verified := p.admin.HGetAll(t.Context(), p.key("verified")).Val()
	goBack := func() {
		p.admin.Del(t.Context(), p.key("head"), p.key("verified"))
		p.admin.HSet(t.Context(), p.key("head"), head)
		p.admin.HSet(t.Context(), p.key("verified"), verified)
	}
	current := Verified{sdn.ID: {At: at2025.Add(time.Hour)}}
	lost, err := publisher.Publish(t.Context(), older, merge(t, older, sdn, 2, evm, opaque), current)
	if err != nil {
		t.Fatal(err)
	}
	have := mustLoad(t, p.Options, lost)
	goBack()
	// An operator took the lost publication back once, and let it through then.
	p.admin.HSet(t.Context(), p.key("rolled_back"), lost.List(sdn.ID).Current().Digest.String(), 1)
	if _, err := publisher.Restore(t.Context(), lost, lost, nil); !errors.Is(err, screen.ErrConflict) {
		t.Errorf("restored in place of what is not current: %v", err)
	}
	restored, err := publisher.Restore(t.Context(), newest(t, publisher), lost, have.Verified)
	if err != nil {
		t.Fatal(err)
	}
	if restored.Sequence != 3 || !restored.Equal(lost) {
		t.Errorf("restored %s of %s", restored, lost)
	}
	state, err := newReader(t, p.Options).LoadAfter(t.Context(), have)
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, state.Snapshot, restored)
	wantVerified(t, state.Verified, current)
	if p.admin.Exists(t.Context(), p.key("rolled_back")).Val() != 0 {
		t.Error("what is served counts as taken back")
	}
	if got := p.admin.HGet(t.Context(), p.key("listings"), tronKey).Val(); !strings.Contains(got, `"delisted":"2025-01-02"`) {
		t.Errorf("for people there is %q", got)
	}

	// Nobody knows any more what was lost.
	goBack()
	reader := newReader(t, p.Options)
	if _, err := reader.LoadAfter(t.Context(), state); !errors.Is(err, ErrOlder) {
		t.Fatalf("%v, want %v", err, ErrOlder)
	}
	again, err := newPublisher(t, p.Options).Republish(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again.Sequence != 2 || !again.Equal(older) {
		t.Errorf("published %s again as %s", older, again)
	}
	if state, err = reader.LoadAfter(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	wantSame(t, state.Snapshot, again)
	wantVerified(t, state.Verified, heldThen)
	mustLoad(t, p.Options, mustPublish(t, publisher, 3, opaque))
	p.admin.FlushAll(t.Context())
	if _, err := publisher.Republish(t.Context()); !errors.Is(err, ErrNoSnapshot) {
		t.Errorf("published nothing again: %v", err)
	}
}

// testRepair has a publisher that knows the content write again what was spoiled.
func testRepair(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	s, err := publisher.Publish(t.Context(), screen.Empty(), numbered(t, 1000), nil)
	if err != nil {
		t.Fatal(err)
	}
	pieces := cut(s.Encoding())
	spoiled := p.key("piece:" + pieces[len(pieces)-2].digest.String())
	p.admin.SetRange(t.Context(), spoiled, 30, "X")
	if _, err := newReader(t, p.Options).Load(t.Context()); err == nil || !strings.Contains(err.Error(), spoiled) {
		t.Errorf("read a spoiled piece: %v", err)
	}
	if s, err = publisher.Publish(t.Context(), s, oneRowMore(t, s, 1000, 2), nil); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, p.Options, s)
	if ttl := p.admin.TTL(t.Context(), spoiled).Val(); ttl != -1 {
		t.Errorf("the repaired piece expires after %v", ttl)
	}
}

// TestRollbackDies ends a publisher after each command of a rollback.
func TestRollbackDies(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	for last := 1; ; last++ {
		p.admin.FlushAll(t.Context())
		good := mustPublish(t, newPublisher(t, p.Options), 1, tron)
		bad := mustPublish(t, newPublisher(t, p.Options), 2, evm)
		before := p.dump(t)
		var died atomic.Bool
		_, o := newProxy(t, p, nil, func(n int, _ []string) bool {
			if n >= last {
				died.Store(true)
			}
			return n >= last
		})
		publisher := newPublisher(t, o)
		publisher.Keep = 1
		_, err := publisher.Rollback(t.Context(), 1)
		publisher.Close()
		state, loadErr := newReader(t, p.Options).Load(t.Context())
		if loadErr != nil {
			t.Fatalf("after command %d: %v", last, loadErr)
		}
		switch s := state.Snapshot; {
		case s.Sequence == bad.Sequence && s.Equal(bad) && err != nil:
			wantStagedToExpire(t, p, before)
		case s.Sequence == 3 && s.Equal(good):
		default:
			t.Errorf("after command %d there is %s, %v", last, s, err)
		}
		mustLoad(t, p.Options, mustPublish(t, newPublisher(t, p.Options), 5, opaque))
		if err == nil && !died.Load() {
			return
		}
		if last > 60 {
			t.Fatal("a rollback does not end")
		}
	}
}

var largest = flag.Bool("largest", false, "benchmark with ten million listings, too")

// blocked calls do and returns the longest that a PING took meanwhile, and the
// longest that Redis was at one command.
func (p place) blocked(b *testing.B, do func()) (ping, command time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	if err := p.admin.ConfigSet(ctx, "slowlog-log-slower-than", "1000").Err(); err != nil {
		b.Fatal(err)
	}
	p.admin.SlowLogReset(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			begin := time.Now()
			if p.admin.Ping(ctx).Err() == nil {
				ping = max(ping, time.Since(begin))
			}
			<-tick.C
		}
	}()
	do()
	slow, err := p.admin.SlowLogGet(ctx, 1000).Result()
	cancel()
	<-done
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range slow {
		command = max(command, s.Duration)
	}
	return ping, command
}

// processed is how long this process has computed. Unlike the time that passes, it
// does not depend on who else does.
func processed(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkPublish publishes all and loads all, then the change of one row. The last
// snapshots are retired with every publish. -cpu-ms is time of the processor, of all
// goroutines; -ping-ms the longest answer to a PING meanwhile, and -command-ms the
// longest that Redis did nothing but one command.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{1_000, 5_000, 1_000_000, 10_000_000} {
		if n > 1_000_000 && !*largest {
			continue
		}
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			p, _ := startRedis(b)
			base := numbered(b, n)
			changed := oneRowMore(b, base, n, 2)
			measure := func(name string, do func()) {
				runtime.GC()
				in, out, commands := p.traffic(b)
				begin, computed := time.Now(), processed(b)
				ping, command := p.blocked(b, do)
				took, computed := time.Since(begin), processed(b)-computed
				in2, out2, commands2 := p.traffic(b)
				b.ReportMetric(took.Seconds()*1000, name+"-ms")
				b.ReportMetric(computed.Seconds()*1000, name+"-cpu-ms")
				b.ReportMetric(ping.Seconds()*1000, name+"-ping-ms")
				b.ReportMetric(command.Seconds()*1000, name+"-command-ms")
				b.ReportMetric(float64(in2-in)/1e6, name+"-MB-in")
				b.ReportMetric(float64(out2-out)/1e6, name+"-MB-out")
				b.ReportMetric(float64(commands2-commands), name+"-commands")
			}
			b.ReportMetric(float64(len(base.Encoding()))/1e6, "MB")
			for b.Loop() {
				p.admin.FlushAll(b.Context())
				publisher, reader := newPublisher(b, p.Options), newReader(b, p.Options)
				publisher.Keep = 1
				var s *screen.Snapshot
				var state *State
				var index *screen.Index
				must := func(err error) {
					if err != nil {
						b.Fatal(err)
					}
				}
				var err error
				measure("publish", func() { s, err = publisher.Publish(b.Context(), screen.Empty(), base, nil); must(err) })
				measure("load", func() { state, err = reader.Load(b.Context()); must(err) })
				measure("index", func() { index = screen.NewIndex(state.Snapshot) })
				measure("row-publish", func() { _, err = publisher.Publish(b.Context(), s, changed, nil); must(err) })
				measure("row-load", func() { state, err = reader.refresh(b.Context(), state); must(err) })
				measure("row-index", func() { index = index.Next(state.Snapshot) })
			}
		})
	}
}
