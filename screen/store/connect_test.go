package store

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"walletscreen/screen"
	"walletscreen/screen/store/storetest"
)

// with adds parameters to a URL.
func with(url string, parameters ...string) Options {
	return Options{URL: url + "?" + strings.Join(parameters, "&")}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certs := storetest.NewCertificates(t)
	s := storetest.RedisTLS(t, certs)
	url := "rediss://" + s.Addr
	ca, cert, key := "tls_ca="+certs.CA, "tls_cert="+certs.ClientCert, "tls_key="+certs.ClientKey
	o := with(url, ca, cert, key)
	mustLoad(t, o, mustPublish(t, newPublisher(t, o), 1, tron))

	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	mustLoad(t, with("rediss://localhost:"+port, ca, cert, key), newest(t, newPublisher(t, o)))
	mustLoad(t, with(url, ca, cert, key, "tls_server_name=localhost"), newest(t, newPublisher(t, o)))
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"authorities of the system":        {with(url, cert, key), "unknown authority"},
		"another authority":                {with(url, "tls_ca="+storetest.NewCertificates(t).CA, cert, key), "unknown authority"},
		"no certificate":                   {with(url, ca), ""},
		"certificate of another authority": {with(url, ca, "tls_cert="+storetest.NewCertificates(t).ClientCert), "tls_key"},
		"name of another server":           {with(url, ca, cert, key, "tls_server_name=example.com"), "example.com"},
		"no TLS":                           {Options{URL: "redis://" + s.Addr}, ""},
	} {
		r, err := NewReader(test.o)
		if err == nil {
			_, err = r.Load(t.Context())
			r.Close()
		}
		if err == nil || errors.Is(err, ErrNoSnapshot) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}

	pair, err := tls.LoadX509KeyPair(certs.ServerCert, certs.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	old, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err != nil {
		t.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			conn, err := old.Accept()
			if err != nil {
				return
			}
			_ = conn.(*tls.Conn).Handshake() // the client's error is the one that counts
			conn.Close()
		}
	})
	t.Cleanup(func() {
		old.Close()
		accepting.Wait()
	})
	if _, err := newReader(t, with("rediss://"+old.Addr().String(), ca)).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v", err)
	}
}

// TestPasswordFile changes the password, and with it the file, while a publisher
// has a connection.
func TestPasswordFile(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	file := filepath.Join(t.TempDir(), "password")
	change := func(password string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.admin.Do(t.Context(), "ACL", "SETUSER", "lists", "reset", "on", ">"+password, "allkeys", "allchannels", "allcommands").Err(); err != nil {
			t.Fatal(err)
		}
	}
	change("first @/?#")
	o := with(strings.Replace(p.URL, "redis://", "redis://lists@", 1), "password_file="+file)
	publisher := newPublisher(t, o)
	mustPublish(t, publisher, 1, tron)
	change("second")
	if err := p.admin.ClientKillByFilter(t.Context(), "USER", "lists").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a publish with the new password", func() bool {
		_, _, err := publisher.Current(t.Context())
		return err == nil
	})
	mustLoad(t, o, mustPublish(t, publisher, 2, evm))
}

// TestWrongKindOfServer gives the URL of one server where there are more.
func TestWrongKindOfServer(t *testing.T) {
	t.Parallel()
	master, _ := startRedis(t)
	published := mustPublish(t, newPublisher(t, master.Options), 1, tron)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(master.URL, "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	replica, _ := startRedis(t, "--repl-diskless-sync-delay", "0", "--replicaof", host, port)
	eventually(t, "replication", func() bool {
		return replica.admin.Exists(t.Context(), replica.key("head")).Val() == 1
	})
	mustLoad(t, replica.Options, published)
	const want = "this server is a read-only replica"
	publisher := newPublisher(t, replica.Options)
	for name, err := range map[string]error{
		"Publish": func() error { _, err := publisher.Publish(t.Context(), published, published, nil); return err }(),
		"Verify":  publisher.Verify(t.Context(), published, Verified{sdn.ID: {At: time.Now()}}),
		"Claim":   func() error { _, _, err := publisher.Claim(t.Context(), "x", time.Minute); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s at a replica: %v", name, err)
		}
	}

	if _, err := newReader(t, Options{URL: strings.Replace(master.URL, "redis:", "redis+cluster:", 1)}).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "cluster support disabled") {
		t.Errorf("one server as a cluster: %v", err)
	}
	if _, err := newReader(t, Options{URL: strings.Replace(master.URL, "redis:", "redis+sentinel:", 1) + "/lists"}).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "asking the sentinel") {
		t.Errorf("one server as a sentinel: %v", err)
	}
}

