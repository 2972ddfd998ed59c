// SPDX-License-Identifier: Apache-2.0

package identity

import (
	"testing"

	"github.com/runc-trace/runc-trace/pkg/bpf/abi"
)

func TestSetContents(t *testing.T) {
	type annotations = map[string]string
	some := ContentsRules{Rules: [contentsCount][]string{
		ContentsAll:   {"dev"},
		ContentsPaths: {"pay*", "team=billing"},
		ContentsNone:  {"pay-* app=vault"},
		ContentsOff:   {"app=secret"},
	}}
	strict := some
	strict.Default = ContentsNone
	decides, ignores := strict, some
	decides.Annotation, ignores.Annotation = AnnotationDecides, AnnotationIgnored
	told := func(key, value string) Labels { return Labels{Told: annotations{key: value}} }
	own := func(key, value string) Labels { return Labels{Own: annotations{key: value}} }
	owner := func(key, value string) Labels { return Labels{Owner: annotations{key: value}} }
	wants := func(contents string) annotations { return annotations{ContentsAnnotation: contents} }
	for title, test := range map[string]struct {
		rules       ContentsRules
		namespace   string
		labels      Labels
		annotations annotations
		want        Contents
	}{
		"no rules":                        {want: ContentsAll},
		"the default":                     {rules: strict, namespace: "other", want: ContentsNone},
		"a namespace":                     {rules: some, namespace: "pay-a", want: ContentsPaths},
		"less than the default":           {rules: strict, namespace: "dev", want: ContentsAll},
		"a label":                         {rules: some, labels: told("team", "billing"), want: ContentsPaths},
		"another value":                   {rules: some, labels: told("team", "bill"), want: ContentsAll},
		"both":                            {rules: some, namespace: "pay-a", labels: own("app", "vault"), want: ContentsNone},
		"only one of both":                {rules: some, namespace: "dev", labels: own("app", "vault"), want: ContentsAll},
		"a label by an annotation":        {rules: some, labels: owner("app", "secret"), want: ContentsOff},
		"an annotation":                   {annotations: wants("paths"), want: ContentsPaths},
		"an annotation for nothing":       {annotations: wants("off"), want: ContentsOff},
		"an annotation for more":          {rules: strict, annotations: wants("all"), want: ContentsNone},
		"an annotation without a meaning": {annotations: wants("nothing"), want: ContentsNone},
		"one that decides":                {rules: decides, annotations: wants("all"), want: ContentsAll},
		"one that is ignored":             {rules: ignores, annotations: wants("off"), want: ContentsAll},
		"an ignored label": {rules: ignores, labels: owner("app", "secret"),
			want: ContentsAll},
		"a label that would have more recorded": {rules: ContentsRules{Default: ContentsNone, Rules: [contentsCount][]string{
			ContentsAll: {"debug=*"}}}, labels: owner("debug", "yes"), want: ContentsNone},
	} {
		who := abi.Who{Flags: abi.WhoRecord}
		Put(who.Namespace[:], test.namespace)
		SetLabels(&who, test.labels, nil)
		SetContents(&who, test.annotations, &test.rules)
		if got := ContentsOf(who.Flags); got != test.want || who.Flags&abi.WhoRecord == 0 != (test.want == ContentsOff) {
			t.Errorf("%s: %s (flags %#x), want %s", title, got, who.Flags, test.want)
		}
	}
}
