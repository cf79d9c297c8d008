// Package fr reads France's national register of asset freezes, the "registre
// national des gels" of the Direction générale du Trésor
// (https://gels-avoirs.dgtresor.gouv.fr), in its JSON form:
//
//	{"Publications": {"DatePublication": "2026-10-09T14:50:59+02:00", "PublicationDetail": [
//	  {"IdRegistre": 5100, "Nature": "Personne morale", "Nom": "...", "RegistreDetail": [
//	    {"TypeChamp": "IDENTIFICATION", "Valeur": [{"Commentaire": "...", "Identification": "..."}]}]}]}}
//
// It repeats the designations of the United Nations and of the European Union,
// and adds national ones. Digital currency addresses stand in text, mostly in
// IDENTIFICATION, with or without labels, and sometimes several of them with
// nothing between. All values of a party but its names are read for them, the
// comment of a value before the value, as they are to be read. A TypeChamp or key
// that is new is counted as well. See package freetext for what is taken.
//
// The register has no date for a designation. Its DatePublication is a time; it
// is taken as its calendar date, in its own offset or, if it has none, as it
// stands. PRENOM has the given names of a person, Nom the family name or the name
// of an entity or a ship. The programs are the legal bases (FONDEMENT_JURIDIQUE),
// in French as published.
package fr

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"walletscreen/loader/freetext"
	"walletscreen/screen"
)

// Bounds that no publication comes near, so that no input eats memory.
const (
	maxValue  = 1 << 20  // bytes of one value
	maxParty  = 4 << 20  // bytes of the values of one party
	maxKept   = 64 << 20 // bytes of the parties that are kept
	maxDepth  = 32       // open objects and arrays; the register nests to 7
	entryCost = 128      // what an id takes beside its bytes, about
)

const byteOrderMark = "\ufeff"

// Parse reads one publication to its end. It fills PublishedOn, Records, Parties
// and Unexpected; list, digest and source are the caller's to set. Parties stand
// in document order.
//
// An error says the line and the key: a document that is cut short or is not the
// register, one without a date, a party without an id or with that of another.
func Parse(r io.Reader) (*screen.Publication, error) {
	text := bufio.NewReader(r)
	if mark, _ := text.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	in := &input{r: text}
	p := &parser{
		in: in, dec: json.NewDecoder(in),
		pub: new(screen.Publication), counts: make(freetext.Counts), seen: make(map[string]bool),
	}
	p.dec.UseNumber()
	if err := p.document(); err != nil {
		return nil, fmt.Errorf("fr: line %d, in %s: %w", in.line(), p.where(), err)
	}
	p.pub.Unexpected = p.counts.Unexpected(nil)
	return p.pub, nil
}

// input bounds what one value may be long, and knows in which line it is.
type input struct {
	r      io.Reader
	read   int64   // bytes handed out
	done   int64   // bytes whose tokens are done with
	breaks []int64 // offsets of the line ends that may be behind done
	passed int     // line ends before those
}

func (in *input) Read(b []byte) (int, error) {
	if in.read-in.done >= maxValue {
		return 0, fmt.Errorf("a value of more than %d bytes", maxValue)
	}
	if n := in.linesDone(); n > 0 {
		in.passed += n
		in.breaks = append(in.breaks[:0], in.breaks[n:]...)
	}
	n, err := in.r.Read(b)
	for i, c := range b[:n] {
		if c == '\n' {
			in.breaks = append(in.breaks, in.read+int64(i))
		}
	}
	in.read += int64(n)
	return n, err
}

// linesDone returns how many of breaks are done with.
func (in *input) linesDone() int {
	n, _ := slices.BinarySearch(in.breaks, in.done)
	return n
}

// line returns the line, from 1, of what is read next.
func (in *input) line() int { return in.passed + in.linesDone() + 1 }

type parser struct {
	in     *input
	dec    *json.Decoder
	pub    *screen.Publication
	counts freetext.Counts
	seen   map[string]bool // ids
	kept   int
	path   []string // open keys
	size   int      // bytes of the values of the party that is read
}

func (p *parser) where() string {
	if len(p.path) == 0 {
		return "the document"
	}
	return strings.Join(p.path, "/")
}

// token returns the next token.
func (p *parser) token() (json.Token, error) {
	p.in.done = p.dec.InputOffset()
	t, err := p.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: the document is cut short", err)
	}
	return t, err
}

// object reads an object, calling f for each key with the first token of its
// value. f reads the rest of it.
func (p *parser) object(first json.Token, f func(key string, value json.Token) error) error {
	if first != json.Delim('{') {
		return fmt.Errorf("%s, want an object", describe(first))
	}
	for {
		t, err := p.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return nil // its end: every other token here is a syntax error
		}
		if len(p.path) == maxDepth {
			return fmt.Errorf("more than %d open objects and arrays", maxDepth)
		}
		p.path = append(p.path, fmt.Sprintf("%.40s", key))
		value, err := p.token()
		if err != nil {
			return err
		}
		if err := f(key, value); err != nil {
			return err
		}
		p.path = p.path[:len(p.path)-1]
	}
}

