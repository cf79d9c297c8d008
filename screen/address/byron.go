package address

import (
	"crypto/sha256"
	"hash/crc32"
)

// Cardano before Shelley (CIP-19, and
// https://github.com/cardano-foundation/CIPs/tree/master/CIP-0019/CIP-0019-byron-addresses.cddl):
// base58 of a CBOR array of two, the address proper as a byte string with tag 24
// and its CRC-32. The address proper is an array of three: a hash of 28 bytes, a
// map of attributes, and the type. The attributes are the encrypted path of the
// key (1) and, on test networks only, the magic number of the network (2). All
// CBOR is in its shortest form, so that an account has one text. The key is made
// of the address proper.

// byronPrefix is the array, the tag and the byte string of more than 23 bytes.
var byronPrefix = [...]byte{0x82, 0xd8, 0x18, 0x58}

const (
	cborUint  = 0
	cborBytes = 2
	cborMap   = 5
)

// readByron reads base58 bytes and returns what stands against them if they
// begin as an address does.
func readByron(data []byte, p *Parsed) (why Reason) {
	head := len(byronPrefix)
	if len(data) < head+1 || [4]byte(data) != byronPrefix {
		return ReasonNone
	}
	size := int(data[head])
	rest := data[head+1:]
	if size < 24 || len(rest) < size {
		return ReasonChecksum
	}
	body, checksum := rest[:size], rest[size:]
	sum, checksum, ok := cborHead(cborUint, checksum)
	switch {
	case !ok || len(checksum) != 0 || sum != uint64(byronChecksum(body)):
		return ReasonChecksum
	case [3]byte(body) != [3]byte{0x83, 0x58, cardanoHash} || len(body) < 3+cardanoHash:
		return ReasonMalformed
	}
	testnet, tail, ok := byronAttributes(body[3+cardanoHash:])
	kind, tail, good := cborHead(cborUint, tail)
	if !ok || !good || kind > 2 || len(tail) != 0 {
		return ReasonMalformed
	}
	digest := sha256.Sum256(body)
	p.add(KindCardano, digest[:], LedgerADA, testnet)
	return ReasonNone
}

// byronChecksum is CRC-32 as crc32.ChecksumIEEE has it, which would move the
// bytes of every base58 text to the heap. So would functions that take a pointer
// to a slice and move it, for which those below return the rest.
func byronChecksum(b []byte) uint32 {
	sum := ^uint32(0)
	for _, c := range b {
		sum = crc32.IEEETable[byte(sum)^c] ^ sum>>8
	}
	return ^sum
}

// byronAttributes takes the map of attributes from b.
func byronAttributes(b []byte) (testnet bool, rest []byte, ok bool) {
	count, b, ok := cborHead(cborMap, b)
	if !ok || count > 2 {
		return false, nil, false
	}
	last := uint64(0)
	for range count {
		key, after, ok := cborHead(cborUint, b)
		size, after, whole := cborHead(cborBytes, after)
		if !ok || !whole || key <= last || key > 2 || size > uint64(len(after)) {
			return false, nil, false
		}
		value := after[:size]
		last, b = key, after[size:]
		major := byte(cborBytes)
		if key == 2 {
			testnet, major = true, cborUint
		}
		number, left, ok := cborHead(major, value)
		switch {
		case !ok, key == 1 && number != uint64(len(left)), key == 2 && (number >= 1<<32 || len(left) != 0):
			return false, nil, false
		}
	}
	return testnet, b, true
}

// cborHead takes the head of an item of the major type (RFC 8949, section 3) from
// b. Its argument must be in the shortest form.
func cborHead(major byte, b []byte) (argument uint64, rest []byte, ok bool) {
	if len(b) == 0 || b[0]>>5 != major {
		return 0, nil, false
	}
	info := b[0] & 31
	if info < 24 {
		return uint64(info), b[1:], true
	}
	size := 1 << (info - 24)
	if info > 27 || len(b) < 1+size {
		return 0, nil, false
	}
	for _, digit := range b[1 : 1+size] {
		argument = argument<<8 | uint64(digit)
	}
	least := [4]uint64{24, 1 << 8, 1 << 16, 1 << 32}
	return argument, b[1+size:], argument >= least[info-24]
}
