package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/phrase"
)

type historyCmd struct {
	Address string `arg:"" help:"Address whose listings to tell."`

	Format  string   `enum:"table,json" default:"table" help:"Format of the answer: ${enum}. json is the response of the service."`
	Network string   `placeholder:"CAIP-2" help:"Network that the address is meant for, for example eip155:1. It annotates; it never hides a listing."`
	ListIDs []string `name:"list-id" placeholder:"LIST" help:"Look in this list only; repeatable. None means all."`

	serverFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (historyCmd) Help() string {
	return `Tells every listing of one address, past and present, oldest first, with the publications that listed and delisted it. It gives no verdict: check does.

Exit codes: 0 the history is told; 12 it may not be complete, for the reason that is told; 1 failure; 2 usage.`
}

func (c *historyCmd) Run(ctx context.Context, s std) error {
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.GetAddressHistory(ctx, &pb.GetAddressHistoryRequest{Address: c.Address, ListIds: c.ListIDs, Network: c.Network})
	if err != nil {
		return explainCall(c.servers(), err)
	}
	out := bufio.NewWriter(s.out)
	if c.Format == "json" {
		err = writeJSON(out, res)
	} else {
		writeHistory(out, c.Address, res)
	}
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if c.Format != "json" {
		for _, n := range res.GetNotices() {
			fmt.Fprintf(s.err, "NOTE: %s\n", n.GetMessage())
		}
	}
	if res.GetReason() != pb.Reason_REASON_UNSPECIFIED {
		return exitCode(exitCannotScreen)
	}
	return nil
}

// writeHistory writes a line for each listing.
func writeHistory(w io.Writer, text string, res *pb.GetAddressHistoryResponse) {
	var remarks []string
	if reason := res.GetReason(); reason != pb.Reason_REASON_UNSPECIFIED {
		remarks = append(remarks, "may not be complete: "+lower(reason.String(), "REASON_"))
	}
	for _, warning := range res.GetWarnings() {
		remarks = append(remarks, "warning: "+lower(warning.String(), "WARNING_"))
	}
	listings := "no listings"
	if n := len(res.GetMatches()); n > 0 {
		listings = phrase.Count(n, "listing")
	}
	fmt.Fprintf(w, "%s: %s\n", printable(shown(text, res.GetReason())), strings.Join(append([]string{listings}, remarks...), "; "))
	if len(res.GetMatches()) > 0 {
		t := newTable(w)
		fmt.Fprintln(t, "LIST\tPARTY\tUID\tLISTED\tFIRST PUBLICATION\tDELISTED BY\tNOTE")
		for _, m := range res.GetMatches() {
			l := m.GetListing()
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.GetListId(), party(l), l.GetPartyUid(), since(l),
				publication(l.GetListed()), publication(l.GetDelisted()), note(new(pb.ScreenResult), m))
		}
		t.Flush()
	}
	ref := res.GetSnapshot()
	fmt.Fprintf(w, "by snapshot %d (%.12s), published %s\n", ref.GetSequence(), ref.GetDigest(), ref.GetCreatedAt().AsTime().Format(time.RFC3339))
}

// publication names a publication by its date and the beginning of its digest.
func publication(p *pb.PublicationRef) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s (%.12s)", p.GetPublishedOn(), p.GetSha256())
}
