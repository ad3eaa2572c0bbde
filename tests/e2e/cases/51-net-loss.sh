# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The network: what was acknowledged arrives, and ends of connections are told as they are.

ready() { skerry logs "$1" 2>&1 | grep -q ready; }

# One process for each connection: reads to the end, then sends `size` bytes. Arguments: port, size.
TCP_LATE='use IO::Socket::INET; use Socket qw(:all); $| = 1; $SIG{CHLD} = "IGNORE"; my ($port, $size) = @ARGV;
my $s = IO::Socket::INET->new(LocalPort => $port, Listen => 1000, ReuseAddr => 1) or die $!;
print "ready\n";
while (1) { my $c = $s->accept or next; if (fork) { close $c; next } my $d; 1 while sysread $c, $d, 65536; select undef, undef, undef, 0.1; print $c "r" x $size; exit }'
# The same, one after the other, while the others wait. Arguments: port, size.
TCP_LATE_QUEUE='use IO::Socket::INET; $| = 1; my ($port, $size) = @ARGV;
my $s = IO::Socket::INET->new(LocalPort => $port, Listen => 4000, ReuseAddr => 1) or die $!;
print "ready\n";
while (1) { my $c = $s->accept or next; my $d; 1 while sysread $c, $d, 65536; print $c "r" x $size; close $c }'
# Many connections: a byte, the end of our half, then all that comes. Arguments: host, port, connections.
TCP_LATE_ASK='use IO::Socket::INET; my ($host, $port, $n) = @ARGV; my (@c, %r);
for (1..$n) { my $c = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die $!; syswrite $c, "q"; shutdown $c, 1; push @c, $c }
for my $c (@c) { my ($d, $size) = ("", 0); while (my $n = sysread $c, $d, 65536) { $size += $n } $r{$size}++ }
print "$r{$_} $_\n" for keys %r'

# The guest ends its half; the host answers with much.
case_net_half_close_out() {
	serve tcp-late 1000000
	run "$IMG" perl -e "$TCP_LATE_ASK" host.skerry.internal "$port" 40
	same "$out" '40 1000000'
}

# The host ends its half; the guest answers.
case_net_half_close_in() {
	local p
	p=$(free_port)
	ok skerry run -d --name n1 -p "$p:4000" "$IMG" perl -e "$TCP_LATE" 4000 1000000
	until_ok 20 ready n1
	same "$(client tcp-late-ask 127.0.0.1 "$p" 40)" '40 1000000'
}

# The host ends its half and reads slowly; the guest sends 6 MiB and ends its half, too.
case_net_slow_reader() {
	local p ports file=$WORK/in
	p=$(free_port)
	ok skerry run -d --name n1 -p "$p:4000" "$IMG" perl -e 'use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(LocalPort => 4000, Listen => 9) or die $!; print "ready\n";
		my $c = $s->accept; print $c "r" x 6291456; close $c; sleep 100'
	until_ok 20 ready n1
	client tcp-slow-ask 127.0.0.1 "$p" 6291456 >"$file" &
	e2e_servers+=($!)
	serve tcp-slow 6291456
	ports=$(ls "$WORK"/port.*)
	ok skerry run -d "$IMG" perl -e 'use IO::Socket::INET; my $c = IO::Socket::INET->new(PeerAddr => "host.skerry.internal:'"$port"'") or die $!; print $c "r" x 6291456; close $c; sleep 100'
	until_ok 40 test -s "$file"
	same "$(cat "$file")" 6291456
	until_ok 40 test -s "$ports.got"
	same "$(cat "$ports.got")" 6291456
}

# case: full timeout=120
case_net_half_close_thousand() {
	local p
	serve tcp-late 100000
	run "$IMG" perl -e "$TCP_LATE_ASK" host.skerry.internal "$port" 1000
	same "$out" "1000 100000"
	p=$(free_port)
	ok skerry run -d --name n1 -p "$p:4000" "$IMG" perl -e "$TCP_LATE_QUEUE" 4000 100000
	until_ok 20 ready n1
	same "$(client tcp-late-ask 127.0.0.1 "$p" 1000)" "1000 100000"
}

