package main_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/store/storetest"
	"walletscreen/screen/wire"
)

// verdictClauses hold what answers say: verdicts, reasons, warnings, listings, notices.
var verdictClauses = slices.Concat(verdictValueClauses, verdictReasonClauses, verdictWarningClauses, verdictMatchClauses, verdictListingClauses, verdictFreshnessClauses)

// A published world serves small publications of every kind of list, which the loader
// read from documents in the layout of their publishers.
type published struct {
	*answering
	redis     *storetest.Server
	documents map[string]string // their digests in hex, decompressed, by the name of the file
	runs      []loadingRun

	// results are the answers to everyReply, in its order.
	results func() []*pb.ScreenResult
	// others are answers to the same texts that were asked otherwise, and what
	// ListService says.
	others func() []proto.Message
}

// A loadingRun is one run of the loader.
type loadingRun struct {
	begin, end time.Time
	Lists      []struct {
		List, Outcome string
		Snapshot      struct {
			Sequence uint64
			Digest   string
		}
	}
}

// The SDN List, and the operator's own.
const (
	sdnList = "us-ofac-sdn"
	ownList = "own"
)

// The publications of us-ofac-sdn that a published world has, the first of which is
// loader/ofac/testdata/advanced.xml. The last two are of one day.
const (
	firstOfSDN  = "2025-02-07"
	secondOfSDN = "2025-03-21"
)

// The days of the publications of the operator's own list.
const (
	firstOfOwn  = "2025-06-01"
	secondOfOwn = "2025-09-10"
)

// Addresses of the published world. Those of the operator's own list are made up: see
// screen/testdata/vectors.json.
const (
	ownEVM           = "0x26e13eC291b3f6Cd0544bc83a5390eE5B5c9d42B"
	ownEVMOnTron     = "TDWnWf2M9q48j1tkucpthfB8uvbDEiKsan" // the same 20 bytes
	ownAccount       = "0x0810cf934b4c4509183c0f054be418ae11376c08"
	ownAccountOnTron = "TAhrYdaBughY6hSQjtJhsW4r5CWEdE63mJ" // not published
	ownPooled        = "rfqMmuDoDvL3FUaw5Qad8T7NUQZESi5qa7"
	ownTag           = "102334770"
	ownScript        = "393gsyfaV9KWG7149hMiNHNjvW3Ya4W8ks"
	ownScriptDoge    = "9ynwcpjUZDCQAUNXZq28cR17d5RaiEWiiC"
	ownWitness       = "bc1qgl6uhuatv8v2nczjeup8sn8wvkj5lwknc9krfu99y6pwrz8ud6gs23x8xl"
	ownNested        = "3GWgDi5icwVmgQHGuSEAniT7eTDU5fjCkT" // a script that holds the witness program
	ownAdvised       = "TRZJrqVVaCTnNkxfjfKBHpw7J84SMYske7"
	ownDesignated    = "SWdtWoyYLLCZ6o4SkuigLCChyGu1vTZd1w" // Stratis; a script of DigiByte begins with the same letter
	ownDesignatedB   = "1ALtUyCPby1MaVGzDUjbnJ49KVfb7gkLfm" // the same key hash on Bitcoin
	ownSeized        = "bitcoincash:qzahz4y0hulcvp3vl46tsn6q55p7wfmuw5zhf2l9z3"
	ownScriptB       = "3QAhsDU6ZgiWnVCNdVpjkHkiE9W9mLVawJ" // a script of Bitcoin
	ownScriptBDGB    = "SjmgyWkok9bLDdHQ3q9DsZYLjQSs4Nroro" // the same of DigiByte
	ownBounded       = "DGfpN846gxCNaBSwfuPK8xqRBHAaDPMHGY" // from 2025-07-01 to 2025-09-01
	ownLeaving       = "ARhiKwqtLecKvbnneka2mh4NYek9QvbqA8" // not in the second publication
	ownUnreadable    = "account 7 of Jane Example"

	ofacBitcoin    = "1BitcoinEaterAddressDontSendf59kuE"
	ofacEVM        = "0x000000000000000000000000000000000000dEaD" // of two parties
	ofacTron       = "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb"         // of three
	ofacUnreadable = " qqq:of-a-coin-yet-unknown "                // in the first publication alone
	ofacAdded      = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"         // of an old party, from the second on
	ofacLast       = "0x00000000219ab540356cBB839Cbe05303d7705Fa" // from the third on
	ukEVM          = "0x2ae2f0decb81fc1ec7b1dcbc19912b19605e312b" // once as ETH, once as BNB
	fbiEVM         = "0x1111111111111111111111111111111111111111"
	ilTron         = "TL94ikrR7YUe1gvYHtU9nUUUDHN1YB7Pod"
	ilPooled       = "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"
	ilTag          = "100000002"

	freeBitcoin = "3E6ZCKRrsdPc35chA9Eftp1h3DLW18NFNV" // on none of these lists
	freeTron    = "TXEsK1sEsKjZ1xtHitnyAAoqw3WLdYdRNW" // likewise
)

// ownRows are the rows of the operator's own list, without its header.
var ownRows = strings.Join([]string{
	ownEVM + ",ETH,Mallory,m-1,individual,FRAUD;ATO,,,,,https://intranet.example/cases/1",
	ownEVM + ",ETH,Eve,e-1,,,advisory,,,,",
	ownEVMOnTron + ",USDT,Eve,e-1,,,,,,,",
	ownAccount + ",ETH,Mallory,m-1,individual,FRAUD;ATO,,,,,https://intranet.example/cases/1",
	ownPooled + ",XRP,Mallory,m-1,individual,FRAUD;ATO,,,," + ownTag + ",https://intranet.example/cases/1",
	ownScript + ",XBT,Trudy Ltd,t-1,entity,,,,,,",
	ownWitness + ",XBT,Trudy Ltd,t-1,entity,,,,,,",
	ownScriptB + ",XBT,Trudy Ltd,t-1,entity,,,,,,",
	ownAdvised + ",TRX,Sloop,s-1,vessel,,advisory,,,,",
	ownDesignated + ",STRAT,Kite,k-1,aircraft,,designation,,,,",
	ownSeized + ",BCH,Purse,p-1,,,seizure-order,,,,",
	ownBounded + ",DGB,Bounded,b-1,,,,2025-07-01,2025-09-01,,",
	ownUnreadable + ",,Jane Example,,,,,,,,",
}, "\n") + "\n"

// openPublished loads the publications and serves them.
func openPublished(t testing.TB) *published {
	t.Helper()
	r := storetest.Redis(t, "--rdbcompression", "no") // for stored
	url := "redis://" + r.Addr
	dir := t.TempDir()
	p := &published{redis: r, documents: map[string]string{}}
	file := func(name, text string) string {
		sum := sha256.Sum256([]byte(text))
		p.documents[name] = hex.EncodeToString(sum[:])
		if strings.HasSuffix(name, ".gz") {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			text = out.String()
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	first, err := os.ReadFile("../../loader/ofac/testdata/advanced.xml")
	if err != nil {
		t.Fatal(err)
	}
	second := reworded(t, string(first), [][2]string{
		{"<Month>2</Month>\n    <Day>7</Day>", "<Month>3</Month>\n    <Day>21</Day>"},
		{">Example Exchange OU<", ">Renamed Exchange OU<"},
		{`<Comment>CYBER2</Comment></SanctionsMeasure>` + "\n    </SanctionsEntry>\n    <SanctionsEntry ID=\"905\"", `<Comment>CYBER4</Comment></SanctionsMeasure>` + "\n    </SanctionsEntry>\n    <SanctionsEntry ID=\"905\""},
		// The act that is printed first is not the first any more.
		{"<Year>2022</Year><Month>4</Month><Day>5</Day>", "<Year>2025</Year><Month>1</Month><Day>15</Day>"},
		{`<Profile ID="105" PartySubTypeID="3">`, `<Profile ID="105" PartySubTypeID="2">`},
		{`<Feature ID="506" FeatureTypeID="9001">`, `<Feature ID="506" FeatureTypeID="13">`},
		{`<Feature ID="521" FeatureTypeID="13">`, `<Feature ID="521" FeatureTypeID="344">`},
		{"BANKXXXX", ofacAdded},
	})
	third := reworded(t, second, [][2]string{{`<Feature ID="531" FeatureTypeID="992">`, `<Feature ID="532" FeatureTypeID="345">
          <FeatureVersion ID="632" ReliabilityID="1"><Comment /><VersionDetail DetailTypeID="1432">` + ofacLast + `</VersionDetail></FeatureVersion>
        </Feature>
        <Feature ID="531" FeatureTypeID="992">`}})
	delta := `<?xml version="1.0" encoding="utf-8"?>
<sanctionsData xmlns="https://www.treasury.gov/ofac/DeltaFile/1.0">
  <publicationInfo><datePublished>2024-06-12T00:00:00-04:00</datePublished><publicationType>Standard Action</publicationType></publicationInfo>
  <entities>
    <entity id="104" action="modify">
      <features><feature id="531" action="add"><type featureTypeId="992">Digital Currency Address - TRX</type><value>` + ofacTron + `</value></feature></features>
    </entity>
  </entities>
</sanctionsData>
`
	orders := "Order ID,Order date,Validity of Issue,Wallet,Currency\nASO 1/25,01.02.2025,01.02.2099," + ilTron + ",USDT\n,,," + ilPooled + " (Address tag " + ilTag + ")*,XRP\n"
	own := func(day, name, rows string) string { return ownList + "@" + day + "=" + file(name, ownHeader+rows) }
	last := own(secondOfOwn, "own-2.csv", ownRows)
	for _, run := range []struct {
		code int
		args []string
	}{
		{0, []string{
			"--source", sdnList + "=" + file("first.xml.gz", string(first)), "--delta", sdnList + "=" + file("delta.xml", delta),
			"--source", "uk-sanctions-list=../../loader/uk/testdata/list.xml", "--source", "us-fbi-ic3=../../loader/fbi/testdata/announcement.html",
			"--source", "il-nbctf@2025-02-03=" + file("orders.csv", orders),
			"--source", own(firstOfOwn, "own-1.csv", ownRows+ownLeaving+",BTG,Leaving,l-1,,,,,,,\n"),
		}},
		{0, []string{"--source", sdnList + "=" + file("second.xml", second), "--source", last}},
		{0, []string{"--source", sdnList + "=" + file("third.xml", third)}},
		{4, []string{"--source", last}}, // which changes nothing
	} {
		p.load(t, url, run.code, run.args...)
	}
	p.answering = standUp(t, serve(t, "--redis", url, "--log-calls", "all", "--log-level", "debug"), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})))
	p.results = sync.OnceValue(func() (all []*pb.ScreenResult) {
		for _, r := range everyReply() {
			all = append(all, p.one(t, r.text, r.request()))
		}
		return all
	})
	p.others = sync.OnceValue(func() []proto.Message { return p.askOtherwise(t) })
	return p
}

// askOtherwise asks for published.others.
func (p *published) askOtherwise(t testing.TB) (all []proto.Message) {
	t.Helper()
	var texts []string
	for _, r := range everyReply() {
		texts = append(texts, r.text)
	}
	for _, req := range []*pb.ScreenAddressesRequest{
		{}, {MaxListAge: durationpb.New(1)}, {Snapshot: 1}, {AsOf: "2000-01-01"}, onLists("nowhere", ownList), onLists("us-fbi-ic3"), {Network: ethereumNetwork},
	} {
		req.Addresses = texts
		all = append(all, p.screen(t, req))
	}
	snapshot, err := p.GetSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, snapshot)
	for _, address := range []string{ofacUnreadable, ofacTron, ownLeaving} {
		history, err := p.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, history)
	}
	return all
}

// reworded is a text with other words in the place of some that stand there once.
func reworded(t testing.TB, text string, words [][2]string) string {
	t.Helper()
	for _, w := range words {
		if strings.Count(text, w[0]) != 1 {
			t.Fatalf("%q stands %d times in the document", w[0], strings.Count(text, w[0]))
		}
		text = strings.Replace(text, w[0], w[1], 1)
	}
	return text
}

