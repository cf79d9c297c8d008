package loader

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"walletscreen/loader/fetch"
	"walletscreen/loader/ofac"
	"walletscreen/screen"
)

// An office is a publisher's server with two addresses of its list, /first and
// /second, each of which answers as told at the moment.
type office struct {
	*httptest.Server
	mu       sync.Mutex
	answer   map[string]http.HandlerFunc
	requests []string
}

// openOffice makes a server the publisher of the SDN list.
func openOffice(t *testing.T) *office {
	t.Helper()
	small(t)
	o := &office{answer: map[string]http.HandlerFunc{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.requests = append(o.requests, r.URL.Path)
		answer := o.answer[r.URL.Path]
		o.mu.Unlock()
		if answer == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(o.Close)
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].Locations = [][]string{{o.URL + "/first"}, {o.URL + "/second"}}
	return o
}

func (o *office) set(path string, answer http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer[path] = answer
}

// asked returns the paths that were asked for since the last time.
func (o *office) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := o.requests
	o.requests = nil
	return asked
}

// sends answers with a document, under an ETag if there is one.
func sends(text, etag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
}

// says answers with a status and a body.
func says(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("SDN.XML")
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// atPublisher are the options of a run that asks the publisher and does not wait long.
func atPublisher() Options {
	return Options{
		Sources: []Source{{List: sdn}},
		Fetch:   &fetch.Fetcher{UserAgent: "test", Tries: 3, Wait: time.Millisecond, Idle: time.Second},
	}
}

// TestBadDays loads a good publication, then meets a publisher who has a bad day,
// and then one who is well again. What is served stays what it was until then.
func TestBadDays(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -5)
	good, better := sdnText(day, 20, 60), sdnText(day.AddDate(0, 0, 1), 21, 60)
	archive := zipped(t, better)
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   []string // in the error
	}{
		{"403 with a page", says(http.StatusForbidden, "<html><title>Access Denied</title></html>"), []string{"403 Forbidden", "Access Denied"}},
		{"200 with a page", says(http.StatusOK, "<!DOCTYPE html><html><head><title>Request Rejected</title>"), []string{"HTML page", "Request Rejected"}},
		{"200 with an error in JSON", says(http.StatusOK, `{"status":500,"message":"try later"}`), []string{"JSON"}},
		{"nothing", says(http.StatusOK, ""), []string{"is empty"}},
		{"down", says(http.StatusInternalServerError, ""), []string{"500", "3 tries"}},
		{"cut in the middle of a document", says(http.StatusOK, better[:len(better)/2]), []string{"sdnList"}},
		{"cut in the middle of an archive", says(http.StatusOK, archive[:len(archive)/2]), []string{"zip"}},
		{"damaged archive", says(http.StatusOK, strings.Replace(archive, archive[100:110], "0123456789", 1)), []string{"zip"}},
		{"cut while it comes", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(better)))
			_, _ = io.WriteString(w, better[:1000])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, []string{"broke off"}},
		{"shorter than it says", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(better)+1))
			_, _ = io.WriteString(w, better)
		}, []string{"broke off"}},
		{"length too small", func(w http.ResponseWriter, r *http.Request) {
			// A Go server would not do that of itself.
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(better)-20, better)
		}, []string{"sdnList"}},
		{"older than before", says(http.StatusOK, sdnText(day.AddDate(0, 0, -1), 20, 60)), []string{"superseded"}},
		{"other entries than announced", says(http.StatusOK, strings.Replace(better, "<Record_Count>60<", "<Record_Count>61<", 1)), []string{"Record_Count"}},
		{"no addresses", says(http.StatusOK, sdnText(day.AddDate(0, 0, 1), 0, 60)), []string{"no digital currency addresses in 60 entries"}},
		{"another list", says(http.StatusOK, "<CONSOLIDATED_LIST/>"), []string{"root element <CONSOLIDATED_LIST>"}},
		{"a DOCTYPE", says(http.StatusOK, `<!DOCTYPE x [<!ENTITY a "b">]>`+better), []string{"DOCTYPE"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := openOffice(t)
			o.set("/first", sends(good, ""))
			m := newMemory()
			if r := load(t, m, atPublisher()); r.Outcome != Published || r.Err != nil {
				t.Fatalf("%s, %v", r.Outcome, r.Err)
			}
			before, compared := m.current, m.verification(sdn)
			o.set("/first", test.answer)
			r := load(t, m, atPublisher())
			if r.Outcome != Failed || m.current != before || !m.verification(sdn).At.Equal(compared.At) || m.verification(sdn).Held != nil {
				t.Fatalf("%s, %v; want failed, and nothing changed", r.Outcome, r.Err)
			}
			for _, part := range append(test.want, o.URL+"/first", o.URL+"/second", "404") {
				if !strings.Contains(r.Err.Error(), part) {
					t.Errorf("error %q, want %q in it", r.Err, part)
				}
			}
			// The second of the publisher's addresses helps out.
			o.set("/second", sends(archive, ""))
			if r := load(t, m, atPublisher()); r.Outcome != Published || r.Source != o.URL+"/second" || len(r.Changes) != 1 || len(r.Changes[0].Listed) != 1 {
				t.Errorf("from the second address: %s from %s, %v", r.Outcome, r.Source, r.Err)
			}
			o.set("/second", nil)
			o.set("/first", sends(sdnText(day.AddDate(0, 0, 2), 22, 60), ""))
			if r := load(t, m, atPublisher()); r.Outcome != Published || r.Source != o.URL+"/first" {
				t.Errorf("well again: %s from %s, %v", r.Outcome, r.Source, r.Err)
			}
		})
	}
}

