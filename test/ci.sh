#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# All that CI runs, for `make ci`: it prints what took longest, in the end. The engines of `make e2e` are built, where they
# are missing, while other tests run.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
export RUNC_TRACE_TIMES=$work/times
engines=
end() {
	code=$?
	[ -z "$engines" ] || kill -- "-$engines" 2>/dev/null || true
	if [ -s "$RUNC_TRACE_TIMES" ]; then
		echo
		echo "what took longest:"
		sort -rn "$RUNC_TRACE_TIMES" | head -n 30
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
	return "$code"
}

# Before anything else installs packages beside them.
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
