package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"walletscreen/screen"
	"walletscreen/screen/store"
)

// A keeper keeps the snapshot that a loader published last in a file, so that
// Redis may lose what it has.
type keeper struct {
	publisher *store.Publisher
	cache     *store.Cache // nil if nothing is kept
	log       io.Writer
	saved     *screen.Snapshot
	newest    uint64 // sequence of what is kept
}

// restore publishes what was kept if Redis holds nothing. What is to be known is
// said, and an error only if Redis holds nothing although there is something to
// restore.
func (k *keeper) restore(ctx context.Context) error {
	current, _, err := k.publisher.Current(ctx)
	if err != nil {
		return nil // the load itself says so, list by list
	}
	var kept *store.State
	if k.cache != nil {
		kept, err = k.cache.Load()
		switch {
		case kept != nil && err != nil:
			k.say("how fresh the kept lists are is not known: %v", err)
		case err != nil && !errors.Is(err, store.ErrNoSnapshot):
			if current.Sequence == 0 {
				return fmt.Errorf("Redis holds no snapshot, and the one that was kept cannot be used: %w", err)
			}
			k.say("the kept snapshot cannot be used: %v", err)
		}
	}
	if kept != nil {
		k.newest = kept.Snapshot.Sequence
	}
	switch {
	case kept != nil && current.Sequence == 0:
		s, err := k.publisher.Restore(ctx, kept.Snapshot, kept.Verified)
		if errors.Is(err, screen.ErrConflict) {
			return nil // another loader was faster
		}
		if s == nil {
			return fmt.Errorf("Redis holds no snapshot, and the kept %s could not be published: %w", kept.Snapshot, err)
		}
		k.say("REDIS HELD NO SNAPSHOT: published the kept %s again, as %s", kept.Snapshot, s)
		return nil
	case kept != nil && current.Sequence < kept.Snapshot.Sequence:
		k.say("REDIS WENT BACK: it holds %s, this loader published %s last", current, kept.Snapshot)
	case current.Sequence == 0:
		k.say("REDIS HOLDS NO SNAPSHOT: beginning at 1, without history. If it held one before, it was lost; --cache-dir keeps it")
	}
	return nil
}

// save keeps what is current.
func (k *keeper) save(ctx context.Context) {
	if k.cache == nil {
		return
	}
	current, verified, err := k.publisher.Current(ctx)
	if err != nil || current.Sequence == 0 || current.Sequence < k.newest {
		return // what was kept stays
	}
	changed := k.saved == nil || k.saved.Sequence != current.Sequence || !k.saved.Equal(current)
	if err := k.cache.Save(&store.State{Snapshot: current, Verified: verified}, changed); err != nil {
		k.say("%v", err)
		return
	}
	k.saved = current
}

func (k *keeper) say(format string, args ...any) {
	fmt.Fprintf(k.log, "walletscreen load: "+format+"\n", args...)
}
