package ofac

import (
	"slices"
	"strconv"
	"strings"

	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// advanced is the state of reading SDN_ADVANCED.
type advanced struct {
	*xmlstream.Scanner
	pub  *screen.Publication
	seen map[string]int // line of a DistinctParty by FixedRef

	sets      map[string]map[string]value // by the name of the set without "Values", then by ID
	addresses map[string]*string          // symbol by ID of FeatureType; nil for a type that is no address

	party    party          // the one being read
	profiles map[string]int // index in pub.Parties by ID of Profile
	onList   []bool         // of pub.Parties: has an entry on a list of the document
	lists    lists
}

// A value is one row of a reference value set.
type value struct {
	name      string
	partyType string // ID of the PartyType that a PartySubType belongs to
}

// A party is a DistinctParty as it stands, numbers unresolved: whether it has an
// address shows only after its names.
type party struct {
	uid       string
	line      int
	profiles  []string
	subType   string
	names     []documentedName
	partTypes map[string]string // ID of NamePartType by ID of NamePartGroup
	addresses []screen.PublishedAddress
}

// A documentedName is one way to write one alias.
type documentedName struct {
	alias     int // counts the aliases of the party
	primary   bool
	weak      bool
	aliasType string // ID
	status    string // ID
	parts     []namePart
}

type namePart struct {
	group  string // ID of NamePartGroup
	script string // ID
	text   string
}

// parseAdvanced reads SDN_ADVANCED from behind the start tag of its root.
func parseAdvanced(s *xmlstream.Scanner, consolidated bool) (*screen.Publication, error) {
	p := &advanced{
		Scanner:   s,
		pub:       new(screen.Publication),
		seen:      make(map[string]int),
		sets:      make(map[string]map[string]value),
		addresses: make(map[string]*string),
		profiles:  make(map[string]int),
		lists:     lists{consolidated: consolidated},
	}
	sections := []struct {
		name string
		read func() error
		line int
	}{
		{name: "DateOfIssue", read: func() (err error) { p.pub.PublishedOn, err = p.date(); return err }},
		{name: "ReferenceValueSets", read: p.referenceValueSets},
		{name: "DistinctParties", read: p.distinctParties},
		{name: "SanctionsEntries", read: p.sanctionsEntries},
	}
	done := 0
	err := p.Children(func() error {
		for i := range sections {
			sec := &sections[i]
			if string(p.Name) != sec.name {
				continue
			}
			if sec.line > 0 {
				return p.Errorf("a second <%s>, after that of line %d", sec.name, sec.line)
			}
			if i != done {
				return p.Errorf("<%s> stands before <%s>", sec.name, sections[done].name)
			}
			sec.line = p.Line()
			done++
			return sec.read()
		}
		switch string(p.Name) {
		case "Locations", "IDRegDocuments", "ProfileRelationships", "SanctionsEntryLinks":
		default:
			p.Unknown()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if done < len(sections) {
		return nil, p.Errorf("the document has no <%s>", sections[done].name)
	}
	if err := p.lists.check(p.Scanner); err != nil {
		return nil, err
	}
	return p.pub, nil
}

// date reads the children Year, Month and Day of the element begun last.
func (p *advanced) date() (screen.Date, error) {
	element := string(p.Name)
	line := p.Line()
	var year, month, day string
	err := p.Children(func() error {
		switch string(p.Name) {
		case "Year":
			return p.LeafOnce(&year)
		case "Month":
			return p.LeafOnce(&month)
		case "Day":
			return p.LeafOnce(&day)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	var n [3]int
	for i, text := range []string{year, month, day} {
		if n[i], err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
			return 0, p.Errorf("the <%s> of line %d has year %.20q, month %.20q, day %.20q", element, line, year, month, day)
		}
	}
	date, err := screen.NewDate(n[0], n[1], n[2])
	if err != nil {
		return 0, p.Errorf("the <%s> of line %d: %w", element, line, err)
	}
	return date, nil
}

// referenceValueSets reads what the numbers of this document mean.
func (p *advanced) referenceValueSets() error {
	return p.Children(func() error {
		set := strings.TrimSuffix(string(p.Name), "Values")
		switch set {
		case "AliasType", "DetailType", "DocNameStatus", "EntryEventType", "FeatureType", "LegalBasis", "List",
			"NamePartType", "PartySubType", "PartyType", "Reliability", "SanctionsType", "Script":
		default:
			return nil
		}
		if p.sets[set] != nil {
			return p.Errorf("a second <%sValues>", set)
		}
		values := make(map[string]value)
		p.sets[set] = values
		return p.Children(func() error {
			if string(p.Name) != set {
				return nil
			}
			id, v := p.Attr("ID"), value{partyType: p.Attr("PartyTypeID")}
			var err error
			if v.name, err = p.Leaf(); err != nil {
				return err
			}
			if id == "" {
				return p.Errorf("the %s %.40q has no ID", set, v.name)
			}
			if old, ok := values[id]; ok {
				return p.Errorf("%s ID %s is both %.40q and %.40q", set, id, old.name, v.name)
			}
			values[id] = v
			if set == "FeatureType" {
				p.addresses[id] = nil
				if sym, ok := symbol(v.name); ok {
					p.addresses[id] = &sym
				}
			}
			return nil
		})
	})
}

// value returns the row of a reference value set that a party with an address
// refers to.
func (p *advanced) value(uid, set, id string) (value, error) {
	v, ok := p.sets[set][id]
	if !ok {
		return v, p.Errorf("party %s: %sID %.20q is not among the %sValues", uid, set, id, set)
	}
	return v, nil
}

func (p *advanced) valueName(uid, set, id string) (string, error) {
	v, err := p.value(uid, set, id)
	return v.name, err
}

func (p *advanced) distinctParties() error {
	return p.Children(func() error {
		if string(p.Name) != "DistinctParty" {
			return p.unknown()
		}
		p.pub.Records++
		kept := p.Kept
		if err := p.distinctParty(); err != nil {
			return err
		}
		if len(p.party.addresses) == 0 {
			p.Kept = kept + len(p.party.uid) + xmlstream.StringCost
			return nil
		}
		published, err := p.published()
		if err != nil {
			return err
		}
		for _, id := range p.party.profiles {
			if other, ok := p.profiles[id]; ok {
				return p.Errorf("Profile %s is of party %s and of party %s", id, p.pub.Parties[other].UID, p.party.uid)
			}
			p.profiles[id] = len(p.pub.Parties)
		}
		p.pub.Parties = append(p.pub.Parties, published)
		p.onList = append(p.onList, false)
		return nil
	})
}

// unknown counts the element begun last as one without a rule, and passes over it.
func (p *advanced) unknown() error {
	p.Unknown()
	return p.noFeature()
}

// noFeature passes over the element begun last, which must not hold a Feature:
// one in an unknown place might be an address.
func (p *advanced) noFeature() error {
	if string(p.Name) == "Feature" {
		return p.Errorf("a <Feature> that is not in a Profile of a DistinctParty")
	}
	return p.Children(p.noFeature)
}

// distinctParty reads a DistinctParty into p.party.
func (p *advanced) distinctParty() error {
	q := &p.party
	clear(q.partTypes)
	*q = party{
		uid:       p.Attr("FixedRef"),
		line:      p.Line(),
		profiles:  q.profiles[:0],
		names:     q.names[:0],
		partTypes: q.partTypes,
	}
	if q.partTypes == nil {
		q.partTypes = make(map[string]string)
	}
	if q.uid == "" {
		return p.Errorf("a <DistinctParty> without FixedRef")
	}
	if first, ok := p.seen[q.uid]; ok {
		return p.Errorf("a second <DistinctParty> with FixedRef %s, after that of line %d", q.uid, first)
	}
	p.seen[q.uid] = q.line
	aliases := 0
	return p.Children(func() error {
		switch string(p.Name) {
		case "Profile":
		case "Comment":
			return p.noFeature()
		default:
			return p.unknown()
		}
		id := p.Attr("ID")
		if id == "" {
			return p.Errorf("party %s has a <Profile> without ID", q.uid)
		}
		q.profiles = append(q.profiles, id)
		if q.subType == "" {
			q.subType = p.Attr("PartySubTypeID")
		}
		return p.Children(func() error {
			switch string(p.Name) {
			case "Identity":
				return p.identity(&aliases)
			case "Feature":
				return p.feature()
			}
			return p.unknown()
		})
	})
}

// identity reads the names of an Identity into p.party.
func (p *advanced) identity(aliases *int) error {
	q := &p.party
	return p.Children(func() error {
		switch string(p.Name) {
		case "Alias":
			*aliases++
			name := documentedName{
				alias:     *aliases,
				primary:   p.Attr("Primary") == "true",
				weak:      p.Attr("LowQuality") == "true",
				aliasType: p.Attr("AliasTypeID"),
			}
			return p.Children(func() error {
				if string(p.Name) != "DocumentedName" {
					return p.noFeature()
				}
				name.status, name.parts = p.Attr("DocNameStatusID"), nil
				err := p.Children(func() error {
					if string(p.Name) != "DocumentedNamePart" {
						return p.noFeature()
					}
					return p.Children(func() error {
						if string(p.Name) != "NamePartValue" {
							return p.noFeature()
						}
						part := namePart{group: p.Attr("NamePartGroupID"), script: p.Attr("ScriptID")}
						var err error
						part.text, err = p.Leaf()
						name.parts = append(name.parts, part)
						return err
					})
				})
				q.names = append(q.names, name)
				return err
			})
		case "NamePartGroups":
			return p.Children(func() error {
				if string(p.Name) != "MasterNamePartGroup" {
					return p.noFeature()
				}
				return p.Children(func() error {
					if string(p.Name) != "NamePartGroup" {
						return p.noFeature()
					}
					q.partTypes[p.Attr("ID")] = p.Attr("NamePartTypeID")
					return nil
				})
			})
		}
		return p.noFeature()
	})
}

// feature reads a Feature; if it is an address, into p.party. Every text of
// every version is an address of its own.
func (p *advanced) feature() error {
	q := &p.party
	id, typ, line := p.Attr("ID"), p.Attr("FeatureTypeID"), p.Line()
	sym, ok := p.addresses[typ]
	if !ok {
		return p.Errorf("party %s: FeatureTypeID %.20q of feature %s is not among the FeatureTypeValues", q.uid, typ, id)
	}
	if sym == nil {
		return nil
	}
	if id == "" {
		return p.Errorf("party %s has an address <Feature> without ID", q.uid)
	}
	before := len(q.addresses)
	err := p.Children(func() error {
		switch string(p.Name) {
		case "FeatureVersion":
		case "IdentityReference":
			return p.noFeature()
		default:
			return p.unknown()
		}
		versionLine := p.Line()
		reliability, err := p.valueName(q.uid, "Reliability", p.Attr("ReliabilityID"))
		if err != nil {
			return err
		}
		if reliability == "Unknown" {
			reliability = ""
		}
		var comment string
		first := len(q.addresses)
		err = p.Children(func() error {
			switch string(p.Name) {
			case "Comment":
				return p.LeafOnce(&comment)
			case "VersionDetail":
				detail, err := p.valueName(q.uid, "DetailType", p.Attr("DetailTypeID"))
				if err != nil {
					return err
				}
				text, err := p.Leaf()
				if err != nil {
					return err
				}
				if detail != "TEXT" || strings.TrimSpace(text) == "" {
					return p.Errorf("party %s: address feature %s has a detail of type %s and text %.40q", q.uid, id, detail, text)
				}
				q.addresses = append(q.addresses, screen.PublishedAddress{
					Text:        text,
					Symbol:      *sym,
					SourceIDs:   []string{id},
					Reliability: reliability,
				})
				return nil
			case "DatePeriod", "VersionLocation":
				return p.noFeature()
			}
			return p.unknown()
		})
		if err != nil {
			return err
		}
		if len(q.addresses) == first {
			return p.Errorf("party %s: the version of line %d of address feature %s has no text", q.uid, versionLine, id)
		}
		for i := first; i < len(q.addresses); i++ {
			q.addresses[i].Comment = comment
		}
		return nil
	})
	if err == nil && len(q.addresses) == before {
		err = p.Errorf("party %s: address feature %s of line %d has no version", q.uid, id, line)
	}
	return err
}

// published resolves p.party, which has an address.
func (p *advanced) published() (screen.PublishedParty, error) {
	q := &p.party
	pub := screen.PublishedParty{UID: q.uid, Addresses: q.addresses, Facts: screen.Facts{URL: partyURL(q.uid)}}

	subType, err := p.value(q.uid, "PartySubType", q.subType)
	if err != nil {
		return pub, err
	}
	typ := subType.name
	if typ == "Unknown" { // only vessels and aircraft have a subtype
		if typ, err = p.valueName(q.uid, "PartyType", subType.partyType); err != nil {
			return pub, err
		}
	}
	pub.Facts.Type = partyType(typ)

	for names := q.names; len(names) > 0; {
		n := 1 // spellings of this alias
		for n < len(names) && names[n].alias == names[0].alias {
			n++
		}
		name, err := p.spelling(names[:n])
		if err != nil {
			return pub, err
		}
		names = names[n:]
		text, err := p.fullName(name)
		if err != nil {
			return pub, err
		}
		switch {
		case text == "":
		case name.primary && pub.Facts.Name == "":
			pub.Facts.Name = text
		default:
			aliasType, err := p.valueName(q.uid, "AliasType", name.aliasType)
			if err != nil {
				return pub, err
			}
			pub.Facts.Aliases = append(pub.Facts.Aliases, screen.Alias{Name: text, Type: strings.ToLower(aliasType), Weak: name.weak})
		}
	}
	if pub.Facts.Name == "" {
		return pub, p.Errorf("party %s, of line %d, has no primary name", q.uid, q.line)
	}
	return pub, nil
}

// spelling returns which of the spellings of one alias SDN.XML prints: the
// primary one in Latin script, else the first in Latin script, else the first.
func (p *advanced) spelling(names []documentedName) (documentedName, error) {
	for _, n := range names {
		status, err := p.valueName(p.party.uid, "DocNameStatus", n.status)
		if err != nil {
			return n, err
		}
		if status == "Primary Latin" {
			return n, nil
		}
	}
	for _, n := range names {
		latin := true
		for _, part := range n.parts {
			script, err := p.valueName(p.party.uid, "Script", part.script)
			if err != nil {
				return n, err
			}
			latin = latin && script == "Latin"
		}
		if latin {
			return n, nil
		}
	}
	return names[0], nil
}

// The order of the parts of a person's name, whatever order they stand in.
// Against sdn.csv of January 2023, the legacy format, this gives the name that is
// printed there for 5,715 of 5,723 persons; five of the others had been renamed.
// Beside a family name the patronymic is a Russian one, a given name; without, it
// is a Spanish one, and the family name.
var (
	givenParts          = []string{"First Name", "Middle Name", "Maiden Name", "Nickname"}
	givenPartsOfFamily  = []string{"First Name", "Middle Name", "Patronymic", "Maiden Name", "Nickname"}
	familyParts         = []string{"Patronymic", "Matronymic"}
	familyPartsOfFamily = []string{"Last Name", "Matronymic"}
)

// fullName writes a name in the order of SDN.XML, in its own letters (SDN.XML puts
// what is not a given name in capitals): a person's given names first, but in a
// weak alias last, behind a comma.
func (p *advanced) fullName(n documentedName) (string, error) {
	byType := make(map[string][]string)
	for _, part := range n.parts {
		group, ok := p.party.partTypes[part.group]
		if !ok {
			return "", p.Errorf("party %s: NamePartGroupID %.20q is not among its NamePartGroups", p.party.uid, part.group)
		}
		typ, err := p.valueName(p.party.uid, "NamePartType", group)
		if err != nil {
			return "", err
		}
		byType[typ] = append(byType[typ], part.text)
	}
	given, family := givenParts, familyParts
	if byType["Last Name"] != nil {
		given, family = givenPartsOfFamily, familyPartsOfFamily
	}
	pick := func(types []string) string {
		var texts []string
		for _, t := range types {
			texts = append(texts, byType[t]...)
			delete(byType, t)
		}
		return joinNames(" ", texts...)
	}
	givens, families := pick(given), pick(family)
	if len(byType) > 0 { // of an entity, a vessel or an aircraft, and what may yet be invented
		var texts []string
		for _, part := range n.parts {
			texts = append(texts, part.text)
		}
		return joinNames(" ", texts...), nil
	}
	if n.weak {
		return joinNames(", ", families, givens), nil
	}
	return joinNames(" ", givens, families), nil
}

func (p *advanced) sanctionsEntries() error {
	return p.Children(func() error {
		if string(p.Name) != "SanctionsEntry" {
			p.Unknown()
			return nil
		}
		kept := p.Kept
		listID := p.Attr("ListID")
		list, known := p.sets["List"][listID]
		wanted := p.lists.count(list.name)
		i, ok := p.profiles[p.Attr("ProfileID")]
		if !ok {
			p.Kept = kept
			return nil
		}
		if !known {
			_, err := p.value(p.pub.Parties[i].UID, "List", listID)
			return err
		}
		return p.sanctionsEntry(i, wanted)
	})
}

// sanctionsEntry reads a SanctionsEntry of the i-th party. What put a party on
// another list says nothing of that of the document: such events count only as
// long as the party has none there. Programs are the same in all entries of a party.
func (p *advanced) sanctionsEntry(i int, wanted bool) error {
	party := &p.pub.Parties[i]
	facts := &party.Facts
	if wanted && !p.onList[i] {
		p.onList[i] = true
		facts.Entries = nil
	}
	return p.Children(func() error {
		switch string(p.Name) {
		case "EntryEvent":
			event, created, err := p.entryEvent(party.UID)
			if err == nil && created && wanted == p.onList[i] {
				facts.Entries = append(facts.Entries, event)
			}
			return err
		case "SanctionsMeasure":
			typ, err := p.valueName(party.UID, "SanctionsType", p.Attr("SanctionsTypeID"))
			if err != nil || typ != "Program" {
				return err
			}
			return p.Children(func() error {
				if string(p.Name) != "Comment" {
					return nil
				}
				program, err := p.Leaf()
				if program != "" && !slices.Contains(facts.Programs, program) {
					facts.Programs = append(facts.Programs, program)
				}
				return err
			})
		default:
			p.Unknown()
		}
		return nil
	})
}

// entryEvent reads an EntryEvent and reports whether it put the party on the list.
func (p *advanced) entryEvent(uid string) (event screen.EntryEvent, created bool, err error) {
	line := p.Line()
	typ, err := p.valueName(uid, "EntryEventType", p.Attr("EntryEventTypeID"))
	if err != nil || typ != "Created" {
		return event, false, err
	}
	if event.LegalBasis, err = p.valueName(uid, "LegalBasis", p.Attr("LegalBasisID")); err != nil {
		return event, false, err
	}
	if event.LegalBasis == "Unknown" {
		event.LegalBasis = ""
	}
	err = p.Children(func() error {
		if string(p.Name) != "Date" {
			return nil
		}
		if event.On != 0 {
			return p.Errorf("party %s: a second <Date>", uid)
		}
		event.On, err = p.date()
		return err
	})
	if err == nil && event.On == 0 {
		err = p.Errorf("party %s: the <EntryEvent> of line %d has no <Date>", uid, line)
	}
	return event, true, err
}
