#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What docs/architecture.md calls portable compiles for another system: mingw-w64's compiler reads it, without making anything. Its
# libraries need not be there for that: this machine's headers of those that exist on both systems serve.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v x86_64-w64-mingw32-gcc >/dev/null || {
	echo "needs x86_64-w64-mingw32-gcc"
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/openssl"
for dir in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
	for header in jansson.h jansson_config.h archive.h archive_entry.h; do
		[ -e "$dir/$header" ] && ln -sf "$dir/$header" "$work/"
	done
	[ -d "$dir/openssl" ] && ln -sf "$dir"/openssl/* "$work/openssl/"
done

# base/rtnl.h is Linux's own; all else directly in src/base is for every system, and src/base/platform for one.
portable() {
	git ls-files 'src/base/*.[ch]' ':!src/base/platform' ':!src/base/rtnl.h'
	git ls-files 'src/ninep/*.[ch]' 'src/export/memory*.[ch]' 'src/export/lxmeta.[ch]' 'src/export/ea.[ch]' src/export/export.h
	# The names and documents of images. Not yet: archives, file system trees, the store on the disk.
	git ls-files 'src/image/*.h' src/image/{changes,docker,manage,manifest,name,oci}.c
	git ls-files 'src/model/*.h' src/model/{caps,devices,filter,inspect,jx,names,path,seccomp_default,signals,spec,ulimits,vmjson}.c
}

# Formats are not checked: the compiler would do so by the rules of that system's own printf.
compile() {
	x86_64-w64-mingw32-gcc -std=gnu11 -D_GNU_SOURCE -Isrc -isystem "$1" -Wall -Wextra -Werror -Wno-format -Wno-format-extra-args \
		-fsyntax-only -x c "$2" 2>&1 || echo "does not compile for another system: $2"
}
export -f compile
portable | xargs -P "$(nproc)" -n 1 bash -c 'compile "$0" "$1"' "$work" >"$work/out"
cat "$work/out"
[ ! -s "$work/out" ]
