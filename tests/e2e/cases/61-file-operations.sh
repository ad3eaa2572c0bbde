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

files_program() { cc -O1 -static -o "$WORK/files" "$here/files.c" || skip 'no static C library here'; }

# To allocate sends nothing of what was written before: each step wrote its page to the server once, and waited for it.
case_fileops_allocate_requests() {
	local server before

	files_program
	mkdir share
	skerry run -d --name c1 -v "$PWD/share:/data" -v "$WORK/files:/f:ro" -w /data "$IMG" sleep 1000 >/dev/null
	server=$(child_pid c1 skerry-9pd)
	written() { awk '$1 == "wchar:" { print $2 }' "/proc/$server/io"; }
	before=$(written)
	ok skerry exec c1 /f steps 3000 4000
	same "$out" '4001 bytes'
	# 3,500,500 bytes before; what is dirty is written twice a second, 4,001 bytes at most
	[ $(($(written) - before)) -lt 1000000 ] || fail "$(($(written) - before)) bytes for 1,000"
	same "$(tr -d x <share/steps | wc -c) $(wc -c <share/steps)" '3001 4001'
	ok skerry exec c1 /f mapped 5000
	same "$out" '5000 bytes, 0 wrong'
	same "$(tr -d x <share/mapped | wc -c) $(wc -c <share/mapped)" '0 5000'
}

# What is held without being open (O_PATH, a working directory, a mount of a file) stays when a program of the guest removes its
# name. It was ESTALE, and where the name was given to another file, that one was changed.
case_fileops_held_names() {
	local place

	files_program
	mkdir share native
	for place in held private; do
		(cd native && "$WORK/files" $place) >right
		run -v "$PWD/share:/data" -v "$WORK/files:/f:ro" -w /data "$IMG" /f $place
		same "$out" "$(cat right)" "$place"
	done
	run --privileged -v "$PWD/share:/data" -v "$WORK/files:/f:ro" -w /data "$IMG" /f mounts
	same "$out" $'mount of a replaced file: source\nits name: new\nmount of a removed file: written'
}

# A reply waits for the only processor for less than a tick, beside a program that computes: for 3 to 7 ms before.
case_fileops_beside_a_busy_program() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'User-mode Linux only'
	files_program
	mkdir share
	run --cpus 1 -v "$PWD/share:/data" -v "$WORK/files:/f:ro" -w /data "$IMG" sh -c '/f busy; /f busy; /f busy'
	[ "$(sort -n <<<"$out" | head -1)" -lt 2000 ] || fail "waited for $(tr '\n' ' ' <<<"$out")µs"
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

# A file beyond the largest that the host's file system can have is refused at write, as on the host; what fits is kept.
case_fileops_too_large() {
	mkdir share
	cat >share/t.pl <<'END'
use strict;
use Errno;
my ($pwrite, $data) = (`uname -m` =~ /x86_64/ ? 18 : 67, "data");
for my $bits (33, 40, 45, 62) {
	open(my $f, ">", "$ARGV[0]/f") or die;
	my $n = syscall($pwrite, fileno($f), $data, 4, 1 << $bits);
	print "$bits ", $n > 0 ? $n : $!{EFBIG} ? "EFBIG" : $!, " ", close($f) ? "closed" : $!, " ", -s "$ARGV[0]/f", "\n";
}
unlink("$ARGV[0]/f");
END
	mkdir share/here share/there
	run -v "$PWD/share:/data" "$IMG" perl /data/t.pl /data/there
	same "$out" "$(perl share/t.pl share/here)"
}