# A reset is no end of file; a port where nobody listens says so at once.
case_net_reset_in() {
	local p q
	p=$(free_port)
	q=$(free_port)
	ok skerry run -d --name n1 -p "$p:4000" -p "$q:4001" "$IMG" perl -e 'use IO::Socket::INET; use Socket qw(:all); $| = 1;
		my $s = IO::Socket::INET->new(LocalPort => 4000, Listen => 9) or die $!; print "ready\n";
		while (my $c = $s->accept) { sysread $c, my $d, 1; setsockopt $c, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0); close $c }'
	until_ok 20 ready n1
	same "$(client tcp-reset 127.0.0.1 "$p")" ConnectionResetError
	same "$(timeout 5 python3 "$here/net.py" tcp-reset 127.0.0.1 "$q")" ConnectionResetError
}

# The host's port is closed: a connected datagram socket is told.
case_net_udp_refused_out() {
	local p
	p=$(free_port udp)
	run "$IMG" perl -e 'use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => "host.skerry.internal:'"$p"'", Proto => "udp") or die $!;
		$s->send("x"); alarm 10; $s->recv(my $d, 9); print $!'
	same "$out" 'Connection refused'
}

# A published port is on IPv6 addresses, too, with a server on IPv4 inside; what comes and ends passes on.
case_net_publish_ipv6() {
	local p q
	client listens-on-ipv6 | grep -q yes || skip 'the host has no IPv6'
	p=$(free_port)
	q=$(free_port)
	ok skerry run -d --name n1 -p "$p:4000" -p "[::1]:$q:4000" "$IMG" perl -e "$TCP_LATE" 4000 300000
	until_ok 20 ready n1
	same "$(client tcp-late-ask ::1 "$p" 20)" '20 300000'
	same "$(client tcp-late-ask ::1 "$q" 20)" '20 300000'
	same "$(client tcp-late-ask 127.0.0.1 "$p" 2)" '2 300000'
	ok skerry ps
	has "$out" "0\.0\.0\.0:$p->4000/tcp, .*\[::\]:$p->4000/tcp"
	ok skerry port n1 4000
	has "$out" "^\[::\]:$p$"
	# nobody listens there
	ok skerry run -d --name n2 -p "[::1]:$(free_port):81" "$IMG" sleep 100
	p=$(field n2 'd["NetworkSettings"]["Ports"]["81/tcp"][0]["HostPort"]')
	same "$(timeout 5 python3 "$here/net.py" tcp-reset ::1 "$p")" ConnectionResetError
}

# Who has the port, or what would let a user have it.
case_net_publish_refused() {
	serve tcp-echo
	expect 125 skerry run --rm -p "127.0.0.1:$port:80" "$IMG" true
	has "$err" "127.0.0.1:$port/tcp: Address already in use by process [0-9]+ \(python3"
	[ "$(id -u)" != 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt 81 ] || return 0
	expect 125 skerry run --rm -p 127.0.0.1:81:80 "$IMG" true
	has "$err" 'Permission denied: choose a port from 1024 on, or .*net.ipv4.ip_unprivileged_port_start=81'
}

# Name servers of the host: a silent one is not the only one, none at all is said at once, options are passed on.
# case: root-only serial
case_net_dns_of_the_host() {
	printf 'options timeout:1 attempts:1\n' >resolv
	SECONDS=0
	try unshare -m bash -c "mount --bind resolv /etc/resolv.conf && skerry run --rm $IMG sh -c 'cat /etc/resolv.conf; getent ahostsv4 www.example.test'"
	has "$out" '^options timeout:1 attempts:1$'
	printf '# none\n' >resolv
	SECONDS=0
	expect 2 unshare -m bash -c "mount --bind resolv /etc/resolv.conf && skerry run --rm $IMG getent ahostsv4 www.example.test"
	[ "$SECONDS" -lt "$(slow 6)" ] || fail "a lookup without a name server took $SECONDS s"
	printf 'nameserver 127.0.0.99\nnameserver 192.0.2.53\n' >resolv
	ok unshare -m bash -c "mount --bind resolv /etc/resolv.conf && skerry run --rm $IMG grep nameserver /etc/resolv.conf"
	same "$out" $'nameserver 10.0.2.3\nnameserver 192.0.2.53'
}

