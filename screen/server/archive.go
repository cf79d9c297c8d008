package server

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// An Archive holds the snapshots that are not served any more. It is used by many
// goroutines.
type Archive interface {
	// Snapshot returns the snapshot with the given sequence number, verified, under
	// that number, and its signature. ErrNotHeld says that it is not there; any other
	// error is logged and never told to callers.
	Snapshot(ctx context.Context, sequence uint64) (*screen.Snapshot, signing.Signed, error)
	// Sequences returns the numbers of the snapshots that are there, ascending.
	Sequences(ctx context.Context) ([]uint64, error)
}

// ErrNotHeld says that an Archive does not have a snapshot.
var ErrNotHeld = errors.New("the snapshot is not held")

// Bounds of what is kept of an Archive in memory.
const (
	maxHeld         = 8                // snapshots
	maxHeldListings = 250_000          // of them together, at some 320 bytes; one that was asked for may have more
	maxLoads        = 2                // snapshots being read, or indexed, at a time
	loadTime        = 15 * time.Second // to read one
)

// shelf keeps snapshots that are not served any more, as many as fit: those that
// were asked for, and those that this server has served. Each is read once, and
// its index is built once, however many calls wait for it.
type shelf struct {
	s     *Server
	loads chan struct{} // holds a token for each load

	mu      sync.Mutex
	held    map[uint64]*held
	loading map[uint64]*load
	uses    uint64
	epoch   uint64 // counts how often sequence numbers began anew
}

// held is a snapshot on the shelf.
type held struct {
	snapshot *screen.Snapshot
	signed   signing.Signed
	ref      *pb.SnapshotRef
	used     uint64 // when it was asked for last, in uses of the shelf

	build   sync.Once
	built   chan struct{} // closed when index is set, or cannot be
	index   *screen.Index
	refused bool // for its canaries
}

// load is a snapshot that is being read.
type load struct {
	done  chan struct{}
	held  *held
	err   error
	epoch uint64
}

func newShelf(s *Server) *shelf {
	return &shelf{s: s, loads: make(chan struct{}, maxLoads), held: map[uint64]*held{}, loading: map[uint64]*load{}}
}

func newHeld(snapshot *screen.Snapshot, signed signing.Signed, index *screen.Index) *held {
	h := &held{snapshot: snapshot, signed: signed, ref: refOf(snapshot), built: make(chan struct{}), index: index}
	if index != nil {
		h.build.Do(func() { close(h.built) })
	}
	return h
}

func refOf(s *screen.Snapshot) *pb.SnapshotRef {
	return &pb.SnapshotRef{Sequence: s.Sequence, Digest: s.Digest().String(), CreatedAt: timestamppb.New(s.CreatedAt)}
}

// retire puts a snapshot on the shelf that is served no more, if there is room: who
// screens a large file in parts goes on with the one that it began with.
func (f *shelf) retire(sv *served) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(sv.Snapshot.Listings()) > maxHeldListings {
		return
	}
	h := newHeld(sv.Snapshot, sv.Signed, sv.index)
	h.ref = sv.ref
	f.put(h)
}

// renumber forgets everything: numbers began anew, and name other snapshots.
func (f *shelf) renumber() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
	clear(f.held)
	clear(f.loading)
}

// put adds a snapshot, and drops those that were not asked for longest until the
// bounds hold.
func (f *shelf) put(h *held) {
	f.uses++
	h.used = f.uses
	f.held[h.snapshot.Sequence] = h
	for {
		listings, oldest := 0, h
		for _, other := range f.held {
			listings += len(other.snapshot.Listings())
			if other.used < oldest.used {
				oldest = other
			}
		}
		if oldest == h || len(f.held) <= maxHeld && listings <= maxHeldListings {
			return
		}
		delete(f.held, oldest.snapshot.Sequence)
	}
}

