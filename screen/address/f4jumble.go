package address

// f4jumbleMin is the shortest message of F4Jumble.
const f4jumbleMin = 48

// f4jumbleInverse undoes F4Jumble in place (ZIP-316, section Jumbling): a Feistel
// network of four rounds over the whole message, so that two unified addresses
// never look alike. The message is maxUnified bytes at most.
func f4jumbleInverse(message []byte) {
	at := min(64, len(message)/2)
	left, right := message[:at], message[at:]
	f4jumbleRound('H', 1, left, right)
	f4jumbleRound('G', 1, right, left)
	f4jumbleRound('H', 0, left, right)
	f4jumbleRound('G', 0, right, left)
}

// f4jumbleRound adds to dst the hashes of src, as many of 64 bytes as it takes.
func f4jumbleRound(function, round byte, dst, src []byte) {
	var sum [64]byte
	for i := 0; len(dst) > 0; i++ {
		personal := [16]byte{'U', 'A', '_', 'F', '4', 'J', 'u', 'm', 'b', 'l', 'e', '_', function, round, byte(i), byte(i >> 8)}
		n := min(len(sum), len(dst))
		size := len(sum)
		if function == 'H' {
			size = n // the length asked for is part of the hash
		}
		blake2bSum(sum[:size], personal, src)
		for j := range n {
			dst[j] ^= sum[j]
		}
		dst = dst[n:]
	}
}
