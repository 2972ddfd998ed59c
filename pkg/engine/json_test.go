// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNull edits a daemon.json with null where dockerd expects another value: it takes that for a missing member.
func TestNull(t *testing.T) {
	const host = "-- /usr/bin/dockerd --\n-- /usr/bin/runc --\n-- /etc/docker/daemon.json --\n"
	for _, test := range []struct {
		text    string
		request Request
		want    string
	}{
		{"null\n", Request{Shim: shim}, `{"runtimes": {"runc-trace":{"path":"` + shim + `"}}}`},
		{`{"runtimes": null, "default-runtime": null}`, Request{Shim: shim, Default: true},
			`{"runtimes": {"runc-trace":{"path":"` + shim + `"}}, "default-runtime": "runc-trace"}`},
		{`{"runtimes": {"a": {"runtimeType": "io.containerd.runc.v2", "options": null}}, "default-runtime": "a"}`,
			Request{Shim: shim, Others: map[string]string{"a": shim + "-a"}},
			`{"runtimes": {"a": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "` + shim + `-a"}},` +
				`"runc-trace": {"runtimeType":"io.containerd.runc.v2","options":{"BinaryName":"` + shim + `"}}},` +
				`"default-runtime": "a"}`},
	} {
		h := tree(t, host+test.text+"\n")
		engines, err := Detect(h)
		if err != nil || len(engines) != 1 {
			t.Fatal(engines, err)
		}
		files, err := engines[0].Edit(h, test.request)
		if err != nil || len(files) != 1 {
			t.Errorf("%s: %d files, error %v", test.text, len(files), err)
			continue
		}
		if diff := cmp.Diff(compact(t, test.want), compact(t, string(files[0].Data))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
}
