// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// choice is a flag that accepts one of several words. The first one is the default.
type choice struct {
	words []string
	word  string
}

func (c *choice) String() string { return c.word }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }

func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return fmt.Errorf("must be one of %s", strings.Join(c.words, ", "))
	}
	c.word = word
	return nil
}

// addChoice adds a flag that accepts one of several words.
func addChoice(c *cobra.Command, name, short, usage string, words ...string) *choice {
	value := &choice{words: words, word: words[0]}
	c.Flags().VarP(value, name, short, usage)
	complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
	if err := c.RegisterFlagCompletionFunc(name, complete); err != nil {
		panic(err) // the flag has just been added
	}
	return value
}

// addOutput adds -o.
func addOutput(c *cobra.Command) *choice {
	return addChoice(c, "output", "o", "output format", "text", "json")
}

// addTimestamps adds -t with a default style. more are styles that only some commands have.
func addTimestamps(c *cobra.Command, style timestamp.Style, more ...timestamp.Style) *choice {
	words := []string{string(style)}
	all := append([]timestamp.Style{timestamp.None, timestamp.Relative, timestamp.Wall, timestamp.UTC}, more...)
	for _, other := range all {
		if other != style {
			words = append(words, string(other))
		}
	}
	return addChoice(c, "timestamps", "t", "times: none, since the container's creation, or RFC 3339 (local or UTC)", words...)
}

// addListOutput adds -o for output in columns.
func addListOutput(c *cobra.Command) *choice {
	return addChoice(c, "output", "o", "output format; wide: all columns", "text", "wide", "json")
}

// nameHelp describes NAME in the help of each command that takes a container.
const nameHelp = `NAME is a container ID or engine://ID, or the beginning of one; a pod, as pod or
namespace/pod; namespace/pod/container; or the container's own name. A whole ID is
preferred to the beginning of others; names are preferred to a beginning of fewer than 12
digits, and a pod to containers with its name in other pods. If NAME matches several
containers, they are listed. The exit code is 4 if several or none match.`

// addFilter adds the flags that select containers.
func addFilter(c *cobra.Command) *labels.Filter {
	var f labels.Filter
	const selector = `label selector, as kubectl's: "app=web,tier!=db,env in (dev,test),!canary"; if repeated, all must match`
	c.Flags().VarP(&f.Labels, "label", "l", selector)
	addNamespace(c, &f.Namespace)
	c.Flags().Var(&f.Pod, "pod", "pod name or pattern, with or without namespace: web-*, prod/web-0")
	c.Flags().Var(&f.Container, "container", "container name or pattern, ID, 6 or more leading digits of an ID, or engine://ID")
	return &f
}

// addNamespace adds -n.
func addNamespace(c *cobra.Command, namespace *labels.Glob) {
	c.Flags().VarP(namespace, "namespace", "n", "namespace of the pod: a name, or a pattern such as 'kube-*'")
}

// addAll adds --all.
func addAll(c *cobra.Command) *bool {
	return c.Flags().BoolP("all", "a", false, "include containers that have ended")
}
