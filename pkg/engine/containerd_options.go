// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// embeddedOptions are options of a distribution that locate its containerd, disable it, or choose its default runtime.
type embeddedOptions struct {
	Data     string
	Endpoint string
	Docker   bool
	Default  string
}

// options returns the options from its environment, its configuration and its command line, in ascending precedence.
func (d embedded) options(h Host, u unit) (embeddedOptions, error) {
	prefix := strings.ToUpper(d.variant)
	file := u.env[prefix+"_CONFIG_FILE"].value
	if flags := options(u.args(), "--config", "-c"); file == "" && len(flags) > 0 { // it looks only for these forms
		file = flags[0]
	}
	args, err := h.embeddedFlags(cmp.Or(file, path.Join("/etc/rancher", d.variant, "config.yaml")))
	if err != nil {
		return embeddedOptions{}, err
	}
	args = append(args, u.args()...)
	value := func(variable string, flags ...string) string {
		flag, _ := option(args, goFlags(flags...)...)
		return cmp.Or(flag, u.env[prefix+variable].value)
	}
	return embeddedOptions{
		Data:     cmp.Or(value("_DATA_DIR", "data-dir", "d"), d.data),
		Endpoint: value("_CONTAINER_RUNTIME_ENDPOINT", "container-runtime-endpoint"),
		Docker:   isSet(args, "docker"),
		Default:  value("_DEFAULT_RUNTIME", "default-runtime"),
	}, nil
}

// isSet returns the value of a flag without an argument of its own, for Go's package flag.
func isSet(args []string, flag string) bool {
	set := false
	for _, arg := range args {
		if name, value, joined := strings.Cut(arg, "="); slices.Contains(goFlags(flag), name) {
			on, _ := strconv.ParseBool(value)
			set = on || !joined
		}
	}
	return set
}

// embeddedFlags returns the flags of a configuration file of k3s or RKE2, and of the files in its directory. They turn
// each key into a flag, with a value of any type as text. A key that ends with + adds values to those of earlier files.
func (h Host) embeddedFlags(file string) ([]string, error) {
	var order []string
	values := make(map[string][]string)
	dropins := slices.DeleteFunc(h.glob(path.Join(file+".d", "*")), func(dropin string) bool {
		return !slices.Contains([]string{".yaml", ".yml"}, strings.ToLower(path.Ext(dropin))) || h.isDir(dropin)
	})
	for _, file := range append([]string{file}, dropins...) {
		text, err := h.readIfThere(file)
		if err != nil {
			return nil, err
		}
		var document yaml.Node
		if err := yaml.Unmarshal(text, &document); err != nil {
			return nil, fmt.Errorf("parsing %q: %w", file, err)
		}
		if len(document.Content) == 0 {
			continue
		}
		top := document.Content[0]
		if top.Kind != yaml.MappingNode && top.Tag != "!!null" {
			return nil, fmt.Errorf("parsing %q: line %d: want keys with values", file, top.Line)
		}
		for i := 0; i+1 < len(top.Content); i += 2 {
			key, adds := strings.CutSuffix(top.Content[i].Value, "+")
			if !slices.Contains(order, key) {
				order = append(order, key)
			}
			if !adds {
				values[key] = nil
			}
			values[key] = append(values[key], yamlTexts(top.Content[i+1])...)
		}
	}
	var args []string
	for _, key := range order {
		for _, value := range values[key] {
			args = append(args, "--"+key+"="+value)
		}
	}
	return args, nil
}

// yamlTexts returns the values of a list, or one value, as text. yes and on are true, as in YAML 1.1.
func yamlTexts(n *yaml.Node) []string {
	switch {
	case n.Kind == yaml.AliasNode:
		return yamlTexts(n.Alias)
	case n.Kind == yaml.SequenceNode:
		var all []string
		for _, item := range n.Content {
			all = append(all, yamlTexts(item)...)
		}
		return all
	case n.Kind != yaml.ScalarNode || n.Tag == "!!null":
		return []string{""}
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0 &&
		slices.Contains([]string{"y", "yes", "on"}, strings.ToLower(n.Value)):
		return []string{"true"}
	}
	return []string{strings.TrimSpace(n.Value)}
}
