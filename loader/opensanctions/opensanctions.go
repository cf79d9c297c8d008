// Package opensanctions reads the digital currency addresses of OpenSanctions
// (https://www.opensanctions.org), which gathers the lists of many authorities and
// others into one database, under the license CC BY-NC 4.0: businesses need a data
// license of OpenSanctions.
//
// The document is entities.ftm.json of any data set or collection: one entity of
// the model FollowTheMoney (https://followthemoney.tech) after the other, each a
// JSON object; an array of them is read as well. The model's words are here:
//
//   - A CryptoWallet has publicKey, which holds addresses in spite of its name; or
//     accountId, the number of an account at an exchange, which is no address and
//     no row. Each value of publicKey is a row, for each value of currency, which
//     is the symbol. What is no address is kept as it is printed.
//   - holder is the id of the entity, before or behind, that the wallet belongs to:
//     the party, with the holder's id as UID, caption as name and schema as type. A
//     wallet without one is a party of its own. Some data sets give a holder who is
//     no entity; the party has no name then.
//   - datasets say where OpenSanctions has the wallet from: "us_ofac_sdn",
//     "ransomwhere". They are the party's first programs, its holder's programId
//     the others.
//   - topics say what OpenSanctions makes of the wallet: "sanction", "crime.theft".
//     They are the row's comment.
//   - A Sanction or Risk of the wallet itself, as seizure orders are, may have an
//     endDate. A wallet without topics, all of whose sanctions have one, is listed
//     to the end of that day.
//
// The list is advisory as a whole. It mixes designations with the findings of
// police and volunteers, two entities may be merged in error, and neither data set nor
// topic says for certain which law binds whom: whoever is bound by a designation
// must load the list of the authority itself.
package opensanctions

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

// Bounds that a document must keep.
const (
	// maxEntity is the number of bytes of one entity.
	maxEntity = 8 << 20

	// maxKept is about the number of bytes that are kept of a document: its wallets
	// and rows, and the id and name of everyone who may turn out to hold one, 60 to
	// 100 bytes each. There is room for more than a million of these.
	maxKept = 128 << 20

	maxName       = 300 // bytes of a holder's name; what is more is cut off
	maxProperties = 100 // names of unknown properties that are counted apart

	wordCost   = 32  // what keeping a string takes beside its bytes, about
	recordCost = 250 // what keeping a wallet, party or row takes beside its strings
)

// What is counted in Unexpected, beside properties that a wallet should not have.
const (
	noKey     = "CryptoWallet without publicKey and accountId"
	noAddress = "publicKey that is no address"
	noHolder  = "holder that is no entity of the document"
	noDate    = "date that is none"
)

const byteOrderMark = "\ufeff"

// holderTypes are the schemata of who may hold a wallet, the range of holder: a
// LegalEntity, of which it is not said what it is, and what extends that.
var holderTypes = map[string]screen.PartyType{
	"LegalEntity":  screen.PartyUnspecified,
	"Person":       screen.PartyIndividual,
	"Organization": screen.PartyEntity,
	"Company":      screen.PartyEntity,
	"PublicBody":   screen.PartyEntity,
}

// walletProperties are those of CryptoWallet, Value and Thing, which it extends;
// mangingExchange is what some data sets call it.
var walletProperties = map[string]bool{
	"publicKey": true, "accountId": true, "holder": true, "managingExchange": true, "mangingExchange": true, "privateKey": true,
	"currencySymbol": true, "creationDate": true, "balance": true, "balanceDate": true,
	"currency": true, "amount": true, "amountUsd": true, "amountEur": true,
	"name": true, "alias": true, "weakAlias": true, "previousName": true, "abbreviation": true, "summary": true, "description": true, "notes": true,
	"topics": true, "keywords": true, "country": true, "address": true, "addressEntity": true, "program": true, "programId": true,
	"sourceUrl": true, "publisher": true, "publisherUrl": true, "proof": true, "wikidataId": true, "wikipediaUrl": true,
	"createdAt": true, "modifiedAt": true, "retrievedAt": true, "alephUrl": true, "indexText": true,
}

