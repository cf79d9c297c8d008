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
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
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

// ListService is the name under which health checks ask whether a snapshot is
// loaded, of which the list service tells even while its lists are stale.
const ListService = "walletscreen.v1.ListService"

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
	// LogCalls says of which calls Log gets a line.
	LogCalls LogCalls
	// SlowCall is the time from which on LogErrors counts a call as an error; 0 is
	// never. Streams have no such time.
	SlowCall time.Duration
	// Tracer receives a span for each call of the services; nil traces nothing.
	// Spans hold no text of a request.
	Tracer trace.TracerProvider
	// Canaries are addresses that must be listed in every new snapshot, or have been
	// delisted by it; else it is refused. Those of lists that it does not hold are
	// left out.
	Canaries []Canary
	// CanariesUnlisted are addresses that must match nothing in any new snapshot;
	// else it is refused.
	CanariesUnlisted []string
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
	turns   *turns // for large batches and answers
	watched *watched

	decoding *turns // for large requests

	mu       sync.Mutex    // guards what follows
	swapped  chan struct{} // closed and replaced at every Swap
	ready    bool          // what health says of ScreeningService
	why      string        // why it is not ready
	listing  bool          // what health says of ListService
	draining bool
	canary   canaryCount     // of the snapshot that came last
	refusal  string          // why that is not served
	refused  []screen.Digest // snapshots whose canaries failed, the oldest first
	history  []SwapRecord    // the oldest first

	calls     logLimit        // lines about calls
	unread    logLimit        // lines about the archive
	patience  time.Duration   // how long a client may take over a message of a stream
	ending    context.Context // done when streams must end
	endStream context.CancelFunc
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
	takenAt  time.Time // when the state was; of a clock that is never put back, if there is one
	ref      *pb.SnapshotRef
	holds    []hold // in order of the lists' ids
	// superseded are the lists of a state that is served no more whose publication
	// is not the one served now; nil for one that is served.
	superseded map[screen.ListID]bool
	// lost are lists that were served until the numbers of snapshots began anew, and
	// that no snapshot held since then.
	lost []screen.ListID
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
	s.calls.lines, s.calls.per = maxErrorLines, time.Second
	s.unread.lines, s.unread.per = 1, archiveLog
	s.turns, s.decoding = newTurns(), newTurns()
	s.shelf, s.watched = newShelf(s), newWatched(s, cfg.Metrics)
	s.ending, s.endStream = context.WithCancel(context.Background())
	// A new health server says SERVING. "" is liveness and stays so.
	s.health.SetServingStatus(ScreeningService, healthpb.HealthCheckResponse_NOT_SERVING)
	s.health.SetServingStatus(ListService, healthpb.HealthCheckResponse_NOT_SERVING)
	s.metrics = newMetrics(s, cfg.Metrics)
	s.admission = newAdmission(&s.cfg, s.recovered)
	return s
}

