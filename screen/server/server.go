// Package server answers the contract over gRPC from an index in memory.
//
// A Server is handed one state after another with Swap, by whoever loads
// snapshots; every call takes the state that is current when it begins and
// answers from it alone. Nothing here waits for a store.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/server/access"
	"walletscreen/screen/signing"
)

// ScreeningService is the name under which health checks ask whether addresses
// can be screened correctly now.
const ScreeningService = "walletscreen.v1.ScreeningService"

// Limits of the contract.
const (
	MaxAddresses  = 10_000                 // in one request
	maxListIDs    = 100                    // in one request
	maxRequestID  = 128                    // characters
	maxMessage    = 8 << 20                // bytes of a request: MaxAddresses of 512 bytes, and room
	maxWait       = 2 * time.Second        // for a snapshot asked for that is not served yet
	answerMargin  = 100 * time.Millisecond // of a call's deadline, left to answer in
	readinessTick = time.Second            // how often lists are looked at for their age
	lastZone      = 12 * time.Hour         // how long after UTC a date ends everywhere

	streamPatience = 30 * time.Second // for a client that does not take a message
)

// Config says how a Server answers. The zero Config is usable.
type Config struct {
	// MaxListAge is the age past which a list cannot say that something is not
	// listed; 0 enforces nothing.
	MaxListAge time.Duration
	// Require are lists without which the server is not ready, and questions that
	// name no lists cannot be answered NotListed.
	Require []screen.ListID
	// NotCovered are lists that may carry addresses, for GetSnapshot to name while
	// they are not loaded.
	NotCovered []UncoveredList
	// Version is the version of the program, returned by GetSnapshot.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives what operators should know; nil discards it. Addresses are
	// never logged.
	Log *slog.Logger
	// Archive holds the snapshots that are not served any more; nil has none.
	Archive Archive
	// Metrics receives the metrics; nil registers none.
	Metrics prometheus.Registerer
	// Access says who may call; nil lets everybody do everything. It holds for calls
	// over gRPC.
	Access *access.Control
	// Limits bound what clients can make the server hold.
	Limits Limits
}

// An UncoveredList is a list that is known of, and why it is not loaded if it is not.
type UncoveredList struct {
	ID        screen.ListID // that it has, or would have
	Authority string        // who publishes it
	Name      string
	Why       string // for people
	URL       string // the publisher's page about it
}

// Server implements both services of the contract.
type Server struct {
	pb.UnimplementedScreeningServiceServer
	pb.UnimplementedListServiceServer

	cfg       Config
	health    *health.Server
	metrics   *metrics
	admission *admission

	current atomic.Pointer[served]
	shelf   *shelf
	watched *watched

	drained  chan struct{} // closed by Drain
	patience time.Duration // how long a client may take over a message of a stream

	mu      sync.Mutex    // guards what follows
	swapped chan struct{} // closed and replaced at every Swap
	ready   bool          // what health says of ScreeningService
	why     string        // why it is not ready
}

// A State is what a Server answers from.
type State struct {
	Snapshot *screen.Snapshot
	// Verified is how each list stands to what its publisher offers; lists of which
	// nothing is known are left out. One that the snapshot does not hold is there
	// only while a publication of it is held. Not changed after Swap.
	Verified map[screen.ListID]screen.Verification
	// Builtin are the lists that are still the embedded default: every answer that
	// rests on one says so, and the age limit is not enforced on it. Not changed
	// after Swap.
	Builtin map[screen.ListID]bool
	// Signed is the signature over a statement about the snapshot, for clients to
	// verify; the zero value if it is not signed.
	Signed signing.Signed
}

// served is a State with what is made of it once.
type served struct {
	State
	index    *screen.Index
	loadedAt time.Time
	ref      *pb.SnapshotRef
	holds    []hold // in order of the lists' ids
	// superseded are the lists of a state that is served no more whose publication
	// is not the one served now; nil for one that is served.
	superseded map[screen.ListID]bool
}

