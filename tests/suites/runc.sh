# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# runc's own integration tests (tests/integration of a release that Debian's runc has, with bats). See tests/suites/run:
# `kind` says for what it is, `build` builds in the current directory, `run` tests $RUNTIME and prints a line for each test.
#
# The images that the suite would fetch are made here: Debian's static busybox, and the suite's "debian" from scripts/debian-image.

images() {
	local dir
	dir=$(mktemp -d)
	mkdir -p "$dir"/{bin,dev,etc,home,proc,root,sys,tmp,usr/sbin,var/spool/mail,var/www}
	cp "$(command -v busybox)" "$dir/bin/busybox"
	"$dir/bin/busybox" --list | grep -vx busybox | xargs -I{} ln -s busybox "$dir/bin/{}"
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$dir/etc/passwd"
	printf 'root:x:0:\n' >"$dir/etc/group"
	chmod 755 "$dir"
	chmod 1777 "$dir/tmp"
	tar -C "$dir" -cJf tests/integration/testdata/busybox-amd64.tar.xz .
	rm -rf "$dir"
	xz -0 -c "$("$TOP/scripts/debian-image" | tail -1)" >tests/integration/testdata/debian-amd64.tar.xz
}

case $1 in
kind) echo runtime ;;
build)
	images
	go env GOARCH >goarch
	for name in recvtty sd-helper seccompagent fs-idmap; do
		[ ! -d "contrib/cmd/$name" ] || (cd "contrib/cmd/$name" && go build -mod=vendor -trimpath -tags seccomp -o "$name" .)
	done
	# One that a failed test leaves behind must not keep what bats waits for.
	mv contrib/cmd/recvtty/recvtty contrib/cmd/recvtty/recvtty.program
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/bash\nexec "$0.program" "$@" 3>&- 4>&-\n' >contrib/cmd/recvtty/recvtty
	chmod 755 contrib/cmd/recvtty/recvtty
	;;
run)
	export RUNC=$RUNTIME TMPDIR=$PWD
	# All that the tests ask it, in a VM that has none.
	if ! command -v go >/dev/null; then
		mkdir program
		printf '#!/bin/sh\ncat %s/goarch\n' "$SUITE" >program/go
		chmod 755 program/go
		PATH=$PWD/program:$PATH
	fi
	unset RUNC_USE_SYSTEMD
	for file in "$SUITE"/tests/integration/*.bats; do
		name=${file##*/} name=${name%.bats}
		[[ -z ${ONLY:-} || $name =~ $ONLY ]] || continue
		# Some tests want a controlling terminal.
		timeout -k 10 $((900 * ${SLOW:-1})) script -qefc "bats --tap '$file'" /dev/null 2>&1 </dev/null | awk -v f="$name" '
			{ sub(/\r+$/, "") }
			/^1\.\.[0-9]+/ { planned = substr($1, 4); next }
			/^(not )?ok / {
				what = /^not/ ? "fail" : / # skip/ ? "skip" : "pass"
				sub(/^(not )?ok [0-9]+ /, "")
				sub(/ # skip.*/, "")
				sub(/ # timeout after.*/, "")
				print what " " f ": " $0
				seen++
				next
			}
			{ print "  " $0 }
			END { if (seen < planned) print "fail " f ":ended-after-" seen + 0 }'
	done
	;;
esac
