package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	oneToken = "wst_one-token-that-is-long-enough-to-be-one"
	twoToken = "wst_two-token-that-is-long-enough-to-be-one"
)

func hashOf(token string) string { return TokenHash(sha256.Sum256([]byte(token))).String() }

func shown(token string) Credentials {
	hash, ok := bearer([]string{"Bearer " + token})
	return Credentials{token: hash, shown: true, readable: ok}
}

func TestParseCallersRefuses(t *testing.T) {
	hash := hashOf(oneToken)
	for _, test := range []struct{ name, text, want string }{
		{"empty", "", "empty"},
		{"no callers", "callers: []\n", "nobody could call"},
		{"unknown key", "callers: [{name: a, token: x, permissions: [screen]}]\n", "token"},
		{"unknown key of all", "caller: []\n", "caller"},
		{"no YAML", "callers: [\n", ""},
		{"two documents", "anonymous: {permissions: [screen]}\n---\nanonymous: {permissions: [screen]}\n", "more than one document"},
		{"no name", "callers: [{token_sha256: [{hash: " + hash + "}], permissions: [screen]}]", "want a name"},
		{"named anonymous", "callers: [{name: anonymous, token_sha256: [{hash: " + hash + "}], permissions: [screen]}]", "want a name"},
		{"twice", "callers: [{name: a, certificates: [b], permissions: [screen]}, {name: a, certificates: [c], permissions: [screen]}]", "twice"},
		{"can never be known", "callers: [{name: a, permissions: [screen]}]", "could never be known"},
		{"no permissions", "callers: [{name: a, certificates: [b]}]", "no permissions"},
		{"unknown permission", "callers: [{name: a, certificates: [b], permissions: [write]}]", `permission "write"`},
		{"permission twice", "callers: [{name: a, certificates: [b], permissions: [screen, screen]}]", "twice"},
		{"quota of nothing", "callers: [{name: a, certificates: [b], permissions: [screen], quota: {addresses_per_second: 0}}]", "more than 0"},
		{"quota that is no number", "callers: [{name: a, certificates: [b], permissions: [screen], quota: {addresses_per_second: .nan}}]", "more than 0"},
		{"empty quota", "callers: [{name: a, certificates: [b], permissions: [screen], quota: {}}]", "more than 0"},
		{"burst of nothing", "callers: [{name: a, certificates: [b], permissions: [screen], quota: {addresses_per_second: 1, burst: 0}}]", "burst is 0"},
		{"a token instead of its hash", "callers: [{name: a, token_sha256: [{hash: " + oneToken + "}], permissions: [screen]}]", "not a SHA-256"},
		{"a token in place of an entry", "callers: [{name: a, token_sha256: [" + oneToken + "], permissions: [screen]}]", ""},
		{"a date that is none", "callers: [{name: a, token_sha256: [{hash: " + hash + ", not_after: tomorrow}], permissions: [screen]}]", "not_after"},
		{"one token of two", "callers: [{name: a, token_sha256: [{hash: " + hash + "}], permissions: [screen]}, {name: b, token_sha256: [{hash: " + hash + "}], permissions: [screen]}]", "a token of a, too"},
		{"one certificate of two", "callers: [{name: a, certificates: [X.example.org], permissions: [screen]}, {name: b, certificates: [x.example.org], permissions: [screen]}]", "a name of a, too"},
		{"a pattern", "callers: [{name: a, certificates: ['*.example.org'], permissions: [screen]}]", "written out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParseCallers([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), oneToken) {
				t.Errorf("the error quotes a token: %v", err)
			}
		})
	}
}

