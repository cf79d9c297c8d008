package access

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// defaultBurst is the burst of a quota that names none: the largest batch.
const defaultBurst = 10_000

// The form of a file of callers.
type (
	callersFile struct {
		Callers   []callerEntry   `yaml:"callers"`
		Anonymous *anonymousEntry `yaml:"anonymous"`
	}
	callerEntry struct {
		Name         string       `yaml:"name"`
		TokenSHA256  []tokenEntry `yaml:"token_sha256"`
		Certificates []string     `yaml:"certificates"`
		Permissions  []string     `yaml:"permissions"`
		Quota        *quotaEntry  `yaml:"quota"`
	}
	tokenEntry struct {
		Hash     string `yaml:"hash"`
		NotAfter string `yaml:"not_after"`
	}
	anonymousEntry struct {
		Permissions []string    `yaml:"permissions"`
		Quota       *quotaEntry `yaml:"quota"`
	}
	quotaEntry struct {
		PerSecond float64 `yaml:"addresses_per_second"`
		Burst     *int    `yaml:"burst"`
	}
)

// Callers are those who may call, as a file has them. They do not change.
type Callers struct {
	callers   []declared
	anonymous *declared // nil: nobody may call without credentials
	tokens    map[uint64][]token
	names     map[string]int // of a certificate, to the place in callers
}

// declared is a caller of the file.
type declared struct {
	name      string
	may       Permission
	perSecond float64 // 0 for no quota
	burst     int
}

type token struct {
	hash     TokenHash
	notAfter time.Time // zero for always
	caller   int
}

var callerName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ParseCallers reads a file of callers. Unknown keys, and callers who could never
// be known, are errors; they name the caller and quote no token.
//
//	callers:
//	  - name: trading                      # for logs and metrics
//	    token_sha256:                      # any of these tokens, or
//	      - hash: 5feceb66ffc86f38...      # 64 hex digits
//	        not_after: 2027-01-31T00:00:00Z  # optional
//	    certificates:                      # any of these names in a client certificate
//	      - spiffe://example.org/trading
//	    permissions: [screen, lists]
//	    quota:                             # none without it
//	      addresses_per_second: 5000
//	      burst: 20000                     # at least a second's worth and 10,000 without it
//	anonymous:                             # who shows no credentials: nobody without it
//	  permissions: [screen]
//	  quota: {addresses_per_second: 10, burst: 100}
func ParseCallers(text []byte) (*Callers, error) {
	var f callersFile
	in := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	if err := in.Decode(&f); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the file is empty")
		}
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	if err := in.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	if len(f.Callers) == 0 && f.Anonymous == nil {
		return nil, errors.New("no callers, and nothing for anonymous: nobody could call")
	}
	c := &Callers{tokens: map[uint64][]token{}, names: map[string]int{}}
	for i := range f.Callers {
		entry := &f.Callers[i]
		if err := c.add(entry); err != nil {
			return nil, fmt.Errorf("caller %d (%.64q): %w", i+1, entry.Name, err)
		}
	}
	if a := f.Anonymous; a != nil {
		d, err := declare(Anonymous, a.Permissions, a.Quota)
		if err != nil {
			return nil, fmt.Errorf("anonymous: %w", err)
		}
		c.anonymous = &d
	}
	return c, nil
}

func declare(name string, permissions []string, quota *quotaEntry) (declared, error) {
	d := declared{name: name}
	var err error
	if d.may, err = parsePermissions(permissions); err != nil || quota == nil {
		return d, err
	}
	if !(quota.PerSecond > 0) || quota.PerSecond > 1e9 {
		return d, fmt.Errorf("quota: addresses_per_second is %g, want more than 0 and at most 1e9; leave quota out for none", quota.PerSecond)
	}
	d.perSecond, d.burst = quota.PerSecond, max(defaultBurst, int(quota.PerSecond))
	if quota.Burst != nil {
		if *quota.Burst < 1 || *quota.Burst > 1e9 {
			return d, fmt.Errorf("quota: burst is %d, want 1 to 1e9", *quota.Burst)
		}
		d.burst = *quota.Burst
	}
	return d, nil
}

