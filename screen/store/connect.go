package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The driver's defaults ignore deadlines and retry for a quarter of a minute.
// A load is retried by whoever asked for it, with what it knows of the hurry, and
// a publish must not be sent twice.
const (
	dialTimeout  = 2 * time.Second
	ioTimeout    = 5 * time.Second // 4 MiB of pieces over a slow line
	poolTimeout  = 2 * time.Second
	poolSize     = 4 // one load, one poll, and room for a command that hangs
	noRetries    = -1
	noSecondPool = -1 // for pipelines: the size of the pool is the number of connections

	// findTimeout is how long sentinels get to say who the master is. Once one has
	// said it, the others get agreeTimeout.
	findTimeout  = 5 * time.Second
	agreeTimeout = time.Second

	// redirects is how often a command goes to another node of a cluster: a slot that
	// moved, and one that moves just then.
	redirects = 3
	// topologyLife is how old a client's picture of a cluster may be when a command
	// is sent. The driver looks for another one when a node points elsewhere, and by
	// age; a node that is gone points nowhere.
	topologyLife = time.Second
)

// client makes a client. It does not connect.
func (t *target) client() redis.UniversalClient {
	if t.kind == inCluster {
		c := redis.NewClusterClient(&redis.ClusterOptions{
			Addrs:                      t.addrs,
			Dialer:                     t.dial,
			CredentialsProviderContext: t.data.login,
			ContextTimeoutEnabled:      true,
			MaxRedirects:               redirects,
			MaxRetries:                 noRetries,
			ClusterStateReloadInterval: topologyLife,
			DisableRoutingPolicies:     true, // all keys are in one slot
			DialTimeout:                dialTimeout,
			DialerRetries:              1,
			ReadTimeout:                ioTimeout,
			WriteTimeout:               ioTimeout,
			PoolTimeout:                poolTimeout,
			PoolSize:                   poolSize,
			PipelinePoolSize:           noSecondPool,
			DisableIdentity:            true, // readers and loaders need not be allowed to name the driver
			MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		})
		c.OnNewNode(func(node *redis.Client) { node.AddHook(once{}) })
		c.AddHook(explain{cluster: true})
		c.AddHook(look{c})
		return c
	}
	opt := &redis.Options{
		Network:                    "tcp",
		Addr:                       t.addrs[0],
		Dialer:                     t.dial,
		CredentialsProviderContext: t.data.login,
		DB:                         t.db,
		ContextTimeoutEnabled:      true,
		MaxRetries:                 noRetries,
		DialTimeout:                dialTimeout,
		DialerRetries:              1,
		ReadTimeout:                ioTimeout,
		WriteTimeout:               ioTimeout,
		PoolTimeout:                poolTimeout,
		PoolSize:                   poolSize,
		PipelinePoolSize:           noSecondPool,
		DisableIdentity:            true,
		MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	switch t.kind {
	case unixSocket:
		opt.Network = "unix"
	case bySentinels:
		opt.Addr = t.master
		opt.Dialer = (&watch{target: t, open: map[*watched]string{}}).dial
		// Finding the master takes its time before there is somebody to dial.
		opt.DialTimeout = dialTimeout + findTimeout
	}
	c := redis.NewClient(opt)
	c.AddHook(explain{})
	return c
}

// dial connects to one server.
func (t *target) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	// A peer that vanished is noticed after three quarters of a minute.
	dialer := &net.Dialer{
		Timeout:         dialTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	if t.tls == nil {
		return dialer.DialContext(ctx, network, addr)
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config, err := t.tls.config(host)
	if err != nil {
		return nil, err
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, addr)
}

// A watch dials the master that sentinels name. The driver's own client for
// sentinels stays with one of them, even if that hangs or knows an old master, and
// with a subscription at a master that hangs.
type watch struct {
	*target

	mu   sync.Mutex
	open map[*watched]string // connections and their servers
}

// watched is a connection to what was the master when it was dialed.
type watched struct {
	net.Conn
	watch *watch
}

func (w *watched) Close() error {
	w.watch.mu.Lock()
	delete(w.watch.open, w)
	w.watch.mu.Unlock()
	return w.Conn.Close()
}

// watchedSocket lets the driver see whether an idle connection was closed. One by TLS
// must not have this method: what cannot be looked at is taken for closed.
type watchedSocket struct {
	*watched
	syscall.Conn
}

func (w *watch) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	master, err := w.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for the master %q: %w", w.target.master, err)
	}
	w.turnTo(master)
	conn, err := w.target.dial(ctx, network, master)
	if err != nil {
		return nil, fmt.Errorf("connecting to the master %q: %w", w.target.master, err)
	}
	c := &watched{conn, w}
	w.mu.Lock()
	w.open[c] = master
	w.mu.Unlock()
	if socket, ok := conn.(syscall.Conn); ok {
		return watchedSocket{c, socket}, nil
	}
	return c, nil
}

