// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"
	"k8s.io/streaming/pkg/httpstream"
)

// api knows only the types that are needed: registering all types of Kubernetes would triple the start-up time of
// every command.
type api struct {
	codecs     serializer.CodecFactory
	parameters runtime.ParameterCodec
}

var types = sync.OnceValue(func() api {
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	return api{serializer.NewCodecFactory(scheme), runtime.NewParameterCodec(scheme)}
})

// Runner runs tracectl in the agents of nodes.
type Runner interface {
	// Run runs tracectl with arguments in a node's agent, and copies its output, until it ends or ctx is done. If
	// it fails, the error is an *ExitError. The writers may block until ctx is done; Run does not use them after it
	// has returned.
	Run(ctx context.Context, node Node, args []string, stdout, stderr io.Writer) error
}

// ExitError is returned if the node's tracectl ended with an exit code other than 0.
type ExitError struct {
	Code   int
	reason string // tracectl's message, safe for a terminal
}

func (e *ExitError) Error() string {
	return cmp.Or(e.reason, fmt.Sprintf("tracectl ended with exit code %d", e.Code))
}

// Remote runs tracectl in agents through the API server.
type Remote struct {
	config *rest.Config
	api    *rest.RESTClient
}

// NewRemote returns a Remote for an API server.
func NewRemote(config *rest.Config) (*Remote, error) {
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = "/api", &corev1.SchemeGroupVersion
	c.NegotiatedSerializer = types().codecs.WithoutConversion()
	c.AcceptContentTypes, c.ContentType = runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// The default limit is meant for controllers. There are few requests besides the runs, whose number at a time
	// is limited.
	c.QPS, c.Burst = 1000, 1000
	api, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("preparing requests to the API server: %w", err)
	}
	return &Remote{c, api}, nil
}

// Nodes lists the nodes of the cluster: see the function Nodes.
func (r *Remote) Nodes(ctx context.Context, namespace string) ([]Node, error) {
	return Nodes(ctx, r.api, namespace)
}

// Place is the location of a pod according to the API server.
type Place struct {
	UID  string
	Node string // empty: not scheduled yet
}

// Place finds a pod. It returns an error if the pod does not exist, or if the user may not see it.
func (r *Remote) Place(ctx context.Context, namespace, pod string) (Place, error) {
	if namespace == "" || len(rest.IsValidPathSegmentName(namespace))+len(rest.IsValidPathSegmentName(pod)) > 0 {
		return Place{}, errors.New("not a valid pod name")
	}
	var p corev1.Pod
	err := r.api.Get().Namespace(namespace).Resource("pods").Name(pod).Do(ctx).Into(&p)
	return Place{string(p.UID), p.Spec.NodeName}, err
}

// Run runs tracectl through a WebSocket, or, if the API server or a proxy does not support that, through SPDY, as
// kubectl does.
func (r *Remote) Run(ctx context.Context, node Node, args []string, stdout, stderr io.Writer) error {
	request := r.api.Post().Namespace(node.Namespace).Resource("pods").Name(node.Pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: container, Command: append([]string{"tracectl"}, args...), Stdin: true, Stdout: true, Stderr: true,
		}, types().parameters)
	spdy, err := remotecommand.NewSPDYExecutor(r.config, "POST", request.URL())
	if err != nil {
		return fmt.Errorf("preparing a connection: %w", err)
	}
	socket, err := remotecommand.NewWebSocketExecutor(r.config, "GET", request.URL().String())
	if err != nil {
		return fmt.Errorf("preparing a connection: %w", err)
	}
	var refused error // by the WebSocket
	executor, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		var upgrade *httpstream.UpgradeFailureError
		if errors.As(err, &upgrade) {
			refused = upgrade.Cause
		}
		return upgrade != nil || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return fmt.Errorf("preparing a connection: %w", err)
	}
	// The executor's copying goroutines continue for a moment after it has returned, and log errors.
	out, problems := &gate{out: stdout}, &gate{out: stderr}
	defer out.shut()
	defer problems.shut()
	// The input carries no data; it only ends. The node's tracectl has no other way to learn that the reader is
	// gone: the engine accepts its output and discards it.
	stdin, end := io.Pipe()
	defer end.Close()
	ctx = klog.NewContext(ctx, logr.Discard())
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: out, Stderr: problems})
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit):
		return &ExitError{Code: exit.Code}
	case apierrors.IsForbidden(refused), apierrors.IsNotFound(refused):
		err = refused // it has a reason, which SPDY's does not
	}
	return explain(err, "get and create pods/exec", node.Namespace)
}

// gate is a writer that can be shut.
type gate struct {
	out io.Writer

	mu     sync.Mutex
	isShut bool
}

func (g *gate) Write(text []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isShut {
		return len(text), nil
	}
	return g.out.Write(text)
}

// ReadFrom is used by io.Copy. Without it, two buffers for each of thousands of nodes would take a quarter of all
// memory.
func (g *gate) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	buffer := make([]byte, 4<<10)
	for {
		n, err := r.Read(buffer)
		total += int64(n)
		if n > 0 {
			if _, err := g.Write(buffer[:n]); err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// shut waits for a Write in progress.
func (g *gate) shut() {
	g.mu.Lock()
	g.isShut = true
	g.mu.Unlock()
}
