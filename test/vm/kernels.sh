# SPDX-License-Identifier: Apache-2.0
#
# run.sh sources this file. It fetches Debian's kernels, and the busybox to run on them, with a private configuration
# of apt that has only mirrors, proxies and keys in common with the machine's own. Packages are unpacked below $VM_DIR;
# nothing is installed.

# mirror prints the address of the suite with the label $1 in its Release file, from the machine's own apt.
mirror() {
	local uri
	uri=$(env -u APT_CONFIG apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' "Label: $1" | sed -n 1p)
	[[ $uri ]] || fail "apt knows no mirror of $1: add one to its sources, and run apt-get update"
	echo "$uri"
}

# prepare_apt gives apt a state of its own, with the packages of all Debian suites for the given architectures.
prepare_apt() {
	local apt=$VM_DIR/apt debian security suite
	debian=$(mirror Debian)
	security=$(mirror Debian-Security)
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	{
		for suite in bullseye bookworm trixie trixie-backports sid; do
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $debian $suite main"
		done
		for suite in bullseye bookworm trixie; do
			echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $security $suite-security main"
		done
	} >"$apt/sources.list"
	cat >"$apt/apt.conf" <<-EOF
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State::lists "$apt/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$apt/cache";
		APT::Architectures { $(printf '"%s"; ' "$@")};
		APT::Sandbox::User "root";
		Acquire::Languages "none";
	EOF
	export APT_CONFIG=$apt/apt.conf
	# A suite that has left the mirrors must not stop the others: only tests of its kernels fail.
	apt-get update -qq || echo "some of Debian's suites could not be read" >&2
}

# unpack downloads a package (name:arch, name:arch=version or name:arch/suite) and unpacks it into a new directory.
unpack() {
	local package=$1 to=$2
	rm -rf "$to" "$to.deb" && mkdir -p "$to.deb" || return
	(cd "$to.deb" && apt-get download -qq "$package") >"$to.log" 2>&1 || { cat "$to.log" >&2; return 1; }
	dpkg-deb -x "$to.deb"/*.deb "$to" && rm -r "$to.deb" "$to.log"
}

# kernel_version prints Debian's newest version of the series $2 (6.1, or newest for all) for an architecture.
kernel_version() {
	local arch=$1 series=$2 version newest=
	for version in $(apt-cache show "linux-image-cloud-$arch:$arch" | sed -n 's/^Version: //p'); do
		[[ $series = newest || $version = "$series".* ]] || continue
		if [[ -z $newest ]] || dpkg --compare-versions "$version" gt "$newest"; then
			newest=$version
		fi
	done
	[[ $newest ]] || { echo "Debian has no kernel $series for $arch" >&2; return 1; }
	echo "$newest"
}

# fetch_kernel stores the image of a version as $VM_DIR/kernels/ARCH-VERSION/vmlinuz.
fetch_kernel() {
	local arch=$1 version=$2 dir=$VM_DIR/kernels/$1-$2 package
	[[ ! -e $dir/vmlinuz ]] || return 0
	mkdir -p "$dir"
	# The package that this one depends on has the ABI in its name. Since 7.3, the image is in a further package.
	package=$(apt-cache show "linux-image-cloud-$arch:$arch=$version" |
		sed -n "s/^Depends:.*\(linux-image-[0-9][^ ]*-cloud-$arch\).*/\1/p")
	if apt-cache show "${package/image/binary}:$arch" >/dev/null 2>&1; then
		package=${package/image/binary}
	fi
	unpack "$package:$arch" "$dir/package" || return
	find "$dir/package" -name 'vmlinu[xz]*' -type f -exec cp {} "$dir/vmlinuz.part" ';'
	rm -r "$dir/package"
	mv "$dir/vmlinuz.part" "$dir/vmlinuz"
}

# fetch_busybox stores the busybox of an architecture as $VM_DIR/busybox-ARCH.
fetch_busybox() {
	local arch=$1 to=$VM_DIR/busybox-$1
	[[ ! -e $to ]] || return 0
	unpack "busybox-static:$arch/trixie" "$to.package" || return
	find "$to.package" -name busybox -type f -perm -u=x -exec cp {} "$to" ';'
	rm -r "$to.package"
}
