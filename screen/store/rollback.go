package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// Rollback publishes the content of a kept snapshot again, under a new sequence
// number. It is an operator's decision, and needs nothing of the snapshot that it
// takes back but its number: that one may be damaged.
//
// Publications that the snapshot taken back has and the other has not are held
// from then on: Publish refuses them, until a publisher with Release lets one
// through, and servers tell that they are held. So is the publication that both have
// if they do not say the same of its list: it was read otherwise then. Another
// publication of the same list is not. If keys are given and none of them signed the
// snapshot that is taken back, nothing of it is held: what it says is not believed.
//
// ErrNotKept says that there is no such snapshot any more, screen.ErrConflict that
// another was published meanwhile, signing.ErrUntrusted that keys are given and none of
// them signed the snapshot. Other errors are as with Publish.
func (p *Publisher) Rollback(ctx context.Context, to uint64) (*screen.Snapshot, error) {
	h, _, err := p.readHead(ctx)
	if err != nil {
		return nil, err
	}
	if h.sequence == to {
		return nil, fmt.Errorf("snapshot %d is current: there is nothing to take back (snapshot republish has servers take it that refuse it as older)", to)
	}
	target, m, err := p.kept(ctx, to)
	if err != nil {
		return nil, err
	}
	c := commit{expected: h, next: target.Named(h.sequence+1, timeAfter(h.createdAt)), verified: map[string]string{}, rolledBack: map[string]string{}}
	// Whatever of the one that is taken back can be read is told.
	if was, err := p.manifest(ctx, h.sequence); err == nil && p.trust.trustHead(h) == nil {
		c.was = was
		if s, err := p.load(ctx, h, target); err == nil {
			c.before = s
		} else if ctx.Err() != nil {
			return nil, err
		}
	}
	c.manifest = p.describe(c.next)
	c.manifest.RollbackOf, c.manifest.RollbackTo = h.sequence, to
	for i := range c.manifest.Lists {
		l := &c.manifest.Lists[i]
		if was := m.list(l.ID); was != nil {
			l.VerifiedAt = was.VerifiedAt
		}
	}
	counts := map[screen.ListID]*screen.Changes{}
	if c.before != nil {
		for _, changes := range target.Diff(c.before) {
			counts[changes.List] = changes
		}
	}
	now := time.Now().UTC()
	held := Verified{}
	for _, bad := range c.was.Lists {
		good := m.list(bad.ID)
		// Of one publication another program may have read something else.
		if good != nil && good.SHA256 == bad.SHA256 && counts[bad.ID] == nil {
			continue
		}
		digest, err := screen.ParseDigest(bad.SHA256)
		if err != nil {
			continue
		}
		c.rolledBack[bad.SHA256] = strconv.FormatUint(h.sequence, 10)
		v := screen.Verification{Held: &screen.Held{
			Since: now, Digest: digest, Source: fmt.Sprintf("snapshot %d", h.sequence),
			Why: fmt.Sprintf("an operator rolled snapshot %d back to %d, by snapshot %d", h.sequence, to, c.next.Sequence), RolledBack: h.sequence,
		}}
		v.Held.PublishedOn, _ = screen.ParseDate(bad.PublishedOn)
		if n := counts[bad.ID]; n != nil {
			v.Held.Listed, v.Held.Delisted, v.Held.Amended = len(n.Listed), len(n.Delisted), len(n.Amended)
		}
		if good != nil {
			// Manifests are not signed but for the time of publishing, and a publication is
			// compared before that.
			v.At = earlier(good.VerifiedAt, m.CreatedAt)
		}
		held[bad.ID] = v
	}
	c.release() // a publication that is current again is held no longer
	if c.verified, err = encodeVerifications(c.next, held); err != nil {
		return nil, err
	}
	p.prepare(&c)
	return p.publish(ctx, &c)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Sign publishes the content of the current snapshot again, under a new number and
// signed. It is for an operator who begins to sign, or replaces a key: digest says
// what the operator knows to be right. Of what is known of the lists that is signed,
// too, which a trusted key signed before; the rest the next load compares anew.
// Errors are as with Publish.
func (p *Publisher) Sign(ctx context.Context, digest screen.Digest) (*screen.Snapshot, error) {
	if p.signer == nil {
		return nil, errors.New("there is no key to sign with")
	}
	h, fields, err := p.readHead(ctx)
	if err != nil {
		return nil, err
	}
	if h.digest != digest {
		return nil, fmt.Errorf("snapshot %d is current, and has the digest %s", h.sequence, h.digest)
	}
	trusted := p.trust.trustHead(h) == nil
	if trusted && h.signed.KeyID == p.signer.Public().ID {
		return nil, fmt.Errorf("snapshot %d (%.12s) is signed by this key", h.sequence, h.digest)
	}
	s, err := p.load(ctx, h, p.last())
	if err != nil {
		return nil, err
	}
	was, err := p.manifest(ctx, h.sequence)
	if err != nil {
		return nil, err
	}
	c := commit{expected: h, before: s, was: was, next: s.Named(h.sequence+1, timeAfter(h.createdAt))}
	c.manifest = p.describe(c.next)
	for i := range c.manifest.Lists {
		l := &c.manifest.Lists[i]
		if is := was.list(l.ID); is != nil && trusted {
			l.VerifiedAt = is.VerifiedAt
		}
	}
	c.verified, _ = p.trust.trustVerifications(fields)
	p.prepare(&c)
	return p.publish(ctx, &c)
}

// Restore publishes a snapshot that was known elsewhere in place of current, which
// must be what Current returned: none, as after a flush, or an older one, as after a
// failover that lost a publish, or when data were put back from a backup. The
// sequence number is greater than its own and any that is kept, so that numbers never
// go back. What is known of its lists comes along, and a publication of it that
// Redis has as taken back is so no longer: it was published again after that.
//
// screen.ErrConflict says that current is not current any more. Other errors are as
// with Publish.
func (p *Publisher) Restore(ctx context.Context, current, s *screen.Snapshot, verified Verified) (*screen.Snapshot, error) {
	fields, err := encodeVerifications(s, verified)
	if err != nil {
		return nil, err
	}
	sequences, err := p.c.HKeys(ctx, p.keys.snapshots()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", p.keys.snapshots(), err)
	}
	last := max(s.Sequence, current.Sequence)
	for _, text := range sequences {
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			last = max(last, n)
		}
	}
	c := p.instead(ctx, current, s.Named(last+1, timeAfter(s.CreatedAt, current.CreatedAt)))
	c.verified = fields
	// What is taken back is remembered beside what is known of each list, too.
	c.rolledBack = map[string]string{}
	for _, v := range verified {
		if h := v.Held; h != nil && h.RolledBack != 0 {
			c.rolledBack[h.Digest.String()] = strconv.FormatUint(h.RolledBack, 10)
		}
	}
	for i := range c.manifest.Lists {
		c.manifest.Lists[i].VerifiedAt = verified[c.manifest.Lists[i].ID].At.UTC()
	}
	c.release()
	p.prepare(c)
	return p.publish(ctx, c)
}

