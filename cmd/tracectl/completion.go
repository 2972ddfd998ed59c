// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/terminal"
)

// complete sets the completion function of a flag.
func complete(c *cobra.Command, flag string, function cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, function); err != nil {
		panic(err) // the flag has just been added
	}
}

// offer returns the candidates that begin with the typed text, sorted and without duplicates. Containers choose
// candidates, so offer omits those that a terminal or a shell could take for more than a word.
func offer(candidates []string, typed string) ([]string, cobra.ShellCompDirective) {
	offered := slices.DeleteFunc(candidates, func(candidate string) bool {
		return !terminal.Harmless(candidate) || !strings.HasPrefix(candidate, typed)
	})
	slices.Sort(offered)
	return slices.Compact(offered), cobra.ShellCompDirectiveNoFileComp
}

// lister lists the containers that a command accepts.
type lister func(c *cobra.Command) ([]*labels.Container, error)

// completeContainers completes a command's NAME, and the flags that select containers.
func completeContainers(c *cobra.Command, list lister) {
	c.ValidArgsFunction = func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offerOf(c, list, typed, names)
	}
	for flag, candidates := range map[string]func(*labels.Container, string) []string{
		"namespace": func(k *labels.Container, _ string) []string { return []string{k.Namespace} },
		"pod":       func(k *labels.Container, _ string) []string { return []string{k.Pod} },
		"container": func(k *labels.Container, typed string) []string {
			if k.Name != "" && strings.HasPrefix(k.Name, typed) {
				return []string{k.Name}
			}
			return ids(k)
		},
		"label": pairs,
	} {
		if c.Flags().Lookup(flag) != nil {
			complete(c, flag, func(c *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return offerOf(c, list, typed, candidates)
			})
		}
	}
}

func offerOf(c *cobra.Command, list lister, typed string,
	candidates func(k *labels.Container, typed string) []string) ([]string, cobra.ShellCompDirective) {
	known, err := list(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var all []string
	for _, k := range known {
		all = append(all, candidates(k, typed)...)
	}
	return offer(all, typed)
}

// names returns the first of a container's full name, pod and ID that begins with the typed text.
func names(k *labels.Container, typed string) []string {
	if name := k.FullName(); strings.HasPrefix(name, typed) {
		return []string{name}
	}
	if k.Pod != "" && strings.HasPrefix(k.Pod, typed) {
		return []string{k.Pod}
	}
	return ids(k)
}

func ids(k *labels.Container) []string {
	all := []string{labels.ShortID(k.ID)}
	if k.Engine != "" {
		all = append(all, k.Engine+"://"+k.ID)
	}
	return all
}

// pairs returns the labels of a container, as the last requirement of a selector.
func pairs(k *labels.Container, typed string) []string {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var all []string
	for key, value := range k.Labels {
		all = append(all, before+key+"="+value)
	}
	return all
}

// completeWords completes a flag that takes a list of words, also behind other words and behind "!".
func completeWords(c *cobra.Command, flag string, words func() []string) {
	complete(c, flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexAny(typed, ",=!")+1]
		var all []string
		for _, word := range words() {
			if strings.HasPrefix(before+word, typed) {
				all = append(all, before+word)
			}
		}
		slices.Sort(all)
		return slices.Compact(all), cobra.ShellCompDirectiveNoFileComp
	})
}

// nothingToComplete stops the shell from offering files as a flag's value.
func nothingToComplete(c *cobra.Command, flags ...string) {
	for _, flag := range flags {
		complete(c, flag, cobra.NoFileCompletions)
	}
}
