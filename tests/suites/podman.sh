# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# podman's system tests (test/system, of the release that is installed), with $RUNTIME: those files that have to do with
# running containers. See tests/suites/run: `kind` says for what it is, `build` builds in the current directory, `run` tests
# and prints a line for each test.
#
# Storage of its own, and a network namespace of its own. The suite's image is made here: Debian's static busybox.

files='030-run|032-sig-proxy|035-logs|040-ps|045-start|050-stop|055-rm|060-mount|065-cp|070-build|075-exec|080-pause|090-events|130-kill|
140-diff|160-volumes|170-run-userns|180-blkio|190-run-ipcns|200-pod|220-healthcheck|260-sdnotify|280-update|400-unprivileged-access|
420-cgroups|450-interactive|500-networking|520-checkpoint|700-play'
files=$(tr -d '\n' <<<"$files")

image_name() { bash -c '. test/system/helpers.bash >/dev/null 2>&1; echo "$PODMAN_TEST_IMAGE_FQN"'; }

home=home/podman

make_image() {
	local dir=image tag
	tag=$(image_name) tag=${tag##*:}
	mkdir -p "$dir"/{bin,dev,etc,$home,proc,root,run,srv,sys,tmp,usr/bin,usr/sbin,usr/lib,lib,sbin,var/tmp,var/www,mnt}
	add_busybox "$dir"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh mail:x:8:12:mail:/var/mail:/sbin/nologin nobody:x:65534:65534:nobody:/:/sbin/nologin >"$dir/etc/passwd"
	printf '%s\n' root:x:0: mail:x:12: nobody:x:65534: >"$dir/etc/group"
	cp /etc/services "$dir/etc/services"
	ln -s /proc/mounts "$dir/etc/mtab"
	# Which Debian's busybox does not have.
	printf '#include <stdio.h>\n#include <stdlib.h>\nextern char **environ;\nint main(int argc, char **argv) {\n%s\n%s\n%s\n}\n' \
		'if (argc < 2) for (char **e = environ; *e; e++) puts(*e);' \
		'for (int i = 1; i < argc; i++) { const char *v = getenv(argv[i]); if (!v) return 1; puts(v); }' 'return 0;' >printenv.c
	gcc -static -o "$dir/bin/printenv" printenv.c
	printf 'NAME="test"\nID=alpine\n' >"$dir/etc/os-release"
	chmod 1777 "$dir/tmp" "$dir/var/tmp"
	echo "$tag" >"$dir/$home/testimage-id"
	touch --date=@1600000000 "$dir/$home/testimage-id"
	# shellcheck disable=SC2016 # the program's own $0
	printf '#!/bin/sh\necho Confirmed: testimage pause invoked as $0\nwhile :; do sleep 0.1; done\n' >"$dir/$home/pause"
	chmod 755 "$dir/$home/pause"
	tar -C "$dir" -cf image.tar .
	rm -rf "$dir"
}

configure() {
	cat >storage.conf <<-END
		[storage]
		driver = "overlay"
		graphroot = "$PWD/graph"
		runroot = "$PWD/run"
	END
	cat >containers.conf <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
		[engine]
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		tmp_dir = "$PWD/tmp-podman"
		[network]
		network_config_dir = "$PWD/networks"
	END
	export CONTAINERS_STORAGE_CONF=$PWD/storage.conf CONTAINERS_CONF=$PWD/containers.conf
}

finish() {
	inside podman pod rm -fa -t 0
	inside podman rm -fa -t 0
	inside podman network prune -f
	ip netns del "$netns"
} >/dev/null 2>&1

if [ "$1" != kind ]; then
	# shellcheck source=tests/suites/lib/runtime.sh
	. "$TOP/tests/suites/lib/runtime.sh"
fi

case $1 in
kind) echo runtime ;;
build)
	make_image
	# Programs that single tests use.
	(cd test/checkseccomp && go build -mod=vendor -trimpath -o ../../bin/checkseccomp .) || true
	;;
run)
	configure
	make_netns podman
	trap finish EXIT
	image=$(cd "$SUITE" && image_name)
	inside podman import -q -c 'LABEL created_by=test/system/build-testimage' -c 'LABEL created_at=2022-06-15T00:00:00Z' -c "WORKDIR /$home" \
		-c 'CMD ["/bin/echo", "This container is intended for podman CI testing"]' "$SUITE/image.tar" "$image"
	export PODMAN="podman --runtime $RUNTIME" TMPDIR=$PWD PODMAN_TIMEOUT=${PODMAN_TIMEOUT:-120}
	for file in "$SUITE"/test/system/*.bats; do
		name=${file##*/} name=${name%.bats}
		[[ $name =~ ^($files)$ ]] || continue
		[[ -z ${ONLY:-} || $name =~ $ONLY ]] || continue
		inside timeout -k 10 1200 bats --tap "$file" 2>&1 </dev/null | awk -v f="$name" '
			/^1\.\.[0-9]+/ { planned = substr($1, 4); header = 1; next }
			/^(not )?ok / {
				what = /^not/ ? "fail" : / # skip/ ? "skip" : "pass"
				sub(/^(not )?ok [0-9]+ /, "")
				sub(/ # skip.*/, "")
				print what " " f ": " $0
				seen++
				next
			}
			{ print "  " $0 }
			END { if (seen < planned || !header) print "fail " f ":ended-after-" seen + 0 }'
	done
	;;
esac