// TestRedirect is OFAC's habit: every request is led to a link that expires.
func TestRedirect(t *testing.T) {
	o := openOffice(t)
	links := 0
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		links++
		link := fmt.Sprintf("/signed/%d", links)
		o.set(link, func(w http.ResponseWriter, r *http.Request) {
			o.set(link, says(http.StatusForbidden, "expired"))
			sends(sdnText(time.Now().UTC().AddDate(0, 0, -1), 20+links, 60), "")(w, r)
		})
		http.Redirect(w, r, link, http.StatusFound)
	})
	m := newMemory()
	for range 3 {
		if r := load(t, m, atPublisher()); r.Outcome != Published || r.Source != o.URL+"/first" {
			t.Fatalf("%s from %s, %v", r.Outcome, r.Source, r.Err)
		}
	}
}

// TestConditional asks the publisher whether there is something new.
func TestConditional(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), `"one"`))
	m := newMemory()
	if r := load(t, m, atPublisher()); r.Outcome != Published || r.Size == 0 {
		t.Fatalf("%s, %v", r.Outcome, r.Err)
	}
	back := func(by time.Duration) {
		v := m.verified[sdn]
		v.At = v.At.Add(-by)
		v.Fetched = slices.Clone(v.Fetched)
		v.Fetched[0].At = v.Fetched[0].At.Add(-by)
		m.verified[sdn] = v
	}
	back(time.Hour)
	before := m.verification(sdn)
	if r := load(t, m, atPublisher()); r.Outcome != Unchanged || r.Size != 0 || r.Source != o.URL+"/first" {
		t.Errorf("nothing new: %s, %d bytes, %v", r.Outcome, r.Size, r.Err)
	}
	after := m.verification(sdn)
	if time.Since(after.At) > time.Minute || !after.Fetched[0].At.Equal(before.Fetched[0].At) {
		t.Errorf("not modified: compared at %s, read whole at %s, was %s", after.At, after.Fetched[0].At, before.Fetched[0].At)
	}

	// A new document under the same ETag, by a server that answers with it.
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		_, _ = io.WriteString(w, sdnText(day, 21, 60))
	})
	if r := load(t, m, atPublisher()); r.Outcome != Published || r.Changes[0].Rows != 20 || len(r.Changes[0].Listed) != 1 {
		t.Errorf("another document under the same ETag and date: %s, %v", r.Outcome, r.Err)
	}

	// A new document under the same ETag, by a server that goes by the ETag: it is
	// found when the document is read whole again.
	o.set("/first", sends(sdnText(day, 22, 60), `"one"`))
	if r := load(t, m, atPublisher()); r.Outcome != Unchanged {
		t.Errorf("%s, %v; want unchanged, for so the server says", r.Outcome, r.Err)
	}
	back(-time.Hour)
	if r := load(t, m, atPublisher()); r.Outcome != Published || len(r.Changes[0].Listed) != 1 {
		t.Errorf("read in the future: %s, %v; want published", r.Outcome, r.Err)
	}
	o.set("/first", sends(sdnText(day, 23, 60), `"one"`))
	back(trustUnmodified + time.Minute)
	if r := load(t, m, atPublisher()); r.Outcome != Published || len(r.Changes[0].Listed) != 1 {
		t.Errorf("after a day: %s, %v; want published", r.Outcome, r.Err)
	}

	// What was fetched elsewhere says nothing of this address.
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" {
			t.Error("asked with a validator of another address")
		}
		sends(sdnText(day, 24, 60), `"one"`)(w, r)
	})
	v := m.verified[sdn]
	v.Fetched = slices.Clone(v.Fetched)
	v.Fetched[0].URL = o.URL + "/second#0"
	m.verified[sdn] = v
	if r := load(t, m, atPublisher()); r.Outcome != Published {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestOneOfTwo: a publication was made up of what the publisher offers and of
// another document. What its server says of the one says nothing of the two.
func TestOneOfTwo(t *testing.T) {
	o := openOffice(t)
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].parse = func(documents []io.Reader) (*screen.Publication, error) { return ofac.Parse(documents[0]) }
	day := time.Now().UTC().AddDate(0, 0, -5)
	text := sdnText(day, 20, 60)
	o.set("/first", sends(text, `"one"`))
	m := newMemory()
	other := file(t, sdnText(day, 21, 60))
	load(t, m, Options{Sources: []Source{{List: sdn, Documents: []string{other, o.URL + "/first"}}}})
	if f := m.verification(sdn).Fetched; len(f) != 1 || f[0].Digest != sha256.Sum256([]byte(text)) {
		t.Errorf("recorded of the document that was fetched: %+v", f)
	}
	if r := load(t, m, atPublisher()); r.Outcome != Published || m.current.List(sdn).Current().Rows != 20 {
		t.Errorf("%s, %v; want the publisher's alone", r.Outcome, r.Err)
	}
}

