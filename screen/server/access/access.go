// Package access says who calls, what they may do and how much of it.
//
// A caller is known by a bearer token, of which only the SHA-256 is kept, or by a
// name in a client certificate that TLS has verified. Callers stand in a file in
// YAML (see ParseCallers) that is read anew when it changes, as are the server's
// certificate and the authorities of client certificates. What cannot be used
// changes nothing: the last that could stays in force, loudly.
package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// A Permission is what a method asks of its caller, or a set of what a caller may do.
type Permission uint8

// What methods ask for.
const (
	// Anyone may call, whoever it is: what probes ask, which have no credentials.
	Anyone Permission = 0
	// Screen is to screen addresses.
	Screen Permission = 1 << (iota - 1)
	// Lists is to read what is loaded, the history of an address, and what changes.
	Lists
	// Export is to take the whole snapshot.
	Export
	// Admin is everything, also what later versions add for operators.
	Admin
	// Known is to be a caller with any permission at all.
	Known
)

var permissionNames = map[string]Permission{"screen": Screen, "lists": Lists, "export": Export, "admin": Admin}

// everything is what callers may do while nobody is told apart.
const everything = Screen | Lists | Export | Admin | Known

func parsePermissions(names []string) (Permission, error) {
	if len(names) == 0 {
		return 0, fmt.Errorf("no permissions: want some of screen, lists, export, admin")
	}
	set := Known
	for i, name := range names {
		p, ok := permissionNames[name]
		switch {
		case !ok:
			return 0, fmt.Errorf("permission %q: want screen, lists, export or admin", name)
		case slices.Contains(names[:i], name):
			return 0, fmt.Errorf("permission %s stands there twice", name)
		}
		set |= p
	}
	if set&Admin != 0 {
		set = everything
	}
	return set, nil
}

// String names the permissions of a set.
func (p Permission) String() string {
	var names []string
	for _, name := range []string{"screen", "lists", "export", "admin"} {
		if p&permissionNames[name] != 0 {
			names = append(names, name)
		}
	}
	switch {
	case len(names) > 0:
		return strings.Join(names, ", ")
	case p == Known:
		return "any permission"
	default:
		return "none"
	}
}

// A Caller is one of those who may call. It is safe for use by many goroutines.
type Caller struct {
	// Name is the caller's name in the file, for logs and metrics; "anonymous" for
	// those who are not told apart.
	Name string

	may     Permission
	limiter *rate.Limiter // nil for no quota
}

// Anonymous is the name of the caller who showed no credentials.
const Anonymous = "anonymous"

// May reports whether the caller may call a method that asks for a permission.
func (c *Caller) May(need Permission) bool { return c.may&need == need }

// Take takes a number of addresses from the caller's quota. The
// error is a *QuotaError, and nothing was taken then. now is the clock.
func (c *Caller) Take(now func() time.Time, addresses int) error {
	if c.limiter != nil {
		if at := now(); !c.limiter.AllowN(at, addresses) {
			return c.overQuota(at, addresses)
		}
	}
	return nil
}

func (c *Caller) overQuota(now time.Time, addresses int) error {
	e := &QuotaError{Addresses: addresses, PerSecond: float64(c.limiter.Limit()), Burst: c.limiter.Burst()}
	if r := c.limiter.ReserveN(now, addresses); r.OK() {
		e.Delay = max(r.DelayFrom(now), time.Millisecond)
		r.CancelAt(now)
	}
	return e
}

// A QuotaError says that a quota does not allow a call.
type QuotaError struct {
	Addresses int     // of the call
	PerSecond float64 // what the quota gives
	Burst     int     // the most that it gives at once
	// Delay is after how long the same call is within the quota, if nothing else
	// is called; 0 if it never is, for it is larger than the burst.
	Delay time.Duration
}

func (e *QuotaError) Error() string {
	if e.Delay == 0 {
		return fmt.Sprintf("%d addresses at once are more than the quota ever gives, %d: send smaller batches", e.Addresses, e.Burst)
	}
	return fmt.Sprintf("over the quota of %g addresses a second, at most %d at once", e.PerSecond, e.Burst)
}

// A Refusal says why a call may not be made.
type Refusal struct {
	// Denied is set when it is known who calls, and they may not; else it is not
	// known who calls.
	Denied bool
	// Caller is the name of the caller, "" if not known.
	Caller string
	// Why is for the caller. It quotes no credentials.
	Why string
}

func (r *Refusal) Error() string { return r.Why }
