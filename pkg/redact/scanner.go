// SPDX-License-Identifier: Apache-2.0

package redact

// literal is a text in lower case, and the pattern that needs it.
type literal struct {
	text    string
	pattern int
}

// scanner finds literals in one pass, whatever their case: an automaton of Aho and Corasick, as a table of its next
// states. Bytes that are in no literal are one class. A state is the index of its first entry in the table.
type scanner struct {
	classes [256]uint8
	width   int      // number of classes
	next    []uint16 // by state and class
	accepts uint16   // states from here on have found something
	found   []uint64 // patterns that these have found, a bit each
}

// node is a state while the automaton is made.
type node struct {
	next     []int // by class; 0: none
	fallback int   // the longest end of what was read that is the beginning of another literal
	found    uint64
	state    uint16
}

// newScanner returns false if the literals are too many.
func newScanner(literals []literal) (*scanner, bool) {
	s := &scanner{width: 1}
	for _, l := range literals {
		for i := range len(l.text) {
			if b := l.text[i]; s.classes[b] == 0 {
				s.classes[b] = uint8(s.width)
				s.width++
			}
		}
	}
	for b := 'A'; b <= 'Z'; b++ {
		s.classes[b] = s.classes[b+'a'-'A']
	}
	nodes := s.tree(literals)
	if len(nodes)*s.width > 1<<16 {
		return nil, false
	}
	s.join(nodes)
	s.number(nodes)
	return s, true
}

// tree has a path of nodes for each literal.
func (s *scanner) tree(literals []literal) []*node {
	nodes := []*node{{next: make([]int, s.width)}}
	for _, l := range literals {
		at := nodes[0]
		for i := range len(l.text) {
			class := s.classes[l.text[i]]
			if at.next[class] == 0 {
				at.next[class] = len(nodes)
				nodes = append(nodes, &node{next: make([]int, s.width)})
			}
			at = nodes[at.next[class]]
		}
		at.found |= 1 << l.pattern
	}
	return nodes
}

// join adds the edges of each node's fallback, in the order of their depth.
func (s *scanner) join(nodes []*node) {
	for queue := []int{0}; len(queue) > 0; queue = queue[1:] {
		at := nodes[queue[0]]
		root := queue[0] == 0
		for class, to := range at.next {
			if to != 0 {
				if !root {
					nodes[to].fallback = nodes[at.fallback].next[class]
				}
				nodes[to].found |= nodes[nodes[to].fallback].found
				queue = append(queue, to)
			} else if !root {
				at.next[class] = nodes[at.fallback].next[class]
			}
		}
	}
}

// number makes the table. States that have found something come last.
func (s *scanner) number(nodes []*node) {
	var order []*node
	for _, found := range []bool{false, true} {
		if found {
			s.accepts = uint16(len(order) * s.width)
		}
		for _, n := range nodes {
			if n.found != 0 == found {
				n.state = uint16(len(order) * s.width)
				order = append(order, n)
				if found {
					s.found = append(s.found, n.found)
				}
			}
		}
	}
	for _, n := range order {
		for _, to := range n.next {
			s.next = append(s.next, nodes[to].state)
		}
	}
}

// find returns the patterns of which a literal is in data.
func (s *scanner) find(data []byte) (found uint64) {
	classes, next, accepts, state := &s.classes, s.next, s.accepts, uint16(0)
	for _, b := range data {
		state = next[state+uint16(classes[b])]
		if state >= accepts {
			found |= s.found[int(state-s.accepts)/s.width]
		}
	}
	return found
}
