#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# clang-tidy 14 on the programs' sources, with the checks of .clang-tidy: some 20 seconds of one processor. It needs the build
# directory's compile_commands.json (for the include paths).
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang-tidy-14 >/dev/null || {
	echo "needs clang-tidy-14"
	exit 77
}
[ -f build/compile_commands.json ] || {
	echo "needs a build: run make or scripts/build --host-only first"
	exit 77
}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
rc=0
# A build whose warnings are errors has gcc's warnings in its commands, which are not clang-tidy's business.
args=(-p build --quiet --extra-arg=-Wno-error --extra-arg=-Wno-unknown-warning-option)
# What is for Windows only is no part of this build.
git ls-files -z 'src/*.c' 'guest/agent/*.c' ':!src/base/platform/windows' ':!src/export/winfs*.c' ':!src/export/winwatch.c' \
	':!*_windows.c' ':!src/image/squash_none.c' | xargs -0 -r -P "$(nproc)" -n 8 clang-tidy-14 "${args[@]}" >"$out" 2>/dev/null || rc=1
sed -E "s#^($PWD/build/)?\.\./##" "$out"
# What cannot be read at all (no such program, a file without a command) is no success either.
[ "$rc" = 0 ] || [ -s "$out" ] || echo "clang-tidy-14 failed without a word: run it with -p build on one file"
exit "$rc"
