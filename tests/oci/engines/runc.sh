# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/runc.sh [CASE …]: the command line itself, on one bundle, with runc and with skerry-oci: output, exit codes, words and forms of errors.
# shellcheck shell=bash disable=SC2016,SC2034,SC2128,SC2154,SC2178,SC2181 # words for shells in containers; variables of common.sh
# shellcheck source=tests/oci/engines/common.sh
. "$(dirname "$0")/common.sh"

# bundle NAME 'python that changes spec s' COMMAND …: $work/NAME.$runtime with a root file system of its own
bundle() {
	local name=$1 change=$2
	shift 2
	rm -rf "$work/$name.$runtime"
	mkdir -p "$work/$name.$runtime"
	cp -a "$rootfs" "$work/$name.$runtime/rootfs"
	(cd "$work/$name.$runtime" && runc spec && python3 - "$change" "$@" <<'END'
import json, sys
s = json.load(open("config.json"))
s["process"]["args"] = sys.argv[2:]
s["process"]["terminal"] = False
s["root"]["readonly"] = False
s["hostname"] = "host"
s["linux"]["cgroupsPath"] = "/skerry-test"
exec(sys.argv[1])
json.dump(s, open("config.json", "w"))
END
	)
}
# r VERB …: the runtime, with a state directory of its own
r() { timeout "$(slow 60)" "$program" --root "$work/state.$runtime" "$@"; }
create() { r create --bundle "$work/$1.$runtime" "$2" </dev/null >"$work/$2.$runtime.log" 2>&1; }
status() { r state "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])'; }
is() { [ "$(status "$1")" = "$2" ]; }
same_words() {
	# Times and pids; names of runtimes; runc says "runc run failed" where we say "skerry …". Stand-ins of other users than root
	# have one reserved user.
	sed -E -e 's/time="[^"]*"/TIME/; s/"time":"[^"]*"/TIME/; s/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g' -e 's/\b(runc|skerry)(-oci)?\b/RUNTIME/g' -e 's/msg="RUNTIME: /msg="/' \
		-e "s|$work|WORK|g" -e 's/ +$//; s/^UID +PID +PPID/UID PID PPID/; s/\b1526726(655|\+)/4321/g'
}

case_life() {
	bundle life '' sleep 100
	create life a; echo $?
	status a
	r start a; echo $?
	status a
	r state a | python3 -c 'import json, sys; s = json.load(sys.stdin); print(sorted(s), s["pid"] > 1, s["bundle"], s["rootfs"], s["owner"], s["id"])'
	r list -q
	r list --format json | python3 -c 'import json, sys; s = json.load(sys.stdin); print(sorted(s[0]), len(s))'
	r list | awk '{ print NF, $1, $3, $4 }'
	r ps a | wc -l
	r ps --format json a | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'
	r pause a; echo $?; status a
	r pause a; echo $?
	r exec a true; echo $?
	r resume a; echo $?; status a
	r resume a; echo $?
	r delete a; echo $?
	r kill a; echo $?
	r kill a KILL
	wait_for is a stopped
	r kill a; echo $?
	r start a; echo $?
	r exec a true; echo $?
	r delete a; echo $?
	r state a; echo $?
	r delete a; echo $?
	r delete --force a; echo $?
}
case_run() {
	bundle run '' sh -c 'echo out; echo err >&2; cat; exit 7'
	echo in | r run --bundle "$work/run.$runtime" b 2>"$work/err.$runtime"; echo $?
	cat "$work/err.$runtime"
	r list -q
	bundle null '' sh -c 'kill -TERM $$'
	r run -b "$work/null.$runtime" b </dev/null; echo $?
	bundle detached '' sleep 100
	r run --detach --pid-file "$work/pid.$runtime" --bundle "$work/detached.$runtime" b </dev/null >/dev/null 2>&1; echo $?
	[ "$(cat "$work/pid.$runtime")" = "$(r state b | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')" ]; echo $?
	r delete --force b; echo $?
	r list -q
	# a signal for the foreground goes on to the container
	bundle trap '' sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
	"$program" --root "$work/state.$runtime" run --bundle "$work/trap.$runtime" b >"$work/trap.$runtime.out" 2>&1 </dev/null &
	wait_for grep -q ready "$work/trap.$runtime.out"
	kill -TERM $!
	wait $!; echo $?
}
case_exec() {
	bundle ex '' sleep 100
	create ex c; r start c
	echo text | r exec c cat; echo $?
	r exec c sh -c 'exit 5'; echo $?
	r exec -e A=b --cwd /tmp --user 1000:1000 c sh -c 'echo $A; pwd; id -u; id -g'; echo $?
	r exec --additional-gids 5 c id -G
	r exec --no-new-privs c grep NoNewPrivs /proc/self/status
	r exec --cap CAP_NET_ADMIN c grep -c Cap /proc/self/status
	r exec c /no/such; echo $?
	r exec c no-such; echo $?
	r exec c /etc/passwd; echo $?
	r exec --cwd /no/such c true >/dev/null 2>&1; echo $?
	r exec c; echo $?
	r exec no-container true; echo $?
	printf '%s' '{"terminal": false, "args": ["sh", "-c", "echo $Z; pwd"], "env": ["PATH=/bin", "Z=z"], "cwd": "/etc", "user": {"uid": 0, "gid": 0}}' >"$work/process.json"
	r exec --process "$work/process.json" c; echo $?
	r exec --detach --pid-file "$work/expid.$runtime" c sleep 50 </dev/null >/dev/null 2>&1; echo $?
	kill -0 "$(cat "$work/expid.$runtime")"; echo $?
	r ps c | grep -c 'sleep 50'
	r exec --preserve-fds 0 c true; echo $?
	r delete -f c
}
# Standard output is a socket or a pipe that nobody reads: requests are answered all the same, and the end is as quick as that of a process.
# A user by name, or half of one, is not root.
case_exec_options() {
	local words
	bundle options '' sleep 100
	r run -d --bundle "$work/options.$runtime" o </dev/null >/dev/null 2>&1
	for words in nobody user 1000:user : 1000x '' 7:8; do
		r exec --user "$words" o sh -c 'id -u; id -g' 2>&1 | sed 's/ failed: .*/ failed"/'
	done
	r exec -u 1000 -g 7 -g 8 o id -G
	r exec --cap CAP_SYS_ADMIN o grep CapEff /proc/self/status
	r exec --cap CAP_SYS_ADMIN --cap CAP_CHOWN -u 1000 o grep -E 'Cap(Bnd|Prm)' /proc/self/status
	for words in '{"args": ["id"], "cwd": "rel"}' '{"args": [], "cwd": "/"}' '{"args": ["true"], "cwd": "/", "env": ["PATH=/bin"]}'; do
		echo "$words" >"$work/process.$runtime"
		r exec --process "$work/process.$runtime" o; echo $?
	done
	r exec --process "$work/nothere" o; echo $?
	r kill o ''; echo $?
	r delete --force o
}
# Sizes with units, and what is no number: nothing is changed by half of a word.
case_update_values() {
	local words
	bundle update "s['linux']['resources'] = {'memory': {'limit': 268435456}}" sleep 100
	r run -d --bundle "$work/update.$runtime" u </dev/null >/dev/null 2>&1
	for words in '--memory 192M' '--memory 0.25g' '--memory 200MiB' '--memory abc' '--memory 64Q' '--memory-reservation 1x' '--cpu-quota x' '--cpu-share -1' '--cpu-period 1e5'; do
		# shellcheck disable=SC2086 # an option and its value
		r update $words u 2>&1 | sed 's/.*\(invalid value\).*/\1/'
		r exec u sh -c 'cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
	done
	r update -r "$work/nothere" u; echo $?
	r delete --force u
}
case_mount_flags() {
	local words
	mkdir -p "$work/flags.src"
	cp "$rootfs/bin/busybox" "$work/flags.src/true"
	rm -f "$work/flags.src/null"
	mknod "$work/flags.src/null" c 1 3
	chmod 666 "$work/flags.src/null"
	for words in rbind,nosuid,nodev,noexec bind,noexec,exec bind,suid,nosuid,nodev,dev; do
		bundle flags "s['mounts'].append({'destination': '/m', 'type': 'bind', 'source': '$work/flags.src', 'options': '$words'.split(',')})" \
			sh -c 'awk "\$2 == \"/m\" { print \$4 }" /proc/mounts | tr , "\n" | grep -xE "nosuid|nodev|noexec" | sort; /m/true 2>/dev/null; echo $?; (echo >/m/null) 2>/dev/null; echo $?
			cp /bin/busybox /m/set; chmod 6755 /m/set'
		r run --bundle "$work/flags.$runtime" f </dev/null
		# what is not allowed in the mount is on the host all the same
		stat -c %a "$work/flags.src/set"
		rm -f "$work/flags.src/set"
	done
}
case_unread() {
	bundle unread '' sh -c 'yes'
	cat >"$work/unread.py" <<'END'
import os, socket, subprocess, sys, time
kind, rt = sys.argv[1], sys.argv[2:]
a, b = socket.socketpair() if kind == "socket" else os.pipe()
def oci(*x):
    begun = time.time()
    code = subprocess.run([*rt, *x], timeout=60, stdin=subprocess.DEVNULL, capture_output=True).returncode
    return code, "quick" if time.time() - begun < SLOW else "slow: %.1f s" % (time.time() - begun)
SLOW = float(os.environ["QUICK"])
print(subprocess.run([*rt, "run", "-d", "--bundle", os.environ["BUNDLE"], kind], stdin=subprocess.DEVNULL, stdout=b, stderr=b).returncode)
time.sleep(1)
print(oci("exec", kind, "/bin/true"), oci("pause", kind), oci("resume", kind), oci("delete", "--force", kind))
END
	for kind in socket pipe; do
		QUICK=$(slow 5) BUNDLE="$work/unread.$runtime" python3 "$work/unread.py" "$kind" "$program" --root "$work/state.$runtime"
	done
	r list -q
}

# A program that closes its output and goes on: its readers hear of it.
case_closed() {
	bundle closed '' sh -c 'echo out; echo err >&2; exec >&-; sleep 1; echo late >&2; exec 2>&-; exec sleep 100'
	cat >"$work/closed.py" <<'END'
import os, select, subprocess, sys, time
r, w = os.pipe()
e, f = os.pipe()
process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=w, stderr=f)
os.close(w)
os.close(f)
for fd in (r, e):
    data = b""
    while select.select([fd], [], [], float(os.environ["PATIENCE"]))[0]:
        part = os.read(fd, 100)
        if not part:
            break
        data += part
    else:
        data += b"and no end"
    print(data, flush=True)
END
	PATIENCE=$(slow 10) python3 "$work/closed.py" "$program" --root "$work/state.$runtime" run --detach --bundle "$work/closed.$runtime" closed
	status closed
	r delete --force closed
	bundle ex '' sleep 100
	create ex c; r start c
	PATIENCE=$(slow 10) python3 "$work/closed.py" "$program" --root "$work/state.$runtime" exec --detach c sh -c 'echo out; echo err >&2; exec >&- 2>&-; exec sleep 100'
	r delete --force c
}

