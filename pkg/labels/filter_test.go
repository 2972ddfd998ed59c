// SPDX-License-Identifier: Apache-2.0

package labels

import (
	"fmt"
	"strings"
	"testing"
)

func TestSelector(t *testing.T) {
	web := map[string]string{"app": "web", "tier": "front", "rank": "7", "example.com/team": "a", "empty": ""}
	for _, c := range []struct {
		text string
		want bool
	}{
		{"", true},
		{"app=web", true},
		{"app==web", true},
		{" app = web ", true},
		{"app=db", false},
		{"app!=db", true},
		{"other!=db", true},
		{"app in (web, db)", true},
		{"app in (db)", false},
		{"app notin (db,cache)", true},
		{"other notin (db)", true},
		{"app", true},
		{"!app", false},
		{"!other", true},
		{"empty=", true},
		{"app=", false},
		{"rank>6", true},
		{"rank<7", false},
		{"example.com/team=a", true},
		{"app=web,tier!=back,rank in (7,8),!other", true},
		{"app=web,tier=back", false},
	} {
		s, err := ParseSelector(c.text)
		if err != nil {
			t.Errorf("ParseSelector(%q): %v", c.text, err)
			continue
		}
		if got := s.Matches(web); got != c.want {
			t.Errorf("%q matches %v: %v, want %v", c.text, web, got, c.want)
		}
	}
}

// TestSelectorMistakes checks that an error says what is wrong, and where.
func TestSelectorMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"app=web tier=front":     "a comma is missing",
		"app web":                "it needs an operator (=, !=, in, notin, <, >) after the key, or a comma",
		"app in web":             `the values after "in" need parentheses`,
		"app in (":               `the values after "in" need parentheses`,
		"app notin x,y":          `requirement 1, "app notin x": the values after "notin" need parentheses`,
		"app in (a b)":           "a comma is missing",
		"=web":                   "the key is missing",
		"a=b,,":                  `requirement 2, "": it is empty`,
		"a=b,":                   `requirement 2, "": it is empty`,
		"a=b, ,c=d":              `requirement 2, "": it is empty`,
		"app>x":                  `"x" is not a whole number`,
		"-app":                   `"-app" is not a label key`,
		"a/b/c=d":                `"a/b/c" is not a label key`,
		"!a=b":                   `only a key can follow the "!" at the beginning`,
		"app=web,tier=-x,x in a": `requirement 2, "tier=-x": "-x" is not the value of a label`,
		"app in (a,-b)":          `"-b" is not the value of a label`,
		"a=\x1b[2J":              `"\x1b[2J" is not the value of a label`,
		"a=(b)":                  `"(b)" is not the value of a label`,
	} {
		s, err := ParseSelector(text)
		if err == nil {
			t.Errorf("ParseSelector(%q) = %q, want an error", text, s)
			continue
		}
		want = fmt.Sprintf("label selector %q: %s; write it as in ", text, want)
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("ParseSelector(%q):\n%v, want\n%s", text, err, want)
		}
	}
}

func FuzzSelector(f *testing.F) {
	for _, seed := range []string{
		"", "a=b,c!=d,e in (f,g),!h", "k>5", "notin notin (in)", "a=b,", "x in (,)", "!", "a in (b,\xff)", "é=ü",
	} {
		f.Add(seed)
	}
	set := map[string]string{"a": "b", "k": "6", "in": "notin"}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil {
			return
		}
		again, err := ParseSelector(s.String())
		if err != nil {
			t.Fatalf("%q has the normal form %q, which is none: %v", text, s, err)
		}
		if again.String() != s.String() {
			t.Errorf("%q has the normal form %q, and that %q", text, s, again)
		}
		if again.Matches(set) != s.Matches(set) {
			t.Errorf("%q and its normal form %q select differently", text, s)
		}
	})
}

// TestRepeated checks that a flag that is repeated does not drop its earlier values.
func TestRepeated(t *testing.T) {
	var s Selector
	for _, text := range []string{"a in (b,c)", "", "!d", "a!=c"} {
		if err := s.Set(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{"a": "b"}, true}, {map[string]string{"a": "c"}, false}, {map[string]string{}, false},
		{map[string]string{"a": "b", "d": ""}, false},
	} {
		if got := s.Matches(c.labels); got != c.want {
			t.Errorf("%q matches %v: %v, want %v", s, c.labels, got, c.want)
		}
	}
	if again, err := ParseSelector(s.String()); err != nil || again.String() != s.String() {
		t.Errorf("%q is parsed as %q, %v", s, again, err)
	}
}

