package address

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// unifiedOf writes the items of a unified address.
func unifiedOf(hrp string, items ...[]byte) string {
	message := slices.Concat(append(items, append([]byte(hrp), make([]byte, 16-len(hrp))...))...)
	if len(message) < f4jumbleMin {
		return bech32Of(hrp, bech32M, message)
	}
	at := min(64, len(message)/2)
	left, right := message[:at], message[at:]
	f4jumbleRound('G', 0, right, left)
	f4jumbleRound('H', 0, left, right)
	f4jumbleRound('G', 1, right, left)
	f4jumbleRound('H', 1, left, right)
	return bech32Of(hrp, bech32M, message)
}

// itemOf writes one item whose type and length need one byte each.
func itemOf(code byte, size int, fill byte) []byte {
	return append([]byte{code, byte(size)}, bytes.Repeat([]byte{fill}, size)...)
}

func TestUnifiedReceivers(t *testing.T) {
	key, script := itemOf(unifiedP2PKH, 20, 1), itemOf(unifiedP2SH, 20, 1)
	sapling, orchard := itemOf(unifiedSapling, 43, 2), itemOf(unifiedOrchard, 43, 3)
	later, metadata := itemOf(4, 30, 4), itemOf(unifiedMetadata, 8, 5)
	kinds := func(text string) (out []Kind) {
		var p Parsed
		if Parse(text, &p); p.Reason != ReasonNone {
			t.Errorf("%s: reason %s", text, p.Reason)
		}
		for i := range p.Readings() {
			r := &p.Readings()[i]
			if r.Ledgers != LedgerZEC || r.Testnet == strings.HasPrefix(strings.ToLower(text), "u1") {
				t.Errorf("%s: %+v", text, r)
			}
			out = append(out, r.Kind())
		}
		return out
	}
	for _, v := range []struct {
		items [][]byte
		want  []Kind
	}{
		{[][]byte{orchard}, []Kind{KindOrchard}},
		{[][]byte{sapling}, []Kind{KindUnified}},
		{[][]byte{sapling, orchard}, []Kind{KindUnified}},
		{[][]byte{key, sapling}, []Kind{KindP2PKH, KindUnified}},
		{[][]byte{script, orchard}, []Kind{KindP2SH, KindUnified}},
		{[][]byte{key, sapling, orchard, later, metadata}, []Kind{KindP2PKH, KindUnified}},
		{[][]byte{later}, []Kind{KindUnified}},
		{[][]byte{key, later}, []Kind{KindP2PKH, KindUnified}},
		{[][]byte{orchard, metadata}, []Kind{KindUnified}},
		{[][]byte{orchard, {0xfd, 0xfd, 0xff, 2, 1, 2}}, []Kind{KindUnified}}, // type fffd
	} {
		for _, hrp := range []string{"u", "utest", "uregtest"} {
			text := unifiedOf(hrp, v.items...)
			if got := kinds(text); !slices.Equal(got, v.want) {
				t.Errorf("%x: kinds %v, want %v", v.items, got, v.want)
			}
			if got := kinds(strings.ToUpper(text)); !slices.Equal(got, v.want) {
				t.Errorf("%x in capitals: kinds %v, want %v", v.items, got, v.want)
			}
		}
	}
	var p Parsed
	for what, items := range map[string][][]byte{
		"transparent only":            {key, metadata, metadata},
		"metadata only":               {itemOf(unifiedMetadata, 60, 5)},
		"both transparent":            {key, script, sapling},
		"out of order":                {orchard, sapling},
		"a type twice":                {sapling, sapling},
		"a receiver of another size":  {itemOf(unifiedSapling, 42, 2)},
		"a key hash of another size":  {itemOf(unifiedP2PKH, 19, 1), sapling},
		"metadata not understood":     {orchard, itemOf(0xe0, 4, 1)},
		"bytes at the end":            {orchard, {4}},
		"an item cut off":             {orchard, {4, 9, 1}},
		"a size in a long form":       {{unifiedOrchard, 0xfd, 43, 0}, bytes.Repeat([]byte{3}, 43)},
		"a type beyond the greatest":  {orchard, {0xfe, 1, 0, 0, 2, 0}},
		"a type of more than 32 bits": {orchard, {0xff, 1, 0, 0, 0, 1, 0, 0, 0, 0}},
		"too short":                   {itemOf(4, 8, 1)},
	} {
		if Parse(unifiedOf("u", items...), &p); p.Reason != ReasonMalformed || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want malformed with none", what, p.Reason, len(p.Readings()))
		}
	}
	// The padding is the human-readable part: an address of one network is none of
	// another.
	inner := unifiedOf("u", orchard)
	hrp, data, _ := bech32Split(inner)
	var raw [maxUnified]byte
	n, ok := bech32Bytes(raw[:], data[:len(data)-6])
	if Parse(bech32Of("utest", bech32M, raw[:n]), &p); !ok || hrp != "u" || p.Reason != ReasonMalformed || len(p.Readings()) != 0 {
		t.Errorf("with the prefix of another network: reason %s with %d readings", p.Reason, len(p.Readings()))
	}
}

func TestUnifiedRelations(t *testing.T) {
	key := itemOf(unifiedP2PKH, 20, 1)
	sapling, orchard := itemOf(unifiedSapling, 43, 2), itemOf(unifiedOrchard, 43, 3)
	whole := func(text string) Reading {
		var p Parsed
		Parse(text, &p)
		if len(p.Readings()) == 0 {
			t.Fatalf("%s: reason %s", text, p.Reason)
		}
		return p.Readings()[len(p.Readings())-1]
	}
	alone := whole(bech32Of("zs", bech32Plain, sapling[2:]))
	a, b := whole(unifiedOf("u", key, sapling, orchard)), whole(unifiedOf("u", sapling, itemOf(unifiedOrchard, 43, 9)))
	only, other := whole(unifiedOf("u", orchard)), whole(unifiedOf("u", itemOf(unifiedSapling, 43, 8), itemOf(unifiedOrchard, 43, 8)))
	for what, v := range map[string]struct {
		x, y Reading
		want bool
	}{
		"one Sapling receiver, alone and in a unified address": {alone, a, true},
		"one Sapling receiver in two unified addresses":        {a, b, true},
		"one Orchard receiver, alone and with others":          {only, a, true},
		"no receiver in common":                                {a, other, false},
		"Sapling and Orchard":                                  {alone, only, false},
	} {
		if v.x.Key == v.y.Key || related(&v.x, &v.y) != v.want {
			t.Errorf("%s: keys %s and %s, related %t, want %t", what, v.x.Key, v.y.Key, related(&v.x, &v.y), v.want)
		}
	}
}

func TestZcashViewingKeys(t *testing.T) {
	var p Parsed
	for _, hrp := range []string{"uview", "uivk", "zxviews", "uviewtest"} {
		variant := bech32M
		if hrp == "zxviews" {
			variant = bech32Plain
		}
		text := bech32Of(hrp, variant, bytes.Repeat([]byte{7}, 120))
		if Parse(text, &p); p.Reason != ReasonExtendedKey || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want extended_key with none", text, p.Reason, len(p.Readings()))
		}
	}
}
