package client_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
	"walletscreen/screen/wire"
)

// BenchmarkOverhead compares a call through this package with one through the
// generated client, made in turns in one run. ns/op is that of all three together; the
// metrics are the medians of each, which a busy machine moves least.
func BenchmarkOverhead(b *testing.B) {
	h, other := start(b, 1, ""), start(b, 1, "")
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	bare := pb.NewScreeningServiceClient(conn)
	callers := []struct {
		name string
		call func(context.Context, *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error)
	}{
		{"generated", func(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
			ctx, cancel := context.WithTimeout(ctx, client.DefaultTimeout)
			defer cancel()
			return bare.ScreenAddresses(ctx, req)
		}},
		{"client", open(b, client.Options{}, h).ScreenAddresses},
		{"client-of-two", open(b, client.Options{}, h, other).ScreenAddresses},
	}
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("addresses=%d", n), func(b *testing.B) {
			req := &pb.ScreenAddressesRequest{Addresses: addresses(n)}
			took := make([][]time.Duration, len(callers))
			for b.Loop() {
				for i, c := range callers {
					begin := time.Now()
					res, err := c.call(b.Context(), req)
					took[i] = append(took[i], time.Since(begin))
					if err != nil || len(res.Results) != n {
						b.Fatal(err)
					}
				}
			}
			for i, c := range callers {
				slices.Sort(took[i])
				b.ReportMetric(float64(took[i][len(took[i])/2].Nanoseconds()), c.name+"-ns/call")
			}
		})
	}
}

// BenchmarkDecide is what judging an answer costs, beside asking for it.
func BenchmarkDecide(b *testing.B) {
	h := start(b, 1, "")
	req := &pb.ScreenAddressesRequest{Addresses: addresses(1000)}
	res, err := open(b, client.Options{}, h).ScreenAddresses(b.Context(), req)
	if err != nil {
		b.Fatal(err)
	}
	p := client.Policy{Now: clock}
	for b.Loop() {
		if !p.Decide(req, res, nil).MayProceed() {
			b.Fatal("not all may proceed")
		}
	}
}

// BenchmarkBatches is what Batches screens in a second by the size of its requests.
func BenchmarkBatches(b *testing.B) {
	h := start(b, 1, "")
	c := open(b, client.Options{}, h)
	text := addresses(1)[0]
	for _, o := range []client.BatchOptions{{Size: 500}, {Size: 2000}, {Size: 10000}, {Size: 2000, Parallel: 1}, {Size: 10000, Parallel: 1}} {
		b.Run(fmt.Sprintf("size=%d/parallel=%d", o.Size, o.Parallel), func(b *testing.B) {
			const n = 200_000
			for b.Loop() {
				source := func(yield func(string) bool) {
					for i := 0; i < n && yield(text); i++ {
					}
				}
				for _, err := range client.Batches(b.Context(), c, &pb.ScreenAddressesRequest{}, source, itself, o) {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(n/(b.Elapsed().Seconds()/float64(b.N)), "addresses/s")
		})
	}
}
