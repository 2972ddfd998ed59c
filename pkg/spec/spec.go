// SPDX-License-Identifier: Apache-2.0

// Package spec reads the parts of OCI specs that runc-trace needs. Its use of memory does not depend on their size.
//
// The shim imports this package, so it has no heavy imports.
package spec

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// annotationsLimit is the number of bytes of annotations that are kept, keys and values together. Kubernetes allows
// 256 KiB of annotations per object. Its labels, which CRI-O writes as one annotation, are limited only by the
// object, 1.5 MiB.
const annotationsLimit = 4 << 20

// valueLimit is the number of bytes that the JSON of cgroupsPath, namespaces or the root's path may take. Usually
// they take a few hundred.
const valueLimit = 1 << 20

// ErrTooLarge is returned if a required part of a spec exceeds its limit.
var ErrTooLarge = errors.New("too large")

// Spec holds the required parts of an OCI config.json. Fields are named and tagged as in runtime-spec.
type Spec struct {
	Annotations map[string]string `json:"annotations"`
	Root        Root              `json:"root"`
	Linux       Linux             `json:"linux"`

	Cut bool `json:"-"` // annotations beyond annotationsLimit were left out
}

// Root is the container's root file system.
type Root struct {
	Path string `json:"path"`
}

// Linux holds settings specific to Linux.
type Linux struct {
	CgroupsPath string      `json:"cgroupsPath"`
	Namespaces  []Namespace `json:"namespaces"`
}

// Namespace is a new namespace for the container, or, with a path, an existing one that it joins.
type Namespace struct {
	Type string `json:"type"`
	Path string `json:"path"`
}

// Parse reads a spec as runc does. runc decodes one value of the file with encoding/json and stops: text after the
// value is ignored, keys match regardless of case, the last of several values of a key counts, and repeated objects
// are merged. Parse accepts everything that runc accepts, and some specs that runc refuses. The text may have any
// size: memory is limited by annotationsLimit and valueLimit. size is the file's size in bytes, or 0.
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

// readAnnotations adds a spec's annotations while there is room.
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
