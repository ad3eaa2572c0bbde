# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# critest of Kubernetes' cri-tools: containerd's interface for the kubelet, with $RUNTIME below it. See tests/suites/run:
# `kind` says for what it is, `build` builds in the current directory, `run` tests and prints a line for each test.
#
# Starts a containerd and a docker-registry in a network namespace of their own. The images that the suite would pull are
# made here: busybox for most, Debian's nginx, and a program of our own in place of nonewprivs.

rootfs() {
	local dir=$1
	mkdir -p "$dir"/{bin,dev,etc,home,proc,root,sys,tmp,var/run,var/www}
	add_busybox "$dir"
	printf '%s\n' root:x:0:0:root:/root:/bin/sh www-data:x:33:33::/var/www:/bin/sh nobody:x:65534:65534::/:/bin/sh default-user:x:1000:1000::/home:/bin/sh >"$dir/etc/passwd"
	printf '%s\n' root:x:0: www-data:x:33: nobody:x:65534: default-user:x:1000: group-defined-in-image:x:50000:default-user >"$dir/etc/group"
	chmod 1777 "$dir/tmp"
}

# image [--user USER] ROOTFS NAME COMMAND …
image() {
	local user=()
	[ "$1" != --user ] || { user=("$1" "$2") && shift 2; }
	"$TOP/tests/oci/engines/make_image.py" "${user[@]}" "$1" "images-made/$(tr /: +@ <<<"$2").tar" "$2" "${@:3}"
}

make_images() {
	local staging=k8s-staging-cri-tools e2e=e2e-test-images name
	mkdir images-made
	rootfs box
	for name in $e2e/busybox:1.29-2 $staging/test-image-{1,2,3,latest,digest}:latest $staging/test-image-tag:{test,all}; do
		echo "$name" >box/tag
		image box "$name" sh
	done
	echo tags >box/tag
	for name in $staging/test-image-tags:{1,2,3}; do image box "$name" sh; done
	image box pause:3.9 sleep 1000000
	image --user 1002 box $staging/test-image-user-uid:latest sh
	image --user www-data box $staging/test-image-user-username:latest sh
	image --user 1003:100 box $staging/test-image-user-uid-group:latest sh
	image --user www-data:100 box $staging/test-image-user-username-group:latest sh
	image --user 1000 box $staging/test-image-predefined-group:latest sh
	printf '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("Effective uid: %%d\\n", geteuid()); return 0; }\n' >nnp.c
	gcc -static -o box/nnp nnp.c
	chmod 4755 box/nnp
	image box $e2e/nonewprivs:1.3 /nnp
	mkdir nginx
	tar -C nginx -xf "$("$TOP/scripts/debian-image" --with nginx-light | tail -1)"
	sed -i 's/^user .*/user root;/; s/listen \[::\].*//' nginx/etc/nginx/nginx.conf nginx/etc/nginx/sites-available/default
	for name in nginx:1.14-2 httpd:2.4.39-4; do image nginx $e2e/$name /usr/sbin/nginx -g 'daemon off;'; done
	sed -i 's/listen 80 /listen 12003 /' nginx/etc/nginx/sites-available/default
	image nginx "$staging/hostnet-nginx-$(go env GOARCH):latest" /usr/sbin/nginx -g 'daemon off;'
	rm -rf nginx
}

configure() {
	mkdir -p cni registry
	cat >cni/10-test.conflist <<-END
		{"cniVersion": "0.4.0", "name": "critest", "plugins": [
		 {"type": "bridge", "bridge": "critest0", "isGateway": true, "ipMasq": true, "hairpinMode": true, "ipam": {"type": "host-local",
		  "dataDir": "$PWD/ipam", "ranges": [[{"subnet": "10.93.8.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
		 {"type": "portmap", "capabilities": {"portMappings": true}}]}
	END
	cat >config.toml <<-END
		version = 2
		root = "$PWD/root"
		state = "$PWD/state"
		disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.btrfs"]
		[grpc]
		  address = "$PWD/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "registry.k8s.io/pause:3.9"
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/usr/lib/cni"
		    conf_dir = "$PWD/cni"
		  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."*"]
		    endpoint = ["http://localhost:5000"]
		  [plugins."io.containerd.grpc.v1.cri".containerd]
		    default_runtime_name = "tried"
		    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tried]
		      runtime_type = "io.containerd.runc.v2"
		      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.tried.options]
		        BinaryName = "$RUNTIME"
	END
	cat >registry.yml <<-END
		version: 0.1
		storage: {filesystem: {rootdirectory: $PWD/registry}}
		http: {addr: "127.0.0.1:5000"}
	END
}

stop() {
	local id exe
	inside ctr -a containerd.sock -n k8s.io tasks ls -q | while read -r id; do
		inside ctr -a containerd.sock -n k8s.io tasks rm -f "$id" >/dev/null 2>&1
	done
	kill "$containerd" "$registry"
	wait
	for exe in /proc/[0-9]*/cmdline; do
		if tr '\0' ' ' <"$exe" 2>/dev/null | grep -q "^[^ ]*containerd-shim.*-address $PWD/"; then kill -9 "$(cut -d / -f 3 <<<"$exe")"; fi
	done
	ip netns del "$netns"
} 2>/dev/null

if [ "$1" != kind ]; then
	# shellcheck source=tests/suites/lib/runtime.sh
	. "$TOP/tests/suites/lib/runtime.sh"
fi

case $1 in
kind) echo runtime ;;
build)
	go test -mod=vendor -vet=off -trimpath -c -o critest.test ./cmd/critest
	make_images
	;;
run)
	configure
	make_netns critest
	inside docker-registry serve registry.yml >registry.log 2>&1 &
	registry=$!
	inside containerd --config config.toml >containerd.log 2>&1 &
	containerd=$!
	trap stop EXIT
	until inside ctr -a containerd.sock version >/dev/null 2>&1; do sleep 0.5; done
	for file in "$SUITE"/images-made/*.tar; do
		name=${file##*/} name=${name%.tar}
		inside skopeo copy -q --insecure-policy --dest-tls-verify=false "oci-archive:$file" "docker://localhost:5000/$(tr +@ /: <<<"$name")"
	done
	inside timeout -k 10 5400 "$SUITE/critest.test" --runtime-endpoint "unix://$PWD/containerd.sock" \
		--ginkgo.junit-report "$PWD/report.xml" --ginkgo.focus "${ONLY:-}" --ginkgo.no-color
	tail -n 200 containerd.log | sed 's/^/  containerd: /'
	python3 - report.xml <<-'END'
		import sys
		import xml.etree.ElementTree as tree
		for case in tree.parse(sys.argv[1]).iter("testcase"):
		    if case.get("name").startswith("[It] "):
		        print({"passed": "pass", "skipped": "skip"}.get(case.get("status"), "fail"), case.get("name")[5:])
	END
	;;
esac
