package pace

import (
	"testing"
	"testing/synctest"
	"time"
)

// Work rests when it went on for long enough, and then not again at once.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		look := func(after, want time.Duration) {
			t.Helper()
			time.Sleep(after) // of the bubble's clock: the work
			begin := time.Now()
			p.Look()
			if rested := time.Since(begin); rested != want {
				t.Errorf("after %s it rests for %s, want %s", after, rested, want)
			}
		}
		look(time.Hour, 0) // before the first look nothing is known
		look(working-1, 0)
		look(1, resting)
		look(working-1, 0)
		look(time.Hour, resting)
	})
}

// Small steps look at the clock now and then.
func TestStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p Pace
		begin := time.Now()
		for range 3 {
			time.Sleep(working)
			for range fewSteps {
				p.Step()
			}
		}
		if rested, want := time.Since(begin)-3*working, 2*resting; rested != want {
			t.Errorf("it rests for %s, want %s", rested, want)
		}
	})
}
