package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"walletscreen/loader"
	"walletscreen/screen"
	"walletscreen/screen/store"
)

// A keeper is the store of a loader that knows which snapshot was current last, in
// memory and in a file if it has a cache: Redis may lose what it has. It is safe for
// use by many goroutines.
type keeper struct {
	loaderStore
	cache *store.Cache // nil if there is no file
	log   io.Writer

	mu       sync.Mutex
	kept     *store.State     // what was current last; nil if that is not known
	saved    *screen.Snapshot // what the file holds, as far as that is known
	unusable error            // why what the file holds cannot be used
	told     bool             // that Redis holds nothing
}

var _ loader.Store = (*keeper)(nil)

// Current implements loader.Store: what was current last is published first if Redis
// holds nothing, or what was current before.
func (k *keeper) Current(ctx context.Context) (*screen.Snapshot, store.Verified, error) {
	state, err := k.loaderStore.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	current := state.Snapshot
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.kept != nil && (current.Sequence == 0 || behind(current, k.kept.Snapshot)):
		return k.restore(ctx, current)
	case current.Sequence > 0:
		if k.told = false; k.kept == nil || !same(current, k.kept.Snapshot) {
			k.forget(current)
			k.keep(state)
		}
	case k.unusable != nil:
		return nil, nil, fmt.Errorf("there is no snapshot in Redis, and the one that was kept cannot be used (to begin at 1, without its history, empty the --cache-dir): %w", k.unusable)
	case !k.told:
		k.told = true
		k.say("REDIS HOLDS NO SNAPSHOT: beginning at 1, without history. If it held one before, it was lost; --cache-dir keeps it")
	}
	return current, state.Verified, nil
}

// behind reports whether a snapshot was current before another: servers that have
// the other would refuse it.
func behind(s, other *screen.Snapshot) bool {
	return s.Sequence <= other.Sequence && s.CreatedAt.Before(other.CreatedAt)
}

// forget says that what was current last is not in the history of what is current now:
// numbers grow but for a loader that knew nothing of it, and an operator.
func (k *keeper) forget(current *screen.Snapshot) {
	if k.kept == nil || current.Sequence > k.kept.Snapshot.Sequence {
		return
	}
	k.say("REDIS HOLDS %s, published after the kept %s by a loader or an operator without it: its history, and lists that nobody loads, may be lost; give every loader a --cache-dir",
		current, k.kept.Snapshot)
}

// same reports whether two snapshots are one, and have one name.
func same(a, b *screen.Snapshot) bool {
	return a.Sequence == b.Sequence && a.CreatedAt.Equal(b.CreatedAt) && a.Equal(b)
}

// open finds out what the file holds.
func (k *keeper) open() {
	if k.cache == nil {
		return
	}
	switch kept, err := k.cache.Load(); {
	case kept != nil:
		if err != nil {
			k.say("how fresh the kept lists are is not known: %v", err)
		}
		k.kept, k.saved = kept, kept.Snapshot
	case !errors.Is(err, store.ErrNoSnapshot):
		k.say("the kept snapshot cannot be used: %v", err)
		k.unusable = err
	}
}

// restore publishes what was current last in place of current, and returns what is
// current then. An error says that nothing was changed.
func (k *keeper) restore(ctx context.Context, current *screen.Snapshot) (*screen.Snapshot, store.Verified, error) {
	lost := k.kept.Snapshot
	s, err := k.Publisher.Restore(ctx, current, lost, k.kept.Verified)
	switch {
	case s != nil && current.Sequence == 0:
		k.say("REDIS HELD NO SNAPSHOT: published the kept %s again, as %s", lost, s)
	case s != nil:
		k.say("REDIS WENT BACK to %s: published the kept %s again, as %s", current, lost, s)
	case !errors.Is(err, screen.ErrConflict): // another loader may have been faster
		return nil, nil, fmt.Errorf("%s is lost in Redis, and could not be published again: %w", lost, err)
	}
	next, err := k.loaderStore.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	if next.Snapshot.Sequence > 0 && !behind(next.Snapshot, lost) {
		k.forget(next.Snapshot)
		k.keep(next)
	}
	return next.Snapshot, next.Verified, nil
}

// Publish implements loader.Store: what was published is kept.
func (k *keeper) Publish(ctx context.Context, previous, next *screen.Snapshot, verified store.Verified) (*screen.Snapshot, error) {
	published, err := k.loaderStore.Publish(ctx, previous, next, verified)
	if published != nil {
		k.look(ctx)
	}
	return published, err
}

// Verify implements loader.Store: what was recorded is kept.
func (k *keeper) Verify(ctx context.Context, s *screen.Snapshot, verified store.Verified) error {
	err := k.loaderStore.Verify(ctx, s, verified)
	if err == nil {
		k.look(ctx)
	}
	return err
}

// look keeps what is current. A loader that is told to stop still does so.
func (k *keeper) look(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	state, err := k.loaderStore.State(ctx)
	if err != nil || state.Snapshot.Sequence == 0 || k.kept != nil && behind(state.Snapshot, k.kept.Snapshot) {
		return // what was kept stays
	}
	k.keep(state)
}

// keep keeps a state.
func (k *keeper) keep(state *store.State) {
	k.kept, k.unusable = state, nil
	if k.cache == nil {
		return
	}
	if err := k.cache.Save(state, k.saved == nil || !same(k.saved, state.Snapshot)); err != nil {
		k.say("%v", err)
		return
	}
	k.saved = state.Snapshot
}

func (k *keeper) say(format string, args ...any) {
	fmt.Fprintf(k.log, "walletscreen load: "+format+"\n", args...)
}
