package screen

import (
	"encoding/hex"
	"fmt"
	"time"
)

// ListID names a list: "us-ofac-sdn". Lower-case letters, digits and hyphens.
type ListID string

// Kind says what being on a list means in law.
type Kind uint8

const (
	KindUnspecified  Kind = iota // never in a snapshot
	KindDesignation              // a legal act that names the party
	KindSeizureOrder             // an order to seize what is held at the address
	KindInternal                 // the operator's own list
	KindAdvisory                 // an attribution that binds nobody: FBI notices, community data
)

// Binding reports whether a match on a list of this kind is LISTED rather than
// ADVISORY.
func (k Kind) Binding() bool {
	return k == KindDesignation || k == KindSeizureOrder || k == KindInternal
}

var kindNames = [...]string{"", "designation", "seizure-order", "internal", "advisory"}

// String returns the kind as it stands in snapshots and on the command line.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind is the reverse of Kind.String. The zero Kind has no name.
func ParseKind(s string) (Kind, error) {
	for k := KindDesignation; int(k) < len(kindNames); k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown list kind %q", s)
}

// PartyType says what a designated party is.
type PartyType uint8

const (
	PartyUnspecified PartyType = iota // the publisher does not say
	PartyIndividual
	PartyEntity
	PartyVessel
	PartyAircraft
)

var partyTypeNames = [...]string{"", "individual", "entity", "vessel", "aircraft"}

// String returns the type in lower case, "" when unspecified.
func (t PartyType) String() string {
	if int(t) < len(partyTypeNames) {
		return partyTypeNames[t]
	}
	return fmt.Sprintf("party-type(%d)", uint8(t))
}

// ParsePartyType is the reverse of PartyType.String; "" is PartyUnspecified.
func ParsePartyType(s string) (PartyType, error) {
	for i, n := range partyTypeNames {
		if n == s {
			return PartyType(i), nil
		}
	}
	return 0, fmt.Errorf("unknown party type %q", s)
}

// Digest is a SHA-256 digest.
type Digest [32]byte

// String returns the digest in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether the digest is not set.
func (d Digest) IsZero() bool { return d == Digest{} }

// ParseDigest is the reverse of Digest.String.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) {
		return d, fmt.Errorf("digest %q is not 64 hex digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil || hex.EncodeToString(d[:]) != s {
		return Digest{}, fmt.Errorf("digest %q is not 64 lower-case hex digits", s)
	}
	return d, nil
}

// List is what is constant about a list.
type List struct {
	ID        ListID
	Kind      Kind
	Authority string // who publishes it: "OFAC"
	Name      string // "Specially Designated Nationals and Blocked Persons List"
	URL       string // the publisher's page about it
}

// A Publication is one issue of one list, as a parser reads it: every party
// that carries an address, and no other. It is the complete state of the list
// on its date, never a difference.
type Publication struct {
	List        ListID
	PublishedOn Date   // the publisher's date; does not identify the publication
	Digest      Digest // SHA-256 of the document, decompressed: this does
	Records     int    // entries in the document, with and without addresses
	Parties     []PublishedParty

	// Unexpected counts what the document holds and its parser has no rule for, by
	// a short description for operators: "element sdnList/sdnEntry/newList". It is
	// not part of any snapshot. Descriptions never hold an address.
	Unexpected map[string]int
	// Incomplete says why the document cannot hold the whole list, for operators; ""
	// if its parser knows of nothing that is missing.
	Incomplete string
}

// A Verification says how the newest publication of a list in a snapshot stands
// to what its publisher offers. It belongs to one installation, not to the content
// of a snapshot.
type Verification struct {
	// At is when the publication was last compared with what its publisher offers
	// and found to be that; zero if never. It stands still while another one is Held.
	At      time.Time
	Source  string    // where the document was read: a URL, a file's name
	Fetched []Fetched // what the publisher's servers said of the documents; nil if nothing
	Held    *Held     // a publication that a guard stopped; nil if none
	// ReadBy is the version of the program that read the publication last; "" when that
	// is not known. Another may read more out of the same document.
	ReadBy string
}

