# SPDX-License-Identifier: Apache-2.0
mkdir -p /var/log/nginx /var/lib/nginx
nginx -c /srv/nginx.conf &
curl -s --retry 50 --retry-connrefused --retry-delay 1 -o /tmp/index http://127.0.0.1:8000/
curl -s -o /tmp/copyright http://127.0.0.1:8000/copyright
curl -s -o /tmp/missing http://127.0.0.1:8000/missing
curl -s -r 10-20 -H 'Accept-Encoding: gzip' -o /tmp/range http://127.0.0.1:8000/copyright
kill $!
wait
