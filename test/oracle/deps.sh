#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the programs that the oracle runs, if they are missing (Debian).
set -eu

need=""
for program in bc busybox bzip2 cpio curl find git make nginx node openssl perl redis-server redis-cli socat sqlite3 \
	ssh-keygen tar xz; do
	PATH=$PATH:/usr/sbin command -v $program >/dev/null && continue
	case $program in
	find) need="$need findutils" ;;
	nginx) need="$need nginx-light" ;;
	node) need="$need nodejs" ;;
	redis-cli) need="$need redis-tools" ;;
	ssh-keygen) need="$need openssh-client" ;;
	xz) need="$need xz-utils" ;;
	*) need="$need $program" ;;
	esac
done
[ -x /usr/bin/python3 ] || need="$need python3"
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
