// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/runc-trace/runc-trace/pkg/bucket/buckettest"
)

// TestPut puts a file into a bucket of a server on this machine.
func TestPut(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", buckettest.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	store := &buckettest.Store{}
	server := httptest.NewServer(store)
	defer server.Close()
	file := filepath.Join(t.TempDir(), "x.rec")
	if err := os.WriteFile(file, []byte("the recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"&region=eu-1", ""} {
		b, err := Open("s3://crashes/a/b?endpoint="+server.URL+region, "node")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Put(t.Context(), "x.rec", file); err != nil {
			t.Fatal(err)
		}
		want := map[string][]byte{"/crashes/a/b/node/x.rec": []byte("the recording")}
		if diff := cmp.Diff(want, store.Objects()); diff != "" {
			t.Errorf("objects (-want +got):\n%s", diff)
		}
		store.Refuse(true)
		if err := b.Put(t.Context(), "x.rec", file); err == nil ||
			err.Error() != "copying to bucket crashes: AccessDenied: no" {
			t.Errorf("a refused one: %v", err)
		}
		store.Refuse(false)
	}
	server.Close()
	b, err := Open("s3://crashes?endpoint="+server.URL, "node")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "x.rec", file); err == nil ||
		!strings.HasPrefix(err.Error(), "copying to bucket crashes: ") {
		t.Errorf("without a server: %v", err)
	}
}

// TestOpen refuses URLs that do not name a bucket.
func TestOpen(t *testing.T) {
	for text, want := range map[string]string{
		"gs://x":                       "must be s3://BUCKET/PREFIX",
		"s3://":                        "must be s3://BUCKET/PREFIX",
		"s3://user:password@x":         "must be s3://BUCKET/PREFIX",
		"s3://x?endpoint=minio:9000":   "endpoint must be https://HOST",
		"s3://x?endpoint=ftp://h/":     "endpoint must be https://HOST",
		"s3://x?end=http://minio:9000": `unknown parameter "end"`,
		"azblob://account":             "azblob://ACCOUNT/CONTAINER/PREFIX",
		"azblob:///crashes":            "azblob://ACCOUNT/CONTAINER/PREFIX",
		"azblob://a/b?region=x":        `unknown parameter "region"`,
		"azblob://a/b?endpoint=h":      "endpoint must be https://HOST",
	} {
		if _, err := Open(text, "node"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Open("s3://x", "node"); err != nil {
		t.Error(err)
	}
}
