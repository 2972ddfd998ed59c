#!/bin/sh
# Sockets of many kinds, their options, and a terminal.
cd /tmp || exit 1
socat -u UNIX-LISTEN:/tmp/stream,fork STDOUT &
socat -u UDP4-RECV:8020,ip-add-membership=239.1.1.1:127.0.0.1,reuseaddr STDOUT &
socat -u UDP6-RECV:8021 STDOUT &
socat TCP6-LISTEN:8022,reuseaddr,keepalive,keepidle=5,nodelay,fork PIPE &
socat ABSTRACT-LISTEN:name,fork PIPE &
socat -u UNIX-RECV:/tmp/datagram STDOUT &
sleep 0.5
echo one | socat -u - UNIX-CONNECT:/tmp/stream
echo two | socat -u - UDP4-DATAGRAM:239.1.1.1:8020,ip-multicast-if=127.0.0.1,ip-multicast-ttl=2
echo three | socat -u - 'UDP6-SENDTO:[::1]:8021'
echo four | socat -t0.3 - 'TCP6:[::1]:8022,linger=1'
echo five | socat -t0.3 - ABSTRACT-CONNECT:name
echo six | socat -u - UNIX-SENDTO:/tmp/datagram
socat -u OPEN:/etc/hostname,rdonly CREATE:/tmp/copy,mode=600
socat - VSOCK-CONNECT:1:99 </dev/null
socat -t0.2 -u EXEC:'echo seven',pty,stderr,setsid,ctty,crnl STDOUT
socat - INTERFACE:lo </dev/null
socat -t0.2 - IP4:127.0.0.1:99 </dev/null
sleep 0.3
pkill -P $$ socat
wait
