package main_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store"
	"walletscreen/screen/store/storetest"
)

// TestOperatorsPort asks what operators and their Prometheus ask.
func TestOperatorsPort(t *testing.T) {
	s := serve(t)
	for _, test := range []struct {
		path   string
		status int
		holds  string
	}{
		{"/", http.StatusOK, "us-ofac-sdn"},
		{"/metrics", http.StatusOK, "walletscreen_ready 1"},
		{"/debug/pprof/goroutine?debug=1", http.StatusOK, "goroutine profile"},
		// The command line may hold the password of Redis.
		{"/debug/pprof/cmdline", http.StatusNotFound, ""},
		{"/nothing", http.StatusNotFound, ""},
	} {
		res, err := http.Get("http://" + s.ops + test.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != test.status || !strings.Contains(string(body), test.holds) {
			t.Errorf("%s: %s, want %d with %q:\n%s", test.path, res.Status, test.status, test.holds, body)
		}
	}
}

// TestHeldIsShown has a loader record that a guard stopped a publication: whoever
// looks at the server sees it, at once, and after a restart without Redis.
func TestHeldIsShown(t *testing.T) {
	t.Parallel()
	redisServer := storetest.Redis(t)
	redis, cache := "redis://"+redisServer.Addr, t.TempDir()
	load(t, redis, reconstruct(t, "2025-11-04"))
	s := serve(t, "--redis", redis, "--cache-dir", cache)
	get := func(path string) string {
		t.Helper()
		res, err := http.Get("http://" + s.ops + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", path, res.Status, err)
		}
		return string(body)
	}
	if page := get("/"); strings.Contains(page, "HELD") {
		t.Errorf("nothing is held:\n%s", page)
	}

	publisher, err := store.NewPublisher(store.Options{URL: redis})
	if err != nil {
		t.Fatal(err)
	}
	defer publisher.Close()
	current, verified, err := publisher.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := verified["us-ofac-sdn"]
	if v.At.IsZero() {
		t.Fatalf("verified: %v", verified)
	}
	v.Held = &screen.Held{Since: time.Date(2025, 11, 5, 12, 0, 0, 0, time.UTC), PublishedOn: 20251105, Why: "6 of 10 rows are gone", Delisted: 6}
	err = publisher.Verify(t.Context(), current, store.Verified{"us-ofac-sdn": v, "own": {Held: v.Held}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server logs it", func() bool {
		return strings.Contains(s.logged(), `msg="a publication is held and not served" list=us-ofac-sdn published=2025-11-05`)
	})
	shown := func() {
		t.Helper()
		page := get("/")
		for _, want := range []string{"us-ofac-sdn HELD since 2025-11-05T12:00:00Z: 6 of 10 rows are gone\n", "own HELD since"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q:\n%s", want, page)
			}
		}
		if out := runProgram(t, "", "lists", "--server", s.addr); out.code != 0 || !strings.Contains(out.stdout, "us-ofac-sdn HELD since 2025-11-05T12:00:00Z") {
			t.Errorf("walletscreen lists: %+v", out)
		}
		metrics := get("/metrics")
		for _, want := range []string{
			`walletscreen_list_held{list="us-ofac-sdn"} 1`, `walletscreen_list_held{list="own"} 1`,
			`walletscreen_list_held_since_timestamp_seconds{list="us-ofac-sdn"} 1.7623`, "walletscreen_ready 1",
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("the metrics do not say %q", want)
			}
		}
	}
	shown()
	eventually(t, "it is cached", func() bool {
		text, _ := os.ReadFile(filepath.Join(cache, "verified.json"))
		return strings.Contains(string(text), "6 of 10 rows are gone")
	})
	redisServer.Kill()
	s.kill()
	s = serve(t, "--redis", redis, "--cache-dir", cache)
	shown()
}

// TestStopWhileStarting stops servers that still wait for a Redis that takes
// connections and says nothing.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	connected := make(chan net.Conn)
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			connected <- conn
		}
	}()
	for range 3 {
		var log strings.Builder
		cmd := exec.Command(program(t), "serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--redis", "redis://"+silent.Addr().String())
		cmd.Stderr = &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		signaled := false
		for done := false; !done; {
			select {
			case conn := <-connected:
				defer conn.Close()
				if !signaled {
					signaled = true
					_ = cmd.Process.Signal(syscall.SIGTERM)
				}
			case err := <-ended:
				done = true
				if err != nil {
					t.Errorf("walletscreen serve after SIGTERM: %v\n%s", err, &log)
				}
			}
		}
		late.Stop()
	}
}
