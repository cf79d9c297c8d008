package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"walletscreen/screen/signing"
)

// A Cache keeps the last good state in files, so that a server starts while
// Redis is down. One server at a time uses a directory.
type Cache struct {
	// Dir is the directory; it must exist.
	Dir string
	// Namespace and Trusted are those of Options: what is kept was signed, too.
	Namespace string
	Trusted   signing.Keys
}

func (c Cache) snapshotFile() string { return filepath.Join(c.Dir, "snapshot.txt") }
func (c Cache) verifiedFile() string { return filepath.Join(c.Dir, "verified.json") }

// Check reports why nothing can be saved, nil if it can.
func (c Cache) Check() error {
	probe, err := os.CreateTemp(c.Dir, "check-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Save writes a state with its signatures. Each file is the old one or the new one,
// whatever happens.
func (c Cache) Save(s *State, snapshotChanged bool) error {
	if snapshotChanged {
		if err := WriteFile(c.snapshotFile(), s.Snapshot, s.Signed); err != nil {
			return fmt.Errorf("caching %s: %w", s.Snapshot, err)
		}
	}
	// A verification names the publication it is about, so the two files need not
	// change together.
	err := replace(c.verifiedFile(), func(f *os.File) error { return json.NewEncoder(f).Encode(s.stored) })
	if err != nil {
		return fmt.Errorf("caching the freshness of %s: %w", s.Snapshot, err)
	}
	return nil
}

// Load returns the state saved last, verified, or ErrNoSnapshot; or
// signing.ErrUntrusted if there are keys and none of them signed it. A state
// together with an error is one of which some freshness cannot be read or is not
// signed, and so is not known.
func (c Cache) Load() (*State, error) {
	s, signed, err := ReadFile(c.snapshotFile(), c.Namespace, c.Trusted)
	if errors.Is(err, fs.ErrNotExist) {
		// Without its directory nothing will be saved either.
		if _, err := os.Stat(c.Dir); err != nil {
			return nil, fmt.Errorf("reading cached snapshot: %w", err)
		}
		return nil, ErrNoSnapshot
	}
	if err != nil {
		return nil, fmt.Errorf("reading cached snapshot: %w", err)
	}
	state := &State{Snapshot: s, Signed: signed}
	data, err := os.ReadFile(c.verifiedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	fields := map[string]string{}
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err == nil {
		t := trust{name: cmp.Or(c.Namespace, DefaultNamespace), keys: c.Trusted}
		var refused error
		state.stored, refused = t.trustVerifications(fields)
		state.Verified, err = decodeVerifications(s, state.stored)
		err = errors.Join(err, refused)
	}
	if err != nil {
		return state, fmt.Errorf("reading cached freshness from %s: %w", c.verifiedFile(), err)
	}
	return state, nil
}
