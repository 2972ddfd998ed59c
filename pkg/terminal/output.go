// SPDX-License-Identifier: Apache-2.0

package terminal

import (
	"fmt"
	"io"
)

// Output is a writer that keeps its first error, so that a program can end with it even if some caller of Write ignored
// it. Is and Table.For look at the writer within.
type Output struct {
	io.Writer
	Err error // of the first Write that failed; wraps the writer's
}

// Write writes to the writer within.
func (o *Output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if err != nil {
		err = fmt.Errorf("writing the output: %w", err)
		if o.Err == nil {
			o.Err = err
		}
	}
	return n, err
}
