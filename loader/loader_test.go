package loader

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"walletscreen/loader/fetch"
	"walletscreen/screen"
)

// memory is a store in memory. The store package's tests hold the real one to the
// same behavior.
type memory struct {
	mu       sync.Mutex
	current  *screen.Snapshot
	verified map[screen.ListID]screen.Verification
	claimed  map[string]bool
	taken    map[screen.Digest]uint64 // publications that an operator took back
}

func newMemory() *memory {
	return &memory{current: screen.Empty(), verified: map[screen.ListID]screen.Verification{}, claimed: map[string]bool{}}
}

func (m *memory) Current(context.Context) (*screen.Snapshot, map[screen.ListID]screen.Verification, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current, maps.Clone(m.verified), nil
}

func (m *memory) Publish(_ context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if previous != m.current {
		return nil, screen.ErrConflict
	}
	m.current = next.Named(previous.Sequence+1, time.Now().UTC())
	maps.Copy(m.verified, verified)
	return m.current, nil
}

func (m *memory) TakenBack(_ context.Context, _, next *screen.Snapshot) ([]screen.TakenBack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []screen.TakenBack
	for i := range next.Lists() {
		l := &next.Lists()[i]
		if from, ok := m.taken[l.Current().Digest]; ok {
			all = append(all, screen.TakenBack{List: l.ID, Publication: *l.Current(), Snapshot: from})
		}
	}
	return all, nil
}

func (m *memory) Verify(_ context.Context, s *screen.Snapshot, verified map[screen.ListID]screen.Verification) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s != m.current {
		return screen.ErrConflict
	}
	maps.Copy(m.verified, verified)
	return nil
}

func (m *memory) Claim(_ context.Context, name string) (func(), bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claimed[name] {
		return nil, false, nil
	}
	m.claimed[name] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.claimed, name)
	}, true, nil
}

// verification returns what is recorded of a list.
func (m *memory) verification(id screen.ListID) screen.Verification {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.verified[id]
}

// sdnText is an SDN.XML of a date: party 1 has the addresses from 1 to n, but those
// left out; entries without addresses fill it up to the given number.
func sdnText(on time.Time, n, entries int, without ...int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `<sdnList><publshInformation><Publish_Date>%s</Publish_Date><Record_Count>%d</Record_Count></publshInformation>`+
		`<sdnEntry><uid>1</uid><lastName>Mallory</lastName><sdnType>Entity</sdnType><programList><program>CYBER2</program></programList><idList>`, on.Format("01/02/2006"), entries)
	for i := 1; i <= n; i++ {
		if !slices.Contains(without, i) {
			fmt.Fprintf(&text, `<id><uid>%d</uid><idType>Digital Currency Address - ETH</idType><idNumber>0x%040x</idNumber></id>`, 100000+i, i)
		}
	}
	text.WriteString(`</idList></sdnEntry>`)
	for i := range entries - 1 {
		fmt.Fprintf(&text, `<sdnEntry><uid>%d</uid><lastName>Party %d</lastName><sdnType>Entity</sdnType></sdnEntry>`, i+2, i+2)
	}
	text.WriteString(`</sdnList>`)
	return text.String()
}

// file writes a file and returns its name.
func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// from is the source of a list in one file or at one URL.
func from(list screen.ListID, location string) Source {
	return Source{List: list, Documents: []string{location}}
}

// load runs one import of one list.
func load(t *testing.T, m Store, o Options) Report {
	t.Helper()
	reports, err := Run(t.Context(), m, o)
	if err != nil || len(reports) != 1 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	return reports[0]
}

// small sets limits of the SDN list for the length of a test that are as those in
// force, but for a list a hundredth of the size.
func small(t *testing.T) {
	t.Helper()
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	before := registry[i]
	t.Cleanup(func() { registry[i] = before })
	registry[i].limits.minRecords /= 100
	registry[i].limits.maxRecords /= 100
	registry[i].limits.minRows /= 100
	registry[i].limits.maxRows /= 100
	registry[i].limits.growthRows /= 100
	registry[i].limits.canaries = []canary{{"1", fmt.Sprintf("0x%040x", 7)}}
	registry[i].archive = nil
}

const sdn screen.ListID = "us-ofac-sdn"

