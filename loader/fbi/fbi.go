// Package fbi reads notices in which the Federal Bureau of Investigation says
// whose addresses some are: public service announcements of its Internet Crime
// Complaint Center (https://www.ic3.gov/PSA) and press releases
// (https://www.fbi.gov/news/press-releases). Such a notice is an attribution. It
// designates nobody and binds nobody, and is never formally revoked.
//
// Each notice is an HTML page of its own, and one publication with one party:
//
//   - The UID is the alert number of an announcement ("I-022625-PSA"). A press
//     release has none: it is the last part of the page's own address.
//   - Whom a notice accuses stands in its prose only. The party's name is the
//     title of the notice, which is as near as a reader comes without guessing.
//   - The date is that of the page's first time element, or a line that is a date
//     and nothing else. The rows and the party's entry begin on it.
//   - Addresses are the lists of class "addresses" and whatever package freetext
//     takes in the main text. A page without a main element is read whole. Navigation,
//     footers, scripts and the like are never read.
//   - A link's target is no text. Explorer links print the address that they lead
//     to; one that does not is counted.
package fbi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"

	"walletscreen/loader/freetext"
	"walletscreen/screen"
	"walletscreen/screen/address"
)

// Bounds that no notice comes near.
const (
	maxPage     = 8 << 20 // bytes of a page
	maxTitle    = 1000    // bytes of a title or heading; what is more is cut off
	maxHeadings = 20      // headings that may be the title
)

// What is counted in Unexpected, beside what package freetext counts.
const (
	outside  = "address outside the main text"
	linkOnly = "link to an address that the text does not print"
)

// Parse reads one notice. It fills PublishedOn if the page says so, Records,
// Parties and Unexpected; list and digest are the caller's to set, as is the date
// if none is known. A notice without addresses has no party.
//
// A page that is cut short, that is too large, or that has neither an alert number
// nor an address, as pages about errors and maintenance, is an error.
func Parse(r io.Reader) (*screen.Publication, error) {
	pub, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("fbi: %w", err)
	}
	return pub, nil
}

func parse(r io.Reader) (*screen.Publication, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxPage+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading: %w", err)
	case len(text) > maxPage:
		return nil, fmt.Errorf("the page has more than %d bytes", maxPage)
	case !utf8.Valid(text):
		return nil, errors.New("the page is not in UTF-8")
	}
	p := page{skip: map[string]int{}, line: 1}
	if err := p.read(text); err != nil {
		return nil, err
	}
	return p.notice()
}

// A page is what a notice says and where.
type page struct {
	line    int
	html    bool           // the root was begun
	closed  bool           // and ended
	skip    map[string]int // open elements of skipped
	skipped int            // the line where the first of them began
	mains   int            // open main elements

	hasMain   bool
	main      strings.Builder // text of the main elements
	rest      strings.Builder // text of the body outside of them
	cells     []string        // texts of the lists of addresses
	mainLinks []string        // targets of links in main elements
	restLinks []string
	lists     int  // open lists, from the first of class "addresses" on
	inCell    bool // in an item of it
	cell      strings.Builder
	headings  []string // texts of h1
	inHeading bool
	heading   strings.Builder
	inTitle   bool
	title     string
	canonical string
	date      screen.Date
}

// skippedElements hold what is no part of a notice.
var skippedElements = []string{"script", "style", "noscript", "template", "svg", "iframe", "nav", "footer"}

// inline are the elements that stand within a line of text. Every other one
// begins a new piece of it. A footnote's mark (sup) is not among them, so that it
// is no part of what it stands behind.
var inline = []string{
	"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "dfn", "em", "font", "i", "kbd", "mark", "q", "s", "samp", "small",
	"span", "strong", "time", "tt", "u", "var", "wbr",
}

// pieceEnd parts pieces of text: labels reach over it, and no address is broken
// by it.
const pieceEnd = "\n;\n"

// read walks over the page once.
func (p *page) read(text []byte) error {
	z := html.NewTokenizer(bytes.NewReader(text))
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			if err := z.Err(); err != io.EOF {
				return fmt.Errorf("line %d: %w", p.line, err)
			}
			return p.end()
		case html.TextToken:
			p.text(string(z.Text()))
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			p.start(&token)
		case html.EndTagToken:
			name, _ := z.TagName()
			p.finish(string(name))
		}
		p.line += bytes.Count(z.Raw(), []byte{'\n'})
	}
}

