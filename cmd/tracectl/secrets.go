// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"

	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/redact"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// secrets returns the table of what is masked in all that commands show and write: nil with --no-redact. It is usable
// even if the configuration has errors, or cannot be read, as by a user who reads a saved recording.
func (s *settings) secrets(stderr io.Writer) *redact.Table {
	if s.noRedact {
		return nil
	}
	c, _ := s.configuration() // doctor reports errors
	table, err := secretsOf(c)
	if err != nil {
		fmt.Fprintf(stderr, "tracectl: %v\n", err)
	}
	return table
}

func secretsOf(c config.Config) (*redact.Table, error) {
	return redact.New(c.Redact.Builtin, c.Redact.Patterns)
}

// mask masks the secrets of a recording, and says how many there were.
func mask(r *straceback.Reading, table *redact.Table, stderr io.Writer) {
	if n := r.Redact(table); n > 0 {
		fmt.Fprintf(stderr, "tracectl: %s masked with %c (--no-redact shows what is recorded)\n",
			terminal.Count(n, "secret"), redact.Fill)
	}
}
