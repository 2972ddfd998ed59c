#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds current engines from the Go module proxy, each at its own module's versions of everything, into
# /var/cache/runc-trace-e2e/NAME-VERSION/bin. What is there is not built again. Arguments are the names of those to build,
# if not all.
set -eu

only=$*
cache=/var/cache/runc-trace-e2e
export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# build NAME MODULE VERSION FLAGS PACKAGE...
build() {
	name=$1 module=$2 version=$3 flags=$4
	shift 4
	case " ${only:-$name} " in *" $name "*) ;; *) return 0 ;; esac
	bin=$cache/$name-${version#v}/bin
	[ ! -e "$bin" ] || return 0
	echo "building $name $version"
	work=$cache/work-$name
	rm -rf "$work"
	mkdir -p "$work/bin" "$(dirname "$bin")"
	# Outside of any module. The whole module is needed, so that it is built as its authors build it: with its go.sum.
	from=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	cp -r "$from" "$work/source"
	chmod -R u+w "$work/source"
	# Docker's client has a go.mod by another name.
	[ ! -e "$work/source/vendor.mod" ] || {
		rm -rf "$work/source/vendor"
		mv "$work/source/vendor.mod" "$work/source/go.mod"
		mv "$work/source/vendor.sum" "$work/source/go.sum"
	}
	# shellcheck disable=SC2086
	(cd "$work/source" && nice go build -trimpath -ldflags '-s -w' $flags -o "$work/bin/" "$@")
	mv "$work/bin" "$bin"
	rm -rf "$work"
}

build containerd github.com/containerd/containerd/v2 v2.4.2 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
build containerd1 github.com/containerd/containerd v1.7.35 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
# Its name is not in the checksum database.
GONOSUMDB=sigs.k8s.io/cri-tools build crictl sigs.k8s.io/cri-tools v1.34.0 '' ./cmd/crictl
# The one that this Docker is made for: it wants a time namespace, which Debian 12's does not know.
CGO_ENABLED=1 build runc-for-docker github.com/opencontainers/runc v1.5.1 '-tags=seccomp' .
build dockerd github.com/moby/moby/v2 v2.0.0-beta.24 '' ./cmd/dockerd ./cmd/docker-proxy
build docker github.com/docker/cli v29.8.0+incompatible '' ./cmd/docker
