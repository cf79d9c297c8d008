package store

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// A Publisher makes snapshots current. Several may work on one Redis at a time.
type Publisher struct {
	*namespace

	// Builder is the version of the program, for the manifest.
	Builder string
	// Keep is how many snapshots are kept, the newest included; 0 means 30. Those
	// that are pinned are kept besides.
	Keep int
	// Release reports whether publications of a list that a rollback took back may be
	// published again; nil lets none through. Every Publish that has one asks, from
	// its own goroutine.
	Release func(screen.ListID) bool

	signer     *signing.Key
	dropAtOnce int // how many pieces one command drops; 0 means a thousand
}

// NewPublisher returns a Publisher for the given Redis. It does not connect.
func NewPublisher(o Options) (*Publisher, error) {
	n, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Publisher{namespace: n, signer: o.Signer}, nil
}

// Close ends the connections.
func (p *Publisher) Close() error { return p.c.Close() }

// Trusted returns the keys that are trusted, its own with them.
func (p *Publisher) Trusted() signing.Keys { return p.trust.keys }

// Current returns the snapshot that is served, or an empty one with sequence 0
// when there is none, and the verifications that stood beside it at that moment.
// A verification that cannot be read is left out: whoever compares the list anew
// overwrites it; so is one that is not signed, if keys are given.
//
// signing.ErrUntrusted says that the snapshot is not signed by any of those keys. What
// would be published after it would hold its history, signed: Sign is for an
// operator who knows it to be right, Rollback for one who does not.
func (p *Publisher) Current(ctx context.Context) (*screen.Snapshot, Verified, error) {
	state, err := p.State(ctx)
	if err != nil {
		return nil, nil, err
	}
	return state.Snapshot, state.Verified, nil
}

// State is Current with all that a Cache keeps.
func (p *Publisher) State(ctx context.Context) (*State, error) {
	// A loader goes on from an older head, too: its next snapshot ends that.
	s, found, err := p.current(ctx, p.last(), nil)
	if errors.Is(err, ErrNoSnapshot) {
		s, err = screen.Empty(), nil
	}
	if err != nil {
		return nil, builtUpon(err)
	}
	verified, _ := decodeVerifications(s, found.verifications)
	return &State{Snapshot: s, Verified: verified, Signed: found.signed, stored: found.verifications}, nil
}

// builtUpon says of what is not trusted that nothing is built upon it.
func builtUpon(err error) error {
	if !errors.Is(err, signing.ErrUntrusted) {
		return err
	}
	return fmt.Errorf("%w; nothing is built upon it: sign it if you know it to be right (walletscreen snapshot sign), or go back to one that is signed (walletscreen snapshot rollback)", err)
}

// staging is how long content lives that no head names yet: long enough for the
// slowest publish, short enough that a dead publisher leaves nothing behind.
const staging = time.Hour

//go:embed commit.lua
var commitSource string
var commitScript = redis.NewScript(commitSource)

//go:embed verify.lua
var verifySource string
var verifyScript = redis.NewScript(verifySource)

// changesKept is how many entries the change stream keeps at least.
const changesKept = 1000

// ErrRolledBack says that a snapshot holds a publication that an operator took back.
var ErrRolledBack = errors.New("an operator rolled the publication back")

// Publish makes next current, the successor of previous, which must be what
// Current returned. verified replaces what is known of each list that it names: a
// publication that was held and is not in it any more is held no longer. It
// returns next with its sequence number, one more than that of previous.
//
// screen.ErrConflict means that the head is no longer previous, and that nothing
// changed; ErrRolledBack that next has a publication that a rollback took back: see
// TakenBack. After any other error the head is what it was, or, when the
// connection broke at the worst moment and Redis cannot be asked, next; asking
// may take three seconds more than ctx has. An error together with a snapshot
// says that it was published and that retiring old ones failed.
func (p *Publisher) Publish(ctx context.Context, previous, next *screen.Snapshot, verified Verified) (*screen.Snapshot, error) {
	c, err := p.succession(ctx, previous, next, verified)
	if err != nil {
		return nil, err
	}
	return p.publish(ctx, c)
}

// succession is the commit of a successor.
func (p *Publisher) succession(ctx context.Context, previous, next *screen.Snapshot, verified Verified) (*commit, error) {
	fields, err := encodeVerifications(next, verified)
	if err != nil {
		return nil, err
	}
	c := &commit{expected: head{sequence: previous.Sequence, digest: previous.Digest()}, before: previous, verified: fields}
	c.next = next.Named(previous.Sequence+1, timeAfter(previous.CreatedAt))
	if c.released, err = p.rolledBack(ctx, c); err != nil {
		return nil, err
	}
	c.manifest = p.describe(c.next)
	for i := range c.manifest.Lists {
		l := &c.manifest.Lists[i]
		if v, ok := verified[l.ID]; ok {
			l.VerifiedAt = v.At.UTC()
		} else if was := c.was.list(l.ID); was != nil && was.SHA256 == l.SHA256 {
			l.VerifiedAt = was.VerifiedAt
		}
	}
	p.prepare(c)
	return c, nil
}

