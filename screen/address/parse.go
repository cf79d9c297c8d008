package address

import "unicode/utf8"

// Parse reads text into p, overwriting all of it. Every text, of whatever bytes,
// ends either with ReasonNone and at least one reading or with the reason why it
// cannot be screened from the text alone. Parse may be called from many
// goroutines, each with its own Parsed. It takes time linear in the length of
// the text and allocates nothing unless the text holds characters beyond ASCII,
// an address broken by white space, percent-encoding, a tag within the encoding of
// an address, or a public key.
func Parse(text string, p *Parsed) {
	clear(p.readings[:p.n])
	p.Text, p.Reason, p.Warnings, p.n = "", ReasonNone, 0, 0

	if len(text) > MaxTextBytes {
		p.object(ReasonTooLong)
		return
	}
	sh := shapeOf(text)
	if sh.has(classBeyond) && !utf8.ValidString(text) {
		p.object(ReasonInvalidText)
		return
	}
	p.Text = text
	if !sh.only(classAlnum) {
		p.Text = normalize(text)
		if p.Text != text {
			p.Warnings |= WarnNormalized
			sh = shapeOf(p.Text)
		}
	}
	switch {
	case p.Text == "":
		p.object(ReasonEmpty)
	case sh.has(classBeyond):
		parseBeyond(p)
	default:
		parsePlain(p.Text, sh, p)
	}
}

// parsePlain reads a text of ASCII.
func parsePlain(s string, sh shape, p *Parsed) {
	switch {
	case sh.has(classSeparator):
		parseParts(s, p)
	case sh.has(classMark) && readMarked(s, sh, p):
	case sh.has(classMark) && unwrap(s, p):
	default:
		read(s, sh, p)
	}
}

// readMarked reads the encodings that have marks of their own, which nothing wraps:
// cashaddr with its prefix and the raw form of TON.
func readMarked(s string, sh shape, p *Parsed) bool {
	if readTON(s, p); p.n == 0 {
		readCashaddr(s, sh, p)
	}
	return p.n > 0
}

// read gives s, which has no separators, to every encoding it can be of. If none
// of them makes a reading, it says why.
func read(s string, sh shape, p *Parsed) {
	var hex Reason
	digits, prefixed := cutHexPrefix(s)
	if prefixed || sh.only(classHex) {
		hex = readHex(digits, prefixed, p)
	}
	if prefixed && p.n > 0 {
		return // no other encoding begins so
	}
	var base58, bech32, icap Reason
	xrp, cashaddr := ReasonNone, readCashaddr(s, sh, p)
	if sh.only(classBase58) {
		if xrp = readXRP(s, p); p.n == 0 { // no text verifies in both alphabets
			base58 = readBase58(s, p)
		}
	}
	if sh.only(classAlnum) {
		icap = readICAP(s, p)
		bech32 = readBech32(s, sh, p)
	}
	other := readOther(s, sh, p)
	if p.n > 0 {
		return
	}
	// A secret comes before everything else, and what an encoding has found out
	// before a mere likeness; but a text of another family's shape is no mistyped
	// base58check of these.
	p.object(keyMaterial(s))
	p.object(hex)
	p.object(icap)
	p.object(bech32)
	p.object(cashaddr)
	p.object(xrp)
	p.object(other)
	p.object(base58)
	p.object(diagnose(s, sh))
}

// readBase58 reads a text of base58 characters and returns what stands against
// it if there is no reading.
func readBase58(s string, p *Parsed) (why Reason) {
	if len(s) > maxBase58Text {
		return ReasonTooLong
	}
	monero := ReasonNone
	if len(s) == moneroText || len(s) == moneroIntegratedText {
		if monero = readMonero(s, p); monero == ReasonNone {
			return ReasonNone
		}
	}
	var buf base58Data
	n, _ := buf.decode(s) // the characters are known to be digits
	data := buf[:n]
	if n == 1+20+4 {
		if !base58Checked(data) {
			return ReasonChecksum
		}
		readBase58Check(data[0], data[1:21], p)
		return ReasonNone
	}
	why = readBase58Bytes(s, data, p)
	switch {
	case p.n > 0:
		return ReasonNone
	case monero != ReasonNone && !base58Checked(data):
		return monero
	case why != ReasonNone:
		return why
	}
	return diagnoseBase58(data)
}
