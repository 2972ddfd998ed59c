// SPDX-License-Identifier: Apache-2.0

package image

import (
	"archive/tar"
	"bytes"
)

// archive is a tar file that is being written. Its first error stays.
type archive struct {
	data bytes.Buffer
	tar  *tar.Writer
	err  error
}

func (a *archive) add(header tar.Header, content string) {
	if a.tar == nil {
		a.tar = tar.NewWriter(&a.data)
	}
	header.Size = int64(len(content))
	if a.err == nil {
		a.err = a.tar.WriteHeader(&header)
	}
	if a.err == nil {
		_, a.err = a.tar.Write([]byte(content))
	}
}

func (a *archive) close() ([]byte, error) {
	if a.err == nil {
		a.err = a.tar.Close()
	}
	return a.data.Bytes(), a.err
}
