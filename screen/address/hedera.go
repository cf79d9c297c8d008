package address

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Hedera: shard, realm and number of an entity in decimal, joined by full stops,
// perhaps with a hyphen and the five letters of HIP-15
// (https://github.com/hashgraph/hedera-improvement-proposal/blob/main/HIP/hip-15.md),
// a checksum that depends on the ledger. Without it a mistyped number is the
// account of somebody else. Contracts see an account under 20 bytes, four of the
// shard and eight each of realm and number, the long-zero address: that EVM text
// is related to the account.

// hederaLedgers are the ids of HIP-15: main network, testnet, previewnet.
const hederaLedgers = 3

// readHedera reads a text with full stops and returns what stands against it if
// it has the form of an account and does not verify.
func readHedera(s string, p *Parsed) (why Reason) {
	account, checksum, checked := strings.Cut(s, "-")
	var payload [24]byte
	rest, ok := account, true
	for i := 0; i < len(payload); i += 8 {
		part, after, more := strings.Cut(rest, ".")
		number, good := decimal(part)
		ok = ok && good && number < 1<<63 && more == (i < 16)
		binary.BigEndian.PutUint64(payload[i:], number)
		rest = after
	}
	switch {
	case !ok:
		return hederaLike(s)
	case !checked:
		p.add(KindHedera, payload[:], LedgerHBAR, false).Unchecked = true
		return ReasonNone
	case len(checksum) != 5 || checksum != strings.ToLower(checksum):
		return ReasonMalformed
	}
	for ledger := range uint32(hederaLedgers) {
		if want := hederaChecksum(account, ledger); string(want[:]) == checksum {
			p.add(KindHedera, payload[:], LedgerHBAR, ledger != 0)
			return ReasonNone
		}
	}
	return ReasonChecksum
}

// hederaLike reports as malformed what begins as an account does: numbers and at
// least one full stop.
func hederaLike(s string) Reason {
	end := 0
	for end < len(s) && (classes[s[end]]&classDigit != 0 || s[end] == '.') {
		end++
	}
	if digits := s[:end]; strings.Count(digits, ".") == 2 && digits[0] != '.' {
		return ReasonMalformed
	}
	return ReasonNone
}

// hederaChecksum is the checksum of HIP-15 for a ledger whose id is one byte.
func hederaChecksum(account string, ledger uint32) (letters [5]byte) {
	const p3, p5 = 26 * 26 * 26, 26 * 26 * 26 * 26 * 26
	var sums [2]uint32 // of the characters in even and odd places
	weighted := uint32(0)
	for i, c := range []byte(account) {
		digit := uint32(10) // a full stop
		if c != '.' {
			digit = uint32(c - '0')
		}
		sums[i%2] += digit
		weighted = (weighted*31 + digit) % p3
	}
	id := ledger
	for range 6 { // zero bytes that follow the id
		id = id * 31 % p5
	}
	sum := uint64((uint32(len(account)%5)*11+sums[0]%11)*11+sums[1]%11)*p3 + uint64(weighted+id)
	sum = sum % p5 * 1000003 % p5
	for i := len(letters) - 1; i >= 0; i-- {
		letters[i] = 'a' + byte(sum%26)
		sum /= 26
	}
	return letters
}

// hederaLongZero returns the EVM address under which contracts see the account,
// and false for a shard that has no room in it.
func hederaLongZero(payload []byte) (evm [20]byte, ok bool) {
	copy(evm[:], payload[4:])
	return evm, binary.BigEndian.Uint32(payload) == 0
}

func formatHedera(payload []byte, testnet bool) string {
	var b []byte
	for i := 0; i < len(payload); i += 8 {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, binary.BigEndian.Uint64(payload[i:]), 10)
	}
	ledger := uint32(0)
	if testnet {
		ledger = 1
	}
	checksum := hederaChecksum(string(b), ledger)
	return string(append(append(b, '-'), checksum[:]...))
}
