#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the licences of Go, and of all modules that are linked into the programs for $GOARCH.
set -eu
export LC_ALL=C
cd "$(dirname "$0")/../.."

printf 'runc-trace and tracectl contain these Go modules, under these licences.\n'
{
	echo "Go $(go env GOVERSION) $(go env GOROOT)"
	go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/runc-trace ./cmd/tracectl | sort -u
} | while read -r path version dir; do
	for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE*; do
		[ ! -f "$file" ] || { printf '\n==== %s %s: %s ====\n\n' "$path" "$version" "${file##*/}" && cat "$file"; }
	done
done
