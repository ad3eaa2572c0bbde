# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What the standard streams do, shares that are restricted, layers as they were packed, archives that explode.

case_mount_nosuid_nodev_noexec() {
	mkdir s
	run -v "$PWD/s:/s:nosuid,nodev,noexec" "$IMG" sh -c '
		cp /bin/true /s/x && chmod 6755 /s/x && stat -c %a /s/x
		install -m 4755 /bin/true /s/y && stat -c %a /s/y
		mkdir /s/d && chmod 2755 /s/d && stat -c %a /s/d
		mknod /s/null c 1 3 2>/dev/null && echo made a device
		/s/x 2>/dev/null || echo not run: $?
		grep " /s " /proc/mounts'
	same "$(sed -n 1,4p <<<"$out" | tr '\n' ' ')" '755 755 2755 not run: 126 '
	has "$out" ' /s .*nosuid.*nodev.*noexec'
	hasnt "$out" 'made a device'
	same "$(find s -type f -perm /6000)" ''
	# By --mount; without the options all of it works.
	run --mount "type=bind,source=$PWD/s,target=/s,nosuid" "$IMG" sh -c 'chmod 4755 /s/x && stat -c %a /s/x && /s/x && echo runs'
	same "$out" "755
runs"
	run -v "$PWD/s:/s" "$IMG" sh -c 'chmod 4755 /s/x && stat -c %a /s/x && mknod /s/null c 1 3 && echo made'
	same "$out" "4755
made"
	expect 125 skerry run --rm -v "$PWD/s:/s:nosuidd" "$IMG" true
	complaint 'invalid mode'
}

case_streams_closed_or_full() {
	expect 3 bash -c 'skerry run --rm -i "$0" sh -c "exit 3" <&- >&- 2>&-' "$IMG"
	expect 5 bash -c 'skerry run --rm "$0" sh -c "echo x; exit 5" >/dev/full' "$IMG"
	has "$err" 'No space left on device'
	expect 6 bash -c 'skerry run --rm "$0" sh -c "yes x | head -c 3000000; exit 6" >/dev/full 2>/dev/full' "$IMG"
	ok skerry run -d --name streams "$IMG" sleep 1000
	expect 4 bash -c 'skerry exec -i streams sh -c "exit 4" <&- >&- 2>&-'
	expect 7 bash -c 'skerry exec streams sh -c "echo x; exit 7" >/dev/full'
	# One of the three is missing: the others are not mixed up.
	same "$(skerry exec streams sh -c 'echo out; echo err >&2' 2>&1 <&-)" "out
err"
	same "$(skerry exec streams sh -c 'echo out; echo err >&2' 2>&1 >&-)" err
	skerry rm -f streams
}

case_streams_exec_waits_for_its_children() {
	ok skerry run -d --name waits "$IMG" sleep 1000
	# A child that holds stdout: what it says belongs to exec's output, longer than any grace.
	SECONDS=0
	ok skerry exec waits sh -c '(sleep 7; echo late) & echo early; exit 0'
	same "$out" "early
late"
	# The code is still the program's, and one that is detached is not waited for.
	expect 9 skerry exec waits sh -c '(sleep 1; echo late) & exit 9'
	same "$out" late
	SECONDS=0
	ok skerry exec waits sh -c 'sleep 60 >/dev/null 2>&1 </dev/null & echo quick'
	[ "$SECONDS" -le "$(slow 6)" ] || fail "exec waited for a child that holds nothing: $SECONDS s"
	skerry rm -f waits
}

case_streams_terminal_lines_end_once() {
	command -v script >/dev/null || skip 'needs script'
	same "$(script -qec "skerry run --rm -t $IMG sh -c 'echo a; echo b'" /dev/null </dev/null | od -An -c | tr -s ' \n' ' ')" ' a \r \n b \r \n '
}

case_streams_log_keeps_every_byte() {
	ok skerry run --name bytes "$IMG" perl -e '$| = 1; print pack("C*", 0 .. 255) x 4, "\n", "L" x 1000003, "\n"; print STDERR "no newline at end"'
	skerry logs bytes >lo 2>le
	python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 4 + b"\n" + b"L" * 1000003 + b"\n")' >want
	cmp lo want || fail 'the log lost bytes'
	same "$(cat le)" 'no newline at end'
	skerry rm bytes
}

