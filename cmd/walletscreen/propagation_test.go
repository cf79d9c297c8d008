package main_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/store"
	"walletscreen/screen/store/storetest"
)

var (
	propagations = flag.Int("propagations", 4, "publishes of each size that TestPropagation times")
	swapListings = flag.Int("swap-listings", 5000, "listings that TestServingDuringSwaps screens against")
	swaps        = flag.Int("swaps", 3, "snapshots that TestServingDuringSwaps swaps in")
	swapRate     = flag.Int("swap-rate", 100, "requests a second, of 100 addresses each, that TestServingDuringSwaps sends")
	swapBefore   = flag.Duration("swap-before", time.Second, "how long TestServingDuringSwaps measures before the first swap")
)

// accountText is the text of one of any number of accounts, of which no two are related.
func accountText(i int) string { return fmt.Sprintf("0x%040x", i) }

// manyRows returns a snapshot of n listings, a hundred to a party.
func manyRows(t testing.TB, n int) *screen.Snapshot {
	t.Helper()
	return withRows(t, screen.Empty(), n, 0)
}

// withRows returns the successor of a snapshot: n listings, a hundred to a party, and
// so many more of a party in the middle.
func withRows(t testing.TB, s *screen.Snapshot, n, more int) *screen.Snapshot {
	t.Helper()
	list := screen.List{ID: "test", Kind: screen.KindDesignation, Authority: "Test", Name: "Test"}
	pub := &screen.Publication{List: list.ID, PublishedOn: screen.DateOf(time.Now().UTC()), Digest: screen.Digest{1, byte(more), byte(more >> 8)}}
	for i := 0; i < n; i += 100 {
		party := screen.PublishedParty{UID: fmt.Sprintf("%08d", i), Facts: screen.Facts{Name: fmt.Sprint("Party ", i)}}
		for j := i; j < min(i+100, n); j++ {
			party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: accountText(j), Symbol: "ETH"})
		}
		for j := range more {
			if i == n/200*100 {
				party.Addresses = append(party.Addresses, screen.PublishedAddress{Text: accountText(1<<40 + j), Symbol: "ETH"})
			}
		}
		pub.Parties = append(pub.Parties, party)
	}
	next, _, err := s.Merge(list, pub)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// percentiles tells how long things took.
