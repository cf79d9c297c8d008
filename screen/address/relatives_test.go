package address

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// networkReadings makes one reading of random payload for each network that
// shares its kinds with others.
func networkReadings(random *rand.Rand) (all []Reading) {
	add := func(kind Kind, ledgers Ledgers, testnet bool) *Reading {
		r := Reading{Key: Key{byte(kind)}, Ledgers: ledgers, Testnet: testnet}
		for i := range r.Payload() {
			r.Payload()[i] = byte(random.Uint32())
		}
		all = append(all, r)
		return &all[len(all)-1]
	}
	for _, v := range outputVersions {
		add(v.kind, v.ledgers, v.testnet)
	}
	for _, v := range zcashVersions {
		add(v.kind, LedgerZEC, v.testnet)
	}
	for _, network := range cashaddrNetworks {
		add(KindP2PKH, network.ledgers, network.testnet)
		add(KindP2SH, network.ledgers, network.testnet)
	}
	for _, network := range segwitNetworks {
		for _, kind := range []Kind{KindWPKH, KindWSH, KindTR} {
			add(kind, network.ledgers, network.testnet)
		}
	}
	for _, testnet := range []bool{false, true} {
		add(KindXRP, LedgerXRP, testnet)
		add(KindXRP, LedgerXRP, testnet).Tag = strconv.Itoa(int(random.Uint32()))
	}
	return all
}

func TestEveryNetworkParsesBack(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		for _, r := range networkReadings(random) {
			text := r.Format()
			if got := cleanReading(t, text, r.Key); got != r || got.Format() != text {
				t.Errorf("%+v is written %s, which reads as %+v", r, text, got)
			}
		}
	}
}

func TestEveryNetworkMistyped(t *testing.T) {
	const typed = base58Alphabet + "0OIl:"
	random := rand.New(rand.NewPCG(7, 8))
	var p Parsed
	for range 20 {
		for _, r := range networkReadings(random) {
			text := r.Format()
			for at := range text {
				changed := text[:at] + string(typed[random.IntN(len(typed))]) + text[at+1:]
				if changed == text {
					continue
				}
				Parse(changed, &p)
				if p.Reason == ReasonNone && !slices.ContainsFunc(p.Readings(), func(got Reading) bool { return got.Key == r.Key || got.Unchecked }) {
					t.Errorf("%s with a character changed, %s, is clean and means %+v", text, changed, p.Readings())
				}
			}
		}
	}
}

func TestUnknownVersionsAreOnlyRelated(t *testing.T) {
	var payload [20]byte
	payload[19] = 1
	for version := range 256 {
		var p Parsed
		Parse(formatBase58Check([]byte{byte(version)}, payload[:]), &p)
		if len(p.Readings()) == 0 {
			t.Errorf("version %#x has no reading", version)
		}
		for i := range p.Readings() {
			if r := &p.Readings()[i]; (r.Ledgers == LedgerUnknown) != (p.Reason == ReasonUnsupportedNetwork) {
				t.Errorf("version %#x: reading %+v with reason %s", version, r, p.Reason)
			}
		}
	}
}
