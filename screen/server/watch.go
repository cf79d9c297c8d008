package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/wire"
)

// Limits of WatchChanges.
const (
	maxMessageChanges = 1000     // in one message
	messageSize       = 1 << 20  // bytes of changes in one message, unless one is larger
	maxChangesSize    = 64 << 20 // bytes of all changes between two snapshots
	maxBehind         = 16       // snapshots that a client may be behind
	maxCatchUps       = 4        // kept for clients that come from the same snapshot
)

// WatchChanges answers as the contract says. What a new snapshot changed is
// computed and encoded once, however many watch, beside the swap; those who watch
// send the same bytes.
func (s *Server) WatchChanges(req *pb.WatchChangesRequest, stream grpc.ServerStreamingServer[pb.WatchChangesResponse]) error {
	ctx := stream.Context()
	lists, err := listIDs(req.ListIds)
	if err != nil {
		return err
	}
	if req.FromDigest != "" {
		if d, err := screen.ParseDigest(req.FromDigest); err != nil || d.String() != req.FromDigest || req.FromSnapshot == 0 {
			return failure(pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT, "from_digest is not the digest of a from_snapshot: SHA-256 in lower-case hex")
		}
	}
	sv := s.current.Load()
	if sv == nil {
		return notReady()
	}
	if sv.Snapshot.Sequence < req.FromSnapshot {
		if sv = s.wait(ctx, req.FromSnapshot); sv.Snapshot.Sequence < req.FromSnapshot {
			return failure(pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED, "the server has not reached from_snapshot",
				"sequence", strconv.FormatUint(sv.Snapshot.Sequence, 10), "from_snapshot", strconv.FormatUint(req.FromSnapshot, 10))
		}
	}
	sv, at := s.watch()
	defer s.watched.leave(&s.mu)
	first, err := s.catchUp(ctx, sv, req)
	if err != nil {
		return err
	}
	out := s.newOutbox(stream, s.ending.Done())
	if err := s.tell(out, first, lists, at); err != nil {
		return err
	}
	for {
		select {
		case <-at.done:
			at = at.next
			if err := s.tell(out, at.changes, lists, at); err != nil {
				return err
			}
		case err := <-out.failed:
			return err
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		case <-s.ending.Done():
			return stopping()
		}
	}
}

// tell puts changes into an outbox, those of the given lists; none are all.
func (s *Server) tell(out *outbox, c *changes, lists []screen.ListID, at *step) error {
	if c.err != nil {
		return c.err
	}
	var waiting []byte // the last part put aside, which may be the last of all
	put := func(message wire.Encoded) error {
		if s.watched.behind(&s.mu, at) > maxBehind {
			return s.slowConsumer()
		}
		return out.put(message)
	}
	for _, p := range c.parts {
		if len(lists) > 0 && !slices.Contains(lists, p.list) {
			continue
		}
		if waiting != nil {
			if err := put(wire.Encoded{waiting}); err != nil {
				return err
			}
		}
		waiting = p.message
	}
	if waiting == nil {
		waiting = c.header
	}
	return put(wire.Encoded{waiting, lastMark})
}

// watched is what those who watch follow: a chain of steps from one snapshot to the
// next. Each holds its own place in it, so that what all have passed is dropped.
type watched struct {
	// Guarded by Server.mu.
	clients  int
	newest   *step
	catchUps []*catchUp

	compute sync.Mutex // held while changes are computed, so that one are at a time
	largest int        // bytes that changes may take

	computed prometheus.Counter
	cut      prometheus.Counter
}

// A step leads to a snapshot.
type step struct {
	number  uint64
	changes *changes

	done chan struct{} // closed when the next step is there, with its changes
	next *step
}

// A catchUp is the changes from a snapshot that is not served to the one that is.
type catchUp struct {
	from    screen.Digest
	done    chan struct{} // closed when changes is set
	changes *changes
}

