#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# After the files went. Only dpkg knows "purge": what was configured goes, too.
set -eu

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || true
	fi
	;;
purge) rm -rf /etc/runc-trace /var/lib/runc-trace ;;
esac