func (p *page) end() error {
	switch {
	case !p.html:
		return errors.New("no HTML page: it has no <html>")
	case !p.closed:
		return fmt.Errorf("line %d: no </html>: the page is cut short", p.line)
	case len(p.skip) > 0:
		return fmt.Errorf("line %d: a <nav>, <footer> or the like without an end", p.skipped)
	}
	return nil
}

func (p *page) start(t *html.Token) {
	attr := func(name string) string {
		for _, a := range t.Attr {
			if a.Key == name {
				return a.Val
			}
		}
		return ""
	}
	void := t.Type == html.SelfClosingTagToken
	switch {
	case t.Data == "html":
		p.html = true
	case slices.Contains(skippedElements, t.Data):
		if !void || t.Data != "svg" { // of all of them, only in SVG can a tag close itself
			if len(p.skip) == 0 {
				p.skipped = p.line
			}
			p.skip[t.Data]++
		}
	case len(p.skip) > 0:
		return
	}
	switch t.Data {
	case "title":
		p.inTitle = p.title == ""
	case "link":
		if strings.EqualFold(attr("rel"), "canonical") {
			p.own(attr("href"))
		}
	case "meta":
		switch attr("property") {
		case "og:url":
			p.own(attr("content"))
		case "article:published_time":
			p.dated(attr("content"))
		}
	case "time":
		p.dated(attr("datetime"))
	case "main":
		p.mains++
		p.hasMain = true
	case "a":
		if href := attr("href"); p.mains > 0 {
			p.mainLinks = append(p.mainLinks, href)
		} else {
			p.restLinks = append(p.restLinks, href)
		}
	case "h1":
		p.inHeading = true
		p.heading.Reset()
	case "ul", "ol":
		if p.lists > 0 || slices.Contains(strings.Fields(attr("class")), "addresses") {
			p.lists++
		}
	case "li":
		p.endCell()
		p.inCell = p.lists > 0
	}
	p.tag(t.Data)
}

func (p *page) finish(name string) {
	switch {
	case name == "html":
		p.closed = true
	case p.skip[name] > 0:
		if p.skip[name]--; p.skip[name] == 0 {
			delete(p.skip, name)
		}
	}
	if len(p.skip) > 0 {
		return
	}
	switch name {
	case "title":
		p.inTitle = false
	case "main":
		p.mains = max(p.mains-1, 0)
	case "h1":
		if heading := oneLine(p.heading.String()); p.inHeading && heading != "" && len(p.headings) < maxHeadings {
			p.headings = append(p.headings, heading)
		}
		p.inHeading = false
	case "li":
		p.endCell()
	case "ul", "ol":
		p.endCell()
		p.lists = max(p.lists-1, 0)
	}
	p.tag(name)
}

// tag notes that an element begins or ends in the text.
func (p *page) tag(name string) {
	switch {
	case slices.Contains(inline, name):
	case name == "br":
		p.add("\n", "\n")
	default:
		p.add(pieceEnd, "\n")
	}
}

func (p *page) endCell() {
	if p.inCell {
		p.cells = append(p.cells, p.cell.String())
		p.cell.Reset()
	}
	p.inCell = false
}

func (p *page) text(text string) {
	switch {
	case p.inTitle:
		p.title += text
	case len(p.skip) == 0:
		p.add(text, text)
	}
}

// add adds to what is printed where the page stands: text, and in an item or a
// heading what stands for it within.
func (p *page) add(text, within string) {
	if p.mains > 0 {
		p.main.WriteString(text)
	} else {
		p.rest.WriteString(text)
	}
	if p.inCell {
		p.cell.WriteString(within)
	}
	if p.inHeading {
		p.heading.WriteString(within)
	}
}

// sites are those whose word about a page's address counts.
var sites = []string{"https://www.ic3.gov/", "https://ic3.gov/", "https://www.fbi.gov/", "https://fbi.gov/"}

// own notes the page's own address.
func (p *page) own(url string) {
	for _, site := range sites {
		if p.canonical == "" && len(url) > len(site) && strings.HasPrefix(url, site) {
			p.canonical = url
		}
	}
}

