// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/archive"
)

// Bucket is object storage. Put copies a file, and replaces an object of that name.
type Bucket interface {
	Put(ctx context.Context, name, path string) error
}

// copier copies files of the archive to a bucket. Files wait in the archive until that succeeds, also if the agent is
// started again, as long as the archive keeps them.
type copier struct {
	path   string
	bucket Bucket
	counts *counts
	log    *logrus.Logger
}

func (c *copier) run(ctx context.Context) {
	var backoff backoff
	for ctx.Err() == nil {
		if err := c.copyAll(ctx); err != nil && ctx.Err() == nil {
			backoff.wait(ctx)
			continue
		}
		backoff.reset()
		sleep(ctx, pace.archive)
	}
}

// copyAll copies the files that wait, the oldest first.
func (c *copier) copyAll(ctx context.Context) error {
	list, err := archive.List(c.path)
	if err != nil {
		return err
	}
	for _, e := range slices.Backward(list) {
		if !e.Pending {
			continue
		}
		err := c.bucket.Put(ctx, e.Name(), e.Path)
		if err == nil {
			err = archive.Copied(e)
		}
		if ctx.Err() != nil {
			return nil
		}
		c.counts.copied(err, c.log)
		if err != nil {
			return err
		}
	}
	return nil
}
