package server

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/signing"
)

// export reads an export to its end.
func (in *installation) export(t testing.TB, sequence uint64) (pieces [][]byte, head *pb.ExportSnapshotResponse, err error) {
	t.Helper()
	stream, err := in.lists.ExportSnapshot(within(t), &pb.ExportSnapshotRequest{Snapshot: sequence})
	if err != nil {
		t.Fatal(err)
	}
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return pieces, head, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if (res.Snapshot != nil) != (pieces == nil) {
			t.Errorf("message %d names snapshot %v", len(pieces), res.Snapshot)
		}
		if head == nil {
			head = res
		} else if len(res.SignedStatement)+len(res.Signature)+len(res.SignatureKeyId) > 0 {
			t.Errorf("message %d is signed again", len(pieces))
		}
		pieces = append(pieces, res.Data)
	}
}

// large is a snapshot of 2.5 MiB and more.
func large(t testing.TB, text string) *screen.Snapshot {
	t.Helper()
	p := party("1")
	for i := range 100 {
		p.Addresses = append(p.Addresses, screen.PublishedAddress{Text: fmt.Sprintf("%s %d", text, i), Comment: strings.Repeat("x", 26_000)})
	}
	return merged(t, screen.Empty(), sdn, 20251104, text, p)
}

// TestExportSnapshot: every sentence about it in the contract.
func TestExportSnapshot(t *testing.T) {
	six, seven := large(t, "six").Named(6, noon), published(t)
	kept := archiveOf(six)
	in := install(t, Config{Archive: kept})
	_, _, err := in.export(t, 0)
	wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_NOT_READY, time.Second, nil)
	served := signing.Signed{Statement: "served", Signature: "its signature", KeyID: "k"}
	in.server.Swap(State{Snapshot: seven, Signed: served})

	for _, test := range []struct {
		name   string
		number uint64
		want   *screen.Snapshot
		pieces int
		signed signing.Signed
	}{
		{"0 means the one served now", 0, seven, 1, served},
		{"the one served now by its number", 7, seven, 1, served},
		{"a kept one in pieces", 6, six, 3, signatureOf(6)},
	} {
		t.Run(test.name, func(t *testing.T) {
			pieces, head, err := in.export(t, test.number)
			if err != nil {
				t.Fatal(err)
			}
			ref := head.GetSnapshot()
			if got := (signing.Signed{Statement: string(head.SignedStatement), Signature: string(head.Signature), KeyID: head.SignatureKeyId}); got != test.signed {
				t.Errorf("signed %v, want %v", got, test.signed)
			}
			for i, piece := range pieces {
				if len(piece) == 0 || len(piece) > 1<<20 {
					t.Errorf("piece %d has %d bytes", i, len(piece))
				}
			}
			all := bytes.Join(pieces, nil)
			if got := fmt.Sprintf("%x", sha256.Sum256(all)); got != ref.GetDigest() || got != test.want.Digest().String() {
				t.Errorf("SHA-256 %s, the digest is %s", got, ref.GetDigest())
			}
			if !bytes.Equal(all, test.want.Encoding()) || len(pieces) != test.pieces || ref.GetSequence() != test.want.Sequence || !ref.GetCreatedAt().AsTime().Equal(test.want.CreatedAt) {
				t.Errorf("%d bytes in %d pieces of %v", len(all), len(pieces), ref)
			}
		})
	}
	t.Run("SNAPSHOT_NOT_HELD", func(t *testing.T) {
		_, _, err := in.export(t, 5)
		wantFailure(t, err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, 0, map[string]string{"sequence": "7", "snapshot": "5"})
	})
	t.Run("SNAPSHOT_UNREADABLE", func(t *testing.T) {
		kept.fail(errors.New("down"))
		_, _, err := in.export(t, 4)
		wantFailure(t, err, codes.Unavailable, pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE, 2*time.Second, map[string]string{"snapshot": "4"})
	})
	t.Run("one that is yet to come is waited for", func(t *testing.T) {
		done := make(chan error, 1)
		go func() {
			_, head, err := in.export(t, 8)
			done <- errors.Join(err, unless(head.GetSnapshot().GetSequence() == 8))
		}()
		in.server.Swap(State{Snapshot: seven.Named(8, noon)})
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func unless(ok bool) error {
	if ok {
		return nil
	}
	return errors.New("not so")
}

// TestExportToASlowConsumer: one that does not take a message is cut off, and one
// that reads on while the server drains has all.
func TestExportToASlowConsumer(t *testing.T) {
	in := install(t, Config{})
	in.server.patience = 50 * time.Millisecond
	in.server.Swap(State{Snapshot: large(t, "large").Named(7, noon)})
	stream, err := in.lists.ExportSnapshot(within(t), &pb.ExportSnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the stream is cut off", func() bool { return count(t, in.server.watched.cut) == 1 })
	for err == nil {
		_, err = stream.Recv()
	}
	wantFailure(t, err, codes.ResourceExhausted, pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER, time.Second, nil)
	in = install(t, Config{})
	in.server.Swap(State{Snapshot: large(t, "large").Named(7, noon)})
	in.server.Drain()
	in.server.EndStreams()
	if pieces, _, err := in.export(t, 0); err != nil || len(pieces) != 3 {
		t.Errorf("while the server drains: %d pieces, %v", len(pieces), err)
	}
}
