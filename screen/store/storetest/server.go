// Package storetest runs real redis-server processes for tests: one, one that speaks
// TLS, a master with replicas and sentinels, or a cluster.
//
// What a store promises when Redis dies, hangs or comes back can only be shown
// on the real thing, so each server here is a process of its own that a test can
// kill, restart and pause. A Proxy before one of them says what happens between two
// commands.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"walletscreen/screen/absent"
)

const (
	// startLimit is how long a server gets to answer after it was started. It is
	// a limit for a machine under load, not an expectation: redis-server answers
	// within milliseconds.
	startLimit = 30 * time.Second
	// pollEvery is the pause between two looks at a server that does not answer.
	pollEvery = 5 * time.Millisecond
	// portTries is how often a new port is tried when another process took the
	// one that was free a moment before.
	portTries = 10
)

// Server is a running redis-server on a loopback port. Its methods fail the test
// they belong to; they are for the test's own goroutine.
type Server struct {
	// Addr is the server's host:port. It stays the same over Kill and Restart.
	Addr string

	t       testing.TB
	dir     string
	args    []string
	ready   string        // what its log says once it listens
	certs   *Certificates // nil unless it speaks TLS
	process *process      // nil while the server is killed
}

// process is one life of a server.
type process struct {
	cmd     *exec.Cmd
	printed bytes.Buffer  // what it says before its log is open; to be read once it exited
	exited  chan struct{} // closed once the process is gone
}

// Redis starts a redis-server of the test's own, waits until it answers PING, and
// kills it when the test ends. The server keeps nothing on disk, so it is empty
// after Kill and Restart; args, which follow the defaults as on redis-server's
// command line, change that ("--appendonly", "yes") and set anything else but
// the address, the directory and the log.
// Its working directory is a temporary directory of the test and outlives Kill.
//
// Without redis-server in PATH the test is skipped, or fails when the
// environment variable CI is set: there, skipping would hide that nothing ran.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	return redis(t, nil, args)
}

// RedisTLS is Redis with a server that speaks nothing but TLS with the given
// certificates. It asks clients for one of theirs, and refuses those that have
// none, unless args say "--tls-auth-clients", "no".
func RedisTLS(t testing.TB, certs *Certificates, args ...string) *Server {
	t.Helper()
	return redis(t, certs, args)
}

func redis(t testing.TB, certs *Certificates, args []string) *Server {
	t.Helper()
	return launch(t, certs, "Ready to accept connections", func(s *Server, port string) ([]string, error) {
		listen := []string{"--port", port}
		if certs != nil {
			listen = []string{"--port", "0", "--tls-port", port, "--tls-cert-file", certs.ServerCert, "--tls-key-file", certs.ServerKey,
				"--tls-ca-cert-file", certs.CA}
		}
		return slices.Concat([]string{"--bind", "127.0.0.1", "--dir", s.dir, "--logfile", s.log(), "--save", "", "--appendonly", "no"}, listen, args), nil
	})
}

// launch starts redis-server with what command returns for a free port, and with
// another one when that port was taken meanwhile.
func launch(t testing.TB, certs *Certificates, ready string, command func(s *Server, port string) ([]string, error)) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		absent.Skip(t, "redis-server is not in PATH and this test needs a real one: install it, or run '.ci/run install'")
	}
	s := &Server{t: t, dir: t.TempDir(), ready: ready, certs: certs}
	// Registered after the directory's own cleanup and so run before it.
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of redis-server on %s ends:\n%s", s.Addr, s.logTail())
		}
		s.stop()
	})
	for range portTries {
		if s.Addr, err = freeAddr(); err != nil {
			t.Fatalf("finding a free port for redis-server: %v", err)
		}
		args, err := command(s, s.port())
		if err != nil {
			t.Fatal(err)
		}
		s.args = slices.Concat([]string{path}, args)
		err = s.start()
		if err == nil {
			return s
		}
		if !errors.Is(err, errPortTaken) {
			t.Fatal(err)
		}
	}
	t.Fatalf("redis-server found its port taken %d times", portTries)
	return nil
}

func (s *Server) port() string {
	_, port, _ := net.SplitHostPort(s.Addr)
	return port
}

