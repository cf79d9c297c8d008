package main_test

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/store/storetest"
)

// TestBadStatesOfRedis has the program meet a Redis that it cannot work with, once in
// every way: the loader says what is wrong, the server goes on with what it has, and
// both go on by themselves when it is mended. Every key of the schema is tried by the
// tests of the store.
func TestBadStatesOfRedis(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t, "--maxmemory-policy", "noeviction")
	admin := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer admin.Close()
	ctx, url, dir := t.Context(), "redis://"+server.Addr, t.TempDir()
	head := func(field string) string { return admin.HGet(ctx, ownKey("head"), field).Val() }
	spoil := func(key string, do func(key string)) (mend func()) {
		before := admin.Dump(ctx, key).Val()
		do(key)
		if is := admin.Dump(ctx, key).Val(); before == "" || is == before {
			t.Fatalf("%s was not there, or is as it was", key)
		}
		return func() {
			if err := admin.RestoreReplace(ctx, key, 0, before).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := editions{}
	loads := func() output {
		t.Helper()
		args := []string{"load", "--redis", url}
		for list, id := range ownLists {
			file := filepath.Join(dir, string(id)+".csv")
			must(os.WriteFile(file, (now[list] + 1).csv(list), 0o600))
			args = append(args, "--source", string(id)+"="+file)
		}
		return runBuilt(t, builtPlain.program(t), "", args...)
	}
	published := func() {
		t.Helper()
		if out := loads(); out.code != 0 {
			t.Fatalf("load: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
		}
		now = editions{now[0] + 1, now[1] + 1}
	}
	published()
	s := serve(t, "--redis", url, "--require-list", string(ownLists[0]), "--require-list", string(ownLists[1]))
	c := dial(t, s.addr)
	random := rand.New(rand.NewPCG(1, 2))
	serves := func() bool {
		asked := question(random)
		req := &pb.ScreenAddressesRequest{}
		for _, p := range asked {
			req.Addresses = append(req.Addresses, p.text)
		}
		is, err := compare(asked, ask(t, c, req))
		ready, readyErr := c.Ready(ctx)
		if err != nil || readyErr != nil || !ready {
			t.Fatalf("%v; ready %t, %v", err, ready, readyErr)
		}
		return is == now
	}

	for _, test := range []struct {
		name string
		// begin returns what ends it, and what is wrong.
		begin func() (end func(), says string)
		// unread says that a server cannot read it either.
		unread bool
	}{
		{"out of memory", func() (func(), string) {
			must(admin.ConfigSet(ctx, "maxmemory", "1").Err())
			return func() { must(admin.ConfigSet(ctx, "maxmemory", "0").Err()) }, "OOM"
		}, false},
		{"read-only replica", func() (func(), string) {
			host, port, err := net.SplitHostPort(server.Addr)
			must(err)
			must(admin.ReplicaOf(ctx, host, port).Err()) // of itself, which it never reaches
			return func() { must(admin.ReplicaOf(ctx, "NO", "ONE").Err()) }, "read-only replica"
		}, false},
		{"head of another type", func() (func(), string) {
			return spoil(ownKey("head"), func(key string) { admin.Del(ctx, key); admin.LPush(ctx, key, "x") }), ownKey("head") + ": WRONGTYPE"
		}, true},
		{"garbage in a piece", func() (func(), string) {
			list := admin.Get(ctx, ownKey("content:"+head("digest"))).Val()
			digest, _, _ := strings.Cut(list, " ")
			key := ownKey("piece:" + digest)
			return spoil(key, func(key string) { admin.SetRange(ctx, key, 20, "\x00garbage\xff") }), key + ": it does not have that digest"
		}, false}, // the server has that piece, and reads it no more
		{"head of a future schema", func() (func(), string) {
			return spoil(ownKey("head"), func(key string) { admin.HSet(ctx, key, "schema", "3") }), ownKey("head") + `: it has schema "3"`
		}, true},
		{"manifest of a future schema", func() (func(), string) {
			sequence := head("sequence")
			return spoil(ownKey("snapshots"), func(key string) {
				admin.HSet(ctx, key, sequence, strings.Replace(admin.HGet(ctx, key, sequence).Val(), `"schema":2`, `"schema":3`, 1))
			}), "manifest of schema 3"
		}, false}, // it knows the snapshot that the head names
		{"garbage as the freshness of a list", func() (func(), string) {
			return spoil(ownKey("verified"), func(key string) { admin.Del(ctx, key); admin.Set(ctx, key, "\xff", 0) }), ownKey("verified")
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			eventually(t, "the editions are served", serves)
			end, says := test.begin()
			out := loads()
			if out.code != 1 || !strings.Contains(out.stderr, says) {
				t.Errorf("load: exit code %d, want 1 and an error that says %q:\n%s%s", out.code, says, out.stdout, out.stderr)
			}
			from := len(s.logged())
			if test.unread {
				eventually(t, "the server says what is wrong", func() bool {
					admin.Publish(ctx, ownKey("changed"), "look")
					return strings.Contains(strings.ReplaceAll(s.logged(), `\"`, `"`), says)
				})
			}
			// It is asked for a while: nothing but the old editions.
			for until := time.Now().Add(100 * time.Millisecond); time.Now().Before(until); {
				if !serves() {
					t.Fatal("the server does not serve what it had")
				}
			}
			end()
			if test.unread {
				eventually(t, "the server finds it mended", func() bool {
					admin.Publish(ctx, ownKey("changed"), "look")
					return strings.Contains(s.logged()[from:], "Redis answers again")
				})
			}
			published()
			eventually(t, "the next editions are served", serves)
		})
	}
}
