// Report makes what go test -json says readable, and tells of the tests that were
// skipped.
//
//	go test -json ./... | report RESULTS
//
// prints the line of each package and all that failing tests say, and adds to the
// file RESULTS what became of each test.
//
//	report -skipped RESULTS
//
// prints which tests were skipped and why, but for those that another run of go test
// did not skip, and counts them all. It fails if a test was skipped for a reason that
// must not be one in CI, or if none ran.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is what go doc test2json tells of.
type event struct {
	Action, Package, Test, Output string
}

// result is what became of a test.
type result struct {
	Package, Test, Action string
	Why                   string `json:",omitempty"` // it was skipped
}

// passable matches why a test may be skipped in CI: real publications are no part of
// the project, and some tests are too much for the race detector or for -short.
// Whatever else is missing .ci/run must install.
var passable = regexp.MustCompile(`no part of the project|reference material|not at hand|OFAC's own publications|beside the project|-race|race detector|-short`)

// show reads what go test -json writes, prints what is worth reading, and returns what
// became of each test.
func show(in io.Reader, out io.Writer) ([]result, error) {
	type test struct{ pkg, name string }
	var results []result
	said := map[test][]string{}
	// tell prints what a test said, and those that it ran.
	tell := func(of test) {
		var names []string
		for t := range said {
			if t.pkg == of.pkg && (of.name == "" || t.name == of.name || strings.HasPrefix(t.name, of.name+"/")) {
				names = append(names, t.name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			t := test{of.pkg, name}
			fmt.Fprint(out, strings.Join(said[t], ""))
			delete(said, t)
		}
	}
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return results, nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return results, err
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Fprint(out, line) // of go itself, or of a program that wrote past the tests
			continue
		}
		t := test{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "output":
			switch {
			case e.Test != "":
				said[t] = append(said[t], e.Output)
			case e.Output != "PASS\n" && !strings.Contains(e.Output, "[no test files]"):
				fmt.Fprint(out, e.Output)
			}
		case "pass", "fail", "skip":
			if e.Action == "fail" {
				tell(t) // of a package: what was running when it ended
			}
			if e.Test != "" {
				r := result{e.Package, e.Test, e.Action, ""}
				if e.Action == "skip" {
					r.Why = reason(said[t])
				}
				results = append(results, r)
				delete(said, t)
			}
		}
	}
}

// where matches the place in the source at which a test says something.
var where = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason is the last that a skipped test said, on one line.
func reason(said []string) string {
	var why []string
	for _, line := range said {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "--- SKIP:"), strings.HasPrefix(line, "=== "):
		case where.MatchString(line):
			why = []string{strings.TrimSpace(where.ReplaceAllString(line, ""))}
		default:
			why = append(why, strings.TrimSpace(line))
		}
	}
	return strings.Join(why, " ")
}

// skipped prints the tests that no run did anything but skip.
func skipped(results []result, out io.Writer) error {
	type test struct{ pkg, name string }
	ran, why := map[test]bool{}, map[test]string{}
	counts := map[string]int{}
	for _, r := range results {
		t := test{r.Package, r.Test}
		if r.Action == "skip" {
			why[t] = r.Why
			continue
		}
		counts[r.Action]++
		ran[t] = true
	}
	byReason, wrong := map[string][]string{}, 0
	for t, reason := range why {
		if ran[t] {
			continue
		}
		counts["skip"]++
		if !passable.MatchString(reason) {
			wrong++
			reason = "NO REASON TO SKIP IN CI: " + reason
		}
		// Many reasons begin with the name of the test.
		reason = strings.ReplaceAll(reason, t.name, "it")
		byReason[reason] = append(byReason[reason], t.pkg+" "+t.name)
	}
	var reasons []string
	for reason := range byReason {
		reasons = append(reasons, reason)
	}
	slices.Sort(reasons)
	if len(reasons) > 0 {
		fmt.Fprintln(out, "\n*** SKIPPED:")
	}
	for _, reason := range reasons {
		fmt.Fprintf(out, "  %s\n", reason)
		slices.Sort(byReason[reason])
		for _, name := range byReason[reason] {
			fmt.Fprintf(out, "      %s\n", name)
		}
	}
	fmt.Fprintf(out, "\n%d passed, %d failed, %d skipped\n", counts["pass"], counts["fail"], counts["skip"])
	if wrong > 0 {
		return fmt.Errorf("%d tests were skipped that must run in CI: have .ci/run install what they need", wrong)
	}
	if counts["pass"] == 0 {
		return errors.New("no test ran")
	}
	return nil
}

func run(args []string) (err error) {
	switch {
	case len(args) == 1:
		results, err := show(os.Stdin, os.Stdout)
		if err != nil {
			return fmt.Errorf("reading what go test says: %w", err)
		}
		file, err := os.OpenFile(args[0], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		out := json.NewEncoder(file)
		for _, r := range results {
			if err := out.Encode(r); err != nil {
				return err
			}
		}
		return file.Close()
	case len(args) == 2 && args[0] == "-skipped":
		file, err := os.Open(args[1])
		if err != nil {
			return err
		}
		defer file.Close()
		var results []result
		for in := json.NewDecoder(file); ; {
			var r result
			err := in.Decode(&r)
			if errors.Is(err, io.EOF) {
				return skipped(results, os.Stdout)
			}
			if err != nil {
				return fmt.Errorf("reading %s: %w", args[1], err)
			}
			results = append(results, r)
		}
	}
	return errors.New("usage: report RESULTS, or report -skipped RESULTS")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}
