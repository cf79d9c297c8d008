package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store"
)

// snapshotCmd are the commands for snapshots that are kept.
type snapshotCmd struct {
	List      snapshotListCmd      `cmd:"" help:"List the snapshots that Redis keeps."`
	Diff      snapshotDiffCmd      `cmd:"" help:"Tell what differs between two snapshots, party by party."`
	Export    snapshotExportCmd    `cmd:"" help:"Write a snapshot to a file."`
	Verify    snapshotVerifyCmd    `cmd:"" help:"Read a snapshot whole and verify its digest."`
	Rollback  snapshotRollbackCmd  `cmd:"" help:"Publish the content of a kept snapshot again, under a new number."`
	Republish snapshotRepublishCmd `cmd:"" help:"Publish the snapshot that Redis serves once more, for servers that refuse it as older than theirs."`
	Pin       snapshotPinCmd       `cmd:"" help:"Keep a snapshot from being retired."`
	Unpin     snapshotUnpinCmd     `cmd:"" help:"End a pin."`
}

// exitDiffers is the exit code of a diff of two snapshots that are not the same,
// as of diff(1).
const exitDiffers = 1

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

func (f *storeFlags) reader() (*store.Reader, error) {
	if f.Redis == "" {
		return nil, usagef("--redis is missing: where are the snapshots?")
	}
	reader, err := store.NewReader(store.Options{URL: f.Redis, Namespace: f.Namespace})
	if err != nil {
		return nil, usagef("%v", err)
	}
	return reader, nil
}

func (f *storeFlags) publisher() (*store.Publisher, error) {
	if f.Redis == "" {
		return nil, usagef("--redis is missing: where are the snapshots?")
	}
	publisher, err := store.NewPublisher(store.Options{URL: f.Redis, Namespace: f.Namespace})
	if err != nil {
		return nil, usagef("%v", err)
	}
	publisher.Builder = version()
	return publisher, nil
}

// snapshot returns the snapshot that an argument names: a number, or a file; ""
// is the one that is served.
func (f *storeFlags) snapshot(ctx context.Context, name string) (*screen.Snapshot, error) {
	sequence, notNumber := strconv.ParseUint(name, 10, 64)
	if name != "" && notNumber != nil {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := screen.ReadFile(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return s, nil
	}
	reader, err := f.reader()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if name != "" {
		return reader.Snapshot(ctx, sequence)
	}
	state, err := reader.Load(ctx)
	if err != nil {
		return nil, err
	}
	return state.Snapshot, nil
}

type snapshotListCmd struct {
	snapshotFormat `embed:""`
	storeFlags     `embed:""`
}

func (c *snapshotListCmd) Run(ctx context.Context, s std) error {
	reader, err := c.reader()
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
	t := newTable(s.out)
	fmt.Fprintln(t, "SNAPSHOT\tPUBLISHED\tDIGEST\tLISTINGS\tLISTS\tNOTES")
	for _, k := range kept {
		if k.Unreadable != "" {
			fmt.Fprintf(t, "%d\t\t\t\t\tUNREADABLE: %s\n", k.Sequence, printable(k.Unreadable))
			continue
		}
		var lists, notes []string
		for _, l := range k.Lists {
			lists = append(lists, fmt.Sprintf("%s of %s (%d rows)", printable(string(l.ID)), printable(l.PublishedOn), l.Rows))
		}
		if k.Current {
			notes = append(notes, "SERVED")
		}
		if k.RollbackOf != 0 {
			notes = append(notes, fmt.Sprintf("rolled %d back to %d", k.RollbackOf, k.RollbackTo))
		}
		for _, name := range k.Pins {
			notes = append(notes, "pin "+printable(name))
		}
		fmt.Fprintf(t, "%d\t%s\t%.12s\t%d\t%s\t%s\n", k.Sequence, k.CreatedAt.Format(time.RFC3339), k.Digest, k.Listings, strings.Join(lists, ", "), strings.Join(notes, ", "))
	}
	t.Flush()
	return nil
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
		Unreadable string    `json:"unreadable,omitempty"`
		Lists      []list    `json:"lists,omitempty"`
	}
	all := []any{}
	for _, k := range kept {
		out := snapshot{k.Sequence, k.Digest, k.CreatedAt, k.Builder, k.Size, k.Listings, k.Current, k.Pins, k.RollbackOf, k.RollbackTo, k.Unreadable, nil}
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
		if both[i], err = c.snapshot(ctx, name); err != nil {
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
	Out      string `required:"" placeholder:"FILE" help:"File to write, as check --snapshot and diff read it. One that is there is replaced at once."`

	storeFlags `embed:""`
}

func (c *snapshotExportCmd) Run(ctx context.Context, s std) error {
	snapshot, err := c.snapshot(ctx, c.Snapshot)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.tmp")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = snapshot.WriteTo(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), c.Out)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", c.Out, err)
	}
	fmt.Fprintf(s.out, "snapshot %d, digest %s, written to %s\n", snapshot.Sequence, snapshot.Digest(), c.Out)
	return nil
}

