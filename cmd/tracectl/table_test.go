// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// TestRecordings prints recordings of a cluster's node, of a host whose engines set no names, and an empty list.
func TestRecordings(t *testing.T) {
	boot := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := clock{boot, boot.Add(time.Hour)}
	const id = "0123456789abcdef0123456789abcdef"
	pod := func(pod, name string, c labels.Container) labels.Container {
		c.Namespace, c.Pod, c.Name, c.ID, c.Image, c.Engine = "default", pod, name, id,
			"docker.io/library/busybox", "containerd"
		return c
	}
	ended := func(minute uint64, status uint32) labels.Container {
		return labels.Container{ID: id, State: abi.StateEnded, Created: 1e9, Exited: minute * 60e9,
			Ended: 59 * 60e9, ExitStatus: status}
	}
	docker := func(c labels.Container, image string) labels.Container {
		c.Engine, c.Image = "docker", image
		return c
	}
	running := labels.Container{ID: id, State: abi.StateRunning, Created: 1, Started: 2}
	later := labels.Container{ID: id, State: abi.StateRunning, Created: 1, Started: 50 * 60e9}
	calls := straceback.Calls{Records: make([]straceback.Record, 3), Missing: 7, Lost: 1, Oldest: 1e9, Newest: 1.0123e9}
	calls.Lanes[straceback.Recent] = straceback.Reach{Lapped: true, Since: 1.0103e9}
	calls.Lanes[straceback.Said] = straceback.Reach{Lapped: true, Since: 1.0001e9}
	calls.Lanes[straceback.Runtime] = straceback.Reach{Since: 1e9}
	for _, c := range []struct {
		what string
		list []labels.Container
		wide bool
		want string
	}{
		{"pods", []labels.Container{
			pod("a", "running", running), pod("b", "done", ended(55, 0)), pod("c", "old-crash", ended(10, 3<<8)),
			pod("d", "stopped", ended(58, 15)),
			pod("e", "new-crash", ended(57, 9)), pod("f", "younger", later), pod("g", "asked", ended(56, 143<<8)),
			pod("h", "unknown", labels.Container{State: abi.StateEnded, Ended: 59 * 60e9}), pod("i", "segv", ended(56, 11|0x80)),
		}, false, "" +
			"NAMESPACE   POD   CONTAINER   ID             STATE                       SPAN   RECENT   SYSCALLS\n" +
			"default     e     new-crash   0123456789ab   ! killed (SIGKILL) 3m ago   12ms   2ms      3\n" +
			"default     i     segv        0123456789ab   ! killed (SIGSEGV) 4m ago   12ms   2ms      3\n" +
			"default     c     old-crash   0123456789ab   ! exited (3) 50m ago        12ms   2ms      3\n" +
			"default     h     unknown     0123456789ab   ended 60s ago               12ms   2ms      3\n" +
			"default     d     stopped     0123456789ab   killed (SIGTERM) 2m ago     12ms   2ms      3\n" +
			"default     g     asked       0123456789ab   exited (143) 4m ago         12ms   2ms      3\n" +
			"default     b     done        0123456789ab   exited (0) 5m ago           12ms   2ms      3\n" +
			"default     f     younger     0123456789ab   running                     12ms   2ms      3\n" +
			"default     a     running     0123456789ab   running                     12ms   2ms      3\n"},
		{"no names", []labels.Container{docker(running, "busybox"), docker(ended(55, 1<<8), "")}, false, "" +
			"ID             IMAGE     STATE                 SPAN   RECENT   SYSCALLS   OVERWRITTEN\n" +
			"0123456789ab   -         ! exited (1) 5m ago   12ms   2ms      3          7\n" +
			"0123456789ab   busybox   running               12ms   2ms      3          7\n"},
		{"no names, no images", []labels.Container{docker(running, "")}, false, "" +
			"ID             STATE     SPAN   RECENT   SYSCALLS   OVERWRITTEN\n" +
			"0123456789ab   running   12ms   2ms      3          7\n"},
		{"some names, and images that find no room",
			[]labels.Container{docker(running, "busybox"), pod("a", "x", later)}, false, "" +
				"NAMESPACE   POD   CONTAINER   ID             STATE     SPAN   RECENT   SYSCALLS   OVERWRITTEN\n" +
				"default     a     x           0123456789ab   running   12ms   2ms      3          7\n" +
				"-           -     -           0123456789ab   running   12ms   2ms      3          7\n"},
		{"some names, and images that do", []labels.Container{docker(running, "busybox"),
			{ID: id, Name: "x", Image: "redis", State: abi.StateRunning, Started: 3}}, false, "" +
			"CONTAINER   ID             IMAGE     STATE     SPAN   RECENT   SYSCALLS   OVERWRITTEN\n" +
			"x           0123456789ab   redis     running   12ms   2ms      3          7\n" +
			"-           0123456789ab   busybox   running   12ms   2ms      3          7\n"},
		{"wide", []labels.Container{docker(running, "")}, true, "" +
			"NAMESPACE   POD   CONTAINER   ID             IMAGE   STATE     SPAN   RECENT   KEPT   SYSCALLS   OVERWRITTEN   FILES   DISTINCT   SAID   RUNTIME   ENGINE   LOST\n" +
			"-           -     -           0123456789ab   -       running   12ms   2ms      -      3          7             -       -          12ms   -         docker   1\n"},
		{"none", nil, false, "NAMESPACE   POD   CONTAINER   ID   STATE   SPAN   RECENT   KEPT   SYSCALLS   OVERWRITTEN\n"},
		{"long names", []labels.Container{pod("web-frontend-7d9f6c5b48-x2k4q", "application", ended(55, 1<<8))}, false, "" +
			"NAMESPACE   POD                             CONTAINER     ID             STATE                 SPAN\n" +
			"default     web-frontend-7d9f6c5b48-x2k4q   application   0123456789ab   ! exited (1) 5m ago   12ms\n"},
	} {
		var list []listed[recordingJSON]
		for _, container := range c.list {
			j := newRecordingJSON(&straceback.Recording{Container: &container},
				&straceback.Survey{Calls: &calls, Kept: 3}, clock)
			list = append(list, listed[recordingJSON]{value: &j})
		}
		var out bytes.Buffer
		if err := recordingTable.print(&out, list, clock.now, false, c.wide); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.what, diff)
		}
	}
	j := newRecordingJSON(&straceback.Recording{}, &straceback.Survey{Calls: &straceback.Calls{}}, clock)
	got := j.row(clock.now)
	want := []string{"<evicted>", "<evicted>", "<evicted>", "", "", "", "0s", "", "", "0", "0", "", "", "", "", "", "0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("of nobody (-want +got):\n%s", diff)
	}
}

