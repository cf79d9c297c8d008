package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
)

// DefaultNamespace is the namespace when none is configured.
const DefaultNamespace = "default"

// ErrNoSnapshot says that Redis holds no snapshot: none was published yet, or it
// was flushed.
var ErrNoSnapshot = errors.New("no snapshot in Redis")

// schema is the number of the layout of keys and manifests.
const schema = 1

// chunkSize is the size of the pieces that content is written in, in bytes: one
// command neither blocks Redis nor fills its buffers.
const chunkSize = 4 << 20

// maxContent is the largest content that is loaded, in bytes: room for millions
// of listings, and no more memory than that for a manifest that lies.
const maxContent = 1 << 30

// Options say which Redis to talk to.
type Options struct {
	// URL is where Redis is; the package comment has the forms.
	URL string
	// Namespace keeps installations in one Redis apart: 1 to 64 letters, digits,
	// dots, hyphens and underscores. "" is DefaultNamespace.
	Namespace string
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

func (k keys) claim(name string) string { return k.prefix + "claim:" + name }

func (k keys) staged(d screen.Digest) string { return k.prefix + "listings:" + d.String() }
func (k keys) content(d screen.Digest) string {
	return k.prefix + "content:" + d.String() + ":"
}

func (k keys) chunks(d screen.Digest, n int) []string {
	chunks := make([]string, n)
	for i := range chunks {
		chunks[i] = k.content(d) + strconv.Itoa(i)
	}
	return chunks
}

// open makes a client. It does not connect.
func open(o Options) (redis.UniversalClient, keys, error) {
	quietDriver()
	namespace := o.Namespace
	if namespace == "" {
		namespace = DefaultNamespace
	}
	if err := checkName(namespace); err != nil {
		return nil, keys{}, fmt.Errorf("namespace %w", err)
	}
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, keys{}, fmt.Errorf("redis URL: %w", err)
	}
	k := keys{"walletscreen:{" + namespace + "}:"}
	return t.client(), k, nil
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

// A manifest describes one published snapshot. It is JSON for people to read;
// unknown fields are ignored so that later versions may add some.
type manifest struct {
	Schema    int              `json:"schema"`
	Sequence  uint64           `json:"sequence"`
	Digest    string           `json:"digest"`
	CreatedAt time.Time        `json:"created_at"`
	Builder   string           `json:"builder"` // version of the program that published it
	Size      int              `json:"size"`    // bytes of content
	Chunks    int              `json:"chunks"`
	Listings  int              `json:"listings"` // past and present
	Lists     []manifestedList `json:"lists"`
}

type manifestedList struct {
	ID          screen.ListID `json:"id"`
	PublishedOn string        `json:"published_on"`
	SHA256      string        `json:"sha256"`
	Rows        int           `json:"rows"`
}

// head is what the head key holds.
type head struct {
	sequence  uint64
	digest    screen.Digest
	createdAt time.Time
}

// names reports whether s is the snapshot that the head names.
func (h head) names(s *screen.Snapshot) bool {
	return s != nil && s.Sequence == h.sequence && s.Digest() == h.digest && s.CreatedAt.Equal(h.createdAt)
}

// readHead returns the head and the verifications that stood beside it at the
// same moment: a publish changes both, and one without the other would make
// fresh lists look unverified. It returns ErrNoSnapshot when there is no head,
// with the verifications of that moment.
func readHead(ctx context.Context, c redis.UniversalClient, k keys) (head, map[string]string, error) {
	var before, verified, after *redis.MapStringStringCmd
	for after == nil || !maps.Equal(before.Val(), after.Val()) {
		// Not a transaction: a Redis that is out of memory refuses those, even of
		// reads. Two heads are never the same, so equal ones enclose one moment.
		_, err := c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			before, verified, after = pipe.HGetAll(ctx, k.head()), pipe.HGetAll(ctx, k.verified()), pipe.HGetAll(ctx, k.head())
			return nil
		})
		if err := cmp.Or(before.Err(), after.Err()); err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", k.head(), err)
		}
		if err := verified.Err(); err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", k.verified(), err)
		}
		// Each command has its own error, unless none was sent: a login that failed.
		if err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", k.head(), err)
		}
	}
	if len(before.Val()) == 0 {
		return head{}, verified.Val(), ErrNoSnapshot
	}
	h, err := parseHead(before.Val())
	if err != nil {
		return head{}, nil, fmt.Errorf("reading %s: %w", k.head(), err)
	}
	return h, verified.Val(), nil
}

// ErrOlder says that Redis holds an older snapshot than one that was read before.
var ErrOlder = errors.New("it is older than what was read before")

