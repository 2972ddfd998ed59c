// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// docker is the driver of dockerd.
type docker struct{}

func (docker) kind() Kind { return Docker }

func (docker) detect(h Host) ([]Engine, error) {
	_, found, err := installed{[]string{"docker.service"}, []string{"--config-file"},
		"/etc/docker/daemon.json", false}.find(h, Docker)
	return found, err
}

// Some restarts of Docker stop containers, so Docker only rereads its configuration.
func (docker) traits() traits {
	return traits{
		program: "dockerd", reserved: stockRuntimes,
		init: []string{"/etc/default/docker", "/etc/conf.d/docker"}, options: "DOCKER_OPTS",
		verb: "reload", advice: "kill -HUP $(pidof dockerd), or restart dockerd", keeps: true,
	}
}

// daemonJSON holds the parts of daemon.json that we need.
type daemonJSON struct {
	DefaultRuntime string                   `json:"default-runtime"`
	Runtimes       map[string]dockerRuntime `json:"runtimes"`
	ExecOpts       []string                 `json:"exec-opts"`
	DataRoot       string                   `json:"data-root"`
	Graph          string                   `json:"graph"` // data-root until 22.06
	ExecRoot       string                   `json:"exec-root"`
	Containerd     string                   `json:"containerd"`
	Hosts          []string                 `json:"hosts"`

	flagged     []string // runtimes that are only set by flags; Runtimes has them, too
	flagDefault string   // default runtime by a flag, if that runtime is known
}

type dockerRuntime struct {
	Path    string         `json:"path,omitempty"`
	Args    []string       `json:"runtimeArgs,omitempty"`
	Type    string         `json:"runtimeType,omitempty"`
	Options map[string]any `json:"options,omitempty"`
}

// program returns the program of the runtime, "" if it has none.
func (r dockerRuntime) program() string {
	if r.Path != "" || r.Type != runcType {
		return r.Path
	}
	if binary, _ := r.Options["BinaryName"].(string); binary != "" {
		return binary
	}
	return "runc"
}

// foreign returns the runtime's type if it does not call runc or a compatible program, otherwise "".
func (r dockerRuntime) foreign() string {
	if r.Path != "" || r.Type == runcType {
		return ""
	}
	return r.Type
}

// stockRuntimes are Docker's own names for the runc in its PATH.
var stockRuntimes = []string{"runc", runcType}

// daemonJSON reads daemon.json, and adds the runtimes of flags.
func (e Engine) daemonJSON(h Host) (*object, daemonJSON, error) {
	text, err := h.readIfThere(e.Config)
	if err != nil {
		return nil, daemonJSON{}, err
	}
	return e.parseDaemonJSON(h, text)
}

// parseDaemonJSON parses a daemon.json, and adds the runtimes of dockerd's flags, at its next start and of the running
// one. A runtime in the file has precedence.
func (e Engine) parseDaemonJSON(h Host, text []byte) (*object, daemonJSON, error) {
	var config daemonJSON
	o, err := parseObject(text)
	if err == nil {
		err = o.decode(&config)
	}
	if err != nil {
		return nil, config, fmt.Errorf("parsing %q: %w", e.Config, err)
	}
	commands, err := e.commands(h)
	if err != nil {
		return nil, config, err
	}
	byFlag := ""
	for _, c := range commands {
		byFlag = cmp.Or(byFlag, lastOption(c.args(), "--default-runtime"))
		for _, runtime := range options(c.args(), "--add-runtime") {
			name, program, ok := strings.Cut(runtime, "=")
			name, program = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(program) // as dockerd does
			if _, known := config.Runtimes[name]; known || !ok || slices.Contains(stockRuntimes, name) {
				continue
			}
			config.flagged = append(config.flagged, name)
			if config.Runtimes == nil {
				config.Runtimes = make(map[string]dockerRuntime)
			}
			config.Runtimes[name] = dockerRuntime{Path: program}
		}
	}
	if _, ok := config.runtime(byFlag); ok {
		config.flagDefault = byFlag
	}
	return o, config, nil
}

// runtime returns a runtime by name, and whether dockerd knows it. Since 23.0, the name may be the type of any
// containerd shim.
func (config daemonJSON) runtime(name string) (dockerRuntime, bool) {
	if runtime, ok := config.Runtimes[name]; ok {
		return runtime, true
	}
	if slices.Contains(stockRuntimes, name) {
		return dockerRuntime{Path: "runc"}, true
	}
	isType := strings.IndexByte(name, '.') > 0 && !strings.Contains(name, "/")
	return dockerRuntime{Type: name}, isType
}