// Fetched is what a publisher's server said of a document, to ask next time
// whether it changed.
type Fetched struct {
	URL          string    // without credentials and query
	ETag         string    // as the server sent it, quotes included; "" when it sent none
	LastModified string    // as the server sent it; "" when it sent none
	At           time.Time // when the document was last read whole
	Digest       Digest    // SHA-256 of the document as read, decompressed
}

// Held is what is known of a publication that a guard stopped, or that an operator
// took back: the snapshot still holds the one before it, or none of the list when it
// is the first.
type Held struct {
	Since       time.Time // when a guard first stopped it, or it was taken back
	PublishedOn Date      // the publisher's date
	Digest      Digest    // SHA-256 of the document, decompressed
	Source      string    // where the document was read
	Why         string    // for people, in one line; never an address

	// RolledBack is the number of the snapshot that an operator took back, and this
	// publication with it, by a rollback; 0 when a guard stopped it.
	RolledBack uint64

	// How many rows it would change; Amended counts parties, too.
	Listed, Delisted, Amended int
}

// TakenBack is a publication that an operator took back by a rollback. It is not
// published again unless it is released.
type TakenBack struct {
	List        ListID
	Publication PublicationRecord
	Snapshot    uint64 // number of the snapshot that was taken back with it
}

// A PublishedParty is one party with the addresses that a publication prints
// for it.
type PublishedParty struct {
	UID       string // the authority's own identifier of the entry: "22985"
	Facts     Facts
	Addresses []PublishedAddress // at least one, in document order, repeats included
}

// Facts are what a publication says of a party. Two publications of one list
// may differ in them: programs are added and dropped while a party stays listed.
type Facts struct {
	Name     string // as published; a person's given names first, then the family name
	Type     PartyType
	Aliases  []Alias
	Programs []string     // as published, in the publisher's order: "DPRK4"
	Entries  []EntryEvent // acts that put the party on the list; nil when the format cannot say
	URL      string       // the publisher's page about the party, if there is one
}

// An Alias is another name of a party.
type Alias struct {
	Name string
	Type string // "a.k.a.", "f.k.a.", "n.k.a."
	Weak bool   // the publisher marks it as a weak (low quality) alias
}

// An EntryEvent is an act that put a party on the list. Its date is the
// party's: an address may have been added to the entry years later.
type EntryEvent struct {
	On         Date
	LegalBasis string // "Executive Order 13810 (North Korea)"
}

// A PublishedAddress is one address row of a party.
type PublishedAddress struct {
	Text        string   // as published, not trimmed, not canonicalized
	Symbol      string   // as published: "XBT", "USDT"; not the chain, not identity
	Tag         string   // destination tag or memo, when the publisher prints one
	SourceIDs   []string // the publisher's ids of the row; nil when the format cannot say
	Reliability string   // the publisher's word on reliability: "Confirmed"; "" when none
	Comment     string   // the publisher's remark on this row

	// Kind is what being listed by this row means, where a list mixes kinds; 0 is
	// the kind of the list. It is part of what the row is: a row that turns from
	// one kind to another ends, and another begins.
	Kind Kind

	// The row's own interval [ListedOn, DelistedOn), for lists that print one.
	// Zero means that the dates of the publications decide.
	ListedOn, DelistedOn Date
}

// check refuses a row of a kind that there is not, and one that would never
// count, by its own dates.
func (a *PublishedAddress) check() error {
	if a.Kind != KindUnspecified {
		if _, err := ParseKind(a.Kind.String()); err != nil {
			return err
		}
	}
	if a.DelistedOn != 0 && a.DelistedOn < a.ListedOn {
		return fmt.Errorf("printed end %s before the start %s", a.DelistedOn, a.ListedOn)
	}
	return nil
}

// Validate reports whether an id can be a list's: 1 to 64 lower-case letters,
// digits and hyphens.
func (id ListID) Validate() error {
	if len(id) < 1 || len(id) > 64 {
		return fmt.Errorf("list id of %d characters, want 1 to 64", len(id))
	}
	for _, c := range []byte(id) {
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return fmt.Errorf("list id %q: only lower-case letters, digits and hyphens", string(id))
		}
	}
	return nil
}
