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

// api knows the types that are needed, and no others: registering all of Kubernetes' would triple the time that any command of the
// program takes to start.
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
	// Run runs tracectl with arguments in a node's agent, and passes on what it prints, until it ends, which is an *ExitError where
	// it does not end well, or until ctx is done. The writers may block until ctx is done, and are not used after Run has returned.
	Run(ctx context.Context, node Node, args []string, stdout, stderr io.Writer) error
}

// ExitError says that the node's tracectl ended with another exit code than 0.
type ExitError struct {
	Code   int
	reason string // as tracectl told it, safe for a terminal
}

func (e *ExitError) Error() string {
	return cmp.Or(e.reason, fmt.Sprintf("tracectl ended with exit code %d", e.Code))
}

// Remote runs tracectl in agents by way of the API server.
type Remote struct {
	config *rest.Config
	api    *rest.RESTClient
}

// NewRemote takes how to reach the API server.
func NewRemote(config *rest.Config) (*Remote, error) {
	c := rest.CopyConfig(config)
	c.APIPath, c.GroupVersion = "/api", &corev1.SchemeGroupVersion
	c.NegotiatedSerializer = types().codecs.WithoutConversion()
	c.AcceptContentTypes, c.ContentType = runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// Its own limit is meant for controllers. There are few requests but those that run something, and their number at a
	// time is bounded.
	c.QPS, c.Burst = 1000, 1000
	api, err := rest.RESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("preparing requests to the API server: %w", err)
	}
	return &Remote{c, api}, nil
}

// Nodes is Nodes of the cluster.
func (r *Remote) Nodes(ctx context.Context, namespace string) ([]Node, error) {
	return Nodes(ctx, r.api, namespace)
}

// Place is where a pod is, as the API server says.
type Place struct {
	UID  string
	Node string // empty: on none yet
}

// Place finds a pod. That it is not there, or that the user may not see it, is an error.
func (r *Remote) Place(ctx context.Context, namespace, pod string) (Place, error) {
	if namespace == "" || len(rest.IsValidPathSegmentName(namespace))+len(rest.IsValidPathSegmentName(pod)) > 0 {
		return Place{}, errors.New("no pod can be called so")
	}
	var p corev1.Pod
	err := r.api.Get().Namespace(namespace).Resource("pods").Name(pod).Do(ctx).Into(&p)
	return Place{string(p.UID), p.Spec.NodeName}, err
}

// Run runs tracectl by a WebSocket or, where the API server or a proxy knows none, by SPDY, as kubectl does it.
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
	var refused error // by the first of them
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
	// What it copies with goes on for a moment after it has returned, and says so in the log.
	out, problems := &gate{out: stdout}, &gate{out: stderr}
	defer out.shut()
	defer problems.shut()
	// Nothing comes from it, but its end: a node's tracectl is not told otherwise that nobody listens any more. What it
	// writes then, its engine takes and throws away.
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
		err = refused // it has a reason, which SPDY's has not
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

// ReadFrom is what io.Copy uses: two of its own buffers for each of thousands of nodes would be a quarter of all memory.
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

// shut waits for a Write that goes on.
func (g *gate) shut() {
	g.mu.Lock()
	g.isShut = true
	g.mu.Unlock()
}
