// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/answers"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

const exportLong = `Write the calls of a recording in a form that other programs read:

  strace    the log that strace -f -tt -T writes
  json      a call a line, as "straceback show -o json" prints it
  perfetto  Chrome's trace-event format, for ui.perfetto.dev, the performance panel of
            Chromium's DevTools, and speedscope: each call is a slice on its thread, with
            its arguments; signals and ends of threads are instants. Calls that failed
            are in the category "failed". Times are those since the machine's start

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
		Short: "Write a recording for strace's tools, Perfetto or DevTools",
		Long:  exportLong,
		Example: `  tracectl export default/mypod --format perfetto -o mypod.json
  tracectl export mypod --previous | strace-parser -
  tracectl export mypod --format json --failed -o failed.jsonl`,
		Args: exactly(1),
	}
	var r showRequest
	from := addSource(c, recordings)
	r.add(c)
	format := addChoice(c, "format", "", "form of the calls", "strace", "json", "perfetto")
	file := c.Flags().StringP("output", "o", "-", "file to write; -: standard output")
	c.RunE = func(c *cobra.Command, args []string) error {
		reading, err := from.named(c, args)
		if err != nil {
			return err
		}
		source := sourceOf(reading)
		calls := source.Format()
		r.selection().Select(source.Timeline, calls)
		r.notes(c.ErrOrStderr(), source.Calls, source.Timeline)
		if source.Timeline.Len() == 0 {
			err := r.empty(c.ErrOrStderr(), reading, source.Timeline)
			if err != nil {
				return err
			}
		}
		return toFile(*file, c.OutOrStdout(), func(to io.Writer) error { return export(to, &source, calls, format.word) })
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
