package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/server/access"
	"walletscreen/screen/store/storetest"
)

var soakFlag = flag.Duration("soak", 6*time.Second, "how long TestSoak asks")

// soakPatience is how long a call may take: on a machine with more to do, and with the
// race detector, one of 10,000 addresses can take half a minute.
const soakPatience = 4 * patience

// TestSoak has two servers asked everything there is to ask, by clients that come,
// stay, give up and leave, while new editions are published several times a second
// and Redis is killed and started again. Every answer must be that of the snapshot
// that it names, and afterwards the servers must hold no more than one that was only
// just started. -soak 10m asks for long enough to see what grows slowly.
func TestSoak(t *testing.T) {
	t.Parallel()
	builtPlain.program(t)
	program(t)
	m := storetest.Redis(t, "--appendonly", "yes", "--appendfsync", "always")
	ctx, cancel := context.WithCancel(t.Context())
	seed := uint64(time.Now().UnixNano())
	s := &soak{
		survival: &survival{
			installation: installation{
				url: "redis://" + m.Addr, master: func() *storetest.Server { return m },
				admin: func() redis.UniversalClient { return redis.NewClient(&redis.Options{Addr: m.Addr}) },
			},
			t: t, ctx: ctx, random: rand.New(rand.NewPCG(seed, 0)), ledger: newLedger(),
		},
		counts: map[string]int{},
	}
	t.Cleanup(func() {
		cancel()
		s.working.Wait()
	})
	for i := range 10_000 {
		s.filler = append(s.filler, []probe{never(i), standingProbe(i%2, i%standingRows), mark(i%2, i/2%marksOfEdition, i/16%2 == 1)}[s.random.IntN(3)])
	}
	for list := range ownLists {
		f := &feed{s: s.survival, list: list, dir: t.TempDir(), url: s.url, pace: time.Duration(300+600*list) * time.Millisecond, begun: make(chan struct{})}
		s.feeds = append(s.feeds, f)
		s.working.Go(f.work)
	}
	eventually(t, "the first editions are published", func() bool { return s.feeds[0].acknowledgedUpTo() > 0 && s.feeds[1].acknowledgedUpTo() > 0 })
	s.open()
	s.working.Go(s.witness)
	for _, on := range s.servers {
		s.clients(on)
	}

	began := time.Now()
	most := min(*soakFlag/3, 40*time.Second)
	restarts := 0
	for next := most; ; {
		s.watchFor(min(next, *soakFlag-time.Since(began)))
		if time.Since(began) >= *soakFlag || t.Failed() {
			break
		}
		m.Kill()
		s.moment(most/8, nil)
		m.Restart()
		restarts++
		for _, f := range s.feeds {
			s.working.Go(f.endClaim)
		}
		after := s.ledger.newestWritten()
		eventually(t, "both servers serve what was written after Redis came back", func() bool {
			return !slices.ContainsFunc(s.servers, func(on *soaked) bool { return !on.serves(after) }) || t.Failed()
		})
		s.audit()
		next = most/2 + time.Duration(s.random.Int64N(int64(most)))
	}
	// On a busy machine a short time may not do for each kind of call.
	for end := time.Now().Add(patience); s.missing() != nil && time.Now().Before(end) && !t.Failed(); {
		s.watchFor(100 * time.Millisecond)
	}
	took := time.Since(began)
	cancel()
	s.working.Wait()
	s.settle()
	s.report(took, restarts)
}

// A soak is a survival of servers that must stay.
type soak struct {
	*survival
	servers []*soaked
	filler  []probe // of large batches

	sums    sync.Mutex
	counts  map[string]int
	refs    []*pb.SnapshotRef // that were named last
	unknown []unknownAnswer
}

// An unknownAnswer is one of a snapshot of which nobody knows yet what it holds.
type unknownAnswer struct {
	*asking
	res *pb.ScreenAddressesResponse
}

// A soaked server is one that is asked everything.
type soaked struct {
	*serving
	name  string
	tls   *tls.Config // nil without TLS
	begin map[string]float64
	most  map[string]float64 // while it is asked

	mu   sync.Mutex
	last editions
}

func (on *soaked) serves(atLeast editions) bool {
	on.mu.Lock()
	defer on.mu.Unlock()
	return on.last.atLeast(atLeast)
}

func (l *ledger) newestWritten() editions {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest
}

// of returns what a snapshot holds, if that is known.
func (l *ledger) of(digest string) (editions, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.snapshots[digest]; e != nil {
		return e.editions, true
	}
	return editions{}, false
}

// checked counts an answer that was held against the model by other ways than check.
func (l *ledger) checked(verdicts int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	l.verdicts += verdicts
	if err != nil {
		l.wrong++
	}
}

// Callers of the soak, by name, with what they may do.
var soakCallers = map[string]string{
	"all":    "permissions: [screen, lists, export]",
	"reader": "permissions: [lists]",
	"greedy": fmt.Sprintf("permissions: [screen], quota: {addresses_per_second: %d, burst: %d}", greedyRate, greedyBurst),
}

const greedyRate, greedyBurst = 200, 400

var soakTokens = func() map[string]string {
	tokens := map[string]string{"unknown": access.NewToken()}
	for name := range soakCallers {
		tokens[name] = access.NewToken()
	}
	return tokens
}()

// open starts the servers, the second with TLS, and notes what they hold before they
// are asked anything.
func (s *soak) open() {
	t := s.t
	for name, token := range soakTokens {
		s.file("token-"+name, token)
	}
	text := "callers:\n"
	for name, rights := range soakCallers {
		hash, err := access.HashToken(soakTokens[name])
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("- {name: %s, token_sha256: [{hash: %s}], %s}\n", name, hash, rights)
	}
	s.file("callers.yaml", text)
	certs := storetest.NewCertificates(t)
	authority, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	plain := &soaked{name: "plain", serving: s.start()}
	secure := &soaked{name: "TLS", serving: s.start("--tls-cert", certs.ServerCert, "--tls-key", certs.ServerKey), tls: &tls.Config{RootCAs: roots}}
	s.servers = []*soaked{plain, secure}
	for _, on := range s.servers {
		on.begin, on.most = s.held(on.ops), map[string]float64{}
	}
}

