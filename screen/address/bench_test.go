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
	{"EVM/ICAP", "XE7338O073KYGTWWZN0F2WZ0R8PX5ZPPZS"},
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
	{"Stellar/G", "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"},
	{"Stellar/B", "BAAD6DBUX6J22DMZOHIEZTEQ64CVCHEDRKWZONFEUL5Q26QD7R76RGR4TU"},
	{"Monero", "4AdUndXHHZ6cfufTMvppY6JwXNouMBzSkbLYfpAV5Usx3skxNgYeYTRj5UzqtReoS44qo9mtmXCqY45DJ852K5Jv2684Rge"},
	{"Monero/integrated", "4LL9oSLmtpccfufTMvppY6JwXNouMBzSkbLYfpAV5Usx3skxNgYeYTRj5UzqtReoS44qo9mtmXCqY45DJ852K5Jv2bYXZKKQePHES9khPK"},
	{"Solana", "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"},
	{"TON/friendly", "EQDKbjIcfM6ezt8KjKJJLshZJJSqX7XOA4ff-W72r5gqPrHF"},
	{"TON/raw", "0:ca6e321c7cce9ecedf0a8ca2492ec8592494aa5fb5ce0387dff96ef6af982a3e"},
	{"Cosmos", "cosmos1depk54cuajgkzea6zpgkq36tnjwdzv4afc3d27"},
	{"BNB Beacon Chain", "bnb1grpf0955h0ykzq3ar5nmum7y6gdfl6lxfn46h2"},
	{"Avalanche", "X-avax1a5h6v9weng8guuah6aamagea0xhsd04mvs2zun"},
	{"SS58", "1FRMM8PEiWXYax7rpS6X4XZX1aAAxSWx1CrKTyrVYhV24fg"},
	{"Cardano/Shelley", "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x"},
	{"Cardano/Byron", "DdzFFzCqrhsrcTVhLygT24QwTnNqQqQ8mZrq5jykUzMveU26sxaH529kMpo7VhPrt5pwW3dXeB2k3EEvKcNBRmzCfcQ7dTkyGzTs658C"},
	{"Algorand", "SGP2HJQBCDEX4B4PH7TVIWJZ4YZZX5C5B3TQ24QA3USY7O5X2KO5V2FPXM"},
	{"Hedera", "0.0.123-vfmkw"},
	{"Tezos", "tz1XdRrrqrMfsFKA8iuw53xHzug9ipr6MuHq"},
	{"Filecoin", "f15ihq5ibzwki2b4ep2f46avlkrqzhpqgtga7pdrq"},
	{"Filecoin/number", "f01729"},
	{"Sia", "dfb563d6ec6ff876a059fcc96380a6d6718e1a7237e81580123070976243b77988cf8d0b7398"},
	{"Lisk", "5506432865724830000L"},
	{"Zcash/TEX", "tex10wur2u9clts5dcpu2vc6qg93uzyj7cca2xm732"},
	{"Zcash/Sapling", "zs1wkejr23wqa9ptpvv73ch3wr96lh8gnyx3689skmyttljy4nyfj69eyclukwkxrhr3rrkgxvnur0"},
	{"Zcash/unified", "u1k9kavjcgta8y9t9lv3grvry5fqs6avhe9panu4jlg5j5mkkn4wj844mau24n4hx79yst6glun3wa095upapkqhgyrq9kfd7jr7q9dgpafhwvgl8ujxrlprl5zahl69cprsets6h2t98"},
	{"trimmed", " 0x098b716b8aaf21512996dc57eb0615e2383e2f96\n"},
	{"URI/BIP-21", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?amount=0.1&label=x"},
	{"URI/ERC-681", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7@1/transfer?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052&uint256=1"},
	{"URI/CAIP-10", "eip155:1:0x098b716b8aaf21512996dc57eb0615e2383e2f96"},
	{"URI/ERC-7828", "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045@ethereum#4CA88C9C"},
	{"URI/tag", "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY?dt=495"},
	{"URI/ticker", "USDT:TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"},
	{"URI/unknown word", "foo:0x098b716b8aaf21512996dc57eb0615e2383e2f96"},
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
	{"parameters", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?" + strings.Repeat("a=&", (MaxTextBytes-43)/3)},
	{"addresses among the parameters", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?" + strings.Repeat("a=1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb&", (MaxTextBytes-43)/37)},
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
