//go:build !race

package ofac

const underRace = false
