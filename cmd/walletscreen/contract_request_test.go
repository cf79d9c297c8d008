package main_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/store/storetest"
	"walletscreen/screen/wire"
)

// A field is one of ScreenAddressesRequest by its values: those that are accepted, and
// those that are refused, with the reason. A set changes a request that is good.
type field[V any] struct {
	set               func(*request, V)
	accepted, refused []V
	reason            string
}

func (f field[V]) holds(t *testing.T, s *answering) {
	t.Helper()
	for _, v := range f.accepted {
		req := &request{Addresses: []string{standingAddress}}
		f.set(req, v)
		if _, err := s.ScreenAddresses(t.Context(), req); err != nil {
			t.Errorf("%.80q: %v", fmt.Sprint(v), err)
		}
	}
	for _, v := range f.refused {
		req := &request{Addresses: []string{standingAddress}}
		f.set(req, v)
		_, err := s.ScreenAddresses(t.Context(), req)
		if wantRefused(t, err, codes.InvalidArgument, f.reason, false); t.Failed() {
			t.Fatalf("that was %.80q", fmt.Sprint(v))
		}
	}
}

// asks wants a verdict and a reason for each address of a request.
type asks struct {
	address string
	req     *request // with all but the address; nil for nothing
	verdict pb.Verdict
	reason  pb.Reason
}

func (s *answering) wants(t *testing.T, all []asks) {
	t.Helper()
	for _, a := range all {
		req := &request{}
		if a.req != nil {
			req = proto.CloneOf(a.req)
		}
		if r := s.one(t, a.address, req); r.Verdict != a.verdict || r.Reason != a.reason {
			t.Errorf("%v: %v, want %s with %s", req, r, a.verdict, a.reason)
		}
	}
}

