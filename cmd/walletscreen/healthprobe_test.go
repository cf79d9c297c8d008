package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"walletscreen/screen/absent"
	"walletscreen/screen/server/access"
	"walletscreen/screen/store/storetest"
)

// grpc-health-probe, as it is, asks servers as operators start them. Its exit codes
// are those of its documentation: 4 is not healthy, 2 not reached, 3 not answered.
func TestGrpcHealthProbe(t *testing.T) {
	tool := []string{"tool", "-modfile=../../.ci/tools.mod", "grpc-health-probe"}
	if out, err := exec.Command("go", append(tool, "-version")...).CombinedOutput(); err != nil {
		absent.Skip(t, "NOT RUN with grpc-health-probe, which does not build here: %v\n%s", err, out)
	}
	path, err := exec.Command("go", "tool", "-n", "-modfile=../../.ci/tools.mod", "grpc-health-probe").Output()
	if err != nil {
		t.Fatal(err)
	}
	probe := func(t *testing.T, s *serving, args ...string) (code int, out string) {
		t.Helper()
		// It dials for a second by default, which a loaded machine may take.
		text, err := exec.Command(strings.TrimSpace(string(path)), append([]string{"-addr", s.addr, "-connect-timeout", "30s", "-rpc-timeout", "30s"}, args...)...).CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if exit != nil {
			code = exit.ExitCode()
		}
		return code, string(text)
	}
	want := func(t *testing.T, s *serving, code int, says string, args ...string) {
		t.Helper()
		if got, out := probe(t, s, args...); got != code || !strings.Contains(out, says) {
			t.Errorf("grpc-health-probe %v: exit %d, %s\nwant exit %d and %q", args, got, out, code, says)
		}
	}
	const screening, lists = "walletscreen.v1.ScreeningService", "walletscreen.v1.ListService"

	t.Run("without flags", func(t *testing.T) {
		s := serve(t)
		want(t, s, 0, "status: SERVING")
		want(t, s, 0, "status: SERVING", "-service", screening)
		want(t, s, 0, "status: SERVING", "-service", lists)
		want(t, s, 3, "NotFound", "-service", "nothing.like.this")
	})
	t.Run("alive and not ready", func(t *testing.T) {
		s := serve(t, "--require-list", "our-own")
		want(t, s, 0, "status: SERVING")
		want(t, s, 4, "NOT_SERVING", "-service", screening)
		want(t, s, 0, "status: SERVING", "-service", lists)
	})
	t.Run("draining", func(t *testing.T) {
		s := serve(t, "--drain-delay", "1h")
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is not ready any more", func() bool {
			code, _ := probe(t, s, "-service", screening)
			return code == 4
		})
		want(t, s, 0, "status: SERVING")
		// The second signal ends it at once, the hour or not.
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-s.done
		_ = s.cmd.Wait()
		want(t, s, 2, "failed to connect", "-connect-timeout", "100ms")
	})
	t.Run("TLS and callers", func(t *testing.T) {
		ours, others := storetest.NewCertificates(t), storetest.NewCertificates(t)
		hash, err := access.HashToken(access.NewToken())
		if err != nil {
			t.Fatal(err)
		}
		callers := filepath.Join(t.TempDir(), "callers.yaml")
		if err := os.WriteFile(callers, []byte("callers:\n- {name: desk, token_sha256: [{hash: "+hash.String()+"}], permissions: [screen]}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := serve(t, "--tls-cert", ours.ServerCert, "--tls-key", ours.ServerKey, "--callers", callers)
		tls := []string{"-service", screening, "-tls", "-tls-server-name", "localhost", "-tls-ca-cert"}
		want(t, s, 0, "status: SERVING", append(tls, ours.CA)...) // and no token
		want(t, s, 2, "", append(tls, others.CA, "-connect-timeout", "200ms")...)
		want(t, s, 2, "", "-connect-timeout", "200ms")
	})
}
