# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The life of a container and the commands that look at it.

# case: quick
case_life_create_start_stop_rm() {
	ok skerry create --name a1 "$IMG" sleep 1000
	ok skerry start a1
	same "$out" a1
	same "$(status a1)" running
	expect 1 skerry rm a1
	complaint 'running|stop'
	ok skerry stop -t 1 a1
	same "$out" a1
	same "$(status a1)" exited
	ok skerry start a1
	same "$(status a1)" running
	ok skerry rm -f a1
	expect 1 skerry start a1
	complaint '\ba1\b'
}

# case: quick
case_life_data_stays_across_restart() {
	ok skerry run -d --name a1 "$IMG" sleep 1000
	ok skerry exec a1 sh -c 'echo kept >/root/file; sync'
	ok skerry restart -t 1 a1
	same "$(status a1)" running
	ok skerry exec a1 cat /root/file
	same "$out" kept
	ok skerry stop -t 1 a1
	ok skerry start a1
	ok skerry exec a1 cat /root/file
	same "$out" kept
}

# --rm is for its end, and not for a restart.
# case: quick
case_life_restart_keeps_what_rm_removes() {
	ok skerry run -d --rm --name a1 "$IMG" sleep 1000
	ok skerry exec a1 sh -c 'echo kept >/root/file'
	ok skerry restart -t 0 a1
	same "$out" a1
	same "$(status a1)" running
	ok skerry exec a1 cat /root/file
	same "$out" kept
	ok skerry stop -t 0 a1
	expect 1 skerry inspect a1
}

case_life_stop_timeout_kills() {
	ok skerry run -d --name deaf "$IMG" bash -c 'trap "" TERM; touch /ready; while :; do sleep 0.1; done'
	until_ok 20 skerry exec deaf test -e /ready
	local from=$SECONDS
	ok skerry stop -t 1 deaf
	[ $((SECONDS - from)) -lt 8 ] || fail 'stop took too long'
	same "$(field deaf 'd["State"]["ExitCode"]')" 137
	same "$(field deaf 'd["State"]["OOMKilled"]')" false
}

case_life_stop_term() {
	ok skerry run -d --name polite "$IMG" bash -c 'trap "exit 0" TERM; touch /ready; while :; do sleep 0.1; done'
	until_ok 20 skerry exec polite test -e /ready
	ok skerry stop polite
	same "$(field polite 'd["State"]["ExitCode"]')" 0
	ok skerry run -d --name init --init "$IMG" sleep 1000
	ok skerry stop init
	same "$(field init 'd["State"]["ExitCode"]')" 143
}

case_life_stop_signal() {
	ok skerry run -d --name usr --stop-signal USR1 --stop-timeout 20 "$IMG" bash -c 'trap "exit 11" USR1; touch /ready; while :; do sleep 0.1; done'
	until_ok 20 skerry exec usr test -e /ready
	ok skerry stop usr
	same "$(field usr 'd["State"]["ExitCode"]')" 11
}

# case: quick
case_life_kill() {
	ok skerry run -d --name k1 "$IMG" bash -c 'trap "echo hup" HUP; echo ready; while :; do sleep 0.1; done'
	until_ok 10 bash -c 'skerry logs k1 | grep -q ready'
	ok skerry kill -s HUP k1
	until_ok 10 bash -c 'skerry logs k1 | grep -q hup'
	same "$(status k1)" running
	ok skerry kill k1
	until_ok 10 is_status k1 exited
	same "$(field k1 'd["State"]["ExitCode"]')" 137
	expect 1 skerry kill k1
	complaint 'not running'
	try skerry kill -s NOSUCH k1
	[ "$rc" = 1 ] || [ "$rc" = 125 ] || fail "exit code $rc"
	complaint NOSUCH
}

case_life_wait() {
	ok skerry run -d --name w1 "$IMG" sh -c 'sleep 1; exit 33'
	ok skerry wait w1
	same "$out" 33
	ok skerry wait w1
	same "$out" 33 'once more'
	expect 1 skerry wait nothere
}

case_life_rename() {
	ok skerry run -d --name old "$IMG" sleep 1000
	ok skerry rename old new
	expect 1 skerry inspect old
	same "$(status new)" running
	ok skerry run -d --name third "$IMG" sleep 1000
	expect 1 skerry rename third new
}

# case: quick
case_life_pause() {
	ok skerry run -d --name p1 "$IMG" bash -c 'i=0; while :; do echo $((i++)); sleep 0.05; done'
	skerry pause --help >/dev/null 2>&1 || skip 'there is no pause command'
	ok skerry pause p1
	same "$(status p1)" paused
	local before
	before=$(skerry logs p1 | wc -l)
	sleep 0.5
	[ $(($(skerry logs p1 | wc -l) - before)) -le 2 ] || fail 'it runs on'
	ok skerry unpause p1
	same "$(status p1)" running
}

