#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the kernel tests of pkg/bpf, and tracectl load, on Debian's kernels instead of the machine's own. They run in
# QEMU, which emulates in software and needs no rights.
#
#	run.sh [-run REGEXP] [ARCH/SERIES...]
#
# SERIES is a kernel's, as in amd64/6.1, or "newest". VM_JOBS machines run at a time, one for each CPU if it is not set.
# Prints a line for each kernel, and the output of failed tests. The exit status is 0 if all passed, 1 if a test failed,
# 2 if something could not be run at all. Downloads and builds stay in VM_DIR.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=test/vm
export VM_DIR=${VM_DIR:-${XDG_CACHE_HOME:-/tmp}/runc-trace-vm}
all="amd64/5.10 amd64/6.1 amd64/6.12 amd64/newest arm64/6.12"
# An older kernel than the programs need: tracectl load has to refuse it.
unsupported="5.10"
# CPUs of a machine. Some maps are divided among all that could be plugged in.
cpus=16,maxcpus=64
# Time limit of a machine, in seconds. If it is reached, the tests say where they are.
limit=${VM_TIMEOUT:-7200}
# How many times longer than on a real machine tests wait for anything: see test/patience.
patience=10
jobs=${VM_JOBS:-$(nproc)}

# shellcheck source=test/vm/kernels.sh
. "$here/kernels.sh"

fail() {
	echo "$*" >&2
	exit 2
}

# machine sets the variables of an architecture: the command that emulates it, its package, the console's name.
machine() {
	case $1 in
	amd64)
		# Cmpxchg16b must stay on: without it a 7.3 kernel gives tasks no storage, and nothing is recorded.
		qemu="qemu-system-x86_64 -M q35 -cpu max,la57=off" package=qemu-system-x86 console=ttyS0
		;;
	arm64)
		qemu="qemu-system-aarch64 -M virt,gic-version=3 -cpu max,pauth-impdef=on" package=qemu-system-arm console=ttyAMA0
		;;
	*) fail "kernels are tested for amd64 and arm64, not for $1" ;;
	esac
}

# require installs the Debian package $2 if the command $1 is missing.
require() {
	command -v "$1" >/dev/null && return
	[[ $(id -u) = 0 ]] || fail "missing: $1 (Debian's package $2): install it, or run this as root"
	echo "installing $2"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >/dev/null 2>&1 ||
		fail "installing $2 failed: run apt-get install $2"
}

# build_initramfs makes the initramfs of an architecture: busybox, tracectl, and the tests with files that they read.
build_initramfs() {
	local arch=$1 root=$VM_DIR/root-$1
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,source,sys,tmp}
	cp "$here/init" "$root/init"
	cp "$VM_DIR/busybox-$arch" "$root/bin/busybox"
	cp --parents docs/security.md pkg/bpf/*.o "$root/source"
	CGO_ENABLED=0 GOARCH=$arch go test -c -o "$root/bin/bpf.test" ./pkg/bpf
	CGO_ENABLED=0 GOARCH=$arch go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$root/bin/tracectl" ./cmd/tracectl
	chmod 0755 "$root/init" "$root/bin"/*
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$VM_DIR/initramfs-$arch"
}

# boot starts a machine, which writes its output to the given file.
boot() {
	local arch=$1 version=$2 expect=$3 to=$4
	machine "$arch"
	# All CPUs in one thread: with one thread each, a 7.3 kernel in QEMU 7.2 panics in int3 when a tracepoint is toggled.
	# No watchdog: a CPU whose turn does not come on a busy machine is not stuck.
	# The kernel gives what it does not know to /init, as variables.
	# shellcheck disable=SC2086
	timeout $((limit + 60)) nice -n 10 $qemu -accel tcg,thread=single -smp $cpus -m 3G \
		-nodefaults -display none -no-reboot -serial "file:$to.raw" \
		-kernel "$VM_DIR/kernels/$arch-$version/vmlinuz" -initrd "$VM_DIR/initramfs-$arch" \
		-append "console=$console panic=-1 oops=panic loglevel=3 mitigations=off nowatchdog expect=$expect pattern=$pattern \
			limit=$limit RUNC_TRACE_TEST_PATIENCE=$patience" </dev/null >"$to.qemu" 2>&1 &
	running[$!]=$arch/$series names[$!]="$arch $version" began[$!]=$SECONDS
}

# finish waits until a machine ends, and reports its result.
finish() {
	local pid= kernel output
	wait -n -p pid || true
	kernel=${running[$pid]}
	unset "running[$pid]"
	output=$VM_DIR/console-${kernel/\//-}
	tr -d '\r' <"$output.raw" >"$output"
	rm "$output.raw"
	report "${names[$pid]}" "$output" $((SECONDS - began[$pid])) || [[ $status = 2 ]] || status=1
}

# failures prints the first lines of the output of each failed test, and of a panic outside of tests.
failures() {
	awk -v most=60 -v file="$1" '
		function flush(i) {
			for (i = 1; bad && i <= n; i++)
				if (i <= most || i == n) print "    " lines[i]
				else if (i == most + 1) print "    ... " n - most - 1 " more lines in " file
			n = bad = 0
		}
		/^=== RUN +[^\/]*$/ { flush() }
		/^(PASS|FAIL)$/ { flush(); next }
		/^@@/ { next }
		/^ *--- FAIL|^panic:|^fatal error:/ { bad = 1 }
		{ lines[++n] = $0 }
		END { flush() }
	' "$1"
}

# report prints the result of a machine, and returns an error if a test failed.
report() {
	local name=$1 output=$2 seconds=$3 passed failed skipped
	passed=$(grep -c '^--- PASS' "$output") || true
	failed=$(grep -c '^--- FAIL' "$output") || true
	skipped=$(grep -c '^--- SKIP' "$output") || true
	if ! grep -q '^@@END' "$output"; then
		echo "$name: did not end: $passed passed, $failed failed before (${seconds}s); the last of $output:"
		tail -n 40 "$output" "$output.qemu" | sed 's/^/    /'
		return 1
	fi
	echo "$name: $passed passed, $failed failed, $skipped skipped (${seconds}s)"
	grep -q '^@@END 0' "$output" && [[ $failed = 0 && $passed != 0 ]] && return
	failures "$output"
	return 1
}

pattern=
if [[ ${1:-} = -run ]]; then
	pattern=-test.run=${2:?a regular expression}
	shift 2
fi
kernels=${*:-$all}
arches=$(for kernel in $kernels; do echo "${kernel%%/*}"; done | sort -u)

command -v apt-get >/dev/null || fail "missing: apt-get, with which Debian's kernels are fetched: run this on Debian"
mkdir -p "$VM_DIR/kernels"
for arch in $arches; do
	machine "$arch"
	require "${qemu%% *}" "$package"
done
require busybox busybox-static
# shellcheck disable=SC2086
prepare_apt $arches
for arch in $arches; do
	fetch_busybox "$arch" || fail "fetching busybox for $arch failed"
	build_initramfs "$arch"
done

status=0
declare -A running=() names=() began=()
# shellcheck disable=SC2046
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for kernel in $kernels; do
	arch=${kernel%%/*} series=${kernel#*/}
	expect=tests
	[[ " $unsupported " != *" $series "* ]] || expect=refusal
	if ! version=$(kernel_version "$arch" "$series") || ! fetch_kernel "$arch" "$version"; then
		status=2
		continue
	fi
	((${#running[@]} < jobs)) || finish
	boot "$arch" "$version" "$expect" "$VM_DIR/console-$arch-$series"
done
while ((${#running[@]})); do
	finish
done
exit $status