func (p *published) load(t testing.TB, url string, code int, args ...string) {
	t.Helper()
	run := loadingRun{begin: time.Now()}
	out := runProgram(t, "", append([]string{"load", "--redis", url, "--release", "--format", "json"}, args...)...)
	run.end = time.Now()
	if out.code != code {
		t.Fatalf("load %q: exit code %d, want %d\n%s%s", args, out.code, code, out.stdout, out.stderr)
	}
	if err := json.Unmarshal([]byte(out.stdout), &run); err != nil {
		t.Fatalf("load %q: %v\n%s", args, err, out.stdout)
	}
	p.runs = append(p.runs, run)
}

// stored is all that Redis holds, and the snapshot that it holds compressed.
func (p *published) stored(t testing.TB) string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: p.redis.Addr})
	defer c.Close()
	var out bytes.Buffer
	keys, err := c.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		value, err := c.Dump(t.Context(), key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		out.WriteString(key + " " + value + "\n")
	}
	if _, err := p.ExportSnapshot(t.Context(), 0, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// listings are the listings of one list that are of the account of an address, by the
// party's id and the symbol.
func (p *published) listings(t testing.TB, list, address string, req *pb.ScreenAddressesRequest) map[string]*pb.Listing {
	t.Helper()
	req = proto.CloneOf(req)
	if req == nil {
		req = &pb.ScreenAddressesRequest{}
	}
	req.ListIds = []string{list}
	found := map[string]*pb.Listing{}
	for _, m := range p.one(t, address, req).Matches {
		l := m.Listing
		if m.Basis > sameAccount {
			continue
		}
		if found[l.PartyUid+" "+l.Symbol] != nil {
			t.Errorf("%q on %s: two listings of party %s as %q", address, list, l.PartyUid, l.Symbol)
		}
		found[l.PartyUid+" "+l.Symbol] = l
	}
	return found
}

// listing is one of them.
func (p *published) listing(t testing.TB, list, address, which string, req *pb.ScreenAddressesRequest) *pb.Listing {
	t.Helper()
	l := p.listings(t, list, address, req)[which]
	if l == nil {
		t.Fatalf("%q on %s: no listing %q", address, list, which)
	}
	return l
}

// inFebruary asks what was listed while the first publication of us-ofac-sdn was the newest.
var inFebruary = &pb.ScreenAddressesRequest{AsOf: "2025-02-10"}

// A reply is what is wanted of one address.
type reply struct {
	text     string
	beside   *pb.ScreenAddressesRequest // asked beside it; nil asks the operator's own list
	verdict  pb.Verdict
	reason   pb.Reason
	warnings []pb.Warning
	bases    []pb.Basis
}

func (r *reply) request() *pb.ScreenAddressesRequest {
	if r.beside == nil {
		return &pb.ScreenAddressesRequest{ListIds: []string{ownList}}
	}
	return proto.CloneOf(r.beside)
}

// replies wants them of the published world, and nothing else.
func replies(all ...reply) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		p := w.published()
		for _, want := range all {
			req := want.request()
			got := p.one(t, want.text, req)
			var bases []pb.Basis
			for _, m := range got.Matches {
				bases = append(bases, m.Basis)
			}
			req.Addresses = nil
			if got.Verdict != want.verdict || got.Reason != want.reason || !slices.Equal(got.Warnings, want.warnings) || !slices.Equal(bases, want.bases) {
				t.Errorf("%q, %v: %s, %s, %v, %v; want %s, %s, %v, %v", want.text, req,
					got.Verdict, got.Reason, got.Warnings, bases, want.verdict, want.reason, want.warnings, want.bases)
			}
		}
	}
}

// cannotRead are the replies to texts that cannot be screened, for one reason, with one
// warning or none.
func cannotRead(reason pb.Reason, warning pb.Warning, texts ...string) []reply {
	var all []reply
	for _, text := range texts {
		r := reply{text: text, verdict: pb.Verdict_VERDICT_CANNOT_SCREEN, reason: reason}
		if warning != 0 {
			r.warnings = warned(warning)
		}
		all = append(all, r)
	}
	return all
}

// onLists asks lists.
func onLists(lists ...string) *pb.ScreenAddressesRequest {
	return &pb.ScreenAddressesRequest{ListIds: lists}
}

// tooOld asks the operator's own list, and wants it compared in the last nanosecond.
func tooOld() *pb.ScreenAddressesRequest {
	return &pb.ScreenAddressesRequest{ListIds: []string{ownList}, MaxListAge: durationpb.New(1)}
}

const (
	isListed     = pb.Verdict_VERDICT_LISTED
	isAdvisory   = pb.Verdict_VERDICT_ADVISORY
	isRelated    = pb.Verdict_VERDICT_RELATED
	isNotListed  = pb.Verdict_VERDICT_NOT_LISTED
	cannotScreen = pb.Verdict_VERDICT_CANNOT_SCREEN

	exactText   = pb.Basis_BASIS_EXACT_TEXT
	sameAccount = pb.Basis_BASIS_SAME_ACCOUNT
	otherTag    = pb.Basis_BASIS_SAME_ACCOUNT_OTHER_TAG
	sameKey     = pb.Basis_BASIS_SAME_KEY
	sameScript  = pb.Basis_BASIS_SAME_SCRIPT_OTHER_LEDGER
)

// basis and warned are lists of one.
func basis(b ...pb.Basis) []pb.Basis      { return b }
func warned(w ...pb.Warning) []pb.Warning { return w }

// everyReply are all that the clauses want of single addresses.
func everyReply() []reply {
	return slices.Concat(verdictReplies, readReplies, normalizedReplies, caseReplies, mixedReplies, testnetReplies, homoglyphReplies, uriReplies, networkReplies, basisReplies, slices.Concat(textReasons...))
}

// neverSent is the clause of an enum's zero: none is in any answer to the texts that the
// clauses know, on every list, about now and then, nor in what ListService says.
func neverSent(enum protoreflect.Enum) clause {
	name, zero := enum.Descriptor().FullName(), enum.Descriptor().Values().ByNumber(0).Name()
	c := clause{element: string(name.Name()) + "." + string(zero), says: []string{string(zero) + " is never sent."}}
	c.holds = func(t *testing.T, w *world) {
		seen := map[protoreflect.EnumNumber]bool{}
		var walk func(m protoreflect.Message)
		walk = func(m protoreflect.Message) {
			fields := m.Descriptor().Fields()
			for i := range fields.Len() {
				f := fields.Get(i)
				switch {
				case f.Kind() == protoreflect.EnumKind && f.Enum().FullName() == name:
					var numbers []protoreflect.EnumNumber
					if f.IsList() {
						for j := range m.Get(f).List().Len() {
							numbers = append(numbers, m.Get(f).List().Get(j).Enum())
						}
					} else {
						numbers = append(numbers, m.Get(f).Enum())
					}
					for _, n := range numbers {
						seen[n] = true
						if n == 0 {
							t.Errorf("%s is 0 in %v", f.FullName(), m)
						}
					}
				case f.Kind() == protoreflect.MessageKind && f.IsList():
					for j := range m.Get(f).List().Len() {
						walk(m.Get(f).List().Get(j).Message())
					}
				case f.Kind() == protoreflect.MessageKind && m.Has(f):
					walk(m.Get(f).Message())
				}
			}
		}
		for _, r := range w.published().results() {
			walk(r.ProtoReflect())
		}
		for _, m := range w.published().others() {
			walk(m.ProtoReflect())
		}
		walk(w.builtin().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{unlistedAddress, "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"}}).ProtoReflect())
		if len(seen) < 3 {
			t.Errorf("only %d values of %s were in any answer", len(seen), name)
		}
	}
	return c
}

// verdictReplies are those in which several verdicts apply, the strongest alone and all
// but it taken away.
var verdictReplies = []reply{
	{text: ownEVM, verdict: isListed, bases: basis(exactText, exactText, sameKey)},
	{text: ownEVM, beside: tooOld(), verdict: isListed, bases: basis(exactText, exactText, sameKey)},
	{text: ownAdvised, verdict: isAdvisory, bases: basis(exactText)},
	{text: ownAdvised, beside: onLists(ownList, "nowhere"), verdict: isAdvisory, reason: pb.Reason_REASON_NOT_LOADED, bases: basis(exactText)},
	{text: ownAccountOnTron, verdict: isRelated, bases: basis(sameKey)},
	{text: ownAccountOnTron, beside: tooOld(), verdict: isRelated, reason: pb.Reason_REASON_STALE, bases: basis(sameKey)},
	{text: freeTron, beside: tooOld(), verdict: cannotScreen, reason: pb.Reason_REASON_STALE},
	{text: freeTron, verdict: isNotListed},
}

var verdictValueClauses = []clause{
	{
		element: "Verdict", says: []string{"Verdict is the answer for one address, listed here from the strongest to the weakest; the strongest that applies is given."},
		holds: func(t *testing.T, w *world) {
			replies(verdictReplies...)(t, w)
			last := pb.Verdict_VERDICT_UNSPECIFIED
			for _, r := range verdictReplies {
				if r.verdict < last {
					t.Errorf("%s stands before %s", r.verdict, last)
				}
				last = r.verdict
			}
		},
	},
	neverSent(pb.Verdict(0)),
	{element: "Verdict.VERDICT_UNSPECIFIED", says: []string{"Treat it like VERDICT_CANNOT_SCREEN."}, elsewhere: "screen/client.TestEveryVerdictAndReason"},
	{
		element: "Verdict.VERDICT_LISTED",
		says:    []string{"VERDICT_LISTED means the same account as, or the very text of, a current listing on a binding list (designation, seizure order, internal)."},
		holds: replies(
			reply{text: ownUnreadable, verdict: isListed, bases: basis(exactText)},
			reply{text: strings.ToLower(ownEVM)[2:], verdict: isListed, bases: basis(sameAccount, sameAccount, sameKey)},
			reply{text: ofacEVM, beside: onLists(sdnList), verdict: isListed, bases: basis(exactText, exactText)},
			reply{text: ilTron, beside: onLists("il-nbctf"), verdict: isListed, bases: basis(exactText)},
			reply{text: ownDesignated, verdict: isListed, bases: basis(exactText)},
			reply{text: ownSeized, verdict: isListed, bases: basis(exactText)},
			// Once, and not now.
			reply{text: ownLeaving, verdict: isNotListed},
			reply{text: ownBounded, verdict: isNotListed},
			reply{text: strings.TrimSpace(ofacUnreadable), beside: onLists(sdnList), verdict: cannotScreen, reason: pb.Reason_REASON_UNRECOGNIZED},
		),
	},
	{
		element: "Verdict.VERDICT_ADVISORY", says: []string{"VERDICT_ADVISORY means the same, but on advisory lists only."},
		holds: replies(
			reply{text: fbiEVM, beside: onLists("us-fbi-ic3"), verdict: isAdvisory, bases: basis(exactText)},
			reply{text: fbiEVM, beside: &pb.ScreenAddressesRequest{}, verdict: isAdvisory, bases: basis(exactText)},
			reply{text: " " + fbiEVM[2:], beside: onLists("us-fbi-ic3"), verdict: isAdvisory, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
			reply{text: ownAdvised, verdict: isAdvisory, bases: basis(exactText)},
			reply{text: ownEVM, verdict: isListed, bases: basis(exactText, exactText, sameKey)}, // on another, too
		),
	},
	{
		element: "Verdict.VERDICT_RELATED",
		says:    []string{"VERDICT_RELATED means not the printed account, but the same key or script in another form or on another ledger, or the same pooled account under another tag."},
		holds: replies(
			reply{text: ownAccountOnTron, verdict: isRelated, bases: basis(sameKey)},
			reply{text: ownNested, verdict: isRelated, bases: basis(sameScript)},
			reply{text: ownScriptDoge, verdict: isRelated, bases: basis(sameScript)},
			reply{text: ownPooled, verdict: isRelated, bases: basis(otherTag)},
			reply{text: ownPooled + "?dt=1", verdict: isRelated, warnings: warned(pb.Warning_WARNING_URI), bases: basis(otherTag)},
			reply{text: ownPooled + "?dt=" + ownTag, verdict: isListed, warnings: warned(pb.Warning_WARNING_URI), bases: basis(sameAccount)},
		),
	},
	{element: "Verdict.VERDICT_RELATED", says: []string{"A person decides."}, elsewhere: "screen/client.TestEveryVerdictAndReason"},
	{
		element: "Verdict.VERDICT_CANNOT_SCREEN", says: []string{"VERDICT_CANNOT_SCREEN means that no reliable answer can be given; reason says why."},
		holds: func(t *testing.T, w *world) {
			none, some := 0, 0
			for _, got := range w.published().results() {
				if got.Verdict != cannotScreen {
					none++
					continue
				}
				some++
				if got.Reason == 0 || len(got.Matches) > 0 {
					t.Errorf("%v", got)
				}
			}
			if none == 0 || some == 0 {
				t.Errorf("%d texts can be screened, %d cannot", none, some)
			}
		},
	},
	{element: "Verdict.VERDICT_CANNOT_SCREEN", says: []string{"It must never be taken for VERDICT_NOT_LISTED."}, elsewhere: "screen/client.TestEveryVerdictAndReason"},
	{
		element: "Verdict.VERDICT_NOT_LISTED",
		says:    []string{"VERDICT_NOT_LISTED means that the text was read cleanly, every plausible reading of it was looked up in every list asked for, each list is loaded and fresh, and nothing was found."},
		holds:   replies(readReplies...),
	},

	{element: "ListKind", says: []string{"ListKind says what being on a list means."}, meaning: "a definition"},
	neverSent(pb.ListKind(0)),
	{
		element: "ListKind.LIST_KIND_DESIGNATION", says: []string{"LIST_KIND_DESIGNATION is a legal act that names the party.", "Binding."},
		holds: wantKinds(pb.ListKind_LIST_KIND_DESIGNATION, isListed, [2]string{sdnList, ofacEVM}, [2]string{"uk-sanctions-list", ukEVM}, [2]string{ownList, ownDesignated}),
	},
	{
		element: "ListKind.LIST_KIND_SEIZURE_ORDER", says: []string{"LIST_KIND_SEIZURE_ORDER is an order to seize what the address holds.", "Binding."},
		holds: wantKinds(pb.ListKind_LIST_KIND_SEIZURE_ORDER, isListed, [2]string{"il-nbctf", ilTron}, [2]string{ownList, ownSeized}),
	},
	{
		element: "ListKind.LIST_KIND_INTERNAL", says: []string{"LIST_KIND_INTERNAL is the operator's own list.", "Binding."},
		holds: wantKinds(pb.ListKind_LIST_KIND_INTERNAL, isListed, [2]string{ownList, ownScript}, [2]string{ownList, ownUnreadable}),
	},
	{
		element: "ListKind.LIST_KIND_ADVISORY", says: []string{"LIST_KIND_ADVISORY is an attribution that binds nobody (FBI, community)."},
		holds: wantKinds(pb.ListKind_LIST_KIND_ADVISORY, isAdvisory, [2]string{"us-fbi-ic3", fbiEVM}, [2]string{ownList, ownAdvised}),
	},
}

// wantKinds wants addresses on lists to have that kind and verdict.
func wantKinds(kind pb.ListKind, verdict pb.Verdict, of ...[2]string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		for _, on := range of {
			r := w.published().one(t, on[1], &pb.ScreenAddressesRequest{ListIds: on[:1]})
			if r.Verdict != verdict || len(r.Matches) == 0 {
				t.Errorf("%q: %v, want %s", on, r, verdict)
			}
			for _, m := range r.Matches {
				if m.Listing.Kind != kind {
					t.Errorf("%q: %v, want %s", on, m, kind)
				}
			}
		}
	}
}

