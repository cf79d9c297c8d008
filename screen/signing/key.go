package signing

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// ErrUntrusted says that something is not signed, or not by a key that is trusted, or
// that the signature is of something else.
var ErrUntrusted = errors.New("not trusted")

// Kinds of PEM blocks.
const (
	privateBlock = "PRIVATE KEY" // PKCS #8
	publicBlock  = "PUBLIC KEY"  // SubjectPublicKeyInfo
)

// A Key signs. It is safe for use by many goroutines.
type Key struct {
	private ed25519.PrivateKey
	public  PublicKey
}

// A PublicKey verifies.
type PublicKey struct {
	// ID names the key: the first 16 hex digits of the SHA-256 of its
	// SubjectPublicKeyInfo (RFC 8410) in DER.
	ID  string
	der []byte
	key ed25519.PublicKey
}

// Generate makes a new key.
func Generate() (*Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private ed25519.PrivateKey) (*Key, error) {
	public := private.Public().(ed25519.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	return &Key{private, newPublicKey(public, der)}, nil
}

func newPublicKey(key ed25519.PublicKey, der []byte) PublicKey {
	sum := sha256.Sum256(der)
	return PublicKey{hex.EncodeToString(sum[:8]), der, key}
}

// Public returns the key that verifies what this one signs.
func (k *Key) Public() PublicKey { return k.public }

// Sign signs a statement.
func (k *Key) Sign(statement string) Signed {
	return Signed{statement, string(ed25519.Sign(k.private, []byte(statement))), k.public.ID}
}

// PEM returns the key as it stands in a file.
func (k PublicKey) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: k.der})
}

// Write writes the key to a file that only its owner may read, and the public key
// to that name with ".pub" added. A file that is there is never overwritten:
// fs.ErrExist.
func (k *Key) Write(file string) error {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return err
	}
	// Both are made before anything is written: one without the other is of no use.
	private, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer private.Close()
	public, err := os.OpenFile(file+".pub", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		os.Remove(file)
		return err
	}
	defer public.Close()
	_, privateErr := private.Write(pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}))
	_, publicErr := public.Write(k.public.PEM())
	if err := errors.Join(privateErr, publicErr, private.Sync(), public.Sync(), private.Close(), public.Close()); err != nil {
		os.Remove(file)
		os.Remove(file + ".pub")
		return err
	}
	return nil
}

// largestFile is how much of a key file is read, in bytes: room for hundreds of keys.
const largestFile = 64 << 10

// ReadKey reads a private key from a file in PEM (PKCS #8, RFC 8410), as Write and
// `openssl genpkey -algorithm ed25519` write it. A file that others than its owner
// may read is refused.
func ReadKey(file string) (*Key, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// Windows has no such permissions.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s: group or others may use the private key (mode %04o): chmod 600 it, and replace the key if somebody may have read it", file, mode)
	}
	text, err := read(f)
	if err != nil {
		return nil, err
	}
	k, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

func read(f *os.File) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if err == nil && len(text) > largestFile {
		err = fmt.Errorf("%s: it has over %d bytes: not a file of keys", f.Name(), largestFile)
	}
	return text, err
}

// No error quotes what stands in a private key.
func parseKey(text []byte) (*Key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return nil, errors.New("it holds no private key in PEM")
	case block.Type == publicBlock:
		return nil, errors.New("it holds a public key, which signs nothing: name the file of the private key")
	case block.Type != privateBlock:
		return nil, fmt.Errorf("it holds a %.40q, want a %q that is not encrypted: openssl genpkey -algorithm ed25519", block.Type, privateBlock)
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("it holds more than one private key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("its private key cannot be read: want PKCS #8")
	}
	private, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("its private key is %T, want Ed25519: openssl genpkey -algorithm ed25519", parsed)
	}
	return newKey(private)
}

// Keys are public keys that are trusted. None at all verify nothing.
type Keys []PublicKey

