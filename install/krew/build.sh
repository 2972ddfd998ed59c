#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds kubectl's plugin in the given directory (dist): a tarball for each of $PLATFORMS, the manifest for krew, and
# SHA256SUMS.plugin. The same commit gives the same bytes on every machine. VERSION is as in the Makefile. $BASE_URI is
# the location of the tarballs; if it is unset, a placeholder stays in the manifest. Run by `make plugin`.
set -eu
umask 022
export LC_ALL=C TZ=UTC

mkdir -p "${1:-dist}"
dist=$(cd "${1:-dist}" && pwd)
cd "$(dirname "$0")/../.."
: "${VERSION:=$(git describe --tags --always --dirty)}" "${PLATFORMS:=linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}" "${BASE_URI:=@BASE_URI@}"

# krew accepts only semantic versions.
case $VERSION in
v[0-9]*) PLUGIN_VERSION=$VERSION ;;
*) PLUGIN_VERSION=v0.0.0-$VERSION ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed "s/@VERSION@/$PLUGIN_VERSION/" install/krew/runc-trace.yaml.in >"$work/runc-trace.yaml"

files=
for platform in $PLATFORMS; do
	GOOS=${platform%/*} GOARCH=${platform#*/}
	export GOOS GOARCH
	name=kubectl-runc_trace-${PLUGIN_VERSION#v}-$GOOS-$GOARCH
	top=$work/$name
	mkdir "$top"
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o "$top/kubectl-runc_trace" ./cmd/tracectl
	cp install/krew/kubectl_complete-runc_trace LICENSE install/packages/copyright "$top"
	sh install/packages/third-party.sh >"$top/THIRD-PARTY"
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" |
		gzip -9n >"$dist/$name.tar.gz"
	cat >>"$work/runc-trace.yaml" <<PLATFORM
  - selector:
      matchLabels: {os: $GOOS, arch: $GOARCH}
    uri: "$BASE_URI/$name.tar.gz"
    sha256: $(sha256sum "$dist/$name.tar.gz" | cut -d ' ' -f 1)
    files:
    - {from: "*/kubectl-runc_trace", to: .}
    - {from: "*/kubectl_complete-runc_trace", to: .}
    - {from: "*/LICENSE", to: .}
    - {from: "*/THIRD-PARTY", to: .}
    bin: kubectl-runc_trace
PLATFORM
	files="$files $name.tar.gz"
done
cp "$work/runc-trace.yaml" "$dist"

cd "$dist"
# shellcheck disable=SC2086
sha256sum $files runc-trace.yaml >SHA256SUMS.plugin
# shellcheck disable=SC2086
stat -c '%10s %n' $files runc-trace.yaml SHA256SUMS.plugin
