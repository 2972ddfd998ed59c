// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"testing"

	"github.com/runc-trace/runc-trace/pkg/labels"
)

// TestArchiveRules asks rules about containers.
func TestArchiveRules(t *testing.T) {
	exited := func(namespace string, status uint32, set map[string]string) *labels.Container {
		return &labels.Container{Namespace: namespace, Exited: 1, ExitStatus: status, Labels: set}
	}
	const sigsegv, sigterm = 11, 15
	for _, test := range []struct {
		name               string
		status, namespaces []string
		selector           string
		c                  *labels.Container
		want               bool
	}{
		{"a failure", []string{"crashed"}, nil, "", exited("", 1<<8, nil), true},
		{"a success", []string{"crashed"}, nil, "", exited("", 0, nil), false},
		{"it was asked to end", []string{"crashed"}, nil, "", exited("", sigterm, nil), false},
		{"a crash", []string{"crashed"}, nil, "", exited("", sigsegv, nil), true},
		{"any", []string{"any"}, nil, "", exited("", 0, nil), true},
		{"an unknown end", []string{"crashed", "0-255"}, nil, "", &labels.Container{}, false},
		{"a signal", []string{"SIGSEGV"}, nil, "", exited("", sigsegv, nil), true},
		{"another signal", []string{"SIGSEGV"}, nil, "", exited("", sigterm, nil), false},
		{"a code", []string{"7", "3"}, nil, "", exited("", 3<<8, nil), true},
		{"a code in a range", []string{"2-4"}, nil, "", exited("", 4<<8, nil), true},
		{"a code out of it", []string{"2-4"}, nil, "", exited("", 5<<8, nil), false},
		{"no code, but a signal", []string{"0-255"}, nil, "", exited("", sigsegv, nil), false},
		{"a namespace", []string{"any"}, []string{"prod-*"}, "", exited("prod-a", 0, nil), true},
		{"another one", []string{"any"}, []string{"prod-*"}, "", exited("dev", 0, nil), false},
		{"all but one", []string{"any"}, []string{"!kube-*"}, "", exited("dev", 0, nil), true},
		{"that one", []string{"any"}, []string{"!kube-*"}, "", exited("kube-system", 0, nil), false},
		{"both", []string{"any"}, []string{"prod-*", "!prod-b"}, "", exited("prod-b", 0, nil), false},
		{"labels", []string{"any"}, nil, "app=web", exited("", 0, map[string]string{"app": "web"}), true},
		{"other labels", []string{"any"}, nil, "app=web", exited("", 0, map[string]string{"app": "db"}), false},
	} {
		r, err := NewArchiveRules(test.status, test.namespaces, test.selector, 1)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := r.Want(test.c); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	for name, bad := range map[string][3]string{
		"a word": {"failed", "", ""}, "a code": {"256", "", ""}, "a range": {"5-3", "", ""}, "a signal": {"SIGNONE", "", ""},
		"a pattern": {"any", "[", ""}, "a selector": {"any", "", "!!"},
	} {
		if _, err := NewArchiveRules([]string{bad[0]}, []string{bad[1]}, bad[2], 1); err == nil {
			t.Errorf("%s that is none was taken", name)
		}
	}
}
