// Package un reads the consolidated list of the Security Council of the United
// Nations, the XML that
// https://scsanctions.un.org/resources/xml/en/consolidated.xml offers.
//
// The root CONSOLIDATED_LIST holds INDIVIDUALS and ENTITIES. An entry is known by
// its REFERENCE_NUMBER ("KPe.023"), the permanent number that the committees use
// in their press releases; DATAID is a number of the database behind the list and
// is not used. No field of an entry is made for addresses, and no entry held one
// in February 2026. So every text of an entry is searched: on the day that a
// comment or a note names a wallet, it is found, as it is in elements that are new,
// which are counted as well. See package freetext for what is taken.
//
// What stands nowhere in the schema: a REFERENCE_NUMBER may end in a blank, and a
// LISTED_ON may carry a time zone ("2015-04-07-04:00"), which is passed over: the
// date is the one printed.
package un

import (
	"fmt"
	"io"
	"maps"
	"strings"

	"walletscreen/loader/freetext"
	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// badDate is counted in Unexpected.
const badDate = "LISTED_ON that is no date"

// groups are the elements of an entry that hold other elements and no text.
var groups = map[string]bool{
	"TITLE": true, "DESIGNATION": true, "NATIONALITY": true, "NATIONALITY2": true, "LIST_TYPE": true, "LAST_DAY_UPDATED": true,
	"INDIVIDUAL_ALIAS": true, "INDIVIDUAL_ADDRESS": true, "INDIVIDUAL_DATE_OF_BIRTH": true, "INDIVIDUAL_PLACE_OF_BIRTH": true, "INDIVIDUAL_DOCUMENT": true,
	"ENTITY_ALIAS": true, "ENTITY_ADDRESS": true,
}

// texts are the elements of an entry, and of its groups, that hold text: whether
// they hold sentences or else one fact.
var texts = map[string]bool{
	"COMMENTS1": true, "NOTE": true,

	"DATAID": false, "VERSIONNUM": false, "REFERENCE_NUMBER": false, "UN_LIST_TYPE": false, "LISTED_ON": false,
	"SUBMITTED_BY": false, "SUBMITTED_ON": false,
	"FIRST_NAME": false, "SECOND_NAME": false, "THIRD_NAME": false, "FOURTH_NAME": false, "NAME_ORIGINAL_SCRIPT": false, "GENDER": false,
	"SORT_KEY": false, "SORT_KEY_LAST_MOD": false,

	"VALUE": false, "QUALITY": false, "ALIAS_NAME": false,
	"STREET": false, "CITY": false, "STATE_PROVINCE": false, "ZIP_CODE": false, "COUNTRY": false,
	"TYPE_OF_DATE": false, "DATE": false, "YEAR": false, "FROM_YEAR": false, "TO_YEAR": false,
	"CITY_OF_BIRTH": false, "COUNTRY_OF_BIRTH": false, "DATE_OF_BIRTH": false,
	"TYPE_OF_DOCUMENT": false, "TYPE_OF_DOCUMENT2": false, "NUMBER": false, "ISSUING_COUNTRY": false,
	"DATE_OF_ISSUE": false, "CITY_OF_ISSUE": false, "COUNTRY_OF_ISSUE": false,
}

// Parse reads one publication to its end. It fills PublishedOn, Records, Parties
// and Unexpected; list, digest and source are the caller's to set. Parties stand
// in document order.
//
// An error says the line and the element: the document is cut short or of another
// kind, has no date, an entry has no REFERENCE_NUMBER or that of another. A
// publication without any address is none.
func Parse(r io.Reader) (*screen.Publication, error) {
	s := xmlstream.New(r)
	if _, err := s.Next(); err != nil {
		return nil, fmt.Errorf("un: %w", err)
	}
	if string(s.Name) != "CONSOLIDATED_LIST" {
		return nil, fmt.Errorf("un: line %d: root element <%.40s>, want <CONSOLIDATED_LIST>", s.Line(), s.Name)
	}
	p := &parser{Scanner: s, pub: new(screen.Publication), seen: make(map[string]int), counts: make(freetext.Counts)}
	err := p.document()
	if err == nil {
		_, err = s.Next() // nothing but white space and comments, to the end of the input
	}
	if err != nil {
		return nil, fmt.Errorf("un: %w", err)
	}
	p.pub.Unexpected = p.counts.Unexpected(s.Unexpected())
	return p.pub, nil
}

type parser struct {
	*xmlstream.Scanner
	pub    *screen.Publication
	seen   map[string]int // line of an entry by its REFERENCE_NUMBER
	counts freetext.Counts
}

func (p *parser) document() error {
	date, ok := day(p.Attr("dateGenerated"))
	if !ok {
		return p.Errorf("dateGenerated is no date such as 2026-02-27T00:00:09.554Z")
	}
	p.pub.PublishedOn = date
	sections := map[string]int{} // line by name
	err := p.Children(func() error {
		section := string(p.Name)
		entry, typ := "INDIVIDUAL", screen.PartyIndividual
		switch section {
		case "INDIVIDUALS":
		case "ENTITIES":
			entry, typ = "ENTITY", screen.PartyEntity
		default:
			p.Unknown()
			return nil
		}
		if first, ok := sections[section]; ok {
			return p.Errorf("a second <%s>, after that of line %d", section, first)
		}
		sections[section] = p.Line()
		return p.Children(func() error {
			if string(p.Name) != entry {
				p.Unknown()
				return nil
			}
			return p.entry(typ)
		})
	})
	if err != nil {
		return err
	}
	for _, section := range []string{"INDIVIDUALS", "ENTITIES"} {
		if sections[section] == 0 {
			return p.Errorf("the document has no <%s>", section)
		}
	}
	return nil
}

// entry reads an INDIVIDUAL or ENTITY.
func (p *parser) entry(typ screen.PartyType) error {
	p.pub.Records++
	line, kept := p.Line(), p.Kept
	var (
		party    screen.PublishedParty
		rows     freetext.Rows
		once     = map[string]*string{"REFERENCE_NUMBER": new(string), "LISTED_ON": new(string)}
		name     = map[string]*string{"FIRST_NAME": new(string), "SECOND_NAME": new(string), "THIRD_NAME": new(string), "FOURTH_NAME": new(string)}
		programs []string
	)
	maps.Copy(once, name)
	err := p.Children(func() error {
		element := string(p.Name)
		switch {
		case once[element] != nil:
			err := p.LeafOnce(once[element])
			p.read(&rows, rows.Detail, *once[element])
			return err
		case groups[element]:
			alias, quality, err := p.group(&rows)
			if alias != "" {
				party.Facts.Aliases = append(party.Facts.Aliases, named(alias, quality))
			}
			return err
		}
		text, err := p.text(&rows)
		if text = strings.TrimSpace(text); element == "UN_LIST_TYPE" && text != "" {
			programs = append(programs, text)
		}
		return err
	})
	if err != nil {
		return err
	}
	rows.Count(p.counts)
	party.UID = strings.TrimSpace(*once["REFERENCE_NUMBER"])
	if party.UID == "" {
		return p.Errorf("the entry of line %d has no REFERENCE_NUMBER", line)
	}
	if first, ok := p.seen[party.UID]; ok {
		return p.Errorf("the entry of line %d has the REFERENCE_NUMBER %.40s of that of line %d", line, party.UID, first)
	}
	p.seen[party.UID] = line
	listed := strings.TrimSpace(*once["LISTED_ON"])
	on, ok := day(listed)
	switch {
	case ok:
		party.Facts.Entries = []screen.EntryEvent{{On: on}}
	case listed != "":
		p.counts.Add(badDate)
	}
	party.Addresses = rows.Addresses()
	if len(party.Addresses) == 0 {
		p.Kept = kept + len(party.UID) + xmlstream.StringCost
		return nil
	}
	var parts []string
	for _, part := range []string{"FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME"} {
		parts = append(parts, strings.Fields(*name[part])...)
	}
	if len(parts) == 0 {
		return p.Errorf("the entry of line %d, %.40s, has no name", line, party.UID)
	}
	party.Facts.Name = strings.Join(parts, " ")
	party.Facts.Type = typ
	party.Facts.Programs = programs
	p.pub.Parties = append(p.pub.Parties, party)
	return nil
}

// group reads the texts of a group, and returns those that make an alias.
func (p *parser) group(rows *freetext.Rows) (alias, quality string, err error) {
	err = p.Children(func() error {
		element := string(p.Name)
		text, err := p.text(rows)
		switch element {
		case "ALIAS_NAME":
			alias = strings.TrimSpace(text)
		case "QUALITY":
			quality = strings.TrimSpace(text)
		}
		return err
	})
	return alias, quality, err
}

// text reads the element begun last for addresses, and returns its text, "" if the
// element is new.
func (p *parser) text(rows *freetext.Rows) (string, error) {
	sentences, known := texts[string(p.Name)]
	if !known {
		return "", rows.Unknown(p.Scanner)
	}
	text, err := p.Leaf()
	read := rows.Detail
	if sentences {
		read = rows.Prose
	}
	p.read(rows, read, text)
	return text, err
}

// read reads a text for addresses with one of the functions of rows, and counts
// what they keep.
func (p *parser) read(rows *freetext.Rows, read func(string), text string) {
	p.Kept -= rows.Kept
	read(text)
	p.Kept += rows.Kept
}

// named returns an alias. QUALITY is that of an individual's alias, Good or Low,
// and the type of an entity's, a.k.a. or f.k.a.
func named(name, quality string) screen.Alias {
	a := screen.Alias{Name: name, Type: "a.k.a.", Weak: strings.EqualFold(quality, "Low")}
	if strings.Contains(quality, ".") {
		a.Type = strings.ToLower(quality)
	}
	return a
}

// day reads the date that a date or a time of XML Schema begins with, whatever
// its zone.
func day(text string) (screen.Date, bool) {
	const form = "2006-01-02"
	if len(text) < len(form) {
		return 0, false
	}
	date, err := screen.ParseDate(text[:len(form)])
	if zone := text[len(form):]; err != nil || zone != "" && !strings.ContainsAny(zone[:1], "TZ+-") {
		return 0, false
	}
	return date, true
}
