// Package sheettest writes small workbooks for the tests of what reads them.
package sheettest

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// A Sheet is one worksheet.
type Sheet struct {
	Name   string
	Hidden bool
	// Rows are the cells by row: a string, a number, a time.Time, which becomes a
	// number that a style shows as a date, or nil for none.
	Rows [][]any
}

// Workbook returns an XLSX file with the sheets. A string is written as a shared
// one in even columns, with a phonetic guide that is no part of it, and inline in
// odd ones.
func Workbook(t testing.TB, sheets ...Sheet) []byte {
	t.Helper()
	var list, relations, shared strings.Builder
	parts := map[string]string{}
	count := 0
	for i, sheet := range sheets {
		state := ""
		if sheet.Hidden {
			state = ` state="hidden"`
		}
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d"%s r:id="rId%d"/>`, escape(t, sheet.Name), i+1, state, i+1)
		fmt.Fprintf(&relations, `<Relationship Id="rId%d" Type="%s/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, relationship, i+1)
		var rows strings.Builder
		for r, row := range sheet.Rows {
			fmt.Fprintf(&rows, `<row r="%d">`, r+1)
			for c, cell := range row {
				place := fmt.Sprintf("%s%d", column(c), r+1)
				switch cell := cell.(type) {
				case nil:
				case string:
					if c%2 == 1 {
						fmt.Fprintf(&rows, `<c r="%s" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>`, place, escape(t, cell))
						continue
					}
					fmt.Fprintf(&rows, `<c r="%s" t="s"><v>%d</v></c>`, place, count)
					fmt.Fprintf(&shared, `<si><t xml:space="preserve">%s</t><rPh sb="0" eb="1"><t>guide</t></rPh></si>`, escape(t, cell))
					count++
				case time.Time:
					serial := cell.Sub(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)).Hours() / 24
					fmt.Fprintf(&rows, `<c r="%s" s="1"><v>%v</v></c>`, place, serial)
				case int, float64:
					fmt.Fprintf(&rows, `<c r="%s"><v>%v</v></c>`, place, cell)
				default:
					t.Fatalf("sheet %s, %s: a cell of type %T", sheet.Name, place, cell)
				}
			}
			rows.WriteString("</row>")
		}
		parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = `<worksheet xmlns="` + main + `"><sheetData>` + rows.String() + "</sheetData></worksheet>"
	}
	fmt.Fprintf(&relations, `<Relationship Id="rIdA" Type="%s/styles" Target="/xl/styles.xml"/>`, relationship)
	fmt.Fprintf(&relations, `<Relationship Id="rIdB" Type="%s/sharedStrings" Target="sharedStrings.xml"/>`, relationship)
	parts["xl/workbook.xml"] = `<workbook xmlns="` + main + `" xmlns:r="` + relationship + `"><sheets>` + list.String() + "</sheets></workbook>"
	parts["xl/_rels/workbook.xml.rels"] = relationships(relations.String())
	parts["_rels/.rels"] = relationships(`<Relationship Id="rId1" Type="` + relationship + `/officeDocument" Target="xl/workbook.xml"/>`)
	parts["xl/sharedStrings.xml"] = `<sst xmlns="` + main + `">` + shared.String() + "</sst>"
	parts["xl/styles.xml"] = `<styleSheet xmlns="` + main + `"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`
	parts["[Content_Types].xml"] = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`
	return Zip(t, parts)
}

const (
	main         = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
	relationship = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
)

func relationships(list string) string {
	return `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` + list + "</Relationships>"
}

// Zip returns a zip of the parts by name.
func Zip(t testing.TB, parts map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range parts {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func escape(t testing.TB, s string) string {
	t.Helper()
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// column returns the letters of column i, from 0.
func column(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return column(i/26-1) + column(i%26)
}