case_life_logs() {
	ok skerry run -d --name l1 "$IMG" bash -c 'for i in 1 2 3 4 5; do echo out$i; done; echo oops >&2; sleep 1000'
	until_ok 10 bash -c 'skerry logs l1 2>&1 | grep -q oops'
	ok skerry logs l1
	same "$out" $'out1\nout2\nout3\nout4\nout5'
	same "$err" oops
	ok skerry logs --tail 2 l1
	same "$(wc -l <<<"$out"$'\n'"$err" | tr -d ' ')" 2 'lines with --tail 2'
	ok skerry logs -n 0 l1
	same "$out$err" ''
	ok skerry logs -t --tail 1 l1
	has "$out$err" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z '
	expect 1 skerry logs nothere
}

case_life_logs_follow() {
	ok skerry run -d --name f1 "$IMG" bash -c 'for i in 1 2 3 4 5 6; do echo tick$i; sleep 0.4; done'
	ok timeout 30 skerry logs -f f1
	same "$out" $'tick1\ntick2\ntick3\ntick4\ntick5\ntick6'
	# of a container that has ended: all of it, and the end
	ok timeout 10 skerry logs -f f1
	has "$out" tick6
}

# case: quick
case_life_exec() {
	ok skerry run -d --name x1 -e FROM=run "$IMG" sleep 1000
	expect 7 skerry exec x1 sh -c 'exit 7'
	expect 127 skerry exec x1 nosuchprogram
	expect 126 skerry exec x1 /etc/passwd
	ok skerry exec -e A=b x1 sh -c 'echo $A $FROM'
	same "$out" 'b run'
	ok skerry exec -w /usr/lib x1 pwd
	same "$out" /usr/lib
	ok skerry exec -u daemon x1 id -un
	same "$out" daemon
	ok skerry exec -u 1234:5678 x1 sh -c 'id -u; id -g'
	same "$out" $'1234\n5678'
	try skerry exec -i x1 cat <<<'through exec'
	same "$out" 'through exec'
	ok skerry exec x1 sh -c 'echo a; echo b >&2'
	same "$out/$err" a/b
	ok skerry exec -d x1 sh -c 'echo there >/tmp/made'
	until_ok 10 skerry exec x1 test -e /tmp/made
	ok skerry stop -t 0 x1
	expect 1 skerry exec x1 true
	complaint 'not running'
}

case_life_exec_is_inside() {
	ok skerry run -d --name x1 --hostname inside "$IMG" sleep 1000
	ok skerry exec x1 sh -c 'hostname; cat /proc/1/comm; ls -d /root'
	same "$out" $'inside\nsleep\n/root'
}

case_life_exec_many_at_once() {
	ok skerry run -d --name x1 "$IMG" sleep 1000
	seq 20 | xargs -P 10 -I{} skerry exec x1 sh -c 'echo {}; exit 0' | sort -n >got
	same "$(seq 20 | tr '\n' ' ')" "$(tr '\n' ' ' <got)"
}

case_life_attach() {
	ok skerry run -d -i --name at "$IMG" bash -c 'while read -r l; do echo "got $l"; [ "$l" = end ] && exit 8; done'
	rc=0
	printf 'a\nend\n' | timeout 20 skerry attach at >o 2>e || rc=$?
	same "$rc" 8
	same "$(cat o)" $'got a\ngot end'
	expect 1 skerry attach at
	complaint 'not running|stopped'
}

case_life_attach_two() {
	ok skerry run -d --name at "$IMG" bash -c 'for i in {1..20}; do echo n$i; sleep 0.2; done'
	timeout 30 skerry attach at >o1 &
	local one=$!
	timeout 30 skerry attach at >o2
	wait "$one"
	has "$(cat o1)" n20
	has "$(cat o2)" n20
}

case_life_ps() {
	ok skerry ps
	has "$out" '^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$'
	ok skerry run -d --name up --label color=red "$IMG" sleep 1000
	local id=$out
	ok skerry run --name down "$IMG" true
	ok skerry ps
	has "$out" "^${id:0:12} +$IMG +\"sleep 1000\" +.* (ago|now) +Up .* +up\$"
	hasnt "$out" down
	ok skerry ps -a
	has "$out" 'Exited \(0\).*down'
	ok skerry ps -q
	same "$out" "${id:0:12}"
	ok skerry ps -q --no-trunc
	same "$out" "$id"
	ok skerry ps -a --filter status=exited --format '{{.Names}}'
	same "$out" down
	ok skerry ps -a --filter label=color=red --format '{{.Names}}'
	same "$out" up
	ok skerry ps -a --filter name=dow -q
	same "$(wc -l <<<"$out")" 1
	ok skerry ps -a --format json
	same "$(python3 -c 'import json,sys; print(sorted(json.loads(l)["Names"] for l in sys.stdin))' <<<"$out")" "['down', 'up']"
	ok skerry ps -l -q --no-trunc
	hasnt "$out" "$id"
}

