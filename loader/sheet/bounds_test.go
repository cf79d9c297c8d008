package sheet

import (
	"bytes"
	"strings"
	"testing"

	"walletscreen/loader/sheet/sheettest"
)

// No table is read beyond the bounds of the whole, here with small ones.
func TestBounds(t *testing.T) {
	workbook := func(rows int, text string) []byte {
		s := sheettest.Sheet{Name: "S"}
		for range rows {
			s.Rows = append(s.Rows, []any{text})
		}
		return sheettest.Workbook(t, s)
	}
	kilobyte := strings.Repeat("x", 1000)
	for _, tt := range []struct {
		name   string
		table  []byte
		bounds bounds
		want   string
	}{
		{"CSV within", []byte(strings.Repeat(kilobyte+"\n", 10)), bounds{file: 10_010, text: 10_000}, ""},
		{"CSV file", []byte(strings.Repeat(kilobyte+"\n", 10)), bounds{file: 10_009, text: 10_000}, "a CSV file of more than 10009 bytes"},
		{"CSV in one cell", []byte("\"" + strings.Repeat("x\n", 10_000)), bounds{file: 5000, text: 10_000}, "a CSV file of more than 5000 bytes"},
		{"CSV text", []byte(strings.Repeat(kilobyte+"\n", 10)), bounds{file: 20_000, text: 9_999}, "line 10: cells of more than 9999 bytes in all"},
		{"workbook within", workbook(10, kilobyte), bounds{file: 20_000, xml: 20_000, text: 10_000}, ""},
		{"workbook file", workbook(10, kilobyte), bounds{file: 500, xml: 20_000, text: 10_000}, "a workbook of more than 500 bytes"},
		{"workbook text", workbook(10, kilobyte), bounds{file: 20_000, xml: 20_000, text: 9_999}, `worksheet "S", row 10: cells of more than 9999 bytes in all`},
		{"bomb", workbook(1, strings.Repeat("x", 100_000)), bounds{file: 20_000, xml: 100_000, text: 200_000}, "parts of more than 100000 bytes in all"},
	} {
		table := &table{row: func(*Row) error { return nil }, bounds: tt.bounds}
		err := table.read(bytes.NewReader(tt.table))
		if err == nil != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
