#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Demonstrates runc-trace with real containers of runc, and fails if a promised result is missing. It uses a pin
# directory, a configuration, a state directory and cgroups of its own, and removes them. Run by `make demo`, as root.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "${BIN_DIR:-$here/../../bin}" && pwd)
export PATH="$bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export RUNC_TRACE_PIN_DIR="/sys/fs/bpf/runc-trace-demo-$$"
cgroup="runc-trace-demo-$$" # below it all containers of the demo
work=
output= # of the command that was shown last
reader=

fail() {
	printf 'demo: %s\n' "$*" >&2
	exit 1
}

# cgroups prints our own directories in all hierarchies, the deepest first.
cgroups() {
	local top
	for top in "/sys/fs/cgroup/$cgroup" /sys/fs/cgroup/*/"$cgroup"; do
		if [[ -d $top ]]; then
			find "$top" -depth -type d
		fi
	done
}

clean_up() {
	local status=$? directory pid id
	trap '' INT TERM
	set +e
	if [[ -n $reader ]]; then
		kill "$reader" 2>/dev/null
	fi
	while read -r directory; do # what an interrupted start left, runc may not know
		while read -r pid; do
			kill -KILL "$pid"
		done 2>/dev/null <"$directory/cgroup.procs"
	done < <(cgroups)
	if [[ -n $work ]]; then
		for id in "$work"/state/*/; do
			if [[ -d $id ]]; then
				"$runc" --root "$work/state" delete --force "$(basename "$id")" >/dev/null 2>&1
			fi
		done
		rm -rf --one-file-system "$work"
	fi
	for _ in {1..50}; do
		while read -r directory; do
			rmdir "$directory" 2>/dev/null
		done < <(cgroups)
		if [[ -z $(cgroups) ]]; then
			break
		fi
		sleep 0.1
	done
	tracectl unload >/dev/null
	exit "$status"
}

