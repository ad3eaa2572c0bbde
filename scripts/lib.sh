# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts share. To be sourced after `set -euo pipefail`; sets $top, $cache, $jobs.

# shellcheck disable=SC2034 # for who sources this
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SKERRY_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/skerry}
# shellcheck disable=SC2034
jobs=${JOBS:-$(nproc)}
export SKERRY_CACHE=$cache

say() { printf '%s\n' "$*"; }
warn() { printf 'skerry: %s\n' "$*" >&2; }
die() {
	warn "$*"
	exit 1
}

# Runs a step with its name before and its time after.
step() {
	local name=$1 from=$EPOCHREALTIME rc=0
	shift
	printf '== %s\n' "$name"
	"$@" || rc=$?
	if [ "$rc" = 0 ]; then
		printf '== %s: done in %s s\n' "$name" "$(seconds_since "$from")"
	else
		printf '== %s: FAILED after %s s\n' "$name" "$(seconds_since "$from")" >&2
	fi
	return "$rc"
}

# Seconds with one decimal since an $EPOCHREALTIME.
seconds_since() {
	local now=$EPOCHREALTIME from=$1 us
	us=$(((${now%[.,]*} - ${from%[.,]*}) * 1000000 + 10#${now#*[.,]} - 10#${from#*[.,]}))
	printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# Runs a command as root: directly, or with sudo, saying so.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		say "   with sudo: $*"
		sudo "$@"
	else
		die "this needs root and there is no sudo; run as root: $*"
	fi
}
