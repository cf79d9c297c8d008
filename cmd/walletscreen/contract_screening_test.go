package main_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/store"
	"walletscreen/screen/store/storetest"
	"walletscreen/screen/wire"
)

// screeningClauses hold the rules that hold everywhere, ScreeningService, and its
// messages but what they carry of a match.
var screeningClauses = slices.Concat(packageClauses, serviceClauses, requestClauses, responseClauses)

// What the lists of others hold that world serves.
const (
	loadedBitcoin = "1BitcoinEaterAddressDontSendf59kuE"         // of party 101 of loaded's us-ofac-sdn, twice
	loadedEther   = "0x000000000000000000000000000000000000dEaD" // of its parties 101 and 102
	lazarusUID    = "27307"                                      // the party of listedAddress on the builtin list
	notLoaded     = "eu-fsf"                                     // a list that no server of world has
)

type (
	request  = pb.ScreenAddressesRequest
	response = pb.ScreenAddressesResponse
)

const (
	verdictListed       = pb.Verdict_VERDICT_LISTED
	verdictAdvisory     = pb.Verdict_VERDICT_ADVISORY
	verdictRelated      = pb.Verdict_VERDICT_RELATED
	verdictCannotScreen = pb.Verdict_VERDICT_CANNOT_SCREEN
	verdictNotListed    = pb.Verdict_VERDICT_NOT_LISTED
)

var packageClauses = []clause{
	{
		element: "walletscreen.v1",
		says: []string{
			"Package walletscreen.v1 is the contract of walletscreen: is this digital currency address on a public sanctions list, on whose, under which entry, as published when, and can that answer be proved years later?",
			"Rules that hold everywhere in this package:", "Beside the errors that are named at each method, calls end with these:", "And with these, which carry no ErrorInfo:",
		},
		meaning: "what the package is for, and headings",
	},
	{
		element: "walletscreen.v1",
		says: []string{
			`The zero value of every enum means "unspecified".`,
			"Of Reason and PartyType it says that there is none to tell; of all others it is never sent by a server in an answer.",
		},
		holds: zeroValues,
	},
	{
		element:   "walletscreen.v1",
		says:      []string{`A client that reads a value it does not know, or the zero value of another enum than these two, must treat it like VERDICT_CANNOT_SCREEN: newer servers may add values, and none that is added will mean "go ahead".`},
		elsewhere: "screen/client.TestEveryVerdictAndReason",
	},
	{element: "walletscreen.v1", says: []string{"Only VERDICT_NOT_LISTED means that nothing was found."}, holds: onlyNotListed},
	{
		element:   "walletscreen.v1",
		says:      []string{"An error status, an empty message, a missing result or a time-out mean that nothing is known."},
		elsewhere: "screen/client.TestEveryResponse",
	},
	{
		element: "walletscreen.v1",
		says:    []string{"Not listed is not clearance: publishers say themselves that their lists of addresses are not exhaustive."},
		meaning: "advice to clients",
	},
	{
		element: "walletscreen.v1",
		says: []string{
			`Dates are calendar dates as publishers print them, ISO 8601 ("2025-11-04"), without time of day or zone; "" means not known.`,
			"Instants are Timestamps.", "Digests are SHA-256, in lower-case hex.",
		},
		holds: datesAndDigests,
	},
	{element: "walletscreen.v1", says: []string{"Unknown fields are ignored by servers, as Protocol Buffers have it."}, holds: unknownFields},
	{
		element: "walletscreen.v1",
		says:    []string{"Field numbers are never used again; removed ones are reserved."},
		meaning: "about versions of the contract, which buf breaking compares in CI",
	},
	{
		element: "walletscreen.v1",
		says: []string{
			`Errors carry a google.rpc.ErrorInfo with domain "walletscreen" and one of the names of ErrorReason without its prefix as the reason ("TOO_MANY_ADDRESSES"), and a google.rpc.RetryInfo where trying again can help.`,
			"They never quote an address.",
		},
		holds: errorsSayWhy,
	},
	{
		element: "walletscreen.v1",
		says:    []string{"UNAUTHENTICATED and PERMISSION_DENIED, with the reason of the same name, where the server is told who may call."},
		holds:   credentialsAndPermissions,
	},
	{element: "walletscreen.v1", says: []string{"A stream ends so, too, when its caller may no longer make it."}, holds: revokedStreams},
	{
		element: "walletscreen.v1",
		says:    []string{"RESOURCE_EXHAUSTED: QUOTA_EXCEEDED, where the caller has a quota, by ScreenAddresses, ScreenAddressStream and GetAddressHistory."},
		holds:   quotas,
	},
	{
		element:   "walletscreen.v1",
		says:      []string{"RESOURCE_EXHAUSTED: SLOW_CONSUMER, while too many responses wait to be read on the connection."},
		elsewhere: "screen/server.TestResponsesThatWait",
	},
	{element: "walletscreen.v1", says: []string{"UNAVAILABLE: OVERLOADED."}, holds: overloaded},
	{element: "walletscreen.v1", says: []string{"INTERNAL: INTERNAL."}, elsewhere: "screen/server.TestPanic"},
	{
		element: "walletscreen.v1",
		says:    []string{"DEADLINE_EXCEEDED, when the client's deadline passes, when a call with one request and one response takes longer than the server allows (30 seconds, unless its operator says otherwise), or when ScreenAddressStream goes without a request for longer than it allows (10 minutes)."},
		holds:   deadlines,
	},
	{
		element: "walletscreen.v1",
		says: []string{
			"RESOURCE_EXHAUSTED, for a request of more than 8 MiB.",
			"INTERNAL, for a request that cannot be decoded, such as one with text other than UTF-8 in a field that does not say that it may hold any.",
			"UNIMPLEMENTED, for a method that the server does not have.",
			"UNAVAILABLE, when no server is reached or the connection breaks, and CANCELLED, when the client gives the call up: the client's own gRPC says these.",
		},
		holds: errorsOfGRPC,
	},
}

