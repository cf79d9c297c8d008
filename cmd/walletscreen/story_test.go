package main_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/status"

	"walletscreen/loader/builtin"
	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/store/storetest"
)

// publications returns the documents of the OFAC list of the given dates: what
// OFAC published where ../shared/data has it, and always what the builtin
// snapshot knows of those days, in the layout of SDN.XML. The second return value
// says which.
func publications(t *testing.T, run func(t *testing.T, documents []string), dates ...string) {
	t.Run("reconstructed", func(t *testing.T) {
		var documents []string
		for _, date := range dates {
			documents = append(documents, reconstruct(t, date))
		}
		run(t, documents)
	})
	t.Run("real", func(t *testing.T) {
		var documents []string
		for _, date := range dates {
			name := filepath.Join("..", "..", "..", "shared", "data", "ofac", "sdn_advanced", "SDN_ADVANCED-"+date+".xml.bz2")
			if _, err := os.Stat(name); err != nil {
				t.Skipf("NOT RUN on OFAC's own publications: %v", err)
			}
			documents = append(documents, name)
		}
		run(t, documents)
	})
}

// otherEntries are the entries without addresses that a reconstructed list is
// filled up with, to be of the size that the loader expects.
const otherEntries = 6000

// reconstruct writes the list as the builtin snapshot has it on a date.
func reconstruct(t *testing.T, date string) string {
	t.Helper()
	on, err := screen.ParseDate(date)
	if err != nil {
		t.Fatal(err)
	}
	s, err := builtin.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	type id struct {
		UID      int    `xml:"uid"`
		IDType   string `xml:"idType"`
		IDNumber string `xml:"idNumber"`
	}
	type entry struct {
		UID      string   `xml:"uid"`
		LastName string   `xml:"lastName"`
		SDNType  string   `xml:"sdnType"`
		Programs []string `xml:"programList>program"`
		IDs      []id     `xml:"idList>id"`
	}
	type list struct {
		XMLName     xml.Name `xml:"sdnList"`
		PublishDate string   `xml:"publshInformation>Publish_Date"`
		RecordCount int      `xml:"publshInformation>Record_Count"`
		Entries     []entry  `xml:"sdnEntry"`
	}
	document := list{PublishDate: on.Time().Format("01/02/2006")}
	for i := range s.Listings() {
		l := &s.Listings()[i]
		if from, until := s.Interval(l); from > on || until != 0 && until <= on {
			continue
		}
		uid := s.PartyOf(l).UID
		if n := len(document.Entries); n == 0 || document.Entries[n-1].UID != uid {
			facts := s.FactsAt(l, on)
			document.Entries = append(document.Entries, entry{UID: uid, LastName: facts.Name, SDNType: "Entity", Programs: facts.Programs})
		}
		e := &document.Entries[len(document.Entries)-1]
		e.IDs = append(e.IDs, id{200_000 + i, "Digital Currency Address - " + l.Symbol, l.Text})
	}
	for i := range otherEntries {
		document.Entries = append(document.Entries, entry{UID: fmt.Sprint(900_000 + i), LastName: "A party without addresses", SDNType: "Entity"})
	}
	document.RecordCount = len(document.Entries)
	text, err := xml.MarshalIndent(document, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "SDN-"+date+".xml")
	if err := os.WriteFile(name, append([]byte(xml.Header), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// rowsOf returns the addresses of a party in the builtin snapshot whose listing
// began, or ended, with the publication of a date.
func rowsOf(t *testing.T, uid, began, ended string) []string {
	t.Helper()
	s, err := builtin.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for i := range s.Listings() {
		l := &s.Listings()[i]
		from, until := s.Interval(l)
		if s.PartyOf(l).UID == uid && (began == "" || from.String() == began) && until.String() == ended {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

func load(t *testing.T, redis, document string, args ...string) {
	t.Helper()
	out := runBuilt(t, builtPlain.program(t), "", append([]string{"load", "--redis", redis, "--source", "us-ofac-sdn=" + document}, args...)...)
	if out.code != 0 || !strings.HasPrefix(out.stdout, "us-ofac-sdn published: ") {
		t.Fatalf("load: exit code %d\n%s%s", out.code, out.stdout, out.stderr)
	}
}

func dial(t *testing.T, addr string) *client.Client {
	t.Helper()
	c, err := client.New([]string{addr}, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func ask(t *testing.T, c *client.Client, req *pb.ScreenAddressesRequest) *pb.ScreenAddressesResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := c.ScreenAddresses(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// tally counts verdicts.
func tally(results []*pb.ScreenResult) map[pb.Verdict]int {
	counts := map[pb.Verdict]int{}
	for _, r := range results {
		counts[r.Verdict]++
	}
	return counts
}

func wantAll(t *testing.T, res *pb.ScreenAddressesResponse, verdict pb.Verdict) {
	t.Helper()
	if counts := tally(res.Results); counts[verdict] != len(res.Results) {
		t.Fatalf("verdicts %v, want %d times %s", counts, len(res.Results), verdict)
	}
}

// On 4 November 2025 OFAC added 53 addresses to an entry of 2017. A server that
// runs must follow within a second, and fail no call meanwhile.
func TestStoryOf4November2025(t *testing.T) {
	addresses := rowsOf(t, "22985", "2025-11-04", "")
	if len(addresses) != 53 {
		t.Fatalf("%d addresses of uid 22985, want 53", len(addresses))
	}
	publications(t, func(t *testing.T, documents []string) {
		redis := "redis://" + storetest.Redis(t).Addr
		load(t, redis, documents[0])
		s := serve(t, "--redis", redis)
		c := dial(t, s.addr)
		eventually(t, "the first snapshot is served", func() bool { ready, _ := c.Ready(t.Context()); return ready })
		wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses}), pb.Verdict_VERDICT_NOT_LISTED)

		// Callers that never stop: every answer is whole, from one snapshot or the
		// next, and says what that snapshot says.
		var calls, swapped sync.WaitGroup
		stop := make(chan struct{})
		firstListed := make(chan time.Time, 1)
		swapped.Add(4)
		for range 4 {
			calls.Add(1)
			go func() {
				defer calls.Done()
				seen := false
				for {
					select {
					case <-stop:
						return
					default:
					}
					ctx, cancel := context.WithTimeout(context.Background(), patience)
					res, err := c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: addresses})
					cancel()
					if err != nil {
						t.Errorf("a call failed: %v", status.Convert(err))
						return
					}
					want := pb.Verdict_VERDICT_NOT_LISTED
					if res.Snapshot.Sequence == 2 {
						want = pb.Verdict_VERDICT_LISTED
					}
					if counts := tally(res.Results); counts[want] != len(addresses) {
						t.Errorf("snapshot %d: verdicts %v, want all %s", res.Snapshot.Sequence, counts, want)
					}
					if want == pb.Verdict_VERDICT_LISTED && !seen {
						seen = true
						select {
						case firstListed <- time.Now():
						default:
						}
						swapped.Done()
					}
				}
			}()
		}
		load(t, redis, documents[1])
		published := time.Now()
		all := make(chan struct{})
		go func() { swapped.Wait(); close(all) }()
		select {
		case <-all:
		case <-time.After(patience):
			t.Error("the server does not follow")
		}
		close(stop)
		calls.Wait()
		if t.Failed() {
			return
		}
		if late := (<-firstListed).Sub(published); late > time.Second {
			t.Errorf("listed %s after the load ended, want within a second", late)
		}
		res := ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses})
		wantAll(t, res, pb.Verdict_VERDICT_LISTED)
		for i, r := range res.Results {
			l := r.Matches[0].Listing
			if len(r.Matches) != 1 || l.Address != addresses[i] || l.PartyUid != "22985" || l.PartyName != "CHEIL CREDIT BANK" ||
				!slices.Equal(l.Programs, []string{"DPRK4"}) || l.Listed.PublishedOn != "2025-11-04" || l.Delisted != nil || l.Symbol != "USDT" {
				t.Errorf("%s: %v", addresses[i], r)
			}
			if strings.HasSuffix(documents[1], ".bz2") && l.EntryDate != "2017-09-26" {
				t.Errorf("%s: entry date %q, want that of the party, 2017-09-26", addresses[i], l.EntryDate)
			}
		}
		// What was true the day before stays true.
		wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses, AsOf: "2025-11-03"}), pb.Verdict_VERDICT_NOT_LISTED)
	}, "2025-10-30", "2025-11-04")
}

