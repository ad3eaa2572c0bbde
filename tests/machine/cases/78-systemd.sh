# shellcheck shell=bash disable=SC1091,SC2016,SC2034,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# The unit of the package under a real systemd: a machine that starts at login and ends with the session, and a status that is true.

homes=/home
# as_login COMMAND: a shell command of the user "login" beside that systemd.
as_login() {
	nsenter -t "$systemd" -a setpriv --reuid 7777 --regid 7777 --clear-groups env -i HOME="$homes/login" USER=login XDG_RUNTIME_DIR=/run/user/7777 \
		PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin sh -c "cd; $1"
}
unit_is() { [ "$(as_login 'systemctl --user is-active skerry-machine@default')" = "$1" ]; }
machine_is() { [ "$(as_login 'skerry machine inspect --format "{{.State}}"')" = "$1" ]; }
monitor_of_login() { as_login 'cat .local/share/skerry/containers/*/state/state.json' | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])'; }

end_systemd() {
	local group
	kill -9 "$systemd" 2>/dev/null || true
	wait "$unshared" || true
	for group in "${groups[@]}"; do
		until_ok 10 bash -c 'find "$1" -depth -type d -exec rmdir {} + 2>/dev/null; [ ! -d "$1" ]' sh "$group"
	done
}

# case: full root-only timeout=900
case_machine_systemd() {
	. "$SUITE/lib.sh"
	local program group pid
	groups=() systemd= unshared= # for the end, too
	for program in /lib/systemd/systemd /lib/systemd/systemd-logind dbus-daemon setfattr; do
		command -v "$program" >/dev/null || skip "this machine has no $program"
	done
	for group in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ ! -e "$group/cgroup.procs" ] || groups+=("$group/skerry-test-$$")
	done
	[ "${#groups[@]}" -gt 0 ] || skip 'this machine has no control groups for systemd'
	mkdir "${groups[@]}" || skip 'control groups cannot be made here'
	mkdir -p "$WORK/host"
	(
		for group in "${groups[@]}"; do echo "$BASHPID" >"$group/cgroup.procs"; done
		exec unshare --mount --pid --fork --uts --ipc --cgroup --kill-child "$SUITE/systemd-host" "$WORK/host" "$E2E_STAGE"
	) >"$WORK/systemd.log" 2>&1 &
	unshared=$!
	until_ok 10 grep -q . "/proc/$unshared/task/$unshared/children"
	systemd=$(tr -d ' ' <"/proc/$unshared/task/$unshared/children")
	trap 'code=$?; end_systemd || true; e2e_end; exit "$code"' EXIT
	until_ok 60 nsenter -t "$systemd" -a systemctl is-active systemd-logind
	ok nsenter -t "$systemd" -a loginctl enable-linger login
	until_ok 60 as_login 'systemctl --user is-active basic.target'

	ok as_login 'skerry machine init --memory 1g --idle-stop 10s'
	ok as_login 'systemctl --user enable --now skerry-machine@default'
	machine_is running || fail 'it is not running'
	ok as_login 'systemctl --user --no-pager status skerry-machine@default'
	has "$out" 'Active: active \(running\)'
	# suspended, and started again by a client, which makes another process the one that waits
	until_ok 60 machine_is suspended
	unit_is active || fail 'the unit has ended with the suspended machine'
	ok as_login 'curl -sS -m 100 --unix-socket /run/user/7777/skerry/default/docker.sock http://x/_ping'
	same "$out" OK
	unit_is active || fail 'the unit has ended'
	ok as_login 'skerry machine set --idle-stop 0; systemctl --user restart skerry-machine@default'

	# the next login
	ok nsenter -t "$systemd" -a systemctl restart user@7777
	until_ok 180 unit_is active
	machine_is running || fail 'it is not running'
	# Whoever ends it, the unit says so, and starts it again.
	pid=$(monitor_of_login)
	ok as_login "kill -9 $pid"
	until_ok 20 unit_is inactive
	ok as_login 'systemctl --user start skerry-machine@default'
	machine_is running || fail 'it is not running'
	ok as_login 'skerry machine stop'
	until_ok 20 unit_is inactive
	ok as_login 'systemctl --user start skerry-machine@default'
	# in order: the engine's last words
	ok as_login 'systemctl --user stop skerry-machine@default'
	machine_is stopped || fail 'it is not stopped'
	ok as_login 'skerry machine logs --tail 5 2>&1'
	has "$out" 'Daemon shutdown complete'
	# One that cannot start is a unit that has failed.
	ok as_login 'skerry machine rm -f'
	expect 1 as_login 'systemctl --user start skerry-machine@default'
	unit_is failed || fail 'the unit has not failed'
	ok as_login 'journalctl --user -n 20 --no-pager || true'
}
