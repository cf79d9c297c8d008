package main_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// An edition is what an operator's own list says at one time. Editions of a list are
// numbered from 1; 0 stands for a snapshot that does not hold the list. What is
// listed follows from the number alone, so a test knows it without asking.
type edition int

// ownLists are the lists that come in editions.
var ownLists = []screen.ListID{"own-first", "own-second"}

// editions are the numbers of one snapshot, list by list.
type editions [2]edition

func (e editions) atLeast(other editions) bool { return e[0] >= other[0] && e[1] >= other[1] }

const (
	marksOfEdition = 8   // pairs of addresses of which an edition lists the one or the other
	standingRows   = 400 // so that the content is more than one piece
)

// A probe is an address of which every edition says whether it is listed.
type probe struct {
	text string
	list int // index in ownLists
	kind probeKind
	mark int // of a mark: which one
	on   bool
}

type probeKind int

const (
	probeNever    probeKind = iota // no edition lists it
	probeStanding                  // every edition does
	probeNumbered                  // likewise, and its program is the number of the edition
	probeMark                      // about half of the editions do
)

func probeAddress(list int, kind probeKind, i int) string {
	return fmt.Sprintf("0x%x%xed17%034x", 10+list, 10+int(kind), 1+i)
}

func never(i int) probe {
	return probe{text: probeAddress(i%len(ownLists), probeNever, i), list: i % len(ownLists)}
}

func standingProbe(list, i int) probe {
	return probe{text: probeAddress(list, probeStanding, i), list: list, kind: probeStanding}
}

func numberedProbe(list int) probe {
	return probe{text: probeAddress(list, probeNumbered, 0), list: list, kind: probeNumbered}
}

func mark(list, i int, on bool) probe {
	at := 2 * i
	if on {
		at++
	}
	return probe{text: probeAddress(list, probeMark, at), list: list, kind: probeMark, mark: i, on: on}
}

// lists reports whether an edition lists the probe.
func (e edition) lists(p probe) bool {
	switch {
	case e == 0 || p.kind == probeNever:
		return false
	case p.kind == probeMark:
		// Any two editions differ in about half of the marks.
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", p.list, e))
		return sum[p.mark]&1 == 1 == p.on
	}
	return true
}

func (e edition) program() string { return fmt.Sprintf("EDITION-%d", e) }

// csv is the edition as its operator writes it.
func (e edition) csv(list int) []byte {
	var text bytes.Buffer
	text.WriteString("address,party,party_id,programs\n")
	fmt.Fprintf(&text, "%s,Numbered,numbered,%s\n", numberedProbe(list).text, e.program())
	for i := range marksOfEdition {
		for _, on := range []bool{false, true} {
			if p := mark(list, i, on); e.lists(p) {
				fmt.Fprintf(&text, "%s,Marks,marks,\n", p.text)
			}
		}
	}
	for i := range standingRows {
		fmt.Fprintf(&text, "%s,Standing,standing,\n", standingProbe(list, i).text)
	}
	return text.Bytes()
}

