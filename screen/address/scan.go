package address

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scanned is what Scan made of a text.
type Scanned struct {
	// Found are the addresses in the order of their first mention, each once: a
	// repeat with the same tag only adds its label.
	Found []Found
	// Unread are the runs of characters that stand where addresses stand or look
	// like them and are not among Found, in order: misprints, what is left of a
	// run that could be split only in part, hashes, formats without a checksum
	// that no label announces. None of them is an address; a person must see them,
	// because one may be meant as one.
	Unread []Unread
	// Suspicious says that the text speaks of wallets, digital currency and the
	// like and yields no address.
	Suspicious bool
}

// Found is one address in a text.
type Found struct {
	// Text is the address as it stands there, joined if it was broken, without
	// invisible characters, full-width and look-alike letters folded, and without
	// the rest of a URI. Parse reads it cleanly, unless only a label or a URI let
	// the scanner take 64 hex digits for an account (ReasonAmbiguous32Byte).
	Text string
	// The source text from byte Start to byte End is what is printed for the first
	// mention, without label and tag.
	Start, End int
	// Labels are the labels in force at its mentions, as printed, each once; none
	// if there was no label before the first one.
	Labels []string
	// Tag is the destination tag or memo printed beside the address or in its URI,
	// "" if none. A tag that Text itself carries is that of its readings.
	Tag      string
	Readings []Reading
	Warnings Warnings

	Joined   bool // put together from two runs parted by white space
	Split    bool // cut out of a longer run of characters
	Mismatch bool // a label names other ledgers than the encoding, which is right
}

// Unread is a run of characters, the bytes Start to End of the source text, that
// may be meant as an address and is none; Reason says what Parse has against it,
// ReasonNone if it could be an address but for the missing label.
type Unread struct {
	Start, End int
	Reason     Reason
}

// Scan finds the addresses in text, the free text of a publisher, by codec and
// checksum. Formats without a checksum are taken only right after a label that
// names their network, except an EVM address of 0x and exactly 40 digits. Two
// neighbors parted by white space alone are joined if they verify together and
// neither does alone. A run of addresses with nothing between them is split from
// the left. Scan takes time linear in the length of the text and may be called
// from many goroutines.
func Scan(text string) Scanned {
	s := scanner{text: text}
	s.scan()
	s.out.Suspicious = len(s.out.Found) == 0 && speaksOfWallets(text)
	return s.out
}

// Cell is what ScanCell made of a cell.
type Cell struct {
	Scanned
	// Other is what the cell holds instead of an address, without its tag and
	// stars: an account number or name, a misprint; "" if there are addresses or
	// nothing. Reason says why it is no address.
	Other  string
	Tag    string // the tag printed beside Other
	Reason Reason
}

// ScanCell reads a cell of a column of addresses. A cell that is one address as a
// whole, perhaps with a tag and stars, needs no label; any other is scanned.
func ScanCell(cell string) Cell {
	start, end, tag := cutTag(cell)
	body := cell[start:end]
	if strings.Trim(body, "-–—./ ") == "" {
		return Cell{}
	}
	s := scanner{text: cell}
	if s.accept(body, wholeCell) {
		s.emit(start, end, Found{Tag: tag})
		return Cell{Scanned: s.out}
	}
	reason := s.p.Reason
	if out := Scan(cell); len(out.Found) > 0 {
		return Cell{Scanned: out}
	}
	return Cell{Other: body, Tag: tag, Reason: reason}
}

// Bounds on the length of what is looked at.
const (
	minAddress = 14  // the shortest witness program in bech32
	minBase58  = 25  // the shortest of the other encodings, but for a few that need a label
	maxJoined  = 128 // of an address that a line end breaks

	maxScannedHRP = 20 // of a bech32 text within a run
)

// label is a label as printed and the ledgers it names.
type label struct {
	text    string
	ledgers Ledgers
}

