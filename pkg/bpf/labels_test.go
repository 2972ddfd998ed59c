// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

// TestLabelStore puts labels and reads them from the store and from an instance that was opened before.
func TestLabelStore(t *testing.T) {
	i := load(t, small)
	store, err := bpf.OpenLabelStore(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	type put struct {
		source  bpf.LabelSource
		subject string
	}
	want := map[put]bpf.Labels{
		{bpf.SourceKubernetes,
			"uid"}: {Set: map[string]string{"app": "web", "tier": "front"}},
		{bpf.SourceCRI, "uid"}: {Set: map[string]string{}},
		{bpf.SourceDocker, "id"}: {Name: "web-1", Image: "nginx",
			Set: map[string]string{"a": "b"}},
		{bpf.SourceKubernetes, strings.Repeat("u", abi.SubjectSize-1)}: {Truncated: true, Set: map[string]string{"k": "v"}},
	}
	for p, labels := range want {
		if p.source == bpf.SourceKubernetes && labels.Truncated {
			labels = bpf.Labels{Set: map[string]string{"k": "v", "long": strings.Repeat("x", abi.LabelsSize)}}
		}
		for range 2 { // the second round overwrites the first
			if err := store.Put(p.source, p.subject, labels); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := map[put]bpf.Labels{}
	collect := func(source bpf.LabelSource, subject string, l bpf.Labels) bool {
		got[put{source, subject}] = l
		return true
	}
	if err := store.Each(collect); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(bpf.Labels{}, "Updated")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if l, ok := i.Labels(abi.LabelsKubernetes, "uid"); !ok || l.Updated == 0 ||
		string(l.Text[:l.Length]) != "app=web\x00tier=front\x00" {
		t.Errorf("through the instance: %v, %q, updated %d", ok, l.Text[:l.Length], l.Updated)
	}
	if err := store.Delete(bpf.SourceKubernetes, "uid"); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(bpf.SourceKubernetes, "uid"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if _, ok := i.Labels(abi.LabelsKubernetes, "uid"); ok {
		t.Error("what was deleted is found")
	}
	if _, ok := i.Labels(abi.LabelsCri, "uid"); !ok {
		t.Error("deleting one source's labels removed another's")
	}
}

// TestLabelStoreLimits puts one subject too many, and subjects that could be confused with others.
func TestLabelStoreLimits(t *testing.T) {
	i := load(t, small)
	store, err := bpf.OpenLabelStore(i.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for n := range small.Identities {
		if err := store.Put(bpf.SourceCRI, fmt.Sprint(n), bpf.Labels{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put(bpf.SourceCRI, "one more", bpf.Labels{}); !errors.Is(err, bpf.ErrFull) {
		t.Errorf("one subject too many: %v", err)
	}
	if err := store.Put(bpf.SourceCRI, "0", bpf.Labels{Set: map[string]string{"a": "b"}}); err != nil {
		t.Errorf("a subject that is there, in a full store: %v", err)
	}
	for _, subject := range []string{strings.Repeat("u", abi.SubjectSize), "a\x00b"} {
		if err := store.Put(bpf.SourceCRI, subject, bpf.Labels{}); err == nil || errors.Is(err, bpf.ErrFull) {
			t.Errorf("subject %q: %v", subject, err)
		}
	}
}

// TestContainers lists the cgroups of containers.
func TestContainers(t *testing.T) {
	i := load(t, small)
	d, child := container(t, i, "/rt-listed"), made(t, "/rt-listed/child")
	id, err := d.ID()
	if err != nil {
		t.Fatal(err)
	}
	below, err := child.ID()
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64]uint32{id: 0}
	got, err := i.Containers()
	if err != nil {
		t.Fatal(err)
	}
	delete(got, below) // on kernels without storage for cgroups
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
