# shellcheck shell=bash disable=SC2016,SC2154
# SPDX-License-Identifier: Apache-2.0
#
# Images: import, load, pull, list, remove; the image's configuration; hostile archives.

# An OCI layout directory "oci" with image "e2e", of three layers and with a configuration of its own.
make_oci() {
	python3 "$here/make_oci.py" "$TAR" oci
}

need_tools() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || skip "needs $tool"
	done
}

case_image_list() {
	ok skerry images
	has "$out" '^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$'
	has "$out" '^debian +e2e +[0-9a-f]{12} '
	ok skerry images -q
	has "$out" '^[0-9a-f]{12}$'
	ok skerry images --format json
	same "$(json_of "$(head -1 <<<"$out")" 'd["Repository"] + ":" + d["Tag"]')" "$IMG"
	ok skerry images nosuch
	same "$(wc -l <<<"$out")" 1
	ok skerry inspect "$IMG"
	has "$out" 'Architecture'
}

case_image_import() {
	mkdir -p root/sub
	echo hello >root/sub/file
	tar -C root -cf t.tar .
	ok skerry import t.tar small:1
	has "$out" 'sha256:'
	ok skerry import - small:stdin <t.tar
	ok skerry import --change 'CMD ["/bin/x"]' --change 'ENV A=b' t.tar small:changed
	same "$(skerry inspect small:changed | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["Config"]["Cmd"])')" "['/bin/x']"
	gzip -k t.tar
	ok skerry import t.tar.gz small:gz
	ok skerry images small
	same "$(grep -c '^small' <<<"$out")" 4
}