case_life_inspect() {
	ok skerry run -d --name i1 -e A=1 -w /tmp --label x=y -m 200m "$IMG" sleep 1000
	same "$(field i1 'd["Name"]')" /i1
	same "$(field i1 'd["State"]["Running"]')" true
	same "$(field i1 'd["Config"]["WorkingDir"]')" /tmp
	same "$(field i1 'd["Config"]["Labels"]["x"]')" y
	same "$(field i1 '"A=1" in d["Config"]["Env"]')" true
	same "$(field i1 'd["HostConfig"]["Memory"]')" 209715200
	same "$(field i1 'd["Config"]["Cmd"]')" '["sleep", "1000"]'
	has "$(field i1 'd["State"]["StartedAt"]')" '^2[0-9]{3}-.*Z$'
	kill -0 "$(monitor_pid i1)" || fail 'the pid is not one'
	ok skerry inspect --format '{{.State.Status}}' i1
	same "$out" running
	ok skerry inspect i1 "$IMG"
	same "$(json_of "$out" 'len(d)')" 2
	expect 1 skerry inspect nothere
	complaint nothere
}

# case: quick
case_life_cp() {
	ok skerry run -d --name c1 "$IMG" sleep 1000
	mkdir -p tree/sub
	echo one >tree/one
	echo two >tree/sub/two
	ln -s one tree/link
	chmod 600 tree/one
	ok skerry cp tree c1:/root/
	ok skerry exec c1 sh -c 'cat /root/tree/one /root/tree/sub/two; readlink /root/tree/link; stat -c %a /root/tree/one'
	same "$out" $'one\ntwo\none\n600'
	ok skerry cp c1:/root/tree back
	diff -r tree back || fail 'the tree came back different'
	same "$(stat -c %a back/one)" 600
	ok skerry cp tree/one c1:/root/renamed
	ok skerry exec c1 cat /root/renamed
	same "$out" one
	ok skerry cp c1:/etc/hostname .
	test -s hostname || fail 'no file'
	skerry cp c1:/root/tree - | tar -t >names 2>words || fail 'to a tar stream'
	[ ! -s words ] || fail "tar says: $(cat words)"
	has "$(cat names)" 'tree/sub/two'
	tar -C tree -c one | skerry cp - c1:/tmp || fail 'from a tar stream'
	ok skerry exec c1 cat /tmp/one
	expect 1 skerry cp c1:/no/such/file .
	complaint '/no/such/file'
	expect 1 skerry cp nosuchfile c1:/
	complaint nosuchfile
	expect 1 skerry cp tree/one c1:/no/such/directory/x
}

# The whole root file system, without what is mounted in it; the same whether the container runs or not.
# case: quick
case_life_export() {
	mkdir bind
	echo secret >bind/file
	ok skerry run -d --name c1 -v "$PWD/bind:/bind" -v vol:/vol "$IMG" sh -c 'echo x >/vol/x; echo w >/root/w; ln /root/w /root/hard; rm /etc/motd; mkfifo /root/fifo; exec sleep 1000'
	until_ok 20 skerry exec c1 test -p /root/fifo
	skerry export c1 >running.tar 2>words || fail "export: $(cat words)"
	[ ! -s words ] || fail "it says: $(cat words)"
	tar -tf running.tar >names 2>words || fail 'no tar archive'
	[ ! -s words ] || fail "tar says: $(cat words)"
	same "$(grep -xE '(bind|vol|proc)/' names | sort)" $'bind/\nproc/\nvol/' 'mount points'
	! grep -E '^(\./|/|$)|^(bind|vol|proc|sys|dev)/.' names | grep -vE '^dev/(pts|shm|mqueue)/$' || fail 'what is mounted is there, or names begin otherwise'
	! grep -qx 'etc/motd' names || fail 'a removed file is there'
	same "$(grep -xE 'root/(w|hard|fifo)' names | sort)" $'root/fifo\nroot/hard\nroot/w' 'what the container wrote'
	ok skerry stop -t 0 c1
	ok skerry export -o stopped.tar c1
	same "$out" ''
	same "$(stat -c %a stopped.tar)" 600
	diff <(sort names | grep -vE '^dev/') <(tar -tf stopped.tar | sort | grep -vE '^dev/') || fail 'it is another one when it has stopped'
	ok skerry import stopped.tar again:1
	ok skerry run --rm again:1 sh -c 'cat /root/w /root/hard; stat -c "%u %a" /usr/bin/passwd'
	same "$out" $'w\nw\n0 4755'
	ok skerry rmi again:1
	expect 1 skerry export nothere
	complaint nothere
	expect 1 skerry export -o nodir/x c1
	complaint nodir
	same "$(script -qec 'skerry export c1' /dev/null </dev/null | tr -d '\r')" 'skerry: cowardly refusing to save to a terminal. Use the -o flag or redirect'
}

