package document

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"walletscreen/screen"
)

const page = "<?xml version=\"1.0\"?>\r\n<sdnList>\r\n  <!-- ten parties -->\r\n</sdnList>\r\n"

// pageBzip2 is page, compressed by bzip2 1.0.8: the standard library only reads.
const pageBzip2 = "" +
	"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xbb\x39\x60\x8c\x00\x00\x0d\xdd\x80\x00\x12\x70\x03\xe0" +
	"\x07\x80\x04\x26\x27\xdd\x40\x20\x00\x40\xd5\x30\x69\xa8\xc9\xe9\x34\x34\x33\x48\x50\x00\x34\x00" +
	"\x00\xc0\x26\x03\x6e\xff\x0e\xc9\x44\x7c\xa2\xda\x12\x24\x27\xa4\xb0\x6c\xa9\x1c\x05\xe8\x09\x7e" +
	"\x6b\xac\x2f\x9c\x2a\x83\xab\xd5\x88\xb9\x21\x31\x17\x33\x9f\xc5\xdc\x91\x4e\x14\x24\x2e\xce\x58" +
	"\x23\x00"

// emptyBzip2 is a bzip2 stream of no bytes.
const emptyBzip2 = "BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// zipped returns a zip of the members, given as name, text, name, text.
func zipped(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		f, err := w.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, members[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// stream hides everything of r but Read.
func stream(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// read reads a document of XML or text to its end and returns text and digest.
func read(r io.Reader, limit int64) (text string, digest screen.Digest, err error) {
	return readForm(r, limit, XML|Text)
}

func readForm(r io.Reader, limit int64, want Form) (text string, digest screen.Digest, err error) {
	d, err := OpenLimit("d", r, limit, want)
	if err != nil {
		return "", digest, err
	}
	b, err := io.ReadAll(d)
	if err != nil {
		return string(b), digest, errors.Join(err, d.Close())
	}
	digest, err = d.Digest()
	if err == nil && d.Size() != int64(len(b)) {
		err = fmt.Errorf("size %d after %d bytes", d.Size(), len(b))
	}
	return string(b), digest, errors.Join(err, d.Close())
}

func TestOpen(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"plain", page, page},
		{"one byte", "x", "x"},
		{"byte order mark", "\ufeff" + page, "\ufeff" + page},
		{"gzip", gzipped(t, page), page},
		{"gzip of two members", gzipped(t, page[:20]) + gzipped(t, page[20:]), page},
		{"bzip2", pageBzip2, page},
		{"bzip2 of two streams", pageBzip2 + pageBzip2, page + page},
		{"zip", zipped(t, "SDN.XML", page), page},
		{"zip in a folder", zipped(t, "exports/SDN.XML", page), page},
		{"long", strings.Repeat(page, 5000), strings.Repeat(page, 5000)},
		{"long gzip", gzipped(t, strings.Repeat(page, 5000)), strings.Repeat(page, 5000)},
		{"long zip", zipped(t, "x", strings.Repeat(page, 5000)), strings.Repeat(page, 5000)},
		{"html further down", "<sdnList><html/></sdnList>", "<sdnList><html/></sdnList>"},
		{"csv", "address,symbol\n", "address,symbol\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			readers := map[string]io.Reader{
				"random access": strings.NewReader(tt.input),
				"stream":        stream(tt.input),
				"one byte":      iotest.OneByteReader(strings.NewReader(tt.input)),
				"error at end":  iotest.DataErrReader(strings.NewReader(tt.input)),
			}
			for name, r := range readers {
				text, digest, err := read(r, int64(len(tt.want)))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if text != tt.want {
					t.Errorf("%s: read %.100q, want %.100q", name, text, tt.want)
				}
				if want := screen.Digest(sha256.Sum256([]byte(tt.want))); digest != want {
					t.Errorf("%s: digest %v, want %v", name, digest, want)
				}
			}
		})
	}
}

// workbook is a zip with the members of an XLSX workbook, as far as Open looks.
func workbook(t testing.TB) string {
	return zipped(t, "[Content_Types].xml", "<Types/>", "xl/workbook.xml", "<workbook/>")
}

