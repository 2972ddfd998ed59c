// SPDX-License-Identifier: Apache-2.0

package bucket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	azureKey   = "a2V5IG9mIHRoZSBhY2NvdW50"
	azureToken = "sig=SECRET%3D&sp=cw&sv=2025-01-05"
)

// signature computes what Azure's servers demand of a request without parameters, apart from headers for conditions:
// https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
func signature(t *testing.T, r *http.Request, account string) string {
	text := fmt.Sprintf("%s\n%s\n%s\n%d\n%s\n%s\n\n\n\n\n\n\n", r.Method, r.Header.Get("Content-Encoding"),
		r.Header.Get("Content-Language"), r.ContentLength, r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if strings.HasPrefix(name, "X-Ms-") {
			text += strings.ToLower(name) + ":" + r.Header.Get(name) + "\n"
		}
	}
	key, err := base64.StdEncoding.DecodeString(azureKey)
	if err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text + "/" + account + r.URL.EscapedPath()))
	return "SharedKey " + account + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// TestAzure puts a file into a container of a server on this machine, with each kind of credentials.
func TestAzure(t *testing.T) {
	var refuses bool
	var last *http.Request
	var content string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if last, content = r, string(body); err != nil || refuses {
			w.Header().Set("X-Ms-Error-Code", "ContainerNotFound")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "<?xml version=\"1.0\"?><Error><Code>ContainerNotFound</Code>"+
				"<Message>The container does not exist.\nRequestId:1\nTime:2</Message></Error>")
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "x.rec")
	if err := os.WriteFile(file, []byte("the recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	place := "azblob://account/crashes/a b/50%25?endpoint=" + server.URL + "/account"
	const path = "/account/crashes/a%20b/50%25/node/x.rec"
	for variable, value := range map[string]string{
		"AZURE_STORAGE_KEY":               azureKey,
		"AZURE_STORAGE_SAS_TOKEN":         "?" + azureToken,
		"AZURE_STORAGE_CONNECTION_STRING": "AccountName=other;AccountKey=" + azureKey + ";EndpointSuffix=x.example;",
	} {
		t.Run(variable, func(t *testing.T) {
			noAzureCredentials(t)
			t.Setenv(variable, value)
			b, err := Open(place, "node")
			if err != nil {
				t.Fatal(err)
			}
			refuses = false
			if err := b.Put(t.Context(), "x.rec", file); err != nil {
				t.Fatal(err)
			}
			authorization, query := signature(t, last, "account"), ""
			if variable == "AZURE_STORAGE_SAS_TOKEN" {
				authorization, query = "", azureToken
			}
			got := []string{last.Method, last.URL.EscapedPath(), last.URL.RawQuery, last.Header.Get("Authorization"),
				last.Header.Get("X-Ms-Blob-Type"), content}
			want := []string{http.MethodPut, path, query, authorization, "BlockBlob", "the recording"}
			if !slices.Equal(got, want) || last.Header.Get("X-Ms-Version") == "" {
				t.Errorf("got  %q, version %q\nwant %q", got, last.Header.Get("X-Ms-Version"), want)
			}
			refuses = true
			if err := b.Put(t.Context(), "x.rec", file); err == nil ||
				err.Error() != "copying to bucket crashes: ContainerNotFound: The container does not exist." {
				t.Errorf("a refused one: %v", err)
			}
		})
	}
	server.Close()
	noAzureCredentials(t)
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", azureToken)
	b, err := Open(place, "node")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "x.rec", file); err == nil || strings.Contains(err.Error(), "SECRET") ||
		!strings.HasPrefix(err.Error(), "copying to bucket crashes: ") {
		t.Errorf("without a server: %v", err)
	}
}

// TestOpenAzure refuses credentials that cannot be used, and does not show them.
func TestOpenAzure(t *testing.T) {
	noAzureCredentials(t)
	for _, c := range []struct{ variable, value, want string }{
		{"AZURE_STORAGE_KEY", "", "no credentials: set AZURE_STORAGE_KEY"},
		{"AZURE_STORAGE_KEY", "SECRET!", "invalid credentials"},
		{"AZURE_STORAGE_CONNECTION_STRING", "SECRET", "invalid credentials"},
		{"AZURE_STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true", "invalid credentials"},
	} {
		t.Run(c.variable, func(t *testing.T) {
			t.Setenv(c.variable, c.value)
			if _, err := Open("azblob://account/crashes", "node"); err == nil ||
				!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "SECRET") {
				t.Errorf("%v", err)
			}
		})
	}
}

func noAzureCredentials(t *testing.T) {
	for _, name := range []string{"AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING"} {
		t.Setenv(name, "")
	}
}
