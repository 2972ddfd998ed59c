// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var epoch = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// event returns a line of JSON for an exec that was logged ms milliseconds after the epoch.
func event(ms int, number uint64) string {
	return fmt.Sprintf(`{"time":%q,"log":1,"sequence":%d}`+"\n",
		epoch.Add(time.Duration(ms)*time.Millisecond).Format(time.RFC3339Nano), number)
}

func TestSorted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var people recorder
		nodes := fakes{
			"a":    says(event(10, 0)+event(30, 1)+event(20, 2)+event(50, 3), "", nil), // keeps its own order
			"b":    says(event(5, 0)+event(30, 1)+"nonsense\n"+event(40, 2)+event(60, 99), "", nil),
			"dead": dead,
			"half": says(event(35, 0), "", errors.New("connection reset")),
			"none": says("", "", nil),
			"slow": func(_ context.Context, _ []string, stdout, _ io.Writer) error {
				for i := range 3 {
					time.Sleep(10 * time.Second)
					io.WriteString(stdout, event(i, uint64(i)))
				}
				return nil
			},
		}
		var got []string
		err := people.cluster(nodes).Sorted(t.Context(), nil, func(node string, event Object) error {
			h := event.head()
			if *h.Sequence == 99 {
				return ErrLine
			}
			got = append(got, fmt.Sprintf("%s %d", node, h.Time.Sub(epoch).Milliseconds()))
			return nil
		})
		want := []string{"slow 0", "slow 1", "slow 2", "b 5", "a 10", "a 30", "a 20", "b 30", "half 35", "b 40", "a 50"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		wantError := "2 of 6 nodes did not answer:\n  half: connection reset\n  dead: no answer within 15s\n" +
			"1 of 6 nodes did not answer in full: b: left out 2 lines: not tracectl's output"
		if diff := cmp.Diff(wantError, text(err)); diff != "" {
			t.Errorf("failures (-want +got):\n%s", diff)
		}
	})
}

// TestSortedMuch uses the file: each node prints more than is kept in memory.
func TestSortedMuch(t *testing.T) {
	const events = 5000
	count := 40
	if testing.Short() {
		count = 5
	}
	var people recorder
	nodes := fakes{}
	for n := range count {
		nodes[fmt.Sprint("n", n)] = func(_ context.Context, _ []string, stdout, _ io.Writer) error {
			random, ms := rand.New(rand.NewPCG(uint64(n), 0)), 0
			for i := range uint64(events) {
				ms += random.IntN(100)
				line := event(ms, i)
				line = strings.TrimSuffix(line, "}\n") + `,"args":["` + strings.Repeat("x", random.IntN(200)) + `"]}` + "\n"
				for rest := line; rest != ""; {
					piece := min(len(rest), 1+random.IntN(300))
					if _, err := io.WriteString(stdout, rest[:piece]); err != nil {
						return err
					}
					rest = rest[piece:]
				}
			}
			return nil
		}
	}
	next := map[string]uint64{}
	var last time.Time
	err := people.cluster(nodes).Sorted(t.Context(), nil, func(node string, event Object) error {
		h := event.head()
		if h.Time.Before(last) || *h.Sequence != next[node] {
			return fmt.Errorf("%s of %s comes after %v, and event %d", event, node, last, next[node])
		}
		last = h.Time
		next[node]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for node := range nodes {
		if next[node] != events {
			t.Errorf("%d events of %s", next[node], node)
		}
	}
}

func TestSpoolIsBounded(t *testing.T) {
	s, err := newSpool()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	p := &part{spool: s, node: "a", size: largestSpool - 10}
	var enough *partial
	if err := p.add([]byte(`{"a":1}`)); err != nil {
		t.Error(err)
	}
	if err := p.add([]byte(`{"a":1}`)); !errors.As(err, &enough) {
		t.Errorf("more than what may be kept gives %v", err)
	}
}
