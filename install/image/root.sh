#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Creates the only layer of the container image as a directory: the programs for $GOARCH, and the licences of
# everything linked into them. VERSION is as in the Makefile. Used by build.sh, and by the Dockerfile.
set -eu
umask 022

mkdir -p "$1"
root=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
make -s build BIN="$root/usr/local/bin" VERSION="$VERSION"
doc=$root/usr/share/doc/runc-trace
mkdir -p "$doc"
cp LICENSE install/packages/copyright "$doc"
sh install/packages/third-party.sh >"$doc/THIRD-PARTY"
