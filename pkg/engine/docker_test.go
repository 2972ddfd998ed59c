// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestForget keeps the runtimes and the default runtime of flags.
func TestForget(t *testing.T) {
	e := Engine{Kind: Docker, Config: "/etc/docker/daemon.json", Unit: "docker.service"}
	for _, test := range []struct{ flags, now, want string }{
		{"", "", `{"default-runtime":"runc","runtimes":{}}`},
		{"--add-runtime=crun=/usr/bin/crun", `{"runtimes": {"kata": {"path": "/kata"}}}`,
			`{"default-runtime":"runc","runtimes":{"crun":{"path":"/usr/bin/crun"},"kata":{"path":"/kata"}}}`},
		{"--add-runtime crun=/usr/bin/crun --default-runtime crun", "", `{"runtimes":{"crun":{"path":"/usr/bin/crun"}}}`},
	} {
		h := tree(t, "-- /etc/systemd/system/docker.service --\n[Service]\nExecStart=/usr/bin/dockerd "+test.flags+"\n")
		got, err := e.Forget(h, []byte(test.now))
		var values map[string]any
		if err := errors.Join(err, json.Unmarshal(got.Data, &values)); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		if text, _ := json.Marshal(values); string(text) != test.want {
			t.Errorf("%+v: got %s", test, text)
		}
	}
}

// TestReloadLoses finds the runtimes that were added to flags after an installation.
func TestReloadLoses(t *testing.T) {
	const file = `{"runtimes": {"runc-trace": {"path": "/s"}, "crun": {"path": "/usr/bin/crun"}}}`
	kata := []Runtime{{Name: "kata", Path: "/kata"}}
	for _, test := range []struct {
		kind        Kind
		flags, file string
		want        []Runtime
	}{
		{Docker, "--add-runtime kata=/kata", file, kata},
		{Docker, "--add-runtime=crun=/crun --add-runtime=Kata=/kata", file, kata},
		{Docker, "--add-runtime=crun=/crun", file, nil},
		{Docker, "", file, nil},
		{Docker, "--add-runtime kata=/kata", `{"runtimes": {}}`, kata},
		{Docker, "--add-runtime kata=/kata", "{}", nil},
		{Docker, "--add-runtime kata=/kata", "", nil},
		{Docker, "--add-runtime kata=/kata", "{", nil},
		{Containerd, "--add-runtime kata=/kata", file, nil},
	} {
		files := "-- /etc/systemd/system/docker.service --\n[Service]\nExecStart=/usr/bin/dockerd " + test.flags + "\n"
		if test.file != "" {
			files += "-- /etc/docker/daemon.json --\n" + test.file + "\n"
		}
		e := Engine{Kind: test.kind, Config: "/etc/docker/daemon.json", Unit: "docker.service"}
		if diff := cmp.Diff(test.want, e.ReloadLoses(tree(t, files))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", test, diff)
		}
	}
}

// dataRoot answers `docker info`.
type dataRoot string

func (d dataRoot) Get(context.Context, string, string) ([]byte, error) {
	return json.Marshal(info{DockerRootDir: string(d)})
}

func (dataRoot) Status(context.Context, string) (map[string]string, error) { return nil, ErrNoAnswer }

// TestDockerDirs finds containers in every directory that dockerd may use.
func TestDockerDirs(t *testing.T) {
	const config, record = "/etc/docker/daemon.json", "{\"HostConfig\": {}, \"Runtime\": \"runc-trace\"}\n"
	for name, test := range map[string]struct{ config, flags, says, data string }{
		"usual":              {data: "/var/lib/docker"},
		"userns-remap":       {config: `{"userns-remap": "default"}`, data: "/var/lib/docker/231072.231072"},
		"data-root":          {config: `{"data-root": "/srv/a"}`, data: "/srv/a"},
		"remapped data-root": {config: `{"data-root": "/srv/a"}`, data: "/srv/a/1000.1000"},
		"graph":              {config: `{"graph": "/srv/a/"}`, data: "/srv/a"},
		"--data-root":        {flags: "--data-root /srv/a", data: "/srv/a"},
		"--graph":            {flags: "--graph=/srv/a", data: "/srv/a"},
		"-g":                 {flags: "-g /srv/a", data: "/srv/a"},
		"-g without space":   {flags: "-g/srv/a", data: "/srv/a"},
		"the running one":    {says: "/srv/a/1.1", data: "/srv/a/1.1"},
		"a link":             {config: `{"data-root": "/srv/link"}`, data: "/srv/a"},
	} {
		files := "-- /etc/systemd/system/docker.service --\n[Service]\nExecStart=/usr/bin/dockerd " + test.flags + "\n" +
			"-- " + test.data + "/containers/aaa/hostconfig.json --\n" + record
		if test.config != "" {
			files += "-- " + config + " --\n" + test.config + "\n"
		}
		h := tree(t, files)
		if err := os.MkdirAll(filepath.Join(h.Root, "srv"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/srv/a", filepath.Join(h.Root, "srv/link")); err != nil {
			t.Fatal(err)
		}
		if test.says != "" {
			h.API = dataRoot(test.says)
		}
		got, err := Engine{Kind: Docker, Config: config, Unit: "docker.service"}.Dependents(h, []string{shim})
		if diff := cmp.Diff([]Container{{ID: "aaa"}}, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}
