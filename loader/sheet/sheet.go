// Package sheet reads the rows of a table that a publisher gives as an XLSX
// workbook or as CSV, in memory that no input can drive beyond a bound.
//
// Of a workbook it reads what a person sees in the cells, and of nothing else:
// shared, inline and computed text without phonetic guides, numbers without
// exponent, dates as 2026-07-01 whatever their format. Formulas are not computed;
// their stored results are read. Every worksheet is read in the workbook's order,
// hidden ones as well, and every row and column, for a filter hides rows without
// taking them out of the table.
//
// XLSX is ECMA-376 (Office Open XML); parts 1 and 2 are what "18.3" and the like
// in the comments stand for.
package sheet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds that no publication comes near. The largest table known, the workbook of
// the former consolidated list of the United Kingdom, has 18,798 rows of 36 columns
// with 15 MB of text in 17 MB of XML.
const (
	maxMembers = 1000 // of a workbook
	maxSheets  = 256  // of a workbook
	maxColumns = 256
	maxRow     = 1 << 20    // the last row that Excel has
	maxCell    = 4 * 32_767 // bytes; 32,767 characters are what Excel holds in a cell
)

// bounds are those of a whole table, in bytes.
type bounds struct {
	file int // a workbook or a CSV file
	xml  int // all parts of a workbook that are read, unpacked
	text int // all cells
}

var tableBounds = bounds{file: 32 << 20, xml: 256 << 20, text: 64 << 20}

const byteOrderMark = "\ufeff"

// A Row is one row of a table, with at least one cell that is not blank.
type Row struct {
	Sheet  string   // the worksheet's name; "" for CSV
	Hidden bool     // the worksheet is hidden
	Number int      // the row's number in its worksheet, or the line of a CSV file where it begins; from 1
	Cells  []string // by column, up to the last that is not empty
}

// Cell returns the cell in column i without white space around it; "" if the row
// has no such column.
func (r *Row) Cell(i int) string {
	if i < 0 || i >= len(r.Cells) {
		return ""
	}
	return strings.TrimSpace(r.Cells[i])
}

// Errorf returns an error that says where the row stands.
func (r *Row) Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if r.Sheet == "" {
		return fmt.Errorf("line %d: %w", r.Number, err)
	}
	return fmt.Errorf("worksheet %.40q, row %d: %w", r.Sheet, r.Number, err)
}

// Read reads a table to its end and calls row for each row that is not blank. It
// tells a workbook from CSV by the first bytes. CSV is UTF-8, with or without a
// byte order mark, its cells parted by commas, or by semicolons or tabs if there
// are more of those in the first line.
//
// An error of row is returned as it is; any other says the part of the workbook
// or the line. A table without any row is no error.
func Read(r io.Reader, row func(*Row) error) error {
	return (&table{row: row, bounds: tableBounds}).read(r)
}

// table is a table that is being read.
type table struct {
	bounds
	row  func(*Row) error
	size int // bytes of the cells so far
}

func (t *table) read(r io.Reader) error {
	br := bufio.NewReader(io.LimitReader(r, int64(t.file)+1))
	head, err := br.Peek(4)
	if err != nil && err != io.EOF {
		return err
	}
	if string(head) == "PK\x03\x04" { // APPNOTE.TXT 4.3.7
		file, err := io.ReadAll(br)
		if err != nil {
			return err
		}
		if len(file) > t.file {
			return fmt.Errorf("a workbook of more than %d bytes", t.file)
		}
		return t.workbook(file)
	}
	return t.csv(br)
}

// emit hands out a row unless it is blank.
func (t *table) emit(r Row) error {
	last := -1
	blank := true
	for i, cell := range r.Cells {
		if cell == "" {
			continue
		}
		last = i
		blank = blank && strings.TrimSpace(cell) == ""
		if t.size += len(cell); t.size > t.text {
			return r.Errorf("cells of more than %d bytes in all", t.text)
		}
		if len(cell) > maxCell {
			return r.Errorf("column %d: a cell of more than %d bytes", i+1, maxCell)
		}
	}
	if blank {
		return nil
	}
	r.Cells = r.Cells[:last+1]
	return t.row(&r)
}

// csv reads a CSV file.
func (t *table) csv(r *bufio.Reader) error {
	if head, _ := r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = r.Discard(len(byteOrderMark))
	}
	counted := &countReader{r: r}
	in := csv.NewReader(counted)
	in.FieldsPerRecord = -1
	first, _ := r.Peek(r.Size())
	in.Comma = delimiter(first)
	for {
		record, err := in.Read()
		if counted.n > t.file {
			return fmt.Errorf("a CSV file of more than %d bytes", t.file)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err // names the line itself
		}
		line, _ := in.FieldPos(0)
		row := Row{Number: line, Cells: record}
		if len(record) > maxColumns {
			return row.Errorf("%d columns, at most %d are read", len(record), maxColumns)
		}
		for i, cell := range record {
			if !utf8.ValidString(cell) {
				return row.Errorf("column %d: not valid UTF-8: save the table as XLSX or as CSV in UTF-8", i+1)
			}
		}
		if err := t.emit(row); err != nil {
			return err
		}
	}
}

type countReader struct {
	r io.Reader
	n int
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// delimiter returns what parts the cells of a CSV file that begins with text.
func delimiter(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', bytes.Count(line, []byte(","))
	for _, c := range []rune{';', '\t'} {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}
