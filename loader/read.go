package loader

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walletscreen/loader/document"
	"walletscreen/loader/fetch"
	"walletscreen/screen"
	"walletscreen/screen/address"
	"walletscreen/screen/phrase"
)

// trustUnmodified is how long a server is believed that says a document did not
// change. Some change a document under the validators that it had; after this
// time it is read whole again.
const trustUnmodified = 24 * time.Hour

// A Document is a publication that was read, whole, with the list it belongs to.
type Document struct {
	List        screen.List
	Publication *screen.Publication

	limits limits
	// archive is where the publisher says what its publications changed, nil if
	// nowhere, or if the document did not come from the publisher.
	archive *archive
	source  string    // for people, the locations of its documents
	read    time.Time // when the publisher was asked for it
	fetched []screen.Fetched
	// written is when the file that a publisher's list was read from was last
	// written; zero for what came from the publisher, and for an operator's own
	// list, which is nowhere else.
	written time.Time
	size    int64 // bytes that came
	given   bool  // an operator said where it is
	dated   bool  // its date is not merely that on which it was read
	judged  *judgement
	readBy  string // the version of this program
	// newer is the version of the program that read the publication which is served,
	// if it is a newer one; "" if not.
	newer string
	// passedOver is why the publisher's locations before this one were not taken.
	passedOver error
	// elsewhere says that this was another location than that of the publication that
	// is served, after the first failed.
	elsewhere bool
}

// verification is what the document proves, once it is in a snapshot.
func (d *Document) verification() screen.Verification {
	return screen.Verification{At: d.read, Source: d.source, Fetched: d.fetched, ReadBy: d.readBy}
}

// errNotModified says that the publisher has nothing newer than what a snapshot
// holds.
var errNotModified = errors.New("not modified")

// An unreadableError says that a document came that is of a form of the list, and
// that it cannot be read.
type unreadableError struct{ error }

func (e *unreadableError) Unwrap() error { return e.error }

// Read reads one publication, whole or not at all: its documents are read to their
// ends and the checksums of archives hold.
func Read(ctx context.Context, src Source, f *fetch.Fetcher) (*Document, error) {
	list, err := Lookup(src.List)
	if err != nil {
		return nil, err
	}
	return list.read(ctx, src, f, screen.Verification{}, nil)
}

