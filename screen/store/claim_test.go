package store

import (
	"strings"
	"testing"
	"time"
)

func mustClaim(t testing.TB, p *Publisher, name string, life time.Duration, want bool) *Claim {
	t.Helper()
	c, ok, err := p.Claim(t.Context(), name, life)
	if err != nil || ok != want || (c != nil) != want {
		t.Fatalf("claiming %s: %v, %t, %v; want %t", name, c, ok, err, want)
	}
	return c
}

func mustRenew(t testing.TB, c *Claim, life time.Duration, want bool) {
	t.Helper()
	if ok, err := c.Renew(t.Context(), life); err != nil || ok != want {
		t.Errorf("renewing: %t, %v; want %t", ok, err, want)
	}
}

func mustRelease(t testing.TB, c *Claim) {
	t.Helper()
	if err := c.Release(t.Context()); err != nil {
		t.Errorf("releasing: %v", err)
	}
}

func testClaim(t *testing.T, p place) {
	a, b := newPublisher(t, p.Options), newPublisher(t, p.Options)
	mine := mustClaim(t, a, "us-ofac-sdn", time.Hour, true)
	mustClaim(t, b, "us-ofac-sdn", time.Hour, false)
	mustClaim(t, a, "us-ofac-sdn", time.Hour, false) // its own publisher has it once, too
	mustRelease(t, mustClaim(t, b, "another", time.Hour, true))
	if ttl := p.admin.PTTL(t.Context(), p.key("claim:us-ofac-sdn")).Val(); ttl <= time.Minute || ttl > time.Hour {
		t.Errorf("the claim expires after %v", ttl)
	}
	mustRenew(t, mine, 2*time.Hour, true)
	if ttl := p.admin.PTTL(t.Context(), p.key("claim:us-ofac-sdn")).Val(); ttl <= time.Hour || ttl > 2*time.Hour {
		t.Errorf("the renewed claim expires after %v", ttl)
	}
	mustRelease(t, mine)
	mustRenew(t, mine, time.Hour, false)

	theirs := mustClaim(t, b, "us-ofac-sdn", time.Hour, true)
	mustRelease(t, mine)
	mustRenew(t, mine, 3*time.Hour, false)
	mustClaim(t, a, "us-ofac-sdn", time.Hour, false)
	if ttl := p.admin.PTTL(t.Context(), p.key("claim:us-ofac-sdn")).Val(); ttl > time.Hour {
		t.Errorf("another's renewal made the claim expire after %v", ttl)
	}
	mustRelease(t, theirs)
	if names := p.names(t); len(names) > 0 {
		t.Errorf("left: %v", names)
	}

	for _, name := range []string{"", "a b", "a:b", "{a}", strings.Repeat("a", 65)} {
		if c, ok, err := a.Claim(t.Context(), name, time.Hour); err == nil || ok || c != nil {
			t.Errorf("claim %q: %v, %t, %v", name, c, ok, err)
		}
	}
	for _, life := range []time.Duration{-time.Hour, 0, time.Millisecond - 1} {
		if _, ok, err := a.Claim(t.Context(), "x", life); err == nil || ok {
			t.Errorf("claimed for %s: %t, %v", life, ok, err)
		}
		if ok, err := theirs.Renew(t.Context(), life); err == nil || ok {
			t.Errorf("renewed for %s: %t, %v", life, ok, err)
		}
	}
}

// TestClaimRace has publishers claim one name at one time: one gets it.
func TestClaimRace(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publishers := []*Publisher{newPublisher(t, p.Options), newPublisher(t, p.Options), newPublisher(t, p.Options)}
	for round := range 50 {
		start, won := make(chan bool), make(chan *Claim)
		for _, publisher := range publishers {
			go func() {
				<-start
				c, _, err := publisher.Claim(t.Context(), "us-ofac-sdn", time.Hour)
				if err != nil {
					t.Error(err)
				}
				won <- c
			}()
		}
		close(start)
		var claims []*Claim
		for range publishers {
			if c := <-won; c != nil {
				claims = append(claims, c)
			}
		}
		if len(claims) != 1 {
			t.Fatalf("round %d: %d publishers have the claim", round, len(claims))
		}
		mustRelease(t, claims[0])
	}
}

// TestClaimOfADeadPublisher: a claim that nobody releases ends by itself, and who
// held it and lives after all does no harm to the next.
func TestClaimOfADeadPublisher(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	dead, err := NewPublisher(p.Options)
	if err != nil {
		t.Fatal(err)
	}
	left := mustClaim(t, dead, "us-ofac-sdn", 100*time.Millisecond, true)
	if err := dead.Close(); err != nil { // as when its process is killed
		t.Fatal(err)
	}
	if err := left.Release(t.Context()); err == nil {
		t.Error("released without a connection")
	}
	next := newPublisher(t, p.Options)
	var theirs *Claim
	eventually(t, "the claim of the dead ends", func() (ok bool) {
		theirs, ok, err = next.Claim(t.Context(), "us-ofac-sdn", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	})
	late := &Claim{next, left.name, left.token}
	mustRelease(t, late)
	mustRenew(t, late, time.Hour, false)
	mustRenew(t, theirs, time.Hour, true)
	mustRelease(t, theirs)

	// A claim hinders nobody who publishes.
	mustClaim(t, next, "us-ofac-sdn", time.Hour, true)
	mustLoad(t, p.Options, mustPublish(t, newPublisher(t, p.Options), 1, tron))
}