func percentiles(took []time.Duration) string {
	took = slices.Sorted(slices.Values(took))
	at := func(p int) time.Duration { return took[(len(took)-1)*p/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, max %v (%d)", at(50), at(90), at(99), at(100), len(took))
}

func openPublisher(t testing.TB, r *storetest.Server) *store.Publisher {
	t.Helper()
	p, err := store.NewPublisher(store.Options{URL: "redis://" + r.Addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// TestPropagation publishes rows, and has 8 servers asked for each: every one lists
// it, once its snapshot is there. -propagations asks for more rounds, and -v tells
// how long they took, from the call of Publish to the last server's answer.
func TestPropagation(t *testing.T) {
	for _, n := range []int{2000, 5000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := storetest.Redis(t)
			publisher := openPublisher(t, r)
			s, err := publisher.Publish(t.Context(), screen.Empty(), manyRows(t, n), nil)
			if err != nil {
				t.Fatal(err)
			}
			var clients []*client.Client
			for range 8 {
				clients = append(clients, dial(t, serve(t, "--redis", "redis://"+r.Addr).addr))
			}
			var all, published []time.Duration
			for round := range *propagations {
				next := withRows(t, s, n, round+1)
				row, sequence := accountText(1<<40+round), s.Sequence+1
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				var group sync.WaitGroup
				begin := time.Now()
				for _, c := range clients {
					group.Go(func() {
						// Servers wait for 2 s at most for what is asked for.
						res, err := c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{row, accountText(1 << 50)}, MinSnapshot: sequence})
						if err != nil || res.Snapshot.Sequence != sequence || res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || res.Results[1].Verdict != pb.Verdict_VERDICT_NOT_LISTED {
							t.Errorf("round %d: %v, %v; want the new row listed, and the other not", round, res, err)
						}
					})
				}
				s, err = publisher.Publish(ctx, s, next, nil)
				published = append(published, time.Since(begin))
				group.Wait()
				cancel()
				all = append(all, time.Since(begin))
				if err != nil || t.Failed() {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			t.Logf("%d listings: to the end of Publish %s", n, percentiles(published))
			t.Logf("%d listings: to the last of 8 servers %s", n, percentiles(all))
		})
	}
}

// TestServingDuringSwaps sends requests at a steady rate while snapshots are swapped
// in: every answer is right and of one snapshot. The flags ask for large snapshots,
// and -v tells how long answers took before and during the swaps. The snapshots are
// in Redis beforehand, so that meanwhile nobody works but the server.
func TestServingDuringSwaps(t *testing.T) {
	r := storetest.Redis(t)
	admin := redis.NewClient(&redis.Options{Addr: r.Addr})
	t.Cleanup(func() { _ = admin.Close() })
	publisher := openPublisher(t, r)
	const prefix = "walletscreen:{default}:"
	s, heads := screen.Empty(), []map[string]string(nil)
	for i := range *swaps + 1 {
		var err error
		if s, err = publisher.Publish(t.Context(), s, withRows(t, s, *swapListings, i), nil); err != nil {
			t.Fatal(err)
		}
		head, err := admin.HGetAll(t.Context(), prefix+"head").Result()
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
	}
	s = nil
	put := func(i int) {
		if err := admin.HSet(t.Context(), prefix+"head", heads[i]).Err(); err != nil {
			t.Fatal(err)
		}
		if err := admin.Publish(t.Context(), prefix+"changed", heads[i]["sequence"]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	put(0)
	server := serveBuilt(t, builtPlain.program(t), "", "--redis", "redis://"+r.Addr)
	c := dial(t, server.addr)
	eventually(t, "the first snapshot is served", func() bool {
		res, err := c.GetSnapshot(t.Context())
		return err == nil && res.Snapshot.GetSequence() == 1
	})
	whole := peakMemory(t, server.cmd.Process.Pid)

	addresses := make([]string, 100)
	for i := range addresses {
		addresses[i] = accountText(1<<50 + i)
	}
	addresses[0] = accountText(*swapListings / 2)
	var mu sync.Mutex
	var took [2][]time.Duration // before and during
	phase := 0
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		// Requests are due by the clock, and late if the one before was late.
		every := time.Second / time.Duration(*swapRate)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for due := time.Now().Add(every); ; {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				for ; !due.After(now); due = due.Add(every) {
					at := due
					group.Go(func() {
						mu.Lock()
						in := phase
						mu.Unlock()
						res, err := c.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: addresses})
						taken := time.Since(at)
						if err != nil || res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || slices.ContainsFunc(res.Results[1:], func(r *pb.ScreenResult) bool {
							return r.Verdict != pb.Verdict_VERDICT_NOT_LISTED
						}) {
							t.Errorf("%v, %v", res, err)
							return
						}
						mu.Lock()
						took[in] = append(took[in], taken)
						mu.Unlock()
					})
				}
			}
		}
	})
	measure := func(of int) {
		mu.Lock()
		defer mu.Unlock()
		phase = of
	}
	<-time.After(*swapBefore)
	var swapped []time.Duration
	for i := 1; i <= *swaps; i++ {
		measure(1)
		begin := time.Now()
		put(i)
		eventually(t, fmt.Sprintf("snapshot %d is served", i+1), func() bool {
			res, err := c.GetSnapshot(t.Context())
			return err == nil && res.Snapshot.GetSequence() == uint64(i+1)
		})
		swapped = append(swapped, time.Since(begin))
		measure(0)
	}
	stop()
	group.Wait()
	t.Logf("%d listings, from the head to serving it: %s", *swapListings, percentiles(swapped))
	for i, name := range []string{"before and between swaps", "during swaps"} {
		if len(took[i]) > 0 {
			t.Logf("%d requests a second of %d addresses, %s: %s", *swapRate, len(addresses), name, percentiles(took[i]))
		}
	}
	t.Logf("peak memory of the server: %d MiB with the first snapshot, %d MiB after the swaps", whole, peakMemory(t, server.cmd.Process.Pid))
}