// run is a stretch of letters and digits that is no address.
type run struct {
	start, end int
	rest       bool // what is left of a run of which addresses were cut
	parsed     bool // Parse has seen it, and said reason
	folded     bool // it is an address with look-alike letters but for the lack of a checksum
	reason     Reason
}

// scanner walks over a text once.
type scanner struct {
	text string
	out  Scanned
	p    Parsed
	seen map[string]int // text and tag of Found, to its place

	current label // in force
	direct  bool  // nothing but addresses and words between stands after current
	pending label // comes into force if an address or, after a colon, a sentence follows
	symbol  bool  // pending is a symbol
	colon   bool  // pending is a known label with a colon

	last run // ends where only white space follows as yet, to be joined with the next
	past int // what stands before this byte has been read as a tag
}

// scan cuts the text into tokens, which separators part.
func (s *scanner) scan() {
	for at := 0; at < len(s.text); {
		if n, blank := separator(s.text[at:]); n > 0 {
			if !blank {
				s.flush()
			}
			at += n
			continue
		}
		start := at
		for at < len(s.text) {
			if classes[s.text[at]]&classAlnum != 0 {
				at++
				continue
			}
			if n, _ := separator(s.text[at:]); n > 0 {
				break
			}
			_, n := utf8.DecodeRuneInString(s.text[at:])
			at += n
		}
		if start >= s.past {
			s.token(start, at)
		}
	}
	s.flush()
}

// spreadsheetReturn is how spreadsheets write a carriage return into XML.
const spreadsheetReturn = "_x000D_"

// separator returns the number of bytes of the separator that s begins with, 0
// if it begins with none, and whether it is white space.
func separator(s string) (n int, blank bool) {
	c := s[0]
	if c < utf8.RuneSelf {
		switch {
		case c <= ' ' || c == 0x7f:
			return 1, true
		case c == '_' && strings.HasPrefix(s, spreadsheetReturn):
			return len(spreadsheetReturn), true
		}
		return separatorSize(c), false
	}
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case unicode.IsSpace(r):
		return n, true
	case fullWidth(r):
		return n * separatorSize(byte(r-'！'+'!')), false
	case r == utf8.RuneError, unicode.IsPunct(r), unicode.IsSymbol(r):
		return n, false
	}
	return 0, false
}

func separatorSize(c byte) int {
	switch c {
	case '"', '\'', '`', ',', ';', '|', '(', ')', '[', ']', '{', '}', '<', '>':
		return 1
	}
	return 0
}

// fullWidth reports whether r is the full-width form of a character of ASCII.
func fullWidth(r rune) bool { return '！' <= r && r <= '～' }

// inRun reports whether s begins with a character of a run, and how long it is.
func inRun(s string) (n int, ok bool) {
	if c := s[0]; c < utf8.RuneSelf {
		return 1, classes[c]&classAlnum != 0
	}
	r, n := utf8.DecodeRuneInString(s)
	return n, !fullWidth(r) || classes[byte(r-'！'+'!')]&classAlnum != 0
}

// token reads the text from start to end, which has no separators: as a form of
// several runs, such as a URI or cashaddr with its prefix, or run by run.
func (s *scanner) token(start, end int) {
	content := end
	for content > start && closingMark(s.text[content-1]) {
		content--
	}
	labeled, tried := false, false
	for at := start; at < content; {
		n, ok := inRun(s.text[at:end])
		if !ok {
			s.flush()
			at += n
			continue
		}
		from := at
		for at < content {
			n, ok := inRun(s.text[at:end])
			if !ok {
				break
			}
			at += n
		}
		colon := at < end && (s.text[at] == ':' || strings.HasPrefix(s.text[at:], "："))
		if colon && s.stateLabel(s.text[from:at], true) {
			labeled, tried = true, false
			continue
		}
		if !tried && at < content {
			tried = true
			// In a URI what stands first need not be the address that is meant.
			uri := labeled && strings.ContainsAny(s.text[from:content], "?/@")
			if uri && s.form(start, content) || s.form(from, content) || labeled && s.form(start, content) {
				return
			}
		}
		s.run(from, at, at == end, colon)
	}
}

