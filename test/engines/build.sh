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
	started=$(date +%s)
	work=$cache/work-$name
	rm -rf "$work"
	mkdir -p "$work/bin" "$(dirname "$bin")"
	# Outside of any module. The whole module is needed, so that it is built as its authors build it: with its go.sum.
	from=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	cp -r "$from" "$work/source"
	chmod -R u+w "$work/source"
	# A module has its list of vendored packages without the packages.
	rm -rf "$work/source/vendor"
	# Docker's client has a go.mod by another name.
	[ ! -e "$work/source/vendor.mod" ] || {
		mv "$work/source/vendor.mod" "$work/source/go.mod"
		mv "$work/source/vendor.sum" "$work/source/go.sum"
	}
	# Without inlining, which is a sixth of the compiler's time.
	# shellcheck disable=SC2086
	(cd "$work/source" && nice go build -trimpath -ldflags '-s -w' -gcflags 'all=-l' $flags -o "$work/bin/" "$@")
	# CRI-O's helper in C, which pins namespaces.
	[ ! -e "$work/source/pinns" ] || {
		make -s -C "$work/source/pinns"
		cp "$work/source/bin/pinns" "$work/bin/"
	}
	mv "$work/bin" "$bin"
	rm -rf "$work"
	echo "built $name $version in $(($(date +%s) - started)) s"
}

build containerd github.com/containerd/containerd/v2 v2.4.2 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
# Its files of `imports` are merged in another way than those of 2.1 and later.
build containerd20 github.com/containerd/containerd/v2 v2.0.5 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
build containerd1 github.com/containerd/containerd v1.7.35 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
# Its name is not in the checksum database.
GONOSUMDB=sigs.k8s.io/cri-tools build crictl sigs.k8s.io/cri-tools v1.34.0 '' ./cmd/crictl
# The one that this Docker is made for: it wants a time namespace, which Debian 12's does not know.
CGO_ENABLED=1 build runc-for-docker github.com/opencontainers/runc v1.5.1 '-tags=seccomp' .
build dockerd github.com/moby/moby/v2 v2.0.0-beta.24 '' ./cmd/dockerd ./cmd/docker-proxy
build docker github.com/docker/cli v29.8.0+incompatible '' ./cmd/docker
# It has to know seccomp, which is C. SQLite need not be fast: it takes a minute to optimise.
CGO_ENABLED=1 CGO_CFLAGS="-O0 -g0" build crio github.com/cri-o/cri-o v1.34.0 '-tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper,exclude_graphdriver_zfs,libsubid_none,seccomp' ./cmd/crio
