// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

var updateRecipes = flag.Bool("update-recipes", false, "write the output of the commands into docs/recipes.md")

// inShop describes a container shop/NAME/NAME that runs a script.
func inShop(name, script string) bundle {
	b := simple(name, "/bin/sh", "-c", script)
	b.annotations["io.kubernetes.cri.sandbox-namespace"] = "shop"
	b.annotations["io.kubernetes.cri.image-name"] = name + ":1.4"
	return b
}

// TestRecipes runs the commands of docs/recipes.md for containers that have the problems which the page is about.
func TestRecipes(t *testing.T) {
	const page = "../../docs/recipes.md"
	x := load(t, "--ring-size=512KiB")
	for _, b := range []bundle{
		inShop("api", "cat /etc/app/settings.yaml || { echo 'startup failed' >&2; exit 1; }"),
		inShop("batch", "for n in 1 6; do sleep 0.$n; done; wc -c /bin/sh; exit 7"),
		inShop("victim", "nc -l -p 5300 & sleep 0.1; kill -KILL $!; wait $!"),
		inShop("cleaner", "echo 1 >/tmp/orders.db; cd /tmp; rm orders.db"),
		inShop("client", "nslookup db.shop.example 127.0.0.1; nc 127.0.0.1 5432; exit 3"),
		inShop("job", "echo 'color = red' >/tmp/settings; cat /tmp/settings"),
		inShop("job", "cat /tmp/settings; exit 4"),
	} {
		x.runContainer(b)
	}
	full := inShop("full", "dd if=/dev/zero of=/data/log bs=4k count=64; exit 5")
	full.edit = func(s *specs.Spec) {
		s.Mounts = append(s.Mounts,
			specs.Mount{Destination: "/data", Type: "tmpfs", Source: "tmpfs", Options: []string{"size=64k"}})
	}
	x.runContainer(full)
	denied := inShop("denied", "touch /tmp/mine; chown 0 /tmp/mine; exit 6")
	denied.edit = func(s *specs.Spec) { s.Process.User = specs.User{UID: 1000, GID: 1000} }
	x.runContainer(denied)
	x.start(inShop("stuck", "mkfifo /tmp/jobs; cat /tmp/jobs"))
	eventually(t, "it is stuck for long enough", func() bool {
		return strings.Contains(x.tracectl("why", "stuck"), "has waited")
	})

	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	commands, blank := 0, "" // blank lines, which may be part of an output
	for line := range strings.Lines(string(text)) {
		command, is := strings.CutPrefix(line, "    $ ")
		output := !is && strings.HasPrefix(line, "    ")
		if line == "\n" {
			blank += line
			continue
		}
		if !output {
			got.WriteString(blank)
		}
		blank = ""
		switch {
		case is:
			commands++
			o := x.run("sh", "-c", "PATH=$1:$PATH; "+strings.TrimSpace(command), "sh", filepath.Dir(tracectlPath))
			if o.code != 0 {
				t.Errorf("%sexits with %d: %s", command, o.code, o.stderr)
			}
			got.WriteString(line + indented(o.stdout))
		case !output:
			got.WriteString(line)
		}
	}
	if commands < 15 {
		t.Errorf("the page has %d commands only", commands)
	}
	if *updateRecipes {
		if err := os.WriteFile(page, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(alike(string(text)), alike(got.String())); diff != "" {
		t.Errorf("%s has other output (-page +now); -args -update-recipes writes it:\n%s", page, diff)
	}
}

// indented returns output as a block of Markdown.
func indented(output string) string {
	var b strings.Builder
	for line := range strings.Lines(output) {
		b.WriteString(strings.TrimRight("    "+line, " \n") + "\n")
	}
	return b.String()
}

// Numbers with their units, the spaces between columns, and the ends of cut lines differ from run to run.
var (
	cutShort = regexp.MustCompile(`.{10}…`)
	numbers  = regexp.MustCompile(`[0-9-]{10}T[0-9:.]+Z|0x[0-9a-f]+|[0-9][0-9.,:]*(ns|µs|ms|s|m|h)?\b`)
	spaces   = regexp.MustCompile(` +`)
)

// alike replaces what differs from run to run.
func alike(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "    ") {
			line = cutShort.ReplaceAllString(line, "…")
			line = spaces.ReplaceAllString(numbers.ReplaceAllString(line, "0"), " ")
		}
		lines = append(lines, line)
	}
	return lines
}
