# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# crun's own tests (tests/test_*.py). See tests/suites/run: `kind` says for what it is, `build` builds in the current
# directory, `run` tests $RUNTIME and prints a line for each test.
#
# The tests speak crun's command line. A wrapper says the same to a runtime with runc's; what it cannot say (--keep,
# `exec --cgroup`, `delete --regex`, `mounts`, …) fails with both.

wrapper() {
	cat <<-END
		#!/usr/bin/env bash
		runtime=$1
	END
	cat <<-'END'
		global=() verb=() config=
		while [ $# -gt 0 ]; do
			case $1 in
			--cgroup-manager) [ "$2" != systemd ] || global+=(--systemd-cgroup) ; shift ;;
			--cgroup-manager=systemd | --systemd-cgroup) global+=(--systemd-cgroup) ;;
			--cgroup-manager=*) ;;
			--root) global+=(--root "$2") ; shift ;;
			--debug | --root=* | --log=* | --log-format=* | --version | --help) global+=("$1") ;;
			--log | --log-format) global+=("$1" "$2") ; shift ;;
			*) break ;;
			esac
			shift
		done
		case ${1:-} in
		run | create)
			verb=("$1") ; shift
			while [ $# -gt 0 ]; do
				case $1 in
				--config | -f) config=$2 ; shift ;;
				--config=*) config=${1#*=} ;;
				*) verb+=("$1") ;;
				esac
				shift
			done
			# Paths in it are relative to the bundle, which is the current directory.
			[ -z "$config" ] || [ "$config" -ef config.json ] || cp "$config" config.json
			;;
		*) verb=("$@") ;;
		esac
		exec "$runtime" "${global[@]}" "${verb[@]}"
	END
}

tests() { (cd "$SUITE/tests" && python3 -c 'import importlib, sys; print(*importlib.import_module(sys.argv[1]).all_tests, sep="\n")' "$(basename "$1" .py)"); }

case $1 in
kind) echo runtime ;;
build)
	[ -e config.h ] || printf '#define HAVE_ERROR_H 1\n' >config.h
	gcc -O2 -static -I. -o tests/init tests/init.c
	;;
run)
	wrapper "$RUNTIME" >"$PWD/crun"
	chmod 755 "$PWD/crun"
	export OCI_RUNTIME=$PWD/crun INIT=$SUITE/tests/init TMPDIR=$PWD PYTHONDONTWRITEBYTECODE=1
	for file in "$SUITE"/tests/test_*.py; do
		name=${file##*/test_} name=${name%.py}
		[[ -z ${ONLY:-} || $name =~ $ONLY ]] || continue
		# One process for each test: some wait for ever for what does not happen.
		tests "$file" | while read -r test; do
			text=$(RUN_TESTS=$test timeout -k 10 $((120 * ${SLOW:-1})) python3 -u "$file" 2>&1 </dev/null) || true
			case $text in
			*$'\n''ok 1 - '*'#SKIP'* | 'ok 1 - '*'#SKIP'*) echo "skip $name: $test" ;;
			*$'\n''ok 1 - '*) echo "pass $name: $test" ;;
			*) echo "fail $name: $test" ;;
			esac
			tail -40 <<<"$text" | sed 's/^/  /'
		done
	done
	;;
esac
