# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: Apache-2.0
# The guest kernel in the processes of its programs: "uml_isolation": "in-place", and "auto", which chooses it.

in_place() {
	[ "${SKERRY_ENGINE:-uml}" = uml ] || skip 'User-mode Linux only'
	command -v cc >/dev/null || skip 'no C compiler here'
	cc -O1 -static -o "$WORK/in-place" "$here/in-place.c" || skip 'no static C library here'
	local name
	for name in in-place separate auto; do
		printf '{ "engine": "uml", "uml_isolation": "%s" }\n' "$name" >"$WORK/$name.json"
	done
	cp "$WORK/in-place.json" "$WORK/settings.json"
	export SKERRY_CONFIG=$WORK/settings.json
}
is_in_place() { has "$(tr '\0' ' ' <"/proc/$(engine_pid "$1")/cmdline")" ' inplace '; }
is_separate() { hasnt "$(tr '\0' ' ' <"/proc/$(engine_pid "$1")/cmdline")" ' inplace '; }

# case: quick
case_in_place_runs() {
	in_place
	ok skerry run -d --name p1 "$IMG" sleep 1000
	is_in_place p1
	ok skerry exec p1 bash -c 'for i in $(seq 300); do /bin/true; done; ls / | wc -l'
	SKERRY_CONFIG=$WORK/separate.json ok skerry run -d --name p2 "$IMG" sleep 1000
	is_separate p2
	ok skerry rm -f p1 p2
}

# The clocks: without a system call in place, and right in every mode.
# case: quick
case_in_place_clocks() {
	in_place
	cc -O1 -static -o "$WORK/clocks" "$here/clocks.c" || skip 'no static C library here'
	run --privileged -v "$WORK/clocks:/c:ro" "$IMG" /c in-place
	same "$out" right
	[ "$(nproc)" -lt 2 ] || run --cpus 2 --privileged -v "$WORK/clocks:/c:ro" "$IMG" /c in-place
	same "$out" right
	export SKERRY_CONFIG=$WORK/separate.json
	run --privileged -v "$WORK/clocks:/c:ro" "$IMG" /c
	same "$out" right
}

# Nothing is said, or "auto": in place, if that can be.
# case: quick
case_in_place_default() {
	in_place
	SKERRY_CONFIG='' ok skerry run -d --name d1 "$IMG" sleep 1000
	is_in_place d1
	export SKERRY_CONFIG=$WORK/auto.json
	ok skerry run -d --name d2 "$IMG" sleep 1000
	is_in_place d2
	ok skerry run -d --name d3 --cpus 2 "$IMG" sleep 1000
	is_in_place d3
	ok skerry exec d3 nproc
	same "$out" 2
	ok without_dispatch skerry run -d --name d4 "$IMG" sleep 1000
	is_separate d4
	ok skerry rm -f d1 d2 d3 d4
}

# Programs on two processors, and what they do to each other's memory, signals and processes. Above all: what was taken
# from a thread is out of its reach, wherever it runs.
two_cpus() {
	local test
	in_place
	cc -O2 -pthread -static -o "$WORK/in-place-smp" "$here/in-place-smp.c"
	ok skerry run -d --name two --cpus 2 -v "$WORK/in-place-smp:/p:ro" "$IMG" sleep 10000
	ok skerry exec two nproc
	same "$out" 2
	for test in "$@"; do
		ok timeout 120 skerry exec two /p "$test"
		same "$out" "$test: ok"
	done
	ok skerry rm -f two
}

case_in_place_two_cpus() {
	two_cpus at-once munmap madvise mprotect fork-copy mappers wander futex patches
}

case_in_place_two_threads() {
	two_cpus sleep signals threads spawn
}

case_in_place_two_processes() {
	two_cpus forks kill many vmalloc
}

