package address

import (
	"hash"
	"io"
	"sync"

	"golang.org/x/crypto/sha3"
)

// keccak computes Keccak-256 (the padding before FIPS 202) of short texts. It
// carries its own buffers because whatever passes through hash.Hash is moved to
// the heap; keccaks keeps used ones, so that Parse allocates nothing.
type keccak struct {
	state interface {
		hash.Hash
		io.Reader // reads the sum without the copy of the state that Sum makes
	}
	in  [80]byte
	sum [32]byte
}

var keccaks = sync.Pool{New: func() any {
	return &keccak{state: sha3.NewLegacyKeccak256().(interface {
		hash.Hash
		io.Reader
	})}
}}

// hash returns the sum of the first n bytes of k.in, valid until the next call.
func (k *keccak) hash(n int) *[32]byte {
	k.state.Reset()
	k.state.Write(k.in[:n])
	k.state.Read(k.sum[:])
	return &k.sum
}