func FuzzParseCallers(f *testing.F) {
	f.Add([]byte("callers:\n- name: a\n  token_sha256: [{hash: " + hashOf(oneToken) + ", not_after: 2027-01-31T00:00:00Z}]\n  permissions: [screen]\n  quota: {addresses_per_second: 5, burst: 7}\n"))
	f.Add([]byte("callers: [{name: b, certificates: ['spiffe://x/y', a@b.org, C.org], permissions: [admin]}]\nanonymous: {permissions: [lists]}\n"))
	f.Add([]byte("callers: [\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ParseCallers(text)
		if err != nil {
			return
		}
		for _, d := range c.callers {
			if d.may&Known == 0 || d.may&^everything != 0 || d.perSecond < 0 || d.perSecond > 0 && d.burst < 1 {
				t.Errorf("caller %+v", d)
			}
		}
		for _, place := range c.names {
			if place >= len(c.callers) {
				t.Errorf("a name of caller %d of %d", place, len(c.callers))
			}
		}
	})
}

func TestTokens(t *testing.T) {
	a, b := NewToken(), NewToken()
	if a == b || len(a) < minToken || !strings.HasPrefix(a, tokenPrefix) {
		t.Errorf("tokens %q and %q", a, b)
	}
	h, err := HashToken(a)
	if err != nil || h.String() != hashOf(a) {
		t.Errorf("%v, %v", h, err)
	}
	for _, token := range []string{"", "short", strings.Repeat("x", minToken-1), strings.Repeat("x", maxToken+1), strings.Repeat("x", 40) + " ", strings.Repeat("x", 40) + "\xff"} {
		if _, err := HashToken(token); err == nil || len(token) > 10 && strings.Contains(err.Error(), token) {
			t.Errorf("HashToken(%q): %v", token, err)
		}
	}
	for _, headers := range [][]string{
		nil, {}, {"Bearer"}, {"Bearer "}, {"Bearer " + a, "Bearer " + a}, {"Basic " + a}, {a}, {"Bearer short"}, {"Bearer " + strings.Repeat("x", maxToken+1)},
	} {
		if _, ok := bearer(headers); ok {
			t.Errorf("%q is taken for a token", headers)
		}
	}
	if got, ok := bearer([]string{"bearer " + a}); !ok || got != h {
		t.Error("the scheme is told by its case")
	}
}

// write writes a file for Config.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAuthorize(t *testing.T) {
	name := filepath.Join(t.TempDir(), "callers.yaml")
	write(t, name, "callers:\n- {name: one, token_sha256: [{hash: "+hashOf(oneToken)+", not_after: 2026-11-22T13:00:00Z}], permissions: [screen]}\n"+
		"- {name: two, token_sha256: [{hash: "+hashOf(twoToken)+"}], permissions: [admin]}\n")
	now := noon
	c, err := Open(Config{Callers: name, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	want := func(cr Credentials, need Permission, caller string, denied bool) {
		t.Helper()
		got, err := c.Authorize(cr, need)
		var refusal *Refusal
		switch {
		case caller != "" && !denied:
			if err != nil || got.Name != caller {
				t.Errorf("%v, %v; want %s", got, err, caller)
			}
		case !errors.As(err, &refusal) || refusal.Denied != denied || strings.Contains(refusal.Why, oneToken):
			t.Errorf("%v, %v; want it refused, denied %t", got, err, denied)
		}
	}
	want(shown(oneToken), Screen, "one", false)
	want(shown(oneToken), Known, "one", false)
	want(shown(oneToken), Export, "one", true)
	want(shown(oneToken), Admin, "one", true)
	for _, need := range []Permission{Screen, Lists, Export, Admin, Known} {
		want(shown(twoToken), need, "two", false)
	}
	want(shown(NewToken()), Screen, "", false)
	want(Credentials{}, Screen, "", false)
	want(Credentials{shown: true}, Screen, "", false)
	want(Credentials{}, Anyone, Anonymous, false)
	now = noon.Add(time.Hour)
	want(shown(oneToken), Screen, "", false)

	// A bad file changes nothing; a good one does.
	var log bytes.Buffer
	c.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	said := map[string]string{}
	write(t, name, "callers: nobody\n")
	for range 2 {
		c.reload(t.Context(), said)
	}
	want(shown(twoToken), Screen, "two", false)
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("a bad file is reported %d times:\n%s", n, &log)
	}
	write(t, name, "anonymous: {permissions: [screen]}\n")
	c.reload(t.Context(), said)
	want(shown(twoToken), Screen, "", false)
	want(Credentials{}, Screen, Anonymous, false)
	want(Credentials{}, Lists, Anonymous, true)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	c.reload(t.Context(), said)
	want(Credentials{}, Screen, Anonymous, false)

	// Who cannot be known here is refused.
	write(t, name, "callers: [{name: a, certificates: [b], permissions: [screen]}]\n")
	if _, err := Open(Config{Callers: name}); err == nil || !strings.Contains(err.Error(), "client CA") {
		t.Errorf("a caller with a certificate and no authority: %v", err)
	}
	write(t, name, "callers: [{name: a, token_sha256: [{hash: "+hashOf(oneToken)+"}], permissions: [screen]}]\n")
	if _, err := Open(Config{Callers: name, Plaintext: true}); err == nil || !strings.Contains(err.Error(), "nothing would encrypt") {
		t.Errorf("tokens in plain text: %v", err)
	}
}