// TestContainers prints containers of a host whose engines set no names.
func TestContainers(t *testing.T) {
	now := time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)
	at := now.Add(-5 * time.Minute)
	list := []listed[listedJSON]{
		{"n2", &listedJSON{containerJSON: containerJSON{ContainerID: "0123456789abcdef0123456789abcdef", Engine: "docker",
			State: labels.Running, Created: &at}, Recorded: "yes"}},
		{"n1", &listedJSON{containerJSON: containerJSON{ContainerID: "plain", Image: "busybox", State: labels.Running,
			Created: &now}, Recorded: "yes", Adopted: true}},
	}
	for nodes, want := range map[bool]string{
		false: "" +
			"ID             STATE     ENGINE   IMAGE     AGE   RECORDED\n" +
			"plain          running   -        busybox   0s    adopted\n" +
			"0123456789ab   running   docker   -         5m    yes\n",
		true: "" +
			"NODE   ID             STATE     ENGINE   IMAGE     AGE   RECORDED\n" +
			"n1     plain          running   -        busybox   0s    adopted\n" +
			"n2     0123456789ab   running   docker   -         5m    yes\n",
	} {
		var out bytes.Buffer
		if err := containerTable.print(&out, list, now, nodes, false); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestContainerJSON(t *testing.T) {
	clock := clock{boot: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var out bytes.Buffer
	for _, c := range []*labels.Container{
		{Namespace: "n", Pod: "p", Name: "c", ID: "i", Labels: map[string]string{"a": "\u009b"},
			Origins: map[string]labels.Origin{"a": labels.FromAnnotation}, State: abi.StateRunning, Created: 1e9,
			Started: 2e9, Cgroup: 5},
		{ID: "i", Labels: map[string]string{}, Origins: map[string]labels.Origin{}, State: abi.StateEnded, Created: 1e9,
			Exited: 2e9, Ended: 3e9, ExitStatus: 1 << 8},
		{ID: "i", Labels: map[string]string{}, Origins: map[string]labels.Origin{}, State: abi.StateExited, Created: 1e9,
			Exited: 2e9, ExitStatus: 15},
		nil,
	} {
		if err := printJSON(&out, newContainerJSON(c, clock)); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"namespace":"n","pod":"p","container":"c","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{"a":"\u009b"},"labelOrigins":{"a":"annotation"},"contents":"all","cgroupID":5,"state":"running","exitCode":null,"signal":"","created":"2026-01-01T00:00:01Z","started":"2026-01-01T00:00:02Z","exited":null,"ended":null}
{"namespace":"","pod":"","container":"","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"contents":"all","cgroupID":0,"state":"exited","exitCode":1,"signal":"","created":"2026-01-01T00:00:01Z","started":null,"exited":"2026-01-01T00:00:02Z","ended":"2026-01-01T00:00:03Z"}
{"namespace":"","pod":"","container":"","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"contents":"all","cgroupID":0,"state":"exited","exitCode":null,"signal":"SIGTERM","created":"2026-01-01T00:00:01Z","started":null,"exited":"2026-01-01T00:00:02Z","ended":null}
{"namespace":"","pod":"","container":"","containerID":"","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"contents":"","cgroupID":0,"state":"","exitCode":null,"signal":"","created":null,"started":null,"exited":null,"ended":null}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
