package client

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

// Settings of Batches when they are 0.
const (
	// DefaultBatch is how many addresses a request holds: enough that the cost of a
	// call is nothing beside theirs, and few enough that one that is repeated is soon
	// repeated.
	DefaultBatch = 2000
	// DefaultParallel is how many requests are under way at a time.
	DefaultParallel = 4
	// DefaultPatience is how long Batches tries to get a batch screened: long enough
	// for servers to be replaced one after another.
	DefaultPatience = 2 * time.Minute
)

const (
	firstPause = time.Second      // before a batch is tried again
	maxPause   = 15 * time.Second // it doubles up to here
)

// BatchOptions say how Batches works. The zero BatchOptions are recommended.
type BatchOptions struct {
	Size     int           // addresses in a request, at most MaxAddresses; 0 means DefaultBatch
	Parallel int           // requests under way at a time; 0 means DefaultParallel
	Patience time.Duration // how long one batch is tried; 0 means DefaultPatience, less than 0 once only
}

// A Batch is a part of what Batches screens, and its answer.
type Batch[T any] struct {
	// First counts the items before this batch. Whoever keeps First and the number of
	// items of the last batch that was dealt with can resume there, by leaving out so
	// many items of the same source.
	First int
	// Items are what was screened, in order.
	Items []T
	// Response holds one result for each item, and names the snapshot that they come
	// from. Another batch may come from another, unless the request says which.
	Response *pb.ScreenAddressesResponse
}

// An InterruptedError ends Batches before all items were screened.
type InterruptedError struct {
	Answered int   // how many items were, from the first on
	Err      error // of the call that failed; its status is that of this error
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("after the first %d were answered: %v", e.Answered, e.Err)
}

func (e *InterruptedError) Unwrap() error { return e.Err }

// Batches screens any number of items, millions too, and yields the answers batch by
// batch, in the order of the items. text is the address of an item; req is all of the
// requests but the addresses.
//
// It holds no more than Parallel batches at a time: items are taken only as fast as
// answers come and are dealt with. They are taken in the goroutine of the caller.
//
// A batch that fails where trying again can help (no server is ready, a quota is used
// up, no answer in time) is tried again, with pauses that grow or that the server
// asks for. Servers that cannot answer before the first batch was answered are not
// waited for: most likely they are not the ones that were meant. When a batch fails for good, the error is yielded after all batches before
// it, as the last: an *InterruptedError around that of the call. No text of an item is
// in it.
func Batches[T any](ctx context.Context, s Screener, req *pb.ScreenAddressesRequest, items iter.Seq[T], text func(T) string, o BatchOptions) iter.Seq2[*Batch[T], error] {
	if o.Size <= 0 {
		o.Size = DefaultBatch
	}
	o.Size = min(o.Size, MaxAddresses)
	if o.Parallel <= 0 {
		o.Parallel = DefaultParallel
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	type pending struct {
		batch *Batch[T]
		done  chan error // of capacity 1
	}
	return func(yield func(*Batch[T], error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var queue []pending     // under way, in order
		var started atomic.Bool // a batch was answered
		defer func() {
			cancel()
			for _, p := range queue {
				<-p.done // so that nothing goes on behind the caller's back
			}
		}()
		// deliver yields the batch that is next and reports whether to go on.
		deliver := func() bool {
			p := queue[0]
			queue = queue[1:]
			if err := <-p.done; err != nil {
				yield(nil, &InterruptedError{p.batch.First, err})
				return false
			}
			return yield(p.batch, nil)
		}
		// begin screens a batch, when there is room for it, and reports whether to go on.
		begin := func(batch *Batch[T]) bool {
			if len(queue) == o.Parallel && !deliver() {
				return false
			}
			p := pending{batch, make(chan error, 1)}
			queue = append(queue, p)
			part := without(req)
			part.Addresses = make([]string, len(batch.Items))
			for i, item := range batch.Items {
				part.Addresses[i] = text(item)
			}
			go func() {
				var err error
				batch.Response, err = screenPatiently(ctx, s, part, o.Patience, &started)
				p.done <- err
			}()
			return true
		}
		batch := &Batch[T]{}
		for item := range items {
			batch.Items = append(batch.Items, item)
			if len(batch.Items) < o.Size {
				continue
			}
			if !begin(batch) {
				return
			}
			batch = &Batch[T]{First: batch.First + len(batch.Items), Items: make([]T, 0, o.Size)}
		}
		if len(batch.Items) > 0 && !begin(batch) {
			return
		}
		for len(queue) > 0 {
			if !deliver() {
				return
			}
		}
	}
}

// screenPatiently screens one batch, trying again where that can help.
func screenPatiently(ctx context.Context, s Screener, req *pb.ScreenAddressesRequest, patience time.Duration, started *atomic.Bool) (*pb.ScreenAddressesResponse, error) {
	until := time.Now().Add(patience)
	for pause := firstPause; ; pause = min(2*pause, maxPause) {
		res, err := screenBatch(ctx, s, req)
		if err == nil {
			started.Store(true)
			return res, nil
		}
		failed := failure(err)
		unreached := status.Code(err) == codes.Unavailable || status.Code(err) == codes.DeadlineExceeded
		if ctx.Err() != nil || failed.action != Retry || unreached && !started.Load() {
			return nil, err
		}
		wait := max(pause, failed.after)
		if time.Now().Add(wait).After(until) {
			return nil, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}
