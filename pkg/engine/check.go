// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
)

// Check has the engine's own program check the installed configuration, without starting anything. The error contains
// the program's output. Check does nothing if no program was found, or if the engine's version has no such check. In
// that case the files have still been read as the engine reads them.
func (e Engine) Check(ctx context.Context, h Host) error {
	if _, err := e.driver().configured(h, e); err != nil && !errors.Is(err, ErrNoCRI) && !errors.Is(err, errUnsure) {
		return fmt.Errorf("checking the configuration of %s: %w", e, err)
	}
	if h.Run == nil || e.Binary == "" {
		return nil
	}
	program, args, err := e.driver().check(h, e)
	if err != nil || program == "" {
		return err
	}
	if _, err := h.Run(ctx, program, args...); err != nil {
		return fmt.Errorf("%s refuses its configuration: %w", e, err)
	}
	return nil
}
