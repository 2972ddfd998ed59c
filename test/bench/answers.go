// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/test/cgroup"
)

// answered is how many recordings there are on the node of benchAnswers, each of the default size.
const answered = 256

// busyScript fills a recording: it looks at some ten thousand files, reads some, writes, and fails in the end.
const busyScript = `
find /usr/lib /usr/share -name '*.none' 2>/dev/null
for file in $(find /usr/share -type f | head -300); do read -r line <"$file"; echo "$line"; done >/dev/null 2>&1
for n in 1 2 3 4 5 6 7 8 9 10; do /bin/true $n; done
echo "no configuration" >&2
cat /etc/app.conf
exit 3`

// benchAnswers measures the commands that answer questions, on a node that has as many recordings as fit, all full.
func benchAnswers(rounds int, _ string) (err error) {
	if rounds == 0 {
		rounds = 10
	}
	o := config.DefaultPool()
	o.Rings, o.Identities = answered, 16*answered
	if _, err := bpf.Load(benchDir, bpf.Options{Pool: o}); err != nil {
		return err
	}
	defer func() {
		_, unloaded := bpf.Unload(benchDir)
		err = errors.Join(err, unloaded)
	}()
	for n := range answered {
		if err := fill(fmt.Sprintf("busy%d", n)); err != nil {
			return err
		}
	}
	commands := []string{"straceback list", "why busy200", "summary busy200", "tree busy200", "files busy200",
		"net busy200", "straceback show busy200", "report busy200", "find /etc/app.conf", "diff busy200 busy201"}
	took := make([][]float64, len(commands))
	for range rounds {
		for _, i := range rand.Perm(len(commands)) {
			c := exec.Command("bin/tracectl", append([]string{"--pin-dir", benchDir}, strings.Fields(commands[i])...)...)
			start := time.Now()
			if err := c.Run(); err != nil {
				return fmt.Errorf("running %s: %w", c, err)
			}
			took[i] = append(took[i], float64(time.Since(start).Microseconds())/1000)
		}
	}
	fmt.Printf("Milliseconds a command, %d recordings, %d interleaved rounds.\n\n"+
		"| command | least | median | most |\n|---|---|---|---|\n", answered, rounds)
	for i, command := range commands {
		fmt.Printf("| `%s` | %.0f | %.0f | %.0f |\n", command, slices.Min(took[i]), median(slices.Clone(took[i])),
			slices.Max(took[i]))
	}
	return nil
}

// fill records a run of busyScript.
func fill(id string) (err error) {
	d, err := cgroup.Unmade(benchCgroup + "-" + id)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Remove()) }()
	if err := d.Register(benchDir, cgroup.Recorded(id)); err != nil {
		return err
	}
	c := exec.Command("sh", "-c", busyScript)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: d.FD()}
	var failed *exec.ExitError
	if err := c.Run(); err == nil || !errors.As(err, &failed) || failed.ExitCode() != 3 {
		return fmt.Errorf("running %s: %w", c, err)
	}
	return nil
}
