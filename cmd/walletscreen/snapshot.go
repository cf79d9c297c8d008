package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/phrase"
	"walletscreen/screen/signing"
	"walletscreen/screen/store"
)

// snapshotCmd are the commands for snapshots that are kept.
type snapshotCmd struct {
	List      snapshotListCmd      `cmd:"" help:"List the snapshots that Redis keeps."`
	Diff      snapshotDiffCmd      `cmd:"" help:"Tell what differs between two snapshots, party by party."`
	Export    snapshotExportCmd    `cmd:"" help:"Write a snapshot to a file."`
	Verify    snapshotVerifyCmd    `cmd:"" help:"Read a snapshot whole and verify its digest."`
	Sign      snapshotSignCmd      `cmd:"" help:"Publish the current snapshot again, signed, under a new number: to begin to sign, or to replace a key."`
	Rollback  snapshotRollbackCmd  `cmd:"" help:"Publish the content of a kept snapshot again, under a new number."`
	Republish snapshotRepublishCmd `cmd:"" help:"Publish the snapshot that Redis serves once more, for servers that refuse it as older than theirs."`
	Pin       snapshotPinCmd       `cmd:"" help:"Keep a snapshot from being retired."`
	Unpin     snapshotUnpinCmd     `cmd:"" help:"End a pin."`
}

// exitDiffers is the exit code of a diff of two snapshots that are not the same,
// as of diff(1).
const exitDiffers = 1

// sequence is the number of a snapshot in the command line.
type sequence uint64

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *sequence) UnmarshalText(text []byte) error {
	number, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return fmt.Errorf("want the number of a snapshot, such as 7, not %q", printable(string(text)))
	}
	*n = sequence(number)
	return nil
}

type snapshotFormat struct {
	Format string `enum:"table,json" default:"table" help:"Format of the answer: ${enum}."`
}

// json writes an answer as JSON.
func (snapshotFormat) json(w io.Writer, answer any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(answer)
}

func (f *storeFlags) reader(v *verifyFlags) (*store.Reader, error) {
	if f.Redis == "" {
		return nil, usagef("--redis is missing: where are the snapshots?")
	}
	trusted, err := v.keys()
	if err != nil {
		return nil, err
	}
	reader, err := store.NewReader(store.Options{URL: f.Redis, Namespace: f.Namespace, Trusted: trusted})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return reader, nil
}

func (f *storeFlags) publisher(sign *signFlags) (*store.Publisher, error) {
	if f.Redis == "" {
		return nil, usagef("--redis is missing: where are the snapshots?")
	}
	key, trusted, err := sign.key()
	if err != nil {
		return nil, err
	}
	publisher, err := store.NewPublisher(store.Options{URL: f.Redis, Namespace: f.Namespace, Trusted: trusted, Signer: key})
	if err != nil {
		return nil, usagef("%v", err)
	}
	publisher.Builder = version()
	return publisher, nil
}

// snapshot returns the snapshot that an argument names, and its signature: a number,
// or a file; "" is the one that is served.
func (f *storeFlags) snapshot(ctx context.Context, name string, v *verifyFlags) (*screen.Snapshot, signing.Signed, error) {
	number, notNumber := strconv.ParseUint(name, 10, 64)
	if name != "" && notNumber != nil {
		trusted, err := v.keys()
		if err != nil {
			return nil, signing.Signed{}, err
		}
		s, signed, err := store.ReadFile(name, f.Namespace, trusted)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%q is neither the number of a snapshot in Redis nor a file that is there", printable(name))
		}
		return s, signed, err
	}
	reader, err := f.reader(v)
	if err != nil {
		return nil, signing.Signed{}, err
	}
	defer reader.Close()
	if name != "" {
		return reader.Snapshot(ctx, number)
	}
	state, err := reader.Load(ctx)
	if state == nil {
		return nil, signing.Signed{}, err
	}
	// An error is one of what is known of the lists, which is not asked for.
	return state.Snapshot, state.Signed, nil
}

