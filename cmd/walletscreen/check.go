package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"walletscreen/loader"
	"walletscreen/loader/fetch"
	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen"
	"walletscreen/screen/client"
	"walletscreen/screen/server"
	"walletscreen/screen/store"
)

// Exit codes of check: the worst verdict decides.
const (
	exitListed       = 10 // something LISTED
	exitRelated      = 11 // ADVISORY or RELATED at worst
	exitCannotScreen = 12 // something CANNOT_SCREEN, and nothing worse
)

type serverFlags struct {
	connectFlags `embed:""`

	Timeout time.Duration `default:"30s" help:"How long one request may take, its repeats on other servers included."`
}

// connect makes a client of the servers.
func (f *serverFlags) connect() (*client.Client, error) { return f.client(f.Timeout) }

type checkCmd struct {
	Addresses []string `arg:"" optional:"" name:"address" help:"Addresses to screen. A single - reads them from standard input, one a line, as they stand there."`

	Snapshot string `type:"existingfile" xor:"against" placeholder:"FILE" help:"Screen in this process against a snapshot file, and ask no server. With --verify-key its signature, in FILE.sig, is verified."`
	List     string `type:"existingfile" xor:"against" placeholder:"FILE.csv" help:"Screen in this process against an operator's own list, and ask no server."`

	Format string `enum:"table,json,csv" default:"table" help:"Format of the answer: ${enum}. json is the response of the service."`
	File   string `type:"existingfile" placeholder:"IN.csv" help:"Screen a column of a CSV file with a header row. Blank lines are left out; what may be a private key is not copied."`
	Column string `placeholder:"NAME" help:"With --file: the column that holds the addresses."`
	Out    string `placeholder:"OUT.csv" help:"With --file: write the rows with the answers beside them to this file, which only its owner may read."`

	Network    string        `placeholder:"CAIP-2" help:"Network that the addresses are meant for, for example eip155:1. It annotates; it never hides a match."`
	ListIDs    []string      `name:"list-id" placeholder:"LIST" help:"Screen against this list only; repeatable. None means all."`
	AsOf       string        `placeholder:"DATE" help:"What was listed on that day, for example 2025-03-20."`
	MaxListAge time.Duration `name:"within" placeholder:"DURATION" help:"Accept no list that was compared with its publisher longer ago than this."`

	Namespace string `default:"default" help:"With --snapshot and --verify-key: the installation that the snapshot must be signed for."`

	verifyFlags `embed:""`
	serverFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (checkCmd) Help() string {
	return `Exit codes: 0 nothing listed; 10 something LISTED; 11 ADVISORY or RELATED at worst; 12 something CANNOT_SCREEN and nothing worse; 1 failure; 2 usage.

Not listed means not on the lists that the answer names, as of their dates. Publishers say themselves that their lists of addresses are not exhaustive.`
}

func (c *checkCmd) Run(ctx context.Context, s std, line *kong.Context) error {
	if err := c.validate(typed(line)); err != nil {
		return err
	}
	screener, done, err := c.screener(ctx)
	if err != nil {
		return err
	}
	defer done()
	if c.File != "" {
		return c.checkFile(ctx, screener, s)
	}
	addresses := c.Addresses
	if len(addresses) == 1 && addresses[0] == "-" {
		if addresses, err = readLines(s.in); err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
	}
	if len(addresses) == 0 {
		return usagef("no addresses")
	}
	req := c.request()
	req.Addresses = addresses
	res, err := client.ScreenAll(ctx, screener, req)
	if err != nil {
		return c.explain(err)
	}
	out := bufio.NewWriter(s.out)
	switch c.Format {
	case "json":
		err = writeJSON(out, res)
	case "csv":
		err = writeCSV(out, addresses, res)
	default:
		writeTable(out, addresses, res)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if c.Format != "json" {
		writeNotices(s.err, res)
	}
	var worst worst
	worst.add(res.Results)
	return worst.exit()
}

// validate refuses flags that contradict each other. Of those that only matter with
// others only typed ones are refused: check may share the file and the environment of
// a server.
func (c *checkCmd) validate(typed map[string]bool) error {
	for _, name := range []string{"verify-key", "namespace"} {
		if c.Snapshot == "" && typed[name] {
			return usagef("--%s belongs to --snapshot: a server verifies what it serves by a --verify-key of its own", name)
		}
	}
	for _, name := range []string{"server", "tls", "tls-ca", "tls-client-cert", "tls-client-key", "tls-server-name", "token-file", "timeout"} {
		if c.Snapshot+c.List != "" && typed[name] {
			return usagef("--%s is for a server, and with --snapshot or --list none is asked", name)
		}
	}
	switch {
	case c.File != "" && len(c.Addresses) > 0:
		return usagef("addresses and --file exclude each other")
	case c.File != "" && (c.Column == "" || c.Out == ""):
		return usagef("--file wants --column and --out too")
	case c.File == "" && (c.Column != "" || c.Out != ""):
		return usagef("--column and --out belong to --file")
	case c.File != "" && c.Format != "table" && c.Format != "csv":
		return usagef("--file writes CSV, not %s", c.Format)
	case c.MaxListAge < 0:
		return usagef("--within wants a positive duration")
	}
	return nil
}

// request is the part of every request that the flags say.
func (c *checkCmd) request() *pb.ScreenAddressesRequest {
	req := &pb.ScreenAddressesRequest{Network: c.Network, ListIds: c.ListIDs, AsOf: c.AsOf}
	if c.MaxListAge > 0 {
		req.MaxListAge = durationpb.New(c.MaxListAge)
	}
	return req
}

// screener is a server, or the same code in this process.
func (c *checkCmd) screener(ctx context.Context) (client.Screener, func(), error) {
	var state server.State
	switch {
	case c.Snapshot != "":
		trusted, err := c.keys()
		if err != nil {
			return nil, nil, err
		}
		if state.Snapshot, state.Signed, err = store.ReadFile(c.Snapshot, c.Namespace, trusted); err != nil {
			return nil, nil, err
		}
	case c.List != "":
		doc, err := loader.Read(ctx, loader.Source{List: "own-list", Documents: []string{c.List}}, &fetch.Fetcher{UserAgent: "walletscreen"})
		if err != nil {
			return nil, nil, err
		}
		if state.Snapshot, _, err = screen.Empty().Merge(doc.List, doc.Publication); err != nil {
			return nil, nil, err
		}
	default:
		cl, err := c.connect()
		if err != nil {
			return nil, nil, err
		}
		return cl, func() { cl.Close() }, nil
	}
	srv := server.New(server.Config{Version: version()})
	if err := srv.Swap(state); err != nil {
		return nil, nil, err
	}
	return srv, func() {}, nil
}

// explain adds what a person can do about an error of a call.
func (c *checkCmd) explain(err error) error {
	if c.Snapshot == "" && c.List == "" {
		return explainCall(c.servers(), err)
	}
	return errors.New(status.Convert(err).Message())
}

// readLines reads one address a line, as given: only the line end goes.
func readLines(r io.Reader) ([]string, error) {
	var lines []string
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			line = strings.TrimSuffix(line, "\n")
			lines = append(lines, strings.TrimSuffix(line, "\r"))
		}
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// worst keeps which verdicts were given.
type worst struct{ listed, related, cannotScreen, other bool }

func (w *worst) add(results []*pb.ScreenResult) {
	for _, r := range results {
		switch r.GetVerdict() {
		case pb.Verdict_VERDICT_NOT_LISTED:
		case pb.Verdict_VERDICT_LISTED:
			w.listed = true
		case pb.Verdict_VERDICT_ADVISORY, pb.Verdict_VERDICT_RELATED:
			w.related = true
		case pb.Verdict_VERDICT_CANNOT_SCREEN:
			w.cannotScreen = true
		default:
			// What a newer server says and this program does not know is no
			// "not listed".
			w.other = true
		}
	}
}

func (w *worst) exit() error {
	switch {
	case w.listed:
		return exitCode(exitListed)
	case w.related:
		return exitCode(exitRelated)
	case w.cannotScreen || w.other:
		return exitCode(exitCannotScreen)
	default:
		return nil
	}
}
