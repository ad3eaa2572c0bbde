#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A command that fails within a step of our scripts ends the script, wherever in the step it is, and the step says so.
set -euo pipefail
cd "$(dirname "$0")/.."

try() {
	bash -c 'set -euo pipefail
	. scripts/lib.sh
	plain() { false; echo went on; }
	substitution() { local x; x=$(false); echo went on; }
	pipe() { false | cat; echo went on; }
	program() { sh -c "exit 3"; echo went on; }
	fine() { if false; then :; fi; false || true; }
	step trial "$1"
	echo ended' x "$1" 2>&1
}
for kind in plain substitution pipe program; do
	if out=$(try "$kind"); then
		echo "a failed step counts as done: $kind"
		exit 1
	fi
	if ! grep -q "^== trial: FAILED" <<<"$out" || grep -qE "went on|ended|done" <<<"$out"; then
		printf 'a failed step goes on: %s\n%s\n' "$kind" "$out"
		exit 1
	fi
done
try fine | grep -q ended
# What is put into the words of `say` fails in silence.
if grep -nE '\b(say|echo|printf)\b.*\$\("?\$?skerry' scripts/*; then
	echo "a failure of skerry is lost there"
	exit 1
fi
