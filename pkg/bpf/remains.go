// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Damage is a pin that does not match what the loaded programs need.
type Damage struct {
	Pin     string // its name below the pin directory
	Problem string
}

// String returns the damage as one line for people.
func (d Damage) String() string { return d.Pin + " " + d.Problem }

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
	return &DamageError{filepath.Dir(path), []Damage{{filepath.Base(path), problem}}, cause}
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

// remains holds what still exists of an instance below a directory. The kernel keeps a map while a program uses it, and
// a program while it is attached or in a slot, so lost pins can be made again from these.
type remains struct {
	dir     string
	pinned  map[string]*ebpf.Map     // by pin: a map of any form
	held    map[string]*ebpf.Map     // by pin: the map that programs use, pinned or not
	rodata  *ebpf.Map                // constants of a program, or nil
	hooks   map[string]*ebpf.Program // by hook: the attached program or, if there is none, the pinned one
	links   map[string]link.Link     // by hook: the attachment, pinned or not
	bad     map[string]string        // by pin: what is wrong with an existing pin
	refusal error                    // why the kernel does not reveal the maps of programs
	close   []io.Closer
}

// Close closes everything that was opened.
func (r *remains) Close() {
	for _, c := range r.close {
		c.Close()
	}
}

func findRemains(dir string) *remains {
	r := &remains{
		dir: dir, pinned: map[string]*ebpf.Map{}, held: map[string]*ebpf.Map{}, hooks: map[string]*ebpf.Program{},
		links: map[string]link.Link{}, bad: map[string]string{},
	}
	for _, name := range maps {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if r.found(name, "a map", err) {
			r.pinned[name] = m
			r.close = append(r.close, m)
		}
	}
	for _, hook := range hooks {
		p, err := ebpf.LoadPinnedProgram(filepath.Join(dir, abi.PinHookPrefix+hook), nil)
		if r.found(abi.PinHookPrefix+hook, "a program", err) {
			r.close = append(r.close, p)
			if isNamed(p, abi.PinHookPrefix+hook) {
				r.hooks[hook] = p
			} else {
				r.bad[abi.PinHookPrefix+hook] = "is another program"
			}
		}
		l, err := link.LoadPinnedLink(filepath.Join(dir, abi.PinLinkPrefix+hook), nil)
		if r.found(abi.PinLinkPrefix+hook, "a link", err) {
			r.close = append(r.close, l)
			r.attached(hook, l)
		}
	}
	r.findLinks()
	for _, hook := range hooks {
		name := abi.PinSlotPrefix + hook
		r.holds(r.hooks[hook])
		for _, slot := range []*ebpf.Map{r.held[name], r.pinned[name]} {
			if !r.holds(r.inSlot(slot)) {
				r.bad[name] = "runs a program with other maps"
			}
		}
	}
	r.findBind()
	return r
}

// found reports whether a pin could be opened, and notes a pin that exists but could not be.
func (r *remains) found(name, kind string, err error) bool {
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.bad[name] = "is not " + kind
	}
	return err == nil
}

// attached adopts the link at a pin. The program that it runs takes precedence over the pinned one.
func (r *remains) attached(hook string, l link.Link) {
	name := abi.PinLinkPrefix + hook
	info, err := l.Info()
	if err != nil {
		r.bad[name] = "does not report what it attaches: " + err.Error()
		return
	}
	if pinned := r.hooks[hook]; pinned != nil && idOf(pinned) == info.Program {
		r.links[hook] = l
		return
	}
	p, err := ebpf.NewProgramFromID(info.Program)
	if err != nil {
		r.refused(err)
		r.links[hook] = l // no check failed
		return
	}
	r.close = append(r.close, p)
	if !isNamed(p, abi.PinHookPrefix+hook) {
		r.bad[name] = "attaches another program"
		return
	}
	if r.hooks[hook] != nil {
		r.bad[abi.PinHookPrefix+hook] = "is not the program that is attached"
	}
	r.hooks[hook], r.links[hook] = p, l
}

func (r *remains) findBind() {
	p, err := ebpf.LoadPinnedProgram(filepath.Join(r.dir, abi.PinBind), nil)
	if r.found(abi.PinBind, "a program", err) {
		r.close = append(r.close, p)
		if !isNamed(p, "bind_existing") {
			r.bad[abi.PinBind] = "is another program"
		} else if !r.holds(p) {
			r.bad[abi.PinBind] = "uses other maps"
		}
	}
	l, err := link.LoadPinnedLink(filepath.Join(r.dir, abi.PinUnfinishedCalls), nil)
	if r.found(abi.PinUnfinishedCalls, "a link", err) {
		r.close = append(r.close, l)
		info, err := l.Info()
		if err == nil && info.Type != link.IterType {
			r.bad[abi.PinUnfinishedCalls] = "is not an iterator"
		}
	}
}