// tornadoDelisted is what a delta file of that day says, made for this test.
const tornadoDelisted = `<sanctionsData xmlns="https://www.treasury.gov/ofac/DeltaFile/1.0">
<publicationInfo><datePublished>2025-03-21T10:00:00-04:00</datePublished><publicationType>Standard Action</publicationType></publicationInfo>
<entities><entity id="39796" action="remove"/></entities></sanctionsData>`

// On 21 March 2025 OFAC delisted Tornado Cash. Its 90 addresses are not listed
// any more, and remain listed in the past.
func TestStoryOf21March2025(t *testing.T) {
	t.Parallel()
	addresses := rowsOf(t, "39796", "", "2025-03-21")
	if len(addresses) != 90 {
		t.Fatalf("%d addresses of uid 39796, want 90", len(addresses))
	}
	publications(t, func(t *testing.T, documents []string) {
		server := storetest.Redis(t)
		redis := "redis://" + server.Addr
		load(t, redis, documents[0])
		s := serve(t, "--redis", redis)
		c := dial(t, s.addr)
		eventually(t, "the first snapshot is served", func() bool { ready, _ := c.Ready(t.Context()); return ready })
		wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses}), pb.Verdict_VERDICT_LISTED)
		// An eighth of the list at once: OFAC's delta file says that it is no accident.
		delta := filepath.Join(t.TempDir(), "delta.xml")
		if err := os.WriteFile(delta, []byte(tornadoDelisted), 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, redis, documents[1], "--delta", "us-ofac-sdn="+delta)
		wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses, MinSnapshot: 2}), pb.Verdict_VERDICT_NOT_LISTED)

		res := ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses, AsOf: "2025-03-20"})
		wantAll(t, res, pb.Verdict_VERDICT_LISTED)
		for i, r := range res.Results {
			l := r.Matches[0].Listing
			if l.Listed.GetPublishedOn() != "2025-03-04" || l.Delisted.GetPublishedOn() != "2025-03-21" || l.DelistedOn != "2025-03-21" || l.PartyUid != "39796" {
				t.Errorf("%s: %v", addresses[i], l)
			}
		}
		wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses, AsOf: "2025-03-21"}), pb.Verdict_VERDICT_NOT_LISTED)
		// Before the first publication that was loaded nothing is known.
		res = ask(t, c, &pb.ScreenAddressesRequest{Addresses: addresses, AsOf: "2025-03-03"})
		wantAll(t, res, pb.Verdict_VERDICT_CANNOT_SCREEN)
		if res.Results[0].Reason != pb.Reason_REASON_BEFORE_HISTORY {
			t.Errorf("reason %s, want BEFORE_HISTORY", res.Results[0].Reason)
		}
	}, "2025-03-04", "2025-03-21")
}