// timeAfter is the time of a snapshot that comes after others: now, or right after
// theirs, which a clock that was ahead may have given them. Who refuses an older head
// knows it by its number and its time, so both must grow.
func timeAfter(others ...time.Time) time.Time {
	now := time.Now().Truncate(time.Millisecond) // as snapshots have it
	for _, other := range others {
		if !now.After(other) {
			now = other.Add(time.Millisecond)
		}
	}
	return now
}

// prepare finds what is to be staged, and signs.
func (p *Publisher) prepare(c *commit) {
	c.pieces = cut(c.next.Encoding())
	c.manifest.Pieces = len(c.pieces)
	c.listings, c.manifest.Accounts = patchListings(c)
	c.changed = c.changes()
	p.sign(c)
}

// rolledBack reads the manifest of the predecessor, and refuses publications that
// were rolled back; it returns those that are released.
func (p *Publisher) rolledBack(ctx context.Context, c *commit) (released []string, err error) {
	var value *redis.StringCmd
	var taken *redis.MapStringStringCmd
	_, err = p.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		value = pipe.HGet(ctx, p.keys.snapshots(), strconv.FormatUint(c.expected.sequence, 10))
		taken = pipe.HGetAll(ctx, p.keys.rolledBack())
		return nil
	})
	if err := cmp.Or(taken.Err(), sent[redis.Cmder](err, value, taken)); err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.keys.rolledBack(), err)
	}
	// Without it, all that is known anew is written anew. If there is no such
	// snapshot any more the commit says so.
	if m, err := parseManifest(value.Val(), c.expected.sequence); err == nil {
		c.was = m
	}
	for _, back := range takenBack(taken.Val(), c.before, c.next) {
		if p.Release == nil || !p.Release(back.List) {
			return nil, fmt.Errorf("list %s: %w: that of %s (%.12s), with snapshot %d: release it if it is right",
				back.List, ErrRolledBack, back.Publication.PublishedOn, back.Publication.Digest, back.Snapshot)
		}
		released = append(released, back.Publication.Digest.String())
	}
	return released, nil
}

// TakenBack returns the publications of next that a rollback took back: those that
// previous does not have, or not so many times, in whatever place of their list, and the
// newest of a list that both have, if they do not say the same of the list: it was read
// otherwise then. Publish refuses them unless they are released.
func (p *Publisher) TakenBack(ctx context.Context, previous, next *screen.Snapshot) ([]screen.TakenBack, error) {
	taken, err := p.c.HGetAll(ctx, p.keys.rolledBack()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.keys.rolledBack(), err)
	}
	return takenBack(taken, previous, next), nil
}

// takenBack is TakenBack for what the key rolled_back holds.
func takenBack(taken map[string]string, previous, next *screen.Snapshot) []screen.TakenBack {
	if len(taken) == 0 {
		return nil
	}
	differs := sync.OnceValue(func() map[screen.ListID]bool {
		lists := map[screen.ListID]bool{}
		for _, changes := range previous.Diff(next) {
			lists[changes.List] = true
		}
		return lists
	})
	var all []screen.TakenBack
	for i := range next.Lists() {
		l := &next.Lists()[i]
		was := previous.List(l.ID)
		// A publisher may come back to a document, and have that taken back: how often the
		// history has each already.
		times := map[screen.Digest]int{}
		if was != nil {
			for i := range was.Publications {
				times[was.Publications[i].Digest]++
			}
		}
		for n, publication := range l.Publications {
			known := times[publication.Digest] > 0
			times[publication.Digest]--
			text, ok := taken[publication.Digest.String()]
			if !ok {
				continue
			}
			again := known && n == len(l.Publications)-1 && was.Current().Digest == publication.Digest && differs()[l.ID]
			if !known || again {
				sequence, _ := strconv.ParseUint(text, 10, 64) // taken back, whatever somebody wrote there
				all = append(all, screen.TakenBack{List: l.ID, Publication: publication, Snapshot: sequence})
			}
		}
	}
	return all
}

// describe makes the manifest of a snapshot, but for what other snapshots tell.
func (p *Publisher) describe(s *screen.Snapshot) manifest {
	m := manifest{
		Schema: schema, Sequence: s.Sequence, Digest: s.Digest().String(), CreatedAt: s.CreatedAt, Builder: p.Builder,
		Size: len(s.Encoding()), Listings: len(s.Listings()),
	}
	for i := range s.Lists() {
		l := &s.Lists()[i]
		m.Lists = append(m.Lists, manifestedList{
			ID: l.ID, PublishedOn: l.Current().PublishedOn.String(), SHA256: l.Current().Digest.String(), Rows: l.Current().Rows,
		})
	}
	return m
}

