package absent

import (
	"fmt"
	"testing"
)

// fate is what became of a test that was not there for real.
type fate struct {
	testing.TB
	is string
}

func (*fate) Helper()                             {}
func (f *fate) Fatalf(format string, args ...any) { f.is = "failed: " + fmt.Sprintf(format, args...) }
func (f *fate) Skipf(format string, args ...any) {
	if f.is == "" {
		f.is = "skipped: " + fmt.Sprintf(format, args...)
	}
}

func TestSkip(t *testing.T) {
	for ci, want := range map[string]string{"": "skipped: no abacus", "true": "failed: no abacus", "1": "failed: no abacus"} {
		t.Setenv("CI", ci)
		f := new(fate)
		Skip(f, "no %s", "abacus")
		if f.is != want {
			t.Errorf("CI=%s: %s, want %s", ci, f.is, want)
		}
	}
}
