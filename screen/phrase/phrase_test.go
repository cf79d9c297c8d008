package phrase

import "testing"

func TestCount(t *testing.T) {
	for _, test := range []struct {
		n         int
		one, want string
	}{
		{0, "row", "0 rows"}, {1, "row", "1 row"}, {2, "row", "2 rows"}, {1, "entry", "1 entry"}, {0, "entry", "0 entries"},
		{3, "address", "3 addresses"}, {1, "address", "1 address"}, {2, "match", "2 matches"}, {2, "key", "2 keys"},
		{2, "canary", "2 canaries"}, {1, "public key", "1 public key"}, {2, "list", "2 lists"}, {-1, "row", "-1 rows"},
	} {
		if got := Count(test.n, test.one); got != test.want {
			t.Errorf("%d, %s: %q, want %q", test.n, test.one, got, test.want)
		}
		if got := Are(test.n); (got == "is") != (test.n == 1) || got != "is" && got != "are" {
			t.Errorf("%d %s", test.n, got)
		}
	}
}
