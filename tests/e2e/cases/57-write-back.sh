# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What a program has written to a shared directory, or set of a file there: when it reaches the host, what it costs until
# then, and how the program is told that it could not be written.

# Attributes that were acknowledged while a file is new survive a later change that the host refuses.
case_write_back_attributes_kept() {
	mkdir -p share tools
	cat >tools/due.pl <<'END'
use strict;
use Errno;
use Fcntl;
umask 0;
for my $look (0, 1) {
	my $name = "/data/new$look";
	sysopen my $f, $name, O_CREAT | O_RDWR | O_EXCL, 0644 or die;
	chmod 0600, $f or die;
	utime 1000, 2000, $f or die;
	stat $f if $look;
	# Larger than any file may be.
	truncate $f, 1 << 46 and die;
	print $!{EFBIG} ? "refused" : "error $!", "\n";
	printf "open %o %d\n", (stat $f)[2] & 07777, (stat _)[9];
	close $f or die;
	printf "closed %o %d\n", (stat $name)[2] & 07777, (stat _)[9];
}
END
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/due.pl
	same "$out" "$(printf 'refused\nopen 600 2000\nclosed 600 2000\nrefused\nopen 600 2000\nclosed 600 2000')"
	same "$(stat -c '%a %X %Y' share/new0 share/new1)" "$(printf '600 1000 2000\n600 1000 2000')" 'on the host'
}

# Writing a file piece by piece, each sent to the host, takes no memory of the guest's kernel.
case_write_back_records() {
	mkdir -p share tools
	cat >tools/records.pl <<'END'
use strict;
sub unreclaimable { open my $m, "<", "/proc/meminfo" or die; my ($kib) = join("", <$m>) =~ /^SUnreclaim:\s+(\d+)/m; $kib }
open my $f, "+>", "/data/file" or die;
truncate $f, 16 << 20;
my $before = unreclaimable();
for my $i (1 .. 6000) {
	my $at = $i * 7919 % 4096 * 4096;
	sysseek $f, $at, 0;
	syswrite $f, "x" x 4096;
	# sync_file_range: write it, wait for none of it
	syscall(277, fileno $f, $at, 4096, 2) == 0 or die;
}
my $grown = unreclaimable() - $before;
print $grown < 8192 ? "bounded" : "grown by $grown KiB", "\n";
END
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/records.pl
	same "$out" bounded
}

# What is written without O_APPEND, and what is set, is on the host within a second, though the file stays open.
case_write_back_within_a_second() {
	mkdir -p share tools
	cat >tools/writer.pl <<'END'
use strict;
$| = 1;
open my $log, ">", "/data/log" or die;
chmod 0640, $log or die;
for my $word (qw(one two three)) {
	<STDIN>;
	syswrite $log, "$word\n";
	print "written $word\n";
}
<STDIN>;
END
	mkfifo keys
	skerry run --rm -i -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/writer.pl <keys >said &
	local child=$! word
	exec 7>keys
	for word in one two three; do
		echo >&7
		until_ok 20 grep -q "written $word" said
		until_ok 2 grep -q "$word" share/log
	done
	same "$(stat -c %a share/log)" 640
	echo >&7
	exec 7>&-
	wait "$child"
}

# A host disk that is full: write and fsync say so, with the right error; what was told to be written is there.
# case: root-only
case_write_back_full_disk() {
	mkdir -p share tools
	cat >tools/full.pl <<'END'
use strict;
use IO::Handle;
sub told { $!{ENOSPC} ? "ENOSPC" : "error $!" }
# Small and large pieces, from the start or with O_APPEND: the write that does not fit fails, what was written before is kept.
for my $how (">", ">>") {
	for my $size (512, 100_000, 3 << 20) {
		open my $f, $how, "/data/f" or die;
		my ($piece, $done, $n) = ("x" x $size, 0, 0);
		$done += $n while $done < 16 << 20 && ($n = syswrite $f, $piece);
		print "$how $size: write ", told();
		print $f->sync ? ", sync ok" : ", sync " . told();
		print close $f ? ", close ok" : ", close " . told();
		print -s "/data/f" == $done && $done > 3 << 20 ? "" : ", $done written, " . -s _, "\n";
		unlink "/data/f";
	}
}
END
	mount -t tmpfs -o size=4m,mode=0777 none share
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c '
		perl /tools/full.pl
		mkdir /data/many && cd /data/many && i=0
		while echo "file $i" 2>/dev/null >"$i"; do i=$((i + 1)); [ "$i" -lt 2000 ] || break; done
		ls | while read -r f; do [ -s "$f" ] || [ "$f" = "$i" ] || echo "$f is lost"; done
		head -c 8M /dev/zero >/data/big || echo "told $?"'
	umount share
	local how size want=
	for how in '>' '>>'; do
		for size in 512 100000 3145728; do
			want+="$how $size: write ENOSPC, sync ok, close ok"$'\n'
		done
	done
	same "$out" "${want}told 1"
}
