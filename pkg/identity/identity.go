// SPDX-License-Identifier: Apache-2.0

// Package identity says who a container is: it turns the annotations that an engine
// wrote into a container's OCI spec into the struct that the kernel keeps, and that
// struct back into strings.
//
// The shim imports it, so it imports nothing heavy.
package identity

import (
	"bytes"
	"unicode/utf8"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// LabelPrefix is the prefix of annotations that are labels on every engine:
// `docker run --annotation runc-trace.label/app=web` gives the label app=web.
const LabelPrefix = "runc-trace.label/"

// Rules extend the built-in mapping of annotations.
type Rules struct {
	Annotations     []string // whole annotations that become labels under their own names
	Prefixes        []string // annotations that begin so become labels, the prefix stripped
	JSON            []string // annotations that hold a JSON object of labels
	Keep            []string // labels that are kept first if not all find room: see KeepFirst
	RecordSandboxes bool     // sandboxes are to be recorded, too
}

// Parse says who the container id is, by its spec's annotations and by where its
// bundle lies. It takes any bytes: what does not fit its field is cut at a character's
// end, what would not survive the encoding (a NUL, a '=' in a label's key) is left
// out, and labels that found no room set abi.WhoLabelsTruncated. MountNamespace stays 0.
func Parse(id string, annotations map[string]string, bundle string, rules Rules) abi.Who {
	var who abi.Who
	m := recognise(annotations, bundle)
	Put(who.Engine[:], m.engine)
	Put(who.ID[:], id)

	engines := map[string]string{}
	for _, name := range m.labels {
		addJSON(engines, annotations[name])
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
		labels.Own = engines
	}
	rules.apply(&labels, annotations)
	SetLabels(&who, labels, rules.Keep)
	return who
}

// Tell adds to a container's identity what its engine says of it elsewhere than in its spec. A name and an image that
// are known already stay.
func Tell(who *abi.Who, name, image string, labels map[string]string, rules Rules) {
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

// TellPod adds to the identity of one of CRI-O's containers the labels of its pod, by the annotations of its sandbox's
// spec, which CRI-O writes even if it never starts the sandbox. It does nothing if these tell no labels.
func TellPod(who *abi.Who, annotations map[string]string, rules Rules) {
	if !crio.handsOn(annotations) {
		return
	}
	all := LabelsOf(who)
	all.Told, all.ToldIncomplete = podLabels(annotations)
	SetLabels(who, all, rules.Keep)
}

// String is the text of one of abi.Who's fields: what stands before the first NUL, or
// all of it. The bytes are whatever was written there, not always valid UTF-8.
func String(field []byte) string {
	if end := bytes.IndexByte(field, 0); end >= 0 {
		field = field[:end]
	}
	return string(field)
}

// Put writes text into a field of zeros and leaves at least one of them at its end: what does not fit is cut at a
// character's end.
func Put(field []byte, text string) {
	copy(field, cut(text, len(field)-1))
}

// cut is as much of text as takes at most limit bytes, has no NUL, and does not end
// within a character.
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
