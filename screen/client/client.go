// Package client calls a walletscreen server with the settings that its authors
// recommend.
package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/wire"
)

// MaxAddresses is how many addresses a server takes in one request.
const MaxAddresses = 10_000

// maxResponse bounds a response, in bytes: 10,000 addresses that are all listed.
const maxResponse = 256 << 20

// Client calls one server. It is safe for use by many goroutines.
type Client struct {
	conn      *grpc.ClientConn
	screening pb.ScreeningServiceClient
	lists     pb.ListServiceClient
	health    healthpb.HealthClient
}

// New returns a client for a gRPC target ("127.0.0.1:50051"), without TLS. It
// does not connect; further options come after the recommended ones.
func New(target string, opts ...grpc.DialOption) (*Client, error) {
	conn, err := grpc.NewClient(target, append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}), grpc.MaxCallRecvMsgSize(maxResponse)),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", target, err)
	}
	return &Client{conn, pb.NewScreeningServiceClient(conn), pb.NewListServiceClient(conn), healthpb.NewHealthClient(conn)}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// ScreenAddresses screens one batch, as the contract says.
func (c *Client) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	return c.screening.ScreenAddresses(ctx, req)
}

// GetSnapshot describes what the server serves now.
func (c *Client) GetSnapshot(ctx context.Context) (*pb.GetSnapshotResponse, error) {
	return c.lists.GetSnapshot(ctx, &pb.GetSnapshotRequest{})
}

// Ready reports whether the server can answer correctly now.
func (c *Client) Ready(ctx context.Context) (bool, error) {
	res, err := c.health.Check(ctx, &healthpb.HealthCheckRequest{Service: pb.ScreeningService_ServiceDesc.ServiceName})
	return res.GetStatus() == healthpb.HealthCheckResponse_SERVING, err
}

// A Screener screens one batch: a Client, or a server in the same process.
type Screener interface {
	ScreenAddresses(context.Context, *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error)
}

// maxRestarts is how often ScreenAll begins anew because the server has taken
// over a new snapshot between two parts.
const maxRestarts = 5

// ScreenAll screens any number of addresses, in parts that the server takes, as
// if they were one batch: all results come from one snapshot. What the response
// says besides is that of the last part.
func ScreenAll(ctx context.Context, s Screener, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	if len(req.Addresses) <= MaxAddresses {
		return s.ScreenAddresses(ctx, req)
	}
	for restart := 0; ; restart++ {
		res, err := screenParts(ctx, s, req)
		pinned := req.Snapshot == 0 && status.Code(err) == codes.FailedPrecondition
		if err == nil || !pinned || restart == maxRestarts {
			return res, err
		}
	}
}

func screenParts(ctx context.Context, s Screener, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	part := proto.Clone(&pb.ScreenAddressesRequest{
		Network: req.Network, ListIds: req.ListIds, AsOf: req.AsOf, MinSnapshot: req.MinSnapshot, Snapshot: req.Snapshot,
		MaxListAge: req.MaxListAge, RequestId: req.RequestId, Receipt: req.Receipt,
	}).(*pb.ScreenAddressesRequest)
	var results []*pb.ScreenResult
	for rest := req.Addresses; ; {
		n := min(len(rest), MaxAddresses)
		part.Addresses, rest = rest[:n], rest[n:]
		res, err := s.ScreenAddresses(ctx, part)
		if err != nil {
			return nil, err
		}
		if len(res.Results) != n {
			return nil, status.Errorf(codes.Internal, "the server answered %d addresses with %d results", n, len(res.Results))
		}
		results = append(results, res.Results...)
		if len(rest) == 0 {
			res.Results = results
			return res, nil
		}
		part.Snapshot = res.GetSnapshot().GetSequence()
		part.MinSnapshot = 0
	}
}