// Republish publishes the snapshot that is served once more, under the next number
// and the time of now. Servers that refuse it because they had a newer one take it
// then (see ErrOlder). It is an operator's decision.
//
// ErrNoSnapshot says that there is none, screen.ErrConflict that another was
// published meanwhile, signing.ErrUntrusted that keys are given and none of them signed
// it. Other errors are as with Publish.
func (p *Publisher) Republish(ctx context.Context) (*screen.Snapshot, error) {
	s, _, err := p.current(ctx, p.last(), nil)
	if err != nil {
		return nil, builtUpon(err)
	}
	c := p.instead(ctx, s, s.Named(s.Sequence+1, timeAfter(s.CreatedAt)))
	for i := range c.manifest.Lists {
		l := &c.manifest.Lists[i]
		if was := c.was.list(l.ID); was != nil {
			l.VerifiedAt = was.VerifiedAt
		}
	}
	p.prepare(c)
	return p.publish(ctx, c)
}

// instead is the commit of next in place of current, without what is known of its
// lists.
func (p *Publisher) instead(ctx context.Context, current, next *screen.Snapshot) *commit {
	c := &commit{before: current, next: next, manifest: p.describe(next)}
	if current.Sequence > 0 {
		c.expected = head{sequence: current.Sequence, digest: current.Digest()}
		// Without it, all that people read is written anew.
		if was, err := p.manifest(ctx, current.Sequence); err == nil {
			c.was = was
		}
	}
	return c
}