var requestClauses = []clause{
	{element: "ScreenAddressesRequest", says: []string{"ScreenAddressesRequest is one batch to screen."}, meaning: "a definition"},
	{
		element: "ScreenAddressesRequest.addresses",
		says: []string{
			"addresses are the texts to screen, as the customer wrote them: 1 to 10,000, each at most 512 bytes.",
			"A text that is empty, longer than 512 bytes, not valid UTF-8 or not an address gets VERDICT_CANNOT_SCREEN with its reason; the others are unharmed.",
			"None at all is INVALID_ARGUMENT with NO_ADDRESSES, more than 10,000 TOO_MANY_ADDRESSES.",
		},
		holds: addressesOfEveryKind,
	},
	{
		element: "ScreenAddressesRequest.addresses",
		says:    []string{"White space, letter case and prefixes need not be normalized, and must not be by callers who want to know what was written."},
		holds: func(t *testing.T, w *world) {
			for _, text := range []string{
				" " + standingAddress, standingAddress + "\r\n", "\t" + standingAddress + "\t", "0X" + standingAddress[2:], "0x" + strings.ToUpper(standingAddress[2:]), standingAddress[2:],
				"ethereum:" + standingAddress, "eip155:1:" + standingAddress, `"` + standingAddress + `"`, bitcoinAddress + "\n", "bitcoin:" + bitcoinAddress, "BITCOIN:" + bitcoinAddress + "?amount=1",
			} {
				r := w.loaded().one(t, text, nil)
				if r.Verdict != verdictListed || !slices.ContainsFunc(r.Matches, func(m *pb.Match) bool { return m.GetListing().GetPartyUid() == "h-1" }) {
					t.Errorf("%q: %v", text, r)
				}
			}
			// A listing that is no address matches what was written, and nothing else.
			if r := w.loaded().one(t, unreadableText, nil); r.Verdict != verdictListed {
				t.Errorf("%q: %v", unreadableText, r)
			}
			if r := w.loaded().one(t, strings.ToLower(unreadableText), nil); r.Verdict != verdictCannotScreen {
				t.Errorf("%q in lower case: %v", unreadableText, r)
			}
		},
	},
	{
		element: "ScreenAddressesRequest.addresses", says: []string{"The same text may stand in a batch many times."},
		holds: func(t *testing.T, w *world) {
			for i, r := range w.loaded().screen(t, &request{Addresses: slices.Repeat([]string{standingAddress, "x", unlistedAddress}, 3333)}).Results {
				if want := []pb.Verdict{verdictListed, verdictCannotScreen, verdictNotListed}[i%3]; r.Verdict != want {
					t.Fatalf("result %d: %v, want %s", i, r, want)
				}
			}
		},
	},
	{
		element: "ScreenAddressesRequest.network",
		says: []string{
			`network is a hint in CAIP-2 form ("eip155:1", "tron:0x2b6653dc", "bip122:000000000019d6689c085ae165831e93") that holds for the whole batch: the network on which the caller means to transact.`,
			"A text that is not of the form of CAIP-2 is INVALID_ARGUMENT with INVALID_NETWORK.",
		},
		holds: func(t *testing.T, w *world) {
			field[string]{
				set:      func(r *request, v string) { r.Network = v },
				accepted: []string{"", "eip155:1", "tron:0x2b6653dc", "bip122:000000000019d6689c085ae165831e93", "near:mainnet", "abc:-", "a-b-c-d8:" + strings.Repeat("Z", 32), "123:_"},
				refused: []string{
					"ethereum", "ETH", "eip155", "eip155:", ":1", ":", "ab:1", "ninechars:1", "abc:" + strings.Repeat("a", 33), "eip155:1:" + standingAddress, "EIP155:1", " eip155:1", "eip155:1 ", "eip155:1\n",
					"eip155:1\x00", "\x00", "eip155:é", "еip155:1", "eip_155:1", "eip155:1.0", "0", "-1", standingAddress, strings.Repeat("a", 1<<20),
				},
				reason: "INVALID_NETWORK",
			}.holds(t, w.loaded())
		},
	},
	{
		element: "ScreenAddressesRequest.network",
		says: []string{
			"It annotates (a match known on other networks only gets WARNING_NETWORK_MISMATCH) and resolves what is ambiguous without it.",
			"It never hides a match.", "A network that the server does not know is accepted and has no effect.", `"" means no hint.`,
		},
		holds: networkIsAHint,
	},
	{
		element: "ScreenAddressesRequest.list_ids",
		says: []string{
			`list_ids are the lists to screen against ("us-ofac-sdn").`,
			"An id that is not loaded turns VERDICT_NOT_LISTED into VERDICT_CANNOT_SCREEN with REASON_NOT_LOADED; what the other lists say is still answered.",
			"Repeated ids count once.",
		},
		holds: func(t *testing.T, w *world) {
			only := func(ids ...string) *request { return &request{ListIds: ids} }
			w.loaded().wants(t, []asks{
				{deskAddress, only("desk"), verdictListed, 0}, {deskAddress, only("house"), verdictNotListed, 0}, {deskAddress, only("us-ofac-sdn", "house"), verdictNotListed, 0}, {deskAddress, nil, verdictListed, 0},
				{loadedEther, only("us-ofac-sdn"), verdictListed, 0}, {loadedEther, only("house", "desk"), verdictNotListed, 0},
				{deskAddress, only("house", notLoaded), verdictCannotScreen, pb.Reason_REASON_NOT_LOADED}, {deskAddress, only(notLoaded, "desk"), verdictListed, 0},
				{unlistedAddress, only(notLoaded), verdictCannotScreen, pb.Reason_REASON_NOT_LOADED}, {advisedAddress, only(notLoaded, "house"), verdictAdvisory, pb.Reason_REASON_NOT_LOADED},
				{deskAddress, only("house", "house", "house"), verdictNotListed, 0},
			})
			once := w.loaded().screen(t, &request{Addresses: []string{standingAddress}, ListIds: []string{"house", notLoaded}})
			again := w.loaded().screen(t, &request{Addresses: []string{standingAddress}, ListIds: []string{notLoaded, "house", notLoaded, "house"}})
			if !sameAnswer(once, again) || len(once.Results[0].Matches) != 1 {
				t.Errorf("once %v, repeated %v", once, again)
			}
		},
	},
	{
		element: "ScreenAddressesRequest.list_ids",
		says:    []string{"None means every list that the server has loaded, those that its operator requires, and those that it served until its store lost them."},
		holds:   everyList,
	},
	{
		element: "ScreenAddressesRequest.list_ids",
		says:    []string{"An id that no list can have (other than 1 to 64 lower-case letters, digits and hyphens), or more than 100 ids, is INVALID_ARGUMENT with INVALID_LIST_ID."},
		holds: func(t *testing.T, w *world) {
			hundred := make([]string, 100)
			for i := range hundred {
				hundred[i] = fmt.Sprint("list-", i)
			}
			f := field[[]string]{
				set:      func(r *request, v []string) { r.ListIds = v },
				accepted: [][]string{nil, {"house"}, {"a"}, {"0"}, {strings.Repeat("a", 64)}, {"a-b-9"}, hundred, slices.Repeat([]string{"house"}, 100)},
				refused:  [][]string{append(hundred, "house"), slices.Repeat([]string{"house"}, 101)},
				reason:   "INVALID_LIST_ID",
			}
			for _, id := range []string{"", " ", "House", "HOUSE", "us_ofac_sdn", "us ofac", "us-ofac-sdn ", "house\n", "house\x00", "höuse", "hоuse", "a,b", "*", "%", "../x", strings.Repeat("a", 65), strings.Repeat("a", 1<<20)} {
				f.refused = append(f.refused, []string{id}, []string{"house", id})
			}
			f.holds(t, w.loaded())
		},
	},
	{
		element: "ScreenAddressesRequest.as_of",
		says: []string{
			"as_of asks what was listed on a date in the past (valid time), by what the snapshot knows today: an address counts from the day of the first publication that listed it to the day before the one that delisted it.",
			`"" means now.`,
			"A date before the first publication that the snapshot holds of a list turns VERDICT_NOT_LISTED into VERDICT_CANNOT_SCREEN with REASON_BEFORE_HISTORY, unless the list is of LIST_KIND_INTERNAL: before an operator's own list existed nothing was on it.",
		},
		holds: func(t *testing.T, w *world) {
			on := func(date string, lists ...string) *request { return &request{AsOf: date, ListIds: lists} }
			before := pb.Reason_REASON_BEFORE_HISTORY
			w.loaded().wants(t, []asks{
				{leavingAddress, on("", "house"), verdictNotListed, 0}, {leavingAddress, on("2025-01-09", "house"), verdictNotListed, 0}, {leavingAddress, on("2025-01-10", "house"), verdictListed, 0},
				{leavingAddress, on("2025-02-28", "house"), verdictListed, 0}, {leavingAddress, on("2025-03-01", "house"), verdictNotListed, 0},
				{returningAddress, on("2025-02-28", "house"), verdictListed, 0}, {returningAddress, on("2025-03-01", "house"), verdictNotListed, 0}, {returningAddress, on("2025-04-30", "house"), verdictNotListed, 0}, {returningAddress, on("2025-05-01", "house"), verdictListed, 0},
				{arrivingAddress, on("2025-04-30", "house"), verdictNotListed, 0}, {arrivingAddress, on("2025-05-01", "house"), verdictListed, 0}, {arrivingAddress, on("", "house"), verdictListed, 0},
				{boundedAddress, on("2023-12-31", "house"), verdictNotListed, 0}, {boundedAddress, on("2024-01-01", "house"), verdictListed, 0}, {boundedAddress, on("2024-06-30", "house"), verdictListed, 0}, {boundedAddress, on("2024-07-01", "house"), verdictNotListed, 0},
				{standingAddress, on("0001-01-01", "house"), verdictNotListed, 0}, {standingAddress, on("0001-01-01", "house", "desk"), verdictNotListed, 0},
				{unlistedAddress, on("2025-02-06", "us-ofac-sdn"), verdictCannotScreen, before}, {unlistedAddress, on("2025-02-07", "us-ofac-sdn"), verdictNotListed, 0}, {unlistedAddress, on("2025-02-06"), verdictCannotScreen, before},
				{unlistedAddress, on("2025-02-07"), verdictNotListed, 0}, {leavingAddress, on("2025-02-06"), verdictListed, 0}, {loadedEther, on("2025-02-07"), verdictListed, 0}, {loadedEther, on("2025-02-06"), verdictCannotScreen, before},
			})
		},
	},
	{
		element: "ScreenAddressesRequest.as_of",
		says:    []string{"Anything but an ISO 8601 calendar date, or a date later than tomorrow in UTC, is INVALID_ARGUMENT with INVALID_AS_OF."},
		holds: func(t *testing.T, w *world) {
			field[string]{
				set:      func(r *request, v string) { r.AsOf = v },
				accepted: []string{"", "2025-02-07", "2024-02-29", "2000-02-29", "0001-01-01", "1970-01-01"},
				refused: []string{
					"yesterday", "2025", "2025-02", "2025-2-7", "25-02-07", "20250207", "2025/02/07", "02/07/2025", "2025-02-07T00:00:00Z", "2025-02-07 ", " 2025-02-07", "2025-02-07\n", "2025-02-07\x00", "\x00",
					"2025-02-29", "2025-02-30", "1900-02-29", "2025-13-01", "2025-00-10", "2025-01-00", "2025-01-32", "0000-00-00", "-2025-02-07", "+2025-02-07", "12025-02-07", "2025-W06-5", "2025-038",
					"２０２５-02-07", "2025–02–07", "0", "1738886400", "9999-12-31", "2100-01-01", strings.Repeat("2", 1<<20),
				},
				reason: "INVALID_AS_OF",
			}.holds(t, w.loaded())
			for { // once more if a day ended meanwhile
				today := time.Now().UTC()
				day := func(n int) error {
					_, err := w.loaded().ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}, AsOf: today.AddDate(0, 0, n).Format(time.DateOnly)})
					return err
				}
				errs := []error{day(-1), day(0), day(1), day(2)}
				if time.Now().UTC().Day() != today.Day() {
					continue
				}
				for i, err := range errs[:3] {
					if err != nil {
						t.Errorf("%d days from today: %v", i-1, err)
					}
				}
				wantRefused(t, errs[3], codes.InvalidArgument, "INVALID_AS_OF", false)
				return
			}
		},
	},
	{
		element: "ScreenAddressesRequest.min_snapshot",
		says: []string{
			"min_snapshot asks for an answer at least as fresh as this sequence number, one that the caller has seen elsewhere.",
			"The server waits for it briefly (at most two seconds, and never to the deadline of the call), then fails with FAILED_PRECONDITION and SNAPSHOT_NOT_REACHED.",
			"0 means any.",
		},
		holds: minSnapshot,
	},
	{
		element: "ScreenAddressesRequest.snapshot",
		says: []string{
			"snapshot asks for an answer from exactly this sequence number, to recompute an earlier one.", "0 means the newest.",
			"Setting both this and a min_snapshot greater than it is INVALID_ARGUMENT with INVALID_SNAPSHOT.",
		},
		holds: exactSnapshot,
	},
	{
		element: "ScreenAddressesRequest.snapshot",
		says: []string{
			"One that is yet to come is waited for as min_snapshot is.", "FAILED_PRECONDITION with SNAPSHOT_NOT_HELD when the server does not hold it.",
		},
		holds: snapshotToCome,
	},
	{
		element: "ScreenAddressesRequest.snapshot",
		says: []string{
			"A snapshot that is served no more is a question about the past, and its answer says so with NOTICE_CODE_SNAPSHOT_SUPERSEDED: VERDICT_NOT_LISTED means not listed in that snapshot, and must not be relied on for what is done now.",
			"valid_until is unset.", "A list whose publication is the one served now is as fresh, stale or held as it is now.",
			"Of another list verified_at is unset and the server's limit on age is not enforced; a max_list_age is, and counts from the end of the publication's day.",
			"Rows for which a list prints days of its own count by the day of the call.", "Ask with as_of too to ask for another day.",
		},
		holds: supersededSnapshot,
	},
	{
		element: "ScreenAddressesRequest.max_list_age",
		says: []string{
			"max_list_age tightens the server's own limit on the age of lists (time since the loader last compared the list with its publisher) for this request.",
			"A list that is older turns VERDICT_NOT_LISTED into VERDICT_CANNOT_SCREEN with REASON_STALE.",
			"It cannot loosen the server's limit.", "Unset means the server's limit alone.",
		},
		holds: func(t *testing.T, w *world) {
			limit := func(age time.Duration, lists ...string) *request {
				return &request{MaxListAge: durationpb.New(age), ListIds: lists}
			}
			stale := pb.Reason_REASON_STALE
			fresh := w.loaded().screen(t, &request{Addresses: []string{unlistedAddress}}).Lists[0].GetVerifiedAt().AsTime()
			w.loaded().wants(t, []asks{
				{unlistedAddress, nil, verdictNotListed, 0}, {unlistedAddress, limit(1), verdictCannotScreen, stale}, {unlistedAddress, limit(1, "house"), verdictCannotScreen, stale},
				{unlistedAddress, limit(time.Since(fresh) + time.Minute), verdictNotListed, 0}, {unlistedAddress, limit(1 << 62), verdictNotListed, 0},
				{standingAddress, limit(1), verdictListed, 0}, {advisedAddress, limit(1), verdictAdvisory, stale},
			})
			w.stale().wants(t, []asks{
				{unlistedAddress, nil, verdictCannotScreen, stale}, {unlistedAddress, limit(time.Hour), verdictCannotScreen, stale}, {unlistedAddress, limit(1 << 62), verdictCannotScreen, stale},
				{unlistedAddress, limit(1), verdictCannotScreen, stale}, {standingAddress, nil, verdictListed, 0}, {standingAddress, limit(1 << 62), verdictListed, 0},
			})
			// No limit is enforced on builtin lists but the caller's.
			w.builtin().wants(t, []asks{{unlistedAddress, nil, verdictNotListed, 0}, {unlistedAddress, limit(time.Hour), verdictCannotScreen, stale}, {unlistedAddress, limit(1 << 62), verdictNotListed, 0}})
		},
	},
	{
		element: "ScreenAddressesRequest.max_list_age",
		says:    []string{"Zero or negative is INVALID_ARGUMENT with INVALID_MAX_LIST_AGE."},
		holds: func(t *testing.T, w *world) {
			field[*durationpb.Duration]{
				set:      func(r *request, v *durationpb.Duration) { r.MaxListAge = v },
				accepted: []*durationpb.Duration{nil, {Nanos: 1}, {Seconds: 1}, {Seconds: 315_576_000_000}, {Seconds: 315_576_000_000, Nanos: 999_999_999}},
				refused: []*durationpb.Duration{
					{}, {Nanos: -1}, {Seconds: -1}, {Seconds: -1, Nanos: -1}, {Seconds: 1, Nanos: -1}, {Seconds: -1, Nanos: 1}, {Nanos: 1_000_000_000}, {Seconds: 1, Nanos: 1 << 30}, {Seconds: 315_576_000_001},
					{Seconds: -315_576_000_001}, {Seconds: 1<<63 - 1}, {Seconds: -1 << 63}, {Seconds: 1, Nanos: -1 << 31},
				},
				reason: "INVALID_MAX_LIST_AGE",
			}.holds(t, w.loaded())
		},
	},
	{
		element: "ScreenAddressesRequest.request_id",
		says: []string{
			"request_id is the caller's own id for the batch, at most 128 printable ASCII characters; it is returned, and logged beside counts where requests are logged.",
			"Longer or other text is INVALID_ARGUMENT with INVALID_REQUEST_ID.",
		},
		holds: requestIDs,
	},
	{element: "ScreenAddressesRequest.request_id", says: []string{"It must not contain an address."}, elsewhere: "screen/server.TestLoggable"},
	{
		element: "ScreenAddressesRequest.receipt",
		says:    []string{"receipt asks for a signed receipt of the answer.", "FAILED_PRECONDITION with RECEIPTS_NOT_CONFIGURED when the server has no key to sign with."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.builtin(), w.loaded()} {
				_, err := s.ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}, Receipt: true})
				wantRefused(t, err, codes.FailedPrecondition, "RECEIPTS_NOT_CONFIGURED", false)
				if res := s.screen(t, &request{Addresses: []string{standingAddress}}); res.Receipt != nil {
					t.Errorf("a receipt that nobody asked for: %v", res.Receipt)
				}
			}
		},
	},
}

