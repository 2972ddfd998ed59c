#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the container engines of Debian and what the engines' tests need, where it is missing. No engine is started.
exec sh "$(dirname "$0")/../machine/debian.sh" containerd docker.io podman crun runc containernetworking-plugins conmon skopeo make busybox-static libseccomp-dev pkg-config gcc libc6-dev
