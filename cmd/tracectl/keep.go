// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

const keepLong = `Keep recordings: their memory is not used for other containers until "tracectl release".
They stay while tracing is loaded, also if "tracectl load --replace" or "tracectl install"
replaces the programs. A running container's recording goes on, and stays after its end.

At most a quarter of the recordings can be kept, so that new containers find room.
"tracectl straceback list" marks them in the column KEPT. To have a recording for longer,
or elsewhere, save it: "tracectl save".

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
meant; --previous selects an earlier one.`

const removeLong = `Remove recordings of containers that have ended, such as one that has a password. All that
was recorded of a container's calls is overwritten with zeros, and of its execs, the
programs and arguments. Nothing brings it back. The name of the container, its labels and
how it ended stay known for a while: "tracectl containers --all".

The file of the recording in the archive ("archive" in the configuration) is removed, too,
but no copy that a bucket has.

A container that has not ended is not removed, and the command fails. Files that "tracectl
save" or another command wrote are not removed either.

` + nameHelp + `
A pod must have only one container. If a container was restarted, its newest run is
removed; --previous selects an earlier one, --all-runs all of them.`

// keeping holds the flags of commands that keep or remove recordings.
type keeping struct {
	*settings
	previous natural
	all      bool // runs of each container
}

func newKeep(s *settings) *cobra.Command {
	return newKeeping(s, &cobra.Command{
		Use:   "keep NAME...",
		Short: "Keep recordings: no other container gets their memory",
		Long:  keepLong,
		Example: `  tracectl keep default/web-0
  tracectl keep default/web/nginx --previous`,
	}, "kept", (*bpf.Keeper).Keep)
}

func newRelease(s *settings) *cobra.Command {
	return newKeeping(s, &cobra.Command{
		Use:   "release NAME...",
		Short: "Let kept recordings be used again",
		Long: `Release recordings that "tracectl keep" keeps. If its container has ended, the memory of a
recording is used for another one when none is free. One that is not kept is left alone.

` + nameHelp,
		Example: `  tracectl release default/web-0`,
	}, "released", (*bpf.Keeper).Release)
}

func newKeeping(s *settings, c *cobra.Command, done string, do func(*bpf.Keeper, int, uint32) error) *cobra.Command {
	k := &keeping{settings: s}
	k.add(c, done, func(_ *bpf.Instance, keeper *bpf.Keeper, r *straceback.Recording) error {
		if r.Archived != nil {
			return fmt.Errorf("it is not in memory any more, but in the archive: copy %s", terminal.Cell(r.Archived.Path))
		}
		return do(keeper, r.Index, r.Generation)
	})
	return c
}

func newRemove(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:     "rm NAME...",
		Aliases: []string{"remove"},
		Short:   "Remove recordings: their memory is overwritten",
		Long:    removeLong,
		Example: `  tracectl rm default/web-0
  tracectl rm default/web/nginx --all-runs`,
		SuggestFor: []string{"delete", "del"},
	}
	k := &keeping{settings: s}
	k.add(c, "removed", k.remove)
	c.Flags().BoolVar(&k.all, "all-runs", false, "all runs of each container")
	exclude(c, "all-runs", "previous")
	return c
}

func (k *keeping) remove(i *bpf.Instance, keeper *bpf.Keeper, r *straceback.Recording) error {
	if r.Archived != nil {
		return k.unarchive(r)
	}
	if err := keeper.Remove(r.Index, r.Generation); err != nil {
		return err
	}
	return errors.Join(keeper.EraseExecs(i, r.Container.Index, r.Container.Generation), k.unarchive(r))
}

// add adds the arguments, and what is done with the recording of each. done is the past participle of that.
func (k *keeping) add(c *cobra.Command, done string, do func(*bpf.Instance, *bpf.Keeper, *straceback.Recording) error) {
	c.Args = between(1, math.MaxInt)
	addPrevious(c, &k.previous)
	c.ValidArgsFunction = func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return offerOf(c, k.recorded, typed, names)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		return k.run(c, args, done, do)
	}
}

// run finds the recordings of all names before it changes any.
func (k *keeping) run(c *cobra.Command, names []string, done string,
	do func(*bpf.Instance, *bpf.Keeper, *straceback.Recording) error) error {
	i, directory, list, err := k.recordings(c.ErrOrStderr())
	if err != nil {
		return err
	}
	defer i.Close()
	keeper, err := bpf.OpenKeeper(i.Dir)
	if err != nil {
		return needsRoot(err)
	}
	defer keeper.Close()
	var chosen []*straceback.Recording
	for _, name := range names {
		runs, err := k.runs(list, directory, name)
		if err != nil {
			return err
		}
		chosen = append(chosen, runs...)
	}
	for _, r := range chosen {
		if err := do(i, keeper, r); err != nil {
			return keepingError(r, i, err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s %s\n", done, runName(r.Container))
	}
	return k.count(i, c.OutOrStdout(), done)
}

// runs returns the chosen run of a container, or all.
func (k *keeping) runs(list []*straceback.Recording, directory *labels.Directory,
	name string) ([]*straceback.Recording, error) {
	runs, err := straceback.Find(list, name)
	if err != nil {
		return nil, explainName(err, name, directory, list)
	}
	if k.all {
		return runs, nil
	}
	run, err := previousRun(runs, name, int(k.previous))
	return []*straceback.Recording{run}, err
}

// runName names a run of a container, which its name alone does not.
func runName(c *labels.Container) string {
	return fmt.Sprintf("%s (%s)", terminal.Cell(c.FullName()), labels.ShortID(c.ID))
}

// count says how many recordings are kept.
func (k *keeping) count(i *bpf.Instance, stdout io.Writer, done string) error {
	if done == "removed" {
		return nil
	}
	kept, err := i.Kept()
	if err == nil {
		_, err = fmt.Fprintf(stdout, "kept are %d of at most %d\n", len(kept), i.KeepLimit())
	}
	return err
}

func keepingError(r *straceback.Recording, i *bpf.Instance, err error) error {
	err = fmt.Errorf("%s: %w", runName(r.Container), err)
	switch {
	case errors.Is(err, bpf.ErrRuns):
		return fmt.Errorf("%w: stop it first", err)
	case errors.Is(err, bpf.ErrKeepLimit):
		return fmt.Errorf("%w: %d are; release or save one (tracectl straceback list shows them), or load more "+
			"recordings (tracectl load --recordings)", err, i.KeepLimit())
	}
	return err
}
