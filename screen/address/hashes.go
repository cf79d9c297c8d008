package address

// Space returns the space of the hash.
func (h Hash) Space() Space { return Space(h[0]) }

func hashIn(space Space, payload []byte) (h Hash) {
	h[0] = byte(space)
	copy(h[1:], payload)
	return h
}

// relate notes a hash that the payload of the reading does not tell, because the
// key holds only a digest: the key hash of a bech32 account, the credentials of
// a Cardano address. At most maxRelated of them.
func (r *Reading) relate(space Space, payload []byte) {
	for i := range r.related {
		if r.related[i].Space() == 0 {
			r.related[i] = hashIn(space, payload)
			return
		}
	}
}

// nestedScriptHash returns the script hash of the P2SH output that wraps the
// version 0 witness program: hash160 of 00, the length and the program (BIP-141).
func nestedScriptHash(program []byte) Hash {
	var script [2 + 32]byte
	script[1] = byte(len(program))
	n := 2 + copy(script[2:], program)
	sum := hash160(script[:n])
	return hashIn(SpaceScriptHash, sum[:])
}