# Of several virtual processors each keeps its host threads on one processor of the host, or most of the time.
kept_in_place() {
	local engine=$1 process i
	for ((i = 0; i < 200; i++)); do
		for process in "$engine" $(pgrep -P "$engine"); do
			cat "/proc/$process/task/"*/status 2>/dev/null | grep -qxP 'Cpus_allowed_list:\t\d+' && return
		done
		sleep 0.1
	done
	return 1
}
case_in_place_places() {
	in_place
	[ "$(nproc)" -gt 1 ] || skip 'one processor here'
	ok skerry run -d --name place --cpus 2 "$IMG" bash -c 'while :; do (true); done'
	kept_in_place "$(engine_pid place)" || fail 'all threads may run anywhere'
	ok skerry rm -f place
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
	SKERRY_CONFIG=$WORK/separate.json run --user 1000 -v "$WORK/in-place:/p:ro" "$IMG" /p calls
	same "$out" 'no kernel here'
}

# An interrupt that comes together with a fault of the kernel's own in a patched system call.
# case: timeout=240
case_in_place_tables() {
	in_place
	expect 0 timeout "$(slow 200)" skerry run --rm --ulimit nofile=1000000:1000000 -v "$WORK/in-place:/p:ro" "$IMG" /p tables
	same "$out" '60 children, 0 wrong'
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

# CPUID is answered without the processor: answers.c says what a program may not notice of it.
answers() { # WORD…: options of `skerry run`
	local test want=$'any: patched\nzero: patched\nmoved: patched\nfile: right' lines=(answers 5 middle 5 signals 3 processes 8 trace 8)
	ok skerry run -d --name answers --cap-add SYS_PTRACE "$@" -v "$WORK/answers:/a:ro" "$IMG" sleep 10000
	ok timeout 120 skerry exec answers /a text
	same "$out" "$want"
	set -- "${lines[@]}"
	while [ $# -gt 0 ]; do
		ok timeout 120 skerry exec answers /a "$1"
		hasnt "$out" WRONG
		same "$1: $(grep -c . <<<"$out")" "$1: $2"
		[ "$1" != trace ] || has "$out" $'any: as it was\nzero: as it was\nmoved: as it was'
		shift 2
	done
	ok skerry rm -f answers
}

# case: timeout=240
case_in_place_answers() {
	in_place
	cc -O1 -static -pthread -o "$WORK/answers" "$here/answers.c" || skip 'no static C library here'
	answers
	[ "$(nproc)" -lt 2 ] || answers --cpus 2
}

# The dynamic linker's system calls are patched before it begins: dd reads the text of its own.
case_in_place_linker() {
	in_place
	cat >"$WORK/text.sh" <<'END'
at=$(grep -m1 'r-xp.*/ld-linux' /proc/self/maps) && at=${at%% *} || exit
dd if=/proc/self/mem bs=4096 skip=$((0x${at%-*} >> 12)) count=$(((0x${at#*-} - 0x${at%-*}) >> 12)) 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
END
	run -v "$WORK/text.sh:/text.sh:ro" "$IMG" bash /text.sh
	[ "$(grep -oE 'ff2425....6061' <<<"$out" | wc -l)" -ge 16 ] || fail 'they are not patched'
	SKERRY_CONFIG=$WORK/separate.json run -v "$WORK/text.sh:/text.sh:ro" "$IMG" bash /text.sh
	[ -n "$out" ] || fail 'there is no text'
	hasnt "$out" 'ff2425....6061'
}

# Odd states of the processor, calls by hand, large reservations, debuggers: as on this machine. What the host has and no
# guest, 32-bit system calls, ends the program that makes them, and nothing else.
# case: timeout=240
case_in_place_corners() {
	in_place
	cc -O1 -static -pthread -o "$WORK/corners" "$here/corners.c" || skip 'no static C library here'
	"$WORK/corners" >"$WORK/want"
	ok skerry run -d --name corners -m 1g --security-opt seccomp=unconfined -v "$WORK/corners:/c:ro" "$IMG" sleep 1000
	ok skerry exec corners timeout "$(slow 150)" /c
	same "$out" "$(cat "$WORK/want")"
	ok skerry exec corners /c old_calls sysenter old_calls_in_old_code
	same "$out" $'old_calls\nint 0x80: Segmentation fault\nint 0x80 write: Segmentation fault\nsysenter\na signal\nold_calls_in_old_code\n  ended by Segmentation fault'
	ok skerry exec corners echo alive
	same "$out" alive
	ok skerry rm -f corners
}

# A program that is linked to where the kernel is cannot be run, and says so; its neighbours in the address space can.
case_in_place_linked() {
	in_place
	printf 'int main(void) { return 3; }\n' >"$WORK/linked.c"
	local at
	for at in 60000000 60800000 5fff0000 5f000000 70000000 400000; do
		cc -O1 -static -no-pie "-Wl,-Ttext-segment=0x$at" -o "$WORK/at-$at" "$WORK/linked.c" || skip 'no static C library here'
	done
	run -v "$WORK:/w:ro" "$IMG" bash -c 'for at in 60000000 60800000 5fff0000 5f000000 70000000 400000; do /w/at-$at; echo "$at $?"; done 2>&1'
	same "$(grep -c 'Cannot allocate memory' <<<"$out")" 3
	same "$(grep -E '^[0-9a-f]+ [0-9]+$' <<<"$out")" $'60000000 126\n60800000 126\n5fff0000 126\n5f000000 3\n70000000 3\n400000 3'
}

# Runs a command on what looks like a host without syscall user dispatch.
without_dispatch() {
	python3 -c '
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
EINVAL, PRCTL, DISPATCH = 22, 157, 59
code = b"".join(struct.pack("HBBI", *i) for i in [
    (0x20, 0, 0, 0), (0x15, 0, 3, PRCTL), (0x20, 0, 0, 16), (0x15, 0, 1, DISPATCH), (6, 0, 0, 0x50000 | EINVAL), (6, 0, 0, 0x7fff0000)])
buffer = ctypes.create_string_buffer(code)
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, struct.pack("HxxxxxxQ", 6, ctypes.addressof(buffer))) != 0:
    sys.exit("no filter")
os.execvp(sys.argv[1], sys.argv[1:])' "$@"
}

# Where the host cannot do it, containers do not run, and both doctor and run say why and what to do.
# case: quick
case_in_place_refused() {
	in_place
	expect 0 skerry doctor
	has "$out" '^ok +uml_isolation: "in-place": '
	ok skerry info
	has "$out" '^ UML Isolation: in-place$'
	SKERRY_CONFIG=$WORK/separate.json ok skerry info
	has "$out" '^ UML Isolation: separate$'
	SKERRY_CONFIG='' ok skerry info
	has "$out" '^ UML Isolation: in-place \(auto\)$'
	SKERRY_CONFIG='' expect 0 skerry doctor
	has "$out" '^ok +uml_isolation: auto, "in-place": '
	expect 1 without_dispatch skerry doctor
	has "$out" '^bad +uml_isolation: "in-place" does not work on this host, which has no syscall user dispatch \(Linux 5\.11\).*say "auto"'
	has "$out" '^no +uml'
	local kvm
	kvm=$(grep -cE '^ok +kvm' <<<"$out") || true
	expect 125 without_dispatch skerry run --rm "$IMG" true
	complaint 'no syscall user dispatch \(Linux 5\.11\).*"uml_isolation": "auto"'
	# auto does not pass it over for a slower engine
	printf '{ "uml_isolation": "in-place" }\n' >"$WORK/settings.json"
	if [ "$kvm" = 0 ]; then
		SKERRY_ENGINE='' expect 125 without_dispatch skerry run --rm "$IMG" true
		complaint 'no syscall user dispatch \(Linux 5\.11\).*"uml_isolation": "auto"'
	fi
	SKERRY_CONFIG='' expect 0 without_dispatch skerry doctor
	has "$out" '^ok +uml_isolation: auto, "separate": "in-place" does not work on this host'
	SKERRY_CONFIG='' ok without_dispatch skerry info
	has "$out" '^ UML Isolation: separate \(auto: "in-place" does not work on this host, which has no syscall user dispatch'
	SKERRY_CONFIG='' ok without_dispatch skerry run --rm "$IMG" echo fine
	same "$out" fine
}

# A shell without a limit of its stack changes where the host maps memory; guests do not mind.
case_in_place_unlimited_stack() {
	in_place
	if ! (ulimit -s unlimited) 2>/dev/null; then skip 'the limit of the stack cannot be lifted'; fi
	ok bash -c "ulimit -s unlimited; skerry run --rm '$IMG' echo fine"
	same "$out" fine
}
