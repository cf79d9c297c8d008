package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/address"
)

// LogCalls says of which calls there is a line in the log.
type LogCalls uint8

const (
	LogNone   LogCalls = iota
	LogErrors          // those that fail or are slow, at most maxErrorLines a second
	LogAll             // those, and every other but health checks and reflection
)

// maxErrorLines is how many lines about calls LogErrors allows in a second: who
// sends nonsense must not fill the disk.
const maxErrorLines = 10

// logCall writes the line about a call: never a text that was screened.
func (s *Server) logCall(ctx context.Context, c *observation, unary bool, took time.Duration, err error) {
	if s.cfg.LogCalls == LogNone {
		return
	}
	code := status.Code(err)
	slow := unary && s.cfg.SlowCall > 0 && took >= s.cfg.SlowCall
	level := slog.LevelInfo
	switch {
	case code == codes.Internal || code == codes.Unknown || code == codes.DataLoss:
		level = slog.LevelError
	case slow:
		level = slog.LevelWarn
	}
	if !c.ours && err == nil {
		return
	}
	leftOut := 0
	if s.cfg.LogCalls == LogErrors {
		// A client that goes away, or a watch that ends, is no failure.
		if !slow && (err == nil || code == codes.Canceled || code == codes.Unavailable && s.ending.Err() != nil) {
			return
		}
		var ok bool
		if leftOut, ok = s.calls.allow(time.Now()); !ok {
			return
		}
	}
	attrs := []slog.Attr{slog.String("method", c.method), slog.String("caller", c.caller), slog.String("code", code.String()), slog.Duration("took", took)}
	if slow {
		attrs = append(attrs, slog.Bool("slow", true))
	}
	if reason := reasonOf(err); reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if c.requestID != "" {
		attrs = append(attrs, slog.String("request_id", loggable(c.requestID)))
	}
	if c.messages > 0 {
		attrs = append(attrs, slog.Uint64("snapshot", c.snapshot), slog.Int("addresses", c.addresses))
		if !unary {
			attrs = append(attrs, slog.Int("batches", c.messages))
		}
		for v, n := range c.verdicts {
			if n > 0 {
				attrs = append(attrs, slog.Int(strings.ToLower(strings.TrimPrefix(pb.Verdict(v).String(), "VERDICT_")), n))
			}
		}
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Int("calls_left_out", leftOut))
	}
	s.cfg.Log.LogAttrs(ctx, level, "call", attrs...)
}

// reasonOf is the reason that the error of a call names, "" if it names none.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == errorDomain {
			return info.GetReason()
		}
	}
	return ""
}

// notShown stands in the log for a request id that may be something else.
const notShown = "(not shown: it may be an address)"

// loggable is a request id as the log may show it: one that the contract allows, and
// that nobody could take for an address, a name or a key. Ids like UUIDs, ULIDs,
// numbers and words are shown.
func loggable(id string) string {
	if !validRequestID(id) {
		return "(not shown: not a request id)"
	}
	if strings.Trim(id, "0123456789") == "" && len(id) <= 20 {
		return id
	}
	var p address.Parsed
	address.Parse(id, &p)
	if p.Reason != address.ReasonUnrecognized || len(p.Readings()) > 0 || address.MayBeSecret(id) {
		return notShown
	}
	if found := address.Scan(id); len(found.Found) > 0 || len(found.Unread) > 0 {
		return notShown
	}
	return id
}

// validRequestID reports whether a request id is one by the contract.
func validRequestID(id string) bool {
	return len(id) <= maxRequestID && !slices.ContainsFunc([]byte(id), func(c byte) bool { return c < ' ' || c > '~' })
}
