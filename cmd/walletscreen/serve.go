package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"walletscreen/loader"
	"walletscreen/loader/builtin"
	"walletscreen/screen"
	"walletscreen/screen/server"
	"walletscreen/screen/signing"
	"walletscreen/screen/store"
)

// startPatience is how long a server that starts waits for its first snapshot
// before it listens without one, not ready.
const startPatience = 3 * time.Second

type storeFlags struct {
	Redis     string `placeholder:"URL" help:"Redis that holds the snapshots: redis://[user:password@]host[:port][/db], unix:///path for a socket, redis+sentinel://host[:port],host[:port],.../master[/db], or redis+cluster://host[:port],host[:port],...; rediss in place of redis for TLS. Other programs on the machine can read a password in a command line: name a file that holds it, ?password_file=PATH. More parameters, joined by &: tls_ca, tls_cert, tls_key (files in PEM), tls_server_name, sentinel_user, sentinel_password_file, and db for a socket."`
	Namespace string `default:"default" help:"Keeps installations in one Redis apart: letters, digits, dots, hyphens and underscores."`
}

type serveCmd struct {
	Listen     string        `default:"127.0.0.1:50051" help:"Address to answer gRPC on, HOST:PORT. Port 0 takes a free one."`
	OpsListen  string        `default:"127.0.0.1:9464" help:"Address for operators, HOST:PORT: /metrics for Prometheus, / for a page about the server and its lists, /healthz and /readyz for probes, /debug/pprof/. Empty for none."`
	Insecure   bool          `help:"Allow addresses other than loopback although nothing encrypts or authenticates the connection: for --listen without --tls-cert, and for --ops-listen, which never has TLS."`
	MaxListAge time.Duration `default:"26h" help:"Time since a list was last compared with its publisher past which it cannot say that something is not listed: the server then is not ready, and answers CANNOT_SCREEN instead of NOT_LISTED. LISTED is still answered. Not enforced on builtin lists."`
	CacheDir   string        `type:"existingdir" help:"Folder, which is there already, to keep the last good snapshot in, so that the server can start while Redis is down. One server, one folder."`
	Require    []string      `name:"require-list" placeholder:"LIST" help:"A list without which the server is not ready, and questions that name no lists cannot be answered NOT_LISTED; repeatable. Without it the server answers from whatever lists are loaded."`
	LogFormat  string        `enum:"text,json" default:"text" help:"Format of the log on standard error: ${enum}."`
	LogLevel   string        `enum:"debug,info,warn,error" default:"info" help:"What to log: ${enum}."`
	LogCalls   string        `enum:"none,errors,all" default:"errors" help:"Which calls get a line in the log, with the caller, the request id, counts by verdict, time and code, and never an address: ${enum}. errors are calls that fail or take --slow-call, at most 10 lines a second; all leaves health checks out. A request id that could be an address or a key is not shown."`
	SlowCall   time.Duration `default:"500ms" help:"Time that a call must take to be logged as slow. 0 for never."`
	Tracing    bool          `help:"Send a span for each call, without addresses, to an OpenTelemetry collector: OTEL_EXPORTER_OTLP_ENDPOINT says where (grpc), OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG how many (parentbased_traceidratio and 0.01 are 1 of 100), and so on with the other standard variables."`

	Canary         []string      `sep:"none" placeholder:"LIST=ADDRESS" help:"An address that is on a list, to be screened against every new snapshot before it is served; repeatable, and in the variable one a line. A snapshot whose answer is another one is refused: what was served before still is, and grows stale. An address that its list delisted does not refuse the snapshot; it is logged, to be replaced. Listings of the snapshot itself are always asked for, too."`
	CanaryUnlisted []string      `sep:"none" placeholder:"ADDRESS" help:"An address that must not be on any list nor related to what is, to be screened likewise; repeatable. A snapshot that matches it is refused until the flag is taken out: your own addresses are listed rarely, and if they are you want to look. Addresses that nobody can have listed are always asked for, too."`
	DrainDelay     time.Duration `default:"5s" help:"After a signal to stop: how long the server goes on taking calls while it says that it is not ready, so that balancers and clients go elsewhere first. 0 for not at all. A second signal ends the program at once."`
	DrainTimeout   time.Duration `default:"20s" help:"How long calls in progress may take after that before they are cut off. With --drain-delay it should be less than what kills the program, in Kubernetes terminationGracePeriodSeconds (30s)."`

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
	if c.Redis == "" && len(c.files()) > 0 {
		return usagef("--verify-key is for what Redis holds, and there is no --redis: what is imported in this process is not signed")
	}
	trusted, err := c.keys()
	if err != nil {
		return err
	}
	if c.CacheDir != "" {
		if err := (store.Cache{Dir: c.CacheDir}).Check(); err != nil {
			return usagef("--cache-dir: nothing can be kept there: %v", err)
		}
	}
	if c.Listen == "" {
		// To net.Listen it would be every address of the machine.
		return usagef("--listen is empty: say where to answer, HOST:PORT")
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
	if err := c.observation(&config); err != nil {
		return err
	}
	if c.Tracing {
		provider, flush, err := startTracing(ctx, log)
		if err != nil {
			return err
		}
		defer flush()
		config.Tracer = provider
	}
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
	// Who may call, and how much is held for them, is looked after until the last
	// call has ended.
	serving, served := context.WithCancel(context.WithoutCancel(ctx))
	defer served()

	reader, publisher, frozen, err := c.openStore(ctx, trusted, log)
	if err != nil {
		return err
	}
	kept.reader = reader
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w (another --listen?)", err)
	}
	defer listener.Close()
	group.Go(watchAccess(serving, control))
	c.follow(ctx, group, reader, trusted, frozen, srv, registry, log)
	stopped := make(chan struct{})
	if c.OpsListen != "" {
		ops := operators{listen: c.OpsListen, embedded: c.Redis == "", server: srv, metrics: registry, log: log}
		if err := ops.serve(group, stopped); err != nil {
			return err
		}
	}
	group.Go(func() error { srv.Run(serving); return nil })
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
		defer close(stopped)
		defer served()
		<-ctx.Done()
		c.stop(srv, g, log)
		return nil
	})
	log.Info("serving gRPC", "address", listener.Addr().String(), "version", version(), "tls", c.TLSCert != "", "callers", cmp.Or(c.Callers, "everybody"))
	return group.Wait()
}

