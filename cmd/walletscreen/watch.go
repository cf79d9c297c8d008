package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/client"
)

type watchCmd struct {
	From       sequence `placeholder:"SNAPSHOT" help:"Number of the last snapshot whose changes are known: tell what changed since, then what changes. 0 tells only what changes from now on."`
	FromDigest string   `placeholder:"SHA256" help:"Digest of the snapshot that --from names, to be told when another has its number."`
	ListIDs    []string `name:"list-id" placeholder:"LIST" help:"Follow this list only; repeatable. None means all."`
	Once       bool     `help:"Tell what changed since --from and exit; with 1 if no server tells it."`
	Format     string   `enum:"table,json" default:"table" help:"Format: ${enum}. json is a message of the service for each snapshot, each on a line of its own, all changes of the snapshot in it."`

	connectFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (watchCmd) Help() string {
	return `Follows the lists until it is interrupted: + was listed, - was delisted, ~ is listed, and something else is said of it. When the server goes away it tries again, with growing pauses, and goes on where it was; with --once it does not.

Every snapshot is told once, with its number and digest, also when it changes nothing in the lists followed. The last ones written are what to go on from with --from and --from-digest.

Exit codes: 0 interrupted, or --once and all is told; 1 failure: the server does not hold the snapshot to go on from any more, or --once and no server tells; 2 usage.`
}

// errTold ends a watch that is to tell once.
var errTold = errors.New("all is told")

// untoldError is why nothing was told that was to be told once.
type untoldError struct{ err error }

func (e *untoldError) Error() string { return e.err.Error() }

func (c *watchCmd) Run(ctx context.Context, s std) error {
	if c.FromDigest != "" && c.From == 0 {
		return usagef("--from-digest is the digest of the snapshot that --from names, and there is no --from")
	}
	cl, err := c.client(client.DefaultTimeout)
	if err != nil {
		return err
	}
	defer cl.Close()
	first, written := true, error(nil)
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	req := &pb.WatchChangesRequest{FromSnapshot: uint64(c.From), FromDigest: c.FromDigest, ListIds: c.ListIDs}
	err = cl.Follow(ctx, req, func(res *pb.WatchChangesResponse) error {
		out := bufio.NewWriter(s.out)
		if c.Format == "json" {
			written = writeLine(out, res)
		} else {
			writeChanges(out, res, first)
		}
		first = false
		if written = errors.Join(written, out.Flush()); written != nil {
			return written
		}
		if c.Once {
			return errTold
		}
		return nil
	}, func(err error, pause time.Duration) {
		if c.Once { // whoever asks once waits for an answer
			giveUp(&untoldError{err})
			return
		}
		fmt.Fprintf(s.err, "walletscreen watch: %v; trying again in %s\n", explainCall(c.servers(), err), pause.Round(100*time.Millisecond))
	})
	var untold *untoldError
	switch {
	case written != nil:
		return fmt.Errorf("writing the changes: %w", written)
	case errors.As(context.Cause(ctx), &untold):
		return explainCall(c.servers(), untold.err)
	case errors.Is(err, errTold) || ctx.Err() != nil:
		return nil
	case status.Code(err) == codes.OutOfRange:
		return fmt.Errorf("%w\nfetch the whole state with: walletscreen snapshot export --from-server --server %s --out FILE\nand go on with --from and the number that it prints", explainCall(c.servers(), err), strings.Join(c.Server, ","))
	default:
		return explainCall(c.servers(), err)
	}
}

// writeLine writes a message on one line.
func writeLine(w io.Writer, res *pb.WatchChangesResponse) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(res)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// writeChanges writes what one snapshot changed; first is the first message.
func writeChanges(w io.Writer, res *pb.WatchChangesResponse, first bool) {
	var counts [4]int
	for _, c := range res.GetChanges() {
		if t := int(c.GetType()); t < len(counts) {
			counts[t]++
		}
	}
	ref := res.GetSnapshot()
	fmt.Fprintf(w, "snapshot %d, digest %s, published %s: ", ref.GetSequence(), ref.GetDigest(), ref.GetCreatedAt().AsTime().Format(time.RFC3339))
	switch {
	case len(res.GetChanges()) > 0:
		fmt.Fprintf(w, "%d listed, %d delisted, %d amended\n", counts[pb.ListingChangeType_LISTING_CHANGE_TYPE_LISTED],
			counts[pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED], counts[pb.ListingChangeType_LISTING_CHANGE_TYPE_AMENDED])
	case first:
		fmt.Fprintln(w, "following from here")
	default:
		fmt.Fprintln(w, "nothing changed")
	}
	t := newTable(w)
	for _, c := range res.GetChanges() {
		l := c.GetListing()
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", changeSign(c.GetType()), l.GetListId(), printable(l.GetAddress()), printable(l.GetSymbol()), party(l), l.GetPartyUid(), since(l))
	}
	t.Flush()
}

func changeSign(t pb.ListingChangeType) string {
	switch t {
	case pb.ListingChangeType_LISTING_CHANGE_TYPE_LISTED:
		return "+"
	case pb.ListingChangeType_LISTING_CHANGE_TYPE_DELISTED:
		return "-"
	case pb.ListingChangeType_LISTING_CHANGE_TYPE_AMENDED:
		return "~"
	default:
		return "?" // of a newer server
	}
}
