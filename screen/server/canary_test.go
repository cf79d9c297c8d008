package server

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
)

// odd is a snapshot with rows of every kind that canaries must know how to ask for.
func odd(t testing.TB) *screen.Snapshot {
	t.Helper()
	s := merged(t, published(t), screen.List{ID: "fbi", Kind: screen.KindAdvisory}, 20251104, "fbi", party("1", evm), party("2", "TA3941uFAvmVibSkQ6fMJXxmaSNovX86mz"))
	rows := []screen.PublishedAddress{
		{Text: evm, Symbol: "USDT"},
		{Text: " unreadable\u00a0", Tag: "9"},
		{Text: "rnXyVQzgxZe7TR1EPzTkGj2jxH4LMJYh66", Tag: "7"},
		{Text: "not in force yet", ListedOn: 20251106},
		{Text: "from today", ListedOn: 20251105},
		{Text: "over since today", ListedOn: 20250101, DelistedOn: 20251105},
		{Text: "over tomorrow", ListedOn: 20250101, DelistedOn: 20251106},
		{Text: strings.Repeat("too long ", 60)},
		{Text: "\u200b"},
		{Text: "advisory", Kind: screen.KindAdvisory},
	}
	for i := range 100 {
		rows = append(rows, screen.PublishedAddress{Text: fmt.Sprintf("row %d", i)})
	}
	return merged(t, s, own, 20251001, "own", screen.PublishedParty{UID: "x", Addresses: rows}).Named(8, noon)
}

func TestCanaries(t *testing.T) {
	var log lockedBuffer
	registry := prometheus.NewRegistry()
	s := New(Config{
		Now: newClock(noon).now, MaxListAge: time.Hour, Metrics: registry, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Canaries: []Canary{
			{sdn.ID, strings.ToUpper(evmLower[2:])},
			{sdn.ID, tronText},   // delisted
			{"eu-fsf", tronText}, // not loaded
			{own.ID, "unreadable"},
			{"fbi", tronText},
		},
		CanariesUnlisted: []string{other},
	})
	s.cfg.Canaries[3].Address = "from today"
	if err := s.Swap(State{Snapshot: odd(t)}); err != nil { // stale, which is no matter
		t.Fatal(err)
	}
	st := s.Status()
	// 7 that no list can hold, and the operator's: 1 unlisted, 3 listed; those of the
	// SDN List in 2 spellings and a well-known one, of the FBI in 2 and 1; 16 or 17 of
	// our own list.
	if st.CanariesFailed != 0 || st.CanariesDelisted != 1 || st.CanariesPassed < 7+4+3+3+16 || st.CanariesPassed > 7+4+3+3+19 || st.Refusal != "" {
		t.Errorf("%+v", st)
	}
	if text := log.String(); !strings.Contains(text, `level=WARN msg="a canary was delisted: take it out of --canary" canary="--canary 2 of list us-ofac-sdn" list=us-ofac-sdn delisted=2025-11-04`) {
		t.Errorf("log:\n%s", text)
	}
	if got := values(t, registry)["walletscreen_canaries{outcome=delisted}"]; got != 1 {
		t.Errorf("%v canaries delisted", got)
	}
}

// The sample is spread over the list, its first and its last part included.
func TestSampleIsSpread(t *testing.T) {
	for _, rows := range []int{1, 15, 16, 17, 31, 100, 1001} {
		s := New(Config{Now: newClock(noon).now})
		var texts []string
		for i := range rows {
			texts = append(texts, fmt.Sprintf("row %04d", i))
		}
		sv := &served{State: State{Snapshot: merged(t, screen.Empty(), own, 20251001, "own", party("x", texts...))}}
		sv.index = screen.NewIndex(sv.Snapshot)
		probes := s.listedProbes(sv, 20251105)
		if want := min(rows, samples); len(probes) < want || len(probes) > want+1 {
			t.Fatalf("%d rows: %d in the sample, want %d", rows, len(probes), want)
		}
		if first := probes[0].text; first != texts[0] {
			t.Errorf("%d rows: the first of the sample is %s", rows, first)
		}
		if last := probes[len(probes)-1].text; last < texts[rows-1-rows/samples] {
			t.Errorf("%d rows: the last of the sample is %s", rows, last)
		}
	}
}

