# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# critest of Kubernetes' cri-tools: containerd's interface for the kubelet, with $RUNTIME below it. See tests/suites/run:
# `kind` says for what it is, `build` builds in the current directory, `run` tests and prints a line for each test.
#
# Starts a containerd and a docker-registry in a network namespace of their own. The images that the suite would pull are
# made here, all of one layer: a small Debian with what the tests call, among it nginx and two programs of our own.

packages=nginx-light,procps,hostname,net-tools,iproute2

# The layer is pulled and unpacked again and again: nothing that no test needs.
rootfs() {
	local user group name
	mkdir box
	tar -C box -xf "$("$TOP/scripts/debian-image" --with $packages | tail -1)" --exclude='./dev/*'
	rm -rf box/var/lib/{apt,dpkg} box/var/cache box/usr/share/{doc,locale,perl,perl5,zoneinfo,info,man} box/usr/lib/x86_64-linux-gnu/{gconv,perl*}
	for user in default-user:1000 image-user:1002 image-group:1003; do
		echo "${user%:*}:x:${user#*:}:${user#*:}::/home:/bin/sh" >>box/etc/passwd
		group+="${user%:*}:x:${user#*:}:"$'\n'
	done
	printf '%sgroup-defined-in-image:x:50000:default-user\n' "$group" >>box/etc/group
	# The suite compares busybox's words.
	cp "$(command -v busybox)" box/usr/bin/busybox
	for name in sh ls touch grep brctl ping; do ln -f box/usr/bin/busybox "box/usr/bin/$name"; done
	# The program that runs until it is ended: top does without a terminal only in busybox.
	printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' >top.c
	gcc -static -o box/usr/bin/top top.c
	ln -sf top box/usr/bin/pause
	printf '#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf("Effective uid: %%d\\n", geteuid()); return 0; }\n' >nnp.c
	gcc -static -o box/nnp nnp.c
	chmod 4755 box/nnp
	sed -i 's/^user .*/user root;/' box/etc/nginx/nginx.conf
	sed -i 's/listen \[::\].*//' box/etc/nginx/sites-available/default
	sed 's/listen 80 /listen 12003 /' box/etc/nginx/sites-available/default >box/etc/nginx/hostnet
	sed 's|sites-enabled/\*|hostnet|' box/etc/nginx/nginx.conf >box/etc/nginx/hostnet.conf
}

# image [--user USER] NAME COMMAND …: one more image in the layout images-made
image() {
	local user=()
	[ "$1" != --user ] || { user=("$1" "$2") && shift 2; }
	"$TOP/tests/oci/engines/make_image.py" "${user[@]}" box images-made/ "$@"
}

# Images that are to differ do so by their commands.
make_images() {
	local staging=k8s-staging-cri-tools e2e=e2e-test-images name
	mkdir images-made
	rootfs
	for name in $e2e/busybox:1.29-2 $staging/test-image-{1,2,3,latest,digest}:latest $staging/test-image-tag:{test,all}; do
		image "$name" sh -c "sh # $name"
	done
	for name in $staging/test-image-tags:{1,2,3}; do image "$name" sh -c 'sh # tags'; done
	image pause:3.9 pause
	image --user 1002 $staging/test-image-user-uid:latest sh
	image --user www-data $staging/test-image-user-username:latest sh
	image --user 1003:100 $staging/test-image-user-uid-group:latest sh
	image --user www-data:100 $staging/test-image-user-username-group:latest sh
	image --user 1000 $staging/test-image-predefined-group:latest sh
	image $e2e/nonewprivs:1.3 /nnp
	image $e2e/nginx:1.14-2 nginx -g 'daemon off;'
	image $e2e/httpd:2.4.39-4 sh -c "echo httpd; exec nginx -g 'daemon off;'"
	image "$staging/hostnet-nginx-$(go env GOARCH):latest" nginx -c /etc/nginx/hostnet.conf -g 'daemon off;'
	rm -rf box
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
	jq -r '.manifests[].annotations["io.containerd.image.name"]' "$SUITE/images-made/index.json" | while read -r name; do
		inside skopeo copy -q --insecure-policy --dest-tls-verify=false "oci:$SUITE/images-made:$name" "docker://localhost:5000/$name"
	done
	# Two tests fail with containerd before 1.7; one pulls an image that is known by its digest.
	skip='Idempotence.*(StopPodSandbox|StopContainer) should not return an error if not found|public image with digest'
	inside timeout -k 10 5400 "$SUITE/critest.test" --runtime-endpoint "unix://$PWD/containerd.sock" \
		--ginkgo.junit-report "$PWD/report.xml" --ginkgo.focus "${ONLY:-}" --ginkgo.skip "$skip" --ginkgo.no-color
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
