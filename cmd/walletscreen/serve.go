package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"walletscreen/loader"
	"walletscreen/loader/builtin"
	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/server"
	"walletscreen/screen/signing"
	"walletscreen/screen/store"
)

// drainTime is how long calls in progress may take after a signal to stop.
const drainTime = 10 * time.Second

// startPatience is how long a server that starts waits for its first snapshot
// before it listens without one, not ready.
const startPatience = 3 * time.Second

type storeFlags struct {
	Redis     string `placeholder:"URL" help:"Redis that holds the snapshots: redis://[user:password@]host[:port][/db], unix:///path for a socket, redis+sentinel://host[:port],host[:port],.../master[/db], or redis+cluster://host[:port],host[:port],...; rediss in place of redis for TLS. Other programs on the machine can read a password in a command line: name a file that holds it, ?password_file=PATH. More parameters, joined by &: tls_ca, tls_cert, tls_key (files in PEM), tls_server_name, sentinel_user, sentinel_password_file, and db for a socket."`
	Namespace string `default:"default" help:"Keeps installations in one Redis apart: letters, digits, dots, hyphens and underscores."`
}

type serveCmd struct {
	Listen     string        `default:"127.0.0.1:50051" help:"Address to answer gRPC on, HOST:PORT. Port 0 takes a free one."`
	OpsListen  string        `default:"127.0.0.1:9464" help:"Address for operators, HOST:PORT: /metrics for Prometheus, / for a page about the lists, /debug/pprof/. Empty for none."`
	Insecure   bool          `help:"Allow addresses other than loopback although nothing encrypts or authenticates the connection: for --listen without --tls-cert, and for --ops-listen, which never has TLS."`
	MaxListAge time.Duration `default:"26h" help:"Time since a list was last compared with its publisher past which it cannot say that something is not listed: the server then is not ready, and answers CANNOT_SCREEN instead of NOT_LISTED. LISTED is still answered. Not enforced on builtin lists."`
	CacheDir   string        `type:"existingdir" help:"Folder, which is there already, to keep the last good snapshot in, so that the server can start while Redis is down. One server, one folder."`
	Require    []string      `name:"require-list" placeholder:"LIST" help:"A list without which the server is not ready, and questions that name no lists cannot be answered NOT_LISTED; repeatable. Without it the server answers from whatever lists are loaded."`
	LogFormat  string        `enum:"text,json" default:"text" help:"Format of the log on standard error: ${enum}."`
	LogLevel   string        `enum:"debug,info,warn,error" default:"info" help:"What to log: ${enum}. debug has a line for each request, with its id and counts and never with an address."`

	Refresh time.Duration `default:"1h" help:"Without --redis: import the lists in this process, at once and then after each such time. 0 turns it off. While publishers cannot be reached the builtin lists are served, loudly."`

	secureFlags `embed:""`
	importFlags `embed:""`
	storeFlags  `embed:""`
	verifyFlags `embed:""`
}

func (c *serveCmd) Run(ctx context.Context, s std) error {
	if c.MaxListAge <= 0 {
		return usagef("--max-list-age is %s, want a positive duration", c.MaxListAge)
	}
	if c.Redis == "" && c.CacheDir != "" {
		return usagef("--cache-dir keeps what Redis holds, and there is no --redis")
	}
	if c.Redis == "" && len(c.VerifyKey) > 0 {
		return usagef("--verify-key is for what Redis holds, and there is no --redis: what is imported in this process is not signed")
	}
	trusted, err := c.keys()
	if err != nil {
		return err
	}
	if err := allowed(c.OpsListen, c.Insecure); err != nil {
		return err
	}
	if c.Refresh < 0 || c.Refresh > 0 && c.Refresh < time.Second {
		return usagef("--refresh is %s, want at least a second, or 0 for never", c.Refresh)
	}
	if c.Redis != "" && len(c.Source) > 0 {
		return usagef("--source is for the lists of this process, and with --redis they come from there: give it to walletscreen load")
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return usagef("--log-level: %v", err)
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	if c.LogFormat == "json" {
		log = slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: level}))
	}
	imports, err := c.options()
	if err != nil {
		return err
	}
	imports.Every = c.Refresh
	if err := imports.Validate(); err != nil {
		return usagef("%v", err)
	}
	imports.Fetch.Failing = func(err error, pause time.Duration) {
		log.Warn("a publisher does not answer as it should", "err", err, "next_try_in", pause.Round(time.Millisecond))
	}
	switch {
	case c.Insecure && c.TLSCert == "":
		log.Warn("--insecure: nothing encrypts or authenticates connections", "listen", c.Listen, "ops_listen", c.OpsListen)
	case c.Insecure:
		log.Warn("--insecure: nothing encrypts or authenticates connections of operators", "ops_listen", c.OpsListen)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	control, limits, err := c.secure(c.Listen, c.Insecure, registry, log)
	if err != nil {
		return err
	}
	config := server.Config{Access: control, Limits: limits, MaxListAge: c.MaxListAge, Version: version(), Log: log, Metrics: registry, NotCovered: notCovered()}
	for _, id := range c.Require {
		if err := screen.ListID(id).Validate(); err != nil {
			return usagef("--require-list: %v", err)
		}
		config.Require = append(config.Require, screen.ListID(id))
	}
	kept := new(keptSnapshots)
	config.Archive = kept
	srv := server.New(config)

	// A group that ends when the first of its parts does.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)

	reader, publisher, frozen, err := c.openStore(ctx, trusted, log)
	if err != nil {
		return err
	}
	kept.reader = reader
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	defer listener.Close()
	group.Go(watchAccess(ctx, control))
	c.follow(ctx, group, reader, trusted, frozen, srv, registry, log)
	if c.OpsListen != "" {
		if err := c.serveOps(ctx, group, srv, registry, log); err != nil {
			return err
		}
	}
	group.Go(func() error { srv.Run(ctx); return nil })
	if publisher != nil && c.Refresh > 0 {
		metrics := loader.NewMetrics(registry)
		group.Go(func() error { refresh(ctx, publisher, imports, metrics, log); return publisher.Close() })
	}
	g := srv.GRPC()
	group.Go(func() error {
		// A signal during the start stops the server before it serves.
		if err := g.Serve(srv.Listener(listener)); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stop(srv, g, log)
		return nil
	})
	log.Info("serving gRPC", "address", listener.Addr().String(), "version", version())
	return group.Wait()
}

