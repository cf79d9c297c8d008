package address

import (
	"bytes"
	"encoding/base32"
	"encoding/hex"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
)

// bech32Of writes bytes in either variant and of any length.
func bech32Of(hrp string, variant bech32Variant, data []byte) string {
	out := append([]byte(hrp), '1')
	sum := bech32HRP(hrp)
	put := func(value uint8) {
		sum = bech32Step(sum, value)
		out = append(out, bech32Charset[value])
	}
	acc, held := uint32(0), 0
	for _, b := range data {
		acc = acc<<8 | uint32(b)
		for held += 8; held >= 5; {
			held -= 5
			put(uint8(acc>>held) & 31)
		}
	}
	if held > 0 {
		put(uint8(acc<<(5-held)) & 31)
	}
	for range 6 {
		sum = bech32Step(sum, 0)
	}
	sum ^= uint32(variant)
	for shift := 25; shift >= 0; shift -= 5 {
		out = append(out, bech32Charset[sum>>shift&31])
	}
	return string(out)
}

func TestBLAKE2b(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		in := make([]byte, random.IntN(400))
		for i := range in {
			in[i] = byte(random.Uint32())
		}
		sum := make([]byte, 1+random.IntN(64))
		blake2bSum(sum, [16]byte{}, in)
		want, err := blake2b.New(len(sum), nil)
		if err != nil {
			t.Fatal(err)
		}
		want.Write(in)
		if !bytes.Equal(sum, want.Sum(nil)) {
			t.Fatalf("%d bytes of %x: %x, want %x", len(sum), in, sum, want.Sum(nil))
		}
	}
}

func TestF4Jumble(t *testing.T) {
	// The first of the vectors at
	// https://github.com/zcash/zcash-test-vectors/blob/master/test-vectors/json/f4jumble.json.
	for _, v := range [][2]string{
		{
			"5d7a8f739a2d9e945b0ce152a8049e294c4d6e66b164939daffa2ef6ee6921481cdd86b3cc4318d9614fc820905d042b",
			"0304d029141b995da5387c125970673504d6c764d91ea6c082123770c7139ccd88ee27368cd0c0921a0444c8e5858d22",
		},
		{
			"b1ef9ca3f24988c7b3534201cfb1cd8dbf69b8250c18ef41294ca97993db546c1fe01f7e9c8e36d6a5e29d4e30a73594bf5098421c69378af1e40f64e125946f",
			"5271fa3321f3adbcfb075196883d542b438ec6339176537daf859841fe6a56222bff76d1662b5509a9e1079e446eeedd2e683c31aae3ee1851d7954328526be1",
		},
	} {
		message := unhex(t, v[1])
		if f4jumbleInverse(message); hex.EncodeToString(message) != v[0] {
			t.Errorf("inverse %x, want %s", message, v[0])
		}
	}
}

func TestBlockwiseBase58(t *testing.T) {
	// Any bytes of the two sizes are written and read back, against big numbers.
	random := rand.New(rand.NewPCG(7, 8))
	for i := range 2000 {
		want := make([]byte, 69+8*(i%2))
		for j := range want {
			want[j] = byte(random.Uint32())
		}
		text := ""
		for rest := want; len(rest) > 0; {
			n, width := min(8, len(rest)), 11
			if n < 8 {
				width = 7
			}
			number, digit := new(big.Int).SetBytes(rest[:n]), new(big.Int)
			block := make([]byte, width)
			for k := width - 1; k >= 0; k-- {
				number.DivMod(number, big.NewInt(58), digit)
				block[k] = base58Alphabet[digit.Int64()]
			}
			text, rest = text+string(block), rest[n:]
		}
		var data [1 + 64 + 8 + 4]byte
		if n, ok := moneroBytes(&data, text); !ok || !bytes.Equal(data[:n], want) {
			t.Fatalf("%s: %x, %t, want %x", text, data[:n], ok, want)
		}
	}
	// The largest number of a block, and the one after it, which has another text
	// of the same bytes if it is let through.
	var data [1 + 64 + 8 + 4]byte
	for block, want := range map[string]bool{"jpXCZedGfVQ": true, "jpXCZedGfVR": false, "zzzzzzzzzzz": false} {
		if _, ok := moneroBytes(&data, block+strings.Repeat("1", 84)); ok != want {
			t.Errorf("block %s is read: %t, want %t", block, ok, want)
		}
	}
	for block, want := range map[string]bool{"VtB5VXc": true, "VtB5VXd": false, "zzzzzzz": false} {
		if _, ok := moneroBytes(&data, strings.Repeat("1", 88)+block); ok != want {
			t.Errorf("last block %s is read: %t, want %t", block, ok, want)
		}
	}
}

