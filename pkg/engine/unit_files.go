// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/regular"
)

// unitDirs are systemd's directories of units, in descending precedence. See systemd.unit(5).
var unitDirs = []string{
	"/etc/systemd/system.control", "/run/systemd/system.control", "/run/systemd/transient",
	"/run/systemd/generator.early", "/etc/systemd/system", "/etc/systemd/system.attached",
	"/run/systemd/system", "/run/systemd/system.attached", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/generator.late",
}

const serviceSuffix = ".service"

// unitFiles are the files of a service.
type unitFiles struct {
	name    string   // of the unit's own file, by which systemd shows it
	files   []string // its own file, then its drop-ins
	unclear error    // why the drop-ins depend on chance
}

// unitFiles finds the files of a service by one of its names. It returns none if the service does not exist or is
// masked. It follows unit_file_find_fragment and unit_file_find_dropin_paths of systemd.
func (h Host) unitFiles(name string) unitFiles {
	units := h.services()
	file := units.file(name)
	if file == "" || h.masks(file) {
		return unitFiles{}
	}
	own, aliases := name, []string(nil)
	for other := range units {
		switch target := units.file(other); {
		case target == "" || path.Base(target) != path.Base(file) || h.masks(target):
		case other == path.Base(file):
			own = other
		default:
			aliases = append(aliases, other)
		}
	}
	if own != name && !slices.Contains(aliases, name) {
		aliases = append(aliases, name)
	}
	aliases = slices.DeleteFunc(aliases, func(alias string) bool { return alias == own })
	slices.Sort(aliases)
	dropins, unclear := h.unitDropins(own, aliases)
	return unitFiles{own, append([]string{file}, dropins...), unclear}
}

// services maps the name of each service to its file, or to the name that it is an alias of.
type services map[string]string

// maxAliases is systemd's limit of an alias of an alias.
const maxAliases = 8

// file returns the file of the service, "" if there is none.
func (s services) file(name string) string {
	for range maxAliases {
		target := s[name]
		if path.IsAbs(target) || target == "" {
			return target
		}
		name = target
	}
	return ""
}

// services reads the directories of units. It follows unit_file_build_name_map of systemd.
func (h Host) services() services {
	found := make(services)
	for _, dir := range unitDirs {
		at, err := h.at(dir)
		if err != nil {
			continue
		}
		entries, _ := os.ReadDir(at)
		for _, entry := range entries {
			name := entry.Name()
			if _, known := found[name]; known || path.Ext(name) != serviceSuffix {
				continue
			}
			file := path.Join(dir, name)
			if _, _, gone := h.plan(file); gone {
				continue
			}
			if entry.Type()&fs.ModeSymlink == 0 {
				found[name] = file
				continue
			}
			target, err := os.Readlink(path.Join(at, name))
			if err != nil {
				continue
			}
			if !path.IsAbs(target) {
				target = path.Join(dir, target)
			}
			target = path.Join(h.resolved(path.Dir(target)), path.Base(target))
			switch alias := path.Base(target); {
			case !h.holdsUnits(target):
				found[name] = target
			case alias == name, path.Ext(alias) != serviceSuffix, strings.Contains(alias, "@") != strings.Contains(name, "@"):
				// Systemd ignores such a link, and uses a file of the next directory.
			default:
				found[name] = alias
			}
		}
	}
	return found
}

// holdsUnits reports whether a path is in a directory of units.
func (h Host) holdsUnits(file string) bool {
	return slices.ContainsFunc(unitDirs, func(dir string) bool {
		return strings.HasPrefix(file, dir+"/") || strings.HasPrefix(file, h.resolved(dir)+"/")
	})
}

// masks reports whether a file disables the unit or drop-in of its name: it is empty, or a link to /dev/null or to
// nowhere.
func (h Host) masks(file string) bool {
	text, err := h.read(file)
	if errors.Is(err, regular.ErrIrregular) || errors.Is(err, fs.ErrNotExist) {
		return true
	}
	return err == nil && len(text) == 0
}

// unitDropins returns the drop-ins for all names of a service: its own, its aliases, their prefixes, and all services.
func (h Host) unitDropins(name string, aliases []string) (files []string, unclear error) {
	dirs := dropinDirs(name)
	for _, alias := range aliases {
		dirs = append(dirs, dropinDirs(alias)...)
	}
	for _, dir := range unitDirs {
		dirs = append(dirs, path.Join(dir, "service.d"))
	}
	files = h.dropins(dirs)
	// Systemd reads aliases in no particular order.
	for i, alias := range aliases {
		for _, file := range h.dropins(dropinDirs(alias)) {
			for _, other := range aliases[i+1:] {
				for _, second := range h.dropins(dropinDirs(other)) {
					if slices.Contains(files, file) && path.Base(file) == path.Base(second) && !h.sameText(file, second) {
						unclear = fmt.Errorf("%s: systemd reads either this file or %s; rename one of them", file, second)
					}
				}
			}
		}
	}
	return files, unclear
}

// dropinDirs returns the directories of the drop-ins for one name of a service, in descending precedence.
func dropinDirs(name string) []string {
	var dirs []string
	for _, dir := range unitDirs {
		for _, of := range withPrefixes(name) {
			dirs = append(dirs, path.Join(dir, of+".d"))
		}
	}
	return dirs
}

func (h Host) sameText(a, b string) bool {
	first, err := h.read(a)
	second, err2 := h.read(b)
	return err == nil && err2 == nil && string(first) == string(second)
}

// withPrefixes returns the names of a service by which it has drop-ins: "a-b.service" and "a-.service".
func withPrefixes(name string) []string {
	names := []string{name}
	bare := strings.TrimSuffix(name, serviceSuffix)
	for i := len(bare) - 2; i > 0; i-- {
		if bare[i] == '-' {
			names = append(names, bare[:i+1]+serviceSuffix)
		}
	}
	return names
}

// dropins returns the drop-ins in directories of descending precedence, sorted by name: of files with the same name,
// the first one counts, even if it is empty or a link to nowhere.
func (h Host) dropins(dirs []string) []string {
	found := make(map[string]string)
	entries := make(map[string]map[string]bool) // of the directories above
	for _, dir := range dirs {
		above := path.Dir(dir)
		if entries[above] == nil {
			entries[above] = h.entries(above)
		}
		if !entries[above][path.Base(dir)] {
			continue // as most of them
		}
		for _, file := range h.glob(path.Join(dir, "*.conf")) {
			base := path.Base(file)
			if _, ok := found[base]; !ok && !strings.HasPrefix(base, ".") {
				found[base] = file
			}
		}
	}
	var files []string
	for _, base := range slices.Sorted(maps.Keys(found)) {
		files = append(files, found[base])
	}
	return files
}

// entries returns the names in a directory, with those of directories that planned files need.
func (h Host) entries(dir string) map[string]bool {
	names := make(map[string]bool)
	for file := range h.planned {
		if above := path.Dir(file); path.Dir(above) == dir {
			names[path.Base(above)] = true
		}
	}
	at, err := h.at(dir)
	if err != nil {
		return names
	}
	found, _ := os.ReadDir(at)
	for _, entry := range found {
		names[entry.Name()] = true
	}
	return names
}
