package storetest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// commandLimit is how long a server may take for the answer to one command.
const commandLimit = 5 * time.Second

// ReplyError is a server's refusal of a command.
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Do sends one command on a connection of its own and returns the answer: a
// string, an int64, a []any of such, or nil. A refusal is a ReplyError.
func (s *Server) Do(args ...string) (any, error) { return s.do(commandLimit, args...) }

// MustDo is Do that fails the test.
func (s *Server) MustDo(args ...string) any {
	s.t.Helper()
	answer, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("redis-server on %s, %q: %v", s.Addr, args, err)
	}
	return answer
}

func (s *Server) do(limit time.Duration, args ...string) (any, error) {
	deadline := time.Now().Add(limit)
	conn, err := s.dial(deadline)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	request := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, arg := range args {
		request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	return reply(bufio.NewReader(conn))
}

func (s *Server) dial(deadline time.Time) (net.Conn, error) {
	dialer := &net.Dialer{Deadline: deadline}
	if s.certs != nil {
		return s.certs.dial(dialer, s.Addr)
	}
	return dialer.Dial("tcp", s.Addr)
}

// reply reads one answer of the protocol of Redis, version 2.
func reply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if len(line) < 3 {
		return nil, fmt.Errorf("answer of the form %q", line)
	}
	text := line[1 : len(line)-2]
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return nil, ReplyError(text)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("answer of the form %q", line)
	}
	switch {
	case line[0] == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case line[0] == '$':
		bulk := make([]byte, n+2)
		if _, err := io.ReadFull(r, bulk); err != nil {
			return nil, err
		}
		return string(bulk[:n]), nil
	case line[0] == '*':
		answers := make([]any, n)
		for i := range answers {
			if answers[i], err = reply(r); err != nil {
				return nil, err
			}
		}
		return answers, nil
	}
	return nil, fmt.Errorf("answer of the form %q", line)
}
