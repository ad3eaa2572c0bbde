# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Locks on a share, between programs of a guest, of two guests and of the host: fcntl(2), open file descriptions, flock(2).

# A program for guests and the host, with the interpreter of every Debian system: `lock.pl FILE STEP…`.
#     p:TYPE:START:LENGTH   fcntl, TYPE one of r, w, u; P waits
#     o:TYPE:START:LENGTH   the same of the open file description
#     f:TYPE                flock, TYPE one of s, x, u; F waits
#     g:TYPE:START:LENGTH   F_GETLK
#     touch:FILE, wait:FILE, alarm:SECONDS
#     clone:N               the next N steps are done by another task with the same descriptors, as a thread has
# Each lock prints its step with "ok", "busy", "intr" or an error; exit code 3 if one was busy.
lock_program() {
	mkdir -p "${1%/*}"
	cat >"$1" <<'END'
use strict;
use Fcntl qw(:DEFAULT :flock);
use Errno qw(EAGAIN EACCES EINTR);
use POSIX ();
$| = 1;
my $path = shift;
my $f;
open($f, "+<", $path) || open($f, "<", $path) or die "$path: $!\n";
$SIG{ALRM} = sub { };
my ($rc, $child, $thread) = (0, 0, 0);
my %types = (r => F_RDLCK, w => F_WRLCK, u => F_UNLCK, s => LOCK_SH, x => LOCK_EX);
my %commands = (p => F_SETLK, P => F_SETLKW, o => 37, O => 38, g => F_GETLK);
sub say_result { my ($step, $ok) = @_;
	my $busy = $!{EAGAIN} || $!{EACCES};
	print "$step ", $ok ? "ok" : $busy ? "busy" : $!{EINTR} ? "intr" : "$!", "\n";
	$rc = 3 if !$ok && $busy;
}
while (defined(my $step = shift @ARGV)) {
	my ($what, $type, $start, $length) = split /:/, $step;
	if ($what eq "touch") { open(my $t, ">", $type) or die; }
	elsif ($what eq "wait") { select(undef, undef, undef, 0.05) until -e $type; }
	elsif ($what eq "alarm") { alarm($type); }
	elsif ($what eq "clone") {
		my @mine = splice(@ARGV, 0, $type);
		my $pid = syscall(56, 0x400 | 17, 0, 0, 0, 0);
		die "clone: $!" if $pid < 0;
		$child = 1 if $pid;
		($thread, @ARGV) = (1, @mine) if !$pid;
	} elsif (lc $what eq "f") {
		my $op = $type eq "u" ? LOCK_UN : $types{$type};
		say_result($step, flock($f, $op | ($what eq "f" ? LOCK_NB : 0)));
	} else {
		my $l = pack("ssx4qqix4", $types{$type}, 0, $start, $length, 0);
		my $ok = fcntl($f, $commands{$what}, $l);
		if ($what eq "g" && $ok) { print "$step ", (unpack("s", $l))[0] == F_UNLCK ? "free" : "held", "\n"; }
		else { say_result($step, $ok); }
	}
}
POSIX::_exit($rc) if $thread; # the descriptors are not its own
wait if $child;
exit $rc;
END
}

# start_locks: two guests, one and two, with share as /data and the program; `g`, `g2` and `h` run it there and on the host.
start_locks() {
	mkdir -p share
	lock_program tools/lock.pl
	echo 0 >share/f
	chmod 666 share/f
	expect 0 skerry run -d --name one -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	[ "$1" = 1 ] || expect 0 skerry run -d --name two -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
}
g() { skerry exec one perl /tools/lock.pl /data/f "$@"; }
g2() { skerry exec two perl /tools/lock.pl /data/f "$@"; }
h() { perl tools/lock.pl share/f "$@"; }

# Ranges of one process next to each other become one for the kernel. What one thread gives up while another waits for its
# neighbour is free.
case_locks_adjacent_ranges() {
	start_locks 1
	h p:w:10:10 touch:share/held wait:share/host-end >host &
	until_ok 10 test -e share/held
	g p:w:0:10 clone:5 P:w:10:10 touch:/data/got wait:/data/give p:u:10:10 touch:/data/gave \
		touch:/data/asked wait:/data/unlock p:u:0:10 touch:/data/unlocked wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/asked
	expect 3 h p:w:0:1
	sleep 0.3
	touch share/unlock
	until_ok 10 test -e share/unlocked
	expect 0 h p:w:0:10
	touch share/host-end
	until_ok 10 test -e share/got
	expect 0 h p:w:0:10
	expect 3 h p:w:10:1
	touch share/give
	until_ok 10 test -e share/gave
	expect 0 h p:w:0:20
	touch share/end
	wait
	same "$(sort guest | tr '\n' ' ')" 'P:w:10:10 ok p:u:0:10 ok p:u:10:10 ok p:w:0:10 ok '
}

