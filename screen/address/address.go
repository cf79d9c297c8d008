// Package address turns the text of a digital currency address into its
// readings: the accounts it can plausibly mean, each under one canonical key.
//
// The loader and the server use this package and nothing else to decide
// whether two texts mean the same account, so a listed address and a query for
// it always meet on the same key, however each was written. The ticker that a
// publisher prints beside an address never takes part: the encoding decides.
//
// Parse is the entry. It allocates nothing for the common families, never
// panics, and takes time linear in the length of the text, which is capped at
// MaxTextBytes. Scan finds the addresses in the free text of a publisher, and
// MayBeSecret tells what no log, terminal or file may carry.
//
// Each family has a file of its own that says what the format is and where it is
// specified:
//
//   - hex digits: EVM with its ICAP form and ERC-7930 (evm.go, icap.go,
//     interoperable.go), Tron, NEAR, Sia, and public keys, which are related to the
//     addresses made of them
//   - base58: Bitcoin and its relatives (bitcoin.go, zcash_transparent.go), Tron,
//     Tezos, the XRP Ledger, Monero, Solana, Substrate chains (ss58.go), Cardano's
//     Byron addresses
//   - bech32 and its kin: segwit, cashaddr, Zcash's other addresses
//     (zcash_unified.go), Cardano, the Cosmos SDK with BNB Beacon Chain, Avalanche
//   - base 32 and 64: Stellar, Algorand, Filecoin, TON
//   - decimal: Hedera, Lisk
//
// What wraps an address, URIs and account ids, is in uri.go, schemes.go and
// network.go; families.go is where a text is offered to the families.
package address

// MaxTextBytes is the longest text that Parse looks at, in bytes. Longer texts
// get ReasonTooLong. OFAC's own field for an address is 256 characters wide
// (FAQ 563).
const MaxTextBytes = 512

// Kind says what the payload of a reading is. Together with the payload it
// decides identity: two readings mean the same account only if both are equal.
// The numbers are part of Key, and so of what a store holds; they never change.
type Kind uint8

const (
	KindNone  Kind = 0
	KindEVM   Kind = 1 // 20 bytes: an account of an EVM chain, without chain id
	KindTron  Kind = 2 // 20 bytes: a Tron account, without the 0x41 prefix
	KindP2PKH Kind = 3 // 20 bytes: hash160 of a public key
	KindP2SH  Kind = 4 // 20 bytes: hash160 of a script
	KindWPKH  Kind = 5 // 20 bytes: segwit v0 key hash
	KindWSH   Kind = 6 // 32 bytes: segwit v0 script hash, SHA-256
	KindTR    Kind = 7 // 32 bytes: taproot output key, segwit v1

	// KindWitness is every other segwit output: 32 bytes, SHA-256 of the witness
	// version and the program, because a program of 40 bytes has no room in a Key.
	KindWitness Kind = 8

	KindXRP             Kind = 9  // 20 bytes: account id of the XRP Ledger
	KindStellar         Kind = 10 // 32 bytes: Ed25519 key of a Stellar account
	KindStellarContract Kind = 11 // 32 bytes: contract id
	KindStellarPool     Kind = 12 // 32 bytes: liquidity pool id
	KindStellarBalance  Kind = 13 // 32 bytes: SHA-256 of a claimable balance's type and id
	KindMonero          Kind = 14 // 32 bytes: SHA-256 of spend and view key
	KindMoneroSub       Kind = 15 // 32 bytes: the same of a subaddress, which nothing links to its main address
	KindSolana          Kind = 16 // 32 bytes: account key
	KindTON             Kind = 17 // 32 bytes: account id in the basechain, workchain 0
	KindTONMaster       Kind = 18 // 32 bytes: account id in the masterchain, workchain -1
	KindTONOther        Kind = 19 // 32 bytes: SHA-256 of the workchain (4 bytes, big-endian) and the account id
	KindAccount         Kind = 20 // 32 bytes: SHA-256 of prefix, zero byte and account id of a bech32 account (Cosmos SDK, BNB Beacon, Avalanche ...)
	KindSS58            Kind = 21 // 32 bytes: account key of Substrate chains
	KindCardano         Kind = 22 // 32 bytes: SHA-256 of the address's bytes, Shelley or Byron without its CRC-32
	KindAlgorand        Kind = 23 // 32 bytes: Ed25519 key or hash
	KindHedera          Kind = 24 // 24 bytes: shard, realm and number, 8 bytes each, big-endian
	KindNEAR            Kind = 25 // 32 bytes: Ed25519 key of an implicit account
	KindSapling         Kind = 26 // 32 bytes: SHA-256 of the Sapling receiver of a zs address
	KindOrchard         Kind = 27 // 32 bytes: SHA-256 of an Orchard receiver that is all of a unified address
	KindTezos           Kind = 28 // 32 bytes: SHA-256 of the version bytes and the hash
	KindFilecoin        Kind = 29 // 32 bytes: SHA-256 of the protocol byte and the payload
	KindSia             Kind = 30 // 32 bytes: unlock hash
	KindLisk            Kind = 31 // 8 bytes: the number of a legacy address, big-endian
	KindPublicKey       Kind = 32 // 32 bytes: SHA-256 of a compressed secp256k1 key: no address, read to be related
	KindUnified         Kind = 33 // 32 bytes: SHA-256 of a unified address of Zcash, in lower case
	KindCashaddr        Kind = 34 // 32 bytes: SHA-256 of output type and hash of a cashaddr whose hash is not of 20 bytes

	KindCount = 35 // kinds are 0 to KindCount-1
)

