package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

var at2025 = time.Date(2025, 2, 1, 12, 0, 0, 0, time.UTC)

// stateOf is a state as Redis would hold it.
func stateOf(t testing.TB, s *screen.Snapshot, verified Verified) *State {
	t.Helper()
	stored, err := encodeVerifications(s, verified)
	if err != nil {
		t.Fatal(err)
	}
	return &State{Snapshot: s, Verified: verified, stored: stored}
}

func saved(t *testing.T, day int) (Cache, *State) {
	t.Helper()
	c := Cache{Dir: t.TempDir()}
	s := stateOf(t, merge(t, screen.Empty(), sdn, day, tron, opaque).Named(7, at2025), Verified{
		sdn.ID:    {At: at2025, Source: "a file", Fetched: fetchedOnce, Held: heldBack},
		"another": {Held: heldBack},
	})
	if err := c.Save(s, true); err != nil {
		t.Fatal(err)
	}
	return c, s
}

func wantCached(t *testing.T, c Cache, want *State) {
	t.Helper()
	got, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, got.Snapshot, want.Snapshot)
	wholeContent(t, got.Snapshot)
	wantVerified(t, got.Verified, want.Verified)
}

func TestCache(t *testing.T) {
	if _, err := (Cache{Dir: t.TempDir()}).Load(); err != ErrNoSnapshot {
		t.Errorf("an empty directory: %v", err)
	}
	c, s := saved(t, 1)
	wantCached(t, c, s)
	// Only the freshness is new.
	s = stateOf(t, s.Snapshot, Verified{sdn.ID: {At: at2025.Add(time.Hour), Source: "later"}})
	info, err := os.Stat(c.snapshotFile())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(s, false); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, s)
	if again, err := os.Stat(c.snapshotFile()); err != nil || !os.SameFile(info, again) {
		t.Errorf("the snapshot was written again: %v", err)
	}
	// All is new.
	_, s = saved(t, 2)
	if err := c.Save(s, true); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, s)
	entries, err := os.ReadDir(c.Dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("in the directory: %v, %v", entries, err)
	}
}

func TestCacheOfAnotherPublication(t *testing.T) {
	c, old := saved(t, 1)
	_, next := saved(t, 2)
	// It dies between the two files.
	if err := replace(c.snapshotFile(), func(f *os.File) error { _, err := next.Snapshot.WriteTo(f); return err }); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, &State{Snapshot: next.Snapshot, Verified: Verified{"another": {Held: heldBack}}})
	if err := os.Remove(c.verifiedFile()); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, &State{Snapshot: next.Snapshot})
	if err := c.Save(old, true); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, old)
}

// TestCacheIsReplacedAtOnce: what a server left that died while it wrote does no
// harm, and a write that fails leaves what was there.
func TestCacheIsReplacedAtOnce(t *testing.T) {
	c, s := saved(t, 1)
	for _, file := range []string{c.snapshotFile(), c.verifiedFile()} {
		if err := os.WriteFile(file+".123.tmp", []byte("half of"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	wantCached(t, c, s)
	err := replace(c.snapshotFile(), func(f *os.File) error {
		_, _ = f.WriteString("half of")
		return os.ErrDeadlineExceeded
	})
	if err == nil {
		t.Error("a failed write was not reported")
	}
	wantCached(t, c, s)
	_, next := saved(t, 2)
	if err := c.Save(next, true); err != nil {
		t.Fatal(err)
	}
	wantCached(t, c, next)
}

func TestCacheGarbage(t *testing.T) {
	c, s := saved(t, 1)
	whole, err := os.ReadFile(c.snapshotFile())
	if err != nil {
		t.Fatal(err)
	}
	verified, err := os.ReadFile(c.verifiedFile())
	if err != nil {
		t.Fatal(err)
	}
	want := func(file, name string) {
		t.Helper()
		state, err := c.Load()
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v", name, state, err)
		}
		// Freshness that cannot be read does not cost the snapshot.
		if whole := file == c.verifiedFile(); whole != (state != nil) || whole && (!state.Snapshot.Equal(s.Snapshot) || len(state.Verified) > 0) {
			t.Errorf("%s: %v", name, state)
		}
	}
	write := func(file string, data []byte) {
		t.Helper()
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range whole {
		write(c.snapshotFile(), whole[:n])
		want(c.snapshotFile(), "torn snapshot")
	}
	start := strings.IndexByte(string(whole), '\n')
	for n := start + 1; n < len(whole); n++ {
		spoiled := append([]byte(nil), whole...)
		spoiled[n] ^= 1
		write(c.snapshotFile(), spoiled)
		want(c.snapshotFile(), "corrupt snapshot")
	}
	write(c.snapshotFile(), append(whole[:len(whole):len(whole)], '\n'))
	want(c.snapshotFile(), "snapshot with more")
	write(c.snapshotFile(), whole)
	for n := range verified[:len(verified)-1] { // the line end may be missing
		write(c.verifiedFile(), verified[:n])
		want(c.verifiedFile(), "torn freshness")
	}
	for _, garbage := range []string{"[]", "1", `{"us-ofac-sdn":1}`, `{"us-ofac-sdn":"{"}`, "\xff"} {
		write(c.verifiedFile(), []byte(garbage))
		want(c.verifiedFile(), garbage)
	}
	write(c.verifiedFile(), verified)
	wantCached(t, c, s)
}

func TestCacheWithoutDirectory(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "none")}
	_, s := saved(t, 1)
	if err := c.Save(s, true); err == nil || !strings.Contains(err.Error(), c.Dir) {
		t.Errorf("saving: %v", err)
	}
	if _, err := c.Load(); err == nil || err == ErrNoSnapshot || !strings.Contains(err.Error(), c.Dir) {
		t.Errorf("loading: %v", err)
	}
}
