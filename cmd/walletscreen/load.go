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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"walletscreen/loader"
	"walletscreen/screen"
	"walletscreen/screen/phrase"
	"walletscreen/screen/store"
)

type loadCmd struct {
	Every     time.Duration `placeholder:"DURATION" help:"Stay and load again after this time, for example 15m. A publisher is not asked more often than its list allows (see: walletscreen lists --known), unless the list failed or is held. Without it, load once."`
	DryRun    bool          `help:"Print what would change, party by party, and change nothing. The exit code is that of a run that does it."`
	Release   bool          `help:"Let through what would be held in this run: what breaches a limit of its list, such as the loss of a tenth of it, or was taken back by a rollback. Look at it first, with --dry-run. With --every it counts for the first import of each list."`
	Backfill  bool          `help:"Put publications that are older than the newest of their list, or that --source gives for the same date, into its history: what was listed when. What is listed now does not change."`
	Reconcile []string      `sep:"none" placeholder:"LIST=LOCATION" help:"A second document of the same publication of a list, in another format; repeatable. A publication that does not have the same parties and addresses in both is held."`
	Delta     []string      `sep:"none" placeholder:"LIST=LOCATION" help:"A file in which the publisher says what its publications changed (OFAC's delta files); repeatable. It dates rows that were listed before the first publication that was loaded, and releases a held change whose removals it names."`
	Format    string        `enum:"text,json" default:"text" help:"Format of the report: ${enum}. json is one object for each run, with --every for each import of a list."`
	OpsListen string        `placeholder:"HOST:PORT" help:"Address for operators while loading --every so often: /metrics for Prometheus. Loopback only, unless --insecure."`
	CacheDir  string        `type:"existingdir" placeholder:"DIR" help:"Directory, of this loader alone, to keep the snapshot in that was published last. If Redis loses it, it is published again first, with its history, and numbers go on. A loader that stays knows it without, until it ends."`
	Insecure  bool          `help:"Allow an --ops-listen other than loopback although nothing encrypts or authenticates the connection."`

	importFlags `embed:""`
	storeFlags  `embed:""`
	signFlags   `embed:""`
}

// exitNothingNew is the exit code of a load that found every list unchanged.
const exitNothingNew = 4

func (loadCmd) Help() string {
	return `Exit codes of a single run, the gravest of its lists: 0 something was published; 4 nothing new; 3 a change is held; 1 a list failed; 2 usage. With --every 0 when the loader is told to stop.`
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
	if c.Every > 0 && c.Backfill {
		return usagef("--backfill and --every exclude each other: the history is written once")
	}
	if c.SigningKey == "" && len(c.files()) > 0 && !c.DryRun {
		return errUnsigned()
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
	options.Waiting = func(id screen.ListID) {
		fmt.Fprintf(s.err, "walletscreen load: list %s: waiting for another loader that imports it, for %s at most; if it died, for %s at most\n",
			id, briefly(options.Timeout), claimLife)
	}
	if options.Reconcile, err = parseSources("--reconcile", c.Reconcile); err != nil {
		return err
	}
	if options.Deltas, err = parseSources("--delta", c.Delta); err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return usagef("%v", err)
	}
	publisher, err := c.publisher(&c.signFlags)
	if err != nil {
		return err
	}
	defer publisher.Close()
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
	var to loader.Store = loaderStore{publisher, false}
	if !c.DryRun {
		keep := &keeper{loaderStore: loaderStore{publisher, false}, log: s.err}
		if c.CacheDir != "" {
			keep.cache = &store.Cache{Dir: c.CacheDir, Namespace: c.Namespace, Trusted: publisher.Trusted()}
			if err := keep.cache.Check(); err != nil {
				return usagef("--cache-dir: nothing can be kept there: %v", err)
			}
		}
		keep.open()
		to = keep
	}
	// What an operator released is the first import of each list.
	var loaded sync.Map // those that had it
	publisher.Release = func(id screen.ListID) bool {
		_, again := loaded.Load(id)
		return c.Release && !again
	}
	if c.Every > 0 {
		shown := map[screen.ListID]screen.Digest{}
		return loader.Stay(ctx, to, options, func(r *loader.Report) {
			loaded.Store(r.List, true)
			metrics.Observe(r)
			// What is held stays so for hours: once is enough for all of it.
			again := r.Held != nil && r.Held.Digest == shown[r.List]
			if r.Held != nil {
				shown[r.List] = r.Held.Digest
			}
			c.show([]loader.Report{*r}, again, s)
		})
	}
	reports, err := loader.Run(ctx, to, options)
	if err != nil {
		return err
	}
	if code := c.show(reports, false, s); code != exitOK {
		return exitCode(code)
	}
	return nil
}

// serveMetrics serves the loader's metrics until stop is called.
func serveMetrics(address string, metrics prometheus.Gatherer, s std) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for operators: %w (another --ops-listen?)", err)
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

