// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// embedded is a Kubernetes distribution that includes containerd, and generates its configuration from a template at
// each start.
type embedded struct {
	variant string
	data    string
	units   []string
	bins    []string // below data
}

var distributions = []embedded{
	{"k3s", "/var/lib/rancher/k3s", []string{"k3s.service", "k3s-agent.service"}, []string{"data/current/bin"}},
	{"rke2", "/var/lib/rancher/rke2", []string{"rke2-server.service", "rke2-agent.service"},
		[]string{"bin", "data/current/bin"}},
}

// detectEmbedded finds k3s and RKE2, unless they are configured to use a runtime other than their own containerd.
func detectEmbedded(h Host) ([]Engine, error) {
	var (
		found    []Engine
		problems []error
	)
	for _, d := range distributions {
		e := Engine{Kind: Containerd, Variant: d.variant}
		var u unit
		for _, name := range d.units {
			if one, ok := h.unit(name); ok {
				u, e.Unit = one, one.name
				break
			}
		}
		o, err := d.options(h, u)
		if err != nil {
			if e.Unit != "" || h.exists(d.data) {
				problems = append(problems, &DetectError{e.String(), err})
			}
			continue
		}
		for _, bin := range d.bins {
			if file := path.Join(o.Data, bin, "containerd"); e.Binary == "" && h.isProgram(file) {
				e.Binary = file
			}
		}
		e.Config = path.Join(o.Data, "agent/etc/containerd/config.toml")
		if o.Endpoint == "" && !o.Docker && (e.Binary != "" || h.exists(path.Dir(e.Config))) {
			found = append(found, e)
		}
	}
	return found, errors.Join(problems...)
}

// embeddedDefault returns the default runtime that the distribution's options choose, "" if they choose none.
func (e Engine) embeddedDefault(h Host) string {
	u, _ := h.unit(e.Unit)
	for _, d := range distributions {
		if d.variant != e.Variant {
			continue
		}
		if o, err := d.options(h, u); err == nil {
			return o.Default
		}
	}
	return ""
}

// embedded reports whether the engine is the containerd of such a distribution.
func (e Engine) embedded() bool {
	return slices.ContainsFunc(distributions, func(d embedded) bool { return d.variant == e.Variant })
}

// binDirs returns the directories of the distribution's own programs for a detected engine.
func (d embedded) binDirs(e Engine) []string {
	data := strings.TrimSuffix(e.Config, "/agent/etc/containerd/config.toml")
	var dirs []string
	for _, bin := range d.bins {
		dirs = append(dirs, path.Join(data, bin))
	}
	return dirs
}

// baseTemplate is a template that adds nothing to the distribution's own.
const baseTemplate = "{{ template \"base\" . }}\n"

// templates are the file names of the templates that the distributions support.
var templates = []string{"config-v3.toml.tmpl", "config.toml.tmpl"}

// rendersLater reports whether a template was written for the engine, which takes effect at the next start of the
// distribution.
func (e Engine) rendersLater(h Host) bool {
	if !e.embedded() {
		return false
	}
	return slices.ContainsFunc(templates, func(name string) bool {
		text, err := h.read(path.Join(path.Dir(e.Config), name))
		return err == nil && bytes.Contains(text, []byte(addedRuntime))
	})
}

// editTemplate adds a runtime to the template from which k3s and RKE2 generate config.toml. Edit can only append to
// it, because the distribution's template defines each of its tables once.
func (e Engine) editTemplate(h Host, c containerdFiles, r Request, want map[string]any) ([]File, error) {
	file := path.Join(path.Dir(e.Config), templates[1])
	if c.version >= 3 {
		file = path.Join(path.Dir(e.Config), templates[0])
	}
	if len(c.layers) == 0 {
		return nil, fmt.Errorf("%q does not exist yet: start %s once, so that it writes the file", e.Config, e.Variant)
	}
	if r.Default {
		name, _, _ := defaultRuntime(c.cri)
		return nil, fmt.Errorf("this version of %s cannot override an existing runtime in its containerd template: "+
			"install without --set-default and put `default-runtime: %s` into /etc/rancher/%s/config.yaml, or write a whole template %q with BinaryName = %q in [%s]",
			e.Variant, addedRuntime, e.Variant, file, r.Shim,
			header(slices.Concat(criSection(c.version), key{"runtimes", name, "options"})))
	}
	text, err := h.readIfThere(file)
	if err != nil {
		return nil, err
	}
	if text == nil {
		text = []byte(baseTemplate)
	}
	added := slices.Concat(criSection(c.version), key{"runtimes", addedRuntime})
	doc, _ := parseDocument(nil)
	if err := doc.setAll(added, want["runtimes"].(map[string]any)[addedRuntime].(map[string]any)); err != nil {
		return nil, fmt.Errorf("editing %q: %w", file, err)
	}
	if bytes.Contains(text, doc.text) {
		return nil, nil
	}
	if strings.Contains(string(text), addedRuntime) {
		return nil, fmt.Errorf("%q already configures %s differently: correct it by hand", file, addedRuntime)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return []File{{Path: file, Data: slices.Concat(text, []byte("\n"), doc.text), Mode: 0o644}}, nil
}
