#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the container image for each of $ARCHS, as one archive in the given directory (dist), and prints its path. The
# same commit gives the same bytes on every machine. VERSION is as in the Makefile, and the image's tag. Run by `make
# image`.
set -eu
unset GOARCH

mkdir -p "${1:-dist}"
dist=$(cd "${1:-dist}" && pwd)
cd "$(dirname "$0")/../.."
: "${VERSION:=$(git describe --tags --always --dirty)}" "${ARCHS:=amd64 arm64}"
: "${REVISION:=$(git rev-parse HEAD)}" "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export VERSION

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
roots=
for arch in $ARCHS; do
	GOARCH=$arch sh install/image/root.sh "$work/$arch"
	roots="$roots $arch=$work/$arch"
done
archive=$dist/runc-trace-image-$VERSION.tar
cd install/image
# shellcheck disable=SC2086
go run . -o "$archive" -version "$VERSION" -revision "$REVISION" -time "$SOURCE_DATE_EPOCH" $roots
echo "$archive"
