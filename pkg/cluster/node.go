// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/pager"

	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// Names in the manifests.
const (
	DefaultNamespace = "runc-trace"
	container        = "agent"
	selector         = "app.kubernetes.io/name=runc-trace,app.kubernetes.io/component=agent"
	role             = "runc-trace-reader" // ClusterRole
)

// page is the number of pods listed per request.
const page = 500

// ErrNoAgent is returned if no node has an agent.
var ErrNoAgent = errors.New("no agent runs on any node")

// Node is a node with an agent.
type Node struct {
	Name string
	// Namespace and Pod identify its agent's pod.
	Namespace, Pod string
	// Problem is the reason why the agent cannot be asked; empty if it can.
	Problem string
}

// Nodes finds the agents in a namespace, one per node, sorted by the nodes' names. If there are none, the error
// matches ErrNoAgent.
func Nodes(ctx context.Context, api rest.Interface, namespace string) ([]Node, error) {
	pods := map[string]*corev1.Pod{}
	list := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		var pods corev1.PodList
		err := api.Get().Namespace(namespace).Resource("pods").VersionedParams(&options,
			types().parameters).Do(ctx).Into(&pods)
		return &pods, err
	})
	list.PageSize = page
	err := list.EachListItem(ctx, metav1.ListOptions{LabelSelector: selector}, func(o runtime.Object) error {
		pod := o.(*corev1.Pod)
		node := pod.Spec.NodeName
		if node == "" {
			return nil // not scheduled yet
		}
		// While an agent is being replaced, its node has two.
		if other := pods[node]; other == nil || better(pod, other) {
			pods[node] = pod.DeepCopy()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing agents: %w", explain(err, "list pods", namespace))
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf(`%w: no pod in namespace %s has the labels %s; install the agent with "kubectl apply -k install/kubernetes/base" or the Helm chart, or use --agent-namespace`,
			ErrNoAgent, namespace, selector)
	}
	nodes := make([]Node, 0, len(pods))
	for name, pod := range pods {
		nodes = append(nodes, Node{Name: name, Namespace: pod.Namespace, Pod: pod.Name, Problem: problem(pod)})
	}
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	return nodes, nil
}

// better reports whether pod a of a node is preferred to b: one that can be asked, or else the younger one.
func better(a, b *corev1.Pod) bool {
	if usable := problem(a) == ""; usable != (problem(b) == "") {
		return usable
	}
	return b.CreationTimestamp.Before(&a.CreationTimestamp)
}

// problem returns the reason why a pod cannot be asked.
func problem(pod *corev1.Pod) string {
	name := "its agent " + terminal.String(pod.Name)
	if pod.DeletionTimestamp != nil {
		return name + " is being deleted"
	}
	waiting := ""
	ready := false
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			s := &list[i]
			if s.Name == container {
				ready = s.Ready
			}
			if waiting == "" {
				waiting = stopped(s)
			}
		}
	}
	if pod.Status.Phase != corev1.PodRunning {
		return fmt.Sprintf("%s is not running: %s%s", name,
			terminal.String(cmp.Or(pod.Status.Reason, string(pod.Status.Phase))), waiting)
	}
	for _, c := range pod.Status.Conditions {
		if c.Type != corev1.PodReady || c.Status == corev1.ConditionTrue {
			continue
		}
		if ready {
			// The node controller sets no other reason in the pod.
			return "the node is not ready"
		}
		return fmt.Sprintf("%s is not ready%s", name, waiting)
	}
	return ""
}

// stopped describes a container that does not run. The termination message of an init container says why the node
// could not be set up.
func stopped(s *corev1.ContainerStatus) string {
	state, reason, message := "", "", ""
	switch {
	case s.State.Waiting != nil:
		state, reason, message = "waits", s.State.Waiting.Reason, s.State.Waiting.Message
		if t := s.LastTerminationState.Terminated; t != nil && t.Message != "" {
			message = t.Message
		}
	case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
		state, reason, message = "ended", s.State.Terminated.Reason, s.State.Terminated.Message
	default:
		return ""
	}
	if reason == "PodInitializing" {
		return ""
	}
	text := fmt.Sprintf("; container %s %s: %s", terminal.String(s.Name), state, terminal.String(reason))
	if message = strings.TrimSpace(message); message != "" {
		const most = 200
		text += ": " + terminal.String(message[:min(len(message), most)])
	}
	return text
}

// explain adds the missing right, and the role that grants it, to an error about missing rights.
func explain(err error, right, namespace string) error {
	if !apierrors.IsForbidden(err) {
		return safe(err)
	}
	return fmt.Errorf("%w; bind ClusterRole %s in namespace %s for the right to %s", safe(err), role, namespace, right)
}

// safeError is an error whose text may come from an untrusted source.
type safeError struct{ error }

func safe(err error) error { return safeError{err} }

func (e safeError) Error() string { return terminal.Escaped(e.error.Error()) }
func (e safeError) Unwrap() error { return e.error }