// TestOneMore: a second document joins the one of which the server says that it did
// not change.
func TestOneMore(t *testing.T) {
	o := openOffice(t)
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	registry[i].parse = func(documents []io.Reader) (*screen.Publication, error) {
		return ofac.Parse(documents[len(documents)-1])
	}
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), `"one"`))
	m := newMemory()
	load(t, m, atPublisher())
	more := Options{Sources: []Source{{List: sdn, Documents: []string{o.URL + "/first", file(t, sdnText(day, 21, 60))}}}}
	if r := load(t, m, more); r.Outcome != Published || m.current.List(sdn).Current().Digest == sha256.Sum256([]byte(sdnText(day, 21, 60))) {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestOlderFirst: one address of the publisher is behind the other.
func TestOlderFirst(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), ""))
	m := newMemory()
	load(t, m, atPublisher())
	o.set("/first", sends(sdnText(day.AddDate(0, 0, -1), 19, 60), ""))
	o.set("/second", sends(sdnText(day, 20, 60), ""))
	if r := load(t, m, atPublisher()); r.Outcome != Unchanged || r.Source != o.URL+"/second" {
		t.Errorf("%s from %s, %v; want unchanged from the second", r.Outcome, r.Source, r.Err)
	}
}

// TestUnreadableFirst: what one address of the publisher offers cannot be read, and
// may be news. That another has nothing new does not make the list fresh.
func TestUnreadableFirst(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -5)
	good, unreadable := sdnText(day, 20, 60), strings.Replace(sdnText(day.AddDate(0, 0, 1), 21, 60), "<sdnEntry><uid>1<", "<sdnEntry><uid><new/>1<", 1)
	page := says(http.StatusForbidden, "<title>Access Denied</title>")
	for _, test := range []struct {
		name          string
		first, second http.HandlerFunc
		want          Outcome
		passedOver    string
	}{
		{"the second has the same", sends(unreadable, ""), sends(good, ""), Failed, ""},
		{"the second says that nothing changed", sends(unreadable, ""), sends(good, `"one"`), Failed, ""},
		{"the second has more", sends(unreadable, ""), sends(sdnText(day.AddDate(0, 0, 1), 21, 60), ""), Published, "/first: ofac"},
		{"the first is not to be had", page, sends(good, ""), Unchanged, "Access Denied"},
		{"the first is not to be had, the second says that nothing changed", page, sends(good, `"one"`), Unchanged, "Access Denied"},
		{"all is well", sends(good, ""), nil, Unchanged, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := openOffice(t)
			o.set("/first", page)
			o.set("/second", sends(good, `"one"`))
			m := newMemory()
			if r := load(t, m, atPublisher()); r.Outcome != Published {
				t.Fatalf("%s, %v", r.Outcome, r.Err)
			}
			v := m.verified[sdn]
			v.At = v.At.Add(-time.Hour)
			m.verified[sdn] = v
			o.set("/first", test.first)
			o.set("/second", test.second)
			r := load(t, m, atPublisher())
			if r.Outcome != test.want || m.verification(sdn).At.After(v.At) != (test.want != Failed) {
				t.Errorf("%s, %v, compared at %s; want %s", r.Outcome, r.Err, m.verification(sdn).At, test.want)
			}
			if (r.PassedOver != nil) != (test.passedOver != "") || r.PassedOver != nil && !strings.Contains(r.PassedOver.Error(), test.passedOver) {
				t.Errorf("passed over: %v; want %q", r.PassedOver, test.passedOver)
			}
		})
	}
}

