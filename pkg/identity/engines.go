// SPDX-License-Identifier: Apache-2.0

package identity

import "strings"

// mapping is what one engine calls things. Of several names of one thing the first
// that is there counts, and annotations come before the engine's own labels.
type mapping struct {
	engine string

	// How the engine is recognised where the bundle's path does not tell: by what it
	// calls itself under io.container.manager, or by annotations that begin so.
	manager string
	prefix  string
	// Annotations that the engine writes on everything, and no other engine does. A pod's author may add and change
	// annotations, but not remove them.
	marks []string

	kind      []string // "sandbox" marks a pod's own container
	sandboxID []string
	namespace []string
	pod       []string
	podUID    []string
	container []string
	image     []string
	labels    []string // JSON objects

	sandboxName   string // what the kubelet's name of a container is if it is the sandbox
	runsSandboxes bool   // a sandbox is one of the runtime's containers, and its ID is the runtime's
}

// isSandbox tells whether annotations are of a pod's own container. CRI-O writes the pod's annotations over its own
// ones on the sandbox, and the labels over both: what the kubelet calls the container is true, whatever its type
// seems to be.
func (m *mapping) isSandbox(known func([]string) string) bool {
	return known(m.kind) == "sandbox" || m.sandboxName != "" && known([]string{kubeContainer}) == m.sandboxName
}

// namesOf are the names that CRI-O's own names for a container and its sandbox are made of,
// k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT and k8s_POD_NAMESPACE_UID_ATTEMPT. A pod's author cannot write them, and
// they are there without the kubelet's labels, too.
func namesOf(annotations map[string]string) (container, pod, namespace, podUID string, ok bool) {
	both, namespace, podUID, ok := splitName(annotations["io.kubernetes.cri-o.Name"])
	if !ok {
		return "", "", "", "", false
	}
	pod, _, _, ok = splitName(annotations["io.kubernetes.cri-o.SandboxName"])
	if name, isPod := strings.CutSuffix(both, "_"+pod); ok && isPod {
		return name, pod, namespace, podUID, true
	}
	container, pod, ok = strings.Cut(both, "_")
	return container, pod, namespace, podUID, ok
}

// splitName takes a name of CRI-O's apart. What comes first may have underscores, as crictl's names do.
func splitName(text string) (first, namespace, podUID string, ok bool) {
	first, ok = strings.CutPrefix(text, "k8s_")
	var parts [3]string
	for i := range parts {
		at := strings.LastIndexByte(first, '_')
		if at < 0 {
			return "", "", "", false
		}
		first, parts[i] = first[:at], first[at+1:]
	}
	return first, parts[2], parts[1], ok
}

// handsOn tells whether the engine says in annotations what labels there are.
func (m *mapping) handsOn(annotations map[string]string) bool {
	return len(m.labels) > 0 && annotations[m.labels[0]] != ""
}

// podLabels are the labels of a pod, by the annotations of CRI-O's sandbox. One of these holds them all, but a pod's
// author can write an annotation of that name, which CRI-O lets count. Each label is an annotation, too, and there it
// counts more than what the author wrote: if the two differ, the label that is an annotation is the true one. Others
// may be missing then, and if the list of the author's annotations has one of that name, or the list of labels lacks
// the pod's UID.
func podLabels(annotations map[string]string) (labels map[string]string, tampered bool) {
	list := crio.labels[0]
	labels = map[string]string{}
	addJSON(labels, annotations[list])
	for key, value := range labels {
		if truth, ok := annotations[key]; ok && truth != value {
			labels[key], tampered = truth, true
		}
	}
	if crio.marked(annotations) {
		_, listed := labels[kubePodUID]
		tampered = tampered || !listed || strings.Contains(annotations["io.kubernetes.cri-o.Annotations"], `"`+list+`"`)
	}
	for _, name := range reserved {
		delete(labels, name)
	}
	return labels, tampered
}

// marked tells whether the engine wrote annotations, whatever others were written over them.
func (m *mapping) marked(annotations map[string]string) bool {
	for _, mark := range m.marks {
		if _, ok := annotations[mark]; ok {
			return true
		}
	}
	return false
}

