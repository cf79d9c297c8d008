package address

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/quick"
)

// kindOf maps any byte to a kind that a reading has.
func kindOf(n uint8) Kind { return KindNone + 1 + Kind(n)%(KindCount-1) }

// account makes a reading of any kind from random bytes.
func account(kind uint8, payload [32]byte, testnet bool) Reading {
	r := Reading{Testnet: testnet}
	r.Key[0] = byte(kindOf(kind))
	copy(r.Payload(), payload[:])
	if r.Kind() == KindHedera { // numbers of 63 bits
		for i := 1; i < 1+24; i += 8 {
			r.Key[i] &= 0x7f
		}
	}
	return r
}

// holdsDigest reports whether the keys of a kind hold a digest, from which no
// text can be made.
func holdsDigest(kind Kind) bool {
	switch kind {
	case KindWitness, KindStellarBalance, KindMonero, KindMoneroSub, KindTONOther, KindAccount, KindCardano, KindSapling,
		KindOrchard, KindTezos, KindFilecoin, KindPublicKey, KindUnified, KindCashaddr:
		return true
	}
	return false
}

// hasTestnet reports whether the text of a kind's account tells test networks.
func hasTestnet(kind Kind) bool {
	switch kind {
	case KindTron, KindP2PKH, KindP2SH, KindWPKH, KindWSH, KindTR, KindXRP, KindTON, KindTONMaster, KindHedera:
		return true
	}
	return false
}

func TestFormatParsesBack(t *testing.T) {
	if err := quick.Check(func(kind uint8, payload [32]byte, testnet bool) bool {
		r := account(kind, payload, testnet)
		text := r.Format()
		if holdsDigest(r.Kind()) {
			return text == ""
		}
		got := cleanReading(t, text, r.Key)
		return got.Testnet == (testnet && hasTestnet(r.Kind())) && got.Format() == text
	}, &quick.Config{MaxCount: 20_000}); err != nil {
		t.Error(err)
	}
}

func TestWitnessProgramsKeepApart(t *testing.T) {
	// Every version and length of a program whose bytes begin alike has a key of its own.
	seen := map[Key]string{}
	var program [40]byte
	for version := range byte(17) {
		for n := 2; n <= 40; n++ {
			if version == 0 && n != 20 && n != 32 {
				continue
			}
			text := formatSegwit("bc", version, program[:n])
			r := onlyReading(t, text)
			if other, ok := seen[r.Key]; ok {
				t.Errorf("%s and %s have one key", text, other)
			}
			seen[r.Key] = text
			if want := sha256.Sum256(append([]byte{version}, program[:n]...)); r.Kind() == KindWitness && [32]byte(r.Payload()) != want {
				t.Errorf("%s: key %s, want the digest %x", text, r.Key, want)
			}
		}
	}
}

func TestAccountsHaveKeysOfTheirOwn(t *testing.T) {
	// The same bytes under every kind and network are accounts that no text mixes up.
	payload := [32]byte{0: 0x41, 31: 1}
	seen := map[string]Reading{}
	for kind := range uint8(KindCount - 1) {
		for _, testnet := range []bool{false, true} {
			r := account(kind, payload, testnet)
			text := r.Format()
			if (text == "") != holdsDigest(r.Kind()) {
				t.Errorf("%s is written %q", r.Key, text)
			}
			if text == "" || testnet && !hasTestnet(r.Kind()) {
				continue
			}
			if other, ok := seen[text]; ok {
				t.Errorf("%v and %v are both written %s", r, other, text)
			}
			seen[text] = r
		}
	}
}