// TestSecondOfOneDate: while the first address is not to be had, the second offers
// another document of the date of the one that is served.
func TestSecondOfOneDate(t *testing.T) {
	day := time.Now().UTC().AddDate(0, 0, -5)
	for _, test := range []struct {
		name, second string
		want         Outcome
	}{
		{"with a row less", sdnText(day, 20, 60, 4), Held},
		{"with a row more and one less", sdnText(day, 21, 60, 4), Held},
		{"with a row more", sdnText(day, 21, 60), Published},
		{"under another symbol", strings.Replace(sdnText(day, 20, 60), "- ETH", "- USDT", 1), Published},
		{"of the next day, with a row less", sdnText(day.AddDate(0, 0, 1), 20, 60, 4), Published},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := openOffice(t)
			o.set("/first", sends(sdnText(day, 20, 60), ""))
			m := newMemory()
			load(t, m, atPublisher())
			o.set("/first", nil)
			o.set("/second", sends(test.second, ""))
			r := load(t, m, atPublisher())
			if r.Outcome != test.want || test.want == Held && !strings.Contains(r.Err.Error(), "it may be the older one") {
				t.Errorf("%s, %v; want %s", r.Outcome, r.Err, test.want)
			}
			if test.want == Published {
				// What follows at one address is newer.
				o.set("/second", sends(sdnText(day.AddDate(0, 0, 1), 20, 60, 5), ""))
				load(t, m, atPublisher())
				o.set("/second", sends(sdnText(day.AddDate(0, 0, 1), 19, 60, 5), ""))
				if r := load(t, m, atPublisher()); r.Outcome != Published {
					t.Errorf("from the second again: %s, %v; want published", r.Outcome, r.Err)
				}
				return
			}
			// From the first it is a correction.
			o.set("/first", sends(test.second, ""))
			if r := load(t, m, atPublisher()); r.Outcome != Published {
				t.Errorf("from the first: %s, %v; want published", r.Outcome, r.Err)
			}
		})
	}
}