// file is the path of a file of the soak, with that text unless it is "".
func (s *soak) file(name, text string) string {
	path := filepath.Join(s.feeds[0].dir, name)
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return path
}

func (s *soak) start(args ...string) *serving {
	return serve(s.t, append([]string{"--redis", s.url, "--require-list", string(ownLists[0]), "--require-list", string(ownLists[1]),
		"--callers", s.file("callers.yaml", ""), "--log-calls", "none", "--call-timeout", soakPatience.String()}, args...)...)
}

// metrics are those of a server, by name, the sum of all that have the name.
func metrics(ops string) (map[string]float64, error) {
	res, err := http.Get("http://" + ops + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	values := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.IndexByte(name, '{'); i >= 0 {
			name, rest = name[:i], line[strings.LastIndexByte(line, ' ')+1:]
		}
		if value, err := strconv.ParseFloat(strings.TrimSpace(rest), 64); err == nil {
			values[name] += value
		}
	}
	return values, nil
}

// What must not grow.
const (
	goroutines = "go_goroutines"
	heap       = "go_memstats_heap_inuse_bytes"
	files      = "process_open_fds"
	resident   = "process_resident_memory_bytes"
	panics     = "walletscreen_panics_total"
)

// held is what a server holds after its garbage was collected, twice, for pools keep
// what they have over the first time.
func (s *soak) held(ops string) map[string]float64 {
	for range 2 {
		res, err := http.Get("http://" + ops + "/debug/pprof/heap?gc=1")
		if err != nil {
			s.t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	values, err := metrics(ops)
	if err != nil {
		s.t.Fatal(err)
	}
	return values
}

// watchFor reads the metrics for so long.
func (s *soak) watchFor(d time.Duration) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end) && !s.t.Failed(); <-tick.C {
		for _, on := range s.servers {
			now, err := metrics(on.ops)
			if err != nil {
				s.fail("%s: %v", on.name, err)
				return
			}
			for _, name := range []string{goroutines, heap, files, resident} {
				on.most[name] = max(on.most[name], now[name])
			}
			if _, ok := now[panics]; !ok || now[panics] > 0 {
				s.fail("%s: %g panics, counted: %t", on.name, now[panics], ok)
			}
		}
	}
}

// settle waits until the servers have let go of their clients, and compares what they
// hold with a server that is asked for the first time.
func (s *soak) settle() {
	t := s.t
	fresh := s.start()
	s.ctx = t.Context() // for the last calls
	c := s.caller(&soaked{serving: fresh, name: "fresh"}, "fresh", "all", true)
	// It reads as many old snapshots as the others had to.
	for _, ref := range s.named(10) {
		_, _ = c.learn(ref)
		_, _ = c.ask(current(question(c.random)), func(req *pb.ScreenAddressesRequest) { req.Snapshot = ref.Sequence }, "SNAPSHOT_NOT_HELD")
	}
	s.resolve()
	c.close()
	var want map[string]float64
	for _, on := range append([]*soaked{{serving: fresh, name: "fresh"}}, s.servers...) {
		now := s.held(on.ops)
		late := time.Now().Add(patience)
		tick := time.NewTicker(100 * time.Millisecond)
		for ; now["walletscreen_connections"] > 0 || want != nil && now[goroutines] > want[goroutines]+5; now = s.held(on.ops) {
			if <-tick.C; time.Now().After(late) {
				t.Errorf("%s still has %g connections and %g goroutines, a fresh server %g", on.name, now["walletscreen_connections"], now[goroutines], want[goroutines])
				break
			}
		}
		tick.Stop()
		t.Logf("%-5s goroutines %3.0f at the start, %4.0f at most, %3.0f at the end; files %2.0f, %3.0f, %2.0f; heap %5.1f, %5.1f, %5.1f MiB; resident %3.0f, %3.0f, %3.0f MiB; %.0f swaps", on.name,
			on.begin[goroutines], on.most[goroutines], now[goroutines], on.begin[files], on.most[files], now[files],
			on.begin[heap]/(1<<20), on.most[heap]/(1<<20), now[heap]/(1<<20), on.begin[resident]/(1<<20), on.most[resident]/(1<<20), now[resident]/(1<<20), now["walletscreen_swaps_total"])
		if want == nil {
			want = now
			continue
		}
		if now[files] > want[files]+10 {
			t.Errorf("%s has %g files open, a fresh server %g", on.name, now[files], want[files])
		}
		if now[heap] > 1.5*want[heap]+16<<20 {
			t.Errorf("%s has %g bytes of heap, a fresh server %g", on.name, now[heap], want[heap])
		}
		if now["walletscreen_swaps_total"] < 3 {
			t.Errorf("%s swapped %g times", on.name, now["walletscreen_swaps_total"])
		}
	}
	for _, on := range s.servers {
		on.stop(t)
		for _, sign := range []string{"DATA RACE", "panic", "fatal error"} {
			if strings.Contains(on.logged(), sign) {
				t.Errorf("%s: its log has %q", on.name, sign)
			}
		}
	}
}

func (s *soak) report(took time.Duration, restarts int) {
	t, l := s.t, s.ledger
	for _, name := range slices.Sorted(maps.Keys(s.counts)) {
		t.Logf("%-60s %8d", name, s.counts[name])
	}
	proven := 0
	for _, e := range l.snapshots {
		if e.proven {
			proven++
		}
	}
	t.Logf("%v, %d restarts of Redis: %d answers with %d results checked, %d wrong, %d torn, %d not checked for want of the snapshot; %d snapshots, the content of %d compared; loaders: %s",
		took.Round(time.Second), restarts, l.answers, l.verdicts, l.wrong, l.torn, len(s.unknown), len(l.snapshots), proven, s.failures())
	if l.wrong > 0 || l.torn > 0 {
		t.Errorf("%d wrong verdicts, %d torn reads", l.wrong, l.torn)
	}
	if len(s.unknown)*100 > l.answers {
		t.Errorf("%d of %d answers were not checked", len(s.unknown), l.answers)
	}
	if restarts == 0 || proven < 3 {
		t.Errorf("%d restarts of Redis, %d contents compared", restarts, proven)
	}
	for _, name := range s.missing() {
		t.Errorf("not once: %s", name)
	}
}

