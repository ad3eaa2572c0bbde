#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The C sources are as clang-format 14 leaves them (`make format`). Other versions differ in details, so only this one counts.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang-format-14 >/dev/null || {
	echo "needs clang-format-14"
	exit 77
}
bad=$(git ls-files '*.[ch]' | xargs -r clang-format-14 --dry-run 2>&1 | sed -n 's/^\([^:]*\):.*clang-format-violations.*/\1/p' | sort | uniq -c)
[ -z "$bad" ] || {
	echo "violations by file (mend with: make format)"
	echo "$bad"
	exit 1
}
