package loader

import (
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"walletscreen/loader/ofac"
	"walletscreen/screen"
)

// rereads has the SDN List read by programs that read but so many rows, for the
// length of a test.
func rereads(t *testing.T) (reads func(rows int)) {
	t.Helper()
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	most := 0
	registry[i].parse = func(documents []io.Reader) (*screen.Publication, error) {
		pub, err := ofac.Parse(documents[0])
		if err == nil {
			pub.Parties[0].Addresses = pub.Parties[0].Addresses[:most]
		}
		return pub, err
	}
	return func(rows int) { most = rows }
}

// TestReread has programs of several versions read one and the same document, of
// which its publisher says that it did not change.
func TestReread(t *testing.T) {
	o := openOffice(t)
	reads := rereads(t)
	o.set("/first", sends(sdnText(time.Now().UTC().AddDate(0, 0, -5), 20, 60), `"one"`))
	m := newMemory()
	for n, step := range []struct {
		version string
		reads   int
		release bool
		dry     bool
		old     bool // it is long since the document was read whole
		want    Outcome
		whole   bool
		rows    int    // that are listed then
		readBy  string // as it is recorded then
	}{
		{version: "v1.0.0", reads: 18, want: Published, whole: true, rows: 18, readBy: "v1.0.0"},
		{version: "v1.0.0", reads: 18, want: Unchanged, rows: 18, readBy: "v1.0.0"},
		{version: "v1.1.0", reads: 20, dry: true, want: Differs, whole: true, rows: 18, readBy: "v1.0.0"},
		{version: "v1.1.0", reads: 20, want: Published, whole: true, rows: 20, readBy: "v1.1.0"},
		{version: "v1.1.0", reads: 20, want: Unchanged, rows: 20, readBy: "v1.1.0"},
		// The older one still runs somewhere.
		{version: "v1.0.0", reads: 18, want: Unchanged, rows: 20, readBy: "v1.1.0"},
		{version: "v1.0.0", reads: 18, old: true, want: Unchanged, whole: true, rows: 20, readBy: "v1.1.0"},
		{version: "v1.2.0", reads: 20, want: Unchanged, whole: true, rows: 20, readBy: "v1.2.0"},
		{version: "v1.2.0", reads: 20, want: Unchanged, rows: 20, readBy: "v1.2.0"},
		// A program that reads but half of it is stopped, for as long as it does.
		{version: "v2.0.0", reads: 10, want: Held, whole: true, rows: 20, readBy: "v1.2.0"},
		{version: "v2.0.0", reads: 10, want: Held, whole: true, rows: 20, readBy: "v1.2.0"},
		{version: "v2.0.0", reads: 10, release: true, want: Published, whole: true, rows: 10, readBy: "v2.0.0"},
		// Of one that does not say its version nothing is known but that it is another.
		{version: "devel", reads: 11, want: Published, whole: true, rows: 11, readBy: "devel"},
		{version: "devel", reads: 11, want: Unchanged, rows: 11, readBy: "devel"},
	} {
		reads(step.reads)
		if step.old {
			v := m.verified[sdn]
			v.Fetched = slices.Clone(v.Fetched)
			v.Fetched[0].At = v.Fetched[0].At.Add(-trustUnmodified - time.Minute)
			m.verified[sdn] = v
		}
		options := atPublisher()
		options.Version, options.Release, options.DryRun = step.version, step.release, step.dry
		r := load(t, m, options)
		list, listed := m.current.List(sdn), 0
		for i := range m.current.Listings() {
			if m.current.Listings()[i].Delisted == 0 {
				listed++
			}
		}
		if r.Outcome != step.want || (r.Size > 0) != step.whole || listed != step.rows || m.verification(sdn).ReadBy != step.readBy {
			t.Errorf("step %d: %s, %v, %d bytes, %d rows, read by %q; want %+v", n, r.Outcome, r.Err, r.Size, listed, m.verification(sdn).ReadBy, step)
		}
		if len(list.Publications) != 1 {
			t.Errorf("step %d: %d publications of one document", n, len(list.Publications))
		}
		reread := len(r.Changes) == 1 && r.Changes[0].Reread
		if want := n > 0 && (step.want == Published || step.want == Differs || step.want == Held); reread != want {
			t.Errorf("step %d: the report says read anew: %t, want %t", n, reread, want)
		}
	}
}

// TestRereadFile reads more out of a file that lies there unchanged: that is no
// comparison with its publisher.
func TestRereadFile(t *testing.T) {
	small(t)
	reads := rereads(t)
	name := file(t, sdnText(time.Now().UTC().AddDate(0, 0, -5), 20, 60))
	written := time.Now().UTC().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(name, written, written); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	options := Options{Sources: []Source{from(sdn, name)}, Version: "v1.0.0"}
	reads(19)
	load(t, m, options)
	at := m.verification(sdn).At
	options.Version = "v1.1.0"
	reads(20)
	if r := load(t, m, options); r.Outcome != Published || !r.Changes[0].Reread {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
	if v := m.verification(sdn); !v.At.Equal(at) || v.ReadBy != "v1.1.0" {
		t.Errorf("compared at %s, was %s; read by %q", v.At, at, v.ReadBy)
	}
}
