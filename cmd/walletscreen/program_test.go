package main_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The tests of this package run the program as its users do: built, as a process
// of its own, against a real redis-server.

// patience is how long a test waits for what should happen at once.
const patience = 30 * time.Second

// A build is the program, built once for all tests.
type build struct {
	race bool
	once sync.Once
	dir  string
	err  error
}

var (
	// built is what most tests run, with the race detector if they have it.
	built = build{race: underRace}
	// builtPlain is without it: parsing a publication of 120 MB takes a minute with.
	builtPlain = build{}
)

func TestMain(m *testing.M) {
	if order := os.Getenv(hostileVariable); order != "" {
		flag.Parse()
		if err := hostileMain(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// With the race detector a process waits a second before it ends, for other
	// goroutines that are about to report something.
	if _, set := os.LookupEnv("GORACE"); !set {
		os.Setenv("GORACE", "atexit_sleep_ms=100")
	}
	code := m.Run()
	for _, b := range []*build{&built, &builtPlain} {
		if b.dir != "" {
			os.RemoveAll(b.dir)
		}
	}
	if nodeDir != "" {
		os.RemoveAll(nodeDir)
	}
	os.Exit(code)
}

// program returns the path of the program.
func (b *build) program(t testing.TB) string {
	t.Helper()
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "walletscreen-test-"); b.err != nil {
			return
		}
		// Without what only a debugger reads it is linked sooner.
		args := []string{"build", "-ldflags=-s -w", "-o", filepath.Join(b.dir, "walletscreen")}
		if b.race {
			args = append(args, "-race")
		}
		out, err := exec.Command("go", append(args, ".")...).CombinedOutput()
		if err != nil {
			b.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatalf("building the program: %v", b.err)
	}
	return filepath.Join(b.dir, "walletscreen")
}

func program(t testing.TB) string { return built.program(t) }

// output is what a command said and how it ended.
type output struct {
	stdout, stderr string
	code           int
}

// runProgram runs the program to its end.
func runProgram(t testing.TB, stdin string, args ...string) output {
	t.Helper()
	return runBuilt(t, program(t), stdin, args...)
}

func runBuilt(t testing.TB, program, stdin string, args ...string) output {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("running walletscreen %q: %v", args, err)
	}
	return output{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// A serving is a running `walletscreen serve`.
type serving struct {
	addr, ops string
	cmd       *exec.Cmd
	done      chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

var (
	servingGRPC = regexp.MustCompile(`msg="serving gRPC" address=(\S+)`)
	servingOps  = regexp.MustCompile(`msg="serving operators" address=(\S+)`)
)

// serve starts `walletscreen serve` on free ports and waits until it listens. It
// is stopped, as an operator stops it, at the end of the test, and must then end
// well.
func serve(t testing.TB, args ...string) *serving {
	t.Helper()
	return serveIn(t, "", args...)
}

// serveIn is serve in a folder.
func serveIn(t testing.TB, dir string, args ...string) *serving {
	t.Helper()
	return serveBuilt(t, program(t), dir, args...)
}

// serveBuilt is serveIn with a program that was built some other way.
func serveBuilt(t testing.TB, program, dir string, args ...string) *serving {
	t.Helper()
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}, args...)
	s := &serving{cmd: exec.Command(program, args...), done: make(chan struct{})}
	s.cmd.Dir = dir
	// No test asks publishers, unless it says so by --refresh.
	s.cmd.Env = append(os.Environ(), "WALLETSCREEN_REFRESH=0", "WALLETSCREEN_DRAIN_DELAY=0")
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan struct{})
	go func() {
		defer close(s.done)
		in := bufio.NewReader(stderr)
		for {
			line, err := in.ReadString('\n')
			s.mu.Lock()
			s.log.WriteString(line)
			s.mu.Unlock()
			if m := servingOps.FindStringSubmatch(line); m != nil {
				s.ops = m[1]
			}
			if m := servingGRPC.FindStringSubmatch(line); m != nil && s.addr == "" {
				s.addr = m[1]
				close(listening)
			}
			if err != nil {
				break
			}
		}
		_, _ = io.Copy(io.Discard, in)
	}()
	t.Cleanup(func() {
		s.stop(t)
		if t.Failed() {
			t.Logf("log of walletscreen %q:\n%s", args, s.logged())
		}
	})
	select {
	case <-listening:
	case <-s.done:
		t.Fatalf("walletscreen %q ended at once:\n%s", args, s.logged())
	case <-time.After(patience):
		t.Fatalf("walletscreen %q does not listen:\n%s", args, s.logged())
	}
	return s
}

// logged is what the server wrote so far.
func (s *serving) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// stop ends the server by SIGTERM. Stopping it again does nothing.
func (s *serving) stop(t testing.TB) {
	if s.cmd.ProcessState != nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = s.cmd.Process.Kill() })
	defer late.Stop()
	<-s.done
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("walletscreen serve after SIGTERM: %v\n%s", err, s.logged())
	}
}

// kill ends the server as a power cut does.
func (s *serving) kill() {
	_ = s.cmd.Process.Kill()
	<-s.done
	_ = s.cmd.Wait()
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
		<-tick.C
	}
}

// dump returns all that a Redis holds, as text.
func dump(t testing.TB, addr string) string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	ctx := t.Context()
	keys, err := c.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	var out strings.Builder
	for _, key := range keys {
		value, err := c.Dump(ctx, key).Result()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %x\n", key, sha256.Sum256([]byte(value)))
	}
	return out.String()
}

// served leaves out of a dump what says how fresh and how held the lists are.
func served(dump string) string {
	var out strings.Builder
	for line := range strings.Lines(dump) {
		if !strings.Contains(line, ":verified ") {
			out.WriteString(line)
		}
	}
	return out.String()
}
