// SPDX-License-Identifier: Apache-2.0

package unified

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMemberships(t *testing.T) {
	for _, test := range []struct {
		text string
		all  [][2]string
		path string // in the unified hierarchy; "" if there is none
	}{
		{"", nil, ""},
		{"0::/\n", [][2]string{{"0", "/"}}, "/"},
		{"0::/a:b/c \n", [][2]string{{"0", "/a:b/c "}}, "/a:b/c "},
		{"2:cpu,cpuacct:/docker/a\n1:name=systemd:/\n0::/b", [][2]string{{"2", "/docker/a"}, {"1", "/"}, {"0", "/b"}}, "/b"},
		{"0::/../x\n", [][2]string{{"0", "/../x"}}, ""},
		{"0::/..\n", [][2]string{{"0", "/.."}}, ""},
		{"0::/..x\n", [][2]string{{"0", "/..x"}}, "/..x"},
		{"10::/x\n", [][2]string{{"10", "/x"}}, ""},
		{"\n0:/x\nx\n", nil, ""},
	} {
		var all [][2]string
		for id, path := range Memberships(test.text) {
			all = append(all, [2]string{id, path})
		}
		if diff := cmp.Diff(test.all, all); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if path, ok := Path(test.text); path != test.path || ok != (test.path != "") {
			t.Errorf("%q: path %q, %v; want %q", test.text, path, ok, test.path)
		}
	}
}
