// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loggingNode has a log of execs, and prints it as tracectl does.
type loggingNode struct {
	ahead time.Duration // by which its clock is ahead
	dial  time.Duration // time that connecting takes

	mu     sync.Mutex
	log    uint64
	times  []time.Time // of execs, by its own clock
	cut    chan struct{}
	refuse error
	ran    []string // arguments of each run
}

func newLoggingNode() *loggingNode { return &loggingNode{log: 1, cut: make(chan struct{})} }

// exec logs an exec.
func (n *loggingNode) exec() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.times = append(n.times, time.Now().Add(n.ahead))
}

// disconnect breaks connections, and refuses new ones until it is called with nil.
func (n *loggingNode) disconnect(refuse error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.cut)
	n.cut, n.refuse = make(chan struct{}), refuse
}

func (n *loggingNode) run(ctx context.Context, args []string, stdout, _ io.Writer) error {
	time.Sleep(n.dial)
	since, _ := time.ParseDuration(args[0])
	heartbeat, _ := time.ParseDuration(args[1])
	n.mu.Lock()
	n.ran = append(n.ran, strings.Join(args, " "))
	log, cut, refuse := n.log, n.cut, n.refuse
	next := len(n.times)
	if since > 0 {
		from := time.Now().Add(n.ahead - since)
		next = slices.IndexFunc(n.times, func(t time.Time) bool { return !t.Before(from) })
		if next < 0 {
			next = len(n.times)
		}
	}
	n.mu.Unlock()
	if refuse != nil {
		return refuse
	}
	var beat time.Time
	for {
		if time.Since(beat) >= heartbeat {
			beat = time.Now()
			if _, err := fmt.Fprintf(stdout, `{"heartbeat":%q}`+"\n", beat.Add(n.ahead).Format(time.RFC3339Nano)); err != nil {
				return err
			}
		}
		n.mu.Lock()
		if n.log != log {
			n.mu.Unlock()
			return &ExitError{Code: 3}
		}
		at := n.times[next:]
		n.mu.Unlock()
		for _, t := range at {
			if _, err := fmt.Fprintf(stdout, `{"time":%q,"log":%d,"sequence":%d}`+"\n", t.Format(time.RFC3339Nano),
				log, next); err != nil {
				return err
			}
			next++
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-cut:
			return errors.New("connection reset")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow follows nodes. It returns a function that ends following, and returns the output and the error.
func follow(t *testing.T, c *Cluster, since time.Duration, find func() []Node) func() ([]string, error) {
	ctx, cancel := context.WithCancel(t.Context())
	var out []string
	done := make(chan error, 1)
	go func() {
		done <- c.Follow(ctx, Following{
			Since: since,
			Args:  func(since, heartbeat time.Duration) []string { return []string{since.String(), heartbeat.String()} },
			Text: func(node string, event Object) ([]byte, error) {
				h := event.head()
				if h.Sequence == nil {
					return nil, ErrLine
				}
				return fmt.Appendf(nil, "%s %d.%d\n", node, h.Log, *h.Sequence), nil
			},
			Write: func(text []byte) error {
				for line := range strings.Lines(string(text)) {
					out = append(out, strings.TrimSpace(line))
				}
				return nil
			},
			Find: func(context.Context) ([]Node, error) {
				if find == nil {
					return c.Nodes, nil
				}
				return find(), nil
			},
		})
	}()
	return func() ([]string, error) {
		time.Sleep(time.Second)
		cancel()
		err := <-done
		return out, err
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLoggingNode(), newLoggingNode()
		a.exec() // before following: not requested
		time.Sleep(time.Millisecond)
		var people recorder
		c := people.cluster(fakes{"a": a.run, "b": b.run, "dead": dead})
		end := follow(t, c, 0, nil)
		time.Sleep(time.Second)
		for range 3 {
			a.exec()
			time.Sleep(10 * time.Millisecond)
			b.exec()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(20 * time.Second)
		got, err := end()
		if diff := cmp.Diff([]string{"a 1.1", "b 1.0", "a 1.2", "b 1.1", "a 1.3", "b 1.2"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if want := "1 of 3 nodes did not answer: dead: no answer within 15s"; text(err) != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
		if diff := cmp.Diff([]string{"1 of 3 nodes cannot be followed; trying again: dead: no answer within 15s"},
			people.sorted()); diff != "" {
			t.Errorf("notes (-want +got):\n%s", diff)
		}
		if !slices.Contains(people.progress, "2/3") || people.progress[0] != "0/3" {
			t.Errorf("progress: %v", people.progress)
		}
	})
}

// TestFollowBrokenAgain breaks a connection after its first heartbeat, before it can fetch the events that were logged
// during the outage before it.
func TestFollowBrokenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLoggingNode()
		runs := 0
		var people recorder
		end := follow(t, people.cluster(fakes{"a": func(ctx context.Context, args []string, out, err io.Writer) error {
			if runs++; runs == 2 {
				time.Sleep(2 * time.Minute)
				fmt.Fprintf(out, "{\"heartbeat\":%q}\n", time.Now().Format(time.RFC3339Nano))
				return errors.New("connection reset")
			}
			return a.run(ctx, args, out, err)
		}}), 0, nil)
		time.Sleep(10 * time.Second)
		a.disconnect(nil)
		a.exec()
		time.Sleep(5 * time.Minute)
		got, err := end()
		if diff := cmp.Diff([]string{"a 1.0"}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// TestFollowReconnects breaks connections at random while execs are logged, with clocks that disagree: each exec is
// printed once.
func TestFollowReconnects(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			since := time.Duration(seed%2) * time.Minute
			var people recorder
			nodes, logs := fakes{}, map[string]*loggingNode{}
			for i, ahead := range []time.Duration{0, time.Hour, -time.Hour, 90 * time.Second} {
				n := newLoggingNode()
				n.ahead, n.dial = ahead, time.Duration(random.IntN(3000))*time.Millisecond
				name := fmt.Sprint("n", i)
				nodes[name], logs[name] = n.run, n
			}
			names := []string{"n0", "n1", "n2", "n3"}
			for range 100 { // for two minutes; the second half is within the last minute
				logs[names[random.IntN(4)]].exec()
				time.Sleep(1201 * time.Millisecond)
			}
			early := map[string]int{}
			if since == 0 {
				for name, n := range logs {
					early[name] = len(n.times)
				}
			} else {
				for name, n := range logs {
					early[name] = slices.IndexFunc(n.times, func(at time.Time) bool {
						return time.Now().Add(n.ahead).Sub(at) <= time.Minute
					})
				}
			}
			end := follow(t, people.cluster(nodes), since, nil)
			time.Sleep(3100 * time.Millisecond) // by then all are connected
			for range 600 {
				n := logs[names[random.IntN(4)]]
				switch random.IntN(40) {
				case 0:
					n.disconnect(nil)
				case 1:
					n.disconnect(errors.New("connection refused"))
					time.AfterFunc(time.Duration(random.IntN(40))*time.Second, func() { n.disconnect(nil) })
				default:
					n.exec()
				}
				time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
			}
			time.Sleep(2 * time.Minute)
			got, err := end()
			if err != nil {
				t.Error(err)
			}
			printed := map[string]int{}
			for _, line := range got {
				if printed[line]++; printed[line] > 1 {
					t.Errorf("seed %d: %s is printed again", seed, line)
				}
			}
			reconnected := 0
			for name, n := range logs {
				reconnected += len(n.ran) - 1
				for i := range n.times {
					line := fmt.Sprintf("%s 1.%d", name, i)
					if early[name] >= 0 && (printed[line] == 1) != (i >= early[name]) {
						t.Errorf("seed %d: %s was printed %d times; the first that was asked for is %d", seed, line, printed[line], early[name])
					}
					if early[name] < 0 && printed[line] == 0 && printed[fmt.Sprintf("%s 1.%d", name, i-1)] == 1 {
						t.Errorf("seed %d: %s is missing", seed, line)
					}
				}
			}
			if reconnected < 4 {
				t.Errorf("seed %d: only %d connections broke", seed, reconnected)
			}
		})
	}
}

// TestFollowNewLog reboots a node: its sequence numbers start again.
func TestFollowNewLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLoggingNode()
		var people recorder
		end := follow(t, people.cluster(fakes{"n": n.run}), 0, nil)
		time.Sleep(time.Second)
		n.exec()
		n.exec()
		time.Sleep(time.Second)
		n.mu.Lock()
		n.log, n.times = 2, nil
		n.mu.Unlock()
		n.exec()
		time.Sleep(10 * time.Second)
		n.exec()
		got, err := end()
		if diff := cmp.Diff([]string{"n 1.0", "n 1.1", "n 2.0", "n 2.1"}, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}

// TestFollowNodesChange has a node join, the agent of another one be replaced, and a third one leave.
func TestFollowNodesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, replaced, late, leaving := newLoggingNode(), newLoggingNode(), newLoggingNode(), newLoggingNode()
		var people recorder
		pods := fakes{"steady": steady.run, "replaced": replaced.run, "late": late.run, "leaving": leaving.run}
		c := people.cluster(pods)
		all := c.Nodes
		node := func(name string) Node { return all[slices.IndexFunc(all, func(n Node) bool { return n.Name == name })] }
		c.Nodes = []Node{node("replaced"), node("steady"), node("leaving")}
		var mu sync.Mutex
		listed := c.Nodes
		list := func(nodes ...Node) { mu.Lock(); listed = nodes; mu.Unlock() }
		end := follow(t, c, 0, func() []Node { mu.Lock(); defer mu.Unlock(); return listed })
		time.Sleep(time.Second)
		for _, n := range []*loggingNode{steady, replaced, leaving} {
			n.exec()
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)

		deleted := node("replaced")
		deleted.Problem = "its agent agent-replaced is being deleted"
		list(deleted, node("steady"))
		replaced.disconnect(errors.New("pods not found"))
		leaving.disconnect(errors.New("pods not found"))
		replaced.exec() // while it has no agent
		time.Sleep(10 * time.Second)
		late.exec() // before the node is found
		time.Sleep(10 * time.Second)
		list(node("late"), node("replaced"), node("steady"))
		replaced.mu.Lock()
		replaced.refuse = nil
		replaced.mu.Unlock()
		time.Sleep(2 * time.Minute)
		late.exec()
		time.Sleep(11 * time.Minute) // until leaving is dropped
		got, err := end()
		if err != nil {
			t.Error(err)
		}
		want := []string{"steady 1.0", "replaced 1.0", "leaving 1.0", "replaced 1.1", "late 1.0", "late 1.1"}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		for _, want := range []string{"agent-replaced is being deleted", "leaving: its agent is gone",
			"followed again: replaced"} {
			if !slices.ContainsFunc(people.notes, func(note string) bool { return strings.Contains(note, want) }) {
				t.Errorf("no note says %q: %q", want, people.notes)
			}
		}
	})
}

func TestFollowHostileNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		good := newLoggingNode()
		hostile := func(ctx context.Context, args []string, stdout, stderr io.Writer) error {
			fmt.Fprintf(stdout, "{\"heartbeat\":\"9999-01-01T00:00:00Z\"}\n\x1b[2J\n%s\n", strings.Repeat("x", longestLine+1))
			for i := range 100 {
				fmt.Fprintf(stdout, `{"node":"good","time":"9999-01-01T00:00:01Z","log":1,"sequence":%d}`+"\n", i)
				fmt.Fprintf(stderr, "tracectl: \x1b]0;%d\a\n", i)
			}
			return dead(ctx, args, stdout, stderr)
		}
		var people recorder
		end := follow(t, people.cluster(fakes{"good": good.run, "hostile": hostile}), 0, nil)
		time.Sleep(time.Second)
		good.exec()
		time.Sleep(time.Second)
		got, err := end()
		if i := slices.Index(got, "good 1.0"); i < 0 || len(got) != 101 {
			t.Errorf("%d lines are printed, and %d is the good node's", len(got), i)
		}
		want := "1 of 2 nodes did not answer in full: hostile: left out 1 line: longer than 1048576 bytes; left out 1 line: not tracectl's output"
		if text(err) != want {
			t.Errorf("the error is %v, want %s", err, want)
		}
		if len(people.notes) > mostChat+1 {
			t.Errorf("%d notes of one node within a minute", len(people.notes))
		}
		for _, note := range people.notes {
			if strings.ContainsAny(note, "\x1b\a\n") {
				t.Errorf("a note is not safe: %q", note)
			}
		}
	})
}

// TestFollowEndsWithItsReader closes stdout.
func TestFollowEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newLoggingNode()
		var people recorder
		closed := errors.New("closed")
		time.AfterFunc(time.Second, n.exec)
		err := people.cluster(fakes{"n": n.run}).Follow(t.Context(), Following{
			Args:  func(since, heartbeat time.Duration) []string { return []string{since.String(), heartbeat.String()} },
			Text:  func(string, Object) ([]byte, error) { return []byte("x\n"), nil },
			Write: func([]byte) error { return closed },
			Find:  func(context.Context) ([]Node, error) { return nil, errors.New("not now") },
		})
		if !errors.Is(err, closed) {
			t.Errorf("the error is %v", err)
		}
	})
}
