package store

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

func newKey(t testing.TB) *signing.Key {
	t.Helper()
	k, err := signing.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func trusting(keys ...*signing.Key) (all signing.Keys) {
	for _, k := range keys {
		all = all.With(k.Public())
	}
	return all
}

// signedBy are options of a publisher that signs with the first key and trusts all.
func signedBy(o Options, keys ...*signing.Key) Options {
	o.Signer, o.Trusted = keys[0], trusting(keys...)
	return o
}

// verifiedBy are options of a reader that trusts keys.
func verifiedBy(o Options, keys ...*signing.Key) Options {
	o.Trusted = trusting(keys...)
	return o
}

func wantUntrusted(t testing.TB, what string, err error, saying ...string) {
	t.Helper()
	if !errors.Is(err, signing.ErrUntrusted) {
		t.Errorf("%s: %v, want %v", what, err, signing.ErrUntrusted)
		return
	}
	for _, want := range saying {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q does not say %q", what, err, want)
		}
	}
}

// testSigned takes every way to a new head, with a key.
func testSigned(t *testing.T, p place) {
	ctx := t.Context()
	k := newKey(t)
	publisher := newPublisher(t, signedBy(p.Options, k))
	checked := verifiedBy(p.Options, k)
	want := func(s *screen.Snapshot, err error) *State {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		state := mustLoad(t, checked, s)
		if state.Signed.KeyID != k.Public().ID || !strings.Contains(state.Signed.Statement, "\nsequence "+strconv.FormatUint(s.Sequence, 10)+"\n") {
			t.Errorf("%s is signed %+v", s, state.Signed)
		}
		unchecked := mustLoad(t, p.Options, s)
		wantVerified(t, unchecked.Verified, state.Verified)
		if unchecked.Signed != state.Signed {
			t.Errorf("%s is signed %+v for who trusts nobody", s, unchecked.Signed)
		}
		kept, signed, err := newReader(t, checked).Snapshot(ctx, s.Sequence)
		if err != nil || signed != state.Signed {
			t.Errorf("kept: %v, %+v, %v", kept, signed, err)
		}
		return state
	}
	is := screen.Verification{At: at2025, Source: "a file", Fetched: fetchedOnce}
	first, err := publisher.Publish(ctx, screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), Verified{sdn.ID: is})
	wantVerified(t, want(first, err).Verified, Verified{sdn.ID: is})
	is.At = at2025.Add(time.Hour)
	if err := publisher.Verify(ctx, first, Verified{sdn.ID: is, "another": {Held: heldBack}}); err != nil {
		t.Fatal(err)
	}
	wantVerified(t, want(first, nil).Verified, Verified{sdn.ID: is, "another": {Held: heldBack}})
	second := mustPublish(t, publisher, 2, evm)
	want(second, nil)
	rolledBack, err := publisher.Rollback(ctx, 1)
	state := want(rolledBack, err)
	if !strings.Contains(state.Signed.Statement, "\nrollback_of 2\nrollback_to 1\n") {
		t.Errorf("a rollback's statement is %q", state.Signed.Statement)
	}
	if held := state.Verified[sdn.ID].Held; held == nil || held.Digest != second.List(sdn.ID).Current().Digest {
		t.Errorf("held after the rollback: %+v", held)
	}
	publisher.Release = func(screen.ListID) bool { return true }
	released, err := publisher.Publish(ctx, rolledBack, merge(t, rolledBack, sdn, 2, evm), Verified{sdn.ID: is})
	want(released, err)
	keepAll, err := publisher.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.admin.FlushAll(ctx)
	restored, err := publisher.Restore(ctx, screen.Empty(), keepAll.Snapshot, keepAll.Verified)
	wantVerified(t, want(restored, err).Verified, keepAll.Verified)
	republished, err := publisher.Republish(ctx)
	wantVerified(t, want(republished, err).Verified, keepAll.Verified)
	// A rollback to it will want to know when its lists were compared.
	if m, err := publisher.manifest(ctx, republished.Sequence); err != nil || !m.list(sdn.ID).VerifiedAt.Equal(keepAll.Verified[sdn.ID].At) {
		t.Errorf("the manifest of what was published once more: %+v, %v", m, err)
	}
	// In place of an older one that is signed.
	later := mustPublish(t, publisher, 3, tron)
	restored, err = publisher.Restore(ctx, later, republished, keepAll.Verified)
	wantVerified(t, want(restored, err).Verified, keepAll.Verified)

	// Nothing of the signature stays when the next is not signed.
	unsigned := newPublisher(t, p.Options)
	s := mustPublish(t, unsigned, 3, opaque)
	if state := mustLoad(t, p.Options, s); !state.Signed.IsZero() {
		t.Errorf("an unsigned snapshot is signed %+v", state.Signed)
	}
	_, err = newReader(t, checked).Load(ctx)
	wantUntrusted(t, "an unsigned snapshot after a signed one", err, p.key("head"), "it is not signed")
}

