package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// memory is an archive in memory.
type memory struct {
	mu        sync.Mutex
	snapshots map[uint64]*screen.Snapshot
	down      error
	reads     atomic.Int64
	gate      chan struct{} // every read waits for it, unless nil
}

func archiveOf(snapshots ...*screen.Snapshot) *memory {
	m := &memory{snapshots: map[uint64]*screen.Snapshot{}}
	for _, s := range snapshots {
		m.snapshots[s.Sequence] = s
	}
	return m
}

// signatureOf is what the archive of these tests says that a snapshot is signed with.
func signatureOf(sequence uint64) signing.Signed {
	return signing.Signed{Statement: fmt.Sprintf("snapshot %d", sequence), Signature: "signature", KeyID: "key"}
}

func (m *memory) Snapshot(ctx context.Context, sequence uint64) (*screen.Snapshot, signing.Signed, error) {
	m.reads.Add(1)
	if m.gate != nil {
		select {
		case <-m.gate:
		case <-ctx.Done():
			return nil, signing.Signed{}, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down != nil {
		return nil, signing.Signed{}, m.down
	}
	if s := m.snapshots[sequence]; s != nil {
		return s, signatureOf(sequence), nil
	}
	return nil, signing.Signed{}, fmt.Errorf("snapshot %d: %w", sequence, ErrNotHeld)
}

func (m *memory) Sequences(context.Context) ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.snapshots)), m.down
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = err
}

// TestSnapshotThatIsServedNoMore: every sentence of ScreenAddressesRequest.snapshot.
func TestSnapshotThatIsServedNoMore(t *testing.T) {
	// In 6 and 7 the operator's own list is the same; evm came with 7.
	six := merged(t, screen.Empty(), own, 20251001, "own", party("9", other))
	six = merged(t, six, sdn, 20251030, "1", party("1", tronText)).Named(6, noon.Add(-2*time.Hour))
	seven := merged(t, six, sdn, 20251104, "2", party("1", evm)).Named(7, noon.Add(-time.Hour))
	in := install(t, Config{MaxListAge: 26 * time.Hour, Archive: archiveOf(six)})
	in.server.Swap(State{Snapshot: seven, Verified: verified(noon.Add(-time.Hour), sdn.ID, own.ID)})
	ask := func(text string, change func(*pb.ScreenAddressesRequest)) *pb.ScreenAddressesResponse {
		t.Helper()
		req := &pb.ScreenAddressesRequest{Addresses: []string{text}, Snapshot: 6}
		if change != nil {
			change(req)
		}
		return in.screen(t, req)
	}
	superseded := func(res *pb.ScreenAddressesResponse) bool {
		return slices.ContainsFunc(res.Notices, func(n *pb.Notice) bool {
			return n.Code == pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED && n.ListId == "" && n.Message != ""
		})
	}

	t.Run("asks for an answer from exactly this sequence number", func(t *testing.T) {
		for text, want := range map[string]pb.Verdict{evm: pb.Verdict_VERDICT_NOT_LISTED, tronText: pb.Verdict_VERDICT_LISTED, other: pb.Verdict_VERDICT_LISTED} {
			res := ask(text, nil)
			if got := res.Results[0].Verdict; got != want || res.Snapshot.Sequence != 6 || res.Snapshot.Digest != six.Digest().String() || !res.Snapshot.CreatedAt.AsTime().Equal(six.CreatedAt) {
				t.Errorf("%s: %s from %v", text, got, res.Snapshot)
			}
		}
	})
	t.Run("its answer says so with NOTICE_CODE_SNAPSHOT_SUPERSEDED, valid_until is unset", func(t *testing.T) {
		if res := ask(evm, nil); !superseded(res) || res.ValidUntil != nil {
			t.Errorf("%v", res)
		}
		if res := ask(evm, func(r *pb.ScreenAddressesRequest) { r.Snapshot = 7 }); superseded(res) || res.ValidUntil == nil {
			t.Errorf("of the snapshot that is served: %v", res)
		}
	})
	t.Run("of another list verified_at is unset, one with the publication served now is as fresh as it is", func(t *testing.T) {
		res := ask(evm, nil)
		for _, l := range res.Lists {
			if (l.VerifiedAt == nil) != (l.ListId == string(sdn.ID)) || l.Stale {
				t.Errorf("%v", l)
			}
		}
	})
	t.Run("a max_list_age counts from the end of the publication's day", func(t *testing.T) {
		// The publication of 30 October: 5 days and 12 hours ago.
		for age, want := range map[time.Duration]pb.Verdict{
			131 * time.Hour: pb.Verdict_VERDICT_CANNOT_SCREEN, 133 * time.Hour: pb.Verdict_VERDICT_NOT_LISTED,
		} {
			res := ask(evm, func(r *pb.ScreenAddressesRequest) { r.MaxListAge = durationpb.New(age) })
			if got := res.Results[0].Verdict; got != want || res.ValidUntil != nil {
				t.Errorf("within %s: %s, want %s", age, got, want)
			}
		}
	})
	t.Run("a list with the publication served now is as stale as it is now", func(t *testing.T) {
		in.clock.set(noon.Add(26 * time.Hour))
		defer in.clock.set(noon)
		res := ask(evm, nil)
		if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != pb.Reason_REASON_STALE {
			t.Errorf("%v", r)
		}
		res = ask(evm, func(r *pb.ScreenAddressesRequest) { r.ListIds = []string{string(sdn.ID)} })
		if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_NOT_LISTED {
			t.Errorf("against the list that was superseded: %v", r)
		}
	})
	t.Run("a list with the publication served now is held as it is now", func(t *testing.T) {
		news := verified(noon.Add(-time.Hour), sdn.ID, own.ID)
		for _, id := range []screen.ListID{sdn.ID, own.ID} {
			v := news[id]
			v.Held = &screen.Held{Since: noon}
			news[id] = v
		}
		in.server.Swap(State{Snapshot: seven, Verified: news})
		var got []string
		for _, n := range ask(evm, nil).Notices {
			if n.Code == pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD {
				got = append(got, n.ListId)
			}
		}
		if diff := cmp.Diff([]string{"own"}, got); diff != "" {
			t.Errorf("held (-want +got):\n%s", diff)
		}
	})
	t.Run("ask with as_of too to ask for another day", func(t *testing.T) {
		res := ask(tronText, func(r *pb.ScreenAddressesRequest) { r.AsOf = "2025-10-29" })
		if r := res.Results[0]; r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != pb.Reason_REASON_BEFORE_HISTORY {
			t.Errorf("%v", r)
		}
	})
	t.Run("SNAPSHOT_NOT_HELD when the server does not hold it", func(t *testing.T) {
		_, err := in.screening.ScreenAddresses(within(t), &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: 5})
		wantFailure(t, err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, 0, map[string]string{"sequence": "7", "snapshot": "5"})
	})
}

