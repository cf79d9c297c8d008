package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
)

// An Action is what to do about one address.
type Action int

const (
	// Block means: do not go ahead. Something is listed, the address or the request
	// must be corrected, or the answer is not one that this package understands.
	Block Action = iota
	// Hold means: do not go ahead before a person has decided.
	Hold
	// Retry means: nothing is known yet. Do not go ahead; ask again later.
	Retry
	// Proceed means: nothing was found. It is not clearance: publishers say themselves
	// that their lists of addresses are not exhaustive.
	Proceed
)

var actions = [...]string{Block: "BLOCK", Hold: "HOLD", Retry: "RETRY", Proceed: "PROCEED"}

// String returns the name of the action in docs/clients.md.
func (a Action) String() string {
	if a < 0 || int(a) >= len(actions) {
		return fmt.Sprintf("Action(%d)", int(a))
	}
	return actions[a]
}

// A Decision says what to do about one address, and why. The zero Decision blocks,
// and only Policy.Decide makes one that does not.
type Decision struct {
	action Action
	why    string
	after  time.Duration
	until  time.Time // when Proceed ends; zero only if the policy lets builtin lists pass
	now    func() time.Time
}

// MayProceed reports whether a transfer may go ahead now. It turns false when the
// answer that it rests on is no longer valid.
func (d Decision) MayProceed() bool {
	return d.action == Proceed && (d.until.IsZero() || d.now().Before(d.until))
}

// Action is what to do. A Proceed that is no longer valid is a Retry.
func (d Decision) Action() Action {
	if d.action == Proceed && !d.MayProceed() {
		return Retry
	}
	return d.action
}

// Why says why, for people and records, in English; its wording may change. It holds
// no address.
func (d Decision) Why() string {
	switch {
	case d.action == Proceed && !d.MayProceed():
		return expired
	case d.why == "":
		return "nothing was decided"
	}
	return d.why
}

// After is how long to wait before asking again, for Retry.
func (d Decision) After() time.Duration { return d.after }

// Until is when a Proceed ends; the zero Time for other actions, and for answers from
// builtin lists, which nothing limits.
func (d Decision) Until() time.Time { return d.until }

// Decisions are those for the addresses of one request, in order.
type Decisions []Decision

// At returns the decision for an address of the request. It blocks if there is none.
func (d Decisions) At(i int) Decision {
	if i < 0 || i >= len(d) {
		return Decision{}
	}
	return d[i]
}

// MayProceed reports whether there are decisions and each of them lets a transfer go
// ahead now.
func (d Decisions) MayProceed() bool {
	return len(d) > 0 && !slices.ContainsFunc(d, func(d Decision) bool { return !d.MayProceed() })
}

// A Policy says which answers of NOT_LISTED are good enough. The zero Policy is the
// strictest, and the one to use.
type Policy struct {
	// AllowBuiltin lets answers from builtin lists pass, which are frozen on the day
	// they were made: for trying things out, not for compliance.
	AllowBuiltin bool
	// AllowHeld lets answers pass while a publication of a list is held, which may
	// list what the answer does not: for those who read what is held and decided that
	// it does not matter.
	AllowHeld bool
	// Lists are lists that must have been consulted, besides those that the request
	// names. Without it an answer is held to what the server has.
	Lists []string
	// Now is the clock that answers are held against; nil means time.Now. It must not
	// be behind that of the servers, or answers are relied on for longer.
	Now func() time.Time
}

// retryAfter is how long to wait before asking again where a server does not say.
const retryAfter = time.Second

// recheckAfter is how long to wait where only an operator or a publisher can help.
const recheckAfter = time.Minute

const expired = "the answer is no longer valid: screen again"

