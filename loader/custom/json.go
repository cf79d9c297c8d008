package custom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxEntry is the longest entry of a JSON array, with the white space before it,
// in bytes: more than the longest cells take with every character escaped.
const maxEntry = 1 << 20

// readJSON reads an array of objects.
func (p *parser) readJSON(text io.Reader) error {
	in := &window{r: text, limit: maxEntry, line: 1}
	dec := json.NewDecoder(in)
	dec.UseNumber()
	if open, err := token(dec); err != nil {
		return err
	} else if open != json.Delim('[') {
		return errors.New("the JSON begins an object, want an array of objects: [{\"address\": ...}, ...]")
	}
	for entry := 1; dec.More(); entry++ {
		open, err := token(dec)
		line := in.lineAt(dec.InputOffset())
		if err == nil && open != json.Delim('{') {
			err = fmt.Errorf("%s, want an object", describe(open))
		}
		if err == nil {
			err = p.jsonEntry(dec)
		}
		if err != nil {
			return fmt.Errorf("entry %d (line %d): %w", entry, line, err)
		}
		in.limit = dec.InputOffset() + maxEntry
	}
	if _, err := token(dec); err != nil { // the end of the array
		return fmt.Errorf("after entry %d: %w", p.pub.Records, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("line %d: something follows the array", in.lineAt(dec.InputOffset()))
	}
	return nil
}

// jsonEntry reads an object from behind its brace, and adds its row.
func (p *parser) jsonEntry(dec *json.Decoder) error {
	seen := make([]string, 0, len(columns))
	for dec.More() {
		key, err := token(dec)
		if err != nil {
			return err
		}
		name := key.(string) // the decoder lets nothing else stand there
		if !slices.Contains(columns, name) {
			return p.unknown(name)
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("key %s twice", name)
		}
		seen = append(seen, name)
		if name == "programs" {
			err = p.jsonPrograms(dec)
		} else {
			var text string
			if text, err = jsonString(dec); err == nil {
				if err := p.cell(name, text); err != nil {
					return err
				}
			}
		}
		if err != nil {
			return fmt.Errorf("key %s: %w", name, err)
		}
	}
	if _, err := token(dec); err != nil { // the end of the object
		return err
	}
	return p.row()
}

// jsonPrograms reads an array of strings.
func (p *parser) jsonPrograms(dec *json.Decoder) error {
	if open, err := token(dec); err != nil {
		return err
	} else if open != json.Delim('[') {
		return fmt.Errorf("%s, want an array of strings", describe(open))
	}
	size := 0
	for dec.More() {
		program, err := jsonString(dec)
		if err != nil {
			return err
		}
		if size += len(program); size > maxField {
			return fmt.Errorf("more than %d bytes", maxField)
		}
		p.program(program)
	}
	_, err := token(dec) // the end of the array
	return err
}

// jsonString reads a string. The decoder puts the replacement character where
// the text is not valid, so one that has it cannot be told from a damaged one.
func jsonString(dec *json.Decoder) (string, error) {
	value, err := token(dec)
	if err != nil {
		return "", err
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s, want a string", describe(value))
	}
	if strings.ContainsRune(text, utf8.RuneError) {
		return "", errors.New("not valid Unicode")
	}
	return text, nil
}

// token returns the next token, and says of an input that ends too early that it
// does.
func token(dec *json.Decoder) (json.Token, error) {
	t, err := dec.Token()
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%w: the file is cut short", io.ErrUnexpectedEOF)
	}
	return t, err
}

// describe names the kind of a JSON value.
func describe(t json.Token) string {
	switch t := t.(type) {
	case nil:
		return "a null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case json.Delim:
		if t == '[' {
			return "an array"
		}
		return "an object"
	}
	return "a string"
}

// A window hands out what it reads up to a limit that its reader moves on, so
// that no entry makes the decoder grow without bound, and knows where lines end.
type window struct {
	r     io.Reader
	read  int64 // bytes handed out
	limit int64 // most of them

	line int     // of what was asked for last, from 1
	ends []int64 // where lines behind that end
}

// Read implements io.Reader.
func (w *window) Read(b []byte) (int, error) {
	if w.read >= w.limit {
		return 0, fmt.Errorf("more than %d bytes", maxEntry)
	}
	n, err := w.r.Read(b[:min(int64(len(b)), w.limit-w.read)])
	for i, c := range b[:n] {
		if c == '\n' {
			w.ends = append(w.ends, w.read+int64(i))
		}
	}
	w.read += int64(n)
	return n, err
}

// lineAt returns the line of the byte before offset, which must not lie before
// that of an earlier call.
func (w *window) lineAt(offset int64) int {
	n := 0
	for n < len(w.ends) && w.ends[n] < offset {
		n++
	}
	w.line += n
	w.ends = slices.Delete(w.ends, 0, n)
	return w.line
}
