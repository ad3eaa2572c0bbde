# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# What programs expect of a kernel, and of the processor that they run on.

# O_DIRECT from memory that was never touched, which is the zero page, to a share and to the guest's own disk; then from all
# kinds of memory that a program has. What is written without a copy has to arrive, and the device has to live.
case_kernel_direct_untouched() {
	mkdir "$WORK/share"
	cat >"$WORK/share/zero.pl" <<'END'
use strict; use warnings; use Fcntl;
my ($mmap, $write) = (9, 1);
for my $file (@ARGV) {
	sysopen my $f, $file, O_CREAT | O_WRONLY | 040000 or die "$file: $!";
	# PRIVATE|ANONYMOUS and SHARED|ANONYMOUS, not touched
	for my $flags (0x22, 0x21) {
		my $p = syscall $mmap, 0, 65536, 3, $flags, -1, 0;
		my $n = syscall $write, fileno $f, $p, 65536;
		die "$file: $n: $!" if $n != 65536;
	}
	close $f or die "$file: $!";
	open $f, "<", $file or die; local $/; my $got = <$f>;
	die "$file: not zeros\n" if $got ne "\0" x 131072;
}
# A hole by sendfile and a pipe.
open my $hole, ">", "/dev/shm/hole" or die; truncate $hole, 100000 or die; close $hole;
system("cat /dev/shm/hole >/s/hole && cmp -n 100000 /s/hole /dev/zero") == 0 or die "hole";
print "done\n";
END
	run --shm-size 8m -v "$WORK/share:/s" "$IMG" timeout 30 perl /s/zero.pl /s/direct /var/direct
	same "$out" 'done'
	same "$(stat -c %s "$WORK/share/direct")" 131072
}

# The same to the network, without a copy: holes of files and memory that was never touched, by sendfile, write and splice.
case_kernel_untouched_to_the_network() {
	local port server
	mkdir share
	port=$(free_port)
	python3 -c '
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as s:
    print("ready", flush=True)
    while True:
        c, n, zeros = s.accept()[0], 0, 0
        while part := c.recv(65536):
            n += len(part)
            zeros += part.count(0)
        c.sendall(b"%d %d\n" % (n, zeros))
        c.close()' "$port" >served &
	server=$!
	until_ok 10 grep -q ready served
	cat >share/send.pl <<'END'
use strict; use warnings; use IO::Socket::INET;
my ($port, $size) = ($ARGV[0], 1 << 20);
sub server { IO::Socket::INET->new(PeerAddr => "host.skerry.internal", PeerPort => $port) or die $! }
sub told { my ($what, $c) = @_; shutdown $c, 1; print "$what ", scalar <$c> }
for my $file ("/dev/shm/hole", "/var/hole", "/s/hole") {
	open my $f, ">", $file or die; truncate $f, $size or die; close $f;
	open $f, "<", $file or die;
	my ($c, $left) = (server(), $size);
	while ($left > 0) { my $n = syscall 40, fileno $c, fileno $f, 0, $left; die "sendfile: $!" if $n <= 0; $left -= $n }
	told("sendfile", $c);
}
# PRIVATE|ANONYMOUS and SHARED|ANONYMOUS, not touched
for my $flags (0x22, 0x21) {
	my $p = syscall 9, 0, $size, 3, $flags, -1, 0;
	my $c = server();
	for (my $at = 0; $at < $size;) { my $n = syscall 1, fileno $c, $p + $at, $size - $at; die "write: $!" if $n <= 0; $at += $n }
	told("write", $c);
	$c = server();
	pipe my $r, my $w or die;
	for (my $at = 0; $at < $size;) {
		my $iov = pack "QQ", $p + $at, 32768;
		my $n = syscall 278, fileno $w, $iov, 1, 0;
		die "vmsplice: $!" if $n <= 0;
		$at += $n;
		while ($n > 0) { my $m = syscall 275, fileno $r, 0, fileno $c, 0, $n, 0; die "splice: $!" if $m <= 0; $n -= $m }
	}
	told("splice", $c);
}
END
	run --shm-size 8m -v "$PWD/share:/s" "$IMG" timeout 60 perl /s/send.pl "$port"
	kill "$server"
	same "$out" "$(printf '%s 1048576 1048576\n' sendfile sendfile sendfile write splice write splice)"
}