// Parse reads a document to its end. It fills PublishedOn, Records, Parties and
// Unexpected; list and digest are the caller's to set. Records counts the entities
// of every schema. PublishedOn is the newest day on which a source of any entity
// was read (last_seen), for a document has no date of its own: unlike last_change
// it does not go back when an entity is removed. It is zero if no entity has one.
//
// A document that is cut short inside an entity or an array is an error that says
// which entity; one that is cut between two lines cannot be told from a whole one.
// At most 128 MiB are kept of a document; one of which more would have to be kept
// is an error, and a smaller collection is to be loaded.
func Parse(r io.Reader) (*screen.Publication, error) { return parse(r, maxKept) }

// parse is Parse with another bound on what is kept.
func parse(r io.Reader, keep int) (*screen.Publication, error) {
	p := &parser{
		keep:       keep,
		pub:        new(screen.Publication),
		ids:        map[string]bool{},
		unexpected: map[string]int{},
	}
	err := p.read(r)
	if err == nil {
		err = p.resolve()
	}
	if err != nil {
		return nil, fmt.Errorf("opensanctions: %w", err)
	}
	if len(p.unexpected) > 0 {
		p.pub.Unexpected = p.unexpected
	}
	return p.pub, nil
}

type parser struct {
	pub        *screen.Publication
	unexpected map[string]int
	properties int // names of unknown properties in unexpected
	keep       int // bytes that may be kept
	kept       int // of them, but for those of holders and sanctions

	wallets []wallet
	ids     map[string]bool // of wallets

	holders   records // id, schema, name and programs of each possible holder
	sanctions records // id and end, which may be empty, of each sanction of an entity
}

// An entity is what all entities have.
type entity struct {
	ID         string          `json:"id"`
	Caption    string          `json:"caption"`
	Schema     string          `json:"schema"`
	Properties json.RawMessage `json:"properties"`
	Datasets   []string        `json:"datasets"`
	LastSeen   string          `json:"last_seen"`
}

// A wallet is a CryptoWallet with a publicKey.
type wallet struct {
	id, name                      string
	keys, currencies, holders     []string
	datasets, topics, exchangedAt []string
}

// read reads the entities and keeps what resolve needs.
func (p *parser) read(r io.Reader) error {
	text := bufio.NewReaderSize(r, 1<<16)
	if head, _ := text.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	in := &bounded{r: text, limit: maxEntity}
	dec := json.NewDecoder(in)
	array, err := beginsArray(text)
	if err != nil {
		return err
	}
	if array {
		if _, err := dec.Token(); err != nil {
			return err
		}
	}
	for n := 1; !array || dec.More(); n++ {
		var e entity
		err := dec.Decode(&e)
		if err == io.EOF && !array {
			break
		}
		if err == nil {
			err = p.entity(&e)
		}
		if err != nil {
			return fmt.Errorf("entity %d: %w", n, explain(err))
		}
		p.pub.Records = n
		in.limit = dec.InputOffset() + maxEntity
	}
	if array {
		if _, err := dec.Token(); err != nil { // the end of the array
			return fmt.Errorf("after entity %d: %w", p.pub.Records, explain(err))
		}
		if _, err := dec.Token(); err != io.EOF {
			return errors.New("something follows the array of entities")
		}
	}
	if p.pub.Records == 0 {
		return errors.New("the document has no entity")
	}
	return nil
}

// beginsArray reports whether the first character that is no white space begins a
// JSON array, and drops the white space.
func beginsArray(text *bufio.Reader) (bool, error) {
	for {
		head, err := text.Peek(1)
		if err == io.EOF {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("reading: %w", err)
		}
		switch head[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = text.Discard(1)
		default:
			return head[0] == '[', nil
		}
	}
}

