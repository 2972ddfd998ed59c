// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/regular"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Mention is a place that makes an engine call the shim, or use the runtime that Edit adds. Both strings are escaped
// for a terminal.
type Mention struct {
	At   string // FILE:LINE, or FILE if the line is unknown
	Text string // the line, without leading and trailing spaces
}

// Mentions returns the places that still make the engine need runc-trace when its files are undone. undone holds their
// contents by path, nil for no file. programs are the files that are about to be removed: the shim, links to it, and
// tracectl. The running engine's own arguments count, too.
//
// A place counts if it names one of the programs, makes a runtime call the shim by another path (a link, or a script),
// or selects the runtime that Edit adds although nothing defines it any more.
func (e Engine) Mentions(h Host, undone map[string][]byte, programs []string) []Mention {
	s := search{texts: make(map[string][]byte), names: slices.Clone(programs)}
	h = h.undone(undone)
	h.Seen = func(file string, text []byte) { s.texts[file] = text }
	for file, text := range undone {
		s.texts[file] = text
	}
	// The undone files may have named other ones.
	if again, err := e.driver().detect(h); err == nil {
		if i := slices.IndexFunc(again, func(other Engine) bool { return other.String() == e.String() }); i >= 0 {
			e.Config, e.Unit = again[i].Config, again[i].Unit
		}
	}
	s.ask(h, e, programs)
	for _, file := range e.driver().traits().init {
		_, _ = h.readIfThere(file) // an engine without systemd reads it at its next start
	}
	s.process(h, e)
	return s.result()
}

// search looks for the places in texts.
type search struct {
	texts   map[string][]byte // by file
	names   []string          // programs to look for
	lacking bool              // nothing defines the runtime that Edit adds
	found   []Mention
	other   []Mention // used if no text is found
}

// ask finds out which runtimes the engine will have.
func (s *search) ask(h Host, e Engine, shims []string) {
	known, err := e.remaining(h)
	if e.embedded() {
		s.addTemplates(h, e)
		delete(s.texts, e.Config) // it is written again at the next start
	}
	s.lacking = known.paths[addedRuntime] == "" && known.types[addedRuntime] == "" && !s.defined(e)
	if err != nil {
		return // the texts still show what names runc-trace
	}
	for _, name := range known.uses(h, shims).Runtimes {
		program := known.paths[name]
		if !slices.Contains(s.names, program) {
			s.names = append(s.names, program)
		}
		text := terminal.String(fmt.Sprintf("its runtime %q calls %s", name, program))
		s.other = append(s.other, Mention{e.Config, text})
	}
	if known.name == addedRuntime && s.lacking {
		text := fmt.Sprintf("its default runtime is %q, which nothing defines", addedRuntime)
		s.other = append(s.other, Mention{e.Config, text})
	}
}

// remaining returns the runtimes from the files alone. A distribution such as k3s writes its main file again, so only
// the others count.
func (e Engine) remaining(h Host) (runtimes, error) {
	if e.Kind == Podman {
		return podman{}.podmanRemaining(h, e)
	}
	if !e.embedded() {
		return e.driver().configured(h, e)
	}
	c, err := e.containerdFiles(h)
	if err != nil {
		return runtimes{}, err
	}
	if len(c.layers) > 0 && c.layers[0].path == e.Config {
		c.layers = c.layers[1:]
	}
	known, err := e.containerdRuntimes(h, c.inForce())
	if name := e.embeddedDefault(h); name != "" {
		known.name = name
	}
	return known, err
}

// addTemplates adds the templates of a distribution to the texts.
func (s *search) addTemplates(h Host, e Engine) {
	for _, name := range templates {
		_, _ = h.readIfThere(path.Join(path.Dir(e.Config), name))
	}
}

// tableOfOurs matches the header of a table of the runtime that Edit adds, or a key in it.
var tableOfOurs = regexp.MustCompile(`(?m)^[^#\n]*\.\s*runtimes\s*\.\s*["']?` + addedRuntime + `["']?\s*[].]`)

