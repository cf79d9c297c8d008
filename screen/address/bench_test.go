package address

import (
	"strings"
	"testing"
)

// samples are texts whose cost matters: the families of the hot path and the
// failures that real traffic has.
var samples = []struct{ name, text string }{
	{"EVM/plain", "0x098b716b8aaf21512996dc57eb0615e2383e2f96"},
	{"EVM/EIP-55", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"},
	{"EVM/bad case", "0x098B716B8Aaf21512996dC57EB0615e2383E2F96"},
	{"Tron/base58", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"},
	{"Tron/hex", "41dda4f7fc8a58dd6399cd0ebce2c5b23ec0715b59"},
	{"P2PKH", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"},
	{"P2SH", "3E6ZCKRrsdPc35chA9Eftp1h3DLW18NFNV"},
	{"P2WPKH", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"},
	{"P2WSH", "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"},
	{"P2TR", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"},
	{"witness", "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs"},
	{"Litecoin", "LaMT348PWRnrqeeWArpwQPbuanpXDZGEUz"},
	{"Dogecoin", "DBXu2kgc3xtvCUWFcxFE3r9hEYgmuaaCyD"},
	{"Zcash/transparent", "t1V9mnyk5Z5cTNMCkLbaDwSskgJZucTLdgW"},
	{"cashaddr", "bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"},
	{"cashaddr/no prefix", "qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"},
	{"cashaddr/32 bytes", "bitcoincash:pvvs5p0m35kqjzhpqyewjx2uhpdqprcdpkfv3q0y5y96x9egkzy6uqk2dz8kq"},
	{"XRP/classic", "rf1BiGeXwwQoi8Z2ueFYTEXSwuJYfV2Jpn"},
	{"XRP/X-address", "X7AcgcsBL6XDcUb289X4mJ8djcdyKaB5hJDWMArnXr61cqZ"},
	{"trimmed", " 0x098b716b8aaf21512996dc57eb0615e2383e2f96\n"},
	{"bad checksum/base58", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"},
	{"bad checksum/bech32", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"},
	{"unsupported network", "N7FdkoPbHSxKfrSVVbRu3NZtrLqc1oKpAR"},
	{"transaction hash", "0xabababababababababababababababababababababababababababababababab"},
	{"name", "vitalik.eth"},
	{"two addresses", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz, 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"},
	{"unrecognized", "hello-world"},
	{"empty", ""},
}

func BenchmarkParse(b *testing.B) {
	for _, s := range samples {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			var p Parsed
			for b.Loop() {
				Parse(s.text, &p)
			}
		})
	}
}

func BenchmarkAppendHashes(b *testing.B) {
	for _, s := range samples {
		var p Parsed
		if Parse(s.text, &p); len(p.Readings()) == 0 {
			continue
		}
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			r := p.Readings()[0]
			var room [MaxHashes]Hash
			for b.Loop() {
				r.AppendHashes(room[:0])
			}
		})
	}
}

// worst are texts of the greatest length that make Parse do the most work.
var worst = []struct{ name, text string }{
	{"parts of one character", strings.Repeat("1 ", MaxTextBytes/2)},
	{"parts with wrong checksums", strings.Repeat("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb ", MaxTextBytes/35)},
	{"longest base58 in parts", strings.Repeat(strings.Repeat("z", maxBase58Text-1)+" ", MaxTextBytes/maxBase58Text)},
	{"public keys", strings.Repeat(generator+" ", MaxTextBytes/67)},
	{"one run of bech32", strings.Repeat("q", MaxTextBytes)},
	{"beyond ASCII", strings.Repeat("\u0430", MaxTextBytes/2)},
}

func BenchmarkParseWorst(b *testing.B) {
	for _, s := range worst {
		b.Run(s.name, func(b *testing.B) {
			b.ReportAllocs()
			var p Parsed
			for b.Loop() {
				Parse(s.text, &p)
			}
		})
	}
}