# Data for a device from every kind of memory that a program has: its text, constants, heap and stack, files of the image, of the disk
# and of a share that are mapped, the vDSO. It arrives, or the call fails (EFAULT), and the next one works.
# case: quick
case_kernel_direct_any_memory() {
	mkdir "$WORK/share"
	cat >"$WORK/share/any.pl" <<'END'
use strict; use warnings; use Fcntl;
my ($write, $mmap) = (1, 9);
my %kinds;
my $heap = "heap" x 100000;
# Mapped files of the disk and of the share, private and shared; memory that was written, and is read-only now.
for my $dir ("/var", "/s") {
	open my $f, ">", "$dir/mapped" or die; print $f "mapped" x 10000; close $f;
	open $f, "+<", "$dir/mapped" or die;
	syscall($mmap, 0, 32768, 3, $_, fileno $f, 0) for 1, 2;
}
open my $maps, "<", "/proc/self/maps" or die;
my @areas = map { [/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)/] } <$maps>;
open my $mem, "<", "/proc/self/mem" or die;
for my $file (@ARGV) {
	sysopen my $f, $file, O_CREAT | O_RDWR | O_TRUNC | 040000 or die "$file: $!";
	my $at = 0;
	for my $area (@areas) {
		my ($from, $to, $rights, $name) = ($area->[0], $area->[1], $area->[2], $area->[3]);
		next if $rights !~ /^r/ || $name eq "[vsyscall]";
		# hexadecimal addresses above 2**32
		{ no warnings; $from = hex $from; $to = hex $to; }
		sysseek $mem, $from, 0; sysread $mem, my $want, 4096;
		my $n = syscall $write, fileno $f, $from + 0, 4096;
		if ($n != 4096) {
			die "$file: $rights $name: $n: $!\n" unless $!{EFAULT} && $name =~ /^\[v/;
			next;
		}
		# The heap and the stack are in use meanwhile.
		if ($name !~ /heap|stack/ && $rights !~ /w.p/) {
			open my $got, "<", $file or die; sysseek $got, $at, 0; sysread $got, my $have, 4096;
			die "$file: $rights $name: other data\n" if $have ne $want;
		}
		$at += 4096;
		$kinds{$rights =~ s/p$//r}++;
	}
}
die "kinds: @{[sort keys %kinds]}\n" unless $kinds{"r-x"} && $kinds{"r--"} && $kinds{"rw-"} && $kinds{"rw-s"};
print "done\n";
END
	run -v "$WORK/share:/s" "$IMG" timeout 60 perl /s/any.pl /s/direct /var/direct
	same "$out" 'done'
}
# At the end of a file that grows: ENODATA once.
case_kernel_direct_at_the_end() {
	mkdir "$WORK/share"
	cc -O1 -static -pthread -o "$WORK/share/direct" "$here/direct.c" || skip 'no static C library here'
	run -v "$WORK/share:/s" "$IMG" /s/direct /s/file "$(slow 5)"
	same "$out" right
}

# A megabyte goes in a few requests, also where the pages are not next to each other: each was one once.
case_kernel_direct_requests() {
	local server before after

	mkdir share
	head -c 1048576 /dev/urandom >share/from
	skerry run -d --name c1 -v "$PWD/share:/data" -w /data "$IMG" sleep 1000 >/dev/null
	server=$(child_pid c1 skerry-9pd)
	calls() { awk -v w="$1" '$1 == w ":" { print $2 }' "/proc/$server/io"; }

	before=$(calls syscw)
	skerry exec c1 dd if=from of=direct bs=1M oflag=direct status=none
	skerry exec c1 dd if=from of=synced bs=1M oflag=sync status=none
	after=$(calls syscw)
	[ $((after - before)) -lt 100 ] || fail "$((after - before)) writes"
	before=$(calls syscr)
	skerry exec c1 sh -c 'dd if=direct bs=1M iflag=direct status=none | cmp - synced'
	after=$(calls syscr)
	[ $((after - before)) -lt 100 ] || fail "$((after - before)) reads"
	cmp share/from share/direct || fail 'something else was written with O_DIRECT'
	cmp share/from share/synced || fail 'something else was written with O_SYNC'
	# Memory that begins within a page.
	run -v "$PWD/share:/data" -w /data "$IMG" perl -e '
		my $b = "x" x 200000;
		sysopen(my $s, "odd", 04010102) or die "$!"; # O_RDWR, O_CREAT, O_SYNC
		print syswrite($s, $b, 150001, 3), "\n";'
	same "$out" 150001
	same "$(tr -d x <share/odd | wc -c) $(wc -c <share/odd)" '0 150001'
}

# Pages of a mapped file that the host changes are dropped without a warning of the kernel's.
case_kernel_no_warning() {
	mkdir "$WORK/share"
	echo one >"$WORK/share/f"
	truncate -s 1M "$WORK/share/f"
	expect 0 skerry run -d --name mapper --cap-add SYSLOG -v "$WORK/share:/s" "$IMG" perl -e '
		open my $f, "<", "/s/f" or die;
		my $p = syscall(9, 0, 1 << 20, 1, 1, fileno $f, 0);
		open my $mem, "<", "/proc/self/mem" or die;
		$| = 1;
		for (my $last = "";;) {
			sysseek $mem, $p, 0; sysread $mem, my $x, 1 << 20;
			$x =~ /^([a-z]*)/;
			print "$1\n" if $1 ne $last;
			$last = $1;
			select undef, undef, undef, 0.05;
		}'
	until_ok 20 sh -c 'skerry logs mapper | grep one'
	echo two | dd of="$WORK/share/f" conv=notrunc status=none
	until_ok 20 sh -c 'skerry logs mapper | grep two'
	local messages
	messages=$(skerry exec mapper dmesg) || fail 'no dmesg'
	has "$messages" 'EXT4-fs|Linux version|random|Mount'
	! grep -A 15 -E 'WARNING|BUG' <<<"$messages" || fail 'the kernel has warned'
	expect 0 skerry rm -f mapper
}

# A program that forks until it cannot gets EAGAIN, and its VM, the agent and the neighbours live. The host refuses processes
# (the limit is the caller's, as a lower one than that of the VM).
case_kernel_fork_refused() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'processes of the host are those of User-mode Linux'
	(ulimit -u "$(($(ps --no-headers -L -u "$(id -u)" | wc -l) + 300))" && skerry run -d --name bomb "$IMG" sleep 1000) || fail 'cannot start it'
	local bomb='use Errno; my @p; while (defined(my $p = fork)) { if (!$p) { sleep 1000; exit } push @p, $p; last if @p > 2000 }
		print @p > 2000 ? "no limit\n" : $!{EAGAIN} ? "EAGAIN\n" : "$!\n"; kill 9, @p; 1 while wait > 0; print "more than fifty\n" if @p > 50'
	ok skerry exec bomb perl -e "$bomb"
	same "$out" $'EAGAIN\nmore than fifty'
	# All of it came back, again and again.
	ok skerry exec bomb perl -e "$bomb"
	same "$out" $'EAGAIN\nmore than fifty'
	ok skerry exec bomb sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do /bin/true || exit 1; done; echo alive'
	same "$out" alive
	ok skerry rm -f bomb
}

