// Package document opens what a publisher sends: one document, plain or
// compressed, told apart by its content and never by its name.
//
// Publishers and the mirrors between them offer the same publication as it is,
// in a zip of one member, or recompressed; a server that is down, or a firewall
// before it, answers with a page or a JSON body and status 200. So the beginning
// decides, before any parser runs: gzip, bzip2 and zip are undone, what remains
// is told apart by form, and a form that the list does not come in, UTF-16 and an
// empty file are refused by name. While the document is read, its decompressed
// bytes are counted and digested; that digest identifies the publication, however
// it was compressed.
package document

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"html"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"walletscreen/screen"
)

// MaxSize is the number of decompressed bytes that Open allows: 1 GiB, eight
// times the largest publication known (SDN_ADVANCED, 127 MB in September 2026).
const MaxSize = 1 << 30

const (
	sniffLen = 4096 // enough for declarations and comments before the root, and for a page's title
	quoteLen = 80

	// What a zip of one member may hold beside its content: headers, name and
	// comment are at most 64 KiB each, and deflate hardly expands.
	zipOverhead = 1 << 20
)

// A Form is what a document is written in, or with | a set of forms that a list
// comes in.
type Form uint8

const (
	XML  Form = 1 << iota // begins with a tag or declaration and is no HTML
	Text                  // anything else in UTF-8, CSV above all
	JSON                  // begins with { or [
	HTML                  // begins with a tag of HTML, after declarations and comments
	// XLSX is a workbook: a zip with the member [Content_Types].xml (ECMA-376, part
	// 2, 10.1.2). It is read as it is, not unpacked.
	XLSX
)

var formNames = [...]string{"XML", "text", "JSON", "HTML", "XLSX"}

// String returns the forms of a set as a sentence has them: "XML or text".
func (f Form) String() string {
	var names []string
	for i, name := range formNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if f >= 1<<len(formNames) {
		names = append(names, fmt.Sprintf("form(%#x)", uint8(f)&^(1<<len(formNames)-1)))
	}
	switch n := len(names); n {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
}

// A Document is one publisher's document, decompressed. It reads to a clean
// io.EOF only if the document, archive checksums included, was whole; every
// other end is an error, and stays. It is for one goroutine.
type Document struct {
	name    string
	want    Form
	form    Form
	body    *bufio.Reader
	limit   int64
	size    int64
	hash    hash.Hash
	err     error // sticky; io.EOF once the end was reached and is sound
	release []func() error
}

// Open begins to read the document r, of at most MaxSize decompressed bytes. It
// refuses a document that is in none of the forms wanted. The name is for errors
// only, which may quote the beginning of a document that is refused.
//
// A zip must hold exactly one member, unless it is a workbook and XLSX is wanted.
// It needs random access: r itself is used if it is an io.ReaderAt and io.Seeker,
// as an *os.File is, and must then stay open and unmoved until Close; anything
// else is copied to a temporary file, which leaves nothing behind however the
// process ends where a file can be removed while it is open, and elsewhere is
// removed by Close. Gzip members and bzip2 streams that follow one another are one
// document, as their formats say. An archive inside an archive is refused, a
// workbook among them. The reader r is never closed here.
func Open(name string, r io.Reader, want Form) (*Document, error) {
	return OpenLimit(name, r, MaxSize, want)
}

// OpenLimit is Open with another limit, in decompressed bytes; those of a workbook
// are the bytes of its file.
func OpenLimit(name string, r io.Reader, limit int64, want Form) (*Document, error) {
	d := &Document{name: name, want: want, limit: limit, hash: sha256.New()}
	if err := d.open(r); err != nil {
		return nil, errors.Join(d.wrap(err), d.Close())
	}
	return d, nil
}

// Form returns the one form that the document is in, one of those wanted.
func (d *Document) Form() Form { return d.form }

func (d *Document) wrap(err error) error {
	return fmt.Errorf("document %s: %w", d.name, err)
}

func (d *Document) open(r io.Reader) error {
	ra, size, random := randomAccess(r)
	br := bufio.NewReaderSize(r, 1<<16)
	head, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	format := archive(head)
	switch format {
	case "gzip":
		zr, err := gzip.NewReader(br)
		if err != nil {
			return fmt.Errorf("gzip: %w", notEOF(err))
		}
		d.read(zr)
	case "bzip2":
		d.read(bzip2.NewReader(br))
	case "zip":
		if !random {
			if ra, size, err = d.spool(br); err != nil {
				return err
			}
		}
		if err := d.openZip(ra, size); err != nil {
			return fmt.Errorf("zip: %w", err)
		}
	default:
		d.body = br
	}
	if d.form == XLSX {
		return nil
	}
	return d.sniff(format)
}

func (d *Document) read(r io.Reader) { d.body = bufio.NewReaderSize(r, 1<<16) }

// archive names the archive format that a document begins as, "" for none.
func archive(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		return "gzip"
	case len(head) >= 4 && string(head[:3]) == "BZh" && '1' <= head[3] && head[3] <= '9':
		return "bzip2"
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), // APPNOTE.TXT 4.3.7: a first member
		bytes.HasPrefix(head, []byte("PK\x05\x06")), // 4.3.16: an archive without members
		bytes.HasPrefix(head, []byte("PK\x07\x08")): // 8.5.3: the first of several volumes
		return "zip"
	}
	return ""
}

