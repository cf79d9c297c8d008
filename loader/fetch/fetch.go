// Package fetch brings a document from where a publisher or an operator keeps it
// to this machine, whole: over HTTP, from a file, or from standard input.
//
// Publishers' servers are slow, overloaded and guarded by firewalls, and their
// files are large. So a download is asked for with the validators of the last one,
// tried again with growing pauses, resumed where it broke off if the server can,
// and kept on disk until it is complete: nobody parses half a document. What a
// publisher redirects to is never remembered, for it may be a link that expires
// within the hour.
package fetch

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// A Fetcher fetches documents. Its zero value is usable, though publishers refuse
// an empty User-Agent. It may be used by several goroutines; its fields are not to
// be changed afterwards.
type Fetcher struct {
	// UserAgent is sent with every request.
	UserAgent string
	// Proxy is the proxy for http and https; nil means that of the environment
	// (HTTP_PROXY, HTTPS_PROXY, NO_PROXY).
	Proxy *url.URL
	// Tries is how often one location is tried; 0 means 6.
	Tries int
	// Wait is the pause after the first failure, which doubles after each further
	// one up to a minute; 0 means 5 s. With 6 tries that is more than two minutes,
	// for servers that answer 500 in bursts.
	Wait time.Duration
	// FirstByte bounds the wait for an answer to begin; 0 means 5 min: some
	// documents are generated when they are asked for.
	FirstByte time.Duration
	// Idle bounds the wait for the next byte of an answer; 0 means 1 min.
	Idle time.Duration
	// MaxSize bounds a document as it comes, in bytes; 0 means 1 GiB.
	MaxSize int64
	// Stdin is what the location "-" reads; nil means standard input.
	Stdin io.Reader
	// Progress, if set, is told how much of a document has come, in bytes; total is
	// -1 while that is not known. The last call of a download has done == total.
	Progress func(name string, done, total int64)
	// Failing, if set, is told of every try that failed and is followed by another
	// after the given pause.
	Failing func(err error, pause time.Duration)
	// Transport is what requests go through; nil means the usual one, with Proxy.
	Transport http.RoundTripper

	once   sync.Once
	client *http.Client
}

// Validators are what an HTTP server said of a document, to ask it next time
// whether that has changed. Both are opaque.
type Validators struct {
	ETag, LastModified string
}

// A File is a fetched document, whole, on disk. Read it, then close it.
type File struct {
	// Reader reads the document as it came; it is the open file itself if that can
	// be read at random.
	io.Reader
	// Name is the location for people and for the record: a URL without
	// credentials, query and fragment, or a file's base name.
	Name string
	// Key tells locations apart that Name does not, without revealing them.
	Key string
	// Validators are what the server said; empty for files.
	Validators Validators
	// NotModified says that the server has nothing newer than the validators that
	// it was asked with. Reader is nil.
	NotModified bool
	// Modified is when the document was last changed by its own word: the date of a
	// Last-Modified header, the time of a file. Zero if nothing says so.
	Modified time.Time
	// Local says that it was read from a file or standard input.
	Local bool
	// Size is the size of the document as it came, in bytes.
	Size int64

	file *os.File
}

