#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# suite.sh VERSION DIRECTORY makes a version of runc's integration suite in DIRECTORY, ready to run: the files of
# its module, runc and the test programs built from them, and images made of this machine's programs instead of the
# images that the suite would download.
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
cd "$directory" # outside of any module, so that runc's dependencies are its own

module=$(GOFLAGS=-mod=mod go mod download -json "github.com/opencontainers/runc@$version" | jq -r .Dir)
cp -r "$module" runc
chmod -R u+w runc
rm -rf runc/vendor # has a list of modules, but not the modules
find runc -name '*.sh' -exec chmod +x {} + # module files lose these bits
cd runc
targets=all
[ ! -d tests/cmd ] || targets="runc test-binaries" # since 1.2
# shellcheck disable=SC2086
CGO_ENABLED=1 make BUILDTAGS=seccomp COMMIT="$version" $targets >../make.log 2>&1 || { cat ../make.log >&2; exit 1; }
cd ..

# In the replacement for the busybox image every applet is a file. The replacement for the Debian image also has
# some programs of this machine with their libraries, and mount points that the other does not have.
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

# The suite does not wait until its console receiver is ready: sometimes a container starts too early for it.
sed -i 's|^\tsetup_recvtty$|&\n\tretry 100 0.1 [ -S "$CONSOLE_SOCKET" ]|' runc/tests/integration/helpers.bash
grep -q 'CONSOLE_SOCKET" \]' runc/tests/integration/helpers.bash

# crun cannot load device rules if it may not raise a limit (CAP_SYS_RESOURCE), so its containers have none.
cat >>runc/tests/integration/helpers.bash <<'END'

if [ -v WITHOUT_DEVICES ]; then
	function runc_spec() {
		runc spec
		update_config 'del(.linux.resources)'
	}
fi
END
echo "$recipe" >made
