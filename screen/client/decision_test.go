package client

import (
	"context"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
)

var (
	noon  = time.Date(2025, 11, 5, 12, 0, 0, 0, time.UTC)
	today = Policy{Now: func() time.Time { return noon }}
)

// question and answer are of one address that is not listed and may go ahead.
func question() *pb.ScreenAddressesRequest {
	return &pb.ScreenAddressesRequest{Addresses: []string{"a"}, RequestId: "r"}
}

func answer() *pb.ScreenAddressesResponse {
	return &pb.ScreenAddressesResponse{
		Results:    []*pb.ScreenResult{{Verdict: pb.Verdict_VERDICT_NOT_LISTED}},
		Snapshot:   &pb.SnapshotRef{Sequence: 7, Digest: "ab"},
		ScreenedAt: timestamppb.New(noon), ValidUntil: timestamppb.New(noon.Add(time.Hour)),
		Lists: []*pb.ListFreshness{{ListId: "us-ofac-sdn"}}, RequestId: "r",
	}
}

// values are all values of an enum, and some that it does not have.
func values(d protoreflect.EnumDescriptor) []int32 {
	all := []int32{-1, math.MinInt32, math.MaxInt32, 1000}
	for i := range d.Values().Len() {
		all = append(all, int32(d.Values().Get(i).Number()))
	}
	return all
}

// Of all that one result may say, only NOT_LISTED without a reason or a match goes
// ahead; the rest is what docs/clients.md says.
func TestEveryVerdictAndReason(t *testing.T) {
	want := map[pb.Verdict]Action{pb.Verdict_VERDICT_ADVISORY: Hold, pb.Verdict_VERDICT_RELATED: Hold}
	n := 0
	for _, v := range values(pb.Verdict(0).Descriptor()) {
		for _, r := range values(pb.Reason(0).Descriptor()) {
			for _, match := range []bool{false, true} {
				n++
				verdict, reason := pb.Verdict(v), pb.Reason(r)
				res := answer()
				res.Results[0].Verdict, res.Results[0].Reason = verdict, reason
				if match {
					res.Results[0].Matches = []*pb.Match{{}}
				}
				d := today.Decide(question(), res, nil).At(0)
				wanted := want[verdict]
				switch {
				case verdict == pb.Verdict_VERDICT_NOT_LISTED && reason == 0 && !match:
					wanted = Proceed
				case verdict == pb.Verdict_VERDICT_CANNOT_SCREEN:
					wanted = reasons[reason].action
				}
				if d.Action() != wanted || d.MayProceed() != (wanted == Proceed) || d.Why() == "" || (d.Action() == Retry) != (d.After() > 0) {
					t.Errorf("%s, %s, match %t: %s (%s) after %s, want %s", verdict, reason, match, d.Action(), d.Why(), d.After(), wanted)
				}
			}
		}
	}
	for _, r := range values(pb.Reason(0).Descriptor())[4:] {
		if _, ok := reasons[pb.Reason(r)]; !ok && r != 0 {
			t.Errorf("%s: nothing is decided about it", pb.Reason(r))
		}
		if reasons[pb.Reason(r)].action == Proceed {
			t.Errorf("%s lets a transfer go ahead", pb.Reason(r))
		}
	}
	t.Logf("%d combinations", n)
}

