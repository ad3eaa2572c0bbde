# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For the suites of OCI runtimes: a network namespace of their own, and a root file system with busybox.

# Sets netns.
make_netns() {
	netns=$1-$$
	ip netns add "$netns"
	ip -n "$netns" link set lo up
	# Without a default route the host's network is "down" for port mappings.
	ip -n "$netns" link add uplink type bridge
	ip -n "$netns" addr add 10.93.9.1/24 dev uplink
	ip -n "$netns" link set uplink up
	ip -n "$netns" route add default via 10.93.9.2
}

inside() { nsenter --net="/var/run/netns/$netns" -- "$@"; }

# add_busybox DIR: the host's static one, with a link for each of its programs
add_busybox() {
	cp "$(command -v busybox)" "$1/bin/busybox"
	"$1/bin/busybox" --list | grep -vx busybox | xargs -I{} ln -s busybox "$1/bin/{}"
}
