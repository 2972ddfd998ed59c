// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

//go:generate go test -count=1 -run TestManPages|TestReasonsAreDocumented . -update-man

var updateMan = flag.Bool("update-man", false, "write the man pages and the tables of docs/output.md instead of comparing them")

// TestManPages compares docs/man with the commands.
func TestManPages(t *testing.T) {
	pages := make(map[string][]byte)
	var add func(c *cobra.Command)
	add = func(c *cobra.Command) {
		var page bytes.Buffer
		c.Long = strings.ReplaceAll(c.Long, "<", "\\<") // Markdown would read it as a tag
		// Date and source are fixed, so that the pages change only with the commands.
		header := &doc.GenManHeader{Section: "8", Source: "runc-trace", Manual: "System Administration", Date: &manDate}
		if err := doc.GenMan(c, header, &page); err != nil {
			t.Fatal(err)
		}
		if manName(c) == "tracectl-status.8" {
			addReasons(t, &page)
		}
		pages[manName(c)] = page.Bytes()
		for _, sub := range c.Commands() {
			if sub.IsAvailableCommand() && sub.Name() != "completion" && sub.Name() != "help" {
				add(sub)
			}
		}
	}
	root := newRoot()
	root.InitDefaultHelpCmd()
	add(root)

	dir := filepath.Join("..", "..", "docs", "man")
	source, err := os.ReadFile(filepath.Join(dir, "runc-trace.8.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages["runc-trace.8"] = md2man.Render(source)

	if *updateMan {
		for name, page := range pages {
			if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	present, err := filepath.Glob(filepath.Join(dir, "*.8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range present {
		if _, ok := pages[filepath.Base(path)]; !ok {
			t.Errorf("%s describes no command", path)
		}
	}
	for name, page := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Errorf("%v: make generate writes it", err)
			continue
		}
		if diff := cmp.Diff(string(page), string(got)); diff != "" {
			t.Errorf("%s is not what make generate writes (-want +got):\n%s", name, diff)
		}
	}
}

// addReasons adds the reasons for drops to the man page of status, before its examples.
func addReasons(t *testing.T, page *bytes.Buffer) {
	before, after, found := strings.Cut(page.String(), ".SH EXAMPLE\n")
	if !found {
		t.Fatal("the man page of status has no example")
	}
	var text strings.Builder
	escape := strings.NewReplacer(`\`, `\e`, "-", `\-`)
	for _, part := range droppedReasons() {
		fmt.Fprintf(&text, ".SH %s\n%s\n", strings.ToUpper(part.name), part.text)
		for _, r := range part.reasons {
			fmt.Fprintf(&text, ".TP\n\\fB%s\\fP\n%s. Remedy: %s.\n", r.Name, escape.Replace(r.Text), escape.Replace(r.Remedy))
		}
	}
	page.Reset()
	page.WriteString(before + text.String() + ".SH EXAMPLE\n" + after)
}

var manDate = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// manName returns the name of a command's man page: tracectl-straceback-list.8.
func manName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-") + ".8"
}
