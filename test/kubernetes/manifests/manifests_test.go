// SPDX-License-Identifier: Apache-2.0

// Package manifests checks install/kubernetes: that the API knows every field, that Helm's chart gives the same objects as
// kustomize does, and what each variant changes.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	yamlreader "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const kubernetes = "../../../install/kubernetes"

// object is an object as data, and objects are several, by kind and name.
type (
	object  = map[string]any
	objects map[string]object
)

// variants are all that can be installed, and which values of the chart are the same.
var variants = []struct {
	dir    string
	values object
}{
	{"base", object{}},
	{"overlays/opt-in", object{"setDefault": false}},
	{"overlays/metrics", object{"metrics": true}},
	{"overlays/uninstall", object{"uninstall": true}},
}

// build gives the objects of a directory, as `kubectl kustomize` does.
func build(t *testing.T, dir string) objects {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatalf("building %s: %v", dir, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

// release is how the chart is installed, if nothing else is said.
var release = common.ReleaseOptions{Name: "runc-trace", Namespace: "runc-trace", Revision: 1, IsInstall: true}

// render gives what the chart makes of values, by file.
func render(r common.ReleaseOptions, values object) (map[string]string, error) {
	chart, err := loader.LoadDir(filepath.Join(kubernetes, "chart"))
	if err != nil {
		return nil, err
	}
	all, err := util.ToRenderValues(chart, values, r, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(chart, all)
}

// chart gives the objects that the chart makes of values.
func chart(t *testing.T, r common.ReleaseOptions, values object) objects {
	t.Helper()
	files, err := render(r, values)
	if err != nil {
		t.Fatalf("rendering with %v: %v", values, err)
	}
	var text strings.Builder
	for name, file := range files {
		if strings.HasSuffix(name, ".yaml") {
			text.WriteString("---\n" + file + "\n")
		}
	}
	return parse(t, []byte(text.String()))
}

// strict refuses fields that no type has, and fields that stand there twice.
var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// parse gives the objects of a text, each of which the API's own types must take.
func parse(t *testing.T, text []byte) objects {
	t.Helper()
	all := objects{}
	for documents := yamlreader.NewYAMLReader(bufio.NewReader(bytes.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		var o object
		if err := yaml.UnmarshalStrict(document, &o); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if o == nil { // only comments
			continue
		}
		_, kind, err := strict.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		key := fmt.Sprintf("%s %s", kind.Kind, o["metadata"].(object)["name"])
		if all[key] != nil {
			t.Errorf("%s is there twice", key)
		}
		all[key] = o
	}
}
