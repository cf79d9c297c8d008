package store

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

// TestBadStates puts every bad state under every key of the schema, and into Redis
// itself. Whoever cannot work with it says which key it is and changes nothing; a
// reader goes on with what it has; all go on by themselves when the state is mended.
func TestBadStates(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t, "--maxmemory-policy", "noeviction")
	ctx := t.Context()
	garbage := "\x00\xff garbage \x80"
	anotherType := func(key string) {
		p.admin.Del(ctx, key)
		p.admin.LPush(ctx, key, garbage)
	}
	noise := func(key string) {
		kind := p.admin.Type(ctx, key).Val()
		p.admin.Del(ctx, key)
		switch kind {
		case "hash":
			p.admin.HSet(ctx, key, "us-ofac-sdn", garbage)
		case "set":
			p.admin.SAdd(ctx, key, garbage)
		case "stream":
			p.admin.Do(ctx, "XADD", key, "*", garbage, garbage)
		default:
			p.admin.Set(ctx, key, garbage, 0)
		}
	}
	future := func(key string) {
		if key == p.key("head") {
			p.admin.HSet(ctx, key, "schema", schema+1)
			return
		}
		sequence := p.admin.HGet(ctx, p.key("head"), "sequence").Val()
		manifest := p.admin.HGet(ctx, key, sequence).Val()
		p.admin.HSet(ctx, key, sequence, strings.Replace(manifest, fmt.Sprintf(`"schema":%d`, schema), fmt.Sprintf(`"schema":%d`, schema+1), 1))
	}
	bad := map[string]func(string){"another type": anotherType, "garbage": noise, "a future schema": future}

	// Who refuses: r a reader, p a publisher that has the snapshot in memory, f one that
	// begins.
	rows := []struct{ key, state, refuse string }{
		{"head", "another type", "rpf"},
		{"head", "garbage", "rpf"},
		{"head", "a future schema", "rpf"},
		{"snapshots", "another type", "rpf"},
		{"snapshots", "garbage", "rf"},
		{"snapshots", "a future schema", "rf"},
		{"content:DIGEST", "another type", "rf"},
		{"content:DIGEST", "garbage", "rf"},
		{"piece:SHA256", "another type", "rf"},
		{"piece:SHA256", "garbage", "rf"},
		{"pins", "another type", "pf"},
		{"pins", "garbage", ""},
		{"retired", "another type", "pf"},
		{"retired", "garbage", ""},
		{"rolled_back", "another type", "pf"},
		{"rolled_back", "garbage", ""},
		{"changes", "another type", "pf"},
		{"changes", "garbage", ""},
		{"verified", "another type", "rpf"},
		{"verified", "garbage", "r"}, // a publisher knows better, and overwrites it
		{"listings", "another type", "pf"},
		{"listings", "garbage", ""}, // they are written anew
		{"listings:DIGEST", "another type", "pf"},
		{"listings:DIGEST", "garbage", ""},
		{"claim:NAME", "another type", ""},
		{"claim:NAME", "garbage", ""},
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, row := range rows {
		covered[row.key+" "+row.state] = true
	}
	documented := regexp.MustCompile(`(?m)^//\t(\S+) +(hash|string|set|stream) `).FindAllStringSubmatch(string(doc), -1)
	for _, row := range documented {
		if !covered[row[1]+" another type"] || !covered[row[1]+" garbage"] {
			t.Errorf("key %s of the schema is not tried in every bad state", row[1])
		}
	}
	if len(documented) < 10 {
		t.Errorf("found %d keys in the documentation", len(documented))
	}

	for _, row := range rows {
		// spoil publishes two snapshots and spoils the key; mend undoes that.
		spoil := func(t *testing.T) (knows *Publisher, have *State, now *screen.Snapshot, next *screen.Snapshot, key string, mend func()) {
			t.Helper()
			p.admin.FlushAll(ctx)
			knows = newPublisher(t, p.Options)
			have = mustLoad(t, p.Options, mustPublish(t, knows, 1, tron))
			if err := knows.Pin(ctx, 1, "first"); err != nil {
				t.Fatal(err)
			}
			p.admin.HSet(ctx, p.key("rolled_back"), strings.Repeat("cd", 32), "1")
			now = mustPublish(t, knows, 2, tron, evm)
			if err := knows.Verify(ctx, now, Verified{sdn.ID: {At: at2025}}); err != nil {
				t.Fatal(err)
			}
			p.admin.SAdd(ctx, p.key("retired"), strings.Repeat("ab", 32))
			next = merge(t, now, sdn, 3, opaque)
			key = p.key(strings.NewReplacer("DIGEST", now.Digest().String(), "SHA256", now.Digest().String(), "NAME", string(sdn.ID)).Replace(row.key))
			switch row.key {
			case "listings:DIGEST":
				key = p.key("listings:" + next.Digest().String())
				p.admin.HSet(ctx, key, "a", "b")
			case "claim:NAME":
				p.admin.Set(ctx, key, "token", time.Minute)
			}
			before, life := p.admin.Dump(ctx, key).Val(), max(0, p.admin.PTTL(ctx, key).Val())
			bad[row.state](key)
			if is := p.admin.Dump(ctx, key).Val(); before == "" || is == before {
				t.Fatalf("%s was not there, or is as it was", key)
			}
			return knows, have, now, next, key, func() {
				if err := p.admin.RestoreReplace(ctx, key, life, before).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		t.Run(row.key+" "+row.state+" reader", func(t *testing.T) {
			_, have, now, _, key, mend := spoil(t)
			f := follow(t, p.Options, have, 20*time.Millisecond)
			if strings.Contains(row.refuse, "r") {
				if err := f.wantFailure(nil); !strings.Contains(err.Error(), key) || !Refused(err) {
					t.Errorf("the error %q does not name %s, or is no refusal", err, key)
				}
				f.wantNothing()
				mend()
				f.wantRecovery()
			}
			wantSame(t, f.wantState().Snapshot, now)
		})
		for who, remembers := range map[string]bool{"p": true, "f": false} {
			t.Run(row.key+" "+row.state+" publisher "+who, func(t *testing.T) {
				publisher, _, now, next, key, mend := spoil(t)
				if !remembers {
					publisher = newPublisher(t, p.Options)
				}
				publish := func() (*screen.Snapshot, error) {
					current, _, err := publisher.Current(ctx)
					if err != nil {
						return nil, err
					}
					return publisher.Publish(ctx, current, next, Verified{sdn.ID: {At: at2025}})
				}
				before := p.permanent(t)
				published, err := publish()
				if refused := strings.Contains(row.refuse, who); refused != (err != nil) {
					t.Errorf("%v; want refused %t", err, refused)
				}
				if err != nil {
					if !strings.Contains(err.Error(), key) {
						t.Errorf("the error %q does not name %s", err, key)
					}
					if published == nil {
						wantEqual(t, "refused", p.permanent(t), before)
					}
					mend()
					if published == nil {
						wantSame(t, mustLoad(t, p.Options, now).Snapshot, now)
						if published, err = publish(); err != nil {
							t.Fatalf("mended: %v", err)
						}
					}
				}
				mustLoad(t, p.Options, published)
			})
		}
	}
}