func addressesOfEveryKind(t *testing.T, w *world) {
	s := w.loaded()
	pad := func(text string, n int) string { return text + strings.Repeat(" ", n-len(text)) }
	s.wants(t, []asks{
		{"", nil, verdictCannotScreen, pb.Reason_REASON_EMPTY}, {" \t\r\n", nil, verdictCannotScreen, pb.Reason_REASON_EMPTY},
		{pad(standingAddress, 511), nil, verdictListed, 0}, {pad(standingAddress, 512), nil, verdictListed, 0}, {pad(standingAddress, 513), nil, verdictCannotScreen, pb.Reason_REASON_TOO_LONG},
		{pad(unlistedAddress, 512), nil, verdictNotListed, 0}, {pad(unlistedAddress, 513), nil, verdictCannotScreen, pb.Reason_REASON_TOO_LONG}, {strings.Repeat("1", 1<<20), nil, verdictCannotScreen, pb.Reason_REASON_TOO_LONG},
		{"\xff", nil, verdictCannotScreen, pb.Reason_REASON_INVALID_TEXT}, {standingAddress + "\xff", nil, verdictCannotScreen, pb.Reason_REASON_INVALID_TEXT}, {"\xed\xa0\x80", nil, verdictCannotScreen, pb.Reason_REASON_INVALID_TEXT},
		{"not an address", nil, verdictCannotScreen, pb.Reason_REASON_UNRECOGNIZED}, {misprintedText, nil, verdictCannotScreen, pb.Reason_REASON_CHECKSUM},
	})
	for _, text := range strangeTexts {
		if r := s.one(t, text, nil); r.Verdict == verdictNotListed {
			t.Errorf("%.60q: %v", text, r)
		}
	}
	batch := slices.Repeat([]string{unlistedAddress}, 10_000)
	for _, n := range []int{1, 9_999, 10_000} {
		s.screen(t, &request{Addresses: batch[:n]})
	}
	// However odd the texts are: 10,000 of 512 bytes are within the limit of a message.
	s.screen(t, &request{Addresses: slices.Repeat([]string{strings.Repeat("\x00", 512)}, 10_000)})
	_, err := s.ScreenAddresses(t.Context(), &request{Addresses: append(batch, "")})
	if info := wantRefused(t, err, codes.InvalidArgument, "TOO_MANY_ADDRESSES", false); info.GetMetadata()["addresses"] != "10001" || info.GetMetadata()["limit"] != "10000" {
		t.Errorf("metadata %v", info.GetMetadata())
	}
	_, err = s.ScreenAddresses(t.Context(), &request{Addresses: make([]string, 1_000_000)})
	wantRefused(t, err, codes.InvalidArgument, "TOO_MANY_ADDRESSES", false)
	for _, req := range []*request{{}, {Addresses: []string{}}, {Network: "eip155:1", ListIds: []string{"house"}, AsOf: "2025-02-07"}} {
		_, err := s.ScreenAddresses(t.Context(), req)
		wantRefused(t, err, codes.InvalidArgument, "NO_ADDRESSES", false)
	}
}

