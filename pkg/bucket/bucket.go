// SPDX-License-Identifier: Apache-2.0

// Package bucket copies files to object storage: with the protocol of S3, which Amazon, Google, MinIO, Ceph and others
// serve, or with that of Azure Blob Storage.
package bucket

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// Bucket is a bucket of S3 or a container of Azure, and the beginning of the names of objects in it.
type Bucket struct {
	store        store
	name, prefix string
}

// store is one bucket or container. Put copies a file, and replaces an object of that name.
type store interface {
	put(ctx context.Context, name, file string) error
}

// patience is the timeout for one object.
const patience = 2 * time.Minute

// Open returns the bucket of a URL: s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX. The parameter endpoint is
// the URL of the server (default: that of Amazon, or of the account at Azure); S3 has the parameter region, too. Names
// of objects begin with the prefix and the name of this host. It does not connect.
func Open(text, host string) (*Bucket, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", text)
	}
	name, prefix := u.Host, strings.Trim(u.Path, "/")
	parameters := map[string]string{"endpoint": "https://s3.amazonaws.com", "region": ""}
	if u.Scheme == "azblob" {
		name, prefix, _ = strings.Cut(prefix, "/")
		parameters = map[string]string{"endpoint": "https://" + u.Host + ".blob.core.windows.net"}
	}
	if u.Scheme != "s3" && u.Scheme != "azblob" || u.Host == "" || name == "" || u.User != nil {
		return nil, fmt.Errorf("%q must be s3://BUCKET/PREFIX or azblob://ACCOUNT/CONTAINER/PREFIX: buckets of Google "+
			"have the form of S3, too, with ?endpoint=https://storage.googleapis.com", text)
	}
	for key, values := range u.Query() {
		if _, known := parameters[key]; !known { // the value may be a secret
			return nil, fmt.Errorf("%s://%s: unknown parameter %q: known are %s", u.Scheme, u.Host, key,
				strings.Join(slices.Sorted(maps.Keys(parameters)), " and "))
		}
		parameters[key] = values[len(values)-1]
	}
	server, err := url.Parse(parameters["endpoint"])
	if err != nil || server.Host == "" || server.RawQuery != "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("%s://%s: endpoint must be https://HOST or https://HOST:PORT", u.Scheme, u.Host)
	}
	b := &Bucket{name: name, prefix: path.Join(prefix, host)}
	if u.Scheme == "azblob" {
		b.store, err = openAzure(server, u.Host, name)
	} else {
		b.store, err = openS3(server, parameters["region"], name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s://%s: %w", u.Scheme, u.Host, err)
	}
	return b, nil
}

// Put copies a file, and replaces an object of that name.
func (b *Bucket) Put(ctx context.Context, name, file string) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	if err := b.store.put(ctx, path.Join(b.prefix, name), file); err != nil {
		return fmt.Errorf("copying to bucket %s: %w", b.name, err)
	}
	return nil
}
