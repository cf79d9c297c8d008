package xmlstream

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"

	"walletscreen/loader/parsertest"
)

// TestRealPublication reads a real publication of 121 MB here and with
// encoding/xml, which see the same in it.
func TestRealPublication(t *testing.T) {
	const name = "../../../shared/data/ofac/sdn_advanced/SDN_ADVANCED-2025-11-19.xml.bz2"
	if parsertest.UnderRace {
		t.Skip("not run with -race: a publication of 120 MB, and one goroutine")
	}
	if testing.Short() {
		t.Skip("not run with -short: encoding/xml over a whole publication")
	}
	open := func() io.Reader {
		f, err := os.Open(name)
		if err != nil {
			t.Skipf("not run: it needs a real SDN_ADVANCED.XML beside the project: %v", err)
		}
		t.Cleanup(func() { f.Close() })
		return bufio.NewReaderSize(bzip2.NewReader(bufio.NewReader(f)), 1<<16)
	}
	s := New(open())
	s.keep = true
	d := xml.NewDecoder(open())
	var text []byte
	for n := 0; ; n++ {
		got, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		var want xml.Token
		text = text[:0]
		for {
			if want, err = d.Token(); err != nil && err != io.EOF {
				t.Fatal(err)
			}
			if chars, ok := want.(xml.CharData); ok {
				text = append(text, chars...)
			} else if _, ok := want.(xml.ProcInst); !ok {
				break
			}
		}
		if s.Depth() > 0 && n > 0 && !bytes.Equal(s.text, text) {
			t.Fatalf("line %d: text %q, want %q", s.Line(), s.text, text)
		}
		s.text = s.text[:0]
		switch want := want.(type) {
		case xml.StartElement:
			same := got == StartElement && string(s.Name) == want.Name.Local && len(s.attrs) == len(want.Attr)
			for i := 0; same && i < len(want.Attr); i++ {
				same = strings.HasSuffix(string(s.attrs[i].name), want.Attr[i].Name.Local) && string(s.attrs[i].value) == want.Attr[i].Value
			}
			if !same {
				t.Fatalf("line %d: <%s %q>, want %v", s.Line(), s.Name, s.attrs, want)
			}
		case xml.EndElement:
			if got != EndElement {
				t.Fatalf("line %d: %v, want %v", s.Line(), got, want)
			}
		case nil:
			if got != EndDocument {
				t.Fatalf("line %d: %v, want the end", s.Line(), got)
			}
			return
		}
	}
}