# Without an option, a container has a limit of its own.
case_kernel_pids_limit() {
	run "$IMG" cat /sys/fs/cgroup/pids.max
	same "$out" 4096
	run --pids-limit -1 "$IMG" cat /sys/fs/cgroup/pids.max
	same "$out" max
	run --pids-limit 20 "$IMG" perl -e 'my $n = 0; while (defined(my $p = fork)) { if (!$p) { sleep 100; exit } $n++ } print $n < 20 ? "$!\n" : "$n\n"'
	same "$out" 'Resource temporarily unavailable'
}

# The VM's size shows in no limit where a container's does not.
case_kernel_limits() {
	cat >"$WORK/limits.pl" <<'END'
my $p = syscall 9, 0, 8 << 30, 3, 0x22, -1, 0;
print $p == -1 ? "refused: $!\n" : "promised\n";
END
	run -m 512m -v "$WORK/limits.pl:/l.pl:ro" "$IMG" bash -c 'perl /l.pl; ulimit -Sn; ulimit -Hn; cat /proc/sys/fs/file-max /proc/sys/fs/nr_open; ulimit -i'
	same "$out" $'promised\n1048576\n1048576\n9223372036854775807\n1073741816\n131072'
	# Who uses more than there is ends by SIGKILL, as anywhere.
	ok skerry run -d --name eater -m 200m "$IMG" perl -e 'my $x = "x" x (600 << 20); sleep 100'
	expect 0 skerry wait eater
	same "$out" 137
	same "$(field eater 'd["State"]["OOMKilled"]')" true
}