// readReplies take away, one after the other, what NOT_LISTED wants.
var readReplies = []reply{
	{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{}, verdict: isNotListed},
	{text: freeBitcoin[:len(freeBitcoin)-1] + "W", verdict: cannotScreen, reason: pb.Reason_REASON_CHECKSUM},
	{text: freeBitcoin + " " + freeTron, verdict: cannotScreen, reason: pb.Reason_REASON_SEVERAL_ADDRESSES},
	// One text may be an address of Stratis, by its key, or of DigiByte, by its script.
	{text: ownDesignatedB, verdict: isRelated, bases: basis(sameKey)},
	{text: ownDesignated, verdict: isListed, bases: basis(exactText)},
	{text: ownScriptBDGB, verdict: isRelated, bases: basis(sameScript)},
	{text: fbiEVM, beside: onLists(ownList), verdict: isNotListed},
	{text: fbiEVM, beside: onLists(ownList, "us-fbi-ic3"), verdict: isAdvisory, bases: basis(exactText)},
	{text: freeBitcoin, beside: onLists(ownList, "nowhere"), verdict: cannotScreen, reason: pb.Reason_REASON_NOT_LOADED},
	{text: freeBitcoin, beside: tooOld(), verdict: cannotScreen, reason: pb.Reason_REASON_STALE},
	{text: ofacEVM, beside: &pb.ScreenAddressesRequest{}, verdict: isListed, bases: basis(exactText, exactText)},
}

