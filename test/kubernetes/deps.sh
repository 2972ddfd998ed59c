#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the Debian packages that the Kubernetes tests need, if they are missing. Nothing is started.
exec sh "$(dirname "$0")/../machine/debian.sh" etcd-server containernetworking-plugins runc busybox-static bash-static iproute2