// missing is what must happen and did not yet.
func (s *soak) missing() (names []string) {
	s.sums.Lock()
	defer s.sums.Unlock()
	all := []string{"answers in streams", "watched snapshots that agree", "refused: QUOTA_EXCEEDED", "refused: PERMISSION_DENIED", "refused: UNAUTHENTICATED"}
	for _, kind := range soakKinds {
		all = append(all, kind.name)
	}
	for _, name := range all {
		if s.counts[name] == 0 {
			names = append(names, name)
		}
	}
	return names
}

func (s *soak) count(what string) {
	s.sums.Lock()
	defer s.sums.Unlock()
	s.counts[what]++
}

// name notes a snapshot, to be asked for later.
func (s *soak) name(ref *pb.SnapshotRef) {
	s.sums.Lock()
	defer s.sums.Unlock()
	if n := len(s.refs); n == 0 || s.refs[n-1].Sequence < ref.Sequence {
		s.refs = append(s.refs[max(0, n-40):], ref)
	}
}

// named are the last snapshots that were named, as many as there are.
func (s *soak) named(n int) []*pb.SnapshotRef {
	s.sums.Lock()
	defer s.sums.Unlock()
	return slices.Clone(s.refs[max(0, len(s.refs)-n):])
}

// resolve checks answers of snapshots of which is known now what they hold.
func (s *soak) resolve() {
	s.sums.Lock()
	defer s.sums.Unlock()
	s.unknown = slices.DeleteFunc(s.unknown, func(u unknownAnswer) bool {
		e, ok := s.ledger.of(u.res.Snapshot.Digest)
		if ok {
			err := u.against(e, u.res)
			if s.ledger.checked(len(u.asked), err); err != nil {
				s.fail("%v", err)
			}
		}
		return ok
	})
}

// A contract is all that a server offers: a client.Client, or stubs.
type contract interface {
	client.Screener
	ScreenAddressStream(context.Context) (grpc.BidiStreamingClient[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse], error)
	GetSnapshot(context.Context) (*pb.GetSnapshotResponse, error)
	GetAddressHistory(context.Context, *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error)
	WatchChanges(context.Context, *pb.WatchChangesRequest) (grpc.ServerStreamingClient[pb.WatchChangesResponse], error)
	ExportSnapshot(context.Context, uint64, io.Writer) (*pb.ExportSnapshotResponse, error)
	Close() error
}

// stubs are what protoc makes, and nothing else.
type stubs struct {
	conn      *grpc.ClientConn
	screening pb.ScreeningServiceClient
	lists     pb.ListServiceClient
}

func (s stubs) ScreenAddresses(ctx context.Context, req *pb.ScreenAddressesRequest) (*pb.ScreenAddressesResponse, error) {
	return s.screening.ScreenAddresses(ctx, req)
}

func (s stubs) ScreenAddressStream(ctx context.Context) (grpc.BidiStreamingClient[pb.ScreenAddressesRequest, pb.ScreenAddressesResponse], error) {
	return s.screening.ScreenAddressStream(ctx)
}

func (s stubs) GetSnapshot(ctx context.Context) (*pb.GetSnapshotResponse, error) {
	return s.lists.GetSnapshot(ctx, &pb.GetSnapshotRequest{})
}

func (s stubs) GetAddressHistory(ctx context.Context, req *pb.GetAddressHistoryRequest) (*pb.GetAddressHistoryResponse, error) {
	return s.lists.GetAddressHistory(ctx, req)
}

func (s stubs) WatchChanges(ctx context.Context, req *pb.WatchChangesRequest) (grpc.ServerStreamingClient[pb.WatchChangesResponse], error) {
	return s.lists.WatchChanges(ctx, req)
}

func (s stubs) ExportSnapshot(ctx context.Context, sequence uint64, w io.Writer) (*pb.ExportSnapshotResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.lists.ExportSnapshot(ctx, &pb.ExportSnapshotRequest{Snapshot: sequence})
	if err != nil {
		return nil, err
	}
	var head *pb.ExportSnapshotResponse
	for {
		res, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return head, nil
		}
		if err != nil {
			return nil, err
		}
		if head == nil {
			head = res
		}
		if _, err := w.Write(res.Data); err != nil {
			return nil, err
		}
	}
}

func (s stubs) Close() error { return s.conn.Close() }

// A bearer sends a token with every call.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return false }

func (on *soaked) connect(token string) (*grpc.ClientConn, error) {
	secure := insecure.NewCredentials()
	if on.tls != nil {
		secure = credentials.NewTLS(on.tls)
	}
	return grpc.NewClient(on.addr, grpc.WithTransportCredentials(secure), grpc.WithPerRPCCredentials(bearer(token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
}

// A soakCaller is one client. It is of one goroutine.
type soakCaller struct {
	contract
	s      *soak
	on     *soaked
	kind   string
	random *rand.Rand
	before *pb.ScreenAddressesResponse // of this server
	spent  int                         // addresses that were answered
	began  time.Time
}

// patiently is what overrides the times after which a client.Client gives a connection
// up: on a machine under load a server may take longer to speak TLS, or to answer a ping.
var patiently = []grpc.DialOption{
	grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: patience}),
	grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: patience, PermitWithoutStream: true}),
}

// caller connects a client, through the package for clients or without.
func (s *soak) caller(on *soaked, kind, name string, packaged bool) *soakCaller {
	c := &soakCaller{s: s, on: on, kind: kind, random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), began: time.Now()}
	s.count("connections")
	token := soakTokens[name]
	if packaged {
		var err error
		if c.contract, err = client.New([]string{on.addr}, client.Options{TLS: on.tls, TokenFile: s.file("token-"+name, ""), Dial: patiently}); err != nil {
			s.t.Fatal(err)
		}
		return c
	}
	conn, err := on.connect(token)
	if err != nil {
		s.t.Fatal(err)
	}
	c.contract = stubs{conn, pb.NewScreeningServiceClient(conn), pb.NewListServiceClient(conn)}
	return c
}

func (c *soakCaller) close() { _ = c.Close() }

