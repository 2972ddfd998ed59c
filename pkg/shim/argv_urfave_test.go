// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli"
)

// parseWithUrfave parses a command line with the parser of runc, given the flags of the tables.
func parseWithUrfave(args []string) Operation {
	var op Operation
	app := cli.NewApp()
	app.Writer, app.ErrWriter = io.Discard, io.Discard
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.Flags = urfaveFlags(runcGlobal)
	app.Before = func(c *cli.Context) error {
		op.Verb = c.Args().First()
		if c.NArg() > 0 && c.Bool("systemd-cgroup") {
			op.Driver = Systemd
		}
		return nil
	}
	app.Action = func(*cli.Context) error { return nil }
	for verb, options := range map[string][]option{"create": runcCreate, "run": runcRun, "restore": runcRestore} {
		app.Commands = append(app.Commands, cli.Command{
			Name:  verb,
			Flags: urfaveFlags(options),
			Action: func(c *cli.Context) error {
				if c.NArg() == 1 {
					op.Container, op.Bundle = c.Args().First(), c.String("bundle")
				}
				return nil
			},
		})
	}
	_ = app.Run(append([]string{"runc"}, args...))
	return op
}

func urfaveFlags(options []option) []cli.Flag {
	var flags []cli.Flag
	for _, o := range options {
		name := o.long
		if o.short != 0 {
			name += ", " + string(rune(o.short))
		}
		switch {
		case o.long == "help" || o.long == "version": // added by the parser itself
		case o.takes == text:
			flags = append(flags, cli.StringFlag{Name: name})
		case o.takes == number:
			flags = append(flags, cli.IntFlag{Name: name})
		default:
			flags = append(flags, cli.BoolFlag{Name: name})
		}
	}
	return flags
}

// FuzzParse compares Parse with the parser of runc. The arguments are the lines of the text.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"create\nx",
		"--root\n/r\n--log=/l\n--systemd-cgroup\ncreate\n--bundle\n/b\nx",
		"run\nx\n-d\n-b\n/b",
		"run\n-d\nx\n--bundle=/b\n--\ny",
		"restore\n---bundle\n/b\nx",
		"--help\nrun\nx",
		"create\n--preserve-fds\n-1\n-h=0\nx",
		"create\n--bundle\n--\nx",
		"help\ncreate",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\n")
		if strings.Contains(text, "\x00") {
			return // impossible in an argument
		}
		got := Parse(args, Runc)
		Parse(args, Crun) // must not crash
		got.Log, got.LogFormat = "", ""
		want := parseWithUrfave(args)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-urfave +got):\n%s", args, diff)
		}
	})
}
