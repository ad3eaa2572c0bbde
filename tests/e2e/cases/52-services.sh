# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Services of the host for a container of which vm.json says so, as for the engine of a machine: ports that the container
# publishes for containers of its own, which here is a network namespace with a Perl in it; names; the ssh-agent.

# Servers on TCP and UDP port 80 of both families: each says who asks.
NAMED_ECHO='use IO::Socket::IP; use IO::Select; $| = 1; my (@t, @u);
for my $ip ("0.0.0.0", "::") {
	push @t, IO::Socket::IP->new(LocalHost => $ip, LocalPort => 80, Listen => 99, V6Only => 1, ReuseAddr => 1) || die $!;
	push @u, IO::Socket::IP->new(LocalHost => $ip, LocalPort => 80, Proto => "udp", V6Only => 1) || die $! }
print "ready\n";
while (my @r = IO::Select->new(@t, @u)->can_read) { for my $s (@r) {
	if (grep { $s == $_ } @u) { $s->recv(my $d, 65536); $s->send($s->peerhost . " " . $d); next }
	my $c = $s->accept or next; my $l = <$c>; print $c $c->peerhost . " " . $l; close $c } }'

# vm_json NAME PYTHON-STATEMENTS over v: changes it before the start.
vm_json() {
	python3 - "$SKERRY_ROOT/containers/$(field "$1" 'd["Id"]')/vm.json" "$2" <<'END'
import json, sys
path, code = sys.argv[1:]
v = json.load(open(path))
exec(code)
json.dump(v, open(path, "w"))
END
}

SERVICES='v["services"] = {"publish": True}
v.setdefault("mounts", []).append({"type": "agent", "destination": "/sbin/skerry-proxy"})
v["network"]["names"] = ["host.docker.internal", "gateway.docker.internal"]'

# A container NAME that has services, and this machine's iptables and ip.
services_container() {
	programs iptables ip
	cp -L /usr/lib/"$(uname -m)"-linux-gnu/xtables -r "$WORK/host/"
	printf '#!/bin/sh\nXTABLES_LIBDIR=/h/xtables exec /h/lib/ld-linux-x86-64.so.2 --library-path /h/lib /h/lib/iptables "$@"\n' \
		>"$WORK/host/iptables"
	ok skerry create --name "$1" --privileged -v "$WORK/host:/h" "$IMG" sleep infinity
	vm_json "$1" "$SERVICES${2:-}"
	ok skerry start "$1"
}

# In the container: a namespace 172.30.0.2, fd30::2 with the servers. Its process's id is in /run/inner.
INNER='set -e
ln -s /h/iptables /usr/local/sbin/iptables
unshare -n perl -e "$0" >/run/inner.log &
echo $! >/run/inner
until grep -q ready /run/inner.log; do sleep 0.1; done
/h/ip link add outside type veth peer name inside
/h/ip link set inside netns $!
/h/ip addr add 172.30.0.1/24 dev outside
/h/ip link set outside up
n="nsenter -n -t $!"
$n /h/ip addr add 172.30.0.2/24 dev inside
$n /h/ip link set inside up
$n /h/ip route add default via 172.30.0.1
/h/ip addr add fd30::1/64 dev outside nodad
$n /h/ip addr add fd30::2/64 dev inside nodad
$n /h/ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward'
inner() { ok skerry exec -d s1 sh -c "$INNER; : >/run/inner.ready; exec sleep infinity" "$NAMED_ECHO"; until_ok 30 skerry exec s1 test -e /run/inner.ready; }

# publish TAG PROTO HOST-IP HOST-PORT [CONTAINER-IP]: as dockerd does it; waits for the outcome, which is in $out.
publish() {
	ok skerry exec -d s1 sh -c 'exec 3>"/run/report.$1"; echo $$ >"/run/pid.$1"
		exec /sbin/skerry-proxy -proto "$2" -host-ip "$3" -host-port "$4" -container-ip "${5:-172.30.0.2}" -container-port 80' sh "$@"
	until_ok 30 skerry exec s1 test -s "/run/report.$1"
	ok skerry exec s1 cat "/run/report.$1"
}
withdraw() { ok skerry exec s1 sh -c 'kill "$2" "$(cat "/run/pid.$1")"' sh "$1" "${2:--TERM}"; }
is_free() { python3 -c 'import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", int(sys.argv[1])))' "$1"; }
rules() { skerry exec s1 iptables -t nat -S SKERRY-PORTS | grep -c DNAT || true; }
no_rules() { [ "$(rules)" = 0 ]; }

