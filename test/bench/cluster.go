// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// followFor is how long following is measured after all nodes are connected.
const (
	followFor  = 20 * time.Second
	recordings = 256 // of each node, in a list
)

var clusterCases = []struct {
	verb        string
	nodes, rate int // events per second of each node
	form        string
}{
	{"follow", 100, 100, "text"},
	{"follow", 1000, 10, "text"},
	{"follow", 5000, 2, "text"},
	{"follow", 5000, 2, "json"},
	{"list", 100, 0, "json"},
	{"list", 1000, 0, "json"},
	{"list", 5000, 0, "json"},
}

// clusterResult holds the measurements of one case on the merging side.
type clusterResult struct {
	Connected  float64 // seconds until all nodes were connected
	Lines      int
	Wall, CPU  float64 // seconds of following, after all were connected
	RSS        float64 // maximum, in MiB
	Latency    float64 // seconds from an event to its output: median
	Latency99  float64 // 99th percentile
	LatencyMax float64 // maximum
	Disorder   int     // events printed after later ones
}

// benchCluster measures reading from a cluster. Another process simulates the API server with pods and WebSockets over
// TLS.
func benchCluster(int, string) error {
	fmt.Printf("| | nodes | events/s | until connected, s | lines | CPU a line, us | CPU in all, s | memory, MiB | event to print, ms: median | 99%% | most | out of order |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, c := range clusterCases {
		r, err := runClusterCase(c.verb, c.form, c.nodes, c.rate)
		if err != nil {
			return fmt.Errorf("%s of %d nodes: %w", c.verb, c.nodes, err)
		}
		fmt.Printf("| %s, %s | %d | %d | %.1f | %d | %.1f | %.1f | %.0f |", c.verb, c.form, c.nodes,
			c.nodes*c.rate, r.Connected, r.Lines,
			r.CPU/float64(max(r.Lines, 1))*1e6, r.CPU, r.RSS)
		if c.verb == "follow" {
			fmt.Printf(" %.0f | %.0f | %.0f | %d |\n", r.Latency*1e3, r.Latency99*1e3, r.LatencyMax*1e3, r.Disorder)
		} else {
			fmt.Printf(" | | | |\n")
		}
	}
	return nil
}

// runClusterCase runs each side in a separate process.
func runClusterCase(verb, form string, nodes, rate int) (clusterResult, error) {
	var r clusterResult
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	server := exec.Command(self, "cluster-server", strconv.Itoa(nodes), strconv.Itoa(rate))
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // the server ends when this is closed
	if err != nil {
		return r, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := server.Start(); err != nil {
		return r, err
	}
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		client := exec.Command(self, "cluster-client", verb, form, strings.TrimSpace(url))
		client.Stderr = os.Stderr
		var out []byte
		if out, err = client.Output(); err == nil {
			err = json.Unmarshal(out, &r)
		}
	}
	stdin.Close()
	return r, errors.Join(err, server.Wait())
}

// workCluster runs one of the two sides.
func workCluster(side string, args []string) error {
	if side == "cluster-client" && len(args) == 3 {
		return clusterClient(args[0], args[1], args[2])
	}
	if side == "cluster-server" && len(args) == 2 {
		nodes, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		rate, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return clusterServer(nodes, rate)
	}
	return fmt.Errorf("%s takes other arguments", side)
}

// clusterClient is the measured side.
func clusterClient(verb, form, url string) error {
	remote, err := cluster.NewRemote(&rest.Config{Host: url, TLSClientConfig: rest.TLSClientConfig{Insecure: true}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	start := time.Now()
	nodes, err := remote.Nodes(ctx, cluster.DefaultNamespace)
	if err != nil {
		return err
	}
	var r clusterResult
	c := cluster.Cluster{
		Runner: remote, Nodes: nodes, Timeout: time.Minute,
		Note:     func(text string) { fmt.Fprintln(os.Stderr, text) },
		Progress: func(int, int) {},
	}
	if verb == "list" {
		before := cpu()
		err = c.Lines(ctx, []string{"straceback", "list"}, func(node string, line []byte) error {
			o, err := cluster.ParseObject(line)
			if err != nil {
				return err
			}
			r.Lines++
			_, err = io.Discard.Write(o.AppendWithNode(nil, node))
			return err
		})
		r.Connected, r.CPU = time.Since(start).Seconds(), cpu()-before
	} else {
		err = follow(ctx, cancel, &c, form, start, &r)
	}
	if err != nil {
		return err
	}
	if r.RSS, err = mostMemory(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// follow follows for the time of the measurement.
func follow(ctx context.Context, cancel context.CancelFunc, c *cluster.Cluster, form string, start time.Time,
	r *clusterResult) error {
	var measuring atomic.Bool
	var mu sync.Mutex
	var latencies []float64
	var wall time.Time
	var before float64
	c.Progress = func(done, total int) {
		if done < total || measuring.Load() {
			return
		}
		r.Connected = time.Since(start).Seconds()
		time.AfterFunc(2*time.Second, func() { // the backlog has been printed by then
			before, wall = cpu(), time.Now()
			measuring.Store(true)
			time.AfterFunc(followFor, cancel)
		})
	}
	columns := execlog.Columns{Time: timestamp.Wall, Pod: true}
	var last time.Time
	err := c.Follow(ctx, cluster.Following{
		Args: func(time.Duration, time.Duration) []string { return []string{"exec"} },
		Text: func(node string, o cluster.Object) ([]byte, error) {
			var e execlog.Event
			if form == "json" {
				return o.AppendWithNode(nil, node), nil
			}
			if err := o.Decode(&e); err != nil {
				return nil, err
			}
			return columns.AppendText(append([]byte(node), ' '), &e), nil
		},
		Write: func(text []byte) error {
			if !measuring.Load() {
				return nil
			}
			now := time.Now()
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(string(text)) {
				at, err := eventTime(form, line)
				if err != nil {
					return err
				}
				latencies = append(latencies, now.Sub(at).Seconds())
				if at.Before(last) {
					r.Disorder++
				} else {
					last = at
				}
			}
			return nil
		},
		Find: func(context.Context) ([]cluster.Node, error) { return c.Nodes, nil },
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil || len(latencies) == 0 {
		return errors.Join(err, errors.New("not all nodes were connected"))
	}
	r.Wall, r.CPU, r.Lines = time.Since(wall).Seconds(), cpu()-before, len(latencies)
	sort.Float64s(latencies)
	r.Latency, r.Latency99, r.LatencyMax = latencies[len(latencies)/2], latencies[len(latencies)*99/100],
		latencies[len(latencies)-1]
	return nil
}

// eventTime returns the time of an event from its printed line.
func eventTime(form, line string) (time.Time, error) {
	if form == "json" {
		_, rest, _ := strings.Cut(line, `"time":"`)
		text, _, _ := strings.Cut(rest, `"`)
		return time.Parse(time.RFC3339Nano, text)
	}
	_, rest, _ := strings.Cut(line, " ")
	text, _, _ := strings.Cut(rest, " ")
	return time.Parse(time.RFC3339Nano, text)
}

// cpu returns the CPU time of the process in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// mostMemory returns the peak resident memory of the process in MiB.
func mostMemory() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib float64
	_, err = fmt.Sscan(rest, &kib)
	return kib / 1024, err
}
