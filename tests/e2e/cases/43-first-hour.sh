# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# What a user who comes from docker meets first.

# A plain user of Debian has no sbin in PATH; a new size of disk needs mkfs.ext4.
case_first_path_without_sbin() {
	local skerry
	skerry=$(command -v skerry)
	PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games ok "$skerry" run --rm --storage-size 123m "$IMG" echo hello
	same "$out" hello
}

# Sizes that nobody asked for: said by info, to be changed in the configuration.
case_first_default_sizes() {
	ok skerry info
	has "$out" 'Container Default: 1 CPUs, 1GiB of memory'
	settings '"memory": 300, "cpus": 2'
	SKERRY_CONFIG=$WORK/settings.json ok skerry info
	has "$out" 'Container Default: 2 CPUs, 300MiB of memory'
	SKERRY_CONFIG=$WORK/settings.json ok skerry create --name c1 "$IMG" true
	same "$(field c1 '[d["Vm"]["Memory"] >> 20, d["Vm"]["Cpus"]]')" '[300, 2]'
	SKERRY_CONFIG=$WORK/settings.json ok skerry create --name c2 -m 512m --cpus 1 "$IMG" true
	same "$(field c2 '[d["Vm"]["Memory"] >> 20 > 512, d["Vm"]["Cpus"]]')" '[true, 1]'
	run "$IMG" sh -c 'ulimit -Sn; ulimit -Hn'
	same "$out" $'1048576\n1048576'
}

# What cannot be started: run says why by its code, start does not; the container is there, and its id is told.
case_first_cannot_be_started() {
	expect 127 skerry run -d --name c1 "$IMG" no-such-program
	same "$out" "$(field c1 'd["Id"]')"
	expect 1 skerry start c1
	complaint 'no-such-program'
	expect 1 skerry start -a c1
	complaint 'no-such-program'
	same "$(field c1 '[d["State"]["Status"], d["State"]["ExitCode"]]')" '["created", 127]'
	expect 127 skerry run -d --rm "$IMG" no-such-program
	has "$out" '^[0-9a-f]{64}$'
	same "$(skerry ps -aq --no-trunc)" "$(field c1 'd["Id"]')"
}

# docker keeps all output, unless told otherwise.
case_first_log_options() {
	ok skerry run --name c1 "$IMG" true
	same "$(field c1 'd["HostConfig"]["LogConfig"]')" '{"Type": "json-file", "Config": {}}'
	ok skerry run --name c2 --log-opt max-size=20k --log-opt max-file=2 "$IMG" seq 10000
	same "$(field c2 'd["HostConfig"]["LogConfig"]["Config"]["max-size"]')" 20k
	ok skerry logs c2
	same "$(tail -n 1 <<<"$out")" 10000
	hasnt "$out" '^5$'
	ok skerry run --name c3 --log-opt max-size=-1 "$IMG" seq 10000
	ok skerry logs c3
	same "$(wc -l <<<"$out")" 10000
}