// A commit is all that changes with the head.
type commit struct {
	expected   head              // what the head must be; its sequence is 0 for none
	before     *screen.Snapshot  // the content of that; nil if it cannot be read
	was        manifest          // the manifest of that; its sequence is 0 if it cannot be read
	next       *screen.Snapshot  // named
	manifest   manifest          // of next
	verified   map[string]string // encoded, and signed when it is prepared
	rolledBack map[string]string // digests of publications that are taken back -> sequence
	released   []string          // digests of publications that are taken back no longer

	pieces   []piece
	listings *listingsPatch // nil: the staged ones are put in place of all
	changed  string         // for the stream
}

// publish stages and commits.
func (p *Publisher) publish(ctx context.Context, c *commit) (*screen.Snapshot, error) {
	for attempt := 0; ; attempt++ {
		err := p.stage(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("writing %s: %w", c.next, err)
		}
		if err = p.commit(ctx, c); err == nil {
			break
		}
		var again *againError
		switch {
		case errors.Is(err, errListings):
			c.listings = nil
			c.manifest.Accounts = len(listingsByKey(c.next, nil))
			continue
		case errors.As(err, &again) && attempt < 3:
			// Another publisher may have retired what was found there.
			continue
		case errors.Is(err, screen.ErrConflict):
			return nil, err
		}
		// Was it done before the connection broke?
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		h, _, headErr := p.readHead(ask)
		cancel()
		if headErr != nil || !h.names(c.next) {
			return nil, fmt.Errorf("making %s current: %w", c.next, err)
		}
		break
	}
	p.remember(c.next, spans(c.next.Encoding(), c.pieces))
	if err := p.retire(ctx); err != nil {
		return c.next, fmt.Errorf("%s is current, but retiring old snapshots failed: %w", c.next, err)
	}
	return c.next, nil
}

// stage writes the content of a snapshot, and reads all of it back.
func (p *Publisher) stage(ctx context.Context, c *commit) error {
	content := c.next.Encoding()
	objects := make([]object, 0, len(c.pieces)+1)
	for _, piece := range c.pieces {
		objects = append(objects, object{p.keys.piece(piece.digest), content[:piece.size]})
		content = content[piece.size:]
	}
	objects = append(objects, object{p.keys.content(c.next.Digest()), encodePieces(c.pieces)})
	for batch := range batches(objects) {
		if err := p.put(ctx, batch); err != nil {
			return err
		}
	}
	if c.listings != nil {
		return nil
	}
	return p.stageListings(ctx, c.next)
}

// put sees to it that objects are there, and stay for as long as staging takes.
func (p *Publisher) put(ctx context.Context, batch []object) error {
	missing, err := p.missing(ctx, batch)
	// What is not there is written, and expires unless it is committed. What is
	// there and wrong was spoiled: it is overwritten, and lives as long as it did,
	// as a snapshot that is kept may name it. A write that only one of both may
	// do cannot end the life of what another publisher commits meanwhile.
	for _, set := range []redis.SetArgs{{Mode: "NX", TTL: staging}, {Mode: "XX", KeepTTL: true}} {
		if err != nil || len(missing) == 0 {
			return err
		}
		written := make([]*redis.StatusCmd, len(missing))
		_, err := p.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, o := range missing {
				written[i] = pipe.SetArgs(ctx, o.key, o.value, set)
			}
			return nil
		})
		for i, o := range missing {
			if err := written[i].Err(); err != nil && !errors.Is(err, redis.Nil) {
				return fmt.Errorf("writing %s: %w", o.key, err)
			}
		}
		if err := sent(err, written...); err != nil {
			return fmt.Errorf("writing %s: %w", missing[0].key, err)
		}
		if missing, err = p.missing(ctx, missing); err != nil {
			return fmt.Errorf("reading back: %w", err)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("reading back: %s is not what was written there", missing[0].key)
	}
	return nil
}

// missing returns the objects that are not there as they must be, and sees to it
// that the others do not expire before the commit: what a publisher of the same
// content left that died may have little time left.
func (p *Publisher) missing(ctx context.Context, batch []object) ([]object, error) {
	answers, err := p.get(ctx, batch, func(pipe redis.Pipeliner, key string) { pipe.ExpireXX(ctx, key, staging) })
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", batch[0].key, err)
	}
	var missing []object
	for i, o := range batch {
		if err := answers[i].Err(); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
			return nil, fmt.Errorf("reading %s: %w", o.key, err)
		}
		if answers[i].Val() != string(o.value) {
			missing = append(missing, o)
		}
	}
	return missing, nil
}

