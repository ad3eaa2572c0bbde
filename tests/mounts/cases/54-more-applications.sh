# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# More applications that people run on directories of their own, each with an image of its own (../images): loaded, the power cut in the middle;
# loaded again, the application itself killed with -9; each time started again on the same data, where everything that was acknowledged has to be,
# and which the application's own checks have to find whole.
# shellcheck source=tests/mounts/lib.sh
. "$SUITE/lib.sh"

# closed IMAGE COMMAND...: in a container of its own, on data that nobody has open.
closed() { run -v "$SUITE:/suite:ro" -v "$data:/data" "$@"; }

redis_on() {
	import_image redis
	place "$1"
	serve_in re -m 512m -v "$data:/data" redis bash /suite/redis.sh serve
	ready 60 re bash /suite/redis.sh ready
	ok skerry exec re stat -c '%U' /data /data/appendonlydir
	same "$out" $'redis\nredis'
	load_until kill_vm re "$(long 5 15)" bash /suite/redis.sh load always
	ok skerry start re
	ready 60 re bash /suite/redis.sh ready
	ok skerry exec re bash /suite/redis.sh check "$(last_acked)"
	# What a server that dies alone has written is in the page cache.
	load_until kill_container re "$(long 5 15)" bash /suite/redis.sh load no
	ok skerry start re
	ready 60 re bash /suite/redis.sh ready
	ok skerry exec re bash /suite/redis.sh check "$(last_acked)"
	ok skerry stop -t 60 re
	closed redis bash /suite/redis.sh closed
}
# case: timeout=900 full
case_app_redis_bind() { redis_on bind; }
# case: timeout=900 full
case_app_redis_volume() { redis_on volume; }

etcd_on() {
	import_image etcd
	place "$1"
	serve_in et -m 512m -v "$data:/data" etcd bash /suite/etcd.sh serve
	ready 120 et bash /suite/etcd.sh ready
	ok skerry exec et stat -c '%U %a' /data/etcd
	same "$out" 'etcd 700'
	local killer
	for killer in kill_vm kill_container; do
		load_until "$killer" et "$(long 5 15)" bash /suite/etcd.sh load
		ok skerry start et
		ready 120 et bash /suite/etcd.sh ready
		ok skerry exec et bash /suite/etcd.sh check "$(last_acked)"
	done
	ok skerry stop -t 60 et
	closed etcd bash /suite/etcd.sh closed
}
# case: timeout=900 full
case_app_etcd_bind() { etcd_on bind; }
# case: timeout=900 full
case_app_etcd_volume() { etcd_on volume; }

prometheus_on() {
	import_image prometheus
	place "$1"
	serve_in pr -m 768m -v "$data:/data" prometheus bash /suite/prometheus.sh serve
	ready 120 pr bash /suite/prometheus.sh ready
	# It does not sync its log: a power cut may take what the last second brought, the end of the server nothing.
	load_until kill_vm pr "$(long 6 15)" bash /suite/prometheus.sh load 2
	ok skerry start pr
	ready 120 pr bash /suite/prometheus.sh ready
	ok skerry exec pr bash /suite/prometheus.sh check "$(last_acked)"
	load_until kill_container pr "$(long 6 15)" bash /suite/prometheus.sh load 0
	ok skerry start pr
	ready 120 pr bash /suite/prometheus.sh ready
	ok skerry exec pr bash /suite/prometheus.sh check "$(last_acked)"
	ok skerry stop -t 60 pr
	closed prometheus bash /suite/prometheus.sh closed "$(last_acked)"
}
# case: timeout=900 full
case_app_prometheus_bind() { prometheus_on bind; }
# case: timeout=900 full
case_app_prometheus_volume() { prometheus_on volume; }

