#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target of the project for the time given, from the seeds in its testdata.
set -eu
cd "$(dirname "$0")/.."

time=${1:-5s}
grep -rl --include='*_test.go' '^func Fuzz' cmd pkg | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r target; do
		echo "fuzz $(dirname "$file") $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" >/tmp/fuzz.$$ 2>&1 || {
			cat /tmp/fuzz.$$
			rm -f /tmp/fuzz.$$
			exit 1
		}
		tail -n 1 /tmp/fuzz.$$
		rm -f /tmp/fuzz.$$
	done
done
