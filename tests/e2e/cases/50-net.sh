# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The network: all servers on loopback.

# A server in the container, in the Perl that every Debian has. Arguments: port.
TCP_ECHO='use IO::Socket::INET; $| = 1;
my $s = IO::Socket::INET->new(LocalPort => shift, Listen => 9, ReuseAddr => 1) or die $!;
print "ready\n";
while (my $c = $s->accept) { while (defined(my $l = <$c>)) { print $c "guest: $l" } close $c }'
UDP_ECHO='use IO::Socket::INET; $| = 1;
my $s = IO::Socket::INET->new(LocalPort => shift, Proto => "udp") or die $!;
print "ready\n";
while (defined $s->recv(my $d, 65536)) { $s->send("guest: $d") }'

ready() { skerry logs "$1" 2>&1 | grep -q ready; }

# case: quick
case_net_publish_tcp() {
	local p
	p=$(free_port)
	ok skerry run -d --name n1 -p "$p:8080" "$IMG" perl -e "$TCP_ECHO" 8080
	until_ok 20 ready n1
	same "$(client tcp-ask 127.0.0.1 "$p" hello)" 'guest: hello'
	ok skerry ps
	has "$out" "0\.0\.0\.0:$p->8080/tcp"
	same "$(field n1 "d['NetworkSettings']['Ports']['8080/tcp'][0]['HostPort']")" "$p"
	ok skerry rm -f n1
	# The port is free again.
	ok skerry run -d --name n2 -p "127.0.0.1:$p:8080" "$IMG" perl -e "$TCP_ECHO" 8080
	until_ok 20 ready n2
	same "$(client tcp-ask 127.0.0.1 "$p" again)" 'guest: again'
}

# case: quick
case_net_publish_udp() {
	local p
	p=$(free_port udp)
	ok skerry run -d --name n1 -p "$p:5353/udp" "$IMG" perl -e "$UDP_ECHO" 5353
	until_ok 20 ready n1
	same "$(client udp-ask 127.0.0.1 "$p" hello)" 'guest: hello'
}

case_net_publish_all() {
	ok skerry run -d --name n1 -P --expose 7000 "$IMG" perl -e "$TCP_ECHO" 7000
	until_ok 20 ready n1
	local p
	p=$(field n1 'd["NetworkSettings"]["Ports"]["7000/tcp"][0]["HostPort"]')
	same "$(client tcp-ask 127.0.0.1 "$p" x)" 'guest: x'
}

case_net_publish_random_and_range() {
	ok skerry run -d --name n1 -p 127.0.0.1::7001 "$IMG" perl -e "$TCP_ECHO" 7001
	until_ok 20 ready n1
	local p
	p=$(field n1 'd["NetworkSettings"]["Ports"]["7001/tcp"][0]["HostPort"]')
	same "$(client tcp-ask 127.0.0.1 "$p" x)" 'guest: x'
}

case_net_port_in_use() {
	serve tcp-echo
	expect 125 skerry run --rm -p "127.0.0.1:$port:80" "$IMG" true
	has "$err" "$port"
	same "$(skerry ps -q)" ''
	expect 125 skerry run --rm -p 99999:80 "$IMG" true
	complaint 99999
	expect 125 skerry run --rm -p nonsense "$IMG" true
	complaint nonsense
}

case_net_publish_many_connections() {
	local p i
	p=$(free_port)
	ok skerry run -d --name n1 -p "127.0.0.1:$p:8080" "$IMG" perl -e "$TCP_ECHO" 8080
	until_ok 20 ready n1
	for i in {1..50}; do
		same "$(client tcp-ask 127.0.0.1 "$p" "c$i")" "guest: c$i"
	done
}

# case: quick
case_net_out_tcp_to_the_host() {
	serve tcp-echo
	run "$IMG" bash -c "exec 3<>/dev/tcp/host.skerry.internal/$port; echo hi >&3; read -r l <&3; echo \"\$l\""
	same "$out" 'echo: hi'
}

# Where the configuration says so, what listens on the host's loopback is not for containers.
case_net_no_host_loopback() {
	serve tcp-echo
	settings '"host_loopback": false'
	SKERRY_CONFIG=$WORK/settings.json expect 1 skerry run --rm "$IMG" timeout 20 bash -c "exec 3<>/dev/tcp/host.skerry.internal/$port"
	run "$IMG" bash -c "exec 3<>/dev/tcp/host.skerry.internal/$port"
}

case_net_out_udp_to_the_host() {
	serve udp-echo
	run "$IMG" perl -e 'use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => "host.skerry.internal:'"$port"'", Proto => "udp") or die $!;
		for (1..5) { $s->send("hi"); my $r = ""; vec($r, fileno $s, 1) = 1; if (select($r, undef, undef, 2)) { $s->recv(my $d, 999); print $d; exit } } exit 1'
	same "$out" 'echo: hi'
}

