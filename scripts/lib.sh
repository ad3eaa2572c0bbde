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

# Runs a step with its name before and its time after. A step that fails ends the script: it is no part of a condition, in which bash
# would go on after a failed command of its functions.
step() {
	step_name=$1
	step_from=$EPOCHREALTIME
	shift
	printf '== %s\n' "$step_name"
	set -E
	trap 'step_failed' ERR
	"$@"
	trap - ERR
	set +E
	printf '== %s: done in %s s\n' "$step_name" "$(seconds_since "$step_from")"
}

# In whichever shell of the step it happened: said once, by the script's own.
step_failed() {
	[ "$BASHPID" != "$$" ] || printf '== %s: FAILED after %s s\n' "$step_name" "$(seconds_since "$step_from")" >&2
}

# Seconds with one decimal since an $EPOCHREALTIME.
seconds_since() {
	local now=$EPOCHREALTIME from=$1 us
	us=$(((${now%[.,]*} - ${from%[.,]*}) * 1000000 + 10#${now#*[.,]} - 10#${from#*[.,]}))
	printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# Who the source tree belongs to, where that is not root and we are ("sudo make install"): then nothing of root's may stay in it.
owner_of_tree() {
	local owner
	owner=$(stat -c %U "${1:-$top}")
	[ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ] && printf '%s\n' "$owner"
}

# Runs a command as the tree's owner.
as_owner() {
	local owner
	if owner=$(owner_of_tree); then
		runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" "$@"
	else
		"$@"
	fi
}

# Gives what root has made in a directory of the tree to the owner of its parent.
give_back() {
	if owner_of_tree "$(dirname "$1")" >/dev/null; then find "$1" -user root -exec chown -h --reference="$(dirname "$1")" {} +; fi
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
