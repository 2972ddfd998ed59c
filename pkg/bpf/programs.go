// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Program is a program that runs.
type Program struct {
	Name string
	// Missed counts the times it was not run, because it was running on that CPU already: what it
	// would have recorded then is not in any other count.
	Missed uint64
}

// Programs returns the programs whose hooks are attached. It is the hook that the kernel does not run: what is
// missed goes on being counted when the program is replaced.
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

// recursionMisses asks the pinned hook: a program that a link names by its ID can be asked with CAP_SYS_ADMIN only.
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
		return 0, fmt.Errorf("looking at hook %s: %w", hook, err)
	}
	return stats.RecursionMisses, nil
}
