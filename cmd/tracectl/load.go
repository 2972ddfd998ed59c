// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/adopt"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const loadLong = `Load the programs, attach them, and pin them and their maps, so that they stay without a
process. Memory pools are allocated now and do not grow with the number of containers or
restarts. In addition, the kernel takes 512 bytes for each thread of a recorded container,
and up to 8 KiB for the labels of a pod. If no recording is free for a new container, it
takes one of a container that ended, of a pod or a namespace that has many.

The default sizes are those of [pool] in the configuration. If programs are already
loaded, load checks every pin and repairs missing or wrong ones: it takes maps from the
programs that use them, and attaches hooks again. It prints each repair, and the events
that were not recorded until then. If the recordings themselves are gone, it says so and
loads everything again. If programs are loaded with other sizes, load repairs their pins
in the same way, and then fails. To change sizes, run unload first, which deletes all
recordings.

After an upgrade, --replace replaces the running programs with this version's and keeps
all recordings. Recording continues: no system call, exec or new container is lost or
recorded twice. If nothing is loaded, load --replace does the same as load. status shows
the version that runs.

Recordings cannot be kept if the two versions have different map layouts. Then --replace
changes nothing, and the error names both layouts. To keep what the recordings hold,
export them with the tracectl that loaded them, before you install this one:

  tracectl exec --no-follow -o json >execs.json
  tracectl straceback show NAME -o json >NAME.json

Then run load --replace --discard-recordings. It loads this version's programs beside
the loaded ones, registers the running containers that those had registered, and only
then removes the others with all their recordings. So no container's start is missed:
one of the two records it. The shim has to be of this version, too: "tracectl install
--discard-recordings" replaces both in the right order. --discard-recordings also
changes sizes.

Running containers that are not registered are adopted: load finds them in the state
directories of runc and crun below /run, and records them from now on, whichever runtime
started them. Registered containers are not changed. With --no-adopt, or adopt = false
in the configuration, only containers that runc-trace starts are recorded.