func networkIsAHint(t *testing.T, w *world) {
	s := w.loaded()
	mismatch := func(r *pb.ScreenResult) bool {
		return slices.Contains(r.Warnings, pb.Warning_WARNING_NETWORK_MISMATCH)
	}
	for _, test := range []struct {
		address, network string
		want             bool
	}{
		{standingAddress, "eip155:1", false}, {standingAddress, "tron:0x2b6653dc", true}, {standingAddress, "bip122:000000000019d6689c085ae165831e93", true},
		{bitcoinAddress, "bip122:000000000019d6689c085ae165831e93", false}, {bitcoinAddress, "eip155:1", true}, {standingAddress, "", false}, {bitcoinAddress, "", false},
	} {
		if r := s.one(t, test.address, &request{Network: test.network}); mismatch(r) != test.want || r.Verdict != verdictListed {
			t.Errorf("%s on %q: %v, want a warning: %t", test.address, test.network, r, test.want)
		}
	}
	s.wants(t, []asks{
		{ambiguousAddress, nil, verdictCannotScreen, pb.Reason_REASON_AMBIGUOUS_32_BYTE}, {ambiguousAddress, &request{Network: "near:mainnet"}, verdictNotListed, 0},
		{ambiguousAddress, &request{Network: "eip155:1"}, verdictCannotScreen, pb.Reason_REASON_AMBIGUOUS_32_BYTE},
	})
	plain := s.screen(t, &request{Addresses: contractAddresses}).Results
	for _, network := range []string{"eip155:1", "eip155:137", "tron:0x2b6653dc", "bip122:000000000019d6689c085ae165831e93", "xrpl:0", "near:mainnet", "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "cosmos:cosmoshub-4", "nobody:knows-this", "abc:1"} {
		for i, r := range s.screen(t, &request{Addresses: contractAddresses, Network: network}).Results {
			if len(r.Matches) < len(plain[i].Matches) || len(plain[i].Matches) > 0 && r.Verdict != plain[i].Verdict {
				t.Errorf("%s on %s: %v, want at least %v", contractAddresses[i], network, r, plain[i])
			}
			if known := network != "nobody:knows-this" && network != "abc:1"; !known && !proto.Equal(r, plain[i]) {
				t.Errorf("%s on %s: %v, without a network %v", contractAddresses[i], network, r, plain[i])
			}
		}
	}
}

func everyList(t *testing.T, _ *world) {
	r := storetest.Redis(t)
	url := "redis://" + r.Addr
	own := func(text string) string { return csvFile(t, "address\n"+text+"\n") }
	publish(t, url, "one="+own(standingAddress))
	publish(t, url, "two="+own(deskAddress))
	s := standUp(t, serve(t, "--redis", url, "--require-list", "three"))
	none := pb.Reason_REASON_NOT_LOADED
	s.wants(t, []asks{
		{standingAddress, nil, verdictListed, 0}, {deskAddress, nil, verdictListed, 0}, {unlistedAddress, nil, verdictCannotScreen, none}, {unlistedAddress, &request{ListIds: []string{"one", "two"}}, verdictNotListed, 0},
	})
	publish(t, url, "three="+own(advisedAddress))
	eventually(t, "the list that is required is there", func() bool { return s.one(t, unlistedAddress, nil).Verdict == verdictNotListed })
	s.wants(t, []asks{{advisedAddress, nil, verdictListed, 0}})

	r.MustDo("FLUSHALL")
	publish(t, url, "one="+own(standingAddress))
	publish(t, url, "three="+own(advisedAddress))
	eventually(t, "the lists that were loaded again are served", func() bool {
		res := s.screen(t, &request{Addresses: []string{unlistedAddress}})
		return res.Snapshot.Sequence == 2 && len(res.Lists) == 2
	})
	s.wants(t, []asks{
		{standingAddress, nil, verdictListed, 0}, {unlistedAddress, nil, verdictCannotScreen, none}, {unlistedAddress, &request{ListIds: []string{"one", "three"}}, verdictNotListed, 0},
	})
	publish(t, url, "two="+own(deskAddress))
	eventually(t, "the list that was lost is there", func() bool { return s.one(t, unlistedAddress, nil).Verdict == verdictNotListed })
}

func minSnapshot(t *testing.T, w *world) {
	s := w.loaded()
	for sequence := range uint64(lastSnapshot + 1) {
		begin := time.Now()
		if res := s.screen(t, &request{Addresses: []string{standingAddress}, MinSnapshot: sequence}); res.Snapshot.Sequence != lastSnapshot || time.Since(begin) > 2*time.Second {
			t.Errorf("at least %d: %v after %s", sequence, res.Snapshot, time.Since(begin))
		}
	}
	refused := func(ctx context.Context, sequence uint64) time.Duration {
		t.Helper()
		begin := time.Now()
		_, err := s.ScreenAddresses(ctx, &request{Addresses: []string{standingAddress}, MinSnapshot: sequence})
		took := time.Since(begin)
		info := wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_REACHED", true)
		if m := info.GetMetadata(); m["sequence"] != fmt.Sprint(lastSnapshot) || m["min_snapshot"] != fmt.Sprint(sequence) {
			t.Errorf("metadata %v", m)
		}
		return took
	}
	// The clock is the real one, and the machine may be busy: what is held is that it
	// waits, for two seconds, and not much longer.
	if took := refused(t.Context(), lastSnapshot+1); took < 1900*time.Millisecond || took > 6*time.Second {
		t.Errorf("without a deadline it waited for %s, want two seconds", took)
	}
	for _, limit := range []time.Duration{50 * time.Millisecond, 700 * time.Millisecond} {
		for {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			begin := time.Now()
			_, err := s.ScreenAddresses(ctx, &request{Addresses: []string{standingAddress}, MinSnapshot: 1<<64 - 1})
			took := time.Since(begin)
			cancel()
			if status.Code(err) == codes.DeadlineExceeded && limit < 10*time.Second {
				limit *= 2 // the machine took longer over the answer than the server left for it
				continue
			}
			if wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_REACHED", true); took >= limit {
				t.Errorf("with %s it waited for %s", limit, took)
			}
			break
		}
	}

	r := storetest.Redis(t)
	g := newGrowing(t, r)
	grown := standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	for sequence := uint64(2); sequence <= 3; sequence++ {
		answer := make(chan *response, 1)
		go func() {
			res, err := grown.ScreenAddresses(t.Context(), &request{Addresses: []string{growingAddress(sequence)}, MinSnapshot: sequence})
			if err != nil {
				t.Error(err)
			}
			answer <- res
		}()
		g.grow(t)
		if res := <-answer; res.GetSnapshot().GetSequence() < sequence || res.GetResults()[0].GetVerdict() != verdictListed {
			t.Errorf("at least %d: %v", sequence, res)
		}
	}
}

