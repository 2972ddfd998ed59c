// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/runc-trace/runc-trace/test/machine"
)

// nodeCount is the number of nodes.
const nodeCount = 2

// environment is the cluster that all tests share: a machine for the control plane, and one for each node.
type environment struct {
	authority *authority
	control   *machine.Machine
	nodes     []*machine.Machine
	registry  *http.Server
	files     []*os.File // logs
	died      chan error // errors of programs that ended before the cluster

	imageLoaded, deployed bool // see deploy
}

var (
	environmentMade *environment
	// makeEnvironment makes the cluster once.
	makeEnvironment = sync.OnceValues(func() (*environment, error) {
		environmentMade = &environment{died: make(chan error, 1)}
		return environmentMade, environmentMade.make()
	})
)

// end ends the cluster, if it was made, in any state.
func end() error {
	if environmentMade == nil {
		return nil
	}
	e := environmentMade
	var problems []error
	if e.registry != nil {
		problems = append(problems, e.registry.Close())
	}
	for _, m := range append(e.nodes, e.control) {
		if m != nil {
			problems = append(problems, m.Close())
		}
	}
	for _, file := range e.files {
		file.Close()
	}
	return errors.Join(problems...)
}

// make starts the cluster and waits until all nodes are ready.
func (e *environment) make() error {
	var err error
	if e.authority, err = newAuthority(filepath.Join(scratch, "credentials")); err != nil {
		return err
	}
	if err := credentials(e.authority); err != nil {
		return err
	}
	if e.control, err = machine.New(scratch, machine.Layout{Name: "control"}); err != nil {
		return err
	}
	for i := range nodeCount {
		l, err := nodeLayout(i)
		if err != nil {
			return err
		}
		m, err := machine.New(scratch, l)
		if err != nil {
			return err
		}
		e.nodes = append(e.nodes, m)
	}
	if err := connect(e.control, e.nodes); err != nil {
		return err
	}
	if e.registry, err = serveImages(e.control); err != nil {
		return err
	}
	if err := e.startControls(firstControls(e.authority)); err != nil {
		return err
	}
	for i := range e.nodes {
		if err := e.prepareNode(i); err != nil {
			return fmt.Errorf("preparing %s: %w", nodeName(i), err)
		}
	}
	if err := e.wait("the API server is ready", func() (string, bool) {
		said := e.kubectl("get", "--raw=/readyz")
		return said, said == "ok"
	}); err != nil {
		return err
	}
	if err := e.startControls(otherControls(e.authority)); err != nil {
		return err
	}
	for i := range e.nodes {
		if err := e.startKubelet(i); err != nil {
			return err
		}
	}
	want := strings.TrimSpace(strings.Repeat("True ", nodeCount)) + " default"
	return e.wait("all nodes are ready, and pods may be made", func() (string, bool) {
		said := e.kubectl("get", "nodes", `-o=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`)
		said += " " + e.kubectl("get", "serviceaccounts", "--namespace=default", "-o=jsonpath={.items[*].metadata.name}")
		return said, said == want
	})
}

// start starts a program that runs as long as its machine. Its output is kept in a log.
func (e *environment) start(m *machine.Machine, name string, args ...string) error {
	file, err := os.Create(filepath.Join(logs, name+".log"))
	if err != nil {
		return err
	}
	e.files = append(e.files, file)
	c := m.Command(args...)
	c.Stdout, c.Stderr = file, file
	p, err := m.Start(c)
	if err != nil {
		return err
	}
	go func() {
		_, _ = p.Wait(math.MaxInt64)
		select {
		case e.died <- fmt.Errorf("%s has ended: see %s", name, file.Name()):
		default: // another program ended before
		}
	}()
	return nil
}

func (e *environment) startControls(all []control) error {
	for _, c := range all {
		if err := e.start(e.control, c.name, c.args...); err != nil {
			return err
		}
	}
	return nil
}

// user returns the command line of a user's command. It runs on the control plane's machine, which is not a node.
func (e *environment) user(args ...string) []string {
	return append([]string{"env", "KUBECONFIG=" + e.authority.file("admin.kubeconfig"),
		"PATH=" + programs + ":" + kubernetesBin + ":/usr/sbin:/usr/bin:/sbin:/bin"}, args...)
}

// kubectl returns all output of a kubectl, with surrounding space trimmed.
func (e *environment) kubectl(args ...string) string {
	o, err := e.control.Run(e.user(append([]string{"kubectl"}, args...)...)...)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(o.Stdout + o.Stderr)
}

// wait waits up to three minutes until so returns true. The error has the last found.
func (e *environment) wait(what string, so func() (found string, ok bool)) error {
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		found, ok := so()
		if ok {
			return nil
		}
		select {
		case err := <-e.died:
			e.died <- err
			return fmt.Errorf("waiting for this: %s: %w", what, err)
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited three minutes for this in vain: %s: %s\nsee %s", what, found, logs)
		}
	}
}

// program returns the path of a program of Kubernetes.
func program(name string) string { return filepath.Join(kubernetesBin, name) }