// explain says what an error of the decoder means here.
func explain(err error) error {
	var typ *json.UnmarshalTypeError
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the document is cut short", io.ErrUnexpectedEOF)
	case errors.As(err, &typ) && typ.Value == "object":
		return fmt.Errorf("%w: entities inside entities are of targets.nested.json, want entities.ftm.json", err)
	}
	return err
}

func (p *parser) entity(e *entity) error {
	if e.ID == "" || e.Schema == "" {
		return errors.New("no id or no schema: this is no entity of FollowTheMoney")
	}
	if e.LastSeen != "" {
		if day, ok := lastDay(e.LastSeen); !ok {
			p.unexpected[noDate]++
		} else {
			p.pub.PublishedOn = max(p.pub.PublishedOn, screen.DateOf(day))
		}
	}
	var err error
	switch _, holder := holderTypes[e.Schema]; {
	case e.Schema == "CryptoWallet":
		err = p.wallet(e)
	case e.Schema == "Sanction", e.Schema == "Risk":
		err = p.sanction(e)
	case holder:
		err = p.holder(e)
	}
	if err != nil {
		return fmt.Errorf("%s %.80q: %w", e.Schema, e.ID, err)
	}
	if p.room() < 0 {
		return p.full()
	}
	return nil
}

// room returns how many bytes more may be kept.
func (p *parser) room() int { return p.keep - p.kept - p.holders.size - p.sanctions.size }

// full says that there is no room.
func (p *parser) full() error {
	return fmt.Errorf("more than %d bytes would have to be kept of the wallets and of who may hold them: load a smaller collection", p.keep)
}

func (p *parser) wallet(e *entity) error {
	var properties map[string][]string
	if err := unmarshal(e.Properties, &properties); err != nil {
		return err
	}
	if p.ids[e.ID] {
		return errors.New("a second one of this id")
	}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if !walletProperties[name] {
			p.unknown(name)
		}
	}
	w := wallet{
		id:          e.ID,
		name:        first(properties["name"], properties["alias"]),
		keys:        filled(properties["publicKey"]),
		currencies:  filled(properties["currency"]),
		holders:     filled(properties["holder"]),
		datasets:    filled(e.Datasets),
		topics:      filled(properties["topics"]),
		exchangedAt: filled(append(properties["managingExchange"], properties["mangingExchange"]...)),
	}
	p.ids[e.ID] = true
	p.kept += recordCost + len(w.id) + len(w.name)
	if len(w.keys) == 0 {
		if len(filled(properties["accountId"])) == 0 {
			p.unexpected[noKey]++
		}
		return nil
	}
	for _, words := range [][]string{w.keys, w.currencies, w.holders, w.datasets, w.topics, w.exchangedAt} {
		for _, word := range words {
			p.kept += wordCost + len(word)
		}
	}
	p.wallets = append(p.wallets, w)
	return nil
}

// unknown counts a property that a wallet should not have. Its name is part of the
// description only if it looks like one.
func (p *parser) unknown(name string) {
	what := "other property of CryptoWallet"
	letter := func(r rune) bool { return 'a' <= r|0x20 && r|0x20 <= 'z' }
	if named := "property CryptoWallet:" + name; len(name) <= 40 && strings.TrimFunc(name, letter) == "" {
		switch {
		case p.unexpected[named] > 0:
			what = named
		case p.properties < maxProperties:
			what = named
			p.properties++
		}
	}
	p.unexpected[what]++
}

func (p *parser) holder(e *entity) error {
	var properties struct {
		Name      []string `json:"name"`
		ProgramID []string `json:"programId"`
	}
	if err := unmarshal(e.Properties, &properties); err != nil {
		return err
	}
	name := first([]string{e.Caption}, properties.Name)
	name = strings.ToValidUTF8(name[:min(len(name), maxName)], "")
	p.holders.add(append([]string{e.ID, e.Schema, name}, filled(properties.ProgramID)...))
	return nil
}

