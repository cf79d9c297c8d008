// Package ofac reads the lists of the Office of Foreign Assets Control of the US
// Treasury: the SDN List and the consolidated (non-SDN) lists, in every format
// that OFAC publishes them in, and what OFAC says of the changes between two
// publications.
//
// Parse and ParseConsolidated tell three XML formats apart by the root element.
// Each carries every digital currency address in a field of its own:
//
//   - SDN_ADVANCED.XML, CONS_ADVANCED.XML, root Sanctions: the United Nations'
//     Advanced Sanctions Data Model. Everything is a number that
//     ReferenceValueSets at its head explains; the numbers are OFAC's and are
//     resolved by name in each document. An address is the text of a VersionDetail
//     in a FeatureVersion in a Feature of a party's Profile. Reliability and
//     comments stand with it. Programs, legal bases and entry dates stand in
//     SanctionsEntries, behind all parties.
//   - SDN.XML, CONSOLIDATED.XML, root sdnList: a quarter of the size and flat. An
//     address is an id of an sdnEntry. It has no dates, no reliability and no
//     comments on a row.
//   - SDN_ENHANCED.XML, CONS_ENHANCED.XML, root sanctionsData: words instead of
//     numbers, and everything about a party within its entity. An address is the
//     value of a feature. It has one date for each list that the party is on, and
//     does not say which legal authority each date belongs to.
//
// They are documented on https://ofac.treasury.gov/sanctions-list-service, the
// fields of digital currency addresses in https://ofac.treasury.gov/faqs/563. What
// that does not say:
//
//   - Namespaces changed in spring 2024, and every tool that matched them went
//     empty without an error. Only local names count here.
//   - New symbols come without notice (BNB and SOL within 2025-11-19, DOGE in
//     July 2026). An address is what has a type that begins "Digital Currency
//     Address", whatever follows.
//   - The symbol is not the chain, an address may stand on two parties, twice on
//     one, and some are misprinted. Everything is kept as it is printed.
//   - The uid of an id in SDN.XML is the ID of the Feature in SDN_ADVANCED plus
//     100,000. Both are given as the Feature's ID, which stays the same for years.
//     The id of a feature in SDN_ENHANCED is taken to be that number, too; no
//     complete one has been compared.
//   - SDN.XML and SDN_ENHANCED print family names and names of entities in
//     capitals where SDN_ADVANCED has "Garantex". Letters are given as each format
//     prints them, in the script and the order of SDN.XML: but for the case of
//     letters a party has one name in all. SDN_ENHANCED and sdn.csv have a person
//     as "MUSTERMANN, Erika Maria", given here as "Erika Maria MUSTERMANN"; a weak
//     alias of a person has the comma in every format, and keeps it.
//   - An aka of SDN.XML has a uid, a lastName and a firstName, as its sdnEntry has.
//
// The consolidated lists come in the same formats. A party may be on the SDN List
// too, and either document then names all of its lists: what most entries are on
// decides which document it is. SDN.XML and CONSOLIDATED.XML do not name a list at
// all, and their programs are no sign either (RUSSIA-EO14024 is in both). They
// are read by Parse and ParseConsolidated alike, and only their size tells them
// apart: in 2026 SDN.XML has 19,000 entries and a thousand addresses,
// CONSOLIDATED.XML less than 500 entries and no address. To hold them to that is
// the caller's.
//
// ParseCSV reads sdn.csv, in which an address is an item of the prose in the
// remarks, and which is worth reading only when nothing else can be had:
//
//   - It has no header, "-0- " for nothing, programs joined by "] [", a lone SUB
//     (0x1A) as its last byte, no date, no ids, and aliases only in another file.
//   - Remarks are cut at exactly 1,000 characters, in the middle of an address, of
//     a label, before a blank. The rest stands in sdn_comments.csv and belongs
//     right behind, to the byte.
//
// ParseDelta reads a delta file, the changes of one publication, which Parse
// refuses: it is no complete state. ParseHistory reads which publications there
// were.
package ofac

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

const (
	// addressType begins the type of every digital currency address, in all
	// formats; " - " and the symbol follow.
	addressType = "Digital Currency Address"

	// sdnList is the name of the SDN List in the formats that name lists.
	sdnList = "SDN List"

	// sdnIDOffset is what an id's uid in SDN.XML is above the Feature's ID.
	sdnIDOffset = 100_000
)

// Parse reads one publication of the SDN List to its end. It fills PublishedOn,
// Records, Parties and Unexpected; list, digest and source are the caller's to
// set. Parties stand in document order.
//
// An error says the line and the element. Whatever could hide an address is one:
// a document that is cut short, a type that cannot be resolved, an address
// without text, a number of records other than announced. So is a document of
// another list, where the format names lists, and a delta file. A publication
// without any address is not: to judge that is the caller's.
func Parse(r io.Reader) (*screen.Publication, error) { return parse(r, false) }

