# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What users of docker's client do in the first days, as it is with dockerd on the host.

# Paths of -v: with spaces and letters of other scripts, relative, files, sockets, one in the other, read-only; volumes and memory.
# case: timeout=240
case_machine_user_mounts() {
	. "$SUITE/lib.sh"
	local dir="$HOME/a b/größe-日本"
	start_machine
	mkdir -p "$dir/in" "$HOME/other"
	cd "$dir" || fail "no $dir"
	echo x >file
	ok d run --rm -v "$dir:/d" box cat /d/file
	same "$out" x
	ok d run --rm -v "$PWD/file:/f:ro" -v "$dir:/d:ro" -v "$HOME/other:/d/in" box sh -c 'cat /f; echo y >/d/in/y; ! echo z 2>/dev/null >/d/z'
	same "$(cat "$HOME/other/y")" y
	[ ! -e z ] || fail 'written where it is read-only'
	ok d run --rm --mount "type=bind,source=$dir,target=/d,readonly" box cat /d/file
	expect 1 d run --rm --read-only box touch /x
	ok d run --rm --read-only --tmpfs /t:size=1m,mode=1777 box sh -c 'touch /t/x; ! head -c 2000000 /dev/zero 2>/dev/null >/t/y'
	# a socket of a container's, in a directory of the host
	ok d import "$TAR" debian:latest
	ok d run -d --name server -v "$HOME/other:/s" debian perl -e 'use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Local => "/s/sock", Listen => 5) or die $!;
		while (my $c = $s->accept) { print $c "from-server\n"; close $c }'
	until_ok 10 test -S "$HOME/other/sock"
	ok d run --rm -v "$HOME/other:/s" debian perl -e 'use IO::Socket::UNIX; print IO::Socket::UNIX->new(Peer => "/s/sock")->getline'
	same "$out" from-server
	ok d rm -f server
	# volumes: labels, filled from the image, shared, pruned
	ok d volume create --label keep=1 kept
	ok d volume create --label keep=0 gone
	ok d volume ls -q --filter label=keep=1
	same "$out" kept
	ok d run --rm -v kept:/bin box ls /bin/busybox
	ok d run --rm -v kept:/k box ls /k/busybox
	ok d run --rm -v kept:/k:ro box sh -c '! touch /k/x 2>/dev/null'
	ok d run --name anonymous -v /anonymous box true
	ok d rm -v anonymous
	ok d volume ls -q
	same "$out" $'gone\nkept'
	ok d volume rm gone kept
	ok d run --name from -v /data box sh -c 'echo shared >/data/x'
	ok d run --rm --volumes-from from box cat /data/x
	same "$out" shared
	ok d rm -v from
	ok d system df
	has "$out" '^Images +2'
	ok d system prune -f
	# trees there and back
	mkdir tree
	(
		cd tree || exit 1
		for i in {1..40}; do
			mkdir "d$i"
			for j in {1..25}; do echo "$i $j" >"d$i/f$j"; done
		done
		ln -s d1/f1 link
		chmod 4755 d2/f2
	)
	ok d create --name tree box true
	ok d cp tree tree:/
	ok d cp tree:/tree "$HOME/back"
	ok diff -r --no-dereference tree "$HOME/back"
	same "$(stat -c %a "$HOME/back/d2/f2")" 4755
	d cp tree:/tree - | tar -t | grep -c 'd40/f25' >"$WORK/n" || fail 'cp to a stream'
}

