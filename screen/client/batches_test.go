package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
)

func itself(text string) string { return text }

// Every item is answered once, in order, from no more batches at a time than said.
func TestBatches(t *testing.T) {
	h := start(t, 1, "")
	c := open(t, client.Options{}, h)
	var now, most atomic.Int64
	s := screenerFunc(func(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		return c.ScreenAddresses(ctx, req)
	})
	for _, n := range []int{0, 1, 99, 100, 101, 1000, 12345} {
		at := []int{n / 3, n - 1}
		texts := addresses(n)
		for _, i := range at {
			if n > 0 {
				texts[i] = listed
			}
		}
		var items []string
		var results []*pb.ScreenResult
		taken := 0
		source := func(yield func(string) bool) {
			for _, text := range texts {
				if taken++; taken > len(items)+4*100 {
					t.Fatalf("%d items are taken while %d are answered", taken, len(items))
				}
				if !yield(text) {
					return
				}
			}
		}
		o := client.BatchOptions{Size: 100, Parallel: 3}
		for batch, err := range client.Batches(t.Context(), s, &pb.ScreenAddressesRequest{RequestId: "all"}, source, itself, o) {
			if err != nil {
				t.Fatal(err)
			}
			if batch.First != len(items) || batch.Response.RequestId != "all" {
				t.Fatalf("batch begins at %d, want %d; request id %q", batch.First, len(items), batch.Response.RequestId)
			}
			items = append(items, batch.Items...)
			results = append(results, batch.Response.Results...)
		}
		if !slices.Equal(items, texts) {
			t.Fatalf("%d items come back, want the %d of the source in order", len(items), len(texts))
		}
		if n > 0 {
			wantListed(t, &pb.ScreenAddressesResponse{Results: results}, n, at...)
		}
	}
	if most.Load() > 3 {
		t.Errorf("%d batches at a time, want 3", most.Load())
	}
}

type screenerFunc func(context.Context, *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error)

func (f screenerFunc) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	return f(ctx, req)
}

// What was answered before a batch that fails for good is yielded, and where it broke
// off is where it can be resumed.
func TestBatchesResume(t *testing.T) {
	h := start(t, 1, "")
	c := open(t, client.Options{}, h)
	var broken atomic.Bool
	broken.Store(true)
	texts := addresses(1000, 0, 555, 999)
	h.answers(func(ctx context.Context, req any, next grpc.UnaryHandler) (any, error) {
		if broken.Load() && slices.Contains(req.(*pb.ScreenAddressesRequest).Addresses, texts[600]) {
			return nil, status.Error(codes.FailedPrecondition, "no")
		}
		return next(ctx, req)
	})
	var results []*pb.ScreenResult
	run := func() (failed error) {
		rest := slices.Values(texts[len(results):])
		for batch, err := range client.Batches(t.Context(), c, &pb.ScreenAddressesRequest{}, rest, itself, client.BatchOptions{Size: 70}) {
			if err != nil {
				failed = err
				continue
			}
			results = append(results, batch.Response.Results...)
		}
		return failed
	}
	err := run()
	interrupted, ok := errors.AsType[*client.InterruptedError](err)
	if !ok || interrupted.Answered != 560 || len(results) != 560 || status.Code(err) != codes.FailedPrecondition {
		t.Fatalf("%v after %d results, want FAILED_PRECONDITION after 560", err, len(results))
	}
	if strings.Contains(err.Error(), "0x") {
		t.Errorf("the error holds an address: %v", err)
	}
	broken.Store(false)
	if err := run(); err != nil {
		t.Fatal(err)
	}
	wantListed(t, &pb.ScreenAddressesResponse{Results: results}, 1000, 0, 555, 999)
}

// A job that runs goes on when its only server comes back; one that begins without
// any does not wait, and one that is left stops.
func TestBatchesPatience(t *testing.T) {
	h := start(t, 1, "")
	c := open(t, client.Options{}, h)
	n := 0
	for batch, err := range client.Batches(t.Context(), c, &pb.ScreenAddressesRequest{}, slices.Values(addresses(1000)), itself, client.BatchOptions{Size: 10, Parallel: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		if n += len(batch.Items); n == 500 {
			h.grpc.Stop()
			go func(addr string) {
				<-time.After(1200 * time.Millisecond) // past what a call repeats by itself
				h = start(t, 1, addr)
			}(h.addr)
		}
	}
	if n != 1000 {
		t.Errorf("%d answered, want 1000", n)
	}

	gone := start(t, 1, "")
	gone.grpc.Stop()
	begin := time.Now()
	for _, err := range client.Batches(t.Context(), open(t, client.Options{}, gone), &pb.ScreenAddressesRequest{}, slices.Values(addresses(10)), itself, client.BatchOptions{}) {
		if status.Code(err) != codes.Unavailable || time.Since(begin) > 10*time.Second {
			t.Errorf("%v after %s, want UNAVAILABLE at once", err, time.Since(begin))
		}
	}

	for range client.Batches(t.Context(), c, &pb.ScreenAddressesRequest{}, slices.Values(addresses(1000)), itself, client.BatchOptions{Size: 10}) {
		break
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range client.Batches(ctx, c, &pb.ScreenAddressesRequest{}, slices.Values(addresses(1000)), itself, client.BatchOptions{Size: 10}) {
		if status.Code(err) != codes.Canceled {
			t.Errorf("%v, want CANCELED", err)
		}
	}
}
