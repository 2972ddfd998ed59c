#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs after the files are removed. Only dpkg passes "purge", which also removes the configuration.
set -eu

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || true
	fi
	;;
purge) rm -rf /etc/runc-trace /var/lib/runc-trace ;;
esac
