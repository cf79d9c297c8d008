package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// hurried is a Fetcher that does not make a test wait.
func hurried() *Fetcher {
	return &Fetcher{UserAgent: "test", Wait: time.Millisecond, Idle: time.Minute}
}

// A publisher is a server that answers the n-th request, from 1, as told.
type publisher struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
}

func newPublisher(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *publisher {
	t.Helper()
	p := new(publisher)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, r)
		n := len(p.requests)
		p.mu.Unlock()
		answer(n, w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) asked() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// get fetches and reads a document.
func get(t *testing.T, f *Fetcher, location string, known Validators) (string, *File, error) {
	t.Helper()
	file, err := f.Get(t.Context(), location, known)
	if err != nil {
		return "", nil, err
	}
	t.Cleanup(func() { file.Close() })
	if file.NotModified {
		return "", file, nil
	}
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatalf("reading what was fetched: %v", err)
	}
	return string(text), file, nil
}

func want(t *testing.T, got, expected string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got != expected {
		t.Errorf("fetched %d bytes, want %d: %.60q, want %.60q", len(got), len(expected), got, expected)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q, want %q in it", err, part)
		}
	}
}

// document is a text too long to come in one piece.
var document = func() string {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, "line %d of a publication\n", i)
	}
	return b.String()
}()

// The target of a redirect is a link that expires: it is asked for anew each time.
func TestExpiringRedirect(t *testing.T) {
	current := ""
	p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/list":
			current = fmt.Sprintf("/signed?expires=%d", n)
			http.Redirect(w, r, current, http.StatusFound)
		case r.URL.RequestURI() == current:
			current = ""
			_, _ = io.WriteString(w, document)
		default:
			w.WriteHeader(http.StatusForbidden)
		}
	})
	f := hurried()
	for range 3 {
		text, file, err := get(t, f, p.URL+"/list", Validators{})
		want(t, text, document, err)
		if file.Name != p.URL+"/list" {
			t.Errorf("its name is %s, want where it was asked for", file.Name)
		}
	}
}

// A server is asked whether a document changed only with what it said of it.
func TestNotModified(t *testing.T) {
	const etag, modified = `"abc"`, "Wed, 23 Sep 2026 14:07:28 GMT"
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") == etag && r.Header.Get("If-Modified-Since") == modified {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		w.Header().Set("Last-Modified", modified)
		_, _ = io.WriteString(w, document)
	})
	f := hurried()
	text, first, err := get(t, f, p.URL, Validators{})
	want(t, text, document, err)
	if first.Validators != (Validators{etag, modified}) || first.NotModified {
		t.Fatalf("validators %+v, not modified %t", first.Validators, first.NotModified)
	}
	if on := first.Modified.Format(time.DateOnly); on != "2026-09-23" {
		t.Errorf("modified on %s", on)
	}
	if h := p.asked()[0].Header; h.Get("If-None-Match") != "" || h.Get("If-Modified-Since") != "" {
		t.Error("the first request was conditional")
	}
	_, second, err := get(t, f, p.URL, first.Validators)
	if err != nil || !second.NotModified || second.Validators != first.Validators {
		t.Errorf("asked again: %+v, %v; want not modified", second, err)
	}
	text, _, err = get(t, f, p.URL, Validators{ETag: `"older"`})
	want(t, text, document, err)
}

func TestNotModifiedUnasked(t *testing.T) {
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNotModified) })
	_, _, err := get(t, hurried(), p.URL, Validators{})
	wantError(t, err, "304")
}

