// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the files that are generated from code")

func TestParse(t *testing.T) {
	with := func(change func(*Config)) Config {
		c := Default()
		change(&c)
		return c
	}
	for _, test := range []struct {
		name, text string
		want       Config
		problem    string
	}{
		{"nothing", "", Default(), ""},
		{"a path", `runtime = "/opt/runc"`, with(func(c *Config) { c.Runtime = Runtime{"/opt/runc"} }), ""},
		{"a list", "runtime = [\n'crun',\n\"/opt/runc\",\n]", with(func(c *Config) {
			c.Runtime = Runtime{"crun", "/opt/runc"}
		}), ""},
		{
			"everything",
			`
			runtime = "crun" # of the distribution
			pin-dir = "/sys/fs/bpf/other"
			log = "/var/log/runc-trace.log"
			log-level = "debug"
			record-sandboxes = true
			adopt = false
			[labels]
			annotations = ["a"]
			prefixes = ["p/", "q/"]
			json = ["j"]
			keep = ["app", "example.com/*"]
			[contents]
			default = "paths"
			all = ["dev-*"]
			none = ["payments", "app=vault"]
			off = ["x team=y"]
			annotation = "decide"
			[redact]
			builtin = false
			patterns = ["a+", 'b\d']
			[pool]
			rings = 16
			ring-size = "1MiB"
			identities = 64
			exec-log-size = 65536
			capture-size = "1KiB"
			argv-size = "32KiB"`,
			Config{
				Runtime:         Runtime{"crun"},
				PinDir:          "/sys/fs/bpf/other",
				Log:             "/var/log/runc-trace.log",
				LogLevel:        "debug",
				RecordSandboxes: true,
				Labels: Labels{Annotations: []string{"a"}, Prefixes: []string{"p/", "q/"}, JSON: []string{"j"},
					Keep: []string{"app", "example.com/*"}},
				Contents: Contents{Default: "paths", Annotation: "decide", All: []string{"dev-*"},
					None: []string{"payments", "app=vault"}, Off: []string{"x team=y"}},
				Redact:  Redact{Patterns: []string{"a+", `b\d`}},
				Archive: defaultArchive(),
				Pool: Pool{Rings: 16, RingSize: 1 << 20, Identities: 64, ExecLogSize: 64 << 10,
					CaptureSize: 1 << 10, ArgvSize: 32 << 10},
			},
			"",
		},
		{
			"unknown keys",
			"runtime = \"/opt/runc\"\nlogs = \"/x\"\n[pool]\nring = 1\n[other]\na = 1",
			with(func(c *Config) { c.Runtime = Runtime{"/opt/runc"} }),
			"unknown key \"logs\"\nunknown key \"pool.ring\"\nunknown key \"other\"\nunknown key \"other.a\"",
		},
		{
			"values out of their range",
			"runtime = \"./runc\"\npin-dir = \"bpf\"\nlog = \"l\"\nlog-level = \"loud\"\n[pool]\nrings = 0\nring-size = \"2GiB\"\nidentities = -1\ncapture-size = \"2KiB\"\nargv-size = 0\nexec-log-size = 1",
			Default(),
			`runtime "./runc" must be an absolute path or a name
pin-dir "bpf" is not an absolute path
log "l" is not an absolute path
log-level "loud" must be error, warn, info or debug
pool.ring-size is 2GiB: it must be a power of two, 32KiB to 64MiB
pool.identities is -1: it must be 2 to 1048576; 0: 16 for each recording
pool.exec-log-size is 1: it must be a power of two, 64KiB to 1GiB
pool.capture-size is 2KiB: it must be 8 to 1KiB
pool.argv-size is 0: it must be 64 to 32KiB`,
		},
		{
			"runtimes", "runtime = \"/opt/runc\"\n[runtimes]\ncrun = \"/usr/bin/crun\"\nk3s = \"runc\"",
			with(func(c *Config) {
				c.Runtime, c.Runtimes = Runtime{"/opt/runc"}, map[string]string{"crun": "/usr/bin/crun"}
			}),
			`runtimes.k3s "runc" is not an absolute path`,
		},
		{
			"runtimes before what is no TOML", "runtime = \"/opt/runc\"\n[runtimes]\ncrun = \"/usr/bin/crun\"\n[pool]\nwhatever",
			with(func(c *Config) {
				c.Runtime, c.Runtimes = Runtime{"/opt/runc"}, map[string]string{"crun": "/usr/bin/crun"}
			}),
			"line 5: unexpected EOF; expected key separator '='",
		},
		{"keys with capitals", "runtime = \"/opt/runc\"\n[pool]\nRings = 16",
			with(func(c *Config) { c.Runtime = Runtime{"/opt/runc"} }),
			`key "pool.Rings" must not have capital letters`},
		{"capitals in the names of runtimes", "runtimes.CRUN = \"/usr/bin/crun\"",
			with(func(c *Config) { c.Runtimes = map[string]string{"CRUN": "/usr/bin/crun"} }), ""},
		{"an archive that cannot be", "[archive]\ndirectory = \"a\"\nmax-bytes = 5\nper-hour = 0\nnamespaces = [\"![\"]",
			with(func(c *Config) { c.Archive.Namespaces = []string{"!["} }),
			"archive.directory \"a\" is not an absolute path\narchive.max-bytes 5 must be at least 1MiB\n" +
				"archive.per-hour 0 must be 1 to 3600\narchive.namespaces has an invalid pattern \"![\": syntax error in pattern"},
		{"patterns that are none", "[labels]\nkeep = [\"a\", \"[\", \"b*\"]", with(func(c *Config) {
			c.Labels.Keep = []string{"a", "b*"}
		}),
			`labels.keep has an invalid pattern "[": syntax error in pattern`},
		{"contents that are none", "[contents]\ndefault = \"some\"\nannotation = \"yes\"\npaths = [\"a\", \"b=[\"]",
			with(func(c *Config) { c.Contents.Paths = []string{"a"} }),
			`contents.default "some" must be all, paths, none or off
contents.annotation "yes" must be reduce, decide or ignore
contents.paths has an invalid rule "b=[": syntax error in pattern`},
		{"an empty list", "runtime = []", Default(), "runtime is empty"},
		{"an empty name", `runtime = ["runc", ""]`, Default(), `runtime "" must be an absolute path or a name`},
		{"no TOML", "runtime = \"/opt/runc\"\n[pool]\nwhatever", with(func(c *Config) { c.Runtime = Runtime{"/opt/runc"} }),
			"line 3: unexpected EOF; expected key separator '='"},
		{"a wrong type", "runtime = 1", Default(), "line 1: runtime must be a string or a list of strings"},
		{"a wrong type in a list", "runtime = [1]", Default(), "line 1: runtime must be a string or a list of strings"},
		{"a size that is none", "runtime = \"/opt/runc\"\n[pool]\nring-size = \"big\"", with(func(c *Config) {
			c.Runtime = Runtime{"/opt/runc"}
		}),
			"line 3: pool.ring-size \"big\": must be a number of bytes such as 4096, \"256KiB\" or \"8MiB\""},
		{"a size of another type", "[pool]\nring-size = 1.5", Default(),
			"line 2: pool.ring-size must be a number of bytes such as 4096, \"256KiB\" or \"8MiB\""},
		{"tables in tables", "runtime = \"/opt/runc\"\n[x]\n" + strings.Repeat("a={", 17), with(func(c *Config) {
			c.Runtime = Runtime{"/opt/runc"}
		}),
			"line 3: more than 8 levels of lists, tables or keys"},
		{"a file that does not end", strings.Repeat("#", 65537), Default(),
			"the file has 65537 bytes; at most 65536 are allowed"},
		{"a negative size", "[pool]\nring-size = -1", Default(),
			"line 2: pool.ring-size -1 is negative"},
	} {
		got, err := Parse(test.text)
		problem := ""
		if err != nil {
			problem = err.Error()
		}
		if diff := cmp.Diff(test.problem, problem); diff != "" {
			t.Errorf("%s: problem (-want +got):\n%s", test.name, diff)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestLoad(t *testing.T) {
	directory := t.TempDir()
	file := filepath.Join(directory, "config.toml")
	c, err := Load(file)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if diff := cmp.Diff(Default(), c); diff != "" {
		t.Errorf("a file that is not there (-want +got):\n%s", diff)
	}
	if err := os.WriteFile(file, []byte(`runtime = "crun"`), 0o600); err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Runtime = Runtime{"crun"}
	c, err = Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1": 1, "4096": 4096, "12B": 12, "256KiB": 256 << 10,
		"256 KiB": 256 << 10, "8MiB": 8 << 20, "3GiB": 3 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1KB", "1k", "1 Mb", "1gib", "1.5KiB", "9223372036854775808",
		"9007199254740992KiB", "0x10", "+1", "1 000"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d, want an error", text, got)
		}
	}
	for text, want := range map[string]string{
		"1GB": "write 1GiB", "8 mb": "write 8MiB", "4k": "write 4KiB", "2Gi": "write 2GiB",
		"1.5MiB": "must be a number of bytes", "1TB": "must be a number of bytes",
	} {
		if _, err := ParseSize(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
	for size, want := range map[Size]string{0: "0", 1: "1", 1000: "1000", 1024: "1KiB", 1536: "1536", 256 << 10: "256KiB",
		1 << 20: "1MiB", 5 << 30: "5GiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is %q, want %q", size, got, want)
		}
	}
}

// TestDefaultFile checks that install/config.toml matches the code.
func TestDefaultFile(t *testing.T) {
	file := filepath.Join("..", "..", "install", "config.toml")
	want := File(Default())
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is out of date, run go test ./pkg/config -update (-want +got):\n%s", file, diff)
	}
}

