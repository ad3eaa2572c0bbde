# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Ports of containers in a machine, on the host.

web() { curl -sS -m 10 -o /dev/null -w '%{http_code}' "$1"; }

# case: timeout=180 quick
case_machine_ports() {
	. "$SUITE/lib.sh"
	start_machine
	local p q other busy
	p=$(free_port) q=$(free_port) other=$(free_port)
	ok d run -d --name all -p "$p:80" box busybox httpd -f -p 80 -h /bin
	ok d run -d --name local -p "127.0.0.1:$q:80" box busybox httpd -f -p 80 -h /bin
	same "$(web "http://127.0.0.1:$p/busybox")" 200
	same "$(web "http://127.0.0.1:$q/busybox")" 200
	[ ! -e /proc/net/if_inet6 ] || same "$(web "http://[::1]:$p/busybox")" 200
	local address
	address=$(ip -4 -o addr show scope global | awk 'NR == 1 { sub("/.*", "", $4); print $4 }')
	if [ -n "$address" ]; then
		same "$(web "http://$address:$p/busybox")" 200
		! curl -sS -m 5 -o /dev/null "http://$address:$q/busybox" 2>/dev/null || fail 'a port of 127.0.0.1 is reached from elsewhere'
	fi
	# in use on the host, by somebody else
	serve tcp-echo
	busy=$port
	expect 125 d run --rm -p "$busy:80" box true
	has "$err" 'address already in use|port is already allocated'
	# What cannot be published is refused by name, by the engine or by the program that it asks, and takes no other port with it.
	expect 125 d run -d --name sctp -p "$other:80" -p "$other:80/sctp" box true
	has "$err" 'sctp'
	ok d rm sctp
	ok d run --rm -p "$other:80" box true
	ok skerry machine ssh '/sbin/skerry-proxy -proto sctp -host-ip 0.0.0.0 -host-port 1 -container-ip 172.17.0.2 -container-port 1 3>&1 || true'
	has "$out" '^protocol sctp cannot be published on the host of a machine, only tcp and udp'
	# gone with the container, the engine, the machine
	ok d rm -f all
	until_ok 5 bash -c "! curl -sS -m 2 -o /dev/null http://127.0.0.1:$p/"
	same "$(web "http://127.0.0.1:$q/busybox")" 200
	ok skerry machine stop
	! curl -sS -m 2 -o /dev/null "http://127.0.0.1:$q/" 2>/dev/null || fail 'the port is still open'
}

# case: timeout=240
case_machine_names() {
	. "$SUITE/lib.sh"
	start_machine
	local name
	serve tcp-echo
	for name in host.docker.internal gateway.docker.internal host.skerry.internal; do
		ok d run --rm box busybox nslookup "$name"
		has "$out" '10\.0\.2\.2'
	done
	ok d run --rm --add-host own:host-gateway box busybox grep own /etc/hosts
	has "$out" '^10\.0\.2\.2'
	out=$(echo hello | d run --rm -i box busybox nc -w 5 host.docker.internal "$port") || fail 'nc'
	same "$out" 'echo: hello'
	# a user's network has docker's name server in between
	ok d network create --subnet 10.213.0.0/24 net
	ok d run -d --name peer --network net box busybox sleep 1000
	ok d run --rm --network net box busybox ping -c 1 -W 5 peer
	ok d run --rm --network net box busybox nslookup host.docker.internal
	has "$out" '10\.0\.2\.2'
}

