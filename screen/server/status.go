package server

import (
	"slices"
	"time"
)

// maxHistory is how many of the last snapshots a Server remembers for operators.
const maxHistory = 20

// Status is what operators want to know of a Server, beside what GetSnapshot tells.
type Status struct {
	Ready    bool
	Why      string // why it is not ready, for people; "" if it is
	Draining bool   // it is going away
	// Refusal says why the newest snapshot is not served, "" if it is.
	Refusal string
	// Swaps are the snapshots that came last, served and refused, the newest first.
	Swaps []SwapRecord
	// CanariesPassed, CanariesFailed and CanariesDelisted count the canaries of the
	// newest snapshot. Those delisted are the operator's, and should be replaced.
	CanariesPassed, CanariesFailed, CanariesDelisted int
}

// A SwapRecord is a snapshot that was handed to a Server.
type SwapRecord struct {
	At       time.Time
	Snapshot string // its number and the beginning of its digest
	Lists    int
	Canaries int    // how many were asked for
	Refused  string // why it is not served; "" if it is or was
}

// remember notes a snapshot. s.mu is held.
func (s *Server) remember(r SwapRecord) {
	s.history = append(s.history[max(0, len(s.history)-maxHistory+1):], r)
}

// Status returns what operators want to know now.
func (s *Server) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Ready: s.ready && !s.draining, Why: s.why, Draining: s.draining, Refusal: s.refusal, Swaps: slices.Clone(s.history),
		CanariesPassed: s.canary.Passed, CanariesFailed: s.canary.Failed, CanariesDelisted: s.canary.Delisted,
	}
	if s.draining {
		st.Why = "the server is stopping"
	}
	slices.Reverse(st.Swaps)
	return st
}
