// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// readOnly reports whether a file is part of the system's image, or is lost at the next boot. Flatcar has containerd's
// configuration in /usr; before that, it was in a torcx image that is unpacked at every boot.
func readOnly(file string) bool {
	return strings.HasPrefix(file, "/usr/") && !strings.HasPrefix(file, "/usr/local/") || strings.HasPrefix(file, "/run/")
}

const unitDropin = "99-runc-trace.conf"

// editCopy edits a copy of a configuration that cannot be edited in place, and makes the unit use the copy, as Flatcar
// documents it.
func (e Engine) editCopy(h Host, c containerdFiles, target layer, want map[string]any) ([]File, error) {
	if target.path != e.Config || e.Config == containerdConfig {
		return nil, fmt.Errorf("%q decides containerd's runtimes and cannot be edited in place: import a file below /etc instead", target.path)
	}
	u, ok := h.unit(e.Unit)
	if !ok {
		return nil, fmt.Errorf("containerd's configuration %q cannot be edited in place, and its systemd unit was not found: copy it to %q and start containerd with --config %s",
			e.Config, containerdConfig, containerdConfig)
	}
	if h.exists(containerdConfig) {
		return nil, fmt.Errorf("containerd's configuration %q cannot be edited in place, and the unused %q is in the way: have unit %s use --config %s, or remove that file",
			e.Config, containerdConfig, e.Unit, containerdConfig)
	}
	for _, pattern := range strs(target.doc.get(key{"imports"})) {
		if !path.IsAbs(pattern) {
			return nil, fmt.Errorf("%q cannot be edited in place or copied: it imports %q by a relative path", e.Config, pattern)
		}
	}
	command, err := u.withConfig(containerdConfig)
	if err != nil {
		return nil, err
	}
	doc := *target.doc
	if err := doc.setAll(target.section(), want); err != nil {
		return nil, fmt.Errorf("editing a copy of %q: %w", e.Config, err)
	}
	dropin := fromUs + "[Service]\nExecStart=\nExecStart=" + command + "\n"
	return []File{
		{Path: containerdConfig, Data: doc.text, Mode: 0o644},
		{Path: path.Join("/etc/systemd/system", e.Unit+".d", unitDropin), Data: []byte(dropin), Mode: 0o644},
	}, nil
}

// withConfig returns the unit's command line as written, with another value of --config.
func (u unit) withConfig(file string) (string, error) {
	fields := strings.Fields(u.exec.value)
	for i, field := range fields {
		name, _, joined := strings.Cut(field, "=")
		if !slices.Contains(goFlags("config", "c"), name) {
			continue
		}
		if joined {
			fields[i] = name + "=" + file
			return strings.Join(fields, " "), nil
		}
		if i+1 < len(fields) {
			fields[i+1] = file
			return strings.Join(fields, " "), nil
		}
	}
	return "", fmt.Errorf("unit %s does not pass --config to containerd: its command line is %q", u.name, u.exec.value)
}