case_image_import_ownership_and_kinds() {
	# Names, modes, owners, links, devices and attributes as in the archive, also when a plain user imports it.
	python3 - <<-'END'
		import io, tarfile
		t = tarfile.open("k.tar", "w", format=tarfile.PAX_FORMAT)
		def add(name, kind=tarfile.REGTYPE, data=b"", pax=None, **more):
		    i = tarfile.TarInfo(name); i.type = kind; i.size = len(data); i.mode = 0o644
		    for k, v in more.items(): setattr(i, k, v)
		    if pax: i.pax_headers = pax
		    t.addfile(i, io.BytesIO(data))
		add("kinds", tarfile.DIRTYPE, mode=0o755)
		add("kinds/file", data=b"x" * 70000, uid=33, gid=12, mode=0o4750)
		add("kinds/hard", tarfile.LNKTYPE, linkname="kinds/file", uid=33, gid=12, mode=0o4750)
		add("kinds/soft", tarfile.SYMTYPE, linkname="/absolute/target")
		add("kinds/fifo", tarfile.FIFOTYPE)
		add("kinds/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666)
		add("kinds/block", tarfile.BLKTYPE, devmajor=7, devminor=9)
		add("kinds/big-uid", uid=123456, gid=654321)
		add("kinds/caps", mode=0o755, pax={"SCHILY.xattr.security.capability":
		    b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode("latin-1")})
		add("kinds/user-xattr", pax={"SCHILY.xattr.user.note": "hi"})
		add("kinds/" + "n" * 200, data=b"long name")
		add("kinds/r\u00e9sum\u00e9", data=b"utf-8")
	END
	cat "$TAR" >all.tar
	tar -A -f all.tar k.tar
	ok skerry import all.tar kinds:1
	run kinds:1 sh -c 'cd /kinds; stat -c "%n %f %u %g %h %t:%T %s" file hard fifo null block big-uid; readlink soft; ls | wc -l; cat résumé'
	has "$out" '^file 89e8 33 12 2 0:0 70000$'
	has "$out" '^hard 89e8 33 12 2 0:0 70000$'
	has "$out" '^fifo 11a4 '
	has "$out" '^null 21b6 0 0 1 1:3 '
	has "$out" '^block 61a4 0 0 1 7:9 '
	has "$out" '^big-uid 81a4 123456 654321 '
	has "$out" '^/absolute/target$'
	has "$out" '^11$'
	has "$out" 'utf-8'
	run kinds:1 perl -e 'require "syscall.ph"' 2>/dev/null || true
	run kinds:1 perl -e 'my $b = " " x 64; my $p = "/kinds/caps"; my $n = "security.capability"; my $r = syscall(191, $p, $n, $b, 64); print $r, " ", unpack("H*", substr $b, 0, 8)'
	same "$out" '20 0100000200200000' 'file capabilities'
}

case_image_import_acls() {
	# POSIX ACLs, in both forms that archives have for them: obeyed, shown, inherited, and still there when the file moved to the container's disk.
	python3 - <<-'END'
		import io, struct, tarfile
		t = tarfile.open("a.tar", "w", format=tarfile.PAX_FORMAT)
		def add(name, kind=tarfile.REGTYPE, mode=0o640, **pax):
		    i = tarfile.TarInfo(name); i.type = kind; i.size = 0 if kind == tarfile.DIRTYPE else 3; i.mode = mode
		    i.pax_headers = {"SCHILY." + k.replace("__", "."): v for k, v in pax.items()}
		    t.addfile(i, io.BytesIO(b"in\n"))
		none = 0xffffffff
		def acl(*entries):
		    return (struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in entries))
		binary = acl((1, 6, none), (2, 4, 1000), (4, 0, none), (16, 4, none), (32, 0, none))
		add("acl", tarfile.DIRTYPE, 0o777, acl__default="user::rwx,user:1000:r-x,group::---,mask::r-x,other::---")
		add("acl/text", acl__access="user::rw-,user:1000:r--,group::---,mask::r--,other::---")
		i = tarfile.TarInfo("acl/binary"); i.size = 3; i.mode = 0o640
		t.close()
		# An attribute with bytes that are not UTF-8 needs a header made by hand.
		value = b"SCHILY.xattr.system.posix_acl_access=" + binary + b"\n"
		record = b"%d " % (len(value) + 4 if len(value) + 4 > 99 else len(value) + 3) + value
		head = tarfile.TarInfo("pax"); head.type = tarfile.XHDTYPE; head.size = len(record)
		with open("a.tar", "rb") as f: data = f.read().rstrip(b"\0")
		data += b"\0" * (-len(data) % 512)
		data += head.tobuf(tarfile.USTAR_FORMAT) + record + b"\0" * (-len(record) % 512)
		data += i.tobuf(tarfile.USTAR_FORMAT) + b"in\n".ljust(512, b"\0") + b"\0" * 1024
		open("a.tar", "wb").write(data)
	END
	cat "$TAR" >all.tar
	tar -A -f all.tar a.tar
	ok skerry import all.tar acl:1
	local file
	for file in text binary; do
		run acl:1 stat -c %a "/acl/$file"
		same "$out" 640
		run -u 1000 acl:1 cat "/acl/$file"
		same "$out" in
		expect 1 skerry run --rm -u 1001 acl:1 cat "/acl/$file"
		has "$err" 'Permission denied'
		# Copied up: by a change of its times, and of its contents.
		run acl:1 sh -c "touch -d @5 /acl/$file; chown 0:7 /acl/$file; perl -e 'use POSIX; POSIX::setuid(1000); open(F, qq(/acl/$file)) or die; print <F>; open(F, qq(>/acl/$file)) and print qq(written)'"
		same "$out" in
		run acl:1 perl -e 'my $b = " " x 64; my ($p, $n) = ($ARGV[0], "system.posix_acl_access"); print syscall(191, $p, $n, $b, 64), " ", unpack("H*", substr $b, 12, 8); $b = " " x 64; syscall(194, $p, $b, 64); print " $b"' "/acl/$file"
		has "$out" '^44 02000400e8030000 system.posix_acl_access'
	done
	# The directory's default ACL.
	run acl:1 sh -c 'umask 0; echo new >/acl/new; stat -c %a /acl/new; mkdir /acl/d; stat -c %a /acl/d; perl -e "use POSIX; POSIX::setuid(1000); open(F, q(/acl/new)) or die; print <F>; POSIX::setuid(0)"'
	same "$(xargs <<<"$out")" '640 750 new'
	# They go along with a copy, out and in.
	ok skerry run -d --name c1 acl:1 sleep 1000
	skerry cp c1:/acl - >out.tar || fail 'cannot copy out'
	ok skerry cp - c1:/tmp <out.tar
	ok skerry exec -u 1000 c1 cat /tmp/acl/text /tmp/acl/binary
	same "$out" $'in\nin'
	expect 1 skerry exec -u 1001 c1 cat /tmp/acl/text
	ok skerry exec c1 sh -c 'umask 0; echo new >/tmp/acl/new; stat -c %a /tmp/acl/new'
	same "$out" 640
}