func exactSnapshot(t *testing.T, w *world) {
	s := w.loaded()
	all := []string{standingAddress, leavingAddress, returningAddress, arrivingAddress, deskAddress, loadedEther}
	for sequence, want := range []string{
		1: "LISTED LISTED LISTED NOT_LISTED NOT_LISTED NOT_LISTED", 2: "LISTED LISTED LISTED NOT_LISTED NOT_LISTED LISTED", 3: "LISTED NOT_LISTED NOT_LISTED NOT_LISTED NOT_LISTED LISTED",
		4: "LISTED NOT_LISTED NOT_LISTED NOT_LISTED LISTED LISTED", 5: "LISTED NOT_LISTED LISTED LISTED LISTED LISTED", 0: "LISTED NOT_LISTED LISTED LISTED LISTED LISTED",
	} {
		for _, least := range []uint64{0, min(1, uint64(sequence)), uint64(sequence)} {
			res := s.screen(t, &request{Addresses: all, Snapshot: uint64(sequence), MinSnapshot: least})
			var got []string
			for _, r := range res.Results {
				got = append(got, strings.TrimPrefix(r.Verdict.String(), "VERDICT_"))
			}
			number := uint64(sequence)
			if sequence == 0 {
				number = lastSnapshot
			}
			if strings.Join(got, " ") != want || res.Snapshot.Sequence != number {
				t.Errorf("snapshot %d: %s of %v, want %s", sequence, got, res.Snapshot, want)
			}
		}
	}
	field[[2]uint64]{
		set:      func(r *request, v [2]uint64) { r.Snapshot, r.MinSnapshot = v[0], v[1] },
		accepted: [][2]uint64{{0, 0}, {0, 5}, {1, 0}, {1, 1}, {5, 4}, {5, 5}},
		refused:  [][2]uint64{{1, 2}, {4, 5}, {5, 6}, {1, 1<<64 - 1}, {1<<64 - 2, 1<<64 - 1}, {1 << 63, 1<<63 + 1}},
		reason:   "INVALID_SNAPSHOT",
	}.holds(t, s)
}

func snapshotToCome(t *testing.T, w *world) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		refuse(t, w.loaded(), []refusal{{codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false, &request{Snapshot: 1<<64 - 1}}})
	})
	begin := time.Now()
	_, err := w.loaded().ScreenAddresses(t.Context(), &request{Addresses: []string{standingAddress}, Snapshot: lastSnapshot + 1})
	if took := time.Since(begin); took < 1900*time.Millisecond || took > 6*time.Second {
		t.Errorf("it waited for %s, want two seconds", took)
	}
	info := wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false)
	if m := info.GetMetadata(); m["sequence"] != fmt.Sprint(lastSnapshot) || m["snapshot"] != fmt.Sprint(lastSnapshot+1) {
		t.Errorf("metadata %v", m)
	}

	r := storetest.Redis(t)
	g := newGrowing(t, r)
	grown := standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	answer := make(chan *response, 1)
	go func() {
		res, err := grown.ScreenAddresses(t.Context(), &request{Addresses: []string{growingAddress(2)}, Snapshot: 2})
		if err != nil {
			t.Error(err)
		}
		answer <- res
	}()
	g.grow(t)
	if res := <-answer; res.GetSnapshot().GetSequence() != 2 || res.GetResults()[0].GetVerdict() != verdictListed {
		t.Errorf("snapshot 2: %v", res)
	}
	// One that Redis keeps no more is not held by a server that did not serve it.
	r.MustDo("HDEL", "walletscreen:{default}:snapshots", "1")
	late := standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	_, err = late.ScreenAddresses(t.Context(), &request{Addresses: []string{growingAddress(1)}, Snapshot: 1})
	wantRefused(t, err, codes.FailedPrecondition, "SNAPSHOT_NOT_HELD", false)
	late.wants(t, []asks{{growingAddress(1), &request{Snapshot: 2}, verdictListed, 0}})
}

func supersededSnapshot(t *testing.T, w *world) {
	code := func(res *response, code pb.NoticeCode) []string {
		var lists []string
		for _, n := range res.Notices {
			if n.Code == code {
				lists = append(lists, n.ListId)
			}
		}
		return lists
	}
	superseded := pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED
	s := w.loaded()
	now := s.screen(t, &request{Addresses: []string{unlistedAddress}})
	for sequence := uint64(1); sequence <= lastSnapshot; sequence++ {
		res := s.screen(t, &request{Addresses: []string{unlistedAddress}, Snapshot: sequence})
		old := sequence < lastSnapshot
		if got := code(res, superseded); old != (len(got) == 1 && got[0] == "") || old != (res.ValidUntil == nil) || res.Results[0].Verdict != verdictNotListed {
			t.Errorf("snapshot %d: notices %v, valid until %v", sequence, res.Notices, res.ValidUntil)
		}
		for _, l := range res.Lists {
			i := slices.IndexFunc(now.Lists, func(other *pb.ListFreshness) bool { return other.ListId == l.ListId })
			if another := l.ListId == "house" && old; another != (l.VerifiedAt == nil) || !another && !proto.Equal(l, now.Lists[i]) || l.Stale {
				t.Errorf("snapshot %d: %v, now %v", sequence, l, now.Lists[i])
			}
		}
	}
	of := func(sequence uint64, age time.Duration, lists ...string) *request {
		req := &request{Snapshot: sequence, ListIds: lists}
		if age > 0 {
			req.MaxListAge = durationpb.New(age)
		}
		return req
	}
	stale := pb.Reason_REASON_STALE
	day, err := time.Parse(time.DateOnly, houseDays[0])
	if err != nil {
		t.Fatal(err)
	}
	since := time.Since(day.AddDate(0, 0, 1))
	s.wants(t, []asks{
		{unlistedAddress, of(1, 0, "house"), verdictNotListed, 0}, {unlistedAddress, of(1, since-time.Hour, "house"), verdictCannotScreen, stale}, {unlistedAddress, of(1, since+time.Hour, "house"), verdictNotListed, 0},
		{unlistedAddress, of(4, time.Hour, "desk", "us-ofac-sdn"), verdictNotListed, 0}, {unlistedAddress, of(4, 1, "desk"), verdictCannotScreen, stale},
	})
	w.stale().wants(t, []asks{
		{unlistedAddress, of(4, 0, "house"), verdictNotListed, 0}, {unlistedAddress, of(4, 0, "desk"), verdictCannotScreen, stale}, {unlistedAddress, of(5, 0, "house"), verdictCannotScreen, stale},
	})

	// mixed is held, now and in the snapshot before, and has rows with days of their own.
	held := w.held()
	for _, sequence := range []uint64{0, 1, 2} {
		res := held.screen(t, &request{Addresses: []string{unlistedAddress}, Snapshot: sequence})
		if got := code(res, pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD); !slices.Equal(got, []string{"mixed"}) {
			t.Errorf("snapshot %d: held %q", sequence, got)
		}
	}
	held.wants(t, []asks{
		{datedAddress, &request{Snapshot: 1}, verdictListed, 0}, {datedAddress, &request{Snapshot: 1, AsOf: "2025-05-31"}, verdictNotListed, 0}, {datedAddress, &request{Snapshot: 1, AsOf: "2025-06-01"}, verdictListed, 0},
	})
	s.wants(t, []asks{
		{boundedAddress, &request{Snapshot: 1}, verdictNotListed, 0}, {boundedAddress, &request{Snapshot: 1, AsOf: "2024-03-01", ListIds: []string{"house"}}, verdictListed, 0}, {comingAddress, &request{Snapshot: 1}, verdictNotListed, 0},
	})
}