// get returns a snapshot that is not served, from memory or from the archive. The
// error is ErrNotHeld or one to answer with.
func (f *shelf) get(ctx context.Context, sequence uint64) (*held, error) {
	for {
		f.mu.Lock()
		if h := f.held[sequence]; h != nil {
			f.uses++
			h.used = f.uses
			f.mu.Unlock()
			return h, nil
		}
		l := f.loading[sequence]
		f.mu.Unlock()
		if f.s.cfg.Archive == nil {
			return nil, ErrNotHeld
		}
		if l == nil {
			var err error
			if l, err = f.begin(ctx, sequence); err != nil {
				return nil, err
			}
		}
		if l == nil {
			continue // another call was faster
		}
		select {
		case <-l.done:
			return l.held, l.err
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}
}

// begin waits for its turn and begins to read a snapshot. It returns nil if that
// is no longer to be done. A call that is given up while it waits leaves nothing
// behind.
func (f *shelf) begin(ctx context.Context, sequence uint64) (*load, error) {
	select {
	case f.loads <- struct{}{}:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held[sequence] != nil || f.loading[sequence] != nil {
		<-f.loads
		return nil, nil
	}
	l := &load{done: make(chan struct{}), epoch: f.epoch}
	f.loading[sequence] = l
	// Others may wait for what this call began, so it does not end with the call.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTime)
	go func() {
		defer func() { <-f.loads }()
		defer cancel()
		f.read(ctx, sequence, l)
	}()
	return l, nil
}

func (f *shelf) read(ctx context.Context, sequence uint64, l *load) {
	l.err = failure(pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, "the snapshot cannot be read now", "snapshot", strconv.FormatUint(sequence, 10))
	f.s.safely("archive", func() {
		snapshot, signed, err := f.s.cfg.Archive.Snapshot(ctx, sequence)
		if err == nil && snapshot.Sequence != sequence {
			err = errors.New("the archive returned " + snapshot.String())
		}
		switch {
		case err == nil:
			l.held, l.err = newHeld(snapshot, signed, nil), nil
		case errors.Is(err, ErrNotHeld):
			l.err = ErrNotHeld
		default:
			f.s.unread.log(f.s.cfg.Log, slog.LevelError, "a snapshot that is not served cannot be read", "snapshot", sequence, "err", err)
		}
	})
	f.mu.Lock()
	if f.loading[sequence] == l {
		delete(f.loading, sequence)
	}
	if l.held != nil && l.epoch == f.epoch {
		f.put(l.held)
	}
	f.mu.Unlock()
	close(l.done)
}

// indexed returns the index of a snapshot, which it builds if nobody did, and asks
// for canaries. The error is errRefused or one to answer with.
func (f *shelf) indexed(ctx context.Context, h *held) (*screen.Index, error) {
	h.build.Do(func() {
		go func() {
			defer close(h.built)
			f.loads <- struct{}{}
			defer func() { <-f.loads }()
			f.s.safely("index", func() {
				index := screen.NewIndex(h.snapshot)
				if h.refused = !f.s.vouches(h, index); !h.refused {
					h.index = index
				}
			})
		}()
	})
	select {
	case <-h.built:
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	switch {
	case h.refused:
		return nil, errRefused
	case h.index == nil:
		return nil, internal()
	}
	return h.index, nil
}

// errRefused says that a snapshot is not answered from, for its canaries failed.
var errRefused = errors.New("the server refused that snapshot: its canaries failed")

// notHeld makes the error of a call for a snapshot that it cannot have.
func notHeld(sv *served, sequence uint64, why string) error {
	return failure(pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, why,
		"sequence", strconv.FormatUint(sv.Snapshot.Sequence, 10), "snapshot", strconv.FormatUint(sequence, 10))
}

// exact returns a snapshot by its number, if its canaries did not fail: nil and no error if it is the one that
// the state returned beside it serves. One that is yet to come is waited for.
func (s *Server) exact(ctx context.Context, sequence uint64) (*served, *held, error) {
	sv := s.current.Load()
	if sv == nil {
		return nil, nil, notReady()
	}
	if sv.Snapshot.Sequence < sequence {
		sv = s.wait(ctx, sequence)
	}
	if sv.Snapshot.Sequence == sequence {
		return sv, nil, nil
	}
	h, err := (*held)(nil), ErrNotHeld
	if sv.Snapshot.Sequence > sequence {
		h, err = s.shelf.get(ctx, sequence)
	}
	switch {
	case errors.Is(err, ErrNotHeld):
		err = notHeld(sv, sequence, "the server does not hold that snapshot")
	case err == nil && s.refusedBefore(h.snapshot.Digest()):
		h, err = nil, notHeld(sv, sequence, errRefused.Error())
	}
	return sv, h, err
}

// past is a state that was served once, or by another server. What is known now of
// a list holds for it only where the list's publication is the one served now.
func (s *Server) past(ctx context.Context, now *served, h *held) (*served, error) {
	index, err := s.shelf.indexed(ctx, h)
	if errors.Is(err, errRefused) {
		err = notHeld(now, h.snapshot.Sequence, errRefused.Error())
	}
	if err != nil {
		return nil, err
	}
	sv := &served{
		State: State{Snapshot: h.snapshot, Verified: map[screen.ListID]screen.Verification{}, Builtin: map[screen.ListID]bool{}},
		index: index, ref: h.ref, takenAt: now.takenAt, superseded: map[screen.ListID]bool{},
	}
	for i := range h.snapshot.Lists() {
		list := &h.snapshot.Lists()[i]
		is := now.Snapshot.List(list.ID)
		if is == nil || is.Current().Digest != list.Current().Digest {
			sv.superseded[list.ID] = true
			continue
		}
		if v, ok := now.Verified[list.ID]; ok {
			sv.Verified[list.ID] = v
		}
		sv.Builtin[list.ID] = now.Builtin[list.ID]
	}
	sv.holds = holds(&sv.State)
	return sv, nil
}

// safely runs what no call runs: a panic in it is reported as one in a call is.
func (s *Server) safely(what string, run func()) (err error) {
	defer s.recovered(what, &err)
	run()
	return nil
}
