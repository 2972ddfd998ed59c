// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"bytes"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// Labels are the labels that are stored with a container's identity, by origin. Readers decide on the precedence of
// the origins: see package labels.
type Labels struct {
	// Own come from annotations that are labels: the engine's own, and those named in the configuration.
	Own map[string]string
	// Owner come from annotations "runc-trace.label/KEY", which the author of a pod may be able to write.
	Owner map[string]string
	// Told are the labels that the engine itself gave for the pod or the container. Nil means that the engine gave
	// no answer; empty means that there are no labels.
	Told map[string]string

	// Set if labels of the origin are missing: there was no room for some, or the pod's author overwrote those of
	// the engine.
	OwnIncomplete, OwnerIncomplete, ToldIncomplete bool
}

// In abi.Who, the beginning of an element tells the origin of a label. Own labels begin with their key, Owner's
// with LabelPrefix, and Told's with a '=', which no key can contain. Own labels whose key itself begins with
// LabelPrefix have "==" in front. An element of '=' and one letter, without a second '=', holds flags for the whole
// set. Readers that do not know this scheme skip elements with an empty key.
const (
	toldPrefix = "="
	ownPrefix  = "=="
)

// jsonLimit is the size of the largest JSON object of labels that is parsed, in bytes: several times the room in
// abi.Who. The author of a pod may be able to write a longer one, and the container must not start later for it.
const jsonLimit = 32 << 10

// The flags in the letter, as bits on top of letterBase.
const (
	letterBase = '@'

	toldKnown       = 1
	toldIncomplete  = 2
	ownIncomplete   = 4
	ownerIncomplete = 8
)

// SetLabels replaces the labels in who. If there is no room for all labels, it leaves some out and sets
// abi.WhoLabelsTruncated. Labels whose key matches an entry of keep (see KeepFirst) are stored first, then those
// that the engine told, and the owner's last: the author of a pod cannot displace other labels.
func SetLabels(who *abi.Who, labels Labels, keep []string) {
	e := encoder{text: who.Labels[:]}
	clear(e.text)
	var letter byte
	set := func(bit byte, condition bool) {
		if condition {
			letter |= bit
		}
	}
	set(toldKnown, labels.Told != nil)
	set(toldIncomplete, labels.ToldIncomplete)
	set(ownIncomplete, labels.OwnIncomplete)
	set(ownerIncomplete, labels.OwnerIncomplete)
	total := size(labels.Told, told) + size(labels.Own, own) + size(labels.Owner, owner)
	marked := letter != 0 || total > len(e.text)
	if marked {
		e.used = len(toldPrefix) + 2
	}
	for _, first := range [...]bool{true, false} {
		set(toldIncomplete, !e.addAll(labels.Told, told, keep, first))
		set(ownIncomplete, !e.addAll(labels.Own, own, keep, first))
		set(ownerIncomplete, !e.addAll(labels.Owner, owner, keep, first))
	}
	if marked {
		copy(e.text, toldPrefix+string(rune(letterBase+letter)))
	}
	who.LabelsLength = uint32(e.used)
	who.Flags &^= abi.WhoLabelsTruncated
	if letter&^toldKnown != 0 {
		who.Flags |= abi.WhoLabelsTruncated
	}
}

// LabelsOf decodes the labels in who. It accepts any bytes.
func LabelsOf(who *abi.Who) Labels {
	l := Labels{Own: map[string]string{}, Owner: map[string]string{}}
	var letter byte
	for element := range elements(who.Labels[:min(int(who.LabelsLength), len(who.Labels))]) {
		set := l.Own
		if rest, ok := strings.CutPrefix(element, ownPrefix); ok {
			element = rest
		} else if rest, ok := strings.CutPrefix(element, toldPrefix); ok {
			if l.Told == nil {
				l.Told = map[string]string{}
			}
			if len(rest) == 1 && rest[0] > letterBase {
				letter = rest[0] - letterBase
			}
			element, set = rest, l.Told
		} else if rest, ok := strings.CutPrefix(element, LabelPrefix); ok {
			element, set = rest, l.Owner
		}
		if key, value, ok := strings.Cut(element, "="); ok && key != "" {
			set[key] = value
		}
	}
	if letter&toldKnown == 0 {
		l.Told = nil
	}
	if who.Flags&abi.WhoLabelsTruncated != 0 {
		if letter&^toldKnown == 0 { // the origin is unknown
			letter |= toldIncomplete | ownIncomplete | ownerIncomplete
		}
		l.ToldIncomplete = letter&toldIncomplete != 0
		l.OwnIncomplete = letter&ownIncomplete != 0
		l.OwnerIncomplete = letter&ownerIncomplete != 0
	}
	return l
}