Needs kernel 5.15 or newer, with type information (CONFIG_DEBUG_INFO_BTF). If no bpf
file system is mounted at /sys/fs/bpf, load mounts one.`

func newLoad(s *settings) *cobra.Command {
	pool := config.DefaultPool()
	c := &cobra.Command{
		Use:   "load",
		Short: "Load the programs and start tracing",
		Long:  loadLong,
		Example: `  tracectl load
  tracectl load --recordings 64 --ring-size 1MiB
  tracectl load --replace
  tracectl load --replace --discard-recordings
  tracectl load --pin-dir /sys/fs/bpf/test --recordings 4 --identities 16`,
		Args: exactly(0),
	}
	flags := c.Flags()
	for n := range config.PoolSettings {
		setting := &config.PoolSettings[n]
		flags.Var(setting.Of(&pool), setting.Flag, setting.Help())
	}
	replace := flags.Bool("replace", false, "replace loaded programs with this version's and keep all recordings")
	discard := flags.Bool("discard-recordings", false,
		"with --replace: if recordings cannot be kept, delete them all")
	noAdopt := flags.Bool("no-adopt", false, "do not adopt running containers, even if the configuration says so")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		configured, err := s.configuration()
		if err != nil {
			return err
		}
		if *discard && !*replace {
			return &usageError{c, errors.New("--discard-recordings needs --replace")}
		}
		l := loading{pool: configured.Pool.With(pool, flags.Changed), replace: *replace}
		if err := l.pool.Validate(); err != nil {
			return &usageError{c, err}
		}
		if configured.Adopt && !*noAdopt {
			l.adopt = func(dir string) int {
				return adoptRunning(c.Context(), c.ErrOrStderr(), adopt.Host{}, dir, configured.Rules())
			}
		}
		if *discard {
			l.renew = func(dir string) (bpf.Result, int, error) {
				return renew(c.Context(), c.ErrOrStderr(), dir, l.pool, configured.Rules())
			}
		}
		return l.run(c.OutOrStdout(), c.ErrOrStderr(), s, output.word)
	}
	return c
}

// loadJSON is the output of load with -o json.
type loadJSON struct {
	PinDir   string       `json:"pinDir"`
	Loaded   bool         `json:"loaded"`   // false if the programs were loaded already
	Replaced bool         `json:"replaced"` // the programs replaced loaded ones
	Mended   []damageJSON `json:"mended"`   // faults of the loaded programs that were repaired
	Lost     string       `json:"lost"`     // why all recordings were dropped; empty if they were not
	Current  bool         `json:"current"`  // the loaded programs are of this version
	Adopted  int          `json:"adopted"`  // running containers that were registered now
	Memory   uint64       `json:"memory"`   // bytes
	Options  config.Pool  `json:"options"`
}

// loading holds the parameters of load.
type loading struct {
	pool    config.Pool
	replace bool
	adopt   func(dir string) int // registers running containers and returns their number; nil to leave them alone

	// renew replaces programs whose recordings cannot be kept, and returns how many containers it registered. It is nil
	// if recordings must not be deleted.
	renew func(dir string) (bpf.Result, int, error)
}

func (l loading) run(stdout, stderr io.Writer, s *settings, output string) error {
	dir, err := s.directory()
	if err != nil {
		return err
	}
	var r bpf.Result
	adopted := 0
	if l.renew != nil {
		r, adopted, err = l.renew(dir)
	}
	if err == nil && !r.Loaded {
		options := bpf.Options{Pool: l.pool}
		if l.replace {
			options.Replace = bpf.ReplaceAll
		}
		r, err = bpf.Load(dir, options)
	}
	if err != nil {
		for _, remark := range remarks(r) { // of repairs, which do not depend on the sizes
			fmt.Fprintln(stderr, "tracectl: "+remark)
		}
		return needsRoot(err)
	}
	i, err := bpf.Open(dir)
	if err != nil {
		return err
	}
	defer i.Close()
	memory, err := i.Memory()
	if err != nil {
		return err
	}
	if l.adopt != nil {
		adopted += l.adopt(dir)
	}
	current := i.Current()
	if output == "json" {
		j := loadJSON{PinDir: dir, Loaded: r.Loaded, Replaced: r.Replaced, Mended: []damageJSON{},
			Lost: r.Lost, Current: current,
			Adopted: adopted, Memory: memory, Options: i.Pool()}
		for _, d := range r.Mended {
			j.Mended = append(j.Mended, damageJSON(d))
		}
		return printJSON(stdout, j)
	}
	word, hints := "already loaded", ""
	switch {
	case r.Loaded:
		word = "loaded"
	case r.Replaced:
		word = "replaced the programs"
	}
	for _, remark := range remarks(r) {
		hints += remark + "\n"
	}
	if !current {
		hints += "the running programs are from another version; \"tracectl load --replace\" replaces them and keeps all recordings\n"
	}
	if adopted > 0 {
		hints += fmt.Sprintf("running containers adopted: %d\n", adopted)
	}
	pool := i.Pool()
	recordings := terminal.Count(pool.Rings, "recording")
	_, err = fmt.Fprintf(stdout, "%s below %s: %s of %v, %d identities, an exec log of %v; %s of memory\n%s",
		word, dir, recordings, pool.RingSize, pool.Identities, pool.ExecLogSize, mebibytes(memory), hints)
	return err
}

// remarks returns lines about faults of the loaded programs.
func remarks(r bpf.Result) []string {
	var lines []string
	for _, d := range r.Mended {
		lines = append(lines, "repaired: "+d.Pin+" "+d.Problem)
	}
	if events := unrecorded(r.Mended); events != "" {
		lines = append(lines, "not recorded until now: "+events)
	}
	if r.Lost != "" {
		lines = append(lines, "loaded again, which deleted all recordings: "+r.Lost)
	}
	return lines
}

// unrecorded lists the events that are not recorded because of damage, each once.
func unrecorded(damage []bpf.Damage) string {
	var events []string
	for _, d := range damage {
		if d.Unrecorded != "" && !slices.Contains(events, d.Unrecorded) {
			events = append(events, d.Unrecorded)
		}
	}
	return strings.Join(events, ", ")
}

// adoptRunning registers the running containers of h and returns their number. It reports a container that cannot be
// registered, and goes on with the others.
func adoptRunning(ctx context.Context, stderr io.Writer, h adopt.Host, dir string, rules identity.Rules) int {
	report, err := h.Run(ctx, dir, rules)
	if err != nil {
		fmt.Fprintf(stderr, "tracectl: %s could not be registered:\n", terminal.Count(report.Failed, "running container"))
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(stderr, "  %s\n", terminal.String(strings.TrimSuffix(line, "\n")))
		}
	}
	if report.Unrecorded > 0 {
		fmt.Fprintf(stderr, "tracectl: %s adopted without a recording: none was free (increase --recordings)\n",
			terminal.Count(report.Unrecorded, "container"))
	}
	return report.Adopted
}

// mebibytes formats a number of bytes.
func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
