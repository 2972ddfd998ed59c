#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs what the tests with Kubernetes need of Debian, where it is missing. Nothing is started.
exec sh "$(dirname "$0")/../machine/debian.sh" etcd-server containernetworking-plugins runc busybox-static bash-static iproute2
