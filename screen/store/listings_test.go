package store

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

func testListings(t *testing.T, p place) {
	publisher := newPublisher(t, p.Options)
	lookUp := func(key string) string {
		t.Helper()
		return p.admin.HGet(t.Context(), p.key("listings"), key).Val()
	}
	mustPublish(t, publisher, 1, tron, opaque, evm)
	const listed = `[{"list":"us-ofac-sdn","kind":"designation","uid":"22985","party":"Bank & Söhne","programs":["DPRK4"],"address":"`
	for key, want := range map[string]string{
		tronKey:          listed + tron + `","symbol":"USDT","listed":"2025-01-01"}]`,
		evmKey:           listed + evm + `","symbol":"USDT","listed":"2025-01-01"}]`,
		"text:" + opaque: listed + opaque + `","symbol":"USDT","listed":"2025-01-01"}]`,
		"text:" + tron:   "",
	} {
		if got := lookUp(key); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	// The same account in another way of writing stands under the same key; what
	// was delisted stays, with its end.
	mustPublish(t, publisher, 2, tron, evm, strings.ToLower(evm))
	var shown []shownListing
	if err := json.Unmarshal([]byte(lookUp(evmKey)), &shown); err != nil || len(shown) != 2 {
		t.Errorf("%s is %s, %v", evmKey, lookUp(evmKey), err)
	}
	if got := lookUp("text:" + opaque); !strings.HasSuffix(got, `"listed":"2025-01-01","delisted":"2025-01-02"}]`) {
		t.Errorf("a delisted text: %s", got)
	}

	// They follow the head, in one step: a publish that fails changes neither.
	before := p.dump(t)
	if _, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, opaque), nil); err == nil {
		t.Error("published over another head")
	}
	wantEqual(t, "failed publish", p.permanent(t), before)

	// A snapshot without listings leaves none of the one before.
	now := newest(t, publisher)
	if _, err := publisher.Publish(t.Context(), now, merge(t, screen.Empty(), sdn, 3), nil); err != nil {
		t.Fatal(err)
	}
	if n := p.admin.Exists(t.Context(), p.key("listings")).Val(); n != 0 {
		t.Error("listings of no snapshot")
	}

	// Half of what was staged must not be shown as the whole.
	now = newest(t, publisher)
	next := merge(t, now, sdn, 4, tron, evm).Named(now.Sequence+1, now.CreatedAt)
	for _, spoil := range []func(key string){
		func(key string) { p.admin.Del(t.Context(), key) },
		func(key string) { p.admin.HDel(t.Context(), key, tronKey) },
	} {
		ready := staged(t, publisher, now, next, nil)
		ready.listings = nil
		if err := publisher.stage(t.Context(), ready); err != nil {
			t.Fatal(err)
		}
		before := p.permanent(t)
		key := p.key("listings:" + next.Digest().String())
		spoil(key)
		if err := publisher.commit(t.Context(), ready); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("committed with half of the listings: %v", err)
		}
		wantEqual(t, "failed commit", p.permanent(t), before)
	}
}

// TestDocumentedCommand shows that the command in the package comment does what
// it says.
func TestDocumentedCommand(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`redis-cli --raw (HGET) '([^']*)' (\S+)\n`).FindStringSubmatch(string(doc))
	if command == nil {
		t.Fatal("doc.go has no command to look an account up with")
	}
	p, _ := startRedis(t)
	mustPublish(t, newPublisher(t, p.Options), 1, tron)
	answer, err := p.admin.Do(t.Context(), command[1], command[2], command[3]).Text()
	if err != nil || !strings.Contains(answer, tron) {
		t.Errorf("%q: %q, %v", command[0], answer, err)
	}
}

// documentedUser makes the Redis user of the package comment with that name and
// returns how to log in as it.
func documentedUser(t *testing.T, p place, name string) Options {
	t.Helper()
	args := []any{"ACL", "SETUSER", name}
	for _, word := range documentedRules(t, name, false) {
		args = append(args, word)
	}
	if err := p.admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	o := p.Options
	o.URL = strings.Replace(o.URL, "redis://", "redis://"+name+":PASSWORD@", 1)
	return o
}

// documentedRules are the rules of the user of that name in the package comment, for
// one server or for those of a cluster.
func documentedRules(t testing.TB, name string, cluster bool) []string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`//\tACL SETUSER `+name+` (.*)\n`).FindAllStringSubmatch(string(doc), -1)
	if len(lines) == 0 {
		t.Fatalf("doc.go has no ACL for a %s", name)
	}
	if !cluster {
		lines = lines[:1]
	}
	var rules []string
	for _, line := range lines {
		rules = append(rules, strings.Fields(line[1])...)
	}
	return rules
}

// TestDocumentedReader shows that a Redis user with the permissions that the
// package comment gives readers can read and follow, and write nothing.
func TestDocumentedReader(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	o := documentedUser(t, p, "reader")
	publisher := newPublisher(t, p.Options)
	f := follow(t, o, nil)
	f.wantFailure(ErrNoSnapshot)
	published := mustPublish(t, publisher, 1, tron)
	wantSame(t, f.wantState().Snapshot, published)
	before := p.dump(t)
	if _, err := newPublisher(t, o).Publish(t.Context(), published, merge(t, published, sdn, 2, evm), nil); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a reader's user published: %v", err)
	}
	if _, _, err := newPublisher(t, o).Claim(t.Context(), "x", time.Minute); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a reader's user has a claim: %v", err)
	}
	wantEqual(t, "a reader's publish", p.dump(t), before)
	if names := p.names(t); slices.Contains(names, "else") {
		t.Error(names)
	}
}

// TestDocumentedLoader shows that a Redis user with the permissions that the
// package comment gives loaders can do all that they do, and nothing elsewhere.
func TestDocumentedLoader(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	o := documentedUser(t, p, "loader")
	publisher := newPublisher(t, o)
	publisher.Keep = 1
	claim := mustClaim(t, publisher, "x", time.Minute, true)
	mustPublish(t, publisher, 1, tron)
	mustPublish(t, publisher, 2)
	last := mustPublish(t, publisher, 3, evm)
	if err := publisher.Verify(t.Context(), last, Verified{sdn.ID: {At: at2025, Held: heldBack}}); err != nil {
		t.Error(err)
	}
	mustRenew(t, claim, time.Minute, true)
	mustRelease(t, claim)
	mustLoad(t, p.Options, last)
	publisher.Keep = 2
	if err := publisher.Pin(t.Context(), last.Sequence, "x"); err != nil {
		t.Error(err)
	}
	mustPublish(t, publisher, 4, tron)
	last, err := publisher.Rollback(t.Context(), last.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := publisher.Unpin(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	publisher.Keep = 1
	p.admin.Del(t.Context(), p.key("head"))
	if last, err = publisher.Restore(t.Context(), screen.Empty(), last, nil); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, p.Options, last)
	if n := p.pieces(t); n != 1 {
		t.Errorf("%d pieces, want that old ones were retired", n)
	}
	o.Namespace = "other"
	if _, _, err := newPublisher(t, o).Current(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a loader's user reads another namespace: %v", err)
	}
}
