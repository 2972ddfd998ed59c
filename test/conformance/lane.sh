#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# lane.sh LANE VIEW TMP FROM TO COMMAND... runs a command in an isolated lane, so that several can run at once and
# leave nothing behind. A lane has its own PID, mount and network namespaces, a cgroup LANE in every hierarchy,
# which it sees as the root, the directory TMP mounted on /tmp, and the directory FROM on TO. VIEW selects the
# lane's /sys/fs/cgroup: "host" for that of this machine, or "unified" for cgroup v2 alone.
#
# lane.sh --remove LANE removes the cgroups of a lane that was killed.
set -eu

# hierarchies prints a line for each hierarchy: type, mount point, and options that identify it for mount(8).
hierarchies() {
	awk '{
		for (i = 7; $i != "-"; i++) ;
		if ($(i+1) == "cgroup2") print "cgroup2", $5, "rw"
		if ($(i+1) == "cgroup") {
			options = ""
			n = split($(i+3), all, ",")
			for (j = 1; j <= n; j++)
				if (all[j] !~ /^(rw|ro|xattr|clone_children|cpuset_v2_mode|release_agent=.*)$/)
					options = options "," (all[j] ~ /^name=/ ? "none," : "") all[j]
			print "cgroup", $5, substr(options, 2)
		}
	}' /proc/self/mountinfo
}

inside() {
	view=$1 tmp=$2 from=$3 to=$4
	shift 4
	ip link set lo up
	mount --bind "$tmp" /tmp
	mount --bind "$from" "$to"
	mkdir -p /run/runc
	mount -t tmpfs tmpfs /run/runc

	known=$(hierarchies)
	links=$(find /sys/fs/cgroup -maxdepth 1 -type l -printf '%l %p\n')
	umount -R -l /sys/fs/cgroup
	if [ "$view" = unified ]; then
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
	else
		echo "$known" | grep -q ' /sys/fs/cgroup ' || mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
		echo "$known" | while read -r type point options; do
			mkdir -p "$point"
			mount -t "$type" -o "$options" "$type" "$point"
		done
		echo "$links" | while read -r target link; do [ -z "$link" ] || ln -s "$target" "$link"; done
	fi
	# The shell remains as the init, which reaps orphaned processes.
	"$@"
}

join() {
	hierarchies | while read -r _ point _; do
		mkdir "$point/$1"
		# A v1 cpuset accepts no process until its CPUs and memory nodes are set.
		for file in cpuset.cpus cpuset.mems; do
			[ -e "$point/cgroup.controllers" ] || [ ! -e "$point/$file" ] || cat "$point/$file" >"$point/$1/$file"
		done
	done
	for procs in $(hierarchies | awk -v lane="$1" '{print $2 "/" lane "/cgroup.procs"}'); do
		echo 0 >"$procs" # 0 stands for the writer
	done
}

# Killed processes may take a moment to exit.
remove() {
	hierarchies | while read -r _ point _; do
		for _ in $(seq 50); do
			[ ! -d "$point/$1" ] || find "$point/$1" -depth -type d -exec rmdir {} + 2>/dev/null || { sleep 0.1 && continue; }
			break
		done
		[ ! -d "$point/$1" ] || { echo "cannot remove the cgroup $point/$1" >&2; exit 1; }
	done
}

case $1 in
--leaf)
	# In cgroup v2, only leaves may have processes if controllers are enabled for children.
	for leaf in $(hierarchies | while read -r _ point _; do
		[ -z "$(cat "$point/cgroup.controllers" 2>/dev/null)" ] || echo "$point/$2/tests"
	done); do
		mkdir "$leaf"
		echo 0 >"$leaf/cgroup.procs"
	done
	shift 2
	exec unshare --mount --propagation private --net --ipc --pid --fork --kill-child --mount-proc sh "$0" --inside "$@"
	;;
--inside)
	shift
	inside "$@"
	;;
--remove)
	remove "$2"
	;;
*)
	lane=$1 status=0
	shift
	(
		join "$lane"
		exec unshare --cgroup sh "$0" --leaf "$lane" "$@"
	) || status=$?
	remove "$lane"
	exit $status
	;;
esac
