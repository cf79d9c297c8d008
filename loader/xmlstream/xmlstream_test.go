package xmlstream

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// events returns what a document holds as the scanner sees it: "<name a=v", text
// since the tag before, and ">" for an end.
func events(r io.Reader) (string, error) {
	var b strings.Builder
	s := New(r)
	s.keep = true
	for {
		t, err := s.Next()
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%q\n", s.text)
		s.text = s.text[:0]
		switch t {
		case StartElement:
			fmt.Fprintf(&b, "<%s", s.Name)
			for _, a := range s.attrs {
				fmt.Fprintf(&b, " %s=%q", a.name, a.value)
			}
			b.WriteByte('\n')
		case EndElement:
			b.WriteString(">\n")
		case EndDocument:
			return b.String(), nil
		}
	}
}

// eventsOfXML is events by encoding/xml, which does not check what may stand
// outside the root.
func eventsOfXML(r io.Reader) (string, error) {
	var b strings.Builder
	var text []byte
	flush := func() {
		fmt.Fprintf(&b, "%q\n", text)
		text = text[:0]
	}
	depth := 0
	d := xml.NewDecoder(r)
	for {
		t, err := d.Token()
		if err == io.EOF {
			flush()
			return b.String(), nil
		} else if err != nil {
			return b.String(), err
		}
		switch t := t.(type) {
		case xml.StartElement:
			flush()
			fmt.Fprintf(&b, "<%s", t.Name.Local)
			for _, a := range t.Attr {
				name := a.Name.Local
				if a.Name.Space != "" {
					name = "?:" + name
				}
				fmt.Fprintf(&b, " %s=%q", name, a.Value)
			}
			b.WriteByte('\n')
			depth++
		case xml.EndElement:
			flush()
			b.WriteString(">\n")
			depth--
		case xml.CharData:
			if depth > 0 {
				text = append(text, t...)
			}
		}
	}
}

// withoutPrefixes makes the attribute names of events those of eventsOfXML.
func withoutPrefixes(events string) string {
	lines := strings.Split(events, "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, "<") {
			continue
		}
		fields := strings.SplitAfter(l, " ")
		for j, f := range fields[1:] {
			name, rest, isAttr := strings.Cut(f, "=\"")
			if _, local, ok := strings.Cut(name, ":"); ok && isAttr && nameLen([]byte(name)) == len(name) {
				fields[1+j] = "?:" + local + "=\"" + rest
			}
		}
		lines[i] = strings.Join(fields, "")
	}
	return strings.Join(lines, "\n")
}

// What the scanner accepts, encoding/xml accepts, and they see the same.
func TestScannerAgainstEncodingXML(t *testing.T) {
	tests := []string{
		`<a/>`,
		`<a></a >`,
		"\ufeff<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<!-- x --><a\n b = \"1\"\tc='2'  />\n<!-- y -->\n<?pi?>",
		"<a>1\r\n2\r3\n4</a>",
		"<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#13;&#x1F600;</a>",
		`<a b="&lt;&#10;'>" c='">/' d="a]]b" e=""/>`,
		"<a>x<![CDATA[<b>&amp;]]]]><![CDATA[>]]>y<!-- z -->w<?pi <x> ?>v</a>",
		"<a>] ]] ]]] ]&gt; ü 漢 😀 \ufffd \u007f</a>",
		`<p:a xmlns:p="u" xmlns="v" p:b="1" b="2"><p:c></p:c><c/></p:a>`,
		"<a><b><c/>1</b>2<b>3</b></a>",
		"<_a.b-c_1/>",
		"<a b='x\r\ny\tz'/>",
	}
	for _, in := range tests {
		got, err := events(iotest.OneByteReader(strings.NewReader(in)))
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		want, err := eventsOfXML(strings.NewReader(in))
		if err != nil {
			t.Fatalf("%q: encoding/xml: %v", in, err)
		}
		if got := withoutPrefixes(got); got != want {
			t.Errorf("%q\ngot:\n%s\nwant:\n%s", in, got, want)
		}
	}
}

