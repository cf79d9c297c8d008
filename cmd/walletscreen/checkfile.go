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
	"walletscreen/screen/phrase"
)

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
	buffer := bufio.NewReaderSize(&counted, 1<<20)
	// Spreadsheets begin "CSV UTF-8" with a byte order mark, and want it back.
	mark := ""
	if head, _ := buffer.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		mark = byteOrderMark
		_, _ = buffer.Discard(len(byteOrderMark))
	}
	rows := csv.NewReader(buffer)
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
	f := fileRun{out: out, column: column}
	var unread error // why the rows ended, if not because the file did
	source := func(yield func([]string) bool) {
		for {
			row, err := rows.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				unread = fmt.Errorf("%s: %w", c.File, err)
				return
			}
			if !yield(row) {
				return
			}
		}
	}
	text := func(row []string) string { return row[column] }
	for batch, err := range client.Batches(ctx, screener, c.request(), source, text, client.BatchOptions{}) {
		if err != nil {
			if interrupted, ok := errors.AsType[*client.InterruptedError](err); ok {
				err = fmt.Errorf("after %s: %w", phrase.Count(int(interrupted.Answered), "row"), c.explain(interrupted.Err))
			}
			return err
		}
		if err := f.write(batch.Items, batch.Response); err != nil {
			return err
		}
	}
	if unread != nil {
		return unread
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
	fmt.Fprintf(s.err, "%s: %s\n", phrase.Count(f.total, "row"), f.counts())
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

// fileRun writes the answers for the rows of one file.
type fileRun struct {
	out    *csv.Writer
	column int

	total    int
	verdicts [6]int
	worst    worst
	last     *pb.ScreenAddressesResponse
}

func (f *fileRun) write(rows [][]string, res *pb.ScreenAddressesResponse) error {
	for i, r := range res.Results {
		row := rows[i]
		row[f.column] = shown(row[f.column], r.Reason)
		if err := f.out.Write(append(row, answerFields(r, res)...)); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
		if v := int(r.Verdict); v >= 0 && v < len(f.verdicts) {
			f.verdicts[r.Verdict]++
		}
	}
	f.worst.add(res.Results)
	f.total += len(rows)
	f.last = res
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