// A quota gives what it says, tells when, and lives on when the file is read anew.
func TestQuota(t *testing.T) {
	name := filepath.Join(t.TempDir(), "callers.yaml")
	text := "callers: [{name: one, token_sha256: [{hash: " + hashOf(oneToken) + "}], permissions: [screen], quota: {addresses_per_second: 10, burst: 100}}]\n"
	write(t, name, text)
	now := noon
	clock := func() time.Time { return now }
	c, err := Open(Config{Callers: name, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int) error {
		t.Helper()
		caller, err := c.Authorize(shown(oneToken), Screen)
		if err != nil {
			t.Fatal(err)
		}
		return caller.Take(clock, n)
	}
	delay := func(err error) time.Duration {
		t.Helper()
		var over *QuotaError
		if !errors.As(err, &over) {
			t.Fatalf("%v, want that the quota is used up", err)
		}
		return over.Delay
	}
	if err := take(100); err != nil {
		t.Errorf("the burst: %v", err)
	}
	for range 3 { // what is refused takes nothing
		if d := delay(take(5)); d != 500*time.Millisecond {
			t.Errorf("five addresses at ten a second: %s", d)
		}
	}
	if d := delay(take(101)); d != 0 {
		t.Errorf("more than the burst can be had after %s", d)
	}
	write(t, name, "# read anew\n"+text)
	c.reload(t.Context(), map[string]string{})
	delay(take(1))
	now = now.Add(500 * time.Millisecond)
	if err := take(5); err != nil {
		t.Errorf("after the delay: %v", err)
	}
	delay(take(1))

	c.callers.Load().callers[0].limiter = nil
	headers := []string{"Bearer " + oneToken}
	if n := testing.AllocsPerRun(100, func() {
		caller, err := c.Authorize(Read(t.Context(), headers), Screen)
		if err != nil || caller.Take(clock, 1) != nil {
			t.Error(err)
		}
	}); n > 1 { // the bytes that are hashed
		t.Errorf("%g allocations to authorize a call", n)
	}
}

// signer is an authority of a test.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key: key, cert: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(1000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}}
	der, err := x509.CreateCertificate(rand.Reader, s.cert, s.cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.pem = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return s
}

// sign makes a certificate and its key, in PEM.
func (s *signer) sign(t *testing.T, change func(*x509.Certificate)) (cert, key string, leaf *x509.Certificate) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	what := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "admin"}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(100 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(what)
	der, err := x509.CreateCertificate(rand.Reader, what, s.cert, k.Public(), s.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	if leaf, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), leaf
}