func FuzzBase32(f *testing.F) {
	f.Add("GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ")
	f.Add("A")
	f.Add("AB")
	f.Add("AC")
	f.Fuzz(func(t *testing.T, text string) {
		var dst [64]byte
		n, ok := base32Bytes(&base32Upper, dst[:], text)
		want, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(text)
		// The standard decoder skips line ends and ignores spare bits.
		canonical := err == nil && base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(want) == text
		if ok != (canonical && len(want) <= len(dst)) {
			t.Fatalf("%q: read %t, the standard library says %x, %v", text, ok, want, err)
		}
		if ok && (!bytes.Equal(dst[:n], want) || base32Text(want) != text) {
			t.Fatalf("%q: %x, want %x", text, dst[:n], want)
		}
	})
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "7": 7, "10": 10, "18446744073709551615": 1<<64 - 1} {
		if got, ok := decimal(text); !ok || got != want {
			t.Errorf("%q: %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "00", "01", "+1", "-1", "1a", " 1", "18446744073709551616", "99999999999999999999", "100000000000000000000"} {
		if got, ok := decimal(text); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestSS58Prefixes(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	write := func(prefix ...byte) string {
		b := append(slices.Clone(prefix), key...)
		sum := blake2b.Sum512(append([]byte(ss58Context), b...))
		return formatBase58(base58Alphabet, append(b, sum[:2]...))
	}
	// A prefix n of 64 or more is the bytes (n & 0xfc)>>2 | 0x40 and n>>8 | (n&3)<<6.
	long := func(n uint16) string { return write(byte(n&0xfc)>>2|0x40, byte(n>>8)|byte(n&3)<<6) }
	var p Parsed
	for text, want := range map[string]Ledgers{
		write(0): LedgerDOT, write(2): LedgerKSM, write(42): substrateLedgers, write(5): LedgerSubstrate, write(63): LedgerSubstrate,
		long(64): LedgerSubstrate, long(255): LedgerSubstrate, long(1284): LedgerSubstrate, long(16383): LedgerSubstrate,
	} {
		if r := onlyReading(t, text); r.Ledgers != want || !bytes.Equal(r.Payload(), key) {
			t.Errorf("%s: %+v, want the ledgers %s", text, r, want.Names())
		}
	}
	for text, want := range map[string]Reason{
		write(46): ReasonUnsupportedNetwork, write(47): ReasonUnsupportedNetwork,
		long(2): ReasonMalformed, long(63): ReasonMalformed, write(0x80, 0): ReasonMalformed, write(64): ReasonMalformed, write(0, 0): ReasonMalformed,
	} {
		if Parse(text, &p); p.Reason != want || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want %s with none", text, p.Reason, len(p.Readings()), want)
		}
	}
	for n := uint16(64); n < 1<<14; n++ {
		b := [2]byte{byte(n&0xfc)>>2 | 0x40, byte(n>>8) | byte(n&3)<<6}
		if got, size := ss58Prefix(b[:]); got != n || size != 2 {
			t.Fatalf("prefix %d is read as %d of %d bytes", n, got, size)
		}
	}
}

func TestAccountChains(t *testing.T) {
	id := bytes.Repeat([]byte{0xa5}, 32)
	spaces := func(r Reading) (out []Space) {
		for _, h := range r.AppendHashes(nil) {
			out = append(out, h.Space())
		}
		return out
	}
	seen := map[Key]string{}
	for hrp := range accountChains {
		if len(hrp) > maxHRP || strings.ContainsAny(hrp, "1") || hrp != strings.ToLower(hrp) || segwitOf(hrp+"1q") != nil {
			t.Errorf("%s cannot be the human-readable part of an account", hrp)
		}
		for _, n := range []int{20, 32} {
			r := onlyReading(t, bech32Of(hrp, bech32Plain, id[:n]))
			if other, ok := seen[r.Key]; ok || r.Kind() != KindAccount {
				t.Errorf("%s: key %s, as %s", hrp, r.Key, other)
			}
			seen[r.Key] = hrp
			if n == 32 && len(spaces(r)) != 0 {
				t.Errorf("%s: an id of 32 bytes is related", hrp)
			}
		}
	}
	for hrp, want := range map[string][]Space{
		"cosmos": {SpaceKeyHash, SpaceScriptHash}, "cosmosvaloper": {SpaceKeyHash, SpaceScriptHash}, "cosmosvalcons": nil,
		"inj": {SpaceKeccak}, "kava": {SpaceKeyHash, SpaceKeccak, SpaceScriptHash}, "bnb": {SpaceKeyHash, SpaceScriptHash},
	} {
		if got := spaces(onlyReading(t, bech32Of(hrp, bech32Plain, id[:20]))); !slices.Equal(got, want) {
			t.Errorf("%s is related in %v, want %v", hrp, got, want)
		}
	}
	var p Parsed
	for text, want := range map[string]Reason{
		bech32Of("cosmos", bech32Plain, id[:24]): ReasonMalformed, bech32Of("cosmos", bech32Plain, bytes.Repeat(id, 2)[:33]): ReasonMalformed,
		bech32Of("cosmoses", bech32Plain, id[:20]): ReasonUnsupportedNetwork, bech32Of("cosmospub", bech32Plain, id[:20]): ReasonUnsupportedNetwork,
	} {
		if Parse(text, &p); p.Reason != want || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want %s with none", text, p.Reason, len(p.Readings()), want)
		}
	}
	if Parse(bech32Of("cosmos", bech32M, id[:20]), &p); p.Reason != ReasonMalformed || len(p.Readings()) != 1 {
		t.Errorf("bech32m: reason %s with %d readings, want malformed with one to look up", p.Reason, len(p.Readings()))
	}
}

func TestCardanoHeaders(t *testing.T) {
	hash := bytes.Repeat([]byte{0xa5}, 28)
	write := func(hrp string, header byte, parts ...[]byte) string {
		return bech32Of(hrp, bech32Plain, slices.Concat(append([][]byte{{header}}, parts...)...))
	}
	var p Parsed
	for text, want := range map[string]bool{
		write("addr", 0x01, hash, hash): true, write("addr", 0x31, hash, hash): true, write("addr", 0x61, hash): true, write("addr", 0x71, hash): true,
		write("stake", 0xe1, hash): true, write("stake", 0xf1, hash): true, write("addr_test", 0x60, hash): true, write("stake_test", 0xf0, hash): true,
		write("addr", 0x41, hash, []byte{0, 0, 0}):                                                 true,
		write("addr", 0x51, hash, bytes.Repeat([]byte{0xff}, 1), []byte{0x7f, 0, 0}):               true,
		write("addr", 0x41, hash, []byte{0x81}, bytes.Repeat([]byte{0xff}, 8), []byte{0x7f, 0, 0}): true, // 2^64-1

		write("addr", 0x01, hash): false, write("addr", 0x61, hash, hash): false, write("addr", 0x61, hash[1:]): false,
		write("addr", 0x61, hash, []byte{0}): false, write("addr", 0x81, hash): false, write("addr", 0x91, hash): false, write("addr", 0xd1, hash): false,
		write("addr", 0xe1, hash): false, write("stake", 0x61, hash): false, write("stake", 0xe1, hash, hash): false, write("addr", 0x62, hash): false,
		write("addr", 0x41, hash): false, write("addr", 0x41, hash, []byte{0, 0}): false, write("addr", 0x41, hash, []byte{0, 0, 0, 0}): false,
		write("addr", 0x41, hash, []byte{0x80, 0, 0, 0}): false, write("addr", 0x41, hash, []byte{0, 0, 0x81}): false,
		write("addr", 0x41, hash, []byte{0x82}, bytes.Repeat([]byte{0xff}, 8), []byte{0x7f, 0, 0}): false, // more than 64 bits
		write("addr", 0x41, hash, bytes.Repeat([]byte{0xff}, 10), []byte{0x7f, 0, 0}):              false,
	} {
		Parse(text, &p)
		if read := len(p.Readings()) == 1 && p.Reason == ReasonNone; read != want || !want && p.Reason != ReasonMalformed {
			t.Errorf("%s: reason %s with %d readings, want it read: %t", text, p.Reason, len(p.Readings()), want)
		}
	}
}

func TestByronStructure(t *testing.T) {
	root := append([]byte{0x58, 28}, bytes.Repeat([]byte{0xa5}, 28)...)
	// write wraps an address proper with its checksum in the shortest form.
	write := func(parts ...[]byte) string {
		body := slices.Concat(parts...)
		sum := byronChecksum(body)
		b := slices.Concat(byronPrefix[:], []byte{byte(len(body))}, body)
		switch {
		case sum < 24:
			b = append(b, byte(sum))
		case sum < 1<<8:
			b = append(b, 24, byte(sum))
		case sum < 1<<16:
			b = append(b, 25, byte(sum>>8), byte(sum))
		default:
			b = append(b, 26, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		}
		return formatBase58(base58Alphabet, b)
	}
	path, magic := []byte{1, 0x43, 0x42, 7, 8}, []byte{2, 0x45, 0x1a, 0x41, 0x70, 0xcb, 0x17}
	var p Parsed
	for _, v := range []struct {
		parts   [][]byte
		testnet bool
	}{
		{[][]byte{{0x83}, root, {0xa0, 0}}, false},
		{[][]byte{{0x83}, root, {0xa0, 2}}, false},
		{[][]byte{{0x83}, root, {0xa1}, path, {0}}, false},
		{[][]byte{{0x83}, root, {0xa1}, magic, {0}}, true},
		{[][]byte{{0x83}, root, {0xa2}, path, magic, {0}}, true},
	} {
		if r := onlyReading(t, write(v.parts...)); r.Kind() != KindCardano || r.Testnet != v.testnet {
			t.Errorf("%x: %+v, want an account, of a test network: %t", v.parts, r, v.testnet)
		}
	}
	for what, parts := range map[string][][]byte{
		"two elements":             {{0x82}, root, {0xa0}},
		"a short root":             {{0x83, 0x58, 27}, root[3:], {0xa0, 0}},
		"a type beyond 2":          {{0x83}, root, {0xa0, 3}},
		"bytes at the end":         {{0x83}, root, {0xa0, 0, 0}},
		"a number in a long form":  {{0x83}, root, {0xa0, 0x18, 0}},
		"attributes out of order":  {{0x83}, root, {0xa2}, magic, path, {0}},
		"an attribute twice":       {{0x83}, root, {0xa2}, path, path, {0}},
		"an attribute not known":   {{0x83}, root, {0xa1, 3, 0x41, 0}, {0}},
		"a path of another length": {{0x83}, root, {0xa1, 1, 0x43, 0x43, 7, 8}, {0}},
		"a magic beyond 32 bits":   {{0x83}, root, {0xa1, 2, 0x49, 0x1b, 1, 0, 0, 0, 0, 0, 0, 0}, {0}},
		"an attribute cut off":     {{0x83}, root, {0xa1, 1, 0x58}},
		"nothing after the root":   {{0x83}, root},
	} {
		if Parse(write(parts...), &p); p.Reason != ReasonMalformed || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want malformed with none", what, p.Reason, len(p.Readings()))
		}
	}
}

func TestFilecoinForms(t *testing.T) {
	write := func(network string, protocol byte, namespace string, payload []byte) string {
		text := network + string('0'+protocol)
		body := []byte{protocol}
		if namespace != "" {
			text += namespace + "f"
			n, _ := decimal(namespace)
			for ; n >= 0x80; n >>= 7 {
				body = append(body, byte(n)|0x80)
			}
			body = append(body, byte(n))
		}
		body = append(body, payload...)
		var sum [4]byte
		blake2bSum(sum[:], [16]byte{}, body)
		return text + strings.ToLower(base32Text(append(slices.Clone(payload), sum[:]...)))
	}
	payload := bytes.Repeat([]byte{0xa5}, 60)
	var p Parsed
	seen := map[Key]string{}
	for _, text := range []string{
		write("f", 1, "", payload[:20]), write("f", 2, "", payload[:20]), write("f", 3, "", payload[:48]), write("f", 4, "10", payload[:20]),
		write("f", 4, "32", payload[:20]), write("f", 4, "18446744073709551615", payload[:54]), write("f", 4, "10", nil), "f00", "f09223372036854775807",
	} {
		r := onlyReading(t, text)
		if other, ok := seen[r.Key]; ok || r.Kind() != KindFilecoin {
			t.Errorf("%s: %+v, as %s", text, r, other)
		}
		seen[r.Key] = text
	}
	for _, text := range []string{
		write("f", 1, "", payload[:21]), write("f", 1, "", payload[:48]), write("f", 3, "", payload[:20]), write("f", 4, "10", payload[:55]),
		write("f", 4, "010", payload[:20]), write("f", 5, "", payload[:20]), "f09223372036854775808", "f001", "f0", "f0a", "f410f", "f4f", "f410faaaa",
	} {
		if Parse(text, &p); p.Reason == ReasonNone || len(p.Readings()) != 0 {
			t.Errorf("%s: reason %s with %d readings, want it refused", text, p.Reason, len(p.Readings()))
		}
	}
}

func TestSolanaIsNotMistypedBech32(t *testing.T) {
	// An address in bech32 without 0 and l is base58 of 32 bytes now and then.
	random := rand.New(rand.NewPCG(9, 10))
	var p Parsed
	tried := 0
	for range 20_000 {
		id := make([]byte, 20)
		for i := range id {
			id[i] = byte(random.Uint32())
		}
		text := []byte(bech32Of("avax", bech32Plain, id))
		at := 5 + random.IntN(len(text)-5)
		text[at] = bech32Charset[(int(bech32Values[text[at]])+1+random.IntN(31))%32]
		if sh := shapeOf(string(text)); !sh.only(classBase58) {
			continue
		}
		var d base58Data
		if n, _ := d.decode(string(text)); n == 32 {
			tried++
		}
		if Parse(string(text), &p); p.Reason != ReasonChecksum || len(p.Readings()) != 0 {
			t.Fatalf("%s: reason %s with %d readings, want checksum with none", text, p.Reason, len(p.Readings()))
		}
	}
	if tried < 100 {
		t.Errorf("only %d of the mistyped texts are base58 of 32 bytes", tried)
	}
}

// TestOneCharacterOfVectorsChanged does for the kinds that cannot be written from
// their keys what TestOneCharacterChanged does for the others.
func TestOneCharacterOfVectorsChanged(t *testing.T) {
	const typed = base58Alphabet + "0OIl-_+/"
	random := rand.New(rand.NewPCG(11, 12))
	var p, changed Parsed
	texts := 0
	for _, v := range readVectors(t).Readings {
		Parse(v.Text, &p)
		if p.Reason != ReasonNone || p.Warnings&^WarnTestnet != 0 ||
			slices.ContainsFunc(p.Readings(), func(r Reading) bool { return r.Unchecked }) ||
			!slices.ContainsFunc(p.Readings(), func(r Reading) bool { return holdsDigest(r.Kind()) }) {
			continue
		}
		texts++
		for at := range v.Text {
			for range 6 {
				text := v.Text[:at] + string(typed[random.IntN(len(typed))]) + v.Text[at+1:]
				Parse(text, &changed)
				for i := range changed.Readings() {
					r := &changed.Readings()[i]
					if changed.Reason == ReasonNone && !slices.ContainsFunc(p.Readings(), func(want Reading) bool { return want.Key == r.Key }) {
						t.Errorf("%s with a character changed, %s, is clean and means %s", v.Text, text, r.Key)
					}
				}
			}
		}
	}
	if texts < 40 {
		t.Errorf("only %d vectors are of such kinds", texts)
	}
}
