package address

import "strings"

// Addresses inside URIs and account ids: BIP-21 and BIP-321 with their kin of
// other coins, ZIP-321, ERC-681, SEP-7, CIP-13, Solana Pay, the links of TON and
// XRP Ledger wallets, CAIP-10 with its older form and did:pkh, ERC-3770, ERC-7828,
// and a publisher's ticker before a colon.
//
// The address is read as if it stood alone, so what it means and what is wrong
// with it is for its own encoding to say. What is around it may only add: a tag,
// another account, or an objection. A word that is no scheme, network or ticker known here keeps
// the text from being clean, because it may say that the rest is something else;
// so does a network that has no such addresses. Parameters of a payment request
// that name no address are passed over, BIP-21's required ones too: they change
// how is paid, not who.
//
// Sources: https://github.com/bitcoin/bips (21, 321),
// https://zips.z.cash/zip-0321, https://eips.ethereum.org (681, 3770, 7828),
// https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0007.md,
// https://chainagnostic.org/CAIPs/caip-10 with the profiles of
// https://github.com/ChainAgnostic/namespaces.

// unwrap reads the address that s wraps, and reports whether s is something
// wrapped at all. A text that is not is left to its own encoding.
func unwrap(s string, p *Parsed) bool {
	p.Text = s
	var u uri
	head, query, _ := strings.Cut(s, "?")
	if !u.read(p, percentDecoded(head), query) {
		// Two addresses parted by a mark, such as a slash, are no unknown text.
		if !u.several(p) {
			return false
		}
		p.object(ReasonSeveralAddresses)
		return true
	}
	p.Warnings |= WarnURI
	if p.Reason == ReasonNone {
		u.readRest(p, query)
	}
	if u.targets == 1 {
		p.Text = u.target
	}
	return true
}

// uri is a text being unwrapped, which is the Text of the Parsed that goes with it.
// It does not hold that, because what stands in one struct with strings escapes.
type uri struct {
	target  string // the address read last
	targets int    // how many were read
}

// read reads head, all before the first question mark, and query, all after it.
// A ticker or did:pkh may stand before what wraps the address.
func (u *uri) read(p *Parsed, head, query string) bool {
	within, ok := u.readOnce(p, head, query)
	if within == "" {
		return ok
	}
	if inner, ok := u.readOnce(p, within, query); inner != "" || !ok {
		u.takeTagged(p, within, query, 0)
	}
	return true
}

// readOnce reads what wraps an address, or returns it if it stands within
// something else.
func (u *uri) readOnce(p *Parsed, head, query string) (within string, ok bool) {
	word, body, ok := strings.Cut(head, ":")
	if !ok || !isWord(word) {
		return "", u.readBare(p, head, query)
	}
	sc, known := schemeOf(word)
	if rest, slashes := strings.CutPrefix(body, "//"); slashes && sc.form == formCashaddr {
		head, body = word+":"+rest, rest
	}
	switch {
	case !known && readsAlone(head):
		return "", false // the word is part of the address
	case !known:
		return "", u.readUnknown(p, body)
	case sc.form == formCashaddr && !legacyShaped(body):
		if head == p.Text {
			return "", false // the prefix is part of the address
		}
		if !u.keyMaterial(p) {
			u.take(p, head, "", 0)
		}
		return "", true
	case u.keyMaterial(p):
		return "", true
	}
	body = strings.TrimPrefix(body, "//")
	switch sc.form {
	case formEthereum:
		u.readERC681(p, body, query)
	case formNoAddress:
		p.object(ReasonNotAnAddress)
	case formDID:
		account, ok := strings.CutPrefix(body, "pkh:")
		if !ok || account == "" {
			return "", false
		}
		return account, true
	case formWeb:
		return "", u.readWeb(p, body, query)
	case formSEP7:
		u.readSEP7(p, body, query)
	case formPayees:
		u.readPayees(p, body, query, sc)
	case formTicker:
		if shapeOf(body).has(classMark) {
			return body, true
		}
		u.takeTagged(p, body, query, 0)
	default:
		u.readNetwork(p, word, body, query, sc)
	}
	return "", true
}

