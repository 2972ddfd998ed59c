// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestPlugin(t *testing.T) {
	for _, c := range []struct {
		argv []string
		ok   bool
	}{
		{[]string{"/usr/bin/kubectl-runc_trace", "status"}, true},
		{[]string{"kubectl-runc_trace.exe"}, true},
		{[]string{"/opt/runc-trace/bin/tracectl", "status"}, false},
		{nil, false},
	} {
		if _, args, ok := asPlugin(c.argv); ok != c.ok || ok && len(args) != len(c.argv)-1 {
			t.Errorf("%q is the plugin: %v, with %q", c.argv, ok, args)
		}
	}
	plugin := func(args ...string) result {
		var stdout, stderr bytes.Buffer
		code := runRoot(newPlugin(), args, strings.NewReader(""), &stdout, &stderr)
		return result{code, stdout.String(), stderr.String()}
	}
	want := result{2, "", "kubectl runc-trace: too many arguments: \"y\" (see kubectl runc-trace exec --help)\n"}
	if got := plugin("exec", "x", "y"); got != want {
		t.Errorf("wrong usage gives %+v", got)
	}
	for _, args := range [][]string{{"--help"}, {"exec", "--help"}, {"why", "--help"}, {"straceback", "show", "--help"},
		{"straceback", "list", "--help"}} {
		got := plugin(args...)
		usage := got.Stdout[strings.Index(got.Stdout, "Usage:"):]
		if strings.Contains(usage, "tracectl cluster") || !strings.Contains(usage, "kubectl runc-trace") {
			t.Errorf("%v: %s", args, got.Stdout)
		}
	}
	if got := plugin("__complete", "straceback", ""); !strings.Contains(got.Stdout, "show\t") {
		t.Errorf("completion gives %+v", got)
	}
	if got := plugin("--version"); got.Stdout != "kubectl runc-trace "+version+"\n" {
		t.Errorf("--version gives %+v", got)
	}
}

// TestElsewhere limits the imports on other systems: the plugin for kubectl also runs on a Mac, without containers.
func TestElsewhere(t *testing.T) {
	list := exec.Command("go", "list", "-deps", ".")
	list.Env = append(os.Environ(), "GOOS=darwin", "CGO_ENABLED=0")
	output, err := list.Output()
	if err != nil {
		t.Fatalf("listing imports: %v", err)
	}
	if !strings.Contains(string(output), "pkg/cluster\n") {
		t.Fatalf("listed:\n%s", output)
	}
	for _, name := range strings.Fields(string(output)) {
		if strings.HasPrefix(name, "github.com/cilium/ebpf") || strings.HasSuffix(name, "runc-trace/pkg/bpf") ||
			strings.HasSuffix(name, "runc-trace/pkg/agent") ||
			name == "k8s.io/client-go/kubernetes/scheme" {
			t.Errorf("elsewhere, tracectl imports %s", name)
		}
	}
}

// TestImports forbids packages that register all types of Kubernetes when the program starts.
func TestImports(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("listing imports: %v", err)
	}
	for _, name := range strings.Fields(string(output)) {
		if name == "k8s.io/client-go/kubernetes/scheme" || name == "k8s.io/client-go/kubernetes" {
			t.Errorf("tracectl imports %s", name)
		}
	}
}
