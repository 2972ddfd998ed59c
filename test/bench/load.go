// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// benchLoad measures how long `tracectl load` of each build takes.
func benchLoad(rounds int, old string) (err error) {
	if rounds == 0 {
		rounds = 10
	}
	builds := recorders(old)
	defer func() {
		for _, r := range builds {
			err = errors.Join(err, r.stop())
		}
	}()
	took := make([][]float64, len(builds))
	for range rounds {
		for i, r := range builds {
			start := time.Now()
			if err := r.load(); err != nil {
				return err
			}
			took[i] = append(took[i], float64(time.Since(start).Milliseconds()))
			if err := r.stop(); err != nil {
				return err
			}
			r.dir = ""
		}
	}
	fmt.Printf("Milliseconds of `tracectl load`, %d rounds.\n\n| | least | median |\n|---|---|---|\n", rounds)
	for i, r := range builds {
		fmt.Printf("| %s | %.0f | %.0f |\n", r.name, slices.Min(took[i]), median(slices.Clone(took[i])))
	}
	return nil
}
