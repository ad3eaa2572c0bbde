# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# Interfaces, names, ports, several networks.

case_bridge() {
	local address
	up "$me" box httpd -f -p 80 -h /var/www
	up "$me-p" -p 127.0.0.1::80 box httpd -f -p 80 -h /var/www
	docker run -d --name "$me-native" box httpd -f -p 80 -h /var/www >/dev/null
	sleep 0.5
	address=$(show "$me" '{{.NetworkSettings.IPAddress}}')
	p address 'x $me ip -o -4 addr show eth0 | grep -c " $address/24 "' '^1'
	p mac '[ "$(x $me cat /sys/class/net/eth0/address)" = "$(show $me {{.NetworkSettings.MacAddress}})" ] && echo same' 'same'
	p mtu 'x $me cat /sys/class/net/eth0/mtu' '1500'
	p routes 'x $me ip route | sed "s/ proto [a-z]*//; s/  */ /g; s/ *\$//"' 'default via'
	p interfaces 'x $me ls /sys/class/net' 'eth0'
	p up 'x $me cat /sys/class/net/eth0/operstate /sys/class/net/eth0/carrier' 'up'
	p gateway 'x $me ping -c 1 -W 5 172.29.77.1 | grep -c " 0% packet loss"' '^1'
	p loopback 'x $me timeout 5 wget -qO- http://127.0.0.1/' 'hello'
	p from-host 'python3 -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())" http://$address/' 'hello'
	p from-native 'x $me-native timeout 5 wget -qO- http://$address/' 'hello'
	p to-native 'x $me timeout 5 wget -qO- http://$(show $me-native {{.NetworkSettings.IPAddress}})/' 'hello'
	p published 'port=$(docker port $me-p 80 | sed s/.*://); python3 -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())" http://127.0.0.1:$port/' 'hello'
	p published-at-address 'port=$(docker port $me-p 80 | sed s/.*://); docker run --rm box timeout 5 wget -qO- http://$(show $me-p {{.NetworkSettings.IPAddress}})/' 'hello'
	p refused 'x $me timeout 5 wget -qO- http://$(show $me-native {{.NetworkSettings.IPAddress}}):81/' 'refused'
	p udp 'x -d $me sh -c "nc -u -l -p 99 >/tmp/udp"; sleep 0.5; echo datagram | x -i $me-native nc -u -w 1 $address 99; until_true 5 "x $me grep datagram /tmp/udp"; x $me cat /tmp/udp' 'datagram'
	p big 'x $me-native sh -c "head -c 5000000 /dev/zero >/var/www/big"; x $me timeout 20 wget -qO- http://$(show $me-native {{.NetworkSettings.IPAddress}})/big | wc -c' '5000000'
	p big-back 'x $me sh -c "head -c 5000000 /dev/zero >/var/www/big"; x $me-native timeout 20 wget -qO- http://$address/big | wc -c' '5000000'
	p big-ping 'x $me ping -c 1 -W 5 -s 5000 172.29.77.1 | grep -c " 0% packet loss"' '^1'
	p link 'd --link $me:alias box timeout 5 wget -qO- http://alias/' 'hello'
	p hosts 'x $me sh -c "grep -c $address /etc/hosts"' '^1'
	p mac-wanted 'd --mac-address 02:42:ac:11:00:99 box sh -c "sed s/:/-/g /sys/class/net/eth0/address"' '02-42-ac-11-00-99'
	p isolated 'd --network none box sh -c "ls /sys/class/net | grep -v -E \"dummy|tunl|sit|gre|ip6|erspan\"; timeout 2 wget -qO- http://172.29.77.1/"' 'lo'
	p stats 'docker stats --no-stream --format "{{.NetIO}}" $me | grep -c -E "[1-9].*/.*[1-9]"' '^1'
}
case_modes() {
	local server port
	cd "$work/rootfs/var/www" && python3 -c '
import http.server, sys
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
open(sys.argv[1], "w").write(str(server.server_port))
server.serve_forever()' "$tmp/port" >"$tmp/server.log" 2>&1 &
	server=$!
	until_true 10 "[ -s $tmp/port ]"
	port=$(cat "$tmp/port")
	differ host 'd --network host box sh -c "timeout 5 wget -qO- http://127.0.0.1:$port/ || timeout 5 wget -qO- http://10.0.2.2:$port/"' 'hello' 'hello'
	kill "$server"
	docker run -d --name "$me-o" box httpd -f -p 80 -h /var/www >/dev/null
	sleep 0.5
	differ of-native 'd --network container:$me-o box sh -c "timeout 5 wget -qO- http://127.0.0.1/ || timeout 5 wget -qO- http://10.0.2.2/"' 'hello' 'hello'
	p of-vm 'up $me-v box httpd -f -p 80 -h /var/www; sleep 0.5; d --network container:$me-v box timeout 5 wget -qO- http://127.0.0.1/' 'hello'
	differ ipc-of 'up $me-i --ipc shareable box sleep 1000; d --ipc container:$me-i box true' 'exit 0' 'exit 0|cannot'
	differ pid-of 'd --pid container:$me-i box true' 'exit 0' 'exit 0|cannot'
	differ ipc-host 'd --ipc host box true' 'exit 0' 'exit 0|cannot'
	differ uts-host 'd --uts host box true' 'exit 0' 'exit 0|cannot'
}
case_networks() {
	docker network create "$me-1" >/dev/null
	docker network create --ipv6 --subnet "fd00:7a:$((runtime_number + 1))::/64" --subnet "172.29.$((90 + runtime_number)).0/24" "$me-2" >/dev/null
	docker network create --internal -o com.docker.network.driver.mtu=1400 "$me-3" >/dev/null
	docker run -d --name "$me-first" --network "$me-1" --network-alias one box httpd -f -p 80 -h /var/www >/dev/null
	docker run -d --name "$me-second" --network "$me-2" box httpd -f -p 80 -h /var/www >/dev/null
	up "$me-between" --network "$me-1" --network-alias between box httpd -f -p 80 -h /var/www
	sleep 0.5
	p by-name 'x $me-between timeout 5 wget -qO- http://$me-first/' 'hello'
	p by-alias 'x $me-between timeout 5 wget -qO- http://one/' 'hello'
	p names-us 'x $me-first timeout 5 wget -qO- http://between/' 'hello'
	p name-of-itself 'x $me-between nslookup $me-between 127.0.0.11 | grep -c "Address.*172.29"' '^1'
	p no-such-name 'x $me-between timeout 20 nslookup no-such-name.example 127.0.0.11 2>&1 | grep -c "Address.*:[0-9]*\.[0-9].*[^3]$"' '^0'
	p not-connected 'x $me-between timeout 3 wget -qO- http://$me-second/ 2>/dev/null || echo no' 'no'
	p connect 'docker network connect --alias joined $me-2 $me-between; until_true 10 "x $me-between test -e /sys/class/net/eth1"; x $me-between ls /sys/class/net | grep eth | xargs' 'eth0 eth1'
	p connected 'until_true 10 "x $me-between timeout 5 wget -qO- http://$me-second/"; x $me-between timeout 5 wget -qO- http://$me-second/' 'hello'
	p joined 'x $me-second timeout 5 wget -qO- http://joined/' 'hello'
	p ipv6 'x $me-between ping -6 -c 1 -W 5 fd00:7a:$((runtime_number + 1))::1 | grep -c " 0% packet loss"' '^1'
	p ipv6-address 'x $me-between ip -6 -o addr show scope global | grep -c fd00' '^1'
	p ipv6-route 'x $me-between ip -6 route | grep -c "^default via fd00"'
	p ipv6-both 'a=$(show $me-between "{{(index .NetworkSettings.Networks \"$me-2\").GlobalIPv6Address}}"); x $me-second timeout 5 wget -qO- "http://[$a]/"' 'hello'
	p third 'docker network connect $me-3 $me-between; until_true 10 "x $me-between test -e /sys/class/net/eth2"; x $me-between cat /sys/class/net/eth2/mtu' '1400'
	p disconnect 'docker network disconnect $me-1 $me-between; until_true 10 "! x $me-between test -e /sys/class/net/eth0"; x $me-between ls /sys/class/net | grep eth | xargs' 'eth1'
	p still-second 'x $me-between timeout 5 wget -qO- http://$me-second/' 'hello'
	p again 'docker network connect $me-1 $me-between; until_true 10 "x $me-between timeout 5 wget -qO- http://$me-first/"; x $me-between timeout 5 wget -qO- http://$me-first/' 'hello'
	p restart 'docker restart -t 0 $me-between >/dev/null; until_true 10 "x $me-between timeout 5 wget -qO- http://$me-second/"; x $me-between timeout 5 wget -qO- http://$me-first/; x $me-between ls /sys/class/net | grep -c eth' 'hello'
	p fixed-address 'd --network $me-2 --ip 172.29.$((90 + runtime_number)).77 box sh -c "ip -o -4 addr show eth0 | grep -c \"\.77/24\""' '^1'
	p internal 'd --network $me-3 box sh -c "ip route | grep -c default; cat /sys/class/net/eth0/mtu"' '1400'
}
# Names that another server knows, and answers that no datagram can carry: what is cut off says so, over TCP it is whole. $question has the number 7, and its length in front over TCP.
case_names_of_others() {
	local question='\0\7\1\0\0\1\0\0\0\0\0\0\5large\7example\0\0\1\0\1' server address=172.29.78.$((runtime_number + 1))
	ip address add "$address/32" dev lo
	python3 "$here/names.py" "$address" >"$tmp/names.log" 2>&1 &
	server=$!
	docker network create "$me-net" >/dev/null
	up "$me-user" --network "$me-net" --dns "$address" box sleep 1000
	up "$me-plain" --dns "$address" box sleep 1000
	p embedded 'x $me-user timeout 20 nslookup small.example' '10\.3\.3\.3'
	p embedded-cut 'x $me-user timeout 20 nslookup large.example' 'Non-authoritative answer'
	p embedded-whole 'printf "\\0\\37$question" | x -i $me-user nc -w 3 127.0.0.11 53 | wc -c' '^[3-9][0-9]{3}[^0-9]'
	p embedded-twice 'printf "\\0\\37$question\\0\\37$question" | x -i $me-user nc -w 3 127.0.0.11 53 | wc -c' '^[0-9]{4,5}[^0-9]'
	p plain 'x $me-plain timeout 20 nslookup small.example' '10\.3\.3\.3'
	p plain-cut 'x $me-plain timeout 20 nslookup large.example' 'Non-authoritative answer'
	p plain-whole 'printf "\\0\\37$question" | x -i $me-plain nc -w 3 $address 53 | wc -c' '^3233[^0-9]'
	p plain-server 'x $me-plain grep nameserver /etc/resolv.conf' '^nameserver 172.29.78.'
	kill "$server"
}
case_compose() {
	docker network create "$me-front" >/dev/null
	docker network create --internal "$me-back" >/dev/null
	up "$me-db" --network "$me-back" --network-alias db -v "$me-files:/srv" box sh -c \
		'echo "row 1" >/srv/table; while :; do nc -l -p 5432 -e sh -c "read q; case \$q in get) cat /srv/table;; *) echo \$q >>/srv/table; echo ok;; esac"; done'
	docker create --runtime "$runtime" --name "$me-app" --network "$me-front" -p 127.0.0.1::80 -v "$me-files:/files:ro" box sh -c \
		'mkdir -p /www/cgi-bin; printf "#!/bin/sh\necho Content-type: text/plain; echo; echo get | nc -w 5 db 5432\n" >/www/cgi-bin/get; chmod 755 /www/cgi-bin/get; exec httpd -f -p 80 -h /www' >/dev/null
	docker network connect "$me-back" "$me-app"
	docker start "$me-app" >/dev/null
	docker run -d --name "$me-client" --network "$me-front" -v "$me-files:/files" box sleep 1000 >/dev/null
	p database 'until_true 15 "x $me-app sh -c \"echo get | nc -w 5 db 5432 | grep row\""; x $me-app sh -c "echo get | nc -w 5 db 5432"' 'row 1'
	p insert 'sleep 0.3; x $me-app sh -c "echo row 2 | nc -w 5 db 5432"' 'ok'
	p through-app 'until_true 10 "x $me-client timeout 5 wget -qO- http://$me-app/cgi-bin/get | grep \"row 2\""; x $me-client timeout 5 wget -qO- http://$me-app/cgi-bin/get' 'row 2'
	p published 'port=$(docker port $me-app 80 | sed "s/.*://"); until_true 10 "python3 -c \"import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())\" http://127.0.0.1:$port/cgi-bin/get | grep row"; python3 -c "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())" http://127.0.0.1:$port/cgi-bin/get' 'row 2'
	p volume-in-client 'x $me-client cat /files/table' 'row 2'
	p volume-read-only 'x $me-app touch /files/x' 'Read-only'
	p client-writes 'x $me-client sh -c "echo row 3 >>/files/table"; sleep 1; x $me-app sh -c "echo get | nc -w 5 db 5432"; x $me-app cat /files/table' 'row 3'
	p client-not-in-back 'x $me-client timeout 3 wget -qO- http://db:5432/ 2>/dev/null || echo no' 'no'
	p recreate 'docker rm -f $me-db >/dev/null; up $me-db --network $me-back --network-alias db -v $me-files:/srv box sh -c "while :; do nc -l -p 5432 -e cat /srv/table; done"; until_true 15 "x $me-client timeout 5 wget -qO- http://$me-app/cgi-bin/get | grep \"row 3\""; x $me-client timeout 5 wget -qO- http://$me-app/cgi-bin/get' 'row 3'
	p down 'docker rm -f $me-app $me-db $me-client >/dev/null; docker network rm $me-front $me-back >/dev/null; docker volume rm $me-files >/dev/null; echo gone' 'gone'
}
