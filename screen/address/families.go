package address

// This file is where families meet their encodings. A family is a file of its
// own with a read function for each encoding it uses and a format function; it
// is entered below once for each.

// readHex offers the digits that follow an optional 0x to the hex families.
func readHex(digits string, p *Parsed) {
	readEVM(digits, p)
	readTronHex(digits, p)
	readInteroperable(digits, p)
	readPublicKey(digits, p)
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

// readBech32 offers a text of letters and digits to the bech32 families and
// returns what the one it belongs to has against it.
func readBech32(s string, sh shape, p *Parsed) (why Reason) {
	if network := segwitOf(s); network != nil {
		return readSegwit(s, sh, network, p)
	}
	return ReasonNone
}

// Format returns the reading as the text that its network prints: EIP-55 for
// EVM, base58check for Tron, the Bitcoin form for P2PKH and P2SH, lower-case
// bech32 for segwit. Parse reads it back as the same account. It is empty for a
// kind whose key holds only a digest of the account, KindWitness, and for a
// zero reading.
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
	}
	return ""
}

// AppendHashes appends the hashes under which the reading meets related
// accounts, at most MaxHashes of them: a key hash, hash160 of a secp256k1 key,
// with the script hash of the P2SH output that wraps its P2WPKH (BIP-141); a
// script hash; for a P2WSH that of the P2SH output that wraps it; a Keccak hash;
// a 32-byte key; the credentials of a Cardano address. Taproot, other witness
// programs, Monero and TON have none: no key or script can be told from them. It
// allocates nothing when dst has room.
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
