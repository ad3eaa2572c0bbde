# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What a container is given: environment, user, limits, rights.

case_config_env() {
	run -e A=1 -e B='two words' -e EMPTY= "$IMG" sh -c 'echo "$A-$B-$EMPTY-${PATH:+path}-$HOME-$HOSTNAME"'
	has "$out" '^1-two words--path-/root-[0-9a-f]{12}$'
	# inspect shows what was asked for; exec has the rest, too.
	ok skerry run -d --name env1 --hostname here -e A=1 "$IMG" sleep 1000
	same "$(skerry inspect -f '{{range .Config.Env}}{{println .}}{{end}}' env1 | grep -v ^PATH=)" A=1
	ok skerry exec env1 sh -c 'echo "$A $HOSTNAME ${PATH:+path}"'
	same "$out" '1 here path'
	C=passed run -e C -e NOTSET "$IMG" sh -c 'echo "$C-${NOTSET-unset}"'
	same "$out" 'passed-unset'
	printf '# comment\nX=from file\n\nY=2\n' >env.list
	run --env-file env.list -e Y=3 "$IMG" sh -c 'echo "$X $Y"'
	same "$out" 'from file 3'
	expect 125 skerry run --rm --env-file nofile "$IMG" true
	complaint nofile
	run -t "$IMG" sh -c 'echo $TERM'
	has "$out" xterm
}

case_config_workdir() {
	run -w /var/lib "$IMG" pwd
	same "$out" /var/lib
	run -w /made/for/this "$IMG" pwd
	same "$out" /made/for/this
}

case_config_user() {
	run -u daemon "$IMG" sh -c 'id -un; id -gn'
	same "$out" $'daemon\ndaemon'
	run -u daemon:mail "$IMG" sh -c 'id -un; id -gn'
	same "$out" $'daemon\nmail'
	run -u 4321 "$IMG" sh -c 'id -u; id -g'
	same "$out" $'4321\n0'
	run -u 1000:1001 "$IMG" sh -c 'id -u; id -g; touch /tmp/x && stat -c %u:%g /tmp/x'
	same "$out" $'1000\n1001\n1000:1001'
	expect 125 skerry run --rm -u nosuchuser "$IMG" true
	has "$err" nosuchuser
}

case_config_groups() {
	run -u daemon --group-add audio --group-add 4242 "$IMG" id -G
	same "$out" "1 29 4242"
	ok skerry run -d --name g1 --group-add video "$IMG" sleep 1000
	ok skerry exec g1 id -Gn
	same "$out" 'root video'
	ok skerry exec -u mail g1 id -Gn
	same "$out" 'mail video'
	expect 125 skerry run --rm --group-add nosuchgroup "$IMG" true
	has "$err" nosuchgroup
}

case_config_entrypoint() {
	run --entrypoint echo "$IMG" a b
	same "$out" 'a b'
	run --entrypoint sh "$IMG" -c 'echo $0'
	same "$out" sh
}

case_config_hostname_and_hosts() {
	run --hostname here --add-host far:192.0.2.9 "$IMG" sh -c 'hostname; cat /etc/hostname; getent hosts far; getent hosts here | wc -l'
	has "$out" $'^here'
	has "$out" '192\.0\.2\.9 +far'
	same "$(tail -1 <<<"$out")" 1
	run --add-host gate:host-gateway "$IMG" getent hosts gate
	has "$out" '[0-9]'
}

case_config_dns() {
	run --dns 192.0.2.1 --dns 192.0.2.2 --dns-search example.test "$IMG" cat /etc/resolv.conf
	has "$out" 'nameserver 192\.0\.2\.1'
	has "$out" 'nameserver 192\.0\.2\.2'
	has "$out" 'search example\.test'
}

# case: quick
case_config_memory_oom() {
	ok skerry run -d --name oom -m 96m "$IMG" perl -e 'my @a; push @a, "x" x 1000000 while 1'
	ok timeout 50 skerry wait oom
	same "$out" 137
	same "$(field oom 'd["State"]["OOMKilled"]')" true
}

case_config_memory_oom_of_a_child() {
	# The container's first process lives on.
	run -m 128m "$IMG" sh -c 'perl -e "my @a; push @a, q(x) x 1000000 while 1"; echo "child $?"'
	has "$out" 'child 137'
}