// array reads an array, calling f with the first token of each value. f reads the
// rest of it.
func (p *parser) array(first json.Token, f func(value json.Token) error) error {
	if first != json.Delim('[') {
		return fmt.Errorf("%s, want an array", describe(first))
	}
	for {
		value, err := p.token()
		if err != nil || value == json.Delim(']') {
			return err
		}
		if err := f(value); err != nil {
			return err
		}
	}
}

func describe(t json.Token) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a truth value"
	}
	return "null"
}

// text returns a value that must be a string, a number or null.
func (p *parser) text(t json.Token) (string, error) {
	var s string
	switch t := t.(type) {
	case nil:
	case string:
		s = t
	case json.Number:
		s = t.String()
	default:
		return "", fmt.Errorf("%s, want text", describe(t))
	}
	if p.size += len(s); p.size > maxParty {
		return "", fmt.Errorf("a party of more than %d bytes", maxParty)
	}
	return strings.TrimSpace(s), nil
}

// texts calls f for each text in a value of any form with the key that it stands
// under.
func (p *parser) texts(key string, value json.Token, f func(key, text string)) error {
	switch value {
	case json.Delim('{'):
		return p.object(value, func(key string, value json.Token) error { return p.texts(key, value, f) })
	case json.Delim('['):
		if len(p.path) == maxDepth {
			return fmt.Errorf("more than %d open objects and arrays", maxDepth)
		}
		p.path = append(p.path, "[]")
		err := p.array(value, func(value json.Token) error { return p.texts(key, value, f) })
		if err == nil {
			p.path = p.path[:len(p.path)-1]
		}
		return err
	}
	if _, ok := value.(bool); ok {
		return nil
	}
	text, err := p.text(value)
	if err == nil && text != "" {
		f(key, text)
	}
	return err
}

// skip passes over a value that there is no rule for, and counts it.
func (p *parser) skip(value json.Token) error {
	p.counts.Add("key " + p.where())
	p.size = 0
	return p.texts("", value, func(string, string) { p.size = 0 })
}

func (p *parser) document() error {
	var published string
	publications, details := 0, 0
	first, err := p.token()
	if err != nil {
		return err
	}
	err = p.object(first, func(key string, value json.Token) error {
		if key != "Publications" {
			return p.skip(value)
		}
		publications++
		return p.object(value, func(key string, value json.Token) (err error) {
			switch key {
			case "DatePublication":
				if published != "" {
					return errors.New("a second date")
				}
				published, err = p.text(value)
				return err
			case "PublicationDetail":
				details++
				return p.array(value, p.party)
			}
			return p.skip(value)
		})
	})
	if err != nil {
		return err
	}
	if publications != 1 || details != 1 {
		return errors.New("want one Publications with one PublicationDetail: not the register of asset freezes")
	}
	if p.pub.PublishedOn, err = publicationDate(published); err != nil {
		return err
	}
	p.in.done = p.dec.InputOffset()
	if t, err := p.dec.Token(); err != io.EOF {
		if err == nil {
			err = errors.New(describe(t))
		}
		return fmt.Errorf("behind the end of the document: %w", err)
	}
	return nil
}

// publicationDate reads DatePublication, an XML Schema dateTime, as whose type
// the Trésor declares it: the offset may be missing. Some copies of the register
// have a date alone, or a blank before the time.
func publicationDate(s string) (screen.Date, error) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return screen.DateOf(t), nil
		}
	}
	return 0, fmt.Errorf("DatePublication %.40q, want a time such as 2026-10-09T14:50:59+02:00", s)
}

// register is a party as it stands.
type register struct {
	id, nature, name string
	given            []string
	aliases          []screen.Alias
	programs         []string
	known            map[text]bool // of aliases and programs
	rows             freetext.Rows
}

// isNew reports whether an alias or program is seen for the first time.
func (e *register) isNew(t text) bool {
	if e.known[t] {
		return false
	}
	if e.known == nil {
		e.known = make(map[text]bool)
	}
	e.known[t] = true
	return true
}

func (p *parser) party(first json.Token) error {
	p.pub.Records++
	p.size = 0
	var e register
	err := p.object(first, func(key string, value json.Token) (err error) {
		switch key {
		case "IdRegistre":
			if e.id != "" {
				return errors.New("a second id")
			}
			e.id, err = p.text(value)
			return err
		case "Nature":
			e.nature, err = p.text(value)
			return err
		case "Nom":
			e.name, err = p.text(value)
			return err
		case "RegistreDetail":
			return p.array(value, func(value json.Token) error { return p.detail(&e, value) })
		}
		p.counts.Add("key " + p.where())
		return p.texts(key, value, func(key, text string) { e.rows.Detail(key + ";\n" + text) })
	})
	if err != nil {
		return err
	}
	if e.id == "" {
		return fmt.Errorf("party number %d has no IdRegistre", p.pub.Records)
	}
	if p.seen[e.id] {
		return fmt.Errorf("a second party with IdRegistre %.40q", e.id)
	}
	p.seen[e.id] = true
	p.kept += len(e.id) + entryCost
	e.rows.Count(p.counts)
	party := e.party(p.counts)
	if len(party.Addresses) > 0 {
		if party.Facts.Name == "" {
			return fmt.Errorf("the party with IdRegistre %.40q has no name", e.id)
		}
		p.kept += p.size + e.rows.Kept
		p.pub.Parties = append(p.pub.Parties, party)
	}
	if p.kept > maxKept {
		return fmt.Errorf("names and addresses of more than %d bytes", maxKept)
	}
	return nil
}

