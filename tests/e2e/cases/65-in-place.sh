# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# The guest kernel in the processes of its programs: "uml_isolation": "in-place".

in_place() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'User-mode Linux only'
	command -v cc >/dev/null || skip 'no C compiler here'
	cc -O1 -static -o "$WORK/in-place" "$here/in-place.c" || skip 'no static C library here'
	printf '{ "engine": "uml", "uml_isolation": "in-place" }\n' >"$WORK/settings.json"
	export SKERRY_CONFIG=$WORK/settings.json
}

# case: quick
case_in_place_runs() {
	in_place
	ok skerry run -d --name p1 "$IMG" sleep 1000
	has "$(tr '\0' ' ' <"/proc/$(engine_pid p1)/cmdline")" ' inplace '
	ok skerry exec p1 bash -c 'for i in $(seq 300); do /bin/true; done; ls / | wc -l'
	SKERRY_CONFIG='' ok skerry run -d --name p2 "$IMG" sleep 1000
	hasnt "$(tr '\0' ' ' <"/proc/$(engine_pid p2)/cmdline")" ' inplace '
	expect 125 skerry run --rm --cpus 2 "$IMG" true
	has "$err" 'a guest has one processor, not 2'
	ok skerry rm -f p1 p2
}

# The kernel's place looks like a part of the address space that is taken.
case_in_place_address() {
	in_place
	run -v "$WORK/in-place:/p:ro" "$IMG" /p place
	same "$out" $'fixed: ENOMEM\nend in it: ENOMEM\nbelow: mapped\nhint: elsewhere\nmoved: ENOMEM\nmunmap: 0'
}

# Whoever writes over the guest kernel's memory ends its own VM, and nothing else.
case_in_place_scribble() {
	in_place
	ok skerry run -d --name other "$IMG" sleep 1000
	try timeout 60 skerry run --rm -v "$WORK/in-place:/p:ro" "$IMG" /p scribble
	case $rc in 0 | 124) fail "the VM goes on: $rc" ;; esac
	ok skerry exec other true
	run "$IMG" echo fine
	same "$out" fine
	ok skerry rm -f other
}

# Programs reach the system calls that the sandbox leaves their kernel, and no other.
case_in_place_calls() {
	in_place
	run --user 1000 -v "$WORK/in-place:/p:ro" "$IMG" /p calls
	has "$out" 'getpid: a process of the host'
	[ "$(grep -c ': refused$' <<<"$out")" = 18 ] || fail 'not all are refused'
	hasnt "$out" ALLOWED
	SKERRY_CONFIG='' run --user 1000 -v "$WORK/in-place:/p:ro" "$IMG" /p calls
	same "$out" 'no kernel here'
}

# System call instructions that are met often are patched: patched.c says what a program may not notice of it.
patched() { # NAME LINES: `patched NAME` in a guest prints that many lines, and finds nothing wrong
	cc -O1 -static -pthread -o "$WORK/patched" "$here/patched.c" || skip 'no static C library here'
	expect 0 timeout 120 skerry run --rm --user 1000 -v "$WORK/patched:/p:ro" "$IMG" /p "$1"
	hasnt "$out" WRONG
	same "$(grep -c . <<<"$out")" "$2"
}

# case: timeout=240
case_in_place_patched_text() {
	in_place
	patched text 4
	same "$out" $'number: patched\ntest: patched\nfile: right\ncalls: right'
	patched middle 5
	patched clocks 1
}

# case: timeout=240
case_in_place_patched_signals() {
	in_place
	patched signals 5
	patched registers 5
}

# case: timeout=240
case_in_place_patched_processes() {
	in_place
	patched processes 9
	patched trace 4
	patched filter 4
}

# case: timeout=240
case_in_place_patched_code() {
	in_place
	patched code 9
	patched interrupt 1
}
