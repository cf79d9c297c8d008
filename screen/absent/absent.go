// Package absent is for tests that need what Go does not bring: a redis-server, an
// openssl, a client in another language.
package absent

import (
	"os"
	"testing"
)

// Skip skips a test, for a reason made as by fmt.Sprintf, that needs something of the
// machine which is not there. Where the environment variable CI is set the test fails
// instead: .ci/run installs all that tests need, and a skip would hide that nothing
// was tested. What is no part of the project, such as publishers' own documents, is
// for t.Skip.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
