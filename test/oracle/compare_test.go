// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestCompare(t *testing.T) {
	for _, test := range []struct {
		strace, record string
		want           verdict
		at             string
	}{
		{`3`, `3`, equal, ""},
		{`3`, `0x3`, equal, ""},
		{`-1`, `0xffffffffffffffff`, equal, ""},
		{`NULL`, `0`, equal, ""},
		{`3`, `4`, wrong, ""},
		{`A|B`, `B|A`, equal, ""},
		{`A|B`, `A|0x2`, bare, "|"},
		{`A`, `0x2`, bare, "|"},
		{`A|0x2`, `A|B`, equal, ""},
		{`0x2 /* A_??? */`, `B`, equal, ""},
		{`A|0600`, `A|0x180`, equal, ""},
		{`A|B`, `A|C`, wrong, ""},
		{`A|B`, `A`, wrong, ""},
		{`A`, `A|B`, wrong, ""},
		{`AT_STATX_SYNC_AS_STAT|A`, `A`, bare, "|"},
		{`0xc |A`, `0xc|A`, equal, ""},
		{`0xff00|0700`, `0xff80`, wrong, ""},
		{`0xff00|0007`, `0xff07`, equal, ""},
		{`A|63<<MAP_HUGE_SHIFT`, `A|0xfc000000`, equal, ""},
		{`0 /* A */`, `A`, equal, ""},
		{`A or B`, `B`, equal, ""},
		{`A or B`, `C`, wrong, ""},
		{`A|0x1`, `A|B|0x2`, wrong, ""},
		{`3</a>`, `3`, equal, ""},
		{`3`, `3</a>`, equal, ""},
		{`"abc"`, `"abc"`, equal, ""},
		{`"abc"`, `"ab"...`, partial, ""},
		{`"ab"...`, `"abc"`, equal, ""},
		{`"abc"`, `"abd"`, wrong, ""},
		{`"ab\0"`, `"ab"`, equal, ""},
		{`"\1\2"`, `{a=513}`, equal, ""},
		{`"abc"`, `0x7f10`, bare, ""},
		{`0x7f10`, `"abc"`, equal, ""},
		{`0x7f10`, `0x7f11`, wrong, ""},
		{`{a=1, b=2}`, `{b=2, a=1}`, equal, ""},
		{`{a=1, ...}`, `{a=1, b=2}`, equal, ""},
		{`{a=1}`, `{a=1, b=2}`, wrong, ".b added"},
		{`{a=1, b=2}`, `{a=1, ...}`, partial, ".b missing"},
		{`{a={c=1}}`, `{a={c=2}}`, wrong, ".a.c"},
		{`{a=1}`, `"\1"`, bare, ""},
		{`[1, 2]`, `[1, 2]`, equal, ""},
		{`[1, 2]`, `[1, ...]`, partial, "[...]"},
		{`[1, 2]`, `[1]`, wrong, "[...]"},
		{`[1, ...]`, `[1, 2]`, equal, ""},
		{`[1]`, `[1, 2]`, wrong, "[...]"},
		{`[TERM CHLD]`, `[TERM CHLD]`, equal, ""},
		{`~[TERM]`, `[TERM]`, wrong, ""},
		{`[16 => 8]`, `[16 => 8]`, equal, ""},
		{`[16 => 8]`, `[16]`, partial, "[]=>"},
		{`[8]`, `[8 => 8]`, equal, ""},
		{`[16 => 8]`, `[16 => 9]`, wrong, "[]=>"},
		{`htons(80)`, `htons(81)`, wrong, ""},
		{`0x7f10 /* 20 vars */`, `0x7f10 /* 20 vars */`, equal, ""},
		{`0x7f10 /* 20 vars */`, `0x7f10`, bare, ""},
		{`0x7f10 /* 20 vars */`, `0x7f10 /* 21 vars */`, wrong, ""},
		{`0x7f10 /* 2 entries */`, `[{d_name="a"}, {d_name="b"}]`, equal, ""},
		{`0x7f10 /* 2 entries */`, `[{d_name="a"}]`, wrong, ""},
		{`0x7f10 /* 2 entries */`, `"\1\2"`, bare, ""},
	} {
		strace, err := parseValue(test.strace)
		if err != nil {
			t.Fatal(err)
		}
		record, err := parseValue(test.record)
		if err != nil {
			t.Fatal(err)
		}
		if f := compare(strace, record); f.verdict != test.want || f.at != test.at {
			t.Errorf("%s beside %s: %v %q, want %v %q", test.strace, test.record, f.verdict, f.at, test.want, test.at)
		}
	}
}

func TestCompareDescriptors(t *testing.T) {
	for _, test := range []struct {
		strace, record string
		want           verdict
	}{
		{"/a", "/a", equal},
		{"/dev/null<char 1:3>", "/dev/null", equal},
		{"/a", "", bare},
		{"/a", "/b", wrong},
		{"anon_inode:[eventpoll]", "anon_inode:[eventpoll]", equal},
		{"anon_inode:[eventpoll]", "pipe", wrong},
		{"pipe:[7]", "pipe:[7]", equal},
		{"pipe:[7]", "pipe", bare},
		{"pipe:[7]", "pipe:[8]", wrong},
		{"pid:7", "pidfd", bare},
		{"TCP:[127.0.0.1:1->127.0.0.1:2]", "TCP:[127.0.0.1:1->127.0.0.1:2]", equal},
		{"TCP:[127.0.0.1:1->127.0.0.1:2]", "TCP:[127.0.0.1:1->127.0.0.1:3]", wrong},
		{"TCP:[127.0.0.1:1->127.0.0.1:2]", "TCP", bare},
		{"TCP:[7]", "TCP:[127.0.0.1:1]", equal},
		{"TCP:[7]", "UDP", wrong},
		{"UNIX:[7]", "UNIX-DGRAM", bare},
		{"UNIX-STREAM:[7->8]", "UNIX-STREAM:[7]", equal},
		{"socket:[7]", "MPTCP:[127.0.0.1:1]", equal},
		{"socket:[7]", "socket", bare},
		{"socket:[7]", "/a", wrong},
	} {
		if got := compareDescriptors(test.strace, test.record); got != test.want {
			t.Errorf("%s beside %s: %v, want %v", test.strace, test.record, got, test.want)
		}
	}
}
