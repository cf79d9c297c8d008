package main_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
	"walletscreen/screen/store"
	"walletscreen/screen/store/storetest"
)

var killsFlag = flag.Int("kills", 20, "moments of a run, evenly spread, at which TestKilledLoaders kills a loader; more come nearer to each step of it")

// madeAddress is one of the addresses that the publications of gazetteText list.
func madeAddress(i int) string { return fmt.Sprintf("0x5eed%036x", i) }

// rowsOfFirst is how many rows of madeAddress the first publication of gazetteText
// has: more than the least that the loader expects.
const rowsOfFirst = 600

// standing are rows that the loader misses in any publication of the SDN List that
// lacks them.
var standing = []struct{ uid, symbol, address string }{
	{"27307", "ETH", "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"},
	{"36025", "XBT", "3Lpoy53K625zVeE47ZasiG5jGkAxJ27kh1"},
	{"26137", "XBT", "149w62rY42aZBox8fGcmqNsXUzSStKeq8C"},
}

// gazetteText is the n-th of a row of publications of the SDN List, a day apart,
// of the size that the loader expects. It lists the addresses from n on, and each
// has one row more than the one before: one goes, two come.
func gazetteText(n int) []byte {
	var text bytes.Buffer
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	fmt.Fprintf(&text, `<sdnList><publshInformation><Publish_Date>%s</Publish_Date><Record_Count>%d</Record_Count></publshInformation>`, day.Format("01/02/2006"), otherEntries+1+len(standing))
	text.WriteString(`<sdnEntry><uid>1</uid><lastName>Mallory</lastName><sdnType>Entity</sdnType><programList><program>CYBER2</program></programList><idList>`)
	for i := n; i < rowsOfFirst+2*n; i++ {
		fmt.Fprintf(&text, `<id><uid>%d</uid><idType>Digital Currency Address - ETH</idType><idNumber>%s</idNumber></id>`, 100_000+i, madeAddress(i))
	}
	text.WriteString(`</idList></sdnEntry>`)
	for i, row := range standing {
		fmt.Fprintf(&text, `<sdnEntry><uid>%s</uid><lastName>A party that stands</lastName><sdnType>Entity</sdnType><idList>`+
			`<id><uid>%d</uid><idType>Digital Currency Address - %s</idType><idNumber>%s</idNumber></id></idList></sdnEntry>`, row.uid, 900_000+i, row.symbol, row.address)
	}
	for i := range otherEntries {
		fmt.Fprintf(&text, `<sdnEntry><uid>%d</uid><lastName>A party without addresses</lastName><sdnType>Entity</sdnType></sdnEntry>`, 100_000+i)
	}
	text.WriteString(`</sdnList>`)
	return text.Bytes()
}

// A gazette is a publisher's server.
type gazette struct {
	*httptest.Server
	mu       sync.Mutex
	document []byte
	stalled  chan struct{}
}

func openGazette(t *testing.T) *gazette {
	g := &gazette{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		document, stalled := g.document, g.stalled
		g.stalled = nil
		g.mu.Unlock()
		w.Header().Set("Content-Length", strconv.Itoa(len(document)))
		if stalled != nil {
			_, _ = w.Write(document[:len(document)/2])
			_ = http.NewResponseController(w).Flush()
			close(stalled)
			<-r.Context().Done()
			return
		}
		_, _ = w.Write(document)
	}))
	t.Cleanup(g.Close)
	return g
}

// publish makes the gazette offer the n-th publication. With stalled the next
// download stops half-way, which closes it, until the loader has gone.
func (g *gazette) publish(n int, stalled chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.document, g.stalled = gazetteText(n), stalled
}

// A newsroom is a server, a gazette and a namespace for them in a Redis; its
// loaders are killed.
type newsroom struct {
	t         *testing.T
	redis     *storetest.Server
	namespace string
	gazette   *gazette
	client    *client.Client
	reader    *store.Reader
	admin     *redis.Client
	temporary string // TMPDIR of the loaders
	printed   int    // the publication that the gazette offers
}

// maxPrinted is more than the number of publications of any newsroom.
const maxPrinted = 120

