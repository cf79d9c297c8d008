package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"walletscreen/screen/server/access"
	"walletscreen/screen/store/storetest"
)

const listedAddress = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"

// replace puts the text of a file in the place of another, at once.
func replace(t testing.TB, name, from string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(name+".new", text, 0o600)
	}
	if err := errors.Join(err, os.Rename(name+".new", name)); err != nil {
		t.Fatal(err)
	}
}

// expired writes a certificate of yesterday and its key.
func expired(t testing.TB) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(0, 0, -2), NotAfter: time.Now().AddDate(0, 0, -1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestTLS speaks TLS with the program as operators start it: who is answered, who
// is not, and what a change of the files does to a server that runs.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours, others := storetest.NewCertificates(t), storetest.NewCertificates(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	replace(t, cert, ours.ServerCert)
	replace(t, key, ours.ServerKey)
	token := access.NewToken()
	hash, err := access.HashToken(token)
	if err != nil {
		t.Fatal(err)
	}
	callers, tokenFile := filepath.Join(dir, "callers.yaml"), filepath.Join(dir, "token")
	if err := errors.Join(
		os.WriteFile(callers, []byte("callers:\n- {name: desk, token_sha256: [{hash: "+hash.String()+"}], permissions: [screen]}\n"), 0o600),
		os.WriteFile(tokenFile, []byte(token+"\n"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	byToken := serve(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ours.CA, "--callers", callers)
	byCertificate := serve(t, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ours.CA)
	shown := []string{"--tls-ca", ours.CA, "--tls-client-cert", ours.ClientCert, "--tls-client-key", ours.ClientKey}

	for _, test := range []struct {
		name   string
		server *serving
		flags  []string
		code   int
		stderr string
	}{
		{"a token", byToken, []string{"--tls-ca", ours.CA, "--token-file", tokenFile}, 10, ""},
		{"no token", byToken, []string{"--tls-ca", ours.CA}, 1, "Unauthenticated"},
		{"a certificate without a name", byToken, shown, 1, "Unauthenticated"},
		{"another authority's server", byToken, []string{"--tls-ca", others.CA, "--token-file", tokenFile}, 1, "certificate signed by unknown authority"},
		{"another name", byToken, []string{"--tls-ca", ours.CA, "--tls-server-name", "elsewhere.example.org", "--token-file", tokenFile}, 1, "certificate is valid for localhost, not elsewhere.example.org"},
		{"what to look at", byToken, []string{"--tls-ca", others.CA}, 1, "see --tls-ca, --tls-server-name and --tls-client-cert)"},
		{"no TLS", byToken, []string{"--token-file", tokenFile}, 1, ""},
		{"a client certificate", byCertificate, shown, 10, ""},
		{"no client certificate", byCertificate, []string{"--tls-ca", ours.CA}, 1, "see --tls-client-cert)"},
		{"a client certificate of another authority", byCertificate, []string{"--tls-ca", ours.CA, "--tls-client-cert", others.ClientCert, "--tls-client-key", others.ClientKey}, 1, ""},
	} {
		args := append([]string{"check", "--server", test.server.addr, "--timeout", "5s"}, test.flags...)
		got := runProgram(t, "", append(args, listedAddress)...)
		if got.code != test.code || !strings.Contains(got.stderr, test.stderr) || strings.Contains(got.stderr, token) {
			t.Errorf("%s: exit code %d, want %d, and %q in: %s", test.name, got.code, test.code, test.stderr, got.stderr)
		}
	}

	// A probe has the environment of the server beside it.
	probe := exec.Command(program(t), "health", "--server", byToken.addr)
	probe.Env = append(os.Environ(), "WALLETSCREEN_TLS_CERT="+cert, "WALLETSCREEN_TLS_KEY="+filepath.Join(dir, "not for probes"), "WALLETSCREEN_TLS_CLIENT_CA="+ours.CA,
		"WALLETSCREEN_CALLERS="+callers, "WALLETSCREEN_TLS_CA="+ours.CA)
	if out, err := probe.CombinedOutput(); err != nil {
		t.Errorf("a probe in the server's environment: %v: %s", err, out)
	}

	// Half of a change is reported and changes nothing, the whole is in force.
	answered := func(authority string) bool {
		return runProgram(t, "", "check", "--server", byToken.addr, "--tls-ca", authority, "--token-file", tokenFile, listedAddress).code == 10
	}
	replace(t, cert, others.ServerCert)
	eventually(t, "half of a pair is reported", func() bool { return strings.Contains(byToken.logged(), "changed files cannot be used") })
	if !answered(ours.CA) {
		t.Error("half of a pair took the server's certificate away")
	}
	replace(t, key, others.ServerKey)
	eventually(t, "the new certificate is shown", func() bool { return answered(others.CA) })
	if answered(ours.CA) {
		t.Error("the old certificate is still shown")
	}
}

// TestDoubtfulCertificates: a server with which no client could speak, or whose key
// others can read, does not start.
func TestDoubtfulCertificates(t *testing.T) {
	t.Parallel()
	ours, others := storetest.NewCertificates(t), storetest.NewCertificates(t)
	oldCert, oldKey := expired(t)
	open := filepath.Join(t.TempDir(), "open.key")
	replace(t, open, ours.ServerKey)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ cert, key, stderr string }{
		{oldCert, oldKey, "the certificate expired at"},
		{ours.ServerCert, others.ServerKey, "private key does not match public key"},
		{ours.ServerCert, open, "every user of this machine"},
		{ours.CA, ours.ServerKey, ""},
	} {
		got := runProgram(t, "", "serve", "--listen", "127.0.0.1:0", "--ops-listen", "", "--refresh", "0", "--tls-cert", test.cert, "--tls-key", test.key)
		if got.code != 2 || !strings.Contains(got.stderr, test.stderr) {
			t.Errorf("exit code %d, want 2 and %q in: %s", got.code, test.stderr, got.stderr)
		}
	}
}

// TestHandshakeTimeout: a connection that does not speak is closed.
func TestHandshakeTimeout(t *testing.T) {
	t.Parallel()
	ours := storetest.NewCertificates(t)
	for _, flags := range [][]string{nil, {"--tls-cert", ours.ServerCert, "--tls-key", ours.ServerKey}} {
		s := serve(t, append(flags, "--handshake-timeout", "300ms")...)
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = io.Copy(io.Discard, conn)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%q: a connection that says nothing is open after %s", flags, time.Since(begin))
		}
		if took := time.Since(begin); took < 200*time.Millisecond {
			t.Errorf("%q: closed after %s", flags, took)
		}
	}
}
