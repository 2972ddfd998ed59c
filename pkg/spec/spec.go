// SPDX-License-Identifier: Apache-2.0

// Package spec reads OCI specs as far as runc-trace needs them, in an amount of memory that does not depend on
// their size.
//
// The shim imports it, so it imports nothing heavy.
package spec

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// annotationsLimit is how many bytes of annotations are kept, keys and values together. Kubernetes allows an object
// 256 KiB of them; its labels, which CRI-O writes as one annotation, have no limit but that of the object, 1.5 MiB.
const annotationsLimit = 4 << 20

// valueLimit is how many bytes of JSON cgroupsPath, namespaces or the path of the root may take. Usually they take
// some hundred.
const valueLimit = 1 << 20

// ErrTooLarge is a part of a spec that is needed, and is larger than its limit.
var ErrTooLarge = errors.New("too large")

// Spec is as much of an OCI config.json as is needed. Fields are named and tagged as in runtime-spec.
type Spec struct {
	Annotations map[string]string `json:"annotations"`
	Root        Root              `json:"root"`
	Linux       Linux             `json:"linux"`

	Cut bool `json:"-"` // some annotations were left out: they are beyond annotationsLimit
}

// Root is the container's root file system.
type Root struct {
	Path string `json:"path"`
}

// Linux is what is specific to Linux.
type Linux struct {
	CgroupsPath string      `json:"cgroupsPath"`
	Namespaces  []Namespace `json:"namespaces"`
}

// Namespace is one that the container gets, or joins if there is a path.
type Namespace struct {
	Type string `json:"type"`
	Path string `json:"path"`
}

// Parse reads a spec as runc does, which decodes one value of the file with encoding/json and stops: whatever is
// behind the value does not matter, keys match without regard to case, the last of several values of a key counts,
// and objects that are repeated are merged. It accepts all that runc accepts, and some of what runc refuses. The
// size of the text has no limit: memory is bounded by annotationsLimit and valueLimit. size is that of the file in
// bytes, or 0.
func Parse(from io.Reader, size int64) (Spec, error) {
	var s Spec
	p := newJSONReader(from, size)
	null, err := p.object(keyLimit, func(key string, _ bool) error {
		switch {
		case strings.EqualFold(key, "annotations"):
			return s.readAnnotations(p)
		case strings.EqualFold(key, "root"):
			return s.readRoot(p)
		case strings.EqualFold(key, "linux"):
			return s.readLinux(p)
		}
		return p.skip()
	})
	switch {
	case err != nil:
		return Spec{}, fmt.Errorf("parsing: %w", err)
	case null:
		return Spec{}, errors.New("parsing: the spec is null")
	}
	return s, nil
}

// readAnnotations adds a spec's annotations, until there is no more room for them.
func (s *Spec) readAnnotations(p *jsonReader) error {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	left := annotationsLimit
	for key, value := range s.Annotations {
		left -= len(key) + len(value)
	}
	null, err := p.object(left, func(key string, known bool) error {
		value, fits, err := p.text(max(0, left-len(key)))
		switch {
		case err != nil:
			return err
		case known && fits:
			left -= len(key) + len(value)
			s.Annotations[key] = value
		default:
			delete(s.Annotations, key)
			s.Cut = true
		}
		return nil
	})
	if null {
		s.Annotations = nil
	}
	return err
}

func (s *Spec) readRoot(p *jsonReader) error {
	null, err := p.object(keyLimit, func(key string, _ bool) error {
		if strings.EqualFold(key, "path") {
			return p.decode(&s.Root.Path, valueLimit)
		}
		return p.skip()
	})
	if null {
		s.Root = Root{}
	}
	return err
}

func (s *Spec) readLinux(p *jsonReader) error {
	null, err := p.object(keyLimit, func(key string, _ bool) error {
		switch {
		case strings.EqualFold(key, "cgroupsPath"):
			return p.decode(&s.Linux.CgroupsPath, valueLimit)
		case strings.EqualFold(key, "namespaces"):
			return p.decode(&s.Linux.Namespaces, valueLimit)
		}
		return p.skip()
	})
	if null {
		s.Linux = Linux{}
	}
	return err
}
