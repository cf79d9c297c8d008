package loader

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"walletscreen/loader/document"
	"walletscreen/loader/fetch"
	"walletscreen/loader/ofac"
	"walletscreen/screen"
)

// TestModifiedOfSeveral: a publication of several documents that do not say their
// date is of the day on which the last of them was modified, in whatever order.
func TestModifiedOfSeveral(t *testing.T) {
	o := openOffice(t)
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].parse = func(documents []io.Reader) (*screen.Publication, error) {
		pub, err := ofac.Parse(documents[0])
		if err == nil {
			pub.PublishedOn = 0
		}
		return pub, err
	}
	text := sdnText(time.Now(), 20, 60)
	for path, day := range map[string]int{"/first": 3, "/second": 5} {
		o.set(path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC), strings.NewReader(text))
		})
	}
	for _, locations := range [][]string{{"/first", "/second"}, {"/second", "/first"}} {
		d, err := Read(t.Context(), Source{List: sdn, Documents: []string{o.URL + locations[0], o.URL + locations[1]}}, new(fetch.Fetcher))
		if err != nil || d.Publication.PublishedOn != 20260105 {
			t.Errorf("%q: %+v, %v; want that it is of 2026-01-05", locations, d, err)
		}
	}
}

// TestArchiveRange asks an archive for the publications of some days: both are
// included, no year is asked for in vain, and none before the archive begins.
func TestArchiveRange(t *testing.T) {
	if ofacArchive.since != 2023 {
		t.Errorf("OFAC's archive begins in %d; its first delta files are of 2023", ofacArchive.since)
	}
	o := openOffice(t)
	a := &archive{history: o.URL + "/history/%d", one: o.URL + "/changes/%d", since: 2023}
	days := []string{"2023-12-31", "2024-01-01", "2024-12-31", "2025-01-01"}
	years := map[string][]string{}
	for n, day := range days {
		on, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		years[day[:4]] = append(years[day[:4]], fmt.Sprintf(`{"publicationID":%d,"datePublished":"%sT10:00:00.000"}`, n+1, day))
		o.set(fmt.Sprintf("/changes/%d", n+1), sends(deltaText(on, []int{n + 1}, nil), ""))
	}
	for year, past := range years {
		o.set("/history/"+year, says(http.StatusOK, "["+strings.Join(past, ",")+"]"))
	}
	for _, test := range []struct {
		from, to screen.Date
		days     []string
		years    int
	}{
		{20240101, 20241231, days[1:3], 1},
		{20231231, 20250101, days, 3},
		{20240102, 20241230, nil, 1},
		{20200101, 20231231, days[:1], 1},
		{0, 20240101, days[:2], 2},
		{20250102, 20250102, nil, 1},
	} {
		deltas, err := a.between(t.Context(), &fetch.Fetcher{Tries: 1}, test.from, test.to)
		if err != nil {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
			continue
		}
		var got []string
		for _, d := range deltas {
			got = append(got, d.On().String())
		}
		asked := 0
		for _, path := range o.asked() {
			if strings.HasPrefix(path, "/history/") {
				asked++
			}
		}
		if !slices.Equal(got, test.days) || asked != test.years {
			t.Errorf("%s to %s: %q, %d years asked for; want %q, %d", test.from, test.to, got, asked, test.days, test.years)
		}
	}
}

// TestSpoiledHistory: a document of an archive that breaks off or has a wrong
// checksum says nothing, even if what is read of it ends before that.
func TestSpoiledHistory(t *testing.T) {
	var packed strings.Builder
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, "[]"+strings.Repeat(" ", 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	good := packed.String()
	checksum := len(good) - 8
	for name, test := range map[string]struct {
		text string
		good bool
	}{
		"whole":          {good, true},
		"breaks off":     {good[:checksum], false},
		"wrong checksum": {good[:checksum] + strings.Repeat("x", 4) + good[checksum+4:], false},
	} {
		o := openOffice(t)
		o.set("/history/2026", sends(test.text, ""))
		a := &archive{history: o.URL + "/history/%d", since: 2026}
		if _, err := a.between(t.Context(), &fetch.Fetcher{Tries: 1}, 0, 20260101); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
		err := readDocument(t.Context(), &fetch.Fetcher{Tries: 1}, o.URL+"/history/2026", document.JSON, func(d *document.Document) error {
			_, err := io.ReadFull(d, make([]byte, 2))
			return err
		})
		if (err == nil) != test.good {
			t.Errorf("%s, read in part: %v", name, err)
		}
	}
}

// TestReleasedThenHeld: of two publications the first would pass by its publisher's
// word, the second is held. Nothing was released then.
func TestReleasedThenHeld(t *testing.T) {
	small(t)
	unreachableArchive()
	day := time.Now().UTC().AddDate(0, 0, -5)
	next, last := day.AddDate(0, 0, 1), day.AddDate(0, 0, 2)
	m := newMemory()
	load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
	r := load(t, m, Options{
		Sources: []Source{from(sdn, file(t, sdnText(next, 15, 60))), from(sdn, file(t, sdnText(last, 15, 10)))},
		Deltas:  []Source{from(sdn, file(t, deltaText(next, nil, []int{16, 17, 18, 19, 20})))},
	})
	if r.Outcome != Held || r.Released != "" || r.Held == nil || r.Held.PublishedOn != screen.DateOf(last) {
		t.Errorf("%s, %v, released %q, held %+v; want the second held and nothing released", r.Outcome, r.Err, r.Released, r.Held)
	}
}

// TestHeldWithdrawnUnmodified: a publication is held, and then the publisher says
// that the one which is served did not change. Nothing is held any more.
func TestHeldWithdrawnUnmodified(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	m := newMemory()
	for n, step := range []struct {
		rows int
		etag string
		want Outcome
	}{{20, `"one"`, Published}, {10, `"two"`, Held}, {20, `"one"`, Unchanged}} {
		o.set("/first", sends(sdnText(day.AddDate(0, 0, step.rows%20), step.rows, 60), step.etag))
		r := load(t, m, atPublisher())
		if r.Outcome != step.want || (m.verification(sdn).Held != nil) != (step.want == Held) {
			t.Errorf("step %d: %s, %v, held %+v", n, r.Outcome, r.Err, m.verification(sdn).Held)
		}
		if step.want == Unchanged && r.Size != 0 {
			t.Error("the document came once more")
		}
	}
}

// TestWaiting is told that another loader imports the list, once.
func TestWaiting(t *testing.T) {
	small(t)
	m := newMemory()
	release, _, err := m.Claim(t.Context(), string(sdn))
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	r := load(t, m, Options{
		Sources: []Source{from(sdn, file(t, sdnText(time.Now().UTC(), 20, 60)))},
		Waiting: func(id screen.ListID) {
			if told++; id == sdn {
				release()
			}
		},
	})
	if r.Outcome != Published || told != 1 {
		t.Errorf("%s, %v, told %d times", r.Outcome, r.Err, told)
	}
}
