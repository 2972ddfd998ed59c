#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs missing packages that the conformance tests need besides those of test/deps.sh.
set -eu

need=""
command -v bats >/dev/null || need="$need bats"
command -v gawk >/dev/null || need="$need gawk"
command -v jq >/dev/null || need="$need jq"
command -v make >/dev/null || need="$need make"
command -v ip >/dev/null || need="$need iproute2"
command -v script >/dev/null || need="$need bsdutils"
command -v newuidmap >/dev/null || need="$need uidmap"
command -v pkg-config >/dev/null || need="$need pkg-config"
[ -e /usr/include/seccomp.h ] || need="$need libseccomp-dev"
[ -n "$need" ] || exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
	echo "missing:$need (names of Debian's packages): install them, or run this as root on Debian" >&2
	exit 2
fi
echo "installing$need"
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update -qq >/dev/null
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $need >/dev/null
