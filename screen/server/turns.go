package server

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/status"

	"walletscreen/screen/pace"
)

// largeBatch is from how many addresses on a batch takes a turn, and from how many
// matches on its answer does: half a millisecond of work or so.
const largeBatch = 256

// turns are how many large batches are worked on at a time, so that what they hold
// while they are is bounded and calls with a few addresses get through beside them.
// Those that wait hold no more than their requests. Of the clients that wait each
// gets a turn before one gets another.
type turns struct {
	free atomic.Int64 // changed under mu

	mu sync.Mutex
	// answers are those to be encoded, the oldest first. They go before all batches:
	// they hold more than these, and are begun.
	answers []chan struct{}
	// clients are those that wait, in the order in which they are served; each has
	// at least one batch waiting.
	clients []*waiting
}

// waiting are the batches of one client, the oldest first. Each channel is closed
// when its turn comes.
type waiting struct {
	client  *share
	batches []chan struct{}
}

// newTurns has as many turns as there are processors.
func newTurns() *turns {
	t := &turns{}
	t.free.Store(int64(runtime.GOMAXPROCS(0)))
	return t
}

// take waits for a turn for a batch, which leave gives back. client may be nil, which
// is a client, too.
func (t *turns) take(ctx context.Context, client *share) error {
	t.mu.Lock()
	if t.free.Load() > 0 {
		t.free.Add(-1)
		t.mu.Unlock()
		return nil
	}
	i := slices.IndexFunc(t.clients, func(w *waiting) bool { return w.client == client })
	if i < 0 {
		i = len(t.clients)
		t.clients = append(t.clients, &waiting{client: client})
	}
	w, turn := t.clients[i], make(chan struct{})
	w.batches = append(w.batches, turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-turn: // it came meanwhile
		t.pass()
	default:
		w.batches = slices.DeleteFunc(w.batches, func(c chan struct{}) bool { return c == turn })
		if len(w.batches) == 0 {
			t.clients = slices.DeleteFunc(t.clients, func(o *waiting) bool { return o == w })
		}
	}
	return status.FromContextError(ctx.Err()).Err()
}

// takeFirst waits for a turn that an answer is encoded in. It is never long: no
// batch that is not begun goes before it.
func (t *turns) takeFirst() {
	t.mu.Lock()
	if t.free.Load() > 0 {
		t.free.Add(-1)
		t.mu.Unlock()
		return
	}
	turn := make(chan struct{})
	t.answers = append(t.answers, turn)
	t.mu.Unlock()
	<-turn
}

// leave gives a turn back.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// pass gives a turn to who is next, if anybody waits. t.mu is held.
func (t *turns) pass() {
	if len(t.answers) > 0 {
		close(t.answers[0])
		t.answers = t.answers[1:]
		return
	}
	if len(t.clients) == 0 {
		t.free.Add(1)
		return
	}
	w := t.clients[0]
	t.clients = t.clients[1:]
	close(w.batches[0])
	if w.batches = w.batches[1:]; len(w.batches) > 0 {
		t.clients = append(t.clients, w)
	}
}

// step is called by work that has a turn, every few addresses. It rests now and
// then while every processor has such work: else none would look for new calls.
func (t *turns) step(p *pace.Pace) {
	if t.free.Load() == 0 {
		p.Look()
	}
}
