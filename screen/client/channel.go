package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

const (
	// maxTries is how often a call is made in all, what gRPC repeats by itself
	// counted as one.
	maxTries = 3
	// spread is by how much a pause is longer at most than the server asks for, so
	// that those who were refused together do not come back together.
	spread = 0.25
)

// channel makes calls on the servers of a client. It is what the generated clients
// know for a connection, so that what holds here holds for every method.
type channel struct {
	ready     *grpc.ClientConn // to the servers that are ready; nil for a single server
	any       *grpc.ClientConn // to all that can be reached
	timeout   time.Duration    // of a call whose context has no deadline
	allowance *allowance
}

// pick returns the connection to call on.
func (c *channel) pick() *grpc.ClientConn {
	if c.ready == nil || c.ready.GetState() == connectivity.TransientFailure {
		return c.any
	}
	return c.ready
}

// Invoke makes a unary call.
func (c *channel) Invoke(ctx context.Context, method string, req, res any, opts ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	for try := 1; ; try++ {
		conn := c.pick()
		err := c.try(ctx, conn, maxTries-try, method, req, res, opts)
		if err == nil {
			c.allowance.succeeded()
			return nil
		}
		pause, again := c.again(ctx, conn, err)
		if !again || try == maxTries || !c.allowance.failed() {
			return cause(err)
		}
		if deadline, _ := ctx.Deadline(); time.Until(deadline) <= pause {
			return cause(err) // which says more than that the time was over
		}
		if pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return cause(err)
			}
		}
	}
}

// NewStream begins a stream on one server. Its deadline is that of ctx, if any.
func (c *channel) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.pick().NewStream(ctx, desc, method, opts...)
}

// close ends the connections.
func (c *channel) close() error {
	err := c.any.Close()
	if c.ready != nil {
		err = errors.Join(err, c.ready.Close())
	}
	return err
}

// triedError is an error of a try that another server may mend.
type triedError struct{ error }

// try makes a call once. Of several servers none gets all the time there is, for the
// others must have theirs if it hangs; unless it is asked to wait.
func (c *channel) try(ctx context.Context, conn *grpc.ClientConn, left int, method string, req, res any, opts []grpc.CallOption) error {
	screen, _ := req.(*pb.ScreenAddressesRequest)
	part := ctx
	if waits := screen.GetSnapshot() != 0 || screen.GetMinSnapshot() != 0; c.ready != nil && left > 0 && !waits {
		deadline, _ := ctx.Deadline()
		var cancel context.CancelFunc
		part, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left+1))
		defer cancel()
	}
	err := conn.Invoke(part, method, req, res, opts...)
	if err != nil {
		// The server may find out before this side does.
		if over := part.Err() != nil || status.Code(err) == codes.DeadlineExceeded; over && part != ctx && ctx.Err() == nil {
			return triedError{err}
		}
		return err
	}
	// One result too few, and each address behind it would get its neighbor's.
	if answer, ok := res.(*pb.ScreenAddressesResponse); ok && len(answer.Results) != len(screen.Addresses) {
		return triedError{status.Errorf(codes.Internal, "the server answered %d addresses with %d results", len(screen.Addresses), len(answer.Results))}
	}
	return nil
}

// again reports whether a call is worth repeating after an error, and after what
// pause.
func (c *channel) again(ctx context.Context, conn *grpc.ClientConn, err error) (time.Duration, bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	if _, ok := errors.AsType[triedError](err); ok {
		return 0, c.ready != nil
	}
	reason, wait, told := details(err)
	switch status.Code(err) {
	case codes.ResourceExhausted:
		// Not what is larger than a message may be, and so without a time to wait.
		return time.Duration(float64(wait) * (1 + spread*rand.Float64())), told
	case codes.Unavailable:
		// With a reason it is a server's answer, and gRPC has asked the others. Without,
		// either no server could be reached, which only makes a difference if there are
		// some that are not ready; or the one that was died with its answer half sent,
		// after which gRPC does not repeat.
		return 0, reason == pb.ErrorReason_ERROR_REASON_UNSPECIFIED && (conn != c.any || conn.GetState() != connectivity.TransientFailure)
	}
	return 0, false
}

// cause is the status that a server, or gRPC in its place, gave the call, without what
// gRPC and this package wrap it in.
func cause(err error) error {
	if tried, ok := errors.AsType[triedError](err); ok {
		err = tried.error
	}
	if st, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err); ok {
		return st.GRPCStatus().Err()
	}
	return err
}

// errorDomain is the domain of the ErrorInfo of a walletscreen server.
const errorDomain = "walletscreen"

// details returns what an error says for programs: the reason, unspecified if it has
// none that is known here, and how long to wait before trying again, if it tells.
func details(err error) (reason pb.ErrorReason, wait time.Duration, told bool) {
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == errorDomain {
				reason = pb.ErrorReason(pb.ErrorReason_value["ERROR_REASON_"+d.GetReason()])
			}
		case *errdetails.RetryInfo:
			if after := d.GetRetryDelay(); after.IsValid() && after.AsDuration() >= 0 {
				wait, told = after.AsDuration(), true
			}
		}
	}
	return reason, wait, told
}

// allowance bounds how many calls are repeated while most fail, as retryThrottling
// of the service config does for what gRPC repeats. It is safe for use by many
// goroutines.
type allowance struct {
	mu     sync.Mutex
	tokens float64 // guarded by mu
}

// The figures of retryThrottling.
const (
	allTokens  = 1000
	tokenRatio = 0.5
)

func newAllowance() *allowance { return &allowance{tokens: allTokens} }

func (a *allowance) succeeded() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens = min(a.tokens+tokenRatio, allTokens)
}

// failed counts a failure and reports whether it may be followed by a repeat.
func (a *allowance) failed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens = max(a.tokens-1, 0)
	return a.tokens > allTokens/2
}
