// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"cmp"
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits between attempts. Waits grow, and have a random part, so that agents do not retry at the same time.
type backoff struct {
	next time.Duration
	most time.Duration // 0: longestWait
}

const longestWait = 30 * time.Second

func (b *backoff) wait(ctx context.Context) {
	b.next = min(max(pace.poll, 2*b.next), cmp.Or(b.most, longestWait))
	sleep(ctx, b.next/2+rand.N(b.next/2+1))
}

func (b *backoff) reset() { b.next = 0 }