// TestSideBySide: a list whose publisher does not answer does not keep another
// from being published.
func TestSideBySide(t *testing.T) {
	o := openOffice(t)
	published := make(chan struct{})
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-published:
			sends(sdnText(time.Now().UTC(), 20, 60), "")(w, r)
		case <-time.After(30 * time.Second):
			t.Error("the other list was not published")
		}
	})
	o.set("/own.csv", sends("address\n0x1111111111111111111111111111111111111111\n", ""))
	m := &signaling{memory: newMemory(), published: published}
	options := atPublisher()
	options.Sources = append(options.Sources, from("own", o.URL+"/own.csv"))
	options.Fetch.Idle = time.Minute
	reports, err := Run(t.Context(), m, options)
	if err != nil || len(reports) != 2 || reports[0].Outcome != Published || reports[1].Outcome != Published {
		t.Errorf("%+v, %v", reports, err)
	}
	if len(m.current.Lists()) != 2 {
		t.Errorf("%d lists", len(m.current.Lists()))
	}
}

// signaling is a memory that tells of its first Publish.
type signaling struct {
	*memory
	once      sync.Once
	published chan struct{}
}

func (s *signaling) Publish(ctx context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error) {
	defer s.once.Do(func() { close(s.published) })
	return s.memory.Publish(ctx, previous, next, verified)
}

// TestPanic: a defect of one list's parser stops no other list, and the list can be
// imported again. Its error tells where, and nothing of the document.
func TestPanic(t *testing.T) {
	o := openOffice(t)
	o.set("/first", sends(sdnText(time.Now().UTC().AddDate(0, 0, -1), 20, 60), ""))
	i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == sdn })
	well := registry[i].parse
	registry[i].parse = func([]io.Reader) (*screen.Publication, error) { panic("0x1111") }
	m := newMemory()
	options := atPublisher()
	options.Sources = append(options.Sources, from("own", file(t, "address\n0x1111111111111111111111111111111111111111\n")))
	reports, err := Run(t.Context(), m, options)
	if err != nil || reports[0].Outcome != Failed || reports[1].Outcome != Published {
		t.Fatalf("%+v, %v", reports, err)
	}
	if text := reports[0].Err.Error(); !strings.Contains(text, "TestPanic") || strings.Contains(text, "0x1111") {
		t.Error(text)
	}
	registry[i].parse = well
	if r := load(t, m, atPublisher()); r.Outcome != Published {
		t.Errorf("afterwards: %s, %v", r.Outcome, r.Err)
	}
}

// TestSingleFlight runs many loaders on one store at once: the publisher is asked
// by one of them.
func TestSingleFlight(t *testing.T) {
	o := openOffice(t)
	m := newMemory()
	ready := make(chan struct{})
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		<-ready
		sends(sdnText(time.Now().UTC(), 20, 60), "")(w, r)
	})
	const loaders = 5
	outcomes := make(chan Outcome, loaders)
	for range loaders {
		go func() {
			reports, err := Run(t.Context(), m, atPublisher())
			if err != nil {
				t.Error(err)
			}
			outcomes <- reports[0].Outcome
		}()
	}
	close(ready)
	got := map[Outcome]int{}
	for range loaders {
		got[<-outcomes]++
	}
	// One that begins after another ended asks for itself.
	if asked := len(o.asked()); asked > got[Published]+got[Unchanged] || got[Published] != 1 || got[Failed] > 0 || asked == loaders {
		t.Errorf("outcomes %v, the publisher was asked %d times", got, asked)
	}
}

// crowded is a memory that others publish to: before each of its first changes
// something happens.
type crowded struct {
	*memory
	before []func()
}

func (c *crowded) happens() {
	if len(c.before) > 0 {
		first := c.before[0]
		c.before = c.before[1:]
		first()
	}
}

func (c *crowded) Publish(ctx context.Context, previous, next *screen.Snapshot, verified map[screen.ListID]screen.Verification) (*screen.Snapshot, error) {
	c.happens()
	return c.memory.Publish(ctx, previous, next, verified)
}

