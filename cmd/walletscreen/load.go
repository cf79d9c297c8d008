package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"walletscreen/loader"
	"walletscreen/screen"
	"walletscreen/screen/store"
)

type loadCmd struct {
	Every     time.Duration `placeholder:"DURATION" help:"Stay and load again after this time, for example 15m. A publisher is not asked more often than its list allows (see: walletscreen lists --known). Without it, load once: the exit code is 0 if something was published, 4 if there was nothing new, 3 if a change is held, 1 if a list failed."`
	DryRun    bool          `help:"Print what would change, party by party, and change nothing."`
	Release   bool          `help:"Let through what a guard would hold in this run, such as the loss of a tenth of a list. Look at it first, with --dry-run."`
	Backfill  bool          `help:"Put publications that are older than the newest of their list into its history: what was listed when. What is listed now does not change."`
	Reconcile []string      `sep:"none" placeholder:"LIST=LOCATION" help:"A second document of the same publication of a list, in another format; repeatable. A publication that does not have the same parties and addresses in both is held."`
	Delta     []string      `sep:"none" placeholder:"LIST=LOCATION" help:"A file in which the publisher says what its publications changed (OFAC's delta files); repeatable. It dates rows that were listed before the first publication that was loaded, and releases a held change whose removals it names."`
	Format    string        `enum:"text,json" default:"text" help:"Format of the report: ${enum}. json is one object for each run."`
	OpsListen string        `placeholder:"HOST:PORT" help:"Address for operators while loading --every so often: /metrics for Prometheus. Loopback only, unless --insecure."`
	CacheDir  string        `type:"existingdir" placeholder:"DIR" help:"Directory, of this loader alone, to keep the snapshot in that was published last. If Redis loses all it has, it is published again first, with its history, and numbers go on."`
	Insecure  bool          `help:"Allow an --ops-listen other than loopback although nothing encrypts or authenticates the connection."`

	importFlags `embed:""`
	storeFlags  `embed:""`
}

// exitNothingNew is the exit code of a load that found every list unchanged.
const exitNothingNew = 4

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
	if c.OpsListen != "" && c.Every == 0 {
		return usagef("--ops-listen is for a loader that stays: it wants --every")
	}
	if err := allowed(c.OpsListen, c.Insecure); err != nil {
		return err
	}
	options, err := c.options()
	if err != nil {
		return err
	}
	options.Every, options.DryRun, options.Release, options.Backfill = c.Every, c.DryRun, c.Release, c.Backfill
	options.Fetch.Stdin, options.Fetch.Progress = s.in, showDownloads(s.err)
	options.Fetch.Failing = func(err error, pause time.Duration) {
		fmt.Fprintf(s.err, "walletscreen load: %v; again in %s\n", err, pause.Round(time.Millisecond))
	}
	if options.Reconcile, err = parseSources("--reconcile", c.Reconcile); err != nil {
		return err
	}
	if options.Deltas, err = parseSources("--delta", c.Delta); err != nil {
		return err
	}
	publisher, err := store.NewPublisher(store.Options{URL: c.Redis, Namespace: c.Namespace})
	if err != nil {
		return usagef("%v", err)
	}
	defer publisher.Close()
	publisher.Builder = version()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := loader.NewMetrics(registry)
	if c.OpsListen != "" {
		stop, err := serveMetrics(c.OpsListen, registry, s)
		if err != nil {
			return err
		}
		defer stop()
	}
	keep := &keeper{publisher: publisher, log: s.err}
	if c.CacheDir != "" {
		keep.cache = &store.Cache{Dir: c.CacheDir}
	}
	publisher.Release = c.Release
	for {
		code := c.kept(ctx, keep, loaderStore{publisher, false}, options, metrics, s)
		if c.Every == 0 {
			if code != exitOK {
				return exitCode(code)
			}
			return nil
		}
		// One run is what an operator released; the next is judged anew.
		options.Release, publisher.Release = false, false
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

// kept is once with what was kept put back before, and what came of it kept.
func (c *loadCmd) kept(ctx context.Context, keep *keeper, to loader.Store, options loader.Options, metrics *loader.Metrics, s std) int {
	if !c.DryRun {
		if err := keep.restore(ctx); err != nil {
			fmt.Fprintln(s.err, "walletscreen load:", err)
			return exitFailure
		}
		defer keep.save(ctx)
	}
	return c.once(ctx, to, options, metrics, s)
}

// serveMetrics serves the loader's metrics until stop is called.
func serveMetrics(address string, metrics prometheus.Gatherer, s std) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for operators: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	go func() {
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			slog.New(slog.NewTextHandler(s.err, nil)).Error("operators' port", "err", err)
		}
	}()
	fmt.Fprintf(s.err, "walletscreen load: serving operators on %s\n", listener.Addr())
	return func() { _ = h.Close() }, nil
}