// A certificate is known by its names of the first kind that it has, never by its
// common name, and only while an authority stands behind it.
func TestCertificates(t *testing.T) {
	dir, by, other := t.TempDir(), newSigner(t), newSigner(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	cert, key, _ := by.sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} })
	write(t, file("cert"), cert)
	write(t, file("key"), key)
	write(t, file("ca"), by.pem)
	write(t, file("callers"), `callers:
- {name: uri, certificates: ["spiffe://example.org/a"], permissions: [screen]}
- {name: dns, certificates: [a.example.org], permissions: [screen]}
- {name: mail, certificates: [a@example.org], permissions: [screen]}
- {name: cn, certificates: [admin], permissions: [admin]}
`)
	now := noon
	c, err := Open(Config{Callers: file("callers"), Cert: file("cert"), Key: file("key"), ClientCA: file("ca"), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	spiffe, elsewhere := &url.URL{Scheme: "spiffe", Host: "example.org", Path: "/a"}, &url.URL{Scheme: "spiffe", Host: "example.org", Path: "/b"}
	proof := func(s *signer, change func(*x509.Certificate)) *Proof {
		_, _, leaf := s.sign(t, change)
		return &Proof{TLSInfo: credentials.TLSInfo{State: tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}}}}
	}
	for _, test := range []struct {
		name   string
		change func(*x509.Certificate)
		want   string
	}{
		{"URI", func(c *x509.Certificate) { c.URIs, c.DNSNames = []*url.URL{spiffe}, []string{"a.example.org"} }, "uri"},
		{"another URI, and a DNS name that is known", func(c *x509.Certificate) { c.URIs, c.DNSNames = []*url.URL{elsewhere}, []string{"a.example.org"} }, ""},
		{"DNS", func(c *x509.Certificate) {
			c.DNSNames, c.EmailAddresses = []string{"A.example.org"}, []string{"b@example.org"}
		}, "dns"},
		{"email", func(c *x509.Certificate) { c.EmailAddresses = []string{"a@example.org"} }, "mail"},
		{"common name alone", func(*x509.Certificate) {}, ""},
		{"two callers", func(c *x509.Certificate) { c.DNSNames = []string{"a.example.org", "admin"} }, ""},
	} {
		caller, err := c.Authorize(Credentials{proof: proof(by, test.change)}, Screen)
		if test.want == "" && err == nil || test.want != "" && (err != nil || caller.Name != test.want) {
			t.Errorf("%s: %v, %v; want %q", test.name, caller, err, test.want)
		}
	}
	dns := func(c *x509.Certificate) { c.DNSNames = []string{"a.example.org"} }
	if _, err := c.Authorize(Credentials{proof: proof(other, dns)}, Screen); err == nil {
		t.Error("a certificate of another authority is accepted")
	}
	p := proof(by, dns)
	if _, err := c.Authorize(Credentials{proof: p}, Screen); err != nil {
		t.Error(err)
	}
	// A connection outlives its certificate.
	now = noon.Add(101 * time.Hour)
	if _, err := c.Authorize(Credentials{proof: p}, Screen); err == nil {
		t.Error("a certificate is good on an open connection after it has expired")
	}
	// And its authority.
	now = noon
	write(t, file("ca"), other.pem)
	c.reload(t.Context(), map[string]string{})
	if _, err := c.Authorize(Credentials{proof: p}, Screen); err == nil {
		t.Error("a certificate is good on an open connection after its authority went")
	}

	// Half of a new pair changes nothing; the other half does.
	said := map[string]string{}
	cert, key, leaf := by.sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"localhost"}; c.SerialNumber = big.NewInt(7) })
	before := c.pair.Load()
	write(t, file("cert"), cert)
	c.reload(t.Context(), said)
	if c.pair.Load() != before || len(said) != 1 {
		t.Errorf("half a pair is in force, or not reported: %v", said)
	}
	write(t, file("key"), key)
	c.reload(t.Context(), said)
	if got := c.tls.Load().Certificates[0].Leaf; got.SerialNumber.Cmp(leaf.SerialNumber) != 0 || len(said) != 0 {
		t.Errorf("serial number %s is in force, want %s; %v", got.SerialNumber, leaf.SerialNumber, said)
	}

	// What is doubtful is refused at the start.
	refused := func(want string, cfg Config) {
		t.Helper()
		cfg.Now = func() time.Time { return noon }
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	refused("both or neither", Config{Cert: file("cert")})
	refused("want TLS", Config{ClientCA: file("ca")})
	refused("no certificate", Config{Cert: file("cert"), Key: file("key"), ClientCA: file("key")})
	if err := os.Chmod(file("key"), 0o604); err != nil {
		t.Fatal(err)
	}
	refused("chmod", Config{Cert: file("cert"), Key: file("key")})
	if err := os.Chmod(file("key"), 0o640); err != nil {
		t.Fatal(err)
	}
	cert, _, _ = by.sign(t, func(c *x509.Certificate) {})
	write(t, file("cert"), cert)
	refused("does not match", Config{Cert: file("cert"), Key: file("key")})
	cert, key, _ = by.sign(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) })
	write(t, file("cert"), cert)
	write(t, file("key"), key)
	refused("expired", Config{Cert: file("cert"), Key: file("key")})
}

