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

// who is an abi.Who with its fields decoded.
type who struct {
	Flags                                                           uint32
	Engine, ID, SandboxID, Namespace, Pod, PodUID, Container, Image string
	Labels                                                          map[string]string // the engine's
	Owner                                                           map[string]string // nil if the container has none
	Told                                                            map[string]string
}

func read(w abi.Who) who {
	l := LabelsOf(&w)
	if len(l.Owner) == 0 {
		l.Owner = nil
	}
	return who{
		Flags: w.Flags, Engine: String(w.Engine[:]), ID: String(w.ID[:]), SandboxID: String(w.SandboxID[:]),
		Namespace: String(w.Namespace[:]), Pod: String(w.Pod[:]), PodUID: String(w.PodUID[:]),
		Container: String(w.Container[:]), Image: String(w.Image[:]), Labels: l.Own, Owner: l.Owner, Told: l.Told,
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
				PodUID:    "11111111-2222-3333-4444-555555555555",
				Container: "main",
				Image:     "docker.io/library/busybox:e2e",
				Labels:    none,
			},
		},
		{
			"nerdctl", map[string]string{"nerdctl/name": "web", "nerdctl/namespace": "default"}, task + "default/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "containerd", ID: "id", Container: "web", Labels: none},
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
			who{Flags: abi.WhoSandbox, Engine: "containerd", ID: "id", SandboxID: "id", Namespace: "default", Pod: "mypod",
				PodUID: "uid", Image: "registry.k8s.io/pause:3.10", Labels: none},
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
				Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "sandbox", Namespace: "default",
				Pod: "mypod", PodUID: "uid",
				Container: "main", Image: "quay.io/app:1", Labels: map[string]string{"tier": "front"},
			},
		},
		{
			"a container that crictl made by CRI-O, of a pod whose author writes the names of another",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "container",
				"io.kubernetes.cri-o.SandboxID":     "sandbox",
				"io.kubernetes.cri-o.Name":          "k8s_main_mypod_default_uid-1_0",
				"io.kubernetes.cri-o.KubeName":      "other",
				"io.kubernetes.cri-o.Namespace":     "prod",
			},
			"", Rules{},
			who{Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "sandbox", Namespace: "default", Pod: "mypod",
				PodUID: "uid-1", Container: "main", Labels: none},
		},
		{
			"a container of CRI-O's with underscores in its names",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "container",
				"io.kubernetes.cri-o.SandboxID":     "sandbox",
				"io.kubernetes.cri-o.Name":          "k8s_my_main_my_pod_default_uid_3",
				"io.kubernetes.cri-o.SandboxName":   "k8s_my_pod_default_uid_0",
			},
			"", Rules{},
			who{Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "sandbox", Namespace: "default", Pod: "my_pod",
				PodUID: "uid", Container: "my_main", Labels: none},
		},
		{
			"a container of CRI-O's with a name that is none",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "container",
				"io.kubernetes.cri-o.SandboxID":     "sandbox",
				"io.kubernetes.cri-o.Name":          "k8s_a_b_c",
				"io.kubernetes.cri-o.SandboxName":   "_",
				"io.kubernetes.pod.name":            "mypod",
			},
			"", Rules{},
			who{Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "sandbox", Pod: "mypod", Labels: none},
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
			who{Flags: abi.WhoSandbox, Engine: "cri-o", ID: "id", SandboxID: "id", Namespace: "default", Pod: "mypod",
				PodUID: "uid", Image: "pause", Labels: none, Told: map[string]string{"app": "web"}},
		},
		{
			"a sandbox of CRI-O whose pod's author wrote over CRI-O's annotations",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      `{"name":"mypod","uid":"uid","namespace":"default"}`,
				"io.container.manager":              "libpod",
				"io.kubernetes.cri.sandbox-id":      "other",
				"io.kubernetes.cri-o.ContainerType": "container",
				"io.kubernetes.cri-o.SandboxID":     "other",
				"io.kubernetes.cri-o.Labels":        `{"app":"payments","team":"enforced"}`,
				"runc-trace.label/app":              "payments",
				"app":                               "evil", // the true label: CRI-O writes it last
				"io.kubernetes.container.name":      "POD",
				"io.kubernetes.pod.name":            "mypod",
				"io.kubernetes.pod.namespace":       "default",
				"io.kubernetes.pod.uid":             "uid",
			},
			"/run/containers/storage/overlay-containers/id/userdata", Rules{},
			who{
				Flags: abi.WhoSandbox | abi.WhoLabelsTruncated, Engine: "cri-o", ID: "id", SandboxID: "id", Namespace: "default",
				Pod: "mypod", PodUID: "uid",
				Labels: none,
				Owner:  map[string]string{"app": "payments"},
				Told:   map[string]string{"app": "evil", "team": "enforced"},
			},
		},
		{
			"a sandbox of CRI-O whose pod's author hides its labels",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.Labels":        "{}",
				"team":                              "enforced",
			},
			"", Rules{}, who{Flags: abi.WhoSandbox | abi.WhoLabelsTruncated, Engine: "cri-o", ID: "id",
				Labels: none, Told: none},
		},
		{
			"and who knows the pod's UID",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.Labels":        `{"io.kubernetes.pod.uid":"uid"}`,
				"io.kubernetes.cri-o.Annotations":   `{"io.kubernetes.cri-o.Labels":"{}"}`,
				"io.kubernetes.pod.uid":             "uid",
			},
			"", Rules{}, who{Flags: abi.WhoSandbox | abi.WhoLabelsTruncated, Engine: "cri-o", ID: "id", PodUID: "uid",
				Labels: none, Told: none},
		},
		{
			"one of an honest author",
			map[string]string{
				"io.kubernetes.cri-o.Metadata":      "{}",
				"io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.Labels":        `{"io.kubernetes.pod.uid":"uid","app":"web"}`,
				"io.kubernetes.cri-o.Annotations":   `{"note":"\"io.kubernetes.cri-o.Labels\""}`,
				"io.kubernetes.pod.uid":             "uid",
				"app":                               "web",
			},
			"", Rules{}, who{Flags: abi.WhoSandbox, Engine: "cri-o", ID: "id", PodUID: "uid", Labels: none,
				Told: map[string]string{"app": "web"}},
		},
		{
			"a sandbox of CRI-O without labels",
			map[string]string{"io.container.manager": "cri-o", "io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.Labels": "{}"},
			"", Rules{}, who{Flags: abi.WhoSandbox, Engine: "cri-o", ID: "id", Labels: none, Told: none},
		},
		{
			"Podman",
			map[string]string{"io.container.manager": "libpod", "io.kubernetes.cri-o.SandboxID": "pod",
				"io.podman.annotations.autoremove": "TRUE", "runc-trace.label/app": "web"},
			"/var/lib/containers/storage/overlay-containers/id/userdata", Rules{},
			who{Flags: abi.WhoRecord, Engine: "podman", ID: "id", SandboxID: "pod", Labels: none,
				Owner: map[string]string{"app": "web"}},
		},
		{
			"Podman by a prefix", map[string]string{"io.podman.annotations.init": "FALSE"}, "", Rules{},
			who{Flags: abi.WhoRecord, Engine: "podman", ID: "id", Labels: none},
		},
		{
			"Docker with annotations",
			map[string]string{"runc-trace.label/app": "web", "runc-trace.label/": "x", "io.kubernetes.pod.name": "p"},
			task + "moby/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Pod: "p", Labels: none,
				Owner: map[string]string{"app": "web"}},
		},
		{"Docker by its own containerd", nil, "/var/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/id",
			Rules{}, who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Labels: none}},
		{"Docker before it used containerd's path", nil, "/run/docker/libcontainerd/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "docker", ID: "id", Labels: none}},
		{
			"a bundle of containerd whose annotations claim another engine",
			map[string]string{"io.container.manager": "libpod", "io.kubernetes.cri.sandbox-name": "mypod"},
			task + "k8s.io/id", Rules{},
			who{Flags: abi.WhoRecord, Engine: "containerd", ID: "id", Pod: "mypod", Labels: none},
		},
		{
			"rules",
			map[string]string{
				"whole": "1", "p/a": "2", "p/": "3", "blob": `{"b":"4","a":"overridden","n":5}`, "broken": `{"x":`,
				"other": "6", "runc-trace.label/c": "7", "p/c": "overridden",
			},
			"", Rules{Annotations: []string{"whole", "missing"}, Prefixes: []string{"p/"},
				JSON: []string{"blob", "broken", "missing"}},
			who{Flags: abi.WhoRecord, ID: "id", Labels: map[string]string{"whole": "1", "a": "2", "b": "4", "c": "overridden"},
				Owner: map[string]string{"c": "7"}},
		},
		{
			"the owner's labels by a rule",
			map[string]string{"runc-trace.label/c": "7", "p/c": "overridden"},
			"", Rules{Prefixes: []string{"p/", LabelPrefix}},
			who{Flags: abi.WhoRecord, ID: "id", Labels: map[string]string{"c": "7"}},
		},
		{
			"labels whose keys look like the owner's",
			map[string]string{LabelPrefix + "c": "7", LabelPrefix + "d": "8", "blob": `{"runc-trace.label/e": "9", "=": "0"}`},
			"", Rules{Annotations: []string{LabelPrefix + "c"}, JSON: []string{"blob"}},
			who{
				Flags: abi.WhoRecord, ID: "id", Labels: map[string]string{LabelPrefix + "c": "7", LabelPrefix + "e": "9"},
				Owner: map[string]string{"c": "7", "d": "8"},
			},
		},
		{
			"an object of labels that is longer than any that is parsed",
			map[string]string{"blob": `{"a": "1", "b": [` + strings.Repeat("{},", jsonLimit/3) + `{}]}`, LabelPrefix + "c": "7"},
			"", Rules{JSON: []string{"blob"}},
			who{Flags: abi.WhoRecord | abi.WhoLabelsTruncated, ID: "id", Labels: none, Owner: map[string]string{"c": "7"}},
		},
		{
			"CRI-O's labels, longer than any that are parsed",
			map[string]string{
				"io.container.manager":              "cri-o",
				"io.kubernetes.cri-o.ContainerType": "sandbox",
				"io.kubernetes.cri-o.SandboxID":     "id",
				"io.kubernetes.cri-o.Labels":        `{"a":"` + strings.Repeat("x", jsonLimit) + `"}`,
			},
			"", Rules{},
			who{
				Flags: abi.WhoSandbox | abi.WhoLabelsTruncated, Engine: "cri-o", ID: "id", SandboxID: "id",
				Labels: none, Told: none,
			},
		},
		{
			"labels that cannot be encoded",
			map[string]string{LabelPrefix + "a=b": "1", LabelPrefix + "c\x00d": "2", LabelPrefix + "e": "3\x004",
				LabelPrefix + "f": "5=6", LabelPrefix + "g": ""},
			"", Rules{}, who{Flags: abi.WhoRecord, ID: "id", Labels: none, Owner: map[string]string{"f": "5=6", "g": ""}},
		},
		{
			"labels that do not fit",
			map[string]string{LabelPrefix + "a": strings.Repeat("x", 4000), LabelPrefix + "b": strings.Repeat("y", 100),
				LabelPrefix + "c": strings.Repeat("z", 40)},
			"", Rules{},
			who{Flags: abi.WhoRecord | abi.WhoLabelsTruncated, ID: "id", Labels: none,
				Owner: map[string]string{"a": strings.Repeat("x", 4000), "c": strings.Repeat("z", 40)}},
		},
		{
			"fields that do not fit",
			map[string]string{
				"io.kubernetes.cri.sandbox-namespace": strings.Repeat("n", 100),
				"io.kubernetes.cri.sandbox-name":      strings.Repeat("ü", 200),
				"io.kubernetes.cri.container-name":    "ma\x00in",
			},
			"", Rules{},
			who{Flags: abi.WhoRecord, Engine: "containerd", ID: "id", Namespace: strings.Repeat("n", 63),
				Pod: strings.Repeat("ü", 127), Container: "ma", Labels: none},
		},
	} {
		if diff := cmp.Diff(test.want, read(Parse("id", test.annotations, test.bundle, test.rules))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestEncodeLabels(t *testing.T) {
	text := make([]byte, 16)
	for _, test := range []struct {
		labels    map[string]string
		keep      []string
		want      string
		truncated bool
	}{
		{map[string]string{"b": "2", "a": "1"}, nil, "a=1\x00b=2\x00", false},
		{map[string]string{"a": strings.Repeat("x", 13)}, nil, "a=xxxxxxxxxxxxx\x00", false},
		{map[string]string{"a": strings.Repeat("x", 14)}, nil, "", true},
		{map[string]string{"a": "12345", "b": "12345", "team": "x"}, nil, "a=12345\x00b=12345\x00", true},
		{map[string]string{"a": "12345", "b": "12345", "team": "x"}, []string{"team"}, "team=x\x00a=12345\x00", true},
		{map[string]string{"a": "1234", "b/x": "1", "b/y": "1"}, []string{"c", "b/*"}, "b/x=1\x00b/y=1\x00", true},
		{map[string]string{"a": "1", "b": "2", "c": "3"}, []string{"c", "*"}, "c=3\x00a=1\x00b=2\x00", false},
		{map[string]string{"": "1", "a=b": "2", "c\x00": "3", "d": "\x00"}, []string{"d"}, "", false},
	} {
		used, truncated := EncodeLabels(text, test.labels, test.keep)
		if got := string(text[:used]); got != test.want || truncated != test.truncated ||
			strings.Trim(string(text[used:]), "\x00") != "" {
			t.Errorf("%v, kept first %q: %q, truncated %v, want %q, %v", test.labels, test.keep, text, truncated,
				test.want, test.truncated)
		}
	}
}

// TestSetLabels checks which labels are kept if there is no room for all: first those to keep, then the engine's,
// and the owner's last.
func TestSetLabels(t *testing.T) {
	long := strings.Repeat("x", 1500)
	labels := Labels{
		Own:   map[string]string{"own": long},
		Owner: map[string]string{"a": long, "team": "owner"},
		Told:  map[string]string{"pod": long},
	}
	for _, test := range []struct {
		keep []string
		want Labels
	}{
		{nil, Labels{Own: labels.Own, Owner: map[string]string{"team": "owner"}, Told: labels.Told, OwnerIncomplete: true}},
		{[]string{"a"}, Labels{Own: map[string]string{}, Owner: labels.Owner, Told: labels.Told, OwnIncomplete: true}},
	} {
		var w abi.Who
		SetLabels(&w, labels, test.keep)
		if diff := cmp.Diff(test.want, LabelsOf(&w)); diff != "" {
			t.Errorf("kept first %q (-want +got):\n%s", test.keep, diff)
		}
	}
	var w abi.Who
	SetLabels(&w, Labels{Own: map[string]string{"a": "1"}, ToldIncomplete: true}, nil)
	if l := LabelsOf(&w); !l.ToldIncomplete || l.OwnIncomplete || l.Told != nil {
		t.Errorf("labels that were written over: %+v", l)
	}
	w.Flags, w.LabelsLength = abi.WhoLabelsTruncated, 0
	if l := LabelsOf(&w); !l.OwnIncomplete || !l.OwnerIncomplete {
		t.Errorf("labels of which it is not known what is missing: %+v", l)
	}
	SetLabels(&w, Labels{Own: map[string]string{"b": "2"}}, nil)
	want := abi.Who{LabelsLength: 4}
	copy(want.Labels[:], "b=2\x00")
	if diff := cmp.Diff(want, w); diff != "" {
		t.Errorf("labels that were replaced (-want +got):\n%s", diff)
	}
}

// TestTell adds data from outside of the spec to an identity made of annotations.
func TestTell(t *testing.T) {
	rules := Rules{Keep: []string{"team"}}
	w := Parse("id", map[string]string{"runc-trace.label/app": "web"}, task+"moby/id", rules)
	AddMetadata(&w, "web-1", "nginx", map[string]string{"a": strings.Repeat("x", 4060), "team": "ops"}, rules)
	want := who{
		Flags: abi.WhoRecord | abi.WhoLabelsTruncated, Engine: "docker", ID: "id", Container: "web-1", Image: "nginx",
		Labels: map[string]string{}, Told: map[string]string{"a": strings.Repeat("x", 4060), "team": "ops"},
	}
	if diff := cmp.Diff(want, read(w)); diff != "" {
		t.Errorf("Docker (-want +got):\n%s", diff)
	}

	w = Parse("id", map[string]string{"io.container.manager": "libpod", "io.kubernetes.container.name": "main"}, "", rules)
	AddMetadata(&w, "web-1", "", nil, rules)
	want = who{Flags: abi.WhoRecord, Engine: "podman", ID: "id", Container: "main", Labels: map[string]string{}}
	if diff := cmp.Diff(want, read(w)); diff != "" {
		t.Errorf("Podman (-want +got):\n%s", diff)
	}

	w = Parse("id", map[string]string{"io.container.manager": "cri-o", "io.kubernetes.cri-o.SandboxID": "s",
		"io.kubernetes.cri-o.Labels": "{}"}, "", rules)
	AddPodLabels(&w, map[string]string{}, rules)
	want = who{Flags: abi.WhoRecord, Engine: "cri-o", ID: "id", SandboxID: "s", Labels: map[string]string{}}
	if diff := cmp.Diff(want, read(w)); diff != "" {
		t.Errorf("CRI-O, of a sandbox that tells nothing (-want +got):\n%s", diff)
	}
	AddPodLabels(&w, map[string]string{"io.kubernetes.cri-o.Labels": `{"app":"web","io.kubernetes.pod.uid":"uid"}`,
		"app": "web"}, rules)
	want.Told = map[string]string{"app": "web"}
	if diff := cmp.Diff(want, read(w)); diff != "" {
		t.Errorf("CRI-O (-want +got):\n%s", diff)
	}
}

func TestLabelsOfAnyBytes(t *testing.T) {
	none := map[string]string{}
	for _, test := range []struct {
		bytes  string
		length uint32
		want   Labels
	}{
		{"", 0, Labels{Own: none, Owner: none}},
		{"a=1\x00", 4, Labels{Own: map[string]string{"a": "1"}, Owner: none}},
		{"a=1\x00", 0xffffffff, Labels{Own: map[string]string{"a": "1"}, Owner: none}},
		{"a=1\x00b=2\x00", 7, Labels{Own: map[string]string{"a": "1"}, Owner: none}},
		{"a\x00=1\x00\x00b=2\x00", 10, Labels{Own: map[string]string{"b": "2"}, Owner: none}},
		{"=A\x00=a=1\x00==2\x00", 12, Labels{Own: none, Owner: none, Told: map[string]string{"a": "1"}}},
		{"=A\x00", 3, Labels{Own: none, Owner: none, Told: none}},
		{LabelPrefix + "a=1\x00", 21, Labels{Own: none, Owner: map[string]string{"a": "1"}}},
		{strings.Repeat("a=", abi.LabelsSize/2), abi.LabelsSize, Labels{Own: none, Owner: none}},
	} {
		w := abi.Who{LabelsLength: test.length}
		copy(w.Labels[:], test.bytes)
		if diff := cmp.Diff(test.want, LabelsOf(&w)); diff != "" {
			t.Errorf("%.20q, %d (-want +got):\n%s", test.bytes, test.length, diff)
		}
	}
}

// FuzzParse checks the guarantees of Parse for any annotations, given as a JSON object.
func FuzzParse(f *testing.F) {
	f.Add("id", `{"io.kubernetes.cri.sandbox-name": "p", "runc-trace.label/a": "b"}`, task+"k8s.io/x")
	f.Add("ü", `{"io.kubernetes.cri-o.Labels": "{\"app\":\"web\"}", "blob": "{}"}`, "")
	f.Add("", `{"io.container.manager": "libpod", "p/\u0000=": "\u0000"}`, "/moby/")
	f.Fuzz(func(t *testing.T, id, object, bundle string) {
		var annotations map[string]string
		if json.Unmarshal([]byte(object), &annotations) != nil {
			return
		}
		w := Parse(id, annotations, bundle,
			Rules{Annotations: []string{"a"}, Prefixes: []string{"p/"}, JSON: []string{"blob"}})
		for name, field := range map[string][]byte{
			"engine": w.Engine[:], "id": w.ID[:], "sandbox": w.SandboxID[:], "namespace": w.Namespace[:],
			"pod": w.Pod[:], "uid": w.PodUID[:], "container": w.Container[:], "image": w.Image[:],
		} {
			if field[len(field)-1] != 0 {
				t.Errorf("%s has no NUL at its end", name)
			}
			// Strings in JSON are valid UTF-8, and cutting them must keep them valid.
			if name != "id" && !utf8.Valid([]byte(String(field))) {
				t.Errorf("%s is cut within a character: %q", name, String(field))
			}
		}
		again := w
		SetLabels(&again, LabelsOf(&w), nil)
		if again != w {
			t.Errorf("labels %q read and written become %q", w.Labels[:w.LabelsLength], again.Labels[:again.LabelsLength])
		}
	})
}