// Decide says what to do about each address of a request, by its response or the
// error of the call. There is one Decision for each address, whatever the response
// holds.
//
// Proceed wants all of this: no error; exactly one result for each address;
// VERDICT_NOT_LISTED with nothing beside it that this package does not know or that
// contradicts it; a snapshot that is named and is the one asked for; every list asked
// for, at least one, consulted and fresh; valid_until in the future; no notice that
// the policy does not let pass; and a question about now.
func (p Policy) Decide(req *pb.ScreenAddressesRequest, res *pb.ScreenAddressesResponse, err error) Decisions {
	decisions := make(Decisions, len(req.GetAddresses()))
	same := func(d Decision) Decisions {
		for i := range decisions {
			decisions[i] = d
		}
		return decisions
	}
	switch {
	case err != nil:
		return same(failure(err))
	case res == nil:
		return same(Decision{why: "there is no answer"})
	case len(res.Results) != len(decisions):
		return same(Decision{why: fmt.Sprintf("%d addresses were answered with %d results", len(decisions), len(res.Results))})
	}
	now := p.Now
	if now == nil {
		now = time.Now
	}
	going, sound := p.sound(req, res, now)
	for i, r := range res.Results {
		d := ofResult(r)
		if d.action == Proceed {
			if !sound {
				d = going
			} else {
				d.until, d.now = going.until, now
			}
		}
		decisions[i] = d
	}
	return decisions
}

// sound holds a response against what every NOT_LISTED in it rests on. If it is
// sound, the decision says until when; otherwise it is the one in place of Proceed.
func (p Policy) sound(req *pb.ScreenAddressesRequest, res *pb.ScreenAddressesResponse, now func() time.Time) (d Decision, sound bool) {
	no := func(a Action, why string, args ...any) (Decision, bool) {
		d := Decision{action: a, why: fmt.Sprintf(why, args...)}
		if a == Retry {
			d.after = recheckAfter
		}
		return d, false
	}
	snapshot := res.GetSnapshot()
	switch {
	case req.GetAsOf() != "":
		return no(Block, "the answer is about the past")
	case res.GetRequestId() != req.GetRequestId():
		return no(Block, "the answer is to another request")
	case snapshot.GetSequence() == 0 || snapshot.GetDigest() == "":
		return no(Block, "the answer names no snapshot")
	case req.GetSnapshot() != 0 && snapshot.GetSequence() != req.GetSnapshot(), snapshot.GetSequence() < req.GetMinSnapshot():
		return no(Block, "the answer comes from snapshot %d, which was not asked for", snapshot.GetSequence())
	case !instant(res.GetScreenedAt()):
		return no(Block, "the answer does not say when it was given")
	case req.GetReceipt() && len(res.GetReceipt().GetSignature()) == 0:
		return no(Hold, "the receipt that was asked for is missing")
	}
	builtin := map[string]bool{}
	for _, n := range res.GetNotices() {
		switch n.GetCode() {
		case pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS:
			if !p.AllowBuiltin {
				return no(Hold, "a builtin list was consulted, which is not kept up to date")
			}
			builtin[n.GetListId()] = true
		case pb.NoticeCode_NOTICE_CODE_PUBLICATION_HELD:
			if !p.AllowHeld {
				return no(Hold, "a publication of list %s is held", printable(n.GetListId()))
			}
		case pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED:
			return no(Hold, "the answer comes from a snapshot that is served no more")
		case pb.NoticeCode_NOTICE_CODE_LIST_STALE, pb.NoticeCode_NOTICE_CODE_LIST_NOT_LOADED:
			return no(Retry, "list %s is stale or not loaded", printable(n.GetListId()))
		default:
			return no(Block, "the answer has a notice that this program does not know (%d)", n.GetCode())
		}
	}
	consulted := map[string]bool{}
	bounded := false // by a list that is not builtin
	for _, list := range res.GetLists() {
		if list.GetStale() {
			return no(Retry, "list %s is stale", printable(list.GetListId()))
		}
		consulted[list.GetListId()] = true
		bounded = bounded || !builtin[list.GetListId()] && !builtin[""]
	}
	if len(consulted) == 0 {
		return no(Block, "no list was consulted")
	}
	for _, id := range slices.Concat(req.GetListIds(), p.Lists) {
		if !consulted[id] {
			return no(Block, "list %s was not consulted", printable(id))
		}
	}
	switch {
	case res.GetValidUntil() == nil && !bounded:
		return Decision{}, true
	case res.GetValidUntil() == nil:
		return no(Hold, "nothing limits the age of the lists: set --max-list-age on the server, or max_list_age in the request")
	case !instant(res.GetValidUntil()):
		return no(Block, "valid_until is no instant")
	case !now().Before(res.GetValidUntil().AsTime()):
		return Decision{action: Retry, why: expired}, false
	}
	return Decision{until: res.GetValidUntil().AsTime()}, true
}

