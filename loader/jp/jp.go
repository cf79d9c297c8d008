// Package jp reads the list of parties under economic sanctions of Japan's
// Ministry of Finance (経済制裁措置及び対象者リスト): a workbook of worksheets, one
// a program, or one of its tables as CSV.
//
// A worksheet begins with the program's title and a header, whose columns differ
// between worksheets and are found by name: 告示日付 (date of the notice), 告示番号
// (its number), 日本語表記 and 英語表記 (the name in Japanese and in Latin letters) and
// a dozen words for other names. White space, full-width forms, a second header row
// below merged cells and words around these names make no difference. Addresses
// stand in remarks (その他の情報, 詳細) among prose, so every cell of an entry is
// searched, and cells on rows below an entry that begin none belong to it. See
// package freetext for what is taken.
//
// Entries have no number of their own, and one notice names many parties. The UID
// of a party is the number of its notice and its name, in Latin letters if there
// is one: "第100号 Mallory". Either changes when the ministry amends an entry by a
// new notice or a new spelling, which then is another party. Two entries with one
// UID are one party. One without a name in either language has the name 不明
// (unknown), as the list has for some.
package jp

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"walletscreen/loader/freetext"
	"walletscreen/loader/sheet"
	"walletscreen/screen"
)

// dateColumn is the header that every table has in its first column.
const dateColumn = "告示日付"

// asOf follows the day of a publication.
const asOf = "現在"

// Parse reads the list to its end. It fills Records, the entries of all
// worksheets, and Parties, those with an address in the order of the workbook.
// PublishedOn is the day that a title states as "2026年7月1日現在" (as of), the
// latest of several, and zero if none does. An error says the worksheet and the
// row. A file without any table is refused, and so is an address that stands
// outside of all entries.
func Parse(r io.Reader) (*screen.Publication, error) {
	p := parser{pub: new(screen.Publication), counts: make(freetext.Counts), party: map[string]int{}, acts: map[act]bool{}}
	if err := sheet.Read(r, p.row); err != nil {
		return nil, fmt.Errorf("jp: %w", err)
	}
	p.endSheet()
	if !p.tables {
		return nil, fmt.Errorf("jp: no column %s in any row", dateColumn)
	}
	p.pub.Unexpected = p.counts.Unexpected(nil)
	return p.pub, nil
}

type parser struct {
	pub    *screen.Publication
	counts freetext.Counts
	party  map[string]int // index in pub.Parties by UID
	acts   map[act]bool   // that stand in a party's Entries
	tables bool           // a table was met

	sheet   string
	started bool
	title   string         // of the worksheet, or of a table in a CSV file
	columns map[int]role   // nil before the header
	others  map[int]string // headers of the columns that are not known
	headed  bool           // the row before was of the header
	entry   *entry         // that rows belong to; nil for none
}

// act is an act that put a party on the list.
type act struct {
	uid string
	screen.EntryEvent
}

// entry is an entry of the list.
type entry struct {
	uid   string
	facts screen.Facts
	rows  freetext.Rows
}

// row reads one row.
func (p *parser) row(r *sheet.Row) error {
	if !p.started || r.Sheet != p.sheet {
		p.endSheet()
		p.started, p.sheet, p.title, p.columns, p.others = true, r.Sheet, "", nil, nil
		if r.Hidden {
			p.counts.Add("hidden worksheet, which was read")
		}
	}
	if columns, others := header(r); columns != nil {
		p.end()
		p.columns, p.others, p.headed, p.tables = columns, others, true, true
		return nil
	}
	if p.headed && p.below(r) {
		return nil
	}
	p.headed = false
	if p.columns == nil {
		p.heading(r)
	} else {
		p.begin(r)
	}
	if p.entry != nil {
		p.read(&p.entry.rows, r)
		return nil
	}
	var rows freetext.Rows
	p.read(&rows, r)
	if len(rows.Addresses()) > 0 {
		return r.Errorf("an address outside of all entries")
	}
	rows.Count(p.counts)
	return nil
}

// endSheet ends the last entry of a worksheet, and counts one without a table.
func (p *parser) endSheet() {
	p.end()
	if p.started && p.columns == nil {
		p.counts.Add("worksheet without the column " + dateColumn)
	}
}

// heading reads a row above the table.
func (p *parser) heading(r *sheet.Row) {
	for i := range r.Cells {
		text := squash(r.Cells[i])
		if text == "" {
			continue
		}
		if strings.Contains(text, asOf) {
			p.pub.PublishedOn = max(p.pub.PublishedOn, parseDate(text))
		}
		if p.title == "" || strings.Contains(p.title, asOf) {
			p.title = text
		}
	}
}