case_config_memory_is_there() {
	run -m 300m "$IMG" sh -c 'cat /sys/fs/cgroup/memory.max; grep MemTotal /proc/meminfo'
	has "$out" '^314572800$'
	run -m 1g "$IMG" perl -e 'my $x = "x" x 350_000_000; print length $x'
	same "$out" 350000000
	expect 125 skerry run --rm -m 1k "$IMG" true
	expect 125 skerry run --rm -m much "$IMG" true
	complaint much
}

case_config_cpus() {
	run --cpus 1 "$IMG" nproc
	same "$out" 1
	run --cpus 0.5 "$IMG" cat /sys/fs/cgroup/cpu.max
	has "$out" '^50000 100000'
	expect 125 skerry run --rm --cpus none "$IMG" true
}

# case: quick
case_config_two_cpus() {
	[ "$(nproc)" -ge 2 ] || skip 'the host has one processor'
	run --cpus 2 "$IMG" nproc
	same "$out" 2
}

# case: quick
case_config_read_only() {
	expect 1 skerry run --rm --read-only "$IMG" sh -c 'touch /root/x'
	has "$err" 'Read-only'
	run --read-only --tmpfs /run:rw,size=1m,mode=1777 "$IMG" sh -c 'touch /run/x; stat -f -c %T /run; touch /root/x 2>/dev/null || echo ro'
	same "$out" $'tmpfs\nro'
	run --read-only "$IMG" sh -c 'echo x >/dev/shm/x && cat /dev/shm/x'
}

case_config_tmpfs() {
	run --tmpfs /scratch "$IMG" sh -c 'stat -f -c %T /scratch; echo ok >/scratch/f; cat /scratch/f'
	same "$out" $'tmpfs\nok'
	try skerry run --rm --tmpfs /scratch:size=1m "$IMG" dd if=/dev/zero of=/scratch/f bs=1M count=3
	[ "$rc" != 0 ] || fail 'the size does not hold'
}

case_config_capabilities() {
	local status='grep -E "^Cap(Eff|Bnd)" /proc/self/status'
	run "$IMG" sh -c "$status"
	has "$out" 'CapEff:.*00000000a80425fb'
	run --cap-drop ALL "$IMG" sh -c "$status"
	has "$out" 'CapEff:.*0000000000000000'
	run --cap-drop all --cap-add NET_BIND_SERVICE --cap-add CAP_CHOWN "$IMG" sh -c "$status"
	has "$out" 'CapEff:.*0000000000000401'
	run --cap-add SYS_ADMIN "$IMG" sh -c 'mount -t tmpfs none /mnt && echo mounted'
	same "$out" mounted
	try skerry run --rm "$IMG" mount -t tmpfs none /mnt
	[ "$rc" != 0 ] || fail 'mount works without the capability'
	expect 125 skerry run --rm --cap-add NOSUCH "$IMG" true
	complaint NOSUCH
	run -u daemon "$IMG" sh -c "$status"
	has "$out" 'CapEff:.*0000000000000000'
}

# case: quick
case_config_seccomp() {
	run "$IMG" grep Seccomp: /proc/self/status
	has "$out" '2$'
	try skerry run --rm "$IMG" unshare -U true
	[ "$rc" != 0 ] || fail 'the default profile lets unshare through'
	run --security-opt seccomp=unconfined "$IMG" sh -c 'grep Seccomp: /proc/self/status; unshare -Ur id -u'
	has "$out" '0$'
	cat >profile.json <<-'END'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}
	END
	try skerry run --rm --security-opt seccomp=profile.json "$IMG" mkdir /x
	has "$err" 'not supported'
	expect 125 skerry run --rm --security-opt seccomp=nofile.json "$IMG" true
	complaint 'nofile.json'
	run --security-opt no-new-privileges "$IMG" grep NoNewPrivs /proc/self/status
	has "$out" '1$'
}

case_config_ulimit() {
	run --ulimit nofile=123:456 --ulimit core=0 "$IMG" bash -c 'ulimit -Sn; ulimit -Hn; ulimit -c'
	same "$out" $'123\n456\n0'
	expect 125 skerry run --rm --ulimit nosuch=1 "$IMG" true
}

