# shellcheck shell=bash disable=SC1091,SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Engines of newer Debian suites, as images of machines: docker 26 and 28.

# case: full timeout=400
case_machine_newer_engines() {
	. "$SUITE/lib.sh"
	local release p q
	for release in trixie forky; do
		[ -e "$E2E_STAGE/engine-$release.tar" ] || skip "there is no engine of $release"
		ok skerry load -i "$E2E_STAGE/engine-$release.tar"
		ok skerry machine init --image "skerry/engine:$release" --now
		make_box
		ok d run --rm box busybox echo hello
		same "$out" hello
		p=$(free_port) q=$(free_port)
		ok d run -d --name all -p "$p:80" box busybox httpd -f -p 80 -h /bin
		ok d run -d --name local -p "127.0.0.1:$q:80" box busybox httpd -f -p 80 -h /bin
		until_ok 10 curl -sSf -m 5 -o /dev/null "http://127.0.0.1:$p/busybox"
		until_ok 10 curl -sSf -m 5 -o /dev/null "http://127.0.0.1:$q/busybox"
		serve tcp-echo
		expect 125 d run --rm -p "$port:80" box true
		has "$err" 'address already in use|port is already allocated'
		expect 125 d run --rm -v /opt/nothing:/x box true
		has "$err" 'read-only file system'
		ok d rm -f all local
		ok skerry machine rm -f
	done
}
