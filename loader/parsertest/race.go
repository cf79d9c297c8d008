//go:build race

package parsertest

// UnderRace tells whether the race detector is on, which makes all several times
// slower.
const UnderRace = true
