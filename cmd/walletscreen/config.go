package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// loadConfig reads the YAML file of flags.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	var values map[string]any
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && err != io.EOF {
		return nil, fmt.Errorf("config file: %s", yaml.FormatError(err, false, false))
	}
	return config(values), nil
}

// config is the values of a config file by the names of flags.
type config map[string]any

// Validate refuses keys that are no flag of any command, and what a file may
// not decide.
func (c config) Validate(app *kong.Application) error {
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
	for key, value := range c {
		if !slices.Contains(known, key) {
			return fmt.Errorf("config file: unknown key %q", key)
		}
		if _, ok := value.(map[string]any); ok || value == nil {
			return fmt.Errorf("config file: key %q: want a value or a list of values", key)
		}
	}
	return nil
}

// Resolve returns the file's value of a flag, nil when it has none.
func (c config) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := c[flag.Name]
	if !ok {
		return nil, nil
	}
	if items, ok := value.([]any); ok {
		if !flag.IsSlice() {
			return nil, fmt.Errorf("config file: key %q: want one value, not a list", flag.Name)
		}
		// As texts: the value of a flag of texts may look like a number.
		texts := make([]any, len(items))
		for i, item := range items {
			texts[i] = fmt.Sprint(item)
		}
		return texts, nil
	}
	return fmt.Sprint(value), nil
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
