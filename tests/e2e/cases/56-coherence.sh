# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Changes made on the host and in other guests, as a guest sees them: contents, attributes, inotify, locks.

# A program for the guest: prints the inotify events of the directories (or files) that it is given, one a line, and "ready"
# before. With the interpreter of every Debian system, so that the image needs nothing installed.
inotify_program() {
	cat >"$1" <<'END'
use strict;
$| = 1;
my ($init, $add) = `uname -m` =~ /x86_64/ ? (294, 254) : (26, 27);
my %bits = (0x2 => "modify", 0x4 => "attrib", 0x40 => "moved_from", 0x80 => "moved_to", 0x100 => "create",
	0x200 => "delete", 0x400 => "delete_self", 0x800 => "move_self");
my $fd = syscall($init, 0);
open(my $in, "<&=", $fd) or die;
my %names;
for my $path (@ARGV) {
	my $p = $path;
	my $wd = syscall($add, $fd, $p, 0xfc6);
	die "cannot watch $path: $!" if $wd < 0;
	$names{$wd} = $path;
}
print "ready\n";
while (sysread($in, my $buf, 65536)) {
	while (length($buf) >= 16) {
		my ($wd, $mask, $cookie, $len) = unpack("iIII", $buf);
		my $name = unpack("Z*", substr($buf, 16, $len));
		$buf = substr($buf, 16 + $len);
		for my $bit (sort { $a <=> $b } keys %bits) {
			print "$bits{$bit} $names{$wd}/$name", ($mask & 0x40000000 ? " dir" : ""), ($cookie ? " cookie" : ""), "\n" if $mask & $bit;
		}
	}
}
END
}

# watch_in_guest FILE PATH...: starts the program in the container "watcher"; its lines go to FILE on the host.
watch_in_guest() {
	local to=$1
	shift
	skerry exec watcher perl /tools/watch.pl "$@" >"$to" 2>&1 &
	until_ok 20 grep -q ready "$to"
}

case_coherence_inotify() {
	mkdir -p share/sub tools
	inotify_program tools/watch.pl
	echo old >share/old
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	watch_in_guest events /data /data/sub
	echo x >share/new
	until_ok 10 grep -qx 'create /data/new' events
	until_ok 10 grep -qx 'modify /data/new' events
	mkdir share/dir
	until_ok 10 grep -qx 'create /data/dir dir' events
	chmod 600 share/old
	until_ok 10 grep -qx 'attrib /data/old' events
	mv share/old share/sub/moved
	until_ok 10 grep -qx 'moved_from /data/old cookie' events
	until_ok 10 grep -qx 'moved_to /data/sub/moved cookie' events
	rm share/new
	until_ok 10 grep -qx 'delete /data/new' events
	rmdir share/dir
	until_ok 10 grep -qx 'delete /data/dir dir' events
	# In the order in which it was done.
	local order
	order=$(grep -nE '^(create /data/new|moved_from|delete /data/new)' events | cut -d: -f2 | cut -d' ' -f1 | tr '\n' ' ')
	same "$order" 'create moved_from delete '
}

# What the guest does itself it is told of once, by its own kernel.
case_coherence_inotify_no_echo() {
	mkdir -p share tools
	inotify_program tools/watch.pl
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	watch_in_guest events /data
	expect 0 skerry exec watcher sh -c 'mkdir /data/d && rmdir /data/d && echo x >/data/f && mv /data/f /data/g && rm /data/g'
	# A change of the host's comes after all that the server could have to say of those.
	touch share/last
	until_ok 10 grep -qx 'create /data/last' events
	same "$(grep -c 'create /data/d' events)" 1
	same "$(grep -c 'delete /data/d' events)" 1
	same "$(grep -c 'create /data/f' events)" 1
	same "$(grep -c 'moved_from /data/f' events)" 1
	same "$(grep -c 'moved_to /data/g' events)" 1
	same "$(grep -c 'delete /data/g' events)" 1
}

# within_second COMMAND…: true after a second, and then for good.
within_second() {
	sleep 1
	expect 0 "$@"
}

case_coherence_attributes() {
	mkdir -p share/d
	echo one >share/f
	echo gone >share/d/g
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" "$IMG" sleep 1000
	# All of it is in the guest's caches now.
	expect 0 skerry exec watcher sh -c 'cat /data/f /data/d/g; stat /data/f /data/d /data/d/g; ls /data/none 2>/dev/null; true'
	echo two-and-longer >share/f
	within_second skerry exec watcher sh -c '[ "$(cat /data/f)" = two-and-longer ] && [ "$(stat -c %s /data/f)" = 15 ]'
	# The same length, the same name, another file.
	printf 'two-and-LONGER\n' >share/f.new
	mv share/f.new share/f
	within_second skerry exec watcher sh -c '[ "$(cat /data/f)" = two-and-LONGER ]'
	chmod 640 share/f
	within_second skerry exec watcher sh -c '[ "$(stat -c %a /data/f)" = 640 ]'
	rm -r share/d
	within_second skerry exec watcher sh -c '[ ! -e /data/d/g ] && [ ! -e /data/d ]'
	echo now >share/none
	within_second skerry exec watcher sh -c '[ "$(cat /data/none)" = now ]'
}

