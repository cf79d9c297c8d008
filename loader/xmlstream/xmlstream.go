// Package xmlstream reads a publisher's XML document element by element, for
// parsers that pass over most of it: strictly, in bounded memory, and in a small
// part of the time that encoding/xml takes.
package xmlstream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds that no publication comes near, so that no input eats memory.
const (
	maxToken = 1 << 20  // bytes of one tag, comment or run of text
	maxDepth = 64       // open elements; SDN_ADVANCED nests to 11
	maxAttrs = 64       // attributes of one tag
	maxKept  = 64 << 20 // bytes of what the caller keeps; 2 MB for SDN_ADVANCED of November 2025

	// StringCost is what keeping a string takes beside its bytes, about.
	StringCost = 64

	maxUnknown = 100 // paths of elements that Unknown counts apart
)

// A Scanner reads XML element by element, in memory that does not grow with the
// document. It takes a subset of XML 1.0, all that the publications use, and
// refuses the rest: no DOCTYPE and so no entities but the predefined five, UTF-8
// only, ASCII names. What it takes it checks: every tag is closed by its own
// name, there is one root, every character is legal. Namespaces are not
// resolved: an element is known by its local name, an attribute by its name if
// that has no prefix. Every error says the line and the open elements.
//
// It stands beside encoding/xml because that allocates for every tag: most of
// the 121 MB of SDN_ADVANCED is read only to be passed over, and this takes a
// small part of the time. The tests hold it to encoding/xml token by token.
//
// A Scanner is for one goroutine.
type Scanner struct {
	// Name is the local name of the start tag that Next returned last. It is
	// valid until the next call.
	Name []byte
	// Kept counts the bytes handed out as strings, about. More than 64 MiB of them
	// are refused, so a caller takes off what it does not keep: it notes Kept
	// before an element and sets it back after.
	Kept int

	r       io.Reader
	readErr error // what ended the input, io.EOF included

	buf      []byte // buf[pos:end] is read and not consumed
	pos, end int
	opened   bool // a byte order mark was looked for
	started  bool // something was consumed, so that no XML declaration may follow
	lines    int  // line ends before buf[counted]
	counted  int

	names  []byte // full names of the open elements, one after the other
	open   []int  // where each begins in names
	rooted bool   // the root was begun

	// Of the start tag that Next returned last; valid until the next call.
	attrs    []attr
	values   []byte // attribute values that are not in buf as they are
	emptyTag bool   // it closed itself: its end is due

	keep bool   // collect text
	text []byte // text since keep was set

	unknown map[string]int
}

type attr struct{ name, value []byte }

// A Token is what Next found.
type Token uint8

const (
	StartElement Token = iota
	EndElement
	EndDocument
)

// New returns a scanner at the beginning of r.
func New(r io.Reader) *Scanner {
	return &Scanner{r: r, buf: make([]byte, 1<<16)}
}

// Depth returns the number of open elements.
func (s *Scanner) Depth() int { return len(s.open) }

// Line returns the line, from 1, of what is consumed next.
func (s *Scanner) Line() int {
	s.lines += bytes.Count(s.buf[s.counted:s.pos], []byte{'\n'})
	s.counted = s.pos
	return s.lines + 1
}

// path returns the open elements: "Sanctions/DistinctParties/DistinctParty".
func (s *Scanner) path() string {
	var b strings.Builder
	for i := range s.open {
		if i > 0 {
			b.WriteByte('/')
		}
		b.Write(s.openName(i))
	}
	return b.String()
}

func (s *Scanner) openName(i int) []byte {
	if i+1 < len(s.open) {
		return s.names[s.open[i]:s.open[i+1]]
	}
	return s.names[s.open[i]:]
}

// Errorf returns an error that says where the scanner stands.
func (s *Scanner) Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if s.Depth() == 0 {
		return fmt.Errorf("line %d: %w", s.Line(), err)
	}
	return fmt.Errorf("line %d, in %s: %w", s.Line(), s.path(), err)
}

