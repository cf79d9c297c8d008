package address

import (
	"crypto/sha256"
	"strings"
)

// Cashaddr: a prefix, a colon and data in the five-bit characters of bech32, of
// which the last eight are a checksum of 40 bits over prefix and data
// (https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md).
// The data is a version byte, which holds a type and a size, and the hash. Types 0
// and 1 are P2PKH and P2SH. Types 2 and 3 are the same outputs of a wallet that
// understands tokens (CashTokens, https://github.com/cashtokens/cashtokens), so
// the account is the same. The prefix may be left out, because the checksum tells
// which was meant. Either case may be used, not both.
//
// Bitcoin Cash pays to hashes of 20 bytes, as Bitcoin does, and to P2SH hashes of
// 32 (CHIP-2022-05 Pay-to-Script-Hash-32). Every size that the format knows is
// read: one that is not 20 bytes is an account of KindCashaddr. eCash is a network
// of its own that forked off Bitcoin Cash and took the format along. SLP wallets
// write accounts of Bitcoin Cash with the prefix simpleledger.

// cashaddrNetwork is a prefix in use.
type cashaddrNetwork struct {
	prefix  string
	ledgers Ledgers
	testnet bool
	foreign bool // another layer on the ledger: only what is found there is answered for
}

// cashaddrNetworks are tried in this order for a text without prefix.
var cashaddrNetworks = [...]cashaddrNetwork{
	{"bitcoincash", LedgerBCH, false, false},
	{"ecash", LedgerXEC, false, false},
	{"bchtest", LedgerBCH, true, false},
	{"bchreg", LedgerBCH, true, false},
	{"ectest", LedgerXEC, true, false},
	{"ecregtest", LedgerXEC, true, false},
	{"simpleledger", LedgerBCH, false, true},
}

const (
	cashaddrSum  = 8                // characters of the checksum
	minCashaddr  = 34 + cashaddrSum // characters of the shortest data, a hash of 20 bytes
	cashaddrMost = 1 + 64           // bytes of version and longest hash
	maxCashaddr  = 8*cashaddrMost/5 + cashaddrSum
)

// cashaddrSizes are the lengths of the hash that the version byte's low bits tell.
var cashaddrSizes = [8]int{20, 24, 28, 32, 40, 48, 56, 64}

// cashaddrSteps[top] is what the five bits shifted out of the checksum give back.
var cashaddrSteps = func() (t [32]uint64) {
	generator := [5]uint64{0x98f2bc8e61, 0x79b76d99e2, 0xf33e5fb3c4, 0xae2eabe2a8, 0x1e4f43e470}
	for top := range t {
		for i, g := range generator {
			if top>>i&1 != 0 {
				t[top] ^= g
			}
		}
	}
	return t
}()

func cashaddrStep(sum uint64, value uint8) uint64 {
	return sum&0x07ffffffff<<5 ^ uint64(value) ^ cashaddrSteps[sum>>35]
}

// cashaddrPrefix returns the checksum's state after the prefix and the colon.
func cashaddrPrefix(prefix string) uint64 {
	sum := uint64(1)
	for _, c := range []byte(prefix) {
		sum = cashaddrStep(sum, c&31) // the same for both cases of a letter
	}
	return cashaddrStep(sum, 0)
}

func cashaddrVerifies(prefix, data string) bool {
	sum := cashaddrPrefix(prefix)
	for _, c := range []byte(data) {
		sum = cashaddrStep(sum, bech32Values[c])
	}
	return sum == 1
}

