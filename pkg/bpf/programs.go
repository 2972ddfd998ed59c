// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Program is a running program.
type Program struct {
	Name string
	// Missed counts the skipped runs of the program, because it was already running on that CPU. No other count
	// includes the events that it missed then.
	Missed uint64
}

// Programs returns the programs whose hooks are attached. The kernel skips the hook, not the program that it runs, so
// the count continues when the program is replaced.
func (i *Instance) Programs() ([]Program, error) {
	var found []Program
	for _, hook := range hooks {
		missed, err := i.recursionMisses(hook)
		if err != nil {
			return nil, err
		}
		found = append(found, Program{"on_" + hook, missed})
	}
	return found, nil
}

// recursionMisses reads the count from the pinned hook. To open the program by the ID in a link would need
// CAP_SYS_ADMIN.
func (i *Instance) recursionMisses(hook string) (uint64, error) {
	link, path := filepath.Join(i.Dir, abi.PinLinkPrefix+hook), filepath.Join(i.Dir, abi.PinHookPrefix+hook)
	if _, err := os.Stat(link); err != nil {
		return 0, unopened(link, err)
	}
	p, err := ebpf.LoadPinnedProgram(path, &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return 0, unopened(path, err)
	}
	defer p.Close()
	stats, err := p.Stats()
	if err != nil {
		return 0, fmt.Errorf("inspecting hook %s: %w", hook, err)
	}
	return stats.RecursionMisses, nil
}