type snapshotListCmd struct {
	snapshotFormat `embed:""`
	storeFlags     `embed:""`
	verifyFlags    `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotListCmd) Help() string {
	return "LISTS names the lists that are not as in the snapshot before first; --format json names all. SIGNED BY is the key that a snapshot says it is signed by; with --verify-key, UNTRUSTED says why it is not."
}

func (c *snapshotListCmd) Run(ctx context.Context, s std) error {
	reader, err := c.reader(&c.verifyFlags)
	if err != nil {
		return err
	}
	defer reader.Close()
	kept, err := reader.Kept(ctx)
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return c.json(s.out, map[string]any{"snapshots": jsonKept(kept)})
	}
	if len(kept) == 0 {
		fmt.Fprintf(s.out, "no snapshots are kept in namespace %s\n", c.Namespace)
		return nil
	}
	t := newTable(s.out)
	var before []store.KeptList
	fmt.Fprintln(t, "SNAPSHOT\tPUBLISHED\tDIGEST\tSIGNED BY\tLISTINGS\tLISTS\tNOTES")
	for _, k := range kept {
		if k.Unreadable != "" {
			fmt.Fprintf(t, "%d\t\t\t\t\t\tUNREADABLE: %s\n", k.Sequence, printable(k.Unreadable))
			continue
		}
		var notes []string
		lists := keptLists(k.Lists, before)
		before = k.Lists
		if k.Current {
			notes = append(notes, "SERVED")
		}
		if k.RollbackOf != 0 {
			notes = append(notes, fmt.Sprintf("rolled %d back to %d", k.RollbackOf, k.RollbackTo))
		}
		if k.Untrusted != "" {
			notes = append(notes, "UNTRUSTED: "+printable(k.Untrusted))
		}
		for _, name := range k.Pins {
			notes = append(notes, "pin "+printable(name))
		}
		fmt.Fprintf(t, "%d\t%s\t%.12s\t%s\t%d\t%s\t%s\n", k.Sequence, k.CreatedAt.Format(time.RFC3339), k.Digest, cmp.Or(printable(k.SignedBy), "nobody"), k.Listings, lists, strings.Join(notes, ", "))
	}
	t.Flush()
	return nil
}

// shownLists is how many lists of a snapshot a row of the table names.
const shownLists = 2

// keptLists names lists of a snapshot, first those that are not as they were in the
// snapshot before.
func keptLists(lists, before []store.KeptList) string {
	var changed, same []string
	for _, l := range lists {
		text := fmt.Sprintf("%s of %s (%s)", printable(string(l.ID)), printable(l.PublishedOn), phrase.Count(l.Rows, "row"))
		if slices.Contains(before, l) {
			same = append(same, text)
		} else {
			changed = append(changed, text)
		}
	}
	all := append(changed, same...)
	if more := len(all) - shownLists; more > 0 {
		all = append(all[:shownLists], fmt.Sprintf("%d more", more))
	}
	return strings.Join(all, ", ")
}

func jsonKept(kept []store.Kept) []any {
	type list struct {
		ID          screen.ListID `json:"id"`
		PublishedOn string        `json:"published_on"`
		SHA256      string        `json:"sha256"`
		Rows        int           `json:"rows"`
	}
	type snapshot struct {
		Sequence   uint64    `json:"sequence"`
		Digest     string    `json:"digest,omitempty"`
		CreatedAt  time.Time `json:"created_at,omitzero"`
		Builder    string    `json:"builder,omitempty"`
		Size       int       `json:"size"`
		Listings   int       `json:"listings"`
		Served     bool      `json:"served"`
		Pins       []string  `json:"pins,omitempty"`
		RollbackOf uint64    `json:"rollback_of,omitempty"`
		RollbackTo uint64    `json:"rollback_to,omitempty"`
		SignedBy   string    `json:"signature_key_id,omitempty"`
		Untrusted  string    `json:"untrusted,omitempty"`
		Unreadable string    `json:"unreadable,omitempty"`
		Lists      []list    `json:"lists,omitempty"`
	}
	all := []any{}
	for _, k := range kept {
		out := snapshot{k.Sequence, k.Digest, k.CreatedAt, k.Builder, k.Size, k.Listings, k.Current, k.Pins, k.RollbackOf, k.RollbackTo, k.SignedBy, k.Untrusted, k.Unreadable, nil}
		for _, l := range k.Lists {
			out.Lists = append(out.Lists, list(l))
		}
		all = append(all, out)
	}
	return all
}

type snapshotDiffCmd struct {
	Old string `arg:"" help:"A snapshot: its number in Redis, or a file."`
	New string `arg:"" help:"Another."`

	snapshotFormat `embed:""`
	storeFlags     `embed:""`
	verifyFlags    `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotDiffCmd) Help() string {
	return "+ is listed in the second and not in the first, - in the first and not in the second, ~ in both with something else said.\n\n" +
		"Exit codes: 0 the same content; 1 it differs; 2 usage, or a snapshot that cannot be read."
}

