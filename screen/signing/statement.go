// Package signing signs statements about snapshots and verifies them.
//
// A signature is made with Ed25519 (RFC 8032) over a statement: a short text that
// people can read. Its first line says what it is about, so that no signature can be
// used for anything else. Lines end with a line feed, the last one too:
//
//	walletscreen snapshot statement 1
//	namespace default
//	sequence 42
//	digest 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
//	created_at 2025-11-05T12:00:00.001Z
//
// That is the statement about a snapshot: the installation that it was published in,
// its number there, the SHA-256 of its canonical encoding, and when it was published
// (RFC 3339, UTC, with as many digits of a second as needed, up to nine). One that a
// rollback published has two lines more: which it took back, and of which it has the
// content.
//
//	rollback_of 41
//	rollback_to 39
//
// The statement about how a list stands to what its publisher offers names the
// SHA-256 of what is stored of that (package store has its form):
//
//	walletscreen verification statement 1
//	namespace default
//	list us-ofac-sdn
//	digest 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
package signing

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	snapshotStatement     = "walletscreen snapshot statement 1\n"
	verificationStatement = "walletscreen verification statement 1\n"
)

// A Snapshot is what a statement says of a snapshot.
type Snapshot struct {
	Namespace string // of the installation: 1 to 64 printable ASCII characters, no space
	Sequence  uint64 // from 1
	Digest    [sha256.Size]byte
	CreatedAt time.Time
	// A rollback took back the snapshot RollbackOf, and has the content of
	// RollbackTo; both are 0 for others.
	RollbackOf, RollbackTo uint64
}

// Statement returns the text that is signed.
func (s Snapshot) Statement() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%snamespace %s\nsequence %d\ndigest %x\ncreated_at %s\n",
		snapshotStatement, s.Namespace, s.Sequence, s.Digest, s.CreatedAt.UTC().Format(time.RFC3339Nano))
	if s.RollbackOf != 0 {
		fmt.Fprintf(&b, "rollback_of %d\nrollback_to %d\n", s.RollbackOf, s.RollbackTo)
	}
	return b.String()
}

// ParseSnapshot is the reverse of Statement. It takes nothing but what Statement
// writes: one snapshot has one statement.
func ParseSnapshot(statement string) (Snapshot, error) {
	var s Snapshot
	rest, ok := strings.CutPrefix(statement, snapshotStatement)
	if !ok {
		return s, fmt.Errorf("statement about a snapshot: it does not begin with the line %q", strings.TrimSuffix(snapshotStatement, "\n"))
	}
	number := func(to *uint64) func(string) error {
		return func(text string) (err error) { *to, err = strconv.ParseUint(text, 10, 64); return err }
	}
	lines := []struct {
		name string
		read func(string) error
	}{
		{"namespace", func(text string) error {
			if len(text) < 1 || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return errors.New("want 1 to 64 printable ASCII characters")
			}
			s.Namespace = text
			return nil
		}},
		{"sequence", number(&s.Sequence)},
		{"digest", func(text string) error {
			digest, err := hex.DecodeString(text)
			if err != nil || len(digest) != len(s.Digest) {
				return errors.New("want 64 hex digits")
			}
			copy(s.Digest[:], digest)
			return nil
		}},
		{"created_at", func(text string) (err error) { s.CreatedAt, err = time.Parse(time.RFC3339Nano, text); return err }},
		{"rollback_of", number(&s.RollbackOf)},
		{"rollback_to", number(&s.RollbackTo)},
	}
	for i, line := range lines {
		if i == 4 && rest == "" {
			break // no rollback
		}
		text, after, _ := strings.Cut(rest, "\n")
		value, ok := strings.CutPrefix(text, line.name+" ")
		if !ok {
			return Snapshot{}, fmt.Errorf("statement about a snapshot: line %d is %.80q, want %s", i+2, text, line.name)
		}
		if err := line.read(value); err != nil {
			return Snapshot{}, fmt.Errorf("statement about a snapshot: %s %.80q: %w", line.name, value, err)
		}
		rest = after
	}
	if s.Sequence == 0 || s.Statement() != statement {
		return Snapshot{}, errors.New("statement about a snapshot: it is not written as this program writes it")
	}
	return s, nil
}

// A Verification is what a statement says of a list.
type Verification struct {
	Namespace string
	List      string            // its id
	Digest    [sha256.Size]byte // of what is stored
}

// Statement returns the text that is signed.
func (v Verification) Statement() string {
	return fmt.Sprintf("%snamespace %s\nlist %s\ndigest %x\n", verificationStatement, v.Namespace, v.List, v.Digest)
}

// Signed is a statement with its signature. The zero value stands for none. Two can
// be compared.
type Signed struct {
	Statement string
	Signature string // 64 bytes
	KeyID     string // of the key that it is said to be signed with
}

// IsZero reports whether there is no signature.
func (s Signed) IsZero() bool { return s == Signed{} }

// Text returns the statement and its signature as they stand in a file: the
// statement, an empty line, and two lines more.
//
//	signature_key_id 0123456789abcdef
//	signature BASE64
func (s Signed) Text() string {
	return s.Statement + "\nsignature_key_id " + s.KeyID + "\nsignature " + base64.StdEncoding.EncodeToString([]byte(s.Signature)) + "\n"
}

// ParseTexts reads statements about snapshots as Text writes them, one after
// another, and verifies none of them.
func ParseTexts(text string) ([]Signed, error) {
	var all []Signed
	for text != "" {
		var s Signed
		statement, rest, ok := strings.Cut(text, "\n\n")
		s.Statement = statement + "\n"
		if !ok {
			return nil, errors.New("signed statement: it has no empty line before the signature")
		}
		if _, err := ParseSnapshot(s.Statement); err != nil {
			return nil, err
		}
		id, rest, _ := strings.Cut(rest, "\n")
		encoded, rest, _ := strings.Cut(rest, "\n")
		s.KeyID = strings.TrimPrefix(id, "signature_key_id ")
		signature, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(encoded, "signature "))
		s.Signature = string(signature)
		if err != nil || !strings.HasPrefix(text, s.Text()) {
			return nil, errors.New("signed statement: after the empty line, want the lines signature_key_id and signature")
		}
		all, text = append(all, s), rest
	}
	return all, nil
}
