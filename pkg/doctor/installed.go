// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/engine"
	"github.com/runc-trace/runc-trace/pkg/redact"
)

// configuration judges config.toml. The shim works in spite of errors in it, but load does not.
func configuration(f Facts) []Check {
	c := f.Configuration
	switch {
	case errors.Is(c.Err, os.ErrPermission) && !f.Self.privileged():
		return nil // privileges reports the reason
	case c.Err != nil:
		problems := strings.Split(c.Err.Error(), "\n")
		return fail("configuration", strings.Join(problems, "; "), "edit "+c.Path)
	case !c.Present:
		return ok("configuration", "using the defaults: there is no "+c.Path)
	case c.Config.PinDir != f.PinDir.Path:
		return warn("configuration", fmt.Sprintf("%s registers containers below %s, but the pin directory checked here is %s",
			c.Path, c.Config.PinDir, f.PinDir.Path),
			fmt.Sprintf("run tracectl doctor --pin-dir %s, or change pin-dir in the configuration", c.Config.PinDir))
	}
	return ok("configuration", c.Path)
}

// contents judges the rules for how much is recorded.
func contents(f Facts) []Check {
	rules := f.Configuration.Config.Contents
	if rules.Labels() && slices.ContainsFunc(f.Engines, func(e Engine) bool { return e.Kind == engine.Containerd }) {
		return warn("contents", "rules for labels in [contents] match no pod of containerd: the shim does not know its labels",
			"name namespaces in "+f.Configuration.Path+", or annotate pods with runc-trace.contents")
	}
	return nil
}

// redaction judges the patterns of what tracectl masks.
func redaction(f Facts) []Check {
	r := f.Configuration.Config.Redact
	if _, err := redact.New(r.Builtin, r.Patterns); err != nil {
		return warn("redact", strings.ReplaceAll(err.Error(), "\n", "; "), "correct the pattern in "+f.Configuration.Path)
	}
	return nil
}

// runtimes judges the real runtimes.
func runtimes(f Facts) []Check {
	var checks []Check
	for _, r := range f.Runtimes {
		name, key := "runtime", "runtime"
		if r.Name != "" {
			name, key = "runtime "+r.Name, "runtimes."+r.Name
		}
		edit := fmt.Sprintf("set %s to the real runtime in %s", key, f.Configuration.Path)
		switch {
		case r.Shim:
			checks = append(checks, fail(name, fmt.Sprintf("%s is runc-trace itself", r.Path), edit)...)
		case r.Path == "":
			checks = append(checks, fail(name, fmt.Sprintf("no program found: %s", strings.Join(r.Wanted, ", ")),
				"install it, run tracectl install if it has moved, or "+edit)...)
		case r.Err != nil:
			checks = append(checks, fail(name, fmt.Sprintf("%s does not print its version: %v", r.Path, r.Err),
				"repair it, or "+edit)...)
		default:
			checks = append(checks, ok(name, fmt.Sprintf("%s, %s", r.Path, r.Answer))...)
		}
	}
	return checks
}

// shims judges the programs installed in place of runc.
func shims(f Facts) []Check {
	const install = "tracectl install"
	if len(f.Shims) == 0 {
		return fail("shim", "runc-trace was not found beside tracectl, in /opt/runc-trace/bin or in PATH", install)
	}
	var checks []Check
	for _, s := range f.Shims {
		switch {
		case s.Mode.Perm()&0o022 != 0 || s.UID != 0:
			checks = append(checks, fail("shim",
				fmt.Sprintf("%s can be changed by other users (user ID %d, mode %04o), but engines run it as root",
					s.Path, s.UID, s.Mode.Perm()),
				fmt.Sprintf("chown root %s; chmod 755 %[1]s", s.Path))...)
		case errors.Is(s.Err, context.DeadlineExceeded):
			checks = append(checks, warn("shim",
				fmt.Sprintf("%s did not reach a runtime within %v: the host is busy, or the runtime hangs", s.Path, commandTime),
				"see the runtime check above, and run tracectl doctor again")...)
		case s.Err != nil:
			checks = append(checks, fail("shim", fmt.Sprintf("%s does not reach a runtime: %v", s.Path, s.Err),
				"see the runtime check above")...)
		case !s.Same:
			checks = append(checks, warn("shim", fmt.Sprintf("%s and %s are different versions", s.Path, f.Shims[0].Path),
				install+", which installs one version of all")...)
		default:
			checks = append(checks, ok("shim", fmt.Sprintf("%s reaches %s", s.Path, s.Answer))...)
		}
	}
	return checks
}