// findLinks searches all links of the kernel for those of hooks that seem not to be attached. A link whose pin was lost
// may still be held by another process, and a second link beside it would record everything twice.
func (r *remains) findLinks() {
	if len(r.links) == len(hooks) {
		return
	}
	it := new(link.Iterator)
	defer it.Close()
	for it.Next() {
		info, err := it.Link.Info()
		if err != nil || info.Type != link.TracingType && info.Type != link.RawTracepointType {
			continue
		}
		p, err := ebpf.NewProgramFromID(info.Program)
		if err != nil {
			continue
		}
		r.close = append(r.close, p)
		for _, hook := range hooks {
			if r.links[hook] == nil && isNamed(p, abi.PinHookPrefix+hook) && r.isOurs(hook, p) {
				l := it.Take()
				r.close = append(r.close, l)
				r.hooks[hook], r.links[hook] = p, l
				break
			}
		}
	}
	r.refused(it.Err())
}

// isOurs reports whether a program is this hook of this instance, and not of another pin directory.
func (r *remains) isOurs(hook string, p *ebpf.Program) bool {
	if pinned := r.hooks[hook]; pinned != nil {
		return idOf(pinned) == idOf(p)
	}
	slot := r.pinned[abi.PinSlotPrefix+hook]
	if slot == nil {
		return false
	}
	for _, id := range mapsOf(p) {
		if id == mapID(slot) {
			return true
		}
	}
	return false
}

// holds notes the maps that a program uses; the first one that is noted for a pin counts. It returns false if the
// program uses another map than the noted one.
func (r *remains) holds(p *ebpf.Program) (agrees bool) {
	agrees = true
	for _, id := range mapsOf(p) {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			r.refused(err)
			continue
		}
		r.close = append(r.close, m)
		info, err := m.Info()
		if err != nil {
			continue
		}
		if strings.Contains(info.Name, "rodata") {
			r.rodata = m
		}
		for _, name := range maps {
			switch {
			case info.Name != shortened(name):
			case r.held[name] == nil:
				r.held[name] = m
			case mapID(r.held[name]) != id:
				agrees = false
			}
		}
	}
	return agrees
}

// inSlot returns the program in a slot, or nil.
func (r *remains) inSlot(slot *ebpf.Map) *ebpf.Program {
	var id ebpf.ProgramID
	if slot == nil || slot.Type() != ebpf.ProgramArray || slot.Lookup(uint32(0), &id) != nil {
		return nil
	}
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		r.refused(err)
		return nil
	}
	r.close = append(r.close, p)
	return p
}

func (r *remains) refused(err error) {
	if errors.Is(err, os.ErrPermission) {
		r.refusal = err
	}
}

// examine compares the pins with a layout and with the maps that programs use.
func (r *remains) examine(layout abi.ABI) ([]Damage, error) {
	spec, err := loadRecorder()
	if err != nil {
		return nil, fmt.Errorf("reading the embedded programs: %w", err)
	}
	if err := size(spec, layout); err != nil {
		return nil, err
	}
	var found []Damage
	note := func(name, problem string) { found = append(found, Damage{name, problem}) }
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
			return nil, fmt.Errorf("pin directory %s: %w: its map %s is %s, but this tracectl needs %s; %s", r.dir, ErrVersion, name, form(p), specForm(want), otherVersion)
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

// otherVersion is the remedy if another version's layout is loaded.
const otherVersion = "use the tracectl that loaded it, or " + again

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

func isEmpty(slot *ebpf.Map) bool {
	var id ebpf.ProgramID
	return errors.Is(slot.Lookup(uint32(0), &id), ebpf.ErrKeyNotExist)
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

// shortened returns a name as the kernel truncates it.
func shortened(name string) string { return name[:min(len(name), 15)] }

func isNamed(p *ebpf.Program, name string) bool {
	info, err := p.Info()
	return err == nil && (info.Name == name || info.Name == shortened(name)) // the whole name is in the type information
}

func idOf(p *ebpf.Program) ebpf.ProgramID {
	info, err := p.Info()
	if err != nil {
		return 0
	}
	id, _ := info.ID()
	return id
}

func mapID(m *ebpf.Map) ebpf.MapID {
	info, err := m.Info()
	if err != nil {
		return 0
	}
	id, _ := info.ID()
	return id
}

func mapsOf(p *ebpf.Program) []ebpf.MapID {
	if p == nil {
		return nil
	}
	info, err := p.Info()
	if err != nil {
		return nil
	}
	ids, _ := info.MapIDs()
	return ids
}
