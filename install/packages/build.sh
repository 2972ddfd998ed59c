#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the release in the given directory (dist): for each of $ARCHS a deb, an rpm and a tarball, and SHA256SUMS of
# all. The same commit gives the same bytes on every machine. VERSION is as in the Makefile. Run by `make packages`.
set -eu
umask 022
export LC_ALL=C TZ=UTC
unset GOARCH

mkdir -p "${1:-dist}"
dist=$(cd "${1:-dist}" && pwd)
cd "$(dirname "$0")/../.."
: "${VERSION:=$(git describe --tags --always --dirty)}" "${ARCHS:=amd64 arm64}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

# Convert the version for dpkg and rpm: v1.2.3-rc1 sorts before 1.2.3, v1.2.3-4-gabcdef0 after it. A commit without a
# release before it is identified by its time.
case $VERSION in
v[0-9]*) PACKAGE_VERSION=$(echo "${VERSION#v}" | sed -E 's/-([0-9]+)-(g[0-9a-f]+)/+\1.\2/; s/-dirty$/+dirty/; s/-/~/') ;;
*) PACKAGE_VERSION=0.0.0+$(date -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M).$(echo "$VERSION" | tr - .) ;;
esac
export PACKAGE_VERSION

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
nfpm=$(cd install/packages && go tool -n nfpm)

# Files that all architectures share.
common=$work/common
mkdir -p "$common/usr/share/man/man8" "$common/usr/lib/systemd/system" "$common/completion" "$common/scripts"
for page in docs/man/*.8; do gzip -9nc "$page" >"$common/usr/share/man/man8/${page##*/}.gz"; done
for shell in bash fish zsh; do go run ./cmd/tracectl completion $shell >"$common/completion/$shell"; done
for unit in runc-trace.service runc-trace-agent.service; do
	sed "s,/opt/runc-trace/bin/,/usr/bin/," "install/$unit" >"$common/usr/lib/systemd/system/$unit"
done
cp LICENSE README.md CHANGELOG.md install/config.toml install/packages/copyright install/packages/lintian-overrides "$common"
cp install/packages/postinst.sh install/packages/prerm.sh install/packages/postrm.sh "$common/scripts"
gzip -9nc CHANGELOG.md >"$common/changelog.gz"
gzip -9nc >"$common/changelog.Debian.gz" <<CHANGES
runc-trace ($PACKAGE_VERSION-1) unstable; urgency=medium

  * Release $VERSION; changelog.gz says what is new.

 -- The runc-trace authors <runc-trace@users.noreply.github.com>  $(date -R -d "@$SOURCE_DATE_EPOCH")
CHANGES

files=
for GOARCH in $ARCHS; do
	export GOARCH
	stage=$work/$GOARCH
	cp -a "$common" "$stage"
	make -s build BIN="$stage/usr/bin" VERSION="$VERSION"
	sh install/packages/third-party.sh >"$stage/THIRD-PARTY"
	gzip -9nc "$stage/THIRD-PARTY" >"$stage/THIRD-PARTY.gz"

	deb=runc-trace_$PACKAGE_VERSION-1_$GOARCH.deb
	rpm=runc-trace-$PACKAGE_VERSION-1.$([ "$GOARCH" = arm64 ] && echo aarch64 || echo x86_64).rpm
	(
		cd "$stage"
		"$nfpm" package --config "$OLDPWD/install/nfpm.yaml" --packager deb --target "$dist/$deb"
		"$nfpm" package --config "$OLDPWD/install/nfpm.yaml" --packager rpm --target "$dist/$rpm"
	) >/dev/null

	# The tarball is for machines without a package manager: `tracectl install` copies the binaries to /opt.
	name=runc-trace-$PACKAGE_VERSION-linux-$GOARCH
	top=$work/$name
	mkdir -p "$top/man"
	cp -a "$stage/usr/bin/runc-trace" "$stage/usr/bin/tracectl" "$stage/LICENSE" "$stage/copyright" "$stage/THIRD-PARTY" \
		"$stage/README.md" "$stage/CHANGELOG.md" "$stage/config.toml" "$stage/completion" install/runc-trace.service install/runc-trace-agent.service "$top"
	cp docs/man/*.8 "$top/man"
	tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$name" |
		gzip -9n >"$dist/$name.tar.gz"
	files="$files $deb $rpm $name.tar.gz"
done

cd "$dist"
# shellcheck disable=SC2086
sha256sum $files >SHA256SUMS
# shellcheck disable=SC2086
stat -c '%10s %n' $files SHA256SUMS
