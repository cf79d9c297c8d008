package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"walletscreen/loader"
	"walletscreen/screen"
	"walletscreen/screen/store"
)

type loadCmd struct {
	Source    []string      `sep:"\n" placeholder:"LIST=FILE-or-URL" help:"A list to load, and where from; repeatable. LIST alone means the publisher's own address. Several of one list are imported in order of their dates. A publisher's list that is read from the same file again counts as compared with its publisher when the file was last written, not when it was read. None at all means every published list. A LIST that is no published one is your own: a CSV file (see docs/custom-lists.md)."`
	Every     time.Duration `placeholder:"DURATION" help:"Stay and load again after this time, for example 1h. Without it, load once."`
	DryRun    bool          `help:"Print what would change, and change nothing."`
	Release   bool          `help:"Let through a change that a guard would hold, such as the loss of half a list."`
	UserAgent string        `default:"walletscreen" help:"What to tell publishers' servers who is asking."`

	storeFlags `embed:""`
}

func (c *loadCmd) Run(ctx context.Context, s std) error {
	if c.Redis == "" {
		return usagef("--redis is missing: where to publish the snapshot?")
	}
	if c.Every < 0 || c.Every > 0 && c.Every < time.Second {
		return usagef("--every is %s, want at least a second", c.Every)
	}
	if c.Every > 0 && c.DryRun {
		return usagef("--dry-run and --every exclude each other")
	}
	options := loader.Options{DryRun: c.DryRun, Release: c.Release, UserAgent: c.UserAgent}
	for _, text := range c.Source {
		source, err := loader.ParseSource(text)
		if err != nil {
			return usagef("%v", err)
		}
		options.Sources = append(options.Sources, source)
	}
	if len(c.Source) == 0 {
		for _, list := range loader.Lists() {
			options.Sources = append(options.Sources, loader.Source{List: list.ID})
		}
	}
	publisher, err := store.NewPublisher(store.Options{URL: c.Redis, Namespace: c.Namespace})
	if err != nil {
		return usagef("%v", err)
	}
	defer publisher.Close()
	publisher.Builder = version()
	for {
		code := c.once(ctx, publisher, options, s)
		if c.Every == 0 {
			if code != exitOK {
				return exitCode(code)
			}
			return nil
		}
		// One run is what an operator released; the next is judged anew.
		options.Release = false
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

// once runs one import and prints a line for each list. It returns the exit code.
func (c *loadCmd) once(ctx context.Context, publisher *store.Publisher, options loader.Options, s std) int {
	reports, err := loader.Run(ctx, publisher, options)
	if err != nil {
		fmt.Fprintln(s.err, "walletscreen load:", err)
		return exitFailure
	}
	code := exitOK
	for i := range reports {
		r := &reports[i]
		switch {
		case r.Outcome == loader.Failed:
			code = exitFailure
		case r.Outcome == loader.Held && code == exitOK:
			code = exitHeld
		}
		printReport(s.out, r, c.DryRun || r.Outcome == loader.Held)
		if r.Err != nil {
			fmt.Fprintf(s.err, "walletscreen load: %s: %v\n", r.Outcome, r.Err)
		}
	}
	return code
}

// printReport prints one line about a list, and with details every change.
func printReport(w io.Writer, r *loader.Report, details bool) {
	fmt.Fprintf(w, "%s %s", r.List, r.Outcome)
	var listed, delisted, amended int
	for _, c := range r.Changes {
		listed, delisted, amended = listed+len(c.Listed), delisted+len(c.Delisted), amended+len(c.Amended)
	}
	if r.Outcome != loader.Failed {
		fmt.Fprintf(w, ": %d listed, %d delisted, %d amended", listed, delisted, amended)
		if list := r.Snapshot.List(r.List); list != nil && (r.Outcome == loader.Published || r.Outcome == loader.Unchanged) {
			p := list.Current()
			fmt.Fprintf(w, "; publication of %s (%.12s), %d rows, in %s", p.PublishedOn, p.Digest, p.Rows, r.Snapshot)
		}
	}
	fmt.Fprintln(w)
	if !details {
		return
	}
	for _, c := range r.Changes {
		printChanges(w, "+", c.Listed)
		printChanges(w, "-", c.Delisted)
		printChanges(w, "~", c.Amended)
	}
}

// printChanges prints changes under a line for each party.
func printChanges(w io.Writer, sign string, changes []screen.Change) {
	party := ""
	for _, c := range changes {
		if head := fmt.Sprintf("%s (%s)", printable(c.Party), printable(c.UID)); head != party {
			party = head
			fmt.Fprintf(w, "  %s\n", head)
		}
		line := fmt.Sprintf("    %s %s %s %s", sign, printable(c.Symbol), printable(c.Text), printable(c.What))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}
