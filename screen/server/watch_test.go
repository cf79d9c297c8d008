package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

type changeStream = grpc.ServerStreamingClient[pb.WatchChangesResponse]

func (in *installation) watch(t testing.TB, req *pb.WatchChangesRequest) changeStream {
	t.Helper()
	stream, err := in.lists.WatchChanges(within(t), req)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// together reads all changes of one snapshot, and checks what holds for each message.
func together(stream changeStream) (*pb.WatchChangesResponse, error) {
	var all *pb.WatchChangesResponse
	for {
		res, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		switch {
		case res.Snapshot == nil || len(res.Changes) > 1000 || proto.Size(res) > 1<<20+100:
			return nil, fmt.Errorf("a message of %d bytes with %d changes of snapshot %v", proto.Size(res), len(res.Changes), res.Snapshot)
		case all != nil && (len(res.Changes) == 0 || !proto.Equal(res.Snapshot, all.Snapshot)):
			return nil, fmt.Errorf("snapshot %v, %d changes, within those of %v", res.Snapshot, len(res.Changes), all.Snapshot)
		case len(res.Changes) == 0 && !res.Last:
			return nil, errors.New("no changes, and not the last message")
		}
		if all == nil {
			all = res
		} else {
			all.Changes, all.Last = append(all.Changes, res.Changes...), res.Last
		}
		if all.Last {
			return all, nil
		}
	}
}

func next(t testing.TB, stream changeStream) *pb.WatchChangesResponse {
	t.Helper()
	res, err := together(stream)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// signs writes changes for people.
func signs(res *pb.WatchChangesResponse) string {
	out := []string{fmt.Sprint(res.Snapshot.Sequence)}
	for _, c := range res.Changes {
		out = append(out, [...]string{"?", "+", "-", "~"}[c.Type]+c.Listing.ListId+" "+c.Listing.Address)
	}
	return strings.Join(out, ", ")
}

// rowsOf counts what the service says of the current listings of some lists.
func rowsOf(t testing.TB, s *screen.Snapshot, lists ...string) map[string]int {
	t.Helper()
	rows := map[string]int{}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		if l.Delisted == 0 && (len(lists) == 0 || strings.Contains(strings.Join(lists, " "), string(s.ListOf(l).ID))) {
			rows[text(t, listing(s, l, 0))]++
		}
	}
	return rows
}

func text(t testing.TB, l *pb.Listing) string {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// apply does with changes what the contract says.
func apply(t testing.TB, rows map[string]int, res *pb.WatchChangesResponse) {
	t.Helper()
	for _, c := range res.Changes {
		if c.Previous != nil {
			rows[text(t, c.Previous)]--
		}
		if c.Type != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED {
			rows[text(t, c.Listing)]++
		}
		if (c.Previous == nil) != (c.Type == pb.ListingChangeType_LISTING_CHANGE_TYPE_LISTED) || c.Listing == nil {
			t.Errorf("%v", c)
		}
	}
	maps.DeleteFunc(rows, func(_ string, n int) bool { return n == 0 })
}

// history is a random history of an installation: publications of three lists,
// rollbacks, a list that is renamed.
func history(t testing.TB, random *rand.Rand, n int) []*screen.Snapshot {
	t.Helper()
	lists := []screen.List{sdn, own, {ID: "us-fbi", Kind: screen.KindAdvisory, Authority: "FBI"}}
	all := []*screen.Snapshot{published(t).Named(1, noon)}
	for step := range n {
		now := all[len(all)-1]
		var next *screen.Snapshot
		if random.IntN(5) == 0 {
			next = all[random.IntN(len(all))] // a rollback
		} else {
			list := lists[random.IntN(len(lists))]
			if random.IntN(8) == 0 {
				list.URL += "/new"
			}
			var parties []screen.PublishedParty
			for uid := range 3 {
				p := party(fmt.Sprint(uid))
				for range random.IntN(4) {
					p.Addresses = append(p.Addresses, screen.PublishedAddress{
						Text: []string{evm, evmLower, other, tronText, "0xnonsense"}[random.IntN(5)], Symbol: []string{"ETH", "XBT"}[random.IntN(2)], Comment: fmt.Sprint(random.IntN(2)),
					})
				}
				if p.Facts.Name += fmt.Sprint(random.IntN(2)); len(p.Addresses) > 0 {
					parties = append(parties, p)
				}
			}
			next = merged(t, now, list, screen.DateOf(noon.AddDate(0, 0, step)), fmt.Sprint("step ", step), parties...)
		}
		all = append(all, next.Named(now.Sequence+1+uint64(random.IntN(2)), noon.Add(time.Duration(step+1)*time.Hour)))
	}
	return all
}

// TestChangesLeadFromAnySnapshotToAnyOther: who applies the changes from any
// snapshot, caught up or live, over rollbacks and with any lists, has exactly the
// current listings of the later one; snapshots come in ascending order.
func TestChangesLeadFromAnySnapshotToAnyOther(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	all := history(t, random, 40)
	in := install(t, Config{Archive: archiveOf(all...)})
	in.server.Swap(State{Snapshot: all[20]})
	filters := [][]string{nil, {"us-ofac-sdn"}, {"own", "us-fbi"}, {"none"}}
	type follower struct {
		stream changeStream
		lists  []string
		rows   map[string]int
		last   uint64
	}
	var followers []*follower
	check := func(f *follower, at *screen.Snapshot) {
		t.Helper()
		res := next(t, f.stream)
		if res.Snapshot.Sequence != at.Sequence || res.Snapshot.Digest != at.Digest().String() || at.Sequence <= f.last {
			t.Fatalf("changes of snapshot %v after %d, want %s", res.Snapshot, f.last, at)
		}
		f.last = at.Sequence
		apply(t, f.rows, res)
		if diff := cmp.Diff(rowsOf(t, at, f.lists...), f.rows); diff != "" {
			t.Fatalf("lists %v at %s (-want +got):\n%s", f.lists, at, diff)
		}
	}
	join := func(at, from int) {
		t.Helper()
		lists := filters[random.IntN(len(filters))]
		f := &follower{lists: lists, rows: rowsOf(t, all[from], lists...)}
		f.stream = in.watch(t, &pb.WatchChangesRequest{FromSnapshot: all[from].Sequence, FromDigest: all[from].Digest().String(), ListIds: lists})
		check(f, all[at])
		followers = append(followers, f)
	}
	for from := range 21 {
		join(20, from)
	}
	for at := 21; at < len(all); at++ {
		in.server.Swap(State{Snapshot: all[at]})
		for _, f := range followers {
			check(f, all[at])
		}
		join(at, random.IntN(at+1))
	}
}

// TestWatchChanges: every sentence about it in the contract that has no test of its own.
func TestWatchChanges(t *testing.T) {
	seven := published(t)
	eight := merged(t, seven, sdn, 20251105, "3", party("1", evm, other)).Named(8, noon)
	nine := merged(t, eight, own, 20251105, "own", party("9", tronText)).Named(9, noon)
	start := func(t *testing.T, archive Archive) *installation {
		in := install(t, Config{Archive: archive})
		in.server.Swap(State{Snapshot: eight})
		return in
	}
	want := func(t *testing.T, stream changeStream, texts ...string) {
		t.Helper()
		for _, want := range texts {
			if got := signs(next(t, stream)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	}
	wantEnd := func(t *testing.T, stream changeStream, code codes.Code, reason pb.ErrorReason, retry time.Duration, metadata map[string]string) {
		t.Helper()
		_, err := together(stream)
		wantFailure(t, err, code, reason, retry, metadata)
	}
	t.Run("0 means from the one served now: one message without changes, then every new snapshot", func(t *testing.T) {
		in := start(t, nil)
		stream, filtered := in.watch(t, &pb.WatchChangesRequest{}), in.watch(t, &pb.WatchChangesRequest{ListIds: []string{"us-ofac-sdn"}})
		want(t, stream, "8")
		want(t, filtered, "8")
		in.server.Swap(State{Snapshot: eight, Verified: verified(noon, sdn.ID)}) // no new snapshot
		in.server.Swap(State{Snapshot: nine})
		want(t, stream, "9, +own "+tronText)
		want(t, filtered, "9")
	})
	t.Run("the first messages lead from from_snapshot to the snapshot that is served", func(t *testing.T) {
		in := start(t, archiveOf(seven))
		want(t, in.watch(t, &pb.WatchChangesRequest{FromSnapshot: 7}), "8, +us-ofac-sdn "+other)
		want(t, in.watch(t, &pb.WatchChangesRequest{FromSnapshot: 8}), "8")
	})
	t.Run("a listing that came and went meanwhile is not among them", func(t *testing.T) {
		in := start(t, archiveOf(seven, eight))
		in.server.Swap(State{Snapshot: merged(t, eight, sdn, 20251106, "4", party("1", evm)).Named(9, noon)})
		want(t, in.watch(t, &pb.WatchChangesRequest{FromSnapshot: 7}), "9")
	})
	t.Run("a snapshot that failed its canaries is passed over", func(t *testing.T) {
		in := install(t, Config{CanariesUnlisted: []string{other}})
		if err := in.server.Swap(State{Snapshot: seven}); err != nil {
			t.Fatal(err)
		}
		stream := in.watch(t, &pb.WatchChangesRequest{})
		want(t, stream, "7")
		if err := in.server.Swap(State{Snapshot: eight}); err == nil {
			t.Fatal("the canary passed")
		}
		if err := in.server.Swap(State{Snapshot: merged(t, seven, own, 20251105, "own", party("9", tronText)).Named(9, noon)}); err != nil {
			t.Fatal(err)
		}
		want(t, stream, "9, +own "+tronText)
	})
	t.Run("one that was delisted, with its end, and previous without", func(t *testing.T) {
		in := start(t, nil)
		stream := in.watch(t, &pb.WatchChangesRequest{})
		want(t, stream, "8")
		in.server.Swap(State{Snapshot: merged(t, eight, sdn, 20251106, "4", party("1", evm)).Named(9, noon)})
		c := next(t, stream).Changes[0]
		if c.Type != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED || c.Listing.Delisted.GetSha256() != digest("4") || c.Listing.DelistedOn != "2025-11-06" || c.Previous.Delisted != nil {
			t.Errorf("%v", c)
		}
		// A rollback to before it was listed.
		in.server.Swap(State{Snapshot: eight.Named(10, noon)})
		in.server.Swap(State{Snapshot: seven.Named(11, noon)})
		want(t, stream, "10, +us-ofac-sdn "+other)
		c = next(t, stream).Changes[0]
		if c.Type != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED || !proto.Equal(c.Listing, c.Previous) || c.Listing.Delisted != nil {
			t.Errorf("%v", c)
		}
	})
	t.Run("SNAPSHOT_TOO_OLD when the server does not hold from_snapshot, with the oldest that can be asked for", func(t *testing.T) {
		in := start(t, archiveOf(seven.Named(2, noon), seven.Named(5, noon), seven.Named(6, noon)))
		for from, oldest := range map[uint64]string{1: "2", 3: "5", 7: "8"} {
			wantEnd(t, in.watch(t, &pb.WatchChangesRequest{FromSnapshot: from}), codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": oldest})
		}
		wantEnd(t, start(t, nil).watch(t, &pb.WatchChangesRequest{FromSnapshot: 7}), codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": "8"})
	})
	t.Run("SNAPSHOT_TOO_OLD when it holds another under its number", func(t *testing.T) {
		in := start(t, archiveOf(seven))
		for from, other := range map[uint64]*screen.Snapshot{7: eight, 8: seven} {
			req := &pb.WatchChangesRequest{FromSnapshot: from, FromDigest: other.Digest().String()}
			wantEnd(t, in.watch(t, req), codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": fmt.Sprint(8)})
		}
		want(t, in.watch(t, &pb.WatchChangesRequest{FromSnapshot: 7, FromDigest: seven.Digest().String()}), "8, +us-ofac-sdn "+other)
	})
	t.Run("SNAPSHOT_TOO_OLD when the numbers of snapshots begin anew", func(t *testing.T) {
		in := start(t, nil)
		stream := in.watch(t, &pb.WatchChangesRequest{})
		want(t, stream, "8")
		in.server.Swap(State{Snapshot: seven.Named(1, noon.Add(time.Hour))})
		wantEnd(t, stream, codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": "1"})
	})
	t.Run("a from_snapshot that the server has not reached is waited for, then SNAPSHOT_NOT_REACHED", func(t *testing.T) {
		in := start(t, nil)
		stream := in.watch(t, &pb.WatchChangesRequest{FromSnapshot: 9})
		in.server.Swap(State{Snapshot: nine})
		want(t, stream, "9")
		ctx, cancel := context.WithTimeout(within(t), 300*time.Millisecond)
		defer cancel()
		stream, err := in.lists.WatchChanges(ctx, &pb.WatchChangesRequest{FromSnapshot: 10})
		if err != nil {
			t.Fatal(err)
		}
		wantEnd(t, stream, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED, 2*time.Second, map[string]string{"sequence": "9", "from_snapshot": "10"})
	})
	t.Run("SNAPSHOT_UNREADABLE when from_snapshot cannot be read now", func(t *testing.T) {
		kept := archiveOf(seven)
		kept.fail(errors.New("down"))
		wantEnd(t, start(t, kept).watch(t, &pb.WatchChangesRequest{FromSnapshot: 7}), codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "7"})
	})
	t.Run("INVALID_ARGUMENT and NOT_READY", func(t *testing.T) {
		in := start(t, nil)
		for _, req := range []*pb.WatchChangesRequest{
			{FromDigest: seven.Digest().String()}, {FromSnapshot: 8, FromDigest: "x"}, {FromSnapshot: 8, FromDigest: strings.ToUpper(eight.Digest().String())},
		} {
			wantEnd(t, in.watch(t, req), codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT, 0, nil)
		}
		wantEnd(t, in.watch(t, &pb.WatchChangesRequest{ListIds: []string{"SDN"}}), codes.InvalidArgument, pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID, 0, nil)
		wantEnd(t, install(t, Config{}).watch(t, &pb.WatchChangesRequest{}), codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	})
	t.Run("at most 1,000 in a message and no more than 1 MiB, last set on the last", func(t *testing.T) {
		in := start(t, nil)
		stream := in.watch(t, &pb.WatchChangesRequest{})
		want(t, stream, "8")
		many := party("1", evm, other)
		for i := range 2300 {
			many.Addresses = append(many.Addresses, screen.PublishedAddress{Text: fmt.Sprint("text ", i)})
		}
		in.server.Swap(State{Snapshot: merged(t, eight, sdn, 20251106, "many", many).Named(9, noon)})
		var sizes []int
		for last := false; !last; {
			res, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			sizes, last = append(sizes, len(res.Changes)), res.Last
		}
		if diff := cmp.Diff([]int{1000, 1000, 300}, sizes); diff != "" {
			t.Errorf("changes in each message (-want +got):\n%s", diff)
		}
		in.server.Swap(State{Snapshot: merged(t, large(t, "large"), own, 20251106, "own", party("9", evm)).Named(10, noon)})
		next(t, stream) // checks the size of each
	})
	t.Run("SNAPSHOT_TOO_OLD when the changes would take over 64 MiB", func(t *testing.T) {
		in := install(t, Config{})
		if in.server.watched.largest != 64<<20 {
			t.Errorf("the limit is %d", in.server.watched.largest)
		}
		in.server.watched.largest = 2 << 20
		in.server.Swap(State{Snapshot: eight})
		stream := in.watch(t, &pb.WatchChangesRequest{})
		want(t, stream, "8")
		p := party("1")
		for i := range 3 {
			p.Addresses = append(p.Addresses, screen.PublishedAddress{Text: fmt.Sprint("text ", i), Comment: strings.Repeat("x", 1<<20)})
		}
		in.server.Swap(State{Snapshot: merged(t, eight, sdn, 20251106, "huge", p).Named(9, noon)})
		wantEnd(t, stream, codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": "9"})
	})
}

// TestSlowWatcher: one that does not read is cut off, whether it waits or falls
// behind; it delays no swap and nobody else.
func TestSlowWatcher(t *testing.T) {
	var floods []*screen.Snapshot
	for _, comment := range []string{"x", "y"} {
		p := party("1")
		for i := range 20 {
			p.Addresses = append(p.Addresses, screen.PublishedAddress{Text: fmt.Sprint(i), Comment: strings.Repeat(comment, 10_000)})
		}
		floods = append(floods, merged(t, screen.Empty(), sdn, 20251104, "flood", p))
	}
	flood := func(n uint64) *screen.Snapshot { return floods[n%2].Named(n, noon) }
	for _, test := range []struct {
		name     string
		patience time.Duration
		swaps    uint64
	}{
		{"does not take a message", time.Second, 4},
		{"is more than 16 snapshots behind", time.Hour, 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := install(t, Config{})
			in.server.patience = test.patience
			in.server.Swap(State{Snapshot: published(t).Named(1, noon)})
			// A window that does not grow with what others read.
			conn, err := grpc.NewClient(in.conn.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()),
				grpc.WithInitialWindowSize(1<<16), grpc.WithInitialConnWindowSize(1<<16))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			slow, err := pb.NewListServiceClient(conn).WatchChanges(within(t), &pb.WatchChangesRequest{})
			if err != nil {
				t.Fatal(err)
			}
			good := in.watch(t, &pb.WatchChangesRequest{})
			next(t, slow)
			next(t, good)
			for n := range test.swaps {
				s := flood(n + 2)
				in.server.Swap(State{Snapshot: s})
				if res := next(t, good); res.Snapshot.Sequence != n+2 {
					t.Fatalf("%v", res.Snapshot)
				}
			}
			// Falling behind shows when it reads on.
			last := uint64(0)
			if test.patience < time.Minute {
				await(t, "it is cut off", func() bool { return count(t, in.server.watched.cut) == 1 })
			}
			for err == nil {
				var res *pb.WatchChangesResponse
				if res, err = together(slow); err == nil {
					last = res.Snapshot.Sequence
				}
			}
			wantFailure(t, err, codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, time.Second, nil)
			if last > 12 {
				t.Errorf("it had %d snapshots", last)
			}
			if n := count(t, in.server.watched.cut); n != 1 {
				t.Errorf("%d were cut off", n)
			}
		})
	}
}

// TestManyWatchers: a thousand watch, what changed is computed once for all, for
// those that catch up and those that follow; when they go nothing is left.
func TestManyWatchers(t *testing.T) {
	const watchers = 1000
	before := runtime.NumGoroutine()
	all := history(t, rand.New(rand.NewPCG(7, 8)), 4)
	in := install(t, Config{Archive: archiveOf(all...), Limits: Limits{Streams: watchers + 1}})
	in.server.Swap(State{Snapshot: all[1]})
	idle := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var ready, done sync.WaitGroup
	ready.Add(watchers)
	for i := range watchers {
		done.Go(func() {
			stream, err := in.lists.WatchChanges(ctx, &pb.WatchChangesRequest{FromSnapshot: all[0].Sequence, ListIds: []string{"us-ofac-sdn", "own", "us-fbi"}[:1+i%3]})
			for n := 1; err == nil; n++ {
				var res *pb.WatchChangesResponse
				if res, err = together(stream); err == nil && res.Snapshot.Sequence != all[n].Sequence {
					t.Errorf("snapshot %v, want %d", res.Snapshot, all[n].Sequence)
				}
				if n == 1 {
					ready.Done()
				}
			}
			if status.Code(err) != codes.Canceled {
				t.Errorf("%v", err)
			}
		})
	}
	ready.Wait()
	if n := count(t, in.server.watched.computed); n != 1 {
		t.Errorf("to catch up changes were computed %d times", n)
	}
	for _, s := range all[2:] {
		in.server.Swap(State{Snapshot: s})
	}
	await(t, "the changes are computed", func() bool { return count(t, in.server.watched.computed) == 1+len(all[2:]) })
	cancel()
	done.Wait()
	await(t, "every stream has ended", func() bool {
		in.server.mu.Lock()
		defer in.server.mu.Unlock()
		return in.server.watched.clients == 0
	})
	await(t, fmt.Sprintf("no goroutine is left of %d, there were %d and %d", runtime.NumGoroutine(), before, idle), func() bool { return runtime.NumGoroutine() <= idle+16+5 })
	in.server.Swap(State{Snapshot: all[0].Named(100, noon)})
	if n := count(t, in.server.watched.computed); n != 1+len(all[2:]) {
		t.Errorf("changes are computed though nobody watches")
	}
	if in.server.watched.newest.changes != nil {
		t.Error("changes are kept though nobody watches")
	}
}