// TestOlderHead puts an older head back, as a replica does that became the master
// before it had all.
func TestOlderHead(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	first := mustPublish(t, publisher, 1, tron)
	old := p.admin.HGetAll(t.Context(), p.key("head")).Val()
	second := mustPublish(t, publisher, 2, evm)
	f := follow(t, p.Options, nil, 5*time.Millisecond)
	state := f.wantState()
	wantSame(t, state.Snapshot, second)
	p.admin.HSet(t.Context(), p.key("head"), old)
	err := f.wantFailure(ErrOlder)
	for _, want := range []string{"snapshot 1 of", "after 2 of", "snapshot republish"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	f.wantNothing()
	if _, err := newReader(t, p.Options).LoadAfter(t.Context(), state); !errors.Is(err, ErrOlder) {
		t.Errorf("loading after %s: %v", state.Snapshot, err)
	}
	// Who knows nothing newer takes what is there, as does a loader, whose next
	// snapshot ends it.
	mustLoad(t, p.Options, first)
	again := mustPublish(t, publisher, 3, evm, opaque)
	if again.Sequence != second.Sequence {
		t.Errorf("published %s after %s", again, first)
	}
	wantSame(t, f.wantState().Snapshot, again)
	f.wantRecovery()
}

// TestClockBehind publishes in every way with a clock that is behind that of the
// publisher before. Were the later snapshot the older one by its time, one that lost it
// would be taken for a new one.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	ctx, k := t.Context(), newKey(t)
	publisher, signer := newPublisher(t, p.Options), newPublisher(t, signedBy(p.Options, k))
	for name, publish := range map[string]func(current *screen.Snapshot) (*screen.Snapshot, error){
		"publish": func(current *screen.Snapshot) (*screen.Snapshot, error) {
			return publisher.Publish(ctx, current, merge(t, current, sdn, 3, opaque), nil)
		},
		"rollback":  func(*screen.Snapshot) (*screen.Snapshot, error) { return publisher.Rollback(ctx, 1) },
		"republish": func(*screen.Snapshot) (*screen.Snapshot, error) { return publisher.Republish(ctx) },
		"sign":      func(current *screen.Snapshot) (*screen.Snapshot, error) { return signer.Sign(ctx, current.Digest()) },
		"restore": func(current *screen.Snapshot) (*screen.Snapshot, error) {
			return publisher.Restore(ctx, current, current.Named(9, current.CreatedAt.Add(time.Hour)), nil)
		},
		"restore what is older": func(current *screen.Snapshot) (*screen.Snapshot, error) {
			return publisher.Restore(ctx, current, merge(t, screen.Empty(), sdn, 1, tron).Named(1, at2025), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p.admin.FlushAll(ctx)
			mustPublish(t, publisher, 1, tron)
			mustPublish(t, publisher, 2, evm)
			ahead := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
			p.admin.HSet(ctx, p.key("head"), "created_at", ahead.Format(time.RFC3339Nano))
			old := p.admin.HGetAll(ctx, p.key("head")).Val()
			current := newest(t, publisher)
			next, err := publish(current)
			if err != nil {
				t.Fatal(err)
			}
			state := mustLoad(t, p.Options, next)
			p.admin.HSet(ctx, p.key("head"), old)
			if _, err := newReader(t, p.Options).LoadAfter(ctx, state); !errors.Is(err, ErrOlder) {
				t.Errorf("%s of %s after %s of %s: %v", current, current.CreatedAt, next, next.CreatedAt, err)
			}
		})
	}
}

// clusterOfOne starts a redis-server that has all the slots of a cluster.
func clusterOfOne(t testing.TB) place {
	t.Helper()
	s := storetest.Redis(t, "--cluster-enabled", "yes")
	s.MustDo("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	eventually(t, "a cluster", func() bool {
		return strings.Contains(s.MustDo("CLUSTER", "INFO").(string), "cluster_state:ok")
	})
	p := at(t, "redis://"+s.Addr)
	p.URL = "redis+cluster://" + s.Addr
	return p
}