// ReadKeys reads public keys from files in PEM (SubjectPublicKeyInfo, RFC 8410);
// each may hold several, and must hold one.
func ReadKeys(files ...string) (Keys, error) {
	var keys Keys
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		text, err := read(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		more, err := ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, k := range more {
			keys = keys.With(k)
		}
	}
	return keys, nil
}

var errPrivate = errors.New("it holds a private key, which belongs with the loader alone: name the file of the public key")

// IsPrivate reports whether an error of ReadKeys says that a file holds a private key.
func IsPrivate(err error) bool { return errors.Is(err, errPrivate) }

// ParseKeys reads public keys in PEM.
func ParseKeys(text []byte) (Keys, error) {
	var keys Keys
	for rest := text; len(bytes.TrimSpace(rest)) > 0; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if len(keys) == 0 {
				return nil, errors.New("it is no file of keys: there is no PEM in it")
			}
			return nil, fmt.Errorf("after %d public keys, something that is no PEM", len(keys))
		}
		if strings.HasSuffix(block.Type, privateBlock) {
			return nil, errPrivate
		}
		if block.Type != publicBlock {
			return nil, fmt.Errorf("it holds a %.40q, want a %q", block.Type, publicBlock)
		}
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("public key %d: %w", len(keys)+1, err)
		}
		key, ok := parsed.(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("public key %d is %T, want Ed25519", len(keys)+1, parsed)
		}
		keys = keys.With(newPublicKey(key, block.Bytes))
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no public key in PEM")
	}
	return keys, nil
}

// With returns the keys and one more, if it is not among them.
func (k Keys) With(more PublicKey) Keys {
	if slices.ContainsFunc(k, func(have PublicKey) bool { return have.key.Equal(more.key) }) {
		return k
	}
	return append(slices.Clip(k), more)
}

// IDs returns the ids of the keys, for people.
func (k Keys) IDs() string {
	ids := make([]string, len(k))
	for i := range k {
		ids[i] = k[i].ID
	}
	return strings.Join(ids, ", ")
}

// Verify verifies a signature over a statement, whatever it says. Its errors are
// ErrUntrusted.
func (k Keys) Verify(s Signed) error {
	if s.IsZero() {
		return fmt.Errorf("%w: it is not signed", ErrUntrusted)
	}
	known := false
	for i := range k {
		if k[i].ID != s.KeyID {
			continue
		}
		known = true
		if ed25519.Verify(k[i].key, []byte(s.Statement), []byte(s.Signature)) {
			return nil
		}
	}
	if !known {
		return fmt.Errorf("%w: it is signed by key %.40q, and the keys to verify with are %s", ErrUntrusted, s.KeyID, k.IDs())
	}
	return fmt.Errorf("%w: it is not what key %s signed", ErrUntrusted, s.KeyID)
}

// VerifySnapshot verifies a signature over a statement about the snapshot with this
// name and digest. Its errors are ErrUntrusted.
func (k Keys) VerifySnapshot(s Signed, namespace string, sequence uint64, digest [sha256.Size]byte, createdAt time.Time) error {
	if err := k.Verify(s); err != nil {
		return err
	}
	is, err := ParseSnapshot(s.Statement)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	case is.Namespace != namespace:
		return fmt.Errorf("%w: the signature is of a snapshot in the namespace %s, not %.80q", ErrUntrusted, is.Namespace, namespace)
	case is.Sequence != sequence:
		return fmt.Errorf("%w: the signature is of snapshot %d, not %d", ErrUntrusted, is.Sequence, sequence)
	case is.Digest != digest:
		return fmt.Errorf("%w: the signature is of a snapshot with digest %x, not %x", ErrUntrusted, is.Digest[:6], digest[:6])
	case !is.CreatedAt.Equal(createdAt):
		return fmt.Errorf("%w: the signature is of a snapshot of %s, not %s", ErrUntrusted, is.CreatedAt.Format(time.RFC3339Nano), createdAt.Format(time.RFC3339Nano))
	}
	return nil
}
