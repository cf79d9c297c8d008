// Command walletscreen tells whether digital currency addresses are on public
// sanctions lists.
//
//	walletscreen serve     answers over gRPC
//	walletscreen load      imports publications into Redis
//	walletscreen check     screens addresses
//	walletscreen address   explains how texts are read, and screens nothing
//	walletscreen history   tells every listing of an address, past and present
//	walletscreen lists     tells what is loaded and how old it is
//	walletscreen watch     follows what is listed, delisted and amended
//	walletscreen snapshot  lists, compares, exports, verifies, signs, rolls back and pins snapshots
//	walletscreen key       makes and shows keys to sign snapshots with
//	walletscreen health    exits 0 when a server can answer correctly now
//	walletscreen token     makes the bearer tokens that callers of a server show
//
// Every flag but --help and --version has an environment variable, WALLETSCREEN_
// and its name in capitals, and all but those and --config have a key of their
// name in the YAML file that --config names. A flag comes before its variable, that
// before the file. A variable that is set and empty is refused, but for
// WALLETSCREEN_OPS_LISTEN. `walletscreen COMMAND --help` is the manual.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes. Those of check from 10 on stand with check.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitHeld    = 3 // load: a guard holds a change
)

type cli struct {
	Config kong.ConfigFlag `placeholder:"FILE" help:"YAML file of flags: a key is a flag's name, of any command. Unknown keys are errors."`
	// Not from the environment: images set such a variable to name themselves, and
	// a check that prints a version and exits 0 would say that nothing is listed.
	Version kong.VersionFlag `env:"-" help:"Print the version and exit."`

	Serve    serveCmd    `cmd:"" help:"Answer over gRPC."`
	Load     loadCmd     `cmd:"" help:"Import publications into Redis."`
	Check    checkCmd    `cmd:"" help:"Screen addresses."`
	Address  addressCmd  `cmd:"" help:"Explain how texts are read, and screen nothing."`
	History  historyCmd  `cmd:"" help:"Tell every listing of an address, past and present."`
	Lists    listsCmd    `cmd:"" help:"Tell what a server has loaded and how old it is."`
	Watch    watchCmd    `cmd:"" help:"Follow what is listed, delisted and amended."`
	Snapshot snapshotCmd `cmd:"" help:"List, compare, export, verify, sign, roll back and pin the snapshots that Redis keeps."`
	Key      keyCmd      `cmd:"" help:"Make and show keys to sign snapshots with."`
	Health   healthCmd   `cmd:"" help:"Exit 0 when a server can answer correctly now."`
	Token    tokenCmd    `cmd:"" help:"Make the bearer tokens that callers of a server show."`
}

// std is what a command reads and writes.
type std struct {
	in       io.Reader
	out, err io.Writer
}

// exitCode is an error that is all said by the exit code of the program.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], std{os.Stdin, os.Stdout, os.Stderr}))
}

// emptyVariable returns the name of a variable of this program that is set and empty,
// "" for none. A template that lost its value must not be why callers, keys or lists
// are not looked at. Of --ops-listen empty is a value.
func emptyVariable(environ []string) string {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" && strings.HasPrefix(name, "WALLETSCREEN_") && name != "WALLETSCREEN_OPS_LISTEN" {
			return name
		}
	}
	return ""
}

func run(ctx context.Context, args []string, s std) int {
	if name := emptyVariable(os.Environ()); name != "" {
		fmt.Fprintf(s.err, "walletscreen: the environment variable %s is set and empty: unset it or give it a value\n", name)
		return exitUsage
	}
	var c cli
	parser, err := kong.New(&c,
		kong.Name("walletscreen"),
		kong.Description("Is this digital currency address on a public sanctions list?"),
		kong.Vars{"version": version()},
		kong.DefaultEnvars("WALLETSCREEN"),
		kong.Configuration(loadConfig),
		kong.Writers(s.out, s.err),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(s),
	)
	if err != nil {
		panic(err) // the definition of the flags is wrong
	}
	command, err := parser.Parse(args)
	if err != nil {
		name := "walletscreen"
		var parse *kong.ParseError
		if errors.As(err, &parse) && parse.Context.Selected() != nil {
			name = parse.Context.Selected().FullPath()
		}
		fmt.Fprintf(s.err, "%s: %v (see: %[1]s --help)\n", name, err)
		return exitUsage
	}
	err = command.Run()
	var code exitCode
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(s.err, "%s: %v\n", command.Selected().FullPath(), err)
		return exitUsage
	default:
		fmt.Fprintf(s.err, "%s: %v\n", command.Selected().FullPath(), err)
		return exitFailure
	}
}

// usageError says that the command line asks for what cannot be.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// version is the version that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = s.Value
		}
	}
	if v == "" || v == "(devel)" {
		return "devel"
	}
	return v
}