// readNetwork reads what follows the scheme of a network: an address, or the rest
// of an account id (CAIP-10).
func (u *uri) readNetwork(p *Parsed, word, body, query string, sc scheme) {
	if sc.ledgers == LedgerTON {
		body = strings.TrimPrefix(body, "transfer/")
	}
	reference, account, ok := strings.Cut(body, ":")
	if ok && sc.namespace != "" && isReference(sc, reference) {
		if word != sc.namespace { // account ids are case-sensitive
			p.object(ReasonMalformed)
		}
		if !isReferenceOf(sc.ledgers, reference) {
			p.object(ReasonMalformed)
		}
		ledgers := networkLedgers(sc.namespace, reference)
		if ledgers&substrateLedgers != 0 {
			ledgers = substrateLedgers // the generic form serves all of them
		}
		if sc.ledgers == LedgerXRP || sc.ledgers == LedgerXLM {
			// The profiles append a tag or memo to the address with a hyphen.
			address, tag, _ := strings.Cut(account, "-")
			u.take(p, address, tag, ledgers)
		} else {
			u.take(p, account, "", ledgers)
		}
		if ledgers == 0 {
			p.object(ReasonUnsupportedNetwork)
		}
		return
	}
	u.takeTagged(p, body, query, sc.ledgers)
}

// isReference reports whether what stands between two colons names a network,
// and is not an address before its tag or the workchain of one.
func isReference(sc scheme, s string) bool {
	switch sc.ledgers {
	case LedgerXRP:
		return shapeOf(s).only(classDigit)
	case LedgerTON:
		return s != "0" && s != "-1"
	}
	return true
}

// isReferenceOf reports whether s has the form of the reference of a network, which
// of an EVM network is its number.
func isReferenceOf(ledgers Ledgers, s string) bool {
	return isReferenceText(s) && (ledgers != LedgerEVM || shapeOf(s).only(classDigit))
}

// maxColons is how many words are passed over that are not known.
const maxColons = 3

// readUnknown reads an address behind a word that is not known, for it to be
// looked up. Whatever the word means, the text is not clean.
func (u *uri) readUnknown(p *Parsed, body string) bool {
	if cashaddrType(body) && bech32Only(body) {
		return false // a prefix is part of what the checksum covers
	}
	for range maxColons {
		if readsAlone(body) {
			if !u.keyMaterial(p) {
				u.take(p, body, "", 0)
				p.object(ReasonUnsupportedNetwork)
			}
			return true
		}
		_, rest, ok := strings.Cut(body, ":")
		if !ok {
			break
		}
		body = rest
	}
	return false
}

// readBare reads an address that no word precedes and that a tag, a network or
// the rest of a URI follows.
func (u *uri) readBare(p *Parsed, head, query string) bool {
	end := strings.IndexAny(head, ":@/")
	if end < 0 {
		end = len(head)
	}
	address, rest := head[:end], head[end:]
	switch {
	case address == "" && len(rest) > 1 && rest[0] == '@' && isHandle(rest[1:]):
		p.object(ReasonNotAnAddress)
		return true
	case !readsAlone(address):
		if rest != "" && rest[0] == '@' && dottedName(address) {
			chain, _, _ := strings.Cut(rest[1:], "#")
			if _, known, _ := chainOf(chain); known {
				p.object(ReasonNameNeedsResolution)
				return true
			}
		}
		return false
	case rest == "" && len(head) == len(p.Text):
		return false // nothing follows
	case u.keyMaterial(p):
		return true
	}
	if rest != "" && evmShaped(address) && (rest[0] == '/' || rest[0] == '@' && digitsThen(rest[1:], '/')) {
		u.readERC681(p, head, query)
		if strings.IndexByte(rest, '/') >= 0 {
			p.object(ReasonMalformed) // a function without the scheme that says what it is
		}
		return true
	}
	// The reference of a chain may be as long as an address.
	if !onKnownChain(rest) && u.several(p) {
		p.object(ReasonSeveralAddresses)
		return true
	}
	switch {
	case rest == "":
		u.takeTagged(p, address, query, 0)
	case rest[0] == ':' && len(rest) > 1 && shapeOf(rest[1:]).only(classDigit):
		u.take(p, address, rest[1:], LedgerXRP)
	case rest[0] == '@':
		u.readInteroperableName(p, address, rest[1:])
	default:
		u.take(p, address, "", 0)
		p.object(ReasonMalformed)
	}
	return true
}

