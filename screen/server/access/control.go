package access

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"google.golang.org/grpc/peer"
)

// pollInterval is how often files are looked at. They are compared by content:
// a secret of Kubernetes changes by a symbolic link far above the file.
const pollInterval = time.Second

// maxFile bounds a file, in bytes.
const maxFile = 16 << 20

// Config says where callers and certificates come from. The zero Config lets
// everybody do everything, without TLS.
type Config struct {
	// Callers is a file for ParseCallers; "" means that everybody who can connect
	// may do everything.
	Callers string
	// Cert and Key are files in PEM: the server's chain and its private key, which
	// others must not be able to read. "" for both means no TLS.
	Cert, Key string
	// ClientCA is a file in PEM of the authorities that sign client certificates.
	// With it a client must show a certificate, or, if there are Callers, may.
	ClientCA string
	// Plaintext says that others could read what clients send: callers with tokens
	// are refused.
	Plaintext bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what operators should know; nil discards it.
	Log *slog.Logger
	// Metrics receives the metrics; nil registers none.
	Metrics prometheus.Registerer
}

// Control decides who may call. It is safe for use by many goroutines.
type Control struct {
	cfg     Config
	sources []*source

	pair        atomic.Pointer[tls.Certificate]
	authorities atomic.Pointer[authorities]
	tls         atomic.Pointer[tls.Config]
	callers     atomic.Pointer[roster]
	everybody   *Caller // while there is no file of callers

	expiry expiry
	failed *prometheus.GaugeVec
}

// source is some files that make one thing.
type source struct {
	what  string // for the log and the metric
	flag  string // that names the files, for who starts the server
	files []string
	tried [sha256.Size]byte // of the contents that were last used, or refused
	load  func(texts [][]byte) error
}

// roster is Callers with what lives on from one file to the next.
type roster struct {
	*Callers
	callers   []*Caller
	anonymous *Caller
}

// Open reads the files. Its errors say what to change.
func Open(cfg Config) (*Control, error) {
	switch {
	case (cfg.Cert == "") != (cfg.Key == ""):
		return nil, errors.New("a certificate and its key belong together: name both or neither")
	case cfg.ClientCA != "" && cfg.Cert == "":
		return nil, errors.New("client certificates want TLS: name a certificate and key of the server, too")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Control{
		cfg:    cfg,
		failed: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "walletscreen_reload_failed", Help: "1 when the files as they are now cannot be used, and what was read before stays in force."}, []string{"what"}),
	}
	c.everybody = &Caller{Name: Anonymous, may: everything}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(c.failed)
	}
	if cfg.Cert != "" {
		c.sources = append(c.sources, &source{what: "certificate", flag: "--tls-cert and --tls-key", files: []string{cfg.Cert, cfg.Key}, load: c.loadPair})
		if cfg.Metrics != nil {
			cfg.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "walletscreen_tls_certificate_expiry_timestamp_seconds", Help: "When the server's certificate expires.",
			}, func() float64 { return float64(c.pair.Load().Leaf.NotAfter.Unix()) }))
		}
	}
	if cfg.ClientCA != "" {
		c.sources = append(c.sources, &source{what: "client-ca", flag: "--tls-client-ca", files: []string{cfg.ClientCA}, load: c.loadAuthorities})
	}
	if cfg.Callers != "" {
		c.sources = append(c.sources, &source{what: "callers", flag: "--callers", files: []string{cfg.Callers}, load: c.loadCallers})
	}
	for _, s := range c.sources {
		if _, err := s.look(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.flag, err)
		}
		c.failed.WithLabelValues(s.what).Set(0)
	}
	c.expiry.watch(context.Background(), c)
	return c, nil
}

// look reads the files and uses them if they have changed since the last look.
func (s *source) look() (changed bool, err error) {
	sum := sha256.New()
	texts := make([][]byte, len(s.files))
	for i, name := range s.files {
		if texts[i], err = readFile(name); err != nil {
			// What cannot be read now is tried again.
			s.tried = [sha256.Size]byte{}
			return true, fmt.Errorf("reading the %s: %w", s.what, err)
		}
		one := sha256.Sum256(texts[i])
		sum.Write(one[:])
	}
	digest := [sha256.Size]byte(sum.Sum(nil))
	if digest == s.tried {
		return false, nil
	}
	if err := s.load(texts); err != nil {
		s.tried = digest
		return true, fmt.Errorf("%s: %w", s.files[0], err)
	}
	s.tried = digest
	return true, nil
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fmt.Errorf("%s: want a file of at most %d bytes", name, maxFile)
	}
	return os.ReadFile(name)
}

func (c *Control) loadPair(texts [][]byte) error {
	info, err := os.Stat(c.cfg.Key)
	if err != nil {
		return err
	}
	if open := info.Mode().Perm() & 0o007; open != 0 {
		return fmt.Errorf("key %s: its mode %s lets every user of this machine at it: chmod o= %s (a secret of Kubernetes: defaultMode 0440)", c.cfg.Key, fs.FileMode(info.Mode().Perm()), c.cfg.Key)
	}
	pair, err := parsePair(texts[0], texts[1], c.cfg.Now())
	if err != nil {
		return fmt.Errorf("with key %s: %w", c.cfg.Key, err)
	}
	c.pair.Store(pair)
	c.expiry = expiry{}
	c.tls.Store(c.handshake())
	return nil
}

func (c *Control) loadAuthorities(texts [][]byte) error {
	by, err := parseAuthorities(texts[0])
	if err != nil {
		return err
	}
	c.authorities.Store(by)
	c.tls.Store(c.handshake())
	return nil
}

