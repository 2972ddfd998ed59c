#!/bin/sh
# Applets of busybox, which make calls of their own: interfaces, routes, mounts, clocks, terminals, attributes, IPC.
cd /tmp || exit 1
while read -r applet; do
	# shellcheck disable=SC2086
	timeout 3 busybox $applet </dev/null >/dev/null 2>&1
done <<'E'
ls -la /etc/apt
df
free
ps
ifconfig -a
ifconfig lo up
route
netstat -an
ip address
ip route
arp
uptime
mount
stat -f /tmp
vmstat
hostname
who
fuser /tmp
losetup -a
blkid /tmp/z
hwclock -r
adjtimex
lsof
chrt -p 1
ionice
taskset -p 1
pidof sh
sysctl net.ipv4.ip_forward
pstree
ping -c1 -W1 127.0.0.1
nc -w1 127.0.0.1 9
wget -T1 -O- http://127.0.0.1:9
watch -t -n1 false
stty
dd if=/dev/zero of=/tmp/z bs=512 count=2
mkswap /tmp/z
swapon /tmp/z
chattr +i /tmp/z
lsattr /tmp/z
brctl show
ipcs
unshare -r id
nsenter -t 1 -n true
script -q -c true /tmp/script
truncate -s 10M /tmp/z
fallocate -l 100 /tmp/y
mknod /tmp/node c 1 3
renice 5 1
pivot_root /tmp /tmp
usleep 1000
setpriv -d
E