// turnTo ends the connections to any other server. Whoever waits there for an
// answer or a message that may never come finds the master instead.
func (w *watch) turnTo(master string) {
	w.mu.Lock()
	var former []*watched
	for c, server := range w.open {
		if server != master {
			former = append(former, c)
		}
	}
	w.mu.Unlock()
	for _, c := range former {
		c.Close()
	}
}

// find asks all sentinels for the master. Each says of which configuration it
// knows, and the newest one counts. Answers of more than half of them are enough: a
// newer configuration exists only where as many agreed to it. With less it makes do
// when no more come in agreeTimeout.
func (w *watch) find(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	type answer struct {
		master string
		epoch  uint64
		err    error
	}
	answers := make(chan answer, len(w.addrs))
	for _, addr := range w.addrs {
		go func() {
			master, epoch, err := w.ask(ctx, addr)
			answers <- answer{master, epoch, err}
		}()
	}
	var newest answer
	var errs []error
	var late <-chan time.Time
	for heard := 0; heard <= len(w.addrs)/2 && heard+len(errs) < len(w.addrs); {
		select {
		case a := <-answers:
			if a.err != nil {
				errs = append(errs, a.err)
				continue
			}
			if heard++; heard == 1 || a.epoch > newest.epoch {
				newest = a
			}
			if heard == 1 {
				late = time.After(agreeTimeout)
			}
		case <-late:
			return newest.master, nil
		case <-ctx.Done():
			if newest.master != "" {
				return newest.master, nil
			}
			return "", errors.Join(append(errs, fmt.Errorf("no sentinel answered: %w", ctx.Err()))...)
		}
	}
	if newest.master == "" {
		return "", errors.Join(errs...)
	}
	return newest.master, nil
}

// ask asks one sentinel for the master and the epoch of its configuration.
func (w *watch) ask(ctx context.Context, addr string) (master string, epoch uint64, err error) {
	c := redis.NewSentinelClient(&redis.Options{
		Addr:                       addr,
		Dialer:                     w.target.dial,
		CredentialsProviderContext: w.sentinels.login,
		ContextTimeoutEnabled:      true,
		MaxRetries:                 noRetries,
		DialTimeout:                findTimeout,
		DialerRetries:              1,
		ReadTimeout:                findTimeout,
		WriteTimeout:               findTimeout,
		PoolSize:                   1,
		PipelinePoolSize:           noSecondPool,
		DisableIdentity:            true,
		MaintNotificationsConfig:   &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	defer c.Close()
	about, err := c.Master(ctx, w.target.master).Result()
	if err == nil {
		epoch, err = strconv.ParseUint(about["config-epoch"], 10, 64)
	}
	if err == nil && (about["ip"] == "" || about["port"] == "") {
		err = errors.New("it names no master")
	}
	if err != nil {
		return "", 0, fmt.Errorf("asking the sentinel %s: %w", addr, err)
	}
	return net.JoinHostPort(about["ip"], about["port"]), epoch, nil
}

// explain says what is to be done about an error that comes from a URL.
type explain struct{ cluster bool }

func (explain) DialHook(next redis.DialHook) redis.DialHook { return next }

func (e explain) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return e.explained(next(ctx, cmd)) }
}

func (e explain) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		for _, cmd := range cmds {
			cmd.SetErr(e.explained(cmd.Err()))
		}
		return e.explained(err)
	}
}

func (e explain) explained(err error) error {
	switch {
	case err == nil:
		return nil
	case redis.IsReadOnlyError(err):
		return fmt.Errorf("%w (this server is a read-only replica: loaders need the master)", err)
	case !e.cluster && redis.HasErrorPrefix(err, "MOVED"):
		return fmt.Errorf("%w (this server is one of a cluster: the URL of a cluster begins with redis+cluster://)", err)
	}
	return err
}

// once keeps the client of a cluster from sending a command again whose answer was
// lost: it may have been carried out. What a node refused is sent elsewhere.
type once struct{}

// lostError is an error in which the driver sees no reason to try again.
type lostError struct{ error }

func (e lostError) Is(target error) bool {
	return (target == context.Canceled || target == context.DeadlineExceeded) && errors.Is(e.error, target)
}

func (once) DialHook(next redis.DialHook) redis.DialHook                               { return next }
func (once) ProcessPipelineHook(n redis.ProcessPipelineHook) redis.ProcessPipelineHook { return n }

func (once) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		var refused redis.Error
		if err == nil || errors.As(err, &refused) || errors.Is(err, redis.ErrClosed) {
			return err
		}
		return lostError{err}
	}
}

// look has the client of a cluster look who has the slot now when a node does not answer.
type look struct{ c *redis.ClusterClient }

func (look) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l look) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return l.after(ctx, next(ctx, cmd)) }
}

func (l look) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return l.after(ctx, next(ctx, cmds)) }
}

func (l look) after(ctx context.Context, err error) error {
	var refused redis.Error
	if err != nil && !errors.As(err, &refused) {
		l.c.ReloadState(ctx)
	}
	return err
}