// allowed refuses to listen where anybody could connect, unless told to.
func allowed(addr string, insecure bool) error {
	if addr == "" || insecure {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("address %q: %v", addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usagef("%q is not a loopback address, and nothing would encrypt or authenticate the connection: "+
		"listen on 127.0.0.1 behind a proxy that does, or say --insecure; for gRPC, give --tls-cert and --tls-key", addr)
}

// stop lets calls in progress finish, for a while. Health says that the server
// is going away before it stops taking calls.
func stop(srv *server.Server, g *grpc.Server, log *slog.Logger) {
	log.Info("stopping")
	srv.Drain()
	late := time.AfterFunc(drainTime, g.Stop)
	defer late.Stop()
	g.GracefulStop()
}

// openStore returns a reader of the store; of an embedded one also its publisher,
// and the builtin lists that it began with.
func (c *serveCmd) openStore(ctx context.Context, trusted signing.Keys, log *slog.Logger) (*store.Reader, *store.Publisher, *screen.Snapshot, error) {
	options := store.Options{URL: c.Redis, Namespace: c.Namespace, Trusted: trusted}
	var publisher *store.Publisher
	var frozen *screen.Snapshot
	if c.Redis == "" {
		var err error
		if options, publisher, frozen, err = startEmbedded(ctx, log); err != nil {
			return nil, nil, nil, err
		}
	}
	reader, err := store.NewReader(options)
	if err != nil {
		return nil, nil, nil, usagef("%v", err)
	}
	return reader, publisher, frozen, nil
}

// builtinLists are the lists of a state that are still the builtin ones: their
// publication is, and it was never compared with what the publisher offers. frozen
// are the builtin lists, nil if the store did not begin with them.
func builtinLists(frozen *screen.Snapshot, state *store.State) map[screen.ListID]bool {
	if frozen == nil {
		return nil
	}
	lists := map[screen.ListID]bool{}
	for i := range frozen.Lists() {
		was := &frozen.Lists()[i]
		is := state.Snapshot.List(was.ID)
		if is != nil && is.Current().Digest == was.Current().Digest && state.Verified[was.ID].At.IsZero() {
			lists[was.ID] = true
		}
	}
	return lists
}

// follow hands every snapshot to the server: the cached one, then the first that
// the store has, then whatever follows.
func (c *serveCmd) follow(ctx context.Context, group *errgroup.Group, reader *store.Reader, trusted signing.Keys, frozen *screen.Snapshot, srv *server.Server, metrics *prometheus.Registry, log *slog.Logger) {
	var cache *store.Cache
	var have *store.State
	if c.CacheDir != "" {
		cache = &store.Cache{Dir: c.CacheDir, Namespace: c.Namespace, Trusted: trusted}
		var err error
		switch have, err = cache.Load(); {
		case have != nil:
			if err != nil {
				log.Error("how fresh the cached lists are is not known", "err", err)
			}
			srv.Swap(server.State{Snapshot: have.Snapshot, Verified: have.Verified, Signed: have.Signed})
			log.Info("serving the cached snapshot until Redis answers", "snapshot", have.Snapshot.Sequence, "digest", have.Snapshot.Digest().String())
		case !errors.Is(err, store.ErrNoSnapshot):
			log.Error("the cached snapshot cannot be used", "err", err)
		}
	}
	var cached *screen.Snapshot
	changed := func(next *store.State) {
		begin := time.Now()
		isNew := have == nil || have.Snapshot != next.Snapshot
		have = next
		srv.Swap(server.State{Snapshot: next.Snapshot, Verified: next.Verified, Signed: next.Signed, Builtin: builtinLists(frozen, next)})
		if isNew {
			attrs := []any{"snapshot", next.Snapshot.Sequence, "digest", next.Snapshot.Digest().String(),
				"lists", len(next.Snapshot.Lists()), "listings", len(next.Snapshot.Listings()), "took", time.Since(begin)}
			if len(trusted) > 0 {
				attrs = append(attrs, "signed_by", next.Signed.KeyID)
			}
			log.Info("serving snapshot", attrs...)
		}
		if cache != nil {
			if err := cache.Save(next, next.Snapshot != cached); err != nil {
				log.Error("caching the snapshot", "err", err)
			} else {
				cached = next.Snapshot
			}
		}
	}
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "walletscreen_store_up", Help: "1 when the last look for a new snapshot succeeded."})
	refused := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "walletscreen_store_signature_refused", Help: "1 when the last look for a new snapshot found what none of the keys to verify with signed.",
	})
	metrics.MustRegister(up, refused)
	up.Set(1)
	var lastFailure string
	failed := func(err error) {
		if err == nil {
			lastFailure = ""
			up.Set(1)
			refused.Set(0)
			log.Info("Redis answers again")
			return
		}
		up.Set(0)
		untrusted := errors.Is(err, signing.ErrUntrusted)
		if refused.Set(0); untrusted {
			refused.Set(1)
		}
		// The same failure every few seconds is one fact.
		if err.Error() == lastFailure {
			return
		}
		lastFailure = err.Error()
		if errors.Is(err, store.ErrNoSnapshot) {
			log.Warn("Redis holds no snapshot: load one", "err", err)
			return
		}
		if untrusted {
			log.Error("REFUSED: Redis holds what no key of --verify-key signed", "err", err)
			return
		}
		log.Error("Redis", "err", err)
	}
	// A server that finds a snapshot at once is ready when it begins to listen.
	first, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	next, err := reader.LoadAfter(first, have)
	if next != nil {
		changed(next)
	}
	if err != nil {
		failed(err)
	}
	group.Go(func() error {
		defer reader.Close()
		_ = reader.Follow(ctx, have, changed, failed)
		return nil
	})
}

