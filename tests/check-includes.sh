#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The direction of dependency, from the #include lines:
#   base <- {proto, ninep, export, virtio, engine, image} <- {vm, ninepd} <- {oci, model <- cli};  guest/agent uses base and proto.
# A module may include its own headers, those of base, and those listed below. Each header compiles on its own, and what is
# named *_internal.h is visible inside its directory only. tests/circles.py looks for circles of files inside a module.
set -euo pipefail
cd "$(dirname "$0")/.."
bad=0
complain() {
	printf '%s\n' "$*"
	bad=1
}

declare -A may=(
	[base]=''
	[proto]='base'
	[ninep]='base'
	[export]='base ninep'
	[virtio]='base ninep'
	[engine]='base virtio'
	[image]='base'
	[ninepd]='base ninep export virtio'
	[vm]='base proto ninep export virtio engine image'
	[oci]='base proto vm image engine virtio export'
	[model]='base proto vm image engine virtio'
	[cli]='base proto model vm image engine virtio export'
	[agent]='base proto'
)

module_of() {
	case $1 in
	src/*/*) local m=${1#src/} && echo "${m%%/*}" ;;
	guest/agent/*) echo agent ;;
	esac
}

check_edge() {
	local file=$1 from=$2 to=$3 header=$4
	if [[ $header == *_internal.h && $from != "$to" ]]; then
		complain "$file includes $header, which is private to $to"
	fi
	[ "$from" = "$to" ] && return
	[[ " ${may[$from]} " == *" $to "* ]] || complain "$file includes $header: $from must not know $to"
}

while IFS=: read -r file line; do
	from=$(module_of "$file")
	[ -n "$from" ] || continue
	[ -n "${may[$from]+x}" ] || {
		complain "$file: module $from is not in tests/check-includes.sh"
		continue
	}
	header=$(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' <<<"$line")
	case $header in
	*/*)
		to=${header%%/*}
		[ -n "${may[$to]+x}" ] && [ "$to" != agent ] && check_edge "$file" "$from" "$to" "$header"
		;;
	*) [[ $header == *_internal.h && ! -e ${file%/*}/$header ]] && complain "$file includes $header, which is not in its directory" ;;
	esac
done < <(git ls-files -z 'src/*.[ch]' 'guest/agent/*.[ch]' | xargs -0 -r grep -H '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' || true)

# A sandbox (sandbox_lib in src/vm/meson.build) knows nothing of the monitor that owns it, nor of a container's files.
while IFS= read -r name; do
	for file in "src/vm/$name" "src/vm/${name%.c}.h"; do
		[ -e "$file" ] || continue
		while IFS= read -r header; do
			complain "$file includes $header: a sandbox must not know it"
		done < <(grep -oE '"vm/(monitor|life|config|state|settings|keeper|logfile|parent|proxy|vm)\.h"' "$file")
	done
done < <(sed -n "s/^sandbox_lib = static_library('sksandbox', //p" src/vm/meson.build | grep -o "[a-z_]*\.c")

# Operating systems are told apart in base/platform and in files that exist for one of them only.
while IFS= read -r hit; do
	complain "#ifdef on an operating system outside src/base/platform: $hit"
done < <(git ls-files -z 'src/*.[ch]' | grep -zv -e '^src/base/platform/' -e '_\(linux\|windows\|posix\)\.[ch]$' -e '/\(linux\|windows\)/' |
	xargs -0 -r grep -nE '^[[:space:]]*#[[:space:]]*(if|ifdef|ifndef|elif)[[:space:](!].*(__linux__|_WIN32|_WIN64|__APPLE__|__MINGW)' || true)

# Each header on its own, but those for Windows (tests/check-portable.sh). The generated skerry_config.h is not needed by any header.
read -ra cflags <<<"$(pkg-config --cflags jansson libarchive slirp libseccomp libcrypto zlib 2>/dev/null || true)"
while IFS= read -r -d '' header; do
	out=$(${CC:-cc} -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc -I"$(dirname "$header")" "${cflags[@]}" \
		-Wall -Wextra -Werror -fsyntax-only -x c - <<<"#include \"$PWD/$header\"" 2>&1) || complain "$header does not compile on its own:
$out"
done < <(git ls-files -z 'src/*.h' 'guest/agent/*.h' ':!src/base/platform/windows' ':!src/export/winfs_internal.h' ':!src/virtio/hdv_api_windows.h')

# Circles of files inside a module.
tests/circles.py || bad=1
# Structures of one name.
tests/names.py || bad=1

exit "$bad"