case_layers_as_they_were_packed() {
	# A layer without attributes, with directories that have no entry, and links with a mode.
	python3 - <<-'END'
		import io, tarfile
		base = tarfile.open("base.tar", "w")
		def add(name, kind=tarfile.REGTYPE, mode=0o644, data=b"", **more):
		    i = tarfile.TarInfo(name); i.type = kind; i.mode = mode; i.size = len(data); i.mtime = 1600000000
		    for k, v in more.items(): setattr(i, k, v)
		    base.addfile(i, io.BytesIO(data))
		add("implied/deep/file", data=b"x")
		add("implied/older", data=b"x", mtime=1500000000)
		add("link", tarfile.SYMTYPE, mode=0o644, linkname="implied/deep/file")
		base.close()
	END
	ok skerry import base.tar odd:1
	ok skerry create --name odd odd:1 /none
	skerry cp odd:/ - >out.tar
	python3 - <<-'END'
		import tarfile
		t = {m.name.rstrip("/"): m for m in tarfile.open("out.tar")}
		t = {k.removeprefix("./"): m for k, m in t.items()}
		assert t["implied"].mtime == 1600000000, t["implied"].mtime
		assert t["implied/deep"].mtime == 1600000000, t["implied/deep"].mtime
		assert t["link"].mode == 0o777, oct(t["link"].mode)
	END
	skerry rm odd
	# In the layers of a running container attributes can be listed.
	run "$IMG" perl -e '$b = " " x 100; $p = "/usr/bin/perl"; $r = syscall(194, $p, $b, 100); die "listxattr: $!" if $r < 0; print "listed $r\n"'
	same "$out" 'listed 0'
}

case_cp_keeps_setuid() {
	ok skerry run -d --name suid "$IMG" sleep 1000
	cp /bin/true mine
	chmod 4755 mine
	# Into the container the bits go as they are.
	ok skerry cp mine suid:/in
	same "$(skerry exec suid stat -c '%a %u' /in)" '4755 0'
	# Out of it where the owner is the same here.
	skerry exec suid sh -c "cp /bin/true /out && chown $(id -u):$(id -g) /out && chmod 6755 /out; cp /bin/true /other && chown 12345 /other && chmod 4755 /other"
	ok skerry cp suid:/out got
	same "$(stat -c %a got)" 6755
	ok skerry cp suid:/other other
	same "$(stat -c %a other)" 755
	skerry rm -f suid
}

# case: root-only timeout=120
case_full_disk_waits_for_room() {
	mkdir small
	mount -t tmpfs -o size=260m,mode=700 none small
	trap 'SKERRY_ROOT=$PWD/small skerry rm -f full >/dev/null 2>&1; umount -l "$PWD/small"; e2e_end' EXIT
	export SKERRY_ROOT=$PWD/small
	ok skerry import "$TAR" debian:small
	skerry run --name full debian:small sh -c 'echo before; dd if=/dev/zero of=/big bs=1M count=400 conv=fsync 2>/dev/null; echo written $?; sync; touch /after && echo alive; exit 7' >said 2>&1 &
	local client=$!
	until_ok 60 bash -c 'skerry inspect full | grep -q "no space left on the file system of"'
	# What came before is in the log, and nothing has ended.
	same "$(skerry logs full)" before
	is_status full running
	mount -o remount,size=1200m small
	rc=0
	wait "$client" || rc=$?
	same "$rc" 7
	same "$(tr '\n' ' ' <said)" 'before written 0 alive '
	same "$(field full 'd["State"]["ExitCode"]')" 7
	same "$(field full 'd["State"]["Error"]')" ''
	same "$(skerry logs full | tr '\n' ' ')" 'before written 0 alive '
}

# case: root-only timeout=120
case_full_disk_killed() {
	mkdir small
	mount -t tmpfs -o size=260m,mode=700 none small
	trap 'SKERRY_ROOT=$PWD/small skerry rm -f full >/dev/null 2>&1; umount -l "$PWD/small"; e2e_end' EXIT
	export SKERRY_ROOT=$PWD/small
	ok skerry import "$TAR" debian:small
	ok skerry run -d --name full debian:small sh -c 'echo before; dd if=/dev/zero of=/big bs=1M count=400 conv=fsync; sleep 1000'
	until_ok 60 bash -c 'skerry inspect full | grep -q "no space left on the file system of"'
	# It can be ended, and its state is written without any space left.
	dd if=/dev/zero of=small/rest bs=4k 2>/dev/null || true
	ok skerry kill full
	until_ok 20 is_status full exited
	same "$(field full 'd["State"]["ExitCode"]')" 137
	has "$(field full 'd["State"]["Error"]')" 'no space left'
	same "$(skerry logs full)" before
	ok skerry rm full
	rm small/rest
	run debian:small echo 'it works again'
	same "$out" 'it works again'
}

case_messages_say_which_and_what_next() {
	expect 125 skerry run --rm UPPER/Image true
	complaint 'UPPER/Image.*must be lowercase'
	ok skerry create --name user "$IMG" true
	expect 1 skerry rmi "$IMG"
	complaint "container $(skerry inspect user | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["Id"][:12])') \(user\).*-f"
	ok skerry rm user
}