// Key is the canonical key of an account: the kind byte followed by the
// payload, padded with zeros. Identity is decided on it alone.
type Key [33]byte

// Ledgers is the set of ledgers on which a text is an address. One text may be
// valid on several: `1...` is an address of Bitcoin, Bitcoin Cash and Bitcoin SV.
type Ledgers uint64

const (
	LedgerEVM       Ledgers = 1 << iota // every EVM chain
	LedgerTron                          // Tron
	LedgerBTC                           // Bitcoin
	LedgerBCH                           // Bitcoin Cash
	LedgerBSV                           // Bitcoin SV
	LedgerLTC                           // Litecoin
	LedgerDOGE                          // Dogecoin
	LedgerDGB                           // DigiByte
	LedgerXVG                           // Verge
	LedgerDASH                          // Dash
	LedgerBTG                           // Bitcoin Gold
	LedgerKMD                           // Komodo
	LedgerSTRAT                         // Stratis
	LedgerZEC                           // Zcash
	LedgerXEC                           // eCash
	LedgerXRP                           // XRP Ledger
	LedgerXLM                           // Stellar
	LedgerXMR                           // Monero
	LedgerSOL                           // Solana
	LedgerTON                           // TON
	LedgerCosmos                        // every chain of the Cosmos SDK
	LedgerBNB                           // BNB Beacon Chain
	LedgerAVAX                          // Avalanche X, P and C in bech32
	LedgerDOT                           // Polkadot
	LedgerKSM                           // Kusama
	LedgerSubstrate                     // every other Substrate chain
	LedgerADA                           // Cardano
	LedgerALGO                          // Algorand
	LedgerHBAR                          // Hedera
	LedgerNEAR                          // NEAR
	LedgerXTZ                           // Tezos
	LedgerFIL                           // Filecoin
	LedgerSC                            // Sia
	LedgerLSK                           // Lisk
	LedgerOther                         // a ledger of the long tail, told by its text
	LedgerUnknown                       // a ledger that nothing is known of: two such texts need not be of the same

	LedgerCount = iota // ledgers are the bits 0 to LedgerCount-1
)

// A Reading is one account that a text can mean.
type Reading struct {
	Key     Key
	Ledgers Ledgers
	Testnet bool // the text names a test network; its account is no main network account

	// Unchecked says that the encoding has no checksum that could have shown a
	// mistyped character: single-case hex, Solana.
	Unchecked bool
	// Tag is the destination tag, memo or sub-account id that the text carries
	// within a pooled account, as decimal digits or text; "" when it carries none.
	// It takes no part in Key.
	Tag string

	// related holds the hashes under which the reading meets related accounts and
	// which its payload does not tell, those set first.
	related [maxRelated]Hash
}

// maxRelated is the most hashes that a family notes with relate: those of a
// public key, compressed, uncompressed and by Keccak.
const maxRelated = 3

// Kind returns what the payload is.
func (r *Reading) Kind() Kind { return Kind(r.Key[0]) }

// A Space keeps hashes of different making apart: equal bytes in two spaces
// mean nothing.
type Space uint8

const (
	SpaceKeyHash    Space = 1 // hash160 of a public key
	SpaceScriptHash Space = 2 // hash160 of a script
	SpaceKeccak     Space = 3 // last 20 bytes of Keccak-256 of a public key
	SpaceKey        Space = 4 // 32-byte public key, Ed25519 and its kin
	SpaceCardano    Space = 5 // 28-byte hash of a Cardano payment or stake credential
	SpaceShielded   Space = 6 // SHA-256 of a shielded receiver of Zcash
	SpaceTON        Space = 7 // 32-byte account id of TON in any workchain

	SpaceCount = 8 // spaces are 1 to SpaceCount-1
)

