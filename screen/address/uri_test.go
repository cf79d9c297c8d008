package address

import (
	"slices"
	"strings"
	"testing"
)

const (
	evmPayee    = "evm:8e23ee67d1332ad560396262c48ffbb01f93d052"
	evmContract = "evm:89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7"
)

// TestURIs are the texts of which the vectors' one reading does not say enough:
// several readings, and what is looked up as text.
func TestURIs(t *testing.T) {
	for _, test := range []struct {
		what, text string
		reason     Reason
		keys       []string
		lookedAt   string // "" for the text itself
	}{
		{"the contract is no payee of a transfer", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/transfer?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052&uint256=1", ReasonNone, []string{evmPayee}, "0x8e23ee67d1332ad560396262c48ffbb01f93d052"},
		{"the contract of a transfer may be a name", "ethereum:token.eth/transfer?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonNone, []string{evmPayee}, "0x8e23ee67d1332ad560396262c48ffbb01f93d052"},
		{"and nothing else", "ethereum:TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz/transfer?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonMalformed, []string{evmPayee}, "0x8e23ee67d1332ad560396262c48ffbb01f93d052"},
		{"all addresses of another function count", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/approve?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonNone, []string{evmContract, evmPayee}, ""},
		{"both sides of a transfer", "ethereum:0x0000000000000000000000000000000000000001/transferFrom?address=0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7&address=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonNone, []string{evmContract, evmPayee}, ""},
		{"one of two payees does not read", "ethereum:0x0000000000000000000000000000000000000001/transferFrom?address=0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7&address=0x8e23", ReasonMalformed, []string{evmContract}, ""},
		{"several payees of ZIP-321", "zcash:?address=t1SfdPR5gMz1QAMGJKGTNgzCauTEMnNU6GR&address.1=t1V9mnyk5Z5cTNMCkLbaDwSskgJZucTLdgW", ReasonSeveralAddresses, []string{"p2pkh:60754b05ffcad90dc3486121ddcbd43e9dd4f8f0", "p2pkh:7bb83570b8fae146e03c5331a020b1e0892f631d"}, ""},
		{"the address again as a parameter", "bitcoin:BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4?bc=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", ReasonNone, []string{"wpkh:751e76e8199196d454941c45d1b3a323f1433bd6"}, ""},
		{"two addresses to choose from, BIP-321", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?bc=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", ReasonNone, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "wpkh:751e76e8199196d454941c45d1b3a323f1433bd6"}, ""},
		{"another account among the parameters", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?address=bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", ReasonSeveralAddresses, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "wpkh:751e76e8199196d454941c45d1b3a323f1433bd6"}, ""},
		{"an account behind a label", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?label=TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", ReasonSeveralAddresses, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "tron:00be5e0c85be35948d97ad37f62d108243f89ae0"}, ""},
		{"an account in a URI among the parameters", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?x=tron:TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz", ReasonSeveralAddresses, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "tron:00be5e0c85be35948d97ad37f62d108243f89ae0"}, ""},
		{"an account for a parameter", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?%54A3941uFAvmVibSkQ6fMJXxmaSNovX86mz", ReasonSeveralAddresses, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "tron:00be5e0c85be35948d97ad37f62d108243f89ae0"}, ""},
		{"an account of base64 among the parameters", "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa?x=EQDKbjIcfM6ezt8KjKJJLshZJJSqX7XOA4ff-W72r5gqPrHF", ReasonSeveralAddresses, []string{"p2pkh:62e907b15cbf27d5425399ebf6f0fb50ebb88f18", "ton:ca6e321c7cce9ecedf0a8ca2492ec8592494aa5fb5ce0387dff96ef6af982a3e"}, ""},
		{"an account for a network", "eip155:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7:0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonMalformed, []string{evmPayee}, "0x8e23ee67d1332ad560396262c48ffbb01f93d052"},
		{"a network of no such form", "avax:1*2:X-avax1a5h6v9weng8guuah6aamagea0xhsd04mvs2zun", ReasonMalformed, []string{"account:460a7c2da25296a42f33cbca4e2f744ee2f83def2e95e24e4ee8c230c8854fe1"}, "X-avax1a5h6v9weng8guuah6aamagea0xhsd04mvs2zun"},
		{"the token and the reference are not paid", "solana:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv?spl-token=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v&reference=CNR8RPMxjY28VsPA6KFq3B8PUdZnrTSC5HSFwKPBR29Z", ReasonNone, []string{"solana:5f90554bb3d8c2fc82b6ee59c49aaa143e77f7d49a83e956ce1dbef17a43f805"}, "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"},
		{"what stands for a token and is none", "solana:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv?spl-token=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonSeveralAddresses, []string{"solana:5f90554bb3d8c2fc82b6ee59c49aaa143e77f7d49a83e956ce1dbef17a43f805", evmPayee}, ""},
		{"an account beside the token", "solana:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv?spl-token=EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v/0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonSeveralAddresses, []string{"solana:5f90554bb3d8c2fc82b6ee59c49aaa143e77f7d49a83e956ce1dbef17a43f805", "solana:c6fa7af3bedbad3a3d65f36aabc97431b1bbe4c2d2f6e0e47ca60203452f5d61", evmPayee}, ""},
		{"a memo of Stellar", "stellar:pubnet:GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ-28-characters-are-most-of-it", ReasonNone, []string{"stellar:3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a"}, "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"},
		{"an account for a memo of Stellar", "stellar:pubnet:GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ-0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonMalformed, []string{"stellar:3f0c34bf93ad0d9971d04ccc90f705511c838aad9734a4a2fb0d7a03fc7fe89a"}, "GA7QYNF7SOWQ3GLR2BGMZEHXAVIRZA4KVWLTJJFC7MGXUA74P7UJVSGZ"},
		{"two contracts parted by a slash", "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonMalformed, []string{evmContract}, "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7"},
		{"a contract for a function", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonMalformed, []string{evmContract}, "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7"},
		{"a number behind a slash", "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/7", ReasonMalformed, []string{evmContract}, "0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7"},
		{"a misprint is looked up as text", "bitcoin:18yzhmcgHtRVoEX3doCrqhis6fFU1dHFUE?amount=1", ReasonChecksum, nil, "18yzhmcgHtRVoEX3doCrqhis6fFU1dHFUE"},
		{"so is one of look-alike letters", "18yzhmсgHtRVoEX3doCrqhis6fFU1dHFUE", ReasonNonASCII, nil, "18yzhmcgHtRVoEX3doCrqhis6fFU1dHFUE"},
		{"no text is left of letters that are like none", "18yzhmכgHtRVoEX3doCrqhis6fFU1dHFUE", ReasonNonASCII, nil, ""},
		{"the address of a text with a tag", "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY:495", ReasonNone, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1"}, "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY"},
		{"the prefix of cashaddr is part of the address", "BCH:bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy?amount=1", ReasonNone, []string{"p2pkh:cb481232299cd5743151ac4b2d63ae198e7bb0a9"}, "bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy"},
		{"slashes behind the prefix are not", "bitcoincash://qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy", ReasonNone, []string{"p2pkh:cb481232299cd5743151ac4b2d63ae198e7bb0a9"}, "bitcoincash:qr95sy3j9xwd2ap32xkykttr4cvcu7as4y0qverfuy"},
		{"more readings than there is room for", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7/f?address=0x8e23ee67d1332ad560396262c48ffbb01f93d052" +
			"&address=0x0000000000000000000000000000000000000001&address=0x0000000000000000000000000000000000000002&address=0x0000000000000000000000000000000000000003" +
			"&address=0x0000000000000000000000000000000000000004&address=0x0000000000000000000000000000000000000005", ReasonUnrecognized, nil, ""},
		{"nothing but a private key matters", "ethereum:0x89205a3a3b2a69de6dbf7f01ed13b2108b2c43e7?x=5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", ReasonSecretMaterial, nil, ""},
		{"a page's account of the XRP Ledger", "https://x.example/send?to=rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY&dt=495", ReasonNone, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1"}, "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY"},
		{"another account in the page's path", "https://x.example/address/0x8e23ee67d1332ad560396262c48ffbb01f93d052?to=rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY", ReasonSeveralAddresses, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1", evmPayee}, ""},
		{"another of the XRP Ledger in it", "https://x.example/rPT1Sjq2YGrBMTttX4GZHjKu9dyfzbpAYe/?to=rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY", ReasonSeveralAddresses, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1", "xrp:f667b0ca50cc7709a220b0561b85e53a48461fa8"}, ""},
		{"another behind it", "https://x.example/send?to=rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY&for=0x8e23ee67d1332ad560396262c48ffbb01f93d052", ReasonSeveralAddresses, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1", evmPayee}, ""},
		{"the same account in the path", "https://x.example/rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY?to=rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY", ReasonNone, []string{"xrp:f40b468d5ac0dba36e2941877ac2e9bbd48262a1"}, "rPEPPER7kfTD9w2To4CQk6UCfuHM9c6GDY"},
		{"a page's account of another network", "https://x.example/send?to=1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", ReasonUnrecognized, nil, ""},
		{"a chain that is another account", "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv@solana:EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", ReasonSeveralAddresses, nil, ""},
		{"a wrong checksum of a name", "MJKqp326RZCHnAAbew9MDdui3iCKWco7fsK9sVuZTX2@solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d#88835C12", ReasonChecksum, []string{"solana:05333498d5aea4ae009585c43f7b8c30df8e70187d4a713d134f977fc8dfe0b5"}, "MJKqp326RZCHnAAbew9MDdui3iCKWco7fsK9sVuZTX2"},
		{"an X-address and another tag", "ripple:X7AcgcsBL6XDcUb289X4mJ8djcdyKaGo2K5VpXpmCqbV2gS?dt=15", ReasonMalformed, []string{"xrp:5e7b112523f68d2f5e879db4eac51c6698a69304"}, "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGo2K5VpXpmCqbV2gS"},
		{"an X-address and its tag", "ripple:X7AcgcsBL6XDcUb289X4mJ8djcdyKaGo2K5VpXpmCqbV2gS?dt=14", ReasonNone, []string{"xrp:5e7b112523f68d2f5e879db4eac51c6698a69304"}, "X7AcgcsBL6XDcUb289X4mJ8djcdyKaGo2K5VpXpmCqbV2gS"},
	} {
		var p Parsed
		Parse(test.text, &p)
		want := test.lookedAt
		if want == "" {
			want = test.text
		}
		if p.Reason != test.reason || p.Text != want {
			t.Errorf("%s: reason %s, text %q; want %s, %q", test.what, p.Reason, p.Text, test.reason, want)
		}
		if test.reason == ReasonUnrecognized {
			continue
		}
		var keys []string
		for _, r := range p.Readings() {
			keys = append(keys, r.Key.String())
		}
		if !slices.Equal(keys, test.keys) {
			t.Errorf("%s: keys %q, want %q", test.what, keys, test.keys)
		}
	}
}

// TestWrappedLikeAlone: what wraps an address changes neither what it means nor
// what is wrong with it.
func TestWrappedLikeAlone(t *testing.T) {
	v := readVectors(t)
	var texts []string
	for _, r := range v.Readings {
		texts = append(texts, r.Text)
	}
	for _, r := range v.Refused {
		texts = append(texts, r.Text)
	}
	var alone, wrapped Parsed
	tried := 0
	for _, text := range texts {
		sh := shapeOf(text)
		if text == "" || !sh.only(classAlnum) || len(text) > 400 {
			continue
		}
		tried++
		Parse(text, &alone)
		for _, before := range []string{"usdt:", "XBT:", "%75sdt:"} {
			for _, after := range []string{"", "?x=y", "?memo"} {
				Parse(before+text+after, &wrapped)
				if wrapped.Reason != alone.Reason || wrapped.readings != alone.readings || wrapped.n != alone.n {
					t.Errorf("%s%s%s: reason %s with %d readings, alone %s with %d", before, text, after, wrapped.Reason, wrapped.n, alone.Reason, alone.n)
				}
				if alone.Reason != ReasonSecretMaterial && alone.Reason != ReasonExtendedKey && wrapped.Text != text {
					t.Errorf("%s%s%s: looked at as %q", before, text, after, wrapped.Text)
				}
			}
		}
	}
	if tried < 150 {
		t.Errorf("%d texts only", tried)
	}
}

// TestUnknownWordsAreNeverClean: a word that is not known may say that the rest is
// no address.
func TestUnknownWordsAreNeverClean(t *testing.T) {
	var p Parsed
	for _, word := range []string{"foo", "invoice", "not", "ethereumx", "xbitcoin", "eip-155", "a", "https", "mailto", "urn"} {
		for _, text := range []string{"0x8e23ee67d1332ad560396262c48ffbb01f93d052", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "TXEsK1sEsKjZ1xtHitnyAAoqw3WLdYdRNW"} {
			for _, colon := range []string{":", "://", ":1:", ":a:b:", "/", "@", "?a="} {
				if Parse(word+colon+text, &p); p.Reason == ReasonNone {
					t.Errorf("%s%s%s is clean", word, colon, text)
				}
			}
		}
	}
}

func TestCAIP10ParsesBack(t *testing.T) {
	ids := map[Kind]int{}
	for _, v := range readVectors(t).Readings {
		var p, again Parsed
		Parse(v.Text, &p)
		for _, r := range p.Readings() {
			id := r.CAIP10()
			if id == "" {
				continue
			}
			ids[r.Kind()]++
			if network := id[:strings.LastIndexByte(id, ':')]; strings.Count(id, ":") != 2 {
				t.Errorf("%s has not two colons", id)
			} else if ledgers, ok := LedgerOf(network); !ok || ledgers&r.Ledgers == 0 {
				t.Errorf("%s is of the ledgers %v, want some of %v", id, ledgers.Names(), r.Ledgers.Names())
			}
			Parse(id, &again)
			if again.Reason != ReasonNone && again.Reason != ReasonAmbiguous32Byte || !slices.ContainsFunc(again.Readings(), func(got Reading) bool {
				return got.Key == r.Key && got.Tag == r.Tag && !got.Testnet && got.CAIP10() == id
			}) {
				t.Errorf("%s of %s is read as %+v", id, v.Text, again)
			}
		}
	}
	for _, kind := range []Kind{KindEVM, KindTron, KindP2PKH, KindP2SH, KindWPKH, KindWSH, KindTR, KindXRP, KindStellar, KindSolana, KindSS58, KindAlgorand, KindHedera} {
		if ids[kind] == 0 {
			t.Errorf("no account id of kind %s", kind)
		}
	}
}