// closingMark reports whether c may stand behind an address in its token.
func closingMark(c byte) bool {
	switch c {
	case '.', ':', '*', '?', '!', '=', '#', '&', '$', '%', '@', '~':
		return true
	}
	return false
}

// form reads the text from start to end as one address of several runs.
func (s *scanner) form(start, end int) bool {
	if end-start > MaxTextBytes || !s.accept(s.text[start:end], inProse) {
		return false
	}
	s.flush()
	s.emit(start, end, Found{})
	return true
}

// run reads the letters and digits from start to end. If they close their token,
// they may be joined with the next.
func (s *scanner) run(start, end int, closes, colon bool) {
	text, last := s.text[start:end], s.last
	r := run{start: start, end: end}
	sh := shapeOf(text)
	if s.worthParsing(text, sh) {
		if s.accept(text, inProse) {
			s.flush()
			s.emit(start, end, Found{})
			return
		}
		r.parsed, r.reason = true, s.p.Reason
		// Folded, and nothing says that the letters were taken rightly.
		r.folded = sh.has(classBeyond) && len(s.p.Readings()) > 0
	}
	if last.end > 0 && s.join(last, r) {
		return
	}
	s.flush()
	if sh.has(classBeyond) && r.parsed && !r.folded {
		s.pieces(start, end, closes, colon)
		return
	}
	if r.parsed && !r.folded && len(text) > minBase58 {
		r = s.split(r)
		if r.start == r.end {
			return
		}
	}
	if !s.stateLabel(s.text[r.start:end], colon) {
		s.otherWord(s.text[r.start:end], sh)
	} else if r.rest {
		return
	}
	if s.last = r; !closes {
		s.flush()
	}
}

// worthParsing reports whether a run can be an address at all.
func (s *scanner) worthParsing(text string, sh shape) bool {
	if sh.has(classBeyond) {
		plain := 0
		for _, r := range text {
			if r < utf8.RuneSelf || fullWidth(r) {
				plain++
			}
		}
		return plain >= minAddress
	}
	return len(text) >= minBase58 || sh.has(classDigit) && (len(text) >= minAddress || s.named() != 0)
}

// join reads the runs a and b, which white space parts, as one address.
func (s *scanner) join(a, b run) bool {
	one, two := s.text[a.start:a.end], s.text[b.start:b.end]
	if n := len(one) + len(two); n <= minBase58 || n > maxJoined || !random(one) && !random(two) {
		return false
	}
	if !s.accept(one+two, joined) {
		return false
	}
	s.last = run{}
	s.emit(a.start, b.end, Found{Joined: true})
	return true
}

// random reports whether s looks like a stretch of an encoding and not like a
// word or a number of prose.
func random(s string) bool {
	if len(s) < 8 {
		return false
	}
	sh, inner := shapeOf(s), shapeOf(s[1:])
	return sh.has(classDigit) && !sh.only(classDigit) || inner.mixedCase()
}

// pieces reads a run that holds letters beyond ASCII: each stretch of ASCII of its own.
func (s *scanner) pieces(start, end int, closes, colon bool) {
	for at := start; at < end; {
		from := at
		for at < end && s.text[at] < utf8.RuneSelf {
			at++
		}
		if at > from {
			s.run(from, at, closes && at == end, colon && at == end)
		}
		for at < end && s.text[at] >= utf8.RuneSelf {
			s.flush()
			at++
		}
	}
}

// split cuts addresses off the run from the left, and returns what is left.
func (s *scanner) split(r run) run {
	text := s.text[r.start:r.end]
	at := 0
	for at < len(text) {
		n := s.leading(text[at:])
		if n == 0 && at == 0 {
			// A symbol with nothing between it and the address.
			for k := 5; k >= 3 && n == 0; k-- {
				if _, known := labelOf(text[:k], false); known == labelSymbol {
					if n = s.leading(text[k:]); n > 0 {
						s.stateLabel(text[:k], false)
						at = k
					}
				}
			}
		}
		if n == 0 {
			break
		}
		s.emit(r.start+at, r.start+at+n, Found{Split: true})
		at += n
	}
	if at > 0 {
		r = run{start: r.start + at, end: r.end, rest: true}
	}
	return r
}

