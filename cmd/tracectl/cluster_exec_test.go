// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/runc-trace/runc-trace/pkg/cluster"
	"github.com/runc-trace/runc-trace/pkg/timestamp"
)

// fakeNodes is a Runner.
type fakeNodes map[string]func(ctx context.Context, args []string, stdout io.Writer) error

func (f fakeNodes) Run(ctx context.Context, node cluster.Node, args []string, stdout, _ io.Writer) error {
	return f[node.Name](ctx, args, stdout)
}

func TestClusterExec(t *testing.T) {
	time.Local = time.UTC
	const line = `{"time":"2026-01-01T00:00:0%d.5Z","comm":"sh","pid":7,"ppid":1,"ret":0,"path":"/bin/sh","args":["sh","-c","\u001b[2J"],"log":1,"sequence":%d,"namespace":"default","pod":"web","container":"app"}` + "\n"
	nodes := fakeNodes{
		"n1": func(_ context.Context, _ []string, w io.Writer) error {
			fmt.Fprintf(w, strings.ReplaceAll(line+line, `"comm"`, `"elapsed":1000000007,"comm"`), 1, 0, 3, 1)
			return nil
		},
		"worker-2": func(_ context.Context, _ []string, w io.Writer) error { fmt.Fprintf(w, line, 2, 0); return nil },
	}
	find := func(context.Context) ([]cluster.Node, error) {
		return []cluster.Node{{Name: "n1"}, {Name: "worker-2"}}, nil
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--no-follow", "-t=none"}, "" +
			"NODE     PCOMM            PID    PPID   RET ARGS\n" +
			"n1       sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"worker-2 sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"n1       sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n"},
		{[]string{"--no-follow"}, "" +
			"NODE     TIME                           PCOMM            PID    PPID   RET ARGS\n" +
			"n1       2026-01-01T00:00:01.500000000Z sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"worker-2 2026-01-01T00:00:02.500000000Z sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"n1       2026-01-01T00:00:03.500000000Z sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n"},
		{[]string{"--no-follow", "-t", "relative"}, "" + // an old node does not report it
			"NODE     TIME            PCOMM            PID    PPID   RET ARGS\n" +
			"n1       00:01.000000007 sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"worker-2 -               sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"n1       00:01.000000007 sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n"},
		{[]string{"-o", "wide", "--no-follow", "-t=none"}, "" +
			"NODE     NAMESPACE      POD                      CONTAINER        IMAGE                    PCOMM            PID    PPID   RET ARGS\n" +
			"n1       default        web                      app              -                        sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"worker-2 default        web                      app              -                        sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n" +
			"n1       default        web                      app              -                        sh               7      1        0 /bin/sh -c \"\\x1b[2J\"\n"},
	} {
		c0 := &cobra.Command{Use: "exec"}
		r := addExecFlags(c0)
		if err := c0.ParseFlags(c.args); err != nil {
			t.Fatal(err)
		}
		r.columns = r.shown(c0)
		var stdout, stderr bytes.Buffer
		run, err := newClusterRun(t.Context(), nodes, find, time.Minute, &stdout, &stderr, "tracectl")
		if err != nil {
			t.Fatal(err)
		}
		if err := run.execs(t.Context(), r, nil); err != nil || stderr.Len() > 0 {
			t.Errorf("%v: %v, %s", c.args, err, &stderr)
		}
		if diff := cmp.Diff(c.want, stdout.String()); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
}

// TestClusterExecFollows follows the nodes, and is interrupted.
func TestClusterExecFollows(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var asked []string
	nodes := fakeNodes{"n1": func(ctx context.Context, args []string, w io.Writer) error {
		asked = args
		fmt.Fprint(w, `{"heartbeat":"2026-01-01T00:00:00Z"}`+"\n"+
			`{"time":"2026-01-01T00:00:00Z","log":1,"sequence":3,"comm":"sh"}`+"\n")
		time.AfterFunc(100*time.Millisecond, cancel)
		<-ctx.Done()
		return ctx.Err()
	}}
	find := func(context.Context) ([]cluster.Node, error) { return []cluster.Node{{Name: "n1"}}, nil }
	c := &cobra.Command{Use: "exec"}
	r := addExecFlags(c)
	if err := c.ParseFlags([]string{"-o", "json"}); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	run, err := newClusterRun(ctx, nodes, find, 15*time.Second, &stdout, io.Discard, "tracectl")
	if err != nil {
		t.Fatal(err)
	}
	if err := run.execs(ctx, r, []string{"exec", "--output=json"}); err != nil {
		t.Error(err)
	}
	want := `{"node":"n1","time":"2026-01-01T00:00:00Z","log":1,"sequence":3,"comm":"sh"}` + "\n"
	if diff := cmp.Diff(want, stdout.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(asked) == 0 {
		t.Fatal("the node was not asked")
	}
	// --since begins at the start of the command, because connecting takes time.
	text, _ := strings.CutPrefix(asked[len(asked)-1], "--since=")
	if since, err := time.ParseDuration(text); err != nil || since <= 0 || since > time.Minute {
		t.Errorf("asked for %q", asked)
	}
	if diff := cmp.Diff([]string{"exec", "--output=json", "--heartbeat=5s", "--until-eof"},
		asked[:len(asked)-1]); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestTimes checks which times exec shows.
func TestTimes(t *testing.T) {
	for args, want := range map[string]timestamp.Style{
		"":                           timestamp.None,
		"-T":                         timestamp.Wall,
		"-t utc":                     timestamp.UTC,
		"-T -t relative":             timestamp.Relative,
		"--no-follow":                timestamp.Wall,
		"--since 1d":                 timestamp.Wall,
		"--since 0001-01-01":         timestamp.Wall,
		"--no-follow -t none":        timestamp.None,
		"--no-follow --time=false":   timestamp.None,
		"--since 1d -t relative":     timestamp.Relative,
		"--timestamps=wall":          timestamp.Wall,
		"--no-follow --time -t none": timestamp.None,
	} {
		c := &cobra.Command{Use: "exec"}
		r := addExecFlags(c)
		if err := c.ParseFlags(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		if got := r.shown(c).Time; got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}
