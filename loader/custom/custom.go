// Package custom reads an operator's own list, or one that a publisher prints
// without a form that machines read and an operator keeps: a CSV file with a
// header row, one address a row, or a JSON array, one address an object. The
// first character tells them apart.
//
//	column      holds
//	address     the address, as it is to be shown; required, never empty
//	symbol      currency code ("XBT"); not the network, not identity
//	party       name of the party
//	party_id    identifier of the party; rows with the same one are one party
//	party_type  individual, entity, vessel or aircraft
//	programs    program tags, separated by ";"; in JSON an array of them
//	kind        what a match of the row means: internal (or empty), designation,
//	            seizure-order or advisory
//	listed_on   first day on which the row counts, ISO 8601; empty: from its publication on
//	delisted_on first day on which it no longer counts; empty: no end
//	tag         destination tag or memo
//	url         page about the party
//
// Columns may stand in any order; every other name is an error, so that a
// misspelt column cannot go unnoticed. In JSON the columns are the keys of an
// object, and all values but that of programs are strings. A row without party_id
// belongs to the party of its name, or to the list's nameless party.
package custom

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"walletscreen/screen"
)

// maxField is the longest cell that is read, in bytes; of the programs of a JSON
// object, all together.
const maxField = 4096

const byteOrderMark = "\ufeff"

var columns = []string{"address", "symbol", "party", "party_id", "party_type", "programs", "kind", "listed_on", "delisted_on", "tag", "url"}

// Parse reads a list. It sets neither List, PublishedOn nor Digest: the file
// does not say. Errors name the line and the column; in JSON, the entry, from 1,
// the line where it begins, and the key.
func Parse(r io.Reader) (*screen.Publication, error) {
	text := bufio.NewReaderSize(r, 1<<16)
	// Spreadsheets begin "CSV UTF-8" with a byte order mark.
	if head, _ := text.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	p := &parser{party: map[string]int{}, pub: new(screen.Publication), cells: map[string]string{}}
	var err error
	if beginsJSON(text) {
		p.field = "key"
		err = p.readJSON(text)
	} else {
		p.field = "column"
		err = p.readCSV(text)
	}
	if err != nil {
		return nil, fmt.Errorf("custom list: %w", err)
	}
	return p.pub, nil
}

// beginsJSON reports whether the first character that is no white space begins a
// JSON array or object. No name of a column begins so.
func beginsJSON(text *bufio.Reader) bool {
	for n := 1; n <= text.Size(); n++ {
		head, err := text.Peek(n)
		if err != nil {
			return false
		}
		switch head[n-1] {
		case ' ', '\t', '\r', '\n':
		case '[', '{':
			return true
		default:
			return false
		}
	}
	return false
}

type parser struct {
	field string         // what the format calls a column
	party map[string]int // index in pub.Parties by UID
	pub   *screen.Publication

	// The row being read; what it does not say is absent.
	cells    map[string]string
	programs []string
}

// cell notes what the row says in a column.
func (p *parser) cell(name, text string) error {
	if len(text) > maxField || !utf8.ValidString(text) {
		return fmt.Errorf("%s %s: not valid UTF-8 of at most %d bytes", p.field, name, maxField)
	}
	p.cells[name] = strings.TrimSpace(text)
	return nil
}

// program notes one program of the row.
func (p *parser) program(text string) {
	if text = strings.TrimSpace(text); text != "" {
		p.programs = append(p.programs, text)
	}
}

// row adds the row that was read, and begins the next.
func (p *parser) row() error {
	a := screen.PublishedAddress{Text: p.cells["address"], Symbol: p.cells["symbol"], Tag: p.cells["tag"]}
	if a.Text == "" {
		return fmt.Errorf("%s address is empty", p.field)
	}
	var err error
	if a.Kind, err = kind(p.cells["kind"]); err != nil {
		return fmt.Errorf("%s kind: %w", p.field, err)
	}
	if a.ListedOn, err = date(p.cells["listed_on"]); err != nil {
		return fmt.Errorf("%s listed_on: %w", p.field, err)
	}
	if a.DelistedOn, err = date(p.cells["delisted_on"]); err != nil {
		return fmt.Errorf("%s delisted_on: %w", p.field, err)
	}
	if a.DelistedOn != 0 && a.DelistedOn <= a.ListedOn {
		return fmt.Errorf("delisted_on %s is not after listed_on %s", a.DelistedOn, a.ListedOn)
	}
	facts := screen.Facts{Name: p.cells["party"], URL: p.cells["url"], Programs: p.programs}
	if facts.Type, err = screen.ParsePartyType(strings.ToLower(p.cells["party_type"])); err != nil {
		return fmt.Errorf("%s party_type: %w", p.field, err)
	}
	uid := p.cells["party_id"]
	if uid == "" {
		uid = facts.Name
	}
	at, known := p.party[uid]
	if !known {
		at = len(p.pub.Parties)
		p.party[uid] = at
		p.pub.Parties = append(p.pub.Parties, screen.PublishedParty{UID: uid})
	}
	party := &p.pub.Parties[at]
	if err := p.join(&party.Facts, &facts); err != nil {
		return fmt.Errorf("party %q: %w", uid, err)
	}
	party.Addresses = append(party.Addresses, a)
	p.pub.Records++
	clear(p.cells)
	p.programs = nil
	return nil
}

// kind reads the kind of a row, 0 for that of an operator's list.
func kind(word string) (screen.Kind, error) {
	if word == "" {
		return 0, nil
	}
	k, err := screen.ParseKind(strings.ToLower(word))
	if err != nil {
		return 0, fmt.Errorf("%w, want internal, designation, seizure-order or advisory", err)
	}
	if k == screen.KindInternal {
		k = 0
	}
	return k, nil
}

// unknown says of a name that it is no column's.
func (p *parser) unknown(name string) error {
	return fmt.Errorf("unknown %s %.80q, want some of %s", p.field, name, strings.Join(columns, ", "))
}

func date(s string) (screen.Date, error) {
	if s == "" {
		return 0, nil
	}
	return screen.ParseDate(s)
}

// join adds what a row says of a party to what earlier rows said. Programs add
// up; a contradiction in the rest is an error.
func (p *parser) join(have, row *screen.Facts) error {
	for _, program := range row.Programs {
		if !slices.Contains(have.Programs, program) {
			have.Programs = append(have.Programs, program)
		}
	}
	if err := same(&have.Name, row.Name); err != nil {
		return fmt.Errorf("%s party %w", p.field, err)
	}
	if err := same(&have.URL, row.URL); err != nil {
		return fmt.Errorf("%s url %w", p.field, err)
	}
	if have.Type != screen.PartyUnspecified && row.Type != screen.PartyUnspecified && have.Type != row.Type {
		return fmt.Errorf("%s party_type says %s, an earlier row %s", p.field, row.Type, have.Type)
	}
	have.Type = max(have.Type, row.Type)
	return nil
}

func same(have *string, row string) error {
	if *have != "" && row != "" && *have != row {
		return fmt.Errorf("says %q, an earlier row %q", row, *have)
	}
	if row != "" {
		*have = row
	}
	return nil
}
