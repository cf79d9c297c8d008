// Package il reads the administrative seizure orders of Israel's National Bureau
// for Counter Terror Financing (NBCTF) against digital currency.
//
// The bureau publishes two tables on a web page that machines are kept from: one
// of identifiers (wallets and accounts at exchanges, by order), one of orders with
// the day on which each ends. An operator saves them as CSV or XLSX, either or
// both, in one file: as worksheets or one below the other. Columns are found by
// their Hebrew or English headers, wherever they stand. What the tables hold that
// no header says:
//
//   - The order number is a column, filled in the first row of an order only, or a
//     row of its own: "צ.ת 18/26", "ASO 18/26", "ASO - 34/24". It holds until the
//     next one.
//   - Cells of the wallet column hold addresses, also two in one cell, with tags and
//     stars, with letters of other scripts that look Latin and with invisible
//     characters, which a comment on the row keeps; and account numbers, account names and telephone numbers of
//     customers of exchanges, which are no addresses.
//   - In some rows everything stands one column to the right, and the address is
//     repeated where the currency belongs or in a row of its own.
//   - A few addresses are misprinted. They are kept as they are printed.
//
// A party is an order: its number is both UID and name. The tables also hold
// names, identity cards, passports and days of birth of people. None of that is
// read into a publication: the order alone says what is seized, and the number
// leads to it. Cells of those columns are only searched for addresses that
// misplacement may have brought there.
//
// An order ends: the column of its validity ("תוקף") has the last day on which it
// still counts, so an address is delisted on the day after. The bureau does not
// say whether that day is within the order; counting it errs to the side of
// the order. Where the column names a forfeiture order instead, the property
// has become the state's and nothing ends. Orders whose end is not in the file
// do not end.
package il

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"walletscreen/loader/sheet"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

// law is what administrative seizure orders are issued under.
const law = "Anti-Terrorism Law 5776-2016"

// Parse reads the tables to their end. It fills Records, the rows with an
// identifier of either kind, and Parties, in the order of their first row. It
// leaves PublishedOn zero: the tables do not say. An error says the row. Without
// a table of identifiers the file is refused.
//
// Unexpected counts, beside what there is no rule for, the "account that is no
// address".
func Parse(r io.Reader) (*screen.Publication, error) {
	p := parser{
		pub:    &screen.Publication{Unexpected: map[string]int{}},
		party:  map[string]int{},
		seen:   map[rowKey]int{},
		ends:   map[string]screen.Date{},
		issued: map[string]screen.Date{},
	}
	if err := sheet.Read(r, p.row); err != nil {
		return nil, fmt.Errorf("il: %w", err)
	}
	if !p.identifiers {
		return nil, fmt.Errorf("il: no column of wallets (%q, %q) in any row", "ארנק", "Virtual currency address")
	}
	p.date()
	return p.pub, nil
}

type parser struct {
	pub         *screen.Publication
	identifiers bool // a table of identifiers was met

	sheet   string
	started bool
	columns map[role]int // nil before the first header of a worksheet
	order   string       // in force; "" for none

	party        map[string]int         // index in pub.Parties by order
	seen         map[rowKey]int         // by symbol: place in the order's Addresses
	ends, issued map[string]screen.Date // by order, as printed
}

// rowKey is a row without its comment. With the symbol anySymbol it is a row
// whatever its symbol.
type rowKey struct{ order, text, tag, symbol string }

// anySymbol is no text, and so no symbol.
const anySymbol = "\xff"

func (p *parser) unexpected(what string) { p.pub.Unexpected[what]++ }

