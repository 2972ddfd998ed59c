#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the tests of this directory on a virtual machine: Debian 12 with systemd and only cgroup v2, in QEMU, which
# emulates in software. Needs root and Debian.
#
#	run.sh [FLAGS]
#
# FLAGS are those of the test binary, such as -test.run=REGEXP. Prints the tests that passed, or the whole log if
# one failed. The exit status is 0 if all passed, 1 if one failed or the machine did not shut down, 2 if nothing
# could be run. The root file system is made once and kept. A failed run leaves its console, journals and results in
# /var/cache/runc-trace-e2e/systemd.
set -euo pipefail
cd "$(dirname "$0")/../.."

here=test/systemd
cache=/var/cache/runc-trace-e2e
out=$cache/systemd
# Time limit of the machine, in seconds.
limit=${VM_TIMEOUT:-3600}

fail() {
	echo "$*" >&2
	exit 2
}

# shellcheck source=test/vm/kernels.sh
. test/vm/kernels.sh
# shellcheck source=test/systemd/image.sh
. "$here/image.sh"

# require installs the Debian package $2 if the command $1 is missing.
require() {
	command -v "$1" >/dev/null && return
	echo "installing $2"
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$2" >/dev/null 2>&1 ||
		fail "installing $2 failed: run apt-get install $2"
}

# build_disk puts the programs and the tests on a disk of their own. The tests write their results there, too.
build_disk() {
	local root=$out/disk
	mkdir -p "$root/bin"
	CGO_ENABLED=0 go test -c -o "$root/systemd.test" ./$here
	make -s build BIN="$root/bin"
	cp "$here/boot" "$root/"
	sh test/engines/build.sh crictl
	cp "$(printf '%s\n' "$cache"/crictl-*/bin/crictl | sort -V | tail -n 1)" "$root/bin/"
	echo "$*" >"$root/flags"
	mke2fs -q -t ext4 -O ^has_journal -d "$root" "$out/disk.ext4" 512M
	rm -r "$root"
}

# machine runs the machine from power-on to power-off, with a reboot in between. It does not write to the root file
# system.
machine() {
	# One thread for both CPUs: see test/vm/run.sh.
	timeout "$limit" qemu-system-x86_64 -M q35 -cpu max,la57=off -accel tcg,thread=single -smp 2 -m 3G \
		-nodefaults -display none -serial "file:$out/console" -serial "file:$out/results.raw" \
		-drive "id=root,file=$image.ext4,format=raw,if=none,snapshot=on" -drive "id=test,file=$out/disk.ext4,format=raw,if=none" \
		-device nvme,id=nvme,serial=0 -device nvme-ns,bus=nvme,drive=root -device nvme-ns,bus=nvme,drive=test \
		-kernel "$image.vmlinuz" \
		-append "console=ttyS0 root=/dev/nvme0n1 rw panic=-1 oops=panic loglevel=4 mitigations=off apparmor=0 systemd.show_status=0" \
		</dev/null >"$out/qemu" 2>&1
}

[[ $(id -u) = 0 ]] || fail "a root file system is made by root: run this as root"
command -v apt-get >/dev/null || fail "missing: apt-get, by which the machine's packages are fetched: run this on Debian"
require qemu-system-x86_64 qemu-system-x86
require mmdebstrap mmdebstrap
require mke2fs e2fsprogs

image=$cache/systemd-$(sha256sum "$here/image.sh" | cut -c1-12)
rm -rf "$out"
mkdir -p "$out"
if [[ ! -e $image.ext4 ]]; then
	echo "making the machine's root file system"
	rm -rf "$cache"/systemd-*
	build_image "$image"
fi
build_disk "$@"

begin=$SECONDS
status=0
machine || status=$?
tr -d '\r' <"$out/results.raw" >"$out/results"
debugfs -R "rdump / $out" "$out/disk.ext4" 2>/dev/null
if [[ $status = 0 ]] && grep -q '^@@END 2 0$' "$out/results" && ! grep -q '^ *--- \(FAIL\|SKIP\)' "$out/results"; then
	grep -E '^ *--- PASS|^@@' "$out/results"
	echo "all passed; the machine ran for $((SECONDS - begin)) s"
	rm -r "$out"
	exit 0
fi
cat "$out/results"
echo "failed after $((SECONDS - begin)) s (QEMU's exit status: $status): see $out/{results,console,qemu,journal-*}" >&2
exit 1