// A document is opened in the forms wanted and refused by name in any other.
func TestForms(t *testing.T) {
	const anything = XML | Text | JSON | HTML | XLSX
	page503 := "<html><head><title>503 &amp; back soon</title></head></html>"
	tests := []struct {
		name, input string
		form        Form
		unwanted    string // the error if everything else is wanted
	}{
		{"xml", page, XML, `is XML, want text, JSON, HTML or XLSX: it begins "<?xml version=\"1.0\"?>  <sdnList>`},
		{"xml with doctype", "<!DOCTYPE sdnList>\n<sdnList/>", XML, "is XML"},
		{"xml after a long comment", "<!-- " + strings.Repeat("html ", 2000) + "-->\n<sdnList/>", XML, "is XML"},
		{"xml that begins as a word of HTML", "<headquarters/>", XML, "is XML"},
		{"xml with a prefix", "<html:list/>", XML, "is XML"},
		{"csv", "\ufeffaddress,symbol\n", Text, `is text, want XML, JSON, HTML or XLSX: it begins "address,symbol"`},
		{"csv in zip", zipped(t, "a.csv", "address,symbol\n"), Text, "is text"},
		{"json", "\ufeff\n{\"a\":1}", JSON, `is JSON, want XML, text, HTML or XLSX: it begins "{\"a\":1}"`},
		{"json array in gzip", gzipped(t, "[1]"), JSON, `is JSON, want XML, text, HTML or XLSX: it begins "[1]"`},
		{"json in zip", zipped(t, "a.json", "{}"), JSON, `is JSON`},
		{"json of one line", "{" + strings.Repeat("x\x01", 5000), JSON, `is JSON, want XML, text, HTML or XLSX: it begins "{x x x`},
		{"html", page503, HTML, `is an HTML page titled "503 & back soon", want XML, text, JSON or XLSX`},
		{"html of a firewall", "<HTML><HEAD>\n<TITLE lang=en>\nAccess Denied\x1b</TITLE>", HTML, `is an HTML page titled "Access Denied ", want`},
		{"html with a long title", "<title>" + strings.Repeat("é", 200) + "</title>", HTML, `titled "` + strings.Repeat("é", 40) + `", want`},
		{"html with an empty title", "<html><title> </title>", HTML, `is an HTML page, want XML, text, JSON or XLSX: it begins "<html><title> </title>"`},
		{"html with an open title", "<html><title>x", HTML, `it begins "<html><title>x"`},
		{"html with a broken title", "<html><title x", HTML, `it begins "<html><title x"`},
		{"html without frame", "<h1>Not Found</h1>", HTML, `it begins "<h1>Not Found</h1>"`},
		{"html in zip", zipped(t, "a", page503), HTML, `is an HTML page titled "503 & back soon"`},
		{"xlsx", workbook(t), XLSX, "zip: is an XLSX workbook, want XML, text, JSON or HTML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]func() io.Reader{
				"random access": func() io.Reader { return strings.NewReader(tt.input) },
				"stream":        func() io.Reader { return stream(tt.input) },
			} {
				for _, want := range []Form{tt.form, anything} {
					d, err := Open("d", r(), want)
					if err != nil {
						t.Errorf("%s, want %s: %v", name, want, err)
						continue
					}
					if d.Form() != tt.form {
						t.Errorf("%s, want %s: form %s", name, want, d.Form())
					}
					if err := d.Close(); err != nil {
						t.Error(err)
					}
				}
				for _, want := range []Form{0, anything &^ tt.form} {
					_, err := Open("d", r(), want)
					if err == nil || !strings.Contains(err.Error(), "want "+want.String()) {
						t.Errorf("%s: %v, want it refused for %s", name, err, want)
					} else if want != 0 && !strings.Contains(err.Error(), tt.unwanted) {
						t.Errorf("%s: %v, want %q", name, err, tt.unwanted)
					} else if len(err.Error()) > 300 {
						t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
					}
				}
			}
		})
	}
}