type snapshotVerifyCmd struct {
	Snapshot string `arg:"" help:"A snapshot: its number in Redis, or a file."`

	storeFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotVerifyCmd) Help() string {
	return "Exit codes: 0 it is whole; 1 it is not, or cannot be read; 2 usage."
}

func (c *snapshotVerifyCmd) Run(ctx context.Context, s std) error {
	snapshot, err := c.snapshot(ctx, c.Snapshot)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "snapshot %d of %s is whole: digest %s, %d bytes, %d lists, %d listings\n", snapshot.Sequence,
		snapshot.CreatedAt.Format(time.RFC3339), snapshot.Digest(), len(snapshot.Encoding()), len(snapshot.Lists()), len(snapshot.Listings()))
	return nil
}

type snapshotRollbackCmd struct {
	Snapshot uint64 `arg:"" help:"Number of the snapshot whose content is to be served again."`

	storeFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotRollbackCmd) Help() string {
	return "Publications that are taken back are held from then on: no load publishes them again without --release. The next publication of the same list is another one, and is not held: it is a complete list, and may hold again what was taken back."
}

func (c *snapshotRollbackCmd) Run(ctx context.Context, s std) error {
	publisher, err := c.publisher()
	if err != nil {
		return err
	}
	defer publisher.Close()
	snapshot, err := publisher.Rollback(ctx, c.Snapshot)
	if snapshot != nil {
		fmt.Fprintf(s.out, "snapshot %d has the content of snapshot %d, digest %s\n", snapshot.Sequence, c.Snapshot, snapshot.Digest())
	}
	return err
}

type snapshotRepublishCmd struct {
	storeFlags `embed:""`
}

// Help is the part of the manual that belongs to no flag.
func (snapshotRepublishCmd) Help() string {
	return "Servers refuse a snapshot that is older than the one they serve: Redis lost what was published last, in a failover, or was put back from a backup. A loader that knows what was lost publishes it again with its next import. Without one this has servers take what Redis holds, as it is: look at the difference first, with diff and an export or the answers of a server."
}

func (c *snapshotRepublishCmd) Run(ctx context.Context, s std) error {
	publisher, err := c.publisher()
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
	Snapshot uint64 `arg:"" help:"Number of the snapshot."`
	Name     string `arg:"" help:"Name of the pin, such as that of an audit. A pin of that name on another snapshot ends."`

	storeFlags `embed:""`
}

func (c *snapshotPinCmd) Run(ctx context.Context, s std) error {
	publisher, err := c.publisher()
	if err != nil {
		return err
	}
	defer publisher.Close()
	if err := publisher.Pin(ctx, c.Snapshot, c.Name); err != nil {
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
	publisher, err := c.publisher()
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
