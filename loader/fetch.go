package loader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"walletscreen/loader/document"
	"walletscreen/screen"
)

// fetchTimeout bounds one download, the slowest seen of a publisher (12 KB/s for
// the 8 MB archive) with room.
const fetchTimeout = 20 * time.Minute

// A Source says where to read a publication of a list.
type Source struct {
	List screen.ListID
	// Location is a file's path or an http or https URL; "" means the publisher's
	// own address.
	Location string
}

// ParseSource reads "LIST=FILE-or-URL", or "LIST" for the publisher's own address.
// Its errors do not repeat the location: a URL may hold a password.
func ParseSource(s string) (Source, error) {
	list, location, given := strings.Cut(s, "=")
	src := Source{screen.ListID(list), location}
	if strings.Contains(list, "://") {
		return src, errors.New("source: it begins as a URL, want LIST=URL")
	}
	if err := src.List.Validate(); err != nil {
		return src, fmt.Errorf("source: %w", err)
	}
	if given && location == "" {
		return src, fmt.Errorf("source of list %s: want LIST=FILE or LIST=URL", list)
	}
	return src, nil
}

// A Document is a publication that was read, with the list it belongs to and
// where and when it was read.
type Document struct {
	List        screen.List
	Publication *screen.Publication
	Verified    screen.Verification

	shrink float64
	// written is when the file that a publisher's list was read from was last
	// written; zero for what came from the publisher, and for an operator's own
	// list, which is nowhere else.
	written time.Time
}

// Read reads one publication, whole or not at all: the document is read to its
// end and its archive's checksums hold. userAgent is sent to publishers.
func Read(ctx context.Context, src Source, userAgent string) (*Document, error) {
	list, err := lookup(src.List)
	if err != nil {
		return nil, err
	}
	location := src.Location
	if location == "" {
		if len(list.locations) == 0 {
			return nil, fmt.Errorf("list %s: no source given, and it has no publisher", src.List)
		}
		location = list.locations[0]
	}
	body, name, written, err := open(ctx, location, userAgent)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", src.List, err)
	}
	defer body.Close()
	at := time.Now().UTC().Truncate(time.Millisecond)
	pub, err := parse(list, name, body)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", src.List, err)
	}
	doc := &Document{List: list.List, Publication: pub, Verified: screen.Verification{At: at, Source: name}, shrink: list.shrink}
	if list.Kind != screen.KindInternal {
		doc.written = written
	}
	return doc, nil
}

func parse(list registered, name string, body io.Reader) (*screen.Publication, error) {
	doc, err := document.Open(name, body, document.XML|document.Text)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	pub, err := list.parse(doc)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if pub.Digest, err = doc.Digest(); err != nil {
		return nil, err
	}
	pub.List = list.ID
	if pub.PublishedOn == 0 {
		// An operator's own file does not say; it holds from the day it is loaded.
		pub.PublishedOn = screen.DateOf(time.Now().UTC())
	}
	// The commonest defect in this field is an empty parse taken for a success.
	if len(pub.Parties) == 0 {
		return nil, fmt.Errorf("%s: no digital currency addresses in %d entries: this is not the list it should be", name, pub.Records)
	}
	return pub, nil
}

// open opens a location and returns the name to keep of it, a URL without
// credentials and query or a file's base name, and when a file was written.
func open(ctx context.Context, location, userAgent string) (body io.ReadCloser, name string, written time.Time, err error) {
	if strings.HasPrefix(location, "http://") || strings.HasPrefix(location, "https://") {
		body, name, err = fetch(ctx, location, userAgent)
		return body, name, written, err
	}
	f, err := os.Open(location)
	if err != nil {
		return nil, "", written, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		f.Close()
		return nil, "", written, fmt.Errorf("%s is not a file", location)
	}
	return f, filepath.Base(location), info.ModTime().UTC().Truncate(time.Millisecond), nil
}

// publishers is the client for publishers' servers.
var publishers = &http.Client{CheckRedirect: func(req *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("redirected ten times")
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("redirected from https to " + req.URL.Scheme)
	}
	return nil
}}

func fetch(ctx context.Context, location, userAgent string) (io.ReadCloser, string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		cancel()
		return nil, "", fmt.Errorf("source URL: %w", withoutURL(err))
	}
	name := req.URL.Scheme + "://" + req.URL.Host + req.URL.Path
	// OFAC refuses an empty User-Agent.
	req.Header.Set("User-Agent", userAgent)
	res, err := publishers.Do(req)
	if err != nil {
		cancel()
		return nil, "", fmt.Errorf("fetching %s: %w", name, withoutURL(err))
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		cancel()
		return nil, "", fmt.Errorf("fetching %s: the publisher answered %s", name, res.Status)
	}
	return &download{res.Body, name, cancel}, name, nil
}

// withoutURL is an error of net/http without the URL that it repeats, with the
// password or token that may stand there or where the publisher redirected to.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// download is a response's body. net/http itself holds it to the length that the
// response declares.
type download struct {
	io.ReadCloser
	name   string
	cancel context.CancelFunc
}

func (d *download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("fetching %s: %w", d.name, err)
	}
	return n, err
}

func (d *download) Close() error {
	defer d.cancel()
	return d.ReadCloser.Close()
}
