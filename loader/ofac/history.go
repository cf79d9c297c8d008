package ofac

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"walletscreen/screen"
)

// maxHistory bounds the bytes of a history; that of a year has some 200
// publications of 80 bytes.
const maxHistory = 4 << 20

// A PastPublication is one publication of OFAC, of whatever lists.
type PastPublication struct {
	ID int64 // what its delta file is asked for by: /changes/{id}
	On screen.Date
}

// ParseHistory reads the publications of a year, a month or a day in the order of
// the document, as OFAC's /changes/history/{year} lists them in JSON: an array of
// objects with publicationID and datePublished, "2026-01-16T10:01:44.740051" in
// the time of Washington. A day on which nothing was published has none.
func ParseHistory(r io.Reader) ([]PastPublication, error) {
	var rows []struct {
		ID   int64  `json:"publicationID"`
		Date string `json:"datePublished"`
	}
	b, err := io.ReadAll(io.LimitReader(r, maxHistory+1))
	if err != nil {
		return nil, fmt.Errorf("ofac: history: reading: %w", err)
	}
	if len(b) > maxHistory {
		return nil, fmt.Errorf("ofac: history: the document has more than %d bytes", maxHistory)
	}
	if !strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		return nil, errors.New("ofac: history: the document is not a JSON array")
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		return nil, fmt.Errorf("ofac: history: %w", err)
	}
	publications := make([]PastPublication, len(rows))
	for i, row := range rows {
		if row.ID <= 0 {
			return nil, fmt.Errorf("ofac: history: publication %d of %d has the publicationID %d", i+1, len(rows), row.ID)
		}
		t, err := moment(row.Date)
		if err != nil {
			return nil, fmt.Errorf("ofac: history: datePublished of publication %d is %w", row.ID, err)
		}
		publications[i] = PastPublication{ID: row.ID, On: screen.DateOf(t)}
	}
	return publications, nil
}
