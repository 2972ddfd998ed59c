// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInitCommand reads files that a shell sources: only literal assignments have a known result.
func TestInitCommand(t *testing.T) {
	const file = "/etc/default/docker"
	for _, test := range []struct {
		text   string
		want   string // the arguments, separated by |
		unsure string
	}{
		{"", "", ""},
		{"# DOCKER_OPTS=\"$X\" `y`\n\n\t# z\nOTHER=a.b/c:1\n", "", ""},
		{"DOCKER_OPTS=-D", "-D", ""},
		{"DOCKER_OPTS=\n", "", ""},
		{"  export DOCKER_OPTS=\"-H unix:///x  --default-runtime other\" # because\n", "-H|unix:///x|--default-runtime|other", ""},
		{"DOCKER_OPTS='--label=a$b'\nDOCKER_OPTS=\"-D\"'  -H 'x;\n", "-D|-H|x", ""},
		{"export http_proxy=\"http://127.0.0.1:3128/\"\nDOCKER_OPTS=\"-D \\\n  --default-runtime=other\"\n", "-D|--default-runtime=other", ""},
		{"A=-D\nDOCKER_OPTS=\"$A -H x\"\n", "", ":2: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D\nDOCKER_OPTS+=' -H x'\n", "-D", ":2: cannot tell what this shell code sets"},
		{"if true; then\nDOCKER_OPTS=-D\nfi\n", "", ":1: cannot tell what this shell code sets"},
		{"\n. /etc/default/other\n", "", ":2: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=`cat /x`\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D\\ x\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS='-D\n-H x'\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=\"-D \\\" x\"\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=\"--label='x y'\"\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=~/x\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D#x\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D exec\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D; DOCKER_OPTS=-H\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS =-D\n", "", ":1: cannot tell what this shell code sets"},
		{"unset DOCKER_OPTS\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS=-D\r\n", "", ":1: cannot tell what this shell code sets"},
		{"DOCKER_OPTS='--label=*'\n", "--label=*", ":1: a shell expands its wildcards"},
	} {
		c := initCommand(file, []byte(test.text), "DOCKER_OPTS")
		unsure := ""
		if c.unsure != nil {
			unsure = strings.TrimPrefix(c.unsure.Error(), file)
		}
		if diff := cmp.Diff([]string{test.want, test.unsure}, []string{strings.Join(c.args(), "|"), unsure}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}
