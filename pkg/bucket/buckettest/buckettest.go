// SPDX-License-Identifier: Apache-2.0

// Package buckettest has a server with as much of the protocol of S3 as it takes to put objects.
package buckettest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// AccessKey is the ID of the key that requests have to be signed with. Signatures themselves are not checked.
const AccessKey = "AKIDTEST"

// Store keeps objects by their paths: /BUCKET/NAME.
type Store struct {
	mu      sync.Mutex
	refuses bool
	objects map[string][]byte
}

// Refuse makes the store deny all requests, or none.
func (s *Store) Refuse(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuses = all
}

// Objects returns the objects that were put.
func (s *Store) Objects() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects)
}

func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := payload(r)
	signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+AccessKey+"/")
	if _, location := r.URL.Query()["location"]; location && signed {
		fmt.Fprint(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`)
		return
	}
	if s.refuses || !signed || err != nil || r.Method != http.MethodPut {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
		return
	}
	if s.objects == nil {
		s.objects = map[string][]byte{}
	}
	s.objects[r.URL.Path] = body
	w.Header().Set("ETag", `"0"`)
}

// payload returns what a request puts. It may be in chunks, each with a signature: "LENGTH;chunk-signature=...".
func payload(r *http.Request) ([]byte, error) {
	if !strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") {
		return io.ReadAll(r.Body)
	}
	var all bytes.Buffer
	for from := bufio.NewReader(r.Body); ; {
		line, err := from.ReadString('\n')
		if err != nil {
			return nil, err
		}
		length, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseInt(length, 16, 64)
		if err != nil || n == 0 {
			return all.Bytes(), err
		}
		if _, err := io.CopyN(&all, from, n); err != nil {
			return nil, err
		}
		if end, err := from.ReadString('\n'); err != nil || end != "\r\n" {
			return nil, errors.New("a chunk does not end")
		}
	}
}
