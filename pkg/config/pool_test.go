// SPDX-License-Identifier: Apache-2.0

package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPoolSettings compares the table with the struct: each member has one entry, under its key, and a default
// within bounds.
func TestPoolSettings(t *testing.T) {
	var p Pool
	members := reflect.TypeFor[Pool]()
	if members.NumField() != len(PoolSettings) {
		t.Errorf("%d members, %d settings", members.NumField(), len(PoolSettings))
	}
	for i := range PoolSettings {
		s := &PoolSettings[i]
		s.of(&p).assign(s.max)
		field := members.Field(i)
		if got := fmt.Sprint(reflect.ValueOf(&p).Elem().Field(i)); got != s.of(&p).String() ||
			field.Tag.Get("toml") != s.Key {
			t.Errorf("setting %s is %s; member %s has the key %q and is %s", s.Key, s.of(&p), field.Name,
				field.Tag.Get("toml"), got)
		}
	}
	for _, p := range []Pool{DefaultPool(), SmallestPool()} {
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestValidatePool(t *testing.T) {
	for _, test := range []struct {
		change func(*Pool)
		want   string
	}{
		{func(*Pool) {}, ""},
		{func(p *Pool) { p.Rings, p.Identities, p.RecentSize = 0, 0, 0 }, ""},
		{func(p *Pool) { p.Rings = -1 }, "recordings is -1: it must be 1 to 65536; 0: by the machine's memory"},
		{func(p *Pool) { p.SaidSize = 12 << 10 }, "said-size is 12KiB: it must be a power of two, 4KiB to 64MiB; 0: its share of ring-size"},
		{func(p *Pool) { p.RingSize = 5000 }, "ring-size is 5000: it must be a power of two, 32KiB to 64MiB"},
		{func(p *Pool) { p.RingSize = 128 << 20 }, "ring-size is 128MiB: it must be a power of two, 32KiB to 64MiB"},
		{func(p *Pool) { p.Rings, p.Identities = 256, 256 }, "identities is 256: it must be at least twice recordings (256), so that recordings keep their names"},
		{func(p *Pool) { p.CaptureSize = 4096 }, "capture-size is 4KiB: it must be 8 to 1KiB"},
		{func(p *Pool) { p.ArgvSize = 1 }, "argv-size is 1: it must be 64 to 32KiB"},
	} {
		p := DefaultPool()
		test.change(&p)
		got := ""
		if err := p.Validate(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%v: %q, want %q", p, got, test.want)
		}
	}
}

func TestPoolWith(t *testing.T) {
	flags, configured := DefaultPool(), DefaultPool()
	flags.Rings, flags.RingSize, flags.ArgvSize = 7, 1<<20, 99
	configured.Rings, configured.Identities, configured.ArgvSize = 8, 1000, 512
	set := map[string]bool{"recordings": true, "ring-size": true}
	want := DefaultPool()
	want.Rings, want.RingSize, want.Identities, want.ArgvSize = 7, 1<<20, 1000, 512
	if diff := cmp.Diff(want, configured.With(flags, func(name string) bool { return set[name] })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestPoolText(t *testing.T) {
	text, err := json.Marshal(DefaultPool())
	const want = `{"recordings":0,"ringSize":524288,"recentSize":0,"firstSize":0,"filesSize":0,"distinctSize":0,` +
		`"saidSize":0,"runtimeSize":0,"identities":0,"execLogSize":8388608,"captureSize":128,"argvSize":4096,` +
		`"verboseStructs":false}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	const line = "recordings 0, ring-size 512KiB, recent-size 0, first-size 0, files-size 0, distinct-size 0, " +
		"said-size 0, runtime-size 0, identities 0, exec-log-size 8MiB, capture-size 128, argv-size 4KiB, " +
		"verbose-structs false"
	if got := DefaultPool().String(); got != line {
		t.Errorf("%s, want %s", got, line)
	}
}