func TestFile(t *testing.T) {
	changed := Config{
		Runtime: Runtime{"a \"b\"\\", "/ü/\x01\n"}, PinDir: "/p", Log: "/l", LogLevel: "error", RecordSandboxes: true,
		Runtimes: map[string]string{"crun": "/b/crun", "a b": "/\"c"},
		Labels:   Labels{Annotations: []string{"a"}, Prefixes: []string{"p"}, JSON: []string{"j", "k"}},
		Contents: Contents{Default: "off", Annotation: "ignore", All: []string{"a"}, Paths: []string{"b"},
			Off: []string{"c d=e"}},
		Redact: Redact{Patterns: []string{`\d"'`}},
		Archive: Archive{Directory: "/a", MaxBytes: 1 << 20, MaxFiles: 2, MaxDays: 3, PerHour: 4,
			Status: []string{"any", "7"}, Namespaces: []string{"a-*", "!b"}, Labels: "x=y", Bucket: "s3://b/p"},
		Pool: Pool{Rings: 1, RingSize: 32 << 10, Identities: 2, ExecLogSize: 64 << 10, CaptureSize: 1000, ArgvSize: 64},
	}
	for name, c := range map[string]Config{"the default": Default(), "everything changed": changed} {
		got, err := Parse(File(c))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPlain reads the default file, with every line uncommented, without the parser.
func TestPlain(t *testing.T) {
	text := strings.ReplaceAll(File(Default()), "\n#", "\n")
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, " = ") || strings.HasPrefix(line, "[") {
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines, "\n")
	c, ok := parsePlain(text)
	if !ok {
		t.Fatalf("not plain:\n%s", text)
	}
	want := Default()
	want.Runtimes = map[string]string{"crun": "/usr/bin/crun"}
	if diff := cmp.Diff(want, c, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, odd := range []string{"a = 1", "[other]", "log = 1", "log = \"a\"\nlog = \"b\"", "[pool]\n[pool]",
		"[pool]\nrings = 01", "log = 'a'", "[labels]\njson = \"a\"",
		"[runtimes]\na.b = \"/c\"", "[runtimes]\na = \"/b\"\na = \"/c\"", "[runtimes]\na = [\"/b\"]",
		"[runtimes]\na = \"b\"", "[runtimes] #"} {
		if _, ok := parsePlain(odd); ok {
			t.Errorf("taken for plain: %q", odd)
		}
	}
}

// FuzzParse checks that every result of Parse is valid, and that ParseRuntime agrees with it.
func FuzzParse(f *testing.F) {
	f.Add(File(Default()))
	for _, seed := range []string{
		"runtime = \"/opt/runc\" # x\nlog = \"/l\"\nrecord-sandboxes = true\n[pool]\nrings = 1",
		"runtime = [\"a\", \"b\",]",
		"runtime = [ \"a\" ] \r\n",
		"runtime = \"\"\"\nx\"\"\"",
		"runtime = \"a\\u0062\"",
		"runtime = \"a\"\nruntime = \"b\"",
		"[[runtime]]",
		"Runtime = \"a\"\nruntime = \"b\"",
		"pin-dir = \"/a\"\n\"runtime\" = 'b'",
		"runtime.a = \"b\"",
		"runtime = \"#\"",
		"a = [\n\"x\"]\nruntime = \"b\"",
		"runtime = \"a\"\n[runtimes]\ncrun = \"/b\" # c\n[pool]\nwhatever",
		"[pool]\nrings = 1\n[runtimes]\ncrun = \"/b\"",
		"[runtimes]\ncrun = \"b\"",
		"[runtimes]\n[runtimes]\ncrun = \"/b\"",
		"[runtimes]\ncrun = \"/b\"\n[runtimes.crun]",
		"[runtimes.crun]\na = \"/b\"",
		"[Runtimes]\ncrun = \"/b\"",
		"runtimes = \"b\"",
		"[runtimes]\n[runtimEs]\ncrun = \"/b\"",
		"runtime = \"a\"\n[pool]\n[Runtime]",
		"[labels]\nAnnotations = [\"a\"]",
		"[contents]\ndefault = \"none\"\noff = [\"a b=c\", \"[\"]",
		"[contents]\nOff = [\"a\"]",
		"Unknown = 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if _, ok := parsePlain(text); ok && tooLong(text) == nil {
			want, wantErr := parseTOML(text)
			if diff := cmp.Diff(want, c); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Errorf("plainly parsed: %v, by the parser: %v (-parser +plain):\n%s", err, wantErr, diff)
			}
		}
		if problems := c.check(); len(problems) > 0 {
			t.Errorf("not usable: %v", problems)
		}
		for _, name := range []string{"", "crun", "other"} {
			if runtime, ok := ParseRuntime(text, name); ok {
				if diff := cmp.Diff(c.RuntimeFor(name), runtime); diff != "" {
					t.Errorf("runtime for %q (-Parse +ParseRuntime):\n%s", name, diff)
				}
			}
		}
	})
}

