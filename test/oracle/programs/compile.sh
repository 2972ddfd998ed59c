#!/bin/sh
# Compilers, make, archives, and tools for text.
cd /tmp || exit 1
cat >hello.c <<'C'
#include <stdio.h>
#include <dlfcn.h>
int main(int argc, char **argv) { printf("hello %d %p\n", argc, dlopen("libm.so.6", RTLD_NOW)); return argc; }
C
printf 'hello: hello.o\n\tcc -o $@ $< -ldl\n%%.o: %%.c\n\tcc -c -g -O1 $<\nclean:\n\trm -f hello *.o\n' >Makefile
make -j2
./hello a b
make clean
gzip -k hello.c
xz -k -T2 hello.c
bzip2 -k hello.c
zcat hello.c.gz | sed -n '1,2{s/stdio/STDIO/;p}' | awk '{ n += length($0) } END { print n; "date +%Y" | getline y; print (y > 2000) }'
grep -rn main . | cut -d: -f1 | xargs -n1 -P2 basename
echo '2^100' | bc
ar cr lib.a hello.c
cpio -o <<'F' 2>/dev/null >files.cpio
hello.c
Makefile
F
cpio -t <files.cpio 2>/dev/null
dpkg-query -W bash
ssh-keygen -q -t ed25519 -N '' -f key </dev/null
ssh-keygen -lf key.pub