// TestGuard loads what a guard lets through and what it holds, after a publication
// of 20 rows in 60 entries.
func TestGuard(t *testing.T) {
	small(t)
	today := time.Now().UTC()
	for _, test := range []struct {
		name    string
		on      time.Time
		rows    int
		entries int
		without []int
		held    string
	}{
		{name: "grows", on: today, rows: 21, entries: 60},
		{name: "grows by half", on: today, rows: 30, entries: 60},
		{name: "grows by more", on: today, rows: 31, entries: 60, held: "11 rows are new, where 20 stood: more than 50 %"},
		{name: "a tenth is gone", on: today, rows: 18, entries: 60},
		{name: "more than a tenth is gone", on: today, rows: 17, entries: 60, held: "3 of 20 rows are gone, more than 10 %"},
		{name: "the canary is gone", on: today, rows: 20, entries: 60, without: []int{7}, held: "has stood there for years is not there, of party 1"},
		{name: "too few rows", on: today, rows: 4, entries: 60, held: "4 rows, fewer than the 5"},
		{name: "too many rows", on: today, rows: 101, entries: 60, held: "101 rows, more than the 100"},
		{name: "too few entries", on: today, rows: 20, entries: 49, held: "49 entries, fewer than the 50"},
		{name: "too many entries", on: today, rows: 20, entries: 601, held: "601 entries, more than the 600"},
		// East of Greenwich the day begins earlier than in UTC.
		{name: "of tomorrow", on: today.AddDate(0, 0, 1), rows: 20, entries: 60},
		{name: "of the day after tomorrow", on: today.AddDate(0, 0, 2), rows: 20, entries: 60, held: "in the future"},
		{name: "of another century", on: today.AddDate(100, 0, 0), rows: 21, entries: 60, held: "in the future"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			load := func(file string, release bool) Report {
				t.Helper()
				return load(t, m, Options{Sources: []Source{from(sdn, file)}, Release: release})
			}
			if r := load(file(t, sdnText(today.AddDate(0, 0, -10), 20, 60)), false); r.Outcome != Published {
				t.Fatalf("the first publication: %s, %v", r.Outcome, r.Err)
			}
			before, compared, next := m.current, m.verified[sdn].At, file(t, sdnText(test.on, test.rows, test.entries, test.without...))
			r := load(next, false)
			if test.held == "" {
				if r.Outcome != Published || r.Err != nil || r.Held != nil {
					t.Errorf("%s, %v; want published", r.Outcome, r.Err)
				}
				return
			}
			if r.Outcome != Held || r.Err == nil || !strings.Contains(r.Err.Error(), test.held) || m.current != before {
				t.Errorf("%s, %v, published %t; want held: %s", r.Outcome, r.Err, m.current != before, test.held)
			}
			// What is served does not count as compared: it goes stale if nobody decides.
			v := m.verification(sdn)
			if !v.At.Equal(compared) || v.Held == nil || v.Held.PublishedOn != screen.DateOf(test.on) || !strings.Contains(v.Held.Why, test.held) || r.Held == nil {
				t.Errorf("recorded: compared at %s (was %s), held %+v", v.At, compared, v.Held)
			}
			since := v.Held.Since
			if r := load(next, false); r.Outcome != Held || !m.verification(sdn).Held.Since.Equal(since) {
				t.Errorf("again: %s, held since %s, want as before %s", r.Outcome, m.verification(sdn).Held.Since, since)
			}
			if r := load(next, true); r.Outcome != Published || m.current == before || !strings.Contains(r.Released, test.held) || m.verification(sdn).Held != nil {
				t.Errorf("released: %s, %v, %q, still held %v", r.Outcome, r.Err, r.Released, m.verification(sdn).Held)
			}
			if r := load(next, false); r.Outcome != Unchanged {
				t.Errorf("after the release: %s, %v; want unchanged", r.Outcome, r.Err)
			}
		})
	}
}

