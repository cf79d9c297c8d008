// Package differential holds package address to independent libraries. It is a
// module of its own, so that none of them enters the graph of the service.
//
// For each encoding an oracle draws texts whose checksum holds, but whose
// version, length and the like may be of no address, and changes some of them as
// people mistype. What package address takes for a clean address must be what the
// oracle takes for one, with the same payload, network and tag. The oracles are
// made of
//
//   - github.com/btcsuite/btcd/btcutil v1.2.0 (ISC): base58check, bech32, bech32m
//   - github.com/mr-tron/base58 v1.3.0 (MIT): base58 with other checksums and with
//     the alphabet of the XRP Ledger, Monero's blocks
//   - github.com/stellar/go-stellar-sdk/strkey v0.7.3 (Apache-2.0)
//   - github.com/xssnick/tonutils-go/address v1.12.0 (Apache-2.0)
//   - github.com/ebfe/keccak (BSD-2-Clause): Keccak-256, whose other implementation
//     is that of golang.org/x/crypto
//   - github.com/minio/blake2b-simd (Apache-2.0): BLAKE2b, likewise
//   - the standard library's encoding/base32, crypto/sha512 and hash/crc32, for
//     encodings that package address reads with code of its own
//
// and of the rules for versions and lengths, written here once more. No library
// for cashaddr was to be had: its oracle is the specification's own code, carried
// over line by line.
//
// disagreements lists where a library and package address differ, and why; a
// line that no text meets any more fails the test. For a long run:
//
//	go test -rapid.checks=1000000 -timeout 0
package differential

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	checked58 "github.com/btcsuite/btcd/btcutil/base58"
	"github.com/btcsuite/btcd/btcutil/bech32"
	"github.com/ebfe/keccak"
	blake2b "github.com/minio/blake2b-simd"
	"github.com/mr-tron/base58"
	"github.com/stellar/go-stellar-sdk/strkey"
	ton "github.com/xssnick/tonutils-go/address"
	"pgregory.net/rapid"

	"walletscreen/screen/address"
)

