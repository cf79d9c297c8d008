package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"walletscreen/screen/client"
)

// connectFlags say which server to ask, and who asks.
type connectFlags struct {
	Server        string `default:"127.0.0.1:50051" help:"Server to ask, HOST:PORT."`
	TLS           bool   `name:"tls" help:"Speak TLS, and trust the authorities of this machine. Said by each of the --tls- flags below, too."`
	TLSCA         string `name:"tls-ca" placeholder:"FILE" help:"Authorities to trust in place of those of this machine, in PEM."`
	TLSCert       string `name:"tls-cert" placeholder:"FILE" help:"Certificate to show, in PEM, where the server wants one."`
	TLSKey        string `name:"tls-key" placeholder:"FILE" help:"Private key of --tls-cert, in PEM."`
	TLSServerName string `name:"tls-server-name" placeholder:"NAME" help:"Name that the server's certificate must have, in place of the host of --server."`
	TokenFile     string `placeholder:"FILE" help:"File that holds the bearer token of the caller and nothing else. Read anew for each request. Sent over TLS, or to a loopback address."`
}

// connect makes a client of the server. It does not connect yet.
func (c *connectFlags) connect() (*client.Client, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	cl, err := client.New(c.Server, options...)
	if err != nil {
		return nil, usagef("%v", err)
	}
	return cl, nil
}

func (c *connectFlags) options() ([]grpc.DialOption, error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return nil, usagef("--tls-cert and --tls-key belong together")
	}
	var options []grpc.DialOption
	secured := c.TLS || c.TLSCA != "" || c.TLSCert != "" || c.TLSServerName != ""
	if secured {
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
		if c.TLSCert != "" {
			pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
			if err != nil {
				return nil, fmt.Errorf("--tls-cert: %w", err)
			}
			cfg.Certificates = []tls.Certificate{pair}
		}
		options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	}
	if c.TokenFile != "" {
		if !secured && !loopback(c.Server) {
			return nil, usagef("--token-file sends a secret, and nothing would encrypt it on the way to %s: say --tls", c.Server)
		}
		t := tokenFile{name: c.TokenFile, secured: secured}
		if _, err := t.read(); err != nil {
			return nil, err
		}
		options = append(options, grpc.WithPerRPCCredentials(t))
	}
	return options, nil
}

// loopback reports whether a server is on this machine.
func loopback(server string) bool {
	host, _, err := net.SplitHostPort(server)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// tokenFile is credentials.PerRPCCredentials from a file.
type tokenFile struct {
	name    string
	secured bool
}

func (t tokenFile) read() (string, error) {
	text, err := os.ReadFile(t.name)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("--token-file: %s: want one token and nothing else", t.name)
	}
	return token, nil
}

// GetRequestMetadata is credentials.PerRPCCredentials'.
func (t tokenFile) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := t.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity is credentials.PerRPCCredentials'.
func (t tokenFile) RequireTransportSecurity() bool { return t.secured }