// prose tells for each TypeChamp whether it has sentences or else one fact.
var prose = map[string]bool{
	"IDENTIFICATION": true, "AUTRE_IDENTITE": true, "MOTIFS": true, "CRYPTOMONNAIE": true,
	"ALIAS": false, "PRENOM": false, "SEXE": false, "NATIONALITE": false, "TITRE": false, "SITE_INTERNET": false, "TELEPHONE": false,
	"COURRIEL": false, "NUMERO_OMI": false, "DATE_DE_NAISSANCE": false, "LIEU_DE_NAISSANCE": false, "ADRESSE_PM": false, "ADRESSE_PP": false,
	"PASSEPORT": false, "REFERENCE_UE": false, "REFERENCE_ONU": false, "FONDEMENT_JURIDIQUE": false,
}

// text is one text of a Valeur.
type text struct{ key, text string }

// detail reads an item of RegistreDetail. Its TypeChamp may stand behind its
// values.
func (p *parser) detail(e *register, first json.Token) error {
	var kind string
	var values [][]text
	err := p.object(first, func(key string, value json.Token) (err error) {
		switch key {
		case "TypeChamp":
			if kind != "" {
				return errors.New("a second TypeChamp")
			}
			kind, err = p.text(value)
			return err
		case "Valeur":
		default:
			p.counts.Add("key " + p.where())
		}
		one := func(value json.Token) error {
			var texts []text
			err := p.texts(key, value, func(key, t string) { texts = append(texts, text{key, t}) })
			if len(texts) > 0 {
				values = append(values, texts)
			}
			return err
		}
		if value == json.Delim('[') {
			return p.array(value, one)
		}
		return one(value)
	})
	if err != nil {
		return err
	}
	_, known := prose[kind]
	if !known {
		p.counts.Add(fmt.Sprintf("TypeChamp %.40q", kind))
	}
	for _, v := range values {
		e.value(kind, known, v)
	}
	return nil
}

// value reads one Valeur: the facts in it, and what may hold an address.
func (e *register) value(kind string, known bool, texts []text) {
	var comment, content []string
	for _, t := range texts {
		switch {
		case kind == "PRENOM" && t.key == "Prenom":
			e.given = append(e.given, t.text)
			continue
		case kind == "ALIAS" && t.key == "Alias":
			if e.isNew(t) {
				e.aliases = append(e.aliases, screen.Alias{Name: t.text})
			}
			continue
		case kind == "FONDEMENT_JURIDIQUE" && t.key == "FondementJuridiqueLabel":
			if e.isNew(t) {
				e.programs = append(e.programs, t.text)
			}
			continue
		case strings.HasPrefix(t.key, "Commentaire"):
			comment = append(comment, t.text)
			continue
		}
		content = append(content, t.text)
	}
	all := strings.Join(content, ";\n")
	if len(comment) > 0 {
		all = strings.Join(comment, ";\n") + ": " + all
	}
	if !known || kind == "CRYPTOMONNAIE" {
		// The name of a field may be all that says what is in it.
		all = kind + ";\n" + all
	}
	if prose[kind] {
		e.rows.Prose(all)
	} else {
		e.rows.Detail(all)
	}
}

// party returns what a publication says of the party, and counts what is not as
// it should be.
func (e *register) party(counts freetext.Counts) screen.PublishedParty {
	p := screen.PublishedParty{UID: e.id, Addresses: e.rows.Addresses()}
	p.Facts = screen.Facts{Name: e.name, Aliases: e.aliases, Programs: e.programs}
	switch e.nature {
	case "Personne physique":
		p.Facts.Type = screen.PartyIndividual
	case "Personne morale":
		p.Facts.Type = screen.PartyEntity
	case "Navire":
		p.Facts.Type = screen.PartyVessel
	default:
		counts.Add("a Nature other than Personne physique, Personne morale and Navire")
	}
	if len(e.given) > 0 {
		p.Facts.Name = strings.TrimSpace(strings.Join(e.given, " ") + " " + e.name)
	}
	if strings.Trim(e.id, "0123456789") == "" {
		p.Facts.URL = "https://gels-avoirs.dgtresor.gouv.fr/Gels/RegistreDetail?idRegistre=" + e.id
	}
	return p
}
