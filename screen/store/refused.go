package store

import (
	"errors"

	"github.com/redis/go-redis/v9"

	"walletscreen/screen/signing"
)

// refusedError is an error in what Redis holds, not in reaching it.
type refusedError struct{ error }

func (e refusedError) Unwrap() error { return e.error }

// refuse marks an error as one in what Redis holds; nil stays nil.
func refuse(err error) error {
	if err == nil {
		return nil
	}
	return refusedError{err}
}

// Refused reports whether an error of a Reader says that Redis answered, and that
// what it holds is not accepted: a key of another type, a head or manifest of another
// schema or that is no such thing, a verification that is none, a digest that does not
// match, a piece that is missing, a snapshot that is older than what was read before,
// what no trusted key signed.
func Refused(err error) bool {
	var refused refusedError
	return errors.As(err, &refused) || errors.Is(err, signing.ErrUntrusted) || redis.HasErrorPrefix(err, "WRONGTYPE")
}
