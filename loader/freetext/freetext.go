// Package freetext makes address rows of what a publisher writes about a party
// in prose, for the lists that have no field for addresses: the same rules for
// all of them, on top of address.Scan.
package freetext

import (
	"strings"
	"unicode"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

// Rows collects the addresses that the texts of one party print. The zero value
// is empty. Rows is for one goroutine.
//
// An address is a row for each label that stands before it anywhere in the
// texts, in the order of first mention; it is a row without a symbol only if no
// text labels it. Repeats are one row. The text of a row is what address.Scan
// found: joined if it was broken, letters that look alike folded.
//
// A run of characters that Scan does not take is a row too, as printed, if it is
// plainly meant as an address, so that no misprint drops what a publisher lists:
//
//   - an address of a kind without a checksum, one whose checksum fails, or one of
//     0x and too few or too many digits, in a text that speaks of wallets, prints
//     other addresses, or names a currency shortly before it;
//   - what else is malformed, of an unknown network, or a key or account number,
//     only with the name of a currency shortly before it;
//   - whatever is an item of a list of addresses and could be one (Cell).
//
// Hexadecimal digits alone, without 0x and without the name of a currency, are
// hashes more often than addresses and no row; nor are the numbers of companies
// and telephones. What stands among addresses and is no row is counted.
type Rows struct {
	// Kept counts the bytes that are held, about, so that callers can bound them.
	Kept int

	rows   []row
	at     map[mention]int
	labels map[labeled]bool
	notes  map[note]bool
	speaks bool // a text speaks of wallets and yields nothing
}

type row struct {
	mention
	labels []string
}

type mention struct{ text, tag string }

type labeled struct {
	mention
	label string
}

// A note is one thing to count. A run that is printed again is counted once.
type note struct{ what, run string }

const (
	noAddress  = "text speaks of wallets, no address found"
	unreadable = "unreadable run where addresses stand: "
	misprint   = "misprinted address kept as printed: "
	unlabeled  = "address without checksum or label kept"

	// minPrinted is the length of the shortest run that is kept as printed: the
	// shortest addresses in base58check have 25 characters.
	minPrinted = 25

	// stringCost is what holding a string takes beside its bytes, about.
	stringCost = 64
)

// Prose reads a field in which the publisher writes sentences.
func (r *Rows) Prose(text string) {
	if r.read(text) {
		r.speaks = true
	}
}

// Detail reads a field that is meant for something else than addresses: a
// number, a place, a website. Unlike with Prose, that it speaks of wallets is
// nothing to count.
func (r *Rows) Detail(text string) { r.read(text) }

// Cell reads a text that is to be one address, as an item of a list of addresses
// is: formats that need a label elsewhere need none here.
func (r *Rows) Cell(text string) {
	cell := address.ScanCell(text)
	for i := range cell.Found {
		f := &cell.Found[i]
		r.add(f.Text, f.Tag, f.Labels...)
	}
	switch {
	case cell.Other == "":
	case len(cell.Other) >= minPrinted && len(cell.Other) <= address.MaxTextBytes && len(strings.Fields(cell.Other)) == 1:
		if r.add(cell.Other, cell.Tag) {
			r.note(misprint+cell.Reason.String(), cell.Other)
		}
	default:
		r.note(unreadable+cell.Reason.String(), cell.Other)
	}
}

// read reports whether the text speaks of wallets and has no address.
func (r *Rows) read(text string) bool {
	scanned := address.Scan(text)
	for i := range scanned.Found {
		f := &scanned.Found[i]
		r.add(f.Text, f.Tag, f.Labels...)
	}
	if scanned.Suspicious && strings.Contains(text, wallet) {
		scanned.Suspicious = address.Scan(withoutNames(text)).Suspicious
	}
	among := scanned.Suspicious || len(scanned.Found) > 0
	for _, u := range scanned.Unread {
		if r.unread(text, u, among) {
			scanned.Suspicious = false
		}
	}
	return scanned.Suspicious
}

// unread decides on a run that Scan did not take; among says that it stands in a
// text of addresses. It reports whether the run is a row.
func (r *Rows) unread(text string, u address.Unread, among bool) bool {
	run := text[u.Start:u.End]
	var labels []string
	if label := labelBefore(text[:u.Start]); label != "" {
		labels = []string{label}
	}
	if !among && labels == nil {
		return false
	}
	if _, known := r.at[mention{text: run}]; known {
		r.add(run, "", labels...)
		return true
	}
	cell := address.ScanCell(run)
	if labels == nil && strings.Trim(run, "0123456789abcdefABCDEF") == "" {
		r.note(unreadable+"digits", run)
		return false
	}
	if len(cell.Found) > 0 {
		for _, f := range cell.Found {
			r.add(f.Text, f.Tag, labels...)
		}
		r.note(unlabeled, run)
		return true
	}
	if len(run) < minPrinted {
		// The rest of a run that was split: the mark of a footnote, half a word.
		r.note(unreadable+cell.Reason.String(), run)
		return false
	}
	switch cell.Reason {
	case address.ReasonChecksum:
	case address.ReasonMalformed, address.ReasonUnsupportedNetwork, address.ReasonNonASCII, address.ReasonExtendedKey, address.ReasonNotAnAddress:
		prefixed := strings.EqualFold(run[:2], "0x")
		if labels == nil && !(prefixed && cell.Reason == address.ReasonMalformed) {
			r.note(unreadable+cell.Reason.String(), run)
			return false
		}
	default:
		r.note(unreadable+cell.Reason.String(), run)
		return false
	}
	r.add(run, "", labels...)
	r.note(misprint+cell.Reason.String(), run)
	return true
}

// example is an address that Scan takes wherever it stands.
const example = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"

// labelBefore returns the known label that would be in force for an address
// behind text, "" if none: Scan tells it of addresses only, so one is put there.
func labelBefore(text string) string {
	const reach = 128 // bytes that are looked at, so that the time stays linear
	found := address.Scan(text[max(0, len(text)-reach):] + " " + example).Found
	if len(found) == 0 || found[len(found)-1].Text != example || len(found[len(found)-1].Labels) == 0 {
		return ""
	}
	label := found[len(found)-1].Labels[0]
	// Any word of capitals is a label if a colon follows, as in "MD5:".
	if alone := address.Scan(label + " " + example).Found; len(alone) != 1 || len(alone[0].Labels) == 0 {
		return ""
	}
	return label
}

// wallet is a part of names as well.
const wallet = "Wallet"

// aboutWallets are words that stand next to the word in texts that speak of
// wallets, also where each word has a capital letter.
var aboutWallets = map[string]bool{
	"Address": true, "Addresses": true, "Account": true, "Accounts": true, "Number": true, "Numbers": true, "Id": true,
	"Digital": true, "Virtual": true, "Hot": true, "Cold": true, "The": true, "This": true, "Known": true, "Following": true,
}

// withoutNames returns the words of a text without Wallet where it is a part of a
// name: between two words that begin with a capital letter. It means daughter in
// names of Tuareg, such as "Rhiachatou Wallet Sidi" on the list of the United
// Nations, and stands in names of companies.
func withoutNames(text string) string {
	words := strings.Fields(text)
	for i := 1; i+1 < len(words); i++ {
		behind := strings.TrimRightFunc(words[i+1], unicode.IsPunct)
		if words[i] == wallet && partOfName(words[i-1]) && partOfName(behind) {
			words[i] = ";"
		}
	}
	return strings.Join(words, " ")
}

// partOfName reports whether a word next to Wallet is of the same name.
func partOfName(word string) bool {
	if aboutWallets[word] || word == wallet {
		return false
	}
	for i, r := range word {
		switch {
		case i == 0 && !unicode.IsUpper(r), i > 0 && !unicode.IsLower(r) && r != '-' && r != '\'':
			return false
		}
	}
	return len(word) > 1
}

// add adds a row or labels to it, and reports whether the row is new.
func (r *Rows) add(text, tag string, labels ...string) bool {
	m := mention{text, tag}
	at, known := r.at[m]
	if !known {
		if r.at == nil {
			r.at = make(map[mention]int)
		}
		m = mention{strings.Clone(text), strings.Clone(tag)} // not the whole text that they stand in
		at = len(r.rows)
		r.at[m] = at
		r.rows = append(r.rows, row{mention: m})
		r.Kept += len(text) + len(tag) + 2*stringCost
	}
	m = r.rows[at].mention
	for _, label := range labels {
		if l := (labeled{m, label}); !r.labels[l] {
			l.label = strings.Clone(label)
			if r.labels == nil {
				r.labels = make(map[labeled]bool)
			}
			r.labels[l] = true
			r.rows[at].labels = append(r.rows[at].labels, l.label)
			r.Kept += len(label) + 2*stringCost
		}
	}
	return !known
}

func (r *Rows) note(what, run string) {
	n := note{what, strings.Clone(run[:min(len(run), address.MaxTextBytes)])}
	if r.notes[n] {
		return
	}
	if r.notes == nil {
		r.notes = make(map[note]bool)
	}
	r.notes[n] = true
	r.Kept += len(n.run) + 2*stringCost
}

// Addresses returns the rows.
func (r *Rows) Addresses() []screen.PublishedAddress {
	var out []screen.PublishedAddress
	for _, row := range r.rows {
		if len(row.labels) == 0 {
			out = append(out, screen.PublishedAddress{Text: row.text, Tag: row.tag})
		}
		for _, label := range row.labels {
			out = append(out, screen.PublishedAddress{Text: row.text, Symbol: label, Tag: row.tag})
		}
	}
	return out
}

// Count adds to counts what an operator must know of the texts: that they speak
// of wallets and no address was found in any of them, and what could not be
// read. The descriptions hold nothing of the texts.
func (r *Rows) Count(counts Counts) {
	if r.speaks && len(r.rows) == 0 {
		counts.Add(noAddress)
	}
	for n := range r.notes {
		counts.Add(n.what)
	}
}

// Counts is what a parser has no rule for, by description: the Unexpected of a
// publication.
type Counts map[string]int

// maxCounts is the number of descriptions that are counted apart, so that a
// document full of new names eats no memory.
const maxCounts = 200

// Add counts one more of what the description says.
func (c Counts) Add(description string) {
	if _, known := c[description]; !known && len(c) >= maxCounts {
		description = "other things"
	}
	c[description]++
}

// Unexpected returns the counts together with others, such as those of an
// xmlstream.Scanner; nil if nothing was counted.
func (c Counts) Unexpected(others map[string]int) map[string]int {
	for description, n := range others {
		c[description] += n
	}
	if len(c) == 0 {
		return nil
	}
	return c
}