func newWatched(s *Server, reg prometheus.Registerer) *watched {
	w := &watched{
		largest: maxChangesSize,
		newest:  &step{done: make(chan struct{})},
		computed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_changes_computed_total", Help: "Times that the changes between two snapshots were computed for WatchChanges.",
		}),
		cut: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_slow_consumers_total", Help: "Streams of WatchChanges and ExportSnapshot that were cut off because the client read too slowly.",
		}),
	}
	if reg != nil {
		reg.MustRegister(w.computed, w.cut, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "walletscreen_watchers", Help: "Streams of WatchChanges that are open.",
		}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(w.clients)
		}))
	}
	return w
}

// watch returns what is served and the step that leads there, for one more client.
func (s *Server) watch() (*served, *step) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched.clients++
	return s.current.Load(), s.watched.newest
}

func (w *watched) leave(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
	w.clients--
	if w.clients == 0 {
		// Nobody will ask for the changes of the newest step.
		w.newest = &step{number: w.newest.number, done: make(chan struct{})}
	}
}

// behind is how many steps there are after one.
func (w *watched) behind(mu *sync.Mutex, at *step) uint64 {
	mu.Lock()
	defer mu.Unlock()
	return w.newest.number - at.number
}

// swap is told of every state that is taken over, under the lock of the server.
func (w *watched) swap(s *Server, old, next *served) {
	if old == nil || sameSnapshot(old.Snapshot, next.Snapshot) {
		return
	}
	w.catchUps = nil
	if w.clients == 0 {
		return
	}
	before := w.newest
	w.newest = &step{number: before.number + 1, done: make(chan struct{})}
	before.next = w.newest
	go func() {
		before.next.changes = s.changes(old.Snapshot, next)
		close(before.done)
	}()
}

func sameSnapshot(a, b *screen.Snapshot) bool {
	return a == b || a.Sequence == b.Sequence && a.Digest() == b.Digest()
}

// supersede is told of every snapshot that is to be served instead of another.
func (s *Server) supersede(old, next *served) {
	switch {
	case sameSnapshot(old.Snapshot, next.Snapshot):
	case next.Snapshot.Sequence <= old.Snapshot.Sequence:
		s.shelf.renumber()
	default:
		s.shelf.retire(old)
	}
}

