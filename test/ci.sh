#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs all tests of CI, for `make ci`, and prints the longest durations. Engines of `make e2e` that are missing are built
# while other tests run.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
export RUNC_TRACE_TIMES=$work/times RUNC_TRACE_FAILED=$work/failed
engines=
failed=
# end prints the longest durations, and then the step that failed, with the messages of its failed tests. If the step
# failed without a message, its own output stays the last. The exit code is the step's, even if no process reads the
# output.
end() {
	code=$?
	trap '' PIPE
	set +e
	[ -z "$engines" ] || kill -- "-$engines" 2>/dev/null
	if [ "$code" = 0 ] || [ -s "$RUNC_TRACE_FAILED" ]; then
		printf '\nlongest durations:\n'
		sort -rn "$RUNC_TRACE_TIMES" | sed -n 1,30p
	fi
	if [ "$code" != 0 ]; then
		printf '\nfailed: %s\n' "${failed:-$0}"
		[ ! -s "$RUNC_TRACE_FAILED" ] || cat "$RUNC_TRACE_FAILED"
	fi
	rm -rf "$work"
	exit "$code"
}
trap end EXIT

# step NAME COMMAND...
step() {
	local name=$1 began=$SECONDS code=0
	shift
	"$@" || code=$?
	printf '%7.1f s  step: %s\n' $((SECONDS - began)) "$name" >>"$RUNC_TRACE_TIMES"
	[ "$code" = 0 ] || failed=$name
	return "$code"
}

# First of all, so that no two steps install packages at the same time.
step "packages of Debian" sh -c 'sh test/deps.sh && sh test/engines/deps.sh && sh test/conformance/deps.sh'
set -m # the engines' build has a process group of its own
nice -n 19 sh test/engines/build.sh >"$work/engines" 2>&1 &
engines=$!
set +m

step "make test" make --no-print-directory test
step "make demo" make --no-print-directory demo
step "waiting for engines to be built" wait "$engines" || {
	cat "$work/engines"
	exit 1
}
engines=
cat "$work/engines"
step "make e2e" make --no-print-directory e2e
step "make conformance-quick" make --no-print-directory conformance-quick
