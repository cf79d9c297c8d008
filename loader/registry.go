package loader

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walletscreen/loader/custom"
	"walletscreen/loader/document"
	"walletscreen/loader/eu"
	"walletscreen/loader/fbi"
	"walletscreen/loader/fr"
	"walletscreen/loader/il"
	"walletscreen/loader/jp"
	"walletscreen/loader/ofac"
	"walletscreen/loader/opensanctions"
	"walletscreen/loader/uk"
	"walletscreen/loader/un"
	"walletscreen/screen"
)

// A Registered list is one that the loader knows how to read.
type Registered struct {
	screen.List
	// Locations are where the publisher offers the list, in order of preference;
	// each names the documents that make up one publication, mostly one. None means
	// that an operator supplies the documents.
	Locations [][]string
	// Poll is how long after one look at the publisher the next is due, at the
	// earliest.
	Poll time.Duration
	// License is under which the publisher offers the list.
	License string
	// Default says that the list is loaded when no list is named.
	Default bool
	// Note is what an operator should know before relying on the list, "" if nothing.
	Note string

	forms  document.Form
	parse  func(documents []io.Reader) (*screen.Publication, error)
	limits limits
	// archive is where the publisher says what each publication changed, nil if
	// nowhere.
	archive *archive
}

// An Uncovered list is one that this program knows of and cannot read by machine.
type Uncovered struct {
	screen.List
	// Why it is not covered, and what an operator can do about it.
	Why string
}

const ofacFiles = "https://sanctionslistservice.ofac.treas.gov/api/PublicationPreview/exports/"

