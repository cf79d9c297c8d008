package store

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen"
)

//go:embed retire.lua
var retireSource string
var retireScript = redis.NewScript(retireSource)

//go:embed drop.lua
var dropSource string
var dropScript = redis.NewScript(dropSource)

// retire drops snapshots beyond the number to keep, and pieces that none of the
// others names.
func (p *Publisher) retire(ctx context.Context) error {
	keep := p.Keep
	if keep == 0 {
		keep = 30
	}
	answer, err := retireScript.Run(ctx, p.c, []string{p.keys.head(), p.keys.snapshots(), p.keys.pins(), p.keys.retired()}, keep).StringSlice()
	if err != nil || len(answer) < 2 {
		return err
	}
	expected, digests := answer[:2], answer[2:]
	end := slices.Index(digests, "")
	kept, retired := digests[:max(end, 0)], digests[end+1:]
	lists, err := p.lists(ctx, digests)
	if err != nil {
		return err
	}
	named := map[screen.Digest]bool{}
	for _, digest := range kept {
		for _, piece := range lists[digest] {
			named[piece.digest] = true
		}
	}
	for _, digest := range retired {
		if slices.Contains(kept, digest) {
			// It came back before it was dropped.
			continue
		}
		var keys []string
		for _, piece := range lists[digest] {
			if !named[piece.digest] {
				named[piece.digest] = true // dropped once
				keys = append(keys, p.keys.piece(piece.digest))
			}
		}
		if done, err := p.drop(ctx, expected, digest, keys); !done {
			return err
		}
	}
	return nil
}

// lists returns the lists of pieces of contents. One that cannot be read names no
// pieces that could be loaded.
func (p *Publisher) lists(ctx context.Context, digests []string) (map[string][]piece, error) {
	lists := map[string][]piece{}
	for batch := range slices.Chunk(digests, 8) { // of a megabyte at most each
		answers := make([]*redis.StringCmd, len(batch))
		_, err := p.c.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, digest := range batch {
				answers[i] = pipe.GetRange(ctx, p.keys.prefix+"content:"+digest, 0, int64(maxContent/maxMean*4*longestLine))
			}
			return nil
		})
		if err := sent(err, answers...); err != nil {
			return nil, err
		}
		for i, digest := range batch {
			if err := answers[i].Err(); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
				return nil, fmt.Errorf("reading %scontent:%s: %w", p.keys.prefix, digest, err)
			}
			pieces, err := decodePieces([]byte(answers[i].Val()), -1, -1)
			if err == nil {
				lists[digest] = pieces
			}
		}
	}
	return lists, nil
}

// drop drops pieces of a retired content a thousand at a time, nobody else being
// served meanwhile, and at last the content itself. It is not done when another snapshot was published meanwhile,
// whose publisher goes on.
func (p *Publisher) drop(ctx context.Context, head []string, digest string, pieces []string) (done bool, err error) {
	for {
		n := min(cmp.Or(p.dropAtOnce, 1000), len(pieces))
		last := ""
		if n == len(pieces) {
			last = digest
		}
		keys := append([]string{p.keys.head(), p.keys.retired(), p.keys.prefix + "content:" + digest}, pieces[:n]...)
		answer, err := dropScript.Run(ctx, p.c, keys, head[0], head[1], last).Text()
		if err != nil || answer != "ok" {
			return false, err
		}
		if pieces = pieces[n:]; last != "" {
			return true, nil
		}
	}
}

//go:embed pin.lua
var pinSource string
var pinScript = redis.NewScript(pinSource)

// ErrNotKept says that a snapshot is not kept: it was retired, or never was.
var ErrNotKept = errors.New("the snapshot is not kept (walletscreen snapshot list tells which are)")

// Pin keeps a snapshot from being retired until Unpin. A name, 1 to 64 letters,
// digits, dots, hyphens and underscores, pins one snapshot: it leaves the one that
// it pinned before. ErrNotKept says that there is no such snapshot any more.
func (p *Publisher) Pin(ctx context.Context, sequence uint64, name string) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("pin %w", err)
	}
	pinned, err := pinScript.Run(ctx, p.c, []string{p.keys.snapshots(), p.keys.pins()}, sequence, name).Bool()
	if err != nil {
		return fmt.Errorf("writing %s: %w", p.keys.pins(), err)
	}
	if !pinned {
		return fmt.Errorf("snapshot %d: %w", sequence, ErrNotKept)
	}
	return nil
}

// Unpin ends a pin, and reports whether there was one. What it pinned is retired
// with the next publish if it is old enough.
func (p *Publisher) Unpin(ctx context.Context, name string) (bool, error) {
	n, err := p.c.HDel(ctx, p.keys.pins(), name).Result()
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", p.keys.pins(), err)
	}
	return n == 1, nil
}
