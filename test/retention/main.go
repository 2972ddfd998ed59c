// SPDX-License-Identifier: Apache-2.0

// Command retention measures what recordings still know of servers that run under load: each server runs in a container
// of its own, recorded at the default sizes, and a program that counts independently of the recorder tells what should
// be known. It prints the tables of docs/benchmarks.md, and fails if a recording does not answer a question.
//
// Usage: retention [-duration 10m] [-servers redis,nginx] [-load "FLAGS OF tracectl load"]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runc-trace/runc-trace/pkg/boottime"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "retention:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	duration := flag.Duration("duration", 10*time.Minute, "how long the servers run under load")
	only := flag.String("servers", "", "comma-separated list of servers (empty: all)")
	options := flag.String("load", "", "more flags of tracectl load")
	flag.Parse()
	b := &bench{}
	defer func() { err = errors.Join(err, b.tearDown()) }()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, unix.SIGTERM)
	go func() {
		<-interrupted
		fmt.Fprintln(os.Stderr, "retention: interrupted", b.tearDown())
		os.Exit(1)
	}()
	if err := b.setUp(strings.Fields(*options)); err != nil {
		return err
	}
	if err := b.start(*only); err != nil {
		return err
	}
	probing := b.probeUntil()
	time.Sleep(*duration)
	if err := probing(); err != nil {
		return err
	}
	if err := b.ask(fmt.Sprintf("after %v", *duration)); err != nil {
		return err
	}
	for _, v := range variants {
		if err := b.each(v.do); err != nil {
			return err
		}
		if err := b.ask(v.name); err != nil {
			return err
		}
	}
	if b.unanswered > 0 {
		status := exec.Command(b.tracectl, "status")
		status.Env = b.environment
		text, _ := status.CombinedOutput()
		return fmt.Errorf("recordings do not answer %d questions; the recorder's status:\n%s", b.unanswered, text)
	}
	return nil
}

// bench is a run of the benchmark.
type bench struct {
	tracectl, shim string
	dir, pins      string
	rootfs         string // the host's file system, read-only
	environment    []string
	containers     []*container
	witness        *witness
	unanswered     int // questions
	down           sync.Once
}

// variants are what happens to each container, one after the other, before the questions are asked again.
var variants = []struct {
	name string
	do   func(*container) error
}{
	{"then a find of 60,000 files by exec", func(c *container) error {
		return c.exec("/bin/sh", "-c", "find /usr/share /usr/lib | head -60000 | xargs -d '\\n' stat >/dev/null 2>&1; true")
	}},
	{"then 64 threads with names of their own, each opening 50 files", func(c *container) error {
		return c.exec("/usr/bin/python3", "/srv/threads.py")
	}},
	{"then 50 probes at once", func(c *container) error {
		for range 50 {
			if err := c.probe(); err != nil {
				return err
			}
		}
		return nil
	}},
}

// threads makes 64 threads with names of their own, which open 50 files each.
const threads = `import ctypes, os, threading
libc = ctypes.CDLL(None)
def work(n):
    libc.prctl(15, b"worker-%d" % n, 0, 0, 0)
    for i in range(50):
        try:
            os.close(os.open("/srv/threads.py" if i % 2 else "/missing/%d-%d" % (n, i), os.O_RDONLY))
        except OSError:
            pass
all = [threading.Thread(target=work, args=(n,)) for n in range(64)]
for t in all: t.start()
for t in all: t.join()
`

func (c *container) probe() error { return c.exec("/bin/true") }

func (b *bench) setUp(options []string) error {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	b.tracectl, b.shim = filepath.Join(bin, "tracectl"), filepath.Join(bin, "runc-trace")
	if b.dir, err = os.MkdirTemp("", "retention-"); err != nil {
		return err
	}
	if err := os.Chmod(b.dir, 0o755); err != nil {
		return err
	}
	if err := b.mount(); err != nil {
		return err
	}
	b.pins = "/sys/fs/bpf/" + filepath.Base(b.dir)
	b.environment = append(os.Environ(), "RUNC_TRACE_PIN_DIR="+b.pins)
	load := exec.Command(b.tracectl, append([]string{"load", "--no-adopt"}, options...)...)
	load.Env = b.environment
	text, err := load.CombinedOutput()
	if err != nil {
		return fmt.Errorf("loading: %w: %s", err, text)
	}
	fmt.Printf("%s\n", text)
	return nil
}

