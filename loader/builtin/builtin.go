// Package builtin holds the embedded default snapshot: what a server without a
// store answers from, so that it can be tried out. PROVENANCE.md beside this
// file says what it was made of. It is frozen on the day it was made and must not
// be relied on for compliance.
//
// The command in make makes it anew.
package builtin

import (
	_ "embed"
	"fmt"
	"sync"

	"walletscreen/screen"
)

//go:embed snapshot.txt
var encoded []byte

// Snapshot returns the builtin snapshot. It is decoded and verified once.
var Snapshot = sync.OnceValues(func() (*screen.Snapshot, error) {
	s, err := screen.ReadFile(encoded)
	if err != nil {
		return nil, fmt.Errorf("builtin lists: %w", err)
	}
	return s, nil
})
