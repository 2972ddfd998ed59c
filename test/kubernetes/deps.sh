#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs missing Debian packages that the Kubernetes tests need. It starts no services.
exec sh "$(dirname "$0")/../machine/debian.sh" etcd-server containernetworking-plugins runc busybox-static bash-static iproute2