func (p *parser) sanction(e *entity) error {
	var properties struct {
		Entity  []string `json:"entity"`
		EndDate []string `json:"endDate"`
	}
	if err := unmarshal(e.Properties, &properties); err != nil {
		return err
	}
	end := ""
	if len(properties.EndDate) > 0 {
		end = slices.Max(properties.EndDate)
		if len(end) > len(time.DateOnly) {
			end = end[:len(time.DateOnly)]
		}
	}
	for _, id := range filled(properties.Entity) {
		p.sanctions.add([]string{id, end})
	}
	return nil
}

// unmarshal reads properties, which may be missing.
func unmarshal(properties json.RawMessage, into any) error {
	if len(properties) == 0 {
		return nil
	}
	return json.Unmarshal(properties, into)
}

// first returns the first word that is not empty.
func first(lists ...[]string) string {
	for _, list := range lists {
		for _, word := range list {
			if word = strings.TrimSpace(word); word != "" {
				return word
			}
		}
	}
	return ""
}

// filled returns the words that are not empty, each once.
func filled(words []string) []string {
	var out []string
	seen := make(map[string]bool, len(words))
	for _, word := range words {
		if word = strings.TrimSpace(word); word != "" && !seen[word] {
			seen[word] = true
			out = append(out, word)
		}
	}
	return out
}

// resolve makes parties of the wallets.
func (p *parser) resolve() error {
	parties := map[string]int{} // index in pub.Parties by UID
	programs := map[string]map[string]bool{}
	party := func(uid string) *screen.PublishedParty {
		at, ok := parties[uid]
		if !ok {
			at = len(p.pub.Parties)
			parties[uid] = at
			programs[uid] = map[string]bool{}
			p.pub.Parties = append(p.pub.Parties, screen.PublishedParty{UID: uid})
			p.kept += recordCost + len(uid)
		}
		return &p.pub.Parties[at]
	}
	held := map[string]bool{} // UIDs of holders
	ends := p.ends()
	for i := range p.wallets {
		w := &p.wallets[i]
		rows, err := p.rows(w, ends[w.id])
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		uids := w.holders
		if len(uids) == 0 {
			uids = []string{w.id}
		}
		for _, uid := range uids {
			one := party(uid)
			if len(w.holders) > 0 {
				held[uid] = true
			} else {
				one.Facts.Name, one.Facts.URL = w.name, page(w.id)
			}
			if p.kept += len(rows) * recordCost; p.room() < 0 {
				return p.full()
			}
			one.Addresses = append(one.Addresses, rows...)
			addPrograms(one, programs[uid], w.datasets)
		}
	}
	found := map[string]bool{}
	for holder := range p.holders.all() {
		text := holder.next()
		if !held[string(text)] {
			continue
		}
		id := string(text)
		if found[id] {
			return fmt.Errorf("a second entity with the id %.80q", id)
		}
		found[id] = true
		one := party(id)
		one.Facts.Type = holderTypes[string(holder.next())]
		one.Facts.Name = string(holder.next())
		one.Facts.URL = page(id)
		for !holder.end() {
			addPrograms(one, programs[id], []string{string(holder.next())})
		}
	}
	if missing := len(held) - len(found); missing > 0 {
		p.unexpected[noHolder] += missing
	}
	return nil
}

func addPrograms(party *screen.PublishedParty, have map[string]bool, add []string) {
	for _, program := range add {
		if !have[program] {
			have[program] = true
			party.Facts.Programs = append(party.Facts.Programs, program)
		}
	}
}

// minMisprint is the length of the shortest run beside an address that is kept: a
// shorter one is a word, or what is left of one.
const minMisprint = 25

