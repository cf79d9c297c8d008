package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Lengths of tokens, in bytes. A token must not be guessable, since its hash is
// not salted.
const (
	minToken = 32
	maxToken = 512
)

// tokenPrefix lets those who look for leaked secrets know one.
const tokenPrefix = "wst_"

// A TokenHash is the SHA-256 of a token.
type TokenHash [sha256.Size]byte

// String returns the hash in lower-case hex, as it stands in a file of callers.
func (h TokenHash) String() string { return hex.EncodeToString(h[:]) }

// NewToken makes a token of 256 random bits.
func NewToken() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails, as its package says
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(bits[:])
}

// HashToken returns the hash of a token that was made elsewhere. It refuses one
// that is too short to be safe, or that no header can carry; the error does not
// quote it.
func HashToken(token string) (TokenHash, error) {
	if len(token) < minToken || len(token) > maxToken {
		return TokenHash{}, fmt.Errorf("a token of %d characters: want %d to %d random ones, as walletscreen token new makes them", len(token), minToken, maxToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return TokenHash{}, fmt.Errorf("character %d of the token is not printable ASCII or is a space", i+1)
		}
	}
	return sha256.Sum256([]byte(token)), nil
}

func parseTokenHash(text string) (TokenHash, error) {
	var h TokenHash
	if hex.DecodedLen(len(text)) == len(h) {
		if n, err := hex.Decode(h[:], []byte(text)); err == nil && n == len(h) {
			return h, nil
		}
	}
	// What stands there may be the token itself.
	return TokenHash{}, fmt.Errorf("not a SHA-256 of 64 hex digits; walletscreen token hash makes one of a token")
}

// bearer returns the hash of the token in the authorization headers of a call.
// ok is false if they cannot be read, which is not the same as none.
func bearer(authorization []string) (hash TokenHash, ok bool) {
	if len(authorization) != 1 {
		return hash, false
	}
	scheme, token, found := strings.Cut(authorization[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || len(token) < minToken || len(token) > maxToken {
		return hash, false
	}
	return sha256.Sum256([]byte(token)), true
}
