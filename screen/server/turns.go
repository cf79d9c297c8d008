package server

import (
	"context"
	"runtime"

	"google.golang.org/grpc/status"

	"walletscreen/screen/pace"
)

// largeBatch is from how many addresses on a batch takes a turn, and from how many
// results with matches on its answer does: half a millisecond of work or so.
const largeBatch = 256

// turns are how many large batches are worked on at a time, so that what they hold
// while they are is bounded and calls with a few addresses get through beside them.
// Those that wait hold no more than their requests.
type turns chan struct{}

// newTurns has as many as there are processors.
func newTurns() turns { return make(turns, runtime.GOMAXPROCS(0)) }

// take waits for a turn, which leave gives back.
func (t turns) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (t turns) leave() { <-t }

// step is called by work that has a turn, every few addresses. It rests now and
// then while every processor has such work: else none would look for new calls.
func (t turns) step(p *pace.Pace) {
	if len(t) == cap(t) {
		p.Look()
	}
}
