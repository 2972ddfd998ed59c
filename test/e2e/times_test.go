// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestSameTimes checks that a record has the same time, to the nanosecond, at every read and in all commands.
func TestSameTimes(t *testing.T) {
	x := load(t)
	x.runContainer(simple("times", "/bin/sh", "-c", "/bin/true; /bin/hostname; sleep 0.01"))
	first := make(map[string]string)
	for range 5 {
		for _, command := range []string{
			"exec --no-follow -o=json", "exec --no-follow --time", "containers --all -o=json", "straceback list -o=json",
			"straceback show times --runtime -o=json", "straceback show times --timestamps=wall",
		} {
			text := x.tracectl(strings.Fields(command)...)
			if first[command] == "" {
				first[command] = text
			} else if text != first[command] {
				t.Fatalf("%s prints\n%s\nand another time\n%s", command, first[command], text)
			}
		}
	}
	type times struct {
		ContainerID     string
		Created, Oldest time.Time
		Time            time.Time
		Elapsed         int64
	}
	decode := func(command string) (all []times) {
		for _, line := range splitLines(first[command]) {
			var one times
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		return all
	}
	container, recording := decode("containers --all -o=json")[0], decode("straceback list -o=json")[0]
	if !container.Created.Equal(recording.Created) {
		t.Errorf("created at %v, and at %v", container.Created, recording.Created)
	}
	calls := decode("straceback show times --runtime -o=json")
	if !calls[0].Time.Equal(recording.Oldest) {
		t.Errorf("the oldest call is of %v, and of %v", calls[0].Time, recording.Oldest)
	}
	for _, c := range calls {
		if !c.Time.Equal(container.Created.Add(time.Duration(c.Elapsed))) || c.ContainerID != container.ContainerID {
			t.Errorf("%+v is not of a container that was created at %v", c, container.Created)
		}
	}
}

// TestScript checks that the exec of a script prints the command that runs, and that a line of text is a usable command
// line.
func TestScript(t *testing.T) {
	x := load(t)
	x.runContainer(simple("script", "/bin/sh", "-c", strings.Join([]string{
		`printf '#!/bin/sh\n:\n' > /tmp/inner`, `printf '#!/tmp/inner opt\n' > /tmp/outer`, `chmod 755 /tmp/inner /tmp/outer`,
		`/tmp/inner --flag "a b" ''`, `/tmp/outer 'say "x"'`, `/bin/echo a b`, `/bin/echo "a b"`,
	}, "; ")))
	var got []string
	for _, line := range splitLines(x.tracectl("exec", "--no-follow")) {
		if _, command, ok := strings.Cut(line, " 0 "); ok && !strings.Contains(line, "printf") &&
			!strings.Contains(line, "chmod") {
			got = append(got, command)
		}
	}
	want := []string{
		`/bin/sh /tmp/inner --flag "a b" ""`,
		`/bin/sh /tmp/inner opt /tmp/outer "say \"x\""`,
		`/bin/echo a b`,
		`/bin/echo "a b"`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