// commit makes what was staged current.
func (p *Publisher) commit(ctx context.Context, c *commit) error {
	encoded, err := json.Marshal(c.manifest)
	if err != nil {
		return err
	}
	digest := c.next.Digest()
	keys := []string{
		p.keys.head(), p.keys.snapshots(), p.keys.verified(), p.keys.listings(), p.keys.staged(digest),
		p.keys.content(digest), p.keys.retired(), p.keys.rolledBack(), p.keys.changes(),
	}
	before, patch := "", &listingsPatch{}
	if c.listings != nil {
		before, patch = strconv.Itoa(c.was.Accounts), c.listings
	}
	args := append(expect(c.expected),
		strconv.Itoa(schema), strconv.FormatUint(c.next.Sequence, 10), digest.String(), c.next.CreatedAt.Format(time.RFC3339Nano),
		encoded, c.changed, changesKept, p.keys.changed(), p.keys.pieces(), before, c.manifest.Accounts,
		c.manifest.Statement, base64.StdEncoding.EncodeToString(c.manifest.Signature), c.manifest.SignatureKeyID)
	pairs := func(fields map[string]string) {
		args = append(args, len(fields))
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			args = append(args, name, fields[name])
		}
	}
	pairs(c.verified)
	pairs(patch.set)
	args = append(args, len(patch.drop))
	for _, account := range patch.drop {
		args = append(args, account)
	}
	pairs(c.rolledBack)
	for _, digest := range c.released {
		args = append(args, digest)
	}
	return p.run(ctx, commitScript, c.expected, keys, args)
}

// changes tells for the stream what a commit changes, as JSON.
func (c *commit) changes() string {
	type list struct {
		ID       screen.ListID `json:"id"`
		Listed   int           `json:"listed"`
		Delisted int           `json:"delisted"`
		Amended  int           `json:"amended"`
	}
	told := struct {
		RollbackOf uint64 `json:"rollback_of,omitempty"`
		RollbackTo uint64 `json:"rollback_to,omitempty"`
		Lists      []list `json:"lists,omitempty"`
	}{RollbackOf: c.manifest.RollbackOf, RollbackTo: c.manifest.RollbackTo}
	if c.before != nil {
		for _, d := range c.before.Diff(c.next) {
			told.Lists = append(told.Lists, list{d.List, len(d.Listed), len(d.Delisted), len(d.Amended)})
		}
	}
	encoded, _ := json.Marshal(told) // numbers and ids
	return string(encoded)
}

// expect returns what the head must be for a script.
func expect(h head) []any {
	if h.sequence == 0 {
		return []any{"0", ""}
	}
	return []any{strconv.FormatUint(h.sequence, 10), h.digest.String()}
}

// errListings says that the hash for people is not that of the predecessor.
var errListings = errors.New("the listings are not those of the snapshot before")

// An againError says that what was staged is not there any more.
type againError struct{ why string }

func (e *againError) Error() string { return e.why }

// run runs a script that does what it should, or changes nothing and says why.
func (p *Publisher) run(ctx context.Context, script *redis.Script, expected head, keys []string, args []any) error {
	answer, err := script.Run(ctx, p.c, keys, args...).Text()
	switch {
	case err != nil:
		return err
	case answer == "conflict":
		return fmt.Errorf("%w: snapshot %d (%.12s) is not current any more", screen.ErrConflict, expected.sequence, expected.digest)
	case answer == "listings":
		return errListings
	case strings.HasPrefix(answer, "again: "):
		return &againError{strings.TrimPrefix(answer, "again: ")}
	case answer != "ok":
		return errors.New(answer)
	}
	return nil
}

// Verify replaces what is known of each list that verified names, while s is
// current: that it was compared with its publisher and had not changed, or that a
// publication of it is held, with At and Source as Current returned them. Of a
// list that s does not hold only that a publication of it is held can be
// recorded, even when there is no snapshot at all (s is empty and has sequence 0):
// readers see it with the first one.
//
// screen.ErrConflict means that s is not current any more, and that nothing was
// recorded.
func (p *Publisher) Verify(ctx context.Context, s *screen.Snapshot, verified Verified) error {
	fields, err := encodeVerifications(s, verified)
	if err != nil || len(fields) == 0 {
		return err
	}
	expected := head{sequence: s.Sequence, digest: s.Digest()}
	args := append(expect(expected), p.keys.changed())
	for id, value := range p.signVerifications(fields) {
		args = append(args, id, value)
	}
	if err := p.run(ctx, verifyScript, expected, []string{p.keys.head(), p.keys.verified()}, args); err != nil {
		return fmt.Errorf("writing %s: %w", p.keys.verified(), err)
	}
	return nil
}