// A workbook is handed on as it is, and its digest is that of the file.
func TestWorkbook(t *testing.T) {
	input := workbook(t)
	for name, r := range map[string]io.Reader{"random access": strings.NewReader(input), "stream": stream(input)} {
		text, digest, err := readForm(r, int64(len(input)), XLSX)
		if err != nil || text != input || digest != screen.Digest(sha256.Sum256([]byte(input))) {
			t.Errorf("%s: %d bytes of %d, digest %v, %v", name, len(text), len(input), digest, err)
		}
	}
	for name, tt := range map[string]struct{ input, want string }{
		"in gzip":                 {gzipped(t, input), "zip inside gzip"},
		"in zip":                  {zipped(t, "a.xlsx", input), "zip inside zip"},
		"cut":                     {input[:len(input)-30], "zip"},
		"too large":               {input + strings.Repeat("x", 2000), "bytes allowed"},
		"content types alone":     {zipped(t, "[Content_Types].xml", "<Types/>"), "is XML, want XLSX"},
		"several, and no office":  {zipped(t, "a", page, "b", page), "2 members, want exactly one"},
		"of a format before 2007": {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "save it as XLSX"},
		"a PDF":                   {"%PDF-1.7\n", "is a PDF, want XLSX"},
	} {
		text, _, err := readForm(stream(tt.input), 1000, XLSX)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: read %.40q, %v; want %q", name, text, err, tt.want)
		}
	}
	if text, _, err := readForm(stream(input), int64(len(input))-1, XLSX); err == nil || !strings.Contains(err.Error(), "bytes allowed") {
		t.Errorf("over the limit: read %d bytes, %v", len(text), err)
	}
}

