// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Pool holds the settings that are fixed when the programs are loaded: sizes in bytes, and counts. A size of 0 is
// chosen during loading. Its JSON is printed as "options" by `tracectl load` and `tracectl status`.
type Pool struct {
	Rings        int  `toml:"rings" json:"recordings"`
	RingSize     Size `toml:"ring-size" json:"ringSize"`
	RecentSize   Size `toml:"recent-size" json:"recentSize"`
	FirstSize    Size `toml:"first-size" json:"firstSize"`
	FilesSize    Size `toml:"files-size" json:"filesSize"`
	DistinctSize Size `toml:"distinct-size" json:"distinctSize"`
	SaidSize     Size `toml:"said-size" json:"saidSize"`
	RuntimeSize  Size `toml:"runtime-size" json:"runtimeSize"`
	Identities   int  `toml:"identities" json:"identities"`
	ExecLogSize  Size `toml:"exec-log-size" json:"execLogSize"`
	CaptureSize  Size `toml:"capture-size" json:"captureSize"`
	ArgvSize     Size `toml:"argv-size" json:"argvSize"`

	VerboseStructs bool `toml:"verbose-structs" json:"verboseStructs"`
}

// PoolSetting describes one member of a Pool.
type PoolSetting struct {
	Key  string // in the table [pool] of the file
	Flag string // of tracectl load

	usage    string // for the flag's help
	doc      string // for the file
	min, max int64
	chosen   string // the meaning of 0; empty: 0 is not valid
	power    bool   // powers of two only
	fallback int64
	of       func(*Pool) amount
}

// PoolSettings has one entry for each member of a Pool, in the order in which they are printed.
var PoolSettings = [...]PoolSetting{
	{
		Key: "rings", Flag: "recordings",
		usage: "number of recordings",
		doc: `Number of recordings. If all are in use, a new container takes one of those whose container
has ended; how many the pods and namespaces have decides whose. If it is 0, all pools
together take 2 % of the machine's memory, and there are 16 to 256 recordings.`,
		min: 1, max: 1 << 16, chosen: "by the machine's memory",
		of: func(p *Pool) amount { return (*Count)(&p.Rings) },
	},
	{
		Key: "ring-size", Flag: "ring-size",
		usage: "memory of one recording",
		doc: `Memory of one recording. Half of it is for all calls, the last ones, and the rest for those
that are kept longer, in lanes: "recent" has a half, "first", "files" and "said" have an
eighth each, and "distinct" and "runtime" a sixteenth each. The next settings give a lane
another size; 0 is the share above. "first" has the calls that were new when the container
started. It is written once. Calls that were new later are in "files" if they found a file
or found none, and otherwise in "distinct". "said" has what the container wrote to its
standard output and error, "runtime" the calls of the container runtime.`,
		min: 32 << 10, max: 64 << 20, power: true, fallback: 512 << 10,
		of: func(p *Pool) amount { return &p.RingSize },
	},
	lane("recent", func(p *Pool) amount { return &p.RecentSize }),
	lane("first", func(p *Pool) amount { return &p.FirstSize }),
	lane("files", func(p *Pool) amount { return &p.FilesSize }),
	lane("distinct", func(p *Pool) amount { return &p.DistinctSize }),
	lane("said", func(p *Pool) amount { return &p.SaidSize }),
	lane("runtime", func(p *Pool) amount { return &p.RuntimeSize }),
	{
		Key: "identities", Flag: "identities",
		usage: "containers known by name, including ended ones; at least twice the recordings",
		doc: `Number of containers that are known by name, including ended ones. If it is 0, there are
16 for each recording.`,
		min: 2, max: 1 << 20, chosen: "16 for each recording",
		of: func(p *Pool) amount { return (*Count)(&p.Identities) },
	},
	{
		Key: "exec-log-size", Flag: "exec-log-size",
		usage: "memory of the exec log",
		doc:   `Memory of the exec log, which all containers share.`,
		min:   64 << 10, max: 1 << 30, power: true, fallback: 8 << 20,
		of: func(p *Pool) amount { return &p.ExecLogSize },
	},
	{
		Key: "capture-size", Flag: "capture-size",
		usage: "bytes kept of each string or buffer of a system call",
		doc:   `Bytes that are kept of a string or buffer that a system call points to.`,
		min:   8, max: abi.CaptureLimit, fallback: 128,
		of: func(p *Pool) amount { return &p.CaptureSize },
	},
	{
		Key: "argv-size", Flag: "argv-size",
		usage: "bytes kept of the arguments of an exec",
		doc:   `Bytes that are kept of the arguments of an exec.`,
		min:   64, max: abi.ArgvLimit, fallback: 4 << 10,
		of: func(p *Pool) amount { return &p.ArgvSize },
	},
	{
		Key: "verbose-structs", Flag: "verbose-structs",
		usage: "keep structs whole, not only the members that are shown",
		doc: `Keep structs that system calls point to whole, for "straceback show --verbose". Otherwise, only
the members that are shown are kept: of a stat, the mode and the size. A record of stat takes
twice as many bytes then, so recordings reach less far back.`,
		max: 1,
		of:  func(p *Pool) amount { return (*Switch)(&p.VerboseStructs) },
	},
}