case_life_cp_stopped() {
	ok skerry run --name c1 "$IMG" sh -c 'echo written >/root/w'
	same "$(status c1)" exited
	ok skerry cp c1:/root/w w
	same "$(cat w)" written
	echo given >g
	ok skerry cp g c1:/root/g
	ok skerry cp c1:/root/g back
	same "$(cat back)" given
	same "$(status c1)" exited
	# created, never started
	ok skerry create --name fresh "$IMG" cat /root/g
	ok skerry cp g fresh:/root/g
	ok skerry start -a fresh
	same "$out" given
}

# case: timeout=120
case_life_cp_large() {
	ok skerry run -d --name c1 "$IMG" sleep 1000
	head -c 50000000 /dev/urandom >big
	ok skerry cp big c1:/root/big
	ok skerry exec c1 sha256sum /root/big
	same "${out%% *}" "$(sha256sum <big | cut -d' ' -f1)"
	ok skerry cp c1:/root/big back
	cmp big back || fail 'it came back different'
}

# case: quick
case_life_stats() {
	ok skerry run -d --name s1 -m 128m "$IMG" bash -c 'while :; do :; done'
	sleep 1
	ok timeout 20 skerry stats --no-stream
	has "$out" '^CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS'
	has "$out" ' s1 +[0-9.]+% '
	ok timeout 20 skerry stats --no-stream --format json s1
	same "$(json_of "$out" 'd["Name"]')" s1
	[ "$(json_of "$out" 'float(d["CPUPerc"].strip("%")) > 20')" = True ] || fail 'a busy loop uses no processor'
}

case_life_top() {
	ok skerry run -d --name t1 "$IMG" bash -c 'sleep 500 & sleep 600'
	sleep 0.5
	ok skerry top t1
	has "$out" '^UID +PID +PPID +C +STIME +TTY +TIME +CMD'
	has "$out" 'sleep 500'
	has "$out" 'sleep 600'
	expect 1 skerry top nothere
	ok skerry top t1 -eo pid,comm
	has "$out" '^PID +COMMAND'
	ok skerry top t1 ax -f
	has "$out" '^UID '
	ok skerry top t1 aux
	has "$out" '^USER +PID +%CPU +%MEM +VSZ +RSS +TTY +STAT +START +TIME +COMMAND'
	has "$out" '^root +[0-9]+ +[0-9.]+ +[0-9.]+ +[1-9][0-9]* +[1-9][0-9]* +[?] +S +[0-9:]+ +0:00 +sleep 500'
	ok skerry top t1 -o user,uid,start,args
	has "$out" '^USER +UID +START +COMMAND'
	has "$out" '^root +0 +[0-9:]+ +sleep 600'
	expect 1 skerry top t1 axf
	complaint 'unknown ps option "axf"'
	expect 1 skerry top t1 --forest
	complaint 'unknown ps option'
	# names that are commands of a terminal
	ok skerry run -d --name t2 "$IMG" bash -c 'printf "n\033[31m\r\302\233x" >/proc/$$/comm; exec 3<>/dev/zero; read -r <&3; sleep 1000' "$(printf 'a\033]0;t\007')"
	sleep 0.5
	ok skerry top t2 -o pid,comm,args
	hasnt "$out" $'[\033\r\007]'
	hasnt "$out" $'\302\233'
	has "$out" 'n\?\[31m'
}

# A disk that goes with its container is asked for no flushes; any other is.
case_life_disk_flushes() {
	local cache='for d in /sys/block/vd*; do [ "$(cat $d/serial)" != skerry-disk ] || cat $d/queue/write_cache; done'
	run "$IMG" sh -c "$cache"
	same "$out" 'write through'
	ok skerry run --name kept "$IMG" sh -c "$cache"
	same "$out" 'write back'
}

