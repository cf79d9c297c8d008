package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
)

// occupy takes all turns until the function that it returns is called.
func occupy(t testing.TB, turns *turns) (leave func()) {
	t.Helper()
	n := turns.free.Load()
	for range n {
		if err := turns.take(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for range n {
			turns.leave()
		}
	}
}

// A client that has many batches waiting does not have one with a few wait for all
// of them.
func TestTurnsGoRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{}
		turns.free.Store(1)
		leave := occupy(t, turns)
		foe, good := new(share), new(share)
		var order []*share
		wait := func(client *share) {
			go func() {
				if err := turns.take(t.Context(), client); err != nil {
					t.Error(err)
				}
				order = append(order, client)
				turns.leave()
			}()
			synctest.Wait()
		}
		for range 5 {
			wait(foe)
		}
		for range 2 {
			wait(good)
		}
		leave()
		synctest.Wait()
		if want := []*share{foe, good, foe, good, foe, foe, foe}; !slices.Equal(order, want) {
			t.Errorf("the turns went to %v, want %v", order, want)
		}
		if turns.free.Load() != 1 || len(turns.clients) != 0 {
			t.Errorf("%d turns are free and %d clients wait, want 1 and 0", turns.free.Load(), len(turns.clients))
		}
	})
}

// An answer that is to be encoded goes before batches that are not begun: what it
// holds is in memory already.
func TestAnswersGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := &turns{}
		turns.free.Store(1)
		leave := occupy(t, turns)
		var order []string
		wait := func(name string, take func() error) {
			go func() {
				if err := take(); err != nil {
					t.Error(err)
				}
				order = append(order, name)
				turns.leave()
			}()
			synctest.Wait()
		}
		for range 2 {
			wait("batch", func() error { return turns.take(t.Context(), new(share)) })
		}
		for range 2 {
			wait("answer", func() error { turns.takeFirst(); return nil })
		}
		leave()
		synctest.Wait()
		if want := []string{"answer", "answer", "batch", "batch"}; !slices.Equal(order, want) {
			t.Errorf("the turns went to %v, want %v", order, want)
		}
		if turns.free.Load() != 1 {
			t.Errorf("%d turns are free, want 1", turns.free.Load())
		}
	})
}

// However clients come and give up, no turn is lost, and no more are taken than
// there are.
func TestNoTurnIsLost(t *testing.T) {
	turns := newTurns()
	all := turns.free.Load()
	clients := []*share{nil, new(share), new(share), new(share)}
	var taken atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				if r.IntN(10) == 0 {
					turns.takeFirst()
					if n := taken.Add(1); n > all {
						t.Errorf("%d turns are taken, of %d", n, all)
					}
					taken.Add(-1)
					turns.leave()
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(r.IntN(100))*time.Microsecond)
				if err := turns.take(ctx, clients[r.IntN(len(clients))]); err == nil {
					if n := taken.Add(1); n > all {
						t.Errorf("%d turns are taken, of %d", n, all)
					}
					<-time.After(time.Duration(r.IntN(20)) * time.Microsecond)
					taken.Add(-1)
					turns.leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if turns.free.Load() != all || len(turns.clients) != 0 {
		t.Errorf("%d turns are free and %d clients wait, want %d and 0", turns.free.Load(), len(turns.clients), all)
	}
}

// Large batches wait their turn beside small ones, and no more of them than there
// is room for; the last room is for those who have little.
func TestLargeBatchesTakeTurns(t *testing.T) {
	g := guard(t, Limits{Pending: 1 << 20}, map[string]string{"a": "permissions: [screen]", "foe": "permissions: [screen]"}, nil)
	a, turns := g.server.admission, g.server.turns
	leave := occupy(t, turns)
	large := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{"0x00000000000000000000000000000000000000aa"}, 1000)}
	small := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, largeBatch)}
	size := memoryOf(large)
	foe, c := pb.NewScreeningServiceClient(g.dial()), pb.NewScreeningServiceClient(g.dial())
	room := (a.limits.Pending - a.limits.Pending/5) / size
	results := make(chan error, 100)
	ask := func(c pb.ScreeningServiceClient, caller string) {
		ctx := g.as(t, caller)
		go func() {
			res, err := c.ScreenAddresses(ctx, large)
			if err == nil && len(res.Results) != len(large.Addresses) {
				err = errors.New("not every address is answered")
			}
			results <- err
		}()
	}
	for range room {
		ask(foe, "foe")
	}
	await(t, "there is no more room for who has most", func() bool { return a.unanswered.Load() == room*size })
	_, err := foe.ScreenAddresses(g.as(t, "foe"), large)
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
	stream, err := foe.ScreenAddressStream(g.as(t, "foe"))
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, large)
	_, err = stream.Recv()
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
	// Another caller gets in, and one with few addresses is answered at once.
	ask(c, "a")
	await(t, "another caller waits, too", func() bool { return a.unanswered.Load() == (room+1)*size })
	if _, err := c.ScreenAddresses(g.as(t, "a"), small); err != nil {
		t.Errorf("a small batch: %v", err)
	}
	// Who gives up gives back.
	ctx, cancel := context.WithTimeout(g.as(t, "a"), 50*time.Millisecond)
	defer cancel()
	if _, err := c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: large.Addresses[:largeBatch+1]}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("a large batch that waits too long: %v, want DEADLINE_EXCEEDED", err)
	}
	await(t, "what it held is given back", func() bool { return a.unanswered.Load() == (room+1)*size })
	leave()
	for range room + 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	await(t, "nothing is held", func() bool { return a.unanswered.Load() == 0 && turns.free.Load() == newTurns().free.Load() })
}