case_image_load_docker_archive() {
	need_tools skopeo
	make_oci
	skopeo --insecure-policy copy -q oci:oci:e2e docker-archive:d.tar:loaded:one
	ok skerry load -i d.tar
	has "$out" 'Loaded image: .*loaded:one'
	run loaded:one
	same "$out" default
	try skerry load <d.tar
	same "$rc" 0 'from standard input'
}

case_image_load_oci_archive_and_directory() {
	need_tools skopeo
	make_oci
	skopeo --insecure-policy copy -q oci:oci:e2e oci-archive:o.tar:tagged:two
	ok skerry load -i o.tar
	has "$out" 'Loaded image'
	run tagged:two words
	same "$out" words
	ok skerry load -i oci
}

# docker's columns; an image's texts are its maker's: one line each, and no words for the terminal.
case_image_history() {
	need_tools skopeo
	local sizes
	make_oci
	skopeo --insecure-policy copy -q oci:oci:e2e oci-archive:o.tar:history:1
	ok skerry load -i o.tar
	ok skerry history history:1
	same "$(head -1 <<<"$out" | tr -s ' ')" 'IMAGE CREATED CREATED BY SIZE COMMENT'
	same "$(wc -l <<<"$out")" 5
	has "$out" '^[0-9a-f]{12} +[0-9]+ [a-z]+ ago +RUN rm /gone +[0-9.]+k?B'
	has "$out" '^<missing> .* ago +RUN mkdir /opaque && rm -rf /opaque/\* && ech… '
	has "$out" '^<missing> .* ENV FROM_IMAGE=yes +0B +own \?\[31mwords$'
	ok skerry image history --no-trunc --format '{{.ID}}|{{.CreatedAt}}|{{.CreatedBy}}' history:1
	same "$(head -1 <<<"$out")" "$(skerry inspect -f '{{.Id}}' history:1)|2026-01-02T03:04:05Z|RUN rm /gone"
	has "$out" '^<missing>\|2026-01-02T00:00:00Z\|RUN mkdir /opaque && rm -rf /opaque/\* && echo new >/opaque/new # done$'
	ok skerry history -H=false --format '{{.Size}}' history:1
	sizes=$out
	same "$(awk '{ n += $1 } END { print n }' <<<"$sizes")" "$(skerry inspect -f '{{.Size}}' history:1)" 'the sizes of the layers'
	same "$(sed -n 3p <<<"$sizes")" 0
	[ "$(sed -n 4p <<<"$sizes")" -gt 1000000 ] || fail "the lowest layer has $sizes"
	ok skerry history -q history:1
	same "$(tail -n +2 <<<"$out" | sort -u)" '<missing>'
	ok skerry history "$IMG"
	same "$(wc -l <<<"$out")" 2
	expect 1 skerry history nosuch
	complaint 'nosuch'
}

# case: timeout=90 quick
case_image_config_is_honoured() {
	need_tools skopeo
	make_oci
	skopeo --insecure-policy copy -q oci:oci:e2e docker-archive:d.tar:conf:1
	ok skerry load -i d.tar
	run conf:1
	same "$out" default 'entrypoint and cmd'
	run --entrypoint sh conf:1 -c 'id -un; pwd; echo $FROM_IMAGE; echo $PATH; cat /one /hard; ls /opaque; test -e /gone || echo gone; test -d /data && echo data'
	has "$out" '^daemon'
	same "$(sed -n 2,4p <<<"$out")" $'/var/tmp\nyes\n/usr/bin:/bin'
	has "$out" '^new$'
	hasnt "$out" '^old$'
	has "$out" '^gone$'
	has "$out" '^data$'
	run -u root -w / --entrypoint sh conf:1 -c 'id -un; pwd'
	same "$out" $'root\n/'
	ok skerry create --name c1 conf:1
	same "$(field c1 'd["Config"]["Labels"]["own"]')" label
	same "$(field c1 'd["Config"]["StopSignal"]')" SIGUSR1
	same "$(field c1 'list(d["Config"]["ExposedPorts"])')" '["7070/tcp"]'
}

