package store

import (
	"bytes"
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
// when there is none, and the verifications that stood beside it at that moment.
// A verification that cannot be read is left out: whoever compares the list anew
// overwrites it.
func (p *Publisher) Current(ctx context.Context) (*screen.Snapshot, Verified, error) {
	s, fields, err := current(ctx, p.c, p.keys, nil)
	if errors.Is(err, ErrNoSnapshot) {
		s, err = screen.Empty(), nil
	}
	if err != nil {
		return nil, nil, err
	}
	verified, _ := decodeVerifications(s, fields)
	return s, verified, nil
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

//go:embed retire.lua
var retireSource string
var retireScript = redis.NewScript(retireSource)

// Publish makes next current, the successor of previous, which must be what
// Current returned. verified replaces what is known of each list that it names: a
// publication that was held and is not in it any more is held no longer. It
// returns next with its sequence number, one more than that of previous.
//
// screen.ErrConflict means that the head is no longer previous, and that nothing
// changed. After any other error the head is what it was, or, when the
// connection broke at the worst moment and Redis cannot be asked, next; asking
// may take three seconds more than ctx has. An error together with a snapshot
// says that it was published and that retiring old ones failed.
func (p *Publisher) Publish(ctx context.Context, previous, next *screen.Snapshot, verified Verified) (*screen.Snapshot, error) {
	now := time.Now().UTC().Truncate(time.Millisecond)
	next = next.Named(previous.Sequence+1, now)
	staged, err := p.stage(ctx, next)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", next, err)
	}
	if err := p.commit(ctx, previous, next, staged, verified); err != nil {
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

// staged is what stage wrote.
type staged struct {
	chunks   int // pieces of the content
	accounts int // fields of the hash for people
}

// stage writes the content of s under its digest and reads it back.
func (p *Publisher) stage(ctx context.Context, s *screen.Snapshot) (staged, error) {
	content, digest := s.Encoding(), s.Digest()
	chunks := (len(content) + chunkSize - 1) / chunkSize
	for i, key := range p.keys.chunks(digest, chunks) {
		chunk := content[i*chunkSize : min((i+1)*chunkSize, len(content))]
		_, err := p.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			// A piece that is there already belongs to a snapshot that is kept, and
			// must not be made to expire, or to a publisher of the same content that
			// may have died an hour ago, and must not expire before the commit.
			pipe.SetNX(ctx, key, chunk, staging)
			pipe.ExpireXX(ctx, key, staging)
			return nil
		})
		if err != nil {
			return staged{}, fmt.Errorf("writing %s: %w", key, err)
		}
	}
	if _, err := readContent(ctx, p.c, p.keys, digest, len(content), chunks); err != nil {
		return staged{}, fmt.Errorf("reading back: %w", err)
	}
	accounts, err := p.stageListings(ctx, s)
	return staged{chunks, accounts}, err
}

// stageListings writes the hash for people and returns how many fields it has.
// It is one transaction: half a hash would be a wrong answer, and one without an
// end to its life would stay.
func (p *Publisher) stageListings(ctx context.Context, s *screen.Snapshot) (int, error) {
	byKey := listingsByKey(s)
	key := p.keys.staged(s.Digest())
	fields := make([]any, 0, 2000)
	_, err := p.c.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		write := func() {
			if len(fields) > 0 {
				pipe.HSet(ctx, key, fields...)
				fields = fields[:0]
			}
		}
		pipe.Del(ctx, key)
		for account, listings := range byKey {
			value, err := encodeShown(listings)
			if err != nil {
				return err
			}
			if fields = append(fields, account, value); len(fields) == cap(fields) {
				write()
			}
		}
		write()
		pipe.Expire(ctx, key, staging)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", key, err)
	}
	return len(byKey), nil
}

// shownListing is a listing as it stands in the hash for people.
type shownListing struct {
	List     screen.ListID `json:"list"`
	Kind     string        `json:"kind"`
	UID      string        `json:"uid"`
	Party    string        `json:"party"`
	Programs []string      `json:"programs,omitempty"`
	Address  string        `json:"address"`
	Symbol   string        `json:"symbol,omitempty"`
	Tag      string        `json:"tag,omitempty"`
	Listed   string        `json:"listed"`
	Delisted string        `json:"delisted,omitempty"`
}

// encodeShown encodes listings of one account as JSON, letting "&" stand as it is.
func encodeShown(listings []shownListing) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(listings)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// listingsByKey groups the listings of a snapshot by canonical key.
func listingsByKey(s *screen.Snapshot) map[string][]shownListing {
	byKey := make(map[string][]shownListing, len(s.Listings()))
	var parsed address.Parsed
	for i := range s.Listings() {
		l := &s.Listings()[i]
		facts := s.FactsAt(l, 0)
		from, until := s.Interval(l)
		shown := shownListing{
			List: s.ListOf(l).ID, Kind: s.KindOf(l).String(), UID: s.PartyOf(l).UID, Party: facts.Name, Programs: facts.Programs,
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
	return byKey
}

func (p *Publisher) commit(ctx context.Context, previous, next *screen.Snapshot, staged staged, verified Verified) error {
	m := manifest{
		Schema: schema, Sequence: next.Sequence, Digest: next.Digest().String(), CreatedAt: next.CreatedAt, Builder: p.Builder,
		Size: len(next.Encoding()), Chunks: staged.chunks, Listings: len(next.Listings()),
	}
	for i := range next.Lists() {
		l := &next.Lists()[i]
		m.Lists = append(m.Lists, manifestedList{l.ID, l.Current().PublishedOn.String(), l.Current().Digest.String(), l.Current().Rows})
	}
	encoded, err := json.Marshal(m)
	if err != nil {
		return err
	}
	fields, err := encodeVerifications(next, verified)
	if err != nil {
		return err
	}
	keys := append([]string{
		p.keys.head(), p.keys.snapshots(), p.keys.verified(), p.keys.listings(), p.keys.staged(next.Digest()),
	}, p.keys.chunks(next.Digest(), staged.chunks)...)
	args := append(expect(previous),
		strconv.Itoa(schema), strconv.FormatUint(next.Sequence, 10), next.Digest().String(), next.CreatedAt.Format(time.RFC3339Nano),
		encoded, staged.accounts, p.keys.changed())
	for id, value := range fields {
		args = append(args, id, value)
	}
	return p.run(ctx, commitScript, previous, keys, args)
}

// expect returns what the head must be while s is current.
func expect(s *screen.Snapshot) []any {
	if s.Sequence == 0 {
		return []any{"0", ""}
	}
	return []any{strconv.FormatUint(s.Sequence, 10), s.Digest().String()}
}

// run runs a script that does what it should, or changes nothing and says why.
func (p *Publisher) run(ctx context.Context, script *redis.Script, expected *screen.Snapshot, keys []string, args []any) error {
	answer, err := script.Run(ctx, p.c, keys, args...).Text()
	switch {
	case err != nil:
		return err
	case answer == "conflict":
		return fmt.Errorf("%w: %s is not current any more", screen.ErrConflict, expected)
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
	args := append(expect(s), p.keys.changed())
	for id, value := range fields {
		args = append(args, id, value)
	}
	if err := p.run(ctx, verifyScript, s, []string{p.keys.head(), p.keys.verified()}, args); err != nil {
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
