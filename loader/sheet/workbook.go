package sheet

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"walletscreen/loader/xmlstream"
)

// workbook is an XLSX file that is being read.
type workbook struct {
	*table
	parts    map[string]*zip.File // by name in lower case: names of parts ignore case (part 2, 6.2.2)
	unpacked int                  // bytes of XML so far
	base1904 bool                 // dates count from 1904
	isDate   []bool               // by cell style
	shared   []string             // the shared strings
}

// workbook reads an XLSX file.
func (t *table) workbook(file []byte) error {
	// The directory is read whole and takes many times its bytes.
	if n := bytes.Count(file, []byte("PK\x01\x02")); n > maxMembers { // APPNOTE.TXT 4.3.12
		return fmt.Errorf("a workbook of %d parts, at most %d are read", n, maxMembers)
	}
	zr, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return fmt.Errorf("workbook: %w", err)
	}
	w := &workbook{table: t, parts: map[string]*zip.File{}}
	for _, f := range zr.File {
		name := strings.ToLower(f.Name)
		if w.parts[name] != nil {
			return fmt.Errorf("workbook: the part %.60q twice", f.Name)
		}
		w.parts[name] = f
	}
	root, err := w.relations("")
	if err != nil {
		return err
	}
	main := ""
	for _, r := range root {
		if r.is("officeDocument") {
			main = r.part
		}
	}
	if main == "" {
		return errors.New("workbook: no part is said to be the workbook")
	}
	relations, err := w.relations(main)
	if err != nil {
		return err
	}
	sheets, err := w.sheets(main, relations)
	if err != nil {
		return err
	}
	for _, r := range relations {
		switch {
		case r.is("styles"):
			err = w.styles(r.part)
		case r.is("sharedStrings"):
			err = w.sharedStrings(r.part)
		}
		if err != nil {
			return err
		}
	}
	for _, s := range sheets {
		if err := w.worksheet(s); err != nil {
			return err
		}
	}
	return nil
}

// scan reads the part with the given name from behind the start tag of its root,
// which read gets, to its end.
func (w *workbook) scan(name, root string, read func(*xmlstream.Scanner) error) error {
	wrap := func(err error) error { return fmt.Errorf("workbook: %.80s: %w", name, err) }
	f := w.parts[strings.ToLower(name)]
	if f == nil {
		return wrap(errors.New("the part is missing"))
	}
	if f.Flags&1 != 0 { // APPNOTE.TXT 4.4.4
		return wrap(errors.New("the part is encrypted"))
	}
	rc, err := f.Open()
	if err != nil {
		return wrap(err)
	}
	defer rc.Close()
	s := xmlstream.New(&part{rc, w})
	if _, err := s.Next(); err != nil {
		return wrap(err)
	}
	if string(s.Name) != root {
		return wrap(fmt.Errorf("root element <%.40s>, want <%s>", s.Name, root))
	}
	err = read(s)
	if e, ok := errors.AsType[*rowError](err); ok {
		return e.err
	}
	if err == nil {
		_, err = s.Next()
	}
	if err != nil {
		return wrap(err)
	}
	return nil
}

// rowError is what the caller's function said of a row.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }

// part reads a part of the workbook w and counts what is unpacked.
type part struct {
	r io.Reader
	w *workbook
}

func (p *part) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.w.unpacked += n; p.w.unpacked > p.w.xml {
		return 0, fmt.Errorf("parts of more than %d bytes in all", p.w.xml)
	}
	return n, err
}

// relation is a relationship of one part to another (part 2, 6.5.3).
type relation struct{ id, kind, part string }

// is reports whether the relationship is of a kind. Its whole name is a URL that
// differs between the two conformance classes of the standard.
func (r relation) is(kind string) bool { return path.Base(r.kind) == kind }

// relations reads the relationships of a part, "" for those of the whole file.
func (w *workbook) relations(part string) ([]relation, error) {
	folder, file := path.Split(part)
	var all []relation
	err := w.scan(folder+"_rels/"+file+".rels", "Relationships", func(s *xmlstream.Scanner) error {
		return s.Children(func() error {
			if string(s.Name) != "Relationship" || s.Attr("TargetMode") == "External" {
				return nil
			}
			target := s.Attr("Target")
			if !strings.HasPrefix(target, "/") {
				target = "/" + folder + target
			}
			all = append(all, relation{s.Attr("Id"), s.Attr("Type"), path.Clean(target)[1:]})
			return nil
		})
	})
	return all, err
}

