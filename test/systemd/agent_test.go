// SPDX-License-Identifier: Apache-2.0

package systemd

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// agentUnit is the agent's unit, which install writes.
const agentUnit = "runc-trace-agent.service"

// startAgent enables the agent's unit as documented.
func startAgent(t *testing.T) {
	t.Helper()
	must(t, "systemctl", "enable", "--now", agentUnit)
}

// checkAgent checks that the agent runs with the privileges that its unit leaves it, that it learns the labels of
// containers from containerd and Docker, and that they select containers. containers maps IDs to one label each.
func checkAgent(t *testing.T, containers map[string]string) {
	t.Helper()
	state := must(t, "systemctl", "show", "--property=ActiveState,UnitFileState,NRestarts", agentUnit)
	for _, line := range []string{"ActiveState=active", "UnitFileState=enabled", "NRestarts=0"} {
		if !slices.Contains(strings.Fields(state), line) {
			t.Errorf("%s is not %q: %q", agentUnit, line, state)
		}
	}
	eventually(t, "the agent is ready", func() bool { code, _ := ask(t, "/readyz"); return code == http.StatusOK })
	type labelled struct {
		ContainerID string `json:"containerID"`
	}
	for id, label := range containers {
		eventually(t, id+" is known by "+label, func() bool {
			for _, c := range objects[labelled](t, installed, "containers", "--label="+label) {
				if c.ContainerID == id {
					return true
				}
			}
			return false
		})
	}
	_, metrics := ask(t, "/metrics")
	for _, line := range []string{
		`runc_trace_agent_active 1`, `runc_trace_agent_source_up{source="cri"} 1`,
		`runc_trace_agent_source_up{source="docker"} 1`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("the metrics are without %q:\n%s", line, metrics)
		}
	}
	log := must(t, "journalctl", "--no-pager", "--boot", "--output=cat", "--unit="+agentUnit)
	t.Logf("the agent's journal:\n%s", log)
	for _, bad := range []string{"level=error", "not permitted", "denied", "read-only"} {
		if strings.Contains(log, bad) {
			t.Errorf("the agent's journal has %q", bad)
		}
	}
}

// stopAgent disables the unit.
func stopAgent(t *testing.T) {
	t.Helper()
	must(t, "systemctl", "disable", "--now", agentUnit)
	if result := must(t, "systemctl", "show", "--property=Result", "--value", agentUnit); result != "success" {
		t.Errorf("%s ended with %q", agentUnit, result)
	}
}

// ask requests a page from the agent; code is 0 if nothing answers.
func ask(t *testing.T, path string) (code int, text string) {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get("http://127.0.0.1:7467" + path)
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
