// SPDX-License-Identifier: Apache-2.0

package cluster

import "bytes"

// longestLine is the limit of a node's line, in bytes. tracectl's own lines are much shorter.
const longestLine = 1 << 20

// splitter splits a node's output into lines. A line that is too long is left out.
type splitter struct {
	longest int
	handle  func(line []byte) error // without its newline; valid only during the call
	tooLong int                     // number of lines left out

	part    []byte // beginning of a line
	leaving bool   // skip the rest of a line
}

func (s *splitter) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if s.leaving {
			s.leaving = !whole
			continue
		}
		if len(s.part)+len(line) > s.longest {
			s.tooLong++
			s.part, s.leaving = nil, !whole
			continue
		}
		if !whole {
			s.part = append(s.part, line...)
			break
		}
		if len(s.part) > 0 {
			s.part = append(s.part, line...)
			line = s.part
		}
		err := s.handle(line)
		if s.part = s.part[:0]; cap(s.part) > 64<<10 {
			s.part = nil
		}
		if err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// end handles a last line that has no newline.
func (s *splitter) end() error {
	if len(s.part) == 0 {
		return nil
	}
	line := s.part
	s.part = nil
	return s.handle(line)
}
