# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Bad input and a bad world: one line that says what, on what, and what to do; state unchanged.

case_bad_words() {
	expect 1 skerry nosuchcommand
	has "$err" nosuchcommand
	expect 1 skerry run
	has "$err" 'at least 1 argument'
	expect 1 skerry run --rm
	expect 125 skerry run --memory
	expect 125 skerry run --network
	expect 1 skerry rm
	try skerry ps --nosuch
	[ "$rc" = 125 ] || [ "$rc" = 1 ] || fail "exit code $rc"
	complaint nosuch
	same "$(skerry ps -aq)" ''
}

# docker's commands that are not there say what to do instead.
# case: quick
case_bad_commands_of_docker() {
	local command
	for command in build builder buildx checkpoint compose config context login logout manifest network node \
		plugin push search secret service stack swarm trust 'image build'; do
		# shellcheck disable=SC2086 # "image build" is two words
		expect 1 skerry $command
		complaint "^skerry: there is no 'skerry $command': .{20}"
	done
	expect 1 skerry image nonsense
	complaint "^skerry: 'nonsense' is not a skerry command"
}

# Options of docker's that mean nothing to a VM are told; values that docker refuses are refused.
case_bad_options_without_effect() {
	local words
	ok skerry run --rm --cpuset-cpus 0 --memory-swappiness 10 --memory-swappiness 20 --runtime runc --isolation default --volume-driver local "$IMG" true
	same "$err" $'WARNING: --cpuset-cpus has no effect: the container has a VM of its own\nWARNING: --memory-swappiness has no effect: the container has a VM of its own'
	for words in '--memory-swappiness 200' '--runtime foo' '--isolation hyperv' '--volume-driver nfs' '-m 50m --memory-reservation 100m' '--cpu-shares -1' '-v /tmp:/x:ro,rw'; do
		# shellcheck disable=SC2086 # an option and its value
		expect 125 skerry run --rm $words "$IMG" true
		complaint "$(awk '{ print $NF }' <<<"$words" | tr -d -- -)|less than memory reservation"
	done
	ok skerry create --name c1 "$IMG" true
	ok skerry update --cpuset-cpus 0 c1
	same "$err" 'WARNING: --cpuset-cpus has no effect: the container has a VM of its own'
	# all of the container, /proc included, is not what was meant
	expect 1 skerry cp c1: "$WORK/all"
	complaint 'path cannot be empty'
	expect 1 skerry cp "$WORK" c1:
	complaint 'path cannot be empty'
	[ ! -e "$WORK/all" ] || fail 'something was copied'
}

# docker's exit codes: 64 where one value is printed, and a list's columns are known without a row.
case_bad_formats() {
	local command
	for command in "inspect $IMG" "image inspect $IMG" 'inspect nothing' 'volume inspect v' version info 'events --until 0s' doctor; do
		# shellcheck disable=SC2086 # a command and its words
		expect 64 skerry $command --format '{{.Id'
		same "$err" 'skerry: template parsing error: template: :1: unclosed action'
	done
	for command in ps 'ps -aq' images 'volume ls' 'stats --no-stream'; do
		# shellcheck disable=SC2086
		expect 1 skerry $command --format '{{.Nothing}}'
		complaint 'no entry for key "Nothing"'
		# shellcheck disable=SC2086
		expect 1 skerry $command --format 'table {{.Nothing'
		complaint 'unclosed action'
	done
	same "$(skerry ps -a --format '{{index (split .Ports ":") 1}}')" ''
	expect 1 skerry run -d -a stdout "$IMG" true
	same "$err" 'skerry: Conflicting options: -a and -d'
}

case_bad_missing_kernel() {
	expect 125 env SKERRY_GUEST_DIR="$WORK/nothere" skerry run --rm "$IMG" true
	has "$err" "nothere"
	same "$(skerry ps -aq)" ''
	mkdir half
	cp "$SKERRY_GUEST_DIR/$KERNEL" half/
	expect 125 env SKERRY_GUEST_DIR="$WORK/half" skerry run --rm "$IMG" true
	has "$err" 'initramfs'
}

# case: timeout=150
case_bad_kernel_that_does_not_boot() {
	mkdir guest
	cp "$SKERRY_GUEST_DIR/initramfs.cpio" guest/
	printf '#!/bin/sh\nexit 1\n' >"guest/$KERNEL"
	chmod 755 "guest/$KERNEL"
	expect 125 timeout 60 env SKERRY_GUEST_DIR="$WORK/guest" skerry run --rm "$IMG" true
	[ -n "$err" ] || fail 'no word about it'
	same "$(skerry ps -aq)" ''
	printf 'not an archive' >guest/initramfs.cpio
	cp "$SKERRY_GUEST_DIR/$KERNEL" guest/
	expect 125 timeout 100 env SKERRY_GUEST_DIR="$WORK/guest" skerry run --rm "$IMG" true
	[ -n "$err" ] || fail 'no word about it'
}

case_bad_missing_monitor() {
	expect 125 env SKERRY_MONITOR="$WORK/nomonitor" skerry run --rm "$IMG" true
	has "$err" nomonitor
	same "$(skerry ps -aq)" ''
}

# case: user-only
case_bad_unwritable_store() {
	mkdir -p ro
	chmod 555 ro
	expect 125 env SKERRY_ROOT="$WORK/ro/store" skerry run --rm "$IMG" true
	complaint 'ro(/store)?'
	expect 125 env SKERRY_ROOT="/proc/nothing" skerry run --rm "$IMG" true
}

