package main_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/server/access"
	"walletscreen/screen/store/storetest"
	"walletscreen/screen/wire"
)

// The contract is walletscreen.proto, and its comments are part of it. The clauses
// hold it sentence by sentence, so that none can change before somebody looked at
// what it promises.

// A clause holds sentences of one element of the .proto against the program.
type clause struct {
	// element is whose comment it is: "Message", "Message.field", "Enum.VALUE",
	// "Service.Method", "Message.reserved", or "walletscreen.v1" for the package.
	element string
	// says are whole sentences of the comment, as they stand there, white space folded.
	says []string

	// One of these is set.

	// holds fails the test if the program does not do what the sentences say.
	holds func(t *testing.T, w *world)
	// elsewhere is the test that holds them, "screen/server.TestSlowWatcher", where the
	// program cannot be brought to it in a test's time.
	elsewhere string
	// meaning says why there is nothing to hold: a definition, or advice to clients.
	meaning string
}

// clauses are those of the whole contract.
func clauses() []clause { return slices.Concat(screeningClauses, verdictClauses, listClauses) }

// TestContract holds the program, in processes of its own, against each clause.
func TestContract(t *testing.T) {
	w := newWorld(t)
	for _, c := range clauses() {
		if c.holds == nil {
			continue
		}
		words := strings.Fields(c.says[0])
		t.Run(c.element+"/"+strings.Join(words[:min(6, len(words))], " "), func(t *testing.T) {
			t.Parallel()
			c.holds(t, w)
		})
	}
}

// TestContractIsWhole compares the clauses with the .proto: every sentence of it is in
// one clause, and every clause is of sentences that stand there.
func TestContractIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../proto/walletscreen/v1/walletscreen.proto")
	if err != nil {
		t.Fatal(err)
	}
	elements, err := readComments(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, gap := range compareClauses(elements, clauses(), testStands) {
		t.Error(gap)
	}
}

// An element is a part of the .proto with its comment.
type element struct {
	name      string
	sentences []string
}

// compareClauses says what clauses lack of elements, or have too much.
func compareClauses(elements []element, clauses []clause, stands func(test string) error) (gaps []string) {
	gap := func(format string, args ...any) { gaps = append(gaps, fmt.Sprintf(format, args...)) }
	type sentence struct{ element, text string }
	held := map[sentence]int{}
	for _, c := range clauses {
		ways := 0
		for _, way := range []bool{c.holds != nil, c.elsewhere != "", c.meaning != ""} {
			if way {
				ways++
			}
		}
		if ways != 1 || len(c.says) == 0 {
			gap("%s: a clause of %d sentences, with %d of holds, elsewhere and meaning, want one: %q", c.element, len(c.says), ways, c.says)
		}
		if c.elsewhere != "" {
			if err := stands(c.elsewhere); err != nil {
				gap("%s: held by %s: %v", c.element, c.elsewhere, err)
			}
		}
		for _, s := range c.says {
			held[sentence{c.element, s}]++
		}
	}
	for _, e := range elements {
		for _, s := range e.sentences {
			of := sentence{e.name, s}
			switch held[of] {
			case 0:
				gap("%s: no clause has the sentence %q", e.name, s)
			case 1:
			default:
				gap("%s: %d clauses have the sentence %q", e.name, held[of], s)
			}
			delete(held, of)
		}
	}
	for s := range held {
		gap("%s: a clause has a sentence that does not stand there: %q", s.element, s.text)
	}
	slices.Sort(gaps)
	return gaps
}

// testStands says whether a test is there, "screen/server.TestSlowWatcher".
func testStands(test string) error {
	dir, name, _ := strings.Cut(test, ".")
	files, err := filepath.Glob(filepath.Join("..", "..", dir, "*_test.go"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "\nfunc "+name+"(t *testing.T) {") {
			return nil
		}
	}
	return fmt.Errorf("%s has no such test", dir)
}