// A server with a cache directory starts and answers while Redis is down, and
// goes on when it goes down later.
func TestServesWithoutRedis(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	redis, cache := "redis://"+server.Addr, t.TempDir()
	load(t, redis, reconstruct(t, "2025-11-04"))
	listed := rowsOf(t, "22985", "2025-11-04", "")
	unlisted := []string{"0x000000000000000000000000000000000000dEaD"}

	s := serve(t, "--redis", redis, "--cache-dir", cache)
	c := dial(t, s.addr)
	eventually(t, "the snapshot is served", func() bool { ready, _ := c.Ready(t.Context()); return ready })
	eventually(t, "the snapshot is cached", func() bool {
		files, _ := filepath.Glob(filepath.Join(cache, "*"))
		return len(files) == 2
	})
	server.Kill()
	wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: listed}), pb.Verdict_VERDICT_LISTED)
	wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: unlisted}), pb.Verdict_VERDICT_NOT_LISTED)
	s.kill()

	s = serve(t, "--redis", redis, "--cache-dir", cache)
	c = dial(t, s.addr)
	if ready, err := c.Ready(t.Context()); err != nil || !ready {
		t.Fatalf("ready %t, %v: a server with a cached snapshot is ready as soon as it listens", ready, err)
	}
	wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: listed}), pb.Verdict_VERDICT_LISTED)
	wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: unlisted}), pb.Verdict_VERDICT_NOT_LISTED)

	// Redis comes back empty: that empties nothing.
	server.Restart()
	eventually(t, "the server notices that Redis is empty", func() bool { return strings.Contains(s.logged(), "Redis holds no snapshot") })
	wantAll(t, ask(t, c, &pb.ScreenAddressesRequest{Addresses: listed}), pb.Verdict_VERDICT_LISTED)
	// A new loader begins at 1 again, with what is true by then.
	load(t, redis, reconstruct(t, "2025-10-30"))
	eventually(t, "the server follows the new head", func() bool {
		return tally(ask(t, c, &pb.ScreenAddressesRequest{Addresses: listed}).Results)[pb.Verdict_VERDICT_NOT_LISTED] == len(listed)
	})
}

