package main

import (
	"context"
	"errors"

	"walletscreen/screen"
	"walletscreen/screen/server"
	"walletscreen/screen/signing"
	"walletscreen/screen/store"
)

// keptSnapshots are the snapshots that the store keeps, for the server. The reader
// is set before the server answers.
type keptSnapshots struct{ reader *store.Reader }

func (k *keptSnapshots) Snapshot(ctx context.Context, sequence uint64) (*screen.Snapshot, signing.Signed, error) {
	s, signed, err := k.reader.Snapshot(ctx, sequence)
	if errors.Is(err, store.ErrNotKept) {
		err = server.ErrNotHeld
	}
	return s, signed, err
}

func (k *keptSnapshots) Sequences(ctx context.Context) ([]uint64, error) {
	kept, err := k.reader.Kept(ctx)
	var sequences []uint64
	for _, s := range kept {
		if s.Unreadable == "" {
			sequences = append(sequences, s.Sequence)
		}
	}
	return sequences, err
}