// An error never goes ahead, whatever comes with it: every code, with every reason.
func TestEveryCodeAndErrorReason(t *testing.T) {
	for code := codes.Code(1); code < 20; code++ {
		for _, r := range append(values(pb.ErrorReason(0).Descriptor()), -2) {
			for _, wait := range []time.Duration{-1, 0, 3 * time.Second} {
				st := status.New(code, "it holds a secret")
				name := strings.TrimPrefix(pb.ErrorReason(r).String(), "ERROR_REASON_")
				if r != -2 {
					st, _ = st.WithDetails(&errdetails.ErrorInfo{Domain: "walletscreen", Reason: name})
				}
				if wait >= 0 {
					st, _ = st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
				}
				wanted := byCode[code].action
				if a, ok := byReason[pb.ErrorReason(r)]; ok {
					wanted = a.action
				} else if code == codes.ResourceExhausted && wait >= 0 {
					wanted = Retry
				}
				after := time.Duration(0)
				if wanted == Retry {
					if after = time.Second; wait >= 0 {
						after = wait
					}
				}
				for _, res := range []*pb.ScreenAddressesResponse{nil, answer()} {
					d := today.Decide(question(), res, fmt.Errorf("asking: %w", st.Err())).At(0)
					if d.MayProceed() || d.Action() != wanted || d.After() != after || d.Why() == "" || strings.Contains(d.Why(), "secret") {
						t.Errorf("%s, %s, wait %s: %s (%s) after %s, want %s after %s", code, name, wait, d.Action(), d.Why(), d.After(), wanted, after)
					}
				}
			}
		}
	}
	for err, wanted := range map[error]Action{
		context.DeadlineExceeded: Retry, fmt.Errorf("it: %w", context.Canceled): Retry, os.ErrNotExist: Hold,
	} {
		if d := today.Decide(question(), answer(), err).At(0); d.Action() != wanted {
			t.Errorf("%v: %s (%s), want %s", err, d.Action(), d.Why(), wanted)
		}
	}
	// A reason of another service is none of ours.
	st, _ := status.New(codes.Internal, "").WithDetails(&errdetails.ErrorInfo{Domain: "example.com", Reason: "NOT_READY"})
	if d := today.Decide(question(), nil, st.Err()).At(0); d.Action() != Hold {
		t.Errorf("a reason of another domain: %s (%s)", d.Action(), d.Why())
	}
}

// What is wrong with a whole response stops all that is not listed in it.
func TestEveryResponse(t *testing.T) {
	type (
		req = pb.ScreenAddressesRequest
		res = pb.ScreenAddressesResponse
	)
	notice := func(code pb.NoticeCode) func(*req, *res) {
		return func(_ *req, s *res) { s.Notices = []*pb.Notice{{Code: code, ListId: "us-ofac-sdn"}} }
	}
	warning := func(w ...pb.Warning) func(*req, *res) {
		return func(_ *req, s *res) { s.Results[0].Warnings = w }
	}
	builtin, held := today, today
	builtin.AllowBuiltin, held.AllowHeld = true, true
	lists := today
	lists.Lists = []string{"uk-sanctions"}
	for _, test := range []struct {
		name   string
		policy Policy
		change func(*req, *res)
		want   Action
	}{
		{"nothing", today, func(*req, *res) {}, Proceed},
		{"no results", today, func(_ *req, s *res) { s.Results = nil }, Block},
		{"a result too many", today, func(_ *req, s *res) { s.Results = append(s.Results, s.Results[0]) }, Block},
		{"an empty result", today, func(_ *req, s *res) { s.Results[0] = nil }, Block},
		{"an empty response", today, func(_ *req, s *res) { proto.Reset(s) }, Block},
		{"expired", today, func(_ *req, s *res) { s.ValidUntil = timestamppb.New(noon) }, Retry},
		{"valid for another nanosecond", today, func(_ *req, s *res) { s.ValidUntil = timestamppb.New(noon.Add(1)) }, Proceed},
		{"valid for ever", today, func(_ *req, s *res) { s.ValidUntil = nil }, Hold},
		{"valid until what is no instant", today, func(_ *req, s *res) { s.ValidUntil.Nanos = -1 }, Block},
		{"no time", today, func(_ *req, s *res) { s.ScreenedAt = nil }, Block},
		{"no snapshot", today, func(_ *req, s *res) { s.Snapshot = nil }, Block},
		{"no digest", today, func(_ *req, s *res) { s.Snapshot.Digest = "" }, Block},
		{"another snapshot", today, func(q *req, _ *res) { q.Snapshot = 6 }, Block},
		{"the snapshot", today, func(q *req, _ *res) { q.Snapshot = 7 }, Proceed},
		{"too old a snapshot", today, func(q *req, _ *res) { q.MinSnapshot = 8 }, Block},
		{"another request", today, func(_ *req, s *res) { s.RequestId = "q" }, Block},
		{"the past", today, func(q *req, _ *res) { q.AsOf = "2025-01-01" }, Block},
		{"no receipt", today, func(q *req, _ *res) { q.Receipt = true }, Hold},
		{"a receipt", today, func(q *req, s *res) { q.Receipt, s.Receipt = true, &pb.Receipt{Signature: []byte{1}} }, Proceed},
		{"no lists", today, func(_ *req, s *res) { s.Lists = nil }, Block},
		{"a stale list", today, func(_ *req, s *res) { s.Lists[0].Stale = true }, Retry},
		{"a list asked for", today, func(q *req, _ *res) { q.ListIds = []string{"us-ofac-sdn"} }, Proceed},
		{"a list asked for that is not there", today, func(q *req, _ *res) { q.ListIds = []string{"us-ofac-sdn", "eu-fsf"} }, Block},
		{"a list of the policy that is not there", lists, func(*req, *res) {}, Block},
		{"a list of the policy", lists, func(_ *req, s *res) { s.Lists = append(s.Lists, &pb.ListFreshness{ListId: "uk-sanctions"}) }, Proceed},
		{"notice: builtin", today, notice(pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS), Hold},
		{"notice: builtin, allowed", builtin, notice(pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS), Proceed},
		{"notice: held", today, notice(pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD), Hold},
		{"notice: held, allowed", held, notice(pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD), Proceed},
		{"notice: held, builtin allowed", builtin, notice(pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD), Hold},
		{"notice: stale", today, notice(pb.NoticeCode_NOTICE_CODE_LIST_STALE), Retry},
		{"notice: not loaded", today, notice(pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED), Retry},
		{"notice: unspecified", today, notice(0), Block},
		{"notice: unknown", builtin, notice(99), Block},
		{"only builtin lists, valid for ever", builtin, func(q *req, s *res) {
			notice(pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS)(q, s)
			s.ValidUntil = nil
		}, Proceed},
		{"a builtin list and one valid for ever", builtin, func(q *req, s *res) {
			notice(pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS)(q, s)
			s.ValidUntil, s.Lists = nil, append(s.Lists, &pb.ListFreshness{ListId: "house"})
		}, Hold},
		{"warnings", today, warning(pb.Warning_WARNING_NORMALIZED, pb.Warning_WARNING_NETWORK_MISMATCH, pb.Warning_WARNING_TESTNET), Proceed},
		{"a warning that does not go with it", today, warning(pb.Warning_WARNING_HOMOGLYPH), Block},
		{"an unknown warning", today, warning(pb.Warning_WARNING_URI, 99), Block},
		{"an unspecified warning", today, warning(0), Block},
	} {
		q, s := question(), answer()
		test.change(q, s)
		d := test.policy.Decide(q, s, nil)
		if len(d) != 1 || d.At(0).Action() != test.want || d.MayProceed() != (test.want == Proceed) || d.At(0).Why() == "" {
			t.Errorf("%s: %s (%s), want %s", test.name, d.At(0).Action(), d.At(0).Why(), test.want)
		}
		// What is listed is listed in any answer that has the right number of results.
		if len(s.Results) == 1 {
			s.Results[0] = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_LISTED}
			if d := test.policy.Decide(q, s, nil).At(0); d.Action() != Block || d.Why() != "listed" {
				t.Errorf("%s: %s (%s), want BLOCK, listed", test.name, d.Action(), d.Why())
			}
		}
	}
}

