package address

// EVM: 20 bytes, the last of Keccak-256 of the public key, as 40 hex digits, one
// account on every EVM chain. The letter case may be a checksum: EIP-55
// (https://eips.ethereum.org/EIPS/eip-55) capitalizes the letters where the hash
// of the lower-case digits has a nibble of 8 or more; EIP-1191
// (https://eips.ethereum.org/EIPS/eip-1191) puts the chain's id before the
// digits and is in use on Rootstock, chains 30 and 31. Digits in a single case
// carry no checksum, so any 40 of them are an address, and a mistyped one is the
// address of somebody else.

// evmWordZeros is the number of leading zero digits that make a 32-byte word an
// address padded to the left, as contract calls and log topics carry it.
const evmWordZeros = 24

// evmCasePrefixes is what the checksum hashes before the digits: nothing for
// EIP-55, the two Rootstock chains for EIP-1191.
var evmCasePrefixes = [...]string{"", "300x", "310x"}

// readEVM reads 40 hex digits, and 64 of which the first 24 are zeros. All words
// of that form are read alike, the word of 64 zeros as the zero address too.
func readEVM(digits string, p *Parsed) {
	if len(digits) == 64 {
		for _, c := range []byte(digits[:evmWordZeros]) {
			if c != '0' {
				return
			}
		}
		digits = digits[evmWordZeros:]
	}
	if len(digits) != 40 {
		return
	}
	var payload [20]byte
	letters, ok := decodeHex(payload[:], digits)
	if !ok {
		return
	}
	mixed := letters == hexLower|hexUpper
	p.add(KindEVM, payload[:], LedgerEVM, false).Unchecked = !mixed
	if mixed && !evmCaseVerifies(digits, &payload) {
		p.Warnings |= WarnChecksumCase
		p.object(ReasonChecksum)
	}
}

func evmCaseVerifies(digits string, payload *[20]byte) bool {
	for _, prefix := range evmCasePrefixes {
		if want := evmCase(payload, prefix); string(want[:]) == digits {
			return true
		}
	}
	return false
}

// evmCase returns the digits of the payload in the case of the checksum.
func evmCase(payload *[20]byte, prefix string) (digits [40]byte) {
	k := keccaks.Get().(*keccak)
	defer keccaks.Put(k)
	n := len(appendHex(append(k.in[:0], prefix...), payload[:]))
	copy(digits[:], k.in[len(prefix):n])
	sum := k.hash(n)
	for i, c := range digits {
		if nibble := sum[i/2] >> (4 * (1 - i%2)); c >= 'a' && nibble&8 != 0 {
			digits[i] = c &^ 0x20
		}
	}
	return digits
}

func formatEVM(payload []byte) string {
	digits := evmCase((*[20]byte)(payload), "")
	return "0x" + string(digits[:])
}
