// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/syscalls"
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
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		configured, err := s.configuration()
		if err != nil {
			return err
		}
		changed := flags.Changed
		return load(c.OutOrStdout(), s, options(pool, configured.Pool, changed), *replace, output.word)
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
	Memory   uint64      `json:"memory"`   // bytes
	Options  optionsJSON `json:"options"`
}

// optionsJSON are the sizes of what is loaded, in bytes but for the two counts.
type optionsJSON struct {
	Rings       int `json:"recordings"`
	RingSize    int `json:"ringSize"`
	Identities  int `json:"identities"`
	ExecLogSize int `json:"execLogSize"`
	CaptureSize int `json:"captureSize"`
	ArgvSize    int `json:"argvSize"`
}

// descriptions are what the programs are told to read of each call.
func descriptions() []abi.Syscall {
	native := syscalls.NativeABI()
	return syscalls.Descriptions(native, syscalls.CompatABI(native))
}

func load(stdout io.Writer, s *settings, o bpf.Options, replace bool, output string) error {
	dir, err := s.directory()
	if err != nil {
		return err
	}
	var loaded, replaced bool
	if replace {
		replaced, err = bpf.Replace(dir, o, descriptions())
		loaded = !replaced
	} else {
		loaded, err = bpf.Load(dir, o, descriptions())
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
	current := i.Layout.Build == bpf.Build(descriptions())
	if output == "json" {
		return printJSON(stdout, loadJSON{dir, loaded, replaced, current, memory, optionsJSON(o)})
	}
	word, hint := "already loaded", ""
	switch {
	case loaded:
		word = "loaded"
	case replaced:
		word = "replaced the programs"
	}
	if !current {
		hint = "the programs that run are not this version's: tracectl load --replace swaps them and keeps what was recorded\n"
	}
	_, err = fmt.Fprintf(stdout, "%s below %s: %d recordings of %v, %d identities, an exec log of %v; %s of memory\n%s",
		word, dir, o.Rings, config.Size(o.RingSize), o.Identities, config.Size(o.ExecLogSize), mebibytes(memory), hint)
	return err
}

// mebibytes shows a number of bytes.
func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
