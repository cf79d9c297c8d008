package loader

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

// memory is a store of one snapshot that nobody else publishes to.
type memory struct {
	current  *screen.Snapshot
	verified map[screen.ListID]screen.Verification
}

func newMemory() *memory {
	return &memory{screen.Empty(), map[screen.ListID]screen.Verification{}}
}

func (m *memory) Current(context.Context) (*screen.Snapshot, map[screen.ListID]screen.Verification, error) {
	return m.current, m.verified, nil
}

func (m *memory) Publish(_ context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error) {
	if previous != m.current {
		return nil, screen.ErrConflict
	}
	m.current = next.Named(previous.Sequence+1, time.Now().UTC())
	maps.Copy(m.verified, verified)
	return m.current, nil
}

func (m *memory) Verify(_ context.Context, _ *screen.Snapshot, verified map[screen.ListID]screen.Verification) error {
	maps.Copy(m.verified, verified)
	return nil
}

// sdn writes a small SDN.XML of a date with the given number of addresses.
func sdn(t *testing.T, on time.Time, addresses int) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, `<sdnList><publshInformation><Publish_Date>%s</Publish_Date><Record_Count>1</Record_Count></publshInformation>`+
		`<sdnEntry><uid>1</uid><lastName>Mallory</lastName><sdnType>Entity</sdnType><programList><program>CYBER2</program></programList><idList>`, on.Format("01/02/2006"))
	for i := range addresses {
		fmt.Fprintf(&text, `<id><uid>%d</uid><idType>Digital Currency Address - ETH</idType><idNumber>0x%040x</idNumber></id>`, 100001+i, i+1)
	}
	text.WriteString(`</idList></sdnEntry></sdnList>`)
	file := filepath.Join(t.TempDir(), "sdn.xml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGuard loads what a guard lets through and what it holds.
func TestGuard(t *testing.T) {
	today := time.Now().UTC()
	for _, test := range []struct {
		name string
		on   time.Time
		rows int // of ten before
		held string
	}{
		{name: "grows", on: today, rows: 11},
		{name: "half is gone", on: today, rows: 5},
		{name: "more than half is gone", on: today, rows: 4, held: "6 of 10 rows are gone"},
		// East of Greenwich the day begins earlier than in UTC.
		{name: "of tomorrow", on: today.AddDate(0, 0, 1), rows: 10},
		{name: "of the day after tomorrow", on: today.AddDate(0, 0, 2), rows: 10, held: "in the future"},
		{name: "of another century", on: today.AddDate(100, 0, 0), rows: 11, held: "in the future"},
	} {
		t.Run(test.name, func(t *testing.T) {
			load := func(m *memory, file string, release bool) Report {
				t.Helper()
				reports, err := Run(t.Context(), m, Options{Sources: []Source{{List: "us-ofac-sdn", Location: file}}, Release: release})
				if err != nil || len(reports) != 1 {
					t.Fatalf("%d reports, %v", len(reports), err)
				}
				return reports[0]
			}
			m := newMemory()
			if r := load(m, sdn(t, today.AddDate(0, 0, -10), 10), false); r.Outcome != Published {
				t.Fatalf("the first publication: %s, %v", r.Outcome, r.Err)
			}
			before, file := m.current, sdn(t, test.on, test.rows)
			r := load(m, file, false)
			if test.held == "" {
				if r.Outcome != Published || r.Err != nil {
					t.Errorf("%s, %v; want published", r.Outcome, r.Err)
				}
				return
			}
			if r.Outcome != Held || r.Err == nil || !strings.Contains(r.Err.Error(), test.held) || m.current != before {
				t.Errorf("%s, %v, published %t; want held: %s", r.Outcome, r.Err, m.current != before, test.held)
			}
			if r := load(m, file, true); r.Outcome != Published || m.current == before {
				t.Errorf("released: %s, %v", r.Outcome, r.Err)
			}
			if r := load(m, file, false); r.Outcome != Unchanged {
				t.Errorf("after the release: %s, %v; want unchanged", r.Outcome, r.Err)
			}
		})
	}
}

// TestSameFileAgain reads one file again and again: a publisher's list does not
// stay fresh by that, an operator's own does.
func TestSameFileAgain(t *testing.T) {
	own := filepath.Join(t.TempDir(), "own.csv")
	if err := os.WriteFile(own, []byte("address\n0x1111111111111111111111111111111111111111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := sdn(t, time.Now().UTC(), 10)
	m := newMemory()
	load := func(want Outcome) {
		t.Helper()
		reports, err := Run(t.Context(), m, Options{Sources: []Source{{List: "us-ofac-sdn", Location: file}, {List: "own", Location: own}}})
		if err != nil || len(reports) != 2 || reports[0].Outcome != want || reports[1].Outcome != want {
			t.Fatalf("%v, %v; want %s", reports, err, want)
		}
	}
	written := func(at time.Time) {
		t.Helper()
		for _, f := range []string{file, own} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	written(time.Now().AddDate(-1, 0, 0))
	load(Published)
	first := maps.Clone(m.verified)
	if age := time.Since(first["us-ofac-sdn"].At); age > time.Minute {
		t.Errorf("a year-old file that an operator loads counts as compared %s ago, want now", age)
	}
	hourAgo := time.Now().Add(-time.Hour)
	m.current = m.current.Named(m.current.Sequence, hourAgo)
	m.verified["own"], m.verified["us-ofac-sdn"] = screen.Verification{At: hourAgo}, screen.Verification{At: hourAgo}
	load(Unchanged)
	if at := m.verified["us-ofac-sdn"].At; !at.Equal(hourAgo) {
		t.Errorf("the same file again counts as compared at %s, was %s", at, hourAgo)
	}
	if at := m.verified["own"].At; time.Since(at) > time.Minute {
		t.Error("the operator's own file again does not count")
	}
	since := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Millisecond)
	written(since)
	load(Unchanged)
	if at := m.verified["us-ofac-sdn"].At; !at.Equal(since) {
		t.Errorf("a file written anew counts as compared at %s, want when it was written, %s", at, since)
	}
}