# need_packages installs runc and busybox if they are missing.
need_packages() {
	local missing=()
	command -v runc >/dev/null || missing+=(runc)
	busybox bc --help >/dev/null 2>&1 || missing+=(busybox-static)
	if ((${#missing[@]} == 0)); then
		return
	fi
	if ! command -v apt-get >/dev/null; then
		echo "demo: missing: ${missing[*]} (Debian's names; a busybox with bc): install them and run the demo again" >&2
		exit 2
	fi
	echo "# Installing the packages ${missing[*]}."
	local log
	log=$(mktemp)
	if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		fail "installing the packages ${missing[*]} failed"
	fi
	rm -f "$log"
}

# program copies a program into a root file system under another path, with the libraries that it needs.
program() {
	local rootfs=$1 source target=$3 library
	source=$(type -P "$2")
	mkdir -p "$rootfs/$(dirname "$target")"
	cp -L "$source" "$rootfs/$target"
	ldd "$source" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
		mkdir -p "$rootfs$(dirname "$library")"
		cp -L "$library" "$rootfs$library"
	done || true # a static program needs none
}

# make_root_file_systems makes two root file systems: programs of the host, and a busybox with all its names.
make_root_file_systems() {
	local name
	mkdir -p rootfs/{debian,busybox}/{bin,dev,proc,tmp}
	for name in true date cat sleep; do
		program rootfs/debian "$name" "usr/bin/$name"
	done
	program rootfs/debian dash usr/bin/sh
	# Instead of a pod's pause: a shell that waits for input that never comes.
	program rootfs/debian dash pause
	cp rootfs/debian/usr/bin/true rootfs/debian/bin/true
	program rootfs/busybox busybox bin/busybox
	for name in $(busybox --list); do
		[[ -e rootfs/busybox/bin/$name ]] || ln rootfs/busybox/bin/busybox "rootfs/busybox/bin/$name"
	done
}

# bundle NAME ROOT ANNOTATIONS ARGUMENTS makes a bundle; the last two are JSON.
bundle() {
	mkdir -p "$1"
	cat >"$1/config.json" <<-JSON
		{
		  "ociVersion": "1.0.2",
		  "process": {
		    "user": {"uid": 0, "gid": 0},
		    "args": [$4],
		    "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
		    "cwd": "/"
		  },
		  "root": {"path": "$work/rootfs/$2"},
		  "hostname": "$1",
		  "mounts": [
		    {"destination": "/proc", "type": "proc", "source": "proc"},
		    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
		    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev"]}
		  ],
		  "annotations": {$3},
		  "linux": {
		    "cgroupsPath": "/$cgroup/$1",
		    "namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}, {"type": "network"}]
		  }
		}
	JSON
}

# crio prints annotations as CRI-O writes them, of a pod, its UID's last digit and its label myapp: those of a
# container if one is named, or else those of the sandbox, which alone have the pod's labels.
crio() {
	local labels='\"io.kubernetes.pod.name\":\"'$1'\",\"io.kubernetes.pod.namespace\":\"default\"'
	if [[ -z ${4:-} ]]; then
		cat <<-JSON
			"io.kubernetes.cri-o.ContainerType": "sandbox",
			"io.kubernetes.cri-o.Labels": "{$labels,\"myapp\":\"$3\"}",
		JSON
	else
		cat <<-JSON
			"io.kubernetes.cri-o.ContainerType": "container",
			"io.kubernetes.cri-o.ImageName": "docker.io/library/debian:stable",
			"io.kubernetes.cri-o.Labels": "{$labels,\"io.kubernetes.container.name\":\"$4\"}",
			"io.kubernetes.container.name": "$4",
		JSON
	fi
	cat <<-JSON
		"io.container.manager": "cri-o",
		"io.kubernetes.cri-o.SandboxID": "$3-sandbox",
		"io.kubernetes.pod.name": "$1",
		"io.kubernetes.pod.namespace": "default",
		"io.kubernetes.pod.uid": "5f0b8c1e-0000-4000-8000-00000000000$2"
	JSON
}

# containerd prints annotations as containerd's CRI plugin writes them, of a pod with one container.
containerd() {
	cat <<-JSON
		"io.kubernetes.cri.container-type": "container",
		"io.kubernetes.cri.container-name": "$1",
		"io.kubernetes.cri.image-name": "docker.io/library/busybox:latest",
		"io.kubernetes.cri.sandbox-id": "$1-sandbox",
		"io.kubernetes.cri.sandbox-name": "$1",
		"io.kubernetes.cri.sandbox-namespace": "default",
		"io.kubernetes.cri.sandbox-uid": "5f0b8c1e-0000-4000-8000-00000000000c"
	JSON
}

make_bundles() {
	bundle app-one-sandbox debian "$(crio app-one-7d4b9 a app-one)" '"/pause"'
	bundle app-one debian "$(crio app-one-7d4b9 a app-one shell)" \
		'"sh", "-c", "while /bin/true ; do date ; cat /proc/version ; sleep 1 ; done"'
	bundle app-two-sandbox debian "$(crio app-two-5c8d2 b app-two)" '"/pause"'
	bundle app-two busybox "$(crio app-two-5c8d2 b app-two noise)" '"sh", "-c", "while true ; do /bin/hostname ; sleep 0.2 ; done"'
	bundle mypod busybox "$(containerd mypod)" '"sh", "-c", "ls -l /bin | grep wget"'
	bundle mypod2 busybox "$(containerd mypod2)" \
		'"sh", "-c", "RANDOM=output ; echo \"3*7*2\" | bc > /tmp/file-$RANDOM ; cat /tmp/file-$RANDOM"'
}

say() { printf '\n# %s\n' "$*"; }

# shown prints a command, runs it, stores its output in $output and prints that. It ignores the exit status on
# purpose: only the output counts.
shown() {
	printf '$ %s\n' "$1"
	output=$(eval "$1" 2>&1 3>&-) || true
	if [[ -n $output ]]; then
		printf '%s\n' "$output"
	fi
}

# quietly prints a command and runs it, with the output, which is the container's, in a file.
quietly() {
	printf '$ %s\n' "$1"
	eval "$1" >"$2" 2>&1 <&3 || fail "$1: $(cat "$2")"
}

# promise fails if the last output has no line that matches an extended regular expression.
promise() {
	grep -qE -- "$1" <<<"$output" || fail "this line is missing from the output above: $1"
}

# wait_for waits until a command succeeds, for at most a minute, because the machine may be busy.
wait_for() {
	local end=$((SECONDS + 60))
	until "${@:2}" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "waited a minute for $1"
		sleep 0.05
	done
}

has_lines() { (($(wc -l <"$1") >= $2)); }

has_stopped() { "$runc" --root state state "$1" | grep -q '"status": "stopped"'; }

labels() {
	say "Every exec of the pods with a label, from the first one on. While the reader runs, a pod with
# myapp=app-one is started as CRI-O does it, and beside it a pod with another label, which runs programs as well."
	printf '$ tracectl exec --label myapp=app-one &\n'
	tracectl exec --label myapp=app-one >execs 2>messages &
	reader=$!
	wait_for "the reader" has_lines execs 1
	quietly 'runc-trace --root state run --detach --bundle app-two-sandbox app-two-sandbox' sandbox-two.out
	quietly 'runc-trace --root state run --detach --bundle app-two app-two' two.out
	quietly 'runc-trace --root state run --detach --bundle app-one-sandbox app-one-sandbox' sandbox.out
	quietly 'runc-trace --root state create --bundle app-one app-one' app.out
	quietly 'runc-trace --root state start app-one' start.out
	wait_for "the execs of app-one" has_lines execs 11
	kill -INT "$reader"
	wait "$reader" || fail "tracectl exec ended with $?: $(cat execs messages)"
	reader=
	output=$(cat execs)
	printf '%s\n' "$output"
	[[ ! -s messages ]] || fail "tracectl exec said: $(cat messages)"
	[[ $(sed -n 2p execs) =~ ^pause\ .*\ 0\ /pause$ ]] || fail "the first exec is not that of the sandbox"
	[[ $(sed -n 3p execs) =~ ^sh\ .*\ 0\ /usr/bin/sh\ -c\ \"while ]] || fail "the second exec is not that of the container's program"
	promise '^true .* 0 /bin/true$'
	promise '^date .* 0 /usr/bin/date$'
	promise '^cat .* 0 /usr/bin/cat /proc/version$'
	promise '^sleep .* 0 /usr/bin/sleep 1$'
	if tail -n +2 execs | grep -vE '^(pause|sh|true|date|cat|sleep) +[0-9]+ +[0-9]+ +0 '; then
		fail "these execs are not those of app-one"
	fi
	local id
	for id in app-two app-two-sandbox app-one app-one-sandbox; do
		"$runc" --root state delete --force "$id"
	done
}

terminated() {
	say "The past of a pod that is gone. Because of its grep, it printed only one program:"
	quietly 'runc-trace --root state create --bundle mypod mypod' mypod.out
	shown 'runc-trace --root state start mypod'
	wait_for "mypod" has_stopped mypod
	output=$(cat mypod.out)
	printf '%s\n' "$output"
	promise 'wget$'
	shown 'runc-trace --root state delete mypod'
	say "But it looked at all of them, and these calls are kept:"
	shown 'tracectl straceback list --pod mypod'
	promise '^default +mypod +mypod .*exited \(0\)'
	shown 'tracectl straceback show default/mypod | grep /bin/w'
	local name
	for name in w wc wget which who whoami watch; do
		promise "\\[ls\\] [a-z]+\\(.*\"/bin/$name\".*\\)( = 0|\\.\\.\\.)$"
	done
}

recovered() {
	say "A lost result: the pod wrote it to one file, and read another one."
	shown 'runc-trace --root state run --bundle mypod2 mypod2'
	promise "^cat: can't open '/tmp/file-[0-9]+': No such file or directory$"
	local read=${output##*/tmp/file-} written
	read=${read%%\'*}
	say "Why did it fail?"
	shown 'tracectl why default/mypod2'
	promise "^Likely .*/tmp/file-$read"
	say "But it was written, and the two names show the mistake:"
	shown "tracectl straceback show default/mypod2 | grep -E 'write|/tmp/file'"
	# If another call came in between, a call is printed in two lines.
	promise '\[bc\] write\(fd=1(<[^>]*>)?, .*"42\\n", count=3\)( = 3|\.\.\.)$'
	promise "\\[cat\\] open(at)?\\(.*\"/tmp/file-$read\".*\\)( = -1 ENOENT .*|\\.\\.\\.)$"
	written=$(grep -oE '"/tmp/file-[0-9]+".*O_CREAT.*' <<<"$output" | grep -oE '^"/tmp/file-[0-9]+' | grep -oE '[0-9]+$') ||
		fail "the file that was written is missing from the output above"
	[[ $written != "$read" ]] || fail "the file that was written is the one that was read"
}

loaded() {
	say "The kernel keeps all of this, without any process of runc-trace:"
	shown 'tracectl status | head -5'
	promise '^recordings .* free'
}

((EUID == 0)) || fail "run it as root: it loads eBPF programs and makes containers"
for name in runc-trace tracectl; do
	[[ -x $bin/$name ]] || fail "there is no $bin/$name: run make build"
done
need_packages
runc=$(command -v runc)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d)
cd "$work"
mkdir state
export RUNC_TRACE_CONFIG="$work/config.toml" RUNC_TRACE_RUN_DIR="$work/run"
# The demonstration must not adopt containers that run on the machine.
printf 'runtime = "%s"\npin-dir = "%s"\nadopt = false\n' "$runc" "$RUNC_TRACE_PIN_DIR" >"$RUNC_TRACE_CONFIG"
mkfifo silence
exec 3<>silence # standard input of containers: nothing, and no end
make_root_file_systems
make_bundles

say "Load the programs. They stay in the kernel, with all recordings, and need no process."
shown 'tracectl load --recordings 16 --identities 64'
promise '^loaded below'
[[ $output != *adopted* ]] || fail "it adopted containers of the machine"
labels
terminated
recovered
loaded
printf '\n# All as promised.\n'