func TestArchiveThatCannotBeReached(t *testing.T) {
	six := published(t).Named(6, noon.Add(-2*time.Hour))
	kept := archiveOf(six)
	kept.fail(errors.New("dial tcp redis.internal:6379: password hunter2"))
	var log lockedBuffer
	in := install(t, Config{Archive: kept, LogCalls: LogNone, Log: slog.New(slog.NewTextHandler(&log, nil))})
	in.server.Swap(State{Snapshot: published(t)})
	req := &pb.ScreenAddressesRequest{Addresses: []string{other}, Snapshot: 6}
	_, err := in.screening.ScreenAddresses(within(t), req)
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "6"})
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "redis") {
		t.Errorf("the error tells of the store: %v", err)
	}
	// However many calls ask, and whatever they ask.
	for range 20 {
		_, err := in.screening.ScreenAddresses(within(t), req)
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "6"})
		changes, err := in.lists.WatchChanges(within(t), &pb.WatchChangesRequest{FromSnapshot: 7, FromDigest: strings.Repeat("00", 32)})
		if err == nil {
			_, err = changes.Recv()
		}
		wantFailure(t, err, codes.OutOfRange, pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD, 0, map[string]string{"oldest": "7"})
	}
	if text := log.String(); strings.Count(text, "level=ERROR") != 1 ||
		!strings.Contains(text, `msg="a snapshot that is not served cannot be read" snapshot=6 err="dial tcp`) {
		t.Errorf("log:\n%s", text)
	}
	in.server.unread.mu.Lock()
	in.server.unread.began = in.server.unread.began.Add(-archiveLog)
	in.server.unread.mu.Unlock()
	log.reset()
	_, err = in.screening.ScreenAddresses(within(t), req)
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "6"})
	if text := log.String(); !strings.Contains(text, "lines_left_out=40") {
		t.Errorf("log after a while:\n%s", text)
	}
	// What is served is answered all the same, and the failure is not remembered.
	in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}})
	kept.fail(nil)
	in.screen(t, req)

	in.server.Swap(State{Snapshot: published(t).Named(9, noon)})
	kept.mu.Lock()
	kept.snapshots[8] = six // another than was asked for
	kept.mu.Unlock()
	_, err = in.screening.ScreenAddresses(within(t), &pb.ScreenAddressesRequest{Addresses: []string{other}, Snapshot: 8})
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "8"})
}

