package client

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// token is a bearer token in a file. It is safe for use by many goroutines.
type token struct {
	file   string
	secure bool // never without TLS

	mu      sync.Mutex // guards what follows
	changed time.Time  // when the file was written that value is from
	size    int64
	value   string
}

// read returns the token. Finding out whether the file has changed takes
// microseconds; what takes its place is best moved there as a whole, with rename.
func (t *token) read() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.file)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	if t.value != "" && info.ModTime().Equal(t.changed) && info.Size() == t.size {
		return t.value, nil
	}
	text, err := os.ReadFile(t.file)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	value := strings.TrimSpace(string(text))
	// What a header cannot carry is not named: it may be most of a secret.
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("token: %s does not hold one line of printable ASCII characters", t.file)
	}
	t.value, t.changed, t.size = value, info.ModTime(), info.Size()
	return value, nil
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t *token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	value, err := t.read()
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + value}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (t *token) RequireTransportSecurity() bool { return t.secure }
