package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen/client"
	"walletscreen/screen/store/storetest"
)

// A backup is a redis-server whose data can be put back.
type backup struct {
	*storetest.Server
	t     *testing.T
	admin *redis.Client
	data  []byte
}

func openBackup(t *testing.T) *backup {
	t.Helper()
	b := &backup{Server: storetest.Redis(t), t: t}
	b.admin = redis.NewClient(&redis.Options{Addr: b.Addr})
	t.Cleanup(func() { b.admin.Close() })
	return b
}

// file is where the redis-server reads its data from when it starts.
func (b *backup) file() string {
	b.t.Helper()
	config, err := b.admin.ConfigGet(b.t.Context(), "d*").Result()
	if err != nil {
		b.t.Fatal(err)
	}
	return filepath.Join(config["dir"], config["dbfilename"])
}

// take takes a copy of the data.
func (b *backup) take() {
	b.t.Helper()
	err := b.admin.Save(b.t.Context()).Err()
	if err == nil {
		b.data, err = os.ReadFile(b.file())
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// putBack ends the redis-server, and starts it with the copy.
func (b *backup) putBack() {
	b.t.Helper()
	file := b.file()
	b.Kill()
	if err := os.WriteFile(file, b.data, 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.Restart()
}

// sequenceServed is the number of the snapshot that a server serves.
func sequenceServed(t *testing.T, c *client.Client) uint64 {
	t.Helper()
	res, err := c.GetSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return res.GetSnapshot().GetSequence()
}

// TestRedisWentBack puts back an older copy of Redis' data under a running server,
// while the publisher has nothing new. What the server serves is never older, and it
// does not stay behind: a loader that knows what was lost publishes it again, be it
// one that stays or one with a file, and an operator can have what is there served.
func TestRedisWentBack(t *testing.T) {
	t.Parallel()
	redis := openBackup(t)
	url := "redis://" + redis.Addr
	dir := t.TempDir()
	list := filepath.Join(dir, "house.csv")
	write := func(rows int) {
		t.Helper()
		text := "address\n"
		for i := range rows {
			text += madeAddress(i) + "\n"
		}
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	if out := runProgram(t, "", "load", "--redis", url, "--source", "house="+list); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	redis.take()
	s := serve(t, "--redis", url)
	c := dial(t, s.addr)
	refused := regexp.MustCompile(`level=ERROR msg=Redis .*it is older than what was read before`)
	wantRefused := func(times int) {
		t.Helper()
		eventually(t, "the server refuses the older head", func() bool { return len(refused.FindAllString(s.logged(), -1)) >= times })
	}
	wantServed := func(sequence uint64) {
		t.Helper()
		eventually(t, fmt.Sprintf("snapshot %d is served", sequence), func() bool { return sequenceServed(t, c) == sequence })
	}
	wantServed(1)

	// A loader with a file, that runs once and finds nothing new.
	write(2)
	kept := t.TempDir()
	once := func(want int) output {
		t.Helper()
		out := runProgram(t, "", "load", "--redis", url, "--source", "house="+list, "--cache-dir", kept)
		if out.code != want {
			t.Fatalf("%+v, want exit code %d", out, want)
		}
		return out
	}
	once(0)
	wantServed(2)
	redis.putBack()
	wantRefused(1)
	if out := once(4); !strings.Contains(out.stderr, "REDIS WENT BACK to snapshot 1 (") || !strings.Contains(out.stderr, "again, as snapshot 3 (") {
		t.Errorf("the loader says %q", out.stderr)
	}
	wantServed(3)

	// A loader that stays, without a file.
	staying := stayAndLoad(t, "--redis", url, "--source", "house="+list)
	eventually(t, "the list is found unchanged", func() bool { return staying.imports("house", "unchanged") > 0 })
	redis.putBack()
	wantServed(4)
	eventually(t, "the loader says so", func() bool {
		return strings.Contains(staying.logged(), "REDIS WENT BACK to snapshot 1 (") && strings.Contains(staying.logged(), "again, as snapshot 4 (")
	})
	// A flush is the same to it.
	if err := redis.admin.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	wantServed(5)
	eventually(t, "the loader says so", func() bool {
		return strings.Contains(staying.logged(), "REDIS HELD NO SNAPSHOT: published the kept snapshot 4 (")
	})
	staying.stop()

	// No loader knows what was lost.
	redis.putBack()
	wantRefused(2)
	if served := sequenceServed(t, c); served != 5 {
		t.Errorf("snapshot %d is served, want that 5 stays", served)
	}
	out := runProgram(t, "", "snapshot", "republish", "--redis", url)
	if out.code != 0 || !strings.HasPrefix(out.stdout, "snapshot 2 has the content that was current, digest ") {
		t.Fatalf("%+v", out)
	}
	wantServed(2)

	// A loader with a file is told that what it kept is not part of that.
	if out := once(0); !strings.Contains(out.stderr, "REDIS HOLDS snapshot 2 (") || !strings.Contains(out.stderr, "published after the kept snapshot 3 (") {
		t.Errorf("the loader says %q", out.stderr)
	}
	wantServed(3)
}
