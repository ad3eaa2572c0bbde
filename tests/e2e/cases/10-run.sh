# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# run: exit codes, standard streams, foreground and background.

# case: quick
case_run_exit_codes() {
	run "$IMG" true
	expect 1 skerry run --rm "$IMG" false
	expect 42 skerry run --rm "$IMG" sh -c 'exit 42'
	expect 255 skerry run --rm "$IMG" sh -c 'exit 255'
}

case_run_exit_125_our_own_failure() {
	expect 125 skerry run --rm --no-such-flag "$IMG" true
	complaint 'no-such-flag'
	expect 125 skerry run --rm --pull never no-such-image:1 true
	has "$err" 'no-such-image:1'
	# No registry answers at this address.
	local p
	p=$(free_port)
	expect 125 timeout 50 skerry run --rm "127.0.0.1:$p/no-such-image:1" true
	has "$err" 'no-such-image:1'
	same "$(skerry ps -aq)" ''
}

# case: quick
case_run_exit_126_cannot_be_invoked() {
	expect 126 skerry run --rm "$IMG" /etc/passwd
	has "$err" '/etc/passwd'
	expect 126 skerry run --rm "$IMG" /etc
}

# case: quick
case_run_exit_127_not_found() {
	expect 127 skerry run --rm "$IMG" /no/such/program
	has "$err" '/no/such/program'
	expect 127 skerry run --rm "$IMG" nosuchprogram
	same "$(skerry ps -aq)" '' 'a failed start with --rm leaves no container'
}

case_run_exit_by_signal() {
	skerry run --rm --name s1 "$IMG" sleep 1000 >/dev/null 2>&1 &
	local cli=$!
	until_ok 20 is_status s1 running
	ok skerry kill s1
	rc=0
	wait "$cli" || rc=$?
	same "$rc" 137 'exit code'
	expect 139 skerry run --rm --init "$IMG" sh -c 'kill -SEGV $$'
}

# case: quick
case_run_own_kernel() {
	run "$IMG" uname -r
	[ "$out" != "$(uname -r)" ] || fail 'the guest has the kernel of the host'
	has "$out" '^[67]\.' 'kernel release'
	run "$IMG" sh -c 'cat /proc/1/comm; test $$ = 1'
}

case_run_stderr_apart() {
	run "$IMG" sh -c 'echo one; echo two >&2; echo three'
	same "$out" $'one\nthree' stdout
	same "$err" two stderr
}

# case: quick
case_run_stdin() {
	try skerry run --rm -i "$IMG" cat <<<'hello there'
	same "$out" 'hello there' 'with -i'
	try skerry run --rm "$IMG" cat <<<'hello there'
	same "$rc:$out" '0:' 'without -i the input is empty'
	try skerry run --rm -i "$IMG" wc -c </dev/null
	same "$out" 0 'an empty input ends'
}

case_run_stdin_closed_early() {
	# The reader goes away: no hang, and the container's exit code.
	head -c 20000000 /dev/zero >zeros
	try skerry run --rm -i "$IMG" head -c 10 <zeros
	same "$rc" 0 'exit code'
	rc=0
	skerry run --rm "$IMG" sh -c 'yes | head -c 30000000' | head -c 10 >got || rc=$?
	same "$(wc -c <got)" 10 'bytes'
}

# case: timeout=120 quick
case_run_100mb_through_stdin_and_stdout() {
	head -c 104857600 /dev/urandom >data
	local want
	want=$(sha256sum <data)
	same "$(skerry run --rm -i "$IMG" cat <data | sha256sum)" "$want" 'sum of what came back'
	try skerry run --rm -i "$IMG" sha256sum <data
	same "$out" "$want" 'sum in the container'
}

case_run_binary_and_long_lines() {
	head -c 3000000 /dev/urandom | tr -d '\n' >data
	same "$(skerry run --rm -i "$IMG" cat <data | sha256sum)" "$(sha256sum <data)" 'a line of three million bytes'
}

case_run_stdout_and_stderr_many() {
	try skerry run --rm "$IMG" bash -c 'for i in {1..5000}; do echo o$i; echo e$i >&2; done'
	same "$(wc -l <<<"$out") $(wc -l <<<"$err") $(tail -1 <<<"$out") $(tail -1 <<<"$err")" '5000 5000 o5000 e5000' 'lines'
}

case_run_detached() {
	ok skerry run -d --name web "$IMG" sleep 1000
	has "$out" '^[0-9a-f]{64}$' 'the id'
	same "$(status web)" running
	same "$(field web 'd["Id"]')" "$out"
	ok skerry rm -f web
	expect 1 skerry inspect web
}

case_run_detached_rm() {
	ok skerry run -d --rm --name brief "$IMG" sleep 1
	for _ in {1..100}; do
		[ -z "$(skerry ps -aq)" ] && return
		sleep 0.1
	done
	fail '--rm did not remove the container'
}

# case: quick
case_run_signal_is_passed_on() {
	skerry run --rm --name sig "$IMG" bash -c 'trap "echo got it; exit 7" TERM; echo ready; while :; do sleep 0.1; done' >o 2>e &
	local pid=$!
	until_ok 20 grep -q ready o
	kill -TERM "$pid"
	rc=0
	wait "$pid" || rc=$?
	same "$rc" 7 'exit code'
	has "$(cat o)" 'got it'
}

case_run_name_and_prefix() {
	ok skerry run -d --name one "$IMG" sleep 1000
	local id=$out
	ok skerry inspect "${id:0:5}"
	ok skerry inspect one
	expect 125 skerry run --name one "$IMG" true
	complaint '(one.*in use|in use.*one|already)'
	expect 125 skerry run --name 'bad name!' "$IMG" true
	ok skerry rm -f "${id:0:12}"
}

case_run_cidfile_or_create_start() {
	ok skerry create --name later "$IMG" sh -c 'echo ran; exit 3'
	same "$(status later)" created
	expect 3 skerry start -a later
	same "$out" ran
	same "$(status later)" exited
	same "$(field later 'd["State"]["ExitCode"]')" 3
	ok skerry rm later
}

# Arguments and variables that are not UTF-8: as docker, whose configurations are JSON, too.
case_run_not_utf8() {
	local bad=$'a\xff\xc3b\xc3\xa9\xe2\x82' want=$'a\xef\xbf\xbd\xef\xbf\xbdb\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd'
	run -e "X=$bad" -l "l=$bad" --name bytes "$IMG" sh -c 'printf "%s\n" "$1" "$X"' sh "$bad"
	same "$out" "$want"$'\n'"$want"
	ok skerry run -d --name bytes "$IMG" sleep 100
	ok skerry exec -e "X=$bad" bytes sh -c 'printf "%s\n" "$1" "$X"' sh "$bad"
	same "$out" "$want"$'\n'"$want"
	ok skerry rm -f bytes
	# A path is not changed.
	expect 125 skerry run --rm -v "$WORK/not$bad:/x" "$IMG" true
	has "$out$err" 'not valid UTF-8'
	[ ! -e "$WORK/not$bad" ] || fail 'it was made'
}