# case: quick
case_services_publish() {
	local p
	p=$(free_port)
	services_container s1
	inner
	publish a tcp 0.0.0.0 "$p"
	same "$out" 0
	same "$(client tcp-ask 127.0.0.1 "$p" hello)" '10.0.2.2 hello'
	# What others have, one cannot have; in docker-proxy's words.
	publish b tcp 127.0.0.1 "$p"
	same "$out" "1
listen tcp4 127.0.0.1:$p: bind: address already in use"
	serve tcp-echo
	publish b tcp 0.0.0.0 "$port"
	has "$out" "^listen tcp4 0.0.0.0:$port: bind: address already in use"
	publish b tcp 192.0.2.77 "$p"
	has "$out" "^listen tcp4 192.0.2.77:$p: bind: cannot assign requested address"
	same "$(rules)" 1
	# The same port of IPv6 and of UDP are others.
	publish u udp 0.0.0.0 "$p"
	same "$out" 0
	same "$(client udp-ask 127.0.0.1 "$p" hello)" '10.0.2.2 hello'
	if [ "$(client listens-on-ipv6)" = yes ]; then
		publish t6 tcp :: "$p"
		same "$out" 0
		same "$(client tcp-ask ::1 "$p" hello)" '172.30.0.1 hello'
		publish u6 udp :: "$p"
		same "$(client udp-ask-once ::1 "$p" hello)" '172.30.0.1 hello'
		publish b tcp ::1 "$p"
		has "$out" "^listen tcp6 \[::1\]:$p: bind: address already in use"
	fi
	# All goes with the program, by whatever end; a killed one's rule with the next.
	withdraw a
	until_ok 10 is_free "$p"
	withdraw u -KILL
	publish a tcp 127.0.0.1 "$p"
	same "$out" 0
	same "$(client tcp-ask 127.0.0.1 "$p" again)" '10.0.2.2 again'
	until_ok 10 sh -c "! skerry exec s1 iptables -t nat -S SKERRY-PORTS | grep -q -- \"skerry-proxy-\$(skerry exec s1 cat /run/pid.u) \""
	withdraw a
	until_ok 10 is_free "$p"
	ok skerry exec s1 sh -c 'kill -INT $(cat /run/pid.*) 2>/dev/null || true'
	until_ok 10 no_rules
	# So it does with the container.
	publish c tcp 127.0.0.1 "$p"
	same "$out" 0
	ok skerry kill s1
	until_ok 10 is_free "$p"
}

# A client's address from elsewhere is kept.
case_services_client_address() {
	local p address
	address=$(hostname -I | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$') || skip 'this machine has no address but loopback'
	p=$(free_port)
	services_container s1
	inner
	publish a tcp 0.0.0.0 "$p"
	publish u udp 0.0.0.0 "$p"
	same "$(client tcp-ask "$address" "$p" hello)" "$address hello"
	same "$(client udp-ask "$address" "$p" hello)" "$address hello"
}

# Low ports are root's, and root's monitor has kept what it takes.
case_services_low_port() {
	local p=991
	[ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -gt "$p" ] || skip 'low ports are everybody'\''s here'
	services_container s1
	inner
	publish a tcp 127.0.0.9 "$p"
	if [ "$(id -u)" = 0 ]; then
		same "$out" 0
		same "$(client tcp-ask 127.0.0.9 "$p" hello)" '10.0.2.2 hello'
	else
		has "$out" "^listen tcp4 127.0.0.9:$p: bind: permission denied"
	fi
}

# What iptables cannot do is passed on by the program itself: to a container's IPv6 address, and from the guest's loopback.
case_services_passed_on() {
	local p q n
	p=$(free_port)
	q=$(free_port)
	services_container s1
	inner
	publish a tcp 127.0.0.1 "$p" fd30::2
	same "$out" 0
	publish u udp 127.0.0.1 "$p" fd30::2
	same "$out" 0
	for n in 1 2 3; do
		same "$(client tcp-ask 127.0.0.1 "$p" "hello $n")" "fd30::1 hello $n"
		same "$(client udp-ask 127.0.0.1 "$p" "hello $n")" "fd30::1 hello $n"
	done
	publish b tcp 127.0.0.1 "$q"
	ok skerry exec s1 perl -MIO::Socket::IP -e 'for my $port (@ARGV) {
		my $s = IO::Socket::IP->new(PeerHost => "127.0.0.1", PeerPort => $port) or die $!; print $s "in\n"; print <$s> }' "$p" "$q"
	same "$out" 'fd30::1 in
172.30.0.1 in'
	# docker 28 hands over the guest's socket, as descriptor 4.
	local r
	r=$(free_port)
	ok skerry exec -d s1 perl -MPOSIX -MIO::Socket::IP -e 'my $port = shift; $^F = 99;
		my $s = IO::Socket::IP->new(LocalHost => "127.0.0.2", LocalPort => $port, Listen => 1) or die $!;
		open(my $r, ">", "/run/report.fd") or die $!; my @high = map { dup2(fileno($_), 20 + fileno($_)) } $r, $s;
		dup2($high[0], 3); dup2($high[1], 4);
		exec "/sbin/skerry-proxy", "-proto=tcp", "--host-ip", "127.0.0.2", "-host-port", $port, "-container-ip", "172.30.0.2",
			"-container-port", 80, "-use-listen-fd"' "$r"
	until_ok 30 skerry exec s1 test -s /run/report.fd
	ok skerry exec s1 cat /run/report.fd
	same "$out" 0
	same "$(client tcp-ask 127.0.0.2 "$r" hello)" '10.0.2.2 hello'
	ok skerry exec s1 perl -MIO::Socket::IP -e 'my $s = IO::Socket::IP->new(PeerHost => "127.0.0.2", PeerPort => shift) or die $!;
		print $s "in\n"; print <$s>' "$r"
	same "$out" '172.30.0.1 in'
	# Nobody listens there: the client's connection ends.
	ok skerry exec s1 sh -c 'kill $(cat /run/inner)'
	same "$(client tcp-reset 127.0.0.1 "$p")" eof
	withdraw a
	until_ok 10 is_free "$p"
}