func requestIDs(t *testing.T, w *world) {
	var printable []byte
	for c := byte(' '); c <= '~'; c++ {
		printable = append(printable, c)
	}
	f := field[string]{
		set:      func(r *request, v string) { r.RequestId = v },
		accepted: []string{"", " ", "a", string(printable), strings.Repeat("~", 127), strings.Repeat("~", 128)},
		refused:  []string{strings.Repeat("~", 129), "\x00", "a\x00", "\n", "a\r\n", "\t", "\x1f", "\x7f", "é", "批", "\u200b", "\ufeffa", strings.Repeat("é", 64), strings.Repeat("a", 1<<20)},
		reason:   "INVALID_REQUEST_ID",
	}
	f.holds(t, w.loaded())
	for _, id := range f.accepted {
		if res := w.loaded().screen(t, &request{Addresses: []string{standingAddress}, RequestId: id}); res.RequestId != id {
			t.Errorf("%q is returned for %q", res.RequestId, id)
		}
	}
	s := standUp(t, serve(t, "--log-calls", "all"))
	s.screen(t, &request{Addresses: []string{listedAddress, unlistedAddress, unlistedAddress, "x"}, RequestId: "batch-of-four"})
	eventually(t, "the request is logged", func() bool { return strings.Contains(s.logged(), "batch-of-four") })
	for line := range strings.Lines(s.logged()) {
		if strings.Contains(line, "batch-of-four") {
			for _, count := range []string{"=4", "=1", "=2"} {
				if !strings.Contains(line, count) {
					t.Errorf("the log lacks a count of %s: %s", count, line)
				}
			}
		}
		if strings.Contains(line, listedAddress) || strings.Contains(line, unlistedAddress) {
			t.Errorf("the log has an address: %s", line)
		}
	}
}

