package address

import (
	"encoding/hex"
	"errors"
	"strings"
)

// Payload returns the payload of the reading: the bytes of its key without the
// kind and the padding. It shares memory with r.
func (r *Reading) Payload() []byte {
	kind := r.Kind()
	if kind >= KindCount {
		return nil
	}
	return r.Key[1 : 1+kinds[kind].size]
}

// String returns the stable text of the key, which ParseKey reads back: the
// kind's name, a colon and the payload in lower-case hex digits, for example
// "evm:098b716b8aaf21512996dc57eb0615e2383e2f96". The zero key is "none:".
func (k Key) String() string {
	r := Reading{Key: k}
	return r.Kind().String() + ":" + hex.EncodeToString(r.Payload())
}

// ParseKey reads the text that Key.String makes, and nothing else: upper-case
// digits, an unknown kind, another length and the zero key's "none:" are errors,
// so a key has exactly one text. No error carries the text itself.
func ParseKey(text string) (Key, error) {
	name, digits, ok := strings.Cut(text, ":")
	if !ok {
		return Key{}, errors.New("parsing an account key: no colon after the kind")
	}
	for kind := KindNone + 1; kind < KindCount; kind++ {
		if kinds[kind].name != name {
			continue
		}
		if len(digits) != 2*kinds[kind].size {
			return Key{}, errors.New("parsing an account key: wrong length for kind " + name)
		}
		k := Key{byte(kind)}
		// The decoder's own error would quote a character of the text.
		if _, err := hex.Decode(k[1:], []byte(digits)); err != nil || strings.ContainsAny(digits, "ABCDEF") {
			return Key{}, errors.New("parsing an account key: payload is not lower-case hex digits")
		}
		return k, nil
	}
	return Key{}, errors.New("parsing an account key: unknown kind")
}
