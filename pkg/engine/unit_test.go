// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unitTest is a unit, and how systemd starts it.
type unitTest struct {
	name, tree string
	unit       string // "" for x.service
	want       []string
	unsure     string
	real       func(want, got *loadedUnit) // corrects the expectation of TestSystemd; nil for none
}

func (u unitTest) service() string {
	if u.unit != "" {
		return u.unit
	}
	return "x.service"
}

// in returns a file of an archive: a unit or drop-in in one of the usual directories.
func in(dir, name, text string) string {
	dirs := map[string]string{"etc": "/etc/systemd/system", "run": "/run/systemd/system", "usr": "/usr/lib/systemd/system"}
	return "-- " + dirs[dir] + "/" + name + " --\n" + text + "\n"
}

// lines returns a section [Service] with these lines.
func lines(lines ...string) string { return "[Service]\n" + strings.Join(lines, "\n") }

// a is a unit that passes $A.
var a = in("usr", "x.service", lines("ExecStart=/bin/x $A"))

// sets is a drop-in that sets $A.
func sets(value string) string { return lines("Environment=A=" + value) }

var unitTests = []unitTest{
	{name: "comment inside of a continued line",
		tree: in("etc", "x.service", lines(`ExecStart=/bin/x \`, "# --no", "  ; --neither", "  --config /etc/x.toml")),
		want: []string{"/bin/x", "--config", "/etc/x.toml"}},
	{name: "reset by a drop-in", tree: in("etc", "x.service", lines("ExecStart=/bin/x --old")) +
		in("run", "x.service.d/a.conf", lines("ExecStart=", "ExecStart=/bin/x --new")),
		want: []string{"/bin/x", "--new"}},
	{name: "drop-ins for all services, and of the manager",
		tree: in("usr", "x.service", lines("ExecStart=/bin/x $A $B")) + in("etc", "service.d/a.conf", sets("all")) +
			"-- /etc/systemd/system.conf.d/b.conf --\n[Manager]\nDefaultEnvironment=B=manager\n",
		want: []string{"/bin/x", "all", "manager"}},
	{name: "one for all services has the name of its own", tree: a + in("etc", "service.d/a.conf", sets("all")) +
		in("usr", "x.service.d/a.conf", sets("own")), want: []string{"/bin/x", "own"}},
	{name: "drop-in of an alias", tree: a + in("etc", "y.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "y.service.d/a.conf", sets("alias")), want: []string{"/bin/x", "alias"}},
	{name: "drop-in of an alias of an alias", tree: a +
		in("etc", "y.service", "-> ../../../usr/lib/systemd/system/x.service") +
		in("etc", "z.service", "-> y.service") + in("run", "z.service.d/a.conf", sets("alias")),
		want: []string{"/bin/x", "alias"}},
	{name: "it is an alias itself", tree: in("usr", "y.service", lines("ExecStart=/bin/x $A %n $B")) +
		in("etc", "x.service", "-> /usr/lib/systemd/system/y.service") +
		in("etc", "x.service.d/a.conf", sets("alias")) +
		in("etc", "y.service.d/b.conf", lines("Environment=B=own")),
		want: []string{"/bin/x", "alias", "y.service", "own"}},
	{name: "its own drop-in, and one of an alias, with the same name", tree: a +
		in("etc", "y.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "y.service.d/a.conf", sets("alias")) +
		in("usr", "x.service.d/a.conf", sets("own")), want: []string{"/bin/x", "own"}},
	{name: "drop-ins of two aliases with the same name", tree: a +
		in("etc", "y.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "z.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "y.service.d/a.conf", sets("y")) + in("etc", "z.service.d/a.conf", sets("z")),
		want:   []string{"/bin/x", "y"},
		unsure: "/etc/systemd/system/y.service.d/a.conf: systemd reads either this file or /etc/systemd/system/z.service.d/a.conf; rename one of them",
		real:   func(want, got *loadedUnit) { want.files, want.env = got.files, got.env }},
	{name: "aliases that are none", tree: a + in("etc", "y@.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "z.service", "-> /usr/lib/systemd/system/z.service") +
		in("etc", "y@.service.d/a.conf", sets("y")) +
		in("etc", "z.service.d/b.conf", sets("z")) +
		in("etc", "multi-user.target.wants/v.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "v.service.d/c.conf", sets("v")), want: []string{"/bin/x"}},
	{name: "a link to itself in another directory", tree: a +
		in("etc", "x.service", "-> /usr/lib/systemd/system/x.service") +
		in("etc", "x.service.d/a.conf", sets("own")), want: []string{"/bin/x", "own"}},
	{name: "a linked unit", tree: in("etc", "x.service", "-> /opt/other.service") +
		"-- /opt/other.service --\n" + lines("ExecStart=/bin/x $A %n") + "\n" +
		in("etc", "x.service.d/a.conf", sets("own")),
		want: []string{"/bin/x", "own", "x.service"},
		real: func(want, _ *loadedUnit) { want.files[0] = "/etc/systemd/system/x.service" }}, // the link
	{name: "prefixes of its name", tree: in("usr", "x-y-z.service", lines("ExecStart=/bin/x $A $B $C")) +
		in("etc", "x-.service.d/a.conf", sets("prefix")) + in("usr", "x-y-z.service.d/a.conf", sets("own")) +
		in("usr", "x-y-.service.d/b.conf", lines("Environment=B=b")) +
		in("usr", "x-.service.d/b.conf", lines("Environment=B=no")) +
		in("etc", "xx-.service.d/c.conf", lines("Environment=C=no")),
		unit: "x-y-z.service", want: []string{"/bin/x", "prefix", "b"}},
	{name: "drop-ins that count for nothing", tree: a + in("etc", "x.service.d/.a.conf", sets("hidden")) +
		in("etc", "x.service.d/b.conf~", sets("backup")) + in("etc", "x.service.d/c.conf", "-> /dev/null") +
		in("usr", "x.service.d/c.conf", sets("masked")) + in("run", "x.service.d/d.conf", "") +
		in("usr", "x.service.d/d.conf", sets("masked, too")), want: []string{"/bin/x"}},
	{name: "environment files",
		tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/etc/a\nEnvironmentFile=-/etc/none\nEnvironmentFile=/etc/b-*\nEnvironment=A=unit\nExecStart=/bin/x $A \"${A}\" --a=${A}-$A $$A\n-- /etc/a --\nA=a\n-- /etc/b-1 --\nA='two  words'\n",
		want: []string{"/bin/x", "two", "words", "two  words", "--a=two  words-$A", "$A"}},
	{name: "environment files taken back",
		tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/etc/a\nEnvironmentFile=\nUnsetEnvironment=B\nEnvironment=B=b\nExecStart=/bin/x $A $B -e\n-- /etc/a --\nA=a\n",
		want: []string{"/bin/x", "-e"}},
	{name: "environment files that systemd ignores", tree: a +
		in("etc", "x.service.d/a.conf", lines("EnvironmentFile=relative", `EnvironmentFile="/etc/a"`, "EnvironmentFile=-/etc",
			"EnvironmentFile=-/etc/bad", "EnvironmentFile=-/etc/none*")) +
		"-- /etc/a --\nA=quoted\n-- /etc/bad --\nA=\xff\n", want: []string{"/bin/x"}},
	{name: "an optional file with an unknown name", tree: a +
		in("etc", "x.service.d/a.conf", lines("EnvironmentFile=-%A/etc/a")) + "-- /etc/a --\nA=no\n",
		want:   []string{"/bin/x"},
		unsure: "/etc/systemd/system/x.service.d/a.conf:2: the meaning of %A is unknown"},
	{name: "a file that has to be there",
		tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/run/x\nExecStart=/bin/x $X\n",
		want: []string{"/bin/x"}, unsure: "/lib/systemd/system/x.service:2: /run/x does not exist"},
	{name: "a file that is a directory", tree: a + in("etc", "x.service.d/a.conf", lines("EnvironmentFile=/etc")),
		want:   []string{"/bin/x"},
		unsure: "/etc/systemd/system/x.service.d/a.conf:2: /etc is not a regular file"},
	{name: "no file for a pattern", tree: a + in("etc", "x.service.d/a.conf", lines("EnvironmentFile=/etc/x/*")),
		want: []string{"/bin/x"}, unsure: "/etc/systemd/system/x.service.d/a.conf:2: no file matches /etc/x/*"},
	{name: "a comment that hides the next line", tree: a +
		in("etc", "x.service.d/a.conf", lines("EnvironmentFile=/etc/a")) + "-- /etc/a --\n# no \\\nA=a\n",
		want:   []string{"/bin/x", "a"},
		unsure: "/etc/a:2: systemd before 254 does not read A, as the comment before it ends with a backslash"},
	{name: "a comment that hides a variable of no use", tree: a +
		in("etc", "x.service.d/a.conf", lines("EnvironmentFile=/etc/a")) + "-- /etc/a --\n# no \\\nB=b\n",
		want: []string{"/bin/x"}},
	{name: "variables of all sources",
		tree: in("usr", "x.service",
			lines("PassEnvironment=B", "Environment=B=unit C=unit", "EnvironmentFile=/etc/a", "ExecStart=/bin/x $A $B $C $D")) +
			"-- /etc/systemd/system.conf --\n[Manager]\nDefaultEnvironment=A=manager B=manager C=manager D=manager\nManagerEnvironment=A=no\n-- /etc/a --\nC=file\n" +
			in("etc", "x.service.d/a.conf", lines("UnsetEnvironment=D")),
		want: []string{"/bin/x", "manager", "unit", "file"}},
	{name: "the manager's variables stay",
		tree: in("usr", "x.service", lines("Environment=B=b", "Environment=", "ExecStart=/bin/x $A $B")) +
			"-- /etc/systemd/system.conf --\n[Manager]\nDefaultEnvironment=A=manager\n",
		want: []string{"/bin/x", "manager"}},
	{name: "configuration of the manager", tree: in("usr", "x.service", lines("ExecStart=/bin/x $A $B $C")) +
		"-- /usr/lib/systemd/system.conf --\n[Manager]\nDefaultEnvironment=C=no\n-- /etc/systemd/system.conf --\n[Manager]\n" +
		"-- /usr/lib/systemd/system.conf.d/a.conf --\n[Manager]\nDefaultEnvironment=A=masked\n-- /run/systemd/system.conf.d/a.conf --\n[Manager]\nDefaultEnvironment=B=run\n",
		want: []string{"/bin/x", "run"}},
	{name: "variables removed, and not",
		tree: in("usr", "x.service", lines("Environment=A=a B=b C=c", "UnsetEnvironment=A", "ExecStart=/bin/x $A $B $C")) +
			in("etc", "x.service.d/a.conf", lines("UnsetEnvironment=", "UnsetEnvironment=B=x C=c")),
		want: []string{"/bin/x", "a", "b"}},
	{name: "a byte order mark", tree: in("usr", "x.service", "\ufeff"+lines("ExecStart=/bin/x $A")) +
		in("etc", "x.service.d/a.conf", "\ufeff"+sets("a")), want: []string{"/bin/x", "a"}},
	{name: "other ends of lines",
		tree: in("usr", "x.service", "[Service]\r\nEnvironment=A=a\rExecStart=/bin/x $A \\\r\n  -b\r\n"),
		want: []string{"/bin/x", "a", "-b"}},
	{name: "names with another case, and sections with blanks", tree: a +
		in("etc", "x.service.d/a.conf", "[service]\nEnvironment=A=a\n[ Service ]\nEnvironment=A=b\n[Service]\nenvironment=A=c\n"),
		want: []string{"/bin/x"}},
	{name: "a section that is not closed", tree: a +
		in("etc", "x.service.d/a.conf", lines("Environment=A=a", "[Unit", "Environment=A=b")),
		want:   []string{"/bin/x", "a"},
		unsure: `/etc/systemd/system/x.service.d/a.conf:3: systemd stops reading this file at the invalid line "[Unit"`},
	{name: "prefix that leaves variables",
		tree: in("usr", "x.service", lines("Environment=A=a", "ExecStart=-:/bin/x $A ${A}")),
		want: []string{"/bin/x", "$A", "${A}"}},
	{name: "all prefixes", tree: in("usr", "x.service", lines("Environment=A=a", `ExecStart="@+-/bin/x" name $A`)),
		want: []string{"/bin/x", "a"}, real: func(want, _ *loadedUnit) { want.argv[0] = "name" }},
	{name: "prefix of newer versions", tree: in("usr", "x.service", lines("ExecStart=|/bin/x -a")),
		want:   []string{"/bin/x", "-a"},
		unsure: "/usr/lib/systemd/system/x.service:2: the prefix | runs the command in a shell",
		real:   func(want, _ *loadedUnit) { *want = loadedUnit{found: true, refused: true} }}, // since 258
	{name: "a program without a directory", tree: in("usr", "x.service", lines("ExecStart=x -a")),
		want: []string{"x", "-a"}},
	{name: "quotes and escapes",
		tree: in("usr", "x.service", lines(`ExecStart=/bin/x "a b" 'c"d' --e="f g" h\x20i\s\u0041 j\\k \q "" %%n %t/y`)),
		want: []string{"/bin/x", "a b", `c"d`, "--e=f g", "h i A", `j\k`, `\q`, "", "%n", "/run/y"}},
	{name: "escapes in variables",
		tree: in("usr", "x.service",
			lines(`Environment="A=a\\x20b 'c d'" B=\q A=no`, "ExecStart=/bin/x $A ${A} $a-b ${A:-c} ${A")),
		want: []string{"/bin/x", "ax20b", "c d", `a\x20b 'c d'`, "${A:-c}", "${A"}},
	{name: "quotes that are not closed", tree: in("usr", "x.service", lines(`ExecStart=/bin/x "a`)),
		want: []string{"/bin/x"}, unsure: "/usr/lib/systemd/system/x.service:2: unbalanced quotes",
		real: func(want, _ *loadedUnit) { *want = loadedUnit{found: true, refused: true} }},
	{name: "two commands", tree: in("usr", "x.service", lines("ExecStart=/bin/y", "ExecStart=/bin/x -a")),
		want:   []string{"/bin/x", "-a"},
		unsure: "/usr/lib/systemd/system/x.service:3: the service has more than one ExecStart",
		real:   func(want, _ *loadedUnit) { *want = loadedUnit{found: true, refused: true} }},
	{name: "two commands in one line",
		tree:   in("usr", "x.service", lines("Type=oneshot", `ExecStart=/bin/x \; -a ; /bin/y`)),
		want:   []string{"/bin/x", ";", "-a"},
		unsure: "/usr/lib/systemd/system/x.service:3: the command line has more than one command",
		real:   func(want, _ *loadedUnit) { want.argv = []string{"/bin/y"} }},
	{name: "passed on, and not used",
		tree: in("etc", "x.service", lines("PassEnvironment=HTTP_PROXY", "ExecStart=/bin/x")),
		want: []string{"/bin/x"}},
	{name: "passed on, and an option",
		tree:   in("etc", "x.service", lines("PassEnvironment=HTTP_PROXY CONTAINER_ROOT", "ExecStart=/bin/x")),
		want:   []string{"/bin/x"},
		unsure: "/etc/systemd/system/x.service:2: $CONTAINER_ROOT comes from systemd's own environment"},
	{name: "passed on, and taken back",
		tree: in("etc", "x.service", lines("PassEnvironment=A", "ExecStart=/bin/x $A")) +
			in("etc", "x.service.d/a.conf", lines("PassEnvironment=")), want: []string{"/bin/x"}},
	{name: "passed on, and set",
		tree: in("etc", "x.service", lines("PassEnvironment=A", "Environment=A=a", "ExecStart=/bin/x $A")),
		want: []string{"/bin/x", "a"}},
	{name: "masked", tree: in("etc", "x.service", "-> /dev/null") + a},
	{name: "masked by an empty file", tree: "-- /run/systemd/system/x.service --\n" + a},
	{name: "a drop-in that is none", tree: in("usr", "x.service", lines("ExecStart=/bin/x")) +
		in("etc", "x.service.d/a.conf/b", "") + in("etc", "x.service.d/b.conf", "-> /nowhere"),
		want: []string{"/bin/x"}},
	{name: "what a specifier stands for",
		tree:   in("usr", "x.service", lines(`ExecStart=/bin/x %n %N %p %i %j %t %% \`, "  --host=%H")),
		want:   []string{"/bin/x", "x.service", "x", "x", "", "x", "/run", "%", "--host=%H"},
		unsure: "/usr/lib/systemd/system/x.service:2: the meaning of %H is unknown",
		real:   func(want, _ *loadedUnit) { want.argv[8] = "--host=" + hostname() }},
	{name: "the name of a host", tree: in("usr", "x.service", lines("ExecStart=/bin/x --host=%H")) +
		"-- /proc/sys/kernel/hostname --\n" + hostname() + "\n",
		want: []string{"/bin/x", "--host=" + hostname()}},
	{name: "a specifier that is not used",
		tree: in("usr", "x.service", lines("Environment=B=%A", "ExecStart=/bin/x $A")), want: []string{"/bin/x"},
		real: func(want, got *loadedUnit) { want.env = got.env }},
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}

func TestUnitSyntax(t *testing.T) {
	for _, test := range unitTests {
		t.Run(test.name, func(t *testing.T) {
			u, _ := tree(t, test.tree).unit(test.service())
			if diff := cmp.Diff(test.want, u.args()); diff != "" {
				t.Errorf("command line (-want +got):\n%s", diff)
			}
			if got := message(u.unsure); got != test.unsure {
				t.Errorf("unsure %q, want %q", got, test.unsure)
			}
		})
	}
}

func TestEnvironmentFile(t *testing.T) {
	const text = "# A=no\n; B=no \\\nC=a comment goes on\nA= a b \t\nD='x\ny' \"z\\$\\q\"#\nexport E=no\nnothing\n  F=\\\n  f\\\"\nG=\"#\"\nH="
	want := []setting{
		{name: "A", value: "a b", at: place{"f", 4}},
		{name: "D", value: "x\nyz$\\q#", at: place{"f", 5}},
		{name: "export E", value: "no", at: place{"f", 7}},
		{name: "F", value: "  f\"", at: place{"f", 9}},
		{name: "G", value: "#", at: place{"f", 11}},
		{name: "H", at: place{"f", 12}},
	}
	if diff := cmp.Diff(want, parseEnvironment("f", []byte(text), true),
		cmp.AllowUnexported(setting{}, place{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzUnit(f *testing.F) {
	f.Add("[Service]\nEnvironment=A=\"b\\x\nExecStart=/bin/x $A ${A} \\0 %")
	f.Fuzz(func(t *testing.T, text string) {
		env, known := make(environment), specifiers{'%': "%"}
		settings, _ := parseUnit("f", []byte(text))
		for _, s := range append(settings, parseEnvironment("f", []byte(text), true)...) {
			env.assign(s, known)
			if c, err := parseCommand(s, known); err == nil {
				c.expand(env)
			}
		}
	})
}