case_life_events() {
	timeout 60 skerry events --format json >ev &
	local pid=$!
	sleep 0.5
	expect 3 skerry run --rm --name e1 "$IMG" sh -c 'exit 3'
	until_ok 10 grep -q '"destroy"' ev
	kill "$pid"
	wait "$pid" || true
	local actions
	actions=$(python3 -c '
import json
print(" ".join(e["Action"] for e in map(json.loads, open("ev")) if e["Type"] == "container" and e["Actor"]["Attributes"].get("name") == "e1"))')
	has "$actions" 'create .*start .*die .*destroy'
	ok skerry events --since 10m --until 0s
	has "$out" 'container die .*exitCode=3'
}
# What an image has as labels cannot give the terminal commands.
case_life_labels_are_text() {
	ok skerry run -d --name l1 --label "a=$(printf 'x\033[31my')" "$IMG" sleep 100
	ok skerry ps --format '{{.Names}} {{.Labels}}'
	same "$out" 'l1 a=x?[31my'
	ok skerry events --since 10m --until 0s --filter container=l1
	has "$out" 'a=x\?\[31my'
	! grep -q "$(printf '\033')" <<<"$out" || fail 'events printed an escape sequence'
}


# The older half of the events goes when they are many, also where only a running container makes them, whose confined monitor
# may write to this one file; who follows them misses none and sees none twice.
case_life_events_cut() {
	local file=$SKERRY_ROOT/events.jsonl pid
	ok skerry run -d --name cut --restart on-failure:3 "$IMG" sh -c 'sleep 2; exit 1'
	skerry events --filter type=container --format '{{.Action}} {{.Actor.Attributes.name}}' >ev &
	pid=$!
	sleep 0.5
	python3 - "$file" <<'END'
import sys
line = '{"Type":"image","Action":"tag","id":"x","Actor":{"ID":"x","Attributes":{}},"time":1,"timeNano":%d}\n'
with open(sys.argv[1], "a") as f:
    for i in range(90000):
        f.write(line % i)
END
	[ "$(stat -c %s "$file")" -gt 8388608 ] || fail 'the file is too small for this test'
	until_ok 30 sh -c '[ "$(grep -c "^die cut" ev)" = 4 ]'
	kill "$pid"
	wait "$pid" || true
	[ "$(stat -c %s "$file")" -lt 5000000 ] || fail "the events are not cut: $(stat -c %s "$file") bytes"
	same "$(grep -c '^die cut' ev) $(grep -c '^start cut' ev)" '4 3'
	ok skerry events --since 10m --until 0s --filter container=cut --filter event=die
	same "$(grep -c . <<<"$out")" 4
	ok skerry rm cut
}

case_life_info_and_version() {
	ok skerry info
	has "$out" '[Ee]ngine'
	has "$out" '[Ii]solation'
	has "$out" '[67]\.[0-9]+' 'guest kernel'
	ok skerry version
	has "$out" '[0-9]+\.[0-9]+\.[0-9]+'
	ok skerry --version
	ok skerry --help
	has "$out" 'run'
	ok skerry run --help
	has "$out" '--rm'
}

# case: quick
case_life_restart_on_failure() {
	ok skerry run -d --name r1 --restart on-failure:3 "$IMG" sh -c 'echo try; exit 5'
	until_ok 40 is_status r1 exited
	sleep 1
	is_status r1 exited || fail 'it goes on'
	same "$(skerry logs r1 | grep -c try)" 4 'tries'
	same "$(field r1 'd["RestartCount"]')" 3
	same "$(field r1 'd["State"]["ExitCode"]')" 5
	# An exit code of 0 is no failure.
	ok skerry run -d --name z1 --restart on-failure:3 "$IMG" true
	until_ok 20 is_status z1 exited
	same "$(field z1 'd["RestartCount"]')" 0
}

case_life_restart_always() {
	ok skerry run -d --name r1 --restart always "$IMG" sh -c 'echo try; sleep 0.3; exit 0'
	until_ok 30 bash -c '[ "$(skerry logs r1 | grep -c try)" -ge 3 ]'
	ok skerry stop -t 1 r1
	sleep 2
	same "$(status r1)" exited 'stopped by the user it stays so'
}

case_life_rm_many() {
	local i
	for i in 1 2 3; do ok skerry create --name "m$i" "$IMG" true; done
	ok skerry rm m1 m2 m3
	same "$out" $'m1\nm2\nm3'
	ok skerry create --name m4 "$IMG" true
	expect 1 skerry rm m4 nothere
	expect 1 skerry inspect m4
}

case_life_time_is_the_hosts() {
	run "$IMG" date +%s
	local d=$(($(date +%s) - out))
	[ "${d#-}" -le 3 ] || fail "the clock is $d s off"
}

# After the host has slept, or its clock was set, the guest's follows. Setting the clock to what it is makes the same event.
# case: root-only serial
case_life_time_follows_the_host() {
	python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())' 2>/dev/null || skip 'the clock cannot be set here'
	ok skerry run -d --name t1 --cap-add SYS_TIME "$IMG" sleep 1000
	ok skerry exec t1 date -s 2001-02-03
	has "$(skerry exec t1 date +%Y)" 2001
	python3 -c 'import time; time.clock_settime(time.CLOCK_REALTIME, time.time())'
	until_ok 10 bash -c '[ "$(skerry exec t1 date +%Y)" = "$(date +%Y)" ]'
	local d=$(($(date +%s) - $(skerry exec t1 date +%s)))
	[ "${d#-}" -le 3 ] || fail "the clock is $d s off"
}

