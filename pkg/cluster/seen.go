// SPDX-License-Identifier: Apache-2.0

package cluster

// seenBits is how many numbers below the highest one are remembered. An exec can arrive after that many later ones
// only if it was held back for labels on a node that runs ten thousand execs a second.
const seenBits = 1 << 16

// seen remembers which execs of a node have arrived, by their sequence numbers in a log. It filters out those that
// arrive again after a connection broke.
type seen struct {
	log   uint64
	began bool
	next  uint64 // the highest number seen, plus 1
	bits  []uint64
}

// add records an exec. It returns false if the exec has been seen, or if its number is so low that it must have
// been.
func (s *seen) add(log, number uint64) bool {
	if !s.began || log != s.log {
		// Another log: the programs were loaded again, or the node was rebooted.
		*s = seen{log: log, began: true, next: number, bits: s.bits}
		clear(s.bits)
	}
	if s.bits == nil {
		s.bits = make([]uint64, seenBits/64)
	}
	if number >= s.next {
		if number-s.next >= seenBits {
			clear(s.bits)
		} else {
			for n := s.next; n < number; n++ {
				s.bits[n%seenBits/64] &^= 1 << (n % 64)
			}
		}
		s.next = number + 1
		s.bits[number%seenBits/64] |= 1 << (number % 64)
		return true
	}
	if s.next-number > seenBits {
		return false
	}
	word, bit := &s.bits[number%seenBits/64], uint64(1)<<(number%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
