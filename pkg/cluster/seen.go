// SPDX-License-Identifier: Apache-2.0

package cluster

// seenBits is how many numbers below the highest one are told apart. An exec comes later than so many that were logged after
// it only where its container's labels were waited for, on a node that runs ten thousand a second.
const seenBits = 1 << 16

// seen knows which execs of a node have come, so that those are left out that come again after its connection broke: execs are
// numbered, in each log.
type seen struct {
	log   uint64
	began bool
	next  uint64 // number behind the highest one that came
	bits  []uint64
}

// add notes that an exec has come. It returns false where it had come before, or has a number so low that it must have.
func (s *seen) add(log, number uint64) bool {
	if !s.began || log != s.log {
		// Another log: the programs were loaded again, or the node has booted.
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