// openNewsroom has a server serve the first publication.
func openNewsroom(t *testing.T, server *storetest.Server, namespace string) *newsroom {
	t.Helper()
	n := &newsroom{t: t, redis: server, namespace: namespace, gazette: openGazette(t), temporary: t.TempDir()}
	n.admin = redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { n.admin.Close() })
	var err error
	if n.reader, err = store.NewReader(store.Options{URL: "redis://" + server.Addr, Namespace: namespace}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.reader.Close() })
	n.gazette.publish(0, nil)
	n.load()
	n.client = dial(t, serve(t, "--redis", "redis://"+server.Addr, "--namespace", namespace).addr)
	eventually(t, "the first publication is served", func() bool { return n.served() == 0 })
	return n
}

// loader is a loader at a Redis, not started.
func (n *newsroom) loader(redis string) *exec.Cmd {
	cmd := exec.Command(builtPlain.program(n.t), "load", "--redis", "redis://"+redis, "--namespace", n.namespace, "--source", sdn+"="+n.gazette.URL+"/sdn.xml")
	cmd.Env = append(os.Environ(), "TMPDIR="+n.temporary)
	return cmd
}

// load runs a loader to its end, which must be a good one.
func (n *newsroom) load() {
	n.t.Helper()
	cmd := n.loader(n.redis.Addr)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 4 {
		n.t.Fatalf("load: %v\n%s", err, out)
	}
}

// served asks the server which publication it serves: -1 when it does not say, as
// while it starts. An answer that is no publication as a whole fails the test.
func (n *newsroom) served() int {
	n.t.Helper()
	var addresses []string
	for i := range rowsOfFirst + 2*maxPrinted {
		addresses = append(addresses, madeAddress(i))
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := n.client.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: addresses})
	if err != nil {
		return -1
	}
	listed := func(r *pb.ScreenResult) bool { return r.Verdict == pb.Verdict_VERDICT_LISTED }
	first := slices.IndexFunc(res.Results, listed)
	for i, r := range res.Results {
		want := pb.Verdict_VERDICT_NOT_LISTED
		if i >= first && i < rowsOfFirst+2*first {
			want = pb.Verdict_VERDICT_LISTED
		}
		if r.Verdict != want {
			n.t.Fatalf("snapshot %d is no publication: address %d is %s, the first that is listed is %d", res.Snapshot.Sequence, i, r.Verdict, first)
		}
	}
	return first
}

// stored returns which publication the head in Redis is of. Reading it verifies it.
func (n *newsroom) stored() int {
	n.t.Helper()
	state, err := n.reader.Load(n.t.Context())
	if err != nil {
		n.t.Fatalf("what is in Redis: %v", err)
	}
	return state.Snapshot.List(sdn).Current().Rows - rowsOfFirst - len(standing)
}

// killDuring has a loader import the next publication and ends it by SIGKILL when
// kill says so: kill gets the Redis and, as a channel, the end of the loader; it
// returns true when the time has come, false if the loader came to its end before.
// What is served is the publication before or that one then. It returns whether
// the loader was killed, and whether it had published.
func (n *newsroom) killDuring(stalled chan struct{}, redis string, kill func(ended <-chan struct{}) bool) (killed, published bool) {
	t := n.t
	t.Helper()
	if n.printed++; n.printed == maxPrinted {
		t.Fatalf("more than %d publications", maxPrinted)
	}
	n.gazette.publish(n.printed, stalled)
	cmd := n.loader(redis)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is asked for below
		close(ended)
	}()
	timely := kill(ended)
	_ = cmd.Process.Kill()
	<-ended
	killed = cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
	if timely && !killed && cmd.ProcessState.ExitCode() != 0 {
		t.Fatalf("publication %d: the loader ended by itself, %s", n.printed, cmd.ProcessState)
	}
	if is := n.served(); is != n.printed-1 && is != n.printed {
		t.Fatalf("publication %d was being loaded, and %d is served", n.printed, is)
	}
	is := n.stored()
	if is != n.printed-1 && is != n.printed {
		t.Fatalf("publication %d was being loaded, and %d is in Redis", n.printed, is)
	}
	eventually(t, "the server has what is in Redis", func() bool { return n.served() == n.stored() })
	n.wantNoFiles()
	return killed, is == n.printed
}

// wantNoFiles looks for what a dead loader left behind on disk. The file that a
// download is kept in loses its name as soon as it is made: in between, nothing has
// been written to it.
func (n *newsroom) wantNoFiles() {
	n.t.Helper()
	left, err := os.ReadDir(n.temporary)
	if err != nil {
		n.t.Fatal(err)
	}
	for _, file := range left {
		if info, err := file.Info(); err != nil || info.Size() > 0 {
			n.t.Errorf("publication %d: the loader that was killed left %s, %v", n.printed, file.Name(), err)
		}
	}
}

