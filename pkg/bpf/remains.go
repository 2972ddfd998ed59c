// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

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

func exists(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return err == nil
}

func isEmpty(slot *ebpf.Map) bool {
	var id ebpf.ProgramID
	return errors.Is(slot.Lookup(uint32(0), &id), ebpf.ErrKeyNotExist)
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
