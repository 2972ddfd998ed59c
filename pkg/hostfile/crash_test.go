// SPDX-License-Identifier: Apache-2.0

package hostfile

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/hostfile/treetest"
)

var time1 = time.Unix(1234567890, 987654321)

var times = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z|TIME`)

// maskTime replaces times in a text.
func maskTime(text string) string { return times.ReplaceAllString(text, "TIME") }

// clean returns a tree without times and without the state.
func clean(tree map[string]string) map[string]string {
	c := make(map[string]string)
	for name, text := range tree {
		if !strings.HasPrefix(name, StateDir[1:]) {
			c[name] = maskTime(text)
		}
	}
	return c
}

var errCrash = errors.New("crash")

// crashAt returns a step function that fails every step after the nth.
func crashAt(n int) disk {
	count := 0
	return disk{func(string) error {
		count++
		if count > n {
			return errCrash
		}
		return nil
	}, never}
}

// life installs, upgrades, fails to upgrade, and restores half of the files. It ends like a crashed process, with its
// lock released.
func life(root string, d disk) error {
	s, err := open(root, nil, d)
	if err != nil {
		return err
	}
	defer s.dir.Close()
	_, err = s.Apply(files("one"))
	if err == nil {
		err = s.Commit()
	}
	if err == nil {
		_, err = s.Apply(files("two")[2:])
	}
	if err == nil {
		err = s.Commit()
	}
	if err == nil {
		_, err = s.Apply([]File{{Path: "/etc/containerd/config.toml", Data: []byte("three")},
			{Path: "/etc/more/file", Data: []byte("three"), Mode: 0o644}})
	}
	if err == nil {
		err = s.Rollback()
	}
	if err == nil {
		_, err = s.Restore(of("docker"), false)
	}
	if err == nil {
		err = s.Close()
	}
	return err
}

func undo(root string, d disk) error {
	s, err := open(root, nil, d)
	if err != nil {
		return err
	}
	defer s.dir.Close()
	if _, err = s.Restore(all, false); err == nil {
		err = s.Close()
	}
	return err
}

// never does not sync: the test checks the order of changes, and makes many.
func never(*os.File) error { return nil }

// TestCrash stops at every step of a life, and then at every step of undoing the result. After each crash every file
// is whole, and the original files come back.
func TestCrash(t *testing.T) {
	template := host(t)
	before := treetest.Read(t, template)
	whole := map[string]map[string]bool{}
	allow := func(tree map[string]string) {
		for name, text := range clean(tree) {
			if whole[name] == nil {
				whole[name] = map[string]bool{}
			}
			whole[name][text] = true
		}
	}
	allow(before)
	for _, version := range []string{"one", "two"} {
		root := host(t)
		apply(t, root, version)
		allow(treetest.Read(t, root))
	}
	whole["etc/containerd/config.toml"][strings.Replace(maskTime(before["etc/containerd/config.toml"]),
		`version = 2\n`, "three", 1)] = true

	stride := 11 // testing every pair would take minutes
	if testing.Short() {
		stride = 101
	}
	lives, crashes := 0, 0
	for first := 0; ; first++ {
		finished := false
		for second := first % stride; ; second += stride {
			root := host(t)
			err := life(root, crashAt(first))
			finished = err == nil
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatalf("a life that crashes at step %d: %v", first, err)
			}
			for name, text := range clean(treetest.Read(t, root)) {
				if strings.HasSuffix(name, ".runc-trace") || strings.HasPrefix(name, "etc/more") {
					continue
				}
				if !whole[name][text] {
					t.Errorf("after a crash at step %d %s is %s, want one of %v", first, name, text, whole[name])
				}
			}
			err = undo(root, crashAt(second))
			if err != nil && !errors.Is(err, errCrash) {
				t.Fatalf("undoing, with crashes at steps %d and %d: %v", first, second, err)
			}
			crashes++
			if err := undo(root, crashAt(1<<20)); err != nil {
				t.Fatalf("undoing after crashes at steps %d and %d: %v", first, second, err)
			}
			if diff := cmp.Diff(before, treetest.Read(t, root)); diff != "" {
				t.Fatalf("crashes at steps %d and %d leave (-before +after):\n%s", first, second, diff)
			}
			os.RemoveAll(root)
			if err == nil {
				break
			}
		}
		lives++
		if finished {
			break
		}
	}
	if lives < 60 {
		t.Errorf("only %d steps were crashed at: they are not counted", lives)
	}
	t.Logf("%d lives, %d crashes", lives, crashes)
}

// TestReplaceWhileExecuted replaces a program hundreds of times while another process keeps executing it. The program
// is never missing, half-written or busy.
func TestReplaceWhileExecuted(t *testing.T) {
	root := t.TempDir()
	elf, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Fatal(err)
	}
	program := func(version string) []File {
		return []File{{Path: "/bin/program", Data: append(bytes.Clone(elf), strings.Repeat(version, 64<<10)...), Mode: 0o755}}
	}
	s := mustOpen(t, root)
	if _, err := s.Apply(program("0")); err != nil {
		t.Fatal(err)
	}
	loop := exec.Command("/bin/sh", "-c", `while ! [ -e "$1/stop" ] && "$1/bin/program"; do echo; done; [ -e "$1/stop" ]`, "sh", root)
	loop.Stderr = os.Stderr
	output, err := loop.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	var executed atomic.Int64
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(output); lines.Scan(); {
			executed.Add(1)
		}
	}()
	replaced, runs := 300, int64(100)
	if testing.Short() {
		replaced, runs = 60, 20
	}
	for i := 0; (i < replaced || executed.Load() < runs) && !closed(read); i++ {
		if _, err := s.Apply(program(string(rune('a' + i%26)))); err != nil {
			t.Error(err)
			break
		}
	}
	if err := os.WriteFile(filepath.Join(root, "stop"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-read
	if err := loop.Wait(); err != nil {
		t.Errorf("the program was executed %d times: %v", executed.Load(), err)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
