# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
# Memory of the guest that goes back to the host, and a guest that wants more than it has.

# MiB of the host's memory behind container $1
held() { "$here/held.py" "$(skerry inspect --format '{{.State.Pid}}' "$1")"; }
holds_less() { [ "$(held "$1")" -lt "$2" ]; }

# case: timeout=600
case_memory_comes_back() {
	ok skerry run -d --name big -m 1g "$IMG" sleep 1000
	# Free pages that wait in lists of the processors do not come back: no more than 2 MiB of them.
	ok skerry exec big cat /proc/sys/vm/percpu_pagelist_high_fraction
	[ "$out" -ge 400 ] || fail "the lists of free pages are not bounded: $out"
	ok skerry exec big perl -e 'my $x = "x"; $x x= 300 << 20; open my $f, ">", "/tmp/full"; sleep 1 while !-e "/tmp/go"' &
	until_ok 300 skerry exec big test -e /tmp/full
	[ "$(held big)" -gt 300 ] || fail "a program that uses 300 MiB holds only $(held big)"
	ok skerry exec big touch /tmp/go
	wait %1 || fail 'the program failed'
	until_ok 60 holds_less big 120
}

# What an idle guest remembers of files comes back a little later, and the files are as they were.
# case: timeout=600
case_memory_idle_cache() {
	settings '"idle_reclaim": 2'
	export SKERRY_CONFIG=$WORK/settings.json
	ok skerry run -d --name big "$IMG" sh -c 'head -c 150000000 /dev/urandom >/big; sha256sum /big; sync; sleep 1000'
	until_ok 300 grep_log big '/big$'
	local before=$out limit=100
	case ${SKERRY_ENGINE:-} in tcg | kvm) limit=180 ;; esac # QEMU itself: 80
	until_ok 120 holds_less big "$limit"
	ok skerry exec big sha256sum /big
	same "$out" "$before"
}
grep_log() {
	out=$(skerry logs "$1")
	grep -q "$2" <<<"$out"
}

# Blocks of memory, in a process, in tmpfs and behind a file, come and go all the time while free ones are given back; each
# has to be what it was made of.
# case: timeout=600
case_memory_content_stays() {
	ok skerry run -d --privileged --name big -m 600m --tmpfs /t:size=200m "$IMG" sleep 1000
	cat >"$WORK/stress.pl" <<'END'
use strict; use warnings;
srand 7;
my (@mem, @seed, %file);
my $end = time + 40; my $rounds = 0;
sub block { my ($n, $mib) = @_; return substr("<$n>" x ((($mib << 20) / (length($n) + 2)) + 1), 0, $mib << 20) }
sub check { my ($got, $n, $mib, $what) = @_; die "round $rounds: $what has lost its content\n" if $got ne block($n, $mib) }
while (time < $end) {
	my $i = int rand 24; my $n = int rand 1000000; my $mib = 1 + int rand 12;
	check($mem[$i], @{$seed[$i]}, "memory $i") if $seed[$i];
	if (rand() < 0.4) { $mem[$i] = undef; undef $mem[$i]; $seed[$i] = undef }
	else { $mem[$i] = block($n, $mib); $seed[$i] = [$n, $mib] }
	my $name = (rand() < 0.5 ? "/t/" : "/var/tmp/") . int rand 8;
	if ($file{$name}) {
		open my $f, "<", $name or die "$name: $!"; local $/; check(scalar <$f>, @{$file{$name}}, $name); close $f;
		unlink $name; delete $file{$name};
	} else {
		open my $f, ">", $name or die "$name: $!"; print $f block($n, $mib); close $f or die "$name: $!"; $file{$name} = [$n, $mib];
	}
	if ($rounds % 10 == 0) { my $pid = fork; if (!$pid) { my $x = block(5, 60); check($x, 5, 60, "a child"); exit 0 } waitpid $pid, 0; die "a child failed\n" if $? }
	select undef, undef, undef, 0.7 if $rounds % 25 == 0;
	$rounds++;
}
print "rounds $rounds\n";
END
	ok skerry cp "$WORK/stress.pl" big:/stress.pl
	# Reports small blocks too, at once: more than is usual.
	ok skerry exec big sh -c 'cd /sys/module/page_reporting/parameters && echo 50 >page_reporting_delay_ms && echo 0 >page_reporting_order'
	ok skerry exec big perl /stress.pl
	has "$out" '^rounds [0-9]+$'
}

