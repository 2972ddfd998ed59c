// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/doctor"
)

func TestPrintChecks(t *testing.T) {
	well := []doctor.Check{{Name: "kernel", State: doctor.OK, Detail: "6.1"},
		{Name: "containers", State: doctor.Warn, Detail: "\x1b[2Jweb", Remedy: "see\nto it"}}
	for _, c := range []struct {
		checks        []doctor.Check
		output        string
		want, problem string
	}{
		{well, "text", "ok    kernel      6.1\nwarn  containers  \\x1b[2Jweb\n                  remedy: see\\nto it\n", ""},
		{append(well[:1:1], doctor.Check{Name: "loaded", State: doctor.Fail, Detail: "no", Remedy: "tracectl load"}), "text",
			"ok    kernel  6.1\nfail  loaded  no\n              remedy: tracectl load\n", "1 of 2 checks failed"},
		{well, "json", `{"name":"kernel","state":"ok","detail":"6.1","remedy":""}` + "\n" +
			`{"name":"containers","state":"warn","detail":"\u001b[2Jweb","remedy":"see\nto it"}` + "\n", ""},
	} {
		var out bytes.Buffer
		problem := ""
		if err := printChecks(&out, c.checks, c.output); err != nil {
			problem = err.Error()
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" || problem != c.problem {
			t.Errorf("%q, want %q (-want +got):\n%s", problem, c.problem, diff)
		}
	}
}

func TestDoctorFacts(t *testing.T) {
	dir := t.TempDir()
	file, wrong := filepath.Join(dir, "config.toml"), filepath.Join(dir, "wrong.toml")
	configured := filepath.Join(dir, "pins")
	for name, text := range map[string]string{file: fmt.Sprintf("pin-dir = %q", configured),
		wrong: `runtime = "/r"` + "\nlogs = 1"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(abi.PinDirEnv, "")
	t.Setenv(config.PathEnv, file)
	f := (&settings{}).facts()
	if f.PinDir.Path != configured || !f.Configuration.Present || f.Configuration.Err != nil ||
		f.Configuration.Path != file || !errors.Is(f.Tracer.Err, bpf.ErrNotLoaded) {
		t.Errorf("configured by the environment: %+v", f)
	}
	f = (&settings{config: wrong, pinDir: "/a"}).facts()
	if f.PinDir.Path != "/a" || f.Configuration.Path != wrong || f.Configuration.Err == nil ||
		!cmp.Equal(f.Configuration.Config.Runtime, config.Runtime{"/r"}) {
		t.Errorf("a configuration with a slip: %+v", f)
	}
	f = (&settings{config: wrong}).facts()
	if f.PinDir.Path != abi.DefaultPinDir {
		t.Errorf("a configuration with a slip, which names no pin directory: %+v", f)
	}
}
