// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// host is the state of the machine below that a cluster might change, besides files in its own directory.
type host struct {
	Settings map[string]string // of the kernel
	Firewall map[string]string // rules, by the program that lists them
	Links    []string          // of the network
	Mounts   []string
	Cgroups  []string
}

// lookAtHost returns the current state. It includes only mounts and cgroups like those of a node's programs, since
// others may belong to programs of this machine.
func lookAtHost() (host, error) {
	h := host{Settings: settings()}
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		return h, err
	}
	for _, l := range links {
		h.Links = append(h.Links, l.Name())
	}
	if h.Firewall, err = firewall(); err != nil {
		return h, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return h, err
	}
	for line := range strings.Lines(string(mounts)) {
		where := strings.Fields(line)[4]
		if strings.HasPrefix(where, scratch) || strings.Contains(where, "/kubelet/") || strings.Contains(where, "/k8s.io/") {
			h.Mounts = append(h.Mounts, where)
		}
	}
	for _, pattern := range []string{"*", "*/*"} {
		cgroups, err := filepath.Glob("/sys/fs/cgroup/" + pattern)
		if err != nil {
			return h, err
		}
		for _, dir := range cgroups {
			name := filepath.Base(dir)
			if strings.Contains(name, filepath.Base(scratch)) ||
				slices.Contains([]string{"k8s.io", "kubepods", "system.slice"}, name) {
				h.Cgroups = append(h.Cgroups, dir)
			}
		}
	}
	return h, nil
}

// restless matches settings that change by themselves.
var restless = regexp.MustCompile(`^/proc/sys/(kernel/(ns_last_pid|perf_event_max_sample_rate|random/.*|pty/nr)|net/netfilter/nf_conntrack_count)$`)

// settings returns the kernel's settings that a kubelet, an engine or a pod network may change. Unreadable ones are
// left out.
func settings() map[string]string {
	found := map[string]string{}
	for _, dir := range []string{"kernel", "net", "vm"} {
		_ = filepath.WalkDir(filepath.Join("/proc/sys", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || restless.MatchString(path) {
				return nil
			}
			if info, err := d.Info(); err != nil || info.Mode()&0o444 == 0 || path == "/proc/sys/vm/stat_refresh" {
				return nil
			}
			if text, err := os.ReadFile(path); err == nil {
				found[path] = strings.TrimSpace(string(text))
			}
			return nil
		})
	}
	return found
}

// unsteady matches output of iptables-save that differs each time.
var unsteady = regexp.MustCompile(`(?m)^#.*\n| \[\d+:\d+\]$`)

// firewall lists all rules, with each program that can list them.
func firewall() (map[string]string, error) {
	rules := map[string]string{}
	for _, program := range []string{"iptables-save", "ip6tables-save", "iptables-legacy-save"} {
		text, err := exec.Command(program).Output()
		if errors.Is(err, exec.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("listing the firewall's rules: %s: %w", program, err)
		}
		rules[program] = unsteady.ReplaceAllString(string(text), "")
	}
	return rules, nil
}

// compare returns an error if something changed.
func (h host) compare(after host) error {
	if diff := cmp.Diff(h, after); diff != "" {
		return fmt.Errorf("the cluster has left something on this machine (-before +after):\n%s", diff)
	}
	return nil
}