# case: timeout=180 root-only
case_machine_host_networks() {
	. "$SUITE/lib.sh"
	local p
	p=$(free_port)
	unshare --net true 2>/dev/null || skip 'no network namespaces here'
	# a host that has a docker0 of its own: its clients are answered
	cat >"$WORK/host" <<END
set -e
ip link set lo up
ip link add docker0 type bridge
ip addr add 172.17.0.1/16 dev docker0
ip link set docker0 up
skerry machine init --now
docker -H unix://$SKERRY_ROOT/run/default/docker.sock import --change 'ENV PATH=/bin' $WORK/box.tar box:latest
docker -H unix://$SKERRY_ROOT/run/default/docker.sock run -d -p $p:80 box busybox httpd -f -p 80 -h /bin
curl -sS -m 10 -o /dev/null -w 'http %{http_code}\n' --interface 172.17.0.1 http://172.17.0.1:$p/busybox
docker -H unix://$SKERRY_ROOT/run/default/docker.sock network inspect bridge --format '{{(index .IPAM.Config 0).Subnet}}'
skerry machine rm -f
END
	pack_box
	ok unshare --net bash "$WORK/host"
	has "$out" '^http 200$'
	has "$out" '^172\.18\.0\.0/16$'
}

# The host's name server as it is at that moment: the file replaced, as a VPN does it, and written over.
# case: timeout=240 root-only
case_machine_resolver() {
	. "$SUITE/lib.sh"
	unshare --mount true 2>/dev/null || skip 'no mount namespaces here'
	# Answers every question of type A with the address that it is given.
	cat >"$WORK/server.py" <<'END'
import socket, sys, threading
def answer(data):
    end = data.index(b"\0", 12) + 5
    a = data[end - 4:end - 2] == b"\0\1"
    head = data[:2] + b"\x81\x80\0\1\0" + bytes([a]) + b"\0\0\0\0" + data[12:end]
    return head + (b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(sys.argv[2]) if a else b"")
def serve_tcp(listener):
    while True:
        conn = listener.accept()[0]
        with conn, conn.makefile("rb") as file:
            text = answer(file.read(int.from_bytes(file.read(2), "big")))
            conn.sendall(len(text).to_bytes(2, "big") + text)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
threading.Thread(target=serve_tcp, args=(socket.create_server((sys.argv[1], 53)),), daemon=True).start()
print("bound", flush=True)
while True:
    data, peer = s.recvfrom(4096)
    s.sendto(answer(data), peer)
END
	pack_box
	cat >"$WORK/host" <<END
set -e
mount -t tmpfs none $WORK/etc
cp -a /etc/. $WORK/etc/
rm -f $WORK/etc/resolv.conf
echo 'nameserver 127.0.0.71' >$WORK/etc/resolv.conf
mount --bind $WORK/etc /etc
for n in 1 2 3; do python3 $WORK/server.py 127.0.0.7\$n 192.0.2.\$n >$WORK/bound\$n & done
for n in 1 2 3; do until [ -s $WORK/bound\$n ]; do sleep 0.1; done; done
d() { docker -H unix://$SKERRY_ROOT/run/default/docker.sock "\$@"; }
ask() { sleep 1.5; d exec "\$1" nslookup name.example | awk '/^Address.*192/ { print "'"\$1"'", \$NF }'; }
ask_tcp() {
	printf '\0\36\0\7\1\0\0\1\0\0\0\0\0\0\4name\7example\0\0\1\0\1' | d exec -i plain nc 10.0.2.3 53 | tail -c 4 | od -An -tu1 | awk '{ print "tcp", \$1 "." \$2 "." \$3 "." \$4 }'
}
skerry machine init --now
d import --change 'ENV PATH=/bin' $WORK/box.tar box:latest
d network create own
d run -d --name plain box sleep 1000
d run -d --name own --network own box sleep 1000
ask plain
ask own
ask_tcp
echo 'nameserver 127.0.0.72' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
ask plain
ask own
ask_tcp
echo 'nameserver 127.0.0.73' >/etc/resolv.conf
ask plain
ask own
ask_tcp
d exec plain nslookup host.docker.internal
skerry machine rm -f
kill \$(jobs -p)
END
	mkdir "$WORK/etc"
	ok unshare --mount --propagation private bash "$WORK/host"
	same "$(grep 192 <<<"$out" | tr '\n' ' ')" 'plain 192.0.2.1 own 192.0.2.1 tcp 192.0.2.1 plain 192.0.2.2 own 192.0.2.2 tcp 192.0.2.2 plain 192.0.2.3 own 192.0.2.3 tcp 192.0.2.3 '
	has "$out" '10\.0\.2\.2'
}
