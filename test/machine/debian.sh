#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs Debian packages if they are missing. It starts no services.
#
#	debian.sh PACKAGE...
set -eu

need=""
for package in "$@"; do
	dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || need="$need $package"
done
[ -n "$need" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "missing:$need: run this as root" >&2
	exit 2
fi
echo "installing$need"
# Without this file, installing a package starts its services.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 0755 "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 $need >/dev/null
