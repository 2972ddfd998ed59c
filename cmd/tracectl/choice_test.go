// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/execlog"
	"github.com/runc-trace/runc-trace/pkg/labels"
	"github.com/runc-trace/runc-trace/pkg/straceback"
)

// TestDoubts checks the warnings about containers that may or may not be selected: they name what is unknown, and show
// names as tables do.
func TestDoubts(t *testing.T) {
	byLabel, err := labels.ParseSelector("app=web")
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("0123456789abcdef", 4)
	odd := &labels.Container{Namespace: "shop", Pod: "odd one", Name: "main", ID: id}
	const check = `(check the agent with "tracectl status")` + "\n"
	for _, c := range []struct {
		filter    labels.Filter
		container *labels.Container
		doubt     execlog.Doubt
		want      string
	}{
		{labels.Filter{Container: "web"}, &labels.Container{ID: id, Engine: "docker"}, execlog.LabelsUnknown,
			"no name for 0123456789ab: leaving out its execs, and those of similar containers " + check},
		{labels.Filter{Container: "web"}, &labels.Container{ID: id, Engine: "docker"}, execlog.LabelsLate,
			"no name for 0123456789ab yet; showing its execs anyway " + check},
		{labels.Filter{Labels: byLabel}, odd, execlog.LabelsUnknown,
			`no labels for "shop/odd one/main": leaving out its execs, and those of similar containers ` + check},
		{labels.Filter{Labels: byLabel}, odd, execlog.LabelsTruncated,
			`some labels of "shop/odd one/main" are unknown and could match; showing its execs anyway` + "\n"},
	} {
		var stderr strings.Builder
		p := execPrinter{execRequest: &execRequest{filter: &c.filter}, stderr: &stderr}
		p.warn(c.container, c.doubt)
		if diff := cmp.Diff("tracectl: "+c.want, stderr.String()); diff != "" {
			t.Errorf("doubt %d (-want +got):\n%s", c.doubt, diff)
		}
	}
	for _, c := range []struct {
		choice labels.Choice
		want   string
	}{
		{labels.Choice{Filter: &labels.Filter{Container: "web"}, Unknown: 2},
			"left out 2 containers without known names " + check},
		{labels.Choice{Filter: &labels.Filter{Labels: byLabel}, Truncated: []*labels.Container{odd}},
			`some labels of "shop/odd one/main" are unknown and could match; showing it anyway` + "\n"},
	} {
		var stderr strings.Builder
		warnOfChoice(&stderr, &c.choice, "recording")
		if diff := cmp.Diff("tracectl: "+c.want, stderr.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestGone counts the recordings that a filter leaves out because their containers are no longer known.
func TestGone(t *testing.T) {
	byLabel, err := labels.ParseSelector("app=web")
	if err != nil {
		t.Fatal(err)
	}
	const left = "tracectl: left out 2 recordings of containers that are no longer known and cannot be selected\n"
	web := &labels.Container{Namespace: "shop", Pod: "web", Name: "main", ID: strings.Repeat("0123456789abcdef", 4),
		Labels: map[string]string{"app": "web"}}
	for _, c := range []struct {
		filter labels.Filter
		names  []string
		output string
		want   string
		kept   int
	}{
		{labels.Filter{Labels: byLabel}, nil, "text", left, 1},
		{labels.Filter{Labels: byLabel}, nil, "json", left, 1},
		{labels.Filter{Namespace: "shop"}, nil, "text", left, 1},
		{labels.Filter{}, []string{"shop/web"}, "text", left, 1},
		{labels.Filter{}, nil, "text", "", 3},
	} {
		var stderr strings.Builder
		list := []*straceback.Recording{{}, {Container: web}, {}}
		got, err := chooseRecordings(&stderr, list, nil, c.names, &c.filter, c.output)
		if err != nil || len(got) != c.kept {
			t.Errorf("%+v %q: chose %d recordings, %v", c.filter, c.names, len(got), err)
		}
		if diff := cmp.Diff(c.want, stderr.String()); diff != "" {
			t.Errorf("%+v %q (-want +got):\n%s", c.filter, c.names, diff)
		}
	}
}