ldap_on() {
	import_image ldap
	place "$1"
	serve_in ld -m 512m -v "$data:/data" ldap bash /suite/ldap.sh serve
	ready 60 ld bash /suite/ldap.sh ready
	ok skerry exec ld stat -c '%U' /data/db/data.mdb
	same "$out" openldap
	local killer
	for killer in kill_vm kill_container; do
		load_until "$killer" ld "$(long 5 15)" bash /suite/ldap.sh load
		ok skerry start ld
		ready 60 ld bash /suite/ldap.sh ready
		ok skerry exec ld bash /suite/ldap.sh check "$(last_acked)"
	done
	ok skerry stop -t 60 ld
	closed ldap bash /suite/ldap.sh closed "$(last_acked)"
}
# case: timeout=900 full
case_app_ldap_bind() { ldap_on bind; }
# case: timeout=900 full
case_app_ldap_volume() { ldap_on volume; }

rocksdb_on() {
	import_image rocksdb
	place "$1"
	serve_in ro -m 512m -v "$data:/data" rocksdb sleep 10000
	load_until kill_vm ro "$(long 5 15)" bash /suite/rocksdb.sh load synced --sync=1
	ok skerry start ro
	ok skerry exec ro bash /suite/rocksdb.sh check synced "$(last_acked)"
	# Written, not synced; tables past the page cache.
	load_until kill_container ro "$(long 5 15)" bash /suite/rocksdb.sh load direct --use_direct_reads=1 --use_direct_io_for_flush_and_compaction=1
	ok skerry start ro
	ok skerry exec ro bash /suite/rocksdb.sh check direct "$(last_acked)"
	# Tables, and the log too, read and written through mappings.
	load_until kill_container ro "$(long 5 15)" bash /suite/rocksdb.sh load mapped --mmap_read=1 --mmap_write=1
	ok skerry start ro
	ok skerry exec ro bash /suite/rocksdb.sh check mapped "$(last_acked)"
}
# case: timeout=900 full
case_app_rocksdb_bind() { rocksdb_on bind; }
# case: timeout=900 full
case_app_rocksdb_volume() { rocksdb_on volume; }

borg_on() {
	import_image borg
	place "$1"
	serve_in bo -m 512m -v "$data:/data" borg sleep 10000
	ok skerry exec bo bash /suite/borg.sh init
	local killer
	for killer in kill_vm kill_container; do
		load_until "$killer" bo "$(long 15 40)" bash /suite/borg.sh load
		ok skerry start bo
		ok skerry exec bo bash /suite/borg.sh check "$(last_acked)"
	done
}
# case: timeout=900 full
case_app_borg_bind() { borg_on bind; }
# case: timeout=900 full
case_app_borg_volume() { borg_on volume; }

# answers PORT PATH TEXT: a request for the path is answered with the text, in a header or in the body.
answers() {
	local answer
	answer=$(exec 3<>"/dev/tcp/localhost/$1" && printf 'GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' "$2" >&3 && tr -d '\0' <&3) &&
		grep -qF -- "$3" <<<"$answer"
}