// readERC681 reads a payment request: [pay-]target[@chain][/function][?parameters].
// The payee of a token transfer is the address among its parameters, and the
// target is the token's contract. Of any other function all its addresses count.
func (u *uri) readERC681(p *Parsed, body, query string) {
	if len(body) > 4 && strings.EqualFold(body[:4], "pay-") {
		body = body[4:]
	}
	body, function, called := strings.Cut(body, "/")
	target, chain, ok := strings.Cut(body, "@")
	if ok && (chain == "" || !shapeOf(chain).only(classDigit)) {
		p.object(ReasonMalformed)
	}
	transfer := isOneOf(function, "transfer", "transferFrom", "safeTransferFrom")
	switch {
	case !transfer:
		u.take(p, target, "", LedgerEVM)
	case !evmShaped(target) && !dottedName(target):
		p.object(ReasonMalformed) // no contract
	}
	if !called || function == "" {
		return
	}
	if !isWord(function) {
		p.object(ReasonMalformed) // another address, perhaps
	}
	before := u.targets
	for key, value, rest := nextParameter(query); key != ""; key, value, rest = nextParameter(rest) {
		if strings.EqualFold(key, "address") {
			u.take(p, value, "", LedgerEVM)
		}
	}
	if transfer && u.targets == before {
		p.object(ReasonMalformed)
	}
}

// readPayees reads BIP-21 with the addresses that BIP-321 has as parameters, and
// ZIP-321, where every numbered address is paid.
func (u *uri) readPayees(p *Parsed, body, query string, sc scheme) {
	if body != "" {
		u.take(p, body, "", sc.ledgers)
	}
	for key, value, rest := nextParameter(query); key != ""; key, value, rest = nextParameter(rest) {
		key, _, numbered := strings.Cut(key, ".")
		switch {
		case sc.ledgers == LedgerZEC && strings.EqualFold(key, "address"),
			sc.ledgers == LedgerBTC && !numbered && isOneOf(key, "bc", "tb", "bcrt"):
			u.take(p, value, "", sc.ledgers)
		}
	}
	switch {
	case u.targets == 0:
		p.object(ReasonNotAnAddress) // an invoice or offer only
	case u.targets > 1 && sc.ledgers == LedgerZEC:
		p.object(ReasonSeveralAddresses)
	}
}

// readSEP7 reads a request of Stellar's to pay; one to sign a transaction names
// no payee that could be read here.
func (u *uri) readSEP7(p *Parsed, body, query string) {
	if !strings.EqualFold(body, "pay") {
		p.object(ReasonNotAnAddress)
		return
	}
	u.take(p, parameter(query, "destination"), parameter(query, "memo"), LedgerXLM)
}

// webLinks are the pages that wallets open to pay an address.
var webLinks = [...]struct {
	prefix  string
	ledgers Ledgers
}{
	{"app.tonkeeper.com/transfer/", LedgerTON},
	{"tonhub.com/transfer/", LedgerTON},
	{"xaman.app/detect/request:", LedgerXRP},
	{"xumm.app/detect/request:", LedgerXRP},
}

// readWeb reads the link of a wallet, or of any page that names an account of the
// XRP Ledger as XLS-2 has it, in the parameter "to"
// (https://github.com/XRPLF/XRPL-Standards). What a page of which nothing is known
// has in its path may be who is paid as well.
func (u *uri) readWeb(p *Parsed, body, query string) bool {
	for _, link := range webLinks {
		if address, ok := strings.CutPrefix(body, link.prefix); ok {
			u.takeTagged(p, address, query, link.ledgers)
			return true
		}
	}
	var q Parsed
	to := parameter(query, "to")
	if sh := shapeOf(to); to != "" && sh.only(classBase58) {
		if read(to, sh, &q); q.n == 1 && q.readings[0].Kind() == KindXRP {
			u.takeTagged(p, to, query, LedgerXRP)
			u.readRuns(p, body)
			return true
		}
	}
	return false
}

// takeTagged takes an address that a tag may follow, after a colon or among the
// parameters.
func (u *uri) takeTagged(p *Parsed, target, query string, ledgers Ledgers) {
	address, tag, ok := strings.Cut(target, ":")
	if ok && len(address) > 2 && tag != "" && shapeOf(tag).only(classDigit) {
		u.take(p, address, tag, LedgerXRP)
		return
	}
	for _, key := range [...]string{"dt", "memo", "text"} {
		if tag = parameter(query, key); tag != "" {
			break
		}
	}
	u.take(p, target, tag, ledgers)
}

