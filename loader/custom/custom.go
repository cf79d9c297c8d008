// Package custom reads an operator's own list: a CSV file with a header row, one
// address a row.
//
//	column      holds
//	address     the address, as it is to be shown; required, never empty
//	symbol      currency code ("XBT"); not the network, not identity
//	party       name of the party
//	party_id    identifier of the party; rows with the same one are one party
//	party_type  individual, entity, vessel or aircraft
//	programs    program tags, separated by ";"
//	listed_on   first day on which the row counts, ISO 8601; empty: from its publication on
//	delisted_on first day on which it no longer counts; empty: no end
//	tag         destination tag or memo
//	url         page about the party
//
// Columns may stand in any order; every other name is an error, so that a
// misspelt column cannot go unnoticed. A row without party_id belongs to the
// party of its name, or to the list's nameless party.
package custom

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"walletscreen/screen"
)

// maxField is the longest cell that is read, in bytes.
const maxField = 4096

const byteOrderMark = "\ufeff"

var columns = []string{"address", "symbol", "party", "party_id", "party_type", "programs", "listed_on", "delisted_on", "tag", "url"}

// Parse reads a list. It sets neither List, PublishedOn nor Digest: the file
// does not say. Errors name the line.
func Parse(r io.Reader) (*screen.Publication, error) {
	text := bufio.NewReader(r)
	// Spreadsheets begin "CSV UTF-8" with a byte order mark.
	if head, _ := text.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	in := csv.NewReader(text)
	in.ReuseRecord = true
	header, err := in.Read()
	if err == io.EOF {
		return nil, errors.New("custom list: the file is empty, want a header row with the column address")
	}
	if err != nil {
		return nil, fmt.Errorf("custom list: header row: %w", err)
	}
	p := parser{column: map[string]int{}, party: map[string]int{}, pub: new(screen.Publication)}
	for i, name := range header {
		name = strings.TrimSpace(name)
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("custom list: line 1: unknown column %q, want some of %s", name, strings.Join(columns, ", "))
		}
		if _, twice := p.column[name]; twice {
			return nil, fmt.Errorf("custom list: line 1: column %q twice", name)
		}
		p.column[name] = i
	}
	if _, ok := p.column["address"]; !ok {
		return nil, errors.New("custom list: line 1: no column address")
	}
	for {
		record, err := in.Read()
		if err == io.EOF {
			return p.pub, nil
		}
		if err == nil {
			err = p.row(record)
		}
		if err != nil {
			var syntax *csv.ParseError
			if errors.As(err, &syntax) { // names the line itself
				return nil, fmt.Errorf("custom list: %w", err)
			}
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("custom list: line %d: %w", line, err)
		}
	}
}

type parser struct {
	column map[string]int
	party  map[string]int // index in pub.Parties by UID
	pub    *screen.Publication
}

func (p *parser) row(record []string) error {
	for name, i := range p.column {
		if cell := record[i]; len(cell) > maxField || !utf8.ValidString(cell) {
			return fmt.Errorf("column %s: not valid UTF-8 of at most %d bytes", name, maxField)
		}
	}
	cell := func(name string) string {
		if i, ok := p.column[name]; ok {
			// The reader uses the record again.
			return strings.Clone(strings.TrimSpace(record[i]))
		}
		return ""
	}
	a := screen.PublishedAddress{Text: cell("address"), Symbol: cell("symbol"), Tag: cell("tag")}
	if a.Text == "" {
		return errors.New("column address is empty")
	}
	var err error
	if a.ListedOn, err = date(cell("listed_on")); err != nil {
		return fmt.Errorf("column listed_on: %w", err)
	}
	if a.DelistedOn, err = date(cell("delisted_on")); err != nil {
		return fmt.Errorf("column delisted_on: %w", err)
	}
	if a.DelistedOn != 0 && a.DelistedOn <= a.ListedOn {
		return fmt.Errorf("delisted_on %s is not after listed_on %s", a.DelistedOn, a.ListedOn)
	}
	facts := screen.Facts{Name: cell("party"), URL: cell("url")}
	if facts.Type, err = screen.ParsePartyType(strings.ToLower(cell("party_type"))); err != nil {
		return fmt.Errorf("column party_type: %w", err)
	}
	for program := range strings.SplitSeq(cell("programs"), ";") {
		if program = strings.TrimSpace(program); program != "" {
			facts.Programs = append(facts.Programs, program)
		}
	}
	uid := cell("party_id")
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
	if err := join(&party.Facts, &facts); err != nil {
		return fmt.Errorf("party %q: %w", uid, err)
	}
	party.Addresses = append(party.Addresses, a)
	p.pub.Records++
	return nil
}

func date(s string) (screen.Date, error) {
	if s == "" {
		return 0, nil
	}
	return screen.ParseDate(s)
}

// join adds what a row says of a party to what earlier rows said. Programs add
// up; a contradiction in the rest is an error.
func join(have, row *screen.Facts) error {
	for _, program := range row.Programs {
		if !slices.Contains(have.Programs, program) {
			have.Programs = append(have.Programs, program)
		}
	}
	if err := same("party", &have.Name, row.Name); err != nil {
		return err
	}
	if err := same("url", &have.URL, row.URL); err != nil {
		return err
	}
	if have.Type != screen.PartyUnspecified && row.Type != screen.PartyUnspecified && have.Type != row.Type {
		return fmt.Errorf("column party_type says %s, an earlier row %s", row.Type, have.Type)
	}
	have.Type = max(have.Type, row.Type)
	return nil
}

func same(column string, have *string, row string) error {
	if *have != "" && row != "" && *have != row {
		return fmt.Errorf("column %s says %q, an earlier row %q", column, row, *have)
	}
	if row != "" {
		*have = row
	}
	return nil
}
