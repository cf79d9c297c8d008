package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
)

// stepwise lets a publisher's commands through one at a time, a pipeline being
// one: Redis may serve others between its commands, but what they do is read or
// write one key each that nobody else gives another value.
type stepwise struct {
	ready chan bool // a command waits, or none will come any more (closed)
	grant chan bool // false: the connection is cut
	trace []string  // answers, which are all that the publisher knows of Redis
}

func (h *stepwise) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

var errCut = errors.New("the publisher died")

func (h *stepwise) wait() error {
	h.ready <- true
	if !<-h.grant {
		return errCut
	}
	return nil
}

func (h *stepwise) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if connects(cmd) {
			return next(ctx, cmd)
		}
		if err := h.wait(); err != nil {
			cmd.SetErr(err)
			return err
		}
		err := next(ctx, cmd)
		h.trace = append(h.trace, timeless(cmd.String()))
		return err
	}
}

func (h *stepwise) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, commands []redis.Cmder) error {
		if connects(commands[0]) {
			return next(ctx, commands)
		}
		if err := h.wait(); err != nil {
			for _, cmd := range commands {
				cmd.SetErr(err)
			}
			return err
		}
		err := next(ctx, commands)
		for _, cmd := range commands {
			if cmd.Name() != "hset" { // in the order of a map
				h.trace = append(h.trace, timeless(cmd.String()))
			}
		}
		return err
	}
}

// connects reports whether a command belongs to a new connection: no step.
func connects(cmd redis.Cmder) bool { return cmd.Name() == "hello" || cmd.Name() == "client" }

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

func timeless(s string) string { return times.ReplaceAllString(s, "TIME") }

// A rival is one of two publishers that take their steps in a given order.
type rival struct {
	name string
	act  func(context.Context, *Publisher) (*screen.Snapshot, error)
}

// outcome is where an order of steps led.
type outcome struct {
	state string  // all that decides on what can follow
	more  [2]bool // whether the rival has another step
}

// replay begins with base and has two rivals take steps in the given order, then
// checks what must hold at any time. Wherever it stops both may have died.
func replay(t *testing.T, p place, rivals [2]rival, keep int, order []int) outcome {
	t.Helper()
	ctx := t.Context()
	p.admin.FlushAll(ctx)
	open := func() *Publisher {
		publisher, err := NewPublisher(p.Options)
		if err != nil {
			t.Fatal(err)
		}
		publisher.Keep = keep
		return publisher
	}
	base := open() // also the reader, and the publisher that comes last
	defer base.Close()
	for day := 1; day <= 2; day++ {
		mustPublish(t, base, day, tron, fmt.Sprint(opaque, day))
	}
	first := newest(t, base)
	var steps [2]*stepwise
	type result struct {
		s   *screen.Snapshot
		err error
	}
	var results [2]chan result
	for i := range rivals {
		publisher := open()
		defer publisher.Close()
		h := &stepwise{ready: make(chan bool), grant: make(chan bool)}
		publisher.remember(first, spans(first.Encoding(), cut(first.Encoding())))
		publisher.c.AddHook(h)
		steps[i], results[i] = h, make(chan result, 1)
		go func() {
			s, err := rivals[i].act(ctx, publisher)
			results[i] <- result{s, err}
			close(h.ready)
		}()
	}
	// Each rival is always waiting at its next step, or done.
	var more [2]bool
	for i := range steps {
		_, more[i] = <-steps[i].ready
	}
	for _, i := range order {
		steps[i].grant <- true
		_, more[i] = <-steps[i].ready
	}
	// A reader that knows nothing. What it finds after fewer steps a shorter order tells.
	base.remember(nil, nil)
	head, _, err := base.current(ctx, nil, nil)
	if err != nil {
		t.Fatalf("order %v: %v", order, err)
	}
	wholeContent(t, head)
	told := ""
	for i := range rivals {
		if more[i] {
			continue
		}
		r := <-results[i]
		results[i] <- r
		told += fmt.Sprintf("%s: %v, %v\n", rivals[i].name, r.s, r.err)
		// The other may have retired what is to be rolled back to.
		if r.err != nil && !errors.Is(r.err, screen.ErrConflict) && !errors.Is(r.err, ErrNotKept) && !errors.Is(r.err, errMissing) {
			t.Fatalf("order %v: %s: %v", order, rivals[i].name, r.err)
		}
		if r.err == nil && (r.s == nil || r.s.Sequence > head.Sequence || r.s.Sequence <= first.Sequence) {
			t.Fatalf("order %v: %s published %s while readers see %s", order, rivals[i].name, r.s, head)
		}
	}
	dump := p.dump(t)
	for _, key := range p.names(t) {
		if p.admin.PTTL(ctx, key).Val() > 0 {
			dump[key+" expires"] = "yes"
		}
	}
	// The head is one of those whose commit was done, and each commit was one step on.
	if n := p.admin.XLen(ctx, p.key("changes")).Val(); uint64(n) != head.Sequence {
		t.Fatalf("order %v: head %s after %d commits", order, head, n)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(dump)) {
		fmt.Fprintf(&b, "%s=%s\n", name, timeless(dump[name]))
	}
	fmt.Fprint(&b, told, more)
	for i := range steps {
		fmt.Fprintf(&b, "%d: %q\n", i, steps[i].trace)
	}
	// Whatever died, the next publisher is not hindered, and cleans up.
	published := mustPublish(t, base, 9, evm)
	base.remember(nil, nil)
	if again, _, err := base.current(ctx, nil, nil); err != nil || !again.Equal(published) || again.Sequence != head.Sequence+1 {
		t.Fatalf("order %v: after %s there is %s, %v", order, head, again, err)
	}
	named := map[string]bool{}
	kept, err := base.Kept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kept {
		s, _, err := base.Snapshot(ctx, k.Sequence)
		if err != nil {
			t.Fatalf("order %v: snapshot %d is kept: %v", order, k.Sequence, err)
		}
		for _, piece := range cut(s.Encoding()) {
			named[p.key("piece:"+piece.digest.String())] = true
		}
	}
	for _, key := range p.names(t) {
		if strings.HasPrefix(key, p.key("piece:")) && !named[key] && p.admin.PTTL(ctx, key).Val() < 0 {
			t.Fatalf("order %v: %s is left for good", order, key)
		}
	}
	for i := range steps {
		if more[i] {
			steps[i].die()
		}
		<-results[i]
	}
	sum := sha256.Sum256([]byte(b.String()))
	return outcome{string(sum[:]), more}
}

