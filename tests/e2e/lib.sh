# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The words that end-to-end cases are written in. Sourced by case.py, which runs `e2e_main case_NAME` in a store of its own.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# shellcheck disable=SC2034 # for the cases
{
	IMG=$IMAGE
	TAR=$E2E_STAGE/debian.tar
	# the kernel of the engine that runs the guests
	KERNEL=linux-uml
	case ${SKERRY_ENGINE:-} in kvm | tcg) KERNEL=vmlinux-x86_64.gz ;; esac
}
out=
err=
rc=0
e2e_servers=()

# --- saying what is wrong -----------------------------------------------------------------------------------------------------

fail() {
	printf 'FAILED: %s\n' "$*"
	printf '  at %s:%s\n' "${BASH_SOURCE[1]##*/}" "${BASH_LINENO[0]}" "${BASH_SOURCE[2]##*/}" "${BASH_LINENO[1]}"
	if [ -n "$out$err" ]; then
		printf '  last output:\n%s\n  last errors:\n%s\n' "${out:0:2000}" "${err:0:2000}"
	fi
	exit 1
}
skip() {
	printf '%s\n' "$*"
	exit 77
}

# --- running ------------------------------------------------------------------------------------------------------------------

# Runs a command and keeps $out, $err and $rc. Standard input is passed on.
try() {
	local o e
	o=$(mktemp -p "$WORK" out.XXXXXX)
	e=$(mktemp -p "$WORK" err.XXXXXX)
	rc=0
	local words=$*
	printf '+ %s\n' "${words:0:400}"
	"$@" >"$o" 2>"$e" || rc=$?
	# A NUL byte in an output is not for a variable.
	out=$(tr -d '\0' <"$o")
	err=$(tr -d '\0' <"$e")
	rm -f "$o" "$e"
}
# expect RC COMMAND...: runs it and checks the exit code.
expect() {
	local want=$1
	shift
	try "$@"
	[ "$rc" = "$want" ] || fail "exit code $rc instead of $want: $*"
}
# ok COMMAND...: exit code 0.
ok() { expect 0 "$@"; }
# run ARG...: a foreground container that is removed, exit code 0.
run() { expect 0 skerry run --rm "$@"; }

# settings MEMBERS: the case's own configuration, which also says what the run says for all cases (./run --isolation). The file is $WORK/settings.json.
settings() {
	printf '{ %s%s }\n' "$1" "${SKERRY_TEST_ISOLATION:+, \"uml_isolation\": \"$SKERRY_TEST_ISOLATION\"}" >"$WORK/settings.json"
}

same() { [ "$1" = "$2" ] || fail "${3:-}: \`$1' instead of \`$2'"; }
# has TEXT REGEX [WHAT]
has() { grep -qE -- "$2" <<<"$1" || fail "${3:-text} has no match of /$2/: \`${1:0:1500}'"; }
hasnt() { ! grep -qE -- "$2" <<<"$1" || fail "${3:-text} matches /$2/: \`${1:0:1500}'"; }
# A complaint to the user: one line, and it names the thing.
complaint() {
	[ "$(grep -c . <<<"$err")" -le 2 ] || fail "the error is more than a line: $err"
	has "$err" "$1" 'the error'
}
# slow SECONDS: what takes that long on an emulated processor (as ./run's SLOW).
slow() { if [ "${SKERRY_ENGINE:-}" = tcg ]; then echo $(($1 * 4)); else echo "$1"; fi; }
# until_ok SECONDS COMMAND...: tries until it succeeds.
until_ok() {
	local end=$((SECONDS + $(slow "$1")))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -le "$end" ] || fail "not so in time: $*"
		sleep 0.1
	done
}

# --- asking -------------------------------------------------------------------------------------------------------------------

# field NAME PYTHON-EXPRESSION over d, the container as inspect shows it.
field() {
	skerry inspect "$1" | python3 -c '
import json, sys
d = json.load(sys.stdin)[0]
v = eval(sys.argv[1])
print(json.dumps(v) if isinstance(v, (dict, list)) else str(v).lower() if isinstance(v, (bool, type(None))) else v)' "$2"
}
status() { field "$1" 'd["State"]["Status"]'; }
is_status() { [ "$(status "$1")" = "$2" ]; }
# json_of TEXT PYTHON-EXPRESSION over d.
json_of() {
	python3 -c 'import json, sys; d = json.loads(sys.argv[1]); print(eval(sys.argv[2]))' "$1" "$2"
}
monitor_pid() { field "$1" 'd["State"]["Pid"]'; }
# The engine: the process below the monitor that runs the guest kernel.
engine_pid() {
	local pid
	pid=$(monitor_pid "$1")
	python3 - "$pid" <<'END'
import os, sys
todo, found = [int(sys.argv[1])], []
while todo:
    pid = todo.pop(0)
    try:
        name = open(f"/proc/{pid}/comm").read()
        line = open(f"/proc/{pid}/cmdline").read()
        kids = [int(k) for t in os.listdir(f"/proc/{pid}/task") for k in open(f"/proc/{pid}/task/{t}/children").read().split()]
    except OSError:
        continue
    if pid != int(sys.argv[1]) and ("linux" in line or "linux" in name or "uml" in name or "qemu" in line):
        print(pid)
        sys.exit(0)
    todo += kids
sys.exit(1)
END
}
# child_pid CONTAINER NAME: a process of that name right below the monitor.
child_pid() {
	local pid
	while read -r pid; do
		[ "$(cat "/proc/$pid/comm")" != "$2" ] || echo "$pid"
	done < <(cat /proc/"$(monitor_pid "$1")"/task/*/children | tr ' ' '\n' | grep .)
}
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status"; }

# --- helpers on the host ------------------------------------------------------------------------------------------------------

pty() { python3 "$here/pty_run.py" "$@"; }
free_port() { python3 "$here/net.py" free-port "${1:-tcp}"; }
# serve KIND: starts a server on loopback, its port in $port.
# shellcheck disable=SC2034 # for the cases
port=
serve() {
	local file
	file=$(mktemp -p "$WORK" port.XXXXXX)
	python3 "$here/net.py" "$1" "$file" "${@:2}" &
	e2e_servers+=($!)
	until_ok 10 test -s "$file"
	# shellcheck disable=SC2034
	port=$(cat "$file")
}
client() { python3 "$here/net.py" "$@"; }

# --- the frame ----------------------------------------------------------------------------------------------------------------

e2e_clean() {
	local ids
	[ -z "$(skerry machine ls -q)" ] || skerry machine reset --force
	ids=$(skerry ps -aq --no-trunc)
	[ -z "$ids" ] || xargs -n 20 skerry rm -f <<<"$ids"
}
e2e_end() {
	local code=$? pid
	for pid in "${e2e_servers[@]}" $(jobs -p); do
		kill "$pid" 2>/dev/null || true
	done
	return "$code"
}
e2e_main() {
	trap e2e_end EXIT
	"$1"
}

# programs NAME...: programs of this machine with their libraries in $WORK/host, run as /h/NAME in a container with -v $WORK/host:/h
programs() {
	local program file
	mkdir -p "$WORK/host/lib"
	for program; do
		file=$(command -v "$program") || skip "this machine has no $program"
		cp -L "$file" "$WORK/host/lib/$program"
		ldd "$file" | grep -oE '/[^ )]+' | while read -r file; do cp -L "$file" "$WORK/host/lib"; done
		printf '#!/bin/sh\nexec /h/lib/ld-linux-x86-64.so.2 --library-path /h/lib /h/lib/%s "$@"\n' "$program" >"$WORK/host/$program"
		chmod +x "$WORK/host/$program"
	done
}
