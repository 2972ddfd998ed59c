// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
)

// settings holds the flags of every command.
type settings struct {
	pinDir string
	config string
	// noRedact shows secrets.
	noRedact bool
}

// configuration reads the configuration file. The default file may be missing.
func (s *settings) configuration() (config.Config, error) {
	path := s.config
	if path == "" {
		path = os.Getenv(config.PathEnv)
	}
	if path != "" {
		return config.Load(path)
	}
	c, err := config.Load(config.DefaultPath)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	return c, err
}

// directory returns the pin directory. It reads the configuration only if flags and environment do not name one.
func (s *settings) directory() (string, error) {
	dir := s.pinDir
	if dir == "" {
		dir = os.Getenv(abi.PinDirEnv)
	}
	if dir == "" {
		c, err := s.configuration()
		return c.PinDir, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("finding pin directory %s: %w", dir, err)
	}
	return dir, nil
}
