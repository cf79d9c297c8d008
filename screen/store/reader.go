package store

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
)

// A Reader loads the current snapshot and follows changes. It never writes.
type Reader struct {
	*namespace

	// Poll is how often the head is looked at in case a notification was missed;
	// 0 means 5 seconds.
	Poll time.Duration
}

// State is what Redis holds for readers at one time.
type State struct {
	Snapshot *screen.Snapshot
	Verified Verified
}

// NewReader returns a Reader for the given Redis. It does not connect.
func NewReader(o Options) (*Reader, error) {
	c, k, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Reader{namespace: &namespace{c: c, keys: k}}, nil
}

// Close ends the connections.
func (r *Reader) Close() error { return r.c.Close() }

// Load returns the current snapshot, verified, or ErrNoSnapshot.
func (r *Reader) Load(ctx context.Context) (*State, error) { return r.LoadAfter(ctx, nil) }

// LoadAfter is Load for whoever has a state already, nil for none: what is older
// than that is refused with ErrOlder.
func (r *Reader) LoadAfter(ctx context.Context, have *State) (*State, error) {
	return r.refresh(ctx, have)
}

// refresh returns the current state, taking the snapshot from have when it is
// still the current one.
func (r *Reader) refresh(ctx context.Context, have *State) (*State, error) {
	var known *screen.Snapshot
	if have != nil {
		known = have.Snapshot
	}
	s, fields, err := r.current(ctx, known, known)
	if err != nil {
		return nil, err
	}
	verified, err := decodeVerifications(s, fields)
	if err != nil {
		return nil, refuse(fmt.Errorf("reading %s: %w", r.keys.verified(), err))
	}
	return &State{Snapshot: s, Verified: verified}, nil
}

// Follow calls changed for every state that differs from the one before, first
// from have (nil for none), until ctx ends; it returns ctx's error. It is told by
// publishers and looks by itself every Poll. failed is called for every attempt
// that failed, with ErrNoSnapshot when Redis holds nothing; Follow goes on with
// the next, and calls failed with nil when one succeeds again. Both are called
// from one goroutine, never at the same time.
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
		switch {
		case err != nil:
			failed(fmt.Errorf("looking for a new snapshot: %w", err))
		case have == nil || next.Snapshot != have.Snapshot || !maps.EqualFunc(next.Verified, have.Verified, sameVerification):
			have = next
			changed(next)
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