func TestFilter(t *testing.T) {
	selector := func(text string) Selector {
		s, err := ParseSelector(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c := &Container{Namespace: "default", Pod: "web-7d9f", Name: "nginx", Labels: map[string]string{"app": "web"}}
	for _, f := range []struct {
		name    string
		filter  Filter
		want    bool
		evicted bool
	}{
		{"everything", Filter{}, true, true},
		{"an empty selector", Filter{Labels: selector("")}, true, true},
		{"label", Filter{Labels: selector("app=web")}, true, false},
		{"other label", Filter{Labels: selector("app=db")}, false, false},
		{"negative label", Filter{Labels: selector("!gone")}, true, false},
		{"negative label that exists", Filter{Labels: selector("!app")}, false, false},
		{"namespace", Filter{Namespace: "default"}, true, false},
		{"part of a namespace", Filter{Namespace: "def"}, false, false},
		{"glob", Filter{Pod: "web-*", Container: "n?inx"}, true, false},
		{"glob that does not match", Filter{Pod: "web-[0-6]*"}, false, false},
		{"one of two", Filter{Pod: "web-*", Container: "sidecar"}, false, false},
	} {
		if got := f.filter.Judge(c) == Yes; got != f.want {
			t.Errorf("%s: matches %v, want %v", f.name, got, f.want)
		}
		if got := f.filter.Judge(nil) == Yes; got != f.evicted {
			t.Errorf("%s: matches an evicted container %v, want %v", f.name, got, f.evicted)
		}
	}
	docker := Container{ID: "0123456789abcdef", Engine: "docker", Name: "web"}
	unnamed := Container{ID: "fedcba9876543210", Engine: "docker", Unlabelled: true}
	inPod := Container{ID: "aabbccddeeff0011", Engine: "containerd", Namespace: "prod", Pod: "api-0", Name: "app"}
	for _, c := range []struct {
		filter                 Filter
		docker, unnamed, inPod Verdict
	}{
		{Filter{Container: "0123456789ab"}, Yes, No, No},
		{Filter{Container: "docker://0123456789abcdef"}, Yes, No, No},
		{Filter{Container: "podman://0123456789abcdef"}, No, No, No},
		{Filter{Container: "docker://"}, No, No, No},
		{Filter{Container: "fedcba"}, No, Yes, No},
		{Filter{Container: "a*"}, No, Unknown, Yes},
		{Filter{Container: "prod/api-0/app"}, No, Unknown, Yes},
		{Filter{Container: "prod/api-0"}, No, Unknown, Yes},
		{Filter{Container: "api-0"}, No, Unknown, No},
		{Filter{Pod: "prod/api-*"}, No, No, Yes},
		{Filter{Pod: "test/api-*"}, No, No, No},
	} {
		got := [3]Verdict{c.filter.JudgeNames(&docker), c.filter.JudgeNames(&unnamed), c.filter.JudgeNames(&inPod)}
		if want := [3]Verdict{c.docker, c.unnamed, c.inPod}; got != want {
			t.Errorf("%+v: %v, want %v", c.filter, got, want)
		}
	}
	byName := Filter{Container: "web"}
	for c, want := range map[*Container]Verdict{
		{Name: "web"}:                        Yes,
		{Name: "db"}:                         No,
		{}:                                   No,
		{Engine: "docker", Unlabelled: true}: Unknown,
		{Engine: "docker", Unlabelled: true, Name: "db"}: No,
	} {
		if got := byName.JudgeNames(c); got != want {
			t.Errorf("%+v is called web: %v, want %v", c, got, want)
		}
	}
	var g Glob
	if err := g.Set("a[" /* no end */); err == nil {
		t.Error(`the pattern "a[" is taken`)
	}
}

// TestSelectorOfUnlabelled checks that no operator decides by a label that no source has told.
func TestSelectorOfUnlabelled(t *testing.T) {
	annotated := map[string]string{"app": "web", "rank": "7"}
	told := &Container{Labels: annotated}
	unlabelled := &Container{Labels: annotated, Unlabelled: true} // its annotations have precedence: Docker, Podman
	inPod := &Container{Labels: annotated, Unlabelled: true, provisional: true}
	truncated := &Container{Labels: annotated, Unlabelled: true, Truncated: true}
	for _, c := range []struct {
		selector string
		want     [4]Verdict // told, unlabelled, in a pod, truncated
	}{
		{"app=web", [4]Verdict{Yes, Yes, Yes, Yes}},
		{"app!=db", [4]Verdict{Yes, Yes, Yes, Yes}},
		{"app", [4]Verdict{Yes, Yes, Yes, Yes}},
		{"rank>6", [4]Verdict{Yes, Yes, Yes, Yes}},
		{"app=db", [4]Verdict{No, No, Unknown, No}},
		{"app!=web", [4]Verdict{No, No, Unknown, No}},
		{"!app", [4]Verdict{No, No, Unknown, No}},
		{"rank<6", [4]Verdict{No, No, Unknown, No}},
		{"tier=db", [4]Verdict{No, Unknown, Unknown, Unknown}},
		{"tier in (db)", [4]Verdict{No, Unknown, Unknown, Unknown}},
		{"tier", [4]Verdict{No, Unknown, Unknown, Unknown}},
		{"tier>6", [4]Verdict{No, Unknown, Unknown, Unknown}},
		{"tier!=db", [4]Verdict{Yes, Unknown, Unknown, Unknown}},
		{"tier notin (db)", [4]Verdict{Yes, Unknown, Unknown, Unknown}},
		{"!tier", [4]Verdict{Yes, Unknown, Unknown, Unknown}},
		{"!tier,app=web", [4]Verdict{Yes, Unknown, Unknown, Unknown}},
		{"!tier,app=db", [4]Verdict{No, No, Unknown, No}},
	} {
		s, err := ParseSelector(c.selector)
		if err != nil {
			t.Fatal(err)
		}
		got := [4]Verdict{s.Judge(told), s.Judge(unlabelled), s.Judge(inPod), s.Judge(truncated)}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.selector, got, c.want)
		}
		list := Choice{Filter: &Filter{Labels: s}}
		unknown := 0
		for n, container := range []*Container{told, unlabelled, inPod, truncated} {
			if wants := list.Wants(container); wants != (got[n] >= Maybe) {
				t.Errorf("%s: container %d is listed: %v", c.selector, n, wants)
			}
			if got[n] == Unknown {
				unknown++
			}
		}
		if list.Unknown != unknown {
			t.Errorf("%s: %d containers are counted as left out, want %d", c.selector, list.Unknown, unknown)
		}
	}
}
