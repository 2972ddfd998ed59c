#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs a test as the user nobody, without any capability: root calls it by `go test -exec`.
set -eu

dir=$(mktemp -d /tmp/unprivileged.XXXXXX)
trap 'rm -rf --one-file-system "$dir"' EXIT
chmod 755 "$dir"
cp "$1" "$dir/test" # what go test has built lies where only root may look
mkdir -m 777 "$dir/tmp" "$dir/mod"
shift
# shellcheck disable=SC2016
unshare --mount sh -c '
	modules=$1 dir=$2
	shift 2
	mount --bind "$modules" "$dir/mod"
	HOME=$dir/tmp TMPDIR=$dir/tmp GOCACHE=$dir/tmp/cache GOMODCACHE=$dir/mod GOFLAGS=-buildvcs=false GOPROXY=off \
		exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$dir/test" "$@"
' sh "$(go env GOMODCACHE)" "$dir" "$@"
