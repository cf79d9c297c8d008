package main_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
)

var (
	hostileIdle   = flag.Int("hostile.idle", 500, "how many idle connections the hostile clients hold")
	hostileTime   = flag.Duration("hostile.time", 300*time.Millisecond, "how long each kind of hostile client goes on")
	hostileRounds = flag.Int("hostile.rounds", 1, "how many times each kind of hostile client comes and goes")
)

// foe is one connection of a hostile client, at the level of frames.
type foe struct {
	net.Conn
	framer *http2.Framer
	buf    bytes.Buffer // of enc
	enc    *hpack.Encoder
	token  string
	next   uint32
	sent   int
	data   *atomic.Int64 // DATA frames that came
}

// foes connect from many addresses of this machine, as foes of the world would.
type foes struct {
	addr string
	n    atomic.Int64
	// answered counts what came for calls without a token.
	answered atomic.Int64
	// idle counts connections that are open and do nothing.
	idle atomic.Int64
}

func (f *foes) dial() (net.Conn, error) {
	n := f.n.Add(1)
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+n%200))}}
	return d.Dial("tcp", f.addr)
}

// open speaks HTTP/2 as far as the settings. window is what the foe takes of a
// response.
func (f *foes) open(token string, window uint32) (*foe, error) {
	conn, err := f.dial()
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		conn.Close()
		return nil, err
	}
	c := &foe{Conn: conn, framer: http2.NewFramer(conn, conn), token: token, next: 1, data: new(atomic.Int64)}
	c.framer.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.buf)
	err = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
	if all := uint32(65535); window > all { // that of the connection, which settings do not change
		err = errors.Join(err, c.framer.WriteWindowUpdate(0, window-all))
	}
	return c, err
}

func (c *foe) headers(method string) []byte {
	c.buf.Reset()
	fields := [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "foe"}, {"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-timeout", "99999999H"}}
	if c.token != "" {
		fields = append(fields, [2]string{"authorization", "Bearer " + c.token})
	}
	for _, f := range fields {
		_ = c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	return c.buf.Bytes()
}

// begin opens a stream and returns its number.
func (c *foe) begin(method string) (uint32, error) {
	id := c.next
	c.next += 2
	return id, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.headers(method), EndHeaders: true})
}

// pace keeps a flood to what a network lets through: it is to be called after
// each frame or two.
func (c *foe) pace(ctx context.Context) {
	if c.sent++; c.sent%20 == 0 {
		pause(ctx, 5*time.Millisecond)
	}
}

// drain reads what comes, and counts the messages.
func (c *foe) drain() {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			var stream http2.StreamError
			if errors.As(err, &stream) {
				continue
			}
			return
		}
		if d, ok := frame.(*http2.DataFrame); ok && len(d.Data()) > 0 {
			c.data.Add(1)
		}
	}
}

// message is a request with the five bytes that gRPC puts in front of it.
func message(req proto.Message) []byte {
	text, err := proto.Marshal(req)
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(text))), text...)
}

