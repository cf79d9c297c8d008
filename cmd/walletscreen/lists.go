package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/phrase"
)

type listsCmd struct {
	Format string `enum:"table,json" default:"table" help:"Format of the answer: ${enum}. json is the response of the service."`
	Known  bool   `help:"Tell instead which lists this program knows how to load, and which it knows of and cannot: where they come from, how often they are asked for, under which license. No server is asked."`

	serverFlags `embed:""`
}

func (c *listsCmd) Run(ctx context.Context, s std) error {
	if c.Known {
		if c.Format == "json" {
			return writeKnownJSON(s.out)
		}
		writeKnown(s.out)
		return nil
	}
	cl, err := c.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.GetSnapshot(ctx)
	if err != nil {
		return explainCall(c.servers(), err)
	}
	if c.Format == "json" {
		return writeJSON(s.out, res)
	}
	writeLists(s.out, res)
	return nil
}

// writeLists writes what is loaded and how old it is.
func writeLists(w io.Writer, res *pb.GetSnapshotResponse) {
	ref := res.GetSnapshot()
	fmt.Fprintf(w, "snapshot %d, digest %s, published %s", ref.GetSequence(), ref.GetDigest(), ref.GetCreatedAt().AsTime().Format(time.RFC3339))
	if id := res.GetSignatureKeyId(); id != "" {
		fmt.Fprintf(w, ", signed by key %s", visible(id))
	}
	fmt.Fprint(w, "\n\n")
	t := newTable(w)
	fmt.Fprintln(t, "LIST\tKIND\tPUBLISHED\tVERIFIED\tAGE\tPARTIES\tADDRESSES\tUNREADABLE\tDELISTED\tHISTORY FROM\tLAST CHANGE\tSOURCE")
	for _, l := range res.GetLists() {
		verified := "never"
		if l.GetVerifiedAt() != nil {
			verified = l.GetVerifiedAt().AsTime().Format(time.RFC3339)
		}
		age := briefly(l.GetAge().AsDuration().Round(time.Second))
		if days := l.GetAge().AsDuration() / (24 * time.Hour); days >= 2 {
			age = fmt.Sprintf("%d days", days)
		}
		if l.GetStale() {
			age += " STALE"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%s\t+%d -%d\t%s\n",
			l.GetListId(), strings.ToLower(strings.TrimPrefix(l.GetKind().String(), "LIST_KIND_")),
			l.GetPublication().GetPublishedOn(), verified, age,
			l.GetParties(), l.GetAddresses(), l.GetUnparsed(), l.GetDelisted(),
			l.GetFirstPublication().GetPublishedOn(), l.GetAddedRows(), l.GetRemovedRows(), printable(l.GetSource()))
	}
	t.Flush()
	for _, l := range res.GetLists() {
		writeHeld(w, l.GetListId(), l.GetHeld(), "")
	}
	for _, l := range res.GetHeldFirst() {
		writeHeld(w, l.GetListId(), l.GetHeld(), ", the first of the list: nothing of it is served")
	}
	if len(res.GetNotCovered()) > 0 {
		fmt.Fprint(w, "\nNOT COVERED: lists that are not loaded; nothing is said about the addresses on them\n")
		for _, l := range res.GetNotCovered() {
			writeNotCovered(w, l.GetListId(), l.GetAuthority(), l.GetName(), l.GetWhy(), l.GetUrl())
		}
	}
	for _, n := range res.GetNotices() {
		fmt.Fprintf(w, "\nNOTE: %s\n", n.GetMessage())
	}
}

// writeNotCovered writes what is known of a list that is not loaded, on lines that fit.
func writeNotCovered(w io.Writer, id, authority, name, why, url string) {
	indented := func(prefix, text string) {
		if text = visible(text); text != "" {
			fmt.Fprintln(w, wrapped(prefix, "    ", text))
		}
	}
	indented(id+"  ", authority+": "+name)
	indented("    ", why)
	indented("    ", url)
}

// maxLine is how many characters a line of prose has at most, unless a word is longer.
const maxLine = 120

// wrapped breaks a text into lines, the first after one prefix and the others after
// another. The words stay as they are.
func wrapped(first, other, text string) string {
	var out strings.Builder
	line := first
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > maxLine:
			out.WriteString(line + "\n")
			line = other + word
		default:
			line += " " + word
		}
	}
	return out.String() + line
}

// briefly writes a duration without the units at its end that are nothing: 5m, not
// 5m0s.
func briefly(d time.Duration) string {
	s := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// writeHeld writes which publication of a list a guard stopped, if it stopped one.
func writeHeld(w io.Writer, list string, h *pb.HeldPublication, remark string) {
	if h == nil {
		return
	}
	on := ""
	if h.GetPublishedOn() != "" {
		on = " of " + h.GetPublishedOn()
	}
	fmt.Fprintf(w, "\n%s HELD since %s: %s\n", list, h.GetSince().AsTime().Format(time.RFC3339), visible(h.GetWhy()))
	fmt.Fprintf(w, "  publication%s (%.12s)%s\n  would list %s, delist %d and amend %d; read from %s\n",
		on, h.GetSha256(), remark, phrase.Count(int(h.GetListed()), "row"), h.GetDelisted(), h.GetAmended(), visible(h.GetSource()))
}
