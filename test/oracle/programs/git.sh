# SPDX-License-Identifier: Apache-2.0
set -e
cd /tmp && git init -q -b main work && cd work
git config user.email oracle@example.org && git config user.name oracle
for n in 1 2 3; do echo "line $n" >>file && git add file && git commit -q -m "change $n"; done
git checkout -q -b other && echo other >other && git add other && git commit -q -m other
git checkout -q main && git merge -q --no-ff -m merge other
git log --oneline | cat
git gc -q
git clone -q /tmp/work /tmp/copy
