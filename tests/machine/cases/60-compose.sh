# shellcheck shell=bash disable=SC1091,SC2153,SC2016,SC2034,SC2086,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# docker compose, the program of version 1 (Debian 12's) and the plugin of newer ones, with what people run by it.

# stack NAME: $HOME/NAME has the compose file; it is the working directory from here on.
stack() {
	mkdir -p "$HOME/$1"
	cd "$HOME/$1" || fail "no $HOME/$1"
	cp "$SUITE/stacks/$1.yml" docker-compose.yml
	# the scripts that tests/mounts has for the servers
	cp -r "$E2E_STAGE/mounts" suite
	export COMPOSE_PROJECT_NAME=stack STACK=$PWD
}
# compose_of SUITE: $compose is what a user of that suite types.
compose_of() {
	with_clients "$1"
	# Version 1 waits a minute for an answer, which is not enough beside other cases.
	export COMPOSE_HTTP_TIMEOUT=300
	compose=(docker compose)
	[ "$1" != bookworm ] || compose=(docker-compose)
}
# container SERVICE: its name.
container() { "${compose[@]}" ps -q "$1" 2>/dev/null | head -1; }

small_stack() {
	ok "${compose[@]}" up -d --build
	until_ok 60 curl -sSf -o index -m 5 "http://127.0.0.1:$WEB_PORT/"
	same "$(cat index)" 'of the host'
	[ -d made/by/compose ] || fail 'the directory was not made'
	until_ok 30 eval '"${compose[@]}" logs worker 2>/dev/null | grep -q "of the host"'
	until_ok 10 eval '"${compose[@]}" logs worker 2>/dev/null | grep -q "secret word"'
	ok "${compose[@]}" exec -T web sh -c 'echo by-container >/made/file; echo '"$1"' >>/kept/file; cat /kept/file'
	same "$(cat made/by/compose/file)" by-container
	# what is edited on the host is served
	echo edited >site/index.html
	same "$(curl -sS -m 5 "http://127.0.0.1:$WEB_PORT/")" edited
	echo 'of the host' >site/index.html
	until_ok 60 eval '[ "$(d inspect -f "{{.State.Health.Status}}" "$(container web)")" = healthy ]'
	same "$(d inspect -f '{{.HostConfig.Memory}}' "$(container worker)")" 67108864
	# the internal network leads nowhere else
	expect 1 "${compose[@]}" exec -T worker ping -c 1 -W 1 10.0.2.2
	ok "${compose[@]}" up -d --scale worker=3
	same "$("${compose[@]}" ps -q worker | wc -l)" 3
	ok "${compose[@]}" restart -t 1 web
	until_ok 30 curl -sSf -o index -m 5 "http://127.0.0.1:$WEB_PORT/"
	expect 3 "${compose[@]}" run --rm -T --no-deps web sh -c 'exit 3'
	ok "${compose[@]}" down -t 1
	! curl -sS -m 2 -o index "http://127.0.0.1:$WEB_PORT/" 2>/dev/null || fail 'the port is still open'
}
# case: timeout=600
case_machine_compose() {
	. "$SUITE/lib.sh"
	local compose suite
	start_machine
	stack small
	mkdir site context
	echo 'of the host' >site/index.html
	echo 'secret word' >word
	printf 'FROM box\nARG GREETING\nRUN echo $GREETING >/greeting\n' >context/Dockerfile
	WEB_PORT=$(free_port)
	export WEB_PORT
	for suite in bookworm forky; do
		compose_of "$suite"
		small_stack "$suite"
	done
	# Volumes outlive down, and are the same for both.
	ok "${compose[@]}" run --rm -T --no-deps web cat /kept/file
	has "$(tr '\n' ' ' <<<"$out")" 'bookworm .*forky'
	ok "${compose[@]}" down -v
	same "$(d volume ls -q)" ''
}