// splitSizes are the lengths of the encodings, other than base58check, whose texts
// do not tell their own: cashaddr without prefix for 20 bytes and for 32; Filecoin;
// X-address; Stellar, Algorand, Stellar muxed; Cardano Byron; Monero.
var splitSizes = [...]int{42, 61, 41, 86, 47, 56, 58, 69, 59, 104, 95, 106}

// maxBase58Check is the length of the longest base58check address.
const maxBase58Check = 36

// leading returns the length of the address that s begins with, 0 if it begins
// with none, and leaves the address in s.p.
func (s *scanner) leading(text string) int {
	if digits, prefixed := cutHexPrefix(text); prefixed {
		n := 2 + 40
		if len(text) < n || !shapeOf(digits[:40]).only(classHex) {
			return 0
		}
		if _, another := cutHexPrefix(text[n:]); !another && n < len(text) && classes[text[n]]&classHex != 0 {
			return 0
		}
		if s.accept(text[:n], inProse) {
			return n
		}
		return 0
	}
	if n := s.leadingBech32(text); n > 0 {
		return n
	}
	for n := min(len(text), maxBase58Check); n >= minBase58; n-- {
		var data base58Data
		size, ok := data.decode(text[:n])
		if ok && (base58Checked(data[:size]) || text[0] == xrpAlphabet[0]) && s.accept(text[:n], part) {
			return n
		}
	}
	for _, n := range splitSizes {
		if n <= len(text) && s.accept(text[:n], part) {
			return n
		}
	}
	return 0
}

// leadingBech32 returns the length of the bech32 text that text begins with.
func (s *scanner) leadingBech32(text string) int {
	one := strings.IndexByte(text[:min(len(text), maxScannedHRP+1)], '1')
	if one < 1 {
		return 0
	}
	sum := bech32HRP(text[:one])
	for i := one + 1; i < min(len(text), MaxTextBytes); i++ {
		v := bech32Values[text[i]]
		if v == 0xff {
			break
		}
		sum = bech32Step(sum, v)
		if b := bech32Variant(sum); (b == bech32Plain || b == bech32M) && i-one > 6 && s.accept(text[:i+1], part) {
			return i + 1
		}
	}
	return 0
}

// acceptance says how an address stands in the text.
type acceptance uint8

const (
	inProse   acceptance = iota // between separators
	joined                      // in two runs: needs a checksum
	part                        // within a run: needs a checksum of more than two bytes
	wholeCell                   // alone in a column of addresses: needs no label
)

// accept parses text, and reports whether it is an address where it stands.
func (s *scanner) accept(text string, as acceptance) bool {
	p := &s.p
	Parse(text, p)
	folded := p.Warnings & WarnHomoglyph
	if folded != 0 && p.Reason == ReasonNonASCII {
		warnings := p.Warnings
		Parse(p.Text, p)
		p.Warnings |= warnings
	}
	named := s.named()
	clean := p.Reason == ReasonNone || p.Reason == ReasonAmbiguous32Byte && named != 0
	for i := range p.Readings() {
		r := &p.Readings()[i]
		switch kind := r.Kind(); {
		case !clean || kind == KindPublicKey:
		case folded != 0 && r.Unchecked:
		case p.Reason == ReasonAmbiguous32Byte || r.Unchecked:
			_, prefixed := cutHexPrefix(p.Text)
			if as == wholeCell && p.Reason == ReasonNone ||
				as == inProse && named&r.Ledgers != 0 ||
				as == inProse && kind == KindEVM && prefixed && len(p.Text) == 2+40 {
				return true
			}
		case as == part && (kind == KindSS58 || KindTON <= kind && kind <= KindTONOther):
		default:
			return true
		}
	}
	return false
}