// TestAnswerLostInCluster cuts the connection when a commit was done. The client of a
// cluster would send it again, and find a conflict with itself.
func TestAnswerLostInCluster(t *testing.T) {
	t.Parallel()
	p := clusterOfOne(t)
	var commits, cuts atomic.Int32
	x, o := newProxy(t, p, nil, func(_ int, args []string) bool {
		if !strings.HasPrefix(strings.ToLower(args[0]), "eval") || len(args) < 9 {
			return false
		}
		commits.Add(1)
		// The first is refused: the server does not know the script yet.
		if h := p.admin.HGet(t.Context(), p.key("head"), "sequence").Val(); h == "" || int(commits.Load())%2 == 1 && h == "1" {
			return false
		}
		cuts.Add(1)
		return true
	})
	_, port, err := net.SplitHostPort(x.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.admin.ConfigSet(t.Context(), "cluster-announce-port", port).Err(); err != nil {
		t.Fatal(err)
	}
	publisher := newPublisher(t, o)
	published, err := publisher.Publish(t.Context(), screen.Empty(), merge(t, screen.Empty(), sdn, 1, tron), nil)
	if err != nil {
		t.Fatalf("a publish that was done: %v", err)
	}
	mustLoad(t, p.Options, published)
	t.Logf("%d commits were sent, the answers of %d lost", commits.Load(), cuts.Load())
	if cuts.Load() != 1 {
		t.Errorf("the answers of %d commits were lost, want 1", cuts.Load())
	}
}

// TestSlowSentinels has sentinels that take long to answer, as over a long line or on
// a loaded machine, and one that never does.
func TestSlowSentinels(t *testing.T) {
	t.Parallel()
	f, s := sentinels(t, nil)
	last := mustPublish(t, newPublisher(t, f.Options), 1, tron)
	var addrs []string
	for i, watcher := range s.Watchers {
		addrs = append(addrs, storetest.NewProxy(t, watcher.Addr, func(int, []string) {
			wait := agreeTimeout + 200*time.Millisecond
			if i == 0 {
				wait = 2 * findTimeout
			}
			select {
			case <-t.Context().Done():
			case <-time.After(wait):
			}
		}, nil).Addr)
	}
	mustLoad(t, Options{URL: "redis+sentinel://" + strings.Join(addrs, ",") + "/" + storetest.MasterName}, last)
}

// TestLoginAtSentinels has sentinels and servers ask for logins of their own.
func TestLoginAtSentinels(t *testing.T) {
	t.Parallel()
	f, s := sentinels(t, nil)
	doc := append([]string{"ACL", "SETUSER", "finder"}, documentedRules(t, "finder", false)...)
	for _, watcher := range s.Watchers {
		watcher.MustDo(doc...)
		watcher.MustDo("ACL", "SETUSER", "lists", "on", ">PASSWORD", "-@all")
	}
	for _, node := range f.nodes {
		node.MustDo(append([]string{"ACL", "SETUSER", "loader"}, documentedRules(t, "loader", false)...)...)
	}
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("PASSWORD"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := strings.Replace(f.URL, "://", "://loader@", 1)
	o := with(data, "password_file="+file, "sentinel_user=finder", "sentinel_password_file="+file)
	mustLoad(t, f.Options, mustPublish(t, newPublisher(t, o), 1, tron))
	o = with(data, "password_file="+file, "sentinel_user=lists", "sentinel_password_file="+file)
	if _, err := newReader(t, o).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a login without the permission: %v", err)
	}
	if _, err := newReader(t, Options{URL: strings.Replace(f.URL, "/"+storetest.MasterName, "/another", 1)}).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "No such master") {
		t.Errorf("a master that nobody knows: %v", err)
	}
	// Every one of them is down, and says so.
	for _, watcher := range s.Watchers {
		watcher.Kill()
	}
	_, err := newReader(t, f.Options).Load(t.Context())
	for _, watcher := range s.Watchers {
		if err == nil || !strings.Contains(err.Error(), watcher.Addr) {
			t.Errorf("without sentinels: %v does not name %s", err, watcher.Addr)
		}
	}
}

// TestTooFewReplicas has a master without replicas refuse a publish: nothing of it is done.
func TestTooFewReplicas(t *testing.T) {
	t.Parallel()
	p, _ := startRedis(t)
	publisher := newPublisher(t, p.Options)
	old := mustPublish(t, publisher, 1, tron)
	next := merge(t, old, sdn, 2, evm).Named(2, old.CreatedAt)
	ready := staged(t, publisher, old, next, nil)
	before := p.permanent(t)
	set(t, p, "min-replicas-to-write", "1")
	if _, err := publisher.Publish(t.Context(), old, next, nil); err == nil || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("publishing: %v", err)
	}
	if err := publisher.commit(t.Context(), ready); err == nil || !strings.Contains(err.Error(), "NOREPLICAS") {
		t.Errorf("committing: %v", err)
	}
	wantEqual(t, "without replicas", p.permanent(t), before)
	mustLoad(t, p.Options, old)
}