// startEmbedded starts a store in this process and publishes the builtin lists
// into it, by the way that every snapshot takes. It returns a
// publisher and the lists, too.
func startEmbedded(ctx context.Context, log *slog.Logger) (store.Options, *store.Publisher, *screen.Snapshot, error) {
	lists, err := builtin.Snapshot()
	if err != nil {
		return store.Options{}, nil, nil, err
	}
	for i := range lists.Lists() {
		l := &lists.Lists()[i]
		log.Warn("BUILTIN LISTS: a frozen default for trying things out, not for compliance; use --redis and load the publications of today",
			"list", l.ID, "published", l.Current().PublishedOn.String(),
			"days_old", int(time.Since(l.Current().PublishedOn.Time().AddDate(0, 0, 1)).Hours()/24))
	}
	embedded := miniredis.NewMiniRedis()
	password := rand.Text() // other programs on this machine can reach the port
	embedded.RequireAuth(password)
	if err := embedded.StartAddr("127.0.0.1:0"); err != nil {
		return store.Options{}, nil, nil, fmt.Errorf("starting the embedded store: %w", err)
	}
	context.AfterFunc(ctx, embedded.Close)
	options := store.Options{URL: "redis://:" + password + "@" + embedded.Addr()}
	publisher, err := store.NewPublisher(options)
	if err != nil {
		return store.Options{}, nil, nil, err
	}
	publisher.Builder = version()
	if _, err := publisher.Publish(ctx, screen.Empty(), lists, nil); err != nil {
		return store.Options{}, nil, nil, fmt.Errorf("filling the embedded store: %w", err)
	}
	return options, publisher, lists, nil
}

// serveOps serves the operators' port.
func (c *serveCmd) serveOps(ctx context.Context, group *errgroup.Group, srv *server.Server, metrics *prometheus.Registry, log *slog.Logger) error {
	listener, err := net.Listen("tcp", c.OpsListen)
	if err != nil {
		return fmt.Errorf("listening for operators: %w (another --ops-listen, or \"\" for none?)", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	// All of net/http/pprof but the command line, which may hold a password.
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		res, err := srv.GetSnapshot(r.Context(), &pb.GetSnapshotRequest{})
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "no snapshot is loaded yet")
			return
		}
		if !srv.Ready() {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, "NOT READY to screen")
		}
		var page strings.Builder
		writeLists(&page, res)
		held := slices.ContainsFunc(res.GetLists(), func(l *pb.ListStatus) bool { return l.GetHeld() != nil })
		if c.Redis == "" && (held || len(res.GetHeldFirst()) > 0) {
			fmt.Fprintf(&page, "\nNOTE: %s\n", releaseElsewhere)
		}
		fmt.Fprint(w, page.String())
	})
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	group.Go(func() error {
		if err := h.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("operators' port: %w", err)
		}
		return nil
	})
	group.Go(func() error { <-ctx.Done(); return h.Close() })
	log.Info("serving operators", "address", listener.Addr().String())
	return nil
}
