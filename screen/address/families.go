package address

import "strings"

// This file is where families meet their encodings. A family is a file of its
// own with a read function for each encoding it uses and a format function; it
// is entered below once for each.

// readHex offers the digits that follow an optional 0x to the hex families.
// It returns what the one they belong to has against them.
func readHex(digits string, prefixed bool, p *Parsed) (why Reason) {
	readEVM(digits, p)
	readTronHex(digits, p)
	readInteroperable(digits, p)
	readPublicKey(digits, p)
	if p.n == 0 {
		readNEAR(digits, prefixed, p)
	}
	return readSia(digits, p)
}

// readBase58Check offers a version byte and a 20-byte payload, whose checksum
// verifies, to the base58check families.
func readBase58Check(version byte, payload []byte, p *Parsed) {
	readBitcoin(version, payload, p)
	readTron(version, payload, p)
	if p.n == 0 {
		readUnknownVersion(payload, p)
	}
}

// readBase58Bytes offers the bytes of a base58 text, of other lengths than that,
// to the families that have no version byte, or several. It returns what the one
// they belong to has against them.
func readBase58Bytes(s string, data []byte, p *Parsed) (why Reason) {
	switch n := len(data); n {
	case 2 + 20 + 4:
		if base58Checked(data) {
			readZcashTransparent([2]byte(data), data[2:22], p)
			if p.n == 0 {
				readUnknownVersion(data[2:22], p)
			}
		}
	case 3 + 20 + 4:
		if base58Checked(data) {
			readTezos(data[:23], p)
		}
	case 32:
		readSolana(s, data, p)
	case 1 + 32 + 2, 2 + 32 + 2:
		// A text in a single case is more likely by far something in bech32.
		if why = readSS58(data, p); why != ReasonChecksum || shapeOf(s).mixedCase() {
			return why
		}
	default:
		return readByron(data, p)
	}
	return ReasonNone
}

// maxHRP is longer than any human-readable part of a family.
const maxHRP = 20

// readBech32 offers a text to the bech32 families and returns what the one it
// belongs to has against it.
func readBech32(s string, sh shape, p *Parsed) (why Reason) {
	if network := segwitOf(s); network != nil {
		return readSegwit(s, sh, network, p)
	}
	// No human-readable part of a family has a "1" itself, so one further on is
	// mistyped.
	at := strings.IndexByte(s, '1')
	if at < 1 || at > maxHRP {
		return ReasonNone
	}
	var folded [maxHRP]byte
	for i := range at {
		folded[i] = lower(s[i])
	}
	hrp := string(folded[:at])
	if network := zcashOf(hrp); network != nil {
		return readZcash(s, sh, network, p)
	}
	if network := shelleyOf(hrp); network != nil {
		return readShelley(s, sh, network, p)
	}
	if chain, ok := accountChains[hrp]; ok {
		return readAccount(s, hrp, sh, chain, p)
	}
	return ReasonNone
}

// readOther offers a text to the families with an encoding of their own and
// returns what the one it belongs to has against it.
func readOther(s string, sh shape, p *Parsed) (why Reason) {
	switch {
	case len(s) == tonText:
		return readTON(s, p)
	case sh.only(classAlnum) && !sh.has(classLower):
		readLisk(s, p)
		// A text can have the form of both, but verify as one only.
		stellar, algorand := readStellar(s, p), readAlgorand(s, p)
		if stellar != ReasonNone {
			return stellar
		}
		return algorand
	case sh.only(classAlnum):
		return readFilecoin(s, p)
	}
	if why = readTON(s, p); why == ReasonNone && p.n == 0 {
		why = readHedera(s, p)
	}
	if why == ReasonNone && p.n == 0 {
		why = readNEARKey(s, p)
	}
	if why == ReasonNone && p.n == 0 {
		why = readAvalanche(s, p)
	}
	if why == ReasonNone && p.n == 0 {
		why = readBech32(s, sh, p) // with a low line, as Cardano has for test networks
	}
	return why
}

// Format returns the reading as the text that its network prints: EIP-55 for
// EVM, base58check for Tron, the Bitcoin form for P2PKH and P2SH, lower-case
// bech32 for segwit, the form with a checksum where there is one. Parse reads it
// back as the same account. It is empty for a kind whose key holds only a digest
// of the account, for one whose network is not known, and for a zero reading.
func (r *Reading) Format() string {
	payload := r.Payload()
	switch r.Kind() {
	case KindEVM:
		return formatEVM(payload)
	case KindTron:
		return formatTron(payload, r.Testnet)
	case KindP2PKH, KindP2SH:
		return formatOutput(r)
	case KindWPKH, KindWSH:
		return formatWitness(0, r)
	case KindTR:
		return formatWitness(1, r)
	case KindXRP:
		return formatXRP(r)
	case KindStellar:
		return formatStellar(r)
	case KindStellarContract:
		return formatStrkey(stellarContract, payload)
	case KindStellarPool:
		return formatStrkey(stellarPool, payload)
	case KindSolana:
		return formatSolana(payload)
	case KindTON:
		return formatTON(tonBasechain, payload, r.Testnet)
	case KindTONMaster:
		return formatTON(tonMaster, payload, r.Testnet)
	case KindSS58:
		return formatSS58(payload, r.Ledgers)
	case KindAlgorand:
		return formatAlgorand(payload)
	case KindHedera:
		return formatHedera(payload, r.Testnet)
	case KindNEAR:
		return formatNEAR(payload, r.Ledgers)
	case KindSia:
		return formatSia(payload)
	case KindLisk:
		return formatLisk(payload)
	}
	return ""
}

// AppendHashes appends the hashes under which the reading meets related
// accounts, at most MaxHashes of them: a key hash, hash160 of a secp256k1 key,
// with the script hash of the P2SH output that wraps its P2WPKH (BIP-141); a
// script hash; for a P2WSH that of the P2SH output that wraps it; a Keccak hash;
// a 32-byte key; the account id of TON; a shielded receiver of Zcash; the
// credentials of a Cardano address. Taproot, other witness programs and Monero
// have none: no key or script can be told from them. It allocates nothing when dst
// has room.
func (r *Reading) AppendHashes(dst []Hash) []Hash {
	payload := r.Payload()
	switch r.Kind() {
	case KindEVM, KindTron:
		return append(dst, hashIn(SpaceKeccak, payload))
	case KindP2PKH, KindWPKH, KindXRP:
		return append(dst, hashIn(SpaceKeyHash, payload), nestedScriptHash(payload))
	case KindP2SH:
		return append(dst, hashIn(SpaceScriptHash, payload))
	case KindWSH:
		return append(dst, nestedScriptHash(payload))
	case KindStellar, KindSolana, KindSS58, KindAlgorand, KindNEAR:
		return append(dst, hashIn(SpaceKey, payload))
	case KindTON, KindTONMaster:
		return append(dst, hashIn(SpaceTON, payload))
	case KindSapling, KindOrchard:
		return append(dst, hashIn(SpaceShielded, payload))
	case KindHedera:
		if evm, ok := hederaLongZero(payload); ok {
			return append(dst, hashIn(SpaceKeccak, evm[:]))
		}
	}
	for i := range r.related {
		if r.related[i].Space() != 0 {
			dst = append(dst, r.related[i])
		}
	}
	// The first key hash is that of the compressed key; segwit has no other.
	if first := &r.related[0]; first.Space() == SpaceKeyHash {
		dst = append(dst, nestedScriptHash(first[1:1+20]))
	}
	return dst
}
