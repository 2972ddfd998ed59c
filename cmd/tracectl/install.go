// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/install"
	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/hostns"
	"github.com/runc-trace/runc-trace/pkg/installation"
)

const installLong = `Put runc-trace between container engines and their runtimes. This copies the programs to
/opt/runc-trace/bin unless a package installed them, writes a configuration with the
engines' current runtimes, makes systemd load the eBPF programs at boot before the
engines start, and changes only the runtime in the engines' configuration. It also adds
a link in /usr/local/bin (or /opt/bin, if /usr is read-only), man pages below
/usr/local/share/man, and completion for those of bash, zsh and fish that are installed.
Existing files of others at these paths are left alone.

With --set-default, the engine's default runtime goes through runc-trace and keeps its
name (on Docker, it is named runc-trace). Without it, a runtime named runc-trace is
added, with the options of the default one. --all-runtimes also routes other runtimes
that call a runc-like program, such as those of RuntimeClasses nvidia or crun; runtimes
that are not routed are listed. Each engine's own program checks the new configuration.
If its result is not as intended, all changes are undone.
If anything fails, nothing is installed. A file that cannot be restored then is named,
with the reason, and "tracectl uninstall" restores it later. Installing again changes
only differences, such as programs of an older version; another --engine is added to
those that are configured.

If programs of an older version are loaded, they are replaced, and all recordings are
kept. If the versions have different map layouts, that is not possible, and nothing is
installed unless --discard-recordings is given: see "tracectl load" for how to export
recordings first. Then the new programs are loaded beside the old ones, which go on
recording until the shim is replaced and the engines work. So each container that
starts meanwhile is recorded by one of the two, and running ones are registered again.

With --set-default, running containers are adopted, as in "tracectl load". Without it,
they are left alone, now and later: the configuration gets adopt = false. A default
runtime that an earlier --set-default routed stays routed, and is named: to take it out,
uninstall first.

Engines use the new configuration after a restart. --restart restarts them now, through
systemd, if their configuration changed. Containers survive the restart. Docker reloads
its configuration instead. Each engine must work again within a minute: containerd and
CRI-O must answer a CRI version request, and Docker /_ping. If one does not, every file
is restored, the engine is restarted again, and the error shows its messages from
systemd's journal. The failure is remembered: the same version with the same
configuration then fails at once and changes nothing, unless --retry is given.

--restart-command is for engines that systemd does not run. The shell runs it in place
of systemctl, with the engine's name as $1, and it need not wait for the engine. It must
ask another process to restart the engine: a process that it starts itself ends with the
pod, and holds its output open.

With --host, tracectl works on the host from within a container, such as the init
container of a DaemonSet: it enters the namespaces of PID 1 and copies the programs from
its own image. The container must be privileged and share the host's PID namespace. It
needs no mounts. After an engine was told to restart, signals do not interrupt tracectl.

Changes are recorded in /var/lib/runc-trace, and "tracectl uninstall" undoes them.`

func newInstall(s *settings) *cobra.Command {
	var r installation.Request
	var root string
	c := &cobra.Command{
		Use:   "install",
		Short: "Route container engines through runc-trace",
		Long:  installLong,
		Example: `  tracectl install --set-default --dry-run
  tracectl install --set-default --restart
  tracectl install --engine containerd
  tracectl install --host --restart --set-default --termination-log /dev/termination-log
  tracectl install --engine containerd --restart-command 'sv restart containerd'`,
		Args: exactly(0),
	}
	words := []string{"auto"}
	for _, kind := range engine.Kinds {
		words = append(words, string(kind))
	}
	kind := addChoice(c, "engine", "", "engine to configure; auto: all that are found", words...)
	flags := c.Flags()
	flags.BoolVar(&r.Default, "set-default", false, "route the default runtime through runc-trace, instead of adding a runtime")
	flags.BoolVar(&r.All, "all-runtimes", false, "also route the engine's other runc-like runtimes; implies --set-default")
	flags.BoolVar(&r.Restart, "restart", false, "restart the engines so that they use the new configuration")
	addRestartCommand(c, &r.RestartCommand)
	flags.BoolVar(&r.Retry, "retry", false, "retry a configuration that failed before")
	flags.BoolVar(&r.Discard, "discard-recordings", false, "if this version cannot keep the recordings, delete them all")
	flags.BoolVar(&r.DryRun, "dry-run", false, "show what would change, with diffs, and change nothing")
	flags.StringVar(&r.BinDir, "bin-dir", install.BinDir, "directory for the programs, which must outlive a reboot")
	addRootFlag(c, &root)
	pod := addPodFlags(c)
	output := addOutput(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := installation.CheckBinDir(r.BinDir); err != nil {
			return &usageError{c, fmt.Errorf("--bin-dir %q: %w", r.BinDir, err)}
		}
		if kind.word != "auto" {
			r.Kind = engine.Kind(kind.word)
		}
		r.Restart = r.Restart || r.RestartCommand != ""
		r.Default = r.Default || r.All
		return pod.run(c, func(ctx context.Context) (string, error) {
			return s.install(ctx, c.OutOrStdout(), c.ErrOrStderr(), r, root, output.word)
		})
	}
	return c
}

// install installs, prints the changes, and returns a summary of one line.
func (s *settings) install(ctx context.Context, stdout, stderr io.Writer, r installation.Request,
	root, output string) (string, error) {
	h, err := s.host(root)
	if err != nil {
		return "", err
	}
	h.Beside = func(discard, dryRun bool) (*installation.Beside, error) {
		return s.beside(ctx, stderr, discard, dryRun)
	}
	if r.Executable, err = executable(); err != nil {
		return "", err
	}
	r.Completion = completion
	report, err := h.Install(ctx, r)
	if err != nil {
		return "", err
	}
	// If all containers are to be traced, also trace those that are running already.
	var problem error
	if r.Default && report.Loaded != nil {
		report.Adopted, problem = s.adoptInstalled(ctx, stderr, r.DryRun)
	}
	if output == "json" {
		err = printJSON(stdout, newReport(report, runtimeClass(report, r.Default)))
	} else {
		_, err = io.WriteString(stdout, installedText(report, r.Default))
	}
	return installedLine(report, r.Default), errors.Join(problem, err)
}

// completion returns the script with which a shell completes the arguments of tracectl.
func completion(shell string) ([]byte, error) {
	var b bytes.Buffer
	root := newRoot()
	var err error
	switch shell {
	case "bash":
		err = root.GenBashCompletionV2(&b, true)
	case "zsh":
		err = root.GenZshCompletion(&b)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	default:
		err = fmt.Errorf("no completion for this shell")
	}
	return b.Bytes(), err
}

func addRestartCommand(c *cobra.Command, command *string) {
	c.Flags().StringVar(command, "restart-command", "", "shell command to use in place of systemctl, with the engine's name as $1; implies --restart")
}

func addRootFlag(c *cobra.Command, root *string) {
	c.Flags().StringVar(root, "root", "/", "root directory of the host or image to change; if not /, nothing is run or loaded")
}

// executable returns the path of tracectl. The shim is beside it.
func executable() (string, error) {
	if program := hostns.Program(); program != "" {
		return program, nil
	}
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", fmt.Errorf("finding tracectl itself: %w", err)
	}
	return path, nil
}

// runtimeClass returns the Kubernetes manifest for the added runtime, "" if Kubernetes cannot use any.
func runtimeClass(r installation.Report, setDefault bool) string {
	for _, e := range r.Engines {
		if manifest := e.RuntimeClass(); manifest != "" && !setDefault {
			return manifest
		}
	}
	return ""
}
