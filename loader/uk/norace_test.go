//go:build !race

package uk

const underRace = false
