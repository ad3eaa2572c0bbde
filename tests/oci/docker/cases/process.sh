# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# What a process gets, and how it ends.

case_exit_codes() {
	p true 'd box true' '^exit 0|exit 0$'
	p false 'd box false' 'exit 1$'
	p code 'd box sh -c "exit 42"' 'exit 42$'
	p killed 'd box sh -c "sleep 0.1; exec sh -c \"ulimit -t 1; while :; do :; done\""' 'exit 1(37|52)$'
	p terminated 'd box sh -c "sleep 1000 & kill -TERM \$!; wait \$!"' 'exit 143$'
	p no-program 'd box no-such-program' 'not found.*exit 127$'
	p not-executable 'd box /etc/passwd' 'permission denied.*exit 126$'
	p no-file 'd box /no/such/file' 'no such file.*exit 127$'
	p no-workdir 'd -w /made/for/it box pwd' '/made/for/it'
	p no-user 'd -u nobody-here box true' 'exit 12[56]$'
}
case_stdio() {
	p cat 'echo abc | d -i box cat' 'abc'
	p both 'd box sh -c "echo out; echo err >&2" 2>/dev/null' 'out'
	p errors 'd box sh -c "echo out; echo err >&2" 2>&1 >/dev/null' 'err'
	p much-out 'd box sh -c "head -c 3000000 /dev/zero | tr \"\\0\" x" | md5sum' '[0-9a-f]{32}'
	p much-in 'head -c 2000000 /dev/zero | d -i box wc -c' '2000000'
	p no-stdin 'd box cat' 'exit 0$'
	p closed-output 'd box sh -c "yes | head -n 100000; echo done >&2" 2>&1 >/dev/null | tail -n 1' 'done'
}
case_terminal() {
	p size 'on_terminal --size 33x77 --expect "33 77" --exit 0 -- docker run --rm -it --runtime $runtime box sh -c "sleep 0.5; tty; stty size"' '/dev/pts/0'
	p shell 'on_terminal --expect "#" --send "echo a\$((1+1))b\r" --expect "a2b" --send "exit 7\r" --exit 7 -- docker run --rm -it --runtime $runtime box sh | grep -c a2b'
	p interrupt 'on_terminal --expect "ready\r\n" --send "\x03" --exit 130 -- docker run --rm -it --runtime $runtime box sh -c "trap \"exit 130\" INT; echo ready; while :; do sleep 0.1; done"' 'exit 0$'
	# Docker's client looks at the size when the container has started, and a moment later begins to listen to changes.
	p resize 'on_terminal --expect "ready\r\n" --sleep 0.5 --size 12x34 --send "\r" --expect "12 34" --exit 0 -- docker run --rm -it --runtime $runtime box sh -c "echo ready; read x; until stty size | grep 12.34; do sleep 0.1; done" | grep -c "12 34"'
	p detach 'on_terminal --expect "ready\r\n" --send "\x10\x11" --exit 0 -- docker run -it --name $me-a --runtime $runtime box sh -c "echo ready; read x; echo got:\$x; exit 5" | grep -c ready; show $me-a {{.State.Status}}' 'running'
	p attach 'on_terminal --send "again\r" --expect "got:again" --exit 5 -- docker attach $me-a | grep -c got:again'
	p output-only 'd -t box sh -c "test -t 1 && echo terminal"' 'terminal'
	# In the VM of another one.
	p joined 'up $me-b box sleep 1000; d -t --network container:$me-b box sh -c "test -t 1 && stty size && echo terminal" | grep -c terminal' '^1'
}
case_attributes() {
	p env 'd -e A=b -e EMPTY= --env-file <(echo FROM=file) box sh -c "echo \$A \$EMPTY \$FROM; env | sort | grep -v HOSTNAME"' 'b file'
	p workdir 'd -w /tmp box pwd' '/tmp'
	p user 'd -u 1000:1001 box id' 'uid=1000'
	p user-name 'd -u anna box id' 'staff'
	p groups 'd -u 7 --group-add 77 --group-add staff box id' '77'
	p hostname 'd --hostname there --domainname far.example box sh -c "hostname; cat /etc/hostname; cat /proc/sys/kernel/domainname"' 'there'
	p init 'd --init box sh -c "tr \"\\0\" \" \" </proc/1/cmdline; cat /proc/1/comm"' 'docker-init'
	p init-reaps 'd --init box sh -c "(sleep 0.1 & exec true) ; sleep 0.5; ps -o stat,comm | grep -c Z"' '^0'
	p ulimit 'd --ulimit nofile=77:88 --ulimit core=0 --ulimit nproc=500 box sh -c "ulimit -n; ulimit -Hn; ulimit -c; ulimit -p"' '77'
	p sysctl 'd --sysctl net.ipv4.ip_default_ttl=77 --sysctl kernel.msgmax=9000 box cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax' '77'
	p sysctl-denied 'd box sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward"' 'Read-only'
	p image-config 'd made one two' 'one two'
	p image-config-2 'd --entrypoint sh made -c "id -un; pwd; echo \$FROM; cat image; stat -c \"%A %U %G\" ."' 'anna'
	p oom-score 'd --oom-score-adj 123 box cat /proc/self/oom_score_adj' '123'
	p pids 'd box sh -c "echo \$\$; ls -d /proc/[0-9]*/exe | head -n 1"' '^1'
	p add-host 'd --add-host other:10.9.8.7 box grep other /etc/hosts' '10.9.8.7'
	p dns 'd --dns 10.1.2.3 --dns-search far.example --dns-option ndots:3 box cat /etc/resolv.conf' '10.1.2.3'
	differ kernel 'd box uname -r' '.' 'skerry'
	differ host-pids 'd --pid host box sh -c "ls -d /proc/[0-9]* | wc -l"' '^[0-9]' '[0-9]|cannot'
}
case_rights() {
	p default 'd box grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status' 'Seccomp:.*2'
	p none 'd --cap-drop ALL box grep ^Cap /proc/self/status' 'CapEff:.0000000000000000'
	p one 'd --cap-drop ALL --cap-add CHOWN box grep ^Cap /proc/self/status'
	p added 'd --cap-add SYS_ADMIN box sh -c "mount -t tmpfs x /tmp && grep -c \" /tmp tmpfs\" /proc/mounts"' '1'
	p not-added 'd box sh -c "mount -t tmpfs x /tmp"' 'exit 1$'
	p user-has-none 'd -u 1000 box grep -E "^Cap(Eff|Prm)" /proc/self/status' 'CapEff:.0000000000000000'
	p no-new-privileges 'd --security-opt no-new-privileges box grep NoNewPrivs /proc/self/status' '1'
	p unconfined 'd --security-opt seccomp=unconfined box grep ^Seccomp: /proc/self/status' '0'
	echo '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":13}]}' >"$tmp/profile"
	p profile 'd --security-opt seccomp=$tmp/profile box mkdir /tmp/x' 'Permission denied'
	p default-profile 'd --cap-add SYS_ADMIN --security-opt seccomp=$SKERRY_TEST_TOP/tests/oci/docker/no-keyctl.json box true'
	p masked 'd box sh -c "cat /proc/kcore 2>/dev/null | wc -c; ls /sys/firmware | wc -l; cat /proc/keys | wc -c"' '^0'
	p read-only-proc 'd box sh -c "echo 1 >/proc/sys/kernel/panic"' 'Read-only'
	p read-only-sys 'd box sh -c "mkdir /sys/x"' 'exit 1$'
	# A machine without some capabilities refuses it with runc.
	differ privileged 'd --privileged box sh -c "grep -E \"^(CapEff|Seccomp:)\" /proc/self/status | sed s/[1-9a-f]/F/g; echo 1 >/proc/sys/net/ipv4/ip_forward && mount -t tmpfs x /tmp && echo may"' 'may|unable to apply caps' 'may'
	differ privileged-devices 'd --privileged box sh -c "ls /dev | wc -l"' '^[0-9]{2,}|unable to apply caps' '^[0-9]{2}'
	p device 'for device in /dev/fuse /dev/net/tun; do [ ! -e $device ] || d --device $device box sh -c "test -c $device && echo there"; done'
	p device-name 'd --device /dev/null:/dev/other -v /dev/zero:/dev/zz box sh -c "stat -c %t:%T /dev/other /dev/zz; echo x >/dev/other && echo written"' '1:3.1:5.written'
	differ device-refused 'd --device /dev/mem box sh -c "test -c /dev/mem && echo there"' 'there|no such file' '/dev/mem of the host cannot|no such file'
	p userns-clone 'd box unshare -U true' 'exit 1$'
	p setuid 'd --cap-drop SETUID box setuidgid anna true' 'exit 1'
	p bounding 'd box sh -c "mknod /tmp/x c 1 3 && echo made; chown 5:5 /tmp/x && echo owned"' 'made'
}
case_resources() {
	p memory 'd -m 100m box sh -c "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"' '104857600'
	p pids 'd --pids-limit 10 box sh -c "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 2 & done" 2>&1 | grep -c -i -E "fork|resource"' '^[1-9]'
	p cpus 'd --cpus 0.5 box sh -c "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us | xargs"' '50000 100000'
	p oom 'docker run --name $me-o -m 64m --runtime $runtime box tail /dev/zero; show $me-o "{{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Status}}"' 'true 137'
	p oom-child 'd -m 64m box sh -c "tail /dev/zero; echo went on \$?"' 'went on 137'
	p memory-used 'up $me-s -m 200m box sh -c "head -c 60000000 /dev/zero | tail -c 60000000 | sleep 1000"; sleep 2; docker stats --no-stream --format "{{.Name}} {{.MemPerc}} {{.PIDs}}" $me-s | grep -c -E "^$me-s [1-9]"' '^1'
	p update 'up $me-u -m 100m box sleep 1000; docker update -m 150m --memory-swap 300m --cpus 0.25 $me-u; show $me-u "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}"; x $me-u true' '157286400'
	p update-cpu-inside 'x $me-u sh -c "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us | xargs"' '25000 100000'
	p update-inside 'x $me-u sh -c "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"' '157286400'
	p update-pids 'docker update --pids-limit 5 $me-u >/dev/null; x $me-u sh -c "for i in 1 2 3 4 5 6 7; do sleep 1 & done" 2>&1 | grep -c -i -E "fork|resource"' '^[1-9]'
	p shm-size 'd --shm-size 7m box sh -c "df -k /dev/shm | tail -n 1 | tr -s \" \" | cut -d\" \" -f2"' '7168'
	p network-counted 'up $me-n box sh -c "head -c 3000000 /dev/zero >/var/www/big; httpd -f -p 80 -h /var/www"; sleep 1; address=$(show $me-n {{.NetworkSettings.IPAddress}}); d box sh -c "wget -qO- http://$address/big | wc -c"; docker stats --no-stream --format "{{.NetIO}}" $me-n | grep -o "/ [0-9]*"' '3000000./ 3'
	p cpu-counted 'up $me-c box sh -c "while :; do :; done"; sleep 3; docker stats --no-stream --format "{{.CPUPerc}}" $me-c | awk "{exit !(\$1 + 0 > 4)}" && echo busy' 'busy'
	p cpuset 'd --cpuset-cpus 0 box sh -c "nproc"' '^1'
}
