// SPDX-License-Identifier: Apache-2.0

package engine

import "testing"

// TestRelativeImport imports files by a pattern that is relative, for versions of containerd and of the file.
func TestRelativeImport(t *testing.T) {
	const folder, root = "/etc/containerd/conf.d/a.toml", "/conf.d/a.toml"
	for _, test := range []struct {
		name, version, format, file string
		want                        string // the default runtime
		unclear                     bool
	}{
		{"2.1", "2.1.0", "3", folder, "here", false},
		{"2.1, an old format", "2.1.0", "2", folder, "here", false},
		{"an unknown version, the new format", "", "3", folder, "here", false},
		{"an unknown version, an old format", "", "2", folder, "", true},
		{"1.7", "1.7.27", "2", folder, "", true},
		{"1.7, in the working directory", "1.7.27", "2", root, "", true},
		{"2.1, in the working directory", "2.1.0", "3", root, "runc", false},
		{"1.7, no file", "1.7.27", "2", "/etc/none", "runc", false},
	} {
		section := map[string]string{"2": "io.containerd.grpc.v1.cri", "3": "io.containerd.cri.v1.runtime"}[test.format]
		h := tree(t, "-- /etc/containerd/config.toml --\nversion = "+test.format+"\nimports = [\"conf.d/*.toml\"]\n"+
			"-- "+test.file+" --\nversion = "+test.format+"\n[plugins.'"+section+"'.containerd]\n"+
			"default_runtime_name = 'here'\nruntimes.here.runtime_type = 'io.containerd.runc.v2'\n")
		e := Engine{Kind: Containerd, Version: test.version, Config: containerdConfig}
		known, err := containerd{}.configured(h, e)
		if known.name != test.want || (err != nil) != test.unclear {
			t.Errorf("%s: %q, error %v", test.name, known.name, err)
		}
	}
}
