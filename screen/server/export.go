package server

import (
	"google.golang.org/grpc"

	pb "walletscreen/proto/walletscreen/v1"
)

// pieceSize is the size of the pieces of an export, in bytes.
const pieceSize = 1 << 20

// ExportSnapshot answers as the contract says. The encoding is that of the
// snapshot in memory; of a piece at a time there is a copy.
func (s *Server) ExportSnapshot(req *pb.ExportSnapshotRequest, stream grpc.ServerStreamingServer[pb.ExportSnapshotResponse]) error {
	sv := s.current.Load()
	if sv == nil {
		return notReady()
	}
	snapshot, signed, ref := sv.Snapshot, sv.Signed, sv.ref
	if req.Snapshot != 0 {
		sv, h, err := s.exact(stream.Context(), req.Snapshot)
		switch {
		case err != nil:
			return err
		case h != nil:
			snapshot, signed, ref = h.snapshot, h.signed, h.ref
		default:
			snapshot, signed, ref = sv.Snapshot, sv.Signed, sv.ref
		}
	}
	// An export that has begun is finished while the server drains.
	out := s.newOutbox(stream, nil)
	head := &pb.ExportSnapshotResponse{Snapshot: ref}
	head.SignedStatement, head.Signature, head.SignatureKeyId = signature(signed)
	for rest, message := snapshot.Encoding(), head; len(rest) > 0; message = new(pb.ExportSnapshotResponse) {
		message.Data = rest[:min(pieceSize, len(rest))]
		rest = rest[len(message.Data):]
		if err := out.put(message); err != nil {
			return err
		}
	}
	return out.finish()
}
