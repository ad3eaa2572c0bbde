#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What docs/architecture.md calls portable compiles for another system: mingw-w64's compiler reads it, without making anything
# (scripts/windows makes programs of it). Its libraries need not be there for that: this machine's headers of those that
# exist on both systems serve. POSIX's calls come from src/base/platform/windows/posix.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v x86_64-w64-mingw32-gcc >/dev/null || {
	echo "needs x86_64-w64-mingw32-gcc"
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for dir in /usr/include "/usr/include/$(gcc -print-multiarch)"; do
	for header in jansson.h jansson_config.h archive.h archive_entry.h slirp; do
		[ -e "$dir/$header" ] && ln -sf "$dir/$header" "$work/"
	done
done

printf '#define SK_%s ""\n' VERSION LIBEXECDIR ROOT_NAMES >"$work/skerry_config.h"
# base/rtnl.h is Linux's own; all else directly in src/base is for every system, and src/base/platform for one.
portable() {
	git ls-files 'src/base/*.[ch]' ':!src/base/platform/linux' ':!src/base/platform/windows/posix' ':!src/base/rtnl.h'
	git ls-files 'src/proto/*.[ch]' 'src/ninep/*.[ch]' 'src/export/memory*.[ch]' 'src/export/lxmeta.[ch]' 'src/export/ea.[ch]' 'src/export/win*.[ch]' src/export/export.h
	git ls-files src/ninepd/{auth,listen,serve,main_windows}.c
	# All but what writes and reads layer images, for which this machine's headers are of the wrong library.
	git ls-files 'src/image/*.[ch]' ':!src/image/squash.c' ':!src/image/unsquash.c'
	git ls-files 'src/model/*.[ch]' ':!src/model/*_linux.c'
	git ls-files src/engine/{engine,engines_windows,fake,hcs_document,hcs_result,hcs_windows,hyperv,parts,parts_windows}.c 'src/engine/hcs*.h'
	git ls-files src/vm/{client,config,disk,remove,settings,state,clock,console,network,network_slirp,sandbox,session,streams,relay}.c src/vm/places.h
	git ls-files src/vm/{conn,container,control,guest,health,life,logfile,monitor,pod,policy,statefile,stdio}.c 'src/vm/*_windows.c'
	git ls-files 'src/virtio/stream*.[ch]' 'src/virtio/net_*.[ch]' ':!src/virtio/net_*dev.[ch]' ':!src/virtio/net_*_linux.c'
	git ls-files src/virtio/{guestmem,hdv_windows,ninep_dev,server,virtio_pci,virtqueue}.c src/virtio/hdv{_api,}_windows.h
}

# Formats are not checked: the compiler would do so by the rules of that system's own printf.
compile() {
	x86_64-w64-mingw32-gcc -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D__USE_MINGW_ANSI_STDIO=1 \
		-D_WIN32_WINNT=0x0A00 -DWIN32_LEAN_AND_MEAN -DNOGDI -Isrc -Isrc/base/platform/windows/posix -include sk_posix.h -isystem "$1" -Wall -Wextra -Werror -Wno-format -Wno-format-extra-args \
		-fsyntax-only -x c "$2" 2>&1 || echo "does not compile for another system: $2"
}
export -f compile
portable | xargs -P "$(nproc)" -n 1 bash -c 'compile "$0" "$1"' "$work" >"$work/out"
cat "$work/out"
[ ! -s "$work/out" ]
