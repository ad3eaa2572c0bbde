# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# LTP (the Linux Test Project): those system calls of runtest/syscalls that files, directories, attributes and locks have;
# with LTP_CALLS=all all of them, with LTP_CALLS=REGEX those of these directories of testcases/kernel/syscalls. See tests/suites/run: `packages` prints what the image needs, `build` builds in the
# current directory, `run` tests the current directory and prints a line for each test.

# Directories of testcases/kernel/syscalls. Tests that format and mount block devices of their own skip themselves.
calls='access|chdir|chmod|chown|close|close_range|copy_file_range|creat|dup|dup2|dup3|faccessat2?|fallocate|fchdir|
fchmod|fchmodat2?|fchown|fchownat|fcntl|fdatasync|fgetxattr|flistxattr|flock|fremovexattr|fsetxattr|fstat|fstatat|fstatfs|
fsync|ftruncate|futimesat|getcwd|getdents|getxattr|inotify|lchown|lgetxattr|link|linkat|listxattr|llistxattr|llseek|
lremovexattr|lseek|lstat|mkdir|mkdirat|mknod|mknodat|mmap|msync|name_to_handle_at|open|open_by_handle_at|openat|openat2|
posix_fadvise|pread|preadv|preadv2|pwrite|pwritev|pwritev2|read|readahead|readdir|readlink|readlinkat|readv|removexattr|
rename|renameat|renameat2|rmdir|sendfile|setxattr|splice|stat|statfs|statvfs|statx|symlink|symlinkat|sync|
sync_file_range|truncate|unlink|unlinkat|utime|utimensat|utimes|write|writev'
calls=$(tr -d '\n' <<<"$calls")
case ${LTP_CALLS:-} in
'') ;;
all) calls='.*' ;;
*) calls=$LTP_CALLS ;;
esac

# What would change the machine that runs the tests natively: its clock, swap, kernel modules, quotas, accounting, the
# order of its process numbers; and what takes hours.
left_out='adjtimex.*|clock_adjtime.*|clock_settime.*|leapsec.*|settimeofday.*|stime.*|reboot.*|swapo(n|ff).*|
(init|finit|delete)_module.*|acct.*|quotactl.*|syslog.*|fork13|fork14|msgstress.*'
left_out=$(tr -d '\n' <<<"$left_out")

list() { grep -E "^[a-z]" "$SUITE/runtest/syscalls" | grep -E "^[a-z0-9_]+" | sort -u; }

case $1 in
kind) echo files ;;
packages) echo acl,attr,e2fsprogs,iproute2,keyutils,kmod,libaio1,libcap2,libcap2-bin,libkeyutils1,procps ;;
build)
	[ -x configure ] || make autotools
	./configure --disable-metadata >/dev/null
	make -C include >/dev/null
	make -C lib -j"$(nproc)" -s
	[ -z "${LTP_CALLS:-}" ] || make -C libs -j"$(nproc)" -s
	for dir in testcases/kernel/syscalls/*/; do
		name=${dir%/} name=${name##*/}
		[[ $name =~ ^($calls)$ ]] || continue
		make -C "$dir" -s -k -j"$(nproc)" || true
	done
	# All in one directory, as `make install` has it.
	mkdir -p bin
	find testcases/kernel/syscalls -type f -perm -u+x ! -name '*.so*' -exec cp -t bin {} +
	;;
run)
	# Beside other work of the machine: what signals, names and networks they change is their own.
	if [ -n "${LTP_CALLS:-}" ] && [ "${PLACE:-}" = native ]; then
		exec unshare --pid --fork --mount-proc --ipc --uts --net env PLACE= bash -c 'ip link set lo up; exec bash "$0" run' "$0"
	fi
	place=$PWD
	# The usual limit everywhere: some tests open files until there are too many of them for a program.
	ulimit -Sn 1024
	export LTPROOT=$SUITE PATH=$SUITE/bin:$PATH TMPDIR=$place LTP_TIMEOUT_MUL=${LTP_TIMEOUT_MUL:-3}
	list | while read -r name command; do
		[[ -z ${ONLY:-} || $name =~ $ONLY ]] || continue
		[[ ! $name =~ ^($left_out)$ ]] || continue
		if [ ! -x "$SUITE/bin/${command%% *}" ]; then
			# Of a library that is not here; or of another system call than files have.
			[ "${LTP_CALLS:-}" != all ] || echo "skip $name"
			continue
		fi
		rc=0
		# shellcheck disable=SC2086 # a command and its arguments
		text=$(timeout -k 5 "${LTP_SECONDS:-120}" $command 2>&1 </dev/null) || rc=$?
		case $rc in
		0) echo "pass $name" ;;
		32) echo "skip $name" ;;
		*)
			echo "fail $name"
			tail -40 <<<"$text" | sed 's/^/# /'
			echo "# exit code $rc"
			;;
		esac
	done
	;;
esac
