package storetest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"walletscreen/screen/absent"
)

func wantReply(t *testing.T, s *Server, want any, args ...string) {
	t.Helper()
	got, err := s.Do(args...)
	if err != nil || got != want {
		t.Errorf("%q: got %v, %v; want %v", args, got, err, want)
	}
}

func TestKillAndRestart(t *testing.T) {
	s := Redis(t)
	addr := s.Addr
	wantReply(t, s, "OK", "SET", "list", "us-ofac-sdn")
	wantReply(t, s, "us-ofac-sdn", "GET", "list")

	s.Kill()
	s.Kill() // a second time does nothing
	if reply, err := s.Do("PING"); err == nil {
		t.Errorf("a killed server answered %q", reply)
	}

	s.Restart()
	if s.Addr != addr {
		t.Errorf("restarted on %s, was on %s", s.Addr, addr)
	}
	wantReply(t, s, nil, "GET", "list") // nothing was kept on disk
}

func TestArgsComeAfterTheDefaults(t *testing.T) {
	s := Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	wantReply(t, s, "OK", "SET", "list", "us-ofac-sdn")
	s.Restart() // of a running server: it kills first
	wantReply(t, s, "us-ofac-sdn", "GET", "list")
}

func TestServerWithPasswordCountsAsAnswering(t *testing.T) {
	s := Redis(t, "--requirepass", "secret")
	var refused ReplyError
	if reply, err := s.Do("PING"); !errors.As(err, &refused) || !strings.HasPrefix(string(refused), "NOAUTH") {
		t.Errorf("PING without a password: got %v, %v; want NOAUTH", reply, err)
	}
}

func TestPauseAndResume(t *testing.T) {
	s := Redis(t)
	s.Pause()
	_, err := s.do(100*time.Millisecond, "PING")
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("PING to a paused server: %v; want that the deadline passes", err)
	}
	s.Resume()
	wantReply(t, s, "PONG", "PING")

	s.Pause()
	s.Kill() // must not wait for a paused process to cooperate
}

func TestEachServerIsItsOwn(t *testing.T) {
	a, b := Redis(t), Redis(t)
	wantReply(t, a, "OK", "SET", "list", "us-ofac-sdn")
	wantReply(t, b, nil, "GET", "list")
}

func TestServerEndsWithItsTest(t *testing.T) {
	var s *Server
	t.Run("inner", func(t *testing.T) { s = Redis(t) })
	if s == nil {
		absent.Skip(t, "no server was started: redis-server is missing")
	}
	if err := s.ping(); err == nil {
		t.Error("the server still answers after its test ended")
	}
}

// A port taken by somebody else who even answers PING must not be mistaken for
// a server that started.
func TestPortTakenByAnother(t *testing.T) {
	a, b := Redis(t), Redis(t)
	b.Kill()
	for i, arg := range b.args {
		if arg == "--port" {
			b.args[i+1] = a.port()
		}
	}
	b.Addr = a.Addr
	if err := b.start(); !errors.Is(err, errPortTaken) {
		t.Errorf("starting on a taken port: got %v, want %v", err, errPortTaken)
	}
	wantReply(t, a, "PONG", "PING")
}

func TestFailureTellsWhatRedisSaid(t *testing.T) {
	s := Redis(t)
	s.Kill()
	s.args = append(s.args, "--no-such-option", "1")
	err := s.start()
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("starting with an unknown option: got %v, want an error that names it", err)
	}
}

// A skipped test is green, so a CI machine without redis-server must be red.
func TestWithoutRedisServer(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		ci       string
		wantPass bool
		want     string
	}{
		{ci: "", wantPass: true, want: "--- SKIP: TestEachServerIsItsOwn"},
		{ci: "true", wantPass: false, want: "--- FAIL: TestEachServerIsItsOwn"},
	} {
		cmd := exec.Command(self, "-test.run=^TestEachServerIsItsOwn$", "-test.v")
		cmd.Env = append(os.Environ(), "PATH="+t.TempDir(), "CI="+test.ci)
		out, err := cmd.CombinedOutput()
		if (err == nil) != test.wantPass || !strings.Contains(string(out), test.want) || !strings.Contains(string(out), "redis-server is not in PATH") {
			t.Errorf("CI=%q: got %v and\n%s\nwant %s", test.ci, err, out, test.want)
		}
	}
}
