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

// Labels are the labels that are kept with a container's identity, by origin. Readers decide which origin counts: see
// package labels.
type Labels struct {
	// Own come from annotations that are labels: the engine's own, and those that the operator named in the
	// configuration.
	Own map[string]string
	// Owner come from annotations "runc-trace.label/KEY", which the author of a pod may be able to write.
	Owner map[string]string
	// Told are what the engine itself says of the pod or the container. Nil: the engine did not say anything; empty: it
	// said that there are no labels.
	Told map[string]string

	// There are more labels of an origin: some found no room, or, of the engine's, the pod's author wrote over them.
	OwnIncomplete, OwnerIncomplete, ToldIncomplete bool
}

// In abi.Who, labels of the three origins are told apart by how an element begins. Own labels begin with their key,
// Owner's with LabelPrefix, and the engine's with a '=', which no key can have. A '=' and one letter, behind which no
// other '=' stands, says what an element cannot. Readers that do not know of this pass over elements with an empty
// key.
const toldPrefix = "="

// What the letter says, in bits on top of letterBase.
const (
	letterBase = '@'

	toldKnown       = 1
	toldIncomplete  = 2
	ownIncomplete   = 4
	ownerIncomplete = 8
)

// SetLabels replaces the labels of who. Labels that find no room are left out, and abi.WhoLabelsTruncated says so: kept
// first are those whose key matches an entry of keep (see KeepFirst), then those that the engine told, and last
// the owner's, so that the author of a pod cannot push out any other.
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
	total := size(labels.Told, toldPrefix) + size(labels.Own, "") + size(labels.Owner, LabelPrefix)
	marked := letter != 0 || total > len(e.text)
	if marked {
		e.used = len(toldPrefix) + 2
	}
	for _, first := range [...]bool{true, false} {
		set(toldIncomplete, !e.addAll(labels.Told, toldPrefix, keep, first))
		set(ownIncomplete, !e.addAll(labels.Own, "", keep, first))
		set(ownerIncomplete, !e.addAll(labels.Owner, LabelPrefix, keep, first))
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

// LabelsOf reads the labels of who. It takes any bytes.
func LabelsOf(who *abi.Who) Labels {
	l := Labels{Own: map[string]string{}, Owner: map[string]string{}}
	var letter byte
	for element := range elements(who.Labels[:min(int(who.LabelsLength), len(who.Labels))]) {
		set := l.Own
		if rest, ok := strings.CutPrefix(element, toldPrefix); ok {
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
		if letter&^toldKnown == 0 { // it is not known of which origin
			letter |= toldIncomplete | ownIncomplete | ownerIncomplete
		}
		l.ToldIncomplete = letter&toldIncomplete != 0
		l.OwnIncomplete = letter&ownIncomplete != 0
		l.OwnerIncomplete = letter&ownerIncomplete != 0
	}
	return l
}

// EncodeLabels writes labels whole, "key=value\0", as many as fit, and zeros behind them: first those whose key
// matches an entry of keep, in the order of the entries (see KeepFirst), then the others, both in the order of their
// keys. It returns the number of bytes in use, and whether any was left out for want of room. A key that is empty or
// has a '=' or NUL, and a value that has a NUL, is refused: it could be read back as something else.
func EncodeLabels(text []byte, labels map[string]string, keep []string) (used int, truncated bool) {
	e := encoder{text: text}
	clear(text)
	for _, first := range [...]bool{true, false} {
		truncated = !e.addAll(labels, "", keep, first) || truncated
	}
	return e.used, truncated
}

// DecodeLabels reads what EncodeLabels wrote. It takes any bytes: what is no whole "key=value\0" is left out.
func DecodeLabels(text []byte) map[string]string {
	labels := map[string]string{}
	for element := range elements(text) {
		if key, value, ok := strings.Cut(element, "="); ok && key != "" {
			labels[key] = value
		}
	}
	return labels
}

// elements yields what stands before each NUL.
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

// encoder writes elements into text as long as there is room.
type encoder struct {
	text []byte
	used int
}

// size is how much room labels take, at most.
func size(labels map[string]string, prefix string) int {
	total := 0
	for key, value := range labels {
		total += len(prefix) + len(key) + len(value) + 2
	}
	return total
}

// addAll adds the labels that are kept first, or all others. It returns false if any found no room.
func (e *encoder) addAll(labels map[string]string, prefix string, keep []string, first bool) bool {
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
		value := labels[key]
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

// KeepFirst is the index of the first entry of keep that a label's key matches, or len(keep). An entry is a key, or a
// pattern of path.Match, in which * matches any characters but '/': "example.com/*".
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

// apply adds the labels that annotations give: by the rules, and to those of the owner the ones that are called labels,
// unless a rule names these.
func (r Rules) apply(labels *Labels, annotations map[string]string) {
	for _, name := range r.JSON {
		addJSON(labels.Own, annotations[name])
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