// A notice of a code that the enum has and the policy forgot would block.
func TestEveryNotice(t *testing.T) {
	for _, code := range values(pb.NoticeCode(0).Descriptor())[4:] {
		s := answer()
		s.Notices = []*pb.Notice{{Code: pb.NoticeCode(code)}}
		d := today.Decide(question(), s, nil).At(0)
		if d.MayProceed() || code != 0 && strings.Contains(d.Why(), "does not know") {
			t.Errorf("%s: %s (%s)", pb.NoticeCode(code), d.Action(), d.Why())
		}
	}
}

// Whatever is not decided blocks, and what was decided ends with the answer.
func TestDecisionsEnd(t *testing.T) {
	var zero Decision
	if zero.MayProceed() || zero.Action() != Block || zero.Why() == "" {
		t.Errorf("the zero Decision: %t, %s, %q", zero.MayProceed(), zero.Action(), zero.Why())
	}
	now := noon
	p := Policy{Now: func() time.Time { return now }}
	d := p.Decide(question(), answer(), nil)
	if !d.MayProceed() || !d.At(0).Until().Equal(noon.Add(time.Hour)) {
		t.Errorf("%s until %s", d.At(0).Action(), d.At(0).Until())
	}
	now = noon.Add(time.Hour)
	if d.MayProceed() || d.At(0).Action() != Retry || d.At(0).Why() != expired {
		t.Errorf("after the end: %t, %s, %q", d.MayProceed(), d.At(0).Action(), d.At(0).Why())
	}
	for _, i := range []int{-1, 1, math.MaxInt} {
		if d.At(i).MayProceed() {
			t.Errorf("the decision for address %d of 1 lets it go ahead", i)
		}
	}
	for name, d := range map[string]Decisions{
		"no decisions": nil, "none": {}, "no request": today.Decide(nil, answer(), nil), "nothing": today.Decide(nil, nil, nil),
		"no answer": today.Decide(question(), nil, nil), "an empty request": today.Decide(&pb.ScreenAddressesRequest{}, &pb.ScreenAddressesResponse{}, nil),
	} {
		if d.MayProceed() || d.At(0).MayProceed() {
			t.Errorf("%s: goes ahead", name)
		}
	}
	// The clock that is used without one is the computer's.
	s := answer()
	s.ValidUntil = timestamppb.New(time.Now().Add(time.Hour))
	if d := (Policy{}).Decide(question(), s, nil); !d.MayProceed() {
		t.Errorf("%s (%s)", d.At(0).Action(), d.At(0).Why())
	}
	if d := (Policy{}).Decide(question(), answer(), nil); d.MayProceed() {
		t.Error("an answer of 2025 lets a transfer go ahead")
	}
}