// readRest looks for an account among the parameters that is not among those read
// by now, whatever is around it. What the parameter means is not known, so it may be
// who is paid.
func (u *uri) readRest(p *Parsed, query string) {
	for query != "" {
		var part string
		part, query, _ = strings.Cut(query, "&")
		key, value, _ := nextParameter(part)
		if isOneOf(key, notPaid[:]...) && readsOn(value, notPaidLedgers) {
			continue
		}
		u.readAnother(p, value)
		u.readRuns(p, percentDecoded(part))
	}
}

// readRuns looks for an account that is not among those read by now in any run of
// letters and digits.
func (u *uri) readRuns(p *Parsed, s string) {
	for run, rest := nextRun(s); run != ""; run, rest = nextRun(rest) {
		u.readAnother(p, run)
	}
}

// readAnother reads s if it is the address of an account that is not among those
// read by now.
func (u *uri) readAnother(p *Parsed, s string) {
	sh := shapeOf(s)
	if len(s) < minAddressRun || sh.has(classSeparator|classBeyond) {
		return
	}
	var q Parsed
	if read(s, sh, &q); q.Reason == ReasonNone && !p.hasAnyOf(&q) {
		u.take(p, s, "", 0)
		p.object(ReasonSeveralAddresses)
	}
}

// notPaid are the parameters whose addresses say what is paid or mark the payment:
// tokens and references of Solana Pay, assets of SEP-7, tokens of TON.
var notPaid = [...]string{"spl-token", "reference", "asset_issuer", "jetton"}

const notPaidLedgers = LedgerSOL | LedgerXLM | LedgerTON

// hasAnyOf reports whether one of q's readings is of an account that p has.
func (p *Parsed) hasAnyOf(q *Parsed) bool {
	for i := range p.Readings() {
		for j := range q.Readings() {
			if p.readings[i].Key == q.readings[j].Key {
				return true
			}
		}
	}
	return false
}

// take reads one address, of the given ledgers unless they are 0, and notes the
// tag with it where its family has tags.
func (u *uri) take(p *Parsed, target, tag string, ledgers Ledgers) {
	sh := shapeOf(target)
	if target == "" || sh.has(classSeparator|classBeyond) {
		p.object(ReasonMalformed)
		return
	}
	u.target = target
	u.targets++
	var q Parsed
	read(target, sh, &q)
	p.Warnings |= q.Warnings
	p.object(q.Reason)
	of := Ledgers(0)
	for i := range q.Readings() {
		r := &q.readings[i]
		of |= r.Ledgers
		if !tagReading(r, tag) {
			p.object(ReasonMalformed)
		}
		p.addReading(r)
	}
	if q.n > 0 && ledgers != 0 && of&ledgers == 0 {
		p.object(ReasonMalformed)
	}
}

// tagReading notes a tag with a reading of a family that has tags, and reports
// whether the tag is one. A destination tag of the XRP Ledger is a number of 32
// bits, and may stand in the address too.
func tagReading(r *Reading, tag string) bool {
	if tag == "" {
		return true
	}
	switch r.Kind() {
	case KindXRP:
		number := uint64(0)
		for _, c := range []byte(tag) {
			if c < '0' || c > '9' || number > 1<<32 {
				return false
			}
			number = number*10 + uint64(c-'0')
		}
		for len(tag) > 1 && tag[0] == '0' {
			tag = tag[1:]
		}
		if number >= 1<<32 || r.Tag != "" && r.Tag != tag {
			return false
		}
	case KindStellar, KindStellarContract, KindStellarPool, KindStellarBalance:
		// A memo is a number, a text of 28 bytes or a hash.
		hash := len(tag) == 64 && shapeOf(tag).only(classHex)
		if len(tag) > 28 && !hash || r.Tag != "" && r.Tag != tag {
			return false
		}
	case KindAccount, KindTON, KindTONMaster, KindTONOther, KindHedera:
	default:
		return true // a comment to the payment
	}
	r.Tag = tag
	return true
}