// soakKinds are what clients do, each how often, and at how many connections to a server.
var soakKinds = []struct {
	name  string
	as    string // the caller of that name
	every time.Duration
	many  int
	do    func(*soakCaller, context.Context)
}{
	{"batch", "all", 20 * time.Millisecond, 2, (*soakCaller).batch},
	{"batch with options", "all", 20 * time.Millisecond, 1, (*soakCaller).options},
	{"stream", "all", 100 * time.Millisecond, 2, (*soakCaller).stream},
	{"snapshot asked for", "all", 50 * time.Millisecond, 1, (*soakCaller).exact},
	{"min_snapshot", "all", 50 * time.Millisecond, 1, (*soakCaller).fresh},
	{"history", "all", 20 * time.Millisecond, 1, (*soakCaller).history},
	{"watch", "all", 10 * time.Millisecond, 4, (*soakCaller).watch},
	{"export", "all", 300 * time.Millisecond, 1, (*soakCaller).export},
	{"lists", "reader", 50 * time.Millisecond, 1, (*soakCaller).lists},
	{"malformed", "all", 50 * time.Millisecond, 1, (*soakCaller).malformed},
	{"not allowed", "all", 100 * time.Millisecond, 1, (*soakCaller).notAllowed},
	{"given up", "all", 30 * time.Millisecond, 2, (*soakCaller).giveUp},
	{"quota", "greedy", 10 * time.Millisecond, 1, (*soakCaller).greedy},
	{"health", "unknown", 200 * time.Millisecond, 1, (*soakCaller).health},
}

// clients starts the clients of a server.
func (s *soak) clients(on *soaked) {
	for _, kind := range soakKinds {
		for range kind.many {
			s.working.Go(func() {
				tick := time.NewTicker(kind.every)
				defer tick.Stop()
				for s.ctx.Err() == nil {
					// It leaves now and then, and another comes.
					c := s.caller(on, strings.ReplaceAll(kind.name, " ", "-"), kind.as, rand.IntN(2) == 0 && kind.as != "greedy")
					for range 1 + c.random.IntN(200) {
						s.count(kind.name)
						ctx, cancel := context.WithTimeout(s.ctx, soakPatience)
						kind.do(c, ctx)
						cancel()
						select {
						case <-tick.C:
						case <-s.ctx.Done():
						}
						if s.ctx.Err() != nil {
							break
						}
					}
					c.close()
				}
			})
		}
	}
}

// refused deals with an error, which must have one of the reasons, and reports
// whether there is one.
func (c *soakCaller) refused(err error, reasons ...string) bool {
	if err == nil || c.s.ctx.Err() != nil {
		return err != nil
	}
	info := infoOf(err)
	if info == nil || !slices.Contains(reasons, info.Reason) {
		c.s.fail("%s, %s: %v, want one of %q", c.on.name, c.kind, err, reasons)
		return true
	}
	c.s.count("refused: " + info.Reason)
	return true
}

// An asking is a question and what else was asked for that changes its answers.
type asking struct {
	asked    []probe
	only     int // the list asked for by its index, -1 for all
	unlisted pb.Verdict
	reason   pb.Reason
	before   bool // all of history
}

// against compares an answer with the editions of its snapshot.
func (a *asking) against(e editions, res *pb.ScreenAddressesResponse) error {
	if len(res.Results) != len(a.asked) {
		return fmt.Errorf("%w: %d results for %d addresses", errWrong, len(res.Results), len(a.asked))
	}
	for i, p := range a.asked {
		listed := !a.before && (a.only < 0 || a.only == p.list) && e[p.list].lists(p)
		err := p.differs(res.Results[i], listed, a.unlisted, a.reason)
		if err == nil && listed && p.kind == probeNumbered && !slices.Equal(res.Results[i].Matches[0].Listing.Programs, []string{e[p.list].program()}) {
			err = fmt.Errorf("%s has programs %q", p.text, res.Results[i].Matches[0].Listing.Programs)
		}
		if err != nil {
			return fmt.Errorf("%w: snapshot %d (%.12s), editions %d: %w", errWrong, res.Snapshot.Sequence, res.Snapshot.Digest, e, err)
		}
	}
	return nil
}

// current is a question about now.
func current(asked []probe) *asking {
	return &asking{asked: asked, only: -1, unlisted: pb.Verdict_VERDICT_NOT_LISTED}
}

// whole reports whether an answer says by itself of which editions it is.
func (a *asking) whole() bool {
	numbered := 0
	for list := range ownLists {
		if slices.Contains(a.asked, numberedProbe(list)) {
			numbered++
		}
	}
	return numbered == len(ownLists) && a.only < 0 && !a.before && a.unlisted == pb.Verdict_VERDICT_NOT_LISTED
}

// ask asks and checks the answer, nil if there is none.
func (c *soakCaller) ask(a *asking, set func(*pb.ScreenAddressesRequest), reasons ...string) (*pb.ScreenAddressesResponse, editions) {
	ctx, cancel := context.WithTimeout(c.s.ctx, soakPatience)
	defer cancel()
	req := a.request()
	if set != nil {
		set(req)
	}
	res, err := c.ScreenAddresses(ctx, req)
	if c.refused(err, reasons...) {
		return nil, editions{}
	}
	var before *pb.ScreenAddressesResponse
	if req.Snapshot == 0 {
		before, c.before = c.before, res
	}
	return res, c.check(a, req, res, before)
}

func (a *asking) request() *pb.ScreenAddressesRequest {
	req := &pb.ScreenAddressesRequest{}
	for _, p := range a.asked {
		req.Addresses = append(req.Addresses, p.text)
	}
	return req
}

