#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds current engines from the Go module proxy, each with the dependencies of its own go.mod, into
# /var/cache/runc-trace-e2e/NAME-VERSION/bin. Existing builds are kept. Arguments are the names of the engines to
# build; the default is all.
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
	# Run outside of any module. The whole module is downloaded, to build it as its authors do: with its go.sum.
	from=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	cp -r "$from" "$work/source"
	chmod -R u+w "$work/source"
	# A module has the list of vendored packages, but not the packages.
	rm -rf "$work/source/vendor"
	# The go.mod of Docker's client has another name.
	[ ! -e "$work/source/vendor.mod" ] || {
		mv "$work/source/vendor.mod" "$work/source/go.mod"
		mv "$work/source/vendor.sum" "$work/source/go.sum"
	}
	# Inlining takes a sixth of the compiler's time, so it is off.
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
# It merges the files of `imports` differently from 2.1 and later.
build containerd20 github.com/containerd/containerd/v2 v2.0.5 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
build containerd1 github.com/containerd/containerd v1.7.35 '-tags=no_btrfs,no_devmapper,no_zfs' ./cmd/containerd ./cmd/ctr ./cmd/containerd-shim-runc-v2
# The checksum database does not have this name.
GONOSUMDB=sigs.k8s.io/cri-tools build crictl sigs.k8s.io/cri-tools v1.34.0 '' ./cmd/crictl
# The version for this Docker, which needs a time namespace. Debian 12's does not support it.
CGO_ENABLED=1 build runc-for-docker github.com/opencontainers/runc v1.5.1 '-tags=seccomp' .
build dockerd github.com/moby/moby/v2 v2.0.0-beta.24 '' ./cmd/dockerd ./cmd/docker-proxy
build docker github.com/docker/cli v29.8.0+incompatible '' ./cmd/docker
# It needs seccomp, which is C. SQLite need not be fast, and optimising it takes a minute.
CGO_ENABLED=1 CGO_CFLAGS="-O0 -g0" build crio github.com/cri-o/cri-o v1.34.0 '-tags=containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper,exclude_graphdriver_zfs,libsubid_none,seccomp' ./cmd/crio
