// SPDX-License-Identifier: Apache-2.0

// Package installation puts runc-trace between a host's container engines and their runtimes, and takes it out again.
package installation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	securejoin "github.com/cyphar/filepath-securejoin"

	"github.com/runc-trace/runc-trace/install"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostfile"
	"github.com/runc-trace/runc-trace/pkg/regular"
)

// Where things are on a host.
const (
	shimName     = "runc-trace"
	linkPrefix   = shimName + "-" // of links to the shim that stand for other runtimes
	tracectlName = "tracectl"
	unitName     = "runc-trace.service"
	agentName    = "runc-trace-agent.service"
	wantsPath    = "/etc/systemd/system/multi-user.target.wants/" + unitName
)

// standardDirs are where packages and `make install` put programs: there they are used as they are.
var standardDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}

// Whom files are for, beside engines.
const (
	forShim = "runc-trace" // what a container made through the shim needs
	forUnit = "systemd"
	forUser = "shell" // what makes tracectl handy on a terminal
)

// Host is the host that is changed, and how it is acted upon.
type Host struct {
	// Root stands before every path that is read or written: "/" but for images and tests.
	Root string
	// Run runs a program of the host, as engine.Host says. Where it is nil, files are all that is changed: that is for images.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
	// API asks running engines, as engine.Host says.
	API engine.API
	// Load loads the programs, as the configuration that is in place by then says. WouldLoad tells what it would come to now.
	Load      func() (Loaded, error)
	WouldLoad func() (Loaded, error)
	// Unload unloads them, and says whether there were any.
	Unload func() (bool, error)
	// Recordings says whether the programs are loaded, and how many recordings would be lost if they were not.
	Recordings func() (loaded bool, recordings int, err error)
	// Started says when the oldest process of a program started, and whether there is any.
	Started func(program string) (time.Time, bool)
	// Answers asks a running engine for a sign of life.
	Answers func(ctx context.Context, e engine.Engine) error
	// Patience is how long an engine may take until it works again.
	Patience time.Duration
	// Self are the names of the cgroups of the container that this process runs in, and of the others of its pod.
	Self []string
}

// Loaded is what loading the programs came to.
type Loaded struct {
	New      bool     // they were not loaded before
	Replaced bool     // they took the place of those of another version
	Memory   uint64   // bytes that the maps take, 0 if that is not known
	Remarks  []string // what was wrong with what was loaded, and was put right
	Note     string   // why what is loaded is left although it is not what would be loaded, "" if it is the same
}

func (h Host) engine() engine.Host { return engine.Host{Root: h.Root, Run: h.Run, API: h.API} }

// live says whether the host runs, and is not only a tree of files.
func (h Host) live() bool { return h.Run != nil }

func (h Host) stat(path string) (fs.FileInfo, error) {
	at, err := securejoin.SecureJoin(h.Root, path)
	if err != nil {
		return nil, err
	}
	return os.Stat(at)
}

func (h Host) exists(path string) bool {
	_, err := h.stat(path)
	return err == nil
}

// hasSystemd says whether the host is one that systemd runs when it is up, and runsSystemd whether it does so now.
func (h Host) hasSystemd() bool {
	return h.exists("/usr/lib/systemd/systemd") || h.exists("/lib/systemd/systemd")
}

func (h Host) runsSystemd() bool { return h.live() && h.exists("/run/systemd/system") }