// manyAnswers are many answers of every kind that the servers of world give.
func manyAnswers(t testing.TB, w *world) []proto.Message {
	t.Helper()
	var all []proto.Message
	texts := slices.Concat(contractAddresses, strangeTexts)
	for _, s := range []*answering{w.builtin(), w.loaded(), w.stale(), w.held()} {
		for _, req := range []*request{{}, {Network: "tron:0x2b6653dc"}, {AsOf: "2024-03-01"}, {Snapshot: 1}, {ListIds: []string{"house", notLoaded}}} {
			req.Addresses = texts
			all = append(all, s.screen(t, req))
		}
		snapshot, err := s.GetSnapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, snapshot)
		for _, text := range contractAddresses {
			history, err := s.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: text})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, history)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		watch, err := s.WatchChanges(ctx, &pb.WatchChangesRequest{FromSnapshot: 1})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := watch.Recv()
		if err != nil {
			t.Fatal(err)
		}
		export, err := s.ExportSnapshot(ctx, 0, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, changes, export)
	}
	return all
}

// contractAddresses are those of which loaded, held and builtin know something, and
// one of which they do not.
var contractAddresses = []string{
	standingAddress, leavingAddress, returningAddress, arrivingAddress, advisedAddress, designatedAddress, seizedAddress, boundedAddress, comingAddress, deskAddress,
	unlistedAddress, taggedAddress, bitcoinAddress, unreadableText, bothAddress, attributedText, datedAddress, heldAddress, misprintedText, ambiguousAddress, loadedBitcoin, loadedEther, listedAddress,
}

// strangeTexts are what no address is, and what may break what reads it.
var strangeTexts = []string{
	"", " ", "\t\r\n", "\x00", "\x00\x00" + standingAddress, standingAddress + "\x00", "\xff\xfe", "a\xffb", strings.Repeat("\xff", 600), "0x", "0", "-1", "18446744073709551616",
	"null", `{"addresses": ["x"]}`, "'; DROP TABLE listings; --", "../../etc/passwd", "%s%n%x", "é", "адрес", "住所", "\U0001f600", "\u202e" + standingAddress, "\ufeff",
	strings.Repeat("x", 512), strings.Repeat("x", 513), strings.Repeat("1", 100_000), standingAddress + " " + deskAddress, standingAddress[:41], standingAddress + "0",
}

// eachField visits every field that is set in a message and those in it.
func eachField(m protoreflect.Message, visit func(protoreflect.FieldDescriptor, protoreflect.Value)) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		values := []protoreflect.Value{v}
		if fd.IsList() {
			values = nil
			for i := range v.List().Len() {
				values = append(values, v.List().Get(i))
			}
		}
		for _, v := range values {
			visit(fd, v)
			if fd.Kind() == protoreflect.MessageKind {
				eachField(v.Message(), visit)
			}
		}
		return true
	})
}

func zeroValues(t *testing.T, w *world) {
	enums := pb.File_walletscreen_v1_walletscreen_proto.Enums()
	for i := range enums.Len() {
		zero := enums.Get(i).Values().ByNumber(0)
		if zero == nil || !strings.HasSuffix(string(zero.Name()), "_UNSPECIFIED") {
			t.Errorf("the zero value of %s is %v", enums.Get(i).Name(), zero)
		}
	}
	// Of a field that is not set the value is zero, so that those must be looked for
	// that are to be set: in messages that have them, not in all.
	must := map[protoreflect.FullName]string{
		"walletscreen.v1.ScreenResult": "verdict", "walletscreen.v1.Match": "basis", "walletscreen.v1.Listing": "kind", "walletscreen.v1.Notice": "code",
		"walletscreen.v1.ListStatus": "kind", "walletscreen.v1.ListingChange": "type",
	}
	seen := map[protoreflect.FullName]int{}
	for _, answer := range w.answers() {
		eachField(answer.ProtoReflect(), func(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
			if fd.Kind() == protoreflect.EnumKind {
				if v.Enum() == 0 || fd.Enum().Values().ByNumber(v.Enum()) == nil {
					t.Errorf("%s is %d", fd.FullName(), v.Enum())
				}
				seen[fd.Enum().FullName()]++
			}
			if fd.Kind() == protoreflect.MessageKind {
				m := v.Message()
				if name, ok := must[m.Descriptor().FullName()]; ok && m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name))).Enum() == 0 {
					t.Errorf("%s is not set in %v", name, v)
				}
			}
		})
	}
	for i := range enums.Len() {
		if name := enums.Get(i).FullName(); seen[name] == 0 && name != "walletscreen.v1.ErrorReason" {
			t.Errorf("no answer has a value of %s", name)
		}
	}
}

func onlyNotListed(t *testing.T, w *world) {
	seen := map[pb.Verdict]int{}
	for _, answer := range w.answers() {
		res, ok := answer.(*response)
		if !ok {
			continue
		}
		for i, r := range res.Results {
			seen[r.Verdict]++
			if nothing := len(r.Matches) == 0 && r.Reason == 0; nothing != (r.Verdict == verdictNotListed) {
				t.Errorf("result %d: %v", i, r)
			}
		}
	}
	for _, v := range []pb.Verdict{verdictListed, verdictAdvisory, verdictRelated, verdictCannotScreen, verdictNotListed} {
		if seen[v] == 0 {
			t.Errorf("no answer is %s", v)
		}
	}
}

