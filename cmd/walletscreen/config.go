package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// loadConfig reads the YAML file of flags.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	c := &config{name: "config file", lines: map[string]int{}}
	if f, ok := r.(*os.File); ok {
		c.name = f.Name()
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	if err := yaml.Unmarshal(text, &c.values); err != nil {
		return nil, fmt.Errorf("%s: %s", c.name, yaml.FormatError(err, false, false))
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %s", c.name, yaml.FormatError(err, false, false))
	}
	if len(file.Docs) > 1 {
		return nil, fmt.Errorf("%s: more than one document", c.name)
	}
	for _, document := range file.Docs {
		if mapping, ok := document.Body.(ast.MapNode); ok {
			for values := mapping.MapRange(); values.Next(); {
				c.lines[values.Key().String()] = values.Key().GetToken().Position.Line
			}
		}
	}
	return c, nil
}

// config is the values of a config file by the names of flags.
type config struct {
	name   string // of the file
	values map[string]any
	lines  map[string]int // on which keys stand
}

// errorf says what is wrong with a key, and where.
func (c *config) errorf(key, format string, args ...any) error {
	return fmt.Errorf("%s:%d: key %q: %w", c.name, c.lines[key], key, fmt.Errorf(format, args...))
}

// Validate refuses keys that are no flag of any command, and what a file may
// not decide.
func (c *config) Validate(app *kong.Application) error {
	var known []string
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			known = append(known, f.Name)
		}
		for _, child := range n.Children {
			walk(child)
		}
	}
	walk(app.Node)
	known = slices.DeleteFunc(known, func(name string) bool { return name == "help" || name == "version" || name == "config" })
	for _, key := range slices.Sorted(maps.Keys(c.values)) {
		value := c.values[key]
		if !slices.Contains(known, key) {
			return c.errorf(key, "no flag of any command has that name")
		}
		if _, ok := value.(map[string]any); ok || value == nil {
			return c.errorf(key, "want a value or a list of values")
		}
	}
	return nil
}

// Resolve returns the file's value of a flag, nil when it has none.
func (c *config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c.values[flag.Name]
	if !ok {
		return nil, nil
	}
	if items, ok := value.([]any); ok {
		if !flag.IsSlice() {
			return nil, c.errorf(flag.Name, "want one value, not a list")
		}
		// As texts: the value of a flag of texts may look like a number.
		texts := make([]any, len(items))
		for i, item := range items {
			texts[i] = fmt.Sprint(item)
		}
		return texts, c.try(flag, texts)
	}
	text := fmt.Sprint(value)
	return text, c.try(flag, text)
}

// try reads a value as the flag's: kong, which does so next, knows no file to name.
func (c *config) try(flag *kong.Flag, value any) error {
	scratch := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: kong.Scan().PushTyped(value, kong.FlagValueToken)}, scratch); err != nil {
		return c.errorf(flag.Name, "%w", err)
	}
	return nil
}

// typed are the names of the flags that stand in the command line, not in the file nor
// in the environment.
func typed(line *kong.Context) map[string]bool {
	names := map[string]bool{}
	for _, p := range line.Path {
		if p.Flag != nil && !p.Resolved {
			names[p.Flag.Name] = true
		}
	}
	return names
}