// A forgery is what somebody does who can write to Redis and has no key.
type forgery struct {
	name   string
	forge  func(*forger)
	saying string
}

type forger struct {
	place
	t      testing.TB
	before map[string]string // the head
	other  *signing.Key
	ours   *signing.Key // of which the forger knows the public key
}

func (f *forger) set(fields map[string]string) {
	f.t.Helper()
	head := maps.Clone(f.before)
	for field, value := range fields {
		if head[field] = value; value == "" {
			delete(head, field)
		}
	}
	f.admin.Del(f.t.Context(), f.key("head"))
	if err := f.admin.HSet(f.t.Context(), f.key("head"), head).Err(); err != nil {
		f.t.Fatal(err)
	}
}

// publish publishes other content as publishers do.
func (f *forger) publish(o Options) map[string]string {
	f.t.Helper()
	mustPublish(f.t, newPublisher(f.t, o), 9, opaque)
	return f.admin.HGetAll(f.t.Context(), f.key("head")).Val()
}

var forgeries = []forgery{
	{"signature dropped", func(f *forger) {
		f.set(map[string]string{"statement": "", "signature": "", "signature_key_id": ""})
	}, "it is not signed"},
	{"signature spoiled", func(f *forger) {
		f.set(map[string]string{"signature": "A" + f.before["signature"][1:]})
	}, "it is not what key"},
	{"signature that is no base64", func(f *forger) { f.set(map[string]string{"signature": "?"}) }, "it is not what key"},
	{"key unknown", func(f *forger) { f.set(map[string]string{"signature_key_id": "0123456789abcdef"}) }, `"0123456789abcdef"`},
	{"time moved", func(f *forger) { f.set(map[string]string{"created_at": "2999-01-01T00:00:00Z"}) }, "not 2999-01-01T00:00:00Z"},
	{"number moved", func(f *forger) {
		ctx, manifest := f.t.Context(), map[string]any{}
		if err := json.Unmarshal([]byte(f.admin.HGet(ctx, f.key("snapshots"), "3").Val()), &manifest); err != nil {
			f.t.Fatal(err)
		}
		manifest["sequence"] = 9
		encoded, _ := json.Marshal(manifest)
		f.admin.HSet(ctx, f.key("snapshots"), "9", encoded)
		f.set(map[string]string{"sequence": "9"})
	}, "of snapshot 3, not 9"},
	{"unsigned publish", func(f *forger) { f.publish(f.Options) }, "it is not signed"},
	{"publish signed by another key", func(f *forger) { f.publish(signedBy(f.Options, f.other, f.ours)) }, "signed by key"},
	{"publish signed by another key, under the name of ours", func(f *forger) {
		f.before = f.publish(signedBy(f.Options, f.other, f.ours))
		f.set(map[string]string{"signature_key_id": f.ours.Public().ID})
	}, "it is not what key"},
	{"publish with our signature of another snapshot", func(f *forger) {
		was := f.before
		f.before = f.publish(f.Options)
		f.set(map[string]string{"statement": was["statement"], "signature": was["signature"], "signature_key_id": was["signature_key_id"]})
	}, "of snapshot 3, not 4"},
	{"publish with a statement of its own under our signature", func(f *forger) {
		was := f.before
		f.before = f.publish(signedBy(f.Options, f.other, f.ours))
		f.set(map[string]string{"signature": was["signature"], "signature_key_id": was["signature_key_id"]})
	}, "it is not what key"},
	{"signed for another namespace", func(f *forger) {
		ctx, elsewhere := f.t.Context(), f.place
		elsewhere.Namespace = "another"
		for _, key := range elsewhere.names(f.t) {
			if rest, ok := strings.CutPrefix(key, elsewhere.key("")); ok && rest != "snapshots" {
				f.admin.Copy(ctx, key, f.key(rest), 0, true)
			}
		}
		f.admin.HSet(ctx, f.key("snapshots"), "4", f.admin.HGet(ctx, elsewhere.key("snapshots"), "4").Val())
	}, "in the namespace another"},
}

