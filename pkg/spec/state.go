// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// State holds the required parts of runc's state.json, which is a State of runc's libcontainer.
type State struct {
	Init        int               // PID of the init, as runc sees it
	Start       uint64            // of the init, as in /proc/PID/stat
	CgroupPaths map[string]string // by controller; "" is the unified hierarchy
	Rootfs      string
	Labels      []string // "key=value" of each annotation, and at the end "bundle=" and the bundle's path

	Cut bool // labels beyond annotationsLimit were left out
}

// ParseState reads a state.json of any size. Its memory is limited as that of Parse. Fields that are not needed may
// have any type, as in the state of another version of runc.
func ParseState(from io.Reader, size int64) (State, error) {
	var s State
	p := newJSONReader(from, size)
	null, err := p.object(keyLimit, func(key string, _ bool) error {
		switch {
		case strings.EqualFold(key, "init_process_pid"):
			return p.decode(&s.Init, valueLimit)
		case strings.EqualFold(key, "init_process_start"):
			return p.decode(&s.Start, valueLimit)
		case strings.EqualFold(key, "cgroup_paths"):
			return p.decode(&s.CgroupPaths, valueLimit)
		case strings.EqualFold(key, "config"):
			return s.readConfig(p)
		}
		return p.skip()
	})
	switch {
	case err != nil:
		return State{}, fmt.Errorf("parsing: %w", err)
	case null:
		return State{}, errors.New("parsing: the state is null")
	}
	return s, nil
}

func (s *State) readConfig(p *jsonReader) error {
	_, err := p.object(keyLimit, func(key string, _ bool) error {
		switch {
		case strings.EqualFold(key, "rootfs"):
			return p.decode(&s.Rootfs, valueLimit)
		case strings.EqualFold(key, "labels"):
			return s.readLabels(p)
		}
		return p.skip()
	})
	return err
}

// readLabels reads the labels while there is room. It always keeps the last one, which is the bundle's.
func (s *State) readLabels(p *jsonReader) error {
	s.Labels = nil
	left, last, some := annotationsLimit, "", false
	keep := func() {
		switch {
		case !some:
		case len(last) <= left:
			s.Labels = append(s.Labels, last)
			left -= len(last)
		default:
			s.Cut = true
		}
	}
	err := p.array(func() error {
		label, fits, err := p.text(annotationsLimit)
		if err != nil {
			return err
		}
		keep()
		last, some = label, fits
		s.Cut = s.Cut || !fits
		return nil
	})
	if some {
		s.Labels = append(s.Labels, last)
	}
	return err
}
