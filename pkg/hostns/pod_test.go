// SPDX-License-Identifier: Apache-2.0

package hostns

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCgroups finds the containers of a pod by the cgroups of both drivers, and none of other pods.
func TestCgroups(t *testing.T) {
	const uid = "11111111-2222-3333-4444-555555555555"
	others := []string{
		"0::/\n",
		"0::/system.slice/docker-d1.scope\n",
		"0::/kubepods/besteffort/pod" + uid + "/sandbox\n",
		"0::/kubepods/besteffort/pod99999999-2222-3333-4444-555555555555/other\n",
		"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-s1.scope\n",
		"0::/kubepods/pod0123456789abcdef0123456789abcdef/static\n",
		"9:pids:/kubepods/besteffort/pod" + uid + "/legacy\n0::/\n",
		"nonsense\n",
	}
	for name, test := range map[string]struct {
		own  string
		want []string
	}{
		"cgroupfs": {"0::/kubepods/besteffort/pod" + uid + "/main\n", []string{"main", "sandbox"}},
		"systemd": {"0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod11111111_2222_3333_4444_555555555555.slice/cri-containerd-m1.scope\n",
			[]string{"cri-containerd-m1.scope", "cri-containerd-s1.scope"}},
		"a static pod":        {"0::/kubepods/pod0123456789abcdef0123456789abcdef/main\n", []string{"main", "static"}},
		"version 1":           {"9:pids:/kubepods/besteffort/pod" + uid + "/main\n0::/\n", []string{"legacy", "main"}},
		"Docker":              {"0::/system.slice/docker-d0.scope\n", []string{"docker-d0.scope"}},
		"the root":            {"0::/\n", nil},
		"a name like a pod's": {"0::/system.slice/podman.slice/x\n", []string{"x"}},
	} {
		if diff := cmp.Diff(test.want, cgroups(test.own, others)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := Cgroups(); err != nil {
		t.Error(err)
	}
}
