# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What others change about files and directories of a share, as a guest sees it and is told of it; access control lists.

# watch_program FILE: a program for guests that prints inotify events, `EVENT PATH[ dir]` a line: `watch.pl MASK PATH…`.
watch_program() {
	mkdir -p "${1%/*}"
	cat >"$1" <<'END'
use strict;
$| = 1;
my %bits = (0x1 => "access", 0x2 => "modify", 0x4 => "attrib", 0x8 => "close_write", 0x10 => "close_nowrite", 0x20 => "open",
	0x40 => "moved_from", 0x80 => "moved_to", 0x100 => "create", 0x200 => "delete", 0x400 => "delete_self");
my $fd = syscall(294, 0);
open(my $in, "<&=", $fd) or die;
my $mask = hex(shift);
my %names;
for my $path (@ARGV) {
	my $p = $path;
	my $wd = syscall(254, $fd, $p, $mask);
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
			print "$bits{$bit} $names{$wd}", ($len ? "/$name" : ""), ($mask & 0x40000000 ? " dir" : ""), "\n" if $mask & $bit;
		}
	}
}
END
}
# start_watcher: a guest with share as /data and the program; watch FILE MASK PATH…: runs it, its lines go to FILE.
start_watcher() {
	mkdir -p share
	watch_program tools/watch.pl
	expect 0 skerry run -d --name watcher -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
}
watch() {
	local to=$1
	shift
	skerry exec watcher perl /tools/watch.pl "$@" >"$to" 2>&1 &
	until_ok 20 grep -q ready "$to"
}

# A directory that was looked at, whose mode, owner or attributes change on the host: soon, not when the lease has run out.
case_notices_directory_attributes() {
	mkdir -p share/d/e
	echo x >share/d/f
	chmod 755 share share/d share/d/e
	start_watcher
	expect 0 skerry exec watcher sh -c 'stat /data /data/d /data/d/e; cat /data/d/f'
	expect 0 skerry exec -u 4321 watcher ls /data/d
	chmod 700 share/d
	until_ok 3 skerry exec watcher sh -c '[ "$(stat -c %a /data/d)" = 700 ]'
	expect 2 skerry exec -u 4321 watcher ls /data/d
	chmod 751 share
	until_ok 3 skerry exec watcher sh -c '[ "$(stat -c %a /data)" = 751 ]'
	chmod 705 share/d/e
	until_ok 3 skerry exec watcher sh -c 'cd /data/d/e && [ "$(stat -c %a .)" = 705 ]'
	if [ "$(id -u)" = 0 ]; then
		chown 77:88 share/d/e
		until_ok 3 skerry exec watcher sh -c '[ "$(stat -c %u:%g /data/d/e)" = 77:88 ]'
	fi
}

case_notices_directory_inotify() {
	mkdir -p share/d/e
	start_watcher
	expect 0 skerry exec watcher stat /data/d /data/d/e
	watch events fc6 /data /data/d/e
	chmod 700 share/d/e
	until_ok 5 grep -qx 'attrib /data/d/e dir' events
	chmod 700 share/d
	until_ok 5 grep -qx 'attrib /data/d dir' events
	chmod 750 share
	until_ok 5 grep -qx 'attrib /data dir' events
	# The guest's own is told of once.
	expect 0 skerry exec watcher chmod 711 /data/d
	touch share/last
	until_ok 5 grep -qx 'create /data/last' events
	same "$(grep -c 'attrib /data/d dir' events)" 2
}

# File systems without a number (fsid), beside one that has it: the host's kernel wants a group of notices for each, whichever was first.
# case: mount=ntfs
case_notices_fuse() {
	local order
	[ "$(printf '6.8\n%s\n' "$(uname -r)" | sort -V | head -n 1)" = 6.8 ] || skip 'notices of FUSE are for Linux 6.8 and newer'
	mkdir -p share/d "$E2E_MOUNT/d"
	watch_program tools/watch.pl
	for order in "$PWD/share:/data $E2E_MOUNT:/fuse" "$E2E_MOUNT:/fuse $PWD/share:/data"; do
		expect 0 skerry run -d --name watcher -v "${order% *}" -v "${order#* }" -v "$PWD/tools:/tools:ro" "$IMG" sleep 1000
		expect 0 skerry exec watcher stat /data/d /fuse/d
		watch events fc6 /data /data/d /fuse /fuse/d
		touch share/one share/d/two "$E2E_MOUNT/three" "$E2E_MOUNT/d/four"
		until_ok 5 grep -qx 'create /data/one' events
		until_ok 5 grep -qx 'create /data/d/two' events
		until_ok 5 grep -qx 'create /fuse/three' events
		until_ok 5 grep -qx 'create /fuse/d/four' events
		expect 0 skerry exec watcher sh -c 'rm /data/one /data/d/two /fuse/three /fuse/d/four'
		expect 0 skerry rm -f watcher
	done
}

