package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"walletscreen/screen/address"
)

type addressCmd struct {
	Texts []string `arg:"" name:"text" help:"Texts to explain. A single - reads them from standard input, one a line, as they stand there."`

	Format string `enum:"table,json" default:"table" help:"Format of the answer: ${enum}."`
}

// Help is the part of the manual that belongs to no flag.
func (addressCmd) Help() string {
	return `Shows what a text is taken for before it is looked up: the accounts it can mean, how each is written, and what stands against an answer. No list is asked.

Exit codes: 0 every text reads cleanly; 12 one cannot be screened; 1 failure; 2 usage.`
}

func (c *addressCmd) Run(s std) error {
	texts := c.Texts
	if len(texts) == 1 && texts[0] == "-" {
		var err error
		if texts, err = readLines(s.in); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	if len(texts) == 0 {
		return usagef("no texts")
	}
	explained := make([]explanation, len(texts))
	exit := error(nil)
	for i, text := range texts {
		explained[i] = explain(text)
		if explained[i].Reason != "" {
			exit = exitCode(exitCannotScreen)
		}
	}
	out := bufio.NewWriter(s.out)
	var err error
	if c.Format == "json" {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(explained)
	} else {
		for i := range explained {
			explained[i].write(out, i)
		}
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return exit
}

// notShown stands for what may be a private key.
const notShown = "(not shown)"

// explanation is what one text is read as. The fields are the keys of the JSON.
type explanation struct {
	Text     string             `json:"text"`
	LookedAt string             `json:"looked_at,omitempty"` // normalized and unwrapped, if that is another text
	Answer   string             `json:"answer"`              // a sentence
	Reason   string             `json:"reason,omitempty"`    // why it cannot be screened
	Warnings []string           `json:"warnings,omitempty"`
	Remarks  []string           `json:"remarks,omitempty"` // the warnings as sentences
	Readings []explainedReading `json:"readings,omitempty"`
}

type explainedReading struct {
	Kind      string   `json:"kind"`
	Ledgers   []string `json:"ledgers"`
	Network   string   `json:"network"` // main or test
	Checked   bool     `json:"checked"` // by a checksum
	Payload   string   `json:"payload"` // hex
	Key       string   `json:"key"`
	Tag       string   `json:"tag,omitempty"`
	Canonical string   `json:"canonical,omitempty"`
	CAIP10    string   `json:"caip10,omitempty"`
}

func explain(text string) explanation {
	var p address.Parsed
	address.Parse(text, &p)
	readings := p.Readings()
	e := explanation{Text: text, Answer: answerSentence(len(readings)), Warnings: p.Warnings.Names()}
	if p.Text != text {
		e.LookedAt = p.Text
	}
	if p.Reason != address.ReasonNone {
		e.Reason, e.Answer = p.Reason.String(), "It cannot be screened: "+reasonSentences[p.Reason]+"."
		if len(readings) > 0 {
			e.Answer += " What it can mean is looked up all the same, and reported if it is listed."
		}
	}
	for i := range address.WarningCount {
		if p.Warnings&(1<<i) != 0 {
			e.Remarks = append(e.Remarks, warningSentences[i])
		}
	}
	hidden := address.MayBeSecret(text)
	if hidden {
		e.Text, e.LookedAt = notShown, ""
	}
	for i := range readings {
		r := &readings[i]
		x := explainedReading{
			Kind: r.Kind().String(), Ledgers: r.Ledgers.Names(), Network: "main", Checked: !r.Unchecked,
			Payload: hex.EncodeToString(r.Payload()), Key: r.Key.String(), Tag: r.Tag, Canonical: r.Format(), CAIP10: r.CAIP10(),
		}
		if r.Testnet {
			x.Network = "test"
		}
		if hidden { // the payload may be the key itself
			x.Payload, x.Key, x.Canonical, x.CAIP10, x.Tag = notShown, notShown, "", "", ""
		}
		e.Readings = append(e.Readings, x)
	}
	return e
}

// write writes the explanation for a person, the n-th of several from 0.
func (e *explanation) write(w io.Writer, n int) {
	if n > 0 {
		fmt.Fprintln(w)
	}
	line := func(indent, name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s%-*s %s\n", indent, 12-len(indent), name+":", value)
		}
	}
	line("", "text", printable(e.Text))
	if e.Text == "" {
		fmt.Fprintln(w, "text:")
	}
	line("", "looked at", printable(e.LookedAt))
	line("", "answer", e.Answer)
	for _, r := range e.Remarks {
		line("", "warning", r+".")
	}
	for i, r := range e.Readings {
		fmt.Fprintf(w, "reading %d\n", i+1)
		line("  ", "kind", r.Kind+", "+kindSentences[r.Kind])
		line("  ", "ledgers", strings.Join(r.Ledgers, ", "))
		line("  ", "network", r.Network)
		if r.Checked {
			line("  ", "checked", "yes, by the checksum of the text")
		} else {
			line("  ", "checked", "no, this form has no checksum that shows a mistyped character")
		}
		line("  ", "payload", r.Payload)
		line("  ", "key", r.Key)
		line("  ", "tag", printable(r.Tag))
		line("  ", "canonical", printable(r.Canonical))
		line("  ", "CAIP-10", printable(r.CAIP10))
	}
}

func answerSentence(readings int) string {
	if readings == 1 {
		return "It reads cleanly, as one account."
	}
	return fmt.Sprintf("It reads cleanly, as any of %d accounts. All are looked up.", readings)
}

// reasonSentences say what each reason of package address means.
var reasonSentences = [address.ReasonCount]string{
	address.ReasonEmpty:               "nothing is left of the text without white space, quotes and invisible characters",
	address.ReasonTooLong:             "the text is longer than any address",
	address.ReasonInvalidText:         "the text is not valid UTF-8",
	address.ReasonChecksum:            "the checksum does not verify, so a character is mistyped, missing or in the wrong case",
	address.ReasonMalformed:           "it resembles an address and is not one, for its length, its letter case or what stands beside it",
	address.ReasonNonASCII:            "it holds letters that no address has, though they may look like those of one",
	address.ReasonAmbiguous32Byte:     "32 bytes in hex can be a transaction hash, a private key or an account",
	address.ReasonUnsupportedNetwork:  "it is of a network that is not known here, or says so",
	address.ReasonNameNeedsResolution: "it is a name, and only its registry tells today's address: ask for the address",
	address.ReasonExtendedKey:         "it is an extended public key or a descriptor, which stands for many addresses: ask for the address",
	address.ReasonNotAnAddress:        "it is no address but an invoice, a payment code, a user or an account number",
	address.ReasonSecretMaterial:      "it looks like a private key or a recovery phrase. Whoever sees one can take the funds: tell its owner, and delete it",
	address.ReasonSeveralAddresses:    "it holds more than one address: ask for each of them alone",
	address.ReasonUnrecognized:        "it is of no form that is known here",
}

// warningSentences say what each warning of package address means, by its bit.
var warningSentences = [address.WarningCount]string{
	"White space, invisible or full-width characters, quotes or brackets were removed",
	"The letter case of the hex digits is no valid checksum (EIP-55)",
	"Bech32 is never of mixed letter case",
	"It is an address of a test network, where nothing has value",
	"Letters of other scripts were taken for the Latin ones that they look like, which may be a mistake or a deception",
	"The address was taken out of a URI, an account id or a text that begins with a ticker",
}

// kindSentences say what each kind of package address is, by its name.
var kindSentences = map[string]string{
	"evm": "an account of Ethereum and of every network of its kind", "tron": "an account of Tron",
	"p2pkh": "the hash of a public key", "p2sh": "the hash of a script", "wpkh": "the hash of a public key, segwit",
	"wsh": "the hash of a script, segwit", "tr": "a taproot key", "witness": "another segwit output",
	"xrp": "an account of the XRP Ledger", "stellar": "an account of Stellar", "stellar-contract": "a contract of Stellar",
	"stellar-pool": "a liquidity pool of Stellar", "stellar-balance": "a claimable balance of Stellar",
	"monero": "an address of Monero", "monero-sub": "a subaddress of Monero, which nothing links to its main address",
	"solana": "an account of Solana", "ton": "an account of TON", "ton-master": "an account of TON's masterchain",
	"ton-other": "an account of another workchain of TON", "account": "an account with a prefix, of Cosmos, BNB Beacon Chain or Avalanche",
	"ss58": "an account of Polkadot's kind", "cardano": "an address of Cardano", "algorand": "an account of Algorand",
	"hedera": "an account of Hedera", "near": "an account of NEAR", "sapling": "a shielded receiver of Zcash",
	"orchard": "a shielded receiver of Zcash", "tezos": "an account of Tezos", "filecoin": "an account of Filecoin",
	"sia": "an address of Sia", "lisk": "a legacy account of Lisk", "public-key": "a public key, no address, read to find its addresses",
	"unified": "a unified address of Zcash", "cashaddr": "a cashaddr with a longer hash",
}
