package main_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
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

// TestStopWhileStarting stops servers that still wait for a Redis that takes
// connections and says nothing.
func TestStopWhileStarting(t *testing.T) {
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
