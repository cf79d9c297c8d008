package server

import (
	"testing"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/signing"
)

// A client gets what it needs to verify the snapshot for itself.
func TestSignatureIsReturned(t *testing.T) {
	in := install(t, Config{})
	s := published(t)
	key, err := signing.Generate()
	if err != nil {
		t.Fatal(err)
	}
	get := func(state State) *pb.GetSnapshotResponse {
		t.Helper()
		in.server.Swap(state)
		res, err := in.lists.GetSnapshot(t.Context(), &pb.GetSnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	statement := signing.Snapshot{Namespace: "default", Sequence: s.Sequence, Digest: s.Digest(), CreatedAt: s.CreatedAt}.Statement()
	res := get(State{Snapshot: s, Signed: key.Sign(statement)})
	got := signing.Signed{Statement: string(res.SignedStatement), Signature: string(res.Signature), KeyID: res.SignatureKeyId}
	if err := (signing.Keys{key.Public()}).VerifySnapshot(got, "default", res.Snapshot.Sequence, s.Digest(), res.Snapshot.CreatedAt.AsTime()); err != nil {
		t.Error(err)
	}
	if res := get(State{Snapshot: s}); len(res.SignedStatement)+len(res.Signature)+len(res.SignatureKeyId) > 0 {
		t.Errorf("not signed, and answered %v", res)
	}
	// What stands in Redis may be anything if nobody verifies it.
	if res := get(State{Snapshot: s, Signed: signing.Signed{Statement: "\xff", Signature: "\xff", KeyID: "\xff"}}); res.SignatureKeyId != "?" {
		t.Errorf("key id %q", res.SignatureKeyId)
	}
}