// rows returns the rows of a wallet, which is listed to the given day if it has no
// topics.
func (p *parser) rows(w *wallet, end screen.Date) ([]screen.PublishedAddress, error) {
	comment := ""
	if len(w.topics) > 0 {
		comment = "topics: " + strings.Join(w.topics, ", ")
	}
	if len(w.exchangedAt) > 0 {
		if comment != "" {
			comment += "; "
		}
		comment += "exchange: " + strings.Join(w.exchangedAt, ", ")
	}
	if len(w.topics) > 0 {
		end = 0
	}
	symbols := w.currencies
	if len(symbols) == 0 {
		symbols = []string{""}
	}
	ids := []string{w.id}
	var rows []screen.PublishedAddress
	for _, key := range w.keys {
		add := func(text, tag string) {
			for _, symbol := range symbols {
				if len(rows)*recordCost > p.room() {
					return
				}
				rows = append(rows, screen.PublishedAddress{Text: text, Tag: tag, Symbol: symbol, Comment: comment, SourceIDs: ids, DelistedOn: end})
			}
		}
		cell := address.ScanCell(key)
		for i := range cell.Found {
			add(cell.Found[i].Text, cell.Found[i].Tag)
		}
		for _, u := range cell.Unread {
			p.unexpected[noAddress]++
			if u.End-u.Start >= minMisprint {
				add(key[u.Start:u.End], "")
			}
		}
		switch {
		case cell.Other != "":
			p.unexpected[noAddress]++
			add(cell.Other, cell.Tag)
		case len(cell.Found) == 0 && len(cell.Unread) == 0: // "-"
			p.unexpected[noAddress]++
		}
		if len(rows)*recordCost > p.room() {
			return nil, p.full()
		}
	}
	return rows, nil
}

// ends returns the day after the last sanction of each wallet that has sanctions,
// all of which end.
func (p *parser) ends() map[string]screen.Date {
	ends := map[string]screen.Date{}
	open := map[string]bool{}
	for sanction := range p.sanctions.all() {
		text := sanction.next()
		if !p.ids[string(text)] {
			continue
		}
		id, end := string(text), string(sanction.next())
		if end == "" {
			open[id] = true
			continue
		}
		day, ok := lastDay(end)
		if !ok {
			p.unexpected[noDate]++
			open[id] = true
			continue
		}
		ends[id] = max(ends[id], screen.DateOf(day.AddDate(0, 0, 1)))
	}
	for id := range open {
		delete(ends, id)
	}
	return ends
}

// lastDay returns the last day that a date of FollowTheMoney means, which may be a
// year or a month and may have a time behind it.
func lastDay(text string) (time.Time, bool) {
	if len(text) > len(time.DateOnly) {
		if text[len(time.DateOnly)] != 'T' && text[len(time.DateOnly)] != ' ' {
			return time.Time{}, false
		}
		text = text[:len(time.DateOnly)]
	}
	for _, form := range []struct {
		layout       string
		years, month int
	}{{time.DateOnly, 0, 0}, {"2006-01", 0, 1}, {"2006", 1, 0}} {
		if day, err := time.Parse(form.layout, text); err == nil && day.Year() >= 1000 && day.Year() < 9999 {
			if form.years+form.month > 0 {
				day = day.AddDate(form.years, form.month, -1)
			}
			return day, true
		}
	}
	return time.Time{}, false
}

// page returns OpenSanctions' page about an entity, "" if its id would have to be
// written another way in a URL.
func page(id string) string {
	for _, c := range []byte(id) {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return "https://www.opensanctions.org/entities/" + id + "/"
}

// bounded hands out what it reads up to a limit that its reader moves on, so that
// no entity makes the decoder grow without bound.
type bounded struct {
	r           io.Reader
	read, limit int64
}

// Read implements io.Reader.
func (b *bounded) Read(into []byte) (int, error) {
	if b.read >= b.limit {
		return 0, fmt.Errorf("more than %d bytes", maxEntity)
	}
	n, err := b.r.Read(into[:min(int64(len(into)), b.limit-b.read)])
	b.read += int64(n)
	return n, err
}