// FuzzDecide holds Decide to its promise, told once more and from the other end: it
// lets go ahead only what is in every respect as it should be.
func FuzzDecide(f *testing.F) {
	add := func(change func(*pb.ScreenAddressesRequest, *pb.ScreenAddressesResponse), builtin, held bool) {
		q, s := question(), answer()
		change(q, s)
		a, err := proto.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		b, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(a, b, builtin, held)
	}
	add(func(*pb.ScreenAddressesRequest, *pb.ScreenAddressesResponse) {}, false, false)
	add(func(q *pb.ScreenAddressesRequest, s *pb.ScreenAddressesResponse) {
		q.Addresses, q.ListIds, q.MinSnapshot = append(q.Addresses, "b"), []string{"us-ofac-sdn"}, 7
		s.Results = append(s.Results, &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_STALE})
	}, false, true)
	add(func(_ *pb.ScreenAddressesRequest, s *pb.ScreenAddressesResponse) {
		s.Notices, s.ValidUntil = []*pb.Notice{{Code: pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS, ListId: "us-ofac-sdn"}}, nil
		s.Results[0].Warnings = []pb.Warning{pb.Warning_WARNING_URI}
	}, true, false)
	f.Fuzz(func(t *testing.T, a, b []byte, builtin, held bool) {
		var q pb.ScreenAddressesRequest
		var s pb.ScreenAddressesResponse
		if proto.Unmarshal(a, &q) != nil || proto.Unmarshal(b, &s) != nil {
			return
		}
		p := today
		p.AllowBuiltin, p.AllowHeld = builtin, held
		decisions := p.Decide(&q, &s, nil)
		if len(decisions) != len(q.Addresses) {
			t.Fatalf("%d decisions for %d addresses", len(decisions), len(q.Addresses))
		}
		for i, d := range decisions {
			if d.Why() == "" {
				t.Fatalf("%s for no reason", d.Action())
			}
			if !d.MayProceed() {
				continue
			}
			r := s.Results[i]
			must := map[string]bool{
				"one result for each address": len(s.Results) == len(q.Addresses),
				"not listed":                  r.GetVerdict() == pb.Verdict_VERDICT_NOT_LISTED,
				"no reason":                   r.GetReason() == 0,
				"no match":                    len(r.GetMatches()) == 0,
				"a snapshot":                  s.Snapshot.GetSequence() > 0 && s.Snapshot.GetDigest() != "",
				"new enough":                  s.Snapshot.GetSequence() >= q.MinSnapshot,
				"the snapshot asked for":      q.Snapshot == 0 || q.Snapshot == s.Snapshot.GetSequence(),
				"about now":                   q.AsOf == "",
				"lists":                       len(s.Lists) > 0,
				"no stale list":               !slices.ContainsFunc(s.Lists, (*pb.ListFreshness).GetStale),
				"valid, or builtin":           s.ValidUntil.IsValid() && s.ValidUntil.AsTime().After(noon) || s.ValidUntil == nil && builtin && len(s.Notices) > 0,
				"the same request":            q.RequestId == s.RequestId,
				"a receipt if asked for":      !q.Receipt || len(s.Receipt.GetSignature()) > 0,
				"notices that are allowed": !slices.ContainsFunc(s.Notices, func(n *pb.Notice) bool {
					return !(builtin && n.GetCode() == pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS || held && n.GetCode() == pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD)
				}),
				"lists asked for": !slices.ContainsFunc(q.ListIds, func(id string) bool {
					return !slices.ContainsFunc(s.Lists, func(l *pb.ListFreshness) bool { return l.GetListId() == id })
				}),
				"warnings that are known": !slices.ContainsFunc(r.GetWarnings(), func(w pb.Warning) bool {
					return w == 0 || w == pb.Warning_WARNING_HOMOGLYPH || pb.Warning_name[int32(w)] == ""
				}),
			}
			for what, holds := range must {
				if !holds {
					t.Errorf("goes ahead without: %s", what)
				}
			}
		}
	})
}

