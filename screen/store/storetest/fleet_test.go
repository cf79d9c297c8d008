package storetest

import (
	"testing"
	"time"
)

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	for name, certs := range map[string]*Certificates{"plain": nil, "TLS": NewCertificates(t)} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			f := Sentinel(t, certs)
			t.Logf("started after %v", time.Since(begin))
			first := f.Master()
			if first != f.Nodes[0] {
				t.Fatalf("the master is %v", first)
			}
			wantReply(t, first, "OK", "SET", "list", "us-ofac-sdn")
			wantReply(t, first, int64(2), "WAIT", "2", "1000")
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