// registry holds every list that the loader can read. The facts about publishers,
// limits above all, are of autumn 2026.
var registry = []Registered{
	{
		List: screen.List{
			ID: "us-ofac-sdn", Kind: screen.KindDesignation, Authority: "OFAC",
			Name: "Specially Designated Nationals and Blocked Persons List",
			URL:  "https://sanctionslist.ofac.treas.gov/Home/SdnList",
		},
		Locations: [][]string{
			{ofacFiles + "SDN_ADVANCED.ZIP"},
			{"https://sanctionslistservice.ofac.treas.gov/api/download/SDN_ADVANCED.ZIP"},
			{"https://www.treasury.gov/ofac/downloads/sanctions/1.0/sdn_advanced.xml"},
			{ofacFiles + "SDN_XML.ZIP"},
		},
		Poll:    5 * time.Minute,
		License: "US government work, public domain",
		Default: true,
		forms:   document.XML | document.Text,
		parse:   parseOFAC,
		limits: limits{
			// 1,066 rows of 106 parties among 19,452 entries on 2026-09-30.
			minRecords: 5_000, maxRecords: 60_000, minRows: 500, maxRows: 10_000,
			// The largest true delisting so far took 12.5 % of the rows (2025-03-21), the
			// next 0.2 %. OFAC's delta names what is gone, and then it passes.
			shrink: 0.10,
			// The largest step so far was 134 rows, 17 %, on 2026-07-01.
			growth: 0.50, growthRows: 300,
			canaries: []canary{
				{"27307", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"}, // Lazarus Group, since 2022
				{"36025", "3Lpoy53K625zVeE47ZasiG5jGkAxJ27kh1"},         // Garantex, since 2022
				{"26137", "149w62rY42aZBox8fGcmqNsXUzSStKeq8C"},         // Khorashadizadeh, since 2018
			},
		},
		archive: ofacArchive,
	},
	{
		List: screen.List{
			ID: "us-ofac-cons", Kind: screen.KindDesignation, Authority: "OFAC",
			Name: "Consolidated Sanctions List (non-SDN)",
			URL:  "https://sanctionslist.ofac.treas.gov/Home/ConsolidatedList",
		},
		Locations: [][]string{{ofacFiles + "CONS_ADVANCED.XML"}, {ofacFiles + "CONS_ENHANCED.XML"}, {ofacFiles + "CONSOLIDATED.XML"}},
		Poll:      time.Hour,
		License:   "US government work, public domain",
		Default:   true,
		forms:     document.XML,
		parse:     single(ofac.ParseConsolidated),
		limits:    limits{minRecords: 100, maxRecords: 2_000, mayBeEmpty: true, shrink: 0.10, growth: 0.50, growthRows: 100},
	},
	{
		List: screen.List{
			ID: "uk-sanctions-list", Kind: screen.KindDesignation, Authority: "FCDO",
			Name: "UK Sanctions List",
			URL:  "https://www.gov.uk/government/publications/the-uk-sanctions-list",
		},
		Locations: [][]string{
			{"https://sanctionslist.fcdo.gov.uk/docs/UK-Sanctions-List.xml"},
			{"https://sanctionslist.fcdo.gov.uk/docs/UK-Sanctions-List.csv"},
		},
		Poll:    2 * time.Hour,
		License: "Open Government Licence v3.0",
		Default: true,
		forms:   document.XML | document.Text,
		parse:   single(uk.Parse),
		limits: limits{
			minRecords: 3_000, maxRecords: 20_000, minRows: 40, maxRows: 2_000,
			shrink: 0.25, growth: 1, growthRows: 100,
			canaries: []canary{{"RUS1421", "3Lpoy53K625zVeE47ZasiG5jGkAxJ27kh1"}}, // Garantex
		},
	},
	{
		List: screen.List{
			ID: "eu-fsf", Kind: screen.KindDesignation, Authority: "European Union",
			Name: "Consolidated list of persons, groups and entities subject to EU financial sanctions",
			URL:  "https://data.europa.eu/data/datasets/consolidated-list-of-persons-groups-and-entities-subject-to-eu-financial-sanctions",
		},
		// The token is the public one of the Commission's open data.
		Locations: [][]string{{"https://webgate.ec.europa.eu/fsd/fsf/public/files/xmlFullSanctionsList_1_1/content?token=dG9rZW4tMjAxNw"}},
		Poll:      4 * time.Hour,
		License:   "Commission Decision 2011/833/EU: reuse with the source named",
		Default:   true,
		forms:     document.XML,
		parse:     single(eu.Parse),
		limits: limits{
			minRecords: 3_000, maxRecords: 20_000, minRows: 5, maxRows: 1_000,
			shrink: 0.30, growth: 2, growthRows: 100,
			canaries: []canary{{"EU.12747.39", "0x002471b8A185f9980708d0eAEC5B289714F56f8d"}}, // Garantex
		},
	},
	{
		List: screen.List{
			ID: "un-sc", Kind: screen.KindDesignation, Authority: "UN Security Council",
			Name: "United Nations Security Council Consolidated List",
			URL:  "https://main.un.org/securitycouncil/en/content/un-sc-consolidated-list",
		},
		Locations: [][]string{{"https://scsanctions.un.org/resources/xml/en/consolidated.xml"}},
		Poll:      4 * time.Hour,
		License:   "UN terms of use; reuse terms not established",
		Default:   true,
		forms:     document.XML,
		parse:     single(un.Parse),
		limits:    limits{minRecords: 800, maxRecords: 5_000, mayBeEmpty: true, shrink: 0.50, growth: 1, growthRows: 100},
		Note:      "names parties only so far: no digital currency address was in it in February 2026",
	},
	{
		List: screen.List{
			ID: "us-fbi-ic3", Kind: screen.KindAdvisory, Authority: "FBI",
			Name: "FBI and IC3 notices that attribute addresses",
			URL:  "https://www.ic3.gov/PSA",
		},
		Locations: [][]string{{"https://www.ic3.gov/PSA/2025/PSA250226"}},
		Poll:      24 * time.Hour,
		License:   "US government work, public domain",
		Default:   true,
		forms:     document.HTML,
		parse:     together(fbi.Parse),
		limits:    limits{minRecords: 1, minRows: 40, maxRows: 5_000, shrink: 0.10, growth: 3, growthRows: 300},
		Note:      "attribution, not designation; notices are registered by hand, one URL each, joined by \" + \" in --source",
	},
	{
		List: screen.List{
			ID: "il-nbctf", Kind: screen.KindSeizureOrder, Authority: "NBCTF",
			Name: "Administrative seizure orders of Israel's National Bureau for Counter Terror Financing",
			URL:  "https://nbctf.mod.gov.il/he/MinisterSanctions/PropertyPerceptions/Pages/Blockchain.aspx",
		},
		Poll:    time.Hour,
		License: "reuse terms not established",
		forms:   document.Text | document.XLSX,
		parse:   single(il.Parse),
		limits:  limits{minRecords: 1, maxRows: 20_000, shrink: 0.10, growth: 1, growthRows: 500},
		Note:    "the page keeps programs out: save its table as CSV or XLSX and give that as --source; the English page lags behind the Hebrew one",
	},
	{
		List: screen.List{
			ID: "jp-mof", Kind: screen.KindDesignation, Authority: "MOF",
			Name: "Economic sanctions and list of subject persons (Japan)",
			URL:  "https://www.mof.go.jp/policy/international_policy/gaitame_kawase/gaitame/economic_sanctions/list.html",
		},
		Poll:    time.Hour,
		License: "Government of Japan Standard Terms of Use",
		forms:   document.XLSX | document.Text,
		parse:   single(jp.Parse),
		limits:  limits{minRecords: 1, maxRows: 5_000, shrink: 0.10, growth: 1, growthRows: 200},
		Note:    "the workbook's address changes with every issue: give it as --source",
	},
	{
		List: screen.List{
			ID: "fr-gel-avoirs", Kind: screen.KindDesignation, Authority: "DG Tresor",
			Name: "Registre national des gels (France)",
			URL:  "https://gels-avoirs.dgtresor.gouv.fr/",
		},
		Locations: [][]string{{"https://gels-avoirs.dgtresor.gouv.fr/ApiPublic/api/v1/publication/derniere-publication-fichier-json"}},
		Poll:      4 * time.Hour,
		License:   "Licence Ouverte (assumed, not established)",
		forms:     document.JSON,
		parse:     single(fr.Parse),
		limits:    limits{minRecords: 1_000, maxRecords: 50_000, minRows: 3, maxRows: 1_000, shrink: 0.30, growth: 2, growthRows: 100},
		Note:      "a national copy of the EU's entries, in another typing: eu-fsf is the source",
	},
	{
		List: screen.List{
			ID: "opensanctions", Kind: screen.KindAdvisory, Authority: "OpenSanctions",
			Name: "OpenSanctions crypto wallets",
			URL:  "https://www.opensanctions.org/datasets/sanctions/",
		},
		Locations: [][]string{{"https://data.opensanctions.org/datasets/latest/sanctions/entities.ftm.json"}},
		Poll:      6 * time.Hour,
		License:   "CC BY-NC 4.0: business use needs a license of OpenSanctions",
		forms:     document.JSON,
		parse:     single(opensanctions.Parse),
		limits:    limits{minRecords: 1_000, minRows: 100, shrink: 0.10, growth: 1, growthRows: 500},
		Note:      "aggregates designations and other things: advisory as a whole; load it only under its license",
	},
}

// uncovered holds the publishers that we know of and cannot read by machine.
var uncovered = []Uncovered{
	{
		screen.List{ID: "kr-mofa", Kind: screen.KindDesignation, Authority: "MOFA, MOEF and FSC (South Korea)", Name: "Designations under South Korea's foreign exchange and counter-terrorism acts",
			URL: "https://www.mofa.go.kr/"},
		"published in press releases and the gazette (HWP, PDF); eight wallets of Lazarus stood in that of 2023-02-10: keep a list of your own, see docs/custom-lists.md",
	},
	{
		screen.List{ID: "ua-nsdc", Kind: screen.KindDesignation, Authority: "NSDC (Ukraine)", Name: "State Sanctions Register",
			URL: "https://drs.nsdc.gov.ua/"},
		"no addresses were confirmed in it; the package of 2025-07-06 names 60 firms of the field",
	},
	{
		screen.List{ID: "ch-seco", Kind: screen.KindDesignation, Authority: "SECO (Switzerland)", Name: "Swiss sanctions, overall list",
			URL: "https://www.seco.admin.ch/"},
		"free text only, no address is known in it: not read by this program",
	},
	{
		screen.List{ID: "au-dfat", Kind: screen.KindDesignation, Authority: "DFAT (Australia)", Name: "Australian Sanctions Consolidated List",
			URL: "https://www.dfat.gov.au/international-relations/security/sanctions/consolidated-list"},
		"no address is known in it: not read by this program",
	},
	{
		screen.List{ID: "ca-sema", Kind: screen.KindDesignation, Authority: "Global Affairs Canada", Name: "Consolidated Canadian Autonomous Sanctions List",
			URL: "https://www.international.gc.ca/world-monde/international_relations-relations_internationales/sanctions/consolidated-consolide.aspx"},
		"no address is known in it: not read by this program",
	},
	{
		screen.List{ID: "us-doj-forfeiture", Kind: screen.KindSeizureOrder, Authority: "US Department of Justice", Name: "Civil forfeiture complaints",
			URL: "https://www.justice.gov/"},
		"court papers in PDF, without structure",
	},
	{
		screen.List{ID: "issuer-freezes", Kind: screen.KindAdvisory, Authority: "Tether, Circle", Name: "Addresses frozen by issuers of tokens",
			URL: "https://tether.to/"},
		"acts of private issuers, told by events on chain: no publication to load",
	},
}

// Lookup returns the list with the given id. An id that the registry does not know
// is an operator's own list.
func Lookup(id screen.ListID) (Registered, error) {
	if err := id.Validate(); err != nil {
		return Registered{}, err
	}
	if i := slices.IndexFunc(registry, func(r Registered) bool { return r.ID == id }); i >= 0 {
		return registry[i], nil
	}
	var known []string
	for _, r := range registry {
		known = append(known, string(r.ID))
	}
	return Registered{
		List:  screen.List{ID: id, Kind: screen.KindInternal, Authority: "operator", Name: string(id)},
		Note:  fmt.Sprintf("%q is no published list that this program knows, so it is read as an operator's own list; known: %s", string(id), strings.Join(known, ", ")),
		forms: document.Text | document.JSON,
		parse: single(custom.Parse),
		// An operator may empty half a list, not all of it by a truncated file.
		limits: limits{shrink: 0.5},
	}, nil
}

// Lists returns every list that this program knows how to read.
func Lists() []Registered { return slices.Clone(registry) }

// NotCovered returns the lists that this program knows of and cannot read.
func NotCovered() []Uncovered { return slices.Clone(uncovered) }

// single is a parser of publications of one document.
func single(parse func(io.Reader) (*screen.Publication, error)) func([]io.Reader) (*screen.Publication, error) {
	return func(documents []io.Reader) (*screen.Publication, error) {
		if len(documents) != 1 {
			return nil, fmt.Errorf("a publication of %d documents, want one", len(documents))
		}
		return parse(documents[0])
	}
}

// together is a parser of publications that are several documents of one kind,
// each with parties of its own. The newest date is that of all.
func together(parse func(io.Reader) (*screen.Publication, error)) func([]io.Reader) (*screen.Publication, error) {
	return func(documents []io.Reader) (*screen.Publication, error) {
		all := &screen.Publication{Unexpected: map[string]int{}}
		seen := map[string]bool{}
		for i, d := range documents {
			pub, err := parse(d)
			if err != nil {
				return nil, fmt.Errorf("document %d of %d: %w", i+1, len(documents), err)
			}
			all.PublishedOn = max(all.PublishedOn, pub.PublishedOn)
			all.Records += pub.Records
			for _, p := range pub.Parties {
				if seen[p.UID] {
					return nil, fmt.Errorf("document %d of %d: %s stands in an earlier one", i+1, len(documents), p.UID)
				}
				seen[p.UID] = true
				all.Parties = append(all.Parties, p)
			}
			for what, n := range pub.Unexpected {
				all.Unexpected[what] += n
			}
			all.Incomplete = cmp.Or(all.Incomplete, pub.Incomplete)
		}
		return all, nil
	}
}

// parseOFAC reads the SDN List: one XML document, or sdn.csv and sdn_comments.csv.
func parseOFAC(documents []io.Reader) (*screen.Publication, error) {
	if len(documents) == 2 {
		return ofac.ParseCSV(documents[0], documents[1])
	}
	if d, ok := documents[0].(*document.Document); ok && d.Form() == document.Text {
		return nil, errors.New("it is no XML; sdn.csv alone breaks off in the midst of long remarks and their addresses: give sdn.csv + sdn_comments.csv")
	}
	return single(ofac.Parse)(documents)
}
