# SPDX-License-Identifier: Apache-2.0
cd /tmp
redis-server --port 7000 --bind 127.0.0.1 --dir /tmp --appendonly yes --save '' >/tmp/redis.log &
n=0
until redis-cli -p 7000 ping >/dev/null 2>&1 || [ $n -gt 200 ]; do sleep 0.1; n=$((n + 1)); done
redis-cli -p 7000 set key value
redis-cli -p 7000 eval 'for i = 1, 100 do redis.call("lpush", "list", i) end return redis.call("llen", "list")' 0
redis-cli -p 7000 save
redis-cli -p 7000 bgsave
redis-cli -p 7000 shutdown
wait