// Close releases the file. A downloaded one is gone afterwards.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Name returns what of a location may be shown and kept: it may hold a password
// or a token. See File.Name.
func Name(location string) string {
	if !remote(location) {
		if location == "-" {
			return "standard input"
		}
		return filepath.Base(location)
	}
	u, err := url.Parse(location)
	if err != nil {
		return "a URL that cannot be read"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

func remote(location string) bool {
	scheme, _, is := strings.Cut(location, "://")
	return is && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// Key returns a key of a location that does not reveal what Name leaves out.
func Key(location string) string {
	sum := sha256.Sum256([]byte(location))
	return hex.EncodeToString(sum[:8])
}

// Get fetches a location: an http or https URL, a file's path, or "-" for standard
// input. With validators it asks an HTTP server only for what is newer. It returns
// when the document is here as a whole, or the deadline of ctx has passed. Errors
// name the location without what may be secret in it.
func (f *Fetcher) Get(ctx context.Context, location string, known Validators) (*File, error) {
	if remote(location) {
		return f.download(ctx, location, known)
	}
	if location == "-" {
		in := f.Stdin
		if in == nil {
			in = os.Stdin
		}
		return f.pipe(ctx, location, func() (io.ReadCloser, error) { return io.NopCloser(in), nil })
	}
	if scheme, _, is := strings.Cut(location, "://"); is {
		return nil, fmt.Errorf("a URL of the scheme %.20q, want http, https or a file", scheme)
	}
	info, err := os.Stat(location)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is not a file", location)
	case !info.Mode().IsRegular():
		return f.pipe(ctx, location, func() (io.ReadCloser, error) { return os.Open(location) })
	}
	file, err := os.Open(location)
	if err != nil {
		return nil, err
	}
	// It may be another by now.
	if info, err = file.Stat(); err != nil {
		file.Close()
		return nil, err
	}
	return &File{
		Reader: file, Name: Name(location), Key: Key(location), Local: true, Size: info.Size(),
		Modified: info.ModTime().UTC().Truncate(time.Millisecond), file: file,
	}, nil
}

// pipe copies to disk what can be read only once and in order: an archive must be
// read at random. Nobody can end a read of a pipe that nobody writes to, so when
// ctx ends it is left behind.
func (f *Fetcher) pipe(ctx context.Context, location string, open func() (io.ReadCloser, error)) (*File, error) {
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	read := make(chan error, 1)
	go func() {
		in, err := open()
		if err == nil {
			err = s.copy(in, f.maxSize(), func() {})
			in.Close()
		}
		read <- err
	}()
	select {
	case err = <-read:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		s.file.Close()
		return nil, fmt.Errorf("reading %s: %w", Name(location), err)
	}
	return s.finish(&File{Name: Name(location), Key: Key(location), Local: true}, "")
}

func (f *Fetcher) maxSize() int64 { return cmp.Or(f.MaxSize, 1<<30) }

// A spool is a document on disk that is coming in.
type spool struct {
	file *os.File
	size int64
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "walletscreen-*")
	if err != nil {
		return nil, fmt.Errorf("keeping a document on disk: %w", err)
	}
	// The file lives as long as it is open, also if this process is killed. Where
	// that is not possible it stays until its folder is emptied.
	_ = os.Remove(file.Name())
	return &spool{file: file}, nil
}

// copy appends what r holds; seen is called after every piece.
func (s *spool) copy(r io.Reader, limit int64, seen func()) error {
	buf := make([]byte, 1<<16)
	for {
		n, err := r.Read(buf)
		if s.size+int64(n) > limit {
			return backoff.Permanent(fmt.Errorf("more than the %d bytes allowed", limit))
		}
		if _, werr := s.file.WriteAt(buf[:n], s.size); werr != nil {
			return backoff.Permanent(fmt.Errorf("keeping it on disk: %w", werr))
		}
		s.size += int64(n)
		seen()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *spool) restart() error {
	s.size = 0
	return s.file.Truncate(0)
}

// finish makes f the file that reads the spool from its beginning, through what a
// server encoded the answer with.
func (s *spool) finish(f *File, encoding string) (*File, error) {
	f.file, f.Size = s.file, s.size
	f.Reader = s.file
	if encoding == "gzip" {
		unpacked, err := gzip.NewReader(s.file)
		if err != nil {
			s.file.Close()
			return nil, fmt.Errorf("fetching %s: the answer is not in the encoding gzip that it announces: %w", f.Name, err)
		}
		f.Reader = unpacked
	}
	return f, nil
}

var (
	// The reason would quote what it stumbles over: a part of a password, mostly.
	errURL       = errors.New("a source URL that cannot be read: special characters in a user name or a password are written %2F and so on")
	errLocation  = errors.New("redirected to what is no URL")
	errRedirects = errors.New("redirected ten times")
	errIdle      = errors.New("the server sends nothing any more")
	errSilent    = errors.New("the server does not answer")
)

// A downgradeError says that a server led out of TLS.
type downgradeError struct{ scheme string }

func (e *downgradeError) Error() string { return "redirected from https to " + e.scheme }

func (f *Fetcher) httpClient() *http.Client {
	f.once.Do(func() {
		transport := f.Transport
		if transport == nil {
			t := http.DefaultTransport.(*http.Transport).Clone()
			if f.Proxy != nil {
				t.Proxy = http.ProxyURL(f.Proxy)
			}
			transport = t
		}
		f.client = &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errRedirects
			}
			// It would hold the query, and so a token, of where the redirect came from.
			req.Header.Del("Referer")
			if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
				return &downgradeError{req.URL.Scheme}
			}
			return nil
		}}
	})
	return f.client
}

// download is the state of fetching one URL, over several tries.
type download struct {
	*Fetcher
	location string
	name     string
	known    Validators

	spool       *spool
	validators  Validators // of what the spool holds
	encoding    string
	whole       int64 // size of the document, if a Content-Range said so
	notModified bool
}