// textReasons are texts that cannot be screened, by the number of the reason. None is a
// secret of anybody: keys and phrases are those of published examples.
var textReasons = [][]reply{
	pb.Reason_REASON_EMPTY: append(cannotRead(pb.Reason_REASON_EMPTY, pb.Warning_WARNING_NORMALIZED, " ", "\n\t ", "\ufeff", "\u200b\u00ad", `""`, "()", "."),
		reply{verdict: cannotScreen, reason: pb.Reason_REASON_EMPTY}),
	pb.Reason_REASON_TOO_LONG: append(cannotRead(pb.Reason_REASON_TOO_LONG, 0,
		strings.Repeat("a", 513), ownScript+strings.Repeat(" ", 513-len(ownScript)), strings.Repeat("\x00", 513), strings.Repeat("ü", 257), strings.Repeat("x", 1<<20),
		strings.Repeat("1", 129)),
		reply{text: ownScript + strings.Repeat(" ", 512-len(ownScript)), verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)}),
	pb.Reason_REASON_INVALID_TEXT: cannotRead(pb.Reason_REASON_INVALID_TEXT, 0, "\xff", "0x\xc3(", freeTron+"\x80", "\xed\xa0\x80"),
	pb.Reason_REASON_CHECKSUM: append(cannotRead(pb.Reason_REASON_CHECKSUM, 0,
		"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", freeTron[:len(freeTron)-1]+"X", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
		reply{text: "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", verdict: isNotListed},
		reply{text: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", verdict: isNotListed}),
	pb.Reason_REASON_MALFORMED: append(cannotRead(pb.Reason_REASON_MALFORMED, 0,
		"0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedd", "0x",
		"bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd"),
		reply{text: "BC1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", verdict: cannotScreen, reason: pb.Reason_REASON_MALFORMED, warnings: warned(pb.Warning_WARNING_MIXED_CASE)}),
	pb.Reason_REASON_NON_ASCII: cannotRead(pb.Reason_REASON_NON_ASCII, 0, "víttalik.eth", "כ"+freeTron),
	pb.Reason_REASON_AMBIGUOUS_32_BYTE: append(cannotRead(pb.Reason_REASON_AMBIGUOUS_32_BYTE, 0, strings.Repeat("ab", 32), "0x"+strings.Repeat("ab", 32), strings.Repeat("AB", 32)),
		reply{text: strings.Repeat("ab", 32), beside: &pb.ScreenAddressesRequest{Network: "near:mainnet"}, verdict: isNotListed}),
	pb.Reason_REASON_UNSUPPORTED_NETWORK: cannotRead(pb.Reason_REASON_UNSUPPORTED_NETWORK, 0,
		"tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut", "N7FdkoPbHSxKfrSVVbRu3NZtrLqc1oKpAR"),
	pb.Reason_REASON_NAME_NEEDS_RESOLUTION: cannotRead(pb.Reason_REASON_NAME_NEEDS_RESOLUTION, 0, "vitalik.eth", "VITALIK.ETH", "bonfida.sol", "bob*stellar.org"),
	pb.Reason_REASON_EXTENDED_KEY: cannotRead(pb.Reason_REASON_EXTENDED_KEY, 0,
		"xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
		"pkh(02c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5)"),
	pb.Reason_REASON_NOT_AN_ADDRESS: cannotRead(pb.Reason_REASON_NOT_AN_ADDRESS, 0,
		"lno1pgx0gt3qv9ex2unpw3sx2mrvwd5hyurp0p3kuar0vfjkyergv9ks7l8u4c0", "100000001",
		"PM8TJTLJbPRGxSbc8EJi42Wrr6QbNSaSSVJ5Y3E4pbCYiTHUskHg13935Ubb7q8tx9GVbh2UuRnBc3WSyJHhUrw8KhprKnn9eDznYGieTzFcwQRya4GA"),
	pb.Reason_REASON_SECRET_MATERIAL: cannotRead(pb.Reason_REASON_SECRET_MATERIAL, 0, secretTexts...),
	pb.Reason_REASON_SEVERAL_ADDRESSES: cannotRead(pb.Reason_REASON_SEVERAL_ADDRESSES, 0,
		freeTron+" 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", freeTron+","+freeBitcoin, freeBitcoin+"\n"+freeBitcoin),
	pb.Reason_REASON_UNRECOGNIZED: cannotRead(pb.Reason_REASON_UNRECOGNIZED, 0, "hello", "hello world", "\x00", "a,b", "-"),
}

// secretTexts are a private key (Bitcoin wiki) and a recovery phrase (BIP-39).
var secretTexts = []string{
	"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "legal winner thank year wave sausage worth useful legal winner thank yellow",
}

// reasonOfText is a clause of a reason that lies in the text.
func reasonOfText(reason pb.Reason, says ...string) clause {
	return clause{element: "Reason." + reason.String(), says: says, holds: replies(textReasons[reason]...)}
}

var verdictReasonClauses = []clause{
	{
		element: "Reason", says: []string{"Reason says why an address cannot be screened."},
		holds: func(t *testing.T, w *world) {
			seen := map[pb.Reason]bool{}
			for _, got := range w.published().results() {
				if got.Verdict == cannotScreen {
					seen[got.Reason] = true
				}
			}
			seen[w.published().one(t, freeBitcoin, &pb.ScreenAddressesRequest{AsOf: "2000-01-01"}).Reason] = true
			for number, name := range pb.Reason_name {
				if seen[pb.Reason(number)] != (number != 0) {
					t.Errorf("%s is given: %t", name, number == 0)
				}
			}
		},
	},
	{
		element: "Reason.REASON_UNSPECIFIED", says: []string{"REASON_UNSPECIFIED means that nothing stands against the verdict."},
		holds: replies(
			reply{text: freeBitcoin, verdict: isNotListed},
			reply{text: ownAdvised, verdict: isAdvisory, bases: basis(exactText)},
			reply{text: ownAdvised, beside: tooOld(), verdict: isAdvisory, reason: pb.Reason_REASON_STALE, bases: basis(exactText)},
			reply{text: ownAccountOnTron, verdict: isRelated, bases: basis(sameKey)},
			reply{text: ownAccountOnTron, beside: tooOld(), verdict: isRelated, reason: pb.Reason_REASON_STALE, bases: basis(sameKey)},
			reply{text: ownAccount, beside: tooOld(), verdict: isListed, bases: basis(exactText)}, // nothing is stronger
		),
	},
	reasonOfText(pb.Reason_REASON_EMPTY, "REASON_EMPTY: nothing is left of the text after trimming."),
	reasonOfText(pb.Reason_REASON_TOO_LONG, "REASON_TOO_LONG: over 512 bytes, or longer than any encoding it could be."),
	reasonOfText(pb.Reason_REASON_INVALID_TEXT, "REASON_INVALID_TEXT: the bytes are not valid UTF-8."),
	reasonOfText(pb.Reason_REASON_CHECKSUM, "REASON_CHECKSUM: the text has the shape of an address and its checksum does not verify: most likely a typing error."),
	reasonOfText(pb.Reason_REASON_MALFORMED, "REASON_MALFORMED: nearly an address: wrong length, mixed-case bech32, wrong variant of bech32."),
	reasonOfText(pb.Reason_REASON_NON_ASCII, "REASON_NON_ASCII: letters outside ASCII are left after normalization."),
	reasonOfText(pb.Reason_REASON_AMBIGUOUS_32_BYTE, "REASON_AMBIGUOUS_32_BYTE: 64 hex digits, which may be a transaction hash, a key or an account."),
	reasonOfText(pb.Reason_REASON_UNSUPPORTED_NETWORK, "REASON_UNSUPPORTED_NETWORK: the encoding holds, but this server does not know the network it belongs to."),
	reasonOfText(pb.Reason_REASON_NAME_NEEDS_RESOLUTION, "REASON_NAME_NEEDS_RESOLUTION: a name (ENS and the like); resolve it, then screen the address."),
	reasonOfText(pb.Reason_REASON_EXTENDED_KEY, "REASON_EXTENDED_KEY: an extended public key or a descriptor: one text, many addresses."),
	{element: "Reason.REASON_EXTENDED_KEY", says: []string{"Derive them, then screen each."}, meaning: "advice to clients"},
	reasonOfText(pb.Reason_REASON_NOT_AN_ADDRESS, "REASON_NOT_AN_ADDRESS: an invoice, a payment code, an account number."),
	reasonOfText(pb.Reason_REASON_SECRET_MATERIAL, "REASON_SECRET_MATERIAL: the text has the shape of a private key or a seed phrase."),
	{
		element: "Reason.REASON_SECRET_MATERIAL", says: []string{"It is neither stored nor logged; its owner should move the funds."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			for _, text := range secretTexts {
				p.one(t, text, &pb.ScreenAddressesRequest{RequestId: "secrets"})
				if _, err := p.GetAddressHistory(t.Context(), &pb.GetAddressHistoryRequest{Address: text}); err != nil {
					t.Error(err)
				}
			}
			eventually(t, "the calls are logged", func() bool { return strings.Contains(p.logged(), "secrets") })
			stored := p.stored(t)
			if !strings.Contains(stored, "third.xml") {
				t.Error("what Redis holds does not name the file that was read: it is not found")
			}
			for _, text := range secretTexts {
				if strings.Contains(p.logged(), text) || strings.Contains(stored, text) {
					t.Errorf("%q is logged or stored", text)
				}
			}
		},
	},
	reasonOfText(pb.Reason_REASON_SEVERAL_ADDRESSES, "REASON_SEVERAL_ADDRESSES: more than one address in one text."),
	reasonOfText(pb.Reason_REASON_UNRECOGNIZED, "REASON_UNRECOGNIZED: not in any encoding that this server knows."),
	{element: "Reason.reserved", says: []string{"reasons in the text", "reasons in the lists"}, meaning: "numbers that are kept"},
	{
		element: "Reason.REASON_STALE", says: []string{"REASON_STALE: a list asked for is older than the age limit in force."},
		holds: replies(
			reply{text: freeBitcoin, beside: tooOld(), verdict: cannotScreen, reason: pb.Reason_REASON_STALE},
			reply{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{MaxListAge: durationpb.New(time.Hour)}, verdict: isNotListed},
			reply{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{MaxListAge: durationpb.New(1)}, verdict: cannotScreen, reason: pb.Reason_REASON_STALE},
		),
	},
	{
		element: "Reason.REASON_NOT_LOADED", says: []string{"REASON_NOT_LOADED: a list asked for is not loaded."},
		holds: replies(
			reply{text: freeBitcoin, beside: onLists("nowhere"), verdict: cannotScreen, reason: pb.Reason_REASON_NOT_LOADED},
			reply{text: freeBitcoin, beside: onLists(sdnList, "eu-fsf"), verdict: cannotScreen, reason: pb.Reason_REASON_NOT_LOADED},
			reply{text: freeBitcoin, beside: onLists(sdnList), verdict: isNotListed},
		),
	},
	{
		element: "Reason.REASON_BEFORE_HISTORY", says: []string{"REASON_BEFORE_HISTORY: as_of is earlier than the history held of a list."},
		holds: replies(
			reply{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{ListIds: []string{sdnList}, AsOf: "2025-02-06"}, verdict: cannotScreen, reason: pb.Reason_REASON_BEFORE_HISTORY},
			reply{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{ListIds: []string{sdnList}, AsOf: firstOfSDN}, verdict: isNotListed},
			reply{text: freeBitcoin, beside: &pb.ScreenAddressesRequest{ListIds: []string{sdnList, "us-fbi-ic3"}, AsOf: firstOfSDN}, verdict: cannotScreen, reason: pb.Reason_REASON_BEFORE_HISTORY},
		),
	},
}

var normalizedReplies = []reply{
	{text: "\t" + ownScript + " \r\n", verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: "\u00a0" + ownScript, verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: ownScript[:9] + "\u200b" + ownScript[9:], verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: fullWidth(ownScript), verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: `"` + ownScript + `"`, verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: "<" + ownScript + ">", verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(sameAccount)},
	{text: " " + freeBitcoin, verdict: isNotListed, warnings: warned(pb.Warning_WARNING_NORMALIZED)},
	{text: ownScript, verdict: isListed, bases: basis(exactText)},
}

// fullWidth writes ASCII letters and digits as wide as Chinese ones.
func fullWidth(text string) string {
	return strings.Map(func(r rune) rune { return r - '!' + '！' }, text)
}

var caseReplies = []reply{
	{text: ownAccount[2:], verdict: isListed, bases: basis(sameAccount)},
	{text: "0x26e13eC291b3f6Cd0544bc83a5390eE5B5c9d42b", verdict: isListed, warnings: warned(pb.Warning_WARNING_CHECKSUM_CASE), bases: basis(sameAccount, sameAccount, sameKey)},
	{text: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", verdict: cannotScreen, reason: pb.Reason_REASON_CHECKSUM, warnings: warned(pb.Warning_WARNING_CHECKSUM_CASE)},
	{text: "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", verdict: isNotListed},
	{text: "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", verdict: isNotListed},
	{text: "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", verdict: isNotListed},
}

var mixedReplies = []reply{
	{text: "BC1Qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", verdict: cannotScreen, reason: pb.Reason_REASON_MALFORMED, warnings: warned(pb.Warning_WARNING_MIXED_CASE)},
	{text: "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", verdict: isNotListed},
	{text: "BC1Q" + ownWitness[4:], verdict: isListed, warnings: warned(pb.Warning_WARNING_MIXED_CASE), bases: basis(sameAccount)},
}

var testnetReplies = []reply{
	{text: "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", verdict: isNotListed, warnings: warned(pb.Warning_WARNING_TESTNET)},
	{text: "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", verdict: isNotListed, warnings: warned(pb.Warning_WARNING_TESTNET)},
	{text: "2Mzbtwibc6bprTtdbppyazEN18rFiQKXdDE", verdict: isRelated, warnings: warned(pb.Warning_WARNING_TESTNET), bases: basis(sameScript)},
	{text: "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", verdict: isNotListed},
}

var homoglyphReplies = []reply{
	{text: "TRZJrqVVаСTnNkxfjfKBHpw7J84SMYske7", verdict: isAdvisory, reason: pb.Reason_REASON_NON_ASCII, warnings: warned(pb.Warning_WARNING_HOMOGLYPH), bases: basis(sameAccount)},
	{text: "0x26е13еC291b3f6Cd0544bc83a5390eE5B5c9d42B", verdict: isListed, warnings: warned(pb.Warning_WARNING_HOMOGLYPH), bases: basis(sameAccount, sameAccount, sameKey)},
	// On no list.
	{text: "TН96tFMn8KGiYSLiwсV3E2UiaJc8jmcbz3", verdict: cannotScreen, reason: pb.Reason_REASON_NON_ASCII, warnings: warned(pb.Warning_WARNING_HOMOGLYPH)},
	{text: "0х098В716Β8Аaf21512996dC57EB0615e2383E2f96", verdict: cannotScreen, reason: pb.Reason_REASON_NON_ASCII, warnings: warned(pb.Warning_WARNING_HOMOGLYPH)},
	// Letters that look like none.
	{text: "כ" + freeTron, verdict: cannotScreen, reason: pb.Reason_REASON_NON_ASCII},
}

var uriReplies = []reply{
	{text: "bitcoin:" + ownScript + "?amount=0.01&label=x", verdict: isListed, warnings: warned(pb.Warning_WARNING_URI), bases: basis(sameAccount)},
	{text: "eip155:137:" + ownAccount, verdict: isListed, warnings: warned(pb.Warning_WARNING_URI), bases: basis(sameAccount)},
	{text: "BTC:" + ownScript, verdict: isListed, warnings: warned(pb.Warning_WARNING_URI), bases: basis(sameAccount)},
	{text: "bitcoin:" + freeBitcoin, verdict: isNotListed, warnings: warned(pb.Warning_WARNING_URI)},
	{text: "bitcoin:1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", verdict: cannotScreen, reason: pb.Reason_REASON_CHECKSUM, warnings: warned(pb.Warning_WARNING_URI)},
}

// onNetwork asks the operator's own list with a network.
func onNetwork(network string) *pb.ScreenAddressesRequest {
	return &pb.ScreenAddressesRequest{ListIds: []string{ownList}, Network: network}
}

const (
	bitcoinNetwork  = "bip122:000000000019d6689c085ae165831e93"
	ethereumNetwork = "eip155:1"
	tronNetwork     = "tron:0x2b6653dc"
)

var networkReplies = []reply{
	{text: ownScript, beside: onNetwork(bitcoinNetwork), verdict: isListed, bases: basis(exactText)},
	{text: ownScript, beside: onNetwork(ethereumNetwork), verdict: isListed, warnings: warned(pb.Warning_WARNING_NETWORK_MISMATCH), bases: basis(exactText)},
	{text: freeBitcoin, beside: onNetwork(ethereumNetwork), verdict: isNotListed, warnings: warned(pb.Warning_WARNING_NETWORK_MISMATCH)},
	{text: freeBitcoin, beside: onNetwork(bitcoinNetwork), verdict: isNotListed},
	{text: freeBitcoin, beside: onNetwork("made-up:1"), verdict: isNotListed},
	// The listing is of Ethereum, the address of Tron.
	{text: ownAccountOnTron, beside: onNetwork(tronNetwork), verdict: isRelated, warnings: warned(pb.Warning_WARNING_NETWORK_MISMATCH), bases: basis(sameKey)},
	{text: ownUnreadable, beside: onNetwork(tronNetwork), verdict: isListed, bases: basis(exactText)},
}

var verdictWarningClauses = []clause{
	{
		element: "Warning", says: []string{"Warning is a remark on how a text had to be read, or on what was found."},
		holds: func(t *testing.T, w *world) {
			seen := map[pb.Warning]bool{}
			for _, got := range w.published().results() {
				for _, warning := range got.Warnings {
					seen[warning] = true
				}
			}
			for number, name := range pb.Warning_name {
				if seen[pb.Warning(number)] != (number != 0) {
					t.Errorf("%s is given: %t", name, number == 0)
				}
			}
		},
	},
	neverSent(pb.Warning(0)),
	{
		element: "Warning.WARNING_NORMALIZED",
		says:    []string{"WARNING_NORMALIZED: white space, invisible or full-width characters, quotes or brackets were removed before reading."},
		holds:   replies(normalizedReplies...),
	},
	{element: "Warning.WARNING_CHECKSUM_CASE", says: []string{"WARNING_CHECKSUM_CASE: mixed letter case that is no valid EIP-55 checksum."}, holds: replies(caseReplies...)},
	{element: "Warning.WARNING_MIXED_CASE", says: []string{"WARNING_MIXED_CASE: bech32 in mixed case, which its specification forbids."}, holds: replies(mixedReplies...)},
	{element: "Warning.WARNING_TESTNET", says: []string{"WARNING_TESTNET: an address of a test network."}, holds: replies(testnetReplies...)},
	{element: "Warning.WARNING_HOMOGLYPH", says: []string{"WARNING_HOMOGLYPH: letters of other scripts were taken for the Latin ones that they look like."}, holds: replies(homoglyphReplies...)},
	{
		element: "Warning.WARNING_HOMOGLYPH", says: []string{"It is never given with NOT_LISTED."},
		holds: func(t *testing.T, w *world) {
			given := 0
			all := slices.Clone(w.published().results())
			for _, m := range w.published().others() {
				if res, ok := m.(*pb.ScreenAddressesResponse); ok {
					all = append(all, res.Results...)
				}
			}
			for _, got := range all {
				if slices.Contains(got.Warnings, pb.Warning_WARNING_HOMOGLYPH) {
					given++
					if got.Verdict == isNotListed {
						t.Errorf("%v", got)
					}
				}
			}
			if given == 0 {
				t.Error("it is never given")
			}
		},
	},
	{element: "Warning.WARNING_URI", says: []string{"WARNING_URI: the address was taken out of a URI, an account id or a text that begins with a ticker."}, holds: replies(uriReplies...)},
	{element: "Warning.reserved", says: []string{"remarks on the text", "remarks on the look-up"}, meaning: "numbers that are kept"},
	{
		element: "Warning.WARNING_NETWORK_MISMATCH",
		says:    []string{"WARNING_NETWORK_MISMATCH: the address, or the listing it matches, is not one of the network that the request names."},
		holds:   replies(networkReplies...),
	},
}

var basisReplies = []reply{
	{text: ownScript, verdict: isListed, bases: basis(exactText)},
	{text: ownUnreadable, verdict: isListed, bases: basis(exactText)},
	{text: ofacUnreadable, beside: &pb.ScreenAddressesRequest{ListIds: []string{sdnList}, AsOf: inFebruary.AsOf}, verdict: isListed, warnings: warned(pb.Warning_WARNING_NORMALIZED), bases: basis(exactText)},
	{text: strings.TrimSpace(ofacUnreadable), beside: &pb.ScreenAddressesRequest{ListIds: []string{sdnList}, AsOf: inFebruary.AsOf}, verdict: isListed, bases: basis(sameAccount)},
	{text: ownAccount[2:], verdict: isListed, bases: basis(sameAccount)},
	{text: strings.TrimPrefix(ownSeized, "bitcoincash:"), verdict: isListed, bases: basis(sameAccount)},
	{text: strings.ToUpper(ownWitness), verdict: isListed, bases: basis(sameAccount)},
	{text: ownPooled, verdict: isRelated, bases: basis(otherTag)},
	{text: ownPooled + ":1", verdict: isRelated, warnings: warned(pb.Warning_WARNING_URI), bases: basis(otherTag)},
	{text: ownPooled + ":" + ownTag, verdict: isListed, warnings: warned(pb.Warning_WARNING_URI), bases: basis(sameAccount)},
	{text: ownAccountOnTron, verdict: isRelated, bases: basis(sameKey)},
	{text: ownDesignatedB, verdict: isRelated, bases: basis(sameKey)},
	{text: ownScriptDoge, verdict: isRelated, bases: basis(sameScript)},
	{text: ownNested, verdict: isRelated, bases: basis(sameScript)},
	{text: ownEVMOnTron, verdict: isListed, bases: basis(exactText, sameKey, sameKey)},
}

// replied are the replies that have a basis.
func replied(all []reply, b pb.Basis) (with []reply) {
	for _, r := range all {
		if slices.Contains(r.bases, b) {
			with = append(with, r)
		}
	}
	return with
}

var verdictMatchClauses = []clause{
	{element: "Match", says: []string{"Match is one listing behind a verdict."}, meaning: "a definition"},
	{element: "Match.basis", says: []string{"basis says why the address and the listing are held against each other."}, holds: replies(basisReplies...)},
	{
		element: "Match.listing", says: []string{"listing is the listing as it stood at the time asked about."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			for _, test := range []struct {
				req     *pb.ScreenAddressesRequest
				name    string
				program string
				kind    pb.PartyType
			}{
				{inFebruary, "Example Exchange OU", "CYBER2", pb.PartyType_PARTY_TYPE_ENTITY},
				{&pb.ScreenAddressesRequest{AsOf: secondOfSDN}, "Renamed Exchange OU", "CYBER4", pb.PartyType_PARTY_TYPE_AIRCRAFT},
				{nil, "Renamed Exchange OU", "CYBER4", pb.PartyType_PARTY_TYPE_AIRCRAFT},
			} {
				if l := p.listing(t, sdnList, ofacBitcoin, "101 XBT", test.req); l.PartyName != test.name || l.Programs[1] != test.program {
					t.Errorf("%v: %v", test.req, l)
				}
				if l := p.listing(t, sdnList, ofacTron, "105 TRX", test.req); l.PartyType != test.kind {
					t.Errorf("%v: %v", test.req, l)
				}
			}
		},
	},
	{
		element: "Basis", says: []string{"Basis says why an address matches a listing, the strongest first."},
		holds: func(t *testing.T, w *world) {
			several := 0
			for _, got := range w.published().results() {
				for i, m := range got.Matches {
					for _, before := range got.Matches[:i] {
						// Whatever its basis, a listing that makes a stronger verdict comes first.
						if m.Listing.Kind != before.Listing.Kind || m.Basis == before.Basis {
							continue
						}
						several++
						if m.Basis < before.Basis {
							t.Errorf("%v", got)
						}
					}
				}
			}
			if several == 0 {
				t.Error("no address matches listings for several reasons")
			}
		},
	},
	neverSent(pb.Basis(0)),
	{element: "Basis.BASIS_EXACT_TEXT", says: []string{"BASIS_EXACT_TEXT: the text equals the published text to the letter."}, holds: replies(replied(basisReplies, exactText)...)},
	{element: "Basis.BASIS_SAME_ACCOUNT", says: []string{"BASIS_SAME_ACCOUNT: another way of writing the same account."}, holds: replies(replied(basisReplies, sameAccount)...)},
	{
		element: "Basis.BASIS_SAME_ACCOUNT_OTHER_TAG",
		says:    []string{"BASIS_SAME_ACCOUNT_OTHER_TAG: the same pooled account with another destination tag or memo than the listing's, or with none."},
		holds:   replies(replied(basisReplies, otherTag)...),
	},
	{
		element: "Basis.BASIS_SAME_KEY",
		says:    []string{"BASIS_SAME_KEY: another address of the same key, or the same bytes on a ledger where the same key would control them."},
		holds:   replies(replied(basisReplies, sameKey)...),
	},
	{
		element: "Basis.BASIS_SAME_SCRIPT_OTHER_LEDGER",
		says:    []string{"BASIS_SAME_SCRIPT_OTHER_LEDGER: the same script on another ledger or in another form."},
		holds:   replies(replied(basisReplies, sameScript)...),
	},
}

// holdsListing is a clause of one field of Listing.
func holdsListing(field string, holds func(t *testing.T, p *published), says ...string) clause {
	return clause{element: "Listing." + field, says: says, holds: func(t *testing.T, w *world) { holds(t, w.published()) }}
}

// wantEqual compares what stands in a field, by the name of what it is of.
func wantEqual[T any](t *testing.T, of string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", of, diff)
	}
}

// A listedRow is one listing, to be looked up.
type listedRow struct {
	list, address, which string
	req                  *pb.ScreenAddressesRequest
}

// wantFields wants a field of several listings to be.
func wantFields[T any](get func(*pb.Listing) T, want map[listedRow]T) func(*testing.T, *published) {
	return func(t *testing.T, p *published) {
		for r, w := range want {
			wantEqual(t, fmt.Sprintf("%q of party and symbol %q, %v", r.address, r.which, r.req), get(p.listing(t, r.list, r.address, r.which, r.req)), w)
		}
	}
}

// Rows of each list that a published world has.
var (
	exchangeRow = listedRow{sdnList, ofacBitcoin, "101 XBT", nil}
	personRow   = listedRow{sdnList, ofacEVM, "102 ETH", nil}
	vesselRow   = listedRow{sdnList, ofacTron, "104 TRX", nil}
	aircraftRow = listedRow{sdnList, ofacTron, "105 TRX", nil}
	addedRow    = listedRow{sdnList, ofacAdded, "103 XBT", nil}
	lastRow     = listedRow{sdnList, ofacLast, "104 ETH", nil}
	goneRow     = listedRow{sdnList, ofacUnreadable, "101 QQQ", inFebruary}
	ukRow       = listedRow{"uk-sanctions-list", ukEVM, "TST0001 ETH", nil}
	fbiRow      = listedRow{"us-fbi-ic3", fbiEVM, "I-022826-PSA ", nil}
	orderRow    = listedRow{"il-nbctf", ilTron, "ASO 1/25 USDT", nil}
	taggedRow   = listedRow{"il-nbctf", ilPooled + "?dt=" + ilTag, "ASO 1/25 XRP", nil}
	malloryRow  = listedRow{ownList, ownAccount, "m-1 ETH", nil}
	pooledRow   = listedRow{ownList, ownPooled + "?dt=" + ownTag, "m-1 XRP", nil}
	sloopRow    = listedRow{ownList, ownAdvised, "s-1 TRX", nil}
	kiteRow     = listedRow{ownList, ownDesignated, "k-1 STRAT", nil}
	purseRow    = listedRow{ownList, ownSeized, "p-1 BCH", nil}
	boundedRow  = listedRow{ownList, ownBounded, "b-1 DGB", &pb.ScreenAddressesRequest{AsOf: "2025-08-31"}}
	leavingRow  = listedRow{ownList, ownLeaving, "l-1 BTG", &pb.ScreenAddressesRequest{AsOf: firstOfOwn}}
	janeRow     = listedRow{ownList, ownUnreadable, "Jane Example ", nil}
)

var verdictListingClauses = []clause{
	{
		element: "Listing", says: []string{"Listing is one address entry of one party on one list."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			wantEqual(t, "an address of three parties", len(p.listings(t, sdnList, ofacTron, nil)), 3)
			wantEqual(t, "an address of a party, with two symbols", len(p.listings(t, "uk-sanctions-list", ukEVM, nil)), 2)
			wantEqual(t, "an address that is printed twice", len(p.listings(t, sdnList, ofacBitcoin, nil)), 1)
			lists := map[string]int{}
			for _, m := range p.one(t, fbiEVM, &pb.ScreenAddressesRequest{}).Matches {
				lists[m.Listing.ListId]++
			}
			wantEqual(t, "an address of one list", lists, map[string]int{"us-fbi-ic3": 1})
		},
	},
	holdsListing("list_id", wantFields((*pb.Listing).GetListId, map[listedRow]string{
		exchangeRow: sdnList, ukRow: "uk-sanctions-list", fbiRow: "us-fbi-ic3", orderRow: "il-nbctf", malloryRow: ownList,
	}), `list_id is the list ("us-ofac-sdn").`),
	holdsListing("kind", wantFields((*pb.Listing).GetKind, map[listedRow]pb.ListKind{
		exchangeRow: pb.ListKind_LIST_KIND_DESIGNATION, fbiRow: pb.ListKind_LIST_KIND_ADVISORY, orderRow: pb.ListKind_LIST_KIND_SEIZURE_ORDER,
		malloryRow: pb.ListKind_LIST_KIND_INTERNAL, sloopRow: pb.ListKind_LIST_KIND_ADVISORY, kiteRow: pb.ListKind_LIST_KIND_DESIGNATION, purseRow: pb.ListKind_LIST_KIND_SEIZURE_ORDER,
	}), "kind is what being listed there means: the kind of the list, or that of the row where an operator's own list mixes kinds."),
	holdsListing("kind", func(t *testing.T, p *published) {
		for _, r := range []listedRow{exchangeRow, fbiRow, orderRow, malloryRow, sloopRow, kiteRow, purseRow} {
			got := p.one(t, r.address, onLists(r.list))
			want := isListed
			if got.Matches[0].Listing.Kind == pb.ListKind_LIST_KIND_ADVISORY {
				want = isAdvisory
			}
			if got.Verdict != want {
				t.Errorf("%q: %v, want %s", r.address, got, want)
			}
		}
	}, "The verdict goes by it."),
	holdsListing("authority", wantFields((*pb.Listing).GetAuthority, map[listedRow]string{
		exchangeRow: "OFAC", ukRow: "FCDO", fbiRow: "FBI", orderRow: "NBCTF", malloryRow: "operator",
	}), `authority is who publishes the list ("OFAC").`),
	holdsListing("party_name", wantFields((*pb.Listing).GetPartyName, map[listedRow]string{
		exchangeRow: "Renamed Exchange OU", personRow: "Erika Maria Mustermann", ukRow: "Omar Example KHAYYAM", orderRow: "ASO 1/25", malloryRow: "Mallory", janeRow: "Jane Example",
	}), "party_name is the name of the listed party as published; a person's given names first."),
	holdsListing("party_type", wantFields((*pb.Listing).GetPartyType, map[listedRow]pb.PartyType{
		exchangeRow: pb.PartyType_PARTY_TYPE_ENTITY, personRow: pb.PartyType_PARTY_TYPE_INDIVIDUAL, vesselRow: pb.PartyType_PARTY_TYPE_VESSEL, aircraftRow: pb.PartyType_PARTY_TYPE_AIRCRAFT,
		orderRow: pb.PartyType_PARTY_TYPE_UNSPECIFIED, janeRow: pb.PartyType_PARTY_TYPE_UNSPECIFIED,
	}), "party_type is what the party is; unspecified when the publisher does not say."),
	holdsListing("party_uid", wantFields((*pb.Listing).GetPartyUid, map[listedRow]string{
		exchangeRow: "101", personRow: "102", ukRow: "TST0001", fbiRow: "I-022826-PSA", orderRow: "ASO 1/25", malloryRow: "m-1",
	}), `party_uid is the authority's own identifier of the entry ("22985").`),
	holdsListing("programs", wantFields((*pb.Listing).GetPrograms, map[listedRow][]string{
		{sdnList, ofacBitcoin, "101 XBT", inFebruary}: {"RUSSIA-EO14024", "CYBER2"}, exchangeRow: {"RUSSIA-EO14024", "CYBER4"}, ukRow: {"The Testing (Sanctions) (EU Exit) Regulations 2019"},
		malloryRow: {"FRAUD", "ATO"}, janeRow: nil,
	}), `programs are the program tags as published ("DPRK4"), in the publisher's order.`),
	holdsListing("address", wantFields((*pb.Listing).GetAddress, map[listedRow]string{
		personRow: ofacEVM, goneRow: ofacUnreadable, ukRow: ukEVM, malloryRow: ownAccount, janeRow: ownUnreadable,
		{sdnList, strings.ToLower(ofacEVM), "102 ETH", nil}:                 ofacEVM,
		{sdnList, strings.TrimSpace(ofacUnreadable), "101 QQQ", inFebruary}: ofacUnreadable,
		{ownList, strings.ToUpper(ownSeized), "p-1 BCH", nil}:               ownSeized,
	}), "address is the address as published, never changed."),
	holdsListing("symbol", wantFields((*pb.Listing).GetSymbol, map[listedRow]string{
		exchangeRow: "XBT", personRow: "ETH", goneRow: "QQQ", orderRow: "USDT", janeRow: "", {sdnList, ofacTron, "102 ", nil}: "",
	}), `symbol is the currency code as published ("XBT", "USDT").`),
	holdsListing("symbol", func(t *testing.T, p *published) {
		for _, network := range []string{"", ethereumNetwork, bitcoinNetwork, "made-up:1"} {
			var symbols []string
			for _, l := range p.listings(t, "uk-sanctions-list", ukEVM, &pb.ScreenAddressesRequest{Network: network}) {
				symbols = append(symbols, l.Symbol)
			}
			slices.Sort(symbols)
			wantEqual(t, "symbols of an EVM address on "+network, symbols, []string{"BNB", "ETH"})
		}
		// A currency that nobody knows hides no address, and one of another network changes none.
		for _, r := range []listedRow{{sdnList, ofacTron, "102 ", nil}, {sdnList, ofacTron, "104 TRX", nil}, {ownList, ownEVMOnTron, "e-1 USDT", nil}} {
			if got := p.one(t, r.address, &pb.ScreenAddressesRequest{ListIds: []string{r.list}, Network: tronNetwork}); got.Verdict != isListed || got.Matches[0].Basis != exactText {
				t.Errorf("%q: %v", r.address, got)
			}
		}
	}, "It is not the network and takes no part in matching."),
	holdsListing("tag", wantFields((*pb.Listing).GetTag, map[listedRow]string{
		taggedRow: ilTag, pooledRow: ownTag, orderRow: "", exchangeRow: "",
	}), "tag is the destination tag or memo, when the publisher prints one."),
	holdsListing("entry_date", wantFields((*pb.Listing).GetEntryDate, map[listedRow]string{
		{sdnList, ofacBitcoin, "101 XBT", inFebruary}: "2022-04-05", exchangeRow: "2024-02-29", personRow: "2023-12-31", vesselRow: "2019-03-01", addedRow: "2001-01-01", ukRow: "2024-02-03", orderRow: "2025-02-01",
	}), "entry_date is the date of the first act that put the party on the list: the party's date, which may be years before the address was added."),
	holdsListing("entry_date", wantFields((*pb.Listing).GetEntryDate, map[listedRow]string{aircraftRow: "", malloryRow: ""}), `"" when the publication does not say.`),
	holdsListing("listed", func(t *testing.T, p *published) {
		publications := map[listedRow]*pb.PublicationRef{
			exchangeRow: {PublishedOn: firstOfSDN, Sha256: p.documents["first.xml.gz"]},
			goneRow:     {PublishedOn: firstOfSDN, Sha256: p.documents["first.xml.gz"]},
			addedRow:    {PublishedOn: secondOfSDN, Sha256: p.documents["second.xml"]},
			lastRow:     {PublishedOn: secondOfSDN, Sha256: p.documents["third.xml"]},
			malloryRow:  {PublishedOn: firstOfOwn, Sha256: p.documents["own-1.csv"]},
			orderRow:    {PublishedOn: "2025-02-03", Sha256: p.documents["orders.csv"]},
		}
		wantFields((*pb.Listing).GetListed, publications)(t, p)
	}, "listed is the first publication, of those loaded, that carries the listing."),
	{element: "Listing.listed", says: []string{"See listed_before."}, meaning: "a reference"},
	holdsListing("delisted", func(t *testing.T, p *published) {
		wantFields((*pb.Listing).GetDelisted, map[listedRow]*pb.PublicationRef{
			goneRow:    {PublishedOn: secondOfSDN, Sha256: p.documents["second.xml"]},
			leavingRow: {PublishedOn: secondOfOwn, Sha256: p.documents["own-2.csv"]},
			boundedRow: nil, exchangeRow: nil, {sdnList, ofacBitcoin, "101 XBT", inFebruary}: nil,
		})(t, p)
	}, "delisted is the first publication that no longer carries the listing; unset while it is listed."),
	holdsListing("source_url", wantFields((*pb.Listing).GetSourceUrl, map[listedRow]string{
		exchangeRow: "https://sanctionssearch.ofac.treas.gov/Details.aspx?id=101", ukRow: "https://search-uk-sanctions-list.service.gov.uk/designations/TST0001/Individual",
		malloryRow: "https://intranet.example/cases/1", orderRow: "https://nbctf.mod.gov.il/he/MinisterSanctions/PropertyPerceptions/Pages/Blockchain.aspx", janeRow: "",
	}), "source_url is the publisher's page about the party, or about the list."),
	holdsListing("aliases", wantFields((*pb.Listing).GetAliases, aliases), "aliases are the party's other names."),
	holdsListing("entries", wantFields((*pb.Listing).GetEntries, entries), "entries are the acts that put the party on the list."),
	holdsListing("source_ids", wantFields((*pb.Listing).GetSourceIds, map[listedRow][]string{
		exchangeRow: {"503", "504"}, personRow: {"512"}, addedRow: {"521"}, orderRow: nil, malloryRow: nil,
	}), "source_ids are the publisher's ids of the address row (OFAC: feature ids)."),
	holdsListing("reliability", wantFields((*pb.Listing).GetReliability, map[listedRow]string{
		exchangeRow: "Confirmed", {sdnList, ofacEVM, "101 ETH", nil}: "False", personRow: "", malloryRow: "",
	}), `reliability is the publisher's word on how reliable the row is; "" for none.`),
	holdsListing("comment", wantFields((*pb.Listing).GetComment, map[listedRow]string{exchangeRow: "Also on the BCH & BSV forks.", personRow: ""}), "comment is the publisher's remark on the row."),
	holdsListing("listed_on", wantFields((*pb.Listing).GetListedOn, map[listedRow]string{
		boundedRow: "2025-07-01", orderRow: "2025-02-01", vesselRow: "2024-06-12", exchangeRow: firstOfSDN, addedRow: secondOfSDN, malloryRow: firstOfOwn,
	}), "listed_on is the day from which the listing counts: the date that the list itself prints for the row, else the day on which the publisher's own record of changes says it was added, else the publication date of listed."),
	holdsListing("delisted_on", func(t *testing.T, p *published) {
		wantFields((*pb.Listing).GetDelistedOn, map[listedRow]string{
			boundedRow: "2025-09-01", orderRow: "2099-02-02", goneRow: secondOfSDN, leavingRow: secondOfOwn, exchangeRow: "", malloryRow: "",
		})(t, p)
		for day, want := range map[string]pb.Verdict{"2025-06-30": isNotListed, "2025-07-01": isListed, "2025-08-31": isListed, "2025-09-01": isNotListed} {
			if got := p.one(t, ownBounded, &pb.ScreenAddressesRequest{ListIds: []string{ownList}, AsOf: day}); got.Verdict != want {
				t.Errorf("on %s: %v, want %s", day, got, want)
			}
		}
	}, `delisted_on is the first day on which it no longer counts; "" when none is known.`),
	holdsListing("canonical", wantFields((*pb.Listing).GetCanonical, map[listedRow]string{
		personRow: "evm:000000000000000000000000000000000000dead", sloopRow: "tron:aafceb6f72ab6f3c65744c70e4870086627be977",
		{ownList, ownEVMOnTron, "e-1 USDT", nil}: "tron:" + strings.ToLower(ownEVM[2:]), goneRow: "", janeRow: "",
	}), `canonical is the canonical key of the account ("tron:00ee...": kind and payload in hex), "" when the published text is no address that can be read and only matches itself.`),
	holdsListing("listed_before", wantFields((*pb.Listing).GetListedBefore, map[listedRow]bool{
		exchangeRow: true, personRow: true, goneRow: true, malloryRow: true, taggedRow: false, // by the date of its order
		vesselRow: false, addedRow: false, lastRow: false, orderRow: false, boundedRow: false,
	}), "listed_before is set when listed is the first publication of the list that was ever loaded and nothing else dates the listing: the address may have been listed before it."),

	{element: "PartyType", says: []string{"PartyType says what a listed party is."}, meaning: "a definition"},
	partyType(pb.PartyType_PARTY_TYPE_UNSPECIFIED, "PARTY_TYPE_UNSPECIFIED means that the publisher does not say.", orderRow, fbiRow, janeRow, purseRow),
	partyType(pb.PartyType_PARTY_TYPE_INDIVIDUAL, "PARTY_TYPE_INDIVIDUAL is a natural person.", personRow, ukRow, malloryRow),
	partyType(pb.PartyType_PARTY_TYPE_ENTITY, "PARTY_TYPE_ENTITY is a company, group or other body.", exchangeRow, listedRow{ownList, ownScript, "t-1 XBT", nil}),
	partyType(pb.PartyType_PARTY_TYPE_VESSEL, "PARTY_TYPE_VESSEL is a ship.", vesselRow, sloopRow, listedRow{"uk-sanctions-list", "TPQ4uHf8o1pD6tqHNNfXJfeczm9atmqwiC", "TST0004 ", nil}),
	partyType(pb.PartyType_PARTY_TYPE_AIRCRAFT, "PARTY_TYPE_AIRCRAFT is an aircraft.", aircraftRow, kiteRow),

	{element: "Alias", says: []string{"Alias is another name of a party."}, meaning: "a definition"},
	{element: "Alias.name", says: []string{"name is the name as published."}, holds: ofPublished(wantFields((*pb.Listing).GetAliases, aliases))},
	{element: "Alias.type", says: []string{`type is the kind of alias as published ("a.k.a.", "f.k.a.").`}, holds: ofPublished(wantFields((*pb.Listing).GetAliases, aliases))},
	{element: "Alias.weak", says: []string{"weak is set when the publisher marks the alias as weak (of low quality)."}, holds: ofPublished(wantFields((*pb.Listing).GetAliases, aliases))},
	{element: "EntryEvent", says: []string{"EntryEvent is an act that put a party on a list."}, meaning: "a definition"},
	{element: "EntryEvent.date", says: []string{"date is the date of the act."}, holds: ofPublished(wantFields((*pb.Listing).GetEntries, entries))},
	{element: "EntryEvent.legal_basis", says: []string{"legal_basis is its legal basis as published."}, holds: ofPublished(wantFields((*pb.Listing).GetEntries, entries))},

	{element: "PublicationRef", says: []string{"PublicationRef names one publication of a list."}, meaning: "a definition"},
	{
		element: "PublicationRef.published_on", says: []string{"published_on is the publisher's date."},
		holds: ofPublished(wantFields(func(l *pb.Listing) string { return l.Listed.PublishedOn }, map[listedRow]string{
			exchangeRow: firstOfSDN, addedRow: secondOfSDN, ukRow: "2026-10-08", fbiRow: "2026-02-28", orderRow: "2025-02-03", malloryRow: firstOfOwn,
		})),
	},
	{
		element: "PublicationRef.published_on", says: []string{"It does not identify a publication: two different ones have carried the same date."},
		holds: func(t *testing.T, w *world) {
			a := w.published().listing(t, sdnList, ofacAdded, addedRow.which, nil).Listed
			b := w.published().listing(t, sdnList, ofacLast, lastRow.which, nil).Listed
			if a.PublishedOn != b.PublishedOn || a.Sha256 == b.Sha256 {
				t.Errorf("%v and %v, want two of one date", a, b)
			}
		},
	},
	{
		element: "PublicationRef.sha256", says: []string{"sha256 identifies it: the digest of the document, decompressed."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			uk, err := os.ReadFile("../../loader/uk/testdata/list.xml")
			if err != nil {
				t.Fatal(err)
			}
			wantFields(func(l *pb.Listing) string { return l.Listed.Sha256 }, map[listedRow]string{
				exchangeRow: p.documents["first.xml.gz"], addedRow: p.documents["second.xml"], lastRow: p.documents["third.xml"], ukRow: fmt.Sprintf("%x", sha256.Sum256(uk)),
			})(t, p)
		},
	},
}

// ofPublished is a check of the published world.
func ofPublished(holds func(*testing.T, *published)) func(*testing.T, *world) {
	return func(t *testing.T, w *world) { holds(t, w.published()) }
}

func partyType(kind pb.PartyType, says string, of ...listedRow) clause {
	want := map[listedRow]pb.PartyType{}
	for _, r := range of {
		want[r] = kind
	}
	return clause{element: "PartyType." + kind.String(), says: []string{says}, holds: ofPublished(wantFields((*pb.Listing).GetPartyType, want))}
}

// aliases and entries are what the documents print of parties.
var (
	aliases = map[listedRow][]*pb.Alias{
		exchangeRow: {{Name: "Example & Co", Type: "a.k.a."}, {Name: "OLD EXAMPLE", Type: "f.k.a.", Weak: true}},
		personRow: {
			{Name: "Erika von Muster", Type: "n.k.a."}, {Name: "Gabler, Erika", Type: "a.k.a.", Weak: true}, {Name: "erika1964, the first", Type: "a.k.a.", Weak: true},
		},
		ukRow:      {{Name: "KHAYYAT", Type: "alias"}, {Name: "عمر خیّام", Type: "non-Latin script"}, {Name: "Tentmaker", Type: "alias", Weak: true}},
		malloryRow: nil,
	}
	entries = map[listedRow][]*pb.EntryEvent{
		{sdnList, ofacBitcoin, "101 XBT", inFebruary}: {
			{Date: "2022-04-05", LegalBasis: "Executive Order 13694 (Cyber)"}, {Date: "2024-02-29", LegalBasis: "Executive Order 14024 (Russia)"},
		},
		personRow:   {{Date: "2023-12-31"}},
		ukRow:       {{Date: "2024-02-03", LegalBasis: "The Testing (Sanctions) (EU Exit) Regulations 2019"}},
		aircraftRow: nil, malloryRow: nil,
	}
)

// noticesSaid are the codes of notices and the lists that they concern.
func noticesSaid(all []*pb.Notice) (lines []string) {
	for _, n := range all {
		lines = append(lines, n.Code.String()+" "+n.ListId)
	}
	return lines
}

var verdictFreshnessClauses = []clause{
	{
		element: "SnapshotRef", says: []string{"SnapshotRef names a snapshot: the numbered, immutable set of all listings, past and present."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			last := p.sequences()
			for sequence := uint64(1); sequence <= last[len(last)-1]; sequence++ {
				var refs [2]*pb.SnapshotRef
				for i := range refs {
					res := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{ofacUnreadable}, Snapshot: sequence})
					refs[i] = res.Snapshot
				}
				wantEqual(t, "the same snapshot again", refs[1], refs[0])
				if refs[0].Sequence != sequence {
					t.Errorf("%v, want snapshot %d", refs[0], sequence)
				}
			}
			var content bytes.Buffer
			if _, err := p.ExportSnapshot(t.Context(), 0, &content); err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{strings.TrimSpace(ofacUnreadable), ownLeaving, ofacLast, ownBounded} {
				if !strings.Contains(content.String(), text) {
					t.Errorf("the snapshot lacks %q", text)
				}
			}
		},
	},
	{
		element: "SnapshotRef.sequence", says: []string{"sequence counts the snapshots of one installation, from 1."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			for i, sequence := range p.sequences() {
				if sequence != uint64(i+1) {
					t.Errorf("the snapshots are %v", p.sequences())
					break
				}
			}
			if got := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Snapshot.Sequence; got != uint64(len(p.sequences())) {
				t.Errorf("snapshot %d is served of %d", got, len(p.sequences()))
			}
			if got := w.builtin().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Snapshot.Sequence; got != 1 {
				t.Errorf("of another installation the first is %d", got)
			}
		},
	},
	{
		element: "SnapshotRef.digest", says: []string{"digest is the SHA-256 of the snapshot's canonical encoding."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			seen := map[string]bool{}
			for _, sequence := range p.sequences() {
				digest := sha256.New()
				head, err := p.ExportSnapshot(t.Context(), sequence, digest)
				if err != nil {
					t.Fatal(err)
				}
				res := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, Snapshot: sequence})
				if want := hex.EncodeToString(digest.Sum(nil)); res.Snapshot.Digest != want || head.Snapshot.Digest != want {
					t.Errorf("snapshot %d: %v, %v, want %s", sequence, res.Snapshot, head.Snapshot, want)
				}
				seen[res.Snapshot.Digest] = true
			}
			if len(seen) != len(p.sequences()) {
				t.Errorf("%d digests of %d snapshots", len(seen), len(p.sequences()))
			}
		},
	},
	{
		element: "SnapshotRef.digest", says: []string{"Equal content has an equal digest in every installation."},
		holds: func(t *testing.T, w *world) {
			one, err := w.builtin().GetSnapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			other, err := w.guarded().as("reader").GetSnapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if one.Snapshot.Digest != other.Snapshot.Digest || one.Snapshot.CreatedAt.AsTime().Equal(other.Snapshot.CreatedAt.AsTime()) {
				t.Errorf("%v and %v, want one digest in two installations", one.Snapshot, other.Snapshot)
			}
		},
	},
	{
		element: "SnapshotRef.created_at", says: []string{"created_at is when the loader published it."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			for _, run := range p.runs {
				for _, l := range run.Lists {
					if l.Outcome != "published" {
						continue
					}
					at := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, Snapshot: l.Snapshot.Sequence}).Snapshot.CreatedAt.AsTime()
					// Instants that are stored have no fractions of a microsecond.
					if at.Before(run.begin.Add(-time.Millisecond)) || at.After(run.end.Add(time.Millisecond)) {
						t.Errorf("snapshot %d of %s, want it between %s and %s", l.Snapshot.Sequence, at, run.begin, run.end)
					}
				}
			}
		},
	},
	{element: "ListFreshness", says: []string{"ListFreshness says how fresh one list is in an answer."}, meaning: "a definition"},
	{
		element: "ListFreshness.list_id", says: []string{"list_id is the list."},
		holds: func(t *testing.T, w *world) {
			var all []string
			for _, l := range w.published().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Lists {
				all = append(all, l.ListId)
			}
			wantEqual(t, "lists", all, []string{"il-nbctf", ownList, "uk-sanctions-list", "us-fbi-ic3", sdnList})
			res := w.published().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, ListIds: []string{sdnList, "nowhere"}})
			if len(res.Lists) != 1 || res.Lists[0].ListId != sdnList {
				t.Errorf("%v", res.Lists)
			}
		},
	},
	{
		element: "ListFreshness.published_on", says: []string{"published_on is the publisher's date of the publication in the snapshot."},
		holds: func(t *testing.T, w *world) {
			days := func(req *pb.ScreenAddressesRequest) map[string]string {
				req.Addresses = []string{freeTron}
				found := map[string]string{}
				for _, l := range w.published().screen(t, req).Lists {
					found[l.ListId] = l.PublishedOn
				}
				return found
			}
			wantEqual(t, "now", days(&pb.ScreenAddressesRequest{}), map[string]string{
				"il-nbctf": "2025-02-03", ownList: secondOfOwn, "uk-sanctions-list": "2026-10-08", "us-fbi-ic3": "2026-02-28", sdnList: secondOfSDN,
			})
			first := w.published().runs[0]
			wantEqual(t, "after the first run", days(&pb.ScreenAddressesRequest{Snapshot: first.last()}), map[string]string{
				"il-nbctf": "2025-02-03", ownList: firstOfOwn, "uk-sanctions-list": "2026-10-08", "us-fbi-ic3": "2026-02-28", sdnList: firstOfSDN,
			})
		},
	},
	{
		element: "ListFreshness.verified_at", says: []string{"verified_at is when the loader last compared the list with its publisher, changed or not."},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			for _, l := range p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Lists {
				run := p.runs[map[string]int{ownList: 3, sdnList: 2}[l.ListId]] // the operator's own list was not changed by the last
				if at := l.VerifiedAt.AsTime(); l.VerifiedAt == nil || at.Before(run.begin.Add(-time.Second)) || at.After(run.end) {
					t.Errorf("%v, want it between %s and %s", l, run.begin, run.end)
				}
			}
		},
	},
	{
		element: "ListFreshness.verified_at", says: []string{"Age is counted from it."},
		holds: func(t *testing.T, w *world) {
			wantAges(t, w.published(), "uk-sanctions-list")
		},
	},
	{
		element: "ListFreshness.verified_at", says: []string{"Unset when that never happened, as for builtin lists."},
		holds: func(t *testing.T, w *world) {
			res := w.builtin().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}})
			if len(res.Lists) == 0 {
				t.Error("no builtin list")
			}
			for _, l := range res.Lists {
				if l.VerifiedAt != nil {
					t.Errorf("%v", l)
				}
			}
			// Of a publication that is served no more it is not known any more.
			p := w.published()
			for _, l := range p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, Snapshot: p.runs[0].last()}).Lists {
				if was := l.ListId == sdnList || l.ListId == ownList; (l.VerifiedAt == nil) != was {
					t.Errorf("%v, want none: %t", l, was)
				}
			}
		},
	},
	{
		element: "ListFreshness.stale", says: []string{"stale is set when the list is older than the age limit in force for the request."},
		holds: func(t *testing.T, w *world) {
			wantAges(t, w.published(), ownList)
			wantAges(t, w.published(), sdnList)
		},
	},

	{element: "Notice", says: []string{"Notice is something a reader of an answer must know."}, meaning: "a definition"},
	{
		element: "Notice.code", says: []string{"code is for programs."},
		holds: func(t *testing.T, w *world) {
			for _, n := range everyNotice(t, w) {
				if pb.NoticeCode_name[int32(n.Code)] == "" {
					t.Errorf("%v", n)
				}
			}
		},
	},
	{
		element: "Notice.list_id", says: []string{`list_id is the list it concerns, "" when it concerns the answer.`},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			req := &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, ListIds: []string{"nowhere", sdnList, ownList}, MaxListAge: durationpb.New(1), Snapshot: p.runs[0].last()}
			wantEqual(t, "notices", noticesSaid(p.screen(t, req).Notices), []string{
				"NOTICE_CODE_LIST_STALE own", "NOTICE_CODE_LIST_STALE us-ofac-sdn", "NOTICE_CODE_LIST_NOT_LOADED nowhere", "NOTICE_CODE_SNAPSHOT_SUPERSEDED ",
			})
		},
	},
	{
		element: "Notice.message", says: []string{"message is for people, in English; its wording may change."},
		holds: func(t *testing.T, w *world) {
			for _, n := range everyNotice(t, w) {
				if len(strings.Fields(n.Message)) < 4 || !strings.Contains(n.Message, n.ListId) {
					t.Errorf("%v", n)
				}
			}
		},
	},
	{element: "NoticeCode", says: []string{"NoticeCode says what a notice is about."}, meaning: "a definition"},
	neverSent(pb.NoticeCode(0)),
	{
		element: "NoticeCode.NOTICE_CODE_BUILTIN_LISTS",
		says:    []string{"NOTICE_CODE_BUILTIN_LISTS: a list consulted is the builtin default, frozen on the day it was made; for trying things out, not for compliance."},
		holds: func(t *testing.T, w *world) {
			for _, req := range []*pb.ScreenAddressesRequest{{}, onLists(sdnList), onLists("nowhere"), {MaxListAge: durationpb.New(time.Hour)}} {
				req.Addresses = []string{freeTron}
				res := w.builtin().screen(t, req)
				var got, want []string
				for _, n := range res.Notices {
					if n.Code == pb.NoticeCode_NOTICE_CODE_BUILTIN_LISTS {
						got = append(got, n.ListId)
						if l := res.Lists[len(got)-1]; !strings.Contains(n.Message, l.PublishedOn) {
							t.Errorf("%v does not say the day, %s", n, l.PublishedOn)
						}
					}
				}
				for _, l := range res.Lists {
					want = append(want, l.ListId)
				}
				wantEqual(t, fmt.Sprint(req), got, want)
			}
			if got := noticesSaid(w.published().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Notices); got != nil {
				t.Errorf("of lists that were loaded: %v", got)
			}
		},
	},
	{
		element: "NoticeCode.NOTICE_CODE_LIST_STALE", says: []string{"NOTICE_CODE_LIST_STALE: a list consulted is older than the age limit."},
		holds: func(t *testing.T, w *world) {
			for limit, want := range map[time.Duration][]string{1: {"NOTICE_CODE_LIST_STALE il-nbctf", "NOTICE_CODE_LIST_STALE us-ofac-sdn"}, time.Hour: nil} {
				res := w.published().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{ofacEVM, freeTron}, ListIds: []string{sdnList, "il-nbctf"}, MaxListAge: durationpb.New(limit)})
				wantEqual(t, limit.String(), noticesSaid(res.Notices), want)
			}
		},
	},
	{
		element: "NoticeCode.NOTICE_CODE_LIST_NOT_LOADED", says: []string{"NOTICE_CODE_LIST_NOT_LOADED: a list asked for is not loaded."},
		holds: func(t *testing.T, w *world) {
			res := w.published().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, ListIds: []string{"nowhere", sdnList, "eu-fsf", "nowhere"}})
			wantEqual(t, "notices", noticesSaid(res.Notices), []string{"NOTICE_CODE_LIST_NOT_LOADED nowhere", "NOTICE_CODE_LIST_NOT_LOADED eu-fsf"})
		},
	},
	{
		element: "NoticeCode.NOTICE_CODE_PUBLICATION_HELD",
		says: []string{
			"NOTICE_CODE_PUBLICATION_HELD: the publisher of a list consulted offers another publication than the one that is served, and a guard stopped it: it looks like an accident.",
			"VERDICT_NOT_LISTED may lack what it lists, and VERDICT_LISTED may name what it delists, until it is released.",
			"The age of the list grows meanwhile, so that a long hold makes it stale.",
		},
		holds: holdsHeld,
	},
	{
		element: "NoticeCode.NOTICE_CODE_SNAPSHOT_SUPERSEDED",
		says: []string{
			"NOTICE_CODE_SNAPSHOT_SUPERSEDED: the answer comes from the snapshot that was asked for, which is served no more.",
			"It recomputes an earlier answer and says nothing of now.",
		},
		holds: func(t *testing.T, w *world) {
			p := w.published()
			all := p.sequences()
			for sequence, want := range map[uint64][]string{p.runs[0].last(): {"NOTICE_CODE_SNAPSHOT_SUPERSEDED "}, all[len(all)-1]: nil, 0: nil} {
				res := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{ofacUnreadable, ownLeaving, ofacLast}, Snapshot: sequence})
				wantEqual(t, fmt.Sprintf("snapshot %d", sequence), noticesSaid(res.Notices), want)
				if sequence != 0 && res.Snapshot.Sequence != sequence {
					t.Errorf("%v, want snapshot %d", res.Snapshot, sequence)
				}
				verdicts := []pb.Verdict{cannotScreen, isNotListed, isListed}
				if want != nil {
					verdicts = []pb.Verdict{isListed, isListed, isNotListed}
				}
				for i, verdict := range verdicts {
					if res.Results[i].Verdict != verdict {
						t.Errorf("snapshot %d: result %d is %v, want %s", sequence, i, res.Results[i], verdict)
					}
				}
			}
		},
	},

	{
		element: "Receipt", says: []string{"Receipt proves an answer later, without the server."},
		holds: func(t *testing.T, w *world) {
			// No server has a key to sign with yet: none gives less than was asked for.
			for _, s := range []*answering{w.builtin(), w.published().answering} {
				if res := s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}); res.Receipt != nil {
					t.Errorf("a receipt that was not asked for: %v", res.Receipt)
				}
				_, err := s.ScreenAddresses(t.Context(), &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, Receipt: true})
				wantRefused(t, err, codes.FailedPrecondition, "RECEIPTS_NOT_CONFIGURED", false)
			}
		},
	},
	{
		element: "Receipt.statement", says: []string{"statement is what is signed: request, results, snapshot, time and build in a canonical encoding."},
		meaning: "no server has a key to sign with yet",
	},
	{element: "Receipt.signature", says: []string{"signature is the signature over statement."}, meaning: "no server has a key to sign with yet"},
	{element: "Receipt.key_id", says: []string{"key_id names the key."}, meaning: "no server has a key to sign with yet"},
}

