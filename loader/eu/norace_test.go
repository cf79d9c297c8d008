//go:build !race

package eu

const underRace = false
