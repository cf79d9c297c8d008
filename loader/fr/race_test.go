//go:build race

package fr

const underRace = true
