//go:build !race

package fr

const underRace = false