// once runs one import and prints a line for each list. It returns the exit code.
func (c *loadCmd) once(ctx context.Context, to loader.Store, options loader.Options, metrics *loader.Metrics, s std) int {
	reports, err := loader.Run(ctx, to, options)
	if err != nil {
		fmt.Fprintln(s.err, "walletscreen load:", err)
		return exitFailure
	}
	metrics.Observe(reports)
	if c.Format == "json" {
		if err := writeReports(s.out, reports, c.DryRun); err != nil {
			fmt.Fprintln(s.err, "walletscreen load: writing the report:", err)
			return exitFailure
		}
		return loadCode(reports)
	}
	for i := range reports {
		r := &reports[i]
		if r.Outcome == loader.NotDue {
			continue
		}
		printReport(s.out, r, c.DryRun)
		if r.Err != nil {
			fmt.Fprintf(s.err, "walletscreen load: %s: %v\n", r.Outcome, r.Err)
		}
		if len(r.Unexpected) > 0 {
			fmt.Fprintf(s.err, "walletscreen load: list %s holds what this program has no rule for: %s\n", r.List, unexpected(r.Unexpected))
		}
	}
	return loadCode(reports)
}

// loadCode is the exit code of a run: the gravest of its lists.
func loadCode(reports []loader.Report) int {
	has := func(outcomes ...loader.Outcome) bool {
		return slices.ContainsFunc(reports, func(r loader.Report) bool { return slices.Contains(outcomes, r.Outcome) })
	}
	switch {
	case has(loader.Failed):
		return exitFailure
	case has(loader.Held):
		return exitHeld
	case has(loader.Published, loader.Differs):
		return exitOK
	}
	return exitNothingNew
}

// printReport prints one line about a list, and for a dry run or a held change
// what changes.
func printReport(w io.Writer, r *loader.Report, dryRun bool) {
	fmt.Fprintf(w, "%s %s", r.List, r.Outcome)
	if r.Outcome != loader.Failed {
		n := count(r.Changes)
		fmt.Fprintf(w, ": %d listed, %d delisted, %d amended", n.listed, n.delisted, n.amended)
		if list := r.Snapshot.List(r.List); list != nil && (r.Outcome == loader.Published || r.Outcome == loader.Unchanged) {
			p := list.Current()
			fmt.Fprintf(w, "; publication of %s (%.12s), %d rows, in %s", p.PublishedOn, p.Digest, p.Rows, r.Snapshot)
		}
	}
	fmt.Fprintln(w)
	if r.Released != "" {
		fmt.Fprintf(w, "  released %s\n", printable(r.Released))
	}
	if dryRun || r.Outcome == loader.Held {
		for _, c := range r.Changes {
			printChanges(w, c)
		}
	}
}

// A markedChange is a change with its sign: + listed, - delisted, ~ amended.
type markedChange struct {
	sign string
	screen.Change
}

// byParty are all changes in order of their parties.
func byParty(c *screen.Changes) []markedChange {
	var all []markedChange
	for _, changes := range []struct {
		sign string
		of   []screen.Change
	}{{"~", c.Amended}, {"+", c.Listed}, {"-", c.Delisted}} {
		for _, change := range changes.of {
			all = append(all, markedChange{changes.sign, change})
		}
	}
	slices.SortStableFunc(all, func(a, b markedChange) int { return cmp.Compare(a.UID, b.UID) })
	return all
}