// New returns a server that has no snapshot yet and says so.
func New(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, health: health.NewServer(), swapped: make(chan struct{}), why: noSnapshot, patience: streamPatience}
	s.shelf, s.watched = newShelf(s), newWatched(s, cfg.Metrics)
	s.drained = make(chan struct{})
	// A new health server says SERVING. "" is liveness and stays so.
	s.health.SetServingStatus(ScreeningService, healthpb.HealthCheckResponse_NOT_SERVING)
	s.metrics = newMetrics(s, cfg.Metrics)
	s.admission = newAdmission(&s.cfg, s.recovered)
	return s
}

// Swap makes the server answer from a new state. Calls that have begun finish
// with the old one. The index is built before the swap; if the snapshot is the
// one served already, only what is known of its freshness changes.
func (s *Server) Swap(state State) {
	next := &served{State: state, loadedAt: s.cfg.Now()}
	next.Verified = maps.Clone(state.Verified)
	for id, v := range next.Verified {
		// A loader whose clock is ahead must not keep its lists fresh for longer.
		if v.At.After(next.loadedAt) {
			v.At = next.loadedAt
			next.Verified[id] = v
		}
	}
	old := s.current.Load()
	if old != nil && old.Snapshot == state.Snapshot {
		next.index, next.loadedAt = old.index, old.loadedAt
	} else if old != nil {
		next.index = old.index.Next(state.Snapshot)
	} else {
		next.index = screen.NewIndex(state.Snapshot)
	}
	next.holds = holds(&next.State)
	next.ref = refOf(state.Snapshot)
	if old != nil {
		s.regressions(old.Snapshot, next.Snapshot)
		s.supersede(old, next)
	}
	s.reportHolds(old, next)
	s.mu.Lock()
	s.current.Store(next)
	s.watched.swap(s, old, next)
	close(s.swapped)
	s.swapped = make(chan struct{})
	s.mu.Unlock()
	s.metrics.swaps.Inc()
	s.assess()
}

// regressions reports what a new snapshot lost of an old one. It may be meant, a
// rollback or a list that was dropped; it may be a loader that began anew from an
// empty store. Either way an operator must know.
func (s *Server) regressions(old, next *screen.Snapshot) {
	if old == next {
		return
	}
	for i := range old.Lists() {
		was := &old.Lists()[i]
		switch is := next.List(was.ID); {
		case is == nil:
			s.metrics.regressions.WithLabelValues(string(was.ID)).Inc()
			s.cfg.Log.Error("a list is gone from the new snapshot", "list", was.ID, "snapshot", next.Sequence)
		case is.Current().PublishedOn < was.Current().PublishedOn:
			s.metrics.regressions.WithLabelValues(string(was.ID)).Inc()
			s.cfg.Log.Error("a list is older in the new snapshot", "list", was.ID, "snapshot", next.Sequence,
				"published", is.Current().PublishedOn.String(), "before", was.Current().PublishedOn.String())
		}
	}
}

const noSnapshot = "no snapshot is loaded"

// assess sets readiness: a snapshot is loaded, it has lists, and every list is
// within the age limit.
func (s *Server) assess() {
	// Under the lock from the first look on: what was found of an old state must
	// not overwrite what was found of a new one.
	s.mu.Lock()
	defer s.mu.Unlock()
	ready, why := false, noSnapshot
	var held []any // for the log
	if sv := s.current.Load(); sv != nil {
		held = sv.heldLists()
		ready, why = true, ""
		if len(sv.Snapshot.Lists()) == 0 {
			ready, why = false, "the snapshot has no lists"
		}
		for _, id := range s.cfg.Require {
			if sv.Snapshot.List(id) == nil {
				ready, why = false, fmt.Sprintf("list %s is required and not loaded", id)+sv.whileHeld(id)
			}
		}
		now := s.cfg.Now()
		for i := range sv.Snapshot.Lists() {
			list := &sv.Snapshot.Lists()[i]
			if limit := s.limit(sv, list.ID); limit > 0 && sv.age(list, now) > limit {
				ready, why = false, fmt.Sprintf("list %s is older than %s", list.ID, limit)+sv.whileHeld(list.ID)
			}
		}
	}
	if s.stopped() || ready == s.ready && why == s.why {
		return
	}
	s.ready, s.why = ready, why
	status := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		status = healthpb.HealthCheckResponse_SERVING
		s.cfg.Log.Info("ready to screen", held...)
	} else {
		s.cfg.Log.Error("not ready to screen", append([]any{"why", why}, held...)...)
	}
	s.health.SetServingStatus(ScreeningService, status)
}

