# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034,SC2317 # variables set by ../run; code in quotes is run by p
#
# The runtime's own command line, its hooks, and what it does with what is broken: no docker between.

# rt VERB…: the runtime; new NAME [STATEMENT…]: a bundle for it (bundle.py).
rt() {
	local program=runc
	[ "$runtime" = runc ] || program=$work/bin/skerry-oci
	timeout --foreground 60 "$program" --root "$tmp/state" --log "$tmp/log" --log-format json "$@"
}
new() {
	local name=$1
	shift
	python3 "$SKERRY_TEST_TOP/tests/oci/docker/bundle.py" "$tmp/$name" "$work/rootfs" "$group/$me-$name" "$@"
}
# The container's own output goes to a file: it holds the descriptors as long as it lives.
made() { rt create --bundle "$tmp/$1" --pid-file "$tmp/$1.pid" "$me-$1" >"$tmp/$1.out" 2>&1 </dev/null; }
status() { rt state "$me-$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])'; }
keys() { python3 -c 'import json, sys; o = json.load(sys.stdin); print(*sorted((o[0] if isinstance(o, list) else o)))'; }
errors() { python3 -c '
import json, sys
found = [json.loads(line) for line in open(sys.argv[1])]
bad = [e for e in found if e["level"] in ("error", "fatal")]
print("error" if bad and all({"level", "msg", "time"} <= set(e) and e["msg"] for e in bad) else "no error: %r" % found)' "$tmp/log"; }
# left NAME: what is there of this container: directories, groups, processes.
left() {
	find "$tmp/state" -mindepth 1 -path "*$me-$1*" 2>/dev/null | wc -l
	find /sys/fs/cgroup -type d -path "*$group/$me-$1" 2>/dev/null | wc -l # groups of other cases go meanwhile
	pgrep -f "$tmp/state.*$me-$1( |/|\$)" | wc -l
}
# refusal POINT NAME: create fails, with an error in the log, and nothing stays (runc leaves a directory now and then).
refusal() {
	local point=$1 name=$2
	differ "$point" "made $name; echo \$?; errors; left $name | xargs" '^[1-9][0-9]*.error' '^[1-9][0-9]*.error.0 0 0'
}
# refused NAME POINT [STATEMENT…]: the bundle is refused with an error in the log, and nothing stays.
refused() {
	local point=$1
	shift
	new "$point" "$@"
	: >"$tmp/log"
	refusal "$point" "$point"
}

case_verbs() {
	new a 'p["args"] = ["sh", "-c", "trap \"exit 5\" TERM; while :; do sleep 0.1; done"]'
	p create 'made a; echo $?; status a; test -d /proc/$(cat $tmp/a.pid) && echo pid' 'created'
	p exists 'made a; cat $tmp/a.out | grep -o -i "already exists\|given ID already"' 'already'
	p exec-created 'rt exec $me-a sh -c "echo early; ps | grep -c \"[w]hile :\""; echo $?' '^early.0'
	p start 'rt start $me-a; echo $?; status a' 'running'
	p start-again 'rt start $me-a; echo $?' '[1-9]'
	p state 'rt state $me-a | keys' 'bundle.*ociVersion.*pid.*status'
	p state-pid 'rt state $me-a | python3 -c "import json, sys; s = json.load(sys.stdin); print(s[\"pid\"] == int(open(sys.argv[1]).read()), s[\"id\"] == sys.argv[2], s[\"bundle\"] == sys.argv[3])" $tmp/a.pid $me-a $tmp/a' 'True True True'
	p list 'rt list -q; rt list -f json | keys' 'status'
	p ps 'rt ps -f json $me-a | python3 -c "import json, sys; print(len(json.load(sys.stdin)) >= 1)"; rt ps $me-a | sed -n 1p | grep -o -w -E "UID|PID|CMD" | xargs' 'UID PID CMD'
	p exec 'rt exec $me-a sh -c "echo in; exit 4"; echo $?' 'in'
	p exec-options 'rt exec --cwd /tmp --env A=b --user 1000:1001 $me-a sh -c "pwd; echo \$A; id -u; id -g"' '1000'
	p exec-process 'echo "{\"args\":[\"sh\",\"-c\",\"echo given; exit 6\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":0,\"gid\":0}}" >$tmp/process; rt exec --process $tmp/process $me-a; echo $?' 'given'
	p exec-detached 'rt exec -d --pid-file $tmp/x.pid $me-a sleep 50 >/dev/null; test -d /proc/$(cat $tmp/x.pid) && echo alive; kill $(cat $tmp/x.pid); sleep 0.5; rt exec $me-a ps | grep -c "sleep [5]0"' 'alive'
	p exec-missing 'rt exec $me-a no-such; echo $?' '[1-9]'
	p pause 'rt pause $me-a; status a; rt exec $me-a true; echo $?' 'paused'
	p resume 'rt resume $me-a; status a' 'running'
	p update 'rt update --memory 200000000 --pids-limit 100 --cpu-quota 50000 --cpu-period 100000 $me-a; echo $?' '0'
	p update-file 'echo "{\"memory\":{\"limit\":150000000},\"pids\":{\"limit\":50}}" | rt update -r - $me-a; echo $?' '0'
	p events 'rt events --stats $me-a | python3 -c "import json, sys; e = json.load(sys.stdin); print(e[\"type\"], e[\"data\"][\"cpu\"][\"usage\"][\"total\"] > 0, e[\"data\"][\"memory\"][\"usage\"][\"usage\"] > 0, e[\"data\"][\"pids\"][\"current\"] > 0)"' 'stats True True True'
	p delete-running 'rt delete $me-a; echo $?; status a' '[1-9]'
	p kill 'rt kill $me-a TERM; until_true 20 "[ \$(status a) = stopped ]"; status a' 'stopped'
	p kill-stopped 'rt kill $me-a TERM; echo $?' '[1-9]'
	p exec-stopped 'rt exec $me-a true; echo $?' '[1-9]'
	p delete 'rt delete $me-a; echo $?; rt state $me-a; echo $?; left a' 'does not exist'
	p delete-missing 'rt delete $me-a; echo $?; rt delete --force $me-a; echo $?' 'does not exist'
	new b 'p["args"] = ["sh", "-c", "echo out; exit 7"]'
	p run 'rt run --bundle $tmp/b $me-b; echo $?; left b' 'out'
	p run-detached 'new d; rt run -d --bundle $tmp/d --pid-file $tmp/d.pid $me-d >/dev/null 2>&1; echo $?; status d; rt delete --force $me-d; echo $?; left d' 'running'
	new t 'p.update(terminal=True, args=["sh", "-c", "tty; stty size; read x; echo got $x; exit 3"])'
	p run-terminal 'on_terminal --size 21x43 --expect "21 43" --send "word\r" --expect "got word" --exit 3 -- bash -c "$(declare -p me tmp work runtime; declare -f rt); rt run --bundle $tmp/t $me-t" | grep -c "got word"' '^1'
	p force 'new f; made f; rt delete --force $me-f; echo $?; left f' '0'
	p created-deleted 'new g; made g; rt delete $me-g; echo $?; left g' '0'
	p features 'rt features | keys | sed "s, potentiallyUnsafe[A-Za-z]*,,"' 'ociVersionMax' # newer runc says more
	p spec 'mkdir -p $tmp/s; cd $tmp/s && rt spec && keys <config.json; rt spec; echo $?' 'process'
	p version 'rt --version | grep -o "^spec: 1"; rt --version | grep -c version' 'spec: 1'
	p bad-verb 'rt no-such-verb >/dev/null 2>&1; test $? != 0 && echo refused' 'refused'
}
case_hooks() {
	local script=$tmp/hook
	# What each hook sees: its name, the state on stdin, its namespaces against those of the caller and of the container.
	cat >"$script" <<-'END'
		#!/bin/bash
		state=$(cat)
		pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/' <<<"$state")
		[ "$(readlink /proc/self/ns/net)" = "$(readlink "/proc/$PPID/ns/net")" ] && net=host || net=container
		echo "$1 $(sed 's/.*"status": *"\([a-z]*\)".*/\1/' <<<"$state") net=$net pid=$([ "${pid:-0}" -gt 1 ] && test -d "/proc/$pid" && echo alive) env=$HOOK" >>"$2"
	END
	chmod 755 "$script"
	new h 'import os' "s, out = '$script', '$tmp/hooks.log'" \
		'c["hooks"] = {n: [{"path": s, "args": ["hook", n, out], "env": ["HOOK=" + n, "PATH=/bin:/usr/bin"]}] for n in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}' \
		'c["hooks"]["startContainer"] = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >/tmp/state; hostname >/tmp/inside; readlink /proc/self/ns/net | wc -l >>/tmp/inside"], "env": ["PATH=/bin"]}]' \
		'p["args"] = ["sh", "-c", "cat /tmp/inside; grep -c status /tmp/state; grep -o \"id\\\": *\\\"[^,]*\" /tmp/state | tr -d \" \"; sleep 1000"]'
	# runc 1.1 tells poststart hooks "created", and calls them before the program runs.
	p all 'made h; rt start $me-h; sleep $(slow 1); cat $tmp/h.out; rt delete --force $me-h; sed -E "s/^(poststart) [a-z]*/\1/; s/^(createContainer .*) pid=[a-z]*/\1/" $tmp/hooks.log' 'id":.*createRuntime creating net=host pid=alive.*poststop stopped net=host'
	p order 'cut -d" " -f1 $tmp/hooks.log | tr "\n" " "' 'prestart createRuntime createContainer poststart poststop'
	new i "c['hooks'] = {'prestart': [{'path': '/no/such/hook'}]}"
	: >"$tmp/log"
	refusal missing i
	new j "c['hooks'] = {'createRuntime': [{'path': '/bin/false'}]}"
	: >"$tmp/log"
	refusal failing j
	new k "c['hooks'] = {'createRuntime': [{'path': '/bin/sleep', 'args': ['sleep', '100'], 'timeout': 1}]}"
	: >"$tmp/log"
	refusal slow k
	new l "c['hooks'] = {'startContainer': [{'path': '/bin/false'}]}"
	: >"$tmp/log"
	p failing-inside 'made l; rt start $me-l >/dev/null 2>&1; echo $?; errors; rt delete --force $me-l; left l | xargs' 'error'
	new m "c['hooks'] = {'poststop': [{'path': '/bin/false'}]}" 'p["args"] = ["true"]'
	p failing-late 'rt run --bundle $tmp/m $me-m; echo $?; left m | xargs' '0 0 0'
}
case_broken() {
	p no-bundle 'rt create --bundle $tmp/none $me-x >/dev/null 2>&1; echo $?; errors' 'error'
	mkdir -p "$tmp/empty"
	: >"$tmp/log"
	p no-config 'rt create --bundle $tmp/empty $me-x 2>&1 | grep -o "JSON specification file config.json not found"; errors' 'config.json'
	echo '{"ociVersion": "1.0.2", "process": {' >"$tmp/empty/config.json"
	: >"$tmp/log"
	p half-config 'rt create --bundle $tmp/empty $me-x >/dev/null 2>&1; test $? != 0 && errors; left x | xargs' 'error'
	head -c 4096 /dev/urandom >"$tmp/empty/config.json"
	: >"$tmp/log"
	p noise 'rt create --bundle $tmp/empty $me-x >/dev/null 2>&1; test $? != 0 && errors; left x | xargs' 'error'
	refused no-process 'del c["process"]'
	refused no-args 'p["args"] = []'
	refused wrong-args 'p["args"] = 7'
	refused relative-cwd 'p["cwd"] = "x"'
	refused no-rootfs 'c["root"]["path"] = "/no/such/rootfs"'
	refused rootfs-file 'c["root"]["path"] = "/etc/passwd"'
	# runc takes any.
	new wrong-version 'c["ociVersion"] = "abc"'
	differ wrong-version 'made wrong-version; echo $?; errors; left wrong-version | xargs; rt delete --force $me-wrong-version' '^0' '^1.error.0 0 0'
	refused no-source 'c["mounts"].append({"destination": "/x", "type": "bind", "source": "/no/such/source", "options": ["bind"]})'
	refused no-netns 'l["namespaces"][1]["path"] = "/no/such/namespace"'
	refused no-program 'p["args"] = ["no-such-program"]'
	refused bad-program 'p["args"] = ["/etc/passwd"]'
	refused bad-capability 'p["rlimits"] = [{"type": "RLIMIT_NO_SUCH", "hard": 1, "soft": 1}]'
	refused bad-sysctl 'l["sysctl"] = {"kernel.no_such_thing": "1"}'
	refused bad-seccomp 'l["seccomp"] = {"defaultAction": "SCMP_ACT_NO_SUCH"}'
	refused no-console 'p["terminal"] = True'
	refused bad-id-of-user 'p["user"] = {"uid": -7, "gid": 0}'
	: >"$tmp/log"
	new ok
	p bad-id 'rt create --bundle $tmp/ok ../../x 2>&1 | grep -o "invalid container ID format"; errors' 'error'
	p bad-option 'rt create --no-such-option x >/dev/null 2>&1; test $? != 0 && echo refused' 'refused'
	p bad-root 'echo x >$tmp/file; timeout 20 $([ $runtime = runc ] && echo runc || echo $work/bin/skerry-oci) --root $tmp/file/y state x >/dev/null 2>&1; test $? != 0 && echo refused' 'refused'
	p missing 'rt state $me-none; echo $?; rt start $me-none; echo $?; rt kill $me-none; echo $?; rt exec $me-none true 2>/dev/null; echo $?' 'does not exist'
	# A device of the host is refused by a VM only.
	new dev 'l["devices"] = [{"path": "/dev/mem", "type": "c", "major": 1, "minor": 1}]'
	: >"$tmp/log"
	differ host-device 'made dev; echo $?; errors; cat $tmp/log; rt delete --force $me-dev' '^0' 'device /dev/mem of the host cannot'
}
# The VM dies while it is made, and later.
case_dying() {
	if [ "$runtime" = runc ]; then
		local point
		for point in no-kernel no-monitor killed-in-create killed-later; do p "$point" 'echo as wanted'; done
		return
	fi
	new a
	: >"$tmp/log"
	p no-kernel 'sed "s|SKERRY_GUEST_DIR=[^ ]*|SKERRY_GUEST_DIR=$tmp/none|" $work/bin/skerry-oci >$tmp/oci; chmod 755 $tmp/oci; timeout 60 $tmp/oci --root $tmp/state --log $tmp/log --log-format json create --bundle $tmp/a $me-a >/dev/null 2>&1; [ $? != 0 ] && [ "$(errors)" = error ] && [ "$(left a | xargs)" = "0 0 0" ] && echo as wanted' 'as wanted'
	p no-monitor 'sed "s|SKERRY_MONITOR=[^ ]*|SKERRY_MONITOR=/bin/false|" $work/bin/skerry-oci >$tmp/oci; timeout 60 $tmp/oci --root $tmp/state --log $tmp/log --log-format json create --bundle $tmp/a $me-a >/dev/null 2>&1; [ $? != 0 ] && [ "$(errors)" = error ] && [ "$(left a | xargs)" = "0 0 0" ] && echo as wanted' 'as wanted'
	# The hook kills what it is told is the container's process.
	printf '#!/bin/bash\nkill -9 "$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/")"\n' >"$tmp/killer"
	chmod 755 "$tmp/killer"
	new k "c['hooks'] = {'createRuntime': [{'path': '$tmp/killer'}]}"
	: >"$tmp/log"
	p killed-in-create 'made k; [ $? != 0 ] && [ "$(errors)" = error ] && [ "$(left k | xargs)" = "0 0 0" ] && echo as wanted' 'as wanted'
	p killed-later 'new l; made l; rt start $me-l; kill -9 $(cat $tmp/l.pid); until_true 10 "[ \$(status l) = stopped ]"; rt delete $me-l; [ "$(left l | xargs)" = "0 0 0" ] && echo as wanted' 'as wanted'
}
case_registering() {
	if [ "$runtime" = runc ]; then
		local point
		for point in shows writes again keeps undo broken; do p "$point" 'echo as wanted'; done
		return
	fi
	local oci=$work/bin/skerry-oci
	p shows 'echo n | $oci install --docker --config $tmp/daemon.json | grep -c "^+.*\"skerry\"" >/dev/null && [ ! -e $tmp/daemon.json ] && echo as wanted' 'as wanted'
	p writes 'echo "{\"debug\": true}" >$tmp/daemon.json; $oci install --docker --yes --config $tmp/daemon.json >/dev/null; python3 -c "import json, sys; o = json.load(open(sys.argv[1])); assert o[\"debug\"] is True and o[\"runtimes\"][\"skerry\"][\"path\"].startswith(\"/\")" $tmp/daemon.json && echo as wanted' 'as wanted'
	p again '$oci install --docker --yes --config $tmp/daemon.json | grep -c "nothing to change" >/dev/null && echo as wanted' 'as wanted'
	p keeps 'dockerd --validate --config-file $tmp/daemon.json >/dev/null 2>&1 || grep -q skerry $tmp/daemon.json && echo as wanted' 'as wanted'
	p undo '$oci install --docker --undo --yes --config $tmp/daemon.json >/dev/null; [ "$(python3 -c "import json, sys; print(json.load(open(sys.argv[1])))" $tmp/daemon.json)" = "{'"'debug'"': True}" ] && echo as wanted' 'as wanted'
	p broken 'echo "{" >$tmp/daemon.json; $oci install --docker --yes --config $tmp/daemon.json >/dev/null 2>&1; [ $? != 0 ] && [ "$(cat $tmp/daemon.json)" = "{" ] && echo as wanted' 'as wanted'
}
