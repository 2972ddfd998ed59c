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

// Surveys surveys recordings, as many at once as there are CPUs. It takes less time than reading them, and no more
// memory than those take that are read at once.
func Surveys(list []*Recording) []Survey {
	all := make([]Survey, len(list))
	var next atomic.Int64
	var readers sync.WaitGroup
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				all[i] = list[i].survey()
			}
		})
	}
	readers.Wait()
	return all
}

func (r *Recording) survey() (s Survey) {
	reader, err := r.NewReader()
	if err != nil {
		return Survey{Err: err}
	}
	if s.Calls, s.Err = reader.poll(true, nil); s.Err != nil {
		return Survey{Err: s.Err}
	}
	s.Kept, s.Calls.Records = len(s.Calls.Records), nil
	return s
}
