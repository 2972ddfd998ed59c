// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// who is abi.Who as a reader sees it.
type who struct {
	Flags                                                           uint32
	Engine, ID, SandboxID, Namespace, Pod, PodUID, Container, Image string
	Labels                                                          map[string]string
}

func read(w abi.Who) who {
	return who{
		Flags: w.Flags, Engine: String(w.Engine[:]), ID: String(w.ID[:]), SandboxID: String(w.SandboxID[:]),
		Namespace: String(w.Namespace[:]), Pod: String(w.Pod[:]), PodUID: String(w.PodUID[:]),
		Container: String(w.Container[:]), Image: String(w.Image[:]), Labels: Labels(&w),
	}
}

const task = "/run/containerd/io.containerd.runtime.v2.task/"

func TestParse(t *testing.T) {
	none := map[string]string{}
	for _, test := range []struct {
		name        string
		annotations map[string]string
		bundle      string
		rules       Rules
		want        who
	}{
		{"nothing", nil, "", Rules{}, who{Flags: abi.WhoRecord, ID: "id", Labels: none}},
		{
			"a container of containerd",
			map[string]string{
				"io.kubernetes.cri.container-type":    "container",
				"io.kubernetes.cri.container-name":    "main",
				"io.kubernetes.cri.image-name":        "docker.io/library/busybox:e2e",
				"io.kubernetes.cri.sandbox-id":        "sandbox",
				"io.kubernetes.cri.sandbox-name":      "mypod",
				"io.kubernetes.cri.sandbox-namespace": "default",
				"io.kubernetes.cri.sandbox-uid":       "11111111-2222-3333-4444-555555555555",
			},
			task + "k8s.io/id", Rules{},
			who{
				Flags: abi.WhoRecord, Engine: "containerd", ID: "id", SandboxID: "sandbox", Namespace: "default", Pod: "mypod",
				PodUID: "11111111-2222-3333-4444-555555555555", Container: "main", Image: "docker.io/library/busybox:e2e", Labels: none,
			},
		},
		{
			"a sandbox of containerd 2",
			map[string]string{
				"io.kubernetes.cri.container-type":        "sandbox",
				"io.kubernetes.cri.sandbox-id":            "id",
				"io.kubernetes.cri.sandbox-name":          "mypod",
				"io.kubernetes.cri.sandbox-namespace":     "default",
				"io.kubernetes.cri.sandbox-uid":           "uid",
				"io.kubernetes.cri.podsandbox.image-name": "registry.k8s.io/pause:3.10",
			},
			"/some/where", Rules{},
			who{Flags: abi.WhoSandbox, Engine: "containerd", ID: "id", SandboxID: "id", Namespace: "default", Pod: "mypod", PodUID: "uid", Image: "registry.k8s.io/pause:3.10", Labels: none},
		},
		{
			"a sandbox that is to be recorded",
			map[string]string{"io.kubernetes.cri.container-type": "sandbox"}, "", Rules{RecordSandboxes: true},
			who{Flags: abi.WhoSandbox | abi.WhoRecord, Engine: "containerd", ID: "id", Labels: none},
		},
		{
			"a container of CRI-O",
			map[string]string{
				"io.container.manager":                "cri-o",
				"io.kubernetes.cri-o.ContainerType":   "container",
				"io.kubernetes.cri-o.SandboxID":       "sandbox",
				"io.kubernetes.cri-o.ImageName":       "quay.io/app:1",
				"io.kubernetes.cri-o.Image":           "0123",
				"io.kubernetes.cri-o.Labels":          `{"io.kubernetes.container.name":"main","io.kubernetes.pod.uid":"uid","tier":"front"}`,
				"io.kubernetes.pod.name":              "mypod",
				"io.kubernetes.pod.namespace":         "default",
				"io.kubernetes.container.name":        "main",
				"io.kubernetes.container.hash":        "abcd",
				"io.kubernetes.pod.terminationPeriod": "30",
			},
			"/run/containers/storage/overlay-containers/id/userdata", Rules{},
			who{
				Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "sandbox", Namespace: "default", Pod: "mypod", PodUID: "uid",
				Container: "main", Image: "quay.io/app:1", Labels: map[string]string{"tier": "front"},
			},
		},
		{
			"a sandbox of CRI-O, which has the pod's labels",
			map[string]string{
				"io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.SandboxID":     "id",
				"io.kubernetes.cri-o.KubeName":      "mypod",
				"io.kubernetes.cri-o.Namespace":     "default",
				"io.kubernetes.cri-o.Image":         "pause",
				"io.kubernetes.cri-o.Labels":        `{"io.kubernetes.container.name":"POD","io.kubernetes.pod.name":"mypod","io.kubernetes.pod.uid":"uid","app":"web","number":1}`,
			},
			"", Rules{},
			who{Flags: abi.WhoSandbox, Engine: "cri-o", ID: "id", SandboxID: "id", Namespace: "default", Pod: "mypod", PodUID: "uid", Image: "pause", Labels: map[string]string{"app": "web"}},
		},
		{
			"Podman",
			map[string]string{"io.container.manager": "libpod", "io.kubernetes.cri-o.SandboxID": "pod", "io.podman.annotations.autoremove": "TRUE", "runc-trace.label/app": "web"},
			"/var/lib/containers/storage/overlay-containers/id/userdata", Rules{},
			who{Flags: abi.WhoRecord, Engine: "podman", ID: "id", SandboxID: "pod", Labels: map[string]string{"app": "web"}},
		},
		{
			"Podman by a prefix", map[string]string{"io.podman.annotations.init": "FALSE"}, "", Rules{},
			who{Flags: abi.WhoRecord, Engine: "podman", ID: "id", Labels: none},
		},
		{
			"Docker with annotations",
			map[string]string{"runc-trace.label/app": "web", "runc-trace.label/": "x", "io.kubernetes.pod.name": "p"},
			task + "moby/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Pod: "p", Labels: map[string]string{"app": "web"}},
		},
		{"Docker by its own containerd", nil, "/var/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/id", Rules{}, who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Labels: none}},
		{"Docker before it used containerd's path", nil, "/run/docker/libcontainerd/id", Rules{}, who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Labels: none}},
		{
			"a bundle of containerd whose annotations claim another engine",
			map[string]string{"io.container.manager": "libpod", "io.kubernetes.cri.sandbox-name": "mypod"}, task + "k8s.io/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "containerd", ID: "id", Pod: "mypod", Labels: none},
		},
		{
			"rules",
			map[string]string{
				"whole": "1", "p/a": "2", "p/": "3", "blob": `{"b":"4","a":"overridden","n":5}`, "broken": `{"x":`,
				"other": "6", "runc-trace.label/c": "7", "p/c": "overridden",
			},
			"", Rules{Annotations: []string{"whole", "missing"}, Prefixes: []string{"p/"}, JSON: []string{"blob", "broken", "missing"}},
			who{Flags: abi.WhoRecord, ID: "id", Labels: map[string]string{"whole": "1", "a": "2", "b": "4", "c": "7"}},
		},
		{
			"labels that cannot be encoded",
			map[string]string{LabelPrefix + "a=b": "1", LabelPrefix + "c\x00d": "2", LabelPrefix + "e": "3\x004", LabelPrefix + "f": "5=6", LabelPrefix + "g": ""},
			"", Rules{}, who{Flags: abi.WhoRecord, ID: "id", Labels: map[string]string{"f": "5=6", "g": ""}},
		},
		{
			"labels that do not fit",
			map[string]string{LabelPrefix + "a": strings.Repeat("x", 4000), LabelPrefix + "b": strings.Repeat("y", 100), LabelPrefix + "c": strings.Repeat("z", 90)},
			"", Rules{},
			who{Flags: abi.WhoRecord | abi.WhoLabelsTruncated, ID: "id", Labels: map[string]string{"a": strings.Repeat("x", 4000), "c": strings.Repeat("z", 90)}},
		},
		{
			"fields that do not fit",
			map[string]string{
				"io.kubernetes.cri.sandbox-namespace": strings.Repeat("n", 100),
				"io.kubernetes.cri.sandbox-name":      strings.Repeat("ü", 200),
				"io.kubernetes.cri.container-name":    "ma\x00in",
			},
			"", Rules{},
			who{Flags: abi.WhoRecord, Engine: "containerd", ID: "id", Namespace: strings.Repeat("n", 63), Pod: strings.Repeat("ü", 127), Container: "ma", Labels: none},
		},
	} {
		if diff := cmp.Diff(test.want, read(Parse("id", test.annotations, test.bundle, test.rules))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestSetLabels(t *testing.T) {
	var w abi.Who
	SetLabels(&w, map[string]string{"a": strings.Repeat("x", abi.LabelsSize-3)})
	if w.LabelsLength != abi.LabelsSize || w.Flags != 0 {
		t.Errorf("the longest label: length %d, flags %d", w.LabelsLength, w.Flags)
	}
	SetLabels(&w, map[string]string{"a": strings.Repeat("x", abi.LabelsSize-2)})
	if w != (abi.Who{Flags: abi.WhoLabelsTruncated}) {
		t.Errorf("one byte longer: length %d, flags %d, or bytes are left", w.LabelsLength, w.Flags)
	}
	SetLabels(&w, map[string]string{"b": "2", "a": "1"})
	want := abi.Who{LabelsLength: 8}
	copy(want.Labels[:], "a=1\x00b=2\x00")
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLabelsOfAnyBytes(t *testing.T) {
	for _, test := range []struct {
		bytes  string
		length uint32
		want   map[string]string
	}{
		{"", 0, map[string]string{}},
		{"a=1\x00", 4, map[string]string{"a": "1"}},
		{"a=1\x00", 0xffffffff, map[string]string{"a": "1"}},
		{"a=1\x00b=2\x00", 7, map[string]string{"a": "1"}},
		{"a\x00=1\x00\x00b=2\x00", 10, map[string]string{"b": "2"}},
		{strings.Repeat("a=", abi.LabelsSize/2), abi.LabelsSize, map[string]string{}},
	} {
		w := abi.Who{LabelsLength: test.length}
		copy(w.Labels[:], test.bytes)
		if diff := cmp.Diff(test.want, Labels(&w)); diff != "" {
			t.Errorf("%.20q, %d (-want +got):\n%s", test.bytes, test.length, diff)
		}
	}
}

// FuzzParse holds what Parse promises of any annotations, given as a JSON object.
func FuzzParse(f *testing.F) {
	f.Add("id", `{"io.kubernetes.cri.sandbox-name": "p", "runc-trace.label/a": "b"}`, task+"k8s.io/x")
	f.Add("ü", `{"io.kubernetes.cri-o.Labels": "{\"app\":\"web\"}", "blob": "{}"}`, "")
	f.Add("", `{"io.container.manager": "libpod", "p/\u0000=": "\u0000"}`, "/moby/")
	f.Fuzz(func(t *testing.T, id, object, bundle string) {
		var annotations map[string]string
		if json.Unmarshal([]byte(object), &annotations) != nil {
			return
		}
		w := Parse(id, annotations, bundle, Rules{Annotations: []string{"a"}, Prefixes: []string{"p/"}, JSON: []string{"blob"}})
		for name, field := range map[string][]byte{
			"engine": w.Engine[:], "id": w.ID[:], "sandbox": w.SandboxID[:], "namespace": w.Namespace[:],
			"pod": w.Pod[:], "uid": w.PodUID[:], "container": w.Container[:], "image": w.Image[:],
		} {
			if field[len(field)-1] != 0 {
				t.Errorf("%s has no NUL at its end", name)
			}
			// JSON's strings are valid UTF-8, and so must be what is cut of them.
			if name != "id" && !utf8.Valid([]byte(String(field))) {
				t.Errorf("%s is cut within a character: %q", name, String(field))
			}
		}
		again := w
		SetLabels(&again, Labels(&w))
		again.Flags = w.Flags
		if again != w {
			t.Errorf("labels %q read and written become %q", w.Labels[:w.LabelsLength], again.Labels[:again.LabelsLength])
		}
	})
}