# A registry on loopback, as Debian packages it, filled by skopeo.
# case: timeout=120 serial
case_image_pull_from_a_registry() {
	need_tools skopeo docker-registry
	local p i
	make_oci
	p=$(free_port)
	mkdir reg
	cat >reg.yml <<-END
		version: 0.1
		log: {level: error}
		storage: {filesystem: {rootdirectory: $PWD/reg}, delete: {enabled: true}}
		http: {addr: 127.0.0.1:$p}
	END
	docker-registry serve reg.yml >reg.log 2>&1 &
	e2e_servers+=($!)
	for i in {1..50}; do
		skopeo --insecure-policy copy -q --dest-tls-verify=false oci:oci:e2e "docker://127.0.0.1:$p/team/app:v1" 2>/dev/null && break
		sleep 0.2
	done
	ok skerry pull "127.0.0.1:$p/team/app:v1"
	run "127.0.0.1:$p/team/app:v1" pulled
	same "$out" pulled
	ok skerry pull "127.0.0.1:$p/team/app:v1"
	local digest
	digest=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://127.0.0.1:$p/team/app:v1")
	ok skerry pull "127.0.0.1:$p/team/app@$digest"
	expect 1 skerry pull "127.0.0.1:$p/team/app:nosuch"
	has "$err" 'nosuch'
	expect 1 skerry pull "127.0.0.1:$p/no/such"
	# run pulls what is not there
	ok skerry rmi "127.0.0.1:$p/team/app:v1"
	ok skerry run --rm "127.0.0.1:$p/team/app:v1" again
	has "$out" again
	expect 125 skerry run --rm --pull never "127.0.0.1:$p/team/app:other" true
	# A blob that is not what its digest says.
	local blob
	blob=$(find reg -name data -size +200k | head -1)
	ok skerry rmi -f "127.0.0.1:$p/team/app:v1"
	skerry rmi -f "127.0.0.1:$p/team/app@$digest" >/dev/null 2>&1 || true
	ok skerry prune -af
	printf 'XXXX' | dd of="$blob" bs=1 seek=100 conv=notrunc 2>/dev/null
	expect 1 skerry pull "127.0.0.1:$p/team/app:v1"
	same "$(skerry images -q "127.0.0.1:$p/team/app")" '' 'nothing of a damaged image stays'
}

case_image_rmi_and_prune() {
	mkdir root
	echo a >root/a
	tar -C root -cf t.tar .
	ok skerry import t.tar x:1
	ok skerry rmi x:1
	has "$out" '(Untagged|Deleted)'
	expect 1 skerry rmi x:1
	complaint 'x:1'
	ok skerry create --name user "$IMG" true
	expect 1 skerry rmi "$IMG"
	complaint 'in use|using|used'
	# By force the names go. The container's root file system stays, and with the container it can go.
	ok skerry import t.tar z:1
	ok skerry create --name kept z:1 nothing
	ok skerry rmi -f z:1
	same "$out" 'Untagged: z:1'
	expect 1 skerry rmi -f "$(skerry inspect -f '{{.Image}}' kept)"
	complaint 'kept'
	ok skerry system prune -f --filter label=none
	ok skerry cp kept:/a back
	same "$(cat back)" a
	ok skerry rm kept
	ok skerry image prune -f
	has "$out" 'deleted: sha256'
	ok skerry rm user
	local before
	before=$(du -sk "$SKERRY_ROOT/images" | cut -f1)
	head -c 20000000 /dev/urandom >root/random
	tar -C root -cf t.tar .
	ok skerry import t.tar y:1
	ok skerry rmi y:1
	ok skerry prune -f
	[ "$(du -sk "$SKERRY_ROOT/images" | cut -f1)" -lt $((before + 10000)) ] || fail 'the space did not come back'
	run "$IMG" true
}

case_image_prune_containers() {
	ok skerry run --name ended "$IMG" true
	ok skerry run -d --name alive "$IMG" sleep 1000
	ok skerry prune -f
	expect 1 skerry inspect ended
	ok skerry inspect alive
}

