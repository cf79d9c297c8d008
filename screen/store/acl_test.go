package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
)

// asReader does all that a reader does, until something is refused for want of a
// permission or, with all of them, for a while; asLoader all that a loader does.
func asReader(t testing.TB, o Options, without string, refused func() []string) {
	t.Helper()
	r := newReader(t, o)
	r.Poll = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.Follow(ctx, nil, func(*State) {}, func(error) {}) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for looks := 0; ctx.Err() == nil && len(refused()) == 0 && (without != "" || looks < 30); looks++ {
		if kept, err := r.Kept(ctx); err == nil && len(kept) > 0 {
			_, _, _ = r.Snapshot(ctx, kept[0].Sequence)
		}
		<-tick.C
	}
	cancel()
	<-ended
}

func asLoader(t testing.TB, o Options) error {
	t.Helper()
	p := newPublisher(t, o)
	p.Keep = 1
	ctx := t.Context()
	claim, _, err := p.Claim(ctx, "x", time.Minute)
	if err != nil {
		return err
	}
	for i := range 3 {
		now, _, err := p.Current(ctx)
		if err != nil {
			return err
		}
		next := merge(t, screen.Empty(), sdn, 1+i, tron, fmt.Sprint(opaque, i))
		if i == 2 {
			next = merge(t, screen.Empty(), sdn, 3) // no listings for people
		}
		if now, err = p.Publish(ctx, now, next, Verified{sdn.ID: {At: at2025}}); err != nil {
			return err
		}
		if err := p.Verify(ctx, now, Verified{sdn.ID: {At: at2025, Held: heldBack}}); err != nil {
			return err
		}
	}
	now, _, err := p.Current(ctx)
	if err != nil {
		return err
	}
	if err := p.Pin(ctx, now.Sequence, "x"); err != nil {
		return err
	}
	if _, err := p.Publish(ctx, now, merge(t, screen.Empty(), sdn, 4, tron, evm), nil); err != nil {
		return err
	}
	if _, err := p.Rollback(ctx, now.Sequence); err != nil {
		return err
	}
	if _, err := p.Unpin(ctx, "x"); err != nil {
		return err
	}
	if _, err := p.Republish(ctx); err != nil {
		return err
	}
	if _, err := p.Restore(ctx, screen.Empty(), now, nil); !errors.Is(err, screen.ErrConflict) {
		return err
	}
	if _, err := claim.Renew(ctx, time.Minute); err != nil {
		return err
	}
	return claim.Release(ctx)
}

// documented is a user of the package comment on one server or on all of a cluster.
type documented struct {
	t     testing.TB
	nodes []*storetest.Server
	rules []string
	o     Options
}

func documentedOn(t testing.TB, name string, nodes []*storetest.Server, o Options, cluster bool) documented {
	t.Helper()
	o.URL = strings.Replace(o.URL, "://", "://"+name+":PASSWORD@", 1)
	return documented{t, nodes, append([]string{"ACL", "SETUSER", name, "reset"}, documentedRules(t, name, cluster)...), o}
}

// without gives the user all its permissions but one, and forgets what was refused.
func (d documented) without(rule string) {
	d.t.Helper()
	rules := slices.DeleteFunc(slices.Clone(d.rules), func(r string) bool { return r == rule })
	for _, node := range d.nodes {
		node.MustDo(rules...)
		node.MustDo("ACL", "LOG", "RESET")
	}
}

// refused returns the commands that were refused since then.
func (d documented) refused() []string {
	d.t.Helper()
	var commands []string
	for _, node := range d.nodes {
		for _, entry := range node.MustDo("ACL", "LOG").([]any) {
			fields := entry.([]any)
			commands = append(commands, fmt.Sprint(fields[slices.Index(fields, any("object"))+1]))
		}
	}
	return commands
}

func (d documented) commands() []string {
	return slices.DeleteFunc(slices.Clone(d.rules), func(r string) bool { return !strings.HasPrefix(r, "+") })
}

// TestDocumentedUsersAreMinimal takes the permissions from the documented users one
// by one. With all of them nothing is refused, with one less something is.
func TestDocumentedUsersAreMinimal(t *testing.T) {
	t.Parallel()
	s := storetest.Redis(t)
	nodes, o := []*storetest.Server{s}, Options{URL: "redis://" + s.Addr}
	loader := documentedOn(t, "loader", nodes, o, false)
	for _, rule := range append(loader.commands(), "") {
		s.MustDo("FLUSHALL")
		s.MustDo("SCRIPT", "FLUSH")
		loader.without(rule)
		loader.wantRefused(rule, asLoader(t, loader.o))
	}
	reader := documentedOn(t, "reader", nodes, o, false)
	for _, rule := range append(reader.commands(), "") {
		reader.without(rule)
		asReader(t, reader.o, rule, reader.refused)
		reader.wantRefused(rule, nil)
	}
}

// TestDocumentedUsersOfACluster does so with what is needed there besides.
func TestDocumentedUsersOfACluster(t *testing.T) {
	t.Parallel()
	c := clusterOf(t, nil)
	loader := documentedOn(t, "loader", c.nodes, c.Options, true)
	reader := documentedOn(t, "reader", c.nodes, c.Options, true)
	for _, rule := range []string{"", "+cluster|slots"} {
		loader.without(rule)
		loader.wantRefused(rule, asLoader(t, loader.o))
		reader.without(rule)
		asReader(t, reader.o, rule, reader.refused)
		reader.wantRefused(rule, nil)
	}
	// While the slot moves scripts fail; a claim is one key that is not there yet.
	c.master().MustDo("DEL", keys{"walletscreen:{default}:"}.verified())
	halfMoved(t, c)
	for _, rule := range []string{"", "+asking"} {
		loader.without(rule)
		_, ok, err := newPublisher(t, loader.o).Claim(t.Context(), fmt.Sprint("moving", len(rule)), time.Minute)
		if rule == "" && !ok {
			t.Errorf("claim while the slot moves: %v", err)
		}
		loader.wantRefused(rule, nil)
		reader.without(rule)
		asReader(t, reader.o, rule, reader.refused)
		reader.wantRefused(rule, nil)
	}
}

// wantRefused fails unless a command was refused without a permission, and none with all.
func (d documented) wantRefused(without string, err error) {
	d.t.Helper()
	switch refused := d.refused(); {
	case without == "" && (err != nil || len(refused) > 0):
		d.t.Errorf("with all permissions %v was refused: %v", refused, err)
	case without != "" && len(refused) == 0:
		d.t.Errorf("%s is not needed", without)
	}
}

// halfMoved begins to move the slot of the namespace from its master to another, so
// that keys that are not there are looked for at the other.
func halfMoved(t *testing.T, f fleet) {
	t.Helper()
	from := f.master()
	var to *storetest.Server
	for _, node := range f.nodes {
		if info := node.MustDo("INFO", "replication").(string); node != from && strings.Contains(info, "role:master") {
			to = node
		}
	}
	slot := fmt.Sprint(from.MustDo("CLUSTER", "KEYSLOT", keys{"walletscreen:{default}:"}.head()))
	to.MustDo("CLUSTER", "SETSLOT", slot, "IMPORTING", from.MustDo("CLUSTER", "MYID").(string))
	from.MustDo("CLUSTER", "SETSLOT", slot, "MIGRATING", to.MustDo("CLUSTER", "MYID").(string))
}
