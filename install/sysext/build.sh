#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds a systemd-sysext image from a tarball of `make packages`: build.sh TARBALL [DIRECTORY]. The programs are
# static, so the image works on every distribution with an extensible /usr. Needs mksquashfs. See docs/flatcar.md for
# its use.
set -eu
umask 022

tarball=$1
name=$(basename "$tarball" .tar.gz) # runc-trace-VERSION-linux-ARCH
case $name in
runc-trace-*-linux-amd64) architecture=x86-64 ;;
runc-trace-*-linux-arm64) architecture=arm64 ;;
*) echo "$0: $tarball is not a tarball of runc-trace" >&2 && exit 2 ;;
esac
image=${2:-.}/${name%-linux-*}-$architecture.raw

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -xzf "$tarball" -C "$work"
from=$work/$name usr=$work/image/usr
units=$usr/lib/systemd/system
mkdir -p "$usr/bin" "$units/multi-user.target.d" "$usr/lib/extension-release.d" "$usr/share/doc/runc-trace" \
	"$usr/share/bash-completion/completions" "$usr/share/man/man8"
cp "$from/runc-trace" "$from/tracectl" "$usr/bin"
cp "$from/LICENSE" "$from/copyright" "$from/THIRD-PARTY" "$from/config.toml" "$usr/share/doc/runc-trace"
cp "$from/completion/bash" "$usr/share/bash-completion/completions/tracectl"
for page in "$from"/man/*; do gzip -9nc "$page" >"$usr/share/man/man8/${page##*/}.gz"; done
sed 's,/opt/runc-trace/bin/,/usr/bin/,' "$from/runc-trace.service" >"$units/runc-trace.service"
# systemd checks the target again after merging extensions, and then starts the unit. Upholds= would retry forever if
# this kernel cannot load the programs.
printf '[Unit]\nWants=runc-trace.service\n' >"$units/multi-user.target.d/10-runc-trace.conf"
# Static programs work on every release of every distribution.
printf 'ID=_any\nARCHITECTURE=%s\nEXTENSION_RELOAD_MANAGER=1\n' "$architecture" >"$usr/lib/extension-release.d/extension-release.runc-trace"

# Use the tarball's time, so that the same tarball gives the same image.
SOURCE_DATE_EPOCH=$(stat -c %Y "$from/tracectl") mksquashfs "$work/image" "$image" -all-root -noappend -no-xattrs -quiet -no-progress
echo "$image"