// check holds an answer against the model, and against the one before it.
func (c *soakCaller) check(a *asking, req *pb.ScreenAddressesRequest, res, before *pb.ScreenAddressesResponse) editions {
	l := c.s.ledger
	var e editions
	var err error
	if a.whole() {
		e, err = l.check(a.asked, res, before)
	} else {
		var ok bool
		if e, ok = c.learn(res.GetSnapshot()); !ok {
			c.s.sums.Lock()
			c.s.unknown = append(c.s.unknown, unknownAnswer{a, res})
			c.s.sums.Unlock()
			return e
		}
		if err = a.against(e, res); err == nil && before != nil {
			l.mu.Lock()
			err = l.follows(before.Snapshot, res.Snapshot)
			l.mu.Unlock()
		}
		l.checked(len(a.asked), err)
	}
	superseded := slices.ContainsFunc(res.Notices, func(n *pb.Notice) bool { return n.Code == pb.NoticeCode_NOTICE_CODE_SNAPSHOT_SUPERSEDED })
	switch {
	case err != nil:
	case res.RequestId != req.RequestId:
		err = fmt.Errorf("request_id %q came back as %q", req.RequestId, res.RequestId)
	case superseded && req.Snapshot == 0 || req.Snapshot != 0 && res.Snapshot.Sequence != req.Snapshot || res.Snapshot.Sequence < req.MinSnapshot:
		err = fmt.Errorf("snapshot %d (superseded: %t) for snapshot %d, min_snapshot %d", res.Snapshot.Sequence, superseded, req.Snapshot, req.MinSnapshot)
	case (superseded || req.AsOf != "") == (res.ValidUntil != nil):
		err = fmt.Errorf("superseded: %t, as_of %q, valid_until %v", superseded, req.AsOf, res.ValidUntil)
	}
	if err != nil {
		c.s.fail("%s, %s: %v", c.on.name, c.kind, err)
		return e
	}
	if req.Snapshot == 0 {
		c.s.name(res.Snapshot)
		c.on.mu.Lock()
		c.on.last = e
		c.on.mu.Unlock()
	}
	return e
}

// learn returns what a snapshot holds, and asks for that if nobody knows.
func (c *soakCaller) learn(ref *pb.SnapshotRef) (editions, bool) {
	if e, ok := c.s.ledger.of(ref.GetDigest()); ok {
		return e, true
	}
	asked := current(question(c.random))
	req := asked.request()
	req.Snapshot = ref.GetSequence()
	ctx, cancel := context.WithTimeout(c.s.ctx, soakPatience)
	defer cancel()
	res, err := c.ScreenAddresses(ctx, req)
	if c.refused(err, "SNAPSHOT_NOT_HELD", "SNAPSHOT_UNREADABLE", "QUOTA_EXCEEDED") {
		return editions{}, false
	}
	e, err := c.s.ledger.check(asked.asked, res, nil)
	if err == nil && res.Snapshot.Digest != ref.Digest {
		err = fmt.Errorf("snapshot %d is %.12s, and was %.12s", ref.Sequence, res.Snapshot.Digest, ref.Digest)
	}
	if err != nil {
		c.s.fail("%s, %s: %v", c.on.name, c.kind, err)
	}
	return e, err == nil
}

// draw draws the probes of a batch: mostly few, 10,000 at most.
func (c *soakCaller) draw() []probe {
	asked := question(c.random)
	n := 1 << c.random.IntN(10)
	switch c.random.IntN(100) {
	case 0:
		n = 10_000
	case 1, 2, 3:
		n = 1000 + c.random.IntN(4000)
	}
	if n <= len(asked) {
		return asked[:n]
	}
	at := c.random.IntN(len(c.s.filler))
	for len(asked) < n {
		asked = append(asked, c.s.filler[at%len(c.s.filler)])
		at++
	}
	return asked
}

func (c *soakCaller) batch(context.Context) { c.ask(current(c.draw()), nil) }

// options asks with one of the options that change what is answered, or that do not.
func (c *soakCaller) options(ctx context.Context) {
	asked := c.draw()
	list := c.random.IntN(len(ownLists))
	switch c.random.IntN(8) {
	case 0:
		a := current(asked)
		a.only = list
		c.ask(a, func(req *pb.ScreenAddressesRequest) {
			req.ListIds = []string{string(ownLists[list]), string(ownLists[list])}
		})
	case 1:
		a := &asking{asked: asked, only: list, unlisted: pb.Verdict_VERDICT_CANNOT_SCREEN, reason: pb.Reason_REASON_NOT_LOADED}
		c.ask(a, func(req *pb.ScreenAddressesRequest) { req.ListIds = []string{string(ownLists[list]), "own-absent"} })
	case 2: // nothing is published later than tomorrow
		c.ask(current(asked), func(req *pb.ScreenAddressesRequest) {
			req.AsOf = time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)
		})
	case 3: // before an operator's own list existed nothing was on it
		a := current(asked)
		a.before = true
		c.ask(a, func(req *pb.ScreenAddressesRequest) { req.AsOf = "2020-01-02" })
	case 4:
		c.ask(current(asked), func(req *pb.ScreenAddressesRequest) { req.MaxListAge = durationpb.New(time.Hour) })
	case 5:
		res, err := c.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{never(1).text, standingProbe(0, 1).text}, MaxListAge: durationpb.New(1)})
		if c.refused(err) {
			return
		}
		if err := errors.Join(never(1).differs(res.Results[0], false, pb.Verdict_VERDICT_CANNOT_SCREEN, pb.Reason_REASON_STALE),
			standingProbe(0, 1).differs(res.Results[1], true, 0, 0)); err != nil {
			c.s.fail("max_list_age: %v", err)
		}
		c.s.ledger.checked(2, nil)
	case 6:
		c.ask(current(asked), func(req *pb.ScreenAddressesRequest) {
			req.Network, req.RequestId = "eip155:1", fmt.Sprint(c.random.Uint64())
		})
	case 7:
		c.odd(ctx, asked[:min(len(asked), 100)])
	}
}

// oddTexts are no addresses.
var oddTexts = []struct {
	text   string
	reason pb.Reason
}{
	{"", pb.Reason_REASON_EMPTY}, {" \t\n", pb.Reason_REASON_EMPTY}, {strings.Repeat("1", 513), pb.Reason_REASON_TOO_LONG},
	{"vitalik.eth", pb.Reason_REASON_NAME_NEEDS_RESOLUTION}, {"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", pb.Reason_REASON_CHECKSUM},
	{strings.Repeat("5e", 32), pb.Reason_REASON_AMBIGUOUS_32_BYTE},
}

