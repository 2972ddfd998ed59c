// SPDX-License-Identifier: Apache-2.0

// Package identity identifies containers: it converts the annotations in a container's OCI spec into the struct
// that the kernel keeps, and that struct back into strings.
//
// The shim imports this package, so it has no heavy imports.
package identity

import (
	"bytes"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// LabelPrefix is the prefix of annotations that are labels on every engine: `docker run --annotation
// runc-trace.label/app=web` sets the label app=web.
const LabelPrefix = "runc-trace.label/"

// Rules extend the built-in mapping of annotations.
type Rules struct {
	Annotations     []string // whole annotations that become labels under their own names
	Prefixes        []string // annotations with one of these prefixes become labels; the prefix is stripped
	JSON            []string // annotations that hold a JSON object of labels
	Keep            []string // labels that are kept first if there is no room for all: see KeepFirst
	RecordSandboxes bool     // record sandboxes, too
	Contents        ContentsRules
}

// Parse returns the identity of the container id from the annotations of its spec and the path of its bundle. It
// accepts any bytes. Values that are too long for their field are cut at the end of a character. Labels that cannot
// be encoded (a NUL, or a '=' in the key) are left out. If there is no room for all labels, Parse sets
// abi.WhoLabelsTruncated. MountNamespace stays 0.
func Parse(id string, annotations map[string]string, bundle string, rules Rules) abi.Who {
	var who abi.Who
	m := recognise(annotations, bundle)
	Put(who.Engine[:], m.engine)
	Put(who.ID[:], id)

	engines, complete := map[string]string{}, true
	for _, name := range m.labels {
		complete = addJSON(engines, annotations[name]) && complete
	}
	known := func(names []string) string {
		for _, name := range names {
			if value := annotations[name]; value != "" {
				return value
			}
		}
		for _, name := range names {
			if value := engines[name]; value != "" {
				return value
			}
		}
		return ""
	}
	sandbox, container := known(m.sandboxID), known(m.container)
	namespace, pod, podUID := known(m.namespace), known(m.pod), known(m.podUID)
	if m.isSandbox(known) {
		who.Flags |= abi.WhoSandbox
		container = ""
		if m.runsSandboxes && sandbox != "" {
			sandbox = id
		}
	} else if m == &crio {
		if c, p, n, u, ok := namesOf(annotations); ok {
			container, pod, namespace, podUID = c, p, n, u
		}
	}
	Put(who.SandboxID[:], sandbox)
	Put(who.Namespace[:], namespace)
	Put(who.Pod[:], pod)
	Put(who.PodUID[:], podUID)
	Put(who.Container[:], container)
	Put(who.Image[:], known(m.image))
	if who.Flags&abi.WhoSandbox == 0 || rules.RecordSandboxes {
		who.Flags |= abi.WhoRecord
	}

	labels := Labels{Own: map[string]string{}, Owner: map[string]string{}}
	if m.handsOn(annotations) && who.Flags&abi.WhoSandbox != 0 {
		labels.Told, labels.ToldIncomplete = podLabels(annotations)
	} else {
		for _, name := range reserved {
			delete(engines, name)
		}
		labels.Own, labels.OwnIncomplete = engines, !complete
	}
	rules.apply(&labels, annotations)
	SetLabels(&who, labels, rules.Keep)
	return who
}

// AddMetadata adds data that the engine keeps outside of the container's spec to its identity. A name or an image that
// is already known is kept.
func AddMetadata(who *abi.Who, name, image string, labels map[string]string, rules Rules) {
	if who.Container[0] == 0 {
		Put(who.Container[:], name)
	}
	if who.Image[0] == 0 {
		Put(who.Image[:], image)
	}
	if labels == nil {
		return
	}
	all := LabelsOf(who)
	all.Told, all.ToldIncomplete = labels, false
	SetLabels(who, all, rules.Keep)
}

// AddPodLabels adds the pod's labels to the identity of a CRI-O container. annotations are those of the sandbox's spec,
// which CRI-O writes even if it never starts the sandbox. If they hold no labels, AddPodLabels does nothing.
func AddPodLabels(who *abi.Who, annotations map[string]string, rules Rules) {
	if !crio.handsOn(annotations) {
		return
	}
	all := LabelsOf(who)
	all.Told, all.ToldIncomplete = podLabels(annotations)
	SetLabels(who, all, rules.Keep)
}

// String returns the text of a field of abi.Who: the bytes before the first NUL, or all of them. They are not
// always valid UTF-8.
func String(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

// Put writes text into a zeroed field and leaves at least one zero at its end. A text that is too long is cut at
// the end of a character.
func Put(field []byte, text string) {
	copy(field, cut(text, len(field)-1))
}

// cut returns the longest prefix of text that takes at most limit bytes, has no NUL, and does not end within a
// character.
func cut(text string, limit int) string {
	if end := indexNUL(text); end >= 0 {
		text = text[:end]
	}
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > 0 && limit-end < utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func indexNUL(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return i
		}
	}
	return -1
}
