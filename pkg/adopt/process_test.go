// SPDX-License-Identifier: Apache-2.0

package adopt

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 30743 30743 0 -1 4194624 679 0 0 0 0 0 0 0 20 0 5 0 1212198 1040629760 2445\n"
	for _, test := range []struct {
		text string
		want stat
		err  string
	}{
		{"30743 (runc:[2:INIT])" + rest, stat{'S', 1, 4194624, 1212198}, ""},
		{"7 (a) Z 9 (b)" + rest, stat{'S', 1, 4194624, 1212198}, ""},
		{"7 (a\n) x)" + rest, stat{'S', 1, 4194624, 1212198}, ""},
		{"7 (a) S 1 2", stat{}, "3 fields"},
		{"", stat{}, "0 fields"},
		{"7 (a)" + strings.Replace(rest, "1212198", "-1", 1), stat{'S', 1, 4194624, 0}, "invalid syntax"},
	} {
		got, err := parseStat(test.text)
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%q: error %v, want %q", test.text, err, test.err)
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(stat{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
	}
}

// TestProcess distinguishes a running process from one that has ended, and from another one with the same PID.
func TestProcess(t *testing.T) {
	c := exec.Command("/bin/sleep", "1000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid := c.Process.Pid
	dir, err := os.Open("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	own, err := readStat(dir)
	if err != nil {
		t.Fatal(err)
	}
	var start uint64
	for at := own.start; at < own.start+100_000; at++ { // only own.start is right
		if p, err := openProcess(pid, at); err == nil {
			start = at
			if !p.runs() || p.stat.parent != os.Getpid() {
				t.Errorf("%+v", p.stat)
			}
			if n := p.mountNamespace(); n != 0 {
				t.Errorf("a process in its parent's mount namespace has %d", n)
			}
			defer p.close()
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// A zombie has ended, and so has a process that does not exist.
			if err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
				t.Fatal(err)
			}
			if p.runs() {
				t.Error("a zombie runs")
			}
			if _, err := openProcess(pid, at); !errors.Is(err, errStopped) {
				t.Errorf("a zombie: %v", err)
			}
			_ = c.Wait()
			if p.runs() {
				t.Error("a process that is gone runs")
			}
			break
		} else if !errors.Is(err, errStopped) {
			t.Fatal(err)
		}
	}
	if start == 0 {
		t.Fatal("not found by any time of its start")
	}
	if _, err := openProcess(pid, start); !errors.Is(err, errStopped) {
		t.Errorf("a process that is gone: %v", err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (a) S 1 30743 30743 0 -1 4194624 679 0 0 0 0 0 0 0 20 0 5 0 1212198")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseStat(text); err == nil && s.state == 0 {
			t.Errorf("%q: %+v", text, s)
		}
	})
}
