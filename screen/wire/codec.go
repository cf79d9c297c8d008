// Package wire encodes the messages of the contract for gRPC.
//
// It is Protocol Buffers with one difference. A proto3 string must be valid
// UTF-8, and a standard decoder refuses the whole message when one string is
// not. An exchange's batch must not fail because one of ten thousand customers
// typed bytes that are no text, so ScreenAddressesRequest.addresses passes
// whatever bytes it holds, and each is answered for itself. What standard
// encoders write is read and written alike.
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

// The number of ScreenAddressesRequest.addresses.
const addressesField = 1

func standard() encoding.CodecV2 { return encoding.GetCodecV2("proto") }

// Name returns the content-subtype, that of the standard codec.
func (Codec) Name() string { return "proto" }

// Marshal encodes a message.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	req, ok := v.(*pb.ScreenAddressesRequest)
	if !ok || !slices.ContainsFunc(req.GetAddresses(), func(a string) bool { return !utf8.ValidString(a) }) {
		return standard().Marshal(v)
	}
	rest := proto.Clone(&pb.ScreenAddressesRequest{
		Network: req.Network, ListIds: req.ListIds, AsOf: req.AsOf, MinSnapshot: req.MinSnapshot, Snapshot: req.Snapshot,
		MaxListAge: req.MaxListAge, RequestId: req.RequestId, Receipt: req.Receipt,
	})
	rest.ProtoReflect().SetUnknown(req.ProtoReflect().GetUnknown())
	var buf []byte
	for _, a := range req.Addresses {
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
	req, ok := v.(*pb.ScreenAddressesRequest)
	if !ok {
		return standard().Unmarshal(data, v)
	}
	var addresses []string
	buf, rest := data.Materialize(), []byte(nil)
	for at := 0; at < len(buf); {
		field, wireType, n := protowire.ConsumeTag(buf[at:])
		if n < 0 {
			return fmt.Errorf("decoding request: %w", protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(field, wireType, buf[at+n:])
		if m < 0 {
			return fmt.Errorf("decoding request: %w", protowire.ParseError(m))
		}
		if field == addressesField && wireType == protowire.BytesType {
			text, _ := protowire.ConsumeBytes(buf[at+n:])
			addresses = append(addresses, unsafe.String(unsafe.SliceData(text), len(text)))
		} else {
			rest = append(rest, buf[at:at+n+m]...)
		}
		at += n + m
	}
	if err := proto.Unmarshal(rest, req); err != nil {
		return err
	}
	req.Addresses = addresses
	return nil
}
