package loader

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

// deltaText is a delta file of a date that adds and removes addresses of party 1,
// by their numbers as in sdnText.
func deltaText(on time.Time, added, removed []int) string {
	var text strings.Builder
	fmt.Fprintf(&text, `<sanctionsData xmlns="https://www.treasury.gov/ofac/DeltaFile/1.0"><publicationInfo><datePublished>%sT10:00:00-05:00</datePublished>`+
		`<publicationType>Standard Action</publicationType></publicationInfo><entities><entity id="1" action="modify"><features>`, on.Format(time.DateOnly))
	for action, numbers := range map[string][]int{"add": added, "remove": removed} {
		for _, n := range numbers {
			fmt.Fprintf(&text, `<feature id="%d" action="%s"><type featureTypeId="345">Digital Currency Address - ETH</type><value>0x%040x</value></feature>`, n, action, n)
		}
	}
	text.WriteString(`</features></entity></entities></sanctionsData>`)
	return text.String()
}

// keepArchive makes a server the archive of what the SDN list's publications
// changed: the delta file of each date.
func (o *office) keepArchive(deltas map[time.Time]string) {
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].archive = &archive{history: o.URL + "/history/%d", one: o.URL + "/changes/%d", since: time.Now().Year() - 1}
	years := map[int][]string{}
	n := 0
	// The newest first, as publishers like it.
	for _, on := range slices.SortedFunc(maps.Keys(deltas), func(a, b time.Time) int { return b.Compare(a) }) {
		text := deltas[on]
		n++
		years[on.Year()] = append(years[on.Year()], fmt.Sprintf(`{"publicationID":%d,"datePublished":"%sT10:00:00.000"}`, n, on.Format(time.DateOnly)))
		o.set(fmt.Sprintf("/changes/%d", n), sends(text, ""))
	}
	for year := time.Now().Year() - 1; year <= time.Now().Year(); year++ {
		o.set(fmt.Sprintf("/history/%d", year), says(http.StatusOK, "["+strings.Join(years[year], ",")+"]"))
	}
}

// unreachableArchive gives the SDN list an archive that does not answer.
func unreachableArchive() {
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].archive = &archive{history: "http://127.0.0.1:1/%d", one: "http://127.0.0.1:1/%d"}
}

// TestReleasedByPublisher: a quarter of the list is gone, and it passes if the
// publisher's delta files name every row.
func TestReleasedByPublisher(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -5)
	gone := []int{16, 17, 18, 19, 20}
	next, later := day.AddDate(0, 0, 1), day.AddDate(0, 0, 2)
	for _, test := range []struct {
		name    string
		archive map[time.Time]string
		why     string // it is held; "" if it passes
	}{
		{"all named", map[time.Time]string{next: deltaText(next, nil, gone)}, ""},
		{"named in two publications", map[time.Time]string{next: deltaText(next, nil, gone[:2]), later: deltaText(later, []int{99}, gone[2:])}, ""},
		{"the party as a whole", map[time.Time]string{later: strings.Replace(deltaText(later, nil, nil), "modify", "remove", 1)}, ""},
		{"one not named", map[time.Time]string{next: deltaText(next, nil, gone[1:])}, "1 of them are not named"},
		{"nothing published", map[time.Time]string{}, "5 of them are not named"},
		{"named before", map[time.Time]string{day.AddDate(0, 0, -1): deltaText(day.AddDate(0, 0, -1), nil, gone)}, "5 of them are not named"},
		{"added", map[time.Time]string{next: deltaText(next, gone, nil)}, "5 of them are not named"},
		{"added again", map[time.Time]string{later: deltaText(later, gone[:2], nil), next: deltaText(next, nil, gone)}, "2 of them are not named"},
		{"added and removed again", map[time.Time]string{next: deltaText(next, gone, nil), later: deltaText(later, nil, gone)}, ""},
		{"no delta file", map[time.Time]string{next: "<html></html>"}, "not to be had"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := openOffice(t)
			o.set("/first", sends(sdnText(day, 20, 60), ""))
			m := newMemory()
			load(t, m, atPublisher())
			o.keepArchive(test.archive)
			o.set("/first", sends(sdnText(later, 15, 60), ""))
			r := load(t, m, atPublisher())
			if test.why != "" {
				if r.Outcome != Held || !strings.Contains(r.Err.Error(), test.why) || r.Released != "" {
					t.Errorf("%s, %v, released %q; want held: %s", r.Outcome, r.Err, r.Released, test.why)
				}
				return
			}
			if r.Outcome != Published || !strings.Contains(r.Released, "by the publisher") || len(r.Changes[0].Delisted) != 5 {
				t.Errorf("%s, %v, released %q; want published", r.Outcome, r.Err, r.Released)
			}
		})
	}
	t.Run("given by the operator", func(t *testing.T) {
		small(t)
		unreachableArchive()
		m := newMemory()
		load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
		r := load(t, m, Options{
			Sources: []Source{from(sdn, file(t, sdnText(later, 15, 60)))},
			Deltas:  []Source{from(sdn, file(t, deltaText(later, nil, gone)))},
		})
		if r.Outcome != Published || r.Released == "" {
			t.Errorf("%s, %v", r.Outcome, r.Err)
		}
	})
	t.Run("given, and of other days", func(t *testing.T) {
		small(t)
		unreachableArchive()
		for _, on := range []time.Time{day.AddDate(0, 0, -1), later.AddDate(0, 0, 1)} {
			m := newMemory()
			load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
			r := load(t, m, Options{
				Sources: []Source{from(sdn, file(t, sdnText(later, 15, 60)))},
				Deltas:  []Source{from(sdn, file(t, deltaText(on, nil, gone)))},
			})
			if r.Outcome != Held || !strings.Contains(r.Err.Error(), "5 of them are not named") {
				t.Errorf("%s, %v", r.Outcome, r.Err)
			}
		}
	})
	t.Run("a row of years", func(t *testing.T) {
		o := openOffice(t)
		o.set("/first", sends(sdnText(day, 20, 60), ""))
		m := newMemory()
		load(t, m, atPublisher())
		o.keepArchive(map[time.Time]string{later: deltaText(later, nil, []int{7})})
		o.set("/first", sends(sdnText(later, 20, 60, 7), ""))
		if r := load(t, m, atPublisher()); r.Outcome != Published || !strings.Contains(r.Released, "for years") {
			t.Errorf("%s, %v, released %q", r.Outcome, r.Err, r.Released)
		}
	})
	t.Run("not for a mirror", func(t *testing.T) {
		o := openOffice(t)
		o.set("/first", sends(sdnText(day, 20, 60), ""))
		m := newMemory()
		load(t, m, atPublisher())
		o.keepArchive(map[time.Time]string{later: deltaText(later, nil, gone)})
		if r := load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(later, 15, 60)))}}); r.Outcome != Held {
			t.Errorf("%s, %v", r.Outcome, r.Err)
		}
	})
	t.Run("in the history", func(t *testing.T) {
		small(t)
		unreachableArchive()
		m := newMemory()
		load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(later.AddDate(0, 0, 1), 15, 60)))}})
		r := load(t, m, Options{
			Sources:  []Source{from(sdn, file(t, sdnText(later, 15, 55))), from(sdn, file(t, sdnText(day, 20, 60)))},
			Deltas:   []Source{from(sdn, file(t, deltaText(later, nil, gone)))},
			Backfill: true,
		})
		if r.Outcome != Published || r.Released == "" {
			t.Errorf("%s, %v", r.Outcome, r.Err)
		}
	})
	t.Run("not what else is amiss", func(t *testing.T) {
		o := openOffice(t)
		o.set("/first", sends(sdnText(day, 20, 60), ""))
		m := newMemory()
		load(t, m, atPublisher())
		o.keepArchive(map[time.Time]string{later: deltaText(later, nil, []int{5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})})
		o.set("/first", sends(sdnText(later, 4, 60), ""))
		if r := load(t, m, atPublisher()); r.Outcome != Held || !strings.Contains(r.Err.Error(), "fewer than") {
			t.Errorf("%s, %v; want held for too few rows", r.Outcome, r.Err)
		}
	})
}

