# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# bash completion for skerry. Commands and options are those that `skerry --help` and `skerry COMMAND --help` list, asked for
# once in a shell; here stands only what kind of thing a command or an option takes.

declare -gA _skerry_seen=()

# Commands (no argument, or a group of commands) or options (of a command, or of a group and a command) from the help. Sets
# _skerry_words.
_skerry_help_words() {
	local command=${1:-} text
	if [ -z "${_skerry_seen[.$command]+x}" ]; then
		case $command in
		'' | container | image | machine | system | volume)
			# shellcheck disable=SC2086 # no word or one
			text=$(skerry $command --help 2>/dev/null | sed -nE 's/^  ([a-z][a-z-]*)  +[A-Z].*$/\1/p')
			;;
		*)
			# shellcheck disable=SC2086 # "volume ls" is two words
			text=$(skerry $command --help 2>/dev/null |
				sed -nE 's/^ +(-([A-Za-z]), )?--([a-z0-9-]+)( .*)?$/\2 --\3/p' | sed -E 's/^([A-Za-z]) /-\1 /')
			;;
		esac
		_skerry_seen[.$command]=${text//$'\n'/ }
	fi
	_skerry_words=${_skerry_seen[.$command]}
}

_skerry_containers() { # [FILTER]
	skerry ps -a ${1:+--filter "$1"} --format '{{.Names}}' 2>/dev/null
	[[ $cur =~ ^[0-9a-f]{3,}$ ]] && skerry ps -aq ${1:+--filter "$1"} 2>/dev/null
}
_skerry_machines() { skerry machine ls -q 2>/dev/null; }
_skerry_volumes() { skerry volume ls -q 2>/dev/null; }
_skerry_images() { skerry images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null | grep -v '<none>'; }

# What an option takes: sets COMPREPLY and returns 0, or returns 1 when it is no option with a known kind of value.
_skerry_option_value() {
	case $1 in
	--env-file | --cidfile | --label-file | --input | --output | --root) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--network | --net) mapfile -t COMPREPLY < <(compgen -W 'slirp bridge none' -- "$cur") ;;
	--restart) mapfile -t COMPREPLY < <(compgen -W 'no always on-failure unless-stopped' -- "$cur") ;;
	--pull) mapfile -t COMPREPLY < <(compgen -W 'missing always never' -- "$cur") ;;
	--engine) mapfile -t COMPREPLY < <(compgen -W 'auto kvm uml tcg' -- "$cur") ;;
	--log-driver) mapfile -t COMPREPLY < <(compgen -W 'json-file none' -- "$cur") ;;
	--security-opt) mapfile -t COMPREPLY < <(compgen -W 'seccomp= no-new-privileges' -- "$cur") ;;
	--signal | --stop-signal | -s) mapfile -t COMPREPLY < <(compgen -A signal -- "$cur") ;;
	--format) mapfile -t COMPREPLY < <(compgen -W 'json' -- "$cur") ;;
	-u | --user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	-e | --env | -p | --publish | -w | --workdir | -m | --memory | --cpus | --name | -h | --hostname | -l | --label | --tmpfs | --ulimit | --add-host | \
		--dns | --cap-add | --cap-drop | --entrypoint | -t | --time | -n | --tail | --since | --until | -f | --filter | -v | --volume | -c | --change)
		case $1,$2 in
		# letters that take no value in these commands
		-t,run | -t,create | -t,exec | -t,logs | -f,rm | -f,rmi | -f,logs | -f,prune | -v,rm | -l,ps) return 1 ;;
		-v,*) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
		esac
		;;
	*) return 1 ;;
	esac
	return 0
}

_skerry_positional() {
	local command=$1 count=$2
	# The commands of a group are those without, by other names at times.
	case $command in
	'container ls' | 'container prune' | 'image prune' | 'volume ls' | 'volume create' | 'volume prune' | system*) return ;;
	'image ls') command=images ;;
	'image rm') command=rmi ;;
	'image inspect') command=rmi ;;
	container* | image*) command=${command#* } ;;
	esac
	case $command in
	'machine cp') mapfile -t COMPREPLY < <(compgen -S : -W "$(_skerry_machines)" -- "$cur" && compgen -f -- "$cur") ;;
	'machine '*) [ "$count" = 0 ] && mapfile -t COMPREPLY < <(compgen -W "$(_skerry_machines)" -- "$cur") ;;
	'volume inspect' | 'volume rm') mapfile -t COMPREPLY < <(compgen -W "$(_skerry_volumes)" -- "$cur") ;;
	run | create)
		[ "$count" = 0 ] && mapfile -t COMPREPLY < <(compgen -W "$(_skerry_images)" -- "$cur")
		;;
	images | history | rmi | save | tag | pull) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_images)" -- "$cur") ;;
	start) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers)" -- "$cur") ;;
	stop | kill | pause | top | stats | attach) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers status=running)" -- "$cur") ;;
	exec) [ "$count" = 0 ] && mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers status=running)" -- "$cur") ;;
	unpause) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers status=paused)" -- "$cur") ;;
	restart | rm | wait | rename | logs | update | port | export | diff | commit) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers)" -- "$cur") ;;
	inspect) mapfile -t COMPREPLY < <(compgen -W "$(_skerry_containers) $(_skerry_images)" -- "$cur") ;;
	cp)
		mapfile -t COMPREPLY < <(compgen -S : -W "$(_skerry_containers)" -- "$cur" && compgen -f -- "$cur")
		compopt -o nospace
		;;
	load | import) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	esac
}

_skerry() {
	local cur prev words cword split
	COMPREPLY=()
	if declare -F _init_completion >/dev/null; then
		_init_completion -n : || return
	else
		cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
	fi
	: "${split:-}"

	# The command, and how many words that are no options stand between it and the cursor.
	local i command='' count=0
	for ((i = 1; i < cword; i++)); do
		case ${words[i]} in
		--root) [ -z "$command" ] && i=$((i + 1)) ;;
		-*) ;;
		*)
			if [ -z "$command" ]; then
				command=${words[i]}
			elif [[ $command =~ ^(container|image|machine|system|volume)$ ]]; then
				command+=" ${words[i]}"
			elif ! _skerry_option_value "${words[i - 1]}" "$command"; then
				count=$((count + 1))
			fi
			;;
		esac
	done
	COMPREPLY=()

	local _skerry_words
	if [ -z "$command" ]; then
		_skerry_help_words
		mapfile -t COMPREPLY < <(compgen -W "$_skerry_words --root --help --version" -- "$cur")
		return
	fi
	if [[ $command =~ ^(container|image|machine|system|volume)$ ]]; then
		_skerry_help_words "$command"
		mapfile -t COMPREPLY < <(compgen -W "$_skerry_words --help" -- "$cur")
		return
	fi
	# After the image, a command of the container's own begins.
	if [ "$count" -gt 0 ]; then
		case ${command#container } in run | create | exec) return ;; esac
	fi
	_skerry_option_value "$prev" "$command" && return
	if [[ $cur == -* ]]; then
		_skerry_help_words "$command"
		mapfile -t COMPREPLY < <(compgen -W "$_skerry_words" -- "$cur")
		return
	fi
	_skerry_positional "$command" "$count"
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}

complete -F _skerry skerry
