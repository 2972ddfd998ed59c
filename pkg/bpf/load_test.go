// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// TestLoad loads, loads again, and unloads.
func TestLoad(t *testing.T) {
	dir := pinDir(t)
	if _, err := bpf.Open(dir); !errors.Is(err, bpf.ErrNotLoaded) {
		t.Errorf("opening before loading: %v", err)
	}
	if r, err := bpf.Load(dir, bpf.Options{Pool: small}); !r.Loaded || err != nil {
		t.Fatalf("first load: %+v, %v", r, err)
	}
	if s, err := os.Stat(dir); err != nil || s.Mode().Perm() != 0o700 {
		t.Errorf("pin directory: %v, %v", s, err)
	}
	if r, err := bpf.Load(dir, bpf.Options{Pool: small}); r.Loaded || err != nil {
		t.Errorf("second load: %+v, %v", r, err)
	}
	other := small
	other.Rings = 2
	if _, err := bpf.Load(dir, bpf.Options{Pool: other}); !errors.Is(err, bpf.ErrOtherOptions) {
		t.Errorf("load with other options: %v", err)
	}
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !i.Allows(small) {
		t.Errorf("options %+v", i.Pool())
	}
	memory, err := i.Memory()
	if err != nil {
		t.Fatal(err)
	}
	// Kernels before 6.4 do not account what hashes need beside their elements.
	if estimate, err := bpf.Estimate(small); err != nil || estimate < memory*9/10 || estimate > memory*23/20 {
		t.Errorf("estimated are %d bytes of %d, %v", estimate, memory, err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	foreign := filepath.Join(dir, "somebody-elses")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	if unloaded, err := bpf.Unload(dir); !unloaded || err != nil {
		t.Errorf("unloading: %v, %v", unloaded, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "somebody-elses" {
		t.Errorf("left after unloading: %v, %v", left, err)
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if _, err := bpf.Unload(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("pin directory after unloading: %v", err)
	}
	if unloaded, err := bpf.Unload(dir); unloaded || err != nil {
		t.Errorf("unloading again: %v, %v", unloaded, err)
	}
	if _, err := bpf.Unload("/tmp"); err == nil {
		t.Error("unloading from a directory outside of a bpf file system succeeds")
	}
}

// TestLoadAfterInterruption loads after an earlier load stopped half-way.
func TestLoadAfterInterruption(t *testing.T) {
	dir := pinDir(t)
	if _, err := bpf.Load(dir, bpf.Options{Pool: small}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{abi.PinABI, abi.PinLinkPrefix + "cgroup_mkdir"} { // these are pinned last
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bpf.Open(dir); !errors.Is(err, bpf.ErrNotLoaded) {
		t.Errorf("opening half a load: %v", err)
	}
	if r, err := bpf.Load(dir, bpf.Options{Pool: small}); !r.Loaded || err != nil {
		t.Errorf("loading over it: %+v, %v", r, err)
	}
}

// TestOtherVersion checks that a tracer that another version loaded is refused and stays unchanged.
func TestOtherVersion(t *testing.T) {
	dir := pinDir(t)
	if _, err := bpf.Load(dir, bpf.Options{Pool: small}); err != nil {
		t.Fatal(err)
	}
	m, err := ebpf.LoadPinnedMap(filepath.Join(dir, abi.PinABI), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Put(uint32(0), abi.ABI{Version: abi.ABIVersion + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := bpf.Open(dir); !errors.Is(err, bpf.ErrVersion) {
		t.Errorf("opening: %v", err)
	}
	if _, err := bpf.Load(dir, bpf.Options{Pool: small}); !errors.Is(err, bpf.ErrVersion) {
		t.Errorf("loading: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, abi.PinRings)); err != nil {
		t.Errorf("a refused load removed pins: %v", err)
	}
	// Its links may have other names. Unload must remove them, too.
	if err := os.Rename(filepath.Join(dir, abi.PinLinkPrefix+"exec"),
		filepath.Join(dir, abi.PinLinkPrefix+"other")); err != nil {
		t.Fatal(err)
	}
	if unloaded, err := bpf.Unload(dir); !unloaded || err != nil {
		t.Errorf("unloading: %v, %v", unloaded, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left after unloading: %v", entriesOf(t, dir))
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		dir    string
		change func(*config.Pool)
		want   string
	}{
		"relative directory":  {"runc-trace", func(*config.Pool) {}, "absolute"},
		"another file system": {"/tmp/runc-trace-pins", func(*config.Pool) {}, "not on a bpf file system"},
		"ring size": {"", func(o *config.Pool) { o.RingSize = 5000 },
			"ring-size is 5000: it must be a power of two"},
		"no recordings":  {"", func(o *config.Pool) { o.Rings = -1 }, "recordings is -1"},
		"few identities": {"", func(o *config.Pool) { o.Identities = o.Rings }, "at least twice"},
		"capture size":   {"", func(o *config.Pool) { o.CaptureSize = 4096 }, "capture-size is 4KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			o := small
			test.change(&o)
			dir := test.dir
			if dir == "" {
				dir = pinDir(t)
			}
			if _, err := bpf.Load(dir, bpf.Options{Pool: o}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, expected one about %q", err, test.want)
			}
		})
	}
}

// TestOutlivesEverything loads in a separate process, which ends, as do the container and its cgroup: the recording
// remains.
func TestOutlivesEverything(t *testing.T) {
	dir := pinDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	here := unmade(t, "/rt-loader")
	if err := here.Make(); err != nil {
		t.Fatal(err)
	}
	c := command(here, self)
	c.Env = append(os.Environ(), workerEnv+"=load", "RUNC_TRACE_TEST_DIR="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("loading in another process: %v: %s", err, out)
	}
	i, err := bpf.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	d := container(t, i, "/rt-outlive")
	run(t, d, "/bin/cat", "/nowhere")
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	var found bool
	for _, call := range calls(t, i, "rt-outlive") {
		path := call.Capture(1)
		found = found || call.Result == -int64(unix.ENOENT) && path != nil && string(path.Data) == "/nowhere"
	}
	if !found {
		t.Error("the file that could not be opened is not in the recording")
	}
}

func loadWorker() {
	if _, err := bpf.Load(os.Getenv("RUNC_TRACE_TEST_DIR"), bpf.Options{Pool: small}); err != nil {
		panic(err)
	}
}
