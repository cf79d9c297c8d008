package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

func TestNamespaceNames(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "default", "a", "A-b_c.9", strings.Repeat("x", 64)} {
		if _, err := NewReader(Options{URL: "redis://localhost", Namespace: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{" ", "a b", "a}b", "{a", "a:b", "a*", "ä", "a\n", "a\x00b", strings.Repeat("x", 65)} {
		_, err := NewPublisher(Options{URL: "redis://localhost", Namespace: bad})
		if err == nil || !strings.Contains(err.Error(), "namespace") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	const password = "hunter2"
	for _, bad := range []string{
		"", "localhost:6379", "http://user:hunter2@localhost", "redis://user:hunter2@local host", "redis://:hunter2@localhost/x",
		"redis://:hunter2@localhost:port", "redis://:hunter2@localhost?hunter2=1", "redis://:hunter2%@localhost", "unix://:hunter2@",
	} {
		_, err := NewReader(Options{URL: bad})
		if err == nil || !strings.HasPrefix(err.Error(), "redis URL: ") || strings.Contains(err.Error(), password) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"redis://localhost", "redis://u:p@localhost:1/2", "rediss://localhost:1", "unix:///run/redis.sock"} {
		if _, err := NewReader(Options{URL: good}); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

// TestNoPasswordInErrors fails to connect in every way with a password in the URL.
func TestNoPasswordInErrors(t *testing.T) {
	t.Parallel()
	locked, server := startRedis(t, "--requirepass", "the right one")
	const password = "hunter2"
	for name, url := range map[string]string{
		"wrong password": "redis://:hunter2@" + strings.TrimPrefix(locked.URL, "redis://"),
		"wrong user":     "redis://user:hunter2@" + strings.TrimPrefix(locked.URL, "redis://"),
		"no such socket": "unix://:hunter2@" + filepath.Join(t.TempDir(), "none"),
		"no TLS":         "rediss://:hunter2@" + strings.TrimPrefix(locked.URL, "redis://"),
		"nobody there":   "",
	} {
		if url == "" {
			server.Kill()
			url = "redis://:hunter2@" + strings.TrimPrefix(locked.URL, "redis://")
		}
		_, err := newReader(t, Options{URL: url}).Load(t.Context())
		// What cannot be asked is not empty.
		if err == nil || errors.Is(err, ErrNoSnapshot) || strings.Contains(err.Error(), password) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "nobody there" {
			server.Restart()
		}
	}
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "redis.sock")
	startRedis(t, "--unixsocket", socket)
	o := Options{URL: "unix://" + socket}
	mustLoad(t, o, mustPublish(t, newPublisher(t, o), 1, tron))
}

func TestDatabaseNumber(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	o := p.Options
	o.URL += "/3"
	mustLoad(t, o, mustPublish(t, newPublisher(t, o), 1, tron))
	if names := p.names(t); len(names) > 0 {
		t.Errorf("in database 0: %v", names)
	}
}