// Secrets of Kubernetes change by a symbolic link in the path of the files.
func TestReloadThroughLinks(t *testing.T) {
	dir := t.TempDir()
	for i, text := range []string{"anonymous: {permissions: [screen]}\n", "anonymous: {permissions: [lists]}\n"} {
		version := filepath.Join(dir, []string{"..1", "..2"}[i])
		if err := os.Mkdir(version, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(version, "callers.yaml"), text)
	}
	link := func(to string) {
		t.Helper()
		tmp := filepath.Join(dir, "..data_tmp")
		if err := errors.Join(os.Symlink(to, tmp), os.Rename(tmp, filepath.Join(dir, "..data"))); err != nil {
			t.Fatal(err)
		}
	}
	link("..1")
	name := filepath.Join(dir, "callers.yaml")
	if err := os.Symlink(filepath.Join("..data", "callers.yaml"), name); err != nil {
		t.Fatal(err)
	}
	c, err := Open(Config{Callers: name})
	if err != nil {
		t.Fatal(err)
	}
	link("..2")
	c.reload(t.Context(), map[string]string{})
	if _, err := c.Authorize(Credentials{}, Lists); err != nil {
		t.Errorf("after the link has moved: %v", err)
	}
}

// The end of a certificate is told early, and once a day.
func TestExpiry(t *testing.T) {
	dir, by := t.TempDir(), newSigner(t)
	cert, key, leaf := by.sign(t, func(c *x509.Certificate) { c.NotAfter = noon.Add(90 * 24 * time.Hour) })
	write(t, filepath.Join(dir, "cert"), cert)
	write(t, filepath.Join(dir, "key"), key)
	now := noon
	var log bytes.Buffer
	c, err := Open(Config{Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		left time.Duration
		want string
	}{
		{89 * 24 * time.Hour, ""}, {13 * 24 * time.Hour, "expires soon"}, {13*24*time.Hour - time.Hour, ""}, {11 * 24 * time.Hour, "expires soon"}, {-time.Hour, "has expired"},
	} {
		log.Reset()
		now = leaf.NotAfter.Add(-step.left)
		c.reload(t.Context(), map[string]string{})
		if got := log.String(); step.want == "" && got != "" || !strings.Contains(got, step.want) {
			t.Errorf("%s before the end: %q, want %q", step.left, got, step.want)
		}
	}
}

// Handshakes over a socket: who is let in, by the authorities as they are now.
func TestHandshake(t *testing.T) {
	dir, by, other := t.TempDir(), newSigner(t), newSigner(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	cert, key, _ := by.sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} })
	write(t, file("cert"), cert)
	write(t, file("key"), key)
	write(t, file("ca"), by.pem)
	write(t, file("callers"), "callers: [{name: a, certificates: [a.example.org], permissions: [screen]}]\n")
	clock := func() time.Time { return noon }
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(by.pem))
	pair := func(s *signer, change func(*x509.Certificate)) []tls.Certificate {
		cert, key, _ := s.sign(t, func(c *x509.Certificate) { c.DNSNames = []string{"a.example.org"}; change(c) })
		p, err := tls.X509KeyPair([]byte(cert), []byte(key))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{p}
	}
	same := func(*x509.Certificate) {}
	good := pair(by, same)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	// shake returns what the server makes of the handshake, and of the caller.
	shake := func(c *Control, client *tls.Config) (string, error) {
		t.Helper()
		client.Time, client.ServerName, client.NextProtos = clock, "localhost", []string{"h2"}
		if client.RootCAs == nil {
			client.RootCAs = roots
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := tls.Dial("tcp", listener.Addr().String(), client)
			if err == nil {
				// In TLS 1.3 a client learns of a refusal when it reads.
				_, _ = conn.Read(make([]byte, 1))
				conn.Close()
			}
		}()
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, info, err := c.Transport().ServerHandshake(conn)
		conn.Close()
		<-done
		if err != nil {
			return "", err
		}
		caller, err := c.Authorize(Credentials{proof: proofOf(info)}, Screen)
		if err != nil {
			return "refused", nil
		}
		return caller.Name, nil
	}
	for _, test := range []struct {
		name           string
		client         *tls.Config
		alone, callers string // who it is with the authority alone, and with callers; "" for no handshake
	}{
		{"good", &tls.Config{Certificates: good}, Anonymous, "a"},
		{"TLS 1.2", &tls.Config{Certificates: good, MaxVersion: tls.VersionTLS12}, Anonymous, "a"},
		{"TLS 1.1", &tls.Config{Certificates: good, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "", ""},
		{"no certificate", &tls.Config{}, "", "refused"},
		{"another authority", &tls.Config{GetClientCertificate: always(pair(other, same))}, "", ""},
		{"expired", &tls.Config{GetClientCertificate: always(pair(by, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }))}, "", ""},
		{"a server's only", &tls.Config{GetClientCertificate: always(pair(by, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] }))}, "", ""},
		{"who trusts another authority", &tls.Config{Certificates: good, RootCAs: x509.NewCertPool()}, "", ""},
	} {
		for callers, want := range map[string]string{"": test.alone, file("callers"): test.callers} {
			c, err := Open(Config{Callers: callers, Cert: file("cert"), Key: file("key"), ClientCA: file("ca"), Now: clock})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := shake(c, test.client.Clone()); got != want {
				t.Errorf("%s, callers %q: %q, %v; want %q", test.name, callers, got, err, want)
			}
		}
	}
	// Handshakes follow the file of authorities.
	c, err := Open(Config{Cert: file("cert"), Key: file("key"), ClientCA: file("ca"), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	write(t, file("ca"), other.pem)
	c.reload(t.Context(), map[string]string{})
	if got, err := shake(c, &tls.Config{GetClientCertificate: always(good)}); err == nil {
		t.Errorf("the authority is gone, and its client is %q", got)
	}
	if got, err := shake(c, &tls.Config{GetClientCertificate: always(pair(other, same))}); err != nil || got != Anonymous {
		t.Errorf("a client of the new authority: %q, %v", got, err)
	}
}

// always shows a certificate whatever the server asks for.
func always(pair []tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair[0], nil }
}

// Two hashes that begin alike are two tokens.
func TestTokensThatBeginAlike(t *testing.T) {
	hash, err := HashToken(NewToken())
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCallers([]byte("callers:\n- {name: a, token_sha256: [{hash: " + hash.String() + "}], permissions: [screen]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.byToken(hash); !ok {
		t.Error("the token is not found")
	}
	for i := range hash {
		other := hash
		other[i] ^= 1
		if _, ok := c.byToken(other); ok {
			t.Errorf("a hash that differs in byte %d is found", i)
		}
	}
}
