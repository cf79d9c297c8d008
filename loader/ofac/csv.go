package ofac

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

const (
	// maxCSV bounds the bytes of sdn.csv and of sdn_comments.csv, so that no input
	// eats memory; in 2026 they are 5 MB and less.
	maxCSV = 32 << 20

	columnsSDN      = 12
	columnsComments = 2

	// remarkLength is where remarks are cut in sdn.csv, in characters.
	remarkLength = 1000

	endOfCSV      = "\x1a" // a lone SUB, behind the last line end
	byteOrderMark = "\ufeff"
)

// What is counted as unexpected in the CSV pair.
const (
	orphanComment = "comment to an entry that is not in sdn.csv"
	orphanAddress = "comment to an entry that is not in sdn.csv, with digital currency addresses"
	lateComment   = "comment to a remark that is not cut"
	noComment     = "remark of 1,000 characters without its comment"
	openRemark    = "remark that does not end in a full stop"
	cutAddress    = "remark that breaks off within a digital currency address"
	oddItem       = "digital currency in a remark, in another form than its label and one address"
)

// ParseCSV reads one publication of the SDN List from sdn.csv and
// sdn_comments.csv. It fills Records, Parties and Unexpected: the pair has no
// date, and PublishedOn is the caller's to set. Rows have no ids, parties no
// aliases and no entries.
//
// Without comments the pair is incomplete, and an error. A single comment that is
// missing is not: what its remark breaks off in is left out, counted in
// Unexpected, and never read as a shorter address. Comments to entries that
// sdn.csv does not have are counted, too; they belong to nobody else.
func ParseCSV(sdn, comments io.Reader) (*screen.Publication, error) {
	if comments == nil {
		return nil, errors.New("ofac: sdn_comments.csv is missing, which holds the rest of the remarks that sdn.csv cuts")
	}
	p := &csvPair{
		pub:      new(screen.Publication),
		comments: make(map[string]string),
		seen:     make(map[string]int),
	}
	if err := readCSV(comments, columnsComments, p.comment); err != nil && !errors.Is(err, errOpenEnd) {
		return nil, fmt.Errorf("ofac: sdn_comments.csv: %w", err)
	}
	if len(p.comments) == 0 {
		return nil, errors.New("ofac: sdn_comments.csv is empty, which holds the rest of the remarks that sdn.csv cuts")
	}
	if err := readCSV(sdn, columnsSDN, p.entry); err != nil {
		return nil, fmt.Errorf("ofac: sdn.csv: %w", err)
	}
	for uid, comment := range p.comments {
		switch _, ok := p.seen[uid]; {
		case ok:
		case mentionsAddress(comment):
			p.unexpected(orphanAddress)
		default:
			p.unexpected(orphanComment)
		}
	}
	return p.pub, nil
}

// errOpenEnd says that a file does not end with endOfCSV. That of sdn.csv always
// did, that of sdn_comments.csv not always.
var errOpenEnd = fmt.Errorf("%w: the document is cut short, its last byte is not 0x1A", io.ErrUnexpectedEOF)

// readCSV calls row for each row of r, whose fields it checks to be so many and
// UTF-8. The fields are valid until row returns.
func readCSV(r io.Reader, columns int, row func(line int, fields []string) error) error {
	text := bufio.NewReader(&bounded{r: r, left: maxCSV})
	if head, _ := text.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	in := csv.NewReader(text)
	in.ReuseRecord = true
	in.FieldsPerRecord = -1
	for ended := false; ; {
		fields, err := in.Read()
		if err == io.EOF {
			if !ended {
				err = errOpenEnd
			} else {
				err = nil
			}
			return err
		}
		if err != nil {
			return fmt.Errorf("reading: %w", err)
		}
		line, _ := in.FieldPos(0)
		if ended {
			return fmt.Errorf("line %d: text behind the byte 0x1A, which ends the document", line)
		}
		if len(fields) == 1 && fields[0] == endOfCSV {
			ended = true
			continue
		}
		if len(fields) != columns {
			return fmt.Errorf("line %d: %d columns, want %d", line, len(fields), columns)
		}
		if uid := fields[0]; uid == "" || strings.Trim(uid, "0123456789") != "" {
			return fmt.Errorf("line %d: ent_num %.20q, want a number", line, uid)
		}
		for i, field := range fields {
			if !utf8.ValidString(field) {
				return fmt.Errorf("line %d: column %d is not valid UTF-8", line, i+1)
			}
		}
		if err := row(line, fields); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// bounded reads at most left bytes of r; one more is an error.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, fmt.Errorf("the document has more than %d bytes", maxCSV)
	}
	return n, err
}

// csvPair is the state of reading sdn.csv behind sdn_comments.csv.
type csvPair struct {
	pub      *screen.Publication
	comments map[string]string // by ent_num
	seen     map[string]int    // line of an entry by ent_num
}

func (p *csvPair) unexpected(what string) {
	if p.pub.Unexpected == nil {
		p.pub.Unexpected = make(map[string]int)
	}
	p.pub.Unexpected[what]++
	if what == noComment || what == cutAddress {
		p.pub.Incomplete = what
	}
}

// comment keeps a row of sdn_comments.csv, as it is to the byte.
func (p *csvPair) comment(_ int, fields []string) error {
	uid := strings.Clone(fields[0])
	if _, ok := p.comments[uid]; ok {
		return fmt.Errorf("a second comment to entry %s", uid)
	}
	p.comments[uid] = strings.Clone(fields[1])
	return nil
}