# case: timeout=150
case_life_update_restart_at_once() {
	local until_told='echo try; until test -e /go; do sleep 0.2; done; exit 4'
	ok skerry run -d --name u1 "$IMG" sh -c "$until_told"
	ok skerry update --restart on-failure:2 u1
	ok skerry exec -d u1 touch /go
	until_ok 60 bash -c '[ "$(skerry inspect -f "{{.RestartCount}} {{.State.Status}}" u1)" = "2 exited" ]'
	same "$(skerry logs u1 | grep -c try)" 3
	# And back: the policy of a running container is taken away.
	ok skerry run -d --name u2 --restart always "$IMG" sh -c "$until_told"
	ok skerry update --restart no u2
	ok skerry exec -d u2 touch /go
	until_ok 30 is_status u2 exited
	same "$(field u2 'd["RestartCount"]')" 0
	ok skerry run -d --rm --name u3 "$IMG" sleep 100
	expect 1 skerry update --restart always u3
	complaint 'AutoRemove'
	expect 1 skerry update u3
	expect 1 skerry update --restart nosuch u3
}

# Clients that knock while one life of the container hands over to the next are let in by the next.
# case: timeout=120
case_life_restart_under_fire() {
	ok skerry run -d --name f1 --restart always "$IMG" sh -c 'sleep 0.2'
	local i=0
	while ((i++ < 60)) || [ "$(field f1 'd["RestartCount"]')" -lt 2 ]; do
		skerry exec f1 true >/dev/null 2>&1 || true
		case $(skerry inspect -f '{{.State.Status}}' f1) in running | restarting | created) ;; *) fail "it is $(status f1)" ;; esac
	done
	ok skerry stop -t 1 f1
	same "$(status f1)" exited
}

# Between two lives as in them: whatever is asked is answered, by the life that ends or by the next one.
# case: timeout=120
case_life_answers_between_lives() {
	ok skerry run -d --name k1 --restart always "$IMG" true
	local id
	id=$(skerry inspect -f '{{.Id}}' k1)
	ok python3 "$here/knock.py" "$SKERRY_ROOT/run/$id" 6
	[ "$out" -ge 6 ] || fail "$out answers"
	ok skerry stop k1
	same "$(status k1)" exited
}

case_life_monitor_is_confined() {
	ok skerry run -d --name c1 --restart always "$IMG" sleep 1000
	local s
	s=$(cat "/proc/$(monitor_pid c1)/status")
	has "$s" '^NoNewPrivs:.1$'
	has "$s" '^Seccomp:.2$'
	# CAP_KILL at most.
	has "$s" '^CapEff:.00000000000000[02]0$'
}

# What docker's diff says, of a container that runs, and of the same one when it has stopped.
case_life_diff() {
	mkdir bind
	ok skerry run -d --name c1 -v "$PWD/bind:/bind" --tmpfs /scratch "$IMG" sh -c 'exec sleep 1000'
	ok skerry diff c1
	same "$out" $'A /bind\nA /scratch' 'the places of mounts alone'
	ok skerry exec c1 sh -c 'echo x >/root/new; echo y >>/etc/passwd; rm -r /usr/share/doc /etc/motd; mkdir -p /opt/a/b; touch /opt/a/b/f
		echo t >/scratch/t; echo b >/bind/b; chmod 700 /srv; mv /var/lib/dpkg /var/lib/moved; rm -rf /media; mkdir /media; touch /media/m'
	ok skerry diff c1
	has "$out" '^A /root/new$'
	has "$out" '^C /root$'
	has "$out" '^C /etc/passwd$'
	has "$out" '^D /etc/motd$'
	has "$out" '^D /usr/share/doc$'
	has "$out" '^C /srv$'
	has "$out" '^D /var/lib/dpkg$'
	has "$out" '^A /var/lib/moved/status$' 'a directory that was moved'
	has "$out" '^A /media/m$'
	hasnt "$out" '^. /(scratch/t|bind/b|etc/hosts|etc/resolv.conf|etc/hostname|proc|sys|dev)' 'mounts'
	hasnt "$out" '^. /usr/share/doc/' 'what was below a removed directory'
	same "$(grep -A2 '^A /opt/a$' <<<"$out")" $'A /opt/a\nA /opt/a/b\nA /opt/a/b/f' 'a directory before what is in it'
	local running=$out
	ok skerry stop -t 0 c1
	ok skerry container diff c1
	same "$out" "$running" 'stopped'
	expect 1 skerry diff nothere
	complaint nothere
	ok skerry create --name c2 "$IMG" true
	ok skerry diff c2
	same "$out" '' 'one that has not run'
}

