// SPDX-License-Identifier: Apache-2.0

// Command image writes the container image as an archive in OCI's image layout: one index with an image per platform.
// The same trees, version, revision and time give the same bytes. It needs no daemon and no registry. Run by build.sh.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// release is the metadata of the images.
type release struct {
	version  string // also the image's tag
	revision string // the commit
	created  time.Time
}

// platform is an architecture, and the directory that is its image's root.
type platform struct{ arch, root string }

// tagged matches valid tags of images.
var tagged = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

func run(args []string) error {
	var r release
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	file := flags.String("o", "", "the archive to write")
	flags.StringVar(&r.version, "version", "", "version, and tag of the image")
	flags.StringVar(&r.revision, "revision", "", "commit that the programs are made of")
	epoch := flags.Int64("time", 0, "the only time that stands in the image, in seconds since 1970")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: image -o FILE -version VERSION -revision COMMIT -time SECONDS ARCH=DIRECTORY...")
		flags.PrintDefaults()
	}
	_ = flags.Parse(args) // exits
	r.created = time.Unix(*epoch, 0).UTC()
	if !tagged.MatchString(r.version) {
		return fmt.Errorf("version %q cannot be an image's tag: it may have letters, digits, '_', '.' and '-'", r.version)
	}
	var platforms []platform
	for _, arg := range flags.Args() {
		arch, root, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not ARCH=DIRECTORY", arg)
		}
		platforms = append(platforms, platform{arch, root})
	}
	if *file == "" || len(platforms) == 0 {
		return errors.New("-o and at least one ARCH=DIRECTORY have to be given")
	}
	index, err := newIndex(r, platforms)
	if err != nil {
		return err
	}
	return writeArchive(*file, index, r.created)
}