var responseClauses = []clause{
	{element: "ScreenAddressesResponse", says: []string{"ScreenAddressesResponse answers one ScreenAddressesRequest."}, meaning: "a definition"},
	{
		element: "ScreenAddressesResponse",
		says: []string{
			"It is a few bytes an address unless many of them are listed: then it may take some 500 bytes an address, more than the 4 MiB that many gRPC clients receive at most by default.",
			"A client that sends thousands of addresses at a time should allow 64 MiB.",
		},
		holds: sizeOfAnswers,
	},
	{element: "ScreenAddressesResponse.results", says: []string{"results holds exactly one result for each address, in request order."}, holds: resultsInOrder},
	{
		element: "ScreenAddressesResponse.snapshot", says: []string{"snapshot names the snapshot that every result comes from."},
		holds: func(t *testing.T, w *world) {
			for _, s := range []*answering{w.builtin(), w.loaded(), w.held()} {
				served, err := s.GetSnapshot(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, req := range []*request{{}, {AsOf: "2025-02-10"}, {Snapshot: served.Snapshot.Sequence}, {ListIds: []string{notLoaded}}} {
					req.Addresses = contractAddresses
					if res := s.screen(t, req); !proto.Equal(res.Snapshot, served.Snapshot) {
						t.Errorf("%v, want %v", res.Snapshot, served.Snapshot)
					}
				}
			}
			seen := map[string]bool{}
			for sequence := uint64(1); sequence <= lastSnapshot; sequence++ {
				res := w.loaded().screen(t, &request{Addresses: []string{standingAddress}, Snapshot: sequence})
				if res.Snapshot.Sequence != sequence || seen[res.Snapshot.Digest] || res.Snapshot.CreatedAt == nil {
					t.Errorf("snapshot %d: %v", sequence, res.Snapshot)
				}
				seen[res.Snapshot.Digest] = true
			}
		},
	},
	{
		element: "ScreenAddressesResponse.screened_at", says: []string{"screened_at is when the server looked the addresses up, by its own clock."},
		holds: func(t *testing.T, w *world) {
			for _, req := range []*request{{}, {AsOf: "2025-02-10"}, {Snapshot: 1}} {
				req.Addresses = []string{standingAddress}
				before := time.Now()
				res := w.loaded().screen(t, req)
				if at := res.ScreenedAt.AsTime(); at.Before(before) || at.After(time.Now()) {
					t.Errorf("%v: screened at %s, called at %s, answered at %s", req, at, before, time.Now())
				}
			}
		},
	},
	{
		element: "ScreenAddressesResponse.valid_until",
		says: []string{
			"valid_until is when the first of the lists consulted passes the age limit in force: a stored VERDICT_NOT_LISTED must not be relied on after it.",
			"Builtin lists, on which no limit is enforced, do not count.",
			"Unset when there are no others, when a list has already passed the limit, and for questions about the past (as_of, a snapshot that is served no more).",
		},
		holds: validUntil,
	},
	{element: "ScreenAddressesResponse.valid_until", says: []string{"A new snapshot may overtake the answer before."}, meaning: "advice to clients"},
	{
		element: "ScreenAddressesResponse.receipt", says: []string{"receipt is the signed receipt, when one was asked for."},
		holds: func(t *testing.T, w *world) {
			for _, answer := range w.answers() {
				if res, ok := answer.(*response); ok && res.Receipt != nil {
					t.Errorf("a receipt that nobody asked for: %v", res.Receipt)
				}
			}
		},
	},
	{
		element: "ScreenAddressesResponse.notices",
		says:    []string{"notices say what a reader of this answer must know and no single result tells: that a list is the builtin default, that a list is stale, that a publication of a list is held."},
		holds: func(t *testing.T, w *world) {
			for _, test := range []struct {
				name string
				s    *answering
				req  *request
				want []string
			}{
				{"builtin", w.builtin(), &request{}, []string{"NOTICE_CODE_BUILTIN_LISTS us-ofac-sdn"}},
				{"loaded", w.loaded(), &request{}, nil},
				{"stale", w.stale(), &request{}, []string{"NOTICE_CODE_LIST_STALE desk", "NOTICE_CODE_LIST_STALE house", "NOTICE_CODE_LIST_STALE us-ofac-sdn"}},
				{"stale, one list", w.stale(), &request{ListIds: []string{"desk"}}, []string{"NOTICE_CODE_LIST_STALE desk"}},
				{"stale for the caller", w.loaded(), &request{ListIds: []string{"house"}, MaxListAge: durationpb.New(1)}, []string{"NOTICE_CODE_LIST_STALE house"}},
				{"held", w.held(), &request{}, []string{"NOTICE_CODE_PUBLICATION_HELD mixed"}},
				{"held, another list", w.held(), &request{ListIds: []string{"desk"}}, nil},
				{"not loaded", w.loaded(), &request{ListIds: []string{notLoaded, "desk"}}, []string{"NOTICE_CODE_LIST_NOT_LOADED " + notLoaded}},
			} {
				// They are those of the lists, whatever is asked about.
				for _, text := range []string{standingAddress, unlistedAddress, "x"} {
					req := proto.CloneOf(test.req)
					req.Addresses = []string{text}
					var got []string
					for _, n := range test.s.screen(t, req).Notices {
						got = append(got, n.Code.String()+" "+n.ListId)
						if n.Message == "" {
							t.Errorf("%s: %v says nothing", test.name, n)
						}
					}
					if slices.Sort(got); !slices.Equal(got, test.want) {
						t.Errorf("%s: %q, want %q", test.name, got, test.want)
					}
				}
			}
		},
	},
	{
		element: "ScreenAddressesResponse.lists", says: []string{"lists are the lists that were consulted, in order of their ids, and how fresh each is."},
		holds: func(t *testing.T, w *world) {
			served, err := w.loaded().GetSnapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			fresh := map[string]*pb.ListStatus{}
			for _, l := range served.Lists {
				fresh[l.ListId] = l
			}
			for _, test := range []struct{ ask, want []string }{
				{nil, []string{"desk", "house", "us-ofac-sdn"}}, {[]string{"us-ofac-sdn", "desk"}, []string{"desk", "us-ofac-sdn"}}, {[]string{"house"}, []string{"house"}}, {[]string{notLoaded}, nil},
				{[]string{"house", notLoaded, "house"}, []string{"house"}},
			} {
				var got []string
				for _, l := range w.loaded().screen(t, &request{Addresses: []string{unlistedAddress}, ListIds: test.ask}).Lists {
					got = append(got, l.ListId)
					if want := fresh[l.ListId]; l.PublishedOn != want.Publication.PublishedOn || !proto.Equal(l.VerifiedAt, want.VerifiedAt) || l.VerifiedAt == nil || l.Stale {
						t.Errorf("%v, want as %v", l, want)
					}
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("asked for %q: %q, want %q", test.ask, got, test.want)
				}
			}
			for _, l := range w.stale().screen(t, &request{Addresses: []string{unlistedAddress}}).Lists {
				if !l.Stale {
					t.Errorf("it is stale: %v", l)
				}
			}
		},
	},
	{element: "ScreenAddressesResponse.request_id", says: []string{"request_id is the request_id of the request."}, holds: requestIDs},
	{element: "ScreenResult", says: []string{"ScreenResult is the answer for one address."}, meaning: "a definition"},
	{
		element: "ScreenResult",
		says:    []string{"A result that is not listed and has nothing else to say takes four bytes on the wire: it does not repeat the address."},
		holds: func(t *testing.T, w *world) {
			ask := func(n int) (size int) {
				var whole encodedSize
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				// Lists that never change of size leave the results to tell of.
				err := w.loaded().conn.Invoke(ctx, pb.ScreeningService_ScreenAddresses_FullMethodName, &request{Addresses: slices.Repeat([]string{unlistedAddress}, n), Snapshot: lastSnapshot}, &whole, grpc.ForceCodecV2(sizing{}))
				if err != nil {
					t.Fatal(err)
				}
				return int(whole)
			}
			// The nanoseconds of two instants may take some bytes more or less.
			const instants = 16
			if more := ask(10_000) - ask(1); more < 4*9_999-instants || more > 4*9_999+instants {
				t.Errorf("9,999 addresses more take %d bytes", more)
			}
		},
	},
	{
		element: "ScreenResult.verdict", says: []string{"verdict is the answer, the strongest that applies."},
		holds: func(t *testing.T, w *world) {
			w.held().wants(t, []asks{{bothAddress, nil, verdictListed, 0}})
			w.loaded().wants(t, []asks{
				{taggedAddress, nil, verdictRelated, 0}, {advisedAddress, nil, verdictAdvisory, 0}, {standingAddress, &request{ListIds: []string{"desk", notLoaded}, MaxListAge: durationpb.New(1)}, verdictListed, 0},
				{unlistedAddress, nil, verdictNotListed, 0}, {"x", nil, verdictCannotScreen, pb.Reason_REASON_UNRECOGNIZED},
			})
		},
	},
	{
		element: "ScreenResult.reason",
		says: []string{
			"reason says why VERDICT_CANNOT_SCREEN.",
			"Beside VERDICT_ADVISORY and VERDICT_RELATED it says why a stronger verdict cannot be ruled out (a list is stale, a checksum fails).",
			"Never set beside VERDICT_NOT_LISTED.",
		},
		holds: func(t *testing.T, w *world) {
			stale, checksum := pb.Reason_REASON_STALE, pb.Reason_REASON_CHECKSUM
			w.stale().wants(t, []asks{{advisedAddress, nil, verdictAdvisory, stale}, {taggedAddress, nil, verdictRelated, stale}, {unlistedAddress, nil, verdictCannotScreen, stale}, {standingAddress, nil, verdictListed, 0}})
			w.loaded().wants(t, []asks{{advisedAddress, nil, verdictAdvisory, 0}, {taggedAddress, nil, verdictRelated, 0}, {misprintedText, nil, verdictCannotScreen, checksum}})
			w.held().wants(t, []asks{{"0x" + strings.ToLower(attributedText[2:]), nil, verdictAdvisory, 0}, {"0x" + strings.ToUpper(attributedText[2:40]) + attributedText[40:], nil, verdictAdvisory, 0}, {"0xBabe" + attributedText[6:], nil, verdictAdvisory, checksum}})
			for _, answer := range w.answers() {
				res, _ := answer.(*response)
				for _, r := range res.GetResults() {
					if r.Verdict == verdictNotListed && r.Reason != 0 || r.Verdict == verdictCannotScreen && r.Reason == 0 {
						t.Errorf("%v", r)
					}
				}
			}
		},
	},
	{
		element: "ScreenResult.matches",
		says: []string{
			"matches are the listings behind the verdict, the strongest first: at least one for VERDICT_LISTED, VERDICT_ADVISORY and VERDICT_RELATED, none otherwise.",
			"One address may match listings of several parties, lists and symbols; all are returned.",
		},
		holds: func(t *testing.T, w *world) {
			matches := func(s *answering, text string) string {
				var all []string
				for _, m := range s.one(t, text, nil).Matches {
					l := m.Listing
					all = append(all, strings.Join([]string{l.ListId, l.PartyUid, l.Symbol, strings.TrimPrefix(l.Kind.String(), "LIST_KIND_")}, " "))
				}
				return strings.Join(all, ", ")
			}
			for text, want := range map[string][]string{
				standingAddress: {"house h-1 ETH INTERNAL", "desk d-1 ETH INTERNAL"}, loadedEther: {"us-ofac-sdn 101 ETH DESIGNATION", "us-ofac-sdn 102 ETH DESIGNATION"},
				"T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb": {"us-ofac-sdn 102  DESIGNATION", "us-ofac-sdn 104 TRX DESIGNATION", "us-ofac-sdn 105 TRX DESIGNATION"}, unlistedAddress: nil, "x": nil, leavingAddress: nil,
			} {
				got := strings.Split(matches(w.loaded(), text), ", ")
				if want == nil {
					want = []string{""}
				}
				slices.Sort(want)
				if slices.Sort(got); !slices.Equal(got, want) {
					t.Errorf("%s matches %q, want %q", text, got, want)
				}
			}
			if got, want := matches(w.held(), bothAddress), "mixed m-2 ETH INTERNAL, mixed m-1 ETH ADVISORY"; got != want {
				t.Errorf("%s matches %q, want the binding listing first: %q", bothAddress, got, want)
			}
			for _, answer := range w.answers() {
				res, _ := answer.(*response)
				for _, r := range res.GetResults() {
					if some := r.Verdict == verdictListed || r.Verdict == verdictAdvisory || r.Verdict == verdictRelated; some != (len(r.Matches) > 0) {
						t.Errorf("%v", r)
					}
					if !slices.IsSortedFunc(r.Matches, func(a, b *pb.Match) int { return strength(a) - strength(b) }) {
						t.Errorf("not the strongest first: %v", r)
					}
				}
			}
		},
	},
	{
		element: "ScreenResult.warnings", says: []string{"warnings are remarks on how the text had to be read."},
		holds: func(t *testing.T, w *world) {
			for text, want := range map[string][]pb.Warning{
				standingAddress: nil, unlistedAddress: nil, " " + standingAddress: {pb.Warning_WARNING_NORMALIZED}, "ethereum:" + standingAddress: {pb.Warning_WARNING_URI},
				`"` + unlistedAddress + `"`: {pb.Warning_WARNING_NORMALIZED}, "0xBabe" + attributedText[6:]: {pb.Warning_WARNING_CHECKSUM_CASE},
			} {
				if r := w.loaded().one(t, text, nil); !slices.Equal(r.Warnings, want) {
					t.Errorf("%q: %v, want %v", text, r, want)
				}
			}
		},
	},
	{
		element: "ScreenResult.reserved", says: []string{"kept for what later versions say about a single address in one byte of tag"},
		holds: func(t *testing.T, _ *world) {
			m := (&pb.ScreenResult{}).ProtoReflect().Descriptor()
			for number := protoreflect.FieldNumber(5); number <= 15; number++ {
				if !m.ReservedRanges().Has(number) || m.Fields().ByNumber(number) != nil {
					t.Errorf("number %d is not reserved", number)
				}
			}
		},
	},
}

// strength is how strong a match is, 0 the strongest.
func strength(m *pb.Match) int {
	account := m.Basis == pb.Basis_BASIS_EXACT_TEXT || m.Basis == pb.Basis_BASIS_SAME_ACCOUNT
	switch {
	case account && m.Listing.Kind != pb.ListKind_LIST_KIND_ADVISORY:
		return 0
	case account:
		return 1
	}
	return 2
}

// encodedSize is how long an answer is on the wire, in bytes.
type encodedSize int

// sizing is a codec that measures answers.
type sizing struct{ wire.Codec }

func (sizing) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*encodedSize) = encodedSize(data.Len())
	return nil
}