# attach, exec with a terminal and its size, events, logs, restart policies; what of the host's kernel there is.
# case: timeout=240
case_machine_user_containers() {
	. "$SUITE/lib.sh"
	local pid
	start_machine
	d events --format '{{.Type}} {{.Action}}' >"$WORK/events" 2>&1 &
	pid=$!
	ok d run -d --name one --restart always box sh -c 'i=0; while :; do echo line $i; i=$((i + 1)); sleep 0.2; done'
	ok pty --size 31x97 --expect '31 97' --size 20x60 --sleep 1 --send '\r' --expect '20 60' --exit 0 -- docker -H "unix://$SKERRY_ROOT/run/default/docker.sock" exec -it one sh -c 'sleep 0.5; stty size; read x; stty size'
	ok d top one
	has "$out" 'sleep|sh -c'
	ok d rename one uno
	ok d rename uno one
	ok d pause one
	same "$(d inspect -f '{{.State.Status}}' one)" paused
	ok d unpause one
	ok d update --memory 50m --memory-swap 50m one
	same "$(d exec one cat /sys/fs/cgroup/memory.max)" 52428800
	ok d diff one
	ok d commit one committed
	ok d run --rm committed true
	ok d history -q committed
	ok d save -o saved.tar committed
	ok d rmi committed
	ok d load -i saved.tar
	has "$out" 'committed:latest'
	ok d export -o exported.tar one
	ok tar -tf exported.tar bin/busybox
	ok d stats --no-stream one
	ok d port one
	ok d wait "$(d run -d box sh -c 'exit 9')"
	same "$out" 9
	expect 137 d run --rm -m 20m box sh -c 'x=x; while :; do x=$x$x; done'
	# logs that are followed while the engine is killed: the stream ends, and what was written is there
	timeout 100 docker -H "unix://$SKERRY_ROOT/run/default/docker.sock" logs -f --tail 1 one >"$WORK/followed" 2>&1 &
	until_ok 10 grep -q line "$WORK/followed"
	ok skerry machine ssh 'kill -9 $(pidof dockerd)'
	wait $! || true
	until_ok 60 d exec one true
	ok d logs --tail 3 one
	same "$(wc -l <<<"$out")" 3
	has "$(cat "$WORK/events")" '^container start$'
	kill "$pid" 2>/dev/null || true
	# restart policies over a restart of the machine
	ok d run -d --name unless --restart unless-stopped box sleep 1000
	ok d run -d --name stopped --restart unless-stopped box sleep 1000
	ok d run -d --name failure --restart on-failure:2 box sh -c 'exit 1'
	ok d run -d --name none box sleep 1000
	ok d stop -t 1 stopped
	ok skerry machine restart -q
	until_ok 60 d exec one true
	until_ok 60 d exec unless true
	ok d ps -a --format '{{.Names}} {{.State}}'
	has "$out" '^stopped exited'
	has "$out" '^none exited'
	has "$out" '^failure exited'
	# the machine's, where a container has the host's
	ok d run --rm --network host box hostname
	same "$out" default
	ok d run --rm --pid host box sh -c 'cat /proc/1/comm'
	has "$out" skerry-machine
	ok d run --rm --privileged box sh -c 'mount -t tmpfs none /mnt 2>/dev/null || { mkdir -p /m; mount -t tmpfs none /m; }'
	expect 125 d run --rm --gpus all box true
	has "$err" 'could not select device driver'
	expect 127 d run --rm --device /dev/nothing box true # the client's code for these words
	has "$err" 'no such file'
	ok d run --rm --cap-drop ALL --security-opt no-new-privileges --ulimit nofile=99 box sh -c 'ulimit -n'
	same "$out" 99
	ok d run --rm --sysctl net.core.somaxconn=99 --shm-size 1m --hostname h --add-host a:1.2.3.4 --dns 9.9.9.9 box \
		sh -c 'cat /proc/sys/net/core/somaxconn; hostname; grep -c 1.2.3.4 /etc/hosts; grep -c 9.9.9.9 /etc/resolv.conf'
	same "$out" $'99\nh\n1\n1'
}