// An index that answers wrongly is found out: it is that of another snapshot here.
func TestCanariesFindAWrongIndex(t *testing.T) {
	s := New(Config{Now: newClock(noon).now})
	right := odd(t)
	for name, index := range map[string]*screen.Index{
		"of a snapshot without what is listed": screen.NewIndex(merged(t, screen.Empty(), sdn, 20251104, "3", party("1", other))),
		"of the snapshot before":               screen.NewIndex(published(t)),
		"none, which is a panic":               nil,
	} {
		sv := &served{State: State{Snapshot: right}, index: index}
		if err := s.admit(sv); err == nil {
			t.Errorf("index %s: no canary fails", name)
		}
	}
	if n, err := s.checked(&served{State: State{Snapshot: right}, index: screen.NewIndex(right)}); err != nil || n.Failed != 0 {
		t.Errorf("the right index: %+v, %v", n, err)
	}
}

func TestRefusedSwap(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		group  string
		why    string
	}{
		{"an address that must not be listed", Config{CanariesUnlisted: []string{other, evmLower}}, "unlisted", "unlisted canary, --canary-unlisted 2: VERDICT_LISTED with 1 matches, want VERDICT_NOT_LISTED"},
		{"an address that never was", Config{Canaries: []Canary{{sdn.ID, other}}}, "operator", "operator canary, --canary 1 of list us-ofac-sdn: VERDICT_NOT_LISTED: the list never had it; if that is so, take it out of --canary"},
		{"an address of another list", Config{Canaries: []Canary{{own.ID, evm}}}, "operator", "operator canary, --canary 1 of list own: VERDICT_LISTED: the list never had it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log lockedBuffer
			registry := prometheus.NewRegistry()
			test.config.Metrics, test.config.MaxListAge, test.config.Log = registry, 26*time.Hour, slog.New(slog.NewTextHandler(&log, nil))
			in := install(t, test.config)
			bad := merged(t, published(t), own, 20251101, "own", party("x", tronText)).Named(8, noon)

			// As the first snapshot: nothing is served.
			err := in.server.Swap(State{Snapshot: bad, Verified: verified(noon, sdn.ID, own.ID)})
			if err == nil || !strings.Contains(err.Error(), test.why) || !strings.Contains(err.Error(), "snapshot 8 (") {
				t.Fatalf("error %v, want %s", err, test.why)
			}
			if strings.Contains(strings.ToLower(err.Error()), evmLower[2:]) {
				t.Errorf("the error has the address: %v", err)
			}
			st := in.server.Status()
			if st.Ready || !strings.Contains(st.Why, "no snapshot is loaded: snapshot 8 (") || len(st.Swaps) != 1 || st.Swaps[0].Refused == "" || st.CanariesFailed != 1 {
				t.Errorf("status %+v", st)
			}
			if text := log.String(); !strings.Contains(text, `level=ERROR msg="CANARIES FAIL: the new snapshot is refused, nothing is served`) || strings.Contains(strings.ToLower(text), evmLower[2:]) {
				t.Errorf("log:\n%s", text)
			}

			// Over a good one: that stays, and its lists grow old.
			in.server.cfg.CanariesUnlisted, in.server.cfg.Canaries = nil, nil
			if err := in.server.Swap(State{Snapshot: published(t), Verified: verified(noon, sdn.ID)}); err != nil {
				t.Fatal(err)
			}
			in.server.cfg.CanariesUnlisted, in.server.cfg.Canaries = test.config.CanariesUnlisted, test.config.Canaries
			in.clock.set(noon.Add(time.Hour))
			if err := in.server.Swap(State{Snapshot: bad, Verified: verified(in.clock.now(), sdn.ID, own.ID)}); err == nil {
				t.Fatal("the second time it is not refused")
			}
			res := in.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{evm, other}})
			if res.Snapshot.Sequence != 7 || !res.ValidUntil.AsTime().Equal(noon.Add(26*time.Hour)) || !in.server.Ready() {
				t.Errorf("after the refusal: %v", res)
			}
			got := values(t, registry)
			for name, want := range map[string]float64{
				"walletscreen_refused_swaps_total": 2, "walletscreen_swaps_total": 1, "walletscreen_newest_snapshot_refused": 1,
				"walletscreen_canary_failures_total{group=" + test.group + "}": 2, "walletscreen_snapshot_sequence": 7, "walletscreen_ready": 1,
			} {
				if got[name] != want {
					t.Errorf("%s is %v, want %v", name, got[name], want)
				}
			}
			in.clock.set(noon.Add(26*time.Hour + 1))
			in.server.assess()
			if in.server.Ready() {
				t.Error("ready by lists that nobody compared for 26 hours")
			}
			// News of the freshness of what is served is taken.
			if err := in.server.Swap(State{Snapshot: in.server.current.Load().Snapshot, Verified: verified(in.clock.now(), sdn.ID)}); err != nil || !in.server.Ready() {
				t.Errorf("compared again: ready %t, %v", in.server.Ready(), err)
			}
		})
	}
}

