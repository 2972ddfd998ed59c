// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/archive"
)

// counts are those of the archive. They go on after the agent was started again.
type counts struct {
	mu      sync.Mutex
	now     archive.Counts
	written archive.Counts
	resumed bool
	failed  bool // to write them
}

func (c *counts) get() archive.Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *counts) add(change func(*archive.Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.now)
}

// resume goes on with the counts of an archive, once.
func (c *counts) resume(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resumed {
		return nil
	}
	c.resumed = true
	before, err := archive.ReadCounts(path)
	if err == nil {
		before.Problem = ""
		c.now, c.written = before, before
	}
	return err
}

// opened notes an attempt to open the archive, and logs a problem once.
func (c *counts) opened(err error, log *logrus.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.now.Problem
	if c.now.Problem = ""; err != nil {
		if c.now.Problem = err.Error(); c.now.Problem != before {
			log.WithError(err).Warn("could not open the archive: no recordings are saved")
		}
	}
}

// saved counts an attempt to save a recording, and logs a problem once.
func (c *counts) saved(err error, log *logrus.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.now.Problem
	if c.now.Problem = ""; err == nil {
		c.now.Saved++
		return
	}
	c.now.Failed++
	if c.now.Problem = err.Error(); c.now.Problem != before {
		log.WithError(err).Warn("could not save a recording in the archive")
	}
}

// copied counts an attempt to copy one.
func (c *counts) copied(err error, log *logrus.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.now.CopyProblem
	if c.now.CopyProblem = ""; err == nil {
		c.now.Copied++
		return
	}
	if c.now.CopyProblem = err.Error(); before == "" {
		log.WithError(err).Warn("could not copy a recording to the bucket: it will be tried again")
	}
}

// write writes the counts if they changed.
func (c *counts) write(path string, log *logrus.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == c.written {
		return
	}
	err := c.now.Write(path)
	if err != nil && !c.failed {
		log.WithError(err).Warn("could not write the archive's counts")
	}
	if c.failed = err != nil; err == nil {
		c.written = c.now
	}
}