# /proc/cpuinfo as on x86: programs look for flags, and procps for the end of an entry.
case_kernel_cpuinfo() {
	run "$IMG" sh -c 'cat /proc/cpuinfo; echo ---; lscpu'
	local info=${out%%---*} field
	for field in processor vendor_id 'cpu family' model 'model name' stepping 'cpu MHz' 'physical id' siblings 'core id' 'cpu cores' \
		apicid fpu 'cpuid level' flags bogomips 'clflush size' cache_alignment 'address sizes' 'power management'; do
		has "$info" "^${field}[[:space:]]*:" '/proc/cpuinfo'
	done
	has "$out" '32-bit, 64-bit' lscpu
	[ "${SKERRY_ENGINE:-uml}" = uml ] || return 0
	for field in fpu lm sse2 syscall; do has "$info" "^flags.*[: ]$field( |\$)"; done
	# What decides how programs compute is there if the host has it, and not if not.
	for field in sse4_2 aes avx avx2 bmi2 avx512f; do
		if grep -qw "$field" /proc/cpuinfo; then has "$info" "^flags.* $field( |\$)"; else hasnt "$info" "^flags.* $field( |\$)"; fi
	done
	hasnt "$info" "$(uname -r)"
	# each entry ends with an empty line
	run "$IMG" sh -c 'tail -c 2 /proc/cpuinfo | od -An -c'
	has "$out" '\\n +\\n'
	same "$(sed -n 's/^model name.*: //p' <<<"$info" | head -1)" "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)"
}

# What reads /proc: procps fails where /proc/cpuinfo is not as it expects.
# case: timeout=150
case_kernel_procps() {
	programs ps top vmstat uptime free
	run -v "$WORK/host:/h:ro" -e TERM=dumb "$IMG" sh -ec '
		/h/ps -ef; /h/ps aux >/dev/null; /h/top -b -n1 | head -3; /h/vmstat 1 2; /h/uptime; /h/free; nproc; getconf _NPROCESSORS_CONF'
	has "$out" '^root +1 .* sh -ec' 'ps'
	has "$out" '^top - .* up' 'top'
	has "$out" '^Mem: ' 'free'
	has "$out" 'load average' 'uptime'
	# All of many: ps, and the engine's own list; top of half of them, since one that is begun by ld.so has little room for its heap.
	# shellcheck disable=SC2016
	local thousand='$| = 1; for (1 .. 1000) { if (!fork) { sleep 1000; exit } } print "ready\n"; sleep 1000'
	ok skerry run -d --name many -m 2g --pids-limit 3000 -v "$WORK/host:/h:ro" "$IMG" perl -e "$thousand"
	until_ok 60 sh -c 'skerry logs many | grep -q ready'
	ok skerry exec -e TERM=dumb many sh -c '/h/top -b -n1 | grep -c perl'
	[ "$out" -ge 1001 ] || fail "top shows $out processes"
	skerry exec many perl -e "$thousand" >"$WORK/more" &
	until_ok 60 grep -q ready "$WORK/more"
	ok skerry exec many sh -c '/h/ps -e --no-headers | wc -l'
	[ "$out" -ge 2003 ] || fail "ps shows $out processes"
	ok skerry top many
	[ "$(wc -l <<<"$out")" -ge 2003 ] || fail "skerry top shows $(wc -l <<<"$out") lines"
	ok skerry rm -f many
}

