// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseSpec(t *testing.T) {
	text := `{"ociVersion": "1.0.2", "process": {"args": ["sh"]}, "annotations": {"a": "1", "b": "2"},
		"linux": {"cgroupsPath": "/x", "namespaces": [{"type": "pid"}, {"type": "mount", "path": "/p"}], "seccomp": {}}}`
	want := spec{Annotations: map[string]string{"a": "1", "b": "2"}}
	want.Linux.CgroupsPath = "/x"
	want.Linux.Namespaces = append(want.Linux.Namespaces,
		struct {
			Type string `json:"type"`
			Path string `json:"path"`
		}{"pid", ""},
		struct {
			Type string `json:"type"`
			Path string `json:"path"`
		}{"mount", "/p"})
	got, err := parseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, broken := range []string{"", "{", "[]", `{"annotations": {"a": 1}}`, `{"linux": {"cgroupsPath": []}}`, text + "x"} {
		if got, err := parseSpec([]byte(broken)); err == nil {
			t.Errorf("%q gives %+v, want an error", broken, got)
		}
	}
}

// FuzzParseSpec holds the view against the whole struct of the runtime specification,
// by which runc reads the same bytes.
func FuzzParseSpec(f *testing.F) {
	f.Add([]byte(`{"annotations": {"a": "1"}, "linux": {"cgroupsPath": "/x", "namespaces": [{"type": "mount"}]}}`))
	f.Add([]byte(`{"annotations": {"a": "1"}, "Annotations": {"b": "2"}, "annotations": null}`))
	f.Add([]byte(`{"linux": null}`))
	f.Add([]byte(`{"linux": {"cgroupsPath": "\ud800"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseSpec(text)
		var whole specs.Spec
		if json.Unmarshal(text, &whole) != nil {
			return // runc refuses it
		}
		if err != nil {
			t.Fatalf("runc reads it, but: %v", err)
		}
		if diff := cmp.Diff(whole.Annotations, got.Annotations); diff != "" {
			t.Errorf("annotations (-runc +got):\n%s", diff)
		}
		var cgroupsPath string
		var namespaces int
		if whole.Linux != nil {
			cgroupsPath, namespaces = whole.Linux.CgroupsPath, len(whole.Linux.Namespaces)
		}
		if got.Linux.CgroupsPath != cgroupsPath || len(got.Linux.Namespaces) != namespaces {
			t.Errorf("linux %+v, runc has %q and %d namespaces", got.Linux, cgroupsPath, namespaces)
		}
	})
}
