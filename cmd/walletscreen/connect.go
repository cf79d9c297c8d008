package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"walletscreen/screen/client"
)

// connectFlags say which servers to ask, and who asks.
type connectFlags struct {
	Server []string `default:"127.0.0.1:50051" help:"Server to ask, HOST:PORT; or several of one installation, separated by commas or by repeating the flag: those that are ready are asked in turn, and another one when one fails. dns:///NAME:PORT asks all that a name stands for."`
	TLS    bool     `name:"tls" help:"Speak TLS, and trust the authorities of this machine. Said by each of the --tls- flags below, too."`
	TLSCA  string   `name:"tls-ca" placeholder:"FILE" help:"Authorities to trust in place of those of this machine, in PEM."`
	// Names of their own: beside a server, --tls-cert is the server's.
	TLSClientCert string `name:"tls-client-cert" placeholder:"FILE" help:"Certificate to show, in PEM, where the server wants one."`
	TLSClientKey  string `name:"tls-client-key" placeholder:"FILE" help:"Private key of --tls-client-cert, in PEM."`
	TLSServerName string `name:"tls-server-name" placeholder:"NAME" help:"Name that the server's certificate must have, in place of the host of --server."`
	TokenFile     string `placeholder:"FILE" help:"File that holds the bearer token of the caller and nothing else. Read anew when it changes. Sent over TLS, or to a loopback address."`
}

// client makes a client of the servers that bounds each call. It does not connect
// yet.
func (c *connectFlags) client(timeout time.Duration) (*client.Client, error) {
	if timeout <= 0 {
		return nil, usagef("--timeout wants a positive duration")
	}
	options := client.Options{TokenFile: c.TokenFile, Timeout: timeout, UserAgent: "walletscreen"}
	var err error
	if options.TLS, err = c.secured(); err != nil {
		return nil, err
	}
	cl, err := client.New(c.Server, options)
	if errors.Is(err, client.ErrNoTLS) {
		return nil, usagef("%v: say --tls", err)
	}
	if err != nil {
		return nil, usagef("%v", err)
	}
	return cl, nil
}

// secured is the TLS to speak, nil for none.
func (c *connectFlags) secured() (*tls.Config, error) {
	if (c.TLSClientCert == "") != (c.TLSClientKey == "") {
		return nil, usagef("--tls-client-cert and --tls-client-key belong together")
	}
	if !c.TLS && c.TLSCA == "" && c.TLSClientCert == "" && c.TLSServerName == "" {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName}
	if c.TLSCA != "" {
		text, err := os.ReadFile(c.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--tls-ca: %s: no certificate in PEM in it", c.TLSCA)
		}
	}
	if c.TLSClientCert != "" {
		// Read anew for each connection: watch outlives certificates.
		read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(c.TLSClientCert, c.TLSClientKey)
			if err != nil {
				return nil, fmt.Errorf("--tls-client-cert: %w", err)
			}
			return &pair, nil
		}
		if _, err := read(nil); err != nil {
			return nil, err
		}
		cfg.GetClientCertificate = read
	}
	return cfg, nil
}

// servers names them for people.
func (c *connectFlags) servers() string { return strings.Join(c.Server, ", ") }
