package storetest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// MasterName is the name by which sentinels know their master.
const MasterName = "lists"

// Sentinels are a master with replicas and the sentinels that watch over them.
type Sentinels struct {
	// Nodes are the Redis servers. The first is the master to begin with.
	Nodes []*Server
	// Watchers are the sentinels; more than half of them vote for a failover.
	Watchers []*Server

	t testing.TB
}

// Sentinel starts a master, two replicas and three sentinels on loopback ports,
// and waits until all know of each other. A master that does not answer for
// most of a second is replaced within about two; it becomes a replica when it
// comes back. args are for the Redis servers and certs, unless nil, for
// all, as for RedisTLS.
func Sentinel(t testing.TB, certs *Certificates, args ...string) *Sentinels {
	t.Helper()
	const replicas, watchers = 2, 3
	f := &Sentinels{t: t}
	quick := append([]string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"}, args...)
	if certs != nil {
		quick = append(quick, "--tls-replication", "yes")
	}
	master := redis(t, certs, quick)
	f.Nodes = append(f.Nodes, master)
	for range replicas {
		f.Nodes = append(f.Nodes, redis(t, certs, slices.Concat(quick, []string{"--replicaof", "127.0.0.1", master.port()})))
	}
	await(t, "replicas in line", func() bool {
		info, _ := master.MustDo("INFO", "replication").(string)
		return strings.Count(info, "state=online") == replicas
	})
	for i := range watchers {
		// The first finds the master down long before the others do. Three that find
		// out at one time vote for themselves, and may do so for half a minute.
		down := 800 * time.Millisecond
		if i > 0 {
			down = 5 * time.Second
		}
		f.Watchers = append(f.Watchers, sentinel(t, certs, master, down))
	}
	for _, watcher := range f.Watchers {
		// The ordinary periods of seconds are for networks.
		watcher.MustDo("SENTINEL", "DEBUG", "info-period", "100", "publish-period", "100", "ask-period", "50",
			"min-link-reconnect-period", "50",
			"tilt-trigger", "20000") // a sentinel that got no time for two seconds does nothing for thirty
	}
	f.AwaitWhole()
	return f
}

// sentinel starts a sentinel. What it is told and what it learns stands in a file
// that it writes itself.
func sentinel(t testing.TB, certs *Certificates, master *Server, down time.Duration) *Server {
	t.Helper()
	return launch(t, certs, "Sentinel ID is", func(s *Server, port string) ([]string, error) {
		lines := []string{
			"bind 127.0.0.1", "dir " + s.dir, "logfile " + s.log(),
			"sentinel monitor " + MasterName + " 127.0.0.1 " + master.port() + " 1",
			fmt.Sprintf("sentinel down-after-milliseconds %s %d", MasterName, down.Milliseconds()),
			"sentinel failover-timeout " + MasterName + " 1500",
			"sentinel parallel-syncs " + MasterName + " 2",
		}
		if certs == nil {
			lines = append(lines, "port "+port)
		} else {
			lines = append(lines, "port 0", "tls-port "+port, "tls-replication yes",
				"tls-cert-file "+certs.ServerCert, "tls-key-file "+certs.ServerKey, "tls-ca-cert-file "+certs.CA)
		}
		file := filepath.Join(s.dir, "sentinel.conf")
		return []string{file, "--sentinel"}, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	})
}

// Addrs are the addresses of the sentinels.
func (f *Sentinels) Addrs() []string { return addrs(f.Watchers) }

// Master is the Redis server that most sentinels call the master.
func (f *Sentinels) Master() *Server {
	f.t.Helper()
	votes := map[string]int{}
	for _, watcher := range f.Watchers {
		if addr, err := watcher.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName); err == nil {
			if parts, ok := addr.([]any); ok && len(parts) == 2 {
				votes[net.JoinHostPort(fmt.Sprint(parts[0]), fmt.Sprint(parts[1]))]++
			}
		}
	}
	for _, node := range f.Nodes {
		if votes[node.Addr] > len(f.Watchers)/2 {
			return node
		}
	}
	return nil
}

// AwaitWhole waits until every sentinel that runs knows the same master, which
// answers as one, has all other Redis servers as replicas, and knows the other sentinels.
func (f *Sentinels) AwaitWhole() {
	f.t.Helper()
	await(f.t, "sentinels and replicas that know of each other", func() bool {
		master := f.Master()
		if master == nil {
			return false
		}
		info, _ := master.Do("INFO", "replication")
		if text, _ := info.(string); !strings.Contains(text, "role:master") || strings.Count(text, "state=online") != len(f.Nodes)-1 {
			return false
		}
		for _, watcher := range f.Watchers {
			if watcher.process == nil {
				continue
			}
			answer, err := watcher.Do("SENTINEL", "MASTER", MasterName)
			if err != nil {
				return false
			}
			about := map[string]string{}
			for pair := range slices.Chunk(answer.([]any), 2) {
				about[pair[0].(string)] = pair[1].(string)
			}
			if about["flags"] != "master" || about["port"] != master.port() ||
				about["num-slaves"] != strconv.Itoa(len(f.Nodes)-1) || about["num-other-sentinels"] != strconv.Itoa(len(f.Watchers)-1) {
				return false
			}
		}
		return true
	})
}

