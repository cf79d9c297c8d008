package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	module = "walletscreen"
	root   = "../.."
)

// room is one package and what it may import outside of its tests, beyond the
// standard library.
type room struct {
	path   string
	ours   []string // packages of this module
	others []string // modules and packages of others, with all that is below
	// never names packages of the standard library that must not be imported.
	never []string
	// unreachable names those that must not even be imported by an import.
	unreachable []string
}

var (
	grpcAndProto = []string{"google.golang.org/grpc", "google.golang.org/protobuf"}
	// A parser is handed a reader and returns values: what it parses never
	// depends on the machine it runs on.
	parserNever       = []string{"os", "os/exec", "syscall"}
	parserUnreachable = []string{"net", "net/http"}
)

// rooms says who may know whom. A package without a row fails the test, so that
// a new room is a decision. What follows from it, among others: only screen/store
// knows go-redis, screen/server and loader do not know each other nor the store,
// and only cmd/walletscreen, which joins them, knows miniredis.
var rooms = []room{
	{path: "proto/walletscreen/v1", others: grpcAndProto},

	{path: "screen/address", others: []string{"golang.org/x/crypto"}, unreachable: []string{"net", "net/http"}},
	{path: "screen/pace"},
	{path: "screen/phrase", unreachable: []string{"net", "net/http"}},
	{path: "screen", ours: []string{"screen/address", "screen/pace"}, unreachable: []string{"net", "net/http"}},
	{path: "screen/wire", ours: []string{"proto/walletscreen/v1"}, others: grpcAndProto},
	{path: "screen/signing", unreachable: []string{"net/http"}},
	{path: "screen/store", ours: []string{"screen", "screen/address", "screen/pace", "screen/signing"}, others: []string{"github.com/redis/go-redis"}},
	{path: "screen/absent"},
	{path: "screen/store/storetest", ours: []string{"screen/absent"}},
	{
		path: "screen/server",
		ours: []string{"proto/walletscreen/v1", "screen", "screen/address", "screen/pace", "screen/server/access", "screen/signing", "screen/wire"},
		others: append([]string{
			"google.golang.org/genproto/googleapis/rpc", "github.com/prometheus/client_golang",
			"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/trace",
			"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
		}, grpcAndProto...),
	},
	{
		path:   "screen/server/access",
		others: []string{"google.golang.org/grpc", "github.com/goccy/go-yaml", "github.com/prometheus/client_golang", "golang.org/x/time"},
	},
	{
		path:   "screen/client",
		ours:   []string{"proto/walletscreen/v1", "screen/wire"},
		others: append([]string{"google.golang.org/genproto/googleapis/rpc"}, grpcAndProto...),
	},

	{
		path: "loader",
		ours: []string{
			"screen", "screen/address", "screen/phrase", "loader/custom", "loader/document", "loader/fetch",
			"loader/eu", "loader/fbi", "loader/fr", "loader/il", "loader/jp", "loader/ofac", "loader/opensanctions", "loader/uk", "loader/un",
		},
		others: []string{"github.com/prometheus/client_golang"},
	},
	{path: "loader/fetch", others: []string{"github.com/cenkalti/backoff"}},
	{path: "loader/document", ours: []string{"screen"}, unreachable: parserUnreachable},
	{path: "loader/custom", ours: []string{"screen"}, others: []string{"golang.org/x/text"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/xmlstream", never: parserNever, unreachable: parserUnreachable},
	{path: "loader/il", ours: []string{"screen", "screen/address", "loader/sheet"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/jp", ours: []string{"screen", "loader/freetext", "loader/sheet"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/sheet", ours: []string{"loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/sheet/sheettest"},
	{path: "loader/parsertest", ours: []string{"screen"}, others: []string{"github.com/google/go-cmp"}},
	{
		path: "loader/fbi", ours: []string{"screen", "screen/address", "loader/freetext"}, others: []string{"golang.org/x/net/html"},
		never: parserNever, unreachable: parserUnreachable,
	},
	{path: "loader/opensanctions", ours: []string{"screen", "screen/address"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/un", ours: []string{"screen", "loader/freetext", "loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/ofac", ours: []string{"screen", "screen/address", "loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/freetext", ours: []string{"screen", "screen/address", "loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/uk", ours: []string{"screen", "loader/freetext", "loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/eu", ours: []string{"screen", "loader/freetext", "loader/xmlstream"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/fr", ours: []string{"screen", "loader/freetext"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/builtin", ours: []string{"screen"}, never: parserNever, unreachable: parserUnreachable},
	{path: "loader/builtin/make", ours: []string{"screen", "loader", "loader/fetch"}},

	{
		path: "cmd/walletscreen",
		ours: []string{
			"proto/walletscreen/v1",
			"screen", "screen/address", "screen/client", "screen/phrase", "screen/server", "screen/server/access", "screen/signing", "screen/store", "screen/wire",
			"loader", "loader/builtin", "loader/fetch",
		},
		others: append([]string{
			"github.com/alecthomas/kong",
			"github.com/alicebob/miniredis",
			"github.com/goccy/go-yaml",
			"github.com/prometheus/client_golang",
			"github.com/schollz/progressbar",
			"go.opentelemetry.io/otel",
			"golang.org/x/sync",
			"golang.org/x/term",
		}, grpcAndProto...),
	},
}

// vagueNames are names of packages that say nothing of what is inside.
var vagueNames = regexp.MustCompile(`^(utils?|common|shared|helpers?|misc)$`)

// listed is what go list tells of a package.
type listed struct {
	ImportPath string
	Name       string
	Imports    []string // of the package, its tests left out
	Deps       []string // Imports, and theirs, and so on
}

// within reports whether the package is the one at prefix or below it.
func within(pkg, prefix string) bool {
	return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
}

// standard reports whether the package is of the standard library, whose paths
// alone have no domain name in front.
func standard(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !within(pkg, module) && !strings.Contains(first, ".")
}

// violations returns a sentence for each breach of the rules.
func violations(rooms []room, packages []listed) []string {
	var found []string
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		here := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, name := range append(strings.Split(here, "/"), p.Name) {
			if vagueNames.MatchString(name) {
				report("%s: the name %q does not say what is inside", here, name)
			}
		}
		i := slices.IndexFunc(rooms, func(r room) bool { return r.path == here })
		if i < 0 {
			report("%s has no row in rooms: decide what it may import, and add one", here)
			continue
		}
		r := rooms[i]
		for _, imported := range p.Imports {
			ours, isOurs := strings.CutPrefix(imported, module+"/")
			switch {
			case isOurs && !slices.Contains(r.ours, ours),
				!isOurs && !standard(imported) && !slices.ContainsFunc(r.others, func(prefix string) bool { return within(imported, prefix) }),
				slices.Contains(r.never, imported):
				report("%s must not import %s", here, strings.TrimPrefix(imported, module+"/"))
			}
		}
		for _, dep := range p.Deps {
			if slices.Contains(r.unreachable, dep) {
				report("%s must not import %s, not even through another package", here, dep)
			}
		}
	}
	return found
}

func TestImports(t *testing.T) {
	out := goCommand(t, "list", "-json=ImportPath,Name,Imports,Deps", "./...")
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("reading what go list says: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 2 {
		t.Fatalf("go list names %d packages: it did not look at the whole module", len(packages))
	}
	for _, violation := range violations(rooms, packages) {
		t.Error(violation)
	}
}

func TestImportRulesAreHeld(t *testing.T) {
	for _, test := range []struct {
		name string
		pkg  listed
		want []string
	}{
		{
			name: "allowed",
			pkg:  listed{ImportPath: "walletscreen/screen/store", Name: "store", Imports: []string{"os", "walletscreen/screen", "github.com/redis/go-redis/v9"}, Deps: []string{"net", "net/http"}},
		},
		{
			name: "address knows something of ours",
			pkg:  listed{ImportPath: "walletscreen/screen/address", Imports: []string{"walletscreen/screen"}},
			want: []string{"screen/address must not import screen"},
		},
		{
			name: "server knows the store and the loader",
			pkg:  listed{ImportPath: "walletscreen/screen/server", Imports: []string{"walletscreen/screen/store", "walletscreen/loader/ofac"}},
			want: []string{"screen/server must not import screen/store", "screen/server must not import loader/ofac"},
		},
		{
			name: "loader knows the store and the server",
			pkg:  listed{ImportPath: "walletscreen/loader", Imports: []string{"walletscreen/screen/store", "walletscreen/screen/server"}},
			want: []string{"loader must not import screen/store", "loader must not import screen/server"},
		},
		{
			name: "a second importer of go-redis",
			pkg:  listed{ImportPath: "walletscreen/cmd/walletscreen", Imports: []string{"github.com/redis/go-redis/v9"}},
			want: []string{"cmd/walletscreen must not import github.com/redis/go-redis/v9"},
		},
		{
			name: "miniredis outside of cmd",
			pkg:  listed{ImportPath: "walletscreen/screen/store", Imports: []string{"github.com/alicebob/miniredis/v2"}},
			want: []string{"screen/store must not import github.com/alicebob/miniredis/v2"},
		},
		{
			name: "a helper of tests outside of tests",
			pkg:  listed{ImportPath: "walletscreen/cmd/walletscreen", Imports: []string{"walletscreen/screen/store/storetest"}},
			want: []string{"cmd/walletscreen must not import screen/store/storetest"},
		},
		{
			name: "a module whose name begins like an allowed one",
			pkg:  listed{ImportPath: "walletscreen/screen/store", Imports: []string{"github.com/redis/go-redis-extra"}},
			want: []string{"screen/store must not import github.com/redis/go-redis-extra"},
		},
		{
			name: "a parser opens files, and reaches the network through another package",
			pkg:  listed{ImportPath: "walletscreen/loader/ofac", Imports: []string{"os"}, Deps: []string{"os", "net/http"}},
			want: []string{"loader/ofac must not import os", "loader/ofac must not import net/http, not even through another package"},
		},
		{
			name: "a new room",
			pkg:  listed{ImportPath: "walletscreen/screen/cache", Name: "cache"},
			want: []string{"screen/cache has no row in rooms: decide what it may import, and add one"},
		},
		{
			name: "a vague name",
			pkg:  listed{ImportPath: "walletscreen/screen", Name: "utils"},
			want: []string{`screen: the name "utils" does not say what is inside`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, violations(rooms, []listed{test.pkg})); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// moduleFile is what go mod edit -json tells of a module file.
type moduleFile struct {
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Tool []struct{ Path string }
}

func readModuleFile(t *testing.T, name string) moduleFile {
	t.Helper()
	var file moduleFile
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json", name), &file); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	return file
}

func (f moduleFile) version(path string) string {
	for _, r := range f.Require {
		if r.Path == path {
			return r.Version
		}
	}
	return "not required"
}

// The page on dependencies names all of them, each with license and reason, and
// no other.
func TestDependenciesPage(t *testing.T) {
	const page = "docs/dependencies.md"
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	libraries, tools, found := strings.Cut(string(text), "\n## Tools\n")
	if !found {
		t.Fatalf("%s has no section Tools", page)
	}
	service, toolchain := readModuleFile(t, "go.mod"), readModuleFile(t, ".ci/tools.mod")

	direct := map[string]bool{}
	for _, r := range service.Require {
		if !r.Indirect {
			direct[r.Path] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(direct)), firstColumn(t, libraries)); diff != "" {
		t.Errorf("direct requirements: go.mod (-) and %s (+) differ:\n%s", page, diff)
	}
	pinned := map[string]bool{}
	for _, tool := range toolchain.Tool {
		pinned[tool.Path] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(pinned)), firstColumn(t, tools)); diff != "" {
		t.Errorf("tools: .ci/tools.mod (-) and %s (+) differ:\n%s", page, diff)
	}

	const protobuf = "google.golang.org/protobuf"
	if generator, runtime := toolchain.version(protobuf), service.version(protobuf); generator != runtime {
		t.Errorf("%s is %s in .ci/tools.mod and %s in go.mod: code is to be generated by the version it runs with", protobuf, generator, runtime)
	}
}

// firstColumn returns the sorted first cells of a page's table, and wants no
// cell of it to be empty.
func firstColumn(t *testing.T, page string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		name := strings.Trim(cells[0], " `")
		if len(cells) != 4 || slices.ContainsFunc(cells, func(cell string) bool { return strings.TrimSpace(cell) == "" }) {
			t.Errorf("%s: want name, license, release and reason, got %q", name, line)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// goCommand runs the go command at the root of the module.
func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}
