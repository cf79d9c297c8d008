package uk

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"walletscreen/loader/freetext"
	"walletscreen/screen"
)

// Bounds that no publication comes near, so that no input eats memory.
const (
	maxRecord = 1 << 20  // bytes of one row
	maxKept   = 64 << 20 // bytes of names and addresses
)

const reportDate = "Report Date:"

// Columns that are read for what they say. All must be there.
const (
	columnUID        = "Unique ID"
	columnNameType   = "Name type"
	columnStrength   = "Alias strength"
	columnNonLatin   = "Name non-latin script"
	columnRegime     = "Regime Name"
	columnKind       = "Designation Type"
	columnOther      = "Other Information"
	columnReasons    = "UK Statement of Reasons"
	columnDesignated = "Date Designated"
)

// nameColumns are Name1 to Name6.
var nameColumns = [6]string{"Name 1", "Name 2", "Name 3", "Name 4", "Name 5", "Name 6"}

var needed = append([]string{
	columnUID, columnNameType, columnStrength, columnNonLatin, columnRegime, columnKind, columnOther, columnReasons, columnDesignated,
}, nameColumns[:]...)

// others are the columns that are read for addresses only, and need not be there.
var others = []string{
	"Last Updated", "OFSI Group ID", "UN Reference Number", "Title", "Non-latin script type", "Non-latin script language",
	"Designation source", "Sanctions Imposed",
	"Address Line 1", "Address Line 2", "Address Line 3", "Address Line 4", "Address Line 5", "Address Line 6",
	"Address Postal Code", "Address Country", "Phone number", "Website", "Email address",
	"D.O.B", "Nationality(/ies)", "National Identifier number", "National Identifier additional information",
	"Passport number", "Passport additional information", "Position", "Gender", "Town of birth", "Country of birth",
	"Type of entity", "Subsidiaries", "Parent company", "Business registration number (s)",
	"IMO number", "Current owner/operator (s)", "Previous owner/operator (s)", "Current believed flag of ship", "Previous flags",
	"Type of ship", "Tonnage of ship", "Length of ship", "Year Built", "Hull identification number (HIN)",
}

// rowReader ends the input when a row is longer than maxRecord: encoding/csv
// would read a field whose quote is never closed to the end of the document.
type rowReader struct {
	r    io.Reader
	left int
}

var errLongRow = fmt.Errorf("a row of more than %d bytes", maxRecord)

func (r *rowReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errLongRow
	}
	n, err := r.r.Read(p)
	r.left -= n
	return n, err
}

// table is the state of reading the CSV form.
type table struct {
	header  []string
	column  map[string]int
	parties []*designation
	at      map[string]int // in parties, by id
	before  []string       // the row before
	kept    int
}

func parseCSV(r *bufio.Reader) (*screen.Publication, error) {
	rows := &rowReader{r: r, left: maxRecord}
	in := csv.NewReader(rows)
	in.FieldsPerRecord = -1
	first, err := in.Read()
	if err != nil {
		return nil, cutShort(err)
	}
	if len(first) > 1 && first[0] == "Last Updated" {
		if _, err := date(first[1]); err == nil {
			return nil, errOFSI
		}
	}
	printed, ok := strings.CutPrefix(strings.TrimSpace(first[0]), reportDate)
	day, err := time.Parse("02-Jan-2006", strings.TrimSpace(printed))
	if !ok || err != nil {
		return nil, fmt.Errorf("line 1: %.40q, want a date as in \"Report Date: 08-Oct-2026\"", first[0])
	}
	rows.left = maxRecord
	header, err := in.Read()
	if err != nil {
		return nil, cutShort(err)
	}
	line, _ := in.FieldPos(0)
	counts := make(freetext.Counts)
	t := table{header: header, column: make(map[string]int), at: make(map[string]int)}
	for i, column := range header {
		column = strings.TrimSpace(column)
		if _, twice := t.column[column]; twice {
			return nil, fmt.Errorf("line %d: column %.40q twice", line, column)
		}
		t.header[i], t.column[column] = column, i
		if !slices.Contains(needed, column) && !slices.Contains(others, column) {
			counts.Add(fmt.Sprintf("column %.40q", column))
		}
	}
	for _, column := range needed {
		if _, ok := t.column[column]; !ok {
			return nil, fmt.Errorf("line %d: no column %q", line, column)
		}
	}
	in.FieldsPerRecord = len(header)
	for {
		rows.left = maxRecord
		record, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("behind the row of line %d: %w", line, cutShort(err))
		}
		line, _ = in.FieldPos(0)
		if err := t.row(record, counts); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	pub := &screen.Publication{PublishedOn: screen.DateOf(day), Records: len(t.parties)}
	for _, d := range t.parties {
		d.rows.Count(counts)
		party := d.party(counts)
		if len(party.Addresses) == 0 {
			continue
		}
		if party.Facts.Name == "" {
			return nil, fmt.Errorf("%s %.40q has no name", columnUID, d.uid)
		}
		pub.Parties = append(pub.Parties, party)
	}
	pub.Unexpected = counts.Unexpected(nil)
	return pub, nil
}

// cutShort names an end of the input for what it is.
func cutShort(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: the document is cut short", err)
	}
	return err
}

// row reads one row into the designation that it is of. Of facts that differ
// between its rows the first counts.
func (t *table) row(record []string, counts freetext.Counts) error {
	if strings.Join(record, "") == "" {
		return nil
	}
	for i, cell := range record {
		if !utf8.ValidString(cell) {
			return fmt.Errorf("column %.40q: not valid UTF-8", t.header[i])
		}
	}
	cell := func(column string) string { return strings.Clone(strings.TrimSpace(record[t.column[column]])) }
	uid := cell(columnUID)
	if uid == "" {
		return fmt.Errorf("column %q is empty", columnUID)
	}
	at, known := t.at[uid]
	if !known {
		at = len(t.parties)
		t.at[uid] = at
		t.parties = append(t.parties, &designation{uid: uid})
		t.kept += len(uid) + 512 // the designation itself
	}
	d := t.parties[at]
	for _, fact := range []struct {
		column string
		dst    *string
	}{{columnDesignated, &d.designated}, {columnRegime, &d.regime}, {columnKind, &d.kind}} {
		value := cell(fact.column)
		switch {
		case *fact.dst == "":
			*fact.dst = value
			t.kept += len(value)
		case value != "" && value != *fact.dst:
			counts.Add(fmt.Sprintf("column %q differs between the rows of a designation", fact.column))
		}
	}
	var parts [6]string
	for i, column := range nameColumns {
		parts[i] = cell(column)
	}
	t.kept += d.addName(newName(parts, cell(columnNameType), cell(columnStrength))) + d.addNonLatin(cell(columnNonLatin))
	t.kept -= d.rows.Kept
	for i, text := range record {
		// A row repeats most of the one before.
		if text == "" || known && t.before[i] == text && t.before[t.column[columnUID]] == record[t.column[columnUID]] {
			continue
		}
		switch column := t.header[i]; {
		case column == columnOther || column == columnReasons:
			d.rows.Prose(text)
		case slices.Contains(others, column):
			d.rows.Detail(text)
		case !slices.Contains(needed, column):
			// The name of a column that is new may be all that says what is in it.
			d.rows.Detail(column + ";\n" + text)
		}
	}
	t.kept += d.rows.Kept
	if t.kept > maxKept {
		return fmt.Errorf("names and addresses of more than %d bytes", maxKept)
	}
	t.before = record
	return nil
}
