package ofac

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"walletscreen/loader/parsertest"
	"walletscreen/loader/xmlstream"
	"walletscreen/screen"
)

// fixtures are one publication in three formats.
var fixtures = []string{"advanced.xml", "sdn.xml", "enhanced.xml"}

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func parseFixture(t testing.TB, name string) *screen.Publication {
	t.Helper()
	pub, err := Parse(strings.NewReader(fixture(t, name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return pub
}

// readable returns a value as JSON in which dates and types are words.
func readable(t testing.TB, v any) []byte {
	t.Helper()
	var convert func(reflect.Value) any
	convert = func(v reflect.Value) any {
		switch x := v.Interface().(type) {
		case screen.Digest:
			return ""
		case fmt.Stringer:
			return x.String()
		}
		switch v.Kind() {
		case reflect.Struct:
			fields := make(map[string]any)
			for i := range v.NumField() {
				if !v.Field(i).IsZero() {
					fields[v.Type().Field(i).Name] = convert(v.Field(i))
				}
			}
			return fields
		case reflect.Slice:
			list := make([]any, v.Len())
			for i := range list {
				list[i] = convert(v.Index(i))
			}
			return list
		}
		return v.Interface()
	}
	b, err := json.MarshalIndent(convert(reflect.ValueOf(v)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"advanced", "sdn", "enhanced"} {
		t.Run(name, func(t *testing.T) {
			got := readable(t, *parseFixture(t, name+".xml"))
			parsertest.GoldenText(t, name+".golden.json", string(got))
		})
	}
}

// sameInAll makes a publication what all formats can say: some have names in
// capitals.
func sameInAll(pub *screen.Publication) *screen.Publication {
	for i := range pub.Parties {
		p := &pub.Parties[i]
		p.Facts.Entries = nil
		p.Facts.Name = strings.ToUpper(p.Facts.Name)
		for j := range p.Facts.Aliases {
			p.Facts.Aliases[j].Name = strings.ToUpper(p.Facts.Aliases[j].Name)
		}
		for j := range p.Addresses {
			p.Addresses[j].Reliability, p.Addresses[j].Comment = "", ""
		}
	}
	return pub
}

func TestFormatsAgree(t *testing.T) {
	sdn := sameInAll(parseFixture(t, "sdn.xml"))
	for _, name := range fixtures {
		if other := sameInAll(parseFixture(t, name)); !reflect.DeepEqual(other, sdn) {
			t.Errorf("%s:\n%s\nSDN.XML:\n%s", name, readable(t, *other), readable(t, *sdn))
		}
	}
}

// The same document in other dress is the same publication.
func TestDress(t *testing.T) {
	tag := regexp.MustCompile(`<(/?)([A-Za-z])`)
	dresses := map[string]func(string) string{
		"old namespace": func(s string) string {
			s = strings.ReplaceAll(s, "https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/ADVANCED_XML", "http://www.un.org/sanctions/1.0")
			s = strings.ReplaceAll(s, "https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/ENHANCED_XML", "urn:of-another-year")
			return strings.ReplaceAll(s, "https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/XML", "http://tempuri.org/sdnList.xsd")
		},
		"no namespace": func(s string) string { return regexp.MustCompile(` xmlns(:xsi)?="[^"]*"`).ReplaceAllString(s, "") },
		"prefix": func(s string) string {
			return strings.ReplaceAll(tag.ReplaceAllString(s, "<${1}ofac:$2"), " xmlns=", " xmlns:ofac=")
		},
		"CRLF":            func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"byte order mark": func(s string) string { return "\ufeff" + s },
		"single quotes":   func(s string) string { return strings.ReplaceAll(s, `"`, `'`) },
		"one line":        func(s string) string { return regexp.MustCompile(`>\s+<`).ReplaceAllString(s, "><") },
		"references": func(s string) string {
			return strings.NewReplacer(` - XBT`, ` &#45; &#x58;BT`, "59kuE<", "59kuE&#10;<").Replace(strings.ReplaceAll(s, "59kuE<", "59ku&#69;<"))
		},
		"comments in text": func(s string) string { return strings.ReplaceAll(s, "59kuE", "59<!-- x -->k<?pi?>uE") },
		"unknown elements": func(s string) string {
			return strings.NewReplacer("<FeatureVersion ", "<New><Newer>x</Newer></New><FeatureVersion ", "<idType>", "<new>x</new><idType>",
				"<DistinctParties>", "<New/><DistinctParties>", "<sdnEntry>", "<new/><sdnEntry>", "<features>", "<new/><features>").Replace(s)
		},
	}
	for _, name := range fixtures {
		want := parseFixture(t, name)
		for dress, wear := range dresses {
			in := wear(fixture(t, name))
			if in == fixture(t, name) {
				t.Errorf("%s, %s: nothing changed", name, dress)
			}
			got, err := Parse(iotest.HalfReader(strings.NewReader(in)))
			if err == nil && dress == "unknown elements" {
				if len(got.Unexpected) == 0 {
					t.Errorf("%s, %s: not counted", name, dress)
				}
				got.Unexpected = nil
			}
			if err != nil {
				t.Errorf("%s, %s: %v", name, dress, err)
			} else if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: got\n%s", name, dress, readable(t, *got))
			}
		}
	}
}

// Every text of every version of a feature is an address.
func TestSeveralVersions(t *testing.T) {
	const one = `<FeatureVersion ID="631" ReliabilityID="1"><Comment /><VersionDetail DetailTypeID="1432">T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb</VersionDetail></FeatureVersion>`
	const two = `<FeatureVersion ID="631" ReliabilityID="1"><VersionDetail DetailTypeID="1432">first</VersionDetail>` +
		`<VersionDetail DetailTypeID="1432">second</VersionDetail><Comment>of both</Comment></FeatureVersion>` +
		`<FeatureVersion ID="632" ReliabilityID="1560"><VersionDetail DetailTypeID="1432">third</VersionDetail></FeatureVersion>`
	pub, err := Parse(strings.NewReader(replaceOnce(t, fixture(t, "advanced.xml"), one, two)))
	if err != nil {
		t.Fatal(err)
	}
	want := []screen.PublishedAddress{
		{Text: "first", Symbol: "TRX", SourceIDs: []string{"531"}, Comment: "of both"},
		{Text: "second", Symbol: "TRX", SourceIDs: []string{"531"}, Comment: "of both"},
		{Text: "third", Symbol: "TRX", SourceIDs: []string{"531"}, Reliability: "Confirmed"},
	}
	if got := pub.Parties[2].Addresses; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSymbol(t *testing.T) {
	tests := []struct {
		typ, symbol string
		ok          bool
	}{
		{"Digital Currency Address - XBT", "XBT", true},
		{"Digital Currency Address - USDC - new", "USDC - new", true},
		{"Digital Currency Address", "", true},
		{"Digital Currency Address: XBT", "", true},
		{"digital currency address - ETH", "ETH", true},
		{"Digital Currency", "", false},
		{"Not a Digital Currency Address - XBT", "", false},
		{"Secondary sanctions risk:", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		if symbol, ok := symbol(tt.typ); symbol != tt.symbol || ok != tt.ok {
			t.Errorf("symbol(%q) = %q, %v; want %q, %v", tt.typ, symbol, ok, tt.symbol, tt.ok)
		}
	}
}

// The names are real ones of SDN_ADVANCED, as sdn.csv prints them.
func TestFullName(t *testing.T) {
	types := []string{"Last Name", "First Name", "Middle Name", "Maiden Name", "Aircraft Name", "Entity Name", "Vessel Name",
		"Nickname", "Patronymic", "Matronymic", "Name of a new kind"}
	tests := []struct {
		parts []string // type, text, type, text
		weak  bool
		want  string
	}{
		{[]string{"Last Name", "Al-Jamal", "First Name", "Sa'id", "Middle Name", "Ahmad Muhammad"}, false, "Sa'id Ahmad Muhammad Al-Jamal"},
		{[]string{"First Name", "Mae", "Last Name", "Thomas", "Middle Name", "Toussaint"}, false, "Mae Toussaint Thomas"},
		{[]string{"Last Name", "Zalevski", "First Name", "Andrei", "Patronymic", "Denisovich"}, false, "Andrei Denisovich Zalevski"},
		{[]string{"First Name", "Ricardo", "Matronymic", "Sauceda", "Patronymic", "Gonzalez"}, false, "Ricardo Gonzalez Sauceda"},
		{[]string{"Last Name", "Rivas", "First Name", "Roberto", "Middle Name", "Jose", "Matronymic", "Reyes"}, false, "Roberto Jose Rivas Reyes"},
		{[]string{"Last Name", "Klichko", "First Name", "Ivan", "Middle Name", "P"}, true, "Klichko, Ivan P"},
		{[]string{"Last Name", "Hisham"}, true, "Hisham"},
		{[]string{"Nickname", "Ensaniyat_Exchanger"}, true, "Ensaniyat_Exchanger"},
		{[]string{"Entity Name", "Garantex"}, false, "Garantex"},
		{[]string{"Vessel Name", "Thanasis"}, false, "Thanasis"},
		{[]string{"Aircraft Name", "EW-001PB"}, false, "EW-001PB"},
		{[]string{"Name of a new kind", "Xaver", "First Name", "Yvo"}, false, "Xaver Yvo"},
		{nil, false, ""},
	}
	p := &advanced{Scanner: xmlstream.New(nil), sets: map[string]map[string]value{"NamePartType": {}}}
	p.party.partTypes = make(map[string]string)
	for _, typ := range types {
		p.sets["NamePartType"]["id of "+typ] = value{name: typ}
		p.party.partTypes["group of "+typ] = "id of " + typ
	}
	for _, tt := range tests {
		name := documentedName{weak: tt.weak}
		for i := 0; i < len(tt.parts); i += 2 {
			name.parts = append(name.parts, namePart{group: "group of " + tt.parts[i], text: tt.parts[i+1]})
		}
		if got, err := p.fullName(name); got != tt.want || err != nil {
			t.Errorf("%q: %q, %v; want %q", tt.parts, got, err, tt.want)
		}
	}
}

func replaceOnce(t testing.TB, s, old, new string) string {
	t.Helper()
	if n := strings.Count(s, old); n != 1 {
		t.Fatalf("%q stands %d times in the fixture", old, n)
	}
	return strings.Replace(s, old, new, 1)
}

// element returns the text of the first element of that name, tags included.
func element(t testing.TB, doc, name string) string {
	t.Helper()
	start, end := strings.Index(doc, "<"+name+">"), strings.Index(doc, "</"+name+">")
	if start < 0 || end < 0 {
		t.Fatalf("no <%s> in the fixture", name)
	}
	return doc[start : end+len(name)+3]
}

func TestErrorsAdvanced(t *testing.T) {
	doc := fixture(t, "advanced.xml")
	party103 := regexp.MustCompile(`(?s)<DistinctParty FixedRef="103">.*?</DistinctParty>`).FindString(doc)
	const address104 = `<VersionDetail DetailTypeID="1432">T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb</VersionDetail></FeatureVersion>
        </Feature>
      </Profile>
    </DistinctParty>
    <DistinctParty FixedRef="105">`
	tests := []struct{ name, old, new, want string }{
		{"no day", "<Day>7</Day>", "", `in Sanctions: the <DateOfIssue> of line 4 has year "2025", month "2", day ""`},
		{"no such day", "<Day>7</Day>", "<Day>30</Day>", "the <DateOfIssue> of line 4: no such date"},
		{"day in words", "<Day>7</Day>", "<Day>7th</Day>", `day "7th"`},
		{"two days", "<Day>7</Day>", "<Day>7</Day><Day>8</Day>", `a second <Day>: "8" after "7"`},
		{"no date", doc[strings.Index(doc, "<DateOfIssue"):strings.Index(doc, "<ReferenceValueSets")], "", "<ReferenceValueSets> stands before <DateOfIssue>"},
		{"no reference values", element(t, doc, "ReferenceValueSets"), "", "<DistinctParties> stands before <ReferenceValueSets>"},
		{"no parties", element(t, doc, "DistinctParties"), "", "<SanctionsEntries> stands before <DistinctParties>"},
		{"no entries", element(t, doc, "SanctionsEntries"), "", "the document has no <SanctionsEntries>"},
		{"parties twice", "<ProfileRelationships />", "<DistinctParties/>", "a second <DistinctParties>, after that of line"},
		{"values twice", "<LegalBasisValues>", "<ScriptValues/><LegalBasisValues>", "a second <ScriptValues>"},
		{"other list", `<List ID="1550">SDN List</List>`, `<List ID="1550">Non-SDN List</List>`,
			`the document is of another list: 0 entries are on the list "SDN List", 6 on ["Consolidated List" "Non-SDN List"]`},
		{"other list for the most part", `ProfileID="103" ListID="1550"`, `ProfileID="103" ListID="91512"`,
			`the document is of another list: 2 entries are on the list "SDN List", 4 on ["Consolidated List"]`},
		{"no entry", element(t, doc, "SanctionsEntries"), "<SanctionsEntries/>", "no entry of the document is on a list"},
		{"unknown feature type", `<Feature ID="521" FeatureTypeID="13">`, `<Feature ID="521" FeatureTypeID="14">`,
			`line 219, in Sanctions/DistinctParties/DistinctParty/Profile/Feature: party 103: FeatureTypeID "14" of feature 521 is not among the FeatureTypeValues`},
		{"no feature type", `<Feature ID="521" FeatureTypeID="13">`, `<Feature ID="521" ofac:FeatureTypeID="13">`, `FeatureTypeID "" of feature 521`},
		{"no feature types", element(t, doc, "FeatureTypeValues"), "", `FeatureTypeID "13" of feature 501 is not among`},
		{"feature type twice", `<FeatureType ID="345"`, `<FeatureType ID="344"`, `FeatureType ID 344 is both "Digital Currency Address - XBT" and "Digital Currency Address - ETH"`},
		{"feature type without ID", `<FeatureType ID="345"`, `<FeatureType`, `the FeatureType "Digital Currency Address - ETH" has no ID`},
		{"feature outside a profile", party103, strings.Replace(party103, "<Profile ", "<New><Feature FeatureTypeID='344'/></New><Profile ", 1), "a <Feature> that is not in a Profile"},
		{"feature in an identity", party103, strings.Replace(party103, "<DocumentedNamePart>", "<Feature FeatureTypeID='344'/><DocumentedNamePart>", 1), "a <Feature> that is not in a Profile"},
		{"feature beside the parties", party103, "<Profile><Feature/></Profile>", "a <Feature> that is not in a Profile"},
		{"feature in a feature's version", "<Comment>Also on", "<Feature/><Comment>Also on", "a <Feature> that is not in a Profile"},
		{"address feature without ID", `<Feature ID="531" `, "<Feature ", "party 104 has an address <Feature> without ID"},
		{"empty address", address104, strings.Replace(address104, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "", 1), `party 104: address feature 531 has a detail of type TEXT and text ""`},
		{"blank address", address104, strings.Replace(address104, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb", "&#10; ", 1), `party 104: address feature 531 has a detail of type TEXT and text "\n "`},
		{"address by reference", address104, strings.Replace(address104, `"1432">T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb`, `"1431" DetailReferenceID="1">`, 1), "party 104: address feature 531 has a detail of type LOOKUP"},
		{"address of another kind", address104, strings.Replace(address104, "1432", "1430", 1), "party 104: address feature 531 has a detail of type DATE and text \"T9yD14"},
		{"address with elements", address104, strings.Replace(address104, `T9yD14`, `<b/>T9yD14`, 1), "an element where only text is expected"},
		{"unknown detail type", address104, strings.Replace(address104, "1432", "1499", 1), `party 104: DetailTypeID "1499" is not among the DetailTypeValues`},
		{"version without text", address104, strings.Replace(address104, "VersionDetail", "OtherDetail", 2), "party 104: the version of line 238 of address feature 531 has no text"},
		{"address without version", `<FeatureVersion ID="631" ReliabilityID="1"><Comment /><VersionDetail DetailTypeID="1432">T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb</VersionDetail></FeatureVersion>`, "",
			"party 104: address feature 531 of line 237 has no version"},
		{"unknown reliability", `<FeatureVersion ID="631" ReliabilityID="1">`, `<FeatureVersion ID="631" ReliabilityID="2">`, `party 104: ReliabilityID "2" is not among the ReliabilityValues`},
		{"two comments", "<Comment>Also on", "<Comment>x</Comment><Comment>Also on", "a second <Comment>"},
		{"party twice", `<DistinctParty FixedRef="105">`, `<DistinctParty FixedRef="101">`, "a second <DistinctParty> with FixedRef 101, after that of line 91"},
		{"party without id", `<DistinctParty FixedRef="103">`, `<DistinctParty>`, "a <DistinctParty> without FixedRef"},
		{"profile without id", `<Profile ID="104" `, `<Profile `, "party 104 has a <Profile> without ID"},
		{"profile of two parties", `<Profile ID="104" `, `<Profile ID="101" `, "Profile 101 is of party 101 and of party 104"},
		{"unknown subtype", `<Profile ID="104" PartySubTypeID="1">`, `<Profile ID="104" PartySubTypeID="9">`, `party 104: PartySubTypeID "9" is not among the PartySubTypeValues`},
		{"unknown type", `<PartySubType ID="3" PartyTypeID="2">`, `<PartySubType ID="3" PartyTypeID="7">`, `party 101: PartyTypeID "7" is not among the PartyTypeValues`},
		{"unknown alias type", `<AliasType ID="1402">N.K.A.</AliasType>`, "", `party 102: AliasTypeID "1402" is not among the AliasTypeValues`},
		{"unknown name part type", `<NamePartType ID="1526">Vessel Name</NamePartType>`, "", `party 104: NamePartTypeID "1526" is not among`},
		{"unknown name part group", `<NamePartGroup ID="431" `, `<NamePartGroup ID="432" `, `party 104: NamePartGroupID "431" is not among its NamePartGroups`},
		{"name part group of another party", `<NamePartValue NamePartGroupID="431" `, `<NamePartValue NamePartGroupID="421" `, `party 104: NamePartGroupID "421" is not among its NamePartGroups`},
		{"unknown script", `<Script ID="220" ScriptCode="Cyrl">Cyrillic</Script>`, "", `party 101: ScriptID "220" is not among`},
		{"no name", `<NamePartValue NamePartGroupID="431" ScriptID="215" ScriptStatusID="1" Acronym="false">Flying Dutchman</NamePartValue>`, "", "party 104, of line"},
		{"unknown list", `ProfileID="104" ListID="91512"`, `ProfileID="104" ListID="91513"`, `party 104: ListID "91513" is not among the ListValues`},
		{"unknown legal basis", `<LegalBasis ID="92001" `, `<LegalBasis ID="92009" `, `party 101: LegalBasisID "92001" is not among the LegalBasisValues`},
		{"unknown event type", `<EntryEventType ID="2">Amended</EntryEventType>`, "", `party 101: EntryEventTypeID "2" is not among`},
		{"unknown sanctions type", `<SanctionsType ID="1705">Block</SanctionsType>`, "", `party 101: SanctionsTypeID "1705" is not among`},
		{"event without date", `<Date CalendarTypeID="1"><Year>2019</Year><Month>3</Month><Day>1</Day></Date>`, "", "party 104: the <EntryEvent> of line"},
		{"event with two dates", `<Year>2019</Year>`, `<Year>2019</Year><Month>3</Month><Day>1</Day></Date><Date><Year>2019</Year>`, "party 104: a second <Date>"},
		{"event on no day", `<Month>3</Month><Day>1</Day>`, `<Month>13</Month><Day>1</Day>`, "no such date"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, replaceOnce(t, doc, tt.old, tt.new), "ofac: SDN_ADVANCED: line ", tt.want)
		})
	}
}

func TestErrorsSDN(t *testing.T) {
	doc := fixture(t, "sdn.xml")
	const xbt = "<idType>Digital Currency Address - QQQ</idType>"
	const number = "<idNumber> qqq:of-a-coin-yet-unknown </idNumber>"
	tests := []struct{ name, old, new, want string }{
		{"no publication", element(t, doc, "publshInformation"), "", `publshInformation/Publish_Date "", want a date such as 11/04/2025`},
		{"no date", "<Publish_Date>02/07/2025</Publish_Date>", "", `publshInformation/Publish_Date ""`},
		{"no such date", "02/07/2025", "02/30/2025", `publshInformation/Publish_Date "02/30/2025"`},
		{"ISO date", "02/07/2025", "2025-02-07", `publshInformation/Publish_Date "2025-02-07"`},
		{"no count", "<Record_Count>5</Record_Count>", "", `publshInformation/Record_Count "", want a number`},
		{"other count", "<Record_Count>5</Record_Count>", "<Record_Count>6</Record_Count>", "Record_Count announces 6 entries, the document has 5"},
		{"entry too many", "<Record_Count>5</Record_Count>", "<Record_Count>4</Record_Count>", "Record_Count announces 4 entries, the document has 5"},
		{"count in words", "<Record_Count>5</Record_Count>", "<Record_Count>five</Record_Count>", `publshInformation/Record_Count "five"`},
		{"entry lost", doc[strings.LastIndex(doc, "<sdnEntry>"):strings.Index(doc, "</sdnList>")], "", "Record_Count announces 5 entries, the document has 4"},
		{"entry without uid", "<uid>103</uid>", "", "the <sdnEntry> of line 119 has no uid"},
		{"entry with two uids", "<uid>103</uid>", "<uid>103</uid><uid>108</uid>", `a second <uid>: "108" after "103"`},
		{"entry twice", "<uid>105</uid>", "<uid>101</uid>", "a second <sdnEntry> with uid 101, after that of line 8"},
		{"entry without name", "<lastName>FLYING DUTCHMAN</lastName>", "", "uid 104, has no name"},
		{"id without type", xbt, "", `uid "100506", has no idType`},
		{"id without number", number, "", `uid "100506", Digital Currency Address - QQQ, has no idNumber`},
		{"id with blank number", number, "<idNumber> </idNumber>", `has no idNumber`},
		{"id with two numbers", number, number + "<idNumber>x</idNumber>", `a second <idNumber>: "x" after " qqq`},
		{"id with element", number, "<idNumber>a<b/>c</idNumber>", "an element where only text is expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantError(t, replaceOnce(t, doc, tt.old, tt.new), "ofac: SDN.XML: line ", tt.want) })
	}
}

func TestErrorsEnhanced(t *testing.T) {
	doc := fixture(t, "enhanced.xml")
	const feature104 = `<feature id="531">
          <type featureTypeId="992">Digital Currency Address - TRX</type>`
	const value506 = "<value> qqq:of-a-coin-yet-unknown </value>"
	tests := []struct{ name, old, new, want string }{
		{"no publication", element(t, doc, "publicationInfo"), "", "the document has no publicationInfo/dataAsOf"},
		{"no date", "<dataAsOf>2025-02-07T00:00:00</dataAsOf>", "", `publicationInfo/dataAsOf "", want a date and time`},
		{"no such date", "2025-02-07T", "2025-02-30T", `publicationInfo/dataAsOf "2025-02-30T00:00:00", want a date and time`},
		{"date of SDN.XML", "2025-02-07T00:00:00", "02/07/2025", `publicationInfo/dataAsOf "02/07/2025"`},
		{"publication twice", "<referenceValues>", "<publicationInfo><dataAsOf>2025-02-08T00:00:00</dataAsOf></publicationInfo><referenceValues>", "a second <publicationInfo>"},
		{"no entities", element(t, doc, "entities"), "", "the document has no <entities>"},
		{"entities twice", "</entities>", "</entities><entities/>", "a second <entities>"},
		{"no entity", element(t, doc, "entities"), "<entities/>", "no entry of the document is on a list"},
		{"other list", `id="905" datePublished="2001-01-01">SDN List`, `id="905" datePublished="2001-01-01">Consolidated List`,
			`the document is of another list: 2 entries are on the list "SDN List", 4 on ["Consolidated List"]`},
		{"delta file", "<dataAsOf>2025-02-07T00:00:00</dataAsOf>", "<datePublished>2025-02-07T00:00:00-05:00</datePublished><publicationType>Standard Action</publicationType>",
			"the document is a delta file, which holds changes and is no complete list"},
		{"delta file with the date of a list", `<entity id="103">`, `<entity id="103" action="add">`, "entity 103 has an action: the document is a delta file"},
		{"entity without id", `<entity id="103">`, "<entity>", "an <entity> without id"},
		{"entity twice", `<entity id="103">`, `<entity id="101">`, "a second <entity> with id 101, after that of line 16"},
		{"two types", `<entityType refId="602">Vessel</entityType>`, `<entityType>Vessel</entityType><entityType>Entity</entityType>`, "a second <entityType>"},
		{"list without date", ` id="907" datePublished="2019-03-01"`, ` id="907"`, `entity 104: datePublished of "Consolidated List": date "" is not of the form`},
		{"no name", `<formattedFullName>FLYING DUTCHMAN</formattedFullName>`, "", "entity 104, of line"},
		{"feature without type", feature104, `<feature id="531">`, "id \"531\", has no type"},
		{"address feature without id", feature104, strings.Replace(feature104, ` id="531"`, "", 1), "entity 104 has an address <feature> without id"},
		{"address without value", value506, "", "entity 101: address feature 506 of line 117 has no value"},
		{"address by reference", value506, "<valueRefId>1</valueRefId>", "address feature 506 of line 117 has no value"},
		{"blank address", value506, "<value> </value>", `entity 101: address feature 506 has the value " "`},
		{"address with elements", value506, "<value>a<b/>c</value>", "an element where only text is expected"},
		{"two comments", "<comment>Also on", "<comment>x</comment><comment>Also on", "a second <comment>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wantError(t, replaceOnce(t, doc, tt.old, tt.new), "ofac: SDN_ENHANCED: line ", tt.want)
		})
	}
}

// Every value of a feature is an address.
func TestSeveralValues(t *testing.T) {
	doc := replaceOnce(t, fixture(t, "enhanced.xml"), "<value> qqq:of-a-coin-yet-unknown </value>", "<value>first</value><comments>of both</comments><value>second</value>")
	pub, err := Parse(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := []screen.PublishedAddress{
		{Text: "first", Symbol: "QQQ", SourceIDs: []string{"506"}, Comment: "of both"},
		{Text: "second", Symbol: "QQQ", SourceIDs: []string{"506"}, Comment: "of both"},
	}
	if got := pub.Parties[0].Addresses[3:]; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEntityName(t *testing.T) {
	tests := []struct {
		name entityName
		typ  screen.PartyType
		want string
	}{
		{entityName{full: "CHEN, Zhi"}, screen.PartyIndividual, "Zhi CHEN"},
		{entityName{full: "DELOS REYES, Feliciano Semborio, Jr."}, screen.PartyIndividual, "Feliciano Semborio, Jr. DELOS REYES"},
		{entityName{full: "SANTOSO"}, screen.PartyIndividual, "SANTOSO"},
		{entityName{first: "Zhi", last: "CHEN", full: "CHEN, Zhi"}, screen.PartyIndividual, "Zhi CHEN"},
		{entityName{first: "Zhi", last: "CHEN"}, screen.PartyIndividual, "Zhi CHEN"},
		{entityName{last: "SANTOSO"}, screen.PartyIndividual, "SANTOSO"},
		{entityName{full: "KLICHKO, Ivan P", weak: true}, screen.PartyIndividual, "KLICHKO, Ivan P"},
		{entityName{first: "Ivan P", last: "KLICHKO", weak: true}, screen.PartyIndividual, "KLICHKO, Ivan P"},
		{entityName{full: "CECOEX, S.A."}, screen.PartyEntity, "CECOEX, S.A."},
		{entityName{full: "CECOEX, S.A.", last: "CECOEX, S.A."}, screen.PartyUnspecified, "CECOEX, S.A."},
		{entityName{}, screen.PartyEntity, ""},
	}
	for _, tt := range tests {
		if got := tt.name.text(tt.typ); got != tt.want {
			t.Errorf("%+v of %v: %q, want %q", tt.name, tt.typ, got, tt.want)
		}
	}
}

// The consolidated lists come in the layouts of the SDN List.
func TestParseConsolidated(t *testing.T) {
	lists := []string{"Non-SDN Palestinian Legislative Council List", "Sectoral Sanctions Identifications List", "Non-SDN List of a later year"}
	for i, name := range fixtures {
		doc := fixture(t, name)
		if name != "sdn.xml" {
			_, err := ParseConsolidated(strings.NewReader(doc))
			if err == nil || !strings.Contains(err.Error(), `the document is of the SDN List: 3 entries are on ["SDN List"], 3 on others`) {
				t.Errorf("%s: %v", name, err)
			}
			doc = strings.ReplaceAll(doc, ">SDN List<", ">"+lists[i]+"<")
			wantError(t, doc, "ofac: ", "the document is of another list: 0 entries")
		}
		pub, err := ParseConsolidated(strings.NewReader(doc))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := sameInAll(parseFixture(t, name))
		if got := sameInAll(pub); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got\n%s", name, readable(t, *got))
		}
	}

	// What the other lists say is then what counts, and the SDN List is the other one.
	for _, name := range []string{"advanced.xml", "enhanced.xml"} {
		doc := strings.NewReplacer(">SDN List<", ">x<", ">Consolidated List<", ">SDN List<").Replace(fixture(t, name))
		doc = strings.Replace(strings.ReplaceAll(doc, ">x<", ">Consolidated List<"), `<SanctionsEntry ID="908" ProfileID="1102" ListID="91512">`, `<SanctionsEntry ID="908" ProfileID="1102" ListID="1550">`, 1)
		doc = strings.Replace(doc, `id="908" datePublished="2011-11-11">SDN List`, `id="908" datePublished="2011-11-11">Consolidated List`, 1)
		pub, err := ParseConsolidated(strings.NewReader(doc))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []screen.Date
		for _, p := range pub.Parties {
			for _, e := range p.Facts.Entries {
				got = append(got, e.On)
			}
		}
		want := []screen.Date{20220405, 20240229, 20231231, 20111111, 20190301}
		if name == "enhanced.xml" {
			want = slices.Delete(want, 1, 2) // one date a list
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: entries %v, want %v", name, got, want)
		}
	}
}

// What the parsers have no rule for is counted by its place.
func TestUnexpected(t *testing.T) {
	tests := []struct{ fixture, old, new, want string }{
		{"sdn.xml", "<sdnEntry>\n    <uid>103", "<sdnEntry>\n    <walletList><wallet>x</wallet></walletList><uid>103", "element sdnList/sdnEntry/walletList"},
		{"sdn.xml", "<publshInformation>", "<publishInformation/><publshInformation>", "element sdnList/publishInformation"},
		{"sdn.xml", "<Record_Count>", "<List_Name/><Record_Count>", "element sdnList/publshInformation/List_Name"},
		{"sdn.xml", "<idType>Passport", "<chain/><idType>Passport", "element sdnList/sdnEntry/idList/id/chain"},
		{"sdn.xml", "<program>CUBA", "<programme/><program>CUBA", "element sdnList/sdnEntry/programList/programme"},
		{"sdn.xml", "<uid>9315</uid>", "<new/><uid>9315</uid>", "element sdnList/sdnEntry/akaList/aka/new"},
		{"advanced.xml", "<DistinctParties>", "<Wallets/><DistinctParties>", "element Sanctions/Wallets"},
		{"advanced.xml", `<DistinctParty FixedRef="103">`, `<Party/><DistinctParty FixedRef="103">`, "element Sanctions/DistinctParties/Party"},
		{"advanced.xml", `<Profile ID="103"`, `<Wallet/><Profile ID="103"`, "element Sanctions/DistinctParties/DistinctParty/Wallet"},
		{"advanced.xml", `<Feature ID="521"`, `<Wallet/><Feature ID="521"`, "element Sanctions/DistinctParties/DistinctParty/Profile/Wallet"},
		{"advanced.xml", `<FeatureVersion ID="631"`, `<Wallet/><FeatureVersion ID="631"`, "element Sanctions/DistinctParties/DistinctParty/Profile/Feature/Wallet"},
		{"advanced.xml", "<Comment>Also on", "<Chain/><Comment>Also on", "element Sanctions/DistinctParties/DistinctParty/Profile/Feature/FeatureVersion/Chain"},
		{"advanced.xml", `<SanctionsEntry ID="905"`, `<Entry/><SanctionsEntry ID="905"`, "element Sanctions/SanctionsEntries/Entry"},
		{"advanced.xml", `<EntryEvent ID="906"`, `<Delisting/><EntryEvent ID="906"`, "element Sanctions/SanctionsEntries/SanctionsEntry/Delisting"},
		{"enhanced.xml", "<referenceValues>", "<wallets/><referenceValues>", "element sanctionsData/wallets"},
		{"enhanced.xml", "<filters>", "<filters><sanctionsPrograms/>", "element sanctionsData/publicationInfo/filters/sanctionsPrograms"},
		{"enhanced.xml", "<filters>", "<new/><filters>", "element sanctionsData/publicationInfo/new"},
		{"enhanced.xml", `<entity id="103">`, `<party/><entity id="103">`, "element sanctionsData/entities/party"},
		{"enhanced.xml", `<entity id="103">`, `<entity id="103"><wallets/>`, "element sanctionsData/entities/entity/wallets"},
		{"enhanced.xml", `<feature id="521">`, `<wallet/><feature id="521">`, "element sanctionsData/entities/entity/features/wallet"},
		{"enhanced.xml", "<comment>Also on", "<chain/><comment>Also on", "element sanctionsData/entities/entity/features/feature/chain"},
		{"enhanced.xml", `<name id="321">`, `<name id="321"><new/>`, "element sanctionsData/entities/entity/names/name/new"},
	}
	for _, tt := range tests {
		want := parseFixture(t, tt.fixture)
		want.Unexpected = map[string]int{tt.want: 1}
		pub, err := Parse(strings.NewReader(replaceOnce(t, fixture(t, tt.fixture), tt.old, tt.new)))
		if err != nil {
			t.Errorf("%s: %v", tt.want, err)
		} else if !reflect.DeepEqual(pub, want) {
			t.Errorf("%s: got %v", tt.want, pub.Unexpected)
		}
	}
}

// An id whose uid is not above the offset, or none, has no id in SDN_ADVANCED; its
// address counts all the same.
func TestSDNIDWithoutFeature(t *testing.T) {
	doc := fixture(t, "sdn.xml")
	for _, uid := range []string{"", "<uid>100000</uid>", "<uid>x1</uid>"} {
		pub, err := Parse(strings.NewReader(replaceOnce(t, doc, "<uid>100506</uid>", uid)))
		if err != nil {
			t.Fatal(err)
		}
		var without []string
		for _, p := range pub.Parties {
			for _, a := range p.Addresses {
				if a.SourceIDs == nil {
					without = append(without, a.Symbol)
				}
			}
		}
		if !slices.Equal(without, []string{"QQQ"}) {
			t.Errorf("%q: rows without an id: %q, want that of QQQ", uid, without)
		}
	}
}

func wantError(t *testing.T, doc, prefix, want string) {
	t.Helper()
	pub, err := Parse(strings.NewReader(doc))
	if err == nil {
		t.Fatalf("no error, want %q; got\n%s", want, readable(t, *pub))
	}
	if !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %q", err, prefix+"..."+want)
	}
	if pub != nil {
		t.Error("an error and a publication")
	}
}

func TestErrorsOfAnyDocument(t *testing.T) {
	tests := []struct{ name, input, want string }{
		{"empty", "", "ofac: line 1: unexpected EOF: no root element"},
		{"HTML", "<html><head><title>Service Unavailable</title><body>", "ofac: line 1: root element <html>, want <Sanctions> (SDN_ADVANCED), <sdnList> (SDN.XML) or <sanctionsData> (SDN_ENHANCED)"},
		{"HTML of old", "<!DOCTYPE html><html>", "ofac: line 1: a DOCTYPE or other declaration, which is refused"},
		{"JSON", `{"message":"Forbidden"}`, "ofac: line 1: text outside the root element: \"{"},
		{"root", "<?xml version='1.0'?>\n<Designations>", "ofac: line 2: root element <Designations>, want <Sanctions> (SDN_ADVANCED), <sdnList> (SDN.XML) or <sanctionsData> (SDN_ENHANCED)"},
		{"nothing in SDN_ENHANCED", "<sanctionsData/>", "the document has no publicationInfo/dataAsOf"},
		{"nothing in it", "<Sanctions/>", "the document has no <DateOfIssue>"},
		{"billion laughs", `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Sanctions>&b;</Sanctions>`, "a DOCTYPE or other declaration, which is refused"},
	}
	for _, name := range fixtures {
		doc := fixture(t, name)
		lines := strings.Count(doc, "\n")
		tests = append(tests, []struct{ name, input, want string }{
			{name + ": entity", strings.Replace(doc, "1BitcoinEater", "1&Bitcoin;Eater", 1), "the entity &Bitcoin;, which is refused"},
			{name + ": twice", doc + doc, fmt.Sprintf("line %d: an XML declaration, which may only begin the document", lines+1)},
			{name + ": text behind", doc + "\x1a", fmt.Sprintf("line %d: text outside the root element", lines+1)},
			{name + ": HTML behind", doc + "<html>", "a second root element <html>"},
		}...)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantError(t, tt.input, "ofac: ", tt.want) })
	}
}

// A document cut short anywhere is an error, up to the end tag of its root.
func TestTruncated(t *testing.T) {
	for _, name := range fixtures {
		doc := fixture(t, name)
		tail := strings.LastIndex(doc, "</")
		tail += strings.IndexByte(doc[tail:], '>') + 1
		step := 1
		if parsertest.UnderRace {
			step = 13 // a scanner for each cut
		}
		for n := 0; n < len(doc); n += step {
			_, err := Parse(strings.NewReader(doc[:n]))
			if n < tail && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s cut at byte %d of %d: %v", name, n, len(doc), err)
			}
			inComment := strings.LastIndex(doc[tail:max(tail, n)], "<") > strings.LastIndex(doc[tail:max(tail, n)], ">")
			if n >= tail && (err != nil) != inComment {
				t.Errorf("%s cut at byte %d, behind the root, in a comment: %v: %v", name, n, inComment, err)
			}
		}
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("connection reset")
	for _, name := range fixtures {
		_, err := Parse(io.MultiReader(strings.NewReader(fixture(t, name)), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("%s, whole, then an error of the reader: %v", name, err)
		}
	}
}

// No input makes a publication of any size in memory.
func TestTooMuchToKeep(t *testing.T) {
	if parsertest.UnderRace {
		t.Skip("not run with -race: documents of many megabytes, and one goroutine")
	}
	const want = "names and addresses of more than 67108864 bytes"
	entry := func(inner string) string {
		return "<sdnList><sdnEntry><uid>1</uid><lastName>X</lastName>" + inner + "</sdnEntry></sdnList>"
	}
	program := "<program>" + strings.Repeat("x", 1<<20-100) + "</program>"
	t.Run("long programs", func(t *testing.T) {
		wantError(t, entry("<programList>"+strings.Repeat(program, 65)+"</programList>"), "ofac: SDN.XML: line 1, in sdnList/sdnEntry", want)
	})
	t.Run("many aliases", func(t *testing.T) {
		wantError(t, entry("<akaList>"+strings.Repeat("<aka><lastName>x</lastName></aka>", 1<<20+1)+"</akaList>"), "ofac: SDN.XML: ", want)
	})
	doc := fixture(t, "advanced.xml")
	t.Run("many spellings", func(t *testing.T) {
		many := strings.Repeat("<DocumentedName DocNameStatusID='1'/>", 1<<20+1)
		wantError(t, replaceOnce(t, doc, `<DocumentedName ID="321"`, many+`<DocumentedName ID="321"`), "ofac: SDN_ADVANCED: ", want)
	})
	t.Run("what is dropped does not count", func(t *testing.T) {
		const one = `<SanctionsEntry ID="905" ProfileID="103" ListID="1550"/>`
		many := strings.Repeat(one, 64<<20/xmlstream.StringCost)
		if _, err := Parse(strings.NewReader(replaceOnce(t, doc, `<SanctionsEntry ID="905"`, many+`<SanctionsEntry ID="905"`))); err != nil {
			t.Error(err)
		}

		dropped := "</uid><lastName>" + strings.Repeat("x", 1<<19) + "</lastName></sdnEntry>"
		var b strings.Builder
		b.WriteString("<sdnList><publshInformation><Publish_Date>01/31/2025</Publish_Date><Record_Count>130</Record_Count></publshInformation>")
		for i := range 130 {
			fmt.Fprintf(&b, "<sdnEntry><uid>%d%s", i, dropped)
		}
		b.WriteString("</sdnList>")
		if _, err := Parse(strings.NewReader(b.String())); err != nil {
			t.Error(err)
		}
	})
}

// FuzzParse checks that what is accepted keeps the promises of a publication,
// and is accepted the same when it comes in pieces.
func FuzzParse(f *testing.F) {
	for _, name := range fixtures {
		f.Add([]byte(fixture(f, name)))
	}
	f.Add([]byte("<sdnList><publshInformation><Publish_Date>01/01/2025</Publish_Date><Record_Count>0</Record_Count></publshInformation></sdnList>"))
	f.Add([]byte("<sanctionsData><publicationInfo><dataAsOf>2025-01-01T00:00:00</dataAsOf></publicationInfo><entities/></sanctionsData>"))
	f.Add([]byte("<Sanctions><DateOfIssue><Year>2025</Year><Month>1</Month><Day>1</Day></DateOfIssue></Sanctions>"))
	f.Fuzz(func(t *testing.T, in []byte) {
		pub, err := Parse(bytes.NewReader(in))
		again, err2 := Parse(iotest.OneByteReader(bytes.NewReader(in)))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !reflect.DeepEqual(pub, again) {
			t.Fatalf("whole: %v; in pieces: %v", err, err2)
		}
		if err != nil {
			if pub != nil || len(err.Error()) > 8<<10 {
				t.Fatalf("error of %d bytes, publication %v", len(err.Error()), pub)
			}
			return
		}
		if _, err := ParseConsolidated(bytes.NewReader(in)); err == nil && !bytes.Contains(in, []byte("sdnList")) {
			t.Fatal("it is the SDN List and the consolidated lists")
		}
		if pub.PublishedOn == 0 || pub.Records < len(pub.Parties) {
			t.Fatalf("date %v, %d records, %d parties", pub.PublishedOn, pub.Records, len(pub.Parties))
		}
		for _, p := range pub.Parties {
			if p.UID == "" || p.Facts.Name == "" || len(p.Addresses) == 0 {
				t.Fatalf("party %+v", p)
			}
			for _, a := range p.Addresses {
				if strings.TrimSpace(a.Text) == "" || len(a.SourceIDs) > 1 || !bytes.Contains(in, []byte("ddress")) {
					t.Fatalf("address %+v", a)
				}
			}
		}
	})
}
