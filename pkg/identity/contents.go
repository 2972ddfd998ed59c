// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// ContentsAnnotation is the annotation by which a container says how much of it is recorded.
const ContentsAnnotation = "runc-trace.contents"

// Contents is how much is recorded of a container. A larger value means less.
type Contents uint8

const (
	ContentsAll   Contents = iota // everything: also the data that it reads, writes, sends and receives
	ContentsPaths                 // paths, addresses, structs and the arguments of programs
	ContentsNone                  // only numbers: of calls and their arguments, results, errors and times
	ContentsOff                   // nothing; only that it ran
	contentsCount
)

var contentsNames = [contentsCount]string{"all", "paths", "none", "off"}

// String returns the value's name in the configuration.
func (c Contents) String() string { return contentsNames[c] }

// Withheld says what is missing from a recording because of c: "" if nothing is.
func (c Contents) Withheld() string {
	switch c {
	case ContentsAll:
		return ""
	case ContentsPaths:
		return "contents were not recorded (contents = paths)"
	}
	return fmt.Sprintf("neither contents nor paths were recorded (contents = %s)", c)
}

// ParseContents is the inverse of String; ok is false for other names.
func ParseContents(name string) (c Contents, ok bool) {
	i := slices.Index(contentsNames[:], name)
	return Contents(max(i, 0)), i >= 0
}

// ContentsOf returns how much is recorded of a container with these flags (enum who_flags).
func ContentsOf(flags uint32) Contents {
	switch {
	case flags&abi.WhoNoContents == 0:
		return ContentsAll
	case flags&abi.WhoFilesOnly == 0:
		return ContentsPaths
	case flags&abi.WhoRecord == 0:
		return ContentsOff
	}
	return ContentsNone
}

// ContentsRules choose how much is recorded of a container.
type ContentsRules struct {
	Default Contents                // if no rule matches
	Rules   [contentsCount][]string // for each value: see CheckContentsRule. Of those that match, the largest value counts
	// Annotation says what ContentsAnnotation may do.
	Annotation AnnotationUse
}

// AnnotationUse is what an annotation, which the author of a pod can write, may do.
type AnnotationUse uint8

const (
	AnnotationReduces AnnotationUse = iota // it may have less recorded than the rules say, but not more
	AnnotationDecides
	AnnotationIgnored
)

var annotationUses = []string{"reduce", "decide", "ignore"}

// ParseAnnotationUse parses a name from the configuration; ok is false for other names.
func ParseAnnotationUse(name string) (use AnnotationUse, ok bool) {
	i := slices.Index(annotationUses, name)
	return AnnotationUse(max(i, 0)), i >= 0
}

// CheckContentsRule returns an error if a rule can never match. A rule is one or more words, all of which must match: a
// pattern of path.Match for the namespace, or KEY=PATTERN for a label.
func CheckContentsRule(rule string) error {
	for word := range strings.FieldsSeq(rule) {
		if _, value, label := strings.Cut(word, "="); label {
			word = value
		}
		if _, err := path.Match(word, ""); err != nil {
			return err
		}
	}
	return nil
}

// of returns what the rules say of a container in a namespace with these labels.
func (r *ContentsRules) of(namespace string, labels ...map[string]string) Contents {
	for c, rules := range slices.Backward(r.Rules[:]) {
		if slices.ContainsFunc(rules, func(rule string) bool { return matches(rule, namespace, labels) }) {
			return Contents(c)
		}
	}
	return r.Default
}

func matches(rule, namespace string, labels []map[string]string) bool {
	any := false
	for word := range strings.FieldsSeq(rule) {
		any = true
		key, value, label := strings.Cut(word, "=")
		if !label && !like(word, namespace) {
			return false
		}
		if label && !slices.ContainsFunc(labels, func(set map[string]string) bool {
			text, ok := set[key]
			return ok && like(value, text)
		}) {
			return false
		}
	}
	return any
}

func like(pattern, text string) bool {
	ok, err := path.Match(pattern, text)
	return ok && err == nil
}

// SetContents sets the flags that say how much is recorded of a container. annotations are those of its spec. Call it
// when the labels are known that an engine tells at the start of the container: labels from the API server are not.
//
// Labels from annotations can only have less recorded, as long as the annotation cannot decide. A value of
// ContentsAnnotation that has no meaning means ContentsNone: its author wants less.
func SetContents(who *abi.Who, annotations map[string]string, rules *ContentsRules) {
	namespace, labels := String(who.Namespace[:]), LabelsOf(who)
	contents := rules.of(namespace, labels.Told, labels.Own)
	if rules.Annotation != AnnotationIgnored {
		contents = max(contents, rules.of(namespace, labels.Told, labels.Own, labels.Owner))
		if name, ok := annotations[ContentsAnnotation]; ok {
			wanted, known := ParseContents(name)
			if !known {
				wanted = ContentsNone
			}
			if rules.Annotation == AnnotationReduces {
				wanted = max(wanted, contents)
			}
			contents = wanted
		}
	}
	switch contents {
	case ContentsPaths:
		who.Flags |= abi.WhoNoContents
	case ContentsNone:
		who.Flags |= abi.WhoNoContents | abi.WhoFilesOnly
	case ContentsOff:
		who.Flags |= abi.WhoNoContents | abi.WhoFilesOnly
		who.Flags &^= abi.WhoRecord
	}
}