// TestArchiveIsReadOnce: hundred calls for one snapshot read it once and build its
// index once, and a call that is given up takes nothing from the others.
func TestArchiveIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := archiveOf(published(t).Named(6, noon))
		kept.gate = make(chan struct{})
		s := New(Config{Archive: kept})
		s.Swap(State{Snapshot: published(t)})
		req := &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: 6}
		first, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() { _, err := s.ScreenAddresses(first, req); errs <- err }()
		synctest.Wait()
		for range 100 {
			go func() { _, err := s.ScreenAddresses(t.Context(), req); errs <- err }()
		}
		cancel()
		if err := <-errs; !strings.Contains(err.Error(), "canceled") {
			t.Errorf("the call that was given up: %v", err)
		}
		synctest.Wait()
		close(kept.gate)
		for range 100 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := kept.reads.Load(); n != 1 {
			t.Errorf("read %d times", n)
		}
		a, err := s.shelf.get(t.Context(), 6)
		if err != nil || a.index == nil {
			t.Fatalf("%+v, %v", a, err)
		}
	})
}

// TestArchiveThatHangs: as many reads at a time as are allowed, an end to each, and
// what is served is answered meanwhile.
func TestArchiveThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := archiveOf()
		kept.gate = make(chan struct{})
		s := New(Config{Archive: kept})
		s.Swap(State{Snapshot: published(t).Named(50, noon)})
		errs := make(chan error)
		for n := range 4 {
			go func() {
				_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: uint64(n + 1)})
				errs <- err
			}()
		}
		synctest.Wait()
		if n := kept.reads.Load(); n != maxLoads {
			t.Errorf("%d reads at a time", n)
		}
		if _, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{evm}}); err != nil {
			t.Error(err)
		}
		begin := time.Now()
		for range 4 {
			if err := <-errs; !strings.Contains(fmt.Sprint(err), "cannot be read now") {
				t.Error(err)
			}
		}
		if took := time.Since(begin); took != 2*loadTime {
			t.Errorf("four reads took %s", took)
		}
	})
}

func TestShelfIsBounded(t *testing.T) {
	var all []*screen.Snapshot
	for n := range uint64(20) {
		all = append(all, published(t).Named(n+1, noon))
	}
	in := install(t, Config{Archive: archiveOf(all...)})
	in.server.Swap(State{Snapshot: published(t).Named(21, noon)})
	for _, s := range all {
		in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: s.Sequence})
		in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: 1})
	}
	shelf := in.server.shelf
	if len(shelf.held) != maxHeld || shelf.held[1] == nil || shelf.held[20] == nil || shelf.held[2] != nil {
		t.Errorf("held: %v", slices.Sorted(maps.Keys(shelf.held)))
	}
}

// TestOvertakenSnapshot: who screens in parts goes on with the snapshot that the
// first part named, without an archive; when numbers begin anew it is gone.
func TestOvertakenSnapshot(t *testing.T) {
	in := install(t, Config{})
	in.server.Swap(State{Snapshot: published(t)})
	next := merged(t, published(t), sdn, 20251105, "3", party("1", other))
	in.server.Swap(State{Snapshot: next.Named(8, noon)})
	req := &pb.ScreenAddressesRequest{Addresses: []string{evm}, Snapshot: 7}
	if res := in.screen(t, req); res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED || res.Snapshot.Sequence != 7 {
		t.Errorf("%v", res)
	}
	in.server.Swap(State{Snapshot: next.Named(1, noon.Add(time.Hour))})
	in.server.Swap(State{Snapshot: next.Named(9, noon.Add(2*time.Hour))})
	_, err := in.screening.ScreenAddresses(within(t), req)
	wantFailure(t, err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, 0, map[string]string{"sequence": "9", "snapshot": "7"})
}

// A snapshot that is served no more says so also where every list of it is as it
// was, and nothing but a list beside them is new.
func TestSupersededByAnotherList(t *testing.T) {
	in := install(t, Config{MaxListAge: 26 * time.Hour})
	seven := published(t)
	for _, s := range []*screen.Snapshot{seven, merged(t, seven, own, 20251104, "own", party("x", other)).Named(8, noon)} {
		if err := in.server.Swap(State{Snapshot: s, Verified: verified(noon, sdn.ID, own.ID)}); err != nil {
			t.Fatal(err)
		}
	}
	res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, Snapshot: 7})
	if len(res.Notices) != 1 || res.Notices[0].Code != pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED || res.ValidUntil != nil {
		t.Errorf("%v", res)
	}
	if res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{other}, Snapshot: 8}); len(res.Notices) != 0 || res.ValidUntil == nil {
		t.Errorf("the one that is served: %v", res)
	}
}
