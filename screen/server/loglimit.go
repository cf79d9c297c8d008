package server

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// archiveLog is the pause between two lines of the log about snapshots that are not
// served and cannot be read: every call that asks for one while the store is down
// would have its own.
const archiveLog = 10 * time.Second

// logLimit bounds how many lines of one kind the log gets: what clients can cause, as
// often as they like, must not fill the disk. It is safe for use by many goroutines.
type logLimit struct {
	lines int           // at most, in per
	per   time.Duration // from the first of them on

	mu      sync.Mutex
	began   time.Time
	written int
	leftOut int // since the last line
}

// allow reports whether there may be one more line now, and how many were left out
// before it.
func (l *logLimit) allow(now time.Time) (leftOut int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() || now.Sub(l.began) >= l.per || now.Before(l.began) {
		l.began, l.written = now, 0
	}
	if l.written == l.lines {
		l.leftOut++
		return 0, false
	}
	l.written++
	leftOut, l.leftOut = l.leftOut, 0
	return leftOut, true
}

// log writes a line if there may be one, and says how many were left out.
func (l *logLimit) log(log *slog.Logger, level slog.Level, message string, attrs ...any) {
	leftOut, ok := l.allow(time.Now())
	if !ok {
		return
	}
	if leftOut > 0 {
		attrs = append(attrs, "lines_left_out", leftOut)
	}
	log.Log(context.Background(), level, message, attrs...)
}