// row reads one row of either table.
func (p *parser) row(r *sheet.Row) error {
	if !p.started || r.Sheet != p.sheet {
		p.started, p.sheet, p.columns, p.order = true, r.Sheet, nil, ""
		if r.Hidden {
			p.unexpected("hidden worksheet, which was read")
		}
	}
	_, continues := p.columns[roleAddress]
	if columns := p.header(r); columns != nil {
		if p.columns != nil && !continues {
			p.order = ""
		}
		p.columns = columns
		return nil
	}
	line := p.layout(r)
	// In a table of orders a row says its own order or none.
	if line.order != "" || p.columns != nil && !continues {
		p.order = line.order
	}
	if p.columns != nil && p.order != "" {
		p.validity(r)
	}
	rows := p.read(r, line)
	if len(rows) == 0 {
		return nil
	}
	if p.columns == nil {
		return r.Errorf("an address above the header of the table")
	}
	if p.order == "" {
		return r.Errorf("an address before the first order number, such as %q or %q", "צ.ת 18/26", "ASO 18/26")
	}
	for _, a := range rows {
		p.add(a)
	}
	return nil
}

// layout is where things stand in a row.
type layout struct {
	order  string // that the row begins
	at     int    // the order's column, -1 for none
	main   int    // the column of the identifier, -1 for none
	symbol int    // the column of the currency, -1 for none
}

// layout finds the order and the identifier of a row.
func (p *parser) layout(r *sheet.Row) layout {
	l := layout{at: -1, main: -1, symbol: -1}
	column := func(role role) int {
		if i, ok := p.columns[role]; ok {
			return i
		}
		return -1
	}
	first, alone := firstCell(r)
	orders, wallets := column(roleOrder), column(roleAddress)
	switch {
	case orders >= 0 && !dash(r.Cell(orders)):
		l.at = orders
	case wallets < 0 || dash(r.Cell(wallets)):
		l.at = first
	}
	if l.at >= 0 {
		cell := r.Cell(l.at)
		number := orderNumber(cell)
		if number == "" && l.at == orders && wallets >= 0 && !hasAddress(cell) {
			// Not the way in which orders are numbered; still no part of the one before.
			if number = strings.Join(strings.Fields(cell), " "); len(number) > 60 || !strings.ContainsFunc(number, unicode.IsLetter) {
				number = ""
			} else {
				p.unexpected("order without a number such as 18/26")
			}
		}
		if l.order = number; number == "" {
			l.at = -1
		}
	}
	if wallets < 0 {
		return l
	}
	l.main, l.symbol = wallets, column(roleCurrency)
	switch {
	case !dash(r.Cell(wallets)):
	case l.order == "" && alone && first < wallets:
		l.main, l.symbol = first, -1 // what a row before broke off
		if first > 0 {
			l.main = -1 // a name or a number of a person, on a line of its own
		}
	case identifier(r.Cell(wallets + 1)):
		l.main, l.symbol = wallets+1, wallets+2
	}
	return l
}

// firstCell returns the first column of a row that is not blank, and whether it
// is the only one.
func firstCell(r *sheet.Row) (first int, alone bool) {
	n := 0
	for i := range r.Cells {
		if r.Cell(i) != "" {
			if n++; n == 1 {
				first = i
			}
		}
	}
	return first, n == 1
}

// dash reports whether a cell says that there is nothing.
func dash(cell string) bool { return strings.Trim(cell, "-–— \u00a0") == "" }

// identifier reports whether a cell where the currency belongs holds what belongs
// into the column before: an address or an account number.
func identifier(cell string) bool {
	return !dash(cell) && (len(cell) >= 6 && strings.Trim(cell, "0123456789") == "" || hasAddress(cell))
}

func hasAddress(cell string) bool {
	c := address.ScanCell(cell)
	return len(c.Found) > 0 || meant(c.Other, c.Reason)
}

// meant reports whether a text that is no address, for reason, is plainly meant
// as one: a misprint, or one of a ledger that is not known.
func meant(text string, reason address.Reason) bool {
	switch reason {
	case address.ReasonChecksum, address.ReasonUnsupportedNetwork, address.ReasonExtendedKey,
		address.ReasonAmbiguous32Byte, address.ReasonNameNeedsResolution:
		return true
	case address.ReasonMalformed, address.ReasonUnrecognized, address.ReasonNonASCII:
		return len(text) >= minAddress && !strings.ContainsFunc(text, unicode.IsSpace) &&
			strings.ContainsFunc(text, unicode.IsDigit) && strings.ContainsFunc(text, unicode.IsLetter)
	}
	return false
}