func TestMain(m *testing.M) {
	flag.Parse()
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "rapid.checks" })
	if !set {
		if err := flag.Set("rapid.checks", "5000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// oracle is another reading of the texts of one encoding or several.
type oracle struct {
	name  string
	kinds []address.Kind // that package address gives to these texts
	draw  func(t *rapid.T) string
	// read returns the accounts that the text means, none if it is no address.
	read func(text string) []account
}

// account is what both sides must agree on.
type account struct {
	key     string
	testnet bool
	tag     string
}

func of(kind address.Kind, payload []byte) account {
	return account{key: kind.String() + ":" + hex.EncodeToString(payload)}
}

func ofDigest(kind address.Kind, parts ...[]byte) account {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return of(kind, sum[:])
}

func (a account) onTestnet(testnet bool) account {
	a.testnet = testnet
	return a
}

// disagreements are the texts on which a library and package address differ.
// differs says whether the text is one, given what each takes it for.
var disagreements = []struct {
	oracle  string
	why     string
	differs func(text string, library, ours []account) bool
}{
	{"ton", "tonutils knows only the base64 alphabet for URLs; wallets and TEP-2 use both", func(text string, library, ours []account) bool {
		return len(library) == 0 && len(ours) == 1 && strings.ContainsAny(text, "+/")
	}},
	{"ton", "tonutils takes any byte for the flags; TEP-2 has two, and one bit for test networks", func(text string, library, ours []account) bool {
		data, err := base64.RawURLEncoding.DecodeString(text)
		return err == nil && len(ours) == 0 && len(library) == 1 && data[0]&0x7f != 0x11 && data[0]&0x7f != 0x51
	}},
	{"ton", "tonutils refuses raw addresses of workchains beyond one byte, which TON's schema allows", func(text string, library, ours []account) bool {
		return len(library) == 0 && len(ours) == 1 && ours[0].key[:9] == "ton-other" && strings.Contains(text, ":")
	}},
	{"ton", "tonutils takes a workchain with a plus sign, leading zeros or minus zero: no canonical text", func(text string, library, ours []account) bool {
		workchain, _, _ := strings.Cut(text, ":")
		return len(ours) == 0 && len(library) == 1 && fmt.Sprint(parseInt8(workchain)) != workchain
	}},
	{"strkey", "the SDK takes a claimable balance of any type; SEP-23 has type 0 only", func(text string, library, ours []account) bool {
		return len(ours) == 0 && len(library) == 1 && text[0] == 'B'
	}},
	{"solana", "32 bytes whose base58 has hardly a letter of one case are rather a mistyped bech32 text", func(text string, library, ours []account) bool {
		return len(ours) == 0 && len(library) == 1 && min(letters(text, unicode.IsUpper), letters(text, unicode.IsLower)) < 3
	}},
}

// letters counts the characters of text that are of a case.
func letters(text string, is func(rune) bool) (n int) {
	for _, r := range text {
		if is(r) {
			n++
		}
	}
	return n
}

func parseInt8(s string) (n int8) {
	fmt.Sscan(s, &n)
	return n
}

func TestDifferential(t *testing.T) {
	met := make([]int, len(disagreements))
	for _, o := range oracles {
		t.Run(o.name, func(t *testing.T) {
			clean, refused := 0, 0
			compare := func(rt *rapid.T, text string) {
				ours, wrapped := o.ours(text)
				if wrapped {
					return
				}
				library := o.read(text)
				if slices.Equal(library, ours) {
					if len(ours) > 0 {
						clean++
					} else {
						refused++
					}
					return
				}
				for i, d := range disagreements {
					if d.oracle == o.name && d.differs(text, library, ours) {
						met[i]++
						return
					}
				}
				rt.Fatalf("%q is %v to the library and %v to package address", text, library, ours)
			}
			rapid.Check(t, func(rt *rapid.T) {
				text := o.draw(rt)
				compare(rt, text)
				for range 3 {
					text = mistype(rt, text)
					compare(rt, text)
				}
			})
			t.Logf("%d texts are addresses, %d are none", clean, refused)
			if clean == 0 || refused == 0 {
				t.Errorf("%d texts are addresses, %d are none: nothing is compared", clean, refused)
			}
		})
	}
	for i, d := range disagreements {
		if met[i] == 0 && !t.Failed() {
			t.Errorf("no text differs on %s any more: %s", d.oracle, d.why)
		}
	}
}

// ours returns the accounts of the oracle's kinds that package address reads
// cleanly, in the order of their keys, and whether the change of the text has
// made it a URI or an account id, of which no oracle knows.
func (o *oracle) ours(text string) (accounts []account, wrapped bool) {
	var p address.Parsed
	address.Parse(text, &p)
	if p.Reason != address.ReasonNone {
		return nil, false
	}
	for _, r := range p.Readings() {
		if slices.Contains(o.kinds, r.Kind()) {
			accounts = append(accounts, account{r.Key.String(), r.Testnet, r.Tag})
		}
	}
	slices.SortFunc(accounts, func(a, b account) int { return strings.Compare(a.key, b.key) })
	return accounts, p.Warnings&address.WarnURI != 0
}

// mistype changes a text as typing, copying and spreadsheets do.
func mistype(t *rapid.T, text string) string {
	const typed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/-_:="
	at := rapid.IntRange(0, max(0, len(text)-1)).Draw(t, "at")
	c := string(rapid.SampledFrom([]byte(typed)).Draw(t, "c"))
	how := rapid.IntRange(0, 8).Draw(t, "how")
	switch {
	case how == 0 || text == "":
		return text[:at] + c + text[at:]
	case how == 1:
		return text[:at] + text[at+1:]
	case how == 2 && at > 0:
		return text[:at-1] + text[at:at+1] + text[at-1:at] + text[at+1:]
	case how == 3:
		return strings.ToUpper(text)
	case how == 4:
		return strings.ToLower(text)
	case how == 5:
		return text[:at] + otherCase(text[at:at+1]) + text[at+1:]
	case how == 6:
		return text[:at]
	}
	return text[:at] + c + text[at+1:]
}

func otherCase(c string) string {
	if u := strings.ToUpper(c); u != c {
		return u
	}
	return strings.ToLower(c)
}

// drawBytes draws from least to most bytes, of which rapid likes to make zeros;
// half of them are noise.
func drawBytes(t *rapid.T, least, most int) []byte {
	if b := rapid.SliceOfN(rapid.Byte(), least, most).Draw(t, "bytes"); rapid.Bool().Draw(t, "plain") {
		return b
	}
	r := rand.NewChaCha8(sha256.Sum256(binary.BigEndian.AppendUint64(nil, rapid.Uint64().Draw(t, "seed"))))
	b := make([]byte, rapid.IntRange(least, most).Draw(t, "size"))
	r.Read(b)
	return b
}

// usually draws a size that is mostly the one an address has.
func usually(t *rapid.T, size, least, most int) int {
	if rapid.IntRange(0, 3).Draw(t, "odd size") > 0 {
		return size
	}
	return rapid.IntRange(least, most).Draw(t, "size")
}

func oneOf[T any](t *rapid.T, from ...T) T { return rapid.SampledFrom(from).Draw(t, "one of") }

var oracles = []oracle{
	{"base58check", []address.Kind{address.KindP2PKH, address.KindP2SH, address.KindTron, address.KindTezos}, drawBase58Check, readBase58Check},
	{"xrp", []address.Kind{address.KindXRP}, drawXRP, readXRP},
	{"segwit", []address.Kind{address.KindWPKH, address.KindWSH, address.KindTR, address.KindWitness}, drawSegwit, readSegwit},
	{"bech32 accounts", []address.Kind{address.KindAccount}, drawBech32Account, readBech32Account},
	{"zcash", []address.Kind{address.KindSapling, address.KindP2PKH}, drawZcash, readZcash},
	{"shelley", []address.Kind{address.KindCardano}, drawShelley, readShelley},
	{"byron", []address.Kind{address.KindCardano}, drawByron, readByron},
	{"cashaddr", []address.Kind{address.KindP2PKH, address.KindP2SH, address.KindCashaddr}, drawCashaddr, readCashaddr},
	{"evm", []address.Kind{address.KindEVM}, drawEVM, readEVM},
	{"monero", []address.Kind{address.KindMonero, address.KindMoneroSub}, drawMonero, readMonero},
	{"solana", []address.Kind{address.KindSolana}, drawSolana, readSolana},
	{"ss58", []address.Kind{address.KindSS58}, drawSS58, readSS58},
	{"strkey", []address.Kind{address.KindStellar, address.KindStellarContract, address.KindStellarPool, address.KindStellarBalance}, drawStrkey, readStrkey},
	{"ton", []address.Kind{address.KindTON, address.KindTONMaster, address.KindTONOther}, drawTON, readTON},
	{"algorand", []address.Kind{address.KindAlgorand}, drawAlgorand, readAlgorand},
	{"filecoin", []address.Kind{address.KindFilecoin}, drawFilecoin, readFilecoin},
}

// Base58check: Bitcoin and its relatives, Tron, Zcash's transparent addresses,
// Tezos.

type version struct {
	prefix  string
	kind    address.Kind
	testnet bool
}

var versions = []version{
	{"\x00", address.KindP2PKH, false}, {"\x05", address.KindP2SH, false}, {"\x6f", address.KindP2PKH, true}, {"\xc4", address.KindP2SH, true},
	{"\x1c", address.KindP2PKH, false}, {"\x28", address.KindP2SH, false}, {"\x30", address.KindP2PKH, false}, {"\x32", address.KindP2SH, false},
	{"\x3a", address.KindP2PKH, false}, {"\x3a", address.KindP2SH, true}, {"\x1e", address.KindP2PKH, false}, {"\x16", address.KindP2SH, false}, {"\x71", address.KindP2PKH, true},
	{"\x3f", address.KindP2PKH, false}, {"\x3f", address.KindP2SH, false}, {"\x21", address.KindP2SH, false}, {"\x7d", address.KindP2SH, false},
	{"\x4c", address.KindP2PKH, false}, {"\x10", address.KindP2SH, false}, {"\x26", address.KindP2PKH, false}, {"\x17", address.KindP2SH, false},
	{"\x3c", address.KindP2PKH, false}, {"\x55", address.KindP2SH, false}, {"\x41", address.KindTron, false}, {"\xa0", address.KindTron, true},
	{"\x1c\xb8", address.KindP2PKH, false}, {"\x1c\xbd", address.KindP2SH, false}, {"\x1d\x25", address.KindP2PKH, true}, {"\x1c\xba", address.KindP2SH, true},
	{"\x06\xa1\x9f", address.KindTezos, false}, {"\x06\xa1\xa1", address.KindTezos, false}, {"\x06\xa1\xa4", address.KindTezos, false},
	{"\x06\xa1\xa6", address.KindTezos, false}, {"\x02\x5a\x79", address.KindTezos, false}, {"\x06\x7c\x75", address.KindTezos, false},
}

func drawBase58Check(t *rapid.T) string {
	prefix := oneOf(t, versions...).prefix
	if rapid.IntRange(0, 3).Draw(t, "odd") == 0 {
		prefix = string(drawBytes(t, 1, 3))
	}
	size := usually(t, 20, 0, 40)
	b := append([]byte(prefix), drawBytes(t, size, size)...)
	return checked58.CheckEncode(b[1:], b[0])
}

func readBase58Check(text string) (accounts []account) {
	payload, first, err := checked58.CheckDecode(text)
	if err != nil {
		return nil
	}
	data := append([]byte{first}, payload...)
	for _, v := range versions {
		switch {
		case len(data) != len(v.prefix)+20 || !bytes.HasPrefix(data, []byte(v.prefix)):
		case v.kind == address.KindTezos:
			accounts = append(accounts, ofDigest(v.kind, data))
		default:
			accounts = append(accounts, of(v.kind, data[len(v.prefix):]).onTestnet(v.testnet))
		}
	}
	return accounts
}

// The XRP Ledger: the same checksum, another alphabet.

var xrpAlphabet = base58.NewAlphabet("rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz")

func checksum(b []byte) []byte {
	once := sha256.Sum256(b)
	twice := sha256.Sum256(once[:])
	return twice[:4]
}

func drawXRP(t *rapid.T) string {
	var b []byte
	if rapid.Bool().Draw(t, "classic") {
		size := usually(t, 20, 0, 40)
		b = append([]byte{oneOf[byte](t, 0, 0, 0, 1)}, drawBytes(t, size, size)...)
	} else {
		b = append([]byte(oneOf(t, "\x05\x44", "\x04\x93", "\x05\x44", "\x05\x45")), drawBytes(t, 20, 20)...)
		flags := oneOf[byte](t, 0, 1, 1, 2)
		b = append(b, flags)
		if flags == 0 && rapid.Bool().Draw(t, "no tag") {
			b = append(b, make([]byte, 8)...)
		} else {
			b = binary.LittleEndian.AppendUint64(b, rapid.Uint64().Draw(t, "tag")>>oneOf(t, 0, 31, 32, 48))
		}
	}
	return base58.EncodeAlphabet(append(b, checksum(b)...), xrpAlphabet)
}

func readXRP(text string) []account {
	data, err := base58.DecodeAlphabet(text, xrpAlphabet)
	if err != nil || len(data) < 4 || !bytes.Equal(checksum(data[:len(data)-4]), data[len(data)-4:]) {
		return nil
	}
	body := data[:len(data)-4]
	if len(body) == 21 && body[0] == 0 {
		return []account{of(address.KindXRP, body[1:])}
	}
	if len(body) != 31 || string(body[:2]) != "\x05\x44" && string(body[:2]) != "\x04\x93" {
		return nil
	}
	a := of(address.KindXRP, body[2:22]).onTestnet(body[0] == 4)
	tag := binary.LittleEndian.Uint64(body[23:])
	switch {
	case body[22] == 0 && tag == 0:
	case body[22] == 1 && tag < 1<<32:
		a.tag = fmt.Sprint(tag)
	default:
		return nil
	}
	return []account{a}
}

// Bech32.

func encodeBech32(t *rapid.T, hrp string, data []byte, m bool) string {
	encode := bech32.Encode
	if m {
		encode = bech32.EncodeM
	}
	text, err := encode(hrp, data)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func toFive(t *rapid.T, b []byte) []byte {
	five, err := bech32.ConvertBits(b, 8, 5, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(five) > 0 && rapid.IntRange(0, 15).Draw(t, "odd padding") == 0 {
		switch rapid.IntRange(0, 1).Draw(t, "how") {
		case 0:
			five[len(five)-1] |= 1
		case 1:
			five = append(five, 0)
		}
	}
	return five
}

var segwitHRPs = map[string]bool{ // whether it is of a test network
	"bc": false, "tb": true, "bcrt": true, "ltc": false, "tltc": true, "rltc": true,
	"btg": false, "tbtg": true, "dgb": false, "dgbt": true, "dgbrt": true, "vg": false,
}

func drawSegwit(t *rapid.T) string {
	hrp := oneOf(t, "bc", "bc", "tb", "bcrt", "ltc", "tltc", "rltc", "btg", "tbtg", "dgb", "dgbt", "dgbrt", "vg", "xx")
	version := oneOf[byte](t, 0, 0, 1, 1, 2, 16, 17, 31)
	size := usually(t, oneOf(t, 20, 32), 0, 42)
	m := version != 0
	if rapid.IntRange(0, 9).Draw(t, "other variant") == 0 {
		m = !m
	}
	return encodeBech32(t, hrp, append([]byte{version}, toFive(t, drawBytes(t, size, size))...), m)
}

func readSegwit(text string) []account {
	hrp, data, variant, err := bech32.DecodeGeneric(text)
	testnet, known := segwitHRPs[hrp]
	if err != nil || !known || len(data) == 0 {
		return nil
	}
	program, err := bech32.ConvertBits(data[1:], 5, 8, false)
	version := data[0]
	if err != nil || version > 16 || len(program) < 2 || len(program) > 40 || (version == 0) != (variant == bech32.Version0) {
		return nil
	}
	var a account
	switch {
	case version == 0 && len(program) == 20:
		a = of(address.KindWPKH, program)
	case version == 0 && len(program) == 32:
		a = of(address.KindWSH, program)
	case version == 0:
		return nil
	case version == 1 && len(program) == 32:
		a = of(address.KindTR, program)
	default:
		a = ofDigest(address.KindWitness, []byte{version}, program)
	}
	return []account{a.onTestnet(testnet)}
}

var accountHRPs = map[string]bool{
	"bnb": false, "tbnb": true, "cosmos": false, "cosmosvaloper": false, "cosmosvalcons": false, "osmo": false, "juno": false, "akash": false,
	"inj": false, "evmos": false, "thor": false, "avax": false, "fuji": true, "one": false,
}

func drawBech32Account(t *rapid.T) string {
	hrp := oneOf(t, "bnb", "tbnb", "cosmos", "cosmosvaloper", "cosmosvalcons", "osmo", "juno", "akash", "inj", "evmos", "thor", "avax", "fuji", "one", "zzz")
	size := usually(t, oneOf(t, 20, 32), 0, 40)
	return encodeBech32(t, hrp, toFive(t, drawBytes(t, size, size)), rapid.IntRange(0, 9).Draw(t, "bech32m") == 0)
}

func readBech32Account(text string) []account {
	hrp, data, variant, err := bech32.DecodeGeneric(text)
	testnet, known := accountHRPs[hrp]
	if err != nil || !known || variant != bech32.Version0 {
		return nil
	}
	id, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil || len(id) != 20 && len(id) != 32 {
		return nil
	}
	return []account{ofDigest(address.KindAccount, []byte(hrp), []byte{0}, id).onTestnet(testnet)}
}

func drawZcash(t *rapid.T) string {
	if rapid.Bool().Draw(t, "tex") {
		size := usually(t, 20, 0, 40)
		return encodeBech32(t, oneOf(t, "tex", "textest", "text"), toFive(t, drawBytes(t, size, size)), rapid.IntRange(0, 9).Draw(t, "bech32") > 0)
	}
	size := usually(t, 43, 0, 50)
	return encodeBech32(t, oneOf(t, "zs", "ztestsapling", "zz"), toFive(t, drawBytes(t, size, size)), rapid.IntRange(0, 9).Draw(t, "bech32m") == 0)
}

func readZcash(text string) []account {
	hrp, data, variant, err := bech32.DecodeNoLimitWithVersion(text)
	if err != nil {
		return nil
	}
	b, err := bech32.ConvertBits(data, 5, 8, false)
	switch {
	case err != nil:
	case (hrp == "tex" || hrp == "textest") && len(b) == 20 && variant == bech32.VersionM:
		return []account{of(address.KindP2PKH, b).onTestnet(hrp == "textest")}
	case (hrp == "zs" || hrp == "ztestsapling") && len(b) == 43 && variant == bech32.Version0:
		return []account{ofDigest(address.KindSapling, b).onTestnet(hrp == "ztestsapling")}
	}
	return nil
}

// Cardano. Pointers are left out: no library here reads them.

func drawShelley(t *rapid.T) string {
	header := oneOf[byte](t, 0, 1, 2, 3, 6, 7, 8, 9, 14, 15)
	size := 28
	if header <= 3 {
		size = 56
	}
	size = usually(t, size, 0, 60)
	hrp, network := "addr", oneOf[byte](t, 1, 1, 1, 0)
	if header >= 14 {
		hrp = "stake"
	}
	if network == 0 {
		hrp += "_test"
	}
	if rapid.IntRange(0, 9).Draw(t, "other") == 0 {
		hrp, network = oneOf(t, "addr", "stake", "addr_test", "addr_vk"), oneOf[byte](t, 0, 1, 2)
	}
	return encodeBech32(t, hrp, toFive(t, append([]byte{header<<4 | network}, drawBytes(t, size, size)...)), rapid.IntRange(0, 9).Draw(t, "bech32m") == 0)
}

func readShelley(text string) []account {
	hrp, data, variant, err := bech32.DecodeNoLimitWithVersion(text)
	if err != nil || variant != bech32.Version0 {
		return nil
	}
	b, err := bech32.ConvertBits(data, 5, 8, false)
	if err != nil || len(b) == 0 {
		return nil
	}
	name, testnet := strings.CutSuffix(hrp, "_test")
	want, sizes := byte(1), map[byte]int{}
	if testnet {
		want = 0
	}
	switch name {
	case "addr":
		sizes = map[byte]int{0: 57, 1: 57, 2: 57, 3: 57, 6: 29, 7: 29}
	case "stake":
		sizes = map[byte]int{14: 29, 15: 29}
	}
	if b[0]&15 != want || sizes[b[0]>>4] != len(b) {
		return nil
	}
	return []account{ofDigest(address.KindCardano, b).onTestnet(testnet)}
}

// byronBody is an address proper without attributes.
const byronHead, byronTail = "\x83\x58\x1c", "\xa0\x00"

func drawByron(t *rapid.T) string {
	body := append(append([]byte(byronHead), drawBytes(t, 28, 28)...), byronTail...)
	b := append([]byte{0x82, 0xd8, 0x18, 0x58, byte(len(body))}, body...)
	sum := crc32.ChecksumIEEE(body)
	if rapid.IntRange(0, 9).Draw(t, "wrong") == 0 {
		sum++
	}
	return base58.Encode(binary.BigEndian.AppendUint32(append(b, 0x1a), sum))
}

func readByron(text string) []account {
	const head = 5
	b, err := base58.Decode(text)
	if err != nil || len(b) != head+3+28+2+5 || string(b[:head]) != "\x82\xd8\x18\x58\x21" || b[head+33] != 0x1a {
		return nil
	}
	body := b[head : head+33]
	sum := binary.BigEndian.Uint32(b[head+34:])
	if crc32.ChecksumIEEE(body) != sum || sum < 1<<16 || string(body[:3]) != byronHead || string(body[31:]) != byronTail {
		return nil
	}
	return []account{ofDigest(address.KindCardano, body)}
}

// Cashaddr, as in
// https://github.com/bitcoincashorg/bitcoincash.org/blob/master/spec/cashaddr.md.

const cashaddrCharset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

func polyMod(values []byte) uint64 {
	c := uint64(1)
	for _, d := range values {
		c0 := byte(c >> 35)
		c = (c&0x07ffffffff)<<5 ^ uint64(d)
		if c0&0x01 != 0 {
			c ^= 0x98f2bc8e61
		}
		if c0&0x02 != 0 {
			c ^= 0x79b76d99e2
		}
		if c0&0x04 != 0 {
			c ^= 0xf33e5fb3c4
		}
		if c0&0x08 != 0 {
			c ^= 0xae2eabe2a8
		}
		if c0&0x10 != 0 {
			c ^= 0x1e4f43e470
		}
	}
	return c ^ 1
}

func expandPrefix(prefix string) (values []byte) {
	for i := range len(prefix) {
		values = append(values, prefix[i]&0x1f)
	}
	return append(values, 0)
}

var cashaddrPrefixes = []string{"bitcoincash", "bchtest", "bchreg", "ecash", "ectest", "ecregtest"}

func drawCashaddr(t *rapid.T) string {
	prefix := oneOf(t, cashaddrPrefixes...)
	code := rapid.IntRange(0, 7).Draw(t, "size code")
	if rapid.Bool().Draw(t, "20 bytes") {
		code = 0
	}
	size := usually(t, []int{20, 24, 28, 32, 40, 48, 56, 64}[code], 1, 66)
	data := toFive(t, append([]byte{oneOf[byte](t, 0, 1, 2, 3, 4, 16)<<3 | byte(code)}, drawBytes(t, size, size)...))
	sum := polyMod(slices.Concat(expandPrefix(prefix), data, make([]byte, 8)))
	text := strings.Builder{}
	if rapid.Bool().Draw(t, "prefixed") {
		text.WriteString(prefix + ":")
	}
	for _, d := range data {
		text.WriteByte(cashaddrCharset[d])
	}
	for i := range 8 {
		text.WriteByte(cashaddrCharset[sum>>(5*(7-i))&31])
	}
	return text.String()
}

func readCashaddr(text string) []account {
	if strings.ToLower(text) != text && strings.ToUpper(text) != text {
		return nil
	}
	text = strings.ToLower(text)
	prefix, digits, prefixed := strings.Cut(text, ":")
	prefixes := cashaddrPrefixes
	if prefixed {
		prefixes = []string{prefix}
	} else {
		digits = text
	}
	var data []byte
	for i := range len(digits) {
		d := strings.IndexByte(cashaddrCharset, digits[i])
		if d < 0 {
			return nil
		}
		data = append(data, byte(d))
	}
	for _, prefix := range prefixes {
		if len(data) < 8 || !slices.Contains(cashaddrPrefixes, prefix) || polyMod(append(expandPrefix(prefix), data...)) != 0 {
			continue
		}
		b, err := bech32.ConvertBits(data[:len(data)-8], 5, 8, false)
		if err != nil || len(b) == 0 || b[0]>>3 > 3 || len(b)-1 != []int{20, 24, 28, 32, 40, 48, 56, 64}[b[0]&7] {
			return nil
		}
		var a account
		switch kind := b[0] >> 3 & 1; {
		case len(b) == 21 && kind == 0:
			a = of(address.KindP2PKH, b[1:])
		case len(b) == 21:
			a = of(address.KindP2SH, b[1:])
		default:
			a = ofDigest(address.KindCashaddr, []byte{kind}, b[1:])
		}
		return []account{a.onTestnet(prefix != "bitcoincash" && prefix != "ecash")}
	}
	return nil
}

// EVM: EIP-55, EIP-1191.

func caseChecksum(payload []byte, chain string) string {
	digits := []byte(hex.EncodeToString(payload))
	h := keccak.New256()
	h.Write([]byte(chain))
	h.Write(digits)
	sum := hex.EncodeToString(h.Sum(nil))
	for i, c := range digits {
		if c >= 'a' && sum[i] >= '8' {
			digits[i] = c - 'a' + 'A'
		}
	}
	return string(digits)
}

func drawEVM(t *rapid.T) string {
	return oneOf(t, "0x", "0X", "") + caseChecksum(drawBytes(t, 20, 20), oneOf(t, "", "", "300x", "310x", "10x"))
}

func readEVM(text string) []account {
	digits := text
	if len(text) > 2 && text[0] == '0' && text[1]|0x20 == 'x' {
		digits = text[2:]
	}
	payload, err := hex.DecodeString(digits)
	if err != nil || len(payload) != 20 {
		return nil
	}
	valid := []string{strings.ToLower(digits), strings.ToUpper(digits), caseChecksum(payload, ""), caseChecksum(payload, "300x"), caseChecksum(payload, "310x")}
	if !slices.Contains(valid, digits) {
		return nil
	}
	return []account{of(address.KindEVM, payload)}
}

// Monero: base58 of each 8 bytes in 11 characters, of the last 5 in 7.

func moneroChecksum(b []byte) []byte {
	h := keccak.New256()
	h.Write(b)
	return h.Sum(nil)[:4]
}

func moneroBlock(b []byte, size int) string {
	text := base58.Encode(bytes.TrimLeft(b, "\x00"))
	return strings.Repeat("1", size-len(text)) + text
}

func drawMonero(t *rapid.T) string {
	size := oneOf(t, 64, 64, 72)
	b := append([]byte{oneOf[byte](t, 18, 18, 19, 19, 42, 53, 54, 63, 24, 25, 36, 17)}, drawBytes(t, size, size)...)
	b = append(b, moneroChecksum(b)...)
	text := ""
	for len(b) > 8 {
		text, b = text+moneroBlock(b[:8], 11), b[8:]
	}
	return text + moneroBlock(b, 7)
}

func readMonero(text string) []account {
	if len(text) != 95 && len(text) != 106 {
		return nil
	}
	var data []byte
	for rest := text; rest != ""; {
		size, width := min(11, len(rest)), 8
		if size == 7 {
			width = 5
		}
		b, err := base58.Decode(rest[:size])
		b = bytes.TrimLeft(b, "\x00")
		if err != nil || len(b) > width {
			return nil
		}
		data = append(append(data, make([]byte, width-len(b))...), b...)
		rest = rest[size:]
	}
	body := data[:len(data)-4]
	if !bytes.Equal(moneroChecksum(body), data[len(body):]) {
		return nil
	}
	kind := address.KindMonero
	switch first := int(body[0]); {
	case len(body) == 65 && slices.Contains([]int{18, 53, 24}, first):
	case len(body) == 73 && slices.Contains([]int{19, 54, 25}, first):
	case len(body) == 65 && slices.Contains([]int{42, 63, 36}, first):
		kind = address.KindMoneroSub
	default:
		return nil
	}
	return []account{ofDigest(kind, body[1:65]).onTestnet(!slices.Contains([]int{18, 19, 42}, int(body[0])))}
}

// Solana: base58 of 32 bytes.

func drawSolana(t *rapid.T) string {
	size := usually(t, 32, 30, 34)
	return base58.Encode(drawBytes(t, size, size))
}

func readSolana(text string) []account {
	b, err := base58.Decode(text)
	if err != nil || len(b) != 32 {
		return nil
	}
	return []account{of(address.KindSolana, b)}
}

// SS58.

func ss58Checksum(b []byte) []byte {
	sum := blake2b.Sum512(append([]byte("SS58PRE"), b...))
	return sum[:2]
}

func drawSS58(t *rapid.T) string {
	b := []byte{oneOf[byte](t, 0, 2, 42, 5, 46, 63)}
	if rapid.Bool().Draw(t, "two bytes") {
		b = drawBytes(t, 2, 2)
		b[0] |= 0x40
	}
	size := usually(t, 32, 30, 34)
	b = append(b, drawBytes(t, size, size)...)
	return base58.Encode(append(b, ss58Checksum(b)...))
}

func readSS58(text string) []account {
	b, err := base58.Decode(text)
	if err != nil || len(b) < 35 || len(b) > 36 || !bytes.Equal(ss58Checksum(b[:len(b)-2]), b[len(b)-2:]) {
		return nil
	}
	prefix, size := int(b[0]), 1
	switch {
	case b[0] >= 128:
		return nil
	case b[0] >= 64: // the bits 0LUUUUUU ssssssss are of the number ss UUUUUU, low byte, and ssssss, high
		prefix, size = int(b[0]&0x3f)<<2|int(b[1]>>6)|int(b[1]&0x3f)<<8, 2
		if prefix < 64 {
			return nil
		}
	}
	if len(b) != size+32+2 || prefix == 46 || prefix == 47 {
		return nil
	}
	return []account{of(address.KindSS58, b[size:size+32])}
}

// Stellar.

func drawStrkey(t *rapid.T) string {
	version := oneOf[strkey.VersionByte](t, strkey.VersionByteAccountID, strkey.VersionByteAccountID, strkey.VersionByteMuxedAccount, strkey.VersionByteMuxedAccount,
		strkey.VersionByteContract, strkey.VersionByteLiquidityPool, strkey.VersionByteClaimableBalance, strkey.VersionByteHashTx, strkey.VersionByteHashX)
	size := 32
	switch version {
	case strkey.VersionByteMuxedAccount:
		size = 40
	case strkey.VersionByteClaimableBalance:
		size = 33
	}
	size = usually(t, size, 30, 44)
	payload := drawBytes(t, size, size)
	if version == strkey.VersionByteClaimableBalance && rapid.Bool().Draw(t, "type 0") {
		payload[0] = 0
	}
	text, err := strkey.Encode(version, payload)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func readStrkey(text string) []account {
	version, payload, err := strkey.DecodeAny(text)
	if err != nil {
		return nil
	}
	switch version {
	case strkey.VersionByteAccountID:
		return []account{of(address.KindStellar, payload)}
	case strkey.VersionByteMuxedAccount:
		a := of(address.KindStellar, payload[:32])
		a.tag = fmt.Sprint(binary.BigEndian.Uint64(payload[32:]))
		return []account{a}
	case strkey.VersionByteContract:
		return []account{of(address.KindStellarContract, payload)}
	case strkey.VersionByteLiquidityPool:
		return []account{of(address.KindStellarPool, payload)}
	case strkey.VersionByteClaimableBalance:
		return []account{ofDigest(address.KindStellarBalance, payload)}
	}
	return nil
}

// TON.

func drawTON(t *rapid.T) string {
	id := drawBytes(t, 32, 32)
	if rapid.IntRange(0, 2).Draw(t, "raw") == 0 {
		text := oneOf(t, "0:", "0:", "-1:", "5:", "300:", "-2147483648:", "2147483648:", "+0:", "-0:", "00:") + hex.EncodeToString(id)
		if rapid.Bool().Draw(t, "upper") {
			text = strings.ToUpper(text)
		}
		return text
	}
	a := ton.NewAddress(oneOf[byte](t, 0x11, 0x51, 0x91, 0xd1), oneOf[byte](t, 0, 0, 0xff, 7), id)
	text := a.String()
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 9).Draw(t, "odd flags") == 0 {
		data[0] = rapid.Byte().Draw(t, "flags")
		binary.BigEndian.PutUint16(data[34:], crcXModem(data[:34]))
	}
	if rapid.Bool().Draw(t, "standard alphabet") {
		return base64.RawStdEncoding.EncodeToString(data)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// crcXModem is CRC-16 bit by bit.
func crcXModem(b []byte) (sum uint16) {
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

func readTON(text string) []account {
	a, err := ton.ParseAddr(text)
	raw := strings.Contains(text, ":")
	if raw {
		a, err = ton.ParseRawAddr(text)
	}
	if err != nil {
		return nil
	}
	var out account
	switch a.Workchain() {
	case 0:
		out = of(address.KindTON, a.Data())
	case -1:
		out = of(address.KindTONMaster, a.Data())
	default:
		out = ofDigest(address.KindTONOther, binary.BigEndian.AppendUint32(nil, uint32(a.Workchain())), a.Data())
	}
	return []account{out.onTestnet(!raw && a.IsTestnetOnly())}
}

// Algorand: base 32 as the standard library reads it, which ignores spare bits.

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

func drawAlgorand(t *rapid.T) string {
	key := drawBytes(t, 32, 32)
	sum := sha512.Sum512_256(key)
	return unpadded.EncodeToString(append(key, sum[28:]...))
}

func readAlgorand(text string) []account {
	b, err := unpadded.DecodeString(text)
	if err != nil || len(b) != 36 || unpadded.EncodeToString(b) != text {
		return nil
	}
	if sum := sha512.Sum512_256(b[:32]); !bytes.Equal(sum[28:], b[32:]) {
		return nil
	}
	return []account{of(address.KindAlgorand, b[:32])}
}

// Filecoin's protocols 0, which has no checksum, to 3.

var filecoin32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func filecoinChecksum(b []byte) []byte {
	h, err := blake2b.New(&blake2b.Config{Size: 4})
	if err != nil {
		panic(err)
	}
	h.Write(b)
	return h.Sum(nil)
}

func drawFilecoin(t *rapid.T) string {
	if rapid.IntRange(0, 9).Draw(t, "number") == 0 {
		return "f0" + fmt.Sprint(rapid.Uint64().Draw(t, "actor")>>oneOf(t, 0, 1, 40))
	}
	protocol := oneOf[byte](t, 1, 2, 3, 3, 5)
	size := 20
	if protocol == 3 {
		size = 48
	}
	size = usually(t, size, 0, 50)
	payload := drawBytes(t, size, size)
	sum := filecoinChecksum(append([]byte{protocol}, payload...))
	return oneOf(t, "f", "f", "t") + string('0'+protocol) + filecoin32.EncodeToString(append(payload, sum...))
}

func readFilecoin(text string) []account {
	if len(text) < 2 || text[0] != 'f' && text[0] != 't' || text[1] < '0' || text[1] > '3' {
		return nil
	}
	if text[1] == '0' {
		number, err := strconv.ParseInt(text[2:], 10, 64)
		if err != nil || strconv.FormatInt(number, 10) != text[2:] || number < 0 {
			return nil
		}
		return []account{ofDigest(address.KindFilecoin, binary.AppendUvarint([]byte{0}, uint64(number))).onTestnet(text[0] == 't')}
	}
	b, err := filecoin32.DecodeString(text[2:])
	size := map[byte]int{'1': 24, '2': 24, '3': 52}[text[1]]
	if err != nil || len(b) != size || filecoin32.EncodeToString(b) != text[2:] {
		return nil
	}
	body := append([]byte{text[1] - '0'}, b[:size-4]...)
	if !bytes.Equal(filecoinChecksum(body), b[size-4:]) {
		return nil
	}
	return []account{ofDigest(address.KindFilecoin, body).onTestnet(text[0] == 't')}
}
