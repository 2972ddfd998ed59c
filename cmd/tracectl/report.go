// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/installation"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// reportJSON is the output of install and uninstall with -o json. Names are stable.
type reportJSON struct {
	DryRun       bool         `json:"dryRun"`
	Changes      []changeJSON `json:"changes"`
	Engines      []engineJSON `json:"engines"`
	Loaded       *bool        `json:"loaded"`
	Replaced     bool         `json:"replaced"`
	Lost         string       `json:"lost"`   // why all recordings were deleted; empty if they were not
	Memory       uint64       `json:"memory"` // bytes
	Adopted      []ranJSON    `json:"adopted"`
	Unloaded     bool         `json:"unloaded"`
	Recordings   int          `json:"recordings"` // deleted with the programs
	Commands     []string     `json:"commands"`
	Kept         []keptJSON   `json:"kept"`
	Edited       string       `json:"edited"`
	Notes        []string     `json:"notes"`
	RuntimeClass string       `json:"runtimeClass"`
}

// changeJSON is a changed file.
type changeJSON struct {
	Path   string `json:"path"`
	Action string `json:"action"`
	For    string `json:"for"`
	Link   string `json:"link"`
	Edited bool   `json:"edited"` // the file was edited since: only install's part was removed
	Diff   string `json:"diff"`
}

// engineJSON is an engine that was configured, or that loaded its configuration.
type engineJSON struct {
	Kind    string `json:"engine"`
	Variant string `json:"variant"`
	Version string `json:"version"`
	Name    string `json:"defaultRuntime"`
	Real    string `json:"realRuntime"`
	Shim    string `json:"shim"`
	Taken   string `json:"reloaded"`

	Others   map[string]string `json:"otherRuntimes"`    // other runtimes that go through the shim, with its path
	Untraced []string          `json:"untracedRuntimes"` // runtimes that do not
}

// keptJSON is a reason why files were kept.
type keptJSON struct {
	Engine     string   `json:"engine"`
	Paths      []string `json:"paths"`
	Containers []string `json:"containers"`
	Names      []string `json:"names"` // of the same containers
	Own        []string `json:"own"`   // containers of the pod that tracectl runs in
	Command    string   `json:"command"`

	Mentions []mentionJSON `json:"mentions"` // places that name runc-trace and that install did not write
}

// mentionJSON is a line of a file.
type mentionJSON struct {
	At   string `json:"at"`
	Text string `json:"text"`
}

// ranJSON is a container that was running already.
type ranJSON struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newReport(r installation.Report, runtimeClass string) reportJSON {
	report := reportJSON{
		DryRun: r.DryRun, Unloaded: r.Unloaded, Recordings: r.Recordings, Edited: r.Edited, RuntimeClass: runtimeClass,
		Changes: []changeJSON{}, Adopted: []ranJSON{}, Engines: []engineJSON{}, Kept: []keptJSON{},
		Commands: append([]string{}, r.Commands...), Notes: append([]string{}, r.Notes...),
	}
	for _, c := range r.Changes {
		report.Changes = append(report.Changes, changeJSON{c.Path, string(c.Action), c.For, c.Link, c.Edited, c.Diff})
	}
	for _, e := range r.Engines {
		j := engineJSON{string(e.Kind), e.Variant, e.Version, e.Runtime.Name, e.Real, e.Shim, e.Taken, e.Others, []string{}}
		if j.Others == nil {
			j.Others = map[string]string{}
		}
		for _, left := range e.Left {
			j.Untraced = append(j.Untraced, left.Name)
		}
		report.Engines = append(report.Engines, j)
	}
	if r.Loaded != nil {
		report.Loaded, report.Replaced, report.Memory = &r.Loaded.New, r.Loaded.Replaced, r.Loaded.Memory
		report.Lost = r.Loaded.Lost
		report.Notes = append(report.Notes, r.Loaded.Remarks...)
		if r.Loaded.Note != "" {
			report.Notes = append(report.Notes, r.Loaded.Note)
		}
	}
	for _, c := range r.Adopted {
		report.Adopted = append(report.Adopted, ranJSON(c))
	}
	for _, k := range r.Kept {
		kept := keptJSON{k.Engine, k.Paths, []string{}, []string{}, []string{}, k.Command, []mentionJSON{}}
		for _, m := range k.Mentions {
			kept.Mentions = append(kept.Mentions, mentionJSON(m))
		}
		for _, c := range k.Containers {
			kept.Containers, kept.Names = append(kept.Containers, c.ID), append(kept.Names, c.Name)
		}
		for _, c := range k.Own {
			kept.Own = append(kept.Own, c.ID)
		}
		report.Kept = append(report.Kept, kept)
	}
	return report
}

// verbs are the words for a changed file: the first for a change that was made, the second for a dry run.
type verbs map[hostfile.Action][2]string

