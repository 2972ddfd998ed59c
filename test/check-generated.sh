#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Generates everything again, and fails if that changes a file. A change is left in place to be committed.
set -eu
cd "$(dirname "$0")/.."

hashes() {
	find bpf pkg test install docs -type f \( -name 'zz_*' -o -name '*_bpfel.*' -o -name config.toml -o -path 'docs/man/*' \
		-o -path 'pkg/report/page/*' \) |
		LC_ALL=C sort | xargs sha256sum
}

before=$(hashes)
go generate ./...
after=$(hashes)
if [ "$before" != "$after" ]; then
	echo "generated files were not up to date: commit what 'make generate' changed:" >&2
	printf '%s\n%s\n' "$before" "$after" | LC_ALL=C sort | uniq -u | awk '{print "  " $2}' | LC_ALL=C sort -u >&2
	exit 1
fi
