package wire_test

import (
	"bytes"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/wire"
)

func marshal(t interface{ Fatal(...any) }, m proto.Message) []byte {
	data, err := wire.Codec{}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data.Materialize()
}

// unmarshal decodes from two buffers and spoils them afterwards, as a transport
// may that uses them again.
func unmarshal(data []byte) (*pb.ScreenAddressesRequest, error) {
	a, b := slices.Clone(data[:len(data)/2]), slices.Clone(data[len(data)/2:])
	req := &pb.ScreenAddressesRequest{Addresses: []string{"left from before"}, AsOf: "left from before"}
	err := wire.Codec{}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(a), mem.SliceBuffer(b)}, req)
	clear(a)
	clear(b)
	return req, err
}

// requests draws requests whose texts come from text.
func requests(text, addresses *rapid.Generator[string]) *rapid.Generator[*pb.ScreenAddressesRequest] {
	return rapid.Custom(func(t *rapid.T) *pb.ScreenAddressesRequest {
		req := &pb.ScreenAddressesRequest{
			Addresses:   rapid.SliceOf(addresses).Draw(t, "addresses"),
			Network:     text.Draw(t, "network"),
			ListIds:     rapid.SliceOf(text).Draw(t, "list ids"),
			AsOf:        text.Draw(t, "as of"),
			MinSnapshot: rapid.Uint64().Draw(t, "min snapshot"),
			Snapshot:    rapid.Uint64().Draw(t, "snapshot"),
			RequestId:   text.Draw(t, "request id"),
			Receipt:     rapid.Bool().Draw(t, "receipt"),
		}
		if rapid.Bool().Draw(t, "with an age") {
			req.MaxListAge = &durationpb.Duration{Seconds: rapid.Int64().Draw(t, "seconds"), Nanos: rapid.Int32().Draw(t, "nanos")}
		}
		if rapid.Bool().Draw(t, "with a field of another version") {
			unknown := protowire.AppendTag(nil, 4711, protowire.BytesType)
			req.ProtoReflect().SetUnknown(protowire.AppendString(unknown, rapid.String().Draw(t, "unknown")))
		}
		return req
	})
}

// anyBytes draws texts that are not UTF-8, most of them.
var anyBytes = rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })

func TestValidMessagesAsTheStandardCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := requests(rapid.String(), rapid.String()).Draw(t, "request")
		var standard pb.ScreenAddressesRequest
		if err := proto.Unmarshal(marshal(t, req), &standard); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(req, &standard, protocmp.Transform()); diff != "" {
			t.Errorf("the standard decoder reads something else (-want +got):\n%s", diff)
		}
		data, err := proto.Marshal(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unmarshal(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(req, got, protocmp.Transform()); diff != "" {
			t.Errorf("what the standard encoder wrote (-want +got):\n%s", diff)
		}
	})
}

func TestAddressesOfAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := requests(rapid.String(), anyBytes).Draw(t, "request")
		got, err := unmarshal(marshal(t, req))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Addresses, req.Addresses) {
			t.Errorf("addresses %q, want %q", got.Addresses, req.Addresses)
		}
		if !proto.Equal(got, req) {
			t.Errorf("got %v, want %v", got, req)
		}
	})
}

// TestEveryField fails when the contract gains a field that Marshal forgets.
func TestEveryField(t *testing.T) {
	req := &pb.ScreenAddressesRequest{}
	m := req.ProtoReflect()
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		value := func() protoreflect.Value {
			switch f.Kind() {
			case protoreflect.StringKind:
				return protoreflect.ValueOfString("a" + string(f.Name()))
			case protoreflect.BytesKind:
				return protoreflect.ValueOfBytes([]byte(f.Name()))
			case protoreflect.Uint64Kind:
				return protoreflect.ValueOfUint64(uint64(f.Number()))
			case protoreflect.BoolKind:
				return protoreflect.ValueOfBool(true)
			case protoreflect.MessageKind:
				sub := m.NewField(f).Message()
				sub.Set(sub.Descriptor().Fields().Get(0), protoreflect.ValueOfInt64(7))
				return protoreflect.ValueOfMessage(sub)
			}
			t.Fatalf("field %s is of kind %s: teach this test to set it", f.Name(), f.Kind())
			return protoreflect.Value{}
		}
		if f.IsList() {
			m.Mutable(f).List().Append(value())
		} else {
			m.Set(f, value())
		}
	}
	m.SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 4711, protowire.VarintType), 1))
	for _, address := range []string{"valid", "not \xff valid"} {
		req.Addresses = []string{address}
		got, err := unmarshal(marshal(t, req))
		if err != nil {
			t.Fatal(err)
		}
		for i := range fields.Len() {
			if f := fields.Get(i); !got.ProtoReflect().Has(f) {
				t.Errorf("address %q: field %s is lost", address, f.Name())
			}
		}
		if !proto.Equal(got, req) {
			t.Errorf("address %q: got %v, want %v", address, got, req)
		}
	}
}

