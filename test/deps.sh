#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what tests, demo and code generation need, if it is missing. On systems other than Debian it prints what
# is missing and fails.
set -eu

need=""
command -v clang-19 >/dev/null || need="$need clang-19"
command -v llvm-strip-19 >/dev/null || need="$need llvm-19"
[ -e /usr/include/bpf/bpf_helpers.h ] || need="$need libbpf-dev"
command -v gcc >/dev/null || need="$need gcc libc6-dev"
[ -e /usr/aarch64-linux-gnu/include/linux/types.h ] || need="$need linux-libc-dev-arm64-cross"
[ -e /usr/arm-linux-gnueabihf/include/linux/types.h ] || need="$need linux-libc-dev-armhf-cross"
command -v runc >/dev/null || [ -x /usr/sbin/runc ] || need="$need runc"
[ -x /bin/busybox ] && /bin/busybox true && ! ldd /bin/busybox >/dev/null 2>&1 || need="$need busybox-static"
command -v crun >/dev/null || need="$need crun"
command -v strace >/dev/null || need="$need strace"
command -v sysdig >/dev/null || need="$need sysdig"
# for the packages' tests
command -v rpm >/dev/null || need="$need rpm"
command -v lintian >/dev/null || need="$need lintian"
command -v mksquashfs >/dev/null || need="$need squashfs-tools"
command -v systemd-sysext >/dev/null || need="$need systemd"
command -v man >/dev/null || need="$need man-db"
# for the page of reports: its types, and a browser
command -v npm >/dev/null || need="$need nodejs npm"
command -v chromium >/dev/null || need="$need chromium fonts-dejavu-core"
[ -n "$need" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "missing:$need (names of Debian's packages): install them, or run this as root on Debian" >&2
	exit 2
fi
echo "installing$need"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $need >/dev/null
