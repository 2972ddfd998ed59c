// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/adopt"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const loadLong = `Load the programs, attach them, and pin them and their maps, so that they stay
without any process. All memory is taken now, and none later: it does not depend
on how many containers there are or how often they restart. Where no recording is
free for a new container, the one whose container ended longest ago is used again.

The default sizes are those of [pool] in the configuration. Where the same sizes
are loaded already, nothing is changed. Other sizes are refused: unload first,
which drops what was kept.

After an upgrade, --replace puts the programs of this version in the place of those
that run, and keeps all that they recorded. Containers go on being recorded: no
system call, exec or new container is lost or seen twice. Where the layout of what
is kept differs between the versions, nothing is changed: the two layouts are named,
and only unload and load, which drop what was kept, help. Where nothing is loaded,
--replace changes nothing about load. Whose programs run is shown by status.

Containers that run already, and that nobody registered, are adopted: found in the
state directories of runc and crun below /run, and recorded from now on, whichever
runtime started them. Those that were registered stay as they are. With --no-adopt,
or adopt = false in the configuration, only containers that runc-trace starts are.

Kernel 5.15 or newer is needed, with type information (CONFIG_DEBUG_INFO_BTF).
Where no bpf file system is mounted at /sys/fs/bpf, it is mounted.`

func newLoad(s *settings) *cobra.Command {
	pool := config.Default().Pool
	c := &cobra.Command{
		Use:   "load",
		Short: "Load the programs and begin to trace",
		Long:  loadLong,
		Example: `  tracectl load
  tracectl load --recordings 64 --ring-size 1MiB
  tracectl load --replace
  tracectl load --pin-dir /sys/fs/bpf/test --recordings 4 --identities 16`,
		Args: exactly(0),
	}
	flags := c.Flags()
	flags.IntVar(&pool.Rings, "recordings", pool.Rings, "how many recordings are kept")
	flags.Var(&pool.RingSize, "ring-size", "memory of one recording: a power of two, 4KiB to 2MiB")
	flags.IntVar(&pool.Identities, "identities", pool.Identities, "how many containers are known by name, ended ones included: at least twice the recordings")
	flags.Var(&pool.ExecLogSize, "exec-log-size", "memory of the log of execs: a power of two, 64KiB to 1GiB")
	flags.Var(&pool.CaptureSize, "capture-size", "how much is kept of a string or a buffer of a system call: 8 to 1KiB")
	flags.Var(&pool.ArgvSize, "argv-size", "how much is kept of the arguments of an exec: 64 to 32KiB")
	replace := flags.Bool("replace", false, "where programs are loaded already, swap them for this version's and keep what was recorded")
	noAdopt := flags.Bool("no-adopt", false, "leave alone the containers that run already, whatever the configuration says")
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		configured, err := s.configuration()
		if err != nil {
			return err
		}
		l := loading{options: options(pool, configured.Pool, flags.Changed), replace: *replace}
		if configured.Adopt && !*noAdopt {
			l.adopt = func(dir string) int {
				return adoptRunning(c.Context(), c.ErrOrStderr(), dir, configured.Rules())
			}
		}
		return l.run(c.OutOrStdout(), s, output.word)
	}
	return c
}

// options takes from the flags what was set there, and all else from the configuration.
func options(flags, configured config.Pool, changed func(string) bool) bpf.Options {
	number := func(flag string, a, b int) int {
		if changed(flag) {
			return a
		}
		return b
	}
	return bpf.Options{
		Rings:       number("recordings", flags.Rings, configured.Rings),
		RingSize:    number("ring-size", int(flags.RingSize), int(configured.RingSize)),
		Identities:  number("identities", flags.Identities, configured.Identities),
		ExecLogSize: number("exec-log-size", int(flags.ExecLogSize), int(configured.ExecLogSize)),
		CaptureSize: number("capture-size", int(flags.CaptureSize), int(configured.CaptureSize)),
		ArgvSize:    number("argv-size", int(flags.ArgvSize), int(configured.ArgvSize)),
	}
}

// loadJSON is what load prints with -o json.
type loadJSON struct {
	PinDir   string      `json:"pinDir"`
	Loaded   bool        `json:"loaded"`   // false: it was loaded already
	Replaced bool        `json:"replaced"` // its programs took the place of those loaded already
	Current  bool        `json:"current"`  // the programs that run are this version's
	Adopted  int         `json:"adopted"`  // containers that ran already, and were registered now
	Memory   uint64      `json:"memory"`   // bytes
	Options  optionsJSON `json:"options"`
}

// descriptions are what the programs are told to read of each call.
func descriptions() []abi.Syscall {
	native := syscalls.NativeABI()
	return syscalls.Descriptions(native, syscalls.CompatABI(native))
}

// loading is what load is asked to do.
type loading struct {
	options bpf.Options
	replace bool
	adopt   func(dir string) int // registers containers that run, and says how many; nil: they are left alone
}

func (l loading) run(stdout io.Writer, s *settings, output string) error {
	dir, err := s.directory()
	if err != nil {
		return err
	}
	var loaded, replaced bool
	if l.replace {
		replaced, err = bpf.Replace(dir, l.options, descriptions())
		loaded = !replaced
	} else {
		loaded, err = bpf.Load(dir, l.options, descriptions())
	}
	if err != nil {
		return err
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
	adopted := 0
	if l.adopt != nil {
		adopted = l.adopt(dir)
	}
	current := i.Layout.Build == bpf.Build(descriptions())
	if output == "json" {
		return printJSON(stdout, loadJSON{dir, loaded, replaced, current, adopted, memory, optionsJSON(l.options)})
	}
	word, hints := "already loaded", ""
	switch {
	case loaded:
		word = "loaded"
	case replaced:
		word = "replaced the programs"
	}
	if !current {
		hints = "the programs that run are not this version's: tracectl load --replace swaps them and keeps what was recorded\n"
	}
	if adopted > 0 {
		hints += fmt.Sprintf("containers that ran already, and were adopted: %d\n", adopted)
	}
	_, err = fmt.Fprintf(stdout, "%s below %s: %d recordings of %v, %d identities, an exec log of %v; %s of memory\n%s",
		word, dir, l.options.Rings, config.Size(l.options.RingSize), l.options.Identities, config.Size(l.options.ExecLogSize), mebibytes(memory), hints)
	return err
}

// adoptRunning registers the containers that run already, and says how many. What keeps one from being registered is told,
// and is no reason not to trace the others.
func adoptRunning(ctx context.Context, stderr io.Writer, dir string, rules identity.Rules) int {
	report, err := adopt.Host{}.Run(ctx, dir, rules)
	if err != nil {
		fmt.Fprintf(stderr, "tracectl: %d of the containers that run already could not be registered:\n", report.Failed)
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(stderr, "  %s\n", terminal.String(strings.TrimSuffix(line, "\n")))
		}
	}
	if report.Unrecorded > 0 {
		fmt.Fprintf(stderr, "tracectl: %d of the containers that ran already are known by name only: no recording was free (--recordings)\n", report.Unrecorded)
	}
	return report.Adopted
}

// mebibytes shows a number of bytes.
func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