// odd puts texts that are no addresses between addresses, which they must not harm.
func (c *soakCaller) odd(ctx context.Context, asked []probe) {
	req := &pb.ScreenAddressesRequest{}
	for i, p := range asked {
		req.Addresses = append(req.Addresses, p.text, oddTexts[i%len(oddTexts)].text)
	}
	res, err := c.ScreenAddresses(ctx, req)
	if c.refused(err) {
		return
	}
	if len(res.Results) != len(req.Addresses) {
		c.s.fail("%d results for %d addresses", len(res.Results), len(req.Addresses))
		return
	}
	results := res.Results
	res.Results = nil
	for i, r := range results {
		if odd := oddTexts[i/2%len(oddTexts)]; i%2 == 0 {
			res.Results = append(res.Results, r)
		} else if r.Verdict != pb.Verdict_VERDICT_CANNOT_SCREEN || r.Reason != odd.reason || len(r.Matches) > 0 {
			c.s.fail("%.20q is %s, %s", odd.text, r.Verdict, r.Reason)
		}
	}
	var before *pb.ScreenAddressesResponse
	before, c.before = c.before, res
	c.check(current(asked), req, res, before)
}

// stream sends many batches at once, and takes the answers more slowly.
func (c *soakCaller) stream(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.ScreenAddressStream(ctx)
	if c.refused(err) {
		return
	}
	n := 1 + c.random.IntN(40)
	all := make([]*asking, n)
	reqs := make([]*pb.ScreenAddressesRequest, n)
	for i := range n {
		all[i] = current(c.draw())
		reqs[i] = all[i].request()
		reqs[i].RequestId = fmt.Sprint("message-", i)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for _, req := range reqs {
			if stream.Send(req) != nil {
				return // which Recv tells
			}
		}
		_ = stream.CloseSend()
	}()
	defer func() { cancel(); <-sent }()
	leave := n
	if c.random.IntN(4) == 0 {
		leave = c.random.IntN(n)
	}
	var before *pb.ScreenAddressesResponse
	for i := range leave {
		res, err := stream.Recv()
		if c.refused(err) {
			return
		}
		c.check(all[i], reqs[i], res, before)
		before = res
		c.s.count("answers in streams")
	}
	if leave < n {
		c.s.count("streams left half-way")
		return
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		c.refused(err)
		if err == nil {
			c.s.fail("a stream goes on after its last answer")
		}
	}
}

// exact asks for a snapshot that was served a while ago.
func (c *soakCaller) exact(context.Context) {
	refs := c.s.named(40)
	if len(refs) == 0 {
		return
	}
	ref := refs[c.random.IntN(len(refs))]
	if c.random.IntN(2) == 0 { // mostly the last few
		ref = refs[len(refs)-1-c.random.IntN(min(len(refs), 4))]
	}
	res, _ := c.ask(current(c.draw()), func(req *pb.ScreenAddressesRequest) { req.Snapshot = ref.Sequence }, "SNAPSHOT_NOT_HELD", "SNAPSHOT_UNREADABLE")
	if res != nil && res.Snapshot.Digest != ref.Digest {
		c.s.fail("snapshot %d is %.12s, and was %.12s", ref.Sequence, res.Snapshot.Digest, ref.Digest)
	}
}

// fresh asks for what another server may have served first, or for what comes next.
func (c *soakCaller) fresh(context.Context) {
	refs := c.s.named(1)
	if len(refs) == 0 {
		return
	}
	c.ask(current(c.draw()), func(req *pb.ScreenAddressesRequest) { req.MinSnapshot = refs[0].Sequence + uint64(c.random.IntN(2)) }, "SNAPSHOT_NOT_REACHED")
}

// history asks what was ever said of an address.
func (c *soakCaller) history(ctx context.Context) {
	asked := question(c.random)
	p := asked[c.random.IntN(len(asked))]
	res, err := c.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: p.text})
	if c.refused(err) {
		return
	}
	e, ok := c.learn(res.Snapshot)
	if !ok {
		return
	}
	err = func() error {
		now := 0
		for _, m := range res.Matches {
			l := m.Listing
			if l.Address != p.text || l.ListId != string(ownLists[p.list]) {
				return fmt.Errorf("%s of %s in the history", l.Address, l.ListId)
			}
			if l.DelistedOn != "" {
				continue
			}
			if now++; p.kind == probeNumbered && !slices.Equal(l.Programs, []string{e[p.list].program()}) {
				return fmt.Errorf("programs %q", l.Programs)
			}
		}
		want := 0
		if e[p.list].lists(p) {
			want = 1
		}
		if now != want || p.kind == probeNever && len(res.Matches) > 0 || res.Reason != pb.Reason_REASON_UNSPECIFIED {
			return fmt.Errorf("%d current listings of %d, %s, want %d", now, len(res.Matches), res.Reason, want)
		}
		return nil
	}()
	if c.s.ledger.checked(1, err); err != nil {
		c.s.fail("%s: history of %s, snapshot %d, editions %d: %v", c.on.name, p.text, res.Snapshot.Sequence, e, err)
	}
}

// listings are what an edition lists, and under which program.
func (e edition) listings(list int) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(string(e.csv(list))) {
		row := strings.Split(strings.TrimSpace(line), ",")
		if row[0] != "address" && row[0] != "" {
			all[row[0]] = row[len(row)-1]
		}
	}
	return all
}

