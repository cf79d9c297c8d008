package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// A target is where a Redis is and how to log in there.
type target struct {
	kind      targetKind
	addrs     []string // HOST:PORT of the server, the sentinels or some of the cluster; or the path of the socket
	master    string   // what sentinels call the master
	db        int
	data      credentials // at what holds the data
	sentinels credentials // at sentinels
	tls       *tlsFiles   // nil for none
}

type targetKind int

const (
	oneServer targetKind = iota
	unixSocket
	bySentinels
	inCluster
)

// credentials are a user and a password, either of which may be empty.
type credentials struct {
	user         string
	password     string
	passwordFile string // that holds the password instead
}

// forms is what a URL can look like.
const forms = "redis://[USER[:PASSWORD]@]HOST[:PORT][/DB], redis+sentinel://...HOST[:PORT],HOST[:PORT],.../MASTER[/DB], " +
	"redis+cluster://...HOST[:PORT],HOST[:PORT],..., rediss:// in place of redis:// for TLS, or unix://.../PATH"

// parseURL reads a Redis URL. Its errors repeat nothing that may be part of a
// password, and no net/url is asked for the whole: it repeats what it is given, and
// knows no lists of hosts.
func parseURL(text string) (*target, error) {
	malformed := errors.New("want " + forms)
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || strings.ContainsAny(rest, "# \t\r\n") {
		return nil, malformed
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	t := &target{}
	switch scheme {
	case "unix":
		t.kind = unixSocket
	case "redis", "rediss":
		t.kind = oneServer
	case "redis+sentinel", "rediss+sentinel":
		t.kind = bySentinels
	case "redis+cluster", "rediss+cluster":
		t.kind = inCluster
	default:
		return nil, malformed
	}
	secure := strings.HasPrefix(scheme, "rediss")

	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		var err, err2 error
		t.data.user, err = url.PathUnescape(user)
		t.data.password, err2 = url.PathUnescape(password)
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("user or password: a %% that is not followed by two hexadecimal digits is written %%25")
		}
		authority = authority[i+1:]
	}
	path, err := url.PathUnescape(path)
	if err != nil {
		return nil, malformed
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/"), "/")
	database := ""
	port := "6379"
	switch t.kind {
	case unixSocket:
		if authority != "" || strings.Trim(path, "/") == "" {
			return nil, malformed
		}
		t.addrs = []string{path}
	case oneServer:
		if len(parts) != 1 {
			return nil, malformed
		}
		database = parts[0]
	case bySentinels:
		port = "26379"
		if len(parts) > 2 || parts[0] == "" {
			return nil, errors.New("want the name of the master after the sentinels: redis+sentinel://HOST[:PORT],.../MASTER[/DB]")
		}
		if t.master = parts[0]; len(parts) == 2 {
			database = parts[1]
		}
	case inCluster:
		if parts[0] != "" {
			return nil, errors.New("a cluster has one database, which has no name: want nothing after the hosts")
		}
	}
	if t.kind != unixSocket {
		hosts := strings.Split(authority, ",")
		if t.kind == oneServer && len(hosts) > 1 {
			return nil, errors.New("several hosts: want redis+sentinel:// or redis+cluster://")
		}
		for _, host := range hosts {
			addr, ok := hostPort(host, port)
			if !ok {
				return nil, malformed
			}
			t.addrs = append(t.addrs, addr)
		}
	}

	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, errors.New("parameters: want NAME=VALUE, joined by &")
	}
	files := tlsFiles{}
	for name, values := range parameters {
		into := map[string]*string{
			"db": &database, "password_file": &t.data.passwordFile,
			"sentinel_user": &t.sentinels.user, "sentinel_password_file": &t.sentinels.passwordFile,
			"tls_ca": &files.ca, "tls_cert": &files.cert, "tls_key": &files.key, "tls_server_name": &files.serverName,
		}[name]
		switch {
		case into == nil && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "":
			return nil, errors.New("a parameter has a name that is not known") // it may be part of a password
		case into == nil:
			return nil, fmt.Errorf("parameter %q is not known", name)
		case len(values) != 1 || values[0] == "":
			return nil, fmt.Errorf("parameter %q: want it once and with a value", name)
		case name == "db" && t.kind != unixSocket:
			return nil, errors.New(`parameter "db" is for unix://; elsewhere the number of the database is the last part of the path`)
		case strings.HasPrefix(name, "sentinel_") && t.kind != bySentinels:
			return nil, fmt.Errorf("parameter %q is for redis+sentinel://", name)
		case strings.HasPrefix(name, "tls_") && !secure:
			return nil, fmt.Errorf("parameter %q is for TLS: rediss://, rediss+sentinel:// or rediss+cluster://", name)
		}
		*into = values[0]
	}
	if database != "" {
		if t.db, err = strconv.Atoi(database); err != nil || t.db < 0 {
			return nil, errors.New("want the number of a database, in " + forms)
		}
	}
	if err := t.data.validate("password_file"); err != nil {
		return nil, err
	}
	if err := t.sentinels.validate("sentinel_password_file"); err != nil {
		return nil, err
	}
	if secure {
		if (files.cert == "") != (files.key == "") {
			return nil, errors.New("a client's certificate has a key: want both of tls_cert and tls_key")
		}
		t.tls = &files
		if _, err := t.tls.config(""); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// hostPort adds the port if there is none.
func hostPort(text, port string) (string, bool) {
	host := text
	switch {
	case strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]"):
		host = text[1 : len(text)-1]
	case strings.Contains(text, ":"):
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", false
		}
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if net.ParseIP(host) == nil && (host == "" || strings.Trim(host, allowed) != "") {
		return "", false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", false
	}
	return net.JoinHostPort(host, port), true
}

// validate refuses a login that cannot work. file is the name of the parameter.
func (c *credentials) validate(file string) error {
	switch {
	case c.password != "" && c.passwordFile != "":
		return fmt.Errorf("a password and %s: want one of them", file)
	case c.user != "" && c.password == "" && c.passwordFile == "":
		return fmt.Errorf("a user without a password: want %s, or a password in the URL", file)
	}
	_, _, err := c.login(context.Background())
	return err
}

// login returns user and password. A file is read for each connection, so that a
// password can be changed without a restart.
func (c *credentials) login(context.Context) (user, password string, err error) {
	if c.passwordFile == "" {
		return c.user, c.password, nil
	}
	data, err := os.ReadFile(c.passwordFile)
	if err != nil {
		return "", "", fmt.Errorf("reading the password: %w", err)
	}
	if password = strings.TrimRight(string(data), "\r\n"); password == "" {
		return "", "", fmt.Errorf("reading the password: %s is empty", c.passwordFile)
	}
	return c.user, password, nil
}

// tlsFiles are the files of a TLS connection, in PEM. They are read for each
// connection, so that certificates can be renewed without a restart.
type tlsFiles struct {
	ca         string // "" for the authorities of the system
	cert, key  string // "" for none
	serverName string // "" for the host that is dialed
}

// config returns how to talk to a host.
func (f *tlsFiles) config(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if f.serverName != "" {
		c.ServerName = f.serverName
	}
	if f.ca != "" {
		data, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("tls_ca: %s holds no certificate in PEM", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("tls_cert and tls_key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
