// SPDX-License-Identifier: Apache-2.0

package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseSpec(t *testing.T) {
	text := `{"ociVersion": "1.0.2", "process": {"args": ["sh"]}, "root": {"path": "/r"}, "annotations": {"a": "1", "b": "2"},
		"linux": {"cgroupsPath": "/x", "namespaces": [{"type": "pid"}, {"type": "mount", "path": "/p"}], "seccomp": {}}}`
	want := Spec{
		Annotations: map[string]string{"a": "1", "b": "2"},
		Root:        Root{Path: "/r"},
		Linux:       Linux{CgroupsPath: "/x", Namespaces: []Namespace{{Type: "pid"}, {Type: "mount", Path: "/p"}}},
	}
	for _, tail := range []string{"", "\n", "x", "}", "{", "\x00", `{"annotations": {"a": "other"}}`,
		strings.Repeat("]", 100_000)} {
		got, err := parse(text + tail)
		if err != nil {
			t.Fatalf("with %.20q behind it: %v", tail, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("with %.20q behind it (-want +got):\n%s", tail, diff)
		}
	}
	for _, broken := range []string{
		"", " ", "{", "[]", "null", `"x"`, "1", "}", `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{"a":1 "b":2}`,
		`{a:1}`, `{,}`, `{"a":"`,
		`{"annotations": {"a": 1}}`, `{"annotations": []}`, `{"annotations": nul}`, `{"linux": {"cgroupsPath": []}}`,
		`{"linux": {"namespaces": {}}}`, "\ufeff" + text, text[:len(text)-1],
	} {
		if got, err := parse(broken); err == nil {
			t.Errorf("%q gives %+v, want an error", broken, got)
		}
	}
}

func parse(text string) (Spec, error) { return Parse(strings.NewReader(text), int64(len(text))) }

// TestSpecFields compares Spec with runtime-spec's types, which runc uses.
func TestSpecFields(t *testing.T) {
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[Spec](), reflect.TypeFor[specs.Spec]()},
		{reflect.TypeFor[Root](), reflect.TypeFor[specs.Root]()},
		{reflect.TypeFor[Linux](), reflect.TypeFor[specs.Linux]()},
		{reflect.TypeFor[Namespace](), reflect.TypeFor[specs.LinuxNamespace]()},
	} {
		for i := range pair[0].NumField() {
			ours := pair[0].Field(i)
			if ours.Tag.Get("json") == "-" {
				continue
			}
			theirs, found := pair[1].FieldByName(ours.Name)
			name, _, _ := strings.Cut(theirs.Tag.Get("json"), ",")
			if !found || name != ours.Tag.Get("json") {
				t.Errorf("%v.%s is %q, of runtime-spec %q", pair[0], ours.Name, ours.Tag.Get("json"), name)
			}
			kind := theirs.Type.Kind()
			if kind == reflect.Pointer {
				kind = theirs.Type.Elem().Kind()
			}
			if kind != ours.Type.Kind() {
				t.Errorf("%v.%s is a %v, of runtime-spec a %v", pair[0], ours.Name, ours.Type, theirs.Type)
			}
		}
	}
	// Keys by which the fields are found.
	whole := specs.Spec{
		Annotations: map[string]string{"a": "1"},
		Linux: &specs.Linux{CgroupsPath: "/x",
			Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace, Path: "/p"}}},
	}
	text, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := Spec{Annotations: map[string]string{"a": "1"},
		Linux: Linux{CgroupsPath: "/x", Namespaces: []Namespace{{Type: "mount", Path: "/p"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// oddSpecs are specs that decoders may read differently.
var oddSpecs = []string{
	`{"annotations": {"a": "1"}, "linux": {"cgroupsPath": "/x", "namespaces": [{"type": "mount"}]}}`,
	`{"annotations": {"a": "1"}, "Annotations": {"b": "2"}, "ANNOTATIONS": null}`,
	`{"annotations": {"a": "1", "a": "2", "A": "3"}, "annotation\u017f": {"b": "4", "a": null}, "annotations": {"c": "5"}}`,
	`{"linux": null}`,
	`{"root": {"path": "rootfs", "readonly": true}, "ROOT": {"Path": null}, "roo\u0074": {"path": "/var"}}`,
	`{"root": {"path": "rootfs"}, "root": null, "root": {"paths": 1}}`,
	`{"linux": {"cgroupsPath": "/x"}, "LINUX": {"CGROUPSPATH": null, "namespaces": []}}`,
	`{"linux": {"cgroupsPath": "/x"}, "linux": null, "linu\u0078": {"cgroup\u017fPath": "/y"}}`,
	`{"linux": {"namespaces": [{"type": "mount", "path": "/p"}, {"type": "pid", "path": "/q"}], "namespaces": [{"type": "user"}, null]}}`,
	`{"linux": {"namespaces": [{"type": "mount"}], "namespaces": null}}`,
	`{"linux": {"cgroupsPath": "\ud800"}, "annotations": {"\ud83d\ude00": "\u0000\"\\\/", "` + "\xff" + `": "` + "\xc3\x28" + `"}}`,
	`{"hooks": {"prestart": [{"path": "}\"{", "args": ["\\", "]"]}]}, "annotations": {"a": "1"}}`,
	`{"annotations": null, "annotations": {}}` + " x",
	` {} {"annotations": {"a": "1"}}`,
	`{"process": {"rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1e3}], "oomScoreAdj": -998}, "annotations": {"a": "1"}}`,
	`{"annotations": {"": "", "` + strings.Repeat("k", 300) + `": "long"}, "` + strings.Repeat("a", 300) +
		`": {"annotations": {"b": "2"}}}`,
}

func TestOddSpecs(t *testing.T) {
	for _, text := range oddSpecs {
		compareWithRunc(t, []byte(text))
	}
}

// FuzzParseSpec compares Parse with runc's reading of the same bytes.
func FuzzParseSpec(f *testing.F) {
	for _, text := range oddSpecs {
		f.Add([]byte(text))
	}
	f.Fuzz(compareWithRunc)
}

// compareWithRunc reads a spec as runc's loadSpec does, and as the shim does, from readers that split the text
// differently.
func compareWithRunc(t *testing.T, text []byte) {
	var whole *specs.Spec
	refused := json.NewDecoder(bytes.NewReader(text)).Decode(&whole) != nil || whole == nil
	for _, from := range []io.Reader{bytes.NewReader(text), iotest.OneByteReader(bytes.NewReader(text)),
		iotest.DataErrReader(bytes.NewReader(text))} {
		got, err := Parse(from, int64(len(text)))
		if refused {
			continue
		}
		if err != nil {
			t.Fatalf("runc reads %q, but: %v", text, err)
		}
		want := Spec{Annotations: whole.Annotations}
		if whole.Root != nil {
			want.Root.Path = whole.Root.Path
		}
		if whole.Linux != nil {
			want.Linux.CgroupsPath = whole.Linux.CgroupsPath
			for _, n := range whole.Linux.Namespaces {
				want.Linux.Namespaces = append(want.Linux.Namespaces, Namespace{string(n.Type), n.Path})
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q (-runc +got):\n%s", text, diff)
		}
	}
}

// repeated is a reader of text repeated up to a number of bytes.
type repeated struct {
	text string
	left int64
}

func (r *repeated) Read(into []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(into) && r.left > 0 {
		copied := copy(into[n:min(len(into), n+int(min(r.left, 1<<20)))], r.text)
		n += copied
		r.left -= int64(copied)
	}
	return n, nil
}

// TestLargeSpecs reads specs of any size, with the required parts last, in a small amount of memory.
func TestLargeSpecs(t *testing.T) {
	size := int64(48 << 20)
	if testing.Short() {
		size = 5 << 20 // more than annotations may have
	}
	end := `"annotations": {"a": "1"}, "linux": {"cgroupsPath": "/x"}}`
	want := Spec{Annotations: map[string]string{"a": "1"}, Linux: Linux{CgroupsPath: "/x"}}
	for name, test := range map[string]struct {
		before, repeat, after string
		want                  Spec
	}{
		"white space": {"{", " ", end, want},
		"one string":  {`{"x": "`, "0123456789", `", ` + end, want},
		"escapes":     {`{"x": "`, `\"\\`, `", ` + end, want},
		"many values": {`{"x": [0`, `,{"a":1,"b":"2"}`, `], ` + end, want},
		"a huge annotation": {`{"annotations": {"b": "`, "0123456789", `"}, ` + end,
			Spec{Annotations: want.Annotations, Linux: want.Linux, Cut: true}},
		"a huge key": {`{"annotations": {"`, "0123456789", `": "x"}, ` + end,
			Spec{Annotations: want.Annotations, Linux: want.Linux, Cut: true}},
		"a huge key elsewhere": {`{"`, "0123456789", `": "x", ` + end, want},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		body := &repeated{test.repeat, size / int64(len(test.repeat)) * int64(len(test.repeat))}
		got, err := Parse(io.MultiReader(strings.NewReader(test.before), body, strings.NewReader(test.after)), size)
		runtime.ReadMemStats(&after)
		most := uint64(1 << 20)
		if test.want.Cut {
			most = 24 << 20 // annotations are kept up to their limit
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > most {
			t.Errorf("%s: %d bytes were allocated", name, allocated)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, large := range []string{`{"linux": {"cgroupsPath": ["`, `{"linux": {"namespaces": ["`} {
		if _, err := Parse(io.MultiReader(strings.NewReader(large), &repeated{"x", size}, strings.NewReader(`"]}}`)),
			size); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s...: %v", large, err)
		}
	}
}
