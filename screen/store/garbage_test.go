package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// testGarbage spoils what a publisher wrote in every way that comes to mind. A
// reader must refuse it with an error that names the key.
func testGarbage(t *testing.T, p place) {
	ctx := t.Context()
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron, evm)
	digest := first.Digest().String()
	piece := p.key("piece:" + digest)
	list := p.key("content:" + digest)
	content := string(first.Encoding())
	head := func(field, value string) func() {
		return func() { p.admin.HSet(ctx, p.key("head"), field, value) }
	}
	manifest := func(field string, value any) func() {
		return func() {
			var m map[string]any
			if err := json.Unmarshal([]byte(p.admin.HGet(ctx, p.key("snapshots"), "1").Val()), &m); err != nil {
				t.Fatal(err)
			}
			if m[field] == nil {
				t.Fatalf("no %s in the manifest", field)
			}
			m[field] = value
			changed, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			p.admin.HSet(ctx, p.key("snapshots"), "1", changed)
		}
	}
	wrongType := func(key string) func() {
		return func() {
			p.admin.Del(ctx, key)
			p.admin.LPush(ctx, key, "garbage")
		}
	}
	all := func(changes ...func()) func() {
		return func() {
			for _, change := range changes {
				change()
			}
		}
	}
	dropped := func(field string) func() { return func() { p.admin.HDel(ctx, p.key("head"), field) } }
	other := strings.Repeat("ab", 32)

	for _, test := range []struct {
		name   string
		spoil  func()
		naming string // the key that the error names
		saying string
		is     error
	}{
		{"head of another type", wrongType(p.key("head")), p.key("head"), "WRONGTYPE", nil},
		{"head without schema", dropped("schema"), p.key("head"), `schema ""`, nil},
		{"head without sequence", dropped("sequence"), p.key("head"), `sequence ""`, nil},
		{"head without digest", dropped("digest"), p.key("head"), `digest ""`, nil},
		{"head without time", dropped("created_at"), p.key("head"), "created_at", nil},
		{"head of a future schema", head("schema", "3"), p.key("head"), `schema "3", this program reads 2`, nil},
		{"head of the schema before", head("schema", "1"), p.key("head"), `schema "1", this program reads 2`, nil},
		{"sequence 0", head("sequence", "0"), p.key("head"), `sequence "0"`, nil},
		{"sequence -1", head("sequence", "-1"), p.key("head"), `sequence "-1"`, nil},
		{"sequence beyond 64 bits", head("sequence", "18446744073709551616"), p.key("head"), "18446744073709551616", nil},
		{"sequence without manifest", head("sequence", "2"), p.key("snapshots") + ", field 2", "not there", nil},
		{"digest in capitals", head("digest", strings.ToUpper(digest)), p.key("head"), "lower-case", nil},
		{"digest of nothing", head("digest", other), p.key("snapshots") + ", field 1", "abab", nil},
		{"time of another form", head("created_at", "yesterday"), p.key("head"), "yesterday", nil},

		{"snapshots of another type", wrongType(p.key("snapshots")), p.key("snapshots"), "WRONGTYPE", nil},
		{"no snapshots", func() { p.admin.Del(ctx, p.key("snapshots")) }, p.key("snapshots"), "not there", nil},
		{"manifest that is no JSON", func() { p.admin.HSet(ctx, p.key("snapshots"), "1", "{") }, p.key("snapshots"), "manifest", nil},
		{"manifest that is a list", func() { p.admin.HSet(ctx, p.key("snapshots"), "1", "[]") }, p.key("snapshots"), "manifest", nil},
		{"empty manifest", func() { p.admin.HSet(ctx, p.key("snapshots"), "1", "{}") }, p.key("snapshots"), "schema 0", nil},
		{"manifest of a future schema", manifest("schema", 3), p.key("snapshots"), "schema 3, this program reads 2", nil},
		{"manifest of another snapshot", manifest("sequence", 7), p.key("snapshots"), "snapshot 7", nil},
		{"manifest of other content", manifest("digest", other), p.key("snapshots"), "abab", nil},
		{"manifest of a digest that is none", manifest("digest", "x"), p.key("snapshots"), "hex digits", nil},
		{"manifest of negative size", all(manifest("size", -1), manifest("pieces", 0)), p.key("snapshots"), "-1 bytes", nil},
		{"manifest of giant size", all(manifest("size", 5<<30), manifest("pieces", 1024)), p.key("snapshots"), "5368709120 bytes", nil},
		{"manifest of a size beyond 64 bits", manifest("size", 1e30), p.key("snapshots"), "size", nil},
		{"manifest of giant number of pieces", manifest("pieces", 1<<40), p.key("snapshots"), "1099511627776 pieces", nil},
		{"manifest of no content", all(manifest("size", 0), manifest("pieces", 0)), p.key("snapshots"), "0 bytes", nil},
		{"manifest of more than there is", manifest("size", 1<<20), list, "1048576 bytes", nil},
		{"manifest of more pieces than there are", all(manifest("size", 1<<20), manifest("pieces", 2)), list, "2 of 1048576 bytes", nil},

		{"list of pieces of another type", wrongType(list), list, "WRONGTYPE", nil},
		{"missing list of pieces", func() { p.admin.Del(ctx, list) }, list, "not there", nil},
		{"empty list of pieces", func() { p.admin.Set(ctx, list, "", 0) }, list, "not there", nil},
		{"list of no pieces", func() { p.admin.Set(ctx, list, "garbage\n", 0) }, list, "line 1", nil},
		{"list of a giant piece", func() { p.admin.Set(ctx, list, digest+" 1048577\n", 0) }, list, "line 1", nil},
		{"list with another size", func() { p.admin.Set(ctx, list, digest+" 1\n", 0) }, list, "1 bytes", nil},
		{"list with another piece", func() { p.admin.Set(ctx, list, other+fmt.Sprintf(" %d\n", len(content)), 0) }, p.key("piece:" + other), "not there", nil},
		{"list with more", func() { p.admin.Append(ctx, list, digest+" 7\n") }, list, "", nil},
		{"list without its last byte", func() { p.admin.SetRange(ctx, list, 67, "9") }, list, "", nil},

		{"piece of another type", wrongType(piece), piece, "WRONGTYPE", nil},
		{"missing piece", func() { p.admin.Del(ctx, piece) }, piece, "not there", nil},
		{"empty piece", func() { p.admin.Set(ctx, piece, "", 0) }, piece, "not there", nil},
		{"truncated piece", func() { p.admin.Set(ctx, piece, content[:len(content)-1], 0) }, piece, "bytes", nil},
		{"piece with more", func() { p.admin.Append(ctx, piece, "\n") }, piece, "bytes", nil},
		{"corrupted piece", func() { p.admin.SetRange(ctx, piece, 30, "X") }, piece, "digest", errPiece},
		{"another piece of the same size", func() { p.admin.Set(ctx, piece, strings.Repeat("x", len(content)), 0) }, piece, "digest", errPiece},

		{"verified of another type", wrongType(p.key("verified")), p.key("verified"), "WRONGTYPE", nil},
		{"verification that is no JSON", func() { p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", "{") }, p.key("verified"), `"us-ofac-sdn"`, nil},
		{"verification of another form", func() { p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", `{"verified_at":1}`) }, p.key("verified"), `"us-ofac-sdn"`, nil},
		{"held without digest", func() { p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", `{"held":{"published_on":"2025-01-02"}}`) }, p.key("verified"), `"us-ofac-sdn": held: digest ""`, nil},
		{"held of no date", func() {
			p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", `{"held":{"sha256":"`+other+`","published_on":"2025-01-32"}}`)
		}, p.key("verified"), `"us-ofac-sdn": held: date "2025-01-32"`, nil},
		{"fetched without digest", func() {
			p.admin.HSet(ctx, p.key("verified"), "us-ofac-sdn", `{"fetched":[{"url":"https://example.com/"}]}`)
		}, p.key("verified"), `"us-ofac-sdn": fetched from "https://example.com/": digest ""`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.admin.FlushAll(ctx)
			again := mustPublish(t, publisher, 1, tron, evm)
			mustLoad(t, p.Options, again)
			test.spoil()
			f := follow(t, p.Options, nil)
			err := f.wantFailure(nil)
			for _, want := range []string{test.naming, test.saying} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %q is not %q", err, test.is)
			}
			if !Refused(err) {
				t.Errorf("error %q is not one of what Redis holds", err)
			}
			f.wantNothing()

			// One that has a snapshot goes on with it.
			have := &State{Snapshot: merge(t, again, sdn, 2, opaque).Named(9, again.CreatedAt)}
			f = follow(t, p.Options, have)
			f.wantFailure(nil)
			f.wantNothing()

			// A publisher either repairs it or changes nothing and says why.
			before := p.permanent(t)
			previous, _, err := publisher.Current(ctx)
			if err == nil {
				_, err = publisher.Publish(ctx, previous, merge(t, previous, sdn, 2, opaque), Verified{sdn.ID: {At: again.CreatedAt}})
			}
			if err == nil {
				mustLoad(t, p.Options, newest(t, publisher))
				return
			}
			if !strings.Contains(err.Error(), test.naming) {
				t.Errorf("publisher's error %q does not name %s", err, test.naming)
			}
			// Publishing as if nothing were wrong, too.
			if _, err = publisher.Publish(ctx, again, merge(t, again, sdn, 2, opaque), nil); err == nil {
				mustLoad(t, p.Options, newest(t, publisher))
				return
			}
			if after := p.permanent(t); !maps.Equal(before, after) {
				wantEqual(t, "failed publish", after, before)
			}
		})
	}
}

// testRetireGarbage has manifests that cannot be read, which must neither stop
// old snapshots from being retired nor cost the head its content.
func testRetireGarbage(t *testing.T, p place) {
	ctx := t.Context()
	for name, manifest := range map[string]string{
		"no JSON":           "{",
		"a number":          "42",
		"null":              "null",
		"no digest":         `{"pieces":1}`,
		"digest of no text": `{"digest":{},"pieces":1}`,
		"digest null":       `{"digest":null,"pieces":1}`,
		"giant":             `{"digest":"` + strings.Repeat("ab", 32) + `","pieces":1e15}`,
		"no number":         `{"digest":"` + strings.Repeat("ab", 32) + `","pieces":"x"}`,
		"path":              `{"digest":"*","pieces":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			p.admin.FlushAll(ctx)
			publisher := newPublisher(t, p.Options)
			publisher.Keep = 2
			mustPublish(t, publisher, 1, tron)
			mustPublish(t, publisher, 2, tron)
			for day := 3; day < 6; day++ {
				p.admin.HSet(ctx, p.key("snapshots"), "1", manifest, "other", manifest)
				published := mustPublish(t, publisher, day, tron)
				mustLoad(t, p.Options, published)
			}
			got := p.admin.HKeys(ctx, p.key("snapshots")).Val()
			if len(got) != 3 { // two snapshots and what has no number
				t.Errorf("kept: %v", got)
			}
		})
	}
	p.admin.FlushAll(ctx)
	publisher := newPublisher(t, p.Options)
	s := mustPublish(t, publisher, 1, tron)
	for range 3 {
		var err error
		if s, err = publisher.Publish(ctx, s, s, nil); err != nil {
			t.Fatal(err)
		}
	}
	p.admin.HSet(ctx, p.key("snapshots"), "4", "{")
	publisher.Keep = 1
	if err := publisher.retire(ctx); err != nil {
		t.Error(err)
	}
	if n := p.pieces(t); n != 1 {
		t.Errorf("%d pieces: the head's content is gone", n)
	}
}
