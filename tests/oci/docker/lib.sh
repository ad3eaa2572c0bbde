# shellcheck shell=bash disable=SC2154 # runtime, me, tmp, work: set by run
# SPDX-License-Identifier: Apache-2.0
#
# For the cases. A case is a function case_NAME; it is run with $runtime "runc" and "skerry", at the same time as other cases, with names of its own
# ($me, and what begins with it) and a directory of its own ($tmp). It prints points:
#
#   p POINT CODE [WANT]          runs CODE (bash); exit code and output, in any order (stdout and stderr are apart), must be the same with both, and match the regular
#                                expression WANT if there is one, so that both being wrong is noticed (a point where only runc does not is skipped)
#   differ POINT CODE RUNC SKERRY   where a VM differs, and why stands beside it: a regular expression for each
#   skip_point POINT WHY         said in the results

p() {
	local point=$1 out rc=0
	out=$(eval "$2" 2>&1 </dev/null) || rc=$?
	printf '%s\nexit %s' "$(LC_ALL=C sort <<<"$out")" "$rc" | sed '1{/^$/d}' | same_words | sed "s/^/$point| /"
	echo
	if [ -n "${3:-}" ] && ! [[ $out$'\n'"exit $rc" =~ $3 ]]; then
		printf '%s\n' "$point! does not match: $3"
	fi
}
differ() {
	local point=$1 out rc=0 want=$3
	[ "$runtime" = runc ] || want=$4
	out=$(eval "$2" 2>&1 </dev/null) || rc=$?
	if [[ $out$'\n'"exit $rc" =~ $want ]]; then
		printf '%s\n' "$point| as meant"
	else
		printf '%s\nexit %s\n' "$out" "$rc" | sed "s/^/$point! /"
		printf '%s\n' "$point! does not match: $want"
	fi
}
skip_point() { printf '%s? %s\n' "$1" "$2"; }

# What differs by nature: names of runtimes in messages, names that hold the runtime's, ids, addresses of the moment.
same_words() {
	# The last two: of the shell's and of docker's own making, now and then.
	sed -E -e "s/$me/ME/g" -e 's/(runc|skerry) (create|start|run) failed/RUNTIME \2 failed/' -e 's/[0-9a-f]{12,64}/ID/g' \
		-e 's/172\.29\.[0-9]+\.[0-9]+/ADDRESS/g' -e 's/(02|[0-9a-f]{2})(:[0-9a-f]{2}){5}/MAC/g' -e 's/\r$//' -e 's/error during container init: //' -e 's/"runc"|"skerry"/RUNTIME/g' -e '/^Terminated$/d' \
		-e '/error waiting for container: context canceled/d'
}

# d: in the foreground and gone; up NAME: in the background; x NAME: exec.
d() { timeout 90 docker run --rm --runtime "$runtime" "$@"; }
up() {
	local name=$1
	shift
	timeout 90 docker run -d --runtime "$runtime" --name "$name" "$@" >/dev/null
}
x() { timeout 60 docker exec "$@"; }
gone() { docker rm -f "$@" >/dev/null 2>&1; }
show() { docker inspect -f "$2" "$1"; }

# until_true SECONDS CODE: waits for CODE to succeed.
until_true() {
	local end=$((SECONDS + $(slow "$1")))
	until eval "$2" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "waited in vain for: $2"
			return 1
		}
		sleep 0.1
	done
}
ended() { until_true "${2:-30}" "[ \"\$(docker inspect -f {{.State.Running}} $1)\" = false ]"; }

# On a terminal of its own: CODE's output. What is typed comes from the second argument.
on_terminal() { python3 "$SKERRY_TEST_TOP/tests/e2e/pty_run.py" "$@"; }

# Everything of a case, by its names.
clean_up() {
	docker ps -aq --filter "name=^/?$me" | xargs -r docker rm -f -v >/dev/null 2>&1
	docker network ls -q --filter "name=^$me" | xargs -r docker network rm >/dev/null 2>&1
	docker volume ls -q --filter "name=^$me" | xargs -r docker volume rm -f >/dev/null 2>&1
	docker images -q "$me" | xargs -r docker rmi -f >/dev/null 2>&1
	return 0
}

# After all cases: no process, state, mount or control group of the runtime is left.
nothing_left() {
	local left
	docker ps -aq | xargs -r timeout 60 docker rm -f >/dev/null 2>&1
	sleep 1
	left=$(pgrep -a -f '(skerry-monitor|skerry-9pd|skerry-vm-)')
	printf 'processes| %s\n' "${left:-none}"
	left=$(find "$work/exec" -path '*/containers/*' -name vm.json)
	printf 'state| %s\n' "${left:-none}"
	left=$(grep -E "$work/(data|exec).*(merged|shm)" /proc/self/mountinfo)
	printf 'mounts| %s\n' "${left:-none}"
	left=$(groups | grep -E "$group/[0-9a-f]{64}")
	printf 'groups| %s\n' "${left:-none}"
}

# add_program ROOT PROGRAM…: the machine's, with the libraries that they need.
add_program() {
	local root=$1 program file
	shift
	for program; do
		program=$(command -v "$program")
		mkdir -p "$root${program%/*}"
		cp -L "$program" "$root$program"
		ldd "$program" 2>/dev/null | sed -n 's|.* => \(/[^ ]*\) .*|\1|p; s|^[[:space:]]*\(/[^ ]*\) .*|\1|p' | while read -r file; do
			[ -e "$root$file" ] || cp -L --parents "$file" "$root"
		done
	done
}

# box: busybox, and a few of the machine's programs.
make_images() {
	local root=$work/rootfs name
	mkdir -p "$root"/{bin,dev,etc,proc,root,sys,tmp,var/www,data}
	chmod 1777 "$root/tmp"
	cp -L "$(command -v busybox)" "$root/bin/busybox"
	for name in $("$root/bin/busybox" --list); do
		[ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
	done
	add_program "$root" flock
	printf 'root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1001::/data:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nstaff:x:50:anna\nanna:x:1001:\n' >"$root/etc/group"
	echo 'from the image' >"$root/data/image"
	chown 1000:1001 "$root/data" "$root/data/image"
	echo hello >"$root/var/www/index.html"
	tar -C "$root" -c . | docker import - box >/dev/null
	tar -C "$root" -c . | docker import -c 'USER anna' -c 'WORKDIR /data' -c 'ENV FROM=image' -c 'VOLUME /data' -c 'EXPOSE 80' \
		-c 'ENTRYPOINT ["/bin/echo","entry"]' -c 'CMD ["cmd"]' - made >/dev/null
}