// readCashaddr reads a text with or without prefix and returns what stands
// against it if it is of that shape and has no reading.
func readCashaddr(s string, sh shape, p *Parsed) (why Reason) {
	prefix, data, prefixed := strings.Cut(s, ":")
	if !prefixed {
		prefix, data = "", s
		if !cashaddrType(s) {
			return ReasonNone
		}
	}
	network := cashaddrNetworkOf(prefix)
	known := network != nil
	if len(data) < minCashaddr || len(data) > maxCashaddr || !bech32Only(data) {
		if known && prefixed {
			return ReasonChecksum
		}
		return ReasonNone
	}
	verified := false
	switch {
	case known || prefixed && prefix != "":
		verified = cashaddrVerifies(prefix, data)
	case !prefixed:
		for i := range cashaddrNetworks {
			if network = &cashaddrNetworks[i]; cashaddrVerifies(network.prefix, data) {
				verified = true
				break
			}
		}
	}
	if !verified {
		return ReasonChecksum
	}
	var buf [cashaddrMost]byte
	n, ok := bech32Bytes(buf[:], data[:len(data)-cashaddrSum])
	if !ok || n < 1 || buf[0]&0x80 != 0 || n != 1+cashaddrSizes[buf[0]&7] {
		return ReasonMalformed
	}
	if network == nil {
		network = &cashaddrNetwork{ledgers: LedgerUnknown, foreign: true}
	}
	if !addCashaddr(buf[0]>>3, buf[1:n], network, p) {
		return ReasonMalformed
	}
	if network.foreign {
		p.object(ReasonUnsupportedNetwork)
	}
	if sh.mixedCase() {
		p.Warnings |= WarnMixedCase
		p.object(ReasonMalformed)
	}
	return ReasonNone
}

// addCashaddr notes the account of a type and hash; false for a type that is
// reserved.
func addCashaddr(typ byte, hash []byte, network *cashaddrNetwork, p *Parsed) bool {
	if typ > 3 {
		return false
	}
	kind := KindP2PKH
	if typ &= 1; typ == 1 { // what differs by 2 is the same output
		kind = KindP2SH
	}
	if len(hash) == 20 {
		p.add(kind, hash, network.ledgers, network.testnet)
		return true
	}
	var output [cashaddrMost]byte
	output[0] = typ
	n := 1 + copy(output[1:], hash)
	sum := sha256.Sum256(output[:n])
	p.add(KindCashaddr, sum[:], network.ledgers, network.testnet)
	return true
}

// cashaddrNetworkOf returns the network of a prefix in either case, nil if there
// is none.
func cashaddrNetworkOf(prefix string) *cashaddrNetwork {
	for i := range cashaddrNetworks {
		if strings.EqualFold(cashaddrNetworks[i].prefix, prefix) {
			return &cashaddrNetworks[i]
		}
	}
	return nil
}

// cashaddrType reports whether s begins as the data of a type in use does and
// is long enough.
func cashaddrType(s string) bool {
	if len(s) < minCashaddr {
		return false
	}
	switch lower(s[0]) {
	case 'q', 'p', 'z', 'r':
		return true
	}
	return false
}

// bech32Only reports whether every character of s is of bech32's set.
func bech32Only(s string) bool {
	bad := uint8(0)
	for _, c := range []byte(s) {
		bad |= bech32Values[c]
	}
	return bad&0x80 == 0
}

// formatCashaddr writes a P2PKH or P2SH reading of Bitcoin Cash or eCash with
// its prefix.
func formatCashaddr(r *Reading) string {
	for i := range cashaddrNetworks {
		network := &cashaddrNetworks[i]
		if network.ledgers != r.Ledgers || network.testnet != r.Testnet {
			continue
		}
		var version byte
		if r.Kind() == KindP2SH {
			version = 1 << 3
		}
		out := append(make([]byte, 0, len(network.prefix)+1+minCashaddr), network.prefix...)
		out = append(out, ':')
		sum := cashaddrPrefix(network.prefix)
		put := func(value uint8) {
			sum = cashaddrStep(sum, value)
			out = append(out, bech32Charset[value])
		}
		acc, held := uint32(version), 8
		for _, b := range r.Payload() {
			for ; held >= 5; held -= 5 {
				put(uint8(acc>>(held-5)) & 31)
			}
			acc, held = acc<<8|uint32(b), held+8
		}
		for ; held >= 5; held -= 5 {
			put(uint8(acc>>(held-5)) & 31)
		}
		if held > 0 {
			put(uint8(acc<<(5-held)) & 31)
		}
		for range cashaddrSum {
			sum = cashaddrStep(sum, 0)
		}
		sum ^= 1
		for shift := 35; shift >= 0; shift -= 5 {
			out = append(out, bech32Charset[sum>>shift&31])
		}
		return string(out)
	}
	return ""
}