func (c *Control) loadCallers(texts [][]byte) error {
	parsed, err := ParseCallers(texts[0])
	if err != nil {
		return err
	}
	if name := parsed.certificatesOnly(); name != "" && c.cfg.ClientCA == "" {
		return fmt.Errorf("caller %s is known by certificates alone, and no client CA is named that could verify them: it could never be known", name)
	}
	if c.cfg.Plaintext && parsed.Tokens() {
		return errors.New("it has callers with tokens, and nothing would encrypt them on their way: give --tls-cert and --tls-key, or listen on a loopback address")
	}
	now, old := c.cfg.Now(), c.callers.Load()
	next := &roster{Callers: parsed}
	for _, d := range parsed.callers {
		next.callers = append(next.callers, c.caller(now, d, old))
	}
	if parsed.anonymous != nil {
		next.anonymous = c.caller(now, *parsed.anonymous, old)
	}
	for _, name := range parsed.expired(now) {
		c.cfg.Log.Warn("every token of a caller has expired", "caller", name)
	}
	c.callers.Store(next)
	return nil
}

// caller makes a Caller, with what is left of the quota it had.
func (c *Control) caller(now time.Time, d declared, old *roster) *Caller {
	next := &Caller{Name: d.name, may: d.may}
	if d.perSecond == 0 {
		return next
	}
	if was := old.named(d.name); was != nil && was.limiter != nil {
		next.limiter = was.limiter
		next.limiter.SetLimitAt(now, rate.Limit(d.perSecond))
		next.limiter.SetBurstAt(now, d.burst)
		return next
	}
	next.limiter = rate.NewLimiter(rate.Limit(d.perSecond), d.burst)
	return next
}

func (r *roster) named(name string) *Caller {
	if r == nil {
		return nil
	}
	if name == Anonymous {
		return r.anonymous
	}
	for _, c := range r.callers {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Watch looks at the files, until ctx ends. Files that cannot be used change
// nothing, and are reported: by the log once, by a metric while they are there.
func (c *Control) Watch(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	said := map[string]string{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.reload(ctx, said)
	}
}

func (c *Control) reload(ctx context.Context, said map[string]string) {
	for _, s := range c.sources {
		switch changed, err := s.look(); {
		case err != nil:
			c.failed.WithLabelValues(s.what).Set(1)
			if said[s.what] != err.Error() {
				said[s.what] = err.Error()
				c.cfg.Log.ErrorContext(ctx, "changed files cannot be used; what was read before stays in force", "what", s.what, "err", err)
			}
		case changed:
			c.failed.WithLabelValues(s.what).Set(0)
			delete(said, s.what)
			c.cfg.Log.InfoContext(ctx, "changed files are in force", "what", s.what, "files", s.files)
		}
	}
	c.expiry.watch(ctx, c)
}

// Credentials are what one call showed of who makes it.
type Credentials struct {
	token    TokenHash
	shown    bool // an authorization header is there
	readable bool // and token is its hash
	proof    *Proof
}

// Read takes the credentials of a call from its peer and its authorization headers.
func Read(ctx context.Context, authorization []string) Credentials {
	var cr Credentials
	if p, ok := peer.FromContext(ctx); ok {
		cr.proof = proofOf(p.AuthInfo)
	}
	if len(authorization) > 0 {
		cr.shown = true
		cr.token, cr.readable = bearer(authorization)
	}
	return cr
}

// Authorize returns who calls, if they may call a method that asks for a
// permission. The error is a *Refusal. A token decides before a certificate; one
// that is not good is never made up for by something else.
func (c *Control) Authorize(cr Credentials, need Permission) (*Caller, error) {
	if need == Anyone {
		return c.everybody, nil
	}
	caller, err := c.identify(cr)
	if err != nil {
		return nil, err
	}
	if !caller.May(need) {
		return nil, &Refusal{Denied: true, Caller: caller.Name, Why: fmt.Sprintf("caller %s lacks the permission for this method: %s", caller.Name, need)}
	}
	return caller, nil
}

func (c *Control) identify(cr Credentials) (*Caller, error) {
	names, err := c.names(cr.proof)
	if err != nil {
		return nil, &Refusal{Why: err.Error()}
	}
	r := c.callers.Load()
	switch {
	case r == nil:
		return c.everybody, nil
	case cr.shown && !cr.readable:
		return nil, &Refusal{Why: fmt.Sprintf("want one authorization header, \"Bearer TOKEN\", and a token of %d to %d characters", minToken, maxToken)}
	case cr.shown:
		t, ok := r.byToken(cr.token)
		if !ok {
			return nil, &Refusal{Why: "the token is not known: never issued, or revoked"}
		}
		caller := r.callers[t.caller]
		if !t.notAfter.IsZero() && !c.cfg.Now().Before(t.notAfter) {
			return nil, &Refusal{Caller: caller.Name, Why: "the token has expired"}
		}
		return caller, nil
	}
	var found *Caller
	for _, name := range names {
		if place, ok := r.names[name]; ok {
			if found != nil && found != r.callers[place] {
				return nil, &Refusal{Why: "the client certificate has the names of several callers"}
			}
			found = r.callers[place]
		}
	}
	switch {
	case found != nil:
		return found, nil
	case r.anonymous != nil:
		return r.anonymous, nil
	case len(names) > 0:
		return nil, &Refusal{Denied: true, Why: "no caller has a name that the client certificate proves"}
	case c.cfg.ClientCA != "":
		return nil, &Refusal{Why: "no credentials: want a bearer token, or a client certificate with a URI, DNS name or email address"}
	default:
		return nil, &Refusal{Why: "no credentials: want a bearer token"}
	}
}