func sizeOfAnswers(t *testing.T, w *world) {
	few := w.builtin().screen(t, &request{Addresses: slices.Repeat([]string{unlistedAddress}, 10_000)})
	if size := proto.Size(few); size > 5*10_000 {
		t.Errorf("10,000 that are not listed take %d bytes", size)
	}
	// Not decoded here, which takes longer than the server takes to answer.
	all := &request{Addresses: slices.Repeat([]string{listedAddress}, 10_000)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var size encodedSize
	if err := w.builtin().conn.Invoke(ctx, pb.ScreeningService_ScreenAddresses_FullMethodName, all, &size, grpc.ForceCodecV2(sizing{})); err != nil {
		t.Fatal(err)
	}
	if size < 4<<20 || size < 300*10_000 || size > 1500*10_000 {
		t.Errorf("10,000 that are listed take %d bytes", size)
	}
	_, err := w.builtin().screening.ScreenAddresses(ctx, all, grpc.MaxCallRecvMsgSize(4<<20))
	wantPlain(t, "a client that receives 4 MiB", err, codes.ResourceExhausted)
}

func validUntil(t *testing.T, w *world) {
	const serverLimit = 26 * time.Hour
	near := func(at *timestamppb.Timestamp, want time.Time) bool {
		return at != nil && at.AsTime().Sub(want).Abs() < time.Second
	}
	s := w.loaded()
	for _, lists := range [][]string{nil, {"house"}, {"desk", "us-ofac-sdn"}, {"house", notLoaded}} {
		for limit, req := range map[time.Duration]*request{serverLimit: {}, 2 * time.Hour: {MaxListAge: durationpb.New(2 * time.Hour)}, serverLimit + 1: {MaxListAge: durationpb.New(1000 * time.Hour)}} {
			req.Addresses, req.ListIds = []string{unlistedAddress}, lists
			res := s.screen(t, req)
			first := res.Lists[0].VerifiedAt.AsTime()
			for _, l := range res.Lists {
				if at := l.VerifiedAt.AsTime(); at.Before(first) {
					first = at
				}
			}
			if !near(res.ValidUntil, first.Add(limit)) {
				t.Errorf("%v: valid until %v, want %s", req, res.ValidUntil, first.Add(limit))
			}
		}
	}
	for name, res := range map[string]*response{
		"builtin": w.builtin().screen(t, &request{Addresses: []string{unlistedAddress}}), "stale": w.stale().screen(t, &request{Addresses: []string{unlistedAddress}}),
		"stale for the caller": s.screen(t, &request{Addresses: []string{unlistedAddress}, MaxListAge: durationpb.New(1)}), "no list": s.screen(t, &request{Addresses: []string{unlistedAddress}, ListIds: []string{notLoaded}}),
		"as_of": s.screen(t, &request{Addresses: []string{unlistedAddress}, AsOf: "2025-02-10"}), "as_of today": s.screen(t, &request{Addresses: []string{unlistedAddress}, AsOf: time.Now().UTC().Format(time.DateOnly)}),
		"served no more": s.screen(t, &request{Addresses: []string{unlistedAddress}, Snapshot: lastSnapshot - 1}),
	} {
		if res.ValidUntil != nil {
			t.Errorf("%s: valid until %v", name, res.ValidUntil)
		}
	}
	if res := s.screen(t, &request{Addresses: []string{unlistedAddress}, Snapshot: lastSnapshot}); res.ValidUntil == nil {
		t.Errorf("asked for by its number: %v", res)
	}

	// A server without Redis, with a builtin list and one that it read itself.
	both := standUp(t, serve(t, "--refresh", "1h", "--source", "house="+csvFile(t, housePublication(0))))
	eventually(t, "both lists are served", func() bool { return len(both.screen(t, &request{Addresses: []string{unlistedAddress}}).Lists) == 2 })
	res := both.screen(t, &request{Addresses: []string{unlistedAddress}})
	if res.Lists[0].ListId != "house" || res.Lists[1].VerifiedAt != nil || !near(res.ValidUntil, res.Lists[0].VerifiedAt.AsTime().Add(serverLimit)) {
		t.Errorf("%v: valid until %v", res.Lists, res.ValidUntil)
	}
	if res := both.screen(t, &request{Addresses: []string{unlistedAddress}, ListIds: []string{"us-ofac-sdn"}}); res.ValidUntil != nil {
		t.Errorf("of the builtin list alone: valid until %v", res.ValidUntil)
	}
}
