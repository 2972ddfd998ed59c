#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs every fuzz target of the project from the seeds in its testdata, for a number of runs or for a time. Prefer a
# number of runs: if the time ends while a target is busy, go test may fail with its own deadline.
set -eu
cd "$(dirname "$0")/.."

runs=${1:?how often, such as 10000x}
output=$(mktemp)
trap 'rm -f "$output"' EXIT
grep -r --include='*_test.go' '^func Fuzz' cmd pkg | sed 's/^\(.*\)\/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*/\1 \2/' | sort |
	while read -r package target; do
		began=$(date +%s)
		go test -vet=off -run '^$' -fuzz "^$target\$" -fuzztime "$runs" "./$package" >"$output" 2>&1 || {
			cat "$output"
			exit 1
		}
		echo "fuzz $package $target: $(tail -n 1 "$output")"
		[ -z "${RUNC_TRACE_TIMES:-}" ] ||
			printf '%7.1f s  %s %s, fuzzed\n' $(($(date +%s) - began)) "$package" "$target" >>"$RUNC_TRACE_TIMES"
	done
