#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs Debian's container engines and other missing packages that the engine tests need. It starts no engine.
exec sh "$(dirname "$0")/../machine/debian.sh" containerd docker.io podman crun runc containernetworking-plugins conmon skopeo make busybox-static libseccomp-dev pkg-config gcc libc6-dev