func (c *crowded) Verify(ctx context.Context, s *screen.Snapshot, verified map[screen.ListID]screen.Verification) error {
	c.happens()
	return c.memory.Verify(ctx, s, verified)
}

// TestCrowded: another list, or this one, is published between the look at the
// current snapshot and the change of it.
func TestCrowded(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	other := func(m *memory) func() {
		return func() {
			m.current, _, _ = m.current.Merge(screen.List{ID: "other", Kind: screen.KindInternal}, &screen.Publication{
				List: "other", PublishedOn: screen.DateOf(day), Digest: screen.Digest{byte(m.current.Sequence), 1},
				Parties: []screen.PublishedParty{{UID: "1", Addresses: []screen.PublishedAddress{{Text: fmt.Sprint(m.current.Sequence)}}}},
			})
			m.current = m.current.Named(100+m.current.Sequence, time.Now())
		}
	}
	newer := func(m *memory) func() {
		return func() {
			if r := load(t, unclaimed{m}, Options{Sources: []Source{from(sdn, file(t, sdnText(day.AddDate(0, 0, 2), 21, 60)))}}); r.Outcome != Published {
				t.Errorf("the other loader: %s, %v", r.Outcome, r.Err)
			}
		}
	}
	for _, test := range []struct {
		name, next, etag string
		meanwhile        func(*memory) func()
		want             Outcome
	}{
		{"another list, before it is published", sdnText(day.AddDate(0, 0, 1), 21, 60), "", other, Published},
		{"another list, before it is recorded as unchanged", sdnText(day, 20, 60), "", other, Unchanged},
		{"another list, before it is recorded as not modified", sdnText(day, 20, 60), `"one"`, other, Unchanged},
		{"another list, before it is recorded as held", sdnText(day.AddDate(0, 0, 1), 12, 60), "", other, Held},
		{"the list, before it is published", sdnText(day.AddDate(0, 0, 1), 20, 61), "", newer, Failed},
		{"the list, before it is recorded as unchanged", sdnText(day, 20, 60), "", newer, Failed},
		{"the list, before it is recorded as not modified", sdnText(day, 20, 60), `"one"`, newer, Failed},
		{"the list, before it is recorded as held", sdnText(day.AddDate(0, 0, 1), 12, 60), "", newer, Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMemory()
			o.set("/first", sends(sdnText(day, 20, 60), `"one"`))
			load(t, m, atPublisher())
			v := m.verified[sdn]
			v.At = v.At.Add(-time.Hour)
			v.Held = &screen.Held{Why: "as the last time"}
			m.verified[sdn] = v
			o.set("/first", sends(test.next, test.etag))
			r := load(t, &crowded{m, []func(){test.meanwhile(m), test.meanwhile(m)}[:1]}, atPublisher())
			if r.Outcome != test.want {
				t.Errorf("%s, %v; want %s", r.Outcome, r.Err, test.want)
			}
			after := m.verification(sdn)
			switch test.want {
			case Failed:
				if m.current.List(sdn).Current().PublishedOn != screen.DateOf(day.AddDate(0, 0, 2)) {
					t.Error("what the other loader published is gone")
				}
			case Held:
				if !after.At.Equal(v.At) || after.Held == nil || after.Held.Listed+after.Held.Delisted != 8 {
					t.Errorf("recorded: %+v", after)
				}
			default:
				if !after.At.After(v.At) || after.Held != nil {
					t.Errorf("recorded: %+v", after)
				}
			}
		})
	}
}

// unclaimed is a memory in which claims are lost at once.
type unclaimed struct{ *memory }

func (unclaimed) Claim(context.Context, string) (func(), bool, error) { return func() {}, true, nil }