var (
	installing   = verbs{hostfile.Create: {"created", "create"}, hostfile.Replace: {"changed", "change"}}
	takingOut    = [2]string{"took runc-trace out of", "take runc-trace out of"}
	uninstalling = verbs{hostfile.Create: {"restored", "restore"}, hostfile.Replace: {"restored", "restore"},
		hostfile.Remove: {"removed", "remove"}}
)

// printChanges prints a line for each file, and in a dry run the diffs of text files.
func printChanges(w *strings.Builder, r installation.Report, v verbs) {
	if len(r.Changes) == 0 {
		fmt.Fprintln(w, "nothing to change")
	}
	for i := 0; i < len(r.Changes); i++ {
		c := r.Changes[i]
		words := v[c.Action]
		if c.Edited && c.Action == hostfile.Replace {
			words = takingOut
		}
		word := words[0]
		if r.DryRun {
			word = "would " + words[1]
		}
		n := alike(r.Changes[i:])
		switch {
		case r.DryRun && c.Diff != "":
			fmt.Fprint(w, c.Diff)
		case n >= manyFiles:
			fmt.Fprintf(w, "%s %d files in %s\n", word, n, path.Dir(c.Path))
			i += n - 1
		default:
			fmt.Fprintf(w, "%s %s%s\n", word, c.Path, target(c))
		}
	}
}

// manyFiles is the number of files in one directory from which they share a line.
const manyFiles = 5

// alike returns with how many of the changes the first one may share a line: files in the same directory without a
// diff.
func alike(changes []hostfile.Change) int {
	first := changes[0]
	for i, c := range changes {
		if c.Action != first.Action || path.Dir(c.Path) != path.Dir(first.Path) || c.Diff != "" || c.Link != "" ||
			c.Edited != first.Edited {
			return i
		}
	}
	return len(changes)
}

func target(c hostfile.Change) string {
	if c.Link == "" {
		return ""
	}
	return ", a link to " + c.Link
}

// printCommands prints the remaining commands.
func printCommands(w *strings.Builder, commands []string) {
	if len(commands) > 0 {
		fmt.Fprintln(w, "run this so that the engines load their configuration:")
	}
	for _, command := range commands {
		fmt.Fprintf(w, "  %s\n", command)
	}
}

// containersMax limits the list of containers in text; JSON lists all.
const containersMax = 10

// printContainers prints a line for each container.
func printContainers(w *strings.Builder, list []engine.Container) {
	for i, c := range list {
		if i == containersMax {
			fmt.Fprintf(w, "  and %d more (-o json has them all)\n", len(list)-i)
			break
		}
		fmt.Fprintf(w, "  %s\n", containerText(c))
	}
}

// containerText returns a container's name and short ID.
func containerText(c engine.Container) string {
	id := labels.ShortID(path.Base(c.ID))
	if c.Name == "" {
		return id
	}
	return c.Name + " (" + id + ")"
}

// installedText returns the output of install.
func installedText(r installation.Report, setDefault bool) string {
	w := &strings.Builder{}
	printChanges(w, r, installing)
	which := "its runtime runc-trace"
	if setDefault {
		which = "its default runtime"
	}
	for _, e := range r.Engines {
		fmt.Fprintf(w, "%s: %s goes through %s to %s\n", e, which, e.Shim, e.Real)
		for _, name := range slices.Sorted(maps.Keys(e.Others)) {
			fmt.Fprintf(w, "%s: its runtime %s goes through %s\n", e, name, e.Others[name])
		}
		if text := e.Untraced(); text != "" {
			fmt.Fprintf(w, "%s: %s\n", e, text)
		}
	}
	printLoaded(w, r)
	if n := len(r.Adopted); n > 0 {
		verb := "are"
		if r.DryRun {
			verb = "would be"
		}
		fmt.Fprintf(w, "%s that already ran %s recorded from now on:\n", terminal.Count(n, "container"), verb)
		printContainers(w, r.Adopted)
	}
	printTaken(w, r)
	printNotes(w, r.Notes)
	printCommands(w, r.Commands)
	if manifest := runtimeClass(r, setDefault); manifest != "" {
		fmt.Fprintf(w, "---\n# for Kubernetes: apply this with kubectl, then set runtimeClassName: runc-trace in pods\n%s", manifest)
	}
	return w.String()
}

