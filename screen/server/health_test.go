package server

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

const (
	serving    = healthpb.HealthCheckResponse_SERVING
	notServing = healthpb.HealthCheckResponse_NOT_SERVING
)

func TestHealth(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	client := healthpb.NewHealthClient(in.conn)
	ctx := within(t)
	check := func(when, service string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		res, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil || res.Status != want {
			t.Errorf("%s: %q is %s, %v, want %s", when, service, res.GetStatus(), err, want)
		}
		if ready := want == serving; service == ScreeningService && in.server.Ready() != ready {
			t.Errorf("%s: ready %t, want %t", when, !ready, ready)
		}
	}
	watch, err := client.Watch(ctx, &healthpb.HealthCheckRequest{Service: ScreeningService})
	if err != nil {
		t.Fatal(err)
	}
	watched := func(when string, want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		res, err := watch.Recv()
		if err != nil || res.Status != want {
			t.Fatalf("%s: the watcher is told %s, %v, want %s", when, res.GetStatus(), err, want)
		}
	}

	check("at the start", ScreeningService, notServing)
	check("at the start", "", serving)
	watched("at the start", notServing)

	fresh := verified(noon, sdn.ID)
	in.server.Swap(State{Snapshot: published(t), Verified: fresh})
	check("with a snapshot", ScreeningService, serving)
	watched("with a snapshot", serving)

	in.clock.set(noon.Add(27 * time.Hour))
	in.server.Swap(State{Snapshot: published(t), Verified: fresh})
	check("when a list is stale", ScreeningService, notServing)
	check("when a list is stale", "", serving)
	watched("when a list is stale", notServing)

	in.server.Swap(State{Snapshot: published(t), Verified: verified(in.clock.now(), sdn.ID)})
	check("when it was compared again", ScreeningService, serving)
	watched("when it was compared again", serving)

	in.server.Drain()
	check("draining", ScreeningService, notServing)
	watched("draining", notServing)
	check("draining", "", serving)
	in.server.Swap(State{Snapshot: published(t), Verified: verified(in.clock.now(), sdn.ID)})
	check("draining, after a swap", ScreeningService, notServing)
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}})

	if _, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: "nobodys"}); status.Code(err) != codes.NotFound {
		t.Errorf("a service that is not there: %v, want NOT_FOUND", err)
	}
}

// Readiness follows the clock without a swap.
func TestRunWatchesTheAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{MaxListAge: 10 * time.Second})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go s.Run(ctx)
		s.Swap(State{Snapshot: published(t), Verified: verified(time.Now(), sdn.ID)})
		if !s.Ready() {
			t.Fatal("not ready with a fresh list")
		}
		<-time.After(10 * time.Second)
		synctest.Wait()
		if !s.Ready() {
			t.Error("not ready at the limit")
		}
		<-time.After(2 * readinessTick)
		synctest.Wait()
		if s.Ready() {
			t.Error("ready over the limit")
		}
	})
}

func TestEveryListMustBeFresh(t *testing.T) {
	s := New(Config{MaxListAge: 26 * time.Hour, Now: func() time.Time { return noon }})
	snapshot := merged(t, published(t), own, 20251001, "own", party("x", evm))
	for _, test := range []struct {
		verified []screen.ListID
		want     bool
	}{
		{nil, false}, {[]screen.ListID{sdn.ID}, false}, {[]screen.ListID{own.ID}, true}, // the SDN list is of yesterday
		{[]screen.ListID{sdn.ID, own.ID}, true},
	} {
		s.Swap(State{Snapshot: snapshot, Verified: verified(noon, test.verified...)})
		if got := s.Ready(); got != test.want {
			t.Errorf("with %q compared: ready %t, want %t", test.verified, got, test.want)
		}
	}
}

func TestReflection(t *testing.T) {
	in := install(t, Config{})
	stream, err := reflectionpb.NewServerReflectionClient(in.conn).ServerReflectionInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, service := range res.GetListServicesResponse().GetService() {
		names = append(names, service.Name)
	}
	for _, want := range []string{"walletscreen.v1.ScreeningService", "walletscreen.v1.ListService", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("reflection lists %q, not %s", names, want)
		}
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: ScreeningService}}); err != nil {
		t.Fatal(err)
	}
	if res, err := stream.Recv(); err != nil || len(res.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
		t.Errorf("the contract by reflection: %v, %v", res, err)
	}
}

// The name of the service in health checks is that of the contract.
func TestScreeningServiceName(t *testing.T) {
	if got := pb.ScreeningService_ServiceDesc.ServiceName; got != ScreeningService {
		t.Errorf("the contract names the service %q, health %q", got, ScreeningService)
	}
	var registered grpc.ServiceRegistrar = New(Config{}).GRPC()
	for name := range registered.(*grpc.Server).GetServiceInfo() {
		if name == ScreeningService {
			return
		}
	}
	t.Error("the service is not registered")
}

// A loader whose clock is ahead does not keep its lists fresh for longer.
func TestVerifiedInTheFuture(t *testing.T) {
	in := install(t, Config{MaxListAge: time.Hour})
	in.server.Swap(State{Snapshot: published(t), Verified: verified(noon.AddDate(1, 0, 0), sdn.ID)})
	if !in.server.Ready() {
		t.Fatal("not ready with a list that was compared just now")
	}
	in.clock.set(noon.Add(time.Hour + time.Second))
	if r := in.screenOne(t, &pb.ScreenAddressesRequest{Addresses: []string{"0x000000000000000000000000000000000000dEaD"}}); r.Reason != pb.Reason_REASON_STALE {
		t.Errorf("%v an hour later, want STALE", r)
	}
}
