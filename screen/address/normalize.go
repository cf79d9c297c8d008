package address

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// normalize removes what copying and typesetting add around and inside an
// address: white space at the ends, format characters (Unicode category Cf: zero
// width space, byte order mark, soft hyphen, marks of writing direction) and the
// others that show nothing, the full-width forms of ASCII, one pair of quotes or
// brackets, and full stops, commas and semicolons at the end. White space that is
// left inside becomes plain spaces if it was beyond ASCII. It allocates only if s
// is not ASCII.
func normalize(s string) string {
	s = strings.TrimSpace(foldBeyond(s))
	s = strings.TrimRight(s, ".,; \t\r\n")
	if inner, ok := cutPair(s); ok {
		s = strings.TrimRight(strings.TrimSpace(inner), ".,; \t\r\n")
	}
	return s
}

func foldBeyond(s string) string {
	ascii := true
	for _, c := range []byte(s) {
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r < utf8.RuneSelf:
			return r
		case unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		case unicode.IsSpace(r):
			return ' '
		case '\uff01' <= r && r <= '\uff5e': // FULLWIDTH EXCLAMATION MARK to TILDE
			return r - '\uff01' + '!'
		}
		return r
	}, s)
}

var pairs = [...]struct{ open, close string }{
	{`"`, `"`}, {"'", "'"}, {"`", "`"}, {"<", ">"}, {"(", ")"},
	{"“", "”"}, {"‘", "’"}, {"„", "“"}, {"„", "”"}, {"«", "»"},
}

// cutPair removes one pair of quotes or brackets around s.
func cutPair(s string) (inner string, found bool) {
	for _, p := range pairs {
		if len(s) >= len(p.open)+len(p.close) && strings.HasPrefix(s, p.open) && strings.HasSuffix(s, p.close) {
			return s[len(p.open) : len(s)-len(p.close)], true
		}
	}
	return s, false
}
