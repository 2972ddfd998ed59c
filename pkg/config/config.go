// SPDX-License-Identifier: Apache-2.0

// Package config reads config.toml, the one file that the shim and tracectl share.
package config

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// DefaultPath is the path of the file unless PathEnv is set.
const DefaultPath = "/etc/runc-trace/config.toml"

// PathEnv is the environment variable that overrides DefaultPath. The shim ignores it for callers without
// privileges.
const PathEnv = "RUNC_TRACE_CONFIG"

// Config is the whole file. File renders it with an explanation of each key.
type Config struct {
	Runtime         Runtime           `toml:"runtime"`
	PinDir          string            `toml:"pin-dir"`
	Log             string            `toml:"log"`
	LogLevel        string            `toml:"log-level"`
	RecordSandboxes bool              `toml:"record-sandboxes"`
	Adopt           bool              `toml:"adopt"`
	Runtimes        map[string]string `toml:"runtimes"` // absolute paths; see RuntimeFor
	Labels          Labels            `toml:"labels"`
	Contents        Contents          `toml:"contents"`
	Redact          Redact            `toml:"redact"`
	Archive         Archive           `toml:"archive"`
	Pool            Pool              `toml:"pool"`
}

// Labels selects annotations that are labels, besides the built-in ones, and the most important labels.
type Labels struct {
	Annotations []string `toml:"annotations"`
	Prefixes    []string `toml:"prefixes"`
	JSON        []string `toml:"json"`
	Keep        []string `toml:"keep"` // see identity.KeepFirst
}

// Contents chooses how much is recorded of a container: see identity.ContentsRules.
type Contents struct {
	Default    string   `toml:"default"`
	Annotation string   `toml:"annotation"`
	All        []string `toml:"all"`
	Paths      []string `toml:"paths"`
	None       []string `toml:"none"`
	Off        []string `toml:"off"`
}

// Redact has the patterns of what tracectl masks: see package redact, which checks them. The shim does not need them.
type Redact struct {
	Builtin  bool     `toml:"builtin"`
	Patterns []string `toml:"patterns"`
}

// lists returns the rules for each identity.Contents.
func (c *Contents) lists() []*[]string { return []*[]string{&c.All, &c.Paths, &c.None, &c.Off} }

// Labels reports whether a rule is about a label.
func (c *Contents) Labels() bool {
	return slices.ContainsFunc(c.lists(), func(rules *[]string) bool {
		return slices.ContainsFunc(*rules, func(rule string) bool { return strings.Contains(rule, "=") })
	})
}

// rules returns the part of the file that identity.SetContents needs. Only valid values count.
func (c *Contents) rules() (rules identity.ContentsRules) {
	rules.Default, _ = identity.ParseContents(c.Default)
	rules.Annotation, _ = identity.ParseAnnotationUse(c.Annotation)
	for i, list := range c.lists() {
		rules.Rules[i] = *list
	}
	return rules
}

// Default returns the values for keys that are not set, or if there is no file.
func Default() Config {
	return Config{
		Runtime:  Runtime{"runc", "crun"},
		PinDir:   abi.DefaultPinDir,
		LogLevel: "warn",
		Adopt:    true,
		Contents: Contents{Default: identity.ContentsAll.String(), Annotation: "reduce"},
		Redact:   Redact{Builtin: true},
		Archive:  defaultArchive(),
		Pool:     DefaultPool(),
	}
}

// Rules returns the part of the file that identity.Parse needs.
func (c *Config) Rules() identity.Rules {
	return identity.Rules{
		Annotations:     c.Labels.Annotations,
		Prefixes:        c.Labels.Prefixes,
		JSON:            c.Labels.JSON,
		Keep:            c.Labels.Keep,
		RecordSandboxes: c.RecordSandboxes,
		Contents:        c.Contents.rules(),
	}
}

// limit is the size of the largest file that is read, in bytes.
const limit = 64 << 10

// Read returns the text of the file at path, for all readers: a regular file of at most 64 KiB. It returns an error
// for anything else, without waiting. If the file does not exist, the error wraps fs.ErrNotExist.
func Read(path string) (string, error) {
	text, err := regular.Read(path, limit)
	return string(text), err
}

// Load reads the file at path over the defaults. If the file does not exist, the error wraps fs.ErrNotExist. The
// Config is valid in spite of an error: it is the result of Parse, or the defaults.
func Load(path string) (Config, error) {
	text, err := Read(path)
	if err != nil {
		return Default(), fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		return c, fmt.Errorf("parsing %q: %w", path, err)
	}
	return c, nil
}