// recovers runs the next loader, for whom the dead one's claim is no obstacle if it
// has been taken away, and has the server follow.
func (n *newsroom) recovers() {
	n.t.Helper()
	n.load()
	if is := n.stored(); is != n.printed {
		n.t.Fatalf("publication %d is in Redis after a run that imported %d", is, n.printed)
	}
	eventually(n.t, fmt.Sprintf("publication %d is served", n.printed), func() bool { return n.served() == n.printed })
}

// freeClaim takes the claim of the dead loader away, which would keep the next one
// waiting until it ends.
func (n *newsroom) freeClaim() {
	n.t.Helper()
	if err := n.admin.Del(n.t.Context(), "walletscreen:{"+n.namespace+"}:claim:"+sdn).Err(); err != nil {
		n.t.Fatal(err)
	}
}

// wantNothingForEver looks at every key that does not expire: dead loaders must not
// fill Redis.
func (n *newsroom) wantNothingForEver() {
	n.t.Helper()
	ctx, prefix := n.t.Context(), "walletscreen:{"+n.namespace+"}:"
	keys, err := n.admin.Keys(ctx, prefix+"*").Result()
	if err != nil {
		n.t.Fatal(err)
	}
	snapshots, err := n.admin.HVals(ctx, prefix+"snapshots").Result()
	if err != nil {
		n.t.Fatal(err)
	}
	// The next publish drops what is retired.
	retired, err := n.admin.SMembers(ctx, prefix+"retired").Result()
	if err != nil {
		n.t.Fatal(err)
	}
	known := strings.Join(append(snapshots, retired...), "\n")
	pieces := ""
	for _, key := range keys {
		if strings.HasPrefix(key, prefix+"content:") && strings.Contains(known, strings.TrimPrefix(key, prefix+"content:")) {
			pieces += n.admin.Get(ctx, key).Val()
		}
	}
	names := []string{"head", "snapshots", "verified", "listings", "changes", "retired"}
	for _, key := range keys {
		life, err := n.admin.TTL(ctx, key).Result()
		if err != nil {
			n.t.Fatal(err)
		}
		name := strings.TrimPrefix(key, prefix)
		content, isContent := strings.CutPrefix(name, "content:")
		piece, isPiece := strings.CutPrefix(name, "piece:")
		if life < 0 && !slices.Contains(names, name) && !(isContent && strings.Contains(known, content)) && !(isPiece && strings.Contains(pieces, piece)) {
			n.t.Errorf("%s stays for ever", key)
		}
	}
}