// addReading adds a reading unless it is there already.
func (p *Parsed) addReading(r *Reading) {
	for i := range p.Readings() {
		if p.readings[i] == *r {
			return
		}
	}
	*p.room() = *r
}

// keyMaterial objects to key material anywhere in the text.
func (u *uri) keyMaterial(p *Parsed) bool {
	why := keyMaterial(p.Text)
	p.object(why)
	return why != ReasonNone
}

// several reports whether two runs of letters and digits are addresses.
func (u *uri) several(p *Parsed) bool {
	count := 0
	for run, rest := nextRun(p.Text); run != ""; run, rest = nextRun(rest) {
		if len(run) >= minAddressRun && readsAlone(run) {
			count++
		}
	}
	return count > 1
}

// minAddressRun is the length of the shortest address that is searched for among
// other text.
const minAddressRun = 25

// readsAlone reports whether s without anything around it has a reading.
func readsAlone(s string) bool { return readsOn(s, ^Ledgers(0)) }

// readsOn reports whether s without anything around it has a reading on one of the
// ledgers.
func readsOn(s string, ledgers Ledgers) bool {
	sh := shapeOf(s)
	if s == "" || sh.has(classSeparator|classBeyond) {
		return false
	}
	var q Parsed
	read(s, sh, &q)
	for i := range q.Readings() {
		if q.readings[i].Ledgers&ledgers != 0 {
			return true
		}
	}
	return false
}

// evmShaped reports whether s can only be an EVM address: 0x and 40 hex digits.
func evmShaped(s string) bool {
	digits, prefixed := cutHexPrefix(s)
	return prefixed && len(digits) == 40 && shapeOf(digits).only(classHex)
}

// legacyShaped reports whether s can only be one of the addresses that Bitcoin
// Cash had before cashaddr: of base58, and of none of cashaddr's types.
func legacyShaped(s string) bool {
	return s != "" && strings.IndexByte("13CHmn2", s[0]) >= 0 && shapeOf(s).only(classBase58)
}

// digitsThen reports whether s is digits, and after them nothing or next.
func digitsThen(s string, next byte) bool {
	digits, _, _ := strings.Cut(s, string(rune(next)))
	return digits != "" && shapeOf(digits).only(classDigit)
}

// isWord reports whether s can be the scheme of a URI (RFC 3986), the namespace
// of an account id, a network's short name or a ticker.
func isWord(s string) bool {
	if s == "" || len(s) > maxWord || classes[s[0]]&(classLower|classUpper) == 0 {
		return false
	}
	for _, c := range []byte(s) {
		if classes[c]&classAlnum == 0 && c != '+' && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// isHandle reports whether s can be the name of a user behind "@".
func isHandle(s string) bool {
	for _, c := range []byte(s) {
		if classes[c]&classAlnum == 0 && c != '_' && c != '.' && c != '-' {
			return false
		}
	}
	return len(s) <= 64
}

func isOneOf(s string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return true
		}
	}
	return false
}

// parameter returns the value of the first parameter of a query with that key, in
// any letter case, as QR codes are in capitals.
func parameter(query, key string) string {
	for k, value, rest := nextParameter(query); k != ""; k, value, rest = nextParameter(rest) {
		if strings.EqualFold(k, key) {
			return value
		}
	}
	return ""
}

// nextParameter returns the first parameter of a query with a key, "" if none is
// left, and what follows it.
func nextParameter(query string) (key, value, rest string) {
	for query != "" {
		query, rest, _ = strings.Cut(query, "&")
		if key, value, _ = strings.Cut(query, "="); key != "" {
			return percentDecoded(key), percentDecoded(value), rest
		}
		query = rest
	}
	return "", "", ""
}

// percentDecoded decodes %XX once. What is not of that form stays.
func percentDecoded(s string) string {
	at := strings.IndexByte(s, '%')
	if at < 0 {
		return s
	}
	out := append(make([]byte, 0, len(s)), s[:at]...)
	for ; at < len(s); at++ {
		var b [1]byte
		if s[at] == '%' && at+2 < len(s) {
			if _, ok := decodeHex(b[:], s[at+1:at+3]); ok {
				out = append(out, b[0])
				at += 2
				continue
			}
		}
		out = append(out, s[at])
	}
	return string(out)
}
