package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"walletscreen/loader"
	"walletscreen/loader/fetch"
	"walletscreen/screen"
	"walletscreen/screen/store"
)

// importFlags say what to import, and how to ask publishers for it.
type importFlags struct {
	Source       []string      `sep:"none" placeholder:"LIST=LOCATION" help:"A list to load, and where from: a file, an http or https URL, \"-\" for standard input; repeatable, and in the variable one a line. LIST alone means the publisher's own address. None at all means every list that is loaded by default (see: walletscreen lists --known). Several of one list are imported in order of their dates. A publication of several documents is LIST=ONE + TWO. LIST@2026-11-04=LOCATION gives the date of a publication that does not say its own. A publisher's list that is read from the same file again counts as compared with its publisher when the file was last written, not when it was read. A LIST that is no published one is your own: CSV or JSON (see docs/custom-lists.md)."`
	UserAgent    string        `default:"walletscreen" help:"What to tell publishers' servers who is asking. Some refuse programs that do not look like a browser; what to tell them is yours to decide."`
	Proxy        string        `placeholder:"URL" help:"Proxy to fetch publications through. Without it HTTP_PROXY, HTTPS_PROXY and NO_PROXY decide."`
	FetchTimeout time.Duration `default:"20m" help:"How long the import of one list may take, with all tries and all of the publisher's addresses."`
}

// options are the flags as the loader takes them.
func (f *importFlags) options() (loader.Options, error) {
	o := loader.Options{Timeout: f.FetchTimeout, Version: version(), Fetch: &fetch.Fetcher{UserAgent: f.UserAgent}}
	if f.FetchTimeout <= 0 {
		return o, usagef("--fetch-timeout is %s, want a positive duration", f.FetchTimeout)
	}
	if f.Proxy != "" {
		proxy, err := url.Parse(f.Proxy)
		if err != nil || proxy.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) {
			// The URL may hold a password.
			return o, usagef("--proxy: want http://[user:password@]host:port, or https or socks5")
		}
		o.Fetch.Proxy = proxy
	}
	var err error
	if o.Sources, err = parseSources("--source", f.Source); err != nil {
		return o, err
	}
	if len(o.Sources) == 0 {
		for _, list := range loader.Lists() {
			if list.Default {
				o.Sources = append(o.Sources, loader.Source{List: list.ID})
			}
		}
	}
	return o, nil
}

// parseSources parses the values of a flag. A value may be several lines: an
// environment variable cannot be repeated.
func parseSources(flag string, texts []string) ([]loader.Source, error) {
	var sources []loader.Source
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			source, err := loader.ParseSource(line)
			if err != nil {
				return nil, usagef("%s: %v", flag, err)
			}
			sources = append(sources, source)
		}
	}
	return sources, nil
}

// claimLife is how long a list stays reserved for a loader that died.
const claimLife = 30 * time.Second

// loaderStore is the store as the loader knows it.
type loaderStore struct {
	*store.Publisher
	// alone says that no other loader can use the store.
	alone bool
}

// Claim implements loader.Store: the claim is renewed until it is released.
func (s loaderStore) Claim(ctx context.Context, name string) (release func(), ok bool, err error) {
	if s.alone {
		return func() {}, true, nil
	}
	claim, ok, err := s.Publisher.Claim(ctx, name, claimLife)
	if err != nil || !ok {
		return nil, false, err
	}
	// What ends the import is its own affair: the claim goes when it is released.
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() {
		tick := time.NewTicker(claimLife / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				// A claim that is lost spares publishers nothing, and harms nothing.
				_, _ = claim.Renew(ctx, claimLife)
			}
		}
	})
	return func() {
		stop()
		renewing.Wait()
		bounded, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = claim.Release(bounded) // it ends by itself
	}, true, nil
}

// logReport logs one line about the import of a list.
func logReport(log *slog.Logger, r *loader.Report) {
	attrs := []any{"list", r.List, "outcome", r.Outcome, "took", r.Took.Round(time.Millisecond)}
	if len(r.Changes) > 0 {
		n := count(r.Changes)
		attrs = append(attrs, "listed", n.listed, "delisted", n.delisted, "amended", n.amended)
	}
	if r.Snapshot != nil {
		attrs = append(attrs, "snapshot", r.Snapshot.Sequence)
		if list := r.Snapshot.List(r.List); list != nil {
			attrs = append(attrs, "published", list.Current().PublishedOn.String())
		}
	}
	if reread(r) {
		attrs = append(attrs, "reread", true)
	}
	if r.Source != "" {
		attrs = append(attrs, "source", r.Source, "bytes", r.Size)
	}
	if r.PassedOver != nil {
		attrs = append(attrs, "passed_over", r.PassedOver)
	}
	if r.Released != "" {
		attrs = append(attrs, "released", r.Released)
	}
	if len(r.Unexpected) > 0 {
		attrs = append(attrs, "unexpected", unexpected(r.Unexpected))
	}
	if r.Err != nil {
		attrs = append(attrs, "err", r.Err)
	}
	switch {
	case r.Outcome == loader.Failed || r.Outcome == loader.Held || r.Err != nil:
		log.Error("import", attrs...)
	case len(r.Unexpected) > 0 || r.Released != "" || r.PassedOver != nil:
		log.Warn("import", attrs...)
	case r.Outcome == loader.NotDue:
		log.Debug("import", attrs...)
	default:
		log.Info("import", attrs...)
	}
}

// reread reports whether something else was read of a publication that was loaded
// already.
func reread(r *loader.Report) bool {
	return slices.ContainsFunc(r.Changes, func(c *screen.Changes) bool { return c.Reread })
}

// unexpected writes counts in a stable order.
func unexpected(counts map[string]int) string {
	var parts []string
	for what, n := range counts {
		parts = append(parts, fmt.Sprintf("%d of %s", n, printable(what)))
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

// changeCounts are how many rows publications changed.
type changeCounts struct{ listed, delisted, amended int }

func count(changes []*screen.Changes) (n changeCounts) {
	for _, c := range changes {
		n.listed += len(c.Listed)
		n.delisted += len(c.Delisted)
		n.amended += len(c.Amended)
	}
	return n
}

// downloads shows on a terminal how much has come, of all documents together.
type downloads struct {
	mu   sync.Mutex
	bar  *progressbar.ProgressBar
	seen map[string][2]int64 // done and total by document
}

// showDownloads returns what a Fetcher tells its progress, nil if w is no terminal.
func showDownloads(w io.Writer) func(name string, done, total int64) {
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	d := &downloads{seen: map[string][2]int64{}, bar: progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(w), progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetDescription("fetching"),
	)}
	return d.progress
}

func (d *downloads) progress(name string, done, total int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[name] = [2]int64{done, total}
	var sum, of int64
	for _, n := range d.seen {
		sum += n[0]
		if n[1] < 0 || of < 0 {
			of = -1
			continue
		}
		of += n[1]
	}
	if of >= 0 {
		d.bar.ChangeMax64(of)
	}
	_ = d.bar.Set64(sum)
}
