package address

import "strings"

// parseParts treats a text of several parts, parted by white space or , ; |.
// Such a text is never clean. If its parts without the white space make one
// address, it is that address broken, by a line end perhaps, and is read so that
// it can be looked up. A single address beside other words is not read: the words
// may be a tag or memo that changes which account is meant.
func parseParts(s string, p *Parsed) {
	if why := keyMaterial(s); why != ReasonNone {
		p.object(why)
		return
	}
	addresses := 0
	for rest := s; addresses < 2; { // more would not change the answer
		part, after := nextPart(rest)
		if part == "" {
			break
		}
		rest = after
		var q Parsed
		if sh := shapeOf(part); !sh.has(classMark) || !unwrap(part, &q) {
			read(part, sh, &q)
		}
		switch {
		case q.Reason == ReasonSeveralAddresses:
			addresses += 2
		case q.n > 0:
			addresses++
		}
	}
	switch {
	case addresses > 1:
		p.object(ReasonSeveralAddresses)
	case addresses == 1:
		p.object(ReasonMalformed)
	default:
		readJoined(s, p)
	}
}

// nextPart returns the first part of s, "" if none is left, and what follows it.
func nextPart(s string) (part, rest string) {
	start := 0
	for start < len(s) && classes[s[start]]&classSeparator != 0 {
		start++
	}
	end := start
	for end < len(s) && classes[s[end]]&classSeparator == 0 {
		end++
	}
	return s[start:end], s[end:]
}

// nextRun returns the first run of letters and digits of s, "" if none is left, and
// what follows it.
func nextRun(s string) (run, rest string) {
	start := 0
	for start < len(s) && classes[s[start]]&classAlnum == 0 {
		start++
	}
	end := start
	for end < len(s) && classes[s[end]]&classAlnum != 0 {
		end++
	}
	return s[start:end], s[end:]
}

// readJoined reads s without its white space, as malformed.
func readJoined(s string, p *Parsed) {
	joined := strings.Join(strings.Fields(s), "")
	sh := shapeOf(joined)
	if sh.has(classSeparator) || sh.onlyLetters() {
		p.object(ReasonUnrecognized)
		return
	}
	var q Parsed
	if !sh.has(classMark) || !unwrap(joined, &q) {
		read(joined, sh, &q)
	}
	p.readings, p.n = q.readings, q.n
	p.Warnings |= q.Warnings
	switch {
	case q.Reason == ReasonSecretMaterial, q.Reason == ReasonAmbiguous32Byte: // not to be echoed
		p.object(q.Reason)
	case q.n > 0:
		p.object(ReasonMalformed)
	case !sh.only(classAlnum), q.Reason == ReasonUnrecognized:
		p.object(ReasonUnrecognized)
	default:
		p.object(ReasonMalformed)
	}
}