// What a server refuses for good is not asked for again; the error says what came.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		parts  []string
		tries  int
	}{
		{"firewall", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "<html><head><TITLE> Access Denied </TITLE></head></html>")
		}, []string{"403 Forbidden", `"Access Denied"`, "--user-agent"}, 1},
		{"gone", func(w http.ResponseWriter) { w.WriteHeader(http.StatusGone) }, []string{"410"}, 1},
		{"error in JSON", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"no"}`)
		}, []string{"400", "JSON"}, 1},
		{"always down", func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, []string{"502", "6 tries"}, 6},
		{"asks for hours", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, []string{"503", "come back in 2h"}, 1},
		{"asks for a day by date", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(24*time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		}, []string{"429", "come back in 2", "--user-agent"}, 1},
		{"unknown encoding", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "x")
		}, []string{`encoding "br"`}, 1},
		{"encoding that is none", func(w http.ResponseWriter) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "not gzip at all")
		}, []string{"not in the encoding gzip"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { test.answer(w) })
			_, _, err := get(t, hurried(), p.URL, Validators{})
			wantError(t, err, test.parts...)
			if n := len(p.asked()); n != test.tries {
				t.Errorf("asked %d times, want %d", n, test.tries)
			}
		})
	}
}

// A burst of errors is waited out, as long as the server says.
func TestBurst(t *testing.T) {
	p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n < 5 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader([]int{500, 503, 429, 502}[n-1])
			return
		}
		_, _ = io.WriteString(w, document)
	})
	f := hurried()
	var failures []string
	f.Failing = func(err error, pause time.Duration) { failures = append(failures, err.Error()) }
	text, _, err := get(t, f, p.URL, Validators{})
	want(t, text, document, err)
	if len(failures) != 4 || !strings.Contains(failures[0], "500") || !strings.Contains(failures[0], p.URL) {
		t.Errorf("told of %q", failures)
	}
}

// cut sends the first n bytes of a document and then breaks the connection.
func cut(t *testing.T, w http.ResponseWriter, r *http.Request, text string, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	if _, err := io.WriteString(w, text[:n]); err != nil {
		t.Error(err)
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		t.Error(err)
	}
	panic(http.ErrAbortHandler)
}

// serve answers as a server does that can resume.
func serve(w http.ResponseWriter, r *http.Request, text string) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// A download that breaks off is resumed, but never put together from two
// documents.
func TestResume(t *testing.T) {
	half := len(document) / 2
	changed := strings.ToUpper(document)
	ranges := func(p *publisher) (all []string) {
		for _, r := range p.asked() {
			all = append(all, r.Header.Get("Range"))
		}
		return all
	}
	t.Run("from where it broke off", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			if n == 1 {
				cut(t, w, r, document, half)
			}
			serve(w, r, document)
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, document, err)
		if got := ranges(p); len(got) != 2 || got[0] != "" || got[1] != fmt.Sprintf("bytes=%d-", half) || p.asked()[1].Header.Get("If-Range") != `"one"` {
			t.Errorf("asked for %q, want all, then the rest", got)
		}
	})
	t.Run("changed meanwhile", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("ETag", `"one"`)
				cut(t, w, r, document, half)
			}
			w.Header().Set("ETag", `"two"`)
			serve(w, r, changed)
		})
		text, file, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, changed, err)
		if file.Validators.ETag != `"two"` {
			t.Errorf("ETag %s", file.Validators.ETag)
		}
	})
	t.Run("changed, and the server ignores If-Range", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("ETag", `"one"`)
				cut(t, w, r, document, half)
			}
			w.Header().Set("ETag", `"two"`)
			r.Header.Del("If-Range")
			serve(w, r, changed)
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, changed, err)
	})
	t.Run("another part than asked for", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			switch n {
			case 1:
				cut(t, w, r, document, half)
			case 2:
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", half+10, len(document)-1, len(document)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, document[half+10:])
			default:
				serve(w, r, document)
			}
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, document, err)
	})
	for _, short := range []string{fmt.Sprintf("%d-%d/%d", half, half+99, len(document)), fmt.Sprintf("%d-%d/*", half, half+99)} {
		t.Run("less than the rest: "+short, func(t *testing.T) {
			p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("ETag", `"one"`)
				switch n {
				case 1:
					cut(t, w, r, document, half)
				case 2:
					w.Header().Set("Content-Range", "bytes "+short)
					w.WriteHeader(http.StatusPartialContent)
					_, _ = io.WriteString(w, document[half:half+100])
				default:
					serve(w, r, document)
				}
			})
			text, _, err := get(t, hurried(), p.URL, Validators{})
			want(t, text, document, err)
		})
	}
	t.Run("less than it says", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			switch n {
			case 1:
				cut(t, w, r, document, half)
			case 2:
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", half, len(document)-1, len(document)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, document[half:half+100])
				_ = http.NewResponseController(w).Flush() // so it has no length, and ends as it should
			default:
				serve(w, r, document)
			}
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, document, err)
	})
	t.Run("nothing to resume by", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("ETag", `W/"weak"`)
				cut(t, w, r, document, half)
			}
			serve(w, r, document)
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, document, err)
		if got := ranges(p); len(got) != 2 || got[1] != "" {
			t.Errorf("asked for %q: a weak validator does not say that the parts fit", got)
		}
	})
	t.Run("range out of the document", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			switch n {
			case 1:
				cut(t, w, r, document, half)
			case 2:
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			default:
				serve(w, r, document)
			}
		})
		text, _, err := get(t, hurried(), p.URL, Validators{})
		want(t, text, document, err)
	})
	t.Run("cut again and again", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			cut(t, w, r, document, half)
		})
		_, _, err := get(t, hurried(), p.URL, Validators{})
		wantError(t, err, "6 tries", "broke off after")
	})
}

// An answer that is shorter than it says is not whole; what is longer is cut by
// the protocol, and for the parser to refuse.
func TestWrongLength(t *testing.T) {
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(document)+1))
		_, _ = io.WriteString(w, document)
	})
	_, _, err := get(t, hurried(), p.URL, Validators{})
	wantError(t, err, "broke off", "unexpected EOF")
}

// A server that drips is left, and asked for the rest, until the time is over.
func TestSlowServer(t *testing.T) {
	t.Run("stalls once", func(t *testing.T) {
		p := newPublisher(t, func(n int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", `"one"`)
			if n > 1 {
				serve(w, r, document)
				return
			}
			w.Header().Set("Content-Length", fmt.Sprint(len(document)))
			_, _ = io.WriteString(w, document[:100])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		f := hurried()
		f.Idle = 50 * time.Millisecond
		text, _, err := get(t, f, p.URL, Validators{})
		want(t, text, document, err)
	})
	t.Run("never answers", func(t *testing.T) {
		p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		f := hurried()
		f.FirstByte, f.Tries = 20*time.Millisecond, 2
		_, _, err := get(t, f, p.URL, Validators{})
		wantError(t, err, "2 tries", "does not answer")
	})
	t.Run("drips until the deadline", func(t *testing.T) {
		p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, "x"); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := hurried().Get(ctx, p.URL, Validators{})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the deadline", err)
		}
	})
}

// A server may encode what was asked for as it is.
func TestEncoded(t *testing.T) {
	var packed bytes.Buffer
	zw := gzip.NewWriter(&packed)
	_, _ = io.WriteString(zw, document)
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding: %q", got)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	})
	text, _, err := get(t, hurried(), p.URL, Validators{})
	want(t, text, document, err)
}

func TestTooLarge(t *testing.T) {
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, document) })
	f := hurried()
	f.MaxSize = int64(len(document)) - 1
	_, _, err := get(t, f, p.URL, Validators{})
	wantError(t, err, "more than the")
	if n := len(p.asked()); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	f.MaxSize++
	text, _, err := get(t, f, p.URL, Validators{})
	want(t, text, document, err)
}

func TestProgress(t *testing.T) {
	for _, length := range []bool{true, false} {
		p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if length {
				w.Header().Set("Content-Length", fmt.Sprint(len(document)))
			}
			_, _ = io.WriteString(w, document)
		})
		f := hurried()
		var last [2]int64
		f.Progress = func(name string, done, total int64) {
			if done < last[0] || name != p.URL {
				t.Errorf("%s: %d bytes after %d", name, done, last[0])
			}
			last = [2]int64{done, total}
		}
		text, _, err := get(t, f, p.URL, Validators{})
		want(t, text, document, err)
		if n := int64(len(document)); last != [2]int64{n, n} {
			t.Errorf("the last call told %v, want %d of %d", last, n, n)
		}
	}
}

func TestProxy(t *testing.T) {
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "through "+r.URL.Host) })
	proxy, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	f := hurried()
	f.Proxy = proxy
	text, _, err := get(t, f, "http://publisher.example/list", Validators{})
	want(t, text, "through publisher.example", err)
	if got := p.asked()[0].Header.Get("User-Agent"); got != "test" {
		t.Errorf("User-Agent: %q", got)
	}
}

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "list.xml")
	if err := os.WriteFile(name, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	written := time.Date(2026, 9, 23, 14, 7, 28, 0, time.UTC)
	if err := os.Chtimes(name, written, written); err != nil {
		t.Fatal(err)
	}
	f := hurried()
	f.Stdin = strings.NewReader(document)
	text, file, err := get(t, f, name, Validators{ETag: "x"})
	want(t, text, document, err)
	if !file.Local || file.Name != "list.xml" || !file.Modified.Equal(written) || file.Validators != (Validators{}) {
		t.Errorf("%+v", file)
	}
	text, file, err = get(t, f, "-", Validators{})
	want(t, text, document, err)
	if !file.Local || file.Name != "standard input" || !file.Modified.IsZero() {
		t.Errorf("%+v", file)
	}
	_, _, err = get(t, f, dir, Validators{})
	wantError(t, err, "is not a file")
	_, _, err = get(t, f, filepath.Join(dir, "none"), Validators{})
	wantError(t, err, "no such file")
}

// A pipe that nobody writes to is waited for until the deadline, and not longer.
func TestSilentPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	if _, err := io.WriteString(out, document[:10]); err != nil {
		t.Fatal(err)
	}
	f := hurried()
	f.Stdin = in
	for _, location := range []string{"-", fmt.Sprintf("/dev/fd/%d", in.Fd())} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := f.Get(ctx, location, Validators{})
		cancel()
		wantError(t, err, "reading ", "deadline exceeded")
	}
}

// A pipe is read to its end, like standard input.
func TestPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		_, _ = io.WriteString(out, document)
		out.Close()
	}()
	text, file, err := get(t, hurried(), fmt.Sprintf("/dev/fd/%d", in.Fd()), Validators{})
	want(t, text, document, err)
	if !file.Local || !file.Modified.IsZero() || file.Size != int64(len(document)) {
		t.Errorf("%+v", file)
	}
}

// What may be secret in a location is in no error and in no name; different
// locations have different keys all the same.
func TestSecrets(t *testing.T) {
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("address\n"))
		case "/elsewhere":
			http.Redirect(w, r, "http://other:hunter2@127.0.0.1:1/signed?token=hunter2", http.StatusFound)
		case "/nowhere":
			w.Header().Set("Location", "http://other:hunter2@%zz/signed?token=hunter2")
			w.WriteHeader(http.StatusFound)
		case "/on":
			http.Redirect(w, r, "/list", http.StatusFound)
		case "/list":
			if strings.Contains(r.Referer(), "hunter2") {
				t.Errorf("where it leads to is told where from: %s", r.Referer())
			}
			_, _ = io.WriteString(w, document)
		default:
			http.NotFound(w, r)
		}
	})
	host := strings.TrimPrefix(p.URL, "http://")
	f := hurried()
	f.Tries = 2
	for _, location := range []string{
		"http://user:hunter2@127.0.0.1:1/list.csv?token=hunter2",
		"http://user:hunter2@127.0.0.1:1/%zz?token=hunter2",
		"http://user:hunter2@" + host + "/short?token=hunter2",
		"http://user:hunter2@" + host + "/missing?token=hunter2",
		"http://user:hunter2@" + host + "/elsewhere?token=hunter2",
		"http://user:hunter2@" + host + "/nowhere?token=hunter2",
		"http://user:hunter2/x@" + host + "/list.csv",
		"HTTP://user:hunter2@" + host + "/missing?token=hunter2",
		"ftp://user:hunter2@" + host + "/list.csv",
	} {
		_, _, err := get(t, f, location, Validators{})
		if err == nil {
			t.Errorf("%s: fetched", location)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats a secret: %v", location, err)
		}
	}
	location := "http://user:hunter2@" + host + "/list?token=hunter2#hunter2"
	_, file, err := get(t, f, location, Validators{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, f, strings.Replace(location, "/list", "/on", 1), Validators{}); err != nil {
		t.Error(err)
	}
	if file.Name != "http://"+host+"/list" {
		t.Errorf("its name is %s", file.Name)
	}
	if file.Key == Key(strings.Replace(location, "token=hunter2", "token=hunter3", 1)) || file.Key != Key(location) {
		t.Error("the key does not tell locations apart by their queries")
	}
}

// A publisher's redirect is followed, but not out of TLS.
func TestKeepsTLS(t *testing.T) {
	plain := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, document) })
	var asked int
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/out":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/on":
			http.Redirect(w, r, "/list.csv", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			_, _ = io.WriteString(w, document)
		}
	}))
	defer secure.Close()
	f := hurried()
	f.Transport = secure.Client().Transport
	for path, wanted := range map[string]string{"/out": "redirected from https to http", "/round": "redirected ten times", "/on": "", "/list.csv": ""} {
		asked = 0
		text, _, err := get(t, f, secure.URL+path, Validators{})
		if wanted == "" {
			want(t, text, document, err)
			continue
		}
		wantError(t, err, wanted)
		if asked > 10 {
			t.Errorf("%s: asked %d times: a redirect is not tried again", path, asked)
		}
	}
}

// A killed process leaves no documents behind: they have no name while they come.
func TestLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	var names []os.DirEntry
	p := newPublisher(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, document)
		names, _ = os.ReadDir(dir)
	})
	text, _, err := get(t, hurried(), p.URL, Validators{})
	want(t, text, document, err)
	if len(names) > 0 {
		t.Errorf("on disk while it came: %v", names)
	}
}

// FuzzAnswer lets a server answer with any headers and body, in two tries: what is
// fetched is what the last answer held, and nothing else.
func FuzzAnswer(f *testing.F) {
	f.Add(200, `"a"`, "", "bytes 3-5/6", "abcdef", 3)
	f.Add(206, `"a"`, "", "bytes 3-5/6", "def", 3)
	f.Add(206, "", "Wed, 23 Sep 2026 14:07:28 GMT", "bytes 0-5/6", "abcdef", 2)
	f.Add(304, "", "", "", "", 0)
	f.Add(416, `"a"`, "", "bytes */6", "", 5)
	f.Fuzz(func(t *testing.T, status int, etag, modified, contentRange, body string, cutAt int) {
		const first = "abcdef"
		if status < 200 || status > 599 || cutAt < 0 || cutAt >= len(first) || len(body) > 1000 {
			return
		}
		for _, header := range []string{etag, modified, contentRange} {
			if strings.ContainsFunc(header, func(r rune) bool { return r < ' ' || r > '~' }) {
				return
			}
		}
		n := 0
		f := &Fetcher{Tries: 2, Wait: time.Nanosecond, Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			n++
			res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r, ContentLength: -1}
			res.Header.Set("ETag", `"a"`)
			if n == 1 {
				res.Body = io.NopCloser(io.MultiReader(strings.NewReader(first[:cutAt]), broken{}))
				return res, nil
			}
			res.StatusCode, res.Status, res.Body = status, fmt.Sprint(status), io.NopCloser(strings.NewReader(body))
			for name, value := range map[string]string{"ETag": etag, "Last-Modified": modified, "Content-Range": contentRange} {
				res.Header.Del(name)
				if value != "" {
					res.Header.Set(name, value)
				}
			}
			return res, nil
		})}
		file, err := f.Get(t.Context(), "http://publisher.example/", Validators{})
		if err != nil {
			return
		}
		defer file.Close()
		got, err := io.ReadAll(file)
		if err != nil {
			t.Fatal(err)
		}
		switch whole := string(got); {
		case status == http.StatusOK && whole == body:
		case status == http.StatusPartialContent && whole == first[:cutAt]+body && cutAt > 0 && rangeOf(contentRange) == [3]int{cutAt, len(whole) - 1, len(whole)}:
		default:
			t.Errorf("status %d, range %q, body %q after %q: fetched %q", status, contentRange, body, first[:cutAt], whole)
		}
	})
}

// rangeOf returns the numbers of a Content-Range.
func rangeOf(header string) (n [3]int) {
	for i, text := range strings.FieldsFunc(strings.TrimPrefix(header, "bytes "), func(r rune) bool { return r == '-' || r == '/' }) {
		if i < len(n) {
			n[i], _ = strconv.Atoi(text)
		}
	}
	return n
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line is cut " + rand.Text()[:4]) }