// catchUp returns the changes that lead a client to what is served.
func (s *Server) catchUp(ctx context.Context, sv *served, req *pb.WatchChangesRequest) (*changes, error) {
	from := sv.Snapshot
	if req.FromSnapshot != 0 && req.FromSnapshot != from.Sequence {
		h, err := s.shelf.get(ctx, req.FromSnapshot)
		switch {
		case errors.Is(err, ErrNotHeld):
			return nil, s.tooOld(ctx, sv, req.FromSnapshot)
		case err != nil:
			return nil, err
		}
		from = h.snapshot
	}
	if req.FromDigest != "" && req.FromDigest != from.Digest().String() {
		return nil, s.tooOld(ctx, sv, req.FromSnapshot)
	}
	if from == sv.Snapshot {
		return &changes{header: headerOf(sv.ref)}, nil
	}
	s.mu.Lock()
	var c *catchUp
	if s.current.Load().Snapshot == sv.Snapshot {
		c = s.watched.catchUp(from.Digest())
	}
	begin := c == nil
	if begin {
		c = &catchUp{from: from.Digest(), done: make(chan struct{})}
		if s.current.Load().Snapshot == sv.Snapshot {
			s.watched.catchUps = append(s.watched.catchUps, c)
			if n := len(s.watched.catchUps); n > maxCatchUps {
				s.watched.catchUps = slices.Delete(s.watched.catchUps, 0, n-maxCatchUps)
			}
		}
	}
	s.mu.Unlock()
	if begin {
		go func() {
			c.changes = s.changes(from, sv)
			close(c.done)
		}()
	}
	select {
	case <-c.done:
		return c.changes, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (w *watched) catchUp(from screen.Digest) *catchUp {
	for _, c := range w.catchUps {
		if c.from == from {
			return c
		}
	}
	return nil
}

// tooOld says from where one can watch instead.
func (s *Server) tooOld(ctx context.Context, sv *served, from uint64) error {
	oldest := sv.Snapshot.Sequence
	if s.cfg.Archive != nil {
		ctx, cancel := context.WithTimeout(ctx, loadTime)
		defer cancel()
		sequences, err := s.cfg.Archive.Sequences(ctx)
		if err != nil {
			s.unread.log(s.cfg.Log, slog.LevelError, "which snapshots are kept cannot be read", "err", err)
		}
		for _, n := range sequences {
			if n > from && n < oldest {
				oldest = n
			}
		}
	}
	return tooOld(fmt.Sprintf("the changes since snapshot %d are not held: export the snapshot and watch from there", from), oldest)
}

func tooOld(message string, oldest uint64) error {
	return failure(pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, message, "oldest", strconv.FormatUint(oldest, 10))
}

// changes are the changes between two snapshots, in messages that are encoded but
// for the mark of the last.
type changes struct {
	err    error // to end the stream with, in place of them
	header []byte
	parts  []part // in order of the lists' ids
}

// A part is a message with changes of one list.
type part struct {
	list    screen.ListID
	message []byte
}

// Numbers of fields of WatchChangesResponse.
const (
	snapshotField = 1
	changesField  = 2
	lastField     = 3
)

// lastMark is the field last, set.
var lastMark = protowire.AppendVarint(protowire.AppendTag(nil, lastField, protowire.VarintType), 1)

// headerOf encodes the field snapshot.
func headerOf(ref *pb.SnapshotRef) []byte {
	encoded, err := proto.Marshal(ref)
	if err != nil {
		panic(err) // a reference that was made here
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, snapshotField, protowire.BytesType), encoded)
}

// changes computes what differs between two snapshots.
func (s *Server) changes(from *screen.Snapshot, to *served) *changes {
	s.watched.compute.Lock()
	defer s.watched.compute.Unlock()
	s.watched.computed.Inc()
	c := new(changes)
	if err := s.safely("WatchChanges", func() { c.encode(from, to, s.watched.largest) }); err != nil {
		return &changes{err: err}
	}
	return c
}

// encode sets c, to an error if the messages would take more than largest bytes.
func (c *changes) encode(from *screen.Snapshot, to *served, largest int) {
	if to.Snapshot.Sequence <= from.Sequence {
		c.err = tooOld("the numbers of snapshots began anew: export the snapshot and watch from there", to.Snapshot.Sequence)
		return
	}
	c.header = headerOf(to.ref)
	message, change := slices.Clone(c.header), []byte(nil)
	var list screen.ListID
	count, size := 0, 0
	flush := func() {
		if count > 0 {
			c.parts = append(c.parts, part{list, slices.Clone(message)})
			size += len(message)
		}
		message, count = append(message[:0], c.header...), 0
	}
	for row := range from.Rows(to.Snapshot) {
		m, of := listingChange(from, to.Snapshot, row)
		encoded, err := proto.MarshalOptions{}.MarshalAppend(change[:0], m)
		if err != nil {
			panic(err) // a text in a snapshot is UTF-8
		}
		change = encoded
		if of != list || count == maxMessageChanges || len(message)+len(change) > messageSize-16 {
			flush()
			list = of
		}
		message = protowire.AppendBytes(protowire.AppendTag(message, changesField, protowire.BytesType), change)
		count++
		if size+len(message) > largest {
			*c = changes{err: tooOld("the changes are larger than the snapshot is worth: export it and watch from there", to.Snapshot.Sequence)}
			return
		}
	}
	flush()
}

// listingChange describes a change of a row, and says on which list it is.
func listingChange(from, to *screen.Snapshot, row screen.RowChange) (*pb.ListingChange, screen.ListID) {
	m := new(pb.ListingChange)
	list := screen.ListID("")
	if row.Before != nil {
		m.Previous = listing(from, row.Before, 0)
		list = from.ListOf(row.Before).ID
	}
	if row.After != nil {
		m.Listing = listing(to, row.After, 0)
		list = to.ListOf(row.After).ID
	} else {
		m.Listing = m.Previous
	}
	switch {
	case row.Before == nil:
		m.Type = pb.ListingChangeType_LISTING_CHANGE_TYPE_LISTED
	case row.After == nil || row.After.Delisted != 0:
		m.Type = pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED
	default:
		m.Type = pb.ListingChangeType_LISTING_CHANGE_TYPE_AMENDED
	}
	return m, list
}
