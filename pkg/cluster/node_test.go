// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// answer writes an object of the API.
func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

func refusal(reason metav1.StatusReason, code int32, message string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Reason: reason, Code: code, Message: message,
	}
}

// apiServer is a server with pods, which pages their list.
func apiServer(t *testing.T, pods []corev1.Pod, requests *[]string) *Remote {
	return remote(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		*requests = append(*requests, fmt.Sprintf("%s %s %s limit %s from %q", r.Method, r.URL.Path, q.Get("labelSelector"),
			q.Get("limit"), q.Get("continue")))
		from, _ := strconv.Atoi(q.Get("continue"))
		limit, _ := strconv.Atoi(q.Get("limit"))
		to := min(from+limit, len(pods))
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: pods[from:to]}
		if to < len(pods) {
			list.Continue = strconv.Itoa(to)
		}
		answer(w, http.StatusOK, list)
	})
}

func remote(t *testing.T, handler http.HandlerFunc) *Remote {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	r, err := NewRemote(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// agentPod returns the pod of an agent that can be asked.
func agentPod(node, name string) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "runc-trace"},
		Spec:       corev1.PodSpec{NodeName: node},
		Status: corev1.PodStatus{
			Phase:             corev1.PodRunning,
			Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "agent", Ready: true}},
		},
	}
}

func TestNodes(t *testing.T) {
	change := func(node string, change func(p *corev1.Pod)) corev1.Pod {
		p := agentPod(node, "agent-"+node)
		change(&p)
		return p
	}
	now := metav1.Now()
	pods := []corev1.Pod{
		agentPod("n9", "agent-n9"),
		agentPod("n1", "agent-n1"),
		change("n2", func(p *corev1.Pod) { p.DeletionTimestamp = &now }),
		change("n3", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }),
		change("n4", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"} }),
		change("n5", func(p *corev1.Pod) {
			p.Status.Conditions[0].Status = corev1.ConditionFalse
			p.Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: "agent", State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off\x1b[2J"},
			}}
		}),
		// set by the node controller
		change("n6", func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }),
		change("n7", func(p *corev1.Pod) {
			p.Status.Phase = corev1.PodPending
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{{
				Name: "install",
				State: corev1.ContainerState{
					Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 10s"},
				},
				LastTerminationState: corev1.ContainerState{
					Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "no BTF\n"},
				},
			}}
			p.Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: "agent", State: corev1.ContainerState{
				Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"},
			}}
		}),
		change("", func(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }),
		// Replaced: the new pod is used as soon as it is ready.
		change("n8", func(p *corev1.Pod) { p.DeletionTimestamp = &now }),
		change("n8", func(p *corev1.Pod) { p.Name = "agent-n8-new" }),
		change("na", func(p *corev1.Pod) {
			p.DeletionTimestamp = &now
			p.CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
		}),
		change("na", func(p *corev1.Pod) {
			p.Name, p.Status.Phase, p.CreationTimestamp = "agent-na-new", corev1.PodPending, now
		}),
	}
	for i := range page {
		pods = append(pods, agentPod(fmt.Sprintf("x%03d", i), fmt.Sprint("agent-x", i)))
	}
	var requests []string
	got, err := apiServer(t, pods, &requests).Nodes(t.Context(), "runc-trace")
	if err != nil {
		t.Fatal(err)
	}
	want := []Node{
		{"n1", "runc-trace", "agent-n1", ""},
		{"n2", "runc-trace", "agent-n2", "its agent agent-n2 is being deleted"},
		{"n3", "runc-trace", "agent-n3", "its agent agent-n3 is not running: Pending"},
		{"n4", "runc-trace", "agent-n4", "its agent agent-n4 is not running: Evicted"},
		{"n5", "runc-trace", "agent-n5", `its agent agent-n5 is not ready; container agent waits: CrashLoopBackOff: back-off\x1b[2J`},
		{"n6", "runc-trace", "agent-n6", "the node is not ready"},
		{"n7", "runc-trace", "agent-n7", "its agent agent-n7 is not running: Pending; container install waits: CrashLoopBackOff: no BTF"},
		{"n8", "runc-trace", "agent-n8-new", ""},
		{"n9", "runc-trace", "agent-n9", ""},
		{"na", "runc-trace", "agent-na-new", "its agent agent-na-new is not running: Pending"},
	}
	if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" || len(got) != len(want)+page {
		t.Errorf("%d nodes (-want +got):\n%s", len(got), diff)
	}
	const list = "GET /api/v1/namespaces/runc-trace/pods app.kubernetes.io/name=runc-trace,app.kubernetes.io/component=agent limit 500 from "
	if diff := cmp.Diff([]string{list + `""`, list + `"500"`}, requests); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestNoNodes(t *testing.T) {
	var requests []string
	_, err := apiServer(t, nil, &requests).Nodes(t.Context(), "elsewhere")
	if !errors.Is(err, ErrNoAgent) || !strings.Contains(err.Error(), "no pod in namespace elsewhere") ||
		!strings.Contains(err.Error(), "install") {
		t.Errorf("without agents: %v", err)
	}
	forbidding := remote(t, func(w http.ResponseWriter, r *http.Request) {
		answer(w, http.StatusForbidden,
			refusal(metav1.StatusReasonForbidden, http.StatusForbidden, `pods is forbidden: User "x"`))
	})
	_, err = forbidding.Nodes(t.Context(), "runc-trace")
	want := `listing agents: pods is forbidden: User "x"; ` +
		`bind ClusterRole runc-trace-reader in namespace runc-trace for the right to list pods`
	if text(err) != want {
		t.Errorf("the error is\n%v, want\n%s", err, want)
	}
}
