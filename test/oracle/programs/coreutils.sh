#!/bin/sh
# Tools for files, users, times and limits, one of each.
cd /tmp || exit 1
umask 027
mkdir -p a/b c
printf 'one\ntwo\nthree\n' >a/one
cp -a a/one a/two
cp --reflink=auto --sparse=always a/one a/three
dd if=/dev/zero of=a/zero bs=4k count=3 conv=fsync 2>/dev/null
truncate -s 100k a/hole
fallocate -l 64k a/full
ln a/one a/hard
ln -s one a/soft
readlink -f a/soft
mv a/two a/b/four
mv -n a/three c/
chmod 4755 a/one
chmod -R o-r a
chown 1:2 a/one
chown -h 3 a/soft
touch -d '2001-02-03 04:05:06' a/one
touch -h a/soft
mkfifo fifo
(echo through the fifo >fifo) &
cat fifo
wait
install -m 640 a/one a/installed
rm -rf a/b
rmdir c 2>&1
unlink a/hard
stat a/one a/missing 2>&1
stat -f /tmp
df -h /tmp
du -s a
sync a/one
sort -S 1M -r a/one | uniq -c | tac | nl | head -c 20 | od -c
split -b 4 a/one part.
wc -lc part.*
tee copy <a/one | md5sum
cmp a/one copy
diff a/one /etc/hostname
find . -newer a/one -exec ls -d {} +
test -w a/one -a ! -e missing
id
nproc
uname -a
date -u -d @0
hostname
tty
nice -n 5 sh -c 'ulimit -n; ulimit -a' | tail -3
timeout -s INT 0.2 sleep 5
timeout 5 sh -c 'kill -USR1 $$'
env -i X=y printenv X
stdbuf -oL seq 3
nohup true 2>&1
setsid -w sh -c 'ps -o pid,ppid,stat,comm' | wc -l
taskset -c 0 true
chrt -b 0 true
ionice -c 2 -n 7 true
getfattr -d a/one 2>/dev/null
flock lock -c 'flock -n lock true; echo $?'
logger hello 2>/dev/null
mktemp -d
shred -n 1 -u copy
tail -n 1 -f a/one --pid=$$ -s 0.1 &
sleep 0.3
kill $!
wait $!
echo $?
