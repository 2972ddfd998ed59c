// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNothingIsMissed starts containers as fast as possible. Each one's first exec must have its identity, and each
// recording must begin within runc's init and end with the program's end. RUNC_TRACE_SOAK=1 raises the number of
// containers from 200 to 1,000.
func TestNothingIsMissed(t *testing.T) {
	count, flags := 200, []string{"--recordings=256", "--identities=512"}
	if os.Getenv("RUNC_TRACE_SOAK") == "1" {
		count, flags = 1000, []string{"--recordings=1024", "--identities=2048", "--ring-size=128KiB", "--runtime-size=64KiB"}
	}
	x := load(t, flags...)

	inParallel(20, count, func(n int) {
		b := podOf(n)
		if o := x.runContainer(b); o != (outcome{}) {
			t.Errorf("%s: %+v", b.id, o)
		}
	})

	execs := map[string][]execJSON{}
	for _, e := range x.execs() {
		execs[e.ContainerID] = append(execs[e.ContainerID], e)
	}
	recordings := map[string]recordingJSON{}
	for _, r := range x.recordings() {
		recordings[r.ContainerID] = r
	}
	if len(execs) != count || len(recordings) != count {
		t.Errorf("of %d containers, %d have an exec and %d a recording", count, len(execs), len(recordings))
	}
	var mutex sync.Mutex
	missing, nameless, headless, endless := 0, 0, 0, 0
	inParallel(2, count, func(n int) {
		b := podOf(n)
		calls := x.calls(b.id)
		want := identityOf(n)
		mutex.Lock()
		defer mutex.Unlock()
		own := execs[b.id]
		if len(own) == 0 {
			missing++
			return
		}
		got := execJSON{Identity: own[0].Identity, Comm: own[0].Comm, Ret: own[0].Ret, Path: own[0].Path, Args: own[0].Args}
		first := execJSON{Identity: want, Comm: "true", Path: "/bin/true", Args: []string{"/bin/true"}}
		if diff := cmp.Diff(first, got); diff != "" || len(own) != 1 {
			nameless++
			t.Errorf("%s: %d execs, and the first one is not the program's (-want +got):\n%s", b.id, len(own), diff)
		}
		r := recordings[b.id]
		if diff := cmp.Diff(want, r.Identity); diff != "" {
			t.Errorf("%s: whose recording (-want +got):\n%s", b.id, diff)
		}
		if r.State != "exited" || r.ExitCode == nil || *r.ExitCode != 0 || r.Overwritten != 0 ||
			r.Lost != 0 || r.Ended == nil {
			t.Errorf("%s: recording %+v", b.id, r)
		}
		if !beginsInRuncInit(calls) {
			headless++
			return
		}
		last := calls[len(calls)-1]
		if last.Syscall != "exit_group" || last.Comm != "true" || last.ExitCode == nil || *last.ExitCode != 0 {
			endless++
			t.Errorf("%s: the last call is %+v", b.id, last)
		}
	})
	if missing+nameless+headless+endless != 0 {
		t.Errorf("of %d containers, %d have no exec, %d a first one that is not theirs, %d a recording that does not begin within runc init, %d one that does not end with exit_group",
			count, missing, nameless, headless, endless)
	}
	for reason, n := range x.status().Dropped {
		if n != 0 {
			t.Errorf("dropped: %d %s", n, reason)
		}
	}
}

// beginsInRuncInit reports whether the first call is of runc init itself, before it makes the first process within the
// container. At that point it is named runc:[0:PARENT]; see nsexec.c in runc's libcontainer.
func beginsInRuncInit(calls []callJSON) bool {
	return slices.ContainsFunc(calls, func(c callJSON) bool {
		return c.PID == calls[0].PID && c.Comm == "runc:[0:PARENT]" && (c.Syscall == "clone" || c.Syscall == "clone3")
	})
}

// inParallel calls do with 0 to count-1, at most atOnce at a time. A call that fails the test does not stop the others.
func inParallel(atOnce, count int, do func(int)) {
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for n := range count {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			do(n)
		})
	}
	all.Wait()
}

// podOf describes a separate pod for each number.
func podOf(n int) bundle {
	want := identityOf(n)
	return bundle{
		id:   want.ContainerID,
		args: []string{"/bin/true"},
		annotations: map[string]string{
			"io.kubernetes.cri.container-type":    "container",
			"io.kubernetes.cri.container-name":    want.Container,
			"io.kubernetes.cri.image-name":        want.Image,
			"io.kubernetes.cri.sandbox-id":        want.SandboxID,
			"io.kubernetes.cri.sandbox-name":      want.Pod,
			"io.kubernetes.cri.sandbox-namespace": want.Namespace,
			"io.kubernetes.cri.sandbox-uid":       want.PodUID,
			"runc-trace.label/number":             want.Labels["number"],
		},
	}
}

func identityOf(n int) Identity {
	return Identity{
		Namespace:   fmt.Sprintf("namespace-%d", n%7),
		Pod:         fmt.Sprintf("pod-%d", n),
		PodUID:      fmt.Sprintf("5f0b8c1e-0000-4000-8000-%012x", n),
		Container:   fmt.Sprintf("container-%d", n%3),
		ContainerID: fmt.Sprintf("%064x", 0xabc000+n),
		SandboxID:   fmt.Sprintf("%064x", 0xdef000+n),
		Image:       fmt.Sprintf("docker.io/library/image-%d:latest", n%5),
		Engine:      "containerd",
		Labels:      map[string]string{"number": fmt.Sprint(n)},
	}
}
