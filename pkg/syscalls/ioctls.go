// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"cmp"
	_ "embed" // for the numbers
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:generate go run ./genioctls zz_ioctls.txt

//go:embed zz_ioctls.txt
var ioctlsText string

// ioctls are those of an ABI.
type ioctls struct {
	abi          ABI
	byHand       []flagEntry // those of flags.txt
	events, axes *flagTable  // of input devices

	once    sync.Once
	entries []flagEntry // all, by number, then by name; built at its first use
}

// addIoctls makes the table of ioctls one that also has those of the kernel's headers.
func addIoctls(a ABI, flags map[string]*flagTable) {
	table := flags["ioctl"]
	table.ioctls = &ioctls{abi: a, byHand: table.entries, events: flags["input_events"], axes: flags["input_axes"]}
	table.entries = nil
	for _, e := range table.ioctls.byHand {
		if e.of != "" {
			table.entries = append(table.entries, e)
		}
	}
}

// all returns all ioctls, by number, then by name.
func (t *ioctls) all() []flagEntry {
	t.once.Do(func() {
		t.entries = slices.Clone(t.byHand)
		for line := range strings.Lines(ioctlsText) {
			if line[0] == '#' {
				continue
			}
			if e, ok := parseFlag(strings.TrimSpace(line), &flagTable{}, t.abi); ok {
				t.entries = append(t.entries, e)
			}
		}
		slices.SortFunc(t.entries, func(a, b flagEntry) int {
			return cmp.Or(cmp.Compare(a.bits, b.bits), cmp.Compare(a.name, b.name))
		})
		t.entries = slices.CompactFunc(t.entries, func(a, b flagEntry) bool { return a.bits == b.bits && a.name == b.name })
	})
	return t.entries
}

// named returns the ioctl with a name. It is known, but not ok, if only other ABIs have it.
func (t *ioctls) named(name string) (e flagEntry, known, ok bool) {
	if n := slices.IndexFunc(t.byHand, func(e flagEntry) bool { return e.name == name }); n >= 0 {
		return t.byHand[n], true, true
	}
	for text := ioctlsText; text != ""; { // its lines are sorted
		begin := strings.LastIndexByte(text[:len(text)/2], '\n') + 1
		end := begin + strings.IndexByte(text[begin:], '\n') + 1
		line := text[begin:end]
		other, _, _ := strings.Cut(line, "=")
		switch strings.Compare(name, other) {
		case 0:
			e, ok = parseFlag(strings.TrimSpace(line), &flagTable{}, t.abi)
			return e, true, ok
		case -1:
			text = text[:begin]
		default:
			text = text[end:]
		}
	}
	return e, false, false
}

// of returns the ioctls with a number.
func (t *ioctls) of(number uint64) []flagEntry {
	all := t.all()
	first, _ := slices.BinarySearchFunc(all, number, func(e flagEntry, n uint64) int { return cmp.Compare(e.bits, n) })
	last := first
	for last < len(all) && all[last].bits == number {
		last++
	}
	return all[first:last]
}

// append appends the name of a number, or all of them: "ENI_MEMDUMP or HE_GET_REG". It returns false if there is none.
func (t *ioctls) append(dst []byte, number uint64) (_ []byte, ok bool) {
	dst, ok = t.appendSized(dst, number)
	for _, e := range t.of(number) {
		if ok {
			dst = append(dst, " or "...)
		}
		dst, ok = append(dst, e.name...), true
	}
	return dst, ok
}

// sized are macros of the kernel's headers that make the number of an ioctl from its argument: linux/input.h, hidraw.h,
// hiddev.h, uinput.h, joystick.h, soundcard.h and spi/spidev.h.
var sized = []struct {
	name        string
	begin       uint32 // the direction, the type, and the first number
	count       uint32 // how many numbers there are
	table, size bool   // the argument is a number of an axis or an event, or the size, or both
}{
	{"EVIOCGNAME", 0x80004506, 1, false, true}, {"EVIOCGPHYS", 0x80004507, 1, false, true},
	{"EVIOCGUNIQ", 0x80004508, 1, false, true}, {"EVIOCGPROP", 0x80004509, 1, false, true},
	{"EVIOCGMTSLOTS", 0x8000450a, 1, false, true}, {"EVIOCGKEY", 0x80004518, 1, false, true},
	{"EVIOCGLED", 0x80004519, 1, false, true}, {"EVIOCGSND", 0x8000451a, 1, false, true},
	{"EVIOCGSW", 0x8000451b, 1, false, true}, {"EVIOCGBIT", 0x80004520, 0x20, true, true},
	{"EVIOCGABS", 0x80004540, 0x40, true, false}, {"EVIOCSABS", 0x400045c0, 0x40, true, false},
	{"HIDIOCGRAWNAME", 0x80004804, 1, false, true}, {"HIDIOCGRAWPHYS", 0x80004805, 1, false, true},
	{"HIDIOCSFEATURE", 0x80004806, 1, false, true}, {"HIDIOCSFEATURE", 0xc0004806, 1, false, true},
	{"HIDIOCGFEATURE", 0xc0004807, 1, false, true}, {"HIDIOCGRAWUNIQ", 0x80004808, 1, false, true},
	{"HIDIOCGPHYS", 0x80004812, 1, false, true}, {"UI_GET_SYSNAME", 0x8000552c, 1, false, true},
	{"JSIOCGNAME", 0x80006a13, 1, false, true}, {"MIXER_READ", 0x80004d00, 0x100, false, false},
	{"MIXER_WRITE", 0x40004d00, 0x100, false, false}, {"SPI_IOC_MESSAGE", 0x40006b00, 1, false, true},
}

// appendSized appends the call of the macro that makes a number: "EVIOCGNAME(256)".
func (t *ioctls) appendSized(dst []byte, number uint64) (_ []byte, ok bool) {
	const direction, size = 30, 16 // _IOC_DIRSHIFT, _IOC_SIZESHIFT
	for i := range sized {
		s := &sized[i]
		n := uint32(number)&(3<<direction|1<<size-1) - s.begin
		if n >= s.count {
			continue
		}
		dst = append(append(dst, s.name...), '(')
		switch {
		case s.table && s.size:
			dst = append(t.events.appendOf(dst, uint64(n), "EV_"), ", "...)
		case s.table:
			dst = t.axes.appendOf(dst, uint64(n), "ABS_")
		case !s.size:
			dst = strconv.AppendUint(dst, uint64(n), 10)
		}
		if s.size {
			dst = strconv.AppendUint(dst, number>>size&(1<<14-1), 10)
		}
		return append(dst, ')'), true
	}
	return dst, false
}

// appendOf appends the name of a value, or as strace does: "0x6 /* EV_??? */".
func (t *flagTable) appendOf(dst []byte, value uint64, prefix string) []byte {
	if dst = t.append(dst, value); t.entry(value) == nil {
		dst = append(append(append(dst, " /* "...), prefix...), "??? */"...)
	}
	return dst
}
