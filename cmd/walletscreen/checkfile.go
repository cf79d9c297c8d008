package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
)

// fileBatch is how many rows are screened in one request.
const fileBatch = client.MaxAddresses

const byteOrderMark = "\ufeff"

// checkFile screens a column of a CSV file and writes every row with the answer
// beside it. The output file appears when it is whole.
func (c *checkCmd) checkFile(ctx context.Context, screener client.Screener, s std) (err error) {
	in, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer in.Close()
	bar, err := progress(in, s.err)
	if err != nil {
		return err
	}
	counted := progressbar.NewReader(in, bar)
	text := bufio.NewReaderSize(&counted, 1<<20)
	// Spreadsheets begin "CSV UTF-8" with a byte order mark, and want it back.
	mark := ""
	if head, _ := text.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		mark = byteOrderMark
		_, _ = text.Discard(len(byteOrderMark))
	}
	rows := csv.NewReader(text)
	header, err := rows.Read()
	if err == io.EOF {
		return fmt.Errorf("%s is empty, want a header row", c.File)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	column := slices.Index(header, c.Column)
	if column < 0 {
		return fmt.Errorf("%s has no column %q but %q", c.File, c.Column, header)
	}
	for _, name := range answerColumns {
		if slices.Contains(header, name) {
			return fmt.Errorf("%s has a column %q already", c.File, name)
		}
	}
	tmp, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.tmp")
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	buffered := bufio.NewWriterSize(tmp, 1<<20)
	if _, err := buffered.WriteString(mark); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	out := csv.NewWriter(buffered)
	if err := out.Write(append(header, answerColumns...)); err != nil {
		return err
	}
	f := fileRun{c: c, screener: screener, out: out, column: column}
	for {
		row, err := rows.Read()
		if err != nil && err != io.EOF {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		if row != nil {
			f.rows = append(f.rows, row)
		}
		if len(f.rows) == fileBatch || err == io.EOF {
			if err := f.flush(ctx); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
	}
	out.Flush()
	if err := errors.Join(out.Error(), buffered.Flush(), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	// Not before all of the above went well.
	if err := os.Rename(tmp.Name(), c.Out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	_ = bar.Finish()
	fmt.Fprintf(s.err, "%d rows: %s\n", f.total, f.counts())
	if f.last != nil {
		writeNotices(s.err, f.last)
	}
	return f.worst.exit()
}

// progress is a bar on a terminal and silent elsewhere.
func progress(in *os.File, w io.Writer) (*progressbar.ProgressBar, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return progressbar.DefaultBytesSilent(info.Size()), nil
	}
	return progressbar.DefaultBytes(info.Size(), "screening"), nil
}

// fileRun screens the rows of one file, batch by batch.
type fileRun struct {
	c        *checkCmd
	screener client.Screener
	out      *csv.Writer
	column   int
	rows     [][]string // not screened yet

	total    int
	verdicts [6]int
	worst    worst
	last     *pb.ScreenAddressesResponse
}

func (f *fileRun) flush(ctx context.Context) error {
	if len(f.rows) == 0 {
		return nil
	}
	req := f.c.request()
	for _, row := range f.rows {
		req.Addresses = append(req.Addresses, row[f.column])
	}
	res, err := f.screener.ScreenAddresses(ctx, req)
	if err != nil {
		return f.c.explain(err)
	}
	if len(res.Results) != len(f.rows) {
		return fmt.Errorf("the server answered %d addresses with %d results", len(f.rows), len(res.Results))
	}
	for i, r := range res.Results {
		row := f.rows[i]
		row[f.column] = shown(row[f.column], r.Reason)
		if err := f.out.Write(append(row, answerFields(r, res)...)); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		if int(r.Verdict) < len(f.verdicts) {
			f.verdicts[r.Verdict]++
		}
	}
	f.worst.add(res.Results)
	f.total += len(f.rows)
	f.rows, f.last = f.rows[:0], res
	return nil
}

// counts says how many rows got which verdict.
func (f *fileRun) counts() string {
	text := ""
	for v, n := range f.verdicts {
		if n > 0 {
			text += fmt.Sprintf("%s %d, ", short(pb.Verdict(v)), n)
		}
	}
	if text == "" {
		return "none"
	}
	return text[:len(text)-2]
}
