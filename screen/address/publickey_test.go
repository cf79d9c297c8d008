package address

import (
	"slices"
	"testing"
)

// generator is the public key of the private key 1, compressed (SEC 2), and what
// the networks make of it: BIP-173 for segwit, the others by the derivation that
// each documents.
const (
	generator             = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	generatorUncompressed = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)

func TestPublicKeyRelations(t *testing.T) {
	for _, key := range []string{generator, generatorUncompressed} {
		var p Parsed
		Parse(key, &p)
		if len(p.Readings()) != 1 || p.Reason != ReasonNotAnAddress {
			t.Fatalf("%s: %d readings, reason %s", key, len(p.Readings()), p.Reason)
		}
		r := &p.Readings()[0]
		hashes := r.AppendHashes(nil)
		for text, what := range map[string]string{
			"1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH":         "P2PKH of the compressed key",
			"1EHNa6Q4Jz2uvNExL497mE43ikXhwF6kZm":         "P2PKH of the uncompressed key",
			"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "P2WPKH",
			"3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN":         "nested P2WPKH",
			"LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ":         "Litecoin",
			"rBgGZ9tc4him9KBzD8fKFiQz3fSZpaSwMH":         "XRP Ledger",
			"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf": "EVM",
			"TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC":         "Tron",
		} {
			other := onlyReading(t, text)
			if other.Key == r.Key || !slices.ContainsFunc(other.AppendHashes(nil), func(h Hash) bool { return slices.Contains(hashes, h) }) {
				t.Errorf("%s of the key, %s, is not related to it", what, text)
			}
		}
		unrelated := onlyReading(t, "33q2i3GDkpHFAXnD3UdBsKhxzg7pvwAqtN") // of the uncompressed key's hash, which segwit does not allow
		if slices.ContainsFunc(unrelated.AppendHashes(nil), func(h Hash) bool { return slices.Contains(hashes, h) }) {
			t.Errorf("a script that wraps the uncompressed key is related to %s", key)
		}
	}
}

// TestPublicKeyOddRoot: the sign byte chooses between the two points of one x.
func TestPublicKeyOddRoot(t *testing.T) {
	var p, q Parsed
	Parse(generator, &p)
	Parse("03"+generator[2:], &q)
	if len(q.Readings()) != 1 || q.Readings()[0].Key == p.Readings()[0].Key || related(&q.Readings()[0], &p.Readings()[0]) {
		t.Errorf("the points of one x: %+v and %+v", p.Readings(), q.Readings())
	}
}
