# SPDX-License-Identifier: Apache-2.0
# Many short processes.
n=0
while [ $n -lt 40 ]; do
	/bin/true
	n=$((n + 1))
done