// more reads on, keeping what stands from pos. It returns io.EOF at the end of
// the input.
func (s *Scanner) more() error {
	if s.readErr == io.EOF {
		return io.EOF
	}
	if s.readErr != nil {
		return s.Errorf("reading: %w", s.readErr)
	}
	s.Line()
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos, s.counted = 0, 0
	if s.end == len(s.buf) {
		if s.end >= maxToken {
			return s.Errorf("a tag, comment or text of more than %d bytes, beginning %.40q", maxToken, s.buf)
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for empty := 0; s.end < len(s.buf) && s.readErr == nil; {
		var n int
		n, s.readErr = s.r.Read(s.buf[s.end:])
		s.end += n
		if empty++; n > 0 {
			empty = 0
		} else if empty == 100 && s.readErr == nil {
			s.readErr = io.ErrNoProgress
		}
	}
	return nil
}

// unexpected turns an end of input into the error that it is inside something.
func (s *Scanner) unexpected(err error, inside string) error {
	if err == io.EOF {
		return s.Errorf("%w inside %s: the document is cut short", io.ErrUnexpectedEOF, inside)
	}
	return err
}

// index returns where sep begins in the input, as an offset from pos that is at
// least from, reading on as needed.
func (s *Scanner) index(from int, sep string) (int, error) {
	for {
		if s.pos+from <= s.end {
			if i := bytes.Index(s.buf[s.pos+from:s.end], []byte(sep)); i >= 0 {
				return from + i, nil
			}
			from = max(from, s.end-s.pos-len(sep)+1)
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// begins reports whether the input goes on with prefix. It returns io.EOF if the
// input ends before that is decided.
func (s *Scanner) begins(prefix string) (bool, error) {
	for s.end-s.pos < len(prefix) {
		if !strings.HasPrefix(prefix, string(s.buf[s.pos:s.end])) {
			return false, nil
		}
		if err := s.more(); err != nil {
			return false, err
		}
	}
	return string(s.buf[s.pos:s.pos+len(prefix)]) == prefix, nil
}

// Next returns the next start or end of an element, or EndDocument after all of
// the input. Of the text between it collects what keep asks for.
func (s *Scanner) Next() (Token, error) {
	if s.emptyTag {
		s.emptyTag = false
		s.pop()
		return EndElement, nil
	}
	if !s.opened {
		s.opened = true
		if mark, err := s.begins("\ufeff"); err != nil && err != io.EOF {
			return 0, err
		} else if mark {
			s.pos += len("\ufeff")
		}
	}
	for {
		i, err := s.index(0, "<")
		if err == io.EOF {
			return s.finish()
		} else if err != nil {
			return 0, err
		}
		if i > 0 {
			if err := s.characters(i, false); err != nil {
				return 0, err
			}
		}
		if s.end-s.pos < 2 {
			if err := s.more(); err != nil {
				return 0, s.unexpected(err, "a tag")
			}
			if s.end-s.pos < 2 {
				return 0, s.unexpected(io.EOF, "a tag")
			}
		}
		switch s.buf[s.pos+1] {
		case '/':
			return s.endTag()
		case '!':
			err = s.declaration()
		case '?':
			err = s.instruction()
		default:
			return s.startTag()
		}
		if err != nil {
			return 0, err
		}
		s.started = true
	}
}

// finish checks that the document may end where the input did.
func (s *Scanner) finish() (Token, error) {
	if s.Depth() > 0 {
		return 0, s.unexpected(io.EOF, fmt.Sprintf("<%s>", s.openName(s.Depth()-1)))
	}
	if err := s.characters(s.end-s.pos, false); err != nil {
		return 0, err
	}
	if !s.rooted {
		return 0, s.Errorf("%w: no root element", io.ErrUnexpectedEOF)
	}
	return EndDocument, nil
}

// characters consumes n bytes of character data.
func (s *Scanner) characters(n int, cdata bool) error {
	s.started = true
	b := s.buf[s.pos : s.pos+n]
	if s.Depth() == 0 {
		if t := bytes.TrimLeft(b, " \t\r\n"); len(t) > 0 {
			s.pos += len(b) - len(t)
			return s.Errorf("text outside the root element: %.40q", t)
		}
		s.pos += n
		return nil
	}
	text, rest, err := decode(s.text, b, s.keep, cdata)
	s.pos += len(b) - len(rest)
	if err != nil {
		return s.Errorf("%w", err)
	}
	s.text = text
	if len(text) > maxToken {
		return s.Errorf("text of more than %d bytes", maxToken)
	}
	return nil
}

// endTag consumes the end tag at pos.
func (s *Scanner) endTag() (Token, error) {
	i, err := s.index(2, ">")
	if err != nil {
		return 0, s.unexpected(err, "an end tag")
	}
	name := bytes.TrimRight(s.buf[s.pos+2:s.pos+i], " \t\r\n")
	if s.Depth() == 0 {
		return 0, s.Errorf("end tag </%.40s> without a start", name)
	}
	if want := s.openName(s.Depth() - 1); !bytes.Equal(name, want) {
		return 0, s.Errorf("end tag </%.40s>, want </%s>", name, want)
	}
	s.pos += i + 1
	s.pop()
	return EndElement, nil
}

func (s *Scanner) pop() {
	last := len(s.open) - 1
	s.names = s.names[:s.open[last]]
	s.open = s.open[:last]
}

// declaration consumes the comment or CDATA section at pos and refuses all else
// that begins "<!".
func (s *Scanner) declaration() error {
	if comment, err := s.begins("<!--"); err != nil {
		return s.unexpected(err, "a declaration")
	} else if comment {
		i, err := s.index(4, "--")
		for err == nil && s.end-s.pos < i+3 {
			err = s.more()
		}
		if err != nil {
			return s.unexpected(err, "a comment")
		}
		if s.buf[s.pos+i+2] != '>' {
			return s.Errorf(`"--" inside a comment`)
		}
		_, _, err = decode(nil, s.buf[s.pos+4:s.pos+i], false, true)
		if err != nil {
			return s.Errorf("comment: %w", err)
		}
		s.pos += i + 3
		return nil
	}
	const open = "<![CDATA["
	if cdata, err := s.begins(open); err != nil {
		return s.unexpected(err, "a declaration")
	} else if cdata {
		if s.Depth() == 0 {
			return s.Errorf("text outside the root element: %s", open)
		}
		i, err := s.index(len(open), "]]>")
		if err != nil {
			return s.unexpected(err, "a CDATA section")
		}
		s.pos += len(open)
		if err := s.characters(i-len(open), true); err != nil {
			return err
		}
		s.pos += len("]]>")
		return nil
	}
	return s.Errorf("a DOCTYPE or other declaration, which is refused: %.40q", s.buf[s.pos:s.end])
}

// instruction consumes the processing instruction or XML declaration at pos.
func (s *Scanner) instruction() error {
	i, err := s.index(2, "?>")
	if err != nil {
		return s.unexpected(err, "a processing instruction")
	}
	b := s.buf[s.pos+2 : s.pos+i]
	n := nameLen(b)
	if n == 0 {
		return s.Errorf("processing instruction without a name")
	}
	if !strings.EqualFold(string(b[:n]), "xml") {
		if _, _, err := decode(nil, b, false, true); err != nil {
			return s.Errorf("processing instruction: %w", err)
		}
		s.pos += i + 2
		return nil
	}
	if s.started {
		return s.Errorf("an XML declaration, which may only begin the document")
	}
	if err := s.attributes(b[n:]); err != nil {
		return s.Errorf("XML declaration: %w", err)
	}
	if version := s.Attr("version"); version != "1.0" {
		return s.Errorf("XML version %.20q, want 1.0", version)
	}
	if e := s.Attr("encoding"); e != "" && !strings.EqualFold(e, "utf-8") && !strings.EqualFold(e, "us-ascii") {
		return s.Errorf("encoding %.40q, want UTF-8", e)
	}
	s.pos += i + 2
	return nil
}

// startTag consumes the start tag at pos.
func (s *Scanner) startTag() (Token, error) {
	end, err := s.tagEnd()
	if err != nil {
		return 0, s.unexpected(err, "a tag")
	}
	s.started = true
	b := s.buf[s.pos+1 : s.pos+end]
	if n := len(b); n > 0 && b[n-1] == '/' {
		b, s.emptyTag = b[:n-1], true
	}
	n := nameLen(b)
	full := b[:n]
	if n == 0 {
		return 0, s.Errorf("a \"<\" that begins no tag: %.40q", s.buf[s.pos:s.end])
	}
	if s.Depth() == 0 && s.rooted {
		return 0, s.Errorf("a second root element <%.40s>", full)
	}
	if s.Depth() == maxDepth {
		return 0, s.Errorf("more than %d open elements", maxDepth)
	}
	if s.Name, err = localName(full); err != nil {
		return 0, s.Errorf("<%.40s>: %w", full, err)
	}
	if err := s.attributes(b[n:]); err != nil {
		return 0, s.Errorf("<%.40s>: %w", full, err)
	}
	s.rooted = true
	s.open = append(s.open, len(s.names))
	s.names = append(s.names, full...)
	s.pos += end + 1
	return StartElement, nil
}

// tagEnd returns the offset from pos of the ">" that ends the tag there.
func (s *Scanner) tagEnd() (int, error) {
	quote := byte(0)
	for i := 1; ; {
		b := s.buf[s.pos:s.end]
		for ; i < len(b); i++ {
			switch c := b[i]; {
			case quote != 0:
				j := bytes.IndexByte(b[i:], quote)
				if j < 0 {
					i = len(b) - 1
				} else {
					i += j
					quote = 0
				}
			case c == '>':
				return i, nil
			case c == '"' || c == '\'':
				quote = c
			}
		}
		if err := s.more(); err != nil {
			return 0, err
		}
	}
}

// attributes sets attrs to those in b, what stands in a tag behind the name.
func (s *Scanner) attributes(b []byte) error {
	s.attrs, s.values = s.attrs[:0], s.values[:0]
	for {
		t := trimSpace(b)
		if len(t) == 0 {
			return nil
		}
		n := nameLen(t)
		name := t[:n]
		if n == 0 || len(t) == len(b) {
			return fmt.Errorf("want a blank and an attribute at %.40q", t)
		}
		if _, err := localName(name); err != nil {
			return fmt.Errorf("attribute %.40s: %w", name, err)
		}
		t = trimSpace(t[n:])
		if len(t) == 0 || t[0] != '=' {
			return fmt.Errorf("attribute %.40s has no value", name)
		}
		t = trimSpace(t[1:])
		if len(t) == 0 || t[0] != '"' && t[0] != '\'' {
			return fmt.Errorf("the value of attribute %.40s is not quoted", name)
		}
		end := bytes.IndexByte(t[1:], t[0])
		if end < 0 {
			return fmt.Errorf("the value of attribute %.40s has no end", name)
		}
		value := t[1 : 1+end]
		b = t[end+2:]
		if plainLen(value) < len(value) {
			if bytes.IndexByte(value, '<') >= 0 {
				return fmt.Errorf("a \"<\" in the value of attribute %.40s", name)
			}
			from := len(s.values)
			var err error
			if s.values, _, err = decode(s.values, value, true, false); err != nil {
				return fmt.Errorf("attribute %.40s: %w", name, err)
			}
			value = s.values[from:]
		}
		for _, a := range s.attrs {
			if bytes.Equal(a.name, name) {
				return fmt.Errorf("attribute %.40s twice", name)
			}
		}
		if len(s.attrs) == maxAttrs {
			return fmt.Errorf("more than %d attributes", maxAttrs)
		}
		s.attrs = append(s.attrs, attr{name, value})
	}
}

// Attr returns the value of an attribute of the last start tag, "" if it has
// none of that name.
func (s *Scanner) Attr(name string) string {
	for _, a := range s.attrs {
		if string(a.name) == name {
			s.Kept += len(a.value) + StringCost
			return string(a.value)
		}
	}
	return ""
}

// Children calls f at the start of every child of the element that was begun
// last, until that ends. What f leaves of a child is passed over.
func (s *Scanner) Children(f func() error) error {
	depth := s.Depth()
	for {
		t, err := s.Next()
		if err != nil {
			return err
		}
		if t == EndElement {
			return nil
		}
		if err := f(); err != nil {
			return err
		}
		if s.Kept > maxKept {
			return s.Errorf("names and addresses of more than %d bytes", maxKept)
		}
		for s.Depth() > depth {
			if _, err := s.Next(); err != nil {
				return err
			}
		}
	}
}

// Unknown counts the element that was begun last as one that its reader has no
// rule for. What it holds is passed over as that of any other.
func (s *Scanner) Unknown() {
	path := fmt.Sprintf("element %.200s", s.path())
	if s.unknown == nil {
		s.unknown = make(map[string]int)
	}
	if _, ok := s.unknown[path]; !ok && len(s.unknown) >= maxUnknown {
		path = "other elements"
	}
	s.unknown[path]++
}

// Unexpected returns what Unknown counted, by "element " and the path; nil for
// nothing. Of many different paths only the first hundred have a count of their
// own.
func (s *Scanner) Unexpected() map[string]int { return s.unknown }

// Leaf returns the text of the element that was begun last and consumes it. It
// must have no child.
func (s *Scanner) Leaf() (string, error) {
	s.keep, s.text = true, s.text[:0]
	t, err := s.Next()
	s.keep = false
	if err != nil {
		return "", err
	}
	text := string(s.text)
	s.Kept += len(text) + StringCost
	s.text = s.text[:0]
	if t == StartElement {
		return "", s.Errorf("an element where only text is expected")
	}
	return text, nil
}

// LeafOnce sets dst to the text of the element that was begun last, and fails if
// that was done before: of two values none may be dropped.
func (s *Scanner) LeafOnce(dst *string) error {
	name := string(s.Name)
	text, err := s.Leaf()
	if err != nil {
		return err
	}
	if *dst != "" {
		return s.Errorf("a second <%s>: %.80q after %.80q", name, text, *dst)
	}
	*dst = text
	return nil
}

const (
	nameByte  = 1 << iota // in a name
	nameStart             // at the beginning of a name
	plainByte             // in text and attribute values, for itself
)

var class = func() (c [256]uint8) {
	for b := range c {
		switch {
		case 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || b == '_' || b == ':':
			c[b] = nameByte | nameStart
		case '0' <= b && b <= '9' || b == '-' || b == '.':
			c[b] = nameByte
		}
		if (0x20 <= b && b < utf8.RuneSelf && b != '&' && b != '<' && b != ']') || b == '\t' || b == '\n' {
			c[b] |= plainByte
		}
	}
	return c
}()

// nameLen returns the length of the name that b begins with, 0 for none.
func nameLen(b []byte) int {
	if len(b) == 0 || class[b[0]]&nameStart == 0 {
		return 0
	}
	n := 1
	for n < len(b) && class[b[n]]&nameByte != 0 {
		n++
	}
	return n
}

// localName returns a name without its prefix.
func localName(name []byte) ([]byte, error) {
	i := bytes.IndexByte(name, ':')
	if i < 0 {
		return name, nil
	}
	local := name[i+1:]
	if i == 0 || nameLen(local) != len(local) || len(local) == 0 || bytes.IndexByte(local, ':') >= 0 {
		return nil, errors.New("not a name with a prefix")
	}
	return local, nil
}

func plainLen(b []byte) int {
	for i, c := range b {
		if class[c]&plainByte == 0 {
			return i
		}
	}
	return len(b)
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// decode appends to dst, if keep is set, what the character data b means: line
// ends as "\n" (XML 1.0, 2.11), and but for CDATA the references resolved. It
// returns what it did not get to if it meets an error.
func decode(dst, b []byte, keep, cdata bool) (text, rest []byte, err error) {
	for {
		n := plainLen(b)
		if keep {
			dst = append(dst, b[:n]...)
		}
		b = b[n:]
		if len(b) == 0 {
			return dst, b, nil
		}
		var r rune
		switch c := b[0]; {
		case c == '\r':
			r, n = '\n', 1
			if len(b) > 1 && b[1] == '\n' {
				n = 2
			}
		case c == '&' && !cdata:
			if r, n, err = reference(b); err != nil {
				return dst, b, err
			}
		case c == ']' && !cdata && bytes.HasPrefix(b, []byte("]]>")):
			return dst, b, errors.New(`"]]>" in text`)
		case c == '&', c == ']', c == '<' && cdata:
			r, n = rune(c), 1
		default:
			if r, n = utf8.DecodeRune(b); r == utf8.RuneError && n == 1 {
				return dst, b, fmt.Errorf("invalid UTF-8 at % x", b[:min(len(b), 8)])
			}
			if !legal(r) {
				return dst, b, fmt.Errorf("the character %U, which XML does not allow", r)
			}
		}
		if keep {
			dst = utf8.AppendRune(dst, r)
		}
		b = b[n:]
	}
}

// legal reports whether r may stand in a document (XML 1.0, 2.2).
func legal(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || 0x20 <= r && r <= 0xd7ff ||
		0xe000 <= r && r <= 0xfffd || 0x10000 <= r && r <= utf8.MaxRune
}

// reference returns the character that the reference at the beginning of b
// stands for, and the length of the reference.
func reference(b []byte) (rune, int, error) {
	end := bytes.IndexByte(b[:min(len(b), 16)], ';')
	if end < 0 {
		return 0, 0, fmt.Errorf("a \"&\" that begins no reference: %.16q", b)
	}
	switch name := string(b[1:end]); name {
	case "amp":
		return '&', end + 1, nil
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	default:
		digits, ok := strings.CutPrefix(name, "#")
		if !ok {
			return 0, 0, fmt.Errorf("the entity &%s;, which is refused: only amp, lt, gt, quot and apos are known", name)
		}
		base := 10
		if hex, ok := strings.CutPrefix(digits, "x"); ok {
			digits, base = hex, 16
		}
		n, err := strconv.ParseUint(digits, base, 21)
		if err != nil || !legal(rune(n)) {
			return 0, 0, fmt.Errorf("the reference &%s; to no character", name)
		}
		return rune(n), end + 1, nil
	}
}
