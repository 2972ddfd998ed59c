// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/scap"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const exportLong = `Write the calls of a recording in a form that other programs read:

  strace    the log that strace -f -tt -T writes
  json      a call a line, as "straceback show -o json" prints it
  perfetto  Chrome's trace-event format, for ui.perfetto.dev, the performance panel of
            Chromium's DevTools, and speedscope: each call is a slice on its thread, with
            its arguments; signals and ends of threads are instants. Calls that failed
            are in the category "failed". Times are those since the machine's start
  scap      the capture format that sysdig, Stratoshark and Falco read: docs/output.md says
            what of a recording fits. stderr says for how many calls it has no name

Calls are selected as by "straceback show". Calls of the container runtime itself are left
out without --runtime. If calls were overwritten or lost, stderr says how many.

A file has what the container read and wrote: it is created for its owner only, and
replaced only when all of it is written.

` + nameHelp + `
If a container was restarted, its newest run is exported; --previous selects an earlier
one.`

func newExport(recordings reader) *cobra.Command {
	c := &cobra.Command{
		Use:   "export NAME",
		Short: "Write a recording for strace's tools, Perfetto, DevTools or sysdig",
		Long:  exportLong,
		Example: `  tracectl export default/mypod --format perfetto -o mypod.json
  tracectl export mypod --previous | strace-parser -
  tracectl export mypod --format json --failed -o failed.jsonl
  tracectl export mypod --format scap -o mypod.scap && sysdig -r mypod.scap`,
		Args: exactly(1),
	}
	var r showRequest
	from := addSource(c, recordings)
	r.add(c)
	format := addChoice(c, "format", "", "form of the calls", "strace", "json", "perfetto", "scap")
	file := c.Flags().StringP("output", "o", "-", "file to write; -: standard output")
	c.RunE = func(c *cobra.Command, args []string) error {
		reading, err := from.named(c, args)
		if err != nil {
			return err
		}
		source := sourceOf(reading)
		var past *answers.Past
		if format.word == "scap" {
			past = answers.New(source) // with the calls that are not selected
		}
		calls := source.Format()
		r.selection().Select(source.Timeline, calls)
		r.notes(c.ErrOrStderr(), source.Calls, source.Timeline)
		if source.Timeline.Len() == 0 {
			err := r.empty(c.ErrOrStderr(), reading, source.Timeline)
			if err != nil {
				return err
			}
		}
		return toFile(*file, c.OutOrStdout(), func(to io.Writer) error {
			if past != nil {
				return exportScap(to, past, c.ErrOrStderr())
			}
			return export(to, &source, calls, format.word)
		})
	}
	return c
}

// export writes the calls of a recording.
func export(to io.Writer, s *answers.Source, f *straceback.Format, format string) error {
	switch format {
	case "json":
		return f.WriteJSON(to, s.Timeline)
	case "perfetto":
		return f.WritePerfetto(to, s.Timeline)
	}
	f.Strace = true
	return f.WriteText(to, s.Timeline)
}

// exportScap writes the calls of a recording for sysdig, and says of how many its format does not have the name.
func exportScap(to io.Writer, past *answers.Past, stderr io.Writer) error {
	unnamed, err := scap.Write(to, past)
	if err != nil || len(unnamed) == 0 {
		return err
	}
	const most = 8
	var total uint64
	var list []string
	for n, name := range unnamed.Names() {
		total += unnamed[name]
		if n < most {
			list = append(list, fmt.Sprintf("%s (%d)", name, unnamed[name]))
		}
	}
	if more := len(unnamed) - len(list); more > 0 {
		list = append(list, fmt.Sprintf("%d others", more))
	}
	fmt.Fprintf(stderr, "tracectl: %s without a name in this format: %s\n", terminal.Count(total, "call"),
		strings.Join(list, ", "))
	return nil
}
