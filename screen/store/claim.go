package store

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// A Claim keeps others from beginning the same work for a while, so that several
// loaders on one Redis do not all fetch what one of them does. It spares
// publishers' servers; nothing else depends on it: two that publish at one time
// are kept apart by the head.
type Claim struct {
	p     *Publisher
	name  string
	token string
}

//go:embed renew.lua
var renewSource string
var renewScript = redis.NewScript(renewSource)

//go:embed release.lua
var releaseSource string
var releaseScript = redis.NewScript(releaseSource)

// Claim takes the claim of a name, 1 to 64 letters, digits, dots, hyphens and
// underscores, for a time of at least a millisecond. ok says whether it is ours;
// if not, another has it, and the Claim is nil. One whose holder died ends with
// its life. After an error the claim may stand for that long although nobody
// holds it.
func (p *Publisher) Claim(ctx context.Context, name string, life time.Duration) (c *Claim, ok bool, err error) {
	if err := checkName(name); err != nil {
		return nil, false, fmt.Errorf("claim %w", err)
	}
	if err := checkLife(life); err != nil {
		return nil, false, err
	}
	c = &Claim{p, name, rand.Text()}
	if ok, err = p.c.SetNX(ctx, p.keys.claim(name), c.token, life).Result(); err != nil {
		return nil, false, fmt.Errorf("writing %s: %w", p.keys.claim(name), err)
	}
	if !ok {
		return nil, false, nil
	}
	return c, true, nil
}

// checkLife refuses what Redis would take for another life, or for one without end.
func checkLife(life time.Duration) error {
	if life < time.Millisecond {
		return fmt.Errorf("life of a claim is %s, want at least a millisecond", life)
	}
	return nil
}

// Renew gives the claim a new life from now on. False means that it is not ours
// any more: it ended, and another may have it.
func (c *Claim) Renew(ctx context.Context, life time.Duration) (bool, error) {
	if err := checkLife(life); err != nil {
		return false, err
	}
	return c.run(ctx, renewScript, life.Milliseconds())
}

// Release ends the claim. One that is not ours any more is left alone.
func (c *Claim) Release(ctx context.Context) error {
	_, err := c.run(ctx, releaseScript)
	return err
}

func (c *Claim) run(ctx context.Context, script *redis.Script, args ...any) (bool, error) {
	key := c.p.keys.claim(c.name)
	done, err := script.Run(ctx, c.p.c, []string{key}, append([]any{c.token}, args...)...).Bool()
	if err != nil {
		return false, fmt.Errorf("writing %s: %w", key, err)
	}
	return done, nil
}