// randomAccess returns what is left of r, without reading it, if r allows it.
func randomAccess(r io.Reader) (io.ReaderAt, int64, bool) {
	f, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil, 0, false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, 0, false // a pipe, although an *os.File
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, false
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return nil, 0, false
	}
	return io.NewSectionReader(f, at, end-at), end - at, true
}

func (d *Document) spool(r io.Reader) (io.ReaderAt, int64, error) {
	f, err := os.CreateTemp("", "walletscreen-*.zip")
	if err != nil {
		return nil, 0, fmt.Errorf("spooling the zip: %w", err)
	}
	// Without a name, nothing is left of it even if the process is killed.
	if os.Remove(f.Name()) != nil {
		d.release = append(d.release, func() error { return os.Remove(f.Name()) })
	}
	d.release = append(d.release, f.Close)
	most := d.limit + zipOverhead
	n, err := io.Copy(f, io.LimitReader(r, most+1))
	if err != nil {
		return nil, 0, fmt.Errorf("spooling the zip: %w", err)
	}
	if n > most {
		return nil, 0, fmt.Errorf("zip of more than %d bytes for a document of at most %d", most, d.limit)
	}
	return f, n, nil
}

func (d *Document) openZip(ra io.ReaderAt, size int64) error {
	zr, err := zip.NewReader(ra, size)
	if err != nil {
		return notEOF(err)
	}
	if len(zr.File) > 1 && slices.ContainsFunc(zr.File, func(f *zip.File) bool { return f.Name == contentTypes }) {
		if d.want&XLSX == 0 {
			return fmt.Errorf("is an XLSX workbook, want %s", d.want)
		}
		d.form = XLSX
		d.read(io.NewSectionReader(ra, 0, size))
		return nil
	}
	if len(zr.File) != 1 {
		var names []string
		for i, f := range zr.File {
			if i == 5 {
				names = append(names, "...")
				break
			}
			names = append(names, fmt.Sprintf("%.60q", f.Name))
		}
		return fmt.Errorf("%d members, want exactly one: [%s]", len(zr.File), strings.Join(names, " "))
	}
	f := zr.File[0]
	if f.Flags&1 != 0 { // APPNOTE.TXT 4.4.4; archive/zip would hand out the ciphertext
		return fmt.Errorf("member %.60q is encrypted", f.Name)
	}
	rc, err := f.Open()
	if err != nil {
		return fmt.Errorf("member %.60q: %w", f.Name, notEOF(err))
	}
	d.release = append(d.release, rc.Close)
	d.read(rc)
	return nil
}

// contentTypes is the member that makes a zip an Office document.
const contentTypes = "[Content_Types].xml"

// sniff tells the form of the document and refuses one that is not wanted.
func (d *Document) sniff(format string) error {
	head, err := d.body.Peek(sniffLen)
	if err != nil && err != io.EOF {
		if format != "" {
			err = fmt.Errorf("%s: %w", format, err)
		}
		return err
	}
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	switch {
	case len(text) == 0 && err == io.EOF:
		if len(head) > 0 {
			return fmt.Errorf("holds nothing but %d bytes of white space", len(head))
		}
		return errors.New("is empty")
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")),
		bytes.HasPrefix(head, []byte("<\x00")), bytes.HasPrefix(head, []byte("\x00<")):
		return fmt.Errorf("UTF-16 text, want UTF-8: it begins % x", head[:min(len(head), 8)])
	case format != "" && archive(head) != "":
		return fmt.Errorf("%s inside %s: unpack it once before", archive(head), format)
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")): // [MS-CFB] 2.2
		return errors.New("is a workbook in the format before 2007 or with a password: save it as XLSX")
	case bytes.HasPrefix(head, []byte("%PDF-")): // ISO 32000-1, 7.5.2
		return fmt.Errorf("is a PDF, want %s", d.want)
	}
	d.form = formOf(text)
	switch {
	case d.form&d.want != 0:
		return nil
	case d.form == HTML:
		if title := titleOf(text); title != "" {
			return fmt.Errorf("is an HTML page titled %s, want %s", title, d.want)
		}
		return fmt.Errorf("is an HTML page, want %s: it begins %s", d.want, quote(text))
	}
	return fmt.Errorf("is %s, want %s: it begins %s", d.form, d.want, quote(text))
}

