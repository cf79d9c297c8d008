package store

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSchema compares all that two published snapshots, the second of them signed,
// leave in Redis with a file,
// so that a change of the schema is seen. One that old readers cannot follow
// needs another schema number.
func TestSchema(t *testing.T) {
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	previous := mustPublish(t, publisher, 1, opaque, tron)
	verified := Verified{
		sdn.ID:    {At: time.Date(2025, 2, 1, 12, 30, 0, 0, time.UTC), Source: "https://example.com/sdn.xml", Fetched: fetchedOnce},
		"another": {Held: heldBack},
	}
	k := newKey(t)
	published, err := newPublisher(t, signedBy(p.Options, k)).Publish(t.Context(), previous, merge(t, previous, sdn, 2, tron, evm), verified)
	if err != nil {
		t.Fatal(err)
	}
	dump := p.dump(t)
	var b strings.Builder
	const then = "2025-02-01T12:00:00.001Z" // both may be of one millisecond
	signature := regexp.MustCompile(`("signature":"|head signature\n\t)[A-Za-z0-9+/]{86}==`)
	normalize := strings.NewReplacer(k.Public().ID, "0123456789abcdef", previous.CreatedAt.Format(time.RFC3339Nano), then, published.CreatedAt.Format(time.RFC3339Nano), then)
	for _, key := range slices.Sorted(maps.Keys(dump)) {
		fmt.Fprintf(&b, "%s\n", key)
		for line := range strings.Lines(dump[key] + "\n") {
			fmt.Fprintf(&b, "\t%s", normalize.Replace(line))
		}
	}
	text := signature.ReplaceAllString(b.String(), "${1}SIGNATURE")
	const file = "testdata/schema.golden.txt"
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("what stands in Redis is not what %s says (-update writes it anew):\n%s", file, text)
	}
	mustLoad(t, p.Options, published)
}

// FuzzState reads what a head, a manifest and a verification may hold.
func FuzzState(f *testing.F) {
	s := merge(f, screen.Empty(), sdn, 1, tron)
	digest := s.Digest().String()
	f.Add("2", "1", digest, "2025-02-01T12:00:00Z", `{"schema":2,"sequence":1,"digest":"`+digest+`","size":4194305,"pieces":2}`,
		`{"sha256":"`+s.List(sdn.ID).Current().Digest.String()+`","verified_at":"2025-02-01T12:00:00Z","source":"a file"}`)
	f.Add("1", "0", "", "", "{}", "{}")
	f.Add("2", "1", digest, "2025-02-01T12:00:00Z", "{}", `{"sha256":"`+s.List(sdn.ID).Current().Digest.String()+`","source":"",`+
		`"fetched":[{"url":"https://example.com/","etag":"\"1\"","last_modified":"Sat, 01 Feb 2025 12:00:00 GMT","at":"2025-02-01T12:00:00Z","sha256":"`+digest+`"}],`+
		`"held":{"since":"2025-02-01T12:00:00Z","published_on":"2025-01-31","sha256":"`+digest+`","source":"a file","why":"6 of 10 rows are gone","listed":1,"delisted":6,"amended":2}}`)
	f.Fuzz(func(t *testing.T, schemaText, sequence, digest, createdAt, manifest, verification string) {
		h, err := parseHead(map[string]string{"schema": schemaText, "sequence": sequence, "digest": digest, "created_at": createdAt})
		if err == nil {
			if h.sequence == 0 || h.digest.String() != digest {
				t.Errorf("read %v", h)
			}
			if m, err := parseManifest(manifest, h.sequence); err == nil {
				if m.Size < 1 || int64(m.Size) > maxContent || m.Pieces < 1 || m.Pieces > 1+m.Size/smallestPiece || m.Sequence != h.sequence {
					t.Errorf("read %+v", m)
				}
			}
		}
		if verified, err := decodeVerifications(s, map[string]string{string(sdn.ID): verification}); err == nil && len(verified) > 0 {
			fields, err := encodeVerifications(s, verified)
			if err != nil {
				return // a year that JSON cannot write
			}
			again, err := decodeVerifications(s, fields)
			if err != nil || !maps.EqualFunc(again, verified, sameVerification) {
				t.Errorf("%v became %v, %v", verified, again, err)
			}
		}
	})
}

func sameVerification(a, b screen.Verification) bool {
	return a.Source == b.Source && a.ReadBy == b.ReadBy && a.At.Equal(b.At) && sameHeld(a.Held, b.Held) && slices.EqualFunc(a.Fetched, b.Fetched, sameFetched)
}

func sameHeld(a, b *screen.Held) bool {
	if a == nil || b == nil {
		return a == b
	}
	timeless := *b
	timeless.Since = a.Since
	return a.Since.Equal(b.Since) && *a == timeless
}

func sameFetched(a, b screen.Fetched) bool {
	timeless := b
	timeless.At = a.At
	return a.At.Equal(b.At) && a == timeless
}
