package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/pace"
	"walletscreen/screen/signing"
)

// A namespace is where the snapshots of one installation stand in Redis. It is
// safe for use by many goroutines.
type namespace struct {
	c     redis.UniversalClient
	keys  keys
	trust trust

	mu sync.Mutex
	// loaded is the snapshot that was loaded or published last, and pieces are those
	// of its content: what the next shares with it is not read again.
	loaded *screen.Snapshot
	pieces map[screen.Digest][]byte
}

// remember keeps a snapshot and its pieces for the next load.
func (n *namespace) remember(s *screen.Snapshot, pieces map[screen.Digest][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.loaded, n.pieces = s, pieces
}

// remembered returns the pieces of s.
func (n *namespace) remembered(s *screen.Snapshot) map[screen.Digest][]byte {
	if s == nil {
		return nil
	}
	n.mu.Lock()
	known, pieces := n.loaded, n.pieces
	n.mu.Unlock()
	if known == nil || known.Digest() != s.Digest() {
		pieces = spans(s.Encoding(), cut(s.Encoding()))
		n.remember(s, pieces)
	}
	return pieces
}

// last returns the snapshot that was loaded or published last, nil if none was.
func (n *namespace) last() *screen.Snapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.loaded
}

// A manifest describes one published snapshot. It is JSON for people to read;
// unknown fields are ignored so that later versions may add some.
type manifest struct {
	Schema    int       `json:"schema"`
	Sequence  uint64    `json:"sequence"`
	Digest    string    `json:"digest"`
	CreatedAt time.Time `json:"created_at"`
	Builder   string    `json:"builder"` // version of the program that published it
	Size      int       `json:"size"`    // bytes of content
	Pieces    int       `json:"pieces"`
	Listings  int       `json:"listings"` // past and present
	Accounts  int       `json:"accounts"` // fields of the hash for people
	// A rollback took back the snapshot RollbackOf, and has the content of RollbackTo.
	RollbackOf uint64           `json:"rollback_of,omitempty"`
	RollbackTo uint64           `json:"rollback_to,omitempty"`
	Lists      []manifestedList `json:"lists"`
	// The same as in the head while it is current; package signing has the form.
	Statement      string `json:"statement,omitempty"`
	Signature      []byte `json:"signature,omitempty"`
	SignatureKeyID string `json:"signature_key_id,omitempty"`
}

type manifestedList struct {
	ID          screen.ListID `json:"id"`
	PublishedOn string        `json:"published_on"`
	SHA256      string        `json:"sha256"`
	Rows        int           `json:"rows"`
	// VerifiedAt is when this publication was compared with its publisher as it came.
	VerifiedAt time.Time `json:"verified_at,omitzero"`
}

// list returns what the manifest says of a list, nil if nothing.
func (m *manifest) list(id screen.ListID) *manifestedList {
	for i := range m.Lists {
		if m.Lists[i].ID == id {
			return &m.Lists[i]
		}
	}
	return nil
}

// head is what the head key holds.
type head struct {
	sequence  uint64
	digest    screen.Digest
	createdAt time.Time
	signed    signing.Signed
}

// names reports whether s is the snapshot that the head names.
func (h head) names(s *screen.Snapshot) bool {
	return s != nil && s.Sequence == h.sequence && s.Digest() == h.digest && s.CreatedAt.Equal(h.createdAt)
}

