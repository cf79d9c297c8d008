package store

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
	"walletscreen/screen/address"
)

// A Publisher makes snapshots current. Several may work on one Redis at a time.
type Publisher struct {
	c    redis.UniversalClient
	keys keys

	// Builder is the version of the program, for the manifest.
	Builder string
	// Keep is how many snapshots are kept, the newest included; 0 means 30.
	Keep int
}

// NewPublisher returns a Publisher for the given Redis. It does not connect.
func NewPublisher(o Options) (*Publisher, error) {
	c, k, err := open(o)
	if err != nil {
		return nil, err
	}
	return &Publisher{c: c, keys: k}, nil
}

// Close ends the connections.
func (p *Publisher) Close() error { return p.c.Close() }

// Current returns the snapshot that is served, or an empty one with sequence 0
// when there is none.
func (p *Publisher) Current(ctx context.Context) (*screen.Snapshot, error) {
	s, _, err := current(ctx, p.c, p.keys, nil)
	if errors.Is(err, ErrNoSnapshot) {
		return screen.Empty(), nil
	}
	return s, err
}

// staging is how long content lives that no head names yet: long enough for the
// slowest publish, short enough that a dead publisher leaves nothing behind.
const staging = time.Hour

//go:embed commit.lua
var commitSource string
var commitScript = redis.NewScript(commitSource)

//go:embed retire.lua
var retireSource string
var retireScript = redis.NewScript(retireSource)

// Publish makes next current, the successor of previous, which must be what
// Current returned. verified says which lists of next were compared with their
// publishers, and when. It returns next with its sequence number, one more than
// that of previous.
//
// screen.ErrConflict means that the head is no longer previous, and that nothing
// changed. After any other error the head is what it was, or, when the
// connection broke at the worst moment and Redis cannot be asked, next.
func (p *Publisher) Publish(ctx context.Context, previous, next *screen.Snapshot, verified Verified) (*screen.Snapshot, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	next = next.Named(previous.Sequence+1, now)
	chunks, err := p.stage(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", next, err)
	}
	if err := p.commit(ctx, previous, next, chunks, verified); err != nil {
		if errors.Is(err, screen.ErrConflict) {
			return nil, err
		}
		// Was it done before the connection broke?
		ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if h, _, headErr := readHead(ask, p.c, p.keys); headErr != nil || !h.names(next) {
			return nil, fmt.Errorf("making %s current: %w", next, err)
		}
	}
	if err := p.retire(ctx); err != nil {
		return next, fmt.Errorf("%s is current, but retiring old snapshots failed: %w", next, err)
	}
	return next, nil
}

// stage writes the content of s under its digest and reads it back.
func (p *Publisher) stage(ctx context.Context, s *screen.Snapshot) (chunks int, err error) {
	content, digest := s.Encoding(), s.Digest()
	chunks = (len(content) + chunkSize - 1) / chunkSize
	for i, key := range p.keys.chunks(digest, chunks) {
		chunk := content[i*chunkSize : min((i+1)*chunkSize, len(content))]
		// A piece that is there already belongs to a snapshot that is kept, or to
		// another publisher of the same content. It must not be made to expire.
		if err := p.c.SetNX(ctx, key, chunk, staging).Err(); err != nil {
			return 0, fmt.Errorf("writing %s: %w", key, err)
		}
	}
	if _, err := readContent(ctx, p.c, p.keys, digest, len(content), chunks); err != nil {
		return 0, fmt.Errorf("reading back: %w", err)
	}
	return chunks, p.stageListings(ctx, s)
}

// stageListings writes the hash for people.
func (p *Publisher) stageListings(ctx context.Context, s *screen.Snapshot) error {
	byKey, err := listingsByKey(s)
	if err != nil {
		return err
	}
	staged := p.keys.staged(s.Digest())
	fields := make([]any, 0, 2000)
	write := func(pipe redis.Pipeliner) {
		if len(fields) > 0 {
			pipe.HSet(ctx, staged, fields...)
			fields = fields[:0]
		}
	}
	_, err = p.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Del(ctx, staged)
		for key, listings := range byKey {
			value, err := json.Marshal(listings)
			if err != nil {
				return err
			}
			if fields = append(fields, key, value); len(fields) == cap(fields) {
				write(pipe)
			}
		}
		write(pipe)
		pipe.Expire(ctx, staged, staging)
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", staged, err)
	}
	return nil
}