// TestForgedHeads has a server that verifies keep what it has, one that starts hold
// nothing, and a loader build upon nothing, until an operator rolls back.
func TestForgedHeads(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	for _, test := range forgeries {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			p.admin.FlushAll(ctx)
			k := newKey(t)
			elsewhere := p.Options
			elsewhere.Namespace = "another"
			other := newPublisher(t, signedBy(elsewhere, k))
			for day := range 4 {
				mustPublish(t, other, 1+day, opaque)
			}
			publisher := newPublisher(t, signedBy(p.Options, k))
			for day, text := range []string{tron, evm, tron} {
				mustPublish(t, publisher, 1+day, text)
			}
			o := verifiedBy(p.Options, k)
			have := mustLoad(t, o, newest(t, publisher))
			f := follow(t, o, have, 5*time.Millisecond)

			test.forge(&forger{p, t, p.admin.HGetAll(ctx, p.key("head")).Val(), newKey(t), k})

			var refusal error
			eventually(t, "a refusal that says "+test.saying, func() bool {
				refusal = f.wantFailure(signing.ErrUntrusted)
				return strings.Contains(refusal.Error(), test.saying)
			})
			wantUntrusted(t, "the server", refusal, p.key("head"))
			f.wantNothing()
			_, err := newReader(t, o).Load(ctx)
			wantUntrusted(t, "another server", err, test.saying)
			before := p.permanent(t)
			_, _, err = publisher.Current(ctx)
			wantUntrusted(t, "the loader", err, test.saying, "snapshot sign", "snapshot rollback")
			_, err = publisher.Republish(ctx)
			wantUntrusted(t, "publishing it once more", err, test.saying, "snapshot sign", "snapshot rollback")
			if after := p.permanent(t); !maps.Equal(before, after) {
				wantEqual(t, "the loader", after, before)
			}

			s, err := publisher.Rollback(ctx, 2)
			if err != nil {
				t.Fatal(err)
			}
			f.wantRecovery()
			state := f.wantState()
			wantSame(t, state.Snapshot, s)
			// What an unsigned head says that it took back is not believed.
			if len(state.Verified) > 0 {
				t.Errorf("verified after the rollback: %+v", state.Verified)
			}
			mustLoad(t, o, s)
			mustLoad(t, o, mustPublish(t, publisher, 5, opaque))
		})
	}
}

// TestReplayedHead has Redis serve an older head, as it was signed.
func TestReplayedHead(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher, o := newPublisher(t, signedBy(p.Options, k)), verifiedBy(p.Options, k)
	first := mustPublish(t, publisher, 1, tron)
	old := p.admin.HGetAll(ctx, p.key("head")).Val()
	last := mustPublish(t, publisher, 2, evm)
	f := follow(t, o, mustLoad(t, o, last), 5*time.Millisecond)
	p.admin.HSet(ctx, p.key("head"), old)
	f.wantFailure(ErrOlder)
	f.wantNothing()
	// Who has nothing cannot know; the age of the lists tells.
	mustLoad(t, o, first)
	// Later than it was.
	p.admin.HSet(ctx, p.key("head"), "created_at", last.CreatedAt.Add(time.Hour).Format(time.RFC3339Nano))
	f.wantFailure(signing.ErrUntrusted)
	f.wantNothing()
}