func (h Host) systemctl(ctx context.Context, args ...string) error {
	if _, err := h.Run(ctx, "systemctl", args...); err != nil {
		return fmt.Errorf("running systemctl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// Report says what was done, or would be.
type Report struct {
	DryRun     bool
	Changes    []hostfile.Change
	Engines    []Engine
	Loaded     *Loaded            // nil if programs were not to be loaded
	Adopted    []engine.Container // that ran already, and were registered
	Unloaded   bool               // programs were loaded and are not any more
	Recordings int                // that were lost with them
	Commands   []string           // what is left to do, in this order
	Kept       []Kept
	Edited     string   // directory of files that were edited and replaced all the same
	Notes      []string // what else is to be known
}

// Engine is what became of an engine.
type Engine struct {
	engine.Engine
	Shim   string            // the path under which it calls the shim, after an installation
	Real   string            // the runtime behind that
	Left   []engine.Runtime  // runtimes of it that are left as they are, and so not traced
	Others map[string]string // paths under which runtimes beside the default one call the shim, by name
	Taken  string            // how it took its new configuration, "" where it has not
}

// Kept is a reason why not all was removed.
type Kept struct {
	Engine     string             // who needs it
	Paths      []string           // what it needs
	Containers []engine.Container // that were made through the shim
	Own        []engine.Container // those of them that belong to the pod that this process runs in
	Command    string             // what has to be done first, if there are no containers
}

// shims are all paths under which engines of this host may know the shim.
func shims(recorded []hostfile.Recorded) []string {
	var paths []string
	for _, dir := range append([]string{install.BinDir}, standardDirs...) {
		paths = append(paths, path.Join(dir, shimName))
	}
	for _, r := range recorded {
		if r.For == forShim && isShim(r.Path) {
			paths = append(paths, r.Path)
		}
	}
	return paths
}

// isShim tells by its name whether a program is the shim.
func isShim(program string) bool {
	base := path.Base(program)
	return base == shimName || strings.HasPrefix(base, linkPrefix)
}

// reloadCommand is what has a running engine take its configuration, "" where it needs nothing.
func (h Host) reloadCommand(e engine.Engine) string {
	if !h.live() {
		return ""
	}
	return e.ReloadCommand(h.engine())
}

// open opens the store, to be looked at only in a dry run.
func (h Host) open(dryRun bool) (*hostfile.Store, error) {
	var store *hostfile.Store
	var err error
	inverse := func(f hostfile.Recorded, original, written, now []byte) ([]byte, error) {
		switch f.For {
		case forUser:
			return now, nil
		case forUnit:
			return original, nil
		case forShim:
			if f.Path != config.DefaultPath {
				return original, nil // a program
			}
		}
		return engine.Undo(engine.Rewritten{
			Path: f.Path, Original: original, Written: written, Now: now, Shims: shims(store.Recorded()), Own: f.For == forShim,
		})
	}
	if dryRun {
		store, err = hostfile.View(h.Root, inverse)
	} else {
		store, err = hostfile.Open(h.Root, inverse)
	}
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%w (run it as root)", err)
	}
	return store, err
}

// readFile reads a file of the host, nil where there is none.
func (h Host) readFile(path string) ([]byte, error) {
	at, err := securejoin.SecureJoin(h.Root, path)
	if err != nil {
		return nil, err
	}
	data, err := regular.Read(at, regular.Text)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// ownFiles are the files of the installation but those of engines.
func (h Host) ownFiles(executable, binDir string, settings []byte, names []string) ([]hostfile.File, error) {
	dir, copied, err := h.programs(executable, binDir)
	if err != nil {
		return nil, err
	}
	var files []hostfile.File
	if copied {
		for _, program := range [][2]string{{shimName, filepath.Join(filepath.Dir(executable), shimName)}, {tracectlName, executable}} {
			data, err := regular.Read(program[1], regular.Program)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s is not beside tracectl in %s: put both into one directory", program[0], filepath.Dir(executable))
			}
			if err != nil {
				return nil, fmt.Errorf("reading program: %w", err)
			}
			files = append(files, hostfile.File{Path: path.Join(dir, program[0]), Data: data, Mode: 0o755, For: forShim, Base: true})
		}
	}
	files = append(files, hostfile.File{Path: config.DefaultPath, Data: settings, Mode: 0o644, For: forShim, Base: true})
	for _, name := range names {
		target := shimName
		if binDir != dir {
			target = path.Join(dir, shimName)
		}
		files = append(files, hostfile.File{Path: path.Join(binDir, linkPrefix+name), Link: target, For: forShim, Base: true})
	}
	if !h.hasSystemd() {
		return files, nil
	}
	unit, text := h.unit(unitName, install.Unit, dir)
	if text != nil {
		files = append(files, hostfile.File{Path: unit, Data: text, Mode: 0o644, For: forUnit})
	}
	files = append(files, hostfile.File{Path: wantsPath, Link: unit, For: forUnit})
	agent, agentText := h.unit(agentName, install.AgentUnit, dir)
	if text != nil && agentText != nil && len(h.Self) == 0 { // a pod that installs has an agent beside it
		files = append(files, hostfile.File{Path: agent, Data: agentText, Mode: 0o644, For: forUnit})
	}
	return files, nil
}

// unit is where a unit is: as a package has brought it, or else as it is to be written.
func (h Host) unit(name, text, dir string) (file string, data []byte) {
	file = path.Join("/etc/systemd/system", name)
	for _, packaged := range []string{path.Join("/usr/lib/systemd/system", name), path.Join("/lib/systemd/system", name)} {
		if h.exists(packaged) && !h.exists(file) {
			return packaged, nil
		}
	}
	return file, []byte(strings.ReplaceAll(text, install.BinDir+"/", dir+"/"))
}

// programs says where the shim and tracectl are to be, and whether they have to be copied there.
func (h Host) programs(executable, binDir string) (dir string, copied bool, err error) {
	self, err := os.Stat(executable)
	if err != nil {
		return "", false, fmt.Errorf("looking for tracectl itself: %w", err)
	}
	if binDir != install.BinDir {
		return binDir, true, nil
	}
	for _, dir := range standardDirs {
		found, err := h.stat(path.Join(dir, tracectlName))
		if err == nil && os.SameFile(self, found) && h.exists(path.Join(dir, shimName)) {
			return dir, false, nil
		}
	}
	return binDir, true, nil
}
