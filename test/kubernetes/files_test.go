// SPDX-License-Identifier: Apache-2.0

package kubernetes

import "strings"

// files lists the files of a node, except those of its pods.
func (n *node) files() string {
	n.t.Helper()
	tree, err := n.Tree([]string{
		"/etc", "/opt", "/root", "/run/systemd", "/usr/bin", "/usr/local/bin", "/usr/local/sbin", "/usr/sbin", "/var/lib",
	},
		"/var/lib/cni", "/var/lib/containerd", "/var/lib/kubelet")
	if err != nil {
		n.t.Fatal(err)
	}
	return tree
}

// pins lists the pins of a node, except those that the kernel makes in each mounted bpf file system.
func (n *node) pins() string {
	n.t.Helper()
	return strings.TrimSpace(n.must("find", "/sys/fs/bpf", "-mindepth", "1", "-not", "-name", "*.debug"))
}
