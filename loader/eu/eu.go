// Package eu reads the European Union's consolidated list of persons, groups and
// entities subject to financial sanctions, in the Commission's financial
// sanctions file (FSF), XML version 1.1
// (https://data.europa.eu/data/datasets/consolidated-list-of-persons-groups-and-entities-subject-to-eu-financial-sanctions).
//
// The root is export with generationDate, a time with its offset; each
// sanctionEntity is one party, known by its euReferenceNumber. Most facts are
// attributes, and names, places and documents are elements of their own with a
// remark. Digital currency addresses stand in those remarks, of a nameAlias as
// of an address, labeled or not, and once broken by a line end. All text and all
// attributes of a party are read for them, but for names of countries, dates, ids
// and the like; see package freetext for what is taken. Elements that are new are
// counted as well.
//
// What is decided here:
//
//   - The name is that of the first strong nameAlias; the others are aliases, in
//     every language that the list has.
//   - Programs are those of the regulations of the party itself, each once.
//   - The entry is the designationDate, with the regulation of that day as its
//     legal basis if there is one: others amend what is said of the party. If there
//     is no designationDate, it is the earliest regulation of those in force.
//   - The URL is that of the first regulation in the Official Journal.
//   - The numbers of identifications are read as prose behind their type, so that a
//     new type for wallets is found, while tax and registration numbers, which
//     carry no checksum of an address, are not.
package eu

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walletscreen/loader/freetext"
	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// Parse reads one publication to its end. It fills PublishedOn, Records, Parties
// and Unexpected; list, digest and source are the caller's to set. Parties stand
// in document order.
//
// An error says the line and the element: a document that is cut short or is no
// FSF export, one without a date, a party without an id or with that of another.
// A date of a party that is not of the form 2025-10-23 is counted and left out.
func Parse(r io.Reader) (*screen.Publication, error) {
	pub, err := parse(xmlstream.New(r))
	if err != nil {
		return nil, fmt.Errorf("eu: %w", err)
	}
	return pub, nil
}

