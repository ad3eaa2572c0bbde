# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016 # variables set by ../run; code in quotes is run by p
#
# Archives of `skerry save` are docker's, and the other way round.

case_saved_archives() {
	export SKERRY_ROOT=$tmp/root XDG_RUNTIME_DIR=$tmp/rt
	mkdir -m 700 "$SKERRY_ROOT" "$XDG_RUNTIME_DIR"
	export SKERRY_MONITOR=$SKERRY_BUILD/src/vm/skerry-monitor SKERRY_9PD=$SKERRY_BUILD/src/ninepd/skerry-9pd
	local skerry=$SKERRY_BUILD/src/cli/skerry image=saved-$me short
	short=$(mktemp -d /tmp/sk-pod.XXXXXX) # podman takes no long one
	docker save box | "$skerry" load >/dev/null
	# Layers come out as they came in, for all who read them.
	p exact "$skerry save box >$tmp/exact.tar; docker load -i $tmp/exact.tar; [ \"\$($skerry images -q --no-trunc box)\" = \"\$(docker images -q --no-trunc box)\" ] && echo the same id" 'the same id'
	p skopeo "command -v skopeo >/dev/null || { echo the same; exit; }
		docker save box >$tmp/docker.tar; for a in exact docker; do skopeo inspect docker-archive:$tmp/\$a.tar | grep -A 9 '\"Layers\": ' >$tmp/\$a.layers; done
		cmp $tmp/exact.layers $tmp/docker.layers && echo the same" 'the same'
	p container "$skerry create --name c1 box sh -c 'cat /root/new' >/dev/null; echo x >$tmp/new; $skerry cp $tmp/new c1:/root/new; $skerry diff c1" 'A /root/new'
	p commit "$skerry commit -c 'ENV A=b' c1 $image:1 >/dev/null; $skerry save -o $tmp/saved.tar $image:1" 'exit 0'
	p load "docker load -i $tmp/saved.tar" "Loaded image: ME|Loaded image: $image:1"
	p run "d $image:1; d $image:1 printenv A" 'x'
	p files "d $image:1 sh -c 'cd / && find bin etc -type f | sort | head -n 200 | xargs stat -c \"%n %a %u %g %s\" | sha256sum'"
	# From then on the id stays, wherever it goes.
	p again "docker save $image:1 | $skerry load >/dev/null; $skerry save $image:1 >$tmp/second.tar; docker load -i $tmp/second.tar >/dev/null
		[ \"\$(docker images -q --no-trunc $image:1)\" = \"\$($skerry images -q --no-trunc $image:1)\" ] && echo the same" 'the same'
	p podman "command -v podman >/dev/null || { echo the same; exit; }
		podman --root $tmp/pod --runroot $short --storage-driver vfs load -q -i $tmp/saved.tar >/dev/null
		[ \"\$(podman --root $tmp/pod --runroot $short --storage-driver vfs images -q --no-trunc)\" = \"\$(docker images -q --no-trunc $image:1)\" ] && echo the same" 'the same'
	"$skerry" rm -f c1 >/dev/null
	docker rmi -f "$image:1" >/dev/null
	rm -rf "$short"
}