// read reads one publication from where the source says, or from the first of the
// publisher's locations that has one which accept takes; accept says whether it is
// news. known is what the snapshot at hand was last compared with: a publisher that
// has nothing newer ends it with errNotModified, beside a document that says where.
func (r *Registered) read(ctx context.Context, src Source, f *fetch.Fetcher, known screen.Verification, accept func(*Document) (news bool, err error)) (*Document, error) {
	locations := r.Locations
	if len(src.Documents) > 0 {
		locations = [][]string{src.Documents}
	}
	if len(locations) == 0 {
		return nil, fmt.Errorf("list %s: no source given, and no publisher's address to read it from: %s", r.ID, r.Note)
	}
	var failures []error
	unread := false
	for _, documents := range locations {
		d, err := r.readFrom(ctx, documents, src.PublishedOn, f, known)
		if err == nil && len(src.Documents) == 0 {
			d.archive = r.archive
		}
		news := err == nil
		if err == nil && accept != nil {
			if news, err = accept(d); err != nil {
				err = fmt.Errorf("%s: %w", d.source, err)
			}
		}
		same := errors.Is(err, errNotModified) || err == nil && !news
		if same && unread {
			// What could not be read before may be newer.
			err = fmt.Errorf("%s: it has nothing newer than what is loaded", d.source)
		}
		if err == nil || errors.Is(err, errNotModified) {
			d.passedOver = errors.Join(failures...)
			return d, err
		}
		failures = append(failures, err)
		if _, is := errors.AsType[*unreadableError](err); is {
			unread = true
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("list %s: %w", r.ID, errors.Join(failures...))
}

// readFrom reads the publication that is made up of the documents at the given
// locations.
func (r *Registered) readFrom(ctx context.Context, locations []string, on screen.Date, f *fetch.Fetcher, known screen.Verification) (*Document, error) {
	d := &Document{List: r.List, limits: r.limits, read: now()}
	var names []string
	var opened []io.Reader
	var documents []*document.Document
	var fromServer []int // index in documents of each of d.fetched
	var modified time.Time
	for _, location := range locations {
		var validators fetch.Validators
		// Of several documents one may change alone.
		if len(locations) == 1 {
			validators = lastValidators(location, known, d.read)
		}
		file, err := f.Get(ctx, location, validators)
		if err != nil {
			return nil, err
		}
		if file.NotModified {
			d.source, d.fetched = file.Name, known.Fetched
			return d, errNotModified
		}
		defer file.Close()
		names = append(names, file.Name)
		doc, err := document.Open(file.Name, file.Reader, r.forms)
		if err != nil {
			return nil, r.explain(err)
		}
		defer doc.Close()
		opened, documents = append(opened, doc), append(documents, doc)
		d.size += file.Size
		if file.Modified.After(modified) {
			modified = file.Modified
		}
		if file.Local {
			if r.Kind != screen.KindInternal && file.Modified.After(d.written) {
				d.written = file.Modified
			}
			continue
		}
		fromServer = append(fromServer, len(documents)-1)
		d.fetched = append(d.fetched, screen.Fetched{
			URL: fetchedKey(file.Name, file.Key), ETag: file.Validators.ETag, LastModified: file.Validators.LastModified, At: d.read,
		})
	}
	d.source = strings.Join(names, between)
	pub, err := r.parse(opened)
	if err != nil {
		return nil, &unreadableError{fmt.Errorf("%s: %w", d.source, r.explain(err))}
	}
	digests := make([]byte, 0, len(documents)*sha256.Size)
	for i, doc := range documents {
		digest, err := doc.Digest()
		if err != nil {
			return nil, &unreadableError{err}
		}
		if n := slices.Index(fromServer, i); n >= 0 {
			d.fetched[n].Digest = digest
		}
		digests = append(digests, digest[:]...)
	}
	// One document is identified by its own digest, several by that of theirs.
	pub.Digest = screen.Digest(digests)
	if len(documents) > 1 {
		pub.Digest = sha256.Sum256(digests)
	}
	pub.List = r.ID
	d.dated = pub.PublishedOn != 0 || on != 0 || len(d.fetched) > 0 && !modified.IsZero()
	if pub.PublishedOn, err = publishedOn(pub.PublishedOn, on, modified, len(d.fetched) > 0, d.read); err != nil {
		return nil, fmt.Errorf("%s: %w", d.source, err)
	}
	// The commonest defect in this field is an empty parse taken for a success.
	if pub.Records == 0 || len(pub.Parties) == 0 && !r.limits.mayBeEmpty {
		return nil, &unreadableError{fmt.Errorf("%s: no digital currency addresses in %s: this is not the list it should be", d.source, phrase.Count(pub.Records, "entry"))}
	}
	countUnknownSymbols(pub)
	d.Publication = pub
	return d, nil
}

// explain adds to an error about a document of an operator's own list what such a
// list is: the commonest mistake is a misspelt id of a published one.
func (r *Registered) explain(err error) error {
	if r.Kind != screen.KindInternal {
		return err
	}
	return fmt.Errorf("%w (%s)", err, r.Note)
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// fetchedKey names a location in a verification, without what may be secret in it.
func fetchedKey(name, key string) string { return name + "#" + key }

// lastValidators are what to ask a server with whether a document changed that is
// in the snapshot at hand, none if it is to be read whole.
func lastValidators(location string, known screen.Verification, now time.Time) fetch.Validators {
	if len(known.Fetched) != 1 {
		return fetch.Validators{}
	}
	last := known.Fetched[0]
	age := now.Sub(last.At)
	if last.URL != fetchedKey(fetch.Name(location), fetch.Key(location)) || age < 0 || age > trustUnmodified {
		return fetch.Validators{}
	}
	return fetch.Validators{ETag: last.ETag, LastModified: last.LastModified}
}

// publishedOn is the date of a publication: what the document says, else what the
// operator says, else what the publisher's server says, else today: it holds from
// the day on which it is loaded.
func publishedOn(document, operator screen.Date, modified time.Time, fetched bool, read time.Time) (screen.Date, error) {
	switch {
	case document != 0 && operator != 0 && document != operator:
		return 0, fmt.Errorf("it says of itself that it is of %s, the source says %s", document, operator)
	case document != 0:
		return document, nil
	case operator != 0:
		return operator, nil
	case fetched && !modified.IsZero():
		return screen.DateOf(modified), nil
	}
	return screen.DateOf(read), nil
}

// countUnknownSymbols counts the rows of symbols that no network is known for. They
// are loaded as they stand: the symbol is not identity. But a new one is news.
func countUnknownSymbols(pub *screen.Publication) {
	for i := range pub.Parties {
		for j := range pub.Parties[i].Addresses {
			symbol := pub.Parties[i].Addresses[j].Symbol
			if symbol == "" || address.KnownSymbol(symbol) {
				continue
			}
			if pub.Unexpected == nil {
				pub.Unexpected = map[string]int{}
			}
			pub.Unexpected[fmt.Sprintf("symbol %.20q", symbol)]++
		}
	}
}
