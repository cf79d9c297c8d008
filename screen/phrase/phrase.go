// Package phrase writes what people read.
package phrase

import (
	"strconv"
	"strings"
)

// Count writes a number of things, named by one of them: 1 row, 2 rows, 0 entries.
// It knows the nouns that end as those of lists do, and no others.
func Count(n int, one string) string {
	return strconv.Itoa(n) + " " + Noun(n, one)
}

// Are is the verb that a number of things has: is for 1, are for all others.
func Are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// Noun is the name of one thing as it stands beside a number of them.
func Noun(n int, one string) string {
	switch {
	case n == 1:
		return one
	case strings.HasSuffix(one, "ss"), strings.HasSuffix(one, "ch"):
		return one + "es" // addresses, matches
	case strings.HasSuffix(one, "y") && !strings.ContainsAny(one[len(one)-2:], "aeiou"):
		return one[:len(one)-1] + "ies" // entries, parties, and not keys
	default:
		return one + "s"
	}
}
