// SPDX-License-Identifier: Apache-2.0

// Package installation puts runc-trace between a host's container engines and their runtimes, and removes it again.
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

// Names and paths of files on a host.
const (
	shimName     = "runc-trace"
	linkPrefix   = shimName + "-" // prefix of links to the shim that stand for other runtimes
	tracectlName = "tracectl"
	unitName     = "runc-trace.service"
	agentName    = "runc-trace-agent.service"
	unitDir      = "/etc/systemd/system"
	wantsPath    = unitDir + "/multi-user.target.wants/" + unitName
)

// standardDirs are the directories to which packages and `make install` copy programs. Programs there are used in
// place.
var standardDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"}

// Components that files belong to, besides engines.
const (
	forShim = "runc-trace" // files that a container made through the shim needs
	forUnit = "systemd"
	forUser = "shell" // files that make tracectl convenient on a terminal
)

// Host is the host to change, with the functions that act on it.
type Host struct {
	// Root is prepended to every path that is read or written: "/" except for images and tests.
	Root string
	// Run runs a program of the host, as engine.Host does. If it is nil, only files are changed: this is for images.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
	// API queries running engines, as engine.Host does.
	API engine.API
	// Load loads the programs as the installed configuration says. WouldLoad returns what Load would return now.
	Load      func() (Loaded, error)
	WouldLoad func() (Loaded, error)
	// Beside loads the programs beside loaded ones whose recordings they cannot keep. It returns nil if there are none,
	// and an error if discard is false. In a dry run it only returns what would be loaded.
	Beside func(discard, dryRun bool) (*Beside, error)
	// Unload unloads the programs, and reports whether any were loaded.
	Unload func() (bool, error)
	// Recordings reports whether the programs are loaded, and how many recordings unloading them would delete.
	Recordings func() (loaded bool, recordings int, err error)
	// Started returns the start time of the oldest process of an engine, and whether there is one.
	Started func(engine.Engine) (time.Time, bool)
	// Answers checks that a running engine responds.
	Answers func(ctx context.Context, e engine.Engine) error
	// Patience limits how long an engine may take until it works again.
	Patience time.Duration
	// Self holds the cgroup names of the container that this process runs in, and of the other containers of its pod.
	Self []string
}

// Loaded is the result of loading the programs.
type Loaded struct {
	New      bool     // they were not loaded before
	Replaced bool     // they replaced those of another version
	Memory   uint64   // bytes that the maps take, 0 if unknown
	Lost     string   // why all recordings were deleted, "" if they were not
	Remarks  []string // faults of the loaded programs that were repaired
	Note     string   // why the loaded programs stay although loading would give others, "" if they are the same
}

// Beside is the programs that were loaded beside others, which go on recording until Finish removes them, with all
// their recordings. Undo removes the new ones instead.
type Beside struct {
	Loaded       Loaded
	Finish, Undo func() error
}

func (h Host) engine() engine.Host { return engine.Host{Root: h.Root, Run: h.Run, API: h.API} }

// live reports whether the host is running, and is not only a tree of files.
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

// hasSystemd reports whether the host boots with systemd, and runsSystemd whether systemd is running now.
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

// Report says what was done, or in a dry run, what would be done.
type Report struct {
	DryRun     bool
	Changes    []hostfile.Change
	Engines    []Engine
	Loaded     *Loaded            // nil if the programs were not to be loaded
	Adopted    []engine.Container // running containers that were registered
	Unloaded   bool               // the programs were loaded and were unloaded
	Recordings int                // number of recordings deleted by unloading
	Commands   []string           // commands left for the user to run, in this order
	Kept       []Kept
	Edited     string   // directory with copies of files that were replaced in spite of edits
	Notes      []string // further notes for the user
}

// Engine describes one engine in a report.
type Engine struct {
	engine.Engine
	Shim   string            // the path by which it calls the shim after an installation
	Real   string            // the runtime that the shim calls
	Left   []engine.Runtime  // its runtimes that are left as they are, and so are not traced
	Others map[string]string // paths by which its other runtimes call the shim, by name
	Taken  string            // how it loaded its new configuration, "" if it has not
}

// shims returns all paths by which engines of this host may call the shim.
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

// isShim reports whether a program is the shim, by its name.
func isShim(program string) bool {
	base := path.Base(program)
	return base == shimName || strings.HasPrefix(base, linkPrefix)
}

// reloadCommand returns the command that makes a running engine load its configuration, "" if none is needed.
func (h Host) reloadCommand(e engine.Engine) string {
	if !h.live() {
		return ""
	}
	return e.ReloadCommand(h.engine())
}

// open opens the store, read-only in a dry run.
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

// readFile reads a file of the host. It returns nil if the file does not exist.
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

// ownFiles returns the installation's files, except those of engines.
func (h Host) ownFiles(executable, binDir string, settings []byte, names []string) ([]hostfile.File, error) {
	dir, copied, err := h.programs(executable, binDir)
	if err != nil {
		return nil, err
	}
	var files []hostfile.File
	if copied {
		for _, program := range [][2]string{{shimName, filepath.Join(filepath.Dir(executable), shimName)},
			{tracectlName, executable}} {
			data, err := regular.Read(program[1], regular.Program)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%s is not beside tracectl in %s: put both in one directory", program[0],
					filepath.Dir(executable))
			}
			if err != nil {
				return nil, fmt.Errorf("reading program: %w", err)
			}
			files = append(files, hostfile.File{
				Path: path.Join(dir, program[0]), Data: data, Mode: 0o755, For: forShim, Base: true,
			})
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
	if text != nil && agentText != nil && len(h.Self) == 0 { // if a pod installs, its agent runs beside it
		files = append(files, hostfile.File{Path: agent, Data: agentText, Mode: 0o644, For: forUnit})
	}
	return files, nil
}

// unit returns the path of a unit that a package provides, or else the path and contents to write.
func (h Host) unit(name, text, dir string) (file string, data []byte) {
	file = path.Join(unitDir, name)
	for _, packaged := range []string{path.Join("/usr/lib/systemd/system", name), path.Join("/lib/systemd/system", name)} {
		if h.exists(packaged) && !h.exists(file) {
			return packaged, nil
		}
	}
	return file, []byte(strings.ReplaceAll(text, install.BinDir+"/", dir+"/"))
}

// programs returns the directory for the shim and tracectl, and whether they have to be copied there.
func (h Host) programs(executable, binDir string) (dir string, copied bool, err error) {
	self, err := os.Stat(executable)
	if err != nil {
		return "", false, fmt.Errorf("finding tracectl itself: %w", err)
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
