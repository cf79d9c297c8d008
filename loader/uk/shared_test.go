package uk

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"walletscreen/loader/freetext"
	"walletscreen/loader/parsertest"
	"walletscreen/screen"
)

func TestRealExcerpts(t *testing.T) {
	var pubs []*screen.Publication
	for _, tt := range []struct {
		name                              string
		date                              screen.Date
		records, parties, rows, addresses int
	}{
		{"UK-Sanctions-List.excerpt-2026-09-10.xml", 20260910, 1, 0, 0, 0},
		{"UK-Sanctions-List.excerpt-2026-09-21.xml", 20260921, 4, 3, 16, 14},
		{"UK-Sanctions-List.excerpt-2026-10-02.xml", 20261002, 2, 2, 43, 43},
		{"UK-Sanctions-List.header-2026-10-08.csv", 20261008, 0, 0, 0, 0},
	} {
		pub := parsertest.Parse(t, Parse, parsertest.SharedFile(t, "data", "uk", tt.name))
		rows, addresses := parsertest.Counts(pub)
		if pub.PublishedOn != tt.date || pub.Records != tt.records || len(pub.Parties) != tt.parties || rows != tt.rows || addresses != tt.addresses || pub.Unexpected != nil {
			t.Errorf("%s: %s, %d records, %d parties, %d rows, %d addresses, unexpected %v; want %+v",
				tt.name, pub.PublishedOn, pub.Records, len(pub.Parties), rows, addresses, pub.Unexpected, tt)
		}
		pubs = append(pubs, pub)
	}
	parsertest.Listings(t, "UK_SANCTIONS_LIST", pubs)
}

// The closed list is refused in each of its forms; its texts are those of the
// list that took its place.
func TestRealOFSI(t *testing.T) {
	parsertest.WantError(t, Parse, parsertest.SharedFile(t, "data", "uk", "OFSI-ConList-2025-04-10.xlsx"), "uk: ", "a workbook or archive")
	doc := parsertest.SharedFile(t, "data", "uk", "OFSI-ConList-2025-04-10.crypto-rows.csv")
	parsertest.WantError(t, Parse, doc, "uk: CSV: ", "the OFSI Consolidated List")
	in := csv.NewReader(strings.NewReader(doc))
	in.FieldsPerRecord = -1
	table, err := in.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := slices.Index(table[1], "Other Information")
	distinct := make(map[string]bool)
	printed, without := 0, 0
	for _, row := range table[2:] {
		var rows freetext.Rows
		rows.Prose(row[column])
		of := rows.Addresses()
		for _, a := range of {
			distinct[a.Text] = true
			if a.Symbol == "" {
				t.Errorf("%s without its label", a.Text)
			}
		}
		if printed += len(of); len(of) == 0 {
			without++
		}
	}
	if printed != 26 || len(distinct) != 11 || without != 2 {
		t.Errorf("%d rows, %d addresses, %d cells without; want 26, 11 and 2", printed, len(distinct), without)
	}
}
