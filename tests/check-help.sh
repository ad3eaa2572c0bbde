#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What `skerry COMMAND --help` lists, the man pages and the completion say the same: each command has a page, each option of the help
# is in its page and is completed, each option in bold in the page is an option of one of its commands.
set -euo pipefail
cd "$(dirname "$0")/.."
skerry=${SKERRY:-$PWD/build/src/cli/skerry}
[ -x "$skerry" ] || {
	echo "needs build/src/cli/skerry (make build)"
	exit 77
}
bad=0
complain() {
	printf '%s\n' "$*"
	bad=1
}
declare -A page_of=()
while read -r page commands; do
	for command in ${page#skerry-} $commands; do page_of[$command]=man/$page.1.scd; done
done < <(sed -nE "s/^ *'(skerry-[a-z]+)\.1': \[(.*)\],?/\1 \2/p" man/meson.build | tr -d "',")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$skerry" "$work/bin/skerry"
export PATH=$work/bin:$PATH SKERRY_ROOT=$work/store
# shellcheck disable=SC2086 # "volume ls" is two words
options() { "$skerry" $1 --help 2>&1 | sed -nE 's/^ +(-[A-Za-z], )?(--[a-z0-9-]+).*/\2/p' | grep -v -x -e --help | sort -u; }
commands=$("$skerry" --help 2>&1 | sed -nE 's/^  ([a-z][a-z-]*)  +[A-Z].*/\1/p' | sort -u)
[ -n "$commands" ] || complain "skerry --help lists no commands"

# What the completion offers for a line.
complete_line() {
	# shellcheck disable=SC2016
	bash -c '. completion/skerry.bash
		read -ra COMP_WORDS <<<"$1"; COMP_WORDS+=("${2:-}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMP_LINE="$1 $2"; COMP_POINT=${#COMP_LINE}
		_skerry; printf "%s\n" "${COMPREPLY[@]}"' _ "$1" "${2:-}"
}

offered=$(complete_line skerry)
for command in $commands; do
	case $command in container | image | machine | system | volume)
		verbs=
		case $command in
		volume) verbs='create inspect ls prune rm' ;;
		machine) verbs='cp default init inspect logs ls reset restart rm set ssh start stop' ;;
		esac
		for verb in $verbs; do
			for option in $(options "$command $verb"); do
				echo "$option" >>"$work/skerry-$command.1.scd"
				grep -qF -- "*$option*" "man/skerry-$command.1.scd" || complain "man/skerry-$command.1.scd does not have $option of $command $verb"
			done
		done
		grep -q "skerry $command\*" man/skerry.1.scd || complain "man/skerry.1.scd does not name the group $command"
		continue
		;;
	esac
	grep -qx -e "$command" <<<"$offered" || complain "the completion does not offer the command $command"
	page=${page_of[$command]:-}
	if [ ! -e "${page:-/nonexistent}" ]; then
		complain "no man page for $command (man/meson.build)"
		continue
	fi
	grep -qE "skerry-$command( |,|$)" "$page" || complain "$page does not name skerry-$command"
	# The options of update are those of run, and explained there.
	[ "$command" = update ] && page=man/skerry-run.1.scd
	flags=$(complete_line "skerry $command" --)
	for option in $(options "$command"); do
		options "$command" >>"$work/$(basename "$page")"
		grep -qF -- "*$option*" "$page" || complain "$page does not have $option of $command"
		grep -qx -e "$option" <<<"$flags" || complain "the completion does not offer $option of $command"
	done
done

for page in $(printf '%s\n' "${page_of[@]}" | sort -u); do
	for option in $(sed -n '/^# OPTIONS/,/^# EXIT\|^# SEE\|^# EX/p' "$page" | grep -oE '\*--[a-z0-9-]+\*' | tr -d '*' | sort -u); do
		grep -qx -e "$option" "$work/$(basename "$page")" 2>/dev/null || complain "$page has $option, which no command of it has"
	done
	for command in "${!page_of[@]}"; do
		[ "${page_of[$command]}" = "$page" ] || continue
		grep -qx "$command" <<<"$commands" || complain "$page is about $command, which is no command"
	done
done
exit "$bad"
