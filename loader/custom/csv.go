package custom

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// readCSV reads a header row and the rows below it.
func (p *parser) readCSV(text io.Reader) error {
	in := csv.NewReader(text)
	in.ReuseRecord = true
	record, err := in.Read()
	if err == io.EOF {
		return errors.New("the file is empty, want a header row with the column address")
	}
	if err != nil {
		return fmt.Errorf("header row: %w", err)
	}
	var header []string
	for _, name := range record {
		name = strings.TrimSpace(name)
		if !slices.Contains(columns, name) {
			err := p.unknown(name)
			if strings.ContainsAny(name, ";\t") {
				err = fmt.Errorf("%w (columns are parted by commas)", err)
			}
			return fmt.Errorf("line 1: %w", err)
		}
		if slices.Contains(header, name) {
			return fmt.Errorf("line 1: column %q twice", name)
		}
		// The reader uses the record again.
		header = append(header, strings.Clone(name))
	}
	if !slices.Contains(header, "address") {
		return errors.New("line 1: no column address")
	}
	for {
		record, err := in.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = p.csvRow(header, record)
		}
		if err != nil {
			var syntax *csv.ParseError
			if errors.As(err, &syntax) { // names the line itself
				return err
			}
			line, _ := in.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func (p *parser) csvRow(header, record []string) error {
	for i, name := range header {
		if err := p.cell(name, strings.Clone(record[i])); err != nil {
			return err
		}
	}
	for program := range strings.SplitSeq(p.cells["programs"], ";") {
		p.program(program)
	}
	return p.row()
}
