# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# --filter: what is taken is obeyed. The tables of all values are in tests/unit/model/test_filter.c.

case_filters_of_prune() {
	ok skerry import "$TAR" spare:1
	ok skerry create --name c1 "$IMG" true
	ok skerry system prune -af --filter until=100h
	ok skerry images -q "$IMG"
	has "$out" '[0-9a-f]'
	ok skerry images -q spare:1
	has "$out" '[0-9a-f]' 'the image younger than 100 hours'
	ok skerry ps -aq
	has "$out" '[0-9a-f]'
	ok skerry image prune -af --filter label=none
	ok skerry images -q spare:1
	has "$out" '[0-9a-f]' 'the image without the label'
	expect 1 skerry system prune -af --filter nonsense=1
	complaint "invalid filter 'nonsense'"
	expect 1 skerry image prune -af --filter nonsense=1
	complaint "invalid filter 'nonsense'"
	expect 1 skerry volume prune -f --filter until=1h
	complaint "invalid filter 'until'"
	ok skerry image prune -af --filter 'label!=none'
	ok skerry images -q spare:1
	same "$out" ''
}

# What is no filter is a mistake in the command line, not an error of the command.
case_filters_without_a_value() {
	local command
	for command in ps images 'volume ls' events 'system prune -f' 'image prune -f' 'container prune -f' 'volume prune -f'; do
		# shellcheck disable=SC2086 # a command and its words
		expect 125 skerry $command --filter name
		has "$err" '^invalid argument "name" for "(-f, )?--filter" flag: bad format of filter \(expected name=value\)'
	done
	ok skerry ps --filter ''
}

# The anonymous volumes that nobody uses, and no others.
case_filters_of_prune_volumes() {
	ok skerry volume create keep
	ok skerry create --name c1 -v /anonymous "$IMG" true
	ok skerry rm c1
	ok skerry volume ls -q
	same "$(wc -l <<<"$out")" 2
	expect 1 skerry system prune -f --volumes --filter until=1h
	has "$err" 'not supported with "--volumes"'
	expect 1 skerry system prune -f --volumes --filter ' Until = 1h'
	has "$err" 'not supported with "--volumes"'
	ok skerry system prune -f
	ok skerry volume ls -q
	same "$(wc -l <<<"$out")" 2
	ok skerry system prune -f --volumes
	ok skerry volume ls -q
	same "$out" keep
	ok skerry volume prune -f
	same "$out" 'Total reclaimed space: 0B'
}

case_filters_of_lists() {
	ok skerry volume create --label a=b v1
	ok skerry create --name c1 -v v1:/data "$IMG" true
	ok skerry create --name c2 "$IMG" true
	ok skerry run -d --name c3 -p 127.0.0.1::81 "$IMG" sleep 1000
	ok skerry tag "$IMG" other:1
	ok skerry ps -a --filter ancestor=other:1 --format '{{.Names}}'
	same "$(sort <<<"$out" | tr '\n' ' ')" 'c1 c2 c3 '
	ok skerry ps -aq --filter ancestor=another
	same "$out" ''
	ok skerry ps --filter "publish=$(field c3 'd["NetworkSettings"]["Ports"]["81/tcp"][0]["HostPort"]')" --format '{{.Names}}'
	same "$out" c3
	ok skerry ps -q --filter publish=81
	same "$out" ''
	ok skerry ps --filter expose=81 --filter NAME=^c3 --format '{{.Names}}'
	same "$out" c3
	ok skerry ps -q --filter exited=0
	same "$out" ''
	# a variable that is empty selects nothing
	ok skerry ps -aq --filter id=
	same "$out" ''
	ok skerry ps -a --filter volume=v1 --format '{{.Names}}'
	same "$out" c1
	ok skerry ps -aq --filter volume=X
	same "$out" ''
	ok skerry ps -aq --filter health=healthy
	same "$out" ''
	ok skerry ps -aq --filter is-task=true
	same "$out" ''
	expect 1 skerry ps -a --filter before=nobody
	complaint nobody
	ok skerry images -q --filter since="$IMG"
	same "$out" ''
	ok skerry images -q --filter label=none
	same "$out" ''
	ok skerry images -q --filter until=2000-01-01
	same "$out" ''
	expect 1 skerry images --filter before=nobody
	complaint 'No such image: nobody'
	ok skerry volume ls -q --filter label=a=b
	same "$out" v1
	ok skerry volume ls -q --filter driver=nfs
	same "$out" ''
	ok skerry volume ls -q --filter name=^1
	same "$out" ''
	ok skerry events --since 1h --until 0s --filter image=other --filter type=image --format '{{.Action}} {{.Actor.Attributes.none}}'
	same "$out" 'tag <no value>'
}

# What docker's templates find in a container or image that has nothing there, and the functions that they have.
case_filters_templates() {
	ok skerry create --name c1 -p 127.0.0.1:18097:80 -l a=b "$IMG" true
	local i="skerry inspect -f"
	same "$($i '{{.Config.Entrypoint}} {{.Config.Volumes}} {{.HostConfig.Binds}} {{.HostConfig.CapAdd}} {{len .HostConfig.Dns}}' c1)" '[] map[] [] [] 0'
	same "$($i '{{json .Config.Entrypoint}} {{json .State.Health}}' c1)" 'null null'
	same "$($i '{{if .Config.Healthcheck}}checked{{else}}not{{end}}{{with .Config.Entrypoint}}{{.}}{{end}}' c1)" not
	same "$($i '{{.NetworkSettings.Ports}} {{len .HostConfig.PortBindings}}' c1)" 'map[] 1' 'nothing is published while it does not run'
	same "$($i '{{.AppArmorProfile}}|{{.MountLabel}}' c1)" '|'
	same "$($i '{{.Author}}|{{.Parent}}|{{.DockerVersion}}|{{.Config.Cmd}}' "$IMG")" '|||[]'
	has "$($i '{{.Comment}}' "$IMG")" '^Imported from '
	same "$($i '{{slice .Config.Cmd 0 1}} {{slice .Name 1 3}} {{index .Name 0}}' c1)" '[true] c1 47'
	same "$(skerry ps -a --format '{{join (split .Names "") "-"}}')" c-1
	expect 1 skerry inspect -f '{{slice .Name 5}}' c1
	has "$err" 'out of range'
}

case_filters_details_and_words() {
	ok skerry run --name c1 "$IMG" sh -c 'echo one; echo two'
	same "$(skerry logs --details c1)" $' one\n two'
	has "$(skerry logs --details -t --tail 1 c1)" '^[0-9T:.-]+Z  two$'
	expect 1 skerry logs --since x c1
	complaint 'failed to parse value as time or duration: "x"'
	ok skerry rmi -f nothere:1
	has "$err" 'nothere'
	expect 1 skerry rmi nothere:1
	ok skerry create --name c2 "$IMG" true
	expect 1 skerry rename c2 c1
	complaint 'Error when allocating new name: Conflict'
	expect 1 skerry update -m 64m --memory-swap 32m c2
	complaint 'memoryswap limit should be larger'
	ok skerry run -d --name c3 "$IMG" sleep 1000
	ok skerry kill -s '' c3
	same "$(skerry wait c3)" 137
	# create's own code: 125 is for options.
	expect 1 skerry create --name c1 "$IMG" true
	complaint 'already in use'
	expect 1 skerry create --pull never nothere:1 true
	expect 125 skerry create -p x "$IMG" true
	run -w '' "$IMG" pwd
	same "$out" /
}