# A single file as a bind: as in a directory that is watched.
case_coherence_single_file() {
	mkdir -p directory tools
	inotify_program tools/watch.pl
	echo one >directory/file
	chmod 644 directory/file
	expect 0 skerry run -d --name watcher -v "$PWD/directory/file:/etc/file" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	expect 0 skerry exec watcher sh -c 'cat /etc/file; stat /etc/file'
	watch_in_guest events /etc/file
	echo two-and-longer >directory/file
	until_ok 10 grep -qx 'modify /etc/file/' events
	expect 0 skerry exec watcher sh -c 'cat /etc/file; stat -c %s /etc/file'
	same "$out" $'two-and-longer\n15'
	# The same length: only the event can tell.
	echo TWO-and-longer >directory/file
	within_second skerry exec watcher cat /etc/file
	same "$out" TWO-and-longer
	chmod 604 directory/file
	until_ok 10 grep -qx 'attrib /etc/file/' events
	expect 0 skerry exec watcher stat -c %a /etc/file
	same "$out" 604
	# What the guest writes it is told of once, and the host sees it.
	: >events
	expect 0 skerry exec watcher sh -c 'echo guest >>/etc/file'
	same "$(tail -1 directory/file)" guest
	sleep 0.5
	same "$(grep -ac 'modify' events)" 1
	# The name is given to another file, as editors do.
	echo 'another file' >directory/new
	mv directory/new directory/file
	until_ok 10 skerry exec watcher grep -qx 'another file' /etc/file
	until_ok 10 sh -c '[ "$(grep -ac modify events)" = 2 ]'
	echo 'that was changed' >>directory/file
	within_second skerry exec watcher cat /etc/file
	same "$out" $'another file\nthat was changed'
	expect 0 skerry exec watcher sh -c 'echo by the guest >/etc/file'
	same "$(cat directory/file)" 'by the guest'
	# Removed and made anew; what is not a file does not count.
	rm directory/file
	echo 'made anew' >directory/file
	until_ok 10 skerry exec watcher grep -qx 'made anew' /etc/file
	rm directory/file
	ln -s /etc/passwd directory/file
	sleep 1
	expect 0 skerry exec watcher cat /etc/file
	same "$out" 'made anew'
}
case_coherence_single_file_readonly() {
	mkdir -p directory
	echo one >directory/file
	expect 0 skerry run -d --name watcher -v "$PWD/directory/file:/etc/file:ro" "$IMG" sleep 1000
	echo two >directory/new
	mv directory/new directory/file
	until_ok 10 skerry exec watcher grep -qx two /etc/file
	expect 2 skerry exec watcher sh -c 'echo no >/etc/file'
	same "$(cat directory/file)" two
}

# A file that a program has open and mapped.
case_coherence_open_file() {
	mkdir share
	printf 'aaaaaaaaaa' >share/f
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" "$IMG" sleep 1000
	skerry exec watcher perl -e '$| = 1; open(my $f, "<", "/data/f"); for (1 .. 200) { seek($f, 0, 0); sysseek($f, 0, 0); sysread($f, my $b, 100); print "$b\n"; select(undef, undef, undef, 0.1) }' >seen &
	until_ok 20 grep -qx aaaaaaaaaa seen
	printf 'bbbbbbbbbb' | dd of=share/f conv=notrunc status=none
	until_ok 5 grep -qx bbbbbbbbbb seen
	printf 'cc' >>share/f
	until_ok 5 grep -qx bbbbbbbbbbcc seen
	: >share/f
	until_ok 5 grep -qx '' seen
}

