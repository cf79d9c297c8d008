package storetest

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"
)

var (
	masterOffset  = regexp.MustCompile(`(?m)^master_repl_offset:(\d+)`)
	replicaOffset = regexp.MustCompile(`(?m)^slave\d+:.*state=online,offset=(\d+)`)
)

// awaitReplicated waits until replicas have all that their master has by now. WAIT
// would answer for the writes of its own connection only.
func awaitReplicated(t *testing.T, master *Server, replicas int) {
	t.Helper()
	info := func() string { return fmt.Sprint(master.MustDo("INFO", "replication")) }
	number := func(match []string) int {
		if match == nil {
			t.Fatal("INFO replication names no offset")
		}
		n, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	written := number(masterOffset.FindStringSubmatch(info()))
	await(t, "the replicas have what was written", func() bool {
		have := 0
		for _, match := range replicaOffset.FindAllStringSubmatch(info(), -1) {
			if number(match) >= written {
				have++
			}
		}
		return have >= replicas
	})
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, certs := range map[string]*Certificates{"plain": nil, "TLS": NewCertificates(t)} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			f := Sentinel(t, certs)
			t.Logf("started after %v", time.Since(begin))
			first := f.Master()
			if first == nil {
				t.Fatal("there is no master") // a loaded machine may have changed it by now
			}
			wantReply(t, first, "OK", "SET", "list", "us-ofac-sdn")
			awaitReplicated(t, first, 2)
			begin = time.Now()
			first.Kill()
			var second *Server
			await(t, "another master", func() bool { second = f.Master(); return second != nil && second != first })
			t.Logf("another master after %v", time.Since(begin))
			wantReply(t, second, "us-ofac-sdn", "GET", "list")
			begin = time.Now()
			first.Restart()
			f.AwaitWhole()
			t.Logf("whole after %v", time.Since(begin))
			wantReply(t, first, "us-ofac-sdn", "GET", "list")
		})
	}
}

func TestClusterFailover(t *testing.T) {
	t.Parallel()
	for name, certs := range map[string]*Certificates{"plain": nil, "TLS": NewCertificates(t)} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			c := Cluster(t, certs)
			t.Logf("started after %v", time.Since(begin))
			first := c.Master("list")
			if first == nil {
				t.Fatal("nobody has the slot")
			}
			wantReply(t, first, "OK", "SET", "list", "us-ofac-sdn")
			awaitReplicated(t, first, 1)
			begin = time.Now()
			first.Kill()
			var second *Server
			await(t, "another master", func() bool { second = c.Master("list"); return second != nil && second != first })
			t.Logf("another master after %v", time.Since(begin))
			wantReply(t, second, "us-ofac-sdn", "GET", "list")
			begin = time.Now()
			first.Restart()
			c.AwaitWhole()
			t.Logf("whole after %v", time.Since(begin))
		})
	}
}

func TestTLSOnly(t *testing.T) {
	t.Parallel()
	s := RedisTLS(t, NewCertificates(t))
	wantReply(t, s, "PONG", "PING")
	s.certs = nil
	if reply, err := s.Do("PING"); err == nil {
		t.Errorf("without TLS PING was answered with %v", reply)
	}
	s.certs = NewCertificates(t)
	if reply, err := s.Do("PING"); err == nil {
		t.Errorf("with another authority PING was answered with %v", reply)
	}
	s.certs = nil // awaiting it again is not wanted
}