// TestKilledLoaders kills loaders at every turn: what is served is one publication
// as a whole, nothing is left behind, and the next loader does its work.
func TestKilledLoaders(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t)
	builtPlain.program(t)
	program(t)

	// Nobody takes the dead loader's claim away: it ends by itself. This comes first
	// because it waits for most of its time.
	t.Run("whose claim stays", func(t *testing.T) {
		t.Parallel()
		n := openNewsroom(t, server, "claim")
		stalled := make(chan struct{})
		n.killDuring(stalled, server.Addr, func(ended <-chan struct{}) bool {
			select {
			case <-stalled:
			case <-ended:
				t.Error("the loader did not wait for the rest of the document")
			}
			return true
		})
		began := time.Now()
		n.recovers()
		if took := time.Since(began); took > 40*time.Second {
			t.Errorf("the next loader took %s, want no more than the 30 s of a claim and its own work", took)
		}
		n.wantNothingForEver()
	})

	t.Run("at moments spread over the run", func(t *testing.T) {
		t.Parallel()
		n := openNewsroom(t, server, "moments")
		var took []time.Duration
		for range 3 {
			n.printed++
			n.gazette.publish(n.printed, nil)
			began := time.Now()
			n.load()
			took = append(took, time.Since(began))
		}
		whole := slices.Sorted(slices.Values(took))[1]
		rounds := *killsFlag
		killed, published := 0, 0
		for round := range rounds {
			dead, done := n.killDuring(nil, server.Addr, func(ended <-chan struct{}) bool {
				select {
				case <-time.After(whole * time.Duration(round) / time.Duration(max(1, rounds-1))):
				case <-ended:
				}
				return true
			})
			if dead {
				killed++
			}
			if done {
				published++
			}
			n.freeClaim()
			n.recovers()
		}
		n.wantNothingForEver()
		t.Logf("a run took %s; %d of %d were killed, %d had published", whole, killed, rounds, published)
		if killed < rounds/4 {
			t.Errorf("only %d of %d loaders were killed before they ended", killed, rounds)
		}
	})

	t.Run("half-way in the download", func(t *testing.T) {
		t.Parallel()
		n := openNewsroom(t, server, "download")
		for range 3 {
			stalled := make(chan struct{})
			killed, published := n.killDuring(stalled, server.Addr, func(ended <-chan struct{}) bool {
				select {
				case <-stalled:
				case <-ended:
					t.Error("the loader did not wait for the rest of the document")
				}
				return true
			})
			if !killed || published {
				t.Errorf("killed %t, published %t half a document", killed, published)
			}
			n.freeClaim()
			n.recovers()
		}
		n.wantNothingForEver()
	})

	t.Run("after each command to Redis", func(t *testing.T) {
		t.Parallel()
		n := openNewsroom(t, server, "commands")
		before, after := 0, 0
		for last := 1; ; last++ {
			reached, dead := make(chan struct{}), make(chan struct{})
			var mu sync.Mutex
			counted, ofPieces := 0, 0
			x := storetest.NewProxy(t, server.Addr, nil, func(_ int, args []string) bool {
				mu.Lock()
				// Of the commands for pieces, and of those that read which pieces a content has,
				// every tenth counts: they are much alike, and whoever dies leaves one content
				// more to read to the next.
				if len(args) > 1 && (strings.Contains(args[1], ":piece:") || args[0] == "getrange" && strings.Contains(args[1], ":content:")) {
					if ofPieces++; ofPieces%10 != 1 && counted < last {
						mu.Unlock()
						return false
					}
				}
				counted++
				n := counted
				mu.Unlock()
				if n == last {
					close(reached)
					<-dead
				}
				return n >= last
			})
			killed, published := n.killDuring(nil, x.Addr, func(ended <-chan struct{}) bool {
				select {
				case <-reached:
					return true
				case <-ended:
					return false
				}
			})
			close(dead)
			if !killed {
				if !published {
					t.Fatal("a loader that was not killed did not publish")
				}
				break
			}
			if published {
				after++
			} else if before++; after > 0 {
				t.Errorf("not published after %d commands, although it was after fewer", last)
			}
			n.freeClaim()
			n.recovers()
		}
		n.wantNothingForEver()
		t.Logf("killed after each of %d commands; %d times it had published", before+after, after)
		if before < 10 || after < 2 {
			t.Errorf("%d commands before the commit and %d after it, want more", before, after)
		}
	})
}

// A staying is a running `walletscreen load --every`.
type staying struct {
	t    *testing.T
	cmd  *exec.Cmd
	ops  string
	done chan struct{}

	mu     sync.Mutex
	stderr bytes.Buffer
}

var loaderOps = regexp.MustCompile(`walletscreen load: serving operators on (\S+)`)

// Write keeps what the loader writes on standard error.
func (s *staying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.Write(p)
}

func (s *staying) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// stayAndLoad starts `walletscreen load --every 1s`.
func stayAndLoad(t *testing.T, args ...string) *staying {
	t.Helper()
	s := &staying{t: t, done: make(chan struct{})}
	s.cmd = exec.Command(program(t), append([]string{"load", "--every", "1s", "--ops-listen", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // how it ended is asked for in stop
		close(s.done)
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.done
		if t.Failed() {
			t.Logf("log of walletscreen load %q:\n%s", args, s.logged())
		}
	})
	eventually(t, "the loader serves operators", func() bool {
		m := loaderOps.FindStringSubmatch(s.logged())
		if m != nil {
			s.ops = m[1]
		}
		return m != nil
	})
	return s
}

// stop ends the loader by SIGTERM, which must end it well and soon.
func (s *staying) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatal("the loader does not end")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		s.t.Errorf("exit code %d after SIGTERM, want 0", code)
	}
}

