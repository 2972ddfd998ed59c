#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds a torcx image from a tarball of `make packages`: build.sh TARBALL [DIRECTORY]. Needs mksquashfs. The image has
# the files that manifest.json names, and is for nodes that still have torcx; see docs/flatcar.md for its use.
set -eu
umask 022

tarball=$1
name=$(basename "$tarball" .tar.gz) # runc-trace-VERSION-linux-ARCH
case $name in
runc-trace-*-linux-*) ;;
*) echo "$0: $tarball is not a tarball of runc-trace" >&2 && exit 2 ;;
esac
# torcx looks for NAME:REFERENCE.torcx.squashfs; a reference cannot contain + or ~.
image=${2:-.}/runc-trace:$(echo "${name#runc-trace-}" | sed 's/-linux-/-/' | tr '+~' '__').torcx.squashfs

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$tarball" -C "$work"
from=$work/$name root=$work/image
units=$root/lib/systemd/system
mkdir -p "$root/.torcx" "$root/bin" "$units/multi-user.target.wants" "$root/share/doc/runc-trace"
cp "$(dirname "$0")/manifest.json" "$root/.torcx"
cp "$from/runc-trace" "$from/tracectl" "$root/bin"
cp "$from/LICENSE" "$from/copyright" "$from/THIRD-PARTY" "$from/config.toml" "$root/share/doc/runc-trace"
sed 's,/opt/runc-trace/bin/,/run/torcx/bin/,' "$from/runc-trace.service" >"$units/runc-trace.service"
ln -s ../runc-trace.service "$units/multi-user.target.wants/runc-trace.service"

# Use the tarball's time, so that the same tarball gives the same image. torcx supports gzip and lz4.
SOURCE_DATE_EPOCH=$(stat -c %Y "$from/tracectl") mksquashfs "$work/image" "$image" -comp gzip -all-root -noappend -no-xattrs -quiet -no-progress
echo "$image"
