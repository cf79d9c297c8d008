package xmlstream

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// begin returns a scanner behind the start tag of the root.
func begin(t *testing.T, doc string) *Scanner {
	t.Helper()
	s := New(strings.NewReader(doc))
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTexts(t *testing.T) {
	for _, tt := range []struct {
		doc  string
		want []string
	}{
		{"<a/>", nil},
		{"<a x='of its own'> \r\n </a>", nil},
		{"<a>one\ntwo </a>", []string{"one\ntwo "}},
		{"<a>one<!-- no --><![CDATA[ & ]]>two&#65;</a>", []string{"one & twoA"}},
		{"<a>one<b x='1' y='&lt;' z=''>two</b>three<c/> </a>", []string{"one", "1", "<", "two", "three"}},
	} {
		s := begin(t, tt.doc)
		got, err := s.Texts()
		if !slices.Equal(got, tt.want) || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.doc, got, err, tt.want)
		}
		if want := len(strings.Join(got, "")) + StringCost*len(got); s.Kept != want {
			t.Errorf("%s: %d bytes kept, want %d", tt.doc, s.Kept, want)
		}
		if next, err := s.Next(); next != EndDocument || err != nil {
			t.Errorf("%s: behind the element %v, %v", tt.doc, next, err)
		}
	}
	// What was collected is not in the way of what follows.
	s := begin(t, "<r><a>one<b/></a><c>two</c></r>")
	var all []string
	err := s.Children(func() error {
		if string(s.Name) == "a" {
			texts, err := s.Texts()
			all = append(all, texts...)
			return err
		}
		text, err := s.Leaf()
		all = append(all, text)
		return err
	})
	if err != nil || !slices.Equal(all, []string{"one", "two"}) {
		t.Errorf("%q, %v", all, err)
	}
}

func TestTextsErrors(t *testing.T) {
	if _, err := begin(t, "<a><b>x").Texts(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut short: %v", err)
	}
	kilobyte := strings.Repeat("y", 1000)
	for _, inner := range []string{strings.Repeat("x<b/>", maxToken/64), strings.Repeat("<b x='"+kilobyte+"'/>", 1100), strings.Repeat(kilobyte+"<b/>", 1100)} {
		want := fmt.Sprintf("texts of more than %d bytes", maxToken)
		if _, err := begin(t, "<a>"+inner+"</a>").Texts(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10s...: %v, want %s", inner, err, want)
		}
	}
	if texts, err := begin(t, "<a>"+strings.Repeat("<b/>", maxToken)+"</a>").Texts(); len(texts) > 0 || err != nil {
		t.Errorf("many empty elements: %d texts, %v", len(texts), err)
	}
}

func TestAttrs(t *testing.T) {
	s := begin(t, "<a x='1' n:y='two &amp; three' z=''/>")
	var got []string
	for name, value := range s.Attrs() {
		got = append(got, name+"="+value)
	}
	if want := []string{"x=1", "n:y=two & three", "z="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for range s.Attrs() {
		break
	}
	if s.Kept == 0 {
		t.Error("nothing kept")
	}
}