// shownListing is a listing as it stands in the hash for people.
type shownListing struct {
	List     screen.ListID `json:"list"`
	UID      string        `json:"uid"`
	Party    string        `json:"party"`
	Programs []string      `json:"programs,omitempty"`
	Address  string        `json:"address"`
	Symbol   string        `json:"symbol,omitempty"`
	Tag      string        `json:"tag,omitempty"`
	Listed   string        `json:"listed"`
	Delisted string        `json:"delisted,omitempty"`
}

// listingsByKey groups the listings of a snapshot by canonical key.
func listingsByKey(s *screen.Snapshot) (map[string][]shownListing, error) {
	byKey := make(map[string][]shownListing, len(s.Listings()))
	var parsed address.Parsed
	for i := range s.Listings() {
		l := &s.Listings()[i]
		facts := s.FactsAt(l, 0)
		from, until := s.Interval(l)
		shown := shownListing{
			List: s.ListOf(l).ID, UID: s.PartyOf(l).UID, Party: facts.Name, Programs: facts.Programs,
			Address: l.Text, Symbol: l.Symbol, Tag: l.Tag, Listed: from.String(), Delisted: until.String(),
		}
		address.Parse(l.Text, &parsed)
		readings := parsed.Readings()
		for i := range readings {
			key := readings[i].Key.String()
			byKey[key] = append(byKey[key], shown)
		}
		if len(readings) == 0 {
			byKey["text:"+l.Text] = append(byKey["text:"+l.Text], shown)
		}
	}
	return byKey, nil
}

func (p *Publisher) commit(ctx context.Context, previous, next *screen.Snapshot, chunks int, verified Verified) error {
	m := manifest{
		Schema: schema, Sequence: next.Sequence, Digest: next.Digest().String(), CreatedAt: next.CreatedAt, Builder: p.Builder,
		Size: len(next.Encoding()), Chunks: chunks, Listings: len(next.Listings()),
	}
	for i := range next.Lists() {
		l := &next.Lists()[i]
		m.Lists = append(m.Lists, manifestedList{l.ID, l.Current().PublishedOn.String(), l.Current().Digest.String(), l.Current().Rows})
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		return err
	}
	previousDigest := ""
	if previous.Sequence > 0 {
		previousDigest = previous.Digest().String()
	}
	keys := append([]string{
		p.keys.head(), p.keys.snapshots(), p.keys.verified(), p.keys.listings(), p.keys.staged(next.Digest()),
	}, p.keys.chunks(next.Digest(), chunks)...)
	args := []any{
		strconv.FormatUint(previous.Sequence, 10), previousDigest,
		strconv.Itoa(schema), strconv.FormatUint(next.Sequence, 10), next.Digest().String(), next.CreatedAt.Format(time.RFC3339Nano),
		encoded, p.keys.changed(),
	}
	fields, err := encodeVerifications(next, verified)
	if err != nil {
		return err
	}
	for id, value := range fields {
		args = append(args, id, value)
	}
	answer, err := commitScript.Run(ctx, p.c, keys, args...).Text()
	switch {
	case err != nil:
		return err
	case answer == "conflict":
		return fmt.Errorf("%w: %s is not current any more", screen.ErrConflict, previous)
	case answer != "ok":
		return fmt.Errorf("the commit script answered %q", answer)
	}
	return nil
}

// Verify records that lists of the current snapshot, which s must be, were
// compared with their publishers and had not changed.
func (p *Publisher) Verify(ctx context.Context, s *screen.Snapshot, verified Verified) error {
	fields, err := encodeVerifications(s, verified)
	if err != nil || len(fields) == 0 {
		return err
	}
	_, err = p.c.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, p.keys.verified(), fields)
		pipe.Publish(ctx, p.keys.changed(), "verified")
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", p.keys.verified(), err)
	}
	return nil
}

// retire drops snapshots beyond the number to keep.
func (p *Publisher) retire(ctx context.Context) error {
	keep := p.Keep
	if keep == 0 {
		keep = 30
	}
	return retireScript.Run(ctx, p.c, []string{p.keys.head(), p.keys.snapshots()}, keep, p.keys.prefix+"content:").Err()
}