# nginx as its official image has it, and what it serves edited all the while: on the host, or for a volume in another container.
nginx_on() {
	local n p html=$WORK/html
	import_image nginx
	if [ "$1" = volume ]; then
		html=html
		run -v "$html:/usr/share/nginx/html" nginx test -s /usr/share/nginx/html/index.html
	fi
	mkdir -p "$WORK/html" "$WORK/conf" "$WORK/log"
	cp "$SUITE/nginx.conf" "$WORK/conf/default.conf"
	echo single >"$WORK/single"
	p=$(free_port)
	serve_in ng -m 256m -p "$p:8080" -v "$html:/usr/share/nginx/html:ro" -v "$WORK/conf:/etc/nginx/conf.d:ro" -v "$WORK/log:/var/log/nginx" \
		-v "$WORK/single:/srv/single:ro" nginx nginx -g 'daemon off;'
	until_ok 60 answers "$p" /single single
	# A single file that is mounted.
	for n in $(seq "$(long 10 50)"); do
		echo "single $n" >"$WORK/single"
		answers "$p" /single "single $n" || fail "the old file is served in round $n"
	done
	if [ "$1" = bind ]; then
		ok python3 "$SUITE/nginx_edits.py" "$html" localhost "$p" "$(long 20 200)"
	else
		ok skerry run --rm -v "$SUITE:/suite:ro" -v "$html:/data" "$IMG" python3 /suite/nginx_edits.py /data host.skerry.internal "$p" "$(long 20 200)"
	fi
	# Its configuration.
	for n in $(seq "$(long 3 10)"); do
		sed "s/X-Config .*/X-Config $n;/" "$SUITE/nginx.conf" >"$WORK/conf/default.conf"
		ok skerry kill -s HUP ng
		until_ok 10 answers "$p" /current/ "X-Config: $n"
	done
	echo 'server { nonsense; }' >"$WORK/conf/default.conf"
	expect 1 skerry exec ng nginx -t
	ok skerry kill -s HUP ng
	until_ok 10 grep -q nonsense "$WORK/log/error.log"
	answers "$p" /current/ "X-Config: $n" || fail 'it does not go on with the configuration that it has'
	# Each request is in the log on the host.
	until_ok 2 eval '[[ $(tail -1 "$WORK/log/access.log") == *"GET /current/ "* ]]'
	cp "$SUITE/nginx.conf" "$WORK/conf/default.conf"
	n=$(wc -l <"$WORK/log/access.log")
	kill_vm ng
	ok skerry start ng
	until_ok 60 answers "$p" /current/ 'X-Config: 0'
	[ "$(wc -l <"$WORK/log/access.log")" -gt "$n" ] || fail 'the log does not go on'
}
# case: timeout=900 full
case_app_nginx_bind() { nginx_on bind; }
# case: timeout=900 full
case_app_nginx_volume() { nginx_on volume; }

# Packages from npm's registry, as this machine's npm gets them: into a cache, which the container installs from.
npm_cache() {
	command -v npm >/dev/null || skip 'this machine has no npm'
	mkdir -p "$WORK/native"
	cp "$1/package.json" "$WORK/native"
	(cd "$WORK/native" && npm install --package-lock-only --no-audit --no-fund --cache "$WORK/cache" && cp package-lock.json "$1" &&
		npm ci --ignore-scripts --no-audit --no-fund --cache "$WORK/cache") >"$WORK/npm.log" 2>&1 || {
		cat "$WORK/npm.log"
		skip 'npm gets no packages here'
	}
}
# What npm has installed, but for what the packages' own scripts do.
files_of() { (cd "$1" && find . -type f ! -name .package-lock.json ! -path ./esbuild/bin/esbuild -print0 | sort -z | xargs -0 sha256sum); }

# A site in a directory of the host, worked on there, while vite runs in the container and watches it with inotify.
# case: timeout=900 full
case_app_vite_bind() {
	local p site=$WORK/site npm=(npm ci --offline --no-audit --no-fund --cache /cache) installer
	import_image vite
	large_program
	python3 "$SUITE/vite.py" make "$site"
	npm_cache "$site"
	p=$(free_port)
	serve_in vi -m 1g -p "$p:5173" -w /app -v "$site:/app" -v "$WORK/cache:/cache" vite sleep 10000
	# Killed in the middle of an installation, and that done again.
	skerry exec vi "${npm[@]}" >"$WORK/npm.log" 2>&1 &
	installer=$!
	until_ok 120 test -d "$site/node_modules/lodash-es"
	kill_container vi
	! wait "$installer" || fail 'npm was done before it was killed'
	ok skerry start vi
	ok skerry exec vi "${npm[@]}"
	ok skerry exec vi npm ls --all
	same "$(files_of "$site/node_modules" | sha256sum)" "$(files_of "$WORK/native/node_modules" | sha256sum)" 'what npm has installed'
	skerry exec vi node_modules/.bin/vite --host 0.0.0.0 --strictPort >"$WORK/vite.log" 2>&1 &
	until_ok 120 answers "$p" /src/main.js 'pages/first.js'
	ok skerry exec vi bash -c 'grep -qs "^inotify wd" /proc/[0-9]*/fdinfo/*'
	try python3 "$SUITE/vite.py" edit "$site" "$p" "$(long 3 10)"
	[ "$rc" = 0 ] || fail "vite said: $(cat "$WORK/vite.log")"
	printf '%s\n' "$out"
	has "$(cat "$WORK/vite.log")" 'page reload|hmr update' "vite's log"
	has "$(cat "$WORK/vite.log")" 'server restarted' "vite's log"
}

