package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// A Reader loads the current snapshot and follows changes. It never writes.
type Reader struct {
	*namespace

	// Poll is how often the head is looked at in case a notification was missed;
	// 0 means 5 seconds.
	Poll time.Duration
}

// State is what Redis holds for readers at one time. Readers, Publishers and Caches
// make it.
type State struct {
	Snapshot *screen.Snapshot
	Verified Verified
	// Signed is the signature over a statement about the snapshot, none if it is not
	// signed. It was verified if keys were given, and only then.
	Signed signing.Signed

	stored map[string]string // what Verified was read from
}

// NewReader returns a Reader for the given Redis. It does not connect.
func NewReader(o Options) (*Reader, error) {
	n, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Reader{namespace: n}, nil
}

// Close ends the connections.
func (r *Reader) Close() error { return r.c.Close() }

// Load returns the current snapshot, verified, or ErrNoSnapshot. If keys are given,
// one that none of them signed is refused with signing.ErrUntrusted. A state
// together with that error is one with verifications that none of them signed:
// nothing is known of those lists.
func (r *Reader) Load(ctx context.Context) (*State, error) { return r.LoadAfter(ctx, nil) }

// LoadAfter is Load for whoever has a state already, nil for none: what is older
// than that is refused with ErrOlder.
func (r *Reader) LoadAfter(ctx context.Context, have *State) (*State, error) {
	return r.refresh(ctx, have)
}

// refresh returns the current state, taking the snapshot from have when it is
// still the current one. Errors are as with Load.
func (r *Reader) refresh(ctx context.Context, have *State) (*State, error) {
	var known *screen.Snapshot
	if have != nil {
		known = have.Snapshot
	}
	s, found, err := r.current(ctx, known, known)
	if err != nil {
		return nil, err
	}
	state := &State{Snapshot: s, Signed: found.signed, stored: found.verifications}
	if state.Verified, err = decodeVerifications(s, found.verifications); err != nil {
		return nil, refuse(fmt.Errorf("reading %s: %w", r.keys.verified(), err))
	}
	if found.refused != nil {
		err = fmt.Errorf("reading %s: %w", r.keys.verified(), found.refused)
	}
	return state, err
}

// Follow calls changed for every state that differs from the one before, first
// from have (nil for none), until ctx ends; it returns ctx's error. It is told by
// publishers and looks by itself every Poll. failed is called for every attempt
// that failed, with ErrNoSnapshot when Redis holds nothing and with
// signing.ErrUntrusted when something is not signed as it must be; Follow goes on with
// the next, and calls failed with nil when one succeeds again. Both are called
// from one goroutine, never at the same time. Verifications that are not trusted
// are a failure, and the state without them is taken.
func (r *Reader) Follow(ctx context.Context, have *State, changed func(*State), failed func(error)) error {
	poll := r.Poll
	if poll == 0 {
		poll = 5 * time.Second
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	// The driver connects again by itself and subscribes anew. It tells when a
	// subscription begins, and what was published before that is looked for then;
	// what is missed in any other way the ticker finds.
	sub := r.c.Subscribe(ctx, r.keys.changed())
	defer sub.Close()
	messages := sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(poll))
	down := false
	for {
		bounded, cancel := context.WithTimeout(ctx, time.Minute)
		next, err := r.refresh(bounded, have)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && down {
			failed(nil)
		}
		down = err != nil
		if next != nil && (have == nil || next.Snapshot != have.Snapshot || next.Signed != have.Signed || !maps.Equal(next.stored, have.stored)) {
			have = next
			changed(next)
		}
		if err != nil {
			failed(fmt.Errorf("looking for a new snapshot: %w", err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case _, ok := <-messages:
			if !ok {
				messages = nil // closed with the client; the ticker goes on
			}
		}
	}
}