# Others that read /proc and /sys: sysstat, htop.
# case: timeout=90
case_kernel_sysstat() {
	programs mpstat iostat pidstat htop
	run --cpus 1 -v "$WORK/host:/h:ro" -e LC_ALL=C "$IMG" sh -ec '
		perl -e "1 while time < $^T + 4" & sleep 0.2
		/h/mpstat 1 1; /h/pidstat 1 1; dd if=/dev/zero of=/f bs=1M count=4 conv=fsync 2>/dev/null; /h/iostat -d -x'
	has "$out" '^Average: +all +[0-9.]+' 'mpstat'
	has "$out" '^Average: +0 +[0-9]+ +[0-9.]+ +[0-9.]+ .* perl$' 'pidstat'
	# It computed all the time.
	[ "$(awk '/^Average: +all/ { print $NF < 60 }' <<<"$out")" = 1 ] || fail "mpstat sees an idle processor: $out"
	has "$out" '^vd[a-z] +[0-9.]+' 'iostat'
	ok skerry run -d --name looked -v "$WORK/host:/h:ro" "$IMG" sleep 543
	ok pty --size 24x80 --expect 'Tasks' --expect 'sleep 543' --send q --exit 0 -- skerry exec -it -e TERM=linux looked /h/htop -d 5
	ok skerry rm -f looked
}

# What signal handlers and debuggers are told of exceptions: as on this machine.
case_kernel_exceptions() {
	command -v cc >/dev/null || skip 'no C compiler here'
	cc -O1 -static -o "$WORK/exceptions" "$here/exceptions.c" || skip 'no static C library here'
	"$WORK/exceptions" >"$WORK/want"
	run --cap-add SYS_PTRACE -v "$WORK/exceptions:/e:ro" "$IMG" timeout 30 /e
	same "$out" "$(cat "$WORK/want")"
}

# A hardware breakpoint is refused where it would never be hit (on the host it is set; without it a debugger has others).
case_kernel_hardware_breakpoint() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'the other engines have them'
	run --cap-add SYS_PTRACE "$IMG" perl -e '
		my ($ptrace, $traceme, $peek, $poke, $dr) = (101, 0, 3, 6, 848); # offsetof(struct user, u_debugreg)
		my $pid = fork;
		if (!$pid) { syscall $ptrace, $traceme, 0, 0, 0; kill "STOP", $$; exit }
		waitpid $pid, 0;
		sub set { $! = 0; my $r = syscall $ptrace, $poke, $pid, $dr + 8 * $_[0], $_[1]; print $r < 0 ? "$!\n" : "set\n" }
		set(0, 0x1000); set(7, 0x1); set(7, 0x400); set(7, 0x80); kill "KILL", $pid'
	same "$out" $'set\nNo space left on device\nset\nNo space left on device'
}

# A debugger: breakpoints, a software watchpoint, attaching to a process that runs, and letting it go.
case_kernel_gdb() {
	local python
	command -v gdb >/dev/null || skip 'no gdb on this machine'
	# It has Python built in, which looks for its library.
	python=$(ldd "$(command -v gdb)" | sed -n 's/.*libpython\(3\.[0-9]*\).*/\/usr\/lib\/python\1/p' | head -1)
	cat >"$WORK/watched.c" <<'END'
#include <stdio.h>
#include <unistd.h>
volatile int watched, turns;
static void step(void) { turns++; if (turns == 5) watched = 42; }
int main(int n, char **v) { if (n > 1) sleep(3); for (int i = 0; i < 10; i++) step(); printf("%d\n", watched); return n > 1 ? 7 : 0; }
END
	programs gdb
	cc -g -O0 -static -o "$WORK/host/watched" "$WORK/watched.c" || skip 'no static C library here'
	run --cap-add SYS_PTRACE -v "$WORK/host:/h:ro" ${python:+-v "$python:$python:ro"} "$IMG" timeout 60 /h/gdb -nx -q -batch -ex 'set can-use-hw-watchpoints 0' \
		-ex 'break main' -ex run -ex 'watch watched' -ex continue -ex 'info program' /h/watched
	has "$out" 'Breakpoint 1, .*main '
	has "$out" 'New value = 42'
	run --cap-add SYS_PTRACE -v "$WORK/host:/h:ro" ${python:+-v "$python:$python:ro"} "$IMG" sh -c '/h/watched x & sleep 1
		timeout 60 /h/gdb -nx -q -batch -p $! -ex "break step" -ex continue -ex "print turns" -ex delete -ex detach /h/watched; wait $!; echo ended $?'
	has "$out" 'Breakpoint 1, .*step '
	has "$out" '[$]1 = 0'
	has "$out" 'ended 7'
}