// instant reports whether a timestamp is there and holds an instant.
func instant(t *timestamppb.Timestamp) bool { return t != nil && t.IsValid() }

// printable keeps what another program wrote from spoiling a log.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	return text[:min(len(text), 64)]
}

// reasons says what to do about VERDICT_CANNOT_SCREEN. A reason that is not here
// blocks.
var reasons = map[pb.Reason]struct {
	action Action
	why    string
}{
	pb.Reason_REASON_EMPTY:                 {Block, "there is no text: have it entered again"},
	pb.Reason_REASON_TOO_LONG:              {Block, "the text is too long for an address: have it entered again"},
	pb.Reason_REASON_INVALID_TEXT:          {Block, "the bytes are no text: have it entered again"},
	pb.Reason_REASON_CHECKSUM:              {Block, "the checksum fails, most likely a typing error: have it entered again"},
	pb.Reason_REASON_MALFORMED:             {Block, "the text is nearly an address: have it entered again"},
	pb.Reason_REASON_NON_ASCII:             {Block, "the text has letters that no address has: have it entered again"},
	pb.Reason_REASON_AMBIGUOUS_32_BYTE:     {Hold, "the text may be a hash, a key or an account: find out which, and name the network"},
	pb.Reason_REASON_UNSUPPORTED_NETWORK:   {Hold, "the server does not know the network"},
	pb.Reason_REASON_NAME_NEEDS_RESOLUTION: {Block, "the text is a name: resolve it and screen the address"},
	pb.Reason_REASON_EXTENDED_KEY:          {Block, "the text stands for many addresses: derive them and screen each"},
	pb.Reason_REASON_NOT_AN_ADDRESS:        {Block, "the text is no address: screen the one behind it"},
	pb.Reason_REASON_SECRET_MATERIAL:       {Block, "the text may be a private key: do not store it, and tell its owner"},
	pb.Reason_REASON_SEVERAL_ADDRESSES:     {Block, "the text holds several addresses: screen each"},
	pb.Reason_REASON_UNRECOGNIZED:          {Hold, "the server does not know the encoding"},
	pb.Reason_REASON_STALE:                 {Retry, "a list is stale: its operator must act"},
	pb.Reason_REASON_NOT_LOADED:            {Retry, "a list is not loaded: its operator must act"},
	pb.Reason_REASON_BEFORE_HISTORY:        {Block, "the question is about a time that the history does not reach"},
}

// ofResult decides by what one result says, were the response sound.
func ofResult(r *pb.ScreenResult) Decision {
	switch r.GetVerdict() {
	case pb.Verdict_VERDICT_LISTED:
		return Decision{why: "listed"}
	case pb.Verdict_VERDICT_ADVISORY:
		return Decision{action: Hold, why: "listed on an advisory list"}
	case pb.Verdict_VERDICT_RELATED:
		return Decision{action: Hold, why: "related to a listing"}
	case pb.Verdict_VERDICT_CANNOT_SCREEN:
		known, ok := reasons[r.GetReason()]
		if !ok {
			return Decision{why: fmt.Sprintf("cannot be screened, for a reason that this program does not know (%d)", r.GetReason())}
		}
		d := Decision{action: known.action, why: known.why}
		if d.action == Retry {
			d.after = recheckAfter
		}
		return d
	case pb.Verdict_VERDICT_NOT_LISTED:
		for _, w := range r.GetWarnings() {
			_, known := pb.Warning_name[int32(w)]
			if !known || w == pb.Warning_WARNING_UNSPECIFIED || w == pb.Warning_WARNING_HOMOGLYPH {
				return Decision{why: fmt.Sprintf("not listed, with a warning that does not go with it (%d)", w)}
			}
		}
		if r.GetReason() != pb.Reason_REASON_UNSPECIFIED || len(r.GetMatches()) > 0 {
			return Decision{why: "the answer contradicts itself: not listed, with a reason or a match"}
		}
		return Decision{action: Proceed, why: "not listed"}
	}
	return Decision{why: fmt.Sprintf("the verdict is one that this program does not know (%d)", r.GetVerdict())}
}

