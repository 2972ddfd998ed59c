#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Builds the page of reports from web/src into pkg/report/page. esbuild is the one that go.mod names, so the same sources
# give the same bytes on each machine.
set -eu
cd "$(dirname "$0")"
banner="/* SPDX-License-Identifier: Apache-2.0 */"
go tool esbuild src/page.ts --bundle --minify --format=iife --target=chrome103,firefox113,safari16.4 \
	--charset=ascii --log-level=warning --banner:js="$banner" --outfile=../pkg/report/page/page.js
go tool esbuild src/page.css --minify --target=chrome111,firefox113,safari16.4 \
	--charset=ascii --log-level=warning --banner:css="$banner" --outfile=../pkg/report/page/page.css
