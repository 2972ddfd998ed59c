// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// name is the image's name in the Kubernetes manifests. It has no registry, so a node without the image does not pull
// a foreign one.
const name = "localhost/runc-trace"

// entryPoint is the program that runs if a container has no command.
const entryPoint = "/usr/local/bin/tracectl"

// newIndex returns the contents of index.json: an index of images, by name and tag.
func newIndex(r release, platforms []platform) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range platforms {
		image, err := newImage(r, p)
		if err != nil {
			return nil, fmt.Errorf("making the image for %s: %w", p.arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.arch}},
		})
	}
	// containerd takes the name from the first annotation, other programs the tag from the second.
	return mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{
			"io.containerd.image.name":          name + ":" + r.version,
			"org.opencontainers.image.ref.name": r.version,
		}},
	}), nil
}

// newImage returns an image with one layer, the platform's tree.
func newImage(r release, p platform) (v1.Image, error) {
	var tree bytes.Buffer
	if err := writeTree(&tree, p.root, r.created); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(tree.Bytes())), nil },
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching,
		tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("compressing %s: %w", p.root, err)
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: r.created}
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		Architecture: p.arch,
		OS:           "linux",
		Created:      created,
		Config: v1.Config{
			Entrypoint: []string{entryPoint},
			Env:        []string{"PATH=/usr/local/bin"},
			WorkingDir: "/",
			Labels:     r.labels(),
		},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{
		Layer:   layer,
		History: v1.History{Created: created, CreatedBy: "install/image/build.sh"},
	})
}

// labels returns the labels that the OCI image specification defines in annotations.md.
func (r release) labels() map[string]string {
	const home = "https://github.com/runc-trace/runc-trace"
	return map[string]string{
		"org.opencontainers.image.created":       r.created.Format(time.RFC3339),
		"org.opencontainers.image.description":   "flight recorder for containers: every system call, every exec, by label",
		"org.opencontainers.image.documentation": home + "/blob/main/docs/kubernetes.md",
		"org.opencontainers.image.licenses":      "Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)",
		"org.opencontainers.image.revision":      r.revision,
		"org.opencontainers.image.source":        home,
		"org.opencontainers.image.title":         "runc-trace",
		"org.opencontainers.image.url":           home,
		"org.opencontainers.image.version":       r.version,
	}
}