// follows refuses a head that is behind a snapshot: a replica became the master
// before it had all, or data were put back from a backup. A rollback is no such
// head but a new one, and so is the first after a flush, whose number is lower and
// whose time is later.
func (h head) follows(have *screen.Snapshot) error {
	if have == nil || h.sequence > have.Sequence || h.createdAt.After(have.CreatedAt) {
		return nil
	}
	return fmt.Errorf("it names snapshot %d of %s after %d of %s: %w; load the lists again, or roll back to it to have it served",
		h.sequence, h.createdAt.Format(time.RFC3339), have.Sequence, have.CreatedAt.Format(time.RFC3339), ErrOlder)
}

func parseHead(fields map[string]string) (h head, err error) {
	if fields["schema"] != strconv.Itoa(schema) {
		return head{}, fmt.Errorf("it has schema %q, this program reads %d", fields["schema"], schema)
	}
	if h.sequence, err = strconv.ParseUint(fields["sequence"], 10, 64); err != nil || h.sequence == 0 {
		return head{}, fmt.Errorf("it has sequence %q", fields["sequence"])
	}
	if h.digest, err = screen.ParseDigest(fields["digest"]); err != nil {
		return head{}, err
	}
	if h.createdAt, err = time.Parse(time.RFC3339Nano, fields["created_at"]); err != nil {
		return head{}, fmt.Errorf("created_at: %w", err)
	}
	return h, nil
}

// parseManifest reads the manifest of the snapshot that a head names.
func parseManifest(value string, h head) (m manifest, err error) {
	if err := json.Unmarshal([]byte(value), &m); err != nil {
		return manifest{}, fmt.Errorf("manifest: %w", err)
	}
	switch {
	case m.Schema != schema:
		return manifest{}, fmt.Errorf("manifest of schema %d, this program reads %d", m.Schema, schema)
	case m.Sequence != h.sequence:
		return manifest{}, fmt.Errorf("manifest of snapshot %d", m.Sequence)
	case m.Digest != h.digest.String():
		return manifest{}, fmt.Errorf("manifest has digest %.12q, the head %.12q", m.Digest, h.digest)
	case m.Size < 0 || m.Size > maxContent || m.Chunks != (m.Size+chunkSize-1)/chunkSize:
		return manifest{}, fmt.Errorf("manifest has %d bytes in %d pieces: not what this program reads", m.Size, m.Chunks)
	}
	return m, nil
}

// errMissing stands for the driver's error, which says "nil".
var errMissing = errors.New("it is not there")

func orMissing(err error) error {
	if errors.Is(err, redis.Nil) {
		return errMissing
	}
	return err
}

// current returns the current snapshot, which is have if that still is, and the
// verifications, encoded, that stood beside its head. Beside ErrNoSnapshot are
// those that stand there without one.
func current(ctx context.Context, c redis.UniversalClient, k keys, have *screen.Snapshot) (*screen.Snapshot, map[string]string, error) {
	for attempt := 0; ; attempt++ {
		h, verified, err := readHead(ctx, c, k)
		if err != nil {
			return nil, verified, err
		}
		if h.names(have) {
			return have, verified, nil
		}
		if err := h.follows(have); err != nil {
			return nil, nil, fmt.Errorf("reading %s: %w", k.head(), err)
		}
		s, err := load(ctx, c, k, h)
		if err == nil {
			return s, verified, nil
		}
		// A publisher may have retired what a slow reader was loading.
		if attempt == 3 || !errors.Is(err, errMissing) {
			return nil, nil, err
		}
	}
}

// load reads and verifies the snapshot that a head names.
func load(ctx context.Context, c redis.UniversalClient, k keys, h head) (*screen.Snapshot, error) {
	value, err := c.HGet(ctx, k.snapshots(), strconv.FormatUint(h.sequence, 10)).Result()
	var m manifest
	if err == nil {
		m, err = parseManifest(value, h)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s, field %d: %w", k.snapshots(), h.sequence, orMissing(err))
	}
	s, err := readContent(ctx, c, k, h.digest, m.Size, m.Chunks)
	if err != nil {
		return nil, err
	}
	return s.Named(h.sequence, h.createdAt), nil
}

// readContent joins the pieces of a content and verifies it.
func readContent(ctx context.Context, c redis.UniversalClient, k keys, d screen.Digest, size, chunks int) (*screen.Snapshot, error) {
	content := make([]byte, 0, size)
	for _, key := range k.chunks(d, chunks) {
		chunk, err := c.Get(ctx, key).Bytes()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", key, orMissing(err))
		}
		if want := min(chunkSize, size-len(content)); len(chunk) != want {
			return nil, fmt.Errorf("reading %s: it has %d bytes, want %d", key, len(chunk), want)
		}
		content = append(content, chunk...)
	}
	s, err := screen.DecodeVerified(content, d)
	if err != nil {
		return nil, fmt.Errorf("reading %s*: %w", k.content(d), err)
	}
	return s, nil
}
