# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# moby's integration tests of volumes, networks and containers, against the engine at $DOCKER_HOST. See tests/suites/run: `kind` says for what it
# is, `build` builds in the current directory, `run` tests and prints a line for each test.
#
# What starts a dockerd of its own is left out, and what joins a swarm. Directories that the tests make for bind mounts are below the current one,
# which a machine shares. The images are made here.

packages=(volume network container)

# The tests of the Go files in the current directory that the engine at $DOCKER_HOST is for, as a pattern.
own_tests() {
	awk '
		/^func Test[A-Za-z0-9_]*\(/ { name = $2; sub(/\(.*/, "", name); if (name != "TestMain") order[++n] = name }
		/daemon\.New\(|daemon\.Start|swarm\.|newdaemon/ { other[name] = 1 }
		/^}/ { name = "" }
		END { for (i = 1; i <= n; i++) if (!(order[i] in other) && order[i] !~ /Daemon|CgroupNamespaces/) printf "%s^%s$", sep++ ? "|" : "", order[i] }' ./*_test.go
}

# Of the sources with GOPATH, as that release has it; newer ones have a module file in the vendor directory's place.
build_tests() {
	local at=$PWD/gopath/src/github.com/docker name
	mkdir -p "$at"
	ln -sfn "$PWD" "$at/docker"
	cd "$at/docker" || exit 1
	[ ! -e vendor.mod ] || ln -sf vendor.mod go.mod
	[ ! -e vendor.sum ] || ln -sf vendor.sum go.sum
	export GOPATH=${at%/src/*} GOFLAGS=-p=2 GO111MODULE=off
	[ ! -e go.mod ] || export GO111MODULE=on GOFLAGS="-p=2 -mod=vendor"
	for name in "${packages[@]}"; do
		go test -c -tags 'exclude_graphdriver_btrfs exclude_graphdriver_devicemapper' -o "$name.test" "./integration/$name"
	done
}

make_images() {
	local name
	mkdir -p box/bin box/etc box/tmp box/root
	cp "$(command -v busybox)" box/bin/busybox
	for name in $(busybox --list); do [ "$name" = busybox ] || ln -sf busybox "box/bin/$name"; done
	printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/usr/sbin:/bin/false nobody:x:65534:65534:nobody:/:/bin/false >box/etc/passwd
	printf '%s\n' root:x:0: daemon:x:1: nobody:x:65534: >box/etc/group
	tar -C box -cf image.tar .
	rm -rf box
}

case $1 in
kind) echo engine ;;
build)
	make_images
	build_tests
	;;
run)
	for image in busybox:latest busybox:glibc hello-world:frozen debian:bullseye-slim; do
		docker import -c 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -c 'CMD ["sh"]' "$SUITE/image.tar" "$image"
	done
	docker import --platform linux/arm/v7 "$SUITE/image.tar" arm32v7/hello-world:latest
	mkdir -p tmp
	export TMPDIR=$PWD/tmp
	for name in "${packages[@]}"; do
		cd "$SUITE/integration/$name" || exit 1
		timeout -k 10 1800 "$SUITE/$name.test" -test.v -test.run "${ONLY:-$(own_tests)}" 2>&1 </dev/null | awk -v p="$name" '
			match($0, /--- (PASS|FAIL|SKIP): [^ ]+/) {
				split(substr($0, RSTART + 4, RLENGTH - 4), words, ": ")
				print tolower(words[1]) " " p "/" words[2]
				fflush()
				next
			}
			/^(PASS|FAIL)/ { ended = 1 }
			{ print "  " $0 }
			END { if (!ended) print "fail " p "/ended-early" }'
	done
	;;
esac