# Networks of all kinds that an engine has, and ports of all kinds.
# case: timeout=300
case_machine_user_networks() {
	. "$SUITE/lib.sh"
	local p q base i
	start_machine
	# a range, another address of loopback, IPv6 alone, a random port
	base=$(free_port)
	[ "$base" -lt 60000 ] || base=$((base - 10000))
	ok d run -d --name range -p "127.0.0.1:$base-$((base + 4)):8000-8004" box sh -c 'for i in 0 1 2 3; do httpd -p 800$i -h /bin; done; exec httpd -f -p 8004 -h /bin'
	for i in 0 2 4; do until_ok 10 curl -sSf -m 5 -o page "http://127.0.0.1:$((base + i))/report"; done
	p=$(free_port)
	ok d run -d --name two -p "127.0.0.2:$p:80" box httpd -f -p 80 -h /bin
	until_ok 10 curl -sSf -m 5 -o page "http://127.0.0.2:$p/report"
	! curl -sS -m 2 -o page "http://127.0.0.1:$p/report" 2>/dev/null || fail 'a port of 127.0.0.2 is at 127.0.0.1'
	# the same port at another address is another one
	ok d run -d --name three -p "127.0.0.3:$p:80" box httpd -f -p 80 -h /bin
	until_ok 10 curl -sSf -m 5 -o page "http://127.0.0.3:$p/report"
	expect 125 d run --rm -p "127.0.0.3:$p:80" box true
	has "$err" 'address already in use|port is already allocated'
	ok d run -d --name random -p 80 box httpd -f -p 80 -h /bin
	q=$(d port random 80/tcp | sed -n '1s/.*://p')
	until_ok 10 curl -sSf -m 5 -o page "http://127.0.0.1:$q/report"
	if [ -e /proc/net/if_inet6 ]; then
		p=$(free_port)
		ok d run -d --name six -p "[::1]:$p:80" box httpd -f -p 80 -h /bin
		until_ok 10 curl -sSf -m 5 -o page "http://[::1]:$p/report"
		! curl -sS -m 2 -o page "http://127.0.0.1:$p/report" 2>/dev/null || fail 'a port of [::1] is at 127.0.0.1'
		p=$(free_port)
		ok d run -d --name six-any -p "[::]:$p:80" box httpd -f -p 80 -h /bin
		until_ok 10 curl -sSf -m 5 -o page "http://[::1]:$p/report"
	fi
	# all are free again when the engine was killed and the containers are gone
	ok skerry machine ssh 'kill -9 $(pidof dockerd)'
	until_ok 60 d ps
	d ps -aq | xargs docker -H "unix://$SKERRY_ROOT/run/default/docker.sock" rm -f >/dev/null || fail 'rm'
	until_ok 20 bash -c "! curl -sS -m 2 -o page http://127.0.0.1:$q/report"
	ok d run --rm -p "127.0.0.1:$base:80" box true

	# names and addresses in networks; one network is not another
	ok d network create --label l=1 a
	ok d network create --subnet 10.215.0.0/24 b
	ok d run -d --name in-a --network a --network-alias alias box httpd -f -p 80 -h /bin
	ok d run --rm --network a box wget -q -O - http://alias/report
	has "$out" busybox
	expect 1 d run --rm --network b box nslookup in-a
	ok d network connect b in-a
	ok d run --rm --network b --ip 10.215.0.77 box sh -c 'ping -c 1 -W 5 in-a >/dev/null; ip -o -4 addr show eth0'
	has "$out" '10\.215\.0\.77'
	ok d network disconnect b in-a
	ok d run --rm --network container:in-a box wget -q -O - http://127.0.0.1/report
	ok d network create --internal c
	expect 1 d run --rm --network c box ping -c 1 -W 1 10.0.2.2
	ok d network create --ipv6 --subnet fd00:77::/64 six
	ok d run -d --name in-six --network six box httpd -f -p 80 -h /bin
	ok d run --rm --network six box ping -6 -c 1 -W 5 in-six
	for i in macvlan ipvlan; do
		ok d network create -d "$i" -o parent=eth0 --subnet 10.216.0.0/24 "$i"
		ok d run -d --name "in-$i" --network "$i" --ip 10.216.0.9 box sleep 1000
		ok d run --rm --network "$i" box ping -c 1 -W 5 10.216.0.9
		ok d rm -f "in-$i"
		ok d network rm "$i"
	done
	ok d rm -f in-a in-six
	ok d network prune -f
	# swarm: a service of two by its name, one with a port of its node
	ok d swarm init --advertise-addr 127.0.0.1
	ok d network create -d overlay --attachable over
	echo secret | d secret create word - >/dev/null || fail 'secret'
	ok d service create -q -d --name web --network over --replicas 2 --secret word box httpd -f -p 80 -h /run/secrets
	until_ok 90 eval '[ "$(d service ls --format "{{.Replicas}}")" = 2/2 ]'
	until_ok 30 d run --rm --network over box wget -q -O - http://web/word
	ok d service scale -d web=1
	ok d service rm web
	p=$(free_port)
	ok d service create -q -d --name host --secret word --publish "published=$p,target=80,mode=host" box httpd -f -p 80 -h /run/secrets
	until_ok 60 curl -sSf -m 5 -o page "http://127.0.0.1:$p/word"
	same "$(cat page)" secret
	# a port of all nodes, as long as it is one
	q=$(free_port)
	ok d service create -q -d --name all --secret word --publish "published=$q,target=80" box httpd -f -p 80 -h /run/secrets
	until_ok 60 curl -sSf -m 5 -o page "http://127.0.0.1:$q/word"
	same "$(cat page)" secret
	[ ! -e /proc/net/if_inet6 ] || until_ok 20 curl -sSf -m 5 -o page "http://[::1]:$q/word"
	ok d service update -q -d --publish-rm 80 all
	until_ok 30 bash -c "! curl -sS -m 2 -o page http://127.0.0.1:$q/word"
	ok d service update -q -d --publish-add "published=$q,target=80" all
	until_ok 60 curl -sSf -m 5 -o page "http://127.0.0.1:$q/word"
	ok d swarm leave --force
	until_ok 20 bash -c "! curl -sS -m 2 -o page http://127.0.0.1:$q/word"
	until_ok 20 bash -c "! curl -sS -m 2 -o page http://127.0.0.1:$p/word"
}

