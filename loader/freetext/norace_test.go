//go:build !race

package freetext

const underRace = false
