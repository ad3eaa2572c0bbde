# SPDX-License-Identifier: Apache-2.0
#
# bash tests/oci/engines/v2.sh [CASE …]: cases of runc.sh on a hierarchy of control groups of version 2 alone, in namespaces of its own. Where the host's controllers
# belong to version 1 it has none of them, so limits are not tried: processes, freezing, killing, and removal are.
# shellcheck shell=bash
here=$(cd "$(dirname "$0")" && pwd)
if [ "${SKERRY_V2:-}" != inside ]; then
	skip() {
		[ -z "${SKERRY_RESULTS:-}" ] || echo "skip oci/v2 $*" >>"$SKERRY_RESULTS"
		echo "SKIPPED oci/v2: $*"
		exit 0
	}
	[ "$(id -u)" = 0 ] || skip "needs root"
	[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || skip "the host has version 2: suite runc tries it"
	at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	group=$at/skerry-v2-$$
	mkdir "$group" 2>/dev/null || skip "there is no hierarchy of version 2"
	(
		sh -c 'echo $PPID' >"$group/cgroup.procs"
		SKERRY_V2=inside exec unshare --mount --cgroup bash "$0" "$@"
	)
	rc=$?
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$group" ] || break
		sleep 0.5
	done
	exit "$rc"
fi
mount --make-rprivate /
awk '$2 ~ "^/sys/fs/cgroup/" { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount
umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 1
[ $# -gt 0 ] || set -- life run exec ps groups delete_creating
# shellcheck source=tests/oci/engines/runc.sh
. "$here/runc.sh"