# UDP both ways and by both families, the client's address, large transfers, the host by its name.
# case: timeout=240
case_machine_user_traffic() {
	. "$SUITE/lib.sh"
	local u p address
	start_machine
	ok d import "$TAR" debian:latest
	u=$(free_port udp) p=$(free_port)
	local echo='use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 9, Proto => "udp") or die;
		while (defined $s->recv(my $d, 65535)) { $s->send("echo " . length($d) . " " . $s->peerhost) }'
	ok d run -d --name udp -p "$u:9/udp" debian perl -e "$echo"
	until_ok 20 client udp-ask 127.0.0.1 "$u" ping
	if [ -e /proc/net/if_inet6 ]; then
		ok python3 -c 'import socket, sys; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.settimeout(10)
s.sendto(b"ping", ("::1", int(sys.argv[1]))); print(s.recv(99).decode())' "$u"
		has "$out" '^echo 4 '
	fi
	has "$(client udp-ask 127.0.0.1 "$u" "$(head -c 8000 /dev/zero | tr '\0' x)")" '^echo 8001 ' # with its newline
	# Who asks: the host's own address.
	ok d run -d --name peer -p "$p:9" debian perl -e 'use IO::Socket::IP; my $s = IO::Socket::IP->new(LocalHost => "0.0.0.0", LocalPort => 9, Listen => 5, ReuseAddr => 1) or die;
		while (my $c = $s->accept) { print $c $c->peerhost, "\n"; close $c }'
	address=$(ip -4 -o addr show scope global | awk 'NR == 1 { sub("/.*", "", $4); print $4 }')
	if [ -n "$address" ]; then
		until_ok 20 bash -c "cat </dev/tcp/$address/$p >seen; grep -q . seen"
		same "$(cat seen)" "$address"
	fi
	# 200 MB from the host, and as much to it
	mkdir -p "$HOME/www"
	head -c 200000000 /dev/urandom >"$HOME/www/big"
	p=$(free_port)
	python3 -m http.server --bind 127.0.0.1 --directory "$HOME/www" "$p" >/dev/null 2>&1 &
	e2e_servers+=("$!")
	ok d run --rm box sh -c "wget -q -O - http://host.docker.internal:$p/big | sha256sum"
	same "${out%% *}" "$(sha256sum <"$HOME/www/big" | cut -d' ' -f1)"
	p=$(free_port)
	ok d run -d --name big -p "$p:80" -v "$HOME/www:/www:ro" box httpd -f -p 80 -h /www
	until_ok 20 curl -sSf -m 100 -o big "http://127.0.0.1:$p/big"
	cmp big "$HOME/www/big" || fail 'what came through the port is not what was served'
}
