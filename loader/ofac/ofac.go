// Package ofac reads the lists of the Office of Foreign Assets Control of the US
// Treasury, in the two XML formats that carry every digital currency address in
// a field of its own. Parse tells them apart by the root element.
//
// SDN_ADVANCED.XML, root Sanctions: the format of the United Nations' Advanced
// Sanctions Data Model. Everything is a number that ReferenceValueSets at its
// head explains; the numbers are OFAC's and are resolved by name in each
// document. An address is the text of a VersionDetail in a FeatureVersion in a
// Feature of a party's Profile. Reliability and comments stand with it.
// Programs, legal bases and entry dates stand in SanctionsEntries, behind all
// parties.
//
// SDN.XML, root sdnList: a quarter of the size and flat. An address is an id of
// an sdnEntry. It has no dates, no reliability and no comments on a row.
//
// Both are documented on
// https://ofac.treasury.gov/sanctions-list-service, the fields of digital
// currency addresses in https://ofac.treasury.gov/faqs/563. What that does not say:
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
//   - SDN.XML prints family names and names of entities in capitals where
//     SDN_ADVANCED has "Garantex", and only the Latin script. Letters are given as
//     each format prints them, in the script and the order of SDN.XML: but for the
//     case of letters a party has one name in both.
//   - An aka of SDN.XML has a uid, a lastName and a firstName, as its sdnEntry has.
//   - The consolidated (non-SDN) lists come in the same two formats. SDN_ADVANCED
//     names its lists and is refused if none is the SDN List; SDN.XML does not.
package ofac

import (
	"fmt"
	"io"
	"strings"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

const (
	// addressType begins the type of every digital currency address, in both
	// formats; " - " and the symbol follow.
	addressType = "Digital Currency Address"

	// sdnIDOffset is what an id's uid in SDN.XML is above the Feature's ID.
	sdnIDOffset = 100_000
)

// Parse reads one publication to its end. It fills PublishedOn, Records and
// Parties; list, digest and source are the caller's to set. Parties stand in
// document order.
//
// An error says the line and the element. Whatever could hide an address is one:
// a document that is cut short, a type that cannot be resolved, an address
// without text, a number of records other than announced. A publication without
// any address is not: to judge that is the caller's.
func Parse(r io.Reader) (*screen.Publication, error) {
	s := xmlstream.New(r)
	if t, err := s.Next(); err != nil {
		return nil, fmt.Errorf("ofac: %w", err)
	} else if t == xmlstream.EndDocument {
		return nil, fmt.Errorf("ofac: %w", s.Errorf("no root element"))
	}
	var format string
	var parse func(*xmlstream.Scanner) (*screen.Publication, error)
	switch string(s.Name) {
	case "Sanctions":
		format, parse = "SDN_ADVANCED", parseAdvanced
	case "sdnList":
		format, parse = "SDN.XML", parseSDN
	default:
		return nil, fmt.Errorf("ofac: line %d: root element <%.40s>, want <Sanctions> (SDN_ADVANCED) or <sdnList> (SDN.XML)",
			s.Line(), s.Name)
	}
	pub, err := parse(s)
	if err == nil {
		_, err = s.Next() // nothing but white space and comments, to the end of the input
	}
	if err != nil {
		return nil, fmt.Errorf("ofac: %s: %w", format, err)
	}
	return pub, nil
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