# Two guests add to one number under a lock.
counter_program() {
	cat >"$1" <<'END'
use strict;
use Fcntl qw(:DEFAULT :flock SEEK_SET F_SETLKW F_WRLCK F_UNLCK);
my ($path, $rounds, $kind) = @ARGV;
open(my $f, "+<", $path) or die "$path: $!";
for (1 .. $rounds) {
	if ($kind eq "flock") { flock($f, LOCK_EX) or die $! }
	else { my $l = pack("s s x4 l! l! i x4", F_WRLCK, SEEK_SET, 0, 0, 0); fcntl($f, F_SETLKW, $l) or die $! }
	sysseek($f, 0, SEEK_SET);
	sysread($f, my $n, 32);
	sysseek($f, 0, SEEK_SET);
	syswrite($f, sprintf("%08d", $n + 1));
	if ($kind eq "flock") { flock($f, LOCK_UN) or die $! }
	else { my $l = pack("s s x4 l! l! i x4", F_UNLCK, SEEK_SET, 0, 0, 0); fcntl($f, F_SETLKW, $l) or die $! }
}
END
}

# case: timeout=180
case_coherence_locks_two_guests() {
	local kind
	mkdir -p share tools
	counter_program tools/count.pl
	expect 0 skerry run -d --name one -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	expect 0 skerry run -d --name two -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
	for kind in fcntl flock; do
		printf '%08d' 0 >share/n
		skerry exec one perl /tools/count.pl /data/n 500 "$kind" &
		local first=$!
		skerry exec one perl /tools/count.pl /data/n 500 "$kind" &
		local second=$!
		expect 0 skerry exec two perl /tools/count.pl /data/n 500 "$kind"
		wait "$first" "$second"
		same "$(cat share/n)" 00001500 "$kind"
	done
}

# A lock that a shell holds through a descriptor is not released by the end of the program that took it.
case_coherence_flock_descriptor() {
	mkdir share
	touch share/l
	expect 0 skerry run -d --name one -v "$PWD/share:/data" "$IMG" sleep 1000
	expect 0 skerry run -d --name two -v "$PWD/share:/data" "$IMG" sleep 1000
	skerry exec one sh -c 'exec 9>/data/l; flock 9; echo held >/data/held; while [ ! -e /data/release ]; do sleep 0.1; done; flock -u 9; sleep 100' &
	until_ok 20 test -e share/held
	expect 1 skerry exec two flock -n /data/l true
	touch share/release
	until_ok 20 skerry exec two flock -n /data/l true
}

# What guests and the host write next to each other in one page, within a moment and without locks, stays: each sends what it has
# written, and no more. Two of three were lost.
case_coherence_disjoint_writes() {
	local i

	mkdir -p share
	expect 0 skerry run -d --name one -v "$PWD/share:/data" "$IMG" sleep 1000
	expect 0 skerry run -d --name two -v "$PWD/share:/data" "$IMG" sleep 1000
	for i in $(seq 400); do printf .; done >share/f
	write() { printf 'open(my $f, "+<", "%s/f"); sysread $f, my $b, 400; $b = "%s" x 50; for (%s) { sysseek $f, $_, 0; syswrite $f, $b; } print "written\\n"; $| = 1; print ""; sleep 3' "$@"; }
	skerry exec one perl -e "$(write /data A '0, 200')" &
	local one=$!
	skerry exec two perl -e "$(write /data B '50, 250')" &
	local two=$!
	perl -e "$(write "$PWD/share" H '100, 300')"
	wait "$one" "$two"
	for i in A B H .; do
		same "$(tr -cd "$i" <share/f | wc -c)" 100 "$i"
	done
	same "$(skerry exec one cat /data/f)" "$(cat share/f)"
}

# A mapping beyond the end of a file is good when others have made the file longer. A directory that the host moves is known by
# its new name to who stands in it, and watchers hear what becomes of it.
case_coherence_grown_and_moved() {
	mkdir -p share/d/e
	printf x >share/f
	expect 0 skerry run -d --name one -v "$PWD/share:/data" "$IMG" perl -e '
		open(my $f, "+<", "/data/f");
		my $p = syscall(9, 0, 8192, 1, 1, fileno($f), 0);
		my $fd = syscall(253);
		my $path = "/data/d/e";
		syscall(254, $fd, $path, 0xc00);
		chdir "/data/d/e"; opendir my $d, "."; readdir $d;
		open(my $r, ">", "/data/ready"); close $r;
		select undef, undef, undef, 0.05 until -e "/data/go";
		select undef, undef, undef, 0.5;
		print unpack("x4096 A1", unpack("P8192", pack("Q", $p))), " ", readlink("/proc/self/cwd"), "\n";
		sysread_n(); sub sysread_n { open(my $i, "<&=", $fd); sysread $i, my $b, 4096; print join(" ", map { sprintf "%x", $_ } unpack("x4 L x8", $b)), "\n" }'
	until_ok 20 test -e share/ready
	head -c 8192 /dev/zero | tr '\0' z >share/more
	cat share/more >share/f
	mv share/d/e share/d/e2
	touch share/go
	expect 0 skerry wait one
	same "$(skerry logs one)" $'z /data/d/e2\n800'
}