func (c *snapshotDiffCmd) Run(ctx context.Context, s std) error {
	var both [2]*screen.Snapshot
	for i, name := range []string{c.Old, c.New} {
		var err error
		if both[i], _, err = c.snapshot(ctx, name, &c.verifyFlags); err != nil {
			// 1 would say that they were compared.
			return usagef("%v", err)
		}
	}
	changes := both[0].Diff(both[1])
	if c.Format == "json" {
		if err := c.json(s.out, jsonDiff(both, changes)); err != nil {
			return err
		}
	} else {
		for _, list := range changes {
			fmt.Fprintf(s.out, "%s: %d listed, %d delisted, %d amended\n", list.List, len(list.Listed), len(list.Delisted), len(list.Amended))
			printChanges(s.out, list)
		}
	}
	if !both[0].Equal(both[1]) {
		return exitCode(exitDiffers)
	}
	return nil
}

func jsonDiff(both [2]*screen.Snapshot, changes []*screen.Changes) any {
	type list struct {
		ID       screen.ListID `json:"id"`
		Listed   int           `json:"listed"`
		Delisted int           `json:"delisted"`
		Amended  int           `json:"amended"`
		Changes  []jsonChange  `json:"changes"`
	}
	var out struct {
		Old   jsonSnapshot `json:"old"`
		New   jsonSnapshot `json:"new"`
		Lists []list       `json:"lists"`
	}
	out.Old = jsonSnapshot{both[0].Sequence, both[0].Digest().String()}
	out.New = jsonSnapshot{both[1].Sequence, both[1].Digest().String()}
	out.Lists = []list{}
	for _, of := range changes {
		l := list{of.List, len(of.Listed), len(of.Delisted), len(of.Amended), []jsonChange{}}
		for _, c := range byParty(of) {
			l.Changes = append(l.Changes, jsonChange{c.sign, c.UID, c.Party, c.Text, c.Symbol, c.What})
		}
		out.Lists = append(out.Lists, l)
	}
	return out
}

type snapshotExportCmd struct {
	Snapshot string `arg:"" optional:"" help:"Number of the snapshot; the one that is served if none is given."`
	Out      string `required:"" placeholder:"FILE" help:"File to write, as check --snapshot and diff read it. One that is there is replaced at once. The signature is written to FILE.sig."`

	FromServer bool `help:"Ask --server for the snapshot, in place of Redis."`

	storeFlags   `embed:""`
	verifyFlags  `embed:""`
	connectFlags `embed:""`
}

func (c *snapshotExportCmd) Run(ctx context.Context, s std) error {
	// A file is there already, and "" is the one that is served.
	if c.Snapshot != "" {
		if err := new(sequence).UnmarshalText([]byte(c.Snapshot)); err != nil {
			return usagef("%v", err)
		}
	}
	load := c.snapshot
	if c.FromServer {
		load = c.fromServer
	}
	snapshot, signed, err := load(ctx, c.Snapshot, &c.verifyFlags)
	if err != nil {
		return err
	}
	if err := store.WriteFile(c.Out, snapshot, signed); err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	fmt.Fprintf(s.out, "snapshot %d, digest %s, written to %s\n", snapshot.Sequence, snapshot.Digest(), c.Out)
	c.writeSignature(s.out, signed)
	return nil
}

