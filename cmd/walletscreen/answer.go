package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "walletscreen/proto/walletscreen/v1"
	"walletscreen/screen/address"
	"walletscreen/screen/phrase"
)

// How answers are written for people and programs.

// writeJSON writes a message with the names of the .proto.
func writeJSON(w io.Writer, m proto.Message) error {
	text, err := protojson.MarshalOptions{Multiline: true, Indent: "  ", UseProtoNames: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

// writeTable writes one line for each address, and one more for each further
// listing behind it.
func writeTable(w io.Writer, addresses []string, res *pb.ScreenAddressesResponse) {
	t := newTable(w)
	fmt.Fprintln(t, "ADDRESS\tVERDICT\tLIST\tPARTY\tUID\tLISTED\tNOTE")
	for i, r := range res.Results {
		text, verdict := printable(shown(addresses[i], r.Reason)), short(r.Verdict)
		if len(r.Matches) == 0 {
			fmt.Fprintf(t, "%s\t%s\t\t\t\t\t%s\n", text, verdict, note(r, nil))
		}
		for _, m := range r.Matches {
			l := m.GetListing()
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", text, verdict, l.GetListId(), party(l), l.GetPartyUid(), since(l), note(r, m))
			text, verdict = "", ""
		}
	}
	t.Flush()
}

// table aligns columns that are separated by tabs, and leaves no blanks at the
// ends of lines. Flush writes it.
type table struct {
	*tabwriter.Writer
	text *bytes.Buffer
	w    io.Writer
}

func newTable(w io.Writer) *table {
	text := new(bytes.Buffer)
	return &table{tabwriter.NewWriter(text, 0, 0, 2, ' ', 0), text, w}
}

func (t *table) Flush() {
	t.Writer.Flush()
	for line := range bytes.Lines(t.text.Bytes()) {
		fmt.Fprintf(t.w, "%s\n", bytes.TrimRight(line, " \n"))
	}
}

// short is a verdict without the prefix of its enum.
func short(v pb.Verdict) string { return strings.TrimPrefix(v.String(), "VERDICT_") }

// party names a listed party as its publisher does: with its other names, unless
// they are weak or too many, and its programs.
func party(l *pb.Listing) string {
	name := printable(l.GetPartyName())
	strong := 0
	for _, a := range l.GetAliases() {
		if a.GetWeak() {
			continue
		}
		if strong++; strong <= 2 {
			name += fmt.Sprintf(", %s %s", a.GetType(), printable(a.GetName()))
		}
	}
	if strong > 2 {
		name += fmt.Sprintf(" and %d more %s", strong-2, phrase.Noun(strong-2, "name"))
	}
	if len(l.GetPrograms()) > 0 {
		name += " (" + printable(strings.Join(l.GetPrograms(), ", ")) + ")"
	}
	return name
}

// since is the interval of a listing.
func since(l *pb.Listing) string {
	from := l.GetListedOn()
	if l.GetListedBefore() {
		from = "by " + from
	}
	if l.GetDelistedOn() != "" {
		return from + " to " + l.GetDelistedOn()
	}
	return from
}

// note says what the verdict alone does not.
func note(r *pb.ScreenResult, m *pb.Match) string {
	var notes []string
	if m.GetBasis() > pb.Basis_BASIS_SAME_ACCOUNT {
		notes = append(notes, lower(m.GetBasis().String(), "BASIS_")+" as "+printable(m.GetListing().GetAddress()))
	}
	if r.Reason != pb.Reason_REASON_UNSPECIFIED {
		notes = append(notes, lower(r.Reason.String(), "REASON_"))
	}
	for _, w := range r.Warnings {
		notes = append(notes, "warning: "+lower(w.String(), "WARNING_"))
	}
	return strings.Join(notes, "; ")
}

func lower(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", " ")
}

// unreached is why no server was reached, without what gRPC says of its own tries.
func unreached(message string) string {
	_, last, found := strings.Cut(message, "max retries exhausted: ")
	if _, said, ok := strings.Cut(last, " desc = "); found && ok {
		return said
	}
	return message
}

// hint is what to look at first when no server was reached.
func hint(message string) string {
	switch {
	case strings.Contains(message, "first record does not look like a TLS handshake"):
		return "does the server speak TLS? leave out --tls and the --tls- flags if not"
	case strings.Contains(message, "authentication handshake failed"):
		return "something answers, and the two do not agree on TLS: see --tls-ca, --tls-server-name and --tls-client-cert"
	case strings.Contains(message, "remote error: tls: "), strings.Contains(message, "broken pipe"), strings.Contains(message, "connection reset"):
		return "the server closes the connection: does it want a certificate of the client? see --tls-client-cert"
	case strings.Contains(message, "error reading server preface"):
		return "something answers, and not as a server does: does it want --tls?"
	default:
		return "is the server running? start one with: walletscreen serve"
	}
}

// shown is an address as it may be written: not at all if it may be a private
// key. Nothing stands against a text that reads cleanly on the network asked
// about, or that is published.
func shown(text string, reason pb.Reason) string {
	if reason != pb.Reason_REASON_UNSPECIFIED && address.MayBeSecret(text) {
		return notShown
	}
	return text
}

// maxShown is how many characters of an address are written in a table.
const maxShown = 120

// printable is visible, and no longer than fits into a table.
func printable(text string) string {
	text = visible(text)
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "..."
	}
	return text
}

// visible replaces what would move the cursor or spoil a table.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// answerColumns are the columns that CSV answers have after the address.
var answerColumns = []string{"verdict", "reason", "warnings", "basis", "list_ids", "parties", "party_uids", "programs", "listed_as", "listed_on", "snapshot", "snapshot_digest", "screened_at"}

// answerFields are the values of those columns for one address. Those of several
// listings are joined by "; ".
func answerFields(r *pb.ScreenResult, res *pb.ScreenAddressesResponse) []string {
	var basis, lists, parties, uids, programs, texts, listed, warnings []string
	for _, m := range r.Matches {
		l := m.GetListing()
		basis = append(basis, lower(m.GetBasis().String(), "BASIS_"))
		lists = append(lists, l.GetListId())
		parties = append(parties, l.GetPartyName())
		uids = append(uids, l.GetPartyUid())
		programs = append(programs, strings.Join(l.GetPrograms(), ", "))
		texts = append(texts, l.GetAddress())
		listed = append(listed, since(l))
	}
	for _, w := range r.Warnings {
		warnings = append(warnings, lower(w.String(), "WARNING_"))
	}
	reason := ""
	if r.Reason != pb.Reason_REASON_UNSPECIFIED {
		reason = lower(r.Reason.String(), "REASON_")
	}
	join := func(s []string) string { return strings.Join(s, "; ") }
	return []string{
		short(r.Verdict), reason, join(warnings), join(basis), join(lists), join(parties), join(uids), join(programs), join(texts), join(listed),
		fmt.Sprint(res.GetSnapshot().GetSequence()), res.GetSnapshot().GetDigest(), res.GetScreenedAt().AsTime().Format(time.RFC3339Nano),
	}
}

func writeCSV(w io.Writer, addresses []string, res *pb.ScreenAddressesResponse) error {
	out := csv.NewWriter(w)
	if err := out.Write(append([]string{"address"}, answerColumns...)); err != nil {
		return err
	}
	for i, r := range res.Results {
		if err := out.Write(append([]string{shown(addresses[i], r.Reason)}, answerFields(r, res)...)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// writeNotices writes what every reader of an answer must know.
func writeNotices(w io.Writer, res *pb.ScreenAddressesResponse) {
	s := res.GetSnapshot()
	var lists []string
	for _, l := range res.Lists {
		lists = append(lists, l.GetListId()+" of "+l.GetPublishedOn())
	}
	fmt.Fprintf(w, "\nscreened at %s against snapshot %d (%.12s): %s\n", res.GetScreenedAt().AsTime().Format(time.RFC3339), s.GetSequence(), s.GetDigest(), cmp.Or(strings.Join(lists, ", "), "no list"))
	for _, n := range res.Notices {
		fmt.Fprintf(w, "NOTE: %s\n", n.GetMessage())
	}
}

// explainCall says what a person can do about an error of a call.
func explainCall(target string, err error) error {
	st := status.Convert(err)
	switch {
	// Details come from a server, so one is running.
	case st.Code() == codes.Unavailable && len(st.Details()) == 0:
		return fmt.Errorf("%s: %s (%s)", target, unreached(st.Message()), hint(st.Message()))
	case st.Code() == codes.DeadlineExceeded:
		return fmt.Errorf("%s: no answer in time", target)
	default:
		return fmt.Errorf("%s: %s (%s)", target, st.Message(), st.Code())
	}
}
