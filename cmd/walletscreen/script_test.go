package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"walletscreen/screen/absent"
	"walletscreen/screen/store/storetest"
)

type (
	serversKey struct{}
	testKey    struct{}
)

var (
	// servers is where a script's servers are found by name.
	servers serversKey
	// ownTest is where a script's own test is found.
	ownTest testKey
)

// awaited are the server and the pattern that a command waits for.
func awaited(ts *testscript.TestScript, neg bool, args []string) (*serving, *regexp.Regexp) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shown|page|logged NAME PATTERN")
	}
	s := ts.Value(servers).(map[string]*serving)[args[0]]
	if s == nil {
		ts.Fatalf("no server %s", args[0])
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	return s, pattern
}

// TestScripts runs the scripts in testdata: what a person types, and what the
// program answers.
//
//	$LINE                    is a line end
//	needs PROGRAM            skips the script where there is no such program; in CI it fails
//	serve NAME [FLAG...]     starts a server; $NAME is its address, $NAME_OPS the operators'
//	redis NAME               starts a redis-server; $NAME is its URL
//	exits CODE PROGRAM ...   runs a program, which must end with that code
//	waitfor FILE [PATTERN]   waits until a file is there, and matches
//	builtin DATE FILE [AS]   writes the OFAC list as it stood on that day, under another date if one is given
//	publisher NAME           serves the files of the script over HTTP; $NAME is the URL
//	shown NAME PATTERN       waits until what lists tells of a server matches
//	page NAME PATTERN        waits until a server's page for operators matches
//	logged NAME PATTERN      waits until the log of a server matches
func TestScripts(t *testing.T) {
	bin := filepath.Dir(program(t))
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Values[servers] = map[string]*serving{}
			env.Values[ownTest] = env.T()
			env.Setenv("LINE", "\n")
			env.Setenv("GORACE", os.Getenv("GORACE"))
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"needs": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: needs PROGRAM")
				}
				if _, err := exec.LookPath(args[0]); err != nil {
					absent.Skip(ts.Value(ownTest).(testing.TB), "NOT RUN: this script needs %v", err)
				}
			},
			"serve": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 1 {
					ts.Fatalf("usage: serve NAME [FLAG...]")
				}
				s := serveIn(t, ts.MkAbs("."), args[1:]...)
				ts.Defer(func() { s.stop(t) })
				ts.Setenv(args[0], s.addr)
				ts.Setenv(args[0]+"_OPS", s.ops)
				ts.Value(servers).(map[string]*serving)[args[0]] = s
			},
			"redis": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: redis NAME")
				}
				ts.Setenv(args[0], "redis://"+storetest.Redis(t).Addr)
			},
			"waitfor": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 && len(args) != 2 {
					ts.Fatalf("usage: waitfor FILE [PATTERN]")
				}
				pattern, err := regexp.Compile("(?m)" + strings.Join(args[1:], ""))
				ts.Check(err)
				eventually(t, strings.Join(args, " matches "), func() bool {
					text, err := os.ReadFile(ts.MkAbs(args[0]))
					return err == nil && pattern.Match(text)
				})
			},
			"builtin": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 && len(args) != 3 {
					ts.Fatalf("usage: builtin DATE FILE [AS]")
				}
				text, err := os.ReadFile(reconstruct(t, args[0]))
				ts.Check(err)
				if len(args) == 3 {
					printed := make([][]byte, 2)
					for i, date := range []string{args[0], args[2]} {
						day, err := time.Parse(time.DateOnly, date)
						ts.Check(err)
						printed[i] = []byte(day.Format("01/02/2006"))
					}
					text = bytes.Replace(text, printed[0], printed[1], 1)
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
			},
			"publisher": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: publisher NAME")
				}
				s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs("."))))
				ts.Defer(s.Close)
				ts.Setenv(args[0], s.URL)
			},
			"shown": func(ts *testscript.TestScript, neg bool, args []string) {
				s, pattern := awaited(ts, neg, args)
				eventually(t, args[0]+" shows "+args[1], func() bool {
					return pattern.MatchString(runProgram(t, "", "lists", "--server", s.addr).stdout)
				})
			},
			"page": func(ts *testscript.TestScript, neg bool, args []string) {
				s, pattern := awaited(ts, neg, args)
				eventually(t, args[0]+"'s page shows "+args[1], func() bool {
					res, err := http.Get("http://" + s.ops + "/")
					if err != nil {
						return false
					}
					defer res.Body.Close()
					page, err := io.ReadAll(res.Body)
					return err == nil && pattern.Match(page)
				})
			},
			"logged": func(ts *testscript.TestScript, neg bool, args []string) {
				s, pattern := awaited(ts, neg, args)
				eventually(t, args[0]+" logs "+args[1], func() bool { return pattern.MatchString(s.logged()) })
			},
			"exits": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					var exit *exec.ExitError
					if !errors.As(err, &exit) {
						ts.Fatalf("%v", err)
					}
					got = exit.ExitCode()
				}
				if got != want {
					ts.Fatalf("exit code %d, want %d: %s", got, want, fmt.Sprintln(strings.Join(args[1:], " ")))
				}
			},
		},
	})
}