// exportTimeout bounds what a server takes to send a snapshot: 640 MB, of ten million
// listings, over a slow network.
const exportTimeout = 10 * time.Minute

// fromServer exports a snapshot from a server, and verifies it as if it were a file.
func (c *snapshotExportCmd) fromServer(ctx context.Context, name string, v *verifyFlags) (*screen.Snapshot, signing.Signed, error) {
	var unsigned signing.Signed
	number, _ := strconv.ParseUint(name, 10, 64) // 0 without one
	trusted, err := v.keys()
	if err != nil {
		return nil, unsigned, err
	}
	cl, err := c.client(exportTimeout)
	if err != nil {
		return nil, unsigned, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, exportTimeout)
	defer cancel()
	var content bytes.Buffer
	head, err := cl.ExportSnapshot(ctx, number, &content)
	if err != nil {
		return nil, unsigned, explainCall(c.servers(), err)
	}
	ref := head.GetSnapshot()
	digest, err := screen.ParseDigest(ref.GetDigest())
	if err != nil {
		return nil, unsigned, fmt.Errorf("%s: %w", c.servers(), err)
	}
	s, err := screen.DecodeVerified(content.Bytes(), digest)
	if err != nil {
		return nil, unsigned, fmt.Errorf("%s: %w", c.servers(), err)
	}
	s = s.Named(ref.GetSequence(), ref.GetCreatedAt().AsTime())
	signed := signing.Signed{Statement: string(head.GetSignedStatement()), Signature: string(head.GetSignature()), KeyID: head.GetSignatureKeyId()}
	if len(trusted) > 0 {
		if err := trusted.VerifySnapshot(signed, c.Namespace, s.Sequence, s.Digest(), s.CreatedAt); err != nil {
			return nil, unsigned, fmt.Errorf("%s: %w", c.servers(), err)
		}
	}
	return s, signed, nil
}

type snapshotVerifyCmd struct {
	Snapshot string `arg:"" help:"A snapshot: its number in Redis, or a file, whose signature stands in FILE.sig."`

	storeFlags  `embed:""`
	verifyFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotVerifyCmd) Help() string {
	return "With --verify-key a snapshot that none of the keys signed for --namespace is refused.\n\n" +
		"Exit codes: 0 it is whole; 1 it is not, or cannot be read, or is refused; 2 usage."
}

func (c *snapshotVerifyCmd) Run(ctx context.Context, s std) error {
	snapshot, signed, err := c.snapshot(ctx, c.Snapshot, &c.verifyFlags)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "snapshot %d of %s is whole: digest %s, %s, %s, %s\n", snapshot.Sequence,
		snapshot.CreatedAt.Format(time.RFC3339), snapshot.Digest(), phrase.Count(len(snapshot.Encoding()), "byte"), phrase.Count(len(snapshot.Lists()), "list"), phrase.Count(len(snapshot.Listings()), "listing"))
	c.writeSignature(s.out, signed)
	return nil
}

// writeSignature writes who signed a snapshot that was read with the flags.
func (f *verifyFlags) writeSignature(w io.Writer, signed signing.Signed) {
	switch {
	case signed.IsZero():
		fmt.Fprintln(w, "not signed")
	case len(f.files()) == 0:
		fmt.Fprintf(w, "signed by key %s, by its own word: --verify-key verifies it\n", printable(signed.KeyID))
	default:
		fmt.Fprintf(w, "signed by key %s, verified\n", signed.KeyID)
	}
}