// lane describes the size of a lane of each recording.
func lane(name string, of func(*Pool) amount) PoolSetting {
	return PoolSetting{
		Key: name + "-size", Flag: name + "-size",
		usage: fmt.Sprintf("memory of the lane %s of one recording", name),
		min:   4 << 10, max: 64 << 20, power: true, chosen: "its share of ring-size",
		of: of,
	}
}

// amount is the value of one member of a Pool: a *Count or a *Size.
type amount interface {
	Value
	number() int64
	assign(int64)
	setPlain(text string) bool // sets the value from a plain line of the file
	toml() string
}

// Value is the value of a flag.
type Value interface {
	String() string
	Set(string) error
	Type() string
}

// Of returns the setting's member of p, as the value of a flag.
func (s *PoolSetting) Of(p *Pool) Value { return s.of(p) }

// Help describes the setting and its values.
func (s *PoolSetting) Help() string {
	if s.max == 1 {
		return s.usage
	}
	return s.usage + " (" + s.bounds() + ")"
}

// bounds describes the valid values: "a power of two, 32KiB to 64MiB".
func (s *PoolSetting) bounds() string {
	var p Pool
	a := s.of(&p)
	a.assign(s.min)
	text := a.String()
	a.assign(s.max)
	text += " to " + a.String()
	if s.power {
		text = "a power of two, " + text
	}
	if s.chosen != "" {
		text += "; 0: " + s.chosen
	}
	return text
}

// check returns an error if p's value is out of bounds. name is the setting's name for the error.
func (s *PoolSetting) check(name string, p *Pool) error {
	n := s.of(p).number()
	if n == 0 && s.chosen != "" {
		return nil
	}
	if n < s.min || n > s.max || s.power && n&(n-1) != 0 {
		return fmt.Errorf("%s is %s: it must be %s", name, s.of(p), s.bounds())
	}
	return nil
}

// DefaultPool returns sizes for a node of 110 pods. If it has 10 GiB of memory or more, recordings take 170 MiB,
// identities 21 MiB and execs 8 MiB.
func DefaultPool() Pool { return makePool(func(s *PoolSetting) int64 { return s.fallback }) }

// SmallestPool returns the minimum of every setting.
func SmallestPool() Pool { return makePool(func(s *PoolSetting) int64 { return s.min }) }

// Allows reports whether p has the same sizes as loaded ones, apart from those that p leaves to be chosen.
func (p Pool) Allows(loaded Pool) bool {
	for i := range PoolSettings {
		s := &PoolSettings[i]
		if n := s.of(&p).number(); n != s.of(&loaded).number() && (n != 0 || s.chosen == "") {
			return false
		}
	}
	return true
}

func makePool(value func(*PoolSetting) int64) Pool {
	var p Pool
	for i := range PoolSettings {
		s := &PoolSettings[i]
		s.of(&p).assign(value(s))
	}
	return p
}

// With returns the pool with the sizes of flags for those flags that were set.
func (p Pool) With(flags Pool, set func(flag string) bool) Pool {
	for i := range PoolSettings {
		if s := &PoolSettings[i]; set(s.Flag) {
			s.of(&p).assign(s.of(&flags).number())
		}
	}
	return p
}

// String lists the sizes with the names of their flags.
func (p Pool) String() string {
	text := ""
	for i := range PoolSettings {
		s := &PoolSettings[i]
		if i > 0 {
			text += ", "
		}
		text += s.Flag + " " + s.of(&p).String()
	}
	return text
}

// Validate returns an error for the first size that is out of bounds, with its bounds.
func (p Pool) Validate() error {
	for i := range PoolSettings {
		s := &PoolSettings[i]
		if err := s.check(s.Flag, &p); err != nil {
			return err
		}
	}
	if p.Identities != 0 && p.Identities < 2*p.Rings {
		return fmt.Errorf("identities is %d: it must be at least twice recordings (%d), so that recordings keep their names",
			p.Identities, p.Rings)
	}
	return nil
}

// repair replaces each size out of bounds with its default, and returns an error for each.
func (p *Pool) repair() []error {
	var problems []error
	for i := range PoolSettings {
		s := &PoolSettings[i]
		if err := s.check("pool."+s.Key, p); err != nil {
			problems = append(problems, err)
			s.of(p).assign(s.fallback)
		}
	}
	return problems
}

// setPlain sets a key from a plain line; false if the key is unknown or the value is not plain.
func (p *Pool) setPlain(key, value string) bool {
	for i := range PoolSettings {
		if s := &PoolSettings[i]; s.Key == key {
			return s.of(p).setPlain(value)
		}
	}
	return false
}
