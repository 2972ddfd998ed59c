// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// patience is the time limit for a file of tests; the longest takes less than a minute alone.
const patience = 8 * time.Minute

// job is one file of a suite's tests, run with a variant.
type job struct {
	suite   *suite
	variant variant
	file    string
}

// results holds the results of jobs.
type results map[job]ending

// of merges the results of a suite's tests with a variant.
func (r results) of(s *suite, v variant) ending {
	all := ending{}
	for j, e := range r {
		if j.suite == s && j.variant == v {
			for test, how := range e {
				all[test] = how
			}
		}
	}
	return all
}

// workshop runs jobs, several at once.
type workshop struct {
	scratch string
	lanes   int
}

// run runs all jobs in order. It returns an error if a job cannot be run or exceeds its time limit.
func (w workshop) run(ctx context.Context, jobs []job) (results, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan job, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)

	ends := results{}
	var failure error
	var lock sync.Mutex
	var group sync.WaitGroup
	for lane := range w.lanes {
		group.Go(func() {
			for j := range queue {
				if ctx.Err() != nil {
					return
				}
				end, err := w.do(ctx, lane, j)
				lock.Lock()
				if err != nil {
					failure = errors.Join(failure, fmt.Errorf("%s, %s: %w", j.suite.name, j.variant.name, err))
					cancel()
				}
				ends[j] = end
				lock.Unlock()
			}
		})
	}
	group.Wait()
	if failure == nil {
		failure = ctx.Err()
	}
	return ends, failure
}

// alone runs jobs one after another.
func (w workshop) alone(ctx context.Context, jobs ...job) (results, error) {
	return workshop{scratch: w.scratch, lanes: 1}.run(ctx, jobs)
}

// do runs one job in a lane.
func (w workshop) do(ctx context.Context, lane int, j job) (ending, error) {
	script, err := here("lane.sh")
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(w.scratch, "tmp-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o1777); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%d", filepath.Base(w.scratch), lane)
	runc := filepath.Join(w.scratch, "bin")

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// Many tests expect a terminal.
	c := exec.CommandContext(ctx, "sh", script, name, j.suite.view, tmp, j.variant.program, runc,
		"script", "-qec", "bats --tap tests/integration/"+j.file+" >/tmp/tap 2>&1", "/dev/null")
	c.Dir = j.suite.directory
	c.Env = append(os.Environ(), "RUNC="+filepath.Join(runc, "runc"),
		"PATH="+j.suite.real+":"+os.Getenv("PATH"), "TMPDIR=/tmp",
		unregistered.DirEnv+"="+filepath.Join(w.scratch, "run"))
	if j.variant.configuration != "" {
		c.Env = append(c.Env, config.PathEnv+"="+j.variant.configuration)
	}
	if j.suite.crun {
		c.Env = append(c.Env, "WITHOUT_DEVICES=1")
	}
	// script(1) types a character into the terminal when its input ends, so its input is kept open.
	input, keep, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	defer keep.Close()
	c.Stdin = input
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	output, err := c.CombinedOutput()
	if ctx.Err() != nil {
		left, removeErr := exec.Command("sh", script, "--remove", name).CombinedOutput()
		return nil, errors.Join(fmt.Errorf("running %s: %w", j.file, ctx.Err()), removeErr, errors.New(string(left)))
	}
	tap, readErr := os.ReadFile(filepath.Join(tmp, "tap"))
	if readErr != nil {
		return nil, errors.Join(err, fmt.Errorf("%s has not run: %w\n%s", j.file, readErr, output))
	}
	return parse(j.file, string(tap))
}
