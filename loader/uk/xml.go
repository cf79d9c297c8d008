package uk

import (
	"fmt"
	"io"
	"strings"

	"walletscreen/loader/freetext"
	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

func parseXML(r io.Reader) (*screen.Publication, error) {
	s := xmlstream.New(r)
	if t, err := s.Next(); err != nil {
		return nil, err
	} else if t == xmlstream.EndDocument {
		return nil, s.Errorf("no root element")
	}
	switch string(s.Name) {
	case "Designations":
	case "ArrayOfFinancialSanctionsTarget":
		return nil, errOFSI
	default:
		return nil, fmt.Errorf("line %d: root element <%.40s>, want <Designations>", s.Line(), s.Name)
	}
	pub := new(screen.Publication)
	counts := make(freetext.Counts)
	seen := make(map[string]int) // line by id
	var generated string
	err := s.Children(func() error {
		switch string(s.Name) {
		case "DateGenerated":
			return s.LeafOnce(&generated)
		case "Designation":
		default:
			s.Unknown()
			return nil
		}
		pub.Records++
		line, kept := s.Line(), s.Kept
		d, err := readDesignation(s)
		if err != nil {
			return err
		}
		if d.uid == "" {
			return s.Errorf("the <Designation> of line %d has no UniqueID", line)
		}
		if first, ok := seen[d.uid]; ok {
			return s.Errorf("a second <Designation> with UniqueID %.40q, after that of line %d", d.uid, first)
		}
		seen[d.uid] = line
		d.rows.Count(counts)
		party := d.party(counts)
		if len(party.Addresses) == 0 {
			s.Kept = kept + len(d.uid) + xmlstream.StringCost
			return nil
		}
		if party.Facts.Name == "" {
			return s.Errorf("the <Designation> of line %d, UniqueID %.40q, has no name", line, d.uid)
		}
		pub.Parties = append(pub.Parties, party)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if pub.PublishedOn, err = date(strings.TrimSpace(generated)); err != nil {
		return nil, s.Errorf("DateGenerated: %w", err)
	}
	if _, err := s.Next(); err != nil { // nothing but white space and comments, to the end of the input
		return nil, err
	}
	pub.Unexpected = counts.Unexpected(s.Unexpected())
	return pub, nil
}

// readDesignation reads a Designation.
func readDesignation(s *xmlstream.Scanner) (*designation, error) {
	d := new(designation)
	err := s.Children(func() error {
		switch string(s.Name) {
		case "UniqueID":
			return leaf(s, &d.uid)
		case "DateDesignated":
			return leaf(s, &d.designated)
		case "RegimeName":
			return leaf(s, &d.regime)
		case "IndividualEntityShip":
			return leaf(s, &d.kind)
		case "Names":
			return s.Children(func() error {
				if string(s.Name) != "Name" {
					s.Unknown()
					return nil
				}
				return d.readName(s)
			})
		case "NonLatinNames":
			return s.Children(func() error {
				if string(s.Name) != "NonLatinName" {
					s.Unknown()
					return nil
				}
				return d.readNonLatin(s)
			})
		case "OtherInformation", "UKStatementofReasons":
			return d.rows.Element(s, d.rows.Prose)
		case "LastUpdated", "OFSIGroupID", "UNReferenceNumber", "Titles", "DesignationSource", "SanctionsImposed", "SanctionsImposedIndicators",
			"Addresses", "PhoneNumbers", "EmailAddresses", "Websites", "IndividualDetails", "EntityDetails", "ShipDetails":
			return d.rows.Element(s, d.rows.Detail)
		}
		return d.rows.Unknown(s)
	})
	return d, err
}

// leaf reads the text of an element that may stand only once.
func leaf(s *xmlstream.Scanner, dst *string) error {
	err := s.LeafOnce(dst)
	*dst = strings.TrimSpace(*dst)
	return err
}

func (d *designation) readName(s *xmlstream.Scanner) error {
	var parts [6]string
	var kind, strength string
	err := s.Children(func() error {
		switch element := string(s.Name); element {
		case "Name1", "Name2", "Name3", "Name4", "Name5", "Name6":
			return s.LeafOnce(&parts[element[4]-'1'])
		case "NameType":
			return s.LeafOnce(&kind)
		case "AliasStrength":
			return s.LeafOnce(&strength)
		}
		s.Unknown()
		return nil
	})
	d.addName(newName(parts, kind, strength))
	return err
}

func (d *designation) readNonLatin(s *xmlstream.Scanner) error {
	var script string
	err := s.Children(func() error {
		switch string(s.Name) {
		case "NameNonLatinScript":
			return s.LeafOnce(&script)
		case "NonLatinScriptType", "NonLatinScriptLanguage":
		default:
			s.Unknown()
		}
		return nil
	})
	d.addNonLatin(script)
	return err
}