# What changes without a system call on the file system that is shared, as on a network, has no notices: nothing of it is used for long.
# case: mount=bindfs
case_notices_from_behind() {
	local behind=$E2E_MOUNT.behind
	mkdir "$behind/d"
	echo old >"$behind/d/f"
	expect 0 skerry run -d --name watcher -v "$E2E_MOUNT:/data" "$IMG" sleep 1000
	expect 0 skerry exec watcher sh -c 'for i in 1 2 3; do ls /data/d; stat /data/d /data/d/f; cat /data/d/f; cat /data/d/new; sleep 0.2; done; exit 0'
	echo newer >"$behind/d/g"
	mv "$behind/d/g" "$behind/d/f"
	echo new >"$behind/d/new"
	chmod 700 "$behind/d"
	# bindfs and this share use what they know for a second each.
	sleep 2.5
	expect 0 skerry exec watcher sh -c 'cat /data/d/f /data/d/new; ls /data/d; stat -c %a /data/d'
	same "$out" $'newer\nnew\nf\nnew\n700'
}

set_acl() { skerry exec watcher perl /tools/acl.pl /data/f "$@"; }

# A list that says no more than the mode does is none: on the server, in the guest's cache, for ls.
case_notices_acl_of_a_mode() {
	start_watcher
	cat >tools/acl.pl <<'END'
# acl.pl FILE TAG:PERM[:ID]…: sets system.posix_acl_access. Nothing: takes it away. Prints what is there afterwards.
use strict;
my $path = shift;
my %tags = (u => 1, user => 2, g => 4, group => 8, mask => 16, o => 32);
my $name = "system.posix_acl_access";
if (@ARGV) {
	my $acl = pack("I", 2);
	for (@ARGV) { my ($tag, $perm, $id) = split /:/; $acl .= pack("SSI", $tags{$tag}, $perm, $id // 0xffffffff); }
	syscall(188, $path, $name, $acl, length($acl), 0) == 0 or die "setxattr: $!\n";
} else { syscall(197, $path, $name) == 0 or die "removexattr: $!\n"; }
my $buf = "\0" x 1000;
my $n = syscall(191, $path, $name, $buf, 1000);
my $list = "\0" x 1000;
my $listed = syscall(194, $path, $list, 1000);
printf "%s %s %o\n", $n < 0 ? "none" : $n, (index(substr($list, 0, $listed), $name) < 0 ? "unlisted" : "listed"), (stat($path))[2] & 07777;
END
	touch share/f
	chmod 666 share/f
	expect 0 set_acl u:4 g:7 o:6
	same "$out" 'none unlisted 476'
	expect 0 set_acl u:6 user:7:5 g:4 mask:7 o:0
	same "$out" '44 listed 670'
	expect 0 set_acl u:6 g:4 o:0
	same "$out" 'none unlisted 640'
	expect 0 set_acl u:6 user:7:5 g:4 mask:7 o:0
	expect 0 set_acl
	same "$out" 'none unlisted 670'
	# The host says the same.
	expect 0 python3 -c 'import os; print([a for a in os.listxattr("share/f") if "acl" in a])'
	same "$out" '[]'
	expect 0 skerry exec watcher sh -c 'chmod 600 /data/f && ls -l /data/f'
	hasnt "$out" '^..........[+]'
}

# A list that the host sets holds for a file that is known already.
# case: root-only
case_notices_acl_of_the_host() {
	local set='import os, struct, sys
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in eval(sys.argv[2]))
os.setxattr(sys.argv[1], "system.posix_acl_access", acl)'
	local none=4294967295
	mkdir -p share/d
	echo secret >share/f
	chmod 600 share/f
	chmod 700 share/d
	chmod 755 share
	start_watcher
	expect 0 skerry exec watcher sh -c 'exec 3</data/f; stat -L /dev/fd/3; ls -ld /data/d /data/f'
	expect 1 skerry exec -u 4321 watcher cat /data/f
	expect 2 skerry exec -u 4321 watcher ls /data/d
	python3 -c "$set" share/f "[(1, 6, $none), (2, 4, 4321), (4, 0, $none), (16, 4, $none), (32, 0, $none)]"
	python3 -c "$set" share/d "[(1, 7, $none), (2, 5, 4321), (4, 0, $none), (16, 5, $none), (32, 0, $none)]"
	until_ok 3 skerry exec -u 4321 watcher cat /data/f
	until_ok 3 skerry exec -u 4321 watcher ls /data/d
	# Attributes that were asked for by a descriptor first.
	python3 -c "$set" share/d "[(1, 7, $none), (2, 0, 4321), (4, 0, $none), (16, 5, $none), (32, 0, $none)]"
	sleep 0.2
	expect 0 skerry exec watcher sh -c 'cd /data/d && stat .'
	expect 2 skerry exec -u 4321 watcher ls /data/d
}

# As many watches as editors and bundlers set for large trees.
case_notices_many_watches() {
	start_watcher
	cat >tools/many.pl <<'END'
my $fd = syscall(294, 0);
my $n = 0;
chdir("/tmp");
for my $i (1 .. 30000) {
	my $d = "d$i";
	mkdir($d) or die "$d: $!";
	die "$n watches: $!\n" if syscall(254, $fd, $d, 0xfc6) < 0;
	$n++;
}
my @instances;
for (1 .. 500) { my $i = syscall(294, 0); die scalar(@instances) . " instances: $!\n" if $i < 0; push @instances, $i; }
print "$n\n";
END
	expect 0 skerry exec watcher perl /tools/many.pl
	same "$out" 30000
}

# A file that the host has written and closed: what build tools and incron wait for. The same events as the host's own
# watchers get, for what people do to files; what the guest does, it is told of once.
case_notices_close_write() {
	local native
	mkdir -p share/elsewhere
	echo old >share/old
	start_watcher
	perl tools/watch.pl fce share >native &
	native=$!
	until_ok 20 grep -q ready native
	watch events fce /data
	echo one >share/new
	sleep 0.1
	echo more >>share/old
	sleep 0.1
	cp share/old share/copy
	sleep 0.1
	sed -i s/old/new/ share/old
	sleep 0.1
	echo saved >share/.old.swp
	sleep 0.1
	mv share/.old.swp share/old
	sleep 0.1
	touch share/new
	cat share/new >/dev/null
	sleep 0.1
	# Renamed away before it is closed.
	perl -e 'open my $f, ">", "share/moving"; syswrite $f, "x"; select undef, undef, undef, 0.1; rename "share/moving", "share/elsewhere/moved"; select undef, undef, undef, 0.1; close $f'
	sleep 0.1
	mv share/elsewhere/moved share/last
	until_ok 10 grep -q 'moved_to /data/last' events
	until_ok 10 grep -q 'moved_to share/last' native
	kill "$native"
	wait "$native" || true
	# What happened to one file within 10 ms comes together: attributes may change places with contents.
	same "$(sed '/^attrib/d; s, /data, share,' events | uniq)" "$(sed '/^attrib/d' native | uniq)"
	same "$(grep -c '^attrib /data/new' events)" 1
	expect 0 skerry exec watcher sh -c 'echo inside >/data/inside; sleep 0.5'
	same "$(grep -c 'close_write /data/inside' events)" 1
	# A single file.
	ok skerry run -d --name single -v "$PWD/share/old:/single" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/watch.pl 8 /single
	until_ok 20 sh -c 'skerry logs single | grep -q ready'
	echo again >>share/old
	until_ok 10 sh -c 'skerry logs single | grep -q "close_write /single"'
	ok skerry rm -f single
}

# What the host opens, reads and closes is told of where a program wants to know, and only there; a file that the guest itself
# opens is told of once.
case_notices_opens() {
	local native
	mkdir -p share/quiet
	echo text >share/f
	echo text >share/quiet/f
	start_watcher
	perl tools/watch.pl 3f share >native &
	native=$!
	until_ok 20 grep -q ready native
	watch events 3f /data
	watch file 31 /data/quiet/f
	cat share/f
	sleep 0.1
	echo more >>share/f
	sleep 0.1
	ls share
	sleep 0.1
	cat share/quiet/f
	sleep 0.1
	touch share/f
	until_ok 10 grep -q 'attrib share/f' native
	until_ok 10 grep -q 'attrib /data/f' events
	kill "$native"
	wait "$native" || true
	# Equal ones within 10 ms are one; the order of attributes and contents is ours.
	same "$(sed 's, /data, share,; s,^ready.*,,' events | sed '/^attrib/d' | uniq)" "$(sed 's,^ready.*,,; /^attrib/d' native | uniq)"
	until_ok 10 grep -q '^close_nowrite /data/quiet/f' file
	same "$(cat file)" "$(printf '%s\n' ready 'open /data/quiet/f' 'access /data/quiet/f' 'close_nowrite /data/quiet/f')"
	expect 0 skerry exec watcher sh -c 'cat /data/f >/dev/null; sleep 0.5'
	same "$(grep -c '^close_nowrite /data/f' events)" 2
}
