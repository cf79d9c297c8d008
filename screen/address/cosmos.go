package address

import (
	"crypto/sha256"
	"strings"
)

// Accounts in bech32: BNB Beacon Chain, the chains of the Cosmos SDK and
// Avalanche. The data is an account id of 20 bytes, the hash of a key, or of 32,
// which contracts and modules have
// (https://github.com/cosmos/cosmos-sdk/blob/main/docs/architecture/adr-028-public-key-addresses.md).
// The human-readable part is the ledger: the same id under another one is another
// account, of the same key. With valoper at its end it is the account as the
// operator of a validator, with valcons the key that a validator signs with,
// which is no hash160. The checksum of a text with an unknown human-readable part
// does not make it an account: nothing says what the bytes are.
//
// Human-readable parts are those of SLIP-0173
// (https://github.com/satoshilabs/slips/blob/master/slip-0173.md) and of
// https://github.com/cosmos/chain-registry.

// accountChain says how a chain makes account ids and what it is. Chains that can
// run EVM contracts make them by Keccak-256, as EVM chains do, or in both ways.
type accountChain struct {
	ledgers Ledgers
	testnet bool
	hash160 bool
	keccak  bool
}

var (
	cosmosChain  = accountChain{ledgers: LedgerCosmos, hash160: true}
	cosmosTest   = accountChain{ledgers: LedgerCosmos, testnet: true, hash160: true}
	cosmosKeccak = accountChain{ledgers: LedgerCosmos, keccak: true}
	cosmosBoth   = accountChain{ledgers: LedgerCosmos, hash160: true, keccak: true}
	cosmosSigner = accountChain{ledgers: LedgerCosmos}
	keccakChain  = accountChain{ledgers: LedgerOther, keccak: true}
)

var accountChains = func() map[string]accountChain {
	chains := map[string]accountChain{
		"bnb":  {ledgers: LedgerBNB, hash160: true},
		"tbnb": {ledgers: LedgerBNB, testnet: true, hash160: true},
		"avax": {ledgers: LedgerAVAX, hash160: true},
		"fuji": {ledgers: LedgerAVAX, testnet: true, hash160: true},
		"one":  keccakChain, // Harmony
		"io":   keccakChain, // IoTeX
		// IRISnet's operators and signers have parts of their own.
		"iva": cosmosChain, "ica": cosmosSigner,
	}
	for hrps, chain := range map[string]accountChain{
		`6x aaron agoric akash allo amitis andr arcana archway arkeo arkh atone axelar axm axone band bb bbn bcna bitsong
		 bluechip bluzelle bostrom boua bze c4e celestia centauri certik cheqd chihuahua chimba cife cnho comdex core cosmos
		 coss cre cro cudos cyber darc decentr desmos dig divine dora dungeon dydx dys elys emoney empe empower fandom fetch
		 firma fury furya g galaxy ggez gitopia gnodi gonka govgen gravity hazina heli hid hippo iaa idep int3 into iris ixo
		 jkl jolt juno ki kima kira kopi kujira kyve lefeef like link lmn lom loop loyal ltrst lum lumen lumera lumi manifest
		 mantle mars maya medas meme micro migaloo mirage mises mtgbp muc mun n neutaro neutron nibi noble nois nolus nomic
		 noria nym octa odin okp4 onomy opct optio orai osmo paloma panacea pasg paxi pb persistence pica pokt pryzm px pylo
		 qfs qor quasar quick qwoyn rebus regen rit rizon saga scorum secret seda self sent sge shareledger shentu sif somm
		 source stafi star stars stoc stride sunrise swth symphony synt tail terp terra tgrade thor tori umee und unicorn
		 union ununifi vdl vector wasm wolo wormhole xion xyra yjay zen zig zrn`: cosmosChain,
		`acre aioz art bcx blockx canto crc cvn dym echelon epix ethm ethos evmos ex haqq human imv inj kii kudo logos lrz
		 mande mythos neura nim plq point qie qubetics realio shido st tenet turk uptick xpla zeta`: cosmosKeccak,
		"althea aura fx genesis init kava mantra sei titan warden": cosmosBoth,
		"tcro tp sthor smaya": cosmosTest,
	} {
		for _, hrp := range strings.Fields(hrps) {
			signer := chain
			signer.hash160, signer.keccak = false, false
			chains[hrp], chains[hrp+"valoper"], chains[hrp+"valcons"] = chain, chain, signer
		}
	}
	return chains
}()

// accountText is the least number of data characters: 20 bytes and a checksum.
const accountText = 32 + 6

// readAccount reads a text of a human-readable part of the chain.
func readAccount(s, hrp string, sh shape, chain accountChain, p *Parsed) (why Reason) {
	switch {
	case len(s) > maxBech32Text:
		return ReasonTooLong
	case len(s)-len(hrp)-1 < accountText: // a word, perhaps
		return ReasonNone
	}
	// The human-readable part and a zero stand before the id, so that all can be
	// hashed as one.
	var account [maxHRP + 1 + 32]byte
	head := copy(account[:], hrp) + 1
	n, why := bech32Read(account[head:head+32], s, sh, bech32Plain, p)
	if why != ReasonNone {
		return why
	}
	if n != 20 && n != 32 {
		return ReasonMalformed
	}
	sum := sha256.Sum256(account[:head+n])
	r := p.add(KindAccount, sum[:], chain.ledgers, chain.testnet)
	// The ids of contracts count up from one and mean nothing on another chain.
	if id := account[head : head+n]; n == 20 {
		if chain.hash160 {
			r.relate(SpaceKeyHash, id)
		}
		if chain.keccak {
			r.relate(SpaceKeccak, id)
		}
	}
	return ReasonNone
}
