// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestIO asks what a container wrote to a file and to its output, and what came over a connection.
func TestIO(t *testing.T) {
	server := serveTCP(t, local+":0", func(c net.Conn) {
		io.ReadFull(c, make([]byte, len("hello\n")))
		io.WriteString(c, "good morning\n")
	})
	host, port, _ := strings.Cut(server, ":")
	x := load(t)
	x.runContainer(simple("writer", "/bin/sh", "-c", fmt.Sprintf(`exec 5> /tmp/log; echo one >&5; printf 'two\033\t' >&5
		echo three >&5; dd if=/dev/zero bs=1000 count=1 >&5; echo hello | nc %s %s; echo the end >&2`, host, port)))
	log := []string{"io", "writer", "--path", "/tmp/log", "--write"}
	text := x.tracectl(log...)
	want := regexp.MustCompile(`\n[\d:.]+ sh\[1\] write \d</tmp/log>\n\| one\n\| two\\x1b\t` +
		`three\n[\d:.]+ dd\[\d+\] write \d</tmp/log>\n\| (\\x00){128}\n<872 bytes not recorded>\n`)
	if !want.MatchString(text) {
		t.Errorf("the file is\n%s", text)
	}
	raw := x.run(tracectlPath, append(log, "--raw")...)
	if diff := cmp.Diff("one\ntwo\x1b\tthree\n"+strings.Repeat("\x00", 128), raw.stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if raw.stderr != "tracectl: 872 of 1,015 bytes not recorded\n" {
		t.Errorf("stderr is %q", raw.stderr)
	}
	if got := x.tracectl("io", "writer", "--address", server, "--raw"); got != "hello\ngood morning\n" {
		t.Errorf("the connection is %q", got)
	}
	if got := x.tracectl("io", "writer", "--stderr", "--raw"); !strings.HasSuffix(got, "records out\nthe end\n") {
		t.Errorf("standard error is %q", got)
	}
	type moved struct {
		Streams []struct {
			Comm, Direction string
			File            struct{ Path string }
			Size, Lacks     int
		}
		Chunks []struct{ Pieces []struct{ Text string } }
	}
	saved := filepath.Join(x.dir, "writer.rec")
	x.tracectl("save", "writer", "-o", saved)
	all := objects[moved](t, x.tracectl("io", "--from", saved, "--path", "/tmp/log", "-o", "json"))
	if len(all) != 1 || len(all[0].Streams) != 2 || len(all[0].Chunks) != 4 {
		t.Fatalf("JSON is %+v", all)
	}
	if s := all[0].Streams[1]; s.Comm != "dd" || s.Direction != "write" || s.File.Path != "/tmp/log" || s.Size != 1000 ||
		s.Lacks != 872 || all[0].Chunks[0].Pieces[0].Text != "one\n" {
		t.Errorf("JSON is %+v", all)
	}
}