// worksheet is what the workbook says of a worksheet.
type worksheet struct {
	name, part string
	hidden     bool
}

// sheets reads the list of worksheets. Sheets of charts and macros have no rows
// and are left out.
func (w *workbook) sheets(main string, relations []relation) ([]worksheet, error) {
	var all []worksheet
	err := w.scan(main, "workbook", func(s *xmlstream.Scanner) error {
		return s.Children(func() error {
			switch string(s.Name) {
			case "workbookPr":
				w.base1904 = isTrue(s.Attr("date1904"))
			case "sheets":
				return s.Children(func() error {
					if string(s.Name) != "sheet" {
						return nil
					}
					sheet := worksheet{name: s.Attr("name"), hidden: s.Attr("state") != "" && s.Attr("state") != "visible"}
					id := s.Attr("r:id")
					for _, r := range relations {
						if r.id != id {
							continue
						}
						if !r.is("worksheet") {
							return nil
						}
						sheet.part = r.part
					}
					if sheet.part == "" {
						return s.Errorf("the sheet %.40q has no part", sheet.name)
					}
					if all = append(all, sheet); len(all) > maxSheets {
						return s.Errorf("more than %d worksheets", maxSheets)
					}
					return nil
				})
			}
			return nil
		})
	})
	return all, err
}

func isTrue(s string) bool { return s == "1" || s == "true" }

// styles reads which cell styles show a number as a date.
func (w *workbook) styles(part string) error {
	custom := map[string]bool{}
	return w.scan(part, "styleSheet", func(s *xmlstream.Scanner) error {
		return s.Children(func() error {
			switch string(s.Name) {
			case "numFmts": // stands before cellXfs (18.8.39)
				return s.Children(func() error {
					if string(s.Name) == "numFmt" {
						custom[s.Attr("numFmtId")] = dateFormat(s.Attr("formatCode"))
					}
					return nil
				})
			case "cellXfs":
				return s.Children(func() error {
					if string(s.Name) != "xf" {
						return nil
					}
					id := s.Attr("numFmtId")
					date, ok := custom[id]
					if !ok {
						n, err := strconv.Atoi(id)
						date = err == nil && builtinDate(n)
					}
					s.Kept++ // a style takes a byte
					w.isDate = append(w.isDate, date)
					return nil
				})
			}
			return nil
		})
	})
}

// sharedStrings reads the texts that cells refer to by number.
func (w *workbook) sharedStrings(part string) error {
	return w.scan(part, "sst", func(s *xmlstream.Scanner) error {
		return s.Children(func() error {
			if string(s.Name) != "si" {
				return nil
			}
			text, err := richText(s)
			s.Kept += xmlstream.StringCost
			w.shared = append(w.shared, text)
			return err
		})
	})
}

// richText reads the text of an si or is element (18.4.8): that of its t elements
// and of those in runs. Phonetic guides (rPh) are no part of it.
func richText(s *xmlstream.Scanner) (string, error) {
	var b strings.Builder
	t := func() error {
		if string(s.Name) != "t" {
			return nil
		}
		text, err := s.Leaf()
		b.WriteString(text)
		return err
	}
	err := s.Children(func() error {
		if string(s.Name) == "r" {
			return s.Children(t)
		}
		return t()
	})
	return unescape(b.String()), err
}

// unescape resolves the escapes _xHHHH_ of a string (22.9.2.19). What no text can
// hold becomes a replacement character.
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "_x")
		if i < 0 {
			return b.String() + s
		}
		if len(s) >= i+7 && s[i+6] == '_' {
			if n, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				r := rune(n)
				if r < ' ' && r != '\t' && r != '\n' && r != '\r' || !utf8.ValidRune(r) {
					r = utf8.RuneError
				}
				b.WriteString(s[:i])
				b.WriteRune(r)
				s = s[i+7:]
				continue
			}
		}
		b.WriteString(s[:i+2])
		s = s[i+2:]
	}
}