// printLoaded prints the result of loading the programs, also in a dry run.
func printLoaded(w *strings.Builder, r installation.Report) {
	if r.Loaded == nil {
		return
	}
	memory := ""
	if r.Loaded.Memory > 0 {
		memory = ": " + mebibytes(r.Loaded.Memory) + " of memory"
	}
	switch l := r.Loaded; {
	case l.Note != "":
		fmt.Fprintf(w, "the loaded programs stay: %s\n", l.Note)
	case l.Lost != "" && r.DryRun:
		fmt.Fprintf(w, "would load the programs again%s, which deletes all recordings: %s\n", memory, l.Lost)
	case l.Lost != "":
		fmt.Fprintf(w, "loaded the programs again%s, which deleted all recordings: %s\n", memory, l.Lost)
	case l.New && r.DryRun:
		fmt.Fprintf(w, "would load the programs%s\n", memory)
	case l.New:
		fmt.Fprintf(w, "loaded the programs%s\n", memory)
	case l.Replaced && r.DryRun:
		fmt.Fprintln(w, "would replace the programs of another version and keep their recordings")
	case l.Replaced:
		fmt.Fprintln(w, "replaced the programs of another version; their recordings are kept")
	default:
		fmt.Fprintln(w, "the programs were loaded already")
	}
	printNotes(w, r.Loaded.Remarks)
}

// printTaken lists the engines that have loaded, or in a dry run would load, their configuration.
func printTaken(w *strings.Builder, r installation.Report) {
	would := ""
	if r.DryRun {
		would = "would run "
	}
	for _, e := range r.Engines {
		if e.Taken != "" {
			fmt.Fprintf(w, "%s: %s%s\n", e, would, e.Taken)
		}
	}
}

func printNotes(w *strings.Builder, notes []string) {
	for _, note := range notes {
		fmt.Fprintln(w, note)
	}
}

// uninstalledText returns the output of uninstall.
func uninstalledText(r installation.Report) string {
	w := &strings.Builder{}
	printChanges(w, r, uninstalling)
	printTaken(w, r)
	switch {
	case r.Unloaded && r.DryRun:
		fmt.Fprintf(w, "would unload the programs and delete %s\n", terminal.Count(r.Recordings, "recording"))
	case r.Unloaded:
		fmt.Fprintf(w, "unloaded the programs and deleted %s\n", terminal.Count(r.Recordings, "recording"))
	}
	if r.Edited != "" {
		fmt.Fprintf(w, "files that were edited after the installation are kept below %s: check and delete them\n", r.Edited)
	}
	printNotes(w, r.Notes)
	printCommands(w, r.Commands)
	printKept(w, r)
	return w.String()
}

// printKept lists the kept files and the reasons.
func printKept(w *strings.Builder, r installation.Report) {
	would := ""
	if r.DryRun {
		would = "would be "
	}
	var paths []string
	for _, k := range r.Kept {
		var until []string
		if k.Command != "" {
			until = append(until, "it loads its configuration ("+k.Command+")")
		}
		if n := len(k.Containers); n > 0 {
			until = append(until, terminal.Count(n, "container")+" that runc-trace started "+
				map[bool]string{true: "is", false: "are"}[n == 1]+" removed:")
		}
		if len(k.Mentions) > 0 {
			until = append(until, "these lines no longer name runc-trace (tracectl did not write them):")
		}
		fmt.Fprintf(w, "%skept for %s until %s\n", would, k.Engine, strings.Join(until, ", and "))
		for _, m := range k.Mentions {
			fmt.Fprintf(w, "  %s: %s\n", m.At, m.Text)
		}
		printContainers(w, k.Containers)
		if len(k.Own) > 0 {
			fmt.Fprintln(w, ownText(k))
		}
		for _, path := range k.Paths {
			if !slices.Contains(paths, path) {
				paths = append(paths, path)
			}
		}
	}
	if len(paths) > 0 {
		are := "are"
		if r.DryRun {
			are = "would be"
		}
		fmt.Fprintf(w, "the loaded programs, all recordings and these files %s kept:\n", are)
	}
	for _, path := range paths {
		fmt.Fprintf(w, "  %s\n", path)
	}
}

func ownText(k installation.Kept) string {
	var own []string
	for _, c := range k.Own {
		own = append(own, containerText(c))
	}
	return fmt.Sprintf("this pod was itself started through runc-trace (%s): delete it once so that its replacement can finish", strings.Join(own, ", "))
}

// installedLine returns a summary of install in one line.
func installedLine(r installation.Report, setDefault bool) string {
	which := "its runtime runc-trace"
	if setDefault {
		which = "its default runtime"
	}
	var parts []string
	for _, e := range r.Engines {
		part := fmt.Sprintf("%s: %s goes through %s to %s", e, which, e.Shim, e.Real)
		if e.Taken != "" {
			part += " (" + e.Taken + ")"
		}
		parts = append(parts, part)
	}
	if len(r.Commands) > 0 {
		parts = append(parts, "to do: "+strings.Join(r.Commands, ", "))
	}
	if len(r.Changes) == 0 {
		parts = append(parts, "nothing was changed")
	}
	return strings.Join(parts, "; ")
}

// uninstalledLine returns a summary of uninstall in one line.
func uninstalledLine(r installation.Report) string {
	if len(r.Changes) == 0 {
		return "nothing to remove"
	}
	return "everything was removed"
}