// TestDated: rows that were listed before the first publication that was loaded get
// the day on which the publisher says that they were added.
func TestDated(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	long := day.AddDate(0, -3, 0)
	o.set("/first", sends(sdnText(day, 20, 60), `"one"`)) // it goes on to say that nothing changed
	o.keepArchive(map[time.Time]string{long: deltaText(long, []int{1, 2}, nil), day: deltaText(day, []int{20}, nil)})
	m := newMemory()
	load(t, m, atPublisher())
	wanted := func(want map[string]screen.Date) {
		t.Helper()
		s := m.current
		for i := range s.Listings() {
			l := &s.Listings()[i]
			since, ok := want[l.Text]
			if !ok {
				since = screen.DateOf(day)
			}
			if from, _ := s.Interval(l); from != since {
				t.Errorf("%s is listed from %s, want %s", l.Text, from, since)
			}
		}
	}
	wanted(nil)
	options := atPublisher()
	options.Deltas = []Source{{List: sdn}}
	r := load(t, m, options)
	if r.Outcome != Published || len(r.Changes) != 2 || len(r.Changes[1].Amended) != 3 {
		t.Fatalf("%s, %v, %+v; want two rows dated", r.Outcome, r.Err, r.Changes)
	}
	wanted(map[string]screen.Date{fmt.Sprintf("0x%040x", 1): screen.DateOf(long), fmt.Sprintf("0x%040x", 2): screen.DateOf(long)})

	// An archive that is not to be had stops no publication.
	o.set("/first", sends(sdnText(day.AddDate(0, 0, 1), 21, 60), ""))
	o.set(fmt.Sprintf("/history/%d", time.Now().Year()), says(http.StatusNotFound, ""))
	if r := load(t, m, options); r.Outcome != Published || r.Err == nil || !strings.Contains(r.Err.Error(), "404") {
		t.Errorf("%s, %v; want published, and the error", r.Outcome, r.Err)
	}
	if r := load(t, m, options); r.Outcome != Failed {
		t.Errorf("%s, %v; want failed, for there was nothing else to do", r.Outcome, r.Err)
	}
	// Only lists of which such files are known have them.
	if _, err := Run(t.Context(), newMemory(), Options{
		Sources: []Source{from("own", file(t, "address\n0x1111111111111111111111111111111111111111\n"))}, Deltas: []Source{from("own", "delta.xml")},
	}); err == nil || !strings.Contains(err.Error(), "nothing is known of files") {
		t.Error(err)
	}
}
