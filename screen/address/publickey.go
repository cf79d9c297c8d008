package address

import (
	"crypto/sha256"
	"math/big"
	"sync"
)

// A public key of secp256k1 as hex digits (SEC 1, section 2.3.3,
// https://www.secg.org/sec1-v2.pdf): 02 or 03 and the x coordinate, or 04 and both
// coordinates. It is no address, but every address made of the key is related to
// it: by hash160 of its compressed and of its uncompressed form (P2PKH and what
// wraps it, XRP Ledger, Cosmos and its kin), and by the Keccak hash of the
// coordinates (EVM, Tron).

// publicKeyLedgers are those on which addresses are made of such a key.
const publicKeyLedgers = LedgerEVM | LedgerTron | p2pkhLedgers | LedgerLTC | LedgerDOGE | LedgerDGB | LedgerXVG | LedgerDASH |
	LedgerBTG | LedgerKMD | LedgerSTRAT | LedgerZEC | LedgerXEC | LedgerXRP | LedgerCosmos | LedgerBNB | LedgerAVAX

// secp256k1 holds the field's prime and the exponent (p+1)/4 of square roots (SEC
// 2, section 2.4.1). The curve is y² = x³ + 7.
var secp256k1 = sync.OnceValue(func() (c struct{ prime, root *big.Int }) {
	c.prime, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f", 16)
	c.root = new(big.Int).Rsh(new(big.Int).Add(c.prime, big.NewInt(1)), 2)
	return c
})

// publicKeyShape reports whether digits are as many, and begin as, those of a
// public key.
func publicKeyShape(digits string) bool {
	return len(digits) == 2*33 && digits[0] == '0' && (digits[1] == '2' || digits[1] == '3') ||
		len(digits) == 2*65 && digits[0] == '0' && digits[1] == '4'
}

// readPublicKey reads a point of the curve.
func readPublicKey(digits string, p *Parsed) {
	if !publicKeyShape(digits) {
		return
	}
	var data [65]byte // 04, x, y
	n := len(digits) / 2
	if _, ok := decodeHex(data[:n], digits); !ok || !completePoint(&data, n == 65) {
		return
	}
	var compressed [33]byte
	compressed[0] = 2 + data[64]&1
	copy(compressed[1:], data[1:33])
	key := sha256.Sum256(compressed[:])
	r := p.add(KindPublicKey, key[:], publicKeyLedgers, false)
	sum := hash160(compressed[:])
	r.relate(SpaceKeyHash, sum[:])
	sum = hash160(data[:])
	r.relate(SpaceKeyHash, sum[:])
	k := keccaks.Get().(*keccak)
	defer keccaks.Put(k)
	r.relate(SpaceKeccak, k.hash(copy(k.in[:], data[1:]))[12:])
	p.object(ReasonNotAnAddress)
}

// completePoint reports whether data is a point of the curve, and computes the y
// coordinate, and the byte 04, if data is in the compressed form.
func completePoint(data *[65]byte, whole bool) bool {
	c := secp256k1()
	x := new(big.Int).SetBytes(data[1:33])
	if x.Cmp(c.prime) >= 0 {
		return false
	}
	square := new(big.Int).Mul(x, x)
	square.Mul(square, x).Add(square, big.NewInt(7)).Mod(square, c.prime)
	if whole {
		y := new(big.Int).SetBytes(data[33:])
		return y.Cmp(c.prime) < 0 && y.Mul(y, y).Mod(y, c.prime).Cmp(square) == 0
	}
	y := new(big.Int).Exp(square, c.root, c.prime)
	if again := new(big.Int).Mul(y, y); again.Mod(again, c.prime).Cmp(square) != 0 {
		return false
	}
	if y.Bit(0) != uint(data[0]&1) {
		y.Sub(c.prime, y)
	}
	data[0] = 4
	y.FillBytes(data[33:])
	return true
}