// TestFirstHeld holds the first publication of a list: there is nothing to go on
// with, and it is not in the snapshot.
func TestFirstHeld(t *testing.T) {
	small(t)
	m := newMemory()
	if r := load(t, m, Options{Sources: []Source{from("own", file(t, "address\n0x1111111111111111111111111111111111111111\n"))}}); r.Outcome != Published {
		t.Fatalf("%s, %v", r.Outcome, r.Err)
	}
	few := file(t, sdnText(time.Now().UTC(), 3, 60))
	if r := load(t, m, Options{Sources: []Source{from(sdn, few)}}); r.Outcome != Held || m.current.List(sdn) != nil {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
	if v := m.verification(sdn); v.Held == nil || !v.At.IsZero() {
		t.Errorf("recorded: %+v", v)
	}
	if r := load(t, m, Options{Sources: []Source{from(sdn, few)}, Release: true}); r.Outcome != Published {
		t.Errorf("released: %s, %v", r.Outcome, r.Err)
	}
}

// TestFirstWithoutCanary holds a first publication in which a row is missing that
// has stood there for years. Released, it is not asked for any more.
func TestFirstWithoutCanary(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	options := Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60, 7)))}}
	if r := load(t, m, options); r.Outcome != Held || !strings.Contains(r.Err.Error(), "for years") {
		t.Errorf("%s, %v; want held", r.Outcome, r.Err)
	}
	options.Release = true
	if r := load(t, m, options); r.Outcome != Published {
		t.Errorf("released: %s, %v", r.Outcome, r.Err)
	}
	if r := load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day.AddDate(0, 0, 1), 21, 60, 7)))}}); r.Outcome != Published {
		t.Errorf("the next: %s, %v", r.Outcome, r.Err)
	}
	// A row that is listed under another symbol is not gone.
	m = newMemory()
	for n, text := range []string{sdnText(day, 20, 60), strings.ReplaceAll(sdnText(day.AddDate(0, 0, 1), 20, 60), "<id><uid>100007</uid><idType>Digital Currency Address - ETH", "<id><uid>100007</uid><idType>Digital Currency Address - USDT")} {
		if r := load(t, m, Options{Sources: []Source{from(sdn, file(t, text))}}); r.Outcome != Published {
			t.Errorf("publication %d: %s, %v", n, r.Outcome, r.Err)
		}
	}
}