// minAddress is the length, in bytes, of the shortest text that is taken for an
// address of a ledger that is not known.
const minAddress = 25

// read returns the addresses of a row.
func (p *parser) read(r *sheet.Row, l layout) []screen.PublishedAddress {
	var rows []screen.PublishedAddress
	if l.main >= 0 && !dash(r.Cell(l.main)) {
		p.pub.Records++
		rows = p.identifier(r.Cell(l.main), p.symbol(r, l.symbol))
	}
	for i := range r.Cells {
		if i == l.main || i == l.at {
			continue
		}
		for _, f := range address.Scan(r.Cells[i]).Found {
			rows = append(rows, screen.PublishedAddress{Text: f.Text, Tag: f.Tag})
		}
	}
	return rows
}

// symbol returns the currency of a row, "" if there is none.
func (p *parser) symbol(r *sheet.Row, column int) string {
	cell := r.Cell(column)
	switch {
	case dash(cell), hasAddress(cell):
		return ""
	case len(cell) > 32:
		p.unexpected("currency that is no symbol")
		return ""
	}
	return cell
}

// identifier reads a cell of the wallet column.
func (p *parser) identifier(cell, symbol string) []screen.PublishedAddress {
	var rows []screen.PublishedAddress
	c := address.ScanCell(cell)
	for _, f := range c.Found {
		labels := f.Labels
		if symbol != "" || len(labels) == 0 {
			labels = []string{symbol}
		}
		for _, label := range labels {
			rows = append(rows, screen.PublishedAddress{Text: f.Text, Tag: f.Tag, Symbol: label, Comment: printed(cell[f.Start:f.End], f.Text)})
		}
	}
	misprint := func(text, tag string) {
		p.unexpected("misprint, or address of an unknown kind, kept as printed")
		rows = append(rows, screen.PublishedAddress{Text: visible(text), Tag: tag, Symbol: symbol})
	}
	unread := c.Unread
	if c.Other != "" {
		if meant(c.Other, c.Reason) {
			misprint(c.Other, c.Tag)
			return rows
		}
		unread = address.Scan(cell).Unread
	}
	for _, u := range unread {
		if u.End-u.Start >= minAddress && u.Reason != address.ReasonSecretMaterial {
			misprint(cell[u.Start:u.End], "")
		} else {
			p.unexpected("unreadable run where addresses stand")
		}
	}
	switch {
	case len(rows) > 0 || c.Other == "" || len(unread) > 0:
	case c.Reason == address.ReasonSecretMaterial:
		p.unexpected("text in the shape of a private key")
	default:
		p.unexpected("account that is no address")
	}
	return rows
}

// printed returns a comment that keeps what is printed where it is not the text
// of the address, "" if it is.
func printed(source, text string) string {
	if source = strings.TrimSpace(source); source == text {
		return ""
	}
	return fmt.Sprintf("printed as %.300q", source)
}

// visible returns s without format characters, which nobody types.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// add adds a row to the order in force. Of repeats one is kept, and of one with a
// symbol and one without the former.
func (p *parser) add(a screen.PublishedAddress) {
	at, known := p.party[p.order]
	if !known {
		at = len(p.pub.Parties)
		p.party[p.order] = at
		facts := screen.Facts{Name: p.order}
		if strings.HasPrefix(p.order, hebrewSeizure) || strings.HasPrefix(p.order, englishSeizure) {
			facts.Programs = []string{law}
		}
		p.pub.Parties = append(p.pub.Parties, screen.PublishedParty{UID: p.order, Facts: facts})
	}
	party := &p.pub.Parties[at]
	key := rowKey{p.order, a.Text, a.Tag, a.Symbol}
	either, plain := key, key
	either.symbol, plain.symbol = anySymbol, ""
	if _, repeated := p.seen[key]; repeated {
		return
	}
	if _, known := p.seen[either]; known && a.Symbol == "" {
		return
	}
	at, known = p.seen[plain]
	if known {
		party.Addresses[at].Symbol = a.Symbol
		delete(p.seen, plain)
	} else {
		at = len(party.Addresses)
		party.Addresses = append(party.Addresses, a)
	}
	p.seen[key], p.seen[either] = at, at
}

