package storetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are files of an authority and of what it signed, all in PEM. They
// are a test's own and valid for an hour.
type Certificates struct {
	// CA is the file of the authority's certificate.
	CA string
	// ServerCert and ServerKey are a server's, for the name "localhost" and the
	// address 127.0.0.1.
	ServerCert, ServerKey string
	// ClientCert and ClientKey are a client's.
	ClientCert, ClientKey string
}

// NewCertificates makes an authority and signs a server's and a client's certificate.
func NewCertificates(t testing.TB) *Certificates {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(path, kind string, der []byte) {
		t.Helper()
		must(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	c := &Certificates{
		CA:         file("ca.pem"),
		ServerCert: file("server.pem"), ServerKey: file("server.key"),
		ClientCert: file("client.pem"), ClientKey: file("client.key"),
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		}
	}
	authority := template(1, "test authority")
	authority.IsCA, authority.KeyUsage = true, x509.KeyUsageCertSign
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	sign := func(what *x509.Certificate, key crypto.Signer) []byte {
		t.Helper()
		der, err := x509.CreateCertificate(rand.Reader, what, authority, key.Public(), authorityKey)
		must(err)
		return der
	}
	write(c.CA, "CERTIFICATE", sign(authority, authorityKey))

	// A server of a cluster or a replica is a client of others, too.
	server := template(2, "server")
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	server.DNSNames, server.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	client := template(3, "client")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, pair := range []struct {
		of        *x509.Certificate
		cert, key string
	}{{server, c.ServerCert, c.ServerKey}, {client, c.ClientCert, c.ClientKey}} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		write(pair.cert, "CERTIFICATE", sign(pair.of, key))
		der, err := x509.MarshalPKCS8PrivateKey(key)
		must(err)
		write(pair.key, "PRIVATE KEY", der)
	}
	return c
}

// dial connects as the client of the certificates.
func (c *Certificates) dial(dialer *net.Dialer, addr string) (net.Conn, error) {
	authority, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, err
	}
	own, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return tls.DialWithDialer(dialer, "tcp", addr, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{own}})
}
