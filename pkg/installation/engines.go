// SPDX-License-Identifier: Apache-2.0

package installation

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/engine"
)

// engines returns the engines to install for. If the user did not ask for an engine by name and it cannot be
// configured, engines leaves it out.
func (h Host) engines(kind engine.Kind, report *Report) ([]engine.Engine, error) {
	var kinds []engine.Kind
	if kind != "" {
		kinds = append(kinds, kind)
	}
	found, problem := engine.Detect(h.engine(), kinds...)
	unhandled := engine.Unhandled(h.engine(), kinds...)
	report.Notes = append(report.Notes, unhandled...)
	unread := make(map[string]error)
	if all, ok := problem.(interface{ Unwrap() []error }); ok && kind == "" {
		for _, err := range all.Unwrap() {
			var one *engine.DetectError
			if !errors.As(err, &one) {
				return nil, err
			}
			unread[one.Engine] = one.Err
			report.Notes = append(report.Notes, fmt.Sprintf("%s is left unchanged: %v", one.Engine, one.Err))
		}
		problem = nil
	}
	var engines []engine.Engine
	for _, e := range found {
		switch {
		case unread[e.String()] != nil:
		case kind == "" && e.Binary == "":
			note := fmt.Sprintf("%s is left unchanged: its configuration exists, but its program does not", e)
			report.Notes = append(report.Notes, note)
		default:
			engines = append(engines, e)
		}
	}
	for _, e := range engines {
		if e.Runtime.Name == "" && problem != nil {
			return nil, problem
		}
	}
	if kind != "" && len(engines) == 0 {
		missing := fmt.Errorf("%s was not found: it has no program, unit or configuration%s", kind, reasons(unhandled))
		return nil, errors.Join(missing, problem)
	}
	if kind == "" && problem != nil {
		return nil, problem
	}
	return engines, nil
}

// route determines the paths by which an engine will call the shim, and their NAMEs.
func (h Host) route(e engine.Engine, routes *routes, r Request, dir string) (Engine, []string, error) {
	routed := Engine{Engine: e, Shim: path.Join(dir, shimName), Others: make(map[string]string)}
	if e.Runtime == (engine.Runtime{}) || r.Default && e.Runtime.Type != "" { // Edit reports the problem
		return routed, nil, nil
	}
	base := e.Base(r.Default)
	if e.Runtime.Type != "" && base.Path == "" {
		return routed, nil, fmt.Errorf("%s has the default runtime %q, %w, and no other that does: "+
			"add one to its configuration", e, e.Runtime.Name, engine.ErrNotRunc)
	}
	var names []string
	link := func(runtime engine.Runtime) (shim, real string, err error) {
		name, real, err := h.name(e, runtime, routes, dir)
		if name == "" {
			return path.Join(dir, shimName), real, err
		}
		names = append(names, name)
		return path.Join(r.BinDir, linkPrefix+name), real, err
	}
	var err error
	if routed.Shim, routed.Real, err = link(base); err != nil {
		return routed, nil, err
	}
	possible, impossible := e.Others()
	if r.Default { // otherwise only the added runtime is traced
		routed.Left = impossible
	}
	for _, other := range possible {
		if !r.All && !isShim(other.Path) {
			if r.Default {
				routed.Left = append(routed.Left, other)
			}
			continue
		}
		if routed.Others[other.Name], _, err = link(other); err != nil {
			return routed, nil, err
		}
	}
	return routed, names, nil
}

// Untraced describes the runtimes that are left as they are, "" if there are none.
func (e Engine) Untraced() string {
	if len(e.Left) == 0 {
		return ""
	}
	return fmt.Sprintf("not traced: containers of its %s%s", engine.Names(e.Left), e.remedy())
}

// remedy says how to have them traced, if that is possible.
func (e Engine) remedy() string {
	possible, _ := e.Engine.Others()
	if !slices.ContainsFunc(e.Left, func(r engine.Runtime) bool { return slices.Contains(possible, r) }) {
		return ""
	}
	return " (--all-runtimes also routes the runc-compatible ones)"
}

// request returns the request for an engine's configuration.
func (e Engine) request(r Request) engine.Request {
	return engine.Request{Shim: e.Shim, Default: r.Default, Others: e.Others}
}

// name returns the NAME for a runtime of an engine, "" for the shim's own name, and the program behind it.
func (h Host) name(e engine.Engine, r engine.Runtime, routes *routes, dir string) (name, real string, err error) {
	switch {
	case isShim(r.Path): // left by an earlier installation
		name = strings.TrimPrefix(strings.TrimPrefix(path.Base(r.Path), shimName), "-")
		runtime := routes.config.RuntimeFor(name)
		real = strings.Join(runtime, ", ")
		if !slices.ContainsFunc(runtime.Candidates(""), h.exists) {
			const gone = "%s calls %s, but the program behind it, %s, does not exist: install it, or set its path in %s"
			return "", real, fmt.Errorf(gone, e, r.Path, real, config.DefaultPath)
		}
		return name, real, nil
	case r.Path == "" || !h.exists(r.Path):
		return "", r.Path, fmt.Errorf("%s has the runtime %q, but its program%s does not exist: "+
			"install it, or correct the engine's configuration", e, r.Name, strings.TrimSuffix(" "+r.Path, " "))
	case h.sameFile(r.Path, path.Join(dir, shimName)):
		return "", r.Path, fmt.Errorf("%s has the runtime %q, which is runc-trace itself (%s): "+
			"configure the real runtime there", e, r.Name, r.Path)
	}
	return routes.name(e, r.Path), r.Path, nil
}

func (h Host) sameFile(a, b string) bool {
	first, err := h.stat(a)
	if err != nil {
		return false
	}
	second, err := h.stat(b)
	return err == nil && os.SameFile(first, second)
}

func reasons(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	return "; " + strings.Join(notes, "; ")
}

func kinds() string {
	var names []string
	for _, k := range engine.Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// agentAdvice says what the agent is for and how to start it. In a pod, the DaemonSet runs one already.
func (h Host) agentAdvice(engines []Engine) []string {
	forPods := func(e Engine) bool { return e.RuntimeClass() != "" }
	if !h.live() || len(h.Self) > 0 || !slices.ContainsFunc(engines, forPods) {
		return nil
	}
	how := "systemctl enable --now " + strings.TrimSuffix(agentName, ".service")
	if !h.runsSystemd() {
		how = "keep tracectl agent running"
	}
	return []string{"the agent is not running; it adds metrics and pod labels from the API server: " + how}
}