// die has every further command fail, until the publisher gives up.
func (h *stepwise) die() {
	for {
		h.grant <- false
		if _, more := <-h.ready; !more {
			return
		}
	}
}

// TestInterleavings takes every order of the steps of two publishers. An order in
// which one takes no more steps is that it died; so every crash point of either, and
// of both, is among them. What is the same state, in Redis and in what both
// publishers know, is gone on from once.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	publish := func(name, text string) rival {
		return rival{name, func(ctx context.Context, p *Publisher) (*screen.Snapshot, error) {
			previous := p.last()
			next, _, err := previous.Merge(sdn, &screen.Publication{
				List: sdn.ID, PublishedOn: 20250103, Digest: sha256.Sum256([]byte(text)),
				Parties: []screen.PublishedParty{{UID: "1", Addresses: []screen.PublishedAddress{{Text: text}}}},
			})
			if err != nil {
				return nil, err
			}
			return p.Publish(ctx, previous, next, nil)
		}}
	}
	rollback := rival{"rollback", func(ctx context.Context, p *Publisher) (*screen.Snapshot, error) { return p.Rollback(ctx, 1) }}
	for name, test := range map[string]struct {
		rivals [2]rival
		keep   int
	}{
		"two publish":                   {[2]rival{publish("a", tron), publish("b", evm)}, 1},
		"two publish the same":          {[2]rival{publish("a", tron), publish("b", tron)}, 1},
		"one publishes, one rolls back": {[2]rival{publish("a", tron), rollback}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := startRedis(t)
			type node struct {
				orders float64 // in how many ways it is reached
				order  []int   // one of them
				more   [2]bool
			}
			states, edges, whole := 0, 0, 0.0
			level := map[string]*node{"": {1, nil, [2]bool{true, true}}}
			for len(level) > 0 {
				next := map[string]*node{}
				for _, key := range slices.Sorted(maps.Keys(level)) {
					n := level[key]
					states++
					if !n.more[0] && !n.more[1] {
						whole += n.orders
					}
					for i := range n.more {
						if !n.more[i] {
							continue
						}
						edges++
						order := append(slices.Clone(n.order), i)
						o := replay(t, p, test.rivals, test.keep, order)
						if next[o.state] == nil {
							next[o.state] = &node{0, order, o.more}
						}
						next[o.state].orders += n.orders
					}
				}
				level = next
			}
			t.Logf("%.0f interleavings through %d states and %d steps", whole, states, edges)
			if whole < 1000 {
				t.Errorf("only %.0f interleavings", whole)
			}
		})
	}
}
