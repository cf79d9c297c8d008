package eu

import (
	"testing"

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
		{"FSF-1.1.excerpt-2026-08-05.xml", 20260805, 1, 0, 0, 0},
		{"FSF-1.1.excerpt-2026-09-22.xml", 20260922, 2, 2, 9, 9},
	} {
		pub := parsertest.Parse(t, Parse, parsertest.SharedFile(t, "data", "eu", tt.name))
		rows, addresses := parsertest.Counts(pub)
		if pub.PublishedOn != tt.date || pub.Records != tt.records || len(pub.Parties) != tt.parties || rows != tt.rows || addresses != tt.addresses || pub.Unexpected != nil {
			t.Errorf("%s: %s, %d records, %d parties, %d rows, %d addresses, unexpected %v; want %+v",
				tt.name, pub.PublishedOn, pub.Records, len(pub.Parties), rows, addresses, pub.Unexpected, tt)
		}
		pubs = append(pubs, pub)
	}
	parsertest.Listings(t, "EU_FSF", pubs)
}