case_image_hostile_archives() {
	local before kind
	before=$(skerry images -q | sort; find "$SKERRY_ROOT/images" | sort | wc -l)
	python3 - <<-'END'
		import io, os, tarfile
		def tar(name, members):
		    t = tarfile.open(name, "w")
		    for path, kind, link, data in members:
		        i = tarfile.TarInfo(path); i.type = kind; i.linkname = link; i.size = len(data)
		        t.addfile(i, io.BytesIO(data))
		    t.close()
		F, S, H, D = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE
		tar("dotdot.tar", [("../../../escaped", F, "", b"x")])
		tar("hardlink.tar", [("h", H, "../../../../etc/passwd", b"")])
		tar("file-as-directory.tar", [("a", F, "", b"x"), ("a/b", F, "", b"x")])
		tar("good.tar", [("a", F, "", b"x" * 100000)])
		data = open("good.tar", "rb").read()
		open("truncated.tar", "wb").write(data[:50000])
		open("garbage.tar", "wb").write(os.urandom(100000))
		open("empty-file.tar", "wb")
	END
	for kind in dotdot hardlink truncated garbage; do
		expect 1 skerry import "$kind.tar" "bad:$kind"
		complaint .
	done
	for kind in file-as-directory empty-file; do
		try skerry import "$kind.tar" "bad:$kind"
		[ "$rc" -le 1 ] || fail "$kind: exit code $rc"
		[ "$rc" = 1 ] || ok skerry rmi "bad:$kind"
	done
	for kind in dotdot truncated garbage empty-file; do
		expect 1 skerry load -i "$kind.tar"
		complaint .
	done
	ok skerry prune -f
	same "$(skerry images -q | sort; find "$SKERRY_ROOT/images" | sort | wc -l)" "$before" 'the store'
	if [ -e "$SKERRY_ROOT/escaped" ] || [ -e "$SKERRY_ROOT/../escaped" ]; then fail 'a file escaped'; fi
}

case_image_links_that_lead_out() {
	# Legal in an archive, harmful if followed on the host.
	python3 - <<-'END'
		import io, os, tarfile
		t = tarfile.open("l.tar", "w")
		def add(name, kind, link="", data=b""):
		    i = tarfile.TarInfo(name); i.type = kind; i.linkname = link; i.size = len(data)
		    t.addfile(i, io.BytesIO(data))
		add("out", tarfile.SYMTYPE, os.environ["WORK"])
		add("out/planted", tarfile.REGTYPE, data=b"x")
		add("up", tarfile.SYMTYPE, "../../../../../.." + os.environ["WORK"])
		add("up/planted", tarfile.REGTYPE, data=b"x")
		add("/absolute" + os.environ["WORK"] + "/planted", tarfile.REGTYPE, data=b"x")
		t.close()
	END
	try skerry import l.tar links:1
	[ "$rc" -le 1 ] || fail "exit code $rc"
	[ ! -e planted ] || fail 'a file was planted on the host'
}

case_image_layers_without_an_end() {
	# umoci leaves out the padding of the last file and the blocks that end an archive; docker reads such layers.
	need_tools umoci
	mkdir l
	echo x >l/one
	umoci init --layout u
	umoci new --image u:e2e
	umoci insert --rootless --image u:e2e l / 2>/dev/null
	umoci insert --rootless --whiteout --image u:e2e /gone
	ok skerry load -i u
	has "$out" 'Loaded image'
}

case_image_wrong_digest_in_a_layout() {
	need_tools skopeo
	make_oci
	local blob
	blob=$(find oci/blobs -size +200k | head -1)
	chmod u+w "$blob"
	printf 'XXXX' | dd of="$blob" bs=1 seek=100 conv=notrunc 2>/dev/null
	expect 1 skerry load -i oci
	has "$err" 'digest|checksum|damaged|does not match|not a layer'
	same "$(skerry images | grep -c e2e)" 1 'only the test image'
}

case_image_tag_and_untagged() {
	mkdir root
	tar -C root -cf t.tar .
	ok skerry import t.tar a:1
	local first=$out
	echo x >root/x
	tar -C root -cf t.tar .
	ok skerry import t.tar a:1
	[ "$out" != "$first" ] || fail 'the same id'
	ok skerry images -q a
	same "$(wc -l <<<"$out")" 1
}

case_image_pull_unreachable() {
	local p
	p=$(free_port)
	expect 1 skerry pull "127.0.0.1:$p/x:1"
	has "$err" "127.0.0.1:$p"
	expect 1 skerry pull 'bad//name::'
	complaint 'bad//name|reference|name'
}

case_image_two_imports_at_once() {
	mkdir root
	head -c 3000000 /dev/urandom >root/x
	tar -C root -cf t.tar .
	local pids=() pid i
	for i in 1 2 3 4; do
		skerry import t.tar "par:$i" >/dev/null 2>"e$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || fail "an import failed: $(cat e?)"; done
	ok skerry images par
	same "$(grep -c '^par ' <<<"$out")" 4
}

# An import has no digest to be checked by; a gzip file has a sum.
case_image_import_of_a_damaged_gzip() {
	mkdir root
	head -c 300000 /dev/urandom >root/noise
	tar -C root -cf good.tar .
	gzip -k good.tar
	cat good.tar.gz >bad.tar.gz
	printf 'XXXX' | dd of=bad.tar.gz bs=1 seek=100000 conv=notrunc status=none
	expect 1 skerry import bad.tar.gz bad:1
	has "$err" 'damaged layer'
	ok skerry import good.tar.gz good:1
	# several members are one file
	{ head -c 100000 good.tar | gzip; tail -c +100001 good.tar | gzip; } >parts.tar.gz
	ok skerry import parts.tar.gz good:2
}

