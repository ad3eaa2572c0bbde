# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Operations on files beyond reading and writing, as the host sees them and as programs of the image use them. What each
# of them does in detail is in tests/mounts/semantics.py.

# on_host COMMAND...: what the host's file system says to it; a case asks for nothing that it cannot.
on_host() { "$@" >/dev/null 2>&1; }

case_fileops_allocate() {
	mkdir share
	on_host fallocate -l 1M share/probe || skip 'the file system here has no fallocate'
	run -v "$PWD/share:/data" "$IMG" sh -euc '
		cd /data
		fallocate -l 1M f
		fallocate -n -o 1M -l 1M f
		stat -c "%s %b" f
		head -c 65536 /dev/zero | tr "\0" x >p
		fallocate -p -o 4096 -l 8192 p'
	same "$out" '1048576 4096'
	same "$(stat -c '%s %b' share/f)" '1048576 4096'
	same "$(tr -d '\0' <share/p | wc -c)" 57344
	[ "$(stat -c %b share/p)" -lt 128 ] || fail 'no hole was made'
}

# What the host does not have is not promised. glibc falls back to writing where the host cannot allocate.
# case: root-only
case_fileops_allocate_full() {
	mkdir share
	mount -t tmpfs -o size=4m none share || skip 'no tmpfs can be mounted'
	trap 'umount -l "$PWD/share"' EXIT
	expect 1 skerry run --rm -v "$PWD/share:/data" "$IMG" fallocate -l 64M /data/f
	has "$err" 'No space left'
	# posix_fallocate(), of whose error this program takes no notice.
	run -v "$PWD/share:/data" "$IMG" sh -c 'cd /data; fallocate -x -l 64M f; fallocate -x -l 1M g; stat -c "%s %b" f g'
	same "$out" $'0 0\n1048576 2048'
	umount -l share
	mount -t ramfs none share
	run -v "$PWD/share:/data" "$IMG" sh -c 'fallocate -x -l 1M /data/f && stat -c %s /data/f'
	same "$out" 1048576
	umount -l share
	trap - EXIT
}

case_fileops_sparse() {
	mkdir share
	truncate -s 16M share/host
	printf 'data' | dd of=share/host bs=1M seek=8 conv=notrunc status=none
	[ "$(stat -c %b share/host)" -lt 100 ] || skip 'the file system here has no holes'
	run -v "$PWD/share:/data" "$IMG" sh -euc 'cd /data; cp host copy; tar -cSf t.tar host; cmp host copy; stat -c %s t.tar'
	[ "$out" -lt 100000 ] || fail "tar found no holes: $out"
	cmp share/host share/copy || fail 'another file'
	[ "$(stat -c %b share/copy)" -lt 100 ] || fail 'the copy is not sparse'
}

# O_TMPFILE and linkat(), renameat2(), by the numbers of their system calls.
case_fileops_names() {
	mkdir share
	echo A >share/a
	echo B >share/b
	cat >share/t.pl <<'END'
use strict;
my ($renameat2, $linkat, $openat) = `uname -m` =~ /x86_64/ ? (316, 265, 257) : (276, 37, 56);
my ($a, $b, $c, $none, $dot, $named) = ("a", "b", "c", "none", ".", "named");
sub r { my ($from, $to, $flags) = @_; syscall($renameat2, -100, $from, -100, $to, $flags) == 0 ? "ok" : $!{EEXIST} ? "EEXIST" : $!{ENOENT} ? "ENOENT" : $! }
chdir "/data";
print "noreplace ", r($a, $b, 1), " ", r($a, $c, 1), " ", r($c, $a, 0), "\n";
print "exchange ", r($a, $b, 2), " ", r($a, $none, 2), "\n";
my $fd = syscall($openat, -100, $dot, 020200002, 0640);
die "O_TMPFILE: $!" if $fd < 0;
open(my $f, "+<&=", $fd) or die;
syswrite($f, "text");
my $proc = "/proc/self/fd/$fd";
print "link ", (syscall($linkat, -100, $proc, -100, $named, 0x400) == 0 ? "ok" : $!), "\n";
END
	run -v "$PWD/share:/data" "$IMG" perl /data/t.pl
	same "$out" $'noreplace EEXIST ok ok\nexchange ok ENOENT\nlink ok'
	same "$(cat share/a share/b share/named)" $'B\nA\ntext'
}