// peakMemory is the most memory that a process ever had, in MiB.
func peakMemory(t testing.TB, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("not run: how much memory a hostile client costs, for want of /proc: %v", err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

// attack is one kind of hostile client.
type attack struct {
	name    string
	clients int
	// once is one connection's life; it ends when the connection does.
	once func(ctx context.Context) error
}

// ask asks one large request after another, with a pause between them. window is what
// it takes of a response.
func (f *foes) ask(ctx context.Context, token string, window uint32, request []byte, rest time.Duration) error {
	c, err := f.open(token, window)
	if err != nil {
		return err
	}
	defer c.Close()
	go c.drain()
	for ctx.Err() == nil {
		id, err := c.begin(pb.ScreeningService_ScreenAddresses_FullMethodName)
		if err != nil {
			return err
		}
		for left := request; len(left) > 0; {
			n := min(len(left), 16<<10)
			if err := c.framer.WriteData(id, n == len(left), left[:n]); err != nil {
				return err
			}
			left = left[n:]
		}
		pause(ctx, rest)
	}
	return nil
}

// attacks are all kinds of hostile clients. token is that of a caller.
func (f *foes) attacks(token string) []attack {
	screenMethod := pb.ScreeningService_ScreenAddresses_FullMethodName
	streamMethod := pb.ScreeningService_ScreenAddressStream_FullMethodName
	one := message(&pb.ScreenAddressesRequest{Addresses: []string{hostileText}})
	big := message(&pb.ScreenAddressesRequest{Addresses: slices.Repeat([]string{hostileText}, 10_000)})
	unlisted := make([]string, 10_000)
	for i := range unlisted {
		unlisted[i] = fmt.Sprintf("0x%040x", i)
	}
	large := message(&pb.ScreenAddressesRequest{Addresses: unlisted})
	return []attack{
		// What a busy machine does to the good caller, to hold the others against.
		{busyProcessors, runtime.NumCPU(), func(ctx context.Context) error {
			for ctx.Err() == nil {
				sha256.Sum256(large)
			}
			return nil
		}},
		// It opens connections until there are enough, and keeps them.
		{idleConnections, *hostileIdle, func(ctx context.Context) error {
			c, err := f.open("", 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			f.idle.Add(1)
			defer f.idle.Add(-1)
			<-ctx.Done()
			return nil
		}},
		{"slow prefaces", 50, func(ctx context.Context) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			defer c.Close()
			for i := range http2.ClientPreface {
				if _, err := io.WriteString(c, http2.ClientPreface[i:i+1]); err != nil {
					return err
				}
				pause(ctx, 100*time.Millisecond)
			}
			return nil
		}},
		{"slow headers and streams", 50, func(ctx context.Context) error {
			c, err := f.open(token, 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			for i := 0; ctx.Err() == nil; i++ {
				id, err := c.begin([]string{screenMethod, streamMethod}[i%2])
				if err != nil {
					return err
				}
				if err := c.framer.WriteData(id, false, one[:1+i%4]); err != nil {
					return err
				}
				pause(ctx, 20*time.Millisecond)
			}
			return nil
		}},
		{"random bytes", 4, func(context.Context) error {
			c, err := f.dial()
			if err != nil {
				return err
			}
			defer c.Close()
			text := make([]byte, 1+rand.IntN(1000))
			for i := range text {
				text[i] = byte(rand.Uint32())
			}
			_, err = c.Write(text)
			return err
		}},
		{"mutated frames", 4, func(context.Context) error {
			c, err := f.open("", 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			var wire bytes.Buffer
			w := http2.NewFramer(&wire, nil)
			_ = w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(screenMethod), EndHeaders: true})
			_ = w.WriteData(1, true, one)
			_ = w.WriteWindowUpdate(0, 1000)
			text := wire.Bytes()
			for range 1 + rand.IntN(4) {
				text[rand.IntN(len(text))] = byte(rand.Uint32())
			}
			_, err = c.Write(text)
			f.answered.Add(c.data.Load())
			return err
		}},
		{"calls without a token", 4, func(ctx context.Context) error {
			c, err := f.open("", 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			for ctx.Err() == nil && c.next < 4000 {
				id, err := c.begin(screenMethod)
				if err != nil {
					return err
				}
				if err := c.framer.WriteData(id, true, one); err != nil {
					return err
				}
				c.pace(ctx)
			}
			f.answered.Add(c.data.Load())
			return nil
		}},
		{"oversized messages", 4, func(ctx context.Context) error {
			c, err := f.open(token, 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			id, err := c.begin(screenMethod)
			if err != nil {
				return err
			}
			return c.framer.WriteData(id, false, []byte{0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3})
		}},
		{"rapid reset", 4, func(ctx context.Context) error {
			c, err := f.open(token, 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			for ctx.Err() == nil {
				id, err := c.begin(screenMethod)
				if err != nil {
					return err
				}
				if err := c.framer.WriteRSTStream(id, http2.ErrCodeCancel); err != nil {
					return err
				}
				c.pace(ctx)
			}
			return nil
		}},
		{"CONTINUATION flood", 4, func(ctx context.Context) error {
			c, err := f.open("", 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			if err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.headers(screenMethod)}); err != nil {
				return err
			}
			c.buf.Reset()
			for i := range 100 {
				_ = c.enc.WriteField(hpack.HeaderField{Name: "x-" + strconv.Itoa(i), Value: strings.Repeat("v", 100)})
			}
			for ctx.Err() == nil {
				if err := c.framer.WriteContinuation(1, false, c.buf.Bytes()); err != nil {
					return err
				}
				c.pace(ctx)
			}
			return nil
		}},
		{"ping and settings flood", 4, func(ctx context.Context) error {
			c, err := f.open("", 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			for ctx.Err() == nil { // and reads no answer
				if err := errors.Join(c.framer.WritePing(false, [8]byte{1}), c.framer.WriteSettings()); err != nil {
					return err
				}
				c.pace(ctx)
			}
			return nil
		}},
		{"half requests", 20, func(ctx context.Context) error {
			c, err := f.open(token, 65535)
			if err != nil {
				return err
			}
			defer c.Close()
			go c.drain()
			half := make([]byte, 16<<10)
			for ctx.Err() == nil {
				id, err := c.begin(screenMethod)
				if err != nil {
					return err
				}
				first := append([]byte{0, 0, 0x70, 0, 0}, half[:16<<10-5]...)
				for range 4 {
					if err := c.framer.WriteData(id, false, first); err != nil {
						return err
					}
					first = half
				}
				pause(ctx, 5*time.Millisecond)
			}
			return nil
		}},
		{"slow readers", 4, func(ctx context.Context) error { return f.ask(ctx, token, 0, big, 50*time.Millisecond) }},
		{"large batches", 4, func(ctx context.Context) error { return f.ask(ctx, token, 1<<30, large, 10*time.Millisecond) }},
	}
}

// hostile is what a process of hostile clients is told, and tells.
type hostile struct {
	Addr, Token, Attack string `json:",omitempty"`
	// Ready is set in the line that is written once the clients are at work.
	Ready bool `json:",omitempty"`
	// Lives are the connections that were had, Answered messages that came for calls
	// without a token.
	Lives, Answered int64 `json:",omitempty"`
}

const (
	hostileVariable = "WALLETSCREEN_TEST_HOSTILE"
	hostileText     = "0x098B716B8Aaf21512996dC57EB0615e2383E2f96"
	idleConnections = "idle connections"
	busyProcessors  = "busy processors, no connection"
)

// hostileMain is a process of hostile clients, which goes on until its standard
// input ends.
func hostileMain(order string) error {
	var h hostile
	if err := json.Unmarshal([]byte(order), &h); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	f := &foes{addr: h.Addr}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all := f.attacks(h.Token)
	i := slices.IndexFunc(all, func(a attack) bool { return a.name == h.Attack })
	if i < 0 {
		return fmt.Errorf("no hostile client is called %q", h.Attack)
	}
	var wg sync.WaitGroup
	var lives atomic.Int64
	for range all[i].clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = all[i].once(ctx) // that the server ends it is what is expected
				lives.Add(1)
				pause(ctx, 5*time.Millisecond)
			}
		})
	}
	for h.Attack == idleConnections && f.idle.Load() < int64(all[i].clients) {
		pause(ctx, 5*time.Millisecond)
	}
	if err := out.Encode(hostile{Ready: true}); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	cancel()
	wg.Wait()
	return out.Encode(hostile{Lives: lives.Load(), Answered: f.answered.Load()})
}

// beHostile lets hostile clients at a server, from a process of their own that has
// what the others leave of the processor, as if they were elsewhere. end ends them.
func beHostile(t *testing.T, h hostile) (end func() hostile) {
	t.Helper()
	order, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{self, "-hostile.idle=" + strconv.Itoa(*hostileIdle)}
	if chrt, err := exec.LookPath("chrt"); err == nil && h.Attack != busyProcessors { // Linux has it
		args = append([]string{chrt, "--idle", "0"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), hostileVariable+"="+string(order))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	in := json.NewDecoder(stdout)
	next := func() (h hostile) {
		t.Helper()
		limit := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		defer limit.Stop()
		if err := in.Decode(&h); err != nil {
			t.Fatalf("hostile clients: %v", err)
		}
		return h
	}
	if !next().Ready {
		t.Fatal("the hostile clients are not ready")
	}
	return func() hostile {
		t.Helper()
		stdin.Close()
		return next()
	}
}

// TestHostileClients lets hostile clients of every kind at a server, with a good
// caller beside them who is to notice little. The figures are logged, as medians
// over rounds with and without the hostile clients in turn; what is asserted is that
// the good caller is answered rightly, that nobody is answered without a token, and
// that memory stays bounded.
func TestHostileClients(t *testing.T) {
	good, foeToken := access.NewToken(), access.NewToken()
	hash := func(token string) access.TokenHash {
		h, err := access.HashToken(token)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	callers := filepath.Join(t.TempDir(), "callers.yaml")
	text := fmt.Sprintf("callers:\n- {name: good, token_sha256: [{hash: %s}], permissions: [screen]}\n- {name: foe, token_sha256: [{hash: %s}], permissions: [screen]}\n", hash(good), hash(foeToken))
	if err := os.WriteFile(callers, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "--callers", callers, "--max-connections", "20000", "--max-pending", "64", "--send-timeout", "5s")

	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	goodClient := pb.NewScreeningServiceClient(conn)
	goodContext := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+good)
	var refused, calls int
	// measure is how long the good caller's calls take, at the pace of one who
	// screens 500 withdrawals a second.
	measure := func(t *testing.T, during time.Duration) (p50, p99 time.Duration) {
		t.Helper()
		var took []time.Duration
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(during); time.Now().Before(end); {
			<-tick.C
			ctx, cancel := context.WithTimeout(goodContext, 30*time.Second)
			begin := time.Now()
			res, err := goodClient.ScreenAddresses(ctx, &pb.ScreenAddressesRequest{Addresses: []string{hostileText}})
			took = append(took, time.Since(begin))
			cancel()
			calls++
			if info := infoOf(err); info != nil && info.Reason == "OVERLOADED" {
				refused++
				continue
			}
			if err != nil || len(res.Results) != 1 || res.Results[0].Verdict != pb.Verdict_VERDICT_LISTED {
				t.Fatalf("the good caller: %v, %v", res, err)
			}
		}
		slices.Sort(took)
		return took[len(took)/2], took[len(took)*99/100]
	}
	median := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[len(d)/2]
	}
	compare := func(t *testing.T, kind string) (lives, answered int64) {
		t.Helper()
		refused, calls = 0, 0
		var alone50, alone99, with50, with99 []time.Duration
		for range *hostileRounds {
			p50, p99 := measure(t, *hostileTime)
			alone50, alone99 = append(alone50, p50), append(alone99, p99)
			end := beHostile(t, hostile{Addr: s.addr, Token: foeToken, Attack: kind})
			p50, p99 = measure(t, *hostileTime)
			with50, with99 = append(with50, p50), append(with99, p99)
			told := end()
			lives, answered = lives+told.Lives, answered+told.Answered
		}
		a50, a99, w50, w99 := median(alone50), median(alone99), median(with50), median(with99)
		t.Logf("p50 %v alone, %v with them (%.2f); p99 %v, %v (%.2f); %d calls, %d of them refused; peak %d MiB; %d hostile connections",
			a50, w50, float64(w50)/float64(a50), a99, w99, float64(w99)/float64(a99), calls, refused, peakMemory(t, s.cmd.Process.Pid), lives)
		return lives, answered
	}
	// A first call opens the connection.
	measure(t, 10*time.Millisecond)
	for _, a := range (&foes{}).attacks("") {
		t.Run(a.name, func(t *testing.T) {
			lives, answered := compare(t, a.name)
			if lives == 0 {
				t.Error("no hostile client had a connection")
			}
			if answered > 0 {
				t.Errorf("%d messages came for calls without a token", answered)
			}
			if a.name == "half requests" && refused > 0 {
				t.Errorf("%d of %d calls of the good caller were refused for what another holds", refused, calls)
			}
		})
	}
	// With the hostile clients gone nobody is refused any more.
	eventually(t, "the good caller is answered without fail", func() bool {
		refused = 0
		measure(t, 100*time.Millisecond)
		return refused == 0
	})
	bound := 700 + *hostileIdle/10
	if underRace {
		bound *= 4
	}
	if peak := peakMemory(t, s.cmd.Process.Pid); peak > bound {
		t.Errorf("the server had %d MiB at its peak, want at most %d", peak, bound)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
