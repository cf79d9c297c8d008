//go:build !race

package main_test

// underRace says that the tests, and so the program, are built with the race detector.
const underRace = false
