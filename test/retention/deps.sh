#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Installs the servers that bench-retention runs, if they are missing (Debian).
set -eu

need=""
command -v redis-benchmark >/dev/null || need="$need redis-server redis-tools"
command -v nginx >/dev/null || need="$need nginx-light"
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || need="$need postgresql"
[ -x /usr/bin/python3 ] || need="$need python3"
command -v node >/dev/null || need="$need nodejs"
command -v javac >/dev/null || need="$need default-jdk-headless"
command -v memcached >/dev/null || need="$need memcached"
[ -n "$need" ] || exit 0
echo "installing$need"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $need >/dev/null