# case: timeout=90 quick
case_net_out_bulk() {
	serve tcp-source 50000000
	run "$IMG" bash -c "wc -c </dev/tcp/host.skerry.internal/$port"
	same "$out" 50000000
}

case_net_in_bulk() {
	local p
	p=$(free_port)
	ok skerry run -d --name n1 -p "127.0.0.1:$p:99" "$IMG" perl -e 'use IO::Socket::INET; $| = 1;
		my $s = IO::Socket::INET->new(LocalPort => 99, Listen => 1) or die; print "ready\n"; my $c = $s->accept; print $c "y" x 1000000 for 1..20; close $c; sleep 100'
	until_ok 20 ready n1
	has "$(client tcp-read 127.0.0.1 "$p")" '^20000000 '
}

case_net_refused_outside() {
	local p
	p=$(free_port)
	expect 1 skerry run --rm "$IMG" bash -c "exec 3<>/dev/tcp/host.skerry.internal/$p"
	has "$err" 'refused'
}

case_net_addresses() {
	run "$IMG" sh -c 'cat /proc/net/route /proc/net/dev; cat /etc/resolv.conf; getent hosts host.skerry.internal'
	has "$out" 'eth0'
	has "$out" 'nameserver'
	has "$out" 'host\.skerry\.internal'
	ok skerry run -d --name n1 "$IMG" sleep 100
	has "$(field n1 'd["NetworkSettings"]["IPAddress"] or list(d["NetworkSettings"]["Networks"].values())[0]["IPAddress"]')" '^[0-9.]+$'
}

case_net_loopback_inside() {
	run "$IMG" bash -c 'perl -e "use IO::Socket::INET; my \$s = IO::Socket::INET->new(LocalAddr => q(127.0.0.1), LocalPort => 77, Listen => 1); print STDERR q(up); my \$c = \$s->accept; print \$c q(in);" 2>up & until [ -s up ]; do sleep 0.05; done; cat </dev/tcp/127.0.0.1/77'
	same "$out" in
}

# case: quick
case_net_none() {
	serve tcp-echo
	run --network none "$IMG" bash -c 'grep -c : /proc/net/dev; grep lo: /proc/net/dev | wc -l'
	same "$out" $'1\n1'
	expect 1 skerry run --rm --network none "$IMG" bash -c "exec 3<>/dev/tcp/10.0.2.2/$port"
	expect 125 skerry run --rm --network nosuchnet "$IMG" true
	complaint nosuchnet
}

# The name server of the host is asked. Its resolv.conf is replaced for this, in a mount namespace of the case.
# case: root-only serial
case_net_dns() {
	serve dns 127.0.0.53
	echo 'nameserver 127.0.0.53' >resolv
	ok unshare -m bash -c "mount --bind resolv /etc/resolv.conf && skerry run --rm $IMG getent ahostsv4 www.example.test"
	has "$out" '^192\.0\.2\.7'
}

# Outbound ICMP as the host can: over ping sockets, where they are allowed; said to be unreachable where not. In a network of
# the case's own, whose "outside" is an address of its loopback.
# case: root-only
case_net_icmp() {
	cat >ping.pl <<-'END'
		use Socket;
		socket(my $s, AF_INET, SOCK_DGRAM, 1) or die "socket: $!";
		connect($s, pack_sockaddr_in(0, inet_aton($ARGV[0]))) or die "connect: $!";
		send($s, pack("CCnnn", 8, 0, 0, 0, 1) . "x" x 56, 0) or die "send: $!";
		my $r = ""; vec($r, fileno $s, 1) = 1;
		select($r, undef, undef, 10) or die "no answer";
		defined recv($s, my $d, 2000, 0) or die "refused: $!";
		printf "type %d, %d bytes\n", unpack("C", $d), length $d;
	END
	cat >inside <<-END
		set -e
		ip link set lo up
		ip addr add 198.51.100.7/32 dev lo
		echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
		skerry run --rm -v $PWD/ping.pl:/p $IMG perl /p 198.51.100.7
		skerry run --rm -v $PWD/ping.pl:/p $IMG perl /p host.skerry.internal
		echo "1 0" >/proc/sys/net/ipv4/ping_group_range
		skerry run --rm -v $PWD/ping.pl:/p $IMG perl /p 198.51.100.7 2>&1 || echo failed
	END
	unshare -n true || skip 'no network namespaces here'
	ok unshare -n bash inside
	same "$(head -2 <<<"$out")" $'type 0, 64 bytes\ntype 0, 64 bytes'
	has "$out" '^refused: '
	has "$out" '^failed$'
}