func TestFormString(t *testing.T) {
	for form, want := range map[Form]string{
		0: "nothing", XML: "XML", XML | Text: "XML or text", Text | JSON | XLSX: "text, JSON or XLSX", HTML | 1<<6: "HTML or form(0x40)",
	} {
		if got := form.String(); got != want {
			t.Errorf("%d: %q, want %q", uint8(form), got, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	html := "<!DOCTYPE html>\n<html><head><title>503 Service\tUnavailable</title></head><body>" + strings.Repeat("é", 90)
	tests := []struct{ name, input, want string }{
		{"empty", "", "document d: is empty"},
		{"blank", " \r\n\t", "document d: holds nothing but 4 bytes of white space"},
		{"empty in gzip", gzipped(t, ""), "is empty"},
		{"empty in bzip2", emptyBzip2, "is empty"},
		{"empty in zip", zipped(t, "SDN.XML", ""), "is empty"},
		{"html", html, `document d: is an HTML page titled "503 Service Unavailable", want XML or text`},
		{"html in capitals", "\n<HTML>", `is an HTML page, want XML or text: it begins "<HTML>"`},
		{"html in gzip", gzipped(t, html), "is an HTML page"},
		{"xhtml", "\ufeff<?xml version=\"1.0\"?>\n<!-- x -->\n<html xmlns=\"http://www.w3.org/1999/xhtml\">", "is an HTML page"},
		{"json", ` {"message":"Forbidden"}`, `is JSON, want XML or text: it begins "{\"message\":\"Forbidden\"}"`},
		{"json array", `[]`, "is JSON"},
		{"utf-16 le", "\xff\xfe<\x00s\x00", "UTF-16 text, want UTF-8: it begins ff fe 3c 00"},
		{"utf-16 be", "\xfe\xff\x00<\x00s", "UTF-16 text"},
		{"utf-16 without mark", "<\x00s\x00d\x00n\x00", "UTF-16 text"},
		{"utf-16 be without mark", "\x00<\x00s\x00d\x00n", "UTF-16 text"},
		{"gzip in gzip", gzipped(t, gzipped(t, page)), "gzip inside gzip"},
		{"bzip2 in zip", zipped(t, "SDN.XML.bz2", pageBzip2), "bzip2 inside zip"},
		{"zip in gzip", gzipped(t, zipped(t, "SDN.XML", page)), "zip inside gzip"},
		{"zip of two", zipped(t, "SDN.XML", page, "SDN.XSD", page), `2 members, want exactly one: ["SDN.XML" "SDN.XSD"]`},
		{"zip of folder and file", zipped(t, "exports/", "", "exports/SDN.XML", page), `2 members, want exactly one: ["exports/" "exports/SDN.XML"]`},
		{"zip of seven", zipped(t, "1", "", "2", "", "3", "", "4", "", "5", "", "6", "", "7", ""), `7 members, want exactly one: ["1" "2" "3" "4" "5" ...]`},
		{"zip of none", zipped(t), "0 members, want exactly one: []"},
		{"zip encrypted", encrypted(zipped(t, "SDN.XML", page)), `member "SDN.XML" is encrypted`},
		{"gzip, then garbage", gzipped(t, page) + "garbage after it", "gzip: invalid header"},
		{"gzip, then one byte", gzipped(t, page) + "x", "unexpected EOF"},
		{"gzip, then zeros", gzipped(t, page) + strings.Repeat("\x00", 20), "gzip: invalid header"},
		{"bzip2, then garbage", pageBzip2 + "garbage", "bad magic value"},
		{"gzip checksum", flip(gzipped(t, page), -8), "gzip: invalid checksum"},
		{"bzip2 checksum", flip(pageBzip2, -4), "checksum mismatch"},
		{"zip checksum", flip(zipped(t, "SDN.XML", page), 50), "zip"},
		{"too large", page + strings.Repeat(" ", 2000), "document d, after 1000 bytes: more than the 1000 bytes allowed"},
		{"gzip bomb", gzipped(t, page+strings.Repeat(" ", 1<<20)), "more than the 1000 bytes allowed"},
		{"zip too large", zipped(t, "x", page) + strings.Repeat("x", 2<<20), "zip"},
		{"zip bomb", zipped(t, "x", page+strings.Repeat(" ", 1<<20)), "more than the 1000 bytes allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for name, r := range map[string]io.Reader{
				"random access": strings.NewReader(tt.input),
				"stream":        stream(tt.input),
			} {
				text, _, err := read(r, 1000)
				if err == nil {
					t.Fatalf("%s: read %.100q without error, want %q", name, text, tt.want)
				}
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: %v, want %q", name, err, tt.want)
				}
			}
		})
	}
}

// encrypted sets the encryption flag of the only member, in both its headers.
func encrypted(z string) string {
	b := []byte(z)
	b[6] |= 1
	b[strings.Index(z, "PK\x01\x02")+8] |= 1
	return string(b)
}

// flip inverts the lowest bit of byte i, from the end if negative.
func flip(s string, i int) string {
	if i < 0 {
		i += len(s)
	}
	return s[:i] + string([]byte{s[i] ^ 1}) + s[i+1:]
}

// A document cut short anywhere must never read to a clean end.
func TestTruncated(t *testing.T) {
	for name, whole := range map[string]string{
		"gzip": gzipped(t, page), "bzip2": pageBzip2, "zip": zipped(t, "SDN.XML", page),
	} {
		for n := 1; n < len(whole); n++ {
			text, _, err := read(stream(whole[:n]), MaxSize)
			// A stub that is too short to be told from text is read as text.
			if err == nil && text != whole[:n] || err == nil && n >= 4 {
				t.Errorf("%s cut at byte %d of %d: read %q without error", name, n, len(whole), text)
			}
		}
	}
}

func TestReadErrorStays(t *testing.T) {
	broken := errors.New("connection reset")
	d, err := Open("d", io.MultiReader(strings.NewReader(page), iotest.ErrReader(broken)), XML|Text)
	if err == nil {
		_, err = io.ReadAll(d)
	}
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "document d") {
		t.Fatalf("reading: %v, want %v", err, broken)
	}

	d, err = Open("d", strings.NewReader(gzipped(t, strings.Repeat(page, 5000))[:200]), XML|Text)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if sum, err := d.Digest(); !errors.Is(err, io.ErrUnexpectedEOF) || !sum.IsZero() {
			t.Errorf("digest of a part: %v, %v", sum, err)
		}
	}
}

