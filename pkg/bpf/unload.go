// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Unload detaches the programs and drops all recordings: it removes their pins below dir, and dir itself if nothing
// else is in it. It returns false if there was nothing to remove.
func Unload(dir string) (unloaded bool, err error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	on, err := onBPFFS(dir)
	if err != nil {
		return false, err
	}
	if !on {
		return false, fmt.Errorf("pin directory %s is not on a bpf file system", dir)
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := removePins(dir); err != nil {
		return false, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
		return true, fmt.Errorf("removing pin directory: %w", err)
	}
	return true, nil
}
