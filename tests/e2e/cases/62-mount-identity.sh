# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# How shares map to mounts: the host's mounts below a share, and one directory that is shared more than once.

# busy COMMAND: what a command in the container says when it is refused.
BUSY='try() { if "$@" 2>/tmp/e; then echo done; else sed "s/.*: //" /tmp/e; fi; }'

# The host's mounts stay, whatever a container does to their mount points: those it was started with, and later ones, also when a
# directory above them was renamed meanwhile.
# case: root-only quick
case_mount_points_of_host_are_busy() {
	local m
	mkdir -p share/before share/dir/later share/other src/deep
	touch share/file src/f share/dir/free
	mount --bind src share/before
	mount --bind src/f share/file
	expect 0 skerry run -d --name holder -v "$PWD/share:/s" "$IMG" sleep 100
	mount -t tmpfs none share/dir/later
	expect 0 skerry exec holder sh -c "$BUSY"'
		try rmdir /s/before; try mv /s/before /s/b2; try rm /s/file; try mv /s/file /s/f2; try mv -T /s/other /s/before
		mv /s/dir /s/dir2
		try rmdir /s/dir2/later; try mv /s/dir2/later /s/l2; try perl -e "rename \"/s/other\", \"/s/dir2/later\" or die \"x: \$!\n\""
		try rm /s/dir2/free; try rmdir /s/other'
	m=$(grep -o "$PWD/share/[^ ]*" /proc/mounts | sed 's|.*/||' | sort | tr '\n' ' ')
	grep -o "$PWD/share/[^ ]*" /proc/mounts | xargs -r umount -l
	same "$(sort <<<"$out" | uniq -c | sed 's/^ *//')" $'8 Device or resource busy\n2 done' 'what the container was told'
	same "$m" 'before file later ' 'the mounts that the host has left'
	expect 0 skerry exec holder rmdir /s/dir2/later
	expect 0 skerry rm -f holder
}

# What the host mounts below a share later: seen with propagation, not without; it goes when the host unmounts, which nothing in the
# container keeps the host from.
# case: root-only quick
case_mount_propagation() {
	mkdir -p share/m share/n
	mount --bind share share
	# shellcheck disable=SC2064 # the directory of now
	trap "grep -o '$PWD/share[^ ]*' /proc/mounts | sort -r | xargs -r umount -l; e2e_end" EXIT
	mount --make-private share
	expect 125 skerry run --rm -v "$PWD/share:/s:rslave" "$IMG" true
	has "$err" "path $PWD/share is mounted on $PWD/share but it is not a shared or slave mount"
	mount --make-shared share
	touch share/m/below
	mount -t tmpfs none share/n
	echo first >share/n/f
	expect 0 skerry run -d --name holder -v "$PWD/share:/s:rslave" -v "$PWD/share:/p" -v "$PWD/share:/ro:ro,rshared" "$IMG" sleep 1000
	expect 0 skerry exec holder cat /s/m/below /s/n/f /p/n/f
	mount -t tmpfs none share/m
	echo later >share/m/f
	until_ok 20 skerry exec holder cat /s/m/f
	expect 0 skerry exec holder sh -c 'cat /s/m/f; ls /p/m /s/m; until cat /ro/m/f; do sleep 0.1; done; echo no >/ro/m/g || echo inside >/s/m/g'
	has "$out" below
	same "$(cat share/m/g)" inside 'what the container wrote'
	# A shell stands in it, and its names are cached: the host unmounts all the same.
	skerry exec -d holder sh -c 'cd /s/m; stat f; sleep 1000'
	until_ok 20 skerry exec holder sh -c 'ls -l /proc/[0-9]*/cwd | grep -q /s/m'
	expect 0 umount share/m
	expect 0 umount share/n
	until_ok 20 skerry exec holder test -e /s/m/below
	until_ok 20 skerry exec holder test ! -e /s/n/f
	expect 0 skerry exec holder sh -c 'ls /s/m /s/n; cat /p/n/f'
	same "$out" $'/s/m:\nbelow\n\n/s/n:\nfirst'
	expect 0 skerry rm -f holder
}

# case: root-only
case_mount_nonrecursive() {
	mkdir -p share/m
	touch share/m/below
	mount -t tmpfs none share/m
	touch share/m/mounted
	try skerry run --rm --mount "type=bind,source=$PWD/share,target=/s,bind-nonrecursive" -v "$PWD/share:/t" "$IMG" ls /s/m /t/m
	umount share/m
	same "$out" $'/s/m:\nbelow\n\n/t/m:\nmounted'
}

