#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs after the files are installed. dpkg passes "configure" and the previous version, rpm the number of versions now
# installed. It changes no engine: the user does that with `tracectl install`.
set -eu

case "$1" in
configure) [ -n "${2:-}" ] && event=upgrade || event=install ;;
1) event=install ;;
[2-9]) event=upgrade ;;
*) exit 0 ;; # dpkg undoes a failed step: nothing has changed
esac

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi

if [ "$event" = install ]; then
	cat <<-'TEXT'
		runc-trace is installed, and no container engine has been changed. To trace the containers of this machine:
		  tracectl install --engine auto --dry-run     # show what would be changed
		  tracectl install --engine auto --set-default --restart
	TEXT
	exit 0
fi

# Load the programs of the new version. If that fails, recordings, containers and the package still work.
loaded=0
/usr/bin/tracectl status >/dev/null 2>&1 || loaded=$?
if [ "$loaded" != 3 ] && ! /usr/bin/tracectl load --replace --no-adopt; then
	cat >&2 <<-'TEXT'
		runc-trace: the programs of the version before are still loaded; see above for how to replace them. If they have
		another layout, new containers start, but are not recorded until then.
	TEXT
fi
