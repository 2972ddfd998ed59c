# SPDX-License-Identifier: Apache-2.0
python3 -m http.server -b 127.0.0.1 -d /usr/share/doc/bash 8000 2>/dev/null &
server=$!
curl -s --retry 50 --retry-connrefused --retry-delay 1 -o /tmp/list http://127.0.0.1:8000/
curl -s -o /tmp/a -o /tmp/b http://127.0.0.1:8000/copyright http://127.0.0.1:8000/missing
curl -s -m 1 http://127.0.0.1:9/
curl -s http://unresolvable.invalid/
kill $server
wait