// engines judges the engines, and whether their cgroup driver matches the kubelet's.
func engines(f Facts) []Check {
	var checks []Check
	if f.EnginesErr != nil {
		checks = warn("engines", strings.ReplaceAll(f.EnginesErr.Error(), "\n", "; "), "correct the engine's configuration")
	}
	for _, description := range f.Unhandled {
		checks = append(checks, warn("engines", description, "install Docker from its packages")...)
	}
	for _, e := range f.Engines {
		checks = append(checks, engineCheck(e)...)
		if len(e.Loses) > 0 && (e.Use.Default || len(e.Use.Runtimes) > 0) {
			checks = append(checks, warn("engine "+e.String(),
				fmt.Sprintf("its next reload loses its %s, which only --add-runtime defines", engine.Names(e.Loses)),
				fmt.Sprintf("tracectl install --engine %s --restart", e.Kind))...)
		}
		if f.KubeletDriver != "" && e.CgroupDriver != "" && f.KubeletDriver != e.CgroupDriver && e.Daemon() {
			checks = append(checks, warn("kubelet",
				fmt.Sprintf("its cgroup driver is %s, but %s uses %s", f.KubeletDriver, e, e.CgroupDriver),
				fmt.Sprintf("set cgroupDriver: %s in /var/lib/kubelet/config.yaml, then run systemctl restart kubelet", e.CgroupDriver))...)
		}
	}
	return checks
}

// engineCheck judges what an engine does now, and what it will do after its next start.
func engineCheck(e Engine) []Check {
	name, detail := "engine "+e.String(), about(e)
	install := fmt.Sprintf("tracectl install --engine %s --set-default --restart", e.Kind)
	if e.Runtime.Type != "" { // install refuses it
		install = "make a runtime that calls runc its default one, then run " + install
	}
	const stale = "%sits default runtime %s %s runc-trace in its configuration, but the running engine reports that it %s"
	switch {
	case e.Runtime.Name == "":
		return ok(name, detail+"it has no default runtime")
	case e.Missing && e.Use.Default:
		return fail(name, fmt.Sprintf("%sit cannot start containers: its runtime %s is %s, which does not exist", detail,
			e.Runtime.Name, e.Runtime.Path), install+", or tracectl uninstall")
	case e.Use.Default && e.Running != nil && !e.Running.Default:
		return warn(name, fmt.Sprintf(stale, detail, e.Runtime.Name, "is", "calls another program"), e.Reload)
	case !e.Use.Default && e.Running != nil && e.Running.Default:
		return warn(name, fmt.Sprintf(stale, detail, e.Runtime.Name, "is not", "still calls it"), e.Reload)
	case e.Use.Default && e.RunningErr != nil:
		return warn(name,
			fmt.Sprintf("%sits default runtime %s is runc-trace in its configuration, but the running engine could not be asked whether it uses it: %v",
				detail, e.Runtime.Name, e.RunningErr), e.Reload)
	case e.Use.Default:
		detail += fmt.Sprintf("its default runtime %s is runc-trace", e.Runtime.Name)
		if len(e.Untraced) > 0 {
			detail += "; not traced: containers of its " + engine.Names(e.Untraced)
		}
		if e.Binary == "" {
			return warn(name, detail, "start the engine, so that doctor can find its program") // it was not asked
		}
		return ok(name, detail)
	case len(e.Use.Runtimes) > 0:
		return warn(name, fmt.Sprintf("%sits runtime %s is runc-trace, but its default runtime %s is not", detail,
			strings.Join(e.Use.Runtimes, ", "), e.Runtime.Name), install)
	}
	return warn(name, fmt.Sprintf("%snone of its runtimes is runc-trace", detail), install)
}

// about describes an engine, as the beginning of a longer text.
func about(e Engine) string {
	var parts []string
	if e.Version != "" {
		parts = append(parts, "version "+e.Version)
	}
	if e.CgroupDriver != "" {
		parts = append(parts, "cgroup driver "+e.CgroupDriver)
	}
	if e.Binary == "" {
		parts = append(parts, "program not found")
	}
	if parts == nil {
		return ""
	}
	return strings.Join(parts, ", ") + "; "
}

// units judges whether programs are loaded before engines start when the host boots.
func units(f Facts) []Check {
	const unit = "runc-trace.service"
	u := f.Unit
	switch {
	case !f.Systemd:
		return nil
	case u.Err != nil:
		return warn("unit", fmt.Sprintf("systemd does not report the state of %s: %v", unit, u.Err), "systemctl status "+unit)
	case u.Load == "not-found":
		return warn("unit", unit+" is not installed: the programs are not loaded at boot", "tracectl install")
	case u.Active == "failed":
		return fail("unit", unit+" has failed", "journalctl -u "+unit)
	case u.File != "enabled":
		return warn("unit", unit+" is "+u.File+": the programs are not loaded at boot", "systemctl enable "+unit)
	}
	for _, e := range f.Engines {
		if e.Unit != "" && !slices.Contains(u.Before, e.Unit) {
			return warn("unit", fmt.Sprintf("%s is not ordered before %s: the first containers after a boot are missed", unit, e.Unit),
				fmt.Sprintf("run systemctl edit %s and add [Unit] Before=%s", unit, e.Unit))
		}
	}
	return ok("unit", unit+" is enabled")
}
