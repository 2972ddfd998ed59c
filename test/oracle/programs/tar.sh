# SPDX-License-Identifier: Apache-2.0
set -e
cd /tmp
tar czf docs.tgz -C /usr/share/doc bash tar
mkdir out && tar xzpf docs.tgz -C out
tar tvf docs.tgz >list
cp -a out copy && rm -r out