// dated notes the date that a time begins with, if it is the first of the page.
func (p *page) dated(text string) {
	if p.date != 0 || len(text) < len(time.DateOnly) {
		return
	}
	if date, err := screen.ParseDate(text[:len(time.DateOnly)]); err == nil {
		p.date = date
	}
}

// notice makes the publication of what was read.
func (p *page) notice() (*screen.Publication, error) {
	all := p.rest.String() + pieceEnd + p.main.String()
	if p.date == 0 {
		p.date = dateLine(all)
	}
	body, links := p.rest.String(), p.restLinks
	if p.hasMain {
		body, links = p.main.String(), p.mainLinks
	}
	var rows freetext.Rows
	for _, cell := range p.cells {
		rows.Cell(cell)
	}
	rows.Prose(body)
	addresses := rows.Addresses()
	counts := make(freetext.Counts)
	rows.Count(counts)
	printed := make(map[string]bool, len(addresses)) // whatever the case of letters: this is for counting only
	for i := range addresses {
		printed[strings.ToLower(addresses[i].Text)] = true
	}
	count := func(what, text string) {
		for _, f := range address.Scan(text).Found {
			if !printed[strings.ToLower(f.Text)] {
				counts.Add(what)
			}
		}
	}
	if p.hasMain {
		count(outside, p.rest.String())
	}
	for _, link := range links {
		count(linkOnly, link)
	}

	title := p.name()
	number := alertNumber(all)
	if number == "" && len(addresses) == 0 {
		return nil, fmt.Errorf("the page, titled %.80q, is no notice: it has neither an alert number nor an address", title)
	}
	pub := &screen.Publication{PublishedOn: p.date, Records: 1, Unexpected: counts.Unexpected(nil)}
	if len(addresses) == 0 {
		return pub, nil
	}
	if title == "" {
		return nil, errors.New("the notice has addresses and no title")
	}
	party := screen.PublishedParty{UID: number, Facts: screen.Facts{Name: title, URL: p.canonical}, Addresses: addresses}
	if party.UID == "" {
		path, _, _ := strings.Cut(p.canonical, "?")
		path = strings.TrimRight(path, "/")
		party.UID = path[strings.LastIndexByte(path, '/')+1:]
	}
	if party.UID == "" {
		return nil, fmt.Errorf("the notice, titled %.80q, has neither an alert number nor a canonical link", title)
	}
	if p.date != 0 {
		party.Facts.Entries = []screen.EntryEvent{{On: p.date}}
	}
	for i := range party.Addresses {
		party.Addresses[i].ListedOn = p.date
	}
	pub.Parties = []screen.PublishedParty{party}
	return pub, nil
}

// name returns the title of the notice: the longest heading that the title of the
// page repeats, else the first heading, else the title of the page.
func (p *page) name() string {
	title, name := oneLine(p.title), ""
	for _, h := range p.headings {
		if len(h) > len(name) && strings.Contains(title, h) {
			name = h
		}
	}
	switch {
	case name != "":
		return name
	case len(p.headings) > 0:
		return p.headings[0]
	}
	return title
}

// oneLine returns the words of a title, a blank between each two.
func oneLine(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	return strings.ToValidUTF8(line[:min(len(line), maxTitle)], "")
}

// alertNumber returns what stands behind the first "Alert Number" of a text.
func alertNumber(text string) string {
	const label = "Alert Number"
	for {
		_, after, found := strings.Cut(text, label)
		if !found {
			return ""
		}
		text = after
		number := strings.TrimLeft(text, ": \t\r\n\u00a0;")
		end := strings.IndexFunc(number, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
		})
		if end >= 0 {
			number = number[:end]
		}
		if number = strings.Trim(number, "-"); len(number) <= 40 && strings.Contains(number, "-") && strings.ContainsAny(number, "0123456789") {
			return number
		}
	}
}

// dateLine returns the first line of text that is a date, "September 6, 2023".
func dateLine(text string) screen.Date {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) > len("September 30, 2023") {
			continue
		}
		if day, err := time.Parse("January 2, 2006", line); err == nil {
			return screen.DateOf(day)
		}
	}
	return 0
}