func (c *Callers) add(entry *callerEntry) error {
	if !callerName.MatchString(entry.Name) || entry.Name == Anonymous {
		return fmt.Errorf("want a name of 1 to 64 letters, digits, dots, hyphens and underscores, other than %s", Anonymous)
	}
	if slices.ContainsFunc(c.callers, func(d declared) bool { return d.name == entry.Name }) {
		return errors.New("the name stands there twice")
	}
	if len(entry.TokenSHA256) == 0 && len(entry.Certificates) == 0 {
		return errors.New("neither token_sha256 nor certificates: it could never be known")
	}
	d, err := declare(entry.Name, entry.Permissions, entry.Quota)
	if err != nil {
		return err
	}
	place := len(c.callers)
	c.callers = append(c.callers, d)
	for i, t := range entry.TokenSHA256 {
		hash, err := parseTokenHash(t.Hash)
		if err != nil {
			return fmt.Errorf("token_sha256 %d: %w", i+1, err)
		}
		next := token{hash: hash, caller: place}
		if t.NotAfter != "" {
			if next.notAfter, err = time.Parse(time.RFC3339, t.NotAfter); err != nil {
				return fmt.Errorf("token_sha256 %d: not_after %q: want an instant like 2027-01-31T00:00:00Z", i+1, t.NotAfter)
			}
		}
		if same, found := c.byToken(hash); found {
			return fmt.Errorf("token_sha256 %d is a token of %s, too", i+1, c.callers[same.caller].name)
		}
		c.tokens[hash.bucket()] = append(c.tokens[hash.bucket()], next)
	}
	for _, text := range entry.Certificates {
		name, err := certificateName(text)
		if err != nil {
			return err
		}
		if same, found := c.names[name]; found {
			return fmt.Errorf("certificate %q is a name of %s, too", text, c.callers[same].name)
		}
		c.names[name] = place
	}
	return nil
}

// certificateName checks a name of a certificate as it stands in the file and
// returns it as names returns those of a certificate.
func certificateName(text string) (string, error) {
	switch {
	case strings.ContainsAny(text, "* \t\r\n") || text == "":
		return "", fmt.Errorf("certificate %q: want one name, written out", text)
	case strings.Contains(text, ":"):
		if u, err := url.Parse(text); err != nil || u.Scheme == "" {
			return "", fmt.Errorf("certificate %q: want a URI like spiffe://example.org/name", text)
		}
		return text, nil
	case strings.Contains(text, "@"):
		if a, err := mail.ParseAddress(text); err != nil || a.Address != text {
			return "", fmt.Errorf("certificate %q: want an email address", text)
		}
		return text, nil
	default:
		return strings.ToLower(text), nil
	}
}

// bucket is where a hash is looked for. Its neighbors are compared in constant
// time, and what the time of the first step could tell is about a hash, from which
// no token follows.
func (h TokenHash) bucket() uint64 { return binary.BigEndian.Uint64(h[:]) }

func (c *Callers) byToken(hash TokenHash) (token, bool) {
	var found token
	ok := false
	for _, t := range c.tokens[hash.bucket()] {
		if subtle.ConstantTimeCompare(t.hash[:], hash[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// Tokens reports whether any caller is known by a token.
func (c *Callers) Tokens() bool { return len(c.tokens) > 0 }

// certificatesOnly returns a caller who is known by a certificate alone, "" if there
// is none.
func (c *Callers) certificatesOnly() string {
	withToken := map[int]bool{}
	for _, bucket := range c.tokens {
		for _, t := range bucket {
			withToken[t.caller] = true
		}
	}
	for i, d := range c.callers {
		if !withToken[i] {
			return d.name
		}
	}
	return ""
}

// expired are the callers whose tokens have all expired and who have no other way
// to be known.
func (c *Callers) expired(now time.Time) []string {
	alive := map[int]bool{}
	for _, place := range c.names {
		alive[place] = true
	}
	for _, bucket := range c.tokens {
		for _, t := range bucket {
			if t.notAfter.IsZero() || now.Before(t.notAfter) {
				alive[t.caller] = true
			}
		}
	}
	var names []string
	for i, d := range c.callers {
		if !alive[i] {
			names = append(names, d.name)
		}
	}
	return names
}
