// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"testing"
)

// TestHoldersSpread counts how many names share a hash: of 10,000 balls in 16,384 bins, 7,486 bins are expected to have
// one.
func TestHoldersSpread(t *testing.T) {
	seen := map[uint16]bool{}
	for n := range 10000 {
		seen[holder(fmt.Sprint("pod-", n), 7)] = true
	}
	if len(seen) < 7200 || len(seen) > 7800 {
		t.Errorf("10000 names have %d hashes", len(seen))
	}
}

// TestHolders checks who shares recordings with whom: what the engine says counts, and not what the author of a
// container writes.
func TestHolders(t *testing.T) {
	const kubelet = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/x"
	const docker = "/run/containerd/io.containerd.runtime.v2.task/moby/x"
	cri := func(namespace, uid string, more ...string) map[string]string {
		a := map[string]string{"io.kubernetes.cri.sandbox-namespace": namespace, "io.kubernetes.cri.sandbox-uid": uid}
		for n := 0; n < len(more); n += 2 {
			a[more[n]] = more[n+1]
		}
		return a
	}
	crio := func(names string, more ...string) map[string]string {
		a := map[string]string{"io.kubernetes.cri-o.Metadata": "{}", "io.kubernetes.cri-o.Name": "k8s_c_" + names,
			"io.kubernetes.cri-o.SandboxName": "k8s_" + names}
		for n := 0; n < len(more); n += 2 {
			a[more[n]] = more[n+1]
		}
		return a
	}
	type container struct {
		id          string
		annotations map[string]string
		bundle      string
	}
	for _, c := range []struct {
		name                string
		a, b                container
		samePod, sameSpaces bool
	}{
		{
			"two containers of a pod", container{"1", cri("n", "u"), kubelet},
			container{"2", cri("n", "u"), kubelet}, true, true,
		},
		{
			"two pods", container{"1", cri("n", "u"), kubelet},
			container{"2", cri("n", "v"), kubelet}, false, true,
		},
		{
			"two namespaces", container{"1", cri("n", "u"), kubelet},
			container{"2", cri("m", "v"), kubelet}, false, false,
		},
		{
			"a UID in two namespaces", container{"1", cri("n", "u"), kubelet},
			container{"2", cri("m", "u"), kubelet}, false, false,
		},
		{
			"containerd, annotations of another engine", container{"1", cri("n", "u"), kubelet},
			container{"2", cri("n", "u", "io.kubernetes.pod.namespace", "m", "io.kubernetes.cri-o.Namespace", "m",
				"io.kubernetes.pod.uid", "v"), kubelet}, true, true,
		},
		{
			"CRI-O, annotations of the pod's author", container{"1", crio("p_n_u_0"), ""},
			container{"2", crio("p_n_u_0", "io.kubernetes.pod.namespace", "m", "io.kubernetes.pod.uid", "v"), ""}, true, true,
		},
		{
			"Docker, an annotation", container{"1", nil, docker},
			container{"2", map[string]string{"io.kubernetes.pod.namespace": "m"}, docker}, false, true,
		},
		{
			"no engine, an annotation", container{"1", map[string]string{"io.kubernetes.pod.namespace": "n"}, ""},
			container{"2", map[string]string{"io.kubernetes.pod.namespace": "m"}, ""}, false, true,
		},
		{
			"another engine's namespace of the name of an engine", container{"1", nil, docker},
			container{"2", cri("docker", ""), kubelet}, false, false,
		},
	} {
		const secret = 0x1234567890abcdef
		a, b := Parse(c.a.id, c.a.annotations, c.a.bundle, Rules{}), Parse(c.b.id, c.b.annotations, c.b.bundle, Rules{})
		SetHolders(&a, secret)
		SetHolders(&b, secret)
		if (a.PodHash == b.PodHash) != c.samePod || (a.NamespaceHash == b.NamespaceHash) != c.sameSpaces {
			t.Errorf("%s: pods %d and %d, namespaces %d and %d", c.name, a.PodHash, b.PodHash, a.NamespaceHash, b.NamespaceHash)
		}
		before := a
		if SetHolders(&a, secret+1); a.PodHash == before.PodHash || a.NamespaceHash == before.NamespaceHash {
			t.Errorf("%s: the hashes do not depend on the secret", c.name)
		}
	}
}