func (f *Fetcher) download(ctx context.Context, location string, known Validators) (*File, error) {
	if _, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil); err != nil {
		return nil, errURL
	}
	s, err := newSpool()
	if err != nil {
		return nil, err
	}
	d := &download{Fetcher: f, location: location, name: Name(location), known: known, spool: s}
	pauses := &backoff.ExponentialBackOff{
		InitialInterval: cmp.Or(f.Wait, 5*time.Second), RandomizationFactor: 0.2, Multiplier: 2, MaxInterval: time.Minute,
	}
	tries := cmp.Or(f.Tries, 6)
	var last error
	made := 0
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		made++
		last = d.try(ctx)
		return struct{}{}, last
	}, backoff.WithBackOff(pauses), backoff.WithMaxTries(uint(tries)), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, pause time.Duration) {
			if f.Failing != nil {
				f.Failing(fmt.Errorf("fetching %s: %w", d.name, err), pause)
			}
		}))
	if err != nil {
		s.file.Close()
		var permanent *backoff.PermanentError
		if errors.As(last, &permanent) {
			last = permanent.Unwrap()
		}
		if ctx.Err() != nil && !errors.Is(last, ctx.Err()) {
			last = fmt.Errorf("%w, after: %w", ctx.Err(), last)
		}
		if made > 1 {
			return nil, fmt.Errorf("fetching %s, %d tries: %w", d.name, made, last)
		}
		return nil, fmt.Errorf("fetching %s: %w", d.name, last)
	}
	file := &File{Name: d.name, Key: Key(location), Validators: d.validators}
	if d.notModified {
		file.NotModified = true
		return file, s.file.Close()
	}
	if at, err := http.ParseTime(d.validators.LastModified); err == nil {
		file.Modified = at.UTC()
	}
	return s.finish(file, d.encoding)
}

// try asks for the document, or for the rest of it, once.
func (d *download) try(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(cmp.Or(d.FirstByte, 5*time.Minute), func() { cancel(errSilent) })
	defer silence.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.location, nil)
	if err != nil {
		return backoff.Permanent(errURL)
	}
	req.Header.Set("User-Agent", d.UserAgent)
	// Publications come compressed; a server that encodes them once more makes
	// their size unknown and their parts useless.
	req.Header.Set("Accept-Encoding", "identity")
	resumed := d.spool.size > 0 && d.resumable() != ""
	switch {
	case resumed:
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", d.spool.size))
		req.Header.Set("If-Range", d.resumable())
	default:
		if d.known.ETag != "" {
			req.Header.Set("If-None-Match", d.known.ETag)
		}
		if d.known.LastModified != "" {
			req.Header.Set("If-Modified-Since", d.known.LastModified)
		}
	}
	res, err := d.httpClient().Do(req)
	if err != nil {
		err = withoutURL(cmp.Or(cause(ctx), err))
		if _, out := errors.AsType[*downgradeError](err); out || errors.Is(err, errRedirects) || errors.Is(err, errLocation) {
			return backoff.Permanent(err)
		}
		return err
	}
	defer res.Body.Close()
	silence.Stop()
	switch {
	case res.StatusCode == http.StatusNotModified && d.known != Validators{} && !resumed:
		d.notModified, d.validators = true, d.known
		return nil
	case res.StatusCode == http.StatusPartialContent && resumed && d.continues(res):
	case res.StatusCode == http.StatusOK:
		if err := d.begin(res); err != nil {
			return err
		}
	default:
		return d.refused(res)
	}
	total := int64(-1)
	if res.ContentLength >= 0 {
		total = d.spool.size + res.ContentLength
	}
	idle := time.AfterFunc(cmp.Or(d.Idle, time.Minute), func() { cancel(errIdle) })
	defer idle.Stop()
	err = d.spool.copy(res.Body, d.maxSize(), func() {
		idle.Reset(cmp.Or(d.Idle, time.Minute))
		if d.Progress != nil {
			d.Progress(d.name, d.spool.size, total)
		}
	})
	if err != nil {
		// net/http itself holds an answer to the length that it declares.
		return fmt.Errorf("the answer broke off after %d bytes: %w", d.spool.size, cmp.Or(cause(ctx), err))
	}
	if d.whole > 0 && d.spool.size != d.whole {
		return fmt.Errorf("the answer ended after %d of %d bytes", d.spool.size, d.whole)
	}
	if d.Progress != nil && total < 0 {
		d.Progress(d.name, d.spool.size, d.spool.size)
	}
	return nil
}