// entry reads a row of sdn.csv.
func (p *csvPair) entry(line int, fields []string) error {
	uid := strings.Clone(fields[0])
	if first, ok := p.seen[uid]; ok {
		return fmt.Errorf("a second row with ent_num %s, after that of line %d", uid, first)
	}
	p.seen[uid] = line
	p.pub.Records++

	remark := notNull(fields[11])
	length := utf8.RuneCountInString(remark)
	comment, commented := p.comments[uid]
	text := remark + comment
	broken := false // what stands last in text may go on somewhere else
	switch {
	case commented && length != remarkLength:
		p.unexpected(lateComment)
	case !commented && length == remarkLength:
		p.unexpected(noComment)
		broken = true
	}
	if text != "" && !broken && !strings.HasSuffix(text, ".") {
		p.unexpected(openRemark)
		broken = true
	}

	addresses := p.remark(text, broken)
	if len(addresses) == 0 {
		return nil
	}
	// The reader uses the record again.
	name, typ, programs := strings.Clone(notNull(fields[1])), strings.ToLower(notNull(fields[2])), strings.Clone(notNull(fields[3]))
	if name == "" {
		return fmt.Errorf("entry %s has no name", uid)
	}
	facts := screen.Facts{Name: name, Type: screen.PartyEntity, URL: partyURL(uid)}
	if typ != "" {
		facts.Type = partyType(typ)
	}
	if facts.Type == screen.PartyIndividual {
		facts.Name = givenFirst(name)
	}
	for program := range strings.SplitSeq(programs, "] [") {
		if program != "" {
			facts.Programs = append(facts.Programs, program)
		}
	}
	p.pub.Parties = append(p.pub.Parties, screen.PublishedParty{UID: uid, Facts: facts, Addresses: addresses})
	return nil
}

// notNull returns a field, "" for what OFAC prints for nothing.
func notNull(field string) string {
	if strings.TrimSpace(field) == "-0-" {
		return ""
	}
	return field
}

// remark returns the addresses in a remark, whose items are parted by semicolons
// and end in one full stop: "Digital Currency Address - XBT 149w...; alt. Digital
// Currency Address - XBT 1DDA...". What stands last in one that is broken is taken
// only if its checksum shows that nothing is missing.
func (p *csvPair) remark(text string, broken bool) []screen.PublishedAddress {
	var addresses []screen.PublishedAddress
	for text != "" {
		item, rest, more := strings.Cut(text, ";")
		text = rest
		item = strings.TrimSpace(item)
		if !more {
			item = strings.TrimSpace(strings.TrimSuffix(item, "."))
		}
		found, odd := remarkItem(item)
		if !more && broken {
			if len(found) == 1 && whole(found[0].Text) {
				addresses = append(addresses, found[0])
			} else if beginsAddress(item) {
				p.unexpected(cutAddress)
			}
			break
		}
		if odd {
			p.unexpected(oddItem)
		}
		addresses = append(addresses, found...)
	}
	return addresses
}

// remarkItem returns the address in one item of a remark. An item that has some in
// a form that OFAC has not used so far, under a misspelt label for one, is odd.
func remarkItem(item string) (found []screen.PublishedAddress, odd bool) {
	typ := strings.TrimPrefix(item, "alt. ")
	if _, ok := symbol(typ); ok {
		sym, text := "", typ[len(addressType):]
		if labeled, ok := strings.CutPrefix(text, " - "); ok {
			sym, text, _ = strings.Cut(labeled, " ")
		}
		if text = strings.TrimSpace(text); text != "" {
			found = []screen.PublishedAddress{{Text: strings.Clone(text), Symbol: strings.Clone(sym)}}
			if !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' }) {
				return found, false
			}
		}
	}
	scanned := address.Scan(item).Found
	if len(scanned) > 0 {
		found = nil
		for _, f := range scanned {
			a := screen.PublishedAddress{Text: strings.Clone(f.Text), Tag: strings.Clone(f.Tag)}
			if len(f.Labels) > 0 {
				a.Symbol = strings.Clone(f.Labels[0])
			}
			found = append(found, a)
		}
	}
	return found, len(found) > 0 || mentionsAddress(item)
}

// whole reports whether text is an address with a checksum, which no beginning of
// a longer one passes.
func whole(text string) bool {
	var p address.Parsed
	address.Parse(text, &p)
	if p.Reason != address.ReasonNone {
		return false
	}
	for _, r := range p.Readings() {
		if r.Unchecked {
			return false
		}
	}
	return len(p.Readings()) > 0
}

// mentionsAddress reports whether text speaks of digital currency.
func mentionsAddress(text string) bool {
	return strings.Contains(strings.ToLower(text), "digital currency")
}

// beginsAddress reports whether an item that breaks off may be one with an
// address: "alt.", "Digital Curr", "Digital Currency Address - XBT 1Gq".
func beginsAddress(item string) bool {
	alt, isAlt := strings.CutPrefix(item, "alt")
	item = strings.TrimLeft(alt, ". ")
	n := min(len(item), len(addressType))
	return strings.EqualFold(item[:n], addressType[:n]) && (n > 0 || isAlt)
}
