#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh VERSION DIRECTORY makes the integration suite of a version of runc there, ready to run: its module's
# files, runc and the tests' own programs built from them, and images made of this machine's programs, instead of those
# that the suite would download.
set -eu

version=$1 directory=$2
recipe=$(sha256sum <"$0")
exec 9>"$directory.lock"
flock 9
if [ -e "$directory/made" ] && [ "$(cat "$directory/made")" = "$recipe" ]; then
	exit 0
fi
[ "$(id -u)" = 0 ] || { echo "the suite makes containers: run this as root" >&2; exit 2; }
echo "making runc $version and its tests in $directory"
rm -rf "$directory"
mkdir -p "$directory/image"
cd "$directory" # of no module: what runc needs is its own business

module=$(GOFLAGS=-mod=mod go mod download -json "github.com/opencontainers/runc@$version" | jq -r .Dir)
cp -r "$module" runc
chmod -R u+w runc
rm -rf runc/vendor # a list of modules, without them
find runc -name '*.sh' -exec chmod +x {} + # a module's files have no such bits
cd runc
targets=all
[ ! -d tests/cmd ] || targets="runc test-binaries" # from 1.2
# shellcheck disable=SC2086
CGO_ENABLED=1 make BUILDTAGS=seccomp COMMIT="$version" $targets >../make.log 2>&1 || { cat ../make.log >&2; exit 1; }
cd ..

# In the image that stands for busybox's every applet is a file. The one that stands for Debian's has some programs of
# this machine besides, with what they need, and mount points, which the other has not.
mkdir -p image/bin image/dev image/etc image/root image/home image/var image/usr/bin image/usr/sbin
mkdir -m 1777 image/tmp
echo 'root:x:0:0:root:/root:/bin/sh' >image/etc/passwd
echo 'root:x:0:' >image/etc/group
cp /bin/busybox image/bin
for applet in $(/bin/busybox --list); do
	[ "$applet" = busybox ] || ln image/bin/busybox "image/bin/$applet"
done
tar -C image -cf busybox.tar .
mkdir image/proc image/sys
for program in bash cat chrt findmnt ionice ldconfig mount stat umount; do
	path=$(command -v "$program")
	for file in "$path" $(ldd "$path" | grep -o '/[^ ]*' || true); do
		mkdir -p "image$(dirname "$file")"
		rm -f "image$file" "image/bin/$program"
		cp -L "$file" "image$file"
	done
done
tar -C image -cf debian.tar .
rm -rf image
cat >runc/tests/integration/get-images.sh <<END
#!/bin/sh
echo BUSYBOX_IMAGE=$directory/busybox.tar
echo DEBIAN_IMAGE=$directory/debian.tar
END

# The suite does not wait for the receiver of consoles that it starts: now and then a container comes too early for it.
sed -i 's|^\tsetup_recvtty$|&\n\tretry 100 0.1 [ -S "$CONSOLE_SOCKET" ]|' runc/tests/integration/helpers.bash
grep -q 'CONSOLE_SOCKET" \]' runc/tests/integration/helpers.bash

# crun loads no rules for devices if it may not raise a limit (CAP_SYS_RESOURCE): it gets containers without any.
cat >>runc/tests/integration/helpers.bash <<'END'

if [ -v WITHOUT_DEVICES ]; then
	function runc_spec() {
		runc spec
		update_config 'del(.linux.resources)'
	}
fi
END
echo "$recipe" >made
