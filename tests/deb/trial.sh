#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# trial.sh TAR: a new user's first hour, on a machine where nothing but the package is installed: everyday commands, each with the exit
# code, output and errors that docker users expect, none slower than a person waits. TAR: a root file system. Run by tests/deb/run in a
# clean Debian, as root and as a plain user after `su -`.
set -u
tar=$1
work=$(mktemp -d)
cd "$work" || exit 1
bad=0
n=0
busy=

surprise() {
	bad=1
	printf 'SURPRISE: %s\n' "$*"
	sed 's/^/    out: /' out | head -8
	sed 's/^/    err: /' err | head -8
}
# try CODE PATTERN-OF-OUTPUT PATTERN-OF-ERRORS COMMAND...: no pattern means no output, `-` any.
try() {
	want=$1 out_pattern=$2 err_pattern=$3
	shift 3
	n=$((n + 1))
	from=$(date +%s)
	timeout 60 "$@" >out 2>err </dev/null
	code=$?
	took=$(($(date +%s) - from))
	[ "$code" = "$want" ] || surprise "$*: exit code $code instead of $want"
	[ "$took" -le 15 ] || surprise "$*: took $took s"
	matches out "$out_pattern" || surprise "$*: output, not $out_pattern"
	matches err "$err_pattern" || surprise "$*: errors, not $err_pattern"
}
matches() {
	case $2 in
	'') [ ! -s "$1" ] ;;
	-) : ;;
	*) grep -qE -- "$2" "$1" ;;
	esac
}
# shellcheck disable=SC2317 # called by the trap
end() {
	[ -z "$busy" ] || kill "$busy"
	skerry rm -f web one two keeper >/dev/null 2>&1
	cd / && rm -rf "$work"
}
trap end EXIT

# The other processor has something else to do.
while :; do :; done &
busy=$!
taskset -p -c "$(($(nproc) - 1))" "$busy" >/dev/null 2>&1

[ -z "${XDG_RUNTIME_DIR:-}" ] || surprise 'XDG_RUNTIME_DIR is set'
try 0 'Usage' '' skerry --help
try 0 'ersion' '' skerry version
try 0 'Engine: ' '' skerry doctor
try 0 'Containers: 0' '' skerry info
try 0 '^REPOSITORY' '' skerry images
try 0 '^CONTAINER ID' '' skerry ps -a
try 125 '' 'nothing-there' skerry run --rm --pull never nothing-there
try 0 '^sha256:' '' skerry import --change 'CMD ["bash"]' "$tar" debian:trial
try 0 '^debian +trial ' '' skerry images
try 0 '^Linux' '' skerry run --rm debian:trial uname -sr
try 3 '' '' skerry run --rm debian:trial sh -c 'exit 3'
try 127 '' 'no-such-program' skerry run --rm debian:trial no-such-program
try 0 '^[0-9a-f]{64}$' '' skerry run -d --name web -p 127.0.0.1:18080:80 -v data:/data debian:trial sh -c 'echo ready; echo kept >/data/x; exec sleep 1000'
try 125 - 'already in use' skerry run -d --name web debian:trial true
try 0 '127.0.0.1:18080->80/tcp +web$' '' skerry ps
try 0 '^ready$' '' skerry logs web
try 0 '^root$' '' skerry exec web whoami
try 0 'sleep 1000' '' skerry top web
try 0 'web' '' skerry stats --no-stream web
try 0 '^true$' '' skerry inspect -f '{{.State.Running}}' web
echo hello >file
try 0 - - skerry cp file web:/tmp/file
try 0 '^hello$' '' skerry exec web cat /tmp/file
try 0 - - skerry cp web:/tmp/file back
cmp -s file back || surprise 'cp changed the file'
try 1 '' 'running' skerry rm web
try 0 '^web$' '' skerry stop -t 2 web
try 0 'Exited \(137\).* web$' '' skerry ps -a
try 0 '^web$' '' skerry start web
try 0 '^web$' '' skerry restart -t 1 web
try 0 '' '' skerry rename web one
try 0 '^one$' '' skerry rm -f one
try 0 '^kept$' '' skerry run --rm -v data:/data debian:trial cat /data/x
try 0 '^data$' '' skerry volume rm data
mkdir shared
try 0 '' '' skerry run --rm -v "$work/shared:/s" debian:trial sh -c 'echo from inside >/s/f; chmod 600 /s/f'
[ "$(cat shared/f)" = 'from inside' ] || surprise 'a file on a shared directory did not come out'
[ "$(stat -c %u shared/f)" = "$(id -u)" ] || surprise "the shared file belongs to $(stat -c %U shared/f)"
try 0 '^6$' '' sh -c 'echo 1 2 3 | skerry run --rm -i debian:trial sh -c "read a b c; echo \$((a + b + c))"'
try 0 '^nobody here$' '' skerry run --rm -e WHO=nobody debian:trial sh -c 'echo $WHO here'
try 1 '' "'rn' is not a skerry command" skerry rn
try 125 '' 'unknown flag: --nam' skerry run --nam x debian:trial
try 0 'Images' '' skerry system df
try 0 'No problem found' '' skerry system check
try 0 '' '' skerry tag debian:trial debian:two
try 0 'Untagged: debian:two' '' skerry rmi debian:two
try 0 'Total reclaimed space' '' skerry system prune -f
try 0 '^CONTAINER ID[^0-9]*$' '' skerry ps -a
try 0 'Deleted: sha256' '' skerry rmi debian:trial
[ "$bad" = 0 ] && printf 'trial: %s commands, nothing surprising\n' "$n"
exit "$bad"
