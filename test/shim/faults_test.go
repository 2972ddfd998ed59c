// SPDX-License-Identifier: Apache-2.0

package shim_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
	"github.com/runc-trace/runc-trace/pkg/config"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// TestMapsThatCannotBeUsed checks that a container runs despite any fault below the pin directory, that the log states
// the problem, and that the shim writes nothing into an unknown map.
func TestMapsThatCannotBeUsed(t *testing.T) {
	other := t.TempDir()
	for _, name := range []string{abi.PinABI, abi.PinPending} {
		write(t, filepath.Join(other, name), "no pin")
	}
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	version := func(version uint32) pins {
		p := makePins(t, nil)
		p.setVersion(t, version)
		return p
	}
	strange := func(change func(pending, version *ebpf.MapSpec)) pins {
		p := makePins(t, change)
		if p.abi.ValueSize() == abi.SizeofABI {
			p.setVersion(t, abi.ABIVersion)
		}
		return p
	}
	withoutPending := makePins(t, nil)
	if err := os.Remove(filepath.Join(withoutPending.directory, abi.PinPending)); err != nil {
		t.Fatal(err)
	}
	swapped := makePins(t, nil)
	if err := os.Rename(filepath.Join(swapped.directory, abi.PinPending),
		filepath.Join(swapped.directory, abi.PinABI)); err != nil {
		t.Fatal(err)
	}

	directory := bundle(t, t.TempDir(), "sh", "-c", "cat; echo err >&2; exit 7")
	want := outcome{Status: "exit status 7", Stdout: "in\n", Stderr: "err\n"}
	run := []string{"--root", filepath.Join(directory, "root"), "run", "--bundle", directory, "c"}
	if diff := cmp.Diff(want, runner{path: runcPath, stdin: "in\n"}.run(t, run...)); diff != "" {
		t.Fatalf("bare runc (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		name   string
		pins   pins
		log    string
		reason unregistered.Reason
	}{
		{"nothing there", pins{directory: "/sys/fs/bpf/does-not-exist"}, "no such file or directory", unregistered.NotLoaded},
		{"no directory", pins{directory: "/etc/passwd"}, "not a directory", unregistered.PinsUnusable},
		{"a symlink to itself", pins{directory: loop}, "too many levels of symbolic links", unregistered.PinsUnusable},
		{"files that are not pins", pins{directory: other}, "opening map", unregistered.PinsUnusable},
		{"an empty directory", pins{directory: emptyPinDir(t)}, "no such file or directory", unregistered.NotLoaded},
		{"a read-only file system", readOnlyPins(t), "read-only file system", unregistered.PinsUnusable},
		{"no pending", withoutPending, "no such file or directory", unregistered.NotLoaded},
		{"pending in the place of abi", swapped, "unexpected shape", unregistered.OtherVersion},
		{"a later version", version(abi.ABIVersion + 1),
			fmt.Sprintf("have version %d, but this shim needs %d", abi.ABIVersion+1, abi.ABIVersion), unregistered.OtherVersion},
		{"not loaded yet", version(0), fmt.Sprintf("have version 0, but this shim needs %d", abi.ABIVersion),
			unregistered.NotLoaded},
		{"a larger abi", strange(func(_, version *ebpf.MapSpec) { version.ValueSize += 8 }), "unexpected shape",
			unregistered.OtherVersion},
		{"a larger value", strange(func(pending, _ *ebpf.MapSpec) { pending.ValueSize += 8 }), "unexpected shape",
			unregistered.OtherVersion},
		{"a smaller key", strange(func(pending, _ *ebpf.MapSpec) { pending.KeySize /= 2 }), "unexpected shape",
			unregistered.OtherVersion},
		{"another type",
			strange(func(pending, _ *ebpf.MapSpec) { pending.Type, pending.Flags = ebpf.LRUHash, 0 }), "unexpected shape",
			unregistered.OtherVersion},
	} {
		log := filepath.Join(t.TempDir(), "log")
		counts := counted(t)
		counts[test.reason]++
		shim := runner{path: shimPath, stdin: "in\n",
			environment: []string{settings(t, fmt.Sprintf("log = %q", log)), inPinDir(test.pins.directory)}}
		if diff := cmp.Diff(want, shim.run(t, run...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		text := readLog(t, log)
		if !strings.Contains(text, test.log) || strings.Contains(text, "\n") || !strings.Contains(text, "level=warning") {
			t.Errorf("%s: the log is %q, want one line with %q", test.name, text, test.log)
		}
		if diff := cmp.Diff(counts, counted(t)); diff != "" {
			t.Errorf("%s: counted (-want +got):\n%s", test.name, diff)
		}
		if test.pins.pending != nil {
			if n := test.pins.entries(t); n != 0 {
				t.Errorf("%s: %d entries", test.name, n)
			}
		}
		// With the default log, the shim is silent, and the container still runs.
		shim.environment = []string{inPinDir(test.pins.directory)}
		if diff := cmp.Diff(want, shim.run(t, run...)); diff != "" {
			t.Errorf("%s, without a log (-want +got):\n%s", test.name, diff)
		}
	}

	// If the map is full, entries that are too old are replaced.
	full := strange(func(pending, _ *ebpf.MapSpec) { pending.MaxEntries = 1 })
	var old abi.PendingKey
	copy(old.Leaf[:], "old")
	long := boottime.Now() - (abi.PendingSeconds+1)*uint64(time.Second) // before boot, it wraps around
	if err := full.pending.Put(old, &abi.Pending{Time: long}); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	shim := runner{path: shimPath, stdin: "in\n",
		environment: []string{settings(t, fmt.Sprintf("log = %q", log)), inPinDir(full.directory)}}
	if diff := cmp.Diff(want, shim.run(t, run...)); diff != "" {
		t.Errorf("a full map (-want +got):\n%s", diff)
	}
	if text, err := os.ReadFile(log); err == nil {
		t.Errorf("a full map: %s", text)
	}
	full.take(t, filepath.Base(cgroupOf(directory)))

	// Those of other shims are not: also those that were written after this shim had read the clock.
	fresh := boottime.Now() + uint64(time.Minute)
	if err := full.pending.Put(old, &abi.Pending{Time: fresh}); err != nil {
		t.Fatal(err)
	}
	before := counted(t)
	shim.run(t, run...)
	var kept abi.Pending
	if err := full.pending.Lookup(old, &kept); err != nil || kept.Time != fresh {
		t.Errorf("another shim's entry: %v", err)
	}
	if after := counted(t); after[unregistered.NotWritten] != before[unregistered.NotWritten]+1 {
		t.Errorf("not registered: %v, before %v", after, before)
	}
}

// counted returns the number of containers that the shims of these tests did not register, by reason.
func counted(t *testing.T) [unregistered.Reasons]uint64 {
	t.Helper()
	counts, err := unregistered.Read()
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// TestUncommonSpecs checks that, for any config.json, a container runs as with the runtime alone, and that an
// unregistered one is counted, unless the runtime does not find the file either.
func TestUncommonSpecs(t *testing.T) {
	p := makePins(t, nil)
	fake := fakeRuntime(t)
	crun := filepath.Join(filepath.Dir(fake), "crun")
	if err := os.Link(fake, crun); err != nil {
		t.Fatal(err)
	}
	const none = unregistered.Reasons
	for _, test := range []struct {
		name, runtime string
		make          func(file string) error
		flags         []string
		reason        unregistered.Reason
	}{
		{"missing", fake, func(string) error { return nil }, nil, none},
		{"a pipe", fake, func(file string) error { return syscall.Mkfifo(file, 0o600) }, nil, unregistered.SpecUnread},
		{"a directory", fake, func(file string) error { return os.Mkdir(file, 0o700) }, nil, unregistered.SpecMalformed},
		{"endless", fake, func(file string) error { return os.Symlink("/dev/zero", file) }, nil, unregistered.SpecUnread},
		{"no JSON", fake, text("{"), nil, unregistered.SpecMalformed},
		{"a comment inside", crun, text("{ // for crun\n}"), nil, unregistered.SpecUnread},
		{"too large a path", fake, text(`{"linux": {"cgroupsPath": "` + strings.Repeat("x", 2<<20) + `"}}`), nil,
			unregistered.SpecTooLarge},
		{"no path", fake, text(`{"linux": {"cgroupsPath": "a:b"}}`), []string{"--systemd-cgroup"},
			unregistered.SpecMalformed},
		{"too long a name", fake, text(`{"linux": {"cgroupsPath": "/` + strings.Repeat("n", 511) + `"}}`), nil,
			unregistered.CgroupTooLong},
		{"too long a path", fake, text(`{"linux": {"cgroupsPath": "` + strings.Repeat("/n", 512) + `"}}`), nil,
			unregistered.CgroupTooLong},
		{"a path that no kernel takes", fake, text(`{"linux": {"cgroupsPath": "` + strings.Repeat("/n", 2048) + `"}}`), nil,
			unregistered.SpecMalformed},
		{"the root", fake, text(`{"linux": {"cgroupsPath": "/"}}`), nil, unregistered.NoCgroup},
		{"no cgroup", crun, text(`{}`), []string{"--cgroup-manager=disabled"}, unregistered.NoCgroup},
	} {
		directory := t.TempDir()
		if err := test.make(filepath.Join(directory, "config.json")); err != nil {
			t.Fatal(err)
		}
		counts := counted(t)
		if test.reason != none {
			counts[test.reason]++
		}
		shim := runner{path: shimPath,
			environment: []string{settings(t, fmt.Sprintf("runtime = %q", test.runtime)), inPinDir(p.directory)}}
		if got := shim.run(t, append(test.flags, "create", "--bundle", directory,
			"c")...); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%s: %+v", test.name, got)
		}
		if n := p.entries(t); n != 0 {
			t.Errorf("%s: %d entries", test.name, n)
		}
		if diff := cmp.Diff(counts, counted(t)); diff != "" {
			t.Errorf("%s: counted (-want +got):\n%s", test.name, diff)
		}
	}
}

func text(text string) func(file string) error {
	return func(file string) error { return os.WriteFile(file, []byte(text), 0o600) }
}

// TestUnreadableMaps uses a root without the capability to enter a directory that is closed to it.
func TestUnreadableMaps(t *testing.T) {
	p := makePins(t, nil)
	if err := os.Chmod(p.directory, 0); err != nil {
		t.Fatal(err)
	}
	directory := bundle(t, t.TempDir(), "sleep", "1")
	log := filepath.Join(t.TempDir(), "log")
	command := exec.Command("setpriv", "--bounding-set", "-dac_override,-dac_read_search", shimPath, "create",
		"--bundle", directory, "c")
	command.Env = []string{settings(t, fmt.Sprintf("runtime = %q\nlog = %q", fakeRuntime(t), log)), inPinDir(p.directory),
		unregistered.DirEnv + "=" + runDir}
	output, _ := command.CombinedOutput()
	if command.ProcessState.ExitCode() != 42 || len(output) > 0 {
		t.Errorf("%s: %s", command.ProcessState, output)
	}
	if text := readLog(t, log); !strings.Contains(text, "permission denied") {
		t.Errorf("the log: %s", text)
	}
	if n := p.entries(t); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// TestConfigThatCannotBeUsed compares the shim with bare runc.
func TestConfigThatCannotBeUsed(t *testing.T) {
	p := makePins(t, nil)
	directory := t.TempDir()
	link := filepath.Join(directory, "link")
	if err := os.Symlink(shimPath, link); err != nil {
		t.Fatal(err)
	}
	fifo := filepath.Join(directory, "fifo")
	if err := syscall.Mkfifo(fifo, 0o666); err != nil {
		t.Fatal(err)
	}
	named := func(path string) string { return config.PathEnv + "=" + path }

	container := bundle(t, t.TempDir(), "sh", "-c", "cat; echo err >&2; exit 7")
	root := filepath.Join(container, "root")
	commands := [][]string{{"--version"}, {"--root", root, "state", "x"},
		{"--root", root, "run", "--bundle", container, "c"}}
	var bare []outcome
	for _, args := range commands {
		bare = append(bare, runner{path: runcPath, stdin: "in\n"}.run(t, args...))
	}
	for _, test := range []struct{ name, setting string }{
		{"missing", named(filepath.Join(directory, "none"))},
		{"empty", settings(t)},
		{"a directory", named(directory)},
		{"a pipe that nobody writes into", named(fifo)},
		{"endless", named("/dev/zero")},
		{"too large", settings(t, strings.Repeat("#", 1<<20))},
		{"no TOML", settings(t, "}{")},
		{"bytes", settings(t, "\x00\xff\xfe")},
		{"an unknown key", settings(t, `runtimes = "/x"`)},
		{"a wrong type", settings(t, `runtime = 1`)},
		{"nested too deep", settings(t, "a = "+strings.Repeat("[", 5000))},
		{"no runtime", settings(t, `runtime = []`)},
		{"a relative path", settings(t, `runtime = "../runc"`)},
		{"the shim itself", settings(t, fmt.Sprintf("runtime = %q", shimPath))},
		{"the shim itself, less plainly",
			settings(t, fmt.Sprintf("runtime = '%s/../%s'", filepath.Dir(shimPath), shimPath[len("/tmp/"):]))},
		{"a symlink to the shim", settings(t, fmt.Sprintf("runtime = %q", link))},
		{"a list with the shim", settings(t, fmt.Sprintf("runtime = [%q, %q, %q]", shimPath, link, runcPath))},
		{"a log that cannot be written", settings(t, `log = "/dev/full"`, `log-level = "debug"`)},
		{"a log in no directory", settings(t, `log = "/does/not/exist"`, `log-level = "debug"`)},
		{"a log that is a pipe", settings(t, fmt.Sprintf("log = %q", fifo), `log-level = "debug"`)},
	} {
		for i, args := range commands {
			shimmed := runner{path: shimPath, stdin: "in\n",
				environment: []string{test.setting, inPinDir(p.directory)}}.run(t, args...)
			if diff := cmp.Diff(bare[i], shimmed); diff != "" {
				t.Errorf("%s, %q (-runc +shim):\n%s", test.name, args, diff)
			}
		}
		p.take(t, filepath.Base(cgroupOf(container))) // still registered
	}

	// Creating a container logs the problem.
	log := filepath.Join(directory, "log")
	shim := runner{path: shimPath,
		environment: []string{settings(t, fmt.Sprintf("log = %q", log), "pin-dirs = 1"), inPinDir(p.directory)}}
	shim.run(t, commands[1]...)
	if _, err := os.Stat(log); err == nil {
		t.Errorf("a line for a mere state: %s", readLog(t, log))
	}
	shim.run(t, commands[2]...)
	if text := readLog(t, log); !strings.Contains(text, `unknown key \"pin-dirs\"`) || strings.Contains(text, "\n") {
		t.Errorf("the log: %s", text)
	}
}

// TestUnprivileged checks that other users get bare runc and that their variables are ignored.
func TestUnprivileged(t *testing.T) {
	p := makePins(t, nil)
	if err := os.Chmod(p.directory, 0o777); err != nil {
		t.Fatal(err)
	}
	fake := fakeRuntime(t)
	directory, err := os.MkdirTemp(filepath.Dir(shimPath), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		t.Fatal(err)
	}
	bundle(t, directory, "sleep", "1000")
	log := filepath.Join(directory, "log")
	environment := []string{
		config.PathEnv + "=" + write(t, filepath.Join(directory, "config.toml"),
			fmt.Sprintf("runtime = %q\nlog = %q", fake, log)),
		inPinDir(p.directory), "XDG_RUNTIME_DIR=" + directory,
	}
	const nobody = 65534
	for _, args := range [][]string{
		{"--version"}, {"features"}, {"state", "x"}, {"create", "--bundle", directory, "c"},
		{"run", "--bundle", directory, "c"},
		{"restore", "--bundle", directory, "c"}, {"create", "--bundle", "/root", "c"},
	} {
		bare := runner{path: runcPath, environment: environment, user: nobody}.run(t, args...)
		shimmed := runner{path: shimPath, environment: environment, user: nobody}.run(t, args...)
		if diff := cmp.Diff(bare, shimmed); diff != "" {
			t.Errorf("%q (-runc +shim):\n%s", args, diff)
		}
	}

	// Root of a user namespace does not count as root. Its runtime is the first runc in PATH, not the one in the file
	// that the variable names.
	inPath := fakeRuntime(t)
	if err := os.Rename(inPath, filepath.Join(filepath.Dir(inPath), "runc")); err != nil {
		t.Fatal(err)
	}
	environment[0] = config.PathEnv + "=" +
		write(t, filepath.Join(directory, "other.toml"), fmt.Sprintf("runtime = \"/bin/false\"\nlog = %q", log))
	command := runner{path: shimPath, environment: append(environment, "PATH="+filepath.Dir(inPath))}.command("create",
		"--bundle", directory, "c")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{Size: 1}}, GidMappings: []syscall.SysProcIDMap{{Size: 1}},
	}
	if output, err := command.CombinedOutput(); command.ProcessState.ExitCode() != 42 || len(output) > 0 {
		t.Errorf("in a user namespace: %v: %s", err, output)
	}

	if _, err := os.Stat(log); err == nil {
		t.Errorf("the shim was not silent: %s", readLog(t, log))
	}
	if n := p.entries(t); n != 0 {
		t.Errorf("%d entries", n)
	}
	// The variable of real root is used.
	if got := (runner{path: shimPath, environment: environment}).run(t, "state", "x"); got.Status != "exit status 1" ||
		got.Stderr != "" {
		t.Errorf("as root: %+v", got)
	}
}

// TestNoRuntime compares the shim's report with runc's report of a failure.
func TestNoRuntime(t *testing.T) {
	setting := settings(t, `runtime = "/does/not/exist"`)
	const message = "no container runtime found: looked for /does/not/exist"
	for _, args := range [][]string{{}, {"--log-format", "json"}, {"--log", "FILE"}, {"--log=FILE", "--log-format=json"},
		{"--log", "/does/not/exist/log"}} {
		directory := t.TempDir()
		log := filepath.Join(directory, "log")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "FILE", log)
		}
		var outcomes [2]outcome
		var logs [2]string
		for i, r := range []runner{{path: runcPath}, {path: shimPath, environment: []string{setting}}} {
			outcomes[i] = r.run(t, append(args, "--root", directory, "state", "x")...)
			text, _ := os.ReadFile(log)
			logs[i] = stable(string(text))
			os.Remove(log)
		}
		if !strings.Contains(outcomes[1].Stderr, message) {
			t.Errorf("%q: standard error is %q", args, outcomes[1].Stderr)
		}
		if logs[0] != "" && !strings.Contains(logs[1], message) {
			t.Errorf("%q: the log is %q", args, logs[1])
		}
		if strings.Contains(strings.Join(args, " "), "/does/not/exist/log") {
			continue // runc has a different complaint
		}
		// The two must differ only in the message.
		outcomes[1].Stderr, logs[1] = withMessageOf(t, outcomes[1].Stderr, outcomes[0].Stderr),
			withMessageOf(t, logs[1], logs[0])
		if diff := cmp.Diff(outcomes[0], outcomes[1]); diff != "" {
			t.Errorf("%q (-runc +shim):\n%s", args, diff)
		}
		if diff := cmp.Diff(logs[0], logs[1]); diff != "" {
			t.Errorf("%q: log (-runc +shim):\n%s", args, diff)
		}
	}
}