// formOf tells the form of a document that begins with text, an archive undone.
func formOf(text []byte) Form {
	switch {
	case isHTML(text):
		return HTML
	case len(text) > 0 && text[0] == '<':
		return XML
	case len(text) > 0 && (text[0] == '{' || text[0] == '['):
		return JSON
	}
	return Text
}

// titleOf returns what a page that begins with text has between <title> and
// </title>, quoted, "" if that does not stand in the beginning.
func titleOf(text []byte) string {
	lower := bytes.ToLower(text)
	if len(lower) != len(text) { // a letter whose lower case is longer moved what follows
		lower = text
	}
	start := bytes.Index(lower, []byte("<title"))
	if start < 0 {
		return ""
	}
	open := bytes.IndexByte(lower[start:], '>')
	if open < 0 {
		return ""
	}
	start += open + 1
	n := bytes.Index(lower[start:], []byte("</title"))
	if n < 0 {
		return ""
	}
	title := bytes.TrimSpace([]byte(html.UnescapeString(string(text[start : start+n]))))
	if len(title) == 0 {
		return ""
	}
	return quote(title)
}

// htmlTags are the tags that a page begins with, a document of any publisher
// never.
var htmlTags = []string{"html", "head", "body", "title", "h1", "center", "script", "meta"}

// isHTML reports whether text begins as an HTML or XHTML page, after any
// declarations and comments.
func isHTML(text []byte) bool {
	for {
		text = bytes.TrimSpace(text)
		end := ""
		switch {
		case bytes.HasPrefix(text, []byte("<?")):
			end = "?>"
		case bytes.HasPrefix(text, []byte("<!--")):
			end = "-->"
		default:
			lower := bytes.ToLower(text[:min(len(text), 32)])
			if bytes.HasPrefix(lower, []byte("<!doctype html")) {
				return true
			}
			name, ok := bytes.CutPrefix(lower, []byte("<"))
			n := 0
			for n < len(name) && ('a' <= name[n] && name[n] <= 'z' || '0' <= name[n] && name[n] <= '9' || name[n] == '-' || name[n] == '_' || name[n] == ':') {
				n++
			}
			return ok && slices.Contains(htmlTags, string(name[:n]))
		}
		i := bytes.Index(text, []byte(end))
		if i < 0 {
			return false
		}
		text = text[i+len(end):]
	}
}

// quote returns the beginning of text, its unprintable characters as blanks, in
// quotation marks.
func quote(text []byte) string {
	text = text[:min(len(text), quoteLen)]
	for len(text) > 0 { // not half a character at the cut
		if r, n := utf8.DecodeLastRune(text); r != utf8.RuneError || n != 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return fmt.Sprintf("%q", strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, string(text)))
}

// notEOF turns an end of input inside an archive's structure into what it is,
// so that nobody takes it for the end of the document.
func notEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (d *Document) tooLarge() error {
	return fmt.Errorf("more than the %d bytes allowed", d.limit)
}

// Read reads decompressed bytes.
func (d *Document) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.body.Read(p)
	if left := d.limit - d.size; int64(n) > left {
		n, err = int(left), d.tooLarge()
	}
	d.size += int64(n)
	d.hash.Write(p[:n])
	if err != nil && err != io.EOF {
		err = fmt.Errorf("document %s, after %d bytes: %w", d.name, d.size, err)
	}
	d.err = err
	return n, err
}

// Digest reads what is left of the document and returns the SHA-256 of all its
// decompressed bytes, or an error if the document cannot be read to a sound end:
// there is no digest of a part. After Close it answers only if the end had been
// reached before.
func (d *Document) Digest() (screen.Digest, error) {
	if _, err := io.Copy(io.Discard, struct{ io.Reader }{d}); err != nil {
		return screen.Digest{}, err
	}
	return screen.Digest(d.hash.Sum(nil)), nil
}

// Size returns the number of decompressed bytes read so far: the size of the
// document once Digest has answered.
func (d *Document) Size() int64 { return d.size }

// Close releases what Open took, a temporary file above all. It does not close
// the reader given to Open. It may be called again.
func (d *Document) Close() error {
	var errs []error
	for len(d.release) > 0 {
		last := len(d.release) - 1
		errs = append(errs, d.release[last]())
		d.release = d.release[:last]
	}
	if d.err == nil {
		d.err = d.wrap(os.ErrClosed)
	}
	if err := errors.Join(errs...); err != nil {
		return d.wrap(err)
	}
	return nil
}