// The kubelet's own names. Where an engine hands them on as labels they are no
// labels of the pod: they are fields of their own here.
const (
	kubePod       = "io.kubernetes.pod.name"
	kubeNamespace = "io.kubernetes.pod.namespace"
	kubePodUID    = "io.kubernetes.pod.uid"
	kubeContainer = "io.kubernetes.container.name"
)

var reserved = [...]string{kubePod, kubeNamespace, kubePodUID, kubeContainer}

var (
	// pkg/annotations of github.com/cri-o/cri-o.
	crio = mapping{
		engine:    "cri-o",
		manager:   "cri-o",
		prefix:    "io.kubernetes.cri-o.",
		marks:     []string{"io.kubernetes.cri-o.Metadata", "io.kubernetes.cri-o.MountPoint"},
		kind:      []string{"io.kubernetes.cri-o.ContainerType"},
		sandboxID: []string{"io.kubernetes.cri-o.SandboxID"},
		namespace: []string{kubeNamespace, "io.kubernetes.cri-o.Namespace"},
		pod:       []string{kubePod, "io.kubernetes.cri-o.KubeName"},
		podUID:    []string{kubePodUID},
		container: []string{kubeContainer},
		image:     []string{"io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image"},
		labels:    []string{"io.kubernetes.cri-o.Labels"},

		sandboxName: "POD", runsSandboxes: true,
	}
	// Podman marks its pods with CRI-O's names (pkg/annotations of github.com/containers/podman).
	podman = mapping{
		engine:    "podman",
		manager:   "libpod",
		prefix:    "io.podman.annotations.",
		kind:      []string{"io.kubernetes.cri-o.ContainerType"},
		sandboxID: []string{"io.kubernetes.cri-o.SandboxID"},
		namespace: []string{kubeNamespace},
		pod:       []string{kubePod},
		podUID:    []string{kubePodUID},
		container: []string{kubeContainer},
	}
	// internal/cri/annotations of github.com/containerd/containerd.
	containerd = mapping{
		engine:    "containerd",
		prefix:    "io.kubernetes.cri.",
		kind:      []string{"io.kubernetes.cri.container-type"},
		sandboxID: []string{"io.kubernetes.cri.sandbox-id"},
		namespace: []string{"io.kubernetes.cri.sandbox-namespace"},
		pod:       []string{"io.kubernetes.cri.sandbox-name"},
		podUID:    []string{"io.kubernetes.cri.sandbox-uid"},
		container: []string{"io.kubernetes.cri.container-name", "nerdctl/name"}, // nerdctl hands its own labels on
		image:     []string{"io.kubernetes.cri.image-name", "io.kubernetes.cri.podsandbox.image-name"},

		runsSandboxes: true,
	}
	// Docker writes no annotations of its own; these are for `docker run --annotation`.
	docker = mapping{
		engine:    "docker",
		namespace: []string{kubeNamespace},
		pod:       []string{kubePod},
		podUID:    []string{kubePodUID},
		container: []string{kubeContainer},
	}
	unknown = mapping{
		namespace: []string{kubeNamespace},
		pod:       []string{kubePod},
		podUID:    []string{kubePodUID},
		container: []string{kubeContainer},
	}
)

// recognise finds the engine. Its bundle's path is believed first: a pod's author may
// be able to add annotations, but not to move the bundle.
func recognise(annotations map[string]string, bundle string) *mapping {
	switch {
	case strings.Contains(bundle, "/moby/"),
		strings.HasPrefix(bundle, "/run/docker/"),
		strings.HasPrefix(bundle, "/var/run/docker/"):
		return &docker
	case strings.Contains(bundle, "/io.containerd.runtime."):
		return &containerd
	}
	if crio.marked(annotations) {
		return &crio
	}
	manager := annotations["io.container.manager"]
	for _, m := range [...]*mapping{&podman, &crio} {
		if manager == m.manager {
			return m
		}
	}
	for _, m := range [...]*mapping{&containerd, &podman, &crio} {
		for name := range annotations {
			if strings.HasPrefix(name, m.prefix) {
				return m
			}
		}
	}
	return &unknown
}
