// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// writeArchive writes an image layout with this index as one file. If it fails, it leaves no file.
func writeArchive(file string, index v1.ImageIndex, at time.Time) (err error) {
	work, err := os.MkdirTemp(filepath.Dir(file), ".image-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	dir := filepath.Join(work, "layout")
	if _, err := layout.Write(dir, index); err != nil {
		return fmt.Errorf("writing the image layout: %w", err)
	}
	out, err := os.OpenFile(filepath.Join(work, "archive"), os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if err := errors.Join(writeTree(out, dir, at), out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), file)
}

// writeTree writes directories and files of a tree as a tar archive, ordered by name. All entries belong to root and
// have the same time, and the usual modes of programs and other files.
func writeTree(to io.Writer, root string, at time.Time) error {
	w := tar.NewWriter(to)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		header := tar.Header{Name: filepath.ToSlash(name), Mode: 0o644, ModTime: at}
		switch {
		case d.IsDir():
			header.Typeflag, header.Name, header.Mode = tar.TypeDir, header.Name+"/", 0o755
			return w.WriteHeader(&header)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		if info.Mode()&0o111 != 0 {
			header.Mode = 0o755
		}
		header.Typeflag, header.Size = tar.TypeReg, info.Size()
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, file)
		return errors.Join(err, file.Close())
	})
	if err != nil {
		return fmt.Errorf("archiving %s: %w", root, err)
	}
	return w.Close()
}
