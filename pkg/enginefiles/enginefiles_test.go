// SPDX-License-Identifier: Apache-2.0

package enginefiles

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

var id = strings.Repeat("0123456789abcdef", 4)

// known holds the fields that package enginefiles can add.
type known struct {
	Name, Image string
	Told        map[string]string
}

func ask(engine, container string, tell func(*abi.Who)) known {
	var who abi.Who
	identity.Put(who.Engine[:], engine)
	identity.Put(who.ID[:], container)
	tell(&who)
	return known{identity.String(who.Container[:]), identity.String(who.Image[:]), identity.LabelsOf(&who).Told}
}

func TestDocker(t *testing.T) {
	const good = `{"State": {"Running": false}, "ID": "ID", "Config": {"Hostname": "x", "Image": "nginx:1", "Labels": {"app": "web"}}, "Name": "/web-1"}`
	data := t.TempDir()
	file := filepath.Join(data, "containers", id, "config.v2.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	want := known{"web-1", "nginx:1", map[string]string{"app": "web"}}
	for _, test := range []struct {
		name, engine, id, rootfs, text string
		want                           known
	}{
		{"overlay2", "docker", id, data + "/overlay2/aa/merged", good, want},
		{"vfs", "docker", id, data + "/vfs/dir/aa", good, want},
		{"containerd's snapshots", "docker", id, data + "/rootfs/overlayfs/" + id, good, want},
		{"no labels", "docker", id, data + "/vfs/dir/aa",
			`{"ID": "ID", "Name": "/x", "Config": {"Image": "i", "Labels": null}}`, known{"x", "i", map[string]string{}}},
		{"another engine", "containerd", id, data + "/overlay2/aa/merged", good, known{}},
		{"below the data directory of another daemon", "docker", id, data + "/nested/overlay2/aa/merged", good, known{}},
		{"an ID that Docker did not make", "docker", "../../etc", data + "/overlay2/aa/merged", good, known{}},
		{"another container's", "docker", id, data + "/overlay2/aa/merged",
			strings.Replace(good, "ID\", \"Config", "other\", \"Config", 1), known{}},
		{"elsewhere", "docker", id, "/nowhere/a/b", good, known{}},
		{"no absolute path", "docker", id, "rootfs", good, known{}},
		{"within the container's own root", "docker", id, data, good, known{}},
		{"no JSON", "docker", id, data + "/overlay2/aa/merged", "{", known{}},
		{"too long", "docker", id, data + "/overlay2/aa/merged", good + strings.Repeat(" ", dockerLimit), known{}},
	} {
		if err := os.WriteFile(file, []byte(strings.Replace(test.text, `"ID": "ID"`, `"ID": "`+id+`"`, 1)),
			0o600); err != nil {
			t.Fatal(err)
		}
		got := ask(test.engine, test.id, func(who *abi.Who) { AddDocker(who, test.rootfs, identity.Rules{}) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(file, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask("docker", id,
		func(who *abi.Who) { AddDocker(who, data+"/overlay2/aa/merged", identity.Rules{}) }); got.Name != "" {
		t.Errorf("a FIFO: %+v", got)
	}
}

func TestPodman(t *testing.T) {
	other := strings.Repeat("f", 64)
	entry := func(id, name string) string {
		return `{"id":"` + id + `","names":["` + name +
			`"],"image":"9b","layer":"b6","metadata":"{\"image-name\":\"docker.io/library/` + name +
			`:1\",\"image-id\":\"9b\",\"name\":\"` + name + `\"}","flags":{"Volatile":true}}`
	}
	all := "[" + entry(other, "other") + "," + entry(id, "web") + "]"
	storage := t.TempDir()
	bundle := filepath.Join(storage, id, "userdata")
	want := known{Name: "web", Image: "docker.io/library/web:1"}
	for _, test := range []struct {
		name, engine, id, bundle, text string
		want                           known
	}{
		{"Podman", "podman", id, bundle, all, want},
		{"another engine", "cri-o", id, bundle, all, known{}},
		{"another bundle", "podman", id, filepath.Join(storage, "x", "userdata"), all, known{}},
		{"no absolute path", "podman", id, id + "/userdata", all, known{}},
		{"an ID that Podman did not make", "podman", "..", filepath.Join(storage, ".."), all, known{}},
		{"not in the list", "podman", id, bundle, "[" + entry(other, "other") + "]", known{}},
		{"cut", "podman", id, bundle, all[:len(all)-40], known{}},
		{"odd metadata", "podman", id, bundle, `[{"id":"` + id + `","metadata":"[]"}]`, known{}},
		{"too long", "podman", id, bundle, all + strings.Repeat(" ", podmanLimit), known{}},
	} {
		if err := os.WriteFile(filepath.Join(storage, "containers.json"), []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ask(test.engine, test.id, func(who *abi.Who) { AddPodman(who, "", test.bundle, 0, identity.Rules{}) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// TestPodmanVolatile reads the list of containers that do not survive a reboot below the host's root directory: where
// conmon has its PID file, or else in the usual directory.
func TestPodmanVolatile(t *testing.T) {
	for run, pidFile := range map[string]string{
		"/data/run/vfs-containers":                  "/data/run/vfs-containers/" + id + "/userdata/pidfile",
		"/run/containers/storage/btrfs-containers":  "/odd/pidfile",
		"/run/containers/storage/btrfs-containers/": "pidfile",
	} {
		root := t.TempDir()
		if err := os.MkdirAll(filepath.Join(root, run), 0o755); err != nil {
			t.Fatal(err)
		}
		text := `[{"id":"` + id + `","names":["web"],"metadata":"{\"image-name\":\"nginx\",\"name\":\"web\"}"}]`
		if err := os.WriteFile(filepath.Join(root, run, "volatile-containers.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		pid := startConmon(t, "-c", id, "-p", pidFile)
		got := ask("podman", id, func(who *abi.Who) {
			AddPodman(who, root, filepath.Join(root, "storage/btrfs-containers", id, "userdata"), pid, identity.Rules{})
		})
		if diff := cmp.Diff(known{Name: "web", Image: "nginx"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", run, diff)
		}
	}
}

// startConmon starts a process with conmon's name and these arguments.
func startConmon(t *testing.T, arguments ...string) (pid int) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "waits")
	if err := os.WriteFile(script, []byte("read x"), 0o600); err != nil {
		t.Fatal(err)
	}
	conmon := exec.Command("/bin/sh")
	conmon.Args = append([]string{"conmon", script}, arguments...)
	if _, err := conmon.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := conmon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conmon.Process.Kill(); _ = conmon.Wait() })
	// Start returns when the descriptors of this process are closed: the kernel sets the arguments only after that.
	for {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", conmon.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > 0 {
			return conmon.Process.Pid
		}
		time.Sleep(time.Millisecond)
	}
}

func TestParseConmon(t *testing.T) {
	for _, test := range []struct {
		arguments string
		want      Conmon
	}{
		{"/usr/bin/conmon --api-version 1 -c ID -u ID -r /usr/bin/runc -b /b -p /p -n web --exit-dir /e -s",
			Conmon{ID: "ID", Name: "web", PIDFile: "/p"}},
		{"conmon --cid ID --container-pidfile /p --name web -n other", Conmon{ID: "ID", Name: "web", PIDFile: "/p"}},
		{"conmon -c ID --exit-command /bin/podman --exit-command-arg -n --exit-command-arg x -n web",
			Conmon{ID: "ID", Name: "web", ExitProgram: "/bin/podman", ExitArguments: []string{"-n", "x"}}},
		{"conmon -c ID -n", Conmon{ID: "ID"}},
		{"conmon -c ID --exit-command-arg", Conmon{ID: "ID"}},
		{"conmon", Conmon{}},
		{"", Conmon{}},
	} {
		if diff := cmp.Diff(test.want, ParseConmon(strings.ReplaceAll(test.arguments, " ", "\x00")+"\x00")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.arguments, diff)
		}
	}
	if diff := cmp.Diff(Conmon{ID: "ID"}, ParseConmon("conmon\x00-c\x00ID\x00-n\x00we")); diff != "" {
		t.Errorf("a name that was cut (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Conmon{}, ParseConmon("")); diff != "" {
		t.Errorf("no text (-want +got):\n%s", diff)
	}
}

func TestPodmanName(t *testing.T) {
	pid := startConmon(t, "-c", id, "-n", "web")
	named := func(engine, id string, pid int, flags uint32) string {
		return ask(engine, id, func(who *abi.Who) {
			who.Flags |= flags
			AddPodman(who, "", "", pid, identity.Rules{})
		}).Name
	}
	if got := named("podman", id, pid, 0); got != "web" {
		t.Errorf("it is named %q", got)
	}
	for what, got := range map[string]string{
		"another engine's":            named("cri-o", id, pid, 0),
		"a sandbox":                   named("podman", id, pid, abi.WhoSandbox),
		"another container":           named("podman", "other", pid, 0),
		"a process that is not there": named("podman", id, -1, 0),
		"another program":             named("podman", id, os.Getpid(), 0),
	} {
		if got != "" {
			t.Errorf("%s is named %q", what, got)
		}
	}
}

func BenchmarkDocker(b *testing.B) {
	data := b.TempDir()
	file := filepath.Join(data, "containers", id, "config.v2.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	text := `{"ID": "` + id + `", "Name": "/web", "Config": {"Image": "nginx", "Labels": {"app": "web"}}, "X": {"Y": [` +
		strings.Repeat(`{"a": "b"},`, 300) + `1]}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	var who abi.Who
	identity.Put(who.Engine[:], "docker")
	identity.Put(who.ID[:], id)
	for b.Loop() {
		AddDocker(&who, data+"/overlay2/aa/merged", identity.Rules{})
	}
}

func BenchmarkPodman(b *testing.B) {
	storage := b.TempDir()
	entry := `{"id":"` + id + `","names":["web"],"metadata":"{\"image-name\":\"nginx\",\"name\":\"web\"}"}`
	text := "[" + strings.Repeat(strings.ReplaceAll(entry, id, strings.Repeat("f", 64))+",", 100) + entry + "]"
	if err := os.WriteFile(filepath.Join(storage, "containers.json"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	var who abi.Who
	identity.Put(who.Engine[:], "podman")
	identity.Put(who.ID[:], id)
	for b.Loop() {
		AddPodman(&who, "", filepath.Join(storage, id, "userdata"), os.Getpid(), identity.Rules{})
	}
}