# Flags of inodes, as chattr sets them, on the host and back; what has them is protected.
case_fileops_flags() {
	mkdir share
	echo text >share/f
	chattr +A share/f 2>/dev/null || skip 'the file system here has no inode flags, or no chattr'
	chattr -A share/f
	cat >share/t.pl <<'END'
use strict;
my ($get, $set) = (0x80086601, 0x40086602);
my ($name, $flag) = @ARGV;
open(my $f, "<", $name) or die;
sub flags { my $b = pack("q", 0); ioctl($f, $get, $b) or die "get: $!\n"; unpack("q", $b) }
my $old = flags();
my $new = pack("q", $old | hex $flag);
ioctl($f, $set, $new) or die "set: $!\n";
printf "%x\n", flags() & hex $flag;
END
	mkdir share/d
	# noatime of a file, nodump of a directory
	run -w /data -v "$PWD/share:/data" "$IMG" sh -c 'perl t.pl f 80; perl t.pl d 40; lsattr -d f d 2>/dev/null || true'
	same "$(sed -n 1,2p <<<"$out")" $'80\n40'
	has "$(lsattr -d share/f share/d)" '^[-a-zA-Z]*A[-a-zA-Z]* share/f'
	has "$(lsattr -d share/f share/d)" '^[-a-zA-Z]*d[-a-zA-Z]* share/d'
	[ "$E2E_WHO" = root ] || return 0
	trap 'chattr -i share/f; e2e_end' EXIT
	run --cap-add LINUX_IMMUTABLE -w /data -v "$PWD/share:/data" "$IMG" sh -c 'perl t.pl f 10; echo more >>f || echo refused; rm -f f || echo kept'
	same "$out" $'10\nrefused\nkept'
	same "$(cat share/f)" text
	# Without the right it is refused, as natively.
	expect 1 skerry run --rm -w /data -v "$PWD/share:/data" "$IMG" perl t.pl t.pl 10
	has "$err" 'set: Operation not permitted'
}

# What /proc says of locks and of mapped files is found by the inode number that stat tells.
case_fileops_inode_numbers() {
	mkdir share
	run -v "$PWD/share:/data" "$IMG" sh -euc '
		cp "$(command -v sleep)" /data/program
		touch /data/file
		perl -e '"'"'
			open(my $f, "<", "/data/file") or die "open: $!"; flock($f, 2) or die "flock: $!";
			my $ino = (stat $f)[1];
			open(my $l, "<", "/proc/locks") or die;
			print scalar(grep { /:$ino / } <$l>), "\n"'"'"'
		/data/program 100 & pid=$!
		for i in $(seq 100); do grep -q /data/program /proc/$pid/maps && break; sleep 0.1; done
		awk "\$6 == \"/data/program\" { print \$5; exit }" /proc/$pid/maps
		stat -c %i /data/program
		kill $pid'
	same "$(sed -n 1p <<<"$out")" 1 'a lock of that inode'
	same "$(sed -n 2p <<<"$out")" "$(sed -n 3p <<<"$out")" 'what is mapped'
	same "$(sed -n 3p <<<"$out")" "$(stat -c %i share/program)"
}

