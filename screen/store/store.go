package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// DefaultNamespace is the namespace when none is configured.
const DefaultNamespace = "default"

// ErrNoSnapshot says that Redis holds no snapshot: none was published yet, or it
// was flushed.
var ErrNoSnapshot = errors.New("no snapshot in Redis")

// schema is the number of the layout of keys and manifests.
const schema = 2

// Options say which Redis to talk to.
type Options struct {
	// URL is where Redis is; the package comment has the forms.
	URL string
	// Namespace keeps installations in one Redis apart: 1 to 64 letters, digits,
	// dots, hyphens and underscores. "" is DefaultNamespace.
	Namespace string
	// Trusted are the keys of which one must have signed what is read; without any,
	// signatures are not looked at.
	Trusted signing.Keys
	// Signer signs what a Publisher publishes, and is trusted; nil signs nothing.
	// Readers have no use for it.
	Signer *signing.Key
}

// Verified holds how lists stand to what their publishers offer. Lists of which
// nothing is known are left out. One that the snapshot does not hold is there only
// while a publication of it is held.
type Verified = map[screen.ListID]screen.Verification

// keys builds every key. No other code does.
type keys struct{ prefix string }

func (k keys) head() string      { return k.prefix + "head" }
func (k keys) snapshots() string { return k.prefix + "snapshots" }
func (k keys) verified() string  { return k.prefix + "verified" }
func (k keys) listings() string  { return k.prefix + "listings" }
func (k keys) changed() string   { return k.prefix + "changed" }

func (k keys) pins() string       { return k.prefix + "pins" }
func (k keys) retired() string    { return k.prefix + "retired" }
func (k keys) rolledBack() string { return k.prefix + "rolled_back" }
func (k keys) changes() string    { return k.prefix + "changes" }

func (k keys) claim(name string) string { return k.prefix + "claim:" + name }

func (k keys) staged(d screen.Digest) string  { return k.prefix + "listings:" + d.String() }
func (k keys) content(d screen.Digest) string { return k.prefix + "content:" + d.String() }
func (k keys) piece(d screen.Digest) string   { return k.pieces() + d.String() }

// pieces is what the keys of all pieces begin with.
func (k keys) pieces() string { return k.prefix + "piece:" }

// open makes a client. It does not connect.
func open(o Options) (*namespace, error) {
	quietDriver()
	name := cmp.Or(o.Namespace, DefaultNamespace)
	if err := checkName(name); err != nil {
		return nil, fmt.Errorf("namespace %w", err)
	}
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, fmt.Errorf("redis URL: %w", err)
	}
	trusted := o.Trusted
	if o.Signer != nil {
		trusted = trusted.With(o.Signer.Public())
	}
	return &namespace{c: t.client(), keys: keys{"walletscreen:{" + name + "}:"}, trust: trust{name: name, keys: trusted}}, nil
}

// checkName refuses what cannot be a part of a key.
func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	if len(name) < 1 || len(name) > 64 || strings.Trim(name, allowed) != "" {
		return fmt.Errorf("%q: want 1 to 64 letters, digits, dots, hyphens and underscores", name)
	}
	return nil
}

var driverLog sync.Once

// quietDriver keeps the driver from writing to standard error on its own.
func quietDriver() { driverLog.Do(func() { redis.SetLogger(driverLogger{}) }) }

type driverLogger struct{}

func (driverLogger) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, "redis driver", "message", fmt.Sprintf(format, v...))
}