// page is docs/clients.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rows are the rows of the table of the page whose first column has this head.
func rows(t *testing.T, head string) [][]string {
	t.Helper()
	var rows [][]string
	in := false
	for line := range strings.Lines(page(t)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			in = false
		case cells[0] == head:
			in = true
		case in && !strings.HasPrefix(cells[0], "-"):
			rows = append(rows, cells)
		}
	}
	if len(rows) == 0 {
		t.Fatalf("docs/clients.md has no table %q", head)
	}
	return rows
}

// canonical is the name of a code as it is written outside of Go: DEADLINE_EXCEEDED.
func canonical(code codes.Code) string {
	if code == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(regexp.MustCompile("([a-z])([A-Z])").ReplaceAllString(code.String(), "${1}_$2"))
}

// The page for other languages says what this package does.
func TestDocumentation(t *testing.T) {
	compare := func(head string, want map[string]Action) {
		t.Helper()
		for _, row := range rows(t, head) {
			if wanted, ok := want[row[0]]; !ok || row[1] != wanted.String() {
				t.Errorf("docs/clients.md says %s for %s, want %s", row[1], row[0], wanted)
			}
			delete(want, row[0])
		}
		for name := range want {
			t.Errorf("docs/clients.md does not say what to do about %s", name)
		}
	}

	errorReasons := map[string]Action{}
	for r, name := range pb.ErrorReason_name {
		if r == 0 {
			continue
		}
		if _, ok := byReason[pb.ErrorReason(r)]; !ok {
			t.Errorf("%s: nothing is decided about it", name)
		}
		errorReasons[strings.TrimPrefix(name, "ERROR_REASON_")] = byReason[pb.ErrorReason(r)].action
	}
	compare("reason of the error", errorReasons)

	withoutReason := map[string]Action{}
	for code := codes.Code(1); code <= codes.Unauthenticated; code++ {
		if _, ok := byCode[code]; !ok {
			t.Errorf("%s: nothing is decided about it", code)
		}
		withoutReason[canonical(code)] = byCode[code].action
	}
	compare("code without a reason", withoutReason)

	textReasons := map[string]Action{}
	for r, name := range pb.Reason_name {
		if r != 0 {
			textReasons[name] = reasons[pb.Reason(r)].action
		}
	}
	compare("reason of CANNOT_SCREEN", textReasons)

	verdicts := map[string]Action{}
	for v, name := range pb.Verdict_name {
		s := answer()
		s.Results[0].Verdict = pb.Verdict(v)
		verdicts[name] = today.Decide(question(), s, nil).At(0).Action()
	}
	verdicts["any other"] = Block
	delete(verdicts, pb.Verdict_VERDICT_CANNOT_SCREEN.String()) // has a table of its own
	compare("verdict", verdicts)

	notices := map[string]Action{}
	for n, name := range pb.NoticeCode_name {
		if n == 0 {
			continue
		}
		s := answer()
		s.Notices = []*pb.Notice{{Code: pb.NoticeCode(n)}}
		notices[name] = today.Decide(question(), s, nil).At(0).Action()
	}
	notices["any other"] = Block
	compare("notice", notices)

	block := regexp.MustCompile("(?s)```json\n(.*?)\n```").FindStringSubmatch(page(t))
	if block == nil || block[1] != serviceConfig {
		t.Error("docs/clients.md has another service config than this package")
	}
}