// limit is the age limit in force for a list of a state, 0 for none.
func (s *Server) limit(sv *served, id screen.ListID) time.Duration {
	if sv.Builtin[id] || sv.superseded[id] {
		return 0
	}
	return s.cfg.MaxListAge
}

// age is the time since a list was last known to be what its publisher says: since
// it was compared with it, or since the end of the publication's day.
func (sv *served) age(list *screen.ListState, now time.Time) time.Duration {
	return now.Sub(sv.asOfWhen(list))
}

// asOfWhen is the instant up to which the list is known to be the publisher's.
func (sv *served) asOfWhen(list *screen.ListState) time.Time {
	if at := sv.Verified[list.ID].At; !at.IsZero() {
		return at
	}
	return list.Current().PublishedOn.Time().AddDate(0, 0, 1)
}

// verifiedAt is when a list was last compared with its publisher, nil if never.
func (sv *served) verifiedAt(id screen.ListID) *timestamppb.Timestamp {
	if at := sv.Verified[id].At; !at.IsZero() {
		return timestamppb.New(at)
	}
	return nil
}

// Ready reports whether addresses can be screened correctly now.
func (s *Server) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready && !s.stopped()
}

// Run watches the age of the lists, and what clients make the server hold, until
// ctx ends.
func (s *Server) Run(ctx context.Context) {
	go s.admission.run(ctx)
	tick := time.NewTicker(readinessTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.assess()
		}
	}
}

// Drain tells health checks that the server is going away, and ends the streams
// that would last: those of ScreenAddressStream after the answer that is under way,
// and those of WatchChanges. Other calls are still answered.
func (s *Server) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped() {
		close(s.drained)
	}
	// "" stays SERVING: the process is alive until it ends.
	s.health.SetServingStatus(ScreeningService, healthpb.HealthCheckResponse_NOT_SERVING)
}

// GRPC returns a gRPC server with the services, health and reflection on it. It is
// to serve on a Listener.
func (s *Server) GRPC(opts ...grpc.ServerOption) *grpc.Server {
	limits := s.admission.limits
	opts = append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(uint32(limits.Streams)),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ReadBufferSize(readBuffer),
		grpc.InTapHandle(s.admission.admit),
		grpc.NumStreamWorkers(16),
		grpc.ConnectionTimeout(limits.Handshake),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: 15 * time.Minute,
			// Clients connect again now and then, so that balancing works.
			MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: time.Minute,
			Time: time.Minute, Timeout: 20 * time.Second,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(s.recoverUnary, s.admission.unary),
		grpc.ChainStreamInterceptor(s.recoverStream, s.admission.stream),
	}, opts...)
	if secured := s.cfg.Access.Transport(); secured != nil {
		opts = append(opts, grpc.Creds(secured))
	}
	g := grpc.NewServer(opts...)
	pb.RegisterScreeningServiceServer(g, s)
	pb.RegisterListServiceServer(g, s)
	healthpb.RegisterHealthServer(g, s.health)
	reflection.Register(g)
	s.admission.describe(g)
	return g
}

// A panic is a defect: the call fails, and nothing is said of any address.
func (s *Server) recovered(method string, err *error) {
	if r := recover(); r != nil {
		s.metrics.panics.Inc()
		// The value of the panic may quote the request; the stack does not.
		s.cfg.Log.Error("panic", "method", method, "kind", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
		*err = internal()
	}
}

func internal() error { return failure(pb.ErrorReason_ERROR_REASON_INTERNAL, "internal error") }

func (s *Server) recoverUnary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (_ any, err error) {
	defer s.recovered(info.FullMethod, &err)
	return next(ctx, req)
}

func (s *Server) recoverStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	return next(srv, stream)
}
