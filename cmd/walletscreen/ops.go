package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/phrase"
	"walletscreen/screen/server"
)

// operators serves what operators look at: metrics, probes, profiles, and a page
// about the server.
type operators struct {
	listen   string
	embedded bool // the server has no Redis
	server   *server.Server
	metrics  *prometheus.Registry
	log      *slog.Logger
}

// serve listens, and serves in the group until stopped is closed: who looks at a
// server that stops should see that.
func (o *operators) serve(group *errgroup.Group, stopped <-chan struct{}) error {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("listening for operators: %w (another --ops-listen, or \"\" for none?)", err)
	}
	loopback := false
	if at, ok := listener.Addr().(*net.TCPAddr); ok {
		loopback = at.IP.IsLoopback()
	}
	h := &http.Server{
		Handler: guarded(o.handler(), loopback), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelWarn),
	}
	group.Go(func() error {
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("operators' port: %w", err)
		}
		return nil
	})
	group.Go(func() error { <-stopped; return h.Close() })
	o.log.Info("serving operators", "address", listener.Addr().String())
	return nil
}

func (o *operators) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.metrics, promhttp.HandlerOpts{}))
	// All of net/http/pprof but the command line, which may hold a password.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if status := o.server.Status(); !status.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "not ready:", visible(status.Why))
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /ops.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprint(w, opsStyle)
	})
	mux.HandleFunc("GET /{$}", o.page)
	return mux
}

// guarded keeps other sites' pages in an operator's browser from reading or framing
// what is served, and from starting profiles.
func guarded(next http.Handler, loopback bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Type", "text/plain; charset=utf-8")
		switch {
		case r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.URL.Path != "/":
			http.Error(w, "not for pages of other sites", http.StatusForbidden)
		// A name that another site has point to this machine makes its pages the same
		// site.
		case loopback && !localHost(r.Host):
			http.Error(w, "this port listens on loopback: ask for 127.0.0.1 or localhost", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// localHost reports whether the host of a request is an address or localhost.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")) != nil
}

// page writes the page about the server: HTML for browsers, text for everybody else.
func (o *operators) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	status := o.server.Status()
	// It fails before the first snapshot, which the status tells.
	lists, _ := o.server.GetSnapshot(r.Context(), &pb.GetSnapshotRequest{})
	var err error
	var page strings.Builder
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		view := newOpsView(status, lists)
		view.Note = o.note(lists)
		err = opsPage.Execute(&page, view)
	} else {
		writeStatus(&page, status, lists, o.note(lists))
	}
	if err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		o.log.Error("the operators' page", "err", err)
		return
	}
	if !status.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	fmt.Fprint(w, page.String())
}

// note says what an operator can do about what is held and cannot be released here,
// "" for nothing.
func (o *operators) note(lists *pb.GetSnapshotResponse) string {
	held := slices.ContainsFunc(lists.GetLists(), func(l *pb.ListStatus) bool { return l.GetHeld() != nil })
	if o.embedded && (held || len(lists.GetHeldFirst()) > 0) {
		return releaseElsewhere
	}
	return ""
}

// writeStatus writes the page as text.
func writeStatus(page *strings.Builder, status server.Status, lists *pb.GetSnapshotResponse, note string) {
	if !status.Ready {
		fmt.Fprintf(page, "NOT READY to screen: %s\n", visible(status.Why))
	}
	if status.Refusal != "" {
		fmt.Fprintf(page, "REFUSED: %s\n", visible(status.Refusal))
	}
	if lists == nil {
		fmt.Fprintln(page, "no snapshot is loaded yet")
	} else {
		writeLists(page, lists)
	}
	if note != "" {
		fmt.Fprintf(page, "\nNOTE: %s\n", note)
	}
	fmt.Fprintf(page, "\nversion %s; canaries of the newest snapshot: %d passed, %d failed, %d delisted\n",
		version(), status.CanariesPassed, status.CanariesFailed, status.CanariesDelisted)
	if len(status.Swaps) > 0 {
		fmt.Fprintln(page, "\nLAST SNAPSHOTS")
		t := newTable(page)
		for _, swap := range status.Swaps {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", swap.At.UTC().Format(time.RFC3339), swap.Snapshot, phrase.Count(swap.Lists, "list"), phrase.Count(swap.Canaries, "canary"), swapped(&swap))
		}
		t.Flush()
	}
}

// swapped says what became of a snapshot.
func swapped(swap *server.SwapRecord) string {
	if swap.Refused != "" {
		return "REFUSED: " + visible(swap.Refused)
	}
	return "served"
}

// opsView is what the page shows.
type opsView struct {
	Status  server.Status
	Lists   *pb.GetSnapshotResponse // nil before the first snapshot
	Rows    []opsList
	Swaps   []opsSwap
	Note    string // what to do about what is held
	Version string
}

// opsList is a row of the table of lists.
type opsList struct {
	*pb.ListStatus
	KindName, VerifiedAt, Age, Limit, Held string
}

type opsSwap struct {
	At, Snapshot, Outcome string
	Lists, Canaries       int
}

func newOpsView(status server.Status, lists *pb.GetSnapshotResponse) opsView {
	v := opsView{Status: status, Lists: lists, Version: version()}
	held := func(h *pb.HeldPublication) string {
		if h == nil {
			return ""
		}
		return fmt.Sprintf("held since %s: %s", h.GetSince().AsTime().Format(time.RFC3339), visible(h.GetWhy()))
	}
	for _, l := range lists.GetLists() {
		row := opsList{
			ListStatus: l, KindName: strings.ToLower(strings.TrimPrefix(l.GetKind().String(), "LIST_KIND_")), VerifiedAt: "never",
			Age: briefly(l.GetAge().AsDuration().Round(time.Second)), Limit: "none", Held: held(l.GetHeld()),
		}
		if l.GetVerifiedAt() != nil {
			row.VerifiedAt = l.GetVerifiedAt().AsTime().Format(time.RFC3339)
		}
		if l.GetMaxAge() != nil {
			row.Limit = briefly(l.GetMaxAge().AsDuration())
		}
		v.Rows = append(v.Rows, row)
	}
	for _, l := range lists.GetHeldFirst() {
		v.Rows = append(v.Rows, opsList{
			ListStatus: &pb.ListStatus{ListId: l.GetListId()}, VerifiedAt: "never", Held: held(l.GetHeld()) + "; the first of the list: nothing of it is served",
		})
	}
	for i := range status.Swaps {
		swap := &status.Swaps[i]
		v.Swaps = append(v.Swaps, opsSwap{swap.At.UTC().Format(time.RFC3339), swap.Snapshot, swapped(swap), swap.Lists, swap.Canaries})
	}
	return v
}

//go:embed ops.css
var opsStyle string

//go:embed ops.html
var opsHTML string

var opsPage = template.Must(template.New("ops").Parse(opsHTML))
