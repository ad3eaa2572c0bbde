# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The terminal.

case_tty_is_one() {
	ok pty --size 30x100 --exit 0 -- skerry run --rm -it "$IMG" sh -c 'tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three'
	has "$out" '/dev/pts/0|/dev/console'
	has "$out" '30 100'
	has "$out" 'three'
	has "$out" $'\r' 'the terminal turns newlines'
}

# case: quick
case_tty_resize() {
	ok pty --size 24x80 --expect ready --size 44x111 --expect 'size 44 111' --exit 0 -- \
		skerry run --rm -it "$IMG" bash -c 'trap "echo size \$(stty size); exit 0" WINCH; echo ready; while :; do sleep 0.05; done'
}

case_tty_ctrl_c() {
	ok pty --expect ready --raw --send '\x03' --expect 'caught' --exit 9 -- \
		skerry run --rm -it "$IMG" bash -c 'trap "echo caught; exit 9" INT; echo ready; while :; do sleep 0.05; done'
}

case_tty_shell_session() {
	ok pty --expect '[#$] ' --send 'echo $((6*7))\r' --expect '42' --send 'exit 5\r' --exit 5 -- skerry run --rm -it "$IMG" bash
}

case_tty_is_restored() {
	ok pty --expect ready --raw --send 'x\r' --expect over --cooked --send '\r' --exit 0 -- \
		bash -c "skerry run --rm -it $IMG sh -c 'echo ready; read a; exit 0'; echo over; read b"
}

# case: quick
case_tty_detach_and_attach() {
	ok pty --expect ready --send 'one\r' --expect 'got one' --send '\x10\x11' --exit 0 -- \
		skerry run -it --name term "$IMG" bash -c 'echo ready; while read -r l; do [ "$l" = end ] && exit 6; echo "got $l"; done'
	same "$(status term)" running 'after the detach'
	ok pty --send 'two\r' --expect 'got two' --send 'end\r' --exit 6 -- skerry attach term
	same "$(status term)" exited
}

case_tty_detach_keys_own() {
	ok pty --expect ready --send '\x01' --exit 0 -- skerry run -it --name term --detach-keys ctrl-a "$IMG" bash -c 'echo ready; read l'
	same "$(status term)" running
	# keys that are none: nothing is started
	expect 1 skerry attach --no-stdin --detach-keys abc term
	complaint 'invalid detach keys \(abc\)'
	ok skerry create --name later "$IMG" true
	expect 1 skerry start -a --detach-keys a,,b later
	complaint 'invalid detach keys'
	same "$(status later)" created
}

case_tty_output_at_exit_is_whole() {
	local i
	for i in 1 2 3 4 5; do
		ok pty --exit 0 -- skerry run --rm -it "$IMG" bash -c 'for i in {1..3000}; do echo "line $i of many"; done; echo the last word'
		has "$out" 'line 3000 of many' "round $i"
		has "$out" 'the last word' "round $i"
	done
}

case_tty_needs_one() {
	try skerry run --rm -it "$IMG" true </dev/null
	[ "$rc" != 0 ] || fail '-it without a terminal on stdin'
	has "$err" 'TTY|tty|terminal'
	# -t alone is fine without one.
	ok skerry run --rm -t "$IMG" sh -c 'test -t 1 && echo yes'
	has "$out" yes
}

case_tty_hangup_does_not_hang() {
	ok pty --expect ready --hangup -- skerry run --rm -it --name gone "$IMG" bash -c 'echo ready; sleep 1000'
	until_ok 20 bash -c '[ -z "$(skerry ps -q)" ]'
}

case_tty_exec() {
	ok skerry run -d --name box "$IMG" sleep 1000
	ok pty --size 33x77 --expect '[#$] ' --send 'stty size; tty\r' --expect '33 77' --send 'exit 4\r' --exit 4 -- skerry exec -it box bash
	ok pty --expect '[#$] ' --send 'sleep 100\r' --sleep 0.5 --send '\x03' --expect '[#$] ' --send 'exit\r' --exit 130 -- skerry exec -it box bash
}
