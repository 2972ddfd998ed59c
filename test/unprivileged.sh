#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a test as the user nobody, without any capability: root calls it by `go test -exec`.
set -eu

dir=$(mktemp -d /tmp/unprivileged.XXXXXX)
trap 'rm -rf --one-file-system "$dir"' EXIT
chmod 755 "$dir"
touch "$dir/test"
mkdir "$dir/tmp" "$dir/mod"
# shellcheck disable=SC2016
unshare --mount sh -c '
	modules=$1 dir=$2 test=$3
	shift 3
	mount -t tmpfs -o mode=777 tmpfs "$dir/tmp" # fsync takes no time there
	mount --bind "$modules" "$dir/mod"
	mount --bind "$test" "$dir/test" # only root may look into the directory in which go test builds
	HOME=$dir/tmp TMPDIR=$dir/tmp GOCACHE=$dir/tmp/cache GOMODCACHE=$dir/mod GOFLAGS=-buildvcs=false GOPROXY=off \
		exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$dir/test" "$@"
' sh "$(go env GOMODCACHE)" "$dir" "$@"
