// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// SetLabels replaces the labels of who, as EncodeLabels writes them; abi.WhoLabelsTruncated says whether any was left
// out for want of room.
func SetLabels(who *abi.Who, labels map[string]string) {
	used, truncated := EncodeLabels(who.Labels[:], labels)
	who.LabelsLength = uint32(used)
	who.Flags &^= abi.WhoLabelsTruncated
	if truncated {
		who.Flags |= abi.WhoLabelsTruncated
	}
}

// Labels reads the labels of who.
func Labels(who *abi.Who) map[string]string {
	return DecodeLabels(who.Labels[:min(int(who.LabelsLength), len(who.Labels))])
}

// EncodeLabels writes labels whole, "key=value\0", in the order of their keys, as many as fit, and zeros behind
// them. It returns the number of bytes in use, and whether any was left out for want of room. A key that is empty or has a '=' or NUL, and a
// value that has a NUL, is refused: it could be read back as something else.
func EncodeLabels(text []byte, labels map[string]string) (used int, truncated bool) {
	clear(text)
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		value := labels[key]
		if key == "" || strings.ContainsAny(key, "=\x00") || indexNUL(value) >= 0 {
			continue
		}
		if len(key)+len(value)+2 > len(text)-used {
			truncated = true
			continue
		}
		used += copy(text[used:], key)
		used += copy(text[used:], "=")
		used += copy(text[used:], value)
		used++
	}
	return used, truncated
}

// DecodeLabels reads what EncodeLabels wrote. It takes any bytes: what is no whole "key=value\0" is left out.
func DecodeLabels(text []byte) map[string]string {
	labels := map[string]string{}
	for {
		pair, after, whole := bytes.Cut(text, []byte{0})
		if !whole {
			return labels
		}
		if key, value, ok := strings.Cut(string(pair), "="); ok && key != "" {
			labels[key] = value
		}
		text = after
	}
}

// apply adds the labels that annotations give: those of the rules, and over them
// those that are called labels.
func (r Rules) apply(labels, annotations map[string]string) {
	for _, name := range r.JSON {
		addJSON(labels, annotations[name])
	}
	for _, prefix := range r.Prefixes {
		addPrefixed(labels, annotations, prefix)
	}
	for _, name := range r.Annotations {
		if value, ok := annotations[name]; ok {
			labels[name] = value
		}
	}
	addPrefixed(labels, annotations, LabelPrefix)
}

func addPrefixed(labels, annotations map[string]string, prefix string) {
	for name, value := range annotations {
		if key, ok := strings.CutPrefix(name, prefix); ok && key != "" {
			labels[key] = value
		}
	}
}

// addJSON adds the strings of a JSON object. Anything else in it is passed over.
func addJSON(labels map[string]string, text string) {
	if text == "" {
		return
	}
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return
	}
	for key, value := range object {
		if s, ok := value.(string); ok {
			labels[key] = s
		}
	}
}
