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

# Small writes with O_APPEND do not wait for the host, and yet: whoever looks finds them, lines of several writers are whole
# and in order, and one costs about what a plain write costs.
# case: timeout=90
case_write_back_appends() {
	mkdir -p share tools
	cat >tools/append.pl <<'END'
use strict;
use Fcntl qw(:DEFAULT :seek);
use Time::HiRes qw(time);
use IO::Handle;
my ($what, $name, $n) = @ARGV;
sub lines { my ($flags, $n) = @_;
	sysopen my $f, "/data/$name", O_CREAT | O_WRONLY | $flags, 0666 or die;
	my $begun = time;
	syswrite($f, sprintf "%s %07d %s\n", $name, $_, "x" x 100) or die for 1 .. $n;
	close $f or die;
	(time - $begun) / $n;
}
if ($what eq "cost") {
	my $least = 1e9;
	for (1 .. 4) {
		my $plain = lines(O_TRUNC, $n);
		my $ratio = lines(O_TRUNC | O_APPEND, $n) / $plain;
		$least = $ratio if $ratio < $least;
	}
	print $least < 4 ? "cheap" : "append costs $least plain writes", "\n";
} elsif ($what eq "write") {
	sysopen my $f, "/data/all", O_WRONLY | O_APPEND or die;
	syswrite($f, sprintf "%s %07d %s\n", $name, $_, "x" x (7 * $_ % 200)) or die for 1 .. $n;
	close $f or die;
} else {
	# How it is looked at, each time behind one more append.
	sysopen my $f, "/data/view", O_CREAT | O_RDWR | O_APPEND, 0666 or die;
	open my $other, "<", "/data/view" or die;
	my ($wrote, $read) = ("", "");
	for my $i (1 .. $n) {
		for my $piece (1 .. 1 + $i % 3) {
			my $line = "line $i.$piece" . "y" x ($i * 31 % 300) . "\n";
			syswrite $f, $line;
			$wrote .= $line;
		}
		my $way = $i % 6;
		if ($way == 0) { -s "/data/view" == length $wrote or die "stat: " . -s _ }
		if ($way == 1) { sysseek($f, 0, SEEK_END) == length $wrote or die "seek" }
		if ($way == 2) { sysread $other, $read, 1 << 20, length $read; $read eq $wrote or die "read of another descriptor" }
		if ($way == 3) { `cat /data/view` eq $wrote or die "cat" }
		if ($way == 4) { $f->sync or die "sync" }
		if ($way == 5) { truncate $f, 0 or die; $wrote = $read = ""; sysseek $other, 0, 0 }
	}
	print "seen\n";
}
END
	: >share/all
	chmod 666 share/all
	chmod 777 share
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c 'perl /tools/append.pl cost f 4000; perl /tools/append.pl view view 60'
	same "$out" $'cheap\nseen'
	local name children=()
	for name in one two; do
		skerry run --rm -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh -c \
			"perl /tools/append.pl write $name-a 3000 & perl /tools/append.pl write $name-b 3000; wait" &
		children+=($!)
	done
	for name in $(seq 500); do printf 'host %07d \n' "$name" >>share/all; done
	wait "${children[@]}"
	same "$(wc -l <share/all)" 12500
	# Each writer's lines: all, whole, in order.
	for name in one-a one-b two-a two-b; do
		same "$(grep -cE "^$name [0-9]{7} x*\$" share/all)" 3000 "$name"
		grep "^$name" share/all | cut -d' ' -f2 | sort -c || fail "$name: not in order"
	done
	same "$(grep -cE '^host [0-9]{7} $' share/all)" 500
}

# Times of access move as on the host, which decides: with relatime once behind a change, not with each reading.
case_write_back_times_of_access() {
	mkdir -p share tools own
	cat >tools/times.sh <<'END'
cd "$1" || exit 1
told() { [ "$(stat -c %X.%x "$2")" = "$last" ] && echo "$1: same" || echo "$1: moved"; last=$(stat -c %X.%x "$2"); }
last=
echo data >f
told made f
for turn in 1 2 3; do
	sleep 0.1
	cat f >/dev/null
	told "read $turn" f
done
sleep 0.1
echo more >>f
told written f
sleep 0.1
cat f >/dev/null
told 'read again' f
echo "set" >g
exec 5<>g
touch -d '2001-01-01' g
last=$(stat -c %X.%x g)
cat g >/dev/null
told 'read what was set' g
# By a copy, which the server makes.
echo copy >h
sleep 0.1
last=$(stat -c %X.%x h)
cp h i
told 'copied' h
cp h i
told 'copied again' h
# What fails may have changed something: ext4 has moved the time of change by then.
exec 6>k
touch -d '2001-01-01' k
stat -c %Y k
fallocate -i -o 8192 -l 8192 k 2>/dev/null || echo refused
[ "$(stat -c %Y k)" = "$(date -d 2001-01-01 +%s)" ] && echo 'refused: same' || echo 'refused: moved'
END
	chmod 777 share own
	local natively
	natively=$(sh tools/times.sh "$PWD/own")
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh /tools/times.sh /data
	same "$out" "$natively"
}

# A name that is too long for a file system is told as that, on the guest's own disk as well.
case_write_back_long_names() {
	mkdir share
	run -v "$PWD/share:/data" "$IMG" sh -c 'for dir in /data /root; do
		stat -f -c %l $dir
		n=$(printf "x%.0s" $(seq 255))
		touch $dir/$n && echo made
		touch $dir/${n}x 2>&1 | grep -o "File name too long"
		cat $dir/${n}x 2>&1 | grep -o "File name too long"
	done'
	same "$out" "$(printf '255\nmade\nFile name too long\nFile name too long\n%.0s' 1 2)"
}

# The guest's clock is the host's: a file on a share is not dated in the guest's future.
case_write_back_clock() {
	mkdir -p share tools
	cat >tools/clock.pl <<'END'
use strict;
use Time::HiRes qw(time stat sleep);
my $ahead = -1;
sleep 0.3;
for my $i (1 .. 100) {
	open my $f, ">", "/data/f$i" or die;
	close $f;
	my $now = time;
	my $by = (stat "/data/f$i")[9] - $now;
	$ahead = $by if $by > $ahead;
	sleep 0.003;
}
printf "%.0f\n", $ahead * 1e6;
END
	chmod 777 share
	# A busy host tells its clock less exactly.
	for _ in 1 2 3; do
		rm -rf share/*
		run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" perl /tools/clock.pl
		echo "ahead by $out us"
		[ "$out" -ge 500 ] || return 0
	done
	fail "files are $out us in the future"
}