func TestParseRuntime(t *testing.T) {
	for _, test := range []struct {
		text, name string
		want       Runtime // nil: it cannot tell
	}{
		{"", "", Default().Runtime},
		{File(Default()), "", Default().Runtime},
		{"runtime = \"/opt/runc\"", "", Runtime{"/opt/runc"}},
		{"# x\n\n runtime=[\"a\",\"/b\" , ] # y\n[pool]\nwhatever", "", Runtime{"a", "/b"}},
		{"log = \"/l\"\nrecord-sandboxes = false\nruntime = \"a#b\"", "", Runtime{"a#b"}},
		{"runtime = 'a'", "", nil},
		{"runtime = \"\\u0061\"", "", nil},
		{"runtime = [\n\"a\"]", "", nil},
		{"runtime = \"a\"\nruntime = \"b\"", "", nil},
		{"runtime = true", "", nil},
		{"runtime = []", "", nil},
		{"runtime = \"./a\"", "", nil},
		{"runtime = \"a\"\nwhatever", "", nil},
		{"log = 1\nruntime = \"a\"", "", nil},
		{"\"runtime\" = \"a\"", "", nil},
		{"", "crun", Runtime{"crun"}},
		{File(Default()), "crun", nil},
		{"runtime = \"a\"\n[runtimes] \n crun=\"/b\" # c\nk3s_1 = \"/d\"\n[pool]\nwhatever", "crun", Runtime{"/b"}},
		{"runtime = \"a\"\n[runtimes]\ncrun = \"/b\"", "", Runtime{"a"}},
		{"runtime = \"a\"\n[runtimes]\ncrun = \"/b\"", "k3s", Runtime{"k3s"}},
		{"[pool]\n[runtimes]\ncrun = \"/b\"", "crun", nil},
		{"[runtimes]\ncrun = \"b\"", "crun", nil},
		{"[runtimes]\ncrun = [\"/b\"]", "crun", nil},
		{"[runtimes]\n\"crun\" = \"/b\"", "crun", nil},
	} {
		got, ok := ParseRuntime(test.text, test.name)
		if diff := cmp.Diff(test.want, got); diff != "" || ok != (test.want != nil) {
			t.Errorf("%q: %v (-want +got):\n%s", test.text, ok, diff)
		}
	}
}