// TestBeginToSign has an operator begin to sign, in the order that is documented.
func TestBeginToSign(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	unsigned, publisher, o := newPublisher(t, p.Options), newPublisher(t, signedBy(p.Options, k)), verifiedBy(p.Options, k)
	if s, _, err := publisher.Current(ctx); err != nil || s.Sequence != 0 {
		t.Errorf("an empty Redis: %v, %v", s, err)
	}
	is := screen.Verification{At: at2025, Source: "a file"}
	mustPublish(t, unsigned, 1, tron)
	s := newest(t, unsigned)
	last, err := unsigned.Publish(ctx, s, merge(t, s, sdn, 2, evm), Verified{sdn.ID: is})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = publisher.Current(ctx)
	wantUntrusted(t, "loading", err, "it is not signed")
	_, err = publisher.Rollback(ctx, 1)
	wantUntrusted(t, "rolling back to what is not signed", err, "snapshot 1", "it is not signed")
	_, _, err = newReader(t, o).Snapshot(ctx, 1)
	wantUntrusted(t, "a kept snapshot", err, "snapshot 1")
	before := p.permanent(t)
	if _, err := publisher.Sign(ctx, s.Digest()); err == nil || !strings.Contains(err.Error(), last.Digest().String()) {
		t.Errorf("signing another digest: %v", err)
	}
	if _, err := unsigned.Sign(ctx, last.Digest()); err == nil || !strings.Contains(err.Error(), "no key") {
		t.Errorf("signing without a key: %v", err)
	}
	if after := p.permanent(t); !maps.Equal(before, after) {
		wantEqual(t, "what failed", after, before)
	}
	signed, err := publisher.Sign(ctx, last.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if signed.Sequence != 3 || !signed.Equal(last) {
		t.Errorf("signed %s as %s", last, signed)
	}
	// What nobody signed is not known of the list, until the next load, nor after a rollback.
	if m, err := publisher.manifest(ctx, signed.Sequence); err != nil || !m.Lists[0].VerifiedAt.IsZero() {
		t.Errorf("the manifest of what is signed: %+v, %v", m, err)
	}
	state, err := newReader(t, o).Load(ctx)
	wantUntrusted(t, "an unsigned verification", err, p.key("verified"), `"us-ofac-sdn"`)
	wantSame(t, state.Snapshot, signed)
	wantVerified(t, state.Verified, Verified{})
	current, verified, err := publisher.Current(ctx)
	if err != nil || len(verified) > 0 {
		t.Errorf("the loader knows %v, %v", verified, err)
	}
	if err := publisher.Verify(ctx, current, Verified{sdn.ID: is}); err != nil {
		t.Fatal(err)
	}
	wantVerified(t, mustLoad(t, o, signed).Verified, Verified{sdn.ID: is})
	if _, err := publisher.Sign(ctx, signed.Digest()); err == nil || !strings.Contains(err.Error(), "signed by this key") {
		t.Errorf("signing again: %v", err)
	}
	kept, err := newReader(t, o).Kept(ctx)
	if err != nil || len(kept) != 3 || kept[1].SignedBy != "" || !strings.Contains(kept[1].Untrusted, "it is not signed") ||
		kept[2].SignedBy != k.Public().ID || kept[2].Untrusted != "" {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

// TestKeyRotation replaces a key: both are trusted for a while, then the new one.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, old, next := t.Context(), newKey(t), newKey(t)
	publisher := newPublisher(t, signedBy(p.Options, old))
	is := Verified{sdn.ID: {At: at2025, Source: "a file"}}
	s, err := publisher.Publish(ctx, screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), is)
	if err != nil {
		t.Fatal(err)
	}
	both := verifiedBy(p.Options, old, next)
	f := follow(t, both, nil, 5*time.Millisecond)
	wantSame(t, f.wantState().Snapshot, s)
	_, err = newReader(t, verifiedBy(p.Options, next)).Load(ctx)
	wantUntrusted(t, "who knows the new key only", err, old.Public().ID)
	_, _, err = newPublisher(t, signedBy(p.Options, next)).Current(ctx)
	wantUntrusted(t, "a loader that knows the new key only", err, old.Public().ID)

	rotating := newPublisher(t, signedBy(p.Options, next, old))
	if current, verified, err := rotating.Current(ctx); err != nil || !current.Equal(s) || len(verified) != 1 {
		t.Errorf("a loader that knows both: %v, %v, %v", current, verified, err)
	}
	signed, err := rotating.Sign(ctx, s.Digest())
	if err != nil {
		t.Fatal(err)
	}
	state := f.wantState()
	wantSame(t, state.Snapshot, signed)
	wantVerified(t, state.Verified, is)
	wantVerified(t, mustLoad(t, verifiedBy(p.Options, next), signed).Verified, is)
	_, err = newReader(t, verifiedBy(p.Options, old)).Load(ctx)
	wantUntrusted(t, "who knows the old key only", err, next.Public().ID)
	mustLoad(t, verifiedBy(p.Options, next), mustPublish(t, newPublisher(t, signedBy(p.Options, next)), 2, evm))
}

// TestForgedVerifications makes stale lists look fresh.
func TestForgedVerifications(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher, o := newPublisher(t, signedBy(p.Options, k)), verifiedBy(p.Options, k)
	list := sdn
	list.ID = "us-ofac-cons"
	both := merge(t, merge(t, screen.Empty(), sdn, 1, tron), list, 1, tron)
	is := screen.Verification{At: at2025, Source: "a file"}
	s, err := publisher.Publish(ctx, screen.Empty(), both, Verified{sdn.ID: is, list.ID: is})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := signedBy(p.Options, k)
	elsewhere.Namespace = "another"
	fresh := screen.Verification{At: at2025.Add(time.Hour), Source: "a file"}
	if _, err := newPublisher(t, elsewhere).Publish(ctx, screen.Empty(), both, Verified{sdn.ID: fresh}); err != nil {
		t.Fatal(err)
	}
	foreign := p
	foreign.Namespace = "another"
	signed, ofCons := p.admin.HGet(ctx, p.key("verified"), "us-ofac-sdn").Val(), p.admin.HGet(ctx, p.key("verified"), "us-ofac-cons").Val()
	encoded, signature, ok := strings.Cut(signed, "\n")
	if !ok {
		t.Fatalf("%q is not signed", signed)
	}
	later := strings.Replace(encoded, "12:00:00Z", "13:00:00Z", 1)
	if later == encoded {
		t.Fatalf("%q is not of noon", encoded)
	}
	liar := newPublisher(t, signedBy(p.Options, newKey(t)))
	f := follow(t, o, nil, 5*time.Millisecond)
	f.wantState()
	for name, forged := range map[string]string{
		"unsigned":                   later,
		"with the signature before":  later + "\n" + signature,
		"another key":                liar.signVerifications(map[string]string{"us-ofac-sdn": later})["us-ofac-sdn"],
		"another list":               ofCons,
		"another namespace":          p.admin.HGet(ctx, foreign.key("verified"), "us-ofac-sdn").Val(),
		"a signature of no form":     later + "\n" + signature[1:],
		"no JSON":                    "{\n" + signature,
		"nothing":                    "",
		"the signed one, and a line": signed + "\n" + later,
	} {
		t.Run(name, func(t *testing.T) {
			f.t = t
			p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", forged)
			wantUntrusted(t, "the server", f.wantFailure(signing.ErrUntrusted), p.key("verified"), `"us-ofac-sdn"`)
			wantVerified(t, f.wantState().Verified, Verified{list.ID: is})
			state, err := newReader(t, o).Load(ctx)
			wantUntrusted(t, "another server", err)
			wantSame(t, state.Snapshot, s)
			wantVerified(t, state.Verified, Verified{list.ID: is})
			current, verified, err := publisher.Current(ctx)
			if err != nil {
				t.Fatal(err)
			}
			wantVerified(t, verified, Verified{list.ID: is})
			if err := publisher.Verify(ctx, current, Verified{sdn.ID: is}); err != nil {
				t.Fatal(err)
			}
			f.wantRecovery()
			wantVerified(t, f.wantState().Verified, Verified{sdn.ID: is, list.ID: is})
		})
	}
}

// TestForgedManifest has a rollback sign that a list was compared later than it can
// have been.
func TestForgedManifest(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher := newPublisher(t, signedBy(p.Options, k))
	first, err := publisher.Publish(ctx, screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), Verified{sdn.ID: {At: at2025}})
	if err != nil {
		t.Fatal(err)
	}
	mustPublish(t, publisher, 2, evm)
	manifest := p.admin.HGet(ctx, p.key("snapshots"), "1").Val()
	forged := strings.Replace(manifest, at2025.Format(time.RFC3339), "2999-01-01T00:00:00Z", 1)
	if forged == manifest {
		t.Fatalf("not verified: %s", manifest)
	}
	p.admin.HSet(ctx, p.key("snapshots"), "1", forged)
	s, err := publisher.Rollback(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if at := mustLoad(t, verifiedBy(p.Options, k), s).Verified[sdn.ID].At; !at.Equal(first.CreatedAt) {
		t.Errorf("compared at %s, want %s", at, first.CreatedAt)
	}
}

// TestVerifiedOnce takes the key away behind a reader's back: what it verified
// before is not verified again, everything else is.
func TestVerifiedOnce(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher, r := newPublisher(t, signedBy(p.Options, k)), newReader(t, verifiedBy(p.Options, k))
	s, err := publisher.Publish(ctx, screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), Verified{sdn.ID: {At: at2025}})
	if err != nil {
		t.Fatal(err)
	}
	have, err := r.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.trust.keys = trusting(newKey(t))
	if again, err := r.LoadAfter(ctx, have); err != nil || again.Snapshot != have.Snapshot || len(again.Verified) != 1 {
		t.Errorf("verified again: %v, %v", again, err)
	}
	if err := publisher.Verify(ctx, s, Verified{sdn.ID: {At: at2025.Add(time.Hour)}}); err != nil {
		t.Fatal(err)
	}
	state, err := r.LoadAfter(ctx, have)
	wantUntrusted(t, "another verification", err)
	if state.Snapshot != have.Snapshot || len(state.Verified) > 0 {
		t.Errorf("another verification: %+v", state)
	}
	mustPublish(t, publisher, 2, evm)
	_, err = r.LoadAfter(ctx, have)
	wantUntrusted(t, "another snapshot", err)
}