case_config_init_reaps() {
	# Orphans that end are not left as zombies.
	run --init "$IMG" bash -c '
		for i in 1 2 3 4 5; do (sleep 0.1 & ) ; done
		sleep 1
		n=0
		for s in /proc/[0-9]*/stat; do read -r line <$s 2>/dev/null && case $line in *") Z "*) n=$((n+1));; esac; done
		echo "$n zombies; pid $$ is not 1"; cat /proc/1/comm'
	has "$out" '^0 zombies'
	hasnt "$out" 'pid 1 '
	expect 23 skerry run --rm --init "$IMG" sh -c 'exit 23'
}

case_config_pids_limit() {
	try skerry run --rm --pids-limit 20 "$IMG" bash -c 'for i in {1..40}; do sleep 3 & done; wait; echo done'
	has "$err" 'fork|Resource temporarily'
	run --pids-limit 20 "$IMG" cat /sys/fs/cgroup/pids.max
	same "$out" 20
}

case_config_labels() {
	printf 'from=file\n' >labels
	ok skerry create --name l1 --label a=b --label bare --label-file labels "$IMG" true
	same "$(field l1 'd["Config"]["Labels"]["a"] + d["Config"]["Labels"]["bare"] + d["Config"]["Labels"]["from"]')" bfile
}

case_config_devices_and_files() {
	run "$IMG" sh -c 'echo x >/dev/null; head -c 8 /dev/zero | wc -c; head -c 8 /dev/urandom | wc -c; test -c /dev/tty && test -d /dev/shm && test -d /dev/pts && ls -l /dev/fd /dev/stdin >/dev/null; echo ok'
	same "$out" $'8\n8\nok'
	run "$IMG" sh -c 'ls /sys/fs/cgroup/cgroup.controllers >/dev/null; test ! -w /proc/sys/kernel/panic; cat /proc/sys/kernel/panic >/dev/null; echo ok'
	same "$out" ok
}

# case: quick
case_config_no_files_of_the_host() {
	# No way to the host's files that a root in the guest might try is there.
	run --cap-add SYS_ADMIN --security-opt seccomp=unconfined "$IMG" sh -c '
		mkdir -p /h; for t in hostfs 9p virtiofs; do mount -t $t none /h 2>/dev/null && echo "mounted $t"; done; ls -A /h'
	same "$out" ''
}

case_config_mqueue_shm_ipc() {
	run "$IMG" sh -c 'mount | grep -E " on /dev/(shm|mqueue) " | wc -l'
	same "$out" 2
	run --shm-size 5m "$IMG" df -k --output=size /dev/shm
	has "$out" '5120'
}

case_config_large_disk_writes() {
	run "$IMG" sh -c 'dd if=/dev/zero of=/root/big bs=1M count=300 conv=fsync 2>/dev/null; stat -c %s /root/big; rm /root/big'
	same "$out" 314572800
}

case_config_file_system_semantics() {
	run "$IMG" sh -ec '
		cd /root; echo a >a; ln a b; ln -s a c; mv b d; chmod 4755 a; chown daemon a; stat -c "%U %h" a
		mkfifo f; mknod n c 1 3 && echo x >n; setfattr --help >/dev/null 2>&1 || true
		perl -e "open my \$f, q(>), q(a) or die; flock \$f, 2 or die; unlink q(a); print \$f q(x) or die; print qq(ok\n)"'
	same "$out" $'daemon 2\nok'
}

case_config_devices_of_the_guest() {
	run --device /dev/net/tun --device /dev/fuse "$IMG" perl -e '
		open(my $t, "+<", "/dev/net/tun") or die "tun: $!";
		ioctl($t, 0x400454ca, my $r = pack("a16 s x22", "tun7", 0x1001)) and die "without NET_ADMIN";
		open(my $f, "+<", "/dev/fuse") or die "fuse: $!"; print "ok"'
	same "$out" ok
	run --device /dev/net/tun --cap-add NET_ADMIN "$IMG" perl -e '
		open(my $t, "+<", "/dev/net/tun") or die "tun: $!";
		ioctl($t, 0x400454ca, my $r = pack("a16 s x22", "tun7", 0x1001)) or die "TUNSETIFF: $!";
		print grep(/tun7/, `cat /proc/net/dev`) ? "up" : "no"'
	same "$out" up
	run "$IMG" sh -c 'test ! -e /dev/fuse; mknod /tmp/f c 10 229 && cat /tmp/f 2>&1 || true'
	has "$out" 'not permitted'
	run --privileged "$IMG" test -c /dev/net/tun
	expect 125 skerry run --rm --device /dev/sda "$IMG" true
	complaint '/dev/sda'
}
