//go:build race

package uk

const underRace = true
