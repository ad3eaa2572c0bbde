# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# A directory that the host and two machines use at the same time; a disk that is full; machines that are killed.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

lockers() { python3 "$SUITE/lockers.py" "$@"; }

# count_together HOW N: two machines and a program of the host count up one number, each under a lock.
count_together() {
	local how=$1 n=$2 a b c
	printf '00000000' >"share/$how"
	chmod 666 "share/$how"
	skerry exec one python3 /suite/lockers.py "/data/$how" count "$n" "$how" >o1 2>&1 &
	a=$!
	skerry exec two python3 /suite/lockers.py "/data/$how" count "$n" "$how" >o2 2>&1 &
	b=$!
	lockers "share/$how" count "$n" "$how" &
	c=$!
	wait "$a" || fail "one: $(cat o1)"
	wait "$b" || fail "two: $(cat o2)"
	wait "$c" || fail 'the host'
	same "$(cat "share/$how")" "$(printf %08d $((3 * n)))" "$how: updates were lost"
}
two_machines() {
	mkdir share
	chmod 777 share
	serve_in one -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
	serve_in two -m 256m -v "$PWD/share:/data" "$IMG" sleep 10000
}
# case: timeout=400
case_host_locks_fcntl() {
	two_machines
	count_together fcntl "$(long 100 1000)"
	count_together ofd "$(long 50 300)"
}
# case: timeout=400
case_host_locks_mmap() {
	two_machines
	count_together mmap "$(long 50 300)"
}

# case: timeout=300 quick
case_host_locks_are_seen() {
	two_machines
	touch share/f
	chmod 666 share/f
	python3 "$SUITE/lockers.py" share/f hold 100 >held &
	local holder=$!
	until_ok 20 grep -q held held
	expect 3 skerry exec one python3 /suite/lockers.py /data/f try
	kill -9 "$holder"
	until_ok 20 skerry exec one python3 /suite/lockers.py /data/f try
	# The other way round; and the machine that held it is killed.
	skerry exec one python3 /suite/lockers.py /data/f hold 100 >held2 2>&1 &
	until_ok 30 grep -q held held2
	expect 3 lockers share/f try
	expect 3 skerry exec two python3 /suite/lockers.py /data/f try
	kill_vm one
	until_ok 20 lockers share/f try
	until_ok 20 skerry exec two python3 /suite/lockers.py /data/f try
}

# case: timeout=600
case_host_locks_of_killed_waiters() {
	two_machines
	touch share/f
	chmod 666 share/f
	ok skerry exec one python3 /suite/lockers.py /data/f killed "$(long 100 1000)"
	ok skerry exec two python3 /suite/lockers.py /data/f try
	ok lockers share/f try
}

# What the host does is seen as soon as a program looks.
# case: timeout=300 quick
case_host_changes() {
	local i
	two_machines
	for i in 1 2 3 4 5; do
		echo "round $i" >share/f
		until_ok 3 skerry exec one grep -qx "round $i" /data/f
		ok skerry exec two sh -c "echo guest $i >/data/g"
		until_ok 3 grep -qx "guest $i" share/g
		until_ok 3 skerry exec one grep -qx "guest $i" /data/g
	done
	mv share/f share/moved
	mkdir share/d
	ln -s moved share/l
	sleep 1
	ok skerry exec one sh -c 'test ! -e /data/f && test -d /data/d && test "$(readlink /data/l)" = moved && cat /data/l'
	same "$out" 'round 5'
	# Replaced by rename, as editors do.
	echo replaced >share/.new
	mv share/.new share/moved
	sleep 1
	ok skerry exec one cat /data/moved
	same "$out" replaced
	chmod 600 share/moved
	touch -d '2001-02-03 04:05:06.789 UTC' share/moved
	sleep 1
	ok skerry exec one stat -c '%a %Y' /data/moved
	same "$out" '600 981173106'
	rm -r share/d
	sleep 1
	expect 1 skerry exec one test -e /data/d
	# A file that a guest has open and the host removes stays whole for the guest.
	ok skerry exec one bash -c 'exec 5<>/data/held; echo kept >&5; touch /data/ready; until [ ! -e /data/ready ]; do sleep 0.1; done; sleep 1; test ! -e /data/held && cat /proc/self/fd/5' &
	local reader=$!
	until_ok 30 test -e share/ready
	rm share/held share/ready
	wait "$reader"
}

