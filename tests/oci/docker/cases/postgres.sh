# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034 # variables set by ../run; code in quotes is run by p
#
# PostgreSQL on a directory of the host and on a volume: started, loaded, its container killed with -9, started again, and everything that was acknowledged
# has to be there: the cycle of tests/mounts (whose scripts these are), under docker.

# pg WORDS…: tests/mounts/postgres.sh in the container.
pg() { timeout "$(slow 300)" docker exec "$me" bash /suite/postgres.sh "$@"; }
pg_up() { up "$me" "$@" -v "$SKERRY_TEST_TOP/tests/mounts:/suite:ro" -m 1g --shm-size 128m database bash /suite/postgres.sh serve; }
pg_ready() {
	until_true 240 "[ \$(docker inspect -f {{.State.Running}} $me) = false ] || pg ready"
	pg ready || docker logs --tail 30 "$me"
}
# Loads it for SECONDS after the first row was acknowledged, then kills -9 what docker calls the container's process: with skerry the whole VM.
pg_load_and_kill() {
	local loader
	pg load >"$tmp/acked" 2>"$tmp/load.err" &
	loader=$!
	until_true 120 "[ -s $tmp/acked ]"
	sleep "$1"
	kill -0 "$loader" || cat "$tmp/load.err"
	kill -9 "$(show "$me" '{{.State.Pid}}')"
	wait "$loader"
	[ "$(pg_acked)" -gt 0 ] && echo loaded
}
# The last one that is whole: the end may have cut a line.
pg_acked() { sed -n 's/^acked \([0-9][0-9]*\) *$/\1/p' "$tmp/acked" | tail -n 1; }

# pg_cycle SECONDS VOLUME: points of all of it.
pg_cycle() {
	local seconds=$1 data=$2
	p start 'pg_up -v $data:/data && pg_ready && pg ready && x $me stat -c "%U %a" /data/pg' 'postgres 700'
	p sql 'pg sql' 'exit 0$'
	p bench 'pg bench 3 2>/dev/null | grep -c -E "^number of transactions actually processed: [1-9]"' '^1'
	p load 'pg_load_and_kill $seconds; ended $me 60; show $me "{{.State.Status}} {{.State.ExitCode}}"' 'loaded.*exited 137'
	p again 'docker start $me >/dev/null && pg_ready && pg ready && pg check "$(pg_acked)"' 'exit 0$'
	p backend-killed 'pg kill; pg_ready; pg ready && pg check "$(pg_acked)"' 'exit 0$'
	p stop 'docker stop -t 60 $me >/dev/null; show $me "{{.State.Status}} {{.State.ExitCode}}"; docker rm $me >/dev/null' 'exited 0'
	# Another container on the same data, of the other runtime.
	p other-runtime 'mine=$runtime; [ "$mine" = runc ] && runtime=skerry || runtime=runc; pg_up -v $data:/data && pg_ready && pg ready && pg check "$(pg_acked)"; rc=$?; docker stop -t 60 $me >/dev/null; docker rm $me >/dev/null; runtime=$mine; (exit $rc)' 'exit 0$'
}
case_postgres() {
	[ -n "${SKERRY_DATABASE_IMAGE:-}" ] || {
		skip_point all "no image with PostgreSQL could be made"
		return
	}
	mkdir -p "$tmp/data"
	pg_cycle 5 "$tmp/data"
}

# A container that holds every stream to the host that its guest can have: exec still gets in.
case_streams() {
	[ -n "${SKERRY_DATABASE_IMAGE:-}" ] || {
		skip_point all "no image with Python could be made"
		return
	}
	[ "$runtime" = skerry ] || {
		p exec 'echo held; echo in'
		return
	}
	up "$me" --security-opt seccomp=unconfined --ulimit nofile=4096:4096 database python3 -c '
import socket, time
held = []
for port in 1025, 1025, 1024, 1026, 1027:
    for i in range(1100):
        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        s.settimeout(2)
        try:
            s.connect((2, port))
        except OSError:
            s.close()
            break
        held.append(s)
print("held" if len(held) >= 64 else "only %d" % len(held), flush=True)
while True:
    time.sleep(1)'
	p exec 'until_true 60 "docker logs $me | grep -q ."; docker logs $me; x $me echo in' 'held.*in'
}
