#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# run.sh sources this file. It makes the machine's root file system, Debian 12 with Debian's engines, and its
# kernel.

# build_image writes $1.ext4 and $1.vmlinuz. It takes a minute or two.
build_image() {
	local to=$1 root=$1.root debian security
	debian=$(mirror Debian)
	security=$(mirror Debian-Security)
	rm -rf "$root"
	# The kernel depends on a package that makes an initramfs. None is needed: the drivers for the root are built
	# in.
	nice mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--include=systemd-sysv,dbus,udev,kmod,iproute2,procps,busybox-static \
		--include=containerd,docker.io,podman,crun,runc,linux-image-cloud-amd64,tiny-initramfs \
		bookworm "$root" "deb $debian bookworm main" "deb $debian bookworm-updates main" "deb $security bookworm-security main" ||
		fail "making Debian's root file system failed"
	furnish "$root"
	cp "$root/vmlinuz" "$to.vmlinuz"
	rm "$root"/boot/{System.map,initrd,vmlinuz}* "$root"/{vmlinuz,initrd.img}*
	mke2fs -q -t ext4 -O ^has_journal -d "$root" "$to.part" 3G
	rm -rf "$root"
	mv "$to.part" "$to.ext4"
}

# furnish configures a root file system: the engines as on a Kubernetes node, without services that only take time.
furnish() {
	local root=$1 unit name
	for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
		systemd-pstore.service systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-binfmt.service \
		systemd-tmpfiles-clean.timer ldconfig.service \
		getty.target sys-kernel-config.mount dev-hugepages.mount \
		podman-auto-update.service podman-auto-update.timer podman-restart.service podman.service podman.socket; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	echo machine >"$root/etc/hostname"
	echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
	echo '/dev/nvme0n2 /test ext4 defaults 0 0' >"$root/etc/fstab"
	mkdir -p "$root"/{test,etc/docker,etc/systemd/system.conf.d} "$root"/var/lib/rootfs/{bin,dev,etc,proc,sys,tmp}
	# Runtimes report an error if a device that they allow does not exist.
	echo tun >"$root/etc/modules-load.d/tun.conf"
	# The first programs of containers ignore SIGTERM.
	printf '[Manager]\nDefaultTimeoutStopSec=10s\n' >"$root/etc/systemd/system.conf.d/timeout.conf"

	cat >"$root/etc/containerd/config.toml" <<-END
		# As on a node, with the systemd cgroup driver.
		version = 2

		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "localhost/busybox:test" # used as pause

		  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		    runtime_type = "io.containerd.runc.v2"

		    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
		      SystemdCgroup = true
	END
	printf 'runtime-endpoint: unix:///run/containerd/containerd.sock\ntimeout: 180\n' >"$root/etc/crictl.yaml"
	printf '{\n  "bridge": "none",\n  "iptables": false\n}\n' >"$root/etc/docker/daemon.json"

	# The containers' root: busybox with a file for each of its names.
	cp "$root/bin/busybox" "$root/var/lib/rootfs/bin/busybox"
	for name in $("$root/bin/busybox" --list); do
		[[ $name = busybox ]] || ln "$root/var/lib/rootfs/bin/busybox" "$root/var/lib/rootfs/bin/$name"
	done
	echo 'root:x:0:0:root:/:/bin/sh' >"$root/var/lib/rootfs/etc/passwd"

	cat >"$root/etc/systemd/system/test.service" <<-END
		[Unit]
		Description=Tests
		After=basic.target docker.service boot-containerd.service boot-podman.service
		RequiresMountsFor=/test

		[Service]
		Type=oneshot
		Environment=HOME=/root
		ExecStart=/bin/sh /test/boot
		TimeoutStartSec=infinity

		[Install]
		WantedBy=multi-user.target
	END
	# The tests leave scripts that start containers at the next boot: one as the kubelet does, the other as a user's
	# unit.
	for unit in boot-containerd boot-podman; do
		cat >"$root/etc/systemd/system/$unit.service" <<-END
			[Unit]
			Description=Containers at boot
			RequiresMountsFor=/test
			ConditionPathExists=/test/$unit
			$([[ $unit != boot-containerd ]] || echo After=containerd.service)

			[Service]
			Type=oneshot
			RemainAfterExit=yes
			Environment=HOME=/root
			ExecStart=/bin/sh -e /test/$unit
			TimeoutStartSec=infinity

			[Install]
			WantedBy=multi-user.target
		END
	done
	for unit in test boot-containerd boot-podman; do
		ln -s "../$unit.service" "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
	done
}