// question draws the probes of one call: all that can change, some of the others, in
// any order, some of them twice.
func question(random *rand.Rand) []probe {
	var all []probe
	for list := range ownLists {
		all = append(all, numberedProbe(list), standingProbe(list, random.IntN(standingRows)), standingProbe(list, random.IntN(standingRows)))
		for i := range marksOfEdition {
			all = append(all, mark(list, i, false), mark(list, i, true))
		}
	}
	for range 6 {
		all = append(all, never(random.IntN(1000)), all[random.IntN(len(all))])
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// A ledger is the model of what is published: which editions exist, and which of
// them each snapshot holds. It is safe for use by many goroutines.
type ledger struct {
	mu sync.Mutex
	// byFile has the number of every edition that was written, by its list and the
	// SHA-256 of its file; newest is the last of each list.
	byFile [len(editions{})]map[string]edition
	newest editions
	// snapshots has what is known of every snapshot, by its digest.
	snapshots map[string]*entry
	// lost is when a publication may last have been lost: by a flush, or with a Redis
	// that had not written it to disk or to a replica.
	lost time.Time

	answers, verdicts int
	wrong             int // answers that are of no edition or of another one than their snapshot's
	torn              int // answers of several editions
}

// An entry is what is known of one snapshot.
type entry struct {
	editions
	how string // who said so first
	// proven says that the content was read and is that of the editions.
	proven bool
}

func newLedger() *ledger {
	l := &ledger{snapshots: map[string]*entry{}}
	for i := range l.byFile {
		l.byFile[i] = map[string]edition{}
	}
	return l
}

// wrote notes an edition before a loader can read it, and returns its file's text.
func (l *ledger) wrote(list int, e edition) []byte {
	text := e.csv(list)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byFile[list][fmt.Sprintf("%x", sha256.Sum256(text))] = e
	l.newest[list] = max(l.newest[list], e)
	return text
}

// losing does something by which publications may be lost that were made before its end.
func (l *ledger) losing(do func()) {
	at := func(when time.Time) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lost = when
	}
	at(time.Now().Add(time.Hour))
	do()
	at(time.Now())
}

// lostSince reports whether a publication of that time may be lost.
func (l *ledger) lostSince(when time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost.After(when)
}

// is notes that a snapshot holds editions, and refuses other ones than before.
func (l *ledger) is(digest string, e editions, how string, proven bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.note(digest, e, how, proven)
}

func (l *ledger) note(digest string, e editions, how string, proven bool) error {
	was := l.snapshots[digest]
	if was == nil {
		l.snapshots[digest] = &entry{e, how, proven}
		return nil
	}
	was.proven = was.proven || proven
	if was.editions != e {
		return fmt.Errorf("snapshot %.12s has editions %d by %s, %d by %s", digest, was.editions, was.how, e, how)
	}
	return nil
}

// prove compares a snapshot's content, as it was read from Redis, with the editions
// that its publications are, and returns these.
func (l *ledger) prove(s *screen.Snapshot) (editions, error) {
	digest := sha256.Sum256(s.Encoding())
	if digest != s.Digest() {
		return editions{}, fmt.Errorf("%s: the digest of its content is %x", s, digest)
	}
	var e editions
	for i, id := range ownLists {
		list := s.List(id)
		if list == nil {
			continue
		}
		l.mu.Lock()
		e[i] = l.byFile[i][list.Current().Digest.String()]
		l.mu.Unlock()
		if e[i] == 0 {
			return e, fmt.Errorf("%s: its publication of %s was never written", s, id)
		}
		var want []string
		for line := range strings.Lines(string(e[i].csv(i))) {
			if address, _, _ := strings.Cut(line, ","); address != "address" {
				want = append(want, address)
			}
		}
		var got []string
		for j := range s.Listings() {
			row := &s.Listings()[j]
			if _, until := s.Interval(row); until == 0 && s.ListOf(row).ID == id {
				got = append(got, row.Text)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return e, fmt.Errorf("%s: it lists %d addresses of %s, edition %d lists %d", s, len(got), id, e[i], len(want))
		}
	}
	return e, l.is(s.Digest().String(), e, "its content", true)
}

var (
	errWrong = errors.New("wrong verdict")
	errTorn  = errors.New("torn read")
)

// check compares an answer with the model, and with the answer before it of the same
// server process to the same caller, nil for none. It returns the editions that were
// answered from.
func (l *ledger) check(asked []probe, res, before *pb.ScreenAddressesResponse) (editions, error) {
	e, err := compare(asked, res)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	l.verdicts += len(asked)
	if err == nil {
		for list := range ownLists {
			if e[list] > l.newest[list] {
				err = fmt.Errorf("%w: edition %d of %s was never written", errWrong, e[list], ownLists[list])
			}
		}
	}
	if err == nil {
		if err = l.note(res.Snapshot.Digest, e, "an answer", false); err != nil {
			err = fmt.Errorf("%w: %w", errWrong, err)
		}
	}
	if err == nil && before != nil {
		if err = l.follows(before.Snapshot, res.Snapshot); err != nil {
			err = fmt.Errorf("%w: %w", errWrong, err)
		}
	}
	switch {
	case errors.Is(err, errTorn):
		l.torn++
	case err != nil:
		l.wrong++
	}
	if err != nil {
		err = fmt.Errorf("snapshot %d (%.12s): %w", res.GetSnapshot().GetSequence(), res.GetSnapshot().GetDigest(), err)
	}
	return e, err
}

// follows refuses a snapshot that a server must not have gone to from another: a
// number that is not higher is for what was published after a loss.
func (l *ledger) follows(was, is *pb.SnapshotRef) error {
	switch {
	case is.Digest == was.Digest && is.Sequence == was.Sequence && proto.Equal(is.CreatedAt, was.CreatedAt):
		return nil
	case is.Sequence > was.Sequence:
		return nil
	case is.CreatedAt.AsTime().After(was.CreatedAt.AsTime()) && l.lost.After(was.CreatedAt.AsTime()):
		return nil
	}
	return fmt.Errorf("snapshot %d of %s came after %d of %s, and is none that was published after a loss; the last was at %s",
		is.Sequence, is.CreatedAt.AsTime(), was.Sequence, was.CreatedAt.AsTime(), l.lost)
}

// compare returns the editions that an answer is of, all of it.
func compare(asked []probe, res *pb.ScreenAddressesResponse) (editions, error) {
	var e editions
	if len(res.Results) != len(asked) {
		return e, fmt.Errorf("%w: %d results for %d addresses", errWrong, len(res.Results), len(asked))
	}
	if res.GetSnapshot().GetDigest() == "" || res.Snapshot.Sequence == 0 {
		return e, fmt.Errorf("%w: the answer names no snapshot", errWrong)
	}
	// The numbered addresses say which editions these are; all others must agree.
	for i, p := range asked {
		if p.kind != probeNumbered {
			continue
		}
		r := res.Results[i]
		if r.Verdict != pb.Verdict_VERDICT_LISTED {
			continue // of no edition of the list
		}
		if len(r.Matches) != 1 || len(r.Matches[0].GetListing().GetPrograms()) != 1 {
			return e, fmt.Errorf("%w: %s has matches %v", errWrong, p.text, r.Matches)
		}
		program := r.Matches[0].Listing.Programs[0]
		number, err := strconv.Atoi(strings.TrimPrefix(program, "EDITION-"))
		if err != nil || number < 1 || edition(number).program() != program {
			return e, fmt.Errorf("%w: %s has the program %q", errWrong, p.text, program)
		}
		if e[p.list] != 0 && e[p.list] != edition(number) {
			return e, fmt.Errorf("%w: editions %d and %d of %s in one answer", errTorn, e[p.list], number, ownLists[p.list])
		}
		e[p.list] = edition(number)
	}
	// Servers that require both lists say nothing is not listed while one is missing.
	unlisted := pb.Verdict_VERDICT_NOT_LISTED
	reason := pb.Reason_REASON_UNSPECIFIED
	if e[0] == 0 || e[1] == 0 {
		unlisted, reason = pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_NOT_LOADED
	}
	strange := 0
	var first error
	for i, p := range asked {
		r := res.Results[i]
		err := p.differs(r, e[p.list].lists(p), unlisted, reason)
		if err != nil {
			if p.kind != probeMark {
				return e, fmt.Errorf("%w: editions %d: %w", errWrong, e, err)
			}
			if strange++; first == nil {
				first = err
			}
		}
	}
	if first != nil {
		return e, fmt.Errorf("%w: editions %d, and %d marks of others: %w", errTorn, e, strange, first)
	}
	return e, nil
}

// differs tells what is wrong with the result for a probe, if it is listed, or if it
// is not and there is a verdict for those.
func (p probe) differs(r *pb.ScreenResult, listed bool, unlisted pb.Verdict, reason pb.Reason) error {
	if !listed {
		if r.Verdict != unlisted || r.Reason != reason || len(r.Matches) > 0 {
			return fmt.Errorf("%s is %s (%s, %d matches), want %s", p.text, r.Verdict, r.Reason, len(r.Matches), unlisted)
		}
		return nil
	}
	if r.Verdict != pb.Verdict_VERDICT_LISTED || r.Reason != pb.Reason_REASON_UNSPECIFIED || len(r.Matches) != 1 {
		return fmt.Errorf("%s is %s (%s, %d matches), want LISTED by one", p.text, r.Verdict, r.Reason, len(r.Matches))
	}
	if l := r.Matches[0].Listing; l.GetAddress() != p.text || l.GetListId() != string(ownLists[p.list]) || l.GetDelistedOn() != "" {
		return fmt.Errorf("%s matches %s of %s, delisted %q", p.text, l.GetAddress(), l.GetListId(), l.GetDelistedOn())
	}
	return nil
}

// answered is the answer that a server gives that has these editions.
func answered(asked []probe, e editions, sequence uint64, at time.Time) *pb.ScreenAddressesResponse {
	res := &pb.ScreenAddressesResponse{Snapshot: &pb.SnapshotRef{
		Sequence: sequence, Digest: fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, e))), CreatedAt: timestamppb.New(at),
	}}
	for _, p := range asked {
		r := &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_NOT_LISTED}
		if e[p.list].lists(p) {
			l := &pb.Listing{ListId: string(ownLists[p.list]), Address: p.text}
			if p.kind == probeNumbered {
				l.Programs = []string{e[p.list].program()}
			}
			r = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_LISTED, Matches: []*pb.Match{{Listing: l}}}
		} else if e[0] == 0 || e[1] == 0 {
			r = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_NOT_LOADED}
		}
		res.Results = append(res.Results, r)
	}
	return res
}