// TestIncomplete holds a publication in which something is missing by its own word.
func TestIncomplete(t *testing.T) {
	small(t)
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	parse := registry[i].parse
	registry[i].parse = func(documents []io.Reader) (*screen.Publication, error) {
		pub, err := parse(documents)
		pub.Incomplete = "its second half"
		return pub, err
	}
	if r := load(t, newMemory(), Options{Sources: []Source{from(sdn, file(t, sdnText(time.Now().UTC(), 20, 60)))}}); r.Outcome != Held || !strings.Contains(r.Err.Error(), "its second half") {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestSmallGrowth: of a list of few rows many more are a few.
func TestSmallGrowth(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 7, 60, 1, 2)))}})
	if r := load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day.AddDate(0, 0, 1), 8, 60)))}}); r.Outcome != Published || len(r.Changes[0].Listed) != 3 {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestEmpty: no entries are never a publication, no addresses only of lists that
// are known to have none.
func TestEmpty(t *testing.T) {
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	before := registry[i]
	t.Cleanup(func() { registry[i] = before })
	for _, test := range []struct {
		records  int
		mayBe    bool
		accepted bool
	}{{0, true, false}, {60, true, true}, {60, false, false}} {
		registry[i].limits.mayBeEmpty = test.mayBe
		registry[i].parse = func([]io.Reader) (*screen.Publication, error) { return &screen.Publication{Records: test.records}, nil }
		if _, err := Read(t.Context(), from(sdn, file(t, "<sdnList/>")), new(fetch.Fetcher)); (err == nil) != test.accepted {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestPublishedOn: what says of which date a publication is.
func TestPublishedOn(t *testing.T) {
	const document, operator, today screen.Date = 20250101, 20250202, 20261108
	modified, read := time.Date(2025, 3, 3, 0, 0, 0, 0, time.UTC), today.Time()
	for _, test := range []struct {
		document, operator screen.Date
		modified           time.Time
		fetched            bool
		want               screen.Date // 0 for an error
	}{
		{document, 0, modified, true, document},
		{document, document, modified, true, document},
		{document, operator, modified, true, 0},
		{0, operator, modified, true, operator},
		{0, 0, modified, true, 20250303},
		{0, 0, modified, false, today}, // the time of a file says nothing of its content
		{0, 0, time.Time{}, true, today},
	} {
		if got, err := publishedOn(test.document, test.operator, test.modified, test.fetched, read); got != test.want || (err == nil) != (test.want != 0) {
			t.Errorf("%+v: %s, %v", test, got, err)
		}
	}
}

// TestMetrics observes a list that is held, fails, and is well again.
func TestMetrics(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	for i, step := range []struct {
		report           Report
		held, unexpected float64
		good             bool
	}{
		{Report{List: sdn, Outcome: Held, Source: "x", Size: 3, Unexpected: map[string]int{"a": 1, "b": 2}}, 1, 3, false},
		{Report{List: sdn, Outcome: Failed}, 1, 3, false},
		{Report{List: sdn, Outcome: Unchanged, Source: "x"}, 0, 3, true}, // nothing came
		{Report{List: sdn, Outcome: Published, Source: "x", Size: 3}, 0, 0, true},
	} {
		m.Observe(&step.report)
		held, unexpected, good := testutil.ToFloat64(m.held.WithLabelValues(string(sdn))), testutil.ToFloat64(m.unexpected.WithLabelValues(string(sdn))), testutil.ToFloat64(m.lastGood.WithLabelValues(string(sdn)))
		if held != step.held || unexpected != step.unexpected || (good > 0) != step.good {
			t.Errorf("step %d: held %v, unexpected %v, last good %v", i, held, unexpected, good)
		}
	}
	if n := testutil.ToFloat64(m.bytes.WithLabelValues(string(sdn))); n != 6 {
		t.Errorf("%v bytes", n)
	}
}

// TestHeldWithdrawn: the publisher puts the publication back that is served, so
// nothing is held any more.
func TestHeldWithdrawn(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	good, bad := file(t, sdnText(day, 20, 60)), file(t, sdnText(day.AddDate(0, 0, 1), 12, 60))
	for _, step := range []struct {
		file string
		want Outcome
		held bool
	}{{good, Published, false}, {bad, Held, true}, {good, Unchanged, false}} {
		if r := load(t, m, Options{Sources: []Source{from(sdn, step.file)}}); r.Outcome != step.want || (m.verification(sdn).Held != nil) != step.held {
			t.Errorf("%s, %v, held %v; want %s", r.Outcome, r.Err, m.verification(sdn).Held, step.want)
		}
	}
}

// TestDryRun changes nothing, nor records what it holds.
func TestDryRun(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	first := file(t, sdnText(day, 20, 60))
	if r := load(t, m, Options{Sources: []Source{from(sdn, first)}, DryRun: true}); r.Outcome != Differs || m.current.Sequence != 0 || len(m.verified) > 0 {
		t.Errorf("%s, %v: snapshot %d, verified %v", r.Outcome, r.Err, m.current.Sequence, m.verified)
	}
	load(t, m, Options{Sources: []Source{from(sdn, first)}})
	before, verified := m.current, maps.Clone(m.verified)
	for text, want := range map[string]Outcome{sdnText(day, 20, 60): Unchanged, sdnText(day.AddDate(0, 0, 1), 21, 60): Differs, sdnText(day.AddDate(0, 0, 1), 11, 60): Held} {
		r := load(t, m, Options{Sources: []Source{from(sdn, file(t, text))}, DryRun: true})
		if r.Outcome != want || m.current != before || m.verified[sdn].Held != nil || !m.verified[sdn].At.Equal(verified[sdn].At) {
			t.Errorf("%s, %v; want %s and no change", r.Outcome, r.Err, want)
		}
		if want == Held && (len(r.Changes) != 1 || len(r.Changes[0].Delisted) != 9) {
			t.Errorf("the report of what is held does not show what would change: %+v", r.Changes)
		}
	}
}

// TestRolledBack holds a publication that an operator took back, although no guard
// stops it, until it is released. A dry run says the same, and since when, if that
// is recorded.
func TestRolledBack(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
	good := m.current
	sources := []Source{from(sdn, file(t, sdnText(day.AddDate(0, 0, 1), 21, 60)))}
	load(t, m, Options{Sources: sources})
	bad := m.current.List(sdn).Current().Digest
	m.current, m.taken = good.Named(3, time.Now()), map[screen.Digest]uint64{bad: 2}
	v := m.verified[sdn]
	v.Held = nil
	m.verified[sdn] = v

	wantHeld := func(o Options, recorded bool) Report {
		t.Helper()
		o.Sources = sources
		r := load(t, m, o)
		if r.Outcome != Held || r.Held == nil || r.Held.Digest != bad || r.Held.RolledBack != 2 || r.Held.Listed != 1 || m.current.Sequence != 3 ||
			!strings.Contains(r.Err.Error(), "an operator rolled snapshot 2 back, by snapshot 3: release it if it is right after all") {
			t.Fatalf("%s, %v, held %+v", r.Outcome, r.Err, r.Held)
		}
		if (m.verification(sdn).Held != nil) != recorded {
			t.Fatalf("recorded: %+v", m.verification(sdn).Held)
		}
		return r
	}
	if r := wantHeld(Options{DryRun: true}, false); !r.Held.Since.IsZero() {
		t.Errorf("nothing is held yet, and the dry run says since %s", r.Held.Since)
	}
	since := wantHeld(Options{}, true).Held.Since
	if since.IsZero() {
		t.Error("held since never")
	}
	if r := wantHeld(Options{DryRun: true}, true); !r.Held.Since.Equal(since) {
		t.Errorf("the dry run says held since %s, it is so since %s", r.Held.Since, since)
	}
	r := load(t, m, Options{Sources: sources, Release: true})
	if r.Outcome != Published || r.Released != "by the operator: an operator rolled snapshot 2 back, by snapshot 3" || m.verification(sdn).Held != nil {
		t.Errorf("released: %s, %v, %q, still held %v", r.Outcome, r.Err, r.Released, m.verification(sdn).Held)
	}
}

// TestRolledBackAndGuarded holds a publication for both reasons, and says both; of a
// rollback that is recorded, what it went back to, too.
func TestRolledBackAndGuarded(t *testing.T) {
	small(t)
	m := newMemory()
	day := time.Now().UTC().AddDate(0, 0, -3)
	load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
	good := m.current
	sources := []Source{from(sdn, file(t, sdnText(day.AddDate(0, 0, 1), 15, 60)))}
	if r := load(t, m, Options{Sources: sources, Release: true}); r.Outcome != Published {
		t.Fatalf("%s, %v", r.Outcome, r.Err)
	}
	bad := m.current.List(sdn).Current()
	m.current, m.taken = good.Named(3, time.Now()), map[screen.Digest]uint64{bad.Digest: 2}
	const guard = "; 5 of 20 rows are gone, more than 10 %"
	for recorded, why := range map[string]string{
		"": "an operator rolled snapshot 2 back, by snapshot 3" + guard,
		"an operator rolled snapshot 2 back to 1, by snapshot 3":           "an operator rolled snapshot 2 back to 1, by snapshot 3" + guard,
		"an operator rolled snapshot 2 back to 1, by snapshot 3; and more": "an operator rolled snapshot 2 back to 1, by snapshot 3" + guard,
	} {
		v := m.verified[sdn]
		if v.Held = nil; recorded != "" {
			v.Held = &screen.Held{Since: time.Now(), PublishedOn: bad.PublishedOn, Digest: bad.Digest, Why: recorded, RolledBack: 2}
		}
		m.verified[sdn] = v
		for range 2 {
			r := load(t, m, Options{Sources: sources})
			if held := m.verification(sdn).Held; r.Outcome != Held || held == nil || held.Why != why || held.RolledBack != 2 || held.Delisted != 5 {
				t.Errorf("recorded %q: %s, %v, held %+v", recorded, r.Outcome, r.Err, held)
			}
		}
	}
	r := load(t, m, Options{Sources: sources, Release: true})
	if want := "by the operator: 5 of 20 rows are gone, more than 10 %; by the operator: an operator rolled snapshot 2 back, by snapshot 3"; r.Outcome != Published || r.Released != want {
		t.Errorf("released: %s, %v, %q", r.Outcome, r.Err, r.Released)
	}
}

// TestReconcile reads a second document of each publication.
func TestReconcile(t *testing.T) {
	small(t)
	day := time.Now().UTC().AddDate(0, 0, -3)
	for _, test := range []struct{ name, second, held string }{
		{"the same", sdnText(day, 20, 55), ""},
		{"one row less", sdnText(day, 20, 60, 4), "1 row is in document alone, the first of party 1"},
		{"one row more", sdnText(day, 21, 60), "1 row is in document alone, the first of party 1"},
		{"another date", sdnText(day.AddDate(0, 0, -1), 20, 60), "cannot be reconciled"},
		{"the same document", sdnText(day, 20, 60), "it is the same document"},
		{"a page", "<html><title>Maintenance</title></html>", "cannot be reconciled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			first := file(t, sdnText(day, 20, 60))
			r := load(t, m, Options{Sources: []Source{from(sdn, first)}, Reconcile: []Source{from(sdn, file(t, test.second))}})
			if test.held == "" && r.Outcome != Published || test.held != "" && (r.Outcome != Held || !strings.Contains(r.Err.Error(), test.held)) {
				t.Errorf("%s, %v; want held: %q", r.Outcome, r.Err, test.held)
			}
		})
	}
	if _, err := Run(t.Context(), newMemory(), Options{Sources: []Source{from("own", "own.csv")}, Deltas: []Source{{List: sdn}}}); err == nil {
		t.Error("a delta file of a list that is not loaded is no error")
	}
	own := file(t, "address\n0x1111111111111111111111111111111111111111\n")
	reports, err := Run(t.Context(), newMemory(), Options{
		Sources:   []Source{from(sdn, file(t, sdnText(day, 20, 60))), from("own", own)},
		Reconcile: []Source{from(sdn, file(t, sdnText(day, 20, 55)))},
	})
	if err != nil || reports[0].Outcome != Published || reports[1].Outcome != Published {
		t.Errorf("the second document is of one of two lists: %+v, %v", reports, err)
	}
	if _, err := Run(t.Context(), newMemory(), Options{Sources: []Source{from("own", "own.csv")}, Reconcile: []Source{from(sdn, "sdn.xml")}}); err == nil {
		t.Error("a second document of a list that is not loaded is no error")
	}
}

// TestBackfill loads publications in an order that is not that of their dates.
func TestBackfill(t *testing.T) {
	small(t)
	day := time.Now().UTC().AddDate(0, 0, -10)
	documents := []string{
		file(t, sdnText(day, 20, 60)), file(t, sdnText(day.AddDate(0, 0, 1), 22, 60)), file(t, sdnText(day.AddDate(0, 0, 2), 21, 60)),
	}
	inOrder := newMemory()
	for _, document := range documents {
		if r := load(t, inOrder, Options{Sources: []Source{from(sdn, document)}}); r.Outcome != Published {
			t.Fatalf("%s, %v", r.Outcome, r.Err)
		}
	}
	m := newMemory()
	load(t, m, Options{Sources: []Source{from(sdn, documents[2])}})
	at := m.verification(sdn)
	if r := load(t, m, Options{Sources: []Source{from(sdn, documents[0])}}); r.Outcome != Failed || !strings.Contains(r.Err.Error(), "--backfill") {
		t.Errorf("an older publication: %s, %v; want failed", r.Outcome, r.Err)
	}
	for _, i := range []int{1, 0} {
		if r := load(t, m, Options{Sources: []Source{from(sdn, documents[i])}, Backfill: true}); r.Outcome != Published {
			t.Errorf("backfilling %d: %s, %v", i, r.Outcome, r.Err)
		}
	}
	if m.current.Digest() != inOrder.current.Digest() {
		t.Errorf("backfilled history differs from that in order:\n%s\n%s", m.current.Encoding(), inOrder.current.Encoding())
	}
	if v := m.verification(sdn); !v.At.Equal(at.At) {
		t.Error("history counts as compared with the publisher")
	}
}

// TestBackfillOfOneDate: what an operator puts into the history does not change what
// is listed now, also if it is of the same date.
func TestBackfillOfOneDate(t *testing.T) {
	small(t)
	day := time.Now().UTC().AddDate(0, 0, -10)
	first, second := file(t, sdnText(day, 20, 60)), file(t, sdnText(day, 21, 60))
	inOrder := newMemory()
	if r := load(t, inOrder, Options{Sources: []Source{from(sdn, first), from(sdn, second)}, Backfill: true}); r.Outcome != Published || inOrder.current.List(sdn).Current().Rows != 21 {
		t.Fatalf("both into an empty store: %s, %v", r.Outcome, r.Err)
	}
	m := newMemory()
	load(t, m, Options{Sources: []Source{from(sdn, second)}})
	if r := load(t, m, Options{Sources: []Source{from(sdn, first)}, Backfill: true}); r.Outcome != Published || m.current.Digest() != inOrder.current.Digest() {
		t.Errorf("%s, %v: %d rows are listed now, want 21", r.Outcome, r.Err, m.current.List(sdn).Current().Rows)
	}
	if r := load(t, m, Options{Sources: []Source{from(sdn, second)}, Backfill: true}); r.Outcome != Unchanged {
		t.Errorf("the newest again: %s, %v", r.Outcome, r.Err)
	}
}

// TestSameFileAgain reads one file again and again: a publisher's list does not
// stay fresh by that, an operator's own does.
func TestSameFileAgain(t *testing.T) {
	small(t)
	own := file(t, "address\n0x1111111111111111111111111111111111111111\n")
	list := file(t, sdnText(time.Now().UTC(), 20, 60))
	m := newMemory()
	load := func(want Outcome) {
		t.Helper()
		reports, err := Run(t.Context(), m, Options{Sources: []Source{from(sdn, list), from("own", own)}})
		if err != nil || len(reports) != 2 || reports[0].Outcome != want || reports[1].Outcome != want {
			t.Fatalf("%v, %v; want %s", reports, err, want)
		}
	}
	written := func(at time.Time) {
		t.Helper()
		for _, f := range []string{list, own} {
			if err := os.Chtimes(f, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	written(time.Now().AddDate(-1, 0, 0))
	load(Published)
	first := maps.Clone(m.verified)
	if age := time.Since(first[sdn].At); age > time.Minute {
		t.Errorf("a year-old file that an operator loads counts as compared %s ago, want now", age)
	}
	hourAgo := time.Now().Add(-time.Hour)
	m.current = m.current.Named(m.current.Sequence, hourAgo)
	m.verified["own"], m.verified[sdn] = screen.Verification{At: hourAgo}, screen.Verification{At: hourAgo}
	load(Unchanged)
	if at := m.verified[sdn].At; !at.Equal(hourAgo) {
		t.Errorf("the same file again counts as compared at %s, was %s", at, hourAgo)
	}
	if at := m.verified["own"].At; time.Since(at) > time.Minute {
		t.Error("the operator's own file again does not count")
	}
	written(time.Now().Add(time.Hour))
	load(Unchanged)
	if at := m.verified[sdn].At; !at.Equal(hourAgo) {
		t.Errorf("a file from the future counts as compared at %s, was %s", at, hourAgo)
	}
	since := time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Millisecond)
	written(since)
	load(Unchanged)
	if at := m.verified[sdn].At; !at.Equal(since) {
		t.Errorf("a file written anew counts as compared at %s, want when it was written, %s", at, since)
	}
	written(since.Add(-time.Minute))
	load(Unchanged)
	if at := m.verified[sdn].At; !at.Equal(since) {
		t.Errorf("a file written before the last one counts as compared at %s, was %s", at, since)
	}
}

func TestParseSource(t *testing.T) {
	nov, err := screen.NewDate(2026, 11, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		text string
		want Source
		ok   bool
	}{
		{"us-ofac-sdn", Source{List: sdn}, true},
		{"us-ofac-sdn=sdn.xml", Source{List: sdn, Documents: []string{"sdn.xml"}}, true},
		{"us-ofac-sdn=sdn.csv + sdn_comments.csv", Source{List: sdn, Documents: []string{"sdn.csv", "sdn_comments.csv"}}, true},
		{"us-ofac-sdn@2026-11-04=a.csv + b.csv", Source{sdn, []string{"a.csv", "b.csv"}, nov}, true},
		{"house=https://example.org/a?b=c&d=e+f", Source{List: "house", Documents: []string{"https://example.org/a?b=c&d=e+f"}}, true},
		{"house=-", Source{List: "house", Documents: []string{"-"}}, true},
		{"house=a@b.csv", Source{List: "house", Documents: []string{"a@b.csv"}}, true},
		{text: "us-ofac-sdn@2026-11-04"},
		{text: "us-ofac-sdn@04.11.2026=a.csv"},
		{text: "us-ofac-sdn=a.csv + "},
		{text: "house="},
		{text: "=sdn.xml"},
		{text: ""},
		{text: "sdn.xml"},
		{text: "House=a.csv"},
		{text: "House=http://user:hunter2@example.org/list.csv"},
		{text: "http://user:hunter2@example.org/list.csv?token=hunter2"},
		{text: "http://user:hunter2@example.org/list.csv"},
	} {
		got, err := ParseSource(test.text)
		if (err == nil) != test.ok || test.ok && (got.List != test.want.List || got.PublishedOn != test.want.PublishedOn || !slices.Equal(got.Documents, test.want.Documents)) {
			t.Errorf("ParseSource(%q) = %+v, %v", test.text, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("ParseSource(%q): the error repeats a secret: %v", test.text, err)
		}
	}
}

// TestValidate refuses what is known to be wrong before anything is read.
func TestValidate(t *testing.T) {
	stdin, own := from("house", "-"), from("own", "own.csv")
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"nothing":                {Options{}, "nothing to load"},
		"reconcile another":      {Options{Sources: []Source{own}, Reconcile: []Source{from(sdn, "sdn.xml")}}, "us-ofac-sdn is not among those to load"},
		"delta of another":       {Options{Sources: []Source{own}, Deltas: []Source{from(sdn, "delta.xml")}}, "us-ofac-sdn is not among those to load"},
		"delta of what has none": {Options{Sources: []Source{own}, Deltas: []Source{from("own", "delta.xml")}}, "nothing is known of files"},
		"standard input twice":   {Options{Sources: []Source{stdin, from("own", "-")}}, "standard input"},
		"standard input again":   {Options{Sources: []Source{stdin}, Every: time.Hour}, "standard input"},
		"standard input":         {Options{Sources: []Source{stdin, own}}, ""},
		"delta":                  {Options{Sources: []Source{{List: sdn}}, Deltas: []Source{{List: sdn}}}, ""},
	} {
		if err := test.options.Validate(); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestTimeout says of a list that took too long how long it was given, whatever
// was being done just then.
func TestTimeout(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	if r := load(t, newMemory(), Options{Sources: []Source{from(sdn, silent.URL)}, Timeout: 50 * time.Millisecond}); r.Outcome != Failed || !strings.Contains(r.Err.Error(), "not done after 50ms") {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestUndatedHistory reads a document that does not say its date: it is of today,
// and the history has no use for it.
func TestUndatedHistory(t *testing.T) {
	m := newMemory()
	own := file(t, "address\n0x1111111111111111111111111111111111111111\n")
	if r := load(t, m, Options{Sources: []Source{from("own", own)}, Backfill: true}); r.Outcome != Failed || !strings.Contains(r.Err.Error(), "LIST@DATE") {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
	dated := Source{List: "own", Documents: []string{own}, PublishedOn: 20250226}
	if r := load(t, m, Options{Sources: []Source{dated}, Backfill: true}); r.Outcome != Published {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestTogether joins what several documents say.
func TestTogether(t *testing.T) {
	parse := together(func(r io.Reader) (*screen.Publication, error) {
		text, err := io.ReadAll(r)
		pub := &screen.Publication{PublishedOn: 20250226, Records: 1, Unexpected: map[string]int{"x": 1}}
		switch uid := string(text); uid {
		case "half":
			pub.Incomplete = "its second page"
		case "later":
			pub.PublishedOn++
			fallthrough
		default:
			pub.Parties = []screen.PublishedParty{{UID: uid}}
		}
		return pub, err
	})
	pub, err := parse([]io.Reader{strings.NewReader("later"), strings.NewReader("half"), strings.NewReader("one")})
	if err != nil || pub.PublishedOn != 20250227 || pub.Records != 3 || len(pub.Parties) != 2 || pub.Incomplete != "its second page" || pub.Unexpected["x"] != 3 {
		t.Errorf("%+v, %v", pub, err)
	}
	if _, err := parse([]io.Reader{strings.NewReader("one"), strings.NewReader("one")}); err == nil {
		t.Error("a party that stands in two documents is no error")
	}
}

// TestRegistry holds the table to what the rest of the program relies on.
func TestRegistry(t *testing.T) {
	seen := map[screen.ListID]bool{}
	for _, r := range registry {
		if err := r.ID.Validate(); err != nil || seen[r.ID] {
			t.Errorf("%s: %v, twice: %t", r.ID, err, seen[r.ID])
		}
		seen[r.ID] = true
		if r.Kind == screen.KindUnspecified || r.Kind == screen.KindInternal || r.Authority == "" || r.Name == "" || !strings.HasPrefix(r.URL, "https://") || r.License == "" ||
			r.Poll < time.Minute || r.forms == 0 || r.parse == nil {
			t.Errorf("%s: something is missing: %+v", r.ID, r)
		}
		if r.limits.shrink <= 0 || r.limits.shrink > 0.5 || r.limits.minRecords < 1 {
			t.Errorf("%s: limits %+v guard nothing", r.ID, r.limits)
		}
		if r.Default && len(r.Locations) == 0 {
			t.Errorf("%s is loaded by default and has no address", r.ID)
		}
		for _, documents := range r.Locations {
			for _, location := range documents {
				if !strings.HasPrefix(location, "https://") {
					t.Errorf("%s: %s", r.ID, location)
				}
			}
		}
		if len(r.Locations) == 0 && r.Note == "" {
			t.Errorf("%s: nobody says where it comes from", r.ID)
		}
	}
	for _, u := range uncovered {
		if err := u.ID.Validate(); err != nil || seen[u.ID] || u.Authority == "" || u.Name == "" || u.URL == "" || u.Why == "" {
			t.Errorf("not covered: %+v, %v, known all the same: %t", u, err, seen[u.ID])
		}
		seen[u.ID] = true
	}
}

// TestDocumentation holds docs/loading.md to the registry: a list that is not on the
// page, or another kind of list there, is an error.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/loading.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(text), "`walletscreen lists --known`")
	var want, got []string
	for _, r := range registry {
		standard := "no"
		if r.Default {
			standard = "yes"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", r.ID, r.Kind, standard))
	}
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `") && len(cells) == 6 {
			got = append(got, fmt.Sprintf("|%s|%s|%s|", cells[1], cells[2], cells[3]))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the page has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLoneCSV gives sdn.csv without its comments: an operator learns what is missing.
func TestLoneCSV(t *testing.T) {
	name := file(t, "36,\"AEROCARIBBEAN AIRLINES\",-0- ,\"CUBA\",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- \r\n")
	r := load(t, newMemory(), Options{Sources: []Source{from(sdn, name)}})
	if r.Outcome != Failed || !strings.Contains(r.Err.Error(), "give sdn.csv + sdn_comments.csv") {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}