// However many callers there are, all together hold no more than may be held.
func TestUnansweredRequestsAreBounded(t *testing.T) {
	s := New(Config{Limits: Limits{Pending: 1 << 20}})
	a := s.admission
	var calls []*call
	for i := range 30 {
		c := &call{caller: &access.Caller{Name: fmt.Sprint(i)}, share: new(share)}
		if err := a.hold(c, a.limits.Pending/20); err != nil {
			wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_OVERLOADED, time.Second, nil)
			continue
		}
		calls = append(calls, c)
	}
	if len(calls) != 20 || a.unanswered.Load() != a.limits.Pending/20*20 {
		t.Errorf("%d requests are held with %d bytes, want 20", len(calls), a.unanswered.Load())
	}
	for _, c := range calls {
		a.answered(c, a.limits.Pending/20)
	}
	if n := a.unanswered.Load(); n != 0 {
		t.Errorf("%d bytes are held at the end", n)
	}
}

// Strings that are empty take memory, too.
func TestEmptyStringsAreHeld(t *testing.T) {
	for name, req := range map[string]proto.Message{
		"addresses":  &pb.ScreenAddressesRequest{Addresses: make([]string, 1000)},
		"lists":      &pb.ScreenAddressesRequest{ListIds: make([]string, 1000)},
		"of history": &pb.GetAddressHistoryRequest{ListIds: make([]string, 1000)},
	} {
		if n := memoryOf(req); n < 16000 || n > 20000 {
			t.Errorf("%s: %d bytes, want 16 or so for each", name, n)
		}
	}
}

// A stream holds the requests that are not answered yet, and nothing at its end.
func TestStreamHoldsWhatIsNotAnswered(t *testing.T) {
	g := guard(t, Limits{}, map[string]string{"a": "permissions: [screen]"}, nil)
	a, turns := g.server.admission, g.server.turns
	leave := occupy(t, turns)
	large := &pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{evm}, 1000)}
	size := memoryOf(large)
	ctx, cancel := context.WithCancel(g.as(t, "a"))
	defer cancel()
	stream, err := pb.NewScreeningServiceClient(g.dial()).ScreenAddressStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	send(t, stream, large)
	send(t, stream, large)
	await(t, "both requests are held", func() bool { return a.unanswered.Load() == 2*size })
	leave()
	receiveOne(t, stream)
	receiveOne(t, stream)
	await(t, "answered requests are not held", func() bool { return a.unanswered.Load() == 0 })
	leave = occupy(t, turns)
	send(t, stream, large)
	await(t, "the next is", func() bool { return a.unanswered.Load() == size })
	cancel()
	await(t, "the end of the stream gives it back", func() bool { return a.unanswered.Load() == 0 })
	leave()
}
