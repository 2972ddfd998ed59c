// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// embedded is a Kubernetes distribution that brings containerd along, and writes its configuration at each start from a template.
type embedded struct {
	variant string
	data    string
	units   []string
	bins    []string // below data
}

var distributions = []embedded{
	{"k3s", "/var/lib/rancher/k3s", []string{"k3s.service", "k3s-agent.service"}, []string{"data/current/bin"}},
	{"rke2", "/var/lib/rancher/rke2", []string{"rke2-server.service", "rke2-agent.service"}, []string{"bin", "data/current/bin"}},
}

// detectEmbedded finds k3s and RKE2, unless they are told to use another runtime than their own containerd.
func detectEmbedded(h Host) ([]Engine, error) {
	var found []Engine
	for _, d := range distributions {
		e := Engine{Kind: Containerd, Variant: d.variant}
		data, theirs := d.data, true
		for _, name := range d.units {
			u, ok, err := h.unit(name)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			e.Unit = name
			if dir, ok := option(u.args(), "--data-dir", "-d"); ok {
				data = dir
			}
			if _, ok := option(u.args(), "--container-runtime-endpoint", "--docker"); ok {
				theirs = false
			}
			break
		}
		for _, bin := range d.bins {
			if file := path.Join(data, bin, "containerd"); e.Binary == "" && h.isProgram(file) {
				e.Binary = file
			}
		}
		e.Config = path.Join(data, "agent/etc/containerd/config.toml")
		if theirs && (e.Binary != "" || h.exists(path.Dir(e.Config))) {
			found = append(found, e)
		}
	}
	return found, nil
}

// embedded says whether the engine is a containerd that one of the distributions starts.
func (e Engine) embedded() bool {
	return slices.ContainsFunc(distributions, func(d embedded) bool { return d.variant == e.Variant })
}

// binDirs are where the distribution's own programs are, given the engine that was found.
func (d embedded) binDirs(e Engine) []string {
	data := strings.TrimSuffix(e.Config, "/agent/etc/containerd/config.toml")
	var dirs []string
	for _, bin := range d.bins {
		dirs = append(dirs, path.Join(data, bin))
	}
	return dirs
}

// baseTemplate is a template that adds nothing to the distribution's own one.
const baseTemplate = "{{ template \"base\" . }}\n"

// editTemplate adds a runtime to the template from which k3s and RKE2 make config.toml. A template can only be appended
// to: what is in it is text of the distribution's own templates, which name each table once.
func (e Engine) editTemplate(h Host, c containerdFiles, r Request, want map[string]any) ([]File, error) {
	file := path.Join(path.Dir(e.Config), "config.toml.tmpl")
	if c.version >= 3 {
		file = path.Join(path.Dir(e.Config), "config-v3.toml.tmpl")
	}
	if len(c.layers) == 0 {
		return nil, fmt.Errorf("%q is not there yet: %s writes it when it starts, so start it once", e.Config, e.Variant)
	}
	if r.Default {
		name, _, _ := defaultRuntime(c.cri)
		return nil, fmt.Errorf("%s writes its containerd's configuration from a template that this version of it cannot add to for a runtime that is there already: "+
			"install without --set-default and put `default-runtime: %s` into /etc/rancher/%s/config.yaml, or write a whole template %q with BinaryName = %q in [%s]",
			e.Variant, addedRuntime, e.Variant, file, r.Shim, header(slices.Concat(criSection(c.version), key{"runtimes", name, "options"})))
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
		return nil, fmt.Errorf("%q already names %s, but says something else about it: correct it by hand", file, addedRuntime)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return []File{{Path: file, Data: slices.Concat(text, []byte("\n"), doc.text), Mode: 0o644}}, nil
}
