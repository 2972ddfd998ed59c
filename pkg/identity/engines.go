// SPDX-License-Identifier: Apache-2.0

package identity

import "strings"

// mapping lists the annotations of one engine. If several names mean the same thing, the first one that is present
// counts; annotations come before the engine's own labels.
type mapping struct {
	engine string

	// How the engine is recognised if the bundle's path does not tell: by its value of io.container.manager, or by
	// the prefix of its annotations.
	manager string
	prefix  string
	// Annotations that this engine writes on every container, and no other engine writes. The author of a pod may
	// be able to add and change annotations, but not to remove them.
	marks []string

	kind      []string // "sandbox" marks a pod's own container
	sandboxID []string
	namespace []string
	pod       []string
	podUID    []string
	container []string
	image     []string
	labels    []string // JSON objects

	sandboxName   string // the kubelet's container name if the container is the sandbox
	runsSandboxes bool   // a sandbox is an OCI container whose ID is the runtime's
}

// isSandbox reports whether the annotations belong to a pod's sandbox. On the sandbox, CRI-O writes the pod's
// annotations over its own, and the labels over both. The kubelet's container name is therefore reliable; the
// container type is not.
func (m *mapping) isSandbox(known func([]string) string) bool {
	return known(m.kind) == "sandbox" || m.sandboxName != "" && known([]string{kubeContainer}) == m.sandboxName
}

// namesOf splits the names that CRI-O makes for a container and its sandbox:
// k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT and k8s_POD_NAMESPACE_UID_ATTEMPT. The author of a pod cannot write them,
// and CRI-O sets them even without the kubelet's labels.
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

// splitName splits a name made by CRI-O. The first part may contain underscores, as names given to crictl do.
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

// handsOn reports whether the engine passes the pod's labels on in annotations.
func (m *mapping) handsOn(annotations map[string]string) bool {
	return len(m.labels) > 0 && annotations[m.labels[0]] != ""
}

// podLabels returns the labels of a pod from the annotations of CRI-O's sandbox. One annotation holds all labels,
// but the author of a pod can write an annotation of the same name, and CRI-O prefers that one. CRI-O also writes
// each label as an annotation of its own, over those of the author: if the two differ, the label's own annotation
// is the true one. The labels are tampered with, and some may be missing, if they differ, if the list of the
// author's annotations has one of that name, or if the list of labels lacks the pod's UID or is too long.
func podLabels(annotations map[string]string) (labels map[string]string, tampered bool) {
	list := crio.labels[0]
	labels = map[string]string{}
	tampered = !addJSON(labels, annotations[list])
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

// marked reports whether this engine wrote the annotations, even if some were overwritten.
func (m *mapping) marked(annotations map[string]string) bool {
	for _, mark := range m.marks {
		if _, ok := annotations[mark]; ok {
			return true
		}
	}
	return false
}

// Names that the kubelet sets. Engines may pass them on as labels, but they are not labels of the pod: identities
// have fields of their own for them.
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
		container: []string{"io.kubernetes.cri.container-name", "nerdctl/name"}, // nerdctl passes on its own labels
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

// recognise returns the mapping of the engine. The bundle's path takes precedence: the author of a pod may be able
// to add annotations, but not to move the bundle.
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
