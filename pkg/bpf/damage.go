// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Damage is a pin that does not match what the loaded programs need.
type Damage struct {
	Pin        string // its name below the pin directory
	Problem    string // a predicate, such as "is missing"
	Unrecorded string // events that are not recorded because of it, such as "execs"; empty if all are
}

// String returns the damage as one line for people.
func (d Damage) String() string {
	if d.Unrecorded == "" {
		return d.Pin + " " + d.Problem
	}
	return fmt.Sprintf("%s %s (%s are not recorded)", d.Pin, d.Problem, d.Unrecorded)
}

// events names, by hook, the events that are not recorded while the hook runs no program.
var events = map[string]string{
	"cgroup_rmdir": "ends of containers", "exit": "exit statuses", "exec": "execs",
	"fork": "calls of new processes", "cgroup_attach": "moves of processes",
	"signal_generate": "senders of SIGKILL", "signal_deliver": "signals",
	"suspend_resume": "lengths of suspends", "sys_exit": "system calls", "sys_enter": "system calls",
	"cgroup_mkdir": newContainers,
}

// shimNeeds names, by pin, the events that are not recorded while the shim cannot use the pin.
var shimNeeds = map[string]string{
	abi.PinABI: newContainers, abi.PinPending: newContainers, abi.PinBind: "containers in existing cgroups",
}

const newContainers = "new containers"

// unrecorded returns the events that are not recorded because of damage to a pin.
func (r *remains) unrecorded(pin string) string {
	hook, isLink := strings.CutPrefix(pin, abi.PinLinkPrefix)
	if isLink {
		if r.links[hook] == nil && r.refusal == nil {
			return events[hook]
		}
		return ""
	}
	hook, isSlot := strings.CutPrefix(pin, abi.PinSlotPrefix)
	if !isSlot {
		return shimNeeds[pin]
	}
	pinned, held := r.pinned[pin], r.held[pin]
	switch {
	case held == nil && pinned == nil && r.refusal == nil,
		held != nil && isEmpty(held),
		held == nil && pinned != nil && isEmpty(pinned),
		r.bad[pin] != "" && held != nil && pinned != nil && mapID(held) == mapID(pinned):
		return events[hook]
	}
	return ""
}

// Examine compares the pins below dir with what was loaded there, and returns nil if they are whole. Errors match
// ErrNotLoaded, ErrVersion, os.ErrPermission. Without CAP_SYS_ADMIN, it finds missing pins and maps of another form,
// but not a map of the right form that the programs do not use.
func Examine(dir string) ([]Damage, error) {
	layout, err := readABI(dir)
	var d *DamageError
	if errors.As(err, &d) {
		return d.Damage, nil
	}
	if err != nil {
		return nil, err
	}
	r := findRemains(dir)
	defer r.Close()
	return r.examine(layout)
}

// ErrDamaged means that a pin is missing or is not the original one.
var ErrDamaged = errors.New("damaged")

// DamageError lists the damaged pins below a directory, with a remedy. It matches ErrDamaged.
type DamageError struct {
	Dir    string
	Damage []Damage
	cause  error
}

func (e *DamageError) Error() string {
	text := fmt.Sprintf("pin directory %s is damaged: %v", e.Dir, e.Damage[0])
	if more := len(e.Damage) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text + "; run tracectl load to repair it"
}

// Is reports whether target is ErrDamaged.
func (e *DamageError) Is(target error) bool { return target == ErrDamaged }

// Unwrap returns the reason that a pin could not be opened.
func (e *DamageError) Unwrap() error { return e.cause }

func damaged(path, problem string, cause error) error {
	pin := filepath.Base(path)
	return &DamageError{filepath.Dir(path), []Damage{{pin, problem, shimNeeds[pin]}}, cause}
}

// unopened returns the reason that the pin at a path cannot be opened.
func unopened(path string, err error) error {
	switch {
	case errors.Is(err, os.ErrNotExist):
		return damaged(path, "is missing", err)
	case errors.Is(err, os.ErrPermission) && os.Geteuid() != 0, errors.Is(err, unix.EPERM), errors.Is(err, unix.EROFS):
		return fmt.Errorf("opening %s: %w", path, err)
	}
	return damaged(path, "cannot be opened: "+err.Error(), nil)
}

// examine compares the pins with a layout and with the maps that programs use.
func (r *remains) examine(layout abi.ABI) ([]Damage, error) {
	spec, err := newSpec(layout)
	if err != nil {
		return nil, err
	}
	var found []Damage
	note := func(name, problem string) { found = append(found, Damage{name, problem, r.unrecorded(name)}) }
	for _, name := range maps {
		p, h := r.pinned[name], r.held[name]
		want := spec.Maps[name]
		switch {
		case p == nil && r.bad[name] == "":
			note(name, "is missing")
		case p == nil:
			note(name, r.bad[name])
		case h != nil && mapID(p) != mapID(h):
			note(name, "is not the map that the programs use")
		case want.Compatible(p) == nil:
			if r.bad[name] != "" {
				note(name, r.bad[name])
			} else if strings.HasPrefix(name, abi.PinSlotPrefix) && isEmpty(p) {
				note(name, "is empty: its hook runs nothing")
			}
		case h != nil:
			return nil, fmt.Errorf("pin directory %s: %w: its map %s is %s, but this tracectl needs %s; %s",
				r.dir, ErrVersion, name, form(p), specForm(want), otherVersion)
		default:
			note(name, fmt.Sprintf("is %s instead of %s", form(p), specForm(want)))
		}
	}
	for _, hook := range hooks {
		for _, name := range []string{abi.PinHookPrefix + hook, abi.PinLinkPrefix + hook} {
			if r.bad[name] != "" {
				note(name, r.bad[name])
			} else if !exists(r.dir, name) {
				note(name, "is missing")
			}
		}
	}
	for _, name := range []string{abi.PinBind, abi.PinUnfinishedCalls} {
		if r.bad[name] != "" {
			note(name, r.bad[name])
		} else if !exists(r.dir, name) {
			note(name, "is missing")
		}
	}
	return found, nil
}

func form(m *ebpf.Map) string {
	return formOf(m.Type(), m.KeySize(), m.ValueSize(), m.MaxEntries(), m.Flags())
}

func specForm(s *ebpf.MapSpec) string {
	return formOf(s.Type, s.KeySize, s.ValueSize, s.MaxEntries, s.Flags)
}

func formOf(kind ebpf.MapType, key, value, entries, flags uint32) string {
	return fmt.Sprintf("%v(%d:%d)x%d/%#x", kind, key, value, entries, flags)
}
