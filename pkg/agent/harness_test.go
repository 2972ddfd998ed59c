// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/identity"
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.New(nil))
	os.Unsetenv("KUBERNETES_SERVICE_HOST")
	pace.poll, pace.heartbeat, pace.sweep, pace.list, pace.absent, pace.grace =
		10*time.Millisecond, 20*time.Millisecond, 50*time.Millisecond, 200*time.Millisecond,
		10*time.Millisecond, 100*time.Millisecond
	os.Exit(m.Run())
}

// memory is a fake of the loaded maps: a Store and a Reader.
type memory struct {
	mu         sync.Mutex
	room       int // number of labels that fit
	labels     map[subject]bpf.Labels
	puts       map[subject]int
	identities []abi.Identity
	cgroups    map[uint64]uint32
	gone       bool
	locked     *Agent
}

func newMemory() *memory {
	return &memory{room: 1000, labels: map[subject]bpf.Labels{}, puts: map[subject]int{},
		identities: make([]abi.Identity, 64), cgroups: map[uint64]uint32{}}
}

func (m *memory) Put(source bpf.LabelSource, name string, l bpf.Labels) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := subject{source, name}
	if _, ok := m.labels[s]; !ok && len(m.labels) >= m.room {
		return fmt.Errorf("writing labels: %w", bpf.ErrFull)
	}
	now := time.Duration(boottime.Now())
	// A store writes only labels that it can encode.
	var text [abi.LabelsSize]byte
	used, truncated := identity.EncodeLabels(text[:], l.Set, nil)
	m.labels[s] = bpf.Labels{Updated: now, Name: l.Name, Image: l.Image, Set: identity.DecodeLabels(text[:used]),
		Truncated: truncated || l.Truncated}
	m.puts[s]++
	return nil
}

func (m *memory) Delete(source bpf.LabelSource, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.labels, subject{source, name})
	return nil
}

func (m *memory) Each(f func(bpf.LabelSource, string, bpf.Labels) bool) error {
	m.mu.Lock()
	all := maps.Clone(m.labels)
	m.mu.Unlock()
	for s, l := range all {
		if !f(s.source, s.name, l) {
			break
		}
	}
	return nil
}

func (m *memory) Pool() config.Pool { return config.Pool{Identities: len(m.identities)} }

func (m *memory) Containers() (map[uint64]uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.cgroups), nil
}

func (m *memory) Identity(index int) (abi.Identity, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.identities[index], m.identities[index].Generation != 0
}

// start does what the kernel does when a container is created.
func (m *memory) start(index int, c container) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := &m.identities[index]
	*i = abi.Identity{Generation: i.Generation + 2, State: abi.StateRunning}
	i.Cgroup = uint64(index)<<32 | uint64(i.Generation)
	identity.Put(i.Who.Engine[:], c.engine)
	identity.Put(i.Who.ID[:], c.id)
	identity.Put(i.Who.SandboxID[:], c.sandbox)
	identity.Put(i.Who.PodUID[:], c.pod)
	m.cgroups[i.Cgroup] = uint32(index)
}

// end does what the kernel does when a container's cgroup is removed.
func (m *memory) end(index int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.identities[index].State = abi.StateEnded
	delete(m.cgroups, m.identities[index].Cgroup)
}

// set returns a subject's labels, without the time.
func (m *memory) set(source bpf.LabelSource, name string) (bpf.Labels, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.labels[subject{source, name}]
	l.Updated = 0
	return l, ok
}

// written returns how often labels of a subject were put.
func (m *memory) written(source bpf.LabelSource, name string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.puts[subject{source, name}]
}

func (m *memory) age(source bpf.LabelSource, name string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Duration(boottime.Now())
	l, ok := m.labels[subject{source, name}]
	if !ok {
		return time.Hour
	}
	return now - l.Updated
}

// node is a host with or without loaded programs.
type node struct {
	t  *testing.T
	mu sync.Mutex
	m  *memory
}

func (n *node) load(m *memory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.m != nil {
		n.m.mu.Lock()
		n.m.gone = true
		n.m.mu.Unlock()
	}
	n.m = m
}

// running is a running agent.
type running struct {
	*Agent
	log  *logBuffer
	kill func() // ends it without cleaning up
	end  func()
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// start starts an agent. By default it has no source.
func (n *node) start(c Config) *running {
	n.t.Helper()
	nowhere := filepath.Join(n.t.TempDir(), "nowhere")
	if c.CRIEndpoints == nil {
		c.CRIEndpoints = []string{nowhere}
	}
	if c.DockerSocket == "" {
		c.DockerSocket = nowhere
	}
	c.Node = "node"
	log := &logBuffer{}
	c.Log = logrus.New()
	c.Log.SetOutput(log)
	a := New(c)
	var dead struct {
		sync.Mutex
		is bool
	}
	a.open = func(string) (*loaded, error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		m := n.m
		if m == nil {
			return nil, bpf.ErrNotLoaded
		}
		return &loaded{
			store: deadly{m, func() bool { dead.Lock(); defer dead.Unlock(); return dead.is }}, reader: m,
			lock: func() (bool, error) {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.locked == nil {
					m.locked = a
				}
				return m.locked == a, nil
			},
			stale: func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.gone },
			close: func() error {
				m.mu.Lock()
				defer m.mu.Unlock()
				if m.locked == a {
					m.locked = nil
				}
				return nil
			},
		}, nil
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	end := func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(2 * time.Minute):
			n.t.Error("the agent does not end")
		}
	}
	n.t.Cleanup(end)
	return &running{Agent: a, log: log, end: end, kill: func() {
		dead.Lock()
		dead.is = true
		dead.Unlock()
		end()
	}}
}

// deadly is a store that rejects writes of a killed agent.
type deadly struct {
	*memory
	dead func() bool
}

func (d deadly) Put(source bpf.LabelSource, name string, l bpf.Labels) error {
	if d.dead() {
		return nil
	}
	return d.memory.Put(source, name, l)
}

func (d deadly) Delete(source bpf.LabelSource, name string) error {
	if d.dead() {
		return nil
	}
	return d.memory.Delete(source, name)
}

// eventually waits until so returns true.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// swept waits for a sweep that covers all labels older than the grace period.
func (r *running) swept(t *testing.T) {
	t.Helper()
	late := time.Now().Add(pace.grace)
	eventually(t, "the grace is over", func() bool { return time.Now().After(late) })
	before := r.sweeps(t)
	eventually(t, "labels are looked through", func() bool { return r.sweeps(t) >= before+2 })
}

// sweeps returns the number of sweeps.
func (r *running) sweeps(t *testing.T) float64 {
	t.Helper()
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "runc_trace_agent_sweeps_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatal("there is no count of sweeps")
	return 0
}

// has waits until a subject's labels equal want.
func (m *memory) has(t *testing.T, source bpf.LabelSource, name string, want bpf.Labels) {
	t.Helper()
	if want.Set == nil {
		want.Set = map[string]string{}
	}
	var got bpf.Labels
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		var ok bool
		if got, ok = m.set(source, name); ok && cmp.Equal(want, got) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("labels of %v %q (-want +got):\n%s", source, name, cmp.Diff(want, got))
		}
	}
}

// lacks waits until nothing is known about a subject.
func (m *memory) lacks(t *testing.T, source bpf.LabelSource, name string) {
	t.Helper()
	eventually(t, fmt.Sprintf("nothing is known of %v %q", source, name), func() bool {
		_, ok := m.set(source, name)
		return !ok
	})
}