// TestOneCharacterChanged: a mistyped address is never a clean reading of
// another account. EVM is the exception: digits in a single case carry no
// checksum, and EIP-55, with a bit for each letter, lets one error in several
// thousand pass.
func TestOneCharacterChanged(t *testing.T) {
	const typed = base58Alphabet + "0OIl"
	random := rand.New(rand.NewPCG(1, 2))
	var p Parsed
	evmTried, evmPassed := 0, 0
	for range 300 {
		var payload [32]byte
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		for kind := range uint8(KindCount - 1) {
			r := account(kind, payload, random.Uint32()&1 == 0)
			text := r.Format()
			for at := range text {
				changed := text[:at] + string(typed[random.IntN(len(typed))]) + text[at+1:]
				Parse(changed, &p)
				if r.Kind() == KindEVM && shapeOf(changed[2:]).mixedCase() {
					evmTried++
				}
				if p.Reason != ReasonNone || p.Readings()[0].Key == r.Key || p.Readings()[0].Unchecked && r.Kind() != KindEVM {
					continue
				}
				if r.Kind() != KindEVM {
					t.Errorf("%s with a character changed, %s, is clean and means %s", text, changed, p.Readings()[0].Key)
				} else if shapeOf(changed[2:]).mixedCase() {
					evmPassed++
				}
			}
		}
	}
	if evmTried < 10_000 || evmPassed > evmTried/500 {
		t.Errorf("%d of %d mistyped EIP-55 addresses pass, want at most one in 500", evmPassed, evmTried)
	}
}

func TestEVMWithoutChecksumAcceptsAnyDigit(t *testing.T) {
	a := onlyReading(t, "0x098b716b8aaf21512996dc57eb0615e2383e2f96")
	b := onlyReading(t, "0x098b716b8aaf21512996dc57eb0615e2383e2f97")
	if a.Key == b.Key {
		t.Error("two accounts share a key")
	}
}

func TestCaseOfBase58IsIdentity(t *testing.T) {
	var p Parsed
	for _, text := range []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"} {
		for _, folded := range []string{strings.ToLower(text), strings.ToUpper(text)} {
			if Parse(folded, &p); p.Reason == ReasonNone || len(p.Readings()) != 0 {
				t.Errorf("%s is read as %d accounts", folded, len(p.Readings()))
			}
		}
	}
}

func TestKeyText(t *testing.T) {
	if err := quick.Check(func(kind uint8, payload [32]byte) bool {
		r := account(kind, payload, false)
		k, err := ParseKey(r.Key.String())
		return err == nil && k == r.Key
	}, nil); err != nil {
		t.Error(err)
	}
	digits := strings.Repeat("0a", 20)
	if got := onlyReading(t, "0x"+digits).Key.String(); got != "evm:"+digits {
		t.Errorf("text of the key %q, want %q", got, "evm:"+digits)
	}
	for _, bad := range []string{
		"", "evm", "none:", "evm:", "EVM:" + digits, "evm:" + strings.ToUpper(digits), "evm:" + digits + "00", "evm:" + digits[2:],
		"evm:" + digits[1:] + "g", "other:" + digits, "wsh:" + digits, " evm:" + digits, "evm: " + digits[1:], "kind(9):" + digits,
	} {
		k, err := ParseKey(bad)
		if err == nil || k != (Key{}) {
			t.Errorf("ParseKey(%q) = %v, %v, want an error and the zero key", bad, k, err)
		} else if len(bad) > 20 && strings.Contains(err.Error(), bad[5:20]) {
			t.Errorf("the error on %q repeats it: %v", bad, err)
		}
	}
}

func TestForeignValues(t *testing.T) {
	// Keys and numbers that come from a store are not trusted to be of this version.
	r := Reading{Key: Key{0: 0xff}}
	if len(r.Payload()) != 0 || r.Format() != "" || len(r.AppendHashes(nil)) != 0 {
		t.Error("a reading of an unknown kind has a payload, a text or hashes")
	}
	for _, pair := range [][2]string{
		{r.Key.String(), "kind(255):"},
		{Key{}.String(), "none:"},
		{Reason(64).String(), "reason(64)"},
		{ReasonAmbiguous32Byte.String(), "ambiguous_32byte"},
		{(WarnNormalized | WarnTestnet).String(), "normalized,testnet"},
		{Warnings(0).String(), ""},
		{formatOutput(&Reading{Key: Key{byte(KindP2SH)}, Ledgers: LedgerBTC | LedgerKMD}), ""},
		{strings.Join((LedgerEVM | LedgerLTC).Names(), " "), "evm ltc"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%q, want %q", pair[0], pair[1])
		}
	}
}

