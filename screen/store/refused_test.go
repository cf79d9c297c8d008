package store

import (
	"context"
	"fmt"
	"testing"
)

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {refuse(nil), false}, {ErrNoSnapshot, false}, {context.DeadlineExceeded, false}, {fmt.Errorf("connecting: %w", context.Canceled), false},
		{errMissing, true}, {fmt.Errorf("reading: %w", errPiece), true}, {refuse(ErrOlder), true},
	} {
		if got := Refused(test.err); got != test.want {
			t.Errorf("%v: %t, want %t", test.err, got, test.want)
		}
	}
}
