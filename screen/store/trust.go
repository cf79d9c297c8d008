package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// trust says whose signatures count in a namespace. It is safe for use by many
// goroutines.
type trust struct {
	name string       // of the namespace
	keys signing.Keys // none: signatures are not looked at

	// What was verified last is not verified again with every look.
	mu            sync.Mutex
	head          head
	verifications map[string]string
}

// trustHead refuses a head that no trusted key signed, with signing.ErrUntrusted.
func (t *trust) trustHead(h head) error {
	if len(t.keys) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if h == t.head {
		return nil
	}
	if err := t.keys.VerifySnapshot(h.signed, t.name, h.sequence, h.digest, h.createdAt); err != nil {
		return fmt.Errorf("snapshot %d (%.12s): %w", h.sequence, h.digest, err)
	}
	t.head = h
	return nil
}

// trustVerifications returns the verifications, as they are stored, that a trusted
// key signed. The others are the error.
func (t *trust) trustVerifications(fields map[string]string) (map[string]string, error) {
	if len(t.keys) == 0 {
		return fields, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	trusted := make(map[string]string, len(fields))
	var refused error
	for _, id := range slices.Sorted(maps.Keys(fields)) {
		value := fields[id]
		if known, ok := t.verifications[id]; !ok || known != value {
			if err := t.keys.Verify(signedVerification(t.name, id, value)); err != nil {
				refused = errors.Join(refused, fmt.Errorf("verification of list %.80q: %w", id, err))
				continue
			}
		}
		trusted[id] = value
	}
	t.verifications = trusted
	return trusted, refused
}

// trustKept refuses a snapshot that is kept and that no trusted key signed, with
// signing.ErrUntrusted.
func (t *trust) trustKept(m *manifest) error {
	if len(t.keys) == 0 {
		return nil
	}
	digest, err := screen.ParseDigest(m.Digest)
	if err == nil {
		err = t.keys.VerifySnapshot(m.signed(), t.name, m.Sequence, digest, m.CreatedAt)
	}
	if err != nil {
		return fmt.Errorf("snapshot %d (%.12s): %w", m.Sequence, m.Digest, err)
	}
	return nil
}

// signed returns the signature that a manifest holds.
func (m *manifest) signed() signing.Signed {
	return signing.Signed{Statement: m.Statement, Signature: string(m.Signature), KeyID: m.SignatureKeyID}
}

// signedFields returns the signature that a head holds. One that cannot be read
// verifies nothing.
func signedFields(fields map[string]string) signing.Signed {
	signature, _ := base64.StdEncoding.DecodeString(fields["signature"])
	return signing.Signed{Statement: fields["statement"], Signature: string(signature), KeyID: fields["signature_key_id"]}
}

// A verificationSignature is the second line of a verification that is signed. The
// first line, without its end, is what the statement has the SHA-256 of.
type verificationSignature struct {
	KeyID     string `json:"signature_key_id"`
	Signature []byte `json:"signature"`
}

// verificationStatement is what is signed of a verification.
func verificationStatement(namespace, id, encoded string) string {
	return signing.Verification{Namespace: namespace, List: id, Digest: sha256.Sum256([]byte(encoded))}.Statement()
}

// signedVerification returns the signature that a stored verification holds.
func signedVerification(namespace, id, value string) signing.Signed {
	encoded, second, _ := strings.Cut(value, "\n")
	var s verificationSignature
	if json.Unmarshal([]byte(second), &s) != nil {
		return signing.Signed{}
	}
	return signing.Signed{Statement: verificationStatement(namespace, id, encoded), Signature: string(s.Signature), KeyID: s.KeyID}
}

// sign signs a commit, if the publisher has a key.
func (p *Publisher) sign(c *commit) {
	c.verified = p.signVerifications(c.verified)
	if p.signer == nil {
		return
	}
	signed := p.signer.Sign(signing.Snapshot{
		Namespace: p.trust.name, Sequence: c.next.Sequence, Digest: c.next.Digest(), CreatedAt: c.next.CreatedAt,
		RollbackOf: c.manifest.RollbackOf, RollbackTo: c.manifest.RollbackTo,
	}.Statement())
	c.manifest.Statement, c.manifest.Signature, c.manifest.SignatureKeyID = signed.Statement, []byte(signed.Signature), signed.KeyID
}

// signVerifications signs encoded verifications, if the publisher has a key.
func (p *Publisher) signVerifications(fields map[string]string) map[string]string {
	if p.signer == nil {
		return fields
	}
	signed := make(map[string]string, len(fields))
	for id, value := range fields {
		encoded, _, _ := strings.Cut(value, "\n")
		s := p.signer.Sign(verificationStatement(p.trust.name, id, encoded))
		second, _ := json.Marshal(verificationSignature{s.KeyID, []byte(s.Signature)}) // two texts
		signed[id] = encoded + "\n" + string(second)
	}
	return signed
}
