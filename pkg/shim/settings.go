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

// linkPrefix is the prefix of the names by which the shim stands for other runtimes than its default one.
const linkPrefix = "runc-trace-"

// settings is the configuration file. It is read once and parsed no further than needed: nearly all calls of a runtime
// need only its path.
type settings struct {
	name    string
	text    string
	problem error // error in the part of the file read so far
}

// openSettings reads the file. Only privileged callers may name another one. A missing default file is not an error.
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

// runtime returns the candidates for the real runtime if the shim was called by the path own.
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

// config returns the whole configuration, which is usable even if the file has errors.
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