// TestOvertaken: while one loader reads a document, another loader publishes a newer
// one of the same date. The older does not become the newest.
func TestOvertaken(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	m := unclaimed{newMemory()}
	o.set("/first", func(w http.ResponseWriter, r *http.Request) {
		o.set("/first", sends(sdnText(day, 21, 60), ""))
		if r := load(t, m, atPublisher()); r.Outcome != Published {
			t.Errorf("the faster: %s, %v", r.Outcome, r.Err)
		}
		sends(sdnText(day, 20, 60), "")(w, r)
	})
	if r := load(t, m, atPublisher()); r.Outcome != Failed || !strings.Contains(r.Err.Error(), "meanwhile") {
		t.Errorf("the slower: %s, %v; want failed", r.Outcome, r.Err)
	}
	if rows := m.current.List(sdn).Current().Rows; rows != 21 {
		t.Errorf("%d rows are served, want the newer 21", rows)
	}
	if r := load(t, m, atPublisher()); r.Outcome != Unchanged {
		t.Errorf("afterwards: %s, %v", r.Outcome, r.Err)
	}
}

// TestDue: a loader that stays does not ask a publisher more often than it should.
func TestDue(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), ""))
	m := newMemory()
	staying := atPublisher()
	staying.Every = time.Second
	age := func(by time.Duration) {
		v := m.verified[sdn]
		v.At = time.Now().Add(-by)
		m.verified[sdn] = v
	}
	for _, step := range []struct {
		age   time.Duration
		every time.Duration
		want  Outcome
	}{
		{0, time.Second, Published},
		{time.Minute, time.Second, NotDue}, // it polls every 5 minutes at most
		{time.Minute, 0, Unchanged},        // a single run asks all the same
		{6 * time.Minute, time.Second, Unchanged},
		{6 * time.Minute, time.Hour, NotDue},
		{-24 * time.Hour, time.Second, Unchanged}, // a loader's clock was wrong then
		{59 * time.Minute, time.Hour, Unchanged},  // nearly an hour is an hour
	} {
		if step.age != 0 {
			age(step.age)
		}
		options := atPublisher()
		options.Every = step.every
		o.asked()
		r := load(t, m, options)
		if r.Outcome != step.want || (len(o.asked()) > 0) != (step.want != NotDue) {
			t.Errorf("compared %s ago, every %s: %s, %v; want %s", step.age, step.every, r.Outcome, r.Err, step.want)
		}
	}
}

// TestDueAllTheSame: what makes a loader that stays ask before it is time.
func TestDueAllTheSame(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), `"one"`))
	m := newMemory()
	load(t, m, atPublisher())
	for name, change := range map[string]func(*Options){
		"a dry run":               func(o *Options) { o.DryRun = true },
		"a release":               func(o *Options) { o.Release = true },
		"a backfill":              func(o *Options) { o.Backfill = true },
		"a document of their own": func(op *Options) { op.Sources = []Source{from(sdn, o.URL+"/first")} },
	} {
		staying := atPublisher()
		staying.Every = time.Hour
		if r := load(t, m, staying); r.Outcome != NotDue {
			t.Errorf("before %s: %s, %v", name, r.Outcome, r.Err)
		}
		change(&staying)
		if r := load(t, m, staying); r.Outcome != Unchanged {
			t.Errorf("%s: %s, %v; want unchanged", name, r.Outcome, r.Err)
		}
	}
	// What is held is asked for again: it may have been put right.
	o.set("/first", sends(sdnText(day.AddDate(0, 0, 1), 12, 60), ""))
	staying := atPublisher()
	load(t, m, staying)
	staying.Every = time.Hour
	if r := load(t, m, staying); r.Outcome != Held {
		t.Errorf("held: %s, %v", r.Outcome, r.Err)
	}
	first := m.verification(sdn).Held.Since
	o.set("/first", sends(sdnText(day.AddDate(0, 0, 1), 11, 60), ""))
	if r := load(t, m, staying); r.Outcome != Held || !m.verification(sdn).Held.Since.After(first) {
		t.Errorf("another is held: %s, since %s, the first since %s", r.Outcome, m.verification(sdn).Held.Since, first)
	}
}