// last is the number of the newest snapshot that a run published.
func (r *loadingRun) last() (sequence uint64) {
	for _, l := range r.Lists {
		sequence = max(sequence, l.Snapshot.Sequence)
	}
	return sequence
}

// sequences are the numbers of the snapshots that the loader said that it published.
func (p *published) sequences() (all []uint64) {
	for _, run := range p.runs {
		for _, l := range run.Lists {
			if l.Outcome == "published" {
				all = append(all, l.Snapshot.Sequence)
			}
		}
	}
	slices.Sort(all)
	return all
}

// wantAges asks with limits on both sides of the age that verified_at gives a list.
func wantAges(t *testing.T, p *published, list string) {
	t.Helper()
	ask := func(limit time.Duration) (*pb.ListFreshness, time.Duration, *pb.ScreenResult) {
		res := p.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, ListIds: []string{list}, MaxListAge: durationpb.New(limit)})
		if len(res.Lists) != 1 || res.Lists[0].VerifiedAt == nil {
			t.Fatalf("%s: %v", list, res.Lists)
		}
		return res.Lists[0], res.ScreenedAt.AsTime().Sub(res.Lists[0].VerifiedAt.AsTime()), res.Results[0]
	}
	_, age, _ := ask(time.Hour)
	for _, limit := range []time.Duration{1, age / 2, age, age + patience, 2*age + patience} {
		got, now, result := ask(limit)
		if got.Stale != (now > limit) || (result.Reason == pb.Reason_REASON_STALE) != got.Stale || (result.Verdict == isNotListed) == got.Stale {
			t.Errorf("%s, %s old, limit %s: %v, %v", list, now, limit, got, result)
		}
	}
}

