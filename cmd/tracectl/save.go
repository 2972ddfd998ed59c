// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/saved"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const saveLong = `Save the recording of a container in a file: its calls, its names and labels, and what its
processes have open. The commands that read a recording take the file with --from, on any
machine, also on macOS: "tracectl why --from FILE".

The file has what the container read and wrote, as far as that was recorded. Only its
owner can read it. A file that exists is kept, unless --force is given.

If parts of a file are damaged or missing, the others are read, and stderr says what is
lost. With --from, save writes what is left into a new file.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
saved; --previous selects an earlier one.`

func newSave(from reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "save NAME -o FILE",
		Short: "Save a recording in a file",
		Long:  saveLong,
		Example: `  tracectl save default/mypod -o mypod.rec
  tracectl save default/web/nginx --previous -o - | gpg --encrypt -r ops >web.rec.gpg
  tracectl save --from broken.rec -o rest.rec`,
		Args: exactly(1),
	}
	source := addSource(c, from)
	to := c.Flags().StringP("output", "o", "", "the file to write; -: standard output")
	force := c.Flags().Bool("force", false, "replace the file if it exists")
	c.RunE = func(c *cobra.Command, args []string) error {
		stdout := c.OutOrStdout()
		if *to == "" {
			return &usageError{c, errors.New("missing -o FILE")}
		}
		if _, isTerminal := terminal.Is(stdout); *to == "-" && isTerminal {
			return &usageError{c, errors.New("a recording is not text for a terminal: redirect it, or give -o FILE")}
		}
		r, err := source.named(c, args)
		if err != nil {
			return err
		}
		if *to == "-" {
			return writeRecording(stdout, r)
		}
		return createFile(*to, *force, func(w io.Writer) error { return writeRecording(w, r) })
	}
	return c
}

func writeRecording(to io.Writer, r *straceback.Reading) error {
	host, _ := os.Hostname() // it is only told to people
	return saved.Write(to, r, saved.Origin{Program: "tracectl " + version, Host: cmp.Or(r.Node, host)})
}

// createFile creates a file that only its owner can read. If force is true, it replaces a regular file in one step.
func createFile(path string, force bool, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	final := ""
	if errors.Is(err, fs.ErrExist) && force {
		info, problem := os.Lstat(path)
		if problem != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("replacing %s: %w", terminal.Cell(path), cmp.Or(problem, errors.New("it is not a regular file")))
		}
		final = path
		file, err = os.CreateTemp(filepath.Dir(path), ".tracectl-*")
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists; --force replaces it", terminal.Cell(path))
	}
	if err != nil {
		return fmt.Errorf("creating a file: %w", err)
	}
	if err = errors.Join(write(file), file.Sync(), file.Close()); err == nil && final != "" {
		err = os.Rename(file.Name(), final)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", terminal.Cell(path), err), os.Remove(file.Name()))
	}
	return nil
}
