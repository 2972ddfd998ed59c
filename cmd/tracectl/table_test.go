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

func TestTable(t *testing.T) {
	var out bytes.Buffer
	rows := [][]string{{"default", "", "a\x1b[2Jb"}, {"x\ty\nz", "2", "long enough"}}
	if err := printTable(&out, []string{"NAMESPACE", "N", "REST"}, rows); err != nil {
		t.Fatal(err)
	}
	want := "NAMESPACE   N   REST\n" +
		"default     -   a\\x1b[2Jb\n" +
		"x\\ty\\nz     2   long enough\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRecordingRows(t *testing.T) {
	boot := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := clock{boot, boot.Add(time.Hour)}
	ended := func(status uint32) labels.Container {
		return labels.Container{State: abi.StateEnded, Created: 60e9, Exited: 55 * 60e9, Ended: 59 * 60e9, ExitStatus: status}
	}
	for _, c := range []struct {
		container labels.Container
		calls     straceback.Calls
		want      []string
	}{
		{
			labels.Container{Namespace: "default", Pod: "web", Name: "nginx", ID: "0123456789abcdef0123456789abcdef", State: abi.StateRunning, Created: 1, Started: 2},
			straceback.Calls{Records: make([][]byte, 3), Overwritten: 7, Oldest: 1e9, Newest: 1.0123e9},
			[]string{"default", "web", "nginx", "0123456789ab", "running", "12ms", "3", "7"},
		},
		{labels.Container{ID: "chosen-by-somebody-who-likes-long-names", State: abi.StateCreated}, straceback.Calls{}, []string{"", "", "", "chosen-by-somebody-who-likes-long-names", "created", "0s", "0", "0"}},
		{ended(0), straceback.Calls{Oldest: 1, Newest: 5.25e9}, []string{"", "", "", "", "exited (0) 5m ago", "5.2s", "0", "0"}},
		{ended(3 << 8), straceback.Calls{Oldest: 1, Newest: 3 * 3600e9}, []string{"", "", "", "", "exited (3) 5m ago", "179m", "0", "0"}},
		{ended(9), straceback.Calls{}, []string{"", "", "", "", "killed (SIGKILL) 5m ago", "0s", "0", "0"}},
		{labels.Container{State: abi.StateEnded, Ended: 59 * 60e9}, straceback.Calls{}, []string{"", "", "", "", "ended 60s ago", "0s", "0", "0"}},
	} {
		j := newRecordingJSON(&straceback.Recording{Container: &c.container}, &c.calls, clock)
		got := j.row(clock.now)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	j := newRecordingJSON(&straceback.Recording{}, &straceback.Calls{}, clock)
	got := j.row(clock.now)
	if diff := cmp.Diff([]string{"<evicted>", "<evicted>", "<evicted>", "", "", "0s", "0", "0"}, got); diff != "" {
		t.Errorf("of nobody (-want +got):\n%s", diff)
	}
}

func TestContainerJSON(t *testing.T) {
	clock := clock{boot: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var out bytes.Buffer
	for _, c := range []*labels.Container{
		{Namespace: "n", Pod: "p", Name: "c", ID: "i", Labels: map[string]string{"a": "\u009b"}, Origins: map[string]labels.Origin{"a": labels.FromAnnotation}, State: abi.StateRunning, Created: 1e9, Started: 2e9, Cgroup: 5},
		{ID: "i", Labels: map[string]string{}, Origins: map[string]labels.Origin{}, State: abi.StateEnded, Created: 1e9, Exited: 2e9, Ended: 3e9, ExitStatus: 1 << 8},
		{ID: "i", Labels: map[string]string{}, Origins: map[string]labels.Origin{}, State: abi.StateExited, Created: 1e9, Exited: 2e9, ExitStatus: 15},
		nil,
	} {
		if err := printJSON(&out, newContainerJSON(c, clock)); err != nil {
			t.Fatal(err)
		}
	}
	want := `{"namespace":"n","pod":"p","container":"c","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{"a":"\u009b"},"labelOrigins":{"a":"annotation"},"cgroupID":5,"state":"running","exitCode":null,"signal":"","created":"2026-01-01T00:00:01Z","started":"2026-01-01T00:00:02Z","exited":null,"ended":null}
{"namespace":"","pod":"","container":"","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"cgroupID":0,"state":"exited","exitCode":1,"signal":"","created":"2026-01-01T00:00:01Z","started":null,"exited":"2026-01-01T00:00:02Z","ended":"2026-01-01T00:00:03Z"}
{"namespace":"","pod":"","container":"","containerID":"i","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"cgroupID":0,"state":"exited","exitCode":null,"signal":"SIGTERM","created":"2026-01-01T00:00:01Z","started":null,"exited":"2026-01-01T00:00:02Z","ended":null}
{"namespace":"","pod":"","container":"","containerID":"","podUID":"","sandboxID":"","sandbox":false,"image":"","engine":"","labels":{},"labelOrigins":{},"cgroupID":0,"state":"","exitCode":null,"signal":"","created":null,"started":null,"exited":null,"ended":null}
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