case_services_refused() {
	local p
	p=$(free_port)
	services_container s1
	publish a sctp 0.0.0.0 "$p"
	has "$out" '^protocol sctp cannot be published'
	publish a tcp localhost "$p"
	has "$out" '^invalid host IP: localhost'
	publish a tcp 0.0.0.0 70000
	has "$out" '^invalid host port: 70000'
	# No iptables yet: the port does not stay without the way to the container.
	publish a tcp 127.0.0.1 "$p"
	has "$out" '^cannot lead port'
	until_ok 10 is_free "$p"
	# Root's alone.
	expect 13 skerry exec -u 1000 s1 perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Peer => "/run/host-services/control") or die $!'
	has "$err" 'Permission denied'
	# Who opens AF_VSOCK itself does not know the token.
	ok skerry exec s1 perl -e 'socket(my $s, 40, 1, 0) or die $!; connect($s, pack("SSLLx4", 40, 0, 1027, 2)) or die $!;
		syswrite($s, "x" x 16 . pack("VC", 40, 1) . "{}"); print defined sysread($s, my $b, 9) ? "end" : $!'
	has "$out" '^(end|Connection reset by peer)$'
	ok skerry create --name s2 "$IMG" ls -A /run
	vm_json s2 'v["services"] = {"publish": False}'
	ok skerry start -a s2
	has "$out" host-services
	ok skerry run --rm "$IMG" ls -A /run
	hasnt "$out" host-services
}

case_services_names() {
	serve dns
	services_container s1
	ok skerry exec s1 getent ahostsv4 host.docker.internal
	has "$out" '^10\.0\.2\.2 +STREAM'
	ok skerry exec s1 getent ahostsv4 GATEWAY.docker.internal
	has "$out" '^10\.0\.2\.2 +STREAM'
	# From a namespace of its own, which has no /etc/hosts of ours.
	expect 2 skerry exec s1 getent hosts other.docker.internal
	ok skerry exec s1 perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(PeerAddr => "10.0.2.3:53", Proto => "udp");
		$s->send(pack("nnnnnn", 7, 0x100, 1, 0, 0, 0) . "\4host\6docker\10internal\0" . pack("nn", 28, 1)); $s->recv(my $d, 999);
		my ($id, $f, $q, $a) = unpack "nnnn", $d; printf "%d %x %d\n", $id, $f, $q'
	same "$out" '7 8580 1'
}

case_services_ssh_auth() {
	local pid
	command -v ssh-agent >/dev/null || skip 'this machine has no ssh-agent'
	services_container s1 "
v['services']['ssh_auth'] = '$WORK/agent'"
	local list='use IO::Socket::UNIX; $SIG{PIPE} = "IGNORE"; my $s = IO::Socket::UNIX->new(Peer => "/run/host-services/ssh-auth.sock") or die $!;
		syswrite($s, pack("NC", 1, 11)); my $n = sysread($s, my $d, 4096); print $n ? unpack("x4CN", $d) : "end"'
	# None there; then one; then another one at the same place.
	ok skerry exec -u 1000 s1 perl -e "$list"
	same "$out" end
	for _ in 1 2; do
		rm -f "$WORK/agent"
		ssh-agent -D -a "$WORK/agent" >/dev/null &
		pid=$!
		e2e_servers+=("$pid")
		until_ok 10 test -S "$WORK/agent"
		ok skerry exec -u 1000 s1 perl -e "$list"
		same "$out" 120
		kill "$pid"
		wait "$pid" || true
	done
}