# All shares of a VM are one file system, but each mount of it is read-only or not by itself.
# case: root-only
case_fileops_remount_readonly() {
	mkdir one two
	run --privileged -v "$PWD/one:/one" -v "$PWD/two:/two" "$IMG" sh -c '
		exec 3>/two/open
		mkdir /one/d
		mount -o remount,ro /one && ! touch /one/f 2>/dev/null && echo a line >&3 && touch /two/f && echo two
		LC_ALL=C mkdir /one/d 2>&1 | grep -o "File exists"
		mount -o remount,rw /one && touch /one/f && echo one'
	same "$out" $'two\nFile exists\none'
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

# A file that is replaced by rename is always there, and whole, for whoever opens it by its name.
replace_program() {
	cat >"$1" <<'END'
use strict;
use Time::HiRes qw(time);
my ($what, $dir, $seconds) = @ARGV;
my ($end, $n, $last, %bad) = (time + $seconds, 0, 0);
while (time < $end) {
	if ($what eq "write") {
		$n++;
		open(my $f, ">", "$dir/new") or die "$dir/new: $!";
		print $f "$n " . ("x" x ($n * 37 % 9000)) . " $n\n";
		close($f) or die $!;
		rename("$dir/new", "$dir/file") or die $!;
		next;
	}
	my @st = stat("$dir/file") or $bad{"stat: $!"}++;
	open(my $f, $n % 3 ? "<" : "+<", "$dir/file") or $bad{"open: $!"}++, next;
	local $/;
	my $text = <$f>;
	$text =~ /^(\d+) x* (\d+)\n$/ && $1 == $2 or $bad{"not whole"}++, next;
	$bad{"back"}++ if $1 < $last;
	$last = $1;
	$n++;
}
print join(", ", map { "$_ ($bad{$_})" } sort keys %bad) || ($n > 30 ? "good" : "only $n"), "\n";
END
}
case_fileops_replaced_by_host() {
	mkdir share tools
	replace_program tools/t.pl
	echo '0  0' >share/file
	perl tools/t.pl write share "$(slow 6)" >/dev/null &
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c "for i in 1 2; do perl /tools/t.pl read /data $(slow 2) & done; wait"
	wait
	same "$out" $'good\ngood'
}
# As Kubernetes replaces a volume of settings: a link to a directory of another name, and the old directory goes. The
# notices of it take some milliseconds: before the guest walked again, most replacements were seen by a reader as a file
# that is not there.
case_fileops_link_replaced_by_host() {
	local i
	mkdir -p share/..0 tools
	echo 0 >share/..0/key && ln -s ..0 share/..data && ln -s ..data/key share/key
	cat >tools/read.pl <<-'END'
		my ($until, $bad, $last, $back) = (time + shift, 0, 0, 0);
		while (time < $until) {
			if (open(my $f, '<', '/data/key')) { my $n = <$f>; $back++ if $n < $last; $last = $n; } else { $bad++ }
		}
		print "missing $bad, back $back\n";
	END
	(
		for i in $(seq "$(slow 40)"); do
			mkdir "share/..$i" && echo "$i" >"share/..$i/key"
			ln -s "..$i" share/..new && mv -T share/..new share/..data && rm -r "share/..$((i - 1))"
			sleep 0.25
		done
	) &
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/read.pl "$(slow 8)"
	wait
	# One may come between, as on the host itself.
	has "$out" "^missing [012], back 0\$"
}
# What a program stands in or has open stays that when the host gives its name to another one, or removes it.
case_fileops_held_when_replaced_by_host() {
	mkdir -p share/d share/other
	touch share/d/one share/other/two
	echo old >share/f
	echo gone >share/g
	(
		for _ in $(seq "$(slow 300)"); do
			[ ! -e share/ready ] || break
			sleep 0.1
		done
		mv share/d share/away && mv share/other share/d
		echo new >share/h && mv share/h share/f
		rm share/g
		touch share/go
	) &
	run -w /data -v "$PWD/share:/data" "$IMG" sh -c '
		exec 3<f 4<g 5<d
		cat f g
		cd d
		ls . .
		touch ../ready
		until [ -e ../go ]; do sleep 0.05; done
		for i in 1 2 3; do
			echo $(ls .) $(ls /proc/self/fd/5/) $(ls ../d) $(cat /proc/self/fd/3 /proc/self/fd/4 ../f)
			sleep 0.2
		done 2>&1'
	wait
	same "$out" $'old\ngone\n.:\none\n\n.:\none\none one two old gone new\none one two old gone new\none one two old gone new'
}
# A file that is held without being open (O_PATH), whose name the host gives to another one: whatever is asked for by the
# descriptor does not happen to that one. It got the mode, the times, the size.
case_fileops_held_and_replaced_by_host() {
	mkdir share
	cat >share/t.pl <<'END'
use strict;
use Errno;
$| = 1;
my ($open, $setxattr, $lsetxattr) = (2, 188, 189);
my $name = "f";
my $fd = syscall($open, $name, 010000000);
die "O_PATH: $!" if $fd < 0;
open(my $ready, ">", "ready") or die;
close($ready);
select(undef, undef, undef, 0.02) until -e "go";
my $path = "/proc/self/fd/$fd";
sub told { my ($what, $ok) = @_; print "$what ", $ok ? "done" : $!{ESTALE} ? "ESTALE" : "$!", "\n" }
for (1, 2) {
	told("chmod", chmod(0600, $path));
	told("utime", utime(1000, 2000, $path));
	told("truncate", truncate($path, 1));
	my ($p, $n, $v) = ($path, "user.x", "value");
	told("setxattr", syscall($setxattr, $p, $n, $v, 5, 0) == 0);
	told("open", open(my $f, "<", $path));
}
# By its name it is the other one.
told("chmod by name", chmod(0640, $name));
printf "%o %d\n", (stat($name))[2] & 07777, -s _;
END
	echo old >share/f
	(
		for _ in $(seq "$(slow 300)"); do
			[ ! -e share/ready ] || break
			sleep 0.1
		done
		echo another >share/g
		chmod 644 share/g
		touch -d '2001-02-03 UTC' share/g
		mv share/g share/f
		touch share/go
	) &
	run -w /data -v "$PWD/share:/data" "$IMG" perl t.pl
	wait
	same "$out" "$(printf '%s ESTALE\n' chmod utime truncate setxattr open chmod utime truncate setxattr open)"$'\nchmod by name done\n640 8'
	same "$(cat share/f) $(stat -c '%a %Y' share/f)" 'another 640 981158400'
	expect 0 python3 -c 'import os; print(os.listxattr("share/f"))'
	hasnt "$out" user.x
}
case_fileops_replaced_by_guest() {
	mkdir share tools
	replace_program tools/t.pl
	echo '0  0' >share/file
	expect 0 skerry run -d --name writer -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/t.pl write /data "$(slow 6)"
	perl tools/t.pl read share 2 >host &
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/t.pl read /data 2
	wait
	same "$out" good 'in another guest'
	same "$(cat host)" good 'on the host'
	expect 0 skerry wait writer
}

# Names that mean another file, link or directory at every moment, and are always there: whatever is asked of them by
# their path succeeds, for root and others, as in a bind mount.
exchange_program() {
	cat >"$1" <<'END'
use strict;
use Time::HiRes qw(time);
my ($what, $dir, $seconds, $user) = @ARGV;
my $renameat2 = `uname -m` =~ /x86_64/ ? 316 : 276;
my ($end, $n, %bad) = (time + $seconds, 0);
$> = $user if $user;
while (time < $end) {
	$n++;
	if ($what eq "write") {
		open(my $f, ">", "$dir/new") or die "$dir/new: $!";
		close($f);
		rename("$dir/new", "$dir/file") or die $!;
		symlink($n % 2 ? "one" : "two", "$dir/link.new") or die $!;
		rename("$dir/link.new", "$dir/link") or die $!;
		my ($a, $b) = ("$dir/d", "$dir/other");
		syscall($renameat2, -100, $a, -100, $b, 2) == 0 or die "exchange: $!";
		next;
	}
	stat("$dir/file") or $bad{"stat: $!"}++;
	lstat("$dir/link") or $bad{"lstat: $!"}++;
	readlink("$dir/link") or $bad{"readlink: $!"}++;
	stat("$dir/link") or $bad{"stat of a link: $!"}++;
	open(my $g, "<", "$dir/link") or $bad{"open of a link: $!"}++;
	utime(undef, undef, "$dir/file") or $bad{"utime: $!"}++;
	$user or chmod(0666, "$dir/file") or $bad{"chmod: $!"}++;
	$user or chmod(0777, "$dir/d") or $bad{"chmod of a directory: $!"}++;
	stat("$dir/d") or $bad{"stat of a directory: $!"}++;
	stat("$dir/d/key") or $bad{"stat below: $!"}++;
	open(my $k, "<", "$dir/d/key") or $bad{"open below: $!"}++;
	open(my $c, ">", "$dir/d/made.$$") or $bad{"create below: $!"}++;
	opendir(my $d, "$dir/d") or $bad{"opendir: $!"}++, next;
	grep { $_ eq "key" } readdir($d) or $bad{"readdir: $!"}++;
}
print join(", ", map { "$_ ($bad{$_})" } sort keys %bad) || ($n > 10 ? "good" : "only $n"), "\n";
END
	mkdir share share/d share/other
	chmod 777 share share/d share/other
	echo key | tee share/d/key >share/other/key
	touch share/one share/two share/file
	chmod 666 share/file
	ln -s one share/link
}
exchange_readers='for user in "" "" 1234; do perl /tools/x.pl read /data SECONDS $user & done; wait'
case_fileops_exchanged_by_host() {
	mkdir tools
	exchange_program tools/x.pl
	(umask 0 && exec perl tools/x.pl write share "$(slow 8)") >/dev/null &
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c "${exchange_readers/SECONDS/$(slow 3)}"
	wait
	same "$out" $'good\ngood\ngood'
}
case_fileops_exchanged_by_guest() {
	mkdir tools
	exchange_program tools/x.pl
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c "umask 0; perl /tools/x.pl write /data $(slow 5) >/tmp/writer & ${exchange_readers/SECONDS/$(slow 3)}"
	same "$out" $'good\ngood\ngood'
}

# An overlay whose upper directory lies on a share, as dockerd and buildah make them in their data root.
case_fileops_overlay() {
	mkdir -p share/l/d share/l/gone
	echo low >share/l/f
	echo low >share/l/d/x
	echo g >share/l/gone/y
	ln -s f share/l/link
	mkfifo share/l/fifo
	run --privileged -v "$PWD/share:/s" "$IMG" sh -euc '
		cd /s
		mkdir u w m
		overlay() { mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m; }
		overlay
		echo up >m/f
		cat m/f l/f
		rm m/d/x
		ls m/d | wc -l
		rm -r m/gone
		mkdir m/gone
		ls m/gone | wc -l
		mv m/f m/f2
		ln m/f2 m/f3
		stat -c %h m/f2
		touch -h m/link
		chmod 600 m/fifo
		ln -s new m/link2
		umount m
		overlay
		ls m | tr "\n" " "
		stat -c "%F %t,%T" u/d/x u/f
		cat m/f3
		mv m/d m/d2 2>/dev/null || { cp -a m/d m/d2; rm -r m/d; }
		ls m | tr "\n" " "
		umount m'
	same "$out" $'up\nlow\n0\n0\n2\nd f2 f3 fifo gone link link2 character special file 0,0\ncharacter special file 0,0\nup\nd2 f2 f3 fifo gone link link2 '
	[ "$E2E_WHO" != root ] || same "$(stat -c '%F %t,%T' share/u/f)" 'character special file 0,0' 'on the host'
}

# trusted.* and security.*: for root with CAP_SYS_ADMIN, and nobody else sees that there are any.
case_fileops_privileged_attributes() {
	mkdir share
	echo x >share/f
	cat >share/t.pl <<'END'
use strict;
my ($set, $get, $list) = `uname -m` =~ /x86_64/ ? (188, 191, 194) : (5, 8, 11);
my ($path, @names) = ("/data/f", "trusted.t", "security.s", "user.u");
if ($ARGV[0] eq "set") {
	for (@names) { my ($n, $v) = ($_, "value"); print "$n: $!\n" if syscall($set, $path, $n, $v, 5, 0) != 0 }
}
for (@names) { my ($n, $b) = ($_, " " x 100); my $r = syscall($get, $path, $n, $b, 100); print "$n ", ($r < 0 ? "none" : substr($b, 0, $r)), "\n" }
my $b = " " x 1000;
my $r = syscall($list, $path, $b, 1000);
print join(" ", sort split(/\0/, substr($b, 0, $r))), "\n";
END
	run --privileged -v "$PWD/share:/data" "$IMG" perl /data/t.pl set
	same "$out" $'trusted.t value\nsecurity.s value\nuser.u value\nsecurity.s trusted.t user.u'
	run -v "$PWD/share:/data" "$IMG" perl /data/t.pl get
	same "$out" $'trusted.t none\nsecurity.s value\nuser.u value\nsecurity.s user.u'
	run -v "$PWD/share:/data" "$IMG" perl /data/t.pl set
	has "$out" '^trusted.t: Operation not permitted'
	has "$out" '^security.s: Operation not permitted'
}

# Who a symbolic link belongs to, also where a plain user shares it; the record follows the link, and nobody sees it.
case_fileops_link_owner() {
	mkdir share
	ln -s target share/host
	run -v "$PWD/share:/data" "$IMG" sh -euc '
		cd /data
		ln -s target l
		chown -h 5:6 l host
		mv l m
		mkdir d
		mv m d/n
		ln d/n second
		rm d/n
		stat -c "%n %u:%g" second host
		ls -A'
	same "$out" $'second 5:6\nhost 5:6\nd\nhost\nsecond'
	# Another guest, later.
	run -v "$PWD/share:/data" "$IMG" sh -c 'cd /data; stat -c %u:%g second; rm -r second host d'
	same "$out" 5:6
	same "$(ls -A share)" '' 'left behind'
}

# Handles of files: opened again after a rename, by whoever may; stale when the file is gone.
case_fileops_handles() {
	mkdir share
	echo text >share/f
	cat >share/t.pl <<'END'
use strict;
sub handle {
	my $h = pack("IIx128", 128, 0);
	my ($id, $name) = (pack("i", 0), $_[0] . "");
	syscall(303, -100, $name, $h, $id, 0) == 0 or die "name_to_handle_at: $!\n";
	return $h;
}
sub opened {
	my ($mount, $h) = @_;
	my $fd = syscall(304, fileno($mount), $h, 0);
	return "$!" if $fd < 0;
	open(my $f, "<&=", $fd);
	return join("", <$f>);
}
open(my $mount, "<", ".") or die;
my $h = handle("f");
print "same\n" if $h eq handle("f") && $h ne handle("t.pl");
rename("f", "g");
print opened($mount, $h);
unlink("g");
print opened($mount, $h), "\n";
print opened($mount, pack("IIx128", 16, 0x39)), "\n";
print opened($mount, pack("IIx128", 4, 0x39)), "\n";
END
	run --cap-add DAC_READ_SEARCH -w /data -v "$PWD/share:/data" "$IMG" perl t.pl
	same "$out" $'same\ntext\nStale file handle\nStale file handle\nStale file handle'
	echo text >share/f
	expect 1 skerry run --rm -w /data -v "$PWD/share:/data" "$IMG" perl -e 'my $h = pack("IIx128", 16, 0x39); open(my $m, "<", "."); exit(syscall(304, fileno($m), $h, 0) < 0 ? 1 : 0)'
}

# Handles of files that the guest's kernel does not have in memory any more: by the names that they have got since.
case_fileops_handles_without_memory() {
	mkdir -p share/d/e
	echo text >share/d/e/f
	echo held >share/k
	cat >share/t.pl <<'END'
use strict;
sub handle {
	my $h = pack("IIx128", 128, 0);
	my ($id, $name) = (pack("i", 0), $_[0] . "");
	syscall(303, -100, $name, $h, $id, 0) == 0 or die "name_to_handle_at: $!\n";
	return $h;
}
open(my $mount, "<", ".") or die;
sub opened {
	my ($what, $h) = @_;
	open(my $drop, ">", "/proc/sys/vm/drop_caches") or die;
	syswrite($drop, "3");
	my $fd = syscall(304, fileno($mount), $h, 0);
	print("$what: $!\n"), return if $fd < 0;
	my $path = readlink("/proc/self/fd/$fd");
	open(my $f, "<&=", $fd);
	print "$what: $path ", -d $f ? "directory\n" : <$f>;
}
my ($f, $e, $k) = map { handle($_) } "d/e/f", "d/e", "k";
opened("as it was", $f);
opened("directory", $e);
rename("d/e/f", "d/e/g");
opened("renamed", $f);
rename("d", "dd");
opened("below a renamed directory", $f);
opened("directory", $e);
link("dd/e/g", "dd/l");
unlink("dd/e/g");
opened("linked", $f);
mkdir("new");
rename("dd/l", "new/m");
opened("moved", $f);
open(my $held, "<", "k");
unlink("k");
opened("removed and open", $k);
close($held);
opened("closed", $k);
unlink("new/m");
opened("removed", $f);
open(my $again, ">", "new/m");
opened("made again", $f);
END
	run --privileged -w /data -v "$PWD/share:/data" "$IMG" perl t.pl
	same "$out" 'as it was: /data/d/e/f text
directory: /data/d/e directory
renamed: /data/d/e/g text
below a renamed directory: /data/dd/e/g text
directory: /data/dd/e directory
linked: /data/dd/l text
moved: /data/new/m text
removed and open: /data/k (deleted) held
closed: Stale file handle
removed: Stale file handle
made again: Stale file handle'
}

# The guest's kernel once looked for the access control lists of a link with attributes, and panicked.
# case: root-only
case_fileops_link_with_attributes() {
	mkdir "$WORK/s"
	ln -s target "$WORK/s/link"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], b"trusted.x", b"1", follow_symlinks=False)' "$WORK/s/link" || skip 'no attributes of links here'
	run -v "$WORK/s:/s" "$IMG" sh -c 'ls -l /s; readlink /s/link'
	has "$out" 'link -> target'
	has "$out" '^target$'
}