// A snapshot that was refused is kept all the same, by whoever keeps snapshots. Who asks
// for it by its number is told that there is none to be had here.
func TestRefusedSnapshotAskedFor(t *testing.T) {
	bad := merged(t, published(t), own, 20251101, "own", party("x", tronText)).Named(8, noon)
	lost := merged(t, screen.Empty(), sdn, 20251104, "3", party("1", other)).Named(9, noon) // evm is not there
	old := merged(t, screen.Empty(), sdn, 20251001, "0", party("1", other)).Named(6, noon)  // evm was not there yet
	next := merged(t, published(t), sdn, 20251105, "4", party("1", evm), party("2", "row")).Named(10, noon.Add(time.Hour))
	var log lockedBuffer
	kept := archiveOf(old, bad, lost)
	in := install(t, Config{
		Archive: kept, LogCalls: LogNone, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Canaries: []Canary{{sdn.ID, evm}},
	})
	for _, s := range []*screen.Snapshot{published(t), bad, lost, next} {
		if in.server.cfg.CanariesUnlisted = nil; s == bad {
			in.server.cfg.CanariesUnlisted = []string{evmLower}
		}
		if err := in.server.Swap(State{Snapshot: s}); (err != nil) != (s == bad || s == lost) {
			t.Fatalf("%s: %v", s, err)
		}
	}
	refused := func(sequence string, err error) {
		t.Helper()
		wantFailure(t, err, codes.FailedPrecondition, pb.ErrorReason_ERROR_REASON_SNAPSHOT_NOT_HELD, 0, map[string]string{"sequence": "10", "snapshot": sequence})
		if !strings.Contains(fmt.Sprint(err), "the server refused that snapshot: its canaries failed") {
			t.Errorf("the error does not say why: %v", err)
		}
	}
	ask := func(sequence uint64) error {
		_, err := in.screening.ScreenAddresses(within(t), &pb.ScreenAddressesRequest{Addresses: []string{other}, Snapshot: sequence})
		return err
	}
	export := func(sequence uint64) error {
		stream, err := in.lists.ExportSnapshot(within(t), &pb.ExportSnapshotRequest{Snapshot: sequence})
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	for _, sequence := range []uint64{8, 9} {
		refused(fmt.Sprint(sequence), ask(sequence))
		refused(fmt.Sprint(sequence), export(sequence))
	}
	// An older one is not held against what its list was given later.
	if err := errors.Join(ask(6), export(6)); err != nil {
		t.Errorf("one from before the canary was listed: %v", err)
	}
	// What is refused no more is there.
	if err := in.server.Swap(State{Snapshot: bad.Named(11, noon.Add(2*time.Hour))}); err != nil {
		t.Fatal(err)
	}
	if err := ask(8); err != nil {
		t.Errorf("the content is served now: %v", err)
	}

	// A server that was started since knows nothing of the refusal, and asks itself.
	for name, cfg := range map[string]Config{
		"the same canary": {CanariesUnlisted: []string{evmLower}},
		"a wrong answer":  {},
	} {
		log.reset()
		cfg.Archive, cfg.LogCalls, cfg.Log = kept, LogNone, slog.New(slog.NewTextHandler(&log, nil))
		in = install(t, cfg)
		in.server.cfg.CanariesUnlisted = nil
		if err := in.server.Swap(State{Snapshot: next}); err != nil {
			t.Fatal(err)
		}
		in.server.cfg.CanariesUnlisted = cfg.CanariesUnlisted
		if cfg.CanariesUnlisted == nil {
			wrong, err := in.server.shelf.get(within(t), 8)
			if err != nil {
				t.Fatal(err)
			}
			if in.server.vouches(wrong, screen.NewIndex(old)) {
				t.Errorf("%s: vouched for", name)
			}
		} else {
			refused("8", ask(8))
			refused("8", ask(8))
		}
		if text := log.String(); strings.Count(text, "CANARIES FAIL of a snapshot that is not served") != 1 || strings.Contains(strings.ToLower(text), evmLower[2:]) {
			t.Errorf("%s: log:\n%s", name, text)
		}
	}
}

func TestParseCanary(t *testing.T) {
	for _, test := range []struct {
		text string
		want Canary
		ok   bool
	}{
		{"us-ofac-sdn=" + evm, Canary{"us-ofac-sdn", evm}, true},
		{"own=bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT?amount=1", Canary{"own", "bitcoin:1BoatSLRHtKNngkdXEeobR76b53LETtpyT?amount=1"}, true},
		{"us-ofac-sdn", Canary{}, false},
		{"us-ofac-sdn=", Canary{}, false},
		{"us-ofac-sdn= ", Canary{}, false},
		{"US=" + evm, Canary{}, false},
		{"=" + evm, Canary{}, false},
		{"own=" + strings.Repeat("x", 513), Canary{}, false},
	} {
		got, err := ParseCanary(test.text)
		if (err == nil) != test.ok || test.ok && got != test.want {
			t.Errorf("%q: %v, %v", test.text, got, err)
		}
	}
	for text, ok := range map[string]bool{other: true, "vitalik.eth": false, "nonsense": false, "": false, evm[:41]: false} {
		if err := CheckUnlistedCanary(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A canary is found by its own listing alone, current and of the same account.
func TestJudgeListed(t *testing.T) {
	s := published(t)
	listing := &s.Listings()[0]
	if listing.Delisted != 0 {
		listing = &s.Listings()[1]
	}
	p := probe{listing: listing}
	good := func() *pb.ScreenResult {
		return &pb.ScreenResult{Verdict: pb.Verdict_VERDICT_LISTED, Matches: []*pb.Match{{Basis: pb.Basis_BASIS_SAME_ACCOUNT, Listing: &pb.Listing{
			ListId: string(s.ListOf(listing).ID), PartyUid: s.PartyOf(listing).UID, Address: listing.Text, Symbol: listing.Symbol, Tag: listing.Tag,
		}}}}
	}
	if err := p.judge(s, good()); err != nil {
		t.Errorf("a good answer: %v", err)
	}
	for name, spoil := range map[string]func(*pb.ScreenResult){
		"no match":          func(r *pb.ScreenResult) { r.Matches = nil },
		"a weaker basis":    func(r *pb.ScreenResult) { r.Matches[0].Basis = pb.Basis_BASIS_SAME_ACCOUNT_OTHER_TAG },
		"a past listing":    func(r *pb.ScreenResult) { r.Matches[0].Listing.Delisted = &pb.PublicationRef{} },
		"another party":     func(r *pb.ScreenResult) { r.Matches[0].Listing.PartyUid += "x" },
		"another text":      func(r *pb.ScreenResult) { r.Matches[0].Listing.Address += "x" },
		"another list":      func(r *pb.ScreenResult) { r.Matches[0].Listing.ListId += "x" },
		"a weaker verdict":  func(r *pb.ScreenResult) { r.Verdict = pb.Verdict_VERDICT_ADVISORY },
		"no verdict at all": func(r *pb.ScreenResult) { r.Verdict = pb.Verdict_VERDICT_UNSPECIFIED },
	} {
		r := good()
		spoil(r)
		if p.judge(s, r) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

// Odd rows, a list that is stale, and one that is
// required and not there refuse no snapshot.
func TestCanariesRefuseNothingRight(t *testing.T) {
	s := New(Config{Now: newClock(noon).now, MaxListAge: time.Second, Require: []screen.ListID{"eu-fsf"}, CanariesUnlisted: []string{other}})
	right := odd(t)
	if err := s.Swap(State{Snapshot: right}); err != nil {
		t.Error(err)
	}
	if err := s.Swap(State{Snapshot: screen.Empty().Named(9, noon)}); err != nil {
		t.Errorf("no lists at all: %v", err)
	}
}

// BenchmarkCanaries tells what canaries cost: 20 lists of 1000 addresses.
func BenchmarkCanaries(b *testing.B) {
	s := screen.Empty()
	for i := range 20 {
		var texts []string
		for j := range 1000 {
			texts = append(texts, fmt.Sprintf("0x%040X", 0xABCD_0000_0000+1000*i+j))
		}
		s = merged(b, s, screen.List{ID: screen.ListID(fmt.Sprintf("list-%02d", i)), Kind: screen.KindDesignation}, 20251104, fmt.Sprint(i), party("1", texts...))
	}
	server := New(Config{Now: newClock(noon).now})
	sv := &served{State: State{Snapshot: s}, index: screen.NewIndex(s)}
	for b.Loop() {
		if _, err := server.canaries(sv); err != nil {
			b.Fatal(err)
		}
	}
}