// EncodeLabels writes labels as "key=value\0" elements, followed by zeros. An element that does not fit is left out
// as a whole. Labels whose key matches an entry of keep come first, in the order of the entries (see KeepFirst),
// then all others; both are sorted by key. EncodeLabels returns the number of bytes in use, and whether labels were
// left out for lack of room. It skips labels that would decode to something else: an empty key, a key with a '=' or
// NUL, a value with a NUL.
func EncodeLabels(text []byte, labels map[string]string, keep []string) (used int, truncated bool) {
	e := encoder{text: text}
	clear(text)
	for _, first := range [...]bool{true, false} {
		truncated = !e.addAll(labels, plain, keep, first) || truncated
	}
	return e.used, truncated
}

// DecodeLabels reads the format of EncodeLabels. It accepts any bytes, and skips everything that is not a complete
// "key=value\0".
func DecodeLabels(text []byte) map[string]string {
	labels := map[string]string{}
	for element := range elements(text) {
		if key, value, ok := strings.Cut(element, "="); ok && key != "" {
			labels[key] = value
		}
	}
	return labels
}

// elements yields the strings that end with a NUL.
func elements(text []byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		for {
			element, after, whole := bytes.Cut(text, []byte{0})
			if !whole || !yield(string(element)) {
				return
			}
			text = after
		}
	}
}

// encoder appends elements to text while there is room.
type encoder struct {
	text []byte
	used int
}

// size returns the largest number of bytes that labels can take.
func size(labels map[string]string, prefix prefix) int {
	total := 0
	for key, value := range labels {
		total += len(prefix(key)) + len(key) + len(value) + 2
	}
	return total
}

// prefix returns the text in front of the key of an element.
type prefix func(key string) string

func plain(string) string { return "" }
func told(string) string  { return toldPrefix }
func owner(string) string { return LabelPrefix }

func own(key string) string {
	if strings.HasPrefix(key, LabelPrefix) {
		return ownPrefix
	}
	return ""
}

// addAll adds either the labels to keep first or all others. It returns false if there was no room for some.
func (e *encoder) addAll(labels map[string]string, prefix prefix, keep []string, first bool) bool {
	if len(labels) == 0 || first && len(keep) == 0 {
		return true
	}
	keys := slices.Sorted(maps.Keys(labels))
	if len(keep) > 0 {
		ranks := make(map[string]int, len(keys))
		keys = slices.DeleteFunc(keys, func(key string) bool {
			ranks[key] = KeepFirst(keep, key)
			return ranks[key] < len(keep) != first
		})
		slices.SortStableFunc(keys, func(a, b string) int { return ranks[a] - ranks[b] })
	}
	whole := true
	for _, key := range keys {
		value, prefix := labels[key], prefix(key)
		switch {
		case key == "" || strings.ContainsAny(key, "=\x00") || indexNUL(value) >= 0:
		case len(prefix)+len(key)+len(value)+2 > len(e.text)-e.used:
			whole = false
		default:
			for _, part := range [...]string{prefix, key, "=", value} {
				e.used += copy(e.text[e.used:], part)
			}
			e.used++
		}
	}
	return whole
}

// KeepFirst returns the index of the first entry of keep that matches a label's key, or len(keep). An entry is a
// key or a path.Match pattern, in which * matches any characters except '/': "example.com/*".
func KeepFirst(keep []string, key string) int {
	for i, pattern := range keep {
		if pattern == key {
			return i
		}
		if matched, err := path.Match(pattern, key); err == nil && matched {
			return i
		}
	}
	return len(keep)
}

// apply adds the labels found in annotations: those that a rule selects, and to Owner those with LabelPrefix that
// no rule selects.
func (r Rules) apply(labels *Labels, annotations map[string]string) {
	for _, name := range r.JSON {
		labels.OwnIncomplete = !addJSON(labels.Own, annotations[name]) || labels.OwnIncomplete
	}
	for _, prefix := range r.Prefixes {
		addPrefixed(labels.Own, annotations, prefix)
	}
	for _, name := range r.Annotations {
		if value, ok := annotations[name]; ok {
			labels.Own[name] = value
		}
	}
	if !slices.Contains(r.Prefixes, LabelPrefix) {
		addPrefixed(labels.Owner, annotations, LabelPrefix)
	}
}

func addPrefixed(labels, annotations map[string]string, prefix string) {
	for name, value := range annotations {
		if key, ok := strings.CutPrefix(name, prefix); ok && key != "" {
			labels[key] = value
		}
	}
}

// addJSON adds the string members of a JSON object, and ignores all others. It returns false if the text is too long
// to be parsed.
func addJSON(labels map[string]string, text string) bool {
	if len(text) > jsonLimit {
		return false
	}
	var object map[string]json.RawMessage
	if text == "" || json.Unmarshal([]byte(text), &object) != nil {
		return true
	}
	for key, value := range object {
		var s string
		if value[0] == '"' && json.Unmarshal(value, &s) == nil {
			labels[key] = s
		}
	}
	return true
}
