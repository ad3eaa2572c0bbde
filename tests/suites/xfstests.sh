# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# xfstests: the generic tests of its quick group. See tests/suites/run: `kind` says for what it is, `packages` prints what
# the image needs, `build` builds in the current directory, `run` tests and prints a line for each test.
#
# native: two loop devices with ext4, of files in the current directory. share: the current directory and /scratch, which
# are shares, as file systems of type 9p. All shares of a VM come from one device, "shares", and are told apart by their
# aname; the suite wants a device for each. So mount, umount, findmnt and df are scripts of ours while it runs, for which
# skerry-test and skerry-scratch are devices.

commands() {
	mkdir -p "$1"
	cat >"$1/devices" <<-'END'
		# The mount's aname for a device's name, and back.
		aname() { case $1 in skerry-test) cat /run/suite-test ;; skerry-scratch) cat /run/suite-scratch ;; *) return 1 ;; esac; }
		rename() { sed -E "s#^shares( .* 9p .*aname=$(cat /run/suite-test),)#skerry-test\1#; s#^shares( .* 9p .*aname=$(cat /run/suite-scratch),)#skerry-scratch\1#"; }
		mounts() { rename </proc/self/mounts; }
		options=$(cat /run/suite-options)
	END
	cat >"$1/mount" <<-'END'
		#!/usr/bin/env bash
		. "${0%/*}/devices"
		[ $# -gt 0 ] || { mounts | awk '{ print $1 " on " $2 " type " $3 " (" $4 ")" }'; exit; }
		arguments=() name= more= type=
		while [ $# -gt 0 ]; do
			case $1 in
			-o) more+=,$2 ; shift ;;
			-o*) more+=,${1#-o} ;;
			-t) type=$2 ; shift ;;
			skerry-*) name=$1 ;;
			*) arguments+=("$1") ;;
			esac
			shift
		done
		more=${more#,}
		if [ -z "$name" ]; then
			exec /usr/bin/mount ${type:+-t "$type"} ${more:+-o "$more"} "${arguments[@]}"
		elif [[ ,$more, == *,remount,* ]]; then
			[ ${#arguments[@]} -gt 0 ] || arguments=("$(mounts | awk -v d="$name" '$1 == d { print $2 }' | tail -1)")
			exec /usr/bin/mount -o "$more" "${arguments[@]}"
		fi
		exec /usr/bin/mount -t 9p -o "${options},aname=$(aname "$name")${more:+,$more}" shares "${arguments[@]}"
	END
	cat >"$1/umount" <<-'END'
		#!/usr/bin/env bash
		. "${0%/*}/devices"
		arguments=()
		for word; do
			if [[ $word == skerry-* ]]; then
				at=$(mounts | awk -v d="$word" '$1 == d { print $2 }' | tail -1)
				[ -n "$at" ] || { echo "umount: $word: not mounted." >&2; exit 32; }
				word=$at
			fi
			arguments+=("$word")
		done
		exec /usr/bin/umount "${arguments[@]}"
	END
	cat >"$1/findmnt" <<-'END'
		#!/usr/bin/env bash
		. "${0%/*}/devices"
		mounts >/tmp/mounts.$$
		/usr/bin/findmnt --tab-file /tmp/mounts.$$ "$@"
		rc=$?
		rm -f /tmp/mounts.$$
		exit $rc
	END
	cat >"$1/df" <<-'END'
		#!/usr/bin/env bash
		. "${0%/*}/devices"
		arguments=()
		for word; do
			[[ $word != skerry-* ]] || word=$(mounts | awk -v d="$word" '$1 == d { print $2 }' | tail -1)
			[ -z "$word" ] || arguments+=("$word")
		done
		test=$(mounts | awk '$1 == "skerry-test" { print $2 }' | tail -1) scratch=$(mounts | awk '$1 == "skerry-scratch" { print $2 }' | tail -1)
		/usr/bin/df -a "${arguments[@]}" | awk -v t="$test" -v s="$scratch" '
			t && $NF == t { sub(/^shares/, "skerry-test") }
			s && $NF == s { sub(/^shares/, "skerry-scratch") }
			{ print }'
		exit "${PIPESTATUS[0]}"
	END
	chmod 755 "$1"/*
}

on_share() {
	commands /run/suite-bin
	awk -v d="$PWD" '$2 == d { print $4 }' /proc/mounts | grep -o 'aname=[^,]*' | cut -d = -f 2 >/run/suite-test
	awk '$2 == "/scratch" { print $4 }' /proc/mounts | grep -o 'aname=[^,]*' | cut -d = -f 2 >/run/suite-scratch
	awk -v d="$PWD" '$2 == d { print $4 }' /proc/mounts | sed -E 's/(^|,)(rw|relatime|aname=[^,]*)//g; s/^,//; s/$/,version=9p2000.L/' >/run/suite-options
	place=$PWD
	cd / || exit 1
	umount "$place" /scratch
	mkdir -p /mnt/test /mnt/scratch
	export FSTYP=9p TEST_DEV=skerry-test SCRATCH_DEV=skerry-scratch PATH=/run/suite-bin:$PATH
	export TEST_DIR=/mnt/test SCRATCH_MNT=/mnt/scratch
}

on_ext4() {
	mkdir -p mnt/test mnt/scratch
	truncate -s 8G test.img
	truncate -s 8G scratch.img
	mkfs.ext4 -q -F test.img
	TEST_DEV=$(losetup -f --show test.img) SCRATCH_DEV=$(losetup -f --show scratch.img)
	trap 'forget_users; umount -q "$TEST_DEV"; umount -q "$SCRATCH_DEV"; losetup -d "$TEST_DEV" "$SCRATCH_DEV"' EXIT
	export FSTYP=ext4 TEST_DEV SCRATCH_DEV TEST_DIR=$PWD/mnt/test SCRATCH_MNT=$PWD/mnt/scratch
}

# The users that tests want; natively they are there only while the suite runs.
users() {
	local user id=7100
	for user in fsgqa fsgqa2 123456-fsgqa; do
		id=$((id + 1))
		getent passwd "$user" >/dev/null && continue
		echo "$user:x:$id:" >>/etc/group
		echo "$user:x:$id:$id:skerry-suite:/tmp:/bin/bash" >>/etc/passwd
		# without a line there su lets nobody become it
		echo "$user:*:1:0:99999:7:::" >>/etc/shadow
	done
}

forget_users() {
	local user
	awk -F: '$5 == "skerry-suite" { print $1 }' /etc/passwd | while read -r user; do
		sed -i "/^$user:/d" /etc/passwd /etc/group /etc/shadow
	done
}

tests() {
	if [ -n "${ONLY:-}" ]; then
		(cd "$SUITE/tests" && for test in generic/[0-9][0-9][0-9]; do [[ $test =~ $ONLY ]] && echo "$test"; done)
	else
		awk 'FNR == 1 { name = FILENAME } /^_begin_fstest/ && / quick( |$)/ { print name }' "$SUITE"/tests/generic/[0-9][0-9][0-9] |
			grep -o 'generic/[0-9]*$'
	fi
}

# What a killed test has started keeps the file systems busy, so that no other test would begin.
release() {
	local at

	for at in "$TEST_DIR" "$SCRATCH_MNT"; do
		if mountpoint -q "$at"; then
			fuser -s -k -KILL -m "$at" || true
			sleep 1
			umount "$at" || true
		fi
	done
}

# Runs the tests in `left` until one hangs, which fails, and takes those that have run out of `left`.
run_some() {
	local line name fd pid rc done=0

	exec {fd}< <(exec setsid bash ./check "${left[@]}" 2>&1 </dev/null)
	pid=$!
	while :; do
		rc=0
		IFS= read -r -t "${XFSTESTS_SECONDS:-600}" line <&"$fd" || rc=$?
		if [ $rc -gt 0 ]; then
			[ $rc -gt 128 ] || break
			kill -9 -- "-$pid"
			release
			echo "fail ${left[done]}"
			echo "  does not end"
			done=$((done + 1))
			break
		fi
		name=${line%%[[:space:]]*}
		case $line in
		generic/*'[not run]'*) echo "skip $name" ;;
		generic/*'output mismatch'* | generic/*'[failed,'* | generic/*'_check_'*) echo "fail $name" ;;
		generic/[0-9]*s) echo "pass $name" ;;
		*)
			echo "  $line"
			continue
			;;
		esac
		echo "  $line"
		# The whole difference: the suite shows the first ten lines only.
		[ ! -e "$RESULT_BASE/$name.out.bad" ] || diff "tests/$name.out" "$RESULT_BASE/$name.out.bad" | head -40 | sed 's/^/  /'
		while [ "${left[done]}" != "$name" ] && [ $done -lt ${#left[@]} ]; do done=$((done + 1)); done
		done=$((done + 1))
	done
	exec {fd}<&-
	# None has run: the suite itself fails.
	[ $done -gt 0 ] || { echo "fail ${left[0]}" && done=1; }
	left=("${left[@]:done}")
}

case $1 in
kind) echo devices ;;
packages) echo acl,attr,bc,dbench,e2fsprogs,fio,gawk,kmod,libacl1,libaio1,libattr1,libcap2-bin,libgdbm6,perl,procps,psmisc,python3-minimal,quota,uuid-runtime,xfsprogs ;;
build) make -j"$(nproc)" ;;
run)
	if awk -v d="$PWD" '$2 == d && $3 == "9p" { found = 1 } END { exit !found }' /proc/mounts; then on_share; else on_ext4; fi
	users
	export RESULT_BASE=/tmp/xfstests-results-$$ MKFS_OPTIONS= MOUNT_OPTIONS=
	mkdir -p "$RESULT_BASE"
	cd "$SUITE" || exit 1
	mapfile -t left < <(tests)
	while [ ${#left[@]} -gt 0 ]; do run_some; done
	;;
esac