// allowed refuses to listen where anybody could connect, unless told to.
func allowed(addr string, insecure bool) error {
	if addr == "" || insecure {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usagef("address %q: want HOST:PORT: %v", addr, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usagef("%q is not a loopback address, and nothing would encrypt or authenticate the connection: "+
		"listen on 127.0.0.1 behind a proxy that does, or say --insecure; for gRPC, give --tls-cert and --tls-key", addr)
}

// observation sets what the flags say about logging calls and canaries.
func (c *serveCmd) observation(config *server.Config) error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"--slow-call", c.SlowCall}, {"--drain-delay", c.DrainDelay}, {"--drain-timeout", c.DrainTimeout}} {
		if d.value < 0 {
			return usagef("%s is %s, want no negative duration", d.flag, d.value)
		}
	}
	config.LogCalls = map[string]server.LogCalls{"none": server.LogNone, "errors": server.LogErrors, "all": server.LogAll}[c.LogCalls]
	config.SlowCall = c.SlowCall
	for i, text := range c.Canary {
		canary, err := server.ParseCanary(text)
		if err != nil {
			return usagef("--canary %d: %v", i+1, err)
		}
		config.Canaries = append(config.Canaries, canary)
	}
	for i, text := range c.CanaryUnlisted {
		if err := server.CheckUnlistedCanary(text); err != nil {
			return usagef("--canary-unlisted %d: %v", i+1, err)
		}
	}
	config.CanariesUnlisted = c.CanaryUnlisted
	return nil
}

