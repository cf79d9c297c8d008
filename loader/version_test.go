package loader

import "testing"

func TestOlderVersion(t *testing.T) {
	// In order, but for the last ones, which nothing is known of.
	versions := []string{
		"v0.9.10", "v1.0.0-0.20261121000000-ffffffffffff", "v1.0.0-0.20261122000000-000000000000+dirty", "v1.0.0-alpha", "v1.0.0-alpha.1",
		"v1.0.0-alpha.beta", "v1.0.0-beta.2", "v1.0.0-beta.11", "v1.0.0-rc.1", "v1.0.0", "v1.0.1-0.20261122000000-000000000000", "v1.0.1", "v1.0.10", "v2.0.0",
		"", "devel", "unknown", "0123456789abcdef0123456789abcdef01234567", "1.2.3", "v1.2", "v1.2.3.4", "v1.-2.3", "v1.x.3", "v99999999999.0.0",
	}
	const known = 14
	for i, a := range versions {
		for j, b := range versions {
			if got, want := olderVersion(a, b), i < j && j < known; got != want {
				t.Errorf("%q older than %q: %t, want %t", a, b, got, want)
			}
		}
	}
}