// watch follows the changes for a while, leaves, comes back and goes on.
func (c *soakCaller) watch(ctx context.Context) {
	var ref *pb.SnapshotRef
	var state map[string]string
	only := -1
	if c.random.IntN(3) == 0 {
		only = c.random.IntN(len(ownLists))
	}
	want := func(e editions) map[string]string {
		all := map[string]string{}
		for list := range ownLists {
			if only < 0 || only == list {
				maps.Copy(all, e[list].listings(list))
			}
		}
		return all
	}
	told := func(res *pb.WatchChangesResponse) error {
		if ref != nil && res.Snapshot.Sequence < ref.Sequence {
			return fmt.Errorf("snapshot %d after %d", res.Snapshot.Sequence, ref.Sequence)
		}
		for _, change := range res.Changes {
			if state == nil {
				break // it begins with the first snapshot of which is known what it holds
			}
			if p := change.Previous; p != nil {
				if got, ok := state[p.Address]; !ok || got != strings.Join(p.Programs, " ") {
					return fmt.Errorf("%s was %s %q, and is said to have been %q", p.Address, map[bool]string{true: "listed", false: "not listed"}[ok], got, p.Programs)
				}
				delete(state, p.Address)
			}
			if change.Type != pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED {
				state[change.Listing.Address] = strings.Join(change.Listing.Programs, " ")
			}
		}
		if !res.Last {
			return nil
		}
		ref = res.Snapshot
		e, ok := c.learn(ref)
		if !ok {
			return nil // the next one tells
		}
		if state == nil {
			state = want(e)
			return nil
		}
		if all := want(e); !maps.Equal(all, state) {
			return fmt.Errorf("after the changes up to snapshot %d, editions %d, %d addresses are listed; want %d", ref.Sequence, e, len(state), len(all))
		}
		c.s.count("watched snapshots that agree")
		return nil
	}
	enough := errors.New("enough")
	for range 1 + c.random.IntN(4) {
		req := &pb.WatchChangesRequest{}
		if state != nil {
			req.FromSnapshot, req.FromDigest = ref.Sequence, ref.Digest
		}
		if only >= 0 {
			req.ListIds = []string{string(ownLists[only])}
		}
		rest := 1 + c.random.IntN(20)
		stay, cancel := context.WithTimeout(ctx, time.Duration(1+c.random.IntN(8000))*time.Millisecond)
		err := func() error {
			defer cancel()
			if cl, ok := c.contract.(*client.Client); ok {
				return cl.Follow(stay, req, func(res *pb.WatchChangesResponse) error {
					if err := told(res); err != nil {
						return err
					}
					if rest--; rest == 0 {
						return enough
					}
					return nil
				}, func(error, time.Duration) {})
			}
			stream, err := c.WatchChanges(stay, req)
			if err != nil {
				return err
			}
			for {
				res, err := stream.Recv()
				if err != nil {
					return err
				}
				if err := told(res); err != nil {
					return err
				}
				if rest--; rest <= 0 && res.Last {
					return enough
				}
			}
		}()
		c.s.count("watches")
		code := status.Code(err)
		if !errors.Is(err, enough) && !(stay.Err() != nil && (code == codes.DeadlineExceeded || code == codes.Canceled || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled))) {
			c.refused(err, "SNAPSHOT_TOO_OLD", "SNAPSHOT_UNREADABLE")
			return
		}
		if state == nil {
			ref = nil
		}
		pause(c.s.ctx, time.Duration(c.random.IntN(1000))*time.Millisecond)
	}
}

// export fetches a snapshot as it is, and reads it.
func (c *soakCaller) export(ctx context.Context) {
	sequence := uint64(0)
	if refs := c.s.named(40); c.random.IntN(2) == 0 && len(refs) > 0 {
		sequence = refs[c.random.IntN(len(refs))].Sequence
	}
	var content bytes.Buffer
	head, err := c.ExportSnapshot(ctx, sequence, &content)
	if c.refused(err, "SNAPSHOT_NOT_HELD", "SNAPSHOT_UNREADABLE") {
		return
	}
	if sum := sha256.Sum256(content.Bytes()); hex.EncodeToString(sum[:]) != head.Snapshot.Digest || sequence != 0 && head.Snapshot.Sequence != sequence {
		c.s.fail("snapshot %d was asked for, %d (%s) came with the digest %x", sequence, head.Snapshot.Sequence, head.Snapshot.Digest, sum)
		return
	}
	snapshot, err := screen.Decode(content.Bytes())
	if err == nil {
		_, err = c.s.ledger.prove(snapshot.Named(head.Snapshot.Sequence, head.Snapshot.CreatedAt.AsTime()))
	}
	if c.s.ledger.checked(0, err); err != nil {
		c.s.fail("%s: exported: %v", c.on.name, err)
	}
}

// lists asks what is loaded.
func (c *soakCaller) lists(ctx context.Context) {
	res, err := c.GetSnapshot(ctx)
	if c.refused(err) {
		return
	}
	var e editions
	for _, l := range res.Lists {
		list := slices.Index(ownLists, screen.ListID(l.ListId))
		if list < 0 {
			c.s.fail("a list %q", l.ListId)
			return
		}
		c.s.ledger.mu.Lock()
		e[list] = c.s.ledger.byFile[list][l.Publication.Sha256]
		c.s.ledger.mu.Unlock()
		if want := len(e[list].listings(list)); int(l.Rows) != want || l.Stale {
			c.s.fail("%s has %d rows, stale: %t, want %d", l.ListId, l.Rows, l.Stale, want)
		}
	}
	err = c.s.ledger.is(res.Snapshot.Digest, e, "GetSnapshot", false)
	if c.s.ledger.checked(0, err); err != nil {
		c.s.fail("%s: %v", c.on.name, err)
	}
}

// malformed sends what must be refused, each with its reason.
func (c *soakCaller) malformed(ctx context.Context) {
	one := []string{standingProbe(0, 0).text}
	screening := func(req *pb.ScreenAddressesRequest) func() error {
		return func() error { _, err := c.ScreenAddresses(ctx, req); return err }
	}
	watching := func(req *pb.WatchChangesRequest) func() error {
		return func() error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			stream, err := c.WatchChanges(ctx, req)
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		}
	}
	all := []struct {
		reason string
		do     func() error
	}{
		{"NO_ADDRESSES", screening(&pb.ScreenAddressesRequest{})},
		{"TOO_MANY_ADDRESSES", screening(&pb.ScreenAddressesRequest{Addresses: make([]string, 10_001)})},
		{"INVALID_NETWORK", screening(&pb.ScreenAddressesRequest{Addresses: one, Network: "ethereum"})},
		{"INVALID_LIST_ID", screening(&pb.ScreenAddressesRequest{Addresses: one, ListIds: []string{"Own First"}})},
		{"INVALID_AS_OF", screening(&pb.ScreenAddressesRequest{Addresses: one, AsOf: "2026-02-30"})},
		{"INVALID_AS_OF", screening(&pb.ScreenAddressesRequest{Addresses: one, AsOf: "2999-01-01"})},
		{"INVALID_MAX_LIST_AGE", screening(&pb.ScreenAddressesRequest{Addresses: one, MaxListAge: durationpb.New(0)})},
		{"INVALID_SNAPSHOT", screening(&pb.ScreenAddressesRequest{Addresses: one, Snapshot: 1, MinSnapshot: 2})},
		{"INVALID_REQUEST_ID", screening(&pb.ScreenAddressesRequest{Addresses: one, RequestId: "\n"})},
		{"RECEIPTS_NOT_CONFIGURED", screening(&pb.ScreenAddressesRequest{Addresses: one, Receipt: true})},
		{"SNAPSHOT_NOT_HELD", screening(&pb.ScreenAddressesRequest{Addresses: one, Snapshot: 1 << 50})},
		{"SNAPSHOT_NOT_REACHED", screening(&pb.ScreenAddressesRequest{Addresses: one, MinSnapshot: 1 << 50})},
		{"INVALID_SNAPSHOT", watching(&pb.WatchChangesRequest{FromDigest: strings.Repeat("0", 64)})},
		{"INVALID_LIST_ID", watching(&pb.WatchChangesRequest{ListIds: []string{"Own"}})},
		{"SNAPSHOT_NOT_REACHED", watching(&pb.WatchChangesRequest{FromSnapshot: 1 << 50})},
		{"INVALID_NETWORK", func() error {
			_, err := c.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: one[0], Network: "ethereum"})
			return err
		}},
		{"SNAPSHOT_NOT_HELD", func() error { _, err := c.ExportSnapshot(ctx, 1<<50, io.Discard); return err }},
	}
	m := all[c.random.IntN(len(all))]
	reasons := []string{m.reason}
	if m.reason == "SNAPSHOT_NOT_HELD" {
		reasons = append(reasons, "SNAPSHOT_UNREADABLE") // while Redis is down
	}
	if !c.refused(m.do(), reasons...) {
		c.s.fail("no error, want %s", m.reason)
	}
}

