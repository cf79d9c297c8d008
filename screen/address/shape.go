package address

// class is a set of properties of a character.
type class uint16

const (
	classDigit     class = 1 << iota
	classLower           // a to z
	classUpper           // A to Z
	classAlnum           // letter or digit
	classHex             // hex digit of either case
	classBase58          // digit of Bitcoin's base 58
	classSeparator       // white space and , ; | which part addresses
	classBeyond          // not ASCII
	classMark            // : @ ? / % which part what wraps an address from it, or hide that
)

var classes = func() (t [256]class) {
	for i := range t {
		c := byte(i)
		switch {
		case c >= 0x80:
			t[i] |= classBeyond
		case '0' <= c && c <= '9':
			t[i] |= classDigit | classAlnum
		case 'a' <= c && c <= 'z':
			t[i] |= classLower | classAlnum
		case 'A' <= c && c <= 'Z':
			t[i] |= classUpper | classAlnum
		case '\t' <= c && c <= '\r', c == ' ', c == ',', c == ';', c == '|':
			t[i] |= classSeparator
		case c == ':', c == '@', c == '?', c == '/', c == '%':
			t[i] |= classMark
		}
		if hexTable[i] != 0xff {
			t[i] |= classHex
		}
		if base58Values[i] != 0xff {
			t[i] |= classBase58
		}
	}
	return t
}()

// shape tells what the characters of a text have in common: all is what every
// one of them is, some is what at least one is. The empty text is all classes
// and none.
type shape struct{ all, some class }

func shapeOf(s string) shape {
	sh := shape{all: ^class(0)}
	for _, c := range []byte(s) {
		sh.all &= classes[c]
		sh.some |= classes[c]
	}
	return sh
}

// only reports whether every character is of class c, has whether one is.
func (sh shape) only(c class) bool { return sh.all&c != 0 }
func (sh shape) has(c class) bool  { return sh.some&c != 0 }

func (sh shape) onlyLetters() bool { return sh.only(classAlnum) && !sh.has(classDigit) }
func (sh shape) mixedCase() bool   { return sh.has(classLower) && sh.has(classUpper) }