// defined reports whether a template defines the runtime that Edit adds.
func (s *search) defined(e Engine) bool {
	for file, text := range s.texts {
		if e.embedded() && strings.HasSuffix(file, ".tmpl") && tableOfOurs.Match(text) {
			return true
		}
	}
	return false
}

// process adds the arguments and the variables of the running engine.
func (s *search) process(h Host, e Engine) {
	pid, running := h.Process(e)
	if !running || e.embedded() {
		return
	}
	c, _ := h.process(e)
	s.texts[fmt.Sprintf("/proc/%d/cmdline", pid)] = []byte(strings.Join(c.args(), " "))
	options := c.environment(func(name string) bool { return strings.HasPrefix(name, crioVariables) })
	s.texts[fmt.Sprintf("/proc/%d/environ", pid)] = []byte(strings.Join(options, "\n"))
}

// chosen matches a setting, flag or variable that selects the runtime that Edit adds.
var chosen = regexp.MustCompile(`(?i)runtime(?:_name)?["']?[\s:=,]+["']?` + addedRuntime + `(?:["'\s,}]|$)`)

// result searches the texts.
func (s *search) result() []Mention {
	for _, file := range slices.Sorted(maps.Keys(s.texts)) {
		text := s.texts[file]
		for _, name := range s.names {
			for at := range wholeNames(text, name) {
				s.add(file, text, at)
			}
		}
		if s.lacking {
			for _, match := range chosen.FindAllIndex(text, -1) {
				s.add(file, text, match[0]+bytes.Index(text[match[0]:match[1]], []byte(addedRuntime)))
			}
		}
	}
	if s.found == nil {
		s.found = s.other
	}
	slices.SortStableFunc(s.found, func(a, b Mention) int { return cmp.Compare(a.At, b.At) })
	return slices.Compact(s.found)
}

// add adds the line at an offset, unless it is a comment.
func (s *search) add(file string, text []byte, offset int) {
	begin := bytes.LastIndexByte(text[:offset], '\n') + 1
	line, _, _ := bytes.Cut(text[begin:], []byte("\n"))
	line = bytes.TrimSpace(line)
	if bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte(";")) {
		return
	}
	at := place{file, bytes.Count(text[:begin], []byte("\n")) + 1}
	if strings.HasPrefix(file, "/proc/") {
		at.line = 0
	}
	s.found = append(s.found, Mention{terminal.String(at.String()), terminal.String(fmt.Sprintf("%.200s", line))})
}

// wholeNames yields the offsets of a name in a text that is not a part of a longer path.
func wholeNames(text []byte, name string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for from := 0; name != ""; {
			i := bytes.Index(text[from:], []byte(name))
			if i < 0 {
				return
			}
			begin, end := from+i, from+i+len(name)
			if (begin == 0 || !inPath(text[begin-1])) && (end == len(text) || !inPath(text[end])) && !yield(begin) {
				return
			}
			from = end
		}
	}
}

// inPath reports whether a character next to a path belongs to it. A word such as --add-runtime=x=/path ends before it.
func inPath(c byte) bool {
	return strings.IndexByte("/.-_", c) >= 0 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// scriptMax limits the size in bytes of a script that is searched.
const scriptMax = 64 << 10

// calls reports whether a program is one of the shims: by its path, by a link, or as a script that names it.
func (h Host) calls(program string, shims []string) bool {
	if program == "" {
		return false
	}
	if slices.Contains(shims, program) {
		return true
	}
	if program = h.program(program, programDirs); program == "" {
		return false
	}
	real := h.resolved(program)
	at, err := h.at(program)
	if err != nil {
		return false
	}
	script, err := regular.Read(at, scriptMax)
	isScript := err == nil && bytes.HasPrefix(script, []byte("#!"))
	for _, shim := range shims {
		if real == h.resolved(shim) {
			return true
		}
		for range wholeNames(script, shim) {
			if isScript {
				return true
			}
		}
	}
	return false
}
