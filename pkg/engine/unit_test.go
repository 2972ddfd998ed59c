// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnitSyntax(t *testing.T) {
	for _, test := range []struct {
		name, tree string
		want       []string
		unsure     string
	}{
		{name: "comment inside of a continued line", tree: "-- /etc/systemd/system/x.service --\n[Service]\nExecStart=/bin/x \\\n# --no\n  ; --neither\n  --config /etc/x.toml\n",
			want: []string{"/bin/x", "--config", "/etc/x.toml"}},
		{name: "reset by a drop-in", tree: "-- /etc/systemd/system/x.service --\n[Service]\nExecStart=/bin/x --old\n-- /run/systemd/system/x.service.d/a.conf --\n[Service]\nExecStart=\nExecStart=/bin/x --new\n",
			want: []string{"/bin/x", "--new"}},
		{name: "drop-ins for all services, and for a prefix", tree: "-- /lib/systemd/system/x.service --\n[Service]\nExecStart=/bin/x $A $B\n-- /etc/systemd/system/service.d/a.conf --\n[Service]\nEnvironment=A=all\n-- /etc/systemd/system.conf.d/b.conf --\n[Manager]\nDefaultEnvironment=B=manager\n",
			want: []string{"/bin/x", "all", "manager"}},
		{name: "environment files", tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/etc/a\nEnvironmentFile=-/etc/none\nEnvironmentFile=/etc/b-*\nEnvironment=A=unit\nExecStart=/bin/x $A \"${A}\" --a=${A}-$A $$A\n-- /etc/a --\nA=a\n-- /etc/b-1 --\nA='two  words'\n",
			want: []string{"/bin/x", "two", "words", "two  words", "--a=two  words-$A", "$A"}},
		{name: "environment files taken back", tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/etc/a\nEnvironmentFile=\nUnsetEnvironment=B\nEnvironment=B=b\nExecStart=/bin/x $A $B -e\n-- /etc/a --\nA=a\n",
			want: []string{"/bin/x", "-e"}},
		{name: "prefix that leaves variables", tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironment=A=a\nExecStart=-:/bin/x $A ${A}\n",
			want: []string{"/bin/x", "$A", "${A}"}},
		{name: "quotes and escapes", tree: "-- /lib/systemd/system/x.service --\n[Service]\nExecStart=/bin/x \"a b\" 'c\"d' --e=\"f g\" h\\x20i j\\\\k \"\" %%n %t/y\n",
			want: []string{"/bin/x", "a b", "c\"d", "--e=f g", "h i", "j\\k", "", "%n", "/run/y"}},
		{name: "passed on, and not used", tree: "-- /etc/systemd/system/x.service --\n[Service]\nPassEnvironment=HTTP_PROXY\nExecStart=/bin/x\n", want: []string{"/bin/x"}},
		{name: "passed on, and an option", tree: "-- /etc/systemd/system/x.service --\n[Service]\nPassEnvironment=HTTP_PROXY CONTAINER_ROOT\nExecStart=/bin/x\n", want: []string{"/bin/x"},
			unsure: "/etc/systemd/system/x.service:2: $CONTAINER_ROOT comes from systemd's own environment"},
		{name: "masked", tree: "-- /etc/systemd/system/x.service --\n-> /dev/null\n-- /lib/systemd/system/x.service --\n[Service]\nExecStart=/bin/x\n"},
		{name: "a drop-in that is none", tree: "-- /lib/systemd/system/x.service --\n[Service]\nExecStart=/bin/x\n-- /etc/systemd/system/x.service.d/a.conf/b --\n-- /etc/systemd/system/x.service.d/b.conf --\n-> /nowhere\n",
			want: []string{"/bin/x"}},
		{name: "what a specifier stands for", tree: "-- /lib/systemd/system/x.service --\n[Service]\nExecStart=/bin/x \\\n  --host=%H\n",
			want: []string{"/bin/x", "--host="}, unsure: "/lib/systemd/system/x.service:2: the meaning of %H is unknown"},
		{name: "a file that has to be there", tree: "-- /lib/systemd/system/x.service --\n[Service]\nEnvironmentFile=/run/x\nExecStart=/bin/x $X\n",
			want: []string{"/bin/x"}, unsure: "/lib/systemd/system/x.service:2: /run/x does not exist"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, _, err := tree(t, test.tree).unit("x.service")
			if err != nil {
				t.Fatal(err)
			}
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
		{name: "D", value: "x\ny z$\\q#", at: place{"f", 5}},
		{name: "F", value: "  f\"", at: place{"f", 9}},
		{name: "G", value: "#", at: place{"f", 11}},
		{name: "H", at: place{"f", 12}},
	}
	if diff := cmp.Diff(want, parseEnvironment("f", []byte(text)), cmp.AllowUnexported(setting{}, place{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzUnit(f *testing.F) {
	f.Add("[Service]\nEnvironment=A=\"b\\x\nExecStart=/bin/x $A ${A} \\0 %")
	f.Fuzz(func(t *testing.T, text string) {
		u := unit{env: make(map[string]setting)}
		for _, s := range append(parseUnit("f", []byte(text)), parseEnvironment("f", []byte(text))...) {
			u.exec = s
			u.setEnvironment(s)
			u.words()
		}
	})
}