# With memory that was used and freed the host gets back that of the tables that describe it, 16 MiB for each GiB. And most of the
# memory is used and freed again and again while pages are moved about, which with User-mode Linux takes more mappings than the host
# allows a process.
# case: timeout=900
case_memory_map_comes_and_goes() {
	local before
	ok skerry run -d --privileged --name big -m 2g --cpus "$(($(nproc) < 2 ? 1 : 2))" "$IMG" sleep 1000
	cat >"$WORK/fill.pl" <<'END'
my ($mib, $n) = @ARGV;
my $block = pack "L*", map { $_ * $n } 0 .. 262143;
my @held;
push @held, $block . $_ for 1 .. $mib;
for (0 .. $#held) { die "block $_ has lost its content\n" if $held[$_] ne $block . ($_ + 1) }
END
	ok skerry cp "$WORK/fill.pl" big:/fill.pl
	ok skerry exec big perl /fill.pl 8 1
	sleep 3
	before=$(held big)
	ok skerry exec big perl /fill.pl 1300 1
	until_ok 60 holds_less big "$((before + 20))"
	ok skerry exec big sh -ec 'echo 100 >/sys/module/page_reporting/parameters/page_reporting_delay_ms
		for n in 1 2; do
			perl /fill.pl 600 $n & one=$!
			perl /fill.pl 600 7$n & two=$!
			while kill -0 $two 2>/dev/null; do echo 1 >/proc/sys/vm/compact_memory; sleep 0.1; done
			wait $one; wait $two; sleep 1
		done'
}

# A program whose pages do not follow each other in memory: here all but one are the page of zeros. With User-mode Linux that takes
# more mappings than many hosts allow a process (vm.max_map_count).
# case: timeout=200
case_memory_of_many_mappings() {
	[ "$(uname -m)" = x86_64 ] || skip 'the numbers of the system calls are those of x86-64'
	mkdir many
	cat >many/many.pl <<'END'
my $pages = 80000;
my $at = syscall 9, 0, $pages << 12, 3, 0x22, -1, 0;
die "no memory: $!\n" if $at < 0;
open my $f, "<", "/proc/self/cmdline" or die;
syscall 0, fileno $f, $at + ($pages - 1 << 12), 4;
for (1 .. 2) {
	for my $i (0 .. $pages - 1) {
		my $got = unpack "P4", pack "Q", $at + ($i << 12);
		die "page $i: other content\n" if $got ne ($i == $pages - 1 ? "perl" : "\0\0\0\0");
	}
}
print "read\n";
END
	run -v "$PWD/many:/many:ro" "$IMG" perl /many/many.pl
	same "$out" 'read'
}

# Without a limit of its own a container that eats all of the guest's memory is killed, soon, and nothing else is.
# case: timeout=600
case_memory_runaway() {
	ok skerry run -d --name big "$IMG" sleep 1000
	expect 137 skerry exec big perl -e 'my @a; push @a, q(x) x 1000000 while 1'
	ok skerry exec big echo alive
	same "$out" alive
}

# Programs whose code comes to pages where other programs' was: each runs its own (an engine that keeps translated code must be told).
# case: timeout=120 quick
case_memory_code_is_what_was_read() {
	[ "$(uname -m)" = x86_64 ] || skip 'the programs are made for x86-64'
	mkdir code
	python3 "$SUITE/programs.py" code
	run --privileged -m 192m -v "$PWD/code:/code" "$IMG" bash -c 'mkdir /var/code; cp /code/* /var/code; sync
		for dir in /code /var/code /code /var/code; do
			for n in {1..40}; do
				$dir/$n; got=$?; [ $got = $n ] || echo "$dir/$n: $got"
				echo 3 >/proc/sys/vm/drop_caches
			done
		done; echo done'
	same "$out" 'done'
}

# The guest's kernel moves pages of a program that runs on the other processor.
# case: timeout=120
case_memory_moves_under_a_program() {
	[ "$(nproc)" -ge 2 ] || skip 'the host has one processor'
	run --privileged --cpus 2 -m 512m -v "$SUITE:/suite:ro" "$IMG" perl /suite/moves.pl 8
	has "$out" '^kept in all rounds$'
	hasnt "$out" '^nothing was moved'
}
