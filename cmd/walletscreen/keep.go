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

// A keeper is the store of a loader that keeps the snapshot that was published last
// in a file, so that Redis may lose what it has. It is safe for use by many
// goroutines.
type keeper struct {
	loaderStore
	cache *store.Cache // nil if nothing is kept
	log   io.Writer

	mu    sync.Mutex
	saved *screen.Snapshot // what is kept, as far as that is known
	told  bool             // that Redis is behind, or holds nothing
}

var _ loader.Store = (*keeper)(nil)

// Current implements loader.Store: what was kept is published first if Redis holds
// nothing.
func (k *keeper) Current(ctx context.Context) (*screen.Snapshot, store.Verified, error) {
	current, verified, err := k.loaderStore.Current(ctx)
	if err != nil {
		return nil, nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case current.Sequence == 0:
		return k.restore(ctx)
	case k.saved == nil || !behind(current, k.saved):
		k.told = false
	case !k.told:
		k.told = true
		k.say("REDIS WENT BACK: it holds %s, this loader knew %s", current, k.saved)
	}
	return current, verified, nil
}

// behind reports whether a snapshot was current before another: servers that have
// the other would refuse it.
func behind(s, other *screen.Snapshot) bool {
	return s.Sequence <= other.Sequence && s.CreatedAt.Before(other.CreatedAt)
}

// open finds out what is kept.
func (k *keeper) open() {
	if k.cache == nil {
		return
	}
	switch kept, err := k.cache.Load(); {
	case kept != nil:
		k.saved = kept.Snapshot
	case !errors.Is(err, store.ErrNoSnapshot):
		k.say("the kept snapshot cannot be used: %v", err)
	}
}

// restore publishes what is kept, and returns what is current then. An error says
// that Redis holds nothing although there is something to restore.
func (k *keeper) restore(ctx context.Context) (*screen.Snapshot, store.Verified, error) {
	if k.cache != nil {
		kept, err := k.cache.Load()
		switch {
		case kept != nil:
			if err != nil {
				k.say("how fresh the kept lists are is not known: %v", err)
			}
			s, err := k.Publisher.Restore(ctx, kept.Snapshot, kept.Verified)
			if s == nil && !errors.Is(err, screen.ErrConflict) {
				return nil, nil, fmt.Errorf("there is no snapshot in Redis, and the kept %s could not be published: %w", kept.Snapshot, err)
			}
			if s != nil {
				k.say("REDIS HELD NO SNAPSHOT: published the kept %s again, as %s", kept.Snapshot, s)
			}
			return k.loaderStore.Current(ctx) // another loader may have been faster
		case !errors.Is(err, store.ErrNoSnapshot):
			return nil, nil, fmt.Errorf("there is no snapshot in Redis, and the one that was kept cannot be used: %w", err)
		}
	}
	if !k.told {
		k.told = true
		k.say("REDIS HOLDS NO SNAPSHOT: beginning at 1, without history. If it held one before, it was lost; --cache-dir keeps it")
	}
	return k.loaderStore.Current(ctx)
}

// Publish implements loader.Store: what was published is kept.
func (k *keeper) Publish(ctx context.Context, previous, next *screen.Snapshot, verified store.Verified) (*screen.Snapshot, error) {
	published, err := k.loaderStore.Publish(ctx, previous, next, verified)
	if published != nil {
		k.save(ctx)
	}
	return published, err
}

// Verify implements loader.Store: what was recorded is kept.
func (k *keeper) Verify(ctx context.Context, s *screen.Snapshot, verified store.Verified) error {
	err := k.loaderStore.Verify(ctx, s, verified)
	if err == nil {
		k.save(ctx)
	}
	return err
}

// save keeps what is current. A loader that is told to stop still does so.
func (k *keeper) save(ctx context.Context) {
	if k.cache == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	state, err := k.loaderStore.State(ctx)
	if err != nil {
		return // what was kept stays
	}
	current := state.Snapshot
	if current.Sequence == 0 || k.saved != nil && behind(current, k.saved) {
		return // what was kept stays
	}
	same := k.saved != nil && k.saved.Sequence == current.Sequence && k.saved.Equal(current) && k.saved.CreatedAt.Equal(current.CreatedAt)
	if err := k.cache.Save(state, !same); err != nil {
		k.say("%v", err)
		return
	}
	k.saved = current
}

func (k *keeper) say(format string, args ...any) {
	fmt.Fprintf(k.log, "walletscreen load: "+format+"\n", args...)
}