// printChanges prints changes under a line for each party.
func printChanges(w io.Writer, c *screen.Changes) {
	uid, first := "", true
	for _, c := range byParty(c) {
		if c.UID != uid || first {
			uid, first = c.UID, false
			fmt.Fprintf(w, "  %s (%s)\n", printable(c.Party), printable(c.UID))
		}
		line := fmt.Sprintf("    %s %s %s %s", c.sign, printable(c.Symbol), printable(c.Text), printable(c.What))
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

// jsonReport is what the JSON report says of a list.
type jsonReport struct {
	List        screen.ListID    `json:"list"`
	Outcome     loader.Outcome   `json:"outcome"`
	Error       string           `json:"error,omitempty"`
	Source      string           `json:"source,omitempty"`
	Snapshot    *jsonSnapshot    `json:"snapshot,omitempty"`
	Publication *jsonPublication `json:"publication,omitempty"` // the newest that the snapshot holds
	Listed      int              `json:"listed"`
	Delisted    int              `json:"delisted"`
	Amended     int              `json:"amended"`
	Held        *jsonHeld        `json:"held,omitempty"`
	Released    string           `json:"released,omitempty"`
	Unexpected  map[string]int   `json:"unexpected,omitempty"`
	Changes     []jsonChange     `json:"changes,omitempty"` // of a dry run or a held change
	Bytes       int64            `json:"bytes"`
	Seconds     float64          `json:"seconds"`
}

type jsonSnapshot struct {
	Sequence uint64 `json:"sequence"`
	Digest   string `json:"digest"`
}

type jsonPublication struct {
	PublishedOn string `json:"published_on"`
	SHA256      string `json:"sha256"`
	Records     int    `json:"records"`
	Rows        int    `json:"rows"`
}

type jsonHeld struct {
	Since       time.Time `json:"since"`
	PublishedOn string    `json:"published_on"`
	SHA256      string    `json:"sha256"`
	Why         string    `json:"why"`
}

type jsonChange struct {
	Sign   string `json:"sign"` // + listed, - delisted, ~ amended
	UID    string `json:"uid"`
	Party  string `json:"party"`
	Text   string `json:"address,omitempty"`
	Symbol string `json:"symbol,omitempty"`
	What   string `json:"what,omitempty"`
}

// writeReports writes the reports of one run as one JSON object on one line.
func writeReports(w io.Writer, reports []loader.Report, dryRun bool) error {
	lists := make([]jsonReport, 0, len(reports))
	for i := range reports {
		r := &reports[i]
		n := count(r.Changes)
		j := jsonReport{
			List: r.List, Outcome: r.Outcome, Source: r.Source, Listed: n.listed, Delisted: n.delisted, Amended: n.amended,
			Released: r.Released, Unexpected: r.Unexpected, Bytes: r.Size, Seconds: r.Took.Seconds(),
		}
		if r.Err != nil {
			j.Error = r.Err.Error()
		}
		if r.Snapshot != nil && r.Snapshot.Sequence > 0 {
			j.Snapshot = &jsonSnapshot{r.Snapshot.Sequence, r.Snapshot.Digest().String()}
			if list := r.Snapshot.List(r.List); list != nil {
				p := list.Current()
				j.Publication = &jsonPublication{p.PublishedOn.String(), p.Digest.String(), p.Records, p.Rows}
			}
		}
		if h := r.Held; h != nil {
			j.Held = &jsonHeld{h.Since, h.PublishedOn.String(), h.Digest.String(), h.Why}
		}
		if dryRun || r.Outcome == loader.Held {
			for _, changes := range r.Changes {
				for _, c := range byParty(changes) {
					j.Changes = append(j.Changes, jsonChange{c.sign, c.UID, c.Party, c.Text, c.Symbol, c.What})
				}
			}
		}
		lists = append(lists, j)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(map[string]any{"lists": lists})
}
