// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// keptBytes is the size of the lane `recent` whose calls are counted.
const keptBytes = 1 << 20

// benchKept counts the calls that the lane `recent` holds after the first lap, if it has 1 MiB.
func benchKept(int, string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fmt.Printf("Calls kept in 1 MiB of `recent`.\n\n| workload | kept | bytes a call |\n|---|---|---|\n")
	for _, w := range []struct {
		name string
		args []string
	}{
		{"getppid", []string{self, "worker", "getppid", "40000"}},
		{"write of 64 bytes", []string{self, "worker", "write64", "40000"}},
		{"open, fstat, read and close of a file", []string{self, "worker", fileCalls, "40000"}},
		{"find /usr/share -size +1G", []string{"find", "/usr/share", "-size", "+1G"}},
		{"ls -lR /usr/share", []string{"ls", "-lR", "/usr/share"}},
	} {
		kept, err := kept(w.args)
		if err != nil {
			return fmt.Errorf("recording %s: %w", w.name, err)
		}
		fmt.Printf("| %s | %d | %.1f |\n", w.name, kept, float64(keptBytes)/float64(kept))
	}
	return nil
}

func kept(args []string) (kept int, err error) {
	o := config.DefaultPool()
	o.Rings, o.Identities, o.RingSize = 1, 2, 2*keptBytes // the lane has half of it
	if _, err := bpf.Load(benchDir, bpf.Options{Pool: o}); err != nil {
		return 0, err
	}
	d, err := cgroup.Unmade(benchCgroup)
	if err != nil {
		return 0, err
	}
	defer func() {
		removed := d.Remove()
		_, unloaded := bpf.Unload(benchDir)
		err = errors.Join(err, removed, unloaded)
	}()
	if err := d.Register(benchDir, cgroup.Recorded("bench")); err != nil {
		return 0, err
	}
	c := exec.Command(args[0], args[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: d.FD()}
	if err := c.Run(); err != nil {
		return 0, err
	}
	i, err := bpf.Open(benchDir)
	if err != nil {
		return 0, err
	}
	defer i.Close()
	r, err := i.Recording(0)
	if err != nil {
		return 0, err
	}
	s, err := r.Lanes[abi.LaneRecent].Read(0, false)
	if err != nil {
		return 0, err
	}
	if !s.Lapped {
		return 0, fmt.Errorf("only %d calls were made: the ring did not go round", s.Written)
	}
	return len(s.Records), nil
}