// worksheet reads the rows of a worksheet.
func (w *workbook) worksheet(sheet worksheet) error {
	return w.scan(sheet.part, "worksheet", func(s *xmlstream.Scanner) error {
		return s.Children(func() error {
			if string(s.Name) != "sheetData" {
				return nil
			}
			last := 0
			return s.Children(func() error {
				if string(s.Name) != "row" {
					return nil
				}
				number, err := w.position(s.Attr("r"), last, maxRow)
				if err != nil {
					return s.Errorf("row %w", err)
				}
				last = number
				kept := s.Kept
				row := Row{Sheet: sheet.name, Hidden: sheet.hidden, Number: number}
				err = s.Children(func() error {
					if string(s.Name) != "c" {
						return nil
					}
					return w.cell(s, &row)
				})
				if err != nil {
					return err
				}
				s.Kept = kept
				if err := w.emit(row); err != nil {
					return &rowError{err}
				}
				return nil
			})
		})
	})
}

// position returns the number of a row or column that says text of its place,
// after the one that is last: the next one if it says nothing (18.3.1.73).
func (w *workbook) position(text string, last, most int) (int, error) {
	n := last + 1
	if text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			return 0, fmt.Errorf("%.20q is no number", text)
		}
	}
	if n <= last || n > most {
		return 0, fmt.Errorf("%d after %d, want a higher one of at most %d", n, last, most)
	}
	return n, nil
}

// cell reads a cell into its place in row.
func (w *workbook) cell(s *xmlstream.Scanner, row *Row) error {
	place := s.Attr("r")
	column, err := w.position(columnNumber(place), len(row.Cells), maxColumns)
	if err != nil {
		// What is only formatted, far to the right, is no reason to refuse a table.
		if place != "" && columnFar(place) {
			return w.blank(s)
		}
		return s.Errorf("column %w", err)
	}
	for len(row.Cells) < column-1 {
		row.Cells = append(row.Cells, "")
	}
	typ, style := s.Attr("t"), s.Attr("s")
	value, text, isText := "", "", false
	err = s.Children(func() error {
		var err error
		switch string(s.Name) {
		case "v":
			value, err = s.Leaf()
		case "is":
			text, err = richText(s)
			isText = true
		}
		return err
	})
	if err != nil {
		return err
	}
	if !isText {
		if text, err = w.value(typ, style, value); err != nil {
			return s.Errorf("cell %.20s: %w", place, err)
		}
	}
	row.Cells = append(row.Cells, text)
	return nil
}

// columnNumber returns the column of a place such as "AB12" as a decimal number,
// "" for no place, or what is no number.
func columnNumber(place string) string {
	n := 0
	for i, c := range []byte(place) {
		if c < 'A' || c > 'Z' {
			if i == 0 {
				return place
			}
			break
		}
		if n = n*26 + int(c-'A') + 1; n > 1<<20 {
			break
		}
	}
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// columnFar reports whether a place is right of all columns that are read.
func columnFar(place string) bool {
	n, err := strconv.Atoi(columnNumber(place))
	return err == nil && n > maxColumns
}

// blank passes over a cell and wants nothing in it.
func (w *workbook) blank(s *xmlstream.Scanner) error {
	return s.Children(func() error {
		if name := string(s.Name); name == "v" || name == "is" {
			return s.Errorf("a cell beyond column %d that is not empty", maxColumns)
		}
		return nil
	})
}

// value returns the text of a cell by its type (18.18.11) and style.
func (w *workbook) value(typ, style, value string) (string, error) {
	if value == "" {
		return "", nil
	}
	switch typ {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || i < 0 || i >= len(w.shared) {
			return "", fmt.Errorf("the shared string %.20q, of %d", value, len(w.shared))
		}
		return w.shared[i], nil
	case "str", "inlineStr":
		return unescape(value), nil
	case "b":
		if isTrue(strings.TrimSpace(value)) {
			return "TRUE", nil
		}
		return "FALSE", nil
	case "e":
		return value, nil
	case "d":
		day, time, _ := strings.Cut(value, "T")
		if strings.Trim(time, "0:.Z") == "" {
			return day, nil
		}
		return value, nil
	case "", "n":
		value = strings.TrimSpace(value)
		i, err := strconv.Atoi(style)
		if err == nil && 0 <= i && i < len(w.isDate) && w.isDate[i] {
			if date := serialDate(value, w.base1904); date != "" {
				return date, nil
			}
		}
		return number(value), nil
	}
	return "", fmt.Errorf("type %.20q", typ)
}
