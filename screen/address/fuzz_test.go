package address

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, r := range v.Readings {
		f.Add(r.Text)
	}
	for _, r := range v.Refused {
		f.Add(refusedText(f, r.Text, r.Hex))
	}
	f.Fuzz(func(t *testing.T, text string) {
		var p, again Parsed
		Parse(text, &p)
		if Parse(text, &again); p != again {
			t.Fatalf("%q: %+v, then %+v", text, p, again)
		}
		if p.Reason >= ReasonCount || p.Warnings >= 1<<WarningCount || len(p.Readings()) > MaxReadings {
			t.Fatalf("%q: out of bounds: %+v", text, p)
		}
		if (p.Reason == ReasonNone) && len(p.Readings()) == 0 {
			t.Fatalf("%q: nothing against it and no reading", text)
		}
		if p.Reason == ReasonNone && (len(text) > MaxTextBytes || !utf8.ValidString(text)) {
			t.Fatalf("%q: clean, though too long or no text", text)
		}
		for i := range p.Readings() {
			r := &p.Readings()[i]
			if r.Kind() == KindNone || r.Kind() >= KindCount || r.Ledgers == 0 || r.Ledgers >= 1<<LedgerCount {
				t.Fatalf("%q: reading %+v", text, r)
			}
			if k, err := ParseKey(r.Key.String()); err != nil || k != r.Key {
				t.Fatalf("%q: key %s is read back as %s, %v", text, r.Key, k, err)
			}
			var room [MaxHashes + 1]Hash
			for _, h := range r.AppendHashes(room[:0:MaxHashes]) {
				if h.Space() == 0 || h.Space() >= SpaceCount {
					t.Fatalf("%q: hash in space %d", text, h.Space())
				}
			}
			if canonical := r.Format(); canonical != "" {
				got := cleanReading(t, canonical, r.Key)
				got.Unchecked = r.Unchecked // of the text's form, and of hex digits whether their checksum has both cases
				if got.Tag == "" {
					got.Tag = r.Tag // few families have a form with the memo in it
				}
				if got != *r || got.Format() != canonical {
					t.Fatalf("%q: reading %+v is written %s, which reads as %+v", text, *r, canonical, got)
				}
			} else if !holdsDigest(r.Kind()) && r.Ledgers != LedgerOther && r.Ledgers != LedgerUnknown && r.Ledgers != LedgerSubstrate {
				t.Fatalf("%q: reading %+v has no text", text, *r)
			}
		}
		// What was looked at is the same text again, and is looked at no further.
		if p.Reason == ReasonNone {
			Parse(p.Text, &again)
			if p.Warnings&WarnURI != 0 && again.Warnings&WarnURI == 0 {
				for i := range again.Readings() {
					again.readings[i].Tag = p.readings[i].Tag // of the text around the address
				}
			}
			if again.Reason != ReasonNone || again.readings != p.readings || again.Text != p.Text {
				t.Fatalf("%q: as looked at, %q, it is %+v", text, p.Text, again)
			}
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("evm:098b716b8aaf21512996dc57eb0615e2383e2f96")
	f.Add("wsh:")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParseKey(text); err == nil && k.String() != text {
			t.Fatalf("%q is read as %s", text, k)
		}
	})
}

// FuzzBase58 compares the decoder with arithmetic on one big number.
func FuzzBase58(f *testing.F) {
	f.Add("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")
	f.Add("111")
	f.Add("z" + strings.Repeat("1", 127))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxBase58Text {
			return
		}
		var d base58Data
		n, ok := d.decode(text)
		sum, known := new(big.Int), true
		for _, c := range []byte(text) {
			digit := strings.IndexByte(base58Alphabet, c)
			known = known && digit >= 0
			sum.Add(sum.Mul(sum, big.NewInt(58)), big.NewInt(int64(digit)))
		}
		if ok != known {
			t.Fatalf("%q: decoded %t, want %t", text, ok, known)
		}
		if !ok {
			return
		}
		want := append(make([]byte, len(text)-len(strings.TrimLeft(text, "1"))), sum.Bytes()...)
		if !bytes.Equal(d[:n], want) {
			t.Fatalf("%q: %x, want %x", text, d[:n], want)
		}
	})
}