// Parse reads the text of a file over the defaults. If the text is not TOML, a value has the wrong type, or a key
// has capitals, the error gives the position, and the Config is the default with only the runtimes that
// ParseRuntime finds. If keys are unknown or values out of range, the error names all of them, and the Config has
// all other values, with defaults for those out of range. A mistake in one line must not make the shim use another
// runtime than the file names.
func Parse(text string) (Config, error) {
	if c, ok := parsePlain(text); ok && tooLong(text) == nil {
		return c, errors.Join(c.check()...)
	}
	return parseTOML(text)
}

func parseTOML(text string) (Config, error) {
	c := Default()
	var meta toml.MetaData
	err := tooLong(text)
	if err == nil {
		if meta, err = toml.Decode(text, &c); err == nil {
			err = misspelt(&meta)
		} else {
			err = explain(err)
		}
	}
	if err != nil {
		c = Default()
		if runtime, runtimes, ok := plainRuntimes(text, true); ok {
			c.Runtime, c.Runtimes = runtime, runtimes
		} else if runtime, _, ok := plainRuntimes(text, false); ok {
			c.Runtime = runtime
		}
		return c, err
	}
	var problems []error
	for _, key := range meta.Undecoded() {
		problems = append(problems, fmt.Errorf("unknown key %q", key.String()))
	}
	if kind := meta.Type("runtimes"); kind != "" && kind != "Hash" { // the parser ignores other types
		problems = append(problems, fmt.Errorf("runtimes must be %s", wanted("runtimes")))
	}
	problems = append(problems, c.check()...)
	return c, errors.Join(problems...)
}

// tables are the tables with keys of this program's choice.
var tables = []string{"labels", "contents", "redact", "archive", "pool"}

// misspelt refuses keys that differ from known ones in case: the parser accepts them, and if the correct key is
// there, too, either could win.
func misspelt(meta *toml.MetaData) error {
	unknown := map[string]bool{}
	for _, key := range meta.Undecoded() {
		unknown[key.String()] = true
	}
	for _, key := range meta.Keys() {
		own := key[:1] // keys in [runtimes] and [labels.annotations] are free
		if len(key) > 1 && slices.Contains(tables, key[0]) {
			own = key[:2]
		}
		for _, part := range own {
			if !isPlainKey(part) && !unknown[key.String()] {
				return fmt.Errorf("key %q must not have capital letters", key.String())
			}
		}
	}
	return nil
}

// check replaces values out of range with defaults, and returns an error for each.
func (c *Config) check() []error {
	var problems []error
	fallback := Default()
	if err := c.Runtime.check(); err != nil {
		problems = append(problems, err)
		c.Runtime = fallback.Runtime
	}
	for _, name := range slices.Sorted(maps.Keys(c.Runtimes)) {
		if !path.IsAbs(c.Runtimes[name]) {
			problems = append(problems, fmt.Errorf("runtimes.%s %q is not an absolute path", name, c.Runtimes[name]))
			delete(c.Runtimes, name)
		}
	}
	if !path.IsAbs(c.PinDir) {
		problems = append(problems, fmt.Errorf("pin-dir %q is not an absolute path", c.PinDir))
		c.PinDir = fallback.PinDir
	}
	if c.Log != "" && !path.IsAbs(c.Log) {
		problems = append(problems, fmt.Errorf("log %q is not an absolute path", c.Log))
		c.Log = fallback.Log
	}
	switch c.LogLevel {
	case "error", "warn", "info", "debug":
	default:
		problems = append(problems, fmt.Errorf("log-level %q must be error, warn, info or debug", c.LogLevel))
		c.LogLevel = fallback.LogLevel
	}
	c.Labels.Keep = slices.DeleteFunc(c.Labels.Keep, func(pattern string) bool {
		_, err := path.Match(pattern, "")
		if err != nil {
			problems = append(problems, fmt.Errorf("labels.keep has an invalid pattern %q: %w", pattern, err))
		}
		return err != nil
	})
	problems = append(problems, c.Contents.repair()...)
	problems = append(problems, c.Archive.repair()...)
	return append(problems, c.Pool.repair()...)
}

// repair replaces values that are not valid, and drops such rules. It returns an error for each.
func (c *Contents) repair() []error {
	var problems []error
	fallback := Default().Contents
	if _, ok := identity.ParseContents(c.Default); !ok {
		problems = append(problems, fmt.Errorf("contents.default %q must be all, paths, none or off", c.Default))
		c.Default = fallback.Default
	}
	if _, ok := identity.ParseAnnotationUse(c.Annotation); !ok {
		problems = append(problems, fmt.Errorf("contents.annotation %q must be reduce, decide or ignore", c.Annotation))
		c.Annotation = fallback.Annotation
	}
	for i, list := range c.lists() {
		*list = slices.DeleteFunc(*list, func(rule string) bool {
			err := identity.CheckContentsRule(rule)
			if err != nil {
				problems = append(problems, fmt.Errorf("contents.%s has an invalid rule %q: %w", identity.Contents(i), rule, err))
			}
			return err != nil
		})
	}
	return problems
}
