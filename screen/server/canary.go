package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/address"
	"walletscreen/screen/pace"
)

// A Canary is an address that an operator knows to be on a list.
type Canary struct {
	List    screen.ListID
	Address string
}

// ParseCanary reads LIST=ADDRESS.
func ParseCanary(text string) (Canary, error) {
	list, addr, ok := strings.Cut(text, "=")
	switch {
	case !ok:
		return Canary{}, errors.New("want LIST=ADDRESS")
	case strings.TrimSpace(addr) == "" || len(addr) > address.MaxTextBytes:
		return Canary{}, fmt.Errorf("want an address of 1 to %d bytes after %q", address.MaxTextBytes, list+"=")
	}
	return Canary{screen.ListID(list), addr}, screen.ListID(list).Validate()
}

// CheckUnlistedCanary refuses a text that can never be answered NOT_LISTED.
func CheckUnlistedCanary(text string) error {
	var p address.Parsed
	if address.Parse(text, &p); p.Reason != address.ReasonNone || len(p.Readings()) == 0 {
		reason := p.Reason
		if reason == address.ReasonNone {
			reason = address.ReasonUnrecognized
		}
		return fmt.Errorf("it is no address that can be screened: %s", reason)
	}
	return nil
}

// spellings are well-known addresses in other ways of writing them than their
// list's. Each counts while the list prints the address, so that a delisting only
// retires it. OFAC's: Lazarus Group (ETH), Xiaobing Yan (XBT), Chatex (XBT), and
// ISIL Khorasan (TRX).
var spellings = []struct {
	list           screen.ListID
	printed, asked string
}{
	{"us-ofac-sdn", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96", "0x098b716b8aaf21512996dc57eb0615e2383e2f96"},
	{"us-ofac-sdn", "12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h", "bitcoin:12QtD5BFwRsdNsAZY76UVE1xyCGNTojH9h?amount=1"},
	{
		"us-ofac-sdn", "bc1q4rzdtlt0uslyw86cp29sctl6ct29g9a95cuup7pn5md9ddj7xgmqpp5m73",
		"BC1Q4RZDTLT0USLYW86CP29SCTL6CT29G9A95CUUP7PN5MD9DDJ7XGMQPP5M73",
	},
	{"us-ofac-sdn", "TA3rH2A7iHnm6pKH8gr9cK1EZnShnmZdFg", "\u00a0TA3rH2A7iHnm6pKH8gr9cK1EZnShnmZdFg "},
}

// samples is how many current listings of each list are asked for after a load.
const samples = 16

// Groups of canaries, as metrics name them.
const (
	canarySample   = "sample"   // listings of the snapshot itself
	canarySpelling = "spelling" // well-known ones, written otherwise
	canaryOperator = "operator" // those of Config.Canaries
	canaryUnlisted = "unlisted" // those that no list can hold, and Config.CanariesUnlisted
)

// A probe is one address to ask for, and what must come of it.
type probe struct {
	group string
	name  string // for people; never the address
	text  string
	// listing is the one that must be among the matches; nil if none may be.
	listing *screen.Listing
	tagged  bool // the listing is of one tag of the account, which text does not name
	// list is where an operator's canary must be listed, "" for all others.
	list screen.ListID
}

// canaryCount is what came of the canaries of one snapshot.
type canaryCount struct{ Passed, Failed, Delisted int }

// canaries asks a state that is not served yet for addresses of which the answer is
// known, by the way that answers calls. An error says that an answer is wrong, and
// that the state must not be served.
func (s *Server) canaries(sv *served) (canaryCount, error) {
	now := s.cfg.Now()
	probes := append(s.listedProbes(sv, screen.DateOf(now.UTC())), s.unlistedProbes(sv)...)
	var n canaryCount
	var failures []error
	for chunk := range slices.Chunk(probes, MaxAddresses) {
		req := &pb.ScreenAddressesRequest{}
		for _, p := range chunk {
			req.Addresses = append(req.Addresses, p.text)
		}
		query, err := s.query(req, now)
		if err != nil {
			return n, fmt.Errorf("asking for canaries: %w", err)
		}
		res := s.answer(sv, req, query, now)
		if len(res.Results) != len(chunk) {
			return n, fmt.Errorf("%d answers for %d canaries", len(res.Results), len(chunk))
		}
		for i := range chunk {
			p := &chunk[i]
			err := p.judge(sv.Snapshot, res.Results[i])
			var gone *delistedError
			switch {
			case err == nil:
				n.Passed++
			case errors.As(err, &gone):
				n.Delisted++
				s.cfg.Log.Warn("a canary was delisted: take it out of --canary", "canary", p.name, "list", p.list, "delisted", gone.on.String())
			default:
				n.Failed++
				s.metrics.canaryFailures.WithLabelValues(p.group).Inc()
				// One reason for all is the likely case.
				if len(failures) < 5 {
					failures = append(failures, fmt.Errorf("%s canary, %s: %w", p.group, p.name, err))
				}
			}
		}
	}
	if more := n.Failed - len(failures); more > 0 {
		failures = append(failures, fmt.Errorf("and %d more", more))
	}
	return n, errors.Join(failures...)
}

// checked runs the canaries; a defect in what they run through is a failure of
// theirs.
func (s *Server) checked(sv *served) (n canaryCount, err error) {
	defer func() {
		if r := recover(); r != nil {
			s.metrics.panics.Inc()
			n.Failed, err = n.Failed+1, fmt.Errorf("a panic (%T) in answering", r)
		}
	}()
	return s.canaries(sv)
}

// listedProbes are a spread sample of what each list lists now, what is well known
// and the operator's own.
func (s *Server) listedProbes(sv *served, today screen.Date) []probe {
	var probes []probe
	snapshot := sv.Snapshot
	// Listings stand in order of their lists.
	var id screen.ListID
	var nth, rows int
	var pace pace.Pace
	for i := range snapshot.Listings() {
		pace.Step()
		l := &snapshot.Listings()[i]
		// Not by the index's own rule, which is what is checked.
		if l.Delisted != 0 || l.ListedOn > today || l.DelistedOn != 0 && l.DelistedOn <= today || len(l.Text) > address.MaxTextBytes {
			continue
		}
		if list := snapshot.ListOf(l); list.ID != id {
			id, nth, rows = list.ID, -1, sv.index.Counts(list.ID).Rows
		}
		nth++
		for i, known := range spellings {
			if known.list == id && known.printed == l.Text {
				probes = append(probes, probe{
					group: canarySpelling, name: fmt.Sprintf("well-known %d of list %s", i+1, id), text: known.asked, listing: l, tagged: l.Tag != "",
				})
			}
		}
		// The nth of rows is in the sample if it is the first of its part.
		if rows > samples && nth > 0 && nth*samples/rows == (nth-1)*samples/rows {
			continue
		}
		p := probe{
			group: canarySample, text: l.Text, listing: l, tagged: l.Tag != "",
			name: fmt.Sprintf("listing of party %s on list %s", snapshot.PartyOf(l).UID, id),
		}
		probes = append(probes, p)
		if lower := strings.ToLower(l.Text); lower != l.Text && isEVM(lower) {
			p.text = lower
			probes = append(probes, p)
		}
	}
	if sv.superseded != nil {
		return probes // it may be from before the operator's were listed
	}
	for i, c := range s.cfg.Canaries {
		// A list that is not loaded is another alarm: see Config.Require.
		if snapshot.List(c.List) != nil {
			probes = append(probes, probe{group: canaryOperator, name: fmt.Sprintf("--canary %d of list %s", i+1, c.List), text: c.Address, list: c.List})
		}
	}
	return probes
}

// isEVM reports whether a text is 0x and 40 hex digits in lower case.
func isEVM(text string) bool {
	return len(text) == 42 && text[:2] == "0x" && strings.Trim(text[2:], "0123456789abcdef") == ""
}

// unlistedProbes are addresses that no list can hold: each is a digest of the
// snapshot that would have to hold it. And the operator's own.
func (s *Server) unlistedProbes(sv *served) []probe {
	var probes []probe
	snapshot := sv.Snapshot.Digest()
	for _, as := range []struct {
		kind    address.Kind
		ledgers address.Ledgers
	}{
		// Without a ledger the two are written as Bitcoin writes them.
		{address.KindP2PKH, 0}, {address.KindP2SH, 0}, {address.KindWPKH, address.LedgerBTC},
		{address.KindEVM, address.LedgerEVM}, {address.KindTron, address.LedgerTron}, {address.KindXRP, address.LedgerXRP}, {address.KindSolana, address.LedgerSOL},
	} {
		sum := sha256.Sum256(fmt.Appendf(nil, "walletscreen canary %s %s", as.kind, snapshot))
		r := address.Reading{Key: address.Key{byte(as.kind)}, Ledgers: as.ledgers}
		copy(r.Payload(), sum[:])
		probes = append(probes, probe{group: canaryUnlisted, name: as.kind.String() + " address of the snapshot's digest", text: r.Format()})
	}
	for i, text := range s.cfg.CanariesUnlisted {
		probes = append(probes, probe{group: canaryUnlisted, name: fmt.Sprintf("--canary-unlisted %d", i+1), text: text})
	}
	return probes
}

// A delistedError says that an operator's canary was listed and is not any more.
type delistedError struct{ on screen.Date }

func (e *delistedError) Error() string { return "it was delisted on " + e.on.String() }

// judge holds an answer against what must come of the probe.
func (p *probe) judge(s *screen.Snapshot, r *pb.ScreenResult) error {
	switch {
	case p.listing != nil:
		return p.judgeListed(s, r)
	case p.list != "":
		return p.judgeOperators(s, r)
	}
	excused := r.Verdict == pb.Verdict_VERDICT_CANNOT_SCREEN && (r.Reason == pb.Reason_REASON_STALE || r.Reason == pb.Reason_REASON_NOT_LOADED)
	if len(r.Matches) > 0 || r.Verdict != pb.Verdict_VERDICT_NOT_LISTED && !excused {
		return fmt.Errorf("%s with %d matches, want VERDICT_NOT_LISTED", answered(r), len(r.Matches))
	}
	return nil
}

// judgeListed wants the listing among the matches, and a verdict that it can give.
func (p *probe) judgeListed(s *screen.Snapshot, r *pb.ScreenResult) error {
	l := p.listing
	want, weakest := pb.Verdict_VERDICT_ADVISORY, pb.Basis_BASIS_SAME_ACCOUNT
	switch {
	case p.tagged:
		want, weakest = pb.Verdict_VERDICT_RELATED, pb.Basis_BASIS_SAME_ACCOUNT_OTHER_TAG
	case s.KindOf(l).Binding():
		want = pb.Verdict_VERDICT_LISTED
	}
	for _, m := range r.Matches {
		is := m.Listing
		if is.GetListId() == string(s.ListOf(l).ID) && is.GetPartyUid() == s.PartyOf(l).UID && is.GetAddress() == l.Text &&
			is.GetSymbol() == l.Symbol && is.GetTag() == l.Tag && is.GetDelisted() == nil && m.Basis <= weakest {
			if r.Verdict == pb.Verdict_VERDICT_UNSPECIFIED || r.Verdict > want {
				return fmt.Errorf("%s although it is found, want %s", answered(r), want)
			}
			return nil
		}
	}
	return fmt.Errorf("%s, and not for this listing", answered(r))
}

// judgeOperators wants a match on the list. An address that the list's own history
// delisted is excused: that is no defect of ours, and must not keep a lawful
// delisting from being served.
func (p *probe) judgeOperators(s *screen.Snapshot, r *pb.ScreenResult) error {
	if r.Verdict == pb.Verdict_VERDICT_LISTED || r.Verdict == pb.Verdict_VERDICT_ADVISORY {
		for _, m := range r.Matches {
			if m.Listing.GetListId() == string(p.list) && m.Basis <= pb.Basis_BASIS_SAME_ACCOUNT {
				return nil
			}
		}
	}
	var last screen.Date
	for i := range s.Listings() {
		l := &s.Listings()[i]
		if s.ListOf(l).ID != p.list || !sameAddress(l.Text, p.text) {
			continue
		}
		_, until := s.Interval(l)
		if until == 0 {
			return fmt.Errorf("%s, and the list has it", answered(r))
		}
		last = max(last, until)
	}
	if last != 0 {
		return &delistedError{last}
	}
	return fmt.Errorf("%s: the list never had it; if that is so, take it out of --canary", answered(r))
}

func answered(r *pb.ScreenResult) string {
	text := r.GetVerdict().String()
	if r.GetReason() != pb.Reason_REASON_UNSPECIFIED {
		text += " (" + r.GetReason().String() + ")"
	}
	return text
}

// sameAddress reports whether two texts are one, or one account.
func sameAddress(a, b string) bool {
	if a == b {
		return true
	}
	var p, q address.Parsed
	address.Parse(a, &p)
	address.Parse(b, &q)
	for _, r := range p.Readings() {
		if slices.ContainsFunc(q.Readings(), func(o address.Reading) bool { return o.Key == r.Key }) {
			return true
		}
	}
	return p.Text != "" && p.Text == q.Text
}

// admit decides by canaries whether a new snapshot may be served, and tells
// operators if not.
func (s *Server) admit(sv *served) error {
	n, err := s.checked(sv)
	s.mu.Lock()
	s.canary, s.refusal = n, ""
	if err != nil {
		err = fmt.Errorf("%s is refused, its canaries fail: %w", sv.Snapshot, err)
		s.refusal = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	s.refused = slices.DeleteFunc(s.refused, func(d screen.Digest) bool { return d == sv.Snapshot.Digest() })
	if err != nil {
		s.refused = append(s.refused[max(0, len(s.refused)-maxRefused+1):], sv.Snapshot.Digest())
	}
	s.remember(SwapRecord{At: s.cfg.Now(), Snapshot: sv.Snapshot.String(), Lists: len(sv.Snapshot.Lists()), Canaries: n.Passed + n.Failed + n.Delisted, Refused: s.refusal})
	s.mu.Unlock()
	if err == nil {
		return nil
	}
	s.metrics.refused.Inc()
	still := "what was served before still is until its lists are stale"
	if s.current.Load() == nil {
		still = "nothing is served, for there was none before"
	}
	s.cfg.Log.Error("CANARIES FAIL: the new snapshot is refused, "+still,
		"snapshot", sv.Snapshot.Sequence, "digest", sv.Snapshot.Digest().String(), "passed", n.Passed, "failed", n.Failed, "err", err)
	s.assess()
	return err
}

// maxRefused is how many of the snapshots that failed their canaries are remembered.
const maxRefused = 1000

// refusedBefore reports whether a snapshot failed its canaries when it was to be
// served. Whoever keeps snapshots has it all the same, and callers can ask for it.
func (s *Server) refusedBefore(snapshot screen.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.refused, snapshot)
}

// vouches asks a snapshot that is not served for the canaries that hold for any, and
// tells operators if they fail: this server may never have been asked to serve it.
func (s *Server) vouches(h *held, index *screen.Index) bool {
	n, err := s.checked(&served{State: State{Snapshot: h.snapshot}, index: index, ref: h.ref, takenAt: s.cfg.Now(), superseded: map[screen.ListID]bool{}})
	if err != nil {
		s.unread.log(s.cfg.Log, slog.LevelError, "CANARIES FAIL of a snapshot that is not served: calls that ask for it are refused",
			"snapshot", h.snapshot.Sequence, "digest", h.snapshot.Digest().String(), "passed", n.Passed, "failed", n.Failed, "err", err)
	}
	return err == nil
}
