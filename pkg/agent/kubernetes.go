// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// podSource watches the pods of a node. It requests only their metadata, and keeps only their UIDs. It knows a
// pod's labels as soon as the pod is bound to the node, before the kubelet is told. The kubelet's own credentials
// allow the request.
type podSource struct {
	node       string
	kubeconfig string
	version    string
	writer     *labelWriter
	endpoint   *endpoint
	off        bool

	mu     sync.Mutex
	renew  context.CancelFunc // ends requests with rejected credentials
	listed bool
	pods   map[types.UID]string // UID in the API to UID on the node
	owners map[string]types.UID // the reverse
}

func newPodSource(c Config, l *labelWriter, h *health) *podSource {
	s := &podSource{
		node: c.Node, kubeconfig: c.Kubeconfig, version: c.Version, writer: l, endpoint: h.endpoint(bpf.SourceKubernetes, ""),
		pods: map[types.UID]string{}, owners: map[string]types.UID{},
	}
	s.off = s.kubeconfig == "" && os.Getenv("KUBERNETES_SERVICE_HOST") == ""
	return s
}

// run watches until the context ends.
func (s *podSource) run(ctx context.Context) {
	if s.off {
		s.endpoint.off("no --kubeconfig, and not in a pod")
		return
	}
	var wait backoff
	for ctx.Err() == nil {
		client, lists, err := s.client()
		if err != nil {
			s.endpoint.down(err)
			wait.wait(ctx)
			continue
		}
		pods := client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"})
		watching, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.renew = cancel
		s.mu.Unlock()
		cache.NewReflectorWithOptions(s.watched(pods, lists), &metav1.PartialObjectMetadata{}, s,
			cache.ReflectorOptions{Name: "pods"}).RunWithContext(watching)
		cancel()
		wait.wait(ctx)
	}
}

func (s *podSource) client() (metadata.Interface, *lister, error) {
	var config *rest.Config
	var err error
	if s.kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	} else {
		config, err = rest.InClusterConfig()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration of the API server: %w", err)
	}
	config.UserAgent = "tracectl-agent/" + s.version
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, nil, fmt.Errorf("creating a Kubernetes client: %w", err)
	}
	lists, err := newLister(config)
	if err != nil {
		return nil, nil, fmt.Errorf("creating a Kubernetes client: %w", err)
	}
	return client, lists, nil
}

// watched requests the node's pods, and records whether the server answered.
func (s *podSource) watched(pods metadata.ResourceInterface, lists *lister) cache.ListerWatcher {
	selector := fields.OneTermEqualSelector("spec.nodeName", s.node).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = selector
			list, err := lists.pods(ctx, options, s.reduce)
			s.note(ctx, err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = selector
			w, err := pods.Watch(ctx, options)
			initial := options.SendInitialEvents != nil
			switch {
			case initial && err == nil: // it is up when all pods were sent
			case initial && (apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)): // an older server: use a list
			default:
				s.note(ctx, err)
			}
			return w, err
		},
	}
}

func (s *podSource) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err):
	case err != nil:
		s.endpoint.down(err)
		if apierrors.IsUnauthorized(err) {
			s.mu.Lock()
			s.renew()
			s.mu.Unlock()
		}
	default:
		s.endpoint.up()
	}
}

// mayExist reports whether a pod may be about to start on this node.
func (s *podSource) mayExist(pod string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.owners[pod]
	return ok || !s.listed && !s.off
}

// Transformer is called by the reflector for each object before it keeps it.
func (s *podSource) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		p, ok := object.(*metav1.PartialObjectMetadata)
		if !ok {
			return object, nil
		}
		return s.reduce(p), nil
	}
}

// Add is called by the reflector for a new pod.
func (s *podSource) Add(object any) error {
	p, err := pod(object)
	if err != nil {
		return err
	}
	p = s.reduce(p)
	if subject, ok := s.own(p); ok {
		s.writer.put(subject, bpf.Labels{Set: p.Labels, Truncated: p.Annotations[truncatedMark] != ""})
	}
	return nil
}

// Update is called by the reflector for a changed pod.
func (s *podSource) Update(object any) error { return s.Add(object) }

// Delete is called by the reflector for a deleted pod. Its labels are kept while any of its containers is known.
func (s *podSource) Delete(object any) error {
	p, err := pod(object)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disown(p.UID)
	return nil
}

// Replace is called by the reflector with all existing pods.
func (s *podSource) Replace(objects []any, _ string) error {
	present := map[types.UID]bool{}
	for _, object := range objects {
		p, err := pod(object)
		if err != nil {
			return err
		}
		present[p.UID] = true
	}
	s.mu.Lock()
	for uid := range s.pods {
		if !present[uid] {
			s.disown(uid)
		}
	}
	s.mu.Unlock()
	for _, object := range objects {
		if err := s.Add(object); err != nil {
			return err
		}
	}
	s.mu.Lock()
	s.listed = true
	s.mu.Unlock()
	s.endpoint.up()
	return nil
}

// Resync is called by the reflector if resyncs are enabled.
func (s *podSource) Resync() error { return nil }

func pod(object any) (*metav1.PartialObjectMetadata, error) {
	p, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("a pod is of type %T", object)
	}
	if p.UID == "" {
		return nil, errors.New("a pod has no UID")
	}
	return p, nil
}

// mirrorAnnotation is set on a mirror pod, which represents a static pod of the kubelet in the API, to the static
// pod's UID.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// own returns the subject that a pod's labels are for. Anyone who may create pods can write the annotation of
// mirror pods, and thus claim to be another pod. The claim is accepted only if the pod names this node as its
// owner, if the claimed UID is not from the API, and if no other pod has claimed it before.
func (s *podSource) own(p *metav1.PartialObjectMetadata) (subject, bool) {
	name := string(p.UID)
	if mirrored := p.Annotations[mirrorAnnotation]; mirrored != "" && s.owned(p) {
		name = mirrored
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != string(p.UID) {
		if owner, ok := s.owners[name]; ok && owner != p.UID || isUUID(name) {
			return subject{}, false
		}
	}
	if s.pods[p.UID] != name {
		s.disown(p.UID)
	}
	s.pods[p.UID], s.owners[name] = name, p.UID
	return subject{bpf.SourceKubernetes, name}, true
}

func (s *podSource) disown(uid types.UID) {
	if name, ok := s.pods[uid]; ok && s.owners[name] == uid {
		delete(s.owners, name)
	}
	delete(s.pods, uid)
}

func (s *podSource) owned(p *metav1.PartialObjectMetadata) bool {
	return slices.ContainsFunc(p.OwnerReferences, s.isOwner)
}

// isUUID distinguishes UIDs of the API from those made by a kubelet, which have no dashes.
func isUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
}