func (docker) configured(h Host, e Engine) (runtimes, error) {
	_, config, err := e.daemonJSON(h)
	if err != nil {
		return runtimes{}, err
	}
	command, err := e.command(h)
	if err != nil {
		return runtimes{}, err
	}
	dirs := e.searchPath(h)
	known := runtimes{name: config.DefaultRuntime,
		paths: map[string]string{"runc": h.program("runc", dirs)}, driver: "cgroupfs"}
	if name, ok := option(command.args(), "--default-runtime"); ok {
		known.name = name
	}
	if known.name == "" {
		known.name = "runc"
	}
	for name, runtime := range config.Runtimes {
		known.add(name, h.program(runtime.program(), dirs), runtime.foreign())
	}
	if runtime, ok := config.runtime(known.name); ok {
		known.add(known.name, h.program(runtime.program(), dirs), runtime.foreign())
	}
	if h.unified() && h.hasSystemd() {
		known.driver = "systemd"
	}
	for _, opt := range append(config.ExecOpts, options(command.args(), "--exec-opt")...) {
		if driver, ok := strings.CutPrefix(opt, "native.cgroupdriver="); ok {
			known.driver = driver
		}
	}
	return known, nil
}

// asked returns ErrNoAnswer: dockerd --validate only says whether dockerd would start.
func (docker) asked(context.Context, Host, Engine, []string) (runtimes, error) {
	return runtimes{}, ErrNoAnswer
}

// running returns the result of `docker info`.
func (docker) running(ctx context.Context, h Host, e Engine) (runtimes, error) {
	info, err := dockerInfo(ctx, h, e)
	if err != nil {
		return runtimes{}, err
	}
	known := runtimes{name: info.DefaultRuntime, paths: make(map[string]string), source: "docker info"}
	for name, entry := range info.Runtimes {
		known.add(name, entry.program(), entry.foreign())
	}
	return known, nil
}

// info holds the parts of `docker info` that we need.
type info struct {
	DefaultRuntime string
	DockerRootDir  string
	Runtimes       map[string]dockerRuntime
}

// dockerInfo asks the running dockerd. The error is ErrNoAnswer if it cannot be asked.
func dockerInfo(ctx context.Context, h Host, e Engine) (info, error) {
	var said info
	if h.API == nil {
		return said, ErrNoAnswer
	}
	socket, err := docker{}.socket(h, e)
	if err != nil {
		return said, err
	}
	if socket == "" {
		return said, ErrNoAnswer
	}
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	text, err := h.API.Get(ctx, socket, "/info")
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return said, fmt.Errorf("reading its answer: %w", err)
	}
	return said, nil
}

func (docker) decides(h Host, e Engine, runtime string) place {
	if c, err := e.command(h); err == nil {
		for i, w := range c.words {
			flag, value, joined := strings.Cut(w.text, "=")
			if !joined && i+1 < len(c.words) {
				value = c.words[i+1].text
			}
			if flag == "--add-runtime" && strings.HasPrefix(value, runtime+"=") {
				return w.at
			}
		}
	}
	return place{file: e.Config}
}

func (docker) check(h Host, e Engine) (string, []string, error) {
	// dockerd has --validate since 23.0.
	if !atLeast(e.Version, 23, 0) {
		return "", nil, nil
	}
	if _, err := h.stat(e.Config); errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	// Use the flags of its service, because some of them must not also be in the configuration.
	c, err := e.command(h)
	args := append([]string{"--validate"}, c.args()...)
	if _, ok := option(args, "--config-file"); !ok {
		args = append(args, "--config-file", e.Config)
	}
	return e.Binary, args, err
}

func (docker) socket(h Host, e Engine) (string, error) {
	_, config, err := e.daemonJSON(h)
	if err != nil {
		return "", err
	}
	command, err := e.command(h)
	if err != nil {
		return "", err
	}
	return dockerSocket(append(options(command.args(), "-H", "--host"), config.Hosts...)), nil
}

// dockerSocket returns the first socket among dockerd's hosts. A socket from systemd is assumed at the default path.
func dockerSocket(hosts []string) string {
	const usual = "/var/run/docker.sock"
	for _, host := range hosts {
		if path, ok := strings.CutPrefix(host, "unix://"); ok {
			return first(path, usual)
		}
		if strings.HasPrefix(host, "fd://") {
			return usual
		}
	}
	if len(hosts) > 0 {
		return "" // listens only on the network
	}
	return usual
}

func (docker) ask(ctx context.Context, socket string) error {
	_, err := Sockets{}.Get(ctx, socket, "/_ping")
	return err
}