// TestWrongTypes checks that an error for a value of the wrong type names the line, the key and what is wanted.
func TestWrongTypes(t *testing.T) {
	for text, want := range map[string]string{
		`adopt = "yes"`:                       "line 1: adopt must be true or false",
		"\nrecord-sandboxes = 1":              "line 2: record-sandboxes must be true or false",
		`pin-dir = 3`:                         "line 1: pin-dir must be a string",
		`log = 2020-01-01`:                    "line 1: log must be a string",
		"[archive]\nstatus = \"a\"":           "line 2: archive.status must be a list of strings",
		"[archive]\nmax-files = \"a\"":        "line 2: archive.max-files must be a whole number",
		"[archive]\nmax-bytes = true":         "line 2: archive.max-bytes must be a number of bytes such as 4096, \"256KiB\" or \"8MiB\"",
		"[labels]\nkeep = \"a\"":              "line 2: labels.keep must be a list of strings",
		"[contents]\ndefault = 1":             "line 2: contents.default must be a string",
		"[contents]\noff = true":              "line 2: contents.off must be a list of strings",
		"[labels]\nannotations = [\n1]":       "line 2: labels.annotations must be a list of strings",
		"[pool]\nrings = \"many\"":            "line 2: pool.rings must be a whole number",
		"[pool]\nidentities = 1.5":            "line 2: pool.identities must be a whole number",
		"[pool]\nrings = 9999999999999999999": "line 2: pool.rings is too large: 9999999999999999999",
		"[pool]\nargv-size = {}":              `line 2: pool.argv-size must be a number of bytes such as 4096, "256KiB" or "8MiB"`,
		`pool = 3`:                            "line 1: pool must be a table",
		"[[labels]]":                          "line 1: labels must be a table",
		`runtimes = "a"`:                      "runtimes must be a table",
		"[runtimes]\nlxc = 3":                 "line 2: runtimes.lxc must be a string",
		"runtime = {a = 1}":                   "line 1: runtime must be a string or a list of strings",
		"adopt = maybe":                       `line 1: expected value but found "maybe" instead`,
		"adopt = true\nadopt = false":         "line 2: Key 'adopt' has already been defined",
		"\"a: b\" = 1\nadopt = ":              "line 2: unexpected EOF; expected value",
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