# case: timeout=600
case_host_large_directory() {
	local n
	n=$(long 10000 100000)
	mkdir share
	python3 -c 'import sys
for i in range(int(sys.argv[1])): open(f"share/entry-{i:06}", "w").close()' "$n"
	run -v "$PWD/share:/data" "$IMG" sh -c 'ls -f /data | grep -c entry-'
	same "$out" "$n"
	run -v "$PWD/share:/data" "$IMG" sh -c 'find /data -name "entry-*[1-9]" -delete; ls -f /data | grep -c entry-'
	same "$out" "$((n / 10))"
	same "$(find share -name 'entry-*' | wc -l)" "$((n / 10))"
}

# case: timeout=300 root-only
case_host_full_disk() {
	mkdir share
	mount -t tmpfs -o size=4m,mode=0777 none share
	# write, fsync or close: whoever looks at all of them is told.
	expect 1 skerry run --rm -v "$PWD/share:/data" "$IMG" sh -c 'dd if=/dev/zero of=/data/f bs=64k count=200 conv=fsync 2>&1'
	has "$out" 'No space left on device'
	expect 1 skerry run --rm -v "$PWD/share:/data" "$IMG" sh -c 'head -c 8M /dev/zero 2>&1 >/data/g && sync -d /data/g 2>&1'
	has "$out" 'No space left on device'
	rm share/*
	run -v "$PWD/share:/data" "$IMG" sh -c 'echo again >/data/f && sync -d /data/f'
	same "$(cat share/f)" again
	umount share
}

# tar, SQLite and cp on a full disk say what they say on the host, and leave what they leave there: whole transactions.
# case: timeout=300 root-only
case_host_full_disk_programs() {
	local where
	mkdir share own tools
	cat >tools/full.sh <<-'END'
		cd "$1" || exit 1
		mkdir from
		for i in 1 2 3 4 5 6 7 8; do head -c 300000 /dev/zero | tr '\0' "$i" >"from/$i"; done
		tar -cf all.tar from 2>/dev/null
		echo "tar -c $?"
		rm -f all.tar
		tar -cf all.tar from/1 from/2 from/3 && mkdir to
		said=$(tar -xf all.tar -C to 2>&1)
		echo "tar -x $? $(echo "$said" | sed 's/.*: //; s/[0-9]\+/N/g' | sort -u)"
		said=$(cp from/1 from/again 2>&1)
		echo "cp $? $(echo "$said" | grep -o 'No space left')"
		rm -rf from to all.tar
		python3 - <<-'PROGRAM'
			import sqlite3
			for mode in "delete", "wal":
			    db = sqlite3.connect(mode, isolation_level=None)
			    db.execute("pragma journal_mode=" + mode)
			    db.execute("create table t(n, d)")
			    n, told = 0, "no error"
			    try:
			        while n < 1000:
			            db.execute("insert into t values(?, ?)", (n, "x" * 20000))
			            n += 1
			    except sqlite3.OperationalError as error:
			        told = error
			    db.close()
			    db = sqlite3.connect(mode)
			    print(mode, told, n > 50, db.execute("select count(*) from t").fetchone()[0] == n, db.execute("pragma integrity_check").fetchone()[0])
			    db.close()
			    for name in mode, mode + "-wal", mode + "-shm", mode + "-journal":
			        try:
			            __import__("os").unlink(name)
			        except OSError:
			            pass
		PROGRAM
	END
	for where in share own; do mount -t tmpfs -o size=4m,mode=0777 none "$where"; done
	# shellcheck disable=SC2064 # the directory of now
	trap "umount -l '$PWD/share' '$PWD/own'; e2e_end" EXIT
	PATH=/usr/bin:/bin sh tools/full.sh "$PWD/own" >native 2>&1
	run -v "$PWD/share:/data" -v "$PWD/tools:/tools:ro" "$IMG" sh /tools/full.sh /data
	same "$out" "$(cat native)"
	has "$out" 'delete database or disk is full True True ok'
}

# Another file system is mounted in the directory.
# case: timeout=200 root-only
case_host_mount_below() {
	mkdir -p share/sub share/other
	mount -t tmpfs -o mode=0777 none share/sub
	echo below >share/sub/f
	touch share/sub/{a..z}
	run -v "$PWD/share:/data" "$IMG" sh -c 'ls /data; cat /data/sub/f; ls /data/sub | wc -l; find /data -name z; echo new >/data/sub/g'
	same "$out" $'other\nsub\nbelow\n26\n/data/sub/z'
	same "$(cat share/sub/g)" new
	umount share/sub
	same "$(ls share/sub)" ''
}

# case: timeout=300 root-only
case_host_bad_disk() {
	truncate -s 32M image
	mkfs.ext4 -q -F -O ^has_journal -b 4096 image
	mkdir share
	mount -o loop,errors=continue image share || skip 'no loop devices here'
	head -c 24M /dev/urandom >share/f
	sync
	truncate -s 6M image
	echo 1 >/proc/sys/vm/drop_caches
	expect 1 skerry run --rm -v "$PWD/share:/data" "$IMG" sh -c 'cat /data/f 2>&1 >/dev/null'
	has "$out" 'Input/output error'
	umount share
}

# Calls that fail as those of a broken disk do: put into the file server by strace.
# case: timeout=200 root-only
case_host_failing_calls() {
	local server tracer
	command -v strace >/dev/null || skip 'strace is not installed'
	mkdir share
	echo old >share/old
	serve_in one -v "$PWD/share:/data" "$IMG" sleep 1000
	server=$(child_pid one skerry-9pd)
	# failing CALLS COMMAND…: COMMAND in the guest fails and says that it was an error of the disk.
	failing() {
		strace -f -o trace -p "$server" -e trace="$1" -e inject="$1":error=EIO 2>tracer &
		tracer=$!
		until_ok 20 grep -q attached tracer
		shift
		expect 1 skerry exec one sh -c "$*" 2>&1
		has "$out$err" 'Input/output error'
		kill "$tracer"
		wait "$tracer" || true
	}
	failing fsync,fdatasync 'echo new >/data/a && sync -d /data/a'
	failing pwritev,pwritev2,pwrite64 'dd if=/dev/zero of=/data/b bs=64k count=4 conv=fsync'
	# Without fsync it is close that tells.
	failing pwritev,pwritev2,pwrite64 'dd if=/dev/zero of=/data/c bs=64k count=4'
	failing preadv,pread64 'cat /data/old >/dev/null'
	failing getdents64 'mkdir /data/d; ls /data/d || exit 1'
	# And all is well when the disk is.
	ok skerry exec one sh -c 'cat /data/old; echo new >/data/a && sync -d /data/a; ls /data/d; rm -r /data/d /data/b /data/c'
	same "$out" old
	same "$(cat share/a)" new
}

# --- options ---

# case: timeout=200
case_mount_readonly_is_the_servers() {
	mkdir share
	echo x >share/f
	chmod 666 share/f
	# Not even root of the guest, mounting anew, gets to write.
	try skerry run --rm --cap-add ALL --security-opt seccomp=unconfined -v "$PWD/share:/data:ro" "$IMG" sh -c \
		'mount -o remount,rw,bind /data; mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L,cache=coherent,share=shares,aname=mount0 shares /m; echo y >/data/f; echo y >/m/f; rm -f /data/f /m/f; chmod 0 /data/f'
	same "$(cat share/f)" x
	same "$(stat -c %a share/f)" 666
}
# case: timeout=200
case_mount_file_without_siblings() {
	mkdir directory
	echo one >directory/one
	echo two >directory/two
	try skerry run --rm --cap-add ALL --security-opt seccomp=unconfined -v "$PWD/directory/one:/one" "$IMG" sh -c \
		'mkdir /m; mount -t 9p -o trans=virtio,version=9p2000.L,cache=coherent,share=shares,aname=mount0 shares /m; cat /one; find / -xdev -name two; cat /m/two; ls -a /m 2>/dev/null; true'
	has "$out" '^one$'
	hasnt "$out" 'two'
	# Written by the guest it is the host's.
	run -v "$PWD/directory/one:/one" "$IMG" sh -c 'echo more >>/one'
	same "$(cat directory/one)" $'one\nmore'
	expect 2 skerry run --rm -v "$PWD/directory/one:/one:ro" "$IMG" sh -c 'echo no >>/one'
	same "$(cat directory/one)" $'one\nmore'
}
# case: timeout=200
case_mount_nested() {
	mkdir -p outer/inner deeper
	echo outer >outer/f
	echo hidden >outer/inner/f
	echo deeper >deeper/f
	# Whatever the order in which they are given.
	run -v "$PWD/deeper:/data/inner/deep" -v vol:/data/inner -v "$PWD/outer:/data" --tmpfs /data/tmp "$IMG" sh -c \
		'cat /data/f; ls /data/inner; cat /data/inner/deep/f; touch /data/inner/in-volume; stat -f -c %T /data/tmp'
	same "$out" $'outer\ndeep\ndeeper\ntmpfs'
	same "$(ls outer/inner)" f
	run -v vol:/v "$IMG" ls /v
	has "$out" 'in-volume'
}
# More than an engine has devices for.
# case: timeout=200 quick
case_mount_many() {
	local i args=()
	for i in $(seq 20); do
		mkdir "many$i"
		echo "$i" >"many$i/f"
		args+=(-v "$PWD/many$i:/m/$i")
	done
	run "${args[@]}" "$IMG" sh -c 'cat $(ls -v /m/*/f) | tr "\n" " "; for i in $(seq 20); do echo "new $i" >"/m/$i/g"; done'
	same "$out" "$(seq 20 | tr '\n' ' ')"
	for i in $(seq 20); do
		same "$(cat "many$i/g")" "new $i"
	done
	# A directory of the host changes: seen on either kind.
	serve_in many "${args[@]}" "$IMG" sleep 1000
	ok skerry exec many cat /m/1/f /m/20/f
	echo changed >many1/f
	echo changed >many20/f
	sleep 1.1
	ok skerry exec many cat /m/1/f /m/20/f
	same "$out" $'changed\nchanged'
}
# case: timeout=300
case_mount_volume_words() {
	run --mount type=volume,source=vol,target=/etc,volume-nocopy "$IMG" sh -c 'ls /etc | grep -c passwd; true'
	same "$out" 0
	run -v second:/etc:nocopy "$IMG" sh -c 'ls /etc | grep -c passwd; true'
	same "$out" 0
	run -v third:/etc "$IMG" sh -c 'ls /etc | grep -c "^passwd$"'
	same "$out" 1
	expect 1 skerry run --rm -v third:/x:ro "$IMG" touch /x/f
	run -v third:/x "$IMG" sh -c 'mkdir -p /x/sub/dir; echo here >/x/sub/dir/f; ln -s /etc /x/out'
	run --mount type=volume,source=third,target=/y,volume-subpath=sub/dir "$IMG" cat /y/f
	same "$out" here
	expect 125 skerry run --rm --mount type=volume,source=third,target=/y,volume-subpath=none "$IMG" true
	expect 125 skerry run --rm --mount type=volume,source=third,target=/y,volume-subpath=../.. "$IMG" true
	expect 125 skerry run --rm --mount type=volume,source=third,target=/y,volume-subpath=out "$IMG" true
	# rslave and such want a shared mount: tests/e2e/cases/62-mount-identity.sh.
	for words in rprivate private z Z cached delegated; do
		mkdir -p share
		run -v "$PWD/share:/data:$words" "$IMG" true
	done
	expect 125 skerry run --rm -v "$PWD/share:/data:nonsense" "$IMG" true
	complaint 'invalid mode: nonsense'
}