# A change that the server refuses leaves what the process had: in its own kernel, in the server, on the host.
case_locks_refused_change() {
	start_locks 1
	h p:r:5:1 touch:share/held wait:share/host-end >host &
	until_ok 10 test -e share/held
	g p:r:0:10 p:w:20:10 o:r:40:1 p:w:0:30 touch:/data/tried wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/tried
	same "$(tail -n 1 guest)" 'p:w:0:30 busy'
	for where in g h; do
		expect 3 "$where" p:w:0:1
		expect 0 "$where" p:r:0:10
		expect 0 "$where" p:w:10:10
		expect 3 "$where" p:r:20:10
		expect 0 "$where" p:w:30:10
	done
	# What is asked for is what is answered: a reader is in a writer's way only.
	expect 0 g g:r:5:1 g:w:5:1 g:r:25:1
	same "$(tr '\n' ' ' <<<"$out")" 'g:r:5:1 free g:w:5:1 held g:r:25:1 held '
	# A signal ends the wait for the host's lock.
	expect 0 g alarm:1 P:w:5:1
	same "$out" 'P:w:5:1 intr'
	touch share/host-end share/end
	wait
	expect 0 h p:w:0:100
	expect 0 g p:w:0:100
}

# flock(2) and fcntl(2) have nothing to do with each other; each excludes its own kind in the guest, another guest, the host.
case_locks_kinds() {
	local where
	start_locks 2
	g f:x touch:/data/held wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/held
	for where in g g2 h; do
		expect 3 "$where" f:s
		expect 0 "$where" p:w:0:0 p:u:0:0 o:w:0:0
	done
	expect 0 g f:u p:w:0:0
	touch share/end
	wait
	rm share/held share/end
	h f:s p:w:0:0 touch:share/held wait:share/end >host &
	until_ok 10 test -e share/held
	for where in g g2; do
		expect 0 "$where" f:s
		expect 3 "$where" f:x
		expect 3 "$where" p:r:0:1
		expect 3 "$where" o:w:9:1
	done
	touch share/end
	wait
	rm share/held share/end
	# Both of one open file, and the end of it gives up both.
	g2 p:r:0:1 o:w:1:0 f:x touch:/data/held wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/held
	for where in g h; do
		expect 3 "$where" f:s
		expect 3 "$where" p:w:0:1
		expect 3 "$where" p:r:1:1
	done
	touch share/end
	wait
	until_ok 5 h f:x p:w:0:0
	until_ok 5 g f:x p:w:0:0
	# A directory has only flock.
	skerry exec two perl /tools/lock.pl /data f:x touch:/data/directory wait:/data/directory-end >directory 2>&1 &
	until_ok 20 test -e share/directory
	expect 3 perl tools/lock.pl share f:s
	expect 3 skerry exec one perl /tools/lock.pl /data f:x
	touch share/directory-end
	wait
	expect 0 perl tools/lock.pl share f:x
}

# As on Linux: to another type by giving up the old one, which is lost where the new one cannot be had.
case_locks_flock_converts() {
	start_locks 2
	h f:s touch:share/held wait:share/go f:x touch:share/got wait:share/end >host &
	until_ok 10 test -e share/held
	g f:x f:s f:x touch:/data/tried wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/tried
	same "$(tr '\n' ' ' <guest)" 'f:x busy f:s ok f:x busy '
	touch share/go
	until_ok 10 test -e share/got
	same "$(tail -n 1 host)" 'f:x ok'
	expect 3 g f:s
	expect 3 g2 f:s
	touch share/end
	wait
	rm share/*d share/go share/got
	# Down is at once, for all.
	g f:x f:s touch:/data/held wait:/data/next F:x touch:/data/got wait:/data/end >guest 2>&1 &
	until_ok 20 test -e share/held
	expect 0 g2 f:s
	expect 0 h f:s
	g2 f:s touch:/data/two wait:/data/two-end >guest2 2>&1 &
	until_ok 20 test -e share/two
	touch share/next
	sleep 0.3
	expect 1 test -e share/got
	touch share/two-end
	until_ok 5 test -e share/got
	expect 3 h f:s
	touch share/end
	wait
	expect 0 h f:x
}
