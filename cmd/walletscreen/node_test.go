package main_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"walletscreen/screen/absent"
	"walletscreen/screen/store/storetest"
)

// nodeDir holds testdata/node with its dependencies once they are installed.
var nodeDir string

var installNode = sync.OnceValue(func() (err error) {
	if nodeDir, err = os.MkdirTemp("", "walletscreen-node-"); err != nil {
		return err
	}
	if err := os.CopyFS(nodeDir, os.DirFS("testdata/node")); err != nil {
		return err
	}
	npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = nodeDir
	if out, err := npm.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return nil
})

// needNode skips the test without Node.js and what npm installs.
func needNode(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("npm")
	if err == nil {
		err = installNode()
	}
	if err != nil {
		absent.Skip(t, "NOT RUN with a client in another language, which cannot be installed here: %v", err)
	}
}

// A nodePart is one part of contract.js at work.
type nodePart struct {
	t    *testing.T
	cmd  *exec.Cmd
	errs strings.Builder
	out  *bufio.Scanner
}

// startNode runs a part of contract.js, a client in another language that is made
// from the .proto by other people's code, with its settings.
func startNode(t *testing.T, part string, settings map[string]any) *nodePart {
	t.Helper()
	settings = maps.Clone(settings)
	settings["part"] = part
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	protos, err := filepath.Abs("../../proto")
	if err != nil {
		t.Fatal(err)
	}
	p := &nodePart{t: t, cmd: exec.Command("node", "contract.js", protos, file)}
	p.cmd.Dir, p.cmd.Stderr = nodeDir, &p.errs
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	t.Cleanup(func() { late.Stop(); _ = p.cmd.Process.Kill() })
	return p
}

// saw waits until the part has seen each of these promises kept, in order.
func (p *nodePart) saw(promises ...string) {
	p.t.Helper()
	for _, want := range promises {
		if p.out.Scan() && p.out.Text() == "ok "+want {
			continue
		}
		got := p.out.Text()
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.t.Fatalf("got %q, want ok %s\n%s", got, want, p.errs.String())
	}
}

// sawAll is saw for the last of them.
func (p *nodePart) sawAll(promises ...string) {
	p.t.Helper()
	p.saw(promises...)
	for p.out.Scan() {
		p.t.Errorf("more than expected: %s", p.out.Text())
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v\n%s", err, p.errs.String())
	}
}

// TestNode holds the contract against a client in another language.
func TestNode(t *testing.T) {
	t.Parallel()
	needNode(t)
	url := "redis://" + storetest.Redis(t).Addr
	dir := t.TempDir()
	list := func(rows ...string) {
		t.Helper()
		file := filepath.Join(dir, "internal.csv")
		if err := os.WriteFile(file, []byte(strings.Join(append([]string{"address,party,party_id"}, rows...), "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := runProgram(t, "", "load", "--redis", url, "--source", "internal="+file, "--release"); out.code != 0 {
			t.Fatalf("load: %d\n%s", out.code, out.stderr)
		}
	}
	const listed, coming = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96,A party,P-1", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz,Another,P-2"
	list(listed)
	s := serve(t, "--redis", url)
	settings := map[string]any{
		"address": s.addr, "uid": "P-1", "sequence": 1,
		"listed": "0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "unlisted": "0x000000000000000000000000000000000000dEaD",
		"broken": "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mA", "coming": "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz",
	}
	run := func(part string, promises ...string) {
		t.Run(part, func(t *testing.T) { startNode(t, part, settings).sawAll(promises...) })
	}
	run("batch", "results in request order", "listing and reason", "names its snapshot", "10,000 addresses", "as_of")
	run("errors", "INVALID_ARGUMENT with its reason", "RetryInfo")
	run("stream", "stream answers in order", "a bad batch ends the stream after the answers before it")
	run("lists", "GetSnapshot", "GetAddressHistory", "ExportSnapshot has the digest that answers name")
	t.Run("watch", func(t *testing.T) {
		p := startNode(t, "watch", settings)
		p.saw("watching")
		list(listed, coming)
		p.sawAll("WatchChanges")
	})
	t.Run("secured", func(t *testing.T) {
		const token = "a-token-for-tests-that-is-long-enough"
		callers := filepath.Join(dir, "callers.yaml")
		text := fmt.Sprintf("callers:\n- {name: node, token_sha256: [{hash: %x}], permissions: [screen, lists]}\n", sha256.Sum256([]byte(token)))
		if err := os.WriteFile(callers, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		certificates := storetest.NewCertificates(t)
		s := serve(t, "--redis", url, "--tls-cert", certificates.ServerCert, "--tls-key", certificates.ServerKey, "--callers", callers)
		settings := maps.Clone(settings)
		settings["address"], settings["ca"], settings["token"] = s.addr, certificates.CA, token
		startNode(t, "secured", settings).sawAll("answered over TLS", "no token, no answer", "a token permits what it permits")
		settings["ca"] = storetest.NewCertificates(t).CA
		startNode(t, "stranger", settings).sawAll("no trust, no call")
	})
	t.Run("health", func(t *testing.T) {
		p := startNode(t, "health", settings)
		p.saw("health", "health watching")
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		p.sawAll("told of the end")
		<-s.done // another signal would cut it short
	})
}