# The first name server of the host is silent: the second one is asked. In a network of the case's own, which both are addresses of.
# case: root-only
case_net_dns_second_server() {
	printf 'nameserver 127.0.0.99\nnameserver 198.51.100.7\noptions timeout:1\n' >resolv
	cat >inside <<-END
		set -e
		ip link set lo up
		ip addr add 198.51.100.7/32 dev lo
		mount --bind resolv /etc/resolv.conf
		python3 -c 'import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.99", 53)); time.sleep(1000)' &
		python3 $here/net.py dns $WORK/dns.port 198.51.100.7 &
		trap 'kill \$(jobs -p)' EXIT
		until [ -s $WORK/dns.port ]; do sleep 0.1; done
		skerry run --rm $IMG getent ahostsv4 www.example.test
	END
	unshare -nm true || skip 'no network namespaces here'
	ok unshare -nm bash inside
	has "$out" '^192\.0\.2\.7'
}

# A host whose only name server has an IPv6 address; one that has both is asked by IPv4.
# case: root-only serial
case_net_dns_of_the_host_ipv6() {
	client listens-on-ipv6 | grep -q yes || skip 'the host has no IPv6'
	serve dns ::1
	echo 'nameserver ::1' >resolv
	ok unshare -m bash -c "mount --bind resolv /etc/resolv.conf && skerry run --rm $IMG getent ahostsv4 www.example.test"
	has "$out" '^192\.0\.2\.7'
}

# One port of the container on two addresses, and on IPv6: each answer comes from where the question went.
case_net_publish_udp_twice() {
	local p
	p=$(free_port udp)
	ok skerry run -d --name n1 -p "127.0.0.1:$p:5353/udp" -p "127.0.0.2:$p:5353/udp" -p "[::1]:$p:5353/udp" "$IMG" perl -e 'use IO::Socket::INET; $| = 1;
		my $s = IO::Socket::INET->new(LocalPort => 5353, Proto => "udp") or die $!; print "ready\n"; while (defined $s->recv(my $d, 65536)) { $s->send("guest: $d") }'
	until_ok 20 ready n1
	for host in 127.0.0.1 127.0.0.2 127.0.0.1 127.0.0.2 ::1; do
		client listens-on-ipv6 | grep -q yes || [ "$host" != ::1 ] || continue
		same "$(client udp-ask-once "$host" "$p" "$host")" "guest: $host"
	done
}

# A port on all addresses, also of IPv6: the answer comes from the address that was asked; large datagrams, two clients of one port.
case_net_publish_udp_all() {
	local p big
	p=$(free_port udp)
	ok skerry run -d --name n1 -p "$p:5353/udp" "$IMG" perl -e 'use IO::Socket::INET; $| = 1;
		my $s = IO::Socket::INET->new(LocalPort => 5353, Proto => "udp") or die $!; print "ready\n"; while (defined $s->recv(my $d, 65536)) { $s->send("guest: $d") }'
	until_ok 20 ready n1
	for host in 127.0.0.1 127.0.0.2 127.0.0.1 ::1; do
		client listens-on-ipv6 | grep -q yes || [ "$host" != ::1 ] || continue
		same "$(client udp-ask-once "$host" "$p" "$host")" "guest: $host"
	done
	# With what client and guest add the largest there is, which the guest sends in fragments.
	big=$(head -c 65499 /dev/zero | tr '\0' x)
	same "$(client udp-ask-once 127.0.0.2 "$p" "$big")" "guest: $big"
	same "$(client udp-ask-from-one-port "$p" 127.0.0.1 127.0.0.2 127.0.0.3)" 'guest: 127.0.0.1 guest: 127.0.0.2 guest: 127.0.0.3'
	ok skerry port n1
	has "$out" "^5353/udp -> 0\.0\.0\.0:$p$"
	! client listens-on-ipv6 | grep -q yes || has "$out" "^5353/udp -> \[::\]:$p$"
}

# What a container's only program sends last arrives, though the VM ends with it.
case_net_last_words() {
	local port server
	port=$(free_port)
	python3 -c '
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as s:
    print("ready", flush=True)
    for _ in range(3):
        c, n = s.accept()[0], 0
        time.sleep(0.2)
        try:
            while part := c.recv(65536):
                n += len(part)
        except OSError as e:
            n = e
        print(n, flush=True)' "$port" >counts &
	server=$!
	until_ok 10 grep -q ready counts
	for _ in 1 2 3; do
		run "$IMG" perl -e 'use IO::Socket::INET; my $c = IO::Socket::INET->new(PeerAddr => "host.skerry.internal:'"$port"'") or die $!; print $c "r" x 4000000'
	done
	wait "$server"
	same "$(tr '\n' , <counts)" 'ready,4000000,4000000,4000000,'
}
