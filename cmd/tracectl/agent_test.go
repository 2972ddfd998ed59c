// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAgentUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"node"}, `unexpected argument "node"`},
		{[]string{"--listen", "7467"}, `--listen "7467": must be HOST:PORT or unix:///PATH`},
		{[]string{"--listen", "unix://agent.sock"}, `--listen "unix://agent.sock": must be HOST:PORT or unix:///PATH`},
		{[]string{"-o", "yaml"}, `--output "yaml": must be one of text, json`},
	} {
		want := result{exitUsage, "", "tracectl: " + c.want + " (see tracectl agent --help)\n"}
		if diff := cmp.Diff(want, tracectl(t, append([]string{"agent"}, c.args...)...)); diff != "" {
			t.Errorf("tracectl agent %s (-want +got):\n%s", strings.Join(c.args, " "), diff)
		}
	}
}

func TestNodeName(t *testing.T) {
	t.Setenv("NODE_NAME", "Node-1.example")
	if name, err := nodeName(); err != nil || name != "Node-1.example" {
		t.Errorf("with $NODE_NAME it is %q, %v", name, err)
	}
	t.Setenv("NODE_NAME", "")
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if name, err := nodeName(); err != nil || name != strings.ToLower(host) {
		t.Errorf("of the host %q it is %q, %v", host, name, err)
	}
}
