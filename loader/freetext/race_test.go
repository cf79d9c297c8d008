//go:build race

package freetext

const underRace = true