func TestDigestReadsTheRest(t *testing.T) {
	d, err := Open("d", stream(zipped(t, "x", page)), XML|Text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(d, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	want := screen.Digest(sha256.Sum256([]byte(page)))
	if sum, err := d.Digest(); err != nil || sum != want {
		t.Errorf("digest %v, %v; want %v", sum, err, want)
	}
	if d.Size() != int64(len(page)) {
		t.Errorf("size %d, want %d", d.Size(), len(page))
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if sum, err := d.Digest(); err != nil || sum != want {
		t.Errorf("digest after Close %v, %v; want %v", sum, err, want)
	}

	d, err = Open("d", strings.NewReader(page), XML|Text)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Digest(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("digest of a document closed before its end: %v", err)
	}
}

func TestTemporaryFileIsRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	left := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	d, err := Open("d", stream(zipped(t, "x", page)), XML|Text)
	if err != nil {
		t.Fatal(err)
	}
	// Where a file can be removed while it is open, not even a process that is
	// killed leaves it behind.
	if n := len(left()); n != 0 && runtime.GOOS != "windows" {
		t.Errorf("files while open: %v, want none", left())
	}
	if text, err := io.ReadAll(d); err != nil || string(text) != page {
		t.Errorf("read %q, %v from a file without a name", text, err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(left()) != 0 {
		t.Errorf("files after Close: %v", left())
	}
	if _, err := Open("d", stream(zipped(t, "x", page, "y", page)), XML|Text); err == nil {
		t.Error("two members: no error")
	}
	if len(left()) != 0 {
		t.Errorf("files after a failed Open: %v", left())
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	junk := "0123456789"
	if err := os.WriteFile(path, []byte(junk+zipped(t, "x", page)), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(int64(len(junk)), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if text, _, err := read(f, MaxSize); err != nil || text != page {
		t.Errorf("read %q, %v from where the file stood; want %q", text, err, page)
	}

	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.WriteString(w, zipped(t, "x", page)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if text, _, err := read(r, MaxSize); err != nil || text != page {
		t.Errorf("read %q, %v from a pipe; want %q", text, err, page)
	}
}

// FuzzOpen checks that no input reads past the limit, that random access and
// stream give the same, that a digest is given only for what was read whole, and
// that a document is in one of the forms wanted.
func FuzzOpen(f *testing.F) {
	for _, s := range []string{
		page, "", "{}", "<html><title>x</title>", gzipped(f, page), pageBzip2, emptyBzip2, zipped(f, "SDN.XML", page),
		zipped(f, "a", page, "b", page), gzipped(f, gzipped(f, page)), gzipped(f, page)[:30], workbook(f),
	} {
		f.Add([]byte(s), uint8(XML|Text))
		f.Add([]byte(s), uint8(JSON|HTML|XLSX))
	}
	f.Fuzz(func(t *testing.T, input []byte, forms uint8) {
		const limit = 1 << 16
		want := Form(forms)
		text, digest, err := readForm(bytes.NewReader(input), limit, want)
		if len(text) > limit {
			t.Fatalf("read %d bytes, limit %d", len(text), limit)
		}
		if err == nil && digest != screen.Digest(sha256.Sum256([]byte(text))) {
			t.Fatalf("digest %v is not of what was read", digest)
		}
		text2, digest2, err2 := readForm(stream(string(input)), limit, want)
		if (err == nil) != (err2 == nil) || err == nil && (text != text2 || digest != digest2) {
			t.Fatalf("random access: %d bytes, %v; stream: %d bytes, %v", len(text), err, len(text2), err2)
		}
		d, err := OpenLimit("d", bytes.NewReader(input), limit, want)
		if err != nil {
			return
		}
		if form := d.Form(); form&want == 0 || form&(form-1) != 0 || form == XLSX && string(input[:2]) != "PK" {
			t.Fatalf("form %s, want %s", form, want)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
