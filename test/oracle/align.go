// SPDX-License-Identifier: Apache-2.0

package main

import "slices"

// pair is an event of strace's log beside the same one of the recording's. One is nil if only the other log has it.
type pair struct{ strace, record *event }

// align finds the longest common sequence of two logs of a thread. Of what is left between two common events, calls of
// the same name are a pair whose results differ.
func align(strace, record []*event) []pair {
	var pairs []pair
	var missing, extra []*event
	flush := func() {
		for _, m := range missing {
			i := slices.IndexFunc(extra, func(e *event) bool { return e.call == m.call && e.signal == "" && e.end == "" })
			if m.call == "" || i < 0 {
				pairs = append(pairs, pair{strace: m})
				continue
			}
			for _, e := range extra[:i] {
				pairs = append(pairs, pair{record: e})
			}
			pairs = append(pairs, pair{m, extra[i]})
			extra = extra[i+1:]
		}
		for _, e := range extra {
			pairs = append(pairs, pair{record: e})
		}
		missing, extra = nil, nil
	}
	a, b := keys(strace), keys(record)
	i, j := 0, 0
	for _, same := range common(a, b) {
		missing, extra = strace[i:same[0]], record[j:same[1]]
		flush()
		pairs = append(pairs, pair{strace[same[0]], record[same[1]]})
		i, j = same[0]+1, same[1]+1
	}
	missing, extra = strace[i:], record[j:]
	flush()
	return pairs
}

func keys(events []*event) []string {
	all := make([]string, len(events))
	for i, e := range events {
		all[i] = e.key()
	}
	return all
}

// mostDifferences is the number of differences from which on two logs are not compared: both would be of different
// threads, and the memory that a comparison takes grows with its square.
const mostDifferences = 4000

// common returns the indices of a longest common subsequence: the algorithm of E. W. Myers, "An O(ND) Difference
// Algorithm and Its Variations", 1986.
func common(a, b []string) [][2]int {
	most := min(len(a)+len(b), mostDifferences)
	furthest := make([]int, 2*most+2) // x of the furthest path on each diagonal x-y, which are shifted by most
	var trace [][]int                 // of each round, the diagonals that it could use
	for d := 0; d <= most; d++ {
		trace = append(trace, slices.Clone(furthest[max(0, most-d-1):min(len(furthest), most+d+2)]))
		for k := -d; k <= d; k += 2 {
			x := 0
			if k == -d || k != d && furthest[most+k-1] < furthest[most+k+1] {
				x = furthest[most+k+1]
			} else {
				x = furthest[most+k-1] + 1
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			furthest[most+k] = x
			if x >= len(a) && x-k >= len(b) {
				return backtrack(trace, len(a), len(b), most)
			}
		}
	}
	return nil
}

// backtrack follows the rounds of common from the end to the beginning.
func backtrack(trace [][]int, x, y, most int) [][2]int {
	var same [][2]int
	for d := len(trace) - 1; d >= 0; d-- {
		shift := min(most, d+1)
		at := func(k int) int {
			if i := k + shift; i >= 0 && i < len(trace[d]) {
				return trace[d][i]
			}
			return -1
		}
		k := x - y
		from := k - 1
		if k == -d || k != d && at(k-1) < at(k+1) {
			from = k + 1
		}
		fromX := at(from)
		fromY := fromX - from
		if d == 0 {
			fromX, fromY = 0, 0
		}
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			same = append(same, [2]int{x, y})
		}
		x, y = fromX, fromY
	}
	slices.Reverse(same)
	return same
}
