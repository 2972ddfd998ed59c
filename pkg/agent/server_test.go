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
	"runtime"
	"strings"
	"syscall"
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
		"127.0.0.1:7467": {"tcp", "127.0.0.1:7467"},
		":1":             {"tcp", ":1"},
		"[::1]:80":       {"tcp", "[::1]:80"},
		"unix:///run/a":  {"unix", "/run/a"},
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
	eventually(t, "it waits for the address", func() bool {
		return strings.Contains(a.log.String(), "until the address is free")
	})
	other.Close() // the socket remains, like that of a killed process
	eventually(t, "it listens", func() bool { code, _ := get(t, socket, "/healthz"); return code == http.StatusOK })

	if code, text := get(t, socket, "/readyz"); code != http.StatusServiceUnavailable ||
		!strings.Contains(text, "nothing is loaded") {
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
		`runc_trace_build_info{version="v1"}`:             "1",
		"runc_trace_agent_active":                         "1",
		"runc_trace_loaded":                               "1",
		`runc_trace_agent_source_up{source="kubernetes"}`: "1",
		"runc_trace_agent_adopted_total":                  "0",
		"runc_trace_agent_swept_total":                    "0",
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

// TestServeElsewhere checks that an address that will never be free is an error.
func TestServeElsewhere(t *testing.T) {
	n := &node{t: t}
	a := n.start(Config{})
	if err := a.Serve(t.Context(), Address{"unix", "/nowhere/at/all"}); err == nil {
		t.Error("no error")
	}
}

// TestIdleConnections opens more connections than the server accepts, without a request or with half of one:
// metrics and checks are still answered.
func TestIdleConnections(t *testing.T) {
	dir := t.TempDir()
	metrics, checks := filepath.Join(dir, "metrics.sock"), filepath.Join(dir, "own", "health.sock")
	n := &node{t: t, m: newMemory()}
	a := n.start(Config{})
	go func() { _ = a.Serve(t.Context(), Address{"unix", metrics}) }()
	go a.ServeChecks(t.Context(), checks)
	eventually(t, "it listens", func() bool { code, _ := get(t, metrics, "/healthz"); return code == http.StatusOK })
	eventually(t, "it answers", func() bool { return Check(t.Context(), checks, CheckAlive) == nil })
	for _, text := range []string{"", "G", "GET /metrics HTTP/1.1\r\nHost: a\r\n"} {
		for range 40 {
			connection, err := net.Dial("unix", metrics)
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := io.WriteString(connection, text); err != nil && text == "" {
				t.Fatal(err)
			}
		}
		if code, answer := get(t, metrics, "/metrics"); code != http.StatusOK {
			t.Errorf("behind connections that say %q: %d %s", text, code, answer)
		}
		if err := Check(t.Context(), checks, CheckAlive); err != nil {
			t.Errorf("behind connections that say %q: %v", text, err)
		}
	}
}

// TestSquattedAddress has another process listen on the address of the metrics: the agent logs it, works, and
// answers checks.
func TestSquattedAddress(t *testing.T) {
	squatter, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	api := agenttest.NewAPI(t, "node", false)
	m := newMemory()
	n := &node{t: t, m: m}
	a := n.start(Config{Kubeconfig: api.Kubeconfig()})
	checks := filepath.Join(t.TempDir(), "health.sock")
	go func() { _ = a.Serve(t.Context(), Address{"tcp", squatter.Addr().String()}) }()
	go a.ServeChecks(t.Context(), checks)
	eventually(t, "it says that the address is in use", func() bool {
		return strings.Contains(a.log.String(), "until the address is free")
	})
	api.Put(agenttest.Pod("a", set{"app": "web"}))
	m.has(t, bpf.SourceKubernetes, "a", bpf.Labels{Set: set{"app": "web"}})
	eventually(t, "ready", func() bool { return Check(t.Context(), checks, CheckReady) == nil })
}

// TestCheck checks sockets without a listener, with another user's listener, and with an agent that answers no.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "health.sock")
	if err := Check(t.Context(), socket, CheckAlive); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without a socket: %v", err)
	}
	n := &node{t: t}
	a := n.start(Config{})
	// The socket of a killed process is replaced; that of a running one is not.
	left, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() { a.ServeChecks(ctx, socket); close(ended) }()
	eventually(t, "alive", func() bool { return Check(t.Context(), socket, CheckAlive) == nil })
	if err := Check(t.Context(), socket, CheckReady); err == nil || !strings.Contains(err.Error(), "nothing is loaded") {
		t.Errorf("ready: %v", err)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	cancel()
	<-ended
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is left")
	}
	mute, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	late, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := Check(late, socket, CheckAlive); err == nil || !strings.HasSuffix(err.Error(), "it did not answer in time") {
		t.Errorf("a mute agent: %v", err)
	}
	mute.Close()
	if os.Geteuid() != 0 {
		return
	}
	// A listener of another user is not trusted.
	everybodys, err := os.MkdirTemp("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(everybodys)
	if err := os.Chmod(everybodys, 0o777); err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(everybodys, "health.sock")
	listening := make(chan net.Listener)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 65534, 65534, 65534); errno != 0 {
			t.Error(errno)
		}
		squatter, err := net.Listen("unix", socket)
		if err != nil {
			t.Error(err)
		}
		listening <- squatter
	}()
	squatter := <-listening
	if squatter == nil {
		return
	}
	defer squatter.Close()
	if err := Check(t.Context(), socket, CheckAlive); err == nil ||
		!strings.Contains(err.Error(), "a process of another user listens there") {
		t.Errorf("another user: %v", err)
	}
}
