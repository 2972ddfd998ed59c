# SPDX-License-Identifier: Apache-2.0
# Pipelines, redirections, subshells, background jobs, a trap.
trap 'echo trapped' USR1
ls /usr/share/doc | sort | head -20 | while read -r name; do echo "$name" | wc -c; done | sort -n | tail -3
(cat /etc/passwd; echo done) | grep -c o >/tmp/count
cat /tmp/count /missing 2>&1 | tr a-z A-Z
sleep 0.05 &
kill -USR1 $$
wait
mkdir -p /tmp/a/b && mv /tmp/count /tmp/a/b/ && ln -s b /tmp/a/link && readlink /tmp/a/link
sh -c 'kill -TERM $$'
sh -c 'exit 7'
exit 3
