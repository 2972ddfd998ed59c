// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// Check has the engine's own program judge the configuration that stands in place now, without starting anything. The error
// has what the program said. Nothing is checked where no program was found, or where an engine's version cannot check: then the files
// have still been read as the engine reads them.
func (e Engine) Check(ctx context.Context, h Host) error {
	if _, err := e.known(h); err != nil && !errors.Is(err, ErrNoCRI) {
		return fmt.Errorf("checking the configuration of %s: %w", e, err)
	}
	if h.Run == nil || e.Binary == "" {
		return nil
	}
	args, err := e.checkArgs(h)
	if err != nil || args == nil {
		return err
	}
	if _, err := h.Run(ctx, e.Binary, args...); err != nil {
		return fmt.Errorf("%s refuses its configuration: %w", e, err)
	}
	return nil
}

// checkArgs is the command that reads all of the configuration and does nothing else; none where there is no such.
func (e Engine) checkArgs(h Host) ([]string, error) {
	switch e.Kind {
	case Containerd:
		config, err := e.configInUse(h)
		if err != nil {
			return nil, err
		}
		return []string{"--config", config, "config", "dump"}, nil
	case Docker:
		// dockerd has had --validate since 23.0.
		if !atLeast(e.Version, 23, 0) {
			return nil, nil
		}
		if _, err := h.stat(e.Config); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return []string{"--validate", "--config-file", e.Config}, nil
	case CRIO:
		_, ours, err := e.crioFiles(h)
		return []string{"--config", e.Config, "--config-dir", path.Dir(ours), "config"}, err
	}
	// Podman reads its configuration before anything else; what asks for more makes its storage.
	return []string{"--version"}, nil
}

// configInUse is the file that the unit names now: Edit may have had it name another.
func (e Engine) configInUse(h Host) (string, error) {
	u, ok, err := h.unit(e.Unit)
	if err != nil || !ok || e.Variant == "k3s" || e.Variant == "rke2" {
		return e.Config, err
	}
	if config, ok := option(u.args(), "--config", "-c"); ok {
		return config, nil
	}
	return e.Config, nil
}