case_life_commit() {
	ok skerry run -d --name c1 -e A=b -w /srv --label l=1 "$IMG" sh -c 'echo x >/root/new; ln /root/new /root/hard; rm /etc/motd
		rm -rf /media; mkdir /media; touch /media/m; mv /var/lib/dpkg /var/lib/moved; chown 5:6 /srv; touch /root/done; exec sleep 1000'
	until_ok 20 skerry exec c1 test -e /root/done
	ok skerry commit -a 'Some One <one@example.org>' -m 'a message' -c 'CMD ["cat", "/root/new"]' -c 'ENV C=d' c1 made:1
	local id=$out
	has "$id" '^sha256:[0-9a-f]{64}$'
	same "$(skerry inspect -f '{{.State.Status}}' c1)" running 'paused and not let go'
	same "$(skerry inspect -f '{{.Author}} {{json .Config.Cmd}} {{.Config.WorkingDir}} {{index .Config.Labels "l"}}' made:1)" \
		'Some One <one@example.org> ["cat","/root/new"] /srv 1'
	has "$(skerry inspect -f '{{json .Config.Env}}' made:1)" '"A=b".*"C=d"'
	run --hostname new made:1 printenv HOSTNAME
	same "$out" new 'and not that of the container it was made of'
	same "$(skerry inspect -f '{{slice .RootFS.Layers 0 1}}' made:1)" "$(skerry inspect -f '{{slice .RootFS.Layers 0 1}}' "$IMG")" 'the layers below'
	has "$(skerry history --format '{{.CreatedBy}}|{{.Comment}}' made:1 | head -1)" '^sh -c echo.*\|a message$'
	run made:1
	same "$out" x
	run made:1 sh -c 'stat -c %h /root/hard; stat -c %u:%g /srv; test ! -e /etc/motd && ls /media /var/lib/moved/status; test ! -e /var/lib/dpkg'
	same "$out" $'2\n5:6\n/var/lib/moved/status\n\n/media:\nm'
	ok skerry stop -t 0 c1
	ok skerry commit --pause=false c1
	has "$out" '^sha256:'
	ok skerry run --rm "$out" cat /root/new
	same "$out" x 'of one that has stopped, without a name'
	expect 1 skerry commit c1 Bad/Name
	complaint Name
	expect 1 skerry commit -c 'RUN x' c1 made:2
	complaint RUN
	expect 1 skerry commit nothere made:2
	complaint nothere
	ok skerry rm c1
	run made:1
	same "$out" x 'without its container'
}

