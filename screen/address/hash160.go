package address

import (
	"crypto/sha256"
	"hash"
	"sync"

	//lint:ignore SA1019 hash160 is what addresses are made with, RIPEMD-160 and all
	"golang.org/x/crypto/ripemd160"
)

// ripemd carries the state and buffers of one RIPEMD-160 computation, for the
// reason given at keccak.
type ripemd struct {
	state hash.Hash
	in    [32]byte
	sum   [20]byte
}

var ripemds = sync.Pool{New: func() any { return &ripemd{state: ripemd160.New()} }}

// hash160 returns RIPEMD-160 of SHA-256 of b, the hash that Bitcoin makes of
// public keys and scripts.
func hash160(b []byte) [20]byte {
	r := ripemds.Get().(*ripemd)
	defer ripemds.Put(r)
	r.in = sha256.Sum256(b)
	r.state.Reset()
	r.state.Write(r.in[:])
	r.state.Sum(r.sum[:0])
	return r.sum
}
