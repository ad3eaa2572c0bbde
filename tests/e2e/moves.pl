#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
#
# moves.pl SECONDS: a program works on its memory while its pages are moved. In a privileged container with two CPUs.
use strict;
my $end = time + $ARGV[0];
sub work {
	my @pages;
	my $rounds = 0;
	while (time < $end) {
		push @pages, ["0" x 8192, 0] while @pages < 3000;
		for my $n (1 .. 40) {
			for (my $i = 0; $i < @pages; $i += 3) {
				my $p = $pages[$i];
				my $v = sprintf "%08d", ++$p->[1];
				substr($p->[0], 0, 8) = $v;
				substr($p->[0], 4096, 8) = $v;
			}
			for my $p (@pages) {
				my $v = sprintf "%08d", $p->[1];
				next if substr($p->[0], 0, 8) eq $v && substr($p->[0], 4096, 8) eq $v;
				print "lost in round $rounds\n";
				exit 1;
			}
		}
		splice @pages, rand @pages, 1 for 1 .. 1000;
		$rounds++;
	}
	print "kept in all rounds\n" if $rounds;
	exit 0;
}
$| = 1;
my $pid = fork // die;
work() unless $pid;
my $moves = 0;
until (waitpid $pid, 1) {
	open my $f, '>', '/proc/sys/vm/compact_memory' or die "compact_memory: $!";
	print $f "1";
	close $f;
	$moves++;
}
print "died: $?\n" if $?;
open my $f, '<', '/proc/vmstat' or die;
my ($moved) = map { /^pgmigrate_success (\d+)/ ? $1 : () } <$f>;
print "$moves compactions, $moved pages moved\n";
print "nothing was moved\n" unless $moved;