# debian_source IMAGE PACKAGE: a source package from where the image's packages are from, in $WORK/src.
debian_source() {
	local options=(-o Dir::Etc::sourcelist="$WORK/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$WORK/apt/lists"
		-o Dir::Cache::archives="$WORK/apt/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	mkdir -p "$WORK/apt/lists/partial" "$WORK/apt/archives/partial" "$WORK/src"
	run "$1" find /etc/apt -name '*.list' -exec cat '{}' +
	sed -n 's/^deb /deb-src /p' <<<"$out" >"$WORK/apt/sources.list"
	(cd "$WORK/src" && apt-get "${options[@]}" update && apt-get "${options[@]}" --download-only source "$2") >"$WORK/apt/log" 2>&1 || {
		cat "$WORK/apt/log"
		skip 'apt gets no source packages here'
	}
}

# make -j2 of a Debian source package, with its tests; on the mount it gives the same packages as on the container's own disk.
make_on() {
	import_image make
	debian_source make hello
	place "$1"
	serve_in mk -m 1g -v "$data:/data" -v "$WORK/src:/src:ro" make sleep 10000
	ok skerry exec mk bash /suite/make.sh unpack /data/one
	# Killed in the middle, and built anew.
	skerry exec mk bash /suite/make.sh build /data/one >"$WORK/make.log" 2>&1 &
	until_ok 300 grep -q 'gcc .*-c ' "$WORK/make.log"
	kill_vm mk
	! wait $! || fail 'it was built before the power cut'
	ok skerry start mk
	ok skerry exec mk bash /suite/make.sh build /data/one
	ok skerry exec mk bash /suite/make.sh again /data/one
	# The same path, on the container's own disk.
	serve_in own -m 1g -v "$WORK/src:/src:ro" make sleep 10000
	ok skerry exec own bash /suite/make.sh unpack /data/one
	ok skerry exec own bash /suite/make.sh build /data/one
	ok skerry cp own:/data/one "$WORK/own"
	run -v "$SUITE:/suite:ro" -v "$data:/data" -v "$WORK/own:/own:ro" make bash /suite/make.sh compare /data/one /own
}
# case: timeout=900 full
case_app_make_bind() { make_on bind; }
# case: timeout=900 full
case_app_make_volume() { make_on volume; }

# Jenkins is in no package of Debian's: SKERRY_TEST_JENKINS_WAR is the path of its jenkins.war.
jenkins_on() {
	local killer
	[ -n "${SKERRY_TEST_JENKINS_WAR:-}" ] || skip 'SKERRY_TEST_JENKINS_WAR does not name a jenkins.war'
	[ -r "$SKERRY_TEST_JENKINS_WAR" ] || fail "cannot read $SKERRY_TEST_JENKINS_WAR"
	import_image jenkins
	large_program
	place "$1"
	serve_in je -m 1g -v "$data:/data" -v "$SKERRY_TEST_JENKINS_WAR:/jenkins.war:ro" jenkins bash /suite/jenkins.sh serve
	ready 400 je bash /suite/jenkins.sh ready
	ok skerry exec je stat -c '%u' /data/home/config.xml
	same "$out" 1000
	for killer in kill_vm kill_container; do
		load_until "$killer" je "$(long 5 20)" bash /suite/jenkins.sh load
		ok skerry start je
		ready 400 je bash /suite/jenkins.sh ready
		ok skerry exec je bash /suite/jenkins.sh check "$(last_acked)"
	done
	ok skerry stop -t 90 je
}
# case: timeout=1500 full
case_app_jenkins_bind() { jenkins_on bind; }
# case: timeout=1500 full
case_app_jenkins_volume() { jenkins_on volume; }
