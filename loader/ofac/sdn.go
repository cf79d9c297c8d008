package ofac

import (
	"strconv"
	"strings"
	"time"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// parseSDN reads SDN.XML from behind the start tag of its root.
func parseSDN(s *xmlstream.Scanner) (*screen.Publication, error) {
	pub := new(screen.Publication)
	var date, count string
	seen := make(map[string]int) // line by uid
	err := s.Children(func() error {
		switch string(s.Name) {
		case "publshInformation": // so spelled by OFAC
			return s.Children(func() error {
				switch string(s.Name) {
				case "Publish_Date":
					return s.LeafOnce(&date)
				case "Record_Count":
					return s.LeafOnce(&count)
				}
				s.Unknown()
				return nil
			})
		case "sdnEntry":
			pub.Records++
			line, kept := s.Line(), s.Kept
			party, err := parseSDNEntry(s)
			if err != nil {
				return err
			}
			if first, ok := seen[party.UID]; ok {
				return s.Errorf("a second <sdnEntry> with uid %s, after that of line %d", party.UID, first)
			}
			seen[party.UID] = line
			if len(party.Addresses) > 0 {
				pub.Parties = append(pub.Parties, party)
			} else {
				s.Kept = kept + len(party.UID) + xmlstream.StringCost
			}
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	day, err := time.Parse("01/02/2006", strings.TrimSpace(date))
	if err != nil {
		return nil, s.Errorf("publshInformation/Publish_Date %.40q, want a date such as 11/04/2025", date)
	}
	pub.PublishedOn = screen.DateOf(day)
	announced, err := strconv.ParseUint(strings.TrimSpace(count), 10, 32)
	if err != nil {
		return nil, s.Errorf("publshInformation/Record_Count %.40q, want a number", count)
	}
	if uint64(pub.Records) != announced {
		return nil, s.Errorf("Record_Count announces %d entries, the document has %d", announced, pub.Records)
	}
	return pub, nil
}

// parseSDNEntry reads an sdnEntry. The party is complete if it has addresses.
func parseSDNEntry(s *xmlstream.Scanner) (screen.PublishedParty, error) {
	var p screen.PublishedParty
	var first, last, typ string
	line := s.Line()
	err := s.Children(func() error {
		switch string(s.Name) {
		case "uid":
			return s.LeafOnce(&p.UID)
		case "firstName":
			return s.LeafOnce(&first)
		case "lastName":
			return s.LeafOnce(&last)
		case "sdnType":
			return s.LeafOnce(&typ)
		case "programList":
			return s.Children(func() error {
				if string(s.Name) != "program" {
					s.Unknown()
					return nil
				}
				program, err := s.Leaf()
				if program != "" {
					p.Facts.Programs = append(p.Facts.Programs, program)
				}
				return err
			})
		case "idList":
			return s.Children(func() error {
				if string(s.Name) != "id" {
					s.Unknown()
					return nil
				}
				address, ok, err := parseSDNID(s)
				if ok {
					p.Addresses = append(p.Addresses, address)
				}
				return err
			})
		case "akaList":
			return s.Children(func() error {
				if string(s.Name) != "aka" {
					s.Unknown()
					return nil
				}
				alias, err := parseAka(s)
				if alias.Name != "" {
					p.Facts.Aliases = append(p.Facts.Aliases, alias)
				}
				return err
			})
		case "title", "remarks", "addressList", "nationalityList", "citizenshipList",
			"dateOfBirthList", "placeOfBirthList", "vesselInfo", "aircraftInfo":
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil {
		return p, err
	}
	if p.UID == "" {
		return p, s.Errorf("the <sdnEntry> of line %d has no uid", line)
	}
	p.Facts.Name = joinNames(" ", first, last)
	p.Facts.Type = partyType(typ)
	p.Facts.URL = partyURL(p.UID)
	if len(p.Addresses) > 0 && p.Facts.Name == "" {
		return p, s.Errorf("the <sdnEntry> of line %d, uid %s, has no name", line, p.UID)
	}
	return p, nil
}

// parseSDNID reads an id and reports whether it is a digital currency address.
func parseSDNID(s *xmlstream.Scanner) (screen.PublishedAddress, bool, error) {
	var uid, typ, number string
	line := s.Line()
	err := s.Children(func() error {
		switch string(s.Name) {
		case "uid":
			return s.LeafOnce(&uid)
		case "idType":
			return s.LeafOnce(&typ)
		case "idNumber":
			return s.LeafOnce(&number)
		case "idCountry", "issueDate", "expirationDate":
		default:
			s.Unknown()
		}
		return nil
	})
	if err != nil {
		return screen.PublishedAddress{}, false, err
	}
	if typ == "" {
		return screen.PublishedAddress{}, false, s.Errorf("the <id> of line %d, uid %.20q, has no idType", line, uid)
	}
	sym, ok := symbol(typ)
	if !ok {
		return screen.PublishedAddress{}, false, nil
	}
	if strings.TrimSpace(number) == "" {
		return screen.PublishedAddress{}, false, s.Errorf("the <id> of line %d, uid %.20q, %s, has no idNumber", line, uid, typ)
	}
	a := screen.PublishedAddress{Text: number, Symbol: sym}
	// A uid that follows another rule is no reason to lose the address.
	if n, err := strconv.ParseUint(uid, 10, 63); err == nil && n > sdnIDOffset {
		a.SourceIDs = []string{strconv.FormatUint(n-sdnIDOffset, 10)}
	}
	return a, true, nil
}

// parseAka reads an aka. A weak one of a person has all of its name in lastName,
// "KLICHKO, Ivan P", and is left so: nicknames may hold commas, too.
func parseAka(s *xmlstream.Scanner) (screen.Alias, error) {
	var first, last, typ, category string
	err := s.Children(func() error {
		switch string(s.Name) {
		case "firstName":
			return s.LeafOnce(&first)
		case "lastName":
			return s.LeafOnce(&last)
		case "type":
			return s.LeafOnce(&typ)
		case "category":
			return s.LeafOnce(&category)
		case "uid":
		default:
			s.Unknown()
		}
		return nil
	})
	return screen.Alias{
		Name: joinNames(" ", first, last),
		Type: strings.ToLower(typ),
		Weak: strings.EqualFold(category, "weak"),
	}, err
}