// below reports whether a row is the second of a header, and then adds its
// columns. Only names of columns stand in it.
func (p *parser) below(r *sheet.Row) bool {
	columns := map[int]role{}
	for i := range r.Cells {
		if r.Cell(i) == "" {
			continue
		}
		role, known := roleOf(r.Cells[i])
		if !known {
			return false
		}
		columns[i] = role
	}
	maps.Copy(p.columns, columns)
	for i := range columns {
		delete(p.others, i)
	}
	return true
}

// begin begins an entry if the row names a party.
func (p *parser) begin(r *sheet.Row) {
	var date, number string
	names := map[role][]string{}
	cells := 0
	for i := range r.Cells {
		text := squash(r.Cells[i])
		if text == "" {
			continue
		}
		cells++
		switch role := p.columns[i]; role {
		case roleOther:
		case roleDate:
			date = text
		case roleNumber:
			number = text
		case roleJapanese, roleEnglish:
			if text != unknown {
				names[role] = append(names[role], text)
			}
		default:
			names[role] = append(names[role], split(r.Cells[i])...)
		}
	}
	japanese, english := strings.Join(names[roleJapanese], " "), strings.Join(names[roleEnglish], " ")
	if number == "" && japanese == "" && english == "" {
		if date != "" && cells == 1 {
			p.counts.Add("row of one cell within a table")
			p.end()
		}
		return
	}
	p.end()
	p.pub.Records++
	e := entry{facts: screen.Facts{Name: japanese, Type: partyType(p.title + " " + p.sheet)}}
	e.uid = strings.TrimSpace(number + " " + japanese)
	if english != "" {
		e.uid = strings.TrimSpace(number + " " + english)
	}
	alias := func(name, typ string, weak bool) {
		if name != "" && name != e.facts.Name {
			e.facts.Aliases = append(e.facts.Aliases, screen.Alias{Name: name, Type: typ, Weak: weak})
		}
	}
	switch {
	case japanese == "" && english != "":
		e.facts.Name = english
	case japanese == "":
		e.facts.Name = unknown
	}
	alias(english, "", false)
	for _, name := range names[roleAlias] {
		alias(name, "a.k.a.", false)
	}
	for _, name := range names[roleFormer] {
		alias(name, "f.k.a.", false)
	}
	for _, name := range names[roleWeak] {
		alias(name, "a.k.a.", true)
	}
	if program := p.program(); program != "" {
		e.facts.Programs = []string{program}
	}
	if day := parseDate(date); day != 0 {
		e.facts.Entries = []screen.EntryEvent{{On: day, LegalBasis: number}}
	} else if date != "" {
		p.counts.Add(dateColumn + " that is no date")
	}
	p.entry = &e
}

// program returns the name of the worksheet, or of CSV, which has none, the title
// of the table.
func (p *parser) program() string {
	if p.sheet != "" {
		return p.sheet
	}
	return p.title
}

// partyType returns the type of the parties in a table, by its title and name,
// which say 個人 (individuals), 団体 (bodies), both or neither.
func partyType(title string) screen.PartyType {
	individuals, bodies := strings.Contains(title, "個人"), strings.Contains(title, "団体") || strings.Contains(title, "特定銀行")
	switch {
	case individuals && !bodies:
		return screen.PartyIndividual
	case bodies && !individuals:
		return screen.PartyEntity
	}
	return screen.PartyUnspecified
}

// read reads all cells of a row for addresses.
func (p *parser) read(rows *freetext.Rows, r *sheet.Row) {
	for i, cell := range r.Cells {
		if p.columns[i] != roleOther {
			rows.Detail(cell)
			continue
		}
		rows.Prose(cell)
		if name := p.others[i]; name != "" {
			// It may be all that says what is in the column.
			rows.Detail(name + ";\n" + cell)
		}
	}
}

// end ends the entry in force: with an address it is a party, or of the one with
// its UID.
func (p *parser) end() {
	if p.entry == nil {
		return
	}
	e := p.entry
	p.entry = nil
	e.rows.Count(p.counts)
	rows := e.rows.Addresses()
	if len(rows) == 0 {
		return
	}
	at, known := p.party[e.uid]
	if !known {
		at = len(p.pub.Parties)
		p.party[e.uid] = at
		p.pub.Parties = append(p.pub.Parties, screen.PublishedParty{UID: e.uid, Facts: e.facts})
	}
	party := &p.pub.Parties[at]
	for _, program := range e.facts.Programs {
		if !slices.Contains(party.Facts.Programs, program) {
			party.Facts.Programs = append(party.Facts.Programs, program)
		}
	}
	for _, event := range e.facts.Entries {
		key := act{e.uid, event}
		if known && !p.acts[key] {
			party.Facts.Entries = append(party.Facts.Entries, event)
		}
		p.acts[key] = true
	}
	party.Addresses = append(party.Addresses, rows...)
}

// A role is what a column holds.
type role uint8

