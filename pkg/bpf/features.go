// SPDX-License-Identifier: Apache-2.0

package bpf

import "github.com/runc-trace/runc-trace/pkg/config"

// Try has the kernel verify the programs as Load would, with the smallest sizes, and lets go of them at once: nothing
// is attached, pinned or kept. It takes up to a second or two, and the rights that Load takes.
func Try() error {
	if err := Supported(); err != nil {
		return err
	}
	collection, err := newCollection(layout(config.SmallestPool(), 0, 1), nil)
	if err != nil {
		return err
	}
	collection.Close()
	return nil
}

// Mounted tells whether a pin directory lies on a bpf file system, or would if it were made.
func Mounted(dir string) (bool, error) { return onBPFFS(dir) }