// ParseConsolidated reads one publication of the consolidated lists, which are
// all of OFAC's lists but the SDN List, as Parse reads that. It refuses the SDN
// List, where the format names lists.
func ParseConsolidated(r io.Reader) (*screen.Publication, error) { return parse(r, true) }

func parse(r io.Reader, consolidated bool) (*screen.Publication, error) {
	s, err := begin(r)
	if err != nil {
		return nil, err
	}
	var format string
	var pub *screen.Publication
	switch string(s.Name) {
	case "Sanctions":
		format = "SDN_ADVANCED"
		pub, err = parseAdvanced(s, consolidated)
	case "sdnList":
		format = "SDN.XML"
		pub, err = parseSDN(s)
	case "sanctionsData":
		format = "SDN_ENHANCED"
		pub, err = parseEnhanced(s, consolidated)
	default:
		return nil, fmt.Errorf("ofac: line %d: root element <%.40s>, want <Sanctions> (SDN_ADVANCED), <sdnList> (SDN.XML) or <sanctionsData> (SDN_ENHANCED)",
			s.Line(), s.Name)
	}
	if err == nil {
		_, err = s.Next() // nothing but white space and comments, to the end of the input
	}
	if err != nil {
		return nil, fmt.Errorf("ofac: %s: %w", format, err)
	}
	pub.Unexpected = s.Unexpected()
	return pub, nil
}

// begin reads up to the start tag of the root.
func begin(r io.Reader) (*xmlstream.Scanner, error) {
	s := xmlstream.New(r)
	if t, err := s.Next(); err != nil {
		return nil, fmt.Errorf("ofac: %w", err)
	} else if t == xmlstream.EndDocument {
		return nil, fmt.Errorf("ofac: %w", s.Errorf("no root element"))
	}
	return s, nil
}

// A lists counts what lists the entries of a document are on. A party that is on
// the SDN List and on others has an entry for each in the documents of both.
type lists struct {
	consolidated bool // the document is to be of the other lists, not of the SDN List
	wanted, rest int
	others       []string // names of lists that were not wanted, the first few
}

// wants reports whether an entry on the list of that name is of the document.
func (l *lists) wants(name string) bool { return (name == sdnList) != l.consolidated }

// count counts an entry and reports whether it is of the document.
func (l *lists) count(name string) bool {
	if l.wants(name) {
		l.wanted++
		return true
	}
	l.rest++
	if name = fmt.Sprintf("%.80s", name); len(l.others) < 10 && !slices.Contains(l.others, name) {
		l.others = append(l.others, name)
	}
	return false
}

// check returns an error if most entries are on other lists.
func (l *lists) check(s *xmlstream.Scanner) error {
	switch {
	case l.wanted > l.rest || l.wanted > 0 && l.wanted == l.rest && !l.consolidated:
		return nil
	case l.wanted == 0 && l.rest == 0:
		return s.Errorf("no entry of the document is on a list")
	case l.consolidated:
		return s.Errorf("the document is of the SDN List: %d entries are on %q, %d on others", l.rest, l.others, l.wanted)
	}
	return s.Errorf("the document is of another list: %d entries are on the list %q, %d on %q", l.wanted, sdnList, l.rest, l.others)
}

// symbol reports whether typ, the name of a feature's or an id's type, is that
// of a digital currency address, and the symbol in it. Neither case nor a new way
// to write what follows may hide an address.
func symbol(typ string) (string, bool) {
	if len(typ) < len(addressType) || !strings.EqualFold(typ[:len(addressType)], addressType) {
		return "", false
	}
	_, symbol, _ := strings.Cut(typ[len(addressType):], " - ")
	return symbol, true
}

// partyType returns the type that a publisher's word names; a word for something
// that is none of ours, as "Location" would be, names none.
func partyType(word string) screen.PartyType {
	t, err := screen.ParsePartyType(strings.ToLower(word))
	if err != nil {
		return screen.PartyUnspecified
	}
	return t
}

// partyURL returns OFAC's page about a party.
func partyURL(uid string) string {
	return "https://sanctionssearch.ofac.treas.gov/Details.aspx?id=" + uid
}

// joinNames joins the names that are not empty with sep.
func joinNames(sep string, names ...string) string {
	var b strings.Builder
	for _, n := range names {
		if n != "" {
			if b.Len() > 0 {
				b.WriteString(sep)
			}
			b.WriteString(n)
		}
	}
	return b.String()
}

// givenFirst writes the name of a person, "MUSTERMANN, Erika Maria", with the
// given names first. A suffix stands behind those: "REYES, Luis, Jr.".
func givenFirst(name string) string {
	family, given, ok := strings.Cut(name, ", ")
	if !ok {
		return name
	}
	return joinNames(" ", given, family)
}

// moment reads a date and time as OFAC prints them: with the offset from UTC or
// without, and then without fraction or with.
func moment(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1000 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q, want a date and time such as 2025-11-04T00:00:00", text)
}