// release has the newest publications of the lists not count as taken back any more,
// but for those that this commit takes back.
func (c *commit) release() {
	for i := range c.next.Lists() {
		digest := c.next.Lists()[i].Current().Digest.String()
		if _, ok := c.rolledBack[digest]; !ok {
			c.released = append(c.released, digest)
		}
	}
}

// A Kept is a snapshot that Redis keeps, by what its manifest says.
type Kept struct {
	Sequence  uint64
	Digest    string
	CreatedAt time.Time
	Builder   string
	Size      int // bytes of content
	Listings  int
	Lists     []KeptList
	Current   bool     // it is what is served
	Pins      []string // names of the pins on it, in order
	// A rollback took back RollbackOf, and has the content of RollbackTo; 0 for others.
	RollbackOf, RollbackTo uint64
	// SignedBy is the id of the key that is said to have signed it, "" for none.
	SignedBy string
	// Untrusted says why none of the keys that are given signed it, "" if one did or
	// none are given.
	Untrusted string
	// Unreadable says why nothing but the sequence is known, "" if all is.
	Unreadable string
}

// KeptList is what a manifest says of a list.
type KeptList struct {
	ID          screen.ListID
	PublishedOn string
	SHA256      string
	Rows        int
}

// Kept returns the snapshots that are kept, oldest first.
func (n *namespace) Kept(ctx context.Context) ([]Kept, error) {
	h, _, err := n.readHead(ctx)
	if err != nil && !errors.Is(err, ErrNoSnapshot) {
		return nil, err
	}
	manifests, err := n.c.HGetAll(ctx, n.keys.snapshots()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", n.keys.snapshots(), err)
	}
	pins, err := n.c.HGetAll(ctx, n.keys.pins()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", n.keys.pins(), err)
	}
	var all []Kept
	for text, value := range manifests {
		sequence, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			continue // nothing that this program wrote
		}
		k := Kept{Sequence: sequence, Current: sequence == h.sequence}
		if m, err := parseManifest(value, sequence); err != nil {
			k.Unreadable = err.Error()
		} else {
			k.Digest, k.CreatedAt, k.Builder, k.Size, k.Listings = m.Digest, m.CreatedAt, m.Builder, m.Size, m.Listings
			k.RollbackOf, k.RollbackTo, k.SignedBy = m.RollbackOf, m.RollbackTo, m.SignatureKeyID
			if err := n.trust.trustKept(&m); err != nil {
				k.Untrusted = err.Error()
			}
			for _, l := range m.Lists {
				k.Lists = append(k.Lists, KeptList{l.ID, l.PublishedOn, l.SHA256, l.Rows})
			}
		}
		for _, name := range slices.Sorted(maps.Keys(pins)) {
			if pins[name] == text {
				k.Pins = append(k.Pins, name)
			}
		}
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Kept) int {
		if a.Sequence < b.Sequence {
			return -1
		}
		return 1
	})
	return all, nil
}

// Snapshot returns a snapshot that is kept, verified, with its signature; ErrNotKept
// if it is not kept, signing.ErrUntrusted if keys are given and none of them signed it.
func (n *namespace) Snapshot(ctx context.Context, sequence uint64) (*screen.Snapshot, signing.Signed, error) {
	s, m, err := n.kept(ctx, sequence)
	return s, m.signed(), err
}

func (n *namespace) kept(ctx context.Context, sequence uint64) (*screen.Snapshot, manifest, error) {
	m, err := n.manifest(ctx, sequence)
	if errors.Is(err, errMissing) {
		return nil, manifest{}, fmt.Errorf("snapshot %d: %w", sequence, ErrNotKept)
	}
	if err == nil {
		err = n.trust.trustKept(&m)
	}
	if err != nil {
		return nil, manifest{}, err
	}
	s, err := n.readContent(ctx, &m, nil)
	if err != nil {
		return nil, manifest{}, err
	}
	return s.Named(sequence, m.CreatedAt), m, nil
}