# What the image has and what the container has written is one file system: one device number, and inode numbers that stay
# when a file is written.
case_image_is_one_file_system() {
	run "$IMG" sh -c '
		touch /etc/made
		stat -c %d / /etc /etc/passwd /etc/made | sort -u | wc -l
		touch /usr/made; du -sx /usr | cut -f 1; du -s /usr | cut -f 1
		find / -xdev -path /etc/passwd
		was=$(stat -c %i /etc/passwd); echo >>/etc/passwd; [ "$was" = "$(stat -c %i /etc/passwd)" ]; echo $?
		ls -i /etc | awk -v i="$was" "\$2 == \"passwd\" { print (\$1 == i) }"'
	mapfile -t lines <<<"$out"
	same "${lines[0]}" 1 'number of devices'
	same "${lines[1]}" "${lines[2]}" 'du -x'
	same "${lines[*]:3}" '/etc/passwd 0 1'
}

case_image_save() {
	ok skerry tag "$IMG" saved:1
	ok skerry tag "$IMG" saved:2
	ok skerry save -o one.tar saved:1
	same "$out$err" ''
	same "$(stat -c %a one.tar)" 600
	skerry save saved:1 >two.tar || fail 'save to standard output'
	cmp one.tar two.tar || fail 'the same image twice gives two archives'
	ok skerry save -o all.tar saved
	has "$(tar -xOf all.tar manifest.json)" '"RepoTags":\["saved:1","saved:2"\]'
	local layers id first
	first=$(skerry images -q --no-trunc saved:1)
	layers=$(skerry run --rm saved:1 sh -c 'cd / && find bin etc lib usr sbin -mindepth 1 ! -path "etc/host*" ! -name resolv.conf -exec stat -c "%n %A %u %g %Y %h" {} +' | sort | sha256sum)
	ok skerry rmi saved:1 saved:2
	ok skerry load -i one.tar
	same "$out" 'Loaded image: saved:1'
	same "$(skerry run --rm saved:1 sh -c 'cd / && find bin etc lib usr sbin -mindepth 1 ! -path "etc/host*" ! -name resolv.conf -exec stat -c "%n %A %u %g %Y %h" {} +' | sort | sha256sum)" "$layers" 'files'
	id=$(skerry images -q --no-trunc saved:1)
	same "$id" "$first" 'its layers come out as they came in'
	ok skerry save -o three.tar "$id"
	ok skerry rmi saved:1
	ok skerry load -i three.tar
	same "$out" "Loaded image ID: $id" 'a second time the id stays'
	ok skopeo copy -q docker-archive:one.tar dir:copied
	ok skopeo copy -q dir:copied oci-archive:oci.tar:again:1
	ok skerry load -i oci.tar
	ok skerry run --rm again:1 true
	ok skerry rmi again:1
	expect 1 skerry save nothere
	complaint nothere
	expect 1 skerry save -o nodir/x "$IMG"
	complaint 'directory "nodir" does not exist'
	local command
	for command in save export; do
		ok skerry create --name "c-$command" "$IMG" true
		expect 1 skerry "$command" -o /dev/null "$([ $command = save ] && echo "$IMG" || echo c-export)"
		complaint 'got a device'
		[ -c /dev/null ] || fail "$command has replaced /dev/null"
	done
	same "$(script -qec "skerry save $IMG" /dev/null </dev/null | tr -d '\r')" 'skerry: cowardly refusing to save to a terminal. Use the -o flag or redirect'
	mkfifo fifo
	cat fifo >read.tar &
	ok skerry save -o fifo "$IMG"
	wait $!
	tar -tf read.tar >/dev/null || fail 'a FIFO got no archive'
	[ -p fifo ] || fail 'the FIFO is gone'
	[ -z "$(ls -- *.part 2>/dev/null)" ] || fail 'parts are left'
}

case_image_import_message() {
	ok skerry create --name c1 "$IMG" true
	ok skerry export -o c1.tar c1
	ok skerry import -m 'from c1' c1.tar imported:1
	same "$(skerry history --format '{{.Comment}}' imported:1)" 'from c1'
	ok skerry rmi imported:1
}