func TestOnlyAddressesMayBeAnyBytes(t *testing.T) {
	const bad = "\xff"
	for name, req := range map[string]*pb.ScreenAddressesRequest{
		"network":    {Addresses: []string{bad}, Network: bad},
		"list_ids":   {Addresses: []string{bad}, ListIds: []string{bad}},
		"as_of":      {Addresses: []string{bad}, AsOf: bad},
		"request_id": {Addresses: []string{bad}, RequestId: bad},
	} {
		if _, err := (wire.Codec{}).Marshal(req); err == nil {
			t.Errorf("%s that is not UTF-8 is written", name)
		}
	}
	for _, field := range []protowire.Number{2, 3, 4, 8} {
		data := protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), bad)
		if _, err := unmarshal(data); err == nil {
			t.Errorf("field %d that is not UTF-8 is read", field)
		}
	}
}

func TestOtherMessages(t *testing.T) {
	codec := wire.Codec{}
	want := &pb.ScreenAddressesResponse{Results: []*pb.ScreenResult{{Verdict: pb.Verdict_VERDICT_NOT_LISTED}}, RequestId: "x"}
	data, err := codec.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got pb.ScreenAddressesResponse
	if err := codec.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := codec.Marshal("no message"); err == nil {
		t.Error("what is no message is written")
	}
	if err := codec.Unmarshal(data, new(string)); err == nil {
		t.Error("something that is no message is read")
	}
	if got := codec.Name(); got != "proto" {
		t.Errorf("name %q, want that of the standard codec", got)
	}
}

// TestHistoryOfAnyBytes: the address of a GetAddressHistoryRequest may be any bytes,
// its other fields may not.
func TestHistoryOfAnyBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		req := &pb.GetAddressHistoryRequest{
			Address: rapid.OneOf(anyBytes, rapid.String()).Draw(t, "address"), Network: rapid.String().Draw(t, "network"), ListIds: rapid.SliceOf(rapid.String()).Draw(t, "list ids"),
		}
		if rapid.Bool().Draw(t, "with a field of another version") {
			req.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 4711, protowire.VarintType), 1))
		}
		data := marshal(t, req)
		got := &pb.GetAddressHistoryRequest{Address: "left from before", Network: "left from before"}
		if err := (wire.Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, got); err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got, req) {
			t.Errorf("got %v, want %v", got, req)
		}
		var standard pb.GetAddressHistoryRequest
		if err := proto.Unmarshal(data, &standard); (err == nil) != utf8.ValidString(req.Address) {
			t.Errorf("%q: the standard decoder: %v", req.Address, err)
		}
	})
	twice := append(marshal(t, &pb.GetAddressHistoryRequest{Address: "a"}), marshal(t, &pb.GetAddressHistoryRequest{Address: "b"})...)
	var got pb.GetAddressHistoryRequest
	if err := (wire.Codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(twice)}, &got); err != nil || got.Address != "b" {
		t.Errorf("an address that is there twice is %q, %v", got.Address, err)
	}
	if _, err := (wire.Codec{}).Marshal(&pb.GetAddressHistoryRequest{Address: "\xff", Network: "\xff"}); err == nil {
		t.Error("a network that is not UTF-8 is written")
	}
	if fields := got.ProtoReflect().Descriptor().Fields().Len(); fields != 3 {
		t.Errorf("the message has %d fields: Marshal must know them all", fields)
	}
}

// TestEncoded: what is encoded already is written as it is, in parts.
func TestEncoded(t *testing.T) {
	want := &pb.WatchChangesResponse{Snapshot: &pb.SnapshotRef{Sequence: 7}, Last: true}
	parts := wire.Encoded{marshal(t, &pb.WatchChangesResponse{Snapshot: want.Snapshot}), marshal(t, &pb.WatchChangesResponse{Last: true})}
	data, err := (wire.Codec{}).Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	var got pb.WatchChangesResponse
	if err := (wire.Codec{}).Unmarshal(data, &got); err != nil || !proto.Equal(want, &got) {
		t.Errorf("got %v, %v, want %v", &got, err, want)
	}
}

