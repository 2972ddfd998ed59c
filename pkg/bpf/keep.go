// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

var (
	// ErrGone means that a recording's memory was used for another container, or that it was removed.
	ErrGone = errors.New("the recording is gone")
	// ErrKeepLimit means that as many recordings are kept as may be.
	ErrKeepLimit = errors.New("no more recordings can be kept")
	// ErrRuns means that a recording's container has not ended.
	ErrRuns = errors.New("its container has not ended")
	// ErrOlderBuild means that the loaded programs have the same layout, but cannot do what is asked.
	ErrOlderBuild = errors.New("the loaded programs are of an older build: run tracectl load --replace")

	errBusy = errors.New("it is being taken or released; try again")
)

// Keeper changes recordings: it keeps, releases and removes them. It holds the lock of the pin directory, so there is
// one at a time, and none while programs are loaded or replaced.
type Keeper struct {
	layout         abi.ABI
	bind           *ebpf.Program
	rings, writers *ebpf.Map
	unlock         func()
}

// OpenKeeper opens the programs and maps that are loaded below dir, and waits for other Keepers. Errors match
// ErrNotLoaded, ErrVersion, os.ErrPermission.
func OpenKeeper(dir string) (*Keeper, error) {
	layout, err := readABI(dir)
	if err != nil {
		return nil, err
	}
	k := &Keeper{layout: layout}
	if k.unlock, err = lockDir(dir); err != nil {
		return nil, err
	}
	bind := filepath.Join(dir, abi.PinBind)
	if k.bind, err = ebpf.LoadPinnedProgram(bind, nil); err != nil {
		return nil, errors.Join(unopened(bind, err), k.Close())
	}
	k.rings, err = openArray(filepath.Join(dir, abi.PinRings), int(layout.Rings)*int(layout.RingStride))
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	k.writers, err = openArray(filepath.Join(dir, abi.PinWriters), int(layout.Writers)*abi.SizeofWriter)
	if err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

// Close lets others keep and remove recordings.
func (k *Keeper) Close() error {
	var errs []error
	if k.bind != nil {
		errs = append(errs, k.bind.Close())
	}
	for _, m := range []*ebpf.Map{k.rings, k.writers} {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	k.unlock()
	return errors.Join(errs...)
}

// KeepLimit returns how many of the recordings can be kept: a quarter, so that new containers find room.
func (i *Instance) KeepLimit() int { return keepLimit(i.Layout.Rings) }

func keepLimit(rings uint32) int {
	if rings == 1 {
		return 0
	}
	return int(min(max(rings/abi.KeepLimit, 1), abi.KeepMost))
}

// Kept returns the indexes of the recordings that are kept.
func (i *Instance) Kept() (map[int]bool, error) {
	slots, err := loadMap(filepath.Join(i.Dir, abi.PinSlots))
	if err != nil {
		return nil, err
	}
	defer slots.Close()
	kept := map[int]bool{}
	var cursor ebpf.MapBatchCursor
	for indexes, values := make([]uint32, 256), make([]abi.Slot, 256); ; {
		n, err := slots.BatchLookup(&cursor, indexes, values, nil)
		for at := range n {
			if values[at].Pod&abi.SlotKept != 0 {
				kept[int(indexes[at])] = true
			}
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return kept, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading map %s: %w", abi.PinSlots, err)
		}
	}
}

// Keep keeps the recording with an index, if it has a generation, until Release: no new container gets its memory, not
// even after tracectl load --replace. Errors match ErrGone, ErrKeepLimit, ErrOlderBuild.
func (k *Keeper) Keep(index int, generation uint32) error {
	return k.ask(abi.BindKeep, index, generation, keepLimit(k.layout.Rings))
}

// Release lets a recording be used again, if its container has ended. One that is not kept is left alone. Errors match
// ErrGone, ErrOlderBuild.
func (k *Keeper) Release(index int, generation uint32) error {
	return k.ask(abi.BindRelease, index, generation, 0)
}

// Remove clears the memory of a recording whose container has ended, and lets it be used again. If it is interrupted,
// the recording is kept, and another Remove goes on. Errors match ErrGone, ErrRuns, ErrOlderBuild.
func (k *Keeper) Remove(index int, generation uint32) error {
	if err := k.ask(abi.BindClaim, index, generation, 0); err != nil {
		return err
	}
	if err := k.clear(index); err != nil {
		return err
	}
	return k.ask(abi.BindDiscard, index, generation, 0)
}

// EraseExecs erases what the exec log knows of the execs of a container: programs and arguments. Those that are logged
// meanwhile are not its own any more, if it has ended. The error matches ErrOlderBuild.
func (k *Keeper) EraseExecs(i *Instance, identity, generation uint32) error {
	log, err := i.ExecLog()
	if err != nil {
		return err
	}
	for number, r := range log {
		for from, end := uint64(0), r.Header().Head; from < end; {
			s, err := r.ReadSome(from, erasedAtOnce, false)
			if err != nil {
				return fmt.Errorf("reading the exec log: %w", err)
			}
			for n, record := range s.Records {
				var e abi.Exec
				if _, err := binary.Decode(record, binary.NativeEndian, &e); err != nil ||
					e.Identity != identity || e.Generation != generation {
					continue
				}
				err := k.run(abi.BindRequest{Action: abi.BindErase, Cgroup: s.Positions[n], Init: identity,
					Owner: generation, Waits: uint16(number)})
				if err != nil && !errors.Is(err, ErrGone) { // gone: it was overwritten meanwhile
					return fmt.Errorf("erasing an exec: %w", err)
				}
			}
			from = s.Next
		}
	}
	return nil
}

// erasedAtOnce is how many bytes of the exec log are looked at together.
const erasedAtOnce = 1 << 20

func (k *Keeper) ask(action uint32, index int, generation uint32, most int) error {
	err := k.run(abi.BindRequest{Action: action, Init: uint32(index), Owner: generation, Waits: uint16(most)})
	if err != nil {
		return fmt.Errorf("recording %d: %w", index, err)
	}
	return nil
}

// A recording is busy for microseconds.
const (
	askTries = 1000
	askPause = time.Millisecond
)

func (k *Keeper) run(request abi.BindRequest) error {
	for range askTries {
		result, err := runBind(k.bind, request)
		switch {
		case err != nil:
			return err
		case result == abi.BindDone:
			return nil
		case result == abi.BindGone:
			return ErrGone
		case result == abi.BindLimit:
			return ErrKeepLimit
		case result == abi.BindRuns:
			return ErrRuns
		case result != abi.BindBusy:
			return ErrOlderBuild
		}
		time.Sleep(askPause)
	}
	return errBusy
}

// clear zeroes the memory of a recording, which is claimed. The heads of its lanes stay, so that no position comes
// twice.
func (k *Keeper) clear(index int) error {
	if err := k.awaitWriters(index); err != nil {
		return err
	}
	stride := uint64(k.layout.RingStride)
	w := window{array: k.rings, write: true}
	memory, err := w.view(uint64(index)*stride, stride)
	if err != nil {
		return err
	}
	clear(memory[unsafe.Offsetof(abi.Recording{}.Totals):])
	return w.close()
}

// awaitWriters waits until no CPU writes into a recording. Its container has no tasks any more.
func (k *Keeper) awaitWriters(index int) (err error) {
	w := window{array: k.writers}
	memory, err := w.view(0, uint64(k.layout.Writers)*abi.SizeofWriter)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	writers := unsafe.Slice((*abi.Writer)(unsafe.Pointer(unsafe.SliceData(memory))), k.layout.Writers)
	const lanes = 1<<abi.LaneShift - 1
	for n := range writers {
		for tries := 0; int(atomic.LoadUint32(&writers[n].Ring)&lanes) == index+1; tries++ {
			if tries == askTries {
				return fmt.Errorf("recording %d: %w", index, errBusy)
			}
			time.Sleep(askPause)
		}
	}
	return nil
}