// mount makes a read-only view of the host's file system. It is not below the directory that is removed in the end.
func (b *bench) mount() (err error) {
	if b.rootfs, err = os.MkdirTemp("", "retention-rootfs-"); err != nil {
		return err
	}
	if err := unix.Mount("/", b.rootfs, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the root at %s: %w", b.rootfs, err)
	}
	return unix.Mount("", b.rootfs, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

// runtime returns a command of the shim.
func (b *bench) runtime(args ...string) *exec.Cmd {
	c := exec.Command(b.shim, append([]string{"--root", filepath.Join(b.dir, "state")}, args...)...)
	c.Env = b.environment
	return c
}

// control calls the runtime with a verb that takes the container's ID only.
func (b *bench) control(verb string, c *container) error {
	if text, err := b.runtime(verb, c.id).CombinedOutput(); err != nil {
		said, _ := os.ReadFile(c.said())
		return fmt.Errorf("%s: %w: %s: it has said: %s", verb, err, text, said[max(0, len(said)-1000):])
	}
	return nil
}

// start starts the servers that are named in a list, or all.
func (b *bench) start(only string) error {
	list, err := servers()
	if err != nil {
		return err
	}
	var names []string
	for _, s := range list {
		if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		if s.files == nil {
			s.files = make(map[string]string)
		}
		s.files["threads.py"] = threads
		c, err := b.prepare(s)
		if err != nil {
			return err
		}
		b.containers = append(b.containers, c)
		names = append(names, c.id)
	}
	if b.witness, err = watch(names); err != nil {
		return err
	}
	return b.each((*container).start)
}

// each does something to one container after the other.
func (b *bench) each(do func(*container) error) error {
	for _, c := range b.containers {
		if err := do(c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// probeUntil runs a probe in each container every two seconds, until the returned function is called.
func (b *bench) probeUntil() (end func() error) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(2 * time.Second)
		defer tick.Stop()
		for {
			if err := b.each((*container).probe); err != nil {
				ended <- err
				return
			}
			select {
			case <-tick.C:
			case <-stop:
				ended <- nil
				return
			}
		}
	}()
	return func() error {
		close(stop)
		return <-ended
	}
}

// ask freezes the containers, and prints a table of what the recordings know.
func (b *bench) ask(when string) error {
	freeze := func(c *container) error { return b.control("pause", c) }
	thaw := func(c *container) error { return b.control("resume", c) }
	if err := b.each(freeze); err != nil {
		return fmt.Errorf("pausing %w", err)
	}
	testimonies, err := b.witness.testify(len(b.containers))
	if err != nil {
		return err
	}
	boot, err := boottime.Boot()
	if err != nil {
		return err
	}
	var inquiries []*inquiry
	for i, c := range b.containers {
		r, err := b.read(c.id)
		if err != nil {
			return err
		}
		inquiries = append(inquiries, inquire(c, r, &testimonies[i+1], boot))
	}
	err = b.print(when, inquiries)
	return errors.Join(err, b.each(thaw))
}

func (b *bench) print(when string, inquiries []*inquiry) error {
	head, line := "| "+when+" |", "|---|"
	for _, q := range inquiries {
		head, line = head+" "+q.name+" |", line+"---|"
	}
	fmt.Println(head + "\n" + line)
	var lost []string
	for _, question := range questions {
		row := "| " + question.text + " |"
		for _, q := range inquiries {
			a, err := question.answer(q)
			if err != nil {
				return err
			}
			row += " " + a.String() + " |"
			if a.have < a.of && !a.full {
				b.unanswered++
			}
			for i, one := range a.lost {
				if i == 20 {
					one = "..."
				}
				if i <= 20 {
					lost = append(lost, q.name+", "+question.text+": "+one)
				}
			}
		}
		fmt.Println(row)
	}
	row := "| calls in all |"
	for _, q := range inquiries {
		row += fmt.Sprintf(" %d |", q.testimony.calls)
	}
	fmt.Println(row + "\n")
	if len(lost) > 0 {
		fmt.Println("Not known:\n" + strings.Join(lost, "\n") + "\n")
	}
	return nil
}

// tearDown removes all that the benchmark made, once.
func (b *bench) tearDown() (err error) {
	b.down.Do(func() { err = b.remove() })
	return err
}

func (b *bench) remove() error {
	errs := []error{b.each((*container).remove)}
	if b.witness != nil {
		errs = append(errs, b.witness.close())
	}
	unload := exec.Command(b.tracectl, "unload")
	unload.Env = b.environment
	errs = append(errs, unload.Run())
	unix.Unmount(b.rootfs, unix.MNT_DETACH)
	return errors.Join(append(errs, os.Remove(b.rootfs), os.RemoveAll(b.dir))...)
}