// Whatever lies across the end of what was read so far is read whole.
func TestScannerAtEndOfBuffer(t *testing.T) {
	const rest = "<!-- y --><![CDATA[z]]>&amp;<?p i?><b c='>'/>\r\n<d></d></a>"
	size := len(New(nil).buf)
	for n := size - len(rest) - len("<a>"); n <= size; n++ {
		in := "<a>" + strings.Repeat("x", n) + rest
		got, err := events(strings.NewReader(in))
		if err != nil {
			t.Fatalf("%d bytes before: %v", n, err)
		}
		want, err := eventsOfXML(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("%d bytes before: got ...%s", n, got[len(got)-200:])
		}
	}
}

func TestScannerErrors(t *testing.T) {
	long := strings.Repeat("x", maxToken+1)
	var attrs strings.Builder
	for i := range maxAttrs + 1 {
		fmt.Fprintf(&attrs, " a%d=''", i)
	}
	tests := []struct{ name, input, want string }{
		{"nothing", "", "line 1: unexpected EOF: no root element"},
		{"only a comment", "<!-- x -->\n", "line 2: unexpected EOF: no root element"},
		{"no end", "<a>\n<b>", "line 2, in a/b: unexpected EOF inside <b>: the document is cut short"},
		{"half a tag", "<a>\n<b x='", "line 2, in a: unexpected EOF inside a tag"},
		{"half an end tag", "<a>\n</a", "line 2, in a: unexpected EOF inside an end tag"},
		{"half a comment", "<a><!-- x --", "unexpected EOF inside a comment"},
		{"half a comment's beginning", "<a><!-", "unexpected EOF inside a declaration"},
		{"half a CDATA section", "<a><![CDATA[ x ]]", "unexpected EOF inside a CDATA section"},
		{"half an instruction", "<a><?x ?", "unexpected EOF inside a processing instruction"},
		{"other end tag", "<a>\n<b></a>", "line 2, in a/b: end tag </a>, want </b>"},
		{"other prefix", "<x:a></y:a>", "end tag </y:a>, want </x:a>"},
		{"end without start", "<a/></a>", "line 1: end tag </a> without a start"},
		{"second root", "<a/>\n<b/>", "line 2: a second root element <b>"},
		{"text before", "x<a/>", `line 1: text outside the root element: "x`},
		{"text behind", "<a/>\n\n x", `line 3: text outside the root element: "x"`},
		{"CDATA behind", "<a/><![CDATA[]]>", "text outside the root element"},
		{"garbage behind", "<a/>\x00", "text outside the root element"},
		{"DOCTYPE", "\n<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", "line 2: a DOCTYPE or other declaration, which is refused: \"<!DOCTYPE a [<!ENTITY x 'y'>]><a/>\""},
		{"ENTITY", "<a><!ENTITY x 'y'></a>", "in a: a DOCTYPE or other declaration"},
		{"entity", "<a>\n\n&x;</a>", "line 3, in a: the entity &x;, which is refused"},
		{"entity in attribute", "<a>\n<b c='&nbsp;'/></a>", "line 2, in a: <b>: attribute c: the entity &nbsp;, which is refused"},
		{"bare &", "<a>x & y</a>", "a \"&\" that begins no reference"},
		{"&#0;", "<a>&#0;</a>", "the reference &#0; to no character"},
		{"&#xD800;", "<a>&#xD800;</a>", "the reference &#xD800; to no character"},
		{"&#-1;", "<a>&#-1;</a>", "to no character"},
		{"NUL", "<a>\x00</a>", "the character U+0000, which XML does not allow"},
		{"U+FFFF", "<a>\uffff</a>", "the character U+FFFF"},
		{"invalid UTF-8", "<a>\n\xe4</a>", "line 2, in a: invalid UTF-8 at e4"},
		{"invalid UTF-8 in a comment", "<a><!--\xe4--></a>", "invalid UTF-8"},
		{"invalid UTF-8 in an attribute", "<a b='\xe4'/>", "invalid UTF-8"},
		{"]]>", "<a>]]></a>", `"]]>" in text`},
		{"-- in comment", "<a><!-- -- --></a>", `"--" inside a comment`},
		{"no tag", "<a>1 < 2</a>", "a \"<\" that begins no tag"},
		{"empty tag", "<>", "a \"<\" that begins no tag"},
		{"attribute without value", "<a b/>", "attribute b has no value"},
		{"attribute without quotes", "<a b=1/>", "the value of attribute b is not quoted"},
		{"attribute twice", "<a b='1' b='2'/>", "attribute b twice"},
		{"attributes without blank", "<a b='1'c='2'/>", "want a blank and an attribute"},
		{"< in attribute", "<a b='<'/>", "a \"<\" in the value of attribute b"},
		{"name of colons", "<a:b:c/>", "not a name with a prefix"},
		{"version", "<?xml version='1.1'?><a/>", `XML version "1.1", want 1.0`},
		{"encoding", "<?xml version='1.0' encoding='ISO-8859-1'?><a/>", `encoding "ISO-8859-1", want UTF-8`},
		{"late declaration", "\n<?xml version='1.0'?><a/>", "an XML declaration, which may only begin the document"},
		{"UTF-16", "<\x00a\x00/\x00>\x00", "a \"<\" that begins no tag"},
		{"depth", strings.Repeat("<a>", maxDepth+1), "more than 64 open elements"},
		{"long text", "<a>" + long, "more than 1048576 bytes"},
		{"long text in pieces", "<a>" + strings.Repeat(strings.Repeat("x", 1<<16)+"<!-- -->", 17) + "</a>", "text of more than 1048576 bytes"},
		{"long comment", "<a><!--" + long, "more than 1048576 bytes"},
		{"long attribute", "<a b='" + long, "more than 1048576 bytes"},
		{"long name", "<" + long, "more than 1048576 bytes"},
		{"attributes", "<a" + attrs.String() + "/>", "more than 64 attributes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := events(strings.NewReader(tt.input))
			if err == nil {
				t.Fatalf("no error, want %q; got\n%.1000s", tt.want, got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

// A reader that fails must not look like one that ended.
func TestScannerReadError(t *testing.T) {
	for _, broken := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, in := range []string{"", "<a>", "<a", "<a/>", "<a/>\n"} {
			_, err := events(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)))
			if !errors.Is(err, broken) {
				t.Errorf("%q, then %v: %v", in, broken, err)
			}
		}
	}
	if _, err := events(zeroReader{}); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type zeroReader struct{}

func (zeroReader) Read([]byte) (int, error) { return 0, nil }

func FuzzScanner(f *testing.F) {
	for _, s := range []string{
		"<a/>", "<a b='&amp;'>x<!-- y --><![CDATA[z]]></a>", "<?xml version='1.0'?><p:a xmlns:p='q'>\r\n</p:a>",
		"<a>&x;</a>", "<!DOCTYPE a><a/>", "<a>]]></a>", "\ufeff<a/> ", "<a><b></a>",
	} {
		f.Add([]byte(s))
	}
	for _, name := range []string{"../ofac/testdata/advanced.xml", "../ofac/testdata/sdn.xml"} {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := events(bytes.NewReader(in))
		if err != nil {
			return // it may refuse more
		}
		want, err := eventsOfXML(bytes.NewReader(in))
		if err != nil {
			t.Fatalf("accepted, but encoding/xml says %v", err)
		}
		if bytes.ContainsRune(in, ':') {
			return // prefixes are told apart in the table test
		}
		if got != want {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestUnknown(t *testing.T) {
	s := New(strings.NewReader("<a><b><new/><new x='1'>text<c/></new></b></a>"))
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	err := s.Children(func() error {
		return s.Children(func() error { s.Unknown(); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Unexpected(); len(got) != 1 || got["element a/b/new"] != 2 {
		t.Errorf("Unexpected() = %v, want 2 of element a/b/new", got)
	}

	var b strings.Builder
	for i := range 3 * maxUnknown {
		fmt.Fprintf(&b, "<e%d/>", i)
	}
	s = New(strings.NewReader("<a>" + b.String() + "</a>"))
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	if err := s.Children(func() error { s.Unknown(); return nil }); err != nil {
		t.Fatal(err)
	}
	if got := s.Unexpected(); len(got) != maxUnknown+1 || got["other elements"] != 2*maxUnknown {
		t.Errorf("Unexpected() has %d descriptions, %d of other elements, want %d and %d", len(got), got["other elements"], maxUnknown+1, 2*maxUnknown)
	}
}
