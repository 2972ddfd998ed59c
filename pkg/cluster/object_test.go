// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestAppendWithNode(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`{}`, `{"node":"n1"}`},
		{`{"a":1,"b":"x,}\"{"}`, `{"node":"n1","a":1,"b":"x,}\"{"}`},
		{`{"unknown":{"deep":[1,{"node":"kept"}]},"z":[]}`, `{"node":"n1","unknown":{"deep":[1,{"node":"kept"}]},"z":[]}`},
		{`{"node":"n2","a":1}`, `{"node":"n1","a":1}`},
		{`{"a":1,"Node":"n2"}`, `{"node":"n1","a":1}`},
		{`{"n\u006fde":{"x":"}"},"a":1,"node":2}`, `{"node":"n1","a":1}`},
		{"{ \"a\" :\t[ 1 ,\r2 ] }", `{"node":"n1","a":[1,2]}`},
		{"{\"a\":\"\u009b2J\x7f\u202e\"}", `{"node":"n1","a":"\u009b2J\u007f\u202e"}`},
		{"{\"a\":\"\x9b\xff\"}", "{\"node\":\"n1\",\"a\":\"\ufffd\"}"},
	} {
		o, err := ParseObject([]byte(c.line))
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if diff := cmp.Diff(c.want+"\n", string(o.AppendWithNode(nil, "n1"))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, diff)
		}
	}
	for _, line := range []string{"", " ", "x", "[]", `"a"`, "1", "{", `{"a"}`, `{"a":1}{}`, "{\"a\":\"\x1b\"}"} {
		if o, err := ParseObject([]byte(line)); !errors.Is(err, ErrLine) {
			t.Errorf("%q is taken as %s, %v", line, o, err)
		}
	}
}

func TestHead(t *testing.T) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 4, time.UTC)
	five := uint64(5)
	for _, c := range []struct {
		line string
		want head
	}{
		{`{"x":[1,"}"],"time":"2026-11-23T01:02:03.000000004Z","log":7,"sequence":5}`, head{Time: at, Log: 7, Sequence: &five}},
		{`{"heartbeat":"2026-11-23T01:02:03.000000004Z"}`, head{Heartbeat: &at}},
		{`{"time":"yesterday","log":-1,"sequence":"5","heartbeat":[]}`, head{}},
		{`{}`, head{}},
	} {
		o, err := ParseObject([]byte(c.line))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, o.head()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, diff)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"node":"n2","a":{"b":[1,"\\\"}"]}}`))
	f.Add([]byte("{\"\\u006eode\":1,\"time\":\"2026-11-23T01:02:03Z\",\"x\":\"\u009b\"}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		o, err := ParseObject(line)
		if err != nil {
			return
		}
		o.head()
		got := string(o.AppendWithNode(nil, "n1"))
		for _, r := range strings.TrimSuffix(got, "\n") {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q becomes %q", line, got)
			}
		}
		var want, members map[string]any
		if err := json.Unmarshal(o, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(got), &members); err != nil {
			t.Fatalf("%q becomes %q: %v", line, got, err)
		}
		for key := range want {
			if strings.EqualFold(key, "node") {
				delete(want, key)
			}
		}
		want["node"] = "n1"
		if diff := cmp.Diff(want, members); diff != "" {
			t.Fatalf("%q becomes %q (-want +got):\n%s", line, got, diff)
		}
	})
}
