# SPDX-License-Identifier: Apache-2.0
use strict; use warnings; use Fcntl ':flock'; use POSIX; use Socket;
open(my $f, '+>', '/tmp/perl') or die; flock($f, LOCK_EX); print $f "hello\n"; close $f;
rename '/tmp/perl', '/tmp/lerp'; my @s = stat '/tmp/lerp'; print "$s[7]\n";
utime 1, 2, '/tmp/lerp'; chmod 0600, '/tmp/lerp';
my $p = fork; if (!$p) { exec '/bin/echo', 'child' } waitpid $p, 0;
print `cat /tmp/lerp`; $SIG{ALRM} = sub { print "alarm\n" }; alarm 1; select undef, undef, undef, 5;
opendir(my $d, '/etc') or die; my @all = readdir $d; print scalar(@all), "\n";
socket(my $s, PF_INET, SOCK_STREAM, 0); connect($s, sockaddr_in(9, inet_aton('127.0.0.1'))) or print "$!\n";
unlink '/tmp/lerp'; system 'kill -9 $$'; printf "%d\n", $? & 127; exit 4;