var (
	protoBlock    = regexp.MustCompile(`^(service|message|enum) (\w+) \{(\})?$`)
	protoMethod   = regexp.MustCompile(`^rpc (\w+)\(.*\) returns \(.*\);$`)
	protoField    = regexp.MustCompile(`^(?:repeated )?[\w.]+ (\w+) = \d+(?: \[.*\])?;$`)
	protoValue    = regexp.MustCompile(`^(\w+) = \d+(?: \[.*\])?;$`)
	protoReserved = regexp.MustCompile(`^reserved .*;$`)
	protoOther    = regexp.MustCompile(`^(syntax = .*|import .*|option .*);$`)
)

// readComments returns every element of a .proto, as buf formats it, with the
// sentences of its comments. A comment that belongs to none is an error.
func readComments(text string) ([]element, error) {
	var elements []element
	var comment []string
	block := ""
	add := func(name string) {
		if i := slices.IndexFunc(elements, func(e element) bool { return e.name == name }); i >= 0 {
			elements[i].sentences = append(elements[i].sentences, sentences(comment)...)
		} else {
			elements = append(elements, element{name, sentences(comment)})
		}
		comment = nil
	}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if after, ok := strings.CutPrefix(line, "//"); ok {
			comment = append(comment, after)
			continue
		}
		if declared, trailing, ok := strings.Cut(line, "; //"); ok {
			line = declared + ";"
			comment = append(comment, "", trailing)
		}
		switch m := []string(nil); {
		case line == "" || protoOther.MatchString(line):
			if comment != nil {
				return nil, fmt.Errorf("line %d: the comment before it belongs to nothing", number)
			}
		case line == "}" && block != "" && comment == nil:
			block = ""
		case strings.HasPrefix(line, "package ") && block == "":
			add(strings.TrimSuffix(strings.TrimPrefix(line, "package "), ";"))
		case match(protoBlock, line, &m) && block == "":
			add(m[2])
			if m[3] == "" {
				block = m[2]
			}
		case match(protoReserved, line, &m) && block != "":
			add(block + ".reserved")
		case match(protoMethod, line, &m) && block != "", match(protoField, line, &m) && block != "", match(protoValue, line, &m) && block != "":
			add(block + "." + m[1])
		default:
			return nil, fmt.Errorf("line %d is of no form that is known: %q", number, line)
		}
	}
	return elements, nil
}

func match(re *regexp.Regexp, text string, m *[]string) bool {
	*m = re.FindStringSubmatch(text)
	return *m != nil
}

// sentences cuts a comment: at ends of sentences, of paragraphs and of bullets. A
// block that is set in is one.
func sentences(lines []string) []string {
	var all []string
	var paragraph []string // words
	indented := false
	end := func() {
		begin := 0
		for i, word := range paragraph {
			last := i == len(paragraph)-1
			if last || !indented && endsSentence(word) {
				all = append(all, strings.Join(paragraph[begin:i+1], " "))
				begin = i + 1
			}
		}
		paragraph, indented = nil, false
	}
	bullet := false
	for _, line := range lines {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
			end()
			bullet = false
			continue
		case strings.HasPrefix(line, "  - "):
			end()
			bullet = true
			words = words[1:]
		case strings.HasPrefix(line, "   ") && !bullet:
			if !indented {
				end()
			}
			indented = true
		case !strings.HasPrefix(line, "   ") && (indented || bullet):
			end()
			bullet = false
		}
		paragraph = append(paragraph, words...)
	}
	end()
	return all
}

// endsSentence reports whether a sentence ends with a word.
func endsSentence(word string) bool {
	bare := strings.Trim(word, `"'()`)
	return strings.ContainsAny(bare[max(0, len(bare)-1):], ".?!") && !slices.Contains([]string{"e.g.", "i.e.", "cf.", "a.k.a.", "f.k.a."}, bare)
}

