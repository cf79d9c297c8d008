package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/credentials"
)

// names are the names that a certificate proves: its URIs if it has any, else its
// DNS names, else its email addresses. The common name proves nothing.
func names(leaf *x509.Certificate) []string {
	var found []string
	for _, u := range leaf.URIs {
		found = append(found, u.String())
	}
	if len(found) > 0 {
		return found
	}
	for _, n := range leaf.DNSNames {
		found = append(found, strings.ToLower(n))
	}
	if len(found) > 0 {
		return found
	}
	return leaf.EmailAddresses
}

// authorities are those who sign client certificates.
type authorities struct{ pool *x509.CertPool }

func parseAuthorities(text []byte) (*authorities, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New("no certificate in PEM in it")
	}
	return &authorities{pool}, nil
}

// parsePair reads the server's own certificate, and refuses one that no client
// would accept now.
func parsePair(cert, key []byte, now time.Time) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	switch leaf := pair.Leaf; {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("the certificate expired at %s", leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore.Format(time.RFC3339))
	case leaf.IsCA && len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.URIs) == 0:
		return nil, errors.New("the certificate is an authority's, not a server's")
	}
	return &pair, nil
}

// A Proof is what TLS proved of the other end of one connection.
type Proof struct {
	credentials.TLSInfo
	verified atomic.Pointer[verification]
}

// verification is what is thought of a client's certificate while the authorities
// are the same.
type verification struct {
	by    *authorities
	names []string
	err   error
}

// transport is credentials.TransportCredentials that make a Proof of each
// handshake.
type transport struct {
	credentials.TransportCredentials
}

func (t transport) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	secured, info, err := t.TransportCredentials.ServerHandshake(conn)
	if err != nil {
		return nil, nil, err
	}
	proof := &Proof{}
	proof.TLSInfo, _ = info.(credentials.TLSInfo)
	return secured, proof, nil
}

func (t transport) Clone() credentials.TransportCredentials {
	return transport{t.TransportCredentials.Clone()}
}

// Transport returns the credentials that a gRPC server is to have, nil without a
// certificate of its own.
func (c *Control) Transport() credentials.TransportCredentials {
	if c.cfg.Cert == "" {
		return nil
	}
	return transport{credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.tls.Load(), nil
		},
	})}
}

// handshake is the configuration of the handshakes from now on.
func (c *Control) handshake() *tls.Config {
	cfg := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Time:         c.cfg.Now,
		Certificates: []tls.Certificate{*c.pair.Load()},
		NextProtos:   []string{"h2"},
		// A resumed session would carry over what other authorities verified.
		SessionTicketsDisabled: true,
	}
	if by := c.authorities.Load(); by != nil {
		cfg.ClientCAs, cfg.ClientAuth = by.pool, tls.RequireAndVerifyClientCert
		if c.cfg.Callers != "" {
			// Others may have tokens, and probes have neither.
			cfg.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return cfg
}

// names returns the names that a connection's certificate proves now, none if it
// showed none. The authorities, and the time, may have changed since the handshake.
func (c *Control) names(p *Proof) ([]string, error) {
	if p == nil || len(p.State.PeerCertificates) == 0 {
		return nil, nil
	}
	chain := p.State.PeerCertificates
	by := c.authorities.Load()
	v := p.verified.Load()
	if v == nil || v.by != by {
		v = &verification{by: by, names: names(chain[0])}
		options := x509.VerifyOptions{Roots: by.pool, Intermediates: x509.NewCertPool(), CurrentTime: c.cfg.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, cert := range chain[1:] {
			options.Intermediates.AddCert(cert)
		}
		if _, err := chain[0].Verify(options); err != nil {
			v.err = errors.New("the client certificate is not, or no longer, one of an authority that this server trusts")
		}
		p.verified.Store(v)
	}
	if v.err == nil && c.cfg.Now().After(chain[0].NotAfter) {
		return nil, errors.New("the client certificate has expired")
	}
	return v.names, v.err
}

// proofOf returns what TLS proved of the peer of a call.
func proofOf(info credentials.AuthInfo) *Proof {
	p, _ := info.(*Proof)
	return p
}

// expiry watches how long the server's certificate is still good for.
type expiry struct {
	said time.Time
}

// watch says once a day that the certificate ends soon: in two weeks, or, of one
// that lives for weeks or hours, in a fifth of its life.
func (e *expiry) watch(ctx context.Context, c *Control) {
	pair := c.pair.Load()
	if pair == nil {
		return
	}
	now, leaf := c.cfg.Now(), pair.Leaf
	left := leaf.NotAfter.Sub(now)
	if left > min(14*24*time.Hour, leaf.NotAfter.Sub(leaf.NotBefore)/5) || now.Sub(e.said) < 24*time.Hour {
		return
	}
	e.said = now
	if left <= 0 {
		c.cfg.Log.ErrorContext(ctx, "the server's certificate has expired: clients refuse it", "file", c.cfg.Cert, "not_after", leaf.NotAfter)
		return
	}
	c.cfg.Log.WarnContext(ctx, "the server's certificate expires soon", "file", c.cfg.Cert, "not_after", leaf.NotAfter, "left", left.Round(time.Minute))
}
