# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Programs of npm's registry that speak to the engine's socket: testcontainers, and the command line of dev containers.

# What such a program finds in its environment. Testcontainers' helper that removes what a killed test leaves (ryuk) is an image of a registry, and is
# switched off. It takes a host with a file /.dockerenv for a container, and looks for published ports elsewhere then: hence the second one.
from_npm() {
	command -v node >/dev/null || skip 'this machine has no node'
	[ -d "$E2E_STAGE/npm/node_modules" ] || skip 'npm gets no packages here'
	ln -s "$E2E_STAGE/npm/node_modules" node_modules
	export DOCKER_HOST=unix://$SKERRY_ROOT/run/default/docker.sock TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=localhost
}

# case: full timeout=600
case_machine_testcontainers() {
	. "$SUITE/lib.sh"
	start_machine
	from_npm
	mkdir -p "$HOME/tests/context"
	printf 'FROM box:latest\nRUN echo built >/built\nCMD ["sh", "-c", "cat /built; exec sleep 100"]\n' >"$HOME/tests/context/Dockerfile"
	# node looks for packages beside the program
	cp "$SUITE/testcontainers.mjs" .
	ok node testcontainers.mjs "$HOME/tests/site"
	has "$out" 'all done'
	same "$(d ps -q)" ''
	rm -f "$TMPDIR/testcontainers-node.lock" # which it leaves
}

# case: full timeout=900
case_machine_devcontainers() {
	. "$SUITE/lib.sh"
	start_machine
	from_npm
	with_clients forky
	ok d import "$TAR" debian:latest
	local project=$HOME/project cli=(node node_modules/@devcontainers/cli/devcontainer.js)
	mkdir -p "$project/.devcontainer"
	cat >"$project/.devcontainer/devcontainer.json" <<-'END'
		{
			"build": { "dockerfile": "Dockerfile" },
			"remoteUser": "dev",
			"containerEnv": { "GREETING": "hello" },
			"mounts": ["source=cache,target=/cache,type=volume"],
			"postCreateCommand": "id -un >created; echo $GREETING >>created"
		}
	END
	printf 'FROM debian\nRUN useradd -m -u %s -s /bin/bash dev\n' "$(id -u | sed 's/^0$/1000/')" >"$project/.devcontainer/Dockerfile"
	[ "$(id -u)" != 0 ] || chown -R 1000:1000 "$project"
	ok "${cli[@]}" up --workspace-folder "$project"
	has "$out" '"outcome":"success"'
	same "$(cat "$project/created")" $'dev\nhello'
	echo 'edited on the host' >"$project/file"
	ok "${cli[@]}" exec --workspace-folder "$project" bash -c 'pwd; cat file; echo inside >made; test "$GREETING" = hello'
	has "$out" '/workspaces/project'
	has "$out" 'edited on the host'
	same "$(stat -c %u "$project/made")" "$(stat -c %u "$project")" 'the owner of what is made inside'
	expect 5 "${cli[@]}" exec --workspace-folder "$project" bash -c 'exit 5'
	# a second time it is found running
	ok "${cli[@]}" up --workspace-folder "$project"
	same "$(d ps -q | wc -l)" 1
	rm -rf "$TMPDIR"/devcontainercli* # which it leaves
}
