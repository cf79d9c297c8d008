package address

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vectors is testdata/vectors.json, which any language can read. Fields and
// names that this test does not know fail it.
type vectors struct {
	Readings []struct {
		Text     string   `json:"text"`
		Reason   string   `json:"reason"`
		Warnings []string `json:"warnings"`
		Kind     string   `json:"kind"`
		Payload  string   `json:"payload"` // hex
		Ledgers  []string `json:"ledgers"`
		Testnet  bool     `json:"testnet"`
		Tag      string   `json:"tag"`    // left out where the text carries none
		Format   string   `json:"format"` // canonical text, empty if the key holds a digest or the network is not known
		Source   string   `json:"source"`
	} `json:"readings"`
	Refused []struct {
		Text   string `json:"text"`
		Hex    string `json:"hex"` // instead of text, where it is not UTF-8
		Reason string `json:"reason"`
		What   string `json:"what"`
	} `json:"refused"`
	Relations []struct {
		A       string `json:"a"`
		B       string `json:"b"`
		Related bool   `json:"related"`
		Why     string `json:"why"`
	} `json:"relations"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	readJSON(t, "testdata/vectors.json", &v)
	return v
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// text returns the text of a refused vector.
func refusedText(t testing.TB, text, digits string) string {
	t.Helper()
	if digits == "" {
		return text
	}
	b, err := hex.DecodeString(digits)
	if err != nil || text != "" {
		t.Fatalf("vector %q, hex %q: want one of them", text, digits)
	}
	return string(b)
}

func TestVectorReadings(t *testing.T) {
	kinds, warnings := map[string]bool{}, map[string]bool{}
	var p Parsed
	all := readVectors(t).Readings
	stated := map[string]int{} // a text of several readings has one vector for each
	for _, v := range all {
		stated[v.Text]++
	}
	for _, v := range all {
		kinds[v.Kind] = true
		for _, w := range v.Warnings {
			warnings[w] = true
		}
		Parse(v.Text, &p)
		if got := p.Reason.String(); got != v.Reason {
			t.Errorf("%+q: reason %s, want %s", v.Text, got, v.Reason)
		}
		if got, want := slices.Sorted(slices.Values(p.Warnings.Names())), slices.Sorted(slices.Values(v.Warnings)); !slices.Equal(got, want) {
			t.Errorf("%+q: warnings %q, want %q", v.Text, got, want)
		}
		if len(p.Readings()) != stated[v.Text] {
			t.Errorf("%+q: %d readings, want %d", v.Text, len(p.Readings()), stated[v.Text])
			continue
		}
		at := slices.IndexFunc(p.Readings(), func(r Reading) bool { return r.Key.String() == v.Kind+":"+v.Payload })
		if at < 0 {
			t.Errorf("%+q: key %s, want %s:%s", v.Text, p.Readings()[0].Key, v.Kind, v.Payload)
			continue
		}
		r := &p.Readings()[at]
		if r.Tag != v.Tag {
			t.Errorf("%+q: tag %q, want %q", v.Text, r.Tag, v.Tag)
		}
		if got := r.Ledgers.Names(); !slices.Equal(got, v.Ledgers) {
			t.Errorf("%+q: ledgers %q, want %q", v.Text, got, v.Ledgers)
		}
		if r.Testnet != v.Testnet {
			t.Errorf("%+q: testnet %t, want %t", v.Text, r.Testnet, v.Testnet)
		}
		if got := r.Format(); got != v.Format {
			t.Errorf("%+q: formatted as %q, want %q", v.Text, got, v.Format)
		}
	}
	for k := KindNone + 1; k < KindCount; k++ {
		if !kinds[k.String()] {
			t.Errorf("no vector of kind %s", k)
		}
	}
	for i := range WarningCount {
		if w := Warnings(1 << i); !warnings[w.String()] {
			t.Errorf("no vector with warning %s", w)
		}
	}
}

func TestVectorRefused(t *testing.T) {
	all := readVectors(t)
	reasons := map[string]bool{}
	for _, v := range all.Readings { // what is looked up all the same
		reasons[v.Reason] = true
	}
	var p Parsed
	for i, v := range all.Refused {
		reasons[v.Reason] = true
		text := refusedText(t, v.Text, v.Hex)
		Parse(text, &p)
		if got := p.Reason.String(); got != v.Reason || len(p.Readings()) != 0 {
			t.Errorf("vector %d, %s: %+q: reason %s with %d readings, want %s with none", i, v.What, text, got, len(p.Readings()), v.Reason)
		}
	}
	for r := ReasonNone + 1; r < ReasonCount; r++ {
		if !reasons[r.String()] {
			t.Errorf("no vector with reason %s", r)
		}
	}
}

func TestVectorRelations(t *testing.T) {
	for _, v := range readVectors(t).Relations {
		if a, b := onlyReading(t, v.A), onlyReading(t, v.B); a.Key == b.Key && a.Ledgers&b.Ledgers != 0 {
			t.Errorf("%s and %s are one account; want only a relation, or none: %s", v.A, v.B, v.Why)
		} else if got := related(&a, &b); got != v.Related {
			t.Errorf("%s and %s related: %t, want %t: %s", v.A, v.B, got, v.Related, v.Why)
		}
	}
}

// cleanReading returns the reading that a text has under a key, against which
// there must be nothing.
func cleanReading(t testing.TB, text string, key Key) Reading {
	t.Helper()
	var p Parsed
	Parse(text, &p)
	at := slices.IndexFunc(p.Readings(), func(r Reading) bool { return r.Key == key })
	want := ReasonNone
	if Kind(key[0]) == KindNEAR {
		want = ReasonAmbiguous32Byte // an account of NEAR looks like a hash
	}
	// Another reading of the same text may have something against it.
	if p.Reason != want && len(p.Readings()) < 2 || at < 0 {
		t.Fatalf("%+q: reason %s with %d readings, want none with one under %s", text, p.Reason, len(p.Readings()), key)
	}
	return p.Readings()[at]
}

func onlyReading(t testing.TB, text string) Reading {
	t.Helper()
	var p Parsed
	Parse(text, &p)
	if p.Reason != ReasonNone || len(p.Readings()) != 1 {
		t.Fatalf("%+q: reason %s with %d readings, want none with 1", text, p.Reason, len(p.Readings()))
	}
	return p.Readings()[0]
}

func related(a, b *Reading) bool {
	if a.Key == b.Key {
		return true
	}
	for _, h := range a.AppendHashes(nil) {
		if slices.Contains(b.AppendHashes(nil), h) {
			return true
		}
	}
	return false
}

// TestDecode reads the valid texts and the listed text of each group of the
// project's vectors. Every kind must be among them.
func TestDecode(t *testing.T) {
	kinds := decodeVectors(t, "../testdata/vectors.json")
	for k := KindNone + 1; k < KindCount; k++ {
		if k != KindPublicKey && !kinds[k] { // a public key is no address
			t.Errorf("no text of kind %s", k)
		}
	}
}

// TestSharedDecode reads those of the maintainers' vectors.
func TestSharedDecode(t *testing.T) {
	const file = "../../../shared/vectors/addresses.json"
	if _, err := os.Stat(file); err != nil {
		t.Skip("the vectors of the reference material are absent: valid_decode and the accounts of equivalent_groups are not run")
	}
	decodeVectors(t, file)
}

// decodeVectors compares kind and payload of the valid texts of a file, and of the
// listed text of each of its groups, and returns the kinds that it met. What the
// answers must be is for the test of package screen, which runs all other
// sections.
func decodeVectors(t *testing.T, file string) map[Kind]bool {
	t.Helper()
	var all struct {
		Meta   json.RawMessage
		Groups []struct {
			ID, Chain, Certainty, Source string
			ListedAs                     string `json:"listed_as"`
			Account                      struct{ Kind, Hex string }
			Members                      json.RawMessage
		} `json:"equivalent_groups"`
		ValidDecode   []struct{ Text, Chain, Kind, Hex, Source string } `json:"valid_decode"`
		MustNotMatch  json.RawMessage                                   `json:"must_not_match"`
		Invalid       json.RawMessage
		ExactTextOnly json.RawMessage `json:"exact_text_only"`
		NotAddresses  json.RawMessage `json:"not_addresses"`
		NoisyInput    json.RawMessage `json:"noisy_input"`
	}
	readJSON(t, file, &all)
	kinds := map[Kind]bool{}
	check := func(text string, reason Reason, readings []Reading, want Reading) {
		t.Helper()
		kinds[want.Kind()] = true
		var p Parsed
		if Parse(text, &p); p.Reason != reason {
			t.Errorf("%s: reason %s, want %s", text, p.Reason, reason)
		}
		readings = append(readings, p.Readings()...)
		if !slices.ContainsFunc(readings, func(r Reading) bool { return r.Key == want.Key && r.Tag == want.Tag }) {
			t.Errorf("%s: read as %+v, want %s with tag %q", text, readings, want.Key, want.Tag)
		}
	}
	for _, g := range all.Groups {
		want := vectorAccount(t, g.Account.Kind, g.Account.Hex)
		switch {
		case strings.Contains(g.ListedAs, " "): // a cell that has more than the address
			var found []Reading
			for _, f := range ScanCell(g.ListedAs).Found {
				for _, r := range f.Readings {
					r.Tag = f.Tag
					found = append(found, r)
				}
			}
			check(g.ListedAs, ReasonMalformed, found, want)
		case g.Chain == "near":
			check(g.ListedAs, ReasonAmbiguous32Byte, nil, want) // it looks like a hash
		default:
			check(g.ListedAs, ReasonNone, nil, want)
		}
	}
	for _, v := range all.ValidDecode {
		if v.Chain == "near" && strings.HasSuffix(v.Text, ".near") { // a name, which is its own account id
			var p Parsed
			if Parse(v.Text, &p); p.Reason != ReasonNameNeedsResolution {
				t.Errorf("%s: reason %s", v.Text, p.Reason)
			}
			continue
		}
		reason := ReasonNone
		switch v.Chain {
		case "cashaddr-other-prefix":
			reason = ReasonUnsupportedNetwork
		case "near":
			reason = ReasonAmbiguous32Byte
		}
		check(v.Text, reason, nil, vectorDecoded(t, v.Chain, v.Kind, v.Text, v.Hex))
	}
	return kinds
}

// readingOf makes a reading, of the digest of the payload where the kind's key
// holds one.
func readingOf(kind Kind, payload []byte) Reading {
	r := Reading{Key: Key{byte(kind)}}
	if holdsDigest(kind) {
		sum := sha256.Sum256(payload)
		payload = sum[:]
	}
	copy(r.Payload(), payload)
	return r
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatalf("%s: %v", digits, err)
	}
	return b
}

// vectorAccount is the account of a kind and its bytes, in hex digits or as the
// network writes numbers, as the vectors name it. A kind may end with a tag.
func vectorAccount(t *testing.T, kind, digits string) Reading {
	t.Helper()
	if kind, tag, ok := strings.Cut(kind, " tag "); ok {
		r := vectorAccount(t, kind, digits)
		r.Tag = tag
		return r
	}
	kind, prefix, _ := strings.Cut(kind, ":")
	switch {
	case kind == "ton":
		workchain, id, _ := strings.Cut(digits, ":")
		return tonReading(t, workchain, unhex(t, id))
	case kind == "hbar":
		return hederaReading(t, strings.Split(digits, "."))
	case kind == "acc20":
		return readingOf(KindAccount, slices.Concat([]byte(prefix), []byte{0}, unhex(t, digits)))
	case strings.HasPrefix(kind, "type-"): // the header of Cardano's Shelley addresses
		return readingOf(KindCardano, unhex(t, digits))
	case strings.HasPrefix(kind, "cashaddr type "):
		b, typ := unhex(t, digits), kind[len("cashaddr type ")]-'0'
		switch {
		case len(b) != 20:
			return readingOf(KindCashaddr, slices.Concat([]byte{typ}, b))
		case typ == 0:
			return readingOf(KindP2PKH, b)
		}
		return readingOf(KindP2SH, b)
	}
	kinds := map[string]Kind{
		"p2pkh": KindP2PKH, "p2sh": KindP2SH, "evm20": KindEVM, "tron20": KindTron, "p2wpkh": KindWPKH, "p2wsh": KindWSH,
		"p2tr": KindTR, "witness": KindWitness, "xrp20": KindXRP, "xmr64": KindMonero, "xmr64sub": KindMoneroSub,
		"sol32": KindSolana, "xlm32": KindStellar, "xlm-contract32": KindStellarContract, "xlm-pool32": KindStellarPool,
		"xlm-balance33": KindStellarBalance, "ss58": KindSS58, "near": KindNEAR, "algo32": KindAlgorand, "sia32": KindSia,
		"byron": KindCardano, "xtz": KindTezos, "fil": KindFilecoin, "lsk": KindLisk, "sapling43": KindSapling,
		"orchard43": KindOrchard, "unified": KindUnified,
	}
	if kinds[kind] == KindNone {
		t.Fatalf("unknown kind of account %q", kind)
	}
	return readingOf(kinds[kind], unhex(t, digits))
}

func tonReading(t *testing.T, workchain string, id []byte) Reading {
	t.Helper()
	number, err := strconv.ParseInt(workchain, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	switch number {
	case 0:
		return readingOf(KindTON, id)
	case -1:
		return readingOf(KindTONMaster, id)
	}
	return readingOf(KindTONOther, slices.Concat(binary.BigEndian.AppendUint32(nil, uint32(number)), id))
}

func hederaReading(t *testing.T, numbers []string) Reading {
	t.Helper()
	var payload []byte
	for _, n := range numbers {
		v, err := strconv.ParseUint(n, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		payload = binary.BigEndian.AppendUint64(payload, v)
	}
	return readingOf(KindHedera, payload)
}

// vectorDecoded is the account that a valid text of the vectors decodes to. An
// output script and the binary form of ENSIP-9 tell it in the way of the chain.
func vectorDecoded(t *testing.T, chain, kind, text, digits string) Reading {
	t.Helper()
	if kind != "scriptPubKey" && kind != "ENSIP-9 binary (script or payload)" {
		return vectorAccount(t, kind, digits)
	}
	b := unhex(t, digits)
	switch chain {
	case "bsv":
		return readingOf(KindP2PKH, b)
	case "tron":
		return readingOf(KindTron, b[1:])
	case "xrpl":
		return readingOf(KindXRP, b[1:])
	case "monero":
		if b[0] == 0x2a {
			return readingOf(KindMoneroSub, b[1:65])
		}
		return readingOf(KindMonero, b[1:65])
	case "stellar":
		return readingOf(KindStellar, b)
	case "algorand":
		return readingOf(KindAlgorand, b)
	case "polkadot", "kusama":
		return readingOf(KindSS58, b)
	case "solana":
		return readingOf(KindSolana, b)
	case "sia":
		return readingOf(KindSia, b)
	case "cardano":
		return readingOf(KindCardano, b)
	case "near": // the bytes of the text
		return readingOf(KindNEAR, unhex(t, string(b)))
	case "avalanche", "cosmos", "bnb-beacon":
		hrp, _, _ := strings.Cut(text, "1")
		return readingOf(KindAccount, slices.Concat([]byte(hrp), []byte{0}, b))
	case "tezos": // a tag, for accounts that of the curve too, the hash, for contracts a zero byte
		versions := map[string]string{"tz1": "06a19f", "tz2": "06a1a1", "tz3": "06a1a4", "KT1": "025a79"}
		hash := b[2:]
		if b[0] == 1 {
			hash = b[1:21]
		}
		return readingOf(KindTezos, slices.Concat(unhex(t, versions[text[:3]]), hash))
	case "lisk-legacy":
		return readingOf(KindLisk, b)
	case "hedera": // four bytes of shard, eight of realm and of number
		return readingOf(KindHedera, slices.Concat(make([]byte, 4), b))
	case "zcash":
		if strings.HasPrefix(text, "zs1") {
			return readingOf(KindSapling, b)
		}
	}
	return scriptReading(t, b)
}

// scriptReading is the account of an output script.
func scriptReading(t *testing.T, script []byte) Reading {
	t.Helper()
	n := len(script)
	switch {
	case n == 25 && script[0] == 0x76: // OP_DUP OP_HASH160 20 OP_EQUALVERIFY OP_CHECKSIG
		return readingOf(KindP2PKH, script[3:23])
	case n == 23 && script[0] == 0xa9: // OP_HASH160 20 OP_EQUAL
		return readingOf(KindP2SH, script[2:22])
	case n == 22 && script[0] == 0:
		return readingOf(KindWPKH, script[2:])
	case n == 34 && script[0] == 0:
		return readingOf(KindWSH, script[2:])
	case n == 34 && script[0] == 0x51:
		return readingOf(KindTR, script[2:])
	case n == 2+int(script[1]) && script[0] >= 0x51 && script[0] <= 0x60:
		return readingOf(KindWitness, slices.Concat([]byte{script[0] - 0x50}, script[2:]))
	}
	t.Fatalf("unknown script %x", script)
	return Reading{}
}