// TestPublisherAndFile: that the publisher has nothing new does not keep a file
// that an operator gives beside it from being read.
func TestPublisherAndFile(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), `"one"`))
	m := newMemory()
	load(t, m, atPublisher())
	both := atPublisher()
	both.Sources = append(both.Sources, from(sdn, file(t, sdnText(day, 21, 60))))
	if r := load(t, m, both); r.Outcome != Published {
		t.Errorf("%s, %v; want published", r.Outcome, r.Err)
	}
}

// TestBackfillAtPublisher: a publication that its publisher offers now is no history.
func TestBackfillAtPublisher(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day, 20, 60), ""))
	m := newMemory()
	load(t, m, atPublisher())
	o.set("/first", sends(sdnText(day, 21, 60), ""))
	options := atPublisher()
	options.Backfill = true
	if r := load(t, m, options); r.Outcome != Published || m.current.List(sdn).Current().Rows != 21 {
		t.Errorf("%s, %v", r.Outcome, r.Err)
	}
}

// TestDueAfterFile: that an operator loaded a file says nothing of the publisher.
func TestDueAfterFile(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	o.set("/first", sends(sdnText(day.AddDate(0, 0, 1), 21, 60), ""))
	m := newMemory()
	load(t, m, Options{Sources: []Source{from(sdn, file(t, sdnText(day, 20, 60)))}})
	staying := atPublisher()
	staying.Every = time.Hour
	if r := load(t, m, staying); r.Outcome != Published {
		t.Errorf("%s, %v; want published", r.Outcome, r.Err)
	}
}

// TestUnexpected reports what the program has no rule for.
func TestUnexpected(t *testing.T) {
	o := openOffice(t)
	text := strings.Replace(sdnText(time.Now().UTC(), 20, 60), "Digital Currency Address - ETH", "Digital Currency Address - NEWCOIN", 1)
	text = strings.Replace(text, "<sdnType>", "<newElement/><sdnType>", 1)
	o.set("/first", sends(text, ""))
	r := load(t, newMemory(), atPublisher())
	if r.Outcome != Published || r.Unexpected[`symbol "NEWCOIN"`] != 1 || r.Unexpected["element sdnList/sdnEntry/newElement"] != 1 || len(r.Unexpected) != 2 {
		t.Errorf("%s, %v: unexpected %v", r.Outcome, r.Err, r.Unexpected)
	}
}

// TestStay: a publisher that never answers keeps no other list from being imported
// again and again, and what an operator releases is one import.
func TestStay(t *testing.T) {
	o := openOffice(t)
	day := time.Now().UTC().AddDate(0, 0, -5)
	silent := make(chan struct{}, 1)
	o.set("/silent", func(w http.ResponseWriter, r *http.Request) {
		silent <- struct{}{}
		<-r.Context().Done()
	})
	o.set("/first", sends(sdnText(day, 20, 30), "")) // too few entries
	options := Options{
		Sources: []Source{from("uk-sanctions-list", o.URL+"/silent"), from(sdn, o.URL+"/first")},
		Every:   time.Millisecond, Release: true, Fetch: atPublisher().Fetch,
	}
	options.Fetch.Idle, options.Fetch.FirstByte = time.Hour, time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var outcomes []Outcome
	m := newMemory()
	err := Stay(ctx, m, options, func(r *Report) {
		if r.List != sdn {
			t.Errorf("%s: %s, %v", r.List, r.Outcome, r.Err)
		}
		if outcomes = append(outcomes, r.Outcome); len(outcomes) == 2 {
			o.set("/first", sends(sdnText(day.AddDate(0, 0, 1), 21, 30), ""))
		}
		if r.Outcome == Held {
			<-silent
			cancel()
		}
	})
	if want := []Outcome{Published, Unchanged, Held}; err != nil || !slices.Equal(outcomes, want) {
		t.Errorf("%v, %v; want %v", outcomes, err, want)
	}
	if len(m.claimed) > 0 {
		t.Errorf("still claimed: %v", m.claimed)
	}
	options.Sources = nil
	if err := Stay(t.Context(), m, options, nil); err == nil {
		t.Error("nothing to load, and no error")
	}
}
