// Package pace has long work give way to calls that are answered beside it.
//
// Go's scheduler lets a goroutine run for 10 ms before others get its processor, and
// looks for new data of connections when a processor has nothing to do. While a
// snapshot is built on one processor and the garbage collector is busy on another,
// nobody looks, and calls wait. To yield is not enough: only who sleeps leaves a
// processor with nothing to do.
package pace

import "time"

// How long work goes on, and how long it then rests. The runtime waits for no less
// than a millisecond.
const (
	working = 2 * time.Millisecond
	resting = time.Millisecond
)

// fewSteps are so many that a look at the clock costs little beside them.
const fewSteps = 128

// A Pace is that of one piece of work. The zero Pace is ready; it is for one
// goroutine.
type Pace struct {
	steps uint
	since time.Time
}

// Step is called again and again by work of small steps, of a microsecond or less,
// and rests a millisecond when the work went on for two.
func (p *Pace) Step() {
	if p.steps++; p.steps%fewSteps == 0 {
		p.Look()
	}
}

// Look is Step for larger steps: it looks at the clock each time.
func (p *Pace) Look() {
	now := time.Now()
	switch {
	case p.since.IsZero():
		p.since = now
	case now.Sub(p.since) >= working:
		time.Sleep(resting)
		p.since = time.Now()
	}
}
