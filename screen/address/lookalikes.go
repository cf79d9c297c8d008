package address

// Letters of other scripts that look like Latin letters or digits: of Cyrillic,
// Greek and Armenian, which publishers have printed in addresses (Israel's orders
// have Cyrillic letters in an address of Tron), of the Latin letters beyond ASCII
// that case folding makes, and dashes. From the confusables of Unicode's UTS #39
// (https://www.unicode.org/Public/security/latest/confusables.txt), those that
// look like one character of ASCII in common typefaces. Case is kept: a small
// letter is taken for a small one.

// lookAlikes maps such a letter to the character that it looks like.
var lookAlikes = func() map[rune]byte {
	t := map[rune]byte{}
	for ascii, likes := range map[byte]string{
		'A': "АΑ", 'B': "ВΒ", 'C': "СϹ", 'E': "ЕΕ", 'F': "Ϝ", 'G': "Ԍ", 'H': "НΗ", 'I': "ІΙӀ", 'J': "ЈͿ",
		'K': "КΚ\u212a", 'L': "Լ", 'M': "МΜϺ", 'N': "Ν", 'O': "ОΟՕ", 'P': "РΡ", 'Q': "Ԛ", 'S': "ЅՏ", 'T': "ТΤ",
		'U': "Ս", 'V': "Ѵ", 'W': "Ԝ", 'X': "ХΧ", 'Y': "ҮΥ", 'Z': "Ζ",
		'a': "аα", 'b': "Ьь", 'c': "сϲ", 'd': "ԁ", 'e': "еҽ", 'f': "ք", 'g': "ց", 'h': "һհ", 'i': "іιı", 'j': "јϳ", 'k': "κк",
		'l': "ӏ", 'm': "м", 'n': "ո", 'o': "оοօ", 'p': "рρ", 'q': "ԛգ", 'r': "г", 's': "ѕ\u017f", 't': "т", 'u': "սυ",
		'v': "ѵν", 'w': "ԝա", 'x': "хχ", 'y': "уүγ",
		'3': "ЗзӠӡ", '4': "Ч", '6': "б",
		'-': "\u2010\u2011\u2012\u2013\u2014\u2212",
	} {
		for _, r := range likes {
			t[r] = ascii
		}
	}
	return t
}()

// foldLookAlikes returns s with its look-alikes replaced, and whether nothing
// beyond ASCII is left. s is valid UTF-8.
func foldLookAlikes(s string) (folded string, ok bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		c, known := lookAlikes[r]
		if !known {
			return "", false
		}
		out = append(out, c)
	}
	return string(out), true
}

// parseBeyond treats a text with letters beyond ASCII, which is never clean. If
// they look like letters of ASCII it is read as those, so that a listed account is
// found in spite of them: its checksum, where it has one, says that they were
// taken rightly.
func parseBeyond(p *Parsed) {
	p.object(keyMaterial(p.Text))
	folded, ok := foldLookAlikes(p.Text)
	if !ok {
		p.object(ReasonNonASCII)
		return
	}
	p.Text = folded
	p.Warnings |= WarnHomoglyph
	parsePlain(folded, shapeOf(folded), p)
	switch p.Reason {
	case ReasonSecretMaterial, ReasonAmbiguous32Byte: // what must not be echoed stays so
	default:
		p.Reason = ReasonNonASCII
	}
}
