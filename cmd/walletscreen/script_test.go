package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"walletscreen/screen/store/storetest"
)

// TestScripts runs the scripts in testdata: what a person types, and what the
// program answers.
//
//	serve NAME [FLAG...]     starts a server; $NAME is its address, $NAME_OPS the operators'
//	redis NAME               starts a redis-server; $NAME is its URL
//	exits CODE PROGRAM ...   runs a program, which must end with that code
//	waitfor FILE             waits until a file is there
//	builtin DATE FILE        writes the OFAC list as it stood on that day
func TestScripts(t *testing.T) {
	bin := filepath.Dir(program(t))
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 1 {
					ts.Fatalf("usage: serve NAME [FLAG...]")
				}
				s := serveIn(t, ts.MkAbs("."), args[1:]...)
				ts.Defer(func() { s.stop(t) })
				ts.Setenv(args[0], s.addr)
				ts.Setenv(args[0]+"_OPS", s.ops)
			},
			"redis": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: redis NAME")
				}
				ts.Setenv(args[0], "redis://"+storetest.Redis(t).Addr)
			},
			"waitfor": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 1 {
					ts.Fatalf("usage: waitfor FILE")
				}
				eventually(t, args[0]+" is there", func() bool {
					_, err := os.Stat(ts.MkAbs(args[0]))
					return err == nil
				})
			},
			"builtin": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: builtin DATE FILE")
				}
				text, err := os.ReadFile(reconstruct(t, args[0]))
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o600))
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
