// Package uk reads the UK Sanctions List of the Foreign, Commonwealth and
// Development Office, in its XML and its CSV form
// (https://www.gov.uk/government/publications/the-uk-sanctions-list). Parse
// tells them apart by content.
//
// XML: root Designations, DateGenerated as DD/MM/YYYY, a Designation for each
// party. CSV: a first line "Report Date: 08-Oct-2026", a header of 58 columns,
// and a row for each alias and each address of each party, with all else
// repeated. The same publication gives the same parties in both.
//
// Neither has a field for digital currency addresses: they stand in
// OtherInformation, labeled or not. All that is printed of a party, but for its
// names, is read for them, elements and columns that are new included; those are
// counted as well. See package freetext for what is taken.
//
// What is not obvious:
//
//   - Name6 is the family name of a person and the whole name of an entity.
//   - The letter case of NameType varies ("Alias", "ALias").
//   - DateDesignated is the party's date; an address may have been added years
//     later. The regime is the legal basis of the entry and the program.
//   - An address may be printed with several labels, each on its own: "ETH: 0x...
//     BNB: 0x...". Those are several rows.
//   - The Consolidated List of OFSI, at HM Treasury, ended on 28 January 2026. Its
//     files can still be found and are refused.
//   - Nothing ends the CSV: one that is cut between two rows cannot be told from a
//     whole one. The XML can.
package uk

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"walletscreen/loader/freetext"
	"walletscreen/screen"
)

// errOFSI refuses the list that the UK had beside this one.
var errOFSI = errors.New("the OFSI Consolidated List, which ended on 28 January 2026: load the UK Sanctions List")

const byteOrderMark = "\ufeff"

// Parse reads one publication to its end. It fills PublishedOn, Records, Parties
// and Unexpected; list, digest and source are the caller's to set. Parties stand
// in document order.
//
// An error says the line and the element or column: a document that is cut short
// or of another list, a publication without a date, a designation without an id
// or with that of another. A date of a designation that is not DD/MM/YYYY is
// counted and left out.
func Parse(r io.Reader) (*screen.Publication, error) {
	in := bufio.NewReader(r)
	if mark, _ := in.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = in.Discard(len(byteOrderMark))
	}
	head, err := in.Peek(512)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("uk: reading: %w", err)
	}
	switch head = bytes.TrimLeft(head, " \t\r\n"); {
	case len(head) == 0:
		return nil, fmt.Errorf("uk: %w: nothing to read", io.ErrUnexpectedEOF)
	case head[0] == '<':
		pub, err := parseXML(in)
		if err != nil {
			return nil, fmt.Errorf("uk: XML: %w", err)
		}
		return pub, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return nil, errors.New("uk: a workbook or archive, want the XML or CSV file of the UK Sanctions List")
	}
	pub, err := parseCSV(in)
	if err != nil {
		return nil, fmt.Errorf("uk: CSV: %w", err)
	}
	return pub, nil
}

// designation is what is known of one party so far.
type designation struct {
	uid        string
	designated string // date as printed
	regime     string
	kind       string // "Individual", "Entity" or "Ship"
	names      []name
	nonLatin   []string
	known      map[name]bool // of names and of nonLatin
	rows       freetext.Rows
}

// name is a name as the list has it.
type name struct {
	full     string
	kind     string // NameType in lower case
	strength string
}

const (
	primaryName = "primary name"
	nonLatin    = "non-Latin script" // the type of such an alias

	nameCost = 256 // what a name takes beside its bytes, about
)

// newName puts Name1 to Name6 together.
func newName(parts [6]string, kind, strength string) name {
	var full []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			full = append(full, p)
		}
	}
	return name{strings.Join(full, " "), strings.ToLower(strings.TrimSpace(kind)), strings.TrimSpace(strength)}
}

// weak reports whether the name is a "Low quality a.k.a".
func (n name) weak() bool { return strings.HasPrefix(strings.ToLower(n.strength), "low") }

// addName adds a name unless it is empty or known, and returns the number of bytes
// that this keeps, about.
func (d *designation) addName(n name) int {
	if n.full == "" || !d.isNew(n) {
		return 0
	}
	d.names = append(d.names, n)
	return len(n.full) + len(n.kind) + len(n.strength) + nameCost
}

// addNonLatin does the same with a name in another script.
func (d *designation) addNonLatin(n string) int {
	if n = strings.TrimSpace(n); n == "" || !d.isNew(name{full: n, kind: nonLatin}) {
		return 0
	}
	d.nonLatin = append(d.nonLatin, n)
	return len(n) + nameCost
}

func (d *designation) isNew(n name) bool {
	if d.known[n] {
		return false
	}
	if d.known == nil {
		d.known = make(map[name]bool)
	}
	d.known[n] = true
	return true
}

// party returns what a publication says of the designation, and counts what is
// not as it should be.
func (d *designation) party(counts freetext.Counts) screen.PublishedParty {
	p := screen.PublishedParty{UID: d.uid, Addresses: d.rows.Addresses()}
	switch strings.ToLower(d.kind) {
	case "individual":
		p.Facts.Type = screen.PartyIndividual
	case "entity":
		p.Facts.Type = screen.PartyEntity
	case "ship":
		p.Facts.Type = screen.PartyVessel
	default:
		counts.Add("a type of party other than Individual, Entity and Ship")
	}
	if p.Facts.Type != screen.PartyUnspecified && plain(d.uid) {
		p.Facts.URL = "https://search-uk-sanctions-list.service.gov.uk/designations/" + d.uid + "/" + d.kind
	}
	primary := 0
	for i, n := range d.names {
		if n.kind == primaryName {
			primary = i
			break
		}
	}
	for i, n := range d.names {
		if i == primary {
			p.Facts.Name = n.full
		} else {
			p.Facts.Aliases = append(p.Facts.Aliases, screen.Alias{Name: n.full, Type: n.kind, Weak: n.weak()})
		}
	}
	for _, n := range d.nonLatin {
		p.Facts.Aliases = append(p.Facts.Aliases, screen.Alias{Name: n, Type: nonLatin})
	}
	if d.regime != "" {
		p.Facts.Programs = []string{d.regime}
	}
	if d.designated != "" {
		if on, err := date(d.designated); err != nil {
			counts.Add("DateDesignated that is not DD/MM/YYYY")
		} else {
			p.Facts.Entries = []screen.EntryEvent{{On: on, LegalBasis: d.regime}}
		}
	}
	return p
}

// plain reports whether an id can stand in a URL as it is.
func plain(uid string) bool {
	return strings.Trim(uid, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// date reads DD/MM/YYYY and nothing else.
func date(s string) (screen.Date, error) {
	t, err := time.Parse("02/01/2006", s)
	if err != nil {
		return 0, fmt.Errorf("date %.40q is not of the form 08/10/2026, day first", s)
	}
	return screen.DateOf(t), nil
}