// named returns the ledgers of the label right before.
func (s *scanner) named() Ledgers {
	switch {
	case s.pending.text != "":
		return s.pending.ledgers
	case s.direct:
		return s.current.ledgers
	}
	return 0
}

// emit notes the address in s.p, which is printed from start to end. f says how
// it was come by, and its tag unless that is printed right after it.
func (s *scanner) emit(start, end int, f Found) {
	if f.Tag == "" {
		f.Tag, s.past = tagAt(s.text, end)
	}
	if f.Tag == "" && s.p.Warnings&WarnURI != 0 {
		f.Tag = s.p.Readings()[0].Tag
	}
	if s.pending.text != "" {
		s.current, s.pending, s.direct = s.pending, label{}, true
	}
	key := s.p.Text + "\x00" + f.Tag
	at, known := s.seen[key]
	if !known {
		if s.seen == nil {
			s.seen = map[string]int{}
		}
		at = len(s.out.Found)
		s.seen[key] = at
		f.Text, f.Start, f.End = s.p.Text, start, end
		f.Readings, f.Warnings = slices.Clone(s.p.Readings()), s.p.Warnings
		s.out.Found = append(s.out.Found, f)
	}
	l := s.current
	if l.text == "" {
		return
	}
	found := &s.out.Found[at]
	if !slices.Contains(found.Labels, l.text) {
		found.Labels = append(found.Labels, l.text)
	}
	if l.ledgers != 0 && !slices.ContainsFunc(found.Readings, func(r Reading) bool { return r.Ledgers&l.ledgers != 0 }) {
		found.Mismatch = true
	}
}

// flush gives up joining the last run, and notes it if it may be meant as an address.
func (s *scanner) flush() {
	r := s.last
	s.last = run{}
	if r.end == 0 || !r.rest && !r.folded && !(r.parsed && likeAddress(s.text[r.start:r.end], r.reason)) {
		return
	}
	s.out.Unread = append(s.out.Unread, Unread{Start: r.start, End: r.end, Reason: r.reason})
}

// likeAddress reports whether a run, which Parse refused for reason or which
// lacks a label, looks like an address. Numbers of bank accounts and companies
// have digits and capitals only.
func likeAddress(s string, reason Reason) bool {
	if len(s) < minBase58 {
		return false
	}
	sh := shapeOf(s)
	switch {
	case !sh.has(classDigit) && !sh.mixedCase() || sh.only(classDigit):
		return false
	case !sh.has(classLower):
		return len(s) >= 40 && reason != ReasonUnrecognized
	}
	return sh.mixedCase() || reason != ReasonUnrecognized
}

// stateLabel notes word if it is a label.
func (s *scanner) stateLabel(word string, colon bool) bool {
	ledgers, strength := labelOf(foldBeyond(word), colon)
	known := true
	switch {
	case strength == labelNone && s.pending.text != "" && !s.symbol:
		// "Bitcoin Cash" begins with "Bitcoin".
		two := s.pending.text + " " + word
		if ledgers, strength = labelOf(two, colon); strength == labelNone {
			return false
		}
		word = two
	case strength == labelNone:
		if !colon || len(word) < 2 || len(word) > 6 || !shapeOf(word).only(classUpper|classDigit) || !shapeOf(word[:1]).only(classUpper) {
			return false
		}
		strength, known = labelSymbol, false
	case strength == labelName && s.pending.text != "" && s.symbol:
		s.colon = s.colon || colon
		return true // it explains the symbol
	}
	s.pending, s.symbol, s.colon = label{word, ledgers}, strength == labelSymbol, colon && known
	return true
}

// otherWord notes a run that is neither address nor label.
func (s *scanner) otherWord(word string, sh shape) {
	if betweenWord(word) || len(word) >= 8 && sh.has(classDigit) && !sh.only(classDigit) {
		return
	}
	if s.pending.text != "" && s.colon {
		s.current = s.pending
	}
	s.pending, s.direct = label{}, false
}
