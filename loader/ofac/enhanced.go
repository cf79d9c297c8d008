package ofac

import (
	"strings"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// parseEnhanced reads SDN_ENHANCED from behind the start tag of its root.
func parseEnhanced(s *xmlstream.Scanner, consolidated bool) (*screen.Publication, error) {
	pub := new(screen.Publication)
	on := lists{consolidated: consolidated}
	seen := make(map[string]int) // line by id
	begun := false
	err := s.Children(func() error {
		switch string(s.Name) {
		case "publicationInfo":
			if pub.PublishedOn != 0 {
				return s.Errorf("a second <publicationInfo>")
			}
			var err error
			pub.PublishedOn, err = publicationInfo(s)
			return err
		case "entities":
			if begun {
				return s.Errorf("a second <entities>")
			}
			begun = true
			return s.Children(func() error {
				if string(s.Name) != "entity" {
					s.Unknown()
					return nil
				}
				pub.Records++
				line, kept := s.Line(), s.Kept
				party, err := parseEntity(s, &on)
				if err != nil {
					return err
				}
				if first, ok := seen[party.UID]; ok {
					return s.Errorf("a second <entity> with id %s, after that of line %d", party.UID, first)
				}
				seen[party.UID] = line
				if len(party.Addresses) > 0 {
					pub.Parties = append(pub.Parties, party)
				} else {
					s.Kept = kept + len(party.UID) + xmlstream.StringCost
				}
				return nil
			})
		case "referenceValues", "featureTypes":
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if pub.PublishedOn == 0 {
		return nil, s.Errorf("the document has no publicationInfo/dataAsOf")
	}
	if !begun {
		return nil, s.Errorf("the document has no <entities>")
	}
	if err := on.check(s); err != nil {
		return nil, err
	}
	return pub, nil
}

// publicationInfo reads what a document says of itself: the date, and in filters
// to what it is restricted. A restriction other than to lists is unexpected.
func publicationInfo(s *xmlstream.Scanner) (screen.Date, error) {
	var asOf string
	err := s.Children(func() error {
		switch string(s.Name) {
		case "dataAsOf":
			return s.LeafOnce(&asOf)
		case "datePublished", "publicationType":
			return s.Errorf("the document is a delta file, which holds changes and is no complete list")
		case "filters":
			return s.Children(func() error {
				if string(s.Name) != "sanctionsLists" {
					s.Unknown()
				}
				return nil
			})
		}
		s.Unknown()
		return nil
	})
	if err != nil {
		return 0, err
	}
	t, err := moment(asOf)
	if err != nil {
		return 0, s.Errorf("publicationInfo/dataAsOf %w", err)
	}
	return screen.DateOf(t), nil
}

// An entityName is one name of an entity, in the chosen spelling.
type entityName struct {
	first, last, full string
	primary, weak     bool
	aliasType         string
}

// text returns the name in the order of SDN.XML: given names first, but in a weak
// alias last, behind a comma.
func (n *entityName) text(typ screen.PartyType) string {
	switch {
	case n.weak && n.full != "", n.full != "" && n.first == "" && typ != screen.PartyIndividual:
		return n.full
	case n.weak:
		return joinNames(", ", n.last, n.first)
	case n.full == "" || n.first != "":
		return joinNames(" ", n.first, n.last)
	}
	return givenFirst(n.full)
}

// parseEntity reads an entity. The party is complete if it has addresses.
func parseEntity(s *xmlstream.Scanner, on *lists) (screen.PublishedParty, error) {
	var typ string
	var names []entityName
	var authorities []string
	var wanted, rest []screen.EntryEvent
	line := s.Line()
	p := screen.PublishedParty{UID: s.Attr("id")}
	if p.UID == "" {
		return p, s.Errorf("an <entity> without id")
	}
	if s.Attr("action") != "" {
		return p, s.Errorf("entity %s has an action: the document is a delta file, which holds changes and is no complete list", p.UID)
	}
	err := s.Children(func() error {
		switch string(s.Name) {
		case "generalInfo":
			return s.Children(func() error {
				if string(s.Name) != "entityType" {
					return nil
				}
				return s.LeafOnce(&typ)
			})
		case "sanctionsLists":
			return each(s, "sanctionsList", func() error {
				published := s.Attr("datePublished")
				name, err := s.Leaf()
				if err != nil {
					return err
				}
				date, err := screen.ParseDate(published)
				if err != nil {
					return s.Errorf("entity %s: datePublished of %.80q: %w", p.UID, name, err)
				}
				if on.count(strings.TrimSpace(name)) {
					wanted = append(wanted, screen.EntryEvent{On: date})
				} else {
					rest = append(rest, screen.EntryEvent{On: date})
				}
				return nil
			})
		case "sanctionsPrograms":
			return each(s, "sanctionsProgram", func() error { return appendLeaf(s, &p.Facts.Programs) })
		case "legalAuthorities":
			return each(s, "legalAuthority", func() error { return appendLeaf(s, &authorities) })
		case "names":
			return each(s, "name", func() error {
				name, err := parseEntityName(s)
				names = append(names, name)
				return err
			})
		case "features":
			return each(s, "feature", func() error {
				addresses, err := parseEntityFeature(s, p.UID)
				p.Addresses = append(p.Addresses, addresses...)
				return err
			})
		case "sanctionsTypes", "addresses", "identityDocuments", "relationships":
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil || len(p.Addresses) == 0 {
		return p, err
	}

	p.Facts.URL = partyURL(p.UID)
	p.Facts.Type = partyType(strings.TrimSpace(typ))
	for _, n := range names {
		switch text := n.text(p.Facts.Type); {
		case text == "":
		case n.primary && p.Facts.Name == "":
			p.Facts.Name = text
		default:
			p.Facts.Aliases = append(p.Facts.Aliases, screen.Alias{Name: text, Type: strings.ToLower(n.aliasType), Weak: n.weak})
		}
	}
	if p.Facts.Name == "" {
		return p, s.Errorf("entity %s, of line %d, has no primary name", p.UID, line)
	}
	// What put a party on another list counts only for lack of better, as in
	// SDN_ADVANCED. Of several authorities it is not said which goes with a date.
	p.Facts.Entries = wanted
	if wanted == nil {
		p.Facts.Entries = rest
	}
	if len(authorities) == 1 && authorities[0] != "Unknown" {
		for i := range p.Facts.Entries {
			p.Facts.Entries[i].LegalBasis = authorities[0]
		}
	}
	return p, nil
}

// each calls f for every child of that name of the element begun last.
func each(s *xmlstream.Scanner, name string, f func() error) error {
	return s.Children(func() error {
		if string(s.Name) != name {
			s.Unknown()
			return nil
		}
		return f()
	})
}

// appendLeaf appends the text of the element begun last to list, unless it is
// empty.
func appendLeaf(s *xmlstream.Scanner, list *[]string) error {
	text, err := s.Leaf()
	if text != "" {
		*list = append(*list, text)
	}
	return err
}

// parseEntityName reads a name in the spelling that SDN.XML prints: the primary
// one in Latin script, else the first in Latin script, else the first.
func parseEntityName(s *xmlstream.Scanner) (entityName, error) {
	var name entityName
	var primary, weak string
	best := 0 // how good a spelling name has
	err := s.Children(func() error {
		switch string(s.Name) {
		case "isPrimary":
			return s.LeafOnce(&primary)
		case "isLowQuality":
			return s.LeafOnce(&weak)
		case "aliasType":
			return s.LeafOnce(&name.aliasType)
		case "translations":
			return each(s, "translation", func() error {
				var primary, script, first, last, full string
				err := s.Children(func() error {
					switch string(s.Name) {
					case "isPrimary":
						return s.LeafOnce(&primary)
					case "script":
						return s.LeafOnce(&script)
					case "formattedFirstName":
						return s.LeafOnce(&first)
					case "formattedLastName":
						return s.LeafOnce(&last)
					case "formattedFullName":
						return s.LeafOnce(&full)
					}
					return nil
				})
				rank := 1
				if script == "Latin" || script == "" {
					rank = 2
					if primary == "true" {
						rank = 3
					}
				}
				if rank > best {
					best, name.first, name.last, name.full = rank, first, last, full
				}
				return err
			})
		}
		s.Unknown()
		return nil
	})
	name.primary, name.weak = primary == "true", weak == "true"
	return name, err
}

// parseEntityFeature reads a feature and returns the addresses in it. Every value
// is an address of its own.
func parseEntityFeature(s *xmlstream.Scanner, uid string) ([]screen.PublishedAddress, error) {
	var typ, reliability, comment string
	var values []string
	id, line := s.Attr("id"), s.Line()
	err := s.Children(func() error {
		switch string(s.Name) {
		case "type":
			return s.LeafOnce(&typ)
		case "value":
			text, err := s.Leaf()
			values = append(values, text)
			return err
		case "reliability":
			return s.LeafOnce(&reliability)
		case "comment", "comments":
			return s.LeafOnce(&comment)
		case "versionId", "valueRefId", "valueDate", "isPrimary":
		default:
			if _, ok := symbol(typ); ok || typ == "" { // in other features anything may stand
				s.Unknown()
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if typ == "" {
		return nil, s.Errorf("entity %s: the <feature> of line %d, id %.20q, has no type", uid, line, id)
	}
	sym, ok := symbol(typ)
	if !ok {
		return nil, nil
	}
	if id == "" {
		return nil, s.Errorf("entity %s has an address <feature> without id", uid)
	}
	if len(values) == 0 {
		return nil, s.Errorf("entity %s: address feature %s of line %d has no value", uid, id, line)
	}
	if reliability == "Unknown" {
		reliability = ""
	}
	var addresses []screen.PublishedAddress
	for _, text := range values {
		if strings.TrimSpace(text) == "" {
			return nil, s.Errorf("entity %s: address feature %s has the value %.40q", uid, id, text)
		}
		addresses = append(addresses, screen.PublishedAddress{
			Text:        text,
			Symbol:      sym,
			SourceIDs:   []string{id},
			Reliability: reliability,
			Comment:     comment,
		})
	}
	return addresses, nil
}
