#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs before the files are removed. dpkg passes "remove", rpm 0; other arguments mean an upgrade, which needs no
# action. It undoes `tracectl install` while tracectl still exists. An engine that still called runc-trace could no
# longer start containers, nor stop those made through it. If uninstalling fails, the package stays.
set -eu

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

if [ -e /var/lib/runc-trace ]; then
	status=0
	/usr/bin/tracectl uninstall --restart || status=$?
	case $status in
	0) ;;
	5)
		echo "runc-trace: not removed: it is still needed, see above. Remove the package again later, or force it first:" >&2
		echo "runc-trace: tracectl uninstall --force" >&2
		exit 1
		;;
	*)
		echo "runc-trace: not removed: \"tracectl uninstall\" failed, see above. Fix the cause, and remove the package again" >&2
		exit 1
		;;
	esac
fi

if [ -d /run/systemd/system ]; then
	systemctl --quiet disable --now runc-trace-agent.service runc-trace.service || true
fi
/usr/bin/tracectl unload >/dev/null ||
	echo "runc-trace: the programs are still loaded: remove their directory below /sys/fs/bpf, or reboot" >&2
