package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"walletscreen/screen"
)

// A Cache keeps the last good state in files, so that a server starts while
// Redis is down. One server at a time uses a directory.
type Cache struct {
	// Dir is the directory; it must exist.
	Dir string
}

func (c Cache) snapshotFile() string { return filepath.Join(c.Dir, "snapshot.txt") }
func (c Cache) verifiedFile() string { return filepath.Join(c.Dir, "verified.json") }

// Save writes a state. Each file is the old one or the new one, whatever happens.
func (c Cache) Save(s *State, snapshotChanged bool) error {
	if snapshotChanged {
		err := replace(c.snapshotFile(), func(f *os.File) error {
			_, err := s.Snapshot.WriteTo(f)
			return err
		})
		if err != nil {
			return fmt.Errorf("caching %s: %w", s.Snapshot, err)
		}
	}
	// A verification names the publication it is about, so the two files need not
	// change together.
	fields, err := encodeVerifications(s.Snapshot, s.Verified)
	if err != nil {
		return err
	}
	err = replace(c.verifiedFile(), func(f *os.File) error { return json.NewEncoder(f).Encode(fields) })
	if err != nil {
		return fmt.Errorf("caching the freshness of %s: %w", s.Snapshot, err)
	}
	return nil
}

// Load returns the state saved last, verified, or ErrNoSnapshot. A state together
// with an error is one of which some freshness cannot be read, and so is not known.
func (c Cache) Load() (*State, error) {
	data, err := os.ReadFile(c.snapshotFile())
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
	s, err := screen.ReadFile(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.snapshotFile(), err)
	}
	state := &State{Snapshot: s}
	data, err = os.ReadFile(c.verifiedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return state, nil
	}
	fields := map[string]string{}
	if err == nil {
		err = json.Unmarshal(data, &fields)
	}
	if err == nil {
		state.Verified, err = decodeVerifications(s, fields)
	}
	if err != nil {
		return state, fmt.Errorf("reading cached freshness from %s: %w", c.verifiedFile(), err)
	}
	return state, nil
}

// replace writes a file beside the target, then puts it in its place.
func replace(target string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(target), filepath.Base(target)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(target))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
