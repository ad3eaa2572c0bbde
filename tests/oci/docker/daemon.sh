# shellcheck shell=bash disable=SC2154 # work, group: set by run
# SPDX-License-Identifier: Apache-2.0
#
# dockerd for the tests: started and ended by its pid. To be sourced.

daemon_pid=

daemon_prepare() {
	local config=
	mkdir -p "$work/config" "$work/bin" "$work/data"
	if [ -n "${SKERRY_TEST_ISOLATION:-}" ]; then
		config=SKERRY_CONFIG=$work/settings.json
		printf '{ "uml_isolation": "%s" }\n' "$SKERRY_TEST_ISOLATION" >"$work/settings.json"
	fi
	# The runtime with the build's programs: installed ones find each other by themselves.
	cat >"$work/bin/skerry-oci" <<-END
		#!/bin/sh
		export SKERRY_MONITOR=$SKERRY_BUILD/src/vm/skerry-monitor SKERRY_9PD=$SKERRY_BUILD/src/ninepd/skerry-9pd SKERRY_GUEST_DIR=$SKERRY_GUEST_DIR $config
		exec $SKERRY_BUILD/src/oci/skerry-oci "\$@"
	END
	chmod 755 "$work/bin/skerry-oci"
	cat >"$work/daemon.json" <<-END
		{"data-root": "$work/data", "exec-root": "$work/exec", "pidfile": "$work/docker.pid", "hosts": ["$DOCKER_HOST"],
		 "cgroup-parent": "$group", "bip": "172.29.77.1/24", "default-address-pools": [{"base": "172.29.128.0/17", "size": 26}],
		 "runtimes": {"skerry": {"path": "$work/bin/skerry-oci"}}}
	END
}

daemon_start() {
	local log=$work/dockerd.log
	(cd / && exec dockerd --config-file "$work/daemon.json" >>"$log" 2>&1 </dev/null) &
	daemon_pid=$!
	for _ in $(seq 300); do
		docker version >/dev/null 2>&1 && return 0
		kill -0 "$daemon_pid" 2>/dev/null || return 1
		sleep 0.1
	done
	return 1
}

daemon_stop() {
	[ -n "$daemon_pid" ] || return 0
	docker ps -aq 2>/dev/null | xargs -r timeout 60 docker rm -f >/dev/null 2>&1
	kill "$daemon_pid" 2>/dev/null
	for _ in $(seq 200); do
		kill -0 "$daemon_pid" 2>/dev/null || break
		sleep 0.1
	done
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=
}

daemon_version() { docker version -f '{{.Server.Version}}' 2>/dev/null; }

# The control groups of this run, in each hierarchy.
groups() { find /sys/fs/cgroup -depth -type d -path "*$group*" 2>/dev/null; }
remove_groups() {
	groups | while IFS= read -r dir; do rmdir "$dir" 2>/dev/null; done
	return 0
}