// validity notes what a row says of the dates of the order in force.
func (p *parser) validity(r *sheet.Row) {
	for _, d := range []struct {
		role  role
		dates map[string]screen.Date
		what  string
	}{{roleEnd, p.ends, "validity"}, {roleIssued, p.issued, "date"}} {
		column, ok := p.columns[d.role]
		if !ok || dash(r.Cell(column)) || forfeited(r.Cell(column)) {
			continue
		}
		date, ok := parseDate(r.Cell(column))
		if !ok {
			p.unexpected(d.what + " of an order that is no date")
			continue
		}
		if have := d.dates[p.order]; have != 0 && have != date {
			p.unexpected("order with a second " + d.what)
			if d.role == roleEnd {
				date = max(have, date) // what may still be in force is
			} else {
				date = min(have, date)
			}
		}
		d.dates[p.order] = date
	}
}

// date sets the intervals of all rows by the dates of their orders.
func (p *parser) date() {
	for i := range p.pub.Parties {
		party := &p.pub.Parties[i]
		issued, end := p.issued[party.UID], p.ends[party.UID]
		var delisted screen.Date
		if end != 0 {
			delisted = screen.DateOf(end.Time().AddDate(0, 0, 1))
		}
		if end != 0 && end < issued {
			p.unexpected("order that ends before its date, taken without either")
			issued, delisted = 0, 0
		}
		if issued != 0 {
			party.Facts.Entries = []screen.EntryEvent{{On: issued, LegalBasis: strings.Join(party.Facts.Programs, "")}}
		}
		for j := range party.Addresses {
			party.Addresses[j].ListedOn, party.Addresses[j].DelistedOn = issued, delisted
		}
	}
}

// forfeited reports whether a cell of the validity column names a forfeiture order.
func forfeited(cell string) bool {
	return strings.Contains(cell, "חילוט") || strings.Contains(strings.ToLower(cell), "forfeiture")
}

// parseDate reads a cell that holds one date, day first: 01.07.2028, 1/7/2028.
func parseDate(cell string) (screen.Date, bool) {
	var found screen.Date
	for _, word := range strings.Fields(visible(cell)) {
		word = strings.Trim(word, ".,;:()")
		for _, layout := range []string{"2.1.2006", "2/1/2006", "2-1-2006", time.DateOnly} {
			day, err := time.Parse(layout, word)
			if err != nil || day.Year() < 1000 || day.Year() > 9998 {
				continue
			}
			if found != 0 {
				return 0, false
			}
			found = screen.DateOf(day)
		}
	}
	return found, found != 0
}

// How the numbers of administrative seizure orders begin in the publications, and
// how they are written here.
const (
	hebrewSeizure  = "צ.ת "
	englishSeizure = "ASO "
)

var seizures = []struct{ printed, prefix string }{
	{"צ.ת", hebrewSeizure}, {"צ״ת", hebrewSeizure}, {`צ"ת`, hebrewSeizure}, {"צ'ת", hebrewSeizure}, {"צת", hebrewSeizure}, {"aso", englishSeizure},
}

// orderNumber returns the order number in a cell, "" for none: "ASO 43/25" of
// "Seizure order (ASO - 43/25) of the Minister of Defense". A number that begins in
// another way stands for itself if it is all of a short cell.
func orderNumber(cell string) string {
	cell = strings.Join(strings.Fields(visible(cell)), " ")
	lower := cell
	if l := strings.ToLower(cell); len(l) == len(cell) {
		lower = l
	}
	for _, s := range seizures {
		for at := 0; ; {
			i := strings.Index(lower[at:], s.printed)
			if i < 0 {
				break
			}
			at += i + len(s.printed)
			if number := numberAfter(cell[at:]); number != "" {
				return s.prefix + number
			}
		}
	}
	if len(cell) > 60 || !strings.ContainsFunc(cell, unicode.IsLetter) {
		return ""
	}
	slash := strings.IndexByte(cell, '/')
	from := slash
	for from > 0 && isDigit(cell[from-1]) {
		from--
	}
	if slash < 1 || numberAfter(cell[from:]) == "" || strings.Trim(cell[slash+1:], "0123456789)") != "" {
		return ""
	}
	return cell
}

