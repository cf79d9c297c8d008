package client

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
)

// token is a bearer token in a file. It is safe for use by many goroutines.
type token struct {
	file   string
	secure bool // never without TLS

	mu    sync.Mutex  // guards what follows
	from  os.FileInfo // file that value is from
	value string
}

// read returns the token. Finding out whether the file has changed takes
// microseconds. A file that is away or half written, because it is being replaced,
// leaves the token as it was: servers decide how long that is good for.
func (t *token) read() (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Stat(t.file)
	if err == nil && t.from != nil && os.SameFile(info, t.from) && info.ModTime().Equal(t.from.ModTime()) && info.Size() == t.from.Size() {
		return t.value, nil
	}
	text, err := os.ReadFile(t.file)
	value := strings.TrimSpace(string(text))
	if err == nil && (value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' })) {
		// What a header cannot carry is not quoted: it may be most of a secret.
		err = fmt.Errorf("%s does not hold one word of printable ASCII characters", t.file)
	}
	switch {
	case err == nil:
		t.from, t.value = info, value
	case t.value == "":
		return "", fmt.Errorf("token file: %w", err)
	}
	return t.value, nil
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
