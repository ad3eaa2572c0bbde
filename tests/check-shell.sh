#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs shellcheck on every shell script; strict mode in every program; Python compiles.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v shellcheck >/dev/null || {
	echo "needs the package shellcheck"
	exit 77
}
scripts=() pythons=()
while IFS= read -r -d '' file; do
	if [ ! -f "$file" ] || [ -L "$file" ]; then continue; fi
	first=
	IFS= read -r first <"$file" 2>/dev/null || true
	case $first in
	'#!'*bash* | '#!/bin/sh'*) scripts+=("$file") ;;
	'#!'*python3*) pythons+=("$file") ;;
	*) [[ $file == *.sh || $file == *.bash ]] && scripts+=("$file") ;;
	esac
done < <(git ls-files -z)
bad=0
shellcheck -x -P SCRIPTDIR "${scripts[@]}" || bad=1
for file in "${scripts[@]}"; do
	first=
	IFS= read -r first <"$file"
	case $first in
	'#!'*bash*) grep -q '^set -euo pipefail' "$file" || {
		echo "$file: no \`set -euo pipefail\`"
		bad=1
	} ;;
	esac
done
if [ "${#pythons[@]}" -gt 0 ]; then
	for file in "${pythons[@]}"; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || bad=1
	done
fi
exit "$bad"
