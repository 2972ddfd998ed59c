// SPDX-License-Identifier: Apache-2.0

package image

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Registry serves images to those who pull them: the reading half of the OCI distribution specification. The host
// that is in an image's name is not looked at.
func Registry(images ...*Image) (http.Handler, error) {
	const (
		manifestType = "application/vnd.oci.image.manifest.v1+json"
		configType   = "application/vnd.oci.image.config.v1+json"
		layerType    = "application/vnd.oci.image.layer.v1.tar"
	)
	type descriptor struct {
		MediaType string `json:"mediaType"`
		Digest    string `json:"digest"`
		Size      int    `json:"size"`
	}
	type content struct {
		kind string
		data []byte
	}
	contents := map[string]content{}
	mux := http.NewServeMux()
	add := func(repository, kind string, data []byte) descriptor {
		d := descriptor{kind, "sha256:" + digest(data), len(data)}
		contents[repository+"/blobs/"+d.Digest] = content{kind, data}
		return d
	}
	for _, i := range images {
		_, name, _ := strings.Cut(i.name, "/")
		repository, tag, found := strings.Cut(name, ":")
		if !found {
			return nil, fmt.Errorf("image %q has no tag", i.name)
		}
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2,
			"mediaType":     manifestType,
			"config":        add(repository, configType, i.config),
			"layers":        []descriptor{add(repository, layerType, i.layer)},
		})
		if err != nil {
			return nil, err
		}
		for _, reference := range []string{tag, "sha256:" + digest(manifest)} {
			contents[repository+"/manifests/"+reference] = content{manifestType, manifest}
		}
	}
	mux.HandleFunc("GET /v2/{path...}", func(w http.ResponseWriter, r *http.Request) {
		path := r.PathValue("path")
		c, ok := contents[path]
		if !ok && path != "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(c.data)))
		if ok {
			w.Header().Set("Content-Type", c.kind)
			w.Header().Set("Docker-Content-Digest", "sha256:"+digest(c.data))
		}
		_, _ = w.Write(c.data)
	})
	return mux, nil
}
