# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# A machine from init to rm, and docker's client beside it.

# case: timeout=180 quick
case_machine_life() {
	. "$SUITE/lib.sh"
	ok skerry machine init --memory 1024 --disk-size 20
	has "$out" 'Machine init complete'
	expect 125 skerry machine init
	complaint 'machine "default" already exists'
	ok skerry machine ls
	has "$out" '^NAME +VM TYPE +CREATED'
	has "$out" '^default\* .*Never +1 +1GiB +20GiB'
	ok skerry ps -a
	hasnt "$out" machine 'a machine is not listed'
	ok skerry machine inspect --format '{{.State}} {{.Memory}} {{.Socket}}'
	same "$out" "stopped 1073741824 $SKERRY_ROOT/run/default/docker.sock"
	ok skerry machine inspect --format '{{range .SharedPaths}}{{.Type}} {{.Destination}}{{"\n"}}{{end}}'
	same "$out" "bind $HOME"
	expect 125 skerry machine ssh true
	complaint 'machine "default" is not running'
	ok skerry machine start
	has "$out" 'Machine "default" started successfully'
	expect 125 skerry machine start
	complaint 'unable to start "default": already running'
	make_box
	ok d version
	has "$out" 'Server:'
	ok d info --format '{{.Driver}} {{.CgroupVersion}} {{json .Labels}}'
	has "$out" '^overlay2 2 .*skerry.mode=shared'
	ok d info
	has "$out" 'Native Overlay Diff: true'
	has "$out" '^ runc version: [0-9.]+$' # of the default runtime

	# docker's words, exit codes and streams
	ok d run --rm box busybox echo hello
	same "$out" hello
	expect 7 d run --rm box sh -c 'exit 7'
	expect 127 d run --rm box no-such-program
	ok d run --rm box sh -c 'echo to-stderr >&2'
	has "$err" to-stderr
	out=$(printf 'one\ntwo\n' | d run --rm -i box busybox wc -l) || fail 'stdin'
	same "$(tr -d ' ' <<<"$out")" 2
	ok d run -d --name one box busybox sleep 1000
	ok d exec one busybox hostname
	ok d stop -t 1 one
	ok d logs one
	expect 1 skerry inspect one

	# A second process on the host sees it, ssh and cp lead in.
	ok skerry machine ssh 'echo $((6 * 7)); id -u'
	same "$out" $'42\n0'
	expect 3 skerry machine ssh default exit 3
	echo copied >"$WORK/file"
	ok skerry machine cp "$WORK/file" default:/var/lib/docker/file
	ok skerry machine cp default:/var/lib/docker/file "$WORK/back"
	same "$(cat "$WORK/back")" copied
	ok skerry machine logs --tail 5
	[ -n "$out$err" ] || fail 'the engine has said nothing'
	expect 125 skerry machine rm
	complaint 'it is running'

	# What the engine keeps outlives its machine.
	ok skerry machine stop
	has "$out" 'Machine "default" stopped successfully'
	[ ! -e "$SKERRY_ROOT/run/default/docker.sock" ] || fail 'the socket is left'
	ok skerry machine rm --force --keep-data
	ok skerry machine ls -q
	same "$out" ''
	ok skerry machine init --memory 1024 --disk-size 30 --now
	has "$err" 'data disk that is there'
	ok d images --format '{{.Repository}}'
	same "$out" box
	ok skerry machine ssh df -k /var/lib/docker
	[ "$(awk 'END { print ($2 > 25000000) }' <<<"$out")" = 1 ] || fail "the disk has not grown: $out"
	expect 125 skerry machine set --disk-size 10
	expect 1 skerry rmi "$(skerry images -q skerry/engine | head -1)"
	has "$err" 'is using'
	ok skerry machine rm --force
	[ ! -e "$SKERRY_ROOT/machines/default" ] || fail 'the data disk is left'
}

# Layers are unpacked by one process without threads; an archive of several parts is read whole, and one that is cut or damaged is an error.
# case: timeout=180
case_machine_unpack() {
	. "$SUITE/lib.sh"
	start_machine --memory 512m
	ok skerry machine ssh readlink -f /usr/bin/unpigz
	same "$out" /usr/bin/igzip
	head -c 1000000 "$WORK/box.tar" | gzip -1 >"$WORK/parts.tar.gz"
	tail -c +1000001 "$WORK/box.tar" | gzip -9 >>"$WORK/parts.tar.gz"
	ok d import --change 'ENV PATH=/bin' "$WORK/parts.tar.gz" parts
	same "$(d run --rm parts busybox sha256sum /bin/busybox | cut -d' ' -f1)" "$(sha256sum <"$WORK/box/bin/busybox" | cut -d' ' -f1)"
	ok d build -q -t added - <<<$'FROM parts\nRUN true'
	head -c -100000 "$WORK/parts.tar.gz" >"$WORK/cut.tar.gz"
	expect 1 d import "$WORK/cut.tar.gz" cut
	(head -c 500000 "$WORK/parts.tar.gz" && head -c 100 /dev/zero && tail -c +500101 "$WORK/parts.tar.gz") >"$WORK/damaged.tar.gz"
	expect 1 d import "$WORK/damaged.tar.gz" damaged
	ok d images -q cut
	same "$out" ''
}