# Memory is mapped ahead of a program that writes to it in order, which the program does not see; nor is it ended by its limit
# for memory that it did not ask for.
case_kernel_memory_ahead() {
	cc -O1 -static -o "$WORK/ahead" "$here/ahead.c" || skip 'no static C library here'
	run -v "$WORK/ahead:/a:ro" "$IMG" timeout 30 /a
	same "$out" right
	run -m 64m --memory-swap 64m -v "$WORK/ahead:/a:ro" "$IMG" /a 60
	same "$out" right
}

# With User-mode Linux fork() copies pages at once and maps the child's others when they are needed: programs do not see that, but
# take few page faults.
case_kernel_fork() {
	local few=few
	case ${SKERRY_ENGINE:-} in kvm | tcg) few= ;; esac
	cc -O1 -static -pthread -o "$WORK/forked" "$here/forked.c" || skip 'no static C library here'
	run -v "$WORK/forked:/f:ro" "$IMG" timeout 60 /f $few
	same "$out" right
	[ "$(nproc)" -lt 2 ] || run --cpus 2 -v "$WORK/forked:/f:ro" "$IMG" timeout 60 /f
	same "$out" right
}

# Pages that a program gets one by one are one mapping of the host if they follow each other in memory.
case_kernel_runs() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'User-mode Linux only'
	cc -O1 -static -o "$WORK/runs" "$here/runs.c" || skip 'no static C library here'
	run --cap-add SYS_ADMIN -v "$WORK/runs:/r:ro" "$IMG" /r
	same "$out" right
	run --privileged -v "$WORK/runs:/r:ro" "$IMG" /r /bin/bash
	same "$out" right
	run "$IMG" cat /proc/sys/vm/compaction_proactiveness
	same "$out" 0
}

# Loop devices, and swap on one (an overlay has no swap files, here as on a host).
case_kernel_loop() {
	ok skerry run --rm --privileged "$IMG" sh -ec '
		truncate -s 64M /img
		dev=$(losetup -f --show /img)
		mkfs.ext4 -q "$dev"
		mount "$dev" /mnt
		echo kept >/mnt/file
		umount /mnt
		losetup -d "$dev"
		mount -o loop /img /mnt
		cat /mnt/file
		head -c 20000000 /dev/zero >/swap
		dev=$(losetup -f --show /swap)
		mkswap "$dev" >/dev/null
		swapon "$dev"
		grep -c "$dev" /proc/swaps
		swapoff "$dev"; umount /mnt; losetup -D'
	same "$out" $'kept\n1'
	# Nobody else has them, but who asks for them.
	run "$IMG" sh -c 'ls /dev | grep -c loop || true'
	same "$out" 0
	run --device /dev/loop-control --device /dev/loop0 --cap-add SYS_ADMIN "$IMG" sh -c 'truncate -s 1M /img; losetup -f --show /img; losetup -D'
	same "$out" /dev/loop0
}

# The registers in a core file have the form that debuggers read: XCR0 where it belongs, as on this machine.
case_kernel_core() {
	mkdir -m 777 "$WORK/share"
	run --ulimit core=-1 -v "$WORK/share:/s" "$IMG" sh -c 'cd /s && perl -e "kill 11, \$\$"; ls'
	has "$out" core
	python3 - "$WORK/share/core" <<'END' || fail 'the core file is not in form'
import struct, sys
data = open(sys.argv[1], "rb").read()
at = data.find(struct.pack("<I", 0x202) + b"LINUX")
size = struct.unpack_from("<I", data, at - 4)[0]
area = data[at + 12 : at + 12 + size]
xcr0 = struct.unpack_from("<Q", area, 464)[0]
assert size >= 512 and xcr0 & 3 == 3 and xcr0 < 1 << 20, (size, hex(xcr0))
assert area[472:512] == bytes(40), area[464:512]
END
}