# One directory by two mounts, a parent and its child, in either order, a file beside: one file system, one inode for a file, as with
# bind mounts.
# case: quick
case_mount_same_directory_twice() {
	local v
	mkdir -p x/sub
	for v in "-v $PWD/x:/a -v $PWD/x/sub:/b -v $PWD/x:/c" "-v $PWD/x/sub:/b -v $PWD/x:/c -v $PWD/x:/a"; do
		echo one >x/sub/f
		# shellcheck disable=SC2086 # words
		run $v -v "$PWD/x/sub/f:/f" "$IMG" sh -c '
			stat -c "%d %i" /a/sub/f /b/f /c/sub/f /f | uniq | wc -l
			stat -c "%d %i" /a/sub /b /c/sub | uniq | wc -l
			# A write that is not closed yet; the size; names, also such that were missing.
			exec 3<>/a/sub/f; echo TWO >&3; cat /b/f /f; truncate -s 8192 /c/sub/f; stat -c %s /b/f; exec 3>&-
			test -e /b/new; echo new >/a/sub/new; cat /b/new; rm /b/new; test -e /a/sub/new || echo gone
			# From the one to the other is within the mount of the parent, and from mount to mount it is not.
			mkdir /b/d; echo x >/a/g; mv /a/g /a/sub/d/g; cat /b/d/g
			perl -e "rename \"/a/sub/d/g\", \"/b/d/h\" or print \"\$!\\n\""
			chmod 600 /a/sub/d/g; stat -c %a /b/d/g
			perl -e "use Fcntl qw(:flock); open A, \">>/a/sub/f\"; open B, \">>/b/f\"; flock A, LOCK_EX; print flock(B, LOCK_EX|LOCK_NB) ? \"got\" : \"locked\", \"\\n\""
			rm -r /a/sub/d; ls /b'
		same "$out" $'1\n1\nTWO\nTWO\n8192\nnew\ngone\nx\nInvalid cross-device link\n600\nlocked\nf'
	done
}

# What is read-only in one place and writable in another.
# case: quick
case_mount_same_directory_readonly() {
	local v try='try() { sh -c "$1" 2>/dev/null && echo yes || echo no; }; '
	mkdir -p x/sub/deep
	run -v "$PWD/x:/a:ro" -v "$PWD/x/sub:/b" "$IMG" sh -c "$try"'ls /a/sub/deep; try "echo 1 >/a/f"; try "echo 1 >/a/sub/f"; try "echo 1 >/b/f"
		try "echo 1 >/b/deep/f"; try "chmod 600 /b/deep/f"; try "mv /b/deep/f /b/deep/g"; try "rm /a/sub/f"; cat /a/sub/f'
	same "$out" $'no\nno\nyes\nyes\nyes\nyes\nno\n1'
	run -v "$PWD/x/sub:/b:ro" -v "$PWD/x:/a" "$IMG" sh -c "$try"'ls /b/deep; try "echo 2 >/b/f"; try "echo 2 >/a/sub/f"; try "mv /a/sub/f /a/f"
		try "touch /b/deep/h"; try "touch /a/sub/deep/h"; cat /a/f'
	same "$out" $'g\nno\nyes\nyes\nno\nyes\n2'
	[ "$(cat x/f)" = 2 ] || fail 'the host has something else'
}

# The host moves a directory that is a share below another one; users of the container other than root; more shares than devices.
case_mount_shares_move_and_many() {
	local i v=()
	mkdir -p x/sub/deep
	chmod 777 x x/sub x/sub/deep
	for i in $(seq 30); do
		mkdir "m$i"
		v+=(-v "$PWD/m$i:/m/$i")
	done
	expect 0 skerry run -d --name holder "${v[@]}" -v "$PWD/x:/a" -v "$PWD/x/sub:/b" "$IMG" sleep 100
	expect 0 skerry exec -u 1234 holder sh -c 'echo 1 >/b/deep/f; cat /a/sub/deep/f; for i in $(seq 30); do test -d /m/$i || echo none; done'
	same "$out" 1
	mv x/sub x/moved
	sleep 1
	expect 0 skerry exec -u 1234 holder sh -c 'cat /a/moved/deep/f; ls /a; echo 2 >/b/deep/f; cat /a/moved/deep/f; cd /b/deep; ls ..; cat /b/deep/f'
	same "$out" $'1\nmoved\n2\ndeep\n2'
	mkdir x/sub
	sleep 1
	expect 0 skerry exec holder sh -c 'ls /a/sub; ls /b; touch /m/7/f'
	same "$out" deep
	[ -e m7/f ] || fail 'a share is another one'
	rm -r x/moved
	sleep 1
	expect 0 skerry exec holder sh -c 'ls /b; ls /a; ! touch /b/g'
	same "$out" sub
	expect 0 skerry rm -f holder
}