func parse(s *xmlstream.Scanner) (*screen.Publication, error) {
	if t, err := s.Next(); err != nil {
		return nil, err
	} else if t == xmlstream.EndDocument {
		return nil, s.Errorf("no root element")
	}
	if string(s.Name) != "export" {
		return nil, fmt.Errorf("line %d: root element <%.40s>, want <export>", s.Line(), s.Name)
	}
	generated := s.Attr("generationDate")
	at, err := time.Parse(time.RFC3339, generated)
	if err != nil {
		return nil, s.Errorf("generationDate %.40q, want a time such as 2026-09-22T20:01:34.799+02:00", generated)
	}
	pub := &screen.Publication{PublishedOn: screen.DateOf(at)}
	counts := make(freetext.Counts)
	seen := make(map[string]int) // line by id
	err = s.Children(func() error {
		if string(s.Name) != "sanctionEntity" {
			s.Unknown()
			return nil
		}
		pub.Records++
		line, kept := s.Line(), s.Kept
		e, err := readEntity(s)
		if err != nil {
			return err
		}
		if e.uid == "" {
			return s.Errorf("the <sanctionEntity> of line %d has neither euReferenceNumber nor logicalId", line)
		}
		if first, ok := seen[e.uid]; ok {
			return s.Errorf("a second <sanctionEntity> %.40q, after that of line %d", e.uid, first)
		}
		seen[e.uid] = line
		e.rows.Count(counts)
		party := e.party(counts)
		if len(party.Addresses) == 0 {
			s.Kept = kept + len(e.uid) + xmlstream.StringCost
			return nil
		}
		if party.Facts.Name == "" {
			return s.Errorf("the <sanctionEntity> of line %d, %.40q, has no name", line, e.uid)
		}
		pub.Parties = append(pub.Parties, party)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := s.Next(); err != nil { // nothing but white space and comments, to the end of the input
		return nil, err
	}
	pub.Unexpected = counts.Unexpected(s.Unexpected())
	return pub, nil
}

// entity is a sanctionEntity as it stands.
type entity struct {
	uid         string
	designated  string
	kind        string // code of subjectType
	names       []screen.Alias
	regulations []regulation
	rows        freetext.Rows
}

// regulation is an act about the party.
type regulation struct {
	inForce, title, program, url string
}

func readEntity(s *xmlstream.Scanner) (*entity, error) {
	e := &entity{uid: strings.TrimSpace(s.Attr("euReferenceNumber")), designated: s.Attr("designationDate")}
	if e.uid == "" {
		e.uid = strings.TrimSpace(s.Attr("logicalId"))
	}
	e.attributes(s)
	err := s.Children(func() error {
		switch string(s.Name) {
		case "regulation":
			e.regulations = append(e.regulations, regulation{
				inForce: s.Attr("entryIntoForceDate"), title: s.Attr("numberTitle"), program: strings.TrimSpace(s.Attr("programme")),
			})
			return e.part(s)
		case "subjectType":
			if e.kind != "" {
				return s.Errorf("a second <subjectType>")
			}
			e.kind = s.Attr("code")
			return e.part(s)
		case "nameAlias":
			name := strings.TrimSpace(s.Attr("wholeName"))
			if name == "" {
				name = strings.Join(strings.Fields(s.Attr("firstName")+" "+s.Attr("middleName")+" "+s.Attr("lastName")), " ")
			}
			if name != "" {
				e.names = append(e.names, screen.Alias{Name: name, Weak: s.Attr("strong") == "false"})
			}
			return e.part(s)
		}
		return e.part(s)
	})
	return e, err
}

// part reads an element of the party, and what is in it, for addresses.
func (e *entity) part(s *xmlstream.Scanner) error {
	switch string(s.Name) {
	case "remark":
		e.attributes(s)
		return e.rows.Element(s, e.rows.Prose)
	case "publicationUrl":
		url, err := s.Leaf()
		if n := len(e.regulations); n > 0 && e.regulations[n-1].url == "" {
			e.regulations[n-1].url = strings.TrimSpace(url)
		}
		return err
	case "regulation", "subjectType", "nameAlias", "address", "birthdate", "citizenship", "identification", "regulationSummary", "contactInfo",
		"corrigendum":
		e.attributes(s)
		return s.Children(func() error { return e.part(s) })
	}
	return e.rows.Unknown(s)
}

// attributes reads those of the element begun last for addresses. What an
// identification is stands before its number.
func (e *entity) attributes(s *xmlstream.Scanner) {
	kept := s.Kept - e.rows.Kept
	kind := ""
	if string(s.Name) == "identification" {
		kind = s.Attr("identificationTypeDescription") + ": "
	}
	for name, value := range s.Attrs() {
		switch name {
		case "designationDate", "unitedNationId", "euReferenceNumber", "logicalId", // of a sanctionEntity
			"code", "classificationCode", "gender", "nameLanguage", "strong", "regulationLanguage", "wholeName", "firstName", "middleName", "lastName",
			"regulationType", "organisationType", "publicationDate", "entryIntoForceDate", "numberTitle", "programme", "publicationUrl",
			"countryIso2Code", "countryDescription", "asAtListingTime", "calendarType", "circa",
			"birthdate", "year", "yearRangeFrom", "yearRangeTo", "monthOfYear", "dayOfMonth",
			"diplomatic", "knownExpired", "knownFalse", "reportedLost", "revokedByIssuer", "issueDate", "issuedDate", "validFrom", "validTo",
			"identificationTypeCode", "identificationTypeDescription":
			continue
		}
		if value != "" {
			e.rows.Detail(kind + value)
		}
	}
	s.Kept = kept + e.rows.Kept
}

// party returns what a publication says of the entity, and counts what is not as
// it should be.
func (e *entity) party(counts freetext.Counts) screen.PublishedParty {
	p := screen.PublishedParty{UID: e.uid, Addresses: e.rows.Addresses()}
	switch e.kind {
	case "person":
		p.Facts.Type = screen.PartyIndividual
	case "enterprise":
		p.Facts.Type = screen.PartyEntity
	default:
		counts.Add("a subjectType other than person and enterprise")
	}
	main := max(0, slices.IndexFunc(e.names, func(n screen.Alias) bool { return !n.Weak }))
	aliases := make(map[screen.Alias]bool)
	for i, n := range e.names {
		switch {
		case i == main:
			p.Facts.Name = n.Name
		case n.Name != e.names[main].Name && !aliases[n]:
			aliases[n] = true
			p.Facts.Aliases = append(p.Facts.Aliases, n)
		}
	}
	programs := make(map[string]bool)
	for _, r := range e.regulations {
		if r.program != "" && !programs[r.program] {
			programs[r.program] = true
			p.Facts.Programs = append(p.Facts.Programs, r.program)
		}
		if p.Facts.URL == "" && strings.HasPrefix(r.url, "https://") {
			p.Facts.URL = r.url
		}
	}
	if entry, ok := e.entry(counts); ok {
		p.Facts.Entries = []screen.EntryEvent{entry}
	}
	return p
}

// entry returns the act that put the party on the list.
func (e *entity) entry(counts freetext.Counts) (entry screen.EntryEvent, ok bool) {
	date := func(s string) screen.Date {
		if s == "" {
			return 0
		}
		d, err := screen.ParseDate(s)
		if err != nil {
			counts.Add("date of a party that is not of the form 2025-10-23")
		}
		return d
	}
	entry.On = date(e.designated)
	designated := entry.On != 0
	for _, r := range e.regulations {
		on := date(r.inForce)
		switch {
		case on == 0:
		case designated && on == entry.On && entry.LegalBasis == "":
			entry.LegalBasis = r.title
		case !designated && (entry.On == 0 || on < entry.On):
			entry = screen.EntryEvent{On: on, LegalBasis: r.title}
		}
	}
	return entry, entry.On != 0
}