type snapshotSignCmd struct {
	Digest string `arg:"" help:"Digest of the current snapshot, in full, as you know it to be right: from walletscreen lists of a server, or from snapshot diff with an export. Another one is not signed."`

	storeFlags `embed:""`
	signFlags  `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotSignCmd) Help() string {
	return "What is known of the freshness of the lists is signed, too, if a key of --verify-key signed it before; otherwise the next load compares them anew."
}

func (c *snapshotSignCmd) Run(ctx context.Context, s std) error {
	digest, err := screen.ParseDigest(c.Digest)
	if err != nil {
		return usagef("%v", err)
	}
	if c.SigningKey == "" {
		return usagef("--signing-key is missing: what is to sign?")
	}
	publisher, err := c.publisher(&c.signFlags)
	if err != nil {
		return err
	}
	defer publisher.Close()
	snapshot, err := publisher.Sign(ctx, digest)
	if snapshot != nil {
		fmt.Fprintf(s.out, "snapshot %d, digest %s, is signed\n", snapshot.Sequence, snapshot.Digest())
	}
	return err
}

type snapshotRollbackCmd struct {
	Snapshot sequence `arg:"" help:"Number of the snapshot whose content is to be served again."`

	storeFlags `embed:""`
	signFlags  `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotRollbackCmd) Help() string {
	return "Publications that are taken back are held from then on: no load publishes them again without --release. The next publication of the same list is another one, and is not held: it is a complete list, and may hold again what was taken back.\n\n" +
		"With --signing-key the snapshot must be signed. The one that is taken back need not be; if it is not, nothing of it is held."
}

func (c *snapshotRollbackCmd) Run(ctx context.Context, s std) error {
	if c.SigningKey == "" && len(c.files()) > 0 {
		return errUnsigned()
	}
	publisher, err := c.publisher(&c.signFlags)
	if err != nil {
		return err
	}
	defer publisher.Close()
	snapshot, err := publisher.Rollback(ctx, uint64(c.Snapshot))
	if snapshot != nil {
		fmt.Fprintf(s.out, "snapshot %d has the content of snapshot %d, digest %s\n", snapshot.Sequence, c.Snapshot, snapshot.Digest())
	}
	return err
}

type snapshotRepublishCmd struct {
	storeFlags `embed:""`
	signFlags  `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotRepublishCmd) Help() string {
	return "Servers refuse a snapshot that is older than the one they serve: Redis lost what was published last, in a failover, or was put back from a backup. A loader that knows what was lost publishes it again with its next import. Without one this has servers take what Redis holds, as it is: look at the difference first, with diff and an export or the answers of a server.\n\n" +
		"With --signing-key the snapshot must be signed already: sign is for one that is not."
}

func (c *snapshotRepublishCmd) Run(ctx context.Context, s std) error {
	if c.SigningKey == "" && len(c.files()) > 0 {
		return errUnsigned()
	}
	publisher, err := c.publisher(&c.signFlags)
	if err != nil {
		return err
	}
	defer publisher.Close()
	snapshot, err := publisher.Republish(ctx)
	if snapshot != nil {
		fmt.Fprintf(s.out, "snapshot %d has the content that was current, digest %s\n", snapshot.Sequence, snapshot.Digest())
	}
	return err
}

type snapshotPinCmd struct {
	Snapshot sequence `arg:"" help:"Number of the snapshot."`
	Name     string   `arg:"" help:"Name of the pin, such as that of an audit. A pin of that name on another snapshot ends."`

	storeFlags `embed:""`
}

func (c *snapshotPinCmd) Run(ctx context.Context, s std) error {
	publisher, err := c.publisher(&signFlags{})
	if err != nil {
		return err
	}
	defer publisher.Close()
	if err := publisher.Pin(ctx, uint64(c.Snapshot), c.Name); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "snapshot %d is pinned as %s\n", c.Snapshot, c.Name)
	return nil
}

type snapshotUnpinCmd struct {
	Name string `arg:"" help:"Name of the pin."`

	storeFlags `embed:""`
}

func (c *snapshotUnpinCmd) Run(ctx context.Context, s std) error {
	publisher, err := c.publisher(&signFlags{})
	if err != nil {
		return err
	}
	defer publisher.Close()
	was, err := publisher.Unpin(ctx, c.Name)
	if err != nil {
		return err
	}
	if !was {
		return fmt.Errorf("no pin is named %s", printable(c.Name))
	}
	fmt.Fprintf(s.out, "%s pins nothing any more\n", c.Name)
	return nil
}
