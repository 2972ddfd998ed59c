// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/runc-trace/runc-trace/pkg/agent/agenttest"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"127.0.0.1:7467": {"tcp", "127.0.0.1:7467"}, ":1": {"tcp", ":1"}, "[::1]:80": {"tcp", "[::1]:80"}, "unix:///run/a": {"unix", "/run/a"},
	} {
		if got, err := ParseAddress(text); err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "7467", "unix://a", "a:b:c"} {
		if got, err := ParseAddress(text); err == nil {
			t.Errorf("ParseAddress(%q) = %v, want an error", text, got)
		}
	}
}

func get(t *testing.T, socket, path string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", socket) },
	}}
	answer, err := client.Get("http://agent" + path)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	t.Setenv(unregistered.DirEnv, t.TempDir())
	socket := filepath.Join(t.TempDir(), "agent.sock")
	other, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	other.(*net.UnixListener).SetUnlinkOnClose(false)
	api := agenttest.NewAPI(t, "node", false)
	n := &node{t: t}
	a := n.start(Config{Kubeconfig: api.Kubeconfig(), Version: "v1"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- a.Serve(ctx, Address{"unix", socket}) }()
	eventually(t, "it waits for the address", func() bool { return strings.Contains(a.log.String(), "until the address is free") })
	other.Close() // the socket stays, as that of a process that was killed does
	eventually(t, "it listens", func() bool { code, _ := get(t, socket, "/healthz"); return code == http.StatusOK })

	if code, text := get(t, socket, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(text, "nothing is loaded") {
		t.Errorf("readyz: %d %s", code, text)
	}
	m := newMemory()
	n.load(m)
	eventually(t, "ready", func() bool { code, _ := get(t, socket, "/readyz"); return code == http.StatusOK })
	api.Put(agenttest.Pod("a", set{"big": strings.Repeat("x", 5000)}))
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Truncated: true})
	code, text := get(t, socket, "/metrics")
	if code != http.StatusOK {
		t.Errorf("metrics: %d", code)
	}
	got := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^runc_trace_\S+ \S+$`).FindAllString(text, -1) {
		name, value, _ := strings.Cut(line, " ")
		if !strings.Contains(name, "sweep") {
			got[name] = value
		}
	}
	want := map[string]string{
		`runc_trace_build_info{version="v1"}`: "1", "runc_trace_agent_active": "1", "runc_trace_loaded": "1",
		`runc_trace_agent_source_up{source="kubernetes"}`: "1", "runc_trace_agent_adopted_total": "0", "runc_trace_agent_swept_total": "0",
	}
	for _, source := range []string{"kubernetes", "cri", "docker"} {
		for _, name := range []string{"label_updates", "labels_truncated", "labels_full", "labels_failed"} {
			want["runc_trace_agent_"+name+`_total{source="`+source+`"}`] = "0"
		}
	}
	for _, r := range status.Unregistered {
		want[`runc_trace_unregistered_total{reason="`+r.Name+`"}`] = "0"
	}
	want[`runc_trace_agent_label_updates_total{source="kubernetes"}`] = "1"
	want[`runc_trace_agent_labels_truncated_total{source="kubernetes"}`] = "1"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "runc_trace_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if code, _ := get(t, socket, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("/debug/pprof/: %d", code)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the socket is left")
	}
}

// TestServeElsewhere: an address that nobody will free is an error.
func TestServeElsewhere(t *testing.T) {
	n := &node{t: t}
	a := n.start(Config{})
	if err := a.Serve(t.Context(), Address{"unix", "/nowhere/at/all"}); err == nil {
		t.Error("no error")
	}
}