// advice is what to do about an error.
type advice struct {
	action Action
	why    string
}

// byReason says what to do about each reason of the contract. A reason that is not
// here is judged by its code.
var byReason = map[pb.ErrorReason]advice{
	pb.ErrorReason_ERROR_REASON_NO_ADDRESSES:            {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_TOO_MANY_ADDRESSES:      {Block, "split the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_NETWORK:         {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_LIST_ID:         {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_AS_OF:           {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_MAX_LIST_AGE:    {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_SNAPSHOT:        {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_INVALID_REQUEST_ID:      {Block, "correct the request"},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_REACHED:    {Retry, "the server is behind"},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD:       {Block, "ask another server, or for the newest snapshot"},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_TOO_OLD:        {Block, "fetch the whole state, and watch from there"},
	pb.ErrorReason_ERROR_REASON_RECEIPTS_NOT_CONFIGURED: {Block, "the operator must configure a key"},
	pb.ErrorReason_ERROR_REASON_NOT_READY:               {Retry, "the server has no snapshot yet"},
	pb.ErrorReason_ERROR_REASON_SLOW_CONSUMER:           {Retry, "read faster, and resume"},
	pb.ErrorReason_ERROR_REASON_QUOTA_EXCEEDED:          {Retry, "the quota is used up"},
	pb.ErrorReason_ERROR_REASON_UNAUTHENTICATED:         {Block, "correct the credentials"},
	pb.ErrorReason_ERROR_REASON_PERMISSION_DENIED:       {Block, "the operator must permit the method"},
	pb.ErrorReason_ERROR_REASON_INTERNAL:                {Hold, "a defect of the server: tell its operator"},
	pb.ErrorReason_ERROR_REASON_NOT_OFFERED:             {Block, "the server must be upgraded"},
	pb.ErrorReason_ERROR_REASON_SNAPSHOT_UNREADABLE:     {Retry, "the store of the server cannot be reached"},
	pb.ErrorReason_ERROR_REASON_SERVER_STOPPING:         {Retry, "the server is going away"},
	pb.ErrorReason_ERROR_REASON_OVERLOADED:              {Retry, "the server has too many calls"},
}

// byCode says what to do about an error without a known reason: of the network, of a
// proxy, of gRPC itself. A code that is not here blocks.
var byCode = map[codes.Code]advice{
	codes.Canceled:           {Retry, "the call was canceled"},
	codes.Unknown:            {Hold, "an error that says nothing: tell the operator"},
	codes.InvalidArgument:    {Block, "correct the request"},
	codes.DeadlineExceeded:   {Retry, "there was no answer in time"},
	codes.NotFound:           {Block, "this is no server of the contract"},
	codes.AlreadyExists:      {Block, "no answer of the contract"},
	codes.PermissionDenied:   {Block, "the operator must permit the method"},
	codes.ResourceExhausted:  {Block, "a message is larger than allowed"},
	codes.FailedPrecondition: {Block, "correct the request"},
	codes.Aborted:            {Retry, "the call was interrupted"},
	codes.OutOfRange:         {Block, "correct the request"},
	codes.Unimplemented:      {Block, "this is no server of the contract"},
	codes.Internal:           {Hold, "a defect: tell the operator"},
	codes.Unavailable:        {Retry, "no server can be reached"},
	codes.DataLoss:           {Hold, "a defect: tell the operator"},
	codes.Unauthenticated:    {Block, "correct the credentials"},
}

// failure decides by the error of a call.
func failure(err error) Decision {
	st := status.Convert(err)
	if st.Code() == codes.Unknown {
		st = status.FromContextError(err)
	}
	reason, wait, told := details(err)
	name := strings.TrimPrefix(reason.String(), "ERROR_REASON_")
	a, ok := byReason[reason]
	if !ok {
		a, name = byCode[st.Code()], st.Code().String()
		if st.Code() == codes.ResourceExhausted && told {
			a = advice{Retry, "the server asks to wait"}
		}
		if a.why == "" {
			a.why = "an error that this program does not know"
		}
	}
	d := Decision{action: a.action, why: name + ": " + a.why}
	if d.action == Retry {
		if d.after = retryAfter; told {
			d.after = wait
		}
	}
	return d
}