// Swap makes the server answer from a new state. Calls that have begun finish
// with the old one. The index is built before the swap; if the snapshot is the
// one served already, only what is known of its freshness changes. A new snapshot
// is asked for canaries first. An error says that they failed: then nothing
// changes, so that the lists that are served grow old.
func (s *Server) Swap(state State) error {
	now := s.cfg.Now()
	next := &served{State: state, loadedAt: now, takenAt: now}
	next.Verified = maps.Clone(state.Verified)
	for id, v := range next.Verified {
		// A loader whose clock is ahead must not keep its lists fresh for longer.
		if v.At.After(now) {
			v.At = now.Round(0)
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
	if old == nil || old.index != next.index {
		if err := s.admit(next); err != nil {
			return err
		}
	}
	if old != nil {
		next.lost = lost(old, next)
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
	return nil
}

// lost are the lists that a store lost with all its data, and that whoever filled it
// again did not load yet. A question about all lists was about these, too, and its
// answer must not become NOT_LISTED by an accident. A rollback may drop a list: its
// number is higher, and an operator meant it.
func lost(old, next *served) []screen.ListID {
	gone := slices.Clone(old.lost)
	if next.Snapshot.Sequence <= old.Snapshot.Sequence {
		for i := range old.Snapshot.Lists() {
			gone = append(gone, old.Snapshot.Lists()[i].ID)
		}
	}
	gone = slices.DeleteFunc(gone, func(id screen.ListID) bool { return next.Snapshot.List(id) != nil })
	slices.Sort(gone)
	return slices.Compact(gone)
}

// Lost returns the lists that the server served until the numbers of snapshots began
// anew, and that no snapshot held since then. It answers as if they were required.
func (s *Server) Lost() []screen.ListID {
	if sv := s.current.Load(); sv != nil {
		return slices.Clone(sv.lost)
	}
	return nil
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
	if s.refusal != "" {
		why += ": " + s.refusal
	}
	var held []any // for the log
	if sv := s.current.Load(); sv != nil {
		held = sv.heldLists()
		ready, why = true, ""
		if len(sv.Snapshot.Lists()) == 0 {
			ready, why = false, "the snapshot has no lists"
		}
		for _, id := range s.missing(sv) {
			ready, why = false, fmt.Sprintf("list %s is required and not loaded", id)+sv.whileHeld(id)
			if !slices.Contains(s.cfg.Require, id) {
				why = fmt.Sprintf("list %s was served until the numbers of snapshots began anew, and is not loaded since: load it", id) + sv.whileHeld(id)
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
	if !s.draining && !s.listing && s.current.Load() != nil {
		s.listing = true
		s.health.SetServingStatus(ListService, healthpb.HealthCheckResponse_SERVING)
	}
	if s.draining || ready == s.ready && why == s.why {
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
	return ageOf(sv.asOfWhen(list), sv.takenAt, now.Round(0), now.Sub(sv.takenAt))
}

// ageOf is the age of what is known as of an instant, in a state that was taken over
// some time ago. It is never negative, and a clock that is put back in that time
// makes nothing fresh again.
func ageOf(asOf, taken, now time.Time, ago time.Duration) time.Duration {
	return max(0, now.Sub(asOf), taken.Round(0).Sub(asOf)+ago)
}

// asOfWhen is the instant up to which the list is known to be the publisher's; not
// one that was yet to come when the state was taken over.
func (sv *served) asOfWhen(list *screen.ListState) time.Time {
	if at := sv.Verified[list.ID].At; !at.IsZero() {
		return at
	}
	end, taken := list.Current().PublishedOn.Time().AddDate(0, 0, 1), sv.takenAt.Round(0)
	if taken.Before(end) {
		return taken
	}
	return end
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
	return s.ready && !s.draining
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

// Drain tells health checks that the server is going away. Calls are still taken
// and answered.
func (s *Server) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	// "" stays SERVING: the process is alive until it ends.
	s.health.SetServingStatus(ScreeningService, healthpb.HealthCheckResponse_NOT_SERVING)
	s.health.SetServingStatus(ListService, healthpb.HealthCheckResponse_NOT_SERVING)
}

// EndStreams ends the streams that have no end of their own, with UNAVAILABLE, and
// refuses new ones: batches after the answer that is under way, changes, the
// watching of health, and reflection. It is for after Drain: a graceful stop would
// wait for them.
func (s *Server) EndStreams() { s.endStream() }

// stopped reports whether EndStreams was called.
func (s *Server) stopped() bool { return s.ending.Err() != nil }

// GRPC returns a gRPC server with the services, health and reflection on it. It is
// to serve on a Listener.
func (s *Server) GRPC(opts ...grpc.ServerOption) *grpc.Server {
	limits := s.admission.limits
	opts = append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{recovered: s.recovered, turns: s.turns, decoding: s.decoding}),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(uint32(limits.Streams)),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ReadBufferSize(readBuffer),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
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
		// Outermost is what counts, so that it sees what is refused further in.
		grpc.ChainUnaryInterceptor(s.observeUnary, s.recoverUnary, s.admission.unary),
		grpc.ChainStreamInterceptor(s.observeStream, s.recoverStream, s.admission.stream),
	}, opts...)
	if secured := s.cfg.Access.Transport(); secured != nil {
		opts = append(opts, grpc.Creds(secured))
	}
	if s.cfg.Tracer != nil {
		opts = append(opts, tracing(s.cfg.Tracer))
	}
	g := grpc.NewServer(opts...)
	g.RegisterService(withContext(pb.ScreeningService_ServiceDesc), s)
	g.RegisterService(withContext(pb.ListService_ServiceDesc), s)
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