// readHead returns the head and the verifications that stood beside it at the
// same moment: a publish changes both, and one without the other would make
// fresh lists look unverified. It returns ErrNoSnapshot when there is no head,
// with the verifications of that moment.
func (n *namespace) readHead(ctx context.Context) (head, map[string]string, error) {
	var before, verified, after *redis.MapStringStringCmd
	for after == nil || !maps.Equal(before.Val(), after.Val()) {
		// Not a transaction: a Redis that is out of memory refuses those, even of
		// reads. Two heads are never the same, so equal ones enclose one moment.
		_, err := n.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			before, verified, after = pipe.HGetAll(ctx, n.keys.head()), pipe.HGetAll(ctx, n.keys.verified()), pipe.HGetAll(ctx, n.keys.head())
			return nil
		})
		if err := cmp.Or(before.Err(), after.Err()); err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", n.keys.head(), err)
		}
		if err := verified.Err(); err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", n.keys.verified(), err)
		}
		// Each command has its own error, unless none was sent: a login that failed.
		if err != nil {
			return head{}, nil, fmt.Errorf("reading %s: %w", n.keys.head(), err)
		}
	}
	if len(before.Val()) == 0 {
		return head{}, verified.Val(), ErrNoSnapshot
	}
	h, err := parseHead(before.Val())
	if err != nil {
		return head{}, nil, refuse(fmt.Errorf("reading %s: %w", n.keys.head(), err))
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
	return fmt.Errorf("it names snapshot %d of %s after %d of %s: %w; the next load ends that, and so does walletscreen snapshot republish",
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
	h.signed = signedFields(fields)
	return h, nil
}

// parseManifest reads the manifest of the snapshot with the given sequence.
func parseManifest(value string, sequence uint64) (m manifest, err error) {
	if err := json.Unmarshal([]byte(value), &m); err != nil {
		return manifest{}, fmt.Errorf("manifest: %w", err)
	}
	switch {
	case m.Schema != schema:
		return manifest{}, fmt.Errorf("manifest of schema %d, this program reads %d", m.Schema, schema)
	case m.Sequence != sequence:
		return manifest{}, fmt.Errorf("manifest of snapshot %d", m.Sequence)
	case m.Size < 1 || int64(m.Size) > maxContent || m.Pieces < 1 || m.Pieces > m.Size/smallestPiece+1:
		return manifest{}, fmt.Errorf("manifest has %d bytes in %d pieces: not what this program reads", m.Size, m.Pieces)
	}
	if _, err := screen.ParseDigest(m.Digest); err != nil {
		return manifest{}, fmt.Errorf("manifest: %w", err)
	}
	return m, nil
}

// errMissing stands for the driver's error, which says "nil".
var errMissing = refuse(errors.New("it is not there"))

func orMissing(err error) error {
	if errors.Is(err, redis.Nil) {
		return errMissing
	}
	return err
}

// besides is what stood beside a head at the same moment.
type besides struct {
	signed        signing.Signed
	verifications map[string]string // as they are stored; only those that are trusted
	refused       error             // says what is not trusted of them
}

// current returns the current snapshot, which is have if that still is, and what
// stood beside its head. Beside ErrNoSnapshot is what stands there without one. A
// head that is behind after is refused with ErrOlder; nil is behind all. One that
// is not trusted is refused with signing.ErrUntrusted.
func (n *namespace) current(ctx context.Context, have, after *screen.Snapshot) (*screen.Snapshot, besides, error) {
	for attempt := 0; ; attempt++ {
		h, fields, err := n.readHead(ctx)
		found := besides{signed: h.signed}
		if err == nil || errors.Is(err, ErrNoSnapshot) {
			found.verifications, found.refused = n.trust.trustVerifications(fields)
		}
		if err != nil {
			return nil, found, err
		}
		err = n.trust.trustHead(h)
		if err == nil && h.names(have) {
			return have, found, nil
		}
		if err == nil {
			err = refuse(h.follows(after))
		}
		if err != nil {
			return nil, besides{}, fmt.Errorf("reading %s: %w", n.keys.head(), err)
		}
		s, err := n.load(ctx, h, have)
		if err == nil {
			return s, found, nil
		}
		// A publisher may have retired what a slow reader was loading.
		if attempt == 3 || !errors.Is(err, errMissing) {
			return nil, besides{}, err
		}
	}
}

// load reads and verifies the snapshot that a head names.
func (n *namespace) load(ctx context.Context, h head, have *screen.Snapshot) (*screen.Snapshot, error) {
	m, err := n.manifest(ctx, h.sequence)
	if err == nil && m.Digest != h.digest.String() {
		err = refuse(fmt.Errorf("reading %s, field %d: manifest has digest %.12q, the head %.12q", n.keys.snapshots(), h.sequence, m.Digest, h.digest))
	}
	if err != nil {
		return nil, err
	}
	s, err := n.readContent(ctx, &m, have)
	if err != nil {
		return nil, err
	}
	return s.Named(h.sequence, h.createdAt), nil
}

// manifest returns the manifest of a snapshot that is kept.
func (n *namespace) manifest(ctx context.Context, sequence uint64) (m manifest, err error) {
	value, err := n.c.HGet(ctx, n.keys.snapshots(), strconv.FormatUint(sequence, 10)).Result()
	if err == nil {
		m, err = parseManifest(value, sequence)
		err = refuse(err)
	}
	if err != nil {
		return manifest{}, fmt.Errorf("reading %s, field %d: %w", n.keys.snapshots(), sequence, orMissing(err))
	}
	return m, nil
}

// readContent joins the pieces of a content and verifies it. Pieces that have, or
// what was loaded last, shares with it are not read.
func (n *namespace) readContent(ctx context.Context, m *manifest, have *screen.Snapshot) (*screen.Snapshot, error) {
	d, err := screen.ParseDigest(m.Digest)
	if err != nil {
		return nil, err
	}
	key := n.keys.content(d)
	if have == nil {
		have = n.last()
	}
	if have != nil && have.Digest() == d {
		return have, nil
	}
	// No more is read of anything than it should have, and one byte.
	list, err := n.c.GetRange(ctx, key, 0, int64(m.Pieces*longestLine)).Bytes()
	if err == nil && len(list) == 0 {
		err = errMissing
	}
	var pieces []piece
	if err == nil {
		pieces, err = decodePieces(list, m.Pieces, m.Size)
		err = refuse(err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	known := n.remembered(have)
	content := make([]byte, m.Size)
	at := spans(content, pieces)
	var missing []object
	var pace pace.Pace
	for _, p := range pieces {
		pace.Look()
		if _, ok := at[p.digest]; !ok {
			continue // named twice, and dealt with
		}
		if here, ok := known[p.digest]; ok && len(here) == p.size {
			copy(at[p.digest], here)
		} else {
			missing = append(missing, object{n.keys.piece(p.digest), at[p.digest]})
		}
	}
	for batch := range batches(missing) {
		if err := n.fetch(ctx, batch); err != nil {
			return nil, err
		}
	}
	// A piece that stands in the content twice was read once, for its last place.
	rest := content
	for _, p := range pieces {
		pace.Look()
		copy(rest[:p.size], at[p.digest])
		rest = rest[p.size:]
	}
	// Each piece that was read has its digest, and those that were here had theirs.
	// Only that of the whole says that they are all, and in their order.
	s, err := screen.DecodeAfter(have, content, d)
	if err != nil {
		return nil, refuse(fmt.Errorf("reading %s: %w", key, err))
	}
	n.remember(s, at)
	return s, nil
}

// An object is a key that holds, or must hold, a value of bytes.
type object struct {
	key   string
	value []byte
}

// batches are so many objects at a time that Redis is not kept from others, and
// that no answer takes long.
func batches(objects []object) func(yield func([]object) bool) {
	const most, mostBytes = 256, 4 << 20
	return func(yield func([]object) bool) {
		for len(objects) > 0 {
			n, sum := 1, len(objects[0].value)
			for n < min(most, len(objects)) && sum+len(objects[n].value) <= mostBytes {
				sum += len(objects[n].value)
				n++
			}
			if !yield(objects[:n]) {
				return
			}
			objects = objects[n:]
		}
	}
}

// fetch reads one batch of pieces into the values of the objects. The piece must
// have the size of the value and the digest that its key names.
func (n *namespace) fetch(ctx context.Context, batch []object) error {
	answers, err := n.get(ctx, batch)
	if err != nil {
		return fmt.Errorf("reading %s: %w", batch[0].key, err)
	}
	for i, o := range batch {
		piece := answers[i].Val()
		sum := sha256.Sum256([]byte(piece))
		switch err := answers[i].Err(); {
		case err != nil:
			return fmt.Errorf("reading %s: %w", o.key, err)
		case piece == "":
			return fmt.Errorf("reading %s: %w", o.key, errMissing)
		case len(piece) != len(o.value):
			return refuse(fmt.Errorf("reading %s: it has %s, want %d bytes", o.key, sizeOf(len(piece), len(o.value)), len(o.value)))
		case n.keys.piece(sum) != o.key:
			return fmt.Errorf("reading %s: %w", o.key, errPiece)
		}
		copy(o.value, piece)
	}
	return nil
}

// sizeOf tells the size of what was read up to one byte more than wanted.
func sizeOf(size, want int) string {
	if size > want {
		return "more"
	}
	return fmt.Sprintf("%d bytes", size)
}

// get reads the values of objects, of each one byte more than its value has:
// MGET would return however much somebody put there. also adds commands.
func (n *namespace) get(ctx context.Context, batch []object, also ...func(redis.Pipeliner, string)) ([]*redis.StringCmd, error) {
	answers := make([]*redis.StringCmd, len(batch))
	_, err := n.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, o := range batch {
			answers[i] = pipe.GetRange(ctx, o.key, 0, int64(len(o.value)))
			for _, add := range also {
				add(pipe, o.key)
			}
		}
		return nil
	})
	return answers, sent(err, answers...)
}

// sent returns the error of a pipeline of which no command was sent, as when a
// login fails. All other errors are those of commands.
func sent[C redis.Cmder](err error, commands ...C) error {
	for _, c := range commands {
		if c.Err() != nil {
			return nil
		}
	}
	return err
}
