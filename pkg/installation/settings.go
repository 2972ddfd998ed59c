// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
)

// routes maps real runtimes to names of the shim, and says whether all containers are traced.
type routes struct {
	config config.Config
	chosen bool // the configuration names the runtime behind the shim's own name
}

func newRoutes(c config.Config) *routes {
	c.Runtimes = maps.Clone(c.Runtimes)
	return &routes{c, !slices.Equal(c.Runtime, config.Default().Runtime)}
}

// repair finds the runtimes again that were moved: it looks for programs with the same base name.
func (r *routes) repair(exists func(path string) bool) {
	moved := func(runtime string) string {
		if path.IsAbs(runtime) && !exists(runtime) {
			for _, file := range (config.Runtime{path.Base(runtime)}).Candidates("") {
				if exists(file) {
					return file
				}
			}
		}
		return runtime
	}
	if len(r.config.Runtime) == 1 {
		r.config.Runtime = config.Runtime{moved(r.config.Runtime[0])}
	}
	for name, runtime := range r.config.Runtimes {
		r.config.Runtimes[name] = moved(runtime)
	}
}

// name returns the NAME of runc-trace-NAME for an engine's real runtime, "" for the shim's own name. The first runtime
// gets the shim's own name, unless the configuration has another runtime for it.
func (r *routes) name(e engine.Engine, real string) string {
	if !r.chosen {
		r.config.Runtime, r.chosen = config.Runtime{real}, true
	}
	if slices.Equal(r.config.Runtime, config.Runtime{real}) {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(r.config.Runtimes)) {
		if r.config.Runtimes[name] == real {
			return name
		}
	}
	base := strings.Map(plain, path.Base(real))
	name := base
	for i := 2; ; i++ {
		if _, taken := r.config.Runtimes[name]; !taken {
			break
		}
		if name = base + "-" + cmp.Or(e.Variant, string(e.Kind)); i > 2 {
			name = fmt.Sprintf("%s-%d", name, i)
		}
	}
	if r.config.Runtimes == nil {
		r.config.Runtimes = make(map[string]string)
	}
	r.config.Runtimes[name] = real
	return name
}

// plain keeps only characters of a name that need no quotes, in TOML or elsewhere.
func plain(c rune) rune {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		return c
	}
	return '-'
}

// write returns the text of config.toml: the given text, nil for none, with as few lines changed as possible.
func (r *routes) write(text []byte) ([]byte, error) {
	if text == nil {
		return []byte(config.File(r.config)), nil
	}
	now, err := config.Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s is invalid, correct it first: %w", config.DefaultPath, err)
	}
	if r.same(now) {
		return text, nil
	}
	edited := string(text)
	if !slices.Equal(now.Runtime, r.config.Runtime) {
		edited = setKey(edited, "runtime", fmt.Sprintf("%q", r.config.Runtime[0]))
	}
	if now.Adopt != r.config.Adopt {
		edited = setKey(edited, "adopt", fmt.Sprint(r.config.Adopt))
	}
	var added []string
	for _, name := range slices.Sorted(maps.Keys(r.config.Runtimes)) {
		if now.Runtimes[name] != r.config.Runtimes[name] {
			added = append(added, fmt.Sprintf("%s = %q", name, r.config.Runtimes[name]))
		}
	}
	edited = addRuntimes(edited, added)
	if result, err := config.Parse(edited); err != nil || !r.same(result) {
		return nil, fmt.Errorf("tracectl cannot edit the syntax of %s: write by hand runtime = %q, adopt = %t%s",
			config.DefaultPath, r.config.Runtime[0], r.config.Adopt, below(added))
	}
	return []byte(edited), nil
}

func below(added []string) string {
	if len(added) == 0 {
		return ""
	}
	return ", and below [runtimes] " + strings.Join(added, ", ")
}

// same reports whether a configuration has exactly these routes.
func (r *routes) same(c config.Config) bool {
	if len(c.Runtimes) == 0 && len(r.config.Runtimes) == 0 {
		c.Runtimes = r.config.Runtimes
	}
	return reflect.DeepEqual(c, r.config)
}

// setKey sets the line of a key outside tables: in place, or else at the line that shows its default, or else before
// all other lines.
func setKey(text, key, value string) string {
	line := key + " = " + value + "\n"
	lines := strings.SplitAfter(text, "\n")
	for _, prefix := range []string{key + " =", "#" + key + " ="} {
		if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) }); at >= 0 {
			lines[at] = line
			return strings.Join(lines, "")
		}
	}
	return line + text
}

// addRuntimes adds lines to the table [runtimes]. If there is none, it creates it in place of the commented one, or
// else before all other tables.
func addRuntimes(text string, added []string) string {
	if len(added) == 0 {
		return text
	}
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	isLine := func(want string) func(string) bool {
		return func(l string) bool { return strings.TrimSpace(l) == want }
	}
	block := strings.Join(added, "\n") + "\n"
	if at := slices.IndexFunc(lines, isLine("[runtimes]")); at >= 0 {
		return strings.Join(slices.Insert(lines, at+1, block), "")
	}
	if at := slices.IndexFunc(lines, isLine("#[runtimes]")); at >= 0 {
		lines[at] = "[runtimes]\n"
		if at+1 < len(lines) && strings.HasPrefix(lines[at+1], "#crun =") {
			lines[at+1] = ""
		}
		return strings.Join(slices.Insert(lines, at+1, block), "")
	}
	block = "[runtimes]\n" + block + "\n"
	at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), "[") })
	if at < 0 {
		return strings.Join(lines, "") + "\n" + strings.TrimSuffix(block, "\n")
	}
	for at > 0 && strings.HasPrefix(lines[at-1], "#") { // comments above a table stay with it
		at--
	}
	return strings.Join(slices.Insert(lines, at, block), "")
}