// TestLedger plants wrong answers, each of which the model must find: a check that
// cannot fail shows nothing.
func TestLedger(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	asked := question(random)
	at := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	find := func(kind probeKind, listed bool, e editions) int {
		return slices.IndexFunc(asked, func(p probe) bool { return p.kind == kind && e[p.list].lists(p) == listed })
	}
	was := editions{3, 4}
	for _, test := range []struct {
		name  string
		is    editions
		plant func(res *pb.ScreenAddressesResponse)
		lost  time.Time
		want  error // nil: nothing is wrong
		say   string
	}{
		{name: "the same snapshot", is: was, plant: func(res *pb.ScreenAddressesResponse) {
			res.Snapshot.Sequence, res.Snapshot.CreatedAt = 9, timestamppb.New(at)
		}},
		{name: "the next", is: editions{3, 5}},
		{name: "after a flush", is: editions{0, 4}, lost: at.Add(time.Second), plant: func(res *pb.ScreenAddressesResponse) { res.Snapshot.Sequence = 1 }},
		{
			name: "listed address not listed", is: editions{3, 5}, want: errWrong, say: "want LISTED",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Results[find(probeStanding, true, editions{3, 5})] = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_NOT_LISTED}
			},
		},
		{
			name: "address listed that never is", is: editions{3, 5}, want: errWrong, say: "want VERDICT_NOT_LISTED",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Results[find(probeNever, false, editions{3, 5})] = res.Results[find(probeStanding, true, editions{3, 5})]
			},
		},
		{
			name: "not screened", is: editions{3, 5}, want: errWrong, say: "CANNOT_SCREEN",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Results[find(probeNever, false, editions{3, 5})] = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, Reason: pb.Reason_REASON_NOT_LOADED}
			},
		},
		{
			name: "not listed while a list is missing", is: editions{0, 5}, want: errWrong, say: "want VERDICT_CANNOT_SCREEN",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Results[find(probeNever, false, editions{0, 5})] = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_NOT_LISTED}
			},
		},
		{
			name: "one mark of another edition", is: editions{3, 5}, want: errTorn, say: "1 marks",
			plant: func(res *pb.ScreenAddressesResponse) {
				i := slices.IndexFunc(asked, func(p probe) bool {
					return p.kind == probeMark && p.list == 1 && edition(5).lists(p) && len(slices.DeleteFunc(slices.Clone(asked), func(o probe) bool { return o.text != p.text })) == 1
				})
				res.Results[i] = &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_NOT_LISTED}
			},
		},
		{
			name: "half of it from another edition", is: editions{3, 5}, want: errTorn, say: "marks of others",
			plant: func(res *pb.ScreenAddressesResponse) {
				other := answered(asked, editions{3, 6}, 10, at)
				for i, p := range asked {
					if p.kind == probeMark && p.mark < marksOfEdition/2 {
						res.Results[i] = other.Results[i]
					}
				}
			},
		},
		{
			name: "the facts of another edition", is: editions{3, 5}, want: errTorn, say: "marks of others",
			plant: func(res *pb.ScreenAddressesResponse) {
				for i, p := range asked {
					if p.kind == probeNumbered && p.list == 1 {
						res.Results[i].Matches[0].Listing.Programs = []string{edition(6).program()}
					}
				}
			},
		},
		{
			name: "the digest of another snapshot", is: editions{3, 5}, want: errWrong, say: "has editions",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Snapshot.Digest = answered(asked, was, 9, at).Snapshot.Digest
			},
		},
		{name: "an edition that was never written", is: editions{3, 99}, want: errWrong, say: "never written"},
		{
			name: "back to an older snapshot", is: editions{3, 5}, want: errWrong, say: "none that was published after a loss",
			plant: func(res *pb.ScreenAddressesResponse) { res.Snapshot.Sequence = 8 },
		},
		{
			name: "back to an older snapshot in spite of an older loss", is: editions{3, 5}, lost: at.Add(-time.Second), want: errWrong, say: "none that was published after a loss",
			plant: func(res *pb.ScreenAddressesResponse) { res.Snapshot.Sequence = 8 },
		},
		{
			name: "an older snapshot after a loss", is: editions{3, 5}, lost: at.Add(time.Second), want: errWrong, say: "came after",
			plant: func(res *pb.ScreenAddressesResponse) {
				res.Snapshot.Sequence, res.Snapshot.CreatedAt = 8, timestamppb.New(at.Add(-time.Second))
			},
		},
		{
			name: "a result too few", is: editions{3, 5}, want: errWrong, say: "results for",
			plant: func(res *pb.ScreenAddressesResponse) { res.Results = res.Results[1:] },
		},
		{
			name: "two results exchanged", is: editions{3, 5}, want: errWrong, say: "matches",
			plant: func(res *pb.ScreenAddressesResponse) {
				i := find(probeStanding, true, editions{3, 5})
				res.Results[i] = proto.Clone(res.Results[i]).(*pb.ScreenResult)
				res.Results[i].Matches[0].Listing.Address = standingProbe(0, standingRows).text
			},
		},
		{
			name: "no snapshot named", is: editions{3, 5}, want: errWrong, say: "names no snapshot",
			plant: func(res *pb.ScreenAddressesResponse) { res.Snapshot = nil },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLedger()
			for list := range ownLists {
				for e := edition(1); e < 10; e++ {
					l.wrote(list, e)
				}
			}
			l.lost = test.lost
			before := answered(asked, was, 9, at)
			if _, err := l.check(asked, before, nil); err != nil {
				t.Fatal(err)
			}
			res := answered(asked, test.is, 10, at.Add(time.Minute))
			if test.plant != nil {
				test.plant(res)
			}
			got, err := l.check(asked, res, before)
			if !errors.Is(err, test.want) || err != nil && (test.want == nil || !strings.Contains(err.Error(), test.say)) {
				t.Errorf("got %v, want %v that says %q", err, test.want, test.say)
			}
			if test.want == nil && got != test.is {
				t.Errorf("got editions %d, want %d", got, test.is)
			}
			if found := l.wrong+l.torn > 0; found != (test.want != nil) || l.answers != 2 {
				t.Errorf("%d wrong, %d torn of %d", l.wrong, l.torn, l.answers)
			}
		})
	}

	// What is in Redis is compared with the model, too.
	l := newLedger()
	text := l.wrote(0, 1)
	var pub screen.Publication
	pub.List, pub.PublishedOn, pub.Digest, pub.Records = ownLists[0], 20260102, sha256.Sum256(text), 1
	pub.Parties = []screen.PublishedParty{{UID: "standing", Addresses: []screen.PublishedAddress{{Text: standingProbe(0, 0).text}}}}
	s, _, err := screen.Empty().Merge(screen.List{ID: ownLists[0], Kind: screen.KindInternal, Authority: "operator", Name: "own"}, &pub)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.prove(s.Named(1, at)); err == nil || !strings.Contains(err.Error(), "edition 1 lists") {
		t.Errorf("content that lacks rows: %v", err)
	}
	pub.Digest[0]++
	if s, _, err = screen.Empty().Merge(screen.List{ID: ownLists[0], Kind: screen.KindInternal, Authority: "operator", Name: "own"}, &pub); err != nil {
		t.Fatal(err)
	}
	if _, err := l.prove(s.Named(1, at)); err == nil || !strings.Contains(err.Error(), "never written") {
		t.Errorf("content that nobody published: %v", err)
	}
}
