// Package prose makes rows of the addresses that a publisher prints in free text.
//
// What is an address in a text is the scanner's to say (address.Scan). This room
// decides what becomes of the runs that the scanner could not read. One that has
// the shape of an address and for which its checksum or its length does not hold
// was meant as one by whoever printed it: it is a row with its text as printed,
// to be matched literally. Hashes and numbers are not rows. Whatever an operator
// should look at is counted beside, without any text.
package prose

import (
	"strings"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

// What is counted in Unexpected.
const (
	// A row was made of a text that no family of addresses reads.
	Misprint = "misprinted address, kept as printed"
	// A run of characters where addresses stand is neither a row nor an address.
	Unread = "unreadable run where addresses stand"
	// A text speaks of wallets or digital currency, and holds no address.
	NoAddress = "text speaks of wallets, no address found"
)

// minMisprint is the length of the shortest text that is taken for a misprinted
// address: 25 characters have the shortest addresses in base58check.
const minMisprint = 25

// Rows gathers the addresses that the texts of one party print. The zero value is
// ready for use. It is for one goroutine.
type Rows struct {
	// Addresses are the rows in the order of their first mention: one for each
	// address, tag and label. An address without any label is a row without symbol.
	Addresses []screen.PublishedAddress
	// Unexpected counts Misprint, Unread and NoAddress.
	Unexpected map[string]int

	seen    map[row]bool
	printed map[row]bool // those of seen, without symbol
}

type row struct{ text, tag, symbol string }

// Read adds the addresses of a text.
func (r *Rows) Read(text string) {
	scanned := address.Scan(text)
	for i := range scanned.Found {
		f := &scanned.Found[i]
		if len(f.Labels) == 0 {
			r.add(row{text: f.Text, tag: f.Tag})
		}
		for _, label := range f.Labels {
			r.add(row{f.Text, f.Tag, label})
		}
	}
	nothing := scanned.Suspicious
	for _, u := range scanned.Unread {
		run := text[u.Start:u.End]
		switch {
		case misprint(run, u.Reason):
			r.add(row{text: run})
			r.count(Misprint)
			nothing = false
		case len(scanned.Found) > 0 || scanned.Suspicious:
			r.count(Unread)
		}
	}
	if nothing {
		r.count(NoAddress)
	}
}

// ReadCell adds the addresses of a text that is to be one address, as an item of a
// list of addresses is: formats that need a label elsewhere need none here. What
// stands among the rows already, with whatever label, is not added.
func (r *Rows) ReadCell(text string) {
	cell := address.ScanCell(text)
	for i := range cell.Found {
		r.addNew(cell.Found[i].Text, cell.Found[i].Tag)
	}
	if cell.Other == "" {
		return
	}
	if misprint(cell.Other, cell.Reason) || len(cell.Other) >= minMisprint && len(strings.Fields(cell.Other)) == 1 {
		if r.addNew(cell.Other, cell.Tag) {
			r.count(Misprint)
		}
		return
	}
	r.count(Unread)
}

// addNew adds a row without a label unless there is one of that text and tag, and
// reports whether it did.
func (r *Rows) addNew(text, tag string) bool {
	key := row{text: text, tag: tag}
	if r.printed[key] {
		return false
	}
	r.add(key)
	return true
}

func (r *Rows) add(key row) {
	if r.seen[key] {
		return
	}
	if r.seen == nil {
		r.seen, r.printed = make(map[row]bool), make(map[row]bool)
	}
	r.seen[key] = true
	r.printed[row{text: key.text, tag: key.tag}] = true
	r.Addresses = append(r.Addresses, screen.PublishedAddress{Text: key.text, Tag: key.tag, Symbol: key.symbol})
}

func (r *Rows) count(what string) {
	if r.Unexpected == nil {
		r.Unexpected = make(map[string]int)
	}
	r.Unexpected[what]++
}

// misprint reports whether a run that the scanner refused for reason is meant as
// an address. Hex digits alone are a hash: the shapes of addresses say so little
// of them that every MD5 or SHA-1 would be one.
func misprint(run string, reason address.Reason) bool {
	if len(run) < minMisprint {
		return false
	}
	prefixed := strings.EqualFold(run[:2], "0x")
	switch reason {
	case address.ReasonChecksum:
		return prefixed || strings.Trim(run, "0123456789abcdefABCDEF") != ""
	case address.ReasonMalformed:
		return prefixed
	}
	return false
}