# Other file systems below a share have a number of their own, and inode numbers are the host's. One directory that is mounted twice
# below it keeps its places.
# case: root-only
case_mount_device_numbers() {
	mkdir -p share/t share/one share/two share/plain src/deep other
	mount -t tmpfs none share/t
	mkdir share/t/d
	mount --bind src share/one
	mount --bind src share/two
	try skerry run --rm -v "$PWD/share:/s" -v "$PWD/other:/o" "$IMG" sh -c '
		find /s -xdev | sort; stat -c "%i" /s/t/d /s/one/deep /s/plain
		[ "$(stat -c %d /s)" != "$(stat -c %d /s/t)" ] && echo another; [ "$(stat -c %d /s/plain)" = "$(stat -c %d /o)" ] && echo same
		cd /s/one/deep; ls /s/two/deep; pwd -P; echo 1 >f; cat /s/two/deep/f; mv /s/plain /s/t/ && echo moved; ls -di /s/t | cut -d" " -f1'
	umount share/t share/one share/two
	same "$rc" 0
	same "$out" "$(printf '%s\n' /s /s/one /s/one/deep /s/plain /s/t /s/two /s/two/deep)
$(sed -n 8p <<<"$out")
$(stat -c %i src/deep)
$(sed -n 10p <<<"$out")
another
same
/s/one/deep
1
moved
$(tail -1 <<<"$out")"
}

# A working tree that host and container use in turn: what one has found unchanged the other does, by stat() alone: inode
# numbers, sizes, owners and times, to the nanosecond.
case_mount_git_in_turns() {
	command -v git >/dev/null || skip 'no git on this machine'
	local check=() inside=(-c safe.directory=/w)
	# A plain user's files belong to root in his containers.
	[ "$(id -u)" = 0 ] || check=(-c core.checkStat=minimal)
	programs git
	mkdir share
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null
	git init -q share
	(cd share && for d in $(seq 20); do mkdir "d$d" && for f in $(seq 25); do echo "$d $f" >"d$d/f$f"; done; done)
	git -C share add -A
	git -C share commit -qm first
	sleep 1.1 # what is as new as the index is looked at again
	git -C share status --porcelain
	ok skerry run -d --name git -v "$PWD/share:/w" -v "$WORK/host:/h:ro" -w /w -e HOME=/tmp "$IMG" sleep 600
	ok skerry exec git /h/git "${inside[@]}" "${check[@]}" diff-index --quiet HEAD
	ok skerry exec git sh -c 'for i in 1 2 3; do echo changed >>d$i/f1; done; touch d9/f9; sleep 1.1'
	ok skerry exec git /h/git "${inside[@]}" "${check[@]}" -c user.name=a -c user.email=a@b commit -qam second
	ok skerry exec git /h/git "${inside[@]}" "${check[@]}" status --porcelain
	same "$out" ''
	git -C share "${check[@]}" diff-index --quiet HEAD || fail "changed, for the host: $(git -C share "${check[@]}" diff-index HEAD | head -3)"
	# And the test notices what is changed.
	echo more >>share/d7/f7
	expect 1 skerry exec git /h/git "${inside[@]}" "${check[@]}" diff-index --quiet HEAD
	ok skerry rm -f git
}

# A directory of the host whose names ignore case: whatever was looked at under another spelling before.
# case: root-only
case_mount_any_case() {
	command -v lowntfs-3g >/dev/null || skip 'no lowntfs-3g (package ntfs-3g) on this machine'
	mkdir share
	truncate -s 16M disk
	mkntfs -q -F disk >/dev/null
	lowntfs-3g -o ignore_case,permissions disk share 2>/dev/null || skip 'no FUSE file system can be mounted here'
	# shellcheck disable=SC2064 # the directory of now
	trap "umount -l '$PWD/share'; e2e_end" EXIT
	run -v "$PWD/share:/s" "$IMG" sh -c '
		cd /s
		test -e Bar || echo none; echo one >bar; cat Bar BAR; echo two >BAR; cat bar
		rm Bar; for n in bar Bar BAR; do test -e $n && echo still; done
		test -e Dir || echo none; mkdir dIR; touch dir/x; ls DIR; mv DIR other; ls dir Dir 2>/dev/null; ls OTHER
		echo 1 >other/Made; cat other/made; mv other/MADE other/moved; cat OTHER/Moved'
	same "$out" $'none\none\none\ntwo\nnone\nx\nx\n1\n1'
	expect 0 skerry run -d --name holder -v "$PWD/share:/s" "$IMG" sleep 1000
	expect 0 skerry exec holder sh -c 'cat /s/other/MOVED; test -e /s/Late || echo none'
	echo 2 >share/late
	until_ok 20 skerry exec holder cat /s/LATE
	rm share/LATE
	until_ok 20 skerry exec holder sh -c '! test -e /s/Late && ! test -e /s/LATE'
	expect 0 skerry rm -f holder
}
