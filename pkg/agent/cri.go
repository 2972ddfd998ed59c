// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// criSockets are the usual CRI sockets: containerd, that of k3s and rke2, CRI-O.
var criSockets = []string{"/run/containerd/containerd.sock",
	"/run/k3s/containerd/containerd.sock", "/run/crio/crio.sock"}

// Limits of answers, which contain data chosen by the owners of pods.
const (
	statusLimit = 4 << 20
	listLimit   = 8 << 20
)

// kubeletLabels are added to each sandbox by the kubelet or the engine. They are not labels of the pod.
var kubeletLabels = []string{"io.kubernetes.pod.name", "io.kubernetes.pod.namespace", "io.kubernetes.pod.uid",
	"io.kubernetes.container.name"}

// criSource asks the engines of a node for the labels of their sandboxes. It needs root, but no other credentials.
type criSource struct {
	engines []*criEngine
}

// criEngine is an engine at one socket.
type criEngine struct {
	path     string
	writer   *labelWriter
	endpoint *endpoint
	queue    *queue

	mu   sync.Mutex
	pods map[string]int64 // by UID: creation time of the newest known sandbox
}

func newCRISource(endpoints []string, l *labelWriter, h *health) *criSource {
	if len(endpoints) == 0 {
		endpoints = criSockets
	}
	s := &criSource{}
	for _, endpoint := range endpoints {
		path := strings.TrimPrefix(endpoint, "unix://")
		s.engines = append(s.engines,
			&criEngine{path: path, writer: l, endpoint: h.endpoint(bpf.SourceCRI, path), queue: newQueue(),
				pods: map[string]int64{}})
	}
	return s
}

// look asks for a sandbox by its ID.
func (s *criSource) look(sandbox string) { s.queues(func(q *queue) { q.add(sandbox) }) }

func (s *criSource) queues(f func(*queue)) {
	for _, e := range s.engines {
		f(e.queue)
	}
}

// exists reports whether a pod has a sandbox.
func (s *criSource) exists(pod string) bool {
	for _, e := range s.engines {
		e.mu.Lock()
		_, ok := e.pods[pod]
		e.mu.Unlock()
		if ok {
			return true
		}
	}
	return false
}

// run asks until the context ends.
func (s *criSource) run(ctx context.Context) {
	var group sync.WaitGroup
	for _, e := range s.engines {
		group.Go(func() { e.run(ctx) })
	}
	group.Wait()
}

func (e *criEngine) run(ctx context.Context) {
	var wait backoff
	for ctx.Err() == nil {
		if _, err := os.Stat(e.path); errors.Is(err, fs.ErrNotExist) {
			e.endpoint.off("its socket does not exist")
			sleep(ctx, pace.absent)
			continue
		}
		err := e.serve(ctx, wait.reset)
		switch {
		case ctx.Err() != nil:
		case status.Code(err) == codes.Unimplemented:
			e.endpoint.off("it does not serve CRI")
		default:
			e.endpoint.down(err)
		}
		wait.wait(ctx)
	}
}

// serve asks until the engine does not answer.
func (e *criEngine) serve(ctx context.Context, answered func()) error {
	connection, err := grpc.NewClient("unix://"+e.path,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithUserAgent("tracectl-agent"), grpc.WithReadBufferSize(4<<10), grpc.WithWriteBufferSize(4<<10))
	if err != nil {
		return fmt.Errorf("connecting to the engine: %w", err)
	}
	defer connection.Close()
	client := cri.NewRuntimeServiceClient(connection)
	var nextList time.Time
	for ctx.Err() == nil {
		if !time.Now().Before(nextList) {
			if err := e.list(ctx, client); err != nil {
				return err
			}
			nextList = time.Now().Add(pace.list)
			answered()
			e.endpoint.up()
		}
		due, wait := e.queue.due(time.Now())
		for _, id := range due {
			if !e.ask(ctx, client, id) {
				nextList = time.Time{} // which finds out whether the engine is running
				break
			}
		}
		if len(due) > 0 {
			continue
		}
		timer := time.NewTimer(min(wait, time.Until(nextList)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-e.queue.wake:
		}
		timer.Stop()
	}
	return nil
}

// list stores the labels of all sandboxes. If the answer would be too large, each sandbox is requested when its
// containers appear, as are all later sandboxes.
func (e *criEngine) list(ctx context.Context, client cri.RuntimeServiceClient) error {
	ctx, cancel := context.WithTimeout(ctx, pace.request)
	defer cancel()
	answer, err := client.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{}, grpc.MaxCallRecvMsgSize(listLimit))
	if status.Code(err) == codes.ResourceExhausted {
		return nil
	}
	if err != nil {
		return fmt.Errorf("listing sandboxes: %w", err)
	}
	pods := map[string]int64{}
	for _, sandbox := range answer.Items {
		uid := sandbox.GetMetadata().GetUid()
		pods[uid] = max(pods[uid], sandbox.CreatedAt)
	}
	e.mu.Lock()
	e.pods = pods
	e.mu.Unlock()
	for _, sandbox := range answer.Items {
		e.put(sandbox.GetMetadata().GetUid(), sandbox.CreatedAt, sandbox.Labels)
		e.queue.found(sandbox.Id)
	}
	return nil
}

// ask stores the labels of one sandbox. It returns false if there was no answer.
func (e *criEngine) ask(ctx context.Context, client cri.RuntimeServiceClient, id string) bool {
	ctx, cancel := context.WithTimeout(ctx, pace.request)
	defer cancel()
	answer, err := client.PodSandboxStatus(ctx, &cri.PodSandboxStatusRequest{PodSandboxId: id},
		grpc.MaxCallRecvMsgSize(statusLimit))
	if err != nil { // unknown, not known yet, or too slow: others come first
		e.queue.missing(id, time.Now())
		code := status.Code(err)
		return code != codes.Unavailable && code != codes.DeadlineExceeded && code != codes.Unimplemented
	}
	s := answer.GetStatus()
	e.put(s.GetMetadata().GetUid(), s.GetCreatedAt(), s.GetLabels())
	e.queue.found(id)
	return true
}

// put stores the labels of a sandbox, unless a newer one of the same pod is known: after a pod's sandbox was
// replaced, the old one remains for a while.
func (e *criEngine) put(uid string, created int64, labels map[string]string) {
	if uid == "" {
		return
	}
	e.mu.Lock()
	newest, ok := e.pods[uid]
	if !ok || created > newest {
		e.pods[uid] = created
	}
	e.mu.Unlock()
	if ok && created < newest {
		return
	}
	labels = maps.Clone(labels)
	for _, name := range kubeletLabels {
		delete(labels, name)
	}
	e.writer.put(subject{bpf.SourceCRI, uid}, bpf.Labels{Set: labels})
}
