#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# make.sh unpack|build|again DIRECTORY|compare DIRECTORY OTHER, in a container whose /data is a mount and whose /src has a Debian source package.
set -euo pipefail
case $1 in
unpack)
	mkdir -p "$2"
	cd "$2"
	dpkg-source --no-check -x /src/*.dsc source
	;;
# configure, make -j2 and the package's tests.
build)
	cd "$2/source"
	DEB_BUILD_OPTIONS=parallel=2 dpkg-buildpackage -us -uc -b -j2
	;;
# By the times of the files: what is compiled after a build (nothing), after an edit (one file), after another build (nothing).
again)
	cd "$2/source"
	compiled() { make -j2 | grep -c 'gcc .*-c ' || true; }
	[ "$(compiled)" = 0 ]
	echo '/* edited */' >>src/hello.c
	[ "$(compiled)" = 1 ]
	[ "$(compiled)" = 0 ]
	;;
# What was built, to the byte.
compare) cmp <(cd "$2" && sha256sum ./*.deb) <(cd "$3" && sha256sum ./*.deb) ;;
esac