case_bad_store_is_a_file() {
	echo x >file
	expect 125 env SKERRY_ROOT="$WORK/file" skerry run --rm "$IMG" true
	complaint file
}

case_bad_damaged_state() {
	ok skerry run --name a1 "$IMG" true
	ok skerry run --name b1 "$IMG" true
	local id
	id=$(field a1 'd["Id"]')
	echo '{' >"$SKERRY_ROOT/containers/$id/config.json"
	ok skerry ps -a --format '{{.Names}}'
	has "$out" b1 'the others are still to be seen'
	try skerry rm -f "$id"
	same "$rc" 0 'a damaged container can be removed'
}

case_bad_long_arguments() {
	local long
	long=$(printf 'x%.0s' {1..100000})
	run "$IMG" sh -c 'echo ${#1}' _ "$long"
	same "$out" 100000
	run -e BIG="$long" "$IMG" sh -c 'echo ${#BIG}'
	same "$out" 100000
	expect 125 skerry run --rm --name "$long" "$IMG" true
}

case_bad_store_path_long() {
	local deep=$WORK/a-directory-with-a-name-that-is-rather-long/and-another-one-below-it-that-is-no-shorter/and-a-third-so-that-it-is-enough
	mkdir -p "$deep"
	cp -r "$SKERRY_ROOT" "$deep/store"
	ok env SKERRY_ROOT="$deep/store" skerry run --rm "$IMG" echo works
	same "$out" works
}

case_bad_default_places() {
	# Without SKERRY_ROOT: below HOME and XDG_RUNTIME_DIR.
	[ "$E2E_WHO" = user ] || skip 'as root the default places are those of the machine'
	mkdir -p home run
	chmod 700 run
	mkdir -p home/.local/share
	cp -r "$SKERRY_ROOT" home/.local/share/skerry
	ok env -u SKERRY_ROOT HOME="$WORK/home" XDG_RUNTIME_DIR="$WORK/run" skerry run -d --name d1 "$IMG" sleep 100
	ok env -u SKERRY_ROOT HOME="$WORK/home" XDG_RUNTIME_DIR="$WORK/run" skerry rm -f d1
	same "$(find run -type s | wc -l)" 0
	mkdir -p data
	cp -r "$SKERRY_ROOT" data/skerry
	ok env -u SKERRY_ROOT HOME="$WORK/nohome" XDG_DATA_HOME="$WORK/data" XDG_RUNTIME_DIR="$WORK/run" skerry run --rm "$IMG" true
}

# A store on a file system of 64 MiB; the image does not fit, or the container fills it.
# case: root-only timeout=120
case_bad_disk_full() {
	mkdir small
	ok unshare -m bash -c '
		set -e
		mount -t tmpfs -o size=40m,mode=700 none small
		rc=0
		SKERRY_ROOT=$PWD/small skerry import '"$TAR"' big:1 2>e || rc=$?
		[ $rc = 1 ] || { echo "import: $rc"; exit 1; }
		grep -qi "space" e || { cat e; exit 1; }
		[ "$(wc -l <e)" -le 2 ]
		SKERRY_ROOT=$PWD/small skerry images -q | wc -l
		mkdir tiny; echo x >tiny/x; tar -C tiny -cf tiny.tar .
		SKERRY_ROOT=$PWD/small skerry import tiny.tar tiny:1'
	same "$(head -1 <<<"$out")" 0
}

case_bad_file_size_limit() {
	# ulimit -f is for what the caller's programs write: a container's disk is larger, and its monitor does not die of it.
	(
		ulimit -Sf 20000
		ok skerry run --name limited "$IMG" sh -c 'dd if=/dev/zero of=/root/f bs=1M count=60 2>/dev/null && sync && echo written'
		same "$out" written
	)
	# What the caller cannot exceed is an error with words.
	(
		ulimit -f 20000
		expect 125 skerry run --rm "$IMG" true
		has "$err" 'File too large'
	)
}

case_bad_disk_full_in_the_guest() {
	# The container's own disk is full: its program hears of it, nothing else does.
	ok skerry create --name small --storage-size 64m "$IMG" sh -c 'dd if=/dev/zero of=/root/f bs=1M count=200; echo "rc $?"; rm /root/f; echo again >/root/g && cat /root/g'
	ok skerry start -a small
	has "$err" 'No space left'
	same "$out" $'rc 1\nagain'
	ok skerry start -a small
	run "$IMG" true
}

# A store without any room: nothing is made, what is there can be looked at and removed.
# case: root-only
case_bad_store_full() {
	mkdir small
	ok unshare -m bash -c '
		mount -t tmpfs -o size=300m,mode=700 none small
		cp -r '"$SKERRY_ROOT"'/. small/
		export SKERRY_ROOT=$PWD/small
		skerry run -d --name alive '"$IMG"' sleep 1000 >/dev/null || exit 1
		skerry create --name old '"$IMG"' true >/dev/null || exit 1
		dd if=/dev/zero of=small/fill bs=4k 2>/dev/null
		rc=0
		timeout 60 skerry run --rm '"$IMG"' true 2>e || rc=$?
		[ $rc = 125 ] || { echo "run: $rc"; cat e; exit 1; }
		grep -qi "no space" e || { cat e; exit 1; }
		[ "$(wc -l <e)" -le 2 ] || { cat e; exit 1; }
		skerry ps -a --format "{{.Names}}" | sort | tr "\n" " "
		skerry exec alive echo works || exit 1
		skerry rm old || exit 1
		skerry rm -f alive || exit 1
		rm small/fill
		skerry run --rm '"$IMG"' echo again'
	has "$out" '^alive old works'
	has "$out" '^again$'
}
