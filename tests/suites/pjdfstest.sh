# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# pjdfstest (POSIX semantics of file system calls). See tests/suites/run: `packages` prints what the image needs, `build`
# builds in the current directory, `run` tests the current directory and prints a line for each assertion.

list() {
	local test
	cd "$SUITE/tests" && find . -name '*.t' | sed 's|^\./||' | LC_ALL=C sort | while read -r test; do
		[[ -z ${ONLY:-} || $test =~ $ONLY ]] && printf '%s\n' "$test"
	done
}

case $1 in
kind) echo files ;;
packages) echo openssl ;;
build) autoreconf -ifs && ./configure && make ;;
run)
	umask 0
	place=$PWD
	list | while read -r test; do
		dir=$(mktemp -d "$place/t.XXXXXX")
		chmod 755 "$dir"
		cd "$dir" || exit 1
		timeout "${PJDFSTEST_SECONDS:-300}" bash "$SUITE/tests/$test" 2>&1 </dev/null | awk -v t="$test" '
			/^1\.\.[0-9]+/ { planned = substr($1, 4) }
			/^ok .*# *(TODO|SKIP)/ { print "skip " t ":" $2; seen++; next }
			/^not ok .*# *TODO/ { print "skip " t ":" $3; seen++; next }
			/^ok / { print "pass " t ":" $2; seen++; next }
			/^not ok / { print "fail " t ":" $3; print; seen++; next }
			{ print "# " t ": " $0 }
			END { if (seen < planned) print "fail " t ":ended-after-" seen + 0 }'
		cd "$place" && rm -rf "$dir"
	done
	;;
esac