# Who starts a machine that somebody else starts, stops or removes.
# case: timeout=240
case_machine_starts() {
	. "$SUITE/lib.sh"
	local pids codes i code
	ok skerry machine init --memory 512
	for i in 1 2; do
		skerry machine start >"$WORK/out$i" 2>"$WORK/err$i" &
		pids[i]=$!
	done
	for i in 1 2; do
		codes[i]=0
		wait "${pids[i]}" || codes[i]=$?
	done
	same "$((codes[1] + codes[2]))" 125 'one of two starts'
	has "$(cat "$WORK"/err[12])" 'unable to start "default": (somebody else is starting it|already running)$'
	hasnt "$(cat "$WORK"/err[12])" 'container|log'
	ok d version
	ok skerry machine stop
	# stopped, and removed, while it starts
	for i in stop 'rm -f'; do
		skerry machine start -q >"$WORK/out1" 2>"$WORK/err1" &
		until_ok 20 eval '[ "$(skerry machine inspect --format "{{.State}}")" = running ]'
		# shellcheck disable=SC2086
		ok skerry machine $i
		code=0
		wait $! || code=$?
		same "$code" 125
		has "$(cat "$WORK/err1")" '^skerry: unable to start "default": it was (stopped|removed) while it started$'
		same "$(wc -l <"$WORK/err1")" 1
	done
	ok skerry machine ls -q
	same "$out" ''
}

# case: timeout=180
case_machine_several() {
	. "$SUITE/lib.sh"
	ok skerry machine init --memory 512 --now
	ok skerry machine init --memory 512 other
	ok skerry machine start -q other
	ok skerry machine ls --format '{{.Name}} {{.Running}}'
	same "$out" $'default true\nother true'
	same "$(docker_of other info --format '{{.Name}}')" other
	same "$(d info --format '{{.Name}}')" default
	ok skerry machine default other
	ok skerry machine inspect --format '{{.Name}}'
	same "$out" other
	ok skerry machine stop
	ok skerry machine ls --format '{{.Name}} {{.Running}}'
	same "$out" $'default true\nother false'
	# docker's context leads to it
	if docker context inspect skerry >/dev/null 2>&1; then
		ok docker --context skerry info --format '{{.Name}}'
		same "$out" default
	else
		fail "there is no context: $(docker context ls)"
	fi
	# nor does a choice of it by the user stand in the way, before it is there or when it goes
	ok docker context use skerry
	ok skerry machine reset --force
	! docker --context default context inspect skerry >/dev/null 2>&1 || fail 'the context is left'
	ok docker context ls --format '{{.Name}}'
	# Debian's client, if it is there: older ones want the chosen context to exist.
	[ ! -x /usr/bin/docker ] || export PATH=$E2E_STAGE/bin:/usr/bin:/bin
	ok env DOCKER_CONTEXT=skerry skerry machine init --memory 512
	hasnt "$err" WARNING 'the context could not be made'
	ok docker --context skerry context inspect --format '{{.Endpoints.docker.Host}}'
	same "$out" "unix://$SKERRY_ROOT/run/default/docker.sock"
	ok env DOCKER_CONTEXT=elsewhere skerry machine rm --force
	! docker context inspect skerry >/dev/null 2>&1 || fail 'the context is left'
}

# case: timeout=120
case_machine_settings() {
	. "$SUITE/lib.sh"
	ok skerry machine init --cpus 2 --memory 700m --daemon-config <(echo '{"labels": ["own=1"]}')
	ok skerry machine inspect --format '{{.CPUs}} {{.Memory}}'
	same "$out" '2 734003200'
	ok skerry machine set --cpus 1 --mount "$WORK:/shared:ro"
	mkdir -p "$HOME"
	echo here >"$WORK/seen"
	ok env HTTPS_PROXY=http://proxy.example:3128 skerry machine start -q
	ok d info --format '{{json .Labels}} {{.HTTPSProxy}} {{.NCPU}}'
	has "$out" 'own=1.*http://proxy.example:3128 1$'
	ok skerry machine ssh cat /shared/seen
	same "$out" here
	expect 1 skerry machine ssh touch /shared/new
	ok skerry machine set --memory 600
	has "$err" 'takes effect at its next start'
	ok skerry machine restart -q
	ok skerry machine ssh "awk '/MemTotal/ { print (\$2 < 640000) }' /proc/meminfo"
	same "$out" 1
}
