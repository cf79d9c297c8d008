// Package wire encodes the messages of the contract for gRPC.
//
// It is Protocol Buffers with one difference. A proto3 string must be valid
// UTF-8, and a standard decoder refuses the whole message when one string is
// not. An exchange's batch must not fail because one of ten thousand customers
// typed bytes that are no text, so ScreenAddressesRequest.addresses passes
// whatever bytes it holds, and each is answered for itself. So does
// GetAddressHistoryRequest.address. What standard encoders write is read and
// written alike.
package wire

import (
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the standard codec
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
)

// Codec is the codec for grpc.ForceServerCodecV2 and grpc.ForceCodecV2. It has
// no state.
type Codec struct{}

// The number of ScreenAddressesRequest.addresses and GetAddressHistoryRequest.address.
const addressesField = 1

// Encoded is a message that is encoded already, in parts that follow each other.
// Marshal returns them as they are, so that one encoding serves many streams; they
// are not changed.
type Encoded [][]byte

func standard() encoding.CodecV2 { return encoding.GetCodecV2("proto") }

// Name returns the content-subtype, that of the standard codec.
func (Codec) Name() string { return "proto" }

// Marshal encodes a message.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	var addresses []string
	switch v := v.(type) {
	case Encoded:
		out := make(mem.BufferSlice, len(v))
		for i, part := range v {
			out[i] = mem.SliceBuffer(part)
		}
		return out, nil
	case *pb.ScreenAddressesRequest:
		addresses = v.GetAddresses()
	case *pb.GetAddressHistoryRequest:
		addresses = []string{v.GetAddress()}
	}
	if !slices.ContainsFunc(addresses, func(a string) bool { return !utf8.ValidString(a) }) {
		return standard().Marshal(v)
	}
	var rest proto.Message
	switch v := v.(type) {
	case *pb.ScreenAddressesRequest:
		rest = &pb.ScreenAddressesRequest{
			Network: v.Network, ListIds: v.ListIds, AsOf: v.AsOf, MinSnapshot: v.MinSnapshot, Snapshot: v.Snapshot,
			MaxListAge: v.MaxListAge, RequestId: v.RequestId, Receipt: v.Receipt,
		}
		rest.ProtoReflect().SetUnknown(v.ProtoReflect().GetUnknown())
	case *pb.GetAddressHistoryRequest:
		rest = &pb.GetAddressHistoryRequest{ListIds: v.ListIds, Network: v.Network}
		rest.ProtoReflect().SetUnknown(v.ProtoReflect().GetUnknown())
	}
	var buf []byte
	for _, a := range addresses {
		buf = protowire.AppendTag(buf, addressesField, protowire.BytesType)
		buf = protowire.AppendString(buf, a)
	}
	buf, err := proto.MarshalOptions{}.MarshalAppend(buf, rest)
	if err != nil {
		return nil, err
	}
	return mem.BufferSlice{mem.SliceBuffer(buf)}, nil
}

// Unmarshal decodes a message. The addresses of a request share one copy of the
// message's bytes.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch req := v.(type) {
	case *pb.ScreenAddressesRequest:
		addresses, err := unmarshal(data, req)
		if err == nil {
			req.Addresses = addresses
		}
		return err
	case *pb.GetAddressHistoryRequest:
		addresses, err := unmarshal(data, req)
		if err == nil && len(addresses) > 0 {
			req.Address = addresses[len(addresses)-1] // of a field that is there twice the last counts
		}
		return err
	default:
		return standard().Unmarshal(data, v)
	}
}

// unmarshal decodes all of a request but its addresses, and returns these.
func unmarshal(data mem.BufferSlice, req proto.Message) ([]string, error) {
	var addresses []string
	buf, rest := data.Materialize(), []byte(nil)
	for at := 0; at < len(buf); {
		field, wireType, n := protowire.ConsumeTag(buf[at:])
		if n < 0 {
			return nil, fmt.Errorf("decoding request: %w", protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(field, wireType, buf[at+n:])
		if m < 0 {
			return nil, fmt.Errorf("decoding request: %w", protowire.ParseError(m))
		}
		if field == addressesField && wireType == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(buf[at+n:])
			addresses = append(addresses, unsafe.String(unsafe.SliceData(text), len(text)))
		} else {
			rest = append(rest, buf[at:at+n+m]...)
		}
		at += n + m
	}
	return addresses, proto.Unmarshal(rest, req)
}
