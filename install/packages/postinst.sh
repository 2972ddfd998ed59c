#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# After the files came. dpkg calls it with "configure" and the version that was there before, rpm with the number of
# versions that are there now. It changes no engine: `tracectl install` does that when somebody asks.
set -eu

case "$1" in
configure) [ -n "${2:-}" ] && event=upgrade || event=install ;;
1) event=install ;;
[2-9]) event=upgrade ;;
*) exit 0 ;; # dpkg goes back from something that failed: all is as it was
esac

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi

if [ "$event" = install ]; then
	cat <<-'TEXT'
		runc-trace is here, and no container engine has been changed. To trace the containers of this machine:
		  tracectl install --engine auto --dry-run     # show what would be changed
		  tracectl install --engine auto --set-default --restart
	TEXT
	exit 0
fi

# The new tracectl brings the programs of its own version. What is kept, containers and the package do not depend on it.
loaded=0
/usr/bin/tracectl status >/dev/null 2>&1 || loaded=$?
if [ "$loaded" != 3 ] && ! /usr/bin/tracectl load --replace --no-adopt; then
	echo "runc-trace: the programs that were loaded before the upgrade go on; see above for how to replace them" >&2
fi
