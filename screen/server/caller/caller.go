// Package caller carries the name of who calls from where it is found out to where
// calls are counted, logged and traced. Those are further out in the chain of
// interceptors, so that they see calls that are refused, too; a value in a context
// only travels inward.
package caller

import (
	"context"
	"sync/atomic"
)

// Anonymous is the name of a caller of whom nothing is known.
const Anonymous = "anonymous"

// A Name is the name of the caller of one call. It is safe for use by many
// goroutines.
type Name struct{ text atomic.Pointer[string] }

// String is what Set said, Anonymous if it said nothing.
func (n *Name) String() string {
	if text := n.text.Load(); text != nil {
		return *text
	}
	return Anonymous
}

type key struct{}

// Track returns a context for a call in which Set can be called, and the name that
// it sets.
func Track(ctx context.Context) (context.Context, *Name) {
	n := new(Name)
	return context.WithValue(ctx, key{}, n), n
}

// Set says who makes the call that ctx is of. name is one of those in the server's
// configuration and never a text that the caller wrote: it becomes a label of
// metrics. Outside of a call that is tracked Set does nothing.
func Set(ctx context.Context, name string) {
	if n, ok := ctx.Value(key{}).(*Name); ok && name != "" {
		n.text.Store(&name)
	}
}
