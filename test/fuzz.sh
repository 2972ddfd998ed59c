#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target of the project, from the seeds in its testdata, as often or as long as is said. A number of runs is
# better: go test may fail of its own deadline where a time ends while it is busy.
set -eu
cd "$(dirname "$0")/.."

runs=${1:-100000x}
grep -rl --include='*_test.go' '^func Fuzz' cmd pkg | while read -r file; do
	sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file" | while read -r target; do
		echo "fuzz $(dirname "$file") $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$runs" "./$(dirname "$file")" >/tmp/fuzz.$$ 2>&1 || {
			cat /tmp/fuzz.$$
			rm -f /tmp/fuzz.$$
			exit 1
		}
		tail -n 1 /tmp/fuzz.$$
		rm -f /tmp/fuzz.$$
	done
done