// metric returns the value of a series of the loader's metrics, "" if there is none.
func (s *staying) metric(series string) string {
	s.t.Helper()
	res, err := http.Get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("/metrics: %s, %v", res.Status, err)
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// wantMetrics waits until series have these values.
func (s *staying) wantMetrics(want map[string]string) {
	s.t.Helper()
	for _, series := range slices.Sorted(maps.Keys(want)) {
		eventually(s.t, fmt.Sprintf("%s is %s", series, want[series]), func() bool { return s.metric(series) == want[series] })
	}
}

// imports counts the imports of a list that had an outcome.
func (s *staying) imports(list, outcome string) int {
	s.t.Helper()
	n, _ := strconv.Atoi(s.metric(fmt.Sprintf(`walletscreen_load_imports_total{list=%q,outcome=%q}`, list, outcome)))
	return n
}

// TestLoadEvery has a loader stay while publications come, are held and fail, a
// publisher never answers, and Redis dies and comes back.
func TestLoadEvery(t *testing.T) {
	t.Parallel()
	server := storetest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	gazette := openGazette(t)
	gazette.publish(0, nil)
	// The publisher of one list is down, that of another takes requests and is silent.
	down := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(down.Close)
	asked := make(chan struct{}, 100)
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)

	s := stayAndLoad(t, "--redis", "redis://"+server.Addr, "--cache-dir", t.TempDir(),
		"--source", sdn+"="+gazette.URL+"/sdn.xml", "--source", "eu-fsf="+down.URL+"/fsf.xml", "--source", "uk-sanctions-list="+silent.URL+"/uk.xml")
	reader, err := store.NewReader(store.Options{URL: "redis://" + server.Addr, Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	<-asked

	published := fmt.Sprintf(`walletscreen_load_imports_total{list=%q,outcome="published"}`, sdn)
	held := fmt.Sprintf(`walletscreen_load_held{list=%q}`, sdn)
	s.wantMetrics(map[string]string{published: "1", held: "0", `walletscreen_load_imports_total{list="eu-fsf",outcome="failed"}`: "1"})
	if s.metric(fmt.Sprintf("walletscreen_load_last_success_timestamp_seconds{list=%q}", sdn)) == "" || s.metric(`walletscreen_load_last_success_timestamp_seconds{list="eu-fsf"}`) != "" {
		t.Error("the last success of a list is not as its outcomes are")
	}

	// Lists that fail keep no other from being refreshed.
	gazette.publish(1, nil)
	s.wantMetrics(map[string]string{published: "2"})
	eventually(t, "the failing list is tried again", func() bool { return s.imports("eu-fsf", "failed") > 1 })

	// Half of the list is gone.
	text := gazetteText(2)
	gone := bytes.Index(text, []byte("<id><uid>100300<"))
	text = append(text[:gone:gone], text[bytes.Index(text, []byte("</idList>")):]...)
	gazette.mu.Lock()
	gazette.document = text
	gazette.mu.Unlock()
	s.wantMetrics(map[string]string{held: "1"})
	if s.imports(sdn, "held") == 0 || !strings.Contains(s.logged(), "walletscreen load: held: list us-ofac-sdn: ") {
		t.Error("held, and nobody is told")
	}
	gazette.publish(3, nil)
	s.wantMetrics(map[string]string{published: "3", held: "0"})

	// Redis dies: that is a failure and not the end. It comes back with what it had.
	server.Kill()
	eventually(t, "the import fails", func() bool { return s.imports(sdn, "failed") > 0 })
	gazette.publish(4, nil)
	server.Restart()
	s.wantMetrics(map[string]string{published: "4"})
	state, err := reader.Load(t.Context())
	if err != nil || state.Snapshot.Sequence != 4 || state.Snapshot.List(sdn).Current().Rows != rowsOfFirst+len(standing)+4 || len(state.Snapshot.List(sdn).Publications) != 4 {
		t.Fatalf("%v, %v; want the fourth snapshot with the publication that came while Redis was down", state, err)
	}

	// Redis loses all: what was kept is published again, without anything new to load.
	c := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer c.Close()
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the kept snapshot is in Redis", func() bool {
		again, err := reader.LoadAfter(t.Context(), state)
		return err == nil && again.Snapshot.Sequence == 5 && again.Snapshot.Equal(state.Snapshot)
	})
	// It is said after it is done.
	eventually(t, "the loader says so", func() bool {
		return strings.Contains(s.logged(), "REDIS HELD NO SNAPSHOT: published the kept snapshot 4 ")
	})
	if n := strings.Count(s.logged(), "REDIS HOLDS NO SNAPSHOT"); n != 1 {
		t.Errorf("said %d times that Redis held nothing at the start", n)
	}

	// It ends at once, although a publisher is being waited for, and leaves no claim.
	s.stop()
	if claims, err := c.Keys(t.Context(), "*:claim:*").Result(); err != nil || len(claims) > 0 {
		t.Errorf("claims %q, %v after the loader ended", claims, err)
	}
}