// Nodes are the servers of a cluster.
type Nodes struct {
	Nodes []*Server

	t testing.TB
}

// Cluster starts a cluster of three masters with a replica each on loopback
// ports, and waits until all agree on who has which slots. A master that does
// not answer for half a second is replaced within about two seconds; it becomes
// a replica when it comes back. args and certs are as for Sentinel.
func Cluster(t testing.TB, certs *Certificates, args ...string) *Nodes {
	t.Helper()
	const masters = 3
	c := &Nodes{t: t}
	buses := map[*Server]string{}
	for range 2 * masters {
		bus, err := freeAddr()
		if err != nil {
			t.Fatal(err)
		}
		_, busPort, _ := net.SplitHostPort(bus)
		member := append([]string{
			"--cluster-enabled", "yes", "--cluster-port", busPort, "--cluster-node-timeout", "500",
			"--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1",
		}, args...)
		if certs != nil {
			member = append(member, "--tls-cluster", "yes", "--tls-replication", "yes")
		}
		node := redis(t, certs, member)
		buses[node] = busPort
		c.Nodes = append(c.Nodes, node)
	}
	const slots = 16384
	for i, node := range c.Nodes {
		node.MustDo("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.Nodes[0].MustDo("CLUSTER", "MEET", "127.0.0.1", node.port(), buses[node])
		if i < masters {
			node.MustDo("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*slots/masters), strconv.Itoa((i+1)*slots/masters-1))
		}
	}
	for i, replica := range c.Nodes[masters:] {
		id := c.Nodes[i].MustDo("CLUSTER", "MYID").(string)
		await(t, "acquaintance", func() bool {
			known, _ := replica.MustDo("CLUSTER", "NODES").(string)
			return strings.Contains(known, id)
		})
		replica.MustDo("CLUSTER", "REPLICATE", id)
	}
	c.AwaitWhole()
	return c
}

// Addrs are the addresses of the servers.
func (c *Nodes) Addrs() []string { return addrs(c.Nodes) }

// Master is the server that, according to most, has the slot of a key; nil when
// they do not agree.
func (c *Nodes) Master(key string) *Server {
	c.t.Helper()
	votes := map[string]int{}
	for _, node := range c.Nodes {
		if node.process == nil {
			continue
		}
		slot, err := node.Do("CLUSTER", "KEYSLOT", key)
		if err != nil {
			continue
		}
		ranges, err := node.Do("CLUSTER", "SLOTS")
		if err != nil {
			continue
		}
		for _, r := range ranges.([]any) {
			if r := r.([]any); r[0].(int64) <= slot.(int64) && slot.(int64) <= r[1].(int64) && len(r) > 2 {
				votes[fmt.Sprint(r[2].([]any)[2])]++
			}
		}
	}
	for _, node := range c.Nodes {
		if node.process == nil {
			continue
		}
		if id, err := node.Do("CLUSTER", "MYID"); err == nil && votes[id.(string)] > len(c.Nodes)/2 {
			return node
		}
	}
	return nil
}

// AwaitWhole waits until every server is there and calls the cluster whole, and
// until three masters have a replica each that is in line.
func (c *Nodes) AwaitWhole() {
	c.t.Helper()
	await(c.t, "a whole cluster", func() bool {
		online, masters := 0, 0
		for _, node := range c.Nodes {
			state, err := node.Do("CLUSTER", "INFO")
			if err != nil || !strings.Contains(state.(string), "cluster_state:ok") || !strings.Contains(state.(string), "cluster_slots_ok:16384") {
				return false
			}
			known, err := node.Do("CLUSTER", "NODES")
			if err != nil || strings.Count(known.(string), "\n") != len(c.Nodes) || strings.Contains(known.(string), "fail") ||
				strings.Count(known.(string), "slave ") != len(c.Nodes)/2 {
				return false
			}
			info, err := node.Do("INFO", "replication")
			if err != nil {
				return false
			}
			masters += strings.Count(info.(string), "role:master")
			online += strings.Count(info.(string), "state=online")
		}
		return masters == len(c.Nodes)/2 && online == masters
	})
}

func addrs(servers []*Server) []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.Addr
	}
	return all
}

func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(4 * pollEvery)
	defer tick.Stop()
	for deadline := time.After(startLimit); !holds(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v in vain for: %s", startLimit, what)
		}
	}
}
