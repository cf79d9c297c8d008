package sheet_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"walletscreen/loader/parsertest"
	"walletscreen/loader/sheet"
	"walletscreen/loader/sheet/sheettest"
)

// read returns the rows as "sheet/number: cell|cell".
func read(r io.Reader) ([]string, error) {
	var rows []string
	err := sheet.Read(r, func(row *sheet.Row) error {
		name := row.Sheet
		if row.Hidden {
			name = "(" + name + ")"
		}
		rows = append(rows, fmt.Sprintf("%s/%d: %s", name, row.Number, strings.Join(row.Cells, "|")))
		return nil
	})
	return rows, err
}

func TestCSV(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"commas", "a,b\r\n1,\"2\n3\", \r\n,\r\n\r\nx\r\n", []string{"/1: a|b", "/2: 1|2\n3| ", "/6: x"}},
		{"mark", "\ufeff\"a\",b\n", []string{"/1: a|b"}},
		{"semicolons", "a;b;c,d\n1;2;\"3;4\"\n", []string{"/1: a|b|c,d", "/2: 1|2|3;4"}},
		{"tabs", "a\tb\n1\t2\n", []string{"/1: a|b", "/2: 1|2"}},
		{"one column", "a\nb\n", []string{"/1: a", "/2: b"}},
		{"Hebrew", "צ.ת 901/26,\n,א\n", []string{"/1: צ.ת 901/26", "/2: |א"}},
		{"short", "a", []string{"/1: a"}},
	} {
		got, err := read(strings.NewReader(tt.text))
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestCSVErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"quote", "a\n\"b\n", `line 2`},
		{"not UTF-8", "a\n\x8d\x90\x8e\xa6,b\n", "line 2: column 1: not valid UTF-8: save the table as XLSX or as CSV in UTF-8"},
		{"columns", "a\n" + strings.Repeat(",", 300) + "\n", "line 2: 301 columns, at most 256 are read"},
		{"cell", "a\nb," + strings.Repeat("x", 140_000) + "\n", "line 2: column 2: a cell of more than 131068 bytes"},
	} {
		_, err := read(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestWorkbook(t *testing.T) {
	day := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	got, err := read(bytes.NewReader(sheettest.Workbook(t,
		sheettest.Sheet{Name: "一覧 & more", Rows: [][]any{
			{"告示日付", "氏名", nil, 3.5},
			{},
			{nil, " ", nil},
			{day, "a\nb_x000D_\nc", day.Add(90 * time.Minute), 447700900123},
		}},
		sheettest.Sheet{Name: "old", Hidden: true, Rows: [][]any{{"x"}}},
	)))
	want := []string{
		"一覧 & more/1: 告示日付|氏名||3.5",
		"一覧 & more/4: 2026-07-01|a\nb\r\nc|2026-07-01 01:30:00|447700900123",
		"(old)/1: x",
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

// parts are those of a workbook with one sheet whose rows are given.
func parts(rows string) map[string]string {
	return map[string]string{
		"[Content_Types].xml":          "<Types/>",
		"_rels/.rels":                  `<Relationships><Relationship Id="a" Type="http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument" Target="/XL/book.xml"/></Relationships>`,
		"xl/book.xml":                  `<x:workbook xmlns:x="m" xmlns:r="r"><x:workbookPr date1904="0"/><x:sheets><x:sheet name="S" r:id="b"/><x:sheet name="Chart" r:id="c"/></x:sheets></x:workbook>`,
		"xl/_rels/book.xml.rels":       `<Relationships><Relationship Id="b" Type="x/worksheet" Target="../sheets/1.xml"/><Relationship Id="c" Type="x/chartsheet" Target="c.xml"/><Relationship Id="d" Type="x/sharedStrings" Target="s.xml"/><Relationship Id="e" Type="x/styles" Target="./t.xml"/><Relationship Id="f" Type="x/hyperlink" TargetMode="External" Target="https://example.org/"/></Relationships>`,
		"xl/s.xml":                     `<sst><si><t>one</t></si><si><r><rPr/><t>two </t></r><r><t>runs</t></r><rPh><t>guide</t></rPh></si><si/></sst>`,
		"xl/t.xml":                     `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="ggge&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/><numFmt numFmtId="165" formatCode="0.00E+00"/></numFmts><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="58"/><xf/></cellXfs></styleSheet>`,
		"sheets/1.xml":                 `<worksheet><cols/><sheetData>` + rows + `</sheetData><mergeCells/></worksheet>`,
		"xl/media/image1.png":          "\x89PNG",
		"xl/_rels/unused.xml.rels":     "no XML",
		"customXml/item with name.xml": "",
	}
}

func TestCells(t *testing.T) {
	for _, tt := range []struct{ name, rows, want string }{
		{"shared", `<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c><c r="D1" t="s"><v>2</v></c></row>`, "1: one||two runs"},
		{"without places", `<row><c><v>1</v></c><c><v>2</v></c></row>`, "1: 1|2"},
		{"row number", `<row r="7"><c r="B7"><v>1</v></c></row>`, "7: |1"},
		{"inline", `<row><c t="inlineStr"><is><t> a </t><rPh><t>g</t></rPh></is></c></row>`, "1:  a "},
		{"formula", `<row><c t="str"><f>A1&amp;"x"</f><v>a_x000a_b_x005F_x000D__xD800__x0000_</v></c></row>`, "1: a\nb_x000D_\ufffd\ufffd"},
		{"no escape", `<row><c t="str"><v>_x00_x000g__x_</v></c></row>`, "1: _x00_x000g__x_"},
		{"truth", `<row><c t="b"><v>1</v></c><c t="b"><v>0</v></c><c t="e"><v>#N/A</v></c></row>`, "1: TRUE|FALSE|#N/A"},
		{"ISO date", `<row><c t="d"><v>2026-07-01T00:00:00Z</v></c><c t="d"><v>2026-07-01T08:00:00</v></c></row>`, "1: 2026-07-01|2026-07-01T08:00:00"},
		{"numbers", `<row><c><v>4.4770090012300001E+11</v></c><c><v>0.10000000000000001</v></c><c><v>00123456789012345678</v></c><c><v>1E300</v></c><c s="2"><v>12</v></c><c s="4"><v>3</v></c></row>`,
			"1: 447700900123|0.1|00123456789012345678|1E300|12|3"},
		{"era", `<row><c s="1"><v>44621</v></c><c s="3"><v>44621</v></c><c s="1"><v>-1</v></c><c s="1"><v>x</v></c><c s="99"><v>5</v></c></row>`, "1: 2022-03-01|2022-03-01|-1|x|5"},
		{"beginnings", `<row><c s="1"><v>1</v></c><c s="1"><v>59</v></c><c s="1"><v>60</v></c><c s="1"><v>61</v></c><c s="1"><v>0.5</v></c><c s="1"><v>2958465</v></c><c s="1"><v>2958465.999999</v></c><c s="1"><v>2958466</v></c></row>`,
			"1: 1900-01-01|1900-02-28|60|1900-03-01|0.5|9999-12-31|2958465.999999|2958466"},
		{"empty", `<row><c r="A1" t="s"/><c r="B1" s="1"/><c r="D1" t="b"><v></v></c><c r="E1"><v>1</v></c></row>`, "1: ||||1"},
		{"only formatted", `<row r="1"/><row r="1048576"><c r="A1048576" s="1"/></row>`, ""},
		{"formatted far right", `<row><c r="A1"><v>1</v></c><c r="XFD1" s="1"/></row>`, "1: 1"},
	} {
		got, err := read(bytes.NewReader(sheettest.Zip(t, parts(tt.rows))))
		var want []string
		if tt.want != "" {
			want = []string{"S/" + tt.want}
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v, (-want +got):\n%s", tt.name, err, diff)
		}
	}
}

func TestDates1904(t *testing.T) {
	p := parts(`<row><c s="1"><v>0</v></c><c s="1"><v>43159</v></c></row>`)
	p["xl/book.xml"] = strings.Replace(p["xl/book.xml"], `date1904="0"`, `date1904="1"`, 1)
	got, err := read(bytes.NewReader(sheettest.Zip(t, p)))
	if want := []string{"S/1: 1904-01-01|2022-03-01"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestWorkbookErrors(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	many := map[string]string{}
	for i := range 1001 {
		many[fmt.Sprint(i)] = ""
	}
	for _, tt := range []struct {
		name, part, text, want string
	}{
		{"no root", "_rels/.rels", "", "workbook: _rels/.rels: the part is missing"},
		{"no workbook", "_rels/.rels", "<Relationships/>", "workbook: no part is said to be the workbook"},
		{"another document", "xl/book.xml", "<w:document/>", "workbook: XL/book.xml: root element <document>, want <workbook>"},
		{"no worksheet", "sheets/1.xml", "", "workbook: sheets/1.xml: the part is missing"},
		{"a sheet of nothing", "xl/book.xml", `<workbook><sheets><sheet name="S" r:id="zzz"/></sheets></workbook>`, `the sheet "S" has no part`},
		{"sheets", "xl/book.xml", "<workbook><sheets>" + strings.Repeat(`<sheet name="S" r:id="b"/>`, 257) + "</sheets></workbook>", "more than 256 worksheets"},
		{"cut", "sheets/1.xml", "<worksheet><sheetData>", "workbook: sheets/1.xml: line 1"},
		{"doctype", "xl/s.xml", "<!DOCTYPE sst [<!ENTITY a 'b'>]><sst/>", "DOCTYPE"},
		{"shared string", "sheets/1.xml", `<worksheet><sheetData><row><c r="A1" t="s"><v>3</v></c></row></sheetData></worksheet>`, `cell A1: the shared string "3", of 3`},
		{"type", "sheets/1.xml", `<worksheet><sheetData><row><c r="A1" t="z"><v>3</v></c></row></sheetData></worksheet>`, `cell A1: type "z"`},
		{"rows out of order", "sheets/1.xml", `<worksheet><sheetData><row r="2"/><row r="2"/></sheetData></worksheet>`, "row 2 after 2"},
		{"row number", "sheets/1.xml", `<worksheet><sheetData><row r="x"/></sheetData></worksheet>`, `row "x" is no number`},
		{"row beyond", "sheets/1.xml", `<worksheet><sheetData><row r="1048577"/></sheetData></worksheet>`, "want a higher one of at most 1048576"},
		{"cells out of order", "sheets/1.xml", `<worksheet><sheetData><row><c r="B1"/><c r="A1"/></row></sheetData></worksheet>`, "column 1 after 2"},
		{"cell beyond", "sheets/1.xml", `<worksheet><sheetData><row><c r="IW1"><v>1</v></c></row></sheetData></worksheet>`, "a cell beyond column 256 that is not empty"},
		{"long cell", "sheets/1.xml", `<worksheet><sheetData><row><c t="str"><v>` + long + long + `</v></c></row></sheetData></worksheet>`, `worksheet "S", row 1: column 1: a cell of more than 131068 bytes`},
		{"empty strings", "xl/s.xml", "<sst>" + strings.Repeat("<si/>", 1<<20+1<<10) + "</sst>", "of more than 67108864 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := parts("")
			if p[tt.part] = tt.text; tt.text == "" {
				delete(p, tt.part)
			}
			_, err := read(bytes.NewReader(sheettest.Zip(t, p)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"members", sheettest.Zip(t, many), "a workbook of 1001 parts, at most 1000 are read"},
		{"cut", sheettest.Zip(t, parts(""))[:500], "workbook: zip"},
		{"case", sheettest.Zip(t, map[string]string{"a.xml": "", "A.XML": ""}), "twice"},
	} {
		if _, err := read(bytes.NewReader(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What the caller's function says ends the reading and is returned as it is.
func TestRowError(t *testing.T) {
	stop := errors.New("enough")
	for name, table := range map[string][]byte{
		"CSV":      []byte("a\nb\n"),
		"workbook": sheettest.Workbook(t, sheettest.Sheet{Name: "S", Rows: [][]any{{"a"}, {"b"}}}),
	} {
		calls := 0
		err := sheet.Read(bytes.NewReader(table), func(*sheet.Row) error { calls++; return stop })
		if err != stop || calls != 1 {
			t.Errorf("%s: %v after %d rows, want %v after one", name, err, calls, stop)
		}
	}
}

// A real workbook of 18 MB of XML gives the same rows as the CSV that was cut out
// of it.
func TestRealWorkbook(t *testing.T) {
	if parsertest.UnderRace {
		t.Skip("not run with -race: many megabytes, and one goroutine")
	}
	folder := filepath.FromSlash("../../../shared/data/uk/")
	f, err := os.Open(filepath.Join(folder, "OFSI-ConList-2025-04-10.xlsx"))
	if err != nil {
		t.Skip("not run: a real workbook, which is no part of the project, is absent")
	}
	defer f.Close()
	byID := map[string]bool{}
	rows, text := 0, 0
	err = sheet.Read(f, func(row *sheet.Row) error {
		rows++
		byID[normal(row.Cells)] = true
		for _, cell := range row.Cells {
			text += len(cell)
		}
		return nil
	})
	if err != nil || rows < 18_000 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	t.Logf("%d rows, %d bytes of text", rows, text)
	c, err := os.Open(filepath.Join(folder, "OFSI-ConList-2025-04-10.crypto-rows.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := csv.NewReader(c)
	in.FieldsPerRecord = -1
	records, err := in.ReadAll()
	if err != nil || len(records) < 2 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	found := 0
	for _, record := range records {
		if byID[normal(record)] {
			found++
		} else {
			t.Logf("not found: %.300s", normal(record))
		}
	}
	if found != len(records) {
		t.Errorf("%d of %d rows of the CSV are rows of the workbook", found, len(records))
	}
}

// normal joins cells, white space and empty ones left out.
func normal(cells []string) string {
	var all []string
	for _, cell := range cells {
		if cell = strings.Join(strings.Fields(cell), " "); cell != "" {
			all = append(all, cell)
		}
	}
	return strings.Join(all, "|")
}

// check checks what holds for every table: rows are not blank, stand in order and
// keep the bounds.
func check(t *testing.T, table []byte) {
	last := map[string]int{}
	err := sheet.Read(bytes.NewReader(table), func(row *sheet.Row) error {
		if row.Number < 1 || len(row.Cells) > 256 || strings.TrimSpace(strings.Join(row.Cells, "")) == "" || row.Cells[len(row.Cells)-1] == "" {
			t.Errorf("row %+v", row)
		}
		if row.Sheet == "" && row.Number <= last[""] {
			t.Errorf("line %d after %d", row.Number, last[""])
		}
		last[row.Sheet] = row.Number
		return nil
	})
	if err != nil && len(err.Error()) > 1000 {
		t.Errorf("an error of %d bytes", len(err.Error()))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,\"2\n3\"\n"))
	f.Add([]byte("\ufeffa;b\n1;2\n"))
	f.Add(sheettest.Workbook(f, sheettest.Sheet{Name: "S", Rows: [][]any{{"a", "b", 1, 2.5}, {time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}}}))
	f.Fuzz(func(t *testing.T, table []byte) { check(t, table) })
}

// FuzzParts changes the parts of a workbook rather than its bytes.
func FuzzParts(f *testing.F) {
	p := parts(`<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" s="1"><v>44621.5</v></c><c t="inlineStr"><is><t>_x000D_</t></is></c></row>`)
	f.Add(p["sheets/1.xml"], p["xl/s.xml"], p["xl/t.xml"], p["xl/book.xml"], p["xl/_rels/book.xml.rels"])
	f.Fuzz(func(t *testing.T, rows, strings, styles, book, relations string) {
		p := parts("")
		p["sheets/1.xml"], p["xl/s.xml"], p["xl/t.xml"], p["xl/book.xml"], p["xl/_rels/book.xml.rels"] = rows, strings, styles, book, relations
		check(t, sheettest.Zip(t, p))
	})
}