// Documents that are not the publication they should be change nothing in
// Redis, and the error says what they are and where they break.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	redis := "redis://" + server.Addr
	good := reconstruct(t, "2025-11-04")
	load(t, redis, good)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(text)
	before := dump(t, server.Addr)
	for _, test := range []struct{ name, document, want string }{
		{"truncated", whole[:len(whole)/2], "line "},
		{"html", "<!DOCTYPE html><html><body>Access Denied</body></html>", "HTML"},
		{"empty", "", "empty"},
		{"another list", `<?xml version="1.0"?><Designations><DateGenerated>01/01/2026</DateGenerated></Designations>`, "Designations"},
		{"no addresses", `<sdnList><publshInformation><Publish_Date>11/05/2025</Publish_Date><Record_Count>0</Record_Count></publshInformation></sdnList>`, "no digital currency addresses"},
		{"doctype", strings.Replace(whole, "<sdnList>", `<!DOCTYPE sdnList><sdnList>`, 1), "DOCTYPE"},
		{"entity", strings.Replace(whole, "<sdnType>", "<sdnType>&own;", 1), "own"},
		{"older", strings.Replace(whole, "11/04/2025", "11/03/2025", 1), "superseded"},
		{"count", strings.Replace(whole, "<Record_Count>", "<Record_Count>9", 1), "Record_Count"},
		{"json", `{"error": "internal"}`, "JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "document.xml")
			if err := os.WriteFile(name, []byte(test.document), 0o600); err != nil {
				t.Fatal(err)
			}
			out := runProgram(t, "", "load", "--redis", redis, "--source", "us-ofac-sdn="+name)
			if out.code != 1 || !strings.Contains(out.stderr, test.want) || !strings.Contains(out.stderr, "document.xml") && test.name != "older" {
				t.Errorf("exit code %d, want 1 and an error that says %q:\n%s%s", out.code, test.want, out.stdout, out.stderr)
			}
			if after := dump(t, server.Addr); after != before {
				t.Errorf("Redis changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
	// The loss of most of a list is held, and let through when released.
	small := filepath.Join(t.TempDir(), "small.xml")
	begin, end := strings.Index(whole, "<sdnEntry>"), strings.Index(whole, "</sdnEntry>")+len("</sdnEntry>")
	document := fmt.Sprintf("<sdnList><publshInformation><Publish_Date>11/05/2025</Publish_Date><Record_Count>1</Record_Count></publshInformation>%s</sdnList>", whole[begin:end])
	if err := os.WriteFile(small, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	held := runProgram(t, "", "load", "--redis", redis, "--source", "us-ofac-sdn="+small)
	if held.code != 3 || !strings.Contains(held.stdout, "us-ofac-sdn held: 0 listed, 694 delisted") || served(dump(t, server.Addr)) != served(before) {
		t.Errorf("exit code %d, want 3 and what is served unchanged:\n%s%s", held.code, held.stdout, held.stderr)
	}
	before = dump(t, server.Addr)
	dry := runProgram(t, "", "load", "--redis", redis, "--source", "us-ofac-sdn="+small, "--dry-run", "--release")
	if dry.code != 0 || !strings.Contains(dry.stdout, "- ETH 0x098B716B8Aaf21512996dC57EB0615e2383E2f96") || dump(t, server.Addr) != before {
		t.Errorf("dry run: exit code %d, want 0, the difference and Redis unchanged:\n%.1000s%s", dry.code, dry.stdout, dry.stderr)
	}
	load(t, redis, small, "--release")
}