// Hash is a key, key hash or script hash in its space, padded with zeros: the
// key of the look-up for related accounts, those of the same key or script in
// another form or on another ledger.
type Hash [33]byte

// Reason says why a text cannot be screened from the text alone. Values from 64
// on belong to package screen. The zero value means that nothing stands against
// an answer.
type Reason uint8

const (
	ReasonNone                Reason = 0
	ReasonEmpty               Reason = 1  // nothing left after trimming
	ReasonTooLong             Reason = 2  // over MaxTextBytes, or longer than any encoding it could be
	ReasonInvalidText         Reason = 3  // not valid UTF-8
	ReasonChecksum            Reason = 4  // the checksum does not verify
	ReasonMalformed           Reason = 5  // wrong length, mixed-case bech32, wrong bech32 variant ...
	ReasonNonASCII            Reason = 6  // letters outside ASCII are left after normalization
	ReasonAmbiguous32Byte     Reason = 7  // 64 hex digits: transaction hash, key or account
	ReasonUnsupportedNetwork  Reason = 8  // checksum holds, version byte or prefix unknown
	ReasonNameNeedsResolution Reason = 9  // ENS name and the like
	ReasonExtendedKey         Reason = 10 // xpub and descriptors: one key, many addresses
	ReasonNotAnAddress        Reason = 11 // invoice, payment code, account number of an exchange
	ReasonSecretMaterial      Reason = 12 // shape of a private key or seed phrase: never echo, never log
	ReasonSeveralAddresses    Reason = 13 // more than one address in the text
	ReasonUnrecognized        Reason = 14 // no encoding that this package knows

	ReasonCount = 15 // reasons of this package are 0 to ReasonCount-1
)

// Warnings is a set of remarks on a text that was read all the same.
type Warnings uint16

const (
	WarnNormalized   Warnings = 1 << iota // white space, invisible or full-width characters or quotes were removed
	WarnChecksumCase                      // EVM letter case is neither plain nor a valid EIP-55 checksum
	WarnMixedCase                         // bech32 in mixed case; the lower-cased form verifies
	WarnTestnet                           // the text is an address of a test network
	WarnHomoglyph                         // letters of other scripts were taken for the Latin ones they look like
	WarnURI                               // the address was taken out of a URI or an account id

	WarningCount = iota // warnings are the bits 0 to WarningCount-1
)

// MaxReadings is the most readings one text has.
const MaxReadings = 6

// MaxHashes is the most hashes that Reading.AppendHashes adds.
const MaxHashes = 4

// Parsed is what Parse made of a text. It is meant to be reused from text to
// text by one goroutine; Parse overwrites all of it.
//
// Readings may be present although Reason is set (an EVM address whose mixed
// case is no valid checksum): they are there to be looked up, because a listed
// account is reported however badly it is written; but only a text with
// Reason == ReasonNone and at least one reading may be called not listed.
type Parsed struct {
	// Text is the text as looked at: trimmed and normalized. It is empty with
	// ReasonTooLong and ReasonInvalidText. With ReasonSecretMaterial it may be a
	// private key: no log, error or answer may carry it.
	Text     string
	Reason   Reason
	Warnings Warnings

	readings [MaxReadings]Reading
	n        int
}

// Readings returns the readings found, none for a text that no codec reads.
// The slice is valid until the next Parse into p.
func (p *Parsed) Readings() []Reading { return p.readings[:p.n] }

// add notes one reading and returns it for the family to complete.
func (p *Parsed) add(kind Kind, payload []byte, ledgers Ledgers, testnet bool) *Reading {
	r := p.room()
	*r = Reading{Ledgers: ledgers, Testnet: testnet}
	r.Key[0] = byte(kind)
	copy(r.Key[1:], payload)
	if testnet {
		p.Warnings |= WarnTestnet
	}
	return r
}

// room makes room for one more reading.
func (p *Parsed) room() *Reading {
	if p.n == MaxReadings {
		// A reading that is not looked up must not end as "not listed".
		p.object(ReasonUnrecognized)
		return new(Reading)
	}
	p.n++
	return &p.readings[p.n-1]
}

// object notes what stands against an answer. The first objection is kept: the
// codec that recognized the text knows best what is wrong with it.
func (p *Parsed) object(why Reason) {
	if p.Reason == ReasonNone {
		p.Reason = why
	}
}