// TestSentences cuts comments, and finds what is wrong with clauses: a check that
// cannot fail shows nothing.
func TestSentences(t *testing.T) {
	got, err := readComments(`syntax = "proto3";

// Package p is one. Is it? "" means (see e.g. below.) nothing:
//
//  - First of
//    two lines. And more.
//  - Second.
// After.
//
//   set in
//   as one. Text
//
// end is lower case.
package p;

import "other.proto";

// M is a message.
message M {
  // a is a field
  // of two lines.
  repeated google.protobuf.Duration a = 1 [deprecated = true]; // Trailing one.
  reserved 5 to 15; // kept
}

message Empty {}

enum E {
  // E_ZERO is never sent.
  E_ZERO = 0;
}

service S {
  // Do does.
  rpc Do(stream M) returns (stream M);
}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []element{
		{"p", []string{"Package p is one.", "Is it?", `"" means (see e.g. below.)`, "nothing:", "First of two lines.", "And more.", "Second.", "After.", "set in as one. Text", "end is lower case."}},
		{"M", []string{"M is a message."}},
		{"M.a", []string{"a is a field of two lines.", "Trailing one."}},
		{"M.reserved", []string{"kept"}},
		{"Empty", nil},
		{"E", nil},
		{"E.E_ZERO", []string{"E_ZERO is never sent."}},
		{"S", nil},
		{"S.Do", []string{"Do does."}},
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	for _, text := range []string{"// A comment of nothing.\n\npackage p;\n", "message M {\n  // One of nothing.\n}\n", "message M {\n  oneof x {\n", "int32 a = 1;\n"} {
		if got, err := readComments(text); err == nil {
			t.Errorf("%q is read as %q", text, got)
		}
	}

	of := []element{{"M", []string{"One.", "Two."}}}
	holds := func(*testing.T, *world) {}
	stands := func(test string) error {
		if test != "a.TestThere" {
			return errors.New("no such test")
		}
		return nil
	}
	for _, test := range []struct {
		name    string
		clauses []clause
		want    string // "" for nothing
	}{
		{"whole", []clause{{element: "M", says: []string{"One."}, holds: holds}, {element: "M", says: []string{"Two."}, elsewhere: "a.TestThere"}}, ""},
		{"a sentence missing", []clause{{element: "M", says: []string{"One."}, meaning: "a definition"}}, `no clause has the sentence "Two."`},
		{"a sentence changed", []clause{{element: "M", says: []string{"One.", "Two!", "Two."}, meaning: "a definition"}}, `does not stand there: "Two!"`},
		{"of another element", []clause{{element: "M", says: []string{"One.", "Two."}, meaning: "a definition"}, {element: "N", says: []string{"One."}, meaning: "a definition"}}, `N: a clause has a sentence that does not stand there`},
		{"twice", []clause{{element: "M", says: []string{"One.", "Two."}, holds: holds}, {element: "M", says: []string{"One."}, holds: holds}}, `2 clauses have the sentence "One."`},
		{"no way", []clause{{element: "M", says: []string{"One.", "Two."}}}, "0 of holds"},
		{"two ways", []clause{{element: "M", says: []string{"One.", "Two."}, holds: holds, meaning: "a definition"}}, "2 of holds"},
		{"no such test", []clause{{element: "M", says: []string{"One.", "Two."}, elsewhere: "a.TestGone"}}, "no such test"},
	} {
		gaps := compareClauses(of, test.clauses, stands)
		if test.want == "" && len(gaps) > 0 || test.want != "" && (len(gaps) != 1 || !strings.Contains(gaps[0], test.want)) {
			t.Errorf("%s: %q, want %q", test.name, gaps, test.want)
		}
	}
	if err := testStands("cmd/walletscreen.TestSentences"); err != nil {
		t.Error(err)
	}
	if testStands("cmd/walletscreen.TestSentence") == nil {
		t.Error("a test is there that is not")
	}
}

// An answering server is one that runs as long as TestContract.
type answering struct {
	*serving
	stubs
}

// standUp connects to a server, by stubs that neither try again nor split, and send
// whatever bytes an address has.
func standUp(t testing.TB, s *serving, opts ...grpc.DialOption) *answering {
	t.Helper()
	conn, err := grpc.NewClient(s.addr, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20), grpc.ForceCodecV2(wire.Codec{})))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &answering{s, stubs{conn, pb.NewScreeningServiceClient(conn), pb.NewListServiceClient(conn)}}
}

// A world is the servers that the clauses share. None changes what they serve; a
// clause that must starts its own. It is safe for use by many goroutines.
type world struct {
	t testing.TB // TestContract, which the servers last as long as

	// builtin serves without flags: the builtin list, and nothing else.
	builtin func() *answering
	// redis holds what loaded serves: see loadEditions.
	redis func() *storetest.Server
	// loaded serves from redis.
	loaded func() *answering
	// stale serves from redis, too, with a limit on age that every list has passed.
	stale func() *answering
	// held serves two snapshots of other lists, of which one is held: see loadHeld.
	held func() *answering
	// empty serves from a Redis that holds nothing.
	empty func() *answering
	// answers are many answers of every kind that these servers give, not to be changed.
	answers func() []proto.Message
	// guarded serves the builtin list to the callers of guardedCallers only.
	guarded func() *guarded
	// published serves small publications of every kind of list: see openPublished.
	published func() *published
	// chronicle is a signed installation with a past.
	chronicle func() *chronicle
}

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	w.builtin = sync.OnceValue(func() *answering { return standUp(t, serve(t)) })
	w.redis = sync.OnceValue(func() *storetest.Server {
		r := storetest.Redis(t)
		loadEditions(t, "redis://"+r.Addr)
		return r
	})
	w.loaded = sync.OnceValue(func() *answering { return standUp(t, serve(t, "--redis", "redis://"+w.redis().Addr)) })
	w.stale = sync.OnceValue(func() *answering {
		return standUp(t, serve(t, "--redis", "redis://"+w.redis().Addr, "--max-list-age", "1ms"))
	})
	w.held = sync.OnceValue(func() *answering {
		r := storetest.Redis(t)
		loadHeld(t, "redis://"+r.Addr)
		return standUp(t, serve(t, "--redis", "redis://"+r.Addr))
	})
	w.empty = sync.OnceValue(func() *answering { return standUp(t, serve(t, "--redis", "redis://"+storetest.Redis(t).Addr)) })
	w.answers = sync.OnceValue(func() []proto.Message { return manyAnswers(t, w) })
	w.guarded = sync.OnceValue(func() *guarded { return newGuarded(t) })
	w.published = sync.OnceValue(func() *published { return openPublished(t) })
	w.chronicle = sync.OnceValue(func() *chronicle { return newChronicle(t) })
	return w
}

// Addresses on the operator's lists of loaded, house and desk.
const (
	standingAddress   = "0xa000000000000000000000000000000000000001" // in every publication of house, and on desk
	leavingAddress    = "0xa000000000000000000000000000000000000002" // delisted by the second publication of house
	returningAddress  = "0xa000000000000000000000000000000000000003" // not in the second, in the third again
	arrivingAddress   = "0xa000000000000000000000000000000000000004" // from the third on
	advisedAddress    = "0xa000000000000000000000000000000000000005" // kind advisory
	designatedAddress = "0xa000000000000000000000000000000000000006" // kind designation
	seizedAddress     = "0xa000000000000000000000000000000000000007" // kind seizure-order
	boundedAddress    = "0xa000000000000000000000000000000000000008" // listed 2024-01-01, delisted 2024-07-01
	comingAddress     = "0xa000000000000000000000000000000000000009" // listed from 2099-01-01 on
	deskAddress       = "0xa00000000000000000000000000000000000000a" // on desk alone
	unlistedAddress   = "0xa0000000000000000000000000000000000000ff" // nowhere
	taggedAddress     = "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"         // with the tag 12345
	bitcoinAddress    = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"         // in every publication of house
	unreadableText    = "wallet of Jane Example at example.org"      // is no address
)

// The days of the publications that loaded has, in the order of its snapshots: each is
// made by the next of houseDays, sdnDay, houseDays, deskDay, houseDays.
var (
	houseDays = []string{"2025-01-10", "2025-03-01", "2025-05-01"}
	sdnDay    = "2025-02-07" // of loader/ofac/testdata/advanced.xml: invented parties, on us-ofac-sdn
	deskDay   = "2025-04-01"
)

// lastSnapshot is the number of the snapshot that loaded serves.
const lastSnapshot = 5

const ownHeader = "address,symbol,party,party_id,party_type,programs,kind,listed_on,delisted_on,tag,url\n"

// housePublication is a publication of house, from 0.
func housePublication(i int) string {
	name := "Standing Trading"
	if i == 2 {
		name = "Standing Trading Ltd"
	}
	text := ownHeader +
		standingAddress + ",ETH," + name + ",h-1,entity,HOUSE1;HOUSE2,,,,,https://example.org/standing\n" +
		bitcoinAddress + ",XBT," + name + ",h-1,entity,HOUSE1;HOUSE2,,,,,https://example.org/standing\n" +
		advisedAddress + ",ETH,Advised,h-5,individual,,advisory,,,,\n" +
		designatedAddress + ",ETH,Designated,h-6,vessel,,designation,,,,\n" +
		seizedAddress + ",ETH,Seized,h-7,aircraft,,seizure-order,,,,\n" +
		boundedAddress + ",ETH,Bounded,h-8,,,internal,2024-01-01,2024-07-01,,\n" +
		comingAddress + ",ETH,Coming,h-9,,,,2099-01-01,,,\n" +
		taggedAddress + ",XRP,Tagged,h-10,,,,,,12345,\n" +
		unreadableText + ",,Jane Example,h-11,,,,,,,\n"
	if i == 0 {
		text += leavingAddress + ",ETH,Leaving,h-2,,,,,,,\n"
	}
	if i != 1 {
		text += returningAddress + ",ETH,Returning,h-3,,,,,,,\n"
	}
	if i == 2 {
		text += arrivingAddress + ",ETH,Arriving,h-4,,,,,,,\n"
	}
	return text
}

const deskPublication = ownHeader +
	standingAddress + ",ETH,Standing,d-1,,DESK,,,,,\n" +
	deskAddress + ",ETH,Desk,d-2,,DESK,,,,,\n"

// loadEditions loads what world.loaded serves, one snapshot after the other, with the
// program.
func loadEditions(t testing.TB, url string) {
	t.Helper()
	house := func(i int) string { return "house@" + houseDays[i] + "=" + csvFile(t, housePublication(i)) }
	for i, source := range []string{
		house(0), "us-ofac-sdn=../../loader/ofac/testdata/advanced.xml", house(1), "desk@" + deskDay + "=" + csvFile(t, deskPublication), house(2),
	} {
		publish(t, url, source)
		if i+1 > lastSnapshot {
			t.Fatalf("snapshot %d is more than the clauses know of", i+1)
		}
	}
}

// csvFile is a new file with a publication of an operator's own list.
func csvFile(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "list.csv")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Addresses on the list mixed of world.held.
const (
	bothAddress      = "0xb000000000000000000000000000000000000001" // in one row advisory, in another internal
	attributedText   = "0xbabeFACEBABEfacebabefacebabefacebabefa02" // advisory, in a letter case that is no checksum
	datedAddress     = "0xb000000000000000000000000000000000000003" // listed on 2025-06-01, in a publication of 2025-01-10
	heldAddress      = "0xb000000000000000000000000000000000000004" // listed, and delisted by the publication that is held
	misprintedText   = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb"         // a checksum that fails, on no list
	ambiguousAddress = "98793cd91a3f870fb126f66285808c7e094afcfc4eda8a970f6648cdf0dbd6de"
)

// loadHeld loads what world.held serves: mixed as snapshot 1, desk as snapshot 2, and
// of mixed a publication without most of its rows, which a guard holds.
func loadHeld(t testing.TB, url string) {
	t.Helper()
	rows := bothAddress + ",ETH,Both,m-1,,,advisory,,,,\n" +
		bothAddress + ",ETH,Both,m-2,,,internal,,,,\n" +
		attributedText + ",ETH,Attributed,m-3,,,advisory,,,,\n" +
		datedAddress + ",ETH,Dated,m-4,,,,2025-06-01,,,\n"
	publish(t, url, "mixed@2025-01-10="+csvFile(t, ownHeader+rows+heldAddress+",ETH,Held,m-5,,,,,,,\n"))
	publish(t, url, "desk@"+deskDay+"="+csvFile(t, deskPublication))
	const held = 3
	if out := runProgram(t, "", "load", "--redis", url, "--source", "mixed@2025-05-01="+csvFile(t, ownHeader+attributedText+",ETH,Attributed,m-3,,,advisory,,,,\n")); out.code != held {
		t.Fatalf("a publication without most rows: %+v, want that it is held", out)
	}
}

// publish loads a publication with the program, whatever a guard finds.
func publish(t testing.TB, url, source string, args ...string) {
	t.Helper()
	if out := runProgram(t, "", append([]string{"load", "--redis", url, "--release", "--source", source}, args...)...); out.code != 0 {
		t.Fatalf("loading %s: %+v", source, out)
	}
}

// guardedCallers are who may call world.guarded, with what they may do.
var guardedCallers = map[string]string{
	"screener": "permissions: [screen]",
	"reader":   "permissions: [lists]",
	"exporter": "permissions: [export]",
	"admin":    "permissions: [admin]",
	"greedy":   "permissions: [screen, lists], quota: {addresses_per_second: 0.01, burst: 20}",
	"brisk":    "permissions: [screen], quota: {addresses_per_second: 2.5, burst: 3}",
}

// guarded is a server that knows its callers.
type guarded struct {
	*serving
	t      testing.TB
	tokens map[string]string
	file   string // of its callers
	mu     sync.Mutex
	stand  map[string]*answering
}

func newGuarded(t testing.TB) *guarded {
	t.Helper()
	g := &guarded{t: t, tokens: map[string]string{}, stand: map[string]*answering{}}
	text := "callers:\n"
	for name, rights := range guardedCallers {
		token := access.NewToken()
		hash, err := access.HashToken(token)
		if err != nil {
			t.Fatal(err)
		}
		g.tokens[name] = token
		text += fmt.Sprintf("- {name: %s, token_sha256: [{hash: %s}], %s}\n", name, hash, rights)
	}
	g.file = filepath.Join(t.TempDir(), "callers.yaml")
	if err := os.WriteFile(g.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.serving = serve(t, "--callers", g.file)
	return g
}

// as is the server as one of guardedCallers calls it; "" is nobody, any other name one
// that has a token that the server does not know.
func (g *guarded) as(name string) *answering {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stand[name] == nil {
		var opts []grpc.DialOption
		if token := g.tokens[name]; token != "" {
			opts = append(opts, grpc.WithPerRPCCredentials(bearer(token)))
		} else if name != "" {
			opts = append(opts, grpc.WithPerRPCCredentials(bearer(access.NewToken())))
		}
		g.stand[name] = standUp(g.t, g.serving, opts...)
	}
	return g.stand[name]
}

// screen screens, and fails the test if the call does.
func (s *answering) screen(t testing.TB, req *pb.ScreenAddressesRequest) *pb.ScreenAddressesResponse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	res, err := s.ScreenAddresses(ctx, req)
	if err != nil {
		t.Fatalf("%v: %v", req, err)
	}
	if len(res.Results) != len(req.Addresses) {
		t.Fatalf("%d results for %d addresses", len(res.Results), len(req.Addresses))
	}
	return res
}

// one screens one address with all that req asks beside.
func (s *answering) one(t testing.TB, address string, req *pb.ScreenAddressesRequest) *pb.ScreenResult {
	t.Helper()
	if req == nil {
		req = &pb.ScreenAddressesRequest{}
	}
	req.Addresses = []string{address}
	return s.screen(t, req).Results[0]
}

// wantRefused wants an error with that code and reason, without the prefix of
// ErrorReason, and a RetryInfo if trying again can help.
func wantRefused(t testing.TB, err error, code codes.Code, reason string, retry bool) *errdetails.ErrorInfo {
	t.Helper()
	info := infoOf(err)
	if status.Code(err) != code || info.GetReason() != reason || info.GetDomain() != "walletscreen" {
		t.Errorf("got %v with %v, want %s with %s of walletscreen", err, info, code, reason)
	}
	if _, known := pb.ErrorReason_value["ERROR_REASON_"+reason]; !known {
		t.Errorf("%s is no ErrorReason", reason)
	}
	if (retryOf(err) > 0) != retry {
		t.Errorf("%s: wait %s before trying again, want some time: %t", reason, retryOf(err), retry)
	}
	return info
}

// retryOf is how long an error says to wait before trying again, 0 if it does not.
func retryOf(err error) time.Duration {
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