const (
	roleOther role = iota // searched for addresses only
	roleDate
	roleNumber
	roleJapanese
	roleEnglish
	roleAlias
	roleFormer
	roleWeak
)

// headers are parts of the names of columns. The first that fits counts.
var headers = []struct {
	role  role
	parts []string
}{
	{roleDate, []string{dateColumn, "dateofnotice"}},
	{roleNumber, []string{"告示番号", "noticenumber", "noticeno"}},
	{roleWeak, []string{"確定に十分でない別名"}},
	{roleFormer, []string{"旧称", "旧名", "過去の別名", "以前の別名", "以前の呼称"}},
	{roleAlias, []string{"別名", "別称", "alias"}},
	{roleEnglish, []string{"英語表記", "english"}},
	// Where there is no second row that says which script, there is one name.
	{roleJapanese, []string{"日本語表記", "japanese", "氏名", "名称"}},
	{roleOther, []string{
		"称号", "役職", "肩書", "その他の情報", "詳細", "リスト掲載日", "住所", "所在地", "活動地域", "電話", "fax", "生年月日", "出生地", "出身地", "国籍",
		"旅券番号", "身分登録番号", "身分証番号", "id番号", "指定の根拠", "指定日", "国連参照番号", "決議1483上の根拠",
	}},
}

// roleOf returns the role of a column by its header, and whether it is known.
func roleOf(header string) (role, bool) {
	name := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, fold(header))
	if len(name) > 100 {
		return roleOther, false
	}
	for _, h := range headers {
		if slices.ContainsFunc(h.parts, func(part string) bool { return strings.Contains(name, part) }) {
			return h.role, true
		}
	}
	return roleOther, false
}

// header returns the columns if the row is the header of a table: one of them is
// the date of the notice and another is known; and the headers of others.
func header(r *sheet.Row) (columns map[int]role, others map[int]string) {
	columns, others = map[int]role{}, map[int]string{}
	dated := false
	for i := range r.Cells {
		if role, known := roleOf(r.Cells[i]); known {
			columns[i] = role
			dated = dated || role == roleDate
		} else {
			others[i] = squash(r.Cells[i])
		}
	}
	if !dated || len(columns) < 2 {
		return nil, nil
	}
	return columns, others
}

// unknown stands where a name is not known.
const unknown = "不明"

// fold returns s with full-width forms of ASCII and the ideographic space as ASCII
// has them, and without what some programs make of a carriage return.
func fold(s string) string {
	s = strings.ReplaceAll(s, "_x000D_", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case '！' <= r && r <= '～':
			return r - '！' + '!'
		case r == '\u3000':
			return ' '
		}
		return r
	}, s)
}

// squash returns s folded and with one blank for each white space, "" if it says
// nothing.
func squash(s string) string {
	s = strings.Join(strings.Fields(fold(s)), " ")
	if strings.Trim(s, "-ー―－–— ") == "" {
		return ""
	}
	return s
}

// enumeration is what parts the names in one cell: a line end or a letter in
// parentheses, "(a) Mallory (b) Trudy".
var enumeration = regexp.MustCompile(`[\r\n]+|\([a-z]\)`)

// split returns the names in a cell.
func split(cell string) []string {
	var names []string
	for _, name := range enumeration.Split(fold(cell), -1) {
		if name = strings.Trim(squash(name), " ;、；,"); name != "" && name != unknown {
			names = append(names, name)
		}
	}
	return names
}

// eras are the years before the first of each era.
var eras = map[string]int{"昭和": 1925, "S": 1925, "平成": 1988, "H": 1988, "令和": 2018, "R": 2018}

var datePattern = regexp.MustCompile(`(昭和|平成|令和|[SHR])? ?(元|\d{1,4}) ?[年./-] ?(\d{1,2}) ?[月./-] ?(\d{1,2})`)

// parseDate returns the first date in text that is folded: "2022年3月1日",
// "令和4年3月1日", "R4.3.1", "2022-03-01"; zero if there is none.
func parseDate(text string) screen.Date {
	for _, m := range datePattern.FindAllStringSubmatch(text, -1) {
		day, err := dateOf(m[1], m[2], m[3], m[4])
		if err == nil {
			return day
		}
	}
	return 0
}

func dateOf(era, year, month, day string) (screen.Date, error) {
	if year == "元" {
		year = "1"
	}
	first, ok := eras[era]
	if !ok && len(year) != 4 {
		return 0, errors.New("a year without era and century")
	}
	y, err := strconv.Atoi(year)
	if err != nil {
		return 0, err
	}
	m, err := strconv.Atoi(month)
	if err != nil {
		return 0, err
	}
	d, err := strconv.Atoi(day)
	if err != nil {
		return 0, err
	}
	return screen.NewDate(first+y, m, d)
}