// cause is why try itself gave up, nil if it did not.
func cause(ctx context.Context) error {
	if err := context.Cause(ctx); errors.Is(err, errIdle) || errors.Is(err, errSilent) {
		return err
	}
	return nil
}

// begin prepares for an answer that holds the document from its beginning.
func (d *download) begin(res *http.Response) error {
	if err := d.spool.restart(); err != nil {
		return backoff.Permanent(err)
	}
	d.validators, d.whole = validators(res), 0
	switch d.encoding = strings.ToLower(res.Header.Get("Content-Encoding")); d.encoding {
	case "", "identity", "gzip":
		return nil
	}
	return backoff.Permanent(fmt.Errorf("the answer has the encoding %.40q, which was not asked for", d.encoding))
}

func validators(res *http.Response) Validators {
	return Validators{ETag: res.Header.Get("ETag"), LastModified: res.Header.Get("Last-Modified")}
}

// resumable is the validator that makes sure that the rest of a document belongs
// to its beginning, "" if there is none. RFC 9110, 13.1.5: a weak ETag does not.
func (d *download) resumable() string {
	if d.validators.ETag != "" && !strings.HasPrefix(d.validators.ETag, "W/") {
		return d.validators.ETag
	}
	return d.validators.LastModified
}

// continues reports whether a partial answer is the rest of what is here, to the
// end of the document: a server may send less than was asked for.
func (d *download) continues(res *http.Response) bool {
	if v := validators(res); v.ETag != "" && v.ETag != d.validators.ETag || v.LastModified != "" && v.LastModified != d.validators.LastModified {
		return false
	}
	rest, ok := strings.CutPrefix(res.Header.Get("Content-Range"), "bytes ")
	part, size, _ := strings.Cut(rest, "/")
	from, to, _ := strings.Cut(part, "-")
	var n [3]int64
	for i, text := range []string{from, to, size} {
		var err error
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return false
		}
	}
	d.whole = n[2]
	return ok && n[0] == d.spool.size && n[1] == d.whole-1
}

// refused is the error of an answer that is no document.
func (d *download) refused(res *http.Response) error {
	head, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	err := fmt.Errorf("the publisher's server answered %s%s", res.Status, describe(head))
	if code := res.StatusCode; code == http.StatusForbidden || code == http.StatusTooManyRequests {
		err = fmt.Errorf("%w (some refuse a User-Agent that does not look like a browser's: --user-agent says another)", err)
	}
	switch code := res.StatusCode; {
	case code == http.StatusPartialContent, code == http.StatusRequestedRangeNotSatisfiable:
		if err := d.spool.restart(); err != nil {
			return backoff.Permanent(err)
		}
		return err
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return later(res, err)
	}
	return backoff.Permanent(err)
}

// mostPatience is the longest pause that a server may ask for.
const mostPatience = 2 * time.Minute

// later makes the pause after err as long as the server asks for in Retry-After;
// who asks for too much is not asked again.
func later(res *http.Response, err error) error {
	text := res.Header.Get("Retry-After")
	if text == "" {
		return err
	}
	pause := time.Duration(0)
	if seconds, parseErr := strconv.ParseUint(text, 10, 31); parseErr == nil {
		pause = time.Duration(seconds) * time.Second
	} else if at, parseErr := http.ParseTime(text); parseErr == nil {
		pause = max(0, time.Until(at))
	} else {
		return err
	}
	if pause > mostPatience {
		return backoff.Permanent(fmt.Errorf("%w, and asks to come back in %s", err, pause.Round(time.Second)))
	}
	return fmt.Errorf("%w (%w)", err, &backoff.RetryAfterError{Duration: pause})
}

// withoutURL is an error of net/http without the URLs that it repeats, with the
// password or token that may stand there or where the publisher redirected to.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	if strings.HasPrefix(err.Error(), "failed to parse Location header") {
		return errLocation
	}
	return err
}

// describe says what came with a refusal, for people: ", with an HTML page".
func describe(head []byte) string {
	head = bytes.TrimSpace(head)
	switch {
	case len(head) == 0:
		return ""
	case head[0] == '<':
		if i := bytes.Index(bytes.ToLower(head), []byte("<title>")); i >= 0 {
			title, _, _ := bytes.Cut(head[i+len("<title>"):], []byte("<"))
			return fmt.Sprintf(", with a page titled %.80q", bytes.TrimSpace(title))
		}
		return ", with a page"
	case head[0] == '{', head[0] == '[':
		return ", with JSON"
	}
	return ""
}
