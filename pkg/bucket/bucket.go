// SPDX-License-Identifier: Apache-2.0

// Package bucket copies files to object storage with the protocol of S3, which Amazon, Google, MinIO, Ceph and others
// serve.
package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Bucket is a bucket, and the beginning of the names of objects in it. Its credentials are those that S3's own tools
// find: $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, ~/.aws/credentials, or the role of the machine or of the pod.
type Bucket struct {
	client       *minio.Client
	name, prefix string
}

// patience is the timeout for one object.
const patience = 2 * time.Minute

// Open returns the bucket of a URL: s3://BUCKET/PREFIX. Its parameters are endpoint, the URL of the server (default:
// that of Amazon), and region. Names of objects begin with the prefix and the name of this host. It does not connect.
func Open(text, host string) (*Bucket, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", text)
	}
	if u.Scheme != "s3" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%q must be s3://BUCKET/PREFIX: buckets of Google have that form too, with "+
			"?endpoint=https://storage.googleapis.com", text)
	}
	endpoint, region := "https://s3.amazonaws.com", ""
	for key, values := range u.Query() {
		switch value := values[len(values)-1]; key {
		case "endpoint":
			endpoint = value
		case "region":
			region = value
		default:
			return nil, fmt.Errorf("%q: unknown parameter %q: there are endpoint and region", text, key)
		}
	}
	server, err := url.Parse(endpoint)
	if err != nil || server.Host == "" || server.Scheme != "https" && server.Scheme != "http" {
		return nil, fmt.Errorf("%q: endpoint must be https://HOST or https://HOST:PORT", text)
	}
	client, err := minio.New(server.Host, &minio.Options{
		Secure: server.Scheme == "https", Region: region, MaxRetries: 1,
		Creds: credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{},
			&credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
		}),
	})
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return &Bucket{client, u.Host, path.Join(strings.Trim(u.Path, "/"), host)}, nil
}

// Put copies a file, and replaces an object of that name.
func (b *Bucket) Put(ctx context.Context, name, file string) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	_, err := b.client.FPutObject(ctx, b.name, path.Join(b.prefix, name), file,
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	if err == nil {
		return nil
	}
	if code := (minio.ErrorResponse{}); errors.As(err, &code) && code.Code != "" {
		return fmt.Errorf("copying to bucket %s: %s: %s", b.name, code.Code, code.Message)
	}
	return fmt.Errorf("copying to bucket %s: %w", b.name, err)
}
