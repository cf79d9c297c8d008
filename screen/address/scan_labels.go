package address

// Labels are what publishers print before an address: a symbol (XBT, USDT) or
// the name of a network. A label is kept as printed. It never decides what an
// address is; it only lets the scanner read the formats that have no checksum,
// and tells a reader when the two disagree.

// labelLedgers maps symbols, in upper case, and names, in lower case where a
// script has cases, to the ledgers they speak of; no ledger means that the asset lives on too many to say.
// The set of symbols in print is open-ended: one that is not here is a label all
// the same where it stands as "XYZ:" right before an address.
var labelLedgers = map[string]Ledgers{
	"BTC": LedgerBTC, "XBT": LedgerBTC, "bitcoin": LedgerBTC,
	"BCH": LedgerBCH, "bitcoin cash": LedgerBCH, "BSV": LedgerBSV, "bitcoin sv": LedgerBSV,
	"BTG": LedgerBTG, "bitcoin gold": LedgerBTG, "XEC": LedgerXEC, "ecash": LedgerXEC,
	"LTC": LedgerLTC, "litecoin": LedgerLTC, "DOGE": LedgerDOGE, "dogecoin": LedgerDOGE,
	"DGB": LedgerDGB, "digibyte": LedgerDGB, "XVG": LedgerXVG, "verge": LedgerXVG, "DASH": LedgerDASH, "dash": LedgerDASH,
	"KMD": LedgerKMD, "komodo": LedgerKMD, "STRAT": LedgerSTRAT, "stratis": LedgerSTRAT, "ZEC": LedgerZEC, "zcash": LedgerZEC,

	"ETH": LedgerEVM, "ethereum": LedgerEVM, "ether": LedgerEVM, "ETC": LedgerEVM, "ethereum classic": LedgerEVM,
	"erc20": LedgerEVM, "bep20": LedgerEVM, "BSC": LedgerEVM, "ARB": LedgerEVM, "arbitrum": LedgerEVM,
	"OP": LedgerEVM, "optimism": LedgerEVM, "MATIC": LedgerEVM, "POL": LedgerEVM, "polygon": LedgerEVM, "BASE": LedgerEVM,
	"FTM": LedgerEVM, "fantom": LedgerEVM, "RBTC": LedgerEVM, "rootstock": LedgerEVM,
	"BNB": LedgerEVM | LedgerBNB, "binance": LedgerEVM | LedgerBNB, "binance chain": LedgerBNB, "bep2": LedgerBNB,
	"AVAX": LedgerEVM | LedgerAVAX, "avalanche": LedgerEVM | LedgerAVAX,
	"TRX": LedgerTron, "tron": LedgerTron, "trc20": LedgerTron,
	"USDT": 0, "tether": 0, "USDC": 0, "BUSD": 0, "DAI": 0, "A7A5": 0,

	"XRP": LedgerXRP, "ripple": LedgerXRP, "XLM": LedgerXLM, "stellar": LedgerXLM, "XMR": LedgerXMR, "monero": LedgerXMR,
	"SOL": LedgerSOL, "solana": LedgerSOL, "TON": LedgerTON, "toncoin": LedgerTON,
	"ATOM": LedgerCosmos, "cosmos": LedgerCosmos, "OSMO": LedgerCosmos, "osmosis": LedgerCosmos,
	"DOT": LedgerDOT | LedgerSubstrate, "polkadot": LedgerDOT | LedgerSubstrate,
	"KSM": LedgerKSM | LedgerSubstrate, "kusama": LedgerKSM | LedgerSubstrate,
	"ADA": LedgerADA, "cardano": LedgerADA, "ALGO": LedgerALGO, "algorand": LedgerALGO,
	"HBAR": LedgerHBAR, "hedera": LedgerHBAR, "NEAR": LedgerNEAR, "near": LedgerNEAR,
	"XTZ": LedgerXTZ, "tezos": LedgerXTZ, "FIL": LedgerFIL, "filecoin": LedgerFIL,
	"SC": LedgerSC, "sia": LedgerSC, "siacoin": LedgerSC, "LSK": LedgerLSK, "lisk": LedgerLSK,
	"IOST": LedgerOther, "EOS": LedgerOther, "NEO": LedgerOther, "IOTA": LedgerOther,

	// As Japan's publishers write them.
	"ビットコイン": LedgerBTC, "ビットコインキャッシュ": LedgerBCH, "ライトコイン": LedgerLTC, "ドージコイン": LedgerDOGE,
	"イーサリアム": LedgerEVM, "イーサリアムクラシック": LedgerEVM, "トロン": LedgerTron, "テザー": 0,
	"リップル": LedgerXRP, "モネロ": LedgerXMR, "ソラナ": LedgerSOL, "カルダノ": LedgerADA,
}

// KnownSymbol reports whether a symbol as a publisher prints it ("XBT") is one
// that this package knows a ledger or a token by.
func KnownSymbol(symbol string) bool {
	_, ok := labelLedgers[symbol]
	return ok
}

// maxLabel is longer than every key of labelLedgers, in bytes.
const maxLabel = 40

// labelStrength says how sure it is that a word is a label.
type labelStrength uint8

const (
	labelNone   labelStrength = iota
	labelName                 // the name of a network or token standard, which often explains a symbol
	labelSymbol               // a symbol
)

// labelOf looks word up: a symbol must stand in capitals, for in small letters
// many are words of prose, unless colon says that a colon follows.
func labelOf(word string, colon bool) (Ledgers, labelStrength) {
	if len(word) < 2 || len(word) > maxLabel {
		return 0, labelNone
	}
	if ledgers, ok := labelLedgers[word]; ok && shapeOf(word).has(classUpper) {
		return ledgers, labelSymbol
	}
	var room [maxLabel]byte
	small := room[:len(word)]
	for i := range small {
		small[i] = lower(word[i])
	}
	if ledgers, ok := labelLedgers[string(small)]; ok {
		return ledgers, labelName
	}
	if colon {
		for i := range small {
			if c := small[i]; 'a' <= c && c <= 'z' {
				small[i] = c &^ 0x20
			}
		}
		if ledgers, ok := labelLedgers[string(small)]; ok {
			return ledgers, labelSymbol
		}
	}
	return 0, labelNone
}

// betweenWords are the words that may stand between a label and its address.
var betweenWords = map[string]bool{
	"address": true, "addresses": true, "wallet": true, "wallets": true, "account": true, "accounts": true,
	"network": true, "smart": true, "chain": true, "blockchain": true, "mainnet": true, "token": true, "tokens": true, "coin": true, "crypto": true,
	"number": true, "id": true, "no": true, "is": true, "are": true, "and": true, "the": true, "as": true, "follows": true, "on": true,
	"adresse": true, "adresses": true, "portefeuille": true, "portefeuilles": true, "et": true,
	"アドレス": true, "ウォレット": true, "ウォレットアドレス": true, "仮想通貨": true, "仮想通貨アドレス": true, "暗号資産": true, "暗号資産アドレス": true,
}

// betweenWord reports whether word may stand between a label and its address, as
// may the numbers of a list.
func betweenWord(word string) bool {
	if len(word) <= 3 && shapeOf(word).only(classDigit) {
		return true
	}
	if len(word) > maxLabel {
		return false
	}
	var room [maxLabel]byte
	small := room[:len(word)]
	for i := range small {
		small[i] = lower(word[i])
	}
	return betweenWords[string(small)]
}