func datesAndDigests(t *testing.T, w *world) {
	date, digest := regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`), regexp.MustCompile(`^[0-9a-f]{64}$`)
	seen := map[protoreflect.Name]int{}
	for _, answer := range w.answers() {
		eachField(answer.ProtoReflect(), func(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
			seen[fd.Name()]++
			switch name := fd.Name(); name {
			case "published_on", "listed_on", "delisted_on", "entry_date", "date":
				_, err := time.Parse(time.DateOnly, v.String())
				if err != nil || !date.MatchString(v.String()) {
					t.Errorf("%s is %q", name, v)
				}
			case "sha256", "digest":
				if !digest.MatchString(v.String()) {
					t.Errorf("%s is %q", name, v)
				}
			case "created_at", "screened_at", "valid_until", "verified_at", "loaded_at", "since":
				if _, ok := v.Message().Interface().(*timestamppb.Timestamp); !ok {
					t.Errorf("%s is a %s", name, v.Message().Descriptor().FullName())
				}
			}
		})
	}
	for _, name := range []protoreflect.Name{"published_on", "listed_on", "delisted_on", "entry_date", "date", "sha256", "digest", "created_at", "screened_at", "valid_until", "verified_at", "loaded_at", "since"} {
		if seen[name] == 0 {
			t.Errorf("no answer has %s", name)
		}
	}
	// They are those of what was loaded.
	text, err := os.ReadFile("../../loader/ofac/testdata/advanced.xml")
	if err != nil {
		t.Fatal(err)
	}
	first := w.loaded().one(t, loadedBitcoin, nil).GetMatches()[0].GetListing().GetListed()
	if want := fmt.Sprintf("%x", sha256.Sum256(text)); first.GetSha256() != want || first.GetPublishedOn() != sdnDay {
		t.Errorf("listed by %v, want %s of %s", first, want, sdnDay)
	}
	served, err := w.loaded().GetSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := w.loaded().ExportSnapshot(t.Context(), 0, sum); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != served.GetSnapshot().GetDigest() {
		t.Errorf("the content has the digest %s, the snapshot %v", got, served.GetSnapshot())
	}
}

// contractMethods are all methods, with a request and the answer to be filled in.
var contractMethods = []struct {
	name       string
	permission string
	request    proto.Message
	response   func() proto.Message
}{
	{pb.ScreeningService_ScreenAddresses_FullMethodName, "screener", &request{Addresses: []string{listedAddress}}, func() proto.Message { return new(response) }},
	{pb.ScreeningService_ScreenAddressStream_FullMethodName, "screener", &request{Addresses: []string{listedAddress}}, func() proto.Message { return new(response) }},
	{pb.ListService_GetSnapshot_FullMethodName, "reader", &pb.GetSnapshotRequest{}, func() proto.Message { return new(pb.GetSnapshotResponse) }},
	{pb.ListService_GetAddressHistory_FullMethodName, "reader", &pb.GetAddressHistoryRequest{Address: listedAddress}, func() proto.Message { return new(pb.GetAddressHistoryResponse) }},
	{pb.ListService_WatchChanges_FullMethodName, "reader", &pb.WatchChangesRequest{}, func() proto.Message { return new(pb.WatchChangesResponse) }},
	{pb.ListService_ExportSnapshot_FullMethodName, "exporter", &pb.ExportSnapshotRequest{}, func() proto.Message { return new(pb.ExportSnapshotResponse) }},
}

// exchange calls any method with what need be no message, and receives the first
// answer.
func (s *answering) exchange(ctx context.Context, method string, body []byte, first proto.Message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stream, err := s.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	// An error of sending says that the stream has ended, that of receiving why.
	_ = stream.SendMsg(wire.Encoded{body})
	_ = stream.CloseSend()
	return stream.RecvMsg(first)
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func unknownFields(t *testing.T, w *world) {
	var more []byte
	more = protowire.AppendTag(more, 1000, protowire.VarintType)
	more = protowire.AppendVarint(more, 1<<63)
	more = protowire.AppendTag(more, 1001, protowire.BytesType)
	more = protowire.AppendString(more, "\xff of a newer client")
	more = protowire.AppendTag(more, 1002, protowire.Fixed64Type)
	more = protowire.AppendFixed64(more, 1)
	more = protowire.AppendTag(more, 1003, protowire.StartGroupType)
	more = protowire.AppendTag(more, 1, protowire.VarintType)
	more = protowire.AppendVarint(more, 1)
	more = protowire.AppendTag(more, 1003, protowire.EndGroupType)
	more = protowire.AppendTag(more, protowire.MaxValidNumber, protowire.Fixed32Type)
	more = protowire.AppendFixed32(more, 1)
	for _, m := range contractMethods {
		for _, body := range [][]byte{slices.Concat(encoded(t, m.request), more), slices.Concat(more, encoded(t, m.request))} {
			with, without := m.response(), m.response()
			if err := errors.Join(w.builtin().exchange(t.Context(), m.name, body, with), w.builtin().exchange(t.Context(), m.name, encoded(t, m.request), without)); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			for _, answer := range []proto.Message{with, without} { // of their own time
				switch answer := answer.(type) {
				case *response:
					answer.ScreenedAt = nil
				case *pb.GetSnapshotResponse:
					for _, l := range answer.Lists {
						l.Age = nil
					}
				}
			}
			if !proto.Equal(with, without) {
				t.Errorf("%s: with unknown fields %.600v, without %.600v", m.name, with, without)
			}
		}
	}
	// Of a field that is there twice the last counts, and of a number all of its bits.
	whole := encoded(t, &request{Addresses: []string{listedAddress}, Network: "eip155:1", AsOf: "2026-01-01", RequestId: "a", Snapshot: 1})
	for _, test := range []struct {
		name        string
		first, last []byte
		reason      string // "" for none
	}{
		{"right after wrong", encoded(t, &request{Network: "x", AsOf: "x", RequestId: "\n", Snapshot: 99, MinSnapshot: 0, Receipt: false}), whole, ""},
		{"a wrong network at last", whole, encoded(t, &request{Network: "x"}), "INVALID_NETWORK"},
		{"a wrong date at last", whole, encoded(t, &request{AsOf: "x"}), "INVALID_AS_OF"},
		{"a wrong id at last", whole, encoded(t, &request{RequestId: "\n"}), "INVALID_REQUEST_ID"},
		{"list ids of both", encoded(t, &request{ListIds: slices.Repeat([]string{"a"}, 60)}), slices.Concat(whole, encoded(t, &request{ListIds: slices.Repeat([]string{"a"}, 41)})), "INVALID_LIST_ID"},
		{"a duration in two parts", slices.Concat(whole, encoded(t, &request{MaxListAge: &durationpb.Duration{Seconds: 1}})), encoded(t, &request{MaxListAge: &durationpb.Duration{Nanos: -1}}), "INVALID_MAX_LIST_AGE"},
		{"a receipt of 2", whole, protowire.AppendVarint(protowire.AppendTag(nil, 9, protowire.VarintType), 2), "RECEIPTS_NOT_CONFIGURED"},
		{"a snapshot of 2 to the 63rd", whole, encoded(t, &request{Snapshot: 1, MinSnapshot: 1 << 63}), "INVALID_SNAPSHOT"},
	} {
		res := new(response)
		err := w.builtin().exchange(t.Context(), pb.ScreeningService_ScreenAddresses_FullMethodName, slices.Concat(test.first, test.last), res)
		if test.reason == "" && (err != nil || res.RequestId != "a" || res.Snapshot.GetSequence() != 1) || infoOf(err).GetReason() != test.reason {
			t.Errorf("%s: %v, %v", test.name, res, err)
		}
	}
	// A field of another wire type than its own is an unknown one.
	body := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7)
	err := w.builtin().exchange(t.Context(), pb.ScreeningService_ScreenAddresses_FullMethodName, body, new(response))
	wantRefused(t, err, codes.InvalidArgument, "NO_ADDRESSES", false)
}

// A refusal is a request that ScreenAddresses refuses, with an address where texts go.
type refusal struct {
	code   codes.Code
	reason string
	retry  bool
	req    *request
}

var refusals = []refusal{
	{codes.InvalidArgument, "NO_ADDRESSES", false, &request{}},
	{codes.InvalidArgument, "TOO_MANY_ADDRESSES", false, &request{Addresses: slices.Repeat([]string{standingAddress}, 10_001)}},
	{codes.InvalidArgument, "INVALID_NETWORK", false, &request{Network: standingAddress}},
	{codes.InvalidArgument, "INVALID_LIST_ID", false, &request{ListIds: []string{taggedAddress}}},
	{codes.InvalidArgument, "INVALID_AS_OF", false, &request{AsOf: standingAddress}},
	{codes.InvalidArgument, "INVALID_MAX_LIST_AGE", false, &request{MaxListAge: &durationpb.Duration{}}},
	{codes.InvalidArgument, "INVALID_SNAPSHOT", false, &request{Snapshot: 4, MinSnapshot: 5}},
	{codes.InvalidArgument, "INVALID_REQUEST_ID", false, &request{RequestId: standingAddress + "\n"}},
	{codes.FailedPrecondition, "SNAPSHOT_NOT_REACHED", true, &request{MinSnapshot: lastSnapshot + 1}},
	{codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false, &request{Snapshot: lastSnapshot + 1}},
	{codes.FailedPrecondition, "RECEIPTS_NOT_CONFIGURED", false, &request{Receipt: true}},
}

// whole returns the request with an address, if it is not about having none.
func (r *refusal) whole() *request {
	req := proto.CloneOf(r.req)
	if r.reason != "NO_ADDRESSES" && len(req.Addresses) == 0 {
		req.Addresses = []string{standingAddress}
	}
	return req
}

// refuse wants a server to refuse each as it says, with no word of an address.
func refuse(t *testing.T, s *answering, all []refusal) {
	t.Helper()
	var group sync.WaitGroup
	for _, r := range all {
		group.Go(func() { // some are waited for
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := s.ScreenAddresses(ctx, r.whole())
			wantRefused(t, err, r.code, r.reason, r.retry)
			if text := status.Convert(err).Proto().String(); strings.Contains(text, standingAddress) || strings.Contains(text, taggedAddress) {
				t.Errorf("%s quotes an address: %s", r.reason, text)
			}
		})
	}
	group.Wait()
}

func errorsSayWhy(t *testing.T, w *world) {
	refuse(t, w.loaded(), slices.DeleteFunc(slices.Clone(refusals), func(r refusal) bool {
		return r.req.MinSnapshot > lastSnapshot || r.req.Snapshot > lastSnapshot // waited for, in the method's clause
	}))
	_, err := w.empty().ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}})
	wantRefused(t, err, codes.Unavailable, "NOT_READY", true)
	_, err = w.loaded().lists.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: standingAddress, Network: standingAddress})
	wantRefused(t, err, codes.InvalidArgument, "INVALID_NETWORK", false)
	if strings.Contains(err.Error(), standingAddress) {
		t.Errorf("it quotes an address: %v", err)
	}
	err = w.loaded().exchange(t.Context(), pb.ListService_WatchChanges_FullMethodName, encoded(t, &pb.WatchChangesRequest{FromSnapshot: 1, FromDigest: standingAddress}), new(pb.WatchChangesResponse))
	wantRefused(t, err, codes.InvalidArgument, "INVALID_SNAPSHOT", false)
	if strings.Contains(err.Error(), standingAddress) {
		t.Errorf("it quotes an address: %v", err)
	}
}

func credentialsAndPermissions(t *testing.T, w *world) {
	for _, m := range contractMethods {
		body := encoded(t, m.request)
		for _, caller := range []string{"", "stranger", "screener", "reader", "exporter", "admin"} {
			err := w.guarded().as(caller).exchange(t.Context(), m.name, body, m.response())
			switch caller {
			case "", "stranger":
				wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED", false)
			case m.permission, "admin":
				if err != nil {
					t.Errorf("%s as %s: %v", m.name, caller, err)
				}
			default:
				wantRefused(t, err, codes.PermissionDenied, "PERMISSION_DENIED", false)
			}
		}
		if err := w.builtin().exchange(t.Context(), m.name, body, m.response()); err != nil {
			t.Errorf("%s, where the server is not told who may call: %v", m.name, err)
		}
	}
}

func revokedStreams(t *testing.T, _ *world) {
	g := newGuarded(t)
	screen := openStream(t, g.as("screener"))
	send(t, screen, &request{Addresses: []string{listedAddress}})
	receive(t, screen)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	watch, err := g.as("reader").WatchChanges(ctx, &pb.WatchChangesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(g.file)
	if err != nil {
		t.Fatal(err)
	}
	// screener is gone, and reader may do something else.
	lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool { return strings.Contains(line, "name: screener,") })
	for i, line := range lines {
		if strings.Contains(line, "name: reader,") {
			lines[i] = strings.Replace(line, "[lists]", "[screen]", 1)
		}
	}
	if err := errors.Join(os.WriteFile(g.file+".new", []byte(strings.Join(lines, "")), 0o600), os.Rename(g.file+".new", g.file)); err != nil {
		t.Fatal(err)
	}
	_, err = screen.Recv()
	wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED", false)
	_, err = watch.Recv()
	wantRefused(t, err, codes.PermissionDenied, "PERMISSION_DENIED", false)
}

func quotas(t *testing.T, _ *world) {
	s := newGuarded(t).as("greedy") // 20 at once, and hardly any more
	over := func(err error, addresses int, later bool) {
		t.Helper()
		info := wantRefused(t, err, codes.ResourceExhausted, "QUOTA_EXCEEDED", later)
		if want := fmt.Sprint(addresses); info.GetMetadata()["addresses"] != want || info.GetMetadata()["burst"] != "20" {
			t.Errorf("metadata %v, want %s addresses of 20", info.GetMetadata(), want)
		}
	}
	batch := func(n int) *request { return &request{Addresses: slices.Repeat([]string{unlistedAddress}, n)} }
	// What never can be answered is not worth another try, and takes nothing.
	_, err := s.ScreenAddresses(t.Context(), batch(21))
	over(err, 21, false)
	s.screen(t, batch(18))
	if _, err := s.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: unlistedAddress}); err != nil {
		t.Error(err)
	}
	stream := openStream(t, s)
	send(t, stream, batch(1), batch(2))
	receive(t, stream)
	_, err = stream.Recv()
	over(err, 2, true)
	_, err = s.ScreenAddresses(t.Context(), batch(1))
	over(err, 1, true)
	_, err = s.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: unlistedAddress})
	over(err, 1, true)
	if _, err := s.GetSnapshot(t.Context()); err != nil {
		t.Errorf("past the quota, what takes none of it: %v", err)
	}
}

func overloaded(t *testing.T, _ *world) {
	s := standUp(t, serve(t, "--max-calls", "1"))
	stream := openStream(t, s)
	send(t, stream, &request{Addresses: []string{listedAddress}})
	receive(t, stream)
	for _, m := range contractMethods {
		wantRefused(t, s.exchange(t.Context(), m.name, encoded(t, m.request), m.response()), codes.Unavailable, "OVERLOADED", true)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	eventually(t, "there is room again", func() bool {
		_, err := s.ScreenAddresses(t.Context(), &request{Addresses: []string{listedAddress}})
		return err == nil
	})
}

// wantPlain wants an error with that code and no ErrorInfo.
func wantPlain(t testing.TB, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code || infoOf(err) != nil {
		t.Errorf("%s: %v with %v, want %s without ErrorInfo", what, err, infoOf(err), code)
	}
}

func deadlines(t *testing.T, _ *world) {
	r := storetest.Redis(t)
	g := newGrowing(t, r)
	g.grow(t)
	s := standUp(t, serve(t, "--redis", "redis://"+r.Addr, "--call-timeout", "500ms", "--stream-idle-timeout", "1s"))
	s.screen(t, &request{Addresses: []string{unlistedAddress}})
	r.Pause()
	defer r.Resume()
	old := &request{Addresses: []string{unlistedAddress}, Snapshot: 1} // which is where nobody answers
	begin := time.Now()
	_, err := s.ScreenAddresses(t.Context(), old)
	wantPlain(t, "longer than the server allows", err, codes.DeadlineExceeded)
	if took := time.Since(begin); took < 300*time.Millisecond || took > patience {
		t.Errorf("the server ended the call after %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.ScreenAddresses(ctx, old)
	wantPlain(t, "the client's deadline", err, codes.DeadlineExceeded)
	stream := openStream(t, s)
	send(t, stream, &request{Addresses: []string{unlistedAddress}})
	receive(t, stream)
	_, err = stream.Recv()
	wantPlain(t, "a stream without requests", err, codes.DeadlineExceeded)
	help := runProgram(t, "", "serve", "--help").stdout
	for _, flag := range []string{"--call-timeout=30s", "--stream-idle-timeout=10m"} {
		if !strings.Contains(help, flag) {
			t.Errorf("the help does not have the default %s", flag)
		}
	}
}

func errorsOfGRPC(t *testing.T, w *world) {
	s := w.loaded()
	// The largest request, and one byte more: the tag and the length take five bytes.
	const limit = 8 << 20
	if r := s.one(t, strings.Repeat("x", limit-5), nil); r.Verdict != verdictCannotScreen || r.Reason != pb.Reason_REASON_TOO_LONG {
		t.Errorf("a request of 8 MiB: %v", r)
	}
	_, err := s.ScreenAddresses(t.Context(), &request{Addresses: []string{strings.Repeat("x", limit-4)}})
	wantPlain(t, "a request of more than 8 MiB", err, codes.ResourceExhausted)

	for _, m := range contractMethods {
		whole := encoded(t, m.request)
		for what, more := range map[string][]byte{
			"a tag without a value": {0x0a}, "a length past the end": {0x0a, 0x7f, 'x'}, "a tag of no number": {0x07}, "a group without an end": {0x93, 0x7d}, "an endless number": slices.Repeat([]byte{0xff}, 20),
		} {
			wantPlain(t, m.name+": "+what, s.exchange(t.Context(), m.name, slices.Concat(whole, more), m.response()), codes.Internal)
		}
	}
	for what, field := range map[string]struct {
		of     proto.Message
		method string
		number protowire.Number
	}{
		"network":               {&request{Addresses: []string{standingAddress}}, pb.ScreeningService_ScreenAddresses_FullMethodName, 2},
		"list_ids":              {&request{Addresses: []string{standingAddress}}, pb.ScreeningService_ScreenAddresses_FullMethodName, 3},
		"as_of":                 {&request{Addresses: []string{standingAddress}}, pb.ScreeningService_ScreenAddresses_FullMethodName, 4},
		"request_id":            {&request{Addresses: []string{standingAddress}}, pb.ScreeningService_ScreenAddressStream_FullMethodName, 8},
		"list_ids of a history": {&pb.GetAddressHistoryRequest{Address: standingAddress}, pb.ListService_GetAddressHistory_FullMethodName, 2},
		"from_digest":           {&pb.WatchChangesRequest{}, pb.ListService_WatchChanges_FullMethodName, 3},
	} {
		body := protowire.AppendString(protowire.AppendTag(encoded(t, field.of), field.number, protowire.BytesType), "\xff")
		wantPlain(t, what+" that is not UTF-8", s.exchange(t.Context(), field.method, body, new(response)), codes.Internal)
	}
	for _, method := range []string{"/walletscreen.v1.ScreeningService/Screen", "/walletscreen.v2.ScreeningService/ScreenAddresses", "/x/y"} {
		wantPlain(t, method, s.exchange(t.Context(), method, nil, new(response)), codes.Unimplemented)
		wantPlain(t, method+" of a stranger", w.guarded().as("").exchange(t.Context(), method, nil, new(response)), codes.Unimplemented)
	}

	_, err = standUp(t, &serving{addr: "unix://" + filepath.Join(t.TempDir(), "nobody")}).ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}})
	wantPlain(t, "no server", err, codes.Unavailable)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	_, err = standUp(t, &serving{addr: l.Addr().String()}).ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}})
	wantPlain(t, "a connection that breaks", err, codes.Unavailable)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.ScreenAddresses(ctx, &request{Addresses: []string{standingAddress}})
	wantPlain(t, "a call that is given up", err, codes.Canceled)
}

var serviceClauses = []clause{
	{element: "ScreeningService", says: []string{"ScreeningService answers whether addresses are listed."}, meaning: "a definition"},
	{
		element: "ScreeningService",
		says:    []string{`It is the service that health checks name: grpc.health.v1 answers SERVING for "walletscreen.v1.ScreeningService" only while a correct answer can be given.`},
		holds:   healthOfScreening,
	},
	{
		element: "ScreeningService.ScreenAddresses",
		says:    []string{"ScreenAddresses screens one batch of addresses against one snapshot and answers with one result for each, in the order of the request."},
		holds:   resultsInOrder,
	},
	{
		element:   "ScreeningService.ScreenAddresses",
		says:      []string{"All results of one answer come from the same snapshot, the one it names."},
		elsewhere: "cmd/walletscreen.TestSoak",
	},
	{
		element: "ScreeningService.ScreenAddresses",
		says:    []string{"Nothing that stands in one address changes the result of another or fails the call."},
		holds:   othersAreUnharmed,
	},
	{
		element: "ScreeningService.ScreenAddresses",
		says:    []string{"The call fails only for what is wrong with the request as a whole:"},
		meaning: "a heading",
	},
	{
		element: "ScreeningService.ScreenAddresses",
		says: []string{
			"INVALID_ARGUMENT: NO_ADDRESSES, TOO_MANY_ADDRESSES, INVALID_NETWORK, INVALID_LIST_ID, INVALID_AS_OF, INVALID_MAX_LIST_AGE, INVALID_SNAPSHOT, INVALID_REQUEST_ID.",
			"FAILED_PRECONDITION: SNAPSHOT_NOT_REACHED (min_snapshot), SNAPSHOT_NOT_HELD (snapshot), RECEIPTS_NOT_CONFIGURED (receipt).",
		},
		holds: func(t *testing.T, w *world) { refuse(t, w.loaded(), refusals) },
	},
	{
		element: "ScreeningService.ScreenAddresses",
		says:    []string{"UNAVAILABLE: NOT_READY, no snapshot is loaded yet; SNAPSHOT_UNREADABLE (snapshot), where it is kept cannot be reached now."},
		holds:   notReadyAndUnreadable,
	},
	{
		element: "ScreeningService.ScreenAddresses", says: []string{"It is safe to repeat."},
		holds: func(t *testing.T, w *world) {
			req := &request{Addresses: contractAddresses, RequestId: "again"}
			first := w.loaded().screen(t, req)
			for range 3 {
				again := w.loaded().screen(t, req)
				if !sameAnswer(first, again) || again.RequestId != "again" {
					t.Errorf("first %.600v, again %.600v", first, again)
				}
			}
		},
	},
	{
		element: "ScreeningService.ScreenAddressStream",
		says: []string{
			"ScreenAddressStream screens batch after batch over one stream, for jobs that re-screen many addresses.",
			"Each request is answered as by ScreenAddresses, in order; successive answers may come from successive snapshots.",
		},
		holds: streamAnswers,
	},
	{
		element:   "ScreeningService.ScreenAddressStream",
		says:      []string{"The server reads at most one request further than it has answered, so a slow reader slows itself down."},
		elsewhere: "screen/server.TestStreamIsBounded",
	},
	{
		element: "ScreeningService.ScreenAddressStream",
		says: []string{
			"The stream ends when the client has sent its last request and every one is answered.",
			"A request that ScreenAddresses would refuse ends the stream with the same status, after the answers to all requests before it.",
		},
		holds: streamEnds,
	},
	{
		element: "ScreeningService.ScreenAddressStream",
		says:    []string{"A server that is going away ends it with UNAVAILABLE and SERVER_STOPPING, between two answers."},
		holds: func(t *testing.T, _ *world) {
			s := standUp(t, serve(t))
			stream := openStream(t, s)
			const batches = 50
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for i := range batches {
					if stream.Send(&request{Addresses: []string{listedAddress}, RequestId: fmt.Sprint(i)}) != nil {
						return
					}
				}
			}()
			defer func() { <-sent }()
			receive(t, stream)
			s.stop(t)
			for answered := 1; ; answered++ {
				res, err := stream.Recv()
				if err != nil {
					wantRefused(t, err, codes.Unavailable, "SERVER_STOPPING", true)
					return
				}
				if res.RequestId != fmt.Sprint(answered) || len(res.Results) != 1 || res.Results[0].Verdict != verdictListed {
					t.Errorf("answer %d: %v", answered, res)
				}
			}
		},
	},
	{
		element: "ScreeningService.ScreenAddressStream",
		says: []string{
			"To go on after a stream that was cut: answers come in order and carry the request_id of their requests, so the last one received tells which requests are answered.",
			"Open another stream and send the others again, from the first that has no answer; that one may have been answered, and repeating is safe.",
		},
		holds: streamGoesOn,
	},
}

// openStream opens a stream that lasts no longer than the test.
func openStream(t testing.TB, s *answering) grpc.BidiStreamingClient[request, response] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	t.Cleanup(cancel)
	stream, err := s.ScreenAddressStream(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func send(t testing.TB, stream grpc.BidiStreamingClient[request, response], reqs ...*request) {
	t.Helper()
	for _, req := range reqs {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
	}
}

func receive(t testing.TB, stream grpc.BidiStreamingClient[request, response]) *response {
	t.Helper()
	res, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// sameAnswer reports whether two answers say the same, but for when they were given
// and to which request.
func sameAnswer(a, b *response) bool {
	timeless := func(res *response) *response {
		res = proto.CloneOf(res)
		res.ScreenedAt, res.ValidUntil, res.RequestId = nil, nil, ""
		for _, n := range res.Notices {
			n.Message = "" // it may say how old a list is
		}
		return res
	}
	return proto.Equal(timeless(a), timeless(b))
}

// A growing Redis gets one snapshot after the other, of the list test, each with one
// row more.
type growing struct {
	publisher *store.Publisher
	last      *screen.Snapshot
}

func newGrowing(t testing.TB, r *storetest.Server) *growing {
	t.Helper()
	g := &growing{publisher: openPublisher(t, r), last: screen.Empty()}
	g.grow(t)
	return g
}

// growingAddress is listed from a snapshot on.
func growingAddress(snapshot uint64) string { return accountText(1<<40 + int(snapshot) - 1) }

// grow publishes the next snapshot, compared with its publisher now.
func (g *growing) grow(t testing.TB) {
	t.Helper()
	next, err := g.publisher.Publish(t.Context(), g.last, withRows(t, g.last, 200, int(g.last.Sequence)+1), store.Verified{"test": {At: time.Now()}})
	if err != nil {
		t.Fatal(err)
	}
	g.last = next
}

func healthOfScreening(t *testing.T, w *world) {
	for _, test := range []struct {
		name string
		s    *answering
		want healthpb.HealthCheckResponse_ServingStatus
	}{
		{"builtin", w.builtin(), healthpb.HealthCheckResponse_SERVING}, {"loaded", w.loaded(), healthpb.HealthCheckResponse_SERVING}, {"guarded", w.guarded().as(""), healthpb.HealthCheckResponse_SERVING},
		{"held", w.held(), healthpb.HealthCheckResponse_SERVING}, {"stale", w.stale(), healthpb.HealthCheckResponse_NOT_SERVING}, {"empty", w.empty(), healthpb.HealthCheckResponse_NOT_SERVING},
	} {
		eventually(t, test.name+" says "+test.want.String(), func() bool {
			res, err := healthpb.NewHealthClient(test.s.conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "walletscreen.v1.ScreeningService"})
			return err == nil && res.Status == test.want
		})
		if test.want == healthpb.HealthCheckResponse_SERVING && test.name != "guarded" {
			if r := test.s.one(t, unlistedAddress, nil); r.Verdict != verdictNotListed {
				t.Errorf("%s is serving: %v", test.name, r)
			}
		}
	}
	if r := w.stale().one(t, unlistedAddress, nil); r.Verdict != verdictCannotScreen {
		t.Errorf("stale: %v", r)
	}
}

func resultsInOrder(t *testing.T, w *world) {
	kinds := []struct {
		text    string
		verdict pb.Verdict
		uid     string
	}{{standingAddress, verdictListed, "h-1"}, {unlistedAddress, verdictNotListed, ""}, {advisedAddress, verdictAdvisory, "h-5"}, {"x", verdictCannotScreen, ""}, {taggedAddress, verdictRelated, "h-10"}, {designatedAddress, verdictListed, "h-6"}, {"\xff", verdictCannotScreen, ""}}
	for _, n := range []int{1, 2, 10_000} {
		req := &request{ListIds: []string{"house"}}
		for i := range n {
			req.Addresses = append(req.Addresses, kinds[i*i%len(kinds)].text)
		}
		for i, r := range w.loaded().screen(t, req).Results {
			want := kinds[i*i%len(kinds)]
			uid := ""
			if len(r.Matches) > 0 {
				uid = r.Matches[0].GetListing().GetPartyUid()
			}
			if r.Verdict != want.verdict || uid != want.uid {
				t.Fatalf("result %d of %d: %v, want %s of %q", i, n, r, want.verdict, want.uid)
			}
		}
	}
}

func othersAreUnharmed(t *testing.T, w *world) {
	s := w.loaded()
	good := []string{standingAddress, unlistedAddress, bitcoinAddress, advisedAddress, taggedAddress}
	alone := s.screen(t, &request{Addresses: good}).Results
	var mixed []string
	for i, odd := range strangeTexts {
		batch := []string{good[0], odd, good[1], odd, odd + good[2], good[2], good[3] + odd, good[3], good[4]}
		for j, at := range []int{0, 2, 5, 7, 8} {
			if got := s.screen(t, &request{Addresses: batch}).Results[at]; !proto.Equal(got, alone[j]) {
				t.Errorf("beside the odd text %d, %.60q: %v, want %v", i, odd, got, alone[j])
			}
		}
		mixed = append(mixed, odd, good[i%len(good)])
	}
	for i, r := range s.screen(t, &request{Addresses: mixed}).Results {
		if i%2 == 1 && !proto.Equal(r, alone[i/2%len(good)]) {
			t.Errorf("among all odd texts, %s: %v", mixed[i], r)
		}
		if i%2 == 0 && !proto.Equal(r, s.one(t, mixed[i], nil)) {
			t.Errorf("odd text %.60q among others: %v, alone %v", mixed[i], r, s.one(t, mixed[i], nil))
		}
	}
}

func notReadyAndUnreadable(t *testing.T, w *world) {
	for _, req := range []*request{{}, {MinSnapshot: 1}, {Snapshot: 1}, {AsOf: "2025-01-01"}, {ListIds: []string{"house"}}} {
		req.Addresses = []string{standingAddress}
		_, err := w.empty().ScreenAddresses(t.Context(), req)
		wantRefused(t, err, codes.Unavailable, "NOT_READY", true)
	}
	r := storetest.Redis(t)
	g := newGrowing(t, r)
	g.grow(t)
	s := standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	s.screen(t, &request{Addresses: []string{growingAddress(1)}})
	r.Kill()
	defer r.Restart()
	_, err := s.ScreenAddresses(t.Context(), &request{Addresses: []string{growingAddress(1)}, Snapshot: 1})
	wantRefused(t, err, codes.Unavailable, "SNAPSHOT_UNREADABLE", true)
	if r := s.one(t, growingAddress(1), &request{Snapshot: 2}); r.Verdict != verdictListed {
		t.Errorf("the one that is served: %v", r)
	}
}

func streamAnswers(t *testing.T, w *world) {
	s := w.loaded()
	reqs := []*request{
		{Addresses: contractAddresses}, {Addresses: strangeTexts}, {Addresses: contractAddresses, AsOf: "2025-02-10"}, {Addresses: contractAddresses, Snapshot: 2}, {Addresses: contractAddresses, MinSnapshot: 5},
		{Addresses: contractAddresses, ListIds: []string{"desk", notLoaded}}, {Addresses: contractAddresses, Network: "tron:0x2b6653dc"}, {Addresses: contractAddresses, MaxListAge: durationpb.New(1)},
		{Addresses: slices.Repeat([]string{unlistedAddress}, 10_000)},
	}
	stream := openStream(t, s)
	sent := make(chan error, 1)
	go func() {
		for i, req := range reqs {
			req = proto.CloneOf(req)
			req.RequestId = fmt.Sprint(i)
			if err := stream.Send(req); err != nil {
				sent <- err
				return
			}
		}
		sent <- stream.CloseSend()
	}()
	for i, req := range reqs {
		if got, want := receive(t, stream), s.screen(t, req); !sameAnswer(got, want) || got.RequestId != fmt.Sprint(i) {
			t.Errorf("answer %d: %.600v, alone %.600v", i, got, want)
		}
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}

	r := storetest.Redis(t)
	g := newGrowing(t, r)
	grown := standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	stream = openStream(t, grown)
	for sequence := uint64(1); sequence <= 3; sequence++ {
		// The first that the server has, it may yet have to read.
		req := &request{Addresses: []string{growingAddress(sequence), growingAddress(sequence + 1)}}
		if sequence > 1 {
			req.MinSnapshot = sequence
		}
		send(t, stream, req)
		if res := receive(t, stream); res.Snapshot.Sequence != sequence || res.Results[0].Verdict != verdictListed || res.Results[1].Verdict != verdictNotListed {
			t.Errorf("of snapshot %d: %v", sequence, res)
		}
		g.grow(t)
	}
}

func streamEnds(t *testing.T, w *world) {
	s := w.loaded()
	for _, n := range []int{0, 1, 3} {
		stream := openStream(t, s)
		for range n {
			send(t, stream, &request{Addresses: []string{standingAddress}})
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		for range n {
			receive(t, stream)
		}
		if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
			t.Errorf("after %d requests: %v", n, err)
		}
	}
	var group sync.WaitGroup
	for _, r := range refusals {
		group.Go(func() { // some wait for two seconds
			good := &request{Addresses: []string{standingAddress}}
			alone := make(chan error, 1)
			go func() {
				_, err := s.ScreenAddresses(t.Context(), r.whole())
				alone <- err
			}()
			stream := openStream(t, s)
			for _, req := range []*request{good, good, r.whole(), good} {
				_ = stream.Send(req) // the stream may have ended
			}
			for i := range 2 {
				if res, err := stream.Recv(); err != nil || res.Results[0].Verdict != verdictListed {
					t.Errorf("%s: answer %d before it: %v, %v", r.reason, i, res, err)
				}
			}
			_, err := stream.Recv()
			wantRefused(t, err, r.code, r.reason, r.retry)
			want := <-alone
			if status.Convert(err).Message() != status.Convert(want).Message() || !proto.Equal(infoOf(err), infoOf(want)) || retryOf(err) != retryOf(want) {
				t.Errorf("in a stream %v, alone %v", err, want)
			}
		})
	}
	group.Wait()
}

func streamGoesOn(t *testing.T, w *world) {
	const batches = 40
	batch := func(i int) *request {
		return &request{Addresses: []string{[]string{listedAddress, unlistedAddress}[i%2], fmt.Sprint("x", i)}, RequestId: fmt.Sprint("batch ", i)}
	}
	answers := map[string]*response{}
	first := 0 // that has no answer
	run := func(s *answering, cut int) {
		stream := openStream(t, s)
		// As many requests are on their way as clients have, so that the cut is amid them.
		under, ended, sent := make(chan struct{}, 4), make(chan struct{}), make(chan struct{})
		go func() {
			defer close(sent)
			for i := first; i < batches; i++ {
				select {
				case under <- struct{}{}:
				case <-ended:
					return
				}
				if stream.Send(batch(i)) != nil {
					return
				}
			}
			_ = stream.CloseSend()
		}()
		defer func() {
			close(ended)
			<-sent
		}()
		for next := first; ; next++ {
			if next == cut {
				s.kill()
			}
			res, err := stream.Recv()
			if err != nil {
				if whole := cut < 0; whole != (next == batches) || whole != errors.Is(err, io.EOF) || next < cut {
					t.Errorf("cut after %d: %d of %d answers, then %v", cut, next, batches, err)
				}
				first = next
				return
			}
			if want := batch(next).RequestId; res.RequestId != want {
				t.Errorf("the answer to %q, want that to %q", res.RequestId, want)
			}
			answers[res.RequestId] = res
			<-under
		}
	}
	for _, cut := range []int{1, 17} {
		run(standUp(t, serve(t)), max(cut, first))
	}
	run(w.builtin(), -1)
	for i := range batches {
		want := w.builtin().screen(t, batch(i))
		if got := answers[want.RequestId]; got == nil || !slices.EqualFunc(got.Results, want.Results, func(a, b *pb.ScreenResult) bool { return proto.Equal(a, b) }) {
			t.Errorf("%s: %v, alone %v", want.RequestId, got, want)
		}
	}
}