// TestSignedCache keeps signatures in files.
func TestSignedCache(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher := newPublisher(t, signedBy(p.Options, k))
	var states []*State
	for day := range 3 {
		previous := newest(t, publisher)
		if _, err := publisher.Publish(ctx, previous, merge(t, previous, sdn, 1+day, tron), Verified{sdn.ID: {At: at2025}}); err != nil {
			t.Fatal(err)
		}
		states = append(states, mustLoad(t, verifiedBy(p.Options, k), newest(t, publisher)))
	}
	c := Cache{Dir: t.TempDir(), Trusted: trusting(k)}
	signatures := signatureFile(c.snapshotFile())
	save := func(s *State) {
		t.Helper()
		if err := c.Save(s, true); err != nil {
			t.Fatal(err)
		}
	}
	wantSigned := func(what string, want *State) {
		t.Helper()
		got, err := c.Load()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		wantSame(t, got.Snapshot, want.Snapshot)
		wantVerified(t, got.Verified, want.Verified)
		if got.Signed != want.Signed {
			t.Errorf("%s: signed %+v", what, got.Signed)
		}
	}
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(states[0])
	wantSigned("the first", states[0])
	save(states[1])
	wantSigned("the second", states[1])
	if text, _ := os.ReadFile(signatures); string(text) != states[1].Signed.Text() {
		t.Errorf("%s holds %q", signatures, text)
	}
	// It dies after the first of the two files, and after the second.
	save(states[0])
	write(signatures, states[1].Signed.Text()+states[0].Signed.Text())
	c.writeFreshness(t, states[0])
	wantSigned("before the snapshot", states[0])
	save(states[1])
	write(signatures, states[1].Signed.Text()+states[0].Signed.Text())
	wantSigned("before the signature before is dropped", states[1])
	// It dies after the first file, again and again.
	save(states[0])
	for _, next := range states[1:] {
		if _, err := addSignature(c.snapshotFile(), next.Signed); err != nil {
			t.Fatal(err)
		}
		wantSigned("before "+next.Snapshot.String(), states[0])
	}
	save(states[1])
	if text, _ := os.ReadFile(signatures); string(text) != states[1].Signed.Text() {
		t.Errorf("%s holds %q", signatures, text)
	}

	for name, test := range map[string]struct {
		spoil  func()
		saying string
	}{
		"no signature":             {func() { os.Remove(signatures) }, "it is not signed"},
		"the signature of another": {func() { write(signatures, states[0].Signed.Text()) }, "of snapshot 1, not 2"},
		"half a signature":         {func() { write(signatures, states[1].Signed.Text()[:100]) }, signatures},
		"a snapshot of another time": {func() {
			respell(t, c.snapshotFile(), states[1].Snapshot.CreatedAt.Format(time.RFC3339Nano), "2999-01-01T00:00:00Z")
		}, "not 2999"},
		"one that was saved unsigned":  {func() { save(&State{Snapshot: states[1].Snapshot}) }, "it is not signed"},
		"another namespace's":          {func() { c.Namespace = "another" }, "in the namespace default"},
		"signed by a key of yesterday": {func() { c.Namespace, c.Trusted = "", trusting(newKey(t)) }, "signed by key"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &c
			was := *c
			defer func() { *c = was }()
			save(states[1])
			test.spoil()
			state, err := c.Load()
			wantUntrusted(t, "loading", err, test.saying)
			if state != nil {
				t.Errorf("loaded %s", state.Snapshot)
			}
			// Who trusts nobody loads it, but for what is torn.
			c.Trusted = nil
			if _, err := c.Load(); err != nil {
				t.Errorf("without keys: %v", err)
			}
		})
	}
	// Of freshness that is not signed nothing is known.
	save(states[1])
	c.writeFreshness(t, stateOf(t, states[1].Snapshot, Verified{sdn.ID: {At: at2025.Add(time.Hour)}}))
	state, err := c.Load()
	wantUntrusted(t, "freshness", err, c.verifiedFile())
	if state == nil || len(state.Verified) > 0 {
		t.Errorf("freshness that is not signed: %+v", state)
	}
}

