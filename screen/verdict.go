package screen

import "walletscreen/screen/address"

// Verdict is the answer for one address. The zero value is no answer.
type Verdict uint8

const (
	VerdictUnspecified  Verdict = iota
	VerdictListed               // same account as, or text of, a current listing of a binding kind
	VerdictAdvisory             // the same, of advisory listings only
	VerdictRelated              // same key or script elsewhere, or other tag of a pooled account
	VerdictCannotScreen         // no reliable answer; Reason says why
	VerdictNotListed            // read cleanly, looked up everywhere, not found
)

// Reason says why an address cannot be screened. It takes in the reasons of
// package address, which lie in the text; those here lie in the lists.
type Reason = address.Reason

const (
	ReasonStale         Reason = 64 // a list asked for is older than allowed
	ReasonNotLoaded     Reason = 65 // a list asked for is not in the snapshot
	ReasonBeforeHistory Reason = 66 // the date asked about is earlier than the history of a list
)

// Warnings is a set of remarks on one address: the lower bits are those of
// package address.
type Warnings uint32

// WarnNetworkMismatch says that the address, or the listing it matches, is not
// one of the network that the query names.
const WarnNetworkMismatch Warnings = 1 << 16

// Basis says why an address matches a listing; the lower the stronger.
type Basis uint8

const (
	BasisUnspecified           Basis = iota
	BasisExactText                   // the published text to the letter
	BasisSameAccount                 // another way of writing the same account
	BasisSameAccountOtherTag         // the same pooled account, another tag or none
	BasisSameKey                     // another address of the same key
	BasisSameScriptOtherLedger       // the same script on another ledger or in another form
)

// A Match is one listing behind a verdict.
type Match struct {
	Basis   Basis
	Listing *Listing
}

// A Result is the answer for one address. Screen overwrites all of it and uses
// the room of Matches again.
type Result struct {
	Verdict  Verdict
	Reason   Reason // why VerdictCannotScreen; beside Advisory and Related, why a stronger verdict cannot be ruled out
	Warnings Warnings
	Matches  []Match // strongest first; empty for CannotScreen and NotListed
}
