package storetest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A Proxy stands between the code and Redis and passes one command and its
// answer at a time, so that a test says what happens between two of them. It is
// safe for use by many goroutines.
type Proxy struct {
	// Addr is the proxy's host:port.
	Addr string

	target   string
	listener net.Listener

	mu       sync.Mutex
	commands int // passed on so far
	before   func(n int, args []string)
	cut      func(n int, args []string) bool
	refuse   bool // new connections
	conns    map[net.Conn]bool
	wait     sync.WaitGroup
}

// NewProxy puts a proxy before the Redis at host:port, until the test ends.
//
// before is called before the n-th command (from 1) reaches Redis. After the n-th
// command was carried out, cut says whether its answer is thrown away together
// with the connection. Both may be nil; connections may call them at the same time.
func NewProxy(t testing.TB, redis string, before func(n int, args []string), cut func(n int, args []string) bool) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &Proxy{
		Addr: listener.Addr().String(), target: redis, listener: listener, before: before, cut: cut, conns: map[net.Conn]bool{},
	}
	x.wait.Go(x.accept)
	t.Cleanup(func() {
		listener.Close()
		x.Drop(true)
		x.wait.Wait()
	})
	return x
}

// Drop cuts every connection and says whether new ones are refused.
func (x *Proxy) Drop(refuse bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.refuse = refuse
	for conn := range x.conns {
		conn.Close()
	}
}

func (x *Proxy) accept() {
	for {
		client, err := x.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", x.target)
		x.mu.Lock()
		if err != nil || x.refuse {
			x.mu.Unlock()
			client.Close()
			if err == nil {
				server.Close()
			}
			continue
		}
		x.conns[client], x.conns[server] = true, true
		x.mu.Unlock()
		x.wait.Go(func() {
			x.pass(client, server)
			client.Close()
			server.Close()
			x.mu.Lock()
			defer x.mu.Unlock()
			delete(x.conns, client)
			delete(x.conns, server)
		})
	}
}

func (x *Proxy) pass(client, server net.Conn) {
	requests, answers := bufio.NewReader(client), bufio.NewReader(server)
	for {
		request, args, err := frame(requests)
		if err != nil {
			return
		}
		x.mu.Lock()
		x.commands++
		n := x.commands
		x.mu.Unlock()
		if x.before != nil {
			x.before(n, args)
		}
		if _, err := server.Write(request); err != nil {
			return
		}
		if strings.EqualFold(args[0], "subscribe") {
			// From here on the answers come unasked.
			x.wait.Go(func() {
				_, _ = io.Copy(client, answers)
				client.Close()
			})
			_, _ = io.Copy(server, requests)
			return
		}
		answer, _, err := frame(answers)
		if err != nil || x.cut != nil && x.cut(n, args) {
			return
		}
		if _, err := client.Write(answer); err != nil {
			return
		}
	}
}

// frame reads one request or answer of the protocol of Redis, and the texts in it.
func frame(r *bufio.Reader) (whole []byte, texts []string, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, nil, err
	}
	size, _ := strconv.Atoi(string(bytes.TrimSpace(line[1:])))
	switch line[0] {
	case '$', '=', '!':
		if size < 0 {
			return line, nil, nil
		}
		text := make([]byte, size+2)
		_, err := io.ReadFull(r, text)
		return append(line, text...), []string{string(text[:size])}, err
	case '%':
		size *= 2
	case '*', '~', '>':
	default:
		return line, nil, nil
	}
	for range size {
		part, inner, err := frame(r)
		if err != nil {
			return nil, nil, err
		}
		line, texts = append(line, part...), append(texts, inner...)
	}
	return line, texts, nil
}
