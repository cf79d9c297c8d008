package store

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"walletscreen/screen/store/storetest"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]target{
		"redis://localhost":                    {kind: oneServer, addrs: []string{"localhost:6379"}},
		"redis://u:p%40%2F%3F@h:1/2":           {kind: oneServer, addrs: []string{"h:1"}, db: 2, data: credentials{user: "u", password: "p@/?"}},
		"redis://:p@ss@h/":                     {kind: oneServer, addrs: []string{"h:6379"}, data: credentials{password: "p@ss"}},
		"redis://[::1]":                        {kind: oneServer, addrs: []string{"[::1]:6379"}},
		"redis://[::1]:1":                      {kind: oneServer, addrs: []string{"[::1]:1"}},
		"redis://u@h?password_file=" + file:    {kind: oneServer, addrs: []string{"h:6379"}, data: credentials{user: "u", passwordFile: file}},
		"rediss://h:1?tls_server_name=x":       {kind: oneServer, addrs: []string{"h:1"}, tls: &tlsFiles{serverName: "x"}},
		"unix:///run/redis.sock":               {kind: unixSocket, addrs: []string{"/run/redis.sock"}},
		"unix://u:p@/run/a%20b?db=3":           {kind: unixSocket, addrs: []string{"/run/a b"}, db: 3, data: credentials{user: "u", password: "p"}},
		"redis+sentinel://a,b:2,[::1]:3/lists": {kind: bySentinels, addrs: []string{"a:26379", "b:2", "[::1]:3"}, master: "lists"},
		"redis+sentinel://:p@a/lists/4":        {kind: bySentinels, addrs: []string{"a:26379"}, master: "lists", db: 4, data: credentials{password: "p"}},
		"rediss+sentinel://a/lists?sentinel_user=s&sentinel_password_file=" + file: {
			kind: bySentinels, addrs: []string{"a:26379"}, master: "lists", sentinels: credentials{user: "s", passwordFile: file}, tls: &tlsFiles{},
		},
		"redis+cluster://a,b:2": {kind: inCluster, addrs: []string{"a:6379", "b:2"}},
		"rediss+cluster://a:1/": {kind: inCluster, addrs: []string{"a:1"}, tls: &tlsFiles{}},
	} {
		got, err := parseURL(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got.tls != nil && want.tls != nil {
			if *got.tls != *want.tls {
				t.Errorf("%s: TLS with %+v, want %+v", text, got.tls, want.tls)
			}
			got.tls, want.tls = nil, nil
		}
		if got.tls != want.tls || got.kind != want.kind || !slices.Equal(got.addrs, want.addrs) || got.master != want.master || got.db != want.db ||
			got.data != want.data || got.sentinels != want.sentinels {
			t.Errorf("%s: got %+v, want %+v", text, *got, want)
		}
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	t.Parallel()
	certs := storetest.NewCertificates(t)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                                          "want redis://",
		"localhost:6379":                            "want redis://",
		"http://:hunter2@localhost":                 "want redis://",
		"redis:///0":                                "want redis://",
		"redis://:hunter2@local host":               "want redis://",
		"redis://:hunter2@localhost:port":           "want redis://",
		"redis://:hunter2@localhost:0":              "want redis://",
		"redis://:hunter2@a:1:2":                    "want redis://",
		"redis://:hunter2#x@localhost":              "want redis://",
		"redis://:hunter2/x@localhost":              "want redis://",
		"redis://:hunter2?x@localhost":              "want redis://",
		"redis://:hunter2%@localhost":               "%25",
		"redis://:hunter2@localhost/hunter2":        "number of a database",
		"redis://:hunter2@localhost/-1":             "number of a database",
		"redis://:hunter2@localhost/1/2":            "want redis://",
		"redis://:hunter2@a,b":                      "redis+sentinel://",
		"redis://:hunter2@a?hunter2=1":              "name that is not known",
		"redis://:hunter2@a?read_timeout=hunter2":   `"read_timeout" is not known`,
		"redis://:hunter2@a?password=hunter2":       `"password" is not known`,
		"redis://:hunter2@a?skip_verify=true":       `"skip_verify" is not known`,
		"redis://:hunter2@a?%zz":                    "want NAME=VALUE",
		"redis://:hunter2@a?db=1":                   `"db"`,
		"redis://:hunter2@a?tls_ca=x":               `"tls_ca"`,
		"redis://:hunter2@a?sentinel_user=x":        `"sentinel_user"`,
		"redis://a?password_file=":                  `"password_file"`,
		"redis://a?password_file=x&password_file=y": `"password_file"`,
		"redis://:hunter2@a?password_file=x":        "want one of them",
		"redis://user@a":                            "user without a password",
		"redis://user@a?password_file=/no/such":     "/no/such",
		"redis://user@a?password_file=" + empty:     "is empty",
		"rediss://a?tls_ca=/no/such":                "tls_ca",
		"rediss://a?tls_ca=" + empty:                "no certificate",
		"rediss://a?tls_cert=" + certs.ClientCert:   "both of tls_cert and tls_key",
		"rediss://a?tls_cert=" + certs.ClientCert + "&tls_key=" + certs.ServerKey: "tls_cert and tls_key",
		"unix://:hunter2@":                         "want redis://",
		"unix://host/path":                         "want redis://",
		"unix:///":                                 "want redis://",
		"redis+sentinel://:hunter2@a":              "name of the master",
		"redis+sentinel://a/lists?sentinel_user=x": "sentinel_password_file",
		"redis+sentinel://a/lists/1/2":             "name of the master",
		"redis+sentinel://a,/lists":                "want redis://",
		"redis+sentinels://a/lists":                "want redis://",
		"redis+cluster://:hunter2@a/1":             "one database",
	} {
		_, err := NewReader(Options{URL: text})
		if err == nil || !strings.HasPrefix(err.Error(), "redis URL: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzParseURL looks for URLs that are read in a strange way, and for errors that
// repeat what stands before the parameters.
func FuzzParseURL(f *testing.F) {
	for _, text := range []string{
		"redis://u:P@h:1/2", "rediss://[::1]?tls_server_name=x", "unix://:P@/run/s?db=1", "redis+sentinel://:P@a,b:2/m/1?sentinel_user=x",
		"redis+cluster://P@a,b", "redis://:P%@h", "redis://a:P/b", "redis://h?P=1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file=") || strings.Contains(text, "tls_") {
			return // it reads files
		}
		const secret = "hunter2"
		target, err := parseURL(strings.ReplaceAll(text, "P", secret))
		if err != nil {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if len(target.addrs) == 0 || target.db < 0 || (target.kind == bySentinels) != (target.master != "") {
			t.Errorf("%q: %+v", text, target)
		}
		for _, addr := range target.addrs {
			if host, port, err := net.SplitHostPort(addr); target.kind != unixSocket && (err != nil || host == "" || port == "") {
				t.Errorf("%q: address %q: %v", text, addr, err)
			}
		}
	})
}
