package server

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

// ScreenAddressStream answers as the contract says. What it holds of a stream is
// one answer, the request it answers and the one after that.
func (s *Server) ScreenAddressStream(stream grpc.BidiStreamingServer[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse]) error {
	// Only a goroutine of its own can be left waiting for a request when the server
	// stops; that it decodes one request while another is answered comes with it.
	requests, ended := make(chan *pb.ScreenAddressesRequest), make(chan error, 1)
	go func() {
		var err error
		if defect := s.safely("ScreenAddressStream", func() { err = receive(stream, requests) }); defect != nil {
			err = defect
		}
		ended <- err
	}()
	for {
		if s.stopped() {
			return stopping()
		}
		select {
		case <-s.ending.Done():
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case req := <-requests:
			res, err := s.ScreenAddresses(stream.Context(), req)
			if err != nil {
				return err
			}
			if err := stream.Send(res); err != nil {
				return err
			}
		}
	}
}

// receive hands over one request after the other until there are no more.
func receive(stream grpc.BidiStreamingServer[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse], requests chan<- *pb.ScreenAddressesRequest) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case requests <- req:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

func stopping() error {
	return failure(pb.ErrorReason_ERROR_REASON_SERVER_STOPPING, "the server is going away")
}

// An outbox sends messages that a stream's handler puts in, one at a time, so that
// the handler is never left waiting for a client that does not read.
type outbox struct {
	s        *Server
	ctx      context.Context
	messages chan any
	failed   chan error      // what sending ended with
	stop     <-chan struct{} // closed when nothing more should be sent; nil for never
	patience *time.Timer
}

// newOutbox begins to send. It ends with the stream.
func (s *Server) newOutbox(stream grpc.ServerStream, stop <-chan struct{}) *outbox {
	o := &outbox{
		s: s, ctx: stream.Context(), messages: make(chan any), failed: make(chan error, 1), stop: stop,
		patience: time.NewTimer(s.patience),
	}
	go func() {
		var err error
		if defect := s.safely("outbox", func() { err = o.send(stream) }); defect != nil {
			err = defect
		}
		o.failed <- err
	}()
	return o
}

func (o *outbox) send(stream grpc.ServerStream) error {
	for {
		select {
		case m, ok := <-o.messages:
			if !ok {
				return nil
			}
			if err := stream.SendMsg(m); err != nil {
				return err
			}
		case <-o.ctx.Done():
			return o.ctx.Err()
		}
	}
}

// put sends a message when the one before it is on its way. It returns the error
// to end the stream with when the client takes too long, or is gone.
func (o *outbox) put(message any) error {
	o.patience.Reset(o.s.patience)
	select {
	case o.messages <- message:
		return nil
	case err := <-o.failed:
		return err
	case <-o.ctx.Done():
		return status.FromContextError(o.ctx.Err()).Err()
	case <-o.stop:
		return stopping()
	case <-o.patience.C:
		return o.s.slowConsumer()
	}
}

// finish waits until all that was put in is on its way.
func (o *outbox) finish() error {
	close(o.messages)
	o.patience.Reset(o.s.patience)
	select {
	case err := <-o.failed:
		return err
	case <-o.ctx.Done():
		return status.FromContextError(o.ctx.Err()).Err()
	case <-o.patience.C:
		return o.s.slowConsumer()
	}
}

func (s *Server) slowConsumer() error {
	s.watched.cut.Inc()
	return failure(pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, "the client reads too slowly: resume")
}