// show prints reports, a line for each list, and returns the exit code that they
// make together. What a held publication would change is left out if it was shown
// before.
func (c *loadCmd) show(reports []loader.Report, again bool, s std) int {
	if c.Format == "json" {
		if err := writeReports(s.out, reports, c.detailed(again)); err != nil {
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
		c.printReport(s.out, r, c.detailed(again))
		if r.Err != nil {
			fmt.Fprintf(s.err, "walletscreen load: %s: %s\n", r.Outcome, lines(r.Err))
		}
		if r.Outcome == loader.Held && !c.DryRun {
			stays := "stays as it was"
			if r.Snapshot == nil || r.Snapshot.List(r.List) == nil {
				stays = "is not loaded: this would be its first publication"
			}
			fmt.Fprintf(s.err, "walletscreen load: list %s %s; --release lets the change through\n", r.List, stays)
		}
		if r.PassedOver != nil {
			fmt.Fprintf(s.err, "walletscreen load: list %s was read from %s, for: %s\n", r.List, r.Source, lines(r.PassedOver))
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
func (c *loadCmd) printReport(w io.Writer, r *loader.Report, detailed func(*loader.Report) bool) {
	fmt.Fprintf(w, "%s %s", r.List, r.Outcome)
	if r.Outcome != loader.Failed {
		n := count(r.Changes)
		fmt.Fprintf(w, ": %d listed, %d delisted, %d amended", n.listed, n.delisted, n.amended)
		if list := r.Snapshot.List(r.List); list != nil && (r.Outcome == loader.Published || r.Outcome == loader.Unchanged) {
			p, which := list.Current(), ""
			if c.Backfill {
				which = "newest "
			}
			fmt.Fprintf(w, "; %spublication of %s (%.12s), %s, in %s", which, p.PublishedOn, p.Digest, phrase.Count(p.Rows, "row"), r.Snapshot)
		}
		if h := r.Held; h != nil {
			fmt.Fprintf(w, "; publication of %s (%.12s), read from %s", h.PublishedOn, h.Digest, printable(h.Source))
		}
	}
	fmt.Fprintln(w)
	if reread(r) {
		fmt.Fprintln(w, "  read anew: this version of the program reads something else in a publication that was loaded already")
	}
	if r.Released != "" {
		fmt.Fprintf(w, "  released %s\n", visible(r.Released))
	}
	if detailed(r) {
		for _, changes := range r.Changes {
			printChanges(w, changes)
		}
	}
}

// detailed tells of which lists the report says what changes, party by party: of
// all in a dry run, of held ones otherwise, unless they were shown before.
func (c *loadCmd) detailed(again bool) func(*loader.Report) bool {
	return func(r *loader.Report) bool { return c.DryRun || r.Outcome == loader.Held && !again }
}

// lines writes an error of several lines, one a location that failed, so that each
// is seen to belong to it.
func lines(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n  ") }

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
			name := printable(c.Party)
			if name == "" { // a row of an operator's own list need not name its party
				name = "no name"
			}
			if c.UID != "" {
				name += " (" + printable(c.UID) + ")"
			}
			fmt.Fprintf(w, "  %s\n", name)
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
	PassedOver  string           `json:"passed_over,omitempty"` // why the publisher's addresses before that one were not taken
	Snapshot    *jsonSnapshot    `json:"snapshot,omitempty"`
	Publication *jsonPublication `json:"publication,omitempty"` // the newest that the snapshot holds
	Listed      int              `json:"listed"`
	Delisted    int              `json:"delisted"`
	Amended     int              `json:"amended"`
	Held        *jsonHeld        `json:"held,omitempty"`
	Reread      bool             `json:"reread,omitempty"` // something else was read in a publication that was loaded already
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
	Since       time.Time `json:"since,omitzero"` // none in a dry run, unless it is held already
	PublishedOn string    `json:"published_on"`
	SHA256      string    `json:"sha256"`
	Why         string    `json:"why"`
	RolledBack  uint64    `json:"rolled_back,omitempty"` // the snapshot that an operator took back with it
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
func writeReports(w io.Writer, reports []loader.Report, detailed func(*loader.Report) bool) error {
	lists := make([]jsonReport, 0, len(reports))
	for i := range reports {
		r := &reports[i]
		n := count(r.Changes)
		j := jsonReport{
			List: r.List, Outcome: r.Outcome, Source: r.Source, Listed: n.listed, Delisted: n.delisted, Amended: n.amended,
			Reread: reread(r), Released: r.Released, Unexpected: r.Unexpected, Bytes: r.Size, Seconds: r.Took.Seconds(),
		}
		if r.Err != nil {
			j.Error = r.Err.Error()
		}
		if r.PassedOver != nil {
			j.PassedOver = r.PassedOver.Error()
		}
		if r.Snapshot != nil && r.Snapshot.Sequence > 0 {
			j.Snapshot = &jsonSnapshot{r.Snapshot.Sequence, r.Snapshot.Digest().String()}
			if list := r.Snapshot.List(r.List); list != nil {
				p := list.Current()
				j.Publication = &jsonPublication{p.PublishedOn.String(), p.Digest.String(), p.Records, p.Rows}
			}
		}
		if h := r.Held; h != nil {
			j.Held = &jsonHeld{h.Since, h.PublishedOn.String(), h.Digest.String(), h.Why, h.RolledBack}
		}
		if detailed(r) {
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