# Set up and filled by version 1, the power cut in the middle, everything there for version 2.
# case: full timeout=1800
case_machine_compose_wordpress() {
	. "$SUITE/lib.sh"
	local compose loader
	start_machine --memory 2g
	load_image wordpress
	stack wordpress
	SITE_PORT=$(free_port)
	export SITE_PORT
	compose_of bookworm
	expect 1 "${compose[@]}" up -d
	has "$err" 'bind source path does not exist' 'as docker says of a directory in the long form'
	mkdir www
	ok "${compose[@]}" up -d
	ready_in 300 "$(container site)" bash /suite/wordpress.sh ready
	ready_in 300 "$(container db)" bash /suite/wordpress.sh database-ready
	ok "${compose[@]}" exec -T site python3 /suite/wordpress.py install
	until_ok 20 curl -sSf -m 10 -o "$WORK/page" "http://127.0.0.1:$SITE_PORT/wp-includes/version.php"
	# The files are the host's, with the owners that the containers gave them.
	[ -s www/www/wp-config.php ] || fail 'WordPress is not on the host'
	load_for 15 "$(container site)" python3 /suite/wordpress.py publish
	kill -9 "$(machine_pid)"
	wait "$loader" || true
	until_ok 30 bash -c 'skerry machine ls --format "{{.Running}}" | grep -q false'
	ok skerry machine start -q
	# By the restart policy, nobody starts them.
	ready_in 300 "$(container db)" bash /suite/wordpress.sh database-ready
	ready_in 300 "$(container site)" python3 /suite/wordpress.py check "$(last_acked "$WORK/acked")"
	ok "${compose[@]}" down
	compose_of forky
	ok "${compose[@]}" up -d
	ready_in 300 "$(container db)" bash /suite/wordpress.sh database-ready
	ready_in 300 "$(container site)" python3 /suite/wordpress.py check "$(last_acked "$WORK/acked")"
	ok "${compose[@]}" down
}

# case: full timeout=2400
case_machine_compose_postgres_mysql_rabbitmq() {
	. "$SUITE/lib.sh"
	local compose loader name
	declare -A ready load check acked
	ready=([postgres]='bash /suite/postgres.sh ready' [mysql]='bash /suite/mysql.sh ready' [rabbitmq]='bash /suite/rabbitmq.sh ready')
	load=([postgres]='bash /suite/postgres.sh load' [mysql]='bash /suite/mysql.sh load' [rabbitmq]='python3 /suite/rabbitmq.py publish')
	check=([postgres]='bash /suite/postgres.sh check' [mysql]='bash /suite/mysql.sh check' [rabbitmq]='python3 /suite/rabbitmq.py consume')
	start_machine --memory 3g
	for name in postgres mysql rabbitmq; do load_image "$name"; done
	stack services
	compose_of forky
	ok "${compose[@]}" up -d
	for name in "${!ready[@]}"; do ready_in 400 "$(container "$name")" ${ready[$name]}; done
	ok "${compose[@]}" exec -T postgres bash /suite/postgres.sh bench 3
	for name in "${!ready[@]}"; do
		load_for 10 "$(container "$name")" ${load[$name]}
		[ "$name" != rabbitmq ] || ok d kill -s KILL "$(container "$name")"
		[ "$name" = rabbitmq ] || ok d restart -t 60 "$(container "$name")"
		wait "$loader" || true
		acked[$name]=$(last_acked "$WORK/acked")
	done
	ok "${compose[@]}" up -d
	for name in "${!ready[@]}"; do
		ready_in 400 "$(container "$name")" ${ready[$name]}
		ok d exec "$(container "$name")" ${check[$name]} "${acked[$name]}"
	done
	ok "${compose[@]}" down
}

# case: full timeout=1800
case_machine_compose_jenkins() {
	. "$SUITE/lib.sh"
	local compose loader
	[ -s "${SKERRY_TEST_JENKINS_WAR:-}" ] || skip 'there is no jenkins.war (SKERRY_TEST_JENKINS_WAR)'
	start_machine --memory 2g
	load_image jenkins
	stack jenkins
	cp "$SKERRY_TEST_JENKINS_WAR" jenkins.war
	compose_of forky
	ok "${compose[@]}" up -d
	ready_in 600 "$(container jenkins)" bash /suite/jenkins.sh ready
	load_for 20 "$(container jenkins)" bash /suite/jenkins.sh load
	ok d kill -s KILL "$(container jenkins)"
	wait "$loader" || true
	ok "${compose[@]}" up -d
	ready_in 600 "$(container jenkins)" bash /suite/jenkins.sh ready
	ok d exec "$(container jenkins)" bash /suite/jenkins.sh check "$(last_acked "$WORK/acked")"
	ok "${compose[@]}" down
}
