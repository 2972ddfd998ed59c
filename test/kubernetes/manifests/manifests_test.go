// SPDX-License-Identifier: Apache-2.0

// Package manifests checks install/kubernetes: that the API knows every field, that the Helm chart and kustomize
// give the same objects, and what each variant changes.
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

// object is an object as data; objects holds several, by kind and name.
type (
	object  = map[string]any
	objects map[string]object
)

// variants are all variants that can be installed, with the equivalent values of the chart.
var variants = []struct {
	dir    string
	values object
}{
	{"base", object{}},
	{"overlays/opt-in", object{"setDefault": false}},
	{"overlays/metrics", object{"metrics": true}},
	{"overlays/uninstall", object{"uninstall": true}},
}

// build returns the objects of a directory, as `kubectl kustomize` does.
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

// release holds the default options of an installation of the chart.
var release = common.ReleaseOptions{Name: "runc-trace", Namespace: "runc-trace", Revision: 1, IsInstall: true}

// render returns the chart's output for values, by file.
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

// chart returns the chart's objects for values.
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

// strict refuses unknown and repeated fields.
var strict = serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()

// parse returns the objects in a text. The API's own types must accept each of them.
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