// stop ends the server in this order: health says that it is going away, clients
// and balancers have time to see that, watches end, and calls in progress have time
// to finish.
func (c *serveCmd) stop(srv *server.Server, g *grpc.Server, log *slog.Logger) {
	wasReady := srv.Ready()
	srv.Drain()
	log.Info("stopping", "drain_delay", c.DrainDelay, "drain_timeout", c.DrainTimeout)
	// Nobody was sent to a server that was not ready.
	if wasReady {
		time.Sleep(c.DrainDelay)
	}
	late := time.AfterFunc(c.DrainTimeout, func() {
		log.Warn("calls are cut off that took longer than --drain-timeout")
		g.Stop()
	})
	defer late.Stop()
	srv.EndStreams()
	g.GracefulStop()
	log.Info("stopped")
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
			if srv.Swap(server.State{Snapshot: have.Snapshot, Verified: have.Verified, Signed: have.Signed}) != nil {
				have = nil // what is in Redis may be better
				break
			}
			log.Info("serving the cached snapshot until Redis answers", "snapshot", have.Snapshot.Sequence, "digest", have.Snapshot.Digest().String())
		case !errors.Is(err, store.ErrNoSnapshot):
			log.Error("the cached snapshot cannot be used", "err", err)
		}
	}
	var cached *screen.Snapshot
	seen := have // what the store had last, served or refused
	changed := func(next *store.State) {
		begin := time.Now()
		seen = next
		isNew := have == nil || have.Snapshot != next.Snapshot
		if srv.Swap(server.State{Snapshot: next.Snapshot, Verified: next.Verified, Signed: next.Signed, Builtin: builtinLists(frozen, next)}) != nil {
			return // which the server told; a cache keeps what is served
		}
		have = next
		if isNew {
			attrs := []any{"snapshot", next.Snapshot.Sequence, "digest", next.Snapshot.Digest().String(),
				"lists", len(next.Snapshot.Lists()), "listings", len(next.Snapshot.Listings()), "took", time.Since(begin)}
			if len(trusted) > 0 {
				attrs = append(attrs, "signed_by", next.Signed.KeyID)
			}
			log.Info("serving snapshot", attrs...)
		}
		// With the one before, a server that is started again knows what is missing, too.
		if cache != nil && len(srv.Lost()) == 0 {
			if err := cache.Save(next, next.Snapshot != cached); err != nil {
				log.Error("caching the snapshot", "err", err)
			} else {
				cached = next.Snapshot
			}
		}
	}
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "walletscreen_store_up", Help: "1 when the last look for a new snapshot succeeded."})
	signatureRefused := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "walletscreen_store_signature_refused", Help: "1 when the last look for a new snapshot found what none of the keys to verify with signed.",
	})
	refused := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "walletscreen_store_refusals_total",
		Help: "Looks for a new snapshot that found one and did not accept it: a digest that does not match, pieces that are missing, one that is older than what is served, one that is not signed by a key to verify with.",
	})
	metrics.MustRegister(up, signatureRefused, refused)
	up.Set(1)
	var lastFailure string
	failed := func(err error) {
		if err == nil {
			lastFailure = ""
			up.Set(1)
			signatureRefused.Set(0)
			log.Info("Redis answers again")
			return
		}
		up.Set(0)
		untrusted := errors.Is(err, signing.ErrUntrusted)
		if signatureRefused.Set(0); untrusted {
			signatureRefused.Set(1)
		}
		if store.Refused(err) {
			refused.Inc()
		}
		// The same failure every few seconds is one fact.
		if err.Error() == lastFailure {
			return
		}
		lastFailure = err.Error()
		if errors.Is(err, store.ErrNoSnapshot) {
			log.Warn("Redis holds no snapshot: load one with walletscreen load", "namespace", c.Namespace, "err", err)
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
		// As Follow says it, which looks again at once: one fact, one line.
		failed(fmt.Errorf("looking for a new snapshot: %w", err))
	}
	group.Go(func() error {
		defer reader.Close()
		_ = reader.Follow(ctx, seen, changed, failed)
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