// withMessageOf replaces the message of one line by that of another.
func withMessageOf(t *testing.T, line, other string) string {
	t.Helper()
	for _, form := range []struct{ before, after string }{{`"msg":`, `,"time"`}, {`msg=`, "\n"}, {"", "\n"}} {
		before, rest, ok := strings.Cut(line, form.before)
		_, after, ok2 := strings.Cut(rest, form.after)
		_, message, ok3 := strings.Cut(other, form.before)
		message, _, ok4 := strings.Cut(message, form.after)
		if ok && ok2 && ok3 && ok4 {
			return before + form.before + message + form.after + after
		}
	}
	return line
}

// TestCopiesOfTheShim checks that the shim does not exec itself in a loop.
func TestCopiesOfTheShim(t *testing.T) {
	root := t.TempDir()
	program := readFile(t, shimPath)
	var directories []string
	for _, name := range []string{"a", "b"} {
		directory := filepath.Join(root, name)
		if err := os.Mkdir(directory, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(directory, "runc"), []byte(program), 0o755); err != nil {
			t.Fatal(err)
		}
		directories = append(directories, directory)
	}
	fake := fakeRuntime(t)
	if err := os.Rename(fake, filepath.Join(filepath.Dir(fake), "runc")); err != nil {
		t.Fatal(err)
	}
	path := "PATH=" + strings.Join(append(directories, filepath.Dir(fake)), ":")
	for _, start := range []string{shimPath, filepath.Join(root, "a", "runc"), filepath.Join(root, "b", "runc")} {
		if got := (runner{path: start, environment: []string{path}}).run(t, "state",
			"x"); got != (outcome{Status: "exit status 42"}) {
			t.Errorf("%s: %+v", start, got)
		}
	}
	setting := settings(t, fmt.Sprintf("runtime = [%q, %q]", filepath.Join(root, "a", "runc"),
		filepath.Join(root, "b", "runc")))
	log := filepath.Join(root, "log")
	got := runner{path: shimPath, environment: []string{setting}}.run(t, "--log", log,
		"--log-format", "json", "create", "x")
	var line struct{ Level, Msg, Time string }
	if err := json.Unmarshal([]byte(readFile(t, log)), &line); err != nil || line.Level != "error" || line.Time == "" ||
		!strings.Contains(line.Msg, "is a copy of runc-trace") {
		t.Errorf("the log: %+v, %v", line, err)
	}
	if want := (outcome{Status: "exit status 1", Stderr: line.Msg + "\n"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
