// SPDX-License-Identifier: Apache-2.0

package bpf

import "github.com/runc-trace/runc-trace/pkg/config"

// Try lets the kernel verify the programs as Load would, with the smallest sizes, and then releases them: it attaches,
// pins and keeps nothing. It takes up to two seconds and needs the same rights as Load.
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

// Mounted reports whether a pin directory is on a bpf file system, or would be if it were made.
func Mounted(dir string) (bool, error) { return onBPFFS(dir) }