// everyNotice is notices of every code but that of what is held.
func everyNotice(t *testing.T, w *world) []*pb.Notice {
	t.Helper()
	p := w.published()
	req := &pb.ScreenAddressesRequest{Addresses: []string{freeTron}, ListIds: []string{"nowhere", sdnList, ownList}, MaxListAge: durationpb.New(1), Snapshot: p.runs[0].last()}
	all := slices.Concat(p.screen(t, req).Notices, w.builtin().screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}}).Notices)
	codes := map[pb.NoticeCode]bool{}
	for _, n := range all {
		codes[n.Code] = true
	}
	if len(codes) != len(pb.NoticeCode_name)-2 {
		t.Errorf("notices of %d codes: %v", len(codes), all)
	}
	return all
}

// holdsHeld has a guard stop a publication, and releases it.
func holdsHeld(t *testing.T, w *world) {
	r := storetest.Redis(t)
	url, dir := "redis://"+r.Addr, t.TempDir()
	run := func(code int, name, rows string, args ...string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(ownHeader+rows), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := runProgram(t, "", append([]string{"load", "--redis", url, "--source", ownList + "=" + name}, args...)...); out.code != code {
			t.Fatalf("load: %+v, want exit code %d", out, code)
		}
	}
	run(0, "before.csv", ownAccount+",,,,,,,,,,\n"+ownScript+",,,,,,,,,,\n"+ownWitness+",,,,,,,,,,\n")
	s := standUp(t, serve(t, "--redis", url))
	before := s.screen(t, &pb.ScreenAddressesRequest{Addresses: []string{freeTron}})
	wantEqual(t, "before", noticesSaid(before.Notices), nil)
	after := freeTron + ",,,,,,,,,,\n" + ownAccount + ",,,,,,,,,,\n"
	begun := time.Now()
	run(3, "after.csv", after)
	texts := []string{ownScript, freeTron, ownAccount, freeBitcoin}
	var held *pb.ScreenAddressesResponse
	eventually(t, "the server says what is held", func() bool {
		held = s.screen(t, &pb.ScreenAddressesRequest{Addresses: texts})
		return len(held.Notices) > 0
	})
	wantEqual(t, "held", noticesSaid(held.Notices), []string{"NOTICE_CODE_PUBLICATION_HELD own"})
	status, err := s.GetSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if h := status.Lists[0].Held; !strings.Contains(h.GetWhy(), "2 of 3 rows are gone") || !strings.Contains(held.Notices[0].Message, h.PublishedOn) {
		t.Errorf("%v, of which the notice says %q", h, held.Notices[0].Message)
	}
	verdicts := func(res *pb.ScreenAddressesResponse) (all []pb.Verdict) {
		for _, r := range res.Results {
			all = append(all, r.Verdict)
		}
		return all
	}
	wantEqual(t, "held", verdicts(held), []pb.Verdict{isListed, isNotListed, isListed, isNotListed})
	wantEqual(t, "verified", held.Lists[0].VerifiedAt, before.Lists[0].VerifiedAt)
	// The loader asked the publisher in this time, and what it offers is not served.
	late := s.screen(t, &pb.ScreenAddressesRequest{Addresses: texts, MaxListAge: durationpb.New(time.Since(begun))})
	wantEqual(t, "late", verdicts(late), []pb.Verdict{isListed, cannotScreen, isListed, cannotScreen})
	if !late.Lists[0].Stale {
		t.Errorf("%v", late.Lists)
	}
	run(0, "after.csv", after, "--release")
	var released *pb.ScreenAddressesResponse
	eventually(t, "the server serves what was released", func() bool {
		released = s.screen(t, &pb.ScreenAddressesRequest{Addresses: texts})
		return released.Snapshot.Sequence > held.Snapshot.Sequence
	})
	wantEqual(t, "released", noticesSaid(released.Notices), nil)
	wantEqual(t, "released", verdicts(released), []pb.Verdict{isNotListed, isListed, isListed, isNotListed})
}