// Kill ends the server at once, as a crash does (SIGKILL), and returns when it is
// gone. Killing a killed server does nothing.
func (s *Server) Kill() {
	s.stop()
}

// Restart kills the server if it runs, starts it on the same address with the
// same arguments and directory, and waits until it answers PING.
func (s *Server) Restart() {
	s.t.Helper()
	s.stop()
	// A killed server's port is free to all: whoever holds it now may leave again.
	err := s.start()
	for deadline := time.Now().Add(startLimit); errors.Is(err, errPortTaken) && time.Now().Before(deadline); {
		err = s.start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Pause freezes the server (SIGSTOP): connections are still accepted by the
// operating system, but nothing is answered, as when a host hangs.
func (s *Server) Pause() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
}

// Resume lets a paused server go on (SIGCONT) and waits until it answers PING.
func (s *Server) Resume() {
	s.t.Helper()
	s.signal(syscall.SIGCONT)
	if err := s.await(); err != nil {
		s.t.Fatal(err)
	}
}

// errPortTaken is what start returns when the server could not listen.
var errPortTaken = errors.New("the port is taken")

func (s *Server) start() error {
	// Each life has a log of its own: await reads from it that this one listens.
	if err := os.Remove(s.log()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	p := &process{cmd: exec.Command(s.args[0], s.args[1:]...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.printed, &p.printed
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("starting redis-server: %w", err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in its log
		close(p.exited)
	}()
	s.process = p
	return s.await()
}

// await returns nil once this very process, and not another that took the port
// before it, answers PING.
func (s *Server) await() error {
	deadline := time.After(startLimit)
	for {
		var answer error
		if answer = s.listens(); answer == nil {
			if answer = s.ping(); answer == nil {
				return nil
			}
		}
		select {
		case <-s.process.exited:
			log := s.logTail()
			printed := s.process.printed.String()
			s.process = nil
			if strings.Contains(log, "Address already in use") {
				return fmt.Errorf("redis-server on %s: %w", s.Addr, errPortTaken)
			}
			return fmt.Errorf("redis-server on %s ended before it answered; it said:\n%s%s", s.Addr, printed, log)
		case <-deadline:
			return fmt.Errorf("redis-server on %s did not answer within %v: %w; its log ends:\n%s", s.Addr, startLimit, answer, s.logTail())
		case <-time.After(pollEvery):
		}
	}
}

// listens reports, as nil, that this life's own log says that it listens.
func (s *Server) listens() error {
	log, err := os.ReadFile(s.log())
	if err != nil {
		return err
	}
	if !bytes.Contains(log, []byte(s.ready)) {
		return fmt.Errorf("its log does not say %q yet", s.ready)
	}
	return nil
}

// ping reports, as nil, that the server answers PING. A refusal for want of a
// password or a permission is an answer too: args may ask for either.
func (s *Server) ping() error {
	reply, err := s.Do("PING")
	var refused ReplyError
	switch {
	case err == nil && reply == "PONG":
		return nil
	case errors.As(err, &refused) && (strings.HasPrefix(string(refused), "NOAUTH") || strings.HasPrefix(string(refused), "NOPERM")):
		return nil
	case err == nil:
		return fmt.Errorf("PING was answered with %q", reply)
	}
	return err
}

// stop kills the process, when there is one, and waits until it is gone.
func (s *Server) stop() {
	if s.process == nil {
		return
	}
	// An error means that it ended by itself, which is what is wanted here.
	_ = s.process.cmd.Process.Kill()
	<-s.process.exited
	s.process = nil
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.process == nil {
		s.t.Fatalf("sending %v to the redis-server on %s: it was killed", sig, s.Addr)
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("sending %v to the redis-server on %s: %v; its log ends:\n%s", sig, s.Addr, err, s.logTail())
	}
}

func (s *Server) log() string { return filepath.Join(s.dir, "redis.log") }

// logTail returns the last lines of the log of the server's last life.
func (s *Server) logTail() string {
	const lines = 20
	data, err := os.ReadFile(s.log())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	all := bytes.SplitAfter(data, []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines-1):], nil))
}

// freeAddr returns a loopback address that nobody listened on a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