# A check that succeeds, fails, takes too long, and is none.
case_life_health() {
	local f='{{.State.Health.Status}} {{.State.Health.FailingStreak}}'
	ok skerry run -d --name c1 --health-cmd 'test -e /tmp/well && echo fine || { echo ill; exit 3; }' --health-interval 300ms --health-retries 2 --health-start-period 1s "$IMG" sleep 1000
	same "$(skerry inspect -f '{{.State.Health.Status}}' c1)" starting
	has "$(skerry ps --format '{{.Status}}' --filter name=c1)" '^Up .* \(health: starting\)$'
	until_ok "$(slow 30)" sh -c '[ "$(skerry inspect -f "{{.State.Health.Status}}" c1)" = unhealthy ]'
	has "$(skerry ps --format '{{.Status}}' --filter health=unhealthy)" '^Up .* \(unhealthy\)$'
	has "$(skerry inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' c1)" '^3 ill'
	ok skerry exec c1 touch /tmp/well
	until_ok "$(slow 30)" sh -c '[ "$(skerry inspect -f "{{.State.Health.Status}}" c1)" = healthy ]'
	same "$(skerry inspect -f "$f" c1)" 'healthy 0'
	has "$(skerry inspect -f '{{json .Config.Healthcheck}}' c1)" '"Test":\["CMD-SHELL",.*"Interval":300000000'
	sleep 3
	[ "$(skerry inspect -f '{{len .State.Health.Log}}' c1)" -le 5 ] || fail 'the log of checks is too long'
	ok skerry ps -q --filter health=healthy --filter name=c1
	[ -n "$out" ] || fail 'the filter does not find it'
	has "$(timeout 5 skerry events --since 10m --until 0s --filter container=c1)" 'container health_status: healthy'
	has "$(timeout 5 skerry events --since 10m --until 0s --filter event=health_status)" 'container health_status: unhealthy'
	ok skerry stop -t 0 c1
	same "$(skerry inspect -f '{{.State.Health.Status}}' c1)" unhealthy
	hasnt "$(skerry ps -a --format '{{.Status}}' --filter name=c1)" health
	# One that hangs is ended; one that cannot be run says why.
	ok skerry run -d --name c2 --health-cmd 'sleep 100' --health-interval 200ms --health-timeout 300ms --health-retries 1 "$IMG" sleep 1000
	until_ok "$(slow 30)" sh -c '[ "$(skerry inspect -f "{{.State.Health.Status}}" c2)" = unhealthy ]'
	same "$(skerry inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' c2)" '-1 Health check exceeded timeout (300ms)'
	sleep 1
	[ "$(skerry top c2 | grep -c 'sleep 100$')" -le 1 ] || fail 'probes are left running'
	ok skerry rm -f c2
	# An image's own.
	ok skerry create --name c3 --health-cmd true --health-interval 1s "$IMG" sleep 1000
	ok skerry commit c3 checked:1
	ok skerry run -d --name c4 checked:1
	until_ok "$(slow 30)" sh -c '[ "$(skerry inspect -f "{{.State.Health.Status}}" c4)" = healthy ]'
	ok skerry run -d --name c5 --no-healthcheck checked:1
	same "$(skerry inspect -f '{{json .State.Health}} {{json .Config.Healthcheck.Test}}' c5)" 'null ["NONE"]'
	same "$(skerry inspect -f '{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' c5)" none
	hasnt "$(skerry inspect c5)" '"Health"'
	same "$(skerry ps -q --filter health=none --filter name=c5 | wc -l)" 1
	expect 125 skerry run --no-healthcheck --health-cmd true "$IMG" true
	complaint 'conflicts with --health-\* options'
	expect 125 skerry run --health-interval -1s "$IMG" true
	complaint '--health-interval cannot be negative'
	expect 125 skerry run --health-timeout x "$IMG" true
	complaint 'health-timeout'
	ok skerry rm -f c3 c4 c5
	ok skerry rmi checked:1
}

case_life_volumes_from() {
	mkdir 'a,b"c'
	echo host >'a,b"c/f'
	ok skerry create --name c1 -v v1:/data -v /anon --mount "type=bind,\"src=$PWD/a,b\"\"c\",dst=/host,readonly" --tmpfs /scratch "$IMG" true
	ok skerry run --rm --volumes-from c1 "$IMG" sh -c 'echo x >/data/x; echo y >/anon/y; cat /host/f; test ! -e /scratch'
	same "$out" host
	expect 1 skerry run --rm --volumes-from c1 "$IMG" sh -c 'touch /host/g 2>/dev/null'
	expect 1 skerry run --name c2 --volumes-from c1:ro -v v2:/data "$IMG" sh -c 'cat /anon/y; ls /data; touch /anon/z'
	same "$out" y
	has "$err" 'Read-only'
	same "$(skerry inspect -f '{{.HostConfig.VolumesFrom}}' c2)" '[c1:ro]'
	ok skerry rm -v c2
	ok skerry run --rm --volumes-from c1 "$IMG" cat /anon/y /data/x
	same "$out" $'y\nx' 'what another container had of it is kept'
	expect 125 skerry run --rm --volumes-from nothere "$IMG" true
	complaint 'No such container: nothere'
	expect 125 skerry run --rm --volumes-from c1:foo "$IMG" true
	complaint 'invalid mode'
}

case_life_df_verbose() {
	ok skerry create --name c1 -v v1:/data "$IMG" true
	ok skerry run --rm -v v1:/data "$IMG" sh -c 'head -c 300000 /dev/zero >/data/f'
	ok skerry commit c1 more:1
	ok skerry system df -v
	has "$out" '^Images space usage:$'
	has "$out" '^more +1 +[0-9a-f]{12} .* [1-9][0-9.]*MB +[0-9.]+k?B +0$' 'an image that shares a layer'
	has "$out" '^[0-9a-f]{12} +[^ ]+ +"true" +1 +.* c1$'
	has "$out" '^v1 +1 +3[0-9.]+kB$'
	expect 1 skerry system df -v --format '{{.Type}}'
	complaint 'do not go together'
	ok skerry rmi more:1
}