// lenient is the request with addresses as bytes: what the standard decoder
// makes of it is what this package must.
var lenient = func() protoreflect.MessageDescriptor {
	file := protodesc.ToFileDescriptorProto(pb.File_walletscreen_v1_walletscreen_proto)
	for _, m := range file.MessageType {
		if m.GetName() == "ScreenAddressesRequest" {
			m.Field[0].Type = descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum()
		}
	}
	descriptor, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
	if err != nil {
		panic(err)
	}
	return descriptor.Messages().ByName("ScreenAddressesRequest")
}()

func FuzzUnmarshal(f *testing.F) {
	add := func(req *pb.ScreenAddressesRequest) { f.Add(marshal(f, req)) }
	add(&pb.ScreenAddressesRequest{})
	add(&pb.ScreenAddressesRequest{
		Addresses: []string{"0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "", "\xff"}, Network: "eip155:1", ListIds: []string{"us-ofac-sdn"}, AsOf: "2025-11-04",
		MinSnapshot: 7, Snapshot: 8, MaxListAge: durationpb.New(90), RequestId: "id", Receipt: true,
	})
	f.Add([]byte{0x08, 0x01})                         // addresses of another wire type
	f.Add([]byte{0x0b, 0x0a, 0x01, 'x', 0x0c})        // a group, with a field 1 of its own
	f.Add([]byte{0x0c})                               // the end of no group
	f.Add([]byte{0x0a, 0x05, 'x'})                    // cut off
	f.Add([]byte{0x02, 0x00})                         // field 0
	f.Add([]byte{0x8a, 0x00, 0x01, 'x'})              // field 1 with a tag longer than need be
	f.Add([]byte{0xfa, 0xff, 0xff, 0xff, 0x7f, 0x00}) // a field number over the highest
	f.Add([]byte{0x3a, 0x02, 0x08, 0x01, 0x3a, 0x02, 0x10, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := unmarshal(data)
		want := dynamicpb.NewMessage(lenient)
		if wantErr := proto.Unmarshal(data, want); (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, the standard decoder with addresses as bytes: %v", err, wantErr)
		}
		var standard pb.ScreenAddressesRequest
		if standardErr := proto.Unmarshal(data, &standard); standardErr == nil {
			if err != nil {
				t.Fatalf("error %v, the standard decoder has none", err)
			}
			if !proto.Equal(got, &standard) {
				t.Fatalf("got %v, the standard decoder %v", got, &standard)
			}
		} else if err == nil && !slices.ContainsFunc(got.Addresses, func(a string) bool { return !utf8.ValidString(a) }) {
			t.Fatalf("read, though every address is UTF-8 and the standard decoder has error %v", standardErr)
		}
		if err != nil {
			return
		}
		field := lenient.Fields().ByNumber(1)
		addresses := want.Get(field).List()
		if len(got.Addresses) != addresses.Len() {
			t.Fatalf("%d addresses, want %d", len(got.Addresses), addresses.Len())
		}
		for i, a := range got.Addresses {
			if a != string(addresses.Get(i).Bytes()) {
				t.Errorf("address %d is %q, want %q", i, a, addresses.Get(i).Bytes())
			}
		}
		again, err := unmarshal(marshal(t, got))
		if err != nil || !proto.Equal(again, got) {
			t.Errorf("after another round: %v, %v", again, err)
		}
		// Unknown fields are left out: the two decoders keep a tag that is longer than
		// need be in different ways.
		var rest pb.ScreenAddressesRequest
		known := proto.UnmarshalOptions{DiscardUnknown: true}
		got.Addresses = nil
		if err := known.Unmarshal(marshal(t, got), &rest); err != nil {
			t.Fatal(err)
		}
		if err := known.Unmarshal(data, want); err != nil {
			t.Fatal(err)
		}
		want.Clear(field)
		if !bytes.Equal(deterministic(t, &rest), deterministic(t, want)) {
			t.Errorf("beside the addresses: got %v, want %v", &rest, want)
		}
	})
}

func deterministic(t *testing.T, m proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func BenchmarkUnmarshal(b *testing.B) {
	req := &pb.ScreenAddressesRequest{}
	for range 1000 {
		req.Addresses = append(req.Addresses, "0x098B716B8Aaf21512996dC57EB0615e2383E2f96")
	}
	data := mem.BufferSlice{mem.SliceBuffer(marshal(b, req))}
	b.ReportAllocs()
	for b.Loop() {
		var got pb.ScreenAddressesRequest
		if err := (wire.Codec{}).Unmarshal(data, &got); err != nil {
			b.Fatal(err)
		}
	}
}
