package address

import (
	"strings"
	"unicode"
)

// Tags as publishers print them beside the address of a pooled account:
// "(Address tag 102334770)", "Destination Tag: 1", "memo 2".

// tagWords are the words before the value; one of those marked must be there.
var tagWords = map[string]bool{
	"tag": true, "memo": true, "dt": true,
	"address": false, "destination": false, "dest": false, "id": false, "no": false, "number": false, "text": false,
}

// maxTagWord is the length of the longest of tagWords.
const maxTagWord = 11

// tagAt reads the tag that stands in s from byte at on, and returns where it
// ends; "" if there is none. In brackets it may be any text, else digits only.
func tagAt(s string, at int) (tag string, end int) {
	at = skip(s, at, " \t\u00a0\u202f*,")
	closing := strings.IndexByte(s[at:min(len(s), at+MaxTextBytes)], ')')
	bracketed := at < len(s) && s[at] == '(' && closing > 0
	if bracketed {
		at, closing = at+1, at+closing
	}
	marked := false
	for range 4 {
		from := at
		for at < len(s) && at-from <= maxTagWord && lower(s[at]) >= 'a' && lower(s[at]) <= 'z' {
			at++
		}
		mark, known := tagWords[strings.ToLower(s[from:at])]
		if !known {
			at = from
			break
		}
		marked = marked || mark
		at = skip(s, at, " \t\u00a0\u202f:#.=-")
	}
	if !marked {
		return "", 0
	}
	if bracketed {
		if at >= closing {
			return "", 0
		}
		return strings.TrimSpace(s[at:closing]), closing + 1
	}
	from := at
	for at < len(s) && at-from < 20 && classes[s[at]]&classDigit != 0 {
		at++
	}
	if at == from || at < len(s) && classes[s[at]]&(classAlnum|classBeyond) != 0 {
		return "", 0
	}
	return s[from:at], at
}

// skip returns the place of the first character of s from at on that is not in set.
func skip(s string, at int, set string) int {
	return len(s) - len(strings.TrimLeft(s[at:], set))
}

// cutTag returns where in the cell the text before a tag in brackets stands,
// without stars and white space around it, and the tag.
func cutTag(cell string) (start, end int, tag string) {
	end = len(cell)
	for at := range len(cell) {
		if cell[at] != '(' {
			continue
		}
		if t, _ := tagAt(cell, at); t != "" {
			end, tag = at, t
			break
		}
	}
	around := func(r rune) bool { return r == '*' || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }
	start = end - len(strings.TrimLeftFunc(cell[:end], around))
	return start, start + len(strings.TrimRightFunc(cell[start:end], around)), tag
}

// walletWords are words, in lower case, of texts that speak of addresses: in
// English and French as most publishers write, in Japanese and Hebrew.
var walletWords = [...]string{
	"wallet", "crypto", "blockchain", "digital currency", "virtual currency", "virtual asset", "bitcoin", "ethereum", "stablecoin", "usdt",
	"portefeuille", "chaîne de blocs", "暗号資産", "仮想通貨", "ウォレット", "ビットコイン", "ארנק",
}

// speaksOfWallets reports whether text speaks of what has addresses.
func speaksOfWallets(text string) bool {
	text = strings.ToLower(text)
	for _, w := range walletWords {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
