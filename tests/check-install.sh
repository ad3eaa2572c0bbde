#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What stands around an installation: the programs of a source tree run from out/, `make install` says what it lacks, nothing of
# root's stays in a user's tree, and the package's purge is a script that runs.
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
complain() {
	printf '%s\n' "$*"
	exit 1
}

# Each finds the other parts, from wherever it is called.
for program in skerry skerry-oci skerry-9pd; do
	[ -x "build/src/cli/skerry" ] || break
	[ -x "out/$program" ] || complain "scripts/build writes no out/$program"
	sed 's|^exec .*|exec env|' "out/$program" >"$work/$program"
	mkdir -p "$work/out"
	mv "$work/$program" "$work/out/$program"
	(cd / && env -i PATH="$PATH" sh "$work/out/$program") >"$work/env"
	for variable in SKERRY_GUEST_DIR SKERRY_MONITOR SKERRY_9PD SKERRY_OCI; do
		grep -q "^$variable=$work/" "$work/env" || complain "out/$program does not set $variable"
	done
	(cd / && "$top/out/$program" --help) >"$work/said" 2>&1 || complain "out/$program --help: $(cat "$work/said")"
done

# A plain user gets a sentence, not a traceback.
plain=()
[ "$(id -u)" != 0 ] || plain=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if "${plain[@]}" test -r scripts/lib.sh 2>/dev/null; then
	for prefix in /usr/local /usr/skerry-nowhere/x; do
		! "${plain[@]}" env PREFIX="$prefix" DESTDIR='' scripts/install >"$work/said" 2>&1 || complain 'a plain user installs below /usr'
		grep -q 'cannot write to /usr.*sudo make install' "$work/said" || complain "make install as a plain user: $(cat "$work/said")"
	done
fi

# "sudo make install" in a user's tree.
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$work/tree/build/logs"
	chown nobody "$work/tree" "$work/tree/build"
	touch "$work/tree/build/logs/install.txt"
	(
		# shellcheck source=scripts/lib.sh
		. scripts/lib.sh
		give_back "$work/tree/build"
		# shellcheck disable=SC2034 # of lib.sh
		top=$work/tree
		as_owner id -un >"$work/said"
	)
	[ -z "$(find "$work/tree" -user root)" ] || complain "root's files stay: $(find "$work/tree" -user root)"
	[ "$(cat "$work/said")" = nobody ] || complain 'the build does not run as the owner of the tree'
fi

sh -n packaging/deb/postrm
