package loader

import (
	"cmp"
	"strconv"
	"strings"
)

// olderVersion reports whether a is the version of an older program than b. It is
// not if one of them is no version of a release or of a commit (v1.2.3,
// v1.2.4-0.20261122011419-0123456789ab): nothing is known then.
func olderVersion(a, b string) bool {
	x, okA := parseVersion(a)
	y, okB := parseVersion(b)
	return okA && okB && x.compare(y) < 0
}

// A semantic version, as https://semver.org has it, without what is after a "+".
type semantic struct {
	release    [3]int
	identifier []string // of a pre-release, none of a release
}

func parseVersion(text string) (v semantic, ok bool) {
	text, ok = strings.CutPrefix(text, "v")
	text, _, _ = strings.Cut(text, "+")
	release, before, isBefore := strings.Cut(text, "-")
	if isBefore {
		v.identifier = strings.Split(before, ".")
	}
	numbers := strings.Split(release, ".")
	if !ok || len(numbers) != len(v.release) {
		return v, false
	}
	for i, number := range numbers {
		n, err := strconv.ParseUint(number, 10, 31)
		if err != nil {
			return v, false
		}
		v.release[i] = int(n)
	}
	return v, true
}

func (v semantic) compare(w semantic) int {
	for i := range v.release {
		if c := cmp.Compare(v.release[i], w.release[i]); c != 0 {
			return c
		}
	}
	if len(v.identifier) == 0 || len(w.identifier) == 0 {
		return cmp.Compare(len(w.identifier), len(v.identifier)) // a pre-release comes before its release
	}
	for i := range min(len(v.identifier), len(w.identifier)) {
		if c := compareIdentifiers(v.identifier[i], w.identifier[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(v.identifier), len(w.identifier))
}

// compareIdentifiers compares two identifiers of pre-releases: numbers as numbers,
// before all others.
func compareIdentifiers(a, b string) int {
	x, errA := strconv.ParseUint(a, 10, 64)
	y, errB := strconv.ParseUint(b, 10, 64)
	switch {
	case errA == nil && errB == nil:
		return cmp.Compare(x, y)
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return strings.Compare(a, b)
}