func TestNamesAreDistinct(t *testing.T) {
	seen := map[string]bool{}
	note := func(name string) {
		if name == "" || seen[name] {
			t.Errorf("name %q is empty or used twice", name)
		}
		seen[name] = true
	}
	for r := ReasonNone; r < ReasonCount; r++ {
		note(r.String())
	}
	for i := range WarningCount {
		note(Warnings(1 << i).String())
	}
	clear(seen)
	for k := KindNone; k < KindCount; k++ {
		note(k.String())
	}
	clear(seen)
	for i := range LedgerCount {
		note(strings.Join(Ledgers(1<<i).Names(), " "))
	}
}

func TestParseOverwritesEverything(t *testing.T) {
	var used, fresh Parsed
	Parse(" \"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD\"", &used)
	for _, text := range []string{"", "hello", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"} {
		fresh = Parsed{}
		Parse(text, &used)
		Parse(text, &fresh)
		if used != fresh {
			t.Errorf("%q into a used Parsed: %+v, into a fresh one: %+v", text, used, fresh)
		}
	}
}

func TestMoreReadingsThanRoomIsNotClean(t *testing.T) {
	var p Parsed
	for i := range byte(MaxReadings + 1) {
		p.add(KindEVM, []byte{19: i}, LedgerEVM, false)
	}
	if len(p.Readings()) != MaxReadings || p.Reason == ReasonNone {
		t.Errorf("%d readings, reason %s; want %d and a reason", len(p.Readings()), p.Reason, MaxReadings)
	}
}

func TestTextAsLookedAt(t *testing.T) {
	for text, want := range map[string]string{
		" hello ":                    "hello",
		"<hello world>":              "hello world",
		"\u2018a\u00a0\u200bb\u2019": "a b",
		"\xff":                       "",
		strings.Repeat("a", 513):     "",
	} {
		var p Parsed
		if Parse(text, &p); p.Text != want {
			t.Errorf("%q is looked at as %q, want %q", text, p.Text, want)
		}
	}
}

func TestHash160(t *testing.T) {
	// The public key of the private key 1 and its hash, BIP-173.
	key, err := hex.DecodeString("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", hash160(key)); got != "751e76e8199196d454941c45d1b3a323f1433bd6" {
		t.Errorf("hash160 %s", got)
	}
}

func TestBase58Lengths(t *testing.T) {
	// Every number of leading ones and of bytes after them, against arithmetic
	// of another kind: writing the bytes again.
	random := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		payload := make([]byte, random.IntN(80))
		for i := range payload {
			payload[i] = byte(random.Uint32())
			if i < 3 {
				payload[i] &= 1 << random.IntN(8) // often zero
			}
		}
		text := formatBase58Check([]byte{byte(random.Uint32N(3))}, payload)
		var d base58Data
		n, ok := d.decode(text)
		if !ok || !base58Checked(d[:n]) || string(d[1:n-4]) != string(payload) {
			t.Fatalf("%x is written %s and read back as %x, %t", payload, text, d[:n], ok)
		}
	}
}

func TestParseFromManyGoroutines(t *testing.T) {
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var p Parsed
			for range 200 {
				for _, s := range samples {
					Parse(s.text, &p)
					for i := range p.Readings() {
						r := &p.Readings()[i]
						r.AppendHashes(nil)
						if text := r.Format(); text != "" && onlyKey(text) != r.Key {
							t.Errorf("%s reads as another account", text)
						}
					}
				}
			}
		})
	}
	group.Wait()
}

func onlyKey(text string) Key {
	var p Parsed
	Parse(text, &p)
	return p.Readings()[0].Key
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop what it holds: allocations are not counted")
	}
	var p Parsed
	var room [MaxHashes]Hash
	for _, s := range samples {
		if n := testing.AllocsPerRun(100, func() {
			Parse(s.text, &p)
			for i := range p.Readings() {
				p.Readings()[i].AppendHashes(room[:0])
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", s.name, n)
		}
	}
}