// notAllowed calls with a token that nobody has, and with one that may not.
func (c *soakCaller) notAllowed(ctx context.Context) {
	name, reason := "unknown", "UNAUTHENTICATED"
	if c.random.IntN(2) == 0 {
		name, reason = "reader", "PERMISSION_DENIED"
	}
	other := c.s.caller(c.on, "not-allowed", name, c.random.IntN(2) == 0)
	defer other.close()
	if _, err := other.ScreenAddresses(ctx, current(question(c.random)).request()); !other.refused(err, reason) {
		c.s.fail("%s: the caller %q was answered", c.on.name, name)
	}
}

// giveUp begins something on a connection of its own and leaves before it is done.
// If there is an answer all the same, it must be right.
func (c *soakCaller) giveUp(context.Context) {
	ctx, cancel := context.WithTimeout(c.s.ctx, time.Duration(c.random.Int64N(int64(30*time.Millisecond))))
	defer cancel()
	if c.random.IntN(8) == 0 { // without a word of HTTP/2, or of TLS
		if conn, err := net.Dial("tcp", c.on.addr); err == nil {
			_, _ = conn.Write([]byte("PRI * HTTP/2.0")[:c.random.IntN(14)])
			conn.Close()
		}
		return
	}
	other := c.s.caller(c.on, "given-up", "all", false)
	defer other.close()
	if c.random.IntN(2) == 0 {
		// On a connection that is there, so that the call itself is what is given up.
		if _, err := other.GetSnapshot(c.s.ctx); err != nil && c.s.ctx.Err() == nil {
			c.s.fail("%s: %v", c.on.name, err)
		}
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(c.s.ctx, time.Duration(c.random.Int64N(int64(10*time.Millisecond))))
		defer stop()
	}
	a := current(c.draw())
	req := a.request()
	switch c.random.IntN(4) {
	case 0:
		if res, err := other.ScreenAddresses(ctx, req); err == nil {
			other.check(a, req, res, nil)
		}
	case 1: // many messages and no reading
		stream, err := other.ScreenAddressStream(ctx)
		for err == nil {
			err = stream.Send(req)
		}
	case 2:
		stream, err := other.WatchChanges(ctx, &pb.WatchChangesRequest{})
		if err == nil {
			_, _ = stream.Recv()
		}
	case 3:
		_, _ = other.ExportSnapshot(ctx, 0, io.Discard)
	}
}

// greedy asks for more than its quota, which must never turn into another verdict.
func (c *soakCaller) greedy(ctx context.Context) {
	a := current(c.draw())
	req := a.request()
	res, err := c.ScreenAddresses(ctx, req)
	if err == nil {
		c.spent += len(a.asked)
		c.check(a, req, res, nil)
		if most := greedyBurst + int(time.Since(c.began).Seconds()*greedyRate) + 1; c.spent > most {
			c.s.fail("%s: %d addresses were answered in %v", c.on.name, c.spent, time.Since(c.began))
		}
		return
	}
	if !c.refused(err, "QUOTA_EXCEEDED") || c.s.ctx.Err() != nil {
		return
	}
	again := slices.ContainsFunc(status.Convert(err).Details(), func(d any) bool { _, ok := d.(*errdetails.RetryInfo); return ok })
	if status.Code(err) != codes.ResourceExhausted || again != (len(a.asked) <= greedyBurst) {
		c.s.fail("%s: %d addresses over the quota: %v, RetryInfo: %t", c.on.name, len(a.asked), err, again)
	}
}

// health asks, without credentials that anybody knows, whether the server is ready:
// it always is.
func (c *soakCaller) health(ctx context.Context) {
	conn, err := c.on.connect(soakTokens["unknown"])
	if err != nil {
		c.s.fail("%v", err)
		return
	}
	defer conn.Close()
	h := healthpb.NewHealthClient(conn)
	req := &healthpb.HealthCheckRequest{Service: pb.ScreeningService_ServiceDesc.ServiceName}
	res, err := h.Check(ctx, req)
	if err == nil && c.random.IntN(2) == 0 {
		stay, cancel := context.WithTimeout(ctx, time.Duration(1+c.random.IntN(2000))*time.Millisecond)
		defer cancel()
		var watch grpc.ServerStreamingClient[healthpb.HealthCheckResponse]
		if watch, err = h.Watch(stay, req); err == nil {
			if res, err = watch.Recv(); err == nil {
				if again, err := watch.Recv(); err == nil {
					res = proto.CloneOf(again)
				}
			}
		}
		if stay.Err() != nil && err != nil {
			return
		}
	}
	if c.s.ctx.Err() == nil && (err != nil || res.Status != healthpb.HealthCheckResponse_SERVING) {
		c.s.fail("%s: health %s, %v", c.on.name, res.GetStatus(), err)
	}
}