func (c Cache) writeFreshness(t testing.TB, s *State) {
	t.Helper()
	if err := c.Save(s, false); err != nil {
		t.Fatal(err)
	}
}

func respell(t testing.TB, file, old, with string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzSignedFields reads signatures that anybody may have written.
func FuzzSignedFields(f *testing.F) {
	k := newKey(f)
	t := trust{name: DefaultNamespace, keys: trusting(k)}
	s := merge(f, screen.Empty(), sdn, 1, tron).Named(1, at2025)
	good := k.Sign(signing.Snapshot{Namespace: "default", Sequence: 1, Digest: s.Digest(), CreatedAt: at2025}.Statement())
	f.Add(good.Statement, base64.StdEncoding.EncodeToString([]byte(good.Signature)), good.KeyID, "{}\n{}")
	f.Add("", "", "", "{}")
	f.Add(good.Statement, "?", good.KeyID, `{}`+"\n"+`{"signature_key_id":"`+good.KeyID+`","signature":"AA=="}`)
	f.Fuzz(func(tt *testing.T, statement, signature, id, verification string) {
		h := head{sequence: 1, digest: s.Digest(), createdAt: at2025}
		h.signed = signedFields(map[string]string{"statement": statement, "signature": signature, "signature_key_id": id})
		if err := t.trustHead(h); err == nil && h.signed != good {
			tt.Errorf("trusted %+v", h.signed)
		}
		if trusted, err := t.trustVerifications(map[string]string{"us-ofac-sdn": verification}); err == nil {
			tt.Errorf("trusted %v", trusted)
		}
	})
}