case_errors() {
	local log
	bundle ok '' true
	for log in text json; do
		"$program" --root "$work/state.$runtime" --log "$work/log.$runtime" --log-format $log state none; echo $?
		tail -n 1 "$work/log.$runtime"
	done
	r start none; echo $?
	r kill none; echo $?
	r create --bundle /no/such d; echo $?
	r create --bundle "$work/ok.$runtime" 'bad id!'; echo $?
	r create --bundle "$work/ok.$runtime" 2>/dev/null >&2; echo $?
	r no-such-verb >/dev/null 2>&1; echo $?
	create ok d; echo $?
	create ok d; echo $?
	tail -n 1 "$work/d.$runtime.log"
	r kill d NOSUCH; echo $?
	r delete --force d
	bundle noargs 's["process"]["args"] = []' true
	create noargs d; echo $?; tail -n 1 "$work/d.$runtime.log"
	bundle cwd 's["process"]["cwd"] = "rel"' true
	create cwd d; echo $?; tail -n 1 "$work/d.$runtime.log"
	bundle noprog '' /no/such
	create noprog d; echo $?
	r start d >/dev/null 2>&1; [ $? != 0 ] || wait_for is d stopped
	r delete --force d
	bundle noroot 's["root"]["path"] = "nothing"' true
	create noroot d; echo $?; tail -n 1 "$work/d.$runtime.log"
	bundle nomount 's["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such", "options": ["bind"]})' true
	create nomount d; echo $?
	echo '{' >"$work/nomount.$runtime/config.json"
	create nomount d; echo $?
	rm "$work/nomount.$runtime/config.json"
	create nomount d; echo $?; tail -n 1 "$work/d.$runtime.log"
	r list -q
	find /sys/fs/cgroup -name skerry-test 2>/dev/null | wc -l
}
case_hooks() {
	cat >"$work/hook.sh" <<'END'
#!/bin/sh
state=$(cat)
echo "$1 $(echo "$state" | grep -o '"status": *"[a-z]*"' | tr -d ' ') $(ls /proc/self/fd | wc -l | awk '{ print ($1 < 6) }') env=$E" >>"$OUT"
exit "${RC:-0}"
END
	chmod 755 "$work/hook.sh"
	local all="s['hooks'] = {k: [{'path': '$work/hook.sh', 'args': ['hook', k], 'env': ['PATH=/bin:/usr/bin', 'OUT=$work/hooks.$runtime', 'E=' + k]}] for k in ('prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop')}"
	bundle hooks "$all" true
	r run --bundle "$work/hooks.$runtime" h </dev/null; echo $?
	grep -v createContainer "$work/hooks.$runtime"
	bundle failing "s['hooks'] = {'prestart': [{'path': '/bin/false'}]}" true
	create failing h; echo $?
	r list -q
}
# What a hook gets that says nothing of its environment; what its failure does; what it mounts.
case_hooks_more() {
	local name out=$work/env.$runtime
	for name in prestart createRuntime createContainer poststart poststop; do
		bundle "env-$name" "s['hooks'] = {'$name': [{'path': '/bin/sh', 'args': ['sh', '-c', 'pwd; env | grep -E \"^(FOO|C|TERM)=\" | sort']}]}; s['hooks']['$name'][0]['args'][2] = '(' + s['hooks']['$name'][0]['args'][2] + ') >$out'; s['process']['env'] = ['PATH=/bin', 'C=c']" true
		FOO=bar TERM=t r run --bundle "$work/env-$name.$runtime" h </dev/null; echo $?
		sed "1s/^/$name /" "$out"
	done
	bundle env-start "s['hooks'] = {'startContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', 'env >/tmp/env']}]}; s['process']['env'] = ['PATH=/bin', 'C=c']" grep -E '^(FOO|C|TERM)=' /tmp/env
	FOO=bar TERM=t r run --bundle "$work/env-start.$runtime" h </dev/null; echo $?
	for name in prestart createRuntime createContainer poststart; do
		bundle "bad-$name" "s['hooks'] = {'$name': [{'path': '/bin/sh', 'args': ['sh', '-c', 'echo out; echo bad >&2; exit 3']}]}" sleep 100
		r run --bundle "$work/bad-$name.$runtime" h </dev/null; echo $?
		sed -i 's|"/bin/sh"|"/no/such"|' "$work/bad-$name.$runtime/config.json"
		r run --bundle "$work/bad-$name.$runtime" h </dev/null; echo $?
		r list -q
	done
	# (runc 1.1 runs it at the creation, which fails then)
	create bad-poststart h && r start h >/dev/null 2>&1 </dev/null; echo $?
	r state h; echo $?
	r list -q
	bundle bad-start "s['hooks'] = {'startContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', 'echo out; echo bad >&2; exit 3']}]}" sleep 100
	r run --bundle "$work/bad-start.$runtime" h </dev/null; echo $?
	sed -i 's|"/bin/sh"|"/no/such"|' "$work/bad-start.$runtime/config.json"
	r run --bundle "$work/bad-start.$runtime" h </dev/null; echo $?
	for name in createRuntime startContainer; do
		bundle "killed-$name" "s['hooks'] = {'$name': [{'path': '/bin/sh', 'args': ['sh', '-c', 'kill -KILL \$\$']}]}" sleep 100
		r run --bundle "$work/killed-$name.$runtime" h </dev/null; echo $?
	done
	bundle slow "s['linux']['cgroupsPath'] = '/skerry-test-$runtime'; s['hooks'] = {'prestart': [{'path': '/bin/sleep', 'args': ['sleep', '9'], 'timeout': 1}]}" sleep 100
	r run --bundle "$work/slow.$runtime" h </dev/null; echo $?
	bundle mounts "s['hooks'] = {'createContainer': [{'path': '/bin/sh', 'args': ['sh', '-c', 'mkdir -p m && mount -t tmpfs none m && echo hooked >m/file'], 'env': ['PATH=/bin:/usr/bin']}]}" sh -c 'cat /m/file; grep -c " / " /proc/mounts; echo own >/own'
	r run --bundle "$work/mounts.$runtime" h </dev/null; echo $?
	ls "$work/mounts.$runtime/rootfs/m"; cat "$work/mounts.$runtime/rootfs/own"; grep -c "$work/mounts.$runtime" /proc/self/mountinfo
}
# A file system that is made of the host's directories.
case_overlay() {
	mkdir -p "$work/o.$runtime"/{lower/sub,upper,work}
	echo low >"$work/o.$runtime/lower/sub/file"
	bundle overlay "s['mounts'].append({'destination': '/x', 'type': 'overlay', 'source': 'overlay', 'options': ['lowerdir=$work/o.$runtime/lower', 'upperdir=$work/o.$runtime/upper', 'workdir=$work/o.$runtime/work', 'private']})" sh -c 'cat /x/sub/file; echo new >/x/sub/new; echo more >>/x/sub/file; chown 5:6 /x/sub/new; ls -ln /x/sub | tail -n +2 | tr -s " " | cut -d " " -f 1,3,4,9'
	r run --bundle "$work/overlay.$runtime" o </dev/null; echo $?
	stat -c '%U:%u %s' "$work/o.$runtime/upper/sub/new"; cat "$work/o.$runtime/upper/sub/file" "$work/o.$runtime/lower/sub/file"
	bundle lower "s['mounts'].append({'destination': '/x', 'type': 'overlay', 'source': 'overlay', 'options': ['ro', 'lowerdir=$work/o.$runtime/lower:$work/o.$runtime/upper']})" sh -c 'cat /x/sub/new; touch /x/y'
	r run --bundle "$work/lower.$runtime" o </dev/null; echo $?
	sed -i "s|lowerdir=[^\"]*|lowerdir=/no/such|" "$work/lower.$runtime/config.json"
	r run --bundle "$work/lower.$runtime" o </dev/null 2>&1 | sed 's| (via [^)]*)||'; echo "${PIPESTATUS[0]}"
	sed -i 's|"type": "overlay"|"type": "nosuchfs"|' "$work/lower.$runtime/config.json"
	r run --bundle "$work/lower.$runtime" o </dev/null 2>&1 | sed 's| (via [^)]*)||'; echo "${PIPESTATUS[0]}"
	r list -q
	grep -c "$work/o.$runtime" /proc/self/mountinfo
}
# Devices that the guest has itself, under other names; FIFOs.
# The guest's own kernel log.
case_kernel_log() {
	local rules
	for rules in '{"allow": False, "access": "rwm"}' '{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"}'; do
		bundle kmsg "s['linux']['resources']['devices'] = [$rules]; s['linux']['devices'] = [{'path': '/dev/kmsg', 'type': 'c', 'major': 1, 'minor': 11}]; [c.append('CAP_SYSLOG') for c in s['process']['capabilities'].values()]" sh -c '{ echo hello >/dev/kmsg; } 2>/dev/null; echo $?; head -n 1 /dev/kmsg 2>/dev/null | wc -l'
		r run --bundle "$work/kmsg.$runtime" k </dev/null; echo $?
	done
}
case_devices() {
	bundle devices 's["linux"]["devices"] = [{"path": "/dev/other", "type": "c", "major": 1, "minor": 3, "fileMode": 0o640, "uid": 3, "gid": 4}, {"path": "/dev/more/zero", "type": "c", "major": 1, "minor": 5}, {"path": "/dev/ff", "type": "p", "fileMode": 0o666, "uid": 5}]
s["mounts"] += [{"destination": "/bound", "type": "bind", "source": "/dev/null", "options": ["bind"]}, {"destination": "/dev/zz", "type": "bind", "source": "/dev/zero", "options": ["bind"]}]
s["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]' \
		sh -c 'stat -c "%n %F %t:%T %a %u %g" /dev/other /dev/more/zero /dev/ff; stat -c "%n %t:%T" /bound /dev/zz; echo x >/dev/other; echo x >/bound; head -c 4 /dev/more/zero /dev/zz | od -c; stat -c %a /dev/null'
	# Between two streams of a VM there is no order.
	r run --bundle "$work/devices.$runtime" d </dev/null 2>"$work/devices.$runtime.err"; echo $?
	cat "$work/devices.$runtime.err"
}
# A user namespace whose users are all those of the host.
case_users() {
	bundle users 'm = [{"containerID": 0, "hostID": 0, "size": 4294967295}]; s["linux"].update(uidMappings=m, gidMappings=m); s["linux"]["namespaces"].append({"type": "user"})' sh -c 'cat /proc/self/uid_map; id -u; ls -d /sys/kernel; grep " /sys " /proc/mounts | cut -d " " -f 2,3'
	r run --bundle "$work/users.$runtime" u </dev/null; echo $?
}
# A bind mount whose files belong to others than on the host. runc 1.1 does not know it: what 1.2 does stands here.
case_mapped_mount() {
	local map='[{"containerID": 0, "hostID": 0, "size": 1000}, {"containerID": 1000, "hostID": 2000, "size": 10}]'
	mkdir -p "$work/mapped.$runtime"
	echo file >"$work/mapped.$runtime/file"
	chown -R 1000:1001 "$work/mapped.$runtime"
	bundle mapper "m = $map; s['mounts'].append({'destination': '/m', 'type': 'none', 'source': '$work/mapped.$runtime', 'options': ['bind'], 'uidMappings': m, 'gidMappings': m}); s['process']['capabilities'] = {k: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_SETUID', 'CAP_SETGID'] for k in ('bounding', 'effective', 'permitted')}" sh -c 'stat -c "%n %u:%g" /m /m/file; cat /m/file; touch /m/new && chown 2003:2004 /m/new'
	if [ "$runtime" = runc ]; then
		printf '%s\n' '/m 2000:2001' '/m/file 2000:2001' file 0 1003:1004
		return
	fi
	r run --bundle "$work/mapper.$runtime" m </dev/null; echo $?
	stat -c %u:%g "$work/mapped.$runtime/new"
}
# System calls that a profile's author could not know are not there; others are not allowed.
case_unknown_calls() {
	cat >"$work/calls.c" <<'END'
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	for (int nr = 430; nr <= 460; nr += 10)
		printf("%d\n", syscall(nr, -1, -1, -1, -1) < 0 ? errno == ENOSYS ? 38 : errno == EPERM ? 1 : 0 : 0);
	return syscall(39) < 0 ? errno : 0;
}
END
	gcc -static -o "$rootfs/bin/calls" "$work/calls.c" || return
	for action in ERRNO TRAP; do
		# 439, faccessat2, is the newest that is named
		bundle "calls-$action" "import os; s['linux']['seccomp'] = {'defaultAction': 'SCMP_ACT_$action', 'architectures': ['SCMP_ARCH_X86_64'], 'syscalls': [{'names': ['read', 'write', 'close', 'fstat', 'newfstatat', 'ioctl', 'exit_group', 'exit', 'execve', 'brk', 'mmap', 'munmap', 'mprotect', 'arch_prctl', 'set_tid_address', 'set_robust_list', 'rseq', 'prlimit64', 'readlinkat', 'readlink', 'getrandom', 'futex', 'capset', 'prctl', 'getpid', 'fcntl', 'openat', 'epoll_ctl', 'epoll_pwait', 'fstatfs', 'setgid', 'setuid', 'setgroups', 'getuid', 'getgid', 'chdir', 'getdents64', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'sigaltstack', 'stat', 'lstat', 'getcwd', 'faccessat', 'faccessat2', 'nanosleep', 'tgkill', 'sched_yield', 'getppid', 'close_range', 'umask', 'setsid', 'setresuid', 'setresgid', 'openat2', 'clone', 'madvise', 'seccomp', 'getegid', 'geteuid', 'gettid', 'pipe2', 'access', 'dup2', 'dup3'], 'action': 'SCMP_ACT_ALLOW'}]}" calls
		r run --bundle "$work/calls-$action.$runtime" c </dev/null; echo $?
	done
	rm -f "$rootfs/bin/calls"
}
# Nobody in a VM can be asked about system calls; a name for who could is no matter where nobody is to be.
case_agent() {
	bundle agent 's["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}' true
	r run --bundle "$work/agent.$runtime" a </dev/null; echo $?
	bundle named 's["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/no/such"}' echo ran
	r run --bundle "$work/named.$runtime" a </dev/null; echo $?
	bundle asked 's["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/no/such", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}' true
	r run --bundle "$work/asked.$runtime" a >"$work/asked.log" 2>&1 </dev/null; echo $?
	grep -c "seccomp" "$work/asked.log"; grep -c 'executable file' "$work/asked.log"
}
# What is asked for in words that are not in the usual order, or wrong.
case_words() {
	bundle words '' sleep 100
	create words c
	r exec c echo early; echo $?
	r start c
	r kill c 0; echo $?
	r kill c 0 --all; echo $?
	r kill c 65; echo $?
	r update c --pids-limit 20; echo $?
	for verb in state start delete pause resume update kill events exec ps list spec create run; do
		r $verb --no-such c 2>&1 </dev/null | tail -n 1; echo "${PIPESTATUS[0]}"
	done
	r exec -x c true 2>&1 | tail -n 1; echo "${PIPESTATUS[0]}"
	r exec --user 2>&1 | tail -n 1; echo "${PIPESTATUS[0]}"
	r --no-such exec c true 2>&1 | tail -n 1; echo "${PIPESTATUS[0]}"
	r exec --preserve-fds x c true 2>&1 | tail -n 1; echo "${PIPESTATUS[0]}"
	r --log /no/such/log list; echo $?
	r --debug exec c true 2>&1 | grep -c level=debug | sed 's/[1-9].*/some/'
	r exec -t c true </dev/null; echo $?
	r pause c
	r exec c true; echo $?
	r exec --ignore-paused c echo resumed >"$work/paused.out" 2>&1 </dev/null &
	sleep 1; cat "$work/paused.out"; r resume c; wait $!; echo $?; cat "$work/paused.out"
	r delete --force c
	for name in c a b; do
		sed -i "s|/skerry-test[^\"]*|/skerry-test-$name|" "$work/words.$runtime/config.json"
		create words "$name"
	done
	r list -q; r list | awk '{ print $1 }'; r list --format json | grep -o '"id":"[abc]"'
	for name in a b c; do r delete --force "$name"; done
}
# What makes no sense is refused before anything is made, by both.
case_nonsense() {
	local change
	while read -r change; do
		bundle nonsense "$change" true
		r run --bundle "$work/nonsense.$runtime" n >/dev/null 2>&1 </dev/null; echo "$? $change"
	done <<-'END'
		s["process"]["env"] = ["PATH=/bin", "FOO"]
		s["process"]["env"] = ["PATH=/bin", "A=", "B=1"]
		s["linux"]["resources"]["memory"] = {"limit": -5}
		s["linux"]["resources"]["memory"] = {"limit": -1}
		s["linux"]["resources"]["memory"] = {"limit": "64m"}
		s["linux"]["resources"]["memory"] = {"limit": 9223372036854775807}
		s["linux"]["resources"]["memory"] = {"swap": 67108864}
		s["linux"]["resources"]["memory"] = {"limit": -1, "swap": 67108864}
		s["mounts"].append({"destination": "/proc/sys", "type": "bind", "source": "/tmp", "options": ["bind"]})
		s["mounts"].append({"destination": "/proc", "type": "bind", "source": "/tmp", "options": ["bind"]})
		s["mounts"].append({"destination": "/proc/uptime", "type": "bind", "source": "/proc/uptime", "options": ["bind"]})
		import os; os.path.lexists("link") or os.symlink("rootfs", "link"); s["root"]["path"] = "link"
		s["root"]["path"] = "/"
		s["linux"]["resources"]["blockIO"] = {"throttleReadBpsDevice": [{"major": 999, "minor": 0, "rate": 1000}]}
		s["linux"]["intelRdt"] = {"l3CacheSchema": "L3:0=f"}
		s["linux"]["seccomp"] = {}
		s["process"]["user"] = {"uid": 4294967295, "gid": 0}
		s["process"]["user"]["additionalGids"] = [4294967296]
		s["linux"]["rootfsPropagation"] = "foo"
		s["linux"]["rootfsPropagation"] = "unbindable"
		s["linux"]["namespaces"].append({"type": "pid"})
		s["linux"]["devices"] = [{"type": "c", "path": "dev/zz", "major": 1, "minor": 3}]
		s["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_FOO"]}
		s["hooks"] = {"prestart": [{"path": "/bin/sleep", "args": ["sleep", "1"], "timeout": -1}]}
		s["mounts"].append({"destination": "/mnt", "type": "bind", "source": "/tmp", "options": ["ro"]})
		s["mounts"].append({"destination": "/mnt", "type": "none", "source": "/tmp", "options": ["bind"]})
	END
	bundle nonsense '' sleep 100
	create nonsense n; r start n
	r exec -e FOO n true 2>&1 | grep -o 'invalid environment variable.*'; echo "${PIPESTATUS[0]}"
	r update --memory -5 n; echo $?
	r pause n; r kill n KILL; r resume n; echo $?
	r delete --force n
}
# Labels where the host has no such module; a terminal that the container is to be shown on, where there is none.
case_nothing_to_apply() {
	local change
	while read -r change; do
		bundle labels "$change" true
		r run --bundle "$work/labels.$runtime" n >/dev/null 2>&1 </dev/null; echo "$? $change"
	done <<-'END'
		s["process"]["selinuxLabel"] = "system_u:system_r:container_t:s0"
		s["process"]["selinuxLabel"] = ""
		s["process"]["apparmorProfile"] = "docker-default"
		s["process"]["apparmorProfile"] = ""
	END
	bundle labels '' sleep 100
	create labels n; r start n
	for change in '--apparmor docker-default' '--process-label system_u:system_r:container_t:s0'; do
		# shellcheck disable=SC2086 # an option and its value
		r exec $change n true >/dev/null 2>&1 </dev/null; echo "$? $change"
	done
	r delete --force n
	bundle labels 's["process"]["terminal"] = True' tty
	setsid -w "$program" --root "$work/state.$runtime" run --bundle "$work/labels.$runtime" n </dev/null 2>&1 | cat; echo "${PIPESTATUS[0]}"
	r list -q
	script -qec "$program --root $work/state.$runtime run --bundle $work/labels.$runtime n" /dev/null </dev/null | tr -d '\r' | sed 's/\^@//'
}
# Many at the same time, each from its creation to its removal.
at_once() {
	local i n=$1
	bundle once '' sh -c 'read x; echo $x; exit 3'
	python3 - "$work/once.$runtime" "$n" <<'END'
import json, os, shutil, sys
at, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    os.makedirs(at + "/%d" % i)
    s = json.load(open(at + "/config.json"))
    s["root"]["path"] = at + "/rootfs"
    s["linux"]["cgroupsPath"] = "/skerry-test/once%d" % i
    json.dump(s, open(at + "/%d/config.json" % i, "w"))
END
	for ((i = 0; i < n; i++)); do
		(
			echo "$i" | timeout "$(slow 300)" "$program" --root "$work/state.$runtime" run --bundle "$work/once.$runtime/$i" "once$i" >"$work/once.$runtime/$i/out" 2>&1
			echo "exit $?" >>"$work/once.$runtime/$i/out"
		) &
	done
	wait
	for ((i = 0; i < n; i++)); do tr '\n' ' ' <"$work/once.$runtime/$i/out"; done
	echo
	r list -q
	find /sys/fs/cgroup -maxdepth 3 -path '*/skerry-test/once*' | wc -l
}
case_at_once() { at_once 6; }
full_at_once() { at_once 30; }
# Deadlines need no mask of processors to be reset (runc 1.1 does not know them).
case_deadline() {
	bundle deadline 's["process"]["scheduler"] = {"policy": "SCHED_DEADLINE", "runtime": 10000000, "deadline": 20000000, "period": 20000000}' echo started
	r run --bundle "$work/deadline.$runtime" d </dev/null; echo $?
}
# Clocks of the container's own. runc 1.1 does not know them: what 1.2 does stands here.
case_time_namespace() {
	bundle time 's["linux"]["namespaces"].append({"type": "time"}); s["linux"]["timeOffsets"] = {"boottime": {"secs": 100000}, "monotonic": {"secs": 5}}' \
		sh -c 'cat /proc/self/timens_offsets | tr -s " "; cut -c 1-3 /proc/uptime'
	if [ "$runtime" = runc ]; then
		printf '%s\n' 'monotonic 5 0' 'boottime 100000 0' 100 0
		return
	fi
	r run --bundle "$work/time.$runtime" t </dev/null; echo $?
}
# Below a group that has half a processor.
# A group that was removed counts for a moment longer, with its budget.
give_realtime() { echo 500000 >"$1/cpu.rt_runtime_us"; }
case_quota() {
	local cpu=/sys/fs/cgroup/cpu/skerry-quota
	[ -d /sys/fs/cgroup/cpu ] || cpu=
	bundle quota 's["linux"]["cgroupsPath"] = "/skerry-quota/c"; s["linux"]["resources"]["memory"] = {"swappiness": 17}' sleep 100
	[ -z "$cpu" ] || { mkdir -p "$cpu" && echo 50000 >"$cpu/cpu.cfs_quota_us"; }
	create quota q; r start q
	r update --cpu-quota 50000 --cpu-period 100000 q; echo $?
	r update --cpu-quota 3000 --cpu-period 10000 q; echo $?
	[ -z "$cpu" ] || cat "$cpu/c/cpu.cfs_quota_us" "$cpu/c/cpu.cfs_period_us"
	r update --cpu-quota 40000 --cpu-period 100000 q; echo $?
	[ ! -e /sys/fs/cgroup/memory/skerry-quota/c ] || cat /sys/fs/cgroup/memory/skerry-quota/c/memory.swappiness
	if [ -n "$cpu" ] && [ -e "$cpu/cpu.rt_runtime_us" ] && wait_for give_realtime "$cpu"; then
		r update --cpu-rt-period 500000 --cpu-rt-runtime 100000 q; echo $?
		cat "$cpu/c/cpu.rt_period_us" "$cpu/c/cpu.rt_runtime_us"
	fi
	r exec q sh -c 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null' | xargs | sed 's/.* .*/& inside/; s/^.*inside$/inside/'
	r delete --force q
	find /sys/fs/cgroup -type d -name skerry-quota -exec rmdir {} + 2>/dev/null
}
# A process of exec's that runs out of memory is an event, too.
case_oom_events() {
	bundle eats 's["linux"]["resources"]["memory"] = {"limit": 33554432, "swap": 33554432}' sleep 100
	create eats e; r start e
	"$program" --root "$work/state.$runtime" events e >"$work/ooms.$runtime" 2>/dev/null &
	sleep 1
	r exec e tail /dev/zero; echo $?
	wait_for grep -q '"type":"oom"' "$work/ooms.$runtime"; echo $?
	kill $!
	wait $! 2>/dev/null
	r delete --force e
}
# exec -t whose input is a pipe: the size is that of the terminal on its output, when it changes, too.
case_exec_resize() {
	bundle resize '' sleep 100
	create resize z; r start z
	timeout "$(slow 60)" python3 - "$program" --root "$work/state.$runtime" exec -t z sh -c 'was=; until [ "$was" = "33 44" ]; do now=$(stty size </dev/tty); [ "$now" = "$was" ] || echo "size $now"; was=$now; done' <<'END'
import fcntl, os, pty, struct, sys, termios
master, slave = pty.openpty()
def resize(rows, cols):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
resize(11, 22)
nothing, keep = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    os.dup2(nothing, 0)
    os.dup2(slave, 1)
    os.dup2(slave, 2)
    os.closerange(3, 100)
    os.execv(sys.argv[1], sys.argv[1:])
os.close(slave)
seen = b""
while True:
    try:
        piece = os.read(master, 1000)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if b"size 11 22" in seen:
        resize(33, 44)
for line in ("size 11 22", "size 33 44"):
    print(line, line.encode() in seen)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
	r delete --force z
}
# On a terminal in the foreground, what is written ends in line feeds alone: the caller's terminal adds the rest.
case_newlines() {
	bundle feeds 's["process"]["terminal"] = True' sh -c 'tty; echo a; sleep 0.2'
	script -qec "timeout --foreground 20 $program --root $work/state.$runtime run --bundle $work/feeds.$runtime f >$work/feeds.out" /dev/null </dev/null >/dev/null; sed "s/\^@//" "$work/feeds.out" | od -c
	script -qec "timeout --foreground 20 $program --root $work/state.$runtime run --bundle $work/feeds.$runtime f" /dev/null </dev/null | sed 's/\^@//' | od -c
}
# A control group that is there already: frozen (nobody can be put in without hanging), or with somebody in it.
case_groups() {
	local freezer=/sys/fs/cgroup/freezer/skerry-groups devices=/sys/fs/cgroup/devices/skerry-groups file=freezer.state freeze=FROZEN thaw=THAWED guest
	if [ ! -d /sys/fs/cgroup/freezer ]; then # version 2
		freezer=/sys/fs/cgroup/skerry-groups devices=$freezer file=cgroup.freeze freeze=1 thaw=0
	fi
	bundle groups 's["linux"]["cgroupsPath"] = "/skerry-groups"' true
	mkdir -p "$freezer" "$devices"
	echo $freeze >"$freezer/$file"
	timeout 20 "$program" --root "$work/state.$runtime" run --bundle "$work/groups.$runtime" g </dev/null; echo $?
	r list -q
	echo $thaw >"$freezer/$file"
	sleep 100 &
	guest=$!
	echo "$guest" >"$devices/cgroup.procs"
	r run --bundle "$work/groups.$runtime" g </dev/null >"$work/groups.log" 2>&1; echo $?
		grep -o "container's cgroup is not empty: [0-9]* process(es) found" "$work/groups.log"; grep -c -e 'Failed to remove cgroup' -e 'rmdir .* busy' "$work/groups.log" | sed 's/[1-9].*/some/'
	kill "$guest"; wait "$guest" 2>/dev/null
	r delete --force g 2>/dev/null
	find /sys/fs/cgroup -type d -name skerry-groups -exec rmdir {} + 2>/dev/null
}
# What the container may have beyond its memory; "none" without a limit of that. Ours has the VM's memory in the place of its own.
swap_limit() {
	local dir
	for dir in /sys/fs/cgroup/memory/skerry-test /sys/fs/cgroup/skerry-test; do
		if [ -e "$dir/memory.memsw.limit_in_bytes" ]; then
			awk '{ n[FNR == NR] = $1 } END { print (n[0] > 2 ^ 60) ? "none" : n[0] - n[1] }' "$dir/memory.limit_in_bytes" "$dir/memory.memsw.limit_in_bytes"
		elif [ -e "$dir/memory.swap.max" ]; then
			sed s/max/none/ "$dir/memory.swap.max"
		fi
	done
}
# The disk that the machine has, for limits of its bandwidth.
a_disk() { lsblk -dno MAJ:MIN,TYPE | awk '$2 == "disk" { print $1; exit }'; }
case_limits() {
	local disk
	disk=$(a_disk)
	if [ -n "$disk" ] && [ -d /sys/fs/cgroup/blkio ]; then
		bundle limits "d = {'major': ${disk%:*}, 'minor': ${disk#*:}}; s['linux']['resources']['blockIO'] = {'weight': 500, 'throttleReadBpsDevice': [dict(d, rate=100000000)], 'throttleWriteIOPSDevice': [dict(d, rate=5000)]}" sleep 100
		create limits l; echo $?
		grep -s . /sys/fs/cgroup/blkio/skerry-test/blkio.{throttle.read_bps_device,throttle.write_iops_device,weight,bfq.weight}
		r delete --force l
	fi
	bundle limits 's["linux"]["resources"]["memory"] = {"limit": 67108864, "swap": 134217728}; s["linux"]["resources"]["pids"] = {"limit": 20}' sleep 100
	create limits l; r start l
	swap_limit
	r update --memory 100000000 l; echo $?
	r update --memory 100000000 --memory-swap 150000000 l; echo $?
	swap_limit
	r update --memory 160000000 --memory-swap -1 l; echo $?
	swap_limit
	r update --cpu-quota 50000 --cpu-period 100000 l; echo $?
	r update --cpu-share 512 l; echo $?
	r update --pids-limit 30 l; echo $?
	echo '{"memory": {"limit": 80000000}}' | r update --resources - l; echo $?
	echo '{' | r update --resources - l 2>/dev/null; echo $?
	r update none; echo $?
	r events --stats l | python3 -c 'import json, sys; o = json.loads(sys.stdin.readline()); print(o["type"], o["id"], o["data"]["cpu"]["usage"]["total"] > 0, o["data"]["memory"]["usage"]["usage"] > 0, o["data"]["pids"]["current"])'
	r delete --force l
	bundle oom 's["linux"]["resources"]["memory"] = {"limit": 33554432}' sh -c 'sleep 1; tail /dev/zero'
	create oom l
	"$program" --root "$work/state.$runtime" events --interval 1s l >"$work/events.$runtime" 2>/dev/null &
	r start l
	wait_for is l stopped
	sleep 1.5
	kill $! 2>/dev/null # runc's waits for the end of the control group
	wait $!
	grep -c '"type":"oom"' "$work/events.$runtime" | sed 's/[1-9].*/some/'
	r delete --force l
}
case_console() {
	bundle tty 's["process"]["terminal"] = True' sh -c 'tty; stty size; exit 3'
	create tty t; echo $?; tail -n 1 "$work/t.$runtime.log"
	# in the foreground, without a console socket
	script -qec "$program --root $work/state.$runtime run --bundle $work/tty.$runtime t; echo code \$?" /dev/null | tr -d '\r' | sed 's/\^@//' | grep -v -e '^0 0$' -e stty:
	bundle up '' sleep 100
	create up t; r start t
	script -qec "$program --root $work/state.$runtime exec -t t sh -c 'tty; exit 4'; echo code \$?" /dev/null | tr -d '\r' | sed 's/\^@//'
	r exec -t t true </dev/null >/dev/null 2>&1; echo $?
	r delete -f t
	create up t --no-such 2>/dev/null
	r create --bundle "$work/up.$runtime" --console-socket /no/such t </dev/null; echo $?
	r delete -f t
}
# The rows without pids and times, with the parent's command in their place.
rows() {
	python3 -c '
import sys
lines = [line.split(None, int(sys.argv[1]) - 1) for line in sys.stdin]
head = lines[0]
pid, ppid, cmd = head.index("PID"), head.index("PPID"), int(sys.argv[1]) - 1
names = {line[pid]: line[cmd].strip() for line in lines[1:]}
print(*head)
for line in sorted(lines[1:], key=lambda line: line[cmd]):
    print(*["-" if head[i] in ("PID", "C", "STIME", "TIME") else names.get(word, "outside") if i == ppid else word.strip() for i, word in enumerate(line)])' "$1"
}
case_ps() {
	bundle ps '' sh -c 'sleep 1001 & sh -c "sleep 1002; true" & exec sleep 1003'
	create ps p; r start p
	wait_for sh -c "$program --root $work/state.$runtime ps p | grep 1002"
	r exec -d -u 4321 p sleep 1004 </dev/null >/dev/null 2>&1
	wait_for sh -c "$program --root $work/state.$runtime ps p | grep 1004"
	r ps p | rows 8
	r ps p -ef | rows 8
	r ps p -eo pid,ppid,uid,comm,args | rows 5
	# What the guest says a process's user is counts for nobody here: a stand-in is a reserved user's.
	r ps p -eo pid,uid,args | awk -v uid="$([ "$runtime" = runc ] && echo 4321 || echo 1526726655)" '/sleep 1004/ { print $2 == uid }'
	r ps p aux | awk '{ print (NF > 10), $1, $NF }' | sort
	r ps p -o comm; echo $?
	r ps p --no-such >/dev/null 2>&1; echo $?
	r ps --format no p; echo $?
	r ps --format json p | python3 -c 'import json, os, sys; p = json.load(sys.stdin); print(len(p), all(os.path.exists(f"/proc/{i}") for i in p))'
	r kill p KILL
	wait_for is p stopped
	r ps p; echo $?
	r ps --format json p; echo $?
	r delete p
}
# A mount's destination without a leading slash is below the root.
case_relative_mount() {
	bundle relative 's["mounts"].append({"destination": "made/here", "type": "tmpfs", "source": "tmpfs"})' sh -c 'grep -c " /made/here tmpfs" /proc/mounts; ls -d made/here'
	r run --bundle "$work/relative.$runtime" m </dev/null 2>/dev/null; echo $?
}
# What is still there of containers: monitors, a `create`, directories, control groups. Of ours only: runc's own leavings are not the question.
leftover() {
	[ "$runtime" = skerry ] || return 0
	pgrep -af "skerry-(monitor|oci|9pd) .*$work/state.skerry"
	(cd "$work/state.skerry" && find containers run tmp -mindepth 1 -not -path 'run/cpus*')
	find /sys/fs/cgroup -name 'skerry-test-skerry'
}
no_monitor() { ! pgrep -f "skerry-monitor --root $work/state.skerry"; }
# `create` killed at any moment: its VM goes by itself, and a delete leaves nothing.
abandoned() {
	local i
	bundle abandoned "s['linux']['cgroupsPath'] = '/skerry-test-$runtime'; s['hooks'] = {'createRuntime': [{'path': '/bin/sleep', 'args': ['sleep', '0.1']}]}" sleep 100
	for ((i = 0; i < $1; i++)); do
		"$program" --root "$work/state.$runtime" create --bundle "$work/abandoned.$runtime" "a$i" </dev/null >/dev/null 2>&1 &
		sleep "0.$(printf '%03d' $((RANDOM % 800)))"
		kill -KILL $! 2>/dev/null
		wait $! 2>/dev/null
		if [ "$runtime" = skerry ] && [ $((i % 2)) = 0 ] && [ "$(status "a$i" 2>/dev/null)" != created ]; then
			wait_for no_monitor
		fi
		r delete --force "a$i" || echo "delete: $?"
	done
	leftover
	# runc's
	find /sys/fs/cgroup -name skerry-test-runc -type d -exec rmdir {} + 2>/dev/null
	true
}
case_abandoned() { abandoned 12 2>&1 | grep -v Killed; }
full_abandoned() { abandoned 1000 2>&1 | grep -v Killed; }
# delete --force beside a create that is at work.
case_delete_creating() {
	local hook
	for hook in 1.5 4; do # it ends by itself, or is ended
		delete_creating "$hook"
	done
}
delete_creating() {
	local begun
	bundle slow "s['linux']['cgroupsPath'] = '/skerry-test-$runtime'; s['hooks'] = {'createRuntime': [{'path': '/bin/sleep', 'args': ['sleep', '$1']}]}" sleep 100
	create slow c &
	sleep 0.7
	r start c >/dev/null 2>&1; echo $?
	r state c >/dev/null 2>&1; echo $?
	[ "$runtime" = runc ] || r list | grep -q creating || r list
	begun=$SECONDS
	r delete --force c; echo $?
	[ $((SECONDS - begun)) -lt "$(slow 5)" ] || echo "took $((SECONDS - begun)) s"
	wait $!
	leftover
	r delete --force c; echo $?
}
# What the host mounts below a bind mount later, with each kind of propagation; what is mounted below one that is read-only.
case_propagation() {
	local dir=$work/propagation.$runtime.d m
	mkdir -p "$dir/m" "$dir/n" "$dir/o"
	mount --bind "$dir" "$dir"
	mount --make-shared "$dir"
	mount -t tmpfs none "$dir/n"
	echo first >"$dir/n/f"
	mount -t tmpfs -o ro none "$dir/o"
	echo below >"$dir/m/f"
	bundle propagation 's["mounts"] += [{"destination": "/" + to, "type": "bind", "source": "'"$dir"'", "options": options} for to, options in
[("slave", ["rbind", "rslave"]), ("shared", ["rbind", "rshared"]), ("private", ["rbind", "rprivate"]), ("top", ["bind", "private"]), ("ro", ["rbind", "ro"]), ("rro", ["rbind", "ro", "rro"])]]' sleep 1000
	create propagation p; echo $?
	r start p; echo $?
	for m in slave shared private top; do r exec p cat "/$m/m/f" "/$m/n/f" 2>/dev/null; echo $?; done
	r exec p sh -c 'echo x >/ro/f; echo x >/ro/n/g && echo written; echo x >/ro/o/f; ls /ro/n; echo x >/rro/n/h; echo x >/rro/f; ls /rro/n' 2>/dev/null
	mount -t tmpfs none "$dir/m"
	echo later >"$dir/m/f"
	for m in slave shared; do wait_for r exec p grep later "/$m/m/f"; done
	for m in slave shared private top; do r exec p cat "/$m/m/f"; done
	umount "$dir/m"; echo $?
	for m in slave shared; do wait_for r exec p grep below "/$m/m/f"; done
	umount "$dir/n"; echo $?
	for m in slave shared; do wait_for r exec p test ! -e "/$m/n/f"; done
	for m in slave shared private top; do r exec p cat "/$m/m/f" "/$m/n/f" 2>/dev/null; echo $?; done
	r delete --force p; echo $?
	umount "$dir/o" "$dir"; echo $?
}
# With a systemd: systemd.sh.
case_systemd_cgroup() {
	local path
	bundle systemd '' true
	for path in /x a:b a.slice:test:name; do
		sed -i "s|\"cgroupsPath\": *\"[^\"]*\"|\"cgroupsPath\": \"$path\"|" "$work/systemd.$runtime/config.json"
		r --systemd-cgroup create --bundle "$work/systemd.$runtime" s </dev/null >"$work/s.log" 2>&1; echo $?; cat "$work/s.log"
	done
	r --systemd-cgroup list -q
	r delete --force s
	# without it such a path is one like any other
	create systemd s; echo $?
	find /sys/fs/cgroup -type d -name a.slice:test:name 2>/dev/null | grep -c .  | sed 's/[1-9].*/some/'
	r delete --force s; echo $?
	find /sys/fs/cgroup -type d -name a.slice:test:name 2>/dev/null
}
case_spec() {
	mkdir -p "$work/spec.$runtime"
	(cd "$work/spec.$runtime" && "$program" spec; echo $?)
	python3 - "$work/spec.$runtime/config.json" <<'END'
import json, sys
s = json.load(open(sys.argv[1]))
print(sorted(s), s["process"]["args"], s["root"], [m["destination"] for m in s["mounts"]], sorted(n["type"] for n in s["linux"]["namespaces"] if n["type"] != "cgroup"), s["process"]["rlimits"])
END
	(cd "$work/spec.$runtime" && "$program" spec 2>&1; echo $?)
	mkdir -p "$work/rl.$runtime"
	(cd "$work/rl.$runtime" && "$program" spec --rootless; echo $?; grep -c uidMappings config.json)
	"$program" --version | wc -l | awk '{ print ($1 >= 2) }'
}
run_cases "$@"