// numberAfter returns the number of an order that s begins with, after blanks and
// dashes: up to four digits, a slash, and the year in two digits or four.
func numberAfter(s string) string {
	s = strings.TrimLeft(s, " -–—.:")
	digits := func() string {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		d := s[:n]
		s = s[n:]
		return d
	}
	number := digits()
	s = strings.TrimLeft(s, " ")
	if !strings.HasPrefix(s, "/") {
		return ""
	}
	s = strings.TrimLeft(s[1:], " ")
	year := digits()
	if len(number) < 1 || len(number) > 4 || len(year) != 2 && len(year) != 4 || strings.HasPrefix(s, "/") {
		return ""
	}
	return number + "/" + year
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// A role is what a column holds.
type role uint8

const (
	roleOther    role = iota // known, and not read
	roleOrder                // the order's number
	roleAddress              // the identifier
	roleCurrency             // its currency
	roleEnd                  // the last day of the order
	roleIssued               // the day of the order
)

// headers are the names of columns, as letters alone, that a header is or, with a
// star, contains. The first that fits counts.
var headers = []struct {
	role  role
	names []string
}{
	{roleAddress, []string{"*wallet", "*ארנק", "*virtualcurrencyaddress", "*cryptocurrencyaddress", "*digitalcurrencyaddress", "*userid", "*יוזר"}},
	{roleCurrency, []string{"currency", "currencytype", "typeofcurrency", "virtualcurrency", "symbol", "coin", "asset", "מטבע", "סוגמטבע", "סוגהמטבע"}},
	{roleEnd, []string{"*validity", "*validuntil", "*expir", "enddate", "*תוקף"}},
	{roleIssued, []string{"orderdate", "dateoforder", "startdate", "issuedate", "dateofissue", "dateissued", "תאריךצו", "תאריךהצו", "תאריךהוצאתהצו", "תאריךמתןהצו"}},
	{roleOrder, []string{"order", "orderid", "orderno", "ordernumber", "aso", "asono", "asonumber", "filetype", "*seizureorder", "צו", "צת", "מספרצו", "מספרהצו", "סוגקובץ", "סוגהקובץ", "שםהקובץ"}},
	{roleOther, []string{
		"name", "fullname", "id", "idno", "*passport", "*dob", "dateofbirth", "lastupdated", "platform", "address",
		"שם", "שםמלא", "תעודתזהות", "*דרכון", "תאריךלידה", "תאריךעדכון", "פלטפורמה", "כתובת",
	}},
}

// roleOf returns the role of a column by its header.
func roleOf(header string) (role, bool) {
	if len(header) > 100 {
		return roleOther, false
	}
	name := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, header)
	if name == "" {
		return roleOther, false
	}
	for _, h := range headers {
		if slices.ContainsFunc(h.names, func(want string) bool {
			part, contained := strings.CutPrefix(want, "*")
			return name == part || contained && strings.Contains(name, part)
		}) {
			return h.role, true
		}
	}
	return roleOther, false
}

// header returns the columns if the row is the header of either table: one of
// identifiers has a column of them and another that is known, one of orders has
// numbers and their validity.
func (p *parser) header(r *sheet.Row) map[role]int {
	columns := map[role]int{}
	known, unknown := 0, 0
	for i := range r.Cells {
		if r.Cell(i) == "" {
			continue
		}
		role, ok := roleOf(r.Cell(i))
		if !ok {
			unknown++
			continue
		}
		known++
		if _, twice := columns[role]; role != roleOther && !twice {
			columns[role] = i
		}
	}
	_, wallets := columns[roleAddress]
	_, orders := columns[roleOrder]
	_, ends := columns[roleEnd]
	if known < 2 || unknown > known || !wallets && !(orders && ends) {
		return nil
	}
	for range unknown {
		p.unexpected("column with an unknown header")
	}
	p.identifiers = p.identifiers || wallets
	return columns
}
