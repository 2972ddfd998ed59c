// SPDX-License-Identifier: Apache-2.0

package straceback

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Survey tells what a recording holds.
type Survey struct {
	Calls *Calls // without its Records
	Kept  int    // number of the Records
	Err   error  // as that of Recording.Read; the others are unset
}

// Surveys surveys recordings, as many at once as there are CPUs. It takes less time than reading them, and the memory
// of those that are read at once.
func Surveys(list []*Recording) []Survey {
	all := make([]Survey, len(list))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			var reader *Reader
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				all[i], reader = list[i].survey(reader)
			}
		})
	}
	readers.Wait()
	return all
}

// survey surveys a recording in the memory of another reader, and returns the one that has the memory then.
func (r *Recording) survey(other *Reader) (Survey, *Reader) {
	if r.Archived != nil {
		return r.Archived.Survey, other
	}
	reader, err := r.NewReader()
	if err != nil {
		return Survey{Err: err}, other
	}
	reader.reuse(other)
	calls, err := reader.poll(true, nil)
	if err != nil {
		return Survey{Err: err}, reader
	}
	kept := len(calls.Records)
	calls.Records = nil
	return Survey{Calls: calls, Kept: kept}, reader
}
