// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// linkPrefix begins the names by which the shim stands for other runtimes than its own.
const linkPrefix = "runc-trace-"

// settings is the configuration file, read once and parsed no further than needed:
// nearly all that a runtime is called for needs its path and nothing else.
type settings struct {
	name    string
	text    string
	problem error // what is wrong with the file, as far as it has been read
}

// openSettings reads the file. Only privileged callers may name another one. That the
// default one is not there is no problem.
func openSettings() *settings {
	s := &settings{name: config.DefaultPath}
	named := os.Getenv(config.PathEnv) != "" && isPrivileged()
	if named {
		s.name = os.Getenv(config.PathEnv)
	}
	var err error
	if s.text, err = config.Read(s.name); err != nil && (named || !errors.Is(err, syscall.ENOENT)) {
		s.problem = fmt.Errorf("configuration: %w", err)
	}
	return s
}

// runtime is where the real runtime is to be looked for, for the shim called by the path own.
func (s *settings) runtime(own spelling) config.Runtime {
	name, called := strings.CutPrefix(path.Base(own.path), linkPrefix)
	if !called {
		name = ""
	}
	if names, ok := config.ParseRuntime(s.text, name); ok {
		return names
	}
	c := s.config()
	return c.RuntimeFor(name)
}

// config is the whole configuration, which can be used whatever is wrong with the file.
func (s *settings) config() config.Config {
	c := config.Default()
	err := guard(func() (err error) {
		c, err = config.Parse(s.text)
		return err
	})
	if err != nil {
		s.problem = fmt.Errorf("configuration %q: %w", s.name, err)
	}
	return c
}
