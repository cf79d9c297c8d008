package address

import "strings"

// form says what follows the colon after a word.
type form uint8

const (
	formNetwork   form = iota // an address, or a reference and an address (CAIP-10)
	formTicker                // an address, or what wraps one
	formPayees                // BIP-21 with the addresses of BIP-321, ZIP-321
	formEthereum              // ERC-681
	formSEP7                  // an operation of Stellar's SEP-7
	formCashaddr              // the rest of a cashaddr, or a legacy address
	formDID                   // a method and an account id
	formWeb                   // a page of a wallet
	formNoAddress             // an invoice or another request without address
)

// A scheme is a word before a colon: the scheme of a URI, the namespace of an
// account id, a network's short name or a ticker.
type scheme struct {
	form    form
	ledgers Ledgers // whose addresses follow; 0 for a ticker, which says nothing about the ledger
	// namespace is that of CAIP-2, "" for a word that is none.
	namespace string
	chain     uint64 // the chain's number of an EVM network (EIP-155), 0 if the word names none
}

// maxWord is the longest word that is looked at.
const maxWord = 24

// schemeOf returns the scheme of a word, in any letter case.
func schemeOf(word string) (scheme, bool) {
	var lowered [maxWord]byte
	if len(word) > maxWord {
		return scheme{}, false
	}
	for i, c := range []byte(word) {
		lowered[i] = lower(c)
	}
	sc, ok := schemes[string(lowered[:len(word)])]
	return sc, ok
}

var schemes = func() map[string]scheme {
	t := map[string]scheme{
		"bitcoin":     {form: formPayees, ledgers: LedgerBTC},
		"zcash":       {form: formPayees, ledgers: LedgerZEC},
		"ethereum":    {form: formEthereum, ledgers: LedgerEVM, chain: 1},
		"web+stellar": {form: formSEP7, ledgers: LedgerXLM},
		"did":         {form: formDID},
		"https":       {form: formWeb},
		"http":        {form: formWeb},

		// https://bitcoincash.org/spec/cashaddr.html; eCash and SLP have prefixes of
		// their own.
		"bitcoincash":  {form: formCashaddr, ledgers: LedgerBCH},
		"bchtest":      {form: formCashaddr, ledgers: LedgerBCH},
		"bchreg":       {form: formCashaddr, ledgers: LedgerBCH},
		"simpleledger": {form: formCashaddr, ledgers: LedgerBCH},
		"slptest":      {form: formCashaddr, ledgers: LedgerBCH},
		"ecash":        {form: formCashaddr, ledgers: LedgerXEC},
		"ectest":       {form: formCashaddr, ledgers: LedgerXEC},
		"etoken":       {form: formCashaddr, ledgers: LedgerXEC},
	}
	for word, ledgers := range map[string]Ledgers{
		"bitcoinsv": LedgerBSV, "litecoin": LedgerLTC, "dogecoin": LedgerDOGE, "digibyte": LedgerDGB, "verge": LedgerXVG,
		"bitcoingold": LedgerBTG, "komodo": LedgerKMD, "stratis": LedgerSTRAT,
		"ripple": LedgerXRP, "xrpledger": LedgerXRP, "ton": LedgerTON, "binance": LedgerBNB,
		"avalanche": LedgerAVAX | LedgerEVM, "kusama": LedgerKSM, "substrate": LedgerDOT | LedgerKSM | LedgerSubstrate,
		"cardano": LedgerADA, "web+cardano": LedgerADA, "filecoin": LedgerFIL, "sia": LedgerSC, "lisk": LedgerLSK | LedgerEVM,
	} {
		t[word] = scheme{ledgers: ledgers}
	}
	for word, ledgers := range namespaces {
		t[word] = scheme{ledgers: ledgers, namespace: word}
	}
	for word, chain := range evmNetworks {
		sc := t[word]
		sc.ledgers |= LedgerEVM
		sc.chain = chain
		t[word] = sc
	}
	for _, word := range [...]string{"lightning", "lnurl", "lnurlp", "lnurlw", "lnurlc", "keyauth"} {
		t[word] = scheme{form: formNoAddress}
	}
	for word := range strings.FieldsSeq(tickers) {
		if t[word].namespace == "" {
			t[word] = scheme{form: formTicker, chain: t[word].chain}
		}
	}
	return t
}()

// tickers are the symbols that publishers and exchanges print before an address.
// Some are short names of EVM networks or namespaces too.
const tickers = `xbt btc eth usdt trx xmr ltc bch bchabc dash zec btg etc bsv xvg usdc xrp arb bsc bnb sol doge neo
	iota dgb xlm algo ada kmd strat sc lsk iost ton dot ksm atom hbar xtz fil matic pol dai busd tusd
	usdp pyusd usdd usde usd1 fdusd eurc eurt eurs a7a5 xec op ftm shib link uni wbtc weth wbnb cro okb leo ht
	trc20 erc20 bep20 bep2 trc-20 erc-20 bep-20 trc10 omni spl
	usdt-trc20 usdt-erc20 usdt-bep20 usdt_trc20 usdt_erc20 usdt_bep20 usdttrc20 usdterc20 usdtbep20
	usdc-trc20 usdc-erc20 usdc_erc20`

// evmNetworks are the short names (ERC-3770) and the common names of EVM networks
// with their numbers, from https://github.com/ethereum-lists/chains.
var evmNetworks = map[string]uint64{
	"eth": 1, "sep": 11155111, "sepolia": 11155111, "gor": 5, "holesky": 17000, "hoodi": 560048,
	"oeth": 10, "optimism": 10, "cro": 25, "cronos": 25, "rsk": 30, "rootstock": 30, "trsk": 31,
	"bnb": 56, "bsc": 56, "etc": 61, "gno": 100, "gnosis": 100, "uni": 130, "unichain": 130,
	"matic": 137, "pol": 137, "polygon": 137, "sonic": 146, "opbnb": 204, "ftm": 250, "fantom": 250, "fraxtal": 252,
	"boba": 288, "zksync": 324, "zksync-era": 324, "wc": 480, "worldchain": 480, "metis-andromeda": 1088, "zkevm": 1101,
	"mbeam": 1284, "mriver": 1285, "sei": 1329, "ron": 2020, "ronin": 2020, "mnt": 5000, "mantle": 5000,
	"kaia": 8217, "klay-cypress": 8217, "base": 8453, "basesep": 84532, "mode": 34443,
	"arb1": 42161, "arbitrum": 42161, "arb-nova": 42170, "arbitrum-nova": 42170, "celo": 42220,
	"avax": 43114, "fuji": 43113, "ink": 57073, "linea": 59144, "bera": 80094, "berachain": 80094, "blast": 81457,
	"scr": 534352, "scroll": 534352, "zora": 7777777, "aurora": 1313161554, "harmony": 1666600000, "hmy-s0": 1666600000,
}
